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
NOTHING = -3


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
        """Return the row of each contribution that no float64 can hold."""
        infinite = self.rows[~np.isfinite(self.contributions)]
        if has_missing is not None:
            infinite = infinite[~has_missing[infinite]]
        return infinite


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

    `features` is (n_features, n_rows) as in `Rows`, NaN where one is missing; `categories`,
    (n_rows,), are those whose scores are taken apart, -1 for a row that gets no lines. The scores
    of `versus`, (n_rows,), are taken away from them: the weights are differences, rounded once.

    Of each row come the features by the size of their contributions, equal ones in canonical order
    and missing ones last, at most `top_features` of them; then the sum of the others; then the
    intercept, where the model has one. Of levels come those that the row has.
    """
    rows = np.flatnonzero(categories >= 0)
    versus = None if versus is None else versus[rows]
    values, active = _find_active(model, features[:, rows])
    factors = model.find_factors(features[:, rows])
    if factors is not None:  # what is missing has no line; the others count several times
        values, active = np.nan_to_num(values), np.where(np.isnan(values), NOTHING, active)
    weights, intercept = _weights_of(model, active, categories[rows], versus, factors)
    products = values * weights
    # NaN sorts last, whatever its sign, and what does not count after it.
    sizes = -np.abs(products)
    order = np.argsort(np.where(active < 0, np.inf, sizes), axis=1, kind="stable")
    n_lines = values.shape[1]
    n_shown = n_lines if top_features is None else min(top_features, n_lines)
    shown, hidden = order[:, :n_shown], order[:, n_shown:]
    lines = (active, values, weights, products)
    parts = [tuple(np.take_along_axis(line, shown, axis=1) for line in lines)]
    if n_shown < n_lines:
        rest = np.take_along_axis(products, hidden, axis=1)
        unknown = np.full((len(rows), 1), np.nan)
        sums = np.array([_sum(row) for row in rest.tolist()], dtype=np.float64)[:, None]
        parts.append((_column(len(rows), OTHERS), unknown, unknown, sums))
    if intercept is not None:
        ones, last = np.ones((len(rows), 1)), intercept[:, None]
        parts.append((_column(len(rows), INTERCEPT), ones, last, last))
    entries, *numbers = (np.hstack(part) for part in zip(*parts, strict=True))
    counts = entries != NOTHING
    return Contributions(
        np.repeat(rows, counts.sum(axis=1)), entries[counts], *(part[counts] for part in numbers)
    )


def _find_active(model: Model, features: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return what is multiplied in each row, in canonical order, and which feature it is.

    Both are of shape (n_rows, n_lines). Of terms of which at most one counts, that one; NOTHING
    where none does, or where a term that is 0 or 1 is 0.
    """
    if model.terms is None:
        values = np.ascontiguousarray(features.T)
        return values, np.broadcast_to(np.arange(len(features)), values.shape)
    gathers, tests = model.terms.gathers, model.terms.tests
    lines: list[Floats] = []
    places: list[NDArray[np.int64]] = []
    for row, term in gathers.dense.tolist():
        lines.append(features[row])
        places.append(np.where(tests[term] & (features[row] == 0), NOTHING, term))
    for codes, value, terms in gathers.groups:
        known = np.append(terms, -1)  # where a code is -1, or NaN
        of_row = np.nan_to_num(features[codes], nan=-1).astype(np.int64)
        ones = np.where(np.isnan(features[codes]), np.nan, 1.0)
        lines.append(features[value] if value >= 0 else ones)
        places.append(np.where(known[of_row] < 0, NOTHING, known[of_row]))
    order = np.argsort(np.array(places).T, axis=1, kind="stable")
    return (
        np.take_along_axis(np.array(lines).T, order, axis=1),
        np.take_along_axis(np.array(places).T, order, axis=1),
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
    model: Model,
    active: NDArray[np.int64],
    categories: NDArray[np.int64],
    versus: NDArray[np.int64] | None,
    factors: Floats | None,
) -> tuple[Floats, Floats | None]:
    """Return the weights of each row's features, of their shape, and its intercept."""

    def take(chosen: NDArray[np.int64]) -> Floats:
        found = model.weights[active, chosen[:, None]]
        return found if factors is None else found * factors[chosen, np.arange(len(chosen)), None]

    weights = take(categories)
    intercept = None if model.intercept is None else model.intercept[categories]
    if versus is not None:
        weights = weights - take(versus)
        intercept = None if intercept is None else intercept - model.intercept[versus]  # type: ignore[index]
    return np.where(active < 0, 0.0, weights), intercept


def _column(n_rows: int, entry: int) -> NDArray[np.int64]:
    return np.full((n_rows, 1), entry, dtype=np.int64)


def _sum(terms: list[float]) -> float:
    """Return the exact sum, rounded once."""
    try:
        return math.fsum(terms)
    except (OverflowError, ValueError):  # infinities of both signs, or a sum on its way to one
        return math.nan
