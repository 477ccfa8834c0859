"""``fit``: rows of features and targets into what weights are learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from matscore.commands.beside import Beside
from matscore.errors import InputError
from matscore.frame import Frame, find_places, join, read_numbers
from matscore.kernel import Floats, Texts
from matscore.numerics.learn import (
    MOST_CATEGORIES,
    Learned,
    check_categories,
    learn_linear,
    learn_logistic,
)
from matscore.numerics.least_squares import Segment, cut_rows, finish, no_rows, sort_names
from matscore.options import FitOptions, Method
from matscore.run.work import Fault, Preview, Rows

_HINT = "--missing skip leaves such rows out"


@dataclass(frozen=True)
class SegmentTally:
    """Rows reduced for least squares.

    Attributes
    ----------
    segment : Segment
        Of the records so far.
    """

    segment: Segment

    def __add__(self, other: SegmentTally) -> SegmentTally:
        return SegmentTally(self.segment + other.segment)

    def facts(self) -> dict[str, Any]:
        """Return nothing: what was learned is known at the end."""
        return {}


@dataclass(frozen=True)
class RowsTally:
    """Rows as they are, for logistic regression.

    Attributes
    ----------
    pieces : tuple of (ndarray of shape (n_rows, n_features), Texts)
        Features and categories.
    """

    pieces: tuple[tuple[Floats, Texts], ...] = ()

    def __add__(self, other: RowsTally) -> RowsTally:
        return RowsTally((*self.pieces, *other.pieces))

    def facts(self) -> dict[str, Any]:
        """Return nothing: what was learned is known at the end."""
        return {}


@dataclass(frozen=True)
class Learn:
    """The work of ``fit``.

    Attributes
    ----------
    path : str
        The features' input, for messages.
    n_features : int
        Features; targets that are numbers come after them.
    targets : tuple of str
        Names of targets that are numbers; empty for categories.
    target_columns : tuple of int
        Their indices in the features file, or that of the categories; empty where they are in a
        table of their own.
    reduces : bool
        Whether rows are reduced, or kept as they are.
    missing_values : tuple of str
        Categories that count as missing, besides empty ones.
    skips, fills : bool
        Whether a row without a target is set aside by request; whether a missing feature is 0.
    beside : Beside or None
        The records of the table of targets.
    """

    path: str
    n_features: int
    targets: tuple[str, ...]
    target_columns: tuple[int, ...]
    reduces: bool
    missing_values: tuple[str, ...]
    skips: bool = False
    fills: bool = False
    beside: Beside | None = None

    def zero(self) -> Any:
        """Return what is known of no rows."""
        return SegmentTally(no_rows(self.n_features)) if self.reduces else RowsTally()

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        return 2 * self.n_features, 0

    def apply(self, rows: Rows) -> LearnedRows:
        """Set features and targets beside each other."""
        columns = list(rows.features[: self.n_features])
        if self.fills:
            columns = [np.where(np.isnan(column), 0.0, column) for column in columns]
        X = np.column_stack(columns) if columns else np.empty((rows.n_rows, 0))
        frame = None if self.beside is None else self.beside.of(rows)
        faults = [] if self.beside is None or frame is None else self.beside.find_faults(frame)
        known = {fault.row for fault in faults}
        Y: Floats | Texts
        if self.targets:
            Y = numbers = self._read_numbers(rows, frame)
            gone = np.isnan(numbers).any(axis=1)
        else:
            Y = texts = self._read_categories(rows, frame)
            gone = find_places(texts, ["", *self.missing_values]) >= 0
        column = self.target_columns[0] if self.target_columns else None
        faults += [
            Fault(row, "a missing target", _HINT, column, self.skips)
            for row in np.flatnonzero(gone).tolist()
            if row not in known
        ]
        return LearnedRows(self, rows, X, Y, faults)

    def _read_numbers(self, rows: Rows, frame: Frame | None) -> Floats:
        if frame is None or self.beside is None:
            columns = list(rows.features[self.n_features :])
        else:
            columns = [read_numbers(frame[name]) for name in self.beside.columns]
        return np.column_stack(columns).astype(np.float64, copy=False)

    def _read_categories(self, rows: Rows, frame: Frame | None) -> Texts:
        if frame is None or self.beside is None:
            return rows.texts[0]
        return self.beside.texts_of(frame)


@dataclass(frozen=True)
class LearnedRows:
    """The outcome of ``fit`` on some rows.

    Attributes
    ----------
    work : Learn
        What was done.
    rows : Rows
        To what.
    X : ndarray of shape (n_rows, n_features), float64
        Features.
    Y : ndarray of shape (n_rows, n_targets), float64, or Texts
        Targets.
    faults : list of Fault
        Rows without a target.
    """

    work: Learn
    rows: Rows
    X: Floats
    Y: Floats | Texts
    faults: list[Fault]

    def tally(self) -> Any:
        """Reduce the rows, or keep them."""
        rows, Y = self.rows, self.Y
        if not self.work.reduces:
            return RowsTally(((self.X, Y),) if isinstance(Y, Texts) else ())
        stop = rows.start + rows.n_records
        targets, names = (Y, self.work.targets) if not isinstance(Y, Texts) else self._code(Y)
        return SegmentTally(
            cut_rows(self.X, targets, names, records=rows.numbers - 1, start=rows.start, stop=stop)
        )

    def _code(self, categories: Texts) -> tuple[Any, tuple[str, ...]]:
        """Return the members of each category, (n_rows, n_categories), and their names."""
        names = sort_names(list(set(categories)))
        if len(names) > MOST_CATEGORIES:
            what = f"more than {MOST_CATEGORIES:,} categories"
            hint = "labels or numbers may have been taken for categories"
            raise InputError(self.work.path, what, hint)
        return find_places(categories, names)[:, None] == np.arange(len(names)), names

    def frame(self) -> Frame:
        """Return no rows: what is written comes at the end."""
        return Frame({})

    def preview(self, n_rows: int) -> Preview:
        """Return nothing, as there are no rows."""
        del n_rows
        return Preview(Frame({}))


def learn(
    tally: SegmentTally | RowsTally,
    names: Sequence[str],
    order: Sequence[int],
    method: Method,
    alpha: float,
    options: FitOptions,
    path: str,
    *,
    categories: bool,
) -> Learned:
    """Learn weights from all rows.

    Parameters
    ----------
    tally : SegmentTally or RowsTally
        What is known of them.
    names, order, method, alpha, options, path, categories
        As in `matscore.numerics.learn.learn_linear`.

    Returns
    -------
    Learned
        Finite weights.

    Raises
    ------
    InputError
        Nothing can be learned from these rows.
    """
    if isinstance(tally, SegmentTally):
        triangle = finish(tally.segment)
        return learn_linear(
            triangle, names, order, method, alpha, options, path, categories=categories
        )
    pieces = [(X, texts) for X, texts in tally.pieces if len(X)]
    texts = join([Texts.from_strings([]), *(one for _, one in pieces)])
    found = sort_names(list(set(texts)))
    check_categories(found, path)
    X = np.vstack([one for one, _ in pieces])
    truth = find_places(texts, found)
    return learn_logistic(X, truth, found, names, order, alpha, options, path)
