"""``evaluate``: how good a model is on rows whose truth is known."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from matscore.commands.evaluate_rows import Evaluate, EvaluateTally
from matscore.errors import MisfitError, UsageError
from matscore.names import quote_names
from matscore.options import (
    Format,
    PathLike,
    PlanOptions,
    ReadOptions,
    RejectOptions,
    RunOptions,
    check_options,
)
from matscore.plan import Plan
from matscore.plan.learning import Sample, find_name
from matscore.read.table import open_table
from matscore.run.paired import Companion, make_companion
from matscore.run.prepare import Weights, take_model
from matscore.run.run import run_files
from matscore.run.summary import Progress, Summary
from matscore.write.formats import OutputSpec


def evaluate_file(
    features: PathLike | Sequence[PathLike],
    weights: PathLike,
    *,
    truth: str | None = None,
    truth_file: PathLike | None = None,
    read: ReadOptions = ReadOptions(),
    align: PlanOptions = PlanOptions(),
    rejects: RejectOptions = RejectOptions(),
    run: RunOptions = RunOptions(),
    on_plan: Callable[[tuple[Plan, ...]], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary[EvaluateTally]:
    """Measure the predictions of a model against the truth.

    Parameters
    ----------
    features : str, Path or a sequence of them
        Files with one row an item, taken in that order as one table.
    weights : str or Path
        File with one row a feature and one column a category.
    truth : str, optional
        Column with each row's category: of the features, or of the truth file.
    truth_file : str or Path, optional
        A file that has it, with the same rows in the same order; where both have labels, they are
        compared.
    read, align, rejects, run, on_plan, on_progress
        As in `matscore.classify_file`.

    Returns
    -------
    Summary
        Whose `tally.metrics` has the measures.

    Raises
    ------
    PlanError, MisfitError
        Shapes or names do not line up; there is but one category.
    InputError
        A bad row, or too many of them: a truth that is missing or no category of the weights makes
        one; a row of the truth file has another label.
    FileError, OutputError, UsageError
        A file cannot be read or written; arguments contradict each other.

    Examples
    --------
    >>> files = "sample_data/iris.csv", "sample_data/iris_weights.csv"
    >>> metrics = evaluate_file(*files, truth="species").tally.metrics
    >>> round(metrics.accuracy, 4), metrics.confusion[1].tolist()
    (0.9733, [0, 47, 3])
    """
    check_options(read, align, rejects, run)
    if truth is None and truth_file is None:
        raise UsageError("the truth is not given", "name its column with --truth")
    inside = truth if truth_file is None else None

    def prepare_output(plan: Plan, form: Format) -> OutputSpec | None:
        del form
        if len(plan.categories) < 2:
            what = "there is a single category, so nothing is predicted"
            raise MisfitError(plan.weights.path, what, "give it one column a category")
        return None

    def prepare_work(plan: Plan, held: Weights) -> Evaluate:
        return Evaluate(
            take_model(plan, held),
            plan.weights.path,
            read.missing_values,
            read.missing == "skip",
            None if inside is None else plan.kept_columns[0],
        )

    def choose(sample: Sample, label: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (_choose_truth(sample, label, truth),), ()

    def open_truth(plan: Plan) -> Companion:
        with contextlib.ExitStack() as stack:
            table = open_table(str(truth_file), read, checksum=run.checksum)
            stack.callback(table.close)
            label_name = None if plan.label_column is None else plan.label_name
            stops = rejects.on_error == "fail"
            made = make_companion(
                table,
                read,
                label_name=label_name,
                choose=choose,
                stops=stops,
                no_id_col=align.no_id_col,
                named=truth,
            )
            stack.pop_all()
        return made

    return run_files(
        features,
        weights,
        None,
        prepare_output,
        prepare_work,
        read=read,
        align=replace(align, truth=inside),
        rejects=rejects,
        run=run,
        on_plan=on_plan,
        on_progress=on_progress,
        others=() if truth_file is None else (str(truth_file),),
        open_beside=None if truth_file is None else open_truth,
    )


def _choose_truth(sample: Sample, label: int | None, truth: str | None) -> int:
    """Return the column of a truth file that has the truth: the only one, unless it is named."""
    if truth is not None:
        return find_name(sample, truth, "--truth")
    columns = [i for i in range(sample.width) if i != label]
    if len(columns) != 1:
        names = quote_names([sample.name_of(i) for i in columns])
        raise MisfitError(
            sample.path, f"which column is the truth? {names}", "name it with --truth"
        )
    return columns[0]
