"""Rows of numbers that are looked at more than once: in memory as long as they are few."""

from __future__ import annotations

import numpy as np

from matscore.items import SpilledRows
from matscore.kernel import Floats

MOST_BYTES = 96 * 2**20
"""Rows that take more go to a temporary file, where no budget of memory is given."""

_STRIPE_NUMBERS = 2**17


class KeptRows:
    """Rows in the order in which they came, in stripes; threads may read them when all are there.

    Stripes have a fixed height, however the rows came.
    """

    def __init__(self, width: int, most_bytes: int = MOST_BYTES) -> None:
        self.width = width
        self.height = max(_STRIPE_NUMBERS // width, 64)
        self.n_rows = 0
        self._most_stripes = most_bytes // (8 * width * self.height)
        self._stripes: list[Floats] = []  # those that are not in the file
        self._spilled: SpilledRows | None = None
        self._n_spilled = 0

    def __len__(self) -> int:
        return self._n_spilled + len(self._stripes)

    def __getitem__(self, i: int, /) -> Floats:
        """Return the rows of a stripe, (n, width)."""
        start, stop = i * self.height, min((i + 1) * self.height, self.n_rows)
        if i < self._n_spilled and self._spilled is not None:
            return self._spilled[start:stop]
        return self._stripes[i - self._n_spilled][: stop - start]

    def append(self, rows: Floats) -> None:
        """Put rows, (n, width), behind those there are."""
        while len(rows):
            at = self.n_rows % self.height
            if not at:
                self._spill()
                self._stripes.append(np.empty((self.height, self.width)))
            n = min(self.height - at, len(rows))
            self._stripes[-1][at : at + n] = rows[:n]
            self.n_rows, rows = self.n_rows + n, rows[n:]

    def _spill(self) -> None:
        """Write the stripes, which are full, to the file where memory has room for no more."""
        if self._spilled is None and len(self._stripes) < self._most_stripes:
            return
        self._spilled = self._spilled or SpilledRows(self.width, "the rows")
        for stripe in self._stripes:
            self._spilled.append(stripe)
        self._n_spilled += len(self._stripes)
        self._stripes = []
