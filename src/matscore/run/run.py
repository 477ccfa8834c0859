"""One run of a command: everything is decided before the first row, then chunks flow.

Weights are read whole, features files are opened, plans are made; then outputs are opened, and the
chunks go through an engine into a `Sink`: one output, or a directory of them. What the chunks count
is added up on the way, and told at the end in a `Summary`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from matscore.errors import InputError, UsageError
from matscore.options import Format, PathLike, RejectOptions
from matscore.plan import Plan
from matscore.read.inputs import Input, list_inputs
from matscore.read.source import SourceFacts
from matscore.run.parts import (
    Engine,
    Part,
    Results,
    count_label_bytes,
    fit_budget,
    iter_pairs,
    layout_of,
    open_engine,
    plan_inputs,
    require_fits,
    share_works,
)
from matscore.run.work import (
    ChunkResult,
    Command,
    Job,
    OddCells,
    Preview,
    Settings,
    Tally,
    Work,
    add_odd,
)
from matscore.write.formats import OutputSpec, deliver_rejects, deliver_results, format_of
from matscore.write.whole import BinaryFile, check_paths, enter_output

if TYPE_CHECKING:
    from matscore.run.directory import Directory
    from matscore.run.doubles import KnownLabels, LabelKeys
    from matscore.run.paired import PairedTable

Counts = TypeVar("Counts", bound=Tally)


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    n_bytes : int
        Bytes read of all inputs, as they are on disk.
    n_total : int or None
        Bytes there are; None where an input is a pipe.
    n_rows : int
        Rows scored.
    n_passes : int
        Looks at all rows, where there are many: how often logistic regression has begun one.
    """

    n_bytes: int
    n_total: int | None
    n_rows: int
    n_passes: int = 0


@dataclass(frozen=True)
class Summary(Generic[Counts]):
    """What a run did.

    Attributes
    ----------
    plans : tuple of Plan
        One a features file.
    inputs : tuple of SourceFacts
        The features files, then the weights.
    output : OutputSpec or None
        The columns written; None where no rows are.
    n_rows, n_rejected : int
        Rows scored; rows set aside.
    tally : Tally
        The command's own counts; of ``classify`` a `ScoreTally`.
    previews : tuple of Preview
        The first rows, where the format is ``table``.
    works : tuple of Work
        What was done with the rows of each features file.
    odd : dict
        Cells of an unknown level, and missing ones, of each column that terms are computed from.
    n_doubled : int or None
        Rows set aside as their labels were there before; None where labels may be the same.
    """

    plans: tuple[Plan, ...]
    inputs: tuple[SourceFacts, ...]
    output: OutputSpec | None
    n_rows: int
    n_rejected: int
    tally: Counts
    previews: tuple[Preview, ...] = ()
    works: tuple[Work, ...] = ()
    odd: OddCells = field(default_factory=dict)
    n_doubled: int | None = None


class Totals(Generic[Counts]):
    """Adds up what the chunks report from `zero` on, and stops the run at too many rejects.

    Where labels are to be `unique`, rows whose labels were there before are set aside here, where
    chunks come in order: the chunk is done again without them.
    """

    def __init__(self, zero: Counts, limits: RejectOptions, *, unique: bool = False) -> None:
        self.tally = zero
        self.n_rows = self.n_rejected = 0
        self.odd: OddCells = {}
        self.previews: list[Preview] = []
        self.n_doubled = 0 if unique else None
        self._known: KnownLabels | None = None
        self._limits = limits
        self._first: InputError | None = None

    def count(
        self, results: Iterable[ChunkResult], report: Callable[[int], None] = lambda _: None
    ) -> Iterator[ChunkResult]:
        """Pass results on, counting; refuse more rejects than the limits allow."""
        for each in results:
            result = each if each.labels is None else self._set_doubles_aside(each, each.labels)
            if result.failure is not None:
                raise result.failure
            self.n_rows += result.n_rows
            self.n_rejected += len(result.rejects)
            self.tally = self.tally + result.tally
            self.odd = add_odd(self.odd, result.odd)
            if result.preview is not None:
                self.previews.append(result.preview)
            if result.rejects:
                self._first = self._first or result.rejects[0].as_error(result.path)
                if self._limits.on_rejects is not None:
                    self._limits.on_rejects(result.path, result.rejects)
            most = self._limits.max_rows
            if most is not None and self.n_rejected > most:
                self._give_up(f"more than {_count_rows(most)} rejected")
            # Told once the result is written, so that progress never runs ahead of the output.
            yield result
            report(self.n_rows)
        # A share is known at the end only: the one bad row of a million may be the first.
        share, n_in = self._limits.max_share, self.n_rows + self.n_rejected
        if share is not None and self.n_rejected > share * n_in:
            self._give_up(
                f"{self.n_rejected} of {_count_rows(n_in)} rejected, more than {100 * share:.6g}%"
            )

    def add(self, n_rows: int, tally: Counts, odd: OddCells) -> None:
        """Add rows that were scored before."""
        self.n_rows += n_rows
        self.tally = self.tally + tally
        self.odd = add_odd(self.odd, odd)

    def _set_doubles_aside(self, result: ChunkResult, labels: LabelKeys) -> ChunkResult:
        if self.n_doubled is None or result.again is None:
            return result
        if self._known is None:
            from matscore.run.doubles import KnownLabels

            self._known = KnownLabels()
        doubles = self._known.add(result.path, labels)
        self.n_doubled += len(doubles)
        return result.again(doubles) if doubles else result

    def _give_up(self, what: str) -> None:
        if (first := self._first) is None:
            raise RuntimeError("rows are counted as rejected, but none is known")
        place = ":".join(str(part) for part in (first.line, first.column) if part)
        hint = f"the first: {place}: {first.what}; mend the input, or raise --max-rejects"
        raise InputError(first.path, what, hint)


def _count_rows(n_rows: int) -> str:
    """Return a number of rows in words."""
    return "1 row" if n_rows == 1 else f"{n_rows:,} rows"


Renderer: TypeAlias = Callable[[Summary[Any]], str]
"""Makes a page of the first rows."""


@dataclass(frozen=True)
class Stream:
    """A run that is laid out: what is left is to let it flow."""

    inputs: tuple[str, ...]  # all that are read; no output may be one of them
    parts: Sequence[Part]
    spec: OutputSpec | None
    how: Settings
    totals: Totals[Any]
    paired: PairedTable | None = None

    def open_rejects(self, stack: contextlib.ExitStack) -> BinaryFile | None:
        """Open the file of the rows set aside."""
        return enter_output(stack, self.how.rejects.path, self.inputs)

    def start(self, engine: Engine) -> Results:
        """Have the engine do the jobs of the parts."""
        if self.paired is None:
            return engine.run_parts(self.parts)
        pairs = iter_pairs(self.parts, self.how.run)
        return engine.run_pairs(self.paired.attach(pairs))

    def count(
        self, engine: Engine, results: Results, aside: BinaryFile | None
    ) -> Iterator[ChunkResult]:
        """Pass results on: counted, told of, their rejects written."""
        return deliver_rejects(self.totals.count(results, partial(self._report, engine)), aside)

    def report_pass(self, n_passes: int) -> None:
        """Tell how often all rows, which are read, have been looked at."""
        if self.how.on_progress is not None:
            sizes = [part.table.source.size or 0 for part in self.parts]
            self.how.on_progress(Progress(sum(sizes), sum(sizes), self.totals.n_rows, n_passes))

    def _report(self, engine: Engine, n_rows: int) -> None:
        """Tell how far the reading is, by the engine's count."""
        if self.how.on_progress is None:
            return
        # Bytes as they are on disk: nobody knows how many rows a compressed file has.
        sizes = [part.table.source.size for part in self.parts]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        n_read = engine.count_read(self.parts)
        self.how.on_progress(
            Progress(n_read if total is None else min(n_read, total), total, n_rows)
        )


class OneOutput:
    """A path, which is written whole or not at all; a binary file; or nothing, to count only."""

    checksum = False

    def __init__(
        self, output: PathLike | BinaryFile | None, load_renderer: Callable[[], Renderer]
    ) -> None:
        self.output = output
        self._load_renderer = load_renderer  # loaded only where a page is asked for
        self._render: Renderer | None = None
        self.out: BinaryFile | None = None

    @property
    def format(self) -> Format:
        """The format that the path's ending names, or CSV."""
        return format_of(self.output) or "csv"

    def check(self, inputs: Sequence[str], how: Settings) -> None:
        """Refuse paths that contradict each other."""
        if how.run.resume:
            what = "only the parts of a directory can be resumed"
            raise UsageError(what, "write to one: -o DIR/")
        check_paths(inputs, self.output, how.rejects)

    def prepare(self, inputs: Sequence[Input], spec: OutputSpec | None) -> None:
        """Load what makes a page, if there is to be one."""
        del inputs  # whose names name the parts of a directory
        if spec is not None and spec.format == "html":
            self._render = self._load_renderer()

    def collect(self, stack: contextlib.ExitStack, stream: Stream) -> list[SourceFacts]:
        """Write the rows."""
        # The engine first: where no cluster answers, no output is touched.
        engine = stack.enter_context(open_engine(stream.how.run, stream.parts))
        self.out = enter_output(stack, self.output, stream.inputs)
        aside = stream.open_rejects(stack)
        # Closed at once where writing fails, or threads would go on reading.
        with contextlib.closing(stream.start(engine)) as results:
            deliver_results(stream.count(engine, results, aside), stream.spec, self.out)
        return [engine.facts_of(part) for part in stream.parts]

    def finish(self, summary: Summary[Any]) -> None:
        """Write the page."""
        if self._render is not None and self.out is not None:
            self.out.write(self._render(summary).encode())


Sink: TypeAlias = "OneOutput | Directory"
"""Where the rows of a run go: checked, prepared, filled and finished in this order."""


def run(
    command: Command,
    features: PathLike | Sequence[PathLike],
    weights: PathLike,
    sink: Sink,
) -> Summary[Any]:
    """Do a command's work on every row of some files.

    `features` are files, directories and patterns, taken in that order as one table; `weights` is
    the matrix that is held in memory.
    """
    how = command.how
    found = list_inputs(_as_paths(features))
    renames = () if how.align.rename is None else (str(how.align.rename),)
    inputs = (*(one.path for one in found), str(weights), *command.others, *renames)
    passed: tuple[str, ...] = ()
    if how.read.empty_files == "skip":
        from matscore.read.switches import pass_over_empty

        found, passed = pass_over_empty(found)
    # First of all: an output that is an input too would be lost once it is opened.
    sink.check(inputs, how)
    unique = how.align.unique_labels
    if unique and how.run.resume:
        what = "--resume and --unique-labels contradict each other"
        raise UsageError(what, "the labels of parts that are kept are not read again")
    checksum = how.run.checksum or sink.checksum
    if renames:
        from matscore.read.switches import read_renames

        how = replace(how, align=read_renames(how.align, how.read))
    # The weights come first: every features file is planned against them before a row is read.
    held = command.load(str(weights), checksum=checksum)
    with contextlib.ExitStack() as stack:
        planned = plan_inputs(stack, found, held, how.read, how.align, checksum=checksum)
        if passed:
            first = planned[0]
            planned[0] = replace(first, plan=replace(first.plan, said=(*first.plan.said, *passed)))
        plans = require_fits(planned)
        spec = command.make_output(plans[0], sink.format)
        sink.prepare(found, spec)
        works = share_works(plans, partial(command.take_model, weights=held), command.make_work)
        if how.on_plan is not None:
            how.on_plan(plans)
        # Which of its columns holds labels depends on what the features call theirs.
        paired = command.open_paired(stack, plans[0])
        jobs = [
            Job(layout_of(part, how.read), work, spec, how.rejects.on_error, number, unique=unique)
            for number, (part, work) in enumerate(zip(planned, works, strict=True))
        ]
        parts = [Part(one.table, job, one.turned) for one, job in zip(planned, jobs, strict=True)]
        settled = fit_budget(
            how.run,
            parts,
            held_bytes=held.n_bytes
            + (count_label_bytes([part.table for part in parts]) if unique else 0),
            suggested=command.suggest_chunk(plans[0]),
        )
        totals = Totals(works[0].zero(), how.rejects, unique=unique)
        how = replace(how, run=settled)
        # A fact such as a sha256 is known when an input is read to its end.
        facts = sink.collect(stack, Stream(inputs, parts, spec, how, totals, paired))
        summary = Summary(
            plans,
            (*facts, held.facts, *(() if paired is None else (paired.table.source.facts(),))),
            spec,
            totals.n_rows,
            totals.n_rejected,
            totals.tally,
            tuple(totals.previews),
            tuple(works),
            totals.odd,
            totals.n_doubled,
        )
        # A summary that is refused leaves no output behind: paths are renamed when the stack ends.
        command.check(summary)
        sink.finish(summary)
        return summary


def _as_paths(features: PathLike | Sequence[PathLike]) -> list[str]:
    if isinstance(features, (str, Path)):
        return [str(features)]
    if not features:
        raise UsageError("no features file is given")
    return [str(path) for path in features]
