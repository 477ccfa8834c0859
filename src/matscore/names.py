"""Names: what they look like, how a sentence shows them, which of them were meant."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Collection, Sequence
from itertools import combinations, islice

MAX_SHOWN = 5
"""Names a sentence shows, and missing names that get close matches."""

INTERCEPTS = ("(Intercept)", "intercept", "bias", "const", "constant")
"""Names that an intercept goes by, in any case."""
_FOLDED_INTERCEPTS = frozenset(name.casefold() for name in INTERCEPTS)
_MAX_QUOTED = 60
_MAX_CANDIDATES = 1000
_MAX_COMPARED = 100


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
    r"""Make text safe to be shown: what is not printable is shown as an escape.

    Parameters
    ----------
    text : str
        Any text.
    encoding : str
        What the screen reads; characters that it lacks are shown as escapes too.

    Returns
    -------
    str
        Text without control, format or line-end characters and without lone surrogates. Wide and
        combining characters and the backslash stay as they are.

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
    """Say in what two names differ, when it is hard to see.

    Returns
    -------
    str
        For example ``differs only by case and blanks``; empty when they differ plainly or not
        at all.

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


def find_close(
    wanted: Sequence[str], candidates: Collection[str]
) -> list[tuple[tuple[str, ...], str]]:
    """Find what may have been meant by names that are not there.

    Parameters
    ----------
    wanted : sequence of str
        The names that are not there. Only the first five are looked for: comparing is slow.
    candidates : collection of str
        The names that are there.

    Returns
    -------
    list of (tuple of str, str)
        For each wanted name at most three close matches, best first, and in what the best one
        differs when that is hard to see.

    Examples
    --------
    >>> find_close(["acton", "Age"], ["age", "action"])
    [(('action',), ''), (('age',), 'differs only by case')]
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
        found.append((close, explain_difference(name, close[0]) if close else ""))
    return [*found, *(((), "") for _ in wanted[MAX_SHOWN:])]


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
