"""The best items for each user, held anywhere, and as other libraries find them."""

from __future__ import annotations

import pickle
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from matscore.items import Items, Recommended
from matscore.kernel import Floats, PackedWeights
from matscore.options import Metric
from tests.kernel.test_top import draw_matrix, search_all

METRICS: tuple[Metric, ...] = get_args(Metric)
Kept = list[list[tuple[int, float, bool]]]
rng_of = np.random.default_rng


def hold(V: Floats, metric: Metric = "dot") -> Items:
    items = Items(V.shape[1], cosine=metric == "cosine")
    items.add(V)
    return items


def recommend(U: Floats, V: Floats, k: int = 10, metric: Metric = "dot") -> Recommended:
    """Recommend; users and items in rows."""
    return hold(V, metric).recommend(np.ascontiguousarray(U.T), k)


def by_user(found: Recommended) -> Kept:
    columns = (found.items.tolist(), found.scores.tolist(), found.tied.tolist())
    pairs = list(zip(*columns, strict=True))
    ends = np.cumsum(found.counts)
    return [pairs[end - n : end] for n, end in zip(found.counts, ends, strict=True)]


class TestAgainstAllScores:
    @pytest.mark.parametrize("metric", METRICS)
    def test_users_who_cancel_and_items_that_differ(self, metric: Metric) -> None:
        """Each pair of features cancels but for its last bits."""
        rng = rng_of(2)
        U, V = np.repeat(rng.normal(size=(9, 8)), 2, axis=1), rng.normal(size=(2000, 8))
        V = np.stack([V, -V], axis=2).reshape(2000, 16) * (1 + 1e-13 * rng.normal(size=(2000, 16)))
        found = recommend(U, V, 10, metric)
        assert by_user(found) == search_all(U, V, 10, metric)

    @pytest.mark.parametrize("k", [1, 33, 300])
    def test_any_k(self, k: int) -> None:
        rng = rng_of(3)
        U, V = rng.normal(size=(5, 9)), rng.normal(size=(4000, 9))
        assert by_user(recommend(U, V, k)) == search_all(U, V, k)


class TestTies:
    def test_duplicates_of_one_item(self) -> None:
        rng = rng_of(6)
        V = rng.normal(size=(3000, 8))
        V[rng.permutation(3000)[:1500]] = V[7]
        U = np.vstack([V[7], rng.normal(size=(5, 8))])
        assert by_user(recommend(U[:3], V, 30)) == search_all(U[:3], V, 30)
        found = recommend(U, V, 30, "cosine")
        copies = np.flatnonzero((V[7] == V).all(axis=1))
        assert found.items[:30].tolist() == copies[:30].tolist()

    def test_rounding_does_not_choose(self) -> None:
        for V in ([[0.3, 0.0], [0.1, 0.2]], [[0.1, 0.2], [0.3, 0.0]]):
            items = np.vstack([V, np.full((3000, 2), -1.0)])
            for some in (items[:2], items):
                found = recommend(np.ones((1, 2)), some, 2)
                assert found.items.tolist() == [0, 1] and found.tied.all()

    @pytest.mark.parametrize("kind", ["tenths", "plain", "popular"])
    def test_shuffled_items_change_nothing_but_ties(self, kind: str) -> None:
        rng = rng_of(8)
        U, V = draw_matrix(rng, kind, 25, 6), draw_matrix(rng, kind, 3000, 6)
        order = rng.permutation(3000)
        one, other = recommend(U, V, 10), recommend(U, V[order], 10)
        error = PackedWeights(V.T).error_bound(U.T).max()
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
        scores = PackedWeights(V.T).multiply(U.T).T
        assert (hold(V).score(np.ascontiguousarray(U.T)) == scores).all()
        found = recommend(U, V, 300)
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


@pytest.mark.parametrize("n_items", [3, 4000])
def test_missing_features(n_items: int) -> None:
    rng = rng_of(12)
    U, V = rng.normal(size=(5, 4)), rng.normal(size=(n_items, 4))
    U[2, 1] = np.nan
    found = recommend(U, V, 2)
    assert found.counts.tolist() == [2, 2, 0, 2, 2] and len(found.overflow) == 0
    assert found.ranks.tolist() == [1, 2] * 4


class TestOtherLibraries:
    def test_is_that_of_the_definition(self) -> None:
        rng = rng_of(15)
        U, V = rng.normal(size=(20, 9)), rng.normal(size=(3000, 9))
        found = recommend(U, V, 5, "cosine")
        users = np.repeat(U, 5, axis=0)
        expected = (users * V[found.items]).sum(axis=1)
        expected /= np.linalg.norm(users, axis=1) * np.linalg.norm(V[found.items], axis=1)
        np.testing.assert_allclose(found.scores, expected, rtol=1e-14)

    def test_faiss(self) -> None:
        faiss = pytest.importorskip("faiss")
        rng = rng_of(18)
        U, V = (rng.normal(size=(n, 24)).astype(np.float32) for n in (300, 20_000))
        index = faiss.IndexFlatIP(24)
        index.add(V)
        theirs: NDArray[np.int64] = index.search(U, 10)[1]
        found = recommend(U.astype(np.float64), V.astype(np.float64), 10)
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
        found = recommend(U, V, 10, metric)
        assert (found.items.reshape(100, 10) == search.kneighbors(U)[1]).all()
