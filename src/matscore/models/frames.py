"""Frames of pandas as a pickle holds them; their columns are read when they are asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from matscore.models.algebra import Kind
from matscore.models.checks import check_fit
from matscore.models.records import Array, Record, array, manager_parts, plain
from matscore.models.refusal import Refusal
from matscore.models.texts import write_level


@dataclass(frozen=True, eq=False)
class Coded:
    """A column as levels: the text of each, and the level of each row, -1 where it is missing."""

    levels: tuple[str, ...]
    names: tuple[str, ...]  # as Python writes them, `2.0` for the level `2`
    codes: Array
    kind: Kind


class Frame:
    """A frame without some of its rows."""

    def __init__(self, record: Record, dropped: Sequence[int] = ()) -> None:
        self._blocks, axes = manager_parts(record)
        check_fit(len(axes) == 2)
        names = map(plain, array(axes[0]).ravel().tolist())
        self.names = [name if isinstance(name, str | int | float) else str(name) for name in names]
        self.n_rows = array(axes[1]).size
        check_fit(all(0 <= row < self.n_rows for row in dropped))
        self._dropped = np.array(sorted(set(dropped)), dtype=np.int64)
        self._coded: dict[str, Coded] = {}

    @cached_property
    def _places(self) -> Mapping[int, tuple[Any, int]]:
        """Return where the values of each column are: a block, and a row of it."""
        found: dict[int, tuple[Any, int]] = {}
        for values, places in self._blocks:
            columns = range(len(self.names))
            if isinstance(places, slice):
                ends = (places.start, places.stop, places.step)
                check_fit(all(end is None or type(end) is int for end in ends) and ends[2] != 0)
                numbers: list[Any] = list(columns[places])
            else:
                numbers = [plain(place) for place in array(places).ravel().tolist()]
            check_fit(all(type(number) is int for number in numbers))
            found.update((number, (values, i)) for i, number in enumerate(numbers))
        return found

    @property
    def n_dropped(self) -> int:
        """How many rows are left out."""
        return len(self._dropped)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def values(self, name: str) -> Array:
        """Return a column as it is: numbers, booleans, or objects."""
        check_fit((index := self.names.index(name)) in self._places)
        values, row = self._places[index]
        block = array(values)
        check_fit(block.ndim < 2 or row < len(block))
        found = block[row] if block.ndim == 2 else block
        check_fit(found.shape == (self.n_rows,))
        return np.delete(found, self._dropped)

    def numbers(self, name: str) -> Array | None:
        """Return a column as float64; None where it is of something else."""
        found = self.values(name)
        return found.astype(np.float64) if found.dtype.kind in "fiub" else None

    def coded(self, name: str) -> Coded:
        """Return a column as levels."""
        if name not in self._coded:
            self._coded[name] = _code(self.values(name))
        return self._coded[name]


def _code(values: Array) -> Coded:
    items = values.tolist()
    distinct: dict[Any, int] = {}
    codes = np.empty(len(items), dtype=np.int64)
    for i, item in enumerate(map(plain, items)):
        if item is None or (isinstance(item, float) and math.isnan(item)):
            codes[i] = -1
        elif isinstance(item, str | int | float):
            codes[i] = distinct.setdefault(item, len(distinct))
        else:
            raise Refusal("a column of the frame has values that are no levels")
    levels = [write_level(item) for item in distinct]
    if all(isinstance(item, bool) for item in distinct):
        kind: Kind = "boolean"
    else:
        kind = "text" if any(isinstance(item, str) for item in distinct) else "number"
    texts = tuple(level for level in levels if level is not None)
    return Coded(texts, tuple(map(str, distinct)), codes, kind)
