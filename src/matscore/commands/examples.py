"""The examples of ``fit``: what each column is for, and the levels of columns of text.

Columns of text are looked at twice: once for their levels, then as features.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from matscore.command_options import ColumnOptions, FitOptions, Method
from matscore.commands.learn import Learn, Targets, settle_targets
from matscore.counts import LevelCounts
from matscore.errors import InputError, MisfitError, UsageError
from matscore.names import quote_names
from matscore.options import ReadOptions, RejectOptions
from matscore.plan import Side
from matscore.plan.design import Design, find_weighed, make_design
from matscore.plan.learning import FeatureColumns, check_header, sort_columns
from matscore.plan.terms import TextColumn
from matscore.read.rows import Layout, Rows
from matscore.read.table import Table, open_table
from matscore.run.paired import PairedTable, pair_table
from matscore.run.parts import Part, open_engine
from matscore.run.run import Totals
from matscore.run.work import Job, Outcome, Settings, Tally, Work

_MOST_COUNTED = 10**6  # texts of a column, of which few are levels where rare ones share a weight


@dataclass(frozen=True)
class Examples:
    """The inputs, open: what each column is for."""

    table: Table
    columns: FeatureColumns
    target: Targets
    paired: PairedTable | None  # the targets, where they have a table of their own
    design: Design | None = None  # how features are computed, where some are no columns

    def make_job(self, method: Method, how: Settings) -> Job:
        """Return what to do with the rows."""
        read, target, columns, design = how.read, self.target, self.columns, self.design
        inside = target.columns if self.paired is None else ()
        work = Learn(
            self.table.path,
            len(columns.feature_columns if design is None else design.fitted),
            () if target.is_categories else target.names,
            inside,
            method != "logistic",
            read.missing_values,
            read.missing == "skip",
            design,
        )
        if how.run.memory_bytes is not None:
            work = replace(work, kept_bytes=how.run.memory_bytes // 4)
        kept = inside if target.is_categories else ()
        if design is None:
            layout = self.lay_out(read, columns.feature_columns, kept)
        else:
            names = list(self.table.names or ())
            numbers = [names.index(name) for name in design.terms.numbers]
            layout = self.lay_out(read, numbers, kept)
            weighed = (numbers[i] for i in design.terms.kept)
            layout = replace(
                layout,
                level_columns=tuple(names.index(column.name) for column in design.terms.texts),
                terms=design.terms,
                kept_missing=(*layout.kept_missing, *weighed),
            )
        return Job(layout, work, None, how.rejects.on_error)

    def lay_out(self, read: ReadOptions, numbers: Sequence[int], kept: tuple[int, ...]) -> Layout:
        """Return how columns of numbers are read, and targets that are numbers behind them."""
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

    def find_design(self, fit: FitOptions, method: Method, how: Settings) -> Examples:
        """Return the same with the features that are computed, if there are some."""
        columns, names = self.columns, self.table.names or ()
        if not columns.text_columns and not fit.terms:
            return self
        texts = {}
        if columns.text_columns:
            layout = self.lay_out(how.read, columns.feature_columns, columns.text_columns)
            # A row that is learned from, whatever is missing in it, has levels to be found.
            weighed = find_weighed(fit.terms, names)
            kept = (i for i in columns.feature_columns if names[i] in weighed)
            layout = replace(layout, kept_missing=(*layout.kept_missing, *kept))
            texts = find_levels(self.table, layout, fit, how)
        design = make_design(
            self.table.path,
            [names[i] for i in sorted((*columns.feature_columns, *columns.text_columns))],
            texts,
            fit.terms,
            has_reference=has_reference(fit, method),
        )
        return replace(self, design=design)


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
        stack.callback(table.close)
        return table

    table = open_input(inputs[0], how.read.of_features)
    sample = table.sample(how.read)
    check_header(sample, (columns.id_col, *columns.target, *columns.drop_cols))
    if len(inputs) == 1:
        found = sort_columns(sample, columns)
        return Examples(table, found, settle_targets(sample, found.target_columns, fit), None)
    read = how.read.of_weights
    other = open_input(inputs[1], read)
    found = sort_columns(sample, _share_labels(sample, other, columns))
    asked: list[Targets] = []
    paired = pair_table(
        other,
        read,
        partial(_choose_targets, fit, asked),
        label_name=found.label_name,
        stops=how.rejects.on_error == "fail",
        no_id_col=columns.no_id_col,
    )
    return Examples(table, found, asked[0], paired)


def _share_labels(sample: Side, other: Table, columns: ColumnOptions) -> ColumnOptions:
    """Take first columns of one name for the labels of both, unless something else is said."""
    names, theirs = sample.names or (), other.names or ()
    # One name in both files is no accident, where nothing else is said.
    if columns.id_col is not None or columns.no_id_col or min(len(names), len(theirs)) < 2:
        return columns
    return replace(columns, id_col=names[0]) if names[0] == theirs[0] else columns


def _choose_targets(
    fit: FitOptions, asked: list[Targets], sample: Side, label: int | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Settle what a table of targets holds; return its columns of text and of numbers."""
    columns = tuple(i for i in range(sample.width) if i != label)
    if not columns:
        raise MisfitError(sample.path, "there is no column of targets")
    target = settle_targets(sample, columns, fit)
    asked.append(target)
    return (columns, ()) if target.is_categories else ((), columns)


def has_reference(fit: FitOptions, method: Method) -> bool:
    """Say whether a level of each text has the weight 0: the others are differences from it.

    Without an intercept, or with the penalty of ridge, each has a weight of its own.
    """
    return fit.intercept is not False and method != "ridge"


def list_facts(data: Examples) -> tuple[str, ...]:
    """Return sentences worth knowing."""
    names = data.columns.named_in_file_order
    texts = [(data.table.names or ())[i] for i in data.columns.text_columns]
    facts = [*data.columns.facts, f"the features: {quote_names([*names, *texts])}"]
    if texts:
        facts.append(f"features by the levels of their text: {quote_names(texts)}")
    if data.paired is not None and not data.paired.labelled:
        path = data.paired.table.path
        facts.append(f"the rows of {path} are matched by position, as a file has no labels")
    return tuple(facts)


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

    def apply(self, rows: Rows) -> FoundLevels:
        """Count the texts of some rows."""
        counts = []
        for texts in rows.texts[: len(self.columns)]:
            counts.append(LevelCounts())
            counts[-1].add(texts, self.missing_values)
        return FoundLevels(CountedLevels(tuple(counts)))

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


@dataclass(frozen=True)
class FoundLevels(Outcome):
    """The outcome of the first look at some rows."""

    found: CountedLevels
    faults: Sequence[None] = field(default=(), init=False)  # type: ignore[assignment]

    def tally(self) -> CountedLevels:
        """Return the counts."""
        return self.found


def find_levels(
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
