"""The page of ``recommend``: scores by rank, and which items are recommended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matscore.numerics.sketch import Sketch
from matscore.numerics.statistics import RankStatistics
from matscore.pages.charts import BLUE, INK, draw_inline
from matscore.pages.classify import RANKS, RANKS_NOTE, quantile_cells, show_features
from matscore.pages.page import Cell, Column, Figure, Pair, Section, Table
from matscore.show.text import show_number, show_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from matscore.pages.report import Run, Sections

_MOST_ITEMS = 25


def show_recommendations(run: Run) -> Sections:
    """Return the scores by rank, the items; and the users' features. Of a matrix there is none."""
    tally, plan = run.summary.tally, run.summary.plans[0]
    statistics: RankStatistics | None = tally.statistics
    if statistics is None:
        return [], []
    features = show_features(statistics.features, plan.feature_names)
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
            *quantile_cells(by_rank, i),
        ]
        for i in ranks
    ]
    table = Table("In numbers", Column.of_numbers("rank", "users", *RANKS), rows, RANKS_NOTE)
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
