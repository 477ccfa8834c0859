"""The page of ``evaluate``: how good the predictions are, all in all and category by category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matscore.colors import LEVELS
from matscore.pages.charts import BLUE, FAINT, draw_inline
from matscore.pages.classify import MOST_SHADED
from matscore.pages.parts import (
    Cell,
    Column,
    Figure,
    Part,
    Section,
    Table,
    column,
    count_cell,
    heat_cells,
    number_cell,
    text_cell,
    write_percent,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MEASURES = {
    "accuracy": "rows predicted rightly",
    "balanced_accuracy": "mean recall of the categories that have rows",
    "macro_precision": "mean precision of the categories",
    "macro_recall": "mean recall of the categories",
    "macro_f1": "mean F1 of the categories",
    "log_loss": "mean of -log(probability of the truth)",
}


def show_evaluation(found: Mapping[str, Any]) -> list[Section]:
    """Return the sections about an evaluation.

    Parameters
    ----------
    found : dict
        ``evaluation`` of the JSON report.

    Returns
    -------
    list of Section
        The measures, the confusion matrix, calibration.
    """
    if not found["rows"]:
        return []
    return [_show_measures(found), _show_confusion(found), *_show_calibration(found)]


def _show_measures(found: Mapping[str, Any]) -> Section:
    measures = [
        [Cell(name.replace("_", " ")), number_cell(found[name]), Cell(words)]
        for name, words in _MEASURES.items()
    ]
    headings = [Column("measure"), Column("value", is_number=True), Column("meaning")]
    whole = Table("All in all", headings, measures)
    shares = ("precision", "recall", "f1")
    names = list(found["categories"])[: 5 * MOST_SHADED]
    values = [[found["categories"][name][key] for key in shares] for name in names]
    numbers = np.array([[np.nan if v is None else v for v in row] for row in values], dtype=float)
    shaded = [[_shade(cell, 1.0) for cell in row] for row in heat_cells(numbers, 4)]
    rows = [
        [
            text_cell(name),
            count_cell(found["categories"][name]["support"]),
            count_cell(found["categories"][name]["predicted"]),
            *cells,
        ]
        for name, cells in zip(names, shaded, strict=True)
    ]
    counted = ("rows", "predicted", "precision", "recall", "F1")
    columns = [Column("category"), *(Column(name, is_number=True) for name in counted)]
    hidden = len(found["categories"]) - len(names)
    note = f"{hidden:,} more categories are not shown." if hidden else ""
    each = Table("Category by category", columns, rows, note, is_heat=True)
    return Section("measures", "How good", [whole, each])


def _shade(cell: Cell, whole: float) -> Cell:
    """Shade a share by its own size, from nothing to the whole."""
    if cell.value is None or np.isnan(cell.value):
        return Cell("–")
    return replace(cell, level=round(LEVELS * cell.value / whole))


def _show_confusion(found: Mapping[str, Any]) -> Section:
    names = list(found["confusion"])[:MOST_SHADED]
    rows = []
    for truth in names:
        counts = found["confusion"][truth]
        support = found["categories"][truth]["support"] or 1
        cells = [_shade(Cell(f"{counts[n]:,}", value=float(counts[n])), support) for n in names]
        rows.append([text_cell(truth), *cells])
    columns = [Column("truth"), *(column(name, is_number=True) for name in names)]
    hidden = len(found["confusion"]) - len(names)
    note = "A column for each prediction; shaded by the share of the truth's rows."
    if hidden:
        note += f" {hidden:,} more categories are not shown."
    table = Table("Rows by truth and prediction", columns, rows, note, is_heat=True)
    lead = "The diagonal is right; what stands beside it is taken for something else."
    return Section("confusion", "Confusion matrix", [table], lead)


def _show_calibration(found: Mapping[str, Any]) -> list[Section]:
    tenths = [tenth for tenth in found["calibration"] if tenth["rows"]]
    if not tenths:
        return []
    rows = [
        [
            Cell(f"{tenth['from']:.1f} to {tenth['to']:.1f}", value=tenth["from"]),
            count_cell(tenth["rows"], of=max(t["rows"] for t in tenths)),
            Cell(write_percent(tenth["confidence"]), value=tenth["confidence"]),
            Cell(write_percent(tenth["accuracy"]), value=tenth["accuracy"]),
        ]
        for tenth in tenths
    ]
    columns = [
        Column("confidence"),
        Column("rows", is_number=True, has_bars=True),
        Column("mean confidence", is_number=True),
        Column("predicted rightly", is_number=True),
    ]
    said = ", ".join(
        f"{write_percent(t['accuracy'])} right at {write_percent(t['confidence'])}" for t in tenths
    )
    figure = Figure(
        _draw_calibration(tenths),
        "Share predicted rightly by confidence; the dashed line is where they agree",
        f"Calibration: {said}.",
    )
    parts: list[Part] = [figure, Table("In numbers", columns, rows)]
    lead = "Where the points lie under the line, the probabilities promise too much."
    return [Section("calibration", "Calibration", parts, lead)]


def _draw_calibration(tenths: list[Mapping[str, Any]]) -> str:
    most = max(tenth["rows"] for tenth in tenths)

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
        confidence = [tenth["confidence"] for tenth in tenths]
        accuracy = [tenth["accuracy"] for tenth in tenths]
        axes.plot(confidence, accuracy, color=BLUE, linewidth=1.6)
        sizes = [18 + 90 * tenth["rows"] / most for tenth in tenths]
        axes.scatter(confidence, accuracy, s=sizes, color=BLUE, zorder=3)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.04)
        axes.set_aspect("equal")
        axes.set_xlabel("confidence")
        axes.set_ylabel("predicted rightly")

    return draw_inline("calibration", draw, width=4.2, height=3.6)
