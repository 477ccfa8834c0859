"""Scores are what their definition says, to the bit, wherever they are computed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore import _kernel as kernel
from matscore.kernel import PackedWeights
from tests.kernel import exact
from tests.kernel.exact import Floats
from tests.kernel.linear import error_bound, multiply

SETS = kernel.instruction_sets()
any_float = st.floats(allow_nan=False, allow_infinity=False)
number = st.integers(-60, 60).map(lambda n: n / 10) | st.floats(-1e3, 1e3) | any_float


@pytest.fixture(params=SETS)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Compute with each of the processor's instruction sets."""
    kernel.use(request.param)
    yield request.param
    kernel.use(SETS[0])


def draw_values(rng: np.random.Generator, kind: str, *shape: int) -> Floats:
    """Make numbers of one of many kinds."""
    plain: Floats = rng.normal(size=shape)
    kinds: dict[str, Floats] = {
        "plain": plain,
        "tenths": np.asarray(rng.integers(-30, 30, shape), float) / 10,
        "huge": plain * 1e154,
        "tiny": plain * 1e-160,
        "subnormal": plain * 1e-310,
        "ragged": plain * 10.0 ** rng.integers(-150, 150, shape),
        "holes": plain * rng.integers(0, 2, shape),
    }
    return kinds[kind]


KINDS = ("plain", "tenths", "huge", "tiny", "subnormal", "ragged", "holes")


def make(n_features: int, n_categories: int, n_rows: int) -> tuple[Floats, Floats, Floats]:
    """Make features, weights and an intercept."""
    rng = np.random.default_rng([n_features, n_categories, n_rows])
    X = rng.normal(size=(n_features, n_rows)) * 10.0 ** rng.integers(-3, 3, (n_features, 1))
    W = rng.normal(size=(n_features, n_categories))
    return X, W, rng.normal(size=n_categories)


class TestDefinition:
    @pytest.mark.parametrize("weights", KINDS)
    @pytest.mark.parametrize("features", KINDS)
    def test_chains_of_exact_fractions(
        self, instruction_set: str, features: str, weights: str
    ) -> None:
        rng = np.random.default_rng([len(features), len(weights)])
        X = draw_values(rng, features, 7, 9)
        W = draw_values(rng, weights, 7, 2)
        np.testing.assert_array_equal(multiply(X, W), exact.multiply(X, W))
        intercept = draw_values(rng, weights, 2)
        found = multiply(X, W, intercept)
        np.testing.assert_array_equal(found, exact.multiply(X, W, intercept))

    @given(st.data())
    def test_any_numbers(self, data: st.DataObject) -> None:
        n_features, n_categories, n_rows = (data.draw(st.integers(1, n)) for n in (6, 3, 3))

        def draw(*shape: int) -> Floats:
            size = int(np.prod(shape))
            return np.reshape(data.draw(st.lists(number, min_size=size, max_size=size)), shape)

        X, W, b = draw(n_features, n_rows), draw(n_features, n_categories), draw(n_categories)
        np.testing.assert_array_equal(multiply(X, W, b), exact.multiply(X, W, b))

    def test_terms_that_cancel(self, instruction_set: str) -> None:
        """An fma keeps what a product's rounding would lose: here, all there is."""
        x = 1.0 + 2.0**-30
        X, W = np.full((2, 30), x), np.array([[-1.0], [x]])
        X[0] = x * x
        assert multiply(X, W).tolist() == [[2.0**-60] * 30]

    @pytest.mark.parametrize("n_rows", [1, 5, 30])
    def test_each_shape_of_block(self, instruction_set: str, n_rows: int) -> None:
        """A chain that is cut at the end of a panel goes on as if it were not."""
        for n_features, n_categories in ((65, 3), (129, 2), (257, 9), (520, 10)):
            X, W, b = make(n_features, n_categories, n_rows)
            rows = [0, n_rows - 1]
            found = multiply(X, W, b)[:, rows]
            assert found.tolist() == exact.multiply(X[:, rows], W, b).tolist()

    def test_no_features_and_no_rows(self) -> None:
        b = np.array([1.5, -0.0])
        found = multiply(np.empty((0, 2)), np.empty((0, 2)), b)
        assert found.tolist() == [[1.5, 1.5], [0.0, 0.0]]
        assert multiply(np.empty((3, 0)), np.ones((3, 2))).shape == (2, 0)

    def test_shapes_that_do_not_fit(self) -> None:
        with pytest.raises(ValueError, match="number of features"):
            multiply(np.ones((2, 3)), np.ones((3, 2)))
        with pytest.raises(ValueError, match="intercept"):
            multiply(np.ones((2, 3)), np.ones((2, 2)), np.ones(3))

    def test_a_view_is_as_good(self) -> None:
        X, W, b = make(5, 4, 50)
        found = multiply(np.asfortranarray(X), np.asfortranarray(W), b)
        assert found.tobytes() == multiply(X, W, b).tobytes()


class TestSameBits:
    @pytest.mark.parametrize("n_features", [1, 8, 70])
    def test_every_edge(self, instruction_set: str, n_features: int) -> None:
        """A score depends on its row and category alone."""
        X, W, b = make(n_features, 41, 270)
        kernel.use(SETS[-1])
        whole = multiply(X, W, b)
        kernel.use(instruction_set)
        for n_rows in [*range(1, 18), *range(23, 26), 48, 241, 270]:
            start = (270 - n_rows) // 2
            some = np.ascontiguousarray(X[:, start : start + n_rows])
            for n_categories in [*range(1, 18), 41] if n_rows < 9 or n_rows == 25 else [3, 8, 41]:
                found = multiply(some, W[:, :n_categories], b[:n_categories])
                part = whole[:n_categories, start : start + n_rows]
                assert found.tobytes() == part.tobytes()

    @pytest.mark.parametrize(("n_features", "n_categories"), [(8, 3), (130, 20), (1000, 10)])
    def test_order_and_threads(self, n_features: int, n_categories: int) -> None:
        X, W, b = make(n_features, n_categories, 500)
        whole = multiply(X, W, b)
        rng = np.random.default_rng(0)
        rows, columns = rng.permutation(500), rng.permutation(n_categories)
        found = multiply(X[:, rows].copy(), W[:, columns].copy(), b[columns])
        assert found.tobytes() == whole[np.ix_(columns, rows)].tobytes()
        model = PackedWeights(W, b)
        with ThreadPoolExecutor(4) as pool:
            for again in pool.map(lambda _: model.score(X)[0], range(8)):
                assert again.tobytes() == whole.tobytes()

    def test_other_rows_do_not_matter(self) -> None:
        X, W, b = make(20, 9, 100)
        whole = multiply(X, W, b)
        X[:, 3], X[5, 99] = 1e300, np.nan
        found = multiply(X, W, b)
        rest = [i for i in range(100) if i not in (3, 99)]
        assert found[:, rest].tobytes() == whole[:, rest].tobytes()
        assert np.isnan(found[:, 99]).all()


class TestZeros:
    """A feature of value 0 changes nothing: sparse and dense rows give the same bits."""

    @given(st.data())
    def test_zeros_may_be_left_out(self, data: st.DataObject) -> None:
        n_features = data.draw(st.integers(1, 8))
        tiny = st.sampled_from([5e-324, -5e-324, 1e-200, -1e-200, 0.0, -0.0])
        values = st.lists(number | tiny, min_size=n_features, max_size=n_features)
        x, w = np.array(data.draw(values)), np.array(data.draw(values))
        b = np.array([data.draw(number | tiny)])
        zero = np.array(
            data.draw(st.lists(st.booleans(), min_size=n_features, max_size=n_features))
        )
        x[zero] = data.draw(st.sampled_from([0.0, -0.0]))
        dense = multiply(x[:, None], w[:, None], b)
        kept = x[~zero][:, None], w[~zero][:, None]
        assert multiply(*kept, b).tobytes() == dense.tobytes()
        assert multiply(*kept).tobytes() == multiply(x[:, None], w[:, None]).tobytes()

    @pytest.mark.parametrize("n_rows", [1, 3, 40])
    @pytest.mark.parametrize("n_categories", [1, 9, 20])
    def test_no_score_is_minus_zero(
        self, instruction_set: str, n_rows: int, n_categories: int
    ) -> None:
        X = np.full((1, n_rows), -1e-200)
        W = np.full((1, n_categories), 1e-200)
        for b in (None, np.full(n_categories, -0.0)):
            scores = multiply(X, W, b)
            assert not scores.any() and not np.signbit(scores).any()


class TestOverflow:
    def test_is_infinite_or_nan(self, instruction_set: str) -> None:
        X, W = np.array([[1e308, 1.0], [1e308, 1.0]]), np.array([[10.0, 10.0], [10.0, -10.0]])
        scores = multiply(X, W)
        assert not np.isfinite(scores[:, 0]).any()
        assert scores[:, 1].tolist() == [20.0, 0.0]

    def test_a_product_alone_does_not(self) -> None:
        """Its sum with what is there is rounded once, and there is room for that."""
        X, W = np.array([[-1e308], [1e308]]), np.array([[1.0], [2.5]])
        assert multiply(X, W).tolist() == [[1.5e308]]


class TestErrorBound:
    @given(st.data())
    def test_holds(self, data: st.DataObject) -> None:
        n_features, n_categories, n_rows = (data.draw(st.integers(1, n)) for n in (12, 3, 3))

        def draw(*shape: int) -> Floats:
            size = int(np.prod(shape))
            return np.reshape(data.draw(st.lists(number, min_size=size, max_size=size)), shape)

        X, W, b = draw(n_features, n_rows), draw(n_features, n_categories), draw(n_categories)
        scores, bounds = multiply(X, W, b), error_bound(X, W, b)
        for c, row in np.argwhere(np.isfinite(scores)).tolist():
            pairs = zip(X[:, row].tolist(), W[:, c].tolist(), strict=True)
            terms = [*(Fraction(x) * Fraction(w) for x, w in pairs), Fraction(float(b[c]))]
            bound = Fraction(float(bounds[c, row]))
            assert abs(Fraction(float(scores[c, row])) - sum(terms)) <= bound
            size = sum(map(abs, terms)) * Fraction(kernel.rounding_unit(n_features))
            assert bound <= size * Fraction(1 + 1e-12) + 2 * n_features * Fraction(5e-324)

    def test_of_terms_whose_sum_overflows(self) -> None:
        X, W = np.array([[1e308], [1e308]]), np.array([[1.0, 1.0], [-1.0, -0.5]])
        unit = kernel.rounding_unit(2) * 1e308
        np.testing.assert_allclose(error_bound(X, W)[:, 0], [2 * unit, 1.5 * unit])
        bounds = error_bound(X, W, np.array([1e308, 0.0]))
        np.testing.assert_allclose(bounds[:, 0], [3 * unit, 1.5 * unit])

    def test_of_terms_that_underflow(self) -> None:
        assert error_bound(np.array([[1e-200]]), np.array([[1e-200, 0.0]]))[0, 0] > 0.0

    def test_does_not_depend_on_other_rows(self, instruction_set: str) -> None:
        rng = np.random.default_rng(0)
        X, W = rng.normal(size=(5, 20)) * 1e20, rng.normal(size=(5, 3)) * [1.0, 1e-307, 1.0]
        bounds = error_bound(X, W)
        X[:, 3] = 1.7e308
        same = np.arange(20) != 3
        assert error_bound(X, W)[:, same].tobytes() == bounds[:, same].tobytes()
        assert np.isfinite(error_bound(X, W)).all()


def test_an_instruction_set_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="no 6502"):
        kernel.use("6502")
