"""Text for people, the signs of a terminal, and columns of text on it.

The widths are decided here and not left to `rich.table`, which would cut or wrap a number in a
terminal too narrow for it. Labels and headings give way first, then whole columns; numbers never.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text

from matscore.names import show

if TYPE_CHECKING:
    from rich.console import Console

    from matscore.run.run import Summary

# The styles of a terminal.
GOOD, BAD, TIED, HEAD, DIM = "bold green", "bold red", "bold yellow", "bold", "dim"
GAP = 2
_MANY_TIMES_ITS_WIDTH = 8
_NOT_A_NUMBER = "NaN"
_CLOSE = 5.001e-4  # what rounding to four significant digits can lose, relatively


@dataclass(frozen=True)
class Signs:
    """The signs that are not letters; `ASCII` is for consoles that are not in Unicode."""

    times: str = "×"
    dot: str = "·"
    arrow: str = "→"
    rule: str = "─"
    best: str = "★"
    tie: str = "="
    dash: str = "–"
    transposed: str = "ᵀ"
    bar: str = "█"
    thin: str = "▏"
    ellipsis: str = "…"
    side: str = "│"
    corners: str = "┌┐└┘"
    check: str = "✓"
    cross: str = "✗"
    density: str = " ░▒▓█"
    about: str = "≈"
    encoding: str = "utf-8"

    @classmethod
    def of(cls, console: Console) -> Signs:
        """Return the signs that a console can show."""
        return replace(ASCII, encoding=console.encoding) if console.options.ascii_only else UNICODE

    def show(self, text: str) -> str:
        """Make text safe for the console that the signs are for."""
        # Sentences about shapes hold the sign, which has a plain form where others are escaped.
        return show(text.replace(UNICODE.times, self.times), self.encoding)

    def shorten(self, text: str, width: int) -> str:
        """Cut printable text to a width in cells; an ellipsis says so where it has room."""
        # Letters with several marks take more characters than cells.
        head = text[: _MANY_TIMES_ITS_WIDTH * max(width, 1) + 1]  # a label may be a megabyte
        if len(head) == len(text) and cell_len(text) <= width:
            return text
        room = width - cell_len(self.ellipsis)
        return _cut(head, room).rstrip() + self.ellipsis if room >= 0 else _cut(head, width)

    def clip(self, text: str, longest: int) -> str:
        """Make the first characters of any text safe; a label may be a megabyte."""
        return self.show(text[:longest]) + self.ellipsis * (len(text) > longest)

    def say_more(self, n: int, noun: str) -> str:
        """Say how many more there are than are shown."""
        return f"{self.ellipsis} and {plural(n, f'more {noun}')}"


UNICODE = Signs()
ASCII = Signs(
    times="x", dot="*", arrow="->", rule="-", best="*", dash="-", transposed="^T", bar="#",
    thin=".", ellipsis="...", side="|", corners="++++", check="+", cross="!", density=" .:o#",
    about="~", encoding="ascii",
)  # fmt: skip


def print_lines(console: Console, lines: Iterable[Text]) -> None:
    """Print lines that have been fitted to the console: it is not to break them again."""
    for line in lines:
        console.print(line, soft_wrap=True)


def print_dim(console: Console, texts: Iterable[str]) -> None:
    """Print what is said about a table."""
    for text in texts:
        console.print(Text(text, style=DIM))


def _cut(text: str, width: int) -> str:
    # In rich 13, set_cell_size takes combining characters from their letters.
    if text.isascii():
        return text[: max(width, 0)]
    end = next((i for i in range(len(text)) if cell_len(text[: i + 1]) > width), len(text))
    return text[:end]


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill text up to a width in cells with blanks; on the left where `right` is set."""
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks


def plural(n: int, noun: str) -> str:
    """Count a noun, as in ``1 row`` and ``1,234 categories``."""
    if n == 1:
        return f"1 {noun}"
    plural_noun = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{n:,} {plural_noun}"


def list_counts(*counts: tuple[int, str, str]) -> list[str]:
    """Count nouns, each with what follows it; those that are not there are left out."""
    return [plural(n, noun) + rest for n, noun, rest in counts if n]


def show_size(n_rows: int | None, n_columns: int, signs: Signs = UNICODE) -> str:
    """Write a shape as in ``3 × 2``; a question mark stands for what is not known yet."""
    rows = "?" if n_rows is None else f"{n_rows:,}"
    return f"{rows} {signs.times} {n_columns:,}"


def show_shape(n_rows: int | None, n_columns: int, signs: Signs = UNICODE) -> str:
    """Write a shape as in ``(3 × 2)``."""
    return f"({show_size(n_rows, n_columns, signs)})"


def show_product(
    n_rows: int | None,
    n_features: int,
    n_categories: int,
    width: int,
    signs: Signs = UNICODE,
    *,
    transposed: bool = False,
) -> str:
    """Write what the product does to the shapes, broken between them where a line is too long.

    `transposed` is for users and items, both of which have a row each.
    """
    weights = (n_categories, n_features) if transposed else (n_features, n_categories)
    turned = signs.transposed if transposed else ""
    text = show_shape(n_rows, n_features, signs)
    # A shape is never broken: the eye compares the two sizes in the middle.
    for part in (
        f"{signs.dot} {show_shape(*weights, signs)}{turned}",
        f"{signs.arrow} {show_shape(n_rows, n_categories, signs)}",
    ):
        room = width - cell_len(text.rpartition("\n")[2])
        text += (" " if cell_len(part) < room else "\n") + part
    return text


def write_equation(
    summary: Summary[Any], width: int, signs: Signs, *, transposed: bool = False
) -> str:
    """Write what the product of a run's matrices does to their shapes."""
    plan = summary.plans[0]
    sizes = summary.n_rows, len(plan.feature_names), len(plan.categories)
    return show_product(*sizes, width, signs, transposed=transposed)


def show_number(value: float, digits: int = 4) -> str:
    """Write a number in a sentence, with some significant digits; nothing is lost to a point."""
    if math.isnan(value):
        return _NOT_A_NUMBER
    if value == 0:
        return "0"
    # Up to 1e15 a float64 knows every digit before the point.
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.{digits}g}"


def show_share(value: float, signs: Signs) -> str:
    """Write a share with four decimals, a dash for NaN."""
    return signs.dash if math.isnan(value) else f"{value:.4f}"


def show_percent(share: float) -> str:
    """Write a share in percent, never rounded to nothing or to all."""
    if share in (0, 1):
        return f"{share:.0%}"
    return "<0.1%" if share < 0.001 else ">99.9%" if share > 0.999 else f"{share:.1%}"


def show_bytes(n_bytes: int) -> str:
    """Write a number of bytes, as in ``4.5 MB``."""
    # Decimal units, as disks and object stores count.
    size, unit = float(n_bytes), 0
    while size >= 1000 and unit < 4:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[unit]}"


def format_numbers(values: Sequence[float], precision: int | None = None) -> list[str]:
    """Write the numbers of a column so that their points stand below each other.

    Without `precision` there are as many decimals as four significant digits of each number need;
    digits before the point are never rounded away below ten million. The texts are of one width.
    """
    decimals = _count_decimals(values) if precision is None else precision
    texts = [_format_number(value, decimals, fixed=precision is not None) for value in values]
    return _line_up(texts)


def _is_plain(value: float) -> bool:
    return value == 0 or 1e-4 <= abs(value) < 1e7


def _count_decimals(values: Sequence[float]) -> int:
    """Count the decimals that four significant digits of every plain number need."""
    decimals = 0
    for value in filter(_is_plain, values):
        digits, _, exponent = f"{value:.3e}".partition("e")
        significant = len(digits.lstrip("-").replace(".", "").rstrip("0"))
        decimals = max(decimals, significant - 1 - int(exponent))
    # A column of mixed sizes would be wide with the decimals that its smallest number needs.
    largest = max((abs(value) for value in values if _is_plain(value)), default=0.0)
    return min(decimals, max(3, 8 - len(str(int(largest)))))


def _format_number(value: float, decimals: int, *, fixed: bool) -> str:
    if math.isnan(value):
        return _NOT_A_NUMBER
    value += 0.0  # no negative zero
    text = f"{value:.{decimals}f}"
    # From 1e15 on a float64 has no digits after the point to speak of.
    if fixed:
        return text if abs(value) < 1e15 else repr(value)
    exact = _is_plain(value) and abs(float(text) - value) <= _CLOSE * abs(value)
    return text if exact else f"{value:.3e}"


def _line_up(texts: list[str]) -> list[str]:
    parts = [text.partition(".") for text in texts]
    after = max((len(point + rest) for _, point, rest in parts), default=0)
    lined = [
        text if text == _NOT_A_NUMBER else whole + (point + rest).ljust(after)
        for text, (whole, point, rest) in zip(texts, parts, strict=True)
    ]
    width = max(map(len, lined), default=0)
    return [text.rjust(width) for text in lined]


@dataclass(frozen=True)
class Least:
    """Cells that columns may shrink to while there are others that could be left out."""

    label: int
    text: int
    heading: int


ROOMY, TIGHT, CRAMPED = Least(18, 14, 8), Least(10, 8, 6), Least(4, 4, 4)


@dataclass(frozen=True)
class Column:
    """A column as it is shown; its texts are safe and as wide as they like."""

    heading: str
    cells: Sequence[str]
    styles: Sequence[str] = ()  # of the cells; without them all are plain
    is_label: bool = field(default=False, kw_only=True)
    is_numeric: bool = field(default=False, kw_only=True)
    short: str = field(default="", kw_only=True)  # cut where the heading finds no room

    @classmethod
    def of_counts(cls, heading: str, counts: Sequence[int]) -> Column:
        """Return a column of whole numbers."""
        return cls(heading, [f"{n:,}" for n in counts], is_numeric=True)

    @classmethod
    def of_shares(cls, heading: str, shares: Iterable[float], signs: Signs) -> Column:
        """Return a column of shares in four decimals."""
        return cls(heading, [show_share(share, signs) for share in shares], is_numeric=True)

    @classmethod
    def of_shades(cls, heading: str, shaded: Sequence[tuple[str, str]]) -> Column:
        """Return a column of numbers that are shaded, each with its style."""
        cells, styles = [text for text, _ in shaded], [style for _, style in shaded]
        return cls(heading, cells, styles, is_numeric=True)

    @property
    def body(self) -> int:
        """Cells that it would take without its heading."""
        return max(map(cell_len, self.cells), default=0)

    @property
    def width(self) -> int:
        """Cells that it would take."""
        return max(cell_len(self.heading), self.body)

    def least(self, at: Least) -> int:
        """Return the width under which it may not shrink; numbers are never cut."""
        if self.is_numeric:
            return max(self.body, min(cell_len(self.heading), at.heading))
        return min(self.width, at.label if self.is_label else at.text)

    def write(self, row: int | None, width: int, signs: Signs) -> tuple[str, str]:
        """Return a cell of a width and its style; None is the heading."""
        if row is None:
            text = self.heading if self.width <= width else self.short or self.heading
            style = HEAD
        else:
            text, style = self.cells[row], self.styles[row] if self.styles else ""
        return pad(signs.shorten(text, width), width, right=self.is_numeric), style


def mark_numbers(
    heading: str, numbers: Sequence[str], signs: Sequence[str], styles: Sequence[str]
) -> Column:
    """Return a column of numbers some of which stand out by a sign, so that all keep room."""
    has_any = any(signs)
    slots = (f" {sign}" if sign else "  " * has_any for sign in signs)
    cells = [number + slot for number, slot in zip(numbers, slots, strict=True)]
    return Column(heading, cells, styles, is_numeric=True)


@dataclass(frozen=True)
class Table:
    """Columns of one height beside each other, and the signs that they are drawn with."""

    columns: Sequence[Column]
    signs: Signs
    title: str = ""

    def count_cells(self, at: Least | None = None) -> int:
        """Return the cells that the columns take with their gaps, or the least that they may."""
        widths = [column.width if at is None else column.least(at) for column in self.columns]
        return sum(widths) + GAP * (len(widths) - 1)

    def render(self, width: int) -> Iterator[Text]:
        """Yield lines of at most a width, but for the title: headings, a rule, and the rows."""
        widths = self._fit_widths(width)
        if self.title:
            yield Text(self.title, style=DIM)
        yield self.write_line(widths, None)
        yield Text(self.signs.rule * (sum(widths) + GAP * (len(widths) - 1)), style=DIM)
        for row in range(len(self.columns[0].cells)):
            yield self.write_line(widths, row)

    def write_line(self, widths: Sequence[int], row: int | None) -> Text:
        """Write a row, or the headings."""
        line = Text()
        for column, width in zip(self.columns, widths, strict=True):
            cell, style = column.write(row, width, self.signs)
            line.append(" " * GAP if line else "").append(cell, style=style)
        return line

    def _fit_widths(self, width: int) -> list[int]:
        """Shrink the widest columns, as far as they allow, until all fit."""
        # The widest gives a cell at a time, so that columns which shrink end alike.
        widths = [min(column.width, max(width, column.least(CRAMPED))) for column in self.columns]
        room = width - GAP * (len(widths) - 1)
        for at in (ROOMY, TIGHT, CRAMPED):
            least = [column.least(at) for column in self.columns]
            while sum(widths) > room:
                slack = [w if w > low else 0 for w, low in zip(widths, least, strict=True)]
                if not any(slack):
                    break
                widths[slack.index(max(slack))] -= 1
        return widths
