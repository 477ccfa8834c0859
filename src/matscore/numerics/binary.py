"""How well categories, each by itself, are told from the rest.

Counts and exact sums, which add up the same however rows are cut, and what is made of them: areas
under curves, thresholds, calibration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matscore.functions import FUNCTIONS
from matscore.kernel import Floats
from matscore.links import find_losses, find_probabilities
from matscore.model import Model
from matscore.numerics.kept import Rankings, rank_rows
from matscore.numerics.metrics import (
    Counts,
    Exact,
    count_tenths,
    divide,
    exact_total,
    list_tenths,
    or_none,
    read_tenths,
    round_total,
)
from matscore.options import Best, Link
from matscore.run.work import Tally

MOST_NEGATIVES = 5
PERCENTS = (1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
_STEPS = 200  # of either axis of a curve: what is closer is one point of a picture
_SMALLEST = 5e-324


@dataclass(frozen=True)
class Against:
    """Which categories are each compared with the rest, and how."""

    names: tuple[str, ...] = ()  # the positive truths
    places: tuple[int, ...] = ()  # of their scores
    single: bool = False  # whether the model has no other category
    by_probability: bool = True  # what rows are ranked by; else by the score
    threshold: float | None = None  # what is positive from there on; None leaves it to the best
    best: Best | None = None


@dataclass(frozen=True)
class BinaryCounts(Tally):
    """What is known of some rows, for each of the n positive categories."""

    rankings: Rankings
    truths: NDArray[np.int64]  # (n, 2): rows with a score that are negative, positive
    unscored: NDArray[np.int64]  # (n, 2): the same of rows without one
    n_probable: int  # rows that have probabilities
    losses: Exact  # (n,): exact sums of -log(probability of what is true)
    squares: Exact  # (n,): exact sums of the squared distance of probability and truth
    tenths: Exact  # (n, 10, 3), see `count_tenths`: the probabilities, and rows that are positive
    negatives: tuple[str, ...] = ()  # of a single category the first other truths, sorted

    def __add__(self, other: BinaryCounts, /) -> BinaryCounts:
        total = super().__add__(other)
        return replace(total, negatives=_take_first(total.negatives))


def _take_first(negatives: Sequence[str]) -> tuple[str, ...]:
    """Return one more truth than is told, so that it is known whether there are more."""
    return tuple(sorted(set(negatives))[: MOST_NEGATIVES + 1])


def count_binary(
    against: Against,
    model: Model,
    scores: Floats,
    truth: NDArray[np.int64],
    negatives: Sequence[str] = (),
) -> BinaryCounts:
    """Count rows whose truth is known.

    `scores` is (n_categories, n_rows), finite or all NaN in a row; `truth` is (n_rows,), the place
    of a category, or -1 for none of them. `negatives` are truths that are none of them.
    """
    known = ~np.isnan(scores[0])
    unscored = truth[~known]
    scores, truth = np.ascontiguousarray(scores[:, known]), truth[known]
    are = [truth == place for place in against.places]
    made = [_Chances(np.zeros(0), np.zeros(0), np.zeros(0))] * len(are)
    if not any(model.refuse_probabilities()):
        made = _find_chances(model, scores, against.places, are)
    numbers = [scores[place] for place in against.places]
    if against.by_probability:
        numbers = [one.chance for one in made]
    # Where a link gives no probabilities there are none to count, however many rows.
    tenths = [
        count_tenths(one.chance, y[: len(one.chance)]) for one, y in zip(made, are, strict=True)
    ]
    return BinaryCounts(
        rank_rows(numbers, are),
        _count_truths(are),
        _count_truths([unscored == place for place in against.places]),
        len(made[0].chance),
        np.array([exact_total(one.losses) for one in made], dtype=object),
        np.array([exact_total(one.misses**2) for one in made], dtype=object),
        np.array(tenths),
        _take_first(negatives),
    )


def _count_truths(are: Sequence[NDArray[np.bool_]]) -> NDArray[np.int64]:
    counts = [(len(is_positive) - is_positive.sum(), is_positive.sum()) for is_positive in are]
    return np.array(counts, np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class _Chances:
    """What is known of a category's probability in some rows, (n_rows,) each."""

    chance: Floats
    misses: Floats  # how far it is from the truth
    losses: Floats  # -log(probability of what is true)


def _find_chances(
    model: Model, scores: Floats, places: Sequence[int], are: Sequence[NDArray[np.bool_]]
) -> list[_Chances]:
    """Return the probabilities of some categories against the truth, without cancellation."""
    link, shares = model.link, model.has_reference or model.link in (None, "one-vs-rest")
    # Categories that have a probability each, whatever the others have.
    if len(scores) == 1 or not shares:
        return [
            _oppose(link, scores[place], is_positive)
            for place, is_positive in zip(places, are, strict=True)
        ]
    chances = model.find_probabilities(scores)
    # Sums from both ends: 1 - p would lose the digits of what is left beside a p near 1.
    before, after = np.cumsum(chances, axis=0), np.cumsum(chances[::-1], axis=0)[::-1]
    made = []
    for place, is_positive in zip(places, are, strict=True):
        rest = np.zeros(scores.shape[1])
        rest += before[place - 1] if place > 0 else 0.0
        rest += after[place + 1] if place + 1 < len(scores) else 0.0
        rest = np.minimum(rest, 1.0)
        own = np.where(is_positive, chances[place], rest)
        missed = np.where(is_positive, rest, chances[place])
        # What no float64 holds counts as the smallest one: the sum of losses stays a number.
        made.append(_Chances(chances[place], missed, -FUNCTIONS["log"](np.maximum(own, _SMALLEST))))
    return made


def _oppose(link: Link | None, score: Floats, is_positive: NDArray[np.bool_]) -> _Chances:
    """Return the chances of a score by itself: its link is that of a reference and a category."""
    link = "logistic" if link in (None, "one-vs-rest") else link
    pair, truth = np.vstack([np.zeros_like(score), score]), is_positive.astype(np.int64)
    rest, chance = find_probabilities(link, pair, reference=True)
    losses = find_losses(link, pair, truth, reference=True)
    return _Chances(chance, np.where(is_positive, rest, chance), losses)


@dataclass(frozen=True)
class Point:
    """What a threshold makes of rows: a row is taken for positive from there on."""

    threshold: float | None  # None where something else decides
    n_negative: int
    n_positive: int
    false_positives: int
    true_positives: int

    @property
    def false_negatives(self) -> int:
        """Positive rows that are missed."""
        return self.n_positive - self.true_positives

    @property
    def true_negatives(self) -> int:
        """Negative rows that are left out rightly."""
        return self.n_negative - self.false_positives

    @property
    def precision(self) -> float:
        """Share of what is taken for positive that is; NaN where nothing is."""
        return divide(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the positive rows that are found; NaN without any."""
        return divide(self.true_positives, self.n_positive)

    @property
    def specificity(self) -> float:
        """Share of the negative rows that are left out; NaN without any."""
        return divide(self.true_negatives, self.n_negative)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        found = self.true_positives + self.false_positives
        return divide(2 * self.true_positives, found + self.n_positive)

    @property
    def youden(self) -> float:
        """Recall + specificity - 1 (Youden 1950, Cancer 3(1), 32-35)."""
        gain = self.true_positives * self.n_negative - self.false_positives * self.n_positive
        return divide(gain, self.n_negative * self.n_positive)

    def facts(self) -> dict[str, float | int | None]:
        """Return the counts and shares as plain values."""
        counts = ("true_positives", "false_positives", "false_negatives", "true_negatives")
        shares = ("precision", "recall", "specificity", "f1", "youden")
        return {
            "threshold": self.threshold,
            **{name: getattr(self, name) for name in counts},
            **{name: or_none(getattr(self, name)) for name in shares},
        }


class _Scan:
    """A way through one ranking in ascending order: areas, thresholds, the curve."""

    def __init__(self, truths: Sequence[int], threshold: float | None) -> None:
        self.n_negative, self.n_positive = truths
        n_rows = self.n_negative + self.n_positive
        # Products of two counts fit into 64 bits up to here; beyond, Python's own numbers.
        self._kind: Any = np.int64 if n_rows < 2**31 else object
        self._negative_below = self._positive_below = 0
        self._ordered = 0  # pairs in order twice, equal ones once
        self._precisions = 0  # exact sum, see `exact_total`
        self._threshold = threshold
        self._needed = {percent: -(-percent * n_rows // 100) for percent in PERCENTS}
        self._is_passed = False
        self._cell = -1
        self._values: dict[Best, Any] = {}
        self.at = Point(
            threshold, self.n_negative, self.n_positive, 0, 0
        )  # nothing reaches it, until something does
        self.best: dict[Best, Point] = {}
        self.highest: dict[int, Point] = {}  # by percents of the rows that are taken at least
        self.curve: list[tuple[float, float]] = []  # false and true positive rates

    @property
    def roc_auc(self) -> float:
        """Area under the curve of true by false positive rates, rounded once.

        The share of pairs of a positive and a negative row that are in order, equal ones counted
        half (Hanley and McNeil 1982, Radiology 143(1), 29-36).
        """
        pairs = 2 * self.n_positive * self.n_negative
        return float(Fraction(self._ordered, pairs)) if pairs else math.nan

    @property
    def average_precision(self) -> float:
        """Area under the curve of precision by recall, as steps; within a digit or two of the last.

        Each step, a precision times the recall gained there, is rounded, and their sum is exact.
        """
        return round_total(self._precisions, self.n_positive)

    def add(self, rows: Floats) -> None:
        """Take the next numbers, (n, 3)."""
        numbers = rows[:, 0]
        negative, positive = (rows[:, i].astype(np.int64).astype(self._kind) for i in (1, 2))
        negative_before = self._negative_below + np.cumsum(negative) - negative
        positive_before = self._positive_below + np.cumsum(positive) - positive
        self._negative_below = int(negative_before[-1] + negative[-1])
        self._positive_below = int(positive_before[-1] + positive[-1])
        self._ordered += int((positive * (2 * negative_before + negative)).sum())
        # What is taken for positive from each number on.
        false, true = self.n_negative - negative_before, self.n_positive - positive_before
        there = positive > 0
        gains = positive[there] * true[there] / (true[there] + false[there])
        self._precisions += exact_total(gains.astype(np.float64))
        self._find_points(numbers, false, true)
        if self.n_positive and self.n_negative:
            self._find_best(numbers, false, true)
            self._draw(false, true)

    def _point(self, threshold: float, false: Any, true: Any) -> Point:
        return Point(float(threshold), self.n_negative, self.n_positive, int(false), int(true))

    def _find_points(self, numbers: Floats, false: Any, true: Any) -> None:
        taken = false + true
        for percent, needed in self._needed.items():
            if n_enough := int((taken >= needed).sum()):
                i = n_enough - 1  # the highest that takes so many
                self.highest[percent] = self._point(numbers[i], false[i], true[i])
        if self._threshold is not None and numbers[-1] >= self._threshold and not self._is_passed:
            i = int(np.searchsorted(numbers, self._threshold))
            self.at = self._point(self._threshold, false[i], true[i])
            self._is_passed = True

    def _find_best(self, numbers: Floats, false: Any, true: Any) -> None:
        """Look for better thresholds; of equal ones the highest counts."""
        measures: dict[Best, Any] = {
            "f1": 2 * true / (true + false + self.n_positive),
            # Youden's times the numbers of either kind: a whole number.
            "youden": true * self.n_negative - false * self.n_positive,
        }
        for name, values in measures.items():
            i = len(values) - 1 - int(np.argmax(values[::-1]))
            if name not in self.best or values[i] >= self._values[name]:
                self._values[name] = values[i]
                self.best[name] = self._point(numbers[i], false[i], true[i])

    def _draw(self, false: Any, true: Any) -> None:
        """Keep a point for each cell of a grid that the curve goes through."""
        cells = true * _STEPS // self.n_positive * (_STEPS + 1) + false * _STEPS // self.n_negative
        changed = np.append(cells[0] != self._cell, cells[1:] != cells[:-1]).astype(bool)
        self._cell = cells[-1]
        pairs = zip(false[changed].tolist(), true[changed].tolist(), strict=True)
        self.curve += [(n / self.n_negative, m / self.n_positive) for n, m in pairs]


@dataclass(frozen=True)
class BinaryMetrics:
    """How well one category is told from the rest; NaN where there are no rows of one kind."""

    positive: str  # the category
    by_probability: bool  # whether thresholds are probabilities; else they are scores
    n_unscored: int  # rows with a missing value that was kept; nothing but `Metrics` counts them
    roc_auc: float  # area under the curve of true by false positive rates
    average_precision: float  # and under that of precision by recall
    log_loss: float  # mean of -log(probability of what is true)
    brier_score: float  # mean of the squared distance between probability and truth
    decision: Point  # what is taken for positive, and how rightly
    # The thresholds of the highest F1 and of the highest Youden's J on these rows, the highest of
    # equal ones; empty where there are no rows of one kind.
    best: dict[Best, Point]
    # By percents: the highest from which on at least so many of the rows are taken for positive.
    thresholds: dict[int, Point]
    calibration: list[tuple[int, float, float]]  # by tenths of the probability, see `read_tenths`
    curve: list[tuple[float, float]]  # false and true positive rates, from (1, 1) to (0, 0)
    negatives: tuple[str, ...]  # of a single category the other truths, sorted; the first six

    def facts(self) -> dict[str, Any]:
        """Return every measure as plain values; None where it is undefined."""
        point = self.decision
        return {
            "positives": point.n_positive,
            "negatives": point.n_negative,
            "negative_truths": list(self.negatives[:MOST_NEGATIVES]),
            "rows_without_score": self.n_unscored,
            "ranked_by": "probability" if self.by_probability else "score",
            "roc_auc": or_none(self.roc_auc),
            "average_precision": or_none(self.average_precision),
            "log_loss": or_none(self.log_loss),
            "brier_score": or_none(self.brier_score),
            "decision": point.facts(),
            "best": {name: point.facts() for name, point in self.best.items()},
            "thresholds": {
                str(percent / 100): point.facts() for percent, point in self.thresholds.items()
            },
            "calibration": list_tenths(self.calibration, "probability", "positive"),
        }


def measure_binary(
    against: Against, counts: BinaryCounts, confusion: NDArray[np.int64]
) -> tuple[BinaryMetrics, ...]:
    """Return the measures of each positive category.

    `confusion` has rows by truth and prediction, the last column those without one: it decides
    where neither a threshold nor the best one is asked for.
    """
    measures = []
    for i, name in enumerate(against.names):
        negative, positive = counts.truths[i].tolist()
        scan = _Scan((negative, positive), against.threshold)
        for rows in counts.rankings.iter_rows(i):
            scan.add(rows)
        decision = scan.at
        if against.best is not None:
            decision = scan.best.get(against.best, decision)
        elif against.threshold is None:
            place = against.places[i]
            right = int(confusion[place, place])
            wrong = int(confusion[:, place].sum()) - right
            decision = Point(None, negative, positive, wrong, right)
        measures.append(
            BinaryMetrics(
                positive=name,
                by_probability=against.by_probability,
                n_unscored=int(counts.unscored[i].sum()),
                roc_auc=scan.roc_auc,
                average_precision=scan.average_precision,
                log_loss=round_total(counts.losses[i], counts.n_probable),
                brier_score=round_total(counts.squares[i], counts.n_probable),
                decision=decision,
                best=scan.best,
                thresholds={p: scan.highest[p] for p in PERCENTS if p in scan.highest},
                calibration=read_tenths(counts.tenths[i]),
                curve=[*scan.curve, (0.0, 0.0)] if scan.curve else [],
                negatives=counts.negatives,
            )
        )
    return tuple(measures)


def count_single(metrics: BinaryMetrics, counts: BinaryCounts) -> Counts:
    """Return the counts of a single category and of what is not, as of two categories."""
    point, losses = metrics.decision, counts.losses[0]
    negative, positive = counts.unscored[0].tolist()
    confusion = np.array(
        [
            [point.true_negatives, point.false_positives, negative],
            [point.false_negatives, point.true_positives, positive],
        ]
    )
    n_right = point.true_positives + point.true_negatives
    ranks = np.array([n_right, point.n_positive + point.n_negative - n_right])
    names = f"not {metrics.positive}", metrics.positive
    # Confidence depends on the threshold; the calibration of the probability does not.
    no_tenths = np.zeros((0, 3), dtype=object)
    return Counts(names, confusion, ranks, counts.n_probable, losses, no_tenths)
