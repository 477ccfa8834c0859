"""Many inputs into a directory: one output each, and a manifest of all of them.

Every part is written whole or not at all, in the inputs' order, and the manifest last. Where rows
are numbered, they are numbered in each file.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from matscore.errors import MatscoreError, UsageError
from matscore.options import Format, RejectOptions
from matscore.read.inputs import Input, name_parts
from matscore.read.source import SourceFacts
from matscore.run.parts import Engine, Part, map_ordered, open_engine
from matscore.run.run import Stream, Summary, Totals
from matscore.run.work import ChunkResult, Settings, Written
from matscore.write.folder import LEFT_OUT, Folder, PartRecord, fingerprint
from matscore.write.formats import OutputSpec, deliver_results
from matscore.write.whole import BinaryFile, Digest, check_paths, open_output, refuse_inside

_AT_ONCE = 8  # parts that are looked at
_COLUMNS = "columns"  # in a part's counts: the odd cells of each
_NO_GROUP: tuple[int | None, Iterable[ChunkResult]] = (None, ())


@dataclass(frozen=True)
class _Task:
    """One part to be made."""

    part: Part
    output: str
    mark: str  # fingerprint of all that its bytes come from, but the input

    @property
    def number(self) -> int:
        """Which of the inputs it is made of."""
        return self.part.job.part


class Directory:
    """A directory of one output an input; it is new, or one of an earlier run."""

    # A later run keeps a part only where the input's content is what it was.
    checksum = True
    format: Format = "csv"

    def __init__(self, path: str) -> None:
        self._path = path
        self._outputs: list[str] = []
        self._folder: Folder | None = None
        self._records: list[PartRecord] = []

    def check(self, inputs: Sequence[str], how: Settings) -> None:
        """Refuse a directory that is no place for outputs."""
        check_paths(inputs, None, how.rejects)
        refuse_inside(self._path, inputs)

    def prepare(self, inputs: Sequence[Input], spec: OutputSpec | None) -> None:
        """Name the parts; refuse what is no data."""
        if spec is None or spec.form.is_shown:
            raise UsageError("a directory holds no tables", "name a format of data with --format")
        self._outputs = name_parts(inputs, spec.form.endings[0])

    def collect(self, stack: contextlib.ExitStack, stream: Stream) -> list[SourceFacts]:
        """Make the parts that are not there and current."""
        resume = stream.how.run.resume
        folder = stack.enter_context(contextlib.closing(Folder(self._path, resume=resume)))
        tasks = _make_tasks(stream, self._outputs)
        # Looked for before the journal begins anew, which forgets what is not current.
        made = _find_made(tasks, folder, stream.totals)
        folder.begin(self._outputs)
        todo = [task for task in tasks if task.number not in made]
        made |= _run_tasks(todo, folder, stream, stream.open_rejects(stack))
        self._folder, self._records = folder, [made[number] for number in range(len(tasks))]
        return [record.source for record in self._records]

    def finish(self, summary: Summary[Any]) -> None:
        """Write the manifest: of the whole nothing that another run would say otherwise."""
        if self._folder is None:
            raise RuntimeError("the directory was never opened")
        weights = summary.inputs[-1]
        facts = {
            "weights": {"path": weights.path, "size": weights.size, "sha256": weights.sha256},
            "rows_in": summary.n_rows + summary.n_rejected,
            "rows_scored": summary.n_rows,
            "rows_rejected": summary.n_rejected,
            **summary.tally.facts(),
        }
        self._folder.finish(self._records, facts)


def _make_tasks(stream: Stream, outputs: Sequence[str]) -> list[_Task]:
    shared: dict[int, str] = {}  # the works' fingerprints: of a thousand files' one
    tasks = []
    for part, output in zip(stream.parts, outputs, strict=True):
        job = part.job
        # Weights of a gigabyte are hashed once, not once a file.
        if id(job.work) not in shared:
            shared[id(job.work)] = fingerprint(job.work)
        source = part.table.source
        place = part.table.delimiter, part.table.start, source.opening.rewrite
        mark = fingerprint(shared[id(job.work)], job.layout, job.output, job.on_error, place)
        tasks.append(_Task(part, output, mark))
    return tasks


def _find_made(
    tasks: Sequence[_Task], folder: Folder, totals: Totals[Any]
) -> dict[int, PartRecord]:
    """Return the parts that are there and current, and count them."""
    made = {}

    def find(task: _Task) -> PartRecord | None:
        return folder.find(task.output, task.part.table.source.look(), task.mark)

    # Many at a time, since what a store has is fetched to see that it is what it was.
    for task, record in zip(tasks, map_ordered(find, tasks, _AT_ONCE), strict=True):
        tally = None if record is None else task.part.job.work.read_tally(record.counts)
        if record is not None and tally is not None:
            totals.add(record.rows_scored, tally, record.counts.get(_COLUMNS, {}))
            made[task.number] = record
    return made


def _run_tasks(
    tasks: Sequence[_Task], folder: Folder, stream: Stream, aside: BinaryFile | None
) -> dict[int, PartRecord]:
    """Make the parts, in order, and return their records by their numbers."""
    todo = replace(stream, parts=[task.part for task in tasks])
    paths = [folder.place.path_of(task.output) for task in tasks]
    run = todo.how.run if tasks else replace(todo.how.run, engine="local")  # no cluster for nothing
    made = {}
    with open_engine(run, todo.parts) as engine:
        written = None
        if not stream.how.align.unique_labels:  # or all labels are to come by here, in order
            written = engine.write_parts(todo.parts, paths, folder.place.claim)
        apart = engine.run_parts(todo.parts, apart=True) if written is None else written
        with contextlib.closing(apart) as results:
            counted = todo.count(engine, results, aside)
            if written is None:
                records = _write_parts(engine, tasks, folder, todo.spec, counted)
            else:
                records = _collect_parts(tasks, counted)
            for number, record in records:
                folder.add(record)
                made[number] = record
    return made


def _write_parts(
    engine: Engine,
    tasks: Sequence[_Task],
    folder: Folder,
    spec: OutputSpec | None,
    results: Iterable[ChunkResult],
) -> Iterator[tuple[int, PartRecord]]:
    """Write results to the parts that they belong to."""
    failure = _Failure({task.part.table.path for task in tasks})
    groups = itertools.groupby(failure.hold(results), lambda result: result.part)
    number, group = next(groups, _NO_GROUP)
    for task in tasks:
        if number is None:
            failure.tell()
        # A file without rows gives no results, and is a part all the same.
        mine = group if number == task.number else ()
        # Limits on bad rows are the whole run's, whose totals have seen these results.
        counts = Totals(task.part.job.work.zero(), RejectOptions())
        digest = Digest()
        with open_output(folder.place.path_of(task.output), digest=digest) as out:
            deliver_results(counts.count(mine), spec, out)
            # Inside: a part that failed is not renamed into its place.
            failure.tell_of(task.part.table.path)
            folder.place.claim.check()
        written = Written(engine.facts_of(task.part), digest.size, digest.hexdigest())
        yield task.number, _make_record(task, written, counts)
        if number == task.number:
            number, group = next(groups, _NO_GROUP)
    failure.tell()


class _Failure:
    """Holds an exception back while it may be of a later part than the one that is written."""

    def __init__(self, later: set[str]) -> None:
        self._later = later  # inputs whose parts are still to be finished
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
        counts = Totals(task.part.job.work.zero(), RejectOptions())
        for _ in counts.count([result]):
            pass
        if result.written is None:
            raise RuntimeError(f"{task.output} is not written")
        yield task.number, _make_record(task, result.written, counts)


def _make_record(task: _Task, written: Written, counts: Totals[Any]) -> PartRecord:
    source = written.source
    facts = source.path, source.size, source.mtime, source.sha256 or ""
    output = task.output, written.size, written.sha256
    done = counts.n_rows, counts.n_rejected
    columns: dict[str, Any] = {_COLUMNS: counts.odd} if counts.odd else {}
    if source.n_comments is not None:
        columns[LEFT_OUT] = source.n_comments, source.n_skipped
    return PartRecord(*facts, *output, *done, task.mark, counts.tally.facts() | columns)
