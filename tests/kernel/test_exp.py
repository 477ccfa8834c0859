"""The exponential function and probabilities: within an ulp, and the same bits everywhere."""

from __future__ import annotations

import math
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
import pytest

from matscore import _kernel as kernel
from matscore.model import softmax
from tests.kernel.exact import Floats

SETS = kernel.instruction_sets()
DIGITS = Context(prec=60, Emin=-9999, Emax=9999)


def take_exp(values: Floats | list[float]) -> list[float]:
    """Return powers by each instruction set, which must give the same."""
    found = []
    for name in SETS[::-1]:
        kernel.use(name)
        found.append(kernel.exp(np.array(values)))
    assert all(each.tobytes() == found[0].tobytes() for each in found)
    return [float(power) for power in found[0]]


def draw_numbers(kind: str) -> Floats:
    """Make numbers of one of many kinds."""
    rng = np.random.default_rng(3)
    turns = (rng.integers(-1074, 1023, 2000) + 0.5) * math.log(2)  # of the reduction
    kinds = {
        "unit": rng.uniform(-1, 1, 4000),
        "wide": rng.uniform(-745.2, 709.8, 4000),
        "tiny": rng.normal(size=1000) * 10.0 ** rng.integers(-320, -5, 1000),
        "turns": np.concatenate([np.nextafter(turns, -1e9), turns, np.nextafter(turns, 1e9)]),
        "subnormal": rng.uniform(-745.2, -708, 2000),
    }
    return kinds[kind]


@pytest.mark.parametrize("kind", ["unit", "wide", "tiny", "turns", "subnormal"])
def test_error_is_below_an_ulp(kind: str) -> None:
    values = draw_numbers(kind)
    for x, power in zip(values.tolist(), take_exp(values), strict=True):
        exact = Fraction(DIGITS.exp(Decimal(x)))
        assert abs(Fraction(power) - exact) < Fraction(math.ulp(power))


def test_is_exact_and_ends_where_it_should() -> None:
    assert take_exp([0.0, -0.0, 5e-324, -746.0, -1e308, -math.inf]) == [1, 1, 1, 0, 0, 0]
    assert take_exp([709.8, 1e308, math.inf]) == [math.inf] * 3
    assert math.isnan(take_exp([math.nan])[0])
    assert take_exp([-745.13, 709.78]) == pytest.approx([5e-324, 1.7928e308], rel=1e-4)


def test_never_falls() -> None:
    """Neighbours do not, also where the reduction turns, nor what is far apart."""
    turns = np.arange(-30, 30) * math.log(2) / 2
    for start in [*turns, -700.0, -1.0, 0.0, 500.0]:
        step = max(abs(np.spacing(start)), 1e-17)
        assert (np.diff(take_exp(start + np.arange(-500, 500) * step)) >= 0).all()
    assert (np.diff(take_exp(np.linspace(-746, 709, 10_001))) >= 0).all()


@pytest.mark.parametrize("n_categories", [1, 2, 9])
def test_probabilities_by_their_definition(n_categories: int) -> None:
    scores = np.random.default_rng(0).normal(size=(n_categories, 531)) * 20
    found = softmax(scores)
    for row in range(0, 531, 7):
        column = scores[:, row]
        if n_categories == 1:
            power = take_exp([-abs(column[0])])[0]
            expected = [(1.0 if column[0] >= 0 else power) / (1.0 + power)]
        else:
            powers = take_exp(column - column.max())
            total = 0.0
            for power in powers:  # in the categories' order
                total += power
            expected = [power / total for power in powers]
        assert found[:, row].tolist() == expected
