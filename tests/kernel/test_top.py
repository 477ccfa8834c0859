"""The best items, against all scores ranked by the rule."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matscore import _kernel as kernel
from matscore.items import Exclusions, Items
from tests.kernel.exact import Floats
from tests.kernel.linear import error_bound, multiply
from tests.kernel.test_best import follow_the_rule

NAN = float("nan")
METRICS = ("dot", "cosine")
Kept = list[list[tuple[int, float, bool]]]


def hold(V: Floats, metric: str = "dot") -> Items:
    """Hold items, given in rows, which come in two parts."""
    items = Items(V.shape[1], cosine=metric == "cosine")
    items.add(V[: len(V) // 3].copy())
    items.add(V[len(V) // 3 :].copy())
    assert len(items) == len(V)
    return items


def recommend(
    items: Items, U: Floats, k: int = 10, *, min_score: float | None = None,
    excluded: Sequence[Sequence[int]] | None = None, most_pairs: int = 2**22,
) -> tuple[Kept, list[int]]:  # fmt: skip
    """Recommend to users, given in rows."""
    exclusions = None
    if excluded is not None:
        flat = np.array([item for items in excluded for item in items], dtype=np.int64)
        exclusions = Exclusions(np.cumsum([0, *map(len, excluded)]), flat)
    counts, item, scores, tied, overflow = items.recommend(
        U.T.copy(), k, min_score=min_score, exclusions=exclusions, most_pairs=most_pairs
    )
    ends = np.cumsum(counts)
    found = list(zip(item.tolist(), scores.tolist(), tied.tolist(), strict=True))
    return [found[end - n : end] for n, end in zip(counts, ends, strict=True)], overflow.tolist()


def scale(M: Floats) -> tuple[Floats, Floats]:
    """Scale rows by powers of two; return their norms too, chains of squares by their roots."""
    scaled = np.ldexp(M, -np.frexp(np.abs(M).max(axis=1, initial=0.0))[1][:, None])
    squares = [multiply(row[:, None].copy(), row[:, None].copy())[0, 0] for row in scaled]
    return scaled, np.sqrt(squares)


def score_all(U: Floats, V: Floats, metric: str) -> tuple[Floats, Floats]:
    """Return all scores and their rounding errors, users in rows, by the plain formulas."""
    if metric == "dot":
        task = U.T.copy(), V.T.copy()
        return multiply(*task).T.copy(), error_bound(*task).T.copy()
    (U, users), (V, items) = scale(U), scale(V)
    norms = np.outer(users, items)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = multiply(U.T.copy(), V.T.copy()).T / norms
        sizes = multiply(np.abs(U.T).copy(), np.abs(V.T).copy()).T / norms
    d = U.shape[1]
    bounds = sizes * kernel.rounding_unit(2 * d + 7) + d * 8 * 5e-324
    return np.clip(scores, -1, 1), bounds


def search_all(
    U: Floats, V: Floats, k: int, metric: str = "dot", min_score: float | None = None,
    excluded: Sequence[Sequence[int]] | None = None,
) -> Kept:  # fmt: skip
    """Score everything and rank it."""
    missing: NDArray[np.bool_] = np.any(np.isnan(U), axis=1)
    scores, bounds = score_all(np.where(missing[:, None], 0.0, U), V, metric)
    scores[np.isnan(scores)] = -np.inf
    scores[missing] = -np.inf
    for user, out in enumerate(excluded or ()):
        scores[user, list(out)] = -np.inf
    if min_score is not None:
        scores[scores < min_score] = -np.inf
    return [
        [(i, float(row[i]), tied) for i, tied in follow_the_rule(row.tolist(), bound.tolist(), k)]
        for row, bound in zip(scores, bounds, strict=True)
    ]


def draw_matrix(rng: np.random.Generator, kind: str, n: int, d: int) -> Floats:
    """Make one of many kinds of rows."""
    plain: Floats = rng.normal(size=(n, d))
    pairs = d // 2
    cancelling = plain.copy()
    cancelling[:, 1 : 2 * pairs : 2] = -plain[:, : 2 * pairs : 2] + 1e-9 * plain[:, :pairs]
    kinds: dict[str, Floats] = {
        "plain": plain,
        "tenths": np.asarray(rng.integers(-9, 10, (n, d)), float) / 10,
        "flags": rng.integers(0, 2, (n, d)).astype(float),  # full of scores that are equal
        "popular": plain * rng.lognormal(sigma=3, size=(n, 1)),
        "wild": plain * 10.0 ** rng.integers(-150, 150, (n, 1)),
        "ragged": plain * 10.0 ** rng.integers(-70, 70, (n, d)),
        "alike": plain[:1] + 1e-12 * plain,
        "cancelling": cancelling,
        "copies": plain[rng.integers(0, max(n // 40, 1), n)],
        "holes": plain * rng.integers(0, 2, (n, 1)),
    }
    return kinds[kind]


KINDS = (
    "plain", "tenths", "flags", "popular", "wild", "ragged", "alike", "cancelling", "copies",
    "holes",
)  # fmt: skip


class TestAgainstAllScores:
    @pytest.mark.parametrize("metric", METRICS)
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_of_rows(self, kind: str, metric: str) -> None:
        rng = np.random.default_rng(1)
        U, V = draw_matrix(rng, kind, 12, 12), draw_matrix(rng, kind, 1500, 12)
        items = hold(V, metric)
        for k in (1, 7, 20):
            expected = search_all(U, V, k, metric)
            assert recommend(items, U, k) == (expected, [])
            assert recommend(items, U, k, most_pairs=100) == (expected, [])

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_any_size(self, data: st.DataObject) -> None:
        rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
        n_users, d = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 70))
        n_items = data.draw(st.integers(1, 60) | st.integers(1000, 1100))
        kinds = st.sampled_from(KINDS)
        U = draw_matrix(rng, data.draw(kinds), n_users, d)
        V = draw_matrix(rng, data.draw(kinds), n_items, d)
        k, metric = data.draw(st.integers(1, 12)), data.draw(st.sampled_from(METRICS))
        n_excluded = rng.integers(0, data.draw(st.integers(1, 60)), n_users)
        excluded = [rng.integers(0, n_items, n).tolist() for n in n_excluded]
        U[rng.random(n_users) < 0.1, 0] = NAN
        scores = score_all(np.nan_to_num(U), V, metric)[0]
        least = data.draw(st.none() | st.just(float(rng.choice(scores.ravel()))))
        least = None if least is None or np.isnan(least) else least
        found, _ = recommend(hold(V, metric), U, k, min_score=least, excluded=excluded)
        assert found == search_all(U, V, k, metric, least, excluded)

    @pytest.mark.parametrize("n_items", [1, 2, 23, 24, 25, 1023, 1024, 1025, 2100])
    def test_any_number_of_items(self, n_items: int) -> None:
        rng = np.random.default_rng(4)
        U, V = rng.normal(size=(9, 5)), rng.normal(size=(n_items, 5))
        for k in (1, min(n_items, 40), n_items + 5):
            found, _ = recommend(hold(V), U, k)
            assert [len(one) for one in found] == [min(k, n_items)] * 9
            assert [one[:40] for one in found] == search_all(U, V, min(k, 40))

    @pytest.mark.parametrize("metric", METRICS)
    def test_all_scores(self, metric: str) -> None:
        rng = np.random.default_rng(5)
        U, V = draw_matrix(rng, "holes", 21, 9), draw_matrix(rng, "copies", 1100, 9)
        V[[0, 77]] = 0.0
        U[4, 2] = NAN
        scores = hold(V, metric).score(U.T.copy())
        U[4] = 0.0
        expected = score_all(U, V, metric)[0]
        expected[4] = NAN
        np.testing.assert_array_equal(scores, expected)


class TestTies:
    def test_all_equal_scores_go_by_the_items_order(self) -> None:
        found, _ = recommend(hold(np.full((3000, 3), 0.1)), np.ones((30, 3)))
        assert [[item for item, _, _ in one] for one in found] == [list(range(10))] * 30
        assert all(tied for one in found for _, _, tied in one)

    def test_equal_scores_of_other_terms(self) -> None:
        """Every order of the same weights: one score, rounded in many ways."""
        rng = np.random.default_rng(5)
        V = np.array([rng.permutation([0.1, 0.7, -0.3, 1.1, 0.9]) for _ in range(6000)])
        found, _ = recommend(hold(V), np.ones((5, 5)), 20)
        assert [[item for item, _, _ in one] for one in found] == [list(range(20))] * 5

    def test_a_tie_of_which_each_has_another_bound(self) -> None:
        """Scores are equal, their terms ever larger: nothing can be dropped."""
        V = np.arange(1.0, 2001)[:, None] * [1.0, -1.0]
        found, _ = recommend(hold(V), np.ones((9, 2)), 5, most_pairs=1000)
        assert found == search_all(np.ones((9, 2)), V, 5)

    @pytest.mark.parametrize("metric", METRICS)
    @pytest.mark.parametrize("kind", ["tenths", "flags", "copies"])
    def test_k_is_a_prefix_of_more(self, kind: str, metric: str) -> None:
        rng = np.random.default_rng(7)
        U, V = draw_matrix(rng, kind, 25, 6), draw_matrix(rng, kind, 3000, 6)
        items = hold(V, metric)
        results = [recommend(items, U, k)[0] for k in (1, 2, 3, 10, 11, 40, 3000)]
        for few, many in pairwise(results):
            for one, other in zip(few, many, strict=True):
                assert other[: len(one)] == one


class TestSameResult:
    @pytest.mark.parametrize("metric", METRICS)
    def test_for_each_instruction_set_block_and_thread(self, metric: str) -> None:
        rng = np.random.default_rng(9)
        U, V = draw_matrix(rng, "tenths", 1100, 7), draw_matrix(rng, "tenths", 2000, 7)
        U[[3, 600]] = NAN
        items = hold(V, metric)
        whole = recommend(items, U)[0]
        for name in kernel.instruction_sets()[::-1]:
            kernel.use(name)
            assert recommend(items, U[:70])[0] == whole[:70]
        for size in (1, 100, 511, 1099):
            stop = min(1100, 9 * size)
            parts = [U[i : min(i + size, stop)] for i in range(0, stop, size)]
            with ThreadPoolExecutor(2) as pool:
                found = [
                    one
                    for part in pool.map(lambda p: recommend(items, p)[0], parts)
                    for one in part
                ]
            assert found == whole[:stop]


class TestWhoGetsNothing:
    @pytest.mark.parametrize("n_items", [4, 2000])
    def test_zeros(self, n_items: int) -> None:
        V = np.random.default_rng(13).normal(size=(n_items, 4))
        V[1] = 0.0
        U = np.zeros((3, 4))
        U[1] = -V[0]
        found, _ = recommend(hold(V), U, 3, excluded=[[0], [], [2, 0, 0]])
        assert [(item, score) for item, score, _ in found[0]] == [(1, 0.0), (2, 0.0), (3, 0.0)]
        assert [item for item, _, _ in found[2]] == [1, 3, 4][: n_items - 2]
        assert recommend(hold(V), U, 3, min_score=1e-9)[0][::2] == [[], []]
        found, _ = recommend(hold(V, "cosine"), U, n_items)
        assert [len(one) for one in found] == [0, n_items - 1, 0]

    def test_everything_excluded(self) -> None:
        found, _ = recommend(hold(np.ones((3, 1))), np.ones((2, 1)), 2, excluded=[[2, 1, 0], [1]])
        assert [[item for item, _, _ in one] for one in found] == [[], [0, 2]]

    @pytest.mark.parametrize("n_items", [4, 2000])
    def test_scores_that_overflow(self, n_items: int) -> None:
        V = np.random.default_rng(14).normal(size=(n_items, 2))
        V[-1] = [1e300, -1e300]
        U = np.array([[1.0, 2.0], [1e300, 0.0], [1e7, 1.0], [1e300, 1e300], [NAN, 1e300]])
        found, overflow = recommend(hold(V), U, 3)
        assert overflow == [1, 3] and [len(one) for one in found] == [3, 0, 3, 0, 0]
        assert [found[0], found[2]] == search_all(U[[0, 2]], V, 3)
        cosines, overflow = recommend(hold(V, "cosine"), U, 3)
        assert overflow == [] and [len(one) for one in cosines] == [3, 3, 3, 3, 0]

    def test_nobody_and_nothing(self) -> None:
        assert recommend(hold(np.ones((3, 2))), np.empty((0, 2))) == ([], [])
        assert recommend(Items(2), np.ones((2, 2))) == ([[], []], [])

    def test_what_does_not_fit(self) -> None:
        items = hold(np.ones((3, 2)))
        with pytest.raises(ValueError, match="number of features"):
            items.recommend(np.ones((3, 1)), 1)
        with pytest.raises(ValueError, match="no item"):
            items.recommend(np.ones((2, 1)), 0)
        for starts in ([0, 5], [0, 1, 1], [0, 2, 1]):
            out = Exclusions(np.array(starts), np.array([1]))
            with pytest.raises(ValueError, match="starts"):
                items.recommend(np.ones((2, len(starts) // 2)), 1, exclusions=out)
        search = kernel.Search(np.ones((2, 1)), None, 1, 0.0, 1, 3, 1.0, np.zeros(0, np.int64))
        order = np.arange(3)
        for copies in ([0, 2], [0, 2, 4], [-1, 2, 3], [2, 1, 3]):
            with pytest.raises(ValueError):
                search.add(np.ones((2, 2)), None, order, np.array(copies))


@pytest.mark.parametrize("metric", METRICS)
def test_no_score_is_minus_zero(metric: str) -> None:
    V, U = np.array([[1.0, 1e-200], [0.0, 1e-250]]), np.array([[0.0, -1e-200]])
    found, _ = recommend(hold(V, metric), U, 2)
    scores = [score for _, score, _ in found[0]], hold(V, metric).score(U.T.copy())
    assert not any(np.signbit(part)[np.equal(part, 0.0)].any() for part in scores)


class TestCosine:
    def test_never_passes_one(self) -> None:
        V = np.random.default_rng(16).normal(size=(500, 7))
        found, _ = recommend(hold(V, "cosine"), V, 1)
        assert [one[0][0] for one in found] == list(range(500))
        assert 1 - 1e-15 < min(one[0][1] for one in found) <= max(one[0][1] for one in found) == 1.0

    def test_scale_does_not_matter(self) -> None:
        rng = np.random.default_rng(17)
        U, V = rng.normal(size=(20, 5)), rng.normal(size=(3000, 5))
        found = recommend(hold(V, "cosine"), U, 5)
        scaled = V * 2.0 ** rng.integers(-900, 900, (3000, 1))
        assert recommend(hold(scaled, "cosine"), U * 2.0**-1000, 5) == found


def test_identical_items_are_not_slow() -> None:
    """At most one and a half times as slow as items that differ; it is much faster."""
    rng = np.random.default_rng(0)
    U, V = rng.normal(size=(64, 32)), rng.normal(size=(20_000, 32))
    times = []
    for rows in (V, np.tile(V[:1], (20_000, 1)), V[rng.integers(0, 10, 20_000)]):
        items, start = hold(rows), time.process_time()
        recommend(items, U)
        times.append(time.process_time() - start)
    assert max(times[1:]) < 1.5 * times[0]
