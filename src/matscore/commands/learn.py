"""``fit`` on the rows of a chunk: features and targets into what weights are learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from matscore.command_options import FitOptions, Method
from matscore.errors import MisfitError
from matscore.frame import Frame, find_places, read_numbers
from matscore.kernel import Floats, Texts
from matscore.names import quote_names
from matscore.numerics.kept import MOST_BYTES, KeptRows
from matscore.numerics.learn import (
    MOST_CATEGORIES,
    Learned,
    check_categories,
    learn_linear,
    learn_logistic,
)
from matscore.numerics.least_squares import Segment, cut_rows, finish, no_rows, sort_names
from matscore.numerics.logistic import Examples
from matscore.plan import Side
from matscore.plan.learning import name_columns
from matscore.read.rows import Rows
from matscore.run.paired import PairedRows
from matscore.run.parts import map_ordered
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
class Coded(Tally):
    """Rows as they are, for logistic regression; for least squares a `Segment` is the tally."""

    rows: Floats  # (n_rows, n_stored + 1): the last is the place of the category in `names`
    names: tuple[str, ...]


@dataclass(frozen=True)
class AllRows(Tally):
    """All of them, and the number of each category, in the order in which they were met."""

    path: str
    kept: KeptRows
    numbers: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: Coded, /) -> AllRows:  # type: ignore[override]
        numbers = [self.numbers.setdefault(name, len(self.numbers)) for name in other.names]
        if len(numbers) > MOST_CATEGORIES or len(self.numbers) > MOST_CATEGORIES:
            check_categories(tuple(self.numbers), self.path)
        if len(other.rows):
            other.rows[:, -1] = np.array(numbers)[other.rows[:, -1].astype(np.int64)]
        self.kept.append(other.rows)  # in place: there may be many, and nobody else has them
        return self


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
    kept_bytes: int = MOST_BYTES  # of rows that are kept in memory, where they are

    @property
    def _n_stored(self) -> int:
        """What is stored of the features; targets that are numbers come after it."""
        return self.n_features if self.design is None else self.design.terms.n_stored

    def zero(self) -> Any:
        """Return what is known of no rows."""
        if self.reduces:
            return no_rows(self.n_features)
        return AllRows(self.path, KeptRows(self._n_stored + 1, self.kept_bytes))

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        return 2 * self.n_features, 0

    def apply(self, rows: Rows) -> LearnedRows:
        """Set features and targets beside each other."""
        features = rows.features[: self._n_stored]
        # Rows that are kept are not more than what they are computed from.
        if self.design is not None and self.reduces:
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
            if not isinstance(Y, Texts):
                raise TypeError("the targets are no categories")
            names = sort_names(set(Y))
            return Coded(np.column_stack([self.X, find_places(Y, names)]), names)
        stop = rows.start + rows.n_records
        # Categories are coded chunk by chunk, since all of them are known at the end only.
        targets, names = (Y, self.work.targets) if not isinstance(Y, Texts) else self._code(Y)
        records = rows.numbers - 1
        return cut_rows(self.X, targets, names, records=records, start=rows.start, stop=stop)

    def _code(self, categories: Texts) -> tuple[Any, tuple[str, ...]]:
        """Return the place of each row's category, (n_rows,), and the categories' names."""
        # Sorted, since the order in which chunks meet categories must not matter.
        names = sort_names(set(categories))
        if len(names) > MOST_CATEGORIES:
            check_categories(names, self.work.path)
        return find_places(categories, names), names


def learn(
    tally: Segment | AllRows,
    work: Learn,
    names: Sequence[str],
    order: Sequence[int],
    method: Method,
    alpha: float,
    options: FitOptions,
    n_jobs: int,
    on_pass: Callable[[int], None] = lambda _: None,
) -> Learned:
    """Learn weights from all rows; see `matscore.numerics.learn.learn_linear`."""
    if isinstance(tally, Segment):
        triangle, categories = finish(tally), not work.targets
        return learn_linear(
            triangle, names, order, method, alpha, options, work.path, categories=categories
        )
    found = sort_names(tally.numbers)
    places = np.zeros(len(found), dtype=np.int64)
    places[[tally.numbers[name] for name in found]] = np.arange(len(found))
    passes = count(1)
    examples = Examples(
        tally.kept,
        places,
        work.n_features,
        None if work.design is None else work.design.expand,
        partial(map_ordered, n_jobs=n_jobs),
        lambda: on_pass(next(passes)),
    )
    return learn_logistic(examples, found, names, order, alpha, options, work.path)
