"""Bytes that are taken one after the other, and never past their end."""

from __future__ import annotations

import struct
from typing import Any

from matscore.models.refusal import Refusal


class Reader:
    """Bytes and a place in them."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def damaged(self) -> Refusal:
        """Return the refusal of bytes that break the format."""
        return Refusal("it is cut off or damaged", "copy the file again, or save the model again")

    def skip(self, n_bytes: int) -> int:
        """Go on by some bytes, and return where they begin."""
        start = self.at
        if not 0 <= n_bytes <= len(self.data) - start:
            raise self.damaged()
        self.at = start + n_bytes
        return start

    def take(self, n_bytes: int) -> bytes:
        """Return the next bytes."""
        start = self.skip(n_bytes)
        return self.data[start : self.at]

    def number(self, form: str) -> Any:
        """Return the next number, in a form of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self, n_bytes: int) -> str:
        """Return the next text, in UTF-8."""
        try:
            return self.take(n_bytes).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise self.damaged() from None
