"""``fit``: weights from rows whose targets are known."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from matscore.command_options import ColumnOptions, FitOptions, Method
from matscore.commands.examples import (
    CountLevels,
    Examples,
    Learn,
    has_reference,
    learn,
    open_examples,
    stack_weights,
)
from matscore.commands.output import open_sink
from matscore.counts import LevelCounts
from matscore.errors import InputError, MisfitError, UsageError
from matscore.names import quote_names
from matscore.numerics.learn import Learned, settle_method
from matscore.options import Format, PathLike, ReadOptions, RejectOptions, RunOptions, check_options
from matscore.plan.learning import FeatureColumns
from matscore.read.rows import parse_sound
from matscore.read.source import SourceFacts
from matscore.run.parts import Part, count_jobs, fit_budget
from matscore.run.run import OneOutput, Progress, Stream, Totals
from matscore.run.work import Settings
from matscore.write.formats import find_weights_format, write_weights
from matscore.write.whole import BinaryFile

if TYPE_CHECKING:
    import pandas as pd

    from matscore.plan.design import Design


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

    The rows are read once, in memory that does not grow with their number; logistic regression,
    which looks at them again and again, keeps what is too much for it in a temporary file. The
    weights have the same bits for any chunk size, number of jobs and engine.

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
        A bad row, or too many of them; a row of the targets has another label; without a penalty
        the features separate the categories, or are combinations of each other.
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
    check_options(read, columns, fit, rejects, run)
    _check_arguments(targets, columns, read)
    inputs = (str(features), *(() if targets is None else (str(targets),)))
    # The rows are reduced as they come, and what is known of them is added up here.
    how = Settings(read, rejects=rejects, run=run, on_progress=on_progress)
    sink = open_sink(output)
    if not isinstance(sink, OneOutput):
        raise UsageError("weights are one file", "name it with --output")
    sink.check(inputs, how)
    # Before a row is read: learning may take an hour.
    form = find_weights_format(output, form)
    with contextlib.ExitStack() as stack:
        data = open_examples(stack, inputs, fit, columns, how)
        if data.method == "logistic" and run.engine == "dask":
            what = "logistic regression is done on this machine"
            raise UsageError(what, "leave out --engine dask, or choose another --method")
        if on_facts is not None:
            on_facts((*data.list_facts(), *_list_switches(data, read, inputs[-1])))
        data = data.find_design()
        job = data.make_job()
        assert isinstance(job.work, Learn)
        held = 0 if job.work.reduces else job.work.kept_bytes
        parts, totals = [Part(data.table, job)], Totals(job.work.zero(), rejects)
        settled = fit_budget(how.run, parts, held_bytes=held)
        how = replace(how, run=settled)
        stream = Stream(inputs, parts, None, how, totals, data.paired)
        facts = tuple(sink.collect(stack, stream))
        if data.paired is not None:
            facts = (*facts, data.paired.table.source.facts())
        learned = learn(
            totals.tally, job.work, *data.features, data.fit, settled.n_jobs or 1,
            stream.report_pass,
        )  # fmt: skip
        if sink.out is not None:
            rows, weights = stack_weights(learned, data.design)
            write_weights(rows, learned.targets, weights, sink.out, form, learned.link)
        warnings = (*filter(None, [data.target.warning]), *learned.warnings)
        n_rows, n_rejected = totals.n_rows, totals.n_rejected
        return FitSummary(data.columns, facts, n_rows, n_rejected, learned, warnings)


def _list_switches(data: Examples, read: ReadOptions, targets: str) -> Iterator[str]:
    if read.is_switched:
        from matscore.read.switches import list_switches

        yield from list_switches(data.table, read, data.columns.feature_columns, targets)


def _check_arguments(targets: PathLike | None, columns: ColumnOptions, read: ReadOptions) -> None:
    if (targets is None) == (not columns.target):
        what = "there is nothing to learn" if targets is None else "the targets are given twice"
        raise UsageError(what, "give a TARGETS file, or --target with a column of FEATURES")
    if read.missing in ("keep", "mean"):
        what = f"nothing can be learned from a missing value with --missing {read.missing}"
        raise UsageError(what, "say --missing skip or zero")
    own = read.weights_headers, read.weights_delimiter, read.weights_decimal
    if targets is None and any(one is not None for one in own):
        raise UsageError("what is said of the targets has no effect", "there is no TARGETS file")


@dataclass(frozen=True)
class FitResult:
    """Weights that were learned, and what can be said of their worth.

    Attributes
    ----------
    weights : DataFrame of shape (n_features, n_targets)
        As `classify` takes them: features in the index, the intercept last. Least squares and
        ridge name the index ``"feature (identity)"``, their link.
    learned : Learned
        The rest: rank, condition, collinear features, R², accuracy, warnings.
    """

    weights: pd.DataFrame
    learned: Learned

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before the weights are used."""
        return self.learned.warnings


def fit(
    features: pd.DataFrame,
    targets: str | pd.Series[Any] | pd.DataFrame,
    *,
    method: Method | None = None,
    alpha: float | None = None,
    intercept: bool | None = None,
    standardize: bool = False,
    categories: bool | None = None,
    terms: Sequence[str] = (),
    max_levels: int = 100,
    rare: int | None = None,
    missing: Literal["error", "skip", "zero"] = "error",
    booleans: bool = False,
) -> FitResult:
    """Learn weights from rows whose targets are known.

    Parameters
    ----------
    features : DataFrame of shape (n_rows, n_features)
        One row an item; the index holds the labels.
    targets : str, Series or DataFrame
        What is learned: a column of the features; or numbers to reproduce, or one column of
        categories, with the features' index.
    method : {"least-squares", "ridge", "logistic"}, optional
        Without it least squares for numbers, logistic regression for categories.
    alpha : float, optional
        Penalty of ridge and logistic regression (``1 / C``); 1 without it.
    intercept : bool, optional
        Whether to fit one; without it, one is fitted unless least squares or ridge have no more
        rows than features.
    standardize : bool
        Whether to learn on standardised features; the weights are for the features as they are.
    categories : bool, optional
        Whether the target holds categories; without it, a column that is no numbers does.
    terms : sequence of str
        Further features, ``"age^2"`` or ``"age:region"`` say.
    max_levels : int
        Levels that a column of text, of categories or of truths may have.
    rare : int, optional
        Levels of fewer rows share a weight, that of ``(other)``.
    missing : {"error", "skip", "zero"}
        What a missing feature means; a missing target is refused, or left out with ``"skip"``.
    booleans : bool
        Read truths and words for them as 1 and 0, as in `classify`; else they are levels.

    Returns
    -------
    FitResult
        The same weights that the command finds.

    Raises
    ------
    MisfitError, UsageError
        Columns do not serve what they are for; arguments contradict each other.
    InputError
        A value is missing or not a number; the targets have another index; without a penalty the
        features separate the categories, or are combinations of each other.

    Examples
    --------
    >>> import pandas as pd
    >>> films = pd.DataFrame({"action": [5, 1], "comedy": [2, 5]})
    >>> fit(films, pd.Series([5.9, 2.1], name="adventure")).weights["adventure"].round(9).to_dict()
    {'action': 1.1, 'comedy': 0.2}
    """
    import pandas as pd

    from matscore.commands import frames

    options = FitOptions(
        method, alpha, intercept, standardize, categories, tuple(terms), max_levels, rare
    )
    options.check()
    if missing not in ("error", "skip", "zero"):
        raise UsageError(f"missing cannot be {missing!r}", "say one of error, skip, zero")
    table, features = frames.pick_targets(features, targets)
    is_categories = _are_categories(table, options)
    chosen, _ = settle_method(options, categories=is_categories)
    design = _design_frame(features, options, chosen, booleans=booleans)
    if design is None:
        names, order = _sort_names(features)
        # Learned in canonical order, so that no order of columns changes a bit.
        told: Sequence[int] = sorted(range(len(order)), key=order.__getitem__)
        typed = frames.Typed(features, order)
    else:
        names, told, options = design.learned, design.order, design.settle(options)
        typed = frames.Typed.of_design(features, design)
    hint = 'missing="zero" or "skip" takes the row'
    typed = replace(typed, missing_hint=hint, booleans=booleans)
    if missing == "error":
        # What the features lack is told before what the targets lack.
        for chunk in typed.iter_chunks():
            parse_sound(typed.make_layout("error"), chunk)
    # A target is never 0 for want of a number: it would be learned as if it were true.
    if missing != "skip" and (gone := table.isna().any(axis=1).to_numpy()).any():
        hint = 'missing="skip" leaves such rows out'
        raise InputError("targets", "a missing target", hint, line=int(gone.argmax()) + 1)
    if is_categories:
        typed = replace(typed, texts=[frames.take_texts(table.iloc[:, 0])])
    else:
        typed = replace(
            typed, numbers=[frames.take_numbers(table, i) for i in range(table.shape[1])]
        )
    work = Learn(
        "features",
        len(names),
        () if is_categories else tuple(map(str, table.columns)),
        (),
        chosen != "logistic",
        (),
        # What is missing and not skipped has been refused above.
        skips=True,
        design=design,
    )
    tally = frames.run_typed(work, typed, missing)
    learned = learn(tally, work, names, told, options, count_jobs())
    rows, weights = stack_weights(learned, design)
    heading = None if learned.link is None else f"feature ({learned.link})"
    index = pd.Index(list(rows), name=heading)
    return FitResult(pd.DataFrame(weights, index=index, columns=list(learned.targets)), learned)


def _are_categories(table: pd.DataFrame, options: FitOptions) -> bool:
    """Say whether targets are categories, which a column that is no numbers is."""
    from matscore.commands import frames

    found = options.categories
    if found is None:
        found = not all(frames.is_numeric(column) for _, column in table.items())
    found = found or options.method == "logistic"
    if found and table.shape[1] != 1:
        what = f"several columns of categories: {quote_names(list(map(str, table.columns)))}"
        raise MisfitError("targets", what, "learn them one by one")
    return found


def _sort_names(features: pd.DataFrame) -> tuple[tuple[str, ...], list[int]]:
    """Return the features in canonical order: their names and their places."""
    from matscore.commands import frames

    n_features, names = features.shape[1], list(map(str, features.columns))
    if not n_features:
        raise MisfitError("features", "there are no features", "give it one column a feature")
    if frames.is_numbered(features.columns):
        return tuple(f"x{i}" for i in range(1, n_features + 1)), list(range(n_features))
    if twice := sorted({name for name in names if names.count(name) > 1}):
        what = f"a feature is there more than once: {quote_names(twice)}"
        raise MisfitError("features", what, "rename one or take it out")
    order = sorted(range(n_features), key=names.__getitem__)
    return tuple(names[i] for i in order), order


def _design_frame(
    features: pd.DataFrame, options: FitOptions, method: Method, *, booleans: bool
) -> Design | None:
    """Return how features are computed; None where all are columns of numbers."""
    from matscore.commands import frames

    columns = {
        str(name): column
        for name, column in features.items()
        if not (frames.is_numeric(column) or (booleans and frames.is_boolean(column)))
    }
    if not columns and not options.terms:
        return None
    from matscore.plan.design import make_design

    _sort_names(features)  # which refuses two of one name
    if frames.is_numbered(features.columns):
        raise MisfitError("features", "computed features need columns with names", "name them")
    work, levels = CountLevels("features", tuple(columns), (), options), {}
    for name, column in columns.items():
        counts = LevelCounts()
        counts.add(frames.take_texts(column), ())
        levels[name] = work.choose(name, counts)
    reference = has_reference(options, method)
    names = list(map(str, features.columns))
    return make_design("features", names, levels, options.terms, has_reference=reference)
