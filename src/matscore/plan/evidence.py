"""What content tells where nothing was said: a first column of names, a header, a long form."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from matscore.names import fold_name, is_intercept, is_number, looks_like_number
from matscore.plan.types import Side

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
_CONSECUTIVE_IS_NO_ACCIDENT = 4


def holds_labels(side: Side, known: Set[str]) -> bool | None:
    """Say whether a first column holds names rather than numbers; never from one cell alone.

    Parameters
    ----------
    side : Side
        The file; its first column is known.
    known : set of str
        Names that the other side uses for features.

    Returns
    -------
    bool or None
        None when it cannot be told.

    Examples
    --------
    >>> holds_labels(Side("W.csv", 3, None, 2, ("age", "income")), set())
    True
    >>> holds_labels(Side("W.csv", 3, None, 2, ("0.5", "x")), set()) is None
    True
    """
    cells = side.first or ()
    if side.labelled is not None or not cells:
        return bool(side.labelled)
    known = known - {""}
    distinct = len(set(cells)) == len(cells)
    hits = sum(cell in known for cell in cells)
    named = distinct and hits > 0 and _all_known(cells, known)
    if side.first_numeric or all(map(is_number, cells)):
        hits = hits if distinct else 0
        return side.width > 1 and _numbers_are_labels(side, known, hits, named=named)
    if named or _heads_known_columns(side, known):
        return True
    if not any(map(looks_like_number, cells)):
        return True
    return True if hits > 1 and 2 * hits >= len(cells) else None


def numbers_things(cells: Sequence[str]) -> bool:
    """Say whether cells are whole numbers that all differ, as numbers of things do.

    Examples
    --------
    >>> numbers_things(["12", "7"]), numbers_things(["7", "7"]), numbers_things(["0.5", "7"])
    (True, False, False)
    """
    return len(set(cells)) == len(cells) > 1 and all(map(_is_integer, cells))


def surely_counts_up(cells: Sequence[str]) -> bool:
    """Say whether cells are so many whole numbers, each one more than the last, as no accident is.

    Examples
    --------
    >>> surely_counts_up(["7", "8", "9", "10"]), surely_counts_up(["7", "8"])
    (True, False)
    """
    return len(cells) >= _CONSECUTIVE_IS_NO_ACCIDENT and counts_up(cells)


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
    if is_label_header(corner) and corner not in known:
        return True
    enough = 2 if known else 3
    return len(columns) >= enough and counts_up(columns) and not _is_near(corner, known)


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
        return tuple(name for name, word in words.items() if word in _STATISTICS | _ESTIMATES)
    if len(words) == 2 and kinds & _LONG_KEYS and kinds & _LONG_VALUES:
        return tuple(words)
    return ()


def _numbers_are_labels(side: Side, known: Set[str], hits: int, *, named: bool) -> bool | None:
    cells, corner = side.first or (), side.names[0] if side.names is not None else None
    label_header = corner is not None and corner not in known and is_label_header(corner)
    if named:
        return True if len(cells) > 1 or label_header else None
    if _heads_known_columns(side, known):
        return True
    # Numbers that other evidence calls labels would become a category of their own.
    doubtful = label_header or 2 * hits >= len(cells)
    counted = len(cells) >= _CONSECUTIVE_IS_NO_ACCIDENT and counts_up(cells)
    return None if doubtful or (counted and cells[0] in ("0", "1")) else False


def _heads_known_columns(side: Side, known: Set[str]) -> bool:
    """Say whether the columns after the first carry the features, and the first the categories."""
    if side.names is None or side.names[0] in known:
        return False
    corner, *columns = side.names
    if not _all_known(columns, known) or not any(name in known for name in columns):
        return False
    if is_label_header(corner):
        return True
    cells = side.first or ()
    numbers = [cell for cell in cells if looks_like_number(cell)]
    if len(numbers) == len(cells) == 1 or not all(map(_is_integer, numbers)):
        return False
    return len(set(numbers)) == len(numbers) and not _is_near(corner, known)


def _all_known(names: Sequence[str], known: Set[str]) -> bool:
    return all(name in known or is_intercept(name) for name in names)


def _is_near(name: str, known: Set[str]) -> bool:
    """Say whether a name differs from a known one invisibly, at most."""
    return fold_name(name) in {fold_name(other) for other in known}


def is_label_header(name: str) -> bool:
    """Say whether a name is a usual one for a column of labels."""
    return name.strip().casefold() in _LABEL_HEADERS


def _is_integer(cell: str) -> bool:
    return cell.isascii() and cell.isdigit()


def counts_up(cells: Sequence[str]) -> bool:
    """Say whether cells are whole numbers that count up by one."""
    if not all(_is_integer(cell) and len(cell) < 10 for cell in cells):
        return False
    start = int(cells[0])
    return all(int(cell) == start + step for step, cell in enumerate(cells))
