"""One block of users: survivors found, scored exactly and ranked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matscore.product import Floats
from matscore.rank import NO_PLACE, rank_rows
from matscore.retrieve.block import Block, find_reach
from matscore.retrieve.catalog import Catalog
from matscore.retrieve.exact import bound_pairs, score_pairs, score_tile
from matscore.retrieve.scale import Places
from matscore.retrieve.screen import screen_items
from matscore.retrieve.survivors import Pairs, Survivors, TooManyError

MOST_PAIRS = 2**19
"""Pairs that are held for a block; a user alone may have more."""

_CELLS = 2**20


@dataclass(frozen=True)
class Found:
    """What some users get: one entry an item, user after user, best first.

    Attributes
    ----------
    user, item : ndarray of shape (n,), int64
        Indices.
    scores : ndarray of shape (n,), float64
        Their scores.
    tied : ndarray of shape (n,), bool
        Whether the order of the items settled the rank.
    overflow : ndarray of int64
        Users whose scores overflow.
    """

    user: Places
    item: Places
    scores: Floats
    tied: NDArray[np.bool_]
    overflow: Places

    def renumber(self, users: Places) -> Found:
        """Return the same with the users' numbers looked up."""
        return Found(users[self.user], self.item, self.scores, self.tied, users[self.overflow])


def search_block(
    catalog: Catalog, block: Block, k: int, min_score: float | None, *, screened: bool
) -> Found:
    """Find the best items for each user of a block.

    Parameters
    ----------
    catalog : Catalog
        The items.
    block : Block
        The users.
    k : int
        Items a user, at most.
    min_score : float or None
        The least score wanted.
    screened : bool
        Whether float32 is asked first; the scores must not overflow then.

    Returns
    -------
    Found
        Sorted by user and rank.
    """
    try:
        pairs, overflow = _find_pairs(catalog, block, k, screened=screened)
    except TooManyError:
        halves = np.array_split(np.arange(len(block.users)), 2)
        return join_found(
            [
                search_block(catalog, block.take(half), k, min_score, screened=screened).renumber(
                    half
                )
                for half in halves
            ]
        )
    return _rank_pairs(catalog, block, pairs, k, min_score, overflow)


def search_zeros(catalog: Catalog, block: Block, k: int, min_score: float | None) -> Found:
    """Find the items for users of zeros, whose products are all zero: the first in order."""
    excluded = block.excluded
    chosen = []
    for number in range(len(block.users)):
        out = excluded.item[excluded.user == number]
        among = np.arange(min(k + 1 + len(out), catalog.shape[0]))
        chosen.append(np.setdiff1d(among, out)[: k + 1])
    user: Places = np.repeat(np.arange(len(chosen)), [len(items) for items in chosen])
    item: Places = np.concatenate(chosen)
    zeros = np.zeros(len(user))
    none = np.empty(0, dtype=np.int64)
    return _rank_pairs(catalog, block, Pairs(user, item, zeros, zeros), k, min_score, none)


def join_found(parts: list[Found]) -> Found:
    """Return what all the users get, sorted by user."""
    user = np.concatenate([part.user for part in parts])
    order = np.argsort(user, kind="stable")
    return Found(
        user[order],
        np.concatenate([part.item for part in parts])[order],
        np.concatenate([part.scores for part in parts])[order],
        np.concatenate([part.tied for part in parts])[order],
        np.unique(np.concatenate([part.overflow for part in parts])),
    )


def _find_pairs(catalog: Catalog, block: Block, k: int, *, screened: bool) -> tuple[Pairs, Places]:
    """Return the pairs that can be among the first k, and the users whose scores overflow."""

    def settle(pairs: Pairs) -> Pairs:
        return _drop_alike(catalog, block, pairs, k)

    reach = find_reach(catalog, block.users)
    survivors = Survivors(k, block.floor.copy(), reach, MOST_PAIRS, settle)
    if screened:
        screen_items(catalog, block, k, survivors)
        overflow = np.empty(0, dtype=np.int64)
    else:
        overflow = _score_items(catalog, block, k, survivors)
    return survivors.thin_out(), overflow


def _score_items(catalog: Catalog, block: Block, k: int, survivors: Survivors) -> Places:
    """Collect the pairs of all items; return the users whose scores overflow."""
    overflow = np.zeros(len(block.users), dtype=bool)
    everyone, thinning = np.arange(len(block.users)), 1
    for tile, items in catalog.iter_tiles():
        scores = score_tile(catalog, block.users, items)
        if catalog.metric == "dot":
            overflow |= ~np.isfinite(scores).all(axis=1)
        scores[overflow] = -np.inf
        scores[:, catalog.find_unscored(items)] = -np.inf
        scores[block.excluded.find(items)[::-1]] = -np.inf
        if k <= scores.shape[1]:
            kth = np.partition(scores, scores.shape[1] - k, axis=1)[:, -k]
            survivors.raise_floor(_enclose(catalog, block, everyone, kth)[0])
        user, place = np.nonzero(scores >= _find_limits(catalog, block, survivors.floor)[:, None])
        low, high = _enclose(catalog, block, user, scores[user, place])
        survivors.add(Pairs(user, place + items.start, low, high))
        if tile + 1 == thinning:
            survivors.thin_out()
            thinning *= 2
    return np.flatnonzero(overflow)


def _find_limits(catalog: Catalog, block: Block, floor: Floats) -> Floats:
    """Return what a score must reach at least, rounded down; more than minus infinity."""
    with np.errstate(over="ignore"):
        limits = np.ldexp(floor, block.users.exponents + catalog.top_exponent)
    rounded: Floats = np.maximum(np.nextafter(limits, -np.inf), np.finfo(np.float64).min)
    return rounded


def _enclose(catalog: Catalog, block: Block, user: Places, scores: Floats) -> tuple[Floats, Floats]:
    """Turn scores into the unit of the user, rounded down and up."""
    scaled = np.ldexp(scores, -(block.users.exponents[user] + catalog.top_exponent))
    return np.nextafter(scaled, -np.inf), np.nextafter(scaled, np.inf)


def _drop_alike(catalog: Catalog, block: Block, pairs: Pairs, k: int) -> Pairs:
    """Score pairs exactly; of a user's pairs with one score and one bound keep the first.

    One more than k, so that the last of k is still seen to be tied.
    """
    scores = score_pairs(catalog, block.users, pairs.user, pairs.item)
    bounds = bound_pairs(catalog, block.users, pairs.user, pairs.item)
    order = np.lexsort((pairs.item, bounds, scores, pairs.user))
    differs = np.ones(len(order), dtype=bool)
    keys = np.stack([pairs.user[order], scores[order], bounds[order]])
    differs[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    starts = np.flatnonzero(differs)
    place = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    kept = np.sort(order[place <= k])
    user = pairs.user[kept]
    low, high = _enclose(catalog, block, user, scores[kept])
    return Pairs(user, pairs.item[kept], low, high)


def _rank_pairs(
    catalog: Catalog, block: Block, pairs: Pairs, k: int, min_score: float | None, overflow: Places
) -> Found:
    """Score pairs exactly and rank them."""
    order = np.lexsort((pairs.item, pairs.user))
    user, item = pairs.user[order], pairs.item[order]
    scores = score_pairs(catalog, block.users, user, item)
    wanted = ~np.isin(user, overflow)
    if min_score is not None:
        wanted &= scores >= min_score
    user, item, scores = user[wanted], item[wanted], scores[wanted]
    exponents = block.users.exponents + catalog.top_exponent
    with np.errstate(over="ignore"):
        widest = np.ldexp(find_reach(catalog, block.users), exponents)
    ranked = [
        _rank_some(catalog, block, user[some], item[some], scores[some], k, widest)
        for some in _cut_pairs(user, len(block.users))
    ]
    none = np.empty(0, dtype=np.int64)
    empty = Found(none, none, none.astype(np.float64), none.astype(bool), overflow)
    return join_found([empty, *ranked])


def _rank_some(
    catalog: Catalog, block: Block, user: Places, item: Places, scores: Floats, k: int,
    widest: Floats,
) -> Found:  # fmt: skip
    """Rank all pairs of some users, which are sorted by user and item."""
    who, starts, counts = np.unique(user, return_index=True, return_counts=True)
    row = np.repeat(np.arange(len(who)), counts)
    place = np.arange(len(user)) - starts[row]
    table = np.full((len(who), counts.max()), -np.inf)
    table[row, place] = scores

    def find_bounds(rows: Places) -> Floats:
        some = np.flatnonzero(np.isin(row, rows))
        bounds = np.zeros((len(rows), table.shape[1]))
        at = np.searchsorted(rows, row[some]), place[some]
        bounds[at] = bound_pairs(catalog, block.users, user[some], item[some])
        return bounds

    ranking = rank_rows(table, k, widest[who], find_bounds)
    there = ranking.places != NO_PLACE
    rank_row, _ = np.nonzero(there)
    chosen = starts[rank_row] + ranking.places[there]
    none = np.empty(0, dtype=np.int64)
    return Found(who[rank_row], item[chosen], scores[chosen], ranking.tied[there], none)


def _cut_pairs(user: Places, n_users: int) -> Iterator[slice]:
    """Cut pairs, sorted by user, such that a table of a part's users is of bounded size."""
    ends = np.searchsorted(user, np.arange(n_users), side="right")
    counts = np.diff(ends, prepend=0).tolist()
    start = first = most = 0
    for number, count in enumerate(counts):
        stop = int(ends[number])
        if stop > start and max(most, count) * (number + 1 - first) > _CELLS:
            before = stop - count
            if before > start:
                yield slice(start, before)
            start, first, most = before, number, 0
        most = max(most, count)
    if start < len(user):
        yield slice(start, len(user))
