"""Functions of terms, correctly rounded: the float64 nearest to the true value, on every machine.

NumPy's own log and exp differ between processors and those of libm between systems. Here they are
made of + - * / and comparisons, which IEEE 754 rounds alike everywhere: each value as an
unevaluated sum hi + lo whose relative error is below `_BOUND`. Where that leaves two numbers to
choose from (about one value in 3,000) the standard library's Decimal decides, with as many digits
as it takes (Ziv, "Fast evaluation of elementary mathematical functions with correctly rounded last
bit", ACM TOMS 17, 1991). What is not defined is NaN, what is too large infinite.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.kernel import Floats

# Relative error of hi + lo at most; the errors are added up where each pair is made.
_BOUND = 2.0**-65
_BLOCK = 8192  # values at a time: all of a step fits into the cache of a processor
_STEPS = 64  # of the table of exp: powers of 2^(1/64)
_FIRST, _LAST = 88, 176  # 128ths that a mantissa of log is near
_OFFSET = 0x3FE6 << 48  # bits of 11/16: mantissas of log are from there to twice of it

Pair: TypeAlias = tuple[Floats, Floats]
Exact: TypeAlias = Callable[[Decimal, decimal.Context], Decimal]


class _Tables(NamedTuple):
    """Constants, each in parts whose first has few bits, so that products with it are exact."""

    powers: Pair  # 2^(j/64), (64,): 26 bits, and the rest
    step: tuple[float, float, float]  # ln 2 / 64: 36 bits, 36 more, and the rest
    inverses: Floats  # near 128 / j, 9 binary places; exactly 1 where j is 128
    logs: Pair  # minus the logarithms of these: 42 binary places, and the rest
    ln2: tuple[float, float]  # 42 binary places, and the rest
    scales: Mapping[str, tuple[float, float]]  # 1 / ln 2 and 1 / ln 10: rounded, and the rest


@cache
def _tables() -> _Tables:
    """Make the constants by Decimal, whose results are correctly rounded."""
    with decimal.localcontext(decimal.Context(prec=60)):
        two = Decimal(2).ln()
        step, _ = _split(two / _STEPS, 42)
        places = range(_FIRST, _LAST + 1)
        inverses = [round(512 * 128 / j) / 512 for j in places]
        return _Tables(
            _split_all([(two * j / _STEPS).exp() for j in range(_STEPS)], 25),
            (step, *_split(two / _STEPS - Decimal(step), 79)),
            np.array(inverses),
            _split_all([-Decimal(inverse).ln() for inverse in inverses], 42),
            _split(two, 42),
            {"log2": _split(1 / two, 52), "log10": _split(1 / Decimal(10).ln(), 54)},
        )


def _split(value: Decimal, places: int) -> tuple[float, float]:
    """Return a number in two parts, of which the first has so many binary places."""
    first = float(round(value * 2**places)) / 2.0**places
    return first, float(value - Decimal(first))


def _split_all(values: list[Decimal], places: int) -> Pair:
    first, rest = zip(*(_split(value, places) for value in values), strict=True)
    return np.array(first), np.array(rest)


def add_exactly(a: Floats | float, b: Floats) -> Pair:
    """Return a + b and its error (Knuth, TAOCP 2, 4.2.2, theorem B)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _add_smaller(a: Floats, b: Floats) -> Pair:
    """Return a + b and its error, where |a| >= |b| or a is 0 (Dekker 1971)."""
    total = a + b
    return total, b - (total - a)


def multiply_exactly(a: Floats, b: Floats | float) -> Pair:
    """Return a * b and its error (Dekker 1971); neither may come near an overflow."""
    product = a * b
    a_high, b_high = _high_half(a), _high_half(b)
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _high_half(a: Floats | float) -> Floats | float:
    big = a * 134217729.0  # 2^27 + 1 (Veltkamp)
    return big - (big - a)


def _round_to(x: Floats, places: int) -> Floats:
    """Round small numbers to so many binary places."""
    shift = 1.5 * 2.0 ** (52 - places)
    return (x + shift) - shift


def _two_to(exponents: NDArray[np.int64]) -> Floats:
    """Return powers of 2, -1022 to 1023."""
    return ((exponents + 1023) << 52).view(np.float64)


def sum_series(x: Floats, first: int, last: int, divisor: Callable[[int], int]) -> Floats:
    """Return the sum over n = first … last of x^(n - first) / divisor(n), by Horner's rule."""
    total = np.full_like(x, 1 / divisor(last))
    for n in range(last - 1, first - 1, -1):
        total *= x
        total += 1 / divisor(n)
    return total


def _log_pair(x: Floats, tail: Floats | float = 0.0) -> Pair:
    """Return ln(x + tail) for x > 0, normal, and |tail| at most half a unit in the last place of x.

    x is 2^k m with m in [11/16, 11/8), and m times an inverse of 10 bits is 1 + z, |z| < 2^-7.
    """
    tables = _tables()
    bits = x.view(np.int64)
    k = (bits - _OFFSET) >> 52
    m = (bits - (k << 52)).view(np.float64)
    near = np.rint(m * 128.0).astype(np.int64) - _FIRST
    inverse, exponent = tables.inverses[near], k.astype(np.float64)
    # Both parts of z are exact: m is cut at 24 places, so that the first has 26 bits and an exact
    # square. Next to 1 the inverse is 1, k is 0, and so nothing is lost by cancellation.
    cut = _round_to(m, 24)
    high = cut * inverse - 1.0
    low = ((m - cut) + tail * _two_to(-np.minimum(k, 1000))) * inverse
    z = high + low
    # z^3/3 - … - z^10/10 is below 2^-17.4 of the logarithm: with z < 0.5/j + 2^-9.5 and a logarithm
    # of (|j - 128| - 0.5)/129 or more, it is largest next to j = 128. Its rounding, of 5 units, and
    # that of the sums with it are below 2^-67 of the whole. The series leaves out less than 2^-72
    # of it.
    rest = (z * z) * z * sum_series(z, 3, 10, lambda n: n if n % 2 else -n)
    total, error = _add_smaller(exponent * tables.ln2[0] + tables.logs[0][near], high)
    total, error_2 = _add_smaller(total, -0.5 * high * high)
    total, error_3 = _add_smaller(total, low)
    rest += exponent * tables.ln2[1] + tables.logs[1][near] - low * (high + 0.5 * low)
    return total, ((error + error_2) + error_3) + rest


def _exp_pair(x: Floats) -> tuple[Pair, NDArray[np.int64]]:
    """Return e^x / 2^q, which is near [1, 2), and q; |x| may be 746 at most.

    x is (64 q + j) ln 2 / 64 + r with |r| < 0.00542: e^x is 2^q 2^(j/64) e^r.
    """
    tables = _tables()
    step, step_2, step_3 = tables.step
    turns = np.rint(x * (_STEPS / math.log(2)))
    # Exact but for the last product: turns have 17 bits, the parts of the step 36.
    rest, error = add_exactly(x - turns * step, -(turns * step_2))
    high = _round_to(rest, 33)
    low = (rest - high) + (error - turns * step_3)
    r = high + low
    # r^2/2 + … + r^7/5040 is below 2^-16; its rounding, of 5 units, and that of the sums below are
    # 2^-65.9 of the whole at most. What the series leaves out is below 2^-75.
    square = (r * r) * sum_series(r, 2, 7, math.factorial)
    number = turns.astype(np.int64)
    power, power_rest = (part[number & (_STEPS - 1)] for part in tables.powers)
    # 26 bits by 26 bits.
    total, error = _add_smaller(power, power * high)
    error += power * (low + square) + (power_rest + power_rest * (r + square))
    return (total, error), number >> 6


def _settle(pair: Pair, bound: float = _BOUND) -> tuple[Floats, NDArray[np.bool_]]:
    """Return hi + lo, and where the bound of its error leaves more than one number."""
    high, low = pair
    error = np.abs(high) * bound
    return high + low, (high + (low + error)) != (high + (low - error))


def _decide(exact: Exact, x: float) -> float:
    """Return the float64 nearest to a function that is nowhere halfway between two."""
    digits = 40
    while True:
        context = decimal.Context(prec=digits, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)
        value = exact(Decimal(x), context)
        # The functions of Decimal are correctly rounded, a quotient of two loses a unit or two.
        error = value.copy_abs().scaleb(3 - digits, context)
        low, high = (float(context.add(value, e)) for e in (error.copy_negate(), error))
        if low == high:
            return low
        digits *= 2


def _log1p_exactly(x: Decimal, context: decimal.Context) -> Decimal:
    wide = decimal.Context(prec=2000)  # 1 + x is exact in it
    return wide.add(x, 1).ln(context)


_EXACT: Mapping[str, Exact] = {
    "exp": lambda x, context: x.exp(context),
    "log": lambda x, context: x.ln(context),
    "log1p": _log1p_exactly,
    "log2": lambda x, context: context.divide(x.ln(context), Decimal(2).ln(context)),
    "log10": lambda x, context: x.log10(context),
}


def _logarithm(name: str, x: Floats) -> Floats:
    """Return the logarithms of one block of numbers."""
    lowest = -1.0 if name == "log1p" else 0.0
    inside = (x > lowest) & (x < math.inf)
    given = np.where(inside, x, 1.0)
    if name == "log1p":
        high, low = _log_pair(*add_exactly(np.ones_like(given), given))
    else:
        high, low = _log_pair(given)
    if name in _tables().scales:
        scale, scale_rest = _tables().scales[name]
        product, error = multiply_exactly(high, scale)
        high, low = product, error + (low * scale + high * scale_rest)
    found, unsure = _settle((high, low))
    if name != "log1p":
        unsure |= given < 2.0**-1022  # what is subnormal has no exponent of its own
    _decide_where(unsure, name, given, found)
    return np.where(inside, found, np.where(x == math.inf, x, math.nan))


def _exponential(x: Floats) -> Floats:
    """Return the exponential function of one block of numbers."""
    given = np.where(np.isnan(x), 0.0, np.clip(x, -746.0, 710.0))  # 0 and infinity from there on
    pair, q = _exp_pair(given)
    found, unsure = _settle(pair)
    half = q >> 1
    found = found * _two_to(half) * _two_to(q - half)
    unsure |= (q < -1021) & (given > -746.0)  # subnormal: would be rounded twice
    _decide_where(unsure, "exp", given, found)
    return np.where(np.isnan(x), x, found)


def _decide_where(unsure: NDArray[np.bool_], name: str, x: Floats, found: Floats) -> None:
    for i in np.flatnonzero(unsure):
        found[i] = _decide(_EXACT[name], float(x[i]))


def _power(exponent: int, x: Floats) -> Floats:
    """Return integer powers of one block of numbers."""
    inside = np.isfinite(x) & (x != 0)
    mantissa, shift = np.frexp(np.where(inside, x, 1.0))
    # Each product of pairs has an error below 2^-100 (Joldes, Muller and Popescu, "Tight and
    # rigorous error bounds for basic building blocks of double-word arithmetic", ACM TOMS 44,
    # 2017), and what comes in counts as often as it is multiplied: below |exponent| 2^-100 in all.
    # No part is subnormal, since mantissas are 1/2 or more.
    high, low = np.ones_like(x), np.zeros_like(x)
    for bit in bin(abs(exponent))[2:]:
        high, low = _multiply_pairs((high, low), (high, low))
        if bit == "1":
            high, low = _multiply_pairs((high, low), (mantissa, 0.0))
    if exponent < 0:
        quotient = 1.0 / high
        product, error = multiply_exactly(high, quotient)
        high, low = quotient, (((1.0 - product) - error) - low * quotient) / high
    found, unsure = _settle((high, low), 2.0**-90)
    found = np.ldexp(found, shift * exponent)
    unsure |= np.abs(found) < 2.0**-1021  # would be rounded twice
    for i in np.flatnonzero(unsure & inside):
        found[i] = float(Fraction(float(x[i])) ** exponent)
    return np.where(inside, found, _power_of_special(x, exponent))


def _multiply_pairs(a: Pair, b: tuple[Floats, Floats | float]) -> Pair:
    high, error = multiply_exactly(a[0], b[0])
    return _add_smaller(high, error + (a[0] * b[1] + a[1] * b[0]))


def _power_of_special(x: Floats, exponent: int) -> Floats:
    """Return powers of 0, infinities and NaN."""
    magnitude = np.abs(x) if exponent > 0 else np.where(x == 0, math.nan, 1.0 / np.abs(x))
    return np.where((x < 0) & (exponent % 2 == 1), -magnitude, magnitude)


def in_blocks(function: Callable[[Floats], Floats], x: Floats) -> Floats:
    """Apply a function to numbers of any shape, a block at a time."""
    flat = np.ascontiguousarray(x, dtype=np.float64).ravel()
    found = np.empty_like(flat)
    with np.errstate(all="ignore"):
        for start in range(0, len(flat), _BLOCK):
            block = slice(start, start + _BLOCK)
            found[block] = function(flat[block])
    return found.reshape(x.shape)


def power(x: Floats, exponent: int) -> Floats:
    """Return x^exponent, correctly rounded: the exact product or its inverse, rounded once.

    The exponent is that of a term, not 0 and at most `MAX_EXPONENT`. NaN stays NaN; 0 to a negative
    power is NaN.
    """
    if exponent == 2:  # a product is correctly rounded as it is
        with np.errstate(all="ignore"):
            return x * x
    return in_blocks(partial(_power, exponent), x)


_LOGARITHMS = ("log", "log1p", "log2", "log10")
FUNCTIONS: Mapping[str, Callable[[Floats], Floats]] = {
    **{name: partial(in_blocks, partial(_logarithm, name)) for name in _LOGARITHMS},
    "exp": partial(in_blocks, _exponential),
    "sqrt": partial(in_blocks, np.sqrt),  # which IEEE 754 rounds correctly, as the next
    "abs": np.abs,
}
