"""Tables: an input whose header is known and whose records can be read.

A table is a delimited text or a columnar file; `iter_table` gives its chunks and `read_matrix` all
of it.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np

from matscore.errors import FileError, InputError
from matscore.files.cloud import full_path
from matscore.files.columnar import ColumnarFile, iter_parquet, open_columnar
from matscore.files.hints import explain_number
from matscore.files.parse import Layout, MissingPolicy, ParsedRows, Reject
from matscore.files.recognise import find_delimiter
from matscore.files.records import cut_record, find_starts, first_record_end, split_cells
from matscore.files.rows import FrameChunk, parse_rows, parse_sound
from matscore.files.source import CHANGED, Source, Stamp, open_source
from matscore.files.split import MAX_RECORD_BYTES, Chunk, iter_chunks
from matscore.frame import join
from matscore.grammar import MISSING_VALUES, Grammar
from matscore.kernel import Fault, Floats, Texts, parse
from matscore.matrix import Matrix
from matscore.plan import Side
from matscore.plan.labels import judge_first_record

_SNIFFED_RECORDS = 10
_FRAME_CELLS = 2**19


@dataclass(frozen=True)
class ReadOptions:
    """How inputs are read.

    Attributes
    ----------
    delimiter : str or None
        One character; None finds it in the header.
    encoding : str or None
        Name of the text encoding; None is UTF-8.
    headers : bool or None
        Whether the first record is a header; None looks whether all its cells are numbers.
    decimal : str
        The decimal mark, a point or a comma.
    missing : {"error", "skip", "zero", "keep"}
        What a missing cell means.
    missing_values : tuple of str
        Cells that count as missing, besides empty ones.
    """

    delimiter: str | None = None
    encoding: str | None = None
    headers: bool | None = None
    decimal: str = "."
    missing: MissingPolicy = "error"
    missing_values: tuple[str, ...] = MISSING_VALUES

    @property
    def grammar(self) -> Grammar:
        """What a cell is."""
        return Grammar(self.decimal, self.missing_values)


@dataclass
class Table:
    """An open table.

    Attributes
    ----------
    source : Source
        Where its bytes come from.
    names : tuple of str, or None
        The header's cells.
    width : int
        Columns.
    n_rows : int or None
        Records after the header, where that is known without reading them.
    guessed : bool
        Whether there is a header was found by looking at it.
    delimiter : str
        Between the cells of a text.
    start, line : int
        Byte of the head and physical line at which the records start.
    columnar : ColumnarFile or None
        The file, where it is not text.
    first_record : tuple of str or None
        The cells of the first record of a text, whether it is a header or data.
    keys : tuple of (str, str)
        Names and values of further columns, which are the same in every record: the folders in
        which the file lies.
    """

    source: Source
    names: tuple[str, ...] | None
    width: int
    n_rows: int | None = None
    guessed: bool = False
    delimiter: str = ","
    start: int = 0
    line: int = 1
    columnar: ColumnarFile | None = None
    first_record: tuple[str, ...] | None = None
    keys: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> str:
        """The input as it was given."""
        return self.source.path

    def close(self) -> None:
        """Close the input; standard input stays open."""
        if self.columnar is not None:
            self.columnar.close()
        self.source.close()

    def park(self) -> None:
        """Close the input until it is read, unless it cannot be opened again."""
        if self.columnar is not None and self.source.size is not None:
            self.columnar.close()
        self.source.park()

    def find_place(self) -> Place | None:
        """Return where another process finds the records; None for a pipe."""
        source, stamp = self.source, self.source.stamp
        if stamp is None:
            return None
        return Place(
            replace(stamp, path=full_path(stamp.path)),
            source.opening.encoding,
            source.opening.checksum,
            self.start,
            self.delimiter,
            self.start,
            self.line,
            self.width,
        )

    def wake(self) -> None:
        """Open the input again where it is parked.

        Raises
        ------
        FileError
            It cannot be opened, or has changed.
        """
        parked = self.source.is_parked
        self.source.wake()
        if parked and self.columnar is not None and self.source.kind != "csv":
            stream = self.source.open_stream()
            self.columnar = open_columnar(self.path, stream, self.source.kind)


@dataclass(frozen=True)
class Place:
    """Where a table's records are, for another process to read them.

    Attributes
    ----------
    stamp : Stamp
        The file, by a name that holds in every folder.
    encoding : str or None
        As in `ReadOptions`.
    checksum : bool
        Whether to compute the sha256 of what is read.
    n_head : int
        Bytes of text that hold the header.
    delimiter, start, line
        As in `Table`.
    width : int
        As in `Table`.
    """

    stamp: Stamp
    encoding: str | None
    checksum: bool
    n_head: int
    delimiter: str
    start: int
    line: int
    width: int

    def open(self) -> Table:
        """Open the table.

        Raises
        ------
        FileError
            It cannot be opened, or has changed.
        """
        path = self.stamp.path
        source = open_source(path, encoding=self.encoding, checksum=self.checksum)
        with contextlib.ExitStack() as stack:
            stack.callback(source.close)
            if source.stamp != self.stamp:
                raise FileError(path, *CHANGED)
            while len(source.head) < self.n_head and source.extend_head():
                pass
            table = Table(
                source, None, self.width, delimiter=self.delimiter, start=self.start, line=self.line
            )
            if source.kind != "csv":
                table.columnar = open_columnar(path, source.open_stream(), source.kind)
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
    """Open an input and read its header.

    Parameters
    ----------
    path : str
        A file, or ``-`` for standard input.
    options : ReadOptions
        How to read it.
    checksum : bool
        Whether to compute the sha256 of what is read.
    keys : tuple of (str, str)
        Further columns, for a file with a header; the file's own come first where a name is both.
    values : set of str
        Of a file of pairs, what its second column may hold, so that a header can be told.

    Returns
    -------
    Table
        Ready to be read once.

    Raises
    ------
    FileError
        It cannot be read.
    InputError
        It is not a table, or its header is damaged.
    """
    source = open_source(path, encoding=options.encoding, checksum=checksum)
    with contextlib.ExitStack() as stack:
        stack.callback(source.close)
        table = _look_at(source, options, values)
        names = table.names
        table.keys = tuple(key for key in keys if names is not None and key[0] not in names)
        stack.pop_all()
    return table


def _look_at(source: Source, options: ReadOptions, values: Set[str]) -> Table:
    path = source.path
    if source.kind != "csv":
        file = open_columnar(path, source.open_stream(), source.kind)
        return Table(source, file.names, len(file.names), file.n_rows, columnar=file)
    end = _first_record_end(source)
    if not source.head[:end].strip(b" \r\n"):
        raise InputError(path, "the first line is blank", "remove it", line=1)
    delimiter = options.delimiter or _sniff_delimiter(source, options.decimal)
    record = source.head[:end]
    cells = _header_cells(source, record, delimiter)
    headers = options.headers
    if headers is None:  # a doubtful one is read as a header, until the plan has the other side
        headers = judge_first_record(cells, options.grammar, values=values) != "data"
    names, guessed = tuple(cells), options.headers is None
    if not headers:
        return Table(
            source, None, len(names), None, guessed, delimiter=delimiter, first_record=names
        )
    line = 1 + record.count(b"\n")
    return Table(source, names, len(names), None, guessed, delimiter, end, line, first_record=names)


def iter_table(
    table: Table, layout: Layout, *, chunk_bytes: int, row: int = 0
) -> Iterator[Chunk | FrameChunk]:
    """Yield the table's records in chunks.

    Parameters
    ----------
    table : Table
        Read from where it is; once.
    layout : Layout
        The columns that are needed.
    chunk_bytes : int
        Size of a chunk aimed at.
    row : int
        Records of earlier inputs.

    Yields
    ------
    Chunk or FrameChunk
        In order.
    """
    table.wake()
    if table.columnar is None:
        blocks = table.source.iter_blocks(table.start)
        yield from iter_chunks(
            table.path,
            blocks,
            delimiter=table.delimiter,
            chunk_bytes=chunk_bytes,
            line=table.line,
            row=row,
            offset=table.source.n_mark + table.start,
        )
        return
    used = _used_columns(layout)
    tables = table.columnar.iter_tables(
        [table.columnar.names[i] for i in used], rows_a_frame(layout, chunk_bytes)
    )
    yield from _number_tables(table.path, tables, used, 0, row)


def iter_parquet_rows(
    path: str, layout: Layout, start: int, stop: int, *, chunk_bytes: int, row: int
) -> Iterator[FrameChunk]:
    """Yield some rows of a Parquet file in chunks.

    Parameters
    ----------
    path : str
        The file.
    layout : Layout
        The columns that are needed.
    start, stop : int
        The rows.
    chunk_bytes : int
        Size of a chunk aimed at.
    row : int
        Records of earlier inputs.

    Yields
    ------
    FrameChunk
        In order.
    """
    used, names = _used_columns(layout), layout.own.names or ()
    tables = iter_parquet(
        path, [names[i] for i in used], start, stop, rows_a_frame(layout, chunk_bytes)
    )
    yield from _number_tables(path, tables, used, start, row)


def rows_a_frame(layout: Layout, chunk_bytes: int) -> int:
    """Return the rows of a chunk of typed columns."""
    return max(1, min(_FRAME_CELLS, chunk_bytes // 8) // len(_used_columns(layout)))


def _used_columns(layout: Layout) -> list[int]:
    return sorted({*layout.own.text_columns, *layout.own.feature_columns}) or [0]


def _number_tables(
    path: str, tables: Iterator[Any], used: list[int], n_done: int, row: int
) -> Iterator[FrameChunk]:
    for table in tables:
        columns = dict(zip(used, table.columns, strict=True))
        yield FrameChunk(path, columns, n_done + 1, row + n_done, table.num_rows)
        n_done += table.num_rows


def read_matrix(
    table: Table,
    options: ReadOptions,
    *,
    chunk_bytes: int,
    is_model: bool = False,
) -> Matrix:
    """Read a whole table into memory: text in its first column, numbers in the others.

    Parameters
    ----------
    table : Table
        Read to its end.
    options : ReadOptions
        How cells read.
    chunk_bytes : int
        Size of the pieces it is read in.
    is_model : bool
        Whether these are weights, of which none may be missing.

    Returns
    -------
    Matrix
        With the first column as text and, where all of it is numbers, as numbers.

    Raises
    ------
    InputError
        A bad cell or record.
    """
    hint = "every weight must be a number" if is_model else Layout.missing_hint
    policy = "error" if is_model else options.missing
    parts = list(iter_parts(table, options, policy, hint, chunk_bytes=chunk_bytes))
    return join_parts(table, options, parts)


def iter_parts(
    table: Table, options: ReadOptions, missing: MissingPolicy, hint: str, *, chunk_bytes: int
) -> Iterator[ParsedRows]:
    """Yield a whole table in parts: text in its first column, numbers in the others.

    Parameters
    ----------
    table : Table
        Read to its end.
    options : ReadOptions
        How cells read.
    missing : {"error", "skip", "zero", "keep"}
        Whether a missing cell is refused (``error``) or kept.
    hint : str
        What is said where one is refused.
    chunk_bytes : int
        Size of the pieces it is read in.

    Yields
    ------
    ParsedRows
        In order.

    Raises
    ------
    InputError
        A bad cell or record.
    """
    layout = Layout(
        table.names,
        table.width,
        0,
        (),
        tuple(range(1, table.width)),
        table.delimiter,
        options.decimal,
        "error" if missing == "error" else "keep",
        options.missing_values,
        hint,
    )
    fault = None
    for chunk in iter_table(table, layout, chunk_bytes=chunk_bytes):
        parsed = _parse_whole(layout, chunk)
        fault = fault or _find_fault(layout, chunk, parsed.texts[0])
        yield replace(parsed, first_fault=fault)


def _find_fault(layout: Layout, chunk: Chunk | FrameChunk, cells: Texts) -> InputError | None:
    """Return why the first column is no column of numbers; None where it is one so far."""
    grammar = Grammar(layout.decimal, layout.missing_values)
    for i, cell in enumerate(cells):
        is_missing = grammar.is_missing(cell)
        if layout.missing == "error" if is_missing else not grammar.is_number(cell):
            return _explain_fault(layout, chunk, i, cell, is_missing=is_missing)
    return None


def _explain_fault(
    layout: Layout, chunk: Chunk | FrameChunk, i: int, cell: str, *, is_missing: bool
) -> InputError:
    if isinstance(chunk, FrameChunk):
        what, hint = "a missing value", layout.missing_hint
        if not is_missing:
            what, hint = explain_number(cell, layout.decimal)
        name = layout.name_of(0)
        return InputError(chunk.path, what, hint, line=chunk.line + i, column=1, name=name)
    starts, lines = find_starts(chunk.data)
    record = cut_record(chunk.data, starts, i)
    alone = replace(chunk, data=record, line=chunk.line + int(lines[i]), n_records=1)
    return _explain_reject(layout, parse_rows(_read_first(layout), alone).rejects[0], chunk.path)


def _read_first(layout: Layout) -> Layout:
    return replace(layout, label_column=None, feature_columns=(0,))


def join_parts(table: Table, options: ReadOptions, parts: list[ParsedRows]) -> Matrix:
    """Return the matrix of all parts of a table, whose list is empty after that.

    A part is freed as soon as it is copied, or the matrix would be held twice.
    """
    rest = np.empty((sum(part.n_rows for part in parts), table.width - 1))
    texts, start = [part.texts[0] for part in parts], 0
    fault = parts[-1].first_fault if parts else None
    while parts:
        part = parts.pop(0)
        for j, values in enumerate(part.features):
            rest[start : start + part.n_rows, j] = values
        start += part.n_rows
    return make_matrix(table, options, texts, rest, fault)


def make_matrix(
    table: Table,
    options: ReadOptions,
    texts: list[Texts],
    rest: Floats,
    fault: InputError | None,
) -> Matrix:
    """Return the matrix of a table whose first column is given as text, in parts."""
    first = tuple(join([Texts.from_strings([]), *texts]))
    values, grammar = None, options.grammar
    if fault is None:
        values = np.array([np.nan if grammar.is_missing(t) else grammar.read(t) for t in first])
    return Matrix(table.path, table.names, first, values, rest, fault)


def _parse_whole(layout: Layout, chunk: Chunk | FrameChunk) -> ParsedRows:
    def refuse(reject: Reject) -> NoReturn:
        raise _explain_reject(layout, reject, chunk.path)

    return parse_sound(layout, chunk, refuse)


def _explain_reject(layout: Layout, reject: Reject, path: str) -> InputError:
    if layout.names is None and reject.line == 1 and reject.column is not None:
        hint = "--no-headers makes data of every file's first line"
        reject = reject._replace(known_hint=hint, cell=None)
    return reject.as_error(path)


def _first_record_end(source: Source) -> int:
    """Return where the second record starts, reading on until it does: twice as much each time."""
    while not (end := first_record_end(source.head)):
        if len(source.head) > MAX_RECORD_BYTES:
            raise InputError(
                source.path, "the first line is longer than 64 MiB", "it is not a table", line=1
            )
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


def side_of(table: Table, options: ReadOptions) -> Side:
    """Return what planning needs to know of a table that is not read yet.

    Parameters
    ----------
    table : Table
        Open, its records unread.
    options : ReadOptions
        How it is read.

    Returns
    -------
    Side
        With the first column and the number of rows where the table is so small that its head is
        all of it.
    """
    first = None
    if table.columnar is None and table.source.is_whole:
        first = _peek_first_column(table)
    names = None if table.names is None else (*table.names, *(name for name, _ in table.keys))
    return Side(
        table.path,
        table.width + len(table.keys),
        names,
        table.n_rows if first is None else len(first),
        first,
        options.grammar,
        table.guessed,
        first_record=table.first_record,
    )


def _peek_first_column(table: Table) -> tuple[str, ...] | None:
    text = table.source.head[table.start :].decode("utf-8", "replace")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=table.delimiter))
    except csv.Error:
        return None
    return tuple(row[0] for row in rows if row)
