"""One reading of the two files, from the first check to the facts."""

from __future__ import annotations

from dataclasses import replace

from matscore.names import quote_name, quote_names
from matscore.plan.axis import Axis, carries_features, check_named, check_once
from matscore.plan.by_name import check_long_form, find_carrier, match_by_name
from matscore.plan.by_position import match_by_position
from matscore.plan.sides import find_column, orient_features, read_weights
from matscore.plan.suggest import Misfit, compare_counts, other_turn
from matscore.plan.types import Plan


def line_up(plan: Plan) -> Plan:
    """Return the plan of two files as the options say.

    Raises
    ------
    Misfit
        They do not fit so.
    """
    _check_request(plan)
    plan, table = orient_features(plan)
    plan, rows, columns = read_weights(plan, table)
    turned = find_carrier(plan, table, rows, columns)
    if turned is None:
        plan = match_by_position(plan, table, rows, columns)
    else:
        check_long_form(plan, table, columns)
        plan = match_by_name(replace(plan, transpose=turned), table, columns if turned else rows)
    axis, other = (columns, rows) if plan.transpose else (rows, columns)
    plan = _name_categories(plan, other)
    plan = _sort_out_rest(plan, table)
    _check_turn(plan, table, axis, other)
    _check_strict(plan)
    return replace(plan, facts=_list_facts(plan, table, axis))


def _check_request(plan: Plan) -> None:
    options = plan.options
    if options.intercept is not None and options.no_intercept:
        plan = replace(plan, drop_options=("--no-intercept",))
        raise Misfit(plan, "--intercept and --no-intercept contradict each other", "leave one out")
    if options.id_col is not None and options.no_id_col:
        plan = replace(plan, drop_options=("--no-id-col",))
        raise Misfit(plan, "--id-col and --no-id-col contradict each other", "leave one out")
    turned = options.transpose or options.auto_transpose or options.transpose_features
    words = options.words
    if plan.features.path == plan.weights.path != "-" and not turned:
        raise Misfit(
            plan,
            f"the same file is given as {words.features} and {words.weights}: {plan.features.path}",
            f"name the {words.weights} file, or {words.advise(True)} to compare its rows",
        )


def _name_categories(plan: Plan, other: Axis) -> Plan:
    if other.names is None:
        return replace(plan, categories=tuple(str(index + 1) for index in other.entries))
    check_named(plan, other, other.entries, plan.options.words.category)
    check_once(plan, other, other.names, plan.options.words.category)
    return replace(plan, categories=other.names)


def _sort_out_rest(plan: Plan, table: Axis) -> Plan:
    """Tell the columns to keep from those that are left out."""
    used = {*plan.feature_columns, plan.label_column}
    names = table.names or tuple(str(index + table.offset) for index in range(table.size))
    rest = [index for index in table.entries if index not in used]
    kept = [find_column(plan, table, name, "--keep-cols") for name in plan.options.keep_cols]
    kept = [*kept, *rest] if plan.options.keep_all else kept
    if plan.options.truth is not None:
        plan, truth = _find_truth(plan, table, plan.options.truth)
        kept = [truth, *kept]
    taken = dict.fromkeys(index for index in kept if index != plan.label_column)
    check_once(plan, table, [names[index] for index in taken], "column")
    return replace(
        plan,
        kept_columns=tuple(taken),
        kept_names=tuple(names[index] for index in taken),
        left_out=tuple(names[index] for index in rest if index not in taken),
    )


def _find_truth(plan: Plan, table: Axis, name: str) -> tuple[Plan, int]:
    """Return the column of the truth, and the plan, in which it is not the labels."""
    column = find_column(plan, table, name, "--truth")
    if column in plan.feature_columns:
        problem = f"the truth is a feature of {plan.weights.path}: {quote_name(name)}"
        raise Misfit(plan, problem, "a model that is told the truth cannot be measured")
    if column == plan.label_column:
        plan = replace(plan, label_column=None, label_name="row")
    return plan, column


def _check_strict(plan: Plan) -> None:
    if plan.options.strict and plan.left_out:
        raise Misfit(
            replace(plan, drop_options=("--strict",)),
            f"{plan.features.path} has columns that {plan.weights.path} does not know:"
            f" {quote_names(plan.left_out)}",
            "keep them with --keep-cols, or leave --strict out",
        )


def _check_turn(plan: Plan, table: Axis, axis: Axis, other: Axis) -> None:
    """Refuse a reading that fits, but not as the weights were asked to be turned."""
    options, turned = plan.options, plan.transpose
    both = plan.matched_by == "name" and carries_features(plan, other.names or (), table)
    if turned == options.transpose or (turned and options.auto_transpose and not both):
        return
    asked = replace(
        plan,
        transpose=not turned,
        weights_index=(),
        categories=(),
        intercept_name=None,
        intercept_index=None,
    )
    why = compare_counts(asked)
    if plan.matched_by == "name":
        shown = f": {quote_names(other.names)}" if other.names else ""
        why = (
            f"the {axis.kind}s of {axis.path} are the features ({quote_names(axis.names or ())}),"
            f" its {other.kind}s are not{shown}"
        )
    raise other_turn(asked, "weights", why)


def _list_facts(plan: Plan, table: Axis, axis: Axis) -> tuple[str, ...]:
    facts = []
    features, weights = plan.features.path, plan.weights.path
    if plan.matched_by == "position":
        path, lack = (
            (features, "column names") if table.names is None else (weights, "feature names")
        )
        facts.append(f"features are matched by position, as {path} has no {lack}")
    if plan.reordered:
        facts.append("features are matched by name; the two files list them in different orders")
    words = plan.options.words
    if words.is_asked(plan.transpose):
        facts.append(
            f"the {words.weights} are transposed: the {axis.kind}s of {weights} are the features"
        )
    if plan.transpose_features:
        facts.append(
            f"the {words.features} are transposed: the rows of {features} are the features"
        )
    elif (
        plan.label_column is not None
        and plan.matched_by == "position"
        and plan.options.id_col is None
        and table.labelled is None
    ):
        named = f" ({quote_name(table.names[0])})" if table.names is not None else ""
        facts.append(f"the first column of {features}{named} is taken for the labels")
    if plan.intercept_name is not None:
        facts.append(f"the {axis.kind} {quote_name(plan.intercept_name)} is the intercept")
    if plan.left_out:
        count = "a column" if len(plan.left_out) == 1 else f"{len(plan.left_out)} columns"
        facts.append(f"{count} that {weights} does not know left out: {quote_names(plan.left_out)}")
    return tuple(facts)
