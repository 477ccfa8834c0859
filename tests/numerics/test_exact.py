from __future__ import annotations

import math
import sys
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matscore.numerics.exact import exact_total, round_total

numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30)


@given(numbers)
def test_the_sum_is_the_exact_one(values: list[float]) -> None:
    total = exact_total(np.array(values, dtype=np.float64))
    assert Fraction(total, 2**1074) == sum(map(Fraction, values))


@given(numbers, st.integers(0, 30), st.integers(1, 9))
def test_parts_add_up(values: list[float], cut: int, divisor: int) -> None:
    array = np.array(values, dtype=np.float64)
    parts = exact_total(array[:cut]) + exact_total(array[cut:])
    assert parts == exact_total(array)
    exact = sum(map(Fraction, values), start=Fraction(0)) / divisor
    if abs(exact) < sys.float_info.max:
        assert round_total(parts, divisor) == float(exact)


def test_extremes() -> None:
    assert round_total(exact_total(np.array([5e-324, 5e-324]))) == 1e-323
    largest = exact_total(np.full(2, sys.float_info.max))
    assert round_total(largest) == math.inf
    assert round_total(-largest) == -math.inf
    assert round_total(largest, 2) == sys.float_info.max
    assert math.isnan(round_total(0, 0))


def test_many() -> None:
    values = np.random.default_rng(0).lognormal(0, 20, 10_000)
    assert round_total(exact_total(values)) == math.fsum(values)
