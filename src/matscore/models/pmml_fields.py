"""PMML as XML, and what its data dictionary and mining schema make of a column of the file.

XML is read within bounds, and a DOCTYPE, which entities need, is refused. A field is a number, or
one of some values (`Choice`). Facts: PMML 4.4, "Data Dictionary" and "Mining Schema"; where the
standard leaves a choice, as the JPMML evaluator has it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from xml.parsers import expat

from matscore.models.algebra import (
    Feature,
    column,
    combine,
    constant,
)
from matscore.models.bounds import Refusal, check_depth
from matscore.models.columns import Raw
from matscore.models.operations import multiply
from matscore.models.sample import read_sample
from matscore.options import ReadOptions
from matscore.terms import Factor, Missing, Other, Term

# ------------------------------------------------------------------------------------------- XML

MAX_ELEMENTS = 300_000
MAX_TEXT = 1 << 22  # characters between tags
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# Examples of data and what tools keep for themselves: no part of a model.
_SKIPPED = {"Extension", "ModelVerification", "ModelStats", "ModelExplanation"}


@dataclass(eq=False, slots=True)
class Element:
    """An element with its attributes; `children` are elements."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def get(self, name: str, default: str = "") -> str:
        """Return an attribute, or a default where there is none."""
        return self.attributes.get(name, default)

    def need(self, name: str) -> str:
        """Return an attribute that must be there."""
        if name not in self.attributes:
            raise Refusal(f"{self.tag} has no {name}")
        return self.attributes[name]

    def number(self, name: str, default: float | None = None) -> float:
        """Return an attribute that is a number; without a default it must be there."""
        if default is not None and name not in self.attributes:
            return default
        return read_number(self.need(name))

    def find(self, *tags: str) -> list[Element]:
        """Return the children of these tags."""
        return [child for child in self.children if child.tag in tags]

    def only(self, tag: str) -> Element:
        """Return the one child of a tag; an empty element where there is none."""
        found = self.find(tag)
        if len(found) > 1:
            raise Refusal(f"{self.tag} has {len(found)} of {tag}")
        return found[0] if found else Element(tag, {})

    def walk(self) -> Iterator[Element]:
        """Yield it and all below it."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting += element.children


def read_number(text: str) -> float:
    """Read a finite number as XML has them."""
    value = float(text) if _NUMBER.fullmatch(text.strip()) else math.nan
    if not math.isfinite(value):
        raise Refusal(f'"{text[:40]}" is no number')
    return value


def read_array(array: Element) -> list[str]:
    """Return the values of an array: words, or texts between quotes."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', array.text, re.DOTALL)
    return [word or quoted.replace('\\"', '"') for quoted, word in found]


def parse_xml(data: bytes) -> Element:
    """Return the root of an XML file; what is damaged, or has a DOCTYPE, is refused."""
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.add
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _refuse_doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, UnicodeError) as error:  # the last two: an encoding
        raise Refusal(f"XML that cannot be read: {error}", "copy the file again") from error
    (root,) = builder.top.children  # a document without one is an ExpatError
    return root


def _refuse_doctype(*_: object) -> None:
    what = "XML with a DOCTYPE, which may expand without end"
    raise Refusal(what, "remove the line <!DOCTYPE …>")


class _Builder:
    def __init__(self) -> None:
        self.top = Element("", {})
        self.open = [self.top]
        self.skipping = self.n_elements = self.n_characters = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        self.n_elements += 1
        if self.n_elements > MAX_ELEMENTS:
            raise Refusal(f"XML of more than {MAX_ELEMENTS:,} elements")
        if self.skipping or (tag in _SKIPPED and len(self.open) > 1):
            self.skipping += 1
            return
        element = Element(tag, attributes)
        self.open[-1].children.append(element)
        self.open.append(element)
        check_depth(len(self.open))

    def end(self, _: str) -> None:
        if self.skipping:
            self.skipping -= 1
        else:
            self.open.pop()

    def add(self, text: str) -> None:
        self.n_characters += len(text)
        if self.n_characters > MAX_TEXT:
            raise Refusal("XML with too much text")
        if not self.skipping and not text.isspace():
            self.open[-1].text += text


# ---------------------------------------------------------------------------------------- fields

NOTHING = Element("", {})


@dataclass(frozen=True, eq=False)
class Choice:
    """A field that has one of some values: an indicator of each, all 0 where it is missing."""

    values: Mapping[str, Feature]
    gap: Feature  # 1 where it is missing
    is_open: bool = False  # it may have other values, which count nothing

    def find(self, value: str) -> Feature:
        """Return the indicator of a value."""
        if self.is_open and value not in self.values:
            raise Refusal(f'it tests for "{value}" what is made of a column that lists no values')
        return self.values.get(value, constant(0))


Field: TypeAlias = Feature | Choice


def as_number(field: Field) -> Feature:
    """Return a field as a number, the one that its values spell; NaN where it is missing."""
    if isinstance(field, Feature):
        return field
    try:
        numbers = [read_number(value) for value in field.values]
    except Refusal as error:
        raise Refusal("a field is a text where a number belongs") from error
    if field.is_open:
        raise Refusal("a field is a text where a number belongs, and lists no values")
    return _undefine(combine(list(field.values.values()), numbers), field.gap)


def equals(field: Field, value: str) -> Feature:
    """Return 1 where a field has a value, else 0; NaN where it is missing."""
    if isinstance(field, Feature):
        return field.equals(read_number(value))
    return _undefine(field.find(value), field.gap)


def holds(field: Field, value: str) -> Feature:
    """Return 1 where a field has a value, else 0, where it is missing too."""
    if isinstance(field, Choice):
        return field.find(value)
    return never_missing(equals(field, value))


def missing(field: Field) -> Feature:
    """Return 1 where a field is missing, else 0."""
    return field.missing() if isinstance(field, Feature) else field.gap


def never_missing(test: Feature) -> Feature:
    """Return a test that is 0 where it would be NaN."""
    return replace(test, undefined=frozenset())


def _undefine(feature: Feature, gap: Feature) -> Feature:
    """Return a feature that is NaN where a gap is 1."""
    cells = find_gaps([term for term, c in gap.terms.items() if c])
    return replace(feature, undefined=feature.undefined | cells)


def find_gaps(cases: Iterable[Term]) -> frozenset[Factor]:
    """Return the missing and other cells of cases that have no value; where none is, refuse."""
    cells: set[Factor] = set()
    for case in cases:
        gaps = [cell for cell in case if isinstance(cell, Missing | Other)]
        if not gaps:
            told = ", ".join(f'"{cell.column}"' for cell in case)
            what = f"for some numbers or texts of {told} it has no value"
            raise Refusal(what, "let its outer intervals go on without end, or give it a default")
        cells.update(gaps)
    return frozenset(cells)


class Schema:
    """The fields of a model that are columns of the file, by name."""

    def __init__(self, root: Element, model: Element, sample: str | None) -> None:
        dictionary = root.only("DataDictionary").find("DataField")
        self.data = {one.need("name"): one for one in dictionary}
        schema = model.only("MiningSchema").find("MiningField")
        self.schema = {one.need("name"): one for one in schema}
        self.contrasts = {
            factor.need("name"): [
                one.need("value") for one in factor.only("Categories").find("Category")
            ]
            for factor in model.only("FactorList").find("Predictor")
            if factor.find("Matrix")
        }
        self.used = _find_values(model, root.only("TransformationDictionary"))
        self.sample = sample  # a file with the texts of columns, where the model lists none

    @property
    def target(self) -> str:
        """The name of the field that is predicted; empty where the schema has none."""
        usages = {name: one.get("usageType") for name, one in self.schema.items()}
        names = [name for name, usage in usages.items() if usage in {"target", "predicted"}]
        return names[0] if len(names) == 1 else ""

    def make(self, name: str, *, is_changed: bool) -> Field:
        """Return the field of a column; of one whose texts are changed all must be known."""
        if name not in self.schema or name not in self.data:
            raise Refusal(f'field "{name}" is neither in its MiningSchema nor derived')
        schema, data = self.schema[name], self.data[name]
        usage = schema.get("usageType", "active")
        if usage not in {"active", "supplementary"}:
            raise Refusal(f'"{name}" is used, whose usageType is {usage}')
        if self.optype_of(name) == "continuous":
            return _make_number(name, schema, data)
        return self._make_text(name, schema, data, is_changed=is_changed)

    def optype_of(self, name: str) -> str:
        """Return what a field is: continuous, categorical or ordinal."""
        schema, data = (of.get(name, NOTHING) for of in (self.schema, self.data))
        return schema.get("optype") or data.get("optype", "continuous")

    def values_of(self, name: str, kind: str = "valid") -> tuple[str, ...]:
        """Return the values of a field, in the order of the data dictionary."""
        listed = self.data.get(name, NOTHING).find("Value")
        return tuple(v.need("value") for v in listed if v.get("property", "valid") == kind)

    def _make_text(self, name: str, schema: Element, data: Element, *, is_changed: bool) -> Choice:
        listed, gaps, invalid = (self.values_of(name, p) for p in ("valid", "missing", "invalid"))
        if invalid and not listed:
            raise Refusal(f'"{name}" has invalid values and no valid ones')
        treatment = _read_treatment(schema)
        # Where none are listed all are valid: those that the model knows, and others.
        known = self.contrasts.get(name) or listed
        values = known or self._list_texts(name, data, is_changed=is_changed)
        if treatment == "asIs":  # an invalid one counts where the model tests for it
            values = (*values, *self.used.get(name, ()))
        replacement = schema.attributes.get("missingValueReplacement")
        other_value = schema.get("invalidValueReplacement") if treatment == "asValue" else None
        extra = [one for one in (replacement, other_value) if one is not None]
        values = tuple(dict.fromkeys((*(v for v in values if v not in {*gaps, *invalid}), *extra)))
        groups: list[list[str | None]] = [[value] for value in values]
        home = len(values) if replacement is None else values.index(replacement)
        if home == len(values):
            groups.append([])  # of missing ones
        other: Any = "error" if is_changed else "zero"
        if listed:
            policies = {"returnInvalid": "error", "asMissing": home, "asIs": other}
            other = policies[treatment] if other_value is None else values.index(other_value)
        if name in self.contrasts or data.get("dataType") == "boolean":
            other = "error"  # there is no other level
        if schema.get("missingValueTreatment") != "returnInvalid":
            groups[home] += [None, *gaps]
        elif other != "error" and gaps:
            raise Refusal(f'"{name}" refuses texts that stand for a missing one')
        elif other == home == len(values):
            other = "error"
        kinds: Any = {"string": "text", "boolean": "boolean"}
        texts = Raw(name, kinds.get(data.get("dataType"), "number"))
        found = texts.one_hot(groups, other=other, missing="error")
        gap = found.pop() if home == len(values) else constant(0)
        return Choice(dict(zip(values, found, strict=True)), gap, is_open=other == "zero")

    def _list_texts(self, name: str, data: Element, *, is_changed: bool) -> Sequence[str]:
        if is_changed and self.sample is None:
            what = f'it computes with the texts of "{name}", and the file does not list them'
            raise Refusal(what, "give --sample a file that has them")
        if is_changed and self.sample is not None:
            return read_sample(self.sample, ReadOptions(), None).texts.get(name, ())
        booleans = ("false", "true") if data.get("dataType") == "boolean" else ()
        return (*booleans, *self.used.get(name, ()))


def _read_treatment(schema: Element) -> str:
    """Return what invalid cells are."""
    invalid = schema.get("invalidValueTreatment", "returnInvalid")
    if invalid not in {"returnInvalid", "asIs", "asMissing", "asValue"}:
        raise Refusal(f"invalidValueTreatment {invalid} is not known")
    if invalid == "asIs" and "invalidValueReplacement" in schema.attributes:
        invalid = "asValue"  # as 4.3 has it
    if invalid == "asValue":
        schema.need("invalidValueReplacement")
    return invalid


def _make_number(name: str, schema: Element, data: Element) -> Feature:
    feature = plain = column(name)
    outliers = schema.get("outliers", "asIs")
    if outliers != "asIs":
        low, high = schema.number("lowValue"), schema.number("highValue")
        under, inside, over = plain.bucket([low, high])
        if outliers == "asMissingValues":
            low = high = _find_gap(name, schema)
        feature = under * low + multiply(inside, plain) + over * high
    intervals, treatment = data.find("Interval"), _read_treatment(schema)
    kinds = {value.get("property", "valid") for value in data.find("Value")}
    if treatment != "asIs" and (intervals or kinds - {"missing"}):
        if kinds - {"missing"}:
            raise Refusal(f'"{name}" is a number with a list of valid ones')
        if treatment == "returnInvalid":
            # No row of weights makes a number a bad one.
            what = f'"{name}" has no result outside of its Interval, and would have a score'
            hint = (
                'where such numbers may be scored give its MiningField invalidValueTreatment="asIs"'
            )
            raise Refusal(what, hint)
        key = "invalidValueReplacement" if treatment == "asValue" else "missingValueReplacement"
        valid = combine([in_interval(plain, one) for one in intervals], [1] * len(intervals))
        feature = multiply(feature, valid) + (1 - valid) * _find_gap(name, schema, key)
    for value in data.find("Value"):
        if value.get("property") == "missing":
            at = plain.equals(value.number("value"))
            feature = multiply(feature, 1 - at) + at * _find_gap(name, schema)
    if schema.get("missingValueTreatment") == "returnInvalid":
        return feature.refuse_missing()
    if "missingValueReplacement" in schema.attributes:
        feature = feature.impute(schema.number("missingValueReplacement"))
    return feature


def _find_gap(name: str, schema: Element, key: str = "missingValueReplacement") -> float:
    if key not in schema.attributes:
        raise Refusal(f'"{name}" takes numbers as missing, and has no replacement for that')
    return schema.number(key)


def _find_values(*parts: Element) -> Mapping[str, Sequence[str]]:
    """Return the values that a model tests each field for, where the dictionary lists none."""
    found: dict[str, dict[str, None]] = {}
    for element in (one for part in parts for one in part.walk()):
        name = element.get("field") or element.get("predictorName") or element.get("name")
        if "value" in element.attributes and element.tag != "OutputField":
            found.setdefault(name, {})[element.get("value")] = None
        match element.tag:
            case "SimpleSetPredicate":
                values = {name: read_array(element.only("Array"))}
            case "MapValues":
                rows = element.only("InlineTable").find("row")
                pairs = [
                    (p.need("field"), p.need("column")) for p in element.find("FieldColumnPair")
                ]
                values = {n: [c.text for row in rows for c in row.find(key)] for n, key in pairs}
            case "Apply":
                texts = [one.text for one in element.find("Constant")]
                values = {one.need("field"): texts for one in element.find("FieldRef")}
            case _:
                continue
        for name, texts in values.items():
            found.setdefault(name, {}).update(dict.fromkeys(texts))
    return {name: list(values) for name, values in found.items()}


_CLOSURES = {
    "openOpen": (False, False),
    "openClosed": (False, True),
    "closedOpen": (True, False),
    "closedClosed": (True, True),
}


def in_interval(feature: Feature, interval: Element) -> Feature:
    """Return 1 where a number lies in an interval, else 0."""
    closure = interval.need("closure")
    if closure not in _CLOSURES:
        raise Refusal(f"closure {closure} is not known")
    low_closed, high_closed = _CLOSURES[closure]
    found = []
    if "leftMargin" in interval.attributes:
        low = interval.number("leftMargin")
        found.append(feature.bucket([low], left_closed=low_closed)[1])
    if "rightMargin" in interval.attributes:
        high = interval.number("rightMargin")
        found.append(feature.bucket([high], left_closed=not high_closed)[0])
    if not found:
        raise Refusal("an interval without margins")
    return multiply(*found) if len(found) == 2 else found[0]
