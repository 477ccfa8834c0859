"""``classify`` for DataFrames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from matscore.commands.classify_rows import OVERFLOW, ScoreColumns
from matscore.commands.frames import (
    check_missing,
    feature_values,
    plan_frames,
    read_model,
    settle_missing,
)
from matscore.errors import InputError
from matscore.numerics.scores import Scored, score_rows
from matscore.options import MissingPolicy, OutputOptions, PlanOptions, ScoreOptions
from matscore.plan import require_fit
from matscore.run.prepare import make_columns, make_output_spec


def classify(
    features: pd.DataFrame,
    weights: pd.DataFrame,
    *,
    missing: MissingPolicy = "error",
    probabilities: bool = False,
    margin: bool = False,
    scores: bool = True,
    threshold: float | None = None,
    transpose: bool = False,
    auto_transpose: bool = False,
    strict: bool = False,
    keep_cols: Sequence[str] = (),
    intercept: str | None = None,
    no_intercept: bool = False,
) -> pd.DataFrame:
    """Score rows and name the best category of each.

    Parameters
    ----------
    features : DataFrame of shape (n_rows, n_features)
        One row an item; the index holds the labels.
    weights : DataFrame of shape (n_features, n_categories)
        One row a feature, named in the index, and one column a category; a row named as an
        intercept is added to the product.
    missing : {"error", "skip", "zero", "keep"}
        What a missing value means: refuse; leave the row out; read it as 0; score it NaN.
    probabilities, margin, scores : bool
        Which columns the result has besides the prediction.
    threshold : float, optional
        A best score (or probability, with `probabilities`) under it gives no prediction.
    transpose, auto_transpose : bool
        Transpose the weights; do so when names or shapes leave no doubt.
    strict : bool
        Refuse feature columns that the weights do not know.
    keep_cols : sequence of str
        Columns carried into the result unchanged.
    intercept : str, optional
        Name of the intercept row.
    no_intercept : bool
        Take a row named as an intercept for a plain feature.

    Returns
    -------
    DataFrame
        With the features' index: kept columns, a score a category, ``prediction``,
        ``probability_<category>``, ``margin``. Without a prediction it is missing.

    Raises
    ------
    PlanError
        Shapes or names do not line up, or two columns of the result would have one name.
    InputError
        A value is missing or not a number, or a row's scores overflow.
    UsageError
        `missing` is none of the four.

    Notes
    -----
    The numbers that pandas gives an axis by itself are no names, so such features are matched by
    position; as soon as the columns or the weights' rows are numbered otherwise, by number.

    Examples
    --------
    >>> films = pd.DataFrame({"action": [5, 1], "comedy": [2, 5]}, index=["Thunder", "Umbrella"])
    >>> genres = pd.DataFrame({"adventure": [1.1, 0.2], "romance": [0.1, 1.2]},
    ...                       index=["action", "comedy"])
    >>> classify(films, genres)
              adventure  romance prediction
    Thunder         5.9      2.9  adventure
    Umbrella        2.1      6.1    romance
    """
    options = PlanOptions(
        transpose=transpose,
        auto_transpose=auto_transpose,
        strict=strict,
        keep_cols=tuple(map(str, keep_cols)),
        intercept=intercept,
        no_intercept=no_intercept,
    )
    check_missing(missing)
    settings = ScoreOptions(probabilities, threshold)
    settings.check()
    plan = require_fit(plan_frames(features, weights, options))
    wanted = OutputOptions(scores=scores, margin=margin)
    unlabelled = replace(plan, label_name="")
    columns = make_columns(unlabelled, settings, wanted)
    make_output_spec(unlabelled, columns, wanted, "csv")
    values = [feature_values(features, i - 1) for i in plan.feature_columns]
    used, values, _ = settle_missing(features, plan, values, missing)
    scored = score_rows(read_model(plan, weights), values, len(used), settings)
    if len(overflow := np.flatnonzero(scored.decision.overflow)):
        raise InputError(plan.features.path, *OVERFLOW, line=int(used[overflow[0]]) + 1)
    rows = slice(None) if len(used) == len(features) else used  # an index keeps its kind in a slice
    kept = {features.columns[i - 1]: features.iloc[rows, i - 1] for i in plan.kept_columns}
    return pd.DataFrame(kept | _score_columns(columns, scored), index=features.index[rows])


def _score_columns(columns: ScoreColumns, scored: Scored) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    if columns.scores:
        made |= dict(zip(columns.categories, scored.scores, strict=True))
    if columns.prediction:
        names = pd.Series(columns.categories).array
        made["prediction"] = names.take(scored.decision.best, allow_fill=True)
    if scored.probabilities is not None:
        made |= dict(zip(columns.probability_names, scored.probabilities, strict=True))
    if columns.margin:
        made["margin"] = scored.decision.margin
    return made
