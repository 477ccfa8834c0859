"""How good predictions are: counts that add up exactly, and the measures made from them.

Sums of float64 numbers are kept without rounding, so that they are the same in any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.functions import FUNCTIONS
from matscore.kernel import Floats, exp
from matscore.model import Model
from matscore.run.work import Tally

if TYPE_CHECKING:
    from matscore.numerics.binary import BinaryMetrics

N_TENTHS = 10
_EDGES = np.arange(1, N_TENTHS) / N_TENTHS
_SMALLEST = 1074  # every float64 is a whole number of 2**-1074
_DIGITS = 53
_HALF = 27

Exact: TypeAlias = NDArray[np.object_]
"""Whole numbers of Python, which have as many digits as an exact sum of float64 takes."""


@dataclass(frozen=True)
class Counts(Tally):
    """What is known of some rows whose truth is known.

    All of it is whole numbers, so that counts of rows cut in any way add up to the same.
    """

    KEPT = ("categories",)

    categories: tuple[str, ...]  # in the weights' order
    # (n_categories, n_categories + 1), int64: rows by their truth and their prediction; the last
    # column counts those without one.
    confusion: NDArray[np.int64]
    ranks: NDArray[np.int64]  # (n_categories,): rows by the number of categories before the truth
    n_probable: int  # rows that have probabilities
    loss: int  # of those, exact sum of -log(probability of the truth), see `exact_total`
    tenths: Exact  # (10, 3), by tenths of the confidence, see `count_tenths`


@dataclass(frozen=True)
class Metrics:
    """Measures of a model on rows whose truth is known.

    A row without a prediction (a value is missing and was kept) counts as predicted wrongly; it has
    no probabilities, so log-loss and calibration leave it out, as they do every row where the
    weights' link gives none.

    Attributes
    ----------
    counts : Counts
        What they are made from.
    one_vs_rest : tuple of BinaryMetrics
        Measures of categories that are each compared with the rest, where that was asked for or
        there is a single category: then the counts are those of two, "not X" and X.
    """

    counts: Counts
    one_vs_rest: tuple[BinaryMetrics, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """In the weights' order."""
        return self.counts.categories

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Rows by truth and prediction, (n_categories, n_categories)."""
        return self.counts.confusion[:, :-1]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.counts.confusion.sum())

    @property
    def n_unpredicted(self) -> int:
        """Number of rows without a prediction."""
        return int(self.counts.confusion[:, -1].sum())

    @property
    def support(self) -> NDArray[np.int64]:
        """Rows whose truth each category is, (n_categories,)."""
        support: NDArray[np.int64] = self.counts.confusion.sum(axis=1)
        return support

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Rows for which each category is predicted, (n_categories,)."""
        predicted: NDArray[np.int64] = self.confusion.sum(axis=0)
        return predicted

    @property
    def accuracy(self) -> float:
        """Share of rows that are predicted rightly; NaN without rows."""
        return divide(int(self._hits.sum()), self.n_rows)

    @cached_property
    def precision(self) -> Floats:
        """Of the rows for which each category is predicted, the share that is right.

        NaN for a category that is never predicted: nothing was said that could be right.
        """
        return _divide_all(self._hits, self.predicted)

    @cached_property
    def recall(self) -> Floats:
        """Of the rows of each category, the share that is predicted so.

        NaN for a category without rows: there was nothing to find.
        """
        return _divide_all(self._hits, self.support)

    @cached_property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall: ``2 hits / (predicted + support)``.

        NaN for a category that has no rows and is never predicted.
        """
        return _divide_all(2 * self._hits, self.predicted + self.support)

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the categories that have rows."""
        return _mean(self.recall[self.support > 0])

    @property
    def macro_precision(self) -> float:
        """Mean over the categories that have rows or are predicted; an undefined one counts 0."""
        return self._macro(self.precision)

    @property
    def macro_recall(self) -> float:
        """Mean over the categories that have rows or are predicted; an undefined one counts 0."""
        return self._macro(self.recall)

    @property
    def macro_f1(self) -> float:
        """Mean over the categories that have rows or are predicted."""
        return self._macro(self.f1)

    @property
    def log_loss(self) -> float:
        """Mean of ``-log(probability of the truth)``, natural logarithm, nothing clipped.

        NaN where no row has probabilities.
        """
        return round_total(self.counts.loss, self.counts.n_probable)

    @property
    def top_k_accuracy(self) -> Floats:
        """Share of rows whose truth is among the k highest scores, k = 1, 2, …, n_categories."""
        hits = np.cumsum(self.counts.ranks)
        return _divide_all(hits, np.full(len(hits), self.n_rows))

    @property
    def calibration(self) -> list[tuple[int, float, float]]:
        """By tenths of the confidence: rows, mean confidence, share predicted rightly.

        The confidence is the probability of the prediction; the first tenth goes from 0 up to, but
        not including, 0.1; the last includes 1. A tenth without rows has NaN.
        """
        return read_tenths(self.counts.tenths)

    @property
    def macro_roc_auc(self) -> float:
        """Mean area under the ROC curve of several categories compared with the rest."""
        if len(self.one_vs_rest) < 2:
            return math.nan
        return _mean(np.array([one.roc_auc for one in self.one_vs_rest]))

    def facts(self) -> dict[str, Any]:
        """Return every measure as plain values; None where it is undefined."""
        by_category = zip(
            self.categories,
            self.support.tolist(),
            self.predicted.tolist(),
            *(_plain(values) for values in (self.precision, self.recall, self.f1)),
            strict=True,
        )
        names = ("support", "predicted", "precision", "recall", "f1")
        return {
            "rows": self.n_rows,
            "rows_without_prediction": self.n_unpredicted,
            "accuracy": or_none(self.accuracy),
            "balanced_accuracy": or_none(self.balanced_accuracy),
            "macro_precision": or_none(self.macro_precision),
            "macro_recall": or_none(self.macro_recall),
            "macro_f1": or_none(self.macro_f1),
            "log_loss": or_none(self.log_loss),
            "top_k_accuracy": _plain(self.top_k_accuracy),
            "categories": {name: dict(zip(names, row, strict=True)) for name, *row in by_category},
            "confusion": {
                name: dict(zip(self.categories, row, strict=True))
                for name, row in zip(self.categories, self.confusion.tolist(), strict=True)
            },
            "calibration": list_tenths(self.calibration, "confidence", "accuracy"),
            "macro_roc_auc": or_none(self.macro_roc_auc),
            "one_vs_rest": {one.positive: one.facts() for one in self.one_vs_rest},
        }

    @property
    def _hits(self) -> NDArray[np.int64]:
        return self.confusion.diagonal()

    def _macro(self, values: Floats) -> float:
        return _mean(np.nan_to_num(values[(self.support > 0) | (self.predicted > 0)]))


def count_rows(
    model: Model,
    scores: Floats,
    best: NDArray[np.int64],
    truth: NDArray[np.int64],
) -> Counts:
    """Count what there is to know of rows whose truth is known.

    `scores` is (n_categories, n_rows), finite or all NaN in a row without a prediction; `best` and
    `truth` are (n_rows,), int64, and `best` is -1 where there is no prediction.
    """
    n_categories = len(model.categories)
    cells = truth * (n_categories + 1) + np.where(best < 0, n_categories, best)
    confusion = np.bincount(cells, minlength=n_categories * (n_categories + 1))
    # A row without a prediction has NaN for scores, and no probabilities.
    decided = np.flatnonzero(best >= 0)
    scores, best, truth = np.ascontiguousarray(scores[:, decided]), best[decided], truth[decided]
    losses = confidence = np.zeros(0)
    right = np.zeros(0, dtype=bool)
    if not any(model.refuse_probabilities()):
        probabilities = model.find_probabilities(scores)
        confidence = np.take_along_axis(probabilities, best[None], axis=0)[0]
        losses, right = _lose(model, scores, truth), best == truth
    return Counts(
        model.categories,
        confusion.reshape(n_categories, n_categories + 1),
        np.bincount(_rank(scores, best, truth), minlength=n_categories),
        len(losses),
        exact_total(losses),
        count_tenths(confidence, right),
    )


def count_tenths(chances: Floats, right: NDArray[np.bool_]) -> Exact:
    """Count by tenths of a probability, (10, 3): rows, those that are right, its exact sum."""
    tenth = np.searchsorted(_EDGES, chances, side="right")
    counts = [np.bincount(rows, minlength=N_TENTHS).tolist() for rows in (tenth, tenth[right])]
    totals = [exact_total(chances[tenth == i]) for i in range(N_TENTHS)]
    return np.array([*counts, totals], dtype=object).T


def read_tenths(tenths: Exact) -> list[tuple[int, float, float]]:
    """Return of each tenth the rows, the mean probability, and the share that is right."""
    return [(n, round_total(total, n), divide(right, n)) for n, right, total in tenths.tolist()]


def list_tenths(
    tenths: list[tuple[int, float, float]], mean: str, share: str
) -> list[dict[str, float | None]]:
    """Return tenths as plain values, with names for the mean and the share."""
    return [
        {
            "from": tenth / N_TENTHS,
            "to": (tenth + 1) / N_TENTHS,
            "rows": n,
            mean: or_none(mean_value),
            share: or_none(share_value),
        }
        for tenth, (n, mean_value, share_value) in enumerate(tenths)
    ]


def exact_total(values: Floats) -> int:
    """Add up finite numbers, (n,), exactly; fewer than 2**36 of them.

    The sum is in units of 2**-1074. Such totals may be added up in any order.
    """
    mantissas, exponents = np.frexp(values)
    whole = np.ldexp(mantissas, _DIGITS).astype(np.int64)
    # Halves, so that a sum of them fits into 64 bits.
    high, low = whole >> _HALF, whole & (2**_HALF - 1)
    total = 0
    for exponent in {*exponents.tolist()}:
        here = exponents == exponent
        part = (int(high[here].sum()) << _HALF) + int(low[here].sum())
        shift = exponent - _DIGITS + _SMALLEST
        # The mantissa of a number this small ends in as many zeros.
        total += part << shift if shift >= 0 else part >> -shift
    return total


def round_total(total: int, divisor: int = 1) -> float:
    """Return the float64 nearest to an exact total, or to its share.

    NaN where the divisor is 0; an infinity where the sum is too large for float64.
    """
    if divisor == 0:
        return math.nan
    try:
        # Rounded once, at the end, from an exact share.
        return float(Fraction(total, divisor << _SMALLEST))
    except OverflowError:
        return math.inf if total > 0 else -math.inf


def _rank(scores: Floats, best: NDArray[np.int64], truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the categories before the truth: equal scores in the weights' order, the best first."""
    own = np.take_along_axis(scores, truth[None], axis=0)
    before = (scores == own) & (np.arange(len(scores))[:, None] < truth)
    rank = ((scores > own) | before).sum(axis=0)
    return np.where(best == truth, 0, np.maximum(rank, 1))


def _lose(model: Model, scores: Floats, truth: NDArray[np.int64]) -> Floats:
    """Return ``-log(probability of the truth)``, (n_rows,).

    Of the softmax it is ``log(sum(exp(scores))) - score of the truth``, shifted by the highest.
    """
    if model.link is not None:
        from matscore.links import find_losses

        return find_losses(model.link, scores, truth, reference=model.has_reference)
    with np.errstate(over="ignore"):
        shifted = scores - scores.max(axis=0)
        own = np.take_along_axis(shifted, truth[None], axis=0)[0]
    total = np.zeros(scores.shape[1])
    for row in exp(shifted):  # a fixed order of addition, as in `softmax`
        total += row
    # A gap that no float64 holds counts as the largest one: the sum of losses stays a number.
    losses: Floats = FUNCTIONS["log"](total) - np.maximum(own, -np.finfo(np.float64).max)
    return losses


def divide(part: int, whole: int) -> float:
    """Return a share; NaN of nothing."""
    return part / whole if whole else math.nan


def _divide_all(parts: NDArray[np.int64], wholes: NDArray[np.int64]) -> Floats:
    shares = np.full(len(parts), np.nan)
    np.divide(parts, wholes, out=shares, where=wholes > 0)
    return shares


def _plain(values: Floats) -> list[float | None]:
    return [or_none(value) for value in values.tolist()]


def or_none(value: float) -> float | None:
    """Return a number, None for NaN."""
    return None if math.isnan(value) else value


def _mean(values: Floats) -> float:
    return math.fsum(values) / len(values) if len(values) else math.nan
