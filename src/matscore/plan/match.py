"""One reading of the two files: where each feature is along the weights, by name or by position."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice

from matscore.names import MAX_SHOWN, fold_name, is_intercept, quote_name, quote_names, write_choice
from matscore.plan.labels import check_long_form, holds_labels, label_features, set_label
from matscore.plan.types import (
    Axis,
    Misfit,
    Plan,
    Turnable,
    carries_features,
    check_named,
    check_once,
    compare_counts,
    find_column,
    other_turn,
    set_intercept,
)

_MOST_FOLDED = 10_000


def line_up(plan: Plan) -> Plan:
    """Return the plan of two files as the options say, or raise a `Misfit`."""
    _check_request(plan)
    plan, table = _orient_features(plan)
    plan, rows, columns = _read_weights(plan, table)
    turned = _find_carrier(plan, table, rows, columns)
    _check_picked(plan, table, turned=bool(turned))
    if turned is None:
        from matscore.plan.position import match_by_position

        plan = match_by_position(plan, table, rows, columns)
        check_long_form(plan, table, rows if plan.transpose else columns)
    else:
        check_long_form(plan, table, rows if turned and not plan.options.items else columns)
        plan = _match_by_name(replace(plan, transpose=turned), table, columns if turned else rows)
    axis, other = (columns, rows) if plan.transpose else (rows, columns)
    plan = _name_categories(plan, other)
    plan = _sort_out_rest(plan, table)
    _check_turn(plan, table, axis, other)
    _check_strict(plan)
    return replace(plan, facts=_list_facts(plan, table, axis))


def _check_picked(plan: Plan, table: Axis, *, turned: bool) -> None:
    """Refuse columns of the weights that were picked, but not as what they are here."""
    side = plan.weights
    if side.wanted and turned and not plan.options.items:
        what = f"--weights-cols picks columns of {side.path}, whose columns are the features"
        raise Misfit(plan, what, "keep the rows of those categories, and leave it out")
    if side.wanted and not plan.weights_label_column and side.width > len(side.wanted):
        what = f"the first column of {side.path} holds no names, and --weights-cols leaves it out"
        way = "--drop-weights-cols"
        way = way if side.names is None else write_choice(way, side.names[:1])
        hint = f"leave it out with {way} as well"
        raise Misfit(plan, what, hint)
    # What is carried into the output is none of the features, which must not be said in silence.
    if both := [name for name in side.beside if name in table.places]:
        what = f"{quote_names(both)} of {side.path} is kept, and {table.path} has it as a feature"
        raise Misfit(plan, what, f"copy it under another name in {side.path}")


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


def _orient_features(plan: Plan) -> tuple[Plan, Axis]:
    """Return the columns of the features, turned when asked, as `Plan` tells."""
    if plan.options.transpose_features:
        return _turn_features(plan)
    side = plan.features
    offset = 0 if side.labelled else 1
    terms = not plan.options.items
    table = Axis(side.path, "column", side.names, side.width, offset, side.labelled, terms)
    known = side.labelled and plan.options.id_col is None
    return set_label(plan, table, 0) if known else plan, table


def _turn_features(plan: Plan) -> tuple[Plan, Axis]:
    side = plan.features
    plan = replace(plan, transpose_features=True)
    if side.first is None:
        raise Misfit(plan, f"the rows of {side.path} are not known", "transpose it in a file first")
    named = _is_first_named(plan)
    plan = replace(plan, features_name_column=named)
    names = side.first if named else None
    if side.names is None:
        return plan, Axis(
            side.path, "row", names, len(side.first), has_terms=not plan.options.items
        )
    names = (side.names[0], *side.first) if named else None
    size = 1 + len(side.first)
    table = Axis(side.path, "row", names, size, 0, labelled=True, has_terms=not plan.options.items)
    return set_label(plan, table, 0), table


def _is_first_named(plan: Plan) -> bool:
    """Say whether the first column of features that are to be transposed holds names."""
    side, asked = plan.features, plan.options.id_col
    if asked is None:
        weights = plan.weights
        # A single column holds no names.
        rows, header = (weights.first or ()) if weights.width > 1 else (), weights.names or ()
        is_word = [plan.weights.grammar.kind_of(cell) == "word" for cell in rows]
        # Numbers that agree with nothing but numbers are no names for that.
        sure = any(is_word) or not {*rows}.issuperset(side.first or ()) or not rows
        known = {*rows, *header}
        return holds_labels(
            plan, side, known, lambda: "say --id-col when it holds names", sure=sure
        )
    allowed = "1" if side.names is None else side.names[0]
    if asked != allowed:
        problem = f"--id-col {asked} is not the first column of {side.path}"
        hint = f"transposed features have their names there: say --id-col {allowed}"
        raise Misfit(plan, problem, hint)
    return True


def _read_weights(plan: Plan, table: Axis) -> tuple[Plan, Axis, Axis]:
    """Return the weights' rows and columns, a label column not counted."""
    side = plan.weights
    known = {*table.places, *filter(table.computes, side.first or ())}
    # Rows that are asked for as categories agree with names of features by chance.
    heading, *_ = side.names or ("",)
    if plan.options.transpose and heading and carries_features(plan, side.names or (), table):
        known = set()
    labelled = holds_labels(plan, side, known, lambda: _hint_at_names(plan, table))
    plan = replace(plan, weights_label_column=labelled)
    header = None if side.names is None else side.names[labelled:]
    offset = 2 if labelled and not side.labelled else 1
    words = plan.options.words
    rows = Axis(side.path, "row", side.first if labelled else None, side.n_rows or 0)
    columns = Axis(side.path, "column", header, side.width - labelled, offset)
    if rows.size == 0:
        raise Misfit(plan, f"{side.path} has no rows", f"give it one row {words.a_row}")
    if columns.size == 0:
        problem = f"{side.path} has names but no {words.contents}"
        cut = f", or say --{words.weights}-delimiter if its cells end with another character"
        raise Misfit(plan, problem, f"give it one column {words.a_column}{cut}")
    return plan, rows, columns


def _hint_at_names(plan: Plan, table: Axis) -> str:
    if table.names is None:
        asked = f"say --headers when {table.path} has a header"
        return f"{asked}, or give every row of the weights a name that is no number"
    side = plan.weights
    is_word = any(side.grammar.kind_of(cell) == "word" for cell in side.first or ())
    otherwise = "correct what should be a number" if is_word else "leave the column out"
    hint = f"name every row after a column of {table.path}, or {otherwise}"
    from matscore.spelling import write_numbers

    for cell in (side.first or ())[:MAX_SHOWN]:
        # A tool that read names as numbers writes 1.0 for 1.
        for meant in {write_numbers(cell), f"{cell}.0"} - {cell}:
            if cell not in table.places and meant in table.places:
                return (
                    f"if {quote_name(cell)} is the column {quote_name(meant)}, write it so; {hint}"
                )
    return hint


def _name_categories(plan: Plan, other: Axis) -> Plan:
    if other.names is None:
        return replace(plan, categories=tuple(str(index + 1) for index in other.entries))
    check_named(plan, other, other.entries, plan.options.words.category)
    check_once(plan, other, other.names, plan.options.words.category)
    return replace(plan, categories=other.names)


def _sort_out_rest(plan: Plan, table: Axis) -> Plan:
    """Tell the columns to keep from those that are left out."""
    used = {*plan.feature_columns, *plan.text_columns, plan.label_column}
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
    if column in (*plan.feature_columns, *plan.text_columns):
        problem = f"the truth is a feature of {plan.weights.path}: {quote_name(name)}"
        raise Misfit(plan, problem, "a model that is told the truth cannot be measured")
    # A guess: a truth in the first column is no label.
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
    asked = replace(plan, transpose=not turned, weights_index=(), categories=())
    asked = replace(asked, intercept_name=None, intercept_index=None)
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
        lack = f"{weights} has no feature names"
        lack = lack if table.names is not None else f"{features} has no column names"
        facts.append(f"features are matched by position, as {lack}")
    if plan.reordered:
        facts.append("features are matched by name; the two files list them in different orders")
    words = plan.options.words
    turned = "the {} are transposed: the {}s of {} are the features"
    if words.is_asked(plan.transpose):
        facts.append(turned.format(words.weights, axis.kind, weights))
    if plan.transpose_features:
        facts.append(turned.format(words.features, "row", features))
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
    if plan.terms is not None:
        facts.append(plan.terms.describe())
    if plan.absent:
        facts.append(f"absent, and counted 0: {quote_names(plan.absent)}")
    if plan.weights.beside:
        facts.append(f"columns of {weights} in the output: {quote_names(plan.weights.beside)}")
    if plan.weights.left_out:
        facts.append(f"columns of {weights} left out: {quote_names(plan.weights.left_out)}")
    if plan.left_out:
        count = "a column" if len(plan.left_out) == 1 else f"{len(plan.left_out)} columns"
        facts.append(f"{count} that {weights} does not know left out: {quote_names(plan.left_out)}")
    return tuple(facts)


def _find_carrier(plan: Plan, table: Axis, rows: Axis, columns: Axis) -> bool | None:
    """Say whether the weights' columns carry the features; None when names cannot decide."""
    asked = plan.options.transpose
    # Names decide only where both sides have some.
    if table.names is None or (rows.names is None and columns.names is None):
        return None
    if rows.names is None:
        # A header alone may as well name categories: a few names in common are a chance.
        return True if asked or _are_mostly_near(columns, table) else None
    on_rows = _count_hits(rows, table)
    if columns.names is None:
        return None if asked and not on_rows else False
    if asked and carries_features(plan, columns.names, table):
        return True
    on_columns = _count_hits(columns, table)
    if on_rows or on_columns:
        return on_columns > on_rows
    # No name is there as it is written: all may be spelt in another way, or wrong.
    for count in (_count_near, _count_close):
        on_rows, on_columns = count(rows.names, table), count(columns.names, table)
        if on_rows != on_columns:
            break
    return asked if on_rows == on_columns else on_columns > on_rows


def _are_mostly_near(axis: Axis, table: Axis) -> bool:
    names = [name for name in axis.names or () if not is_intercept(name)]
    n_hits, n_near = _count_hits(axis, table), _count_near(names, table)
    return (n_hits > 0 and 2 * n_hits >= len(names)) or 2 * n_near > len(names)


def _count_hits(axis: Axis, table: Axis) -> int:
    return sum(table.knows(name) for name in axis.names or ())


def _count_near(names: Sequence[str], table: Axis) -> int:
    """Count names that differ from columns by what is hard to see or a tool's; of the first ones.

    So many are compared as cost no time.
    """
    from matscore.spelling import reduce_name

    known = list(islice(table.places, _MOST_FOLDED))
    near = {fold_name(name) for name in known} | {reduce_name(name) for name in known}
    return sum(not near.isdisjoint((fold_name(n), reduce_name(n))) for n in names[:_MOST_FOLDED])


def _count_close(names: Sequence[str], table: Axis) -> int:
    """Count the first names that columns are close to; none unless these are most of them."""
    wanted = [name for name in names if not is_intercept(name)][:MAX_SHOWN]
    from matscore.spelling import find_close

    close = sum(bool(one.close) for one in find_close(wanted, table.places))
    return close if 2 * close > len(wanted) else 0


def _match_by_name(plan: Plan, table: Axis, axis: Axis) -> Plan:
    """Find the column of each feature on the weights' axis; the names sorted are their order."""
    plan = set_intercept(replace(plan, matched_by="name"), table, axis)
    entries = [index for index in axis.entries if index != plan.intercept_index]
    names = axis.names or ()
    wanted = {names[index]: index for index in entries}
    if plan.options.absent or plan.options.absent_zero:
        from matscore.plan.absent import set_absent

        plan = set_absent(plan, table, axis, wanted)
        wanted = {name: index for name, index in wanted.items() if name not in plan.absent}
        entries = [index for index in entries if names[index] in wanted]
    used = {column for name in wanted for column in table.columns_of(name)}
    plan = _label_beside(plan, table, axis, used)
    check_named(plan, axis, entries, "feature")
    _check_present(plan, table, axis, wanted)
    check_once(plan, axis, wanted, "feature")
    check_once(plan, table, used, "feature")
    # One order whatever the files' are: a sum of floats depends on it to the last bit.
    order = tuple(sorted(wanted))
    index = tuple(wanted[name] for name in order)
    plan = replace(plan, feature_names=order, weights_index=index)
    if any(map(table.computes, order)):
        return _set_terms(plan, table)
    columns = tuple(table.places[name][0] for name in order)
    in_file_order = [place for _, place in sorted(zip(columns, index, strict=True))]
    reordered = in_file_order != sorted(in_file_order)
    return replace(plan, feature_columns=columns, reordered=reordered)


def _set_terms(plan: Plan, table: Axis) -> Plan:
    """Find the columns that features are computed from."""
    from matscore.plan.terms import TermsError, make_terms

    try:
        terms = make_terms(plan.feature_names, table.places, plan.features.grammar)
    except TermsError as error:
        raise Misfit(plan, error.problem, error.hint) from None
    texts = tuple(table.places[column.name][0] for column in terms.texts)
    numbers = tuple(table.places[name][0] for name in terms.numbers)
    return replace(plan, feature_columns=numbers, text_columns=texts, terms=terms)


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
    missing = tuple(name for name in wanted if not table.knows(name))
    if not missing:
        return
    count = "a feature" if len(missing) == 1 else f"{len(missing)} features"
    # With most of them there, other files are no likelier than a slip in the names.
    turnable: Turnable = "by name" if 2 * len(missing) > len(wanted) else None
    from matscore.plan.terms import Unread

    unread = [one for one in map(table.read, missing) if isinstance(one, Unread)]
    hints = [_hint_at_header(plan, table, missing), *(one.hint(table.places) for one in unread)]
    from matscore.plan.absent import suggest_absent

    ways = suggest_absent(missing, len(wanted))
    hints.append(f"add to {table.path} what the {plan.options.words.weights} need{ways}")
    hint = next(filter(None, hints))
    if len(unread) == len(missing) and (columns := unread[0].columns):
        needs = f"which the term {quote_name(unread[0].name)} of {axis.path} needs"
        what = f"{table.path} has no column {quote_names(columns)}, {needs}"
        raise Misfit(plan, what, hint, turnable=turnable, missing=missing)
    raise Misfit(
        plan,
        f"{table.path} lacks {count} of {axis.path}: {quote_names(missing)}",
        hint,
        turnable=turnable,
        missing=missing,
        unused=[name for name in table.places if name not in axis.places],
    )


def _hint_at_header(plan: Plan, table: Axis, missing: Sequence[str]) -> str:
    """Return what may be wrong with a header that names none of the features."""
    names = table.names or ()
    if len(names) == 1 and not {*missing}.isdisjoint(names[0].split()):
        return "cells between blanks need -d ' ', and -d blanks where there are runs of them"
    if len(names) == 1:
        skip = " or give --skip-lines 1" if table.path == plan.features.path else ""
        return f"if the first line of {table.path} is a title, remove it{skip}; see -d too"
    grammar = plan.features.grammar
    if sum(grammar.kind_of(name) != "word" for name in names) > len(names) // 2:
        return f"if {table.path} has no header, add one, or say --no-headers"
    return ""
