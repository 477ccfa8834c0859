"""Scorecard of PMML: the points of the first attribute of each characteristic that is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from matscore.models.algebra import Feature, combine, constant
from matscore.models.bounds import Refusal, in_step
from matscore.models.operations import both, compute, multiply
from matscore.models.pmml_derived import Fields
from matscore.models.pmml_fields import (
    Field,
    as_number,
    find_first,
    find_gaps,
    holds,
    missing,
    never_missing,
)
from matscore.models.pmml_xml import Element, read_array

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
    tests = [
        _read_predicate(one.children[0] if one.children else one, fields) for one in attributes
    ]
    indicators, left = find_first(tests)
    parts = [
        both(indicator, _read_points(one, fields))
        for indicator, one in zip(indicators, attributes, strict=True)
    ]
    found = combine(parts, [1] * len(parts))
    return replace(found, undefined=found.undefined | find_gaps(left))


def _read_points(attribute: Element, fields: Fields) -> Feature:
    computed = attribute.only("ComplexPartialScore").children
    if computed:
        return as_number(fields.evaluate(computed[0]))
    return constant(attribute.number("partialScore"))


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
