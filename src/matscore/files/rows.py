"""Rows that are already typed columns: Parquet, Arrow, or a matrix turned in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from matscore.errors import InputError
from matscore.files.parse import Layout, ParsedRows, Reject, parse_chunk
from matscore.files.split import Chunk
from matscore.grammar import Grammar
from matscore.kernel import Texts, write_number
from matscore.product import Floats


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
    """

    path: str
    columns: Mapping[int, Any]
    line: int
    row: int
    n_records: int


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
    values: list[Floats] = []
    absent = np.zeros(chunk.n_records, dtype=bool)
    rejects: dict[int, Reject] = {}
    for i in layout.feature_columns:
        column = _read_numbers(layout, chunk, i)
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
        values.append(column)
    texts = {i: _read_text(layout, chunk, i) for i in layout.text_columns}
    rows = None
    if rejects:
        rows = np.setdiff1d(np.arange(chunk.n_records), list(rejects))
        texts = {i: column.take(rows) for i, column in texts.items()}
        values, absent = [column[rows] for column in values], absent[rows]
    return ParsedRows(
        texts,
        values,
        chunk.n_records - len(rejects),
        absent if layout.missing == "keep" and absent.any() else None,
        rows,
        [rejects[i] for i in sorted(rejects)],
    )


def _read_numbers(layout: Layout, chunk: FrameChunk, i: int) -> Floats:
    column = chunk.columns[i]
    if isinstance(column, np.ndarray):
        return column
    from matscore.files.typed import feature_column

    return feature_column(column, path=chunk.path, column_number=i + 1, name=layout.name_of(i))


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
    return Reject(chunk.line + at, column + 1, layout.name_of(column), error, hint, text)
