"""What the commands that stream a features file have in common: from paths to a summary."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matscore
from matscore.beside import Companion
from matscore.budget import fit_budget
from matscore.engines.local import count_jobs, map_ordered
from matscore.errors import UsageError
from matscore.files.compress import open_output
from matscore.files.deliver import BinaryFile, deliver_rejects, deliver_results
from matscore.files.encode import Format, OutputSpec
from matscore.files.rows import FrameChunk
from matscore.files.split import Chunk
from matscore.files.table import ReadOptions, Table, open_table
from matscore.files.write import refuse_same_file
from matscore.options import PathLike, RejectOptions, RunOptions
from matscore.pages.extra import require_extra
from matscore.pipeline import ChunkResult, Job, run_chunk
from matscore.plan import Plan, PlanOptions
from matscore.prepare import (
    Weights,
    iter_pairs,
    make_job,
    plan_part,
    read_weights,
    refuse_two_pipes,
    require_fits,
)
from matscore.summary import Progress, Summary, Totals
from matscore.work import Work

_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".md": "markdown",
    ".html": "html",
    ".htm": "html",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".txt": "table",
}
_WEIGHTS_COPIES = 4  # as they are read, in canonical order, and in tiles that are padded
_COMPRESSED = (".gz", ".zst", ".bz2", ".xz")


def run_files(
    features: PathLike | Sequence[PathLike],
    weights: PathLike,
    output: PathLike | BinaryFile | None,
    prepare_output: Callable[[Plan, Format], OutputSpec | None],
    prepare_work: Callable[[Plan, Weights], Work],
    *,
    read: ReadOptions,
    align: PlanOptions,
    rejects: RejectOptions,
    run: RunOptions,
    on_plan: Callable[[tuple[Plan, ...]], None] | None,
    on_progress: Callable[[Progress], None] | None,
    hold: Callable[..., Weights] = read_weights,
    suggest_chunk: Callable[[Plan], int] | None = None,
    others: Sequence[str] = (),
    open_beside: Callable[[Plan], Companion] | None = None,
    check: Callable[[Summary[Any]], None] | None = None,
) -> Summary[Any]:
    """Do a command's work on every row of some files.

    Everything is decided before the first row: weights are read whole, features files are opened,
    plans are made; then outputs are opened, and chunks go through the engine.

    Parameters
    ----------
    features : str, Path or a sequence of them
        Files with one row an item, taken in that order as one table.
    weights : str or Path
        The matrix that is held in memory.
    output : str, Path, binary file or None
        Where the rows go: a path is written whole or not at all; None computes the summary only.
    prepare_output : callable
        Takes the first plan and the format that the output's ending names; returns what to write.
    prepare_work : callable
        Takes a plan and the weights; returns what to do with the rows of that plan's file.
    read, align, rejects, run, on_plan, on_progress
        As in `matscore.classify_file`.
    hold : callable
        Reads the weights, as `read_weights` does.
    suggest_chunk : callable, optional
        Takes the first plan, gives the bytes of a chunk where none are asked for.
    others : sequence of str
        Further inputs.
    open_beside : callable, optional
        Takes the first plan; opens a second table, to be read in step with the features.
    check : callable, optional
        Looks at the summary while the outputs are not there yet, and may refuse it.

    Returns
    -------
    Summary
        Counts, and the first rows of a table.

    Raises
    ------
    PlanError, InputError, FileError, OutputError, UsageError
        As in `matscore.classify_file`.
    """
    inputs = _as_paths(features)
    every = [*inputs, str(weights), *others]
    check_paths(every, output, rejects)
    held = hold(str(weights), read, checksum=run.checksum)
    with contextlib.ExitStack() as stack:
        tables = [open_table(path, read, checksum=run.checksum) for path in inputs]
        for table in tables:
            stack.callback(table.close)
        parts = [plan_part(table, held, read, align) for table in tables]
        plans = require_fits(parts)
        found = format_of(output) if isinstance(output, (str, Path)) else None
        spec = prepare_output(plans[0], found or "csv")
        if spec is not None and spec.format == "html":
            require_extra("an HTML table", "jinja2")
        works = [prepare_work(plan, held) for plan in plans]
        if on_plan is not None:
            on_plan(plans)
        beside = None if open_beside is None else open_beside(plans[0])
        if beside is not None:
            stack.callback(beside.table.close)
        out = enter_output(stack, output, every)
        aside = enter_output(stack, rejects.path, every)
        jobs = [
            make_job(part, read, work, spec, rejects.on_error)
            for part, work in zip(parts, works, strict=True)
        ]
        suggested = None if suggest_chunk is None else suggest_chunk(plans[0])
        held_bytes = _WEIGHTS_COPIES * held.matrix.rest.nbytes
        run = fit_budget(run, tables, jobs, held_bytes=held_bytes, suggested=suggested)
        totals = Totals(works[0].zero(), rejects)
        pairs = iter_pairs(parts, jobs, run)
        if beside is not None:
            pairs = beside.attach(pairs)
        results = map_ordered(run_pair, pairs, run.n_jobs or count_jobs())
        with contextlib.closing(results):
            counted = totals.count(results, partial(report_progress, tables, on_progress))
            deliver_results(deliver_rejects(counted, aside), spec, out)
        facts = (*(table.source.facts() for table in tables), held.facts)
        if beside is not None:
            facts = (*facts, beside.table.source.facts())
        n_rows, n_rejected, previews = totals.n_rows, totals.n_rejected, tuple(totals.previews)
        summary = Summary(
            plans, facts, spec, n_rows, n_rejected, totals.tally, previews, tuple(works)
        )
        if check is not None:
            check(summary)
        if out is not None and spec is not None and spec.format == "html":
            from matscore.pages.scores import render_table

            out.write(render_table(summary, matscore.__version__).encode())
        return summary


def format_of(path: PathLike) -> Format | None:
    """Return the output format that a file's ending names.

    Examples
    --------
    >>> format_of("scores.csv.gz"), format_of("scores.parquet"), format_of("scores")
    ('csv', 'parquet', None)
    """
    name = Path(path)
    ending = name.suffix.lower()
    if ending in _COMPRESSED:
        ending = name.with_suffix("").suffix.lower()
    return _ENDINGS.get(ending)


def refuse_same_outputs(paths: Sequence[str]) -> None:
    """Refuse two outputs that are one file.

    Raises
    ------
    UsageError
        They are, by name or by any link.
    """
    for i, path in enumerate(paths):
        try:
            refuse_same_file(path, paths[:i])
        except UsageError:
            what = f'two outputs are one file ("{path}")'
            raise UsageError(what, "write to two files") from None


def check_paths(
    inputs: Sequence[str], output: PathLike | BinaryFile | None, rejects: RejectOptions
) -> None:
    """Refuse paths that contradict each other, before anything is opened.

    Raises
    ------
    UsageError
        Two inputs are standard input; an output is an input or another output; rejects have no
        place to go.
    """
    refuse_two_pipes(inputs)
    named = [str(path) for path in (output, rejects.path) if isinstance(path, (str, Path))]
    for path in named:
        refuse_same_file(path, inputs)
    refuse_same_outputs(named)
    if rejects.on_error == "reject" and rejects.path is None:
        hint = "say with --rejects FILE where bad rows go"
        raise UsageError("--on-error reject needs a place for the rejects", hint)


def enter_output(
    stack: contextlib.ExitStack, output: PathLike | BinaryFile | None, inputs: Sequence[str]
) -> BinaryFile | None:
    """Open an output that is a path, to be there whole or not at all when the stack ends."""
    if isinstance(output, (str, Path)):
        return stack.enter_context(open_output(str(output), inputs=inputs))
    return output


def _as_paths(features: PathLike | Sequence[PathLike]) -> list[str]:
    if isinstance(features, (str, Path)):
        return [str(features)]
    if not features:
        raise UsageError("no features file is given")
    return [str(path) for path in features]


def run_pair(pair: tuple[Job, Chunk | FrameChunk]) -> ChunkResult:
    """Do a job on a chunk."""
    return run_chunk(*pair)


def report_progress(
    tables: Sequence[Table], on_progress: Callable[[Progress], None] | None, n_rows: int
) -> None:
    """Tell how far the reading of some tables is."""
    if on_progress is None:
        return
    sizes = [table.source.size for table in tables]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    on_progress(Progress(sum(table.source.n_read for table in tables), total, n_rows))
