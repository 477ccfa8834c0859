"""``classify --top-k``: the best categories of each row, a line each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matscore.commands.classify import Classify, ScoredRows
from matscore.commands.output import (
    RankColumns,
    RankedPreview,
    RankedRows,
    find_faults,
    make_long_frame,
)
from matscore.frame import Frame
from matscore.kernel import Floats, Ranking, Texts
from matscore.model import score_rows
from matscore.read.rows import Rows
from matscore.run.work import Preview


@dataclass(frozen=True, kw_only=True)
class ClassifyTop(Classify):
    """The work of ``classify --top-k``."""

    k: int
    ranks: RankColumns
    names: Texts  # the categories

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        n_held, _ = super().values_a_row()
        # With a threshold, ranks are made from a copy of the scores.
        return 2 * n_held, self.k * len(self.ranks.pairs)

    def apply(self, rows: Rows) -> TopRows:
        """Score rows and rank the categories of each."""
        scored = score_rows(self.model, rows.features, rows.n_rows, self.options)
        ranking = scored.rank(self.model, self.k, self.options.threshold)
        return TopRows(self, rows, scored, find_faults(self.model, scored), ranking)


@dataclass(frozen=True)
class TopRows(ScoredRows):
    """The outcome of ``classify --top-k``."""

    work: ClassifyTop
    ranking: Ranking

    def frame(self) -> Frame:
        """Return the long table."""
        there = self.ranking.places >= 0
        row, _ = np.nonzero(there)
        chosen, scored = self.ranking.places[there], self.scored
        numbers: list[Floats] = [scored.scores[chosen, row]] * self.work.ranks.scores
        if scored.probabilities is not None:
            numbers.append(scored.probabilities[chosen, row])
        if scored.response is not None:
            numbers.append(scored.response[chosen, row])
        missing = self.rows.has_missing if self.work.model.least_present is None else None
        undefined = np.zeros(self.rows.n_rows, dtype=bool) if missing is None else missing
        ranked = RankedRows(there.sum(axis=1), chosen, tuple(numbers), undefined)
        return make_long_frame(self.work.ranks, self.rows, self.work.names, ranked)

    def preview(self, n_rows: int) -> Preview:
        """Return the lines of the first rows."""
        there = self.ranking.places >= 0
        # A row without ranks has one line, in which no tie is marked.
        lines = np.maximum(there.sum(axis=1), 1)
        tied = np.zeros(int(lines.sum()), dtype=bool)
        tied[np.repeat(there.any(axis=1), lines)] = self.ranking.tied[there]
        whole = RankedPreview(self.frame(), n_rows=self.rows.n_rows, tied=tied)
        return whole.head(n_rows)
