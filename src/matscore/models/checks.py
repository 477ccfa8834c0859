"""What a file says, read with checks: texts, counts and numbers, and whether they fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matscore.models.refusal import Refusal

_MOST_DIGITS = 9  # of a count


def damaged() -> Refusal:
    """Return the refusal of a file that breaks its own format."""
    what = "damaged: it is cut off, or its parts do not fit each other"
    return Refusal(what, "copy the file again, or save the model again")


def check_fit(holds: object) -> None:
    """Refuse a file whose parts do not fit each other, as a condition says."""
    if not holds:
        raise damaged()


def read_text(data: bytes) -> str:
    """Return bytes as text in UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise damaged() from None


def read_count(word: object) -> int:
    """Return a word as a number that is whole and not negative."""
    text = str(word)
    check_fit(text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS)
    return int(text)


def read_numbers(words: Sequence[Any]) -> NDArray[np.float64]:
    """Return words, or numbers, as finite float64; `float` would take underscores too."""
    try:
        numbers = np.array([float(word) for word in words], dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise damaged() from None
    if not np.isfinite(numbers).all() or any("_" in w for w in words if isinstance(w, str)):
        raise Refusal("it has a weight that is no finite number")
    return numbers
