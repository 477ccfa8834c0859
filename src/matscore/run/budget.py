"""How much is read at a time: the chunks and the threads that a budget of memory allows.

What a row costs is estimated from its text, its features and what the command makes of it; the
factors were measured with NumPy 2 (tests/benchmarks/README.md). The estimate decides only
how the work is cut, never a byte of the output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matscore.options import RunOptions
from matscore.read.table import Table
from matscore.run.job import Job
from matscore.run.local import count_jobs

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
_NAMED_BYTES = 50  # more, where each value is written with its name


@dataclass(frozen=True)
class Cost:
    """What memory some chunk takes.

    Attributes
    ----------
    record_bytes : float
        Bytes of a record in its file.
    row_bytes : float
        Bytes of memory that a row takes on its way from record to output.
    chunk_bytes : int
        Bytes of memory that a chunk takes without its rows.
    """

    record_bytes: float
    row_bytes: float
    chunk_bytes: int


def fit_budget(
    run: RunOptions,
    tables: Sequence[Table],
    jobs: Sequence[Job],
    *,
    held_bytes: int = 0,
    suggested: int | None = None,
) -> RunOptions:
    """Settle the size of chunks and the number of threads.

    Parameters
    ----------
    run : RunOptions
        What is asked for; a size of chunks that is asked for is kept.
    tables : sequence of Table
        The inputs, open.
    jobs : sequence of Job
        What is done with each.
    held_bytes : int
        Memory of what is held beside the chunks: the weights.
    suggested : int, optional
        Bytes of a chunk that suit the work, when memory allows them.

    Returns
    -------
    RunOptions
        With `chunk_bytes` and `n_jobs`.
    """
    costs = [estimate_cost(table, job) for table, job in zip(tables, jobs, strict=True)]
    names = sum(_NAME_BYTES * job.layout.width for job in jobs)
    room = (run.memory_bytes or MEMORY_BYTES) - _PROGRAM_BYTES - held_bytes - names
    if run.memory_bytes is None:  # what is held must be, and comes on top where it is much
        room = max(room, (MEMORY_BYTES - _PROGRAM_BYTES) // 2)
    asked = run.n_jobs or count_jobs()
    if run.chunk_bytes is not None:
        return replace(run, n_jobs=_count_affordable(run, costs, room, asked))
    most = _MOST_CHUNK_BYTES if suggested is None else suggested
    for n_jobs in range(asked, 0, -1):
        sizes = [_chunk_bytes(cost, _share(room, n_jobs)) for cost in costs]
        least = [_least_bytes(cost) for cost in costs]
        if all(size >= min(enough, most) for size, enough in zip(sizes, least, strict=True)):
            break
    floor = max(_floor_bytes(cost, is_asked=run.memory_bytes is not None) for cost in costs)
    return replace(run, n_jobs=n_jobs, chunk_bytes=max(min([most, *sizes]), min(floor, most)))


def estimate_cost(table: Table, job: Job) -> Cost:
    """Estimate what memory the chunks of a table take.

    Parameters
    ----------
    table : Table
        Open; its first records are looked at.
    job : Job
        What is done with it.

    Returns
    -------
    Cost
        Of a record, a row and a chunk.
    """
    layout = job.layout
    n_features = len(layout.feature_columns)
    n_used = n_features + len(layout.text_columns)
    record = table.record_bytes(n_used)
    n_values, n_written = job.work.values_a_row()
    named = job.output is not None and job.output.form.repeats_names
    written = _WRITTEN_BYTES + _NAMED_BYTES * named
    values = _VALUE_BYTES * (_COPIES * n_features + n_values) + written * n_written
    return Cost(record, _TEXTS * record + values, _COLUMN_BYTES * (layout.width + n_written))


def _share(room: int, n_jobs: int) -> float:
    """Return what one chunk may take: each thread has one, and there is one more than jobs."""
    return room / (n_jobs + 1) - _JOB_BYTES


def _chunk_bytes(cost: Cost, share: float) -> int:
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


def _count_affordable(run: RunOptions, costs: Sequence[Cost], room: int, asked: int) -> int:
    """Return how many threads can work on chunks of the size asked for."""
    if run.memory_bytes is None or run.chunk_bytes is None:
        return asked
    chunk = run.chunk_bytes
    fits = [
        n_jobs
        for n_jobs in range(1, asked + 1)
        if all(_chunk_bytes(cost, _share(room, n_jobs)) >= chunk for cost in costs)
    ]
    return max(fits, default=1)
