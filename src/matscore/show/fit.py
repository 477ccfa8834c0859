"""Learned weights on a terminal: how well they fit, and a table shaded by size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.text import Text

from matscore.names import quote_name
from matscore.show.columns import DIM, HEAD, Column, count_cells, render_columns
from matscore.show.heat import Heat, has_many_colors
from matscore.show.text import format_numbers, plural, show_shape, signs_for

if TYPE_CHECKING:
    from matscore.commands.fit import FitSummary
    from matscore.numerics.learn import Learned

_MOST_TARGETS = 5


def list_quality(learned: Learned) -> list[str]:
    """Say how well the weights fit the rows that they were learned from.

    Parameters
    ----------
    learned : Learned
        What was learned.

    Returns
    -------
    list of str
        Sentences without an end.
    """
    penalty = f", alpha {learned.alpha:g}" if learned.alpha else ""
    found = [f"{learned.method}{penalty}, {plural(learned.n_rows, 'row')}"]
    if learned.r2 is not None:
        pairs = list(zip(learned.targets, learned.r2.tolist(), strict=True))
        shown = [f"{quote_name(name)} {_short(value)}" for name, value in pairs[:_MOST_TARGETS]]
        rest = f" and {len(pairs) - _MOST_TARGETS} more" if len(pairs) > _MOST_TARGETS else ""
        found.append(f"R²: {', '.join(shown)}{rest}")
    if learned.accuracy is not None and learned.log_loss is not None:
        found.append(
            f"on these rows: accuracy {learned.accuracy:.4f}, log-loss {learned.log_loss:.4f}"
        )
    if learned.rank is not None and learned.condition is not None:
        found.append(
            f"rank {learned.rank} of {len(learned.features)}, condition {learned.condition:.3g}"
        )
    return found


def _short(value: float) -> str:
    return "unknown, as it does not vary" if math.isnan(value) else f"{value:.6g}"


def render_fit(found: FitSummary, console: Console, *, max_rows: int) -> None:
    """Print learned weights and how well they fit.

    Parameters
    ----------
    found : FitSummary
        What was learned.
    console : Console
        Where to print; its width and encoding decide what is shown.
    max_rows : int
        Features that are shown; the intercept is always.
    """
    learned, signs = found.learned, signs_for(console)
    n_features, n_targets = learned.weights.shape
    weights = show_shape(n_features, n_targets, signs)
    features = show_shape(found.n_rows, n_features, signs)
    scores = show_shape(found.n_rows, n_targets, signs)
    equation = f"{features} {signs.dot} {weights} {signs.about} {scores}"
    console.print(Text(equation, style=HEAD), soft_wrap=True)
    for fact in list_quality(learned):
        console.print(Text(signs.show(fact)))
    console.print("")
    heat = Heat(signs, has_many_colors(console))
    columns = _list_columns(learned, heat, max_rows)
    shown = columns
    while len(shown) > 2 and count_cells([column.width for column in shown]) > console.width:
        shown = shown[:-1]
    for line in render_columns(shown, console.width, signs):
        console.print(line, soft_wrap=True)
    rest = []
    if n_features > max_rows:
        rest.append(f"{signs.ellipsis} and {plural(n_features - max_rows, 'more feature')}")
    if len(shown) < len(columns):
        rest.append(f"{len(shown) - 1} of {n_targets:,} columns shown")
    for said in (*rest, heat.legend()):
        console.print(Text(said, style=DIM), soft_wrap=True)


def _list_columns(learned: Learned, heat: Heat, max_rows: int) -> list[Column]:
    """Return the names, and a shaded column a target; the intercept is not on the scale."""
    signs, weights = heat.signs, learned.weights[:max_rows]
    names = [signs.show(name) for name in learned.features[:max_rows]]
    places = heat.place(learned.weights)[:max_rows]
    if learned.intercept is not None:
        names.append("(Intercept)")
        weights = np.vstack([weights, learned.intercept])
        places = np.vstack([places, np.full(weights.shape[1], np.nan)])
    columns = [Column("feature", names, [""] * len(names), is_label=True)]
    for j, target in enumerate(learned.targets):
        texts = format_numbers(weights[:, j].tolist())
        cells = [
            heat.shade(place, text, "", False)
            for place, text in zip(places[:, j], texts, strict=True)
        ]
        columns.append(
            Column(
                signs.show(target),
                [text for text, _ in cells],
                [style for _, style in cells],
                is_numeric=True,
            )
        )
    return columns
