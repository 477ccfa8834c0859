"""The table alone as a page: what ``-f html`` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matscore.commands.explain_rows import ExplainPreview
from matscore.commands.ranked import RankedPreview
from matscore.frame import Frame, find_absent, join_frames
from matscore.names import show
from matscore.pages.parts import (
    Cell,
    Page,
    Section,
    Table,
    column,
    heat_cells,
    number_cell,
    text_cell,
)
from matscore.pages.render import render_page
from matscore.run.work import Preview

if TYPE_CHECKING:
    from matscore.run.summary import Summary
    from matscore.write.formats import OutputSpec


def render_table(summary: Summary[Any], version: str) -> str:
    """Return the first rows of an output as a page with a single table.

    Parameters
    ----------
    summary : Summary
        Of a run whose format is ``html``.
    version : str
        The program's.

    Returns
    -------
    str
        One HTML file.
    """
    spec = summary.output
    if spec is None:
        raise ValueError("the run has no output")
    frames, n_shown = _take_rows(summary.previews, spec.max_rows)
    frame = join_frames(frames, spec.kinds)
    marks = [preview.marks for preview in summary.previews if preview.marks is not None]
    found = np.hstack(marks)[:, : frame.height] if marks else None
    table = _make_table(spec, frame, found, summary.n_rows - n_shown)
    plan = summary.plans[0]
    return render_page(
        Page(
            title=show(f"{plan.features.path[:200]} by {plan.weights.path[:200]}"),
            subtitle=f"{summary.n_rows:,} {'row' if summary.n_rows == 1 else 'rows'}",
            status="",
            is_good=True,
            alert="",
            tiles=[],
            sections=[Section("table", "", [table])],
            foot=f"matscore {version}",
        )
    )


def _take_rows(previews: Sequence[Preview], n_rows: int) -> tuple[list[Frame], int]:
    """Return the lines of the first rows, and how many rows they are."""
    frames, left = [], n_rows
    for preview in previews:
        if isinstance(preview, RankedPreview):
            head = preview.head(left)
            frames.append(head.frame)
            left -= head.n_rows
        elif isinstance(preview, ExplainPreview):
            rows = preview.rows[:left]
            frames.append(preview.frame.head(sum(len(row.entries) for row in rows)))
            left -= len(rows)
        else:
            frames.append(preview.frame.head(left))
            left -= frames[-1].height
    return frames, n_rows - left


def _make_table(spec: OutputSpec, frame: Frame, marks: np.ndarray | None, more: int) -> Table:
    shaded: Sequence[Sequence[str]] = getattr(spec.columns, "shaded", ())
    cells: dict[str, list[Cell]] = {}
    for names in filter(None, shaded):
        by_row = heat_cells(frame.numbers(names), spec.precision)
        for i, name in enumerate(names):
            nothing = find_absent(frame[name]).tolist()
            cells[name] = [
                Cell("") if is_none else row[i]
                for row, is_none in zip(by_row, nothing, strict=True)
            ]
    first = next(filter(None, shaded), ())
    if marks is not None and len(first) == len(marks):
        for name, marked in zip(first, marks, strict=True):
            cells[name] = _mark(cells[name], marked, marks)
    columns = []
    for i, (name, kind) in enumerate(spec.kinds.items()):
        is_number = kind != "text" and i > 0
        columns.append(column(name, is_number=is_number))
        if name not in cells:
            make = number_cell if is_number else text_cell
            cells[name] = [Cell("") if v is None else make(v) for v in frame.values(name)]
    note = f"and {more:,} more {'row' if more == 1 else 'rows'}" if more > 0 else ""
    rows = list(zip(*(cells[name] for name in spec.kinds), strict=True))
    return Table("Scores", columns, rows, note, is_heat=bool(first) and frame.height > 0)


def _mark(cells: list[Cell], marked: np.ndarray, marks: np.ndarray) -> list[Cell]:
    tied = marks.sum(axis=0) > 1
    return [
        replace(cell, mark="tie" if tie else "best") if mark else cell
        for cell, mark, tie in zip(cells, marked, tied, strict=True)
    ]
