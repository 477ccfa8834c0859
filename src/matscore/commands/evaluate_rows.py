"""``evaluate``: rows whose truth is known into counts of how well they are predicted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from matscore.commands.beside import Beside
from matscore.commands.classify_rows import find_overflow
from matscore.frame import Frame, find_places
from matscore.kernel import Texts
from matscore.model import Model
from matscore.names import find_close, quote_name, suggest
from matscore.numerics.metrics import Counts, Metrics, count_rows, no_counts
from matscore.numerics.scores import Scored, score_rows
from matscore.options import ScoreOptions
from matscore.run.work import Fault, Preview, Rows


@dataclass(frozen=True)
class EvaluateTally:
    """What is counted of evaluated rows.

    Attributes
    ----------
    counts : Counts
        Whole numbers, which add up exactly.
    n_ties : int
        Rows whose best score is a tie.
    """

    NAMES: ClassVar = ("rows_tied", "rows_without_prediction", "rows_a_category", "evaluation")

    counts: Counts
    n_ties: int = 0

    def __add__(self, other: EvaluateTally) -> EvaluateTally:
        return EvaluateTally(self.counts + other.counts, self.n_ties + other.n_ties)

    @property
    def metrics(self) -> Metrics:
        """The measures made from the counts."""
        return Metrics(self.counts)

    def facts(self) -> dict[str, Any]:
        """Return the counts by their names in the report."""
        metrics = self.metrics
        won = dict(zip(metrics.categories, metrics.predicted.tolist(), strict=True))
        values = (self.n_ties, metrics.n_unpredicted, won, metrics.facts())
        return dict(zip(self.NAMES, values, strict=True))


@dataclass(frozen=True)
class Evaluate:
    """The work of ``evaluate``.

    Attributes
    ----------
    model : Model
        Weights, intercept, categories.
    weights_path : str
        Where they come from, for messages.
    missing_values : tuple of str
        Truths that count as missing, besides empty ones, unless they are categories.
    skips : bool
        Whether a row without a truth is set aside by request.
    truth_column : int or None
        Index of the truth in the features file; None where it is in a second table.
    beside : Beside or None
        The records of that table.
    """

    model: Model
    weights_path: str
    missing_values: tuple[str, ...]
    skips: bool = False
    truth_column: int | None = None
    beside: Beside | None = None

    def zero(self) -> EvaluateTally:
        """Return the counts of no rows."""
        return EvaluateTally(no_counts(self.model.categories))

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        # Probabilities, losses and ranks; and truth, prediction, confidence and their like.
        return 6 * len(self.model.categories) + 16, 0

    def apply(self, rows: Rows) -> EvaluatedRows:
        """Score rows and compare the predictions with the truth."""
        texts, faults = self._read_truth(rows)
        truth, strange = self._find_categories(texts, {fault.row for fault in faults})
        scored = score_rows(self.model, rows.features, rows.n_rows, ScoreOptions())
        found = {fault.row: fault for fault in faults} | {fault.row: fault for fault in strange}
        found |= {fault.row: fault for fault in find_overflow(scored)}
        return EvaluatedRows(self.model.categories, truth, scored, list(found.values()))

    def _read_truth(self, rows: Rows) -> tuple[Texts, list[Fault]]:
        if self.beside is None:
            return rows.texts[0], []
        frame = self.beside.of(rows)
        return self.beside.texts_of(frame), self.beside.find_faults(frame)

    def _find_categories(
        self, texts: Texts, known: set[int]
    ) -> tuple[NDArray[np.int64], list[Fault]]:
        """Return the index of each truth, and the rows whose truth is no category."""
        truth = find_places(texts, self.model.categories)
        rows = [row for row in np.flatnonzero(truth < 0).tolist() if row not in known]
        whats = {text: self._explain(text) for text in {texts[row] for row in rows}}
        found = [self._fault(row, *whats[texts[row]]) for row in rows]
        return np.maximum(truth, 0), found

    def _explain(self, text: str) -> tuple[str, str, bool]:
        if text == "" or text in self.missing_values:
            return "the truth is missing", "--missing skip leaves such rows out", self.skips
        (found,) = find_close([text], self.model.categories)
        hint = suggest([replace(found, close=found.close[:1])]) or "the model cannot know it"
        return f"{quote_name(text)} is no category of {self.weights_path}", hint, False

    def _fault(self, row: int, what: str, hint: str, skipped: bool) -> Fault:
        if self.beside is not None:
            what = f"{self.beside.path}: {what}"
        return Fault(row, what, hint, self.truth_column, skipped)


@dataclass(frozen=True)
class EvaluatedRows:
    """The outcome of ``evaluate``.

    Attributes
    ----------
    categories : tuple of str
        In the weights' order.
    truth : ndarray of shape (n_rows,), int64
        Index of each row's truth.
    scored : Scored
        Its scores.
    faults : list of Fault
        Rows to refuse.
    """

    categories: tuple[str, ...]
    truth: NDArray[np.int64]
    scored: Scored
    faults: list[Fault]

    def tally(self) -> EvaluateTally:
        """Count the rows."""
        decision = self.scored.decision
        counts = count_rows(self.categories, self.scored.scores, decision.best, self.truth)
        return EvaluateTally(counts, int(decision.tied.sum()))

    def frame(self) -> Frame:
        """Return no rows: what is written comes at the end."""
        return Frame({})

    def preview(self, n_rows: int) -> Preview:
        """Return nothing, as there are no rows."""
        del n_rows
        return Preview(Frame({}))
