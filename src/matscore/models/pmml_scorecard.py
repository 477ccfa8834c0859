"""Scorecard of PMML: the points of the first attribute of each characteristic that is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from matscore.models.algebra import Feature, combine, constant
from matscore.models.factors import CONSTANT
from matscore.models.operations import both, multiply
from matscore.models.pmml_cases import Case, find_first, list_cases
from matscore.models.pmml_derived import Derived, compare, evaluate
from matscore.models.pmml_fields import read_array
from matscore.models.pmml_scores import Scores
from matscore.models.pmml_xml import Element
from matscore.models.refusal import Refusal, in_step
from matscore.terms import Factor, Interval, Missing, Other, Term


def read_scorecard(model: Element, derived: Derived, target: str) -> Scores:
    """Return the score of a Scorecard."""
    parts = [constant(model.number("initialScore", 0.0))]
    for one in model.only("Characteristics").find("Characteristic"):
        with in_step(one.get("name") or "characteristic"):
            parts.append(_read_characteristic(one, derived))
    if len(parts) == 1:
        raise Refusal("it has no characteristics")
    facts = ("reason codes are not taken over",) if model.get("useReasonCodes") != "false" else ()
    return Scores((target,), (combine(parts, [1] * len(parts)),), "identity", facts)


def _read_characteristic(characteristic: Element, derived: Derived) -> Feature:
    attributes = characteristic.find("Attribute")
    tests = [_total(_read_predicate(one, derived)) for one in attributes]
    points = [_read_points(one, derived) for one in attributes]
    cases = list_cases(tests)
    chosen = [find_first(tests, case) for case in cases]
    undefined = _refuse_gaps(cases, chosen)
    if len({column for case in cases for column in case}) == 1 and not any(
        point.terms.keys() - {CONSTANT} for point in points
    ):
        found = _name_cells(cases, chosen, points)
    else:
        found, rest = constant(0), constant(1)
        for test, point in zip(tests, points, strict=True):
            inside = multiply(test, rest)
            found, rest = found + both(inside, point), rest - inside
    levels = {name: known for test in tests for name, known in test.levels.items()}
    refused = frozenset[Factor]().union(*(test.refused for test in tests))
    return replace(found, undefined=found.undefined | undefined, refused=refused, levels=levels)


def _read_points(attribute: Element, derived: Derived) -> Feature:
    for one in attribute.only("ComplexPartialScore").children:
        return evaluate(one, derived).number()
    return constant(attribute.number("partialScore"))


def _total(test: Feature) -> Feature:
    """Return a test that is 0 where a cell is missing: what is unknown is not true."""
    return replace(test, undefined=frozenset())


def _read_predicate(element: Element, derived: Derived) -> Feature:
    for one in element.children:
        match one.tag:
            case "True":
                return constant(1)
            case "False":
                return constant(0)
            case "SimplePredicate":
                return _read_simple(one, derived)
            case "SimpleSetPredicate":
                return _read_set(one, derived)
            case "CompoundPredicate":
                return _read_compound(one, derived)
    raise Refusal("an attribute without a predicate")


def _read_simple(element: Element, derived: Derived) -> Feature:
    field, operator = derived.find(element.need("field")), element.need("operator")
    match operator:
        case "isMissing":
            return field.missing()
        case "isNotMissing":
            return 1 - field.missing()
        case "equal":
            return field.equals(element.need("value"), "zero")
        case "notEqual":
            return multiply(1 - field.equals(element.need("value"), "zero"), 1 - field.missing())
        case "lessThan" | "lessOrEqual" | "greaterThan" | "greaterOrEqual":
            return _total(compare(field.number(), operator, element.number("value")))
    raise Refusal(f"operator {operator} is not known")


def _read_set(element: Element, derived: Derived) -> Feature:
    field, operator = derived.find(element.need("field")), element.need("booleanOperator")
    values = dict.fromkeys(read_array(element.only("Array")))
    inside = combine([field.equals(v, "zero") for v in values], [1] * len(values))
    if operator == "isIn":
        return inside
    if operator == "isNotIn":
        return multiply(1 - inside, 1 - field.missing())
    raise Refusal(f"booleanOperator {operator} is not known")


def _read_compound(element: Element, derived: Derived) -> Feature:
    operator = element.need("booleanOperator")
    parts = [_total(_read_predicate(Element("", {}, [one]), derived)) for one in element.children]
    if operator not in {"and", "or"} or not parts:
        raise Refusal(f"booleanOperator {operator} is not known")
    if operator == "or":
        parts = [1 - part for part in parts]
    found = parts[0]
    for part in parts[1:]:
        found = multiply(found, part)
    return 1 - found if operator == "or" else found


def _refuse_gaps(cases: Sequence[Case], chosen: Sequence[int | None]) -> frozenset[Factor]:
    """Return the cells for which no attribute is true; numbers among them are refused."""
    gaps = [case for case, one in zip(cases, chosen, strict=True) if one is None]
    cells: set[Factor] = set()
    for case in gaps:
        odd = [cell for cell in case.values() if isinstance(cell, Missing | Other)]
        if not odd:
            told = ", ".join(f'"{cell.column}"' for cell in case.values())
            raise Refusal(
                f"for some numbers or texts of {told} none of its attributes is true",
                "let its outer intervals go on without end, or add one that is always true",
            )
        cells.update(odd)
    return frozenset(cells)


def _name_cells(
    cases: Sequence[Case], chosen: Sequence[int | None], points: Sequence[Feature]
) -> Feature:
    """Return the points of one column as the fewest intervals and levels, without a constant."""
    terms: dict[Term, Fraction] = {}
    last: tuple[Interval, int] | None = None
    for case, one in zip(cases, chosen, strict=True):
        (cell,) = case.values()
        if one is None:
            continue
        if (
            isinstance(cell, Interval)
            and last is not None
            and last[1] == one
            and _touch(last[0], cell)
        ):
            terms.pop((last[0],))
            cell = replace(last[0], high=cell.high, high_closed=cell.high_closed)
        if isinstance(cell, Interval):
            last = cell, one
        terms[(cell,)] = points[one].constant
    return Feature(terms)


def _touch(one: Interval, other: Interval) -> bool:
    return one.high == other.low and (one.high_closed or other.low_closed)
