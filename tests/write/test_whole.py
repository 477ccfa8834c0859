"""Outputs are whole or untouched, whatever fails, and special files are written straight."""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import io
import itertools
import lzma
import os
import random
import resource
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from matscore import errors
from matscore.errors import OutputError, UsageError
from matscore.options import RejectOptions
from matscore.write import whole as write
from matscore.write.whole import Digest, check_paths, open_output, open_whole, refuse_same_file

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1 << 20
OLD = b"old\n"
NEW = b"new\n" * 5000
DECOMPRESS = {
    ".gz": gzip.decompress,
    ".zst": zstd.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
}
SOURCE = Path(write.__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")


class Stop(BaseException):
    """What a signal handler raises."""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    file = tmp_path / "scores.csv"
    file.write_bytes(OLD)
    return file


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("this root may not mount a file system")
    yield disk
    subprocess.run(["umount", disk], check=True)


def write_whole(path: Path | str, data: bytes = NEW) -> None:
    with open_whole(str(path)) as out:
        out.write(data)


def list_names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def start_python(
    code: str, *arguments: object, stdout: int | None = None
) -> subprocess.Popen[bytes]:
    code = "import os, signal, sys\nfrom matscore.write.whole import *\n" + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(SOURCE), *sys.path])},
        stdout=stdout,
    )


@contextmanager
def limited_file_size(n_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# Whole


def test_new_file_has_the_umask_mode(tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        write_whole(tmp_path / "new.csv")
    finally:
        os.umask(umask)
    assert (tmp_path / "new.csv").read_bytes() == NEW
    assert stat.S_IMODE((tmp_path / "new.csv").stat().st_mode) == 0o640
    assert list_names(tmp_path) == ["new.csv"]


def test_replaced_file_keeps_its_mode(target: Path) -> None:
    target.chmod(0o604)
    write_whole(target)
    assert target.read_bytes() == NEW
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    assert list_names(target.parent) == ["scores.csv"]


def test_file_is_private_where_its_mode_cannot_be_kept(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: int) -> None:
        raise OSError(errno.EPERM, "")

    monkeypatch.setattr(os, "fchown", fail)
    monkeypatch.setattr(os, "fchmod", fail)
    write_whole(target)
    assert target.read_bytes() == NEW
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_replaced_file_keeps_its_owner(target: Path) -> None:
    os.chown(target, 1234, 2345)
    target.chmod(0o640)
    write_whole(target)
    new = target.stat()
    assert (new.st_uid, new.st_gid, stat.S_IMODE(new.st_mode)) == (1234, 2345, 0o640)


def test_nothing_is_seen_before_the_end(target: Path) -> None:
    with open_whole(str(target)) as out:
        out.write(b"x" * 3 * MIB)
        assert target.read_bytes() == OLD
        (temporary,) = set(list_names(target.parent)) - {"scores.csv"}
        assert temporary.startswith(".scores.csv.matscore-")
        assert stat.S_IMODE((target.parent / temporary).stat().st_mode) == stat.S_IMODE(
            target.stat().st_mode
        )
    assert target.read_bytes() == b"x" * 3 * MIB


def test_nothing_written_is_an_empty_file(target: Path) -> None:
    write_whole(target, b"")
    assert target.read_bytes() == b""


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), Stop(), SystemExit(143)])
def test_exception_keeps_the_old_file(target: Path, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, open_whole(str(target)) as out:
        out.write(b"x" * 3 * MIB)
        raise error
    assert caught.value is error
    assert target.read_bytes() == OLD
    assert list_names(target.parent) == ["scores.csv"]


def test_error_of_reading_is_not_the_outputs(target: Path) -> None:
    error = OSError(errno.EIO, "input")
    with pytest.raises(OSError, match="input") as caught, open_whole(str(target)):
        raise error
    assert caught.value is error


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_interrupt_at_any_line(tmp_path: Path, ending: str) -> None:
    """A signal's exception can come anywhere; here it comes at each line in turn."""
    target = tmp_path / f"scores.csv{ending}"
    with open_output(str(target)) as out:
        out.write(NEW)
    new = target.read_bytes()
    for k in itertools.count(1):
        target.write_bytes(OLD)
        if not write_interrupted(target, k):
            break
        assert target.read_bytes() in (OLD, new)
        assert list_names(tmp_path) == [target.name], f"interrupted at line event {k}"
    assert k > 40
    assert target.read_bytes() == new


def write_interrupted(target: Path, k: int) -> bool:
    """Raise at the k-th line run in the modules; False when there are fewer."""
    n_lines = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal n_lines
        if frame.f_code.co_filename not in (write.__file__, errors.__file__):
            return None
        n_lines += event == "line"
        if n_lines == k and event == "line":
            raise Stop
        return trace

    before = sys.gettrace()
    try:
        sys.settrace(trace)
        with open_output(str(target)) as out:
            out.write(NEW)
    except Stop:
        return True
    finally:
        sys.settrace(before)
    return False


# Failures of the system


@pytest.mark.parametrize("n_bytes", [0, 1, MIB - 1, MIB, 2 * MIB, 3 * MIB + 1, 4 * MIB + 9])
def test_file_size_limit_at_any_write(target: Path, n_bytes: int) -> None:
    with pytest.raises(OutputError) as caught, limited_file_size(n_bytes):  # noqa: SIM117
        with open_whole(str(target)) as out:
            for _ in range(50):
                out.write(b"x" * (MIB // 10))
    assert caught.value.path == str(target)
    assert caught.value.what == os.strerror(errno.EFBIG).lower()
    assert "ulimit" in caught.value.hint
    assert target.read_bytes() == OLD
    assert list_names(target.parent) == ["scores.csv"]


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_failure_of_a_last_step(target: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "broken disk")

    monkeypatch.setattr({"fsync": os, "replace": Path}[name], name, fail)
    with pytest.raises(OutputError, match="broken disk"):
        write_whole(target)
    assert target.read_bytes() == OLD
    assert list_names(target.parent) == ["scores.csv"]


def test_synced_before_and_after_the_renaming(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    sync, replace = os.fsync, Path.replace

    def note_sync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def note_replace(self: Path, other: Path) -> Path:
        steps.append(f"{self.stat().st_size} bytes")
        return replace(self, other)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_replace)
    write_whole(target)
    assert steps == ["file", f"{len(NEW)} bytes", "folder"]


def test_a_large_file_is_synced_while_it_is_written(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    sync = os.fsync

    def note_sync(descriptor: int) -> None:
        threads.append((threading.current_thread(), os.fstat(descriptor).st_size))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(write, "_SYNCED_BYTES", 2 * MIB)
    data = random.randbytes(5 * MIB)
    with open_whole(str(target)) as out:
        for i in range(5):
            out.write(data[i * MIB : (i + 1) * MIB])
    assert target.read_bytes() == data
    here = threading.current_thread()
    assert next(size for thread, size in threads if thread is here) == 5 * MIB
    beside = [size for thread, size in threads if thread is not here]
    assert beside and beside[0] >= 2 * MIB


def test_a_failure_that_only_an_early_sync_is_told_of(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = threading.current_thread()

    def fail(_: int) -> None:
        if threading.current_thread() is not here:
            raise OSError(errno.EIO, "broken disk")

    monkeypatch.setattr(os, "fsync", fail)
    monkeypatch.setattr(write, "_SYNCED_BYTES", MIB)
    with pytest.raises(OutputError, match="broken disk"):
        write_whole(target, random.randbytes(2 * MIB))
    assert target.read_bytes() == OLD
    assert list_names(target.parent) == ["scores.csv"]


def test_who_gives_up_does_not_wait_for_the_disk(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed, here = threading.Event(), threading.current_thread()

    def sync_slowly(_: int) -> None:
        assert threading.current_thread() is here or freed.wait(60)

    monkeypatch.setattr(os, "fsync", sync_slowly)
    monkeypatch.setattr(write, "_SYNCED_BYTES", MIB)
    with pytest.raises(ZeroDivisionError), open_whole(str(target)) as out:
        out.write(random.randbytes(2 * MIB))
        1 / 0  # noqa: B018
    assert list_names(target.parent) == ["scores.csv"]
    freed.set()


def test_descriptor_closed_by_another(target: Path) -> None:
    with (
        pytest.raises(OutputError, match=os.strerror(errno.EBADF).lower()),
        open_whole(str(target)) as out,
    ):
        os.close(out.fileno())
    assert target.read_bytes() == OLD
    assert list_names(target.parent) == ["scores.csv"]


def test_directory_that_cannot_be_synced(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "")

    monkeypatch.setattr(os, "fsync", fail)
    write_whole(target)
    assert target.read_bytes() == NEW


@as_root
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_full_disk(small_disk: Path, ending: str) -> None:
    target = small_disk / f"scores.csv{ending}"
    target.write_bytes(OLD)
    with pytest.raises(OutputError) as caught, open_output(str(target)) as out:
        for _ in range(20):
            out.write(random.randbytes(MIB // 10))
    assert caught.value.what == os.strerror(errno.ENOSPC).lower()
    assert caught.value.hint
    assert target.read_bytes() == OLD
    assert list_names(small_disk) == [target.name]


@as_root
def test_read_only_disk(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with (
        pytest.raises(OutputError, match=os.strerror(errno.EROFS).lower()),
        open_whole(str(small_disk / "scores.csv")),
    ):
        pytest.fail("entered")


# Refused on entering


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("", errno.EISDIR, "name a file in it"),
        ("folder", errno.EISDIR, "name a file in it"),
        ("missing/", errno.EISDIR, "name a file in it"),
        ("missing/scores.csv", errno.ENOENT, "create the directory first"),
        ("scores.csv/scores.csv", errno.ENOTDIR, "choose another"),
        ("scores.csv/", errno.EISDIR, "name a file in it"),
        ("loop", errno.ELOOP, "not a link"),
        ("x" * 256, errno.ENAMETOOLONG, "shorter"),
    ],
)
def test_refused_on_entering(
    target: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: int, hint: str
) -> None:
    monkeypatch.chdir(target.parent)
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")
    before = list_names(target.parent)
    with pytest.raises(OutputError) as caught, open_whole(name):
        pytest.fail("entered")
    assert (caught.value.path, caught.value.what) == (name, os.strerror(what).lower())
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)
    assert list_names(target.parent) == before


def test_file_that_its_owner_protects(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target.chmod(0o444)
    if os.access(target, os.W_OK):  # root
        monkeypatch.setattr(os, "access", lambda *_: False)
    with (
        pytest.raises(OutputError, match=os.strerror(errno.EACCES).lower()),
        open_whole(str(target)),
    ):
        pytest.fail("entered")
    assert target.read_bytes() == OLD


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any directory")
def test_directory_that_its_owner_protects(target: Path) -> None:
    target.parent.chmod(0o555)
    with (
        pytest.raises(OutputError, match=os.strerror(errno.EACCES).lower()),
        open_whole(str(target)),
    ):
        pytest.fail("entered")
    target.parent.chmod(0o755)
    assert list_names(target.parent) == ["scores.csv"]


# Links and names


def test_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "scores.csv").write_bytes(OLD)
    (tmp_path / "middle").symlink_to("data/scores.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "middle")
    write_whole(tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "data" / "scores.csv").read_bytes() == NEW
    assert list_names(tmp_path) == ["data", "link.csv", "middle"]
    assert list_names(tmp_path / "data") == ["scores.csv"]


def test_dangling_link_creates_its_target(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("scores.csv")
    write_whole(tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "scores.csv").read_bytes() == NEW


def test_link_into_a_missing_directory(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("missing/scores.csv")
    with pytest.raises(OutputError, match=os.strerror(errno.ENOENT).lower()):
        write_whole(tmp_path / "link.csv")


@pytest.mark.parametrize(
    "name", ["x" * 255, "ü" * 127, "a b[c]{d}*?.csv", "-o", "--", "~", "new\nline", "$HOME", ".csv"]
)
def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for data in (OLD, NEW):
        write_whole(name, data)
        assert Path(name).read_bytes() == data
    assert list_names(tmp_path) == [name]


@pytest.mark.skipif(sys.platform == "darwin", reason="names are Unicode there")
def test_name_that_is_not_unicode(tmp_path: Path) -> None:
    name = os.fsdecode(b"latin-1-\xfc.csv")
    write_whole(tmp_path / name)
    assert list_names(tmp_path) == [name]


# Output and input


@pytest.mark.parametrize("kind", ["same", "dotted", "symlink", "hard link", "linked folder"])
def test_output_that_is_an_input(target: Path, kind: str) -> None:
    other = target.parent / "other.csv"
    if kind == "symlink":
        other.symlink_to(target)
    elif kind == "hard link":
        other.hardlink_to(target)
    elif kind == "linked folder":
        (target.parent / "here").symlink_to(".")
        other = target.parent / "here" / "scores.csv"
    elif kind == "dotted":
        other = Path(f"{target.parent}/../{target.parent.name}/scores.csv")
    else:
        other = target
    for output, source in itertools.permutations([str(target), str(other)]):
        with pytest.raises(UsageError, match="the output is also an input"):
            refuse_same_file(output, ["weights.csv", source])
        with pytest.raises(UsageError), open_whole(output, inputs=[source]):
            pytest.fail("entered")
    assert target.read_bytes() == OLD


def test_missing_output_that_is_a_missing_input(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("missing.csv")
    with pytest.raises(UsageError):
        refuse_same_file(f"{tmp_path}/missing.csv", [f"{tmp_path}/link.csv"])
    refuse_same_file(f"{tmp_path}/missing.csv", [f"{tmp_path}/missing2.csv"])


def test_output_that_is_no_input(target: Path) -> None:
    copy = target.with_name("copy.csv")
    copy.write_bytes(OLD)
    refuse_same_file(str(copy), [str(target), "-", "/dev/null", str(target / "below")])
    refuse_same_file("/dev/null", ["/dev/null"])
    refuse_same_file("-", ["-"])


# Special files


def test_fifo_is_written_straight(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.csv"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(fifo)
    assert os.read(reader, 2 * len(NEW)) == NEW
    os.close(reader)
    assert fifo.is_fifo()
    assert list_names(tmp_path) == ["fifo.csv"]


def test_fifo_without_a_reader_is_a_broken_pipe(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.csv"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(BrokenPipeError), open_whole(str(fifo)) as out:
        os.close(reader)
        out.write(NEW)
        out.flush()
    assert fifo.is_fifo()


def test_exception_drops_what_a_fifo_has_not_got(tmp_path: Path) -> None:
    """So a run that fails early leaves nothing there, as on standard output."""
    fifo = tmp_path / "fifo.csv"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(Stop), open_whole(str(fifo)) as out:
        out.write(b"x" * MIB)
        raise Stop
    assert os.read(reader, 1) == b""
    os.close(reader)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("n_bytes", [1, 2 * MIB])
def test_full_device(n_bytes: int) -> None:
    with pytest.raises(OutputError) as caught:
        write_whole("/dev/full", b"x" * n_bytes)
    assert str(caught.value).startswith(f"/dev/full: {os.strerror(errno.ENOSPC).lower()}; ")
    assert Path("/dev/full").is_char_device()


def test_null_device() -> None:
    write_whole("/dev/null")
    assert Path("/dev/null").is_char_device()


def test_socket_and_pipe_by_descriptor() -> None:
    left, right = socket.socketpair()
    with left, right:
        write_whole(f"/dev/fd/{left.fileno()}")
        left.close()
        assert right.makefile("rb").read() == NEW


def test_full_pipe_that_does_not_block() -> None:
    read, written = os.pipe()
    os.set_blocking(written, False)
    received = bytearray()

    def receive() -> None:
        with open(read, "rb") as pipe:  # noqa: PTH123
            time.sleep(0.1)
            received.extend(pipe.read())

    reader = threading.Thread(target=receive)
    reader.start()
    write_whole(f"/dev/fd/{written}", NEW * 100)
    os.close(written)
    reader.join()
    assert received == NEW * 100


@pytest.mark.parametrize("number", ["99", "9" * 30])
def test_descriptor_that_is_not_open(number: str) -> None:
    with pytest.raises(OutputError):
        write_whole(f"/dev/fd/{number}")


def test_stdout_into_a_file_goes_on_where_it_is(target: Path) -> None:
    """``(echo old; matscore -o /dev/stdout) > file``, also by a link."""
    link = target.with_name("link")
    link.symlink_to("/dev/stdout")
    with target.open("r+b") as file:
        file.seek(0, io.SEEK_END)
        inode = target.stat().st_ino
        for name in ("/dev/stdout", str(link)):
            code = "with open_whole(sys.argv[1]) as out: out.write(b'new\\n')"
            assert start_python(code, name, stdout=file.fileno()).wait() == 0
    assert target.read_bytes() == OLD + b"new\nnew\n"
    assert target.stat().st_ino == inode
    assert list_names(target.parent) == ["link", "scores.csv"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/PID/fd")
def test_descriptor_of_another_process(target: Path) -> None:
    inode = target.stat().st_ino
    with target.open("r+b") as file:
        code = "with open_whole(sys.argv[1]) as out: out.write(b'new\\n')"
        assert start_python(code, f"/proc/{os.getpid()}/fd/{file.fileno()}").wait() == 0
    assert target.read_bytes() == b"new\n"
    assert target.stat().st_ino == inode


def test_stdout_into_a_pipe() -> None:
    code = "with open_whole('/dev/stdout') as out: out.write(b'new\\n' * 5000)"
    child = start_python(code, stdout=subprocess.PIPE)
    assert child.communicate()[0] == NEW
    assert child.returncode == 0


# Signals


WRITE_ON = """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with open_whole(sys.argv[1]) as out:
        print("ready", flush=True)
        while True:
            out.write(b"x" * 100_000)
            out.seek(0)
"""


def test_sigterm_leaves_no_file(target: Path) -> None:
    for _ in range(3):
        with start_python(WRITE_ON, target, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(random.random() / 100)
            child.terminate()
        assert child.returncode == 143
        assert target.read_bytes() == OLD
        assert list_names(target.parent) == ["scores.csv"]


def test_second_signal_leaves_no_file(target: Path) -> None:
    """A closed terminal sends two at once: the second comes while the first is being obeyed."""
    code = """
        both = {signal.SIGTERM, signal.SIGHUP}
        for number in both:
            signal.signal(number, lambda number, _: sys.exit(number))
        for _ in range(20):
            try:
                with open_whole(sys.argv[1]) as out:
                    signal.pthread_sigmask(signal.SIG_BLOCK, both)
                    for number in both:
                        signal.raise_signal(number)
                    signal.pthread_sigmask(signal.SIG_UNBLOCK, both)
                    out.write(b"new")
            except SystemExit:
                pass
            else:
                sys.exit("no signal")
    """
    assert start_python(code, target).wait() == 0
    assert target.read_bytes() == OLD
    assert list_names(target.parent) == ["scores.csv"]


def test_sigkill_at_any_moment(target: Path) -> None:
    """Each file is one letter many times over, so that a part or a mixture would show."""
    code = """
        for k in range(10**6):
            with open_whole(sys.argv[1]) as out:
                for _ in range(10):
                    out.write(b"%c" % (65 + k % 26) * 100_000)
            if k == 0:
                print("ready", flush=True)
    """
    for _ in range(20):
        with start_python(code, target, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(random.random() / 50)
            child.kill()
        assert child.returncode == -signal.SIGKILL
        data = target.read_bytes()
        assert data == data[:1] * 1_000_000
        left = list_names(target.parent)
        write_whole(target)
        assert target.read_bytes() == NEW
        assert list_names(target.parent) == left


# Compression


@pytest.mark.parametrize("ending", ["", *DECOMPRESS, ".GZ"])
def test_compressed_output_reads_back(tmp_path: Path, ending: str) -> None:
    for name in ("a", "b"):
        with open_output(f"{tmp_path}/{name}.csv{ending}") as out:
            out.write(NEW)
        time.sleep(0.01)
    a, b = ((tmp_path / f"{name}.csv{ending}").read_bytes() for name in "ab")
    assert a == b
    assert DECOMPRESS.get(ending.lower(), bytes)(a) == NEW
    assert list_names(tmp_path) == [f"a.csv{ending}", f"b.csv{ending}"]


@pytest.mark.parametrize("ending", DECOMPRESS)
@pytest.mark.parametrize("n_bytes", [0, 4096, 3 * 4096, 50_001])
def test_cut_of_the_writes_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, n_bytes: int
) -> None:
    monkeypatch.setattr(write, "_BLOCK_BYTES", 4096)
    data = b"".join(b"%d,%d\n" % (k, k * k % 9973) for k in range(10_000))[:n_bytes]
    written = set()
    for step in (7, 1000, 4096, 50_001):
        with open_output(f"{tmp_path}/scores{ending}") as out:
            for start in range(0, n_bytes, step):
                out.write(data[start : start + step])
        written.add((tmp_path / f"scores{ending}").read_bytes())
    assert [DECOMPRESS[ending](one) for one in written] == [data]


def test_gzip_header_has_no_name_and_no_time(tmp_path: Path) -> None:
    with open_output(f"{tmp_path}/scores.csv.gz") as out:
        out.write(NEW)
    header = (tmp_path / "scores.csv.gz").read_bytes()[:10]
    assert header[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"


def test_damaged_zstd_is_found(tmp_path: Path) -> None:
    """Random bytes are stored as they are: only a checksum can tell that one has changed."""
    with open_output(f"{tmp_path}/scores.csv.zst") as out:
        out.write(random.randbytes(1000))
    data = bytearray((tmp_path / "scores.csv.zst").read_bytes())
    data[500] ^= 1
    with pytest.raises(zstd.ZstdError):
        zstd.decompress(data)


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_compressed_as_it_comes(tmp_path: Path, ending: str) -> None:
    """Memory does not grow with the output."""
    with open_output(f"{tmp_path}/scores.csv{ending}") as out:
        for _ in range(5):
            out.write(random.randbytes(MIB))
        (temporary,) = tmp_path.iterdir()
        assert temporary.stat().st_size > 3 * MIB


@pytest.mark.parametrize("ending", DECOMPRESS)
def test_exception_keeps_the_old_compressed_file(tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"scores.csv{ending}"
    target.write_bytes(OLD)
    with suppress(Stop), open_output(str(target)) as out:
        out.write(NEW * 200)
        raise Stop
    assert target.read_bytes() == OLD
    assert list_names(tmp_path) == [target.name]


def test_compressed_output_that_is_an_input(target: Path) -> None:
    with pytest.raises(UsageError), open_output(str(target), inputs=[str(target)]):
        pytest.fail("entered")


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.csv", ""),
        ("a.gz/b.csv", ""),
        ("a.csv.gz", ".gz"),
        ("a.CSV.GZ", ".gz"),
        ("a.csv.zst", ".zst"),
        ("a.csv.bz2", ".bz2"),
        ("a.csv.xz", ".xz"),
        ("gz", ""),
    ],
)
def test_the_ending_asks_for_the_compression(tmp_path: Path, name: str, ending: str) -> None:
    (tmp_path / "a.gz").mkdir()
    with open_output(f"{tmp_path}/{name}") as out:
        out.write(NEW)
    assert DECOMPRESS.get(ending, bytes)((tmp_path / name).read_bytes()) == NEW


@pytest.mark.parametrize("ending", ["", *DECOMPRESS])
def test_the_digest_is_of_the_file(tmp_path: Path, ending: str) -> None:
    digest = Digest()
    with open_output(f"{tmp_path}/a{ending}", digest=digest) as out:
        out.write(NEW)
    data = (tmp_path / f"a{ending}").read_bytes()
    assert (digest.size, digest.hexdigest()) == (len(data), hashlib.sha256(data).hexdigest())


# Paths that contradict each other


def test_paths_that_contradict_each_other(tmp_path: Path) -> None:
    aside = RejectOptions("reject", tmp_path / "rejects.csv")
    check_paths(["-", "a.csv"], "b.csv", aside)
    check_paths(["a.csv", "a.csv"], io.BytesIO())
    with pytest.raises(UsageError, match="only one of the inputs"):
        check_paths(["-", "-"])
    with pytest.raises(UsageError, match="the output is also an input"):
        check_paths(["a.csv"], Path("./a.csv"))
    with pytest.raises(UsageError, match="two outputs are one file"):
        check_paths(["a.csv"], tmp_path / "rejects.csv", aside)
