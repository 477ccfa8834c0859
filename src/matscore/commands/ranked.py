"""The long form: one line a row and rank."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from matscore.frame import Frame, Kind, list_cells, take
from matscore.kernel import Choices, Column, Floats, Masked, Texts
from matscore.run.work import Preview, Rows


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
    def number_names(self) -> tuple[str, ...]:
        """Names of the columns of scores and probabilities."""
        return ("score",) * self.scores + ("probability",) * self.probabilities

    @property
    def shaded(self) -> tuple[tuple[str, ...], ...]:
        """Columns whose numbers are shaded by one measure."""
        return tuple((name,) for name in self.number_names)

    @cached_property
    def pairs(self) -> list[tuple[str, Kind]]:
        """Names and kinds of the columns, in order."""
        found: list[tuple[str, Kind]] = [(self.label_name, "whole" if self.numbered else "text")]
        found += [(name, "text") for name in self.kept_names]
        found += [("rank", "whole"), (self.chosen_name, "text")]
        return [*found, *((name, "number") for name in self.number_names)]


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
        return np.array([rank in (1, None) for rank in list_cells(self.frame["rank"])])


def make_long_frame(columns: RankColumns, rows: Rows, names: Texts, ranked: RankedRows) -> Frame:
    """Write what has which rank, a line a rank.

    A row of which nothing has a rank still has a line: nothing disappears. Its rank is empty, and
    its score too, or NaN where it has none.

    Parameters
    ----------
    columns : RankColumns
        The columns.
    rows : Rows
        The rows.
    names : Texts
        What the indices stand for.
    ranked : RankedRows
        The ranks.

    Returns
    -------
    Frame
        With the columns of ``columns.pairs``.
    """
    lines = np.maximum(ranked.counts, 1)
    starts = np.cumsum(lines) - lines
    row = np.repeat(np.arange(rows.n_rows), lines)
    there = (ranked.counts > 0)[row]
    chosen = np.full(len(row), -1, np.int32)
    chosen[there] = ranked.chosen
    made: dict[str, Column] = {columns.label_name: take(rows.labels, row)}
    kept = zip(columns.kept_names, rows.texts, strict=True)
    made |= {name: texts.take(row) for name, texts in kept}
    made["rank"] = _blank(np.arange(1, len(row) + 1) - starts[row], there)
    made[columns.chosen_name] = Choices(chosen, names)
    for name, values in zip(columns.number_names, ranked.numbers, strict=True):
        numbers = np.full(len(row), np.nan)
        numbers[there] = values
        made[name] = _blank(numbers, there | ranked.undefined[row])
    return Frame(made)


def _blank(values: NDArray[np.int64] | Floats, there: NDArray[np.bool_]) -> Column:
    """Return values with nothing where none is."""
    return values if there.all() else Masked(values, ~there)
