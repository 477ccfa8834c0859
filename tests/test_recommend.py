"""The best items, against all scores in float64 ranked by the rule, and other libraries."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matscore import _kernel
from matscore.engines.local import map_ordered
from matscore.kernel import Exclusions, Floats, Items, Recommended, error_bound, multiply
from matscore.score import Metric

NAN = float("nan")
METRICS: tuple[Metric, ...] = ("dot", "cosine")
Kept = list[list[tuple[int, float]]]
rng_of = np.random.default_rng


def hold(V: Floats, metric: Metric = "dot", *, spill: bool = False) -> Items:
    items = Items(V.shape[1], cosine=metric == "cosine", spill=spill)
    items.add(V)
    return items


def recommend(
    U: Floats, V: Floats, k: int = 10, metric: Metric = "dot", *, min_score: float | None = None,
    excluded: Sequence[Sequence[int]] | None = None,
) -> tuple[Recommended, list[int]]:  # fmt: skip
    """Recommend; users and items in rows."""
    return recommend_from(hold(V, metric), U, k, min_score=min_score, excluded=excluded)


def recommend_from(
    items: Items, U: Floats, k: int = 10, *, min_score: float | None = None,
    excluded: Sequence[Sequence[int]] | None = None,
) -> tuple[Recommended, list[int]]:  # fmt: skip
    exclusions = None
    if excluded is not None:
        starts = np.cumsum([0, *map(len, excluded)])
        flat = [item for items in excluded for item in items]
        exclusions = Exclusions(starts, np.array(flat, dtype=np.int64))
    users = np.ascontiguousarray(U.T)
    found = items.recommend(users, k, min_score=min_score, exclusions=exclusions)
    return found, found.overflow.tolist()


def by_user(found: Recommended) -> Kept:
    ends = np.cumsum(found.counts)
    pairs = list(zip(found.items.tolist(), found.scores.tolist(), strict=True))
    return [pairs[end - n : end] for n, end in zip(found.counts, ends, strict=True)]


def scale(rows: Floats) -> Floats:
    """Divide each row by the power of two just above its largest number."""
    scaled: Floats = np.ldexp(rows, -np.frexp(np.abs(rows).max(axis=1, keepdims=True))[1])
    return scaled


def measure(rows: Floats) -> Floats:
    """Return the roots of chains of squares."""
    return np.sqrt([multiply(row[:, None], row[:, None])[0, 0] for row in rows])


def score_all(U: Floats, V: Floats, metric: Metric) -> tuple[Floats, Floats]:
    """Return all scores and their rounding errors, users in rows, by the plain formulas."""
    n_features = U.shape[1]
    if metric == "cosine":
        U, V = scale(U), scale(V)
    X, W = np.ascontiguousarray(U.T), np.ascontiguousarray(V.T)
    if metric == "dot":
        return multiply(X, W).T, error_bound(X, W).T
    norms = np.outer(measure(U), measure(V))
    with np.errstate(invalid="ignore"):
        scores = multiply(X, W).T / norms
        n_u = (2 * n_features + 8) * 2.0**-53
        bounds = multiply(np.abs(X), np.abs(W)).T / norms * (n_u / (1 - n_u))
        return np.clip(scores, -1, 1), bounds + n_features * 8 * 5e-324


def rank_all(scores: Floats, bounds: Floats, k: int) -> NDArray[np.int64]:
    """Rank by the rule itself, a rank at a time; -1 where nothing is left."""
    left, rows = scores.copy(), np.arange(len(scores))
    places = np.full((len(left), k), -1)
    for rank in range(k):
        top = left.argmax(axis=1)
        highest = left[rows, top]
        with np.errstate(invalid="ignore"):
            within = highest[:, None] - left <= bounds + bounds[rows, top][:, None]
        chosen, there = within.argmax(axis=1), highest > -np.inf
        places[there, rank] = chosen[there]
        left[rows, chosen] = -np.inf
    return places


def search_all(
    U: Floats, V: Floats, k: int, metric: Metric = "dot", min_score: float | None = None,
    excluded: Sequence[Sequence[int]] | None = None,
) -> Kept:  # fmt: skip
    """Score everything and rank it."""
    missing: NDArray[np.bool_] = np.any(np.isnan(U), axis=1)
    scores, bounds = score_all(np.where(missing[:, None], 0.0, U), V, metric)
    scores = np.where(np.isnan(scores), -np.inf, scores)
    scores[missing] = -np.inf
    for user, items in enumerate(excluded or ()):
        scores[user, list(items)] = -np.inf
    if min_score is not None:
        scores[scores < min_score] = -np.inf
    bounds = np.where(scores > -np.inf, bounds, 0.0)
    places = rank_all(scores, bounds, min(k, len(V))).tolist()
    return [[(i, float(scores[user, i])) for i in row if i >= 0] for user, row in enumerate(places)]


def draw_matrix(rng: np.random.Generator, kind: str, n: int, d: int) -> Floats:
    """Make one of many kinds of rows."""
    plain: Floats = rng.normal(size=(n, d))
    pairs = d // 2
    cancelling = plain.copy()
    cancelling[:, 1 : 2 * pairs : 2] = -plain[:, : 2 * pairs : 2]
    cancelling[:, 1 : 2 * pairs : 2] += 1e-9 * plain[:, :pairs]
    kinds: dict[str, Floats] = {
        "plain": plain,
        "tenths": np.asarray(rng.integers(-9, 10, (n, d)), float)
        / 10,  # sums that differ by rounding
        "flags": rng.integers(0, 2, (n, d)).astype(float),  # full of scores that are equal
        "popular": plain * rng.lognormal(sigma=3, size=(n, 1)),
        "wild": plain * 10.0 ** rng.integers(-150, 150, (n, 1)),  # float32 holds neither end
        "ragged": plain * 10.0 ** rng.integers(-70, 70, (n, d)),
        "alike": plain[:1] + 1e-12 * plain,  # float32 sees one and the same row
        "cancelling": cancelling,  # the scores are within the float32 error of their terms
        "holes": plain * rng.integers(0, 2, (n, 1)),
    }
    return kinds[kind]


KINDS = (
    "plain", "tenths", "flags", "popular", "wild", "ragged", "alike", "cancelling", "holes",
)  # fmt: skip


class TestAgainstAllScores:
    @pytest.mark.parametrize("metric", METRICS)
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_of_rows(self, kind: str, metric: Metric) -> None:
        rng = rng_of(1)
        for k in (1, 7, 40):
            U, V = draw_matrix(rng, kind, 40, 12), draw_matrix(rng, kind, 5000, 12)
            found, overflow = recommend(U, V, k, metric)
            assert overflow == []
            assert by_user(found) == search_all(U, V, k, metric)

    @pytest.mark.parametrize("metric", METRICS)
    def test_users_who_cancel_and_items_that_differ(self, metric: Metric) -> None:
        """Each pair of features cancels but for its last bits."""
        rng = rng_of(2)
        U, V = np.repeat(rng.normal(size=(30, 8)), 2, axis=1), rng.normal(size=(4000, 8))
        V = np.stack([V, -V], axis=2).reshape(4000, 16) * (1 + 1e-13 * rng.normal(size=(4000, 16)))
        found, _ = recommend(U, V, 10, metric)
        assert by_user(found) == search_all(U, V, 10, metric)

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_any_size(self, data: st.DataObject) -> None:
        rng = rng_of(data.draw(st.integers(0, 2**32)))
        n_users, d = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 70))
        n_items = data.draw(st.integers(1, 40) | st.integers(2000, 5000))
        kinds = st.sampled_from(KINDS)
        U = draw_matrix(rng, data.draw(kinds), n_users, d)
        V = draw_matrix(rng, data.draw(kinds), n_items, d)
        k, metric = data.draw(st.integers(1, 60)), data.draw(st.sampled_from(METRICS))
        n_excluded = rng.integers(0, data.draw(st.integers(1, 60)), n_users)
        excluded = [rng.integers(0, n_items, n).tolist() for n in n_excluded]
        U[rng.random(n_users) < 0.1, 0] = NAN
        scores = score_all(np.nan_to_num(U), V, metric)[0]
        least = data.draw(st.none() | st.just(float(rng.choice(scores.ravel()))))
        least = None if least is None or np.isnan(least) else least
        found, _ = recommend(U, V, k, metric, min_score=least, excluded=excluded)
        assert by_user(found) == search_all(U, V, k, metric, least, excluded)

    @pytest.mark.parametrize("k", [1, 31, 33, 500, 1100, 2000])
    def test_any_k(self, k: int) -> None:
        rng = rng_of(3)
        U, V = rng.normal(size=(20, 9)), rng.normal(size=(9000, 9))
        assert by_user(recommend(U, V, k)[0]) == search_all(U, V, k)

    @pytest.mark.parametrize("n_items", [1, 2, 23, 24, 25, 1000, 1024, 1025, 2049])
    def test_any_number_of_items(self, n_items: int) -> None:
        rng = rng_of(4)
        U, V = rng.normal(size=(9, 5)), rng.normal(size=(n_items, 5))
        for k in (1, n_items, n_items + 5):
            found = recommend(U, V, k)[0]
            assert by_user(found) == search_all(U, V, k)
            assert found.counts.tolist() == [min(k, n_items)] * 9


class TestTies:
    @pytest.mark.parametrize("n_items", [3, 5000])
    def test_all_equal_scores_go_by_the_items_order(self, n_items: int) -> None:
        U, V = np.ones((600, 3)), np.full((n_items, 3), 0.1)
        found, _ = recommend(U, V, 10)
        assert found.items.reshape(600, -1).tolist() == [list(range(min(10, n_items)))] * 600
        assert found.tied.all()

    def test_equal_scores_of_other_terms(self) -> None:
        """Every order of the same weights: one score, rounded in many ways."""
        rng = rng_of(5)
        V = np.array([rng.permutation([0.1, 0.7, -0.3, 1.1, 0.9]) for _ in range(6000)])
        found, _ = recommend(np.ones((5, 5)), V, 20)
        assert found.items.reshape(5, 20).tolist() == [list(range(20))] * 5

    def test_duplicates_of_one_item(self) -> None:
        rng = rng_of(6)
        V = rng.normal(size=(3000, 8))
        V[rng.permutation(3000)[:1500]] = V[7]
        U = np.vstack([V[7], rng.normal(size=(5, 8))])
        assert by_user(recommend(U, V, 30)[0]) == search_all(U, V, 30)
        found, _ = recommend(U, V, 30, "cosine")
        copies = np.flatnonzero((V[7] == V).all(axis=1))
        assert found.items[:30].tolist() == copies[:30].tolist()

    def test_rounding_does_not_choose(self) -> None:
        for V in ([[0.3, 0.0], [0.1, 0.2]], [[0.1, 0.2], [0.3, 0.0]]):
            items = np.vstack([V, np.full((3000, 2), -1.0)])
            for some in (items[:2], items):
                found, _ = recommend(np.ones((1, 2)), some, 2)
                assert found.items.tolist() == [0, 1] and found.tied.all()

    @pytest.mark.parametrize("metric", METRICS)
    @pytest.mark.parametrize("kind", ["tenths", "flags", "plain"])
    def test_k_is_a_prefix_of_more(self, kind: str, metric: Metric) -> None:
        rng = rng_of(7)
        U, V = draw_matrix(rng, kind, 25, 6), draw_matrix(rng, kind, 3000, 6)
        items = hold(V, metric)
        results = [recommend_from(items, U, k)[0] for k in (1, 2, 3, 10, 11, 40, 3000)]
        for few, many in pairwise(results):
            for one, other in zip(by_user(few), by_user(many), strict=True):
                assert other[: len(one)] == one
            n = len(few.items) // 25, len(many.items) // 25
            if metric == "dot":
                tied = many.tied.reshape(25, -1)[:, : n[0]]
                assert (few.tied.reshape(25, -1) == tied).all()

    @pytest.mark.parametrize("kind", ["tenths", "plain", "popular"])
    def test_shuffled_items_change_nothing_but_ties(self, kind: str) -> None:
        rng = rng_of(8)
        U, V = draw_matrix(rng, kind, 25, 6), draw_matrix(rng, kind, 3000, 6)
        order = rng.permutation(3000)
        one, other = recommend(U, V, 10)[0], recommend(U, V[order], 10)[0]
        error = error_bound(np.ascontiguousarray(U.T), V.T).max()
        np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=4 * error)
        clear = np.repeat(~(one.tied | other.tied).reshape(25, 10).any(axis=1), 10)
        assert (one.items[clear] == order[other.items[clear]]).all()
        assert (one.scores[clear] == other.scores[clear]).all()
        assert clear.any() or kind == "tenths"


class TestBits:
    @pytest.mark.parametrize("d", [1, 8, 64, 65, 200, 5000])
    def test_scores_are_those_of_classify(self, d: int) -> None:
        rng = rng_of(d)
        U, V = rng.normal(size=(70, d)) * 10.0 ** rng.integers(-3, 3, d), rng.normal(size=(300, d))
        scores = multiply(np.ascontiguousarray(U.T), np.ascontiguousarray(V.T)).T
        assert (hold(V).score(np.ascontiguousarray(U.T)) == scores).all()
        found = recommend(U, V, 300)[0]
        user = np.repeat(np.arange(70), 300)
        assert (found.scores == scores[user, found.items]).all()

    @pytest.mark.parametrize("spill", [False, True])
    @pytest.mark.parametrize("metric", METRICS)
    def test_wherever_the_items_are_held(self, metric: Metric, spill: bool) -> None:
        rng = rng_of(21)
        U, V = draw_matrix(rng, "tenths", 600, 7), draw_matrix(rng, "holes", 3000, 7)
        V[700:900] = V[:200]
        items, users = Items(7, cosine=metric == "cosine", spill=spill), np.ascontiguousarray(U.T)
        for start, stop in ((0, 1), (1, 1), (1, 1500), (1500, 3000)):
            items.add(V[start:stop])
        whole = hold(V, metric)
        for other in (items, pickle.loads(pickle.dumps(items))):
            assert len(other) == 3000
            assert by_user(other.recommend(users, 9)) == by_user(whole.recommend(users, 9))
            assert other.score(users).tobytes() == whole.score(users).tobytes()

    @pytest.mark.parametrize("metric", METRICS)
    def test_blocks_of_users_do_not_matter(self, metric: Metric) -> None:
        rng = rng_of(9)
        U, V = draw_matrix(rng, "tenths", 1100, 7), draw_matrix(rng, "tenths", 3000, 7)
        U[[3, 600]] = NAN
        items = hold(V, metric)
        whole = by_user(recommend_from(items, U)[0])
        for size in (1, 100, 512, 1099):
            stop = min(1100, 30 * size)
            parts = [U[i : min(i + size, stop)] for i in range(0, stop, size)]
            found = map_ordered(lambda part: by_user(recommend_from(items, part)[0]), parts, 2)
            assert [pairs for part in found for pairs in part] == whole[:stop]


class TestSplitting:
    """Blocks of users whose survivors are too many are served by halves."""

    @staticmethod
    def recommend(U: Floats, V: Floats, k: int, metric: Metric, most_pairs: int) -> Kept:
        items = _kernel.Items(V.shape[1], cosine=metric == "cosine")
        items.add(V)
        found = items.recommend(np.ascontiguousarray(U.T), k, most_pairs=most_pairs)
        return by_user(Recommended(*found))

    @pytest.mark.parametrize("metric", METRICS)
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_result_is_the_same(self, kind: str, metric: Metric) -> None:
        rng = rng_of(10)
        U, V = draw_matrix(rng, kind, 30, 6), draw_matrix(rng, kind, 3000, 6)
        expected = by_user(recommend(U, V, 10, metric)[0])
        assert self.recommend(U, V, 10, metric, 300) == expected

    def test_a_tie_of_which_each_has_another_bound(self) -> None:
        """Scores are equal, their terms ever larger: nothing can be dropped."""
        V, U = np.arange(1.0, 3001)[:, None] * [1.0, -1.0], np.ones((9, 2))
        assert self.recommend(U, V, 5, "dot", 1000) == search_all(U, V, 5)


class TestWhoGetsNothing:
    @pytest.mark.parametrize("n_items", [3, 4000])
    def test_missing_features(self, n_items: int) -> None:
        rng = rng_of(12)
        U, V = rng.normal(size=(5, 4)), rng.normal(size=(n_items, 4))
        U[2, 1] = NAN
        found, overflow = recommend(U, V, 2)
        assert found.counts.tolist() == [2, 2, 0, 2, 2] and overflow == []
        assert found.ranks.tolist() == [1, 2] * 4

    @pytest.mark.parametrize("n_items", [4, 4000])
    def test_zeros(self, n_items: int) -> None:
        V = rng_of(13).normal(size=(n_items, 4))
        V[1] = 0.0
        U = np.zeros((3, 4))
        U[1] = -V[0]
        found, _ = recommend(U, V, 3, excluded=[[0], [], [2, 0, 0]])
        assert by_user(found)[0] == [(1, 0.0), (2, 0.0), (3, 0.0)]
        assert [item for item, _ in by_user(found)[2]] == [1, 3, 4][: n_items - 2]
        assert recommend(U, V, 3, min_score=1e-9)[0].counts[[0, 2]].tolist() == [0, 0]
        found, _ = recommend(U, V, n_items, "cosine")
        assert found.counts.tolist() == [0, n_items - 1, 0]
        assert 1 not in found.items

    def test_everything_excluded(self) -> None:
        found, _ = recommend(np.ones((2, 1)), np.ones((3, 1)), 2, excluded=[[2, 1, 0], [1]])
        assert by_user(found) == [[], [(0, 1.0), (2, 1.0)]]

    @pytest.mark.parametrize("n_items", [4, 4000])
    def test_scores_that_overflow(self, n_items: int) -> None:
        V = rng_of(14).normal(size=(n_items, 2))
        V[-1] = [1e300, -1e300]
        U = np.array([[1.0, 2.0], [1e300, 0.0], [1e7, 1.0], [1e300, 1e300], [NAN, 1e300]])
        found, overflow = recommend(U, V, 3)
        assert overflow == [1, 3]
        assert found.counts.tolist() == [3, 0, 3, 0, 0]
        expected = search_all(U[[0, 2]], V, 3)
        assert [by_user(found)[0], by_user(found)[2]] == expected
        cosines, overflow = recommend(U, V, 3, "cosine")
        assert overflow == [] and cosines.counts.tolist() == [3, 3, 3, 3, 0]

    def test_nobody_at_all(self) -> None:
        found, overflow = recommend(np.empty((0, 3)), np.ones((2, 3)), 3)
        assert found.counts.tolist() == found.items.tolist() == overflow == []


class TestCosine:
    def test_is_that_of_the_definition(self) -> None:
        rng = rng_of(15)
        U, V = rng.normal(size=(20, 9)), rng.normal(size=(3000, 9))
        found, _ = recommend(U, V, 5, "cosine")
        users = np.repeat(U, 5, axis=0)
        expected = (users * V[found.items]).sum(axis=1)
        expected /= np.linalg.norm(users, axis=1) * np.linalg.norm(V[found.items], axis=1)
        np.testing.assert_allclose(found.scores, expected, rtol=1e-14)

    def test_never_passes_one(self) -> None:
        V = rng_of(16).normal(size=(500, 7))
        found, _ = recommend(V, V, 1, "cosine")
        assert found.items.tolist() == list(range(500))
        assert found.scores.max() == 1.0 and found.scores.min() > 1 - 1e-15

    def test_scale_does_not_matter(self) -> None:
        rng = rng_of(17)
        U, V = rng.normal(size=(20, 5)), rng.normal(size=(3000, 5))
        found = by_user(recommend(U, V, 5, "cosine")[0])
        scaled = V * 2.0 ** rng.integers(-900, 900, (3000, 1))
        assert by_user(recommend(U * 2.0**-1000, scaled, 5, "cosine")[0]) == found


class TestOtherLibraries:
    def test_faiss(self) -> None:
        faiss = pytest.importorskip("faiss")
        rng = rng_of(18)
        U, V = (rng.normal(size=(n, 24)).astype(np.float32) for n in (300, 20_000))
        index = faiss.IndexFlatIP(24)
        index.add(V)
        theirs: NDArray[np.int64] = index.search(U, 10)[1]
        found, _ = recommend(U.astype(np.float64), V.astype(np.float64), 10)
        ours = found.items.reshape(300, 10)
        assert (ours == theirs).mean() > 0.999
        exact = np.einsum("uf,ukf->uk", U, V[theirs], dtype=np.float64)
        np.testing.assert_allclose(found.scores.reshape(300, 10), exact, rtol=0, atol=1e-4)

    @pytest.mark.parametrize("metric", METRICS)
    def test_scikit_learn(self, metric: Metric) -> None:
        from sklearn.neighbors import NearestNeighbors

        rng = rng_of(19)
        U, V = rng.normal(size=(100, 24)), rng.normal(size=(5000, 24))
        if metric == "dot":  # the nearest are the most alike where all norms are equal
            U, V = (M / np.linalg.norm(M, axis=1)[:, None] for M in (U, V))
        search = NearestNeighbors(
            n_neighbors=10,
            algorithm="brute",
            metric="cosine" if metric == "cosine" else "euclidean",
        ).fit(V)
        found, _ = recommend(U, V, 10, metric)
        assert (found.items.reshape(100, 10) == search.kneighbors(U)[1]).all()
