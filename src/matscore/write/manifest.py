"""What a directory of outputs says of itself: its manifest, and the journal of a run under way.

A part is written whole, then its line goes into the journal; the manifest is written last, whole,
and the journal goes. So a directory with a manifest is complete, and one with a journal alone was
left by a run that did not end: both tell a later run which parts need not be made again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import matscore
from matscore.errors import OutputError, UsageError
from matscore.items import Items
from matscore.read.inputs import is_address
from matscore.read.source import SourceFacts
from matscore.write.places import Place, hash_file, open_place
from matscore.write.whole import named_errors

MANIFEST = "_manifest.json"
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
        if not is_same_time and hash_file(source.path).hexdigest() != record.input_sha256:
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
