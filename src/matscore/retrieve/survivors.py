"""Who can still be among a user's first k: pairs of user and item, thinned out again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from matscore.product import Floats
from matscore.retrieve.scale import Places


class TooManyError(Exception):
    """More pairs are within reach of the k-th score than are to be held for so many users."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of user and item.

    Attributes
    ----------
    user, item : ndarray of shape (n_pairs,), int64
        Indices.
    low, high : ndarray of shape (n_pairs,), float64
        Bounds on the score, in the unit of the user.
    """

    user: Places
    item: Places
    low: Floats
    high: Floats

    def take(self, pairs: Places) -> Pairs:
        """Return some of them."""
        return Pairs(self.user[pairs], self.item[pairs], self.low[pairs], self.high[pairs])


class Survivors:
    """Collects pairs and drops those that cannot be among the first k of their user any more.

    At any rank up to k, the highest score left is at least the k-th highest of all, and what ties
    with it is at most the reach below. So every pair whose score is below the k-th highest by more
    than the reach can go, and so can the pairs below the k-th highest of the pairs' low bounds.

    Parameters
    ----------
    k : int
        Ranks wanted.
    floor : ndarray of shape (n_users,), float64
        No pair with a score below it is wanted, in the unit of the user.
    reach : ndarray of shape (n_users,), float64
        How far apart two scores can be and still tie, in the unit of the user.
    most : int
        Pairs that are held.
    settle : callable
        Takes pairs, gives those that remain after their scores are computed exactly and all but
        the first k of those that are alike are dropped.
    """

    def __init__(
        self, k: int, floor: Floats, reach: Floats, most: int, settle: Callable[[Pairs], Pairs]
    ) -> None:
        self.floor = floor
        self._k = k
        self._reach = reach
        self._most = most
        self._settle = settle
        self._held: list[Pairs] = []
        self._n_held = 0

    def add(self, pairs: Pairs) -> None:
        """Take pairs in; some are dropped at once when they are too many.

        Raises
        ------
        TooManyError
            They are too many for a block of users.
        """
        self._held.append(pairs)
        self._n_held += len(pairs.user)
        if self._n_held <= self._most:
            return
        self.thin_out()
        if 2 * self._n_held > self._most:
            settled = self._settle(self.thin_out())
            self._hold(settled)
            self.thin_out()
            if 2 * self._n_held > self._most and len(self.floor) > 1:
                raise TooManyError

    def raise_floor(self, low: Floats) -> None:
        """Take in that, for each user, k scores are at least `low`, of shape (n_users,)."""
        np.maximum(self.floor, low - self._reach, out=self.floor)

    def thin_out(self) -> Pairs:
        """Raise the floor to what the pairs allow, and drop the pairs under it.

        Returns
        -------
        Pairs
            What remains, sorted by user, the users' items from the lowest bound up.
        """
        pairs = join_pairs(self._held)
        order = np.lexsort((pairs.low, pairs.user.astype(np.uint16)))
        user = pairs.user[order]
        ends = np.searchsorted(user, np.arange(len(self.floor)), side="right")
        counts = np.diff(ends, prepend=0)
        rich = np.flatnonzero(counts >= self._k)
        kth = np.full(len(self.floor), -np.inf)
        kth[rich] = pairs.low[order[ends[rich] - self._k]]
        self.raise_floor(kth)
        order = order[pairs.high[order] >= self.floor[user]]
        self._hold(pairs.take(order))
        return self._held[0]

    def _hold(self, pairs: Pairs) -> None:
        self._held = [pairs]
        self._n_held = len(pairs.user)


def join_pairs(parts: list[Pairs]) -> Pairs:
    """Return all the pairs of some."""
    if len(parts) == 1:
        return parts[0]
    empty = np.empty(0, dtype=np.int64)
    if not parts:
        return Pairs(empty, empty, empty.astype(np.float64), empty.astype(np.float64))
    return Pairs(
        np.concatenate([part.user for part in parts]),
        np.concatenate([part.item for part in parts]),
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.high for part in parts]),
    )
