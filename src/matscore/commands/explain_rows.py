"""``explain``: rows into what each feature contributed to their scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from matscore.commands.classify_rows import OVERFLOW
from matscore.frame import Frame, Kind, find_absent, take
from matscore.kernel import Choices, Column, Masked, Texts
from matscore.model import Model
from matscore.numerics.explain import (
    INTERCEPT,
    OTHERS,
    Contributions,
    explain_rows,
    find_runner_up,
)
from matscore.numerics.scores import Scored, score_rows
from matscore.options import ScoreOptions
from matscore.run.work import Fault, Preview, Rows


@dataclass(frozen=True)
class ExplainColumns:
    """The columns of an explanation: one line a feature.

    Attributes
    ----------
    label_name : str
        Name of the label column.
    numbered : bool
        Whether labels are row numbers.
    versus : bool
        Whether there is a second category, whose score is taken away.
    """

    label_name: str
    numbered: bool = False
    versus: bool = False

    @property
    def shaded(self) -> tuple[tuple[str, ...], ...]:
        """Columns whose numbers are shaded by one measure."""
        return (("contribution",),)

    @cached_property
    def pairs(self) -> list[tuple[str, Kind]]:
        """Names and kinds of the columns, in order."""
        texts = ["category", *("versus",) * self.versus, "feature"]
        found: list[tuple[str, Kind]] = [(self.label_name, "whole" if self.numbered else "text")]
        found += [(name, "text") for name in texts]
        return [*found, *((name, "number") for name in ("value", "weight", "contribution"))]


@dataclass(frozen=True)
class ExplainTally:
    """Counts of explained rows.

    Attributes
    ----------
    n_explained, n_empty : int
        Rows that have lines; rows without a prediction, which have none.
    near : str or None
        The first label that differs from the one asked for by case and blanks only.
    """

    NAMES: ClassVar = ("rows_explained", "rows_without_prediction")

    n_explained: int = 0
    n_empty: int = 0
    near: str | None = None

    def __add__(self, other: ExplainTally) -> ExplainTally:
        near = other.near if self.near is None else self.near
        return ExplainTally(
            self.n_explained + other.n_explained, self.n_empty + other.n_empty, near
        )

    def facts(self) -> dict[str, Any]:
        """Return the counts by their names in the report."""
        return dict(zip(self.NAMES, (self.n_explained, self.n_empty), strict=True))


@dataclass(frozen=True)
class Explain:
    """The work of ``explain``.

    Attributes
    ----------
    model : Model
        Weights, intercept, categories.
    feature_names : tuple of str
        In canonical order.
    intercept_name : str
        What its line is called.
    columns : ExplainColumns
        What to write.
    category, versus : int or None
        Index of the category to explain, the predicted one without it; of the one to compare with.
    top_features : int or None
        Features with a line of their own.
    row : str or None
        The only label to explain.
    """

    model: Model
    feature_names: tuple[str, ...]
    intercept_name: str
    columns: ExplainColumns
    category: int | None = None
    versus: int | None = None
    top_features: int | None = None
    row: str | None = None

    @property
    def line_names(self) -> tuple[str, ...]:
        """Names of the features, then of the other lines, so that their negative numbers fit."""
        others = "(others)"
        while others in self.feature_names:
            others = f"({others})"
        return (*self.feature_names, others, self.intercept_name)

    def zero(self) -> ExplainTally:
        """Return the counts of no rows."""
        return ExplainTally()

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        n_lines = len(self.feature_names) + 2
        n_held = len(self.model.categories) + 8 * len(self.feature_names)
        return n_held, n_lines * len(self.columns.pairs)

    def read_tally(self, facts: Mapping[str, Any]) -> ExplainTally:
        """Return the counts that gave these facts."""
        return ExplainTally(*(facts[name] for name in ExplainTally.NAMES))

    def apply(self, rows: Rows) -> ExplainedRows:
        """Take the scores of rows apart."""
        chosen = self._choose(rows)
        features = [column[chosen] for column in rows.features]
        missing = None if rows.has_missing is None else rows.has_missing[chosen]
        scored = score_rows(self.model, features, len(chosen), ScoreOptions())
        categories = self._categories_of(scored, missing)
        versus = None if self.versus is None else np.full(len(chosen), self.versus)
        found = explain_rows(
            self.model, scored.features, categories, versus=versus, top_features=self.top_features
        )
        bad = np.union1d(np.flatnonzero(scored.decision.overflow), found.find_overflow(missing))
        faults = [Fault(row, *OVERFLOW) for row in chosen[bad].tolist()]
        return ExplainedRows(self, rows, chosen, scored, categories, found, faults)

    def _choose(self, rows: Rows) -> NDArray[np.int64]:
        if self.row is None:
            return np.arange(rows.n_rows)
        if isinstance(rows.labels, Texts):
            return np.flatnonzero(_find_text(rows.labels, self.row))
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
        return np.zeros_like(best) if missing is None else np.where(missing, -1, 0)


@dataclass(frozen=True)
class ExplainedRow:
    """A row as the screen shows it.

    Attributes
    ----------
    label : str or int
        Its label, or its number.
    category, rival : str or None
        What is explained; what it is compared with. None where there is nothing.
    score, rival_score : float
        Their scores.
    tied : bool
        Whether the category is the prediction, and tied.
    entries, names : list of int, list of str
        Of its lines; see `Contributions`.
    values, weights, contributions, differences : list of float
        Of its lines. The differences are the contributions to the score minus those to the rival's;
        there are none where the contributions themselves are differences.
    """

    label: str | int
    category: str | None
    score: float
    rival: str | None
    rival_score: float
    tied: bool
    entries: list[int]
    names: list[str]
    values: list[float]
    weights: list[float]
    contributions: list[float]
    differences: list[float]


@dataclass(frozen=True)
class ExplainPreview(Preview):
    """The first explained rows; each has several rows of the frame.

    Attributes
    ----------
    rows : tuple of ExplainedRow
        One a row.
    """

    rows: tuple[ExplainedRow, ...] = ()


@dataclass(frozen=True)
class ExplainedRows:
    """The outcome of ``explain``.

    Attributes
    ----------
    work : Explain
        What was done.
    rows : Rows
        To what.
    chosen : ndarray of shape (n_chosen,), int64
        The rows that were asked for.
    scored : Scored
        Their scores.
    categories : ndarray of shape (n_chosen,), int64
        What is explained; -1 for nothing.
    found : Contributions
        What came of it; its rows are places in `chosen`.
    faults : list of Fault
        Rows whose scores overflow.
    """

    work: Explain
    rows: Rows
    chosen: NDArray[np.int64]
    scored: Scored
    categories: NDArray[np.int64]
    found: Contributions
    faults: list[Fault]

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
        others = math.fsum(part for entry, part in parts.items() if entry != INTERCEPT)
        return [
            others if entry == OTHERS else part
            for entry, part in zip(entries.tolist(), shown, strict=True)
        ]


def _find_text(texts: Texts, wanted: str) -> NDArray[np.bool_]:
    """Mark the texts that are the one wanted."""
    encoded = np.frombuffer(wanted.encode(), np.uint8)
    found: NDArray[np.bool_] = np.diff(texts.offsets) == len(encoded)
    found &= ~find_absent(texts)
    starts = texts.offsets[:-1][found].astype(np.int64)
    found[found] = (texts.data[starts[:, None] + np.arange(len(encoded))] == encoded).all(axis=1)
    return found
