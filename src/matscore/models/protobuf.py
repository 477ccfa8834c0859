"""The wire format of Protocol Buffers: messages as fields by number, without a schema.

https://protobuf.dev/programming-guides/encoding/. Every length is checked before a byte is taken,
and what is nested is decoded only when it is asked for, so that depth is the caller's.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from matscore.models.refusal import Refusal

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_FIELDS = 1_000_000  # of one message: each costs time and memory that its bytes do not pay for
_RUN = 4096


def damaged(what: str) -> Refusal:
    """Return the refusal of bytes that break the format."""
    return Refusal(f"damaged: {what}", "save the model again")


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for i, byte in enumerate(view[place : place + 10]):
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, place + i + 1
    raise damaged("a number without an end")


class Message:
    """One message: what its fields hold, by their numbers; unknown ones are carried along."""

    def __init__(self, data: memoryview | bytes) -> None:
        self._numbers: dict[int, list[int]] = {}
        self._bytes: dict[int, list[memoryview]] = {}
        self._fixed: dict[int, bytearray] = {}
        view = memoryview(data)
        array = np.frombuffer(view, np.uint8)
        place, n_fields = 0, 0
        while place < len(view):
            start = place
            tag, place = _varint(view, place)
            number, wire = tag >> 3, tag & 7
            n_fields += 1
            if not number or n_fields > _MOST_FIELDS:
                raise damaged("a field without a number" if not number else "too many fields")
            if wire == _VARINT:
                value, place = _varint(view, place)
                self._numbers.setdefault(number, []).append(value)
                continue
            if wire == _BYTES:
                size, place = _varint(view, place)
            elif wire in (_FIXED32, _FIXED64):
                size = 4 if wire == _FIXED32 else 8
            else:
                raise damaged(f"a field of the unknown kind {wire}")
            if size > len(view) - place:
                raise damaged("a field ends past the end")
            if wire == _FIXED32 and place == start + 1:
                # Lists of floats may stand one by one, each with its tag: as many as there are.
                run = array[start : start + 5 * _RUN]
                whole = run[: len(run) // 5 * 5].reshape(-1, 5)
                others = np.flatnonzero(whole[:, 0] != tag)
                whole = whole[: others[0]] if len(others) else whole
                self._fixed.setdefault(number, bytearray()).extend(whole[:, 1:].tobytes())
                place = start + whole.size
                continue
            if wire == _BYTES:
                self._bytes.setdefault(number, []).append(view[place : place + size])
            else:
                self._fixed.setdefault(number, bytearray()).extend(view[place : place + size])
            place += size

    def __contains__(self, number: int) -> bool:
        return any(number in fields for fields in (self._numbers, self._bytes, self._fixed))

    def integers(self, number: int) -> list[int]:
        """Return the signed integers of a field, one by one or packed."""
        values = list(self._numbers.get(number, ()))
        for packed in self._bytes.get(number, ()):
            place = 0
            while place < len(packed):
                value, place = _varint(packed, place)
                values.append(value)
        return [value - (1 << 64) if value >> 63 else value for value in values]

    def integer(self, number: int, default: int = 0) -> int:
        """Return the last integer of a field."""
        return self.integers(number)[-1] if number in self._numbers else default

    def floats(self, number: int, size: int = 4) -> NDArray[np.float64]:
        """Return the floats of a field (`size` 4 or 8 bytes), one by one or packed."""
        data = bytes(self._fixed.get(number, b"")) + b"".join(self._bytes.get(number, ()))
        if len(data) % size:
            raise damaged("a list of numbers ends within one")
        with np.errstate(invalid="ignore"):  # NaN of any kind is refused where it is used
            return np.frombuffer(data, f"<f{size}").astype(np.float64)

    def float(self, number: int) -> float:
        """Return the last float of a field, of four bytes."""
        data = self._fixed.get(number, b"")
        return float(struct.unpack("<f", data[-4:])[0]) if len(data) >= 4 else 0.0

    def blobs(self, number: int) -> list[memoryview]:
        """Return the bytes of a field."""
        return self._bytes.get(number, [])

    def texts(self, number: int) -> list[str]:
        """Return the texts of a field."""
        try:
            return [str(blob, "utf-8") for blob in self.blobs(number)]
        except UnicodeDecodeError:
            raise damaged("a text that is no UTF-8") from None

    def text(self, number: int) -> str:
        """Return the last text of a field, empty where there is none."""
        return texts[-1] if (texts := self.texts(number)) else ""

    def messages(self, number: int) -> list[Message]:
        """Return the messages of a field."""
        return [Message(blob) for blob in self.blobs(number)]
