"""Scores on a terminal: as a table of them, or for each row what is best, with bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.text import Text

from matscore.colors import Heat
from matscore.frame import Frame, join_frames, read_numbers
from matscore.kernel import Floats
from matscore.names import POINT
from matscore.show.table import (
    CRAMPED,
    DIM,
    GAP,
    GOOD,
    HEAD,
    ROOMY,
    TIED,
    TIGHT,
    Column,
    Least,
    Signs,
    Table,
    format_numbers,
    list_counts,
    mark_numbers,
    plural,
    print_dim,
    print_lines,
    write_equation,
)

if TYPE_CHECKING:
    from rich.console import Console

    from matscore.commands.classify import ScoreTally
    from matscore.commands.output import RankColumns, RankedPreview, ScoreColumns
    from matscore.commands.users import RecommendTally
    from matscore.run.run import Summary
    from matscore.write.formats import OutputSpec

_LONGEST, _LONGEST_RANKED = 2000, 200  # a label may be a megabyte
_LONGEST_WHOLE = 20
_FEW_ROWS = 20
_BAR, _LEAST_BAR = 24, 8


def render_scores(summary: Summary[ScoreTally], console: Console, *, heatmap: bool = False) -> None:
    """Print the first rows, or the best categories of each, and what became of all rows."""
    signs, columns = Signs.of(console), cast("OutputSpec", summary.output).columns
    is_long = hasattr(columns, "chosen_name")
    first = _Ranks(summary, console) if is_long else _Scores(summary, console, heatmap=heatmap)
    console.print(Text(f"{write_equation(summary, console.width, signs)}\n", style=HEAD))
    print_lines(console, first.render())
    print_dim(console, first.say_more())
    if summary.n_rows and getattr(columns, "prediction", True):
        console.print("")
        console.print(_write_counts(summary, console.width, signs))


def render_recommended(
    summary: Summary[RecommendTally], console: Console, metric: str = "dot"
) -> None:
    """Print the best items of the first users, and the matrix of all scores where it is small."""
    ranks = _Ranks(summary, console, "user", "item")
    cosine = "cosine: " if metric == "cosine" else ""
    shapes = write_equation(summary, console.width, ranks.signs, transposed=True)
    console.print(Text(f"{cosine}{shapes}\n", style=HEAD))
    items = summary.plans[0].categories
    is_matrix = not hasattr(ranks.columns, "chosen_name")
    matrix = ranks.render_matrix(items, cut=is_matrix)
    print_lines(console, matrix)
    if not is_matrix:
        print_lines(console, [Text("")] if matrix else [])
        print_lines(console, ranks.render())
    print_dim(console, ranks.say_more())
    tally = summary.tally
    special = list_counts(
        (tally.n_ties, "user", " with ties"),
        (tally.n_empty, "user", " without items"),
        (summary.n_rejected, "row", " rejected"),
        (tally.n_missing, "user", " with missing values"),
    )
    print_dim(console, ["   ".join(special)] if special else [])


class _Scores:
    """The first rows of a table of scores, with the signs and styles of their best cells."""

    def __init__(self, summary: Summary[Any], console: Console, *, heatmap: bool) -> None:
        output = cast("OutputSpec", summary.output)
        self.spec = cast("ScoreColumns", output.columns)
        self.n_rows, self.width, self.signs = summary.n_rows, console.width, Signs.of(console)
        self.precision = output.precision
        self.heat = Heat.for_console(console, self.signs.density) if heatmap else None
        frame = join_frames([preview.frame for preview in summary.previews], output.kinds)
        self.frame = frame.head(output.max_rows)
        # Of a run without rows there is nothing to stack, and the shape stays right.
        no_marks = np.zeros((len(self.spec.categories), 0), dtype=bool)
        marks = [preview.marks for preview in summary.previews if preview.marks is not None]
        self.marks = np.hstack([no_marks, *marks])[:, : output.max_rows]
        n_best = self.marks.sum(axis=0)
        self.decided, self.tied = n_best > 0, n_best > 1
        self.table, self.hidden = self._choose_columns()

    def render(self) -> Iterator[Text]:
        """Return the table."""
        return self.table.render(self.width)

    def say_more(self) -> Iterator[str]:
        """Say what is not shown, and what signs and shades mean."""
        more = self.n_rows - self.frame.height
        if not self.n_rows:
            yield "0 rows"
        elif more > 0:
            yield self.signs.say_more(more, "row")
        if self.hidden:
            yield f"{', '.join(self.hidden)}; -f csv gives all"
        if self.tied.any():
            yield f"{self.signs.tie} a tie: the first category wins it"
        if self.heat is not None and self.frame.height:
            yield self.heat.legend()

    def _choose_columns(self) -> tuple[Table, list[str]]:
        """Return the first table that fits, or the smallest, and what is said of other columns."""
        for columns, hidden, least in self._iter_choices():
            table = Table(columns, self.signs)
            if table.count_cells(least) <= self.width:
                return table, hidden
        return table, hidden

    def _iter_choices(self) -> Iterator[tuple[list[Column], list[str], Least]]:
        # All columns, then fewer scores, then fewer kept columns: the prediction is never left out.
        spec, label, best = self.spec, self._label(), self._best()
        most = self.width // (1 + GAP) + 1  # columns that the terminal could ever hold
        kept = [self._text(name) for name in spec.kept_names[:most]]
        scores, made = self._list_numbers(spec.score_names[:most]), self._made(most)
        prediction, margin = self._prediction(), self._margin()
        n_categories, n_kept = len(spec.categories), len(spec.kept_names)
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
                yield [label, *kept, *scores[:n], *last], _say_hidden(spec, n, n_kept), ROOMY
        for n in range(len(kept), -1, -1):
            yield [label, *kept[:n], *last], _say_hidden(spec, 0, n), TIGHT
        yield [label, *last], _say_hidden(spec, 0, 0), CRAMPED

    def _label(self) -> Column:
        spec = self.spec
        if spec.numbered:
            cells = [str(row) for row in self.frame.values(spec.label_name)]
            heading = self.signs.show(spec.label_name)
            return Column(heading, cells, is_label=True, is_numeric=True)
        return replace(self._text(spec.label_name), is_label=True)

    def _made(self, n: int) -> list[Column]:
        """Return probabilities and response: of all categories, or of the first n of them."""
        spec, columns = self.spec, list[Column]()
        is_plain = spec.scores  # which are marked and shaded instead
        for letter, names in (("p", spec.probability_names[:n]), ("r", spec.response_names[:n])):
            numbers = self._list_numbers(names, is_plain=is_plain)
            named = zip(numbers, spec.categories[: len(names)], strict=True)
            columns += (replace(c, short=self.signs.show(f"{letter}({name})")) for c, name in named)
            is_plain = is_plain or bool(names)
        return columns

    def _best(self) -> list[Column]:
        """Return the best category's numbers in each row instead of them all."""
        spec, marks = self.spec, self.decided  # which stand on the first column only
        columns: list[Column] = []
        for name, names in zip(("score", "probability", "response"), spec.shaded, strict=True):
            if names:
                columns.append(self._mark(name, self._best_of(names), marks))
                marks = np.zeros_like(marks)
        return columns

    def _best_of(self, names: Sequence[str]) -> Floats:
        values = self.frame.numbers(names)
        chosen = np.where(self.decided, self.marks.argmax(axis=0), values.argmax(axis=1))
        best: Floats = np.take_along_axis(values, chosen[:, None], axis=1)[:, 0]
        return best

    def _prediction(self) -> list[Column]:
        if not self.spec.prediction:
            return []
        alone = not any(self.spec.shaded)
        cells, styles = [], []
        for name, tied in zip(self.frame.values("prediction"), self.tied, strict=True):
            cell = self.signs.dash if name is None else self.signs.show(name)
            cells.append(f"{cell} {self.signs.tie}" if tied and alone else cell)
            styles.append(DIM if name is None else TIED if tied else GOOD)
        return [Column("prediction", cells, styles)]

    def _margin(self) -> list[Column]:
        if not self.spec.margin:
            return []
        values = read_numbers(self.frame["margin"])
        return [self._mark("margin", values, np.zeros_like(self.tied))]

    def _text(self, name: str) -> Column:
        texts = [text or "" for text in self.frame.values(name)]
        cells = [self.signs.clip(text, _LONGEST) for text in texts]
        filled = [text for text in texts if text]
        numeric = all(POINT.is_number(text) and len(text) <= _LONGEST_WHOLE for text in filled)
        return Column(self.signs.show(name), cells, is_numeric=bool(filled) and numeric)

    def _list_numbers(self, names: Sequence[str], *, is_plain: bool = False) -> list[Column]:
        """Return columns of numbers, marked and shaded by one measure unless they are plain."""
        if not names:
            return []
        marks = np.zeros_like(self.marks) if is_plain else self.marks
        places: list[Floats | None] = [None] * len(names)
        if self.heat is not None and not is_plain:
            places = [*self.heat.place(self.frame.numbers(names)).T]
        return [
            self._mark(name, read_numbers(self.frame[name]), mark, place)
            for name, mark, place in zip(names, marks[: len(names)], places, strict=True)
        ]

    def _mark(
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
        return Column.of_shades(column.heading, shaded)


def _say_hidden(spec: ScoreColumns, n_scores: int, n_kept: int) -> list[str]:
    n_categories, hidden = len(spec.categories), []
    if n_categories > 1 and any(spec.shaded):
        shown = f"{n_scores} of {n_categories:,} categories shown"
        hidden.append(shown if n_scores else f"best of {n_categories:,} categories")
    if n_kept < len(spec.kept_names):
        hidden.append(f"{n_kept} of {plural(len(spec.kept_names), 'kept column')} shown")
    return hidden


def _write_counts(summary: Summary[ScoreTally], width: int, signs: Signs) -> Text:
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


class _Ranks:
    """The first rows of a run whose output has a line a rank, or a line a row of all scores."""

    def __init__(
        self, summary: Summary[Any], console: Console, row: str = "row", chosen: str = "category"
    ) -> None:
        self.row, self.chosen = row, chosen  # what they are called
        self.spec = cast("OutputSpec", summary.output)
        self.columns = cast("RankColumns", self.spec.columns)
        self.n_rows, self.width, self.signs = summary.n_rows, console.width, Signs.of(console)
        self.previews: list[RankedPreview] = []
        left = self.spec.max_rows
        for preview in cast("Sequence[RankedPreview]", summary.previews):
            if left > 0:
                self.previews.append(preview.head(left))
                left -= self.previews[-1].n_rows
        self.frame = join_frames([preview.frame for preview in self.previews], self.spec.kinds)

    def render(self) -> Iterator[Text]:
        """Return the table of the ranks."""
        columns, values = self.columns, self.frame.values("rank")
        no_lines: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        tied = np.concatenate([no_lines, *(preview.tied for preview in self.previews)]).tolist()
        # A row without ranks has a line, too, whose rank is empty.
        first = [rank in (1, None) for rank in values]
        styles = [
            DIM if rank is None else TIED if tie else GOOD if rank == 1 else ""
            for rank, tie in zip(values, tied, strict=True)
        ]
        ranks = ["" if rank is None else str(rank) for rank in values]
        shown = [self._text(self.frame, columns.label_name, first, is_label=True)]
        shown += [self._text(self.frame, name, first) for name in columns.kept_names]
        shown.append(Column("rank", ranks, [DIM] * len(ranks), is_numeric=True))
        shown.append(self._text(self.frame, columns.chosen_name, styles=styles))
        shown += [self._text(self.frame, name) for name in columns.beside]
        for name in columns.number_names:
            numbers = format_numbers(read_numbers(self.frame[name]).tolist(), self.spec.precision)
            there = zip(numbers, self.frame.values(name), strict=True)
            texts = ["" if value is None else number for number, value in there]
            signs = [self.signs.tie if tie else "" for tie in tied]
            shown.append(mark_numbers(name, texts, signs, styles))
        left = self.width - Table(shown, self.signs).count_cells(ROOMY) - GAP
        # Bars are an extra: they take the room that is left, or none.
        if columns.scores and left >= _LEAST_BAR:
            bars = _draw_bars(read_numbers(self.frame["score"]), min(left, _BAR), self.signs)
            shown.append(Column("", bars, ["cyan"] * len(bars)))
        return Table(shown, self.signs).render(self.width)

    def render_matrix(self, items: Sequence[str], *, cut: bool) -> list[Text]:
        """Return the table of all scores, the highest of each row marked; none without scores.

        With `cut`, items that find no room are left out; else nothing is shown then.
        """
        blocks = [preview.scores for preview in self.previews if preview.scores is not None]
        if not blocks or len(blocks) < len(self.previews):
            return []
        scores = np.concatenate(blocks)
        labels = self.frame
        if not cut:  # there is a line a rank
            ranks = enumerate(labels.values("rank"))
            first = np.array([i for i, rank in ranks if rank in (1, None)], dtype=np.int64)
            labels = labels.take(first)
        shown = [self._text(labels, self.columns.label_name, is_label=True)]
        best = np.where(np.isnan(scores), -np.inf, scores).argmax(axis=1)
        for place, name in enumerate(items):
            values = scores[:, place]
            marks = ((best == place) & ~np.isnan(values)).tolist()
            numbers = format_numbers(values.tolist(), self.spec.precision)
            signs = [self.signs.best if mark else "" for mark in marks]
            styles = [GOOD if mark else "" for mark in marks]
            shown.append(mark_numbers(self.signs.show(name), numbers, signs, styles))
            if Table(shown, self.signs).count_cells(CRAMPED) > self.width:
                shown.pop()
                break
        n_shown, lines = len(shown) - 1, list(Table(shown, self.signs).render(self.width))
        if n_shown == len(items):
            return lines
        rest = f"{n_shown} of {plural(len(items), 'item')} shown; -f csv gives all"
        return [*lines, Text(rest, DIM)] if cut else []

    def say_more(self) -> Iterator[str]:
        """Say how many rows there are besides those shown, and what ties mean."""
        more = self.n_rows - sum(preview.n_rows for preview in self.previews)
        if not self.n_rows:
            yield f"0 {self.row}s"
        elif more > 0:
            yield self.signs.say_more(more, self.row)
        if any(preview.tied.any() for preview in self.previews):
            yield f"{self.signs.tie} a tie: the first {self.chosen} goes first"

    def _text(
        self,
        frame: Frame,
        name: str,
        shown: Sequence[bool] = (),
        styles: Sequence[str] = (),
        *,
        is_label: bool = False,
    ) -> Column:
        """Return a column of text or row numbers, blank where the line above says the same."""
        signs, cells = self.signs, []
        for place, value in enumerate(frame.values(name)):
            if shown and not shown[place]:
                cells.append("")
            else:
                cells.append(
                    signs.dash if value is None else signs.clip(str(value), _LONGEST_RANKED)
                )
        return Column(signs.show(name), cells, styles, is_label=is_label)


def _draw_bars(scores: Floats, longest: int, signs: Signs) -> list[str]:
    """Draw bars as long as the scores, the highest of all the longest; none under zero."""
    # A user whose scores are NaN has no bar, and takes no part in the scale.
    values = np.nan_to_num(scores)
    # The smallest normal number, so that nothing is divided by zero where no score is above it.
    highest = max(values.max(initial=0.0), np.finfo(np.float64).tiny)
    lengths = np.ceil(np.clip(values / highest, 0.0, 1.0) * longest).astype(int)
    return [signs.bar * n for n in lengths]
