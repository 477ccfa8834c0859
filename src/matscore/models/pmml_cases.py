"""The cells that tests of columns tell apart, so that what none of them holds is found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise, product

from matscore.models.algebra import Feature
from matscore.models.refusal import Refusal
from matscore.terms import Factor, Interval, Level, Missing, Other

MAX_CASES = 20_000
Case = Mapping[str, Factor]
"""For each column the cell that it is: a level, other, missing, or an interval of numbers."""


def list_cases(tests: Sequence[Feature]) -> list[Case]:
    """Return all cells that the tests can tell apart, of all their columns together."""
    factors = {factor for test in tests for term in test.terms for factor in term}
    columns: dict[str, list[Factor]] = {}
    for name in sorted({factor.column for factor in factors}):
        own = [factor for factor in factors if factor.column == name]
        levels = {text for test in tests if name in test.levels for text in test.levels[name].texts}
        cells: list[Factor] = [Missing(name)]
        if levels:
            cells += [Other(name), *(Level(name, text) for text in sorted(levels))]
        else:
            cells += _cut(name, [one for one in own if isinstance(one, Interval)])
        if not all(isinstance(one, Interval | Level | Other | Missing) for one in own):
            raise Refusal(f'"{name}" is tested as more than a number or a text')
        columns[name] = cells
    if math.prod(map(len, columns.values())) > MAX_CASES:
        raise Refusal(f"it tells apart more than {MAX_CASES:,} cases")
    return [dict(zip(columns, cells, strict=True)) for cells in product(*columns.values())]


def _cut(name: str, intervals: Sequence[Interval]) -> list[Factor]:
    """Return the pieces of the numbers between all borders, and the borders themselves."""
    borders = sorted({one.low for one in intervals} | {one.high for one in intervals})
    borders = [-math.inf, *(b for b in borders if math.isfinite(b)), math.inf]
    found: list[Factor] = []
    for low, high in pairwise(borders):
        found.append(Interval(name, low, high))
        if math.isfinite(high):
            found.append(Interval(name, high, high, True, True))
    return found


def find_first(tests: Sequence[Feature], case: Case) -> int | None:
    """Return which test is the first that is true in a case."""
    for i, test in enumerate(tests):
        if sum(c for term, c in test.terms.items() if all(_holds(f, case) for f in term)):
            return i
    return None


def _holds(factor: Factor, case: Case) -> bool:
    cell = case[factor.column]
    if not isinstance(factor, Interval) or not isinstance(cell, Interval):
        return factor == cell
    if cell.low == cell.high:
        above = factor.low < cell.low or (factor.low_closed and factor.low == cell.low)
        below = cell.high < factor.high or (factor.high_closed and factor.high == cell.high)
        return above and below
    return factor.low <= cell.low and cell.high <= factor.high
