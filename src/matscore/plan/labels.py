"""What a first record and a first column are, for every matrix.

A first record is a header or data, a first column holds labels or numbers; where content cannot
tell, it is doubtful, and whoever asks refuses it. `judge_first_record` and `judge_first_column` are
the only places where this is decided.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass
from typing import Literal

from matscore.grammar import Grammar, Kind
from matscore.names import find_close, fold_name, is_intercept

FirstRecord = Literal["header", "data", "doubtful"]
FirstColumn = Literal["labels", "numbers", "doubtful"]

_LABEL_HEADINGS = frozenset({
    "", "unnamed: 0", "category", "categories", "class", "classes", "feature", "features", "id",
    "index", "item", "items", "label", "labels", "name", "names", "row", "term", "terms", "user",
    "users", "variable", "variables",
})  # fmt: skip
# So many whole numbers, each one more than the last, are no accident.
_NO_ACCIDENT = 4


@dataclass(frozen=True)
class OtherSide:
    """What is known of the matrix that a first record or column is compared with.

    Attributes
    ----------
    names : set of str
        Names that it has, features among them.
    intercept : str or None
        The name that was given for the intercept.
    """

    names: Set[str] = frozenset()
    intercept: str | None = None

    def may_name(self, cell: str) -> bool:
        """Say whether a cell is a name of the other side or of an intercept, near misses too."""
        if not cell.strip():
            return False
        if cell in self.names or is_intercept(cell) or cell == self.intercept:
            return True
        return bool(self.names) and fold_name(cell) in {fold_name(name) for name in self.names}


def judge_first_record(
    cells: Sequence[str],
    grammar: Grammar,
    other: OtherSide = OtherSide(),
    *,
    named: Collection[str] = (),
    values: Set[str] = frozenset(),
    used: bool = False,
) -> FirstRecord:
    """Say what a first record is, where no option says it.

    A record is data when all its cells are numbers, and a header when all of them are words. One
    that has both may be data, damaged perhaps, and is a header only where something speaks for it.

    Parameters
    ----------
    cells : sequence of str
        The record.
    grammar : Grammar
        How cells are read.
    other : OtherSide
        The matrix that it is compared with.
    named : collection of str
        Columns that options name.
    values : set of str
        Of a file of pairs, what the second column holds in records of data.
    used : bool
        Whether its cells are the names by which the two sides find each other.

    Returns
    -------
    {"header", "data", "doubtful"}
        What it is.

    Examples
    --------
    >>> judge_first_record(["film", "action"], Grammar())
    'header'
    >>> judge_first_record(["1", "2.5"], Grammar())
    'data'
    >>> judge_first_record(["Thunder Pass", "5"], Grammar())
    'doubtful'
    >>> judge_first_record(["feature", "0", "1"], Grammar())
    'header'
    """
    kinds = [grammar.kind_of(cell) for cell in cells]
    if set(kinds) <= {"number"} or (cells[1:2] and cells[1] in values):
        return "data"
    words = {cell for cell, kind in zip(cells, kinds, strict=True) if kind == "word"}
    if values or used or not words.isdisjoint(named):
        return "header"
    return "header" if _heads_names(cells, kinds, other) else "doubtful"


@dataclass(frozen=True)
class Column:
    """A first column.

    Attributes
    ----------
    cells : tuple of str
        Its cells, the first ones at least.
    heading : str or None
        Its cell in the header; None without a header.
    others : tuple of str
        The cells of the header after it.
    """

    cells: Sequence[str]
    heading: str | None = None
    others: Sequence[str] = ()


def judge_first_column(
    column: Column, grammar: Grammar, other: OtherSide | None, *, is_alone: bool = False
) -> FirstColumn:
    """Say what a first column is, where no option says it; never from one cell alone.

    Parameters
    ----------
    column : Column
        The first column.
    grammar : Grammar
        How cells are read.
    other : OtherSide or None
        The matrix that it is compared with; None where there is none.
    is_alone : bool
        Whether it is the only column.

    Returns
    -------
    {"labels", "numbers", "doubtful"}
        What it holds.

    Examples
    --------
    >>> judge_first_column(Column(["age", "income"]), Grammar(), OtherSide())
    'labels'
    >>> judge_first_column(Column(["0.5", "x"]), Grammar(), OtherSide())
    'doubtful'
    >>> judge_first_column(Column(["0.5", "NA"]), Grammar(), OtherSide())
    'numbers'
    >>> judge_first_column(Column(["7", "9"], "id"), Grammar(), None)
    'labels'
    """
    if other is None:
        return _judge_by_itself(column, grammar, is_alone=is_alone)
    cells, kinds = column.cells, {grammar.kind_of(cell) for cell in column.cells}
    if not cells or (is_alone and "word" not in kinds):
        return "numbers"
    known = other.names - {""}
    hits = sum(cell in known for cell in cells) if len(set(cells)) == len(cells) else 0
    usual = column.heading is not None and column.heading not in known
    usual = usual and is_label_heading(column.heading or "")
    named = hits > 0 and _all_known(cells, known)
    if kinds == {"number"} and named:
        return "labels" if len(cells) > 1 or usual else "doubtful"
    if kinds == {"word"} or named or _heads_features(column, known, grammar):
        return "labels"
    if "word" in kinds:
        some = sum(cell in known for cell in cells)
        return "labels" if some > 1 and 2 * some >= len(cells) else "doubtful"
    # Numbers that other evidence calls labels would become a category of their own.
    counted = counts_up(cells) and cells[0] in ("0", "1")
    return "doubtful" if usual or counted or 2 * hits >= len(cells) else "numbers"


def is_label_heading(name: str) -> bool:
    """Say whether a name is a usual one for a column of labels."""
    return name.strip().casefold() in _LABEL_HEADINGS


def counts_up(cells: Sequence[str]) -> bool:
    """Say whether cells are so many whole numbers, each one more than the last, as no accident is.

    Examples
    --------
    >>> counts_up(["7", "8", "9", "10"]), counts_up(["7", "8"])
    (True, False)
    """
    if len(cells) < _NO_ACCIDENT or not all(is_integer(cell) and len(cell) < 10 for cell in cells):
        return False
    start = int(cells[0])
    return all(int(cell) == start + step for step, cell in enumerate(cells))


def numbers_things(cells: Sequence[str]) -> bool:
    """Say whether cells are whole numbers that all differ, as numbers of things do.

    Examples
    --------
    >>> numbers_things(["12", "7"]), numbers_things(["7", "7"]), numbers_things(["0.5", "7"])
    (True, False, False)
    """
    return len(set(cells)) == len(cells) > 0 and all(map(is_integer, cells))


def is_integer(cell: str) -> bool:
    """Say whether a cell is digits and nothing else."""
    return cell.isascii() and cell.isdigit()


def _judge_by_itself(column: Column, grammar: Grammar, *, is_alone: bool) -> FirstColumn:
    """Judge the first column of a file that has no other side: it is learned from, or compared."""
    cells = [cell for cell in column.cells if not grammar.is_missing(cell)]
    kinds = {grammar.kind_of(cell) for cell in cells}
    if is_alone:
        return "numbers"
    if column.heading is not None and is_label_heading(column.heading):
        return "labels"
    if "word" in kinds:
        return "labels" if len(kinds) == 1 else "doubtful"
    counted = len(cells) == len(column.cells) and counts_up(cells)
    if counted and (column.heading is None or cells[0] in ("0", "1")):
        return "doubtful"
    return "numbers"


def _heads_names(cells: Sequence[str], kinds: Sequence[Kind], other: OtherSide) -> bool:
    """Say whether cells are words, or names of any kind under a usual heading of names."""
    rest = set(kinds[1:])
    if rest <= {"word"} and (kinds[0] == "word" or (rest and is_label_heading(cells[0]))):
        return True
    corner, *columns = cells
    if not is_label_heading(corner) or not columns or other.may_name(corner):
        return False
    differ = len(set(columns)) == len(columns)
    return differ and all(
        kind == "word" or is_integer(cell) or (cell and not any(map(str.isdigit, cell)))
        for cell, kind in zip(columns, kinds[1:], strict=True)
    )


def _heads_features(column: Column, known: Set[str], grammar: Grammar) -> bool:
    """Say whether the columns after the first carry the features, so that it has other labels."""
    heading, others = column.heading, column.others
    if heading is None or heading in known or is_intercept(heading):
        return False
    if not any(name in known for name in others):
        return False
    if not _all_known(others, known):
        return False
    if is_label_heading(heading):
        return True
    # What else may the column be? A feature that is spelt in another way here.
    free = known - set(others)
    if find_close([heading], free)[0][0]:
        return False
    numbers = [grammar.read(cell) for cell in column.cells if grammar.kind_of(cell) == "number"]
    number_things = len(set(numbers)) == len(numbers) and all(map(float.is_integer, numbers))
    return number_things and (len(free) <= 1 or len(column.cells) > 1 or not numbers)


def _all_known(names: Sequence[str], known: Set[str]) -> bool:
    return all(name in known or is_intercept(name) for name in names)
