"""``fit`` on files and on rows: what each column is for, and rows into what is learned from.

Columns of text are looked at twice: once for their levels, then as features.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matscore.command_options import ColumnOptions, FitOptions, Method
from matscore.counts import LevelCounts
from matscore.errors import InputError, MisfitError, UsageError
from matscore.frame import Frame, find_places
from matscore.items import MOST_BYTES, KeptRows
from matscore.kernel import Floats
from matscore.names import quote_names
from matscore.numerics import logistic
from matscore.numerics.learn import (
    MOST_CATEGORIES,
    Learned,
    Task,
    check_categories,
    learn_linear,
    learn_logistic,
    settle_method,
)
from matscore.numerics.least_squares import Segment, cut_rows, finish, no_rows, sort_names
from matscore.options import ReadOptions, RejectOptions
from matscore.plan import Side
from matscore.plan.design import Design, find_weighed, make_design
from matscore.plan.learning import (
    FeatureColumns,
    Targets,
    check_header,
    name_intercept,
    settle_targets,
    sort_columns,
)
from matscore.plan.terms import TextColumn
from matscore.read.rows import Layout, Rows
from matscore.read.table import Table, open_table
from matscore.run.paired import PairedRows, PairedTable, pair_table
from matscore.run.parts import Part, map_ordered, open_engine
from matscore.run.run import Totals
from matscore.run.work import Counted, Fault, Job, Settings, Tally, Work

_MISSING_HINT = "--missing skip leaves such rows out"
_MOST_COUNTED = 10**6  # texts of a column, of which few are levels where rare ones share a weight


@dataclass(frozen=True)
class Examples:
    """The inputs, open: what each column is for."""

    table: Table
    columns: FeatureColumns
    target: Targets
    paired: PairedTable | None  # the targets, where they have a table of their own
    fit: FitOptions
    how: Settings
    design: Design | None = None  # how features are computed, where some are no columns

    @property
    def method(self) -> Method:
        """How weights are learned."""
        return settle_method(self.fit, categories=self.target.is_categories)[0]

    @property
    def features(self) -> tuple[Sequence[str], Sequence[int]]:
        """Names of what is learned, in canonical order, and their places as they are written."""
        if self.design is not None:
            return self.design.learned, self.design.order
        return self.columns.feature_names, self.columns.file_order

    def find_design(self) -> Examples:
        """Return the same with the features that are computed, if there are some."""
        columns, names, terms = self.columns, self.table.names or (), self.fit.terms
        if not columns.text_columns and not terms:
            return self
        texts = {}
        if columns.text_columns:
            layout = self._lay_out(columns.feature_columns, columns.text_columns)
            # A row that is learned from, whatever is missing in it, has levels to be found.
            weighed = find_weighed(terms, names)
            kept = (i for i in columns.feature_columns if names[i] in weighed)
            layout = replace(layout, kept_missing=(*layout.kept_missing, *kept))
            texts = _find_levels(self.table, layout, self.fit, self.how)
        design = make_design(
            self.table.path,
            [names[i] for i in sorted((*columns.feature_columns, *columns.text_columns))],
            texts,
            terms,
            has_reference=has_reference(self.fit, self.method),
        )
        return replace(self, design=design, fit=design.settle(self.fit))

    def make_job(self) -> Job:
        """Return what to do with the rows."""
        read, target, design = self.how.read, self.target, self.design
        memory, inside = self.how.run.memory_bytes, target.columns if self.paired is None else ()
        work = Learn(
            self.table.path,
            len(self.features[0]),
            () if target.is_categories else target.names,
            inside,
            self.method != "logistic",
            read.missing_values,
            read.missing == "skip",
            design,
            kept_bytes=MOST_BYTES if memory is None else memory // 4,
        )
        kept = inside if target.is_categories else ()
        if design is None:
            layout = self._lay_out(self.columns.feature_columns, kept)
        else:
            names = list(self.table.names or ())
            numbers = [names.index(name) for name in design.terms.numbers]
            layout = self._lay_out(numbers, kept)
            weighed = (numbers[i] for i in design.terms.kept)
            layout = replace(
                layout,
                level_columns=tuple(names.index(column.name) for column in design.terms.texts),
                terms=design.terms,
                kept_missing=(*layout.kept_missing, *weighed),
            )
        return Job(layout, work, None, self.how.rejects.on_error)

    def _lay_out(self, numbers: Sequence[int], kept: tuple[int, ...]) -> Layout:
        """Return how columns of numbers are read, and targets that are numbers behind them."""
        read = self.how.read
        inside = () if self.paired is not None or self.target.is_categories else self.target.columns
        layout = self.table.lay_out(
            read,
            label=self.columns.label_column,
            kept=kept,
            features=(*numbers, *inside),
            missing=read.of_cell,
            hint="--missing skip leaves the row out, zero reads 0",
        )
        # A missing target is not 0.
        return replace(layout, kept_missing=inside) if read.missing == "zero" else layout

    def list_facts(self) -> tuple[str, ...]:
        """Return sentences worth knowing."""
        names = self.columns.named_in_file_order
        texts = [(self.table.names or ())[i] for i in self.columns.text_columns]
        facts = [*self.columns.facts, f"the features: {quote_names([*names, *texts])}"]
        if texts:
            facts.append(f"features by the levels of their text: {quote_names(texts)}")
        if self.paired is not None and not self.paired.labelled:
            path = self.paired.table.path
            facts.append(f"the rows of {path} are matched by position, as a file has no labels")
        return tuple(facts)


def open_examples(
    stack: contextlib.ExitStack,
    inputs: tuple[str, ...],
    fit: FitOptions,
    columns: ColumnOptions,
    how: Settings,
) -> Examples:
    """Open the inputs, and settle what their columns are for."""

    def open_input(path: str, read: ReadOptions) -> Table:
        table = open_table(path, read, checksum=how.run.checksum)
        return stack.enter_context(contextlib.closing(table))

    table = open_input(inputs[0], how.read.of_features)
    sample = table.sample(how.read)
    check_header(sample, (columns.id_col, *columns.target, *columns.drop_cols))
    if len(inputs) == 1:
        found = sort_columns(sample, columns)
        target = settle_targets(sample, found.target_columns, fit)
        return Examples(table, found, target, None, fit, how)
    read = how.read.of_weights
    other = open_input(inputs[1], read)
    found = sort_columns(sample, _share_labels(sample, other, columns))
    asked: list[Targets] = []

    def choose(sample: Side, label: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
        places = tuple(i for i in range(sample.width) if i != label)
        if not places:
            raise MisfitError(sample.path, "there is no column of targets")
        asked.append(settle_targets(sample, places, fit))
        return (places, ()) if asked[0].is_categories else ((), places)

    paired = pair_table(
        other, read, choose,
        label_name=found.label_name, stops=how.rejects.on_error == "fail",
        no_id_col=columns.no_id_col,
    )  # fmt: skip
    return Examples(table, found, asked[0], paired, fit, how)


def _share_labels(sample: Side, other: Table, columns: ColumnOptions) -> ColumnOptions:
    """Take first columns of one name for the labels of both, unless something else is said."""
    names, theirs = sample.names or (), other.names or ()
    # One name in both files is no accident, where nothing else is said.
    if columns.id_col is not None or columns.no_id_col or min(len(names), len(theirs)) < 2:
        return columns
    return replace(columns, id_col=names[0]) if names[0] == theirs[0] else columns


def has_reference(fit: FitOptions, method: Method) -> bool:
    """Say whether a level of each text has the weight 0: the others are differences from it.

    Without an intercept, or with the penalty of ridge, each has a weight of its own.
    """
    return fit.intercept is not False and method != "ridge"


@dataclass(frozen=True)
class CountedLevels(Tally):
    """How often each text of some columns occurs."""

    counts: tuple[LevelCounts, ...] = ()

    def __add__(self, other: CountedLevels, /) -> CountedLevels:
        if not self.counts:
            return other
        for mine, theirs in zip(self.counts, other.counts, strict=True):
            mine.merge(theirs)  # in place: there may be many, and nobody else has them
        return self


@dataclass(frozen=True)
class CountLevels(Work):
    """The work of the first look."""

    path: str
    columns: tuple[str, ...]
    missing_values: tuple[str, ...]
    options: FitOptions

    def zero(self) -> CountedLevels:
        """Return the counts of no rows."""
        return CountedLevels()

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        return len(self.columns), 0

    def apply(self, rows: Rows) -> Counted:
        """Count the texts of some rows."""
        counts = []
        for texts in rows.texts[: len(self.columns)]:
            counts.append(LevelCounts())
            counts[-1].add(texts, self.missing_values)
        return Counted(CountedLevels(tuple(counts)))

    def choose(self, name: str, counts: LevelCounts) -> TextColumn:
        """Return the levels of a column; rare ones are put together where that is asked for."""
        least = self.options.rare or 0
        found = counts.items()
        kept = tuple(sorted(text for text, n in found if n >= least))
        self.check_number(name, len(kept), self.options.max_levels, counts)
        if not found:
            what, hint = "there is no text in any row", f"leave it out: --drop-cols {name}"
            raise InputError(self.path, what, hint, name=name)
        return TextColumn(name, kept, other=len(kept) < len(found))

    def check_number(self, name: str, n_levels: int, most: int, counts: LevelCounts) -> None:
        """Refuse a column of so many texts that they are labels rather than levels."""
        if n_levels > most:
            first = quote_names([text for text, _ in counts.items()[:3]])
            what = f"more than {most:,} levels: {first}, …"
            hint = (
                f"leave it out with --drop-cols {name}, put those of fewer than N rows together"
                f" with --rare N, or allow more with --max-levels"
            )
            raise InputError(self.path, what, hint, name=name)


def _find_levels(
    table: Table, layout: Layout, fit: FitOptions, how: Settings
) -> dict[str, TextColumn]:
    """Read a file once for the levels of its columns of text, by name.

    The layout is that of the columns that are learned from: rows that it refuses are refused here.
    """
    if table.source.size is None:
        what = f"columns of text are read twice, and {table.path} can be read once"
        raise UsageError(what, "write it to a file first, or leave them out with --drop-cols")
    names = tuple(layout.name_of(i) or "" for i in layout.kept_columns)
    work = CountLevels(table.path, names, how.read.missing_values, fit)
    job = Job(layout, work, None, "reject")
    totals = Totals(work.zero(), RejectOptions())
    with contextlib.closing(open_table(table.path, how.read.of_features)) as again:
        parts = [Part(again, job)]
        with (
            open_engine(how.run, parts) as engine,
            contextlib.closing(engine.run_parts(parts)) as results,
        ):
            for _ in totals.count(results):
                for name, counts in zip(names, totals.tally.counts, strict=True):
                    most = fit.max_levels if fit.rare is None else _MOST_COUNTED
                    work.check_number(name, len(counts), most, counts)
    counted = totals.tally.counts or tuple(LevelCounts() for _ in names)
    return {name: work.choose(name, one) for name, one in zip(names, counted, strict=True)}


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
            Fault(row, "a missing target", _MISSING_HINT, column, self.skips)
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
        return Counted(self._reduce(rows, X, places, names))

    @property
    def _n_stored(self) -> int:
        """What is stored of the features; targets that are numbers come after it."""
        return self.n_features if self.design is None else self.design.terms.n_stored

    def _reduce(self, rows: Rows, X: Floats, Y: NDArray[Any], names: tuple[str, ...]) -> Segment:
        """Reduce features, (n_rows, n_features), and targets or places of categories."""
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
    """Learn weights from all rows."""
    method, alpha = settle_method(fit, categories=not work.targets)
    task = Task(names, order, fit, method, alpha, work.path)
    if isinstance(tally, Segment):
        learned = learn_linear(finish(tally), task, categories=not work.targets)
    else:
        found = sort_names(tally.numbers)
        places = np.zeros(len(found), dtype=np.int64)
        places[[tally.numbers[name] for name in found]] = np.arange(len(found))
        passes = count(1)
        examples = logistic.Examples(
            tally.kept,
            places,
            work.n_features,
            None if work.design is None else work.design.expand,
            partial(map_ordered, n_jobs=n_jobs),
            lambda: on_pass(next(passes)),
        )
        learned = learn_logistic(examples, found, task)
    if work.design is None:
        return learned
    return replace(learned, n_redundant=work.design.n_redundant)


def stack_weights(learned: Learned, design: Design | None) -> tuple[tuple[str, ...], Floats]:
    """Return the rows of a weights file, their names and numbers: the intercept comes last."""
    rows, weights = learned.stack(name_intercept(learned.features))
    return (rows, weights) if design is None else design.add_references(rows, weights)
