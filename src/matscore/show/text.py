"""Text for people: cut to a length, numbers and counts in words, the signs of a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from matscore.names import show

if TYPE_CHECKING:
    from rich.console import Console

# The styles of a terminal.
GOOD, BAD, TIED, HEAD, DIM = "bold green", "bold red", "bold yellow", "bold", "dim"
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
