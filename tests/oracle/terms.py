"""What terms are by definition: a raw table encoded into the columns that its weights name.

Written from the contract, with the standard library alone: names are cut up letter by letter,
functions come from 60 digits, powers from fractions, each rounded once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from typing import Literal

DIGITS = Context(prec=60, Emin=MIN_EMIN, Emax=MAX_EMAX)
EXACT = Context(prec=2000)
MISSING_WORDS = ("NA", "N/A", "NaN", "nan", "null", "NULL", "None")
FUNCTIONS: dict[str, Callable[[Decimal], Decimal]] = {
    "log": DIGITS.ln,
    "log1p": lambda x: DIGITS.ln(EXACT.add(x, Decimal(1))),
    "log2": lambda x: DIGITS.divide(DIGITS.ln(x), DIGITS.ln(Decimal(2))),
    "log10": DIGITS.log10,
    "exp": DIGITS.exp,
    "sqrt": DIGITS.sqrt,
    "abs": abs,
}
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_CODE = re.compile(r"[+-]?0\d", re.ASCII)  # a leading zero: no plain number

Policy = Literal["error", "skip", "zero", "keep"]
Cell = float | None  # None is a missing one


class BadRowError(Exception):
    """A row that has no score."""


@dataclass(frozen=True)
class Rules:
    """What the options say."""

    missing: Policy = "error"
    unknown: Policy = "error"
    words: Sequence[str] = MISSING_WORDS

    def is_missing(self, cell: str) -> bool:
        return not cell.strip(" \t") or cell.strip(" \t") in self.words


@dataclass(frozen=True)
class Factor:
    """A factor: what it does to a column, `kind` being = ^ ( < or missing or other."""

    column: str
    kind: str
    text: str = ""  # the level, the exponent, the function
    low: tuple[float, bool] = (-math.inf, True)  # a border, and whether it belongs to it
    high: tuple[float, bool] = (math.inf, True)


@dataclass
class Column:
    """What the terms know of a column."""

    levels: list[str] = field(default_factory=list)
    has_other: bool = False
    has_missing: bool = False
    as_number: bool = False  # a factor reads its number

    @property
    def numeric_levels(self) -> bool:
        return bool(self.levels) and all(
            NUMBER.fullmatch(text) and not _CODE.match(text) for text in self.levels
        )


def cut_name(name: str) -> list[str]:
    """Cut a name into operators and texts, of which those in backticks keep one in front."""
    pieces, i = [""], 0
    while i < len(name):
        if name[i] == "`":
            i += 1
            text = "`"
            while name[i] != "`" or name[i + 1 : i + 2] == "`":
                text += name[i]
                i += 2 if name[i] == "`" else 1
            pieces[-1] = text
            i += 1
        elif name[i] in ":=^()<>":
            width = 1 + (name[i] in "<>" and name[i + 1 : i + 2] == "=")
            pieces += [name[i : i + width], ""]
            i += width
        else:
            pieces[-1] += name[i]
            i += 1
    return [piece for piece in pieces if piece]


def read_term(name: str) -> list[Factor]:
    """Read the factors of a name that is no column."""
    groups: list[list[str]] = [[]]
    for piece in cut_name(name):
        if piece == ":":
            groups.append([])
        else:
            groups[-1].append(piece)
    return [read_factor(pieces) for pieces in groups]


def read_factor(pieces: list[str]) -> Factor:
    plain = [piece.removeprefix("`") for piece in pieces]
    match pieces:
        case [_]:
            return Factor(plain[0], "^", "1")
        case [_, "^", _]:
            return Factor(plain[0], "^", plain[2])
        case [_, "(", _, ")"]:
            return Factor(plain[2], "(", plain[0])
        case [_, "=", "(", _, ")"]:
            return Factor(plain[0], plain[3])
        case [_, "=", _]:
            return Factor(plain[0], "=", plain[2])
    return read_interval(pieces, plain)


def read_interval(pieces: list[str], plain: list[str]) -> Factor:
    """Read low < column < high, or a part of it; or column > low."""
    starts = bool(NUMBER.fullmatch(pieces[0]))  # with a border
    borders = {}
    for i in range(1, len(pieces), 2):
        before = starts and i == 1  # the border stands before the operator
        border = (float(pieces[i - 1 if before else i + 1]), pieces[i].endswith("="))
        borders["low" if pieces[i].startswith("<") == before else "high"] = border
    return Factor(plain[2 if starts else 0], "<", "", **borders)


def gather_columns(terms: Sequence[Sequence[Factor]]) -> dict[str, Column]:
    """Return what all terms say of each column."""
    columns: dict[str, Column] = {}
    for factor in (factor for term in terms for factor in term):
        column = columns.setdefault(factor.column, Column())
        if factor.kind == "=" and factor.text not in column.levels:
            column.levels.append(factor.text)
        column.has_other |= factor.kind == "other"
        column.has_missing |= factor.kind == "missing"
        column.as_number |= factor.kind in "^(<"
    return columns


def encode_rows(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    names: Sequence[str],
    rules: Rules,
) -> list[list[Cell] | None]:
    """Return the value of each name in each row; None for a row that has no score."""
    terms = [[Factor(n, "^", "1")] if n in header else read_term(n) for n in names]
    columns = gather_columns(terms)
    encoded: list[list[Cell] | None] = []
    for row in rows:
        cells = dict(zip(header, row, strict=True))
        try:
            for name, column in columns.items():
                check_cell(cells[name], column, rules)
            encoded.append([value_of(term, cells, columns, rules) for term in terms])
        except BadRowError:
            encoded.append(None)
    return encoded


def check_cell(cell: str, column: Column, rules: Rules) -> None:
    """Refuse a cell that its column cannot have."""
    if rules.is_missing(cell):
        if not column.has_missing and rules.missing in ("error", "skip"):
            raise BadRowError("missing")
        return
    if column.as_number:
        read_number(cell)
    if (
        column.levels
        and not column.has_other
        and find_level(cell, column) is None
        and rules.unknown in ("error", "skip")
    ):
        raise BadRowError("unknown")


def read_number(cell: str) -> float:
    text = cell.strip(" \t")
    if not NUMBER.fullmatch(text) or math.isinf(float(text)):
        raise BadRowError("no number")
    return float(text)


def find_level(cell: str, column: Column) -> str | None:
    """Return the level that a cell is."""
    if not column.numeric_levels:
        return cell if cell in column.levels else None
    text = cell.strip(" \t")
    if not NUMBER.fullmatch(text):
        return None
    return next((level for level in column.levels if float(level) == float(text)), None)


def value_of(
    term: Sequence[Factor],
    cells: Mapping[str, str],
    columns: Mapping[str, Column],
    rules: Rules,
) -> Cell:
    """Return a term's value: numbers multiplied from the left, each product rounded, then tests."""
    numbers, tests = list[Cell](), list[Cell]()
    for factor in term:
        column = columns[factor.column]
        value = factor_value(factor, cells[factor.column], column, rules)
        is_number = factor.kind in "^(<" or (factor.kind == "missing" and column.as_number)
        (numbers if is_number else tests).append(value)
    if None in numbers or None in tests:
        return None
    product = 1.0
    for value in [*numbers, *tests]:
        assert value is not None
        product = product * value
        if math.isinf(product):
            raise BadRowError("overflow")
    return product


def factor_value(factor: Factor, cell: str, column: Column, rules: Rules) -> Cell:
    """Return the value of a factor; None where it is missing."""
    missing, is_level = rules.is_missing(cell), factor.kind in ("=", "other")
    if factor.kind == "missing":
        return float(missing)
    if missing and not column.has_missing and rules.missing == "keep":
        return None
    if missing and (column.has_missing or is_level):
        return 0.0
    if is_level:
        return level_value(factor, cell, column, rules)
    x = 0.0 if missing else read_number(cell)
    if factor.kind == "<":
        above = x > factor.low[0] or (x == factor.low[0] and factor.low[1])
        return float(above and (x < factor.high[0] or (x == factor.high[0] and factor.high[1])))
    return compute(factor, x)


def level_value(factor: Factor, cell: str, column: Column, rules: Rules) -> Cell:
    level = find_level(cell, column)
    if level is None and not column.has_other and rules.unknown == "keep":
        return None
    return float(level is None if factor.kind == "other" else level == factor.text)


def compute(factor: Factor, x: float) -> float:
    """Return a power or a function of a number, rounded once."""
    if factor.kind == "^":
        if x == 0 and int(factor.text) < 0:
            raise BadRowError("no such power")
        try:
            return float(Fraction(x) ** int(factor.text))
        except OverflowError:
            raise BadRowError("overflow") from None
    lowest = {"log": 0.0, "log2": 0.0, "log10": 0.0, "log1p": -1.0}.get(factor.text, -math.inf)
    if x <= lowest or (factor.text == "sqrt" and x < 0) or (factor.text == "exp" and x > 710):
        raise BadRowError("not defined")
    if factor.text == "exp" and x < -750:
        return 0.0
    value = float(FUNCTIONS[factor.text](Decimal(x)))
    if math.isinf(value):
        raise BadRowError("overflow")
    return value
