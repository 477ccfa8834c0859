"""A sample of second derivatives, and the inverse of what they add up to.

The second derivatives of a multinomial log-likelihood are a sum over rows and pairs of categories,
``p_a p_b (e_a - e_b)(e_a - e_b)ᵀ ⊗ x xᵀ``. Few terms are taken all. Of many, terms are drawn with
chances in proportion to ``p_a p_b`` and counted as often as it takes (systematic sampling: Cochran,
Sampling Techniques, 3rd ed., section 9A.2): the rows that are in doubt, which near the end are few,
nearly make the sum. It is exact enough for what conjugate gradients are conditioned with, and only
for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.kernel import Floats, PackedWeights

if TYPE_CHECKING:
    from matscore.numerics.logistic import Point, Problem

_LEAST_NUMBERS, _MOST_NUMBERS, _TIMES_WEIGHTS = 2**18, 2**21, 25  # of the rows in a sample
_LARGEST = 1024  # the weights whose matrix is inverted whole
_PIECE = 256  # and of a category's, where all are more
_MOST_PAIRED = 32  # categories
_GOLDEN = 0.6180339887498949  # its multiples are spread evenly
_JITTER = 1e-12
_PIECE_NUMBERS = 2**19
_LEAST = 32  # rows of a triangle that is cut in halves

Inverse: TypeAlias = Callable[[Floats], Floats]
"""Multiplies by the inverse of the curvature, or nearly."""


class _Sample(NamedTuple):
    """Some terms of the sum, of a run of rows."""

    rows: Floats  # (n, n_weights of a category)
    terms: NDArray[np.int64]  # (n,): which pair of categories, or which category
    weights: Floats  # (n,)


def invert_curvature(problem: Problem, point: Point) -> Inverse:
    """Return the inverse of the curvature at a point, of a sample of the rows."""
    (n_groups, width), n_rows = problem.shape, problem.examples.kept.n_rows
    # Few weights are inverted together, with what joins the categories; many piece by piece.
    whole = n_groups * width <= _LARGEST
    is_paired = whole and 1 < n_groups <= _MOST_PAIRED
    first, second = np.triu_indices(n_groups, 1) if is_paired else (np.arange(n_groups), None)
    # So many that few products with all rows are needed, and no more than those would cost.
    most = max(_LEAST_NUMBERS // width, _TIMES_WEIGHTS * n_groups * width, n_rows)
    most = min(most, _MOST_NUMBERS // width)
    is_all = n_rows * len(first) <= most
    share = 0.5 if is_paired else 1.0  # of a row's doubt, what its terms add up to
    total = max(share * point.doubt, 1e-300)

    def take(stripe: int) -> _Sample:
        x, chances = problem.find_chances(stripe, point)
        if is_all:
            weights = chances[first] * (1.0 - chances if second is None else chances[second])
            terms, rows = np.divmod(np.arange(weights.size), len(x))
            return _Sample(problem.scale(x[rows]), terms, weights.ravel())
        # Where each row ends on a line on which draws are whole numbers. Each stripe starts
        # elsewhere between two of them, whatever came before.
        doubts = np.einsum("ij,ij->j", chances, 1.0 - chances) * (share * most / total)
        ends = np.cumsum(doubts) + stripe * _GOLDEN % 1.0
        draws = np.arange(1.0, np.floor(ends[-1]) + 1.0)
        rows = np.searchsorted(ends, draws)
        drawn = chances[:, rows]
        parts = drawn[first] * (1.0 - drawn if second is None else drawn[second])
        parts = np.cumsum(parts, axis=0, out=parts)
        left = (ends[rows] - draws) / doubts[rows] * parts[-1]
        terms = np.minimum((parts <= left).sum(axis=0), len(first) - 1)
        # Of rows in doubt some are drawn again and again.
        codes, times = np.unique(terms * len(x) + rows, return_counts=True)
        terms, rows = np.divmod(codes, len(x))
        weights = np.asarray(times * (total / most), dtype=np.float64)
        return _Sample(problem.scale(x[rows]), terms, weights)

    samples = problem.examples.map(take)
    rows, terms, weights = map(np.concatenate, zip(*samples, strict=True))
    order = np.argsort(terms, kind="stable")
    cuts = np.searchsorted(terms[order], np.arange(len(first) + 1))
    # What one draw stands for is how much of the sum may have been missed.
    floor = 0.0 if is_all else total / most

    def square(i: int, features: slice = slice(None)) -> Floats:
        """Return the sum of ``weight · x xᵀ`` over what was taken of a term."""
        some = order[cuts[i] : cuts[i + 1]]
        size = len(range(width)[features])
        made = np.zeros((size, size))
        # In pieces: they are copied on the way.
        height = _PIECE_NUMBERS // size
        for places in (some[j : j + height] for j in range(0, len(some), height)):
            x = rows[places, features]
            made += _product(x * weights[places, None], x)
        return made

    if second is not None:
        return _invert_whole(problem, square, (first, second), floor)
    return _invert_pieces(problem, square, width if whole else _PIECE, floor)


def _invert_whole(
    problem: Problem,
    square: Callable[[int], Floats],
    pairs: tuple[NDArray[np.signedinteger], NDArray[np.signedinteger]],
    floor: float,
) -> Inverse:
    """Invert the sum over pairs of categories."""
    n_groups, width = problem.shape
    matrix = np.zeros((n_groups, width, n_groups, width))
    for i, (a, b) in enumerate(zip(*pairs, strict=True)):
        product = square(i)
        for one, other, sign in ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1)):
            matrix[one, :, other] += sign * product
    index = np.arange(width)
    diagonals = matrix[:, index, :, index]  # (width, n_groups, n_groups)
    # What is added to all categories alike changes nothing: the sum is singular there, and nothing
    # ever moves in that direction.
    shared = np.einsum("jaa->j", diagonals) / n_groups**2
    matrix[:, index, :, index] += np.where(shared > 0, shared, 1.0)[:, None, None]
    size = n_groups * width
    inverse = _invert(matrix.reshape(size, size), np.tile(problem.penalty, n_groups) + floor)
    return lambda x: inverse(x.ravel()).reshape(x.shape)


def _invert_pieces(
    problem: Problem, square: Callable[[int, slice], Floats], piece: int, floor: float
) -> Inverse:
    """Invert each category by itself, in pieces of its features."""
    n_groups, width = problem.shape
    added = problem.penalty + floor
    inverses: list[tuple[int, slice, Inverse]] = []
    for i in range(n_groups):
        for start in range(0, width, piece):
            some = slice(start, start + piece)
            inverses.append((i, some, _invert(square(i, some), added[some])))

    def apply(x: Floats) -> Floats:
        made = np.empty_like(x)
        for i, some, inverse in inverses:
            made[i, some] = inverse(x[i, some])
        return made

    return apply


def _invert(matrix: Floats, added: Floats) -> Inverse:
    """Return the inverse of a sum of squares, with a diagonal that is added."""
    diagonal = np.arange(len(matrix))
    matrix[diagonal, diagonal] += added
    # Features that are constant, or combinations of others, have no curvature of their own.
    spread = matrix[diagonal, diagonal]
    jitter = _JITTER * np.where(spread > 0, spread, 1 / _JITTER)
    while True:
        matrix[diagonal, diagonal] += jitter
        try:
            root = _invert_root(matrix)
            break
        except np.linalg.LinAlgError:
            jitter = 100 * jitter
    return lambda x: np.asarray(np.einsum("ij,i->j", root, np.einsum("ij,j->i", root, x)))


def _product(one: Floats, other: Floats) -> Floats:
    """Return ``oneᵀ · other``."""
    # By the kernel: LAPACK and BLAS would wake threads, which wait for more at the cost of a
    # processor, and for each other where others want it.
    return PackedWeights(np.ascontiguousarray(one)).multiply(np.ascontiguousarray(other))


def _invert_root(matrix: Floats) -> Floats:
    """Return the inverse of the triangle L of ``L Lᵀ``, by halves."""
    half = len(matrix) // 2
    if half < _LEAST:
        return np.asarray(np.linalg.inv(np.linalg.cholesky(matrix)))
    made = np.zeros_like(matrix)
    made[:half, :half] = upper = _invert_root(matrix[:half, :half])
    below = _product(upper.T, matrix[:half, half:])
    made[half:, half:] = lower = _invert_root(matrix[half:, half:] - _product(below, below))
    made[half:, :half] = -_product(lower.T, _product(below, upper))
    return made
