"""Prorating: what a row lacks is made up for by what it has, as questionnaires are scored.

The sum of a category's present features is taken as many times as it has features for each one that
is present; a feature of weight 0 is none of its own. That says something only where all of its
weights have one size, which `refuse_weights` sees to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from matscore.kernel import Decision, Floats, Marks, PackedWeights, Ranking
from matscore.names import quote_name, quote_names


def refuse_weights(
    weights: Floats, features: Sequence[str], categories: Sequence[str], least: int
) -> tuple[str, str]:
    """Say why scores of some weights cannot be prorated, and what to do; empty where they can."""
    for column, category in zip(weights.T, categories, strict=True):
        own = np.flatnonzero(column)
        sizes = np.abs(column[own])
        if len(other := np.flatnonzero(sizes != sizes[:1])):
            i, j = own[0], own[other[0]]
            one, two = (f"{quote_name(features[k])} has {column[k]}" for k in (i, j))
            what = f"--missing mean needs weights of one size, and of {quote_name(category)}"
            return f"{what} {one} and {two}", "say --missing skip, or fill the cells in"
        if 0 < len(own) < least:
            what = f"{quote_name(category)} has {len(own)} features, fewer than --min-present"
            return f"{what} {least}", f"say --min-present {len(own)} at most"
    return "", ""


def doubt_signs(weights: Floats, categories: Sequence[str]) -> tuple[str, ...]:
    """Say what a person should know of categories whose weights have both signs."""
    both = (weights > 0).any(axis=0) & (weights < 0).any(axis=0)
    if not both.any():
        return ()
    names = quote_names([categories[i] for i in np.flatnonzero(both).tolist()])
    what = f"weights of both signs ({names}) are made up for rightly only where 0 is the middle"
    return (f"{what} of the values; turn others round in the file",)


def count_features(weights: Floats, features: Floats) -> tuple[Floats, Floats]:
    """Count the features of each category, (n_categories, 1), and those of each row, one a row.

    Features are (n_features, n_rows), NaN where one is missing.
    """
    own = (weights != 0).T.astype(np.float64)
    # A product of zeros and ones is exact, whoever adds it up.
    return own.sum(axis=1, keepdims=True), own @ (~np.isnan(features)).astype(np.float64)


def find_factors(weights: Floats, features: Floats) -> Floats:
    """Return how many times each row's features count in each category, (n_categories, n_rows)."""
    n_own, n_there = count_features(weights, features)
    return np.where(n_there > 0, n_own / np.maximum(n_there, 1.0), 1.0)


def list_lacking(
    weights: Floats, features: Floats, categories: Sequence[str], least: int
) -> Iterator[tuple[int, str, str]]:
    """Yield the rows of which too little is there, with what is wrong and what to do."""
    rows = np.flatnonzero(np.isnan(features).any(axis=0))
    n_own, n_there = count_features(weights, features[:, rows])
    lacks = n_there < np.minimum(least, n_own)
    for at in np.flatnonzero(lacks.any(axis=0)).tolist():
        category = int(lacks[:, at].argmax())
        found, name = int(n_there[category, at]), quote_name(categories[category])
        what = f"{found} of the {int(n_own[category, 0])} features of {name} are there"
        way = f"--min-present {found} takes the row"
        yield int(rows[at]), what, way if found else "there is nothing to score it by"


class ProratedWeights(PackedWeights):
    """A linear model whose scores are prorated.

    The score of a row is ``sum * n / m + intercept``, each rounded once, where the sum is that of
    its present features, in canonical order, and m of the category's n features are there; where
    none is missing it is what `PackedWeights` gives.
    """

    def __init__(self, weights: Floats, intercept: Floats | None = None) -> None:
        super().__init__(weights, intercept)
        self._weights, self._intercept = weights, intercept
        self._sums = PackedWeights(weights)

    def __reduce__(self) -> tuple[Any, ...]:
        return ProratedWeights, (self._weights, self._intercept)

    def score(self, features: Floats, *, keep: bool = True) -> tuple[Floats, Decision]:
        """Return the scores and decide, as `PackedWeights.score` does."""
        rows = np.flatnonzero(np.isnan(features).any(axis=0))
        if not len(rows):
            return super().score(features, keep=keep)
        scores, decision = super().score(features)
        lacking = np.ascontiguousarray(features[:, rows])
        scores[:, rows] = found = self._prorate(lacking)
        for to, values in zip(decision, self._decide(lacking, found), strict=True):
            to[rows] = values
        return scores if keep else scores[:0], decision

    @np.errstate(over="ignore")  # what overflows makes a bad row
    def _prorate(self, features: Floats) -> Floats:
        n_own, n_there = count_features(self._weights, features)
        sums = self._sums.multiply(np.nan_to_num(features))
        whole = (n_own == n_there) | (n_there == 0)
        scores = np.where(whole, sums, sums * n_own / np.maximum(n_there, 1.0))
        return scores if self._intercept is None else scores + self._intercept[:, None]

    @np.errstate(invalid="ignore")
    def _decide(self, features: Floats, scores: Floats) -> Decision:
        marks = self.mark_ties(features, scores)
        tied, overflow = marks.sum(axis=0) > 1, np.any(~np.isfinite(scores), axis=0)
        best = np.where(marks.any(axis=0), marks.argmax(axis=0), -1)
        margin = np.full(len(best), np.nan)
        if len(scores) > 1:
            second, highest = np.partition(scores, -2, axis=0)[-2:]
            margin = np.where(tied, 0.0, highest - second)
        return Decision(best, margin, tied, overflow)

    def error_bound(self, features: Floats) -> Floats:
        """Bound the rounding error of each score."""
        return super().error_bound(self._widen(features))

    def mark_ties(self, features: Floats, scores: Floats) -> Marks:
        """Mark the best category of each row and what ties with it."""
        return super().mark_ties(self._widen(features), scores)

    def rank(self, features: Floats, scores: Floats, k: int) -> Ranking:
        """Rank the categories of scored rows."""
        return super().rank(self._widen(features), scores, k)

    @np.errstate(over="ignore")
    def _widen(self, features: Floats) -> Floats:
        """Return features whose products are as large as those that are taken several times.

        The error bound grows with them. It counts a rounding for each feature and one more; here
        are two more, and a feature less at least, for which a little is added.
        """
        missing = np.isnan(features)
        if not missing.any():
            return features
        most = find_factors(self._weights, features).max(axis=0)
        most[missing.any(axis=0)] *= 1.0 + 2.0 / len(features)
        wide: Floats = np.where(missing, 0.0, features) * most
        return wide
