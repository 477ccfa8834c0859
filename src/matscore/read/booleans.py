"""Columns of words for true and false, read as 1 and 0 where that is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matscore.kernel import Booleans
from matscore.names import BLANKS, Grammar

PAIRS = (
    ("True", "False"), ("TRUE", "FALSE"), ("true", "false"), ("T", "F"), ("t", "f"),
    ("Yes", "No"), ("YES", "NO"), ("yes", "no"), ("Y", "N"), ("y", "n"),
)  # fmt: skip
"""What a column may have for 1 and for 0."""

_PAIR_OF = {word: pair for pair in PAIRS for word in pair}


def find_pair(cells: Iterable[str], grammar: Grammar) -> tuple[str, str] | None:
    """Return the spelling of a column by its first cell that is there; None where it has none."""
    there = (cell.strip(BLANKS) for cell in cells if not grammar.is_missing(cell))
    return _PAIR_OF.get(next(there, ""))


def find_booleans(columns: Sequence[Sequence[str]], grammar: Grammar) -> tuple[Booleans, ...]:
    """Return which columns hold such words, and which ones; the cells are the first."""
    found = ((i, find_pair(cells, grammar)) for i, cells in enumerate(columns))
    return tuple((i, pair) for i, pair in found if pair is not None)


def are_booleans(cells: Sequence[str], grammar: Grammar) -> bool:
    """Say whether the cells of a column are words of one spelling, or missing."""
    pair = find_pair(cells, grammar)
    return pair is not None and all(
        cell.strip(BLANKS) in pair or grammar.is_missing(cell) for cell in cells
    )
