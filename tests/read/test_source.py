"""Inputs as streams: files, pipes, compressions and encodings."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from matscore.errors import FileError, InputError
from matscore.read.source import READ_BYTES, Opening, Source, open_source

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TABLE = b"id,a\n" + b"".join(b"row %d,%d\n" % (i, i * i % 997) for i in range(3000))
CHECKED = {int(zstd.CompressionParameter.checksum_flag): 1}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstd.compress(data, options=CHECKED),
}


def drain(source: Source) -> bytes:
    try:
        return b"".join(source.iter_blocks(0))
    finally:
        source.close()


def read(path: Path | str, encoding: str | None = None) -> bytes:
    return drain(open_source(str(path), Opening(encoding)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


@pytest.mark.parametrize("data", [TABLE, b"a", b"a,b\n1,2", TABLE * 40])
def test_a_plain_file_is_given_whole(data: bytes, file: Path) -> None:
    file.write_bytes(data)
    source = open_source(str(file))
    assert (source.path, source.kind, source.size) == (str(file), "csv", len(data))
    assert data.startswith(source.head)
    assert source.is_whole == (len(data) < 2**16)
    assert drain(source) == data
    assert source.n_read == len(data)


def test_the_head_grows_block_by_block(file: Path) -> None:
    data = TABLE * 100
    file.write_bytes(data)
    source = open_source(str(file))
    n = len(source.head)
    assert source.extend_head()
    assert n < len(source.head) <= n + READ_BYTES
    assert b"".join(source.iter_blocks(10)) == data[10:]
    assert not source.extend_head()
    assert source.is_whole
    source.close()


@pytest.mark.parametrize("kind", list(PACKERS))
@pytest.mark.parametrize("name", ["a.csv", "a.gz", "a.zst", "a.bz2", "a.xz", "a", "a.parquet"])
def test_a_compressed_file_is_known_by_its_content(kind: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(PACKERS[kind](TABLE))
    assert read(tmp_path / name) == TABLE


@pytest.mark.parametrize("name", ["a.gz", "a.csv.zst", "a.bz2", "a.xz"])
def test_plain_text_under_a_compressed_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(TABLE)
    assert read(tmp_path / name) == TABLE


@pytest.mark.parametrize("kind", list(PACKERS))
def test_several_members_are_one_file(kind: str, file: Path) -> None:
    pack = PACKERS[kind]
    cuts = [0, 1, 1, 700, 20_000, len(TABLE)]  # one of them empty
    members = [pack(TABLE[i:j]) for i, j in pairwise(cuts)]
    file.write_bytes(b"".join(members))
    assert read(file) == TABLE


def test_a_member_larger_than_a_block(file: Path) -> None:
    data = TABLE * 60
    for pack in PACKERS.values():
        file.write_bytes(pack(data) + pack(TABLE))
        source = open_source(str(file))
        assert max(map(len, source.iter_blocks(len(source.head)))) <= READ_BYTES
        source.close()
        assert read(file) == data + TABLE


def test_padding_and_skippable_frames(file: Path) -> None:
    """What the formats allow between members, and the tools skip."""
    skippable = b"\x50\x2a\x4d\x18" + struct.pack("<I", 5) + b"hello"
    packed = PACKERS["zstd"](TABLE)
    for data in (skippable + packed, packed + skippable, packed + skippable + packed):
        file.write_bytes(data)
        assert read(file) == TABLE * data.count(packed)
    for kind, padding in (("xz", bytes(8)), ("gzip", bytes(512))):
        file.write_bytes(PACKERS[kind](TABLE) + padding)
        assert read(file) == TABLE
    file.write_bytes(lzma.compress(TABLE) + bytes(4) + lzma.compress(b"x,1\n"))
    assert read(file) == TABLE + b"x,1\n"


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(list(PACKERS)),
    st.sampled_from(["cut", "flip", "garbage", "member"]),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 7),
)
@example("bzip2", "member", 0.0, 0)
@example("xz", "member", 0.0, 0)
@example("zstd", "member", 0.0, 0)
@example("gzip", "member", 0.0, 0)
def test_damaged_compression_is_never_silent(
    tmp_path_factory: pytest.TempPathFactory, kind: str, way: str, share: float, bit: int
) -> None:
    """Read the same text, or refuse: never less of it, never other text."""
    pack = PACKERS[kind]
    members = [bytearray(pack(TABLE[:9000])), bytearray(pack(TABLE[9000:]))]
    at = int(share * len(members[1]))
    if way == "cut":
        del members[1][max(at, 1) :]
    elif way == "garbage":
        members.append(bytearray(b"\x01garbage"[: 1 + bit]))
    elif way == "flip":
        members[0][int(share * len(members[0]))] ^= 1 << bit
    else:
        members[1][at] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(b"".join(members))
    try:
        assert read(path) == TABLE
    except (FileError, InputError):  # an InputError where it is no compressed file any more
        return


@pytest.mark.parametrize("kind", list(PACKERS))
def test_truncated_and_corrupt_files_are_named(kind: str, file: Path) -> None:
    packed = PACKERS[kind](TABLE)
    middle = len(packed) // 2
    for data in (packed[:middle], packed[:-1], packed + b"x", packed[:middle] + bytes(200)):
        file.write_bytes(data)
        with pytest.raises(FileError, match=f"the {kind} data is truncated or damaged") as caught:
            read(file)
        assert caught.value.path == str(file)
        assert caught.value.hint


MARKED = "id,a\né,1\n日本,2\n\U0001f600,3\n" * 20


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-32-le", b"\xff\xfe\x00\x00"),
        ("utf-32-be", b"\x00\x00\xfe\xff"),
    ],
)
@pytest.mark.parametrize("named", [None, "latin-1", "utf-8"])
def test_a_byte_order_mark_says_the_encoding(
    encoding: str, mark: bytes, named: str | None, file: Path
) -> None:
    file.write_bytes(mark + MARKED.encode(encoding))
    assert read(file, named) == MARKED.encode()


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "id,a\né,1\n"),
        ("cp1252", "id,a\n€,1\n"),
        ("utf-16", MARKED),
        ("utf-16-be", MARKED),
        ("shift_jis", "id,a\n日本,2\n" * 30_000),
        ("gb18030", "id,a\n\U0001f600日本,2\n" * 30_000),
        ("utf-7", "id,a\né日本,1\n"),
        ("ascii", "id,a\nb,1\n"),
        ("UTF8", MARKED),
    ],
)
def test_a_named_encoding(encoding: str, text: str, file: Path) -> None:
    """Decode across the borders of blocks, too."""
    file.write_bytes(text.encode(encoding))
    assert read(file, encoding) == text.encode()


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("id,a\né,1\n".encode(), "ascii"),
        (b"id,a\n\xe9,1\n", "ascii"),
        (b"id,a\n\x81,1\n", "cp1252"),
        (b"\xff\xfei\x00d", "utf-16"),
        (b"\xff\xfei\x00d\x00\x00\xd8,\x00", None),
        (b"\xff\xfei\x00d\x00\n", None),
        ("id,a\n日本,2\n".encode("shift_jis") + b"\x93", "shift_jis"),
    ],
)
def test_bytes_not_in_the_encoding_are_refused(
    data: bytes, encoding: str | None, file: Path
) -> None:
    if data == b"\xff\xfei\x00d":
        data += b"\x00\x00"  # an odd byte at the end
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"the text is not .*: near byte \d+") as caught:
        read(file, encoding)
    assert "--encoding" in caught.value.hint


def test_utf16_without_a_mark_is_refused(file: Path) -> None:
    file.write_bytes("id,a\nb,1\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="NUL bytes"):
        open_source(str(file))


def test_an_unknown_encoding(file: Path) -> None:
    file.write_bytes(TABLE)
    with pytest.raises(LookupError):
        open_source(str(file), Opening("no such thing"))


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"\r\n\r\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)]
)
def test_an_empty_file_is_refused(data: bytes, file: Path) -> None:
    file.write_bytes(data)
    with pytest.raises(InputError, match="the file is empty"):
        open_source(str(file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "nothing.csv")
    for name in ("nothing.csv", "link.csv"):
        with pytest.raises(FileError, match="no such file or directory") as caught:
            open_source(str(tmp_path / name))
        assert caught.value.path == str(tmp_path / name)


@pytest.mark.parametrize("name", ["", "a/b"])
def test_a_directory_is_no_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(FileError, match="is a directory"):
        open_source(str(tmp_path / name))


def test_names_that_no_file_has(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="name too long"):
        open_source(str(tmp_path / ("a" * 300)))
    with pytest.raises(FileError, match="null byte"):
        open_source("a\0b")


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read every file")
def test_no_permission(file: Path) -> None:
    file.write_bytes(TABLE)
    file.chmod(0)
    with pytest.raises(FileError, match="permission denied"):
        open_source(str(file))


@pytest.mark.parametrize(
    "name", ["with space.csv", "[a].csv", "-a.csv", "é.csv", "a" * 251 + ".csv"]
)
def test_odd_names(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(TABLE)
    assert read(tmp_path / name) == TABLE


@pytest.mark.parametrize("change", [b"x,1\n", b""])
def test_a_file_that_changes_while_it_is_read(change: bytes, file: Path) -> None:
    file.write_bytes(TABLE * 100)
    source = open_source(str(file))
    blocks = source.iter_blocks(0)
    next(blocks)
    if change:
        with file.open("ab") as out:
            out.write(change)
    else:
        os.truncate(file, 200_000)
    with pytest.raises(FileError, match="changed while it was read"):
        list(blocks)
    source.close()


def test_a_file_that_is_rewritten_with_the_same_size(file: Path) -> None:
    file.write_bytes(TABLE * 100)
    source = open_source(str(file))
    blocks = source.iter_blocks(0)
    next(blocks)
    with file.open("r+b") as out:
        out.write(TABLE)
    os.utime(file, ns=(1, 1))
    with pytest.raises(FileError, match="changed while it was read"):
        list(blocks)
    source.close()


def feed(fd: int, pieces: list[bytes]) -> threading.Thread:
    def write() -> None:
        with os.fdopen(fd, "wb", buffering=0) as out:
            for piece in pieces:
                out.write(piece)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[bytes]], None]]:
    threads = []

    def start(pieces: list[bytes]) -> None:
        reading, writing = os.pipe()
        threads.append(feed(writing, pieces))
        monkeypatch.setattr(sys, "stdin", os.fdopen(reading, "r"))

    yield start
    for thread in threads:
        thread.join()
    sys.stdin.close()


@pytest.mark.parametrize("kind", ["", *PACKERS])
def test_standard_input(kind: str, standard_input: Callable[[list[bytes]], None]) -> None:
    packed = PACKERS[kind](TABLE) if kind else TABLE
    standard_input([packed[i : i + 7919] for i in range(0, len(packed), 7919)])
    source = open_source("-")
    assert source.size is None
    assert drain(source) == TABLE
    assert source.n_read == len(packed)
    assert not sys.stdin.closed


class Trickle(io.RawIOBase):
    """A pipe whose every read gives the next piece, and no more."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    def read(self, size: int = -1) -> bytes:
        return next(self._pieces, b"")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "gb18030"])
def test_a_pipe_that_gives_one_byte_at_a_time(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block may end within a character, or hold nothing but half of one: no end of the input."""
    text = MARKED * 300
    data = text.encode(encoding)
    stream = Trickle(data[i : i + 1] for i in range(len(data)))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream, closed=False))
    source = open_source("-", Opening(None if encoding.startswith("utf") else encoding))
    assert not source.is_whole
    assert len(source.head) >= 2**16
    assert drain(source) == text.encode()


def test_a_pipe_that_is_not_ready_has_not_ended() -> None:
    """Another program may have set standard input to non-blocking."""
    code = "from matscore.read.source import open_source as o; import sys\n"
    code += "sys.stdout.buffer.write(b''.join(o('-').iter_blocks(0)))"
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=reading, stdout=subprocess.PIPE
    ) as process:
        os.close(reading)
        os.write(writing, TABLE[:1000])
        assert process.stdout is not None
        threading.Event().wait(0.5)
        os.write(writing, TABLE[1000:2000])
        os.close(writing)
        assert process.stdout.read() == TABLE[:2000]
    assert process.returncode == 0


def test_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(FileError, match="standard input is closed"):
        open_source("-")
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdin", closed)
    with pytest.raises(FileError, match="standard input is closed"):
        open_source("-")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    thread = threading.Thread(target=lambda: path.write_bytes(gzip.compress(TABLE, mtime=0)))
    thread.start()
    source = open_source(str(path))
    assert source.size is None
    assert drain(source) == TABLE
    thread.join()


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no /dev/fd here")
def test_process_substitution() -> None:
    reading, writing = os.pipe()
    thread = feed(writing, [TABLE])
    assert read(f"/dev/fd/{reading}") == TABLE
    thread.join()
    os.close(reading)


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"\xff\xfe\x00"])
def test_nothing_stays_open_after_a_refusal(data: bytes, file: Path) -> None:
    file.write_bytes(data)
    open_files = Path("/proc/self/fd")
    before = len(list(open_files.iterdir())) if open_files.exists() else 0
    with pytest.raises(InputError):
        open_source(str(file))
    if before:
        assert len(list(open_files.iterdir())) == before


def test_a_checksum_and_other_facts(file: Path) -> None:
    import hashlib

    data = gzip.compress(TABLE, mtime=0)
    file.write_bytes(data)
    source = open_source(str(file), Opening(checksum=True))
    assert drain(source) == TABLE
    facts = source.facts()
    assert (facts.path, facts.size) == (str(file), len(data))
    assert facts.sha256 == hashlib.sha256(data).hexdigest()
    assert facts.mtime == pytest.approx(file.stat().st_mtime)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress, lzma.compress])
def test_a_read_error_is_named(
    pack: Callable[[bytes], bytes], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it comes up through what unpacks: the data are not damaged."""
    lines = (b"%d\n" % (i * i * 1_000_003 % 10**9) for i in range(READ_BYTES // 8))
    file.write_bytes(pack(b"id\n" + b"".join(lines)))
    source = open_source(str(file))
    source._meter.raw.close()
    os_error = OSError(5, "Input/output error")

    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise os_error

    monkeypatch.setattr(source._meter, "raw", Broken())
    with pytest.raises(FileError) as caught:
        list(source.iter_blocks(0))
    assert str(caught.value) == f"{file}: input/output error"
