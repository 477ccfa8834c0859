"""How scores come about: each row's terms, with bars, and every score with a pencil."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from matscore.errors import UsageError
from matscore.show.table import (
    DIM,
    GAP,
    GOOD,
    HEAD,
    Column,
    Signs,
    Table,
    format_numbers,
    pad,
    plural,
    print_lines,
    write_equation,
)
from matscore.write.formats import round_to

if TYPE_CHECKING:
    from rich.console import Console

    from matscore.commands.classify import ScoreTally
    from matscore.commands.explain import ExplainTally
    from matscore.commands.output import ExplainedRow, ExplainPreview
    from matscore.model import Model
    from matscore.plan import Plan
    from matscore.run.run import Summary
    from matscore.run.work import Preview

MAX_TERMS, MAX_CATEGORIES = 12, 20
_LONGEST_NAME, _LEAST_NAME, _LONGEST_HEADING = 30, 8, 20
_WIDEST_BAR, _LEAST_BAR = 32, 6
_UP, _DOWN = "green", "red"


def render_explanation(summary: Summary[ExplainTally], console: Console) -> None:
    """Print the first rows of a run of ``explain``, each taken apart."""
    signs, output = Signs.of(console), summary.output
    console.print(Text(write_equation(summary, console.width, signs), style=HEAD))
    previews = cast("Sequence[ExplainPreview]", summary.previews)
    rows = [row for preview in previews for row in preview.rows]
    shown = rows[: output.max_rows if output else 0]
    for row in shown:
        console.print("")
        drawn = _Row(row, console.width, signs, output.precision if output else None)
        print_lines(console, drawn.render())
    more = summary.tally.n_explained + summary.tally.n_empty - len(shown)
    if more or not shown:
        rest = signs.say_more(more, "row") if shown else plural(more, "row")
        console.print(Text(f"\n{rest}", style=DIM))


@dataclass(frozen=True)
class _Row:
    """A row that is taken apart: its head, its equation, a line a feature."""

    row: ExplainedRow
    width: int
    signs: Signs
    precision: int | None

    def render(self) -> Iterator[Text]:
        yield self._write_head()
        if self.row.category is not None:
            yield Text(self._write_equation(), style=DIM)
            yield from self._write_features()

    def _write_head(self) -> Text:
        """Name the row, its category and score, and the category that comes next."""
        row, signs, longest = self.row, self.signs, max(self.width // 3, _LEAST_NAME)

        def short(text: str) -> str:
            return signs.shorten(signs.show(text), longest)

        head = Text(short(str(row.label)), style=HEAD)
        if row.category is None:
            return head.append(f": no prediction, as a value is missing {signs.dash}", style=DIM)
        score = self._number(row.score)[0]
        head.append(": ").append(f"{short(row.category)} {score}", style=GOOD)
        if row.rival is None:
            return head
        # Whether scores tie is decided elsewhere, once; here they may differ in the last digit.
        gap = 0.0 if row.tied else row.score - row.rival_score
        if not gap:
            return head.append(f", a tie with {short(row.rival)}")
        other, margin = self._number(row.rival_score)[0], self._number(abs(gap))[0]
        place = "before" if gap > 0 else "behind"
        return head.append(f", {place} {short(row.rival)} {other} by {margin}")

    def _write_equation(self) -> str:
        """Write value × weight + … = score, as many terms as find room."""
        row, signs = self.row, self.signs
        total = row.score - row.rival_score if not row.differences and row.rival else row.score
        score, exact = self._number(total)
        # At least one term, and never one that is cut: half a number would be a wrong one.
        terms: list[str] = []
        for line in zip(row.entries, row.values, row.weights, row.contributions, strict=True):
            term, is_exact = self._write_term(*line)
            more = f" + {signs.ellipsis}" if len(terms) + 1 < len(row.names) else ""
            if terms and cell_len(f"{' + '.join([*terms, term])}{more} = {score}") > self.width:
                terms.append(signs.ellipsis)
                break
            terms.append(term)
            exact = exact and is_exact
        return f"{' + '.join(terms)} {'=' if exact else signs.about} {score}"

    def _write_term(self, entry: int, value: float, weight: float, part: float) -> tuple[str, bool]:
        if entry < 0:  # no product: the intercept, or the sum of others
            text, exact = self._number(part)
            return (f"({text})" if part < 0 else text), exact
        (left, is_left), (right, is_right) = self._number(value), self._number(weight)
        left, right = (f"({text})" if text[0] == "-" else text for text in (left, right))
        return f"{left} {self.signs.times} {right}", is_left and is_right

    def _number(self, value: float) -> tuple[str, bool]:
        """Write a number in four digits, or as asked; say whether it is the number itself."""
        text = f"{value:.4g}" if self.precision is None else f"{value:.{self.precision}f}"
        return text, math.isnan(value) or float(text) == value

    def _write_features(self) -> Iterator[Text]:
        row, width, signs = self.row, self.width, self.signs
        names = Column("feature", [signs.show(name[: 4 * _LONGEST_NAME]) for name in row.names])
        columns = [
            self._column("value", row.values),
            self._column("weight", row.weights),
            self._column("contribution", row.contributions),
        ]
        if row.differences:
            rival = signs.shorten(signs.show(row.rival or ""), 14)
            columns.append(self._column(f"over {rival}", row.differences))
            if _LEAST_NAME + GAP + Table(columns, signs).count_cells() > width:
                columns.pop()
        left = width - GAP - Table(columns, signs).count_cells()  # for the names
        room = max(min(names.body, _LONGEST_NAME, left), _LEAST_NAME)
        bar = min(left - room - GAP, _WIDEST_BAR)
        bars = _draw_bars(row.contributions, bar, signs) if bar >= _LEAST_BAR else []
        table, widths = Table([names, *columns], signs), [room, *(c.width for c in columns)]
        yield Text(table.write_line(widths, None).plain, style=HEAD)
        for i in range(len(row.names)):
            line = table.write_line(widths, i)
            yield line.append(" " * GAP).append(bars[i]) if bars else line

    def _column(self, heading: str, values: Sequence[float]) -> Column:
        """Return a column of numbers, those that there are."""
        there = np.array([value for value in values if not math.isnan(value)], dtype=np.float64)
        # Rounded first, as in files: both show the same digits, also of a half.
        texts = iter(format_numbers(list(round_to(there, self.precision)), self.precision))
        cells = ["" if math.isnan(value) else next(texts) for value in values]
        return Column(heading, cells, is_numeric=True)


def _draw_bars(values: Sequence[float], width: int, signs: Signs) -> list[Text]:
    """Draw a bar for each value, left of zero or right of it."""
    # Zero is part of the scale, so that bars of one sign start at an edge.
    finite = [0.0 if math.isnan(value) else value for value in values]
    lowest, highest = min(0.0, *finite), max(0.0, *finite)
    span = highest - lowest
    scale = (width - 1) / span if 0 < span < math.inf else 0.0
    left = round(-lowest * scale)
    bars = []
    for value in finite:
        bar = signs.bar * round(abs(value) * scale) or signs.thin * (value != 0)
        before = pad(bar, left, right=True) if value < 0 and left else " " * left
        text = Text(before, style=_DOWN).append(signs.side, style=DIM)
        bars.append(text.append(bar if value > 0 else "", style=_UP))
    return bars


def refuse_large_model(plans: Sequence[Plan]) -> None:
    """Refuse to write out what nobody would read."""
    n_features, n_categories = plans[0].weights_shape
    if n_features > MAX_TERMS or n_categories > MAX_CATEGORIES:
        what = (
            f"--show-work is for at most {MAX_TERMS} features and {MAX_CATEGORIES} categories, and "
            f"the weights have {n_features:,} and {n_categories:,}"
        )
        raise UsageError(what, "leave it out")


def render_work(summary: Summary[ScoreTally], console: Console, max_rows: int) -> None:
    """Print the terms of every score of the first rows of ``classify``."""
    # The scores are computed again from the features of the preview, by the kernel as before.
    signs, left = Signs.of(console), max_rows
    for preview in summary.previews:
        for row in range(min(preview.frame.height, left)):
            console.print()
            label = str(preview.frame.values(next(iter(preview.frame.columns)))[row])
            head = signs.shorten(signs.show(label[:1000]), console.width)
            names, sums = _add_up_row(summary.plans[0], preview, row, signs)
            # A line that the terminal breaks would hide which term stands under which.
            lines = list(_write_across(names, sums))
            if max(line.cell_len for line in lines) > console.width:
                lines = list(_write_down(names, sums))
            print_lines(console, [Text(head, style=HEAD), *lines])
        left -= preview.frame.height


class _Sum(NamedTuple):
    """A score written out; `equal` says whether its terms are exactly what was computed."""

    head: str  # what it is the score of
    terms: list[str]
    equal: str
    total: str
    mark: str  # the sign behind it

    @property
    def style(self) -> str:
        return GOOD if self.mark else ""


def _write_across(names: Sequence[str], sums: Sequence[_Sum]) -> Iterator[Text]:
    """Write a score a line, its terms below each other's."""
    widths = [
        max(map(cell_len, column))
        for column in zip(names, *(one.terms for one in sums), strict=True)
    ]
    head = max(cell_len(one.head) for one in sums)
    total = max(len(one.total) for one in sums)
    yield Text(f"  {' ' * head}   {'   '.join(_pad_all(names, widths))}".rstrip(), style=DIM)
    for one in sums:
        terms = " + ".join(_pad_all(one.terms, widths))
        line = Text(f"  {pad(one.head, head)} = {terms} {one.equal} ")
        yield line.append(one.total.rjust(total) + one.mark, one.style)


def _write_down(names: Sequence[str], sums: Sequence[_Sum]) -> Iterator[Text]:
    """Write a term a line, one score after another."""
    for one in sums:
        yield Text(f"  {one.head} {one.equal} ").append(one.total + one.mark, one.style)
        width = max(map(len, one.terms))
        for done, (name, term) in enumerate(zip(names, one.terms, strict=True)):
            yield Text(f"  {'+' if done else ' '} {pad(term, width)}  ").append(name, style=DIM)


def _pad_all(texts: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    return (pad(text, width) for text, width in zip(texts, widths, strict=True))


def _add_up_row(
    plan: Plan, preview: Preview, row: int, signs: Signs
) -> tuple[list[str], list[_Sum]]:
    """Return the names of the terms, and the sum of each score."""
    model = cast("Model", preview.work.model)
    features = np.empty((0, 1)) if preview.features is None else preview.features[:, [row]]
    values, weights, shown = model.expand(features)[:, 0], model.weights, plan.feature_names
    if (factors := model.find_factors(features)) is not None:  # what is there counts several times
        there = np.flatnonzero(~np.isnan(values)).tolist()
        values, weights = values[there], weights[there] * factors[:, 0]
        shown = tuple(shown[i] for i in there)
    marks = [False] * len(model.categories)
    if preview.marks is not None:
        marks = preview.marks[:, row].tolist()
    sign = f" {signs.best if sum(marks) == 1 else signs.tie}"
    names, heads = (
        [signs.shorten(signs.show(name), _LONGEST_HEADING) for name in given]
        for given in (shown, model.categories)
    )
    scores = model.packed.multiply(features)[:, 0]
    added = [[]] * len(scores) if model.intercept is None else model.intercept[:, None].tolist()
    parts = zip(heads, weights.T.tolist(), added, scores.tolist(), marks, strict=True)
    sums = [
        _Sum(head, *_add_up(values.tolist(), column, more, score, signs), sign * mark)
        for head, column, more, score, mark in parts
    ]
    return names + ["intercept"] * (model.intercept is not None), sums


def _add_up(
    values: Sequence[float],
    weights: Sequence[float],
    added: Sequence[float],
    score: float,
    signs: Signs,
) -> tuple[list[str], str, str]:
    """Write the terms of one score, which is that of the numbers, not of what is shown."""
    products = list(zip(values, weights, strict=True))
    terms = [f"{_guard(value)} {signs.times} {_guard(weight)}" for value, weight in products]
    terms += map(_guard, added)
    if any(map(math.isnan, values)):  # missing values that were kept
        return terms, "=", "NaN"
    # In fractions: what is shown adds up to what is shown, or it does not.
    shown = sum((_read(v) * _read(w) for v, w in products), sum(map(_read, added), Fraction(0)))
    return terms, "=" if shown == _read(score) else signs.about, _write(score)


def _write(value: float) -> str:
    return f"{value + 0.0:.4g}"


def _read(value: float) -> Fraction:
    return Fraction(_write(value))


def _guard(value: float) -> str:
    return f"({_write(value)})" if value < 0 else _write(value)
