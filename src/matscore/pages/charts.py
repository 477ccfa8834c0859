"""Charts by Matplotlib as SVG that takes the colours and the font of the page around it."""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from matscore.kernel import Floats
from matscore.numerics.sketch import Sketch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

N_BARS = 40
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
    "svg.fonttype": "none",
    "font.size": 9.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": FAINT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.formatter.useoffset": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_FONT = re.compile(r"font-family: [^;]+; ?")
_FONT_SHORT = re.compile(r"font: ([\d.]+px) [^;\"]+")
_HEAD = re.compile(r".*?(?=<svg )", re.DOTALL)
_LEFT_OUT = re.compile(r"\s*<metadata>.*?</metadata>|\s*<style[^>]*>.*?</style>", re.DOTALL)
_OWN_ID = re.compile(r' id="[a-zA-Z][\w.]*_\d+"')
_SIZE = re.compile(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>')


def open_figure(width: float, height: float) -> Drawing:
    """Return an empty figure, its size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def draw_inline(
    name: str, draw: Callable[[Axes], None], *, width: float = 5.4, height: float = 2.5
) -> str:
    """Draw a chart for a page.

    Parameters
    ----------
    name : str
        Tells the chart apart from the others of the page.
    draw : callable
        Draws on the axes that it is given, in the colours of this module.
    width, height : float
        Inches, which decide the proportions alone.

    Returns
    -------
    str
        An ``svg`` element; the same chart is the same text.
    """
    out = io.StringIO()
    with use_style({**_STYLE, "svg.hashsalt": name}):
        figure = open_figure(width, height)
        draw(figure.add_subplot())
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    return _settle(out.getvalue(), name)


@contextmanager
def use_style(style: dict[Any, Any]) -> Iterator[None]:
    """Have Matplotlib draw in a style of ours, and say nothing."""
    # It warns where it finds no folder for its cache; a run that succeeds prints nothing.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib as mpl

    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of letters that its font lacks
        yield


def draw_histogram(
    name: str, sketch: Sketch, label: str, *, orange: bool = False, from_zero: bool = False
) -> str:
    """Draw how the numbers of a sketch of one column are distributed.

    Parameters
    ----------
    name : str
        Tells the chart apart from the others of the page.
    sketch : Sketch
        Of one column with at least one number.
    label : str
        What the numbers are.
    orange : bool
        The second colour instead of the first.
    from_zero : bool
        Whether the axis starts at 0.

    Returns
    -------
    str
        An ``svg`` element.
    """
    edges = spread_edges(sketch, 0, from_zero=from_zero)
    counts = sketch.histogram(0, edges)
    median = sketch.quantiles(0, [0.5])[0]

    def draw(axes: Axes) -> None:
        color = ORANGE if orange else BLUE
        axes.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=color, linewidth=0)
        axes.axvline(median, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xlabel(label)
        axes.set_ylabel("rows")
        axes.set_xlim(edges[0], edges[-1])
        axes.grid(visible=False, axis="x")
        count_axis(axes.yaxis)

    return draw_inline(name, draw)


def spread_edges(sketch: Sketch, place: int, *, from_zero: bool = False) -> Floats:
    """Return the edges of a histogram's bars, over all numbers of a column."""
    low, high = float(sketch.low[place]), float(sketch.high[place])
    if from_zero:
        low = min(low, 0.0)
    # Halves, as the distance may overflow.
    if not high / 2 - low / 2 > abs(high) * 1e-12:
        room = abs(high) / 2 or 0.5
        low, high = low - room, high + room
    steps = np.linspace(0.0, 1.0, N_BARS + 1)
    edges: Floats = low * (1 - steps) + high * steps
    return edges


def count_axis(axis: Any) -> None:
    """Have an axis of counts show whole numbers, the thousands apart."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _resize(head: re.Match[str]) -> str:
    width = float(head[1].split()[2])
    return (
        f'<svg class="chart" viewBox="{head[1]}" style="max-width:{_ENLARGED * width:.0f}px" '
        'aria-hidden="true" focusable="false">'
    )


def _settle(svg: str, name: str) -> str:
    """Make what Matplotlib wrote a part of a page."""
    text = _OWN_ID.sub("", _LEFT_OUT.sub("", _HEAD.sub("", svg, count=1)))
    text = _SIZE.sub(_resize, text)
    text = _FONT_SHORT.sub(r"font-size: \1", _FONT.sub("", text))
    text = re.sub(r"\s*\n\s*", " ", text)  # a path is a line, not one for each of its points
    for color, variable in _VARIABLES.items():
        text = text.replace(color, variable)
    return re.sub(r'(?<=[#"])(m[0-9a-f]{10}|p[0-9a-f]{10})(?=["\)])', rf"{name}-\1", text).strip()
