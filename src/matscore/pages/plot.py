"""``--plot``: the scores as one picture, a heat map or, of many rows, their distributions."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from matscore.colors import color_at, ink_on, scale_values
from matscore.names import show
from matscore.numerics.statistics import MAX_CATEGORIES, N_FIRST, ScoreStatistics
from matscore.pages.charts import open_figure, spread_edges, use_style
from matscore.pages.parts import write_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from matscore.commands.classify_rows import ScoreTally
    from matscore.run.summary import Summary

_LONGEST = 28
_NUMBERED_CELLS = 300
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "matscore",
    "svg.fonttype": "path",
    "font.size": 9,
    "text.parse_math": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.spines.left": False,
    "figure.facecolor": "white",
}


def render_plot(summary: Summary[ScoreTally], form: Literal["svg", "png"]) -> bytes:
    """Draw the scores of a run.

    Parameters
    ----------
    summary : Summary
        With statistics for a plot.
    form : {"svg", "png"}
        The format.

    Returns
    -------
    bytes
        The picture: of up to `N_FIRST` rows a heat map with each row's best cell framed, of more
        the distribution of the scores of each category.
    """
    found = cast("ScoreStatistics", summary.tally.statistics)
    is_map = summary.n_rows <= N_FIRST
    with use_style(_STYLE):
        figure = _draw_map(found, summary) if is_map else _draw_ridges(found, summary)
        out = io.BytesIO()
        metadata = {"Date": None, "Creator": "matscore"} if form == "svg" else {"Software": None}
        figure.savefig(out, format=form, metadata=metadata, dpi=160)
    return out.getvalue()


def _draw_map(found: ScoreStatistics, summary: Summary[ScoreTally]) -> Figure:
    names = summary.tally.categories[:MAX_CATEGORIES]
    rows = found.first
    scores = np.array([row.scores[: len(names)] for row in rows]).reshape(-1, len(names))
    figure = open_figure(2.2 + 0.85 * len(names), 1.3 + 0.3 * max(len(rows), 1))
    axes = figure.add_subplot()
    places = scale_values(scores)
    for i, j in np.ndindex(scores.shape):
        if np.isnan(places[i, j]):
            continue
        ground = color_at(float(places[i, j]))
        axes.add_patch(_cell(j, i, ground, framed=rows[i].best == j))
        if scores.size <= _NUMBERED_CELLS:
            ink = [part / 255 for part in ink_on(ground)]
            axes.text(
                j,
                i,
                write_number(float(scores[i, j]), 3),
                ha="center",
                va="center",
                color=ink,
                size=8,
            )
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    _label(axes.xaxis, names)
    _label(axes.yaxis, [row.label for row in rows])
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.tick_top()
    if len(names) > 6:
        axes.tick_params(axis="x", labelrotation=90)
    axes.set_title(_title(summary), loc="left", parse_math=False)
    return figure


def _draw_ridges(found: ScoreStatistics, summary: Summary[ScoreTally]) -> Figure:
    """Draw a histogram a category, all over one axis of scores."""
    names = summary.tally.categories[:MAX_CATEGORIES]
    figure = open_figure(7.0, 1.2 + 0.55 * len(names))
    axes = figure.add_subplot()
    sketches = found.scores
    spans = [spread_edges(sketches, i) for i in range(len(names))]
    edges = np.linspace(min(s[0] for s in spans), max(s[-1] for s in spans), 121)
    blue = [part / 255 for part in color_at(-1.0)]
    for i in range(len(names)):
        counts = sketches.histogram(i, edges)
        height = counts / (counts.max() or 1.0) * 0.85
        axes.stairs(i - height, edges, baseline=i, fill=True, color=blue, alpha=0.75)
        median = sketches.quantiles(i, [0.5])[0]
        axes.plot([median, median], [i - 0.9, i], color=[p / 255 for p in color_at(0.95)], lw=1.6)
    axes.set_ylim(len(names) - 0.9, -1.05)
    _label(axes.yaxis, names)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("score; the line is the median")
    axes.grid(visible=True, axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title(_title(summary), loc="left", parse_math=False)
    return figure


def _cell(x: int, y: int, ground: tuple[int, int, int], *, framed: bool) -> Any:
    from matplotlib.patches import Rectangle

    inset = 0.06 if framed else 0.02
    return Rectangle(
        (x - 0.5 + inset, y - 0.5 + inset),
        1 - 2 * inset,
        1 - 2 * inset,
        facecolor=[part / 255 for part in ground],
        edgecolor="black" if framed else "none",
        linewidth=1.6 if framed else 0,
    )


def _label(axis: Any, labels: tuple[str, ...] | list[str]) -> None:
    shown = [show(label[: _LONGEST + 1]) for label in labels]
    short = [text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…" for text in shown]
    axis.set_ticks(range(len(short)), labels=short, parse_math=False)


def _title(summary: Summary[ScoreTally]) -> str:
    plan = summary.plans[0]
    hidden = len(summary.tally.categories) - MAX_CATEGORIES
    more = f"; {hidden:,} more categories" if hidden > 0 else ""
    rows = f"{summary.n_rows:,} {'row' if summary.n_rows == 1 else 'rows'}"
    return show(f"{plan.features.path[-60:]} by {plan.weights.path[-60:]}: {rows}{more}")
