"""The blocked product: the same bits everywhere, and within the bound of exact arithmetic."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

import matscore
from matscore.product import (
    Floats,
    block_features,
    block_height,
    error_bound,
    multiply_blocks,
    rounding_unit,
    tile_weights,
)

# Around the tiles, the panels and the heights of the product, and where BLAS changes its mind.
SHAPES = [
    *((n, c) for n in (1, 2, 3, 8, 31, 64, 65, 129, 257, 300) for c in (1, 2, 3, 8, 9, 10)),
    *((n, c) for n in (17, 100, 256, 513) for c in (1, 5, 33, 129)),
    *((5000, 3), (20_000, 10), (140_000, 2)),
]
ROOT = Path(__file__).parents[1]
any_float = st.floats(allow_nan=False, allow_infinity=False)
# Sums of tenths round and cancel; the others reach the ends of what a float64 can hold.
number = st.integers(-60, 60).map(lambda n: n / 10) | st.floats(-1e3, 1e3) | any_float


def score(X: Floats, W: Floats, n_threads: int = 1) -> Floats:
    """Return the scores of rows, shape (n_categories, n_rows)."""
    blocks = block_features(list(np.ascontiguousarray(X.T)), len(X))
    with threadpool_limits(n_threads):
        return multiply_blocks(blocks, W)[:, : len(X)]


def make(n_features: int, n_categories: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(n_features + n_categories)
    n_rows = 300 if n_features < 10_000 else 12
    X = rng.normal(size=(n_rows, n_features)) * 10.0 ** rng.integers(-3, 3, n_features)
    return X, rng.normal(size=(n_features, n_categories))


def find_moved_bits(n_features: int, n_categories: int) -> list[str]:
    """Say what changes a bit of any score."""
    X, W = make(n_features, n_categories)
    scores = score(X, W)
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(len(X)), rng.permutation(n_categories)
    ways = {f"{n} threads": (scores, score(X, W, n)) for n in (2, 3, 8)}
    for start, stop in ((0, 1), (1, None), (7, 8), (17, 290), (255, 257)):
        ways[f"rows {start}:{stop}"] = scores[:, start:stop], score(X[start:stop], W, 2)
    ways["other rows"] = scores[:, :10], score(np.vstack([X[:10], 1e9 * X[10:]]), W)[:, :10]
    ways["permuted rows"] = scores[:, rows], score(X[rows], W)
    ways["permuted categories"] = scores[columns], score(X, W[:, columns])
    ways["a category alone"] = scores[-1:], score(X, W[:, -1:])
    ways["reused memory"] = scores, score(np.asfortranarray(X), np.asfortranarray(W))
    return [way for way, (one, other) in ways.items() if one.tobytes() != other.tobytes()]


@pytest.mark.parametrize(("n_features", "n_categories"), SHAPES)
def test_same_bits_wherever_a_row_or_category_stands(n_features: int, n_categories: int) -> None:
    assert find_moved_bits(n_features, n_categories) == []


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="kernels of x86")
@pytest.mark.parametrize("core", ["Nehalem", "Prescott"])
def test_same_bits_with_other_kernels(core: str) -> None:
    """OpenBLAS reads the name; these two run anywhere and, like AVX2's, mind the edges of tiles."""
    code = (
        "from tests.test_product import SHAPES, find_moved_bits\n"
        "moved = {shape: found for shape in SHAPES[::4] if (found := find_moved_bits(*shape))}\n"
        "assert not moved, moved"
    )
    source = str(Path(matscore.__file__).parents[1])
    variables = {"OPENBLAS_CORETYPE": core, "OPENBLAS_NUM_THREADS": "8", "PYTHONPATH": source}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=os.environ | variables)


def exact_terms(X: Floats, W: Floats, intercept: Floats) -> list[list[list[Fraction]]]:
    """Return the exact terms of each score, by category and row; X is (n_features, n_rows)."""
    rows, columns = X.T.tolist(), W.T.tolist()
    return [
        [
            [*(Fraction(x) * Fraction(w) for x, w in zip(row, column, strict=True)), Fraction(b)]
            for row in rows
        ]
        for column, b in zip(columns, intercept.tolist(), strict=True)
    ]


@given(st.data())
def test_scores_are_within_the_bound_of_exact_arithmetic(data: st.DataObject) -> None:
    n_features, n_categories, n_rows = (data.draw(st.integers(1, n)) for n in (12, 3, 3))

    def draw(*shape: int) -> Floats:
        size = math.prod(shape)
        return np.reshape(data.draw(st.lists(number, min_size=size, max_size=size)), shape)

    X, W = draw(n_features, n_rows), draw(n_features, n_categories)
    intercept = draw(n_categories)
    scores = multiply_blocks(block_features(list(X), n_rows), W, intercept)[:, :n_rows]
    assume(np.isfinite(scores).all())
    bounds = error_bound(X, W, intercept)
    exact = exact_terms(X, W, intercept)
    for k, i in np.ndindex(n_categories, n_rows):
        bound = Fraction(float(bounds[k, i]))
        assert abs(Fraction(float(scores[k, i])) - sum(exact[k][i])) <= bound
        size = sum(map(abs, exact[k][i])) * Fraction(rounding_unit(n_features))
        assert bound <= size * Fraction(1 + 1e-12) + 2 * n_features * Fraction(5e-324)


def test_bound_of_terms_whose_sum_overflows() -> None:
    X, W = np.array([[1e308], [1e308]]), np.array([[1.0, 1.0], [-1.0, -0.5]])
    unit = rounding_unit(2) * 1e308
    np.testing.assert_allclose(error_bound(X, W)[:, 0], [2 * unit, 1.5 * unit])
    bounds = error_bound(X, W, np.array([1e308, 0.0]))
    np.testing.assert_allclose(bounds[:, 0], [3 * unit, 1.5 * unit])


def test_bound_of_terms_that_underflow() -> None:
    X, W = np.array([[1e-200]]), np.array([[1e-200, 0.0]])
    assert multiply_blocks(block_features(list(X), 1), W)[:, 0].tolist() == [0.0, 0.0]
    assert error_bound(X, W)[0, 0] > 0.0


def test_bound_does_not_depend_on_other_rows() -> None:
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(5, 20)) * 1e20, rng.normal(size=(5, 3)) * [1.0, 1e-307, 1.0]
    bounds = error_bound(X, W)
    X[:, 3] = 1.7e308
    same = np.arange(20) != 3
    assert error_bound(X, W)[:, same].tobytes() == bounds[:, same].tobytes()
    assert np.isfinite(error_bound(X, W)).all()


def test_nan_stays_in_its_row() -> None:
    X, W = make(100, 3)
    scores = score(X, W)
    X[5, 7] = X[299, 99] = np.nan
    holed = score(X, W)
    assert np.isnan(holed[:, [5, 299]]).all()
    rest = [i for i in range(300) if i not in (5, 299)]
    assert holed[:, rest].tobytes() == scores[:, rest].tobytes()
    assert np.flatnonzero(np.isnan(error_bound(X.T, W)).all(axis=0)).tolist() == [5, 299]


@pytest.mark.parametrize("n_rows", [0, 1, 255, 256, 257, 512])
def test_blocks_are_padded_with_zeros(n_rows: int) -> None:
    columns = [np.arange(1.0, n_rows + 1), -np.arange(1.0, n_rows + 1)]
    blocks = block_features(columns, n_rows)
    assert blocks.shape == (-(-n_rows // 256), 2, 256)
    for j, column in enumerate(columns):
        held = blocks[:, j].reshape(-1)
        assert held[:n_rows].tolist() == column.tolist()
        assert not held[n_rows:].any()
    assert multiply_blocks(blocks, np.ones((2, 1))).shape == (1, blocks.shape[0] * 256)


def test_columns_need_not_be_contiguous() -> None:
    table = np.random.default_rng(0).normal(size=(300, 5))
    blocks = block_features(list(table.T), 300)
    assert blocks.tobytes() == block_features(list(table.T.copy()), 300).tobytes()


@given(st.integers(1, 10**7))
def test_block_height_is_a_power_of_two(n_features: int) -> None:
    height = block_height(n_features)
    assert height in (8, 16, 32, 64, 128, 256)
    assert height * n_features <= 2**20 or height == 8
    assert height == 256 or 2 * height * n_features > 2**20


def test_intercept_is_added_once() -> None:
    X, W = make(8, 3)
    blocks = block_features(list(X.T), 300)
    intercept = np.array([1.0, -2.0, 1e6])
    plain = multiply_blocks(blocks, W)
    assert (multiply_blocks(blocks, W, intercept) == plain + intercept[:, None]).all()


@pytest.mark.parametrize(("n_features", "n_categories"), [(8, 3), (65, 129), (140_000, 2)])
@pytest.mark.parametrize("n_rows", [0, 1, 12])
def test_only_the_rows_wanted(n_features: int, n_categories: int, n_rows: int) -> None:
    X, W = make(n_features, n_categories)
    intercept = W[0] + 1.0
    blocks = block_features(list(X[:12].T), 12)
    whole = multiply_blocks(blocks, W, intercept)
    scores = multiply_blocks(blocks, tile_weights(W), intercept, n_rows)
    assert scores.shape == (n_categories, n_rows)
    assert scores.tobytes() == whole[:, :n_rows].tobytes()


@pytest.mark.parametrize(("n_rows", "n_categories"), [(0, 3), (300, 0), (0, 0)])
def test_nothing_to_multiply(n_rows: int, n_categories: int) -> None:
    blocks = block_features([np.ones(n_rows)] * 2, n_rows)
    scores = multiply_blocks(blocks, np.ones((2, n_categories)), np.ones(n_categories), n_rows)
    assert scores.shape == (n_categories, n_rows)


def test_overflow_is_silent() -> None:
    blocks = block_features([np.array([1e308, 1.0]), np.array([1e308, 1.0])], 2)
    scores = multiply_blocks(blocks, np.array([[10.0, 10.0], [10.0, -10.0]]))
    assert not np.isfinite(scores[:, 0]).any()
    assert scores[:, 1].tolist() == [20.0, 0.0]
