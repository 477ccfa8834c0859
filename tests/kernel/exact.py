"""Arithmetic by exact fractions, rounded once a step: the oracle of the kernel's tests."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def round_once(exact: Fraction) -> float:
    """Round to the nearest float64, ties to even, as Python divides integers."""
    try:
        return exact.numerator / exact.denominator
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def fma(x: float, w: float, s: float) -> float:
    """Return ``x * w + s``, rounded once; the sign of a zero is not kept."""
    if not math.isfinite(s):
        return s + 0.0 * x * w  # a finite product, however large, is lost in it
    if not (math.isfinite(x) and math.isfinite(w)):
        return x * w + s
    return round_once(Fraction(x) * Fraction(w) + Fraction(s))


def multiply(features: Floats, weights: Floats, intercept: Floats | None = None) -> Floats:
    """Return the scores by their definition, of shape (n_categories, n_rows)."""
    scores = np.empty((weights.shape[1], features.shape[1]))
    for c, row in np.ndindex(scores.shape):
        s = 0.0
        for x, w in zip(features[:, row].tolist(), weights[:, c].tolist(), strict=True):
            s = fma(x, w, s)
        scores[c, row] = s + (0.0 if intercept is None else float(intercept[c]))
    return scores
