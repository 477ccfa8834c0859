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


@dataclass(frozen=True)
class Contributions:
    """What some scores are made of, one line a feature, a row's lines behind one another.

    All arrays are of shape (n_lines,).
    """

    rows: NDArray[np.int64]  # the row that a line belongs to
    entries: NDArray[np.int64]  # the feature; INTERCEPT, or OTHERS for those without a line
    values: Floats  # the feature; 1 of the intercept; NaN of OTHERS
    weights: Floats  # its weight; the intercept; NaN of OTHERS
    contributions: Floats  # their product, rounded once; the exact sum of them, rounded once

    def find_overflow(self, has_missing: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        """Return the rows with a contribution that no float64 can hold."""
        infinite = self.rows[~np.isfinite(self.contributions)]
        if has_missing is not None:
            infinite = infinite[~has_missing[infinite]]
        return np.unique(infinite)


@np.errstate(over="ignore", invalid="ignore")  # what overflows is found by `find_overflow`
def explain_rows(
    model: Model,
    features: Floats,
    categories: NDArray[np.int64],
    *,
    versus: NDArray[np.int64] | None = None,
    top_features: int | None = None,
) -> Contributions:
    """Take scores apart into the contributions of the features.

    `features` is (n_features, n_rows) in canonical order, NaN where one is missing; `categories`,
    (n_rows,), are those whose scores are taken apart, -1 for a row that gets no lines. The scores
    of `versus`, (n_rows,), are taken away from them: the weights are differences, rounded once.

    Of each row come the features by the size of their contributions, equal ones in canonical order
    and missing ones last, at most `top_features` of them; then the sum of the others; then the
    intercept, where the model has one.
    """
    rows = np.flatnonzero(categories >= 0)
    versus = None if versus is None else versus[rows]
    weights, intercept = _weights_of(model, categories[rows], versus)
    values = np.ascontiguousarray(features[:, rows].T)
    products = values * weights
    # NaN sorts last, whatever its sign.
    order = np.argsort(-np.abs(products), axis=1, kind="stable")
    n_features = len(features)
    n_shown = n_features if top_features is None else min(top_features, n_features)
    shown, hidden = order[:, :n_shown], order[:, n_shown:]
    parts = [(shown, *(np.take_along_axis(a, shown, axis=1) for a in (values, weights, products)))]
    if n_shown < n_features:
        rest = np.take_along_axis(products, hidden, axis=1)
        unknown = np.full((len(rows), 1), np.nan)
        parts.append((_column(len(rows), OTHERS), unknown, unknown, _sum_rows(rest)[:, None]))
    if intercept is not None:
        ones, last = np.ones((len(rows), 1)), intercept[:, None]
        parts.append((_column(len(rows), INTERCEPT), ones, last, last))
    entries, *numbers = (np.hstack(part) for part in zip(*parts, strict=True))
    return Contributions(
        np.repeat(rows, entries.shape[1]), entries.ravel(), *(part.ravel() for part in numbers)
    )


def find_runner_up(scores: Floats, categories: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the category with the highest score beside a given one, the first of equal ones.

    `scores` is (n_categories, n_rows) with two categories at least, `categories` (n_rows,).
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
