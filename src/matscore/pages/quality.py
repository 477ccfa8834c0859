"""The pages of ``evaluate`` and ``fit``: how good predictions are, how well weights fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matscore.colors import LEVELS
from matscore.model import Model
from matscore.pages.binary import PROMISE, draw_calibration, show_binary
from matscore.pages.page import (
    Cell,
    Column,
    Notes,
    Section,
    Table,
    heat_cells,
    say_hidden,
    show_line,
)
from matscore.pages.scores import MOST_SHADED, MOST_WEIGHTS, show_weights

if TYPE_CHECKING:
    from matscore.numerics.learn import Learned
    from matscore.pages.report import Run, Sections

Facts = Mapping[str, Any]  # of the JSON report
_MEASURES = {
    "accuracy": "rows predicted rightly",
    "balanced_accuracy": "mean recall of the categories that have rows",
    "macro_precision": "mean precision of the categories",
    "macro_recall": "mean recall of the categories",
    "macro_f1": "mean F1 of the categories",
    "log_loss": "mean of -log(probability of the truth)",
}
_MEASURES_OF_FIT = {
    "alpha": "penalty on the weights; 0 for none",
    "rank": "features that are no combination of others",
    "condition": "how much a change of the targets can grow in the weights",
    "accuracy": "of the rows that it learned from",
    "log_loss": "of the rows that it learned from",
}


def show_evaluation(run: Run) -> Sections:
    """Return the measures, the confusion matrix, calibration; and the weights."""
    facts: Facts = run.facts["evaluation"]
    weights = [show_weights(run.summary.works[0].model, run.summary.plans[0].feature_names)]
    if not facts["rows"]:
        return [], weights
    whole = _show_measures(_MEASURES, facts)
    measures = Section("measures", "How good", [whole, _list_categories(facts)])
    compared = show_binary(run.summary.tally.metrics)
    sections = [measures, _show_confusion(facts), *_show_calibration(facts), *compared]
    return sections, weights


def show_fit(run: Run) -> Sections:
    """Return how well the weights fit, and the weights, which are the result."""
    facts: Facts = run.facts["fit"]
    learned: Learned = run.summary.learned
    warnings = [show_line(text) for text in run.summary.warnings]
    parts: list[Notes | Table] = [Notes(warnings)] if warnings else []
    method = Cell("method"), Cell.of_text(learned.method)
    parts.append(_show_measures(_MEASURES_OF_FIT, facts, method))
    if facts.get("r2"):
        parts.append(_show_targets(facts["r2"]))
    lead = "Measured on the rows that it learned from: on others it will be less."
    model = Model(learned.weights, learned.intercept, learned.targets)
    quality = Section("quality", "How well it fits", parts, lead)
    return [quality, show_weights(model, learned.features)], []


def _show_targets(r2: Mapping[str, float | None]) -> Table:
    def fill(share: float | None) -> Cell:
        if share is None:
            return Cell("–")
        return Cell(f"{share:.4f}", value=share, bar=min(max(share, 0.0), 1.0))

    rows = [[Cell.of_text(name), fill(share)] for name, share in list(r2.items())[:MOST_WEIGHTS]]
    columns = [Column("target"), Column.of_bars("R²")]
    note = "R² is the share of a target's variance that the weights explain."
    return Table("Target by target", columns, rows, note)


def _show_measures(
    meanings: Mapping[str, str], facts: Facts, first: tuple[Cell, Cell] | None = None
) -> Table:
    """Return a table of measures, by their names in the report, and what they mean."""
    rows = [] if first is None else [[*first, Cell("")]]
    rows += [
        [Cell(name.replace("_", " ")), Cell.of_number(facts[name]), Cell(meaning)]
        for name, meaning in meanings.items()
        if name in facts and (first is None or facts[name] is not None)
    ]
    return Table(
        "All in all", [Column("measure"), *Column.of_numbers("value"), Column("meaning")], rows
    )


def _list_categories(facts: Facts) -> Table:
    names = list(facts["categories"])[: 5 * MOST_SHADED]
    categories = [facts["categories"][name] for name in names]
    shares = [[row[key] for key in ("precision", "recall", "f1")] for row in categories]
    shaded = heat_cells(np.array(shares, dtype=np.float64), 4)  # NaN for None
    rows = [
        [
            Cell.of_text(name),
            Cell.of_count(row["support"]),
            Cell.of_count(row["predicted"]),
            *(_shade(cell, 1.0) for cell in cells),
        ]
        for name, row, cells in zip(names, categories, shaded, strict=True)
    ]
    headings = Column.of_numbers("rows", "predicted", "precision", "recall", "F1")
    note = say_hidden(len(facts["categories"]) - len(names), "categories")
    columns = [Column("category"), *headings]
    return Table("Category by category", columns, rows, note, is_heat=True)


def _shade(cell: Cell, whole: float) -> Cell:
    """Shade a share by its own size, from nothing to the whole."""
    # By the scale of all cells a matrix of equal shares would be as dark as a perfect one.
    if cell.value is None or np.isnan(cell.value):
        return Cell("–")
    return replace(cell, level=round(LEVELS * cell.value / whole))


def _show_confusion(facts: Facts) -> Section:
    names = list(facts["confusion"])[:MOST_SHADED]
    rows = []
    for truth in names:
        counts = facts["confusion"][truth]
        support = facts["categories"][truth]["support"] or 1
        rows.append(
            [Cell.of_text(truth), *(_shade(Cell.of_count(counts[name]), support) for name in names)]
        )
    columns = [Column("truth"), *(Column.of_name(name) for name in names)]
    note = "A column for each prediction; shaded by the share of the truth's rows."
    hidden = say_hidden(len(facts["confusion"]) - len(names), "categories")
    note = f"{note} {hidden}".rstrip()
    table = Table("Rows by truth and prediction", columns, rows, note, is_heat=True)
    lead = "The diagonal is right; what stands beside it is taken for something else."
    return Section("confusion", "Confusion matrix", [table], lead)


def _show_calibration(facts: Facts) -> list[Section]:
    tenths = [tenth for tenth in facts["calibration"] if tenth["rows"]]
    if not tenths:
        return []
    keys = ("from", "rows", "confidence", "accuracy")
    points = [tuple(tenth[key] for key in keys) for tenth in tenths]
    parts = draw_calibration("calibration", points, ("confidence", "predicted rightly", "right"))
    return [Section("calibration", "Calibration", parts, PROMISE)]
