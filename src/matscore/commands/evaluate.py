"""``evaluate``: how good a model is on rows whose truth is known."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Unpack, get_args

from matscore.commands import FileKeywords, FrameKeywords, options_of, settings_of, show
from matscore.commands.output import open_sink
from matscore.commands.truths import Evaluate, EvaluateTally
from matscore.errors import MisfitError, UsageError
from matscore.model import Model
from matscore.names import quote_name, quote_names
from matscore.numerics.binary import Against
from matscore.numerics.metrics import Metrics
from matscore.options import Best, PathLike, ScoreOptions
from matscore.plan import Plan, Side, require_fit
from matscore.plan.learning import find_name
from matscore.run.paired import PairedTable, open_pair
from matscore.run.run import Summary
from matscore.run.run import run as run_command
from matscore.run.work import Command, Settings
from matscore.spelling import suggest_name

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class EvaluateCommand(Command):
    """Predictions against the truth; no rows are written."""

    truth: str | None = None  # its column, of the features or of the truth file
    truth_file: str | None = None
    score: ScoreOptions = ScoreOptions()  # its threshold, and whether that is a probability
    positive: str | None = None
    best: Best | None = None
    one_vs_rest: bool = False

    @property
    def others(self) -> tuple[str, ...]:
        """The truth file."""
        return () if self.truth_file is None else (self.truth_file,)

    def check_options(self) -> None:
        """Refuse ways to compare categories with the rest that contradict each other."""
        self.score.check()
        if self.best not in (None, *get_args(Best)):
            hint = f"say one of {', '.join(get_args(Best))}"
            raise UsageError(f"best cannot be {self.best!r}", hint)
        if self.positive is not None and self.one_vs_rest:
            what = "--positive and --one-vs-rest contradict each other"
            raise UsageError(what, "the second compares every category with the rest")
        if self.score.threshold is not None and self.best is not None:
            what = "--threshold and --best contradict each other"
            raise UsageError(what, "the second looks for a threshold")

    def make_work(self, plan: Plan, model: Model) -> Evaluate:
        """Return what compares predictions with the truth; refuse what contradicts the weights."""
        read, inside = self.how.read, plan.options.truth is not None
        skips, column = read.missing == "skip", plan.kept_columns[0] if inside else None
        path, against = plan.weights.path, self._choose_against(plan, model)
        return Evaluate(model, path, read.missing_values, skips, column, against)

    def open_paired(self, stack: contextlib.ExitStack, plan: Plan) -> PairedTable | None:
        """Open the truth file."""
        if self.truth_file is None:
            return None
        choose = partial(_choose_truth, self.truth)
        return open_pair(stack, self.truth_file, plan, self.how, choose, named=self.truth)

    def check(self, summary: Summary[EvaluateTally]) -> None:
        """Refuse a single category that is nobody's truth."""
        self.refuse_none_positive(summary.tally, summary.plans[0])

    def refuse_none_positive(self, tally: EvaluateTally, plan: Plan) -> None:
        """Refuse rows of which none is positive, unless that truth was named by whoever asks."""
        if tally.warnings and self.positive is None:
            what = f"{tally.warnings[0]}: a single category is the positive truth"
            raise MisfitError(plan.weights.path, what, "name another with --positive")

    def _choose_against(self, plan: Plan, model: Model) -> Against:
        """Settle which categories are compared with the rest; refuse what the weights lack."""
        categories, threshold, positive = plan.categories, self.score.threshold, self.positive
        single, (why_not, _) = len(categories) == 1, model.refuse_probabilities()
        chosen: dict[str, int] = {}
        if single:
            chosen = {positive or categories[0]: 0}
        elif positive is not None:
            if positive not in categories:
                what = f"there is no category {quote_name(positive)}"
                hint = suggest_name(positive, categories, "--positive")
                raise MisfitError(plan.weights.path, what, hint)
            chosen = {positive: categories.index(positive)}
        elif self.one_vs_rest:
            chosen = {name: place for place, name in enumerate(categories)}
        flags = {
            "--threshold": threshold is not None,
            "--best": self.best is not None,
            "--probabilities": self.score.probabilities,
        }
        if not chosen and (said := [flag for flag, is_set in flags.items() if is_set]):
            hint = "name one with --positive, or say --one-vs-rest"
            raise UsageError(f"{said[0]} has no effect on several categories", hint)
        if self.score.probabilities and why_not:
            raise MisfitError(plan.weights.path, why_not, "leave --probabilities out")
        by_probability = not why_not and (self.score.probabilities or not single)
        if threshold is not None and by_probability and not 0 <= threshold <= 1:
            what = "of several categories, --threshold is a probability"
            raise UsageError(what, "give it a number from 0 to 1")
        if single and threshold is None and self.best is None:
            threshold = 0.5 if by_probability else 0.0
        names, places = tuple(chosen), tuple(chosen.values())
        return Against(names, places, single, by_probability, threshold, self.best)


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


@show(FileKeywords)
def evaluate_file(
    features: PathLike | Sequence[PathLike],
    weights: PathLike,
    *,
    truth: str | None = None,
    truth_file: PathLike | None = None,
    positive: str | None = None,
    best: Best | None = None,
    one_vs_rest: bool = False,
    score: ScoreOptions = ScoreOptions(),
    **how: Unpack[FileKeywords],
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
    positive : str, optional
        The category to compare with the rest. Of a single category, the truth that is positive,
        all others being negative; without it, the category's name.
    best : {"f1", "youden"}, optional
        Take for positive what the threshold of the highest F1 or Youden's J takes.
    one_vs_rest : bool
        Compare every category with the rest.
    score : ScoreOptions
        The threshold from which on a row is taken for positive, and whether that is a probability,
        as it always is of several categories.
    **how
        See `FileKeywords`.

    Returns
    -------
    Summary
        Whose `tally.metrics` has the measures.

    Raises
    ------
    PlanError, MisfitError
        Shapes or names do not line up; a single category is the truth of no row.
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
    settings = settings_of(how)
    # With a truth file, the name is that of one of its columns.
    inside = truth if truth_file is None else None
    settings = replace(settings, align=replace(settings.align, truth=inside))
    path = None if truth_file is None else str(truth_file)
    command = EvaluateCommand(settings, truth, path, score, positive, best, one_vs_rest)
    command.check_options()
    if truth is None and truth_file is None:
        raise UsageError("the truth is not given", "name its column with --truth")
    return run_command(command, features, weights, open_sink(None))


@show(FrameKeywords)
def evaluate(
    features: pd.DataFrame,
    weights: pd.DataFrame | Any,
    truth: str | pd.Series[Any],
    *,
    positive: str | None = None,
    threshold: float | None = None,
    probabilities: bool = False,
    best: Best | None = None,
    one_vs_rest: bool = False,
    **how: Unpack[FrameKeywords],
) -> Evaluation:
    """Measure the predictions of a model against the truth.

    Parameters
    ----------
    features, weights
        As in `classify`.
    truth : str or Series
        The category of each row: a column of the features, or a Series with their index.
    positive, best, one_vs_rest
        As in `evaluate_file`.
    threshold : float, optional
        The score, or with `probabilities` and of several categories the probability, from which on
        a row is taken for positive.
    probabilities : bool
        Whether rows of a single category are ranked by their probability.
    **how
        See `FrameKeywords`.

    Returns
    -------
    Evaluation
        The measures.

    Raises
    ------
    PlanError, MisfitError
        Shapes or names do not line up; a single category is the truth of no row.
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
        pick_column,
        plan_frames,
        read_model,
        run_typed,
        take_texts,
        take_weights,
    )

    read, align = options_of(how)
    score = ScoreOptions(probabilities, threshold)
    command = EvaluateCommand(Settings(read), None, None, score, positive, best, one_vs_rest)
    command.check_options()
    column, features = pick_column(features, truth, "truth")
    weights = take_weights(weights, features, align)
    plan = require_fit(plan_frames(features, weights, align, read))
    work = command.make_work(plan, read_model(plan, weights))
    texts = [take_texts(column)]
    typed = Typed.of_plan(features, plan, read.unknown, texts=texts, booleans=read.booleans)
    tally: EvaluateTally = run_typed(work, typed, read.of_cell, unique=align.unique_labels)
    command.refuse_none_positive(tally, plan)
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
        """By tenths of the confidence: rows, mean confidence, accuracy; none of one category."""
        import pandas as pd

        tenths = self.metrics.calibration
        starts = pd.Index([i / 10 for i in range(len(tenths))], name="from")
        names = ["rows", "confidence", "accuracy"]
        return pd.DataFrame(tenths, index=starts, columns=names)

    @cached_property
    def one_vs_rest(self) -> pd.DataFrame:
        """Measures of each category compared with the rest; no rows where none was."""
        import pandas as pd

        names = ("roc_auc", "average_precision", "log_loss", "brier_score")
        shares = ("threshold", "precision", "recall", "specificity", "f1", "youden")
        measures = self.metrics.one_vs_rest
        columns = {
            "positives": [one.decision.n_positive for one in measures],
            "negatives": [one.decision.n_negative for one in measures],
            **{name: [getattr(one, name) for one in measures] for name in names},
            **{name: [getattr(one.decision, name) for one in measures] for name in shares},
        }
        index = pd.Index([one.positive for one in measures], name="positive")
        return pd.DataFrame(columns, index=index)
