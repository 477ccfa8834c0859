"""The page of ``recommend``: scores by rank, and which items are recommended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from matscore.numerics.sketch import Sketch
from matscore.numerics.statistics import RankStatistics
from matscore.pages.charts import BLUE, INK, draw_inline
from matscore.pages.classify import HEADINGS, quantile_cells, show_features
from matscore.pages.parts import (
    Cell,
    Column,
    Figure,
    Pair,
    Part,
    Section,
    Table,
    column,
    count_cell,
    percent_cell,
    text_cell,
    write_number,
    write_percent,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from matscore.commands.recommend_rows import RecommendTally
    from matscore.run.summary import Summary

_MOST_ITEMS = 25


def show_ranks(summary: Summary[RecommendTally]) -> list[Section]:
    """Return the sections about the recommendations.

    Parameters
    ----------
    summary : Summary
        With statistics for a page; of all scores (``--matrix``) there are none.

    Returns
    -------
    list of Section
        The scores by rank, and the items.
    """
    found = summary.tally.statistics
    if found is None or not summary.tally.n_pairs:
        return []
    return [_show_scores(found.by_rank), _show_items(found, summary)]


def show_users(summary: Summary[RecommendTally]) -> list[Section]:
    """Return the section about the users' features."""
    found = summary.tally.statistics
    if found is None:
        return []
    return show_features(found.features, summary.plans[0].feature_names)


def _show_scores(by_rank: Sketch) -> Section:
    ranks = [i for i, n in enumerate(by_rank.n_numbers.tolist()) if n]
    columns = [Column("rank", is_number=True), Column("users", is_number=True)]
    rows = [
        [
            Cell(str(i + 1), value=float(i + 1)),
            count_cell(int(by_rank.n_numbers[i])),
            *quantile_cells(by_rank, i),
        ]
        for i in ranks
    ]
    columns += [Column(name, is_number=True) for name in HEADINGS]
    note = "The lowest and the highest are exact, the others at most 1.6% nearer to 0."
    parts: list[Part] = [_draw_ranks(by_rank, ranks), Table("In numbers", columns, rows, note)]
    lead = "How fast scores fall with the rank: where they are level, the order says little."
    return Section("ranks", "Score by rank", parts, lead)


def _draw_ranks(by_rank: Sketch, ranks: Sequence[int]) -> Figure:
    """Draw the median of each rank within its middle half and its middle nine tenths."""
    found = np.array([by_rank.quantiles(i, (0.05, 0.25, 0.5, 0.75, 0.95)) for i in ranks])
    at = np.array(ranks) + 1

    def draw(axes: Axes) -> None:
        for low, high, alpha in ((0, 4, 0.22), (1, 3, 0.4)):
            axes.bar(
                at,
                found[:, high] - found[:, low],
                bottom=found[:, low],
                width=0.62,
                color=BLUE,
                alpha=alpha,
                linewidth=0,
            )
        axes.plot(at, found[:, 2], color=INK, linewidth=1.2, marker="o", markersize=3.5)
        axes.set_xticks(at)
        axes.set_xlim(0.4, at[-1] + 0.6)
        axes.set_xlabel("rank")
        axes.set_ylabel("score")
        axes.grid(visible=False, axis="x")

    first, last = write_number(found[0, 2], 3), write_number(found[-1, 2], 3)
    alt = (
        f"Scores by rank: the median falls from {first} at rank 1 to {last} at rank {at[-1]}; "
        "the numbers are in the table below."
    )
    caption = "Median score, with the middle half and the middle 90% of users"
    return Figure(draw_inline("ranks", draw, width=6.4, height=2.8), caption, alt)


def _show_items(found: RankStatistics, summary: Summary[RecommendTally]) -> Section:
    chosen, names = found.chosen, summary.plans[0].categories
    n_items, n_used, n_users = len(chosen), int((chosen > 0).sum()), summary.n_rows
    order = np.lexsort((np.arange(n_items), -chosen))[: min(_MOST_ITEMS, n_used)]
    rows = [
        [
            text_cell(names[i]),
            count_cell(int(chosen[i]), of=int(chosen.max())),
            percent_cell(int(chosen[i]), n_users),
        ]
        for i in order.tolist()
    ]
    columns = [
        column("item"),
        Column("users", is_number=True, has_bars=True),
        Column("of all users", is_number=True),
    ]
    hidden = n_used - len(rows)
    note = f"{hidden:,} more items were recommended." if hidden > 0 else ""
    most = Table("Items recommended most", columns, rows, note)
    lead = (
        f"{n_used:,} of {n_items:,} items ({write_percent(n_used / n_items)}) were recommended to "
        "somebody."
    )
    return Section("items", "Item coverage", [Pair([most, _concentrate(chosen)])], lead)


def _concentrate(chosen: np.ndarray) -> Table:
    """Say how much of all recommendations the items take that are recommended most."""
    ordered = np.sort(chosen)[::-1]
    total, rows = int(ordered.sum()), []
    for share in (0.01, 0.05, 0.1, 0.25, 0.5, 1.0):
        n = max(round(share * len(ordered)), 1)
        rows.append(
            [
                Cell(f"first {share:.0%}", value=share),
                count_cell(n),
                percent_cell(int(ordered[:n].sum()), total),
            ]
        )
    columns = [
        Column("of the items"),
        Column("items", is_number=True),
        Column("of all recommendations", is_number=True),
    ]
    return Table("How they are spread", columns, rows)
