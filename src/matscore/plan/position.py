"""Features matched by position, where one of the two files has no names for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from matscore.names import quote_name
from matscore.plan.labels import OtherSide, judge_first_column, label_features, set_label
from matscore.plan.types import (
    Axis,
    Misfit,
    Plan,
    check_named,
    check_once,
    compare_counts,
    list_intercepts,
    may_have_terms,
    set_intercept,
    show_shapes,
)

_Fit = Literal["exactly", "with a label", ""]


def match_by_position(plan: Plan, table: Axis, rows: Axis, columns: Axis) -> Plan:
    """Match the features to the axis of the weights that is as long; the asked one, if both are."""
    verdict = judge_first_column(plan.features, OtherSide())
    plan = label_features(plan, table, guess=verdict == "labels")
    axes = {False: rows, True: columns}
    _check_unnamed(plan, table)
    fits = {turned: _fit(plan, table, axis) for turned, axis in axes.items()}
    asked = plan.options.transpose
    # Where neither fits, the refusal is about what was asked for.
    turned = asked if fits[asked] or not fits[not asked] else not asked
    plan = set_intercept(replace(plan, transpose=turned), table, axes[turned])
    if not fits[turned]:
        words = plan.options.words
        kind = "column" if words.in_rows else "row"
        raise Misfit(
            plan,
            f"{show_shapes(plan)} do not line up: {compare_counts(plan)}",
            f"give the {words.weights} one {kind} a feature, or name the features in both files",
            turnable="by shape",
        )
    _check_positions(plan, table, axes[turned])
    if fits[turned] == "with a label":
        _check_label_doubt(plan, other_fits=fits[not turned] == "exactly")
        plan = set_label(plan, table, 0)
    return _number_features(plan, table, axes[turned])


def _check_unnamed(plan: Plan, table: Axis) -> None:
    """Refuse options that go by names where features are matched by position."""
    options = plan.options
    asked = {"--rename": options.renames, "--absent": options.absent or options.absent_zero}
    for flag in (flag for flag, value in asked.items() if value):
        path = table.path if table.names is None else plan.weights.path
        raise Misfit(plan, f"{flag} goes by names, and {path} has none", "name the features")


def _check_positions(plan: Plan, table: Axis, axis: Axis) -> None:
    """Refuse terms where columns have no names to find them by."""
    if plan.options.words.in_rows or table.names is not None or not may_have_terms(axis.names):
        return
    from matscore.plan.terms import find_term

    if name := find_term(axis.names or ()):
        what = f"the {axis.kind} {quote_name(name)} of {axis.path} is a term, and {table.path} has"
        hint = "give it a header, say --headers if it has one"
        raise Misfit(plan, f"{what} no column names to find its columns by", hint)


def _fit(plan: Plan, table: Axis, axis: Axis) -> _Fit:
    """Say how the width of the features fits an axis of the weights."""
    if axis.names is not None and table.names is not None:
        return ""  # their names, which differ, would decide
    if plan.options.intercept is not None and plan.options.intercept not in axis.places:
        return ""
    n_features = axis.size - min(1, len(list_intercepts(plan, table, axis)))
    spare = len(_unlabelled(plan, table)) - n_features
    if n_features and spare == 0:
        return "exactly"
    guessing = plan.label_column is None and table.labelled is None and not plan.options.no_id_col
    return "with a label" if n_features and spare == 1 and guessing else ""


def _unlabelled(plan: Plan, table: Axis) -> tuple[int, ...]:
    return tuple(index for index in table.entries if index != plan.label_column)


def _check_label_doubt(plan: Plan, *, other_fits: bool) -> None:
    """Refuse to take the first column for labels when another reading is as likely."""
    path = plan.features.path
    odd_labels = any(not cell.strip().isdigit() for cell in plan.features.first or ())
    if other_fits and (odd_labels or not plan.weights_label_column):
        words = plan.options.words
        other = "transposed" if words.is_asked(not plan.transpose) else "not transposed"
        way = words.advise(not plan.options.transpose)
        raise Misfit(
            plan,
            f"{show_shapes(plan)} fit in two ways: with the first column of {path} as labels, or"
            f" with the {words.weights} {other}",
            f"say --id-col for the first, {way} for the second",
        )
    if plan.intercept_name is not None and plan.options.intercept is None:
        raise Misfit(
            plan,
            f"cannot tell whether the first column of {path} holds labels or"
            f" {quote_name(plan.intercept_name)} is one of the features",
            "say --id-col for the first, --no-intercept for the second",
        )


def _number_features(plan: Plan, table: Axis, axis: Axis) -> Plan:
    """Take features in file order, with the names of whichever side has them."""
    columns = _unlabelled(plan, table)
    index = tuple(i for i in axis.entries if i != plan.intercept_index)
    plan = replace(plan, feature_columns=columns, weights_index=index)
    named, places = (axis, index) if axis.names is not None else (table, columns)
    if named.names is None:
        # Their own numbers, not those of the file's columns: labels do not count.
        return replace(plan, feature_names=tuple(str(i + 1) for i in range(len(columns))))
    names = tuple(named.names[i] for i in places)
    check_named(plan, named, places, "feature")
    check_once(plan, named, names, "feature")
    return replace(plan, feature_names=names)
