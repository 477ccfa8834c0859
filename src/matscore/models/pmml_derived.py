"""Derived fields of PMML as features: normalised, cut into bins, mapped, computed by Apply.

Facts: PMML 4.4, "Transformations", "Built-in Functions". What does not stay a sum of terms, or is
not known, is refused by the name of the field and of the function.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TypeAlias

from matscore.models.algebra import Feature, combine, constant
from matscore.models.bounds import check_depth
from matscore.models.factors import CONSTANT
from matscore.models.operations import apply, choose, divide, multiply, raise_to
from matscore.models.pmml_fields import ChoiceField, Field, Fields, NumberField, in_interval
from matscore.models.pmml_xml import NOTHING, Element, read_number
from matscore.models.refusal import Refusal

MAX_CHAIN = 50  # of fields that are derived of one another
_NUMERIC = {"integer", "float", "double"}


class Derived:
    """Fields of the file and those derived of them, by name."""

    def __init__(self, root: Element, model: Element) -> None:
        self.fields = Fields(root, model)
        places = root.only("TransformationDictionary"), model.only("LocalTransformations")
        found = [one for place in places for one in place.find("DerivedField")]
        self.waiting = {one.need("name"): one for one in found}
        defined = places[0].find("DefineFunction")
        self.functions = {one.need("name"): one for one in defined}
        self.parameters: dict[str, Field] | None = None  # inside a function of the file
        self.made: dict[str, Field] = {}
        self.chain: list[str] = []
        self.steps: list[str] = []

    def find(self, name: str) -> Field:
        """Return a field; derived ones are made when they are asked for first."""
        if self.parameters is not None:
            if name not in self.parameters:
                raise Refusal(f'"{name}" is no parameter of its function')
            return self.parameters[name]
        if name in self.made:
            return self.made[name]
        if name in self.waiting:
            with self._inside(name):
                self.made[name] = self._derive(self.waiting[name])
            self.steps.append(name)
            return self.made[name]
        found = self.fields.find(name)
        if found is None:
            raise Refusal(f'field "{name}" is neither in its MiningSchema nor derived')
        return found

    @contextmanager
    def _inside(self, name: str) -> Iterator[None]:
        """Name the innermost field or function in refusals, such as of what is made of itself."""
        if name in self.chain:
            raise Refusal(f'"{name}" is made of itself')
        check_depth(len(self.chain), MAX_CHAIN)
        self.chain.append(name)
        try:
            yield
        except Refusal as error:
            if error.what.startswith('step "'):
                raise
            raise Refusal(f'step "{name}": {error.what}', error.hint) from error
        self.chain.pop()

    def call(self, element: Element) -> Field:
        """Return a function of the file, of its arguments."""
        name = element.get("function")
        function = self.functions[name]
        names = [one.need("name") for one in function.find("ParameterField")]
        values = [evaluate(child, self) for child in element.children]
        if len(names) != len(values):
            raise Refusal(f"function {name} of {len(values)} arguments")
        outside, self.parameters = self.parameters, dict(zip(names, values, strict=True))
        with self._inside(f"{name}()"):
            found = self._derive(function)
        self.parameters = outside
        return found

    def _derive(self, element: Element) -> Field:
        for child in element.children:
            if child.tag in _MAKERS:
                return evaluate(child, self)
        raise Refusal(f"{element.children[0].tag if element.children else 'nothing'} is not known")


def evaluate(element: Element, derived: Derived) -> Field:
    """Return what an expression comes to."""
    if element.tag not in _MAKERS:
        raise Refusal(f"{element.tag} is not known")
    return _MAKERS[element.tag](element, derived)


def _map_missing(field: Field, element: Element) -> Field:
    """Return a field with the value that an element gives in place of a missing one."""
    if "mapMissingTo" not in element.attributes:
        return field
    value = element.get("mapMissingTo")
    if isinstance(field, ChoiceField):
        values = dict(field.values)
        values[value] = values.get(value, constant(0)) + field.gap
        return ChoiceField(values, constant(0))
    return NumberField(field.number().impute(read_number(value)))


def _refer(element: Element, derived: Derived) -> Field:
    return _map_missing(derived.find(element.need("field")), element)


def _constant(element: Element, _: Derived) -> Field:
    if element.get("missing") == "true":
        raise Refusal("a constant that is missing")
    if element.get("dataType", "double") in _NUMERIC:
        return NumberField(constant(read_number(element.text)))
    return ChoiceField({element.text: constant(1)}, constant(0))


def _norm_discrete(element: Element, derived: Derived) -> Field:
    found = derived.find(element.need("field")).equals(element.need("value"), "nan")
    return _map_missing(NumberField(found), element)


def _norm_continuous(element: Element, derived: Derived) -> Field:
    """Return the lines between the points of a NormContinuous, each in its interval."""
    number = derived.find(element.need("field")).number()
    points = [(one.number("orig"), one.number("norm")) for one in element.find("LinearNorm")]
    outliers = element.get("outliers", "asIs")
    if len(points) < 2 or any(a >= b for (a, _), (b, _) in pairwise(points)):
        raise Refusal("NormContinuous whose points do not grow")
    if outliers not in {"asIs", "asExtremeValues"}:
        raise Refusal(f"NormContinuous with outliers {outliers}")
    lines = [
        (number - x) * ((constant(v - u) / (y - x)).constant) + u
        for (x, u), (y, v) in pairwise(points)
    ]
    borders = [x for x, _ in points[1:-1]]
    if outliers == "asExtremeValues":
        borders = [x for x, _ in points]
        lines = [constant(points[0][1]), *lines, constant(points[-1][1])]
    pieces = number.bucket(borders) if borders else [constant(1)]
    parts = [multiply(piece, line) for piece, line in zip(pieces, lines, strict=True)]
    return _map_missing(NumberField(combine(parts, [1] * len(parts))), element)


def _discretize(element: Element, derived: Derived) -> Field:
    number = derived.find(element.need("field")).number()
    values: dict[str, Feature] = {}
    rest = constant(1)
    for one in element.find("DiscretizeBin"):
        inside = multiply(in_interval(number, one.only("Interval")), rest)
        rest = rest - inside
        value = one.need("binValue")
        values[value] = values.get(value, constant(0)) + inside
    return _finish_choice(element, number.missing(), values, rest)


def _map_values(element: Element, derived: Derived) -> Field:
    pairs = [(derived.find(p.need("field")), p.need("column"))
             for p in element.find("FieldColumnPair")]  # fmt: skip
    output, values, rest = element.need("outputColumn"), dict[str, Feature](), constant(1)
    missing = constant(0)
    for one, _ in pairs:
        missing = missing + one.missing() - multiply(missing, one.missing())
    for row in element.only("InlineTable").find("row"):
        cells = {cell.tag: cell.text for cell in row.children}
        inside = rest
        for one, name in pairs:
            inside = multiply(inside, one.equals(cells.get(name, ""), "zero"))
        rest = rest - inside
        value = cells.get(output, "")
        values[value] = values.get(value, constant(0)) + inside
    return _finish_choice(element, missing, values, rest)


def _finish_choice(
    element: Element, missing: Feature, values: dict[str, Feature], rest: Feature
) -> Field:
    """Give what no bin or row holds the default, and a missing one what mapMissingTo says."""
    rest = multiply(rest, 1 - missing)
    gap = missing
    for name, part in (("defaultValue", rest), ("mapMissingTo", missing)):
        if name in element.attributes:
            value = element.get(name)
            values[value] = values.get(value, constant(0)) + part
            gap = gap - part if name == "mapMissingTo" else gap
        elif name == "defaultValue":
            gap = gap + rest
    # Each is 0 where the field is missing; the gap alone says so.
    total = {value: replace(one, undefined=frozenset()) for value, one in values.items()}
    return ChoiceField(total, replace(gap, undefined=frozenset()))


def _apply(element: Element, derived: Derived) -> Field:
    name = element.need("function")
    if name in derived.functions:
        found = derived.call(element)
    elif name in _FUNCTIONS:
        found = _FUNCTIONS[name](element, derived)
    else:
        raise Refusal(f"function {name} is not known, or does not stay a sum of terms")
    if "defaultValue" in element.attributes:
        if name in {"ln", "log10", "ln1p", "sqrt", "pow", "/"}:
            raise Refusal(f"function {name} with a default where it is undefined")
        if "mapMissingTo" not in element.attributes:
            raise Refusal(f"function {name} with a defaultValue")
    return _map_missing(found, element)


_Maker: TypeAlias = Callable[[Element, Derived], Field]


def _arguments(element: Element, derived: Derived, *counts: int) -> list[Feature]:
    """Return the arguments of a function, all of them numbers."""
    _check_count(element, *counts)
    return [evaluate(child, derived).number() for child in element.children]


def _check_count(element: Element, *counts: int) -> None:
    if len(element.children) not in counts:
        raise Refusal(f"function {element.get('function')} of {len(element.children)} arguments")


def _numbers(make: Callable[..., Feature], *counts: int) -> _Maker:
    return lambda element, derived: NumberField(make(*_arguments(element, derived, *counts)))


def _named(name: str) -> _Maker:
    return _numbers(lambda of: apply(name, of), 1)


def _compute(element: Element, derived: Derived) -> Field:
    """Return + - * / of numbers; of one and a constant, with the tool's own arithmetic."""
    name = element.get("function")
    one, *others = _arguments(element, derived, *((1, 2) if name == "-" else (2,)))
    if not others:
        return NumberField(-one)
    other = others[0]
    make, step = _ARITHMETIC[name]
    made = make(one, other)
    if not other.terms.keys() - {CONSTANT}:
        made = one.then(made, partial(_swap, step, float(other.constant)))
    return NumberField(made)


def _swap(step: Callable[[float, float], float], second: float, first: float) -> float:
    return step(first, second)


_ARITHMETIC: dict[str, tuple[Callable[[Feature, Feature], Feature], Callable[..., float]]] = {
    "+": (operator.add, operator.add),
    "-": (operator.sub, operator.sub),
    "*": (multiply, operator.mul),
    "/": (divide, operator.truediv),
}


def _test(element: Element, derived: Derived) -> Field:
    """Compare a field with a constant, whichever comes first."""
    _check_count(element, 2)
    name, (one, other) = element.get("function"), element.children
    if one.tag == "Constant":
        one, other, name = other, one, _MIRRORED.get(name, name)
    if other.tag != "Constant":
        raise Refusal(f"function {name} of two fields")
    field = evaluate(one, derived)
    if name in {"equal", "notEqual"}:
        found = field.equals(other.text, "nan")
        return NumberField(1 - found if name == "notEqual" else found)
    return NumberField(compare(field.number(), name, read_number(other.text)))


_MIRRORED = {
    "lessThan": "greaterThan",
    "lessOrEqual": "greaterOrEqual",
    "greaterThan": "lessThan",
    "greaterOrEqual": "lessOrEqual",
}


def compare(number: Feature, operator: str, border: float) -> Feature:
    """Return 1 where a number is under or over a border."""
    left_closed = operator in {"greaterOrEqual", "lessThan"}
    return number.bucket([border], left_closed=left_closed)[operator.startswith("greater")]


def _is_in(element: Element, derived: Derived) -> Field:
    field = evaluate(element.children[0] if element.children else NOTHING, derived)
    found = [field.equals(one.text, "nan") for one in element.children[1:]]
    inside = combine(found, [1] * len(found))
    return NumberField(1 - inside if element.get("function") == "isNotIn" else inside)


def _is_missing(element: Element, derived: Derived) -> Field:
    _check_count(element, 1)
    missing = evaluate(element.children[0], derived).missing()
    return NumberField(1 - missing if element.get("function") == "isNotMissing" else missing)


def _all(element: Element, derived: Derived) -> Field:
    """Return and, or of tests: of a missing one the result is missing too."""
    parts = [evaluate(child, derived).number() for child in element.children]
    if not parts:
        raise Refusal(f"function {element.get('function')} of nothing")
    if element.get("function") == "or":
        found = 1 - parts[0]
        for part in parts[1:]:
            found = multiply(found, 1 - part)
        return NumberField(1 - found)
    found = parts[0]
    for part in parts[1:]:
        found = multiply(found, part)
    return NumberField(found)


def _if(element: Element, derived: Derived) -> Field:
    _check_count(element, 3)
    test, yes, no = (evaluate(child, derived) for child in element.children)
    chosen = test.number()
    if not isinstance(yes, ChoiceField) or not isinstance(no, ChoiceField):
        return NumberField(choose(chosen, yes.number(), no.number()))
    if chosen.undefined:
        raise Refusal("function if of a test that may be missing")
    values: Mapping[str, Feature] = {
        value: choose(chosen, yes.values.get(value, constant(0)), no.values.get(value, constant(0)))
        for value in {**yes.values, **no.values}
    }
    return ChoiceField(values, choose(chosen, yes.gap, no.gap))


def _threshold(of: Feature, border: Feature) -> Feature:
    if border.terms.keys() - {CONSTANT}:
        raise Refusal("a threshold that is no number")
    return of.above(border.constant)


_MAKERS: dict[str, _Maker] = {
    "FieldRef": _refer,
    "Constant": _constant,
    "NormContinuous": _norm_continuous,
    "NormDiscrete": _norm_discrete,
    "Discretize": _discretize,
    "MapValues": _map_values,
    "Apply": _apply,
}
_FUNCTIONS: dict[str, _Maker] = {
    **dict.fromkeys(_ARITHMETIC, _compute),
    "pow": _numbers(raise_to, 2),
    "ln": _named("log"),
    "log10": _named("log10"),
    "ln1p": _named("log1p"),
    "exp": _named("exp"),
    "sqrt": _named("sqrt"),
    "abs": _named("abs"),
    "expm1": _numbers(lambda of: apply("exp", of) - 1, 1),
    "threshold": _numbers(_threshold, 2),
    "not": _numbers(lambda of: 1 - of, 1),
    "and": _all,
    "or": _all,
    "if": _if,
    "isIn": _is_in,
    "isNotIn": _is_in,
    "isMissing": _is_missing,
    "isNotMissing": _is_missing,
    **dict.fromkeys(("equal", "notEqual", *_MIRRORED), _test),
}
