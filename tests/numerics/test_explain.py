"""Contributions: what they add up to, their order, the lines that are not features."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from matscore.kernel import Floats
from matscore.model import Model
from matscore.numerics.explain import (
    INTERCEPT,
    OTHERS,
    Contributions,
    explain_rows,
    find_runner_up,
)

RNG = np.random.default_rng(5)
FILMS = np.array([[5.0, 1.0, 4.0], [2.0, 5.0, 4.0]])
GENRES = Model(np.array([[1.1, 0.4, 0.1], [0.2, 0.5, 1.2]]), None, ("a", "b", "c"))


def make_model(n_features: int, n_categories: int, *, intercept: bool = True) -> Model:
    weights = (
        RNG.normal(size=(n_features, n_categories))
        * 10.0 ** RNG.integers(-8, 8, n_features)[:, None]
    )
    added = RNG.normal(size=n_categories) if intercept else None
    return Model(weights, added, tuple(map(str, range(n_categories))))


def scores_of(model: Model, features: Floats) -> Floats:
    return model.packed.multiply(features)


def score_difference(
    scores: Floats, categories: NDArray[np.int64], versus: NDArray[np.int64] | None = None
) -> Floats:
    """Return the scores, or the differences of two, that contributions add up to."""
    rows = np.arange(scores.shape[1])
    score = scores[categories, rows]
    return score if versus is None else score - scores[versus, rows]


def lines_of(found: Contributions, row: int) -> list[tuple[int, float, float, float]]:
    here = found.rows == row
    columns = (found.entries, found.values, found.weights, found.contributions)
    return list(zip(*(column[here].tolist() for column in columns), strict=True))


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def test_the_lesson() -> None:
    found = explain_rows(GENRES, FILMS, ints(0, 2, 0))
    assert lines_of(found, 0) == [(0, 5.0, 1.1, 5.5), (1, 2.0, 0.2, 0.4)]
    assert lines_of(found, 1) == [(1, 5.0, 1.2, 6.0), (0, 1.0, 0.1, 0.1)]
    assert score_difference(scores_of(GENRES, FILMS), ints(0, 2, 0)).tolist() == [5.9, 6.1, 5.2]


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("top_features", [None, 0, 1, 7, 39, 40, 100])
@pytest.mark.parametrize("against", [False, True])
def test_contributions_add_up_to_the_score(
    intercept: bool, top_features: int | None, against: bool
) -> None:
    """Exactly, but for the rounding of each product and of the score itself."""
    n_features, n_rows = 40, 30
    model = make_model(n_features, 5, intercept=intercept)
    features = (
        RNG.normal(size=(n_features, n_rows)) * 10.0 ** RNG.integers(-8, 8, n_features)[:, None]
    )
    scores = scores_of(model, features)
    best = scores.argmax(axis=0)
    versus = find_runner_up(scores, best) if against else None
    found = explain_rows(model, features, best, versus=versus, top_features=top_features)
    score = score_difference(scores, best, versus)
    bounds = model.packed.error_bound(features)
    for row in range(n_rows):
        exact = sum(Fraction(line[3]) for line in lines_of(found, row))
        bound = Fraction(bounds[best[row], row])
        if versus is not None:
            bound += Fraction(bounds[versus[row], row])
        assert abs(exact - Fraction(score[row])) <= 2 * bound
        n_shown = min(n_features, n_features if top_features is None else top_features)
        assert len(lines_of(found, row)) == n_shown + (n_shown < n_features) + intercept


def test_each_contribution_is_rounded_once() -> None:
    model, features = make_model(9, 3), RNG.normal(size=(9, 20))
    found = explain_rows(model, features, np.zeros(20, dtype=np.int64), top_features=4)
    for row in range(20):
        lines = lines_of(found, row)
        rest = {*range(9)} - {line[0] for line in lines}
        for entry, value, weight, contribution in lines:
            if entry >= 0:
                assert value == features[entry, row] and weight == model.weights[entry, 0]
                assert contribution == float(Fraction(value) * Fraction(weight))
            elif entry == OTHERS:
                assert np.isnan([value, weight]).all()
                products = [Fraction(features[i, row] * model.weights[i, 0]) for i in rest]
                assert contribution == float(sum(products))
            else:
                assert (entry, value, weight) == (INTERCEPT, 1.0, contribution)


def test_it_is_the_linear_explainer() -> None:
    """shap.LinearExplainer: coefficient × (value - mean of the background), here with mean 0."""
    X, y = RNG.normal(size=(200, 6)), RNG.integers(0, 3, 200)
    fitted = LogisticRegression().fit(X, y)
    model = Model(fitted.coef_.T.copy(), fitted.intercept_, ("0", "1", "2"))
    found = explain_rows(model, X.T.copy(), fitted.predict(X))
    expected = fitted.coef_[fitted.predict(X)] * X
    got = np.zeros_like(expected)
    mine = found.entries >= 0
    got[found.rows[mine], found.entries[mine]] = found.contributions[mine]
    assert got.tobytes() == expected.tobytes()
    totals = np.bincount(found.rows, weights=found.contributions)
    np.testing.assert_allclose(totals, fitted.decision_function(X).max(axis=1), rtol=1e-12)


def test_order_and_ties() -> None:
    model = Model(np.array([[1.0], [-3.0], [1.0], [-1.0], [0.0]]), np.array([9.0]), ("a",))
    found = explain_rows(model, np.ones((5, 1)), ints(0))
    assert found.entries.tolist() == [1, 0, 2, 3, 4, INTERCEPT]


def test_missing_values_come_last_and_hide_in_no_sum() -> None:
    features = np.array([[np.nan], [1.0], [2.0]])
    model = Model(np.array([[5.0], [1.0], [1.0]]), None, ("a",))
    found = explain_rows(model, features, ints(0))
    assert found.entries.tolist() == [2, 1, 0] and np.isnan(found.contributions[2])
    assert np.isnan(explain_rows(model, features, ints(0), top_features=1).contributions[1])
    assert found.find_overflow(np.array([True])).tolist() == []


def test_rows_without_a_category_have_no_lines() -> None:
    found = explain_rows(GENRES, FILMS, ints(-1, 2, -1))
    assert set(found.rows.tolist()) == {1}
    assert len(explain_rows(GENRES, np.empty((2, 0)), ints()).rows) == 0


@pytest.mark.parametrize("top_features", [None, 0])
def test_overflow_is_found(top_features: int | None) -> None:
    model = Model(np.array([[1e308], [-1e308], [1.0]]), None, ("a",))
    features = np.array([[10.0, 1.0], [10.0, 1.0], [1.0, 1.0]])
    found = explain_rows(model, features, ints(0, 0), top_features=top_features)
    assert set(found.find_overflow(None).tolist()) == {0}


def test_runner_up_is_the_first_of_the_highest() -> None:
    scores = np.array([[5.2, 1.0], [3.6, 4.0], [5.2, 4.0]])
    assert find_runner_up(scores, ints(0, 1)).tolist() == [2, 2]


def test_rows_do_not_depend_on_one_another() -> None:
    model, features = make_model(12, 4), RNG.normal(size=(12, 50))
    categories = RNG.integers(0, 4, 50)
    whole = explain_rows(model, features, categories, top_features=3)
    for row in range(50):
        alone = explain_rows(model, features[:, [row]], categories[[row]], top_features=3)
        np.testing.assert_array_equal(lines_of(alone, 0), lines_of(whole, row))
