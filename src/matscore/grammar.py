"""What a cell is: a number, which the kernel defines, something meant as one, or a word."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from matscore import _kernel

BLANKS = " \t"
MISSING_VALUES = ("NA", "N/A", "NaN", "nan", "null", "NULL", "None")

Kind = Literal["number", "meant", "word"]

_PLAIN = re.compile(r"[-+.eE0-9]+")  # what Python's float and the kernel read alike
_NO_VALUE = frozenset({
    "", "na", "n/a", "#n/a", "nan", "null", "none", "true", "false",
    "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity",
})  # fmt: skip
_HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]+")
_DRESS = {ord(sign): None for sign in " ,_%$€£'’()\u00a0\u202f"} | {ord("−"): "-"}


@dataclass(frozen=True)
class Grammar:
    """How the cells of a run are read."""

    decimal: str = "."  # the decimal mark, a point or a comma; the other one is refused
    missing_values: tuple[str, ...] = MISSING_VALUES  # words for a missing cell

    def is_number(self, cell: str) -> bool:
        """Say whether a cell is a finite number; blanks around it are ignored.

        Examples
        --------
        >>> [Grammar().is_number(cell) for cell in ("+1", " .5 ", "5.", "1E5", "1e400", "1,5")]
        [True, True, True, True, False, False]
        >>> Grammar(decimal=",").is_number("1,5")
        True
        """
        return not math.isnan(self.read(cell))

    def read(self, cell: str) -> float:
        """Read a cell; NaN where it is no finite number."""
        value = _kernel.read_number(cell.encode(errors="replace"), self.decimal)
        return math.nan if value is None else value

    def kind_of(self, cell: str) -> Kind:
        """Say whether a cell is a number, was meant as one or stands for one, or is a word.

        Examples
        --------
        >>> [Grammar().kind_of(cell) for cell in ("7", "1e400", "5%", "NA", "", "age", "1st")]
        ['number', 'meant', 'meant', 'meant', 'meant', 'word', 'word']
        >>> Grammar(decimal=",").kind_of("1.5"), Grammar(missing_values=("?",)).kind_of("?")
        ('meant', 'meant')
        """
        text = cell.strip()
        if self.is_number(cell):
            return "meant" if text in self._words else "number"
        if text.casefold() in _NO_VALUE or text in self._words:
            return "meant"
        if text[:1].isascii() and text[:1].isalpha():
            return "word"
        plain = unicodedata.normalize("NFKC", text).translate(_DRESS).replace("..", "x")
        if not plain.isascii():
            plain = "".join(str(unicodedata.decimal(c, c)) for c in plain)
        is_dressed = _has_form(plain) or _has_form(plain.replace(".", ""))
        return "meant" if is_dressed or _HEXADECIMAL.fullmatch(text) else "word"

    def is_too_large(self, cell: str) -> bool:
        """Say whether a cell has the form of a number that no float64 holds.

        Examples
        --------
        >>> [Grammar().is_too_large(cell) for cell in ("1e400", "1e300", "inf")]
        [True, False, False]
        """
        text = cell.strip(BLANKS)
        if self.decimal != ".":
            text = text.replace(".", "x").replace(self.decimal, ".")
        return _has_form(text) and not POINT.is_number(text)

    def is_missing(self, cell: str) -> bool:
        """Say whether a cell stands for a missing one."""
        text = cell.strip(BLANKS)
        return not text or text in self._words

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(word.strip(BLANKS) for word in self.missing_values)


POINT = Grammar()
"""Decimal points and the usual words for missing cells."""


def is_number(cell: str, decimal: str = ".") -> bool:
    """Say whether a cell is a finite number by the grammar of matscore."""
    return Grammar(decimal).is_number(cell)


def _has_form(text: str) -> bool:
    """Say whether a text has the form of a number, of whatever size."""
    try:
        return _PLAIN.fullmatch(text) is not None and not math.isnan(float(text))
    except ValueError:
        return False
