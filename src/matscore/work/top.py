"""``classify --top-k``: rows into their best categories, a line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from matscore.frame import Frame
from matscore.kernel import Floats, Ranking, Texts
from matscore.work import Fault, Preview, Rows
from matscore.work.classify import Classify, ScoredRows, ScoreTally
from matscore.work.ranked import RankColumns, RankedPreview, RankedRows, make_long_frame


@dataclass(frozen=True)
class ClassifyTop:
    """The work of ``classify --top-k``.

    Attributes
    ----------
    classify : Classify
        What finds the scores.
    k : int
        Categories a row.
    columns : RankColumns
        What to write.
    names : Texts
        The categories.
    """

    classify: Classify
    k: int
    columns: RankColumns
    names: Texts

    def zero(self) -> ScoreTally:
        """Return the counts of no rows."""
        return self.classify.zero()

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        n_held, _ = self.classify.values_a_row()
        return 2 * n_held, self.k * len(self.columns.pairs)

    def read_tally(self, facts: Mapping[str, Any]) -> ScoreTally:
        """Return the counts that gave these facts."""
        return self.classify.read_tally(facts)

    def apply(self, rows: Rows) -> TopRows:
        """Score rows and rank the categories of each."""
        outcome = self.classify.score(rows, keep=True)
        model, threshold = self.classify.model, self.classify.options.threshold
        return TopRows(self, rows, outcome, outcome.scored.rank(model, self.k, threshold))


@dataclass(frozen=True)
class TopRows:
    """The outcome of ``classify --top-k``.

    Attributes
    ----------
    work : ClassifyTop
        What was done.
    rows : Rows
        To what.
    outcome : ScoredRows
        What ``classify`` makes of them.
    ranking : Ranking
        Their best categories.
    """

    work: ClassifyTop
    rows: Rows
    outcome: ScoredRows
    ranking: Ranking

    @property
    def faults(self) -> list[Fault]:
        """Rows whose scores overflow."""
        return self.outcome.faults

    def tally(self) -> ScoreTally:
        """Count the rows."""
        return self.outcome.tally()

    def frame(self) -> Frame:
        """Return the long table."""
        there = self.ranking.places >= 0
        row, _ = np.nonzero(there)
        chosen, scored = self.ranking.places[there], self.outcome.scored
        numbers: list[Floats] = [scored.scores[chosen, row]] * self.work.columns.scores
        if scored.probabilities is not None:
            numbers.append(scored.probabilities[chosen, row])
        missing = self.rows.has_missing
        undefined = np.zeros(self.rows.n_rows, dtype=bool) if missing is None else missing
        ranked = RankedRows(there.sum(axis=1), chosen, tuple(numbers), undefined)
        return make_long_frame(self.work.columns, self.rows, self.work.names, ranked)

    def preview(self, n_rows: int) -> Preview:
        """Return the lines of the first rows."""
        there = self.ranking.places >= 0
        lines = np.maximum(there.sum(axis=1), 1)
        tied = np.zeros(int(lines.sum()), dtype=bool)
        tied[np.repeat(there.any(axis=1), lines)] = self.ranking.tied[there]
        whole = RankedPreview(self.frame(), n_rows=self.rows.n_rows, tied=tied)
        return whole.head(n_rows)
