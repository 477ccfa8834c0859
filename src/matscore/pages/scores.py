"""The table alone as a page: what ``-f html`` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matscore.frame import Frame, find_absent, join_frames
from matscore.names import show
from matscore.pages.page import Cell, Column, Page, Section, Table, heat_cells, render_page
from matscore.show.text import plural

if TYPE_CHECKING:
    from matscore.run.run import Summary
    from matscore.run.work import Preview
    from matscore.write.formats import OutputSpec


def render_table(summary: Summary[Any], version: str) -> str:
    """Return the first rows of an output as a page with a single table."""
    spec = summary.output
    if spec is None:
        raise ValueError("the run has no output")
    frames, n_shown = _take_rows(summary.previews, spec.max_rows)
    frame = join_frames(frames, spec.kinds)
    marks = [preview.marks for preview in summary.previews if preview.marks is not None]
    shown = np.hstack(marks)[:, : frame.height] if marks else None
    table = _make_table(spec, frame, shown, summary.n_rows - n_shown)
    plan = summary.plans[0]
    page = Page(
        title=show(f"{plan.features.path[:200]} by {plan.weights.path[:200]}"),
        subtitle=plural(summary.n_rows, "row"),
        sections=[Section("table", "", [table])],
        foot=f"matscore {version}",
    )
    return render_page(page)


def _take_rows(previews: Sequence[Preview], n_rows: int) -> tuple[list[Frame], int]:
    """Return the lines of the first rows, and how many rows they are."""
    frames, left = [], n_rows
    for preview in previews:
        frame, n_taken = preview.take_rows(left)
        frames.append(frame)
        left -= n_taken
    return frames, n_rows - left


def _make_table(spec: OutputSpec, frame: Frame, marks: np.ndarray | None, more: int) -> Table:
    shaded: list[Sequence[str]] = [*filter(None, getattr(spec.columns, "shaded", ()))]
    cells: dict[str, list[Cell]] = {}
    for names in shaded:
        by_row = heat_cells(frame.numbers(names), spec.precision)
        for i, name in enumerate(names):
            absent = find_absent(frame[name]).tolist()
            cells[name] = [
                Cell("") if nothing else row[i] for row, nothing in zip(by_row, absent, strict=True)
            ]
    # Marks are of the scores, or of the probabilities where there are no scores.
    if marks is not None and shaded and len(shaded[0]) == len(marks):
        for name, marked in zip(shaded[0], marks, strict=True):
            cells[name] = _mark(cells[name], marked, marks)
    columns = []
    for i, (name, kind) in enumerate(spec.kinds.items()):
        is_number = kind != "text" and i > 0
        columns.append(Column.of_name(name, is_number=is_number))
        if name not in cells:
            make = Cell.of_number if is_number else Cell.of_text
            cells[name] = [Cell("") if v is None else make(v) for v in frame.values(name)]
    note = f"and {plural(more, 'more row')}" if more > 0 else ""
    rows = list(zip(*(cells[name] for name in spec.kinds), strict=True))
    return Table("Scores", columns, rows, note, is_heat=bool(shaded) and frame.height > 0)


def _mark(cells: list[Cell], marked: np.ndarray, marks: np.ndarray) -> list[Cell]:
    tied = marks.sum(axis=0) > 1
    return [
        replace(cell, mark="tie" if tie else "best") if mark else cell
        for cell, mark, tie in zip(cells, marked, tied, strict=True)
    ]
