"""The items of ``recommend``: read and held, and the pairs that are left out."""

from __future__ import annotations

import numpy as np
import polars as pl

from matscore.files.pairs import read_pairs
from matscore.files.table import ReadOptions
from matscore.options import OutputOptions
from matscore.plan import Plan
from matscore.prepare import Weights
from matscore.retrieve import TILE, Catalog, Metric, fill_catalog, make_catalog
from matscore.work.ranked import RankColumns
from matscore.work.recommend import MatrixColumns, Seen

_USERS_A_CHUNK = 512
_CELLS_A_CHUNK = 2**22
_BYTES_A_CELL = 12
_MOST_BYTES = 4 * 2**20
_LEAST_BYTES = 2**14


def hold_items(plan: Plan, held: Weights, metric: Metric) -> Catalog:
    """Return the items of a file, their features in the plan's order.

    Items in rows are not copied: what was read is put in order where it is, and not to be used
    after that.
    """
    values = held.matrix.values(label_column=plan.weights_label_column)
    index = list(plan.weights_index)
    if not plan.transpose:
        return make_catalog([values[i] for i in index], len(plan.categories), metric)
    rows = values[:, : len(index)]
    tiles = (values[start : start + TILE, index] for start in range(0, len(values), TILE))
    return fill_catalog(tiles, metric, rows, np.empty(rows.shape, dtype=np.float32))


def read_seen(
    path: str, read: ReadOptions, items: tuple[str, ...], *, checksum: bool = False
) -> Seen:
    """Read the pairs that are not to be recommended.

    Parameters
    ----------
    path : str
        A file whose first two columns are users and items.
    read : ReadOptions
        How it is read.
    items : tuple of str
        The items' labels.
    checksum : bool
        Whether the file's sha256 is computed on the way.

    Returns
    -------
    Seen
        With the pairs whose items are known.

    Raises
    ------
    InputError, FileError
        It cannot be read.
    """
    who, what, facts = read_pairs(path, read, checksum=checksum)
    known = {label: place for place, label in enumerate(items)}
    labels = who.unique(maintain_order=True).to_list()
    places = {label: place for place, label in enumerate(labels)}
    user = np.array([places[label] for label in who.to_list()], dtype=np.int64)
    item = np.array([known.get(label, -1) for label in what.to_list()], dtype=np.int64)
    n_unknown = what.filter(pl.Series(item < 0)).n_unique() if (item < 0).any() else 0
    user, item = user[item >= 0], item[item >= 0]
    order = np.argsort(user, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(labels)))])
    return Seen(facts, places, starts, item[order], len(who), n_unknown)


def make_item_columns(
    plan: Plan, write: OutputOptions, *, matrix: bool
) -> RankColumns | MatrixColumns:
    """Return the columns of the output.

    Parameters
    ----------
    plan : Plan
        Where their names come from.
    write : OutputOptions
        How they are written.
    matrix : bool
        Whether there is a column an item.

    Returns
    -------
    RankColumns or MatrixColumns
        The column of items is named as in their file, or ``item`` where the output has that name
        already.
    """
    numbered = plan.label_column is None
    if matrix:
        return MatrixColumns(plan.label_name, plan.kept_names, plan.categories, numbered)
    names = plan.weights.names
    found = names[0] if names and plan.weights_label_column and plan.transpose else ""
    taken = {plan.label_name, *plan.kept_names, "rank", "score"}
    if not found.strip() or found in taken:
        found = "item"
    return RankColumns(plan.label_name, plan.kept_names, found, numbered, write.scores)


def suggest_chunk(plan: Plan, *, matrix: bool) -> int:
    """Return the bytes of a chunk: few users where there is much to do for each of them."""
    n_items, width = len(plan.categories), plan.features.width
    n_users = _CELLS_A_CHUNK // max(n_items, 1) if matrix else _USERS_A_CHUNK
    if not matrix and n_items * _USERS_A_CHUNK < _CELLS_A_CHUNK:
        n_users = _CELLS_A_CHUNK // n_items
    return min(max(n_users * width * _BYTES_A_CELL, _LEAST_BYTES), _MOST_BYTES)
