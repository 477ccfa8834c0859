"""``recommend``: find the best items for each user of a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast, get_args

from matscore.commands.recommend_rows import MatrixColumns, Recommend, RecommendTally, ScoreItems
from matscore.errors import PlanError, UsageError
from matscore.kernel import Items, Texts
from matscore.options import (
    Format,
    Metric,
    OutputOptions,
    PathLike,
    PlanOptions,
    ReadOptions,
    RecommendOptions,
    RejectOptions,
    RunOptions,
    check_options,
)
from matscore.plan import Plan
from matscore.run.items import (
    MOST_BYTES,
    HeldItems,
    hold_items,
    make_item_columns,
    read_items,
    read_seen,
    suggest_chunk,
)
from matscore.run.prepare import Weights, make_output_spec
from matscore.run.run import run_files
from matscore.run.summary import Progress, Summary
from matscore.run.work import Work
from matscore.write.formats import OutputSpec
from matscore.write.whole import BinaryFile


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
    check_options(read, align, write, rejects, run)
    recommend.check(exclude, matrix=matrix)
    recommend = replace(recommend, k=recommend.n_items)  # one name for one wish, in manifests
    if metric not in get_args(Metric):
        raise UsageError(f"metric cannot be {metric!r}", "say dot or cosine")

    def prepare_output(plan: Plan, form: Format) -> OutputSpec:
        return make_output_spec(plan, make_item_columns(plan, write, matrix=matrix), write, form)

    most_bytes = MOST_BYTES if run.memory_bytes is None else run.memory_bytes // 3
    all_items: dict[tuple[object, ...], Items] = {}

    def find_items(plan: Plan, held: Weights) -> Items:
        """Hold the items once for all files of users: what was read is gone after that."""
        key = (plan.weights_index, plan.transpose, plan.weights_label_column)
        if key not in all_items and all_items:
            what = f"{plan.features.path} meets the items in another way than the files before it"
            raise PlanError(replace(plan, problem=what, hint="do the files one by one"))
        if key not in all_items:
            all_items[key] = hold_items(plan, cast(HeldItems, held), metric)
        return all_items[key]

    def prepare_work(plan: Plan, held: Weights) -> Work:
        columns = make_item_columns(plan, write, matrix=matrix)
        held_items = find_items(plan, held)
        if isinstance(columns, MatrixColumns):
            return ScoreItems(held_items, columns)
        seen = (
            None
            if exclude is None
            else read_seen(str(exclude), read, plan.categories, checksum=run.checksum)
        )
        labels = Texts.from_strings(plan.categories)
        return Recommend(held_items, labels, recommend, columns, seen, run.gather)

    summary: Summary[RecommendTally] = run_files(
        users,
        items,
        output,
        prepare_output,
        prepare_work,
        read=read,
        align=align.for_items(),
        rejects=rejects,
        run=run,
        on_plan=on_plan,
        on_progress=on_progress,
        hold=partial(read_items, most_bytes=most_bytes),
        suggest_chunk=partial(suggest_chunk, matrix=matrix),
        others=() if exclude is None else (str(exclude),),
    )
    seen = summary.tally.seen
    return summary if seen is None else replace(summary, inputs=(*summary.inputs, seen.facts))
