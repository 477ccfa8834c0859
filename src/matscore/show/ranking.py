"""Ranks on a terminal: for each row what is best, with a bar for its score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text

from matscore.commands.ranked import RankColumns, RankedPreview
from matscore.commands.recommend_rows import MatrixColumns, RecommendTally
from matscore.frame import Frame, join_frames, read_numbers
from matscore.show.columns import (
    BEST,
    CRAMPED,
    DIM,
    GAP,
    HEAD,
    ROOMY,
    TIED,
    Column,
    count_cells,
    render_columns,
)
from matscore.show.table import render_counts
from matscore.show.text import (
    Signs,
    format_numbers,
    plural,
    show_product,
    show_similarity,
    signs_for,
)

if TYPE_CHECKING:
    from matscore.commands.classify_rows import ScoreTally
    from matscore.run.summary import Summary
    from matscore.write.formats import OutputSpec

_BAR, _LEAST_BAR = 24, 8
_LONGEST = 200


def render_recommended(
    summary: Summary[RecommendTally], console: Console, metric: str = "dot"
) -> None:
    """Print the best items of the first users, and the matrix of all scores where it is small.

    Parameters
    ----------
    summary : Summary
        Of a run whose format is ``table``.
    console : Console
        Where to print; its width and encoding decide what is shown.
    metric : {"dot", "cosine"}
        What a score is.
    """
    signs, width = signs_for(console), console.width
    plan = summary.plans[0]
    n_features, n_items = len(plan.feature_names), len(plan.categories)
    equation = show_similarity(summary.n_rows, n_features, n_items, width, signs)
    said = f"cosine: {equation}" if metric == "cosine" else equation
    console.print(Text(f"{said}\n", style=HEAD))
    found = cast("OutputSpec", summary.output).columns
    columns = cast("RankColumns | MatrixColumns", found)
    previews = _take_previews(summary)
    if isinstance(columns, MatrixColumns):
        lines = render_matrix(summary, previews, columns, plan.categories, width, signs, cut=True)
    else:
        lines = render_matrix(summary, previews, columns, plan.categories, width, signs, cut=False)
        if lines:
            lines.append(Text(""))
        lines += render_ranks(summary, previews, columns, width, signs)
    for line in lines:
        console.print(line, soft_wrap=True)
    for text in _say_rest(summary, previews, signs):
        console.print(Text(text, style=DIM))


def render_top(summary: Summary[ScoreTally], console: Console) -> None:
    """Print the best categories of the first rows.

    Parameters
    ----------
    summary : Summary
        Of a run with `top_k` whose format is ``table``.
    console : Console
        Where to print; its width and encoding decide what is shown.
    """
    signs, width = signs_for(console), console.width
    plan = summary.plans[0]
    n_features, n_categories = len(plan.feature_names), len(plan.categories)
    equation = show_product(summary.n_rows, n_features, n_categories, width, signs)
    console.print(Text(f"{equation}\n", style=HEAD))
    columns = cast("RankColumns", cast("OutputSpec", summary.output).columns)
    previews = _take_previews(summary)
    for line in render_ranks(summary, previews, columns, width, signs):
        console.print(line, soft_wrap=True)
    for text in _say_more(summary, previews, signs, "row", "category"):
        console.print(Text(text, style=DIM))
    if summary.n_rows:
        console.print("")
        console.print(render_counts(summary, width, signs))


def render_ranks(
    summary: Summary[Any],
    previews: Sequence[RankedPreview],
    columns: RankColumns,
    width: int,
    signs: Signs,
) -> list[Text]:
    """Return the table of the first rows' ranks.

    Parameters
    ----------
    summary : Summary
        Of a run whose format is ``table``.
    previews : sequence of RankedPreview
        Its first rows.
    columns : RankColumns
        The output's columns.
    width : int
        Cells of the terminal.
    signs : Signs
        What it can show.

    Returns
    -------
    list of Text
        Lines.
    """
    spec = cast("OutputSpec", summary.output)
    frame = join_frames([preview.frame for preview in previews], spec.kinds)
    tied = np.concatenate([np.zeros(0, dtype=bool), *(preview.tied for preview in previews)])
    first = np.array([rank in (1, None) for rank in frame.values("rank")], dtype=bool)
    made = [_text(frame, columns.label_name, signs, first, is_label=True)]
    made += [_text(frame, name, signs, first) for name in columns.kept_names]
    ranks = ["" if rank is None else str(rank) for rank in frame.values("rank")]
    styles = _style_ranks(frame.values("rank"), tied)
    made.append(Column("rank", ranks, [DIM] * len(ranks), is_numeric=True))
    made.append(_text(frame, columns.chosen_name, signs, None, styles))
    for name in columns.number_names:
        made.append(_number(frame, name, spec.precision, signs, tied, styles))
    left = width - count_cells([c.least(ROOMY) for c in made]) - GAP
    if columns.scores and left >= _LEAST_BAR:
        made.append(_bars(read_numbers(frame["score"]), min(left, _BAR), signs))
    return list(render_columns(made, width, signs))


def render_matrix(
    summary: Summary[Any],
    previews: Sequence[RankedPreview],
    columns: RankColumns | MatrixColumns,
    items: Sequence[str],
    width: int,
    signs: Signs,
    *,
    cut: bool,
) -> list[Text]:
    """Return the table of the first users' scores, the highest of each marked.

    Parameters
    ----------
    summary, previews, columns, width, signs
        As in `render_ranks`.
    items : sequence of str
        The items' labels.
    cut : bool
        Whether items that find no room are left out; else nothing is shown then.

    Returns
    -------
    list of Text
        Lines; none without scores.
    """
    found = [preview.scores for preview in previews if preview.scores is not None]
    if not found or len(found) < len(previews):
        return []
    scores: NDArray[np.float64] = np.concatenate(found)
    spec = cast("OutputSpec", summary.output)
    labels = join_frames([_first_lines(preview.frame) for preview in previews], spec.kinds)
    made = [_text(labels, columns.label_name, signs, None, is_label=True)]
    best = np.where(np.isnan(scores), -np.inf, scores).argmax(axis=1)
    shown = 0
    for place, name in enumerate(items):
        marks = (best == place) & ~np.isnan(scores[:, place])
        made.append(_marked(name, scores[:, place], marks, spec.precision, signs))
        if count_cells([column.least(CRAMPED) for column in made]) > width:
            made.pop()
            break
        shown += 1
    if shown < len(items) and not cut:
        return []
    lines = list(render_columns(made, width, signs))
    if shown < len(items):
        lines.append(Text(f"{shown} of {plural(len(items), 'item')} shown; -f csv gives all", DIM))
    return lines


def _take_previews(summary: Summary[Any]) -> list[RankedPreview]:
    """Return the previews of at most as many rows as are to be shown."""
    left = cast("OutputSpec", summary.output).max_rows
    taken = []
    for preview in summary.previews:
        if isinstance(preview, RankedPreview) and left > 0:
            taken.append(preview.head(left))
            left -= taken[-1].n_rows
    return taken


def _first_lines(frame: Frame) -> Frame:
    if "rank" not in frame.columns:
        return frame
    first = [i for i, rank in enumerate(frame.values("rank")) if rank in (1, None)]
    return frame.take(np.array(first, dtype=np.int64))


def _text(
    frame: Frame,
    name: str,
    signs: Signs,
    shown: NDArray[np.bool_] | None,
    styles: Sequence[str] = (),
    *,
    is_label: bool = False,
) -> Column:
    """Return a column of text, or of row numbers; blank where it says what the line above says."""
    cells = []
    for place, value in enumerate(frame.values(name)):
        if shown is not None and not shown[place]:
            cells.append("")
        elif value is None:
            cells.append(signs.dash)
        else:
            text = str(value)
            cells.append(signs.show(text[:_LONGEST]) + signs.ellipsis * (len(text) > _LONGEST))
    return Column(signs.show(name), cells, styles or [""] * len(cells), is_label)


def _style_ranks(ranks: Sequence[int | None], tied: NDArray[np.bool_]) -> list[str]:
    styles = []
    for rank, tie in zip(ranks, tied.tolist(), strict=True):
        styles.append(DIM if rank is None else TIED if tie else BEST if rank == 1 else "")
    return styles


def _number(
    frame: Frame,
    name: str,
    precision: int | None,
    signs: Signs,
    tied: NDArray[np.bool_],
    styles: Sequence[str],
) -> Column:
    numbers = format_numbers(read_numbers(frame[name]).tolist(), precision)
    slot = 2 * bool(tied.any())
    cells = []
    for number, value, tie in zip(numbers, frame.values(name), tied.tolist(), strict=True):
        shown = number if value is not None else ""
        cells.append(shown + (f" {signs.tie}" if tie else " " * slot))
    return Column(name, cells, styles, is_numeric=True)


def _marked(
    name: str,
    values: NDArray[np.float64],
    marks: NDArray[np.bool_],
    precision: int | None,
    signs: Signs,
) -> Column:
    slot = 2 * bool(marks.any())
    cells = [
        number + (f" {signs.best}" if mark else " " * slot)
        for number, mark in zip(format_numbers(values.tolist(), precision), marks, strict=True)
    ]
    styles = [BEST if mark else "" for mark in marks]
    return Column(signs.show(name), cells, styles, is_numeric=True)


def _bars(scores: NDArray[np.float64], longest: int, signs: Signs) -> Column:
    """Return bars as long as the scores, the highest of all the longest; none under zero."""
    values = np.nan_to_num(scores)
    highest = max(values.max(initial=0.0), np.finfo(np.float64).tiny)
    lengths = np.ceil(np.clip(values / highest, 0.0, 1.0) * longest).astype(int)
    return Column("", [signs.bar * n for n in lengths], ["cyan"] * len(values))


def _say_more(
    summary: Summary[Any], previews: Sequence[RankedPreview], signs: Signs, row: str, chosen: str
) -> Iterator[str]:
    shown = sum(preview.n_rows for preview in previews)
    if not summary.n_rows:
        yield f"0 {row}s"
    elif summary.n_rows > shown:
        yield f"{signs.ellipsis} and {plural(summary.n_rows - shown, f'more {row}')}"
    if any(preview.tied.any() for preview in previews):
        yield f"{signs.tie} a tie: the first {chosen} goes first"


def _say_rest(
    summary: Summary[RecommendTally], previews: Sequence[RankedPreview], signs: Signs
) -> Iterator[str]:
    tally = summary.tally
    yield from _say_more(summary, previews, signs, "user", "item")
    special = [f"{plural(tally.n_ties, 'user')} with ties"] if tally.n_ties else []
    if tally.n_empty:
        special.append(f"{plural(tally.n_empty, 'user')} without items")
    if summary.n_rejected:
        special.append(f"{plural(summary.n_rejected, 'row')} rejected")
    if tally.n_missing:
        special.append(f"{plural(tally.n_missing, 'user')} with missing values")
    if special:
        yield "   ".join(special)
