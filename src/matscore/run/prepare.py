"""Before the first row: inputs opened, weights read, plans made, jobs and chunks laid out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from matscore.commands.classify_rows import ScoreColumns
from matscore.commands.ranked import RankColumns
from matscore.errors import MisfitError, PlanError
from matscore.model import Model
from matscore.names import quote_name, suggest_name
from matscore.numerics.scores import make_model
from matscore.options import (
    Format,
    OutputOptions,
    PlanOptions,
    ReadOptions,
    RunOptions,
    ScoreOptions,
)
from matscore.plan import Plan, Side, make_plan, require_fit
from matscore.read.inputs import Input
from matscore.read.matrix import Matrix, WideTable, read_matrix, read_wide, turn
from matscore.read.rows import FrameChunk, Layout
from matscore.read.source import SourceFacts
from matscore.read.split import Chunk
from matscore.read.table import Table, open_table
from matscore.run.job import Job
from matscore.run.work import Work
from matscore.write.formats import Columns, OutputSpec

CHUNK_BYTES = 2**20
_RECORDS_A_CHUNK = 16
_WEIGHTS_COPIES = 4
_OPEN_INPUTS = 64


@dataclass(frozen=True)
class Weights:
    """The weights file, read whole.

    Attributes
    ----------
    matrix : Matrix
        Its numbers and names.
    side : Side
        What planning knows of it.
    facts : SourceFacts
        The file itself.
    """

    matrix: Matrix
    side: Side
    facts: SourceFacts

    @property
    def n_bytes(self) -> int:
        """Bytes that it takes: as it is read, in canonical order, and as threads multiply it."""
        return _WEIGHTS_COPIES * self.matrix.rest.nbytes


@dataclass(frozen=True)
class Part:
    """One features input, ready to be scored.

    Attributes
    ----------
    table : Table
        Open; its records unread, unless they had to be transposed.
    plan : Plan
        How it meets the weights.
    turned : FrameChunk or None
        Its rows, where the file had to be transposed.
    """

    table: Table
    plan: Plan
    turned: FrameChunk | None


def read_weights(path: str, read: ReadOptions, *, checksum: bool = False) -> Weights:
    """Read a weights file whole.

    Raises
    ------
    InputError, FileError
        It cannot be read, or not with certainty.
    """
    table = open_table(path, read, checksum=checksum)
    with contextlib.closing(table):
        matrix = read_matrix(table, read, chunk_bytes=CHUNK_BYTES, is_model=True)
        return Weights(matrix, side_of_matrix(matrix, table, read), table.source.facts())


def plan_inputs(
    stack: contextlib.ExitStack,
    inputs: Sequence[Input],
    weights: Weights,
    read: ReadOptions,
    align: PlanOptions,
    *,
    checksum: bool = False,
) -> list[Part]:
    """Open and plan all inputs, each by itself.

    Parameters
    ----------
    stack : ExitStack
        Closes them in the end.
    inputs : sequence of Input
        The inputs. Where they are many they are closed again until they are read, since an
        operating system lets nobody have a thousand files open.
    weights : Weights
        The other side.
    read, align : ReadOptions, PlanOptions
        How they are read and lined up.
    checksum : bool
        Whether to compute the sha256 of what is read.

    Returns
    -------
    list of Part
        In the inputs' order.

    Raises
    ------
    InputError, FileError
        One cannot be read, or not with certainty.
    """
    parts = []
    for one in inputs:
        keys = () if align.transpose_features else one.keys
        table = open_table(one.path, read, checksum=checksum, keys=keys)
        stack.callback(table.close)
        part = plan_part(table, weights, read, align)
        if len(inputs) > _OPEN_INPUTS:
            table.park()
            part = replace(part, plan=_forget_labels(part.plan))
        parts.append(part)
    return parts


def _forget_labels(plan: Plan) -> Plan:
    """Drop a plan's copy of the first column, which many small files would fill memory with."""
    return replace(plan, features=replace(plan.features, first=None)) if plan.ok else plan


def plan_part(table: Table, weights: Weights, read: ReadOptions, align: PlanOptions) -> Part:
    """Plan one features table; it is read whole only where it is to be transposed.

    Raises
    ------
    InputError, FileError
        It cannot be read, or not with certainty.
    """
    wide, side = None, table.side(read)
    if align.transpose_features:
        wide = read_wide(table, read, chunk_bytes=CHUNK_BYTES)
        side = side_of_matrix(wide, table, read)
    plan = make_plan(side, weights.side, align)
    if not plan.ok:
        return Part(table, plan, None)
    if not plan.weights_label_column and weights.matrix.fault is not None:
        raise weights.matrix.fault
    return Part(table, plan, None if wide is None else turn(wide, plan))


def require_fits(parts: Sequence[Part]) -> tuple[Plan, ...]:
    """Return the plans of inputs that are scored as one table.

    Raises
    ------
    PlanError
        One does not fit, or they would not give the same columns.
    """
    plans = tuple(require_fit(part.plan) for part in parts)
    first = plans[0]
    for plan in plans[1:]:
        one, other, hint = plan.features.path, first.features.path, "score the files one by one"
        if plan.kept_names != first.kept_names or _label_of(plan) != _label_of(first):
            what = f"{one} has other labels or kept columns than {other}"
            raise PlanError(replace(plan, problem=what, hint=hint))
        if (plan.transpose, plan.categories) != (first.transpose, first.categories):
            what = f"{one} meets {plan.weights.path} in another way than {other}"
            raise PlanError(replace(plan, problem=what, hint=hint))
        if (plan.features.names is None) != (first.features.names is None):
            having, lacking = (one, other) if first.features.names is None else (other, one)
            what, hint = f"{having} has a header and {lacking} has none", "give all of them one"
            raise PlanError(replace(plan, problem=what, hint=hint))
    return plans


def _label_of(plan: Plan) -> str | None:
    """Return what heads the labels; None where there are none."""
    names, column = plan.features.names, plan.label_column
    if column is None or names is None or plan.transpose_features:
        return None if column is None else plan.label_name
    return names[column]


def make_rank_columns(plan: Plan, score: ScoreOptions, write: OutputOptions) -> RankColumns:
    """Return the columns of the best categories of each row."""
    return RankColumns(
        plan.label_name,
        plan.kept_names,
        "category",
        plan.label_column is None,
        write.scores,
        score.probabilities,
    )


def make_columns(plan: Plan, score: ScoreOptions, write: OutputOptions) -> ScoreColumns:
    """Return the columns of a score table."""
    return ScoreColumns(
        label_name=plan.label_name,
        kept_names=plan.kept_names,
        categories=plan.categories,
        numbered=plan.label_column is None,
        scores=write.scores,
        prediction=len(plan.categories) > 1 or score.threshold is not None,
        probabilities=score.probabilities,
        margin=write.margin,
    )


def make_output_spec(
    plan: Plan, columns: Columns, write: OutputOptions, form: Format
) -> OutputSpec:
    """Return how columns are written.

    Parameters
    ----------
    plan : Plan
        Where their names come from.
    columns : Columns
        The columns.
    write : OutputOptions
        How they are written.
    form : str
        The format, where `write` names none.

    Returns
    -------
    OutputSpec
        No two of its columns have one name.

    Raises
    ------
    PlanError
        Two of them would.
    MissingExtraError
        The format needs a library that is not installed.
    """
    spec = OutputSpec(
        write.format or form, columns, write.precision, write.excel_safe, write.max_rows
    )
    spec.form.require()
    if duplicates := spec.find_duplicates():
        what = f'two columns of the output would be named "{duplicates[0]}"'
        raise PlanError(replace(plan, problem=what, hint="rename the column or the category"))
    return spec


def check_names(plan: Plan, *, labelled: bool = True) -> Plan:
    """Return a plan that fits with what ``classify`` would refuse of its output's names.

    Parameters
    ----------
    plan : Plan
        Any; one that does not fit comes back as it is.
    labelled : bool
        Whether the output has a column of labels.

    Returns
    -------
    Plan
        With a problem where two columns of the output would have one name.
    """
    if not plan.ok:
        return plan
    named = plan if labelled else replace(plan, label_name="")
    write = OutputOptions()
    try:
        make_output_spec(named, make_columns(named, ScoreOptions(), write), write, "csv")
    except PlanError as error:
        return replace(plan, problem=error.plan.problem, hint=error.plan.hint)
    return plan


def find_category(plan: Plan, name: str | None, option: str) -> int | None:
    """Return the index of a category that an option names; None where it names none.

    Raises
    ------
    MisfitError
        The weights have no such category.
    """
    if name is None or name in plan.categories:
        return None if name is None else plan.categories.index(name)
    hint = suggest_name(name, plan.categories, option)
    raise MisfitError(plan.weights.path, f"no category {quote_name(name)}", hint)


def take_model(plan: Plan, weights: Weights) -> Model:
    """Return the model that a plan takes out of a weights file."""
    return make_model(plan, weights.matrix.values(label_column=plan.weights_label_column))


def make_jobs(
    parts: Sequence[Part],
    read: ReadOptions,
    works: Sequence[Work],
    output: OutputSpec | None,
    on_error: Literal["fail", "reject"],
) -> list[Job]:
    """Return what to do with the chunks of each part."""
    return [
        make_job(part, read, work, output, on_error, number)
        for number, (part, work) in enumerate(zip(parts, works, strict=True))
    ]


def make_job(
    part: Part,
    read: ReadOptions,
    work: Work,
    output: OutputSpec | None,
    on_error: Literal["fail", "reject"],
    number: int = 0,
) -> Job:
    """Return what to do with the chunks of one part, which is the input of that number."""
    return Job(_layout_of(part, read), work, output, on_error, number)


def share_works(plans: Sequence[Plan], prepare: Callable[[Plan], Work]) -> list[Work]:
    """Return what to do by each plan, one object for all plans that differ in the file alone.

    A thousand files with one header then hold the weights once.
    """
    works: dict[Plan, Work] = {}
    found = []
    for plan in plans:
        side = replace(plan.features, path="", n_rows=None, first=None, first_record=None)
        key = replace(plan, features=side, facts=())
        if key not in works:
            works[key] = prepare(plan)
        found.append(works[key])
    return found


def chunk_bytes_of(table: Table, run: RunOptions) -> int:
    """Return the size of a table's chunks, in bytes: what is asked for, or what suits its width."""
    return run.chunk_bytes or max(CHUNK_BYTES, _RECORDS_A_CHUNK * table.start)


def iter_pairs(
    parts: Sequence[Part], jobs: Sequence[Job], run: RunOptions, *, apart: bool = False
) -> Iterator[tuple[Job, Chunk | FrameChunk]]:
    """Yield every chunk of every part, in order, with what is to be done with it.

    Rows are counted over all parts, or in each anew where the parts stay apart.
    """
    row = 0
    for part, job in zip(parts, jobs, strict=True):
        row = 0 if apart else row
        for chunk in iter_part(part, job, run, row):
            yield job, chunk
            row = chunk.row + chunk.n_records
        part.table.park()


def iter_part(part: Part, job: Job, run: RunOptions, row: int) -> Iterable[Chunk | FrameChunk]:
    """Return the chunks of one part."""
    if part.turned is not None:
        return [replace(part.turned, row=row)]
    return part.table.iter_chunks(job.layout, chunk_bytes=chunk_bytes_of(part.table, run), row=row)


def side_of_matrix(matrix: Matrix | WideTable, table: Table, read: ReadOptions) -> Side:
    """Return what planning needs to know of a table that is read."""
    return Side(
        matrix.path,
        matrix.width,
        matrix.names,
        len(matrix.first),
        matrix.first,
        read.grammar,
        table.guessed,
        first_record=table.first_record,
    )


def _layout_of(part: Part, read: ReadOptions) -> Layout:
    table, plan = part.table, part.plan
    turned = None if part.turned is None else part.turned.turned
    keys = table.keys if turned is None else ()
    names = None if turned or table.names is None else (*table.names, *(name for name, _ in keys))
    return Layout(
        names,
        table.width if turned is None else turned.width,
        plan.label_column,
        plan.kept_columns,
        plan.feature_columns,
        table.delimiter,
        read.decimal,
        read.missing,
        read.missing_values,
        constants=tuple(value for _, value in keys),
    )
