"""Derived fields of PMML: normalised, cut into bins, mapped, computed by Apply; cases of tests.

Facts: PMML 4.4, "Transformations", "Built-in Functions". What does not stay a sum of terms, or is
not known, is refused by the name of the field and of the function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from itertools import pairwise, product

from matscore.models.algebra import Feature, Levels, align, combine, constant, exact, join_features
from matscore.models.bounds import Refusal, check_depth, in_step
from matscore.models.operations import compute, multiply
from matscore.models.pmml_fields import (
    Choice,
    Element,
    Field,
    Schema,
    as_number,
    equals,
    holds,
    in_interval,
    missing,
    read_number,
)
from matscore.terms import Factor, Interval, Level, Missing, Other, Term

MAX_WORK = 1_000_000  # comparisons of factors with cells
MAX_CHAIN = 50  # of fields that are derived of one another
_NUMERIC = {"integer", "float", "double"}


class Fields:
    """Fields of the file and those derived of them, by name, made when they are asked for."""

    def __init__(self, root: Element, model: Element, sample: str | None = None) -> None:
        self.columns = Schema(root, model, sample)
        places = root.only("TransformationDictionary"), model.only("LocalTransformations")
        found = [one for place in places for one in place.find("DerivedField")]
        self.waiting = {one.need("name"): one for one in found}
        changed = [*_find_changed(places[0]), *_find_changed(model)]
        self.changed = {ref.get("field") for ref in changed}
        self.made: dict[str, Field] = {}
        self.chain: list[str] = []
        self.steps: list[str] = []

    def find(self, name: str) -> Field:
        """Return a field."""
        if name in self.made:
            return self.made[name]
        if name not in self.waiting:
            self.made[name] = self.columns.make(name, is_changed=name in self.changed)
            return self.made[name]
        if name in self.chain:
            raise Refusal(f'"{name}" is made of itself')
        check_depth(len(self.chain), MAX_CHAIN)
        self.chain.append(name)
        element = self.waiting[name]
        known = next((child for child in element.children if child.tag in _MAKERS), element)
        with in_step(name):
            self.made[name] = self.evaluate(known)
        self.chain.pop()
        self.steps.append(name)
        return self.made[name]

    def number(self, name: str) -> Feature:
        """Return a field that is a number."""
        return as_number(self.find(name))

    def evaluate(self, element: Element) -> Field:
        """Return what an expression comes to."""
        if element.tag not in _MAKERS:
            raise Refusal(f"{element.tag} is not known")
        found = _MAKERS[element.tag](element, self)
        if element.tag in _MAPPING or "mapMissingTo" not in element.attributes:
            return found
        if isinstance(found, Feature):
            return found.impute(element.number("mapMissingTo"))
        values = _add(found.values, element.get("mapMissingTo"), found.gap)
        return Choice(values, constant(0), found.is_open)


def _add(values: Mapping[str, Feature], value: str, feature: Feature) -> dict[str, Feature]:
    return {**values, value: values[value] + feature if value in values else feature}


def _find_changed(place: Element) -> list[Element]:
    """Return the references to fields whose texts are changed."""
    changing = (one for one in place.walk() if one.get("function") in _TEXTS)
    return [ref for one in changing for ref in one.walk() if ref.tag == "FieldRef"]


def _read_constant(element: Element, _: Fields) -> Field:
    if element.get("missing") == "true":
        raise Refusal("a constant that is missing")
    if element.get("dataType", "double") in _NUMERIC:
        return constant(read_number(element.text))
    return Choice({element.text: constant(1)}, constant(0))


def _norm_continuous(element: Element, fields: Fields) -> Field:
    """Return the lines between the points of a NormContinuous, each in its interval."""
    number = fields.number(element.need("field"))
    points = [(one.number("orig"), one.number("norm")) for one in element.find("LinearNorm")]
    outliers = element.get("outliers", "asIs")
    if len(points) < 2 or any(a >= b for (a, _), (b, _) in pairwise(points)):
        raise Refusal("NormContinuous whose points do not grow")
    if outliers not in {"asIs", "asExtremeValues"}:
        raise Refusal(f"NormContinuous with outliers {outliers}")
    lines = [
        (number - x) * (exact(v - u) / exact(y - x)) + u for (x, u), (y, v) in pairwise(points)
    ]
    borders = [x for x, _ in points[1:-1]]
    if outliers == "asExtremeValues":
        borders = [x for x, _ in points]
        lines = [constant(points[0][1]), *lines, constant(points[-1][1])]
    pieces = number.bucket(borders) if borders else [constant(1)]
    parts = [multiply(piece, line) for piece, line in zip(pieces, lines, strict=True)]
    return combine(parts, [1] * len(parts))


def _discretize(element: Element, fields: Fields) -> Field:
    number = fields.number(element.need("field"))
    bins = element.find("DiscretizeBin")
    tests = [in_interval(number, one.only("Interval")) for one in bins]
    return _choose_first(element, [number], tests, [one.need("binValue") for one in bins])


def _map_values(element: Element, fields: Fields) -> Field:
    pairs = element.find("FieldColumnPair")
    columns = [(fields.find(one.need("field")), one.need("column")) for one in pairs]
    tests, chosen = [], []
    for row in element.only("InlineTable").find("row"):
        cells = {cell.tag: cell.text for cell in row.children}
        one = [holds(field, cells.get(name, "")) for field, name in columns]
        tests.append(reduce(multiply, one) if one else constant(1))
        chosen.append(cells.get(element.need("outputColumn"), ""))
    return _choose_first(element, [field for field, _ in columns], tests, chosen)


def _choose_first(
    element: Element, fields: Sequence[Field], tests: Sequence[Feature], chosen: Sequence[str]
) -> Field:
    """Return the value of the first test that is true; else the default, or what is missing."""
    indicators, left = find_first([*tests, compute("|", *map(missing, fields))])
    rest = replace(indicators[-1], terms=dict.fromkeys(left, exact(1)))
    gap, nothing = indicators.pop(), replace(rest, terms={})
    parts: dict[str, list[Feature]] = {}
    for value, one in zip(chosen, indicators, strict=True):
        parts.setdefault(value, []).append(one)
    if "mapMissingTo" in element.attributes:
        parts.setdefault(element.get("mapMissingTo"), []).append(gap)
        gap = nothing
    if "defaultValue" in element.attributes:
        parts.setdefault(element.get("defaultValue"), []).append(rest)
        rest = nothing
    values = {value: combine(several, [1] * len(several)) for value, several in parts.items()}
    return Choice(values, gap + rest)


def _apply(element: Element, fields: Fields) -> Field:
    name, operands = element.need("function"), element.children
    if "defaultValue" in element.attributes:
        raise Refusal(f"function {name} with a defaultValue")
    if name in _TEXTS:
        return _change_text(name, operands, fields)
    if name in _OPERATIONS:
        parts = [fields.evaluate(one) for one in operands]
        if name == "if" and len(parts) == 3 and all(isinstance(one, Choice) for one in parts[1:]):
            return _choose_value(*parts)
        return compute(_OPERATIONS[name], *map(as_number, parts))
    if name not in _TESTS or not operands:
        raise Refusal(f"function {name} is not known, or does not stay a sum of terms")
    if operands[0].tag == "Constant" and len(operands) == 2:
        operands = operands[::-1]
    if any(one.tag != "Constant" for one in operands[1:]):
        raise Refusal(f"function {name} of two fields")
    field = fields.evaluate(operands[0])
    test = _TESTS[name](field, [one.text for one in operands[1:]])
    return 1 - test if "Not" in name or name.startswith("not") else test


def _choose_value(test: Field, yes: Field, no: Field) -> Field:
    """Return if() of values."""
    assert isinstance(yes, Choice)
    assert isinstance(no, Choice)
    chosen = as_number(test)
    if chosen.undefined:
        raise Refusal("function if of a test that may be missing")
    values = {
        value: compute("if", chosen, yes.find(value), no.find(value))
        for value in {**yes.values, **no.values}
    }
    gap = compute("if", chosen, yes.gap, no.gap)
    return Choice(values, gap, yes.is_open or no.is_open)


def _is_in(field: Field, values: Sequence[str]) -> Feature:
    found = [equals(field, value) for value in values]
    return combine(found, [1] * len(found))


def _is_missing(field: Field, values: Sequence[str]) -> Feature:
    if values:
        raise Refusal("function isMissing of two arguments")
    return missing(field)


def _change_text(name: str, operands: Sequence[Element], fields: Fields) -> Field:
    """Return a text that is made of another: each of its values becomes a new one."""
    if name in _SAS:  # its width comes first
        operands = [*operands[1:], Element("Constant", {}, [], "1"), *operands[:1]]
    numbers = [int(read_number(one.text)) for one in operands[1:]]
    if not operands or len(numbers) != (2 if name in {"substring", *_SAS} else 0):
        raise Refusal(f"function {name} of {len(operands)} arguments")
    field = fields.evaluate(operands[0])
    if isinstance(field, Feature):
        raise Refusal(f"function {name} of a number")
    values: dict[str, Feature] = {}
    for old, indicator in field.values.items():
        values = _add(values, _TEXTS[name](old, *numbers), indicator)
    return Choice(values, field.gap)


def _cut_text(text: str, start: int, length: int) -> str:
    return text[start - 1 : start - 1 + length]


_SAS = ("SAS-EM-String-Normalize", "SAS-FORMAT-$CHARw")
# Those of SAS are defined by a file too, in a way that is not right.
_TEXTS: Mapping[str, Callable[..., str]] = {
    "uppercase": str.upper,
    "lowercase": str.lower,
    "trimBlanks": str.strip,
    "substring": _cut_text,
    "SAS-EM-String-Normalize": lambda text, *cut: _cut_text(text, *cut).upper().strip(),
    "SAS-FORMAT-$CHARw": _cut_text,
}
_MAPPING = {"Discretize", "MapValues"}  # which say themselves what a missing one becomes
_MAKERS: Mapping[str, Callable[[Element, Fields], Field]] = {
    "FieldRef": lambda element, fields: fields.find(element.need("field")),
    "Constant": _read_constant,
    "NormContinuous": _norm_continuous,
    "NormDiscrete": lambda element, fields: equals(
        fields.find(element.need("field")), element.need("value")
    ),
    "Discretize": _discretize,
    "MapValues": _map_values,
    "Apply": _apply,
}
# Functions by the names that operations have.
COMPARISONS: Mapping[str, str] = {
    "lessThan": "<", "lessOrEqual": "<=", "greaterThan": ">", "greaterOrEqual": ">=",
}  # fmt: skip
_OPERATIONS: Mapping[str, str] = {
    **COMPARISONS,
    **{name: name for name in ("+", "-", "*", "/", "if", "log10", "exp", "sqrt", "abs", "expm1")},
    "ln": "log", "ln1p": "log1p", "pow": "^", "not": "!", "and": "&", "or": "|", "threshold": ">",
}  # fmt: skip
_TESTS: Mapping[str, Callable[[Field, Sequence[str]], Feature]] = {
    "equal": _is_in,
    "notEqual": _is_in,
    "isIn": _is_in,
    "isNotIn": _is_in,
    "isMissing": _is_missing,
    "isNotMissing": _is_missing,
}


# ------------------------------------------------------------------------------------------- cases


def find_first(tests: Sequence[Feature]) -> tuple[list[Feature], list[Term]]:
    """Return where each of some tests is the first that is true, and the cells where none is.

    A cell is a factor of each column: a level, other, missing, or an interval of numbers.
    """
    tests = align(tests)
    whole = join_features({}, tests)
    pieces: list[dict[Term, Fraction]] = [{} for _ in tests]
    left: list[Term] = []
    last: tuple[Term, int | None] = (), None
    for case, first in _iter_cases(tests, whole):
        piece = case
        if first is None:
            left.append(case)
        else:
            if first == last[1] and (joined := _join(last[0], case)):
                del pieces[first][last[0]]
                piece = joined
            pieces[first][piece] = Fraction(1)
        last = piece, first
    found = [Feature(terms, refused=whole.refused, levels=whole.levels) for terms in pieces]
    return found, left


def _iter_cases(tests: Sequence[Feature], whole: Feature) -> Iterator[tuple[Term, int | None]]:
    """Yield all cells that are not refused, and which test is the first that is true there."""
    constants = {i: test.constant for i, test in enumerate(tests) if test.constant}
    mentions: dict[Factor, list[tuple[int, frozenset[Factor], Fraction]]] = {}
    for i, test in enumerate(tests):
        for term, c in test.terms.items():
            if term:
                mentions.setdefault(term[0], []).append((i, frozenset(term), c))
    factors = {factor for test in tests for term in test.terms for factor in term}
    columns = [
        _list_cells(name, whole.levels.get(name), {one for one in factors if one.column == name})
        for name in sorted({factor.column for factor in factors})
    ]
    n_cases = math.prod(map(len, columns))
    work = n_cases * (len(constants) + 1)
    for cells in columns:
        n_held = sum(len(mentions.get(factor, ())) for _, true in cells for factor in true)
        work += n_held * n_cases // len(cells)
    if work > MAX_WORK:
        raise Refusal(f"it tells apart {n_cases:,} cases, which are too many")
    for case in product(*columns):
        term = tuple(cell for cell, _ in case)
        if whole.refused.isdisjoint(term):
            true = frozenset[Factor]().union(*(held for _, held in case))
            values = dict(constants)
            for i, needed, c in (one for factor in true for one in mentions.get(factor, ())):
                if needed <= true:
                    values[i] = values.get(i, Fraction(0)) + c
            yield term, min((i for i, value in values.items() if value), default=None)


def _list_cells(
    name: str, levels: Levels | None, own: set[Factor]
) -> list[tuple[Factor, frozenset[Factor]]]:
    """Return the cells that factors of a column tell apart, each with those that hold there."""
    if not all(isinstance(one, Interval | Level | Other | Missing) for one in own):
        raise Refusal(f'"{name}" is tested as more than a number or a text')
    cells: list[Factor] = [Missing(name)]
    if levels is not None:
        cells += [Other(name), *(Level(name, text) for text in levels.texts)]
        return [(cell, frozenset({cell})) for cell in cells]
    intervals = [one for one in own if isinstance(one, Interval)]
    ends = {(-math.inf, True), (math.inf, False)}
    cuts = sorted(ends.union(*({_start(one), _end(one)} for one in intervals)))
    places = {cut: i for i, cut in enumerate(cuts)}
    spans = [(places[_start(one)], places[_end(one)]) for one in intervals]
    if sum(end - start for start, end in spans) > MAX_WORK:
        raise Refusal(f'"{name}" is cut into too many intervals')
    true: list[set[Factor]] = [set() for _ in cuts[1:]]
    for one, (start, end) in zip(intervals, spans, strict=True):
        for i in range(start, end):
            true[i].add(one)
    pieces = (Interval(name, low[0], high[0], not low[1], high[1]) for low, high in pairwise(cuts))
    pairs = zip((*cells, *pieces), [set(cells), *true], strict=True)
    return [(cell, frozenset(held)) for cell, held in pairs]


# Where an interval starts and ends: behind a number, or before it.
def _start(interval: Interval) -> tuple[float, bool]:
    return interval.low, not interval.low_closed


def _end(interval: Interval) -> tuple[float, bool]:
    return interval.high, interval.high_closed


def _join(one: Term, other: Term) -> Term:
    """Return two intervals, of which the second starts where the first ends, as one."""
    match one, other:
        case (Interval() as low,), (Interval() as high,):
            return (replace(high, low=low.low, low_closed=low.low_closed),)
    return ()
