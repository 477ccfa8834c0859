"""How the reference lines a features file up with weights: every reading that is allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tests.oracle.decide import (
    Other,
    Verdicts,
    count_words,
    counts_up,
    first_cells,
    is_intercept,
    judge_alone,
    judge_column,
    judge_record,
)
from tests.oracle.outcome import Outcome, Place, Refusal, Result, refuse, resolve
from tests.oracle.reading import Options, Table, read_number
from tests.oracle.score import score_rows
from tests.oracle.sides import Side, judge_ids, judge_shared, may_be_ids, number_alike

_TERM = re.compile(r"(\w+)=\w+|(Unnamed): 0")  # the forms that the names of the cases have


@dataclass(frozen=True)
class Model:
    """Weights in one orientation: names may be unknown, numbers may be refused."""

    names: tuple[str, ...] | None
    categories: tuple[str, ...] | None
    numbers: list[list[Fraction | None]]  # (features, categories)
    table: Table
    places: list[Place]
    heading: str | None
    n_categories: int


def line_up(features: Table, weights: Table) -> list[Outcome]:
    """List what a run on these two files may end in."""
    options = features.options
    turns = [options.transpose]
    if options.auto_transpose and not options.transpose:
        turns = [False, True]
    other_f = _tell(weights, turns, as_features=False)
    other_w = _tell(features, [options.transpose_features], as_features=True)
    if True not in turns:  # the features' names are no column of the weights
        other_w = replace(other_w, names=(), numbered=())

    def read(f: bool, w: bool, table: Table = features) -> list[Outcome]:
        side = Side(table, tuple(table.records[0].cells) if f else None)
        other = Side(weights, tuple(weights.records[0].cells) if w else None)
        ends = _read_weights(side, other)
        return ends if is_readable(ends) else ends + _list_early(features, f)

    def read_w(f: bool, table: Table = features) -> list[Outcome]:
        bare = replace(options, id_col=None, keep_cols=(), truth=None)
        verdicts = judge_record(weights, other_w)
        verdicts = verdicts | judge_record(replace(weights, options=bare), other_w)
        used = f and "doubtful" in verdicts and _uses_text(weights, read(f, True, table))
        if (used or _may_head(weights)) and not is_readable(read(f, False, table)):
            verdicts = verdicts | {"header"}
        return resolve(
            verdicts,
            {"header": lambda: read(f, True, table), "data": lambda: read(f, False, table)},
            "first record of the weights",
        )

    verdicts = judge_record(features, other_f)
    if has_text(features) and options.transpose_features and not is_readable(read_w(False)):
        verdicts = verdicts | {"header"}
    if "doubtful" in verdicts and _uses_text(features, [*read(True, True), *read(True, False)]):
        if count_words(features) > 1:
            verdicts = {"header"} if judge_alone(weights) == "header" else {"header", "doubtful"}
        elif not is_readable(read_w(False)):
            verdicts = verdicts | {"header"}
    elif "doubtful" in verdicts and _counts_features(features, [*read(True, True)]):
        verdicts = verdicts | (set() if is_readable(read_w(False)) else {"header"})
    lines = [record.cells for record in weights.records]
    again: list[Outcome] = [refuse(4, why="the header again")] if lines.count(lines[0]) > 1 else []
    if options.transpose_features and any(record.fault for record in features.records):
        again += _list_early(features, False)
    return again + resolve(
        verdicts,
        {"header": lambda: read_w(True), "data": lambda: read_w(False)},
        "first record of the features",
    )


def has_text(table: Table) -> bool:
    """Say whether a first record in doubt has text that no row of numbers can have."""
    if judge_alone(table) != "maybe":
        return False
    return any(table.kind(cell) == "word" for cell in table.records[0].cells[1:])


def _uses_text(table: Table, ends: Sequence[Outcome]) -> bool:
    """Say whether the text of a first record names a feature that is found on the other side."""
    texts = {cell for cell in table.records[0].cells if table.kind(cell) == "word"}
    return any(
        isinstance(end, Result) and end.more["named"] and texts & set(end.features) for end in ends
    )


def _counts_features(table: Table, ends: Sequence[Outcome]) -> bool:
    """Say whether a first record in doubt counts up, and is found on the other side by that."""
    cells = table.records[0].cells[1:]
    named = any(isinstance(end, Result) and end.more["named"] for end in ends)
    return named and len(cells) > 3 and counts_up(cells, table.options)


def _may_head(table: Table) -> bool:
    """Say whether a first record in doubt has text, or numbers its columns."""
    return has_text(table) or (
        judge_alone(table) == "maybe" and counts_up(table.records[0].cells[1:], table.options)
    )


def is_readable(ends: Sequence[Outcome]) -> bool:
    """Say whether a reading ends in a result, its first row being a good one."""
    results = [end for end in ends if isinstance(end, Result) and not end.stops]
    return any(not end.rows or not end.rows[0].bad for end in results)


def _list_early(features: Table, headed: bool) -> list[Outcome]:
    """List the bad cells of a transposed features file, which is read before it is lined up."""
    if not features.options.transpose_features:
        return []
    places: list[Place] = [
        (features.name, record.line, None if record.fault else column)
        for record in features.records[headed:]
        for column, cell in enumerate(record.cells, 1)
        if record.fault or features.kind(cell) != "number"
    ]
    return [refuse(4, places=places, why="a bad cell, told early")] if places else []


def _tell(table: Table, turns: Sequence[bool], *, as_features: bool) -> Other:
    """Say what a table tells about the features. Turned weights have them as columns."""
    alone = judge_alone(table)
    if judge_record(table, Other()) == {"header"}:
        alone = "header"
    options = table.options
    rows = [not turn for turn in turns] if not as_features else list(turns)
    names: tuple[str, ...] = ()
    numbered, sizes = [], set()
    lax = {*table.records[0].cells[1:], *first_cells(table.records[1:])}
    heading = table.records[0].cells[0]
    body = table.records[1:] if alone == "header" else table.records
    cells = first_cells(body)
    texts = bool(cells) and table.width > 1 and all(table.kind(cell) == "word" for cell in cells)
    plain = [cell for cell in cells if not is_intercept(cell, options)]
    for by_row in rows:
        if by_row:
            sizes |= {len(plain) if texts else len(body)}
            if alone != "maybe" and texts:
                names = names or tuple(plain)
            elif alone == "header" and all(table.kind(cell) == "number" for cell in plain):
                numbered.append(tuple(plain))

        else:
            header = [c for c in table.records[0].cells if not is_intercept(c, options)]
            sizes |= {table.width, table.width - 1}
            if alone == "header":
                skip = texts or not as_features
                columns = tuple(header[1:] if skip and len(header) > 1 else header)
                names = names or columns
                numbered += [columns, columns[1:]] if as_features else [columns]
    record = tuple(table.records[0].cells)
    numbers = (*numbered, tuple(first_cells(table.records)), record, record[1:])
    known = tuple(table.records[0].cells) if as_features and alone == "header" else ()
    columns = known if True not in rows else ()
    if not as_features and judge_alone(table) == "header":
        numbered.append(tuple(table.records[0].cells[1:]))
    return Other(
        names=names,
        lax=frozenset(lax),
        heading=heading,
        numbered=tuple(numbered),
        numbers=numbers,
        sizes=frozenset(sizes),
        columns=columns,
        features=as_features,
    )


def _read_weights(features: Side, weights: Side) -> list[Outcome]:
    """Decide the weights' first column, and go on."""
    options = features.table.options
    names = _feature_names(features)
    if weights.header is None:
        carried = False
    else:
        rest = weights.header[1:]
        plain = [name for name in rest if not is_intercept(name, options) or name in (names or ())]
        if names is None and features.table.options.transpose_features:
            names_there = set(first_cells(features.records))
        else:
            names_there = set(names or ())
        carried = bool(plain) and set(plain) <= names_there
    verdicts = judge_column(weights.table, weights.header, names, carried=carried)
    # The name that is given of an intercept is that of a row, if one is called so.
    if "doubtful" in verdicts and options.intercept in first_cells(weights.records):
        verdicts = verdicts | {"labels"}
    f_verdicts: Verdicts | None = None
    heads = [side.header[0] if side.header else None for side in (features, weights)]
    turned = options.transpose or options.auto_transpose
    flipped = options.transpose_features
    again = weights.header is not None and heads[0] in weights.header[1:]
    if (
        heads[0] is not None
        and heads[0] == heads[1]
        and carried
        and not again
        and turned
        and not flipped
    ):
        verdicts = judge_shared(weights, options)
        if set(first_cells(weights.records)) & set(names or ()):
            verdicts = verdicts | {"doubtful"}
        f_verdicts = verdicts
    elif options.id_col is not None and options.transpose and heads[0] is None and heads[1] is None:
        alike = options.items or features.table.width == weights.table.width
        asked = alike and options.id_col == "1"
        verdicts = {"labels"} if asked else verdicts | {"labels"}
    elif may_be_ids(features, weights):
        verdicts = judge_ids(features, weights, verdicts)
    elif options.transpose_features and not options.transpose and number_alike(features, weights):
        decided = {"numbers"} if options.no_id_col else {"doubtful"}
        verdicts = {"labels", *decided}

    def go(labelled: bool) -> list[Outcome]:
        side = replace(weights, labelled=labelled)
        shared = None if f_verdicts is None else labelled
        return _read_features(features, side, shared=shared)

    return resolve(
        verdicts,
        {"labels": lambda: go(True), "numbers": lambda: go(False)},
        "first column of the weights",
    )


def _feature_names(features: Side) -> tuple[str, ...] | None:
    """Name the features of a features file, as far as they are without doubt."""
    if not features.table.options.transpose_features:
        return features.header
    cells = first_cells(features.records)
    texts = all(features.table.kind(cell) == "word" for cell in cells)
    return tuple(cells) if cells and texts and features.table.width > 1 else None


def _read_features(features: Side, weights: Side, *, shared: bool | None) -> list[Outcome]:
    """Decide the orientation, and with it the features' first column."""
    options = features.table.options
    if options.transpose_features:
        names = weights.labels if not options.transpose else weights.names
        verdicts = judge_column(features.table, features.header, names, carried=False)
        if options.id_col is not None:
            if options.id_col != (features.header[0] if features.header else "1"):
                return [refuse(2, 3, 4, why="no such column of names")]
            verdicts = {"labels"}
        return resolve(
            verdicts,
            {
                "labels": lambda: _turn(replace(features, labelled=True), weights, shared),
                "numbers": lambda: _turn(features, weights, shared),
            },
            "first column of the features",
        )
    return _turn(features, weights, shared)


def _turn(features: Side, weights: Side, shared: bool | None) -> list[Outcome]:
    options = features.table.options
    if options.transpose:
        return _match(features, _turn_model(weights), shared, turned=True)
    allowed: list[Outcome] = []
    model = _make_model(weights)
    as_columns = _names_are_columns(features, weights)
    if "no" in as_columns:
        allowed += _match(features, model, shared, turned=False)
    if "yes" in as_columns:
        allowed.append(refuse(3, why="the weights' columns are the features"))
        if model.places:
            allowed.append(refuse(4, places=model.places, why="a bad weight"))
    if options.auto_transpose:
        misfit = [end for end in allowed if isinstance(end, Refusal) and 3 in end.codes]
        named = set(weights.labels or ()) & set(features.header or ())
        sure = {"a first column of words", "a term by position"}
        text = any(isinstance(end, Refusal) and end.why in sure for end in allowed)
        if (text or len(misfit) == len(allowed)) and (weights.header is not None or not named):
            turned = _match(features, _turn_model(weights), shared, turned=True)
            kept = allowed if text else [end for end in allowed if end not in misfit]
            allowed = kept + turned
    return allowed


def _names_are_columns(features: Side, weights: Side) -> set[str]:
    """Say whether the columns of weights without row names carry the features' names."""
    names = features.names if not features.table.options.transpose_features else features.labels
    if weights.labelled or not names or not weights.header:
        return {"no"}
    options = features.table.options
    plain = [name for name in weights.header if name in names or not is_intercept(name, options)]
    found = sum(name in names for name in plain)
    if found == len(plain) > 0:
        return {"yes"}
    return {"yes", "no"} if found else {"no"}


def _make_model(weights: Side) -> Model:
    numbers, places = _read_numbers(weights)
    categories = weights.names
    n = weights.table.width - weights.labelled
    heading = weights.header[0] if weights.header and weights.labelled else None
    return Model(weights.labels, categories, numbers, weights.table, places, heading, n)


def _turn_model(weights: Side) -> Model:
    numbers, places = _read_numbers(weights)
    turned = [list(column) for column in zip(*numbers, strict=True)]
    if not numbers:
        turned = [[] for _ in range(weights.table.width - weights.labelled)]
    heading = weights.header[0] if weights.header and weights.labelled else None
    return Model(
        weights.names, weights.labels, turned, weights.table, places, heading, len(numbers)
    )


def _read_numbers(side: Side) -> tuple[list[list[Fraction | None]], list[Place]]:
    """Read all numbers of a table; list the places of those that are none."""
    decimal = side.table.options.decimal
    rows: list[list[Fraction | None]] = []
    places: list[Place] = []
    for record in side.records:
        if record.fault:
            places.append((side.table.name, record.line, None))
            continue
        if not any(record.cells):  # a line of delimiters only
            places.append((side.table.name, record.line, None))
        row = [read_number(cell, decimal) for cell in record.cells[side.labelled :]]
        places += [
            (side.table.name, record.line, column + 1 + side.labelled)
            for column, number in enumerate(row)
            if number is None
        ]
        rows.append(row)
    return rows, places


def _match(features: Side, model: Model, shared: bool | None, *, turned: bool) -> list[Outcome]:
    """Match the features with the model by name or by position, and score."""
    options = features.table.options
    flipped = options.transpose_features
    columns = features.labels if flipped else features.header
    n_columns = len(features.records) if flipped else features.table.width
    intercept = [
        n
        for n, name in enumerate(model.names or ())
        if is_intercept(name, options)
        and (options.intercept is not None or not (columns and name in columns))
    ]
    plain = [n for n in range(len(model.numbers)) if n not in intercept]
    bad: list[Outcome] = []
    if model.places:
        bad = [refuse(4, places=model.places, why="a bad weight")]
    if len(intercept) > 1 or not plain:
        return [refuse(3, 4, why="intercepts"), *bad]
    if options.intercept is not None and not intercept:
        return [refuse(2, 3, 4, why="no such intercept"), *bad]
    label = None if flipped else _find_label(columns, n_columns, model, plain, shared, options)
    kept = columns or [str(n + 1) for n in range(n_columns)]
    if label == -1 or any(name not in kept for name in options.keep_cols):
        return [refuse(2, 3, 4, why="no such column"), *bad]
    wanted = [model.names[n] for n in plain] if model.names is not None else []
    by_name = columns is not None and model.names is not None
    if by_name:
        order = _match_names(columns or (), wanted, label, items=options.items)
        doubts = list[Outcome]()
    else:
        order = [n for n in range(n_columns) if n != label]
        order = order if len(order) == len(plain) else refuse(3, why="no fit")
        terms = any(_TERM.fullmatch(name) for name in wanted) and not options.items
        if columns is None and terms and isinstance(order, list):
            order = refuse(3, why="a term by position")
        doubts = _doubt_position(features, wanted, columns, label, model)
        if intercept and n_columns == len(model.numbers):
            doubts.append(refuse(3, why="labels, or the intercept's column?"))
        if flipped and features.header and wanted and set(wanted) <= set(features.header):
            order = refuse(3, why="the features' columns are the features")
    if isinstance(order, Refusal):
        return [order, *bad]
    return (bad or score_rows(features, model, order, label, intercept, turned=turned)) + doubts


def _match_names(
    columns: Sequence[str], wanted: Sequence[str], label: int | None, *, items: bool
) -> list[int] | Refusal:
    """Find the column of each feature by its name."""
    where = [[n for n, c in enumerate(columns) if c == name and n != label] for name in wanted]
    if not all(where):
        terms = [not items and _TERM.fullmatch(name) for name in wanted if name not in columns]
        # What terms count is for their own oracle; the levels of these cases are in no cell.
        codes = (3, 4) if all(term and term[1] in columns for term in terms) else (3,)
        return refuse(*codes, why="no fit")
    if any(len(found) > 1 for found in where) or len(set(wanted)) < len(wanted) or "" in wanted:
        return refuse(3, 4, why="features of one name, or of none")
    return [found[0] for found in where]


def _doubt_position(
    features: Side,
    wanted: Sequence[str],
    columns: Sequence[str] | None,
    label: int | None,
    model: Model,
) -> list[Outcome]:
    """List what else a match by position may end in: names of no use, a first column of words."""
    options, doubts = features.table.options, list[Outcome]()
    for names in (wanted, columns or ()):
        if "" in names or len(set(names)) < len(names):
            doubts.append(refuse(3, 4, why="names that are empty or twice, by position"))
    kinds = {features.table.kind(cell) for cell in first_cells(features.records)}
    width_fits = model.n_categories - features.table.width in {0, 1}
    if label is not None and options.id_col is None and width_fits:
        doubts.append(refuse(3, why="labels, or the other orientation?"))
    if columns and set(columns) & set(model.categories or ()):
        doubts.append(refuse(3, why="the features' names are the other axis"))
    broken = any(record.fault for record in features.records)
    if label is None and ("word" in kinds or broken):
        doubts.append(refuse(3, why="a first column of words"))
    return doubts


def _find_label(
    columns: Sequence[str] | None,
    n_columns: int,
    model: Model,
    plain: Sequence[int],
    shared: bool | None,
    options: Options,
) -> int | None:
    """Find the label column of a features file; -1 where the one named is not there."""
    if options.id_col is not None:
        names = list(columns) if columns is not None else [str(n + 1) for n in range(n_columns)]
        return names.index(options.id_col) if names.count(options.id_col) == 1 else -1
    if options.no_id_col:
        labelled = False
    elif shared is not None and (columns or ("",))[0] != options.intercept:
        labelled = shared
    elif columns is not None and model.names is not None:
        labelled = columns[0] not in [model.names[n] for n in plain]
    else:
        labelled = n_columns == len(plain) + 1
    return 0 if labelled else None
