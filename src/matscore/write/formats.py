"""The formats of an output: an object each, and the one table of them.

Options, endings, directories and clusters ask `FORMATS`. A new format is an object in it, its name
in `options.Format`, and a test.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

from matscore.errors import OutputError, UsageError, os_errors_about, require_extra
from matscore.frame import Frame, Kind, list_cells
from matscore.kernel import Choices, Column, Floats, Masked, Texts, write_rows
from matscore.options import Format, PathLike
from matscore.write.whole import COMPRESSIONS, BinaryFile, write_all

if TYPE_CHECKING:
    from matscore.read.rows import Reject
    from matscore.run.work import ChunkResult

# fmt: off
_FOREIGN = {
    ".7z", ".avro", ".db", ".h5", ".npy", ".npz", ".ods", ".orc", ".pdf", ".pkl",
    ".rar", ".sqlite", ".xls", ".xlsx", ".xml", ".yaml", ".yml", ".zip",
}
# fmt: on
_CORNERS = ("feature", "name", "term", "variable", "label", "index")
_SPECIAL = re.compile(r'[,"\r\n]')  # what the csv module quotes a cell for
_REJECT_COLUMNS = ("file", "line", "column", "name", "error", "text")


class Columns(Protocol):
    """The columns of an output."""

    @property
    def pairs(self) -> Sequence[tuple[str, Kind]]:
        """Names and kinds, in order; a name that is there twice is to be refused."""


@dataclass(frozen=True)
class OutputSpec:
    """The columns of an output and how they are written."""

    format: Format
    columns: Columns
    precision: int | None = None  # decimals
    excel_safe: bool = False  # text that a spreadsheet takes for a formula gets an apostrophe
    max_rows: int = 20  # of a table
    selects: bool = False  # only some rows give output, which may come late

    @property
    def form(self) -> OutputFormat:
        """The format itself."""
        return FORMATS[self.format]

    @property
    def kinds(self) -> dict[str, Kind]:
        """Names and kinds of the columns, in order."""
        return dict(self.columns.pairs)

    def find_duplicates(self) -> list[str]:
        """Return the names that two columns would share."""
        counts = Counter(name for name, _ in self.columns.pairs)
        return [name for name, n in counts.items() if n > 1]

    def finish(self, frame: Frame) -> Frame:
        """Round numbers and guard text."""
        if self.precision is None and not self.excel_safe:
            return frame
        return Frame({name: self._finish(column) for name, column in frame.columns.items()})

    def _finish(self, column: Column) -> Any:
        match column:
            case Texts():
                return _guard_texts(column) if self.excel_safe else column
            case Choices(codes, texts):
                return Choices(codes, _guard_texts(texts) if self.excel_safe else texts)
            case Masked(values, absent):
                return Masked(self._finish(values), absent)
            case _:
                is_float = column.dtype == np.float64
                return round_to(column.view(np.float64), self.precision) if is_float else column


@dataclass(frozen=True)
class OutputFormat:
    """A format: how its files are named, and the bytes of a header, of rows and around them."""

    name: Format
    endings: tuple[str, ...]  # of files' names; the first is that of a directory's parts
    is_shown: ClassVar[bool] = False  # holds the first rows only, and is made when all are done
    is_read: ClassVar[bool] = False  # the reader of weights reads it back
    repeats_names: ClassVar[bool] = False  # every cell is written with its column's name
    first: ClassVar[bytes] = b""  # of the output, where it is always the same
    between: ClassVar[bytes] = b""  # chunks
    last: ClassVar[bytes] = b""

    def require(self) -> None:
        """Refuse a format whose library is not installed."""

    def start(self, spec: OutputSpec) -> bytes:  # noqa: ARG002
        """Return what stands before the rows: a header."""
        return self.first

    def rows(self, spec: OutputSpec, frame: Frame) -> bytes | bytearray:
        """Encode rows, at least one."""
        raise NotImplementedError

    def write(self, chunks: Iterable[bytes | bytearray], spec: OutputSpec, out: BinaryFile) -> None:
        """Write what `rows` gave, chunk by chunk."""
        lead, is_started = self.start(spec), False
        for data in chunks:
            _write(out, lead)
            _write(out, data)
            lead, is_started = self.between, True
        _write(out, self.last if is_started else lead + self.last)


@dataclass(frozen=True)
class _Delimited(OutputFormat):
    name: Literal["csv", "tsv"]
    is_read = True

    def start(self, spec: OutputSpec) -> bytes:
        header = Frame({name: Texts.from_strings([name]) for name in spec.kinds})
        return bytes(write_rows(self.name, spec.finish(header).columns))

    def rows(self, spec: OutputSpec, frame: Frame) -> bytearray:
        columns = dict(spec.finish(frame).columns)
        for name, column in columns.items():
            if len(columns) == 1 and isinstance(column, Texts):
                # Quotes, since a cell where nothing stands would make a blank line.
                columns[name] = Texts(column.offsets, column.data)
        return write_rows(self.name, columns)


@dataclass(frozen=True)
class _JsonLines(OutputFormat):
    name: Literal["jsonl", "json"]
    repeats_names = True

    def rows(self, spec: OutputSpec, frame: Frame) -> bytearray:
        return write_rows(self.name, spec.finish(frame).columns)


class _Json(_JsonLines):
    first, between, last = b"[\n", b",\n", b"\n]\n"


class _Markdown(OutputFormat):
    def start(self, spec: OutputSpec) -> bytes:
        names = [escape_markdown(_guard(n) if spec.excel_safe else n) for n in spec.kinds]
        rule = ["---" if kind == "text" else "---:" for kind in spec.kinds.values()]
        return self._lines([names, rule])

    def rows(self, spec: OutputSpec, frame: Frame) -> bytes:
        columns = spec.finish(frame).columns.values()
        return self._lines(zip(*map(self._cells, columns), strict=True))

    @staticmethod
    def _lines(rows: Iterable[Sequence[str]]) -> bytes:
        return "".join(f"| {' | '.join(row)} |\n" for row in rows).encode()

    @staticmethod
    def _cells(column: Column) -> list[str]:
        values = list_cells(column)
        if isinstance(column, (Texts, Choices)):
            return ["" if text is None else escape_markdown(text) for text in values]
        # All numbers in one call, which is compiled; null is what is absent.
        numbers = json.dumps(values)[1:-1].split(", ")
        return ["" if number == "null" else number for number in numbers]


@dataclass(frozen=True)
class _Columnar(OutputFormat):
    """Written by PyArrow, which is imported here only where it is asked for."""

    name: Literal["parquet", "arrow"]
    is_read = True

    def require(self) -> None:
        require_extra("Parquet and Arrow", "pyarrow", extra="parquet")

    def rows(self, spec: OutputSpec, frame: Frame) -> bytes:
        from matscore.write.columnar import encode_batch

        return encode_batch(spec.finish(frame))

    def write(self, chunks: Iterable[bytes | bytearray], spec: OutputSpec, out: BinaryFile) -> None:
        from matscore.write.columnar import decode_batch, write_batches

        write_batches(map(decode_batch, chunks), spec.kinds, out, self.name)


@dataclass(frozen=True)
class _Shown(OutputFormat):
    """Made of the summary by `show` or `pages`."""

    library: str | None = None
    is_shown = True

    def require(self) -> None:
        if self.library is not None:
            require_extra("an HTML table", self.library)


FORMATS: dict[Format, OutputFormat] = {
    form.name: form
    for form in (
        _Shown("table", (".txt",)),
        _Delimited("csv", (".csv",)),
        _Delimited("tsv", (".tsv", ".tab")),
        _Json("json", (".json",)),
        _JsonLines("jsonl", (".jsonl", ".ndjson")),
        _Markdown("markdown", (".md",)),
        _Shown("html", (".html", ".htm"), "jinja2"),
        _Columnar("parquet", (".parquet", ".pq")),
        _Columnar("arrow", (".arrow", ".feather", ".ipc")),
    )
}
_BY_ENDING = {ending: form.name for form in FORMATS.values() for ending in form.endings}


def format_of(path: object) -> Format | None:
    """Return the format that a file's ending names; None for an output that is no path."""
    if not isinstance(path, PathLike):
        return None
    name = Path(path)
    if name.suffix.lower() in COMPRESSIONS:
        name = name.with_suffix("")
    return _BY_ENDING.get(name.suffix.lower())


def find_format(output: str) -> Format:
    """Return the format that an output's name asks for; refuse what cannot be written."""
    if output.endswith("/"):
        return "csv"
    ending = Path(output).suffix.lower()
    if ending in _FOREIGN:
        hint = "name a .csv, .json, .parquet, ... file, or say --format"
        raise UsageError(f"{ending} files cannot be written", hint)
    return format_of(output) or "csv"


def deliver_results(
    results: Iterable[ChunkResult], spec: OutputSpec | None, out: BinaryFile | None
) -> None:
    """Write the results' rows, in order; draw the results only, where nothing is to be written."""
    chunks = (result.data for result in results if result.data)
    if spec is not None and out is not None and not spec.form.is_shown:
        spec.form.write(chunks, spec, out)
    for _ in chunks:
        pass


def deliver_rejects(
    results: Iterable[ChunkResult], out: BinaryFile | None
) -> Iterator[ChunkResult]:
    """Write the results' rows set aside, ready to be mended, and pass the results on."""
    if out is not None:
        _write(out, f"{','.join(_REJECT_COLUMNS)}\n".encode())
    for result in results:
        if out is not None and result.rejects:
            _write(out, _encode_rejects(result.path, result.rejects))
        yield result


def find_weights_format(
    output: PathLike | BinaryFile | None, asked: Format | None = None
) -> Format:
    """Return a format of weights that reads back: as asked, by the ending of the output, or CSV."""
    form = asked or format_of(output) or "csv"
    names = [name for name, known in FORMATS.items() if known.is_read]
    if form not in names:
        raise UsageError(f"weights are not written as {form}", f"say one of {', '.join(names)}")
    FORMATS[form].require()
    return form


def write_weights(
    names: Sequence[str],
    columns: Sequence[str],
    weights: Floats,
    out: BinaryFile,
    form: Format,
    link: str | None = None,
) -> None:
    """Write weights of shape (n_names, n_columns) as a file that reads back to the last bit."""
    behind = "" if link is None else f" ({link})"
    # With and without its link it is the name of no column.
    heading = next(name for name in (*_CORNERS, "") if {name, name + behind}.isdisjoint(columns))
    corner = heading + behind
    pairs: list[tuple[str, Kind]] = [(corner, "text"), *((name, "number") for name in columns)]
    spec = OutputSpec(form, _Columns(pairs))

    def encode(start: int, stop: int) -> bytes | bytearray:
        labels = Texts.from_strings(names[start:stop])
        numbers = {name: weights[start:stop, j] for j, name in enumerate(columns)}
        return spec.form.rows(spec, Frame({corner: labels, **numbers}))

    # In parts, as the text of a large model takes more memory than the model.
    n_rows = max(_CELLS_A_PART // len(pairs), 1)
    starts = range(0, max(len(names), 1), n_rows)
    spec.form.write((encode(start, start + n_rows) for start in starts), spec, out)


_CELLS_A_PART = 2**19


@dataclass(frozen=True)
class _Columns:
    pairs: Sequence[tuple[str, Kind]]


def round_to(values: Floats, precision: int | None) -> Floats:
    """Round to a number of decimals, leaving alone NaN and what has none."""
    if precision is None:
        return values
    # From 2**52 on every float64 is whole, and NumPy's way, by a power of ten, would overflow.
    whole = np.abs(values) >= 2.0**52
    rounded: Floats = np.where(whole, values, np.round(np.where(whole, 0.0, values), precision))
    return rounded


def escape_markdown(text: str) -> str:
    """Make text safe for a cell of a Markdown table."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return text.replace("|", "\\|")


def _guard_texts(texts: Texts) -> Texts:
    cells = texts.to_strings()
    return Texts.from_strings(None if cell is None else _guard(cell) for cell in cells)


def _guard(text: str) -> str:
    return f"'{text}" if re.match(r"[=+\-@\t\r]", text) else text


def _encode_rejects(path: str, rejects: Iterable[Reject]) -> bytes:
    """Write rejects as CSV; column and name are empty where the whole record is at fault."""
    # By hand, in half the time of the csv module: every twentieth row of a file may be bad.
    quoted = lru_cache(_quote)  # the same few names and errors stand in many lines
    lines = [
        f"{r.line},{r.column or ''},{quoted(r.name or '')},{quoted(r.error)},{_quote(r.text)}\n"
        for r in rejects
    ]
    start = f"{_quote(path)},"
    return start.join(["", *lines]).encode("utf-8", "surrogateescape")


def _quote(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _SPECIAL.search(cell) else cell


def _write(out: BinaryFile, data: bytes | bytearray) -> None:
    with os_errors_about("-", OutputError):
        write_all(out, data)
