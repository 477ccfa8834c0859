"""How often each text of a column occurs: what levels are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from matscore import _kernel
from matscore.kernel import Places, Texts, strip_words


class LevelCounts:
    """How often each text of a column occurs, in the order in which they were first seen."""

    def __init__(self, items: Sequence[tuple[str, int]] = (), n_missing: int = 0) -> None:
        self._table = _kernel.TextTable()
        self._counts = np.zeros(0, np.int64)
        self.n_missing = n_missing
        times = np.array([n for _, n in items], np.int64)
        self._add(Texts.from_strings(text for text, _ in items), [], ".", times)

    def __reduce__(self) -> tuple[Any, ...]:
        return LevelCounts, (self.items(), self.n_missing)

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, texts: Texts, missing_values: Sequence[str], decimal: str = ".") -> None:
        """Count some texts; those that are missing are counted apart."""
        self._add(texts, strip_words(missing_values), decimal, np.ones(len(texts), np.int64))

    def merge(self, other: LevelCounts) -> None:
        """Count what another one has counted."""
        self._add(Texts.from_strings(other._table.texts()), [], ".", other._counts)
        self.n_missing += other.n_missing

    def _add(self, texts: Texts, words: list[str], decimal: str, times: Places) -> None:
        numbers = self._table.number(texts.offsets, texts.data, words, decimal)
        counts = np.bincount(numbers + 1, times, len(self) + 1)
        counts[1 : len(self) + 1] += self._counts
        self._counts = counts[1:].astype(np.int64)
        self.n_missing += int(counts[0])

    def items(self) -> list[tuple[str, int]]:
        """Return each text and how often it occurs."""
        return list(zip(self._table.texts(), self._counts.tolist(), strict=True))
