"""Charts by Matplotlib: SVG in the colours and the font of the page around it, and ``--plot``."""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from matscore.colors import color_at, hex_of, ink_on, scale_values
from matscore.kernel import Floats
from matscore.names import show
from matscore.numerics.sketch import Sketch
from matscore.numerics.statistics import MAX_CATEGORIES, N_FIRST, ScoreStatistics
from matscore.pages.page import cut
from matscore.show.table import plural, show_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from matscore.commands.classify import ScoreTally
    from matscore.run.run import Summary

N_BARS = 40
DASHES = (0, (4, 3))
_ENLARGED = 1.5  # pixels a point
# Colours that Matplotlib draws with and that become the page's own, which follow light and dark.
INK, FAINT, LINE, BLUE, ORANGE = "#010101", "#020202", "#030303", "#040404", "#050505"
_VARIABLES = {
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    LINE: "var(--line)",
    BLUE: "var(--blue)",
    ORANGE: "var(--orange)",
}
_STYLE: dict[Any, Any] = {
    "text.parse_math": False,
    "axes.spines.left": False, "axes.spines.right": False, "axes.spines.top": False,
}  # fmt: skip
_PAGE_STYLE: dict[Any, Any] = _STYLE | {
    "svg.fonttype": "none", "font.size": 9.5, "text.color": INK,
    "axes.edgecolor": LINE, "axes.labelcolor": FAINT, "axes.grid": True, "axes.axisbelow": True,
    "axes.formatter.useoffset": False, "grid.color": LINE, "grid.linewidth": 0.6,
    "xtick.color": FAINT, "ytick.color": FAINT, "xtick.major.size": 3, "ytick.major.size": 0,
    "figure.facecolor": "none", "axes.facecolor": "none",
}  # fmt: skip
_PLOT_STYLE: dict[Any, Any] = _STYLE | {
    # A plot stands alone, so it carries its letters; its identifiers are the same each time.
    "svg.hashsalt": "matscore", "svg.fonttype": "path", "font.size": 9, "figure.facecolor": "white",
}  # fmt: skip
_LONGEST_LABEL = 28
_NUMBERED_CELLS = 300
# What Matplotlib writes that is not for a page: its fonts, its head, styles and identifiers.
_FONT = re.compile(r"font-family: [^;]+; ?")
_FONT_SHORT = re.compile(r"font: ([\d.]+px) [^;\"]+")
_HEAD = re.compile(r".*?(?=<svg )", re.DOTALL)
_LEFT_OUT = re.compile(r"\s*<metadata>.*?</metadata>|\s*<style[^>]*>.*?</style>", re.DOTALL)
_OWN_ID = re.compile(r' id="[a-zA-Z][\w.]*_\d+"')
_SIZE = re.compile(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>')


def _open_figure(width: float, height: float) -> Figure:
    """Return an empty figure, its size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def draw_inline(
    name: str, draw: Callable[[Axes], None], *, width: float = 5.4, height: float = 2.5
) -> str:
    """Draw a chart for a page, of some inches, as an ``svg`` element; the same is the same text.

    `name` tells it apart from the others of the page; `draw` uses the colours of this module.
    """
    out = io.StringIO()
    with _use_style({**_PAGE_STYLE, "svg.hashsalt": name}):
        figure = _open_figure(width, height)
        draw(figure.add_subplot())
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    return _settle(out.getvalue(), name)


@contextmanager
def _use_style(style: dict[Any, Any]) -> Iterator[None]:
    """Have Matplotlib draw in a style of ours, and say nothing."""
    # It warns where it finds no folder for its cache; a run that succeeds prints nothing.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib as mpl

    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of letters that its font lacks
        yield


def draw_histogram(
    name: str, sketch: Sketch, label: str, color: str, *, from_zero: bool = False
) -> str:
    """Draw how the numbers of a sketch of one column, with at least one, are distributed."""
    # Drawn from a sketch of fixed size: no run keeps its scores for a chart.
    edges = _spread_edges(sketch, 0, from_zero=from_zero)
    counts = sketch.histogram(0, edges)
    median = sketch.quantiles(0, [0.5])[0]

    def draw(axes: Axes) -> None:
        axes.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=color, linewidth=0)
        axes.axvline(median, color=INK, linewidth=1, linestyle=DASHES)
        axes.set_xlabel(label)
        axes.set_ylabel("rows")
        axes.set_xlim(edges[0], edges[-1])
        axes.grid(visible=False, axis="x")
        _count_axis(axes.yaxis)

    return draw_inline(name, draw)


def _spread_edges(sketch: Sketch, place: int, *, from_zero: bool = False) -> Floats:
    """Return the edges of a histogram's bars, over all numbers of a column."""
    low, high = float(sketch.low[place]), float(sketch.high[place])
    if from_zero:
        low = min(low, 0.0)
    # Halves, as the distance may overflow; numbers too close for bars get room on both sides.
    if not high / 2 - low / 2 > abs(high) * 1e-12:
        room = abs(high) / 2 or 0.5
        low, high = low - room, high + room
    steps = np.linspace(0.0, 1.0, N_BARS + 1)
    edges: Floats = low * (1 - steps) + high * steps
    return edges


def _count_axis(axis: Any) -> None:
    """Have an axis of counts show whole numbers, the thousands apart."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _settle(svg: str, name: str) -> str:
    """Make what Matplotlib wrote a part of a page."""
    # Two charts on a page may not share an identifier, and none may bring a style of its own.
    text = _OWN_ID.sub("", _LEFT_OUT.sub("", _HEAD.sub("", svg, count=1)))
    if size := _SIZE.search(text):
        width = _ENLARGED * float(size[1].split()[2])
        head = (
            f'<svg class="chart" viewBox="{size[1]}" style="max-width:{width:.0f}px" '
            'aria-hidden="true" focusable="false">'
        )
        text = text[: size.start()] + head + text[size.end() :]
    text = _FONT_SHORT.sub(r"font-size: \1", _FONT.sub("", text))
    text = re.sub(r"\s*\n\s*", " ", text)  # a path is a line, not one for each of its points
    for color, variable in _VARIABLES.items():
        text = text.replace(color, variable)
    return re.sub(r'(?<=[#"])(m[0-9a-f]{10}|p[0-9a-f]{10})(?=["\)])', rf"{name}-\1", text).strip()


def render_plot(summary: Summary[ScoreTally], form: str) -> bytes:
    """Draw the scores of a run as SVG or PNG: a heat map, or of many rows the distributions."""
    statistics = summary.tally.statistics
    if statistics is None:
        raise ValueError("the run has no statistics")
    draw = _draw_map if summary.n_rows <= N_FIRST else _draw_ridges
    plan, names = summary.plans[0], summary.tally.categories
    hidden = len(names) - MAX_CATEGORIES
    more = f"; {hidden:,} more categories" if hidden > 0 else ""
    rows = plural(summary.n_rows, "row")
    title = f"{plan.features.path[-60:]} by {plan.weights.path[-60:]}: {rows}{more}"
    with _use_style(_PLOT_STYLE):
        figure = draw(statistics, names[:MAX_CATEGORIES])
        figure.axes[0].set_title(show(title), loc="left", parse_math=False)
        out = io.BytesIO()
        metadata = {"Date": None, "Creator": "matscore"} if form == "svg" else {"Software": None}
        figure.savefig(out, format=form, metadata=metadata, dpi=160)
    return out.getvalue()


def _draw_map(statistics: ScoreStatistics, names: Sequence[str]) -> Figure:
    """Draw a cell a score, that of the best of each row framed."""
    from matplotlib.patches import Rectangle

    rows = statistics.first
    scores = np.array([row.scores[: len(names)] for row in rows]).reshape(-1, len(names))
    figure = _open_figure(2.2 + 0.85 * len(names), 1.3 + 0.3 * max(len(rows), 1))
    axes = figure.add_subplot()
    for (i, j), place in np.ndenumerate(scale_values(scores)):
        if np.isnan(place):
            continue
        ground, is_best = color_at(float(place)), rows[i].best == j
        inset = 0.06 if is_best else 0.02
        cell = Rectangle(
            (j - 0.5 + inset, i - 0.5 + inset),
            1 - 2 * inset,
            1 - 2 * inset,
            facecolor=hex_of(ground),
            edgecolor="black" if is_best else "none",
            linewidth=1.6 if is_best else 0,
        )
        axes.add_patch(cell)
        if scores.size <= _NUMBERED_CELLS:
            text, ink = show_number(float(scores[i, j]), 3), hex_of(ink_on(ground))
            axes.text(j, i, text, ha="center", va="center", color=ink, size=8)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    _label(axes.xaxis, names)
    _label(axes.yaxis, [row.label for row in rows])
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.tick_top()
    if len(names) > 6:
        axes.tick_params(axis="x", labelrotation=90)
    return figure


def _draw_ridges(statistics: ScoreStatistics, names: Sequence[str]) -> Figure:
    """Draw a histogram a category, all over one axis of scores."""
    figure = _open_figure(7.0, 1.2 + 0.55 * len(names))
    axes, sketches = figure.add_subplot(), statistics.scores
    spans = [_spread_edges(sketches, i) for i in range(len(names))]
    # One axis for all, finer than a histogram's, as the ridges are small.
    edges = np.linspace(min(s[0] for s in spans), max(s[-1] for s in spans), 121)
    blue, orange = hex_of(color_at(-1.0)), hex_of(color_at(0.95))
    for i in range(len(names)):
        counts = sketches.histogram(i, edges)
        height = counts / (counts.max() or 1.0) * 0.85
        axes.stairs(i - height, edges, baseline=i, fill=True, color=blue, alpha=0.75)
        median = sketches.quantiles(i, [0.5])[0]
        axes.plot([median, median], [i - 0.9, i], color=orange, lw=1.6)
    axes.set_ylim(len(names) - 0.9, -1.05)
    _label(axes.yaxis, names)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("score; the line is the median")
    axes.grid(visible=True, axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure


def _label(axis: Any, labels: Sequence[str]) -> None:
    short = [cut(label, _LONGEST_LABEL)[0] for label in labels]
    axis.set_ticks(range(len(short)), labels=short, parse_math=False)
