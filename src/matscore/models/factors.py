"""Products of terms: factors of one column are resolved, those of others stand side by side."""

from __future__ import annotations

from itertools import groupby

from matscore.models.refusal import Refusal
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
)

CONSTANT: Term = ()
"""The term that is 1 in every row."""

_KINDS = (Power, Function, Interval, Level, Other, Missing)


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


def order_term(term: Term) -> tuple[bool, tuple[tuple[str, int, str], ...]]:
    """Return what puts terms into one order, the constant last."""
    return not term, tuple(map(order_factor, term))


def _resolve(factors: list[Factor]) -> list[Factor] | None:
    """Multiply factors of one column; None where they exclude each other."""
    indicators = {f for f in factors if isinstance(f, Level | Other | Missing)}
    if len(indicators) > 1:
        return None
    rest = [f for f in factors if isinstance(f, Power | Function | Interval)]
    if rest and any(isinstance(f, Missing) for f in indicators):
        return None
    exponents = [f.exponent for f in rest if isinstance(f, Power)]
    found: list[Factor] = [_make_power(rest[0].column, sum(exponents))] if exponents else []
    found += [f for f in rest if isinstance(f, Function)]
    intervals = [f for f in rest if isinstance(f, Interval)]
    while len(intervals) > 1:
        both = _intersect(intervals.pop(), intervals.pop())
        if both is None:
            return None
        intervals.append(both)
    return [*found, *intervals, *indicators]


def _make_power(column: str, exponent: int) -> Power:
    # x times 1/x is 1 but where x is 0, which no term says.
    if exponent == 0:
        raise Refusal(f'"{column}" is multiplied by its own reciprocal')
    if abs(exponent) > MAX_EXPONENT:
        raise Refusal(f'"{column}" has the power {exponent}, beyond {MAX_EXPONENT}')
    return Power(column, exponent)


def _intersect(one: Interval, other: Interval) -> Interval | None:
    low, open_low = max((i.low, not i.low_closed) for i in (one, other))
    high, high_closed = min((i.high, i.high_closed) for i in (one, other))
    return make_interval(one.column, low, high, low_closed=not open_low, high_closed=high_closed)


def make_interval(
    column: str, low: float, high: float, *, low_closed: bool, high_closed: bool
) -> Interval | None:
    """Return an interval; None where no number lies in it."""
    if low < high or (low == high and low_closed and high_closed):
        return Interval(column, low, high, low_closed, high_closed)
    return None
