"""What the first cells of a column are: numbers, texts, codes."""

from __future__ import annotations

from collections.abc import Sequence

from matscore.options import ReadOptions
from matscore.plan.types import ColumnKind

_MOST_CODES, _TIMES_EACH = 20, 3


def kind_of(cells: Sequence[str], read: ReadOptions) -> ColumnKind:
    """Say what the cells of a column are."""
    grammar = read.grammar
    if read.booleans:
        from matscore.read.booleans import are_booleans

        if are_booleans(cells, grammar):
            return "number"
    there = [cell for cell in cells if not grammar.is_missing(cell)]
    n_numbers = sum(map(grammar.is_number, there))
    if not there:
        return "empty"
    if n_numbers == len(there):
        return "number"
    # Numbers that are written in another way are no levels; truths are.
    truths = {"true", "false"}
    meant = (c.casefold() not in truths and grammar.kind_of(c) == "meant" for c in there)
    if not n_numbers and all(meant):
        return "mixed"
    return "mostly number" if 2 * n_numbers >= len(there) else "mixed" if n_numbers else "text"


def are_codes(cells: Sequence[str]) -> bool:
    """Say whether the cells of a column are few whole numbers, each there several times."""
    values = {cell.strip() for cell in cells}
    few = len(values) <= _MOST_CODES and _TIMES_EACH * len(values) <= len(cells)
    return bool(values) and few and all(value.isascii() and value.isdigit() for value in values)
