"""Scores of single pairs of user and item in float64, and their rounding errors.

A product's bits do not depend on which of the two is the row and which the category: BLAS forms
the same products, whose factors commute, and adds them in an order that depends on the shape of the
call alone (`matscore.product`). So users are taken for categories, a tile of them at a time, and
the items that any of them wants for rows: a call gives many more of the wanted pairs that way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from matscore.product import Floats, block_height, error_bound, multiply_blocks
from matscore.retrieve.catalog import Catalog, Users
from matscore.retrieve.scale import UNDERFLOWS, Places, scoring_unit

_USERS = 8
_ITEMS = 4096
"""Rows that are gathered at a time, times features, are a few megabytes."""
_HUGE = 2.0**1000


def score_pairs(catalog: Catalog, users: Users, user: Places, item: Places) -> Floats:
    """Return the scores of pairs.

    Parameters
    ----------
    catalog : Catalog
        The items.
    users : Users
        The users.
    user, item : ndarray of shape (n_pairs,), int64
        Indices; the users in ascending order.

    Returns
    -------
    ndarray of shape (n_pairs,), float64
        For the product the very bits of `matscore.product.multiply_blocks`.
    """
    scores = _multiply_pairs(catalog, users, user, item, _multiply)
    if users.norms is not None and catalog.norms is not None:
        scores /= users.norms[user] * catalog.norms[item]
        np.clip(scores, -1.0, 1.0, out=scores)
    return scores


def bound_pairs(catalog: Catalog, users: Users, user: Places, item: Places) -> Floats:
    """Return the rounding errors of the scores of pairs, given and returned like `score_pairs`."""
    if users.norms is None or catalog.norms is None:
        return _multiply_pairs(catalog, users, user, item, _bound)
    unit = scoring_unit(catalog.shape[1], cosine=True)
    sizes = _multiply_pairs(catalog, users, user, item, _multiply_sizes)
    sizes /= users.norms[user] * catalog.norms[item]
    bounds: Floats = sizes * unit + catalog.shape[1] * UNDERFLOWS
    return bounds


def score_tile(catalog: Catalog, users: Users, items: slice) -> Floats:
    """Return the scores of all users with the items of a tile.

    Returns
    -------
    ndarray of shape (n_users, n_items of the tile), float64
        Infinite or NaN where they overflow.
    """
    found = catalog.rows[items]
    scores = _multiply(found, users.rows)
    if users.norms is not None and catalog.norms is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            scores /= users.norms[:, None] * catalog.norms[items]
        np.clip(scores, -1.0, 1.0, out=scores)
    return scores


def _multiply_pairs(
    catalog: Catalog,
    users: Users,
    user: Places,
    item: Places,
    multiply: Callable[[Floats, Floats], Floats],
) -> Floats:
    """Take the pairs out of products of some items and some users."""
    values = np.empty(len(user))
    for some, few in _group_pairs(users, user):
        wanted, place = np.unique(item[some], return_inverse=True)
        for start in range(0, len(wanted), _ITEMS):
            here = wanted[start : start + _ITEMS]
            product = multiply(catalog.rows[here], users.rows[few])
            if len(here) == len(wanted):
                values[some] = product[user[some] - few.start, place]
            else:
                inside = np.flatnonzero((place >= start) & (place < start + len(here)))
                at = product[user[some][inside] - few.start, place[inside] - start]
                values[some.start + inside] = at
    return values


def _group_pairs(users: Users, user: Places) -> Iterator[tuple[slice, slice]]:
    """Yield runs of pairs and the eight users that they are of."""
    starts = range(0, len(users), _USERS)
    ends = np.searchsorted(user, [*starts, len(users)]).tolist()
    for first, start, stop in zip(starts, ends[:-1], ends[1:], strict=True):
        if start < stop:
            yield slice(start, stop), slice(first, min(first + _USERS, len(users)))


def _multiply(items: Floats, users: Floats) -> Floats:
    """Return products, of shape (n_users, n_items)."""
    return multiply_blocks(_block_rows(items), users.T)[:, : len(items)]


def _multiply_sizes(items: Floats, users: Floats) -> Floats:
    return _multiply(np.abs(items), np.abs(users))


def _bound(items: Floats, users: Floats) -> Floats:
    with np.errstate(over="ignore"):
        most = np.abs(items).max() * np.abs(users).max() * len(users.T)
    if most < _HUGE:
        return error_bound(np.ascontiguousarray(items.T), users.T)
    # Where the sum of the sizes overflows, a bound's bits do depend on which of the two is the row.
    return error_bound(np.ascontiguousarray(users.T), items.T).T


def _block_rows(rows: Floats) -> Floats:
    """Copy rows into blocks as `matscore.product.block_features` does with columns."""
    n_rows, n_features = rows.shape
    height = block_height(n_features)
    n_full, n_rest = divmod(n_rows, height)
    blocks = np.empty((n_full + (n_rest > 0), n_features, height))
    blocks[:n_full] = rows[: n_full * height].reshape(n_full, height, n_features).swapaxes(1, 2)
    if n_rest:
        blocks[-1, :, :n_rest] = rows[n_full * height :].T
        blocks[-1, :, n_rest:] = 0.0
    return blocks
