"""What would make files fit that do not: the two swapped, one transposed, another name."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from matscore.names import quote_names
from matscore.plan.line_up import line_up
from matscore.plan.misfit import Misfit, Turnable, find_meant, show_shapes, suggest
from matscore.plan.types import Plan, PlanOptions, Side

_Turn = Literal["--transpose", "--transpose-features"]


def explain_misfit(misfit: Misfit) -> Plan:
    """Return the plan with its problem, and what would make it fit."""
    if misfit.turnable and (way_out := _find_way_out(misfit.plan, misfit.turnable)):
        return way_out
    return _explain_missing(misfit) if misfit.missing else misfit.plan


def _find_way_out(plan: Plan, turnable: Turnable) -> Plan | None:
    """Return the plan with what would make it fit, if files swapped or transposed would."""
    options = plan.options
    if plan.features.first is not None:
        swapped = _try(plan.weights, plan.features, options)
        if swapped and swapped.matched_by == "name":
            return _suggest_swap(plan)
    turned = replace(options, transpose_features=not options.transpose_features)
    other = _try(plan.features, plan.weights, turned)
    if other and (other.matched_by == "name" or turnable == "by shape"):
        return _suggest_turn(plan, other, "--transpose-features", "features")
    if plan.weights.names is None:
        turned = replace(options, transpose=not options.transpose)
        if other := _try(plan.features, plan.weights, turned):
            return _suggest_turn(plan, other, "--transpose", "weights")
    return None


def _try(features: Side, weights: Side, options: PlanOptions) -> Plan | None:
    try:
        return line_up(Plan(features, weights, options))
    except Misfit:
        return None


def _suggest_swap(plan: Plan) -> Plan:
    features, weights = plan.features.path, plan.weights.path
    return replace(
        plan,
        swap=True,
        problem=f"{features} holds the weights and {weights} the features: they are swapped",
        hint=f"give {weights} first, then {features}",
    )


def _suggest_turn(plan: Plan, other: Plan, option: _Turn, what: str) -> Plan:
    given = plan.options.transpose if option == "--transpose" else plan.options.transpose_features
    how = f"without {option}" if given else f"with the {what} transposed"
    names = f" by name ({quote_names(other.feature_names)})" if other.matched_by == "name" else ""
    return replace(
        plan,
        problem=f"{show_shapes(plan)} do not line up, but they fit{names} {how}",
        hint=f"leave {option} out" if given else f"add {option}",
        add_options=() if given else (option,),
        drop_options=(option,) if given else (),
    )


def _explain_missing(misfit: Misfit) -> Plan:
    """Find close matches of missing features: the slow part, done once."""
    plan = misfit.plan
    missing = find_meant(misfit.missing, misfit.unused)
    hint = suggest(missing) or plan.hint
    if plan.transpose != plan.options.transpose and not plan.options.auto_transpose:
        hint += "; and add --transpose" if plan.transpose else "; and leave --transpose out"
    return replace(plan, missing=missing, hint=hint)
