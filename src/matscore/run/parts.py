"""The inputs of a run: planned, cut as memory allows, and worked on by threads or a cluster.

An engine gives the results in the order of the rows, whoever made them and whenever.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from matscore.errors import PlanError
from matscore.model import CHUNK_BYTES, Weights
from matscore.options import PlanOptions, ReadOptions, RunOptions
from matscore.plan import Plan, make_plan, require_fit
from matscore.read.inputs import Input
from matscore.read.rows import FrameChunk, Layout
from matscore.read.source import SourceFacts
from matscore.read.split import Chunk
from matscore.read.table import Table, open_table
from matscore.run.work import ChunkResult, Job, Work, run_chunk

if TYPE_CHECKING:
    from matscore.write.folder import Claim

_RECORDS_A_CHUNK = 16
_OPEN_INPUTS = 64


@dataclass(frozen=True)
class PlannedPart:
    """One input that meets the weights: open, unread unless it had to be transposed."""

    table: Table
    plan: Plan
    turned: FrameChunk | None = None  # its rows, where the file had to be transposed


@dataclass(frozen=True)
class Part:
    """One input, open, and what is to be done with its rows."""

    table: Table
    job: Job
    turned: FrameChunk | None = None  # as of the planned part


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
        # What a directory's name says is a column, and here columns are rows.
        keys = () if align.transpose_features else one.keys
        table = open_table(one.path, read.of_features, checksum=checksum, keys=keys)
        stack.callback(table.close)
        part = plan_part(table, weights, read, align)
        if len(inputs) > _OPEN_INPUTS:
            table.park()  # an operating system lets nobody have a thousand files open
            if part.plan.ok:  # copies of many first columns would fill memory
                features = replace(part.plan.features, first=None)
                part = replace(part, plan=replace(part.plan, features=features))
        parts.append(part)
    return parts


def plan_part(table: Table, weights: Weights, read: ReadOptions, align: PlanOptions) -> PlannedPart:
    """Plan one features table; it is read whole only where it is to be transposed."""
    wide, side = None, table.side(read)
    if align.transpose_features:
        from matscore.read.switches import read_wide

        wide = read_wide(table, read, chunk_bytes=CHUNK_BYTES)
        side = wide.side
    plan = make_plan(side, weights.side, align)
    unique = align.unique_labels
    if unique or read.is_switched:
        from matscore.read.switches import list_switches

        columns = () if align.transpose_features else plan.feature_columns
        said = list_switches(table, read, columns, weights.side.path, unique=unique)
        plan = replace(plan, said=tuple(said))
    if not plan.ok:
        return PlannedPart(table, plan)
    if read.least_present is not None:
        plan = replace(plan, least_present=read.least_present)
    # Words in a first column are a fault only where the plan takes it for numbers.
    if not plan.weights_label_column and weights.matrix.fault is not None:
        raise weights.matrix.fault()
    return PlannedPart(table, plan, None if wide is None else wide.turn(plan))


def require_fits(parts: Sequence[PlannedPart]) -> tuple[Plan, ...]:
    """Return the plans of inputs that are done as one table; refuse those that do not go together.

    They must give the same columns from the same weights.
    """
    plans = tuple(require_fit(part.plan) for part in parts)
    first = plans[0]
    # All go into one output, whose header and columns the first file settles.
    for plan in plans[1:]:
        one, other, hint = plan.features.path, first.features.path, "score the files one by one"
        if plan.kept_names != first.kept_names or _label_of(plan) != _label_of(first):
            what = f"{one} has other labels or kept columns than {other}"
            raise PlanError(replace(plan, problem=what, hint=hint))
        if (plan.transpose, plan.categories) != (first.transpose, first.categories):
            what = f"{one} meets {plan.weights.path} in another way than {other}"
            raise PlanError(replace(plan, problem=what, hint=hint))
        if plan.absent != first.absent:
            what = f"{one} lacks other features than {other}"
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
        alike = replace(plan, features=side, facts=(), said=())
        if alike not in works:
            # A model depends on these alone, and items can be taken out of memory only once.
            way = plan.weights_index, plan.transpose, plan.weights_label_column, plan.terms
            if (key := (*way, plan.intercept_index)) not in models:
                models[key] = take_model(plan)
            works[alike] = make(plan, models[key])
        found.append(works[alike])
    return found


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
        read.of_cell,
        read.missing_values,
        constants=tuple(value for _, value in keys),
        level_columns=plan.text_columns,
        terms=plan.terms,
        unknown=read.unknown,
        kept_missing=plan.kept_missing,
        booleans=() if turned else table.booleans_of(plan.feature_columns),
    )


def chunk_bytes_of(table: Table, run: RunOptions) -> int:
    """Return the size of a table's chunks, in bytes: what is asked for, or what suits its width."""
    return run.chunk_bytes or max(CHUNK_BYTES, _RECORDS_A_CHUNK * table.start)


def iter_pairs(
    parts: Sequence[Part], run: RunOptions, *, apart: bool = False
) -> Iterator[tuple[Job, Chunk | FrameChunk]]:
    """Yield every chunk of every part, in order, with what is to be done with it.

    Rows are counted over all parts, or in each anew where the parts stay apart.
    """
    row = 0
    for part in parts:
        row = 0 if apart else row
        for chunk in iter_part(part, run, row):
            yield part.job, chunk
            row = chunk.row + chunk.n_records
        # A file that is done is closed: an operating system has room for few that are open.
        part.table.park()


def iter_part(part: Part, run: RunOptions, row: int) -> Iterable[Chunk | FrameChunk]:
    """Return the chunks of one part."""
    if part.turned is not None:
        return [replace(part.turned, row=row)]
    return part.table.iter_chunks(
        part.job.layout, chunk_bytes=chunk_bytes_of(part.table, run), row=row
    )


# How much is read at a time follows from a budget of memory. What a row costs is estimated from its
# text, its features and what the command makes of it; the factors were measured with NumPy 2
# (tests/benchmarks/README.md). They decide how the work is cut, never a byte of the output.
MEMORY_BYTES = 224 * 2**20

_PROGRAM_BYTES = 64 * 2**20  # Python and NumPy before the first row
_JOB_BYTES = 4 * 2**20
_MOST_CHUNK_BYTES = 2**20  # larger ones are no faster
_LEAST_CHUNK_BYTES, _LEAST_MEMORY = 2**18, 2**24  # fewer threads are faster than smaller ones
_LEAST_ROWS = 16
_FLOOR_MEMORY = 2**20
_NAME_BYTES = 128
_COLUMN_BYTES = 2**11  # of a frame, however few its rows
_TEXTS, _COPIES, _VALUE_BYTES, _WRITTEN_BYTES = 2, 4, 8, 100
LABEL_BYTES = 48  # where labels are to be unique: 24, and as much while they are sorted
_NAMED_BYTES = 50  # more, where each value is written with its name


@dataclass(frozen=True)
class Cost:
    """What memory some chunk takes."""

    record_bytes: float  # bytes of a record in its file
    row_bytes: float  # bytes of memory that a row takes on its way from record to output
    chunk_bytes: int  # bytes of memory that a chunk takes without its rows


def fit_budget(
    run: RunOptions,
    parts: Sequence[Part],
    *,
    held_bytes: int = 0,
    suggested: int | None = None,
) -> RunOptions:
    """Settle the size of chunks and the number of threads."""
    costs = [estimate_cost(part) for part in parts]
    # Of a very wide table the names take more than the rows.
    names = sum(_NAME_BYTES * part.job.layout.width for part in parts)
    room = (run.memory_bytes or MEMORY_BYTES) - _PROGRAM_BYTES - held_bytes - names
    if run.memory_bytes is None:  # what is held must be, and comes on top where it is much
        room = max(room, (MEMORY_BYTES - _PROGRAM_BYTES) // 2)
    asked = run.n_jobs or count_jobs()
    most = run.chunk_bytes or (_MOST_CHUNK_BYTES if suggested is None else suggested)
    least = [run.chunk_bytes or min(_least_bytes(cost), most) for cost in costs]
    # Fewer threads with larger chunks beat many with tiny ones, each of which costs a call.
    for n_jobs in range(asked, 0, -1):
        sizes = [_chunk_bytes(cost, room, n_jobs) for cost in costs]
        if all(size >= enough for size, enough in zip(sizes, least, strict=True)):
            break
    if run.chunk_bytes is not None:
        return replace(run, n_jobs=asked if run.memory_bytes is None else n_jobs)
    floor = max(_floor_bytes(cost, is_asked=run.memory_bytes is not None) for cost in costs)
    return replace(run, n_jobs=n_jobs, chunk_bytes=max(min([most, *sizes]), min(floor, most)))


def count_label_bytes(tables: Sequence[Table]) -> int:
    """Estimate what it takes to know all labels; of what is compressed or a pipe less is known."""
    n_rows = (
        (one.source.size or 0) / one.record_bytes(0) if one.n_rows is None else one.n_rows
        for one in tables
    )
    return int(LABEL_BYTES * sum(n_rows))


def estimate_cost(part: Part) -> Cost:
    """Estimate what memory the chunks of a part take."""
    job, layout = part.job, part.job.layout
    n_features = len(layout.feature_columns) + len(layout.level_columns)
    n_used = n_features + len(layout.text_columns)
    if layout.terms is not None:  # what is computed is held beside what is read
        n_features += layout.terms.n_stored
    record = part.table.record_bytes(n_used)
    n_values, n_written = job.work.values_a_row()
    named = job.output is not None and job.output.form.repeats_names
    written = _WRITTEN_BYTES + _NAMED_BYTES * named
    values = _VALUE_BYTES * (_COPIES * n_features + n_values) + written * n_written
    return Cost(record, _TEXTS * record + values, _COLUMN_BYTES * (layout.width + n_written))


def _chunk_bytes(cost: Cost, room: int, n_jobs: int) -> int:
    """Return the size of a chunk: each thread has one, and there is one more than jobs."""
    share = room / (n_jobs + 1) - _JOB_BYTES
    return int(max(share - cost.chunk_bytes, 0) / cost.row_bytes * cost.record_bytes)


def _least_bytes(cost: Cost) -> float:
    """Return the size of a chunk that is worth a thread."""
    enough = min(_LEAST_CHUNK_BYTES, _LEAST_MEMORY / cost.row_bytes * cost.record_bytes)
    return max(_LEAST_ROWS * cost.record_bytes, enough)


def _floor_bytes(cost: Cost, *, is_asked: bool) -> int:
    """Return the size of a chunk where no memory is left.

    Some rows, since a chunk of 100,000 columns takes a second however few it has; where the budget
    was asked for a single one, if that is large.
    """
    n_rows = max(_FLOOR_MEMORY / cost.row_bytes, 1 if is_asked else _LEAST_ROWS)
    return int(n_rows * cost.record_bytes) + 1


Item = TypeVar("Item")
Result = TypeVar("Result")
Results: TypeAlias = Generator[ChunkResult, None, None]


@dataclass(frozen=True)
class Engine:
    """What does the work: threads of this process; a cluster's workers in a subclass.

    All results come in order, and errors in their place among them.
    """

    run: RunOptions

    def run_pairs(self, pairs: Iterable[tuple[Job, Chunk | FrameChunk]]) -> Results:
        """Do jobs on chunks that are read by the caller's thread."""
        n_jobs = self.run.n_jobs or count_jobs()
        return map_ordered(lambda pair: _run_pair(*pair), pairs, n_jobs)

    def run_parts(self, parts: Sequence[Part], *, apart: bool = False) -> Results:
        """Do the job of each part; rows are counted over all, or in each where they stay apart."""
        return self.run_pairs(iter_pairs(parts, self.run, apart=apart))

    def write_parts(
        self, parts: Sequence[Part], outputs: Sequence[str], claim: Claim
    ) -> Results | None:
        """Do the job of each part and write each to a file, one result a part.

        None, as here, where the caller is to write what `run_parts` gives.
        """
        del parts, outputs, claim
        return None

    def count_read(self, parts: Sequence[Part]) -> int:
        """Return the bytes of the inputs that are read."""
        return sum(part.table.source.n_read for part in parts)

    def facts_of(self, part: Part) -> SourceFacts:
        """Return what a report says of an input that is read."""
        return part.table.source.facts()


def _run_pair(job: Job, chunk: Chunk | FrameChunk) -> ChunkResult:
    result = run_chunk(job, chunk)
    # The chunk is held until its turn comes, as it may be done again.
    return replace(result, again=partial(run_chunk, job, chunk)) if job.unique else result


def open_engine(run: RunOptions, parts: Sequence[Part]) -> AbstractContextManager[Engine]:
    """Return the engine that is asked for, to be entered."""
    if run.engine == "local":
        return nullcontext(Engine(run))
    # Dask takes a second to import, and need not be installed.
    from matscore.run.cluster import open_cluster

    return open_cluster(run, decomposes=any(part.job.work.decomposes for part in parts))


def count_jobs() -> int:
    """Return the number of processors this process may use."""
    # A container or a batch system may allow fewer than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_ordered(
    function: Callable[[Item], Result], items: Iterable[Item], n_jobs: int
) -> Generator[Result, None, None]:
    """Apply a function to items in parallel and yield its results in the items' order.

    At most ``n_jobs + 1`` items are held, so memory does not depend on how many there are. As many
    threads work on them: one of them mostly waits for threads of a library. An exception, of the
    function or of the items, comes in its place in that order. With one job everything runs in the
    calling thread, which also reads the items.

    >>> list(map_ordered(abs, [-3, 2, -1], n_jobs=2))
    [3, 2, 1]
    """
    if n_jobs == 1:
        for item in items:  # not map(), which would end at a StopIteration out of the function
            yield function(item)
        return
    pool = ThreadPoolExecutor(n_jobs + 1, thread_name_prefix="matscore")
    window: deque[Future[Result]] = deque()
    started = (pool.submit(function, item) for item in items)
    try:
        yield from take_in_order(started, window, lambda: n_jobs, lambda: window.popleft().result())
    finally:
        # Whoever closes the generator early waits only for what is being worked on.
        pool.shutdown(wait=True, cancel_futures=True)


def take_in_order(
    started: Iterable[Item],
    window: deque[Item],
    count_ahead: Callable[[], int],
    take: Callable[[], Result],
) -> Generator[Result, None, None]:
    """Yield what `take` takes out of a window of work under way, as many as may be ahead.

    An exception of what starts the work comes in its place in that order.
    """
    source = iter(started)
    failure: Exception | None = None
    while failure is None:
        try:
            window.append(next(source))
        except StopIteration:
            break
        except Exception as error:  # raised below, after the results that come before it
            failure = error
        while len(window) > count_ahead():
            yield take()
    while window:
        yield take()
    if failure is not None:
        raise failure
