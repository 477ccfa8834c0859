"""The items of ``recommend``: read and held, and the pairs that are left out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from matscore.commands.ranked import RankColumns
from matscore.commands.recommend_rows import MatrixColumns, Seen
from matscore.kernel import Floats, Items
from matscore.options import Metric, OutputOptions, ReadOptions
from matscore.plan import Plan
from matscore.read.matrix import iter_parts, make_matrix, read_pairs
from matscore.read.rows import Rows
from matscore.read.table import open_table
from matscore.run.prepare import CHUNK_BYTES, Weights, side_of_matrix
from matscore.write.spill import SpilledRows, named_lack

_USERS_A_CHUNK = 512
_CELLS_A_CHUNK = 2**22
_BYTES_A_CELL = 12
_BYTES_A_NUMBER = 8
_ITEMS_A_BLOCK = 1024  # of the kernel's

MOST_BYTES = 2 * 2**30
"""Items that take more are held in temporary files, where no budget of memory is given."""

_MOST_CHUNK_BYTES = 4 * 2**20
_LEAST_BYTES = 2**14


@dataclass(frozen=True)
class HeldItems(Weights):
    """Items that were read.

    Attributes
    ----------
    matrix, side, facts
        As of any weights, but that the matrix has no rows.
    n_rows : int
        Its rows: items, or features where the items are columns.
    blocks : list of ndarray of shape (n, n_columns - 1), float64
        Its numbers but for the first column; empty once the items are held.
    spilled : SpilledRows or None
        The same, where they are too many for memory.
    """

    n_rows: int = 0
    blocks: list[Floats] = field(default_factory=list)
    spilled: SpilledRows | None = None

    @property
    def n_bytes(self) -> int:
        """Bytes that they take in memory."""
        return 0 if self.spilled else self.n_rows * self.matrix.width * _BYTES_A_NUMBER

    def take_all(self) -> Floats:
        """Return all rows; there are none after that."""
        if self.spilled is not None:
            return self.spilled[:]
        values = np.concatenate(self.blocks) if self.blocks else self.matrix.rest
        self.blocks.clear()
        return values

    def iter_rows(self) -> Iterator[Floats]:
        """Yield some rows at a time; in memory there are none after that."""
        if self.spilled is not None:
            for start in range(0, self.n_rows, _ITEMS_A_BLOCK):
                yield self.spilled[start : start + _ITEMS_A_BLOCK]
        while self.blocks:
            yield self.blocks.pop(0)


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
        texts: list[Any] = []
        blocks: list[Floats] = []
        rest = np.empty((0, table.width - 1))
        spilled, n_rows, fault = None, 0, None
        for part, found in iter_parts(table, read, "error", hint, chunk_bytes=CHUNK_BYTES):
            texts.append(part.labels)
            fault = found
            n_rows += part.n_rows
            rows = _stack_rows(rest, part)
            n_whole = len(rows) // _ITEMS_A_BLOCK * _ITEMS_A_BLOCK
            blocks.append(rows[:n_whole])
            rest = rows[n_whole:].copy()
            if spilled is None and n_rows * table.width * _BYTES_A_NUMBER > most_bytes:
                spilled = SpilledRows(table.width - 1)
            while spilled is not None and blocks:
                spilled.append(blocks.pop(0))
        if spilled is None:
            blocks.append(rest)
        else:
            spilled.append(rest)
        matrix = make_matrix(table, read, texts, np.empty((0, table.width - 1)), fault)
        side, facts = side_of_matrix(matrix, table, read), table.source.facts()
        return HeldItems(matrix, side, facts, n_rows, blocks, spilled)


def _stack_rows(rest: Floats, part: Rows) -> Floats:
    """Return the rows that were left over and those of a part."""
    rows = np.empty((len(rest) + part.n_rows, rest.shape[1]))
    rows[: len(rest)] = rest
    rows[len(rest) :] = part.features.T
    return rows


def hold_items(plan: Plan, held: HeldItems, metric: Metric) -> Items:
    """Return the items of a file, their features in the plan's order.

    What was read in memory is gone after that, or it would be held twice.

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
    Items
        In memory, or in a temporary file where they were read into one.

    Raises
    ------
    OutputError
        There is no room for them.
    """
    spill = held.spilled is not None
    items = Items(len(plan.weights_index), cosine=metric == "cosine", spill=spill)
    with named_lack():
        for rows in _iter_items(plan, held):
            items.add(rows)
    return items


def _iter_items(plan: Plan, held: HeldItems) -> Iterator[Floats]:
    """Yield items, their features in the plan's order, C-contiguous."""
    index = list(plan.weights_index)
    # Without labels the first column is one of numbers like the others.
    first = None if plan.weights_label_column else held.matrix.first_numbers
    if not plan.transpose:  # as many rows as features, each as long as there are items
        values = held.take_all()
        values = values if first is None else np.column_stack([first, values])
        for start in range(0, values.shape[1], _ITEMS_A_BLOCK):
            yield np.ascontiguousarray(values[index, start : start + _ITEMS_A_BLOCK].T)
        return
    start = 0
    for rows in held.iter_rows():
        stop = start + len(rows)
        every = rows if first is None else np.column_stack([first[start:stop], rows])
        yield np.take(every, index, axis=1)  # which is C-contiguous, as every[:, index] is not
        start = stop


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
