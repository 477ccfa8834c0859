"""The page of ``fit``: how well the weights fit, and what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from matscore.model import Model
from matscore.pages.classify import MOST_WEIGHTS, show_weights
from matscore.pages.evaluate import show_measures
from matscore.pages.page import Cell, Column, Notes, Section, Table, show_line

if TYPE_CHECKING:
    from matscore.numerics.learn import Learned
    from matscore.pages.report import Run

_MEASURES = {
    "alpha": "penalty on the weights; 0 for none",
    "rank": "features that are no combination of others",
    "condition": "how much a change of the targets can grow in the weights",
    "accuracy": "of the rows that it learned from",
    "log_loss": "of the rows that it learned from",
}


def show_results(run: Run) -> list[Section]:
    """Return how well the weights fit, and the weights."""
    facts: Mapping[str, Any] = run.facts["fit"]
    learned: Learned = run.summary.learned
    warnings = [show_line(text) for text in run.summary.warnings]
    parts: list[Notes | Table] = [Notes(warnings)] if warnings else []
    parts.append(show_measures(_MEASURES, facts, (Cell("method"), Cell.of_text(learned.method))))
    if facts.get("r2"):
        parts.append(_show_targets(facts["r2"]))
    lead = "Measured on the rows that it learned from: on others it will be less."
    model = Model(learned.weights, learned.intercept, learned.targets)
    return [
        Section("quality", "How well it fits", parts, lead),
        show_weights(model, learned.features),
    ]


def show_sources(_run: Run) -> list[Section]:
    """Return nothing: the weights are the result."""
    return []


def _show_targets(r2: Mapping[str, float | None]) -> Table:
    def fill(share: float | None) -> Cell:
        if share is None:
            return Cell("–")
        return Cell(f"{share:.4f}", value=share, bar=min(max(share, 0.0), 1.0))

    rows = [[Cell.of_text(name), fill(share)] for name, share in list(r2.items())[:MOST_WEIGHTS]]
    columns = [Column("target"), Column.of_bars("R²")]
    note = "R² is the share of a target's variance that the weights explain."
    return Table("Target by target", columns, rows, note)
