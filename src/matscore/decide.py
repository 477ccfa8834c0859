"""From scores to predictions: best category, ties, margin, probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matscore.product import UNDERFLOW, Floats, error_bound, rounding_unit

NO_PREDICTION = -1
_CACHED_CELLS = 2**18
_FEW_CATEGORIES = 32  # more are found sooner all at once; at most 127

# Scores near the largest float64 differ by more than it can hold: infinity is the right answer.
_let_overflow = np.errstate(over="ignore", invalid="ignore")


@dataclass(frozen=True)
class Decision:
    """What the scores of some rows decide.

    Attributes
    ----------
    best : ndarray of shape (n_rows,), int64
        Index of the predicted category; -1 where there is none (missing scores, or under the
        threshold).
    margin : ndarray of shape (n_rows,), float64
        Highest score minus the runner-up; 0 for a tie, NaN for missing scores or one category.
    tied : ndarray of shape (n_rows,), bool
        Whether another category's score is within rounding error of the highest.
    """

    best: NDArray[np.int64]
    margin: Floats
    tied: NDArray[np.bool_]


@_let_overflow
def find_overflow(scores: Floats, has_missing: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Mark the rows whose scores are not finite though none of their features is missing.

    Parameters
    ----------
    scores : ndarray of shape (n_categories, n_rows), float64
        Scores.
    has_missing : ndarray of shape (n_rows,), bool, or None
        Rows with a missing feature; None when there is none.

    Returns
    -------
    ndarray of shape (n_rows,), bool
        Rows to refuse.
    """
    # A sum is finite only if all its terms are; that a sum may overflow only costs a second look.
    if np.isfinite(scores.sum()):
        return np.zeros(scores.shape[1], dtype=bool)
    infinite: NDArray[np.bool_] = np.any(~np.isfinite(scores), axis=0)
    return infinite if has_missing is None else infinite & ~has_missing


@_let_overflow
def decide(
    scores: Floats,
    blocks: Floats,
    weights: Floats,
    intercept: Floats | None = None,
    *,
    threshold: float | None = None,
    probabilities: Floats | None = None,
) -> Decision:
    """Name the best category of each row.

    Scores that differ by no more than the rounding error of the product are a tie; it goes to the
    first of the tied categories in the weights' order. NaN never wins.

    Parameters
    ----------
    scores : ndarray of shape (n_categories, n_rows), float64
        Scores, finite or all NaN in a row.
    blocks : ndarray of shape (n_blocks, n_features, height), float64
        The features they were computed from.
    weights : ndarray of shape (n_features, n_categories), float64
        Weights.
    intercept : ndarray of shape (n_categories,), float64, optional
        Intercept.
    threshold : float, optional
        A best score (or probability, where `probabilities` are given) under it gives no prediction.
    probabilities : ndarray of shape (n_categories, n_rows), float64, optional
        What the threshold is compared with instead of the scores.

    Returns
    -------
    Decision
        One entry a row.
    """
    n_categories, n_rows = scores.shape
    best, highest, margin = _find_best(scores)
    tied = np.zeros(n_rows, dtype=bool)
    if n_categories > 1:
        close = np.flatnonzero(margin <= widest_tie(blocks, weights, intercept)[:n_rows])
        for rows in _iter_parts(close, n_categories):
            cells = tied_cells(scores[:, rows], take_rows(blocks, rows), weights, intercept)
            tied[rows] = cells.sum(axis=0) > 1
            best[rows] = cells.argmax(axis=0)
        margin[tied] = 0.0
    if threshold is not None:
        gate = scores if probabilities is None else probabilities
        chosen = np.take_along_axis(gate, best[None], axis=0)[0]
        best[~(chosen >= threshold)] = NO_PREDICTION
    best[np.isnan(highest)] = NO_PREDICTION
    return Decision(best, margin, tied)


def count_categories(best: NDArray[np.int64], n_categories: int) -> NDArray[np.int64]:
    """Count the rows that each category won.

    Parameters
    ----------
    best : ndarray of shape (n_rows,), int64
        Predictions; -1 is not counted.
    n_categories : int
        Number of categories.

    Returns
    -------
    ndarray of shape (n_categories,), int64
        Rows a category.
    """
    return np.bincount(best[best >= 0], minlength=n_categories)


def take_rows(blocks: Floats, rows: NDArray[np.int64]) -> Floats:
    """Take some rows out of blocked features.

    Parameters
    ----------
    blocks : ndarray of shape (n_blocks, n_features, height), float64
        From `matscore.product.block_features`.
    rows : ndarray of shape (n,), int64
        Row numbers from 0.

    Returns
    -------
    ndarray of shape (n_features, n), float64
        Their feature columns.
    """
    block, place = np.divmod(rows, blocks.shape[2])
    return np.ascontiguousarray(blocks[block, :, place].T)


@_let_overflow
def tied_cells(
    scores: Floats, features: Floats, weights: Floats, intercept: Floats | None = None
) -> NDArray[np.bool_]:
    """Mark, in each row, the categories within rounding error of the highest score.

    Parameters
    ----------
    scores : ndarray of shape (n_categories, n_rows), float64
        Scores.
    features : ndarray of shape (n_features, n_rows), float64
        The features they were computed from.
    weights : ndarray of shape (n_features, n_categories), float64
        Weights.
    intercept : ndarray of shape (n_categories,), float64, optional
        Intercept.

    Returns
    -------
    ndarray of shape (n_categories, n_rows), bool
        The best category alone where nothing ties; none for missing scores.
    """
    bounds = error_bound(features, weights, intercept)
    at = scores.argmax(axis=0)[None]
    reach = bounds + np.take_along_axis(bounds, at, axis=0)
    return np.take_along_axis(scores, at, axis=0) - scores <= reach


@_let_overflow
def softmax(scores: Floats) -> Floats:
    """Turn scores into probabilities.

    The softmax, shifted by the highest score so that it cannot overflow; the logistic function for
    a single category (Goodfellow, Bengio and Courville, Deep Learning, sections 3.10 and 4.1).

    Parameters
    ----------
    scores : ndarray of shape (n_categories, n_rows), float64
        Scores.

    Returns
    -------
    ndarray of shape (n_categories, n_rows), float64
        Probabilities; NaN where the scores are NaN.

    Examples
    --------
    >>> softmax(np.array([[0.0, 1000.0], [0.0, 0.0]])).tolist()
    [[0.5, 1.0], [0.5, 0.0]]
    >>> softmax(np.array([[0.0, -1000.0]])).tolist()
    [[0.5, 0.0]]
    """
    if len(scores) == 1:
        shrunk = np.exp(-np.abs(scores))
        return np.where(scores >= 0, 1.0, shrunk) / (1.0 + shrunk)
    powers = np.exp(scores - scores.max(axis=0))
    total = np.zeros(scores.shape[1])
    for row in powers:  # a fixed order of addition, so that the bits do not depend on the chunk
        total += row
    probabilities: Floats = powers / total
    return probabilities


def _find_best(scores: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return the first best category of each row, its score, and by how much it is ahead."""
    find = _find_best_of_few if len(scores) <= _FEW_CATEGORIES else _find_best_of_many
    best, highest, second = find(scores)
    margin = highest - second if len(scores) > 1 else np.full(len(best), np.nan)
    return best, highest, margin


def _find_best_of_few(scores: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return the best category of each row, its score and the second one: category by category."""
    best = np.zeros(scores.shape[1], dtype=np.int8)
    highest, second = scores[0].copy(), np.full(len(best), -np.inf)
    for category, others in enumerate(scores[1:], start=1):
        wins = others > highest  # an equal one does not: the first stays
        np.maximum(best, wins.view(np.int8) * np.int8(category), out=best)
        np.maximum(second, np.minimum(others, highest), out=second)
        np.maximum(highest, others, out=highest)
    return best.astype(np.int64), highest, second


def _find_best_of_many(scores: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Do the same with all categories at once: their maximum is much faster than their argmax."""
    highest = scores.max(axis=0)
    category, row = np.divmod(np.flatnonzero(scores == highest), len(highest))
    best, rows = np.zeros(len(highest), dtype=np.int64), np.arange(len(highest))
    best[row[::-1]] = category[::-1]  # of equal ones the first stays
    taken = scores[best, rows]
    scores[best, rows] = -np.inf  # and back below: a copy without them would take as long again
    second = scores.max(axis=0)
    scores[best, rows] = taken
    return best, highest, second


def _iter_parts(rows: NDArray[np.int64], n_categories: int) -> Iterator[NDArray[np.int64]]:
    """Yield some rows at a time, whose scores fill a processor's cache at most."""
    height = max(_CACHED_CELLS // n_categories, 16)
    for start in range(0, len(rows), height):
        yield rows[start : start + height]


def widest_tie(blocks: Floats, weights: Floats, intercept: Floats | None) -> Floats:
    """Bound from above, cheaply, how far two scores of each row can be apart and still tie.

    Parameters
    ----------
    blocks : ndarray of shape (n_blocks, n_features, height), float64
        From `matscore.product.block_features`.
    weights : ndarray of shape (n_features, n_categories), float64
        Weights.
    intercept : ndarray of shape (n_categories,), float64, or None
        Intercept.

    Returns
    -------
    ndarray of shape (n_blocks * height,), float64
        Bounds.
    """
    n_blocks, n_features, height = blocks.shape
    cells = blocks.reshape(n_blocks, n_features * height)
    largest = np.maximum(cells.max(axis=1, initial=0.0), -cells.min(axis=1, initial=0.0))
    for i in np.flatnonzero(np.isnan(largest)):
        largest[i] = np.nanmax(np.abs(cells[i]), initial=0.0)
    heaviest = max(weights.max(initial=0.0), -weights.min(initial=0.0))
    sizes = largest * (heaviest * n_features)
    if intercept is not None:
        sizes += np.abs(intercept).max(initial=0.0)
    bounds = sizes * (2.5 * rounding_unit(n_features)) + 4 * n_features * UNDERFLOW
    return np.repeat(bounds, height)
