"""Names and shapes of features and weights → one `Plan`. Pure: nothing is read or computed here.

A reading (`line_up`) turns the two sides into axes, finds the axis of the weights that carries the
features, and matches by name or by position. What does not fit ends the reading with a `Misfit`;
`way_out` then looks whether the files swapped, or one of them transposed, would fit.

From the bottom up, each importing only those before it: `words`, `labels`; `types`; `misfit`;
`axis`; `sides`, `doubts`; `by_name`, `by_position`; `line_up`; `way_out`.
"""

from __future__ import annotations

from dataclasses import replace

from matscore.errors import PlanError
from matscore.options import PlanOptions
from matscore.plan.doubts import blank_shared_heading
from matscore.plan.suggest import Misfit
from matscore.plan.types import MissingFeature, Plan, Side
from matscore.plan.way_out import explain_misfit, read_sides

__all__ = [
    "MissingFeature",
    "Plan",
    "PlanOptions",
    "Side",
    "make_plan",
    "require_fit",
]

_DEFAULTS = PlanOptions()


def make_plan(features: Side, weights: Side, options: PlanOptions = _DEFAULTS) -> Plan:
    """Line the columns of the features up with the weights.

    Never raises: what does not fit is in the plan's ``problem``.

    Parameters
    ----------
    features, weights : Side
        What is known of the two files.
    options : PlanOptions
        What was asked for.

    Returns
    -------
    Plan
        How they fit, or why not and what would.

    Examples
    --------
    >>> movies = Side("movies.csv", 3, ("film", "action", "comedy"), 3, None)
    >>> genres = Side("genres.csv", 3, ("feature", "family", "romance"), 2, ("comedy", "action"))
    >>> plan = make_plan(movies, genres)
    >>> plan.ok, plan.label_name, plan.scores_shape
    (True, 'film', (3, 2))
    >>> plan.feature_names, plan.feature_columns, plan.weights_index
    (('action', 'comedy'), (1, 2), (1, 0))
    """
    told = blank_shared_heading(features, weights, options)
    try:
        plan = read_sides(features, told, options)
    except Misfit as misfit:
        plan = explain_misfit(misfit)
    return replace(plan, weights=weights)


def require_fit(plan: Plan) -> Plan:
    """Return a plan that fits.

    Raises
    ------
    PlanError
        When the plan has a problem.

    Examples
    --------
    >>> side = Side("a.csv", 1, ("x",), 1, ("2",))
    >>> require_fit(make_plan(side, side))
    Traceback (most recent call last):
        ...
    matscore.errors.PlanError: the same file is given as features and weights: a.csv; ...
    """
    if not plan.ok:
        raise PlanError(plan)
    return plan
