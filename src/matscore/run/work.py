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

from matscore.frame import Frame, Labels
from matscore.kernel import Floats, Texts


@dataclass(frozen=True)
class Rows:
    """The good rows of a chunk.

    Attributes
    ----------
    labels : Texts or ndarray of int64
        Labels, or row numbers from 1.
    texts : tuple of Texts
        The other columns that are read as text, in the order of `Layout.kept_columns`.
    features : list of ndarray of shape (n_rows,), float64
        In the order of `Layout.feature_columns`; finite, or NaN where `has_missing`.
    n_rows : int
        Number of rows.
    has_missing : ndarray of shape (n_rows,), bool, or None
        Rows with a missing feature; None when there is none.
    places : ndarray of shape (n_rows,), int64, or None
        Their records' places in the chunk; None when all of its records are good.
    start, n_records : int
        Records before the chunk, over all inputs; records of the chunk.
    """

    labels: Labels
    texts: tuple[Texts, ...]
    features: list[Floats]
    n_rows: int
    has_missing: NDArray[np.bool_] | None = None
    places: NDArray[np.int64] | None = None
    start: int = 0
    n_records: int = 0

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Which records of all inputs these are, counted from 1; of shape (n_rows,)."""
        places = np.arange(self.n_rows) if self.places is None else self.places
        return places + (self.start + 1)

    @classmethod
    def of_columns(
        cls,
        features: list[Floats],
        n_rows: int,
        has_missing: NDArray[np.bool_] | None = None,
        *,
        texts: Sequence[Sequence[str]] = (),
        places: NDArray[np.int64] | None = None,
        n_records: int | None = None,
    ) -> Rows:
        """Return rows that come from no file, numbered from 1.

        Parameters
        ----------
        features, n_rows, has_missing, places
            The fields of that name.
        texts : sequence of sequences of str
            The columns that are text.
        n_records : int, optional
            Rows there are, those left out counted; `n_rows` without it.

        Returns
        -------
        Rows
            All of one chunk.
        """
        columns = tuple(map(Texts.from_strings, texts))
        labels = np.arange(1, n_rows + 1)
        stop = n_rows if n_records is None else n_records
        return cls(labels, columns, features, n_rows, has_missing, places, 0, stop)


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
