"""The page of a run: what every command's page has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from matscore.numerics.statistics import Reasons
from matscore.pages import classify, evaluate, fit, recommend
from matscore.pages.page import (
    Cell,
    Column,
    Figure,
    Notes,
    Page,
    Pair,
    Section,
    Table,
    Tile,
    render_page,
    show_line,
)
from matscore.pages.shapes import Shapes, draw_shapes
from matscore.show.text import show_bytes

Facts = Mapping[str, Any]
# What the report of a command has and those after it have not; ``explain`` has no page of its own.
_PAGES: dict[str, ModuleType] = {
    "evaluation": evaluate,
    "fit": fit,
    "recommendations": recommend,
    "rows_a_category": classify,
}
_TITLES = {
    "classify": "Scores of",
    "recommend": "Recommendations for",
    "explain": "Explanation of",
    "evaluate": "Evaluation on",
    "fit": "Weights learned from",
}


@dataclass(frozen=True)
class Run:
    """What a page is made of."""

    facts: Facts  # the JSON report of the run
    summary: Any  # a Summary or FitSummary; None for a run that failed
    reasons: Reasons  # the rows set aside

    @property
    def command(self) -> str:
        """The command's name."""
        return next(iter(self.facts["command"]), "")


def render_report(run: Run) -> str:
    """Return the page of a run, also of one that failed."""
    facts, results, sources = run.facts, [], []
    # Of a run that failed the report names the counts, but there is nothing to show.
    command = next((page for name, page in _PAGES.items() if name in facts), None)
    if command is not None and run.summary is not None:
        results, sources = command.show_results(run), command.show_sources(run)
    rows, model = name_inputs(facts)
    started = facts["started"][:16].replace("T", " ")
    time = f"{started} UTC · {facts['seconds']:.3g} s"
    page = Page(
        title=show_line(f"{_TITLES.get(run.command, 'Report on')} {rows}"),
        subtitle=show_line(f"by {model} · {time}" if model else time),
        status="done" if facts["exit"] == 0 else f"failed, exit {facts['exit']}",
        is_good=facts["exit"] == 0,
        alert=show_line(facts["error"] or ""),
        tiles=_count_tiles(run),
        sections=[
            *_line_up(run), *results, *_show_rejects(run), *sources, _show_inputs(facts),
        ],
        foot=f"matscore {facts['version']}",
    )  # fmt: skip
    return render_page(page)


def name_inputs(facts: Facts) -> tuple[str, str]:
    """Return what the inputs are called: the rows, and what is held in memory."""
    names = [
        ("standard input" if one["path"] == "-" else one["path"], one["role"])
        for one in facts["inputs"]
    ]
    rows = [name for name, role in names if role in ("features", "users")]
    model = [name for name, role in names if role in ("weights", "items")]
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return rows[0] + more, model[0] if model else ""


def _count_tiles(run: Run) -> list[Tile]:
    facts = run.facts
    if facts["rows_in"] is None:
        rejected = run.reasons.n_rows
        return [Tile(f"{rejected:,}", "rows rejected until then", "bad")] if rejected else []
    is_fit = "fit" in facts
    tiles = [
        Tile(f"{facts['rows_in']:,}", "rows read"),
        Tile(f"{facts['rows_scored']:,}", "learned from" if is_fit else "rows scored", "good"),
        Tile(f"{facts['rows_rejected']:,}", "rows rejected", "bad" if run.reasons.n_rows else ""),
    ]
    counts = {
        "rows_tied": ("tie", "ties"),
        "rows_without_prediction": ("without prediction",) * 2,
        "rows_without_items": ("without items",) * 2,
        "rows_missing": ("with missing values",) * 2,
    }
    if evaluation := facts.get("evaluation"):
        share = evaluation["accuracy"]
        tiles.insert(0, Tile("–" if share is None else f"{share:.1%}", "accuracy"))
    for name, (one, many) in counts.items():
        if name in facts and (facts[name] or name == "rows_tied"):
            tone: Literal["warn", ""] = "warn" if facts[name] else ""
            tiles.append(Tile(f"{facts[name]:,}", one if facts[name] == 1 else many, tone))
    return tiles


def _line_up(run: Run) -> list[Section]:
    """Draw the shapes and say how they were brought together."""
    facts, shapes = run.facts, run.facts["shapes"]
    if not shapes:
        return []
    # Of a run that failed the last plan is the one that does not fit.
    plan = (facts["plans"] or [None])[0 if facts["exit"] == 0 else -1]
    fits = plan is None or plan["verdict"] == "fits"
    (n_rows, n_features), (n_weights, n_categories) = shapes["features"], shapes["weights"]
    sizes = n_rows, n_weights if fits else n_features, n_weights, n_categories
    is_recommend = run.command == "recommend"
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


def _show_rejects(run: Run) -> list[Section]:
    """Show the rejected rows by reason, and the first of them."""
    reasons, n_all = run.reasons, run.reasons.n_rows
    if not n_all:
        return []
    most = max([*reasons.counts.values(), reasons.n_other])
    counts = [
        (reason.what, reason.name or "", reason.hint, n)
        for reason, n in sorted(reasons.counts.items(), key=lambda item: -item[1])
    ]
    if reasons.n_other:
        counts.append(("other reasons", "", "", reasons.n_other))
    rows = []
    for what, name, hint, n in counts:
        share = Cell.of_count(n, of=most), Cell.of_share(n, n_all)
        rows.append([*Cell.of_texts(what, name), *share, *Cell.of_texts(hint)])
    wrong, column, todo = Column("what is wrong"), Column("column"), Column("what to do")
    columns = [wrong, column, Column.of_bars("rows"), *Column.of_numbers("share"), todo]
    by_reason = Table("Rejected rows by reason", columns, rows)
    examples = []
    for one in reasons.examples:
        cell = one.name if one.name is not None else one.column or ""
        examples.append(Cell.of_texts(f"{one.path}:{one.line}", cell, one.error, one.text))
    place = run.facts["rejects"]
    shown = len(examples)
    where = f"all are in {show_line(place)}" if place and run.facts["exit"] == 0 else ""
    note = f"the first {shown:,} of {n_all:,}; {where}" if n_all > shown else where
    columns = [Column("place"), column, wrong, Column("text")]
    each = Table("Rejected rows", columns, examples, note.removesuffix("; "))
    lead = f"{n_all:,} {'row was' if n_all == 1 else 'rows were'} set aside and not scored."
    return [Section("rejects", "Rejected rows", [by_reason, each], lead)]


def _show_inputs(facts: Facts) -> Section:
    """List the files of the run and the command that made it."""
    rows = []
    for one in facts["inputs"]:
        path, size = "standard input" if one["path"] == "-" else one["path"], Cell("")
        if one["size"] is not None:
            size = Cell(show_bytes(one["size"]), value=float(one["size"]))
        changed = (one["mtime"] or "")[:16].replace("T", " ")
        last = Cell.of_texts(changed, one["sha256"] or "")
        rows.append([*Cell.of_texts(path, one["role"]), size, *last])
    headings = Column("file"), Column("role"), *Column.of_numbers("size")
    columns = [*headings, Column("changed (UTC)"), Column("SHA-256")]
    files = Table("Files read", columns, rows)
    written = [
        f"{content} in {facts[key]}"
        for key, content in (("output", "the output"), ("rejects", "rejected rows"))
        if facts[key]
    ]
    command = show_line(" ".join(["matscore", *facts["command"]]))
    notes = Notes([show_line(text) for text in written], command, "The command:")
    return Section("inputs", "Inputs", [files, notes])
