"""Names and shapes of features and weights → one `Plan`. Pure: nothing is read or computed here.

A reading (`match.line_up`) turns the two sides into axes, finds the axis of the weights that
carries the features, and matches by name or by position. What does not fit ends the reading with a
`Misfit`; `doubts` looks whether files that fit may be meant in another way, and `suggest` whether
those that do not would fit swapped, transposed, or under other names.

From the bottom up: `types`, `labels`, `match` (with `terms`, `headings` and `lacking`, where they
are needed), `doubts`, `suggest`; `learning` and `design` are for files that are compared with no
weights.
"""

from __future__ import annotations

from dataclasses import replace

from matscore.errors import PlanError
from matscore.options import PlanOptions
from matscore.plan.doubts import blank_shared_heading, read_sides
from matscore.plan.types import Misfit, Plan, Side

__all__ = ["Plan", "Side", "make_plan", "require_fit"]


def make_plan(features: Side, weights: Side, options: PlanOptions = PlanOptions()) -> Plan:
    """Line the columns of the features up with the weights.

    Never raises: what does not fit is in the plan's ``problem``.

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
    if options.renames:
        from matscore.plan.lacking import plan_renamed

        return plan_renamed(make_plan, features, weights, options)
    corner = weights.corner or (weights.names or ("",))[0]
    may_link, read = "(" in corner and not options.items, weights
    if may_link:
        from matscore.plan.headings import drop_link, set_link

        read = drop_link(weights)
    try:
        plan = read_sides(Plan(features, blank_shared_heading(features, read, options), options))
    except Misfit as misfit:
        from matscore.plan.suggest import explain_misfit

        plan = explain_misfit(misfit)
    if options.unique_labels and plan.ok and plan.label_column is None:
        what = f"{plan.features.path} has no labels, and --unique-labels compares them"
        plan = replace(plan, problem=what, hint="name their column with --id-col")
    # Messages and pictures show the file as it is, its heading included.
    plan = replace(plan, weights=weights)
    return set_link(plan) if may_link and plan.ok else plan


def require_fit(plan: Plan) -> Plan:
    """Return a plan that fits; raise a `PlanError` of one that has a problem."""
    if not plan.ok:
        raise PlanError(plan)
    return plan
