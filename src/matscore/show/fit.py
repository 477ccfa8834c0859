"""Learned weights on a terminal: how well they fit, and a table shaded by size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.text import Text

from matscore.colors import Heat
from matscore.names import quote_name
from matscore.show.table import Column, Table
from matscore.show.text import DIM, HEAD, Signs, format_numbers, plural, print_lines, show_shape

if TYPE_CHECKING:
    from matscore.commands.fit import FitSummary
    from matscore.numerics.learn import Learned

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
    while len(shown) > 2 and Table(shown, signs).count_cells() > console.width:
        shown.pop()
    print_lines(console, Table(shown, signs).render(console.width))
    rest = []
    if n_features > max_rows:
        rest.append(f"{signs.ellipsis} and {plural(n_features - max_rows, 'more feature')}")
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
        numbers = format_numbers(weights[:, j].tolist())
        cells = zip(places[:, j], numbers, strict=True)
        shaded = [heat.shade(place, number, "") for place, number in cells]
        texts, styles = [text for text, _ in shaded], [style for _, style in shaded]
        columns.append(Column(signs.show(target), texts, styles, is_numeric=True))
    return columns
