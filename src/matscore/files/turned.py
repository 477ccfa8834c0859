"""A features file that is read the other way round: its columns are the rows.

Its cells stay text until the plan says which of its records are features, since the others may
hold anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

import polars as pl

from matscore.files.numbers import parse_numbers
from matscore.files.parse import Layout, Reject
from matscore.files.records import find_records
from matscore.files.rows import FrameChunk, Turned, parse_sound
from matscore.files.split import Chunk
from matscore.files.table import ReadOptions, Table, iter_table, read_matrix
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
    columns : list of Series
        All columns: text, or numbers where the file has types.
    lines : tuple of int
        The physical line of each record.
    """

    path: str
    names: tuple[str, ...] | None
    first: tuple[str, ...]
    first_values: Floats | None
    columns: list[pl.Series]
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
        labels = pl.Series(matrix.first, dtype=pl.String)
        first = labels if matrix.first_values is None else pl.Series(matrix.first_values)
        columns = [first, *(pl.Series(values) for values in matrix.rest.T)]
        lines = tuple(range(1, len(first) + 1))
        return WideTable(
            matrix.path, matrix.names, matrix.first, matrix.first_values, columns, lines
        )
    parts: list[list[pl.Series]] = [[] for _ in range(table.width)]
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
            part.append(texts[i].fill_null(""))
        numbers += _lines_of(chunk, table.delimiter)
    columns = [pl.concat(part) if part else pl.Series([], dtype=pl.String) for part in parts]
    found = parse_numbers(columns[0], read.missing_values, read.decimal)
    numeric = len(columns[0]) > 0 and not (found.bad | found.missing).any()
    values = found.values if numeric else None
    return WideTable(table.path, table.names, tuple(columns[0]), values, columns, tuple(numbers))


def turn(wide: WideTable, plan: Plan) -> FrameChunk:
    """Make rows of the columns, as the plan lays them out; only what it uses is kept."""
    named, labelled = int(plan.features_name_column), int(plan.label_column is not None)
    used = sorted({*plan.feature_columns, *plan.kept_columns} - set(range(labelled)))
    records = pl.Series([i - labelled for i in used], dtype=pl.UInt32)
    rows = wide.columns[named:]
    names = [str(i) for i in used]
    if rows:
        picked = {str(j): column.gather(records) for j, column in enumerate(rows)}
        frame = pl.DataFrame(picked).transpose(column_names=names)
    else:
        frame = pl.DataFrame(schema=dict.fromkeys(names, pl.String()))
    if labelled:
        labels = pl.Series("0", (wide.names or ())[named:], dtype=pl.String)
        frame = frame.insert_column(0, labels)
    return FrameChunk(wide.path, frame, 1, 0, Turned(wide.lines, wide.names, named, labelled))


def _refuse(path: str) -> Callable[[Reject], NoReturn]:
    def refuse(reject: Reject) -> NoReturn:
        raise reject.as_error(path)

    return refuse


def _lines_of(chunk: Chunk | FrameChunk, delimiter: str) -> list[int]:
    if isinstance(chunk, Chunk) and b'"' in chunk.data:
        found: list[int] = (chunk.line + find_records(chunk.data, delimiter).lines).tolist()
        return found
    return list(range(chunk.line, chunk.line + chunk.n_records))
