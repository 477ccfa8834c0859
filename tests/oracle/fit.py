"""`fit` of the reference: which rows and columns are learned, and small least squares exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from tests.oracle.contract import list_first_places
from tests.oracle.decide import Other, Verdicts, judge_column, judge_record
from tests.oracle.lineup import Side, has_text, is_readable
from tests.oracle.outcome import Number, Outcome, Place, Result, Row, refuse, resolve
from tests.oracle.reading import HEADINGS, Table, is_missing, read_number


def fit(tables: list[Table]) -> list[Outcome]:
    """List what a run of `fit` may end in."""
    features, targets = tables[0], tables[1] if len(tables) > 1 else None
    if targets is None and features.options.target is None:
        return [refuse(2, 3, 4, why="no targets")]

    def read(f: bool, t: bool) -> list[Outcome]:
        side = Side(features, tuple(features.records[0].cells) if f else None)
        if targets is None:
            return _read_columns(side, None)
        return _read_columns(side, Side(targets, tuple(targets.records[0].cells) if t else None))

    def read_targets(f: bool) -> list[Outcome]:
        if targets is None:
            return read(f, False)
        verdicts = judge_record(targets, Other())
        if has_text(targets):
            verdicts = verdicts | {"header"}
        return resolve(
            verdicts,
            {"header": lambda: read(f, True), "data": lambda: read(f, False)},
            "first record of the targets",
        )

    verdicts = judge_record(features, Other())
    if targets is not None and has_text(features) and not is_readable(read_targets(False)):
        verdicts = verdicts | {"header"}
    return resolve(
        verdicts,
        {"header": lambda: read_targets(True), "data": lambda: read_targets(False)},
        "first record of the features",
    )


def _read_columns(features: Side, targets: Side | None) -> list[Outcome]:
    verdicts = _judge(features, targets)

    def go(labelled: bool) -> list[Outcome]:
        side = replace(features, labelled=labelled)
        if targets is None:
            return _learn(side, None)
        return resolve(
            _judge(targets, side, is_target=True),
            {
                "labels": lambda: _learn(side, replace(targets, labelled=True)),
                "numbers": lambda: _learn(side, targets),
            },
            "first column of the targets",
        )

    return resolve(
        verdicts,
        {"labels": lambda: go(True), "numbers": lambda: go(False)},
        "first column of the features",
    )


def _judge(side: Side, other: Side | None, *, is_target: bool = False) -> Verdicts:
    """Judge a first column where there are no names of features to compare with."""
    options = side.table.options
    target = options.target
    if options.no_id_col and not is_target:
        return {"numbers"}
    heading = side.header[0] if side.header else None
    if options.id_col is not None and heading is not None:
        if heading == options.id_col:
            return {"labels"}
        if options.id_col in (side.header or ()):
            return {"numbers"}
    if target is not None and heading == target:
        return {"numbers"}
    if heading is not None and side.table.width > 1 and not options.no_id_col:
        if other is not None and other.header and other.header[0] == heading:
            other_is_wide = other.table.width > 1
            return {"labels"} if other_is_wide else {"labels", "numbers", "doubtful"}
        if heading.lower() in HEADINGS:
            return {"labels", "doubtful"} if other is not None else {"labels"}
    return judge_column(side.table, side.header, None, carried=False, fit=True)


def _learn(features: Side, targets: Side | None) -> list[Outcome]:
    """Read the rows that are learned, and solve."""
    options = features.table.options
    label = _find_label(features)
    if label == -1:
        return [refuse(2, 3, 4, why="no such column")]
    header = features.header
    out = {label} if label is not None else set()
    if targets is None:
        assert options.target is not None
        if not header or header.count(options.target) != 1:
            return [refuse(2, 3, 4, why="no such target")]
        chosen = [header.index(options.target)]
        source, names = features, tuple(options.target for _ in chosen)
        out |= set(chosen)
    else:
        source = targets
        chosen = list(range(int(targets.labelled), targets.table.width))
        names = targets.names or tuple(f"y{n + 1}" for n in range(len(chosen)))
        if len(source.records) != len(features.records):
            return [refuse(3, 4, why="rows of the targets")]
    columns = [n for n in range(features.table.width) if n not in out]
    if not columns or not chosen:
        return [refuse(2, 3, 4, why="nothing to learn")]
    plain = [header[n] for n in columns] if header else ["" for _ in columns]
    if header and (len(set(plain)) < len(plain) or "" in plain):
        return [refuse(3, 4, why="names of features")]
    if len(set(names)) < len(names) or "" in names:
        return [refuse(3, 4, why="names of targets")]
    if targets is not None and label is not None and targets.labelled:
        both = zip(features.records, targets.records, strict=True)
        if any(a.cells[label] != b.cells[0] for a, b in both if not a.fault and not b.fault):
            return [refuse(3, 4, why="labels differ")]
    return _solve(features, source, columns, chosen, (tuple(plain), names))


def _find_label(features: Side) -> int | None:
    options = features.table.options
    if options.id_col is None:
        return 0 if features.labelled else None
    if features.header is not None:
        found = features.header.count(options.id_col) == 1
        return features.header.index(options.id_col) if found else -1
    number = int(options.id_col) if options.id_col.isdigit() else 0
    return number - 1 if 1 <= number <= features.table.width else -1


def _solve(
    features: Side,
    source: Side,
    columns: Sequence[int],
    chosen: Sequence[int],
    names: tuple[tuple[str, ...], tuple[str, ...]],
) -> list[Outcome]:
    options = features.table.options
    texts = [r.cells[n] for r in source.records if not r.fault for n in chosen]
    kinds = {source.table.kind(cell) for cell in texts if not is_missing(cell, options)}
    categories = kinds == {"word"}
    if "word" in kinds and not categories:
        return [Result((), (), more={"free": True}), refuse(2, 3, 4)]
    if categories and len(chosen) > 1:
        return [refuse(2, 3, 4, why="several columns of categories")]
    rows = [
        _read_row(features, source, n, columns, chosen, categories=categories)
        for n in range(len(features.records))
    ]
    bad = [row for row in rows if row.bad]
    if bad and not options.reject:
        ends: list[Outcome] = [refuse(4, places=list_first_places(rows), why="a bad row")]
        whole = next((r for r in features.records if not r.fault), features.table.records[0])
        texts = [whole.cells[n] for n in columns]
        numbers = [read_number(cell, options.decimal) for cell in texts]
        return ends + ([refuse(3, why="a column of text")] if None in numbers else [])
    good = [row for row in rows if not row.bad]
    if categories:
        found = sorted({row.kept[0] for row in good})
        targets = [[Fraction(row.kept[0] == name) for name in found] for row in good]
        names = (names[0], tuple(found))
    else:
        targets = [[n for n in row.scores if n is not None] for row in good]
    intercept = options.fit_intercept
    if intercept is None:
        intercept = len(good) > len(columns)
    matrix = [[n for n in row.values if n is not None] + [Fraction(1)] * intercept for row in good]
    if any(abs(number) > 10**100 for row in [*matrix, *targets] for number in row):
        return [Result((), (), more={"free": True}), refuse(4, why="numbers too large")]
    solved = solve_least_squares(matrix, targets)
    result = Result(
        names[1],
        tuple(rows),
        features=names[0],
        header=features.header is not None,
        weights=tuple(map(tuple, solved or ())),
        intercept=() if intercept else None,
        more={"categories": categories},
    )
    few = len(good) < 2 or (categories and len(names[1]) < 2)
    return [result, refuse(3, 4, why="too few rows")] if few or not solved else [result]


def _read_row(
    features: Side,
    source: Side,
    number: int,
    columns: Sequence[int],
    chosen: Sequence[int],
    *,
    categories: bool,
) -> Row:
    """Read a row of both files; `kept` is its category, `scores` are its numbers."""
    options = features.table.options
    record, other = features.records[number], source.records[number]
    row = Row(features.table.name, record.line, record.text, None)
    if record.fault:
        return replace(row, bad=frozenset({None}))
    if other.fault:
        there = _list_there(source.table.name, other.line, [None])
        return replace(row, bad=frozenset({None}), also=there)
    bad: set[int | None] = set()
    values: list[Number] = []
    for n in columns:
        missing = is_missing(record.cells[n], options)
        value = read_number(record.cells[n], options.decimal)
        if missing and options.missing == "zero":
            value = Fraction(0)
        if value is None:
            bad.add(n + 1)
        values.append(value)
    cells = [other.cells[n] for n in chosen]
    numbers = [read_number(cell, options.decimal) for cell in cells]
    wrong = {
        n + 1
        for n, cell, value in zip(chosen, cells, numbers, strict=True)
        if is_missing(cell, options) or (value is None and not categories)
    }
    if wrong:
        there = _list_there(source.table.name, other.line, wrong)
        row = replace(row, bad=frozenset({None}), also=there)
    if bad:
        return replace(row, bad=frozenset(bad))
    scores = () if categories else tuple(numbers)
    return replace(row, values=tuple(values), kept=tuple(cells), scores=scores)


def _list_there(name: str, line: int, columns: Iterable[int | None]) -> frozenset[Place]:
    return frozenset((name, line, column) for column in columns)


def solve_least_squares(
    matrix: list[list[Fraction]], targets: list[list[Fraction]]
) -> list[list[Fraction]] | None:
    """Solve the normal equations exactly; None where the answer is not unique."""
    if not matrix or not matrix[0]:
        return None
    n = len(matrix[0])
    rows = [
        [sum((r[i] * r[j] for r in matrix), Fraction(0)) for j in range(n)]
        + [
            sum((r[i] * t[k] for r, t in zip(matrix, targets, strict=True)), Fraction(0))
            for k in range(len(targets[0]))
        ]
        for i in range(n)
    ]
    for i in range(n):
        pivot = next((r for r in range(i, n) if rows[r][i]), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for r in range(n):
            if r != i and rows[r][i]:
                factor = rows[r][i]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[n:] for row in rows]
