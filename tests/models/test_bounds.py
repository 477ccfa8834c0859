"""Hostile bytes: what is damaged, endless or made to mislead is refused, within little memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from matscore.models.bounds import (
    ModelFile,
    Refusal,
    Zip,
    check_count,
    check_depth,
    find_compression,
    in_step,
    inflate,
    read_limited,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLAIN = bytes(range(256)) * 40
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_each_compression_is_known_and_inflated(kind: str) -> None:
    packed = COMPRESSORS[kind](PLAIN)
    assert find_compression(packed) == kind
    assert inflate(packed) == PLAIN
    assert inflate(packed + b"\0" * 9) == PLAIN
    if kind not in ("zlib", "lzma"):
        assert inflate(packed + packed) == PLAIN * 2


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_what_is_cut_is_refused_at_every_byte(kind: str) -> None:
    packed = COMPRESSORS[kind](b"weights of a model")
    # The shortest beginnings are no sign of a compression.
    for n in range(len(packed)):
        if find_compression(packed[:n]):
            with pytest.raises(Refusal, match="damaged or ends too early"):
                inflate(packed[:n])


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_a_bomb_is_refused_before_it_takes_memory(kind: str) -> None:
    bomb = COMPRESSORS[kind](b"\0" * 2**25)
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(Refusal, match="too many for a model"):
        inflate(bomb, 2**22)
    assert time.perf_counter() - started < 5
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()


def test_a_ratio_beyond_any_model_is_refused() -> None:
    bomb = bz2.compress(b"\0" * 2**26)
    with pytest.raises(Refusal, match="too many for a model"):
        inflate(bomb)


def test_many_small_streams_end_in_time() -> None:
    started = time.perf_counter()
    with pytest.raises(Refusal, match="more than 50,000 compressed streams"):
        inflate(gzip.compress(b"") * 200_000)
    assert time.perf_counter() - started < 5


def make_zip(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def test_a_zip_gives_its_members() -> None:
    found = Zip(make_zip(a=b"1", b=PLAIN))
    assert found.names == ("a", "b")
    assert found.read("b") == PLAIN
    with pytest.raises(Refusal, match='no member "c"'):
        found.read("c")


def test_a_zip_cut_at_every_byte_is_refused() -> None:
    whole = make_zip(a=b"1", b=b"weights")
    for n in range(len(whole)):
        with pytest.raises(Refusal, match="damaged"):
            Zip(whole[:n])


def test_a_zip_with_every_byte_changed_gives_its_members_or_a_refusal() -> None:
    whole = make_zip(a=b"weights of a model")
    for i in range(len(whole)):
        changed = whole[:i] + bytes([whole[i] ^ 0xFF]) + whole[i + 1 :]
        try:
            file = Zip(changed)
            found = [file.read(name) for name in file.names]
        except Refusal:
            continue
        assert found == [b"weights of a model"]


def test_members_of_a_zip_share_one_limit() -> None:
    file = Zip(make_zip(a=b"\0" * 20_000_000))
    assert len(file.read("a")) == 20_000_000
    # As of entries of the directory that share their bytes.
    with pytest.raises(Refusal, match="more bytes than a model has"):
        file.read("a")


def test_counts_and_depths() -> None:
    assert check_count(3, 3, "numbers") == 3
    for count in (4, -1, 2**63):
        with pytest.raises(Refusal, match=r"it promises .* numbers, where 3 bytes are left"):
            check_count(count, 3, "numbers")
    check_depth(100)
    with pytest.raises(Refusal, match="nested more than 100 levels"):
        check_depth(101)


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_bytes(b"flavors: x")
    folder = ModelFile("m", folder=tmp_path)
    assert folder.open_member("MLmodel").data == b"flavors: x"
    with pytest.raises(Refusal, match="is missing from the folder"):
        folder.open_member("model.pkl")
    for name in ("../x", "/etc/passwd"):
        with pytest.raises(Refusal, match="is not in the folder"):
            folder.open_member(name)
    with pytest.raises(Refusal, match="more than 4 bytes"):
        read_limited(tmp_path / "MLmodel", 4)


def test_a_refusal_names_its_steps() -> None:
    with pytest.raises(Refusal) as caught, in_step("prep"), in_step("scale", "Normalizer"):
        raise Refusal("it is not linear", "leave it out")
    assert (
        str(caught.value)
        == 'step "prep", step "scale" (Normalizer): it is not linear; leave it out'
    )
