"""Weights that were made: how well those fit that `fit` learned, and what `import` has read."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text

from matscore.colors import Heat
from matscore.names import MISSING_VALUES, join_list, quote_name, quote_names
from matscore.show.table import (
    DIM,
    HEAD,
    Column,
    Signs,
    Table,
    format_numbers,
    plural,
    print_lines,
    show_shape,
)
from matscore.write.formats import format_of

if TYPE_CHECKING:
    from rich.console import Console

    from matscore.commands.fit import FitSummary
    from matscore.commands.import_model import ColumnReading, Imported
    from matscore.numerics.learn import Learned
    from matscore.options import PlanOptions, ReadOptions

_MOST_TARGETS = 5


def list_quality(learned: Learned) -> list[str]:
    """Say how well the weights fit the rows that they were learned from."""
    penalty = f", alpha {learned.alpha:g}" if learned.alpha else ""
    sentences = [f"{learned.method}{penalty}, {plural(learned.n_rows, 'row')}"]
    if learned.r2 is not None:
        pairs = list(zip(learned.targets, learned.r2.tolist(), strict=True))
        shown = [f"{quote_name(name)} {_short(value)}" for name, value in pairs[:_MOST_TARGETS]]
        rest = f" and {len(pairs) - _MOST_TARGETS} more" if len(pairs) > _MOST_TARGETS else ""
        sentences.append(f"R²: {', '.join(shown)}{rest}")
    if learned.accuracy is not None and learned.log_loss is not None:
        measures = f"accuracy {learned.accuracy:.4f}, log-loss {learned.log_loss:.4f}"
        sentences.append(f"on these rows: {measures}")
    if learned.rank is not None and learned.condition is not None:
        rank = f"rank {learned.rank} of {len(learned.features)}"
        sentences.append(f"{rank}, condition {learned.condition:.3g}")
    return sentences


def _short(value: float) -> str:
    return "unknown, as it does not vary" if math.isnan(value) else f"{value:.6g}"


def render_fit(summary: FitSummary, console: Console, *, max_rows: int) -> None:
    """Print learned weights, the intercept and at most some features, and how well they fit."""
    learned, signs = summary.learned, Signs.of(console)
    n_features, n_targets = learned.weights.shape
    weights = show_shape(n_features, n_targets, signs)
    features = show_shape(summary.n_rows, n_features, signs)
    scores = show_shape(summary.n_rows, n_targets, signs)
    equation = f"{features} {signs.dot} {weights} {signs.about} {scores}"
    console.print(Text(equation, style=HEAD), soft_wrap=True)
    for fact in list_quality(learned):
        console.print(Text(signs.show(fact)))
    console.print("")
    heat = Heat.for_console(console, signs.density)
    shown = _list_columns(learned, signs, heat, max_rows)
    # Whole columns give way, the last first: a number that is cut is another number.
    while len(shown) > 2 and Table(shown, signs).count_cells() > console.width:
        shown.pop()
    print_lines(console, Table(shown, signs).render(console.width))
    rest = []
    if n_features > max_rows:
        rest.append(signs.say_more(n_features - max_rows, "feature"))
    if len(shown) - 1 < n_targets:
        rest.append(f"{len(shown) - 1} of {n_targets:,} columns shown")
    print_lines(console, [Text(text, style=DIM) for text in (*rest, heat.legend())])


def _list_columns(learned: Learned, signs: Signs, heat: Heat, max_rows: int) -> list[Column]:
    """Return the names, and a shaded column a target; the intercept is not on the scale."""
    weights = learned.weights[:max_rows]
    names = [signs.show(name) for name in learned.features[:max_rows]]
    # Placed before rows are left out: what is shown of a model does not change its shades.
    places = heat.place(learned.weights)[:max_rows]
    if learned.intercept is not None:
        names.append("(Intercept)")
        weights = np.vstack([weights, learned.intercept])
        places = np.vstack([places, np.full(weights.shape[1], np.nan)])
    columns = [Column("feature", names, is_label=True)]
    for j, target in enumerate(learned.targets):
        cells = zip(places[:, j], format_numbers(weights[:, j].tolist()), strict=True)
        shaded = [heat.shade(place, number, "") for place, number in cells]
        columns.append(Column.of_shades(signs.show(target), shaded))
    return columns


def list_import(
    imported: Imported,
    output: str | None,
    sample: str | None,
    read: ReadOptions,
    align: PlanOptions,
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
        yield from ("--missing-values", join_list(read.missing_values))
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
