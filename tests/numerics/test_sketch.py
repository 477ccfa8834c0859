from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from matscore.numerics.sketch import (
    RELATIVE_WIDTH,
    Sketch,
    sketch_columns,
    sketch_nothing,
)

TINY = 1.2e-38  # what float32 holds; smaller numbers count as zero
NUMBERS = st.floats(allow_nan=True, allow_infinity=False)
COLUMNS = arrays(np.float64, st.integers(0, 60), elements=NUMBERS)
SHARES = (0.0, 0.05, 0.3, 0.5, 0.77, 0.95, 1.0)


def same(one: Sketch, other: Sketch) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("low", "high", "missing", "zero")
    ) and (
        one.quantiles(0, SHARES) == other.quantiles(0, SHARES) or not int(one.n_numbers[0])
    )  # fmt: skip


@given(COLUMNS, st.lists(st.integers(0, 60), max_size=5))
def test_however_the_rows_are_cut_the_sketch_is_the_same(
    column: np.ndarray, cuts: list[int]
) -> None:
    whole = sketch_columns([column])
    parts = [sketch_columns([part]) for part in np.split(column, sorted(cuts))]
    forward, backward = sketch_nothing(1), sketch_nothing(1)
    for part in parts:
        forward += part
    for part in reversed(parts):
        backward += part
    assert same(forward, whole) and same(backward, whole)
    assert forward.n_numbers.tolist() == whole.n_numbers.tolist()


@given(COLUMNS)
def test_counts_and_ends_are_exact(column: np.ndarray) -> None:
    sketch = sketch_columns([column])
    numbers = column[~np.isnan(column)]
    assert int(sketch.n_numbers[0]) == len(numbers)
    assert int(sketch.missing[0]) == len(column) - len(numbers)
    if len(numbers):
        assert (sketch.low[0], sketch.high[0]) == (numbers.min(), numbers.max())


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e30, 1e30)))
def test_quantiles_are_within_what_is_promised(column: np.ndarray) -> None:
    sketch = sketch_columns([column])
    ordered = np.sort(column)
    for share, found in zip(SHARES, sketch.quantiles(0, SHARES), strict=True):
        exact = ordered[min(int(share * len(column)), len(column) - 1)]
        if share == 0:
            exact = ordered[0]
        elif share == 1:
            exact = ordered[-1]
        assert abs(found - exact) <= abs(exact) * RELATIVE_WIDTH * 1.001 + TINY, share


@given(
    arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6)), st.integers(1, 30)
)  # fmt: skip
def test_histograms_hold_every_number_once(column: np.ndarray, n_bars: int) -> None:
    sketch = sketch_columns([column])
    low, high = float(column.min()), float(column.max())
    edges = np.linspace(low, high + (high == low), n_bars + 1)
    counts = sketch.histogram(0, edges)
    assert (counts >= 0).all()
    assert counts.sum() == pytest.approx(len(column))


def test_a_histogram_is_near_the_exact_one() -> None:
    column = np.random.default_rng(0).normal(3, 2, size=20_000)
    edges = np.linspace(column.min(), column.max(), 25)
    exact, _ = np.histogram(column, edges)
    found = sketch_columns([column]).histogram(0, edges)
    assert np.abs(found - exact).max() < 0.02 * exact.max()


def test_small_whole_numbers_are_exact() -> None:
    column = np.arange(-100.0, 101.0)
    assert sketch_columns([column]).quantiles(0, (0.25, 0.5, 0.75)) == [-50, 0, 50]


def test_columns_are_apart() -> None:
    sketch = sketch_columns([np.array([1.0, 2.0]), np.array([-1e300, np.nan]), np.zeros(2)])
    assert sketch.n_numbers.tolist() == [2, 1, 2]
    assert sketch.zero.tolist() == [0, 0, 2]
    assert sketch.quantiles(1, (0.5,)) == [-1e300]
    assert math.isnan(sketch_nothing(1).quantiles(0, (0.5,))[0])


def test_memory_does_not_grow_with_what_is_added() -> None:
    rng = np.random.default_rng(0)
    total = sketch_nothing(1)
    for _ in range(200):
        signs = rng.choice([-1.0, 1.0], size=500)
        total += sketch_columns([signs * 10.0 ** rng.uniform(-300, 300, size=500)])
    assert int(total.n_numbers[0]) == 100_000
    assert total.bins.nbytes <= 2 * 8 * 2**14
