"""What formulas do to features, by one name each: those of R, Python and PMML are read as these."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce

from matscore.models.algebra import CONSTANT, Feature, constant, exact, round_once
from matscore.models.bounds import Refusal
from matscore.terms import FUNCTIONS, MAX_EXPONENT, Power

MAX_PRODUCTS = 100_000  # of terms that one multiplication may make
MAX_BITS = 20_000  # of a number: powers of powers grow fast
OF_NUMPY: Mapping[str, str] = {
    **{name: name for name in (*FUNCTIONS, "square", "expm1")},
    "absolute": "abs", "fabs": "abs", "negative": "-", "positive": "+",
}  # fmt: skip
"""The operations of functions of NumPy."""
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def compute(name: str, *of: Feature) -> Feature:
    """Return what an operation makes of its arguments; NaN where one of them is."""
    if name in FUNCTIONS and len(of) == 1:
        return _apply(name, of[0])
    if name in MIRRORED and len(of) == 2:
        return _compare(name, *of)
    if name in _ARITHMETIC and len(of) == 2:
        return _calculate(name, *of)
    counts, make = _OPERATIONS.get(name, ((), None))
    if make is None or (counts and len(of) not in counts) or not of:
        raise Refusal(f"{name} of {len(of)} arguments is not known")
    return make(*of)


def is_number(feature: Feature) -> bool:
    """Say whether a feature is the same number in every row."""
    return not feature.terms.keys() - {CONSTANT}


def multiply(one: Feature, other: Feature) -> Feature:
    """Multiply two features, within bounds on what that makes."""
    if len(one.terms) * len(other.terms) > MAX_PRODUCTS:
        raise Refusal(f"a product of more than {MAX_PRODUCTS:,} terms")
    found = one * other
    for c in found.terms.values():
        if max(c.numerator.bit_length(), c.denominator.bit_length()) > MAX_BITS:
            raise Refusal("a number with too many digits")
    return found


def raise_to(base: Feature, exponent: Feature) -> Feature:
    """Return a whole power; of a column also a negative one and the square root."""
    if not is_number(exponent):
        raise Refusal("an exponent that is no number")
    power = exponent.constant
    if power == exact(0.5):
        return base.apply("sqrt")
    if power.denominator != 1 or abs(power) > MAX_EXPONENT:
        raise Refusal(f"a power of {float(power):g}")
    if power < 0:
        return _divide(constant(1), raise_to(base, -exponent))
    return reduce(multiply, [base] * int(power)) if power else constant(1)


def both(test: Feature, other: Feature) -> Feature:
    """Multiply, where NaN of one does not count at which the other is 0 (and, if)."""
    return multiply(_where(test, other), _where(other, test))


def _divide(one: Feature, other: Feature) -> Feature:
    """Divide by a number, or by a power of a column."""
    if is_number(other):
        return one / other.constant
    ((term, c), *rest) = other.terms.items()
    if rest or len(term) != 1 or not isinstance(factor := term[0], Power):
        raise Refusal("it divides by more than a column")
    inverse = Feature({(Power(factor.column, -factor.exponent),): 1 / c}, other.undefined)
    return multiply(one, inverse)


def _calculate(name: str, one: Feature, other: Feature) -> Feature:
    """Return + - * / of two; with a number, by the tool's own arithmetic too."""
    make, step = _ARITHMETIC[name]
    made = make(one, other)
    if is_number(other):
        second = round_once(other.constant)
        return one.then(made, lambda x: step(x, second))
    if is_number(one) and name != "/":
        first = round_once(one.constant)
        return other.then(made, lambda x: step(first, x))
    return made


def _compare(name: str, one: Feature, other: Feature) -> Feature:
    """Return 1 where a number is on one side of another, which is the same in every row."""
    if is_number(one):
        one, other, name = other, one, MIRRORED[name]
    if not is_number(other):
        raise Refusal("it compares two columns")
    if name in {"==", "!="}:
        equal = one.equals(other.constant)
        return equal if name == "==" else 1 - equal
    sides = one.bucket([other.constant], left_closed=name in {">=", "<"})
    return sides[name.startswith(">")]


# What a function of c times a column is, c above 0.
_OF_PRODUCTS: Mapping[str, Callable[[Feature, float], Feature]] = {
    "log": lambda made, c: made + math.log(c),
    "log2": lambda made, c: made + math.log2(c),
    "log10": lambda made, c: made + math.log10(c),
    "sqrt": lambda made, c: made * math.sqrt(c),
    "abs": lambda made, c: made * c,
}


def _apply(name: str, of: Feature) -> Feature:
    """Apply a function of terms to a column, to a multiple of one, or log to one and 1."""
    if name == "log" and of.constant == 1:
        name, of = "log1p", of - 1
    of = replace(of, terms={term: c for term, c in of.terms.items() if term or c})
    scales = [c for t, c in of.terms.items() if len(t) == 1 and isinstance(t[0], Power)]
    if len(scales) == 1 and scales[0] > 0 and scales[0] != 1 and name in _OF_PRODUCTS:
        return _OF_PRODUCTS[name]((of / scales[0]).apply(name), float(scales[0]))
    return of.apply(name)


def _choose(test: Feature, yes: Feature, no: Feature) -> Feature:
    return both(test, yes) + both(1 - test, no)


def _where(feature: Feature, other: Feature) -> Feature:
    """Return a feature without the NaN of cells at which another is 0."""
    kept = set(feature.undefined)
    for factor in feature.undefined - other.undefined:
        at = multiply(other, Feature({(factor,): exact(1)}))
        if not any(at.terms.values()):
            kept.discard(factor)
    return replace(feature, undefined=frozenset(kept))


_ARITHMETIC: Mapping[str, tuple[Callable[[Feature, Feature], Feature], Callable[..., float]]] = {
    "+": (operator.add, operator.add),
    "-": (operator.sub, operator.sub),
    "*": (multiply, operator.mul),
    "/": (_divide, operator.truediv),
}
# How many arguments each may have, any number where none is named.
_OPERATIONS: Mapping[str, tuple[tuple[int, ...], Callable[..., Feature]]] = {
    "+": ((1,), lambda of: of),
    "-": ((1,), operator.neg),
    "^": ((2,), raise_to),
    "square": ((1,), lambda of: multiply(of, of)),
    "expm1": ((1,), lambda of: _apply("exp", of) - 1),
    "!": ((1,), lambda test: 1 - test),
    "&": ((), lambda *tests: reduce(multiply, tests)),
    "|": ((), lambda *tests: 1 - reduce(multiply, [1 - test for test in tests])),
    "if": ((3,), _choose),
}
