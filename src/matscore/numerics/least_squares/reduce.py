"""Rows of features and targets into a triangle that holds all that least squares needs.

The triangle is the R of a QR decomposition of the centred rows. Two of them merge into the one of
all their rows: R is unique but for signs, and the R of stacked Rs is the R of the stacked rows
(Golub and Van Loan, Matrix Computations, 4th ed., section 5.2; the tree of them is TSQR: Demmel,
Grigori, Hoemmen and Langou, SIAM J. Sci. Comput. 34 (2012) A206). The products of the normal
equations, which lose half of the digits, are never formed. Each side is centred at its own mean,
so that the rows between the means add one row: Chan, Golub and LeVeque, The American Statistician
37 (1983) 242.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from matscore.grammar import is_number
from matscore.kernel import Floats


@dataclass(frozen=True)
class Triangle:
    """Some rows of features and targets, reduced.

    Attributes
    ----------
    n_rows : int
        How many they were.
    mean : ndarray of shape (n_features + n_targets,), float64
        Of each column, features first.
    factor : ndarray of shape (n, n_features + n_targets), float64
        R of the centred columns; ``factor.T @ factor`` is their matrix of cross products.
    targets : tuple of str
        Names of the targets; a category each, where they are categories.
    """

    n_rows: int
    mean: Floats
    factor: Floats
    targets: tuple[str, ...]

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.mean) - len(self.targets)


def reduce_rows(features: Floats, targets: Floats, names: tuple[str, ...]) -> Triangle:
    """Reduce a block of rows.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_features), float64
        Finite; at least one row.
    targets : ndarray of shape (n_rows, n_targets), float64
        Finite.
    names : tuple of str
        Of the targets.

    Returns
    -------
    Triangle
        Whose factor has at most ``n_features + n_targets`` rows; not finite where the numbers are
        too large.

    Examples
    --------
    >>> triangle = reduce_rows(np.array([[1.0], [3.0]]), np.array([[5.0], [9.0]]), ("y",))
    >>> triangle.mean.tolist(), np.abs(triangle.factor[0]).round(9).tolist()
    ([2.0, 7.0], [1.414213562, 2.828427125])
    """
    with np.errstate(over="ignore", invalid="ignore"):
        rows = np.hstack([features, targets])
        # The differences from the first row are small where a column hardly varies, and their mean
        # loses nothing to the column's size.
        shifted = rows - rows[0]
        mean = shifted.mean(axis=0)
        return Triangle(len(rows), rows[0] + mean, triangle_of(shifted - mean), names)


def merge(one: Triangle, two: Triangle) -> Triangle:
    """Return the triangle of the rows of two.

    Parameters
    ----------
    one, two : Triangle
        Of the same features; targets that one of them lacks are categories without rows in it.

    Returns
    -------
    Triangle
        Its targets sorted, where they differ.

    Examples
    --------
    >>> x, y = np.arange(6.0)[:, None], np.arange(6.0)[:, None] ** 2
    >>> halves = reduce_rows(x[:3], y[:3], ("y",)), reduce_rows(x[3:], y[3:], ("y",))
    >>> both, whole = merge(*halves), reduce_rows(x, y, ("y",))
    >>> np.allclose(both.factor.T @ both.factor, whole.factor.T @ whole.factor)
    True
    """
    if one.targets != two.targets:
        names = sort_names({*one.targets, *two.targets})
        one, two = widen(one, names), widen(two, names)
    n_rows = one.n_rows + two.n_rows
    with np.errstate(over="ignore", invalid="ignore"):
        step = two.mean - one.mean
        between = step * np.sqrt(one.n_rows / n_rows * two.n_rows)
        factor = triangle_of(np.vstack([one.factor, two.factor, between]))
        return Triangle(n_rows, one.mean + step * (two.n_rows / n_rows), factor, one.targets)


def widen(triangle: Triangle, names: tuple[str, ...]) -> Triangle:
    """Give a triangle further categories, which have no rows in it.

    Parameters
    ----------
    triangle : Triangle
        Of categories.
    names : tuple of str
        Its own among them.

    Returns
    -------
    Triangle
        With the targets `names`.
    """
    n_features = triangle.n_features
    places = [names.index(name) + n_features for name in triangle.targets]
    columns = [*range(n_features), *places]
    mean = np.zeros(n_features + len(names))
    factor = np.zeros((len(triangle.factor), len(mean)))
    mean[columns], factor[:, columns] = triangle.mean, triangle.factor
    return Triangle(triangle.n_rows, mean, factor, names)


def sort_names(names: Iterable[str]) -> tuple[str, ...]:
    """Sort the names of categories: as numbers where all of them are, as text elsewhere.

    Examples
    --------
    >>> sort_names(["10", "9"]), sort_names(["b", "a", "10"])
    (('9', '10'), ('10', 'a', 'b'))
    """
    found = sorted(names)
    return tuple(sorted(found, key=float) if all(map(is_number, found)) else found)


def triangle_of(rows: Floats) -> Floats:
    """Return the R of some rows; NaN where they are not finite.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns), float64
        At least one row.

    Returns
    -------
    ndarray of shape (min(n_rows, n_columns), n_columns), float64
        Upper triangular.
    """
    if not np.isfinite(rows).all():  # LAPACK may not end on these
        return np.full((1, rows.shape[1]), np.nan)
    return np.asarray(np.linalg.qr(rows, mode="r"))
