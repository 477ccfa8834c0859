"""The page of a run: what every command's page has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matscore.names import show
from matscore.numerics.statistics import Reasons
from matscore.pages.parts import (
    BARS,
    Cell,
    Column,
    Figure,
    Notes,
    Page,
    Pair,
    Section,
    Table,
    Tile,
    column,
    count_cell,
    number_cell,
    percent_cell,
    text_cell,
    write_size,
)
from matscore.pages.render import render_page
from matscore.pages.shapes import Shapes, draw_shapes

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """What a page is made of.

    Attributes
    ----------
    facts : dict
        The JSON report of the run.
    summary : Summary, FitSummary or None
        What was done; None for a run that failed.
    reasons : Reasons
        The rows set aside.
    """

    facts: Facts
    summary: Any
    reasons: Reasons


def render_report(run: Run) -> str:
    """Return the page of a run, also of one that failed.

    Parameters
    ----------
    run : Run
        What is known of it.

    Returns
    -------
    str
        One HTML file.
    """
    facts = run.facts
    sections = [
        *_line_up(run),
        *_show_results(run),
        *_show_rejects(run),
        *_show_sources(run),
        _show_inputs(facts),
    ]
    rows, held = name_inputs(facts)
    ended = "done" if facts["exit"] == 0 else f"failed, exit {facts['exit']}"
    return render_page(
        Page(
            title=_safe(f"{_title_of(facts)} {rows}"),
            subtitle=_safe(f"by {held} · {_say_time(facts)}" if held else _say_time(facts)),
            status=ended,
            is_good=facts["exit"] == 0,
            alert=_safe(facts["error"] or ""),
            tiles=_count_tiles(run),
            sections=sections,
            foot=f"matscore {facts['version']}",
        )
    )


def name_inputs(facts: Facts) -> tuple[str, str]:
    """Return what the inputs are called: the rows, and what is held in memory."""
    names = [
        ("standard input" if one["path"] == "-" else one["path"], one["role"])
        for one in facts["inputs"]
    ]
    rows = [name for name, role in names if role in ("features", "users")]
    held = [name for name, role in names if role in ("weights", "items")]
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return rows[0] + more, held[0] if held else ""


def _safe(text: str) -> str:
    return show(text[:500])


def _title_of(facts: Facts) -> str:
    command = next(iter(facts["command"]), "")
    return {
        "classify": "Scores of",
        "recommend": "Recommendations for",
        "explain": "Explanation of",
        "evaluate": "Evaluation on",
        "fit": "Weights learned from",
    }.get(command, "Report on")


def _say_time(facts: Facts) -> str:
    started = facts["started"][:16].replace("T", " ")
    return f"{started} UTC · {facts['seconds']:.3g} s"


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
        "rows_without_prediction": ("without prediction", "without prediction"),
        "rows_without_items": ("without items", "without items"),
        "rows_missing": ("with missing values", "with missing values"),
    }
    if evaluation := facts.get("evaluation"):
        share = evaluation["accuracy"]
        tiles.insert(0, Tile("–" if share is None else f"{share:.1%}", "accuracy"))
    for name, (one, many) in counts.items():
        if name in facts and (facts[name] or name == "rows_tied"):
            tone = "warn" if facts[name] else ""
            tiles.append(Tile(f"{facts[name]:,}", one if facts[name] == 1 else many, tone))  # type: ignore[arg-type]
    return tiles


def _line_up(run: Run) -> list[Section]:
    """Draw the shapes and say how they were brought together."""
    facts, shapes = run.facts, run.facts["shapes"]
    if not shapes:
        return []
    plan = (facts["plans"] or [None])[0 if facts["exit"] == 0 else -1]
    fits = plan is None or plan["verdict"] == "fits"
    (n_rows, n_features), (n_weights, n_categories) = shapes["features"], shapes["weights"]
    if fits:
        n_features = n_weights
    features, weights = name_inputs(facts)
    picture = draw_shapes(
        Shapes(
            n_rows,
            n_features,
            n_weights,
            n_categories,
            features,
            weights,
            fits,
            is_recommend=next(iter(facts["command"]), "") == "recommend",
        )
    )
    parts: list[Figure | Table | Notes] = [picture]
    if plan is not None:
        command = "" if fits else _safe(plan["command"])
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
    return [_safe(note) for note in (*notes, *plan["facts"])]


def _show_results(run: Run) -> list[Section]:
    """Return the sections of the command's own: what came of the rows."""
    from matscore.commands.classify_rows import ScoreTally
    from matscore.commands.recommend_rows import RecommendTally
    from matscore.pages.classify import show_scores
    from matscore.pages.evaluate import show_evaluation
    from matscore.pages.fit import show_fit
    from matscore.pages.recommend import show_ranks

    facts, summary = run.facts, run.summary
    if summary is None:
        return []
    if isinstance(summary.tally, ScoreTally):
        return show_scores(summary)
    if isinstance(summary.tally, RecommendTally):
        return show_ranks(summary)
    if "evaluation" in facts:
        return show_evaluation(facts["evaluation"])
    return show_fit(facts["fit"], summary.learned, summary.warnings) if "fit" in facts else []


def _show_sources(run: Run) -> list[Section]:
    """Return the sections of the command's own: what the rows and the model are like."""
    from matscore.commands.classify_rows import ScoreTally
    from matscore.commands.recommend_rows import RecommendTally
    from matscore.pages.classify import show_sources_of_scores, show_weights
    from matscore.pages.recommend import show_users

    summary = run.summary
    if summary is None:
        return []
    if isinstance(summary.tally, ScoreTally):
        return show_sources_of_scores(summary)
    if isinstance(summary.tally, RecommendTally):
        return show_users(summary)
    if "evaluation" in run.facts:
        return show_weights(summary.works[0].model, summary.plans[0].feature_names)
    return []


def _show_rejects(run: Run) -> list[Section]:
    """Show the rejected rows by reason, and the first of them."""
    reasons, n_all = run.reasons, run.reasons.n_rows
    if not n_all:
        return []
    most = max([*reasons.counts.values(), reasons.n_other])
    rows = [
        [
            text_cell(reason.what),
            text_cell("" if reason.name is None else reason.name),
            count_cell(n, of=most),
            percent_cell(n, n_all),
            text_cell(reason.hint),
        ]
        for reason, n in sorted(reasons.counts.items(), key=lambda item: -item[1])
    ]
    if reasons.n_other:
        other = reasons.n_other
        rows.append(
            [Cell("other reasons"), Cell(""), count_cell(other, of=most),
             percent_cell(other, n_all), Cell("")]
        )  # fmt: skip
    by_reason = Table(
        "Rejected rows by reason",
        [
            Column("what is wrong"),
            Column("column"),
            BARS,
            Column("share", is_number=True),
            Column("what to do"),
        ],
        rows,
    )
    examples = [
        [
            text_cell(f"{one.path}:{one.line}"),
            text_cell(one.name if one.name is not None else one.column or ""),
            text_cell(one.error),
            text_cell(one.text),
        ]
        for one in reasons.examples
    ]
    place = run.facts["rejects"]
    shown = len(examples)
    where = f"all are in {_safe(place)}" if place and run.facts["exit"] == 0 else ""
    note = f"the first {shown:,} of {n_all:,}; {where}" if n_all > shown else where
    each = Table(
        "Rejected rows",
        [Column("place"), Column("column"), Column("what is wrong"), Column("text")],
        examples,
        note.removesuffix("; "),
    )
    lead = f"{n_all:,} {'row was' if n_all == 1 else 'rows were'} set aside and not scored."
    return [Section("rejects", "Rejected rows", [by_reason, each], lead)]


def _show_inputs(facts: Facts) -> Section:
    """List the files of the run and the command that made it."""
    rows = [
        [
            text_cell("standard input" if one["path"] == "-" else one["path"]),
            text_cell(one["role"]),
            number_cell(None) if one["size"] is None else Cell(
                write_size(one["size"]), value=float(one["size"])
            ),
            text_cell((one["mtime"] or "")[:16].replace("T", " ")),
            text_cell(one["sha256"] or ""),
        ]
        for one in facts["inputs"]
    ]  # fmt: skip
    files = Table(
        "Files read",
        [
            column("file"),
            column("role"),
            column("size", is_number=True),
            column("changed (UTC)"),
            column("SHA-256"),
        ],
        rows,
    )
    written = [
        f"{what} in {facts[key]}"
        for key, what in (("output", "the output"), ("rejects", "rejected rows"))
        if facts[key]
    ]
    command = " ".join(["matscore", *facts["command"]])
    return Section(
        "inputs",
        "Inputs",
        [files, Notes([_safe(text) for text in written], _safe(command), "The command:")],
    )
