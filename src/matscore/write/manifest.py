"""What a directory of outputs says of itself: its manifest, and the journal of a run under way.

A part is written whole, then its line goes into the journal; the manifest is written last, whole,
and the journal goes. So a directory with a manifest is complete, and one with a journal alone was
left by a run that did not end: both tell a later run which parts need not be made again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import matscore
from matscore.errors import OutputError, UsageError
from matscore.items import Items
from matscore.read.source import SourceFacts
from matscore.write.whole import TEMPORARY, named_errors, open_whole

MANIFEST, JOURNAL = "_manifest.json", "_journal.jsonl"
SCHEMA_VERSION = 1
LEFT_OUT = "left_out"
"""In a part's counts: lines of comments, and first lines, that were left out of its input."""


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
    """A directory that parts are written into; locked while it is open.

    Parts that are there may be kept where it is resumed. One that holds files of others is refused.
    """

    def __init__(self, path: str, *, resume: bool) -> None:
        self.path = path
        self._root = Path(path)
        with named_errors(path):
            self._root.mkdir(exist_ok=True)
            self._lock = os.open(self._root, os.O_RDONLY)
        try:
            self._lock_and_read(resume=resume)
        except BaseException:
            self.close()
            raise

    def _lock_and_read(self, *, resume: bool) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise OutputError(
                    self.path, "another run writes there", "wait for its end"
                ) from error
        with named_errors(self.path):
            _delete_leftovers(self._root)
            lines = _read_lines(self._root)
            if not lines and any(self._root.iterdir()):
                what = f"{self.path} holds files that are not of an earlier run"
                raise UsageError(what, "name an empty directory, or one that is not there")
        records = dict(_iter_records(lines))
        self._known = {*records, *_iter_known(lines)}
        self._records = records if resume else {}

    def begin(self, outputs: Sequence[str]) -> None:
        """Start the journal; what an earlier manifest said is no longer promised."""
        lines = [{"schema_version": SCHEMA_VERSION, "known": sorted({*self._known, *outputs})}]
        lines += [dataclasses.asdict(self._records[name]) for name in sorted(self._records)]
        with open_whole(str(self._root / JOURNAL)) as out:
            out.writelines(_encode_line(line) for line in lines)
        with named_errors(self.path):
            (self._root / MANIFEST).unlink(missing_ok=True)
            for folder in {Path(name).parent for name in outputs}:
                (self._root / folder).mkdir(parents=True, exist_ok=True)

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
        if record.input_mtime != source.mtime and hash_file(source.path) != record.input_sha256:
            return None
        try:
            if hash_file(str(self._root / output)) != record.output_sha256:
                return None
        except FileNotFoundError:
            return None
        return dataclasses.replace(record, input_mtime=source.mtime)

    def add(self, record: PartRecord) -> None:
        """Write a part's line into the journal."""
        with named_errors(self.path), (self._root / JOURNAL).open("ab") as out:
            out.write(_encode_line(dataclasses.asdict(record)))
            out.flush()
            os.fsync(out.fileno())

    def finish(self, records: Sequence[PartRecord], facts: Mapping[str, Any]) -> None:
        """Write the manifest and delete the journal and the parts of earlier runs.

        `records` are all parts in the inputs' order, `facts` what there is to say of the whole.
        """
        with named_errors(self.path):
            for name in self._known - {record.output for record in records}:
                self._delete_stale(name)
            parts = [dataclasses.asdict(record) for record in records]
            head = {
                "schema_version": SCHEMA_VERSION,
                "program": "matscore",
                "version": matscore.__version__,
            }
            text = json.dumps(
                {**head, **facts, "parts": parts}, indent=2, ensure_ascii=False, default=str
            )
            with open_whole(str(self._root / MANIFEST)) as out:
                out.write(f"{text}\n".encode("utf-8", "backslashreplace"))
            (self._root / JOURNAL).unlink(missing_ok=True)

    def close(self) -> None:
        """Unlock the directory."""
        os.close(self._lock)

    def _delete_stale(self, name: str) -> None:
        path = (self._root / name).resolve()
        if path.is_relative_to(self._root.resolve()) and path.name.startswith("part-of-"):
            path.unlink(missing_ok=True)
            for folder in path.relative_to(self._root.resolve()).parents:
                with contextlib.suppress(OSError):  # it is not empty
                    (self._root.resolve() / folder).rmdir()


def hash_file(path: str) -> str:
    """Return the sha256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(*values: object) -> str:
    """Return a text that is the same for the same content, in every process.

    Values are plain, arrays, and frozen dataclasses of them.

    Examples
    --------
    >>> fingerprint(1, "a") == fingerprint(1, "a"), fingerprint(1, "a") == fingerprint("1", "a")
    (True, False)
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


def _delete_leftovers(root: Path) -> None:
    """Delete the unfinished files of a run that was killed."""
    for folder, _, names in os.walk(root):
        for name in filter(TEMPORARY.fullmatch, names):
            Path(folder, name).unlink(missing_ok=True)


def _read_lines(root: Path) -> list[Any]:
    """Return what manifest and journal say, the journal last; nothing where there is neither."""
    lines: list[Any] = []
    with contextlib.suppress(FileNotFoundError):
        manifest = _decode_line((root / MANIFEST).read_bytes())
        lines += [{}, *(manifest.get("parts", []) if isinstance(manifest, dict) else [])]
    with contextlib.suppress(FileNotFoundError):
        lines += map(_decode_line, (root / JOURNAL).read_bytes().split(b"\n"))
    return lines


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


def refuse_inside(path: str, inputs: Sequence[str]) -> None:
    """Refuse a directory of outputs in which an input lies."""
    root = Path(path).resolve()
    for name in inputs:
        if name != "-" and Path(name).resolve().is_relative_to(root):
            what = f"the output directory holds an input ({name})"
            raise UsageError(what, "write to another directory")
