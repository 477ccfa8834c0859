"""Columns of text on a terminal, and scores as a table of them.

The widths are decided here and not left to `rich.table`, which would cut or wrap a number in a
terminal too narrow for it. Labels and headings give way first, then whole columns; numbers never.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from matscore.colors import Heat
from matscore.frame import Frame, join_frames, read_numbers
from matscore.kernel import Floats
from matscore.names import POINT
from matscore.show.text import (
    DIM,
    GOOD,
    HEAD,
    TIED,
    Signs,
    format_numbers,
    list_counts,
    pad,
    plural,
    print_dim,
    print_lines,
    show_product,
    show_share,
)

if TYPE_CHECKING:
    from matscore.commands.classify import ScoreTally
    from matscore.commands.output import ScoreColumns
    from matscore.run.run import Summary
    from matscore.write.formats import OutputSpec

GAP = 2
_LONGEST = 2000  # a label may be a megabyte
_LONGEST_WHOLE = 20
_FEW_ROWS = 20


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
        return cls(heading, *zip(*shaded, strict=True), is_numeric=True)

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

    def count_cells(self, at: Least | None = None) -> int:
        """Return the cells that the columns take with their gaps, or the least that they may."""
        widths = [column.width if at is None else column.least(at) for column in self.columns]
        return sum(widths) + GAP * (len(widths) - 1)

    def render(self, width: int, title: str = "") -> Iterator[Text]:
        """Yield lines of at most a width: a title, headings, a rule, and the rows."""
        widths = self._fit_widths(width)
        if title:
            yield Text(title, style=DIM)
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


@dataclass(frozen=True)
class _Rows:
    """The first rows of an output, with the signs and styles of their best cells."""

    spec: ScoreColumns
    frame: Frame
    marks: NDArray[np.bool_]  # of shape (n_categories, n_rows)
    signs: Signs
    precision: int | None
    heat: Heat | None

    @property
    def tied(self) -> NDArray[np.bool_]:
        tied: NDArray[np.bool_] = self.marks.sum(axis=0) > 1
        return tied

    @property
    def decided(self) -> NDArray[np.bool_]:
        decided: NDArray[np.bool_] = self.marks.sum(axis=0) > 0
        return decided

    @property
    def unmarked(self) -> NDArray[np.bool_]:
        return np.zeros_like(self.marks)

    def label(self) -> Column:
        spec = self.spec
        if spec.numbered:
            cells = [str(row) for row in self.frame.values(spec.label_name)]
            heading = self.signs.show(spec.label_name)
            return Column(heading, cells, is_label=True, is_numeric=True)
        return replace(self._text(spec.label_name), is_label=True)

    def kept(self, n: int) -> list[Column]:
        return [self._text(name) for name in self.spec.kept_names[:n]]

    def scores(self, n: int) -> list[Column]:
        return self._shaded(self.spec.score_names[:n], self.marks)

    def made(self, n: int) -> list[Column]:
        """Return probabilities and response: of all categories, or of the first n of them."""
        spec, columns = self.spec, list[Column]()
        marked = spec.scores  # which are marked and shaded instead
        for letter, names in (("p", spec.probability_names[:n]), ("r", spec.response_names[:n])):
            rows, marks = (
                (replace(self, heat=None), self.unmarked) if marked else (self, self.marks)
            )
            marked = marked or bool(names)
            named = zip(rows._shaded(names, marks), spec.categories[: len(names)], strict=True)
            columns += (replace(c, short=self.signs.show(f"{letter}({name})")) for c, name in named)
        return columns

    def best(self) -> list[Column]:
        """Return the best category's numbers in each row instead of them all."""
        spec, marks = self.spec, self.decided  # which stand on the first column only
        columns: list[Column] = []
        for name, names in zip(("score", "probability", "response"), spec.shaded, strict=True):
            if names:
                columns.append(self._marked(name, self._best_of(names), marks))
                marks = np.zeros_like(marks)
        return columns

    def prediction(self) -> list[Column]:
        if not self.spec.prediction:
            return []
        alone = not any(self.spec.shaded)
        cells, styles = [], []
        for name, tied in zip(self.frame.values("prediction"), self.tied, strict=True):
            cell = self.signs.dash if name is None else self.signs.show(name)
            cells.append(f"{cell} {self.signs.tie}" if tied and alone else cell)
            styles.append(DIM if name is None else TIED if tied else GOOD)
        return [Column("prediction", cells, styles)]

    def margin(self) -> list[Column]:
        if not self.spec.margin:
            return []
        values = read_numbers(self.frame["margin"])
        return [self._marked("margin", values, np.zeros_like(self.tied))]

    def _text(self, name: str) -> Column:
        texts = [text or "" for text in self.frame.values(name)]
        cells = [self.signs.clip(text, _LONGEST) for text in texts]
        filled = [text for text in texts if text]
        numeric = all(POINT.is_number(text) and len(text) <= _LONGEST_WHOLE for text in filled)
        return Column(self.signs.show(name), cells, is_numeric=bool(filled) and numeric)

    def _shaded(self, names: Sequence[str], marks: NDArray[np.bool_]) -> list[Column]:
        """Return columns of numbers, all shaded by one measure where they are shaded."""
        places: list[Floats | None] = [None] * len(names)
        if self.heat is not None and names:
            places = [*self.heat.place(self.frame.numbers(names)).T]
        return [
            self._marked(name, read_numbers(self.frame[name]), mark, place)
            for name, mark, place in zip(names, marks[: len(names)], places, strict=True)
        ]

    def _marked(
        self, name: str, values: Floats, marks: NDArray[np.bool_], places: Floats | None = None
    ) -> Column:
        numbers = format_numbers(values.tolist(), self.precision)
        signs, styles = [], []
        for number, mark, tied in zip(numbers, marks, self.tied, strict=True):
            unmarked = DIM if number.strip() == "NaN" else ""
            signs.append((self.signs.tie if tied else self.signs.best) if mark else "")
            styles.append((TIED if tied else GOOD) if mark else unmarked)
        column = mark_numbers(self.signs.show(name), numbers, signs, styles)
        if self.heat is None or places is None:
            return column
        cells = zip(places.tolist(), column.cells, styles, marks.tolist(), strict=True)
        shaded = [self.heat.shade(*cell, bold=mark) for *cell, mark in cells]
        return replace(
            column, cells=[text for text, _ in shaded], styles=[style for _, style in shaded]
        )

    def _best_of(self, names: Sequence[str]) -> Floats:
        values = self.frame.numbers(names)
        chosen = np.where(self.decided, self.marks.argmax(axis=0), values.argmax(axis=1))
        best: Floats = np.take_along_axis(values, chosen[:, None], axis=1)[:, 0]
        return best


def render_scores(summary: Summary[ScoreTally], console: Console, *, heatmap: bool = False) -> None:
    """Print the first rows of a run, shaded by value if asked, and what became of all of them."""
    signs = Signs.of(console)
    heat = Heat.for_console(console, signs.density) if heatmap else None
    rows = _take_rows(summary, signs, heat)
    table, hidden = _choose_columns(rows, console.width)
    console.print(Text(f"{write_equation(summary, console.width, signs)}\n", style=HEAD))
    print_lines(console, table.render(console.width))
    print_dim(console, _say_rest(summary, rows, hidden))
    if summary.n_rows and rows.spec.prediction:
        console.print("")
        console.print(render_counts(summary, console.width, signs))


def write_equation(
    summary: Summary[Any], width: int, signs: Signs, *, transposed: bool = False
) -> str:
    """Write what the product of a run's matrices does to their shapes."""
    plan = summary.plans[0]
    sizes = summary.n_rows, len(plan.feature_names), len(plan.categories)
    return show_product(*sizes, width, signs, transposed=transposed)


def _take_rows(summary: Summary[ScoreTally], signs: Signs, heat: Heat | None) -> _Rows:
    output = cast("OutputSpec", summary.output)
    columns = cast("ScoreColumns", output.columns)
    marks = [preview.marks for preview in summary.previews if preview.marks is not None]
    frame = join_frames([preview.frame for preview in summary.previews], output.kinds)
    # Of a run without rows there is nothing to stack, and the shape stays right.
    no_marks = np.zeros((len(columns.categories), 0), dtype=bool)
    shown = np.hstack([no_marks, *marks])[:, : output.max_rows]
    return _Rows(columns, frame.head(output.max_rows), shown, signs, output.precision, heat)


def _choose_columns(rows: _Rows, width: int) -> tuple[Table, list[str]]:
    """Return the first table that fits, or the smallest, and what is said of columns left out."""
    for columns, hidden, least in _iter_choices(rows, width):
        table = Table(columns, rows.signs)
        if table.count_cells(least) <= width:
            return table, hidden
    return table, hidden


def _iter_choices(rows: _Rows, width: int) -> Iterator[tuple[list[Column], list[str], Least]]:
    # All columns, then fewer scores, then fewer kept columns: the prediction is never left out.
    spec = rows.spec
    most = width // (1 + GAP) + 1  # columns that the terminal could ever hold
    label, prediction, margin = rows.label(), rows.prediction(), rows.margin()
    kept, scores, made = rows.kept(most), rows.scores(most), rows.made(most)
    best, n_categories, n_kept = rows.best(), len(spec.categories), len(spec.kept_names)
    if n_categories <= most >= n_kept:
        columns = [label, *kept, *scores, *prediction, *made, *margin]
        yield columns, [], TIGHT
        if scores and made:
            columns = [label, *kept, *scores, *prediction, *best[1:], *margin]
            names = " and ".join(column.heading for column in best[1:])
            yield columns, [f"{names} of the best category only"], TIGHT
    last = [*prediction, *best, *margin]
    for n in range(min(len(scores), n_categories - 1), -1, -1):
        if n_kept <= most:
            columns = [label, *kept, *scores[:n], *last]
            yield columns, _say_hidden(spec, n, n_kept), ROOMY
    for n in range(len(kept), -1, -1):
        yield [label, *kept[:n], *last], _say_hidden(spec, 0, n), TIGHT
    yield [label, *last], _say_hidden(spec, 0, 0), CRAMPED


def _say_hidden(spec: ScoreColumns, n_scores: int, n_kept: int) -> list[str]:
    n_categories, hidden = len(spec.categories), []
    if n_categories > 1 and any(spec.shaded):
        shown = f"{n_scores} of {n_categories:,} categories shown"
        hidden.append(shown if n_scores else f"best of {n_categories:,} categories")
    if n_kept < len(spec.kept_names):
        hidden.append(f"{n_kept} of {plural(len(spec.kept_names), 'kept column')} shown")
    return hidden


def _say_rest(summary: Summary[ScoreTally], rows: _Rows, hidden: list[str]) -> Iterator[str]:
    signs, more = rows.signs, summary.n_rows - rows.frame.height
    if not summary.n_rows:
        yield "0 rows"
    elif more > 0:
        yield f"{signs.ellipsis} and {plural(more, 'more row')}"
    if hidden:
        yield f"{', '.join(hidden)}; -f csv gives all"
    if rows.tied.any():
        yield f"{signs.tie} a tie: the first category wins it"
    if rows.heat is not None and rows.frame.height:
        yield rows.heat.legend()


def render_counts(summary: Summary[ScoreTally], width: int, signs: Signs) -> Text:
    """Write the rows that each category won, and the rows that are special."""
    tally = summary.tally
    won = [(name, n) for name, n in tally.counts.items() if n]
    won.sort(key=lambda item: -item[1])
    # Counts that are high come first: those that find no room are the rare ones.
    longest = max(width - 20, 8)
    # "5 12" would read as two counts.
    colon = ":" if any(map(POINT.is_number, tally.counts)) else ""
    items = [
        f"{signs.shorten(signs.show(name), longest)}{colon} {n:,}{_percent(n, summary.n_rows)}"
        for name, n in won[: width + 1]
    ]
    if items:
        items[0] = f"predicted: {items[0]}"
    special = list_counts(
        (tally.n_ties, "tie", ""),
        (tally.n_empty, "row", " without prediction"),
        (summary.n_rejected, "row", " rejected"),
        (tally.n_missing, "row", " with missing values"),
    )
    lines = _flow(items, len(won), width, n_lines=2)
    lines += _flow(special, len(special), width, n_lines=3)
    return Text("\n".join(lines))


def _percent(n: int, n_rows: int) -> str:
    """Write a share of rows, never rounded to nothing or to all; of few rows it says nothing."""
    if n_rows < _FEW_ROWS:
        return ""
    share = 100 * n / n_rows
    if n < n_rows and share >= 99.95:
        return " (>99.9%)"
    return f" ({share:.1f}%)" if share >= 0.05 else " (<0.1%)"


def _flow(items: Sequence[str], n_all: int, width: int, *, n_lines: int) -> list[str]:
    """Put items into lines, with blanks between; those that find no room are counted."""
    lines: list[str] = [""]
    for done, item in enumerate(items):
        rest = n_all - done - 1
        tail = f"   and {rest:,} more" if rest and len(lines) == n_lines else ""
        joined = f"{lines[-1]}   {item}" if lines[-1] else item
        if cell_len(joined + tail) <= width or not lines[-1]:
            lines[-1] = joined
        elif len(lines) < n_lines:
            lines.append(item)
        else:
            lines[-1] += f"   and {n_all - done:,} more"
            break
    return [line for line in lines if line]
