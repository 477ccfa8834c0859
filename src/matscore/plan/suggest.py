"""What would make files fit that do not: the two swapped, one transposed, another name."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal

from matscore.names import find_close, quote_names, suggest
from matscore.options import PlanOptions
from matscore.plan.doubts import check_first_columns, check_first_records
from matscore.plan.match import line_up
from matscore.plan.types import Misfit, Plan, Side, Turnable, other_turn


def read_sides(features: Side, weights: Side, options: PlanOptions) -> Plan:
    """Return the plan of two files that fit beyond doubt, or raise a `Misfit`."""
    plan = line_up(Plan(features, weights, options))
    check_first_records(plan, partial(_fits, options))
    check_first_columns(plan)
    return plan


def explain_misfit(misfit: Misfit) -> Plan:
    """Return the plan with its problem, and what would make it fit.

    A doubt about a header comes before the rest.
    """
    try:
        check_first_records(misfit.plan, partial(_fits, misfit.plan.options))
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
            return _suggest_swap(plan)
    turned = replace(options, transpose_features=not options.transpose_features)
    other = _try(features, weights, turned)
    if other and (other.matched_by == "name" or turnable == "by shape"):
        kind = "rows" if turned.transpose_features else "columns"
        return _suggest_turn(plan, other, "features", f"{kind} of {features.path}")
    if weights.names is None:
        turned = replace(options, transpose=not options.transpose)
        if other := _try(features, weights, turned):
            kind = "columns" if turned.transpose else "rows"
            return _suggest_turn(plan, other, "weights", f"{kind} of {weights.path}")
    return None


def _try(features: Side, weights: Side, options: PlanOptions) -> Plan | None:
    try:
        return read_sides(features, weights, options)
    except Misfit:
        return None


def _fits(options: PlanOptions, features: Side, weights: Side) -> bool:
    try:
        line_up(Plan(features, weights, options))
    except Misfit:
        return False
    return True


def _suggest_swap(plan: Plan) -> Plan:
    features, weights = plan.features.path, plan.weights.path
    problem, hint = f"{features} and {weights} are swapped", f"give {weights} first"
    return replace(plan, swap=True, problem=problem, hint=hint)


def _suggest_turn(
    plan: Plan, other: Plan, side: Literal["weights", "features"], carriers: str
) -> Plan:
    names = f" ({quote_names(other.feature_names)})" if other.matched_by == "name" else ""
    return other_turn(plan, side, f"the {carriers} are the features{names}").plan


def _explain_missing(misfit: Misfit) -> Plan:
    """Find close matches of missing features: the slow part, done once."""
    plan = misfit.plan
    missing = find_close(misfit.missing, misfit.unused)
    hint = suggest(missing) or plan.hint
    if plan.transpose != plan.options.transpose and not plan.options.auto_transpose:
        hint += f", and {plan.options.words.advise(plan.transpose)}"
    return replace(plan, missing=missing, hint=hint)
