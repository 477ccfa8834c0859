"""Scorecard of PMML: the points of the first attribute of each characteristic that is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from matscore.models.algebra import Feature, combine, constant
from matscore.models.operations import both, compute, is_number, multiply
from matscore.models.pmml_derived import Fields
from matscore.models.pmml_fields import Field, as_number, holds, iter_cases, missing, never_missing
from matscore.models.pmml_xml import Element, read_array
from matscore.models.refusal import Refusal, in_step
from matscore.terms import Factor, Interval, Missing, Other, Term

_COMPARISONS = {
    "lessThan": "<", "lessOrEqual": "<=", "greaterThan": ">", "greaterOrEqual": ">=",
}  # fmt: skip


def read_scorecard(model: Element, fields: Fields) -> tuple[Feature, tuple[str, ...]]:
    """Return the score, and what is to be known of it."""
    parts = [constant(model.number("initialScore", 0.0))]
    for one in model.only("Characteristics").find("Characteristic"):
        with in_step(one.get("name") or "characteristic"):
            parts.append(_read_characteristic(one.find("Attribute"), fields))
    if len(parts) == 1:
        raise Refusal("it has no characteristics")
    facts = ("reason codes are not taken over",) if model.get("useReasonCodes") != "false" else ()
    return combine(parts, [1] * len(parts)), facts


def _read_characteristic(attributes: Sequence[Element], fields: Fields) -> Feature:
    found, rest, is_plain = constant(0), constant(1), True
    columns: set[str] = set()
    for one in attributes:
        test = _read_predicate(one.children[0] if one.children else one, fields)
        columns |= {factor.column for term in test.terms for factor in term}
        computed = one.only("ComplexPartialScore").children
        if computed:
            points = as_number(fields.evaluate(computed[0]))
        else:
            points = constant(one.number("partialScore"))
        is_plain &= is_number(points)
        inside = multiply(test, rest)
        found, rest = found + both(inside, points), rest - inside
    gaps = _find_gaps(rest)
    if is_plain and len(columns) == 1:
        found = replace(found, terms=_join_pieces(found, rest))
    return replace(found, undefined=found.undefined | gaps)


def _read_predicate(element: Element, fields: Fields) -> Feature:
    """Return 1 where a predicate is true; what is unknown is not."""
    match element.tag:
        case "True":
            return constant(1)
        case "False":
            return constant(0)
        case "SimplePredicate":
            return never_missing(_read_simple(element, fields))
        case "SimpleSetPredicate":
            field, operator = fields.find(element.need("field")), element.need("booleanOperator")
            values = dict.fromkeys(read_array(element.only("Array")))
            inside = combine([holds(field, value) for value in values], [1] * len(values))
            if operator in {"isIn", "isNotIn"}:
                return inside if operator == "isIn" else _not_in(field, inside)
        case "CompoundPredicate":
            operator = element.need("booleanOperator")
            parts = [_read_predicate(one, fields) for one in element.children]
            if operator in {"and", "or"} and parts:
                return compute("&" if operator == "and" else "|", *parts)
    raise Refusal(f"{element.tag} is no predicate that is known")


def _read_simple(element: Element, fields: Fields) -> Feature:
    field, operator = fields.find(element.need("field")), element.need("operator")
    match operator:
        case "isMissing":
            return missing(field)
        case "isNotMissing":
            return 1 - missing(field)
        case "equal":
            return holds(field, element.need("value"))
        case "notEqual":
            return _not_in(field, holds(field, element.need("value")))
    if operator not in _COMPARISONS:
        raise Refusal(f"operator {operator} is not known")
    border = constant(element.number("value"))
    return compute(_COMPARISONS[operator], as_number(field), border)


def _not_in(field: Field, inside: Feature) -> Feature:
    return multiply(1 - inside, 1 - missing(field))


def _find_gaps(rest: Feature) -> frozenset[Factor]:
    """Return the cells for which no attribute is true; numbers among them are refused."""
    cells: set[Factor] = set()
    for case in (case for case, (left,) in iter_cases([rest]) if left):
        gaps = [cell for cell in case if isinstance(cell, Missing | Other)]
        if not gaps:
            told = ", ".join(f'"{cell.column}"' for cell in case)
            what = f"for some numbers or texts of {told} none of its attributes is true"
            hint = "let its outer intervals go on without end, or add one that is always true"
            raise Refusal(what, hint)
        cells.update(gaps)
    return frozenset(cells)


def _join_pieces(found: Feature, rest: Feature) -> Mapping[Term, Fraction]:
    """Return points of one column as the fewest intervals and levels, without a constant."""
    terms: dict[Term, Fraction] = {}
    last: Interval | None = None
    for case, (points, left) in iter_cases([found, rest]):
        piece = case[0]
        if left:
            continue
        if isinstance(piece, Interval):
            if last and last.high == piece.low and terms[(last,)] == points:
                terms.pop((last,))
                piece = replace(piece, low=last.low, low_closed=last.low_closed)
            last = piece
        terms[(piece,)] = points
    return terms
