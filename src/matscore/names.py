"""Names: what they look like, how a sentence shows them, which of them were meant."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence, Set
from itertools import combinations

MAX_SHOWN = 5
"""Names a sentence shows, and missing names that get close matches."""

_INTERCEPTS = frozenset({"(intercept)", "intercept", "bias", "const", "constant"})
_LABEL_HEADERS = frozenset({
    "", "unnamed: 0", "category", "categories", "class", "classes", "feature", "features", "id",
    "index", "label", "labels", "name", "names", "row", "term", "terms", "variable", "variables",
})  # fmt: skip
_ESTIMATES = frozenset({"estimate", "coef", "coefficient", "coefficients", "beta"})
_STATISTICS = frozenset({
    "stderror", "stderr", "standarderror", "statistic", "tvalue", "zvalue", "tstat", "zstat",
    "pvalue", "prt", "prz", "conflow", "confhigh",
})  # fmt: skip
_LONG_KEYS = frozenset({"category", "class", "ylevel", "outcome", "feature", "term", "variable"})
_LONG_VALUES = frozenset({"weight", "value", *_ESTIMATES})
_WIDEST_LONG_FORM = 20
_NOT_A_NUMBER_WORDS = frozenset({
    "", "na", "n/a", "#n/a", "nan", "null", "none", "true", "false",
    "inf", "+inf", "-inf", "infinity",
})  # fmt: skip
_NUMBER = re.compile(r"[ \t]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t]*")
_HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]+")
_NUMBER_DRESS = {ord(sign): None for sign in " ,_%$€£'’()\u00a0\u202f"} | {ord("−"): "-"}
_MAX_QUOTED = 60
_MAX_CANDIDATES = 1000
_MAX_COMPARED = 100
_CONSECUTIVE_IS_NO_ACCIDENT = 4


def is_number(cell: str) -> bool:
    """Say whether a cell is a number as matscore reads numbers.

    Examples
    --------
    >>> [is_number(cell) for cell in ("-1.5e3", " .5 ", "1,5", "inf", "１")]
    [True, True, False, False, False]
    """
    return _NUMBER.fullmatch(cell) is not None


def looks_like_number(cell: str) -> bool:
    """Say whether a cell is a number, or was meant as one, or stands for a missing one.

    Examples
    --------
    >>> [looks_like_number(cell) for cell in ("7", "1,5", "5%", "NA", "", "age", "1st")]
    [True, True, True, True, True, False, False]
    """
    text = cell.strip()
    if text[:1].isascii() and text[:1].isalpha():
        return text.casefold() in _NOT_A_NUMBER_WORDS
    plain = unicodedata.normalize("NFKC", text).translate(_NUMBER_DRESS)
    return (
        text.casefold() in _NOT_A_NUMBER_WORDS
        or is_number(plain)
        or _HEXADECIMAL.fullmatch(text) is not None
    )


def is_intercept(name: str) -> bool:
    """Say whether a name is one of those that an intercept goes by, in any case.

    Examples
    --------
    >>> [is_intercept(name) for name in ("(Intercept)", "BIAS", "age")]
    [True, True, False]
    """
    return name.strip().casefold() in _INTERCEPTS


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
    shown = ", ".join(quote_name(name) for name, _ in zip(names, range(MAX_SHOWN), strict=False))
    rest = len(names) - MAX_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown


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


def holds_labels(
    cells: Sequence[str],
    header: Sequence[str] | None,
    known: Set[str],
    *,
    width: int,
    all_numbers: bool,
) -> bool | None:
    """Say whether a first column holds names rather than numbers; never from one cell alone.

    Parameters
    ----------
    cells : sequence of str
        The column's cells.
    header : sequence of str or None
        The header of the whole file.
    known : set of str
        Names that the other side uses for features.
    width : int
        Columns in the file.
    all_numbers : bool
        Whether every cell is known to be a number (with decimal commas, perhaps).

    Returns
    -------
    bool or None
        None when it cannot be told.

    Examples
    --------
    >>> holds_labels(["age", "income"], None, set(), width=3, all_numbers=False)
    True
    >>> holds_labels(["0.5", "x"], None, set(), width=3, all_numbers=False) is None
    True
    """
    if not cells:
        return False
    distinct = len(set(cells)) == len(cells)
    hits = sum(cell in known for cell in cells)
    named = bool(hits) and distinct and _all_known(cells, known)
    if all_numbers or all(map(is_number, cells)):
        return width > 1 and _numbers_are_labels(
            cells, header, known, hits=hits if distinct else 0, named=named
        )
    if named or _heads_known_columns(cells, header, known):
        return True
    if not any(map(looks_like_number, cells)):
        return True
    return True if hits > 1 and 2 * hits >= len(cells) else None


def looks_like_data(header: Sequence[str]) -> bool:
    """Say whether a header may be a row of data: all its cells but one, at least, are numbers.

    Examples
    --------
    >>> looks_like_data(["action", "1.1", "0.4"]), looks_like_data(["film", "action", "1"])
    (True, False)
    """
    return len(header) > 1 and sum(map(is_number, header)) >= len(header) - 1


def has_numbered_columns(header: Sequence[str], known: Set[str]) -> bool:
    """Say whether a header names columns by plain integers and cannot well be a row of data.

    The first cell must be a usual name for a column of names, or no feature while the integers
    count up by one.

    Examples
    --------
    >>> has_numbered_columns(["feature", "0", "1", "2"], {"pixel_0"})
    True
    >>> has_numbered_columns(["action", "1", "0"], {"action"})
    False
    """
    corner, *columns = header
    if is_number(corner) or not all(map(_is_integer, columns)) or len(set(columns)) < len(columns):
        return False
    if _is_label_header(corner) and corner not in known:
        return True
    enough = 2 if known else 3
    return (
        len(columns) >= enough
        and _count_up(columns)
        and fold_name(corner) not in {fold_name(name) for name in known}
    )


def find_long_form(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that tell a coefficient table in long form; empty when it is none.

    Examples
    --------
    >>> find_long_form(["Estimate", "Std. Error", "Pr(>|t|)"])
    ('Estimate', 'Std. Error', 'Pr(>|t|)')
    >>> find_long_form(["estimate"])
    ()
    """
    if len(columns) > _WIDEST_LONG_FORM:
        return ()
    words = {name: re.sub(r"[^a-z0-9]", "", name.casefold()) for name in columns}
    kinds = set(words.values())
    if kinds & _STATISTICS and kinds & _ESTIMATES:
        return tuple(n for n, word in words.items() if word in _STATISTICS | _ESTIMATES)
    if len(words) == 2 and kinds & _LONG_KEYS and kinds & _LONG_VALUES:
        return tuple(words)
    return ()


def _numbers_are_labels(
    cells: Sequence[str], header: Sequence[str] | None, known: Set[str], *, hits: int, named: bool
) -> bool | None:
    label_header = header is not None and header[0] not in known and _is_label_header(header[0])
    if named:
        return True if len(cells) > 1 or label_header else None
    if _heads_known_columns(cells, header, known):
        return True
    # Numbers that other evidence calls labels would become a category of their own.
    doubtful = label_header or 2 * hits >= len(cells)
    counted = len(cells) >= _CONSECUTIVE_IS_NO_ACCIDENT and _count_up(cells)
    return None if doubtful or (counted and cells[0] in ("0", "1")) else False


def _heads_known_columns(
    cells: Sequence[str], header: Sequence[str] | None, known: Set[str]
) -> bool:
    """Say whether the columns after the first carry the features, and the first the categories."""
    if header is None or header[0] in known:
        return False
    columns = header[1:]
    if not _all_known(columns, known) or not any(name in known for name in columns):
        return False
    if _is_label_header(header[0]):
        return True
    numbers = [cell for cell in cells if looks_like_number(cell)]
    if len(numbers) == len(cells) == 1 or not all(map(_is_integer, numbers)):
        return False
    unique = len(set(numbers)) == len(numbers)
    return unique and fold_name(header[0]) not in {fold_name(name) for name in known}


def _all_known(names: Sequence[str], known: Set[str]) -> bool:
    return all(name in known or is_intercept(name) for name in names)


def _is_label_header(name: str) -> bool:
    return name.strip().casefold() in _LABEL_HEADERS


def _is_integer(cell: str) -> bool:
    return cell.isascii() and cell.isdigit()


def _count_up(cells: Sequence[str]) -> bool:
    if not all(_is_integer(cell) and len(cell) < 10 for cell in cells):
        return False
    start = int(cells[0])
    return all(int(cell) == start + step for step, cell in enumerate(cells))


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


_DIFFERENCES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("case", str.casefold),
    ("blanks", _drop_blanks),
    ("invisible characters", _drop_invisible),
    ("Unicode form", _compose),
)
