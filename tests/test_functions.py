"""Functions of terms: correctly rounded, told by 60 digits; powers by exact fractions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from matscore.functions import FUNCTIONS, power
from matscore.terms import MAX_EXPONENT
from tests.kernel.exact import Floats, round_once

DIGITS = Context(prec=60, Emin=MIN_EMIN, Emax=MAX_EMAX)
WIDE = Context(prec=2000)
ORACLES: dict[str, Callable[[Decimal], Decimal]] = {
    "exp": DIGITS.exp,
    "log": DIGITS.ln,
    "log1p": lambda x: DIGITS.ln(WIDE.add(x, Decimal(1))),
    "log2": lambda x: DIGITS.divide(DIGITS.ln(x), DIGITS.ln(Decimal(2))),
    "log10": DIGITS.log10,
    "sqrt": DIGITS.sqrt,
    "abs": DIGITS.abs,
}
LOWEST = {"log": 0.0, "log2": 0.0, "log10": 0.0, "log1p": -1.0, "sqrt": -5e-324}  # have no value
EPS = 2.0**-52
# Among the hardest numbers: log of the first is within 2^-65 of a unit of a float64, exp of the
# others within 2^-59 and 2^-55 of halfway between two (Lefèvre and Muller, "Worst cases for correct
# rounding of the elementary functions in double precision", 2001).
HARD = [
    float.fromhex(text)
    for text in ["0x1.62a88613629b6p+678", "0x1.9e9cbbfd6080bp-31", "0x1.aca7ae8da5a7bp+0"]
]


def draw_numbers(name: str, n: int) -> Floats:
    """Make numbers of all magnitudes within what the function takes."""
    rng = np.random.default_rng([7, *name.encode()])
    signs = rng.choice([-1.0, 1.0], n)
    near = 1.0 + rng.integers(-200, 201, n) * EPS / 2
    if name == "exp":
        spread = signs * np.ldexp(rng.random(n), rng.integers(-60, 11, n))
        kinds = [spread, rng.uniform(-708, 709, n), rng.normal(size=n), signs * (near - 1.0)]
    else:
        spread = np.ldexp(rng.uniform(1, 2, n), rng.integers(-1022, 1024, n))
        usual = np.ldexp(rng.uniform(1, 2, n), rng.integers(-12, 24, n))
        kinds = [
            spread,
            usual,
            near,
            1.0 + rng.uniform(-0.05, 0.05, n),
            np.round(usual * 100) / 100,
        ]
        if name == "log1p":
            kinds += [signs * np.ldexp(rng.random(n), rng.integers(-80, 1, n)), near - 1.0]
    values = np.concatenate([np.array_split(kind, len(kinds))[0] for kind in kinds])
    special = [5e-324, 2.0**-1022, 2.0**-1022 - 5e-324, 2.0**-54, 2.0**-53, EPS, 1.0, 10.0, 1e300]
    added = np.array([*special, *HARD, *range(2, 20), 1.7976931348623157e308])
    if name in {"exp", "log1p", "abs"}:
        added = np.concatenate([added, -added, [-0.0, 0.0, -745.13, -745.14, 709.78, -720.5]])
    return np.concatenate([values, added])


def round_value(name: str, x: float) -> float:
    """Return the float64 nearest to the function's value, or NaN where there is none."""
    if name == "exp" and abs(x) > 800:
        return 0.0 if x < 0 else math.inf
    return math.nan if x <= LOWEST.get(name, -math.inf) else float(ORACLES[name](Decimal(x)))


def count_misrounded(name: str, values: Floats) -> int:
    """Compare with 60 digits."""
    expected = np.array([round_value(name, x) for x in values.tolist()])
    found = FUNCTIONS[name](values)
    assert found.dtype == np.float64
    return int((found != expected)[~(np.isnan(found) & np.isnan(expected))].sum())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_correctly_rounded(name: str) -> None:
    assert count_misrounded(name, draw_numbers(name, 4_000)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_many_values_are_correctly_rounded(name: str) -> None:
    values = draw_numbers(name, 200_000)
    assert len(values) > 100_000
    assert count_misrounded(name, values) == 0


@pytest.mark.parametrize(
    "exponent", [n for n in (*range(-7, 8), 13, -20, 31, MAX_EXPONENT, -MAX_EXPONENT) if n]
)
def test_powers_are_exact_ones_rounded_once(exponent: int) -> None:
    rng = np.random.default_rng(exponent + 100)
    n = 400
    scale = 1000 // max(abs(exponent), 1) + 20  # some overflow, and some are subnormal or 0
    values = np.concatenate(
        [
            rng.normal(size=n) * 100,
            np.round(rng.normal(size=n) * 1e4) / 100,
            np.ldexp(rng.uniform(-2, 2, n), rng.integers(-scale, scale + 1, n)),
            rng.integers(-(2**19), 2**19, n).astype(np.float64),  # cubes of 54 bits: halfway
            1.0 + rng.integers(-9, 10, n) * EPS,
            [5e-324, -5e-324, 1e308, 2.0**-1022, *HARD],
        ]
    )
    values = values[values != 0]
    expected = [round_once(Fraction(x) ** exponent) for x in values.tolist()]
    np.testing.assert_array_equal(power(values, exponent), expected)


def test_halfway_cubes_go_to_the_even_neighbour() -> None:
    cubes = np.arange(185_365, 208_063, 2, dtype=np.float64)  # odd cubes of 53 bits, and of 54
    np.testing.assert_array_equal(power(cubes, 3), [float(int(x) ** 3) for x in cubes])


def test_whole_logarithms_are_exact() -> None:
    exponents = np.arange(-1074, 1024)
    np.testing.assert_array_equal(FUNCTIONS["log2"](np.ldexp(1.0, exponents)), exponents)
    tens = np.array([float(10**n) for n in range(23)])
    np.testing.assert_array_equal(FUNCTIONS["log10"](tens), np.arange(23))
    assert FUNCTIONS["log10"](np.array([1000.0])).tolist() == [3.0]


def test_what_is_not_defined_is_nan_and_what_overflows_infinite() -> None:
    none = {
        "log": [0.0, -0.0, -1.0, -5e-324, -math.inf],
        "log1p": [-1.0, -2.0, -math.inf],
        "sqrt": [-5e-324, -1.0],
    }
    none |= {"log2": none["log"], "log10": none["log"]}
    for name, function in FUNCTIONS.items():
        assert np.isnan(function(np.array([math.nan, *none.get(name, [])]))).all()
        assert function(np.array([math.inf])).tolist() == [math.inf]
        assert function(np.array([])).tolist() == []
    assert FUNCTIONS["exp"](np.array([710.0, 1e308, -746.0, -math.inf])).tolist() == [
        math.inf,
        math.inf,
        0.0,
        0.0,
    ]
    for exponent in (1, 2, 3, -1, -2, -3):
        assert np.isnan(power(np.array([math.nan]), exponent)).all()
        zero = power(np.array([0.0, -0.0]), exponent)
        assert np.isnan(zero).all() if exponent < 0 else (zero == 0.0**exponent).all()
    assert power(np.array([1e200, -1e200, 1e-200]), 3).tolist() == [math.inf, -math.inf, 0.0]


def test_values_do_not_depend_on_what_stands_beside_them() -> None:
    """Nor on the shape, the strides and the number of values."""
    values = draw_numbers("log1p", 9_000)
    functions: list[Callable[[Floats], Floats]] = [partial(power, exponent=n) for n in (5, -2)]
    functions += FUNCTIONS.values()
    for function in functions:
        whole = function(values)
        assert whole.shape == values.shape
        assert function(values[::-1])[::-1].tobytes() == whole.tobytes()
        assert function(values[:9000].reshape(90, 100).T).T.tobytes() == whole[:9000].tobytes()
        assert b"".join(function(values[i : i + 1]).tobytes() for i in range(50)) == (
            whole[:50].tobytes()
        )


def test_bits_are_the_same_on_every_machine() -> None:
    """One checksum, of inputs that are made of whole numbers."""
    steps: Floats = np.arange(-50_000.0, 50_001.0) * 0.0137
    with np.errstate(all="ignore"):
        results = [function(steps) for function in FUNCTIONS.values()]
        results += [power(steps, exponent) for exponent in (3, -1, 7, -5)]
    digest = hashlib.sha256()
    for result in results:
        digest.update(np.where(np.isnan(result), math.inf, result).astype("<f8").tobytes())
    assert digest.hexdigest()[:16] == "e5bd6fa5785680eb"
