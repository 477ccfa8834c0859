"""The best items for each user: exact in float64, at the speed of float32, in flat memory.

For a block of users, `screen` finds the few items that can be among the first k at all, a bound on
float32's rounding error at hand; their scores are computed again in float64, bit for bit as
`matscore.product` does, and ranked by the tie rule of `matscore.rank`. Where float32 cannot decide
(a catalog that is not much longer than k, scores that may overflow) all items are scored in
float64.

From the bottom up, each importing only those before it: `scale`; `catalog`; `block`, `exact`;
`survivors`; `screen`; `search`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from matscore.errors import UsageError
from matscore.product import Floats
from matscore.retrieve.block import Block, Excluded
from matscore.retrieve.catalog import (
    TILE,
    Catalog,
    Metric,
    Rows,
    Users,
    fill_catalog,
    make_catalog,
    make_users,
)
from matscore.retrieve.exact import score_tile
from matscore.retrieve.scale import Places, screening_unit
from matscore.retrieve.search import MOST_PAIRS, Found, join_found, search_block, search_zeros

__all__ = [
    "TILE",
    "Catalog",
    "Exclusions",
    "Metric",
    "RecommendOptions",
    "Recommended",
    "Rows",
    "fill_catalog",
    "make_catalog",
    "recommend_rows",
    "score_users",
]

_USERS = 512
_FEW_ITEMS = 2048
_SAFE_EXPONENT = 1022


@dataclass(frozen=True)
class RecommendOptions:
    """What is recommended.

    Attributes
    ----------
    k : int
        Items a user, at most.
    min_score : float or None
        Items with a lower score are not recommended.
    """

    k: int = 10
    min_score: float | None = None

    def check(self) -> None:
        """Refuse what has no meaning.

        Raises
        ------
        UsageError
            No item is wanted, or the least score is not a finite number.
        """
        if self.k < 1:
            raise UsageError(f"k cannot be {self.k}", "say how many items a user is to get")
        if self.min_score is not None and not math.isfinite(self.min_score):
            raise UsageError(f"min_score cannot be {self.min_score}", "give it a finite number")


@dataclass(frozen=True)
class Exclusions:
    """Items to leave out, user by user.

    Attributes
    ----------
    starts : ndarray of shape (n_users + 1,), int64
        Where each user's items begin and end in `items`.
    items : ndarray of int64
        Indices of items; duplicates do no harm.
    """

    starts: Places
    items: Places


@dataclass(frozen=True)
class Recommended:
    """The best items of some users, user after user, best first.

    Attributes
    ----------
    counts : ndarray of shape (n_users,), int64
        Items a user.
    items : ndarray of shape (counts.sum(),), int64
        Indices of items.
    scores : ndarray of the same shape, float64
        Their scores.
    tied : ndarray of the same shape, bool
        Whether another score was within rounding error when the order settled the rank.
    """

    counts: Places
    items: Places
    scores: Floats
    tied: NDArray[np.bool_]

    @property
    def ranks(self) -> Places:
        """From 1 for each user."""
        ends = np.cumsum(self.counts)
        return np.arange(1, len(self.items) + 1) - np.repeat(ends - self.counts, self.counts)


def recommend_rows(
    catalog: Catalog,
    features: Sequence[Floats],
    n_rows: int,
    options: RecommendOptions,
    has_missing: NDArray[np.bool_] | None = None,
    exclusions: Exclusions | None = None,
) -> tuple[Recommended, Places]:
    """Find the best items for each user.

    Parameters
    ----------
    catalog : Catalog
        The items.
    features : sequence of ndarray of shape (n_rows,), float64
        The users' columns in canonical order; finite, or NaN where `has_missing`.
    n_rows : int
        Number of users.
    options : RecommendOptions
        How many items, and from which score on.
    has_missing : ndarray of shape (n_rows,), bool, optional
        Users with a missing feature: nothing is recommended to them.
    exclusions : Exclusions, optional
        Items to leave out.

    Returns
    -------
    Recommended
        Of the items that are not left out and whose scores reach the least one, those that the
        rule of `matscore.rank` puts first.
    ndarray of int64
        Users whose scores overflow; they are to be refused. Nothing is recommended to them.

    Examples
    --------
    >>> films = make_catalog([np.array([0.8, 0.2]), np.array([0.1, 0.9])], 2)
    >>> best, _ = recommend_rows(films, [np.array([0.9, 0.1]), np.array([0.2, 0.8])], 2,
    ...                          RecommendOptions(k=1))
    >>> best.items.tolist(), best.counts.tolist()
    ([0, 1], [1, 1])
    """
    nobody = np.zeros(n_rows, dtype=bool) if has_missing is None else has_missing
    users = make_users(features, catalog.metric, nobody)
    floor = _find_floor(catalog, users, options.min_score)
    floor[nobody] = np.inf
    everybody = Block(users, _sort_exclusions(exclusions, n_rows), floor)
    k = min(options.k, catalog.shape[0])
    none = np.empty(0, dtype=np.int64)
    found = [Found(none, none, none.astype(np.float64), none.astype(bool), none)]
    for way, rows in _split_users(catalog, users, k, nobody):
        some = everybody.take(rows)
        if way == "zeros":
            part = search_zeros(catalog, some, k, options.min_score)
        else:
            part = search_block(catalog, some, k, options.min_score, screened=way == "screened")
        found.append(part.renumber(rows))
    whole = join_found(found)
    counts = np.bincount(whole.user, minlength=n_rows)
    return Recommended(counts, whole.item, whole.scores, whole.tied), whole.overflow


def score_users(
    catalog: Catalog,
    features: Sequence[Floats],
    n_rows: int,
    has_missing: NDArray[np.bool_] | None = None,
) -> Floats:
    """Return the scores of all items for each user.

    Parameters
    ----------
    catalog, features, n_rows, has_missing
        As in `recommend_rows`.

    Returns
    -------
    ndarray of shape (n_rows, n_items), float64
        NaN for a user with a missing feature, and where zeros have no cosine; infinite or NaN where
        a product overflows.

    Examples
    --------
    >>> films = make_catalog([np.array([0.8, 0.2]), np.array([0.1, 0.9])], 2)
    >>> score_users(films, [np.array([0.5]), np.array([0.0])], 1).tolist()
    [[0.4, 0.1]]
    """
    nobody = np.zeros(n_rows, dtype=bool) if has_missing is None else has_missing
    users = make_users(features, catalog.metric, nobody)
    scores = np.empty((n_rows, catalog.shape[0]))
    for _, items in catalog.iter_tiles():
        scores[:, items] = score_tile(catalog, users, items)
    scores[nobody] = np.nan
    return scores


def _sort_exclusions(exclusions: Exclusions | None, n_rows: int) -> Excluded:
    if exclusions is None:
        none = np.empty(0, dtype=np.int64)
        return Excluded(none, none)
    user = np.repeat(np.arange(n_rows), np.diff(exclusions.starts))
    order = np.argsort(exclusions.items, kind="stable")
    return Excluded(user[order], exclusions.items[order])


def _find_floor(catalog: Catalog, users: Users, min_score: float | None) -> Floats:
    """Return the least score wanted, in the unit of each user, rounded down."""
    if min_score is None:
        return np.full(len(users), -np.inf)
    with np.errstate(over="ignore"):
        scaled = np.ldexp(min_score, -(users.exponents + catalog.top_exponent))
    floor: Floats = np.nextafter(scaled, -np.inf)
    return floor


def _split_users(
    catalog: Catalog, users: Users, k: int, nobody: NDArray[np.bool_]
) -> Iterator[tuple[Literal["screened", "scored", "zeros"], Places]]:
    """Yield blocks of users and how they are found; who gets nothing is in none of them."""
    n_items, n_features = catalog.shape
    zeros = users.sizes == 0.0
    some: Places
    if catalog.metric == "dot":
        some = np.flatnonzero(zeros & ~nobody)
        for start in range(0, len(some), _USERS):
            yield "zeros", some[start : start + _USERS]
    few = n_items <= max(_FEW_ITEMS, 4 * k) or not np.isfinite(screening_unit(n_features)[0])
    # The sum of the sizes of all terms is less than two to that.
    most = users.exponents + catalog.top_exponent + n_features.bit_length()
    scored = few | ((most > _SAFE_EXPONENT) & (catalog.metric == "dot"))
    height = max(1, min(_USERS, MOST_PAIRS // (4 * k)))
    some = np.flatnonzero(~scored & ~zeros & ~nobody)
    for start in range(0, len(some), height):
        yield "screened", some[start : start + height]
    some = np.flatnonzero(scored & ~zeros & ~nobody)
    for start in range(0, len(some), height):
        yield "scored", some[start : start + height]
