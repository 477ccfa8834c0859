"""Features cut into intervals: borders on the raw number, found by the tool's own arithmetic."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise

from matscore.models.algebra import CONSTANT, Feature, Number, exact, make_interval
from matscore.models.refusal import Refusal
from matscore.terms import Missing, Power, Term

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
