"""A triangle into weights: least squares and ridge, with what can be said of their worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matscore.kernel import Floats
from matscore.numerics.least_squares.reduce import Triangle, triangle_of

_EPS = float(np.finfo(np.float64).eps)
_CONSTANT = 4 * _EPS  # a spread so small, relative to the mean, is rounding
_INVOLVED = 1e-6  # what rounding leaves of a feature that has no part in a collinearity is smaller


@dataclass(frozen=True)
class Fit:
    """Weights, and how far they can be trusted.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_targets), float64
        Finite, unless the rows were too large.
    intercept : ndarray of shape (n_targets,), float64, or None
        None where none was fitted.
    targets : tuple of str
        Names of the targets.
    n_rows : int
        Rows learned from.
    rank : int
        Directions in which the features vary, n_features at most; all of them are needed for
        weights that are the only ones to fit.
    condition : float
        Of the features, each scaled to length 1: the largest singular value over the smallest of
        the first `rank`. About ``log10(condition)`` of 16 digits are lost.
    constant : tuple of int
        Features without variation, where there is an intercept, or without any number but 0.
    collinear : tuple of int
        Features that are linear combinations of others here; empty where the rank is full.
    r2 : ndarray of shape (n_targets,), float64
        Share of each target's variance that is explained; NaN for a target without variance.
    """

    weights: Floats
    intercept: Floats | None
    targets: tuple[str, ...]
    n_rows: int
    rank: int
    condition: float
    constant: tuple[int, ...]
    collinear: tuple[int, ...]
    r2: Floats


def solve(
    triangle: Triangle,
    *,
    alpha: float = 0.0,
    intercept: bool | None = True,
    standardize: bool = False,
) -> Fit:
    """Return the weights that give the targets best.

    They minimise ``|y - X w - b|² + alpha |w|²`` for each target. Where many do, as features are
    collinear or rows too few, they are the shortest of them.

    Parameters
    ----------
    triangle : Triangle
        The rows.
    alpha : float
        Penalty of the weights, 0 or more; the intercept has none (Hoerl and Kennard, Technometrics
        12 (1970) 55).
    intercept : bool or None
        Whether to fit one; None does so where there are more rows than features: with fewer, the
        features alone can give every target.
    standardize : bool
        Whether the features are taken in units of their standard deviation, in which the penalty
        and the length are counted; the weights are for the features as they are all the same.

    Returns
    -------
    Fit
        Weights of the features as they are.

    Examples
    --------
    >>> from matscore.numerics.least_squares import reduce_rows
    >>> X = np.array([[5.0, 2.0], [1.0, 5.0]])
    >>> fit = solve(reduce_rows(X, np.array([[5.9], [2.1]]), ("adventure",)), intercept=None)
    >>> fit.weights.round(12).ravel().tolist(), fit.intercept
    ([1.1, 0.2], None)
    """
    n_features, n_rows = triangle.n_features, triangle.n_rows
    if intercept is None:
        intercept = n_rows > n_features
    mean, spread = triangle.mean, _lengths(triangle.factor)
    is_flat = spread <= _CONSTANT * np.sqrt(n_rows) * np.abs(mean)
    factor = triangle.factor if intercept else _uncentre(triangle)
    X, Y = factor[:, :n_features], factor[:, n_features:]
    flat = is_flat[:n_features]
    units = np.where(flat, 1.0, spread[:n_features] / np.sqrt(n_rows)) if standardize else 1.0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        scaled = np.where(flat, 0.0, X / units) if intercept else X / units
        space = _find_space(scaled, n_rows)
        weights = space.find_shortest(Y) if alpha == 0 else _shrink(scaled, Y, alpha)
        weights = weights / np.reshape(units, (-1, 1))
        constant = np.flatnonzero(_lengths(scaled) == 0)
        weights[constant] *= 0.0  # rounding may have left something; NaN stays
        constants = mean[n_features:] - mean[:n_features] @ weights
        r2 = 1 - (_lengths(Y - X @ weights) / spread[n_features:]) ** 2
    return Fit(
        weights,
        constants if intercept else None,
        triangle.targets,
        n_rows,
        space.rank,
        space.condition,
        tuple(constant.tolist()),
        tuple(np.setdiff1d(space.find_involved(), constant).tolist()),
        np.where(is_flat[n_features:], np.nan, r2),
    )


@dataclass(frozen=True)
class _Space:
    """The features, each scaled to length 1, and their singular value decomposition."""

    X: Floats
    lengths: Floats
    U: Floats
    S: Floats
    Vt: Floats
    rank: int

    @property
    def condition(self) -> float:
        return float(self.S[0] / self.S[self.rank - 1]) if self.rank else 1.0

    def find_shortest(self, Y: Floats) -> Floats:
        """Return the shortest of the weights that fit best; the scaling does not change them."""
        n, n_features = self.rank, self.X.shape[1]
        if np.isnan(self.Vt).any():  # the rows were too large
            return np.full((n_features, Y.shape[1]), np.nan)
        if n == n_features:  # X is a triangle with as many rows, and zeros below
            square: Floats = self.X[:n_features]
            scaled = np.linalg.solve(square, Y[:n_features])
            return np.asarray(scaled / self.lengths[:, None])
        scaled = self.Vt[:n].T @ ((self.U[:, :n].T @ Y) / self.S[:n, None])
        weights = scaled / self.lengths[:, None]
        null, _ = np.linalg.qr(self.Vt[n:].T / self.lengths[:, None])
        return np.asarray(weights - null @ (null.T @ weights))

    def find_involved(self) -> NDArray[np.int64]:
        """Return the features that have a part in the null space."""
        return np.flatnonzero(_lengths(self.Vt[self.rank :]) > _INVOLVED)


def _find_space(X: Floats, n_rows: int) -> _Space:
    lengths = _lengths(X)
    lengths = np.where(lengths > 0, lengths, 1.0)
    X = X / lengths
    if not np.isfinite(X).all():
        n_features = X.shape[1]
        nothing = np.full((len(X), len(X)), np.nan), np.zeros(0), np.full((n_features,) * 2, np.nan)
        return _Space(X, lengths, *nothing, 0)
    U, S, Vt = np.linalg.svd(X)
    # As in numpy.linalg.matrix_rank: Press et al., Numerical Recipes, 3rd ed., section 15.4.
    tolerance = S.max(initial=0.0) * max(n_rows, X.shape[1]) * _EPS
    return _Space(X, lengths, U, S, Vt, int(np.count_nonzero(tolerance < S)))


def _shrink(X: Floats, Y: Floats, alpha: float) -> Floats:
    """Solve with rows added that pull the weights to 0, by QR."""
    n_features = X.shape[1]
    pull = np.sqrt(alpha) * np.eye(n_features)
    rows = np.vstack([np.hstack([X, Y]), np.hstack([pull, np.zeros((n_features, Y.shape[1]))])])
    if not np.isfinite(rows).all():
        return np.full((n_features, Y.shape[1]), np.nan)
    triangle = triangle_of(rows)[:n_features]
    return np.asarray(np.linalg.solve(triangle[:, :n_features], triangle[:, n_features:]))


def _uncentre(triangle: Triangle) -> Floats:
    """Return the factor of the rows as they are: their mean, counted n_rows times, is added."""
    rows = np.vstack([triangle.factor, np.sqrt(triangle.n_rows) * triangle.mean])
    return triangle_of(rows) if np.isfinite(rows).all() else rows


def _lengths(columns: Floats) -> Floats:
    """Return the Euclidean length of each column, also of one whose square would overflow."""
    largest = np.abs(columns).max(axis=0, initial=0.0)
    scale = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    return np.asarray(np.sqrt(((columns / scale) ** 2).sum(axis=0)) * scale)
