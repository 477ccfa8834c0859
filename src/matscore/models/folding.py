"""Linear predictors of features as terms and weights, rounded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matscore.models.algebra import (
    CONSTANT,
    Feature,
    Levels,
    Number,
    align,
    column,
    exact,
    join_features,
    round_once,
    sum_products,
)
from matscore.models.refusal import Refusal
from matscore.terms import Factor, Missing, Power, Term


@dataclass(frozen=True)
class Columns(Sequence[Feature]):
    """The numbers of columns, missing cells refused: a model may have a million of them."""

    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Any) -> Any:
        return column(self.names[index]).refuse_missing()


@dataclass(frozen=True, eq=False)
class Folded:
    """Linear predictors, rounded once."""

    terms: tuple[Term, ...]  # without the constant, in the order in which they come up
    weights: NDArray[np.float64]  # (n_terms, n_categories)
    intercept: NDArray[np.float64]  # (n_categories,)
    levels: Mapping[str, Levels]
    without_row: frozenset[Factor]  # Missing and Other of which nothing is known
    n_folded: int  # terms whose weights are not simply those of the model


def fold(
    features: Sequence[Feature], coefficients: Any, intercept: Sequence[Number] | Any
) -> Folded:
    """Return the terms of linear predictors, and their weights to the nearest float64.

    `coefficients` has the shape (n_categories, n_features): floats, or fractions and numbers in
    sequences. A feature that is a term of its own keeps its coefficient to the bit.
    """
    matrix = _as_matrix(coefficients, len(features))
    if isinstance(features, Columns) and matrix.dtype != object:
        return _fold_columns(features.names, matrix, intercept)
    aligned = align(features)
    joined = join_features({}, aligned)
    without_row = joined.undefined | joined.refused
    used: dict[Term, list[tuple[int, Fraction]]] = {}
    for i, feature in enumerate(aligned):
        for term, c in feature.terms.items():
            # What one part of a model knows a number for, another may refuse.
            if without_row.isdisjoint(term):
                used.setdefault(term, []).append((i, c))
    added = used.pop(CONSTANT, [])
    weights = np.empty((len(used), len(matrix)))
    n_folded = 0
    columns: dict[int, list[Fraction]] = {}  # of the coefficients, exactly

    def weigh(entries: Sequence[tuple[int, Fraction]], category: int) -> Fraction:
        for i, _ in entries:
            if i not in columns:
                columns[i] = [exact(c) for c in matrix[:, i].tolist()]
        return sum_products([(c, columns[i][category]) for i, c in entries])

    for row, entries in zip(weights, used.values(), strict=True):
        if len(entries) == 1 and entries[0][1] == 1:
            own = matrix[:, entries[0][0]]
            row[:] = own if own.dtype != object else [round_once(exact(c)) for c in own]
        else:
            n_folded += 1
            row[:] = [round_once(weigh(entries, category)) for category in range(len(matrix))]
    ends = [round_once(exact(b) + weigh(added, i)) for i, b in enumerate(intercept)]
    return Folded(tuple(used), weights, np.array(ends), joined.levels, without_row, n_folded)


def _fold_columns(
    names: Sequence[str], matrix: NDArray[Any], intercept: Sequence[Number] | Any
) -> Folded:
    if len(set(names)) < len(names):
        raise Refusal("two of its columns have one name")
    terms: tuple[Term, ...] = tuple((Power(name),) for name in names)
    ends = np.array([round_once(exact(number)) for number in intercept])
    missing: frozenset[Factor] = frozenset(map(Missing, names))
    return Folded(terms, np.ascontiguousarray(matrix.T), ends, MappingProxyType({}), missing, 0)


def _as_matrix(coefficients: Any, n_features: int) -> NDArray[Any]:
    is_array = isinstance(coefficients, np.ndarray) and coefficients.dtype.kind == "f"
    matrix = np.asarray(coefficients, dtype=np.float64 if is_array else object)
    if matrix.ndim != 2 or matrix.shape[1] != n_features:
        shape = " × ".join(map(str, matrix.shape))
        raise Refusal(f"its coefficients are {shape}, where it has {n_features:,} features")
    if is_array and not np.isfinite(matrix).all():
        raise Refusal("a coefficient is not finite")
    return matrix
