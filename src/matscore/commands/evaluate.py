"""``evaluate``: how good a model is on rows whose truth is known."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matscore.commands.classify import find_overflow
from matscore.commands.output import open_sink
from matscore.errors import MisfitError, UsageError
from matscore.frame import find_places
from matscore.kernel import Texts
from matscore.model import Model, Scored, score_rows
from matscore.names import find_close, quote_name, quote_names, suggest
from matscore.numerics.metrics import Counts, Metrics, count_rows, no_counts
from matscore.options import (
    Format,
    MissingPolicy,
    PathLike,
    PlanOptions,
    ReadOptions,
    RejectOptions,
    RunOptions,
    ScoreOptions,
    UnknownPolicy,
    check_options,
)
from matscore.plan import Plan, Side, require_fit
from matscore.plan.learning import find_name
from matscore.read.rows import Rows
from matscore.read.table import open_table
from matscore.run.paired import PairedRows, PairedTable, pair_table
from matscore.run.run import Progress, Summary
from matscore.run.run import run as run_command
from matscore.run.work import Command, Fault, Outcome, Settings, Tally, Work
from matscore.write.formats import OutputSpec

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class EvaluateCommand(Command):
    """Predictions against the truth; no rows are written."""

    truth: str | None = None  # its column, of the features or of the truth file
    truth_file: str | None = None

    @property
    def others(self) -> tuple[str, ...]:
        """The truth file."""
        return () if self.truth_file is None else (self.truth_file,)

    def make_output(self, plan: Plan, form: Format) -> OutputSpec | None:
        """Refuse a model that predicts nothing."""
        del form
        if len(plan.categories) < 2:
            what = "there is a single category, so nothing is predicted"
            raise MisfitError(plan.weights.path, what, "give it one column a category")
        return None

    def make_work(self, plan: Plan, model: Model) -> Evaluate:
        """Return what compares predictions with the truth."""
        read, inside = self.how.read, plan.options.truth is not None
        skips, column = read.missing == "skip", plan.kept_columns[0] if inside else None
        return Evaluate(model, plan.weights.path, read.missing_values, skips, column)

    def open_paired(self, stack: contextlib.ExitStack, plan: Plan) -> PairedTable | None:
        """Open the truth file."""
        if self.truth_file is None:
            return None
        read = self.how.read
        table = open_table(self.truth_file, read, checksum=self.how.run.checksum)
        stack.callback(table.close)
        return pair_table(
            table,
            read,
            partial(_choose_truth, self.truth),
            label_name=None if plan.label_column is None else plan.label_name,
            stops=self.how.rejects.on_error == "fail",
            no_id_col=self.how.align.no_id_col,
            named=self.truth,
        )


def _choose_truth(
    truth: str | None, sample: Side, label: int | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the column of a truth file that has the truth: the only one, unless it is named."""
    if truth is not None:
        return (find_name(sample, truth, "--truth"),), ()
    columns = [i for i in range(sample.width) if i != label]
    # A guess would give measures that look right and mean nothing.
    if len(columns) != 1:
        names = quote_names([sample.name_of(i) for i in columns])
        what = f"which column is the truth? {names}"
        raise MisfitError(sample.path, what, "name it with --truth")
    return (columns[0],), ()


def evaluate_file(
    features: PathLike | Sequence[PathLike],
    weights: PathLike,
    *,
    truth: str | None = None,
    truth_file: PathLike | None = None,
    read: ReadOptions = ReadOptions(),
    align: PlanOptions = PlanOptions(),
    rejects: RejectOptions = RejectOptions(),
    run: RunOptions = RunOptions(),
    on_plan: Callable[[tuple[Plan, ...]], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary[EvaluateTally]:
    """Measure the predictions of a model against the truth.

    Parameters
    ----------
    features : str, Path or a sequence of them
        Files with one row an item, taken in that order as one table.
    weights : str or Path
        File with one row a feature and one column a category.
    truth : str, optional
        Column with each row's category: of the features, or of the truth file.
    truth_file : str or Path, optional
        A file that has it, with the same rows in the same order; where both have labels, they are
        compared.
    read, align, rejects, run, on_plan, on_progress
        As in `matscore.classify_file`.

    Returns
    -------
    Summary
        Whose `tally.metrics` has the measures.

    Raises
    ------
    PlanError, MisfitError
        Shapes or names do not line up; there is but one category.
    InputError
        A bad row, or too many of them: a truth that is missing or no category of the weights makes
        one; a row of the truth file has another label.
    FileError, OutputError, UsageError
        A file cannot be read or written; arguments contradict each other.

    Examples
    --------
    >>> files = "sample_data/iris.csv", "sample_data/iris_weights.csv"
    >>> metrics = evaluate_file(*files, truth="species").tally.metrics
    >>> round(metrics.accuracy, 4), metrics.confusion[1].tolist()
    (0.9733, [0, 47, 3])
    """
    check_options(read, align, rejects, run)
    if truth is None and truth_file is None:
        raise UsageError("the truth is not given", "name its column with --truth")
    # With a truth file, the name is that of one of its columns.
    inside = truth if truth_file is None else None
    how = Settings(read, replace(align, truth=inside), rejects, run, on_plan, on_progress)
    command = EvaluateCommand(how, truth, None if truth_file is None else str(truth_file))
    return run_command(command, features, weights, open_sink(None))


def evaluate(
    features: pd.DataFrame,
    weights: pd.DataFrame,
    truth: str | pd.Series[Any],
    *,
    missing: MissingPolicy = "error",
    unknown: UnknownPolicy = "error",
    transpose: bool = False,
    auto_transpose: bool = False,
    strict: bool = False,
    intercept: str | None = None,
    no_intercept: bool = False,
) -> Evaluation:
    """Measure the predictions of a model against the truth.

    Parameters
    ----------
    features, weights, missing, unknown, transpose, auto_transpose, strict, intercept, no_intercept
        As in `classify`.
    truth : str or Series
        The category of each row: a column of the features, or a Series with their index.

    Returns
    -------
    Evaluation
        The measures.

    Raises
    ------
    PlanError, MisfitError
        Shapes or names do not line up; there is but one category.
    InputError
        As in `classify`; a truth is missing or no category of the weights; it has another index.
    UsageError
        As in `classify`.

    Examples
    --------
    >>> import pandas as pd
    >>> films = pd.DataFrame({"action": [5, 1], "comedy": [2, 5]})
    >>> genres = pd.DataFrame({"adventure": [1.1, 0.2], "romance": [0.1, 1.2]},
    ...                       index=["action", "comedy"])
    >>> evaluate(films, genres, pd.Series(["adventure", "adventure"])).accuracy
    0.5
    """
    from matscore.commands.frames import (
        Typed,
        check_missing,
        pick_column,
        plan_frames,
        read_model,
        run_typed,
        take_texts,
    )

    check_missing(missing)
    check_missing(unknown, "unknown")
    column, features = pick_column(features, truth, "truth")
    align = PlanOptions(
        transpose=transpose,
        auto_transpose=auto_transpose,
        strict=strict,
        intercept=intercept,
        no_intercept=no_intercept,
    )
    plan = require_fit(plan_frames(features, weights, align))
    command = EvaluateCommand(Settings(ReadOptions(missing=missing)))
    # Nothing is written, but a model that predicts nothing is refused there.
    command.make_output(plan, "csv")
    work = command.make_work(plan, read_model(plan, weights))
    typed = Typed.of_plan(features, plan, unknown, texts=[take_texts(column)])
    tally: EvaluateTally = run_typed(work, typed, missing)
    return Evaluation(tally.metrics)


@dataclass(frozen=True)
class Evaluation:
    """Measures of a model on rows whose truth is known.

    Attributes
    ----------
    metrics : Metrics
        The measures as arrays; those below are made from it.
    """

    metrics: Metrics

    @property
    def accuracy(self) -> float:
        """Share of rows that are predicted rightly."""
        return self.metrics.accuracy

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the categories that have rows."""
        return self.metrics.balanced_accuracy

    @property
    def log_loss(self) -> float:
        """Mean of ``-log(probability of the truth)``."""
        return self.metrics.log_loss

    @cached_property
    def categories(self) -> pd.DataFrame:
        """Support, predicted, precision, recall and F1 a category."""
        import pandas as pd

        metrics = self.metrics
        columns = {
            "support": metrics.support,
            "predicted": metrics.predicted,
            "precision": metrics.precision,
            "recall": metrics.recall,
            "f1": metrics.f1,
        }
        return pd.DataFrame(columns, index=pd.Index(metrics.categories, name="category"))

    @cached_property
    def confusion(self) -> pd.DataFrame:
        """Rows by their truth, down, and their prediction, across."""
        import pandas as pd

        names = self.metrics.categories
        truth, predicted = pd.Index(names, name="truth"), pd.Index(names, name="predicted")
        return pd.DataFrame(self.metrics.confusion, index=truth, columns=predicted)

    @cached_property
    def top_k_accuracy(self) -> pd.Series[float]:
        """Share of rows whose truth is among the k highest scores, by k."""
        import pandas as pd

        values = self.metrics.top_k_accuracy
        return pd.Series(values, index=pd.RangeIndex(1, len(values) + 1, name="k"))

    @cached_property
    def calibration(self) -> pd.DataFrame:
        """By tenths of the confidence: rows, mean confidence, accuracy."""
        import pandas as pd

        starts = pd.Index([i / 10 for i in range(10)], name="from")
        names = ["rows", "confidence", "accuracy"]
        return pd.DataFrame(self.metrics.calibration, index=starts, columns=names)


@dataclass(frozen=True)
class EvaluateTally(Tally):
    """What is counted of evaluated rows.

    Attributes
    ----------
    counts : Counts
        Whole numbers, which add up exactly.
    n_ties : int
        Rows whose best score is a tie.
    """

    NAMES = ("rows_tied", "rows_without_prediction", "rows_a_category", "evaluation")

    counts: Counts
    n_ties: int = 0

    @property
    def metrics(self) -> Metrics:
        """The measures made from the counts."""
        return Metrics(self.counts)

    def list_facts(self) -> tuple[Any, ...]:
        """Return the values that `NAMES` name."""
        metrics = self.metrics
        won = dict(zip(metrics.categories, metrics.predicted.tolist(), strict=True))
        return self.n_ties, metrics.n_unpredicted, won, metrics.facts()


@dataclass(frozen=True)
class Evaluate(Work):
    """The work of ``evaluate``."""

    model: Model
    weights_path: str  # for messages
    missing_values: tuple[str, ...]  # truths that count as missing, unless they are categories
    skips: bool = False  # whether a row without a truth is set aside by request
    truth_column: int | None = None  # of the features file; None where it is in a second table
    beside: PairedRows | None = None  # the records of that table

    def zero(self) -> EvaluateTally:
        """Return the counts of no rows."""
        return EvaluateTally(no_counts(self.model.categories))

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        # Probabilities, losses and ranks; and truth, prediction, confidence and their like.
        return 6 * len(self.model.categories) + 16, 0

    def apply(self, rows: Rows) -> EvaluatedRows:
        """Score rows and compare the predictions with the truth."""
        texts, faults = self._read_truth(rows)
        truth, strange = self._find_categories(texts, {fault.row for fault in faults})
        scored = score_rows(self.model, rows.features, rows.n_rows, ScoreOptions())
        # One fault a row: an overflow is told before a truth that is wrong.
        found = {fault.row: fault for fault in faults} | {fault.row: fault for fault in strange}
        found |= {fault.row: fault for fault in find_overflow(scored)}
        return EvaluatedRows(self.model, truth, scored, list(found.values()))

    def _read_truth(self, rows: Rows) -> tuple[Texts, list[Fault]]:
        if self.beside is None:
            return rows.texts[0], []
        frame = self.beside.of(rows)
        return self.beside.texts_of(frame), self.beside.find_faults(frame)

    def _find_categories(
        self, texts: Texts, known: set[int]
    ) -> tuple[NDArray[np.int64], list[Fault]]:
        """Return the index of each truth, and the rows whose truth is no category."""
        truth = find_places(texts, self.model.categories)
        rows = [row for row in np.flatnonzero(truth < 0).tolist() if row not in known]
        # Each wrong word is looked at once: finding what is near takes long.
        whats = {text: self._explain(text) for text in {texts[row] for row in rows}}
        found = [self._fault(row, *whats[texts[row]]) for row in rows]
        # These rows are refused and the work done anew, so any category will do.
        return np.maximum(truth, 0), found

    def _explain(self, text: str) -> tuple[str, str, bool]:
        if text == "" or text in self.missing_values:
            return "the truth is missing", "--missing skip leaves such rows out", self.skips
        (found,) = find_close([text], self.model.categories)
        hint = suggest([replace(found, close=found.close[:1])]) or "the model cannot know it"
        return f"{quote_name(text)} is no category of {self.weights_path}", hint, False

    def _fault(self, row: int, what: str, hint: str, skipped: bool) -> Fault:
        if self.beside is not None:
            what = f"{self.beside.path}: {what}"
        return Fault(row, what, hint, self.truth_column, skipped)


@dataclass(frozen=True)
class EvaluatedRows(Outcome):
    """The outcome of ``evaluate``."""

    model: Model
    truth: NDArray[np.int64]  # (n_rows,): index of each row's
    scored: Scored
    faults: list[Fault]

    def tally(self) -> EvaluateTally:
        """Count the rows."""
        decision = self.scored.decision
        counts = count_rows(self.model, self.scored.scores, decision.best, self.truth)
        return EvaluateTally(counts, int(decision.tied.sum()))
