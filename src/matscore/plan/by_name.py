"""Matching by name: which axis of the weights carries the features, and each feature's place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice

from matscore.names import fold_name, is_intercept, quote_name, quote_names
from matscore.plan.axis import Axis, carries_features, check_named, check_once, set_intercept
from matscore.plan.long_form import find_long_form
from matscore.plan.sides import label_features
from matscore.plan.suggest import Misfit
from matscore.plan.types import Plan

_MOST_FOLDED = 10_000


def find_carrier(plan: Plan, table: Axis, rows: Axis, columns: Axis) -> bool | None:
    """Say whether the weights' columns carry the features; None when names cannot decide."""
    asked = plan.options.transpose
    if table.names is None or (rows.names is None and columns.names is None):
        return None
    if rows.names is None:
        return True if asked or _are_mostly_near(columns, table) else None
    on_rows = _count_hits(rows, table)
    if columns.names is None:
        return None if asked and not on_rows else False
    if asked and carries_features(plan, columns.names, table):
        return True
    on_columns = _count_hits(columns, table)
    if on_rows == on_columns == 0:
        on_rows, on_columns = _count_near(rows.names, table), _count_near(columns.names, table)
        return asked if on_rows == on_columns else on_columns > on_rows
    return on_columns > on_rows


def _are_mostly_near(axis: Axis, table: Axis) -> bool:
    names = [name for name in axis.names or () if not is_intercept(name)]
    near = max(_count_hits(axis, table), _count_near(names, table))
    return near > 0 and 2 * near >= len(names)


def _count_hits(axis: Axis, table: Axis) -> int:
    return sum(name in table.places for name in axis.names or ())


def _count_near(names: Sequence[str], table: Axis) -> int:
    """Count names that differ invisibly, at most, from columns; of so many as cost no time."""
    near = {fold_name(name) for name in islice(table.places, _MOST_FOLDED)}
    return sum(fold_name(name) in near for name in names[:_MOST_FOLDED])


def check_long_form(plan: Plan, table: Axis, columns: Axis) -> None:
    """Refuse a coefficient table that has one row a weight, unless its columns are features."""
    telling, words = find_long_form(columns.names or ()), plan.options.words
    kind = "row" if words.in_rows else "column"
    if telling and not any(name in table.places for name in telling):
        raise Misfit(
            plan,
            f"{columns.path} is a coefficient table in long form ({quote_names(telling)})",
            f"keep the names and one {kind} of {words.contents} for each {words.category}",
        )


def match_by_name(plan: Plan, table: Axis, axis: Axis) -> Plan:
    """Find the column of each feature on the weights' axis; the names sorted are their order."""
    plan = set_intercept(replace(plan, matched_by="name"), table, axis)
    entries = [index for index in axis.entries if index != plan.intercept_index]
    names = axis.names or ()
    wanted = {names[index]: index for index in entries}
    plan = _label(plan, table, axis, wanted)
    check_named(plan, axis, entries, "feature")
    _check_present(plan, table, axis, wanted)
    check_once(plan, axis, wanted, "feature")
    check_once(plan, table, wanted, "feature")
    order = tuple(sorted(wanted))
    columns = tuple(table.places[name][0] for name in order)
    index = tuple(wanted[name] for name in order)
    in_file_order = [place for _, place in sorted(zip(columns, index, strict=True))]
    reordered = in_file_order != sorted(in_file_order)
    plan = replace(plan, feature_names=order, feature_columns=columns, weights_index=index)
    return replace(plan, reordered=reordered)


def _label(plan: Plan, table: Axis, axis: Axis, wanted: Collection[str]) -> Plan:
    asked, names = plan.options.id_col, table.names or ()
    if asked is not None and asked in wanted and not plan.transpose_features:
        raise Misfit(
            plan,
            f"{quote_name(asked)} cannot be both the label column and a feature of {axis.path}",
            "carry it into the output with --keep-cols instead",
        )
    return label_features(plan, table, guess=bool(names) and names[0] not in wanted)


def _check_present(plan: Plan, table: Axis, axis: Axis, wanted: Collection[str]) -> None:
    missing = tuple(name for name in wanted if name not in table.places)
    if not missing:
        return
    count = "a feature" if len(missing) == 1 else f"{len(missing)} features"
    # With most of them there, other files are no likelier than a slip in the names.
    mostly = 2 * len(missing) > len(wanted)
    raise Misfit(
        plan,
        f"{table.path} lacks {count} of {axis.path}: {quote_names(missing)}",
        _hint_at_header(plan, table)
        or f"add to {table.path} what the {plan.options.words.weights} need",
        turnable="by name" if mostly else None,
        missing=missing,
        unused=[name for name in table.places if name not in axis.places],
    )


def _hint_at_header(plan: Plan, table: Axis) -> str:
    """Return what may be wrong with a header that names none of the features."""
    names = table.names or ()
    if len(names) == 1:
        return f"if the first line of {table.path} is a title, remove it; see -d too"
    grammar = plan.features.grammar
    if sum(grammar.kind_of(name) != "word" for name in names) > len(names) // 2:
        return f"if {table.path} has no header, add one, or say --no-headers"
    return ""
