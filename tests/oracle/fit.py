"""`fit` of the reference: which rows and columns are learned, and small least squares exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from tests.oracle.contract import list_first_places
from tests.oracle.decide import Other, Verdicts, judge_column, judge_record
from tests.oracle.lineup import has_text, is_readable
from tests.oracle.outcome import Number, Outcome, Place, Refusal, Result, Row, refuse, resolve
from tests.oracle.reading import HEADINGS, Table, is_missing, read_number
from tests.oracle.sides import Side


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
    named = _judge_by_options(side, is_target=is_target)
    if named is not None:
        return named
    heading = side.header[0] if side.header else None
    if heading is not None and side.table.width > 1 and not side.table.options.no_id_col:
        if other is not None and other.header and other.header[0] == heading:
            other_is_wide = other.table.width > 1
            return {"labels"} if other_is_wide else {"labels", "numbers", "doubtful"}
        if heading.lower() in HEADINGS:
            return {"labels", "doubtful"} if other is not None else {"labels"}
    return judge_column(side.table, side.header, None, carried=False, fit=True)


def _judge_by_options(side: Side, *, is_target: bool) -> Verdicts | None:
    """Judge a first column by the options; None where they do not say."""
    options, header = side.table.options, side.header or ()
    if options.no_id_col and not is_target:
        return {"numbers"}
    if options.id_col is not None and (options.id_col in header or not (header or is_target)):
        return {"labels"} if not header or header[0] == options.id_col else {"numbers"}
    if options.target is not None and header and header[0] == options.target:
        return {"numbers"}
    return None


def _learn(features: Side, targets: Side | None) -> list[Outcome]:
    """Read the rows that are learned, and solve."""
    options, header = features.table.options, features.header
    label = _find_label(features)
    if label == -1 or (options.id_col is not None and options.id_col == options.target):
        return [refuse(2, 3, 4, why="no such column")]
    out = {label}
    if targets is None:
        if not header or header.count(options.target or "") != 1:
            return [refuse(2, 3, 4, why="no such target")]
        chosen = [header.index(options.target or "")]
        names: tuple[str, ...] = (options.target or "",)
        out |= set(chosen)
    else:
        chosen = list(range(int(targets.labelled), targets.table.width))
        names = targets.names or tuple(f"y{n + 1}" for n in range(len(chosen)))
    columns = [n for n in range(features.table.width) if n not in out]
    plain = tuple(header[n] if header else "" for n in columns)
    wrong = _find_fault(features, targets, label, plain, names)
    if wrong is not None and not (options.reject and wrong.why == "labels differ"):
        return [wrong]
    ends = _solve(features, targets or features, columns, chosen, (plain, names))
    return ends if wrong is None else [*ends, wrong]


def _find_fault(
    features: Side,
    targets: Side | None,
    label: int | None,
    plain: tuple[str, ...],
    names: tuple[str, ...],
) -> Refusal | None:
    """Find what keeps two tables from being learned from."""
    if targets is not None and len(targets.records) != len(features.records):
        return refuse(3, 4, why="rows of the targets")
    if not plain or not names:
        return refuse(2, 3, 4, why="nothing to learn")
    for some in (plain if features.header else (), names):
        if len(set(some)) < len(some) or "" in some:
            return refuse(3, 4, why="names of features or targets")
    if targets is not None and label is not None and targets.labelled:
        both = zip(features.records, targets.records, strict=True)
        if any(a.cells[label] != b.cells[0] for a, b in both if not a.fault and not b.fault):
            return refuse(3, 4, why="labels differ")
    return None


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
    if not categories and ("word" in kinds or "number" not in kinds):
        return [Result((), (), more={"free": True}), refuse(2, 3, 4)]
    if categories and len(chosen) > 1:
        return [refuse(2, 3, 4, why="several columns of categories")]
    whole = [record for record in features.records if not record.fault]
    # What levels weigh is for the oracle of terms.
    if features.header and any(_is_text(features, n) for n in columns):
        return [Result((), (), more={"free": True}), refuse(2, 3, 4)]
    rows = [
        _read_row(features, source, n, columns, chosen, categories=categories)
        for n in range(len(features.records))
    ]
    numbers = [read_number(r.cells[n], options.decimal) for r in whole for n in columns]
    unsure = None in numbers or len(whole) < len(rows) or (not categories and kinds != {"number"})
    text: list[Outcome] = [refuse(3, why="a column of text")] if unsure else []
    if any(row.bad for row in rows) and not options.reject:
        return [refuse(4, places=list_first_places(rows), why="a bad row"), *text]
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
    sizes = [abs(number) for row in [*matrix, *targets] for number in row if number]
    if any(not Fraction(1, 10**100) < size < 10**100 for size in sizes):
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
    twice = features.header is not None and len(set(features.header)) < len(features.header)
    few = twice or len(good) < 2 or (categories and len(names[1]) < 2)
    if few or not solved:
        text.append(refuse(3, 4, why="too few rows"))
    return [result, *text]


def _is_text(side: Side, column: int) -> bool:
    """Say whether a column has words alone, so that its levels are features."""
    cells = [record.cells[column] for record in side.records if not record.fault]
    kinds = {side.table.kind(c) for c in cells if not is_missing(c, side.table.options)}
    return "word" in kinds and "number" not in kinds


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
        cells = [] if other.fault else [other.cells[n] for n in chosen]
        sound = not other.fault and all(
            read_number(cell, options.decimal) is not None for cell in cells
        )
        there = _list_there(source.table.name, other.line, () if sound else [None])
        return replace(row, bad=frozenset({None, 0}), also=there)
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
