"""Rows that are already typed columns: Parquet, Arrow, or a matrix turned in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from matscore.errors import InputError
from matscore.files.numbers import parse_numbers
from matscore.files.parse import Layout, ParsedRows, Reject, parse_chunk
from matscore.files.split import Chunk
from matscore.files.typed import feature_column, label_text
from matscore.grammar import is_number
from matscore.kernel import Floats


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
    """

    path: str
    frame: pl.DataFrame
    line: int
    row: int

    @property
    def n_records(self) -> int:
        """Records in it."""
        return self.frame.height


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
    values: list[Floats] = []
    absent = np.zeros(n_rows, dtype=bool)
    rejects: dict[int, Reject] = {}
    for i in layout.feature_columns:
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
        values.append(column)
    texts = {
        i: label_text(chunk.frame[str(i)], path=chunk.path, column=i + 1, name=layout.name_of(i))
        for i in layout.text_columns
    }
    if not rejects:
        has_missing = absent if layout.missing == "keep" and absent.any() else None
        return ParsedRows(texts, values, n_rows, has_missing)
    good = np.ones(n_rows, dtype=bool)
    good[list(rejects)] = False
    has_missing = absent[good] if layout.missing == "keep" and absent[good].any() else None
    return ParsedRows(
        {i: series.filter(pl.Series(good)) for i, series in texts.items()},
        [column[good] for column in values],
        int(good.sum()),
        has_missing,
        np.flatnonzero(good),
        [rejects[i] for i in sorted(rejects)],
    )


def _reject(
    layout: Layout, chunk: FrameChunk, at: int, column: int, error: str, hint: str, text: str
) -> Reject:
    return Reject(chunk.line + at, column + 1, layout.name_of(column), error, hint, text)
