"""Colours for values: one scale for the terminal, the page and the plot.

The scale diverges from a neutral grey to blue below and to orange above. Blue against orange is
seen by all common kinds of colour blindness, and each side only grows darker (or, on a dark
ground, lighter) away from the middle, so that it also reads in grey. The colours are ColorBrewer's
(Brewer, Hatchard and Harrower 2003, "ColorBrewer in Print", CaGIS 30(1), 5-32): the blue half of
RdBu and the orange half of PuOr, both marked there as safe for colour-blind readers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from matscore.kernel import Floats

if TYPE_CHECKING:
    from rich.console import Console

Rgb: TypeAlias = tuple[int, int, int]

LEVELS = 10  # steps of the scale on each side of the middle

BLACK: Rgb = (17, 20, 24)
WHITE: Rgb = (255, 255, 255)

_LIGHT: tuple[Rgb, ...] = (
    (33, 102, 172), (67, 147, 195), (146, 197, 222), (209, 229, 240),
    (247, 247, 247),
    (254, 224, 182), (253, 184, 99), (224, 130, 20), (179, 88, 6),
)  # fmt: skip
_DARK: tuple[Rgb, ...] = (
    (146, 197, 222), (67, 147, 195), (33, 102, 172), (24, 66, 110),
    (38, 42, 50),
    (112, 56, 12), (179, 88, 6), (224, 130, 20), (253, 184, 99),
)  # fmt: skip


def scale_values(values: Floats) -> Floats:
    """Place values of any shape on the scale, all by one measure; what is not finite is NaN.

    From -1 to 1 with 0 in the middle where there are values of both signs, else from 0 for the
    lowest to 1 for the highest.
    """
    finite = np.isfinite(values)
    scaled = np.full(values.shape, np.nan)
    if not finite.any():
        return scaled
    half = values[finite] / 2  # the distance between two float64 may overflow
    low, high = float(half.min()), float(half.max())
    if low < 0 < high:
        scaled[finite] = half / max(-low, high)
    else:
        scaled[finite] = (half - low) / ((high - low) or 1.0)
    return scaled


def level_of(place: float) -> int:
    """Return the step of the scale for a place on it, from -`LEVELS` to `LEVELS`."""
    return round(place * LEVELS)


def color_at(place: float, *, dark: bool = False) -> Rgb:
    """Return the colour of a place on the scale, from -1 to 1, on a light or a dark ground."""
    anchors = _DARK if dark else _LIGHT
    at = (place + 1) / 2 * (len(anchors) - 1)
    start = min(int(at), len(anchors) - 2)
    share = at - start
    red, green, blue = (
        round(one + (other - one) * share)
        for one, other in zip(anchors[start], anchors[start + 1], strict=True)
    )
    return red, green, blue


def ink_on(ground: Rgb) -> Rgb:
    """Return black or white, whichever is read better on a ground."""
    return max((BLACK, WHITE), key=lambda ink: contrast(ink, ground))


def contrast(one: Rgb, other: Rgb) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2, "contrast ratio")."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: Rgb) -> float:
    """Return the relative luminance of a colour, from 0 to 1 (WCAG 2.2)."""
    parts = (part / 255 for part in color)
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def hex_of(color: Rgb) -> str:
    """Write a colour as CSS does."""
    return "#{:02x}{:02x}{:02x}".format(*color)


@dataclass(frozen=True)
class Heat:
    """Shades of a terminal's cells: in colour, or by five signs of growing density."""

    density: str
    in_color: bool

    @classmethod
    def for_console(cls, console: Console, density: str) -> Heat:
        """Use colours where there are enough to tell shades of one apart."""
        # The 16 colours of an old terminal are whatever its user has made of them.
        many = console.color_system in ("256", "truecolor", "windows")
        return cls(density, many and not console.no_color)

    def place(self, values: Floats) -> Floats:
        """Place values on the scale, from -1 to 1, for signs from 0 to 1; NaN stays NaN."""
        places = scale_values(values)
        has_middle = bool((places < 0).any())
        return (places + 1) / 2 if has_middle and not self.in_color else places

    def shade(self, place: float, text: str, style: str, *, bold: bool = False) -> tuple[str, str]:
        """Return a cell's text and style, shaded; `bold` makes it stand out in colour too."""
        if not self.in_color:
            step = 0 if math.isnan(place) else min(int(place * 5), 4)
            sign = self.density[step]  # the first is a blank
            return f"{sign} {text}", style
        if math.isnan(place):
            return text, style
        ground = color_at(place)
        return text, f"{'bold ' * bold}{hex_of(ink_on(ground))} on {hex_of(ground)}"

    def legend(self) -> str:
        """Say what the shades mean."""
        if self.in_color:
            return "shaded from blue, low, to orange, high"
        return f"shaded from blank, low, by {' '.join(self.density.strip())} to high"
