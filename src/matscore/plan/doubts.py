"""Files that fit, but whose first record or first column may be meant as something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from matscore.names import is_intercept, quote_name, quote_names
from matscore.options import PlanOptions
from matscore.plan.labels import (
    OtherSide,
    counts_up,
    is_integer,
    is_label_heading,
    judge_first_record,
    numbers_things,
)
from matscore.plan.match import line_up
from matscore.plan.types import Misfit, Plan, Side


def read_sides(plan: Plan) -> Plan:
    """Return the plan of two files that fit beyond doubt, or raise a `Misfit`."""
    plan = line_up(plan)
    check_first_records(plan)
    _check_first_columns(plan)
    return plan


def attempt(read: Callable[[Plan], Plan], *given: Any) -> Plan | None:
    """Return the plan of two sides and options that a reading gives; None of a misfit."""
    try:
        return read(Plan(*given))
    except Misfit:
        return None


def check_first_records(plan: Plan) -> None:
    """Refuse a guessed first record that may be a header as well as data; the plan need not fit."""
    for side, facing in ((plan.features, plan.weights), (plan.weights, plan.features)):
        if side.guessed and side.labelled is None:
            check = _check_data if side.names is None else _check_header
            check(plan, side, facing)


def _check_header(plan: Plan, side: Side, facing: Side) -> None:
    header, options = side.first_record or (), plan.options
    is_features = side is plan.features
    # The first column of features that stay as they are holds labels or numbers, no names.
    rows = facing.first or () if is_features or options.transpose_features else ()
    other = OtherSide({*_names_of(facing), *rows}, options.intercept)
    picked = (*side.wanted, *side.left_out, *side.beside)
    asked = (options.id_col, options.truth, *options.keep_cols) if is_features else picked
    named = [name for name in asked if name is not None]
    if judge_first_record(header, side.grammar, other, named=named) == "header":
        return
    if not plan.ok and not plan.add_options and _count_words(side, header) > 1:
        return  # a header, likely, whose names are at fault
    used = plan.ok and _is_used(plan, side, facing, other)
    if judge_first_record(header, side.grammar, other, named=named, used=used) == "doubtful":
        what = f"the first record of {side.path} may be a header or data: {quote_names(header)}"
        name = options.words.features if is_features else options.words.weights
        own = f"of this file alone --{name}-headers or --no-{name}-headers"
        plan = replace(plan, add_options=(), drop_options=())
        raise Misfit(plan, what, f"say --headers or --no-headers; {own}")


def _names_of(side: Side) -> tuple[str, ...]:
    """Return the names in a header, without a usual heading of labels."""
    names = side.names or ()
    return names[1:] if names and is_label_heading(names[0]) else names


def _is_used(plan: Plan, side: Side, facing: Side, other: OtherSide) -> bool:
    """Say whether a header has the names that features are found by, and cannot be data."""
    corner, *columns = side.first_record or ("",)
    by_name, is_weights = plan.matched_by == "name", side is plan.weights
    carries = plan.transpose if is_weights else not plan.transpose_features
    if carries and by_name and _count_words(side, plan.feature_names):
        several = _count_words(side, (corner, *columns)) > 1
        bare = not several and (is_intercept(corner) or corner == plan.options.intercept)
        return several or not (bare or _fits_as_data(plan, side))
    if other.may_name(corner):
        return False
    counted = counts_up(columns)
    sure = facing.names is not None and not _may_be_data(facing)
    if by_name and counted and sure and {*columns} == {*plan.feature_names}:
        return True
    # Numbers that count up, or two numbered categories of weights whose rows are all found.
    numbered = counted and (is_weights or plan.weights.names is not None)
    if is_weights and by_name:
        all_found = not plan.left_out and len(plan.feature_names) > 1
        numbered |= (columns == ["0", "1"] and all_found) or _count_words(side, columns) > 0
    return numbered and not _fits_as_data(plan, side)


def _count_words(side: Side, cells: Sequence[str]) -> int:
    return sum(side.grammar.kind_of(cell) == "word" for cell in cells)


def _fits_as_data(plan: Plan, side: Side) -> bool:
    """Say whether the files fit, too, when a header is data, whatever the other one's is."""
    readings = [
        [one.as_data()] if one is side else [one, *([one.as_data()] if _may_be_data(one) else [])]
        for one in (plan.features, plan.weights)
    ]
    pairs = product(*readings)
    return any(attempt(line_up, *pair, plan.options) is not None for pair in pairs)


def _may_be_data(side: Side) -> bool:
    if not side.guessed or side.names is None:
        return False
    return judge_first_record(side.first_record or (), side.grammar) == "doubtful"


def _check_data(plan: Plan, side: Side, facing: Side) -> None:
    """Refuse a header of numbers that was taken for data: the other side has the same names."""
    record = {cell.strip() for cell in side.first_record or ()}
    if facing.names is None or facing.width == 1:
        return
    axes = [facing.names[1:], facing.names]
    if facing is plan.weights or plan.transpose_features:
        axes.append(facing.first or ())
    for axis in axes:
        names = [name.strip() for name in axis if not is_intercept(name)]
        # All of the record, but for a label column's name.
        differ = len(set(names)) == len(names) > 1
        if differ and record.issuperset(names) and len(record) - len(names) <= 1:
            what = f"the first record of {side.path} has the names in {facing.path}"
            hint = "say --headers if it is a header, --no-headers if it is not"
            raise Misfit(plan, f"{what}: {quote_names(names)}", hint)


def blank_shared_heading(features: Side, weights: Side, options: PlanOptions) -> Side:
    """Return the weights with the heading of their first column blank, where it is of labels."""
    # Both may have one heading, `id` say, and would match by it as a feature. It holds labels where
    # it is called as labels usually are, where options say so, where it has words or counts up.
    heading = _shared_heading(features, weights)
    names = weights.names or ()
    if heading is None or heading in names[1:] or is_intercept(heading) or options.no_id_col:
        return weights
    cells = weights.first or ()
    sure = options.id_col == heading or is_label_heading(heading) or counts_up(cells)
    if sure or any(weights.grammar.kind_of(cell) == "word" for cell in cells):
        return replace(weights, names=("", *names[1:]))
    return weights


def _check_first_columns(plan: Plan) -> None:
    """Refuse first columns of both files that may hold numbers of things, or a feature."""
    features, weights, options = plan.features, plan.weights, plan.options
    _check_both_ways(plan)
    asked = options.id_col is not None or options.no_id_col or plan.transpose_features
    if asked or not plan.transpose or plan.weights_label_column or features.labelled is not None:
        return
    if plan.label_column is not None or not numbers_things(weights.first or ()):
        return
    heading = _shared_heading(features, weights)
    if heading is None and not _begin_with_things(features, weights):
        return
    if heading is not None and heading not in plan.feature_names:
        return
    shown = "" if heading is None else f": {quote_name(heading)}"
    both = f"{features.path} and {weights.path}"
    what = f"cannot tell whether the first column of {both} holds labels or a feature{shown}"
    hint = f"say --id-col {heading or 1} if these are labels, --no-id-col if they are not"
    raise Misfit(plan, what, hint)


def _check_both_ways(plan: Plan) -> None:
    """Refuse numbers that name the rows of weights which their columns would fit as well."""
    features, weights = plan.features, plan.weights
    heading = _shared_heading(features, weights)
    turns = plan.options.auto_transpose and not plan.transpose and plan.weights_label_column
    if not turns or heading is None or is_label_heading(heading):
        return
    by_rows = any(weights.grammar.is_number(cell) for cell in weights.first or ())
    if by_rows and {*(weights.names or ())} <= {*(features.names or ())}:
        what = f"cannot tell whether the rows or the columns of {weights.path} are the features"
        hint = "say --transpose if the columns are, and leave --auto-transpose out if the rows are"
        raise Misfit(plan, what, hint)


def _shared_heading(features: Side, weights: Side) -> str | None:
    """Return the heading of the first column of both; None where they differ."""
    if not features.names or not weights.names or features.labelled or weights.labelled:
        return None
    if features.width == 1 or weights.width == 1:
        return None
    return features.names[0] if features.names[0] == weights.names[0] else None


def _begin_with_things(*sides: Side) -> bool:
    """Say whether the first records, which are no headers, have whole numbers before others."""
    records = [side.first_record or ("",) for side in sides]
    unnamed = all(side.names is None and side.width > 1 for side in sides)
    others = [cell for record in records for cell in record[1:]]
    starts = all(is_integer(record[0]) for record in records)
    return unnamed and starts and not all(map(is_integer, others))
