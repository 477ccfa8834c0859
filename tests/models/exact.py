"""An evaluator of features and models on raw rows, by the definition of terms, in fractions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from matscore.models.algebra import Feature, Levels
from matscore.models.types import ImportedModel
from matscore.terms import Factor, Function, Interval, Level, Missing, Other, Power

Cell = str | float | int | None
"""A raw cell: a text, a number, or None where it is missing."""
Row = Mapping[str, Cell]


class BadRowError(Exception):
    """A row that the weights file refuses."""


def evaluate(feature: Feature, row: Row) -> Fraction | None:
    """Return a feature's value in a row, None where it is NaN; `BadRowError` where refused."""
    for factor in feature.refused:
        if value_of(factor, row, feature.levels):
            raise BadRowError(factor)
    if any(value_of(factor, row, feature.levels) for factor in feature.undefined):
        return None
    total = Fraction(0)
    for term, c in feature.terms.items():
        product = c
        for factor in term:
            product *= value_of(factor, row, feature.levels)
        total += product
    return total


def score(model: ImportedModel, row: Row) -> list[float]:
    """Return a row's scores, a binary vector's first category included."""
    folded = model.folded
    for factor in folded.without_row:
        if value_of(factor, row, folded.levels):
            raise BadRowError(factor)
    scores = [Fraction(b) for b in folded.intercept]
    for term, weights in zip(folded.terms, folded.weights, strict=True):
        value = Fraction(1)
        for factor in term:
            value *= value_of(factor, row, folded.levels)
        scores = [s + value * Fraction(w) for s, w in zip(scores, weights, strict=True)]
    return [*([0.0] if model.is_binary_vector else []), *map(float, scores)]


def value_of(factor: Factor, row: Row, levels: Mapping[str, Levels]) -> Fraction:
    cell = row[factor.column]
    if isinstance(factor, Missing):
        return Fraction(int(cell is None))
    if cell is None:
        return Fraction(0)
    if isinstance(factor, Level):
        return Fraction(int(_is_level(cell, factor.text, levels[factor.column])))
    if isinstance(factor, Other):
        known = levels[factor.column]
        return Fraction(int(not any(_is_level(cell, text, known) for text in known.texts)))
    return _value_of_number(factor, float(cell))


def _value_of_number(factor: Power | Function | Interval, x: float) -> Fraction:
    if isinstance(factor, Power):
        return Fraction(x) ** factor.exponent
    if isinstance(factor, Function):
        return Fraction(abs(x) if factor.name == "abs" else getattr(math, factor.name)(x))
    above = x > factor.low or (factor.low_closed and x == factor.low)
    below = x < factor.high or (factor.high_closed and x == factor.high)
    return Fraction(int(above and below))


def _is_level(cell: Cell, text: str, levels: Levels) -> bool:
    if levels.kind == "number" or not isinstance(cell, str):
        try:
            return float(cell or 0) == float(text)
        except ValueError:
            return False
    return cell == text
