"""Scores of an imported model by the definition of its terms, in exact fractions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from matscore.models.types import ImportedModel
from matscore.terms import Factor, Function, Interval, Level, Missing, Other, Power

Row = Mapping[str, str]  # the cells of a CSV file; an empty one is missing


def score(model: ImportedModel, rows: Sequence[Row]) -> NDArray[np.float64]:
    """Return scores of shape (n_rows, n_categories); NaN in a row that is refused."""
    folded = model.folded
    found = np.full((len(rows), len(model.categories)), np.nan)
    for scores, row in zip(found, rows, strict=True):
        if any(_value(factor, row, model) for factor in folded.without_row):
            continue
        values = [math.prod(_value(f, row, model) for f in term) for term in folded.terms]
        if any(math.isnan(value) for value in values):
            continue
        parts = np.zeros(folded.weights.shape[1])
        for i in range(len(parts)):
            weighed = (v * Fraction(w) for v, w in zip(values, folded.weights[:, i], strict=True))
            parts[i] = float(sum(weighed, Fraction(folded.intercept[i])))
        scores[:] = [0, *parts] if model.is_binary_vector else parts
    return found


def _value(factor: Factor, row: Row, model: ImportedModel) -> Fraction | float:
    cell = row[factor.column]
    if isinstance(factor, Missing):
        return Fraction(cell == "")
    if cell == "":
        return Fraction(0)
    match factor:
        case Power(_, exponent):
            return Fraction(float(cell)) ** exponent
        case Function(name, _):
            try:
                return Fraction({"abs": abs}.get(name, getattr(math, name, abs))(float(cell)))
            except ValueError:
                return math.nan
        case Interval(_, low, high, low_closed, high_closed):
            x = float(cell)
            return Fraction((low < x or (low_closed and low == x)) and (x < high or (high_closed and x == high)))
        case Level(_, text):
            return Fraction(_is_level(cell, text, model.folded.levels[factor.column].kind))
        case Other(column):
            levels = model.folded.levels[column]
            return Fraction(not any(_is_level(cell, text, levels.kind) for text in levels.texts))
    raise AssertionError(factor)


def _is_level(cell: str, text: str, kind: str) -> bool:
    return float(cell) == float(text) if kind == "number" else cell == text
