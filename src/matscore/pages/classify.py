"""The page of ``classify``: what was predicted, how surely, from what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from matscore.numerics.sketch import Sketch
from matscore.numerics.statistics import MAX_FEATURES, CloseRow, ScoreStatistics
from matscore.pages.charts import draw_histogram
from matscore.pages.parts import (
    BARS,
    Cell,
    Column,
    Figure,
    Pair,
    Part,
    Section,
    Table,
    column,
    count_cell,
    cut,
    heat_cells,
    number_cell,
    percent_cell,
    text_cell,
    write_number,
)

if TYPE_CHECKING:
    from matscore.commands.classify_rows import ScoreTally
    from matscore.model import Model
    from matscore.run.summary import Summary

MOST_WEIGHTS, MOST_SHADED = 200, 40
_SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
HEADINGS = ("lowest", "5%", "25%", "median", "75%", "95%", "highest")


def show_scores(summary: Summary[ScoreTally]) -> list[Section]:
    """Return the sections about the scores.

    Parameters
    ----------
    summary : Summary
        With statistics for a page.

    Returns
    -------
    list of Section
        What was predicted, how surely, the closest rows, the first rows.
    """
    found = cast("ScoreStatistics", summary.tally.statistics)
    return [
        *_show_categories(summary),
        *_show_distributions(found),
        *_show_closest(found, summary.tally.categories, summary.plans[0].label_name),
        *_show_first(found, summary),
    ]


def show_sources_of_scores(summary: Summary[ScoreTally]) -> list[Section]:
    """Return the sections about the features and the weights."""
    found = cast("ScoreStatistics", summary.tally.statistics)
    names = summary.plans[0].feature_names
    return [
        *show_features(found.features, names),
        *show_weights(summary.works[0].model, names),  # type: ignore[attr-defined]
    ]


def _show_categories(summary: Summary[ScoreTally]) -> list[Section]:
    tally, n_rows = summary.tally, summary.n_rows
    if not n_rows or not tally.won.any():
        return []
    most = max(int(tally.won.max()), tally.n_empty)
    rows = [
        [text_cell(name), count_cell(n, of=most), percent_cell(n, n_rows)]
        for name, n in tally.counts.items()
    ]
    if tally.n_empty:
        rows.append(
            [Cell("no prediction"), count_cell(tally.n_empty, of=most),
             percent_cell(tally.n_empty, n_rows)]
        )  # fmt: skip
    headings = [Column("category"), BARS, Column("share", True)]
    return [Section("categories", "What was predicted", [Table("Rows a category", headings, rows)])]


def _show_distributions(found: ScoreStatistics) -> list[Section]:
    parts: list[Part] = []
    figures, rows = [], []
    for name, sketch, words, from_zero in (
        ("margin", found.margin, "margin: the best score less the runner-up", True),
        ("best", found.best, "the best score of a row", False),
    ):
        if int(sketch.n_numbers[0]):
            figures.append(_draw(name, sketch, words, from_zero=from_zero))
            heading = "margin" if name == "margin" else "best score"
            rows.append([Cell(heading), *quantile_cells(sketch, 0)])
    if not figures:
        return []
    columns = [Column("what"), *(Column(name, True) for name in HEADINGS)]
    note = "The lowest and the highest are exact, the others at most 1.6% nearer to 0."
    parts = [Pair(figures), Table("In numbers", columns, rows, note)]
    lead = "The smaller a row's margin, the less it takes to change its category."
    return [Section("distributions", "How surely", parts, lead)]


def _draw(name: str, sketch: Sketch, words: str, *, from_zero: bool) -> Figure:
    low, middle, high = (write_number(v, 3) for v in sketch.quantiles(0, [0.0, 0.5, 1.0]))
    chart = draw_histogram(name, sketch, words, orange=name == "best", from_zero=from_zero)
    caption = "Margins" if name == "margin" else "Best scores"
    alt = f"Histogram of {words}: from {low} to {high}, half of the rows under {middle}."
    return Figure(chart, f"{caption}; the dashed line is the median", alt)


def quantile_cells(sketch: Sketch, place: int) -> list[Cell]:
    """Return cells with the ranks of `HEADINGS` in a column of a sketch."""
    return [number_cell(value) for value in sketch.quantiles(place, _SHARES)]


def _show_closest(
    found: ScoreStatistics, categories: Sequence[str], label_name: str
) -> list[Section]:
    parts: list[Part] = []
    label = "label" if label_name == "row" else cut(label_name)[0]
    if found.closest:
        parts.append(_list_rows("The smallest margins", found.closest, categories, label))
    if found.tied:
        note = "A tie goes to the first category in the weights' order."
        parts.append(_list_rows("Ties, the first of them", found.tied, categories, label, note))
    if not parts:
        return []
    return [Section("closest", "Closest calls", parts, "The rows to look at by hand.")]


def _list_rows(
    caption: str,
    rows: Sequence[CloseRow],
    categories: Sequence[str],
    label: str,
    note: str = "",
) -> Table:
    columns = [
        Column(label),
        Column("row number", True),
        Column("predicted"),
        Column("score", True),
        Column("runner-up"),
        Column("score", True),
        Column("margin", True),
    ]
    return Table(
        caption,
        columns,
        [
            [
                text_cell(row.label),
                count_cell(row.number),
                text_cell(categories[row.best]),
                number_cell(row.best_score),
                text_cell(categories[row.second]),
                number_cell(row.second_score),
                number_cell(row.margin),
            ]
            for row in rows
        ],
        note,
    )


def _show_first(found: ScoreStatistics, summary: Summary[ScoreTally]) -> list[Section]:
    if not found.first:
        return []
    names = summary.tally.categories
    shaded = heat_cells(np.array([row.scores[:MOST_SHADED] for row in found.first]))
    rows = []
    for row, cells in zip(found.first, shaded, strict=True):
        marked = [
            Cell(c.text, c.title, c.value, c.level, None, "best" if i == row.best else "")
            for i, c in enumerate(cells)
        ]
        predicted = text_cell(names[row.best]) if row.best >= 0 else Cell("–")
        rows.append([text_cell(row.label), *marked, predicted])
    columns = [
        column(summary.plans[0].label_name),
        *(column(name, is_number=True) for name in names[:MOST_SHADED]),
        Column("prediction"),
    ]
    hidden = len(names) - MOST_SHADED
    note = f"{hidden:,} more categories are not shown." if hidden > 0 else ""
    table = Table("Scores of the first rows", columns, rows, note, is_heat=True)
    return [Section("first", "First rows", [table])]


def show_features(sketch: Sketch, names: Sequence[str]) -> list[Section]:
    """Return the section with the ranges of the features.

    Parameters
    ----------
    sketch : Sketch
        Of the first features.
    names : sequence of str
        Of all features, in canonical order.

    Returns
    -------
    list of Section
        One, or none where no row was scored.
    """
    if not len(sketch.low) or not sketch.n_numbers.any():
        return []
    rows = [
        [
            text_cell(name),
            *quantile_cells(sketch, i),
            count_cell(int(sketch.zero[i])),
            count_cell(int(sketch.missing[i])),
        ]
        for i, name in enumerate(names[:MAX_FEATURES])
    ]
    columns = [
        Column("feature"),
        *(Column(name, True) for name in HEADINGS),
        Column("zeros", True),
        Column("missing", True),
    ]
    hidden = len(names) - MAX_FEATURES
    note = f"{hidden:,} more features are not shown." if hidden > 0 else ""
    table = Table("Ranges of the features in this input", columns, rows, note)
    lead = "A value far from the others often is a wrong unit or a slipped comma."
    return [Section("features", "Features", [table], lead)]


def show_weights(model: Model, names: Sequence[str]) -> list[Section]:
    """Return the section with a model's weights, shaded.

    Parameters
    ----------
    model : Model
        The weights.
    names : sequence of str
        Its features, in canonical order.

    Returns
    -------
    list of Section
        One.
    """
    n_features, n_categories = model.weights.shape
    shown = model.weights[:MOST_WEIGHTS, :MOST_SHADED]
    cells = heat_cells(shown)
    named = zip(names[:MOST_WEIGHTS], cells, strict=True)
    rows = [[text_cell(name), *row] for name, row in named]
    if model.intercept is not None:
        added = (number_cell(float(value)) for value in model.intercept[:MOST_SHADED])
        rows.append([Cell("intercept"), *added])
    columns = [
        Column("feature"),
        *(column(name, is_number=True) for name in model.categories[:MOST_SHADED]),
    ]
    notes = []
    if n_features > MOST_WEIGHTS:
        notes.append(f"{n_features - MOST_WEIGHTS:,} more features are not shown.")
    if n_categories > MOST_SHADED:
        notes.append(f"{n_categories - MOST_SHADED:,} more categories are not shown.")
    table = Table("Weights", columns, rows, " ".join(notes), is_heat=True)
    lead = "What one unit of a feature adds to the score of each category."
    return [Section("weights", "Weights", [table], lead)]
