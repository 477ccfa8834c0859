"""Logistic regression: against scikit-learn and statsmodels, exact gradients, and itself."""

from __future__ import annotations

import itertools
from decimal import Decimal, localcontext
from functools import partial
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from matscore.items import KeptRows
from matscore.kernel import Floats
from matscore.numerics import curvature, logistic
from matscore.numerics.logistic import Examples, LogisticFit, SearchError, fit_logistic
from matscore.run.parts import map_ordered

DATA = {
    "iris": load_iris(return_X_y=True),
    "wine": load_wine(return_X_y=True),
    "cancer": load_breast_cancer(return_X_y=True),
    "digits": load_digits(return_X_y=True),
}


def keep(X: Floats, y: Any, *, pieces: int = 1, most_bytes: int = 2**24, **more: Any) -> Examples:
    """Keep rows that come in some pieces; the categories are met backwards."""
    kept, n = KeptRows(X.shape[1] + 1, most_bytes), int(max(y)) + 1
    for part in np.array_split(np.column_stack([X, n - 1 - np.asarray(y)]), pieces):
        kept.append(part)
    return Examples(kept, np.arange(n)[::-1].copy(), X.shape[1], **more)


def fit(X: Any, y: Any, **options: Any) -> LogisticFit:
    found = fit_logistic(keep(np.asarray(X, float), y), **options)
    assert found is not None
    return found


def make_rows(n: int, p: int, n_categories: int, noise: float = 1.0) -> tuple[Floats, Any]:
    rng = np.random.default_rng([n, p, n_categories])
    X = rng.normal(size=(n, p)) * 10.0 ** rng.uniform(-2, 2, p)
    scores = X / X.std(axis=0) @ rng.normal(size=(p, n_categories)) / np.sqrt(p)
    return X, (scores + noise * rng.gumbel(size=scores.shape)).argmax(axis=1)


def constants_of(found: LogisticFit) -> Floats:
    assert found.intercept is not None
    return found.intercept


CASES = [
    *itertools.product(["iris", "wine", "cancer"], [False, True], [1.0, 0.1]),
    ("digits", False, 1.0),
    ("digits", True, 0.5),
]


def ask_scikit_learn(X: Floats, y: Any, **options: Any) -> LogisticRegression:
    model = LogisticRegression(tol=1e-13, max_iter=1000, solver="newton-cholesky", **options)
    with threadpool_limits(1):  # or each waits for the other where the machine is busy
        return model.fit(X, y)


@pytest.mark.parametrize(("name", "standardize", "alpha"), CASES)
def test_the_optimum_of_scikit_learn(name: str, standardize: bool, alpha: float) -> None:
    X, y = DATA[name]
    found = fit(X, y, alpha=alpha, standardize=standardize)
    scaler = StandardScaler().fit(X)
    mean, unit = (scaler.mean_, scaler.scale_) if standardize else (0.0, 1.0)
    model = ask_scikit_learn((X - mean) / unit, y, C=1 / alpha)
    weights = (model.coef_ / unit).T
    constants = model.intercept_ - mean @ weights if standardize else model.intercept_
    if len(model.classes_) == 2:  # scikit-learn has one column, whose sigmoid is the second's
        weights, constants = np.hstack([-weights, weights]) / 2, np.array([-1, 1]) * constants / 2
    np.testing.assert_allclose(found.weights, weights, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(constants_of(found), constants, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("standardize", [False, True])
def test_without_intercept(standardize: bool) -> None:
    X, y = DATA["iris"]
    found = fit(X, y, intercept=False, standardize=standardize)
    assert found.intercept is None
    unit = X.std(axis=0) if standardize else 1.0
    model = ask_scikit_learn(X / unit, y, fit_intercept=False)
    np.testing.assert_allclose(found.weights.T, model.coef_ / unit, rtol=1e-9)


@pytest.mark.parametrize("n_categories", [2, 3])
def test_without_a_penalty_it_is_the_maximum_of_statsmodels(n_categories: int) -> None:
    X, y = make_rows(300, 4, n_categories)
    found = fit(X, y, alpha=0)
    known = sm.MNLogit(y, sm.add_constant(X)).fit(disp=0, method="newton", maxiter=100).params
    whole = np.vstack([constants_of(found), found.weights])
    np.testing.assert_allclose(whole[:, 1:] - whole[:, :1], known, rtol=1e-9)


@pytest.mark.parametrize("far", [0.0, 1e6])
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_ten_digits_are_right(far: float, alpha: float) -> None:
    """By Newton's method with 50 digits, and however far from 0 a feature is."""
    X, y = make_rows(60, 1, 2, noise=2.0)
    X = X / X.std() + far
    found = fit(X, y, alpha=alpha)
    with localcontext(prec=50):
        # Of two categories the score is the difference of the columns.
        w, b = 2 * Decimal(found.weights[0, 1]), 2 * Decimal(constants_of(found)[1])
        for _ in range(6):
            slope, left = Decimal(alpha) * w, Decimal(0)
            ww, wb, bb = Decimal(alpha), Decimal(0), Decimal(0)
            for x, truth in zip(map(Decimal, X[:, 0].tolist()), y.tolist(), strict=True):
                p = 1 / (1 + (-w * x - b).exp())
                slope, left = slope + (p - truth) * x, left + p - truth
                ww, wb, bb = ww + p * (1 - p) * x * x, wb + p * (1 - p) * x, bb + p * (1 - p)
            size = ww * bb - wb * wb
            w, b = w - (bb * slope - wb * left) / size, b - (ww * left - wb * slope) / size
        assert abs(slope) + abs(left) < Decimal("1e-30")
    assert 2 * found.weights[0, 1] == pytest.approx(float(w), rel=1e-11)
    assert 2 * constants_of(found)[1] == pytest.approx(float(b), rel=1e-11)


class TestWays:
    X, y = make_rows(9000, 5, 4)

    def test_the_same_bits_however_rows_come_and_who_adds_them_up(self) -> None:
        expected = fit(self.X, self.y)
        for pieces, n_jobs, most_bytes in ((7, 1, 0), (9000, 2, 10**5), (1, 2, 2**24)):
            examples = keep(
                self.X, self.y, pieces=pieces, most_bytes=most_bytes,
                run=partial(map_ordered, n_jobs=n_jobs),
            )  # fmt: skip
            found = fit_logistic(examples)
            assert found is not None
            assert found.weights.tobytes() == expected.weights.tobytes()

    @pytest.mark.parametrize(
        ("module", "name", "value"),
        [
            (curvature, "_LARGEST", 0),  # each category by itself
            (curvature, "_PIECE", 2),
            (curvature, "_MOST_NUMBERS", 6000),  # a sample of the rows
            (logistic, "_MOST_CHANCES", 0),
            (logistic, "_FAR", 0.0),
            (logistic, "_PRODUCT", 0),
        ],
    )
    def test_every_way_ends_at_the_same_weights(
        self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, value: Any
    ) -> None:
        expected = fit(self.X, self.y)
        if name == "_PIECE":
            monkeypatch.setattr(module, "_LARGEST", 0)
        monkeypatch.setattr(module, name, value)
        found = fit(self.X, self.y)
        assert found.gradient < 1e-10
        np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-10)
        np.testing.assert_allclose(constants_of(found), constants_of(expected), rtol=1e-10)

    def test_many_weights(self) -> None:
        """More than are inverted together."""
        X, y = make_rows(500, 53, 20)
        X /= X.std(axis=0)
        found = fit(X, y)
        assert found.weights.size > curvature._LARGEST
        model = ask_scikit_learn(X, y)
        np.testing.assert_allclose(found.weights, model.coef_.T, rtol=1e-8, atol=1e-9)


class TestNoAnswer:
    def test_separated(self) -> None:
        X, y = DATA["iris"]
        with pytest.raises(SearchError) as caught:
            fit(X, y, alpha=0)
        assert caught.value.direction is not None

    @pytest.mark.parametrize("times", [1, 300])
    def test_separated_in_part(self, times: int) -> None:
        """A feature that only one category ever has: the others overlap."""
        X, y = make_rows(200, 3, 3)
        X[:, 2] = (y == 1) & (np.arange(len(y)) % 2 == 0)
        with pytest.raises(SearchError) as caught:
            fit(np.tile(X, (times, 1)), np.tile(y, times), alpha=0)
        assert caught.value.direction is not None
        direction = np.abs(caught.value.direction)
        assert np.unravel_index(int(direction.argmax()), direction.shape)[1] == 2
        assert direction[:, :2].max() < 1e-6 * direction.max()

    def test_nearly_separated_has_an_answer(self) -> None:
        X, y = np.linspace(-1, 1, 40)[:, None], np.arange(40) >= 20
        y[[19, 20]] = y[[20, 19]]
        known = sm.Logit(y, sm.add_constant(X)).fit(disp=0, method="newton", maxiter=200).params
        found = fit(X, y.astype(int), alpha=0)
        assert 2 * found.weights[0, 1] == pytest.approx(known[1], rel=1e-9)

    def test_numbers_too_large(self) -> None:
        X, y = make_rows(10, 2, 2)
        assert fit_logistic(keep(X * 1e300, y)) is None


@pytest.mark.parametrize("name", ["iris", "digits"])
def test_rows_that_come_many_times(name: str) -> None:
    """With as many times the penalty nothing changes, though sums round more."""
    X, y = DATA[name]
    times = 1000 if name == "iris" else 20
    found = fit(np.tile(X, (times, 1)), np.tile(y, times), alpha=times)
    assert found.gradient < 1e-10
    np.testing.assert_allclose(found.weights, fit(X, y).weights, rtol=1e-9, atol=1e-11)


def test_a_constant_feature_has_no_weight() -> None:
    X, y = DATA["iris"]
    found = fit(np.column_stack([X, np.full(len(X), 0.1)]), y)
    assert found.weights[4].tolist() == [0, 0, 0] and found.is_constant.tolist()[4]
    np.testing.assert_allclose(found.weights[:4], fit(X, y).weights, rtol=1e-12)


def test_kept_rows_come_back() -> None:
    rows = np.arange(2.0 * 300_000).reshape(-1, 2)
    for most_bytes in (0, 2**21, 2**30):
        kept, at = KeptRows(2, most_bytes), 0
        for n in (1, 70_000, 0, 200_000, 29_999):
            kept.append(rows[at : at + n])
            at += n
        assert np.concatenate([kept[i] for i in range(len(kept))]).tobytes() == rows.tobytes()
        assert {len(kept[i]) for i in range(len(kept) - 1)} == {kept.height}
