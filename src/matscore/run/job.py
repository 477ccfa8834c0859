"""One chunk, whole: split → parse → work → encode.

`run_chunk` is pure and everything that goes in and out of it can be pickled, so that any engine
can run it anywhere: the bytes it gives depend on nothing but its arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from matscore.errors import InputError
from matscore.read.rows import FrameChunk, Layout, Reject, Rows, find_first_error, parse_rows
from matscore.read.source import SourceFacts
from matscore.read.split import Chunk
from matscore.run.work import Fault, Preview, Work
from matscore.write.formats import OutputSpec


@dataclass(frozen=True)
class Job:
    """Everything but the chunk: what to read, do and write."""

    layout: Layout
    work: Work
    output: OutputSpec | None  # None where only counts are wanted
    on_error: Literal["fail", "reject"] = "fail"  # a bad row stops the run or is set aside
    part: int = 0  # which of the inputs it is for


@dataclass(frozen=True)
class Written:
    """An output that was written where its rows were made: its input, size in bytes and sha256."""

    source: SourceFacts
    size: int
    sha256: str


@dataclass(frozen=True)
class ChunkResult:
    """What one chunk gives."""

    path: str  # the input it comes from
    data: bytes | bytearray  # to be written, in the chunks' order
    n_rows: int  # that the work was done on
    tally: Any
    rejects: list[Reject] = field(default_factory=list)
    preview: Preview | None = None  # the first rows, where the output is a table
    part: int = 0  # which of the inputs it comes from
    written: Written | None = None  # all of that input's output, where a worker wrote it itself


def run_pair(pair: tuple[Job, Chunk | FrameChunk]) -> ChunkResult:
    """Do a job on a chunk."""
    return run_chunk(*pair)


def run_chunk(job: Job, chunk: Chunk | FrameChunk) -> ChunkResult:
    """Do the work on one chunk; ``n_rows + len(rejects)`` of the result is its records.

    A bad row where `on_error` is ``fail``, or damage that no row can be blamed for, is an
    `InputError`; of several the first in the chunk.
    """
    try:
        return _run_whole(job, chunk)
    except InputError as error:

        def run(part: Chunk | FrameChunk, n_before: int) -> ChunkResult:
            return _run_whole(_take_beside(job, n_before, part.n_records), part)

        raise find_first_error(run, chunk, error) from None


def _take_beside(job: Job, start: int, n_records: int) -> Job:
    """Return the job with what belongs to some of the chunk's records beside them."""
    beside = getattr(job.work, "beside", None)
    if beside is None:
        return job
    work: Any = job.work
    return replace(job, work=replace(work, beside=beside.take(start, n_records)))


def _run_whole(job: Job, chunk: Chunk | FrameChunk) -> ChunkResult:
    rows = parse_rows(job.layout, chunk)
    _stop_at_first(job, chunk, rows.rejects)
    outcome = job.work.apply(rows)
    if outcome.faults:
        rows = rows.drop({f.row: _reject(job.layout, chunk, rows, f) for f in outcome.faults})
        _stop_at_first(job, chunk, rows.rejects)
        outcome = job.work.apply(rows)
    if rows.n_rows + len(rows.rejects) != chunk.n_records:
        raise RuntimeError(f"{chunk.path}: rows are lost in the chunk at line {chunk.line}")
    data: bytes | bytearray = b""
    preview, output = None, job.output
    if output is not None and output.form.is_shown:
        if output.selects or chunk.row < output.max_rows:
            preview = outcome.preview(output.max_rows)
            preview = replace(preview, frame=output.finish(preview.frame))
    elif output is not None and rows.n_rows:
        frame = outcome.frame()
        data = output.form.rows(output, frame) if frame.height else b""
    return ChunkResult(
        chunk.path, data, rows.n_rows, outcome.tally(), rows.rejects, preview, job.part
    )


def _stop_at_first(job: Job, chunk: Chunk | FrameChunk, rejects: Sequence[Reject]) -> None:
    if job.on_error == "fail":
        fatal = [reject for reject in rejects if not reject.skipped]
        if fatal:
            raise min(fatal, key=lambda reject: reject.line).as_error(chunk.path)


def _reject(layout: Layout, chunk: Chunk | FrameChunk, rows: Rows, fault: Fault) -> Reject:
    """Reject a row that reads well and that nothing can be made of."""
    record = fault.row if rows.places is None else int(rows.places[fault.row])
    place, text = chunk.locate(layout, record, fault.column), chunk.record(record).decode()
    return Reject(*place, fault.what, fault.hint, text, fault.skipped)
