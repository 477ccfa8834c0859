"""A whole matrix as it was read, before anything is decided about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matscore.errors import InputError
from matscore.kernel import Floats


@dataclass(frozen=True)
class Matrix:
    """A first column that may be names or numbers, and the numbers after it."""

    path: str
    names: tuple[str, ...] | None  # of the header; None without one
    first: tuple[str, ...]  # the first column's cells as text: the plan decides what they are
    first_values: Floats | None  # (n_rows,); None when one of these cells is no number
    rest: Floats  # (n_rows, n_columns - 1), NaN where a cell is missing
    fault: InputError | None = None  # why the first column is no numbers

    @property
    def width(self) -> int:
        """Number of columns, the first included."""
        return int(self.rest.shape[1]) + 1

    @property
    def first_numbers(self) -> Floats:
        """The first column's numbers, (n_rows,); refused where one of its cells is none."""
        if self.first_values is None:
            raise self.fault or RuntimeError(f"{self.path}: a column would be lost")
        return self.first_values

    def values(self, *, label_column: bool) -> Floats:
        """Return the numbers, (n_rows, n_columns), without a first column of labels."""
        return self.rest if label_column else np.column_stack([self.first_numbers, self.rest])
