"""``fit``: weights from rows whose targets are known."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from matscore.commands.fit_rows import Learn, learn
from matscore.errors import MisfitError, UsageError
from matscore.fields import Options
from matscore.names import quote_names
from matscore.numerics.learn import Learned, settle_method
from matscore.options import (
    ColumnOptions,
    FitOptions,
    Format,
    Method,
    PathLike,
    ReadOptions,
    RejectOptions,
    RunOptions,
    check_options,
)
from matscore.plan.learning import (
    FeatureColumns,
    Sample,
    check_header,
    name_columns,
    name_intercept,
    sort_columns,
)
from matscore.read.rows import Layout
from matscore.read.source import SourceFacts
from matscore.read.table import Table, open_table
from matscore.run.budget import fit_budget
from matscore.run.job import Job, run_pair
from matscore.run.local import count_jobs, map_ordered
from matscore.run.paired import Companion, make_companion
from matscore.run.prepare import chunk_bytes_of
from matscore.run.summary import Progress, Totals, report_progress
from matscore.write.formats import (
    FORMATS,
    deliver_rejects,
    deliver_results,
    format_of,
    write_weights,
)
from matscore.write.whole import BinaryFile, check_paths, enter_output


@dataclass(frozen=True)
class FitSummary:
    """What a run of ``fit`` did.

    Attributes
    ----------
    columns : FeatureColumns
        What the columns of the features were taken for.
    inputs : tuple of SourceFacts
        The features, then the targets where they have a file of their own.
    n_rows, n_rejected : int
        Rows learned from; rows set aside.
    learned : Learned
        The weights, and their worth.
    warnings : tuple of str
        What a person should know before they are used.
    """

    NAMES: ClassVar = ("fit",)

    columns: FeatureColumns
    inputs: tuple[SourceFacts, ...]
    n_rows: int
    n_rejected: int
    learned: Learned
    warnings: tuple[str, ...]

    def facts(self) -> dict[str, object]:
        """Return what was learned, but the weights, by its name in the report."""
        return {"fit": self.learned.describe()}

    @property
    def shapes(self) -> dict[str, Any]:
        """The three matrices, as they would be multiplied."""
        n_features, n_targets = self.learned.weights.shape
        return {
            "features": [self.n_rows + self.n_rejected, n_features],
            "weights": [n_features, n_targets],
            "scores": [self.n_rows, n_targets],
        }

    @property
    def tally(self) -> FitSummary:
        """Itself: it has the counts."""
        return self


@dataclass(frozen=True)
class _Targets:
    """What is learned: numbers, or a column of categories."""

    names: tuple[str, ...]
    columns: tuple[int, ...]
    is_categories: bool
    warning: str = ""


def fit_file(
    features: PathLike,
    targets: PathLike | None = None,
    output: PathLike | BinaryFile | None = None,
    *,
    fit: FitOptions = FitOptions(),
    columns: ColumnOptions = ColumnOptions(),
    form: Format | None = None,
    read: ReadOptions = ReadOptions(),
    rejects: RejectOptions = RejectOptions(),
    run: RunOptions = RunOptions(),
    on_facts: Callable[[tuple[str, ...]], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> FitSummary:
    """Learn weights from rows whose targets are known.

    Least squares and ridge read the rows once, in memory that does not grow with their number, and
    give the same bits for any chunk size and number of jobs; logistic regression holds all rows.

    Parameters
    ----------
    features : str or Path
        File with one row an item and one column a feature.
    targets : str, Path or None
        File with the same rows: numeric columns to reproduce, or one column of categories. Where
        both files have labels, they must be the same in the same order.
    output : str, Path, binary file or None
        Where the weights go, with a header and full precision: a path is written whole or not at
        all; None only learns.
    fit : FitOptions
        How they are learned.
    columns : ColumnOptions
        Which columns of the features are what.
    form : str or None
        ``csv``, ``tsv``, ``parquet`` or ``arrow``; None takes it from the output's ending, or CSV.
    read : ReadOptions
        How inputs are read; a missing value cannot be kept, and a missing target is never 0.
    rejects, run, on_progress
        As in `matscore.classify_file`.
    on_facts : callable, optional
        Called with sentences worth knowing, before the first row is read.

    Returns
    -------
    FitSummary
        Whose `learned` has the weights.

    Raises
    ------
    MisfitError
        Columns do not serve what they are for.
    InputError
        A bad row, or too many of them; a row of the targets has another label.
    MissingExtraError
        Logistic regression needs scikit-learn.
    FileError, OutputError, UsageError
        A file cannot be read or written; arguments contradict each other.

    Examples
    --------
    >>> target = ColumnOptions(target=("petal_width",), drop_cols=("species",))
    >>> learned = fit_file("sample_data/iris.csv", columns=target).learned
    >>> learned.features, learned.targets
    (('sepal_length', 'sepal_width', 'petal_length'), ('petal_width',))
    >>> round(float(learned.r2[0]), 4)
    0.9379
    """
    _check_arguments(targets, columns, read, fit, rejects, run)
    inputs = [str(features), *([] if targets is None else [str(targets)])]
    check_paths(inputs, output, rejects)
    form = _find_format(output, form)
    with contextlib.ExitStack() as stack:
        table = open_table(inputs[0], read, checksum=run.checksum)
        stack.callback(table.close)
        sample = table.sample(read)
        check_header(sample, (columns.id_col, *columns.target, *columns.drop_cols))
        other: Table | None = None
        if targets is not None:
            other = open_table(inputs[1], read, checksum=run.checksum)
            stack.callback(other.close)
            columns = _share_labels(sample, other, columns)
        sorted_ = sort_columns(sample, columns)
        asked: list[_Targets] = []
        beside: Companion | None = None
        if other is None:
            asked.append(_settle_targets(sample, sorted_.target_columns, fit))
        else:
            beside = make_companion(
                other,
                read,
                label_name=sorted_.label_name,
                choose=partial(_choose_targets, fit, asked),
                stops=rejects.on_error == "fail",
                no_id_col=columns.no_id_col,
            )
        target = asked[0]
        method, alpha = settle_method(fit, categories=target.is_categories)
        if on_facts is not None:
            on_facts(_list_facts(sorted_, beside))
        out = enter_output(stack, output, inputs)
        aside = enter_output(stack, rejects.path, inputs)
        work = _make_work(inputs[0], sorted_, target, method, read, inside=targets is None)
        layout = _make_layout(table, sorted_, target, read, inside=targets is None)
        job = Job(layout, work, None, rejects.on_error)
        run = fit_budget(run, [table], [job])
        chunks = table.iter_chunks(layout, chunk_bytes=chunk_bytes_of(table, run))
        pairs: Iterator[tuple[Job, Any]] = ((job, chunk) for chunk in chunks)
        if beside is not None:
            pairs = beside.attach(pairs)
        totals = Totals(work.zero(), rejects)
        results = map_ordered(run_pair, pairs, run.n_jobs or count_jobs())
        with contextlib.closing(results):
            report = partial(report_progress, [table], on_progress)
            counted = totals.count(results, report)
            deliver_results(deliver_rejects(counted, aside), None, None)
        names, order = sorted_.feature_names, sorted_.file_order
        learned = learn(
            totals.tally,
            names,
            order,
            method,
            alpha,
            fit,
            inputs[0],
            categories=target.is_categories,
        )
        if out is not None:
            rows, weights = learned.stack(name_intercept(names))
            write_weights(rows, learned.targets, weights, out, form)
        tables = [table, *([] if other is None else [other])]
        facts = tuple(one.source.facts() for one in tables)
        warnings = (*([target.warning] if target.warning else []), *learned.warnings)
        return FitSummary(sorted_, facts, totals.n_rows, totals.n_rejected, learned, warnings)


def _check_arguments(
    targets: PathLike | None, columns: ColumnOptions, read: ReadOptions, *others: Options
) -> None:
    check_options(read, columns, *others)
    if (targets is None) == (not columns.target):
        what = "there is nothing to learn" if targets is None else "the targets are given twice"
        raise UsageError(what, "give a TARGETS file, or --target with a column of FEATURES")
    if read.missing == "keep":
        hint = "say --missing skip or zero"
        raise UsageError("nothing can be learned from a missing value that is kept", hint)


def _share_labels(sample: Sample, other: Table, columns: ColumnOptions) -> ColumnOptions:
    """Take first columns of one name for the labels of both, unless something else is said."""
    names, theirs = sample.names or (), other.names or ()
    if columns.id_col is not None or columns.no_id_col or min(len(names), len(theirs)) < 2:
        return columns
    return replace(columns, id_col=names[0]) if names[0] == theirs[0] else columns


def _find_format(output: PathLike | BinaryFile | None, asked: Format | None) -> Format:
    form = asked or format_of(output) or "csv"
    names = [name for name, known in FORMATS.items() if known.is_read]
    if form not in names:
        raise UsageError(f"weights are not written as {form}", f"say one of {', '.join(names)}")
    FORMATS[form].require()
    return form


def _choose_targets(
    fit: FitOptions, asked: list[_Targets], sample: Sample, label: int | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Settle what a table of targets holds; return its columns of text and of numbers."""
    columns = tuple(i for i in range(sample.width) if i != label)
    if not columns:
        raise MisfitError(sample.path, "there is no column of targets")
    target = _settle_targets(sample, columns, fit)
    asked.append(target)
    return (columns, ()) if target.is_categories else ((), columns)


def _settle_targets(sample: Sample, columns: tuple[int, ...], fit: FitOptions) -> _Targets:
    """Tell numbers from categories.

    Raises
    ------
    MisfitError
        They cannot be told, or there are several columns of categories.
    """
    names = name_columns(sample, columns, "y")
    kinds = {sample.kinds[i] for i in columns}
    categories = fit.categories
    if fit.method == "logistic":
        categories = True
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
        warning = f"{quote_names(names)} is learned as a number; say --categories if it is a code"
    return _Targets(names, columns, bool(categories), warning)


def _list_facts(columns: FeatureColumns, beside: Companion | None) -> tuple[str, ...]:
    facts = [*columns.facts, f"the features: {quote_names(columns.named_in_file_order)}"]
    if beside is not None and not beside.labelled:
        path = beside.table.path
        facts.append(f"the rows of {path} are matched by position, as a file has no labels")
    return tuple(facts)


def _make_work(
    path: str,
    columns: FeatureColumns,
    target: _Targets,
    method: Method,
    read: ReadOptions,
    *,
    inside: bool,
) -> Learn:
    return Learn(
        path,
        len(columns.feature_columns),
        () if target.is_categories else target.names,
        target.columns if inside else (),
        method != "logistic",
        read.missing_values,
        read.missing == "skip",
        read.missing == "zero",
    )


def _make_layout(
    table: Table, columns: FeatureColumns, target: _Targets, read: ReadOptions, *, inside: bool
) -> Layout:
    numbers = target.columns if inside and not target.is_categories else ()
    return Layout(
        table.names,
        table.width,
        columns.label_column,
        target.columns if inside and target.is_categories else (),
        (*columns.feature_columns, *numbers),
        table.delimiter,
        read.decimal,
        "keep" if read.missing == "zero" else read.missing,  # a missing target is not 0
        read.missing_values,
        "--missing skip leaves the row out, zero reads 0",
    )
