"""Text for a terminal: labels made harmless, cut to a width, numbers that line up, signs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from rich.console import Console

from matscore.names import show as show  # noqa: PLC0414  # the terminal shows text so, too

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
    ellipsis: str = "…"
    side: str = "│"
    corners: str = "┌┐└┘"
    check: str = "✓"
    cross: str = "✗"
    density: str = " ░▒▓█"
    about: str = "≈"
    encoding: str = "utf-8"

    def show(self, text: str) -> str:
        """Make text safe for the console that the signs are for; see `show`."""
        return show(text.replace(UNICODE.times, self.times), self.encoding)

    def shorten(self, text: str, width: int) -> str:
        """Cut text to a width; see `shorten`."""
        return shorten(text, width, self.ellipsis)


UNICODE = Signs()
# fmt: off
ASCII = Signs(
    "x", "*", "->", "-", "*", "=", "-", "^T", "#", "...",
    "|", "++++", "+", "!", " .:o#", "~", "ascii",
)
# fmt: on


def signs_for(console: Console) -> Signs:
    """Return the signs that a console can show."""
    return replace(ASCII, encoding=console.encoding) if console.options.ascii_only else UNICODE


def shorten(text: str, width: int, ellipsis: str = UNICODE.ellipsis) -> str:
    """Cut text to a width; an ellipsis says so.

    Parameters
    ----------
    text : str
        Printable text.
    width : int
        Cells of the terminal.
    ellipsis : str
        What stands for the rest.

    Returns
    -------
    str
        Text of at most `width` cells.

    Examples
    --------
    >>> shorten("The Wrong Umbrella", 10), shorten("日本語", 5), shorten("drama", 5)
    ('The Wrong…', '日本…', 'drama')
    """
    head = text[: _MANY_TIMES_ITS_WIDTH * max(width, 1) + 1]  # a label may be a megabyte
    if len(head) == len(text) and cell_len(text) <= width:
        return text
    room = width - cell_len(ellipsis)
    return _cut(head, room).rstrip() + ellipsis if room >= 0 else _cut(head, width)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill text up to a width with blanks; on the left where `right` is set.

    Examples
    --------
    >>> pad("日本", 6) + "|", pad("5.9", 6, right=True)
    ('日本  |', '   5.9')
    """
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks


def plural(n: int, noun: str) -> str:
    """Count a noun.

    Examples
    --------
    >>> plural(1, "row"), plural(1234, "row"), plural(0, "category")
    ('1 row', '1,234 rows', '0 categories')
    """
    if n == 1:
        return f"1 {noun}"
    plural_noun = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{n:,} {plural_noun}"


def show_shape(n_rows: int | None, n_columns: int, signs: Signs = UNICODE) -> str:
    """Write a shape as people do; a question mark stands for what is not known yet.

    Examples
    --------
    >>> show_shape(3, 2), show_shape(None, 1200)
    ('(3 × 2)', '(? × 1,200)')
    """
    rows = "?" if n_rows is None else f"{n_rows:,}"
    return f"({rows} {signs.times} {n_columns:,})"


def show_product(
    n_rows: int | None, n_features: int, n_categories: int, width: int, signs: Signs = UNICODE
) -> str:
    """Write what the product does to the shapes, in lines of at most a width where that is wide.

    Examples
    --------
    >>> show_product(3, 2, 3, 80)
    '(3 × 2) · (2 × 3) → (3 × 3)'
    >>> print(show_product(1200, 20, 3, 30))
    (1,200 × 20) · (20 × 3)
    → (1,200 × 3)
    """
    features = show_shape(n_rows, n_features, signs)
    weights = f"{signs.dot} {show_shape(n_features, n_categories, signs)}"
    scores = f"{signs.arrow} {show_shape(n_rows, n_categories, signs)}"
    return _flow_parts(features, [weights, scores], width)


def show_similarity(
    n_users: int | None, n_features: int, n_items: int, width: int, signs: Signs = UNICODE
) -> str:
    """Write what the product of users with items transposed does to the shapes.

    Examples
    --------
    >>> show_similarity(3, 4, 2, 80)
    '(3 × 4) · (2 × 4)ᵀ → (3 × 2)'
    """
    users = show_shape(n_users, n_features, signs)
    items = f"{signs.dot} {show_shape(n_items, n_features, signs)}{signs.transposed}"
    return _flow_parts(
        users, [items, f"{signs.arrow} {show_shape(n_users, n_items, signs)}"], width
    )


def _flow_parts(text: str, parts: Sequence[str], width: int) -> str:
    for part in parts:
        room = width - cell_len(text.rpartition("\n")[2])
        text += (" " if cell_len(part) < room else "\n") + part
    return text


def format_numbers(values: Sequence[float], precision: int | None = None) -> list[str]:
    """Write the numbers of a column so that their points stand below each other.

    Parameters
    ----------
    values : sequence of float
        NaN is written as such.
    precision : int or None
        Decimals; None takes as many as four significant digits of each number need. Digits before
        the point are never rounded away below ten million.

    Returns
    -------
    list of str
        Texts of one width.

    Examples
    --------
    >>> format_numbers([5.9, -0.25, 12345.6])
    ['    5.90', '   -0.25', '12345.60']
    >>> format_numbers([1 / 3, 123456789.0, 0.0])
    ['0.3333   ', '1.235e+08', '0.0000   ']
    >>> format_numbers([2.0, float("nan")], precision=2)
    ['2.00', ' NaN']
    """
    decimals = _count_decimals(values) if precision is None else precision
    texts = [_format_number(value, decimals, fixed=precision is not None) for value in values]
    return _line_up(texts)


def _cut(text: str, width: int) -> str:
    # In rich 13, set_cell_size takes combining characters from their letters.
    if text.isascii():
        return text[: max(width, 0)]
    end = next((i for i in range(len(text)) if cell_len(text[: i + 1]) > width), len(text))
    return text[:end]


def _is_plain(value: float) -> bool:
    return value == 0 or 1e-4 <= abs(value) < 1e7


def _count_decimals(values: Sequence[float]) -> int:
    """Count the decimals that four significant digits of every plain number need."""
    decimals = 0
    for value in values:
        if _is_plain(value):
            digits, _, exponent = f"{value:.3e}".partition("e")
            significant = len(digits.lstrip("-").replace(".", "").rstrip("0"))
            decimals = max(decimals, significant - 1 - int(exponent))
    largest = max((abs(value) for value in values if _is_plain(value)), default=0.0)
    return min(decimals, max(3, 8 - len(str(int(largest)))))


def _format_number(value: float, decimals: int, *, fixed: bool) -> str:
    if math.isnan(value):
        return _NOT_A_NUMBER
    value += 0.0  # no negative zero
    if fixed:
        return f"{value:.{decimals}f}" if abs(value) < 1e15 else repr(value)
    text = f"{value:.{decimals}f}"
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
