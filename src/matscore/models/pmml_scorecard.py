"""Scorecard of PMML: the points of the first attribute of each characteristic that is true."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product

from matscore.models.algebra import Feature, combine, constant
from matscore.models.factors import CONSTANT
from matscore.models.operations import both, multiply
from matscore.models.pmml_derived import Derived, compare, evaluate
from matscore.models.pmml_fields import read_array
from matscore.models.pmml_scores import Scores
from matscore.models.pmml_xml import Element
from matscore.models.refusal import Refusal, in_step
from matscore.terms import Factor, Interval, Level, Missing, Other, Term

MAX_CASES = 20_000  # of cells that one characteristic tells apart
Case = Mapping[str, Factor]
"""For each column the cell that it is: a level, other, missing, or an interval of numbers."""


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
    cases = _list_cases(tests)
    chosen = [_first_true(tests, case) for case in cases]
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


def _list_cases(tests: Sequence[Feature]) -> list[Case]:
    """Return all cells that the tests can tell apart, of all their columns together."""
    factors = {factor for test in tests for term in test.terms for factor in term}
    columns: dict[str, list[Factor]] = {}
    for name in sorted({factor.column for factor in factors}):
        own = [factor for factor in factors if factor.column == name]
        levels = {text for test in tests if name in test.levels for text in test.levels[name].texts}
        cells: list[Factor] = [Missing(name)]
        if levels:
            cells += [Other(name), *(Level(name, text) for text in sorted(levels))]
        else:
            cells += _cut(name, [one for one in own if isinstance(one, Interval)])
        if not all(isinstance(one, Interval | Level | Other | Missing) for one in own):
            raise Refusal(f'"{name}" is tested as more than a number or a text')
        columns[name] = cells
    if math.prod(map(len, columns.values())) > MAX_CASES:
        raise Refusal(f"it tells apart more than {MAX_CASES:,} cases")
    return [dict(zip(columns, cells, strict=True)) for cells in product(*columns.values())]


def _cut(name: str, intervals: Sequence[Interval]) -> list[Factor]:
    """Return the pieces of the numbers between all borders, and the borders themselves."""
    borders = sorted({one.low for one in intervals} | {one.high for one in intervals})
    borders = [-math.inf, *(b for b in borders if math.isfinite(b)), math.inf]
    found: list[Factor] = []
    for low, high in pairwise(borders):
        found.append(Interval(name, low, high))
        if math.isfinite(high):
            found.append(Interval(name, high, high, True, True))
    return found


def _first_true(tests: Sequence[Feature], case: Case) -> int | None:
    for i, test in enumerate(tests):
        if sum(c for term, c in test.terms.items() if all(_holds(f, case) for f in term)):
            return i
    return None


def _holds(factor: Factor, case: Case) -> bool:
    cell = case[factor.column]
    if not isinstance(factor, Interval) or not isinstance(cell, Interval):
        return factor == cell
    if cell.low == cell.high:
        above = factor.low < cell.low or (factor.low_closed and factor.low == cell.low)
        below = cell.high < factor.high or (factor.high_closed and factor.high == cell.high)
        return above and below
    return factor.low <= cell.low and cell.high <= factor.high


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
