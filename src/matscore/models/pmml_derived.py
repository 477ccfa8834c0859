"""Derived fields of PMML: normalised, cut into bins, mapped, computed by Apply.

Facts: PMML 4.4, "Transformations", "Built-in Functions". What does not stay a sum of terms, or is
not known, is refused by the name of the field and of the function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import pairwise

from matscore.models.algebra import Feature, combine, constant, exact
from matscore.models.bounds import Refusal, check_depth, in_step
from matscore.models.operations import compute, multiply
from matscore.models.pmml_fields import (
    Choice,
    Columns,
    Field,
    as_number,
    equals,
    find_first,
    holds,
    in_interval,
    missing,
)
from matscore.models.pmml_xml import Element, read_number

MAX_CHAIN = 50  # of fields that are derived of one another
_NUMERIC = {"integer", "float", "double"}


class Fields:
    """Fields of the file and those derived of them, by name, made when they are asked for."""

    def __init__(self, root: Element, model: Element, sample: str | None = None) -> None:
        self.columns = Columns(root, model, sample)
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
_OPERATIONS: Mapping[str, str] = {
    **{name: name for name in ("+", "-", "*", "/", "if", "log10", "exp", "sqrt", "abs", "expm1")},
    "ln": "log", "ln1p": "log1p", "pow": "^", "not": "!", "and": "&", "or": "|", "threshold": ">",
    "lessThan": "<", "lessOrEqual": "<=", "greaterThan": ">", "greaterOrEqual": ">=",
}  # fmt: skip
_TESTS: Mapping[str, Callable[[Field, Sequence[str]], Feature]] = {
    "equal": _is_in,
    "notEqual": _is_in,
    "isIn": _is_in,
    "isNotIn": _is_in,
    "isMissing": _is_missing,
    "isNotMissing": _is_missing,
}
