"""A features file that is read the other way round: its columns are the rows.

Its cells stay text until the plan says which of its records are features, since the others may
hold anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np

from matscore.files.parse import Layout, Reject
from matscore.files.records import find_starts
from matscore.files.rows import FrameChunk, Turned, parse_sound
from matscore.files.split import Chunk
from matscore.files.table import ReadOptions, Table, iter_table, read_matrix
from matscore.frame import join
from matscore.kernel import Texts, write_number
from matscore.plan import Plan
from matscore.product import Floats


@dataclass(frozen=True)
class WideTable:
    """A whole features file before anything is decided about it, column by column.

    Attributes
    ----------
    path : str
        Where it comes from.
    names : tuple of str, or None
        The header's cells, one a column; None without a header.
    first : tuple of str
        The first column's cells as text.
    first_values : ndarray of shape (n_records,), float64, or None
        Its numbers; None when any cell of it is not a number.
    columns : list of Texts or of ndarray of float64
        All columns: text, or numbers where the file has types.
    lines : tuple of int
        The physical line of each record.
    """

    path: str
    names: tuple[str, ...] | None
    first: tuple[str, ...]
    first_values: Floats | None
    columns: list[Texts | Floats]
    lines: tuple[int, ...]

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.columns)


def read_wide(table: Table, read: ReadOptions, *, chunk_bytes: int) -> WideTable:
    """Read a whole features file that is to be transposed.

    Raises
    ------
    InputError
        A bad record; in a file of typed columns also one that holds no numbers.
    """
    if table.columnar is not None:
        kept = replace(read, missing="keep")  # of features alone they are to be refused
        matrix = read_matrix(table, kept, chunk_bytes=chunk_bytes)
        first = matrix.first_values
        columns = [Texts.from_strings(matrix.first) if first is None else first, *matrix.rest.T]
        lines = tuple(range(1, len(matrix.first) + 1))
        return WideTable(
            matrix.path, matrix.names, matrix.first, matrix.first_values, columns, lines
        )
    parts: list[list[Texts]] = [[Texts.from_strings([])] for _ in range(table.width)]
    numbers: list[int] = []
    layout = Layout(
        table.names,
        table.width,
        None,
        tuple(range(table.width)),
        (),
        table.delimiter,
        read.decimal,
        "keep",
        read.missing_values,
    )
    for chunk in iter_table(table, layout, chunk_bytes=chunk_bytes):
        texts = parse_sound(layout, chunk, _refuse(chunk.path)).texts
        for i, part in enumerate(parts):
            part.append(texts[i])
        numbers += _lines_of(chunk)
    found = [join(part) for part in parts]
    labels = tuple(found[0])
    numeric = len(labels) > 0 and all(map(read.grammar.is_number, labels))
    if any(map(read.grammar.is_missing, labels)):
        numeric = False
    values = np.array([read.grammar.read(text) for text in labels]) if numeric else None
    return WideTable(table.path, table.names, labels, values, found, tuple(numbers))


def turn(wide: WideTable, plan: Plan) -> FrameChunk:
    """Make rows of the columns, as the plan lays them out; only what it uses is kept."""
    named, labelled = int(plan.features_name_column), int(plan.label_column is not None)
    used = sorted({*plan.feature_columns, *plan.kept_columns} - set(range(labelled)))
    rows = wide.columns[named:]
    columns: dict[int, Texts | Floats] = {}
    if all(isinstance(column, np.ndarray) for column in rows) and rows:
        columns = {i: np.array([column[i - labelled] for column in rows]) for i in used}
    else:
        cells = [_list_texts(column) for column in rows]
        columns = {i: Texts.from_strings([row[i - labelled] for row in cells]) for i in used}
    if labelled:
        columns[0] = Texts.from_strings((wide.names or ())[named:])
    turned = Turned(wide.lines, wide.names, named, labelled)
    return FrameChunk(wide.path, columns, 1, 0, len(rows), turned)


def _list_texts(column: Texts | Floats) -> list[str]:
    return list(column) if isinstance(column, Texts) else list(map(write_number, column.tolist()))


def _refuse(path: str) -> Callable[[Reject], NoReturn]:
    def refuse(reject: Reject) -> NoReturn:
        raise reject.as_error(path)

    return refuse


def _lines_of(chunk: Chunk | FrameChunk) -> list[int]:
    if isinstance(chunk, Chunk) and b'"' in chunk.data:
        found: list[int] = (chunk.line + find_starts(chunk.data)[1]).tolist()
        return found
    return list(range(chunk.line, chunk.line + chunk.n_records))
