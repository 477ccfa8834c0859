"""What a page is made of, before it is HTML: sections of tables, figures and notes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from matscore.colors import level_of, scale_values
from matscore.kernel import Floats
from matscore.names import show

LONGEST_TEXT, LONGEST_TITLE = 80, 1000


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes
    ----------
    text : str
        What is shown, safe to show and short.
    title : str
        The whole of a text that was cut.
    value : float or None
        What a number is sorted by.
    level : int or None
        Its shade.
    bar : float or None
        The length of a bar behind it, from 0 to 1.
    mark : {"", "best", "tie"}
        Whether it stands out.
    """

    text: str
    title: str = ""
    value: float | None = None
    level: int | None = None
    bar: float | None = None
    mark: Literal["", "best", "tie"] = ""


@dataclass(frozen=True)
class Column:
    """A column of a table; `title` is the whole of a heading that was cut."""

    heading: str
    is_number: bool = False
    title: str = ""
    has_bars: bool = False


BARS = Column("rows", is_number=True, has_bars=True)
"""The column of `count_cell` with bars."""


@dataclass(frozen=True)
class Table:
    """A table; its first column names the rows.

    Attributes
    ----------
    caption : str
        What it shows.
    columns : sequence of Column
        Their headings.
    rows : sequence of sequence of Cell
        As many cells as columns.
    note : str
        What is said below it.
    is_heat : bool
        Whether its numbers are shaded.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    is_heat: bool = False
    kind: str = field(default="table", init=False)

    @property
    def has_marks(self) -> bool:
        """Whether any cell stands out, so that all numbers keep room for the sign."""
        return any(cell.mark for row in self.rows for cell in row)


@dataclass(frozen=True)
class Figure:
    """A picture as SVG, with what it shows in words."""

    svg: str
    caption: str
    alt: str
    kind: str = field(default="figure", init=False)


@dataclass(frozen=True)
class Notes:
    """Sentences, and a command with what is said before it."""

    sentences: Sequence[str]
    command: str = ""
    before: str = ""
    kind: str = field(default="notes", init=False)


@dataclass(frozen=True)
class Pair:
    """Parts that stand beside each other where there is room."""

    parts: Sequence[Figure | Table | Notes]
    kind: str = field(default="pair", init=False)


Part = Table | Figure | Notes | Pair


@dataclass(frozen=True)
class Section:
    """A part of a page with a heading; `anchor` is where links lead."""

    anchor: str
    title: str
    parts: Sequence[Part]
    lead: str = ""


@dataclass(frozen=True)
class Tile:
    """A number that is seen first."""

    number: str
    words: str
    tone: Literal["", "good", "warn", "bad"] = ""


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes
    ----------
    title, subtitle : str
        What it is about, and more about that.
    status : str
        How the run ended.
    is_good : bool
        Whether it ended well.
    alert : str
        What went wrong.
    tiles : sequence of Tile
        The numbers that are seen first.
    sections : sequence of Section
        The rest.
    foot : str
        What made the page.
    """

    title: str
    subtitle: str
    status: str
    is_good: bool
    alert: str
    tiles: Sequence[Tile]
    sections: Sequence[Section]
    foot: str


def text_cell(text: object) -> Cell:
    r"""Return a cell of text; what does not print is shown as an escape, what is long is cut.

    Examples
    --------
    >>> print(text_cell("a\x1b[1m").text, len(text_cell("x" * 1000).text))
    a\x1b[1m 81
    """
    short, title = cut(str(text))
    return Cell(short, title)


def number_cell(value: float | None, *, level: int | None = None, digits: int = 4) -> Cell:
    """Return a cell of a number; there is nothing for None."""
    if value is None:
        return Cell("")
    return Cell(write_number(value, digits), value=value, level=level)


def count_cell(n: int, *, of: int | None = None) -> Cell:
    """Return a cell of a count, with a bar as long as its share of another."""
    return Cell(f"{n:,}", value=float(n), bar=None if not of else n / of)


def percent_cell(n: int, of: int) -> Cell:
    """Return a cell of a share in percent."""
    share = n / of if of else 0.0
    return Cell(write_percent(share), value=share)


def heat_cells(values: Floats, decimals: int | None = None) -> list[list[Cell]]:
    """Return cells of numbers, shaded by one measure.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns), float64
        NaN is not shaded.
    decimals : int or None
        Decimals to show; None takes those that the largest number of a column needs to have four
        significant digits.

    Returns
    -------
    list of list of Cell
        A list a row.
    """
    levels = [
        [None if math.isnan(place) else level_of(place) for place in placed]
        for placed in scale_values(values).tolist()
    ]
    columns = [
        line_up_numbers(column.tolist(), decimals) for column in values.T
    ]  # fmt: skip
    return [
        [
            Cell(columns[j][i], value=value, level=levels[i][j])
            for j, value in enumerate(row)
        ]
        for i, row in enumerate(values.tolist())
    ]  # fmt: skip


def line_up_numbers(values: Sequence[float], decimals: int | None = None) -> list[str]:
    """Write the numbers of a column with as many decimals each, so that their points line up.

    Examples
    --------
    >>> line_up_numbers([7.15, -10.6951, 3.0]), line_up_numbers([1e-12, 0.5])
    (['7.15', '-10.70', '3.00'], ['1.00e-12', '0.5'])
    """
    if decimals is None:
        decimals = _count_decimals(values)
    texts: list[str] = []
    for value in values:
        lost = 0 < abs(value) < 0.5 * 10**-decimals
        plain = abs(value) < 1e15 and not lost
        texts.append(f"{value + 0.0:,.{decimals}f}" if plain else write_number(value, 3))
        if lost:
            texts[-1] = f"{value:.2e}"
    return texts


def _count_decimals(values: Sequence[float]) -> int:
    """Count the decimals that four significant digits of the largest number need, if any does."""
    finite = [value for value in values if math.isfinite(value)]
    largest = max(map(abs, finite), default=0.0)
    most = 0 if largest == 0 else min(max(3 - math.floor(math.log10(largest)), 0), 8)
    texts = (f"{value:.{most}f}".rstrip("0") for value in finite)
    return max((len(text.partition(".")[2]) for text in texts), default=0) if most else 0


def column(heading: object, *, is_number: bool = False) -> Column:
    """Return a column; what does not print in its heading is shown, what is long is cut."""
    short, title = cut(str(heading))
    return Column(short, is_number, title)


def cut(text: str) -> tuple[str, str]:
    """Return text that is safe and short, and the whole of it where that is longer."""
    shown = show(text[: LONGEST_TITLE + 1])
    if len(shown) <= LONGEST_TEXT:
        return shown, ""
    rest = "…" if len(text) > LONGEST_TITLE else ""
    return f"{shown[:LONGEST_TEXT]}…", f"{shown[:LONGEST_TITLE]}{rest}"


def write_number(value: float, digits: int = 4) -> str:
    """Write a number for people, with some significant digits.

    Examples
    --------
    >>> [write_number(v) for v in (0.5, 12345.678, -1e-9, float("nan"), 3.0)]
    ['0.5', '12,346', '-1e-09', 'NaN', '3']
    """
    if math.isnan(value):
        return "NaN"
    if value == 0:
        return "0"
    if 1e4 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def write_percent(share: float) -> str:
    """Write a share in percent, never rounded to nothing or to all.

    Examples
    --------
    >>> [write_percent(s) for s in (0.0, 1e-6, 0.5, 0.99999, 1.0)]
    ['0%', '<0.1%', '50.0%', '>99.9%', '100%']
    """
    if share in (0, 1):
        return f"{share:.0%}"
    return "<0.1%" if share < 0.001 else ">99.9%" if share > 0.999 else f"{share:.1%}"


def write_size(n_bytes: int) -> str:
    """Write a number of bytes.

    Examples
    --------
    >>> write_size(812), write_size(4_500_000)
    ('812 bytes', '4.5 MB')
    """
    size, unit = float(n_bytes), 0
    while size >= 1000 and unit < 4:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[unit]}"
