"""Names and cells: what a cell is, how a sentence shows a name, which one was meant.

A cell is a number, which the kernel defines, something meant as one, or a word. `Words` are what a
command calls its two sides.
"""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations, islice
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
_MAX_QUOTED = 60
_MAX_CANDIDATES = 1000
_MAX_COMPARED = 100
_SHORT = 6
_MAX_RECOGNISED = 20_000
_MOST_DIGITS = 15  # of more two texts may be one float64
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


def is_intercept(name: str) -> bool:
    """Say whether a name is one of those that an intercept goes by, in any case."""
    return name.strip().casefold() in _FOLDED_INTERCEPTS


def may_be_intercept(name: str) -> bool:
    """Say whether a name is a tool's own for an intercept, which nothing takes for one unasked.

    Examples
    --------
    >>> [may_be_intercept(name) for name in ("_cons", "(Constant)", "X.Intercept.", "constants")]
    [True, True, True, False]
    """
    letters = "".join(filter(str.isalpha, name.casefold())).removeprefix("x")
    return letters == "cons" or letters in _FOLDED_INTERCEPTS


def quote_name(name: str) -> str:
    """Put a name in quotes, its end cut off when it is very long."""
    return f'"{name}"' if len(name) <= _MAX_QUOTED else f'"{name[:_MAX_QUOTED]}…"'


def quote_names(names: Collection[str]) -> str:
    """List names for a sentence, at most five of them.

    Examples
    --------
    >>> quote_names("abcdefg")
    '"a", "b", "c", "d", "e" and 2 more'
    """
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


def fold_name(name: str) -> str:
    """Reduce a name to what is left without case, blanks, Unicode form and invisible characters."""
    if name.isprintable():  # so the space is its only blank, and nothing is invisible
        name = name.casefold().replace(" ", "")
        return name if name.isascii() else _compose(_compose(name).casefold())
    for _, reduce in _DIFFERENCES:
        name = reduce(name)
    # Folding case can undo the Unicode form.
    return _compose(name.casefold())


@lru_cache(maxsize=2**17)  # a refusal asks for each name several times
def reduce_name(name: str) -> str:
    """Reduce a name to what is left, folded, without what tools make of names.

    Names that are equal so may well mean one thing, and never match by themselves.
    """
    name = name.strip()
    for _, reduce in _SPELLINGS:
        name = reduce(name)
    return fold_name(name)


def make_r_name(name: str) -> str:
    """Return what R's ``make.names`` makes of a name.

    Examples
    --------
    >>> [make_r_name(name) for name in ("sepal width (cm)", "1st", "_x", "a.b")]
    ['sepal.width..cm.', 'X1st', 'X_x', 'a.b']
    """
    name = re.sub(r"[^\w.]", ".", name)
    return name if re.match(r"[^\W\d_]|\.(?!\d)", name) else f"X{name}"


def write_numbers(name: str) -> str:
    """Write a name that is a number, or has whole ones with a point in it, in one way.

    Examples
    --------
    >>> [write_numbers(name) for name in ("1.0", "2.50", "class_1.0", "v1.2.0")]
    ['1', '2.5', 'class_1', 'v1.2.0']
    """
    if len(name) <= _MOST_DIGITS and POINT.is_number(name):
        return repr(POINT.read(name)).removesuffix(".0")
    return re.sub(r"(?<![\d.])(\d+)\.0+(?![\d.\w])", r"\1", name)


def explain_difference(name: str, other: str) -> str:
    """Say in what two names differ, when it is hard to see or a tool's; empty if they just differ.

    Examples
    --------
    >>> explain_difference("Age ", "age"), explain_difference("num__age", "age")
    ('differs only by case and blanks', 'differs only by the prefix of a step')
    """
    hidden = fold_name(name) == fold_name(other)
    if name == other or not (hidden or reduce_name(name) == reduce_name(other)):
        return ""
    kinds = _DIFFERENCES if hidden else (*_SPELLINGS, *_DIFFERENCES)
    for count in range(1, len(_DIFFERENCES) + 1):
        for chosen in combinations(kinds, count):
            one, two = name, other
            for kind, reduce in chosen:
                both = one, two
                one, two = reduce(one), reduce(two)
                # What no tool has made is not explained by what it would make of both.
                if kind in _ONE_WAY and one != both[0] and two != both[1]:
                    break
            else:
                if one == two:
                    return "differs only by " + " and ".join(kind for kind, _ in chosen)
    return "differs only by case and Unicode form" if hidden else ""


@dataclass(frozen=True)
class MissingName:
    """A name that is not there, and what may have been meant by it."""

    name: str
    close: tuple[str, ...] = ()  # close matches among the names that are there, best first
    reason: str = ""  # in what the best one differs, where that is hard to see


def find_close(wanted: Sequence[str], candidates: Collection[str]) -> tuple[MissingName, ...]:
    """Find at most three close matches of each name that is not there."""
    # Comparing is slow, and no sentence shows more of them.
    looked_for = wanted[:MAX_SHOWN]
    folded = {fold_name(name) for name in looked_for}
    twins: dict[str, list[str]] = {}
    for candidate in candidates:
        if (key := fold_name(candidate)) in folded:
            twins.setdefault(key, []).append(candidate)
    # What differs invisibly is meant, and nothing else; then what a tool makes of names.
    unseen = [name for name in looked_for if fold_name(name) not in twins]
    spelt = _recognise(unseen, candidates) if unseen else {}
    matches = []
    for name in looked_for:
        known = twins.get(fold_name(name)) or spelt.get(name) or _compare(name, candidates)
        close = tuple(known)[:3]
        reason = explain_difference(name, close[0]) if close else ""
        matches.append(MissingName(name, close, reason))
    return (*matches, *map(MissingName, wanted[MAX_SHOWN:]))


def suggest(missing: Sequence[MissingName]) -> str:
    """Ask whether close matches were meant; empty when there are none."""
    known = [one for one in missing if one.close]
    if len(missing) == 1:
        meant = [" or ".join(map(quote_name, one.close)) for one in known]
    else:
        meant = [f"{quote_name(one.close[0])} for {quote_name(one.name)}" for one in known]
    reasons = [f" ({one.reason})" if one.reason else "" for one in known]
    if len(set(reasons)) == 1:  # said once, at the end
        reasons[:-1] = [""] * (len(reasons) - 1)
    shown = [name + reason for name, reason in zip(meant, reasons, strict=True)]
    return f"did you mean {', '.join(shown)}" if shown else ""


def suggest_name(name: str, names: Collection[str], option: str = "") -> str:
    """Ask which name was meant; where none is close, say which ones the option may have."""
    one_of = f"{option} has the name of one of: {quote_names(names)}" if option else ""
    return suggest(find_close([name], names)) or one_of


def write_choice(flag: str, names: Sequence[str]) -> str:
    r"""Write an option with a list of names, as a shell and the option itself read it.

    Examples
    --------
    >>> print(write_choice("--weights-cols", ["Std. Error", "a,b"]))
    --weights-cols 'Std. Error,"a,b"'
    """
    quoted = (
        f'"{name.replace(chr(34), chr(34) * 2)}"' if not name or set(name) & set(',"\r\n') else name
        for name in names
    )
    import shlex  # which only a refusal needs

    return f"{flag} {shlex.quote(','.join(quoted))}"


def find_columns(name: str, names: Sequence[str] | None, n_columns: int) -> list[int]:
    """Return the columns of a name, none, one or more; without names it is a number from 1."""
    if names is not None:
        return [i for i, other in enumerate(names) if other == name]
    is_number = name.isascii() and name.isdigit() and len(name) <= _LONGEST_NUMBER
    return [int(name) - 1] if is_number and 1 <= int(name) <= n_columns else []


def _recognise(names: Sequence[str], candidates: Collection[str]) -> dict[str, list[str]]:
    """Return for each name the candidates that differ from it by what a tool makes of names."""
    reduced: dict[str, list[str]] = {}
    for candidate in islice(candidates, _MAX_RECOGNISED):
        reduced.setdefault(reduce_name(candidate), []).append(candidate)
    return {
        name: [c for c in reduced.get(reduce_name(name), ())[:3] if explain_difference(name, c)]
        for name in names
    }


def _compare(name: str, candidates: Collection[str]) -> list[str]:
    if len(name) > _MAX_COMPARED:
        return []
    # difflib compares each pair in time that grows with both lengths: only near ones are looked at.
    slack = max(2, len(name) // 3)
    near = []
    for candidate in candidates:
        if abs(len(candidate) - len(name)) <= slack:
            near.append(candidate)
            if len(near) == _MAX_CANDIDATES:
                break
    close = difflib.get_close_matches(name, near)
    # Of short names half the letters in common are a chance.
    return [c for c in close if len(name) > _SHORT or _are_slips(name, c)]


def _are_slips(name: str, other: str) -> bool:
    """Say whether one letter of three differs at most, or one in all."""
    return _count_slips(name, other) <= max(1, max(len(name), len(other)) // 3)


def _count_slips(name: str, other: str) -> int:
    """Count letters that were changed, put in, left out or exchanged with the next one."""
    # The optimal string alignment distance, row by row.
    before, last = list[int](), list(range(len(other) + 1))
    for i, a in enumerate(name):
        row = [i + 1]
        for j, b in enumerate(other):
            slips = min(last[j] + (a != b), last[j + 1] + 1, row[j] + 1)
            if i and j and (a, name[i - 1]) == (other[j - 1], b):
                slips = min(slips, before[j - 1] + 1)
            row.append(slips)
        before, last = last, row
    return last[-1]


def _drop_blanks(name: str) -> str:
    return "".join(name.split())


def _drop_invisible(name: str) -> str:
    return "".join(c for c in name if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf"))


def _compose(name: str) -> str:
    return unicodedata.normalize("NFKC", name)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _drop_backticks(name: str) -> str:
    inner = name[1:-1]
    return inner.replace("``", "`") if name == f"`{inner}`" else name


def _drop_step(name: str) -> str:
    # No step of scikit-learn has two underscores in its name; one step may be inside another.
    return re.sub(r"^(?:[A-Za-z][A-Za-z0-9-]*(?:_[A-Za-z0-9-]+)*__)+(?=.)", "", name)


def _drop_allele(name: str) -> str:
    # PLINK's: rs123_A, rs123_A(/G) and, through R, rs123_A..G.; and rs123_HET.
    return re.sub(r"(?<=\d)_(?:HET|[ACGTDI]+(?:\(/[ACGTDI]+\)|\.\.[ACGTDI]+\.)?)$", "", name)


def _drop_version(name: str) -> str:
    return re.sub(r"^([A-Z]{2,8}_?\d{5,})\.\d{1,3}$", r"\1", name)


def _drop_zeros(name: str) -> str:
    return re.sub(r"(?<![\d.,])0+(?=\d)", "", name)


_DIFFERENCES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("case", str.casefold),
    ("blanks", _drop_blanks),
    ("invisible characters", _drop_invisible),
    ("Unicode form", _compose),
)
# What tools make of names. Of a folded one some would not know it, so they come first.
_SPELLINGS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("backticks", _drop_backticks),
    ("the prefix of a step", _drop_step),
    ("the allele that is counted", _drop_allele),
    ("the version", _drop_version),
    ("leading zeros", _drop_zeros),
    ("how a number is written", write_numbers),
    ("what R's make.names changes", make_r_name),
)
_ONE_WAY = frozenset({"what R's make.names changes"})


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
        """Say what to do so that the weights are transposed, or are not.

        Examples
        --------
        >>> SCORING.advise(True), ITEMS.advise(True)
        ('add --transpose', 'leave --transpose-items out')
        """
        if self.is_asked(turned):
            return f"add {self.turn_weights}"
        return f"leave {self.turn_weights} out"


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
