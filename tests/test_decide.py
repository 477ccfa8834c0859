"""Best category, ties, margin, threshold and probabilities."""

from __future__ import annotations

import time
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore.decide import (
    NO_PREDICTION,
    Decision,
    _find_best,
    count_categories,
    decide,
    find_overflow,
    softmax,
    take_rows,
    tied_cells,
)
from matscore.product import Floats, block_features, error_bound, multiply_blocks
from tests.test_product import exact_terms

FILMS = np.array([[5.0, 1.0, 4.0], [2.0, 5.0, 4.0]])
GENRES = np.array([[1.1, 0.4, 0.1], [0.2, 0.5, 1.2]])
NAN = float("nan")


def settle(
    X: Floats, W: Floats, intercept: Floats | None = None, threshold: float | None = None
) -> tuple[Floats, Decision]:
    """Score and decide; X is (n_features, n_rows)."""
    blocks = block_features(list(X), X.shape[1])
    scores = multiply_blocks(blocks, W, intercept)[:, : X.shape[1]]
    return scores, decide(scores, blocks, W, intercept, threshold=threshold)


def decide_scores(scores: list[list[float]], **options: object) -> Decision:
    """Decide scores, given one row an item, that are exact: features are scores."""
    X = np.array(scores).T.copy()
    blocks = block_features(list(X), X.shape[1])
    return decide(X, blocks, np.eye(len(X)), **options)  # type: ignore[arg-type]


class TestBest:
    @pytest.mark.parametrize("n_categories", [1, 2, 3, 31, 32, 33, 127, 128, 300])
    def test_as_sorting_finds_it(self, n_categories: int) -> None:
        drawn = np.random.default_rng(n_categories)
        scores = drawn.integers(-50, 50, (n_categories, 10_000)).astype(float)
        scores[:, ::13] = NAN
        scores[0, 1::13] = scores[:, 1::13].max(axis=0)  # the first is among the best
        scores[-1, 2::13] = scores[:, 2::13].max(axis=0)  # the last is
        scores[:, 3::13] *= 3.5e306  # some differences overflow
        with np.errstate(over="ignore", invalid="ignore"):
            best, highest, margin = _find_best(scores)
            order = np.sort(scores, axis=0)
            expected = order[-1] - order[-2] if n_categories > 1 else np.full(10_000, NAN)
        there = ~np.isnan(scores[0])
        assert best.dtype == np.int64
        np.testing.assert_array_equal(best[there], scores.argmax(axis=0)[there])
        np.testing.assert_array_equal(highest, order[-1])
        np.testing.assert_array_equal(margin, expected)


class TestTies:
    def test_third_film(self) -> None:
        scores, decision = settle(FILMS, GENRES)
        assert decision.best.tolist() == [0, 2, 0]
        assert decision.tied.tolist() == [False, False, True]
        np.testing.assert_allclose(decision.margin, [2.9, 3.2, 0.0], rtol=1e-15)
        assert decision.margin[2] == 0.0
        marks = tied_cells(scores, FILMS, GENRES)
        assert marks.T.tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 1]]

    def test_rounding_does_not_choose(self) -> None:
        """0.1 + 0.2 is above 0.3 in float64; the first category is right either way."""
        X = np.array([[1.0], [1.0]])
        for W in ([[0.3, 0.1], [0.0, 0.2]], [[0.1, 0.3], [0.2, 0.0]]):
            scores, decision = settle(X, np.array(W))
            assert scores[0, 0] != scores[1, 0]
            assert decision.tied.all() and decision.best.tolist() == [0]
            assert decision.margin.tolist() == [0.0]

    def test_a_small_difference_is_no_tie(self) -> None:
        W = np.array([[1.0, 1.0 + 2.0**-48]])
        _, decision = settle(np.array([[3.0, -3.0]]), W)
        assert decision.best.tolist() == [1, 0]
        assert not decision.tied.any()
        assert decision.margin.tolist() == [3 * 2.0**-48] * 2

    def test_intercepts_count(self) -> None:
        """A large intercept hides a difference that the product alone would show."""
        X, W = np.array([[1.0]]), np.array([[1e-9, 1e-7]])
        assert settle(X, W)[1].best.tolist() == [1]
        scores, decision = settle(X, W, np.array([1e9, 1e9]))
        assert scores[0, 0] < scores[1, 0]
        assert decision.tied.tolist() == [True]
        assert decision.best.tolist() == [0]

    @given(st.data())
    def test_exact_arithmetic_is_the_judge(self, data: st.DataObject) -> None:
        n_pairs, n_categories = data.draw(st.integers(1, 5)), data.draw(st.integers(2, 4))
        tenth = st.integers(-30, 30).map(lambda n: n / 10)
        pairs = st.lists(tenth, min_size=n_pairs, max_size=n_pairs)
        weights = st.lists(tenth, min_size=2 * n_pairs, max_size=2 * n_pairs)
        X = np.repeat(data.draw(pairs), 2)[:, None]
        columns = [data.draw(weights)]
        while len(columns) < n_categories:
            # The features of a pair are equal: to swap their weights leaves the exact score.
            swapped = np.reshape(columns[-1], (-1, 2))[:, ::-1].ravel().tolist()
            columns.append(data.draw(st.just(swapped) | weights))
        W, intercept = np.array(columns).T, np.full(n_categories, data.draw(tenth))
        scores, decision = settle(X, W, intercept)
        exact = [sum(terms[0], Fraction()) for terms in exact_terms(X, W, intercept)]
        bounds = [Fraction(b) for b in error_bound(X, W, intercept)[:, 0].tolist()]
        first = exact.index(max(exact))
        others = [k for k in range(n_categories) if k != first]
        tied = decision.tied.tolist() == [True]
        if any(exact[k] == exact[first] for k in others):
            assert tied
        if all(exact[first] - exact[k] > 2 * (bounds[first] + bounds[k]) for k in others):
            assert not tied
            assert decision.best.tolist() == [first]
        winner = decision.best.tolist()[0]
        assert exact[first] - exact[winner] <= 2 * (bounds[first] + bounds[winner])
        marks = np.flatnonzero(tied_cells(scores, X, W, intercept))
        assert (len(marks) > 1) == tied
        assert marks[0] == winner

    def test_three_way_tie_goes_to_the_first(self) -> None:
        decision = decide_scores([[1.0, 7.0, 7.0, 7.0], [7.0, 7.0, 7.0, 7.0]])
        assert decision.best.tolist() == [1, 0]
        assert decision.tied.all() and not decision.margin.any()

    def test_scores_that_underflow_tie(self) -> None:
        X, W = np.array([[3e-200]]), np.array([[1e-200, 2e-200]])
        _, decision = settle(X, W)
        assert decision.tied.all() and decision.best.tolist() == [0]
        # One and a half of the smallest float64 twice, rounded to one and to two of them.
        W = np.array([[5e-324, 15e-324], [10e-324, 0.0]])
        _, decision = settle(np.array([[0.5], [0.5]]), W)
        assert decision.tied.all() and decision.best.tolist() == [0]

    def test_terms_whose_sizes_overflow_do_not_tie(self) -> None:
        X, W = np.array([[1e308], [1e308]]), np.array([[1.0, 1.0], [-1.0, -0.5]])
        scores, decision = settle(X, W)
        assert scores[:, 0].tolist() == [0.0, 5e307]
        assert decision.best.tolist() == [1] and not decision.tied.any()

    def test_neighbours_do_not_matter(self) -> None:
        X = np.random.default_rng(0).integers(-30, 30, (4, 600)) / 10
        W = np.random.default_rng(1).integers(-9, 9, (4, 3)) / 10
        W[:, 2] = W[::-1, 0]
        _, whole = settle(X, W)
        assert 0 < whole.tied.sum() < 600
        X[:, 300] = 1e300
        for start, stop in ((0, 300), (299, 300), (301, 600), (100, 400)):
            _, part = settle(X[:, start:stop], W)
            rows = np.setdiff1d(np.arange(start, stop), 300)
            for name in ("best", "margin", "tied"):
                one, other = getattr(whole, name)[rows], getattr(part, name)[rows - start]
                assert one.tobytes() == other.tobytes()

    def test_a_million_ties_are_fast(self) -> None:
        X, W = np.full((4, 10**6), 0.3), np.full((4, 3), 0.7)
        blocks = block_features(list(X), 10**6)
        scores = multiply_blocks(blocks, W)[:, : 10**6]
        start = time.process_time()
        decision = decide(scores, blocks, W)
        assert time.process_time() - start < 5
        assert decision.tied.all() and not decision.best.any()


@pytest.mark.parametrize("n_categories", [1, 2, 7, 3_000, 20_000])
def test_the_first_of_the_highest_scores_wins(n_categories: int) -> None:
    """Many rows and categories, taken some at a time, against NumPy's argmax."""
    rng = np.random.default_rng(n_categories)
    n_rows = max(2 * 10**6 // n_categories, 100) if n_categories > 1 else 1_000
    scores = rng.integers(-(10**9), 10**9, (n_categories, n_rows)).astype(float)
    scores[:, ::5] = rng.integers(0, 2, (n_categories, len(scores[0, ::5])))
    scores[:, 3] = NAN
    kept = scores.copy()
    blocks = block_features([scores[0]], n_rows)
    decision = decide(scores, blocks, np.ones((1, n_categories)))
    expected = scores.argmax(axis=0)
    expected[3] = NO_PREDICTION
    assert decision.best.tolist() == expected.tolist()
    assert scores.tobytes() == kept.tobytes()
    if n_categories > 1:
        highest, second = np.sort(np.delete(scores, 3, axis=1), axis=0)[[-1, -2]]
        assert np.delete(decision.margin, 3).tolist() == (highest - second).tolist()


class TestMissing:
    def test_nan_never_wins(self) -> None:
        X = FILMS.copy()
        X[1, 1] = NAN
        scores, decision = settle(X, GENRES)
        assert decision.best.tolist() == [0, NO_PREDICTION, 0]
        assert decision.tied.tolist() == [False, False, True]
        assert np.isnan(decision.margin).tolist() == [False, True, False]
        assert not tied_cells(scores, X, GENRES)[:, 1].any()

    def test_nothing_but_nan(self) -> None:
        _, decision = settle(np.full((2, 3), NAN), GENRES, threshold=-1e9)
        assert decision.best.tolist() == [NO_PREDICTION] * 3
        assert not decision.tied.any()

    def test_no_rows(self) -> None:
        _, decision = settle(np.empty((2, 0)), GENRES, threshold=1.0)
        assert [len(part) for part in (decision.best, decision.margin, decision.tied)] == [0, 0, 0]


class TestThreshold:
    def test_on_scores(self) -> None:
        decision = decide_scores([[3.0, 1.0], [2.999, 1.0], [-5.0, 3.5]], threshold=3.0)
        assert decision.best.tolist() == [0, NO_PREDICTION, 1]
        assert decision.margin.tolist() == [2.0, 2.999 - 1.0, 8.5]

    def test_on_probabilities(self) -> None:
        chances = np.array([[0.9, 0.5], [0.1, 0.5]])
        scores = [[9.0, 1.0], [9.0, 8.9]]
        decision = decide_scores(scores, threshold=0.6, probabilities=chances)
        assert decision.best.tolist() == [0, NO_PREDICTION]
        assert decide_scores(scores, probabilities=chances).best.tolist() == [0, 0]

    def test_one_category(self) -> None:
        decision = decide_scores([[0.5], [0.4]], threshold=0.5)
        assert decision.best.tolist() == [0, NO_PREDICTION]
        assert np.isnan(decision.margin).all()
        assert not decision.tied.any()


class TestSoftmax:
    @given(
        st.lists(st.floats(-800, 800) | st.floats(-2, 2), min_size=1, max_size=6),
    )
    def test_decimal_arithmetic_agrees(self, scores: list[float]) -> None:
        with localcontext(prec=60):
            powers = [Decimal(score).exp() for score in scores]
            total = sum(powers) + (len(scores) == 1)
            expected = [float(power / total) for power in powers]
        found = softmax(np.array(scores)[:, None])[:, 0]
        # Rounding the difference d of two scores changes its power by up to d units.
        np.testing.assert_allclose(found, expected, rtol=4e-13, atol=1e-307)
        assert len(scores) == 1 or abs(found.sum() - 1) < 1e-15

    def test_extreme_scores(self) -> None:
        scores = np.array([[1.7e308, -1.7e308, 1e308, 5e-324], [-1.7e308, 1.7e308, 1e308, 0.0]])
        assert softmax(scores).tolist() == [[1.0, 0.0, 0.5, 0.5], [0.0, 1.0, 0.5, 0.5]]
        assert softmax(scores[:1]).tolist() == [[1.0, 0.0, 1.0, 0.5]]

    def test_nan_stays_in_its_row(self) -> None:
        chances = softmax(np.array([[0.0, NAN, 1.0], [0.0, NAN, 1.0]]))
        assert np.isnan(chances[:, 1]).all()
        assert chances[:, [0, 2]].tolist() == [[0.5, 0.5]] * 2

    @pytest.mark.parametrize("n_categories", [1, 2, 3, 10, 33])
    def test_bits_do_not_depend_on_the_place(self, n_categories: int) -> None:
        scores = np.random.default_rng(0).normal(scale=20, size=(n_categories, 1000))
        whole = softmax(scores)
        places = [slice(0, 1), slice(1, 8), slice(3, 998), slice(999, 1000), slice(None, None, -1)]
        for place in places:
            for part in (scores[:, place], scores[:, place].copy()):
                assert softmax(part).tobytes() == whole[:, place].tobytes()


def test_find_overflow() -> None:
    scores = np.array([[1.0, np.inf, NAN, NAN, 1.0], [1.0, 1.0, NAN, NAN, -np.inf]])
    assert find_overflow(scores, None).tolist() == [False, True, True, True, True]
    missing = np.array([False, False, False, True, False])
    assert find_overflow(scores, missing).tolist() == [False, True, True, False, True]


def test_count_categories() -> None:
    assert count_categories(np.array([2, 0, NO_PREDICTION, 2]), 4).tolist() == [1, 0, 2, 0]
    assert count_categories(np.array([], dtype=np.int64), 2).tolist() == [0, 0]


def test_take_rows() -> None:
    X = np.random.default_rng(0).normal(size=(3, 700))
    rows = np.array([699, 0, 255, 256, 256])
    taken = take_rows(block_features(list(X), 700), rows)
    assert taken.tolist() == X[:, rows].tolist()
