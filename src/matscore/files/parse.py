"""A chunk's bytes into labels and numbers, strictly: the kernel reads, here its faults are told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matscore.errors import InputError
from matscore.files.hints import SHOWN_WIDTH, find_hint, say_fault
from matscore.files.records import explain_width, leaves_quote_open, split_cells
from matscore.files.split import Chunk
from matscore.grammar import MISSING_VALUES
from matscore.kernel import BadRecord, Fault, Floats, Stop, Texts, parse

MissingPolicy = Literal["error", "skip", "zero", "keep"]
_BOM = "\ufeff".encode()
_say_again = lru_cache(say_fault)  # the same few words stand in many cells
_JOINED = ("a byte-order mark", "two files may have been joined here; remove it")
_SIMPLE = {
    Fault.BYTE_ORDER_MARK: _JOINED,
    Fault.HEADER_AGAIN: ("the header again", "two files may have been joined here; remove it"),
    Fault.RETURN: ("a carriage return inside a record", "end lines with a line feed"),
}
_QUOTES = {
    Fault.QUOTE_INSIDE: (
        "a quote inside an unquoted cell",
        "quote the whole cell and double the quote",
    ),
    Fault.TEXT_AFTER_QUOTE: (
        "text after a closing quote",
        "double a quote that is part of the text",
    ),
    Fault.QUOTE_OPEN: ("a quote is never closed", "close it, or double it if it is meant"),
}


@dataclass(frozen=True)
class Layout:
    """Where a file's columns are and how its cells read.

    Attributes
    ----------
    names : tuple of str, or None
        Header cells, for messages; None without a header.
    width : int
        Columns in the file.
    label_column : int or None
        Index of the labels.
    kept_columns : tuple of int
        Columns carried through as text.
    feature_columns : tuple of int
        Columns read as numbers, in canonical order.
    delimiter, decimal : str
        One character each.
    missing : {"error", "skip", "zero", "keep"}
        What a missing cell means.
    missing_values : tuple of str
        Cells that count as missing, besides empty ones.
    missing_hint : str
        What to do about a missing cell that is refused.
    constants : tuple of str
        Texts of further columns after the file's own, the same in every record.
    """

    names: tuple[str, ...] | None
    width: int
    label_column: int | None
    kept_columns: tuple[int, ...]
    feature_columns: tuple[int, ...]
    delimiter: str = ","
    decimal: str = "."
    missing: MissingPolicy = "error"
    missing_values: tuple[str, ...] = MISSING_VALUES
    missing_hint: str = "--missing zero, keep or skip takes the row"
    constants: tuple[str, ...] = ()

    @cached_property
    def own(self) -> Layout:
        """The layout of the file alone, without constants."""
        if not self.constants:
            return self
        label = self.label_column
        return replace(
            self,
            names=None if self.names is None else self.names[: self.width],
            label_column=None if label is None or label >= self.width else label,
            kept_columns=tuple(i for i in self.kept_columns if i < self.width),
            feature_columns=tuple(i for i in self.feature_columns if i < self.width),
            constants=(),
        )

    @property
    def text_columns(self) -> tuple[int, ...]:
        """Columns read as text."""
        label = () if self.label_column is None else (self.label_column,)
        return tuple(dict.fromkeys(label + self.kept_columns))

    def name_of(self, column: int) -> str | None:
        """Return a column's name for a message; None without a header."""
        return None if self.names is None else self.names[column]


class Reject(NamedTuple):
    """A record that cannot be scored: where, why, and its text.

    `skipped` marks one that is set aside by request, because a value is missing. Of a cell that is
    no number the hint is found when it is asked for: of many rejects nobody asks.
    """

    line: int
    column: int | None
    name: str | None
    error: str
    known_hint: str
    text: str
    skipped: bool = False
    cell: str | None = None
    decimal: str = "."

    @property
    def hint(self) -> str:
        """What to do about it."""
        if self.cell is None:
            return self.known_hint
        return find_hint(self.cell, self.decimal)

    def as_error(self, path: str) -> InputError:
        """Return it as the exception that stops a run."""
        return InputError(
            path, self.error, self.hint, line=self.line, column=self.column, name=self.name
        )


@dataclass(frozen=True)
class ParsedRows:
    """The good rows of a chunk.

    Attributes
    ----------
    texts : dict of int to Texts
        The text columns by their index in the file.
    features : list of ndarray of shape (n_rows,), float64
        In canonical order; NaN where a cell is missing and kept.
    n_rows : int
        Good rows.
    has_missing : ndarray of shape (n_rows,), bool, or None
        Rows with a kept missing value; None when there is none.
    rows : ndarray of shape (n_rows,), int64, or None
        Their records' places in the chunk; None when all are good.
    rejects : list of Reject
        The others, in order.
    first_fault : InputError or None
        Of a matrix whose first column is read as text: why that is no column of numbers.
    """

    texts: dict[int, Texts]
    features: list[Floats]
    n_rows: int
    has_missing: NDArray[np.bool_] | None = None
    rows: NDArray[np.int64] | None = None
    rejects: list[Reject] = field(default_factory=list)
    first_fault: InputError | None = None


def parse_chunk(layout: Layout, chunk: Chunk) -> ParsedRows:
    """Parse a chunk.

    Parameters
    ----------
    layout : Layout
        The file's columns.
    chunk : Chunk
        Whole records.

    Returns
    -------
    ParsedRows
        Good rows and rejects; their numbers add up to the chunk's records.

    Raises
    ------
    InputError
        Damage that no record can be blamed for: bytes that are not UTF-8, a NUL byte, a quote that
        spans records.
    """
    table = parse(
        chunk.data,
        width=layout.width,
        features=layout.feature_columns,
        texts=layout.text_columns,
        delimiter=layout.delimiter,
        decimal=layout.decimal,
        missing=layout.missing,
        missing_values=layout.missing_values,
        names=layout.names,
        has_labels=layout.label_column is not None,
    )
    if table.stop is not None:
        return _explain_stop(layout, chunk, table.stop)
    return ParsedRows(
        dict(zip(layout.text_columns, table.texts, strict=True)),
        list(table.features),
        table.n_rows,
        table.has_missing,
        table.rows,
        [_explain(layout, chunk, bad) for bad in table.bad],
    )


def _explain(layout: Layout, chunk: Chunk, bad: BadRecord) -> Reject:
    line, text = chunk.line + bad.line, chunk.data[bad.start : bad.end].decode()
    column = name = None
    if bad.column >= 0:
        column, name = bad.column + 1, layout.name_of(bad.column)
    fault = bad.fault
    if fault is Fault.NUMBER:
        cell = split_cells(text, layout.delimiter)[bad.column]
        say = _say_again if len(cell) < SHOWN_WIDTH else say_fault
        what = say(cell, layout.decimal)
        return Reject(line, column, name, what, "", text, False, cell, layout.decimal)
    if fault is Fault.MISSING:
        skipped, hint = layout.missing == "skip", layout.missing_hint
        return Reject(line, column, name, "a missing value", hint, text, skipped)
    if fault is Fault.WIDTH:
        cut_off = b"\n" not in chunk.data[bad.end : bad.end + 2]
        mark, width, record = layout.delimiter, layout.width, chunk.data[bad.start : bad.end]
        what, hint = explain_width(record, bad.n_cells, width, mark, cut_off=cut_off)
    elif fault is Fault.DELIMITERS_ONLY:
        blank = layout.width == 1
        what = "a blank line between records" if blank else "a line of delimiters only"
        hint = "remove it"
    else:
        what, hint = _SIMPLE[fault]
    return Reject(line, column, name, what, hint, text)


def _explain_stop(layout: Layout, chunk: Chunk, stop: Stop) -> ParsedRows:
    """Refuse the chunk, or reject the one record that it has."""
    data = chunk.data
    if stop.fault in _QUOTES:
        return _reject_quote(layout, chunk, stop)
    what, hint = "a NUL byte", "the file is damaged, or needs --encoding"
    if stop.fault == Fault.NOT_UTF8:
        what = f"the text is not UTF-8: byte 0x{data[stop.at]:02x}"
        hint = "name its encoding with --encoding, latin-1 say"
    line = chunk.line + data.count(b"\n", 0, stop.at)
    raise InputError(chunk.path, f"{what} at offset {chunk.offset + stop.at}", hint, line=line)


def _reject_quote(layout: Layout, chunk: Chunk, stop: Stop) -> ParsedRows:
    record, at, column = chunk.data.removesuffix(b"\n").removesuffix(b"\r"), stop.at, stop.column
    what, hint = _QUOTES[stop.fault]
    is_escaped = record[at - 1 : at] == b"\\" or record[max(at - 2, 0) : at] == b'\\"'
    if is_escaped and stop.fault != Fault.QUOTE_OPEN:
        what, hint = "a quote escaped by a backslash", 'double it instead: ""'
    if record.startswith(_BOM + b'"'):
        what, hint = _JOINED
    name = layout.name_of(column) if column < layout.width else None
    if b"\n" in record or leaves_quote_open(record, layout.delimiter):
        hint = "the records after it cannot be told apart; " + hint
        raise InputError(chunk.path, what, hint, line=chunk.line, column=column + 1, name=name)
    reject = Reject(chunk.line, column + 1, name, what, hint, record.decode())
    empty = {i: Texts.from_strings([]) for i in layout.text_columns}
    none: list[Floats] = [np.empty(0) for _ in layout.feature_columns]
    return ParsedRows(empty, none, 0, None, np.empty(0, np.int64), [reject])
