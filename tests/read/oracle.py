"""A second reader, slow and plain, to judge the fast one by.

It walks through a text character by character, by RFC 4180 and the number grammar of the design,
and shares no code with the package.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal

Damage = Literal["", "quote", "return", "mark", "blank"]
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
MISSING = ("NA", "N/A", "NaN", "nan", "null", "NULL", "None")


@dataclass(frozen=True)
class Record:
    """One record: the physical line where it starts, its text, its cells, what is wrong."""

    line: int
    text: str
    cells: tuple[str, ...]
    damage: Damage = ""


@dataclass(frozen=True)
class Reading:
    """A text's records, up to where nobody can tell what follows.

    `stops` are spans of physical lines: the whole run has to be refused at one of them.
    """

    records: list[Record]
    stops: list[tuple[int, int]] = field(default_factory=list)


def read_text(data: bytes, delimiter: str, *, first_line: int = 1) -> Reading:
    """Read a text that starts at a record boundary."""
    stops = []
    if b"\0" in data:
        line = first_line + data.count(b"\n", 0, data.index(b"\0"))
        stops.append((line, line))
    text = data.decode("utf-8", "surrogateescape")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        stops.append((line, line))
    scanner = _Scanner(text, delimiter, first_line)
    records: list[Record] = []
    while scanner.at < len(text):
        start, line = scanner.at, scanner.line
        record = scanner.read_record()
        if record is None:
            end = line + text.count("\n", start, scanner.at)
            return Reading(records, [*stops, (line, end)])
        records.append(record)
    while records and records[-1].damage == "blank":
        del records[-1]
    return Reading(records, stops)


class _Scanner:
    def __init__(self, text: str, delimiter: str, line: int) -> None:
        self.text, self.delimiter = text, delimiter
        self.at, self.line = 0, line

    def read_record(self) -> Record | None:
        """Read one record; None where the records after it cannot be told apart."""
        text, start, line = self.text, self.at, self.line
        cells: list[str] = []
        damage: Damage = "mark" if text.startswith("\ufeff", start) else ""
        while True:
            if text.startswith('"', self.at):
                cell = self._read_quoted()
                if cell is None:
                    return None  # the text ends inside quotes
            else:
                cell, lone_return = self._read_bare()
                damage = damage or ("return" if lone_return else "")
            if not self._at_cell_end():
                # A quote inside a bare cell, or something after a closing quote.
                return self._skip_damaged(start, line)
            cells.append(cell)
            if not text.startswith(self.delimiter, self.at):
                break
            self.at += 1
        body = text[start : self.at]
        self._skip_line_end(start)
        if not body.strip("\r"):
            damage = "blank"
        return Record(line, body, tuple(cells), damage)

    def _read_quoted(self) -> str | None:
        cell = ""
        self.at += 1
        while self.at < len(self.text):
            if self.text.startswith('""', self.at):
                cell += '"'
                self.at += 2
            elif self.text[self.at] == '"':
                self.at += 1
                return cell
            else:
                cell += self.text[self.at]
                self.at += 1
        return None

    def _read_bare(self) -> tuple[str, bool]:
        start, lone_return = self.at, False
        while not self._at_cell_end() and self.text[self.at] != '"':
            lone_return |= self.text[self.at] == "\r"
            self.at += 1
        return self.text[start : self.at], lone_return

    def _at_cell_end(self) -> bool:
        rest = self.text[self.at : self.at + 2]
        return rest in ("", "\r", "\r\n") or rest[0] in (self.delimiter, "\n")

    def _skip_line_end(self, start: int) -> None:
        self.at += self.text.startswith("\r", self.at)
        self.at += self.text.startswith("\n", self.at)
        self.line += self.text.count("\n", start, self.at)

    def _skip_damaged(self, start: int, line: int) -> Record | None:
        """Go on after the line of a misplaced quote, where it is certain that a record ends there.

        It is not where the record had line ends before, or where some later cell of the line opens
        a quote that the line does not close.
        """
        end = self.text.find("\n", self.at)
        end = len(self.text) if end < 0 else end
        body = self.text[start:end].removesuffix("\r")
        spans = "\n" in self.text[start : self.at]
        after = re.split(re.escape(self.delimiter), self.text[self.at : end])[1:]
        self.at = end
        if spans or _ends_inside_quotes(after):
            return None
        self._skip_line_end(start)
        return Record(line, body, (), "quote")


def _ends_inside_quotes(pieces: list[str]) -> bool:
    inside = False
    for piece in pieces:
        if not inside and not piece.startswith('"'):
            continue
        closing = re.compile(r'(?:[^"]|"")*"(?!")')
        inside = closing.match(piece, 0 if inside else 1) is None
    return inside


def read_number(cell: str, decimal: str = ".") -> float | None:
    """Read a cell by the number grammar; None where it is no finite number."""
    text = cell.strip(" \t")
    if decimal == ",":
        text = text.replace(".", "x").replace(",", ".")
    if not NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


@dataclass(frozen=True)
class Columns:
    """What a row is made of, for `judge`."""

    names: tuple[str, ...] | None
    width: int
    label: int | None
    features: tuple[int, ...]
    delimiter: str = ","
    decimal: str = "."
    missing: Literal["error", "skip", "zero", "keep"] = "error"
    words: tuple[str, ...] = MISSING


@dataclass(frozen=True)
class Row:
    """A sound record: its label and its features, NaN where one is missing and kept."""

    line: int
    label: str | None
    features: tuple[float, ...]


@dataclass(frozen=True)
class Unsound:
    """A record that cannot be scored: its line and, where one cell is at fault, its column."""

    line: int
    column: int | None
    missing: bool = False


def judge(columns: Columns, record: Record) -> Row | Unsound:
    """Say whether a record can be scored, and what it holds."""
    cells = record.cells
    if record.damage or len(cells) != columns.width:
        return Unsound(record.line, None)
    if record.text == columns.delimiter * (columns.width - 1):
        return Unsound(record.line, None)
    values = {i: _read_feature(columns, cells[i]) for i in columns.features}
    bad = [i for i in sorted(values) if values[i] is None]
    if bad:
        return Unsound(record.line, bad[0] + 1, _is_missing(columns, cells[bad[0]]))
    if columns.label is not None and cells == columns.names:
        return Unsound(record.line, None)
    features = tuple(value for i in columns.features if (value := values[i]) is not None)
    return Row(record.line, None if columns.label is None else cells[columns.label], features)


def _read_feature(columns: Columns, cell: str) -> float | None:
    if _is_missing(columns, cell):
        return {"zero": 0.0, "keep": math.nan}.get(columns.missing)
    return read_number(cell, columns.decimal)


def _is_missing(columns: Columns, cell: str) -> bool:
    return cell.strip(" \t") in {"", *(word.strip(" \t") for word in columns.words)}
