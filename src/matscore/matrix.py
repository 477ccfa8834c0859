"""Matrices with names, as they are held in memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from matscore.errors import InputError
from matscore.kernel import Floats, PackedWeights


@dataclass(frozen=True)
class Matrix:
    """A whole matrix as it was read, before anything is decided about it.

    Attributes
    ----------
    path : str
        Where it comes from.
    names : tuple of str, or None
        The header's cells, one a column; None without a header.
    first : tuple of str
        The first column's cells as text: labels or numbers, which the plan decides.
    first_values : ndarray of shape (n_rows,), float64, or None
        The first column's numbers; None when any cell of it is not a number.
    rest : ndarray of shape (n_rows, n_columns - 1), float64
        The other columns; NaN where a cell is missing.
    fault : InputError or None
        Why the first column is no numbers, at the first cell that is none.
    """

    path: str
    names: tuple[str, ...] | None
    first: tuple[str, ...]
    first_values: Floats | None
    rest: Floats
    fault: InputError | None = None

    @property
    def width(self) -> int:
        """Number of columns, the first included."""
        return int(self.rest.shape[1]) + 1

    @property
    def first_numbers(self) -> Floats:
        """The first column's numbers, of shape (n_rows,).

        Raises
        ------
        InputError
            One of its cells is no number.
        """
        if self.first_values is None:
            raise self.fault or RuntimeError(f"{self.path}: a column would be lost")
        return self.first_values

    def values(self, *, label_column: bool) -> Floats:
        """Return the numbers, without the first column where it holds labels.

        Parameters
        ----------
        label_column : bool
            Whether the first column holds labels.

        Returns
        -------
        ndarray of shape (n_rows, n_columns or n_columns - 1), float64
            NaN where a cell is missing.

        Raises
        ------
        InputError
            The first column does not hold labels, and one of its cells is no number.
        """
        if label_column:
            return self.rest
        return np.column_stack([self.first_numbers, self.rest])


@dataclass(frozen=True)
class Model:
    """A linear model, ready to multiply.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_categories), float64
        Features in canonical order.
    intercept : ndarray of shape (n_categories,), float64, or None
        Added to the product.
    categories : tuple of str
        In the weights' order.
    """

    weights: Floats
    intercept: Floats | None
    categories: tuple[str, ...]

    @cached_property
    def packed(self) -> PackedWeights:
        """Weights and intercept as they are multiplied."""
        return PackedWeights(self.weights, self.intercept)
