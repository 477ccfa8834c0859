"""``classify``: score the rows of files and name the best category of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from matscore.commands.classify_rows import Classify, ScoreTally
from matscore.options import (
    Format,
    OutputOptions,
    PathLike,
    PlanOptions,
    ReadOptions,
    RejectOptions,
    RunOptions,
    ScoreOptions,
    check_options,
)
from matscore.plan import Plan
from matscore.run.prepare import (
    Weights,
    make_columns,
    make_output_spec,
    make_rank_columns,
    take_model,
)
from matscore.run.run import run_files
from matscore.run.summary import Progress, Summary
from matscore.write.formats import OutputSpec
from matscore.write.whole import BinaryFile

if TYPE_CHECKING:
    from matscore.commands.top import ClassifyTop


def classify_file(
    features: PathLike | Sequence[PathLike],
    weights: PathLike,
    output: PathLike | BinaryFile | None = None,
    *,
    read: ReadOptions = ReadOptions(),
    align: PlanOptions = PlanOptions(),
    score: ScoreOptions = ScoreOptions(),
    write: OutputOptions = OutputOptions(),
    rejects: RejectOptions = RejectOptions(),
    run: RunOptions = RunOptions(),
    on_plan: Callable[[tuple[Plan, ...]], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary[ScoreTally]:
    """Score the rows of files and name the best category of each.

    Parameters
    ----------
    features : str, Path or a sequence of them
        Files with one row an item, scored in that order as one table.
    weights : str or Path
        File with one row a feature and one column a category.
    output : str, Path, binary file or None
        Where the scores go: a path is written whole or not at all; None computes the summary only.
    read : ReadOptions
        How inputs are read.
    align : PlanOptions
        How they are lined up.
    score : ScoreOptions
        What is computed.
    write : OutputOptions
        What is written.
    rejects : RejectOptions
        What happens to bad rows.
    run : RunOptions
        How the work is done.
    on_plan : callable, optional
        Called with the plans before the first row is scored.
    on_progress : callable, optional
        Called after each chunk.

    Returns
    -------
    Summary
        Counts, and the first rows of a table.

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
    >>> summary = classify_file("sample_data/movies.csv", "sample_data/genres.csv")
    >>> summary.tally.counts, summary.tally.n_ties
    ({'adventure': 2, 'family': 0, 'romance': 1}, 1)
    """
    check_options(read, align, score, write, rejects, run)

    def prepare_output(plan: Plan, form: Format) -> OutputSpec:
        make = make_columns if write.top_k is None else make_rank_columns
        return make_output_spec(plan, make(plan, score, write), write, form)

    def prepare_work(plan: Plan, held: Weights) -> Classify | ClassifyTop:
        columns = make_columns(plan, score, write)
        work = Classify(take_model(plan, held), score, columns, run.gather)
        if write.top_k is None:
            return work
        from matscore.commands.top import ClassifyTop
        from matscore.kernel import Texts

        ranks = make_rank_columns(plan, score, write)
        return ClassifyTop(work, write.top_k, ranks, Texts.from_strings(plan.categories))

    return run_files(
        features,
        weights,
        output,
        prepare_output,
        prepare_work,
        read=read,
        align=align,
        rejects=rejects,
        run=run,
        on_plan=on_plan,
        on_progress=on_progress,
    )
