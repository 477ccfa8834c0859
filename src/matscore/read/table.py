"""Tables: inputs whose header is known and whose records can be read, whatever they are stored as.

`open_table` looks at the content and gives the reader that it needs. A `Matrix` is a table that is
read to its end before anything is decided.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from matscore.errors import InputError
from matscore.frame import join
from matscore.kernel import Booleans, Fault, Floats, Records, Texts
from matscore.names import Grammar
from matscore.options import ReadOptions, UnknownPolicy
from matscore.plan import Side
from matscore.plan.labels import judge_first_record
from matscore.read.inputs import find_delimiter
from matscore.read.rows import FrameChunk, Layout, Reject, Rows, parse_sound
from matscore.read.source import Opening, Source, open_source
from matscore.read.split import MAX_RECORD_BYTES, Chunk, first_record_end, iter_chunks, split_cells

if TYPE_CHECKING:
    from matscore.read.rewrite import Rewrite
    from matscore.read.switches import Picked

_SNIFFED_RECORDS = 10
SAMPLED_RECORDS = 1000
"""First records that tell what a column holds, as many at most."""


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
    line: int = 1  # and their line, of those that are not left out
    first_record: tuple[str, ...] | None = None  # of a text: a header or data
    booleans: tuple[Booleans, ...] = ()  # where they are asked for
    keys: tuple[tuple[str, str], ...] = ()  # further columns: the folders in which the file lies
    picked: Picked | None = None  # which columns of a second matrix are taken, where not all are

    @property
    def path(self) -> str:
        """The input as it was given."""
        return self.source.path

    @property
    def taken(self) -> Sequence[int]:
        """The columns of a matrix: the first one, which may hold names, and numbers."""
        return range(self.width) if self.picked is None else self.picked.columns

    def iter_chunks(
        self, layout: Layout, *, chunk_bytes: int, row: int = 0
    ) -> Iterator[Chunk | FrameChunk]:
        """Yield the records in chunks, in order and once, after `row` records of earlier inputs."""
        del layout
        self.wake()
        gaps = self.source.gaps
        yield from iter_chunks(
            self.path,
            self.source.iter_blocks(self.start),
            delimiter=self.delimiter,
            chunk_bytes=chunk_bytes,
            line=self.line,
            row=row,
            offset=self.source.n_mark + self.start,
            gaps=None if gaps is None else gaps.places,
        )

    def record_bytes(self, n_used: int) -> float:
        """Estimate the size of a record of which some columns are used."""
        del n_used
        head = self.source.head
        n_bytes, n_lines = len(head) - self.start, head.count(b"\n", self.start)
        return n_bytes / n_lines if n_lines else max(n_bytes, self.start, 1)

    def side(self, read: ReadOptions, first: tuple[str, ...] | None = None) -> Side:
        """Return what planning needs to know; `first` is the first column, once it is read."""
        first = self._peek_labels() if first is None else first  # where the head is the whole table
        names = None if self.names is None else (*self.names, *(name for name, _ in self.keys))
        side = Side(
            self.path,
            self.width + len(self.keys),
            names,
            self.n_rows if first is None else len(first),
            first,
            read.grammar,
            self.guessed,
            first_record=self.first_record,
            peek=self._peek_all,
        )
        return side if self.picked is None else self.picked.narrow(side)

    def sample(self, read: ReadOptions) -> Side:
        """Look at the first records, which stay unread."""
        from matscore.read.switches import are_codes, kind_of

        columns = self._peek_columns()
        return replace(
            self.side(read, tuple(columns[0]) if columns else ()),
            n_rows=self.n_rows,
            kinds=tuple(kind_of(cells, read) for cells in columns),
            coded=tuple(are_codes(cells) for cells in columns),
        )

    def lay_out(
        self,
        read: ReadOptions,
        *,
        label: int | None,
        kept: Sequence[int] = (),
        features: Sequence[int] = (),
        missing: UnknownPolicy,
        hint: str = Layout.missing_hint,
    ) -> Layout:
        """Return the layout of the table's own columns."""
        return Layout(
            self.names, self.width, label, tuple(kept), tuple(features), self.delimiter,
            read.decimal, missing, read.missing_values, hint, booleans=self.booleans_of(features),
        )  # fmt: skip

    def find_booleans(self, grammar: Grammar) -> tuple[Booleans, ...]:
        """Find the columns of words for true and false, by the first records."""
        from matscore.read.switches import find_booleans

        return find_booleans(self._peek_all(), grammar)

    def booleans_of(self, features: Sequence[int]) -> tuple[Booleans, ...]:
        """Return those among some features."""
        return tuple(one for one in self.booleans if one[0] in features)

    def close(self) -> None:
        """Close the input; standard input stays open."""
        self.source.close()

    def park(self) -> None:
        """Close the input until it is read, unless it cannot be opened again."""
        self.source.park()

    def wake(self) -> None:
        """Open the input again where it is parked; a `FileError` where it has changed."""
        self.source.wake()

    def _peek_labels(self) -> tuple[str, ...] | None:
        if not self.source.is_whole:
            return None
        records = self._peek(self.source.head[self.start :])
        return None if records is None else tuple(record[0] for record in records if record)

    def peek_records(self) -> list[list[str]]:
        """Return the cells of the first records."""
        data = self.source.head[self.start :]
        if not self.source.is_whole:
            data = data[: data.rfind(b"\n") + 1]  # the last record may be cut off
            data = data if first_record_end(data) else b""
        return self._peek(data, SAMPLED_RECORDS) or []

    def _peek_columns(self) -> list[list[str]]:
        """Return the cells of the first sound records, column by column."""
        sound = [record for record in self.peek_records() if len(record) == self.width]
        return [list(c) for c in zip(*sound, strict=True)] or [[] for _ in range(self.width)]

    def _peek_all(self) -> list[list[str]]:
        """Return the first cells of every column, those that folders give included."""
        return [*self._peek_columns(), *([value] for _, value in self.keys)]

    def _peek(self, data: bytes, most: int | None = None) -> list[list[str]] | None:
        """Return the cells of some records; None where they are damaged."""
        text = io.StringIO(data.decode("utf-8", "replace"), newline="")
        try:
            return list(islice(csv.reader(text, delimiter=self.delimiter), most))
        except csv.Error:
            return None


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
    source = open_source(path, Opening(options.encoding, checksum, _find_rewrite(options)))
    with contextlib.ExitStack() as stack:
        stack.callback(source.close)
        if source.kind == "csv":
            table = _open_text(source, options, values)
        else:
            from matscore.read.typed import open_typed

            table = open_typed(source)
        names = table.names
        table.keys = tuple(key for key in keys if names is not None and key[0] not in names)
        if options.booleans:
            table.booleans = table.find_booleans(options.grammar)
        stack.pop_all()
    return table


def _find_rewrite(options: ReadOptions) -> Rewrite | None:
    """Return what is to be done to the lines of a text."""
    if not options.rewrites:
        return None
    from matscore.read.rewrite import Rewrite

    comment, mark = (options.comment or "").encode(), options.delimiter or ""
    if mark == "blanks":
        return Rewrite(comment, options.skip_lines, is_blanks=True)
    return Rewrite(comment, options.skip_lines, delimiter=mark.encode())


def _open_text(source: Source, options: ReadOptions, values: Set[str]) -> Table:
    end = _find_header_end(source)
    if not source.head[:end].strip(b" \r\n"):
        hint = "remove it; --skip-lines N leaves out lines before the header of the features"
        raise InputError(source.path, "the first line is blank", hint, line=source.line_of(0))
    delimiter = options.delimiter or _sniff_delimiter(source, options.decimal)
    delimiter = " " if delimiter == "blanks" else delimiter
    record = source.head[:end]
    cells = tuple(_header_cells(source, record, delimiter))
    headers, guessed = options.headers, options.headers is None
    if headers is None:  # a doubtful one is read as a header, until the plan has the other side
        headers = judge_first_record(cells, options.grammar, values=values) != "data"
    start, line = (end, 1 + record.count(b"\n")) if headers else (0, 1)
    names = cells if headers else None
    if headers:
        _check_width(source, cells, end, delimiter)
    return Table(source, names, len(cells), None, guessed, delimiter, start, line, cells)


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
        # The last record of the head may be cut off, and would have fewer delimiters.
        if not end and records and not source.is_whole:
            break
        record = rest[: end or len(rest)].rstrip(b"\r\n")
        if record or not records:
            records.append(record.decode("utf-8", "replace"))
        rest = rest[end or len(rest) :]
    return find_delimiter(source.path, records, decimal)


def _header_cells(source: Source, record: bytes, delimiter: str) -> list[str]:
    fault = _find_header_fault(record, delimiter)
    if fault is not None:
        from matscore.read.faults import find_header_error

        if (error := find_header_error(source, record, fault)) is not None:
            raise error
    return split_cells(record.removesuffix(b"\n").removesuffix(b"\r").decode(), delimiter)


def _find_header_fault(record: bytes, delimiter: str) -> Fault | None:
    # The width is not known yet: the kernel counts the cells of a record that has another.
    table = Records(width=1, delimiter=delimiter).parse(record)
    if table.stop is None and table.bad and table.bad[0].n_cells > 1:
        table = Records(width=table.bad[0].n_cells, delimiter=delimiter).parse(record)
    return table.stop.fault if table.stop else table.bad[0].fault if table.bad else None


def _check_width(source: Source, header: Sequence[str], end: int, delimiter: str) -> None:
    """Refuse a header whose width is another than that of every record, in two known ways."""
    n_second = first_record_end(source.head[end:]) or len(source.head) - end
    second = source.head[end : end + n_second].rstrip(b"\r\n").decode("utf-8", "replace")
    n_cells = len(split_cells(second, delimiter))
    if second and n_cells != len(header):
        from matscore.read.faults import find_other_width

        records = Table(source, None, n_cells, delimiter=delimiter, start=end).peek_records()
        if (error := find_other_width(source, header, records, n_cells)) is not None:
            raise error


# Made when it is asked for: of most matrices the first column holds names, and nobody asks.
FirstFault: TypeAlias = Callable[[], InputError]


@dataclass(frozen=True)
class Matrix:
    """A first column that may be names or numbers, and the numbers after it."""

    side: Side  # with the first column as text: the plan decides what it is
    first_values: Floats | None  # (n_rows,); None when one of these cells is no number
    rest: Floats  # (n_rows, n_columns - 1), NaN where a cell is missing
    fault: FirstFault | None = None  # why the first column is no numbers

    @property
    def first_numbers(self) -> Floats:
        """The first column's numbers, (n_rows,); refused where one of its cells is none."""
        if self.first_values is None:
            assert self.fault is not None
            raise self.fault()
        return self.first_values

    def values(self, *, label_column: bool) -> Floats:
        """Return the numbers, (n_rows, n_columns), without a first column of labels."""
        return self.rest if label_column else np.column_stack([self.first_numbers, self.rest])


def read_matrix(
    table: Table, options: ReadOptions, *, chunk_bytes: int, is_model: bool = False
) -> Matrix:
    """Read a table: its first column as text and, where all of it is numbers, as numbers."""
    # A missing weight read as zero would be another model.
    hint = "every weight must be a number" if is_model else Layout.missing_hint
    policy = "error" if is_model else options.of_cell
    parts, fault = list[Rows](), None
    for rows, first_fault in iter_parts(table, options, policy, hint, chunk_bytes=chunk_bytes):
        parts.append(rows)
        fault = first_fault
    n_rows = sum(part.n_rows for part in parts)
    rest, labels = np.empty((n_rows, len(table.taken) - 1)), list[Any]()
    n_done = 0
    while parts:
        part = parts.pop(0)  # freed as soon as it is copied, or the matrix would be held twice
        rest[n_done : n_done + part.n_rows] = part.features.T
        n_done += part.n_rows
        labels.append(part.labels)
    return make_matrix(table, options, labels, rest, fault)


def iter_parts(
    table: Table, options: ReadOptions, missing: UnknownPolicy, hint: str, *, chunk_bytes: int
) -> Iterator[tuple[Rows, FirstFault | None]]:
    """Yield a table in parts: its first column as labels, numbers in the others.

    With each part comes why the first column is no column of numbers, so far. A missing cell is
    refused with the hint where it is an error, else kept.
    """
    first, *others = table.taken
    layout = table.lay_out(
        options,
        label=first,
        kept=() if table.picked is None else table.picked.kept,
        features=others,
        missing="error" if missing == "error" else "keep",
        hint=hint,
    )
    fault = None
    for chunk in table.iter_chunks(layout, chunk_bytes=chunk_bytes):
        # The path is bound here, as each chunk has its own.
        def refuse(reject: Reject, path: str = chunk.path) -> None:
            raise reject.in_matrix(layout.names).as_error(path)

        rows = parse_sound(layout, chunk, refuse)
        fault = fault or _find_fault(layout, chunk, rows.labels)
        yield rows, fault


def make_matrix(
    table: Table, options: ReadOptions, labels: list[Any], rest: Floats, fault: FirstFault | None
) -> Matrix:
    """Return the matrix of a table whose first column is given as text, in parts."""
    first = tuple(join([Texts.from_strings([]), *labels]))
    values, grammar = None, options.grammar
    if fault is None:
        values = np.array([np.nan if grammar.is_missing(t) else grammar.read(t) for t in first])
    return Matrix(table.side(options, first), values, rest, fault)


def _find_fault(layout: Layout, chunk: Chunk | FrameChunk, labels: Any) -> FirstFault | None:
    """Return why the first column is no column of numbers; None where it is one so far."""
    grammar = Grammar(layout.decimal, layout.missing_values)
    for i, cell in enumerate(labels):
        is_missing = grammar.is_missing(cell)
        if layout.missing == "error" if is_missing else not grammar.is_number(cell):
            return partial(_explain_first, layout, chunk, i, cell, is_missing=is_missing)
    return None


def _explain_first(layout: Layout, *cell: Any, is_missing: bool) -> InputError:
    from matscore.read.faults import explain_first_cell

    return explain_first_cell(layout, *cell, is_missing=is_missing)
