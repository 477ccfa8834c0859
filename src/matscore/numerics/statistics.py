"""What a page shows of all rows, gathered while they stream by, in bounded memory.

Statistics of some rows add up exactly, in any order and however the rows are cut, so that a page
says the same for every chunk size and any number of jobs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matscore.frame import Labels
from matscore.kernel import Floats
from matscore.model import Model, Scored
from matscore.numerics.explain import find_runner_up
from matscore.numerics.sketch import Sketch, edge_of, sketch_columns, sketch_nothing
from matscore.options import Gather
from matscore.run.work import Tally

if TYPE_CHECKING:
    from matscore.read.rows import Reject

MAX_FEATURES, MAX_CATEGORIES, MAX_RANKS = 100, 20, 20
N_FIRST, N_CLOSEST, N_TIED = 30, 25, 10
MAX_REASONS, N_EXAMPLES = 200, 200
LONGEST_TEXT = 200

_CELL = re.compile(r'".*"(?= )', re.DOTALL)
_PLACE = re.compile(r"(?<=byte )0x[0-9a-f]+|(?<=offset )\d+|(?<=there before, in ).+")


@dataclass(frozen=True)
class CloseRow:
    """A row whose two highest scores are near each other."""

    number: int  # which record it is, counted from 1 over all inputs
    label: str  # cut where it is very long
    best: int  # the category of its highest score
    second: int  # and of the next
    best_score: float
    second_score: float
    margin: float  # the difference; 0 where they tie


@dataclass(frozen=True)
class FirstRow:
    """One of the first rows."""

    number: int  # which record it is, counted from 1 over all inputs
    label: str  # cut where it is very long
    best: int  # its category; -1 where there is none
    scores: Floats  # (n_categories,)


def keep_closest(rows: Iterable[CloseRow], n_rows: int) -> tuple[CloseRow, ...]:
    """Return the rows with the smallest margins; of equal ones the first."""
    return tuple(sorted(rows, key=lambda row: (row.margin, row.number))[:n_rows])


def cut_text(text: object) -> str:
    """Return a label or a message as text; the end of one that is very long is cut off.

    Examples
    --------
    >>> cut_text(12), len(cut_text("x" * 10_000))
    ('12', 201)
    """
    # A page with labels of a megabyte could not be opened.
    shown = str(text)
    return shown if len(shown) <= LONGEST_TEXT else f"{shown[:LONGEST_TEXT]}…"


@dataclass(frozen=True)
class ScoreStatistics(Tally):
    """What is gathered of scored rows."""

    features: Sketch  # of the first MAX_FEATURES features, as they were read; for a page
    scores: Sketch  # of the scores of the first MAX_CATEGORIES categories; for a plot
    best: Sketch  # of the highest score of each row: one column
    margin: Sketch  # of each row with a prediction: one column, empty with one category
    first: tuple[FirstRow, ...] = ()  # the first N_FIRST rows
    closest: tuple[CloseRow, ...] = ()  # the N_CLOSEST smallest margins above 0, the closest first
    tied: tuple[CloseRow, ...] = ()  # the first N_TIED rows that tie

    def __add__(self, other: ScoreStatistics, /) -> ScoreStatistics:
        total = super().__add__(other)
        # By number, so that chunks may be added up in any order.
        first = sorted(total.first, key=lambda row: row.number)
        return replace(
            total,
            first=tuple(first[:N_FIRST]),
            closest=keep_closest(total.closest, N_CLOSEST),
            tied=keep_closest(total.tied, N_TIED),
        )


def gather_nothing(model: Model, gather: Collection[Gather]) -> ScoreStatistics:
    """Return the statistics of no rows."""
    n_features, n_categories = len(model.measured), len(model.categories)
    return ScoreStatistics(
        sketch_nothing(min(n_features, MAX_FEATURES) if "page" in gather else 0),
        sketch_nothing(min(n_categories, MAX_CATEGORIES) if "plot" in gather else 0),
        sketch_nothing(1),
        sketch_nothing(1),
    )


def gather_scores(
    features: Sequence[Floats],
    scored: Scored,
    numbers: NDArray[np.int64],
    labels: Labels,
    gather: Collection[Gather],
) -> ScoreStatistics:
    """Gather the statistics of some rows alone.

    `features` are columns of shape (n_rows,) in canonical order; `numbers`, (n_rows,), says which
    records they are, from 1 and rising.
    """
    scores, decision = scored.scores, scored.decision
    # What has no prediction has no margin to speak of.
    predicted = decision.best >= 0
    margins = decision.margin if predicted.all() else decision.margin[predicted]
    sketch = sketch_columns([margins[: 0 if len(scores) == 1 else None]])

    def close(places: NDArray[np.int64]) -> tuple[CloseRow, ...]:
        best = decision.best[places]
        second = find_runner_up(scores[:, places], best)
        return tuple(
            CloseRow(
                int(numbers[i]),
                cut_text(labels[i]),
                one,
                other,
                float(scores[one, i]),
                float(scores[other, i]),
                float(decision.margin[i]),
            )
            for i, one, other in zip(places.tolist(), best.tolist(), second.tolist(), strict=True)
        )

    tied = np.flatnonzero(decision.tied & predicted)[:N_TIED]
    return ScoreStatistics(
        sketch_columns(features[: MAX_FEATURES if "page" in gather else 0]),
        sketch_columns(list(scores[: MAX_CATEGORIES if "plot" in gather else 0])),
        sketch_columns([scores.max(axis=0)]),
        sketch,
        tuple(
            # A copy: a view would hold the scores of all rows.
            FirstRow(
                int(numbers[i]), cut_text(labels[i]), int(decision.best[i]), scores[:, i].copy()
            )
            for i in range(min(scores.shape[1], N_FIRST))
        ),
        close(_find_closest(sketch, decision.margin, predicted)),
        close(tied),
    )


def _find_closest(
    sketch: Sketch, margins: Floats, predicted: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the places of the smallest margins; the sketch tells where they end."""
    reach = np.cumsum(sketch.bins[1, 0])
    if not len(reach):
        return np.empty(0, dtype=np.int64)
    last = min(int(np.searchsorted(reach, N_CLOSEST)), len(reach) - 1)
    # The bins are those of float32, so that a margin may lie half its last bit past the edge.
    bound = float(edge_of(np.array([sketch.start + last + 1]))[0]) * (1 + 1e-7)
    near = np.flatnonzero((margins > 0) & (margins <= bound) & predicted)
    return near[np.argsort(margins[near], kind="stable")[:N_CLOSEST]]


@dataclass(frozen=True)
class RankStatistics(Tally):
    """What is gathered of ranked items."""

    features: Sketch  # of the first MAX_FEATURES features of the users, as they were read
    by_rank: Sketch  # of the scores of the first MAX_RANKS ranks: one column a rank
    chosen: NDArray[np.int64]  # (n_items,): how many users each item was recommended to


def gather_no_ranks(n_features: int, n_items: int, k: int) -> RankStatistics:
    """Return the statistics of no users."""
    none = np.empty(0, np.int64)
    return gather_ranks([np.empty(0)] * n_features, none, none, np.empty(0), n_items, k)


def gather_ranks(
    features: Sequence[Floats],
    ranks: NDArray[np.int64],
    items: NDArray[np.int64],
    scores: Floats,
    n_items: int,
    k: int,
) -> RankStatistics:
    """Gather the statistics of some users alone.

    `features` are columns of shape (n_rows,) in canonical order; `ranks` (from 1), `items` and
    `scores`, all (n_pairs,), say which item has which rank with which score.

    Examples
    --------
    >>> found = gather_ranks([], np.array([1, 2]), np.array([2, 0]), np.array([9.0, 4.0]), 3, 2)
    >>> found.chosen.tolist(), found.by_rank.high.tolist()
    ([1, 0, 1], [9.0, 4.0])
    """
    most = min(k, n_items, MAX_RANKS)
    return RankStatistics(
        sketch_columns(features[:MAX_FEATURES]),
        sketch_columns([scores[ranks == rank] for rank in range(1, most + 1)]),
        np.bincount(items, minlength=n_items),
    )


class Reason(NamedTuple):
    """Why rows were rejected: what is wrong, in which column, and what to do."""

    what: str
    name: str | None
    hint: str


@dataclass(frozen=True)
class Example:
    """One of the first rejected rows; texts are cut where they are very long."""

    path: str
    line: int
    column: int | None
    name: str | None
    error: str
    text: str


class Reasons:
    """Counts rejected rows by reason and keeps the first of them."""

    def __init__(self) -> None:
        self.counts: dict[Reason, int] = {}  # in the order of first rows, at most MAX_REASONS
        self.n_other = 0  # rows with other reasons
        self.examples: list[Example] = []  # the first N_EXAMPLES rows

    @property
    def n_rows(self) -> int:
        """Rows counted."""
        return sum(self.counts.values()) + self.n_other

    def add(self, path: str, rejects: Iterable[Reject]) -> None:
        """Count the rejects of a chunk of an input; chunks come in order."""
        for reject in rejects:
            reason = reason_of(reject)
            if reason in self.counts or len(self.counts) < MAX_REASONS:
                self.counts[reason] = self.counts.get(reason, 0) + 1
            else:
                self.n_other += 1
            if len(self.examples) < N_EXAMPLES:
                self.examples.append(_take(path, reject))


def reason_of(reject: Reject) -> Reason:
    """Return why a row was rejected, without what is of that row alone."""
    what = _CELL.sub('"…"', reject.error, count=1) if reject.error[:1] == '"' else reject.error
    name = None if reject.name is None else cut_text(reject.name)
    return Reason(cut_text(_PLACE.sub("…", what)), name, cut_text(reject.hint))


def _take(path: str, reject: Reject) -> Example:
    name = None if reject.name is None else cut_text(reject.name)
    error, text = cut_text(reject.error), cut_text(reject.text)
    return Example(path, reject.line, reject.column, name, error, text)
