"""``explain``: what each feature contributed to the scores of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from matscore.commands.explain_rows import Explain, ExplainColumns, ExplainTally
from matscore.errors import InputError
from matscore.names import quote_name
from matscore.options import (
    ExplainOptions,
    Format,
    OutputOptions,
    PathLike,
    PlanOptions,
    ReadOptions,
    RejectOptions,
    RunOptions,
    check_options,
)
from matscore.plan import Plan
from matscore.run.prepare import Weights, find_category, make_output_spec, take_model
from matscore.run.run import run_files
from matscore.run.summary import Progress, Summary
from matscore.write.formats import OutputSpec
from matscore.write.whole import BinaryFile

_CHUNK_BYTES = 2**18
_RECORDS_A_CHUNK, _CELL_BYTES = 16, 8


def explain_file(
    features: PathLike | Sequence[PathLike],
    weights: PathLike,
    output: PathLike | BinaryFile | None = None,
    *,
    explain: ExplainOptions = ExplainOptions(),
    read: ReadOptions = ReadOptions(),
    align: PlanOptions = PlanOptions(),
    write: OutputOptions = OutputOptions(),
    rejects: RejectOptions = RejectOptions(),
    run: RunOptions = RunOptions(),
    on_plan: Callable[[tuple[Plan, ...]], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary[ExplainTally]:
    """Take the scores of rows apart into what each feature contributed.

    Parameters
    ----------
    features : str, Path or a sequence of them
        Files with one row an item, taken in that order as one table.
    weights : str or Path
        File with one row a feature and one column a category.
    output : str, Path, binary file or None
        Where the lines go: a path is written whole or not at all; None computes the summary only.
    explain : ExplainOptions
        What is explained.
    read, align, rejects, run, on_plan, on_progress
        As in `matscore.classify_file`.
    write : OutputOptions
        How it is written; `scores` and `margin` do not matter.

    Returns
    -------
    Summary
        Counts, and the first rows of a table. A row without a prediction (a value is missing and
        was kept) has no lines, unless a category is given.

    Raises
    ------
    PlanError, MisfitError
        Shapes or names do not line up; a category is none of the weights'.
    InputError
        A bad row, or too many of them; no row has the label that is asked for.
    FileError, OutputError, UsageError
        A file cannot be read or written; arguments contradict each other.

    Examples
    --------
    >>> import io
    >>> lines = io.BytesIO()
    >>> options = ExplainOptions(row="Thunder Pass")
    >>> _ = explain_file("sample_data/movies.csv", "sample_data/genres.csv", lines, explain=options)
    >>> print(lines.getvalue().decode(), end="")
    film,category,feature,value,weight,contribution
    Thunder Pass,adventure,action,5.0,1.1,5.5
    Thunder Pass,adventure,comedy,2.0,0.2,0.4
    """
    check_options(read, align, explain, write, rejects, run)

    def make_columns(plan: Plan) -> ExplainColumns:
        numbered = plan.label_column is None
        return ExplainColumns(plan.label_name, numbered, explain.versus is not None)

    def prepare_output(plan: Plan, form: Format) -> OutputSpec:
        spec = make_output_spec(plan, make_columns(plan), write, form)
        return replace(spec, selects=explain.row is not None)

    def prepare_work(plan: Plan, held: Weights) -> Explain:
        return Explain(
            take_model(plan, held),
            plan.feature_names,
            plan.intercept_name or "(Intercept)",
            make_columns(plan),
            find_category(plan, explain.category, "--category"),
            find_category(plan, explain.versus, "--versus"),
            explain.top_features,
            explain.row,
        )

    def check(summary: Summary[ExplainTally]) -> None:
        tally = summary.tally
        if explain.row is not None and not tally.n_explained + tally.n_empty:
            hint = f"did you mean {quote_name(tally.near)}" if tally.near else ""
            path = summary.plans[0].features.path
            raise InputError(path, f"no row is labelled {quote_name(explain.row)}", hint)

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
        suggest_chunk=None if explain.row is not None else _suggest_chunk,
        check=check,
    )


def _suggest_chunk(plan: Plan) -> int:
    """Return the bytes of a chunk: each cell becomes a line, which takes ten times the room."""
    return max(_CHUNK_BYTES, _RECORDS_A_CHUNK * _CELL_BYTES * len(plan.feature_names))
