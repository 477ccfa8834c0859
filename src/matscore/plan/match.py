"""One reading of the two files: where each feature is along the weights, by name or by position."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal, NoReturn

from matscore.names import fold_name, is_intercept, quote_name, quote_names
from matscore.plan.axes import (
    Axis,
    carries_features,
    check_named,
    check_once,
    find_column,
    label_features,
    list_intercepts,
    orient_features,
    read_weights,
    set_intercept,
    set_label,
)
from matscore.plan.labels import OtherSide, find_long_form, judge_first_column
from matscore.plan.types import Misfit, Plan, compare_counts, other_turn, show_shapes

_MOST_FOLDED = 10_000

_Fit = Literal["exactly", "with a label", ""]


def line_up(plan: Plan) -> Plan:
    """Return the plan of two files as the options say, or raise a `Misfit`."""
    _check_request(plan)
    plan, table = orient_features(plan)
    plan, rows, columns = read_weights(plan, table)
    turned = _find_carrier(plan, table, rows, columns)
    if turned is None:
        plan = _match_by_position(plan, table, rows, columns)
    else:
        _check_long_form(plan, table, columns)
        plan = _match_by_name(replace(plan, transpose=turned), table, columns if turned else rows)
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


def _find_carrier(plan: Plan, table: Axis, rows: Axis, columns: Axis) -> bool | None:
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


def _check_long_form(plan: Plan, table: Axis, columns: Axis) -> None:
    """Refuse a coefficient table that has one row a weight, unless its columns are features."""
    telling, words = find_long_form(columns.names or ()), plan.options.words
    kind = "row" if words.in_rows else "column"
    if telling and not any(name in table.places for name in telling):
        raise Misfit(
            plan,
            f"{columns.path} is a coefficient table in long form ({quote_names(telling)})",
            f"keep the names and one {kind} of {words.contents} for each {words.category}",
        )


def _match_by_name(plan: Plan, table: Axis, axis: Axis) -> Plan:
    """Find the column of each feature on the weights' axis; the names sorted are their order."""
    plan = set_intercept(replace(plan, matched_by="name"), table, axis)
    entries = [index for index in axis.entries if index != plan.intercept_index]
    names = axis.names or ()
    wanted = {names[index]: index for index in entries}
    plan = _label_beside(plan, table, axis, wanted)
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


def _label_beside(plan: Plan, table: Axis, axis: Axis, wanted: Collection[str]) -> Plan:
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


def _match_by_position(plan: Plan, table: Axis, rows: Axis, columns: Axis) -> Plan:
    """Match the features to the axis of the weights that is as long; the asked one, if both are."""
    side = plan.features
    found = judge_first_column(side.first_column, side.grammar, OtherSide())
    plan = label_features(plan, table, guess=found == "labels")
    axes = {False: rows, True: columns}
    fits = {turned: _fit(plan, table, axis) for turned, axis in axes.items()}
    asked = plan.options.transpose
    turned = asked if fits[asked] or not fits[not asked] else not asked
    plan = set_intercept(replace(plan, transpose=turned), table, axes[turned])
    if not fits[turned]:
        _refuse_shapes(plan)
    if fits[turned] == "with a label":
        _check_label_doubt(plan, other_fits=fits[not turned] == "exactly")
        plan = set_label(plan, table, 0)
    return _number_features(plan, table, axes[turned])


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


def _refuse_shapes(plan: Plan) -> NoReturn:
    words = plan.options.words
    kind = "column" if words.in_rows else "row"
    raise Misfit(
        plan,
        f"{show_shapes(plan)} do not line up: {compare_counts(plan)}",
        f"give the {words.weights} one {kind} a feature, or name the features in both files",
        turnable="by shape",
    )


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
        return replace(plan, feature_names=tuple(str(i + 1) for i in range(len(columns))))
    names = tuple(named.names[i] for i in places)
    check_named(plan, named, places, "feature")
    check_once(plan, named, names, "feature")
    return replace(plan, feature_names=names)
