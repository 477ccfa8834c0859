"""Rows scaled, measured and rounded to float32, each with a bound on what that costs.

A power of two scales without rounding, so float32's range is no issue: after it the largest number
of a row is from a half to one.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.product import UNDERFLOW, Floats, rounding_unit

Floats32: TypeAlias = NDArray[np.float32]
Places: TypeAlias = NDArray[np.int64]

_FLUSHED = 2.0**-63
"""Smaller numbers become zero in float32, so that no product of two of them underflows."""


def find_exponents(rows: Floats) -> Places:
    """Return, for each row, the power of two just above its largest number.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features), float64
        Finite.

    Returns
    -------
    ndarray of shape (n_rows,), int64
        0 for a row of zeros.
    """
    largest = np.maximum(rows.max(axis=1, initial=0.0), -rows.min(axis=1, initial=0.0))
    exponents: Places = np.frexp(largest)[1].astype(np.int64)
    return exponents


def scale_rows(rows: Floats, exponents: Places) -> Floats:
    """Divide rows by powers of two.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features), float64
        Finite.
    exponents : ndarray of shape (n_rows,), int64
        From `find_exponents`, or larger.

    Returns
    -------
    ndarray of the same shape, float64
        At most 1 in size; only what underflows is rounded.
    """
    scaled: Floats = np.ldexp(rows, -exponents[:, None])
    return scaled


def measure_rows(rows: Floats) -> Floats:
    """Return the Euclidean norms of scaled rows, added in the order of the features.

    The order is fixed, so that a norm's bits do not depend on how many rows are measured at once.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features), float64
        At most 1 in size.

    Returns
    -------
    ndarray of shape (n_rows,), float64
        Norms.
    """
    total = np.zeros(len(rows))
    for column in np.ascontiguousarray(rows.T):
        total += column * column
    norms: Floats = np.sqrt(total)
    return norms


def divide_rows(rows: Floats, norms: Floats) -> Floats:
    """Divide rows by their norms; a row of zeros stays one."""
    return rows / np.where(norms > 0.0, norms, 1.0)[:, None]


def shrink(rows: Floats) -> Floats32:
    """Round scaled rows to float32.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features), float64
        At most 1 in size.

    Returns
    -------
    ndarray of the same shape, float32
        Off by at most ``2**-24`` of each number, or ``2**-63``.
    """
    small = rows.astype(np.float32)
    small[np.abs(rows) < _FLUSHED] = 0.0
    return small


def screening_unit(n_features: int) -> tuple[float, float]:
    """Bound the error of a product of float32 rows, in any order of summation.

    Rounding the two rows and adding their products is n + 2 roundings in a row: gamma of n + 2 for
    ``u = 2**-24`` times the sum of the products' sizes, which Cauchy and Schwarz bound by the
    norms' product (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., lemmas 3.1 and
    3.3). A number that became zero costs ``2**-63`` times the other, which is at most 1.

    Parameters
    ----------
    n_features : int
        Terms of the sum.

    Returns
    -------
    tuple of float
        Bound a product of norms (a thousandth larger, for the rounding of norms and bounds
        themselves), and a bound to be added; infinite for more than four million features.
    """
    n_u = (n_features + 2) * 2.0**-24
    relative = 1.001 * n_u / (1 - n_u) if n_u < 0.25 else np.inf
    return relative, n_features * 2.0**-60


def scoring_unit(n_features: int, *, cosine: bool) -> float:
    """Bound the rounding error of a float64 score, a sum of its terms' sizes.

    For the cosine: gamma of n for the product, as much for the two norms together, and seven
    roundings for their roots, their product, the division and the bound's own arithmetic.

    Parameters
    ----------
    n_features : int
        Terms of the sum.
    cosine : bool
        Whether the product is divided by the norms.

    Returns
    -------
    float
        Without what underflows: see `UNDERFLOWS`.
    """
    return rounding_unit(2 * n_features + 7 if cosine else n_features)


UNDERFLOWS = 8 * UNDERFLOW
"""What a term of a cosine's product may lose, divided by the norms, which are at least a half."""
