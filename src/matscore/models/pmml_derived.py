"""Derived fields of PMML as features: normalised, cut into bins, mapped, computed by Apply.

Facts: PMML 4.4, "Transformations", "Built-in Functions". What does not stay a sum of terms, or is
not known, is refused by the name of the field and of the function.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TypeAlias

from matscore.models.algebra import Feature, combine, constant, exact
from matscore.models.bounds import check_depth
from matscore.models.factors import CONSTANT, order_factor
from matscore.models.operations import apply, choose, divide, multiply, raise_to
from matscore.models.pmml_cases import find_first, list_cases
from matscore.models.pmml_fields import (
    ChoiceField,
    Field,
    Fields,
    NumberField,
    TextField,
    in_interval,
)
from matscore.models.pmml_xml import NOTHING, Element, read_number
from matscore.models.refusal import Refusal
from matscore.models.sample import read_sample
from matscore.options import ReadOptions
from matscore.terms import Factor

MAX_CHAIN = 50  # of fields that are derived of one another
_NUMERIC = {"integer", "float", "double"}


class Derived:
    """Fields of the file and those derived of them, by name."""

    def __init__(self, root: Element, model: Element, sample: str | None = None) -> None:
        self.fields = Fields(root, model)
        self.sample = sample  # a file with the texts of columns, where the model lists none
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

    def list_texts(self, field: TextField) -> TextField:
        """Return a field that knows all its texts, of the file or the sample; others are bad."""
        column = field.text.column
        if self.fields.values_of(column):
            return replace(field, unknown="error", made={}) if field.unknown == "zero" else field
        if self.sample is None:
            what = f'it computes with the texts of "{column}", and the file does not list them'
            raise Refusal(what, "give --sample a file that has them")
        found = read_sample(self.sample, ReadOptions(), None).texts.get(column, ())
        texts = tuple(text for text in found if text not in field.as_missing)
        extra = () if field.replacement is None else (field.replacement,)
        return replace(
            field, values=tuple(dict.fromkeys((*texts, *extra))), unknown="error", made={}
        )

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
    bins = element.find("DiscretizeBin")
    tests = [in_interval(number, one.only("Interval")) for one in bins]
    chosen = [one.need("binValue") for one in bins]
    return _choose_first(element, [number.missing()], tests, chosen)


def _map_values(element: Element, derived: Derived) -> Field:
    pairs = [(derived.find(p.need("field")), p.need("column"))
             for p in element.find("FieldColumnPair")]  # fmt: skip
    output = element.need("outputColumn")
    tests, chosen = [], []
    for row in element.only("InlineTable").find("row"):
        cells = {cell.tag: cell.text for cell in row.children}
        test = constant(1)
        for i, (field, name) in enumerate(pairs):
            one = field.equals(cells.get(name, ""), "zero")
            test = multiply(test, one) if i else one
        tests.append(test)
        chosen.append(cells.get(output, ""))
    return _choose_first(element, [field.missing() for field, _ in pairs], tests, chosen)


def _choose_first(
    element: Element, missing: Sequence[Feature], tests: Sequence[Feature], chosen: Sequence[str]
) -> Field:
    """Return the value of the first test that is true; else the default, or what is missing."""
    values: dict[str, Feature] = {}
    rest = constant(1)
    for test, value in zip(tests, chosen, strict=True):
        inside = multiply(test, rest)
        values[value] = values.get(value, constant(0)) + inside
        rest = rest - inside
    refused = frozenset[Factor]().union(*(test.refused for test in tests))
    gap = constant(0)
    for case in list_cases([*tests, *missing]):
        if find_first(tests, case) is not None or refused.intersection(case.values()):
            continue
        part = Feature({tuple(sorted(case.values(), key=order_factor)): exact(1)})
        is_missing = find_first(missing, case) is not None
        name = "mapMissingTo" if is_missing else "defaultValue"
        if name in element.attributes:
            value = element.get(name)
            values[value] = values.get(value, constant(0)) + part
        else:
            gap = gap + part
    # Each is 0 where the field is missing; the gap alone says so.
    total = {value: replace(one, undefined=frozenset()) for value, one in values.items()}
    return ChoiceField(total, replace(gap, undefined=frozenset()))


def _apply(element: Element, derived: Derived) -> Field:
    name = element.need("function")
    if name in _FUNCTIONS:  # those of SAS are defined by a file too, in a way that is not right
        found = _FUNCTIONS[name](element, derived)
    elif name in derived.functions:
        found = derived.call(element)
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


def _change_text(element: Element, derived: Derived) -> Field:
    """Return a text that is made of another: each of its values becomes a new one."""
    name, arguments = element.get("function"), list(element.children)
    if name in _SAS:  # its width comes first
        arguments = [*arguments[1:], Element("Constant", {}, [], "1"), *arguments[:1]]
    numbers = [int(read_number(one.text)) for one in arguments[1:]]
    if not arguments or len(numbers) != (2 if name in {"substring", *_SAS} else 0):
        raise Refusal(f"function {name} of {len(element.children)} arguments")
    field = evaluate(arguments[0], derived)
    if isinstance(field, TextField):
        known = derived.list_texts(field)
        field = ChoiceField({v: known.equals(v, "zero") for v in known.values}, known.missing())
    if not isinstance(field, ChoiceField):
        raise Refusal(f"function {name} of a number")
    values: dict[str, Feature] = {}
    for old, indicator in field.values.items():
        new = _TEXTS[name](old, *numbers)
        values[new] = values.get(new, constant(0)) + indicator
    return ChoiceField(values, field.gap)


def _cut_text(text: str, start: int, length: int) -> str:
    return text[start - 1 : start - 1 + length]


_SAS = ("SAS-EM-String-Normalize", "SAS-FORMAT-$CHARw")
_TEXTS: dict[str, Callable[..., str]] = {
    "uppercase": str.upper,
    "lowercase": str.lower,
    "trimBlanks": str.strip,
    "substring": _cut_text,
    "SAS-EM-String-Normalize": lambda text, *cut: _cut_text(text, *cut).upper().strip(),
    "SAS-FORMAT-$CHARw": _cut_text,
}
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
    **dict.fromkeys(_TEXTS, _change_text),
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
