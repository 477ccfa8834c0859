"""Tables: inputs whose header is known and whose records can be read, whatever they are stored as.

`open_table` looks at the content and gives the reader that it needs, from `_READERS`.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from matscore.errors import FileError, InputError
from matscore.kernel import Fault, parse
from matscore.names import Grammar
from matscore.options import MissingPolicy, ReadOptions
from matscore.plan import Side
from matscore.plan.labels import judge_first_record
from matscore.plan.types import ColumnKind
from matscore.read.cloud import full_path
from matscore.read.columnar import ColumnarFile, iter_parquet, open_columnar
from matscore.read.recognise import find_delimiter
from matscore.read.rows import FrameChunk, Layout
from matscore.read.source import CHANGED, Opening, Source, Stamp, open_source
from matscore.read.split import (
    MAX_RECORD_BYTES,
    Chunk,
    first_record_end,
    iter_chunks,
    split_cells,
)

_SNIFFED_RECORDS = 10
_SAMPLED_RECORDS = 1000
_FRAME_CELLS = 2**19
_CELL_BYTES = 8
_MOST_CODES, _TIMES_EACH = 20, 3


@dataclass
class Table:
    """An open table of text, and what one of another kind has in common with it."""

    source: Source
    names: tuple[str, ...] | None  # the header's cells
    width: int
    n_rows: int | None = None  # where it is known without reading them
    guessed: bool = False  # whether there is a header was found by looking at it
    delimiter: str = ","
    start: int = 0  # byte of the head at which the records start
    line: int = 1  # and their physical line
    first_record: tuple[str, ...] | None = None  # of a text: a header or data
    keys: tuple[tuple[str, str], ...] = ()  # further columns: the folders in which the file lies

    @property
    def path(self) -> str:
        """The input as it was given."""
        return self.source.path

    def iter_chunks(
        self, layout: Layout, *, chunk_bytes: int, row: int = 0
    ) -> Iterator[Chunk | FrameChunk]:
        """Yield the records in chunks, in order and once, after `row` records of earlier inputs."""
        del layout
        self.wake()
        yield from iter_chunks(
            self.path,
            self.source.iter_blocks(self.start),
            delimiter=self.delimiter,
            chunk_bytes=chunk_bytes,
            line=self.line,
            row=row,
            offset=self.source.n_mark + self.start,
        )

    def record_bytes(self, n_used: int) -> float:
        """Estimate the size of a record of which some columns are used."""
        del n_used
        head = self.source.head
        n_bytes, n_lines = len(head) - self.start, head.count(b"\n", self.start)
        return n_bytes / n_lines if n_lines else max(n_bytes, self.start, 1)

    def side(self, read: ReadOptions) -> Side:
        """Return what planning needs to know before the records are read.

        The first column and the number of rows are in it where the head is all of the table.
        """
        first = self._peek_labels()
        names = None if self.names is None else (*self.names, *(name for name, _ in self.keys))
        return Side(
            self.path,
            self.width + len(self.keys),
            names,
            self.n_rows if first is None else len(first),
            first,
            read.grammar,
            self.guessed,
            first_record=self.first_record,
        )

    def sample(self, read: ReadOptions) -> Side:
        """Look at the first records, which stay unread."""
        columns = self._peek_columns()
        return Side(
            self.path,
            self.width,
            self.names,
            self.n_rows,
            tuple(columns[0]) if columns else (),
            read.grammar,
            self.guessed,
            first_record=self.first_record,
            kinds=tuple(_kind_of(cells, read.grammar) for cells in columns),
            coded=tuple(_are_codes(cells) for cells in columns),
        )

    def lay_out(
        self,
        read: ReadOptions,
        *,
        label: int | None,
        kept: Sequence[int] = (),
        features: Sequence[int] = (),
        missing: MissingPolicy,
        hint: str = Layout.missing_hint,
    ) -> Layout:
        """Return the layout of the table's own columns."""
        grammar = (self.delimiter, read.decimal, missing, read.missing_values)
        return Layout(self.names, self.width, label, tuple(kept), tuple(features), *grammar, hint)

    def close(self) -> None:
        """Close the input; standard input stays open."""
        self.source.close()

    def park(self) -> None:
        """Close the input until it is read, unless it cannot be opened again."""
        self.source.park()

    def wake(self) -> None:
        """Open the input again where it is parked; a `FileError` where it has changed."""
        self.source.wake()

    def find_place(self) -> Place | None:
        """Return where another process finds the records; None for a pipe."""
        stamp = self.source.stamp
        if stamp is None:
            return None
        stamp = replace(stamp, path=full_path(stamp.path))
        return Place(stamp, self.source.opening, self.delimiter, self.start, self.line, self.width)

    def _peek_labels(self) -> tuple[str, ...] | None:
        if not self.source.is_whole:
            return None
        records = self._peek(self.source.head[self.start :])
        return None if records is None else tuple(record[0] for record in records if record)

    def _peek_columns(self) -> list[list[str]]:
        """Return the cells of the first sound records, column by column."""
        data = self.source.head[self.start :]
        if not self.source.is_whole:
            data = data[: data.rfind(b"\n") + 1]  # the last record may be cut off
            data = data if first_record_end(data) else b""
        records = self._peek(data, _SAMPLED_RECORDS) or []
        sound = [record for record in records if len(record) == self.width]
        return [list(c) for c in zip(*sound, strict=True)] or [[] for _ in range(self.width)]

    def _peek(self, data: bytes, most: int | None = None) -> list[list[str]] | None:
        """Return the cells of some records; None where they are damaged."""
        text = io.StringIO(data.decode("utf-8", "replace"), newline="")
        try:
            return list(islice(csv.reader(text, delimiter=self.delimiter), most))
        except csv.Error:
            return None


@dataclass
class TypedTable(Table):
    """An open Parquet or Arrow file."""

    columnar: ColumnarFile = field(kw_only=True)

    def iter_chunks(
        self, layout: Layout, *, chunk_bytes: int, row: int = 0
    ) -> Iterator[FrameChunk]:
        """Yield the rows in chunks."""
        self.wake()
        used = _used_columns(layout)
        names = [self.columnar.names[i] for i in used]
        tables = self.columnar.iter_tables(names, rows_a_frame(layout, chunk_bytes))
        yield from _number_tables(self.path, tables, used, 0, row)

    def record_bytes(self, n_used: int) -> float:
        """Return the size of a row of which some columns are used."""
        return _CELL_BYTES * max(n_used, 1)

    def sample(self, read: ReadOptions) -> Side:
        """Tell what the types tell."""
        del read
        from matscore.read.typed import is_numeric

        kinds: list[ColumnKind] = [
            "number" if is_numeric(dtype) else "text" for dtype in self.columnar.types
        ]
        coded = (False,) * self.width
        return Side(self.path, self.width, self.names, None, (), kinds=tuple(kinds), coded=coded)

    def close(self) -> None:
        """Close the file."""
        self.columnar.close()
        self.source.close()

    def park(self) -> None:
        """Close the file until it is read, unless it is a pipe."""
        if self.source.size is not None:
            self.columnar.close()
        self.source.park()

    def wake(self) -> None:
        """Open the file again where it is parked."""
        if self.source.is_parked:
            self.source.wake()
            self.columnar = _open_columnar(self.source)

    def _peek_labels(self) -> None:
        return None


@dataclass(frozen=True)
class Place:
    """Where a table's records are, for another process to read them; fields as in `Table`."""

    stamp: Stamp  # with a name that holds in every folder
    opening: Opening
    delimiter: str
    start: int
    line: int
    width: int

    def open(self) -> Table:
        """Open the table; a `FileError` where it has changed."""
        source = self.opening.open(self.stamp.path)
        with contextlib.ExitStack() as stack:
            stack.callback(source.close)
            if source.stamp != self.stamp:
                raise FileError(self.stamp.path, *CHANGED)
            while len(source.head) < self.start and source.extend_head():
                pass
            where = (None, False, self.delimiter, self.start, self.line)
            table = (
                Table(source, None, self.width, *where)
                if source.kind == "csv"
                else TypedTable(source, None, self.width, columnar=_open_columnar(source))
            )
            stack.pop_all()
        return table


def open_table(
    path: str,
    options: ReadOptions,
    *,
    checksum: bool = False,
    keys: tuple[tuple[str, str], ...] = (),
    values: Set[str] = frozenset(),
) -> Table:
    """Open an input, a file or ``-``, and read its header.

    `keys` are further columns of a file with a header; its own come first where a name is both.
    `values` is what the second column of a file of pairs may hold, so that a header can be told.
    """
    source = open_source(path, encoding=options.encoding, checksum=checksum)
    with contextlib.ExitStack() as stack:
        stack.callback(source.close)
        table = _READERS[source.kind](source, options, values)
        names = table.names
        table.keys = tuple(key for key in keys if names is not None and key[0] not in names)
        stack.pop_all()
    return table


def _open_typed(source: Source, options: ReadOptions, values: Set[str]) -> Table:
    del options, values
    file = _open_columnar(source)
    return TypedTable(source, file.names, len(file.names), file.n_rows, columnar=file)


def _open_text(source: Source, options: ReadOptions, values: Set[str]) -> Table:
    end = _find_header_end(source)
    if not source.head[:end].strip(b" \r\n"):
        raise InputError(source.path, "the first line is blank", "remove it", line=1)
    delimiter = options.delimiter or _sniff_delimiter(source, options.decimal)
    record = source.head[:end]
    cells = tuple(_header_cells(source, record, delimiter))
    headers, guessed = options.headers, options.headers is None
    if headers is None:  # a doubtful one is read as a header, until the plan has the other side
        headers = judge_first_record(cells, options.grammar, values=values) != "data"
    start, line = (end, 1 + record.count(b"\n")) if headers else (0, 1)
    names = cells if headers else None
    return Table(source, names, len(cells), None, guessed, delimiter, start, line, cells)


_READERS: dict[str, Callable[[Source, ReadOptions, Set[str]], Table]] = {
    "csv": _open_text,
    "parquet": _open_typed,
    "arrow": _open_typed,
}


def _open_columnar(source: Source) -> ColumnarFile:
    assert source.kind in ("parquet", "arrow")
    return open_columnar(source.path, source.open_stream(), source.kind)


def iter_parquet_rows(
    path: str, layout: Layout, start: int, stop: int, *, chunk_bytes: int, row: int
) -> Iterator[FrameChunk]:
    """Yield rows `start` to `stop` of a Parquet file in chunks, as `Table.iter_chunks` does."""
    used, names = _used_columns(layout), layout.own.names or ()
    tables = iter_parquet(
        path, [names[i] for i in used], start, stop, rows_a_frame(layout, chunk_bytes)
    )
    yield from _number_tables(path, tables, used, start, row)


def rows_a_frame(layout: Layout, chunk_bytes: int) -> int:
    """Return the rows of a chunk of typed columns."""
    return max(1, min(_FRAME_CELLS, chunk_bytes // _CELL_BYTES) // len(_used_columns(layout)))


def _used_columns(layout: Layout) -> list[int]:
    return sorted({*layout.own.text_columns, *layout.own.feature_columns}) or [0]


def _number_tables(
    path: str, tables: Iterator[Any], used: list[int], n_done: int, row: int
) -> Iterator[FrameChunk]:
    for table in tables:
        columns = dict(zip(used, table.columns, strict=True))
        yield FrameChunk(path, columns, n_done + 1, row + n_done, table.num_rows)
        n_done += table.num_rows


def _find_header_end(source: Source) -> int:
    """Return where the second record starts, reading on until it does: twice as much each time."""
    while not (end := first_record_end(source.head)):
        if len(source.head) > MAX_RECORD_BYTES:
            what, hint = "the first line is longer than 64 MiB", "it is not a table"
            raise InputError(source.path, what, hint, line=1)
        n_left = MAX_RECORD_BYTES + 1 - len(source.head)
        if not source.extend_head(max(min(len(source.head), n_left), 1)):
            return len(source.head)
    return end


def _sniff_delimiter(source: Source, decimal: str) -> str:
    records: list[str] = []
    rest = source.head
    while len(records) < _SNIFFED_RECORDS and rest:
        end = first_record_end(rest)
        if not end and records and not source.is_whole:
            break
        record = rest[: end or len(rest)].rstrip(b"\r\n")
        if record or not records:
            records.append(record.decode("utf-8", "replace"))
        rest = rest[end or len(rest) :]
    return find_delimiter(source.path, records, decimal)


def _header_cells(source: Source, record: bytes, delimiter: str) -> list[str]:
    path = source.path
    body = record.removesuffix(b"\n").removesuffix(b"\r")
    fault = _find_header_fault(record, delimiter)
    if fault in (Fault.QUOTE_INSIDE, Fault.TEXT_AFTER_QUOTE, Fault.QUOTE_OPEN):
        hint = "double a quote that is part of a name, and close every quote"
        raise InputError(path, "a misplaced quote in the header", hint, line=1)
    if fault in (Fault.NUL, Fault.RETURN):
        what = "a NUL byte" if fault == Fault.NUL else "a carriage return"
        raise InputError(path, f"{what} in the header", "the file is damaged", line=1)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        at = source.n_mark + error.start
        what = f"the header is not UTF-8: byte 0x{body[error.start]:02x} at offset {at}"
        hint = "name its encoding with --encoding, latin-1 say"
        raise InputError(path, what, hint, line=1) from error
    return split_cells(text, delimiter)


def _find_header_fault(record: bytes, delimiter: str) -> Fault | None:
    table = parse(record, width=1, delimiter=delimiter)
    if table.stop is None and table.bad and table.bad[0].n_cells > 1:
        table = parse(record, width=table.bad[0].n_cells, delimiter=delimiter)
    return table.stop.fault if table.stop else table.bad[0].fault if table.bad else None


def _kind_of(cells: Sequence[str], grammar: Grammar) -> ColumnKind:
    there = [cell for cell in cells if not grammar.is_missing(cell)]
    n_numbers = sum(map(grammar.is_number, there))
    if not there:
        return "empty"
    if n_numbers == len(there):
        return "number"
    return "mostly number" if 2 * n_numbers >= len(there) else "mixed" if n_numbers else "text"


def _are_codes(cells: Sequence[str]) -> bool:
    values = {cell.strip() for cell in cells}
    few = len(values) <= _MOST_CODES and _TIMES_EACH * len(values) <= len(cells)
    return bool(values) and few and all(value.isascii() and value.isdigit() for value in values)
