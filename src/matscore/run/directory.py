"""Many inputs into a directory: one output each, and a manifest of all of them."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from matscore.errors import MatscoreError, UsageError
from matscore.options import Format, PlanOptions, ReadOptions, RejectOptions, RunOptions
from matscore.plan import Plan
from matscore.read.cloud import is_address
from matscore.read.inputs import list_inputs, name_parts
from matscore.read.source import SourceFacts
from matscore.run.budget import fit_budget
from matscore.run.engine import Engine, open_engine
from matscore.run.job import ChunkResult, Job, Written
from matscore.run.prepare import (
    Part,
    Weights,
    make_jobs,
    plan_inputs,
    require_fits,
    share_works,
)
from matscore.run.summary import Progress, Summary, Totals, report_progress
from matscore.run.work import Remembering, Work
from matscore.write.formats import OutputSpec, deliver_rejects, deliver_results
from matscore.write.manifest import Folder, PartRecord, fingerprint, refuse_inside
from matscore.write.whole import check_paths, enter_output, open_output

_NO_GROUP: tuple[int | None, Iterable[ChunkResult]] = (None, ())


@dataclass(frozen=True)
class _Task:
    """One part to be made."""

    number: int
    part: Part
    job: Job
    output: str
    mark: str


def run_directory(
    features: Sequence[str],
    weights: str,
    output: str,
    prepare_output: Callable[[Plan, Format], OutputSpec | None],
    prepare_work: Callable[[Plan, Weights], Work],
    *,
    read: ReadOptions,
    align: PlanOptions,
    rejects: RejectOptions,
    run: RunOptions,
    on_plan: Callable[[tuple[Plan, ...]], None] | None,
    on_progress: Callable[[Progress], None] | None,
    hold: Callable[..., Weights],
    suggest_chunk: Callable[[Plan], int] | None,
    others: Sequence[str],
) -> Summary[Any]:
    """Do a command's work on some files, each into a file of its own in a directory.

    Every part is written whole or not at all, in the inputs' order, and the manifest last. Where
    rows are numbered, they are numbered in each file.

    Parameters
    ----------
    features : sequence of str
        Files, directories and patterns.
    weights : str
        The matrix that is held in memory.
    output : str
        The directory; it is new, or one of an earlier run.
    prepare_output, prepare_work, read, align, rejects, run, on_plan, on_progress, hold
        As in `matscore.run.run.run_files`.
    suggest_chunk, others
        As there.

    Returns
    -------
    Summary
        Of all parts, those included that an earlier run has made.

    Raises
    ------
    PlanError
        A file does not fit; nothing is written.
    InputError, FileError, OutputError, UsageError
        As in `matscore.classify_file`; parts before the one at fault are there, the manifest
        is not.
    """
    if is_address(output):
        what = "the parts of a directory are written to a disk"
        raise UsageError(what, "name one object, or write to a disk and copy it")
    found = list_inputs(features)
    inputs = [one.path for one in found]
    every = [*inputs, weights, *others]
    check_paths(every, None, rejects)
    refuse_inside(output, every)
    held = hold(weights, read, checksum=True)
    with contextlib.ExitStack() as stack:
        parts = plan_inputs(stack, found, held, read, align, checksum=True)
        plans = require_fits(parts)
        spec = prepare_output(plans[0], "csv")
        if spec is None or spec.form.is_shown:
            raise UsageError("a directory holds no tables", "name a format of data with --format")
        works = share_works(plans, lambda plan: prepare_work(plan, held))
        outputs = name_parts(found, spec.form.endings[0])
        if on_plan is not None:
            on_plan(plans)
        jobs = make_jobs(parts, read, works, spec, rejects.on_error)
        suggested = None if suggest_chunk is None else suggest_chunk(plans[0])
        tables = [part.table for part in parts]
        run = fit_budget(run, tables, jobs, held_bytes=held.n_bytes, suggested=suggested)
        folder = stack.enter_context(contextlib.closing(Folder(output, resume=run.resume)))
        tasks = _make_tasks(parts, jobs, outputs)
        totals = Totals(works[0].zero(), rejects)
        made = _find_made(tasks, folder, totals)
        folder.begin(outputs)
        aside = enter_output(stack, rejects.path, every)
        todo = [task for task in tasks if task.number not in made]
        with contextlib.ExitStack() as running:
            engine = running.enter_context(open_engine(run)) if todo else None
            made |= _run_tasks(engine, todo, folder, spec, aside, totals, on_progress)
        records = [made[number] for number in range(len(tasks))]
        folder.finish(records, _describe(held, totals))
        facts = (*(record.source for record in records), held.facts)
        return Summary(plans, facts, spec, totals.n_rows, totals.n_rejected, totals.tally)


def _make_tasks(parts: Sequence[Part], jobs: Sequence[Job], outputs: Sequence[str]) -> list[_Task]:
    shared: dict[int, str] = {}  # the works' fingerprints: of a thousand files' one
    tasks = []
    for number, (part, job, output) in enumerate(zip(parts, jobs, outputs, strict=True)):
        if id(job.work) not in shared:
            shared[id(job.work)] = fingerprint(job.work)
        place = part.table.delimiter, part.table.start
        mark = fingerprint(shared[id(job.work)], job.layout, job.output, job.on_error, place)
        tasks.append(_Task(number, part, job, output, mark))
    return tasks


def _find_made(
    tasks: Sequence[_Task], folder: Folder, totals: Totals[Any]
) -> dict[int, PartRecord]:
    """Return the parts that are there and current, and count them."""
    made = {}
    for task in tasks:
        record = folder.find(task.output, task.part.table.source.look(), task.mark)
        if record is None or not isinstance(task.job.work, Remembering):
            continue
        tally = task.job.work.read_tally(record.counts)
        if tally is not None:
            totals.add(record.rows_scored, tally)
            made[task.number] = record
    return made


def _run_tasks(
    engine: Engine | None,
    tasks: Sequence[_Task],
    folder: Folder,
    spec: OutputSpec,
    aside: Any,
    totals: Totals[Any],
    on_progress: Callable[[Progress], None] | None,
) -> dict[int, PartRecord]:
    """Make the parts, in order, and return their records by their numbers."""
    if engine is None:
        for _ in deliver_rejects(totals.count((), lambda _: None), aside):
            pass
        return {}
    parts, jobs = [task.part for task in tasks], [task.job for task in tasks]
    paths = [str(Path(folder.path, task.output)) for task in tasks]
    written = engine.write_parts(parts, jobs, paths)
    results = engine.run_parts(parts, jobs, apart=True) if written is None else written
    with contextlib.closing(results):
        tables, count = [part.table for part in parts], partial(engine.count_read, parts)
        report = partial(report_progress, tables, on_progress, count_read=count)
        counted = deliver_rejects(totals.count(results, report), aside)
        if written is None:
            records = _write_parts(engine, tasks, folder, spec, counted)
        else:
            records = _collect_parts(tasks, counted)
        made = {}
        for number, record in records:
            folder.add(record)
            made[number] = record
    return made


def _write_parts(
    engine: Engine,
    tasks: Sequence[_Task],
    folder: Folder,
    spec: OutputSpec,
    results: Iterable[ChunkResult],
) -> Iterator[tuple[int, PartRecord]]:
    """Write results to the parts that they belong to."""
    failure = _Failure({task.part.table.path for task in tasks})
    groups = itertools.groupby(failure.hold(results), lambda result: result.part)
    number, group = next(groups, _NO_GROUP)
    for task in tasks:
        if number is None:
            failure.tell()
        mine = group if number == task.number else ()
        counts = Totals(task.job.work.zero(), RejectOptions())
        path, digest = Path(folder.path, task.output), hashlib.sha256()
        with open_output(str(path), digest=digest) as out:
            deliver_results(counts.count(mine, lambda _: None), spec, out)
            failure.tell_of(task.part.table.path)
        written = Written(engine.facts_of(task.part), path.stat().st_size, digest.hexdigest())
        yield task.number, _make_record(task, written, counts)
        if number == task.number:
            number, group = next(groups, _NO_GROUP)
    failure.tell()


class _Failure:
    """Holds an exception back while it may be of a later part than the one that is written.

    Parameters
    ----------
    later : set of str
        Inputs whose parts are still to be finished.
    """

    def __init__(self, later: set[str]) -> None:
        self._later = later
        self._error: MatscoreError | None = None

    def hold(self, results: Iterable[ChunkResult]) -> Iterator[ChunkResult]:
        try:
            yield from results
        except MatscoreError as error:
            self._error = error

    def tell_of(self, path: str) -> None:
        """Raise the exception unless it is of a later input than this one."""
        self._later.discard(path)
        if getattr(self._error, "path", None) not in self._later:
            self.tell()

    def tell(self) -> None:
        """Raise the exception, if there is one."""
        if self._error is not None:
            raise self._error


def _collect_parts(
    tasks: Sequence[_Task], results: Iterable[ChunkResult]
) -> Iterator[tuple[int, PartRecord]]:
    """Take in the parts that workers have written."""
    by_number = {task.number: task for task in tasks}
    for result in results:
        task = by_number[result.part]
        counts = Totals(task.job.work.zero(), RejectOptions())
        for _ in counts.count([result], lambda _: None):
            pass
        if result.written is None:
            raise RuntimeError(f"{task.output} is not written")
        yield task.number, _make_record(task, result.written, counts)


def _make_record(task: _Task, written: Written, counts: Totals[Any]) -> PartRecord:
    source = written.source
    return PartRecord(
        source.path,
        source.size,
        source.mtime,
        source.sha256 or "",
        task.output,
        written.size,
        written.sha256,
        counts.n_rows,
        counts.n_rejected,
        task.mark,
        counts.tally.facts(),
    )


def _describe(weights: Weights, totals: Totals[Any]) -> dict[str, Any]:
    """Return what the manifest says of the whole: nothing that another run would say otherwise."""
    facts: SourceFacts = weights.facts
    return {
        "weights": {"path": facts.path, "size": facts.size, "sha256": facts.sha256},
        "rows_in": totals.n_rows + totals.n_rejected,
        "rows_scored": totals.n_rows,
        "rows_rejected": totals.n_rejected,
        **totals.tally.facts(),
    }
