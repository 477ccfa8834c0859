"""What a command makes of the rows of a chunk: one module a command, all of one form.

The pipeline parses a chunk, has a `Work` applied to its good rows and encodes the `Outcome`. A
`Work` is frozen and can be pickled, and what it makes of a row depends on that row alone, so that
any engine may cut the rows anywhere and run it anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from matscore.frame import Frame
from matscore.kernel import Floats
from matscore.read.rows import Rows as Rows  # noqa: PLC0414


@dataclass(frozen=True)
class Fault:
    """A row that reads well and that nothing can be made of.

    Attributes
    ----------
    row : int
        Its place among the rows.
    what, hint : str
        What is wrong, and what to do about it.
    column : int or None
        Index of the cell at fault in the file; None where it is the whole row.
    skipped : bool
        Whether it is set aside by request, because a value is missing.
    """

    row: int
    what: str
    hint: str
    column: int | None = None
    skipped: bool = False


@dataclass(frozen=True)
class Preview:
    """The first rows of an output, for the screen.

    Attributes
    ----------
    frame : Frame
        The output's columns, as they are written.
    marks : ndarray of shape (n_categories, n_rows), bool, or None
        Cells to stand out.
    work : Work or None
        What made the rows, where their arithmetic can be shown.
    features : ndarray of shape (n_features, n_rows), float64, or None
        What it made them of, in canonical order.
    """

    frame: Frame
    marks: NDArray[np.bool_] | None = None
    work: Any = None
    features: Floats | None = None


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


@runtime_checkable
class Remembering(Protocol):
    """A work whose counts can be had again from what a manifest says."""

    def read_tally(self, facts: Mapping[str, Any]) -> Any:
        """Return the `Tally` that gave these facts; None where they do not tell."""


class Work(Protocol):
    """What a command does with rows."""

    def zero(self) -> Any:
        """Return the `Tally` of no rows."""

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""

    def apply(self, rows: Rows) -> Outcome:
        """Compute what there is to know of some rows."""
