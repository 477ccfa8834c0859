"""Why a score is what it is: the contribution of each feature, value × weight, by size.

The contributions are what a linear explainer gives against a baseline of zero: what a feature adds
to the score, compared with a row where it is 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matscore.kernel import Floats
from matscore.model import Model

INTERCEPT = -1
OTHERS = -2


_let_overflow = np.errstate(over="ignore", invalid="ignore")


@dataclass(frozen=True)
class Contributions:
    """What some scores are made of, one line a feature, a row's lines behind one another.

    Attributes
    ----------
    rows : ndarray of shape (n_lines,), int64
        The row that a line belongs to.
    entries : ndarray of shape (n_lines,), int64
        Index of the feature; `INTERCEPT`, or `OTHERS` for the features without a line of their own.
    values, weights : ndarray of shape (n_lines,), float64
        The feature and its weight; 1 and the intercept; NaN for `OTHERS`.
    contributions : ndarray of shape (n_lines,), float64
        Their product, rounded once; the exact sum of such products, rounded once, for `OTHERS`.
    """

    rows: NDArray[np.int64]
    entries: NDArray[np.int64]
    values: Floats
    weights: Floats
    contributions: Floats

    def find_overflow(self, has_missing: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        """Return the rows with a contribution that no float64 can hold."""
        infinite = self.rows[~np.isfinite(self.contributions)]
        if has_missing is not None:
            infinite = infinite[~has_missing[infinite]]
        return np.unique(infinite)


@_let_overflow
def explain_rows(
    model: Model,
    features: Floats,
    categories: NDArray[np.int64],
    *,
    versus: NDArray[np.int64] | None = None,
    top_features: int | None = None,
) -> Contributions:
    """Take scores apart into the contributions of the features.

    Parameters
    ----------
    model : Model
        Weights, intercept and categories.
    features : ndarray of shape (n_features, n_rows), float64
        Feature columns in canonical order; NaN where one is missing.
    categories : ndarray of shape (n_rows,), int64
        Index of the category whose score is taken apart; -1 for a row that gets no lines.
    versus : ndarray of shape (n_rows,), int64, optional
        Index of a category whose score is taken away from it: the weights are differences then,
        rounded once.
    top_features : int, optional
        Features that get a line of their own; the others are summed up in one.

    Returns
    -------
    Contributions
        Of each row the features by the size of their contributions, equal ones in canonical order
        and missing ones last; then the others; then the intercept, where the model has one.

    Examples
    --------
    >>> model = Model(np.array([[1.1, 0.1], [0.2, 1.2]]), None, ("adventure", "romance"))
    >>> lines = explain_rows(model, np.array([[1.0], [5.0]]), np.array([1]))
    >>> lines.entries.tolist(), lines.contributions.tolist()
    ([1, 0], [6.0, 0.1])
    """
    rows = np.flatnonzero(categories >= 0)
    weights, intercept = _weights_of(
        model, categories[rows], None if versus is None else versus[rows]
    )
    values = np.ascontiguousarray(features[:, rows].T)
    products = values * weights
    order = np.argsort(-np.abs(products), axis=1, kind="stable")
    n_features = len(features)
    n_shown = n_features if top_features is None else min(top_features, n_features)
    shown, hidden = order[:, :n_shown], order[:, n_shown:]
    parts = [(shown, *(np.take_along_axis(a, shown, axis=1) for a in (values, weights, products)))]
    if n_shown < n_features:
        rest = np.take_along_axis(products, hidden, axis=1)
        nothing = np.full((len(rows), 1), np.nan)
        parts.append((_column(len(rows), OTHERS), nothing, nothing, _sum_rows(rest)[:, None]))
    if intercept is not None:
        ones = np.ones((len(rows), 1))
        last = intercept[:, None]
        parts.append((_column(len(rows), INTERCEPT), ones, last, last))
    entries, *numbers = (np.hstack(part) for part in zip(*parts, strict=True))
    return Contributions(
        np.repeat(rows, entries.shape[1]), entries.ravel(), *(part.ravel() for part in numbers)
    )


def find_runner_up(scores: Floats, categories: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the category with the highest score beside a given one.

    Parameters
    ----------
    scores : ndarray of shape (n_categories, n_rows), float64
        At least two categories.
    categories : ndarray of shape (n_rows,), int64
        The category that is left out of each row.

    Returns
    -------
    ndarray of shape (n_rows,), int64
        The first of the highest, in the weights' order.
    """
    others = scores.copy()
    others[categories, np.arange(scores.shape[1])] = -np.inf
    runner_up: NDArray[np.int64] = others.argmax(axis=0)
    return runner_up


def _weights_of(
    model: Model, categories: NDArray[np.int64], versus: NDArray[np.int64] | None
) -> tuple[Floats, Floats | None]:
    """Return each row's weights, of shape (n_rows, n_features), and its intercept."""
    weights = model.weights.T[categories]
    intercept = None if model.intercept is None else model.intercept[categories]
    if versus is not None:
        weights = weights - model.weights.T[versus]
        intercept = None if intercept is None else intercept - model.intercept[versus]  # type: ignore[index]
    return weights, intercept


def _column(n_rows: int, entry: int) -> NDArray[np.int64]:
    return np.full((n_rows, 1), entry, dtype=np.int64)


def _sum_rows(products: Floats) -> Floats:
    """Sum each row exactly, rounded once."""
    return np.array([_sum(row) for row in products.tolist()], dtype=np.float64)


def _sum(terms: list[float]) -> float:
    try:
        return math.fsum(terms)
    except (OverflowError, ValueError):  # infinities of both signs, or a sum on its way to one
        return math.nan
