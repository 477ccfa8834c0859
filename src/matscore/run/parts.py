"""The inputs of a run, planned: what is settled about each before its first row."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from matscore.errors import PlanError
from matscore.model import CHUNK_BYTES, Weights
from matscore.options import PlanOptions, ReadOptions, RunOptions
from matscore.plan import Plan, make_plan, require_fit
from matscore.read.inputs import Input
from matscore.read.rows import FrameChunk, Layout
from matscore.read.split import Chunk
from matscore.read.table import Table, open_table
from matscore.run.job import Job
from matscore.run.work import Work
from matscore.write.formats import OutputSpec

_RECORDS_A_CHUNK = 16
_OPEN_INPUTS = 64


@dataclass(frozen=True)
class Part:
    """One input, ready to be read: open, its records unread unless they had to be transposed."""

    table: Table
    turned: FrameChunk | None = None  # its rows, where the file had to be transposed


@dataclass(frozen=True, kw_only=True)
class PlannedPart(Part):
    """One that meets the weights."""

    plan: Plan


def plan_inputs(
    stack: contextlib.ExitStack,
    inputs: Sequence[Input],
    weights: Weights,
    read: ReadOptions,
    align: PlanOptions,
    *,
    checksum: bool = False,
) -> list[PlannedPart]:
    """Open and plan all inputs, each by itself; the stack closes them."""
    parts = []
    for one in inputs:
        keys = () if align.transpose_features else one.keys
        table = open_table(one.path, read, checksum=checksum, keys=keys)
        stack.callback(table.close)
        part = plan_part(table, weights, read, align)
        if len(inputs) > _OPEN_INPUTS:
            table.park()  # an operating system lets nobody have a thousand files open
            part = replace(part, plan=_forget_labels(part.plan))
        parts.append(part)
    return parts


def _forget_labels(plan: Plan) -> Plan:
    """Drop a plan's copy of the first column, which many small files would fill memory with."""
    return replace(plan, features=replace(plan.features, first=None)) if plan.ok else plan


def plan_part(table: Table, weights: Weights, read: ReadOptions, align: PlanOptions) -> PlannedPart:
    """Plan one features table; it is read whole only where it is to be transposed."""
    wide, side = None, table.side(read)
    if align.transpose_features:
        from matscore.read.turned import read_wide

        wide = read_wide(table, read, chunk_bytes=CHUNK_BYTES)
        side = wide.side
    plan = make_plan(side, weights.side, align)
    if not plan.ok:
        return PlannedPart(table, plan=plan)
    if not plan.weights_label_column and weights.matrix.fault is not None:
        raise weights.matrix.fault()
    return PlannedPart(table, None if wide is None else wide.turn(plan), plan=plan)


def require_fits(parts: Sequence[PlannedPart]) -> tuple[Plan, ...]:
    """Return the plans of inputs that are done as one table; refuse those that do not go together.

    They must give the same columns from the same weights.
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


def share_works(
    plans: Sequence[Plan], take_model: Callable[[Plan], Any], make: Callable[[Plan, Any], Work]
) -> list[Work]:
    """Return what to do by each plan, one object for all plans that differ in the file alone.

    A thousand files with one header then hold the weights once.
    """
    models: dict[tuple[object, ...], Any] = {}
    works: dict[Plan, Work] = {}
    found = []
    for plan in plans:
        side = replace(plan.features, path="", n_rows=None, first=None, first_record=None)
        alike = replace(plan, features=side, facts=())
        if alike not in works:
            # A model depends on these alone, and items can be taken out of memory only once.
            way = plan.weights_index, plan.transpose, plan.weights_label_column
            if (key := (*way, plan.intercept_index)) not in models:
                models[key] = take_model(plan)
            works[alike] = make(plan, models[key])
        found.append(works[alike])
    return found


def make_jobs(
    parts: Sequence[PlannedPart],
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
    part: PlannedPart,
    read: ReadOptions,
    work: Work,
    output: OutputSpec | None,
    on_error: Literal["fail", "reject"],
    number: int = 0,
) -> Job:
    """Return what to do with the chunks of one part, which is the input of that number."""
    return Job(layout_of(part, read), work, output, on_error, number)


def layout_of(part: PlannedPart, read: ReadOptions) -> Layout:
    """Return how the records of a planned part read."""
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
