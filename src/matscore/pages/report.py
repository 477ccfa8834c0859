"""The page of a run: what every command's page has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from matscore.names import show
from matscore.numerics.statistics import Reason, Reasons
from matscore.pages.page import (
    Cell,
    Column,
    Notes,
    Page,
    Pair,
    Section,
    Sections,
    Shapes,
    Table,
    Tile,
    render_page,
    show_line,
)
from matscore.pages.quality import show_evaluation, show_fit
from matscore.pages.scores import show_recommendations, show_scores
from matscore.show.table import show_bytes

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


def _cut_path(path: str) -> str:
    shown = show(path)  # its end tells files apart
    return shown if len(shown) <= _LONGEST_PATH else f"…{shown[-_LONGEST_PATH:]}"


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
    rows, model = (_cut_path(name) for name in name_inputs(facts))
    is_recommend = _name_command(facts) == "recommend"
    parts: list[Shapes | Notes] = [Shapes(*sizes, rows, model, fits, is_recommend)]
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
