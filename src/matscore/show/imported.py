"""What is told of a model that was imported: where it comes from, how it reads, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from matscore.names import quote_names
from matscore.show.text import plural

if TYPE_CHECKING:
    from matscore.commands.import_model import ColumnReading, Imported


def list_lines(imported: Imported, output: str | None, sample: str | None) -> Iterator[str]:
    """Yield what is told, a line a fact; the last one is the command that works."""
    model, table = imported.model, imported.table
    rows = plural(len(table.names), "row")
    yield f"{imported.path}: {model.producer}, {model.kind}; {rows} of weights"
    if model.steps:
        n_folded = model.folded.n_folded
        rounded = f" ({plural(n_folded, 'row')}, each rounded once)" if n_folded else ""
        yield f"folded into the weights: {', '.join(model.steps)}{rounded}"
    numbers = [column for column in imported.columns if not column.levels]
    yield from (f"text {_describe(column)}" for column in imported.columns if column.levels)
    if numbers:
        filled = [column.name for column in numbers if column.missing]
        told = f"; missing ones have a weight in {quote_names(filled)}" if filled else ""
        yield f"numbers: {quote_names([column.name for column in numbers])}{told}"
    link = f"; link {model.link}" if model.link else ""
    yield f"categories: {quote_names(model.categories)}{link}"
    yield from model.facts
    if model.joined and sample is None:
        yield "each name is taken for a column; --sample takes joined names apart"
    if imported.proof is not None:
        yield f"proved: {imported.proof}"
    if output is not None:
        features = "FEATURES" if sample is None else shlex.quote(sample)
        yield f"Try: matscore classify {features} {shlex.quote(output)}"


def _describe(column: ColumnReading) -> str:
    policies = {True: "have a weight", False: "are refused"}
    return (
        f'"{column.name}": {plural(len(column.levels), "level")}; others '
        f"{policies[column.other]}, missing ones {policies[column.missing]}"
    )
