"""The work of ``explain``: rows taken apart into a line a feature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matscore.commands.output import (
    OVERFLOW,
    ExplainColumns,
    ExplainedRow,
    ExplainPreview,
    find_lacking,
)
from matscore.frame import Frame, find_text, take
from matscore.kernel import Choices, Column, Masked, Texts
from matscore.model import Model, Scored, score_rows
from matscore.numerics.explain import (
    INTERCEPT,
    OTHERS,
    Contributions,
    explain_rows,
    find_runner_up,
)
from matscore.options import (
    ScoreOptions,
)
from matscore.read.rows import Rows
from matscore.run.work import Fault, Outcome, Tally, Work


@dataclass(frozen=True)
class ExplainTally(Tally):
    """Counts of explained rows.

    Attributes
    ----------
    n_explained, n_empty : int
        Rows that have lines; rows without a prediction, which have none.
    near : str or None
        The first label that differs from the one asked for by case and blanks only.
    """

    NAMES = ("rows_explained", "rows_without_prediction")
    KEPT = ("near",)

    n_explained: int = 0
    n_empty: int = 0
    near: str | None = None

    def __add__(self, other: ExplainTally, /) -> ExplainTally:
        return replace(super().__add__(other), near=self.near or other.near)

    def list_facts(self) -> tuple[Any, ...]:
        """Return the values that `NAMES` name."""
        return self.n_explained, self.n_empty


@dataclass(frozen=True)
class Explain(Work):
    """The work of ``explain``."""

    model: Model
    feature_names: tuple[str, ...]  # in canonical order
    n_counting: int  # of these, at most, in a row
    intercept_name: str  # what its line is called
    columns: ExplainColumns
    category: int | None = None  # whose score is taken apart; the predicted one of each row
    versus: int | None = None  # whose score is taken away from it
    top_features: int | None = None  # features with a line of their own
    row: str | None = None  # the only label to explain

    @property
    def line_names(self) -> tuple[str, ...]:
        """Names of the features, then of the other lines, so that their negative numbers fit."""
        # A feature may be called so, too, and two lines of one name could not be told apart.
        others = "(others)"
        while others in self.feature_names:
            others = f"({others})"
        return (*self.feature_names, others, self.intercept_name)

    def zero(self) -> ExplainTally:
        """Return the counts of no rows."""
        return ExplainTally()

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        n_lines = self.n_counting + 2
        n_held = len(self.model.categories) + 8 * self.n_counting
        return n_held, n_lines * len(self.columns.pairs)

    def read_tally(self, facts: Mapping[str, Any]) -> ExplainTally:
        """Return the counts that gave these facts."""
        return ExplainTally(*(facts[name] for name in ExplainTally.NAMES))

    def apply(self, rows: Rows) -> ExplainedRows:
        """Take the scores of rows apart."""
        chosen = self._choose(rows)
        features = [column[chosen] for column in rows.features]
        kept = rows.has_missing if self.model.least_present is None else None
        missing = None if kept is None else kept[chosen]
        scored = score_rows(self.model, features, len(chosen), ScoreOptions())
        categories = self._categories_of(scored, missing)
        versus = None if self.versus is None else np.full(len(chosen), self.versus)
        found = explain_rows(
            self.model, scored.features, categories, versus=versus, top_features=self.top_features
        )
        # A contribution may overflow where no score does: one to a difference, say.
        bad = np.union1d(np.flatnonzero(scored.decision.overflow), found.find_overflow(missing))
        lacking = find_lacking(self.model, scored.features)
        faults = {row: Fault(row, *OVERFLOW) for row in chosen[bad].tolist()}
        faults |= {(row := int(chosen[one.row])): replace(one, row=row) for one in lacking}
        return ExplainedRows(self, rows, chosen, scored, categories, found, [*faults.values()])

    def _choose(self, rows: Rows) -> NDArray[np.int64]:
        if self.row is None:
            return np.arange(rows.n_rows)
        if isinstance(rows.labels, Texts):
            return np.flatnonzero(find_text(rows.labels, self.row))
        # int() takes more than we write: blanks, signs, zeros in front, digits of other scripts.
        is_number = self.row.isascii() and self.row.isdigit() and self.row[0] != "0"
        return np.flatnonzero(rows.labels == (int(self.row) if is_number else 0))

    def _categories_of(
        self, scored: Scored, missing: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        best = scored.decision.best
        if self.category is not None:
            return np.full_like(best, self.category)
        if len(self.model.categories) > 1:
            return best
        # With one category nothing is predicted, and its score is explained all the same.
        return np.zeros_like(best) if missing is None else np.where(missing, -1, 0)


@dataclass(frozen=True)
class ExplainedRows(Outcome):
    """The outcome of ``explain``."""

    work: Explain
    rows: Rows
    chosen: NDArray[np.int64]  # (n_chosen,): the rows that were asked for
    scored: Scored
    categories: NDArray[np.int64]  # (n_chosen,): what is explained; -1 for nothing
    found: Contributions  # its rows are places in `chosen`
    faults: list[Fault]  # rows whose scores overflow

    def tally(self) -> ExplainTally:
        """Count the rows."""
        n_explained = int((self.categories >= 0).sum())
        return ExplainTally(n_explained, len(self.chosen) - n_explained, self._find_near())

    def _find_near(self) -> str | None:
        if self.work.row is None or len(self.chosen):
            return None
        labels, wanted = self.rows.labels, self.work.row.strip().lower()
        texts = labels if isinstance(labels, Texts) else map(str, labels.tolist())
        return next((text for text in texts if text.strip().lower() == wanted), None)

    def frame(self) -> Frame:
        """Return the lines of all rows."""
        work, found = self.work, self.found
        categories = Texts.from_strings(work.model.categories)
        names, summed = work.line_names, found.entries == OTHERS

        def choose(places: NDArray[np.int64]) -> Choices:
            return Choices(places.astype(np.int32), categories)

        made: dict[str, Column] = {
            work.columns.label_name: take(self.rows.labels, self.chosen[found.rows]),
            "category": choose(self.categories[found.rows]),
        }
        if work.versus is not None:
            made["versus"] = choose(np.full(len(found.rows), work.versus))
        features = (found.entries % len(names)).astype(np.int32)
        made["feature"] = Choices(features, Texts.from_strings(names))
        made["value"] = Masked(found.values, summed)
        made["weight"] = Masked(found.weights, summed)
        made["contribution"] = found.contributions
        return Frame(made)

    def preview(self, n_rows: int) -> ExplainPreview:
        """Return the first rows, each beside its rival."""
        shown = range(min(n_rows, len(self.chosen)))
        frame = self.frame().take(np.flatnonzero(self.found.rows < len(shown)))
        return ExplainPreview(frame, rows=tuple(map(self._show, shown)))

    def _show(self, row: int) -> ExplainedRow:
        work, found = self.work, self.found
        here = found.rows == row
        names = work.line_names
        entries = found.entries[here]
        category, rival = int(self.categories[row]), self._rival_of(row)
        scores = self.scored.scores[:, row]
        categories = work.model.categories
        label = self.rows.labels[int(self.chosen[row])]
        return ExplainedRow(
            label if isinstance(label, str) else int(label),
            None if category < 0 else categories[category],
            float(scores[category]) if category >= 0 else math.nan,
            None if rival is None else categories[rival],
            math.nan if rival is None else float(scores[rival]),
            bool(self.scored.decision.tied[row] and self.scored.decision.best[row] == category),
            entries.tolist(),
            [names[entry % len(names)] for entry in entries.tolist()],
            found.values[here].tolist(),
            found.weights[here].tolist(),
            found.contributions[here].tolist(),
            [] if rival is None or work.versus is not None else self._compare(row, rival, entries),
        )

    def _rival_of(self, row: int) -> int | None:
        category, work = int(self.categories[row]), self.work
        if category < 0 or len(work.model.categories) == 1:
            return None
        if work.versus is not None:
            return work.versus
        scores = self.scored.scores[:, [row]]
        return int(find_runner_up(scores, self.categories[[row]])[0])

    def _compare(self, row: int, rival: int, entries: NDArray[np.int64]) -> list[float]:
        """Return each line's contribution to the difference of two scores."""
        found = explain_rows(
            self.work.model,
            self.scored.features[:, [row]],
            self.categories[[row]],
            versus=np.array([rival]),
        )
        parts = dict(zip(found.entries.tolist(), found.contributions.tolist(), strict=True))
        shown = [parts.pop(entry, math.nan) for entry in entries.tolist()]
        # What has no line of its own goes into the others'; the intercept always has one.
        others = math.fsum(part for entry, part in parts.items() if entry != INTERCEPT)
        return [
            others if entry == OTHERS else part
            for entry, part in zip(entries.tolist(), shown, strict=True)
        ]
