"""The work of ``evaluate``: truths are read and compared with what is predicted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matscore.commands.output import find_faults
from matscore.frame import find_places
from matscore.kernel import Texts, read_number
from matscore.model import Model, score_rows
from matscore.names import fold_name, quote_name
from matscore.numerics.binary import (
    MOST_NEGATIVES,
    Against,
    BinaryCounts,
    count_binary,
    count_single,
    measure_binary,
)
from matscore.numerics.metrics import Counts, Metrics, count_rows
from matscore.options import ScoreOptions
from matscore.read.rows import Rows
from matscore.run.paired import PairedRows
from matscore.run.work import Counted, Fault, Tally, Work
from matscore.spelling import explain_difference, find_close, suggest


@dataclass(frozen=True)
class EvaluateTally(Tally):
    """What is counted of evaluated rows.

    Attributes
    ----------
    counts : Counts
        Whole numbers, which add up exactly.
    n_ties : int
        Rows whose best score is a tie.
    binary : BinaryCounts or None
        Counts of categories that are compared with the rest, and which these are.
    """

    NAMES = ("rows_tied", "rows_without_prediction", "rows_a_category", "evaluation")
    KEPT = ("against",)

    counts: Counts
    n_ties: int = 0
    binary: BinaryCounts | None = None
    against: Against = Against()

    @cached_property
    def metrics(self) -> Metrics:
        """The measures made from the counts."""
        if self.binary is None:
            return Metrics(self.counts)
        # Once: it reads what may lie in a file.
        measures = measure_binary(self.against, self.binary, self.counts.confusion)
        if not self.against.single:
            return Metrics(self.counts, measures)
        return Metrics(count_single(measures[0], self.binary), measures)

    @property
    def n_positive(self) -> int:
        """Rows whose truth is the positive one, of a single category."""
        binary = self.binary
        return 0 if binary is None else int((binary.truths + binary.unscored)[0, 1])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before the measures are used."""
        if not self.against.single or self.n_positive or not self.metrics.n_rows:
            return ()
        (name,), negatives = self.against.names, self.metrics.one_vs_rest[0].negatives
        more = ", …" if len(negatives) > MOST_NEGATIVES else ""
        shown = ", ".join(map(quote_name, negatives[:MOST_NEGATIVES]))
        return (f"no row has the truth {quote_name(name)}; there are {shown}{more}",)

    def list_facts(self) -> tuple[Any, ...]:
        """Return the values that `NAMES` name."""
        metrics = self.metrics
        won = dict(zip(metrics.categories, metrics.predicted.tolist(), strict=True))
        return self.n_ties, metrics.n_unpredicted, won, metrics.facts()


@dataclass(frozen=True)
class Evaluate(Work):
    """The work of ``evaluate``."""

    model: Model
    weights_path: str  # for messages
    missing_values: tuple[str, ...]  # truths that count as missing, unless they are categories
    skips: bool = False  # whether a row without a truth is set aside by request
    truth_column: int | None = None  # of the features file; None where it is in a second table
    against: Against = Against()
    beside: PairedRows | None = None  # the records of that table

    def zero(self) -> EvaluateTally:
        """Return the counts of no rows."""
        scores, none = np.empty((len(self.model.categories), 0)), np.empty(0, np.int64)
        against = self.against
        binary = count_binary(against, self.model, scores, none) if against.names else None
        return EvaluateTally(count_rows(self.model, scores, none, none), 0, binary, against)

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        # Probabilities, losses and ranks; and truth, prediction, confidence and their like.
        return 6 * len(self.model.categories) + 12 * len(self.against.names) + 16, 0

    def apply(self, rows: Rows) -> Counted:
        """Score rows and compare the predictions with the truth."""
        texts, faults = self._read_truth(rows)
        known = {fault.row for fault in faults}
        find = self._find_positive if self.against.single else self._find_categories
        truth, strange, negatives = find(texts, known)
        scored = score_rows(self.model, rows.features, ScoreOptions())
        # One fault a row: an overflow is told before a truth that is wrong.
        found = {fault.row: fault for fault in (*faults, *strange)}
        found |= {fault.row: fault for fault in find_faults(self.model, scored)}
        if found:
            return Counted(None, list(found.values()))
        against, decision = self.against, scored.decision
        n_ties, binary = int(decision.tied.sum()), None
        if against.names:
            binary = count_binary(against, self.model, scored.scores, truth, tuple(negatives))
        # What a single category predicts depends on a threshold, maybe the best of all rows.
        some = slice(0 if against.single else None)
        counts = count_rows(self.model, scored.scores[:, some], decision.best[some], truth[some])
        return Counted(EvaluateTally(counts, n_ties, binary, against))

    def _read_truth(self, rows: Rows) -> tuple[Texts, list[Fault]]:
        if self.beside is None:
            return rows.texts[0], []
        frame = self.beside.of(rows)
        return self.beside.texts_of(frame), self.beside.find_faults(frame)

    def _find_categories(
        self, texts: Texts, known: set[int]
    ) -> tuple[NDArray[np.int64], list[Fault], set[str]]:
        """Return the index of each truth, and the rows whose truth is no category."""
        truth = find_places(texts, self.model.categories)
        rows = [row for row in np.flatnonzero(truth < 0).tolist() if row not in known]
        # Each wrong word is looked at once: finding what is near takes long.
        whats = {text: self._explain(text) for text in {texts[row] for row in rows}}
        found = [self._fault(row, *whats[texts[row]]) for row in rows]
        # These rows are refused and the work done anew, so any category will do.
        return np.maximum(truth, 0), found, set()

    def _find_positive(
        self, texts: Texts, known: set[int]
    ) -> tuple[NDArray[np.int64], list[Fault], set[str]]:
        """Return 0 for positive rows and -1 for others, rows in doubt, and the others' truths."""
        words = list(texts)
        truth = find_places(texts, self.against.names)
        others = set(words) - set(self.against.names)
        doubts = {text: doubt for text in others if (doubt := self._doubt(text)) is not None}
        rows = [row for row, text in enumerate(words) if text in doubts and row not in known]
        return truth, [self._fault(row, *doubts[words[row]]) for row in rows], others

    def _doubt(self, text: str) -> tuple[str, str, bool] | None:
        """Say why a truth that is not the positive one is no negative one either."""
        if text == "" or text in self.missing_values:
            return self._explain(text)
        (positive,) = self.against.names
        hidden = fold_name(text) == fold_name(positive)
        reason, number = explain_difference(text, positive) if hidden else "", read_number(text)
        if not reason and number is not None and number == read_number(positive):
            reason = "is the same number"
        if not reason:
            return None
        what = f"{quote_name(text)} is not {quote_name(positive)}, the positive truth: it {reason}"
        return what, f"write them alike, or say --positive {quote_name(text)}", False

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
