"""``fit`` on the rows of a chunk: features and targets into what weights are learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matscore.command_options import FitOptions
from matscore.errors import MisfitError
from matscore.frame import Frame, find_places
from matscore.kernel import Floats
from matscore.names import quote_names
from matscore.numerics.kept import MOST_BYTES, KeptRows
from matscore.numerics.learn import (
    MOST_CATEGORIES,
    Learned,
    check_categories,
    learn_linear,
    learn_logistic,
    settle_method,
)
from matscore.numerics.least_squares import Segment, cut_rows, finish, no_rows, sort_names
from matscore.numerics.logistic import Examples
from matscore.plan import Side
from matscore.plan.learning import name_columns, name_intercept
from matscore.read.rows import Rows
from matscore.run.paired import PairedRows
from matscore.run.parts import map_ordered
from matscore.run.work import Counted, Fault, Tally, Work

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

    def zero(self) -> Any:
        """Return what is known of no rows."""
        if self.reduces:
            return no_rows(self.n_features)
        return AllRows(self.path, KeptRows(self._n_stored + 1, self.kept_bytes))

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        return 2 * self.n_features, 0

    def apply(self, rows: Rows) -> Counted:
        """Set features and targets beside each other, and reduce the rows or keep them."""
        beside, faults, frame = self.beside, list[Fault](), Frame({})
        if beside is not None:
            frame = beside.of(rows)
            faults = beside.find_faults(frame)
        if self.targets:
            # Targets that are numbers stand behind the features, or in a table of their own.
            own = rows.features[self._n_stored :].T
            numbers = np.ascontiguousarray(own if beside is None else frame.numbers(beside.columns))
            gone = np.isnan(numbers).any(axis=1)
        else:
            texts = rows.texts[0] if beside is None else beside.texts_of(frame)
            gone = find_places(texts, ["", *self.missing_values]) >= 0
        column = self.target_columns[0] if self.target_columns else None
        known = {fault.row for fault in faults}
        faults += [
            Fault(row, "a missing target", _HINT, column, self.skips)
            for row in np.flatnonzero(gone).tolist()
            if row not in known
        ]
        if faults:
            return Counted(None, faults)
        features = rows.features[: self._n_stored]
        # Rows that are kept are not more than what they are computed from.
        if self.design is not None and self.reduces:
            features = self.design.expand(features)
        X = np.ascontiguousarray(features.T)  # rows are reduced in blocks
        if self.targets:
            return Counted(self._reduce(rows, X, numbers, self.targets))
        # Categories are coded chunk by chunk, since all of them are known at the end only; sorted,
        # since the order in which chunks meet them must not matter.
        names = sort_names(set(texts))
        places = find_places(texts, names)
        if not self.reduces:
            return Counted(Coded(np.column_stack([X, places]), names))
        if len(names) > MOST_CATEGORIES:
            check_categories(names, self.path)
        return Counted(self._reduce(rows, X, places[:, None] == np.arange(len(names)), names))

    @property
    def _n_stored(self) -> int:
        """What is stored of the features; targets that are numbers come after it."""
        return self.n_features if self.design is None else self.design.terms.n_stored

    def _reduce(self, rows: Rows, X: Floats, Y: NDArray[Any], names: tuple[str, ...]) -> Segment:
        """Reduce features (n_rows, n_features) and targets (n_rows, n_targets) to a triangle."""
        stop = rows.start + rows.n_records
        return cut_rows(X, Y, names, records=rows.numbers - 1, start=rows.start, stop=stop)


def learn(
    tally: Segment | AllRows,
    work: Learn,
    names: Sequence[str],
    order: Sequence[int],
    fit: FitOptions,
    n_jobs: int,
    on_pass: Callable[[int], None] = lambda _: None,
) -> Learned:
    """Learn weights from all rows; see `matscore.numerics.learn.learn_linear`."""
    method, alpha = settle_method(fit, categories=not work.targets)
    if isinstance(tally, Segment):
        learned = learn_linear(
            finish(tally), names, order, method, alpha, fit, work.path, categories=not work.targets
        )
    else:
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
        learned = learn_logistic(examples, found, names, order, alpha, fit, work.path)
    if work.design is None:
        return learned
    return replace(learned, n_redundant=work.design.n_redundant)


def stack_weights(learned: Learned, design: Design | None) -> tuple[tuple[str, ...], Floats]:
    """Return the rows of a weights file, their names and numbers: the intercept comes last."""
    rows, weights = learned.stack(name_intercept(learned.features))
    return (rows, weights) if design is None else design.add_references(rows, weights)
