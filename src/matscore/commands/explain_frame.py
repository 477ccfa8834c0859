"""``explain`` for DataFrames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from matscore.commands.explain_rows import Explain, ExplainColumns
from matscore.commands.frames import (
    check_missing,
    feature_values,
    plan_frames,
    read_model,
    settle_missing,
)
from matscore.errors import InputError
from matscore.numerics.explain import OTHERS
from matscore.options import ExplainOptions, MissingPolicy, PlanOptions
from matscore.plan import require_fit
from matscore.run.prepare import find_category
from matscore.run.work import Rows


def explain(
    features: pd.DataFrame,
    weights: pd.DataFrame,
    *,
    category: str | None = None,
    versus: str | None = None,
    top_features: int | None = None,
    missing: MissingPolicy = "error",
    transpose: bool = False,
    auto_transpose: bool = False,
    strict: bool = False,
    intercept: str | None = None,
    no_intercept: bool = False,
) -> pd.DataFrame:
    """Take the scores of rows apart into what each feature contributed.

    Parameters
    ----------
    features, weights, missing, transpose, auto_transpose, strict, intercept, no_intercept
        As in `classify`.
    category : str, optional
        The category to explain; without it the predicted one of each row.
    versus : str, optional
        A category whose score is taken away from it.
    top_features : int, optional
        Features with a line of their own; the others are summed up in one.

    Returns
    -------
    DataFrame
        With the features' index, one row a contribution, the largest first and the intercept last:
        ``category``, ``versus`` where one is given, ``feature``, ``value``, ``weight``,
        ``contribution``. A row without a prediction (a value is missing and was kept) has none.

    Raises
    ------
    PlanError, MisfitError
        Shapes or names do not line up; a category is none of the weights'.
    InputError, UsageError
        As in `classify`.

    Examples
    --------
    >>> films = pd.DataFrame({"action": [5], "comedy": [2]}, index=["Thunder"])
    >>> genres = pd.DataFrame({"adventure": [1.1, 0.2], "romance": [0.1, 1.2]},
    ...                       index=["action", "comedy"])
    >>> explain(films, genres)
              category feature  value  weight  contribution
    Thunder  adventure  action    5.0     1.1           5.5
    Thunder  adventure  comedy    2.0     0.2           0.4
    """
    check_missing(missing)
    align = PlanOptions(
        transpose=transpose,
        auto_transpose=auto_transpose,
        strict=strict,
        intercept=intercept,
        no_intercept=no_intercept,
    )
    plan = replace(require_fit(plan_frames(features, weights, align)), label_name="")
    options = ExplainOptions(category, versus, top_features)
    options.check()
    values = [feature_values(features, i - 1) for i in plan.feature_columns]
    used, values, has_missing = settle_missing(features, plan, values, missing)
    work = Explain(
        read_model(plan, weights),
        plan.feature_names,
        plan.intercept_name or "(Intercept)",
        ExplainColumns("", True, options.versus is not None),
        find_category(plan, options.category, "category"),
        find_category(plan, options.versus, "versus"),
        options.top_features,
    )
    outcome = work.apply(Rows.of_columns(values, len(used), has_missing))
    if outcome.faults:
        fault = outcome.faults[0]
        line = int(used[fault.row]) + 1
        raise InputError(plan.features.path, fault.what, fault.hint, line=line)
    found = outcome.found
    names, categories = (
        np.array(work.line_names, dtype=object),
        np.array(plan.categories, dtype=object),
    )
    made = {"category": categories[outcome.categories[found.rows]]}
    if work.versus is not None:
        made["versus"] = categories[np.full(len(found.rows), work.versus)]
    made |= {
        "feature": names[found.entries % len(names)],
        "value": found.values,
        "weight": np.where(found.entries == OTHERS, np.nan, found.weights),
        "contribution": found.contributions,
    }
    return pd.DataFrame(made, index=features.index[used[found.rows]])
