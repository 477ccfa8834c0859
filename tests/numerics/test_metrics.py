"""Measures against scikit-learn's, and counts and sums that add up."""

from __future__ import annotations

import math
import sys
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve

from matscore.kernel import Floats
from matscore.model import Model, softmax
from matscore.numerics.metrics import (
    Counts,
    Metrics,
    count_rows,
    exact_total,
    round_total,
)

NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30)
NAMES = ("a", "b", "c", "d", "e")
Ints = NDArray[np.int64]


def make_rows(
    n_rows: int, n_categories: int, seed: int, *, spread: float = 2.0
) -> tuple[Floats, Ints, Ints]:
    """Return scores, predictions and truths that agree more often than not."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_categories, n_rows)
    scores = rng.normal(size=(n_categories, n_rows)) * spread
    scores[truth, np.arange(n_rows)] += spread
    return scores, scores.argmax(axis=0), truth


def make_model(n_categories: int) -> Model:
    return Model(np.zeros((1, n_categories)), None, NAMES[:n_categories])


def no_counts(n_categories: int) -> Counts:
    none = np.empty(0, dtype=np.int64)
    return count_rows(make_model(n_categories), np.empty((n_categories, 0)), none, none)


def measure(scores: Floats, best: Ints, truth: Ints) -> Metrics:
    return Metrics(count_rows(make_model(len(scores)), scores, best, truth))


@pytest.mark.parametrize("n_categories", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_equal_to_scikit_learn(n_categories: int, seed: int) -> None:
    scores, best, truth = make_rows(700, n_categories, seed)
    found = measure(scores, best, truth)
    assert found.n_rows == 700 and found.n_unpredicted == 0
    np.testing.assert_array_equal(found.confusion, oracle.confusion_matrix(truth, best))
    precision, recall, f1, support = oracle.precision_recall_fscore_support(truth, best)
    np.testing.assert_allclose(found.precision, precision, rtol=1e-14)
    np.testing.assert_allclose(found.recall, recall, rtol=1e-14)
    np.testing.assert_allclose(found.f1, f1, rtol=1e-14)
    np.testing.assert_array_equal(found.support, support)
    np.testing.assert_array_equal(found.predicted, np.bincount(best))
    macro = oracle.precision_recall_fscore_support(truth, best, average="macro")[:3]
    mine = (found.macro_precision, found.macro_recall, found.macro_f1)
    assert mine == pytest.approx(macro, rel=1e-14)
    assert found.accuracy == oracle.accuracy_score(truth, best)
    balanced = oracle.balanced_accuracy_score(truth, best)
    assert found.balanced_accuracy == pytest.approx(balanced, rel=1e-14)
    probabilities = softmax(scores).T
    loss = oracle.log_loss(truth, probabilities / probabilities.sum(axis=1, keepdims=True))
    assert found.log_loss == pytest.approx(loss, rel=1e-13)
    for k in range(1, n_categories):
        if n_categories > 2:
            expected = oracle.top_k_accuracy_score(truth, scores.T, k=k)
            assert found.top_k_accuracy[k - 1] == pytest.approx(expected, rel=1e-14)
    assert found.top_k_accuracy[0] == found.accuracy and found.top_k_accuracy[-1] == 1.0


def test_calibration_is_scikit_learns_curve() -> None:
    scores, best, truth = make_rows(5000, 2, 1, spread=0.5)
    confidence = softmax(scores).max(axis=0)
    found = measure(scores, best, truth).calibration
    shares, means = calibration_curve(best == truth, confidence, n_bins=10)
    filled = [tenth for tenth in found if tenth[0]]
    assert [tenth[1] for tenth in filled] == pytest.approx(means.tolist(), rel=1e-13)
    assert [tenth[2] for tenth in filled] == pytest.approx(shares.tolist(), rel=1e-13)
    assert sum(n for n, _, _ in found) == 5000
    assert [n for n, _, _ in found[:5]] == [0] * 5 and math.isnan(found[0][1])


def test_borders_of_the_tenths() -> None:
    """A probability of exactly 0.5 or 1 is in the tenth that starts there, or ends."""
    scores = np.array([[0.0, 0.0, 800.0], [0.0, 0.0, 0.0]])
    found = measure(scores, np.array([0, 0, 0]), np.array([0, 1, 0])).calibration
    assert found[5] == (2, 0.5, 0.5) and found[9] == (1, 1.0, 1.0)


@pytest.mark.parametrize("kind", ["never predicted", "no rows", "neither"])
def test_categories_that_are_not_there(kind: str) -> None:
    scores, best, truth = make_rows(300, 4, 3)
    if kind != "no rows":
        best = np.where(best == 3, 0, best)
    if kind != "never predicted":
        truth = np.where(truth == 3, 1, truth)
    found = measure(scores, best, truth)
    assert math.isnan(found.precision[3]) == (kind != "no rows")
    assert math.isnan(found.recall[3]) == (kind != "never predicted")
    assert math.isnan(found.f1[3]) == (kind == "neither")
    with warnings.catch_warnings():  # scikit-learn warns where we have NaN
        warnings.simplefilter("ignore")
        macro = oracle.precision_recall_fscore_support(truth, best, average="macro")[:3]
        balanced = oracle.balanced_accuracy_score(truth, best)
    mine = (found.macro_precision, found.macro_recall, found.macro_f1)
    assert mine == pytest.approx(macro, rel=1e-14)
    assert found.balanced_accuracy == pytest.approx(balanced, rel=1e-14)


def test_rows_without_prediction_count_as_wrong() -> None:
    scores, best, truth = make_rows(200, 3, 4)
    scores[:, :50], best[:50] = np.nan, -1
    found = measure(scores, best, truth)
    assert found.n_rows == 200 and found.n_unpredicted == 50
    assert found.accuracy == (best == truth).sum() / 200
    names = np.array([*NAMES[:3], "none"])
    expected = oracle.recall_score(names[truth], names[best], labels=list(NAMES[:3]), average=None)
    np.testing.assert_allclose(found.recall, expected, rtol=1e-14)
    assert found.log_loss == measure(scores[:, 50:], best[50:], truth[50:]).log_loss
    assert found.top_k_accuracy[-1] == 0.75


def test_ties_go_to_the_prediction_and_then_to_the_first() -> None:
    scores = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0 + 1e-16, 1.0, 1.0]])
    found = measure(scores, np.array([0, 0, 0]), np.array([0, 1, 2]))
    assert found.counts.ranks.tolist() == [1, 1, 1]
    np.testing.assert_allclose(found.top_k_accuracy, [1 / 3, 2 / 3, 1])


def test_a_tie_that_the_highest_bits_deny() -> None:
    """The prediction is the first of two within rounding error, though the second is higher."""
    scores = np.array([[5.2], [np.nextafter(5.2, 6)]])
    found = measure(scores, np.array([0]), np.array([1]))
    assert found.accuracy == 0.0 and found.counts.ranks.tolist() == [0, 1]


def test_losses_that_probabilities_could_not_hold() -> None:
    scores = np.array([[0.0, 1e308], [1e5, -1e308]])
    found = measure(scores[:, :1], np.array([1]), np.array([0]))
    assert found.log_loss == 1e5
    assert math.isfinite(measure(scores, np.array([1, 0]), np.array([0, 1])).log_loss)


def same(one: Counts, two: Counts) -> bool:
    arrays = ((one.confusion, two.confusion), (one.ranks, two.ranks), (one.tenths, two.tenths))
    equal = all(np.array_equal(a, b) for a, b in arrays)
    return equal and one.loss == two.loss


@pytest.mark.parametrize("height", [1, 7, 100, 999])
def test_counts_add_up_to_the_same_bits(height: int) -> None:
    scores, best, truth = make_rows(1000, 4, 6)
    scores[:, 30:40], best[30:40] = np.nan, -1
    whole = count_rows(make_model(4), scores, best, truth)
    parts = [
        count_rows(
            make_model(4), scores[:, i : i + height], best[i : i + height], truth[i : i + height]
        )
        for i in range(0, 1000, height)
    ]
    for order in (parts, parts[::-1]):
        total = no_counts(4)
        for part in order:
            total = total + part
        assert same(total, whole)
    assert Metrics(total).log_loss == Metrics(whole).log_loss


def test_no_rows() -> None:
    found = Metrics(no_counts(5))
    assert found.n_rows == 0
    for value in (found.accuracy, found.balanced_accuracy, found.macro_f1, found.log_loss):
        assert math.isnan(value)
    assert np.isnan(found.top_k_accuracy).all() and np.isnan(found.f1).all()
    assert found.calibration[9][0] == 0 and math.isnan(found.calibration[9][1])


@given(NUMBERS)
def test_the_sum_is_the_exact_one(values: list[float]) -> None:
    total = exact_total(np.array(values, dtype=np.float64))
    assert Fraction(total, 2**1074) == sum(map(Fraction, values))


@given(NUMBERS, st.integers(0, 30), st.integers(1, 9))
def test_parts_add_up(values: list[float], cut: int, divisor: int) -> None:
    array = np.array(values, dtype=np.float64)
    parts = exact_total(array[:cut]) + exact_total(array[cut:])
    assert parts == exact_total(array)
    exact = sum(map(Fraction, values), start=Fraction(0)) / divisor
    if abs(exact) < sys.float_info.max:
        assert round_total(parts, divisor) == float(exact)


def test_extremes() -> None:
    assert round_total(exact_total(np.array([5e-324, 5e-324]))) == 1e-323
    largest = exact_total(np.full(2, sys.float_info.max))
    assert round_total(largest) == math.inf
    assert round_total(-largest) == -math.inf
    assert round_total(largest, 2) == sys.float_info.max
    assert math.isnan(round_total(0, 0))


def test_many() -> None:
    values = np.random.default_rng(0).lognormal(0, 20, 10_000)
    assert round_total(exact_total(values)) == math.fsum(values)
