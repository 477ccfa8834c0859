"""`evaluate` of the reference: which truth belongs to which row, and what is positive."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from tests.oracle.contract import list_first_places
from tests.oracle.decide import Other, first_cells, judge_column, judge_record
from tests.oracle.lineup import is_readable, line_up
from tests.oracle.outcome import Outcome, Place, Refusal, Result, Row, refuse, resolve
from tests.oracle.reading import HEADINGS, Record, Table, is_missing, read_number
from tests.oracle.score import rank


def evaluate(features: Table, weights: Table, truth: Table | None) -> list[Outcome] | None:
    """List what an evaluation may end in; None where all is allowed."""
    allowed: list[Outcome] = []
    if truth is None and not _match_by_name(features, weights):
        return None
    ends = line_up(features, weights)
    if truth is None and not any(isinstance(e, Result) and e.more["named"] for e in ends):
        allowed.append(refuse(3, why="the truth may be one of the features"))
    for end in ends:
        if isinstance(end, Refusal):
            allowed.append(end)
            if truth is not None and len(truth.records) != len(features.records):
                allowed.append(refuse(3, 4, why="rows of the truths, perhaps"))
            continue
        if truth is not None:
            allowed += _read_file(end, truth)
            continue
        header = features.records[0].cells if end.header else []
        if header.count(features.options.truth or "") != 1:
            allowed.append(refuse(2, 3, 4, why="no such truth"))
            continue
        column = header.index(features.options.truth or "")
        if features.options.truth in end.features:
            allowed.append(refuse(2, 3, 4, why="the truth is a feature"))
        records = features.records[1:]
        allowed += _compare(end, features, records, column)
    return allowed


def _match_by_name(features: Table, weights: Table) -> bool:
    """Say whether the weights may be matched by name, rows or columns being named."""
    firsts = {record.cells[0] for record in weights.records}
    names = set(features.records[0].cells)
    return bool(names & (firsts | set(weights.records[0].cells)))


def _read_file(end: Result, truth: Table) -> list[Outcome]:
    def read(headed: bool) -> list[Outcome]:
        header = tuple(truth.records[0].cells) if headed else None
        verdicts = judge_column(truth, header, None, carried=False)
        usual = header is not None and header[0].lower() in HEADINGS
        cells = first_cells(truth.records[headed:])
        numbers = all(truth.kind(cell) == "number" for cell in cells)
        usual = usual and not (truth.options.no_id_col and numbers)
        if usual or (verdicts == {"doubtful"} and headed) or len(truth.records) == headed:
            verdicts = verdicts | {"labels"}
        return resolve(
            verdicts,
            {
                "labels": lambda: _choose(end, truth, header, True),
                "numbers": lambda: _choose(end, truth, header, False),
            },
            "first column of the truths",
        )

    verdicts = judge_record(truth, Other())
    if not is_readable(read(False)):
        verdicts = verdicts | {"header"}
    return resolve(
        verdicts,
        {"header": lambda: read(True), "data": lambda: read(False)},
        "first record of the truths",
    )


def _choose(
    end: Result, truth: Table, header: tuple[str, ...] | None, labelled: bool
) -> list[Outcome]:
    """Choose the column of the truth."""
    records = truth.records[header is not None :]
    name = truth.options.truth
    if name is not None and header is not None:
        if header.count(name) != 1:
            return [refuse(2, 3, 4, why="no such truth")]
        column = header.index(name)
        labelled = labelled and column != 0
    elif name is not None or truth.width - labelled != 1:
        return [refuse(2, 3, 4, why="which truth?")]
    else:
        column = truth.width - 1
    broken = any(r.fault for r in records) and not truth.options.reject
    if broken or len(records) != len(end.rows):
        return [refuse(3, 4, why="rows of the truths")]
    if labelled and end.labelled:
        for record, row in zip(records, end.rows, strict=True):
            if row.label is not None and not record.fault and record.cells[0] != row.label:
                differ: list[Outcome] = [refuse(3, 4, why="labels differ")]
                return differ + (_compare(end, truth, records, column) if row.bad else [])
    return _compare(end, truth, records, column)


def _compare(end: Result, table: Table, records: list[Record], column: int) -> list[Outcome]:
    """Count each pair of truth and prediction; a truth that is none makes a bad row."""
    options = table.options
    shown = [r.cells[column] for r in records if not r.fault]
    if any(is_missing(cell, options) and cell in end.categories for cell in shown):
        return [replace(end, more=end.more | {"free": True}), refuse(4, why="a truth or none")]
    rows: list[Row] = []
    confusion: dict[tuple[str, str], int] = {}
    unpredicted = 0
    free = False
    beside = [
        replace(row, bad=row.bad | {None}) if row.bad and table.name != row.file else row
        for row in end.rows
    ]
    for record, row in zip(records, beside, strict=True):
        if row.bad or record.fault:
            there: frozenset[Place] = frozenset({(table.name, record.line, None)})
            rows.append(row if row.bad else replace(row, bad=frozenset({None}), also=there))
            continue
        truth = record.cells[column]
        if is_missing(truth, options) or not _is_truth(truth, end.categories):
            if table.name == row.file:
                rows.append(replace(row, bad=frozenset({column + 1})))
                continue
            there = frozenset({(table.name, record.line, column + 1)})
            rows.append(replace(row, bad=frozenset({None}), also=there))
            continue
        rows.append(row)
        guess = _predict(row, end.categories)
        free = free or guess == "either"
        if guess is None:
            unpredicted += 1
        pair = (_name_truth(truth, end.categories), guess or "")
        confusion[pair] = confusion.get(pair, 0) + 1
    bad = [row for row in rows if row.bad]
    if bad and not options.reject:
        return [refuse(4, places=list_first_places(rows), why="a bad row")]
    n_rows = len(rows) - len(bad)
    if (
        n_rows
        and len(end.categories) == 1
        and not any(t == end.categories[0] for t, _ in confusion)
    ):
        return [refuse(3, why="nothing is positive")]
    right = sum(count for (truth, guess), count in confusion.items() if truth == guess)
    more: dict[str, object] = {
        "rows": n_rows,
        "confusion": {pair: count for pair, count in confusion.items() if pair[1]},
        "accuracy": Fraction(right, n_rows) if n_rows else None,
        "unpredicted": unpredicted,
    }
    return [replace(end, rows=tuple(rows), more=end.more | more | ({"free": True} if free else {}))]


def _is_truth(text: str, categories: Sequence[str]) -> bool:
    """Say whether a truth is a category, or beside a single one plainly another."""
    if len(categories) > 1 or text in categories:
        return text in categories
    number = read_number(text, ".")
    same = number is not None and number == read_number(categories[0], ".")
    return not same and _fold(text) != _fold(categories[0])


def _fold(text: str) -> str:
    """Take from a text what nobody sees, and case."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(c for c in plain if not c.isspace() and unicodedata.category(c)[0] != "C")


def _name_truth(text: str, categories: Sequence[str]) -> str:
    return text if text in categories else f"not {categories[0]}"


def _predict(row: Row, categories: Sequence[str]) -> str | None:
    """Name the best category; of a single one whether the score is 0 or more."""
    if len(categories) > 1:
        ranked = rank(row)
        return None if ranked is None else categories[ranked[0]]
    (score,) = row.scores
    if score is None:
        return None
    # No error is that of zeros alone: their sum is 0 however it is rounded.
    if row.errors[0] and abs(score) <= row.errors[0]:
        return "either"
    return categories[0] if score >= 0 else f"not {categories[0]}"
