"""The results as a bar chart in SVG."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

_WIDTH, _LABEL, _BAR = 760, 190, 470
_ROW, _GAP, _TITLE = 18, 16, 26
_OURS, _OTHERS, _TEXT = "#2563eb", "#94a3b8", "#64748b"


def render_chart(walls: Mapping[str, Mapping[str, float]]) -> str:
    """Draw the median wall time of every way to do every case.

    Parameters
    ----------
    walls : mapping of str to mapping of str to float
        Seconds by case and name; each case has a scale of its own.

    Returns
    -------
    str
        An SVG document; the bars are labelled, so that it is read without colour.
    """
    parts: list[str] = []
    y = 0
    for case, bars in walls.items():
        y += _TITLE
        parts.append(_text(0, y - 8, f"{case}: seconds, less is better", bold=True))
        longest = max(bars.values())
        for name, seconds in bars.items():
            length = max(_BAR * seconds / longest, 1.0)
            ours = name.startswith("matscore")
            parts.append(_text(_LABEL - 8, y + 13, name, anchor="end", bold=ours))
            parts.append(
                f'<rect x="{_LABEL}" y="{y + 2}" width="{length:.1f}" height="{_ROW - 4}" '
                f'fill="{_OURS if ours else _OTHERS}"/>'
            )
            parts.append(_text(int(_LABEL + length) + 6, y + 13, f"{seconds:.2f} s", bold=ours))
            y += _ROW
        y += _GAP
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" '
        f'font-family="sans-serif" font-size="12" fill="{_TEXT}">\n{body}\n</svg>\n'
    )


def _text(x: int, y: int, words: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{weight}>{escape(words)}</text>'
