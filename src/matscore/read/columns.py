"""Columns: what their first cells are, and which ones of a second matrix are taken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from matscore.errors import InputError, MisfitError
from matscore.kernel import Booleans
from matscore.names import BLANKS, Grammar, find_columns, quote_name, write_choice
from matscore.options import ReadOptions
from matscore.plan import Side
from matscore.plan.headings import find_long_form
from matscore.plan.labels import is_integer
from matscore.plan.types import ColumnKind
from matscore.read.table import Table
from matscore.spelling import suggest_name

_MOST_CODES, _TIMES_EACH = 20, 3
_INDEX_HEADINGS = ("", "unnamed: 0", "index", "level_0")  # that pandas writes
PAIRS = (
    ("True", "False"), ("TRUE", "FALSE"), ("true", "false"), ("T", "F"), ("t", "f"),
    ("Yes", "No"), ("YES", "NO"), ("yes", "no"), ("Y", "N"), ("y", "n"),
)  # fmt: skip
"""What a column may have for 1 and for 0."""

_PAIR_OF = {word: pair for pair in PAIRS for word in pair}


def find_pair(cells: Iterable[str], grammar: Grammar) -> tuple[str, str] | None:
    """Return the spelling of a column by its first cell that is there; None where it has none."""
    there = (cell.strip(BLANKS) for cell in cells if not grammar.is_missing(cell))
    return _PAIR_OF.get(next(there, ""))


def find_booleans(columns: Sequence[Sequence[str]], grammar: Grammar) -> tuple[Booleans, ...]:
    """Return which columns hold such words, and which ones; the cells are the first."""
    found = ((i, find_pair(cells, grammar)) for i, cells in enumerate(columns))
    return tuple((i, pair) for i, pair in found if pair is not None)


def are_booleans(cells: Sequence[str], grammar: Grammar) -> bool:
    """Say whether the cells of a column are words of one spelling, or missing."""
    pair = find_pair(cells, grammar)
    return pair is not None and all(
        cell.strip(BLANKS) in pair or grammar.is_missing(cell) for cell in cells
    )


def kind_of(cells: Sequence[str], read: ReadOptions) -> ColumnKind:
    """Say what the cells of a column are."""
    grammar = read.grammar
    if read.booleans and are_booleans(cells, grammar):
        return "number"
    there = [cell for cell in cells if not grammar.is_missing(cell)]
    n_numbers = sum(map(grammar.is_number, there))
    if not there:
        return "empty"
    if n_numbers == len(there):
        return "number"
    # Numbers that are written in another way are no levels; truths are.
    truths = {"true", "false"}
    meant = (c.casefold() not in truths and grammar.kind_of(c) == "meant" for c in there)
    if not n_numbers and all(meant):
        return "mixed"
    return "mostly number" if 2 * n_numbers >= len(there) else "mixed" if n_numbers else "text"


def are_codes(cells: Sequence[str]) -> bool:
    """Say whether the cells of a column are few whole numbers, each there several times."""
    values = {cell.strip() for cell in cells}
    few = len(values) <= _MOST_CODES and _TIMES_EACH * len(values) <= len(cells)
    return bool(values) and few and all(value.isascii() and value.isdigit() for value in values)


@dataclass(frozen=True)
class Pick:
    """Columns that options name; each option's flag is in a refusal of a name that is not there."""

    only: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()  # as text, beside the numbers
    drop_flag: str = "--drop-weights-cols"
    keep_flag: str = ""

    def __bool__(self) -> bool:
        """Say whether any column is named."""
        return bool(self.only or self.drop or self.keep)

    def choose(self, path: str, names: Sequence[str] | None, width: int) -> Picked:
        """Find the columns; without a header they are numbered from 1."""

        def find(flag: str, asked: Sequence[str]) -> dict[int, str]:
            return {_find_column(path, names, width, name, flag): name for name in asked}

        only, dropped = find("--weights-cols", self.only), find(self.drop_flag, self.drop)
        kept = find(self.keep_flag, self.keep)
        left = [i for i in range(width) if i not in dropped and i not in kept]
        # The first one may hold names, and the plan tells whether it does.
        columns = [i for i in left if i in only or i == left[0]] if only else left
        if not columns:
            raise MisfitError(
                path, "every column is left out", "leave the names and one of numbers"
            )
        shown = [str(i + 1) if names is None else names[i] for i in range(width)]
        out = tuple(shown[i] for i in range(width) if i not in columns and i not in kept)
        beside = tuple(shown[i] for i in kept)
        return Picked(tuple(columns), tuple(kept), out, beside, tuple(shown[i] for i in only))


@dataclass(frozen=True)
class Picked:
    """Columns of a file that are taken for the matrix, kept as text, and left out."""

    columns: tuple[int, ...]
    kept: tuple[int, ...]
    left_out: tuple[str, ...]
    beside: tuple[str, ...]
    wanted: tuple[str, ...]

    def narrow(self, side: Side) -> Side:
        """Return a file's side as if it had the columns of the matrix alone."""

        def take(cells: Sequence[str] | None) -> tuple[str, ...] | None:
            return None if cells is None else tuple(cells[i] for i in self.columns)

        return replace(
            side,
            width=len(self.columns),
            names=take(side.names),
            first_record=take(side.first_record),
            left_out=self.left_out,
            beside=self.beside,
            wanted=self.wanted,
        )


def _find_column(path: str, names: Sequence[str] | None, width: int, name: str, flag: str) -> int:
    places = find_columns(name, names, width)
    if len(places) == 1:
        return places[0]
    if places:
        what = f"a column is there more than once: {quote_name(name)}"
        raise MisfitError(path, what, "rename one or take it out")
    if names is None:
        what = f"{flag} {name}: the columns have no names, and are 1 to {width}"
        raise MisfitError(path, what, "give the number of one, or say --headers")
    hint = suggest_name(name, names, flag)
    raise MisfitError(path, f"there is no column {quote_name(name)}, which {flag} names", hint)


def explain(error: InputError, table: Table, read: ReadOptions, pick: Pick) -> InputError:
    """Return what refuses a cell, with what to do with its column where that holds words."""
    if hint := _find_hint(table, read, error, pick):
        return InputError(
            error.path, error.what, hint, line=error.line, column=error.column, name=error.name
        )
    return error


def _find_hint(table: Table, read: ReadOptions, error: InputError, pick: Pick) -> str:
    """Return what to do with a column of words; empty where it is none, or no header tells."""
    names, column = table.names, error.column
    if names is None or column is None or not error.what.endswith(" is not a number"):
        return ""
    side = table.sample(read)
    if side.kinds[column - 1] != "text":
        return ""
    columns, is_weights = [names[i] for i in table.taken], not pick.keep_flag
    if is_weights and (find_long_form(columns, columns[0]) or find_long_form(columns[1:])):
        return f"matscore import {table.path} -o weights.csv makes one column of each category"
    is_index = columns[0].strip().casefold() in _INDEX_HEADINGS and [*table.taken[:2]] == [0, 1]
    if column == 2 and is_index and all(map(is_integer, side.first or ("",))):
        way = write_choice(pick.drop_flag, columns[:1])
        return f"the first column numbers the rows: leave it out with {way}"
    hint = f"leave a column of words out with {write_choice(pick.drop_flag, [names[column - 1]])}"
    if not is_weights:
        hint += f", or keep it with {write_choice(pick.keep_flag, [names[column - 1]])}"
    return hint
