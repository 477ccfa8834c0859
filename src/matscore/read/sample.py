"""A look at the first records of a table, before any of them is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import islice

from matscore.grammar import Grammar
from matscore.options import ReadOptions
from matscore.plan.learning import Kind, Sample
from matscore.read.records import first_record_end
from matscore.read.table import Table

_SAMPLED_RECORDS = 1000
_MOST_CODES = 20
_TIMES_EACH = 3


def sample_table(table: Table, read: ReadOptions) -> Sample:
    """Look at the first records of an open table; they stay unread.

    Parameters
    ----------
    table : Table
        Its records unread.
    read : ReadOptions
        How cells read.

    Returns
    -------
    Sample
        Of a columnar file what its types tell.
    """
    if table.columnar is not None:
        from matscore.read.typed import is_numeric

        kinds: list[Kind] = [
            "number" if is_numeric(dtype) else "text" for dtype in table.columnar.types
        ]
        return Sample(table.path, table.names, tuple(kinds), (False,) * table.width)
    columns = _first_columns(table)
    return Sample(
        table.path,
        table.names,
        tuple(_kind_of(cells, read.grammar) for cells in columns),
        tuple(_are_codes(cells) for cells in columns),
        tuple(columns[0]) if columns else (),
        read.grammar,
        table.first_record if table.guessed and table.names is not None else None,
    )


def _first_columns(table: Table) -> list[list[str]]:
    data = table.source.head[table.start :]
    if not table.source.is_whole:
        data = data[: data.rfind(b"\n") + 1]  # the last record may be cut off
    if not table.source.is_whole and not first_record_end(data):
        return [[] for _ in range(table.width)]
    text = data.decode("utf-8", "replace")
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=table.delimiter)
        rows = list(islice(reader, _SAMPLED_RECORDS))
    except csv.Error:
        rows = []
    sound = [row for row in rows if len(row) == table.width]
    return [list(cells) for cells in zip(*sound, strict=True)] or [[] for _ in range(table.width)]


def _kind_of(cells: Sequence[str], grammar: Grammar) -> Kind:
    there = [cell for cell in cells if not grammar.is_missing(cell)]
    n_numbers = sum(map(grammar.is_number, there))
    if not there:
        return "empty"
    if n_numbers == len(there):
        return "number"
    return "mostly number" if 2 * n_numbers >= len(there) else "mixed" if n_numbers else "text"


def _are_codes(cells: Sequence[str]) -> bool:
    values = {cell.strip() for cell in cells}
    few = len(values) <= _MOST_CODES and _TIMES_EACH * len(values) <= len(cells)
    return bool(values) and few and all(value.isascii() and value.isdigit() for value in values)
