"""The items of ``recommend``: read and held, and the pairs that are left out."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np

from matscore.files.pairs import read_pairs
from matscore.files.parse import ParsedRows
from matscore.files.spill import SpilledRows
from matscore.files.table import ReadOptions, iter_parts, join_parts, make_matrix, open_table
from matscore.kernel import Texts
from matscore.matrix import Matrix
from matscore.options import OutputOptions
from matscore.plan import Plan
from matscore.prepare import CHUNK_BYTES, Weights, side_of_matrix
from matscore.product import Floats
from matscore.retrieve import TILE, Catalog, Metric, fill_catalog, make_catalog
from matscore.work.ranked import RankColumns
from matscore.work.recommend import MatrixColumns, Seen

_USERS_A_CHUNK = 512
_CELLS_A_CHUNK = 2**22
_BYTES_A_CELL = 12
_BYTES_A_NUMBER = 12

MOST_BYTES = 2 * 2**30
"""Items that take more, in float64 and float32 together, are held in temporary files, where no
budget of memory is given."""

_MOST_CHUNK_BYTES = 4 * 2**20
_LEAST_BYTES = 2**14


@dataclass(frozen=True)
class HeldItems(Weights):
    """Items that were read.

    Attributes
    ----------
    matrix, side, facts
        As of any weights; the matrix has no rows where they are spilled.
    spilled : SpilledRows or None
        Its numbers but for the first column, where they are too many for memory.
    """

    spilled: SpilledRows | None = None

    @property
    def n_bytes(self) -> int:
        """Bytes that they take in memory: in float64, put in order in place, and in float32."""
        return self.matrix.rest.nbytes * 3 // 2


def read_items(
    path: str, read: ReadOptions, *, checksum: bool = False, most_bytes: int = MOST_BYTES
) -> HeldItems:
    """Read a file of items whole: into memory, or past a limit into a temporary file.

    Parameters
    ----------
    path : str
        The file.
    read : ReadOptions
        How it is read; no feature of an item may be missing.
    checksum : bool
        Whether its sha256 is computed on the way.
    most_bytes : int
        What the numbers may take in memory.

    Returns
    -------
    HeldItems
        Ready to be planned with.

    Raises
    ------
    InputError, FileError, OutputError
        It cannot be read, or not with certainty, or there is no room for it.
    """
    table = open_table(path, read, checksum=checksum)
    hint = "every feature of an item must be a number"
    with contextlib.closing(table):
        parts: list[ParsedRows] = []
        texts: list[Texts] = []
        spilled, n_rows, fault = None, 0, None
        for part in iter_parts(table, read, "error", hint, chunk_bytes=CHUNK_BYTES):
            parts.append(part)
            fault = part.first_fault
            n_rows += part.n_rows
            if spilled is None and n_rows * table.width * _BYTES_A_NUMBER > most_bytes:
                spilled = SpilledRows(table.width - 1, np.float64)
            while spilled is not None and parts:
                texts.append(parts[0].texts[0])
                _spill(spilled, parts.pop(0))
        if spilled is None:
            matrix = join_parts(table, read, parts)
        else:
            matrix = make_matrix(table, read, texts, np.empty((0, table.width - 1)), fault)
        return HeldItems(matrix, side_of_matrix(matrix, table, read), table.source.facts(), spilled)


def _spill(rows: SpilledRows, part: ParsedRows) -> None:
    block = np.empty((part.n_rows, rows.width))
    for j, values in enumerate(part.features):
        block[:, j] = values
    rows[rows.n_rows : rows.n_rows + part.n_rows] = block


def hold_items(plan: Plan, held: Weights, metric: Metric) -> Catalog:
    """Return the items of a file, their features in the plan's order.

    Items in rows are not copied: what was read is put in order where it is, and not to be used
    after that.

    Parameters
    ----------
    plan : Plan
        How users and items meet.
    held : HeldItems
        What was read.
    metric : {"dot", "cosine"}
        What a score is.

    Returns
    -------
    Catalog
        In memory, or in temporary files where the items are spilled.
    """
    index, spilled = list(plan.weights_index), getattr(held, "spilled", None)
    if spilled is not None:
        return _hold_spilled(plan, held.matrix, spilled, metric)
    values = held.matrix.values(label_column=plan.weights_label_column)
    if not plan.transpose:
        return make_catalog([values[i] for i in index], len(plan.categories), metric)
    rows = values[:, : len(index)]
    tiles = (values[start : start + TILE, index] for start in range(0, len(values), TILE))
    return fill_catalog(tiles, metric, rows, np.empty(rows.shape, dtype=np.float32))


def _hold_spilled(plan: Plan, matrix: Matrix, spilled: SpilledRows, metric: Metric) -> Catalog:
    index, first = list(plan.weights_index), None
    if not plan.weights_label_column:
        first = matrix.first_numbers  # it is a column of numbers like the others

    def take(start: int, stop: int) -> Floats:
        values = spilled[start:stop]
        return values if first is None else np.column_stack([first[start:stop], values])

    if not plan.transpose:  # as many rows as features, each as long as there are items
        values = take(0, spilled.n_rows)
        return make_catalog([values[i] for i in index], len(plan.categories), metric)
    tiles = (take(start, start + TILE)[:, index] for start in range(0, spilled.n_rows, TILE))
    rows, screen = (SpilledRows(len(index), dtype) for dtype in (np.float64, np.float32))
    return fill_catalog(tiles, metric, rows, screen)


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
    known = {label: place for place, label in enumerate(items)}
    who, what, facts = read_pairs(path, read, known.keys(), checksum=checksum)
    places: dict[str, int] = {}
    user = np.array([places.setdefault(label, len(places)) for label in who], dtype=np.int64)
    item = np.array([known.get(label, -1) for label in what], dtype=np.int64)
    n_unknown = len(set(what.take(np.flatnonzero(item < 0))))
    user, item = user[item >= 0], item[item >= 0]
    order = np.argsort(user, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(places)))])
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
    return min(max(n_users * width * _BYTES_A_CELL, _LEAST_BYTES), _MOST_CHUNK_BYTES)
