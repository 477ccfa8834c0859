"""Tables that are read to their end before anything is decided: matrices, pairs, turned files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from matscore.errors import InputError
from matscore.frame import join
from matscore.kernel import Floats, Texts, parse
from matscore.names import Grammar
from matscore.options import MissingPolicy, ReadOptions
from matscore.plan import Plan
from matscore.read.faults import Reject, explain_number
from matscore.read.rows import FrameChunk, Layout, Rows, Turned, parse_rows, parse_sound
from matscore.read.source import SourceFacts
from matscore.read.split import Chunk
from matscore.read.table import Table, TypedTable, open_table

_PAIRS_CHUNK_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Matrix:
    """A first column that may be names or numbers, and the numbers after it."""

    path: str
    names: tuple[str, ...] | None  # of the header; None without one
    first: tuple[str, ...]  # the first column's cells as text: the plan decides what they are
    first_values: Floats | None  # (n_rows,); None when one of these cells is no number
    rest: Floats  # (n_rows, n_columns - 1), NaN where a cell is missing
    fault: InputError | None = None  # why the first column is no numbers

    @property
    def width(self) -> int:
        """Number of columns, the first included."""
        return int(self.rest.shape[1]) + 1

    @property
    def first_numbers(self) -> Floats:
        """The first column's numbers, (n_rows,); refused where one of its cells is none."""
        if self.first_values is None:
            raise self.fault or RuntimeError(f"{self.path}: a column would be lost")
        return self.first_values

    def values(self, *, label_column: bool) -> Floats:
        """Return the numbers, (n_rows, n_columns), without a first column of labels."""
        return self.rest if label_column else np.column_stack([self.first_numbers, self.rest])


def read_matrix(
    table: Table, options: ReadOptions, *, chunk_bytes: int, is_model: bool = False
) -> Matrix:
    """Read a table: its first column as text and, where all of it is numbers, as numbers.

    Of weights, which are a model, none may be missing.
    """
    hint = "every weight must be a number" if is_model else Layout.missing_hint
    policy = "error" if is_model else options.missing
    parts, fault = list[Rows](), None
    for rows, first_fault in iter_parts(table, options, policy, hint, chunk_bytes=chunk_bytes):
        parts.append(rows)
        fault = first_fault
    rest, labels = np.empty((sum(part.n_rows for part in parts), table.width - 1)), list[Any]()
    n_done = 0
    while parts:
        part = parts.pop(0)  # freed as soon as it is copied, or the matrix would be held twice
        rest[n_done : n_done + part.n_rows] = part.features.T
        n_done += part.n_rows
        labels.append(part.labels)
    return make_matrix(table, options, labels, rest, fault)


def iter_parts(
    table: Table, options: ReadOptions, missing: MissingPolicy, hint: str, *, chunk_bytes: int
) -> Iterator[tuple[Rows, InputError | None]]:
    """Yield a table in parts: its first column as labels, numbers in the others.

    With each part comes why the first column is no column of numbers, so far. A missing cell is
    refused with the hint where it is an error, else kept.
    """
    layout = table.lay_out(
        options,
        label=0,
        features=range(1, table.width),
        missing="error" if missing == "error" else "keep",
        hint=hint,
    )
    fault = None
    for chunk in table.iter_chunks(layout, chunk_bytes=chunk_bytes):

        def refuse(reject: Reject, path: str = chunk.path) -> None:
            raise _explain_reject(layout, reject, path)

        rows = parse_sound(layout, chunk, refuse)
        fault = fault or _find_fault(layout, chunk, rows.labels)
        yield rows, fault


def make_matrix(
    table: Table, options: ReadOptions, labels: list[Any], rest: Floats, fault: InputError | None
) -> Matrix:
    """Return the matrix of a table whose first column is given as text, in parts."""
    first = tuple(join([Texts.from_strings([]), *labels]))
    values, grammar = None, options.grammar
    if fault is None:
        values = np.array([np.nan if grammar.is_missing(t) else grammar.read(t) for t in first])
    return Matrix(table.path, table.names, first, values, rest, fault)


def _find_fault(layout: Layout, chunk: Chunk | FrameChunk, labels: Any) -> InputError | None:
    """Return why the first column is no column of numbers; None where it is one so far."""
    grammar = Grammar(layout.decimal, layout.missing_values)
    for i, cell in enumerate(labels):
        is_missing = grammar.is_missing(cell)
        if layout.missing == "error" if is_missing else not grammar.is_number(cell):
            return _explain_fault(layout, chunk, i, cell, is_missing=is_missing)
    return None


def _explain_fault(
    layout: Layout, chunk: Chunk | FrameChunk, i: int, cell: str, *, is_missing: bool
) -> InputError:
    line, column, name = chunk.locate(layout, i, 0)
    if isinstance(chunk, FrameChunk):
        what, hint = "a missing value", layout.missing_hint
        if not is_missing:
            what, hint = explain_number(cell, layout.decimal)
        return InputError(chunk.path, what, hint, line=line, column=column, name=name)
    alone = replace(chunk, data=chunk.record(i), line=line, n_records=1)
    first = replace(layout, label_column=None, feature_columns=(0,))
    return _explain_reject(layout, parse_rows(first, alone).rejects[0], chunk.path)


def _explain_reject(layout: Layout, reject: Reject, path: str) -> InputError:
    if layout.names is None and reject.line == 1 and reject.column is not None:
        hint = "--no-headers makes data of every file's first line"
        reject = reject._replace(known_hint=hint, cell=None)
    return reject.as_error(path)


def read_pairs(
    path: str, read: ReadOptions, items: Set[str], *, checksum: bool = False
) -> tuple[Texts, Texts, SourceFacts]:
    """Read the first two columns of a file of any format, as text.

    `items` is what the second column may hold, so that a header can be told from data.
    """
    table = open_table(path, read, checksum=checksum, values=items)
    with contextlib.closing(table):
        if table.width < 2:
            what, hint = "pairs need two columns", "give it a column of users and one of items"
            raise InputError(path, what, hint, line=1)
        layout = table.lay_out(read, label=0, kept=(1,), missing=read.missing)
        chunks = table.iter_chunks(layout, chunk_bytes=_PAIRS_CHUNK_BYTES)
        parts = [parse_sound(layout, chunk) for chunk in chunks]
        facts = table.source.facts()
    none = Texts.from_strings([])
    columns = zip((none, none), *((part.labels, part.texts[0]) for part in parts), strict=True)
    who, what = map(join, columns)
    return who, what, facts


@dataclass(frozen=True)
class WideTable:
    """A features file whose columns are the rows, before anything is decided about it.

    The records of a text stay bytes until the plan says which of them are features, since the
    others may hold anything.
    """

    path: str
    names: tuple[str, ...] | None  # the header's cells, one a column
    width: int
    first: tuple[str, ...]  # the first column's cells
    records: list[bytes] | Floats  # of a text; else numbers of shape (n_records, n_columns)
    lines: tuple[int, ...]  # the physical line of each record
    layout: Layout  # how the records of a text are read


def read_wide(table: Table, read: ReadOptions, *, chunk_bytes: int) -> WideTable:
    """Read a features file that is to be transposed; typed columns that it has are all numbers."""
    layout = table.lay_out(read, label=None, kept=(0,), missing="keep")
    if isinstance(table, TypedTable):
        kept = replace(read, missing="keep")  # of features alone they are to be refused
        matrix = read_matrix(table, kept, chunk_bytes=chunk_bytes)
        values = matrix.values(label_column=matrix.first_values is None)
        lines = tuple(range(1, len(matrix.first) + 1))
        return WideTable(table.path, table.names, table.width, matrix.first, values, lines, layout)
    first, records, numbers = list[str](), list[bytes](), list[int]()
    for chunk in table.iter_chunks(layout, chunk_bytes=chunk_bytes):
        first += parse_sound(layout, chunk).texts[0]
        records += (chunk.record(i) for i in range(chunk.n_records))
        numbers += chunk.lines.tolist()
    cells = (tuple(first), records, tuple(numbers))
    return WideTable(table.path, table.names, table.width, *cells, layout)


def turn(wide: WideTable, plan: Plan) -> FrameChunk:
    """Make rows of the columns, as the plan lays them out; only what it uses is kept."""
    named, labelled = int(plan.features_name_column), int(plan.label_column is not None)
    columns: dict[int, Any] = {}
    for i in {*plan.feature_columns, *plan.kept_columns} - set(range(labelled)):
        columns[i] = _read_record(wide, i - labelled, named, as_text=i in plan.kept_columns)
    if labelled:
        columns[0] = Texts.from_strings((wide.names or ())[named:])
    turned = Turned(wide.lines, wide.names, named, labelled)
    return FrameChunk(wide.path, columns, 1, 0, wide.width - named, turned)


def _read_record(wide: WideTable, i: int, first: int, *, as_text: bool) -> Floats | Texts:
    """Return a record's cells from a column on: as text where asked, or where one is no number."""
    if not isinstance(wide.records, list):
        row: Floats = wide.records[i, first - wide.width :]
        return row
    layout, columns = wide.layout, range(first, wide.width)
    if not as_text:
        table = parse(
            wide.records[i],
            width=wide.width,
            features=columns,
            delimiter=layout.delimiter,
            decimal=layout.decimal,
            missing="keep",
            missing_values=layout.missing_values,
        )
        if not table.bad:
            numbers: Floats = table.features[:, 0]
            return numbers
    cells = parse(wide.records[i], width=wide.width, texts=columns, delimiter=layout.delimiter)
    return Texts.from_strings(texts[0] for texts in cells.texts)
