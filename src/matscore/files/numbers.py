"""Columns of cells to float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from matscore.grammar import BLANKS, is_number, read_number

# Polars rounds as Python does, but reads no exponent past about ±655,360: "0.", a million zeros
# and "1e1000001" would come out as 0.0 instead of 1.0. Only a very long text can show that.
_LONG_TEXT = 10_000  # bytes


@dataclass(frozen=True, eq=False)
class ParsedNumbers:
    """A column of cells as numbers.

    Parameters
    ----------
    values : ndarray of float64, shape (n_cells,)
        The numbers; NaN where a cell is missing or bad, finite everywhere else.
    missing : ndarray of bool, shape (n_cells,)
        Empty cells and words for a missing value.
    bad : ndarray of bool, shape (n_cells,)
        Cells that are neither missing nor a number.
    """

    values: npt.NDArray[np.float64]
    missing: npt.NDArray[np.bool_]
    bad: npt.NDArray[np.bool_]


def parse_numbers(
    cells: pl.Series, missing_values: Sequence[str], decimal: str = "."
) -> ParsedNumbers:
    """Read a column of text as float64, each number rounded as Python's ``float`` does.

    Parameters
    ----------
    cells : polars.Series of String, shape (n_cells,)
        The cells; null stands for an empty one.
    missing_values : sequence of str
        Words for a missing cell, compared without the blanks around them. An empty cell is
        always missing.
    decimal : str
        The decimal sign, "." or ",".

    Returns
    -------
    ParsedNumbers
        Values, missing and bad cells, each of shape (n_cells,).

    Examples
    --------
    >>> parsed = parse_numbers(pl.Series([" 1.5", "NA", "5%"]), ["NA"])
    >>> parsed.values.tolist(), parsed.missing.tolist(), parsed.bad.tolist()
    ([1.5, nan, nan], [False, True, False], [False, False, True])
    """
    text = cells.fill_null("")
    words = sorted({word.strip(BLANKS) for word in missing_values} | {""})
    values = _cast(text, decimal)
    # Most cells are plain numbers and done. Where a word such as -999 is one too, none are.
    if any(is_number(word, decimal) for word in words):
        rest = np.ones(len(text), dtype=np.bool_)
    else:
        rest = ~np.isfinite(values)
    missing = np.zeros(len(text), dtype=np.bool_)
    if rest.any():
        stripped = text.filter(pl.Series(rest)).str.strip_chars(BLANKS)
        missing[rest] = stripped.is_in(words).to_numpy()
        values[rest] = _cast(stripped, decimal)
    bad = ~missing & ~np.isfinite(values)
    values[missing | bad] = np.nan
    return ParsedNumbers(values, missing, bad)


def _cast(text: pl.Series, decimal: str) -> npt.NDArray[np.float64]:
    """Read texts without blanks around them; not finite where one is no number.

    Polars accepts this module's grammar and, beyond it, only words for NaN and infinity.
    """
    if decimal != ".":
        text = text.str.replace_all(".", "x", literal=True)
        text = text.str.replace_all(decimal, ".", literal=True)
    values = text.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy(writable=True)
    for i in np.flatnonzero(text.str.len_bytes().to_numpy() > _LONG_TEXT):
        values[i] = read_number(text[int(i)])
    return values
