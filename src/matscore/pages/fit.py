"""The page of ``fit``: how well the weights fit, and what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matscore.model import Model
from matscore.names import show
from matscore.pages.classify import MOST_WEIGHTS, show_weights
from matscore.pages.parts import (
    Cell,
    Column,
    Notes,
    Part,
    Section,
    Table,
    number_cell,
    text_cell,
)

if TYPE_CHECKING:
    from matscore.numerics.learn import Learned

_MEASURES = {
    "alpha": "penalty on the weights; 0 for none",
    "rank": "features that are no combination of others",
    "condition": "how much a change of the targets can grow in the weights",
    "accuracy": "of the rows that it learned from",
    "log_loss": "of the rows that it learned from",
}


def show_fit(found: Mapping[str, Any], learned: Learned, warnings: Sequence[str]) -> list[Section]:
    """Return the sections about weights that were learned.

    Parameters
    ----------
    found : dict
        ``fit`` of the JSON report.
    learned : Learned
        The weights.
    warnings : sequence of str
        What a person should know before they are used.

    Returns
    -------
    list of Section
        How well they fit, and the weights.
    """
    measures = [[Cell("method"), text_cell(learned.method), Cell("")]]
    measures += [
        [Cell(name.replace("_", " ")), number_cell(found[name]), Cell(words)]
        for name, words in _MEASURES.items()
        if found.get(name) is not None
    ]
    columns = [Column("measure"), Column("value", is_number=True), Column("meaning")]
    parts: list[Part] = [Table("All in all", columns, measures)]
    if found.get("r2"):
        parts.append(_show_targets(found["r2"]))
    if warnings:
        parts.insert(0, Notes([show(text[:500]) for text in warnings]))
    lead = "Measured on the rows that it learned from: on others it will be less."
    model = Model(learned.weights, learned.intercept, learned.targets)
    return [
        Section("quality", "How well it fits", parts, lead),
        *show_weights(model, learned.features),
    ]


def _show_targets(r2: Mapping[str, float | None]) -> Table:
    rows = [
        [
            text_cell(name),
            Cell("–")
            if share is None
            else Cell(f"{share:.4f}", value=share, bar=min(max(share, 0.0), 1.0)),
        ]
        for name, share in list(r2.items())[:MOST_WEIGHTS]
    ]
    columns = [Column("target"), Column("R²", is_number=True, has_bars=True)]
    note = "R² is the share of a target's variance that the weights explain."
    return Table("Target by target", columns, rows, note)
