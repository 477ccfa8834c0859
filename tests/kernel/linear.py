"""One model at a time, for the kernel's tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matscore.kernel import PackedWeights
from tests.kernel.exact import Floats

Places = NDArray[np.int64]
Marks = NDArray[np.bool_]


def multiply(X: Floats, W: Floats, b: Floats | None = None) -> Floats:
    """Return scores of shape (n_categories, n_rows)."""
    return score(X, W, b)[0]


def error_bound(X: Floats, W: Floats, b: Floats | None = None) -> Floats:
    """Return bounds of their errors."""
    return PackedWeights(W, b).error_bound(X)


def score(
    X: Floats, W: Floats, b: Floats | None = None
) -> tuple[Floats, Places, Floats, Marks, Marks]:
    """Return scores, best, margin, tied, overflow."""
    scores, decided = PackedWeights(W, b).score(X)
    return scores, *decided
