"""Rows that are already typed columns: Parquet, Arrow, or a matrix turned in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matscore.errors import InputError
from matscore.files.numbers import parse_numbers
from matscore.files.parse import Layout, ParsedRows, Reject, parse_cells, parse_chunk
from matscore.files.records import find_records, has_misplaced_quote
from matscore.files.split import Chunk
from matscore.files.typed import feature_column, label_text
from matscore.grammar import is_number
from matscore.product import Floats


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
    frame : DataFrame
        Its columns are named by their index in the input.
    line : int
        Row of the input, from 1, at which it starts.
    row : int
        Records before it, over all inputs.
    turned : Turned or None
        Where the cells stand in the file, when its columns are the rows; they then are text, or
        numbers where the file has types.
    """

    path: str
    frame: pl.DataFrame
    line: int
    row: int
    turned: Turned | None = None

    @property
    def n_records(self) -> int:
        """Records in it."""
        return self.frame.height

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
    if isinstance(chunk, Chunk):
        parsed = parse_chunk(own, chunk)
    else:
        parsed = _parse_turned(own, chunk) if _holds_text(own, chunk) else parse_frame(own, chunk)
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
        raise find_first_error(parse, chunk, layout.delimiter, error) from None


def find_first_error(
    check: Callable[[Chunk | FrameChunk, int], object],
    chunk: Chunk | FrameChunk,
    delimiter: str,
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
    delimiter : str
        Between the cells of a text.
    error : InputError
        What `check` raises for the whole chunk.

    Returns
    -------
    InputError
        That of the first record; `error` where none has one by itself.
    """
    n_before = 0
    while halves := _halve(chunk, delimiter):
        for n_records, half in halves:
            try:
                check(half, n_before + n_records)
            except InputError as found:
                error, chunk, n_before = found, half, n_before + n_records
                break
        else:
            break
    return error


def _halve(chunk: Chunk | FrameChunk, delimiter: str) -> tuple[tuple[int, Chunk | FrameChunk], ...]:
    """Cut a chunk in two; return both with the records before them, or nothing if it is one."""
    half = chunk.n_records // 2
    if half == 0:
        return ()
    line, row = chunk.line + half, chunk.row + half
    if isinstance(chunk, FrameChunk):
        rest = replace(chunk, frame=chunk.frame[half:], line=line, row=row)
        return (0, replace(chunk, frame=chunk.frame[:half])), (half, rest)
    if has_misplaced_quote(chunk.data, delimiter):
        return ()
    records = find_records(chunk.data, delimiter)
    at, line = int(records.starts[half]), chunk.line + int(records.lines[half])
    n_rest, offset = chunk.n_records - half, chunk.offset + at
    last = Chunk(chunk.path, chunk.data[at:], line, row, n_rest, offset)
    return (0, replace(chunk, data=chunk.data[:at], n_records=half)), (half, last)


def _add_constants(layout: Layout, path: str, parsed: ParsedRows) -> ParsedRows:
    """Put the constants among the columns of the file."""
    of_file, texts = iter(parsed.features), dict(parsed.texts)
    features = [
        next(of_file) if i < layout.width else np.full(parsed.n_rows, _number_of(layout, path, i))
        for i in layout.feature_columns
    ]
    for i in layout.text_columns:
        if i >= layout.width:
            value = layout.constants[i - layout.width]
            texts[i] = pl.repeat(value, parsed.n_rows, dtype=pl.String, eager=True)
    return replace(parsed, features=features, texts=texts)


def _number_of(layout: Layout, path: str, column: int) -> float:
    text = layout.constants[column - layout.width]
    if not is_number(text, layout.decimal):
        what, hint = f'the folder\'s value "{text}" is not a number', "it is used as a feature"
        raise InputError(path, what, hint, name=layout.name_of(column))
    return float(parse_numbers(pl.Series([text]), (), layout.decimal).values[0])


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
    n_rows = chunk.frame.height
    values: dict[int, Floats] = {}
    absent = np.zeros(n_rows, dtype=bool)
    rejects: dict[int, Reject] = {}
    for i in sorted(layout.feature_columns):  # of a row the first bad cell is named
        column = feature_column(
            chunk.frame[str(i)], path=chunk.path, column=i + 1, name=layout.name_of(i)
        )
        missing = np.isnan(column)
        if layout.missing in ("error", "skip"):
            for at in np.flatnonzero(missing):
                error, hint = "a missing value", layout.missing_hint
                reject = _reject(layout, chunk, int(at), i, error, hint, "")
                rejects.setdefault(int(at), replace(reject, skipped=layout.missing == "skip"))
        for at in np.flatnonzero(np.isinf(column)):
            text, hint = str(column[at]), "only finite numbers can be scored"
            error = f"{text} is not a finite number"
            rejects.setdefault(int(at), _reject(layout, chunk, int(at), i, error, hint, text))
        if layout.missing == "zero":
            column = np.where(missing, 0.0, column)
        else:
            absent |= missing
        values[i] = column
    texts = {
        i: label_text(chunk.frame[str(i)], path=chunk.path, column=i + 1, name=layout.name_of(i))
        for i in layout.text_columns
    }
    if not rejects:
        has_missing = absent if layout.missing == "keep" and absent.any() else None
        features = [values[i] for i in layout.feature_columns]
        return ParsedRows(texts, features, n_rows, has_missing)
    good = np.ones(n_rows, dtype=bool)
    good[list(rejects)] = False
    has_missing = absent[good] if layout.missing == "keep" and absent[good].any() else None
    return ParsedRows(
        {i: series.filter(pl.Series(good)) for i, series in texts.items()},
        [values[i][good] for i in layout.feature_columns],
        int(good.sum()),
        has_missing,
        np.flatnonzero(good),
        [rejects[i] for i in sorted(rejects)],
    )


def _holds_text(layout: Layout, chunk: FrameChunk) -> bool:
    """Say whether the rows are columns of a text file, whose numbers are not read yet."""
    columns = layout.feature_columns
    return chunk.turned is not None and chunk.frame[str(columns[0])].dtype == pl.String


def _parse_turned(layout: Layout, chunk: FrameChunk) -> ParsedRows:
    """Turn rows of text into labels and numbers."""
    from matscore.files.hints import explain_number

    frame, rejects = chunk.frame, []
    values, missing, bad = parse_cells(layout, frame)
    if layout.missing in ("error", "skip"):
        bad |= missing
    good: NDArray[np.bool_] = ~np.any(bad, axis=0)
    in_file_order = np.argsort(layout.feature_columns)
    for at in np.flatnonzero(~good).tolist():
        feature = in_file_order[bad[in_file_order, at].argmax()]
        column = layout.feature_columns[feature]
        text, skipped = frame[at, str(column)], bool(missing[feature, at])
        error, hint = explain_number(text, layout.decimal)
        if skipped:
            error, hint = "a missing value", layout.missing_hint
        reject = _reject(layout, chunk, at, column, error, hint, text)
        rejects.append(replace(reject, skipped=skipped and layout.missing == "skip"))
    if layout.missing == "zero":
        values[missing] = 0.0
    absent: NDArray[np.bool_] = np.any(missing[:, good], axis=0)
    return ParsedRows(
        {i: frame[str(i)].filter(pl.Series(good)) for i in layout.text_columns},
        list(values[:, good]),
        int(good.sum()),
        absent if layout.missing == "keep" and absent.any() else None,
        np.flatnonzero(good),
        rejects,
    )


def _reject(
    layout: Layout, chunk: FrameChunk, at: int, column: int, error: str, hint: str, text: str
) -> Reject:
    return Reject(*chunk.locate(layout, at, column), error, hint, text)
