"""Features that are to be transposed: the columns of a file as rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from matscore.kernel import Floats, Texts, parse
from matscore.options import ReadOptions
from matscore.plan import Plan, Side
from matscore.read.rows import FrameChunk, Layout, parse_sound
from matscore.read.table import Table, read_matrix


@dataclass(frozen=True)
class Turned:
    """Where the cells of rows stand that are columns of their file."""

    lines: tuple[int, ...]  # the physical line of each record of the file, a column of the rows
    names: tuple[str, ...] | None  # the file's header
    first: int  # columns of the file before the first row
    labelled: int  # columns of the rows before the first record: 1 where the header is labels

    @property
    def width(self) -> int:
        """Columns of the rows."""
        return len(self.lines) + self.labelled

    def locate(self, row: int, column: int | None) -> tuple[int, int, str | None]:
        """Return line, column and the column's name of a cell, or of a whole row."""
        of_record = column is not None and column >= self.labelled
        line = self.lines[column - self.labelled] if of_record and column is not None else 1
        place = self.first + row
        return line, place + 1, None if self.names is None else self.names[place]


@dataclass(frozen=True)
class WideTable:
    """A features file whose columns are the rows, before anything is decided about it."""

    side: Side
    # Records of a text, bytes until the plan says which of them are features, since the others may
    # hold anything; of typed columns numbers, of shape (n_records, n_columns).
    records: list[bytes] | Floats
    lines: tuple[int, ...]  # the physical line of each record
    layout: Layout  # how the records of a text are read

    def turn(self, plan: Plan) -> FrameChunk:
        """Make rows of the columns, as the plan lays them out; only what it uses is kept."""
        named, labelled = int(plan.features_name_column), int(plan.label_column is not None)
        columns: dict[int, Any] = {}
        texts = {*plan.kept_columns, *plan.text_columns}
        for i in {*plan.feature_columns, *texts} - set(range(labelled)):
            columns[i] = _read_record(self, i - labelled, named, as_text=i in texts)
        if labelled:
            columns[0] = Texts.from_strings((self.side.names or ())[named:])
        turned = Turned(self.lines, self.side.names, named, labelled)
        return FrameChunk(self.side.path, columns, 1, 0, self.side.width - named, turned)


def read_wide(table: Table, read: ReadOptions, *, chunk_bytes: int) -> WideTable:
    """Read a features file that is to be transposed; typed columns that it has are all numbers."""
    layout = table.lay_out(read, label=None, kept=(0,), missing="keep")
    if table.source.kind != "csv":
        kept = replace(read, missing="keep")  # of features alone they are to be refused
        matrix = read_matrix(table, kept, chunk_bytes=chunk_bytes)
        values = matrix.values(label_column=matrix.first_values is None)
        return WideTable(matrix.side, values, tuple(range(1, len(values) + 1)), layout)
    first, records, numbers = list[str](), list[bytes](), list[int]()
    for chunk in table.iter_chunks(layout, chunk_bytes=chunk_bytes):
        first += parse_sound(layout, chunk).texts[0]
        records += (chunk.record(i) for i in range(chunk.n_records))
        numbers += chunk.lines.tolist()
    return WideTable(table.side(read, tuple(first)), records, tuple(numbers), layout)


def _read_record(wide: WideTable, i: int, first: int, *, as_text: bool) -> Floats | Texts:
    """Return a record's cells from a column on: as text where asked, or where one is no number."""
    if not isinstance(wide.records, list):
        row: Floats = wide.records[i, first - wide.side.width :]
        return row
    layout, columns = wide.layout, range(first, wide.side.width)
    if not as_text:
        table = parse(
            wide.records[i],
            width=wide.side.width,
            features=columns,
            delimiter=layout.delimiter,
            decimal=layout.decimal,
            missing="keep",
            missing_values=layout.missing_values,
        )
        if not table.bad:
            numbers: Floats = table.features[:, 0]
            return numbers
    cells = parse(wide.records[i], width=wide.side.width, texts=columns, delimiter=layout.delimiter)
    return Texts.from_strings(texts[0] for texts in cells.texts)
