"""Features that the features file lacks: it has other names for them, or they count 0.

A plan with other names is made of the features under their new names; options and messages about
the file, and what is carried into the output, keep to the names that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from matscore.names import (
    MAX_SHOWN,
    fold_name,
    may_be_term,
    quote_name,
    quote_names,
    write_choice,
)
from matscore.options import PlanOptions
from matscore.plan.types import Axis, Misfit, Plan, Side, Turnable
from matscore.spelling import suggest_name
from matscore.terms import try_term

Maker = Callable[[Side, Side, PlanOptions], Plan]


def plan_renamed(make: Maker, features: Side, weights: Side, options: PlanOptions) -> Plan:
    """Line up features under their new names; never raises, as the maker of plans does not."""
    try:
        renames = _settle(Plan(features, weights, options))
    except Misfit as misfit:
        return misfit.plan
    old = {new: name for name, new in renames.items()}
    asked = replace(
        options,
        renames=(),
        id_col=renames.get(options.id_col or "", options.id_col),
        truth=renames.get(options.truth or "", options.truth),
        keep_cols=tuple(renames.get(name, name) for name in options.keep_cols),
    )
    plan = make(_rename(features, renames, options), weights, asked)
    plan = replace(
        plan,
        features=features,
        options=replace(options, renames=tuple(renames.items())),
        kept_names=tuple(old.get(name, name) for name in plan.kept_names),
    )
    if not (plan.ok or plan.missing):
        return plan
    # Of names that are missing it may be the reason.
    columns = tuple(_iter_names(weights)) if plan.missing else plan.feature_names
    if plan.terms is not None:
        columns = (*plan.terms.numbers, *(column.name for column in plan.terms.texts))
    if unused := [new for new in renames.values() if new not in columns]:
        what = f"{_name(options)} renames to {quote_names(unused)}, which {weights.path} has not"
        hint = suggest_name(unused[0], columns) or "take it out"
        return replace(plan, problem=what, hint=hint)
    if not plan.ok:
        return plan
    pairs = [f"{quote_name(name)} is {quote_name(new)}" for name, new in renames.items()]
    more = f" and {len(pairs) - MAX_SHOWN} more" if len(pairs) > MAX_SHOWN else ""
    fact = f"renamed: {', '.join(pairs[:MAX_SHOWN])}{more}"
    return replace(plan, facts=(*plan.facts, fact))


def _name(options: PlanOptions) -> str:
    return "rename" if options.rename is None else str(options.rename)


def _rename(side: Side, renames: Mapping[str, str], options: PlanOptions) -> Side:
    def give(cells: Sequence[str] | None) -> tuple[str, ...] | None:
        return None if cells is None else tuple(renames.get(cell, cell) for cell in cells)

    if options.transpose_features:
        return replace(side, first=give(side.first))
    record = give(side.first_record) if side.names is not None else side.first_record
    return replace(side, names=give(side.names), first_record=record)


def _settle(plan: Plan) -> dict[str, str]:
    """Return the new name of each column, or raise a `Misfit`."""
    options, features, where = plan.options, plan.features, _name(plan.options)
    names = features.first if options.transpose_features else features.names
    if names is None:
        what = f"{where} renames columns, and {features.path} has no names"
        raise Misfit(plan, what, "name them, say --headers if it has a header")
    pairs = list(options.renames)
    # A file may have a header, which names nothing on either side.
    may_head = options.rename is not None and pairs[0][0] not in names
    if may_head and pairs[0][1] not in {*_iter_names(plan.weights)}:
        pairs = pairs[1:]
    if not pairs:
        raise Misfit(plan, f"{where} renames no column", "give it two names a line")
    for place, which in enumerate(("renames", "gives the name")):
        side = [pair[place] for pair in pairs]
        if twice := [name for name in dict.fromkeys(side) if side.count(name) > 1]:
            raise Misfit(plan, f"{where} {which} {quote_names(twice)} twice", "leave one line")
    renames = dict(pairs)
    if unknown := [name for name in renames if name not in names]:
        what = f"{where} renames {quote_names(unknown)}, which {features.path} has not"
        raise Misfit(plan, what, suggest_name(unknown[0], names) or "take it out")
    for name, new in renames.items():
        if new in names and new not in renames:
            what = f"{where} renames {quote_name(name)} to {quote_name(new)}"
            hint = "take the line out, or rename both"
            raise Misfit(plan, f"{what}, which {features.path} has too", hint)
    _check_options(plan, renames, names)
    return renames


def _check_options(plan: Plan, renames: Mapping[str, str], names: Collection[str]) -> None:
    """Refuse an option that calls a column by its new name, which the file has not."""
    options = plan.options
    asked = [("--keep-cols", name) for name in options.keep_cols]
    asked += [("--id-col", options.id_col or ""), ("--truth", options.truth or "")]
    for flag, name in asked:
        if name and name not in names:
            known = [old for old, new in renames.items() if new == name]
            hint = f"say {write_choice(flag, known)}" if known else suggest_name(name, names, flag)
            what = f"{plan.features.path} has no column {quote_name(name)}"
            raise Misfit(plan, what, hint)


def _iter_names(weights: Side) -> Iterator[str]:
    """Yield what features may be called in weights: their names, and columns that terms read."""
    for name in (*(weights.first or ()), *(weights.names or ())):
        yield name
        if may_be_term(name):
            yield from (factor.column for factor in try_term(name))


def set_absent(plan: Plan, table: Axis, axis: Axis, wanted: Collection[str]) -> Plan:
    """Return the plan with the features that count 0; `wanted` are those of the weights."""
    options = plan.options
    gone = {name: _list_gone(table, name) for name in wanted if not table.knows(name)}
    known = dict.fromkeys((*wanted, *(name for names in gone.values() for name in names)))
    for name in options.absent:
        if name not in known and name not in table.places:
            what = f"--absent names {quote_name(name)}, which is no feature of {axis.path}"
            raise Misfit(plan, what, suggest_name(name, known, "--absent"))
    absent = tuple(
        name
        for name, columns in gone.items()
        if options.absent_zero or name in options.absent or {*columns} <= {*options.absent}
    )
    if len(absent) == len(wanted):
        what = f"{table.path} has none of the features of {axis.path}: {quote_names(absent)}"
        hint = f"give it columns of these names, not {quote_names(list(table.places))}"
        raise Misfit(plan, what, hint, turnable="by name")
    _check_count(plan, table, axis, absent, len(wanted))
    if options.absent_zero:
        _check_meant(plan, table, axis, gone)
    return replace(plan, absent=absent)


def _list_gone(table: Axis, name: str) -> tuple[str, ...]:
    """Return the columns for lack of which a feature is absent: those of a term, or its own."""
    read = table.read(name)
    if read is None or isinstance(read, tuple):
        return (name,)
    return read.columns or (name,)


def _check_count(
    plan: Plan, table: Axis, axis: Axis, absent: Sequence[str], n_features: int
) -> None:
    """Refuse more absent features than are allowed: without a limit half of them."""
    most, n_absent = plan.options.max_absent, len(absent)
    if n_absent <= (n_features // 2 if most is None else most):
        return
    what = f"{table.path} lacks {n_absent} of {n_features} features of {axis.path}"
    limit = "more than half" if most is None else f"more than --max-absent {most}"
    hint = f"say --max-absent {n_absent} if they are to count 0"
    # Users and items are of one kind, so that fewer users' features fit the other way round, too.
    turnable: Turnable = None if plan.options.items else "by name"
    raise Misfit(plan, f"{what}, {limit}: {quote_names(absent)}", hint, turnable=turnable)


def _check_meant(plan: Plan, table: Axis, axis: Axis, gone: Mapping[str, Sequence[str]]) -> None:
    """Refuse to count 0 what is there under a name that hardly differs, or as a text."""
    from matscore.plan.suggest import explain_joined

    there = {fold_name(name): name for name in table.places if name not in axis.places}
    for name, columns in gone.items():
        if close := next((there[fold_name(c)] for c in columns if fold_name(c) in there), None):
            what = f"{table.path} lacks {quote_name(name)} and has {quote_name(close)}"
            hint = f"rename it, with --rename FILE say, or {write_choice('--absent', [name])}"
            raise Misfit(plan, what, hint)
    absent = tuple(gone)
    if hint := explain_joined(plan, absent)[0]:
        what = f"{table.path} lacks {quote_names(absent)}, and has what may be meant"
        way = write_choice("--absent", absent[:MAX_SHOWN])
        raise Misfit(plan, what, f"{hint}, or {way}")


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
