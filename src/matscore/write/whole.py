"""Writing an output whole or not at all, compressed as its name says.

A regular file is written under a hidden name beside its final place, synced, and renamed over
it: at any moment the old file or the new one is there, never a part. Descriptors, FIFOs, devices
and other special files cannot be replaced and are written straight.
"""

from __future__ import annotations

import bz2
import errno
import hashlib
import io
import lzma
import os
import re
import secrets
import select
import stat
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from matscore.errors import OutputError, UsageError, os_errors_about
from matscore.options import PathLike, RejectOptions
from matscore.read.inputs import is_address

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BinaryFile: TypeAlias = IO[bytes] | io.RawIOBase | io.BufferedIOBase

_BUFFER_BYTES = 1 << 16  # less than a chunk, which then goes to the system without a copy
_HELD_BYTES = 1 << 20  # of a special file, which a run that fails early leaves as it was
_BLOCK_BYTES = 1 << 20  # compressed at a time; the compressed bytes may depend on it
_SYNCED_BYTES = 1 << 25
TEMPORARY = re.compile(r"\..*\.matscore-[0-9a-f]{16}\.tmp")

_MAX_LINKS = 40  # what Linux follows
_HINTS = {
    errno.EACCES: "change the permissions or write somewhere else",
    errno.EDQUOT: "free some space or write somewhere else",
    errno.EFBIG: "raise the file-size limit (ulimit -f) or write somewhere else",
    errno.EISDIR: "name a file in it",
    errno.ELOOP: "name a file that is not a link",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "create the directory first",
    errno.ENOSPC: "free some space or write somewhere else",
    errno.ENOTDIR: "a part of the path is a file; choose another",
    errno.EPERM: "change the permissions or write somewhere else",
    errno.EROFS: "write somewhere else",
}


# By the endings that ask for them; each makes an object with `compress` and `flush`.
COMPRESSIONS: dict[str, Callable[[], Any]] = {
    # 31: a gzip header, which zlib leaves without name and time.
    ".gz": lambda: zlib.compressobj(6, zlib.DEFLATED, 31),
    ".zst": lambda: zstd.ZstdCompressor(options={zstd.CompressionParameter.checksum_flag: 1}),
    ".bz2": bz2.BZ2Compressor,
    ".xz": lzma.LZMACompressor,
}


@contextmanager
def open_output(
    path: str, *, inputs: Sequence[str] = (), digest: Digest | None = None
) -> Iterator[io.BufferedIOBase]:
    """Open an output as `open_whole` does, compressing as the ending of its name says.

    The same bytes written give the same compressed bytes, however they are cut into writes. The
    digest is given the bytes of the file.
    """
    make_encoder = COMPRESSIONS.get(Path(path).suffix.lower())
    with open_whole(path, inputs=inputs) as file:
        out = file if digest is None else _HashedWriter(file, digest)
        if make_encoder is None:
            yield out
        else:
            compressed = _CompressedWriter(out, make_encoder())
            yield compressed
            compressed.finish()


class Digest:
    """How many bytes it was given, and their sha256."""

    def __init__(self) -> None:
        self.size = 0
        self._hash = hashlib.sha256()

    def update(self, data: ReadableBuffer) -> None:
        """Take further bytes."""
        self.size += memoryview(data).nbytes
        self._hash.update(data)

    def hexdigest(self) -> str:
        """Return the sha256 of all bytes so far."""
        return self._hash.hexdigest()


class _HashedWriter(io.BufferedIOBase):
    """Passes bytes on and has them hashed."""

    def __init__(self, out: io.BufferedIOBase, digest: Digest) -> None:
        self._out = out
        self._digest = digest

    def write(self, data: ReadableBuffer, /) -> int:
        self._digest.update(data)
        return self._out.write(data)


class _CompressedWriter(io.BufferedIOBase):
    """Compresses blocks of one size, so that how the writes were cut leaves no trace."""

    def __init__(self, out: io.BufferedIOBase, encoder: Any) -> None:
        self._out = out
        self._encoder = encoder
        self._pending = bytearray()  # less than a block

    def write(self, data: ReadableBuffer, /) -> int:
        rest = memoryview(data).cast("B")
        n_bytes = len(rest)
        while len(self._pending) + len(rest) >= _BLOCK_BYTES:
            n_taken = _BLOCK_BYTES - len(self._pending)
            block = rest[:n_taken] if not self._pending else self._pending + rest[:n_taken]
            self._out.write(self._encoder.compress(block))
            rest, self._pending = rest[n_taken:], bytearray()
        self._pending += rest
        return n_bytes

    def finish(self) -> None:
        self._out.write(self._encoder.compress(self._pending))
        self._out.write(self._encoder.flush())


def enter_output(
    stack: ExitStack, output: PathLike | BinaryFile | None, inputs: Sequence[str]
) -> BinaryFile | None:
    """Open an output that is a path, to be there whole or not at all when the stack ends."""
    if isinstance(output, PathLike):
        return stack.enter_context(open_output(str(output), inputs=inputs))
    return output


def write_all(out: BinaryFile, data: ReadableBuffer) -> None:
    """Write all of some bytes, to a raw file too, which may take less at a time."""
    if not isinstance(out, io.RawIOBase):
        out.write(data)
        return
    rest = memoryview(data)
    while rest:
        if (n_bytes := out.write(rest)) is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        rest = rest[n_bytes:]


@contextmanager
def open_whole(path: str, *, inputs: Sequence[str] = ()) -> Iterator[io.BufferedIOBase]:
    """Open an output that appears whole when the block ends, or not at all.

    An existing file keeps its mode, and its owner where that is permitted; a symbolic link keeps
    pointing where it points, and its target is replaced. On any exception the old file stays as
    it was. Special files (``/dev/stdout``, a FIFO, a device) are written straight; what is still
    in the buffer when an exception comes is dropped there.

    A refusal of the system is an `OutputError`: on entering where it can be known by then, else
    from a write or at the end. A closed pipe stays a `BrokenPipeError`. The block must not close
    what it is given.
    """
    refuse_same_file(path, inputs)
    if is_address(path):
        from matscore.read.cloud import open_upload

        with open_upload(path) as upload:
            yield upload
        return
    with named_errors(path):
        file = _follow_links(path)
        old = _read_stat(file)
        special = _open_special(file, old)
        if special is None:
            _refuse_unwritable(path, file, old)
    writing = _write_beside(path, file, old) if special is None else _write_straight(path, special)
    with writing as out:
        yield out


def refuse_same_file(path: str, inputs: Sequence[str]) -> None:
    """Refuse an output that is also an input, by its name or by any link."""
    for name in inputs:
        if _is_same_file(path, name):
            raise UsageError(f'the output is also an input ("{name}")', "write to another file")


def refuse_same_outputs(paths: Sequence[str]) -> None:
    """Refuse two outputs that are one file, by name or by any link."""
    for i, path in enumerate(paths):
        if any(_is_same_file(path, other) for other in paths[:i]):
            raise UsageError(f'two outputs are one file ("{path}")', "write to two files")


def refuse_inside(path: str, inputs: Sequence[str]) -> None:
    """Refuse a directory of outputs in which an input lies."""
    for name in inputs:
        if is_address(path) or is_address(name):
            is_inside = name.startswith(path)
        else:
            is_inside = name != "-" and Path(name).resolve().is_relative_to(Path(path).resolve())
        if is_inside:
            what = f"the output directory holds an input ({name})"
            raise UsageError(what, "write to another directory")


def check_paths(
    inputs: Sequence[str],
    output: PathLike | BinaryFile | None = None,
    rejects: RejectOptions = RejectOptions(),
) -> None:
    """Refuse paths that contradict each other, before anything is opened."""
    if inputs.count("-") > 1:
        raise UsageError("standard input can be only one of the inputs", "give the other a name")
    named = [str(path) for path in (output, rejects.path) if isinstance(path, PathLike)]
    for path in named:
        refuse_same_file(path, inputs)
    refuse_same_outputs(named)


class _OutputFile(io.FileIO):
    """A raw file whose own failures, and no others, are `OutputError` of the output."""

    def __init__(self, output: str, descriptor: int) -> None:
        self.output = output
        super().__init__(descriptor, "wb")

    def write(self, data: ReadableBuffer, /) -> int:
        with named_errors(self.output):
            # None: somebody who shares the descriptor made it non-blocking, and it is full.
            while (n_bytes := super().write(data)) is None:
                select.select([], [self], [])
            return n_bytes

    def close(self) -> None:
        with named_errors(self.output):
            super().close()


class _SyncedFile(_OutputFile):
    """A file that is synced while it is written, by a thread of its own.

    Otherwise most of it would be left for the end, when nothing else is done.
    """

    _n_unsynced = 0
    _syncing: Future[None] | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        n_bytes = super().write(data)
        self._n_unsynced += n_bytes
        if self._n_unsynced >= _SYNCED_BYTES and (self._syncing is None or self._syncing.done()):
            self._wait()
            with named_errors(self.output):
                own = os.dup(self.fileno())  # who gives up need not wait for the disk
            self._n_unsynced, self._syncing = 0, Future()
            Thread(target=_sync, args=(own, self._syncing), daemon=True).start()
        return n_bytes

    def sync(self) -> None:
        """Bring all of it to the disk."""
        self._wait()
        with named_errors(self.output):
            os.fsync(self.fileno())

    def _wait(self) -> None:
        # The system tells a failure once, so that who asks last may not hear of it.
        with named_errors(self.output):
            if self._syncing is not None:
                self._syncing.result()


def _sync(descriptor: int, done: Future[None]) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        done.set_exception(error)
    else:
        done.set_result(None)
    finally:
        os.close(descriptor)


def named_errors(output: str) -> AbstractContextManager[None]:
    """Turn what the operating system says into an `OutputError`, with what to do."""
    return os_errors_about(output, OutputError, hints=_HINTS)


@contextmanager
def _write_straight(output: str, descriptor: int) -> Iterator[io.BufferedIOBase]:
    with _OutputFile(output, descriptor) as raw:
        out = io.BufferedWriter(raw, _HELD_BYTES)
        yield out
        out.flush()


@contextmanager
def _write_beside(
    output: str, file: Path, old: os.stat_result | None
) -> Iterator[io.BufferedIOBase]:
    temporary = str(file.with_name(_make_temporary_name(file.name)))
    try:
        with named_errors(output):
            descriptor = _create(temporary, old)
        # On an exception the raw file is closed under the buffer, which then writes no more.
        with _SyncedFile(output, descriptor) as raw:
            out = io.BufferedWriter(raw, _BUFFER_BYTES)
            yield out
            out.flush()
            raw.sync()
        with named_errors(output):
            Path(temporary).replace(file)
    except BaseException:
        # A second signal's handler can run at any call of Python code, so none comes first:
        # os.unlink of a str is all C.
        try:  # noqa: SIM105
            os.unlink(temporary)  # noqa: PTH108
        except OSError:
            pass
        raise
    _sync_directory(file.parent)


def _make_temporary_name(name: str) -> str:
    """Return a name that `TEMPORARY` matches."""
    # Cut, since a name may have no room left in its 255 bytes; random, since a killed run
    # leaves its file behind.
    start = os.fsencode(name)[:64].decode("utf-8", "ignore")
    return f".{start}.matscore-{secrets.token_hex(8)}.tmp"


def _create(temporary: str, old: os.stat_result | None) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    if old is None:
        return os.open(temporary, flags, 0o666)
    descriptor = os.open(temporary, flags, 0o600)
    for owner in (old.st_uid, -1):
        with suppress(OSError):
            os.fchown(descriptor, owner, old.st_gid)
            break
    # Last, since a change of owner clears bits. Some file systems know no modes.
    with suppress(OSError):
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
    return descriptor


def _sync_directory(folder: Path) -> None:
    # Some directories cannot be opened or synced. The file is whole by now, synced or not.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _follow_links(path: str) -> Path:
    """Follow symbolic links to the file itself, or to the entry of a descriptor."""
    file = Path(path)
    for _ in range(_MAX_LINKS):
        if not file.is_symlink() or os.path.realpath(file.parent).startswith("/proc/"):
            return file
        file = file.parent / file.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _open_special(file: Path, old: os.stat_result | None) -> int | None:
    """Open a file that must be written straight; None for every other."""
    folder = os.path.realpath(file.parent)
    if old and file.name.isdecimal() and folder in ("/dev/fd", os.path.realpath("/proc/self/fd")):
        # Opened anew it would start at offset 0, over what is there already; a socket not at all.
        return os.dup(int(file.name))
    is_plain = old is None or stat.S_ISREG(old.st_mode) or stat.S_ISDIR(old.st_mode)
    if is_plain and not folder.startswith("/proc/"):
        return None
    return os.open(file, os.O_WRONLY | os.O_NOCTTY)


def _refuse_unwritable(path: str, file: Path, old: os.stat_result | None) -> None:
    code = 0
    if path.rpartition("/")[2] in ("", ".", "..") or (old and stat.S_ISDIR(old.st_mode)):
        code = errno.EISDIR
    elif old and not os.access(file, os.W_OK):
        # Renaming over it would work, but its owner wants it kept.
        code = errno.EACCES
    if code:
        raise OSError(code, os.strerror(code))


def _is_same_file(output: str, other: str) -> bool:
    """Say whether two paths are one file; standard input and special files are no such case."""
    if other == "-":
        return False
    try:
        written, read = _read_stat(output), _read_stat(other)
        if written and read:
            return stat.S_ISREG(read.st_mode) and os.path.samestat(written, read)
        return os.path.realpath(output) == os.path.realpath(other)
    except OSError:  # told where the file is opened
        return False


def _read_stat(path: str | Path) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except FileNotFoundError:
        return None
