"""A block of users who are served together, and what they are not to get."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matscore.product import UNDERFLOW, Floats
from matscore.retrieve.catalog import Catalog, Users
from matscore.retrieve.scale import UNDERFLOWS, Places, scoring_unit


@dataclass(frozen=True)
class Excluded:
    """Pairs to leave out.

    Attributes
    ----------
    user, item : ndarray of shape (n_pairs,), int64
        Indices, the items in ascending order.
    """

    user: Places
    item: Places

    def find(self, items: slice) -> tuple[Places, Places]:
        """Return the pairs of some items: the items' places among them, and the users."""
        start, stop = np.searchsorted(self.item, [items.start, items.stop])
        return self.item[start:stop] - items.start, self.user[start:stop]

    def take(self, users: Places, n_users: int) -> Excluded:
        """Return the pairs of some of the users, numbered anew."""
        number = np.full(n_users, -1)
        number[users] = np.arange(len(users))
        kept = np.flatnonzero(number[self.user] >= 0)
        return Excluded(number[self.user[kept]], self.item[kept])


@dataclass(frozen=True)
class Block:
    """Users who are served together.

    A user's scores are compared in a unit of its own: the score divided by the powers of two that
    the user and the largest item were scaled by.

    Attributes
    ----------
    users : Users
        The users.
    excluded : Excluded
        What they are not to get.
    floor : ndarray of shape (n_users,), float64
        What a score must reach, in the unit of the user; infinite for who gets nothing.
    """

    users: Users
    excluded: Excluded
    floor: Floats

    def take(self, users: Places) -> Block:
        """Return some of the users."""
        excluded = self.excluded.take(users, len(self.users))
        return Block(self.users.take(users), excluded, self.floor[users])


def find_reach(catalog: Catalog, users: Users) -> Floats:
    """Bound from above how far apart two scores of each user can be and still tie.

    Parameters
    ----------
    catalog : Catalog
        The items.
    users : Users
        The users.

    Returns
    -------
    ndarray of shape (n_users,), float64
        In the unit of the user.
    """
    n_features, cosine = catalog.shape[1], catalog.metric == "cosine"
    largest = np.ldexp(catalog.sizes, catalog.exponents - catalog.top_exponent).max()
    sizes = users.sizes * (largest * scoring_unit(n_features, cosine=cosine))
    reach: Floats = 2.5 * sizes + 4 * find_lost(catalog, users, catalog.top_exponent)
    return reach


def find_lost(catalog: Catalog, users: Users, exponent: int) -> Floats:
    """Return what a float64 score may lose to underflow.

    Parameters
    ----------
    catalog : Catalog
        The items.
    users : Users
        The users.
    exponent : int
        What the items are scaled by.

    Returns
    -------
    ndarray of shape (n_users,), float64
        In the unit of such items.
    """
    lost = catalog.shape[1] * (UNDERFLOW if catalog.metric == "dot" else UNDERFLOWS)
    with np.errstate(over="ignore"):
        return np.ldexp(lost, -(users.exponents + exponent))
