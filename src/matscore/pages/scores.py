"""The pages of ``classify`` and ``recommend``: what is best for whom, how surely, from what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from matscore.numerics.sketch import Sketch
from matscore.numerics.statistics import MAX_FEATURES, CloseRow, RankStatistics, ScoreStatistics
from matscore.pages.charts import BLUE, INK, draw_histogram, draw_inline
from matscore.pages.page import (
    Cell,
    Column,
    Figure,
    Pair,
    Section,
    Table,
    cut,
    heat_cells,
    say_hidden,
)
from matscore.show.text import show_number, show_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from matscore.commands.classify import ScoreTally
    from matscore.model import Model
    from matscore.pages.report import Run, Sections
    from matscore.run.run import Summary

MOST_WEIGHTS, MOST_SHADED = 200, 40
_MOST_ITEMS = 25
_RANKS = {
    "lowest": 0.0, "5%": 0.05, "25%": 0.25, "median": 0.5, "75%": 0.75, "95%": 0.95, "highest": 1.0,
}  # fmt: skip
_RANKS_NOTE = "The lowest and the highest are exact, the others at most 1.6% nearer to 0."


def show_scores(run: Run) -> Sections:
    """Return what was predicted, how surely, the closest and the first rows; and the sources."""
    summary: Summary[ScoreTally] = run.summary
    plan, tally = summary.plans[0], summary.tally
    statistics = cast("ScoreStatistics", tally.statistics)
    results = [
        *_show_categories(summary),
        *_show_distributions(statistics),
        *_show_closest(statistics, tally.categories, plan.label_name),
        *_show_first(statistics, summary),
    ]
    model = run.summary.works[0].model
    features = _show_features(
        statistics.features, [plan.feature_names[i] for i in model.measured.tolist()]
    )
    return results, [*features, show_weights(model, plan.feature_names)]


def _show_categories(summary: Summary[ScoreTally]) -> list[Section]:
    tally, n_rows = summary.tally, summary.n_rows
    if not n_rows or not tally.won.any():
        return []
    counts = [(Cell.of_text(name), n) for name, n in tally.counts.items()]
    if tally.n_empty:
        counts.append((Cell("no prediction"), tally.n_empty))
    most = max(n for _, n in counts)
    rows = [[name, Cell.of_count(n, of=most), Cell.of_share(n, n_rows)] for name, n in counts]
    headings = [Column("category"), Column.of_bars("rows"), *Column.of_numbers("share")]
    return [Section("categories", "What was predicted", [Table("Rows a category", headings, rows)])]


def _show_distributions(statistics: ScoreStatistics) -> list[Section]:
    figures, rows = [], []
    if statistics.margin.n_numbers[0]:
        words = "margin: the best score less the runner-up"
        figures.append(_draw("Margins", statistics.margin, words))
        rows.append([Cell("margin"), *_quantile_cells(statistics.margin, 0)])
    if statistics.best.n_numbers[0]:
        figures.append(_draw("Best scores", statistics.best, "the best score of a row"))
        rows.append([Cell("best score"), *_quantile_cells(statistics.best, 0)])
    if not figures:
        return []
    columns = [Column("what"), *Column.of_numbers(*_RANKS)]
    table = Table("In numbers", columns, rows, _RANKS_NOTE)
    lead = "The smaller a row's margin, the less it takes to change its category."
    return [Section("distributions", "How surely", [Pair(figures), table], lead)]


def _draw(caption: str, sketch: Sketch, words: str) -> Figure:
    low, middle, high = (show_number(v, 3) for v in sketch.quantiles(0, [0.0, 0.5, 1.0]))
    is_best = caption == "Best scores"
    name = "best" if is_best else "margin"
    chart = draw_histogram(name, sketch, words, orange=is_best, from_zero=not is_best)
    alt = f"Histogram of {words}: from {low} to {high}, half of the rows under {middle}."
    return Figure(chart, f"{caption}; the dashed line is the median", alt)


def _quantile_cells(sketch: Sketch, place: int) -> list[Cell]:
    """Return cells with the numbers of `_RANKS` in a column of a sketch."""
    return [Cell.of_number(value) for value in sketch.quantiles(place, [*_RANKS.values()])]


def _show_closest(
    statistics: ScoreStatistics, categories: Sequence[str], label_name: str
) -> list[Section]:
    label = "label" if label_name == "row" else cut(label_name)[0].strip() or "label"
    # A tie has no margin at all; ties would fill the table of the smallest.
    tables = [
        _list_rows("The smallest margins", statistics.closest, categories, label),
        _list_rows("Ties, the first of them", statistics.tied, categories, label),
    ]
    parts = [table for table in tables if table.rows]
    if statistics.tied:
        note = "A tie goes to the first category in the weights' order."
        parts[-1] = replace(parts[-1], note=note)
    lead = "The rows to look at by hand."
    return [Section("closest", "Closest calls", parts, lead)] if parts else []


def _list_rows(
    caption: str, close: Sequence[CloseRow], categories: Sequence[str], label: str
) -> Table:
    score, number, margin = Column.of_numbers("score", "row number", "margin")
    predicted, second = Column("predicted"), Column("runner-up")
    columns = [Column(label), number, predicted, score, second, score, margin]
    rows = [
        [
            Cell.of_text(row.label),
            Cell.of_count(row.number),
            Cell.of_text(categories[row.best]),
            Cell.of_number(row.best_score),
            Cell.of_text(categories[row.second]),
            Cell.of_number(row.second_score),
            Cell.of_number(row.margin),
        ]
        for row in close
    ]
    return Table(caption, columns, rows)


def _show_first(statistics: ScoreStatistics, summary: Summary[ScoreTally]) -> list[Section]:
    if not statistics.first:
        return []
    names = summary.tally.categories
    shaded = heat_cells(np.array([row.scores[:MOST_SHADED] for row in statistics.first]))
    rows = []
    for row, cells in zip(statistics.first, shaded, strict=True):
        if 0 <= row.best < len(cells):  # the best may be one of those that are not shown
            cells[row.best] = replace(cells[row.best], mark="best")
        predicted = Cell.of_text(names[row.best]) if row.best >= 0 else Cell("–")
        rows.append([Cell.of_text(row.label), *cells, predicted])
    columns = [
        Column.of_name(summary.plans[0].label_name.strip() or "label", is_number=False),
        *(Column.of_name(name) for name in names[:MOST_SHADED]),
        Column("prediction"),
    ]
    note = say_hidden(len(names) - MOST_SHADED, "categories")
    table = Table("Scores of the first rows", columns, rows, note, is_heat=True)
    return [Section("first", "First rows", [table])]


def _show_features(sketch: Sketch, names: Sequence[str]) -> list[Section]:
    """Return the section with the ranges of the first features; none where no row was scored.

    `names` are of all features, in canonical order.
    """
    if not len(sketch.low) or not sketch.n_numbers.any():
        return []
    rows = [
        [
            Cell.of_text(name),
            *_quantile_cells(sketch, i),
            Cell.of_count(int(sketch.zero[i])),
            Cell.of_count(int(sketch.missing[i])),
        ]
        for i, name in enumerate(names[:MAX_FEATURES])
    ]
    columns = [Column("feature"), *Column.of_numbers(*_RANKS, "zeros", "missing")]
    note = say_hidden(len(names) - MAX_FEATURES, "features")
    table = Table("Ranges of the features in this input", columns, rows, note)
    lead = "A value far from the others often is a wrong unit or a slipped comma."
    return [Section("features", "Features", [table], lead)]


def show_weights(model: Model, names: Sequence[str]) -> Section:
    """Return the section with a model's weights, shaded; `names` are of its features."""
    n_features, n_categories = model.weights.shape
    cells = heat_cells(model.weights[:MOST_WEIGHTS, :MOST_SHADED])
    named = zip(names[:MOST_WEIGHTS], cells, strict=True)
    rows = [[Cell.of_text(name), *row] for name, row in named]
    if model.intercept is not None:
        added = (Cell.of_number(float(value)) for value in model.intercept[:MOST_SHADED])
        rows.append([Cell("intercept"), *added])
    categories = (Column.of_name(name) for name in model.categories[:MOST_SHADED])
    notes = (
        say_hidden(n_features - MOST_WEIGHTS, "features"),
        say_hidden(n_categories - MOST_SHADED, "categories"),
    )
    note = " ".join(filter(None, notes))
    table = Table("Weights", [Column("feature"), *categories], rows, note, is_heat=True)
    lead = "What one unit of a feature adds to the score of each category."
    return Section("weights", "Weights", [table], lead)


def show_recommendations(run: Run) -> Sections:
    """Return the scores by rank, the items; and the users' features. Of a matrix there is none."""
    tally, plan = run.summary.tally, run.summary.plans[0]
    statistics: RankStatistics | None = tally.statistics
    if statistics is None:
        return [], []
    features = _show_features(statistics.features, plan.feature_names)
    if not tally.n_pairs:
        return [], features
    items = _show_items(statistics.chosen, plan.categories, run.summary.n_rows)
    return [_show_scores(statistics.by_rank), items], features


def _show_scores(by_rank: Sketch) -> Section:
    ranks = [i for i, n in enumerate(by_rank.n_numbers.tolist()) if n]
    rows = [
        [
            Cell(str(i + 1), value=float(i + 1)),
            Cell.of_count(int(by_rank.n_numbers[i])),
            *_quantile_cells(by_rank, i),
        ]
        for i in ranks
    ]
    table = Table("In numbers", Column.of_numbers("rank", "users", *_RANKS), rows, _RANKS_NOTE)
    lead = "How fast scores fall with the rank: where they are level, the order says little."
    return Section("ranks", "Score by rank", [_draw_ranks(by_rank, ranks), table], lead)


def _draw_ranks(by_rank: Sketch, ranks: Sequence[int]) -> Figure:
    """Draw the median of each rank within its middle half and its middle nine tenths."""
    scores = np.array([by_rank.quantiles(i, (0.05, 0.25, 0.5, 0.75, 0.95)) for i in ranks])
    at = np.array(ranks) + 1

    def draw(axes: Axes) -> None:
        for low, high, alpha in ((0, 4, 0.22), (1, 3, 0.4)):
            bottom, height = scores[:, low], scores[:, high] - scores[:, low]
            axes.bar(at, height, 0.62, bottom, color=BLUE, alpha=alpha, linewidth=0)
        axes.plot(at, scores[:, 2], color=INK, linewidth=1.2, marker="o", markersize=3.5)
        axes.set_xticks(at)
        axes.set_xlim(0.4, at[-1] + 0.6)
        axes.set_xlabel("rank")
        axes.set_ylabel("score")
        axes.grid(visible=False, axis="x")

    first, last = show_number(scores[0, 2], 3), show_number(scores[-1, 2], 3)
    alt = (
        f"Scores by rank: the median falls from {first} at rank 1 to {last} at rank {at[-1]}; "
        "the numbers are in the table below."
    )
    caption = "Median score, with the middle half and the middle 90% of users"
    return Figure(draw_inline("ranks", draw, width=6.4, height=2.8), caption, alt)


def _show_items(chosen: NDArray[np.int64], names: Sequence[str], n_users: int) -> Section:
    n_items, n_used = len(chosen), int((chosen > 0).sum())
    # Of items that are recommended equally often the first goes first.
    order = np.lexsort((np.arange(n_items), -chosen))[: min(_MOST_ITEMS, n_used)].tolist()
    rows = [
        [Cell.of_text(names[i]), Cell.of_count(n, of=int(chosen.max())), Cell.of_share(n, n_users)]
        for i in order
        for n in [int(chosen[i])]
    ]
    columns = [Column("item"), Column.of_bars("users"), *Column.of_numbers("of all users")]
    hidden = n_used - len(rows)
    note = f"{hidden:,} more items were recommended." if hidden > 0 else ""
    most = Table("Items recommended most", columns, rows, note)
    share = show_percent(n_used / n_items)
    lead = f"{n_used:,} of {n_items:,} items ({share}) were recommended to somebody."
    return Section("items", "Item coverage", [Pair([most, _concentrate(chosen)])], lead)


def _concentrate(chosen: NDArray[np.int64]) -> Table:
    """Say how much of all recommendations the items take that are recommended most."""
    ordered = np.sort(chosen)[::-1]
    total, rows = int(ordered.sum()), []
    for share in (0.01, 0.05, 0.1, 0.25, 0.5, 1.0):
        n = max(round(share * len(ordered)), 1)
        first = Cell(f"first {share:.0%}", value=share)
        rows.append([first, Cell.of_count(n), Cell.of_share(int(ordered[:n].sum()), total)])
    columns = [Column("of the items"), *Column.of_numbers("items", "of all recommendations")]
    return Table("How they are spread", columns, rows)
