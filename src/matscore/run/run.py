"""What the commands that stream a features file have in common: from paths to a summary."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matscore
from matscore.errors import UsageError
from matscore.options import Format, PathLike, PlanOptions, ReadOptions, RejectOptions, RunOptions
from matscore.plan import Plan
from matscore.read.inputs import list_inputs
from matscore.run.budget import fit_budget
from matscore.run.engine import open_engine
from matscore.run.prepare import (
    Weights,
    iter_pairs,
    make_jobs,
    plan_inputs,
    read_weights,
    require_fits,
    share_works,
)
from matscore.run.summary import Progress, Summary, Totals, report_progress
from matscore.run.work import Work
from matscore.write.formats import OutputSpec, deliver_rejects, deliver_results, format_of
from matscore.write.whole import BinaryFile, check_paths, enter_output

if TYPE_CHECKING:
    from matscore.run.paired import Companion


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
        Files with one row an item, directories of such files and patterns, taken in that order as
        one table.
    weights : str or Path
        The matrix that is held in memory.
    output : str, Path, binary file or None
        Where the rows go: a path is written whole or not at all; one that ends with a slash is a
        directory, with one output an input; None computes the summary only.
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
    if isinstance(output, str) and output.endswith("/"):
        if open_beside is not None:
            raise UsageError("a second table goes with one output", "name a file with --output")
        from matscore.run.directory import run_directory

        return run_directory(
            _as_paths(features),
            str(weights),
            output,
            prepare_output,
            prepare_work,
            read=read,
            align=align,
            rejects=rejects,
            run=run,
            on_plan=on_plan,
            on_progress=on_progress,
            hold=hold,
            suggest_chunk=suggest_chunk,
            others=others,
        )
    if run.resume:
        raise UsageError("only the parts of a directory can be resumed", "write to one: -o DIR/")
    found = list_inputs(_as_paths(features))
    every = [*(one.path for one in found), str(weights), *others]
    check_paths(every, output, rejects)
    held = hold(str(weights), read, checksum=run.checksum)
    with contextlib.ExitStack() as stack:
        parts = plan_inputs(stack, found, held, read, align, checksum=run.checksum)
        plans = require_fits(parts)
        spec = prepare_output(plans[0], format_of(output) or "csv")
        works = share_works(plans, lambda plan: prepare_work(plan, held))
        if on_plan is not None:
            on_plan(plans)
        beside = None if open_beside is None else open_beside(plans[0])
        if beside is not None:
            stack.callback(beside.table.close)
        jobs = make_jobs(parts, read, works, spec, rejects.on_error)
        suggested = None if suggest_chunk is None else suggest_chunk(plans[0])
        tables = [part.table for part in parts]
        run = fit_budget(run, tables, jobs, held_bytes=held.n_bytes, suggested=suggested)
        engine = stack.enter_context(open_engine(run))
        out = enter_output(stack, output, every)
        aside = enter_output(stack, rejects.path, every)
        totals = Totals(works[0].zero(), rejects)
        if beside is None:
            results = engine.run_parts(parts, jobs)
        else:
            results = engine.run_pairs(beside.attach(iter_pairs(parts, jobs, run)))
        with contextlib.closing(results):
            count = partial(engine.count_read, parts)
            report = partial(report_progress, tables, on_progress, count_read=count)
            counted = totals.count(results, report)
            deliver_results(deliver_rejects(counted, aside), spec, out)
        last = () if beside is None else (beside.table.source.facts(),)
        facts = (*(engine.facts_of(part) for part in parts), held.facts, *last)
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


def _as_paths(features: PathLike | Sequence[PathLike]) -> list[str]:
    if isinstance(features, (str, Path)):
        return [str(features)]
    if not features:
        raise UsageError("no features file is given")
    return [str(path) for path in features]
