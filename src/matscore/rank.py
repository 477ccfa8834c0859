"""The tie rule, rank after rank: which of many scores come first.

Again and again, of what is left, the highest score is taken; what is within rounding error of it is
tied with it, and the first of the tied in order gets the next rank. So the first rank is what
`matscore.decide` predicts, and the first k ranks do not depend on how many are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matscore.decide import take_rows, widest_tie
from matscore.matrix import Model
from matscore.product import Floats, error_bound

Places = NDArray[np.int64]
NO_PLACE = -1

_CELLS = 2**20
"""Scores that are ranked at a time."""

# Scores near the largest float64 differ by more than it can hold: infinity is the right answer.
# Where nothing is left, minus infinity is subtracted from itself: NaN, which is no tie.
_let_overflow = np.errstate(over="ignore", invalid="ignore")


@dataclass(frozen=True)
class Ranking:
    """The first ranks of some rows.

    Attributes
    ----------
    places : ndarray of shape (n_rows, k), int64
        What has the first, second, ... rank; -1 where nothing is left.
    tied : ndarray of shape (n_rows, k), bool
        Whether, at its rank or before, another was within rounding error of the highest with it.
    """

    places: Places
    tied: NDArray[np.bool_]


@_let_overflow
def rank_rows(
    scores: Floats, k: int, widest: Floats, find_bounds: Callable[[Places], Floats]
) -> Ranking:
    """Rank the scores of each row, highest first, ties by their order.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n), float64
        Scores in the order that settles ties; NaN and minus infinity have no rank.
    k : int
        Ranks wanted.
    widest : ndarray of shape (n_rows,), float64
        An upper bound on how far two scores of a row can be apart and still tie.
    find_bounds : callable
        Takes m row numbers, gives the rounding errors of all their scores, of shape (m, n). Only
        rows with scores closer than `widest` are asked for.

    Returns
    -------
    Ranking
        With ``min(k, n)`` ranks.

    Examples
    --------
    >>> scores = np.array([[0.3, 0.9, 0.1 + 0.2, 0.1]])
    >>> error = np.full((1, 4), 1e-16)
    >>> rank_rows(scores, 3, np.array([2e-16]), lambda rows: error[rows]).places.tolist()
    [[1, 0, 2]]
    """
    k = min(k, scores.shape[1])
    left = np.where(np.isnan(scores), -np.inf, scores)
    order = _sort_highest(left, k)
    best = np.take_along_axis(left, order, axis=1)
    places = np.where(best[:, :k] == -np.inf, NO_PLACE, order[:, :k])
    tied = np.zeros(places.shape, dtype=bool)
    close = np.flatnonzero((best[:, :-1] - best[:, 1:] <= widest[:, None]).any(axis=1))
    if len(close):
        places[close], tied[close] = _rank_close(left[close], find_bounds(close), k)
    return Ranking(places, tied)


def rank_categories(scores: Floats, blocks: Floats, model: Model, k: int) -> Ranking:
    """Rank the categories of scored rows.

    Parameters
    ----------
    scores : ndarray of shape (n_categories, n_rows), float64
        Scores; minus infinity for a category that is to have no rank.
    blocks : ndarray of shape (n_blocks, n_features, height), float64
        The features they were computed from.
    model : Model
        What they were multiplied by.
    k : int
        Ranks wanted.

    Returns
    -------
    Ranking
        With ``min(k, n_categories)`` ranks; none for missing scores.

    Examples
    --------
    >>> model = Model(np.array([[0.4, 0.7]]), None, ("a", "b"))
    >>> rank_categories(np.array([[0.8], [1.4]]), np.array([[[2.0]]]), model, 1).places.tolist()
    [[1]]
    """
    n_categories, n_rows = scores.shape
    widest = widest_tie(blocks, model.weights, model.intercept)[:n_rows]
    height = max(1, _CELLS // n_categories)
    parts = []
    for start in range(0, n_rows, height):
        rows = np.arange(start, min(start + height, n_rows))

        def find_bounds(some: Places, rows: Places = rows) -> Floats:
            features = take_rows(blocks, rows[some])
            return error_bound(features, model.weights, model.intercept).T

        some = np.ascontiguousarray(scores[:, rows].T)
        parts.append(rank_rows(some, k, widest[rows], find_bounds))
    if not parts:
        return rank_rows(np.empty((0, n_categories)), k, widest, lambda rows: widest[rows, None])
    places, tied = zip(*((part.places, part.tied) for part in parts), strict=True)
    return Ranking(np.concatenate(places), np.concatenate(tied))


@_let_overflow
def rank_one_by_one(scores: Floats, bounds: Floats, k: int) -> Ranking:
    """Rank by the rule itself, a rank at a time: slow, and right for whatever ties with whatever.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n), float64
        Scores in the order that settles ties; minus infinity has no rank.
    bounds : ndarray of shape (n_rows, n), float64
        Their rounding errors.
    k : int
        Ranks wanted, at most n.

    Returns
    -------
    Ranking
        With k ranks.
    """
    left = scores.copy()
    places = np.full((len(left), k), NO_PLACE)
    tied = np.zeros((len(left), k), dtype=bool)
    marks = np.zeros(left.shape, dtype=bool)
    rows = np.arange(len(left))
    for rank in range(k):
        top = left.argmax(axis=1)
        highest = left[rows, top]
        within = highest[:, None] - left <= bounds + bounds[rows, top][:, None]
        marks |= within & (within.sum(axis=1) > 1)[:, None]
        chosen = within.argmax(axis=1)
        there = highest > -np.inf
        places[there, rank] = chosen[there]
        tied[there, rank] = marks[rows, chosen][there]
        left[rows, chosen] = -np.inf
    return Ranking(places, tied)


def _sort_highest(left: Floats, k: int) -> Places:
    """Return the places of the k + 1 highest of each row, highest first."""
    if k + 1 >= left.shape[1]:
        return np.argsort(-left, axis=1, kind="stable")
    highest = np.argpartition(-left, k, axis=1)[:, : k + 1]
    order = np.argsort(-np.take_along_axis(left, highest, axis=1), axis=1, kind="stable")
    return np.take_along_axis(highest, order, axis=1)


def _rank_close(left: Floats, bounds: Floats, k: int) -> tuple[Places, NDArray[np.bool_]]:
    """Rank rows that have ties.

    The sorted scores fall into runs, such that nothing ties with a score of another run. In a run
    of which all tie with all, the order settles everything; only where that is not so is the rule
    followed rank by rank.
    """
    there = left > -np.inf
    bounds = np.where(there, bounds, 0.0)
    order = np.argsort(-left, axis=1, kind="stable")
    scores = np.take_along_axis(left, order, axis=1)
    reach = 2 * bounds.max(axis=1, initial=0.0)[:, None]
    run_starts = np.ones(scores.shape, dtype=bool)
    run_starts[:, 1:] = ~(scores[:, :-1] - scores[:, 1:] <= reach)
    runs = np.cumsum(run_starts, axis=1)
    starts = np.flatnonzero(run_starts)
    sizes = np.diff(starts, append=scores.size)
    least = np.minimum.reduceat(np.take_along_axis(bounds, order, axis=1).ravel(), starts)
    spread = scores.ravel()[starts] - scores.ravel()[starts + sizes - 1]
    loose = (sizes > 1) & ~(spread <= 2 * least) & (starts % scores.shape[1] < k)
    by_order = np.argsort(runs * scores.shape[1] + order, axis=1)[:, :k]
    chosen = np.take_along_axis(order, by_order, axis=1)
    tied = np.take_along_axis(np.repeat(sizes > 1, sizes).reshape(scores.shape), by_order, axis=1)
    places = np.where(np.take_along_axis(there, chosen, axis=1), chosen, NO_PLACE)
    if loose.any():
        rows = np.unique(starts[loose] // scores.shape[1])
        one_by_one = rank_one_by_one(left[rows], bounds[rows], k)
        places[rows], tied[rows] = one_by_one.places, one_by_one.tied
    return places, tied
