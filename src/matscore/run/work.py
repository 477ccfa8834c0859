"""What a command is to a run: a `Command` before the plan, a `Work` on rows after it.

A run has a command's `Work` applied to the good rows of each chunk and encodes the `Outcome`. A
`Work` is frozen and can be pickled, and what it makes of a row depends on that row alone, so that
any engine may cut the rows anywhere and run it anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from matscore.errors import PlanError
from matscore.frame import Frame
from matscore.kernel import Floats
from matscore.model import Weights, load_weights
from matscore.options import (
    Format,
    OutputOptions,
    PlanOptions,
    ReadOptions,
    RejectOptions,
    RunOptions,
)
from matscore.plan import Plan
from matscore.read.rows import Rows
from matscore.write.formats import Columns, OutputSpec

if TYPE_CHECKING:
    from matscore.run.paired import PairedTable
    from matscore.run.summary import Progress, Summary


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


class Tally(Protocol):
    """Counts of some rows, which add up exactly in any order."""

    def __add__(self, other: Self, /) -> Self:
        """Return the counts of both."""

    def facts(self) -> dict[str, Any]:
        """Return the counts as plain values, by their names in the report."""


class Outcome(Protocol):
    """What a work makes of some rows."""

    @property
    def faults(self) -> Sequence[Fault]:
        """Rows to refuse; the work is applied again without them."""

    def tally(self) -> Any:
        """Return the `Tally`."""

    def frame(self) -> Frame:
        """Return the output's rows, one or several a row, or none."""

    def preview(self, n_rows: int) -> Preview:
        """Return what the screen shows of the first rows."""


class Work(Protocol):
    """What a command does with rows."""

    def zero(self) -> Any:
        """Return the `Tally` of no rows."""

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""

    def apply(self, rows: Rows) -> Outcome:
        """Compute what there is to know of some rows."""


@runtime_checkable
class Remembering(Protocol):
    """A work whose counts can be had again from what a manifest says."""

    def read_tally(self, facts: Mapping[str, Any]) -> Any:
        """Return the `Tally` that gave these facts; None where they do not tell."""


class NoFrame:
    """The part of an outcome without rows to write: what there is to say comes at the end."""

    def frame(self) -> Frame:
        """Return no rows."""
        return Frame({})

    def preview(self, n_rows: int) -> Preview:
        """Return nothing, as there are no rows."""
        del n_rows
        return Preview(Frame({}))


@dataclass(frozen=True)
class Settings:
    """How a run goes, whatever the command."""

    read: ReadOptions = ReadOptions()
    align: PlanOptions = PlanOptions()
    rejects: RejectOptions = RejectOptions()
    run: RunOptions = RunOptions()
    on_plan: Callable[[tuple[Plan, ...]], None] | None = None
    on_progress: Callable[[Progress], None] | None = None


DEFAULTS = Settings()


@dataclass(frozen=True)
class Command:
    """A command as a run sees it, step by step; each command's own says what is its own."""

    how: Settings = DEFAULTS

    @property
    def others(self) -> tuple[str, ...]:
        """Inputs besides features and weights."""
        return ()

    def load(self, path: str, *, checksum: bool) -> Weights:
        """Read the second matrix whole."""
        return load_weights(path, self.how.read, checksum=checksum)

    def take_model(self, plan: Plan, weights: Weights) -> Any:
        """Return what `make_work` multiplies with: a `Model` unless the command says otherwise."""
        return weights.take_model(plan)

    def make_output(self, plan: Plan, form: Format) -> OutputSpec | None:
        """Return what is written, by default in the format `form`; None where no rows are."""
        raise NotImplementedError

    def make_work(self, plan: Plan, model: Any) -> Work:
        """Return what to do with the rows of the plan's file."""
        raise NotImplementedError

    def suggest_chunk(self, plan: Plan) -> int | None:
        """Return the bytes of a chunk that suit the work; None where any do."""
        del plan
        return None

    def open_paired(self, plan: Plan) -> PairedTable | None:
        """Open a second table that is read in step with the features, if there is one."""
        del plan
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
    spec.form.require()
    if duplicates := spec.find_duplicates():
        what = f'two columns of the output would be named "{duplicates[0]}"'
        raise PlanError(replace(plan, problem=what, hint="rename the column or the category"))
    return spec
