"""The items, held twice: in float64 to score with, in float32 to screen with; and the users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.product import Floats
from matscore.retrieve.scale import (
    Floats32,
    Places,
    divide_rows,
    find_exponents,
    measure_rows,
    scale_rows,
    shrink,
)

Metric: TypeAlias = Literal["dot", "cosine"]

TILE = 1024
"""Items that are screened at a time: their scores for a block of users stay in the cache."""


class Rows(Protocol):
    """Rows of numbers, in memory or in a file: an ndarray of shape (n_rows, n_features) will do.

    A slice gives a block of rows, an array of indices those rows.
    """

    def __getitem__(self, key: slice | Places, /) -> NDArray[Any]: ...

    def __setitem__(self, key: slice, value: NDArray[Any], /) -> None: ...


@dataclass(frozen=True)
class Catalog:
    """The items, ready to be recommended.

    Attributes
    ----------
    metric : {"dot", "cosine"}
        What a score is.
    shape : tuple of int
        Items and features.
    rows : Rows of float64
        The items; for the cosine each is scaled by a power of two.
    screen : Rows of float32
        The items, scaled by a power of two a tile; for the cosine divided by their norms.
    norms : ndarray of shape (n_items,), float64, or None
        Norms of `rows`, for the cosine.
    exponents : ndarray of shape (n_tiles,), int64
        The power of two that leads from a tile of `screen` back to the items.
    sizes : ndarray of shape (n_tiles,), float64
        The largest norm in a tile of `screen`.
    """

    metric: Metric
    shape: tuple[int, int]
    rows: Rows
    screen: Rows
    norms: Floats | None
    exponents: Places
    sizes: Floats

    @property
    def top_exponent(self) -> int:
        """The power of two that leads from the largest item, scaled, back to it."""
        return int(self.exponents.max())

    def iter_tiles(self) -> Iterator[tuple[int, slice]]:
        """Yield the number and the items of each tile."""
        for tile, start in enumerate(range(0, self.shape[0], TILE)):
            yield tile, slice(start, min(start + TILE, self.shape[0]))

    def find_unscored(self, items: slice) -> Places:
        """Return which items of a tile have no score with anyone: zeros have no cosine."""
        if self.norms is None:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(self.norms[items] == 0.0)


@dataclass(frozen=True)
class Users:
    """A block of users.

    Attributes
    ----------
    rows : ndarray of shape (n_users, n_features), float64
        Zeros for a user with a missing feature; for the cosine each is scaled by a power of two.
    screen : ndarray of the same shape, float32
        The same, scaled by a power of two a user; for the cosine divided by the norms.
    norms : ndarray of shape (n_users,), float64, or None
        Norms of `rows`, for the cosine.
    exponents : ndarray of shape (n_users,), int64
        The power of two that leads from `screen` back to the users.
    sizes : ndarray of shape (n_users,), float64
        Norms of `screen`.
    """

    rows: Floats
    screen: Floats32
    norms: Floats | None
    exponents: Places
    sizes: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, users: Places | slice) -> Users:
        """Return some of them."""
        norms = None if self.norms is None else self.norms[users]
        return Users(
            self.rows[users], self.screen[users], norms, self.exponents[users], self.sizes[users]
        )


def make_catalog(columns: Sequence[Floats], n_items: int, metric: Metric = "dot") -> Catalog:
    """Hold items in memory.

    Parameters
    ----------
    columns : sequence of ndarray, each of shape (n_items,), float64
        Their features in canonical order, finite.
    n_items : int
        Length of each column, at least 1.
    metric : {"dot", "cosine"}
        What a score is.

    Returns
    -------
    Catalog
        A copy.

    Examples
    --------
    >>> make_catalog([np.array([3.0, 0.0]), np.array([4.0, 0.0])], 2, "cosine").norms.tolist()
    [0.625, 0.0]
    """
    shape = n_items, len(columns)
    tiles = (
        np.stack([column[start : start + TILE] for column in columns], axis=1)
        for start in range(0, n_items, TILE)
    )
    return fill_catalog(tiles, metric, np.empty(shape), np.empty(shape, dtype=np.float32))


def fill_catalog(tiles: Iterable[Floats], metric: Metric, rows: Rows, screen: Rows) -> Catalog:
    """Hold items wherever there is room for them.

    Parameters
    ----------
    tiles : iterable of ndarray of shape (TILE, n_features), float64
        The items, finite; the last tile may be smaller, and there is at least one.
    metric : {"dot", "cosine"}
        What a score is.
    rows, screen : Rows
        Where the items are put, in float64 and in float32.

    Returns
    -------
    Catalog
        It reads from `rows` and `screen`.
    """
    norms, exponents, sizes = [], [], []
    place = slice(0, 0)
    for tile in tiles:
        place = slice(place.stop, place.stop + len(tile))
        exponent, values = 0, tile
        if metric == "cosine":
            values = scale_rows(tile, find_exponents(tile))
            norms.append(measure_rows(values))
            scaled = divide_rows(values, norms[-1])
        else:
            exponent = int(find_exponents(tile.reshape(1, -1))[0])
            scaled = scale_rows(tile, np.array([exponent]))
        rows[place] = values
        screen[place] = shrink(scaled)
        exponents.append(exponent)
        sizes.append(measure_rows(scaled).max())
    # A tile of zeros fits any scale.
    scales = np.where(np.array(sizes) > 0.0, exponents, max(exponents))
    n_features = tile.shape[1]
    joined = np.concatenate(norms) if norms else None
    return Catalog(metric, (place.stop, n_features), rows, screen, joined, scales, np.array(sizes))


def make_users(columns: Sequence[Floats], metric: Metric, nobody: NDArray[np.bool_]) -> Users:
    """Prepare users.

    Parameters
    ----------
    columns : sequence of ndarray, each of shape (n_users,), float64
        Their features in canonical order; finite, or NaN where `nobody`.
    metric : {"dot", "cosine"}
        What a score is.
    nobody : ndarray of shape (n_users,), bool
        Users with a missing feature.

    Returns
    -------
    Users
        A copy.
    """
    rows = np.empty((len(nobody), len(columns)))
    for j, column in enumerate(columns):
        rows[:, j] = column
    rows[nobody] = 0.0
    exponents = find_exponents(rows)
    scaled = scale_rows(rows, exponents)
    sizes = measure_rows(scaled)
    if metric == "dot":
        return Users(rows, shrink(scaled), None, exponents, sizes)
    unit = divide_rows(scaled, sizes)
    ones = (sizes > 0.0).astype(np.float64)
    return Users(scaled, shrink(unit), sizes, np.zeros_like(exponents), ones)
