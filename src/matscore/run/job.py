"""One chunk, whole: split → parse → work → encode.

`run_chunk` is pure and everything that goes in and out of it can be pickled, so that any engine
can run it anywhere: the bytes it gives depend on nothing but its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from matscore.errors import InputError
from matscore.frame import Labels
from matscore.read.parse import Layout, ParsedRows, Reject
from matscore.read.records import cut_record, find_starts
from matscore.read.rows import FrameChunk, find_first_error, parse_rows
from matscore.read.source import SourceFacts
from matscore.read.split import Chunk
from matscore.run.work import Fault, Outcome, Preview, Rows, Work
from matscore.write.formats import OutputSpec


@dataclass(frozen=True)
class Job:
    """Everything but the chunk: what to read, do and write.

    Attributes
    ----------
    layout : Layout
        The file's columns.
    work : Work
        What to do with the rows.
    output : OutputSpec or None
        What to write; None where only counts are wanted.
    on_error : {"fail", "reject"}
        Whether a bad row stops the run or is set aside.
    part : int
        Which of the inputs it is for.
    """

    layout: Layout
    work: Work
    output: OutputSpec | None
    on_error: Literal["fail", "reject"] = "fail"
    part: int = 0


@dataclass(frozen=True)
class Written:
    """An output that was written where its rows were made.

    Attributes
    ----------
    source : SourceFacts
        The input.
    size : int
        Bytes of the output.
    sha256 : str
        Of the output.
    """

    source: SourceFacts
    size: int
    sha256: str


@dataclass(frozen=True)
class ChunkResult:
    """What one chunk gives.

    Attributes
    ----------
    path : str
        The input it comes from.
    data : bytes
        To be written, in the chunks' order.
    n_rows : int
        Rows that the work was done on.
    tally : Tally
        The work's counts.
    rejects : list of Reject
        Rows set aside.
    preview : Preview or None
        The first rows, where the output is a table.
    part : int
        Which of the inputs it comes from.
    written : Written or None
        The output of all of that input, where a worker wrote it itself.
    """

    path: str
    data: bytes
    n_rows: int
    tally: Any
    rejects: list[Reject] = field(default_factory=list)
    preview: Preview | None = None
    part: int = 0
    written: Written | None = None


def run_pair(pair: tuple[Job, Chunk | FrameChunk]) -> ChunkResult:
    """Do a job on a chunk."""
    return run_chunk(*pair)


def run_chunk(job: Job, chunk: Chunk | FrameChunk) -> ChunkResult:
    """Do the work on one chunk.

    Parameters
    ----------
    job : Job
        What to do.
    chunk : Chunk or FrameChunk
        Whole records.

    Returns
    -------
    ChunkResult
        ``n_rows + len(rejects)`` is the number of the chunk's records.

    Raises
    ------
    InputError
        A bad row where `on_error` is ``fail``, or damage that no row can be blamed for; of several
        the first in the chunk.
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
    parsed = parse_rows(job.layout, chunk)
    _stop_at_first(job, chunk, parsed.rejects)
    outcome = job.work.apply(_take_rows(job.layout, chunk, parsed))
    if outcome.faults:
        parsed = _drop_rows(parsed, _reject_faults(job.layout, chunk, parsed, outcome.faults))
        _stop_at_first(job, chunk, parsed.rejects)
        outcome = job.work.apply(_take_rows(job.layout, chunk, parsed))
    if parsed.n_rows + len(parsed.rejects) != chunk.n_records:
        raise RuntimeError(f"{chunk.path}: rows are lost in the chunk at line {chunk.line}")
    data, preview = b"", None
    if job.output is not None and job.output.form.is_shown:
        if job.output.selects or chunk.row < job.output.max_rows:
            preview = _preview(job.output, outcome)
    elif job.output is not None and parsed.n_rows:
        frame = outcome.frame()
        data = job.output.form.rows(job.output, frame) if frame.height else b""
    tally, part = outcome.tally(), job.part
    return ChunkResult(chunk.path, data, parsed.n_rows, tally, parsed.rejects, preview, part)


def _take_rows(layout: Layout, chunk: Chunk | FrameChunk, parsed: ParsedRows) -> Rows:
    labels: Labels
    if layout.label_column is None:
        places = np.arange(parsed.n_rows) if parsed.rows is None else parsed.rows
        labels = places + (chunk.row + 1)
    else:
        labels = parsed.texts[layout.label_column]
    texts = tuple(parsed.texts[i] for i in layout.kept_columns)
    return Rows(
        labels,
        texts,
        parsed.features,
        parsed.n_rows,
        parsed.has_missing,
        parsed.rows,
        chunk.row,
        chunk.n_records,
    )


def _preview(output: OutputSpec, outcome: Outcome) -> Preview:
    preview = outcome.preview(output.max_rows)
    return replace(preview, frame=output.finish(preview.frame))


def _stop_at_first(job: Job, chunk: Chunk | FrameChunk, rejects: list[Reject]) -> None:
    fatal = [r for r in rejects if not r.skipped] if job.on_error == "fail" else []
    if fatal:
        raise min(fatal, key=lambda reject: reject.line).as_error(chunk.path)


def _reject_faults(
    layout: Layout, chunk: Chunk | FrameChunk, parsed: ParsedRows, faults: Sequence[Fault]
) -> dict[int, Reject]:
    """Return the rejects of rows at fault, by their places among the parsed rows."""
    locate = _find_places(layout, chunk)
    rejects = {}
    for fault in faults:
        record = fault.row if parsed.rows is None else int(parsed.rows[fault.row])
        line, column, name, text = locate(record, fault.column)
        rejects[fault.row] = Reject(line, column, name, fault.what, fault.hint, text, fault.skipped)
    return rejects


def _find_places(
    layout: Layout, chunk: Chunk | FrameChunk
) -> Callable[[int, int | None], tuple[int, int | None, str | None, str]]:
    """Return what gives line, column, name and text of a record, or of one of its cells."""
    if isinstance(chunk, FrameChunk):
        return lambda record, column: (*chunk.locate(layout, record, column), "")
    starts, lines = find_starts(chunk.data)

    def locate(record: int, column: int | None) -> tuple[int, int | None, str | None, str]:
        line = chunk.line + int(lines[record])
        text = cut_record(chunk.data, starts, record).decode()
        return (
            (line, None, None, text)
            if column is None
            else (line, column + 1, layout.name_of(column), text)
        )

    return locate


def _drop_rows(parsed: ParsedRows, dropped: dict[int, Reject]) -> ParsedRows:
    left = np.setdiff1d(np.arange(parsed.n_rows), list(dropped))
    return replace(
        parsed,
        texts={i: texts.take(left) for i, texts in parsed.texts.items()},
        features=[values[left] for values in parsed.features],
        n_rows=len(left),
        has_missing=None if parsed.has_missing is None else parsed.has_missing[left],
        rows=left if parsed.rows is None else parsed.rows[left],
        rejects=sorted([*parsed.rejects, *dropped.values()], key=lambda reject: reject.line),
    )
