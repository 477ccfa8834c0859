"""What would make files fit that do not: the two swapped, one transposed, other names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from matscore.names import MAX_SHOWN, may_be_intercept, quote_name, quote_names
from matscore.plan.doubts import attempt, check_first_records, read_sides
from matscore.plan.labels import drop_link
from matscore.plan.types import Misfit, Plan, Turnable, other_turn
from matscore.spelling import find_close, suggest

_VECTOR = re.compile(r"\s*\[\s*[-+.\deE]+(?:[,;\s]+[-+.\deE]+)+\s*\]\s*")


def explain_misfit(misfit: Misfit) -> Plan:
    """Return the plan with its problem, and what would make it fit."""
    # Where a header may be data, all that was said of names and shapes may be wrong.
    try:
        check_first_records(misfit.plan)
    except Misfit as doubt:
        misfit = doubt
    if misfit.turnable and (way_out := _find_way_out(misfit.plan, misfit.turnable)):
        return way_out
    plan = misfit.plan
    if plan.options.words.turn_weights in plan.add_options:
        return _doubt_turned(plan)
    return _explain_missing(misfit) if misfit.missing else plan


def _doubt_turned(plan: Plan) -> Plan:
    """Return the plan with what is doubtful of weights that are transposed, if anything is."""
    turned = replace(plan.options, transpose=not plan.options.transpose, strict=False)
    try:
        read_sides(Plan(plan.features, plan.weights, turned))
    except Misfit as doubt:
        hint = f"{doubt.plan.hint}; and add {plan.options.words.turn_weights}"
        return replace(plan, problem=doubt.plan.problem, hint=hint, add_options=())
    return plan


def _find_way_out(plan: Plan, turnable: Turnable) -> Plan | None:
    """Return the plan with what would make it fit, if files swapped or transposed would."""
    features, weights, options = plan.features, plan.weights, plan.options
    if features.first is not None:
        swapped = attempt(read_sides, weights, drop_link(features), options)
        if swapped and swapped.matched_by == "name":
            problem = f"{features.path} and {weights.path} are swapped"
            return replace(plan, swap=True, problem=problem, hint=f"give {weights.path} first")
    turned = replace(options, transpose_features=not options.transpose_features)
    other = attempt(read_sides, features, weights, turned)
    if other and (other.matched_by == "name" or turnable == "by shape"):
        kind = "rows" if turned.transpose_features else "columns"
        why = f"the {kind} of {features.path} are the features{_name_features(other)}"
        return other_turn(plan, "features", why).plan
    if weights.names is None:
        turned = replace(options, transpose=not options.transpose)
        if other := attempt(read_sides, features, weights, turned):
            kind = "columns" if turned.transpose else "rows"
            why = f"the {kind} of {weights.path} are the features{_name_features(other)}"
            return other_turn(plan, "weights", why).plan
    return None


def _name_features(plan: Plan) -> str:
    return f" ({quote_names(plan.feature_names)})" if plan.matched_by == "name" else ""


def _find_misspelt(misfit: Misfit) -> Plan | None:
    """Return what is said of files swapped, or features transposed, whose names are misspelt, too.

    Most of the names have to be close ones, as a few are by chance.
    """
    features, weights, options = misfit.plan.features, misfit.plan.weights, misfit.plan.options
    turned = replace(options, transpose_features=not options.transpose_features)
    way = f"leave {options.words.turn_features} out"
    way = way if options.transpose_features else f"add {options.words.turn_features}"
    readings = [(Plan(features, weights, turned), way)]
    if features.first is not None:
        swapped = Plan(weights, drop_link(features), options)
        readings.append((swapped, f"give {weights.path} first"))
    found = []
    for reading, way in readings:
        try:
            read_sides(reading)
        except Misfit as other:
            missing = find_close(other.missing, other.unused)
            close = [one for one in missing if one.close]
            if 2 * len(close) > len(missing[:MAX_SHOWN]):
                problem, hint = other.plan.problem, f"{suggest(missing)}, and {way}"
                told = replace(misfit.plan, problem=problem, hint=hint, missing=missing)
                found.append((other.plan.transpose != options.transpose, told))
    # One change beside the names is likelier than two.
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _explain_unnamed(plan: Plan, names: Sequence[str]) -> Iterator[str]:
    """Say what may be meant by names that tools give to what has none: intercepts, columns."""
    may_have = plan.intercept_index is None and not plan.options.no_intercept
    if may_have and (found := next(filter(may_be_intercept, names), None)):
        yield f"if {quote_name(found)} is the intercept, say --intercept {shlex.quote(found)}"
    unnamed = next((name for name in names if re.match(r"Unnamed: \d+(_|$)", name)), None)
    if unnamed is not None:
        path = plan.features.path
        what = f"{quote_name(unnamed)} is what pandas calls a column without a heading"
        blank = any(not name.strip() for name in plan.features.names or ())
        yield f"{what}: name that of {path} so" if blank else f"{what}, which {path} has not"


def _explain_vectors(plan: Plan) -> str:
    """Say what to do with a column that has a vector in each cell; empty where there is none."""
    side = plan.features
    for i, cells in enumerate(() if side.peek is None else side.peek()):
        if cells and all(_VECTOR.fullmatch(cell) for cell in cells):
            way = "write each of its numbers into a column of its own"
            return f"{quote_name(side.name_of(i))} has a vector in each cell: {way}"
    return ""


def _explain_missing(misfit: Misfit) -> Plan:
    """Find close matches of missing features, and what other tools mean by their names."""
    plan = misfit.plan
    missing = find_close(misfit.missing, misfit.unused)
    if not any(one.close for one in missing) and (turned := _find_misspelt(misfit)):
        return turned
    from matscore.plan.joined import explain_joined

    joined, known = explain_joined(plan, misfit.missing)
    meant = suggest([one for one in missing if one.name not in known])
    meant += "; --rename FILE takes two names for one" * bool(meant)
    hints = (*_explain_unnamed(plan, misfit.missing), _explain_vectors(plan), joined, meant)
    hint = "; ".join(filter(None, hints)) or plan.hint
    if plan.transpose != plan.options.transpose and not plan.options.auto_transpose:
        hint += f", and {plan.options.words.advise(plan.transpose)}"
    return replace(plan, missing=missing, hint=hint)
