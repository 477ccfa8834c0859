"""The tie rule, rank after rank, against the rule as it is written."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matscore.kernel import Floats, Ranking, error_bound, multiply, rank, score

NAN, NONE = float("nan"), -1


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


def rank_exactly(scores: Floats, k: int) -> Ranking:
    """Rank scores, a row each, that are what they say: features times the identity."""
    X = np.where(np.isfinite(scores.T), scores.T, 0.0)
    return rank(np.ascontiguousarray(scores.T), X, np.eye(len(X)), None, k)


@given(st.data())
def test_the_rule_is_followed(data: st.DataObject) -> None:
    """Scores of a few units in the last place, and bounds of other sizes: not all ties meet."""
    n = data.draw(st.integers(1, 9))
    unit = 2.0**-52
    steps = np.array(data.draw(st.lists(st.integers(-6, 6), min_size=n, max_size=n)))
    sizes = np.array(data.draw(st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=n, max_size=n)))
    if data.draw(st.booleans()):
        sizes[:] = sizes[0]
    X = np.ones((2, 1))
    W = np.stack([-sizes, sizes + steps * 2 * unit])
    scores, bounds = multiply(X, W), error_bound(X, W)
    assert (scores[:, 0] == steps * 2 * unit).all()
    scores[sorted(data.draw(st.sets(st.integers(0, n - 1), max_size=2)))] = -np.inf
    k = data.draw(st.integers(1, n + 2))
    ranking = rank(scores, X, W, None, k)
    expected = follow_the_rule(scores[:, 0].tolist(), bounds[:, 0].tolist(), k)
    assert ranking.places.shape == (1, min(k, n))
    assert ranking.places[0, : len(expected)].tolist() == expected
    assert set(ranking.places[0, len(expected) :].tolist()) <= {NONE}
    whole = rank(scores, X, W, None, n)
    assert (whole.places[:, :k] == ranking.places).all()
    assert (whole.tied[:, :k] == ranking.tied).all()


def test_what_ties_with_one_need_not_tie_with_the_next() -> None:
    """3 ties with 2, 2 with 1, but not 3 with 1: the first of those that tie with the highest."""
    X, unit = np.ones((2, 1)), 2.0**-52
    W = np.array([[-1.0] * 3, [1.0, 1 + 4 * unit, 1 + 8 * unit]])
    scores = multiply(X, W)
    assert 4 * unit <= 2 * error_bound(X, W).min() < 8 * unit
    ranking = rank(scores, X, W, None, 3)
    assert ranking.places.tolist() == [[1, 2, 0]]
    assert ranking.tied.tolist() == [[True, True, False]]


def test_a_tie_that_a_rank_below_has_is_marked_on_both() -> None:
    scores = np.array([[7.0, 5.0, 9.0, 5.0]])
    ranking = rank_exactly(scores, 4)
    assert ranking.places.tolist() == [[2, 0, 1, 3]]
    assert ranking.tied.tolist() == [[False, False, True, True]]
    assert rank_exactly(scores, 3).tied[0, 2]


def test_thousands_that_all_tie_are_fast() -> None:
    """Rank by rank this would take a hundred million comparisons a row."""
    X, W = np.ones((1, 3)), np.ones((1, 20_000))
    ranking = rank(multiply(X, W), X, W, None, 20_000)
    assert (ranking.places == np.arange(20_000)).all()
    assert ranking.tied.all()


def test_nothing_left() -> None:
    ranking = rank_exactly(np.array([[NAN, NAN], [-np.inf, 1.0]]), 5)
    assert ranking.places.tolist() == [[-1, -1], [1, -1]]
    assert not ranking.tied.any()


def test_the_highest_float_ties() -> None:
    ranking = rank_exactly(np.array([[-1.7e308, 1.7e308, 1.7e308]]), 3)
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
    scores, decision = score(X, W, intercept)
    ranking = rank(scores, X, W, intercept, k)
    assert ranking.places.shape == (n_rows, min(k, n_categories))
    assert (ranking.places[:, 0] == decision.best).all()
    assert (ranking.tied[:, 0] == decision.tied).all()
    bounds = error_bound(X, W, intercept)
    for row in range(0, n_rows, 37):
        rule = follow_the_rule(scores[:, row].tolist(), bounds[:, row].tolist(), k)
        assert ranking.places[row].tolist() == rule


def test_no_rows_at_all() -> None:
    ranking = rank(np.empty((3, 0)), np.empty((2, 0)), np.ones((2, 3)), None, 2)
    assert ranking.places.shape == ranking.tied.shape == (0, 2)
