"""Option values into the typed options of the library."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

from matscore.cli import options as o
from matscore.errors import UsageError
from matscore.grammar import MISSING_VALUES
from matscore.options import (
    Format,
    OutputOptions,
    PlanOptions,
    ReadOptions,
    RecommendOptions,
    RejectOptions,
    RunOptions,
    ScoreOptions,
)

if TYPE_CHECKING:
    from matscore.options import Gather


def read_options(
    delimiter: str | None,
    encoding: str | None,
    headers: bool | None,
    decimal: o.Decimal,
    missing: o.Missing,
    missing_values: str | None,
) -> ReadOptions:
    """Return how inputs are read.

    Raises
    ------
    UsageError
        Options that contradict each other.
    """
    words = split_list("--missing-values", missing_values, MISSING_VALUES)
    return ReadOptions(delimiter, encoding, headers, decimal.value, missing.value, words)


def reject_options(
    on_error: o.OnError, rejects: str | None, max_rejects: str | None, missing: o.Missing
) -> RejectOptions:
    """Return what happens to bad rows.

    Raises
    ------
    UsageError
        Rows would be rejected with no place to go, or there is a place and no row goes there.
    """
    rejecting = on_error is o.OnError.reject or missing is o.Missing.skip
    asked = "--on-error reject" if on_error is o.OnError.reject else "--missing skip"
    if rejecting and rejects is None:
        raise UsageError(f"{asked} needs --rejects", "name the file where rejected rows go")
    for option, value in (("--rejects", rejects), ("--max-rejects", max_rejects)):
        if value is not None and not rejecting:
            raise UsageError(f"{option} has no effect", "it goes with --on-error reject")
    return RejectOptions(on_error.value, rejects, *o.read_limit(max_rejects))


def score_options(probabilities: bool, threshold: float | None) -> ScoreOptions:
    """Return what is computed.

    Raises
    ------
    UsageError
        A threshold that no score can be compared with.
    """
    if threshold is not None and not math.isfinite(threshold):
        raise UsageError("--threshold is not a finite number", "give it a number")
    if threshold is not None and probabilities and not 0 <= threshold <= 1:
        what = "with --probabilities, --threshold is a probability"
        raise UsageError(what, "give it a number from 0 to 1")
    return ScoreOptions(probabilities, threshold)


def output_options(
    form: Format,
    scores: bool,
    margin: bool,
    precision: int | None,
    excel_safe: bool,
    max_rows: int,
    top_k: int | None,
) -> OutputOptions:
    """Return what is written.

    Raises
    ------
    UsageError
        Options that contradict each other.
    """
    if top_k is not None and margin:
        what = "--margin and --top-k contradict each other"
        raise UsageError(what, "the ranks of --top-k have scores to compare")
    return OutputOptions(form, scores, margin, precision, excel_safe, max_rows, top_k)


def recommend_options(
    k: int | None, min_score: float | None, exclude: str | None, matrix: bool
) -> RecommendOptions:
    """Return what is recommended.

    Raises
    ------
    UsageError
        A least score that is no number, or options that a whole matrix leaves without effect.
    """
    if min_score is not None and not math.isfinite(min_score):
        raise UsageError("--min-score is not a finite number", "give it a number")
    for option, value in (("--top-k", k), ("--min-score", min_score), ("--exclude", exclude)):
        if matrix and value is not None:
            what = f"{option} and --matrix contradict each other"
            raise UsageError(what, "a matrix has the score of every user and item")
    return RecommendOptions(10 if k is None else k, min_score)


def run_options(
    jobs: int | None,
    chunk_size: int | None,
    memory: int | None,
    engine: o.Engine,
    scheduler: str | None,
    resume: bool,
    *,
    checksum: bool,
    gather: tuple[Gather, ...] = (),
) -> RunOptions:
    """Return how the work is done.

    Raises
    ------
    UsageError
        Options that contradict each other.
    """
    if scheduler is not None and engine is not o.Engine.dask:
        raise UsageError("--scheduler has no effect", "it goes with --engine dask")
    if scheduler is not None and jobs is not None:
        raise UsageError("--jobs has no effect", "the cluster at --scheduler has its own workers")
    return RunOptions(jobs, chunk_size, checksum, gather, memory, engine.value, scheduler, resume)


def align_options(
    id_col: str | None,
    no_id_col: bool,
    keep_cols: str | None,
    strict: bool,
    transpose: bool,
    transpose_features: bool,
    auto_transpose: bool,
    intercept: str | None,
    no_intercept: bool,
) -> PlanOptions:
    """Return how the two sides are lined up.

    Raises
    ------
    UsageError
        Options that contradict each other.
    """
    if id_col is not None and no_id_col:
        raise UsageError("--id-col and --no-id-col contradict each other", "give one of them")
    if intercept is not None and no_intercept:
        raise UsageError("--intercept and --no-intercept contradict each other", "give one of them")
    keep_all = keep_cols == "all"
    kept = split_list("--keep-cols", None if keep_all else keep_cols)
    return PlanOptions(
        id_col,
        no_id_col,
        transpose,
        transpose_features,
        auto_transpose,
        strict,
        kept,
        keep_all,
        intercept,
        no_intercept,
    )


def split_list(option: str, text: str | None, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Split the comma-separated list that an option gives; a name is quoted as in CSV.

    Raises
    ------
    UsageError
        It is no record of CSV: a line end outside quotes, a quote that is not closed.
    """
    if text is None:
        return default
    try:
        cells = next(csv.reader([text], strict=True), [])
        ends = text.endswith(("\r", "\n"))  # which the reader would drop
    except csv.Error:
        ends = True
    if ends:
        hint = "quote a name that holds a comma, a quote or a line end, as in CSV"
        raise UsageError(f"{option} is not a comma-separated list", hint)
    return tuple(cells)
