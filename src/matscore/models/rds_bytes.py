"""The bytes of an R file: expanded within bounds, then its numbers and texts in R's three forms."""

from __future__ import annotations

import re
import struct
from typing import Any, ClassVar

import numpy as np

from matscore.models.bounds import iter_inflated
from matscore.models.refusal import Refusal

MAX_EXPANDED = 2 << 30  # bytes; a model with its training data is far smaller
NA_INTEGER = -(2**31)
NA_REAL = np.array([0x7FF0_0000_0000_07A2], np.uint64).view(np.float64)  # arithmetic.c: 1954

BROKEN = (EOFError, ValueError, struct.error, OverflowError)


class Expanded:
    """A file's bytes, decompressed as they are asked for; EOFError where they end too early."""

    def __init__(self, data: bytes) -> None:
        # Large vectors are read over: what sorted training data comes to takes no memory.
        self._blocks = iter_inflated(data, MAX_EXPANDED, ratio=1100)
        self._held = b""
        self._at = 0

    def some(self) -> bytes:
        """Return what is at hand, at least one byte."""
        while self._at == len(self._held):
            block = next(self._blocks, None)
            if block is None:
                raise EOFError
            self._held, self._at = block, 0
        held, self._held, self._at = self._held[self._at :], b"", 0
        return held

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes."""
        end = self._at + size
        if end <= len(self._held):
            piece = self._held[self._at : end]
            self._at = end
            return piece
        pieces = []
        while size > 0:
            piece = self.some()
            if len(piece) > size:
                self._held, self._at = piece, size
                piece = piece[:size]
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def finish(self) -> None:
        """Refuse what follows; that reads a compressed file to its end, which is a checksum."""
        try:
            while not self.some().strip():
                pass
        except EOFError:
            return
        raise ValueError


class Binary:
    """Numbers and texts of the binary form, `>` (XDR) or `<` (the machine's own)."""

    def __init__(self, source: Expanded, order: str) -> None:
        self._source = source
        self._integer = struct.Struct(f"{order}i")
        self._types = {"integer": f"{order}i4", "double": f"{order}f8", "complex": f"{order}c16"}

    def integer(self) -> int:
        """Read an integer."""
        return int(self._integer.unpack(self._source.read(4))[0])

    def text(self, length: int) -> bytes:
        """Read the bytes of a text."""
        return self._source.read(length)

    raw = text

    def finish(self) -> None:
        """Refuse what follows."""
        self._source.finish()

    def numbers(self, kind: str, length: int) -> Any:
        """Read an array of numbers."""
        dtype = np.dtype(self._types[kind])
        return np.frombuffer(self._source.read(length * dtype.itemsize), dtype)


class Words:
    """Numbers and texts of the text form: words between blanks, a blank in a text is escaped."""

    _WORD = re.compile(rb"\s*(\S+)(?=\s)")
    _ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
    _PLAIN: ClassVar = dict(zip(b"ntvbrfa", b"\n\t\v\b\r\f\a", strict=True))

    def __init__(self, source: Expanded) -> None:
        self._source = source
        self._held = b""
        self._at = 0

    def _word(self, longest: int = 64) -> bytes:
        while (match := self._WORD.match(self._held, self._at)) is None:
            self._held = self._held[self._at :].lstrip()
            self._at = 0
            if len(self._held) > longest:
                raise ValueError
            self._held += self._source.some()
        self._at = match.end()
        return match[1]

    def integer(self) -> int:
        """Read an integer."""
        word = self._word()
        return NA_INTEGER if word == b"NA" else int(word)

    def text(self, length: int) -> bytes:
        """Read the bytes of a text."""
        # Every byte may be written as four.
        text = self._ESCAPE.sub(self._unescape, self._word(4 * length) if length else b"")
        if len(text) != length:
            raise ValueError
        return text

    def _unescape(self, match: re.Match[bytes]) -> bytes:
        text = match[1]
        if text.isdigit():
            return bytes([int(text, 8) & 255])
        return bytes([self._PLAIN.get(text[0], text[0])])

    def finish(self) -> None:
        """Refuse what follows."""
        if self._held[self._at :].strip():
            raise ValueError
        self._source.finish()

    def raw(self, length: int) -> bytes:
        """Read bytes."""
        return bytes(int(self._word(), 16) for _ in range(length))

    def numbers(self, kind: str, length: int) -> Any:
        """Read an array of numbers."""
        if kind == "integer":
            return np.array([self.integer() for _ in range(length)], np.int64)
        count = length * (2 if kind == "complex" else 1)
        numbers = np.array([self._real() for _ in range(count)], np.float64)
        return numbers.view(np.complex128) if kind == "complex" else numbers

    def _real(self) -> float:
        word = self._word()
        if word == b"NA":
            return float(NA_REAL[0])
        return float.fromhex(word.decode("ascii")) if b"x" in word else float(word)


def open_r(data: bytes) -> Binary | Words:
    """Return the reader of what an `.rds` file or a workspace (`.RData`) holds."""
    source = Expanded(data)
    start = source.read(2)
    if start == b"RD" and source.read(3) in {b"X2\n", b"X3\n", b"A2\n", b"A3\n", b"B2\n", b"B3\n"}:
        start = source.read(2)
    if start == b"A\n":
        return Words(source)
    orders = {b"X\n": ">", b"B\n": "<"}
    if start not in orders:
        raise ValueError
    return Binary(source, orders[start])


def looks_like_r(data: bytes) -> bool:
    """Return whether a file starts as R's `saveRDS` or `save` would have it."""
    try:
        return open_r(data).integer() in {2, 3}
    except (Refusal, *BROKEN):
        return False
