"""One chunk into rows: text by the kernel, typed columns by what stands beside it here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import nan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matscore.errors import InputError
from matscore.frame import Labels, Levels, take
from matscore.kernel import Booleans, Floats, Records, Texts, write_number
from matscore.names import BLANKS, MISSING_VALUES, Grammar
from matscore.options import UnknownPolicy
from matscore.read.split import Chunk

if TYPE_CHECKING:
    from matscore.plan.terms import Terms
    from matscore.read.switches import Turned

UNKNOWN, MISSING = 1, 2
"""Marks of cells whose text is no level, and that are missing."""

MISSING_CELL = "a missing value"


@dataclass(frozen=True)
class Layout:
    """Where a file's columns are and how its cells read."""

    names: tuple[str, ...] | None  # header cells, for messages; None without a header
    width: int  # columns in the file
    label_column: int | None
    kept_columns: tuple[int, ...]  # carried through as text
    feature_columns: tuple[int, ...]  # read as numbers; without `terms` in canonical order
    delimiter: str = ","
    decimal: str = "."
    missing: UnknownPolicy = "error"
    missing_values: tuple[str, ...] = MISSING_VALUES
    missing_hint: str = "--missing zero, keep or skip takes the row"
    constants: tuple[str, ...] = ()  # texts of columns after the file's own, alike in every record
    level_columns: tuple[int, ...] = ()  # read as text, for their levels
    terms: Terms | None = None  # how features are computed, where some are no columns
    unknown: UnknownPolicy = "error"  # what a text that is no level means
    # Columns of numbers whose missing cells are NaN, whatever `missing` says.
    kept_missing: tuple[int, ...] = ()
    booleans: tuple[Booleans, ...] = ()  # columns of numbers that have words for 1 and 0 instead

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
            booleans=tuple(one for one in self.booleans if one[0] < self.width),
        )

    @property
    def text_columns(self) -> tuple[int, ...]:
        """Columns read as text."""
        label = () if self.label_column is None else (self.label_column,)
        return tuple(dict.fromkeys(label + self.kept_columns))

    @property
    def levels(self) -> dict[int, Levels]:
        """The levels of the file's own columns that are read for them."""
        if self.terms is None:
            return {}
        pairs = zip(self.level_columns, self.terms.texts, strict=True)
        return {i: text.table for i, text in pairs if i < self.width}

    def name_of(self, column: int) -> str | None:
        """Return a column's name for a message; None without a header."""
        return None if self.names is None else self.names[column]


# There may be millions: a tuple is made in a third of the time that a frozen dataclass takes, and
# the hint about a cell is found when it is asked for, as it is of few.
class Reject(NamedTuple):
    """A record that cannot be scored: where, why, and its text."""

    line: int
    column: int | None
    name: str | None
    error: str
    known_hint: str
    text: str
    skipped: bool = False  # set aside by request, because a value is missing
    cell: str | None = None  # what is no number, where `known_hint` is empty
    decimal: str = "."

    @property
    def hint(self) -> str:
        """What to do about it."""
        if self.cell is None:
            return self.known_hint
        from matscore.read.faults import find_hint

        return find_hint(self.cell, self.decimal)

    def in_matrix(self, names: Sequence[str] | None) -> Reject:
        """Return it with what to do where the first line, read as data, may be a header."""
        if names is not None or self.line != 1 or self.column is None:
            return self
        hint = "--no-headers makes data of every file's first line"
        return self._replace(known_hint=hint, cell=None)

    def as_error(self, path: str) -> InputError:
        """Return it as the exception that stops a run."""
        return InputError(
            path, self.error, self.hint, line=self.line, column=self.column, name=self.name
        )


@dataclass(frozen=True)
class Rows:
    """The good rows of a chunk, and its rejects; together they are all of its records."""

    labels: Labels  # or row numbers from 1
    texts: tuple[Texts, ...]  # in the order of `Layout.kept_columns`
    # (n_features, n_rows), C-contiguous; finite, or NaN where `has_missing`. With terms, what is
    # stored of them.
    features: Floats
    n_rows: int
    has_missing: NDArray[np.bool_] | None = None  # (n_rows,); None when nothing is missing
    places: NDArray[np.int64] | None = None  # (n_rows,), in the chunk; None when all are good
    start: int = 0  # records before the chunk, over all inputs
    n_records: int = 0
    rejects: list[Reject] = field(default_factory=list)
    # (n_columns, n_rows): which cells of the terms' columns are unknown levels, or missing.
    odd: NDArray[np.uint8] | None = None

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Which records of all inputs these are, counted from 1; of shape (n_rows,)."""
        places = np.arange(self.n_rows) if self.places is None else self.places
        return places + (self.start + 1)

    def count_odd(self, layout: Layout) -> dict[str, tuple[int, int]]:
        """Count cells of unknown levels, and missing ones, by column; nothing without terms."""
        if self.odd is None or layout.terms is None:
            return {}
        counts = ((self.odd == mark).sum(axis=1).tolist() for mark in (UNKNOWN, MISSING))
        return dict(zip(layout.terms.columns, zip(*counts, strict=True), strict=True))

    def drop(self, rejects: Mapping[int, Reject]) -> Rows:
        """Set rows aside, given by their places among these."""
        left = np.delete(np.arange(self.n_rows), list(rejects))
        return replace(
            self,
            labels=take(self.labels, left),
            texts=tuple(column.take(left) for column in self.texts),
            features=np.take(self.features, left, axis=1),  # C-contiguous, unlike [:, left]
            n_rows=len(left),
            has_missing=None if self.has_missing is None else self.has_missing[left],
            places=left if self.places is None else self.places[left],
            odd=None if self.odd is None else np.take(self.odd, left, axis=1),
            rejects=sorted([*self.rejects, *rejects.values()], key=lambda reject: reject.line),
        )


@dataclass(frozen=True)
class FrameChunk:
    """A run of typed rows: of Parquet or Arrow, of a frame in memory, of a file that is turned."""

    path: str
    columns: Mapping[int, Any]  # Texts, float64 or PyArrow's arrays, by their index in the input
    line: int  # row of the input, from 1, at which it starts
    row: int  # records before it, over all inputs
    n_records: int
    turned: Turned | None = None  # where the cells stand, when the file's columns are the rows

    def locate(
        self, layout: Layout, record: int, column: int | None
    ) -> tuple[int, int | None, str | None]:
        """Return line, column and name of a cell in the file, or of a whole row."""
        if self.turned is not None:
            return self.turned.locate(self.line - 1 + record, column)
        if column is None:
            return self.line + record, None, None
        return self.line + record, column + 1, layout.name_of(column)

    def record(self, i: int) -> bytes:  # noqa: ARG002 - as a chunk of text has it
        """Return the text of a record, of which there is none."""
        return b""

    @property
    def lines(self) -> NDArray[np.int64]:
        """The row of each record in the input, of shape (n_records,)."""
        return self.line + np.arange(self.n_records)

    def halve(self) -> tuple[FrameChunk, FrameChunk] | None:
        """Cut it in two; None where it has one record."""
        half = self.n_records // 2
        return self.cut(half) if half else None

    def cut(self, half: int) -> tuple[FrameChunk, FrameChunk]:
        """Cut it after some of its records."""
        return self._slice(0, half), self._slice(half, self.n_records)

    def _slice(self, start: int, stop: int) -> FrameChunk:
        places = np.arange(start, stop)
        columns = {
            i: column.take(places) if isinstance(column, Texts) else column[start:stop]
            for i, column in self.columns.items()
        }
        line, row = self.line + start, self.row + start
        return replace(self, columns=columns, line=line, row=row, n_records=stop - start)


def parse_rows(layout: Layout, chunk: Chunk | FrameChunk) -> Rows:
    """Parse a chunk of either kind; what no row can be blamed for is an `InputError`."""
    rows = parse_text(layout, chunk) if isinstance(chunk, Chunk) else parse_frame(layout, chunk)
    if layout.terms is None:
        return rows
    from matscore.read.derive import derive_rows

    return derive_rows(layout, chunk, rows)


def parse_text(layout: Layout, chunk: Chunk) -> Rows:
    """Have the kernel parse a chunk of text."""
    own = layout.own
    records = Records(
        width=own.width,
        features=own.feature_columns,
        texts=own.text_columns,
        delimiter=own.delimiter,
        decimal=own.decimal,
        missing=own.missing,
        missing_values=own.missing_values,
        names=own.names,
        has_labels=own.label_column is not None,
        levels=[(i, levels.table) for i, levels in layout.levels.items()],
        kept=[i for i in layout.kept_missing if i < own.width],
        unknown=own.unknown,
        booleans=own.booleans,
    )
    table = records.parse(chunk.data)
    places, rejects = table.rows, list[Reject]()
    if table.stop is not None or table.bad:
        from matscore.read.faults import explain_records, explain_stop

        if table.stop is None:
            rejects = explain_records(layout, chunk, table.bad)
        else:  # what stands before it is of no use
            places, rejects = np.empty(0, np.int64), [explain_stop(own, chunk, table.stop)]
            table = records.parse(b"")
    texts = dict(zip(own.text_columns, table.texts, strict=True))
    return _make_rows(layout, chunk, texts, table.features, table.has_missing, places, rejects)


def parse_frame(layout: Layout, chunk: FrameChunk) -> Rows:
    """Read typed rows, and do with what is missing what the kernel does with it in text."""
    own, rejects = layout.own, dict[int, Reject]()
    numbers, levels = own.feature_columns, layout.levels
    features = np.empty((len(numbers) + len(levels), chunk.n_records))
    absent = np.zeros(chunk.n_records, dtype=bool)

    def refuse(
        row: int, column: int, what: str, hint: str, text: str = "", *, skipped: bool = False
    ) -> None:
        if row not in rejects:  # of a row the first bad cell is named
            rejects[row] = Reject(*chunk.locate(own, row, column), what, hint, text, skipped)

    # In the order of the file: the first bad cell of a row is named, as it is of text.
    for i, k in sorted((column, place) for place, column in enumerate((*numbers, *levels))):
        if k < len(numbers):
            features[k] = _read_numbers(own, chunk, i, refuse)
            for row in np.flatnonzero(np.isinf(features[k])).tolist():
                text, hint = str(features[k, row]), "only finite numbers can be scored"
                refuse(row, i, f"{text} is not a finite number", hint, text)
            gaps = np.isnan(features[k])
            if i in layout.kept_missing:
                continue
        else:
            from matscore.read.derive import read_codes

            features[k], gaps = read_codes(layout, chunk, i, refuse)
        if own.missing in ("error", "skip"):
            for row in np.flatnonzero(gaps).tolist():
                refuse(row, i, MISSING_CELL, own.missing_hint, skipped=own.missing == "skip")
        elif own.missing == "zero":
            features[k, gaps] = 0.0 if k < len(numbers) else Levels.NONE
        absent |= np.isnan(features[k])
    texts = {i: _read_text(own, chunk, i) for i in own.text_columns}
    places = None
    if rejects:
        places = np.delete(np.arange(chunk.n_records), list(rejects))
        texts = {i: column.take(places) for i, column in texts.items()}
        features = np.take(features, places, axis=1)
        absent = absent[places]
    has_missing = absent if absent.any() else None
    sorted_rejects = [rejects[row] for row in sorted(rejects)]
    return _make_rows(layout, chunk, texts, features, has_missing, places, sorted_rejects)


def _make_rows(
    layout: Layout,
    chunk: Chunk | FrameChunk,
    texts: dict[int, Texts],
    features: Floats,
    has_missing: NDArray[np.bool_] | None,
    places: NDArray[np.int64] | None,
    rejects: list[Reject],
) -> Rows:
    """Put the constants among the columns of the file, and tell the labels from other texts."""
    n_rows, start, n_records = features.shape[1], chunk.row, chunk.n_records
    if layout.constants:
        of_file, columns = iter(features), (*layout.feature_columns, *layout.level_columns)
        features = np.empty((len(columns), n_rows))
        for k, i in enumerate(columns):
            features[k] = next(of_file) if i < layout.width else _read_constant(layout, chunk, i)
    for i in layout.text_columns:
        if i >= layout.width:
            constant = Texts.from_strings([layout.constants[i - layout.width]])
            texts[i] = constant.take(np.zeros(n_rows, np.int64))
    labels: Labels
    if layout.label_column is not None:
        labels = texts[layout.label_column]
    else:
        labels = (np.arange(n_rows) if places is None else places) + (start + 1)
    kept = tuple(texts[i] for i in layout.kept_columns)
    return Rows(labels, kept, features, n_rows, has_missing, places, start, n_records, rejects)


def _read_constant(layout: Layout, chunk: Chunk | FrameChunk, column: int) -> float:
    """Return the number of a folder's value, or the code of its level."""
    text = layout.constants[column - layout.width]
    if column in layout.level_columns:
        from matscore.read.derive import find_code

        return find_code(layout, chunk.path, column, text)
    if (pair := dict(layout.booleans).get(column)) is not None:
        return float(text == pair[0])
    value = Grammar(layout.decimal).read(text)
    if np.isnan(value):
        what, hint = f'the folder\'s value "{text}" is not a number', "it is used as a feature"
        raise InputError(chunk.path, what, hint, name=layout.name_of(column))
    return value


def _read_numbers(layout: Layout, chunk: FrameChunk, i: int, refuse: Callable[..., None]) -> Floats:
    """Return a column of numbers, NaN where a cell is missing; what is none is refused."""
    column, pair = chunk.columns[i], dict(layout.booleans).get(i)
    grammar = Grammar(layout.decimal, layout.missing_values)
    if not isinstance(column, (Texts, np.ndarray)):
        from matscore.read.typed import feature_column

        where = chunk.path, i + 1, layout.name_of(i)
        column = feature_column(column, *where) if pair is None else _read_text(layout, chunk, i)
    if isinstance(column, np.ndarray):
        gone = np.isin(column, list(grammar.missing_numbers))
        return np.where(gone, nan, column) if gone.any() else column
    words = {} if pair is None else {pair[0]: 1.0, pair[1]: 0.0}
    read = grammar.read if pair is None else lambda cell: words.get(cell.strip(BLANKS), nan)
    values = np.array([nan if grammar.is_missing(c) else read(c) for c in column])
    for row in np.flatnonzero(np.isnan(values)).tolist():
        if not grammar.is_missing(text := column[row]):
            from matscore.read.faults import explain_number

            refuse(row, i, *explain_number(text, layout.decimal, pair), text)
            values[row] = 0.0  # it is not missing
    return values


def _read_text(layout: Layout, chunk: FrameChunk, i: int) -> Texts:
    column = chunk.columns[i]
    if isinstance(column, Texts):
        return column
    if isinstance(column, np.ndarray):
        return Texts.from_strings(map(write_number, column.tolist()))
    from matscore.read.typed import label_text

    return label_text(column, chunk.path, i + 1, layout.name_of(i))


def parse_sound(
    layout: Layout, chunk: Chunk | FrameChunk, refuse: Callable[[Reject], object] | None = None
) -> Rows:
    """Parse a chunk whose first reject is an error, or what `refuse` makes of each."""

    def parse_part(part: Chunk | FrameChunk, n_before: int = 0) -> Rows:
        del n_before
        rows = parse_rows(layout, part)
        for reject in rows.rejects:
            if refuse is None:
                raise reject.as_error(part.path)
            refuse(reject)
        return rows

    try:
        return parse_part(chunk)
    except InputError as error:
        raise find_first_error(parse_part, chunk, error)[0] from None


def find_first_error(
    check: Callable[[Any, int], object], chunk: Chunk | FrameChunk, error: InputError
) -> tuple[InputError, int]:
    """Find the error that a chunk would give if each of its records were a chunk of its own.

    With it comes the number of records before the one that is to blame. `check` takes a part of the
    chunk and the number of records before it, and raises what is wrong; `error` is what it raises
    for the whole chunk.
    """
    # Of a chunk damage is seen before a bad cell is, and a bad cell before scores that overflow,
    # wherever each of them stands. So half of it is looked at, and half of the half that is bad.
    n_before = 0
    while (halves := chunk.halve()) is not None:
        parts: tuple[Chunk | FrameChunk, ...] = halves
        for n_records, half in zip((0, parts[0].n_records), parts, strict=True):
            try:
                check(half, n_before + n_records)
            except InputError as first_error:
                error, chunk, n_before = first_error, half, n_before + n_records
                break
        else:
            break
    return error, n_before
