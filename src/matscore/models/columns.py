"""Columns of the raw file on their way into a model: as they are, as levels, cut into intervals.

>>> region = Raw("region").impute("North")  # SimpleImputer(strategy="most_frequent")
>>> east, north = region.one_hot([["East"], ["North"]], other="zero")
>>> print(east, "|", north)
region=East | region=North + region=(missing)
>>> print(region.to_number({"East": 2.5, "North": 4}, other=3))  # TargetEncoder
5/2 region=East + 4 region=North + 3 region=(other) + 4 region=(missing)
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np

from matscore.kernel import write_number
from matscore.models.algebra import (
    CONSTANT,
    Feature,
    Kind,
    Levels,
    Number,
    column,
    constant,
    exact,
    make_interval,
)
from matscore.models.bounds import Refusal
from matscore.terms import Factor, Level, Missing, Other, Power, Term

Policy: TypeAlias = Literal["error", "nan"] | Number
"""What an encoder makes of a text that it does not know: an error, NaN (a later imputer may mend
it), or a number."""
_MOST_NUMBERS = 1_000_000  # of few values that are encoded once more


@dataclass(frozen=True, slots=True)
class Raw:
    """A column of the file, as long as nothing says whether it is of texts or of numbers."""

    name: str
    kind: Kind = "text"  # what its texts were to the tool: booleans, say, which CSV spells freely
    filled: Any = None  # what an imputer puts in place of a missing cell

    def impute(self, value: Any) -> Raw:
        """Return it with a value in place of missing cells."""
        return self if self.filled is not None else replace(self, filled=value)

    def missing(self) -> Feature:
        """Return 1 where it is missing, else 0."""
        return column(self.name).missing() if self.filled is None else constant(0)

    def as_number(self) -> Feature:
        """Return its number."""
        if isinstance(self.filled, str):
            raise Refusal(f'texts reach a step that needs numbers: those of "{self.name}"')
        found = column(self.name)
        return found if self.filled is None else found.impute(self.filled)

    def one_hot(
        self,
        groups: Sequence[Collection[str | None]],
        *,
        other: Literal["error", "zero", "nan"] | int,
        missing: Literal["error", "zero", "nan"] | int | None = None,
    ) -> list[Feature]:
        """Return an indicator for each group of texts, in which None is a missing cell.

        `other` says what an unknown text is: an error, zeros, NaN, or as the group of that index
        (infrequent levels). `missing` says the same of a missing cell that no group holds; without
        it a missing cell is an unknown text.
        """
        cells, policies = self._sort_cells([t for group in groups for t in group], other, missing)
        factors = [[f for text in group for f in cells[text]] for group in groups]
        for factor, policy in policies.items():
            if isinstance(policy, int):
                factors[policy].append(factor)
        levels = self._list_levels(cells)
        return [_encode(dict.fromkeys(each, 1), policies, levels) for each in factors]

    def to_number(
        self, numbers: Mapping[str | None, Number], *, other: Policy, missing: Policy | None = None
    ) -> Feature:
        """Return the number that each text stands for; None is a missing cell.

        `other` and `missing` are as for `one_hot`, but that they may give a number.
        """
        cells, policies = self._sort_cells(list(numbers), other, missing)
        found = {factor: number for text, number in numbers.items() for factor in cells[text]}
        found |= {factor: one for factor, one in policies.items() if not isinstance(one, str)}
        return _encode(found, policies, self._list_levels(cells))

    def _sort_cells(
        self, known: Sequence[str | None], other: Any, missing: Any
    ) -> tuple[dict[str | None, list[Factor]], dict[Factor, Any]]:
        """Return the cells that become each known text, and what is made of the others."""
        cells: dict[str | None, list[Factor]] = {
            text: [] if text is None else [Level(self.name, text)] for text in known
        }
        if len(cells) < len(known):
            raise Refusal(f'it has a level of "{self.name}" twice')
        policies: dict[Factor, Any] = {Other(self.name): other}
        filled = write_level(self.filled)
        if filled in cells:
            cells[filled].append(Missing(self.name))
        else:
            # A text in place of missing cells that is no level is an unknown one.
            is_unknown = missing is None or filled is not None
            policies[Missing(self.name)] = other if is_unknown else missing
        return cells, policies

    def _list_levels(self, cells: Collection[str | None]) -> Mapping[str, Levels]:
        return {self.name: Levels(tuple(text for text in cells if text is not None), self.kind)}


@dataclass(frozen=True)
class Raws(Sequence[Raw]):
    """Columns of the file as they are: a model may have millions, which are made when asked for."""

    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Any) -> Any:
        return Raw(self.names[index])


def _encode(
    numbers: Mapping[Factor, Number], policies: Mapping[Factor, Any], levels: Mapping[str, Levels]
) -> Feature:
    terms: dict[Term, Fraction] = {(factor,): exact(number) for factor, number in numbers.items()}
    undefined = frozenset(factor for factor, policy in policies.items() if policy == "nan")
    refused = frozenset(factor for factor, policy in policies.items() if policy == "error")
    return Feature(terms, undefined, refused, levels)


Value: TypeAlias = Raw | Feature
"""A column on its way through the steps of a tool."""


def as_features(values: Sequence[Value]) -> list[Feature]:
    """Return columns as numbers."""
    return [value.as_number() if isinstance(value, Raw) else value for value in values]


def indicate(
    value: Value, kind: Kind, groups: Sequence[Sequence[str | None]], other: Any
) -> Sequence[Feature]:
    """Return an indicator for each group of the texts, or few numbers, that a column has."""
    if isinstance(value, Raw):
        return replace(value, kind=kind).one_hot(groups, other=other)
    if len(groups) * len(value.terms) > _MOST_NUMBERS:
        raise Refusal(f"it encodes {len(value.terms):,} numbers as {len(groups):,} columns")
    made = []
    for j in range(len(groups)):
        numbers = {one: int(k == j) for k, group in enumerate(groups) for one in group}
        unknown: Any = int(other == j) if isinstance(other, int) else other
        made.append(recode(value, kind, numbers, 0 if unknown == "zero" else unknown))
    return made


def recode(
    value: Value, kind: Kind, numbers: Mapping[str | None, Number], other: Any, missing: Any = None
) -> Feature:
    """Return the number that each text, or each of the few values, of a column stands for."""
    if isinstance(value, Raw):
        return replace(value, kind=kind).to_number(numbers, other=other, missing=missing)
    try:
        known = {Fraction(float(text)): n for text, n in numbers.items() if text is not None}
    except (ValueError, OverflowError) as error:
        raise Refusal("it encodes numbers by what is no number") from error

    def look_up(number: Fraction) -> Number:
        found = known.get(number, other)
        if isinstance(found, str):
            raise Refusal("it encodes a number that it does not know")
        return found  # type: ignore[no-any-return]

    found = value.map_values(look_up)
    return found.impute(numbers[None]) if None in numbers else found.refuse_missing()


def write_level(value: object) -> str | None:
    """Write a level that a tool holds as a text, number or boolean; None where it is missing.

    >>> [write_level(value) for value in ("a", 3, 2.0, 0.5, True, None, float("nan"))]
    ['a', '3', '2', '0.5', 'True', None, None]
    """
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str | bool | int):
        return str(value)
    if isinstance(value, float):
        return None if math.isnan(value) else write_number(value).removesuffix(".0")
    if value is None:
        return None
    raise Refusal(f"it has a level of type {type(value).__name__}")


# --------------------------------------------------------------------------------------- intervals

_ORDER_BITS = 64
_Point = tuple[float, bool]  # a number of a column, and whether it belongs to what is above it


def bucket(feature: Feature, borders: Sequence[Number], *, left_closed: bool) -> list[Feature]:
    """Return an indicator for each interval between borders; see `Feature.bucket`."""
    cuts = [exact(border) for border in borders]
    if any(a >= b for a, b in pairwise(cuts)):
        raise Refusal("its borders do not grow")

    def is_at(place: int, value: Fraction) -> int:
        return int(sum(c <= value if left_closed else c < value for c in cuts) == place)

    if not any(isinstance(factor, Power) for term in feature.terms for factor in term):
        return [feature.map_values(partial(is_at, i)) for i in range(len(cuts) + 1)]
    line = _as_line(feature)
    inside = [_find_point(line, cut, closed=left_closed) for cut in cuts]
    # What is over the first border of a line that falls is under its number.
    order = 1 if line.slope > 0 else -1
    points = [(-math.inf, False), *inside[::order], (math.inf, False)]
    pieces = [_indicate(line.column, *pair) for pair in pairwise(points)][::order]
    if (value := line.at_missing) is not None:
        for i, terms in enumerate(pieces):
            terms[(Missing(line.column),)] = Fraction(is_at(i, value) - terms.get(CONSTANT, 0))
    return [Feature(terms, feature.undefined, feature.refused) for terms in pieces]


@dataclass(frozen=True)
class _Line:
    """A feature that grows or falls with the number of one column."""

    column: str
    slope: Fraction
    at_missing: Fraction | None  # what it is where the column is missing
    compute: Callable[[float], Number]
    is_plain: bool


def _as_line(feature: Feature) -> _Line:
    powers = [t for t in feature.terms if t != CONSTANT and not isinstance(t[0], Missing)]
    column = powers[0][0].column if powers else ""
    power, missing = (Power(column),), (Missing(column),)
    slope, shift = feature.terms.get(power, Fraction(0)), feature.constant
    if not slope or feature.terms.keys() - {power, CONSTANT, missing}:
        raise Refusal("it cuts into intervals what is no longer a column's number")
    filled = None
    if Missing(column) not in feature.undefined | feature.refused:
        filled = shift + feature.terms.get(missing, 0)
    if not feature.steps:
        is_plain = slope == 1 and shift == 0
        return _Line(column, slope, filled, lambda x: slope * Fraction(x) + shift, is_plain)

    def compute(x: float) -> float:
        for step in feature.steps:
            x = step(x)
        return x

    filled = None if feature.gap is None else exact(feature.gap)
    return _Line(column, slope, filled, compute, is_plain=False)


def _find_point(line: _Line, cut: Fraction, *, closed: bool) -> _Point:
    """Return where a feature gets over a border, or falls under it."""
    if line.is_plain and Fraction(at := _nearest(cut)) == cut:
        return at, closed

    def is_over(x: float) -> bool:
        value = line.compute(x)
        return (value >= cut if closed else value > cut) is (line.slope > 0)

    return find_border(is_over), True


def _nearest(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.copysign(math.inf, number)


def _indicate(column: str, low: _Point, high: _Point) -> dict[Term, Fraction]:
    """Return 1 between two points."""
    (start, starts), (end, ends) = low, high
    if start == -math.inf and end == math.inf:  # every number
        return {CONSTANT: Fraction(1)}
    starts, ends = starts and start > -math.inf, not ends and end < math.inf
    interval = make_interval(column, start, end, low_closed=starts, high_closed=ends)
    return {} if interval is None else {(interval,): Fraction(1)}


def find_border(is_over: Callable[[float], bool]) -> float:
    """Return the least float64 for which a condition holds that holds for all larger ones.

    -inf where it holds for all finite ones, inf where it holds for none.

    >>> find_border(lambda x: x / 3 >= 0.1)
    0.30000000000000004
    """
    low, high = _rank(-math.inf), _rank(math.inf)
    while high - low > 1:
        middle = (low + high) // 2
        if is_over(_unrank(middle)):
            high = middle
        else:
            low = middle
    return -math.inf if low == _rank(-math.inf) else _unrank(high)


def _rank(x: float) -> int:
    """Return the place of a float64 among all of them."""
    bits = int(struct.unpack("<q", struct.pack("<d", x))[0])
    return bits if bits >= 0 else -(bits & (2 ** (_ORDER_BITS - 1) - 1))


def _unrank(rank: int) -> float:
    sign = 0 if rank >= 0 else 2 ** (_ORDER_BITS - 1)
    return float(struct.unpack("<d", struct.pack("<Q", abs(rank) | sign))[0])
