"""Doubts about two files that fit: a first record, a first column that may be something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

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
from matscore.plan.types import Misfit, Plan, Side

Fits = Callable[[Side, Side], bool]


def check_first_records(plan: Plan, fits: Fits) -> None:
    """Refuse a guessed first record that may be a header as well as data; the plan need not fit.

    `fits` says whether two files, one of them read in another way, fit.
    """
    for side in (plan.features, plan.weights):
        if not side.guessed or side.labelled is not None:
            continue
        if side.names is None:
            _check_data(plan, side)
        else:
            _check_header(plan, side, fits)


def _check_header(plan: Plan, side: Side, fits: Fits) -> None:
    header = side.first_record or ()
    is_features, options = side is plan.features, plan.options
    facing = plan.weights if is_features else plan.features
    other = OtherSide({*_names_of(facing), *(facing.first or ())}, options.intercept)
    asked = (options.id_col, options.truth, *options.keep_cols) if is_features else ()
    named = [name for name in asked if name is not None]
    if judge_first_record(header, side.grammar, other, named=named) == "header":
        return
    if not plan.ok and not plan.add_options and _count_words(side, header) > 1:
        return  # a header, likely, whose names are at fault
    used = plan.ok and _is_used(plan, side, other, fits)
    if judge_first_record(header, side.grammar, other, named=named, used=used) == "doubtful":
        raise Misfit(
            replace(plan, add_options=(), drop_options=()),
            f"the first record of {side.path} may be a header or data: {quote_names(header)}",
            "say --headers or --no-headers",
        )


def _names_of(side: Side) -> tuple[str, ...]:
    """Return the names in a header, without a usual heading of labels."""
    names = side.names or ()
    return names[1:] if names and is_label_heading(names[0]) else names


def _is_used(plan: Plan, side: Side, other: OtherSide, fits: Fits) -> bool:
    """Say whether a header has the names that features are found by, and cannot be data."""
    corner, *columns = side.first_record or ("",)
    by_name = plan.matched_by == "name"
    carries = plan.transpose if side is plan.weights else not plan.transpose_features
    if carries and by_name and _count_words(side, plan.feature_names):
        several = _count_words(side, (corner, *columns)) > 1
        bare = not several and (is_intercept(corner) or corner == plan.options.intercept)
        return several or not (bare or _fits_as_data(plan, side, fits))
    if other.may_name(corner):
        return False
    if by_name and counts_up(columns) and {*columns} == {*plan.feature_names}:
        facing = plan.features if side is plan.weights else plan.weights
        if facing.names is not None and not _may_be_data(facing):
            return True
    # Numbers that count up, or two numbered categories of weights whose rows are all found.
    sure = side is plan.weights or plan.weights.names is not None
    numbered = (sure and counts_up(columns)) or (
        side is plan.weights
        and columns == ["0", "1"]
        and by_name
        and not plan.left_out
        and len(plan.feature_names) > 1
    )
    named = side is plan.weights and by_name and _count_words(side, columns) > 0
    return (named or numbered) and not _fits_as_data(plan, side, fits)


def _count_words(side: Side, cells: Sequence[str]) -> int:
    return sum(side.grammar.kind_of(cell) == "word" for cell in cells)


def _fits_as_data(plan: Plan, side: Side, fits: Fits) -> bool:
    """Say whether the files fit, too, when a header is data, whatever the other one's is."""
    readings = [
        [one.as_data()] if one is side else [one, *([one.as_data()] if _may_be_data(one) else [])]
        for one in (plan.features, plan.weights)
    ]
    return any(fits(features, weights) for features, weights in product(*readings))


def _may_be_data(side: Side) -> bool:
    if not side.guessed or side.names is None:
        return False
    return judge_first_record(side.first_record or (), side.grammar) == "doubtful"


def _check_data(plan: Plan, side: Side) -> None:
    """Refuse a header of numbers that was taken for data: the other side has the same names."""
    record = {cell.strip() for cell in side.first_record or ()}
    facing = plan.weights if side is plan.features else plan.features
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
            raise Misfit(
                plan,
                f"the first record of {side.path} has the names in {facing.path}:"
                f" {quote_names(names)}",
                "say --headers if it is a header, --no-headers if it is not",
            )


def blank_shared_heading(features: Side, weights: Side, options: PlanOptions) -> Side:
    """Return the weights with the heading of their first column blank, where it is of labels.

    The first column of both files may have one heading, ``id`` say, and would be taken for a
    feature. It holds labels in both where it is called as labels usually are, where `options` say
    so, where it has words, and where it counts up.
    """
    heading = _shared_heading(features, weights)
    names = weights.names or ()
    if heading is None or heading in names[1:] or is_intercept(heading) or options.no_id_col:
        return weights
    cells = weights.first or ()
    sure = options.id_col == heading or is_label_heading(heading) or counts_up(cells)
    if sure or any(weights.grammar.kind_of(cell) == "word" for cell in cells):
        return replace(weights, names=("", *names[1:]))
    return weights


def check_first_columns(plan: Plan) -> None:
    """Refuse first columns of both files that may hold numbers of things, or a feature."""
    features, weights, options = plan.features, plan.weights, plan.options
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
    raise Misfit(
        plan,
        f"cannot tell whether the first column of {features.path} and {weights.path} holds labels"
        f" or a feature{shown}",
        f"say --id-col {heading or 1} if these are labels, --no-id-col if they are not",
    )


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
