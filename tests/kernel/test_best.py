"""Best category, margin, ties and ranks of scored rows, against the rule as it is written."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore import _kernel as kernel
from matscore.kernel import PackedWeights
from tests.kernel.linear import error_bound, multiply, score

FILMS = np.array([[5.0, 1.0, 4.0], [2.0, 5.0, 4.0]])
GENRES = np.array([[1.1, 0.4, 0.1], [0.2, 0.5, 1.2]])
NAN = float("nan")


def follow_the_rule(scores: list[float], bounds: list[float], k: int) -> list[tuple[int, bool]]:
    """Rank by the words of the rule."""
    left = [i for i, score in enumerate(scores) if score > -np.inf]
    marked: set[int] = set()
    ranked: list[tuple[int, bool]] = []
    while left and len(ranked) < k:
        top = max(left, key=lambda i: (scores[i], -i))
        ties = [i for i in left if scores[top] - scores[i] <= bounds[top] + bounds[i]]
        if len(ties) > 1:
            marked.update(ties)
        ranked.append((ties[0], ties[0] in marked))
        left.remove(ties[0])
    return ranked


class TestBest:
    @pytest.mark.parametrize("instruction_set", kernel.instruction_sets())
    @pytest.mark.parametrize("n_categories", [1, 2, 3, 8, 9, 33, 300])
    @pytest.mark.parametrize("n_rows", [1, 8, 9, 239, 241, 700])
    def test_as_sorting_finds_it(
        self, instruction_set: str, n_categories: int, n_rows: int
    ) -> None:
        """Each row has a feature of its own, which is 1: the weights are the scores."""
        rng = np.random.default_rng([n_categories, n_rows])
        scores = rng.integers(-(10**9), 10**9, (n_categories, n_rows)).astype(float)
        scores[:, ::5] = rng.integers(0, 2, scores[:, ::5].shape)
        scores[:, 1::13] *= 1.7e299  # some differences overflow
        kernel.use(instruction_set)
        found, best, margin, tied, overflow = score(np.eye(n_rows), scores.T.copy())
        kernel.use(kernel.instruction_sets()[0])
        assert best.dtype == np.int64 and (found == scores).all()
        assert best.tolist() == scores.argmax(axis=0).tolist()
        assert not overflow.any()
        if n_categories == 1:
            assert np.isnan(margin).all() and not tied.any()
            return
        with np.errstate(over="ignore"):
            highest, second = np.sort(scores, axis=0)[[-1, -2]]
            assert margin.tolist() == (highest - second).tolist()
        assert tied.tolist() == (highest == second).tolist()

    @pytest.mark.parametrize(("n_rows", "n_categories"), [(1, 3), (9, 20), (500, 3), (500, 41)])
    def test_scored_and_decided_at_once(self, n_rows: int, n_categories: int) -> None:
        rng = np.random.default_rng(n_rows)
        X = rng.integers(-9, 10, (70, n_rows)) / 10
        W = rng.integers(-9, 10, (70, n_categories)) / 10
        W[:, -1] = W[::-1, 0]
        X[35:] = X[34::-1]  # a tie of the first and the last
        X[3, n_rows // 2] = NAN
        X[0, 0] = 1e308
        W[0] = 1e10
        b = rng.normal(size=n_categories)
        scores, *decision = score(X, W, b)
        assert scores.tobytes() == multiply(X, W, b).tobytes()
        alone, same = PackedWeights(W, b).score(X, keep=False)
        assert alone.shape == (0, n_rows)
        for one, other in zip(decision, same, strict=True):
            assert one.tobytes() == other.tobytes()

    def test_neighbours_do_not_matter(self) -> None:
        rng = np.random.default_rng(0)
        X, W = rng.integers(-30, 30, (4, 600)) / 10, rng.integers(-9, 9, (4, 3)) / 10
        W[:, 2] = W[::-1, 0]
        whole = score(X, W)[1:]
        assert 0 < whole[2].sum() < 600
        X[:, 300] = 1e300
        for start, stop in ((0, 300), (299, 300), (301, 600), (100, 400)):
            part = score(np.ascontiguousarray(X[:, start:stop]), W)[1:]
            rows = np.setdiff1d(np.arange(start, stop), 300)
            for one, other in zip(whole, part, strict=True):
                assert one[rows].tobytes() == other[rows - start].tobytes()


class TestTies:
    def test_third_film(self) -> None:
        scores, best, margin, tied, _ = score(FILMS, GENRES)
        assert best.tolist() == [0, 2, 0] and tied.tolist() == [False, False, True]
        np.testing.assert_allclose(margin, [2.9, 3.2, 0.0], rtol=1e-15)
        assert margin[2] == 0.0
        marks = PackedWeights(GENRES).mark_ties(FILMS, scores)
        assert marks.T.tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 1]]

    def test_rounding_does_not_choose(self) -> None:
        X = np.array([[0.1], [0.2], [0.3]])
        for W in ([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]):
            scores, best, margin, tied, _ = score(X, np.array(W))
            assert scores[0, 0] != scores[1, 0]
            assert tied.all() and best.tolist() == [0] and margin.tolist() == [0.0]

    def test_a_small_difference_is_no_tie(self) -> None:
        W = np.array([[1.0, 1.0 + 2.0**-48]])
        _, best, margin, tied, _ = score(np.array([[3.0, -3.0]]), W)
        assert best.tolist() == [1, 0] and not tied.any()
        assert margin.tolist() == [3 * 2.0**-48] * 2

    def test_intercepts_count(self) -> None:
        X, W = np.array([[1.0]]), np.array([[1e-9, 1e-7]])
        assert score(X, W)[1].tolist() == [1]
        scores, best, _, tied, _ = score(X, W, np.array([1e9, 1e9]))
        assert scores[0, 0] < scores[1, 0] and tied.all() and best.tolist() == [0]

    @given(st.data())
    def test_exact_arithmetic_is_the_judge(self, data: st.DataObject) -> None:
        n_pairs, n_categories = data.draw(st.integers(1, 5)), data.draw(st.integers(2, 4))
        tenth = st.integers(-30, 30).map(lambda n: n / 10)
        pairs = data.draw(st.lists(tenth, min_size=n_pairs, max_size=n_pairs))
        weights = st.lists(tenth, min_size=2 * n_pairs, max_size=2 * n_pairs)
        X = np.repeat(pairs, 2)[:, None]
        columns = [data.draw(weights)]
        while len(columns) < n_categories:
            # The features of a pair are equal: to swap their weights leaves the exact score.
            swapped = np.reshape(columns[-1], (-1, 2))[:, ::-1].ravel().tolist()
            columns.append(data.draw(st.just(swapped) | weights))
        W, b = np.array(columns).T.copy(), np.full(n_categories, data.draw(tenth))
        scores, best, margin, tied, _ = score(X, W, b)
        exact = [
            sum(Fraction(x) * Fraction(w) for x, w in zip(X[:, 0].tolist(), column, strict=True))
            + Fraction(float(b[0]))
            for column in columns
        ]
        bounds = [Fraction(bound) for bound in error_bound(X, W, b)[:, 0].tolist()]
        first = exact.index(max(exact))
        others = [c for c in range(n_categories) if c != first]
        if any(exact[c] == exact[first] for c in others):
            assert tied[0]
        if all(exact[first] - exact[c] > 2 * (bounds[first] + bounds[c]) for c in others):
            assert not tied[0] and best[0] == first
        winner = int(best[0])
        assert exact[first] - exact[winner] <= 2 * (bounds[first] + bounds[winner])
        marks = np.flatnonzero(PackedWeights(W, b).mark_ties(X, scores))
        assert (len(marks) > 1) == tied[0] and marks[0] == winner
        assert (margin[0] == 0.0) or not tied[0]

    def test_scores_that_underflow_tie(self) -> None:
        _, best, _, tied, _ = score(np.array([[3e-200]]), np.array([[1e-200, 2e-200]]))
        assert tied.all() and best.tolist() == [0]

    def test_terms_whose_sizes_overflow_do_not_tie(self) -> None:
        X, W = np.array([[1e308], [1e308]]), np.array([[1.0, 1.0], [-1.0, -0.5]])
        scores, best, _, tied, overflow = score(X, W)
        assert scores[:, 0].tolist() == [0.0, 5e307]
        assert best.tolist() == [1] and not tied.any() and not overflow.any()

    def test_a_million_ties_are_fast(self) -> None:
        X, W, seconds = np.full((4, 10**6), 0.3), np.full((4, 3), 0.7), []
        for weights in (W * [3.0, 2.0, 1.0], W):  # without ties, and all of them
            start = time.process_time()
            _, best, _, tied, _ = score(X, weights)
            seconds.append(time.process_time() - start)
        assert tied.all() and not best.any()
        assert seconds[1] < 20 * seconds[0]


class TestRowsWithoutPrediction:
    def test_missing(self) -> None:
        X = FILMS.copy()
        X[1, 1] = NAN
        scores, best, margin, tied, overflow = score(X, GENRES)
        assert best.tolist() == [0, -1, 0] and tied.tolist() == [False, False, True]
        assert np.isnan(margin).tolist() == [False, True, False] and not overflow.any()
        assert not PackedWeights(GENRES).mark_ties(X, scores)[:, 1].any()

    @pytest.mark.parametrize("n_rows", [5, 50])
    def test_overflow(self, n_rows: int) -> None:
        X = np.ones((2, n_rows))
        X[:, 1], X[:, 2], X[:, 3] = 1e308, [NAN, 1e308], [1e308, -1e308]
        _, best, _, _, overflow = score(X, np.full((2, 2), 10.0))
        assert overflow.tolist() == [False, True, False, True, *[False] * (n_rows - 4)]
        assert best[2] == -1

    def test_no_rows(self) -> None:
        found = score(np.empty((2, 0)), GENRES)
        assert [part.shape[-1] for part in found] == [0] * 5


class TestRank:
    @given(st.data())
    def test_the_rule_is_followed(self, data: st.DataObject) -> None:
        """The first rank is the prediction; all are those of the rule; other rows do not matter."""
        rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
        n_features, n_categories = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 9))
        n_rows, k = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 10))
        X = rng.integers(-9, 10, (n_features, n_rows)) / 10
        W = rng.integers(-9, 10, (n_features, n_categories)) / 10
        b = rng.integers(-9, 10, n_categories) / 10
        if data.draw(st.booleans()):  # bounds as wide as the differences of the scores
            X, b = X * 1e-15, b * 1e-15
            X[0], W[0] = 1.0, 1.0 + rng.integers(0, 9, n_categories) * 2.0**-52
        scores = multiply(X, W, b)
        places, tied = PackedWeights(W, b).rank(X, scores, k)
        assert places.shape == tied.shape == (n_rows, min(k, n_categories))
        _, best, _, ties, _ = score(X, W, b)
        assert (places[:, 0] == best).all() and (tied[:, 0] == ties).all()
        bounds = error_bound(X, W, b)
        for row in range(0, n_rows, 7):
            rule = follow_the_rule(scores[:, row].tolist(), bounds[:, row].tolist(), k)
            found = zip(places[row].tolist(), tied[row].tolist(), strict=True)
            assert list(found) == rule

    def test_missing_and_threshold_have_no_rank(self) -> None:
        X, W = np.array([[1.0, NAN, 2.0]]), np.array([[1.0, 2.0]])
        scores = multiply(X, W)
        scores[scores < 2] = -np.inf
        places, tied = PackedWeights(W).rank(X, scores, 2)
        assert places.tolist() == [[1, -1], [-1, -1], [1, 0]] and not tied.any()

    def test_thousands_that_all_tie_are_fast(self) -> None:
        """Rank by rank this would take a hundred million comparisons a row."""
        X, W = np.full((8, 3), 0.1), np.ones((8, 20_000))
        W[0, ::2] = 1.0 + 2.0**-52
        start = time.process_time()
        places, tied = PackedWeights(W).rank(X, multiply(X, W), 20_000)
        assert time.process_time() - start < 2
        assert (places == np.arange(20_000)).all() and tied.all()


def test_scores_of_another_shape() -> None:
    with pytest.raises(ValueError, match="one a category and row"):
        PackedWeights(np.ones((1, 1))).rank(np.ones((1, 2)), np.ones((1, 1)), 1)
