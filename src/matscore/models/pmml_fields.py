"""Fields of PMML: what the data dictionary and the mining schema make of a column of the file.

A field is a number, or one of some values (`Choice`). Facts: PMML 4.4, "Data Dictionary" and
"Mining Schema"; where the standard leaves a choice, as the JPMML evaluator has it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise, product
from typing import Any, TypeAlias

from matscore.models.algebra import Feature, column, combine, constant, order_factor
from matscore.models.operations import multiply
from matscore.models.pmml_xml import Element, read_array, read_number
from matscore.models.refusal import Refusal
from matscore.models.sample import read_sample
from matscore.models.texts import text
from matscore.options import ReadOptions
from matscore.terms import Factor, Interval, Level, Missing, Other, Term

MAX_CASES = 10_000
MAX_WORK = 20_000_000  # factors that are compared with cases
NOTHING = Element("", {})


@dataclass(frozen=True, eq=False)
class Choice:
    """A field that has one of some values: an indicator of each, all 0 where it is missing."""

    values: Mapping[str, Feature]
    gap: Feature  # 1 where it is missing


Field: TypeAlias = Feature | Choice


def as_number(field: Field) -> Feature:
    """Return a field as a number, the one that its values spell; NaN where it is missing."""
    if isinstance(field, Feature):
        return field
    try:
        numbers = [read_number(value) for value in field.values]
    except Refusal as error:
        raise Refusal("a field is a text where a number belongs") from error
    return _undefine(combine(list(field.values.values()), numbers), field.gap)


def equals(field: Field, value: str) -> Feature:
    """Return 1 where a field has a value, else 0; NaN where it is missing."""
    if isinstance(field, Feature):
        return field.equals(read_number(value))
    return _undefine(field.values.get(value, constant(0)), field.gap)


def holds(field: Field, value: str) -> Feature:
    """Return 1 where a field has a value, else 0, where it is missing too."""
    if isinstance(field, Choice):
        return field.values.get(value, constant(0))
    return never_missing(equals(field, value))


def missing(field: Field) -> Feature:
    """Return 1 where a field is missing, else 0."""
    return field.missing() if isinstance(field, Feature) else field.gap


def never_missing(test: Feature) -> Feature:
    """Return a test that is 0 where it would be NaN."""
    return replace(test, undefined=frozenset())


def _undefine(feature: Feature, gap: Feature) -> Feature:
    """Return a feature that is NaN where a gap is 1, which only cells that are missing may be."""
    cells: set[Factor] = set()
    for term, c in gap.terms.items():
        if c and (c != 1 or len(term) != 1 or not isinstance(term[0], Missing | Other)):
            raise Refusal("a field has no value for some of the numbers or texts")
        cells |= {term[0]} if c else set()
    return replace(feature, undefined=feature.undefined | cells)


class Columns:
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
        if name in self.contrasts:
            other = "error"  # there is no other level
        if schema.get("missingValueTreatment") != "returnInvalid":
            groups[home] += [None, *gaps]
        elif other != "error" and gaps:
            raise Refusal(f'"{name}" refuses texts that stand for a missing one')
        elif other == home == len(values):
            other = "error"
        kinds: Any = {"string": "text", "boolean": "boolean"}
        texts = text(name, kinds.get(data.get("dataType"), "number"))
        found = texts.one_hot(groups, other=other, missing="error")
        gap = found.pop() if home == len(values) else constant(0)
        return Choice(dict(zip(values, found, strict=True)), gap)

    def _list_texts(self, name: str, data: Element, *, is_changed: bool) -> Sequence[str]:
        if is_changed and self.sample is None:
            what = f'it computes with the texts of "{name}", and the file does not list them'
            raise Refusal(what, "give --sample a file that has them")
        if is_changed and self.sample is not None:
            return read_sample(self.sample, ReadOptions(), None).texts.get(name, ())
        booleans = ("false", "true") if data.get("dataType") == "boolean" else ()
        return tuple(self.used.get(name, ())) or booleans


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


# ------------------------------------------------------------------------------------------- cases


def iter_cases(features: Sequence[Feature]) -> Iterator[tuple[Term, list[Fraction]]]:
    """Yield all cells that tests can tell apart, and what each of them is there.

    A cell is a factor a column: a level, other, missing, or an interval of numbers.
    """
    factors = {factor for one in features for term in one.terms for factor in term}
    places: dict[str, list[tuple[Factor, frozenset[Factor]]]] = {}
    for name in sorted({factor.column for factor in factors}):
        own = {factor for factor in factors if factor.column == name}
        if not all(isinstance(one, Interval | Level | Other | Missing) for one in own):
            raise Refusal(f'"{name}" is tested as more than a number or a text')
        levels = {text for one in features if name in one.levels for text in one.levels[name].texts}
        cells = (
            [Other(name), *(Level(name, one) for one in sorted(levels))]
            if levels
            else (_cut(name, [one for one in own if isinstance(one, Interval)]))
        )
        places[name] = [
            (cell, frozenset(factor for factor in own if _holds(factor, cell)))
            for cell in (Missing(name), *cells)
        ]
    n_cases = math.prod(map(len, places.values()))
    if n_cases > MAX_CASES or n_cases * sum(len(one.terms) for one in features) > MAX_WORK:
        raise Refusal(f"it tells apart {n_cases:,} cases, which are too many")
    terms = [[(frozenset(term), c) for term, c in one.terms.items()] for one in features]
    for case in product(*places.values()):
        true = frozenset().union(*(held for _, held in case))
        values = [sum((c for term, c in one if term <= true), Fraction(0)) for one in terms]
        yield tuple(sorted((cell for cell, _ in case), key=order_factor)), values


def _cut(name: str, intervals: Sequence[Interval]) -> Sequence[Factor]:
    """Return the pieces of the numbers between all borders, and the borders themselves."""
    borders = sorted({one.low for one in intervals} | {one.high for one in intervals})
    borders = [-math.inf, *(b for b in borders if math.isfinite(b)), math.inf]
    found: list[Factor] = []
    for low, high in pairwise(borders):
        found.append(Interval(name, low, high))
        if math.isfinite(high):
            found.append(Interval(name, high, high, True, True))
    return found


def _holds(factor: Factor, cell: Factor) -> bool:
    if not isinstance(factor, Interval) or not isinstance(cell, Interval):
        return factor == cell
    if cell.low == cell.high:
        above = factor.low < cell.low or (factor.low_closed and factor.low == cell.low)
        below = cell.high < factor.high or (factor.high_closed and factor.high == cell.high)
        return above and below
    return factor.low <= cell.low and cell.high <= factor.high
