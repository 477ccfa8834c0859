"""Measures as text: tables on a terminal, CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.text import Text

from matscore.show.columns import DIM, HEAD, Column, count_cells, render_columns
from matscore.show.heat import Heat, has_many_colors
from matscore.show.text import Signs, format_numbers, plural, signs_for
from matscore.write.formats import escape_markdown

if TYPE_CHECKING:
    from matscore.commands.evaluate_rows import EvaluateTally
    from matscore.numerics.metrics import Metrics
    from matscore.run.summary import Summary

FORMATS = ("table", "csv", "json", "markdown")
_MOST_RANKS = 5
_MOST_CONFUSIONS = 10
_OVERALL = (
    "rows", "rows_without_prediction", "accuracy", "balanced_accuracy", "macro_precision",
    "macro_recall", "macro_f1", "log_loss",
)  # fmt: skip


def encode_metrics(metrics: Metrics, form: str) -> str:
    """Write measures for a program, in full precision.

    Parameters
    ----------
    metrics : Metrics
        What was measured.
    form : {"csv", "json", "markdown"}
        CSV has one measure a line.

    Returns
    -------
    str
        Undefined measures are empty; null in JSON.
    """
    if form == "json":
        return json.dumps(metrics.facts(), indent=2, ensure_ascii=False) + "\n"
    if form == "markdown":
        return _write_markdown(metrics)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["measure", "category", "predicted", "value"])
    writer.writerows(_iter_measures(metrics))
    return text.getvalue()


def _iter_measures(metrics: Metrics) -> Iterator[tuple[str, str, str, object]]:
    facts = metrics.facts()
    for name in _OVERALL:
        yield name, "", "", facts[name]
    for k, value in enumerate(facts["top_k_accuracy"], start=1):
        yield f"top_{k}_accuracy", "", "", value
    for category, row in facts["categories"].items():
        for name, value in row.items():
            yield name, category, "", value
    for truth, row in facts["confusion"].items():
        for predicted, n in row.items():
            yield "confusion", truth, predicted, n
    for tenth in facts["calibration"]:
        for name in ("rows", "confidence", "accuracy"):
            yield f"calibration_{tenth['from']}_{name}", "", "", tenth[name]


def _write_markdown(metrics: Metrics) -> str:
    facts = metrics.facts()
    overall = [(name, facts[name]) for name in _OVERALL]
    overall += [(f"top_{k}_accuracy", v) for k, v in enumerate(facts["top_k_accuracy"], start=1)]
    names = ("support", "predicted", "precision", "recall", "f1")
    rows = [(c, *(row[name] for name in names)) for c, row in facts["categories"].items()]
    confusion = [(truth, *row.values()) for truth, row in facts["confusion"].items()]
    tenths = [tuple(tenth.values()) for tenth in facts["calibration"]]
    parts = (
        _table(("measure", "value"), overall),
        _table(("category", *names), rows),
        _table(("truth", *(f"predicted {name}" for name in metrics.categories)), confusion),
        _table(("from", "to", "rows", "confidence", "accuracy"), tenths),
    )
    return "\n".join(parts)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    lines = [[escape_markdown(str(cell)) for cell in header], rule]
    lines += [["" if cell is None else escape_markdown(str(cell)) for cell in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def render_metrics(summary: Summary[EvaluateTally], console: Console) -> None:
    """Print measures as tables.

    Parameters
    ----------
    summary : Summary
        Of a run of ``evaluate``.
    console : Console
        Where to print; its width and encoding decide what is shown.
    """
    metrics, signs = summary.tally.metrics, signs_for(console)
    heat = Heat(signs, has_many_colors(console))
    parts = [
        _say_overall(metrics, summary, signs),
        list(render_columns(_list_categories(metrics, signs), console.width, signs)),
        _show_confusion(metrics, heat, console.width),
        _show_calibration(metrics, console.width, signs),
    ]
    for i, part in enumerate(parts):
        if i and part:
            console.print("")
        for line in part:
            console.print(line, soft_wrap=True)


def _say_overall(metrics: Metrics, summary: Summary[EvaluateTally], signs: Signs) -> list[Text]:
    n_right = int(metrics.confusion.diagonal().sum())
    rows = plural(metrics.n_rows, "row")
    accuracy = f"accuracy {_short(metrics.accuracy, signs)}"
    lines = [Text(accuracy, style=HEAD).append(f": {n_right:,} of {rows}", style="")]
    lines.append(
        Text(
            f"balanced accuracy {_short(metrics.balanced_accuracy, signs)}   "
            f"log-loss {_short(metrics.log_loss, signs)}   "
            f"macro F1 {_short(metrics.macro_f1, signs)}"
        )
    )
    last = min(_MOST_RANKS, len(metrics.categories) - 1)
    ranks = [f"top {k} {_short(metrics.top_k_accuracy[k - 1], signs)}" for k in range(2, last + 1)]
    lines += [Text("   ".join(ranks))] if ranks else []
    special = [plural(summary.tally.n_ties, "tie")] if summary.tally.n_ties else []
    if metrics.n_unpredicted:
        special.append(f"{plural(metrics.n_unpredicted, 'row')} without prediction, counted wrong")
    if summary.n_rejected:
        special.append(f"{plural(summary.n_rejected, 'row')} rejected")
    return [*lines, *([Text("   ".join(special), style=DIM)] if special else [])]


def _short(value: float, signs: Signs) -> str:
    return signs.dash if math.isnan(value) else f"{value:.4f}"


def _list_categories(metrics: Metrics, signs: Signs) -> list[Column]:
    names = [signs.show(name) for name in metrics.categories]
    blank = [""] * len(names)
    columns = [Column("category", names, blank, is_label=True)]
    for heading, counts in (("support", metrics.support), ("predicted", metrics.predicted)):
        texts = [f"{n:,}" for n in counts.tolist()]
        columns.append(Column(heading, texts, blank, is_numeric=True))
    for heading, values in (
        ("precision", metrics.precision),
        ("recall", metrics.recall),
        ("F1", metrics.f1),
    ):
        texts = [_short(value, signs) for value in values.tolist()]
        columns.append(Column(heading, texts, blank, is_numeric=True))
    return columns


def _show_confusion(metrics: Metrics, heat: Heat, width: int) -> list[Text]:
    """Show the matrix, shaded by the share of each row; the commonest confusions, if too wide."""
    signs, counts = heat.signs, metrics.confusion
    has_empty = metrics.n_unpredicted > 0
    headings = [signs.show(name) for name in metrics.categories]
    cells = metrics.counts.confusion if has_empty else counts
    headings += ["none"] if has_empty else []
    with np.errstate(invalid="ignore"):
        shares = cells / metrics.support[:, None]
    blank = [""] * len(counts)
    names = [signs.show(name) for name in metrics.categories]
    columns = [Column("truth", names, blank, is_label=True)]
    for j, heading in enumerate(headings):
        shaded = [
            heat.shade(
                share if n else math.nan, f"{n:,}" if n else signs.dot, DIM * (n == 0), i == j
            )
            for i, (n, share) in enumerate(zip(cells[:, j].tolist(), shares[:, j], strict=True))
        ]
        texts, styles = zip(*shaded, strict=True)
        columns.append(Column(heading, texts, styles, is_numeric=True))
    if count_cells([column.width for column in columns]) > width:
        return _list_confusions(metrics, signs, width)
    title = "rows by truth, down, and prediction, across"
    lines = render_columns(columns, width, signs)
    return [Text(title, style=DIM), *lines, Text(heat.legend(), style=DIM)]


def _list_confusions(metrics: Metrics, signs: Signs, width: int) -> list[Text]:
    wrong = metrics.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_CONFUSIONS]
    pairs = [divmod(int(at), len(wrong)) for at in order if wrong.flat[at]]
    if not pairs:
        return []
    names, blank = metrics.categories, [""] * len(pairs)
    columns = [
        Column("truth", [signs.show(names[i]) for i, _ in pairs], blank, is_label=True),
        Column("predicted", [signs.show(names[j]) for _, j in pairs], blank),
        Column("rows", [f"{wrong[i, j]:,}" for i, j in pairs], blank, is_numeric=True),
    ]
    title = "the commonest confusions; -f csv gives all"
    return [Text(title, style=DIM), *render_columns(columns, width, signs)]


def _show_calibration(metrics: Metrics, width: int, signs: Signs) -> list[Text]:
    tenths = [(i / 10, *tenth) for i, tenth in enumerate(metrics.calibration) if tenth[0]]
    if not tenths:
        return []
    blank = [""] * len(tenths)
    means, shares = ([tenth[i] for tenth in tenths] for i in (2, 3))
    columns = [
        Column("confidence", [f"{low:.1f} to {low + 0.1:.1f}" for low, *_ in tenths], blank),
        Column("rows", [f"{n:,}" for _, n, *_ in tenths], blank, is_numeric=True),
        Column("mean", format_numbers(means, 4), blank, is_numeric=True),
        Column("accuracy", format_numbers(shares, 4), blank, is_numeric=True),
    ]
    title = "calibration: the probability of the prediction, and how often it is right"
    return [Text(title, style=DIM), *render_columns(columns, width, signs)]
