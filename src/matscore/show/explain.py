"""Explanations on a terminal: the equation, bars left and right of zero, the runner-up."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from matscore.show.text import Signs, format_numbers, pad, plural, show_product, signs_for
from matscore.write.formats import round_to

if TYPE_CHECKING:
    from matscore.commands.explain_rows import ExplainedRow, ExplainPreview, ExplainTally
    from matscore.run.summary import Summary

_GAP = 2
_LONGEST_NAME, _LEAST_NAME = 30, 8
_WIDEST_BAR, _LEAST_BAR = 32, 6
_UP, _DOWN, _DIM, _HEAD, _BEST = "green", "red", "dim", "bold", "bold green"


@dataclass(frozen=True)
class _Column:
    """A column of a row's lines; its cells are of one width."""

    heading: str
    cells: Sequence[str]
    right: bool = True

    @property
    def width(self) -> int:
        return max(map(cell_len, (self.heading, *self.cells)))


def render_explanation(summary: Summary[ExplainTally], console: Console) -> None:
    """Print the first rows of a run, each taken apart.

    Parameters
    ----------
    summary : Summary
        Of a run of ``explain`` whose format is ``table``.
    console : Console
        Where to print; its width and encoding decide what is shown.
    """
    signs, plan, output = signs_for(console), summary.plans[0], summary.output
    n_features, n_categories = len(plan.feature_names), len(plan.categories)
    equation = show_product(summary.n_rows, n_features, n_categories, console.width, signs)
    console.print(Text(equation, style=_HEAD))
    previews = cast("Sequence[ExplainPreview]", summary.previews)
    found = [row for preview in previews for row in preview.rows]
    shown = found[: output.max_rows if output else 0]
    precision = output.precision if output else None
    for row in shown:
        console.print("")
        for line in _render_row(row, console.width, signs, precision):
            console.print(line, soft_wrap=True)
    more = summary.tally.n_explained + summary.tally.n_empty - len(shown)
    if more or not shown:
        rest = f"{signs.ellipsis} and {plural(more, 'more row')}" if shown else plural(more, "row")
        console.print(Text(f"\n{rest}", style=_DIM))


def _render_row(
    row: ExplainedRow, width: int, signs: Signs, precision: int | None
) -> Iterator[Text]:
    yield _render_head(row, width, signs, precision)
    if row.category is None:
        return
    equation = _write_equation(row, width, signs, precision)
    yield Text(equation, style=_DIM)
    yield from _render_lines(row, width, signs, precision)


def _render_head(row: ExplainedRow, width: int, signs: Signs, precision: int | None) -> Text:
    """Name the row, its category and score, and the category that comes next."""
    longest = max(width // 3, _LEAST_NAME)
    label = signs.shorten(signs.show(str(row.label)), longest)
    head = Text(label, style=_HEAD)
    if row.category is None:
        return head.append(f": no prediction, as a value is missing {signs.dash}", style=_DIM)
    category = signs.shorten(signs.show(row.category), longest)
    head.append(": ").append(f"{category} {_short(row.score, precision)[0]}", style=_BEST)
    if row.rival is not None:
        gap = 0.0 if row.tied else row.score - row.rival_score
        rival = signs.shorten(signs.show(row.rival), longest)
        other, margin = _short(row.rival_score, precision)[0], _short(abs(gap), precision)[0]
        place = "before" if gap > 0 else "behind"
        head.append(f", {place} {rival} {other} by {margin}" if gap else f", a tie with {rival}")
    return head


def _write_equation(row: ExplainedRow, width: int, signs: Signs, precision: int | None) -> str:
    """Write value × weight + … = score, as many terms as find room."""
    total = row.score - row.rival_score if not row.differences and row.rival else row.score
    score, exact = _short(total, precision)
    terms: list[str] = []
    lines = zip(row.entries, row.values, row.weights, row.contributions, strict=True)
    for entry, value, weight, part in lines:
        term, is_exact = _write_term(entry, value, weight, part, signs, precision)
        more = f" + {signs.ellipsis}" if len(terms) + 1 < len(row.names) else ""
        if terms and cell_len(" + ".join([*terms, term]) + more + f" = {score}") > width:
            terms.append(signs.ellipsis)
            break
        terms.append(term)
        exact = exact and is_exact
    about = "≈" if signs.encoding == "utf-8" else "~"
    return f"{' + '.join(terms)} {'=' if exact else about} {score}"


def _write_term(
    entry: int, value: float, weight: float, part: float, signs: Signs, precision: int | None
) -> tuple[str, bool]:
    if entry < 0:  # no product: the intercept, or the sum of others
        text, exact = _short(part, precision)
        return (f"({text})" if part < 0 else text), exact
    (left, is_left), (right, is_right) = _short(value, precision), _short(weight, precision)
    left, right = (f"({text})" if text[0] == "-" else text for text in (left, right))
    return f"{left} {signs.times} {right}", is_left and is_right


def _short(value: float, precision: int | None) -> tuple[str, bool]:
    """Write a number in four digits, or as asked; say whether it is the number itself."""
    text = f"{value:.4g}" if precision is None else f"{value:.{precision}f}"
    return text, math.isnan(value) or float(text) == value


def _render_lines(
    row: ExplainedRow, width: int, signs: Signs, precision: int | None
) -> Iterator[Text]:
    names = [signs.show(name[: 4 * _LONGEST_NAME]) for name in row.names]
    room = min(max(map(cell_len, names)), _LONGEST_NAME)
    columns = [
        _numbers("value", row.values, precision),
        _numbers("weight", row.weights, precision),
        _numbers("contribution", row.contributions, precision),
    ]
    bars = row.contributions
    if row.differences:
        rival = signs.shorten(signs.show(row.rival or ""), 14)
        columns.append(_numbers(f"over {rival}", row.differences, precision))
    while len(columns) > 3 and _count(columns, _LEAST_NAME) > width:
        columns.pop()
    room = max(min(room, width - _count(columns, 0)), _LEAST_NAME)
    bar = min(width - _count(columns, room) - _GAP, _WIDEST_BAR)
    drawn = _draw_bars(bars, bar, signs) if bar >= _LEAST_BAR else None
    first = _Column("feature", [signs.shorten(name, room) for name in names], right=False)
    yield _join([first, *columns], None, room, Text(style=_HEAD))
    for i in range(len(names)):
        line = _join([first, *columns], i, room, Text())
        yield line if drawn is None else line.append(" " * _GAP).append(drawn[i])


def _numbers(heading: str, values: Sequence[float], precision: int | None) -> _Column:
    """Write the numbers of a column, those that there are."""
    there = [value for value in values if not math.isnan(value)]
    rounded = _round(there, precision)
    texts = iter(format_numbers(rounded, precision))
    return _Column(heading, ["" if math.isnan(value) else next(texts) for value in values])


def _round(values: Sequence[float], precision: int | None) -> list[float]:
    return list(round_to(np.array(values, dtype=np.float64), precision))


def _count(columns: Sequence[_Column], name: int) -> int:
    return name + sum(column.width + _GAP for column in columns)


def _join(columns: Sequence[_Column], i: int | None, room: int, line: Text) -> Text:
    for n, column in enumerate(columns):
        text = column.heading if i is None else column.cells[i]
        cell = pad(text, column.width if n else max(room, cell_len("feature")), right=column.right)
        line.append(" " * _GAP if n else "").append(cell)
    return line


def _draw_bars(values: Sequence[float], width: int, signs: Signs) -> list[Text]:
    """Draw a bar for each value, left of zero or right of it."""
    full, thin, axis = ("█", "▏", "│") if signs.encoding == "utf-8" else ("#", ".", "|")
    finite = [0.0 if math.isnan(value) else value for value in values]
    lowest, highest = min(0.0, *finite), max(0.0, *finite)
    span = highest - lowest
    scale = (width - 1) / span if 0 < span < math.inf else 0.0
    left = round(-lowest * scale)
    bars = []
    for value in finite:
        n = round(abs(value) * scale)
        bar = full * n or thin * (value != 0)
        before = pad(bar, left, right=True) if value < 0 and left else " " * left
        text = Text(before, style=_DOWN).append(axis, style=_DIM)
        bars.append(text.append(bar if value > 0 else "", style=_UP))
    return bars
