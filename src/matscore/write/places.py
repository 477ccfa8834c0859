"""Where a directory of outputs lies: on a disk, or in object storage.

A place holds the parts, the manifest, and the journal of a run under way, which begins with the
run's own number. A disk has locks; object storage has none, nor a rename or an append: there every
object is put whole by one request or by an upload that its last request completes, and a journal
is a row of objects.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from matscore.errors import FileError, OutputError
from matscore.read.inputs import is_address
from matscore.read.source import READ_BYTES, open_raw
from matscore.write.whole import TEMPORARY, Digest, named_errors, open_whole

JOURNAL = "_journal.jsonl"
_NUMBER_BYTES = 16
_LINES_AN_OBJECT = 100  # the last object of a journal is put again for each of its lines


@dataclass(frozen=True)
class Claim:
    """A run's claim to a place, which the next run there ends; workers get it too."""

    path: str
    number: bytes  # of the run

    def check(self) -> None:
        """Refuse to write where another run has begun since: its parts would be mixed with ours."""
        try:
            if self._read_start() == self.number:
                return
        except FileError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
        what, hint = "another run has begun to write there", "have one run at a time write there"
        raise OutputError(self.path, what, hint)

    def _read_start(self) -> bytes:
        if is_address(self.path):
            from matscore.read.cloud import read_object

            return read_object(f"{self.path}{_name_object(0)}", len(self.number))
        with named_errors(self.path), Path(self.path, JOURNAL).open("rb") as file:
            return file.read(len(self.number))


class Place:
    """A directory that parts are written into, in one of two ways."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.claim = Claim(path, f'"{secrets.token_hex(_NUMBER_BYTES)}"\n'.encode())

    def path_of(self, name: str) -> str:
        """Return the path of something in it."""
        raise NotImplementedError

    def is_empty(self) -> bool:
        """Say whether nothing was there when it was opened."""
        raise NotImplementedError

    def read(self, name: str) -> bytes:
        """Return what a file holds; nothing where it is not there."""
        raise NotImplementedError

    def read_journal(self) -> bytes:
        """Return the journal of an earlier run that did not end."""
        raise NotImplementedError

    def begin_journal(self, lines: bytes) -> None:
        """Begin the journal anew: from now on the place is this run's."""
        raise NotImplementedError

    def add_to_journal(self, line: bytes) -> None:
        """Add a line."""
        raise NotImplementedError

    def drop_journal(self) -> None:
        """Delete it, and what workers that died have left."""
        raise NotImplementedError

    def make_folders(self, names: Iterable[str]) -> None:
        """Make the folders that some files will be in."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        with open_whole(self.path_of(name)) as out:
            out.write(data)

    def delete(self, names: Iterable[str]) -> None:
        """Delete some files, where they are there."""
        raise NotImplementedError

    def has(self, name: str, size: int, sha256: str) -> bool:
        """Say whether a file had this content when the place was opened."""
        raise NotImplementedError

    def find_changed(self, sizes: Iterable[tuple[str, int]]) -> str | None:
        """Return the first of some files that is not there in its size; None where locks forbid."""
        del sizes
        return None

    def close(self) -> None:
        """Leave it to others."""


class _Disk(Place):
    """A directory on a disk; locked while it is open."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._root = Path(path)
        with named_errors(path):
            self._root.mkdir(exist_ok=True)
            self._lock = os.open(self._root, os.O_RDONLY)
        try:
            self._take_lock()
            with named_errors(path):
                self._delete_leftovers()
        except BaseException:
            self.close()
            raise

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some file systems have no locks.
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                what, hint = "another run writes there", "wait for its end"
                raise OutputError(self.path, what, hint) from error

    def _delete_leftovers(self) -> None:
        """Delete the unfinished files of a run or a worker that was killed."""
        for folder, _, names in os.walk(self._root):
            for name in filter(TEMPORARY.fullmatch, names):
                Path(folder, name).unlink(missing_ok=True)

    def path_of(self, name: str) -> str:
        return str(self._root / name)

    def is_empty(self) -> bool:
        return not any(self._root.iterdir())

    def read(self, name: str) -> bytes:
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return b""

    def read_journal(self) -> bytes:
        return self.read(JOURNAL)

    def begin_journal(self, lines: bytes) -> None:
        self.write(JOURNAL, self.claim.number + lines)

    def add_to_journal(self, line: bytes) -> None:
        with (self._root / JOURNAL).open("ab") as out:
            out.write(line)
            out.flush()
            os.fsync(out.fileno())

    def drop_journal(self) -> None:
        self._delete_leftovers()
        (self._root / JOURNAL).unlink(missing_ok=True)

    def make_folders(self, names: Iterable[str]) -> None:
        for folder in {Path(name).parent for name in names}:
            (self._root / folder).mkdir(parents=True, exist_ok=True)

    def delete(self, names: Iterable[str]) -> None:
        root = self._root.resolve()
        for name in names:
            path = (root / name).resolve()
            # A link, or a name that leads out: that file is of others.
            if path.name != Path(name).name or not path.is_relative_to(root):
                continue
            path.unlink(missing_ok=True)
            for folder in path.relative_to(root).parents:
                with contextlib.suppress(OSError):  # it is not empty
                    (root / folder).rmdir()

    def has(self, name: str, size: int, sha256: str) -> bool:
        path = self._root / name
        is_same_size = path.exists() and path.stat().st_size == size
        return is_same_size and hash_file(str(path)).hexdigest() == sha256

    def close(self) -> None:
        os.close(self._lock)


class _Bucket(Place):
    """A folder in object storage, and what was there when it was opened."""

    def __init__(self, path: str) -> None:
        from matscore.read.cloud import check_writable, list_objects

        super().__init__(path)
        check_writable(path)
        self._sizes = list_objects(path, OutputError)
        self._lines: list[bytes] = []  # of the journal's last object
        self._n_objects = 0  # of the journal before that one

    def path_of(self, name: str) -> str:
        return f"{self.path}{name}"

    def is_empty(self) -> bool:
        return not self._sizes

    def read(self, name: str) -> bytes:
        from matscore.read.cloud import read_object

        return read_object(self.path_of(name)) if name in self._sizes else b""

    def read_journal(self) -> bytes:
        return b"".join(map(self.read, self._list_journal()))

    def begin_journal(self, lines: bytes) -> None:
        self.write(_name_object(0), self.claim.number + lines)
        self._n_objects = 1
        self.delete(name for name in self._list_journal() if name != _name_object(0))

    def add_to_journal(self, line: bytes) -> None:
        self._lines.append(line)
        self.write(_name_object(self._n_objects), b"".join(self._lines))
        if len(self._lines) == _LINES_AN_OBJECT:
            self._n_objects, self._lines = self._n_objects + 1, []

    def drop_journal(self) -> None:
        from matscore.read.cloud import delete_objects

        # The first goes last: as long as it is there, the place is this run's.
        n_objects = self._n_objects + bool(self._lines)
        delete_objects(self.path, [_name_object(i) for i in range(1, n_objects)])
        delete_objects(self.path, [_name_object(0)])

    def delete(self, names: Iterable[str]) -> None:
        from matscore.read.cloud import delete_objects

        delete_objects(self.path, [name for name in names if name in self._sizes])

    def has(self, name: str, size: int, sha256: str) -> bool:
        # What has another size need not be fetched to see that it is other.
        is_same_size = self._sizes.get(name) == size
        return is_same_size and hash_file(self.path_of(name)).hexdigest() == sha256

    def find_changed(self, sizes: Iterable[tuple[str, int]]) -> str | None:
        from matscore.read.cloud import list_objects

        there = list_objects(self.path, OutputError)
        return next((name for name, size in sizes if there.get(name) != size), None)

    def _list_journal(self) -> list[str]:
        return sorted(name for name in self._sizes if name.startswith(f"{JOURNAL}/"))


def hash_file(path: str) -> Digest:
    """Read the size and the sha256 of a file or an object."""
    digest = Digest()
    raw, _ = open_raw(path)
    with raw:
        while block := raw.read(READ_BYTES):
            digest.update(block)
    return digest


def open_place(path: str) -> Place:
    """Open a directory to write into."""
    return _Bucket(path) if is_address(path) else _Disk(path)


def _name_object(number: int) -> str:
    return f"{JOURNAL}/{number:06}"
