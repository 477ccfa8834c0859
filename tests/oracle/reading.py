"""The reference's own reader: options, cells, numbers and CSV records.

Written from the contract (DESIGN.md) alone, slow and plain; it shares no code with the program.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

MISSING = ("NA", "N/A", "NaN", "nan", "null", "NULL", "None")
INTERCEPTS = ("(intercept)", "intercept", "bias", "const", "constant")
HEADINGS = {
    *("", "unnamed: 0", "id", "index", "name", "names", "label", "labels", "row", "feature"),
    *("features", "term", "terms", "variable", "variables", "category", "categories", "class"),
    *("classes", "item", "items", "user", "users"),
}
_POINT = re.compile(r"[ \t]*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t]*")
_COMMA = re.compile(r"[ \t]*[+-]?([0-9]+(,[0-9]*)?|,[0-9]+)([eE][+-]?[0-9]+)?[ \t]*")
_DRESS = re.compile(r"[+-]?[$€£]?\d[\d_.,  ]*([eE][+-]?\d+)?%?|\(\d[\d.,]*\)|0x[0-9a-f]+", re.ASCII)
_SPECIAL = {"nan", "inf", "-inf", "+inf", "infinity", "-infinity", "true", "false", "#n/a"}


@dataclass(frozen=True)
class Options:
    """The options of a run; None is an option that is not given."""

    delimiter: str | None = None
    decimal: str = "."
    headers: bool | None = None
    id_col: str | None = None
    no_id_col: bool = False
    missing: str = "error"
    missing_values: tuple[str, ...] | None = None
    intercept: str | None = None
    no_intercept: bool = False
    fit_intercept: bool | None = None
    transpose: bool = False
    transpose_features: bool = False
    auto_transpose: bool = False
    keep_cols: tuple[str, ...] = ()
    reject: bool = False
    top_k: int | None = None
    exclude: str | None = None
    truth: str | None = None
    truth_file: str | None = None
    target: str | None = None
    items: bool = False  # whether the second file holds items, as that of `recommend` does

    @property
    def named(self) -> set[str]:
        """The columns that the options name."""
        names = {self.id_col, *self.keep_cols, self.truth, self.target}
        return {name for name in names if name}


@dataclass(frozen=True)
class Case:
    """A command, its files in order (name and bytes) and its options.

    Features files come first; files that only options name stand in `files` too.
    """

    command: str
    files: dict[str, bytes]
    inputs: tuple[str, ...]
    options: Options = field(default_factory=Options)


@dataclass(frozen=True)
class Record:
    """A record: its cells, the physical line where it starts, its text, and what is broken."""

    cells: list[str]
    line: int
    text: str
    fault: bool = False


@dataclass(frozen=True)
class Table:
    """A file as records; the width is the first record's."""

    name: str
    records: list[Record]
    options: Options

    @property
    def width(self) -> int:
        whole = (record for record in self.records if not record.fault)
        return len(next(whole, self.records[0]).cells)

    def kind(self, cell: str) -> str:
        return kind(cell, self.options)


class RefusedError(Exception):
    """The file itself is refused, at that line where one is known."""

    def __init__(self, name: str, line: int | None = None) -> None:
        super().__init__(name, line)
        self.name, self.line = name, line


def read_number(text: str, decimal: str) -> Fraction | None:
    """Read a cell as a number; None where it is none that a float64 holds."""
    if not (_COMMA if decimal == "," else _POINT).fullmatch(text):
        return None
    plain = text.strip(" \t").replace(",", ".")
    return Fraction(float(plain)) if math.isfinite(float(plain)) else None


def is_missing(text: str, options: Options) -> bool:
    """Say whether a cell is a missing value."""
    words = MISSING if options.missing_values is None else options.missing_values
    return text == "" or text in words


def kind(text: str, options: Options) -> str:
    """Say whether a cell is a number, a word, or meant as a number."""
    if read_number(text, options.decimal) is not None:
        return "number"
    words = MISSING if options.missing_values is None else options.missing_values
    bare = text.strip().lower()
    if not bare or bare in _SPECIAL or bare in {word.lower() for word in words}:
        return "meant"
    digits = "".join(
        str(unicodedata.digit(c)) if unicodedata.category(c) == "Nd" else c for c in bare
    ).replace("−", "-")
    other = _POINT.fullmatch(digits) or _COMMA.fullmatch(digits) or _DRESS.fullmatch(digits)
    return "meant" if other else "word"


def find_delimiters(data: str, options: Options) -> list[str]:
    """List the delimiters that the first line allows."""
    if options.delimiter:
        return ["\t" if options.delimiter == "tab" else options.delimiter]
    found, quoted = set(), False
    for char in data:
        if char == '"':
            quoted = not quoted
        elif char in "\r\n" and not quoted:
            break
        elif char in ",;\t|" and not quoted:
            found.add(char)
    if options.decimal == ",":
        found.discard(",")
    return sorted(found) or [";" if options.decimal == "," else ","]


def read_table(name: str, data: bytes, options: Options, delimiter: str) -> Table:
    """Read a file; trailing blank lines are left out."""
    text = _decode(name, data)
    records = list(_iter_records(text, delimiter))
    while records and not records[-1].text:
        records.pop()
    if not records or not records[0].text or records[0].fault:
        raise RefusedError(name, 1)
    width = len(records[0].cells)
    return Table(
        name,
        [
            Record(r.cells, r.line, r.text, r.fault or not r.text or len(r.cells) != width)
            for r in records
        ],
        options,
    )


def _decode(name: str, data: bytes) -> str:
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise RefusedError(name) from None


def _iter_records(text: str, delimiter: str) -> Iterator[Record]:
    place, line = 0, 1
    while place < len(text):
        start, first = place, line
        cells, fault = [""], False
        quoted = closed = False  # inside quotes; after a closing quote
        while place < len(text):
            char = text[place]
            place += 1
            if quoted:
                if char == '"' and text[place : place + 1] == '"':
                    cells[-1] += '"'
                    place += 1
                elif char == '"':
                    quoted, closed = False, True
                else:
                    line += char == "\n"
                    cells[-1] += char
            elif char == "\n" or text[place - 1 : place + 1] == "\r\n":
                place += char == "\r"
                line += 1
                break
            elif char == delimiter:
                cells.append("")
                closed = False
            elif char == '"' and not cells[-1] and not closed:
                quoted = True
            else:
                fault = fault or closed or char == '"'
                cells[-1] += char
        end = place
        while end > start and text[end - 1] in "\r\n" and not quoted:
            end -= 1
        yield Record(cells, first, text[start:end], fault or quoted)
