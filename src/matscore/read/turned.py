"""A features file that is read the other way round: its columns are the rows.

Its records stay bytes until the plan says which of them are features, since the others may hold
anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from matscore.kernel import Floats, Texts, parse
from matscore.options import ReadOptions
from matscore.plan import Plan
from matscore.read.parse import Layout, Reject
from matscore.read.records import cut_record, find_starts
from matscore.read.rows import FrameChunk, Turned, parse_sound
from matscore.read.split import Chunk
from matscore.read.table import Table, iter_table, read_matrix


@dataclass(frozen=True)
class WideTable:
    """A whole features file before anything is decided about it.

    Attributes
    ----------
    path : str
        Where it comes from.
    names : tuple of str, or None
        The header's cells, one a column; None without a header.
    width : int
        Number of columns.
    first : tuple of str
        The first column's cells as text.
    records : list of bytes, or ndarray of shape (n_records, n_columns), float64
        The records of a text; the numbers of a file with types.
    lines : tuple of int
        The physical line of each record.
    layout : Layout
        How the records of a text are read.
    """

    path: str
    names: tuple[str, ...] | None
    width: int
    first: tuple[str, ...]
    records: list[bytes] | Floats
    lines: tuple[int, ...]
    layout: Layout


def read_wide(table: Table, read: ReadOptions, *, chunk_bytes: int) -> WideTable:
    """Read a whole features file that is to be transposed.

    Raises
    ------
    InputError
        A bad record; in a file of typed columns also one that holds no numbers.
    """
    layout = Layout(
        table.names,
        table.width,
        None,
        (0,),
        (),
        table.delimiter,
        read.decimal,
        "keep",
        read.missing_values,
    )
    if table.columnar is not None:
        kept = replace(read, missing="keep")  # of features alone they are to be refused
        matrix = read_matrix(table, kept, chunk_bytes=chunk_bytes)
        values = matrix.values(label_column=matrix.first_values is None)
        lines = tuple(range(1, len(matrix.first) + 1))
        return WideTable(table.path, table.names, table.width, matrix.first, values, lines, layout)
    first: list[str] = []
    records: list[bytes] = []
    numbers: list[int] = []
    for chunk in iter_table(table, layout, chunk_bytes=chunk_bytes):
        first += parse_sound(layout, chunk, _refuse(chunk.path)).texts[0]
        assert isinstance(chunk, Chunk)  # no typed columns, so it is text
        starts, before = find_starts(chunk.data)
        records += [cut_record(chunk.data, starts, i) for i in range(len(starts))]
        numbers += (chunk.line + before).tolist()
    return WideTable(
        table.path, table.names, table.width, tuple(first), records, tuple(numbers), layout
    )


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


def _refuse(path: str) -> Callable[[Reject], NoReturn]:
    def refuse(reject: Reject) -> NoReturn:
        raise reject.as_error(path)

    return refuse
