"""The long form: one line a row and rank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matscore.kernel import Floats
from matscore.work import Preview, Rows


@dataclass(frozen=True)
class RankColumns:
    """The columns of a long table.

    Attributes
    ----------
    label_name : str
        Name of the label column.
    kept_names : tuple of str
        Names of the columns carried through.
    chosen_name : str
        Name of the column that says what has the rank.
    numbered : bool
        Whether labels are row numbers.
    scores, probabilities : bool
        Which columns there are.
    """

    label_name: str
    kept_names: tuple[str, ...]
    chosen_name: str
    numbered: bool = False
    scores: bool = True
    probabilities: bool = False

    @property
    def nullable(self) -> tuple[str, ...]:
        """Text columns where nothing is not the same as an empty text."""
        return (self.chosen_name,)

    @property
    def number_names(self) -> tuple[str, ...]:
        """Names of the columns of scores and probabilities."""
        return ("score",) * self.scores + ("probability",) * self.probabilities

    @property
    def shaded(self) -> tuple[tuple[str, ...], ...]:
        """Columns whose numbers are shaded by one measure."""
        return tuple((name,) for name in self.number_names)

    @cached_property
    def pairs(self) -> list[tuple[str, pl.DataType]]:
        """Names and types of the columns, in order."""
        label: pl.DataType = pl.Int64() if self.numbered else pl.String()
        texts = [(name, pl.String()) for name in self.kept_names]
        ranked = [("rank", pl.Int64()), (self.chosen_name, pl.String())]
        numbers = [(name, pl.Float64()) for name in self.number_names]
        return [(self.label_name, label), *texts, *ranked, *numbers]


@dataclass(frozen=True)
class RankedRows:
    """What has which rank, row after row.

    Attributes
    ----------
    counts : ndarray of shape (n_rows,), int64
        Ranks a row.
    chosen : ndarray of shape (counts.sum(),), int64
        Indices of what has them, best first.
    numbers : tuple of ndarray of the same shape, float64
        The values of the columns `RankColumns.number_names`.
    undefined : ndarray of shape (n_rows,), bool
        Rows without scores.
    """

    counts: NDArray[np.int64]
    chosen: NDArray[np.int64]
    numbers: tuple[Floats, ...]
    undefined: NDArray[np.bool_]


@dataclass(frozen=True)
class RankedPreview(Preview):
    """The first rows of an output in the long form.

    Attributes
    ----------
    n_rows : int
        How many they are; their lines are more.
    tied : ndarray of shape (n_lines,), bool
        Lines whose rank a tie settled.
    scores : ndarray of shape (n_rows, n), float64, or None
        All their scores, where they are few.
    """

    n_rows: int = 0
    tied: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    scores: Floats | None = None

    def head(self, n_rows: int) -> RankedPreview:
        """Return the first rows."""
        if n_rows >= self.n_rows:
            return self
        starts = np.flatnonzero(self._begins())
        n_lines = int(starts[n_rows])
        scores = None if self.scores is None else self.scores[:n_rows]
        frame, tied = self.frame.head(n_lines), self.tied[:n_lines]
        return RankedPreview(frame, n_rows=n_rows, tied=tied, scores=scores)

    def _begins(self) -> NDArray[np.bool_]:
        """Mark the lines that are the first of a row."""
        if "rank" not in self.frame.columns:
            return np.ones(self.frame.height, dtype=bool)
        begins: NDArray[np.bool_] = self.frame["rank"].fill_null(1).to_numpy() == 1
        return begins


def list_names(names: Sequence[str]) -> pl.Series:
    """Return names to choose from by their indices, and nothing after the last."""
    return pl.Series([*names, None], dtype=pl.String)


def make_long_frame(
    columns: RankColumns, rows: Rows, names: pl.Series, ranked: RankedRows
) -> pl.DataFrame:
    """Write what has which rank, a line a rank.

    A row of which nothing has a rank still has a line: nothing disappears. Its rank is empty, and
    its score too, or NaN where it has none.

    Parameters
    ----------
    columns : RankColumns
        The columns.
    rows : Rows
        The rows.
    names : Series of str
        What the indices stand for, and nothing after the last.
    ranked : RankedRows
        The ranks.

    Returns
    -------
    DataFrame
        With the columns of ``columns.pairs``.
    """
    lines = np.maximum(ranked.counts, 1)
    starts = np.cumsum(lines) - lines
    row = np.repeat(np.arange(rows.n_rows), lines)
    there = (ranked.counts > 0)[row]
    chosen = np.full(len(row), len(names) - 1)
    chosen[there] = ranked.chosen
    made: dict[str, pl.Series] = {columns.label_name: _gather(rows.labels, row)}
    kept: Iterable[tuple[str, pl.Series]] = zip(columns.kept_names, rows.texts, strict=True)
    made |= {name: _gather(texts, row) for name, texts in kept}
    made["rank"] = _blank(np.arange(1, len(row) + 1) - starts[row], there)
    made[columns.chosen_name] = _gather(names, chosen)
    for name, values in zip(columns.number_names, ranked.numbers, strict=True):
        numbers = np.full(len(row), np.nan)
        numbers[there] = values
        made[name] = _blank(numbers, there | ranked.undefined[row])
    return pl.DataFrame(made)


def _gather(series: pl.Series, places: NDArray[np.int64]) -> pl.Series:
    return series.gather(pl.Series(places))


def _blank(values: NDArray[np.int64] | Floats, there: NDArray[np.bool_]) -> pl.Series:
    """Return values with nothing where none is."""
    series = pl.Series(values)
    if there.all():
        return series
    return pl.select(pl.when(pl.Series(there)).then(series)).to_series()
