"""Fields of PMML: what the data dictionary and the mining schema make of a column of the file.

Facts: PMML 4.4, "Data Dictionary" and "Mining Schema"; where the standard leaves a choice, as the
JPMML evaluator has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeAlias

from matscore.models.algebra import Feature, column, combine, constant, exact
from matscore.models.factors import CONSTANT
from matscore.models.operations import multiply
from matscore.models.pmml_xml import NOTHING, Element, read_number
from matscore.models.refusal import Refusal
from matscore.models.texts import TextFeature, text
from matscore.terms import Factor, Interval, Missing, Other, Power

AtMissing: TypeAlias = Literal["zero", "nan"]
"""What a test for a value is where that is missing: 0, or a missing result."""


class Field(Protocol):
    """A field: a number, or a text that is tested for values."""

    def number(self) -> Feature:
        """Return it as a number; NaN where it is missing."""

    def equals(self, value: str, at_missing: AtMissing) -> Feature:
        """Return 1 where it has a value, else 0."""

    def missing(self) -> Feature:
        """Return 1 where it is missing, else 0."""


@dataclass(frozen=True, eq=False)
class NumberField:
    """A field that is a number."""

    feature: Feature

    def number(self) -> Feature:
        """Return it."""
        return self.feature

    def equals(self, value: str, at_missing: AtMissing) -> Feature:
        """Return 1 at a number."""
        at, feature = read_number(value), self.feature
        if name := _find_column(feature):
            found = Feature({(Interval(name, at, at, True, True),): exact(1)}, feature.undefined)
        else:
            found = feature.above(at, closed=True) - feature.above(at)
        return replace(found, undefined=frozenset()) if at_missing == "zero" else found

    def missing(self) -> Feature:
        """Return 1 where it is NaN."""
        return self.feature.missing()


def _find_column(feature: Feature) -> str:
    """Return the column that a feature is as it stands."""
    ((term, c), *rest) = feature.terms.items() or [(CONSTANT, exact(0))]
    plain = not rest and c == 1 and len(term) == 1 and term[0] == Power(term[0].column)
    return term[0].column if plain else ""


@dataclass(frozen=True, eq=False)
class ChoiceField:
    """A field whose values are made of other fields: an indicator of each."""

    values: Mapping[str, Feature]  # 0 where it is missing
    gap: Feature  # 1 where it is missing

    def number(self) -> Feature:
        """Return the number that the values spell."""
        numbers = [read_number(value) for value in self.values]
        return _undefine(combine(list(self.values.values()), numbers), self.gap)

    def equals(self, value: str, at_missing: AtMissing) -> Feature:
        """Return the indicator of a value."""
        found = self.values.get(value, constant(0))
        return found if at_missing == "zero" else _undefine(found, self.gap)

    def missing(self) -> Feature:
        """Return 1 where no value is chosen."""
        return self.gap


def _undefine(feature: Feature, gap: Feature) -> Feature:
    """Return a feature that is NaN where a gap is 1, which only cells that are missing may be."""
    cells: set[Factor] = set()
    for term, c in gap.terms.items():
        if c and (c != 1 or len(term) != 1 or not isinstance(term[0], Missing | Other)):
            raise Refusal("a derived field has no value for some of the numbers or texts")
        cells |= {term[0]} if c else set()
    return replace(feature, undefined=feature.undefined | cells)


@dataclass(frozen=True, eq=False)
class TextField:
    """A column of texts, and what the mining schema makes of those that are missing or unknown."""

    text: TextFeature
    values: tuple[str, ...]
    unknown: Literal["error", "zero", "missing"] = "zero"
    stands_for: str | None = None  # the value that an unknown one is
    replacement: str | None = None  # the value that a missing one is
    as_missing: tuple[str, ...] = ()  # texts that are a missing one
    refuses_missing: bool = False
    made: dict[str, list[Feature]] = field(default_factory=dict)

    def number(self) -> Feature:
        """Refuse: the standard has no number of a text."""
        raise Refusal(f'"{self.text.column}" is a text where a number belongs')

    def equals(self, value: str, at_missing: AtMissing) -> Feature:
        """Return 1 where the text is a value."""
        indicators = self._indicate(at_missing)
        if value in self.values:
            return indicators[self.values.index(value)]
        return indicators[0] * 0 if indicators else constant(0)  # no cell has it

    def missing(self) -> Feature:
        """Return 1 where the cell is missing, or counts as that."""
        if self.replacement is not None or self.refuses_missing:
            return self._indicate("zero")[0] * 0
        return self._indicate("zero")[-1]

    def _indicate(self, at_missing: AtMissing) -> list[Feature]:
        """Return an indicator for each value, and for a missing one where it is none of them."""
        if at_missing not in self.made:
            self.made[at_missing] = self._one_hot(at_missing)
        return self.made[at_missing]

    def _one_hot(self, at_missing: AtMissing) -> list[Feature]:
        name = self.text.column
        groups: list[list[str | None]] = [[value] for value in self.values]
        home = len(groups)
        if self.replacement is not None:
            home = self.values.index(self.replacement)
        elif not self.refuses_missing:
            groups.append([])
        if not self.refuses_missing:
            groups[home] += [None, *self.as_missing]
        elif self.as_missing and self.unknown != "error":
            raise Refusal(f'"{name}" refuses texts that stand for a missing one')
        other: Any = home if self.unknown == "missing" else self.unknown
        if other == len(groups):  # as a missing one, which is refused
            other = "error"
        if self.stands_for is not None:
            other = self.values.index(self.stands_for)
        found = self.text.one_hot(groups, other=other, missing="error")
        if at_missing == "zero" or home < len(self.values) or self.refuses_missing:
            return found
        if self.as_missing:
            raise Refusal(f'"{name}" has texts for a missing one, where it has no result')
        return [_undefine(one, found[home]) for one in found[:home]]


class Fields:
    """The fields of a model by name; derived ones are made when they are asked for."""

    def __init__(self, root: Element, model: Element) -> None:
        dictionary = root.only("DataDictionary").find("DataField")
        self.data = {one.need("name"): one for one in dictionary}
        schema = model.only("MiningSchema").find("MiningField")
        self.schema = {one.need("name"): one for one in schema}
        self.used = _find_values(model, root.only("TransformationDictionary"))
        self.made: dict[str, Field] = {}
        self.facts: list[str] = []

    @property
    def target(self) -> str:
        """The name of the field that is predicted; empty where the schema has none."""
        names = [
            name
            for name, one in self.schema.items()
            if one.get("usageType") in {"target", "predicted"}
        ]
        return names[0] if len(names) == 1 else ""

    def find(self, name: str) -> Field | None:
        """Return a field that is a column of the file; None where there is none."""
        if name not in self.made:
            if name not in self.schema or name not in self.data:
                return None
            with_schema = self.schema[name], self.data[name]
            usage = with_schema[0].get("usageType", "active")
            if usage not in {"active", "supplementary"}:
                raise Refusal(f'"{name}" is used, whose usageType is {usage}')
            is_number = self.optype_of(name) == "continuous"
            self.made[name] = (self._make_number if is_number else self._make_text)(*with_schema)
        return self.made[name]

    def optype_of(self, name: str) -> str:
        """Return what a field is: continuous, categorical or ordinal."""
        schema, data = (of.get(name, NOTHING) for of in (self.schema, self.data))
        return schema.get("optype") or data.get("optype", "continuous")

    def values_of(self, name: str) -> tuple[str, ...]:
        """Return the valid values of a field, in the order of the data dictionary."""
        return self._list(name, "valid")

    def _list(self, name: str, kind: str) -> tuple[str, ...]:
        listed = self.data.get(name, NOTHING).find("Value")
        return tuple(v.need("value") for v in listed if v.get("property", "valid") == kind)

    def _make_text(self, schema: Element, data: Element) -> TextField:
        name = data.need("name")
        missing_texts, invalid_texts = (self._list(name, p) for p in ("missing", "invalid"))
        values = self.values_of(name)
        missing, invalid = _read_treatments(schema)
        unknown: Any = {"returnInvalid": "error", "asMissing": "missing"}.get(invalid, "zero")
        if not values:
            values, unknown = tuple(self.used.get(name, ())), "zero"
        extra = [schema.get(key) for key in ("missingValueReplacement", "invalidValueReplacement")
                 if key in schema.attributes]  # fmt: skip
        values = tuple(dict.fromkeys((*values, *extra)))
        values = tuple(v for v in values if v not in {*missing_texts, *invalid_texts})
        if invalid_texts and unknown != "error" and not self.values_of(name):
            raise Refusal(f'"{name}" has invalid values and no valid ones')
        if not values and data.get("dataType") == "boolean":
            values = ("false", "true")
        kind: Any = {"string": "text", "boolean": "boolean"}.get(data.get("dataType"), "number")
        return TextField(
            text(name, kind), values, unknown,
            schema.get("invalidValueReplacement") if invalid == "asValue" else None,
            schema.attributes.get("missingValueReplacement"), missing_texts,
            refuses_missing=missing == "returnInvalid",
        )  # fmt: skip

    def _make_number(self, schema: Element, data: Element) -> NumberField:
        name = data.need("name")
        missing, invalid = _read_treatments(schema)
        replacement = schema.attributes.get("missingValueReplacement")
        feature = plain = column(name)
        outliers = schema.get("outliers", "asIs")
        if outliers != "asIs":
            low, high = schema.number("lowValue"), schema.number("highValue")
            if not low < high:
                raise Refusal(f'"{name}" has its lowValue not below its highValue')
            under, inside, over = plain.bucket([low, high])
            if outliers == "asExtremeValues":
                feature = under * low + multiply(inside, plain) + over * high
            else:
                gap = self._replace(name, "outliers as missing", replacement)
                feature = multiply(inside, plain) + (under + over) * gap
        feature = self._treat_invalid(feature, plain, invalid, schema, data)
        for value in data.find("Value"):
            if value.get("property") == "missing":
                gap = self._replace(name, "numbers for a missing one", replacement)
                at = NumberField(plain).equals(value.need("value"), "nan")
                feature = multiply(feature, 1 - at) + at * gap
        if missing == "returnInvalid":
            return NumberField(feature.refuse_missing())
        if replacement is not None:
            feature = feature.impute(read_number(replacement))
        return NumberField(feature)

    def _treat_invalid(
        self, feature: Feature, plain: Feature, invalid: str, schema: Element, data: Element
    ) -> Feature:
        name = data.need("name")
        intervals, values = data.find("Interval"), self._list(name, "valid")
        values += self._list(name, "invalid")
        if not (intervals or values) or invalid == "asIs":
            return feature
        if invalid == "returnInvalid":
            self.facts.append(f'where "{name}" is no valid number the tool gives no result')
            return feature
        if values:
            raise Refusal(f'"{name}" is a number with a list of valid ones')
        key = "invalidValueReplacement" if invalid == "asValue" else "missingValueReplacement"
        gap = self._replace(name, "numbers outside as missing", schema.attributes.get(key))
        valid = combine([in_interval(plain, one) for one in intervals], [1] * len(intervals))
        return multiply(feature, valid) + (1 - valid) * gap

    def _replace(self, name: str, what: str, replacement: str | None) -> float:
        if replacement is None:
            raise Refusal(f'"{name}" takes {what}, and has no replacement for that')
        return read_number(replacement)


def _read_treatments(schema: Element) -> tuple[str, str]:
    """Return what missing and invalid cells are."""
    missing = schema.get("missingValueTreatment", "asIs")
    invalid = schema.get("invalidValueTreatment", "returnInvalid")
    if invalid not in {"returnInvalid", "asIs", "asMissing", "asValue"}:
        raise Refusal(f"invalidValueTreatment {invalid} is not known")
    if invalid == "asIs" and "invalidValueReplacement" in schema.attributes:
        invalid = "asValue"  # as 4.3 has it
    if invalid == "asValue":
        schema.need("invalidValueReplacement")
    return missing, invalid


def _find_values(*parts: Element) -> Mapping[str, Sequence[str]]:
    """Return the values that a model tests each field for, where the dictionary lists none."""
    found: dict[str, dict[str, None]] = {}
    for part in parts:
        for element in part.walk():
            name = element.get("field") or element.get("predictorName") or element.get("name")
            if "value" in element.attributes and element.tag != "OutputField":
                found.setdefault(name, {})[element.get("value")] = None
            if element.tag == "SimpleSetPredicate":
                found.setdefault(name, {}).update(dict.fromkeys(read_array(element.only("Array"))))
            if element.tag == "MapValues":
                for pair in element.find("FieldColumnPair"):
                    known = found.setdefault(pair.need("field"), {})
                    for row in element.only("InlineTable").find("row"):
                        known.update({one.text: None for one in row.find(pair.need("column"))})
            if element.tag == "Apply":
                fields = [one.need("field") for one in element.find("FieldRef")]
                for name in fields:
                    known = found.setdefault(name, {})
                    known.update({one.text: None for one in element.find("Constant")})
    return {name: list(values) for name, values in found.items()}


def read_array(array: Element) -> list[str]:
    """Return the values of an array: words, or texts between quotes."""
    found, rest = [], array.text.strip()
    while rest:
        if rest.startswith('"'):
            end = 1
            while end < len(rest) and (rest[end] != '"' or rest[end - 1] == "\\"):
                end += 1
            found.append(rest[1:end].replace('\\"', '"'))
            rest = rest[end + 1 :].lstrip()
        else:
            word, _, rest = rest.partition(" ")
            found.append(word)
            rest = rest.lstrip()
    return found


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
