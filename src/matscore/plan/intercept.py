"""The intercept: the entry of the weights that is named so, or that is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from matscore.names import is_intercept, quote_name, quote_names
from matscore.plan.axis import Axis
from matscore.plan.misfit import Misfit, unknown_name
from matscore.plan.types import Plan


def set_intercept(plan: Plan, table: Axis, axis: Axis) -> Plan:
    """Set the intercept among the entries of the weights that are features."""
    names, found = axis.names or (), list_intercepts(plan, table, axis)
    if plan.options.intercept is not None and not found:
        _refuse_asked(plan, axis, plan.options.intercept)
    if len(found) > 1:
        raise Misfit(
            plan,
            f"{axis.path} has {len(found)} intercepts: {quote_names([names[i] for i in found])}",
            "name one with --intercept, or take the others out",
        )
    if len(found) == axis.size:
        raise Misfit(
            plan, f"{axis.path} has an intercept but no features", "give it one row a feature"
        )
    if not found:
        return plan
    return replace(plan, intercept_name=names[found[0]], intercept_index=found[0])


def list_intercepts(plan: Plan, table: Axis, axis: Axis) -> list[int]:
    """Return the entries that may be the intercept; none that is a column of the features."""
    asked = plan.options.intercept
    if plan.options.no_intercept:
        return []
    if asked is not None:
        return axis.places.get(asked, [])
    taken = {_fold(name) for name in table.places if is_intercept(name)}
    return [
        index
        for index, name in enumerate(axis.names or ())
        if is_intercept(name) and _fold(name) not in taken
    ]


def _refuse_asked(plan: Plan, axis: Axis, asked: str) -> NoReturn:
    if axis.names is None:
        raise Misfit(
            plan,
            f"{axis.path} does not name its features, so it has no intercept {quote_name(asked)}",
            "leave --intercept out",
        )
    problem = f"{axis.path} has no {axis.kind} {quote_name(asked)}"
    raise unknown_name(plan, problem, asked, axis.names, "--intercept")


def _fold(name: str) -> str:
    return name.strip().casefold()
