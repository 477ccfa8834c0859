"""``classify``: rows into scores and the category that scores highest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from matscore.frame import Frame, Kind, Labels
from matscore.kernel import Choices, Column, Texts
from matscore.model import Model
from matscore.numerics.scores import Scored, score_rows
from matscore.options import ScoreOptions
from matscore.run.work import Fault, Preview, Rows

if TYPE_CHECKING:
    from matscore.numerics.statistics import ScoreStatistics
    from matscore.options import Gather

OVERFLOW = ("the scores overflow", "the features or the weights are too large for float64")
"""What is wrong with a row whose scores no float64 can hold, and what to do."""


def find_overflow(scored: Scored) -> list[Fault]:
    """Return the rows whose scores overflow."""
    return [Fault(row, *OVERFLOW) for row in np.flatnonzero(scored.decision.overflow).tolist()]


@dataclass(frozen=True)
class ScoreColumns:
    """The columns of a score table.

    Attributes
    ----------
    label_name : str
        Name of the label column.
    kept_names : tuple of str
        Names of the columns carried through.
    categories : tuple of str
        Names of the score columns.
    numbered : bool
        Whether labels are row numbers.
    scores, prediction, probabilities, margin : bool
        Which columns there are.
    """

    label_name: str
    kept_names: tuple[str, ...]
    categories: tuple[str, ...]
    numbered: bool = False
    scores: bool = True
    prediction: bool = True
    probabilities: bool = False
    margin: bool = False

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of the score columns; none when they are left out."""
        return self.categories if self.scores else ()

    @property
    def probability_names(self) -> tuple[str, ...]:
        """Names of the probability columns."""
        return tuple(f"probability_{c}" for c in self.categories) if self.probabilities else ()

    @property
    def shaded(self) -> tuple[tuple[str, ...], ...]:
        """Columns whose numbers are shaded by one measure; marks are of the first of them."""
        return self.score_names, self.probability_names

    @cached_property
    def pairs(self) -> list[tuple[str, Kind]]:
        """Names and kinds of the columns, in order."""
        texts = ("prediction",) * self.prediction
        last = [*self.probability_names, *("margin",) * self.margin]
        found: list[tuple[str, Kind]] = [(self.label_name, "whole" if self.numbered else "text")]
        found += [(name, "text") for name in self.kept_names]
        found += [(name, "number") for name in self.score_names]
        found += [(name, "text") for name in texts]
        return [*found, *((name, "number") for name in last)]


@dataclass(frozen=True)
class ScoreTally:
    """Counts of scored rows.

    Attributes
    ----------
    categories : tuple of str
        In the weights' order.
    n_ties, n_missing, n_empty : int
        Rows that tie, that have a missing value, that have no prediction.
    won : ndarray of shape (n_categories,), int64
        Rows that each category won.
    statistics : ScoreStatistics or None
        Where they are asked for.
    """

    NAMES: ClassVar = ("rows_tied", "rows_missing", "rows_without_prediction", "rows_a_category")

    categories: tuple[str, ...]
    n_ties: int
    n_missing: int
    n_empty: int
    won: NDArray[np.int64]
    statistics: ScoreStatistics | None = None

    def __add__(self, other: ScoreTally) -> ScoreTally:
        statistics = None
        if self.statistics is not None and other.statistics is not None:
            statistics = self.statistics + other.statistics
        return ScoreTally(
            self.categories,
            self.n_ties + other.n_ties,
            self.n_missing + other.n_missing,
            self.n_empty + other.n_empty,
            self.won + other.won,
            statistics,
        )

    @property
    def counts(self) -> dict[str, int]:
        """Rows that each category won, in the weights' order."""
        return dict(zip(self.categories, self.won.tolist(), strict=True))

    def facts(self) -> dict[str, Any]:
        """Return the counts by their names in the report."""
        values = (self.n_ties, self.n_missing, self.n_empty, self.counts)
        return dict(zip(self.NAMES, values, strict=True))


@dataclass(frozen=True)
class Classify:
    """The work of ``classify``.

    Attributes
    ----------
    model : Model
        Weights, intercept, categories.
    options : ScoreOptions
        What to compute.
    columns : ScoreColumns
        What to write.
    gather : tuple of {"page", "plot"}
        What statistics to gather.
    """

    model: Model
    options: ScoreOptions
    columns: ScoreColumns
    gather: tuple[Gather, ...] = ()

    def zero(self) -> ScoreTally:
        """Return the counts of no rows."""
        categories, statistics = self.model.categories, None
        if self.gather:
            from matscore.numerics.statistics import gather_nothing

            statistics = gather_nothing(self.model, self.gather)
        return ScoreTally(categories, 0, 0, 0, np.zeros(len(categories), np.int64), statistics)

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        n_categories = len(self.model.categories)
        n_held = n_categories * (8 if self.options.probabilities else 3) // 2
        return n_held, len(self.columns.pairs)

    def read_tally(self, facts: Mapping[str, Any]) -> ScoreTally:
        """Return the counts that gave these facts."""
        n_ties, n_missing, n_empty, counts = (facts[name] for name in ScoreTally.NAMES)
        won = np.array([counts[name] for name in self.model.categories], dtype=np.int64)
        return ScoreTally(self.model.categories, n_ties, n_missing, n_empty, won)

    def apply(self, rows: Rows) -> ScoredRows:
        """Score rows and name the best category of each."""
        scored = score_rows(self.model, rows.features, rows.n_rows, self.options)
        return ScoredRows(self, rows, scored, find_overflow(scored))


@dataclass(frozen=True)
class ScoredRows:
    """The outcome of ``classify``.

    Attributes
    ----------
    work : Classify
        What was done.
    rows : Rows
        To what.
    scored : Scored
        What came of it.
    faults : list of Fault
        Rows whose scores overflow.
    """

    work: Classify
    rows: Rows
    scored: Scored
    faults: list[Fault]

    def tally(self) -> ScoreTally:
        """Count the rows."""
        decision, missing = self.scored.decision, self.rows.has_missing
        categories, statistics = self.work.model.categories, None
        if gather := self.work.gather:
            from matscore.numerics.statistics import gather_scores

            rows = self.rows
            statistics = gather_scores(
                list(rows.features), self.scored, rows.numbers, rows.labels, gather
            )
        return ScoreTally(
            categories,
            int(decision.tied.sum()),
            0 if missing is None else int(missing.sum()),
            int((decision.best < 0).sum()),
            np.bincount(decision.best[decision.best >= 0], minlength=len(categories)),
            statistics,
        )

    def frame(self) -> Frame:
        """Return the score table."""
        return make_frame(self.work.columns, self.rows.labels, self.rows.texts, self.scored)

    def preview(self, n_rows: int) -> Preview:
        """Return the first rows, with the highest cells of each marked, both of a tie."""
        marks = self.scored.mark_ties(self.work.model, n_rows)
        features = self.scored.features[:, :n_rows].copy()
        return Preview(self.frame().head(n_rows), marks, self.work, features)


def make_frame(
    columns: ScoreColumns, labels: Labels, kept: Iterable[Texts], scored: Scored
) -> Frame:
    """Put scored rows into the columns of a score table.

    Parameters
    ----------
    columns : ScoreColumns
        The columns.
    labels : Texts or ndarray of int64
        Labels, or row numbers.
    kept : iterable of Texts
        Columns carried through.
    scored : Scored
        The rows' scores.

    Returns
    -------
    Frame
        With the columns of ``columns.pairs``.
    """
    made: dict[str, Column] = {columns.label_name: labels}
    made |= dict(zip(columns.kept_names, kept, strict=True))
    if columns.scores:
        made |= zip(columns.score_names, scored.scores, strict=True)
    if columns.prediction:
        best = scored.decision.best.astype(np.int32)
        made["prediction"] = Choices(best, Texts.from_strings(columns.categories))
    if scored.probabilities is not None:
        made |= zip(columns.probability_names, scored.probabilities, strict=True)
    if columns.margin:
        made["margin"] = scored.decision.margin
    return Frame(made)
