"""The blocked product: the same bits for a row wherever it stands in the input.

BLAS chooses its kernels, and with them the order of its additions, by the shape of its operands
and by its number of threads. What makes a score depend on its row and its category alone is that
every call has one shape and one memory layout, and is too small to be shared among threads: blocks
of rows of one height, tiles of `_TILE` categories, both padded with zeros, and panels of at most
`_PANEL` features, summed in order. OpenBLAS's AVX2 kernels add in another order at the edge of a
tile that is not full, and its threads make such edges; it uses one thread up to 2**18
multiplications a call (interface/gemm.c), twice what is asked of it here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class TiledWeights:
    """Weights cut once for many products.

    Attributes
    ----------
    panels : tuple of ndarray of shape (n_tiles, 8, n_panel), float64
        Transposed weights, at most 64 features a panel; the last tile is padded with zeros.
    n_categories : int
        Categories.
    """

    panels: tuple[Floats, ...]
    n_categories: int


UNDERFLOW = math.ulp(0.0)
"""The smallest positive float64: what a product that underflows loses at most."""

_BLOCK_ROWS = 256
_BLOCK_CELLS = 2**20
_TILE = 8
_PANEL = 64
_SCRATCH_TILES = 16  # 256 kB, so that sums over panels stay in a processor's own cache


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


def tile_weights(weights: Floats) -> TiledWeights:
    """Cut weights into the tiles and panels that `multiply_blocks` takes.

    Parameters
    ----------
    weights : ndarray of shape (n_features, n_categories), float64
        Finite weights.

    Returns
    -------
    TiledWeights
        A copy of them.
    """
    n_features, n_categories = weights.shape
    n_tiles = -(-n_categories // _TILE)
    rows = np.zeros((n_tiles * _TILE, n_features))
    rows[:n_categories] = weights.T
    tiles = rows.reshape(n_tiles, _TILE, n_features)
    starts = range(0, n_features, _PANEL)
    panels = (np.ascontiguousarray(tiles[:, :, start : start + _PANEL]) for start in starts)
    return TiledWeights(tuple(panels), n_categories)


def multiply_blocks(
    blocks: Floats,
    weights: Floats | TiledWeights,
    intercept: Floats | None = None,
    n_rows: int | None = None,
) -> Floats:
    """Return ``features @ weights + intercept``, category by category.

    Parameters
    ----------
    blocks : ndarray of shape (n_blocks, n_features, height), float64
        From `block_features`.
    weights : ndarray of shape (n_features, n_categories), float64, or TiledWeights
        Finite weights.
    intercept : ndarray of shape (n_categories,), float64, optional
        Added to the product.
    n_rows : int, optional
        Rows that are wanted, at most ``n_blocks * height``; all without it.

    Returns
    -------
    ndarray of shape (n_categories, n_rows), float64
        Scores; a row with a NaN feature has NaN scores; overflow gives an infinity or NaN.

    Examples
    --------
    >>> blocks = block_features([np.array([5.0]), np.array([2.0])], 1)
    >>> multiply_blocks(blocks, np.array([[1.0, 0.5], [0.25, 2.0]]), n_rows=1).tolist()
    [[5.5], [6.5]]
    """
    tiled = weights if isinstance(weights, TiledWeights) else tile_weights(weights)
    n_blocks, _, height = blocks.shape
    n_rows = n_blocks * height if n_rows is None else n_rows
    scores = np.empty((tiled.n_categories, n_rows))
    added = None if intercept is None else _tile_intercept(intercept)
    n_tiles = len(tiled.panels[0])
    scratch = np.empty((2, _SCRATCH_TILES, _TILE, height))
    # Accelerate divides by zero for no reason: numpy issue 28687
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for some, tiles in _iter_parts(n_rows, height, n_tiles):
            total = _multiply_panels(tiled.panels, blocks[some], tiles, scratch)
            if added is not None:
                total += added[tiles]
            start, first = some.start * height, tiles.start * _TILE
            place = scores[first : tiles.stop * _TILE, start : some.stop * height]
            split = place.reshape(len(place), len(total), -1)  # a view, since it only splits
            held = total.transpose(1, 2, 0, 3).reshape(-1, len(total), height)
            split[:] = held[: len(place), :, : split.shape[2]]
    return scores


def error_bound(features: Floats, weights: Floats, intercept: Floats | None = None) -> Floats:
    """Bound the rounding error of each score.

    The bound is ``gamma * (|weights.T| @ |features| + |intercept|)``, ``gamma = n u / (1 - n u)``,
    with ``n`` additions and ``u = 2**-53``: Higham, Accuracy and Stability of Numerical Algorithms,
    2nd ed., section 3.1; and what products that underflow may lose (section 2.1). It holds for
    every order of summation.

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
    n_features, n_rows = features.shape
    blocks = block_features(list(np.abs(features)), n_rows)
    sizes = (np.abs(weights), None if intercept is None else np.abs(intercept))
    unit = rounding_unit(n_features)
    bounds = multiply_blocks(blocks, *sizes, n_rows) * unit
    if np.isinf(bounds).any():  # finite terms, whose sum is not
        shrink = 2.0 ** -(n_features + 1).bit_length()
        shrunk = (sizes[0] * shrink, None if sizes[1] is None else sizes[1] * shrink)
        smaller = multiply_blocks(blocks, *shrunk, n_rows) * (unit / shrink)
        bounds = np.where(np.isinf(bounds), smaller, bounds)
    bounds += n_features * UNDERFLOW
    return bounds


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


def _tile_intercept(intercept: Floats) -> Floats:
    """Return an intercept of shape (n_tiles, _TILE, 1), padded with zeros."""
    padded = np.zeros(-(-len(intercept) // _TILE) * _TILE)
    padded[: len(intercept)] = intercept
    return padded.reshape(-1, _TILE, 1)


def _iter_parts(n_rows: int, height: int, n_tiles: int) -> Iterator[tuple[slice, slice]]:
    """Yield runs of blocks and of tiles whose product is small; a block not full comes alone."""
    n_full, n_rest = divmod(n_rows, height)
    n_together = max(_SCRATCH_TILES // max(n_tiles, 1), 1)
    runs = [slice(i, min(i + n_together, n_full)) for i in range(0, n_full, n_together)]
    for run in [*runs, slice(n_full, n_full + 1)] if n_rest else runs:
        for tile in range(0, n_tiles, _SCRATCH_TILES):
            yield run, slice(tile, min(tile + _SCRATCH_TILES, n_tiles))


def _multiply_panels(
    panels: Sequence[Floats], blocks: Floats, tiles: slice, scratch: Floats
) -> Floats:
    """Return the product of some blocks and tiles, of shape (n_blocks, n_tiles, _TILE, height)."""
    shape = len(blocks), tiles.stop - tiles.start, _TILE, blocks.shape[2]
    total: Floats = scratch[0, : shape[0] * shape[1]].reshape(shape)
    part: Floats = scratch[1, : shape[0] * shape[1]].reshape(shape)
    np.matmul(panels[0][tiles], blocks[:, None, :_PANEL], out=total)
    for i, panel in enumerate(panels[1:], start=1):
        total += np.matmul(panel[tiles], blocks[:, None, i * _PANEL : (i + 1) * _PANEL], out=part)
    return total
