"""Features that the features file lacks and that count 0, because they were asked to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from matscore.names import MAX_SHOWN, fold_name, quote_name, quote_names, write_choice
from matscore.plan.joined import explain_joined
from matscore.plan.terms import Unread
from matscore.plan.types import Axis, Misfit, Plan, Turnable
from matscore.spelling import suggest_name


def set_absent(plan: Plan, table: Axis, axis: Axis, wanted: Collection[str]) -> Plan:
    """Return the plan with the features that count 0; `wanted` are those of the weights."""
    options = plan.options
    gone = {name: _list_gone(table, name) for name in wanted if not table.knows(name)}
    _check_known(plan, table, axis, {*wanted, *(name for names in gone.values() for name in names)})
    absent = tuple(
        name
        for name, columns in gone.items()
        if options.absent_zero or name in options.absent or {*columns} <= {*options.absent}
    )
    plan = replace(plan, absent=absent)
    if len(absent) == len(wanted):
        what = f"{table.path} has none of the features of {axis.path}: {quote_names(absent)}"
        hint = f"give it columns of these names, not {quote_names(list(table.places))}"
        raise Misfit(replace(plan, absent=()), what, hint, turnable="by name")
    _check_count(plan, table, axis, len(wanted))
    if options.absent_zero:
        _check_meant(plan, table, axis, gone)
    return plan


def suggest_absent(missing: Sequence[str], n_features: int) -> str:
    """Say how features that are missing would count 0, or have another name."""
    few = len(missing) <= MAX_SHOWN and 2 * len(missing) <= n_features
    way = write_choice("--absent", missing) if few else "--absent zero"
    if 2 * len(missing) > n_features:
        way += f" --max-absent {len(missing)}"
    rename = "name it otherwise with --rename FILE"
    if len(missing) == n_features:
        return f", or {rename}"
    return f", {rename}, or say {way} to count 0"


def _list_gone(table: Axis, name: str) -> tuple[str, ...]:
    """Return the columns for lack of which a feature is absent: those of a term, or its own."""
    read = table.read(name)
    return read.columns if isinstance(read, Unread) and read.columns else (name,)


def _check_known(plan: Plan, table: Axis, axis: Axis, known: Collection[str]) -> None:
    for name in plan.options.absent:
        if name not in known and name not in table.places:
            what = f"--absent names {quote_name(name)}, which is no feature of {axis.path}"
            raise Misfit(plan, what, suggest_name(name, known, "--absent"))


def _check_count(plan: Plan, table: Axis, axis: Axis, n_features: int) -> None:
    """Refuse more absent features than are allowed: without a limit half of them."""
    most, n_absent = plan.options.max_absent, len(plan.absent)
    if n_absent <= (n_features // 2 if most is None else most):
        return
    what = f"{table.path} lacks {n_absent} of {n_features} features of {axis.path}"
    limit = "more than half" if most is None else f"more than --max-absent {most}"
    hint = f"say --max-absent {n_absent} if they are to count 0"
    what = f"{what}, {limit}: {quote_names(plan.absent)}"
    # Users and items are of one kind, so that fewer users' features fit the other way round, too.
    turnable: Turnable = None if plan.options.items else "by name"
    raise Misfit(replace(plan, absent=()), what, hint, turnable=turnable)


def _check_meant(plan: Plan, table: Axis, axis: Axis, gone: dict[str, tuple[str, ...]]) -> None:
    """Refuse to count 0 what is there under a name that hardly differs, or as a text."""
    there = {fold_name(name): name for name in table.places if name not in axis.places}
    for name, columns in gone.items():
        if close := next((there[fold_name(c)] for c in columns if fold_name(c) in there), None):
            what = f"{table.path} lacks {quote_name(name)} and has {quote_name(close)}"
            hint = f"rename it, with --rename FILE say, or {write_choice('--absent', [name])}"
            raise Misfit(replace(plan, absent=()), what, hint)
    if hint := explain_joined(plan, plan.absent)[0]:
        what = f"{table.path} lacks {quote_names(plan.absent)}, and has what may be meant"
        way = write_choice("--absent", plan.absent[:MAX_SHOWN])
        raise Misfit(replace(plan, absent=()), what, f"{hint}, or {way}")
