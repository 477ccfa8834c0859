"""``recommend``: find the best items for each user of a file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import polars as pl

from matscore.api.run import run_files
from matscore.errors import UsageError
from matscore.files.deliver import BinaryFile
from matscore.files.encode import Format, OutputSpec
from matscore.files.pairs import read_pairs
from matscore.files.table import ReadOptions
from matscore.options import OutputOptions, PathLike, RejectOptions, RunOptions
from matscore.plan import Plan, PlanOptions, align_items, speak_of_items
from matscore.prepare import Weights, make_output_spec, read_weights
from matscore.recommend import Catalog, Metric, RecommendOptions, make_catalog
from matscore.summary import Progress, Summary
from matscore.work import Work
from matscore.work.ranked import RankColumns
from matscore.work.recommend import (
    MatrixColumns,
    Recommend,
    RecommendTally,
    ScoreItems,
    Seen,
)

_USERS_A_CHUNK = 512
_CELLS_A_CHUNK = 2**22
_BYTES_A_CELL = 12
_MOST_BYTES = 4 * 2**20
_LEAST_BYTES = 2**14


def recommend_file(
    users: PathLike,
    items: PathLike,
    output: PathLike | BinaryFile | None = None,
    *,
    metric: Metric = "dot",
    recommend: RecommendOptions = RecommendOptions(),
    exclude: PathLike | None = None,
    matrix: bool = False,
    read: ReadOptions = ReadOptions(),
    align: PlanOptions = PlanOptions(),
    write: OutputOptions = OutputOptions(),
    rejects: RejectOptions = RejectOptions(),
    run: RunOptions = RunOptions(),
    on_plan: Callable[[tuple[Plan, ...]], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary[RecommendTally]:
    """Find the best items for each user of a file.

    Users and items are rows of the same features; a score is ``users @ items.T``. The users are
    read in chunks, the items are held.

    Parameters
    ----------
    users, items : str or Path
        Files with one row a user, one row an item, and one column a feature.
    output : str, Path, binary file or None
        Where the lines go: a path is written whole or not at all; None computes the summary only.
    metric : {"dot", "cosine"}
        What a score is; the cosine is the product divided by the two Euclidean norms, and missing
        where one is zero.
    recommend : RecommendOptions
        How many items a user, and from which score on.
    exclude : str or Path, optional
        File whose first two columns are pairs of user and item that are not recommended.
    matrix : bool
        Whether to write the scores of all items instead, one column an item.
    read : ReadOptions
        How inputs are read; what `missing` says is for the users, an item has no missing feature.
    align : PlanOptions
        How they are lined up; ``transpose`` is for items that are columns.
    write : OutputOptions
        What is written.
    rejects : RejectOptions
        What happens to bad rows of the users.
    run : RunOptions
        How the work is done.
    on_plan : callable, optional
        Is given the plan, before the first row.
    on_progress : callable, optional
        Is given a `Progress` after each chunk.

    Returns
    -------
    Summary
        Counts, and the first users of a table.

    Raises
    ------
    PlanError
        Shapes or names do not line up.
    InputError
        A bad row, or too many of them; rows before its chunk may have been written to a binary
        file, none to a path.
    FileError, OutputError, UsageError
        A file cannot be read or written; arguments contradict each other.

    Examples
    --------
    >>> summary = recommend_file("sample_data/users.csv", "sample_data/films.csv")
    >>> summary.n_rows, summary.tally.n_pairs
    (3, 6)
    """
    if exclude is not None and str(exclude) == "-" and "-" in (str(users), str(items)):
        raise UsageError("standard input can be only one of the inputs", "give the other a name")

    def prepare_output(plan: Plan, form: Format) -> OutputSpec:
        return make_output_spec(plan, _make_columns(plan, write, matrix=matrix), write, form)

    def prepare_work(plan: Plan, held: Weights) -> Work:
        columns = _make_columns(plan, write, matrix=matrix)
        catalog = hold_items(plan, held, metric)
        if isinstance(columns, MatrixColumns):
            return ScoreItems(catalog, columns)
        seen = None if exclude is None else read_seen(str(exclude), read, plan.categories)
        labels = pl.Series([*plan.categories, None], dtype=pl.String)
        return Recommend(catalog, labels, recommend, columns, seen)

    return run_files(
        users,
        items,
        output,
        prepare_output,
        prepare_work,
        read=read,
        align=align_items(align),
        rejects=rejects,
        run=run,
        on_plan=on_plan,
        on_progress=on_progress,
        hold=partial(read_weights, missing_hint="every feature of an item must be a number"),
        speak=speak_of_items,
        suggest_chunk=partial(_suggest_chunk, matrix=matrix),
    )


def hold_items(plan: Plan, held: Weights, metric: Metric) -> Catalog:
    """Return the items of a file, their features in the plan's order."""
    values = held.matrix.values(label_column=plan.weights_label_column)
    oriented = values.T if plan.transpose else values
    columns = [oriented[i] for i in plan.weights_index]
    return make_catalog(columns, len(plan.categories), metric)


def read_seen(path: str, read: ReadOptions, items: tuple[str, ...]) -> Seen:
    """Read the pairs that are not to be recommended.

    Parameters
    ----------
    path : str
        A file whose first two columns are users and items.
    read : ReadOptions
        How it is read.
    items : tuple of str
        The items' labels.

    Returns
    -------
    Seen
        With the pairs whose items are known.

    Raises
    ------
    InputError, FileError
        It cannot be read.
    """
    who, what = read_pairs(path, read)
    known = {label: place for place, label in enumerate(items)}
    labels = who.unique(maintain_order=True).to_list()
    places = {label: place for place, label in enumerate(labels)}
    user = np.array([places[label] for label in who.to_list()], dtype=np.int64)
    item = np.array([known.get(label, -1) for label in what.to_list()], dtype=np.int64)
    n_unknown = what.filter(pl.Series(item < 0)).n_unique() if (item < 0).any() else 0
    user, item = user[item >= 0], item[item >= 0]
    order = np.argsort(user, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(labels)))])
    return Seen(path, places, starts, item[order], len(who), n_unknown)


def _make_columns(plan: Plan, write: OutputOptions, *, matrix: bool) -> RankColumns | MatrixColumns:
    numbered = plan.label_column is None
    if matrix:
        return MatrixColumns(plan.label_name, plan.kept_names, plan.categories, numbered)
    names = plan.weights.names
    found = names[0] if names and plan.weights_label_column and plan.transpose else ""
    taken = {plan.label_name, *plan.kept_names, "rank", "score"}
    if not found.strip() or found in taken:
        found = "item"
    return RankColumns(plan.label_name, plan.kept_names, found, numbered, write.scores)


def _suggest_chunk(plan: Plan, *, matrix: bool) -> int:
    """Return the bytes of a chunk: few users where there is much to do for each of them."""
    n_items, width = len(plan.categories), plan.features.width
    n_users = _CELLS_A_CHUNK // max(n_items, 1) if matrix else _USERS_A_CHUNK
    if not matrix and n_items * _USERS_A_CHUNK < _CELLS_A_CHUNK:
        n_users = _CELLS_A_CHUNK // n_items
    return min(max(n_users * width * _BYTES_A_CELL, _LEAST_BYTES), _MOST_BYTES)
