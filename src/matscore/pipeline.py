"""One chunk, whole: split → parse → product → decide → encode.

`score_chunk` is pure and everything that goes in and out of it can be pickled, so that any engine
can run it anywhere: the bytes it gives depend on nothing but its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matscore.decide import count_categories
from matscore.files.encode import OutputSpec, encode_frame, make_frame
from matscore.files.parse import Layout, ParsedRows, Reject
from matscore.files.records import find_records
from matscore.files.rows import FrameChunk, parse_rows
from matscore.files.split import Chunk
from matscore.matrix import Model
from matscore.score import Scored, ScoreOptions, score_rows


@dataclass(frozen=True)
class Job:
    """Everything but the chunk: what to read, multiply, decide and write.

    Attributes
    ----------
    layout : Layout
        The file's columns.
    model : Model
        Weights, intercept, categories.
    options : ScoreOptions
        What to compute.
    output : OutputSpec
        What to write.
    on_error : {"fail", "reject"}
        Whether a bad row stops the run or is set aside.
    """

    layout: Layout
    model: Model
    options: ScoreOptions
    output: OutputSpec
    on_error: Literal["fail", "reject"] = "fail"


@dataclass(frozen=True)
class Preview:
    """The first rows of an output, for the screen.

    Attributes
    ----------
    frame : DataFrame
        The output's columns.
    marks : ndarray of shape (n_categories, n_rows), bool
        The highest cells of each row, both of a tie.
    """

    frame: pl.DataFrame
    marks: NDArray[np.bool_]


@dataclass(frozen=True)
class ScoredChunk:
    """What one chunk gives.

    Attributes
    ----------
    path : str
        The input it comes from.
    data : bytes
        To be written, in the chunks' order.
    n_rows : int
        Rows scored.
    n_ties, n_missing, n_empty : int
        Rows that tie, that have a missing value, that have no prediction.
    counts : ndarray of shape (n_categories,), int64
        Rows that each category won.
    rejects : list of Reject
        Rows set aside.
    preview : Preview or None
        The first rows, where the output is a table.
    """

    path: str
    data: bytes
    n_rows: int
    n_ties: int
    n_missing: int
    n_empty: int
    counts: NDArray[np.int64]
    rejects: list[Reject] = field(default_factory=list)
    preview: Preview | None = None


def score_chunk(job: Job, chunk: Chunk | FrameChunk) -> ScoredChunk:
    """Score one chunk.

    Parameters
    ----------
    job : Job
        What to do.
    chunk : Chunk or FrameChunk
        Whole records.

    Returns
    -------
    ScoredChunk
        ``n_rows + len(rejects)`` is the number of the chunk's records.

    Raises
    ------
    InputError
        A bad row where `on_error` is ``fail``, or damage that no row can be blamed for.
    """
    parsed = parse_rows(job.layout, chunk)
    _stop_at_first(job, chunk, parsed.rejects)
    scored, overflow = _score(job, parsed)
    if len(overflow):
        rejects = [_reject_overflow(chunk, parsed, int(i), job.layout) for i in overflow]
        parsed = _drop_rows(parsed, overflow, rejects)
        _stop_at_first(job, chunk, parsed.rejects)
        scored, _ = _score(job, parsed)
    if parsed.n_rows + len(parsed.rejects) != chunk.n_records:
        raise RuntimeError(f"{chunk.path}: rows are lost in the chunk at line {chunk.line}")
    return _encode(job, chunk, parsed, scored)


def _score(job: Job, parsed: ParsedRows) -> tuple[Scored, NDArray[np.int64]]:
    return score_rows(job.model, parsed.features, parsed.n_rows, job.options, parsed.has_missing)


def _stop_at_first(job: Job, chunk: Chunk | FrameChunk, rejects: list[Reject]) -> None:
    fatal = [r for r in rejects if not r.skipped] if job.on_error == "fail" else []
    if fatal:
        raise min(fatal, key=lambda reject: reject.line).as_error(chunk.path)


def _encode(job: Job, chunk: Chunk | FrameChunk, parsed: ParsedRows, scored: Scored) -> ScoredChunk:
    spec = job.output
    if job.layout.label_column is None:
        rows = np.arange(parsed.n_rows) if parsed.rows is None else parsed.rows
        labels = pl.Series(rows + (chunk.row + 1))
    else:
        labels = parsed.texts[job.layout.label_column]
    kept = [parsed.texts[i] for i in job.layout.kept_columns]
    data, preview = b"", None
    if spec.format == "table":
        if chunk.row < spec.max_rows:
            frame = make_frame(spec, labels, kept, scored).head(spec.max_rows)
            preview = Preview(frame, scored.mark_ties(job.model, spec.max_rows))
    elif parsed.n_rows:
        data = encode_frame(spec, make_frame(spec, labels, kept, scored))
    best = scored.decision.best
    return ScoredChunk(
        chunk.path,
        data,
        parsed.n_rows,
        int(scored.decision.tied.sum()),
        0 if parsed.has_missing is None else int(parsed.has_missing.sum()),
        int((best < 0).sum()),
        count_categories(best, len(spec.categories)),
        parsed.rejects,
        preview,
    )


def _reject_overflow(
    chunk: Chunk | FrameChunk, parsed: ParsedRows, row: int, layout: Layout
) -> Reject:
    record = row if parsed.rows is None else int(parsed.rows[row])
    line, text = chunk.row + record + 1, ""
    if isinstance(chunk, Chunk):
        records = find_records(chunk.data, layout.delimiter)
        line = chunk.line + int(records.lines[record])
        text = chunk.data[records.starts[record] : records.ends[record]].decode()
    what, hint = "the scores overflow", "the features or the weights are too large for float64"
    return Reject(line, None, None, what, hint, text)


def _drop_rows(
    parsed: ParsedRows,
    dropped: NDArray[np.int64],
    rejects: list[Reject],
) -> ParsedRows:
    good = np.ones(parsed.n_rows, dtype=bool)
    good[dropped] = False
    rows = np.arange(parsed.n_rows) if parsed.rows is None else parsed.rows
    return replace(
        parsed,
        texts={i: series.filter(pl.Series(good)) for i, series in parsed.texts.items()},
        features=[values[good] for values in parsed.features],
        n_rows=int(good.sum()),
        has_missing=None if parsed.has_missing is None else parsed.has_missing[good],
        rows=rows[good],
        rejects=sorted([*parsed.rejects, *rejects], key=lambda reject: reject.line),
    )
