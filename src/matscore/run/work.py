"""What a command is to a run, and one chunk, whole: split → parse → work → encode.

A `Command` decides before the plan, its `Work` on rows after it makes an `Outcome`, which is
encoded. A `Work` is frozen and can be pickled, and what it makes of a row depends on that row
alone, so that any engine may cut the rows anywhere and run them anywhere: `run_chunk` is pure, and
the bytes that it gives depend on nothing but its arguments.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.errors import InputError, MatscoreError, PlanError
from matscore.frame import Frame
from matscore.kernel import Floats
from matscore.model import Weights, load_weights, pick_weights
from matscore.names import quote_name
from matscore.options import (
    Format,
    OutputOptions,
    PlanOptions,
    ReadOptions,
    RejectOptions,
    RunOptions,
)
from matscore.plan import Plan
from matscore.read.rows import FrameChunk, Layout, Reject, Rows, find_first_error, parse_rows
from matscore.read.source import SourceFacts
from matscore.read.split import Chunk
from matscore.write.formats import Columns, OutputSpec

if TYPE_CHECKING:
    from matscore.run.doubles import LabelKeys
    from matscore.run.paired import PairedRows, PairedTable
    from matscore.run.run import Progress, Summary

_DOUBLE_HINT = "give it another, or leave --unique-labels out"


@dataclass(frozen=True)
class Fault:
    """A row that reads well and that nothing can be made of."""

    row: int  # its place among the rows
    what: str
    hint: str
    column: int | None = None  # index of the cell at fault in the file; None for the whole row
    skipped: bool = False  # set aside by request, because a value is missing


@dataclass(frozen=True)
class Preview:
    """The first rows of an output, for the screen."""

    frame: Frame  # the output's columns, as they are written
    marks: NDArray[np.bool_] | None = None  # (n_categories, n_rows): cells to stand out
    work: Any = None  # what made the rows, where their arithmetic can be shown
    features: Floats | None = None  # (n_features, n_rows), in canonical order

    def take_rows(self, n_rows: int) -> tuple[Frame, int]:
        """Return the lines of the first rows, and how many rows they are."""
        frame = self.frame.head(n_rows)
        return frame, frame.height


@dataclass(frozen=True)
class Tally:
    """Counts of some rows, which add up exactly in any order, field by field."""

    NAMES: ClassVar[tuple[str, ...]] = ()  # of the facts
    KEPT: ClassVar[tuple[str, ...]] = ()  # fields that are no counts, and the same in all

    def __add__(self, other: Self, /) -> Self:
        pairs = {
            each.name: (getattr(self, each.name), getattr(other, each.name))
            for each in fields(self)
            if each.name not in self.KEPT
        }
        # What one of two does not know, their sum does not know either; the sum of flags is "or".
        sums = {
            name: None if one is None or two is None else one + two
            for name, (one, two) in pairs.items()
        }
        return replace(self, **sums)

    def facts(self) -> dict[str, Any]:
        """Return the counts as plain values, by their names in the report."""
        return dict(zip(self.NAMES, self.list_facts(), strict=True))

    def list_facts(self) -> tuple[Any, ...]:
        """Return the values that `NAMES` name."""
        return ()


class Outcome:
    """What a work makes of some rows: maybe rows to write, and counts in any case."""

    faults: Sequence[Fault]  # rows to refuse; the work is applied again without them

    def tally(self) -> Any:
        """Return the `Tally`."""
        raise NotImplementedError

    def frame(self) -> Frame:
        """Return the output's rows, one or several a row, or none."""
        return Frame({})

    def preview(self, n_rows: int) -> Preview:
        """Return what the screen shows of the first rows."""
        return Preview(self.frame().head(n_rows))


@dataclass(frozen=True)
class Counted(Outcome):
    """The outcome of a work that writes nothing; its counts are those of rows without faults."""

    counts: Any  # the `Tally`
    faults: Sequence[Fault] = ()

    def tally(self) -> Any:
        """Return the counts."""
        return self.counts


class Work:
    """What a command does with rows: frozen, and to be pickled."""

    decomposes: ClassVar[bool] = False  # whether its last bits are those of NumPy's LAPACK

    def zero(self) -> Any:
        """Return the `Tally` of no rows."""
        raise NotImplementedError

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        raise NotImplementedError

    def apply(self, rows: Rows) -> Outcome:
        """Compute what there is to know of some rows."""
        raise NotImplementedError

    def read_tally(self, facts: Mapping[str, Any]) -> Any:
        """Return the `Tally` that gave these facts; None where they do not tell."""
        del facts


@dataclass(frozen=True)
class Settings:
    """How a run goes, whatever the command."""

    read: ReadOptions = ReadOptions()
    align: PlanOptions = PlanOptions()
    rejects: RejectOptions = RejectOptions()
    run: RunOptions = RunOptions()
    on_plan: Callable[[tuple[Plan, ...]], None] | None = None
    on_progress: Callable[[Progress], None] | None = None


@dataclass(frozen=True)
class Command:
    """A command as a run sees it, step by step; each command's own says what is its own."""

    how: Settings = Settings()

    @property
    def others(self) -> tuple[str, ...]:
        """Inputs besides features and weights."""
        return ()

    def load(self, path: str, *, checksum: bool) -> Weights:
        """Read the second matrix whole."""
        return load_weights(path, self.how.read, pick_weights(self.how.align), checksum=checksum)

    def take_model(self, plan: Plan, weights: Weights) -> Any:
        """Return what `make_work` multiplies with: a `Model` unless the command says otherwise."""
        return weights.take_model(plan)

    def make_output(self, plan: Plan, form: Format) -> OutputSpec | None:
        """Return what is written, by default in the format `form`; None where no rows are."""
        del plan, form
        return None

    def make_work(self, plan: Plan, model: Any) -> Work:
        """Return what to do with the rows of the plan's file."""
        raise NotImplementedError

    def suggest_chunk(self, plan: Plan) -> int | None:
        """Return the bytes of a chunk that suit the work; None where any do."""
        del plan
        return None

    def open_paired(self, stack: contextlib.ExitStack, plan: Plan) -> PairedTable | None:
        """Open a second table that is read in step with the features, if there is one."""
        del stack, plan
        return None

    def check(self, summary: Summary[Any]) -> None:
        """Look at the summary while the outputs are not there yet, and maybe refuse it."""


def make_output_spec(
    plan: Plan, columns: Columns, write: OutputOptions, form: Format
) -> OutputSpec:
    """Return how columns are written; refuse two of one name. `form` is for where none is asked."""
    spec = OutputSpec(
        write.format or form, columns, write.precision, write.excel_safe, write.max_rows
    )
    # A library that is not there is told before the first row, not at the end of a long run.
    spec.form.require()
    # Whoever reads the output by name would get one of two columns, unawares.
    if duplicates := spec.find_duplicates():
        what = f'two columns of the output would be named "{duplicates[0]}"'
        raise PlanError(replace(plan, problem=what, hint="rename the column or the category"))
    return spec


@dataclass(frozen=True)
class Job:
    """Everything but the chunk: what to read, do and write."""

    layout: Layout
    work: Work
    output: OutputSpec | None  # None where only counts are wanted
    on_error: Literal["fail", "reject"] = "fail"  # a bad row stops the run or is set aside
    part: int = 0  # which of the inputs it is for
    beside: PairedRows | None = None  # of a second table, the records that belong to the chunk
    unique: bool = False  # whether a label that was there before makes a bad row


@dataclass(frozen=True)
class Written:
    """An output that was written where its rows were made: its input, size in bytes and sha256."""

    source: SourceFacts
    size: int
    sha256: str


OddCells: TypeAlias = Mapping[str, tuple[int, int]]
"""How many cells of a column are unknown levels, and missing; of columns that are computed with."""


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
    odd: OddCells = field(default_factory=dict)
    labels: LabelKeys | None = None  # of its good rows, where they are to be unique
    failure: MatscoreError | None = None  # what stops the run once these labels are looked at
    again: Callable[[Doubles], ChunkResult] | None = None  # does the chunk anew without some rows


Doubles: TypeAlias = Mapping[int, str]
"""Records of a chunk whose labels were there before, and where."""


def add_odd(one: OddCells, two: OddCells) -> OddCells:
    """Add the counts of two, column by column."""
    total = dict(one)
    for name, (n_unknown, n_missing) in two.items():
        before = total.get(name, (0, 0))
        total[name] = before[0] + n_unknown, before[1] + n_missing
    return total


def run_chunk(
    job: Job, chunk: Chunk | FrameChunk, doubles: Doubles = MappingProxyType({})
) -> ChunkResult:
    """Do the work on one chunk; ``n_rows + len(rejects)`` of the result is its records.

    A bad row where `on_error` is ``fail``, or damage that no row can be blamed for, is an
    `InputError`; of several the first in the chunk. Where labels are to be unique and rows stand
    before it, it comes with the result of these.
    """
    try:
        return _run_whole(job, chunk, doubles)
    except InputError as error:

        def run(part: Chunk | FrameChunk, n_before: int) -> ChunkResult:
            stop = n_before + part.n_records
            own = {at - n_before: where for at, where in doubles.items() if n_before <= at < stop}
            beside = None if job.beside is None else job.beside.take(n_before, part.n_records)
            return _run_whole(replace(job, beside=beside), part, own)

        # Which check failed first depends on how the file was cut; what is told must not.
        first, n_good = find_first_error(run, chunk, error)
        if job.unique and job.on_error == "fail" and n_good:
            return replace(run(chunk.cut(n_good)[0], 0), failure=first)
        raise first from None


def _run_whole(job: Job, chunk: Chunk | FrameChunk, doubles: Doubles) -> ChunkResult:
    rows = parse_rows(job.layout, chunk)
    _stop_at_first(job, chunk, rows.rejects)
    if doubles:
        rows = _drop(job, chunk, rows, _find_doubles(job.layout, rows, doubles))
    work = job.work
    if job.beside is not None:
        work = replace(work, beside=job.beside)  # type: ignore[type-var]
    outcome = work.apply(rows)
    if outcome.faults:
        rows = _drop(job, chunk, rows, outcome.faults)
        # What is counted is counted of good rows alone, so the work is done again without the bad.
        outcome = work.apply(rows)
    # No row may vanish in silence, whatever a work makes of it.
    if rows.n_rows + len(rows.rejects) != chunk.n_records:
        raise RuntimeError(f"{chunk.path}: rows are lost in the chunk at line {chunk.line}")
    data: bytes | bytearray = b""
    preview, output = None, job.output
    if output is not None and output.form.is_shown:
        # A screen has the first rows only, so that later chunks make none; of rows that are chosen
        # any chunk may have the first.
        if output.selects or chunk.row < output.max_rows:
            preview = outcome.preview(output.max_rows)
            # A format of data rounds as it encodes, and this is not encoded.
            preview = replace(preview, frame=output.finish(preview.frame))
    elif output is not None and rows.n_rows:
        frame = outcome.frame()
        data = output.form.rows(output, frame) if frame.height else b""
    labels = None
    if job.unique:
        from matscore.run.doubles import take_keys

        labels = take_keys(chunk, rows)
    return ChunkResult(
        chunk.path, data, rows.n_rows, outcome.tally(), rows.rejects, preview, job.part,
        odd=rows.count_odd(job.layout), labels=labels,
    )  # fmt: skip


def _find_doubles(layout: Layout, rows: Rows, doubles: Doubles) -> list[Fault]:
    """Return the rows whose labels were there before."""
    faults = []
    for row, record in enumerate((rows.numbers - rows.start - 1).tolist()):
        if record in doubles:
            label, where = quote_name(str(rows.labels[row])), doubles[record]
            what = f"{label} is a label that was there before, in {where}"
            faults.append(Fault(row, what, _DOUBLE_HINT, layout.label_column))
    return faults


def _stop_at_first(job: Job, chunk: Chunk | FrameChunk, rejects: Sequence[Reject]) -> None:
    if job.on_error == "fail":
        fatal = [reject for reject in rejects if not reject.skipped]
        if fatal:
            # Rejects come from several checks, each in the order of rows.
            raise min(fatal, key=lambda reject: reject.line).as_error(chunk.path)


def _drop(job: Job, chunk: Chunk | FrameChunk, rows: Rows, faults: Sequence[Fault]) -> Rows:
    """Reject rows that read well and that nothing can be made of."""
    rejects = {}
    for fault in faults:
        record = fault.row if rows.places is None else int(rows.places[fault.row])
        place = chunk.locate(job.layout, record, fault.column)
        text = chunk.record(record).decode()
        rejects[fault.row] = Reject(*place, fault.what, fault.hint, text, fault.skipped)
    rows = rows.drop(rejects)
    _stop_at_first(job, chunk, rows.rejects)
    return rows
