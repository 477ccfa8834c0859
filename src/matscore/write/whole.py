"""Writing an output whole or not at all.

A regular file is written under a hidden name beside its final place, synced, and renamed over
it: at any moment the old file or the new one is there, never a part. Descriptors, FIFOs, devices
and other special files cannot be replaced and are written straight.
"""

from __future__ import annotations

import errno
import io
import os
import secrets
import select
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from matscore.errors import OutputError, UsageError, os_errors_about
from matscore.read.cloud import is_address, open_upload

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BUFFER_BYTES = 1 << 20
_SYNCED_BYTES = 1 << 25

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


@contextmanager
def open_whole(path: str, *, inputs: Sequence[str] = ()) -> Iterator[io.BufferedIOBase]:
    r"""Open an output that appears whole when the block ends, or not at all.

    An existing file keeps its mode, and its owner where that is permitted; a symbolic link keeps
    pointing where it points, and its target is replaced. On any exception the old file stays as
    it was. Special files (``/dev/stdout``, a FIFO, a device) are written straight; what is still
    in the buffer when an exception comes is dropped there.

    Parameters
    ----------
    path : str
        The output's name as it was given.
    inputs : sequence of str
        Names of the inputs; the output must be none of them.

    Yields
    ------
    io.BufferedIOBase
        Where the block writes; the block must not close it.

    Raises
    ------
    OutputError
        If the operating system refuses: on entering where it can be known by then, else from a
        write or at the end. A closed pipe stays a `BrokenPipeError`.
    UsageError
        If the output is also an input.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with open_whole(f"{folder}/scores.csv") as out:
    ...         _ = out.write(b"film,drama\n")
    ...     print(Path(folder, "scores.csv").read_bytes())
    b'film,drama\n'
    """
    refuse_same_file(path, inputs)
    if is_address(path):
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
    """Refuse an output that is also an input, by its name or by any link.

    Standard input (``-``) and special files are no such case.

    Parameters
    ----------
    path : str
        The output's name.
    inputs : sequence of str
        Names of the inputs.

    Raises
    ------
    UsageError
        If an input is the same file.

    Examples
    --------
    >>> refuse_same_file("scores.csv", ["films.csv", "-"])
    >>> refuse_same_file("films.csv", ["./films.csv"])
    Traceback (most recent call last):
    ...
    matscore.errors.UsageError: the output is also an input ("./films.csv"); write to another file
    """
    for name in inputs:
        if name != "-" and _is_same_file(path, name):
            raise UsageError(f'the output is also an input ("{name}")', "write to another file")


class _OutputFile(io.FileIO):
    """A raw file whose own failures are told as the output's, and nobody else's."""

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
    """One that is brought to the disk while it is written, by a thread of its own.

    Otherwise most of it would be left for the end, where nothing else is done.
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
        out = io.BufferedWriter(raw, BUFFER_BYTES)
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
            out = io.BufferedWriter(raw, BUFFER_BYTES)
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


def _is_same_file(output: str, source: str) -> bool:
    try:
        written, read = _read_stat(output), _read_stat(source)
        if written and read:
            return stat.S_ISREG(read.st_mode) and os.path.samestat(written, read)
        return os.path.realpath(output) == os.path.realpath(source)
    except OSError:  # told where the file is opened
        return False


def _read_stat(path: str | Path) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except FileNotFoundError:
        return None
