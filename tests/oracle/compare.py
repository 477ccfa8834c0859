"""Compare a run with what the contract allows."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from fractions import Fraction

from tests.helpers import Done
from tests.oracle.contract import list_outcomes, recommend
from tests.oracle.outcome import Number, Outcome, Refusal, Result, Row
from tests.oracle.reading import Case
from tests.oracle.score import UNIT, rank

_PLACE = re.compile(r"^(?:matscore: )?([^:\n]+):(\d+)(?::(\d+))?: ", re.MULTILINE)
_TOP_K = 10  # of recommend


def judge(case: Case, done: Done, rejects: Sequence[str] | None) -> tuple[str, str]:
    """Name the kind of agreement or disagreement, and say what was expected."""
    if done.code not in {0, 2, 3, 4, 5} or "Traceback" in done.err:
        return "crash", done.err[-300:]
    allowed = list_outcomes(case)
    if allowed is None:
        return "agree", ""
    texts = []
    for end in allowed:
        wrong = compare(case, end, done, rejects)
        if wrong is None:
            return "agree", ""
        texts.append(wrong)
    why = " | ".join(dict.fromkeys(texts))
    results = [end for end in allowed if isinstance(end, Result)]
    codes = {code for end in allowed if isinstance(end, Refusal) for code in end.codes}
    if done.code == 0:
        return ("silent" if results else "accepted"), why
    if done.code in codes:
        return "wrong place", why
    return ("refused" if results and done.code in {3, 4} and not codes else "wrong exit"), why


def compare(case: Case, end: Outcome, done: Done, rejects: Sequence[str] | None) -> str | None:
    """Say how a run differs from an outcome; None where it does not."""
    if isinstance(end, Refusal):
        return _compare_refusal(end, done)
    if done.code != 0:
        return f"exit 0, {list(end.categories)}"
    if end.more.get("free"):
        return None
    wrong = _compare_rejects(case, end, rejects)
    if wrong:
        return wrong
    text = done.out.decode()
    if case.command == "check":
        return _compare_check(end, json.loads(text))
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    if case.command == "recommend":
        return _compare_ranks(case, end, rows, case.options.top_k or _TOP_K)
    if case.command == "explain":
        return _compare_parts(end, rows)
    if case.command == "evaluate":
        return _compare_measures(end, rows)
    if case.command == "fit":
        return _compare_weights(end, rows)
    if case.options.top_k is not None:
        return _compare_ranks(case, end, rows, case.options.top_k)
    return _compare_scores(end, rows)


def _compare_refusal(end: Refusal, done: Done) -> str | None:
    places = sorted({f"{f}:{line}:{column or ''}" for f, line, column in end.places})
    text = f"exit {sorted(end.codes)} ({end.why}) {' '.join(places)}".strip()
    if done.code not in end.codes:
        return text
    if done.code != 4 or not end.places:
        return None
    for file, line, column in _PLACE.findall(done.err):
        for place in end.places:
            if (file, int(line)) == place[:2] and place[2] in {None, int(column or 0)}:
                return None
    return text


def _compare_rejects(case: Case, end: Result, rejects: Sequence[str] | None) -> str | None:
    if not case.options.reject:
        return None
    text = rejects[0] if rejects else ""
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))[1:]
    bad = [row for row in end.rows if row.bad]
    if len(rows) != len(bad):
        return f"{len(bad)} rows rejected, not {len(rows)}"
    for row, found in zip(bad, rows, strict=True):
        column = int(found[2]) if found[2] else None
        if row.line and (found[0], int(found[1])) != (row.file, row.line):
            return f"rejected at {row.file}:{row.line}, not {found[:2]}"
        if column not in row.bad and None not in row.bad:
            return f"rejected for columns {sorted(map(str, row.bad))}, not {column}"
        if row.text and found[5] != row.text and row.file == found[0]:
            return f"rejected text {row.text!r}, not {found[5]!r}"
    return None


def _good(end: Result) -> list[Row]:
    return [row for row in end.rows if not row.bad]


def _label(row: Row, number: int) -> str:
    return str(number) if row.label is None else row.label


def _differs(text: str, score: Number, error: Fraction) -> bool:
    if score is None:
        return text != "NaN"
    try:
        return abs(Fraction(float(text)) - score) > error
    except (ValueError, OverflowError):
        return True


def _compare_heading(end: Result, found: str) -> str | None:
    expected = end.label if end.label is not None else None if end.labelled else "row"
    if expected is not None and found != expected:
        return f"first column {expected!r}, not {found!r}"
    return None


def _numbered(end: Result) -> list[tuple[int, Row]]:
    """Number the good rows; a rejected row takes its number along."""
    return [(n, row) for n, row in enumerate(end.rows, 1) if not row.bad]


def _compare_scores(end: Result, rows: list[list[str]]) -> str | None:
    header = [*end.kept, *end.categories] + ["prediction"] * (len(end.categories) > 1)
    if rows[0][1:] != header:
        return f"columns {header}, not {rows[0][1:]}"
    if wrong := _compare_heading(end, rows[0][0]):
        return wrong
    good = _numbered(end)
    if len(rows) - 1 != len(good):
        return f"{len(good)} rows, not {len(rows) - 1}"
    for (number, row), found in zip(good, rows[1:], strict=True):
        if found[0] != _label(row, number):
            return f"label {_label(row, number)!r}, not {found[0]!r}"
        width = 1 + len(end.kept)
        if tuple(found[1:width]) != row.kept:
            return f"kept {row.kept}, not {found[1:width]}"
        for n, category in enumerate(end.categories):
            if _differs(found[width + n], row.scores[n], row.errors[n]):
                score = row.scores[n]
                shown = "NaN" if score is None else float(score)
                return f"{found[0]}: {category} {shown}, not {found[width + n]}"
        if len(end.categories) > 1 and found[-1] not in _predictions(end, row):
            return f"{found[0]}: predicted {_predictions(end, row)}, not {found[-1]!r}"
    return None


def _predictions(end: Result, row: Row) -> set[str]:
    ranked = rank(row)
    return {""} if ranked is None else {end.categories[ranked[0]]}


def _compare_ranks(case: Case, end: Result, rows: list[list[str]], top_k: int) -> str | None:
    if wrong := _compare_heading(end, rows[0][0]):
        return wrong
    expected: list[tuple[str, str, str, Number, Fraction]] = []
    for number, row in _numbered(end):
        if case.command == "recommend":
            ranked = recommend(end, row, number, top_k)
        else:
            ranked = (rank(row) or [])[:top_k]
        label = _label(row, number)
        for place, n in enumerate(ranked, 1):
            line = (label, str(place), end.categories[n], row.scores[n], row.errors[n])
            expected.append(line)
        if not ranked:
            expected.append((label, "", "", None, Fraction(0)))
    width = len(end.kept)
    if len(rows) - 1 != len(expected):
        return f"{len(expected)} lines, not {len(rows) - 1}"
    for line, found in zip(expected, rows[1:], strict=True):
        cells = [found[0], *found[1 + width :]]
        if tuple(cells[:3]) != line[:3]:
            return f"{line[:3]}, not {cells[:3]}"
        if line[1] and _differs(cells[3], line[3], line[4]):
            return f"{line[:3]} {float(line[3] or 0)}, not {cells[3]}"
    return None


def _compare_check(end: Result, found: dict[str, object]) -> str | None:
    places, label = end.more["places"], end.more["label"]
    assert isinstance(places, (list, tuple))
    column = found["label_column"]
    expected: dict[str, object] = {
        "verdict": "fits",
        "transpose": end.transposed,
        "intercept": end.intercept_name,
        "categories": list(end.categories),
        "weights_shape": [len(places), len(end.categories)],
    }
    for name, value in expected.items():
        if found[name] != value:
            return f"{name} {value}, not {found[name]}"
    if not isinstance(label, int):
        return None
    if not isinstance(column, dict) or column["column"] != label + 1:
        return f"label column {label + 1}, not {column}"
    return None


def _compare_parts(end: Result, rows: list[list[str]]) -> str | None:
    expected: list[tuple[str, str, str, Fraction | None]] = []
    for number, row in _numbered(end):
        ranked = rank(row)
        if ranked is None:
            continue
        best, label = ranked[0], _label(row, number)
        for name, value, weights in zip(end.features, row.values, end.weights, strict=True):
            part = None if value is None else value * weights[best]
            expected.append((label, end.categories[best], name, part))
        if end.intercept:
            name = end.intercept_name or ""
            expected.append((label, end.categories[best], name, end.intercept[best]))
    if len(rows) - 1 != len(expected):
        return f"{len(expected)} lines, not {len(rows) - 1}"
    unnamed = "" in end.features

    def key(line: Sequence[object]) -> tuple[str, ...]:
        return tuple(map(str, line[:2] if unnamed else line[:3]))

    left = sorted(expected, key=lambda line: (*key(line), float(line[3] or 0)))
    right = sorted(rows[1:], key=lambda line: (*key(line), float(line[-1])))
    for line, found in zip(left, right, strict=True):
        part = line[3] or Fraction(0)
        if key(line) != key(found) or abs(Fraction(float(found[-1])) - part) > 4 * UNIT * abs(part):
            return f"{line[:3]} {float(part)}, not {found}"
    return None


def _compare_measures(end: Result, rows: list[list[str]]) -> str | None:
    found = {tuple(row[:3]): row[3] for row in rows[1:]}
    if found["rows", "", ""] != str(end.more["rows"]):
        return f"{end.more['rows']} rows, not {found['rows', '', '']}"
    confusion = end.more["confusion"]
    assert isinstance(confusion, dict)
    counts = {key[1:]: int(value) for key, value in found.items() if key[0] == "confusion"}
    counts = {key: value for key, value in counts.items() if value}
    if counts != confusion:
        return f"confusion {confusion}, not {counts}"
    accuracy = end.more["accuracy"]
    if isinstance(accuracy, Fraction):
        text = found["accuracy", "", ""]
        if abs(Fraction(float(text)) - accuracy) > 4 * UNIT:
            return f"accuracy {float(accuracy)}, not {text}"
    return None


def _compare_weights(end: Result, rows: list[list[str]]) -> str | None:
    if sorted(rows[0][1:]) != sorted(end.categories) and "" not in end.categories:
        return f"targets {end.categories}, not {rows[0][1:]}"
    count = len(end.features) + (end.intercept is not None)
    if len(rows) - 1 != count:
        return f"{count} weights, not {len(rows) - 1}"
    names = [row[0] for row in rows[1 : 1 + len(end.features)]]
    if "" not in end.features and names != list(end.features):
        return f"features {end.features}, not {names}"
    scale = max([Fraction(1), *(abs(w) for line in end.weights for w in line)])
    for line, row in zip(end.weights, rows[1:], strict=False):
        for category, weight in zip(end.categories, line, strict=True):
            text = row[1 + rows[0][1:].index(category)]
            if abs(Fraction(float(text)) - weight) > Fraction(1, 10**6) * scale:
                return f"{row[0]}, {category}: {float(weight)}, not {text}"
    return None
