"""Weights from examples: least squares and ridge in one pass over the rows, by QR.

Any number of rows is reduced to a triangle (`reduce_rows`, `merge`), cut so that it has the same
bits however the rows come (`cut_rows`, `finish`), and weights are made of it (`solve`).

The triangle is the R of a QR decomposition of the centred rows. Two of them merge into the one of
all their rows: R is unique but for signs, and the R of stacked Rs is the R of the stacked rows
(Golub and Van Loan, Matrix Computations, 4th ed., section 5.2; the tree of them is TSQR: Demmel,
Grigori, Hoemmen and Langou, SIAM J. Sci. Comput. 34 (2012) A206). The products of the normal
equations, which lose half of the digits, are never formed. Each side is centred at its own mean,
so that the rows between the means add one row: Chan, Golub and LeVeque, The American Statistician
37 (1983) 242.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from matscore.kernel import Floats
from matscore.names import POINT

_EPS = float(np.finfo(np.float64).eps)
_CONSTANT = 4 * _EPS  # a spread so small, relative to the mean, is rounding
_INVOLVED = 1e-6  # what rounding leaves of a feature that has no part in a collinearity is smaller
_LEAST_ROWS = 2048


@dataclass(frozen=True)
class Triangle:
    """Some rows of features and targets, reduced."""

    n_rows: int  # how many they were
    mean: Floats  # (n_features + n_targets,), of each column, features first
    # (n, n_features + n_targets): R of the centred columns; factor.T @ factor is their matrix of
    # cross products.
    factor: Floats
    targets: tuple[str, ...]  # names; a category each, where they are categories

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.mean) - len(self.targets)


def reduce_rows(features: Floats, targets: Floats, names: tuple[str, ...]) -> Triangle:
    """Reduce a block of features, (n_rows, n_features), and targets, (n_rows, n_targets).

    The factor has at most ``n_features + n_targets`` rows; it is not finite where the numbers are
    too large.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        rows = np.hstack([features, targets])
        # The differences from the first row are small where a column hardly varies, and their mean
        # loses nothing to the column's size.
        shifted = rows - rows[0]
        mean = shifted.mean(axis=0)
        return Triangle(len(rows), rows[0] + mean, triangle_of(shifted - mean), names)


def merge(one: Triangle, two: Triangle) -> Triangle:
    """Return the triangle of the rows of two, its targets sorted where they differ.

    Targets that one of them lacks are categories without rows in it.
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
    """Give a triangle of categories further ones, which have no rows in it."""
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
    texts = sorted(names)
    return tuple(sorted(texts, key=float) if all(map(POINT.is_number, texts)) else texts)


def triangle_of(rows: Floats) -> Floats:
    """Return the R of one row or more, (min(n_rows, n_columns), n_columns), upper triangular.

    NaN where they are not finite.
    """
    if not np.isfinite(rows).all():  # LAPACK may not end on these
        return np.full((1, rows.shape[1]), np.nan)
    return np.asarray(np.linalg.qr(rows, mode="r"))


@dataclass(frozen=True)
class Piece:
    """Some rows of a block whose other rows are elsewhere."""

    block: int  # its number
    features: Floats  # (n_rows, n_features), finite
    # (n_rows, n_targets): numbers; (n_rows,): the place of each row's category among the names.
    targets: Floats | NDArray[np.int64]
    names: tuple[str, ...]  # of the targets


@dataclass(frozen=True)
class Node:
    """The rows of ``2**level`` blocks, merged two by two."""

    block: int  # number of the first block, a multiple of 2**level
    level: int
    triangle: Triangle | None  # None where no row is left of them


@dataclass(frozen=True)
class Segment:
    """A run of records: its whole blocks reduced, the rows of the blocks at its ends as they are.

    What a block holds and which blocks are merged depends on the records' numbers alone, so that
    the triangle of a file has the same bits however it is cut into chunks and whoever reduces them.
    """

    height: int  # records of a block
    start: int  # number, from 0, of its first record
    stop: int  # and of the one after its last
    parts: tuple[Piece | Node, ...] = ()  # in order; few, as what can be merged is

    def __add__(self, other: Segment) -> Segment:
        """Join a segment to the one that comes right after it."""
        # Engines give chunks in order; a gap here would be rows lost in silence.
        if self.stop != other.start:
            raise ValueError(f"records {self.stop} to {other.start} are missing")
        return _settle(self.height, self.start, other.stop, (*self.parts, *other.parts))

    @property
    def nodes(self) -> list[Node]:
        """Its parts that are reduced."""
        return [part for part in self.parts if isinstance(part, Node)]


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
    targets: Floats | NDArray[np.int64],
    names: tuple[str, ...],
    *,
    records: NDArray[np.int64],
    start: int,
    stop: int,
) -> Segment:
    """Cut the rows of the records from `start` to `stop` into blocks; reduce those that are whole.

    `features`, `targets` and `names` are as in `Piece`, `records` (n_rows,) the rows' records,
    counted from 0 over all inputs, ascending; those rejected are left out.
    """
    height = block_rows(features.shape[1])
    blocks = range(start // height, -(-stop // height))
    borders = np.array([*blocks, blocks.stop], dtype=np.int64) * height
    cuts = zip(blocks, pairwise(np.searchsorted(records, borders).tolist()), strict=True)
    pieces = [Piece(block, features[a:b], targets[a:b], names) for block, (a, b) in cuts]
    return _settle(height, start, stop, pieces)


def finish(segment: Segment) -> Triangle | None:
    """Return the triangle of a segment that starts at record 0; None where there are no rows."""
    if segment.start:
        raise ValueError("the segment does not start at the first record")
    # There are no further records: the last block is whole, too.
    end = -(-segment.stop // segment.height) * segment.height
    total = None
    # What is left of whole blocks is larger the further to the left.
    for node in reversed(_settle(segment.height, 0, end, segment.parts).nodes):
        total = _merge_two(node.triangle, total)
    return total


def _settle(height: int, start: int, stop: int, parts: Iterable[Piece | Node]) -> Segment:
    """Reduce the blocks of which all records are there, and merge what are halves of one node.

    In the last bits order matters. The tree is that of the blocks' numbers, so that anybody can
    merge what is inside of a branch.
    """
    settled: list[Piece | Node] = []
    for block, group in groupby(parts, key=attrgetter("block")):
        here = list(group)
        pieces = [part for part in here if isinstance(part, Piece)]
        if pieces and start <= block * height and (block + 1) * height <= stop:
            here = [Node(block, 0, _reduce(pieces))]
        for part in here:
            settled.append(part)
            while whole := _join_halves(settled[-2:]):
                settled[-2:] = [whole]
    return Segment(height, start, stop, tuple(settled))


def _join_halves(parts: Sequence[Piece | Node]) -> Node | None:
    """Merge two nodes that are the halves of another one; None where they are not."""
    match parts:
        case [Node() as one, Node() as two] if one.level == two.level:
            if one.block % 2 ** (one.level + 1) == 0:
                return Node(one.block, one.level + 1, _merge_two(one.triangle, two.triangle))
    return None


def _merge_two(one: Triangle | None, two: Triangle | None) -> Triangle | None:
    return merge(one, two) if one and two else one or two


def _reduce(pieces: Sequence[Piece]) -> Triangle | None:
    """Reduce the rows of a block; None where there are none."""
    features = np.vstack([piece.features for piece in pieces])
    if not len(features):
        return None
    if pieces[0].targets.ndim == 1:
        targets, names = _join_categories(pieces)
    else:
        targets, names = np.vstack([piece.targets for piece in pieces]), pieces[0].names
    return reduce_rows(features, targets, names)


def _join_categories(pieces: Sequence[Piece]) -> tuple[Floats, tuple[str, ...]]:
    """Return the members of the categories that have some in the block, a column each."""
    names = sort_names({p.names[i] for p in pieces for i in np.unique(p.targets).tolist()})
    columns = {name: i for i, name in enumerate(names)}
    places = (np.array([columns.get(name, -1) for name in p.names], np.int64) for p in pieces)
    codes = [there[p.targets] for there, p in zip(places, pieces, strict=True)]
    return (np.concatenate(codes)[:, None] == np.arange(len(names))).astype(np.float64), names


@dataclass(frozen=True)
class Fit:
    """Weights, and how far they can be trusted."""

    weights: Floats  # (n_features, n_targets); finite, unless the rows were too large
    intercept: Floats | None  # (n_targets,); None where none was fitted
    targets: tuple[str, ...]
    n_rows: int  # learned from
    # Directions in which the features vary; n_features of them are needed for weights that are the
    # only ones to fit.
    rank: int
    # Of the features, each scaled to length 1: the largest singular value over the smallest of the
    # first `rank`. About log10(condition) of 16 digits are lost.
    condition: float
    constant: tuple[int, ...]  # features without variation, or, without an intercept, of zeros only
    collinear: tuple[int, ...]  # features that are combinations of others; empty at full rank
    r2: Floats  # (n_targets,), explained share of the variance; NaN for a target without any


def solve(
    triangle: Triangle,
    *,
    alpha: float = 0.0,
    intercept: bool | None = True,
    standardize: bool = False,
) -> Fit:
    """Return the weights that give the targets best, for the features as they are.

    They minimise ``|y - X w - b|² + alpha |w|²`` for each target; the intercept has no penalty
    (Hoerl and Kennard, Technometrics 12 (1970) 55). Where many do, as features are collinear or
    rows too few, they are the shortest of them. With `standardize` the penalty and the length are
    counted in units of each feature's standard deviation. Where `intercept` is None, one is fitted
    if there are more rows than features: with fewer, the features alone can give every target.
    """
    n_features, n_rows = triangle.n_features, triangle.n_rows
    if intercept is None:
        intercept = n_rows > n_features
    mean, spread = triangle.mean, _lengths(triangle.factor)
    # Rounding of the mean leaves some spread to a column that is constant.
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
        tuple(sorted({*space.find_involved().tolist()} - {*constant.tolist()})),
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
        # The shortest in the scaled space is not the shortest in the features' own: what lies in
        # the null space there is taken off.
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
        U, Vt = (np.full((n, n), np.nan) for n in (len(X), n_features))
        return _Space(X, lengths, U, np.zeros(0), Vt, 0)
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
