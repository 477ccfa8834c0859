"""Weights from rows: against exact answers, other solvers, and themselves in other chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_linnerud,
)
from sklearn.linear_model import LinearRegression, Ridge, RidgeClassifier
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from matscore.kernel import Floats
from matscore.numerics.least_squares import (
    Fit,
    Piece,
    Segment,
    Triangle,
    block_rows,
    cut_rows,
    finish,
    merge,
    no_rows,
    reduce_rows,
    solve,
    sort_names,
)
from tests.nist import (
    FILIP_R2,
    FILIP_WEIGHTS,
    LONGLEY_R2,
    LONGLEY_WEIGHTS,
    count_digits,
    filip,
    longley,
)

RNG = np.random.default_rng(11)


def fit(X: Any, y: Any, *, height: int | None = None, **options: Any) -> Fit:
    """Fit, with the rows reduced in blocks of some height and merged."""
    X, y = np.asarray(X, float), np.asarray(y, float).reshape(len(X), -1)
    names = tuple(f"y{i}" for i in range(y.shape[1]))
    height = height or len(X)
    total: Triangle | None = None
    for i in range(0, len(X), height):
        block = reduce_rows(X[i : i + height], y[i : i + height], names)
        total = block if total is None else merge(total, block)
    assert total is not None
    return solve(total, **options)


def constants_of(found: Fit) -> Floats:
    """Return the intercept, which there is."""
    assert found.intercept is not None
    return found.intercept


def whole(found: Fit) -> Floats:
    """Return intercept and weights of the only target."""
    return np.array([*constants_of(found).tolist(), *found.weights[:, 0].tolist()])


DATA = {
    "iris": load_iris(return_X_y=True),
    "diabetes": load_diabetes(return_X_y=True),
    "linnerud": load_linnerud(return_X_y=True),
    "cancer": load_breast_cancer(return_X_y=True),
    "digits": load_digits(return_X_y=True),
}


class TestOracles:
    @pytest.mark.parametrize("height", [None, 64])
    @pytest.mark.parametrize("name", list(DATA))
    @pytest.mark.parametrize("intercept", [True, False])
    def test_least_squares(self, name: str, intercept: bool, height: int | None) -> None:
        """Digits have constant and collinear pixels, so that the shortest weights are compared."""
        X, y = DATA[name]
        found = fit(X, y, height=height, intercept=intercept)
        if intercept:
            model = LinearRegression().fit(X, y)
            weights, constants = model.coef_.T, np.ravel(model.intercept_)
            np.testing.assert_allclose(constants_of(found), constants, rtol=1e-8)
        else:  # where scikit-learn cuts off what is 1e-6 of the largest singular value
            weights, constants = np.linalg.lstsq(X, y)[0], np.zeros(1)
        np.testing.assert_allclose(found.weights.squeeze(), weights, rtol=1e-7, atol=1e-9)
        scores = r2_score(y, X @ weights + constants, multioutput="raw_values")
        np.testing.assert_allclose(found.r2, scores, rtol=1e-9)

    @pytest.mark.parametrize("name", list(DATA))
    @pytest.mark.parametrize("alpha", [1e-3, 1.0, 100.0])
    @pytest.mark.parametrize("standardize", [False, True])
    @pytest.mark.parametrize("intercept", [True, False])
    def test_ridge(self, name: str, alpha: float, standardize: bool, intercept: bool) -> None:
        X, y = DATA[name]
        found = fit(X, y, height=100, alpha=alpha, standardize=standardize, intercept=intercept)
        ridge = Ridge(alpha, fit_intercept=intercept, solver="svd")
        model = make_pipeline(StandardScaler(with_mean=intercept), ridge) if standardize else ridge
        expected = model.fit(X, y).predict(X)
        got = X @ found.weights + (0 if found.intercept is None else found.intercept)
        np.testing.assert_allclose(got.squeeze(), expected, rtol=1e-8, atol=1e-8)

    def test_lstsq_on_random_systems(self) -> None:
        for n_rows, n_features in ((30, 5), (5, 5), (3, 7)):
            X, y = RNG.normal(size=(n_rows, n_features)), RNG.normal(size=(n_rows, 2))
            found = fit(X, y, intercept=False)
            np.testing.assert_allclose(found.weights, np.linalg.lstsq(X, y)[0], rtol=1e-9)
            assert found.rank == min(n_rows, n_features)

    def test_categories_choose_as_the_ridge_classifier(self) -> None:
        X, y = DATA["digits"]
        members = y[:, None] == np.arange(10)
        found = fit(X, members, alpha=10.0)
        expected = RidgeClassifier(alpha=10.0, solver="svd").fit(X, y).predict(X)
        got = (X @ found.weights + found.intercept).argmax(axis=1)
        assert (got == expected).all()


class TestCertified:
    """NIST StRD; the normal equations lose half of the digits."""

    @pytest.mark.parametrize("height", [None, 5, 1])
    def test_longley(self, height: int | None) -> None:
        found = fit(*longley(), height=height)
        assert count_digits(whole(found), LONGLEY_WEIGHTS) > 11.5
        assert count_digits(found.r2, [LONGLEY_R2]) > 13

    @pytest.mark.parametrize("height", [None, 5])
    @pytest.mark.parametrize("standardize", [False, True])
    def test_filip(self, height: int | None, standardize: bool) -> None:
        found = fit(*filip(), height=height, standardize=standardize)
        assert found.rank == 10 and found.condition > 1e9
        assert count_digits(whole(found), FILIP_WEIGHTS) > 7
        assert count_digits(found.r2, [FILIP_R2]) > 9.5

    @pytest.mark.parametrize("data", ["longley", "filip"])
    def test_the_normal_equations_do_worse(self, data: str) -> None:
        """So the tests above can fail."""
        X, y = longley() if data == "longley" else filip()
        expected = LONGLEY_WEIGHTS if data == "longley" else FILIP_WEIGHTS
        A = np.hstack([np.ones((len(X), 1)), X])
        normal = np.linalg.solve(A.T @ A, A.T @ y)[:, 0]
        ours = count_digits(whole(fit(X, y)), expected)
        assert count_digits(normal, expected) < ours - 4

    def test_a_column_far_from_zero(self) -> None:
        """Times in seconds since 1970: the mean is a million million spreads away."""
        x = 1.7e12 + np.arange(1000.0)
        found = fit(x[:, None], 2 * (x - 1.7e12) + 5, height=128)
        assert found.weights[0, 0] == pytest.approx(2, rel=1e-13)


class TestRecovery:
    @pytest.mark.parametrize("height", [None, 37])
    def test_generated_weights(self, height: int | None) -> None:
        X, weights = RNG.normal(size=(500, 20)) + 3, RNG.normal(size=(20, 4))
        intercept = RNG.normal(size=4)
        found = fit(X, X @ weights + intercept, height=height)
        np.testing.assert_allclose(found.weights, weights, atol=1e-10)
        np.testing.assert_allclose(constants_of(found), intercept, atol=1e-10)
        np.testing.assert_allclose(found.r2, 1, atol=1e-12)
        assert found.rank == 20 and found.collinear == ()

    def test_a_square_system_is_reversed(self) -> None:
        X, weights = RNG.normal(size=(12, 12)), RNG.normal(size=(12, 3))
        found = fit(X, X @ weights, intercept=None)
        assert found.intercept is None and found.rank == 12
        np.testing.assert_allclose(found.weights, np.linalg.solve(X, X @ weights), atol=1e-10)
        np.testing.assert_allclose(found.weights, weights, atol=1e-10)

    @pytest.mark.parametrize(("n_rows", "fitted"), [(3, False), (4, False), (5, True)])
    def test_an_intercept_needs_a_row_of_its_own(self, n_rows: int, fitted: bool) -> None:
        X, y = RNG.normal(size=(n_rows, 4)), RNG.normal(size=n_rows)
        assert (fit(X, y, intercept=None).intercept is not None) is fitted

    def test_a_row_alone(self) -> None:
        found = fit([[2.0, 1.0]], [10.0], intercept=None)
        np.testing.assert_allclose(found.weights[:, 0], [4, 2])
        assert np.isnan(found.r2).all() and found.rank == 1
        asked = fit([[2.0, 1.0]], [10.0])
        assert asked.weights.tolist() == [[0.0], [0.0]] and asked.rank == 0
        assert asked.intercept is not None and asked.intercept.tolist() == [10.0]


class TestDeficient:
    def test_who_is_involved(self) -> None:
        X = RNG.normal(size=(100, 6))
        X[:, 4] = X[:, 1] - 3 * X[:, 2] + 7
        X[:, 5] = 0.1
        found = fit(X, X[:, 0] + X[:, 1], height=16)
        assert found.collinear == (1, 2, 4) and found.constant == (5,)
        assert found.rank == 4
        assert found.weights[5, 0] == 0.0

    def test_the_answer_is_the_shortest(self) -> None:
        X = RNG.normal(size=(50, 3))
        X = np.hstack([X, X[:, :1] * 1e6, X[:, 1:2] + X[:, 2:]])
        y = RNG.normal(size=50)
        found = fit(X, y, intercept=False)
        least = np.linalg.lstsq(X, y, rcond=1e-13)[0]
        np.testing.assert_allclose(found.weights[:, 0], least, rtol=1e-6, atol=1e-12)
        assert found.rank == 3

    def test_units_do_not_decide_the_rank(self) -> None:
        """Unscaled, a small column would count for nothing beside a large one."""
        X = RNG.normal(size=(50, 2)) * [1e-12, 1e12]
        found = fit(X, X @ [3e12, 2e-12])
        assert found.rank == 2
        np.testing.assert_allclose(found.weights[:, 0], [3e12, 2e-12], rtol=1e-10)

    def test_with_a_penalty_the_answer_is_one(self) -> None:
        X = RNG.normal(size=(30, 1)) * [1.0, 1.0]
        found = fit(X, X[:, 0] * 2, alpha=1e-6)
        np.testing.assert_allclose(found.weights[:, 0], [1, 1], rtol=1e-4)
        assert found.collinear == (0, 1)

    def test_standardize_counts_length_in_spreads(self) -> None:
        x = RNG.normal(size=(40, 1))
        found = fit(x * [1.0, 10.0], x[:, 0] * 2, standardize=True)
        np.testing.assert_allclose(found.weights[:, 0], [1, 0.1], rtol=1e-9)

    def test_a_constant_target(self) -> None:
        found = fit(RNG.normal(size=(20, 2)), np.full(20, 0.3))
        np.testing.assert_allclose(whole(found), [0.3, 0, 0], atol=1e-16)
        assert np.isnan(found.r2).all()

    def test_numbers_too_large_are_seen(self) -> None:
        assert not np.isfinite(fit([[1e308], [-1e308], [1.0]], [1, 2, 3]).weights).all()

    def test_numbers_whose_squares_are_too_large(self) -> None:
        X = RNG.normal(size=(50, 2)) * 1e200
        found = fit(X, X @ [2.0, 3.0])
        np.testing.assert_allclose(found.weights[:, 0], [2, 3], rtol=1e-12)
        np.testing.assert_allclose(found.r2, 1)


def cut(
    X: Floats, y: Any, names: tuple[str, ...], sizes: list[int], bad: frozenset[int]
) -> list[Segment]:
    """Cut records into chunks; some records are rejected. Chunks know only their own categories."""
    segments, start = [], 0
    for size in sizes:
        records = np.array([i for i in range(start, start + size) if i not in bad], dtype=np.int64)
        targets, found = y[records], names
        if targets.ndim == 1:
            here, targets = np.unique(targets, return_inverse=True)
            found = tuple(np.array(names)[here].tolist())
        segments.append(
            cut_rows(X[records], targets, found, records=records, start=start, stop=start + size)
        )
        start += size
    return segments


class TestStream:
    N = 3 * block_rows(5) + 100
    X = RNG.normal(size=(N, 5)) * 10.0 ** np.arange(5)
    NUMBERS = X @ RNG.normal(size=(5, 2))
    # The last category comes late, and the first not after the first block.
    CODES = np.where(np.arange(N) < 2500, RNG.integers(0, 3, N), RNG.integers(1, 4, N))
    MEMBERS = CODES[:, None] == np.arange(4)
    BAD = frozenset([0, 7, block_rows(5) - 1, 5000])

    @pytest.mark.parametrize("kind", ["numbers", "categories"])
    @pytest.mark.parametrize(
        "sizes",
        [
            [N],
            [1] * 50 + [N - 50],
            [block_rows(5)] * 3 + [100],
            [1000] * (N // 1000) + [N % 1000],
            [2047, 1, 1, 2047, N - 4096],
            [0, 100, 0, N - 100, 0],
        ],
    )
    def test_the_same_bits_for_any_chunks(self, kind: str, sizes: list[int]) -> None:
        y = self.NUMBERS if kind == "numbers" else self.CODES
        names = ("u", "v") if kind == "numbers" else ("10", "9", "x", "y")
        expected = self.total(cut(self.X, y, names, [self.N], self.BAD))
        segments = cut(self.X, y, names, sizes, self.BAD)
        for order in (self.total, self.total_from_the_right):
            found = order(segments)
            assert found.targets == expected.targets and found.n_rows == self.N - len(self.BAD)
            assert found.factor.tobytes() == expected.factor.tobytes()
            assert found.mean.tobytes() == expected.mean.tobytes()

    def total(self, segments: list[Segment]) -> Triangle:
        return self.total_of(segments, 5)

    @staticmethod
    def total_of(segments: list[Segment], n_features: int) -> Triangle:
        total = no_rows(n_features)
        for segment in segments:
            total = total + segment
            assert len(total.nodes) <= (total.stop // total.height).bit_length()
            pieces = total.parts[len(total.nodes) :]
            heights = [len(part.features) for part in pieces if isinstance(part, Piece)]
            assert sum(heights) < total.height
        found = finish(total)
        assert found is not None
        return found

    @staticmethod
    def total_from_the_right(segments: list[Segment]) -> Triangle:
        total = segments[-1]
        for segment in segments[-2::-1]:
            total = segment + total
        found = finish(no_rows(5) + total)
        assert found is not None
        return found

    def test_whoever_reduces_them(self) -> None:
        """Many small blocks in segments of any kind, joined in any order; few nodes are sent."""
        X = RNG.normal(size=(300 * block_rows(1), 1))
        sizes = RNG.multinomial(len(X), RNG.dirichlet(np.ones(40))).tolist()
        segments = cut(X, 3 * X, ("u",), sizes, frozenset())
        expected = self.total_of(segments, 1)
        while len(segments) > 1:
            i = int(RNG.integers(len(segments) - 1))
            segments[i : i + 2] = [segments[i] + segments[i + 1]]
            assert len(segments[i].nodes) <= 2 * len(bin(300))
        found = finish(segments[0])
        assert found is not None
        assert found.factor.tobytes() == expected.factor.tobytes()
        assert found.mean.tobytes() == expected.mean.tobytes()

    def test_it_is_the_answer(self) -> None:
        found = solve(
            self.total(cut(self.X, self.NUMBERS, ("u", "v"), [1000] * 6 + [244], frozenset()))
        )
        expected = LinearRegression().fit(self.X, self.NUMBERS)
        np.testing.assert_allclose(found.weights.T, expected.coef_, rtol=1e-9)

    def test_categories_that_come_late(self) -> None:
        names = ("a", "b", "c", "d")
        found = solve(self.total(cut(self.X, self.CODES, names, [1000] * 6 + [244], frozenset())))
        expected = LinearRegression().fit(self.X, self.MEMBERS.astype(float))
        assert found.targets == names
        np.testing.assert_allclose(found.weights.T, expected.coef_, rtol=1e-8, atol=1e-14)

    def test_gaps_are_refused(self) -> None:
        parts = cut(self.X, self.NUMBERS, ("u", "v"), [100, 100, self.N - 200], frozenset())
        with pytest.raises(ValueError, match="records 100 to 200 are missing"):
            parts[0] + parts[2]
        with pytest.raises(ValueError, match="does not start"):
            finish(parts[1])

    def test_no_rows(self) -> None:
        assert finish(no_rows(5)) is None
        all_bad = cut(self.X, self.NUMBERS, ("u", "v"), [self.N], frozenset(range(self.N)))
        assert finish(no_rows(5) + all_bad[0]) is None


def test_names_are_sorted_as_numbers_where_they_are() -> None:
    assert sort_names({"10", "9", "-1"}) == ("-1", "9", "10")
    assert sort_names({"10", "9", "x"}) == ("10", "9", "x")
