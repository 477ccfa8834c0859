"""Features cut into intervals: borders on the raw number, found by the tool's own arithmetic."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import pairwise

from matscore.models.algebra import CONSTANT, Feature, Number, exact, make_interval
from matscore.models.refusal import Refusal
from matscore.terms import Interval, Missing, Power, Term

_ORDER_BITS = 64


def bucket(feature: Feature, borders: Sequence[Number], *, left_closed: bool) -> list[Feature]:
    """Return an indicator for each interval between borders; see `Feature.bucket`."""
    cuts = [exact(border) for border in borders]
    if any(a >= b for a, b in pairwise(cuts)):
        raise Refusal("its borders do not grow")
    if not any(isinstance(factor, Power) for term in feature.terms for factor in term):
        places = range(len(cuts) + 1)
        return [feature.map_values(partial(_is_at, cuts, left_closed, i)) for i in places]
    line = _as_line(feature)
    sides = [_find_side(line, cut, closed=left_closed) for cut in cuts]
    lowest, highest = _Side(-math.inf, True), _Side(math.inf, True)
    if line.slope < 0:  # what is over the first border is under its number
        lowest, highest = highest, lowest
    found = []
    home = None if line.at_missing is None else _count(line.at_missing, cuts, left_closed)
    for i, (over, next_over) in enumerate(pairwise([lowest, *sides, highest])):
        found.append(_indicate(line, over, next_over, holds_missing=home == i))
    return [replace(one, undefined=feature.undefined, refused=feature.refused) for one in found]


class _Line:
    """A feature that grows or falls with the number of one column."""

    def __init__(self, column: str, slope: Fraction, shift: Fraction) -> None:
        self.column, self.slope, self.shift = column, slope, shift
        self.at_missing: Fraction | None = None  # what it is where the column is missing
        self.compute: Callable[[float], Number] = lambda x: self.slope * Fraction(x) + self.shift
        self.is_plain = slope == 1 and shift == 0


class _Side:
    """Numbers of a column at which a feature is over a border: from here on, or up to here."""

    def __init__(self, at: float, closed: bool) -> None:
        self.at, self.closed = at, closed


def _as_line(feature: Feature) -> _Line:
    powers = [t for t in feature.terms if t != CONSTANT and not isinstance(t[0], Missing)]
    column = powers[0][0].column if powers else ""
    if len(powers) != 1 or powers[0] != (Power(column),) or not feature.terms[powers[0]]:
        raise Refusal("it cuts into intervals what is no longer a column's number")
    missing = (Missing(column),)
    if feature.terms.keys() - {powers[0], CONSTANT, missing}:
        raise Refusal("it cuts into intervals what is no longer a column's number")
    line = _Line(column, feature.terms[powers[0]], feature.constant)
    if Missing(column) not in feature.undefined | feature.refused:
        line.at_missing = line.shift + feature.terms.get(missing, 0)
    if feature.steps:
        line.compute, line.is_plain = _chain(feature.steps), False
        line.at_missing = None if feature.gap is None else exact(feature.gap)
    return line


def _chain(steps: Sequence[Callable[[float], float]]) -> Callable[[float], Number]:
    def compute(x: float) -> float:
        for step in steps:
            x = step(x)
        return x

    return compute


def _count(value: Fraction, cuts: Sequence[Fraction], left_closed: bool) -> int:
    """Return in which of the intervals a value lies."""
    return sum(cut <= value if left_closed else cut < value for cut in cuts)


def _is_at(cuts: Sequence[Fraction], left_closed: bool, place: int, value: Fraction) -> int:
    return int(_count(value, cuts, left_closed) == place)


def _find_side(line: _Line, cut: Fraction, *, closed: bool) -> _Side:
    """Return where a feature gets over a border."""
    if line.is_plain and Fraction(at := _nearest(cut)) == cut:
        return _Side(at, closed)

    def is_over(x: float) -> bool:
        value = line.compute(x)
        return value >= cut if closed else value > cut

    if line.slope > 0:
        return _Side(find_border(is_over), True)
    first_under = find_border(lambda x: not is_over(x))
    return _Side(first_under, False)


def _nearest(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.copysign(math.inf, number)


def _indicate(line: _Line, over: _Side, not_over: _Side, *, holds_missing: bool) -> Feature:
    """Return 1 where a feature is over one border and not over the next."""
    if line.slope > 0:
        low, high, low_closed, high_closed = over.at, not_over.at, over.closed, not not_over.closed
    else:
        low, high, low_closed, high_closed = not_over.at, over.at, not not_over.closed, over.closed
    missing = (Missing(line.column),)
    if low == -math.inf and high == math.inf:  # every number: what is not missing
        at_missing = int(holds_missing or line.at_missing is None)
        return Feature({CONSTANT: Fraction(1), missing: Fraction(at_missing - 1)})
    interval: Interval | None = make_interval(
        line.column, low, high,
        low_closed=low_closed and low != -math.inf, high_closed=high_closed and high != math.inf,
    )  # fmt: skip
    terms: dict[Term, Fraction] = {} if interval is None else {(interval,): Fraction(1)}
    if line.at_missing is not None:
        terms[missing] = Fraction(int(holds_missing))
    return Feature(terms)


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
