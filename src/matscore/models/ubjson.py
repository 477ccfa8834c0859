"""Universal Binary JSON as XGBoost writes it: objects, arrays (counted and typed ones too), values.

https://ubjson.org/type-reference/. Counts are held against the bytes that are left before anything
of that size is made, and depth is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from matscore.models.bounds import check_count, check_depth
from matscore.models.refusal import Refusal

_NUMBERS: Mapping[int, str] = {
    ord("i"): ">i1", ord("U"): ">u1", ord("I"): ">i2", ord("l"): ">i4", ord("L"): ">i8",
    ord("d"): ">f4", ord("D"): ">f8",
}  # fmt: skip
_WORDS = {ord("Z"): None, ord("T"): True, ord("F"): False}
_MOST_VALUES = 2_000_000


def _damaged(what: str) -> Refusal:
    return Refusal(f"damaged: {what}", "save the model again")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.place, self.n_values = data, 0, 0

    def take(self, size: int) -> bytes:
        if not 0 <= size <= len(self.data) - self.place:
            raise _damaged("it ends too early, or a length is wrong")
        self.place += size
        return self.data[self.place - size : self.place]

    def marker(self) -> int:
        while (marker := self.take(1)[0]) == ord("N"):
            pass
        return marker

    def number(self, marker: int) -> int | float:
        form = _NUMBERS[marker]
        value: int | float = np.frombuffer(self.take(np.dtype(form).itemsize), form)[0].item()
        return value

    def size(self) -> int:
        marker = self.marker()
        if marker not in _NUMBERS or chr(marker) in "dD":
            raise _damaged("a length that is no number")
        return int(self.number(marker))

    def text(self) -> str:
        try:
            return str(self.take(self.size()), "utf-8")
        except UnicodeDecodeError:
            raise _damaged("a text that is no UTF-8") from None

    def value(self, marker: int, depth: int = 0) -> Any:
        self.n_values += 1
        check_depth(depth)
        if self.n_values > _MOST_VALUES:
            raise _damaged("it has too many values")
        if marker in _NUMBERS:
            return self.number(marker)
        if marker in _WORDS:
            return _WORDS[marker]
        match chr(marker):
            case "S" | "H":
                return self.text()
            case "C":
                return chr(self.take(1)[0])
            case "[" | "{":
                return self.container(marker == ord("{"), depth)
        raise _damaged(f"a value of the unknown kind {marker}")

    def container(self, is_object: bool, depth: int) -> Any:
        """Read what follows its opening; `$` gives all values' type, `#` their number."""
        kind = count = None
        marker = self.marker()
        if marker == ord("$"):
            kind, marker = self.take(1)[0], self.marker()
        if marker == ord("#"):
            count, marker = self.size(), 0
        if kind is not None and count is None:
            raise _damaged("an array of a type without a number of values")
        if kind is not None and kind in _NUMBERS and not is_object and count is not None:
            form = np.dtype(_NUMBERS[kind])
            return np.frombuffer(self.take(count * form.itemsize), form).tolist()
        if count is not None:
            check_count(count, len(self.data) - self.place, "values")
        found: list[tuple[str, Any]] = []
        end = ord("}" if is_object else "]")
        while len(found) < count if count is not None else marker != end:
            if is_object:
                self.place -= 1 if count is None else 0  # the marker was the first of a length
                key = self.text()
                marker = self.marker() if kind is None else kind
            else:
                key = ""
                if count is not None:
                    marker = self.marker() if kind is None else kind
            found.append((key, self.value(marker, depth + 1)))
            if count is None:
                marker = self.marker()
        return dict(found) if is_object else [value for _, value in found]


def read_ubjson(data: bytes) -> Any:
    """Return the value that a file holds; a refusal where it is damaged."""
    reader = _Reader(data)
    return reader.value(reader.marker())
