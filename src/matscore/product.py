"""The blocked product: the same bits for a row wherever it stands in the input.

BLAS chooses its kernels, and with them the order of its additions, by the shape of its operands
and by its number of threads. Two things make the result of a row depend on that row alone: blocks
of one fixed height in one memory layout, the last one padded with zeros; and panels of at most
`PANEL` features, summed in order, because BLAS splits longer sums by its thread count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

PANEL = 256
_BLOCK_ROWS = 256
_BLOCK_CELLS = 2**20


def block_height(n_features: int) -> int:
    """Return the number of rows in a block; it depends on the number of features alone.

    Parameters
    ----------
    n_features : int
        Columns of the features matrix.

    Returns
    -------
    int
        A power of two from 8 to 256, such that a block holds about a million cells at most.

    Examples
    --------
    >>> block_height(8), block_height(100_000)
    (256, 8)
    """
    height = _BLOCK_ROWS
    while height > 8 and height * n_features > _BLOCK_CELLS:
        height //= 2
    return height


def block_features(columns: Sequence[Floats], n_rows: int) -> Floats:
    """Copy feature columns into padded blocks.

    Parameters
    ----------
    columns : sequence of ndarray, each of shape (n_rows,), float64
        The features in canonical order.
    n_rows : int
        Length of each column.

    Returns
    -------
    ndarray of shape (n_blocks, n_features, height), float64
        NaN is kept; the rows past `n_rows` are zero.
    """
    height = block_height(len(columns))
    n_full, n_rest = divmod(n_rows, height)
    n_blocks = n_full + (n_rest > 0)
    blocks = np.empty((n_blocks, len(columns), height))
    if n_rest:
        blocks[-1] = 0.0
    cut = n_full * height
    for j, column in enumerate(columns):
        blocks[:n_full, j] = column[:cut].reshape(n_full, height)
        if n_rest:
            blocks[-1, j, :n_rest] = column[cut:]
    return blocks


def multiply_blocks(blocks: Floats, weights: Floats, intercept: Floats | None = None) -> Floats:
    """Return ``features @ weights + intercept``, category by category.

    Parameters
    ----------
    blocks : ndarray of shape (n_blocks, n_features, height), float64
        From `block_features`.
    weights : ndarray of shape (n_features, n_categories), float64
        Finite weights.
    intercept : ndarray of shape (n_categories,), float64, optional
        Added to the product.

    Returns
    -------
    ndarray of shape (n_categories, n_blocks * height), float64
        Scores; a row with a NaN feature has NaN scores; overflow gives an infinity or NaN.

    Examples
    --------
    >>> blocks = block_features([np.array([5.0]), np.array([2.0])], 1)
    >>> multiply_blocks(blocks, np.array([[1.0, 0.5], [0.25, 2.0]]))[:, 0].tolist()
    [5.5, 6.5]
    """
    n_blocks, n_features, height = blocks.shape
    n_categories = weights.shape[1]
    # A single category would take BLAS's matrix-vector path, whose bits depend on the layout.
    rows = np.zeros((max(n_categories, 2), n_features))
    rows[:n_categories] = weights.T
    scores = np.empty((n_categories, n_blocks, height))
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(n_blocks):
            scores[:, i] = _multiply_panels(rows, blocks[i])[:n_categories]
        if intercept is not None:
            scores += intercept[:, None, None]
    return scores.reshape(n_categories, n_blocks * height)


def error_bound(features: Floats, weights: Floats, intercept: Floats | None = None) -> Floats:
    """Bound the rounding error of each score.

    The bound is ``gamma * (|weights.T| @ |features| + |intercept|)``, ``gamma = n u / (1 - n u)``,
    with ``n`` additions and ``u = 2**-53``: Higham, Accuracy and Stability of Numerical Algorithms,
    2nd ed., section 3.1. It holds for every order of summation.

    Parameters
    ----------
    features : ndarray of shape (n_features, n_rows), float64
        Feature columns.
    weights : ndarray of shape (n_features, n_categories), float64
        Weights.
    intercept : ndarray of shape (n_categories,), float64, optional
        Intercept.

    Returns
    -------
    ndarray of shape (n_categories, n_rows), float64
        Bound on ``|computed - exact|``; NaN where a feature is NaN.
    """
    n_rows = features.shape[1]
    blocks = block_features(list(np.abs(features)), n_rows)
    sizes = multiply_blocks(
        blocks, np.abs(weights), None if intercept is None else np.abs(intercept)
    )
    return sizes[:, :n_rows] * rounding_unit(weights.shape[0])


def rounding_unit(n_features: int) -> float:
    """Return Higham's gamma for a product of `n_features` terms and an intercept.

    Parameters
    ----------
    n_features : int
        Terms of the sum.

    Returns
    -------
    float
        ``n u / (1 - n u)`` with ``n = n_features + 1``.
    """
    n_u = (n_features + 1) * 2.0**-53
    return n_u / (1 - n_u)


def _multiply_panels(rows: Floats, block: Floats) -> Floats:
    total: Floats = rows[:, :PANEL] @ block[:PANEL]
    for start in range(PANEL, rows.shape[1], PANEL):
        total += np.ascontiguousarray(rows[:, start : start + PANEL]) @ block[start : start + PANEL]
    return total
