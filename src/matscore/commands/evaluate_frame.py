"""``evaluate`` for DataFrames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from matscore.commands.evaluate_rows import Evaluate
from matscore.commands.frames import (
    check_missing,
    feature_values,
    pick_column,
    plan_frames,
    read_model,
    settle_missing,
)
from matscore.errors import InputError, MisfitError
from matscore.grammar import MISSING_VALUES
from matscore.numerics.metrics import Metrics
from matscore.options import MissingPolicy, PlanOptions
from matscore.plan import require_fit
from matscore.run.work import Rows


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
        names = self.metrics.categories
        truth, predicted = pd.Index(names, name="truth"), pd.Index(names, name="predicted")
        return pd.DataFrame(self.metrics.confusion, index=truth, columns=predicted)

    @cached_property
    def top_k_accuracy(self) -> pd.Series[float]:
        """Share of rows whose truth is among the k highest scores, by k."""
        values = self.metrics.top_k_accuracy
        return pd.Series(values, index=pd.RangeIndex(1, len(values) + 1, name="k"))

    @cached_property
    def calibration(self) -> pd.DataFrame:
        """By tenths of the confidence: rows, mean confidence, accuracy."""
        starts = pd.Index([i / 10 for i in range(10)], name="from")
        names = ["rows", "confidence", "accuracy"]
        return pd.DataFrame(self.metrics.calibration, index=starts, columns=names)


def evaluate(
    features: pd.DataFrame,
    weights: pd.DataFrame,
    truth: str | pd.Series[Any],
    *,
    missing: MissingPolicy = "error",
    transpose: bool = False,
    auto_transpose: bool = False,
    strict: bool = False,
    intercept: str | None = None,
    no_intercept: bool = False,
) -> Evaluation:
    """Measure the predictions of a model against the truth.

    Parameters
    ----------
    features, weights, missing, transpose, auto_transpose, strict, intercept, no_intercept
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
    >>> films = pd.DataFrame({"action": [5, 1], "comedy": [2, 5]})
    >>> genres = pd.DataFrame({"adventure": [1.1, 0.2], "romance": [0.1, 1.2]},
    ...                       index=["action", "comedy"])
    >>> evaluate(films, genres, pd.Series(["adventure", "adventure"])).accuracy
    0.5
    """
    check_missing(missing)
    column, features = pick_column(features, truth, "truth")
    align = PlanOptions(
        transpose=transpose,
        auto_transpose=auto_transpose,
        strict=strict,
        intercept=intercept,
        no_intercept=no_intercept,
    )
    plan = require_fit(plan_frames(features, weights, align))
    if len(plan.categories) < 2:
        what = "there is a single category, so nothing is predicted"
        raise MisfitError("weights", what, "give it one column a category")
    values = [feature_values(features, i - 1) for i in plan.feature_columns]
    used, values, has_missing = settle_missing(features, plan, values, missing)
    absent = column.isna().to_numpy()
    if missing == "skip" and absent[used].any():
        kept = ~absent[used]
        used, values = used[kept], [one[kept] for one in values]
    texts = ["" if gone else str(name) for gone, name in zip(absent, column, strict=True)]
    work = Evaluate(read_model(plan, weights), "weights", MISSING_VALUES)
    truths = [texts[i] for i in used]
    outcome = work.apply(Rows.of_columns(values, len(used), has_missing, texts=[truths]))
    if outcome.faults:
        fault = min(outcome.faults, key=lambda one: one.row)
        line = int(used[fault.row]) + 1
        raise InputError("features", fault.what, fault.hint, line=line)
    return Evaluation(outcome.tally().metrics)
