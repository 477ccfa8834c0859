"""One category against the rest: scikit-learn's measures, and exact ones by brute force."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve

from matscore.kernel import Floats
from matscore.model import Model, softmax
from matscore.numerics.binary import (
    Against,
    BinaryCounts,
    BinaryMetrics,
    Point,
    count_binary,
    count_single,
    measure_binary,
)
from matscore.numerics.kept import Rankings, Run
from matscore.numerics.metrics import Metrics, count_rows
from matscore.options import Link

Ints = NDArray[np.int64]
YES = Model(np.ones((1, 1)), None, ("yes",))
SINGLE = Against(("yes",), (0,), single=True, by_probability=False, threshold=0.0)
NO_ROWS = count_binary(SINGLE, YES, np.empty((1, 0)), np.empty(0, np.int64))


def draw(n_rows: int, seed: int, *, decimals: int = 1, share: float = 0.4) -> tuple[Floats, Ints]:
    """Return scores of a single category with many ties, and truths: 0, or -1 for negative."""
    rng = np.random.default_rng(seed)
    positive = rng.random(n_rows) < share
    scores = (rng.normal(size=n_rows) + positive).round(decimals)
    return scores, np.where(positive, 0, -1)


def measure(scores: Floats, truth: Ints, against: Against = SINGLE) -> BinaryMetrics:
    counts = count_binary(against, YES, scores[None], truth)
    (found,) = measure_binary(against, counts, np.zeros((1, 2), np.int64))
    return found


@pytest.mark.parametrize("decimals", [0, 1, 2, 8])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(3))
def test_equal_to_scikit_learn(decimals: int, share: float, seed: int) -> None:
    scores, truth = draw(800, seed, decimals=decimals, share=share)
    found, y = measure(scores, truth), truth == 0
    chances = softmax(scores[None])[0]
    assert found.roc_auc == pytest.approx(oracle.roc_auc_score(y, scores), rel=1e-13)
    expected = oracle.average_precision_score(y, scores)
    assert found.average_precision == pytest.approx(expected, rel=1e-13)
    assert found.log_loss == pytest.approx(oracle.log_loss(y, chances), rel=1e-13)
    assert found.brier_score == pytest.approx(oracle.brier_score_loss(y, chances), rel=1e-13)
    point = found.decision
    cells = oracle.confusion_matrix(y, scores >= 0).ravel().tolist()
    assert [point.true_negatives, point.false_positives] == cells[:2]
    assert [point.false_negatives, point.true_positives] == cells[2:]


def test_calibration_is_scikit_learns_curve() -> None:
    scores, truth = draw(5000, 3, decimals=8)
    found, y, chances = measure(scores, truth), truth == 0, softmax(scores[None])[0]
    shares, means = calibration_curve(y, chances, n_bins=10)
    filled = [tenth for tenth in found.calibration if tenth[0]]
    assert [tenth[1] for tenth in filled] == pytest.approx(means.tolist(), rel=1e-12)
    assert [tenth[2] for tenth in filled] == pytest.approx(shares.tolist(), rel=1e-12)
    assert sum(n for n, _, _ in found.calibration) == 5000
    # A probability of exactly 0.5 is in the tenth that starts there.
    assert measure(np.zeros(3), np.array([0, 0, -1])).calibration[5] == (3, 0.5, 2 / 3)


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_points_are_those_of_scikit_learns_curves(decimals: int) -> None:
    scores, truth = draw(800, 9, decimals=decimals)
    found, y = measure(scores, truth), truth == 0
    precision, recall, thresholds = oracle.precision_recall_curve(y, scores)
    by_threshold = dict(
        zip(thresholds, zip(precision, recall, strict=False), strict=False)  # one more: recall 0
    )
    for percent, point in found.thresholds.items():
        assert point.threshold is not None
        taken = scores >= point.threshold
        assert taken.sum() >= percent * 8
        higher = scores[scores > point.threshold]
        assert len(higher) < percent * 8  # it is the highest
        expected = by_threshold[point.threshold]
        assert (point.precision, point.recall) == pytest.approx(expected, rel=1e-14)
        assert point.f1 == pytest.approx(oracle.f1_score(y, taken), rel=1e-14)
        specificity = oracle.recall_score(~y, ~taken)
        assert point.specificity == pytest.approx(specificity, rel=1e-14)
        balanced = oracle.balanced_accuracy_score(y, taken, adjusted=True)
        assert point.youden == pytest.approx(balanced, abs=1e-14)
    false, true, _ = oracle.roc_curve(y, scores, drop_intermediate=False)
    pairs = set(zip(false.tolist(), true.tolist(), strict=True))
    assert pairs.issuperset(found.curve)
    assert found.curve[0] == (1.0, 1.0) and found.curve[-1] == (0.0, 0.0)
    # What is left out of the picture is nearer than a two hundredth to what is in it.
    for point_of_theirs in pairs:
        gaps = [np.abs(np.subtract(point_of_theirs, ours)).max() for ours in found.curve]
        assert min(gaps) <= 1 / 200 + 1e-12


def judge(scores: list[float], positive: list[bool]) -> tuple[Fraction, Fraction]:
    """Return both areas by their definitions, in exact fractions."""
    ones = [s for s, y in zip(scores, positive, strict=True) if y]
    others = [s for s, y in zip(scores, positive, strict=True) if not y]
    halves = sum(2 * (a > b) + (a == b) for a in ones for b in others)
    average, before = Fraction(0), 0
    for threshold in sorted(set(scores), reverse=True):
        true = sum(s >= threshold for s in ones)
        false = sum(s >= threshold for s in others)
        average += Fraction(true - before, len(ones)) * Fraction(true, true + false)
        before = true
    return Fraction(halves, 2 * len(ones) * len(others)), average


ROWS = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=40)


@given(ROWS.filter(lambda rows: 0 < sum(y for _, y in rows) < len(rows)))
def test_areas_are_exact(rows: list[tuple[int, bool]]) -> None:
    scores, positive = [float(s) for s, _ in rows], [y for _, y in rows]
    found = measure(np.array(scores), np.where(positive, 0, -1))
    area, average = judge(scores, positive)
    assert found.roc_auc == float(area)
    assert abs(Fraction(found.average_precision) / average - 1) <= Fraction(2, 2**52)
    points = [_point(scores, positive, threshold) for threshold in sorted(set(scores))]
    for name, best in found.best.items():
        value = getattr(best, name)
        assert value == max(getattr(point, name) for point in points)
        # Of equal ones the highest threshold.
        assert best == [point for point in points if getattr(point, name) == value][-1]


def _point(scores: list[float], positive: list[bool], threshold: float) -> Point:
    taken = [y for s, y in zip(scores, positive, strict=True) if s >= threshold]
    n_positive = sum(positive)
    true = sum(taken)
    return Point(threshold, len(positive) - n_positive, n_positive, len(taken) - true, true)


def facts_of(counts: BinaryCounts, against: Against) -> object:
    (found,) = measure_binary(against, counts, np.zeros((1, 2), np.int64))
    return found


@pytest.mark.parametrize("height", [1, 37, 999])
@pytest.mark.parametrize("most", [64, 2**18])
@pytest.mark.parametrize("best", [None, "f1", "youden"])
def test_the_same_however_rows_are_cut(height: int, most: int, best: str | None) -> None:
    scores, truth = draw(1000, 5, decimals=6)
    scores[::50] = np.nan
    against = Against(("yes",), (0,), True, False, None if best else 0.3, best)  # type: ignore[arg-type]
    whole = facts_of(count_binary(against, YES, scores[None], truth, ["b", "a"]), against)
    parts = [
        count_binary(
            against, YES, scores[None, i : i + height], truth[i : i + height], ["ab"[i % 2]]
        )
        for i in range(0, 1000, height)
    ]
    for order in (parts, parts[::-1]):
        total = replace(NO_ROWS, rankings=Rankings(1, most=most))
        for part in order:
            total = total + part
        found: BinaryMetrics = facts_of(total, against)  # type: ignore[assignment]
        if height < 999:
            assert found == whole
        assert found.n_unscored == 20


def test_thousands_of_millions_of_rows() -> None:
    """Products of counts leave 64 bits."""
    negative, positive = [10**10, 7 * 10**9, 3], [3, 10**10, 5 * 10**9]
    rows = np.array([[-1.0, 0.5, 2.0], negative, positive]).T
    run = Run(np.array([0, 3]), rows)
    totals = np.array([[sum(negative), sum(positive)]])
    counts = replace(NO_ROWS, rankings=Rankings(1, (run,)), truths=totals)
    (found,) = measure_binary(SINGLE, counts, np.zeros((1, 2), np.int64))
    pairs = 0
    for i in range(3):
        pairs += positive[i] * (2 * sum(negative[:i]) + negative[i])
    assert found.roc_auc == float(Fraction(pairs, 2 * sum(negative) * sum(positive)))
    average = sum(
        Fraction(positive[i], sum(positive))
        * Fraction(sum(positive[i:]), sum(positive[i:]) + sum(negative[i:]))
        for i in range(3)
    )
    assert found.average_precision == pytest.approx(float(average), rel=1e-15)
    assert found.decision == Point(0.0, sum(negative), sum(positive), 7 * 10**9 + 3, 15 * 10**9)
    assert found.best["youden"].threshold == 0.5 and found.best["f1"].threshold == 0.5
    assert found.thresholds[1].threshold == 2.0 and found.thresholds[100].threshold == -1.0


@pytest.mark.parametrize("kind", [0, -1])
def test_rows_of_one_kind(kind: int) -> None:
    scores, _ = draw(50, 2)
    found = measure(scores, np.full(50, kind))
    assert math.isnan(found.roc_auc) and found.best == {} and found.curve == []
    with warnings.catch_warnings():  # scikit-learn warns of no positive rows
        warnings.simplefilter("ignore")
        expected = oracle.log_loss(np.full(50, kind == 0), softmax(scores[None])[0], labels=[0, 1])
    assert found.log_loss == pytest.approx(expected)
    if kind == 0:
        assert found.average_precision == 1.0
        assert math.isnan(found.decision.specificity)
    else:
        assert math.isnan(found.average_precision) and math.isnan(found.decision.recall)


def test_no_rows() -> None:
    found = measure(np.empty(0), np.empty(0, np.int64))
    values = (found.roc_auc, found.average_precision, found.log_loss, found.brier_score)
    assert all(map(math.isnan, values)) and found.thresholds == {}
    assert found.facts()["roc_auc"] is None


def test_a_threshold_that_no_score_reaches_or_all_do() -> None:
    scores, truth = draw(60, 1)
    n_positive = int((truth == 0).sum())
    none = measure(scores, truth, Against(("y",), (0,), True, False, 99.0)).decision
    assert none == Point(99.0, 60 - n_positive, n_positive, 0, 0)
    every = measure(scores, truth, Against(("y",), (0,), True, False, -99.0)).decision
    assert every == Point(-99.0, 60 - n_positive, n_positive, 60 - n_positive, n_positive)
    edge = float(np.sort(scores)[30])
    at = measure(scores, truth, Against(("y",), (0,), True, False, edge)).decision
    assert at.true_positives + at.false_positives == (scores >= edge).sum()


def test_losses_that_probabilities_could_not_hold() -> None:
    found = measure(np.array([-1e5, 800.0, 1e308]), np.array([0, -1, 0]))
    assert found.log_loss == pytest.approx((1e5 + 800.0) / 3, rel=1e-15)


def test_by_probability() -> None:
    """Equal probabilities tie, whatever the scores."""
    scores, truth = np.array([40.0, 50.0, -1.0]), np.array([0, -1, -1])
    assert measure(scores, truth).roc_auc == 0.5
    against = Against(("y",), (0,), True, True, 0.5)
    assert measure(scores, truth, against).roc_auc == 0.75


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_categories", [2, 3, 6])
def test_several_categories_against_the_rest(n_categories: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_categories, 500)
    scores = rng.normal(size=(n_categories, 500)).round(1)
    scores[truth, np.arange(500)] += 1
    names = tuple("abcdef"[:n_categories])
    against = Against(names, tuple(range(n_categories)))
    model = Model(np.ones((1, n_categories)), None, names)
    counts = count_rows(model, scores, scores.argmax(axis=0), truth)
    found = measure_binary(against, count_binary(against, model, scores, truth), counts.confusion)
    chances = softmax(scores)
    for place, one in enumerate(found):
        y, p = truth == place, chances[place]
        assert one.roc_auc == pytest.approx(oracle.roc_auc_score(y, p), rel=1e-13)
        average = oracle.average_precision_score(y, p)
        assert one.average_precision == pytest.approx(average, rel=1e-13)
        assert one.log_loss == pytest.approx(oracle.log_loss(y, p), rel=1e-12)
        assert one.brier_score == pytest.approx(oracle.brier_score_loss(y, p), rel=1e-12)
        point, taken = one.decision, scores.argmax(axis=0) == place
        assert point.threshold is None
        assert point.f1 == pytest.approx(oracle.f1_score(y, taken))
        assert (point.n_positive, point.true_positives) == (y.sum(), (y & taken).sum())
    if n_categories > 2:
        macro = oracle.roc_auc_score(truth, chances.T, multi_class="ovr")
        assert Metrics(counts, found).macro_roc_auc == pytest.approx(macro, rel=1e-12)


def test_a_single_category_counts_as_two() -> None:
    scores, truth = draw(300, 4)
    scores[:7] = np.nan
    found = measure(scores, truth)
    counts = count_binary(SINGLE, YES, scores[None], truth)
    metrics = Metrics(count_single(found, counts), (found,))
    y, known = truth == 0, ~np.isnan(scores)
    assert metrics.categories == ("not yes", "yes") and metrics.n_rows == 300
    right = (scores >= 0) == y
    assert metrics.accuracy == (right & known).sum() / 300
    assert metrics.n_unpredicted == 7 and metrics.calibration == []
    assert metrics.support.tolist() == [300 - y.sum(), y.sum()]
    assert metrics.log_loss == found.log_loss


@pytest.mark.parametrize("link", ["logistic", "probit", "cloglog", "exp", "identity"])
def test_links_of_a_single_category(link: Link) -> None:
    scores, truth = draw(500, 6)
    model, y = Model(np.ones((1, 1)), None, ("yes",), link=link), truth == 0
    (found,) = measure_binary(
        SINGLE, count_binary(SINGLE, model, scores[None], truth), np.zeros((1, 2), np.int64)
    )
    assert found.roc_auc == measure(scores, truth).roc_auc  # the order is that of the scores
    if link in ("exp", "identity"):
        assert math.isnan(found.log_loss) and math.isnan(found.brier_score)
        assert [tenth[0] for tenth in found.calibration] == [0] * 10
        return
    normal = NormalDist()
    chance: dict[str, Callable[[float], float]] = {
        "logistic": lambda s: 1 / (1 + math.exp(-s)),
        "probit": normal.cdf,
        "cloglog": lambda s: 1 - math.exp(-math.exp(s)),
    }
    chances = np.array([chance[link](s) for s in scores.tolist()])
    assert found.log_loss == pytest.approx(oracle.log_loss(y, chances), rel=1e-10)
    assert found.brier_score == pytest.approx(oracle.brier_score_loss(y, chances), rel=1e-12)
    assert sum(n for n, _, _ in found.calibration) == 500


@pytest.mark.parametrize("link", ["one-vs-rest", "logistic", "identity"])
def test_links_of_several_categories(link: Link) -> None:
    rng = np.random.default_rng(8)
    truth, scores = rng.integers(0, 3, 400), rng.normal(size=(3, 400))
    scores[truth, np.arange(400)] += 1
    model = Model(np.ones((1, 3)), None, ("a", "b", "c"), link=link)
    against = Against(("a", "b", "c"), (0, 1, 2), by_probability=link != "identity")
    counts = count_binary(against, model, scores, truth)
    found = measure_binary(against, counts, np.zeros((3, 4), np.int64))
    logistic = 1 / (1 + np.exp(-scores))
    chances = logistic / logistic.sum(axis=0) if link == "one-vs-rest" else logistic
    for place, one in enumerate(found):
        y, p = truth == place, scores[place] if link == "identity" else chances[place]
        assert one.roc_auc == pytest.approx(oracle.roc_auc_score(y, p), rel=1e-13)
        if link == "identity":
            assert math.isnan(one.log_loss)
        else:
            assert one.log_loss == pytest.approx(oracle.log_loss(y, p), rel=1e-12)
            assert one.brier_score == pytest.approx(oracle.brier_score_loss(y, p), rel=1e-12)
