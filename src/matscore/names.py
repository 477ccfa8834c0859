"""Names: how a sentence shows them, which were meant, and what a command calls its two sides."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

MAX_SHOWN = 5
"""Names a sentence shows, and missing names that get close matches."""

INTERCEPTS = ("(Intercept)", "intercept", "bias", "const", "constant")
"""Names that an intercept goes by, in any case."""
_FOLDED_INTERCEPTS = frozenset(name.casefold() for name in INTERCEPTS)
_MAX_QUOTED = 60
_MAX_CANDIDATES = 1000
_MAX_COMPARED = 100
_LONGEST_NUMBER = 9  # of a column


def is_intercept(name: str) -> bool:
    """Say whether a name is one of those that an intercept goes by, in any case.

    Examples
    --------
    >>> [is_intercept(name) for name in ("(Intercept)", "BIAS", "age")]
    [True, True, False]
    """
    return name.strip().casefold() in _FOLDED_INTERCEPTS


def quote_name(name: str) -> str:
    """Put a name in quotes, its end cut off when it is very long.

    Examples
    --------
    >>> quote_name("science fiction")
    '"science fiction"'
    """
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
    r"""Reduce a name to what is left without case, blanks, Unicode form and invisible characters.

    Examples
    --------
    >>> fold_name("Science\u00a0Fiction") == fold_name("science fiction")
    True
    """
    if name.isprintable():  # so the space is its only blank, and nothing is invisible
        name = name.casefold().replace(" ", "")
        return name if name.isascii() else _compose(_compose(name).casefold())
    for _, reduce in _DIFFERENCES:
        name = reduce(name)
    # Folding case can undo the Unicode form.
    return _compose(name.casefold())


def explain_difference(name: str, other: str) -> str:
    """Say in what two names differ, when it is hard to see; empty when they differ plainly.

    Examples
    --------
    >>> explain_difference("Age ", "age")
    'differs only by case and blanks'
    """
    if name == other or fold_name(name) != fold_name(other):
        return ""
    for count in range(1, len(_DIFFERENCES) + 1):
        for chosen in combinations(_DIFFERENCES, count):
            one, two = name, other
            for _, reduce in chosen:
                one, two = reduce(one), reduce(two)
            if one == two:
                return "differs only by " + " and ".join(kind for kind, _ in chosen)
    return "differs only by case and Unicode form"


@dataclass(frozen=True)
class MissingName:
    """A name that is not there, and what may have been meant by it."""

    name: str
    close: tuple[str, ...] = ()  # close matches among the names that are there, best first
    reason: str = ""  # in what the best one differs, where that is hard to see


def find_close(wanted: Sequence[str], candidates: Collection[str]) -> tuple[MissingName, ...]:
    """Find at most three close matches of each name that is not there.

    Only the first five are looked for: comparing is slow.

    Examples
    --------
    >>> find_close(["Age"], ["age", "action"])
    (MissingName(name='Age', close=('age',), reason='differs only by case'),)
    """
    looked_for = wanted[:MAX_SHOWN]
    folded = {fold_name(name) for name in looked_for}
    twins: dict[str, list[str]] = {}
    for candidate in candidates:
        if (key := fold_name(candidate)) in folded:
            twins.setdefault(key, []).append(candidate)
    found = []
    for name in looked_for:
        same = twins.get(fold_name(name), [])
        close = tuple(dict.fromkeys([*same, *_compare(name, candidates)]))[:3]
        reason = explain_difference(name, close[0]) if close else ""
        found.append(MissingName(name, close, reason))
    return (*found, *map(MissingName, wanted[MAX_SHOWN:]))


def suggest(missing: Sequence[MissingName]) -> str:
    """Ask whether close matches were meant; empty when there are none."""
    found = [one for one in missing if one.close]
    if len(missing) == 1:
        meant = [" or ".join(map(quote_name, one.close)) for one in found]
    else:
        meant = [f"{quote_name(one.close[0])} for {quote_name(one.name)}" for one in found]
    reasons = [f" ({one.reason})" if one.reason else "" for one in found]
    if len(set(reasons)) == 1:  # said once, at the end
        reasons[:-1] = [""] * (len(reasons) - 1)
    shown = [name + reason for name, reason in zip(meant, reasons, strict=True)]
    return f"did you mean {', '.join(shown)}" if shown else ""


def suggest_name(name: str, names: Collection[str], option: str = "") -> str:
    """Ask which name was meant; where none is close, say which ones the option may have."""
    one_of = f"{option} has the name of one of: {quote_names(names)}" if option else ""
    return suggest(find_close([name], names)) or one_of


def find_columns(name: str, names: Sequence[str] | None, n_columns: int) -> list[int]:
    """Return the columns of a name, none, one or more; without names its number, from 1, is meant.

    Examples
    --------
    >>> find_columns("age", ["age", "sex", "age"], 3), find_columns("2", None, 3)
    ([0, 2], [1])
    """
    if names is not None:
        return [i for i, other in enumerate(names) if other == name]
    is_number = name.isascii() and name.isdigit() and len(name) <= _LONGEST_NUMBER
    return [int(name) - 1] if is_number and 1 <= int(name) <= n_columns else []


def _compare(name: str, candidates: Collection[str]) -> list[str]:
    if len(name) > _MAX_COMPARED:
        return []
    slack = max(2, len(name) // 3)
    near = []
    for candidate in candidates:
        if abs(len(candidate) - len(name)) <= slack:
            near.append(candidate)
            if len(near) == _MAX_CANDIDATES:
                break
    return difflib.get_close_matches(name, near)


def _drop_blanks(name: str) -> str:
    return "".join(name.split())


def _drop_invisible(name: str) -> str:
    return "".join(c for c in name if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf"))


def _compose(name: str) -> str:
    return unicodedata.normalize("NFKC", name)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


_DIFFERENCES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("case", str.casefold),
    ("blanks", _drop_blanks),
    ("invisible characters", _drop_invisible),
    ("Unicode form", _compose),
)


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
