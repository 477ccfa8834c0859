"""What a cell is: a number, something meant as one, or a word. The one definition of a number."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

BLANKS = " \t"
MISSING_VALUES = ("NA", "N/A", "NaN", "nan", "null", "NULL", "None")

Kind = Literal["number", "meant", "word"]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NO_VALUE = frozenset({
    "", "na", "n/a", "#n/a", "nan", "null", "none", "true", "false",
    "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity",
})  # fmt: skip
_HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]+")
_DRESS = {ord(sign): None for sign in " ,_%$€£'’()\u00a0\u202f"} | {ord("−"): "-"}


@dataclass(frozen=True)
class Grammar:
    """How the cells of a run are read.

    Attributes
    ----------
    decimal : str
        The decimal mark, a point or a comma; the other one is refused.
    missing_values : tuple of str
        Words for a missing cell, besides the empty one.
    """

    decimal: str = "."
    missing_values: tuple[str, ...] = MISSING_VALUES

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
        value = read_number(with_point(cell.strip(BLANKS), self.decimal))
        return value if math.isfinite(value) else math.nan

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
        is_dressed = _NUMBER.fullmatch(plain) or _NUMBER.fullmatch(plain.replace(".", ""))
        return "meant" if is_dressed or _HEXADECIMAL.fullmatch(text) else "word"

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


def with_point(text: str, decimal: str) -> str:
    """Write the decimal mark as a point, and a point as what no number has."""
    return text if decimal == "." else text.replace(".", "x").replace(decimal, ".")


def read_number(text: str) -> float:
    """Read a stripped number; infinity where it is too large, NaN where it is none."""
    return float(text) if _NUMBER.fullmatch(text) else math.nan
