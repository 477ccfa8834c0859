"""What would make files fit that do not: the two swapped, one transposed, another name."""

from __future__ import annotations

from dataclasses import replace

from matscore.names import find_close, quote_names, suggest
from matscore.options import PlanOptions
from matscore.plan.doubts import check_first_columns, check_first_records
from matscore.plan.match import line_up
from matscore.plan.types import Misfit, Plan, Side, Turnable, other_turn


def read_sides(plan: Plan) -> Plan:
    """Return the plan of two files that fit beyond doubt, or raise a `Misfit`."""
    plan = line_up(plan)
    check_first_records(plan)
    check_first_columns(plan)
    return plan


def explain_misfit(misfit: Misfit) -> Plan:
    """Return the plan with its problem, and what would make it fit.

    A doubt about a header comes before the rest.
    """
    try:
        check_first_records(misfit.plan)
    except Misfit as doubt:
        misfit = doubt
    if misfit.turnable and (way_out := _find_way_out(misfit.plan, misfit.turnable)):
        return way_out
    return _explain_missing(misfit) if misfit.missing else misfit.plan


def _find_way_out(plan: Plan, turnable: Turnable) -> Plan | None:
    """Return the plan with what would make it fit, if files swapped or transposed would."""
    features, weights, options = plan.features, plan.weights, plan.options
    if features.first is not None:
        swapped = _try(weights, features, options)
        if swapped and swapped.matched_by == "name":
            problem = f"{features.path} and {weights.path} are swapped"
            return replace(plan, swap=True, problem=problem, hint=f"give {weights.path} first")
    turned = replace(options, transpose_features=not options.transpose_features)
    other = _try(features, weights, turned)
    if other and (other.matched_by == "name" or turnable == "by shape"):
        kind = "rows" if turned.transpose_features else "columns"
        why = f"the {kind} of {features.path} are the features{_name_features(other)}"
        return other_turn(plan, "features", why).plan
    if weights.names is None:
        turned = replace(options, transpose=not options.transpose)
        if other := _try(features, weights, turned):
            kind = "columns" if turned.transpose else "rows"
            why = f"the {kind} of {weights.path} are the features{_name_features(other)}"
            return other_turn(plan, "weights", why).plan
    return None


def _try(features: Side, weights: Side, options: PlanOptions) -> Plan | None:
    try:
        return read_sides(Plan(features, weights, options))
    except Misfit:
        return None


def _name_features(plan: Plan) -> str:
    return f" ({quote_names(plan.feature_names)})" if plan.matched_by == "name" else ""


def _explain_missing(misfit: Misfit) -> Plan:
    """Find close matches of missing features: the slow part, done once."""
    plan = misfit.plan
    missing = find_close(misfit.missing, misfit.unused)
    hint = suggest(missing) or plan.hint
    if plan.transpose != plan.options.transpose and not plan.options.auto_transpose:
        hint += f", and {plan.options.words.advise(plan.transpose)}"
    return replace(plan, missing=missing, hint=hint)
