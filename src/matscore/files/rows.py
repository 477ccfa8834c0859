"""Rows that are already typed columns: Parquet, Arrow, or a matrix turned in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import nan
from typing import Any

import numpy as np

from matscore.errors import InputError
from matscore.files.parse import Layout, ParsedRows, Reject, parse_chunk
from matscore.files.records import find_starts
from matscore.files.split import Chunk
from matscore.grammar import Grammar
from matscore.kernel import Floats, Texts, write_number


@dataclass(frozen=True)
class Turned:
    """Where the cells of rows stand that are columns of their file.

    Attributes
    ----------
    lines : tuple of int
        The physical line of each record of the file, which is a column of the rows.
    names : tuple of str, or None
        The file's header.
    first : int
        Columns of the file before the first row.
    labelled : int
        Columns of the rows before the first record: one where the header's cells are labels.
    """

    lines: tuple[int, ...]
    names: tuple[str, ...] | None
    first: int
    labelled: int

    @property
    def width(self) -> int:
        """Columns of the rows."""
        return len(self.lines) + self.labelled

    def locate(self, row: int, column: int | None) -> tuple[int, int, str | None]:
        """Return line, column and the column's name of a cell, or of a whole row."""
        of_record = column is not None and column >= self.labelled
        line = self.lines[column - self.labelled] if of_record and column is not None else 1
        place = self.first + row
        return line, place + 1, None if self.names is None else self.names[place]


@dataclass(frozen=True)
class FrameChunk:
    """A run of typed rows.

    Attributes
    ----------
    path : str
        The input they come from.
    columns : mapping of int to Texts, ndarray of float64 or pyarrow.Array
        By their index in the input.
    line : int
        Row of the input, from 1, at which it starts.
    row : int
        Records before it, over all inputs.
    n_records : int
        Records in it.
    turned : Turned or None
        Where the cells stand in the file, when its columns are the rows; those of a record that
        has others than numbers are text.
    """

    path: str
    columns: Mapping[int, Any]
    line: int
    row: int
    n_records: int
    turned: Turned | None = None

    def locate(
        self, layout: Layout, row: int, column: int | None
    ) -> tuple[int, int | None, str | None]:
        """Return line, column and name of a cell in the file, or of a whole row."""
        if self.turned is not None:
            return self.turned.locate(self.line - 1 + row, column)
        if column is None:
            return self.line + row, None, None
        return self.line + row, column + 1, layout.name_of(column)


def parse_rows(layout: Layout, chunk: Chunk | FrameChunk) -> ParsedRows:
    """Parse a chunk of either kind.

    Parameters
    ----------
    layout : Layout
        The columns.
    chunk : Chunk or FrameChunk
        Whole records.

    Returns
    -------
    ParsedRows
        Good rows and rejects.

    Raises
    ------
    InputError
        Damage that no row can be blamed for, or a constant feature that is no number.
    """
    own = layout.own
    parsed = parse_chunk(own, chunk) if isinstance(chunk, Chunk) else parse_frame(own, chunk)
    return _add_constants(layout, chunk.path, parsed) if layout.constants else parsed


def parse_sound(
    layout: Layout, chunk: Chunk | FrameChunk, refuse: Callable[[Reject], None]
) -> ParsedRows:
    """Parse a chunk of which rejects may be refused.

    Parameters
    ----------
    layout : Layout
        The columns.
    chunk : Chunk or FrameChunk
        Whole records.
    refuse : callable
        Takes a reject; raises an `InputError` where it stops the run.

    Returns
    -------
    ParsedRows
        Good rows, and rejects that may stand.

    Raises
    ------
    InputError
        That of the first record that is refused, or damaged.
    """

    def parse(part: Chunk | FrameChunk, n_before: int = 0) -> ParsedRows:
        del n_before
        parsed = parse_rows(layout, part)
        for reject in parsed.rejects:
            refuse(reject)
        return parsed

    try:
        return parse(chunk)
    except InputError as error:
        raise find_first_error(parse, chunk, error) from None


def find_first_error(
    check: Callable[[Chunk | FrameChunk, int], object],
    chunk: Chunk | FrameChunk,
    error: InputError,
) -> InputError:
    """Find the error that a chunk would give if each of its records were a chunk of its own.

    Damage is seen before a bad cell is, and a bad cell before scores that overflow, wherever each
    of them stands. Half of the records are looked at, and half of the half that has the error.

    Parameters
    ----------
    check : callable
        Takes a part of the chunk and the number of records before it; raises what is wrong.
    chunk : Chunk or FrameChunk
        Whole records.
    error : InputError
        What `check` raises for the whole chunk.

    Returns
    -------
    InputError
        That of the first record; `error` where none has one by itself.
    """
    n_before = 0
    while halves := _halve(chunk):
        for n_records, half in halves:
            try:
                check(half, n_before + n_records)
            except InputError as found:
                error, chunk, n_before = found, half, n_before + n_records
                break
        else:
            break
    return error


def _halve(chunk: Chunk | FrameChunk) -> tuple[tuple[int, Chunk | FrameChunk], ...]:
    """Cut a chunk in two; return both with the records before them, or nothing if it is one."""
    half = chunk.n_records // 2
    if half == 0:
        return ()
    line, row = chunk.line + half, chunk.row + half
    if isinstance(chunk, FrameChunk):
        first = replace(chunk, columns=_slice(chunk, 0, half), n_records=half)
        n_rest = chunk.n_records - half
        columns = _slice(chunk, half, chunk.n_records)
        rest = replace(chunk, columns=columns, line=line, row=row, n_records=n_rest)
        return (0, first), (half, rest)
    starts, lines = find_starts(chunk.data)
    if len(starts) != chunk.n_records:  # a misplaced quote, and nobody knows what follows
        return ()
    at, line = int(starts[half]), chunk.line + int(lines[half])
    n_rest, offset = chunk.n_records - half, chunk.offset + at
    last = Chunk(chunk.path, chunk.data[at:], line, row, n_rest, offset)
    return (0, replace(chunk, data=chunk.data[:at], n_records=half)), (half, last)


def _slice(chunk: FrameChunk, start: int, stop: int) -> dict[int, Any]:
    rows = np.arange(start, stop)
    return {
        i: column.take(rows) if isinstance(column, Texts) else column[start:stop]
        for i, column in chunk.columns.items()
    }


def _add_constants(layout: Layout, path: str, parsed: ParsedRows) -> ParsedRows:
    """Put the constants among the columns of the file."""
    of_file, texts = iter(parsed.features), dict(parsed.texts)
    features = [
        next(of_file) if i < layout.width else np.full(parsed.n_rows, _number_of(layout, path, i))
        for i in layout.feature_columns
    ]
    for i in layout.text_columns:
        if i >= layout.width:
            value = Texts.from_strings([layout.constants[i - layout.width]])
            texts[i] = value.take(np.zeros(parsed.n_rows, np.int64))
    return replace(parsed, features=features, texts=texts)


def _number_of(layout: Layout, path: str, column: int) -> float:
    text = layout.constants[column - layout.width]
    value = Grammar(layout.decimal).read(text)
    if np.isnan(value):
        what, hint = f'the folder\'s value "{text}" is not a number', "it is used as a feature"
        raise InputError(path, what, hint, name=layout.name_of(column))
    return value


def parse_frame(layout: Layout, chunk: FrameChunk) -> ParsedRows:
    """Turn typed rows into labels and numbers.

    Parameters
    ----------
    layout : Layout
        The columns.
    chunk : FrameChunk
        Rows.

    Returns
    -------
    ParsedRows
        Good rows and rejects.

    Raises
    ------
    InputError
        A feature whose type is not a number's.
    """
    values: dict[int, Floats] = {}
    absent = np.zeros(chunk.n_records, dtype=bool)
    rejects: dict[int, Reject] = {}
    for i in sorted(layout.feature_columns):  # of a row the first bad cell is named
        column = _read_numbers(layout, chunk, i, rejects)
        missing = np.isnan(column)
        if layout.missing in ("error", "skip"):
            for at in np.flatnonzero(missing):
                error, hint = "a missing value", layout.missing_hint
                reject = _reject(layout, chunk, int(at), i, error, hint, "")
                rejects.setdefault(int(at), reject._replace(skipped=layout.missing == "skip"))
        for at in np.flatnonzero(np.isinf(column)):
            text, hint = str(column[at]), "only finite numbers can be scored"
            error = f"{text} is not a finite number"
            rejects.setdefault(int(at), _reject(layout, chunk, int(at), i, error, hint, text))
        if layout.missing == "zero":
            column = np.where(missing, 0.0, column)
        else:
            absent |= missing
        values[i] = column
    texts = {i: _read_text(layout, chunk, i) for i in layout.text_columns}
    features, rows = [values[i] for i in layout.feature_columns], None
    if rejects:
        rows = np.setdiff1d(np.arange(chunk.n_records), list(rejects))
        texts = {i: column.take(rows) for i, column in texts.items()}
        features, absent = [column[rows] for column in features], absent[rows]
    return ParsedRows(
        texts,
        features,
        chunk.n_records - len(rejects),
        absent if layout.missing == "keep" and absent.any() else None,
        rows,
        [rejects[i] for i in sorted(rejects)],
    )


def _read_numbers(layout: Layout, chunk: FrameChunk, i: int, rejects: dict[int, Reject]) -> Floats:
    """Return a column of numbers, NaN where a cell is missing; what is none is a reject."""
    column = chunk.columns[i]
    if isinstance(column, np.ndarray):
        return column
    if not isinstance(column, Texts):
        from matscore.files.typed import feature_column

        return feature_column(column, path=chunk.path, column_number=i + 1, name=layout.name_of(i))
    from matscore.files.hints import explain_number

    grammar = Grammar(layout.decimal, layout.missing_values)
    values = np.array([nan if grammar.is_missing(c) else grammar.read(c) for c in column])
    for at in np.flatnonzero(np.isnan(values)).tolist():
        if not grammar.is_missing(text := column[at]):
            error, hint = explain_number(text, layout.decimal)
            rejects.setdefault(at, _reject(layout, chunk, at, i, error, hint, text))
            values[at] = 0.0  # it is not missing
    return values


def _read_text(layout: Layout, chunk: FrameChunk, i: int) -> Texts:
    column = chunk.columns[i]
    if isinstance(column, Texts):
        return column
    if isinstance(column, np.ndarray):
        return Texts.from_strings(map(write_number, column.tolist()))
    from matscore.files.typed import label_text

    return label_text(column, path=chunk.path, column_number=i + 1, name=layout.name_of(i))


def _reject(
    layout: Layout, chunk: FrameChunk, at: int, column: int, error: str, hint: str, text: str
) -> Reject:
    return Reject(*chunk.locate(layout, at, column), error, hint, text)
