"""The tie rule, rank after rank, against the rule as it is written."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matscore.decide import decide
from matscore.matrix import Model
from matscore.product import Floats, block_features, error_bound, multiply_blocks
from matscore.rank import NO_PLACE, Ranking, rank_categories, rank_one_by_one, rank_rows

score = st.integers(-6, 6).map(float) | st.sampled_from([-np.inf, np.nan, 0.5, 1e300])
bound = st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0])


def follow_the_rule(scores: list[float], bounds: list[float], k: int) -> list[int]:
    """Rank by the words of the rule."""
    left = [i for i, s in enumerate(scores) if s > -np.inf]
    ranked: list[int] = []
    while left and len(ranked) < k:
        top = max(left, key=lambda i: (scores[i], -i))
        ties = [i for i in left if scores[top] - scores[i] <= bounds[top] + bounds[i]]
        ranked.append(ties[0])
        left.remove(ties[0])
    return ranked


def rank(scores: Floats, bounds: Floats, k: int) -> Ranking:
    widest = 2 * bounds.max(axis=1, initial=0.0)
    return rank_rows(scores, k, widest, lambda rows: bounds[rows])


@given(st.data())
def test_the_rule_is_followed(data: st.DataObject) -> None:
    n_rows, n = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 9))
    cells = n_rows * n
    scores = np.reshape(data.draw(st.lists(score, min_size=cells, max_size=cells)), (n_rows, n))
    equal = data.draw(st.booleans())  # as duplicates of one item have it
    bounds = np.reshape(data.draw(st.lists(bound, min_size=cells, max_size=cells)), (n_rows, n))
    if equal:
        bounds[:] = bounds[:, :1]
    k = data.draw(st.integers(1, n + 2))
    ranking = rank(scores, bounds, k)
    assert ranking.places.shape == (n_rows, min(k, n))
    for row in range(n_rows):
        expected = follow_the_rule(scores[row].tolist(), bounds[row].tolist(), k)
        found = ranking.places[row].tolist()
        assert found[: len(expected)] == expected
        assert set(found[len(expected) :]) <= {NO_PLACE}
    whole = rank(scores, bounds, n)
    assert (whole.places[:, :k] == ranking.places).all()
    assert (whole.tied[:, :k] == ranking.tied).all()


def test_what_ties_with_one_need_not_tie_with_the_next() -> None:
    """3 ties with 2, 2 with 1, but not 3 with 1: the first of those that tie with the highest."""
    scores, bounds = np.array([[1.0, 2.0, 3.0]]), np.full((1, 3), 0.5)
    ranking = rank(scores, bounds, 3)
    assert ranking.places.tolist() == [[1, 2, 0]]
    assert ranking.tied.tolist() == [[True, True, False]]


def test_a_tie_that_a_rank_below_has_is_marked_on_both() -> None:
    ranking = rank(np.array([[7.0, 5.0, 9.0, 5.0]]), np.zeros((1, 4)), 4)
    assert ranking.places.tolist() == [[2, 0, 1, 3]]
    assert ranking.tied.tolist() == [[False, False, True, True]]
    assert rank(np.array([[7.0, 5.0, 9.0, 5.0]]), np.zeros((1, 4)), 3).tied[0, 2]


def test_bounds_are_asked_for_where_scores_are_close_alone() -> None:
    scores = np.array([[3.0, 2.0, 1.0], [2.0, 2.0, 1.0], [1.0, 2.0, 2.0]])
    asked: list[int] = []

    def find_bounds(rows: np.ndarray) -> Floats:
        asked.extend(rows.tolist())
        return np.zeros((len(rows), 3))

    ranking = rank_rows(scores, 1, np.full(3, 1e-9), find_bounds)
    assert ranking.places.ravel().tolist() == [0, 0, 1]
    assert asked == [1, 2]


def test_thousands_that_all_tie_are_fast() -> None:
    """Rank by rank this would take a hundred million comparisons a row."""
    scores = np.ones((3, 20_000))
    scores[1] += np.arange(20_000) * 1e-18
    ranking = rank(scores, np.full(scores.shape, 1e-13), 20_000)
    assert (ranking.places == np.arange(20_000)).all()
    assert ranking.tied.all()


def test_nothing_left() -> None:
    scores = np.array([[np.nan, np.nan], [-np.inf, 1.0]])
    ranking = rank(scores, np.zeros((2, 2)), 5)
    assert ranking.places.tolist() == [[-1, -1], [1, -1]]
    assert not ranking.tied.any()


def test_the_highest_float_ties() -> None:
    scores = np.array([[-1.7e308, 1.7e308, 1.7e308]])
    for ranking in (rank(scores, np.zeros((1, 3)), 3), rank_one_by_one(scores, scores * 0, 3)):
        assert ranking.places.tolist() == [[1, 2, 0]]


@given(st.data())
def test_categories_of_scored_rows(data: st.DataObject) -> None:
    """The first rank is the prediction; all are those of the rule; other rows do not matter."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n_features, n_categories = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6))
    n_rows, k = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 7))
    X = rng.integers(-9, 10, (n_features, n_rows)) / 10
    W = rng.integers(-9, 10, (n_features, n_categories)) / 10
    intercept = rng.integers(-9, 10, n_categories) / 10
    model = Model(W, intercept, tuple(map(str, range(n_categories))))
    blocks = block_features(list(X), n_rows)
    scores = multiply_blocks(blocks, W, intercept)[:, :n_rows]
    ranking = rank_categories(scores, blocks, model, k)
    assert ranking.places.shape == (n_rows, min(k, n_categories))
    decision = decide(scores, blocks, W, intercept)
    assert (ranking.places[:, 0] == decision.best).all()
    assert (ranking.tied[:, 0] == decision.tied).all()
    bounds = error_bound(X, W, intercept)
    for row in range(0, n_rows, 37):
        rule = follow_the_rule(scores[:, row].tolist(), bounds[:, row].tolist(), k)
        assert ranking.places[row].tolist() == rule


def test_no_rows_at_all() -> None:
    model = Model(np.ones((2, 3)), None, ("a", "b", "c"))
    ranking = rank_categories(np.empty((3, 0)), block_features([np.empty(0)] * 2, 0), model, 2)
    assert ranking.places.shape == ranking.tied.shape == (0, 2)


def test_missing_and_threshold_have_no_rank() -> None:
    X, W = np.array([[1.0, np.nan, 2.0]]), np.array([[1.0, 2.0]])
    blocks = block_features(list(X), 3)
    scores = multiply_blocks(blocks, W)[:, :3]
    scores = np.where(scores < 2, -np.inf, scores)
    ranking = rank_categories(scores, blocks, Model(W, None, ("a", "b")), 2)
    assert ranking.places.tolist() == [[1, -1], [-1, -1], [1, 0]]
