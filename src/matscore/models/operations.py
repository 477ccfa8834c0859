"""What formulas of several tools do to features: products within bounds, functions, conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from matscore.models.algebra import Feature, constant, exact
from matscore.models.factors import CONSTANT
from matscore.models.refusal import Refusal
from matscore.terms import MAX_EXPONENT, Power

MAX_PRODUCTS = 100_000  # of terms that one multiplication may make
MAX_BITS = 20_000  # of a number: powers of powers grow fast

# What a function of c times a column is, c above 0.
_OF_PRODUCTS: dict[str, Callable[[Feature, float], Feature]] = {
    "log": lambda made, c: made + math.log(c),
    "log2": lambda made, c: made + math.log2(c),
    "log10": lambda made, c: made + math.log10(c),
    "sqrt": lambda made, c: made * math.sqrt(c),
    "abs": lambda made, c: made * c,
}


def multiply(one: Feature, other: Feature) -> Feature:
    """Multiply two features, within bounds on what that makes."""
    if len(one.terms) * len(other.terms) > MAX_PRODUCTS:
        raise Refusal(f"a product of more than {MAX_PRODUCTS:,} terms")
    found = one * other
    for c in found.terms.values():
        if max(c.numerator.bit_length(), c.denominator.bit_length()) > MAX_BITS:
            raise Refusal("a number with too many digits")
    return found


def divide(one: Feature, other: Feature) -> Feature:
    """Divide by a number, or by a power of a column."""
    if not other.terms.keys() - {CONSTANT}:
        return one / other.constant
    ((term, c), *rest) = other.terms.items()
    if rest or len(term) != 1 or not isinstance(factor := term[0], Power):
        raise Refusal("it divides by more than a column")
    return multiply(
        one, Feature({(Power(factor.column, -factor.exponent),): 1 / c}, other.undefined)
    )


def raise_to(base: Feature, exponent: Feature) -> Feature:
    """Return a whole power; of a column also a negative one and the square root."""
    if exponent.terms.keys() - {CONSTANT}:
        raise Refusal("an exponent that is no number")
    power = exponent.constant
    if power == exact(0.5):
        return base.apply("sqrt")
    if power.denominator != 1 or abs(power) > MAX_EXPONENT:
        raise Refusal(f"a power of {float(power):g}")
    if power < 0:
        return divide(constant(1), raise_to(base, -exponent))
    found = constant(1)
    for i in range(int(power)):
        found = multiply(found, base) if i else base
    return found


def apply(name: str, of: Feature) -> Feature:
    """Apply a function of terms to a column, to a multiple of one, or log to one and 1."""
    terms = {term: c for term, c in of.terms.items() if c or not term}
    if name == "log" and terms.get(CONSTANT) == 1:
        name, of = "log1p", of - 1
    of = replace(of, terms={term: c for term, c in of.terms.items() if term or c})
    scales = [c for t, c in of.terms.items() if len(t) == 1 and isinstance(t[0], Power)]
    if len(scales) == 1 and scales[0] > 0 and scales[0] != 1 and name in _OF_PRODUCTS:
        return _OF_PRODUCTS[name]((of / scales[0]).apply(name), float(scales[0]))
    return of.apply(name)


def choose(test: Feature, yes: Feature, no: Feature) -> Feature:
    """Return one feature where a test is 1 and another where it is 0, with its NaN."""
    return both(test, yes) + both(1 - test, no)


def both(test: Feature, other: Feature) -> Feature:
    """Multiply, where NaN of one does not count at which the other is 0 (and, if)."""
    return multiply(_where(test, other), _where(other, test))


def _where(feature: Feature, other: Feature) -> Feature:
    """Return a feature without the NaN of cells at which another is 0."""
    kept = set(feature.undefined)
    for factor in feature.undefined - other.undefined:
        at = multiply(other, Feature({(factor,): exact(1)}))
        if not any(at.terms.values()):
            kept.discard(factor)
    return replace(feature, undefined=frozenset(kept))
