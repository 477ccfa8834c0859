"""Features as exact linear combinations of terms: what scalers, encoders and formulas fold into.

A `Feature` is a number of a row, written as a sum of terms, each times an exact fraction; a `Term`
is a product of factors of raw columns (`matscore.terms`), the empty one the constant. What a tool
does before its model is done to features here, and rounded once, by `types.fold`:

>>> age = column("age")
>>> scaled = (age - 40) / 8               # StandardScaler
>>> imputed = scaled.impute(0.25)         # SimpleImputer: 0.25 where age is missing
>>> from matscore.models.columns import Raw
>>> region = Raw("region").one_hot([["East"], ["North"]], other="zero")
>>> print(imputed * region[1])
1/8 age:region=North + 21/4 age=(missing):region=North - 5 region=North

Factors of one column are resolved: powers add, two levels vanish, an indicator squared is itself,
everything but `(missing)` is 0 at a missing cell, so that a number times it vanishes.

Where a tool has no value, a feature says so: `undefined` holds factors (`Missing`, `Other`) where
it is NaN, which a later imputer may mend, and `refused` those where the tool raises an error. In
the weights file neither has a row, so that such a cell is a bad row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import combinations, groupby
from types import MappingProxyType
from typing import Literal, TypeAlias

from matscore.models.bounds import Refusal
from matscore.terms import (
    MAX_EXPONENT,
    Factor,
    Function,
    Interval,
    Level,
    Missing,
    Other,
    Power,
    Term,
    write_factor,
    write_term,
)

Number: TypeAlias = int | float | Fraction
_Product: TypeAlias = tuple[Fraction, Fraction]
_ONE = Fraction(1)
CONSTANT: Term = ()
"""The term that is 1 in every row."""
_KINDS = (Power, Function, Interval, Level, Other, Missing)
Kind: TypeAlias = Literal["text", "number", "boolean"]


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of a text column that a model knows, in its order, and what they were to it."""

    texts: tuple[str, ...]
    kind: Kind = "text"


@dataclass(frozen=True, eq=False)
class Feature:
    """A sum of terms, each times an exact fraction."""

    terms: Mapping[Term, Fraction]  # a coefficient of 0 keeps its term, so that it has a row
    undefined: frozenset[Factor] = frozenset()  # Missing or Other: where it is NaN
    refused: frozenset[Factor] = frozenset()  # the same: where the tool raises an error
    levels: Mapping[str, Levels] = field(default_factory=lambda: MappingProxyType({}))
    # The tool's own arithmetic from a column's number to this feature, where that is known: its
    # borders are found by it. Any operation but `then` forgets it.
    steps: tuple[Callable[[float], float], ...] = ()
    gap: float | None = None  # what the steps make of the number that stands for a missing one

    def __add__(self, other: Feature | Number) -> Feature:
        return combine([self, _as_feature(other)], [1, 1])

    def __sub__(self, other: Feature | Number) -> Feature:
        return combine([self, _as_feature(other)], [1, -1])

    def __rsub__(self, other: Feature | Number) -> Feature:
        return combine([self, _as_feature(other)], [-1, 1])

    def __neg__(self) -> Feature:
        return self * -1

    def __truediv__(self, number: Number) -> Feature:
        divisor = exact(number)
        if not divisor:
            raise Refusal("it divides by 0")
        return self * (1 / divisor)

    def __mul__(self, other: Feature | Number) -> Feature:
        if isinstance(other, Feature):
            return _multiply(*align([self, other]))
        factor = exact(other)
        terms = {term: c * factor for term, c in self.terms.items()}
        return Feature(terms, self.undefined, self.refused, self.levels)

    __radd__ = __add__
    __rmul__ = __mul__

    def __str__(self) -> str:
        parts = []
        for term in sorted(self.terms, key=lambda t: (not t, [*map(order_factor, t)])):
            c = self.terms[term]
            size = "" if abs(c) == 1 and term else f"{abs(c)} "
            parts += ["-" if c < 0 else "+", f"{size}{write_term(term)}".strip()]
        return " ".join(parts).removeprefix("+ ") or "0"

    @property
    def constant(self) -> Fraction:
        """What it is where no other term counts."""
        return self.terms.get(CONSTANT, Fraction(0))

    def then(self, made: Feature, step: Callable[[float], float]) -> Feature:
        """Return `made`, which is this feature after a step, with the tool's own float arithmetic.

        >>> age = column("age")
        >>> scaled = age.then((age - 40) / 8, lambda x: (x - 40) / 8)
        >>> print(scaled.above(0.3))  # the border is the first float64 for which the tool says so
        age>=42.400000000000006
        """
        if not self.steps and _find_column(self) is None:
            return made
        gap = self.gap if self.steps else None
        if not self.steps and not self.undefined:
            # Filled with 0 it has no such term; where a missing cell is refused it is nothing.
            filled = (float(c) for term, c in self.terms.items() if isinstance(term[0], Missing))
            gap = next(filled, None if self.refused else 0.0)
        return replace(made, steps=(*self.steps, step), gap=None if gap is None else step(gap))

    def impute(self, number: Number) -> Feature:
        """Return it with a number in place of NaN."""
        if not self.undefined:
            return self
        gap = self.missing()
        made = self - self * gap + gap * number
        filled = float(number) if self.steps else None
        return replace(made, undefined=frozenset(), steps=self.steps, gap=filled)

    def missing(self) -> Feature:
        """Return 1 where it is NaN, else 0."""
        present = constant(1)
        for factor in sorted(self.undefined, key=lambda f: f.column):
            present = present * (1 - Feature({(factor,): Fraction(1)}))
        return replace(1 - present, refused=self.refused, levels=self.levels)

    def refuse_missing(self) -> Feature:
        """Return it where the tool raises an error at NaN, so that no later step mends it."""
        return replace(self, undefined=frozenset(), refused=self.refused | self.undefined)

    def map_values(self, function: Callable[[Fraction], Number]) -> Feature:
        """Apply a function to a feature of few values: a constant and indicators of one column."""
        rest = {term: c for term, c in self.terms.items() if term}
        factors = [term[0] for term in rest if len(term) == 1]
        alone = len(factors) == len(rest) and len({f.column for f in factors}) <= 1
        if not alone or any(isinstance(f, Power | Function) for f in factors):
            raise Refusal("it applies a function to what is no longer a column")
        _refuse_overlaps([f for f in factors if isinstance(f, Interval)])
        base = exact(function(self.constant))
        terms = {t: exact(function(self.constant + c)) - base for t, c in rest.items()}
        return replace(self, terms={CONSTANT: base, **terms}, steps=())

    def apply(self, name: str) -> Feature:
        """Apply a function of terms (`log`, `sqrt`, …) to a column as it is, or to few values."""
        known = _find_column(self)
        if known is None:
            return self.map_values(lambda value: _compute(name, value))
        terms: dict[Term, Fraction] = {(Function(name, known),): Fraction(1)}
        if (at_missing := self.terms.get((Missing(known),))) is not None:
            terms[(Missing(known),)] = exact(_compute(name, at_missing))
        return replace(self, terms=terms, steps=())

    def equals(self, number: Number) -> Feature:
        """Return 1 where it is a number, else 0."""
        name, at = _find_column(self), exact(number)
        if name is None or Fraction(value := round_once(at)) != at:
            return self.above(at, closed=True) - self.above(at)
        terms: dict[Term, Fraction] = {(Interval(name, value, value, True, True),): _ONE}
        if Missing(name) not in self.undefined | self.refused:
            terms[(Missing(name),)] = exact(self.terms.get((Missing(name),), 0) == at)
        return Feature(terms, self.undefined, self.refused)

    def above(self, border: Number, *, closed: bool = False) -> Feature:
        """Return 1 where it is over a border, or `closed` at it, else 0."""
        return self.bucket([border], left_closed=closed)[1]

    def bucket(self, borders: Sequence[Number], *, left_closed: bool = True) -> list[Feature]:
        """Return an indicator for each of the intervals between borders, and outside of them.

        The borders grow; each belongs to the interval above it, or not `left_closed` below it.
        """
        from matscore.models.columns import bucket

        return bucket(self, borders, left_closed=left_closed)


def column(name: str) -> Feature:
    """Return the number of a column; NaN where its cell is missing."""
    return Feature({(Power(name),): Fraction(1)}, frozenset({Missing(name)}))


def list_levels(terms: Iterable[Term]) -> dict[str, Levels]:
    """Return the levels that terms name, by column."""
    found: dict[str, dict[str, None]] = {}
    for factor in (factor for term in terms for factor in term):
        if isinstance(factor, Level):
            found.setdefault(factor.column, {})[factor.text] = None
    return {column: Levels(tuple(texts)) for column, texts in found.items()}


def as_features(
    terms: Sequence[Term],
    levels: Mapping[str, Levels] | None = None,
    *,
    refuses_others: bool = True,
) -> list[Feature]:
    """Return each term as a feature, where a table has no more than terms.

    The levels of a column are those that are there. A missing cell, or an unknown text, is refused
    unless one of the terms says what it counts.
    """
    levels = list_levels(terms) if levels is None else levels
    there = {factor for term in terms for factor in term}
    features = []
    for term in terms:
        own = {f.column: levels[f.column] for f in term if f.column in levels}
        policies: list[Factor] = [Missing(f.column) for f in term]
        policies += map(Other, own) if refuses_others else []
        refused = frozenset(policy for policy in policies if policy not in there)
        features.append(Feature({term: Fraction(1)}, refused=refused, levels=own))
    return features


def constant(number: Number) -> Feature:
    """Return a number that is the same in every row."""
    return Feature({CONSTANT: exact(number)})


def exact(number: Number) -> Fraction:
    """Return a finite number as a fraction; NumPy's are taken too."""
    if isinstance(number, Fraction):
        return number
    if isinstance(number, int):
        return Fraction(number)
    value = float(number)
    if not math.isfinite(value):
        raise Refusal(f"it has {value} for a number")
    return Fraction(value)


def round_once(number: Fraction) -> float:
    """Return the nearest float64; what is too large for one is refused."""
    try:
        return number.numerator / number.denominator  # of integers Python rounds it right
    except OverflowError as error:
        raise Refusal("a weight is too large for float64") from error


def combine(features: Sequence[Feature], weights: Sequence[Number], added: Number = 0) -> Feature:
    """Return the sum of features, each times its weight, and of a number."""
    aligned = align(features)
    parts: dict[Term, list[_Product]] = {}
    for feature, weight in zip(aligned, map(exact, weights), strict=True):
        for term, c in feature.terms.items():
            parts.setdefault(term, []).append((c, weight))
    if added:
        parts.setdefault(CONSTANT, []).append((exact(added), _ONE))
    return join_features(_add_all(parts), aligned)


def sum_products(products: Sequence[_Product]) -> Fraction:
    """Return the sum of products: one common denominator is faster than one after the other."""
    ratios = [(a.as_integer_ratio(), b.as_integer_ratio()) for a, b in products]
    common = math.lcm(*(d * e for (_, d), (_, e) in ratios))
    return Fraction(sum(n * m * (common // (d * e)) for (n, d), (m, e) in ratios), common)


def _as_feature(value: Feature | Number) -> Feature:
    return value if isinstance(value, Feature) else constant(value)


def _multiply(one: Feature, other: Feature) -> Feature:
    parts: dict[Term, list[_Product]] = {}
    for term, c in one.terms.items():
        for factor, d in other.terms.items():
            product = multiply_terms(term, factor)
            if product is not None:
                parts.setdefault(product, []).append((c, d))
    return join_features(_add_all(parts), [one, other])


def _add_all(parts: Mapping[Term, Sequence[_Product]]) -> Mapping[Term, Fraction]:
    """Add up by term; what cancels goes, and what a model has with a weight of 0 stays."""
    sums = {term: sum_products(products) for term, products in parts.items()}
    return {
        term: c
        for term, c in sums.items()
        if c or (term and not any(a and b for a, b in parts[term]))
    }


def join_features(terms: Mapping[Term, Fraction], parts: Sequence[Feature]) -> Feature:
    """Return a feature made of others: undefined and refused where one of them is."""
    undefined = frozenset[Factor]().union(*(part.undefined for part in parts))
    refused = frozenset[Factor]().union(*(part.refused for part in parts))
    levels: dict[str, Levels] = {}
    for part in parts:
        if part.levels:
            levels.update(part.levels)
    return Feature(terms, undefined, refused, levels)


def align(features: Sequence[Feature]) -> list[Feature]:
    """Return features that know the same levels of each text column.

    A level that one knows and another takes for `(other)` has there the coefficient of `(other)`;
    one that another refuses is refused.
    """
    known: dict[str, list[Feature]] = {}
    for feature in features:
        for name in feature.levels:
            known.setdefault(name, []).append(feature)
    aligned = list(features)
    for name, readers in known.items():
        first = readers[0].levels[name]
        if any(one.levels[name] is not first for one in readers):
            agreed = _agree(name, readers)
            aligned = [_widen(f, name, agreed) if name in f.levels else f for f in aligned]
    return aligned


def _agree(name: str, readers: Sequence[Feature]) -> Levels:
    texts = dict.fromkeys(text for one in readers for text in one.levels[name].texts)
    for one in readers:
        if Other(name) in one.refused | one.undefined:
            allowed = frozenset(one.levels[name].texts)
            texts = {text: None for text in texts if text in allowed}
    kinds = {one.levels[name].kind for one in readers}
    if not texts or len(kinds) > 1:
        raise Refusal(f'its parts do not agree on the levels of "{name}"')
    return Levels(tuple(texts), kinds.pop())


def _widen(feature: Feature, name: str, agreed: Levels) -> Feature:
    """Return a feature with other levels: new ones are `(other)` to it, the rest goes."""
    old, new = frozenset(feature.levels[name].texts), frozenset(agreed.texts)
    terms: dict[Term, Fraction] = {}
    for term, c in feature.terms.items():
        if not any(isinstance(f, Level) and f.column == name and f.text not in new for f in term):
            terms[term] = c
        if Other(name) in term:
            rest = tuple(f for f in term if f != Other(name))
            for text in (text for text in agreed.texts if text not in old):
                product = multiply_terms(rest, (Level(name, text),))
                assert product is not None  # the rest is of other columns
                terms[product] = c
    return replace(feature, terms=terms, levels={**feature.levels, name: agreed})


def _find_column(feature: Feature) -> str | None:
    """Return the column whose number a feature is, but for what it is where that is missing."""
    for term, c in feature.terms.items():
        if len(term) == 1 and isinstance(term[0], Power) and term[0].exponent == 1 and c == 1:
            others = feature.terms.keys() - {term}
            name = term[0].column
            return name if others <= {(Missing(name),)} else None
    return None


def _compute(name: str, value: Fraction) -> float:
    number = float(value)
    try:
        return {"abs": abs}.get(name, getattr(math, name, abs))(number)
    except (ValueError, OverflowError) as error:
        raise Refusal(f"{name} of {number} is no number") from error


def _refuse_overlaps(intervals: Sequence[Interval]) -> None:
    for one, other in combinations(intervals, 2):
        if multiply_terms((one,), (other,)) is not None:
            raise Refusal("it applies a function to overlapping intervals")


# ------------------------------------------------------------------------------ products of terms


def order_factor(factor: Factor) -> tuple[str, int, str]:
    """Return what puts factors into their one order: by column, then by kind."""
    return factor.column, _KINDS.index(type(factor)), write_factor(factor)


def multiply_terms(one: Term, other: Term) -> Term | None:
    """Multiply two terms; None where the product is 0 in every row."""
    if not one or not other:
        return one or other
    found: list[Factor] = []
    for _, group in groupby(sorted((*one, *other), key=order_factor), lambda f: f.column):
        factors = list(group)
        resolved = factors if len(factors) == 1 else _resolve(factors)
        if resolved is None:
            return None
        found += resolved
    return tuple(found)


def _resolve(factors: list[Factor]) -> list[Factor] | None:
    """Multiply factors of one column; None where they exclude each other."""
    indicators = {f for f in factors if isinstance(f, Level | Other | Missing)}
    if len(indicators) > 1:
        return None
    rest = [f for f in factors if isinstance(f, Power | Function | Interval)]
    if rest and any(isinstance(f, Missing) for f in indicators):
        return None
    exponents = [f.exponent for f in rest if isinstance(f, Power)]
    power = sum(exponents)
    # x times 1/x is 1 but where x is 0, which no term says.
    if exponents and not 0 < abs(power) <= MAX_EXPONENT:
        raise Refusal(f'"{rest[0].column}" has the power {power} in a product')
    found: list[Factor] = [Power(rest[0].column, power)] if exponents else []
    found += [f for f in rest if isinstance(f, Function)]
    intervals = [f for f in rest if isinstance(f, Interval)]
    if intervals:
        low, is_open = max((f.low, not f.low_closed) for f in intervals)
        high, closed = min((f.high, f.high_closed) for f in intervals)
        common = make_interval(
            rest[0].column, low, high, low_closed=not is_open, high_closed=closed
        )
        if common is None:
            return None
        found.append(common)
    return [*found, *indicators]


def make_interval(
    column: str, low: float, high: float, *, low_closed: bool, high_closed: bool
) -> Interval | None:
    """Return an interval; None where no number lies in it."""
    if low < high or (low == high and low_closed and high_closed):
        return Interval(column, low, high, low_closed, high_closed)
    return None
