"""Columns of text on a terminal: as wide as they like, or as narrow as they must.

The widths are decided here and not left to `rich.table`, which would cut or wrap a number in a
terminal too narrow for it. Labels and headings give way first; numbers never.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from matscore.show.text import Signs, pad

GAP = 2
BEST, TIED, DIM, HEAD = "bold green", "bold yellow", "dim", "bold"


@dataclass(frozen=True)
class Least:
    """Cells that columns may shrink to while there are others that could be left out."""

    label: int
    text: int
    heading: int


ROOMY, TIGHT, CRAMPED = Least(18, 14, 8), Least(10, 8, 6), Least(4, 4, 4)


@dataclass(frozen=True)
class Column:
    """A column as it is shown; its texts are safe and as wide as they like.

    `short` is what is cut where the heading finds no room.
    """

    heading: str
    cells: Sequence[str]
    styles: Sequence[str]
    is_label: bool = False
    is_numeric: bool = False
    short: str = ""

    @property
    def width(self) -> int:
        """Cells that it would take."""
        return max(cell_len(self.heading), self.body)

    @property
    def body(self) -> int:
        """Cells that it would take without its heading."""
        return max(map(cell_len, self.cells), default=0)

    def least(self, at: Least) -> int:
        """Return the width under which it may not shrink; numbers are never cut."""
        if self.is_numeric:
            return max(self.body, min(cell_len(self.heading), at.heading))
        return min(self.width, at.label if self.is_label else at.text)


def count_cells(widths: Sequence[int]) -> int:
    """Return the cells that columns of some widths take, the gaps between them included."""
    return sum(widths) + GAP * (len(widths) - 1)


def fit_widths(columns: Sequence[Column], width: int) -> list[int]:
    """Shrink the widest columns, as far as they allow, until all fit."""
    widths = [min(column.width, max(width, column.least(CRAMPED))) for column in columns]
    for at in (ROOMY, TIGHT, CRAMPED):
        least = [column.least(at) for column in columns]
        while count_cells(widths) > width:
            slack = [w if w > low else 0 for w, low in zip(widths, least, strict=True)]
            if not any(slack):
                break
            widths[slack.index(max(slack))] -= 1
    return widths


def render_columns(columns: Sequence[Column], width: int, signs: Signs) -> Iterator[Text]:
    """Yield the lines of a table: headings, a rule, and the rows."""
    widths = fit_widths(columns, width)
    headings = [
        (column.heading if column.width <= width else column.short or column.heading, HEAD)
        for column, width in zip(columns, widths, strict=True)
    ]
    body = zip(*(zip(column.cells, column.styles, strict=True) for column in columns), strict=True)
    yield _render_row(columns, headings, widths, signs)
    yield Text(signs.rule * count_cells(widths), style=DIM)
    for row in body:
        yield _render_row(columns, row, widths, signs)


def _render_row(
    columns: Sequence[Column],
    cells: Sequence[tuple[str, str]],
    widths: Sequence[int],
    signs: Signs,
) -> Text:
    line = Text()
    for column, (text, style), width in zip(columns, cells, widths, strict=True):
        gap = " " * GAP if line else ""
        cell = pad(signs.shorten(text, width), width, right=column.is_numeric)
        line.append(gap).append(cell, style=style)
    return line
