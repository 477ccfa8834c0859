"""The pages of ``classify`` and ``recommend``: what is best for whom, how surely, from what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from matscore.numerics.sketch import Sketch
from matscore.numerics.statistics import MAX_FEATURES, RankStatistics, ScoreStatistics
from matscore.pages.charts import BLUE, INK, ORANGE, draw_histogram, draw_inline
from matscore.pages.page import (
    Cell,
    Column,
    Figure,
    Pair,
    Section,
    Sections,
    Table,
    cut,
    heat_cells,
    say_hidden,
)
from matscore.show.table import show_number, show_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from matscore.commands.classify import ScoreTally
    from matscore.commands.users import RecommendTally
    from matscore.model import Model
    from matscore.run.run import Summary

MOST_WEIGHTS, MOST_SHADED = 200, 40
_MOST_ITEMS = 25
_RANKS = {
    "lowest": 0.0, "5%": 0.05, "25%": 0.25, "median": 0.5, "75%": 0.75, "95%": 0.95, "highest": 1.0,
}  # fmt: skip
_RANKS_NOTE = "The lowest and the highest are exact, the others at most 1.6% nearer to 0."


def show_scores(summary: Summary[ScoreTally]) -> Sections:
    """Return what was predicted, how surely, the closest and the first rows; and the sources."""
    plan, tally = summary.plans[0], summary.tally
    statistics = cast("ScoreStatistics", tally.statistics)
    results = [
        *_show_categories(summary),
        *_show_distributions(statistics),
        *_show_closest(statistics, tally.categories, plan.label_name),
        *_show_first(statistics, tally.categories, plan.label_name),
    ]
    model: Model = summary.works[0].model  # type: ignore[attr-defined]
    names = [plan.feature_names[i] for i in model.measured.tolist()]
    features = _show_features(statistics.features, names)
    return results, [*features, show_weights(model, plan.feature_names)]


def _show_categories(summary: Summary[ScoreTally]) -> list[Section]:
    tally, n_rows = summary.tally, summary.n_rows
    if not n_rows or not tally.won.any():
        return []
    names, counts = [*map(Cell.of_text, tally.counts)], [*tally.counts.values()]
    if tally.n_empty:
        names.append(Cell("no prediction"))
        counts.append(tally.n_empty)
    columns = [
        Column("category", names),
        Column.of_counts("rows", counts, most=max(counts)),
        Column.of_parts("share", counts, n_rows),
    ]
    return [Section("categories", "What was predicted", [Table("Rows a category", columns)])]


def _show_distributions(statistics: ScoreStatistics) -> list[Section]:
    margin, best = statistics.margin, statistics.best
    figures, shown = [], dict[str, Sketch]()
    if margin.n_numbers[0]:
        words = "margin: the best score less the runner-up"
        chart = draw_histogram("margin", margin, words, BLUE, from_zero=True)
        figures.append(_caption(chart, "Margins", words, margin))
        shown["margin"] = margin
    if best.n_numbers[0]:
        words = "the best score of a row"
        chart = draw_histogram("best", best, words, ORANGE)
        figures.append(_caption(chart, "Best scores", words, best))
        shown["best score"] = best
    if not figures:
        return []
    ranks = _list_ranks((sketch, 0) for sketch in shown.values())
    table = Table("In numbers", [Column.of_texts("what", shown), *ranks], _RANKS_NOTE)
    lead = "The smaller a row's margin, the less it takes to change its category."
    return [Section("distributions", "How surely", [Pair(figures), table], lead)]


def _caption(chart: str, caption: str, words: str, sketch: Sketch) -> Figure:
    low, middle, high = (show_number(v, 3) for v in sketch.quantiles(0, [0.0, 0.5, 1.0]))
    alt = f"Histogram of {words}: from {low} to {high}, half of the rows under {middle}."
    return Figure(chart, f"{caption}; the dashed line is the median", alt)


def _list_ranks(places: Iterable[tuple[Sketch, int]]) -> list[Column]:
    """Return columns of the numbers of `_RANKS`, of some columns of sketches."""
    rows = [sketch.quantiles(place, [*_RANKS.values()]) for sketch, place in places]
    columns = zip(_RANKS, zip(*rows, strict=True), strict=True)
    return [Column.of_numbers(name, values) for name, values in columns]


def _show_closest(
    statistics: ScoreStatistics, categories: Sequence[str], label_name: str
) -> list[Section]:
    label = "label" if label_name == "row" else cut(label_name)[0].strip() or "label"
    # A tie has no margin at all; ties would fill the table of the smallest.
    tables = {
        "The smallest margins": (statistics.closest, ""),
        "Ties, the first of them": (
            statistics.tied,
            "A tie goes to the first category in the weights' order.",
        ),
    }
    parts = [
        Table(
            caption,
            [
                Column.of_texts(label, (row.label for row in rows)),
                Column.of_counts("row number", (row.number for row in rows)),
                Column.of_texts("predicted", (categories[row.best] for row in rows)),
                Column.of_numbers("score", (row.best_score for row in rows)),
                Column.of_texts("runner-up", (categories[row.second] for row in rows)),
                Column.of_numbers("score", (row.second_score for row in rows)),
                Column.of_numbers("margin", (row.margin for row in rows)),
            ],
            note,
        )
        for caption, (rows, note) in tables.items()
        if rows
    ]
    lead = "The rows to look at by hand."
    return [Section("closest", "Closest calls", parts, lead)] if parts else []


def _show_first(
    statistics: ScoreStatistics, names: Sequence[str], label_name: str
) -> list[Section]:
    first = statistics.first
    if not first:
        return []
    shaded = heat_cells(np.array([row.scores[:MOST_SHADED] for row in first]))
    predicted = [Cell.of_text(names[row.best]) if row.best >= 0 else Cell("–") for row in first]
    for i, row in enumerate(first):
        if 0 <= row.best < len(shaded):  # the best may be one of those that are not shown
            shaded[row.best][i] = replace(shaded[row.best][i], mark="best")
    labels = [Cell.of_text(row.label) for row in first]
    columns = [
        Column.of_name(label_name.strip() or "label", labels, is_number=False),
        *(Column.of_name(*each) for each in zip(names[:MOST_SHADED], shaded, strict=True)),
        Column("prediction", predicted),
    ]
    note = say_hidden(len(names) - MOST_SHADED, "categories")
    table = Table("Scores of the first rows", columns, note, is_heat=True)
    return [Section("first", "First rows", [table])]


def _show_features(sketch: Sketch, names: Sequence[str]) -> list[Section]:
    """Return the section with the ranges of the first features; none where no row was scored.

    `names` are of all features, in canonical order.
    """
    if not len(sketch.low) or not sketch.n_numbers.any():
        return []
    shown = names[:MAX_FEATURES]
    columns = [
        Column.of_texts("feature", shown),
        *_list_ranks((sketch, i) for i in range(len(shown))),
        Column.of_counts("zeros", sketch.zero.tolist()),
        Column.of_counts("missing", sketch.missing.tolist()),
    ]
    note = say_hidden(len(names) - MAX_FEATURES, "features")
    table = Table("Ranges of the features in this input", columns, note)
    lead = "A value far from the others often is a wrong unit or a slipped comma."
    return [Section("features", "Features", [table], lead)]


def show_weights(model: Model, names: Sequence[str]) -> Section:
    """Return the section with a model's weights, shaded; `names` are of its features."""
    n_features, n_categories = model.weights.shape
    shown = [*map(Cell.of_text, names[:MOST_WEIGHTS])]
    cells = heat_cells(model.weights[:MOST_WEIGHTS, :MOST_SHADED])
    if model.intercept is not None:
        shown.append(Cell("intercept"))
        for column, value in zip(cells, model.intercept[:MOST_SHADED].tolist(), strict=True):
            column.append(Cell.of_number(value))
    notes = (
        say_hidden(n_features - MOST_WEIGHTS, "features"),
        say_hidden(n_categories - MOST_SHADED, "categories"),
    )
    note = " ".join(filter(None, notes))
    categories = zip(model.categories[:MOST_SHADED], cells, strict=True)
    columns = [Column("feature", shown), *(Column.of_name(*each) for each in categories)]
    lead = "What one unit of a feature adds to the score of each category."
    return Section("weights", "Weights", [Table("Weights", columns, note, is_heat=True)], lead)


def show_recommendations(summary: Summary[RecommendTally]) -> Sections:
    """Return the scores by rank, the items; and the users' features. Of a matrix there is none."""
    tally, plan = summary.tally, summary.plans[0]
    statistics: RankStatistics | None = tally.statistics
    if statistics is None:
        return [], []
    features = _show_features(statistics.features, plan.feature_names)
    if not tally.n_pairs:
        return [], features
    items = _show_items(statistics.chosen, plan.categories, summary.n_rows)
    return [_show_ranks(statistics.by_rank), items], features


def _show_ranks(by_rank: Sketch) -> Section:
    ranks = np.flatnonzero(by_rank.n_numbers)
    numbers = (ranks + 1).tolist()
    columns = [
        Column("rank", [Cell(str(n), value=float(n)) for n in numbers], is_number=True),
        Column.of_counts("users", by_rank.n_numbers[ranks].tolist()),
        *_list_ranks((by_rank, i) for i in ranks.tolist()),
    ]
    table = Table("In numbers", columns, _RANKS_NOTE)
    lead = "How fast scores fall with the rank: where they are level, the order says little."
    return Section("ranks", "Score by rank", [_draw_ranks(by_rank, ranks), table], lead)


def _draw_ranks(by_rank: Sketch, ranks: NDArray[np.int64]) -> Figure:
    """Draw the median of each rank within its middle half and its middle nine tenths."""
    scores = np.array([by_rank.quantiles(int(i), (0.05, 0.25, 0.5, 0.75, 0.95)) for i in ranks])
    at = ranks + 1

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
    """Say which items are recommended most, and how much of all recommendations they take."""
    n_items, n_used = len(chosen), int((chosen > 0).sum())
    # Of items that are recommended equally often the first goes first.
    order = np.argsort(-chosen, kind="stable")
    ordered = chosen[order].tolist()
    shown = ordered[: min(_MOST_ITEMS, n_used)]
    columns = [
        Column.of_texts("item", (names[i] for i in order[: len(shown)].tolist())),
        Column.of_counts("users", shown, most=ordered[0]),
        Column.of_parts("of all users", shown, n_users),
    ]
    hidden = n_used - len(shown)
    note = f"{hidden:,} more items were recommended." if hidden > 0 else ""
    most = Table("Items recommended most", columns, note)
    shares = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
    firsts = [max(round(share * n_items), 1) for share in shares]
    columns = [
        Column("of the items", [Cell(f"first {share:.0%}", value=share) for share in shares]),
        Column.of_counts("items", firsts),
        Column.of_parts("of all recommendations", (sum(ordered[:n]) for n in firsts), sum(ordered)),
    ]
    spread = Table("How they are spread", columns)
    share = show_percent(n_used / n_items)
    lead = f"{n_used:,} of {n_items:,} items ({share}) were recommended to somebody."
    return Section("items", "Item coverage", [Pair([most, spread])], lead)
