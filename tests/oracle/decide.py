"""What a first record and a first column may be: the rules of the contract, as sets of verdicts.

A set of one verdict is sure; "doubtful" is a refusal; more than one is a freedom of the contract.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.oracle.reading import HEADINGS, INTERCEPTS, Options, Record, Table, read_number

Verdicts = set[str]  # of "header", "data", "doubtful"; or of "labels", "numbers", "doubtful"
_INTEGER = re.compile(r"0|[1-9][0-9]*")
_INTEGER_LIST = re.compile(r"[0-9]+(,[0-9]+)*")
_ANY_INTEGER = re.compile(r"[ \t]*[+-]?[0-9]+[ \t]*")


@dataclass(frozen=True)
class Other:
    """What the other side says about the features, before anything of this side is known."""

    names: tuple[str, ...] = ()  # without doubt, an intercept's aside
    lax: frozenset[str] = frozenset()  # all that may be a name of a feature
    heading: str = ""  # of the first column, perhaps a feature's
    numbered: tuple[tuple[str, ...], ...] = ()  # names that are numbers, beside a sure header
    numbers: tuple[tuple[str, ...], ...] = ()  # all that a record of numbers may be the names of
    sizes: frozenset[int] = frozenset()  # how many features there may be
    columns: tuple[str, ...] = ()  # of features with a sure header
    features: bool = False  # whether it is the features that tell


def is_intercept(name: str, options: Options) -> bool:
    """Say whether a name is an intercept's."""
    if options.no_intercept:
        return False
    if options.intercept is not None:
        return name == options.intercept
    return name.lower() in INTERCEPTS


def speaks_for_intercept(name: str, options: Options) -> bool:
    """Say whether a name is one that an intercept has, whatever the options do with it."""
    return name.lower() in INTERCEPTS or name == options.intercept


def judge_alone(table: Table) -> str:
    """Say what a first record is by itself: "header", "data", or "maybe"."""
    if table.options.headers is not None:
        return "header" if table.options.headers else "data"
    cells = table.records[0].cells
    kinds = [table.kind(cell) for cell in cells]
    if set(kinds) == {"number"}:
        return "data"
    first = "word" if len(cells) > 1 and cells[0].lower() in HEADINGS else kinds[0]
    sure = {first, *kinds[1:]} == {"word"}
    named = any(
        cell in table.options.named
        for cell, kind in zip(cells, kinds, strict=True)
        if kind == "word"
    )
    return "header" if named or sure else "maybe"


def judge_record(table: Table, other: Other) -> Verdicts:
    """Say what a first record may be: "header", "data" or "doubtful"."""
    alone, cells = judge_alone(table), table.records[0].cells
    if alone == "header" or table.options.headers is not None:
        return {alone}
    if alone == "data":
        same = any(len(set(names)) > 1 and set(names) <= set(cells) for names in other.numbers)
        return {"data", "doubtful"} if same else {"data"}
    verdicts = (
        _judge_names(table, other) | _judge_usual(table, other) | _judge_counted(table, other)
    )
    if other.features and table.kind(cells[0]) != "number":
        verdicts |= _judge_numbered(table, other)
    return verdicts or {"doubtful"}


def _judge_names(table: Table, other: Other) -> Verdicts:
    """Judge a record by the names of the other side."""
    cells = table.records[0].cells
    if not other.names or not set(other.names) <= set(cells):
        return set()
    return _judge_fit(table, other) if any(table.kind(n) == "word" for n in other.names) else set()


def _judge_usual(table: Table, other: Other) -> Verdicts:
    """Judge a record whose first cell is a usual heading of labels."""
    heading, *rest = table.records[0].cells
    if not rest or heading.lower() not in HEADINGS or len(set(rest)) < len(rest):
        return set()
    if heading in other.lax or speaks_for_intercept(heading, table.options):
        return set()
    if not all(_may_number(cell, table, _ANY_INTEGER) for cell in rest):
        return set()
    shared = heading and heading == other.heading
    integers = all(_may_number(cell, table, _INTEGER) for cell in rest)
    return {"header", "doubtful"} if shared or not integers else {"header"}


def _judge_counted(table: Table, other: Other) -> Verdicts:
    """Judge a record with four numbers or more that count up, by those of the other side."""
    cells = table.records[0].cells
    counted = [cell for cell in cells if _INTEGER.fullmatch(cell)]
    if len(counted) < 4 or not counts_up(counted, table.options):
        return set()
    numbered = [set(names) for names in other.numbered]
    plain = counted == cells[1:] and not speaks_for_intercept(cells[0], table.options)
    if set(counted) in numbered and plain and cells[0] != other.heading:
        return {"header"}
    some = any(names and names <= set(counted) for names in numbered)
    return {"header", "doubtful"} if some else set()


def count_words(table: Table) -> int:
    """Count the words of a first record."""
    return sum(table.kind(cell) == "word" for cell in table.records[0].cells)


def _may_number(cell: str, table: Table, integer: re.Pattern[str]) -> bool:
    """Say whether a cell is a name under a usual heading: a number, a word, or NA and the like."""
    kind = table.kind(cell)
    if kind == "meant":
        return bool(cell.strip()) and not any(char.isdigit() for char in cell)
    return kind == "word" or bool(integer.fullmatch(cell))


def _judge_fit(table: Table, other: Other) -> Verdicts:
    """Judge a record that has all names of the other side: do the files fit as data too?"""
    labels = table.width - 1 in other.sizes
    if count_words(table) > 1 or (not labels and table.width not in other.sizes):
        return {"header"}
    words = [n for n, cell in enumerate(table.records[0].cells) if table.kind(cell) != "number"]
    readable = labels and set(words) <= {0}
    return {"doubtful"} if readable else {"header", "doubtful"}


def _judge_numbered(table: Table, other: Other) -> Verdicts:
    """Judge a header of weights such as `film,0,1` by the rows below it."""
    rest = table.records[0].cells[1:]
    if not _INTEGER_LIST.fullmatch(",".join(rest)):
        return set()
    options, columns = table.options, set(other.columns) - table.options.named
    cells = first_cells(table.records)
    plain = {cell for cell in cells[1:] if not is_intercept(cell, options)}
    if columns and 2 * sum(cell in columns for cell in cells) > len(cells):
        fits = plain | ({cells[0]} - {c for c in cells if is_intercept(c, options)}) <= columns
    else:
        fits = len(table.records) in other.sizes
    if len(rest) > 3 and counts_up(rest, options):
        return {"doubtful"} if fits else {"header", "doubtful"}
    left = columns - plain - set(other.columns[:1])
    matched = len(plain & columns) > 1 and not left and plain <= columns
    if rest == ["0", "1"] and matched and not fits:
        sure = table.kind(cells[0]) == "word" and not speaks_for_intercept(cells[0], options)
        return {"header"} if sure and not options.no_id_col else {"header", "doubtful"}
    return set()


def counts_up(cells: Sequence[str], options: Options) -> bool:
    """Say whether cells are whole numbers, each one more than the one before."""
    numbers = [read_number(cell, options.decimal) for cell in cells]
    return all(
        a is not None and b is not None and a.denominator == 1 and b == a + 1
        for a, b in itertools.pairwise(numbers)
    )


def is_distinct_whole(cells: Sequence[str], options: Options) -> bool:
    """Say whether cells are whole numbers, no two the same."""
    numbers = {read_number(cell, options.decimal) for cell in cells}
    return is_whole(cells, options) and len(numbers) == len(cells)


def is_whole(cells: Sequence[str], options: Options) -> bool:
    """Say whether cells are whole numbers."""
    numbers = [read_number(cell, options.decimal) for cell in cells]
    return all(number is not None and number.denominator == 1 for number in numbers)


def first_cells(records: Sequence[Record]) -> list[str]:
    """List the first cells of the records that are whole."""
    return [record.cells[0] for record in records if not record.fault]


def judge_column(
    table: Table,
    header: Sequence[str] | None,
    names: Sequence[str] | None,
    *,
    carried: bool,
    fit: bool = False,
) -> Verdicts:
    """Say what a first column whose cells are all known may be: "labels", "numbers", "doubtful".

    `names` are the other side's features; `carried` is whether the columns after the first are
    these.
    """
    cells = first_cells(table.records[1:] if header is not None else table.records)
    kinds = {table.kind(cell) for cell in cells}
    if table.width == 1:
        return {"numbers", "doubtful"} if "word" in kinds else {"numbers"}
    if not cells:
        return {"numbers"}
    verdicts = _judge_cells(table, header, names, cells, carried=carried, fit=fit)
    if table.options.no_id_col and "word" not in kinds:
        return {"numbers"} | (verdicts & {"labels"})
    return verdicts


def _judge_cells(
    table: Table,
    header: Sequence[str] | None,
    names: Sequence[str] | None,
    cells: Sequence[str],
    *,
    carried: bool,
    fit: bool,
) -> Verdicts:
    options = table.options
    kinds = [table.kind(cell) for cell in cells]
    heading = header[0] if header is not None else None
    known = set(names or ())
    free = heading is not None and heading not in known
    usual = free and heading is not None and heading.lower() in HEADINGS
    constant = free and heading is not None and speaks_for_intercept(heading, options)
    plain = {cell for cell in cells if not is_intercept(cell, options)}
    most = 2 * sum(cell in known for cell in cells)
    verdicts: Verdicts
    if set(kinds) == {"word"}:
        verdicts = {"labels"}
    elif plain and plain <= known and len(set(cells)) == len(cells):
        sure = header is not None and len(plain) > 1 and len(known - plain) < 2
        verdicts = {"labels"} if sure else {"labels", "doubtful"}
    elif carried and free and not constant:
        whole = is_distinct_whole(cells, options) and table.kind(heading or "") == "word"
        odd = not usual and "number" in kinds and not whole
        verdicts = {"labels", "numbers"} if odd else {"labels"}
    elif set(kinds) == {"number"}:
        start = read_number(cells[0], options.decimal)
        up = len(cells) > 3 and counts_up(cells, options)
        up = up and (start in {0, 1} or (fit and header is None))
        some = {"numbers"} if len(set(cells)) < len(cells) else set()
        verdicts = {"doubtful"} if usual or up else {"numbers"}
        verdicts = {"doubtful"} | some if most >= len(cells) else verdicts
    elif "word" not in kinds:
        verdicts = {"doubtful"} if usual else {"numbers"}
        verdicts |= {"doubtful"} if most >= len(cells) else set()
    elif most == len(cells):
        verdicts = {"labels", "doubtful"}
    else:
        verdicts = {"labels"} if most > len(cells) else {"doubtful"}
    return verdicts
