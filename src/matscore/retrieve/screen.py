"""Which items can be among a user's first k: float32 decides for nearly all of them.

A tile of items times a block of users is one product, whose scores stay in the cache. The highest
score of each group of items, which NumPy finds a whole row of users at a time, is compared with a
bound that k scores are known to reach; only in the few groups above it are the scores looked at one
by one. All comparisons allow for the rounding errors of both products, in float32 and in float64.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from matscore.product import Floats
from matscore.retrieve.block import Block, find_lost
from matscore.retrieve.catalog import TILE, Catalog, Users
from matscore.retrieve.scale import Floats32, scoring_unit, screening_unit
from matscore.retrieve.survivors import Pairs, Survivors

GROUP = 32
"""Items that share one maximum."""

_GROWTH = 2
"""Survivors are thinned out when so many times as many items have been seen as the last time."""

_HITS = 2**14
"""Groups that are looked into at a time, for the memory that it takes."""

_LOWEST = np.finfo(np.float32).min


def screen_items(catalog: Catalog, block: Block, k: int, survivors: Survivors) -> None:
    """Find the items that can be among the first k of each user.

    Parameters
    ----------
    catalog : Catalog
        The items.
    block : Block
        The users.
    k : int
        Ranks wanted.
    survivors : Survivors
        Takes what is found.

    Raises
    ------
    TooManyError
        From `survivors`.
    """
    n_users, thinning = len(block.users), 1
    buffer = np.empty(TILE * n_users, dtype=np.float32)
    maxima = np.empty((TILE // GROUP, n_users), dtype=np.float32)
    for tile, items in catalog.iter_tiles():
        scores = _score_tile(catalog, block.users, items, buffer)
        scores[catalog.find_unscored(items)] = -np.inf
        scores[block.excluded.find(items)] = -np.inf
        groups = scores.reshape(-1, GROUP, n_users)
        highest = np.maximum.reduce(groups, axis=1, out=maxima[: len(groups)])
        error = find_error(catalog, block.users, tile)
        shift = int(catalog.exponents[tile]) - catalog.top_exponent
        if tile == 0:
            survivors.raise_floor(_find_kth(highest, scores, k, error, shift))
        limits = _find_limits(survivors.floor, error, shift)
        for pairs in _iter_hits(groups, highest, limits, error, shift, items.start):
            survivors.add(pairs)
        if tile + 1 == thinning:
            survivors.thin_out()
            thinning *= _GROWTH


def find_error(catalog: Catalog, users: Users, tile: int) -> Floats:
    """Bound how far a float32 score of a tile can be from the float64 score.

    Parameters
    ----------
    catalog : Catalog
        The items.
    users : Users
        The users.
    tile : int
        Number of the tile.

    Returns
    -------
    ndarray of shape (n_users,), float64
        In the unit of the tile.
    """
    n_features = catalog.shape[1]
    relative, absolute = screening_unit(n_features)
    relative += 2 * scoring_unit(n_features, cosine=catalog.metric == "cosine")
    lost = 2 * find_lost(catalog, users, int(catalog.exponents[tile]))
    error: Floats = users.sizes * (relative * catalog.sizes[tile])
    error += lost
    error += absolute
    return error


def _score_tile(catalog: Catalog, users: Users, items: slice, buffer: Floats32) -> Floats32:
    """Multiply; the rows of a last group that is not full are minus infinity."""
    n_items, n_users = items.stop - items.start, len(users)
    n_rows = -(-n_items // GROUP) * GROUP
    scores: Floats32 = buffer[: n_rows * n_users].reshape(n_rows, n_users)
    np.matmul(catalog.screen[items], users.screen.T, out=scores[:n_items])
    scores[n_items:] = -np.inf
    return scores


def _find_kth(highest: Floats32, scores: Floats32, k: int, error: Floats, shift: int) -> Floats:
    """Return what k scores of each user reach in a tile, in the unit of the user."""
    among = highest if k <= len(highest) else scores
    if k > len(among):
        return np.full(len(error), -np.inf)
    kth = np.partition(among, len(among) - k, axis=0)[len(among) - k]
    low: Floats = np.nextafter(np.ldexp(kth - error, shift), -np.inf)
    return low


def _find_limits(floor: Floats, error: Floats, shift: int) -> Floats32:
    """Return what a float32 score of a tile must reach at least, rounded down."""
    with np.errstate(over="ignore"):
        limits = np.ldexp(floor, -shift) - error
        rounded = np.nextafter(limits.astype(np.float32), np.float32(-np.inf))
    limits32: Floats32 = np.maximum(
        rounded, _LOWEST
    )  # what is left out, minus infinity, is under it
    return limits32


def _iter_hits(
    groups: Floats32, highest: Floats32, limits: Floats32, error: Floats, shift: int, start: int
) -> Iterator[Pairs]:
    """Yield the pairs of a tile that reach the limits."""
    group, user = np.divmod(np.flatnonzero(highest >= limits), highest.shape[1])
    for first in range(0, len(group), _HITS):
        part = slice(first, first + _HITS)
        found = groups[group[part], :, user[part]]
        there = np.flatnonzero(found >= limits[user[part]][:, None])
        hit, place = np.divmod(there, GROUP)
        who = user[part][hit]
        values, slack = found.ravel()[there].astype(np.float64), error[who]
        low = np.nextafter(np.ldexp(values - slack, shift), -np.inf)
        high = np.nextafter(np.ldexp(values + slack, shift), np.inf)
        yield Pairs(who, start + group[part][hit] * GROUP + place, low, high)
