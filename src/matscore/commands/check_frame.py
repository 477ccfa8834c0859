"""``check`` for DataFrames."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from matscore.commands.frames import plan_frames
from matscore.options import PlanOptions
from matscore.plan import Plan
from matscore.run.prepare import check_names


def check(
    features: pd.DataFrame,
    weights: pd.DataFrame,
    *,
    transpose: bool = False,
    auto_transpose: bool = False,
    strict: bool = False,
    keep_cols: Sequence[str] = (),
    intercept: str | None = None,
    no_intercept: bool = False,
) -> Plan:
    """Say how two tables line up; no score is computed.

    Parameters
    ----------
    features, weights, transpose, auto_transpose, strict, keep_cols, intercept, no_intercept
        As in `classify`.

    Returns
    -------
    Plan
        Whose `problem` is None when they fit.

    Examples
    --------
    >>> users = pd.DataFrame({"action": [0.9], "comedy": [0.2]})
    >>> films = pd.DataFrame({"action": [0.8], "comedy": [0.1]}, index=["Orbit"])
    >>> check(users, films).add_options
    ('--transpose',)
    """
    options = PlanOptions(
        transpose=transpose,
        auto_transpose=auto_transpose,
        strict=strict,
        keep_cols=tuple(map(str, keep_cols)),
        intercept=intercept,
        no_intercept=no_intercept,
    )
    return check_names(plan_frames(features, weights, options), labelled=False)
