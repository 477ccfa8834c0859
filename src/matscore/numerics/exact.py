"""Sums of float64 numbers without rounding, which add up to the same in any order and grouping."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from matscore.kernel import Floats

_SMALLEST = 1074  # every float64 is a whole number of 2**-1074
_DIGITS = 53
_HALF = 27


def exact_total(values: Floats) -> int:
    """Add numbers up exactly.

    Parameters
    ----------
    values : ndarray of shape (n,), float64
        Finite, and fewer than 2**36 of them.

    Returns
    -------
    int
        The sum, in units of 2**-1074. Such totals may be added up in any order.

    Examples
    --------
    >>> total = exact_total(np.array([1e100, 1.0, -1e100]))
    >>> round_total(total)
    1.0
    """
    mantissas, exponents = np.frexp(values)
    whole = np.ldexp(mantissas, _DIGITS).astype(np.int64)
    # Halves, so that a sum of them fits into 64 bits.
    high, low = whole >> _HALF, whole & (2**_HALF - 1)
    total = 0
    for exponent in np.unique(exponents).tolist():
        here = exponents == exponent
        part = (int(high[here].sum()) << _HALF) + int(low[here].sum())
        shift = exponent - _DIGITS + _SMALLEST
        # The mantissa of a number this small ends in as many zeros.
        total += part << shift if shift >= 0 else part >> -shift
    return total


def round_total(total: int, divisor: int = 1) -> float:
    """Return the float64 nearest to an exact total, or to its share.

    Parameters
    ----------
    total : int
        From `exact_total`.
    divisor : int
        What it is divided by.

    Returns
    -------
    float
        NaN where the divisor is 0; an infinity where the sum is too large for float64.

    Examples
    --------
    >>> round_total(exact_total(np.array([0.5, 0.25])), 2)
    0.375
    """
    if divisor == 0:
        return math.nan
    try:
        return float(Fraction(total, divisor << _SMALLEST))
    except OverflowError:
        return math.inf if total > 0 else -math.inf
