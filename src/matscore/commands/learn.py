"""``fit`` on the rows of a chunk: features and targets into what weights are learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matscore.command_options import FitOptions, Method
from matscore.errors import InputError, MisfitError
from matscore.frame import Frame, find_places, join, read_numbers
from matscore.kernel import Floats, Texts
from matscore.names import quote_names
from matscore.numerics.learn import (
    MOST_CATEGORIES,
    Learned,
    check_categories,
    learn_linear,
    learn_logistic,
)
from matscore.numerics.least_squares import Segment, cut_rows, finish, no_rows, sort_names
from matscore.plan import Side
from matscore.plan.learning import name_columns
from matscore.read.rows import Rows
from matscore.run.paired import PairedRows
from matscore.run.work import Fault, Outcome, Tally, Work

if TYPE_CHECKING:
    from matscore.plan.design import Design

_HINT = "--missing skip leaves such rows out"


@dataclass(frozen=True)
class Targets:
    """What is learned: numbers, or a column of categories."""

    names: tuple[str, ...]
    columns: tuple[int, ...]
    is_categories: bool
    warning: str = ""


def settle_targets(sample: Side, columns: tuple[int, ...], fit: FitOptions) -> Targets:
    """Tell numbers from categories; refuse what is neither, and several columns of categories."""
    names = name_columns(sample, columns, "y")
    kinds = {sample.kinds[i] for i in columns}
    categories = fit.categories
    if fit.method == "logistic":
        categories = True
    # A typing error in a column of numbers must not make a thousand categories of it.
    if categories is None and "mixed" in kinds:
        what = f"cannot tell whether {quote_names(names)} holds numbers or categories"
        raise MisfitError(sample.path, what, "say --numbers or --categories")
    if categories is None:
        categories = "text" in kinds
    texts = [name for i, name in zip(columns, names, strict=True) if sample.kinds[i] == "text"]
    if fit.categories is None and 0 < len(texts) < len(columns):
        what = f"text stands beside numbers: {quote_names(texts)}"
        raise MisfitError(sample.path, what, "learn numbers, or one column of categories")
    if categories and len(columns) > 1:
        what = f"several columns of categories: {quote_names(names)}"
        raise MisfitError(sample.path, what, "learn them one by one")
    if not categories and (blank := [n for n in names if not n.strip()]):
        raise MisfitError(sample.path, f"{len(blank)} targets have no name", "name them")
    if not categories and len(set(names)) < len(names):
        raise MisfitError(sample.path, f"targets of one name: {quote_names(names)}", "rename one")
    warning = ""
    if not categories and fit.categories is None and any(sample.coded[i] for i in columns):
        # Codes such as 1, 2, 3 have no distances, which a product would take for granted.
        warning = f"{quote_names(names)} is learned as a number; say --categories if it is a code"
    return Targets(names, columns, bool(categories), warning)


@dataclass(frozen=True)
class RowsTally(Tally):
    """Rows as they are, for logistic regression; for least squares a `Segment` is the tally."""

    pieces: tuple[tuple[Floats, Texts], ...] = ()  # (n_rows, n_features), and categories


@dataclass(frozen=True)
class Learn(Work):
    """The work of ``fit``."""

    decomposes = True

    path: str  # the features' input, for messages
    n_features: int
    targets: tuple[str, ...]  # names of those; empty for categories
    target_columns: tuple[int, ...]  # in the features file; empty where the targets have their own
    reduces: bool  # whether rows are reduced, or kept as they are
    missing_values: tuple[str, ...]  # categories that count as missing, besides empty ones
    skips: bool = False  # whether a row without a target is set aside by request
    design: Design | None = None  # how features are computed, where some are no columns
    beside: PairedRows | None = None  # the records of the table of targets

    @property
    def _n_stored(self) -> int:
        """What is stored of the features; targets that are numbers come after it."""
        return self.n_features if self.design is None else self.design.terms.n_stored

    def zero(self) -> Any:
        """Return what is known of no rows."""
        return no_rows(self.n_features) if self.reduces else RowsTally()

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        return 2 * self.n_features, 0

    def apply(self, rows: Rows) -> LearnedRows:
        """Set features and targets beside each other."""
        features = rows.features[: self._n_stored]
        if self.design is not None:
            features = self.design.expand(features)
        X = np.ascontiguousarray(features.T)  # rows are reduced in blocks
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
            columns = list(rows.features[self._n_stored :])
        else:
            columns = [read_numbers(frame[name]) for name in self.beside.columns]
        return np.column_stack(columns).astype(np.float64, copy=False)

    def _read_categories(self, rows: Rows, frame: Frame | None) -> Texts:
        if frame is None or self.beside is None:
            return rows.texts[0]
        return self.beside.texts_of(frame)


@dataclass(frozen=True)
class LearnedRows(Outcome):
    """The outcome of ``fit`` on some rows."""

    work: Learn
    rows: Rows
    X: Floats  # (n_rows, n_features)
    Y: Floats | Texts  # (n_rows, n_targets), or categories
    faults: list[Fault]  # rows without a target

    def tally(self) -> Any:
        """Reduce the rows, or keep them."""
        rows, Y = self.rows, self.Y
        if not self.work.reduces:
            return RowsTally(((self.X, Y),) if isinstance(Y, Texts) else ())
        stop = rows.start + rows.n_records
        # Categories are coded chunk by chunk, since all of them are known at the end only.
        targets, names = (Y, self.work.targets) if not isinstance(Y, Texts) else self._code(Y)
        records = rows.numbers - 1
        return cut_rows(self.X, targets, names, records=records, start=rows.start, stop=stop)

    def _code(self, categories: Texts) -> tuple[Any, tuple[str, ...]]:
        """Return the members of each category, (n_rows, n_categories), and their names."""
        # Sorted, since the order in which chunks meet categories must not matter.
        names = sort_names(list(set(categories)))
        if len(names) > MOST_CATEGORIES:
            what = f"more than {MOST_CATEGORIES:,} categories"
            hint = "labels or numbers may have been taken for categories"
            raise InputError(self.work.path, what, hint)
        return find_places(categories, names)[:, None] == np.arange(len(names)), names


def learn(
    tally: Segment | RowsTally,
    names: Sequence[str],
    order: Sequence[int],
    method: Method,
    alpha: float,
    options: FitOptions,
    path: str,
    *,
    categories: bool,
) -> Learned:
    """Learn weights from all rows; see `matscore.numerics.learn.learn_linear`."""
    if isinstance(tally, Segment):
        triangle = finish(tally)
        return learn_linear(
            triangle, names, order, method, alpha, options, path, categories=categories
        )
    # Chunks come in the order of rows, so that the search takes the same steps each time.
    pieces = [(X, texts) for X, texts in tally.pieces if len(X)]
    texts = join([Texts.from_strings([]), *(one for _, one in pieces)])
    found = sort_names(list(set(texts)))
    check_categories(found, path)
    X = np.vstack([one for one, _ in pieces])
    truth = find_places(texts, found)
    return learn_logistic(X, truth, found, names, order, alpha, options, path)
