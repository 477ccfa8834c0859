"""Names and cells: what a cell is, and how a sentence shows a name.

A cell is a number, which the kernel defines, something meant as one, or a word. `Words` are what a
command calls its two sides.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Literal

from matscore import _kernel

BLANKS = " \t"
MISSING_VALUES = ("NA", "N/A", "NaN", "nan", "null", "NULL", "None")

CellKind = Literal["number", "meant", "word"]

_PLAIN = re.compile(r"[-+.eE0-9]+")  # what Python's float and the kernel read alike
_NO_VALUE = frozenset({
    "", "na", "n/a", "#n/a", "nan", "null", "none", "true", "false",
    "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity",
})  # fmt: skip
_HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]+")
_DRESS = {ord(sign): None for sign in " ,_%$€£'’()\u00a0\u202f"} | {ord("−"): "-"}

MAX_SHOWN = 5
"""Names a sentence shows, and missing names that get close matches."""

INTERCEPTS = ("(Intercept)", "intercept", "bias", "const", "constant")
"""Names that an intercept goes by, in any case."""
_FOLDED_INTERCEPTS = frozenset(name.casefold() for name in INTERCEPTS)
_OPERATORS = frozenset(":=^()<>`")  # of terms
_MAX_QUOTED = 60
# Digits of a column's number: of millions of them int takes its time, or refuses them.
_LONGEST_NUMBER = 9


@dataclass(frozen=True)
class Grammar:
    """How the cells of a run are read."""

    decimal: str = "."  # the decimal mark, a point or a comma; the other one is refused
    missing_values: tuple[str, ...] = MISSING_VALUES  # words for a missing cell

    def is_number(self, cell: str) -> bool:
        """Say whether a cell is a finite number; blanks around it are ignored."""
        return not math.isnan(self.read(cell))

    def read(self, cell: str) -> float:
        """Read a cell; NaN where it is no finite number."""
        # A lone surrogate has no UTF-8; what replaces it is no part of a number either.
        value = _kernel.read_number(cell.encode(errors="replace"), self.decimal)
        return math.nan if value is None else value

    def kind_of(self, cell: str) -> CellKind:
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
            return "meant" if self.is_missing(cell) else "number"
        if text.casefold() in _NO_VALUE or text in self._words:
            return "meant"
        if text[:1].isascii() and text[:1].isalpha():
            return "word"
        # Several points may be thousands separators, but not side by side.
        plain = unicodedata.normalize("NFKC", text).translate(_DRESS).replace("..", "x")
        if not plain.isascii():
            plain = "".join(str(unicodedata.decimal(c, c)) for c in plain)
        is_dressed = _has_form(plain) or _has_form(plain.replace(".", ""))
        return "meant" if is_dressed or _HEXADECIMAL.fullmatch(text) else "word"

    def is_too_large(self, cell: str) -> bool:
        """Say whether a cell has the form of a number that no float64 holds."""
        text = cell.strip(BLANKS)
        # The other mark is refused in a number, though float would read it.
        if self.decimal != ".":
            text = text.replace(".", "x").replace(self.decimal, ".")
        return _has_form(text) and not POINT.is_number(text)

    def is_missing(self, cell: str) -> bool:
        """Say whether a cell stands for a missing one."""
        text = cell.strip(BLANKS)
        return not text or text in self._words or self._is_word(text)

    def _is_word(self, text: str) -> bool:
        return bool(self.missing_numbers) and self.read(text) in self.missing_numbers

    @cached_property
    def missing_numbers(self) -> frozenset[float]:
        """Words that are numbers, which stand for all that are equal to them."""
        return frozenset(self.read(word) for word in self._words if self.is_number(word))

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(word.strip(BLANKS) for word in self.missing_values)


POINT = Grammar()
"""Decimal points and the usual words for missing cells."""


def _has_form(text: str) -> bool:
    """Say whether a text has the form of a number, of whatever size."""
    try:
        return _PLAIN.fullmatch(text) is not None and not math.isnan(float(text))
    except ValueError:
        return False


def may_be_term(name: str) -> bool:
    """Say whether a name may be a term; of one that may not the grammar is not loaded."""
    return not _OPERATORS.isdisjoint(name)


def is_intercept(name: str) -> bool:
    """Say whether a name is one of those that an intercept goes by, in any case."""
    return name.strip().casefold() in _FOLDED_INTERCEPTS


def may_be_intercept(name: str) -> bool:
    """Say whether a name is a tool's own for an intercept, which nothing takes for one unasked."""
    letters = "".join(filter(str.isalpha, name.casefold())).removeprefix("x")
    return letters == "cons" or letters in _FOLDED_INTERCEPTS


def quote_name(name: str) -> str:
    """Put a name in quotes, its end cut off when it is very long."""
    return f'"{name}"' if len(name) <= _MAX_QUOTED else f'"{name[:_MAX_QUOTED]}…"'


def quote_names(names: Collection[str]) -> str:
    """List names for a sentence, at most five of them."""
    shown = ", ".join(map(quote_name, islice(names, MAX_SHOWN)))
    rest = len(names) - MAX_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown


def show(text: str, encoding: str = "utf-8") -> str:
    r"""Show as escapes what is not printable, or lacking in what the screen reads.

    Wide and combining characters and the backslash stay as they are.

    Examples
    --------
    >>> print(show("a\x1b[31mb\u202e\n"), show("[red]日本[/red]"), show("é", "ascii"))
    a\x1b[31mb\u202e\n [red]日本[/red] \xe9
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _escape(c) for c in text)
    if encoding == "utf-8" or text.isascii():
        return text
    return text.encode(encoding, "backslashreplace").decode(encoding)


def write_choice(flag: str, names: Sequence[str]) -> str:
    r"""Write an option with a list of names, as a shell and the option itself read it.

    Examples
    --------
    >>> print(write_choice("--weights-cols", ["Std. Error", "a,b"]))
    --weights-cols 'Std. Error,"a,b"'
    """
    import shlex  # which only a refusal needs

    return f"{flag} {shlex.quote(join_list(names))}"


def join_list(names: Sequence[str]) -> str:
    """Write names as the list that an option takes: those with a comma quoted, as in CSV."""
    return ",".join(
        f'"{name.replace(chr(34), chr(34) * 2)}"' if not name or set(name) & set(',"\r\n') else name
        for name in names
    )


def find_columns(name: str, names: Sequence[str] | None, n_columns: int) -> list[int]:
    """Return the columns of a name, none, one or more; without names it is a number from 1."""
    if names is not None:
        return [i for i, other in enumerate(names) if other == name]
    is_number = name.isascii() and name.isdigit() and len(name) <= _LONGEST_NUMBER
    return [int(name) - 1] if is_number and 1 <= int(name) <= n_columns else []


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def fold_name(name: str) -> str:
    """Reduce a name to what is left without case, blanks, Unicode form and invisible characters."""
    if name.isprintable():  # so the space is its only blank, and nothing is invisible
        name = name.casefold().replace(" ", "")
        return name if name.isascii() else _compose(_compose(name).casefold())
    for _, reduce in DIFFERENCES:
        name = reduce(name)
    # Folding case can undo the Unicode form.
    return _compose(name.casefold())


def _drop_invisible(name: str) -> str:
    return "".join(c for c in name if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf"))


_compose = partial(unicodedata.normalize, "NFKC")

DIFFERENCES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("case", str.casefold),
    ("blanks", lambda name: "".join(name.split())),
    ("invisible characters", _drop_invisible),
    ("Unicode form", _compose),
)
"""What is hard to see between two names, and what takes it away."""


@dataclass(frozen=True)
class Words:
    """What a command calls its two sides and the options that turn them."""

    features: str = "features"  # what the first file holds
    weights: str = "weights"  # what the second file holds
    category: str = "category"  # what a score is for
    turn_features: str = "--transpose-features"
    turn_weights: str = "--transpose"
    a_row: str = "a feature"  # what a row of the second file is
    a_column: str = "a category"
    contents: str = "weights"  # what its numbers are
    # Categories are rows of the second file by nature: what has to be asked for are weights that
    # are not transposed.
    in_rows: bool = False

    def is_asked(self, turned: bool) -> bool:
        """Say whether weights are transposed, or not, only when an option asks for it."""
        return turned != self.in_rows

    def advise(self, turned: bool) -> str:
        """Say what to do so that the weights are transposed, or are not."""
        flag = self.turn_weights
        return f"add {flag}" if self.is_asked(turned) else f"leave {flag} out"


SCORING = Words()
"""Of ``classify`` and the commands like it."""
ITEMS = Words(
    features="users",
    weights="items",
    category="item",
    turn_features="--transpose-users",
    turn_weights="--transpose-items",
    a_row="an item",
    a_column="a feature",
    contents="features",
    in_rows=True,
)
"""Of ``recommend``, whose second file has one row an item."""
