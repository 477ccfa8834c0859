"""Scores of the reference, as exact fractions with the rounding error that float64 may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.oracle.outcome import Number, Outcome, Result, Row, refuse
from tests.oracle.reading import Record, is_missing, read_number

if TYPE_CHECKING:
    from tests.oracle.lineup import Model
    from tests.oracle.sides import Side

UNIT = Fraction(1, 2**53)
_LARGEST = Fraction(2**1024)


def score_rows(
    features: Side,
    model: Model,
    order: Sequence[int],
    label: int | None,
    intercept: Sequence[int],
    *,
    turned: bool,
) -> list[Outcome]:
    """Score every row: `order` is the features' column of each of the model's plain features."""
    options = features.table.options
    plain = [n for n in range(len(model.numbers)) if n not in intercept]
    weights = tuple(tuple(w for w in model.numbers[n] if w is not None) for n in plain)
    constant = tuple(w for n in intercept for w in model.numbers[n] if w is not None)
    names = model.categories or tuple(str(n + 1) for n in range(model.n_categories))
    if len(set(names)) < len(names):
        return [refuse(3, 4, why="duplicate categories")]
    if not names:
        return [refuse(3, 4, why="no categories")]
    empty = "" in names
    columns = features.header
    known = columns if not options.transpose_features else None
    chosen = (
        [model.names[n] for n in plain]
        if model.names
        else [known[n] if known else "" for n in order]
    )
    result = Result(
        categories=names,
        rows=(),
        label=_find_heading(features, label),
        labelled=label is not None,
        header=features.header is not None,
        transposed=turned,
        features=tuple(chosen),
        weights=weights,
        intercept=constant or None,
        intercept_name=model.names[intercept[0]] if intercept and model.names else None,
        kept=_list_kept(features, label),
        reject=options.reject,
        more={
            "item": model.heading,
            "places": order,
            "label": label,
            "named": bool(columns and model.names),
        },
    )
    if options.transpose_features:
        rows = _read_flipped(features, order)
        result = replace(result, labelled=features.header is not None)
    else:
        rows = [_read_row(features, record, order, label) for record in features.records]
    result = replace(result, rows=tuple(_score(row, result) for row in rows))
    allowed: list[Outcome] = [result]
    if empty:
        allowed.append(refuse(3, 4, why="a category without a name"))
    if columns is not None and not options.transpose_features:
        rest = [name for n, name in enumerate(columns) if n not in order]
        if len(set(rest)) < len(rest):
            allowed.append(refuse(3, 4, why="columns of one name that are no features"))
    return allowed


def _list_kept(features: Side, label: int | None) -> tuple[str, ...]:
    """List the columns to keep; labels are in the output anyway, of turned features too."""
    if features.table.options.transpose_features or label is None:
        return features.table.options.keep_cols
    name = str(label + 1) if features.header is None else features.header[label]
    return tuple(kept for kept in features.table.options.keep_cols if kept != name)


def _find_heading(features: Side, label: int | None) -> str | None:
    if features.table.options.transpose_features:
        return None
    found = features.header[label] if features.header and label is not None else None
    return found or None


def _read_row(features: Side, record: Record, order: Sequence[int], label: int | None) -> Row:
    """Read the features of a record, in the model's order."""
    table = features.table
    row = Row(table.name, record.line, record.text, None)
    if record.fault:
        return replace(row, bad=frozenset({None}))
    cells = record.cells
    values, bad = _read_cells([cells[n] for n in order], features)
    alone = frozenset({None} if bad and not any(cells) else ())  # a line of delimiters only
    again = features.header is not None and tuple(cells) == features.header
    header = features.header or tuple(str(n + 1) for n in range(len(cells)))
    return replace(
        row,
        unsure=again,
        label=cells[label] if label is not None else None,
        kept=tuple(cells[header.index(name)] for name in _list_kept(features, label)),
        values=tuple(values),
        bad=frozenset(order[n] + 1 for n in bad) | alone,
    )


def _read_cells(cells: Sequence[str], features: Side) -> tuple[list[Number], list[int]]:
    options = features.table.options
    values: list[Number] = []
    bad = []
    for n, cell in enumerate(cells):
        missing = is_missing(cell, options)
        number = Fraction(0) if missing else read_number(cell, options.decimal)
        if (missing and options.missing in {"error", "skip"}) or number is None:
            bad.append(n)
        values.append(None if missing and options.missing == "keep" else number)
    return values, bad


def _read_flipped(features: Side, order: Sequence[int]) -> list[Row]:
    """Read the columns of a features file that is transposed, each of them an item."""
    if any(record.fault for record in features.records):
        line = next(record.line for record in features.records if record.fault)
        return [Row(features.table.name, line, "", None, bad=frozenset({None}))]
    names = features.labels or tuple(str(n + 1) for n in range(len(features.records)))
    kept = [names.index(name) for name in features.table.options.keep_cols]
    rows = []
    for column in range(features.labelled, features.table.width):
        cells = [features.records[n].cells[column] for n in order]
        values, bad = _read_cells(cells, features)
        rows.append(
            Row(
                features.table.name,
                features.records[order[bad[0]]].line if bad else 0,
                "",
                features.header[column] if features.header else None,
                kept=tuple(features.records[n].cells[column] for n in kept),
                values=tuple(values),
                bad=frozenset({column + 1} if bad else ()),
            )
        )
    return rows


def _score(row: Row, result: Result) -> Row:
    """Give a row its scores; one that no float64 holds makes it a bad row."""
    if row.bad:
        return row
    scores: list[Number] = []
    errors = []
    for n in range(len(result.categories)):
        terms = [
            value * weights[n]
            for value, weights in zip(row.values, result.weights, strict=True)
            if value is not None
        ]
        if result.intercept:
            terms.append(result.intercept[n])
        size = sum(map(abs, terms), Fraction(0))
        errors.append((len(terms) + 3) * UNIT * size)
        scores.append(None if None in row.values else sum(terms, Fraction(0)))
        if size >= _LARGEST / 2:
            over = scores[-1] is not None and abs(scores[-1]) >= _LARGEST
            bad = row.bad | ({None} if over else set())
            row = replace(row, unsure=row.unsure or not over, bad=bad)
    return replace(row, scores=tuple(scores), errors=tuple(errors))


def rank(row: Row) -> list[int] | None:
    """Rank the categories of a row: again and again the first that ties with the highest."""
    left = list(range(len(row.scores)))
    ranked: list[int] = []
    numbers = [score for score in row.scores if score is not None]
    if len(numbers) < len(row.scores):
        return None
    while left:
        best = max(left, key=lambda n: numbers[n])
        tied = [n for n in left if numbers[best] - numbers[n] <= row.errors[n] + row.errors[best]]
        ranked.append(tied[0])
        left.remove(tied[0])
    return ranked
