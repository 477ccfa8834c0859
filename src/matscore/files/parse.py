"""A chunk's bytes into labels and numbers, strictly.

The fast way trusts nothing that it has not proved: the parser refuses a record that is too long,
and gives one that is too short an empty last cell; where an empty cell is allowed, delimiters and
line ends that add up prove that no record is too short. Whatever does not add up, or does not
parse, is looked at again, record by record and cell by cell, to say where and why.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matscore.errors import InputError
from matscore.files.numbers import parse_numbers
from matscore.files.records import (
    Records,
    explain_quote,
    explain_width,
    find_lone_returns,
    find_records,
    has_misplaced_quote,
    header_again,
    is_plain,
    leaves_quote_open,
)
from matscore.files.split import Chunk
from matscore.grammar import MISSING_VALUES, is_number
from matscore.product import Floats

MissingPolicy = Literal["error", "skip", "zero", "keep"]
_BOM = "\ufeff".encode()
# Polars would unpack text that starts like this (polars pull request 24013);
# it drops a byte-order mark.
_ZLIB_MARKS = (b"x^", b"x\x01")
# Polars misreads exponents past about 650,000, which only as many digits can make up for. A cell
# that long has a whole stretch of this many bytes in it, wherever the stretches start.
_LONG_CELL = 2**18
_JOINED = ("a byte-order mark", "two files may have been joined here; remove it")
_HEADER_AGAIN = ("the header again", "two files may have been joined here; remove it")


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


@dataclass(frozen=True)
class Reject:
    """A record that cannot be scored: where, why, and its text.

    `skipped` marks one that is set aside by request, because a value is missing.
    """

    line: int
    column: int | None
    name: str | None
    error: str
    hint: str
    text: str
    skipped: bool = False

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
    texts : dict of int to Series of str
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

    texts: dict[int, pl.Series]
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
    parsed = _parse_fast(layout, chunk)
    return _parse_with_care(layout, chunk) if parsed is None else parsed


def _parse_fast(layout: Layout, chunk: Chunk) -> ParsedRows | None:
    """Parse a chunk without fault; None when it has to be looked at with care."""
    frame = _read_numbers(layout, chunk.data) if _is_simple(layout, chunk.data) else None
    if frame is None or frame.height != chunk.n_records:
        return None
    texts = {i: frame.drop_in_place(str(i)) for i in layout.text_columns}
    absent = {c.name: c.is_null().to_numpy() for c in frame.iter_columns() if c.null_count()}
    masks = list(absent.values())
    if masks and layout.missing in ("error", "skip"):
        return None
    if masks and len(masks) == frame.width and np.logical_and.reduce(masks).any():
        return None  # it may be a line of delimiters only
    values = frame.to_numpy(order="fortran")  # one array is made sooner than one a column
    if not _are_finite(values, n_absent=sum(int(mask.sum()) for mask in masks)):
        return None
    by_name = dict(zip(frame.columns, values.T, strict=True))
    if layout.missing == "zero":
        by_name |= {name: np.where(mask, 0.0, by_name[name]) for name, mask in absent.items()}
    features = [by_name[str(i)] for i in layout.feature_columns]
    if len(_find_header_numbers(layout, features)):
        return None
    has_missing = np.logical_or.reduce(masks) if masks and layout.missing == "keep" else None
    return ParsedRows(texts, features, chunk.n_records, has_missing)


def _are_finite(values: Floats, *, n_absent: int) -> bool:
    """Say whether all numbers are finite: the parser takes "inf" and "nan", which none of ours is.

    A sum is finite only if all its terms are; that a sum may overflow only costs a second look.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return True
    return int(np.count_nonzero(np.isfinite(values))) == values.size - n_absent


def _is_simple(layout: Layout, data: bytes) -> bool:
    """Say whether Polars reads a text as we do, but for short records and what is no number."""
    reads_all = len({*layout.text_columns, *layout.feature_columns}) == layout.width
    # The parser fills up a short record; where no cell may be missing, its last one tells.
    last_tells = layout.missing in ("error", "skip") and layout.width - 1 in layout.feature_columns
    return (
        layout.decimal == "."
        and not any(map(is_number, layout.missing_values))
        and set(layout.text_columns).isdisjoint(layout.feature_columns)
        and not _may_hold_long_cell(data, layout.delimiter)
        and is_plain(
            data,
            layout.delimiter,
            layout.width,
            long_refused=reads_all,
            short_refused=last_tells,
        )
    )


def _may_hold_long_cell(data: bytes, delimiter: str) -> bool:
    """Say whether some cell may have so many digits that Polars misreads its exponent.

    Where none has, each stretch of `_LONG_CELL` bytes has a delimiter or a line end.
    """
    mark = delimiter.encode()
    return any(
        data.find(mark, i, i + _LONG_CELL) < 0 and data.find(b"\n", i, i + _LONG_CELL) < 0
        for i in range(0, len(data) - _LONG_CELL + 1, _LONG_CELL)
    )


def _find_header_numbers(layout: Layout, features: list[Floats]) -> NDArray[np.intp]:
    """Find rows whose features are the numbers that name their columns (pixels, say)."""
    none = np.empty(0, np.intp)
    if layout.names is None or layout.label_column is None or not features:
        return none
    names = [layout.names[i] for i in layout.feature_columns]
    if not is_number(names[0], layout.decimal):
        return none
    numbers = parse_numbers(pl.Series(names), (), layout.decimal)
    rows = np.arange(len(features[0]))
    for values, number in zip(features, numbers.values, strict=True):
        rows = rows[values[rows] == number]
        if not len(rows):
            break
    return rows


def _read_numbers(layout: Layout, data: bytes) -> pl.DataFrame | None:
    """Read with the features as numbers; None where one is not a number."""
    texts, numbers = sorted(layout.text_columns), sorted(layout.feature_columns)
    try:
        return _read(layout, data, sorted(texts + numbers), set(numbers))
    except pl.exceptions.PolarsError:
        if layout.missing == "error":
            return None
    # The parser's list of missing words holds for text columns too, so that labels are read apart.
    # It refuses no record that is too long where it reads only some columns.
    if not is_plain(data, layout.delimiter, layout.width, long_refused=False):
        return None
    try:
        frame = _read(layout, data, numbers, set(numbers), list(layout.missing_values))
    except pl.exceptions.PolarsError:
        return None
    return frame.hstack(_read(layout, data, texts)) if texts else frame


def _read(
    layout: Layout,
    data: bytes,
    columns: list[int],
    numeric: Collection[int] = (),
    nulls: list[str] | None = None,
) -> pl.DataFrame:
    if data.startswith(_ZLIB_MARKS):
        data = _BOM + data
    schema = {str(i): pl.Float64 if i in numeric else pl.String for i in range(layout.width)}
    return pl.read_csv(
        data,
        has_header=False,
        schema=schema,
        columns=None if len(columns) == layout.width else columns,
        separator=layout.delimiter,
        quote_char='"' if b'"' in data else None,
        null_values=nulls,
    )


def _parse_with_care(layout: Layout, chunk: Chunk) -> ParsedRows:
    check_bytes(chunk)
    if has_misplaced_quote(chunk.data, layout.delimiter):
        return _reject_quote(layout, chunk)
    records = find_records(chunk.data, layout.delimiter)
    rejects = _reject_structure(layout, chunk, records)
    rows = np.setdiff1d(np.arange(len(records.starts)), list(rejects), assume_unique=True)
    data = _without(chunk.data, records, sorted(rejects))
    if not data:
        return _no_rows(layout, [rejects[i] for i in sorted(rejects)])
    frame = _read(layout, data, sorted({*layout.text_columns, *layout.feature_columns}))
    if frame.height != len(rows):
        raise RuntimeError(f"{chunk.path}: records are lost in the chunk at line {chunk.line}")
    values, missing, bad = parse_cells(layout, frame)
    if layout.missing in ("error", "skip"):
        bad |= missing
    good: NDArray[np.bool_] = ~np.any(bad, axis=0)
    in_file_order = np.argsort(layout.feature_columns)
    for place in np.flatnonzero(~good).tolist():
        feature = in_file_order[bad[in_file_order, place].argmax()]
        column, record = layout.feature_columns[feature], int(rows[place])
        cell = None if missing[feature, place] else frame[place, str(column)]
        rejects[record] = _reject_cell(layout, chunk, records, record, column=column, cell=cell)
    for place in _find_header_numbers(layout, list(values)).tolist():
        record = int(rows[place])
        if _is_header(layout, chunk, records, record):
            rejects[record] = _reject(chunk, records, record, *_HEADER_AGAIN)
            good[place] = False
    if layout.missing == "zero":
        values[missing] = 0.0
    absent: NDArray[np.bool_] = np.any(missing[:, good], axis=0)
    return ParsedRows(
        {i: frame.get_column(str(i)).filter(pl.Series(good)) for i in layout.text_columns},
        list(values[:, good]),
        int(good.sum()),
        absent if layout.missing == "keep" and absent.any() else None,
        rows[good],
        [rejects[i] for i in sorted(rejects)],
    )


def parse_cells(
    layout: Layout, frame: pl.DataFrame
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the features' values, missing cells and bad cells, each (n_features, n_rows)."""
    columns = [frame.get_column(str(i)) for i in layout.feature_columns]
    text = pl.concat(columns) if columns else pl.Series([], dtype=pl.String)
    cells = parse_numbers(text, layout.missing_values, layout.decimal)
    shape = len(columns), frame.height
    return cells.values.reshape(shape), cells.missing.reshape(shape), cells.bad.reshape(shape)


def _without(data: bytes, records: Records, dropped: list[int]) -> bytes:
    """Return the text without some of its records."""
    starts = [0, *records.nexts[dropped].tolist()]
    ends = [*records.starts[dropped].tolist(), len(data)]
    return b"".join([data[start:end] for start, end in zip(starts, ends, strict=True)])


def _no_rows(layout: Layout, rejects: list[Reject]) -> ParsedRows:
    empty = {i: pl.Series([], dtype=pl.String) for i in layout.text_columns}
    none: list[Floats] = [np.empty(0) for _ in layout.feature_columns]
    return ParsedRows(empty, none, 0, None, np.empty(0, np.int64), rejects)


def check_bytes(chunk: Chunk) -> None:
    """Refuse text that is not UTF-8 or holds a NUL byte.

    Raises
    ------
    InputError
        Naming the line and the byte's offset in the input.
    """
    at = chunk.data.find(b"\0")
    what, hint = "a NUL byte", "the file is damaged, or needs --encoding"
    if at < 0:
        try:
            chunk.data.decode()
        except UnicodeDecodeError as error:
            at = error.start
            what = f"the text is not UTF-8: byte 0x{chunk.data[at]:02x}"
            hint = "name its encoding with --encoding, latin-1 say"
    if at >= 0:
        line = chunk.line + chunk.data.count(b"\n", 0, at)
        raise InputError(chunk.path, f"{what} at offset {chunk.offset + at}", hint, line=line)


def _reject_quote(layout: Layout, chunk: Chunk) -> ParsedRows:
    record = chunk.data.removesuffix(b"\n").removesuffix(b"\r")
    column, what, hint = explain_quote(record, layout.delimiter)
    if record.startswith(_BOM + b'"'):
        what, hint = _JOINED
    name = layout.name_of(column) if column < layout.width else None
    if b"\n" in record or leaves_quote_open(record, layout.delimiter):
        hint = "the records after it cannot be told apart; " + hint
        raise InputError(chunk.path, what, hint, line=chunk.line, column=column + 1, name=name)
    reject = Reject(chunk.line, column + 1, name, what, hint, record.decode())
    return _no_rows(layout, [reject])


def _reject_structure(layout: Layout, chunk: Chunk, records: Records) -> dict[int, Reject]:
    rejects = {}
    for i in np.flatnonzero(records.widths != layout.width).tolist():
        text = _record(chunk, records, i)
        n_cells = int(records.widths[i])
        cut_off = i == len(records.starts) - 1 and not chunk.data.endswith(b"\n")
        what, hint = explain_width(text, n_cells, layout.width, layout.delimiter, cut_off=cut_off)
        rejects[i] = _reject(chunk, records, i, what, hint)
    lengths = records.ends - records.starts
    empty = (lengths == layout.width - 1) & (records.widths == layout.width)
    for i in np.flatnonzero(empty).tolist():
        blank = layout.width == 1
        what = "a blank line between records" if blank else "a line of delimiters only"
        rejects[i] = _reject(chunk, records, i, what, "remove it")
    marks = [match.start() for match in re.finditer(_BOM, chunk.data)]
    for i in np.flatnonzero(np.isin(records.starts, marks)).tolist():
        rejects.setdefault(i, _reject(chunk, records, i, *_JOINED))
    lone = find_lone_returns(chunk.data)
    for i in np.unique(np.searchsorted(records.starts, lone, side="right") - 1).tolist():
        what, hint = "a carriage return inside a record", "end lines with a line feed"
        rejects.setdefault(i, _reject(chunk, records, i, what, hint))
    return rejects


def _is_header(layout: Layout, chunk: Chunk, records: Records, record: int) -> bool:
    text = _record(chunk, records, record).decode()
    return header_again(text, layout.names, layout.delimiter)


def _reject_cell(
    layout: Layout, chunk: Chunk, records: Records, record: int, *, column: int, cell: str | None
) -> Reject:
    """Return the reject of a record for one of its cells; None is a missing one."""
    from matscore.files.hints import explain_number

    skipped = False
    if _is_header(layout, chunk, records, record):
        what, hint = _HEADER_AGAIN
    elif cell is None:
        what, hint, skipped = "a missing value", layout.missing_hint, layout.missing == "skip"
    else:
        what, hint = explain_number(cell, layout.decimal)
    name = layout.name_of(column)
    reject = _reject(chunk, records, record, what, hint, column=column + 1, name=name)
    return replace(reject, skipped=skipped)


def _reject(
    chunk: Chunk,
    records: Records,
    record: int,
    what: str,
    hint: str,
    *,
    column: int | None = None,
    name: str | None = None,
) -> Reject:
    line = chunk.line + int(records.lines[record])
    text = _record(chunk, records, record).decode()
    return Reject(line, column, name, what, hint, text)


def _record(chunk: Chunk, records: Records, i: int) -> bytes:
    return chunk.data[records.starts[i] : records.ends[i]]
