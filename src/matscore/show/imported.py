"""What is told of a model that was imported: where it comes from, how it reads, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from matscore.names import MISSING_VALUES, quote_names
from matscore.options import PlanOptions, ReadOptions
from matscore.show.text import plural
from matscore.write.formats import format_of

if TYPE_CHECKING:
    from matscore.commands.import_model import ColumnReading, Imported


def list_lines(
    imported: Imported,
    output: str | None,
    sample: str | None,
    read: ReadOptions = ReadOptions(),
    align: PlanOptions = PlanOptions(),
) -> Iterator[str]:
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
        words = ["classify", sample or "FEATURES", output]
        if sample is not None:
            words += _list_switches(read, align, output)
        yield f"Try: matscore {shlex.join(words)}"


def _list_switches(read: ReadOptions, align: PlanOptions, output: str) -> Iterator[str]:
    """Yield the options by which `classify` reads the sample as it was read, and new weights."""
    is_csv = format_of(output) in ("csv", None)
    if (mark := read.delimiter) is not None:
        yield from ("-d", "tab" if mark == "\t" else mark)
        yield from ("--weights-delimiter", ",") if is_csv else ()
    if read.decimal != ".":
        yield from ("--decimal", read.decimal)
        yield from ("--weights-decimal", ".") if is_csv else ()
    if read.missing_values != MISSING_VALUES:
        yield from ("--missing-values", ",".join(read.missing_values))
    said = {
        "--encoding": read.encoding, "--comment": read.comment, "--id-col": align.id_col,
        "--skip-lines": str(read.skip_lines or ""),
        "--missing": read.missing if read.missing != "error" else None,
    }  # fmt: skip
    yield from (word for pair in said.items() if pair[1] for word in pair if word)
    switches = {
        "--headers": read.headers, "--features-headers": read.features_headers,
        "--booleans": read.booleans, "--no-id-col": align.no_id_col,
    }  # fmt: skip
    yield from (flag for flag, is_on in switches.items() if is_on)


def _describe(column: ColumnReading) -> str:
    policies = {True: "have a weight", False: "are refused"}
    return (
        f'"{column.name}": {plural(len(column.levels), "level")}; others '
        f"{policies[column.other]}, missing ones {policies[column.missing]}"
    )
