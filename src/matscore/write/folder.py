"""A directory of outputs: its place, its manifest, and the journal of a run under way.

A part is written whole, then its line goes into the journal; the manifest is written last, whole,
and the journal goes. So a directory with a manifest is complete, and one with a journal alone was
left by a run that did not end: both tell a later run which parts need not be made again.

A place is on a disk, which has locks, or in object storage, which has none, nor a rename or an
append: there every object is put whole by one request or by an upload that its last request
completes, and a journal is a row of objects. A journal begins with the run's own number.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import json
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import matscore
from matscore.errors import FileError, OutputError, UsageError
from matscore.items import Items
from matscore.read.cloud import check_writable, delete_objects, list_objects, read_object
from matscore.read.inputs import is_address
from matscore.read.source import SourceFacts, hash_file
from matscore.write.whole import TEMPORARY, named_errors, open_whole

MANIFEST = "_manifest.json"
SCHEMA_VERSION = 1
LEFT_OUT = "left_out"
"""In a part's counts: lines of comments, and first lines, that were left out of its input."""

_JOURNAL = "_journal.jsonl"
_NUMBER_BYTES = 16
_LINES_AN_OBJECT = 100  # the last object of a journal is put again for each of its lines


@dataclass(frozen=True)
class PartRecord:
    """A part that is there."""

    input: str
    input_size: int | None  # bytes; None for a pipe
    input_mtime: float | None  # seconds since the epoch; None for a pipe
    input_sha256: str  # of the bytes that were read
    output: str  # its path in the directory
    output_size: int
    output_sha256: str
    rows_scored: int
    rows_rejected: int
    job: str  # fingerprint of all else that its bytes come from: weights, options, version
    counts: dict[str, Any]  # the command's own, by their names in the report

    @property
    def source(self) -> SourceFacts:
        """What a report says of the input."""
        own = self.input, self.input_size, self.input_mtime, self.input_sha256
        return SourceFacts(*own, *self.counts.get(LEFT_OUT, ()))


class Folder:
    """A directory that parts are written into, which is this run's while it is open.

    Parts that are there may be kept where it is resumed. One that holds files of others is refused.
    """

    def __init__(self, path: str, *, resume: bool) -> None:
        self.place = open_place(path)
        try:
            with named_errors(path):
                lines = _read_lines(self.place)
                if not lines and not self.place.is_empty():
                    what = f"{path} holds files that are not of an earlier run"
                    hint = "name an empty directory, or one that is not there"
                    raise UsageError(what, hint)
        except BaseException:
            self.close()
            raise
        records = dict(_iter_records(lines))
        self._known = {*records, *_iter_known(lines)}
        self._records = records if resume else {}

    def begin(self, outputs: Sequence[str]) -> None:
        """Start the journal; what an earlier manifest said is no longer promised."""
        lines = [{"schema_version": SCHEMA_VERSION, "known": sorted({*self._known, *outputs})}]
        lines += [dataclasses.asdict(self._records[name]) for name in sorted(self._records)]
        with named_errors(self.place.path):
            self.place.begin_journal(b"".join(map(_encode_line, lines)))
            self.place.delete([MANIFEST])
            self.place.make_folders(outputs)

    def find(self, output: str, source: SourceFacts, job: str) -> PartRecord | None:
        """Return the record of a part that need not be made again.

        None unless the input has its size and time or its content, the part has its content, the
        job is the same and no row was set aside, which `--rejects` would have to tell.
        """
        record = self._records.get(output)
        if record is None or record.job != job or record.rows_rejected or source.mtime is None:
            return None
        if record.input != source.path or record.input_size != source.size:
            return None
        is_same_time = record.input_mtime == source.mtime
        if not is_same_time and hash_file(source.path) != record.input_sha256:
            return None
        if not self.place.has(output, record.output_size, record.output_sha256):
            return None
        return dataclasses.replace(record, input_mtime=source.mtime)

    def add(self, record: PartRecord) -> None:
        """Write a part's line into the journal."""
        with named_errors(self.place.path):
            self.place.add_to_journal(_encode_line(dataclasses.asdict(record)))

    def finish(self, records: Sequence[PartRecord], facts: Mapping[str, Any]) -> None:
        """Write the manifest and delete the journal and the parts of earlier runs.

        `records` are all parts in the inputs' order, `facts` what there is to say of the whole.
        """
        place = self.place
        # Before what is stale goes: to another run it may not be.
        place.claim.check()
        with named_errors(place.path):
            stale = self._known - {record.output for record in records}
            place.delete(name for name in stale if Path(name).name.startswith("part-of-"))
            changed = place.find_changed((one.output, one.output_size) for one in records)
            if changed is not None:
                what, hint = "somebody has changed it since it was written", "run again"
                raise OutputError(place.path_of(changed), what, hint)
            parts = [dataclasses.asdict(record) for record in records]
            head = {
                "schema_version": SCHEMA_VERSION,
                "program": "matscore",
                "version": matscore.__version__,
            }
            text = json.dumps(
                {**head, **facts, "parts": parts}, indent=2, ensure_ascii=False, default=str
            )
            place.claim.check()
            place.write(MANIFEST, f"{text}\n".encode("utf-8", "backslashreplace"))
            place.drop_journal()

    def close(self) -> None:
        """Leave the directory to others."""
        self.place.close()


def fingerprint(*values: object) -> str:
    """Return a text that is the same for the same content, in every process.

    Values are plain, arrays, and frozen dataclasses of them.
    """
    digest = hashlib.sha256(matscore.__version__.encode())
    for piece in _iter_pieces(values):
        digest.update(len(piece).to_bytes(8, "little"))
        digest.update(piece)
    return digest.hexdigest()


def _iter_pieces(value: object) -> Iterator[bytes | memoryview]:
    yield type(value).__name__.encode()
    if isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}".encode()
        yield np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
    elif isinstance(value, Items):
        yield repr(value.cosine).encode()
        for rows in value.iter_rows():
            yield from _iter_pieces(rows)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield field.name.encode()
            yield from _iter_pieces(getattr(value, field.name))
    elif isinstance(value, (tuple, list)):
        yield str(len(value)).encode()
        for item in value:
            yield from _iter_pieces(item)
    elif isinstance(value, Mapping):
        yield from _iter_pieces(sorted(value.items()))
    elif value is None or isinstance(value, (str, int, float, bool, bytes)):
        yield repr(value).encode("utf-8", "surrogatepass")
    else:
        raise TypeError(f"{type(value).__name__} has no fingerprint")


def _read_lines(place: Place) -> list[Any]:
    """Return what manifest and journal say, the journal last; nothing where there is neither."""
    lines: list[Any] = []
    if text := place.read(MANIFEST):
        manifest = _decode_line(text)
        lines += [{}, *(manifest.get("parts", []) if isinstance(manifest, dict) else [])]
    return [*lines, *map(_decode_line, place.read_journal().splitlines())]


def _iter_records(lines: Iterable[Any]) -> Iterator[tuple[str, PartRecord]]:
    names = {field.name for field in dataclasses.fields(PartRecord)}
    for line in lines:
        if not isinstance(line, dict) or set(line) != names or not isinstance(line["output"], str):
            continue
        # Others may have edited the file, and these are added up.
        if all(isinstance(line[name], int) for name in ("rows_scored", "rows_rejected")):
            yield line["output"], PartRecord(**line)


def _iter_known(lines: Iterable[Any]) -> Iterator[str]:
    """Yield the outputs that may be there without a record."""
    for line in lines:
        known = line.get("known", []) if isinstance(line, dict) else []
        yield from (name for name in known if isinstance(name, str))


def _encode_line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _decode_line(line: bytes) -> Any:
    """Return what a line holds; None for one that was cut off."""
    try:
        return json.loads(line)
    except ValueError:
        return None


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
            return read_object(f"{self.path}{_name_object(0)}", len(self.number))
        with named_errors(self.path), Path(self.path, _JOURNAL).open("rb") as file:
            return file.read(len(self.number))


class _Place(ABC):
    """What both kinds of places do; each has a journal of its own."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.claim = Claim(path, f'"{secrets.token_hex(_NUMBER_BYTES)}"\n'.encode())

    def path_of(self, name: str) -> str:
        return f"{self.path}{name}"

    def has(self, name: str, size: int, sha256: str) -> bool:
        """Say whether a file had this content when the place was opened."""
        # What has another size need not be fetched to see that it is other.
        return self._size_of(name) == size and hash_file(self.path_of(name)) == sha256

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        with open_whole(self.path_of(name)) as out:
            out.write(data)

    @abstractmethod
    def _size_of(self, name: str) -> int | None: ...


class _Disk(_Place):
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
        return self.read(_JOURNAL)

    def begin_journal(self, lines: bytes) -> None:
        self.write(_JOURNAL, self.claim.number + lines)

    def add_to_journal(self, line: bytes) -> None:
        with (self._root / _JOURNAL).open("ab") as out:
            out.write(line)
            out.flush()
            os.fsync(out.fileno())

    def drop_journal(self) -> None:
        self._delete_leftovers()
        (self._root / _JOURNAL).unlink(missing_ok=True)

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

    def find_changed(self, sizes: Iterable[tuple[str, int]]) -> None:
        """Find nothing: the lock keeps others away."""

    def _size_of(self, name: str) -> int | None:
        path = self._root / name
        return path.stat().st_size if path.exists() else None

    def close(self) -> None:
        os.close(self._lock)


class _Bucket(_Place):
    """A folder in object storage, and what was there when it was opened."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        check_writable(path)
        self._sizes = list_objects(path, OutputError)
        self._lines: list[bytes] = []  # of the journal's last object
        self._n_objects = 0  # of the journal before that one

    def is_empty(self) -> bool:
        return not self._sizes

    def make_folders(self, names: Iterable[str]) -> None:
        """Do nothing: names of objects need none."""

    def read(self, name: str) -> bytes:
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
        # The first goes last: as long as it is there, the place is this run's.
        n_objects = self._n_objects + bool(self._lines)
        delete_objects(self.path, [_name_object(i) for i in range(1, n_objects)])
        delete_objects(self.path, [_name_object(0)])

    def delete(self, names: Iterable[str]) -> None:
        delete_objects(self.path, [name for name in names if name in self._sizes])

    def find_changed(self, sizes: Iterable[tuple[str, int]]) -> str | None:
        """Return the first of some files that is not there in its size."""
        there = list_objects(self.path, OutputError)
        return next((name for name, size in sizes if there.get(name) != size), None)

    def close(self) -> None:
        """Do nothing: there is no lock."""

    def _size_of(self, name: str) -> int | None:
        return self._sizes.get(name)

    def _list_journal(self) -> list[str]:
        return sorted(name for name in self._sizes if name.startswith(f"{_JOURNAL}/"))


Place: TypeAlias = _Disk | _Bucket
"""Where a directory of outputs lies."""


def open_place(path: str) -> Place:
    """Open a directory to write into."""
    return _Bucket(path) if is_address(path) else _Disk(path)


def _name_object(number: int) -> str:
    return f"{_JOURNAL}/{number:06}"
