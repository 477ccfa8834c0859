"""What scores decide: best category, ties, margin."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore.kernel import Decision, Floats, error_bound, mark_ties, score

FILMS = np.array([[5.0, 1.0, 4.0], [2.0, 5.0, 4.0]])
GENRES = np.array([[1.1, 0.4, 0.1], [0.2, 0.5, 1.2]])
NAN = float("nan")


def decide_scores(scores: list[list[float]]) -> Decision:
    """Decide scores, given one row an item, that are exact: features are scores."""
    X = np.array(scores).T.copy()
    return score(X, np.eye(len(X)))[1]


def exact_scores(X: Floats, W: Floats, intercept: Floats) -> list[Fraction]:
    """Return the exact scores of one row; X is (n_features, 1)."""
    row = [Fraction(x) for x in X[:, 0].tolist()]
    return [
        sum((x * Fraction(w) for x, w in zip(row, column, strict=True)), Fraction(b))
        for column, b in zip(W.T.tolist(), intercept.tolist(), strict=True)
    ]


class TestTies:
    def test_third_film(self) -> None:
        scores, decision = score(FILMS, GENRES)
        assert decision.best.tolist() == [0, 2, 0]
        assert decision.tied.tolist() == [False, False, True]
        np.testing.assert_allclose(decision.margin, [2.9, 3.2, 0.0], rtol=1e-15)
        assert decision.margin[2] == 0.0
        marks = mark_ties(scores, FILMS, GENRES)
        assert marks.T.tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 1]]

    def test_rounding_does_not_choose(self) -> None:
        """0.1 + 0.2 is above 0.3 in float64; the first category is right either way."""
        X = np.array([[1.0], [1.0]])
        for W in ([[0.3, 0.1], [0.0, 0.2]], [[0.1, 0.3], [0.2, 0.0]]):
            scores, decision = score(X, np.array(W))
            assert scores[0, 0] != scores[1, 0]
            assert decision.tied.all() and decision.best.tolist() == [0]
            assert decision.margin.tolist() == [0.0]

    def test_a_small_difference_is_no_tie(self) -> None:
        W = np.array([[1.0, 1.0 + 2.0**-48]])
        _, decision = score(np.array([[3.0, -3.0]]), W)
        assert decision.best.tolist() == [1, 0]
        assert not decision.tied.any()
        assert decision.margin.tolist() == [3 * 2.0**-48] * 2

    def test_intercepts_count(self) -> None:
        """A large intercept hides a difference that the product alone would show."""
        X, W = np.array([[1.0]]), np.array([[1e-9, 1e-7]])
        assert score(X, W)[1].best.tolist() == [1]
        scores, decision = score(X, W, np.array([1e9, 1e9]))
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
        scores, decision = score(X, W, intercept)
        exact = exact_scores(X, W, intercept)
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
        marks = np.flatnonzero(mark_ties(scores, X, W, intercept))
        assert (len(marks) > 1) == tied
        assert marks[0] == winner

    def test_three_way_tie_goes_to_the_first(self) -> None:
        decision = decide_scores([[1.0, 7.0, 7.0, 7.0], [7.0, 7.0, 7.0, 7.0]])
        assert decision.best.tolist() == [1, 0]
        assert decision.tied.all() and not decision.margin.any()

    def test_scores_that_underflow_tie(self) -> None:
        X, W = np.array([[3e-200]]), np.array([[1e-200, 2e-200]])
        _, decision = score(X, W)
        assert decision.tied.all() and decision.best.tolist() == [0]
        # One and a half of the smallest float64 twice, rounded to one and to two of them.
        W = np.array([[5e-324, 15e-324], [10e-324, 0.0]])
        _, decision = score(np.array([[0.5], [0.5]]), W)
        assert decision.tied.all() and decision.best.tolist() == [0]

    def test_terms_whose_sizes_overflow_do_not_tie(self) -> None:
        X, W = np.array([[1e308], [1e308]]), np.array([[1.0, 1.0], [-1.0, -0.5]])
        scores, decision = score(X, W)
        assert scores[:, 0].tolist() == [0.0, 5e307]
        assert decision.best.tolist() == [1] and not decision.tied.any()

    def test_neighbours_do_not_matter(self) -> None:
        X = np.random.default_rng(0).integers(-30, 30, (4, 600)) / 10
        W = np.random.default_rng(1).integers(-9, 9, (4, 3)) / 10
        W[:, 2] = W[::-1, 0]
        _, whole = score(X, W)
        assert 0 < whole.tied.sum() < 600
        X[:, 300] = 1e300
        for start, stop in ((0, 300), (299, 300), (301, 600), (100, 400)):
            _, part = score(X[:, start:stop], W)
            rows = np.setdiff1d(np.arange(start, stop), 300)
            for name in ("best", "margin", "tied"):
                one, other = getattr(whole, name)[rows], getattr(part, name)[rows - start]
                assert one.tobytes() == other.tobytes()

    def test_a_million_ties_are_fast(self) -> None:
        X, W = np.full((4, 10**6), 0.3), np.full((4, 3), 0.7)
        start = time.process_time()
        _, decision = score(X, W)
        assert time.process_time() - start < 5
        assert decision.tied.all() and not decision.best.any()


@pytest.mark.parametrize("n_categories", [1, 2, 3, 7, 31, 33, 127, 128, 300, 3_000, 20_000])
def test_as_sorting_finds_it(n_categories: int) -> None:
    """Against NumPy's argmax and sort, of scores that are exact."""
    rng = np.random.default_rng(n_categories)
    n_rows = 7 if n_categories > 300 else 1_000
    x, W = (
        np.arange(1.0, n_rows + 1)[None],
        rng.integers(-(2**30), 2**30, (1, n_categories)).astype(np.float64),
    )
    x[0, 3] = NAN
    scores, decision = score(x, W)
    there = np.arange(n_rows) != 3
    order = np.sort(scores[:, there], axis=0)
    assert (scores[:, there] == (x * W.T)[:, there]).all()
    assert (decision.best[there] == scores[:, there].argmax(axis=0)).all()
    assert decision.best[3] == -1 and np.isnan(decision.margin[3])
    if n_categories > 1:
        assert (decision.margin[there] == order[-1] - order[-2]).all()


class TestMissing:
    def test_nan_never_wins(self) -> None:
        X = FILMS.copy()
        X[1, 1] = NAN
        scores, decision = score(X, GENRES)
        assert decision.best.tolist() == [0, -1, 0]
        assert decision.tied.tolist() == [False, False, True]
        assert np.isnan(decision.margin).tolist() == [False, True, False]
        assert not mark_ties(scores, X, GENRES)[:, 1].any()

    def test_nothing_but_nan(self) -> None:
        _, decision = score(np.full((2, 3), NAN), GENRES)
        assert decision.best.tolist() == [-1] * 3
        assert not decision.tied.any()

    def test_no_rows(self) -> None:
        _, decision = score(np.empty((2, 0)), GENRES)
        assert [len(part) for part in (decision.best, decision.margin, decision.tied)] == [0, 0, 0]


def test_overflow() -> None:
    X, W = np.array([[1.0, 1e308, NAN, 1e308, 1.0]]), np.array([[10.0, -10.0, 1.0]])
    scores, decision = score(X, W)
    assert decision.overflow.tolist() == [False, True, False, True, False]
    assert scores[:, 1].tolist() == [np.inf, -np.inf, 1e308]
    assert not score(X, W, np.full(3, 1.0))[1].tied.any()
