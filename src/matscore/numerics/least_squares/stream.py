"""A stream of rows, cut into blocks at fixed places and merged in one order.

What a block holds and how blocks are merged depends on the records' numbers alone, so that the
triangle of a file has the same bits however the file is cut into chunks and whoever reduces them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from matscore.kernel import Floats
from matscore.numerics.least_squares.reduce import Triangle, merge, reduce_rows, sort_names

_LEAST_ROWS = 2048


@dataclass(frozen=True)
class Piece:
    """Some rows of one block.

    Attributes
    ----------
    features : ndarray of shape (n_rows, n_features), float64
        Finite.
    targets : ndarray of shape (n_rows, n_targets), float64 or bool
        Numbers, or the members of categories.
    names : tuple of str
        Of the targets.
    """

    features: Floats
    targets: Floats | NDArray[np.bool_]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Segment:
    """A run of records: its whole blocks reduced, the rows of the blocks at its ends as they are.

    Attributes
    ----------
    height : int
        Records of a block.
    start, stop : int
        Numbers, from 0, of its first record and of the one after its last.
    head : tuple of Piece
        Rows before the first border between blocks; all of them, where there is no border.
    triangles : tuple of Triangle
        Of the whole blocks that have rows; of a segment that starts at 0, merged into one.
    tail : tuple of Piece
        Rows after the last border.
    """

    height: int
    start: int
    stop: int
    head: tuple[Piece, ...] = ()
    triangles: tuple[Triangle, ...] = ()
    tail: tuple[Piece, ...] = ()

    def __add__(self, other: Segment) -> Segment:
        """Join a segment to the one that comes right after it."""
        if self.stop != other.start:
            raise ValueError(f"records {self.stop} to {other.start} are missing")
        if not (self._has_border and other._has_border):
            ends = (*self.head, *other.head), self.tail or other.tail
            if self._has_border:
                ends = self.head, (*self.tail, *other.head)
            triangles = self.triangles or other.triangles
            return Segment(self.height, self.start, other.stop, ends[0], triangles, ends[1])
        between = _reduce((*self.tail, *other.head))
        triangles = _fold(self.start, (*self.triangles, *between, *other.triangles))
        return Segment(self.height, self.start, other.stop, self.head, triangles, other.tail)

    @property
    def _has_border(self) -> bool:
        """Whether a border between blocks is inside it, or at one of its ends."""
        return self.stop // self.height * self.height >= self.start


def block_rows(n_features: int) -> int:
    """Return the records of a block: enough that merging triangles is the smaller part of the work.

    Examples
    --------
    >>> block_rows(8), block_rows(784)
    (2048, 3136)
    """
    return max(_LEAST_ROWS, 4 * n_features)


def no_rows(n_features: int) -> Segment:
    """Return the segment of no records, to which the first one is added."""
    return Segment(block_rows(n_features), 0, 0)


def cut_rows(
    features: Floats,
    targets: Floats | NDArray[np.bool_],
    names: tuple[str, ...],
    *,
    records: NDArray[np.int64],
    start: int,
    stop: int,
) -> Segment:
    """Cut rows into blocks and reduce those that are whole.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_features), float64
        Finite.
    targets : ndarray of shape (n_rows, n_targets), float64 or bool
        Numbers, or the members of categories.
    names : tuple of str
        Of the targets.
    records : ndarray of shape (n_rows,), int64
        The rows' records, counted from 0 over all inputs, ascending; those rejected are left out.
    start, stop : int
        Records of the chunk.

    Returns
    -------
    Segment
        Of the records from `start` to `stop`.

    Examples
    --------
    >>> x = np.arange(5000.0)[:, None]
    >>> parts = [cut_rows(x[a:b], x[a:b], ("y",), records=np.arange(a, b), start=a, stop=b)
    ...          for a, b in ((0, 100), (100, 4999), (4999, 5000))]
    >>> finish(no_rows(1) + parts[0] + parts[1] + parts[2]).n_rows
    5000
    """
    height = block_rows(features.shape[1])
    first, last = -(-start // height) * height, stop // height * height
    borders = range(first, last + 1, height) if first <= last else range(0)
    cuts = [0, *np.searchsorted(records, np.array(borders, dtype=np.int64)).tolist(), len(records)]
    pieces = [
        (Piece(features[a:b], targets[a:b], names),) if b > a else () for a, b in pairwise(cuts)
    ]
    if not borders:
        return Segment(height, start, stop, pieces[0])
    triangles = tuple(triangle for piece in pieces[1:-1] for triangle in _reduce(piece))
    return Segment(height, start, stop, pieces[0], _fold(start, triangles), pieces[-1])


def finish(segment: Segment) -> Triangle | None:
    """Return the triangle of all rows of a segment that starts at record 0.

    Returns
    -------
    Triangle or None
        None where there are no rows.
    """
    if segment.start:
        raise ValueError("the segment does not start at the first record")
    triangles = _fold(0, (*segment.triangles, *_reduce((*segment.head, *segment.tail))))
    return triangles[0] if triangles else None


def _fold(start: int, triangles: tuple[Triangle, ...]) -> tuple[Triangle, ...]:
    """Merge triangles from the left, where no others will come before them."""
    if start or len(triangles) < 2:
        return triangles
    total = triangles[0]
    for triangle in triangles[1:]:
        total = merge(total, triangle)
    return (total,)


def _reduce(pieces: tuple[Piece, ...]) -> tuple[Triangle, ...]:
    """Reduce the rows of a block; none give nothing."""
    if not pieces:
        return ()
    if pieces[0].targets.dtype == bool:
        names, members = _join_members(pieces)
    else:
        names, members = pieces[0].names, np.vstack([piece.targets for piece in pieces])
    features = np.vstack([piece.features for piece in pieces])
    return (reduce_rows(features, members.astype(np.float64), names),)


def _join_members(pieces: tuple[Piece, ...]) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Stack the members of categories, without those that have none in the block."""
    found = {
        name
        for piece in pieces
        for name, members in zip(piece.names, piece.targets.T, strict=True)
        if members.any()
    }
    names = sort_names(found)
    columns = {name: i for i, name in enumerate(names)}
    stacked = np.zeros((sum(len(piece.targets) for piece in pieces), len(names)), dtype=bool)
    row = 0
    for piece in pieces:
        here = [i for i, name in enumerate(piece.names) if name in columns]
        there = [columns[piece.names[i]] for i in here]
        stacked[row : row + len(piece.targets), there] = piece.targets[:, here]
        row += len(piece.targets)
    return names, stacked
