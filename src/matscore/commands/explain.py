"""``explain``: what each feature contributed to the scores of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from matscore.command_options import ExplainOptions
from matscore.commands.lines import Explain, ExplainTally
from matscore.commands.output import (
    ExplainColumns,
    open_sink,
)
from matscore.errors import InputError, MisfitError
from matscore.model import Model
from matscore.names import quote_name
from matscore.options import (
    Format,
    MissingPolicy,
    OutputOptions,
    PathLike,
    PlanOptions,
    ReadOptions,
    RejectOptions,
    RunOptions,
    UnknownPolicy,
    check_options,
)
from matscore.plan import Plan
from matscore.run.run import Progress, Summary
from matscore.run.run import run as run_command
from matscore.run.work import Command, Settings, make_output_spec
from matscore.spelling import suggest_name
from matscore.write.formats import OutputSpec
from matscore.write.whole import BinaryFile

if TYPE_CHECKING:
    import pandas as pd

# Small, as each cell of a chunk becomes a line of the output.
_CHUNK_BYTES = 2**18
_RECORDS_A_CHUNK, _CELL_BYTES = 16, 8


@dataclass(frozen=True)
class ExplainCommand(Command):
    """What each feature contributed, a line each."""

    explain: ExplainOptions = ExplainOptions()
    write: OutputOptions = OutputOptions()
    dashes: str = "--"  # before the options that messages name

    def make_output(self, plan: Plan, form: Format) -> OutputSpec:
        """Return the columns of contributions."""
        # Where one row is chosen the screen waits for it, however late it comes.
        spec = make_output_spec(plan, self._columns(plan), self.write, form)
        return replace(spec, selects=self.explain.row is not None)

    def make_work(self, plan: Plan, model: Model) -> Explain:
        """Return what takes scores apart."""
        return Explain(
            model,
            plan.feature_names,
            plan.n_counting,
            plan.intercept_name or "(Intercept)",
            self._columns(plan),
            _find_category(plan, self.explain.category, f"{self.dashes}category"),
            _find_category(plan, self.explain.versus, f"{self.dashes}versus"),
            self.explain.top_features,
            self.explain.row,
        )

    def suggest_chunk(self, plan: Plan) -> int | None:
        """Return the bytes of a chunk: each cell becomes a line, which takes ten times the room."""
        if self.explain.row is not None:
            return None
        return max(_CHUNK_BYTES, _RECORDS_A_CHUNK * _CELL_BYTES * plan.n_counting)

    def check(self, summary: Summary[ExplainTally]) -> None:
        """Refuse a row that was asked for and is not there."""
        tally, row = summary.tally, self.explain.row
        # Known at the end only; the output is not renamed into its place yet.
        if row is not None and not tally.n_explained + tally.n_empty:
            hint = f"did you mean {quote_name(tally.near)}" if tally.near else ""
            path = summary.plans[0].features.path
            raise InputError(path, f"no row is labelled {quote_name(row)}", hint)

    def _columns(self, plan: Plan) -> ExplainColumns:
        numbered, versus = plan.label_column is None, self.explain.versus is not None
        return ExplainColumns(plan.label_name, numbered=numbered, versus=versus)


def _find_category(plan: Plan, name: str | None, option: str) -> int | None:
    """Return the index of a category that an option names; None where it names none."""
    if name is None or name in plan.categories:
        return None if name is None else plan.categories.index(name)
    hint = suggest_name(name, plan.categories, option)
    raise MisfitError(plan.weights.path, f"no category {quote_name(name)}", hint)


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
        As in `matscore.classify_file`.

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
    how = Settings(read, align, rejects, run, on_plan, on_progress)
    return run_command(ExplainCommand(how, explain, write), features, weights, open_sink(output))


def explain(
    features: pd.DataFrame,
    weights: pd.DataFrame | Any,
    *,
    category: str | None = None,
    versus: str | None = None,
    top_features: int | None = None,
    missing: MissingPolicy = "error",
    min_present: int | None = None,
    unknown: UnknownPolicy = "error",
    transpose: bool = False,
    auto_transpose: bool = False,
    strict: bool = False,
    intercept: str | None = None,
    no_intercept: bool = False,
    weights_cols: Sequence[str] = (),
    drop_weights_cols: Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    absent: str | Sequence[str] = (),
    max_absent: int | None = None,
    unique_labels: bool = False,
    booleans: bool = False,
) -> pd.DataFrame:
    """Take the scores of rows apart into what each feature contributed.

    Parameters
    ----------
    features, weights, missing, unknown, transpose, auto_transpose, strict, intercept, no_intercept
        As in `classify`.
    weights_cols, drop_weights_cols, rename, absent, max_absent, min_present, unique_labels,
    booleans
        As in `classify`.
    category : str, optional
        The category to explain; without it the predicted one of each row.
    versus : str, optional
        A category whose score is taken away from it.
    top_features : int, optional
        Features with a line of their own; the others are summed up in one.

    Returns
    -------
    DataFrame
        With the features' index, one row a contribution, the largest first and the intercept last:
        ``category``, ``versus`` where one is given, ``feature``, ``value``, ``weight``,
        ``contribution``. A row without a prediction (a value is missing and was kept) has none.

    Raises
    ------
    PlanError, MisfitError
        Shapes or names do not line up; a category is none of the weights'.
    InputError, UsageError
        As in `classify`.

    Examples
    --------
    >>> import pandas as pd
    >>> films = pd.DataFrame({"action": [5], "comedy": [2]}, index=["Thunder"])
    >>> genres = pd.DataFrame({"adventure": [1.1, 0.2], "romance": [0.1, 1.2]},
    ...                       index=["action", "comedy"])
    >>> explain(films, genres)
              category feature  value  weight  contribution
    Thunder  adventure  action    5.0     1.1           5.5
    Thunder  adventure  comedy    2.0     0.2           0.4
    """
    from matscore.commands.frames import make_align, run_frames

    align = make_align(
        transpose=transpose,
        auto_transpose=auto_transpose,
        strict=strict,
        intercept=intercept,
        no_intercept=no_intercept,
        weights_cols=weights_cols,
        drop_weights_cols=drop_weights_cols,
        rename=rename,
        absent=absent,
        max_absent=max_absent,
        unique_labels=unique_labels,
    )
    options = ExplainOptions(category, versus, top_features)
    options.check()
    command = ExplainCommand(explain=options, dashes="")
    read = ReadOptions(missing=missing, unknown=unknown, min_present=min_present, booleans=booleans)
    return run_frames(command, features, weights, align, read)
