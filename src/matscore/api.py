"""The commands as functions: files in, typed results out. Nothing here prints or exits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from matscore.engines.local import count_jobs, map_ordered
from matscore.errors import UsageError
from matscore.files.compress import open_output
from matscore.files.deliver import BinaryFile, deliver_rejects, deliver_results
from matscore.files.encode import Format
from matscore.files.rows import FrameChunk
from matscore.files.split import Chunk
from matscore.files.table import ReadOptions, Table, open_table
from matscore.files.write import refuse_same_file
from matscore.options import OutputOptions, PathLike, RejectOptions, RunOptions
from matscore.pipeline import Job, ScoredChunk, score_chunk
from matscore.plan import Plan, PlanOptions
from matscore.prepare import (
    iter_pairs,
    make_job,
    make_output_spec,
    plan_part,
    read_weights,
    refuse_two_pipes,
    require_fits,
)
from matscore.score import ScoreOptions
from matscore.summary import Progress, Summary, Totals

_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".md": "markdown",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".txt": "table",
}
_COMPRESSED = (".gz", ".zst", ".bz2", ".xz")


def check_files(
    features: PathLike,
    weights: PathLike,
    *,
    read: ReadOptions = ReadOptions(),
    align: PlanOptions = PlanOptions(),
) -> Plan:
    """Say how two files line up; no score is computed.

    Parameters
    ----------
    features, weights : str or Path
        The files; one of them may be ``-``.
    read : ReadOptions
        How they are read.
    align : PlanOptions
        How they are lined up.

    Returns
    -------
    Plan
        Whose `problem` is None when they fit.

    Raises
    ------
    InputError, FileError, UsageError
        A file cannot be read, or not with certainty.

    Examples
    --------
    >>> check_files("sample_data/users.csv", "sample_data/films.csv").add_options
    ('--transpose',)
    """
    refuse_two_pipes([str(features), str(weights)])
    held = read_weights(str(weights), read)
    table = open_table(str(features), read)
    with contextlib.closing(table):
        return plan_part(table, held, read, align).plan


def classify_file(
    features: PathLike | Sequence[PathLike],
    weights: PathLike,
    output: PathLike | BinaryFile | None = None,
    *,
    read: ReadOptions = ReadOptions(),
    align: PlanOptions = PlanOptions(),
    score: ScoreOptions = ScoreOptions(),
    write: OutputOptions = OutputOptions(),
    rejects: RejectOptions = RejectOptions(),
    run: RunOptions = RunOptions(),
    on_plan: Callable[[tuple[Plan, ...]], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Score the rows of files and name the best category of each.

    Parameters
    ----------
    features : str, Path or a sequence of them
        Files with one row an item, scored in that order as one table.
    weights : str or Path
        File with one row a feature and one column a category.
    output : str, Path, binary file or None
        Where the scores go: a path is written whole or not at all; None computes the summary only.
    read : ReadOptions
        How inputs are read.
    align : PlanOptions
        How they are lined up.
    score : ScoreOptions
        What is computed.
    write : OutputOptions
        What is written.
    rejects : RejectOptions
        What happens to bad rows.
    run : RunOptions
        How the work is done.
    on_plan : callable, optional
        Called with the plans before the first row is scored.
    on_progress : callable, optional
        Called after each chunk.

    Returns
    -------
    Summary
        Counts, and the first rows of a table.

    Raises
    ------
    PlanError
        Shapes or names do not line up.
    InputError
        A bad row, or too many of them; rows before its chunk may have been written to a binary
        file, none to a path.
    FileError, OutputError, UsageError
        A file cannot be read or written; arguments contradict each other.

    Examples
    --------
    >>> summary = classify_file("sample_data/movies.csv", "sample_data/genres.csv")
    >>> summary.counts, summary.n_ties
    ({'adventure': 2, 'family': 0, 'romance': 1}, 1)
    """
    inputs = _as_paths(features)
    _check_paths(inputs, str(weights), output, rejects)
    held = read_weights(str(weights), read, checksum=run.checksum)
    with contextlib.ExitStack() as stack:
        tables = [open_table(path, read, checksum=run.checksum) for path in inputs]
        for table in tables:
            stack.callback(table.close)
        parts = [plan_part(table, held, read, align) for table in tables]
        plans = require_fits(parts)
        found = format_of(output) if isinstance(output, (str, Path)) else None
        spec = make_output_spec(plans[0], write.format or found or "csv", score, write)
        if on_plan is not None:
            on_plan(plans)
        out = _enter_output(stack, output, [*inputs, str(weights)])
        aside = _enter_output(stack, rejects.path, [*inputs, str(weights)])
        jobs = [make_job(part, held, read, score, spec, rejects.on_error) for part in parts]
        pairs = iter_pairs(parts, jobs, run)
        results = map_ordered(_score_pair, pairs, run.n_jobs or count_jobs())
        totals = Totals(spec, rejects)
        with contextlib.closing(results):
            counted = totals.count(results, partial(_report, tables, on_progress))
            deliver_results(deliver_rejects(counted, aside), spec, out)
        facts = (*(table.source.facts() for table in tables), held.facts)
        return totals.summary(plans, facts)


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


def _as_paths(features: PathLike | Sequence[PathLike]) -> list[str]:
    if isinstance(features, (str, Path)):
        return [str(features)]
    if not features:
        raise UsageError("no features file is given")
    return [str(path) for path in features]


def _check_paths(
    inputs: list[str],
    weights: str,
    output: PathLike | BinaryFile | None,
    rejects: RejectOptions,
) -> None:
    """Refuse paths that contradict each other, before anything is opened."""
    refuse_two_pipes([*inputs, weights])
    named = [str(path) for path in (output, rejects.path) if isinstance(path, (str, Path))]
    for path in named:
        refuse_same_file(path, [*inputs, weights])
    refuse_same_outputs(named)
    if rejects.on_error == "reject" and rejects.path is None:
        hint = "say with --rejects FILE where bad rows go"
        raise UsageError("--on-error reject needs a place for the rejects", hint)


def _enter_output(
    stack: contextlib.ExitStack, output: PathLike | BinaryFile | None, inputs: list[str]
) -> BinaryFile | None:
    if isinstance(output, (str, Path)):
        return stack.enter_context(open_output(str(output), inputs=inputs))
    return output


def _score_pair(pair: tuple[Job, Chunk | FrameChunk]) -> ScoredChunk:
    return score_chunk(*pair)


def _report(
    tables: list[Table], on_progress: Callable[[Progress], None] | None, n_rows: int
) -> None:
    if on_progress is None:
        return
    sizes = [table.source.size for table in tables]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    on_progress(Progress(sum(table.source.n_read for table in tables), total, n_rows))
