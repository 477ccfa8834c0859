"""What the commands write: its columns, where it goes, its first rows, and rows that have none.

Scores are wide (a column a category) or long (a line a rank); explanations have a line a feature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

import matscore
from matscore.frame import Frame, Kind, Labels, take
from matscore.kernel import Choices, Column, Floats, Masked, Texts
from matscore.model import Model, Scored
from matscore.options import PathLike
from matscore.plan import Plan
from matscore.read.rows import Rows
from matscore.run.run import OneOutput, Renderer, Sink
from matscore.run.work import Fault, Preview
from matscore.write.whole import BinaryFile


@dataclass(frozen=True)
class LabelledColumns:
    """The columns of an output: a row's label, columns carried over, and a command's own."""

    label_name: str
    kept_names: tuple[str, ...] = ()
    numbered: bool = False  # whether labels are row numbers

    @cached_property
    def pairs(self) -> list[tuple[str, Kind]]:
        """Names and kinds of the columns, in order."""
        label: Kind = "whole" if self.numbered else "text"
        kept: list[tuple[str, Kind]] = [(name, "text") for name in self.kept_names]
        return [(self.label_name, label), *kept, *self.own_pairs()]

    def own_pairs(self) -> Iterator[tuple[str, Kind]]:
        """Yield names and kinds of the command's own columns."""
        raise NotImplementedError


def head_of(plan: Plan) -> tuple[str, tuple[str, ...], bool]:
    """Return what columns begin with: the fields of `LabelledColumns`."""
    return plan.label_name, plan.kept_names, plan.label_column is None


@dataclass(frozen=True)
class ScoreColumns(LabelledColumns):
    """The columns of a score table."""

    categories: tuple[str, ...] = ()
    scores: bool = True
    prediction: bool = True
    probabilities: bool = False
    margin: bool = False
    response: bool = False

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of the score columns; none when they are left out."""
        return self.categories if self.scores else ()

    @property
    def probability_names(self) -> tuple[str, ...]:
        """Names of the probability columns."""
        return tuple(f"probability_{c}" for c in self.categories) if self.probabilities else ()

    @property
    def response_names(self) -> tuple[str, ...]:
        """Names of the columns of the response."""
        return tuple(f"response_{c}" for c in self.categories) if self.response else ()

    @property
    def shaded(self) -> tuple[tuple[str, ...], ...]:
        """Columns whose numbers are shaded by one measure; marks are of the first of them."""
        return self.score_names, self.probability_names, self.response_names

    def own_pairs(self) -> Iterator[tuple[str, Kind]]:
        """Yield names and kinds of scores, prediction, probabilities, response and margin."""
        yield from ((name, "number") for name in self.score_names)
        if self.prediction:
            yield "prediction", "text"
        yield from ((name, "number") for name in self.probability_names)
        yield from ((name, "number") for name in self.response_names)
        if self.margin:
            yield "margin", "number"


@dataclass(frozen=True)
class RankColumns(LabelledColumns):
    """The columns of a long table."""

    chosen_name: str = "category"  # of the column that says what has the rank
    scores: bool = True
    probabilities: bool = False
    response: bool = False
    beside: tuple[str, ...] = ()  # of further columns of what is chosen

    @property
    def number_names(self) -> tuple[str, ...]:
        """Names of the columns of scores, probabilities and response."""
        asked = ("score", self.scores), ("probability", self.probabilities)
        return tuple(name for name, there in (*asked, ("response", self.response)) if there)

    @property
    def shaded(self) -> tuple[tuple[str, ...], ...]:
        """Columns whose numbers are shaded by one measure."""
        return tuple((name,) for name in self.number_names)

    def own_pairs(self) -> Iterator[tuple[str, Kind]]:
        """Yield names and kinds of rank, what has it, and its numbers."""
        yield from (("rank", "whole"), (self.chosen_name, "text"))
        yield from ((name, "text") for name in self.beside)
        yield from ((name, "number") for name in self.number_names)


@dataclass(frozen=True)
class ExplainColumns(LabelledColumns):
    """The columns of an explanation: one line a feature."""

    versus: bool = False  # whether there is a second category, whose score is taken away
    shaded: ClassVar = (("contribution",),)

    def own_pairs(self) -> Iterator[tuple[str, Kind]]:
        """Yield names and kinds of what is explained, and of its numbers."""
        texts = ("category", *("versus",) * self.versus, "feature")
        yield from ((name, "text") for name in texts)
        yield from ((name, "number") for name in ("value", "weight", "contribution"))


@dataclass(frozen=True, kw_only=True)
class RankedPreview(Preview):
    """The first rows of an output in the long form."""

    lines: NDArray[np.int64]  # (n_rows,): of each row
    tied: NDArray[np.bool_]  # (lines.sum(),), or none
    scores: Floats | None = None  # (n_rows, n): all their scores, where they are few

    @property
    def n_rows(self) -> int:
        """Rows that there are; their lines are more."""
        return len(self.lines)

    def head(self, n_rows: int) -> RankedPreview:
        """Return the first rows."""
        if n_rows >= self.n_rows:
            return self
        lines, scores = self.lines[:n_rows], self.scores
        frame, tied = self.frame.head(int(lines.sum())), self.tied[: int(lines.sum())]
        first = None if scores is None else scores[:n_rows]
        return RankedPreview(frame=frame, lines=lines, tied=tied, scores=first)

    def take_rows(self, n_rows: int) -> tuple[Frame, int]:
        """Return the lines of the first rows, and how many rows they are."""
        head = self.head(n_rows)
        return head.frame, head.n_rows


@dataclass(frozen=True)
class RankedRows:
    """What has which rank, row after row."""

    counts: NDArray[np.int64]  # (n_rows,): ranks a row
    chosen: NDArray[np.int64]  # (counts.sum(),): indices of what has them, best first
    numbers: tuple[Floats, ...]  # of that shape: the columns `RankColumns.number_names`
    undefined: NDArray[np.bool_]  # (n_rows,): rows without scores
    tied: NDArray[np.bool_]  # (counts.sum(),): which ranks a tie settled

    @property
    def lines(self) -> NDArray[np.int64]:
        """Lines of each row: one where it has no ranks, since nothing disappears."""
        return np.maximum(self.counts, 1)

    def preview(self, frame: Frame, n_rows: int) -> RankedPreview:
        """Return the lines of the first rows; a line without a rank has no tie."""
        tied = np.zeros(int(self.lines.sum()), dtype=bool)
        tied[np.repeat(self.counts > 0, self.lines)] = self.tied
        return RankedPreview(frame=frame, lines=self.lines, tied=tied).head(n_rows)


@dataclass(frozen=True)
class ExplainedRow:
    """A row as the screen shows it, beside the category that it is compared with."""

    label: str | int
    category: str | None  # None where there is nothing to explain
    score: float
    rival: str | None  # None where there is nothing to compare with
    rival_score: float
    tied: bool  # whether the category is the prediction, and tied
    entries: list[int]  # of its lines; see `Contributions`
    names: list[str]
    values: list[float]
    weights: list[float]
    contributions: list[float]
    differences: list[float]  # from the rival's; none where the contributions are differences


@dataclass(frozen=True)
class ExplainPreview(Preview):
    """The first explained rows; each has several rows of the frame."""

    rows: tuple[ExplainedRow, ...] = ()

    def take_rows(self, n_rows: int) -> tuple[Frame, int]:
        """Return the lines of the first rows, and how many rows they are."""
        rows = self.rows[:n_rows]
        return self.frame.head(sum(len(row.entries) for row in rows)), len(rows)


def make_frame(
    columns: ScoreColumns, labels: Labels, kept: Iterable[Texts], scored: Scored
) -> Frame:
    """Put scored rows into the columns of a score table."""
    made: dict[str, Column] = {columns.label_name: labels}
    made |= dict(zip(columns.kept_names, kept, strict=True))
    if columns.scores:
        made |= zip(columns.score_names, scored.scores, strict=True)
    if columns.prediction:
        # -1 is no choice, which is written as an empty cell.
        best = scored.decision.best.astype(np.int32)
        made["prediction"] = Choices(best, Texts.from_strings(columns.categories))
    if scored.probabilities is not None:
        made |= zip(columns.probability_names, scored.probabilities, strict=True)
    if scored.response is not None:
        made |= zip(columns.response_names, scored.response, strict=True)
    if columns.margin:
        made["margin"] = scored.decision.margin
    return Frame(made)


def make_long_frame(
    columns: RankColumns,
    rows: Rows,
    names: Texts,
    ranked: RankedRows,
    beside: Iterable[Texts] = (),
) -> Frame:
    """Write what has which rank, a line a rank; `names` are what the indices stand for.

    `beside` are further texts of what they stand for.

    A row of which nothing has a rank still has a line: nothing disappears. Its rank is empty, and
    its score too, or NaN where it has none.
    """
    starts = np.cumsum(ranked.lines) - ranked.lines
    row = np.repeat(np.arange(rows.n_rows), ranked.lines)
    there = (ranked.counts > 0)[row]
    # Indices into one list of names: a million lines share its texts.
    chosen = np.full(len(row), -1, np.int32)
    chosen[there] = ranked.chosen
    made: dict[str, Column] = {columns.label_name: take(rows.labels, row)}
    kept = zip(columns.kept_names, rows.texts, strict=True)
    made |= {name: texts.take(row) for name, texts in kept}
    made["rank"] = _blank(np.arange(1, len(row) + 1) - starts[row], there)
    made[columns.chosen_name] = Choices(chosen, names)
    for name, texts in zip(columns.beside, beside, strict=True):
        absent = texts.absent
        codes = chosen if absent is None else np.where(absent[chosen] & (chosen >= 0), -1, chosen)
        made[name] = Choices(codes.astype(np.int32), texts)
    for name, values in zip(columns.number_names, ranked.numbers, strict=True):
        numbers = np.full(len(row), np.nan)
        numbers[there] = values
        # Nothing was recommended: empty. Nothing could be computed: NaN.
        made[name] = _blank(numbers, there | ranked.undefined[row])
    return Frame(made)


def _blank(values: NDArray[np.int64] | Floats, there: NDArray[np.bool_]) -> Column:
    """Return values with nothing where none is."""
    return values if there.all() else Masked(values, ~there)


def open_sink(output: PathLike | BinaryFile | None) -> Sink:
    """Return what takes a command's rows: one output, or a directory where a path ends so."""
    if isinstance(output, str) and output.endswith("/"):
        from matscore.run.directory import Directory

        return Directory(output)
    return OneOutput(output, _load_renderer)


def _load_renderer() -> Renderer:
    """Load what makes a page of a table."""
    from matscore.pages.page import render_table

    return partial(render_table, version=matscore.__version__)


# What is wrong with a row whose scores no float64 can hold, and what to do.
OVERFLOW = ("the scores overflow", "the features or the weights are too large for float64")
RESPONSE_OVERFLOW = ("the response, e^score, overflows", "leave --response out, or check the row")


def find_faults(model: Model, scored: Scored) -> list[Fault]:
    """Return the rows that have too little to be scored by, and those whose scores overflow."""
    overflow, faults = scored.decision.overflow, list[Fault]()
    if model.least_present is not None:
        faults = find_lacking(model, scored.features)
        overflow[[fault.row for fault in faults]] = False
    faults += [Fault(row, *OVERFLOW) for row in np.flatnonzero(overflow).tolist()]
    if scored.response is not None:
        infinite = np.isinf(scored.response).any(axis=0) & ~overflow
        faults += [Fault(row, *RESPONSE_OVERFLOW) for row in np.flatnonzero(infinite).tolist()]
    return faults


def find_lacking(model: Model, features: Floats) -> list[Fault]:
    """Return the rows of which too little is there, where scores are made up for the rest."""
    if model.least_present is None:
        return []
    from matscore.prorate import list_lacking

    found = list_lacking(model.weights, features, model.categories, model.least_present)
    return [Fault(*lacking) for lacking in found]
