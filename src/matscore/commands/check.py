"""``check``: how two tables line up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from matscore.commands import FrameKeywords, options_of, show
from matscore.commands.classify import ClassifyCommand
from matscore.errors import PlanError
from matscore.model import Model, load_weights, pick_weights
from matscore.options import PathLike, PlanOptions, ReadOptions, check_options
from matscore.plan import Plan
from matscore.read.table import open_table
from matscore.run.parts import plan_part
from matscore.write.whole import check_paths

if TYPE_CHECKING:
    import pandas as pd


def check_files(
    features: PathLike,
    weights: PathLike,
    *,
    read: ReadOptions = ReadOptions(),
    align: PlanOptions = PlanOptions(),
) -> Plan:
    """Say how two files line up; no score is computed.

    Parameters
    ----------
    features, weights : str or Path
        The files; one of them may be ``-``.
    read : ReadOptions
        How they are read.
    align : PlanOptions
        How they are lined up.

    Returns
    -------
    Plan
        Whose `problem` is None when they fit.

    Raises
    ------
    InputError, FileError, UsageError
        A file cannot be read, or not with certainty.

    Examples
    --------
    >>> check_files("sample_data/users.csv", "sample_data/films.csv").add_options
    ('--transpose',)
    """
    check_options(read, align)
    renames = () if align.rename is None else (str(align.rename),)
    check_paths([str(features), str(weights), *renames])
    if renames:
        from matscore.read.switches import read_renames

        align = read_renames(align, read)
    held = load_weights(str(weights), read, pick_weights(align))
    with contextlib.closing(open_table(str(features), read.of_features)) as table:
        plan = plan_part(table, held, read, align).plan
        return _check_work(plan, partial(held.take_model, plan))


@show(FrameKeywords)
def check(
    features: pd.DataFrame,
    weights: pd.DataFrame | Any,
    *,
    keep_cols: Sequence[str] = (),
    **how: Unpack[FrameKeywords],
) -> Plan:
    """Say how two tables line up; no score is computed.

    Parameters
    ----------
    features, weights, keep_cols
        As in `classify`.
    **how
        See `FrameKeywords`.

    Returns
    -------
    Plan
        Whose `problem` is None when they fit.

    Raises
    ------
    InputError
        A weight is missing or not a number.

    Examples
    --------
    >>> import pandas as pd
    >>> users = pd.DataFrame({"action": [0.9], "comedy": [0.2]})
    >>> films = pd.DataFrame({"action": [0.8], "comedy": [0.1]}, index=["Orbit"])
    >>> check(users, films).add_options
    ('--transpose',)
    """
    from matscore.commands.frames import find_booleans, plan_frames, read_model, take_weights

    read, align = options_of(how, keep_cols)
    weights = take_weights(weights, features, align)
    plan = plan_frames(features, weights, align, read)
    if read.booleans and plan.ok:
        from matscore.read.switches import describe_booleans

        pairs = find_booleans(features, [i - 1 for i in plan.feature_columns])
        said = describe_booleans(pairs, list(map(str, features)))
        plan = replace(plan, said=(*plan.said, *said))
    return _check_work(plan, partial(read_model, plan, weights), labelled=False)


def _check_work(plan: Plan, take_model: Callable[[], Model], *, labelled: bool = True) -> Plan:
    """Return a plan that fits with what ``classify`` would refuse before the first row."""
    if not plan.ok:
        return plan
    try:
        # The names of the output are known from the plan alone, and nothing is written.
        ClassifyCommand().make_output(plan if labelled else replace(plan, label_name=""), "csv")
        model = take_model()
        warnings = model.warnings
        if plan.least_present is not None:
            from matscore.prorate import doubt_signs

            warnings = (*warnings, *doubt_signs(model.weights, plan.categories))
    except PlanError as error:
        return replace(plan, problem=error.plan.problem, hint=error.plan.hint)
    return replace(plan, warnings=warnings)
