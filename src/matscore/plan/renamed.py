"""Features whose columns have other names than the weights', as a list of pairs says.

The plan is made of the features under their new names; options and messages about the file, and
what is carried into the output, keep to the names that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from matscore.names import MAX_SHOWN, quote_name, quote_names, write_choice
from matscore.options import PlanOptions
from matscore.plan.types import Misfit, Plan, Side, may_have_terms
from matscore.spelling import suggest_name
from matscore.terms import TermError, parse_term

Maker = Callable[[Side, Side, PlanOptions], Plan]


def plan_renamed(make: Maker, features: Side, weights: Side, options: PlanOptions) -> Plan:
    """Line up features under their new names; never raises, as the maker of plans does not."""
    given = Plan(features, weights, options)
    try:
        renames = _settle(given)
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
    # Of names that are missing it may be the reason.
    columns = tuple(_iter_names(weights)) if plan.missing else plan.feature_names
    if plan.terms is not None:
        columns = (*plan.terms.numbers, *(column.name for column in plan.terms.texts))
    if not (plan.ok or plan.missing):
        return plan
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
    _check_columns(plan, renames, names)
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


def _check_columns(plan: Plan, renames: Mapping[str, str], names: Collection[str]) -> None:
    where, path = _name(plan.options), plan.features.path
    if unknown := [name for name in renames if name not in names]:
        what = f"{where} renames {quote_names(unknown)}, which {path} has not"
        raise Misfit(plan, what, suggest_name(unknown[0], names) or "take it out")
    for name, new in renames.items():
        if new in names and new not in renames:
            what = f"{where} renames {quote_name(name)} to {quote_name(new)}, which {path} has too"
            raise Misfit(plan, what, "take the line out, or rename both")


def _iter_names(weights: Side) -> Iterator[str]:
    """Yield what features may be called in weights: their names, and columns that terms read."""
    for name in (*(weights.first or ()), *(weights.names or ())):
        yield name
        if may_have_terms([name]):
            try:
                yield from (factor.column for factor in parse_term(name))
            except TermError:
                continue
