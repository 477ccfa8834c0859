"""Ranks on a terminal: for each row what is best, with a bar for its score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text

from matscore.frame import Frame, join_frames, read_numbers
from matscore.kernel import Floats
from matscore.show.table import (
    CRAMPED,
    GAP,
    ROOMY,
    Column,
    Table,
    mark_numbers,
    render_counts,
    write_equation,
)
from matscore.show.text import (
    DIM,
    GOOD,
    HEAD,
    TIED,
    Signs,
    format_numbers,
    list_counts,
    plural,
    print_dim,
    print_lines,
)

if TYPE_CHECKING:
    from matscore.commands.classify import ScoreTally
    from matscore.commands.output import RankColumns, RankedPreview
    from matscore.commands.users import RecommendTally
    from matscore.run.run import Summary
    from matscore.write.formats import OutputSpec

_BAR, _LEAST_BAR = 24, 8
_LONGEST = 200


def render_recommended(
    summary: Summary[RecommendTally], console: Console, metric: str = "dot"
) -> None:
    """Print the best items of the first users, and the matrix of all scores where it is small."""
    ranks = _Ranks(summary, console)
    cosine = "cosine: " if metric == "cosine" else ""
    shapes = write_equation(summary, console.width, ranks.signs, transposed=True)
    console.print(Text(f"{cosine}{shapes}\n", style=HEAD))
    items = summary.plans[0].categories
    is_matrix = not hasattr(ranks.columns, "chosen_name")
    matrix = ranks.render_matrix(items, cut=is_matrix)
    print_lines(console, matrix)
    if not is_matrix:
        print_lines(console, [Text("")] if matrix else [])
        print_lines(console, ranks.render_ranks())
    print_dim(console, ranks.say_more("user", "item"))
    tally = summary.tally
    special = list_counts(
        (tally.n_ties, "user", " with ties"),
        (tally.n_empty, "user", " without items"),
        (summary.n_rejected, "row", " rejected"),
        (tally.n_missing, "user", " with missing values"),
    )
    print_dim(console, ["   ".join(special)] if special else [])


def render_top(summary: Summary[ScoreTally], console: Console) -> None:
    """Print the best categories of the first rows."""
    ranks = _Ranks(summary, console)
    console.print(Text(f"{write_equation(summary, console.width, ranks.signs)}\n", style=HEAD))
    print_lines(console, ranks.render_ranks())
    print_dim(console, ranks.say_more("row", "category"))
    if summary.n_rows:
        console.print("")
        console.print(render_counts(summary, console.width, ranks.signs))


class _Ranks:
    """The first rows of a run whose output has a line a rank, or a line a row of all scores."""

    def __init__(self, summary: Summary[Any], console: Console) -> None:
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

    def render_ranks(self) -> list[Text]:
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
        return list(Table(shown, self.signs).render(self.width))

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

    def say_more(self, row: str, chosen: str) -> Iterator[str]:
        """Say how many rows there are besides those shown, and what ties mean."""
        more = self.n_rows - sum(preview.n_rows for preview in self.previews)
        if not self.n_rows:
            yield f"0 {row}s"
        elif more > 0:
            yield f"{self.signs.ellipsis} and {plural(more, f'more {row}')}"
        if any(preview.tied.any() for preview in self.previews):
            yield f"{self.signs.tie} a tie: the first {chosen} goes first"

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
                cells.append(signs.dash if value is None else signs.clip(str(value), _LONGEST))
        return Column(signs.show(name), cells, styles, is_label=is_label)


def _draw_bars(scores: Floats, longest: int, signs: Signs) -> list[str]:
    """Draw bars as long as the scores, the highest of all the longest; none under zero."""
    # A user whose scores are NaN has no bar, and takes no part in the scale.
    values = np.nan_to_num(scores)
    # The smallest normal number, so that nothing is divided by zero where no score is above it.
    highest = max(values.max(initial=0.0), np.finfo(np.float64).tiny)
    lengths = np.ceil(np.clip(values / highest, 0.0, 1.0) * longest).astype(int)
    return [signs.bar * n for n in lengths]
