"""Scores as a table on a terminal.

The widths are decided here and not left to `rich.table`, which would cut or wrap a number in a
terminal too narrow for it. Labels and headings give way first, then whole columns; numbers never.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from matscore.frame import Frame, join_frames, read_numbers
from matscore.grammar import is_number
from matscore.kernel import Floats
from matscore.show.columns import (
    BEST,
    CRAMPED,
    DIM,
    GAP,
    HEAD,
    ROOMY,
    TIED,
    TIGHT,
    Column,
    Least,
    count_cells,
    render_columns,
)
from matscore.show.heat import Heat, has_many_colors
from matscore.show.text import Signs, format_numbers, plural, show_product, signs_for

if TYPE_CHECKING:
    from matscore.commands.classify_rows import ScoreColumns, ScoreTally
    from matscore.run.summary import Summary
    from matscore.write.formats import OutputSpec

_LONGEST = 2000  # a label may be a megabyte
_LONGEST_WHOLE = 20
_FEW_ROWS = 20


@dataclass(frozen=True)
class _Choice:
    """The columns that are shown, and what is said of the others."""

    columns: list[Column]
    hidden: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Rows:
    """The first rows of an output, with the signs and styles of their best cells."""

    spec: ScoreColumns
    frame: Frame
    marks: NDArray[np.bool_]
    signs: Signs
    precision: int | None = None
    heat: Heat | None = None

    @property
    def tied(self) -> NDArray[np.bool_]:
        tied: NDArray[np.bool_] = self.marks.sum(axis=0) > 1
        return tied

    @property
    def decided(self) -> NDArray[np.bool_]:
        decided: NDArray[np.bool_] = self.marks.sum(axis=0) > 0
        return decided

    def label(self) -> Column:
        spec = self.spec
        if spec.numbered:
            cells = [str(row) for row in self.frame.values(spec.label_name)]
            return Column(self.signs.show(spec.label_name), cells, [""] * len(cells), True, True)
        return replace(self._text(spec.label_name), is_label=True)

    def kept(self, n: int) -> list[Column]:
        return [self._text(name) for name in self.spec.kept_names[:n]]

    def scores(self, n: int) -> list[Column]:
        places = self._places(self.spec.score_names[:n])
        return [
            self._marked(name, self._numbers(name), self.marks[i], places.get(name))
            for i, name in enumerate(self.spec.score_names[:n])
        ]

    def probabilities(self, n: int) -> list[Column]:
        spec = self.spec
        marks: NDArray[np.bool_] = np.zeros_like(self.marks) if spec.scores else self.marks
        shown = spec.probability_names[:n]  # of all categories, or none
        names = zip(spec.categories[: len(shown)], shown, marks[: len(shown)], strict=True)
        places = {} if spec.scores else self._places(shown)
        return [
            replace(
                self._marked(name, self._numbers(name), mark, places.get(name)),
                short=self.signs.show(f"p({category})"),
            )
            for category, name, mark in names
        ]

    def best(self) -> list[Column]:
        """Return the highest score and probability of each row instead of them all."""
        spec, marks = self.spec, self.decided
        columns: list[Column] = []
        for name, names in (("score", spec.score_names), ("probability", spec.probability_names)):
            if names:
                columns.append(self._marked(name, self._best_of(names), marks))
                marks = np.zeros_like(marks)
        return columns

    def prediction(self) -> list[Column]:
        if not self.spec.prediction:
            return []
        alone = not (self.spec.scores or self.spec.probabilities)
        cells, styles = [], []
        for name, tied in zip(self.frame.values("prediction"), self.tied, strict=True):
            cell = self.signs.dash if name is None else self.signs.show(name)
            cells.append(f"{cell} {self.signs.tie}" if tied and alone else cell)
            styles.append(DIM if name is None else TIED if tied else BEST)
        return [Column("prediction", cells, styles)]

    def margin(self) -> list[Column]:
        if not self.spec.margin:
            return []
        unmarked: NDArray[np.bool_] = np.zeros_like(self.tied)
        return [self._marked("margin", self._numbers("margin"), unmarked)]

    def _text(self, name: str) -> Column:
        texts = [text or "" for text in self.frame.values(name)]
        cells = [
            self.signs.show(text[:_LONGEST]) + self.signs.ellipsis * (len(text) > _LONGEST)
            for text in texts
        ]
        filled = [text for text in texts if text]
        numeric = all(is_number(text) and len(text) <= _LONGEST_WHOLE for text in filled)
        styles = [""] * len(cells)
        return Column(self.signs.show(name), cells, styles, is_numeric=bool(filled) and numeric)

    def _numbers(self, name: str) -> Floats:
        return read_numbers(self.frame[name])

    def _places(self, names: Sequence[str]) -> dict[str, Floats]:
        """Return where the numbers of some columns stand on the scale of colours, if any is."""
        if self.heat is None or not names:
            return {}
        scaled = self.heat.place(self.frame.numbers(names))
        return dict(zip(names, scaled.T, strict=True))

    def _marked(
        self,
        name: str,
        values: Floats,
        marks: NDArray[np.bool_],
        places: Floats | None = None,
    ) -> Column:
        numbers = format_numbers(values.tolist(), self.precision)
        cells, styles = [], []
        slot = 2 * bool(marks.any())
        for row, (number, mark, tied) in enumerate(zip(numbers, marks, self.tied, strict=True)):
            sign = f" {self.signs.tie if tied else self.signs.best}" if mark else " " * slot
            cells.append(number + sign)
            unmarked = DIM if number.strip() == "NaN" else ""
            styles.append((TIED if tied else BEST) if mark else unmarked)
            if places is not None and self.heat is not None:
                cells[-1], styles[-1] = self.heat.shade(
                    float(places[row]), cells[-1], styles[-1], bool(mark)
                )
        return Column(self.signs.show(name), cells, styles, is_numeric=True)

    def _best_of(self, names: Sequence[str]) -> NDArray[np.float64]:
        values = self.frame.numbers(names)
        chosen = np.where(self.decided, self.marks.argmax(axis=0), values.argmax(axis=1))
        best: NDArray[np.float64] = np.take_along_axis(values, chosen[:, None], axis=1)[:, 0]
        return best


def render_scores(summary: Summary[ScoreTally], console: Console, *, heatmap: bool = False) -> None:
    """Print the first rows of a run as a table, and what became of all of them.

    Parameters
    ----------
    summary : Summary
        Of a run whose format is ``table``.
    console : Console
        Where to print; its width and encoding decide what is shown.
    heatmap : bool
        Whether numbers are shaded by value.
    """
    signs = signs_for(console)
    heat = Heat(signs, has_many_colors(console)) if heatmap else None
    rows = replace(_take_rows(summary, signs), heat=heat)
    choice = _choose_columns(rows, console.width)
    plan = summary.plans[0]
    n_features, n_categories = len(plan.feature_names), len(plan.categories)
    equation = show_product(summary.n_rows, n_features, n_categories, console.width, signs)
    console.print(Text(f"{equation}\n", style=HEAD))
    for line in render_columns(choice.columns, console.width, signs):
        console.print(line, soft_wrap=True)
    for text in _say_rest(summary, rows, choice):
        console.print(Text(text, style=DIM))
    if summary.n_rows and rows.spec.prediction:
        console.print("")
        console.print(render_counts(summary, console.width, signs))


def _take_rows(summary: Summary[ScoreTally], signs: Signs) -> _Rows:
    output = cast("OutputSpec", summary.output)
    columns = cast("ScoreColumns", output.columns)
    n_categories = len(columns.categories)
    frames = [preview.frame for preview in summary.previews]
    marks = [preview.marks for preview in summary.previews if preview.marks is not None]
    frame = join_frames(frames, output.kinds)
    found = np.hstack([np.zeros((n_categories, 0), dtype=bool), *marks])[:, : output.max_rows]
    return _Rows(columns, frame.head(output.max_rows), found, signs, output.precision)


def _choose_columns(rows: _Rows, width: int) -> _Choice:
    """Return the first choice of columns that fits, or the smallest there is."""
    choice = _Choice([])
    for choice, least in _iter_choices(rows, width):
        if count_cells([column.least(least) for column in choice.columns]) <= width:
            break
    return choice


def _iter_choices(rows: _Rows, width: int) -> Iterator[tuple[_Choice, Least]]:
    spec = rows.spec
    most = width // (1 + GAP) + 1  # columns that the terminal could ever hold
    label, prediction, margin = rows.label(), rows.prediction(), rows.margin()
    kept, scores, probabilities = rows.kept(most), rows.scores(most), rows.probabilities(most)
    best, n_categories, n_kept = rows.best(), len(spec.categories), len(spec.kept_names)
    if n_categories <= most >= n_kept:
        columns = [label, *kept, *scores, *prediction, *probabilities, *margin]
        yield _Choice(columns), TIGHT
        if scores and probabilities:
            columns = [label, *kept, *scores, *prediction, best[1], *margin]
            yield _Choice(columns, ["probability of the best category only"]), TIGHT
    last = [*prediction, *best, *margin]
    for n in range(min(len(scores), n_categories - 1), -1, -1):
        if n_kept <= most:
            columns = [label, *kept, *scores[:n], *last]
            yield _Choice(columns, _say_hidden(spec, n, n_kept)), ROOMY
    for n in range(len(kept), -1, -1):
        yield _Choice([label, *kept[:n], *last], _say_hidden(spec, 0, n)), TIGHT
    yield _Choice([label, *last], _say_hidden(spec, 0, 0)), CRAMPED


def _say_hidden(spec: ScoreColumns, n_scores: int, n_kept: int) -> list[str]:
    n_categories, hidden = len(spec.categories), []
    if n_categories > 1 and (spec.scores or spec.probabilities):
        shown = f"{n_scores} of {n_categories:,} categories shown"
        hidden.append(shown if n_scores else f"best of {n_categories:,} categories")
    if n_kept < len(spec.kept_names):
        hidden.append(f"{n_kept} of {plural(len(spec.kept_names), 'kept column')} shown")
    return hidden


def _say_rest(summary: Summary[ScoreTally], rows: _Rows, choice: _Choice) -> Iterator[str]:
    signs, more = rows.signs, summary.n_rows - rows.frame.height
    if not summary.n_rows:
        yield "0 rows"
    elif more > 0:
        yield f"{signs.ellipsis} and {more:,} more {'row' if more == 1 else 'rows'}"
    if choice.hidden:
        yield f"{', '.join(choice.hidden)}; -f csv gives all"
    if rows.tied.any():
        yield f"{signs.tie} a tie: the first category wins it"
    if rows.heat is not None and rows.frame.height:
        yield rows.heat.legend()


def render_counts(summary: Summary[ScoreTally], width: int, signs: Signs) -> Text:
    """Write the rows that each category won, and the rows that are special."""
    won = [(name, n) for name, n in summary.tally.counts.items() if n]
    won.sort(key=lambda item: -item[1])
    longest = max(width - 20, 8)
    colon = ":" if any(map(is_number, summary.tally.counts)) else ""
    items = [
        f"{signs.shorten(signs.show(name), longest)}{colon} {n:,}{_percent(n, summary.n_rows)}"
        for name, n in won[: width + 1]
    ]
    if items:
        items[0] = f"predicted: {items[0]}"
    special = [plural(summary.tally.n_ties, "tie")] if summary.tally.n_ties else []
    if summary.tally.n_empty:
        special.append(f"{plural(summary.tally.n_empty, 'row')} without prediction")
    if summary.n_rejected:
        special.append(f"{plural(summary.n_rejected, 'row')} rejected")
    if summary.tally.n_missing:
        special.append(f"{plural(summary.tally.n_missing, 'row')} with missing values")
    lines = _flow(items, len(won), width, n_lines=2)
    lines += _flow(special, len(special), width, n_lines=3)
    return Text("\n".join(lines))


def _percent(n: int, n_rows: int) -> str:
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
