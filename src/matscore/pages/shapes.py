"""Two matrices and their product as rectangles, in the arrangement that Falk proposed.

The weights stand above the scores and the features to the left of them (Falk 1951, "Ein
übersichtliches Schema für die Matrizenmultiplikation", ZAMM 31(4-5), 152-153), so that each score
lies in the row of its item and in the column of its category, and the two inner sides, which must
be as long as each other, meet at a corner.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from matscore.names import show
from matscore.pages.page import Figure
from matscore.show.text import show_size

_GAP, _LEFT, _TOP = 46, 20, 30
_LONGEST_PATH = 34


@dataclass(frozen=True)
class Shapes:
    """Three matrices by size."""

    n_rows: int | None  # of the features; None where they were not counted
    n_features: int  # columns of the features
    n_weights: int  # rows of the weights
    n_categories: int  # columns of the weights
    features: str  # where they come from
    weights: str
    fits: bool  # whether there is a product
    is_recommend: bool = False  # whether these are users and items, transposed

    @property
    def names(self) -> tuple[str, str]:
        """What the two matrices are called."""
        return ("users", "items, transposed") if self.is_recommend else ("features", "weights")


def draw_shapes(shapes: Shapes) -> Figure:
    """Draw two matrices with their inner sides joined, and the product where there is one."""
    rows = _length(shapes.n_rows or 0)
    across, down = _length(shapes.n_features), _length(shapes.n_weights)
    wide = _length(shapes.n_categories)
    longest = show_size(shapes.n_rows, max(shapes.n_features, shapes.n_categories))
    across, wide = (max(side, 9.5 * len(longest) + 14) for side in (across, wide))
    if shapes.fits:  # the two inner sides are seen to be as long as each other
        down = across
    x, y = _LEFT + across + _GAP, _TOP + down + _GAP  # the corner of the scores
    parts = [
        _box(_LEFT, y, across, rows, "", show_size(shapes.n_rows, shapes.n_features)),
        _box(x, _TOP, wide, down, "", show_size(shapes.n_weights, shapes.n_categories)),
        f'<line class="inner" x1="{_LEFT}" y1="{y}" x2="{_LEFT + across}" y2="{y}"/>',
        f'<line class="inner" x1="{x}" y1="{_TOP}" x2="{x}" y2="{_TOP + down}"/>',
        f'<path class="join" d="M{_LEFT + across / 2} {y} '
        f'Q{_LEFT + across / 2} {_TOP + down / 2} {x} {_TOP + down / 2}"/>',
    ]
    if shapes.fits:
        parts.append(
            _box(x, y, wide, rows, "result", show_size(shapes.n_rows, shapes.n_categories))
        )
    parts += _label(shapes, x, y, wide, rows)
    width, height = x + wide + (250 if shapes.fits else 300), y + rows + 50
    kind = "fit" if shapes.fits else "misfit"
    svg = (
        f'<svg class="falk" viewBox="0 0 {width} {height}" style="max-width:{width}px" '
        f'aria-hidden="true" focusable="false"><g class="{kind}">'
        f"{''.join(parts)}</g></svg>"
    )
    return Figure(svg, "Shapes", describe_shapes(shapes))


def describe_shapes(shapes: Shapes) -> str:
    """Say in words what the picture shows."""
    rows = "unknown" if shapes.n_rows is None else f"{shapes.n_rows:,}"
    left, top = shapes.names
    features = f"{left} of {rows} by {shapes.n_features:,}"
    weights = f"{top} of {shapes.n_weights:,} by {shapes.n_categories:,}"
    if shapes.fits:
        return f"{features} times {weights} give scores of {rows} by {shapes.n_categories:,}"
    return f"{features} and {weights} do not line up"


def _label(shapes: Shapes, x: float, y: float, wide: float, rows: float) -> list[str]:
    """Name the matrices and their sides."""
    n_rows, n_out = ("users", "items") if shapes.is_recommend else ("rows", "categories")
    left, top = shapes.names
    same = f"the same {shapes.n_features:,} features"
    if not shapes.fits:
        same = f"{shapes.n_features:,} against {shapes.n_weights:,}: not the same features"
    side = x + wide + 14
    count = "?" if shapes.n_rows is None else f"{shapes.n_rows:,}"
    result = f"{count} {n_rows} by {shapes.n_categories:,} {n_out}"
    return [
        _text(side, _TOP + 16, top, "size"),
        _text(side, _TOP + 35, _name(shapes.weights), "faint"),
        _text(side, _TOP + 53, same, "fits"),
        _text(side, y + 16, "scores" if shapes.fits else "", "size"),
        _text(side, y + 35, result, "faint") if shapes.fits else "",
        _text(_LEFT, y + rows + 17, left, "size"),
        _text(_LEFT, y + rows + 36, _name(shapes.features), "faint"),
    ]


def _length(n: int) -> float:
    """Return the length of a side: it grows with the number, slowly."""
    # A picture to scale would show one row beside a million as nothing.
    return round(min(64 + 26 * math.log10(max(n, 1)), 190), 1)


def _name(path: str) -> str:
    shown = show(path)  # its end tells files apart
    return shown if len(shown) <= _LONGEST_PATH else f"…{shown[-_LONGEST_PATH:]}"


def _box(x: float, y: float, width: float, height: float, kind: str, size: str) -> str:
    style = ' style="font-size:13px"' if len(size) * 9.5 > width else ""
    middle = f'x="{x + width / 2:.1f}" y="{y + height / 2 + 5:.1f}"'
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width}" height="{height}" rx="4"/>'
        f'<text class="size" text-anchor="middle" {middle}{style}>{escape(size)}</text>'
    )


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
