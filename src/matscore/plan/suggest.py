"""What would make files fit that do not: the two swapped, one transposed, other names.

Names of other tools, of columns joined with their values or functions of R, are never split on a
guess: what they may mean is said, and people decide.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from matscore.names import MAX_SHOWN, may_be_intercept, quote_name, quote_names
from matscore.plan.doubts import attempt, check_first_records, read_sides
from matscore.plan.headings import drop_link
from matscore.plan.types import Misfit, Plan, Turnable, other_turn
from matscore.spelling import drop_step, find_close, make_r_name, suggest
from matscore.terms import FUNCTIONS, Factor, Function, Level, Power, Term, write_term

_VECTOR = re.compile(r"\s*\[\s*[-+.\deE]+(?:[,;\s]+[-+.\deE]+)+\s*\]\s*")
# How a level is written: by R, pandas and scikit-learn, H2O, SAS, patsy and formulaic, Stata.
_FORMS = (
    "{column}{value}", "{column}_{value}", "{column}.{value}", "{column} {value}",
    "{column}-{value}", "{column}: {value}", "{column}[{value}]", "{column}[T.{value}]",
    "[{column}={value}]", "{value}.{column}",
)  # fmt: skip
_WRAPPED = re.compile(r"(?:C|factor|as\.factor)\(([^(),]+)(?:,[^()]*)?\)")
_POWERS = (
    re.compile(r"I\((.+?)\s*(?:\^|\*\*)\s*([0-9]+)\)"),
    re.compile(r"(.+?)\s*\*\*\s*([0-9]+)"),
    re.compile(r"(?:np|numpy)\.power\((.+?),\s*([0-9]+)\)"),
)
_CALL = re.compile(rf"(?:I\()?(?:np\.|numpy\.)?({'|'.join(FUNCTIONS)})\((.+?)\)\)?")


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
    joined, known = explain_joined(plan, misfit.missing)
    meant = suggest([one for one in missing if one.name not in known])
    meant += "; --rename FILE takes two names for one" * bool(meant)
    hints = (*_explain_unnamed(plan, misfit.missing), _explain_vectors(plan), joined, meant)
    hint = "; ".join(filter(None, hints)) or plan.hint
    if plan.transpose != plan.options.transpose and not plan.options.auto_transpose:
        hint += f", and {plan.options.words.advise(plan.transpose)}"
    return replace(plan, missing=missing, hint=hint)


def read_joined(name: str, columns: Mapping[str, Sequence[str]]) -> list[Term]:
    """Return the terms that a name of another tool may mean.

    `columns` are all columns, with the values of those that are text.

    Examples
    --------
    >>> columns = {"age": (), "region": ("East", "North")}
    >>> [write_term(term) for term in read_joined("age:C(region)[T.North]", columns)]
    ['age:region=North']
    >>> [write_term(term) for term in read_joined("I(age ** 2)", columns)]
    ['age^2']
    """
    terms: list[Term] = [()]
    for piece in name.split(":") if not name.startswith("[") else name.split("*"):
        factors = list(dict.fromkeys(read_factors(piece.strip(), columns)))
        terms = [(*term, factor) for term in terms for factor in factors]
    return terms


def read_factors(piece: str, columns: Mapping[str, Sequence[str]]) -> Iterator[Factor]:
    """Yield the factors that a name of another tool, of no product, may mean."""
    bare = piece.replace("`", "")  # of R, around a column whose name is no name there
    for text in dict.fromkeys((piece, drop_step(piece), bare)):
        if text in columns:
            yield Power(text)
        for form in _POWERS:
            if (match := form.fullmatch(text)) and match[1] in columns and int(match[2]):
                yield Power(match[1], int(match[2]))
        if (match := _CALL.fullmatch(text)) and match[2] in columns:
            yield Function(match[1], match[2])
        plain = _WRAPPED.sub(r"\1", text)
        for column, values in columns.items():
            made = make_r_name(column) if "." in plain else column
            if not column or (column not in plain and made not in plain):
                continue
            for value in values:
                ways = [form.format(column=column, value=value) for form in _FORMS]
                if plain in ways or ("." in plain and plain == make_r_name(ways[0])):
                    yield Level(column, value)


def explain_joined(plan: Plan, names: Sequence[str]) -> tuple[str, set[str]]:
    """Say what to write where names are those that other tools give to encoded columns.

    With it come those of the first names that it is about.
    """
    side = plan.features
    if side.peek is None or side.names is None or plan.transpose_features or plan.options.items:
        return "", set()
    columns: dict[str, Sequence[str]] = {}
    for name, cells in zip(side.names, side.peek(), strict=True):
        texts = {cell for cell in cells if not side.grammar.is_missing(cell)}
        columns[name] = () if all(map(side.grammar.is_number, texts)) else sorted(texts)
    found = {name: terms for name in names if (terms := read_joined(name, columns))}
    known = {name for name in names[:MAX_SHOWN] if name in found}
    return _write_joined(found, columns) if found else "", known


def _write_joined(found: Mapping[str, Sequence[Term]], columns: Mapping[str, Sequence[str]]) -> str:
    """Say what to write for names of other tools that mean some terms."""
    shown = [
        f"{' or '.join(map(write_term, terms))} for {quote_name(name)}"
        for name, terms in list(found.items())[:MAX_SHOWN]
    ]
    more = f" and {len(found) - MAX_SHOWN} more likewise" if len(found) > MAX_SHOWN else ""
    named: dict[str, set[str]] = {}
    for factor in (f for terms in found.values() for term in terms for f in term):
        if isinstance(factor, Level):
            named.setdefault(factor.column, set()).add(factor.text)
    rest = [
        write_term((Level(column, value),))
        for column, levels in named.items()
        for value in columns[column]
        if value not in levels
    ][:MAX_SHOWN]
    zeros = f", and rows of zeros for what is the reference: {', '.join(rest)}" if rest else ""
    return f"write {', '.join(shown)}{more}{zeros}"
