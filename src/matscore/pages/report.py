"""The page of a run: what every command's page has in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from matscore.names import show
from matscore.numerics.statistics import Reason, Reasons
from matscore.pages.page import (
    Cell,
    Column,
    Figure,
    Notes,
    Page,
    Pair,
    Section,
    Sections,
    Table,
    Tile,
    render_page,
    show_line,
)
from matscore.pages.quality import show_evaluation, show_fit
from matscore.pages.scores import show_recommendations, show_scores
from matscore.show.table import show_bytes, show_size

Facts = Mapping[str, Any]  # of the JSON report
_TITLES = {
    "classify": "Scores of",
    "recommend": "Recommendations for",
    "explain": "Explanation of",
    "evaluate": "Evaluation on",
    "fit": "Weights learned from",
}
# What the report of a command has and those after it have not; ``explain`` has no page of its own.
_PAGES: dict[str, Callable[[Any], Sections]] = {
    "evaluation": show_evaluation,
    "fit": show_fit,
    "recommendations": show_recommendations,
    "rows_a_category": show_scores,
}
_GAP, _LEFT, _TOP = 46, 20, 30
_LONGEST_PATH = 34


def render_report(facts: Facts, summary: Any, reasons: Reasons) -> str:
    """Return the page of a run, also of one that failed: then `summary` is None.

    `facts` are those of the JSON report; `reasons` are why rows were set aside.
    """
    results, sources = list[Section](), list[Section]()
    # Of a run that failed the report names the counts, but there is nothing to show.
    command = next((page for name, page in _PAGES.items() if name in facts), None)
    if command is not None and summary is not None:
        results, sources = command(summary)
    # Time stands in the page but in no chart or table, so that two runs are easily compared.
    rows, model = name_inputs(facts)
    started = facts["started"][:16].replace("T", " ")
    time = f"{started} UTC · {facts['seconds']:.3g} s"
    rejects = _show_rejects(facts, reasons)
    page = Page(
        title=show_line(f"{_TITLES.get(_name_command(facts), 'Report on')} {rows}"),
        subtitle=show_line(f"by {model} · {time}" if model else time),
        status="done" if facts["exit"] == 0 else f"failed, exit {facts['exit']}",
        is_good=facts["exit"] == 0,
        alert=show_line(facts["error"] or ""),
        tiles=_count_tiles(facts, reasons.n_rows),
        sections=[*_line_up(facts), *results, *rejects, *sources, _show_inputs(facts)],
        foot=f"matscore {facts['version']}",
    )
    return render_page(page)


def _name_command(facts: Facts) -> str:
    return next(iter(facts["command"]), "")


def name_inputs(facts: Facts) -> tuple[str, str]:
    """Return what the inputs are called: the rows, and what is held in memory."""
    inputs = facts["inputs"]
    rows = [_name_file(one) for one in inputs if one["role"] in ("features", "users")]
    model = [_name_file(one) for one in inputs if one["role"] in ("weights", "items")]
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return rows[0] + more, model[0] if model else ""


def _name_file(facts: Facts) -> str:
    return "standard input" if facts["path"] == "-" else str(facts["path"])


def _count_tiles(facts: Facts, n_rejected: int) -> list[Tile]:
    if facts["rows_in"] is None:
        return [Tile(f"{n_rejected:,}", "rows rejected until then", "bad")] if n_rejected else []
    is_fit = "fit" in facts
    tiles = [
        Tile(f"{facts['rows_in']:,}", "rows read"),
        Tile(f"{facts['rows_scored']:,}", "learned from" if is_fit else "rows scored", "good"),
        Tile(f"{facts['rows_rejected']:,}", "rows rejected", "bad" if n_rejected else ""),
    ]
    counts = {
        "rows_tied": ("tie", "ties"),
        "rows_without_prediction": ("without prediction",) * 2,
        "rows_without_items": ("without items",) * 2,
        "rows_missing": ("with missing values",) * 2,
        "rows_doubled": ("label there before", "labels there before"),
    }
    if evaluation := facts.get("evaluation"):
        share = evaluation["accuracy"]
        tiles.insert(0, Tile("–" if share is None else f"{share:.1%}", "accuracy"))
    for name, (one, many) in counts.items():
        if name in facts and (facts[name] or name == "rows_tied"):
            tone: Literal["warn", ""] = "warn" if facts[name] else ""
            tiles.append(Tile(f"{facts[name]:,}", one if facts[name] == 1 else many, tone))
    return tiles


def _line_up(facts: Facts) -> list[Section]:
    """Draw the shapes and say how they were brought together."""
    shapes = facts["shapes"]
    if not shapes:
        return []
    # Of a run that failed the last plan is the one that does not fit.
    plan = (facts["plans"] or [None])[0 if facts["exit"] == 0 else -1]
    fits = plan is None or plan["verdict"] == "fits"
    (n_rows, n_features), (n_weights, n_categories) = shapes["features"], shapes["weights"]
    sizes = n_rows, n_weights if fits else n_features, n_weights, n_categories
    is_recommend = _name_command(facts) == "recommend"
    picture = draw_shapes(Shapes(*sizes, *name_inputs(facts), fits, is_recommend))
    parts: list[Figure | Table | Notes] = [picture]
    if plan is not None:
        command = "" if fits else show_line(plan["command"])
        parts.append(Notes(_say_plan(plan), command, "This works:"))
    return [Section("shapes", "How the two line up", [Pair(parts)])]


def _say_plan(plan: Facts) -> list[str]:
    matched = plan["matched"]
    notes = []
    if matched and plan["verdict"] == "fits":
        notes.append(f"{len(matched):,} features matched by {plan['matched_by']}")
    for missing in plan["missing"][:5]:
        close = f"; did you mean {' or '.join(missing['close'])}?" if missing["close"] else ""
        notes.append(f"missing: {missing['name']}{close}")
    return [show_line(note) for note in (*notes, *plan["facts"])]


def _show_rejects(facts: Facts, reasons: Reasons) -> list[Section]:
    """Show the rejected rows by reason, and the first of them."""
    n_all, examples = reasons.n_rows, reasons.examples
    if not n_all:
        return []
    # Reasons and examples are limited where they are counted: a page stays small.
    counts = sorted(reasons.counts.items(), key=lambda item: -item[1])
    if reasons.n_other:
        counts.append((Reason("other reasons", None, ""), reasons.n_other))
    numbers = [n for _, n in counts]
    columns = [
        Column.of_texts("what is wrong", (reason.what for reason, _ in counts)),
        Column.of_texts("column", (reason.name or "" for reason, _ in counts)),
        Column.of_counts("rows", numbers, most=max(numbers)),
        Column.of_parts("share", numbers, n_all),
        Column.of_texts("what to do", (reason.hint for reason, _ in counts)),
    ]
    by_reason = Table("Rejected rows by reason", columns)
    names = (one.column or "" if one.name is None else one.name for one in examples)
    columns = [
        Column.of_texts("place", (f"{one.path}:{one.line}" for one in examples)),
        Column.of_texts("column", names),
        Column.of_texts("what is wrong", (one.error for one in examples)),
        Column.of_texts("text", (one.text for one in examples)),
    ]
    place, n_shown = facts["rejects"], len(examples)
    where = f"all are in {show_line(place)}" if place and facts["exit"] == 0 else ""
    note = f"the first {n_shown:,} of {n_all:,}; {where}" if n_all > n_shown else where
    each = Table("Rejected rows", columns, note.removesuffix("; "))
    lead = f"{n_all:,} {'row was' if n_all == 1 else 'rows were'} set aside and not scored."
    return [Section("rejects", "Rejected rows", [by_reason, each], lead)]


def _show_inputs(facts: Facts) -> Section:
    """List the files of the run and the command that made it."""
    inputs = facts["inputs"]
    sizes = [
        Cell("") if size is None else Cell(show_bytes(size), value=float(size))
        for size in (one["size"] for one in inputs)
    ]
    changed = ((one["mtime"] or "")[:16].replace("T", " ") for one in inputs)
    columns = [
        Column.of_texts("file", map(_name_file, inputs)),
        Column.of_texts("role", (one["role"] for one in inputs)),
        Column("size", sizes, is_number=True),
        Column.of_texts("changed (UTC)", changed),
        Column.of_texts("SHA-256", (one["sha256"] or "" for one in inputs)),
    ]
    files = Table("Files read", columns)
    written = [
        f"{content} in {facts[key]}"
        for key, content in (("output", "the output"), ("rejects", "rejected rows"))
        if facts[key]
    ]
    command = show_line(" ".join(["matscore", *facts["command"]]))
    notes = Notes([show_line(text) for text in written], command, "The command:")
    return Section("inputs", "Inputs", [files, notes])


# Two matrices and their product as rectangles. The weights stand above the scores and the features
# to the left of them (Falk 1951, "Ein übersichtliches Schema für die Matrizenmultiplikation",
# ZAMM 31(4-5), 152-153), so that each score lies in the row of its item and in the column of its
# category, and the two inner sides, which must be as long as each other, meet at a corner.
@dataclass(frozen=True)
class Shapes:
    """Three matrices by size."""

    n_rows: int | None  # of the features; None where they were not counted
    n_features: int  # columns of the features
    n_weights: int  # rows of the weights
    n_categories: int  # columns of the weights
    features: str  # where they come from
    weights: str
    fits: bool  # whether there is a product
    is_recommend: bool = False  # whether these are users and items, transposed

    @property
    def names(self) -> tuple[str, str]:
        """What the two matrices are called."""
        return ("users", "items, transposed") if self.is_recommend else ("features", "weights")


def draw_shapes(shapes: Shapes) -> Figure:
    """Draw two matrices with their inner sides joined, and the product where there is one."""
    rows = _length(shapes.n_rows or 0)
    across, down = _length(shapes.n_features), _length(shapes.n_weights)
    wide = _length(shapes.n_categories)
    longest = show_size(shapes.n_rows, max(shapes.n_features, shapes.n_categories))
    across, wide = (max(side, 9.5 * len(longest) + 14) for side in (across, wide))
    if shapes.fits:  # the two inner sides are seen to be as long as each other
        down = across
    x, y = _LEFT + across + _GAP, _TOP + down + _GAP  # the corner of the scores
    parts = [
        _box(_LEFT, y, across, rows, "", show_size(shapes.n_rows, shapes.n_features)),
        _box(x, _TOP, wide, down, "", show_size(shapes.n_weights, shapes.n_categories)),
        f'<line class="inner" x1="{_LEFT}" y1="{y}" x2="{_LEFT + across}" y2="{y}"/>',
        f'<line class="inner" x1="{x}" y1="{_TOP}" x2="{x}" y2="{_TOP + down}"/>',
        f'<path class="join" d="M{_LEFT + across / 2} {y} '
        f'Q{_LEFT + across / 2} {_TOP + down / 2} {x} {_TOP + down / 2}"/>',
    ]
    if shapes.fits:
        parts.append(
            _box(x, y, wide, rows, "result", show_size(shapes.n_rows, shapes.n_categories))
        )
    parts += _label(shapes, x, y, wide, rows)
    width, height = x + wide + (250 if shapes.fits else 300), y + rows + 50
    kind = "fit" if shapes.fits else "misfit"
    svg = (
        f'<svg class="falk" viewBox="0 0 {width} {height}" style="max-width:{width}px" '
        f'aria-hidden="true" focusable="false"><g class="{kind}">'
        f"{''.join(parts)}</g></svg>"
    )
    return Figure(svg, "Shapes", describe_shapes(shapes))


def describe_shapes(shapes: Shapes) -> str:
    """Say in words what the picture shows."""
    rows = "unknown" if shapes.n_rows is None else f"{shapes.n_rows:,}"
    left, top = shapes.names
    features = f"{left} of {rows} by {shapes.n_features:,}"
    weights = f"{top} of {shapes.n_weights:,} by {shapes.n_categories:,}"
    if shapes.fits:
        return f"{features} times {weights} give scores of {rows} by {shapes.n_categories:,}"
    return f"{features} and {weights} do not line up"


def _label(shapes: Shapes, x: float, y: float, wide: float, rows: float) -> list[str]:
    """Name the matrices and their sides."""
    n_rows, n_out = ("users", "items") if shapes.is_recommend else ("rows", "categories")
    left, top = shapes.names
    same = f"the same {shapes.n_features:,} features"
    if not shapes.fits:
        same = f"{shapes.n_features:,} against {shapes.n_weights:,}: not the same features"
    side = x + wide + 14
    count = "?" if shapes.n_rows is None else f"{shapes.n_rows:,}"
    result = f"{count} {n_rows} by {shapes.n_categories:,} {n_out}"
    return [
        _text(side, _TOP + 16, top, "size"),
        _text(side, _TOP + 35, _name(shapes.weights), "faint"),
        _text(side, _TOP + 53, same, "fits"),
        _text(side, y + 16, "scores" if shapes.fits else "", "size"),
        _text(side, y + 35, result, "faint") if shapes.fits else "",
        _text(_LEFT, y + rows + 17, left, "size"),
        _text(_LEFT, y + rows + 36, _name(shapes.features), "faint"),
    ]


def _length(n: int) -> float:
    """Return the length of a side: it grows with the number, slowly."""
    # A picture to scale would show one row beside a million as nothing.
    return round(min(64 + 26 * math.log10(max(n, 1)), 190), 1)


def _name(path: str) -> str:
    shown = show(path)  # its end tells files apart
    return shown if len(shown) <= _LONGEST_PATH else f"…{shown[-_LONGEST_PATH:]}"


def _box(x: float, y: float, width: float, height: float, kind: str, size: str) -> str:
    style = ' style="font-size:13px"' if len(size) * 9.5 > width else ""
    middle = f'x="{x + width / 2:.1f}" y="{y + height / 2 + 5:.1f}"'
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width}" height="{height}" rx="4"/>'
        f'<text class="size" text-anchor="middle" {middle}{style}>{escape(size)}</text>'
    )


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
