"""Columns by name, of an output or a second table; and the texts of one, as levels and counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore import _kernel
from matscore.kernel import Choices, Column, Floats, Masked, Places, Texts, strip_words

Kind: TypeAlias = Literal["text", "whole", "number"]
"""What a column holds: text, int64 or float64."""

Labels: TypeAlias = Texts | NDArray[np.int64]
"""Labels of rows, or their numbers."""

_EMPTY: dict[Kind, Column] = {
    "text": Texts.from_strings([]),
    "whole": np.empty(0, np.int64),
    "number": np.empty(0),
}


@dataclass(frozen=True, eq=False)
class Frame:
    """Columns of one length, by name and in order."""

    columns: Mapping[str, Column]

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    @property
    def height(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()), ()))

    def head(self, n_rows: int) -> Frame:
        """Return the first rows."""
        return self if n_rows >= self.height else self.take(np.arange(n_rows))

    def take(self, rows: NDArray[np.int64]) -> Frame:
        """Return some rows, in the order of `rows`."""
        return Frame({name: take(column, rows) for name, column in self.columns.items()})

    def values(self, name: str) -> list[Any]:
        """Return a column's cells, None where there is nothing."""
        return list_cells(self.columns[name])

    def numbers(self, names: Iterable[str]) -> NDArray[np.float64]:
        """Return columns of numbers, of shape (n_rows, n_columns); NaN where there is none."""
        return np.array([read_numbers(self.columns[name]) for name in names]).T


def join_frames(frames: Sequence[Frame], kinds: Mapping[str, Kind]) -> Frame:
    """Put frames of the same columns below each other; `kinds` tells the columns of none."""
    if not frames:
        return Frame({name: _EMPTY[kind] for name, kind in kinds.items()})
    return Frame({name: join([frame[name] for frame in frames]) for name in frames[0].columns})


def take(column: Any, rows: NDArray[np.int64]) -> Any:
    """Return some cells of a column, in the order of `rows`."""
    match column:
        case Choices(codes, texts):
            return Choices(codes[rows], texts)
        case Masked(values, absent):
            return Masked(values[rows], absent[rows])
        case Texts():
            return column.take(rows)
        case _:
            return column[rows]


def join(columns: Sequence[Any]) -> Any:
    """Put columns of one kind below each other; there is at least one."""
    match first := columns[0]:
        case Choices():
            return Choices(np.concatenate([column.codes for column in columns]), first.texts)
        case Texts():
            lengths = np.concatenate([np.diff(column.offsets) for column in columns])
            offsets = np.zeros(len(lengths) + 1, np.uint64)
            np.cumsum(lengths, out=offsets[1:])
            absent = np.concatenate([find_absent(column) for column in columns])
            data = np.concatenate([data_of(column) for column in columns])
            return Texts(offsets, data, absent if absent.any() else None)
        # One chunk may have absent cells and another none.
        case _ if any(isinstance(column, Masked) for column in columns):
            values = [c.values if isinstance(c, Masked) else c for c in columns]
            absent = np.concatenate([find_absent(column) for column in columns])
            return Masked(np.concatenate(values), absent)
        case _:
            return np.concatenate(columns)


def find_absent(column: Column) -> NDArray[np.bool_]:
    """Mark the cells where there is nothing."""
    match column:
        case Choices(codes):
            return codes < 0
        case Texts(absent=absent) | Masked(absent=absent) if absent is not None:
            return absent
        case _:
            return np.zeros(len(column), np.bool_)


def list_cells(column: Column) -> list[Any]:
    """Return a column's cells, None where there is nothing."""
    match column:
        case Texts():
            return column.to_strings()
        case Choices(codes, texts):
            choices = [*texts, None]
            return [choices[code if code >= 0 else -1] for code in codes.tolist()]
        case Masked(values, absent):
            cells = zip(values.tolist(), absent.tolist(), strict=True)
            return [None if is_absent else value for value, is_absent in cells]
        case _:
            return list(column.tolist())


def read_numbers(column: Column) -> NDArray[np.float64]:
    """Return a column of numbers as float64, NaN where there is nothing."""
    if isinstance(column, Masked):
        return np.where(column.absent, np.nan, column.values)
    if isinstance(column, (Texts, Choices)):
        raise TypeError("text is no column of numbers")
    return column.astype(np.float64, copy=False)


def find_places(texts: Texts, names: Sequence[str]) -> NDArray[np.int64]:
    """Return each text's place among some names, -1 for one that is none of them."""
    places = {name.encode(): place for place, name in enumerate(names)}
    # As bytes: to decode a million labels takes longer than to compare them.
    data, ends = texts.data.tobytes(), texts.offsets.tolist()
    found = [places.get(data[start:end], -1) for start, end in pairwise(ends)]
    return np.array(found, dtype=np.int64)


def find_text(texts: Texts, wanted: str) -> NDArray[np.bool_]:
    """Mark the texts that are the one wanted."""
    encoded = np.frombuffer(wanted.encode(), np.uint8)
    found: NDArray[np.bool_] = np.diff(texts.offsets) == len(encoded)
    found &= ~find_absent(texts)
    # Only texts of the right length are compared, all in one step.
    starts = texts.offsets[:-1][found].astype(np.int64)
    found[found] = (texts.data[starts[:, None] + np.arange(len(encoded))] == encoded).all(axis=1)
    return found


def data_of(texts: Texts) -> NDArray[np.uint8]:
    """Return the bytes of texts, without what stands before and after them."""
    return texts.data[int(texts.offsets[0]) : int(texts.offsets[-1])]


class Levels:
    """The levels of a text column; threads may share it.

    A cell's code is its level's place; ``len(levels)`` for any other text, where `other`; one more
    for a missing cell, where `missing`. Texts are compared byte for byte; `numeric` levels, written
    with a point, by their values, blanks around a cell ignored. A cell is missing as for numbers,
    even where a level has its text.
    """

    NONE = -1.0  # none of the column's terms counts
    UNKNOWN = -2.0
    MISSING = -3.0

    def __init__(
        self,
        levels: Sequence[str],
        *,
        numeric: bool = False,
        other: bool = False,
        missing: bool = False,
    ) -> None:
        self.levels = tuple(levels)
        self.table = _kernel.Levels(self.levels, numeric, other, missing)
        given = {"numeric": numeric, "other": other, "missing": missing}
        self._made = partial(Levels, self.levels, **given), ()

    def __reduce__(self) -> tuple[Any, ...]:
        return self._made

    def __len__(self) -> int:
        return len(self.levels)

    def find(self, texts: Texts, missing_values: Sequence[str], decimal: str = ".") -> Floats:
        """Return the code of each text, `UNKNOWN` or `MISSING` where there is none."""
        words = strip_words(missing_values)
        return self.table.find(texts.offsets, texts.data, words, decimal)


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
