"""One reading of the two files: where each feature is along the weights, by name or by position."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

from matscore.names import (
    MAX_SHOWN,
    fold_name,
    is_intercept,
    may_be_term,
    quote_name,
    quote_names,
    write_choice,
)
from matscore.plan.labels import (
    OtherSide,
    judge_first_column,
    label_features,
    orient_features,
    read_weights,
    set_label,
)
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
    list_intercepts,
    other_turn,
    set_intercept,
    show_shapes,
)

_MOST_FOLDED = 10_000
# Names like these may be of a table of coefficients; without one `headings` is not loaded.
_LIKE_TABLE = re.compile(
    r"err|s\.e|st[ad]|val|pr|[>%\[\]]|sig|wald|chi|ci|conf|coef|estim|param|weight|beta|^s0$|ratio"
    r"|stb|exp|9[059]"
)


def line_up(plan: Plan) -> Plan:
    """Return the plan of two files as the options say, or raise a `Misfit`."""
    _check_same(plan)
    plan, table = orient_features(plan)
    plan, rows, columns = read_weights(plan, table)
    turned = _find_carrier(plan, table, rows, columns)
    _check_picked(plan, table, turned=bool(turned))
    if turned is None:
        plan = _match_by_position(plan, table, (rows, columns))
        _check_table(plan, table, rows if plan.transpose else columns)
    else:
        _check_table(plan, table, rows if turned and not plan.options.items else columns)
        plan = _match_by_name(replace(plan, transpose=turned), table, columns if turned else rows)
    axis, other = (columns, rows) if plan.transpose else (rows, columns)
    plan = _name_categories(plan, other)
    plan = _sort_out_rest(plan, table)
    _check_turn(plan, table, axis, other)
    _check_strict(plan)
    return replace(plan, facts=tuple(_list_facts(plan, table, axis)))


def _check_same(plan: Plan) -> None:
    options, words = plan.options, plan.options.words
    turned = options.transpose or options.auto_transpose or options.transpose_features
    if plan.features.path == plan.weights.path != "-" and not turned:
        what = f"the same file is given as {words.features} and {words.weights}"
        hint = f"name the {words.weights} file, or {words.advise(True)} to compare its rows"
        raise Misfit(plan, f"{what}: {plan.features.path}", hint)


def _check_table(plan: Plan, table: Axis, others: Axis) -> None:
    if may_be_statistics(others.names or ()):
        from matscore.plan.headings import check_table

        check_table(plan, table, others)


def may_be_statistics(names: Sequence[str]) -> bool:
    """Say whether names may be of statistics, or of a table in long form."""
    return any(_LIKE_TABLE.search(name.casefold()) for name in names)


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
        what = f"{plan.features.path} has columns that {plan.weights.path} does not know"
        hint = "keep them with --keep-cols, or leave --strict out"
        plan = replace(plan, drop_options=("--strict",))
        raise Misfit(plan, f"{what}: {quote_names(plan.left_out)}", hint)


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


def _list_facts(plan: Plan, table: Axis, axis: Axis) -> Iterator[str]:
    features, weights, words = plan.features.path, plan.weights.path, plan.options.words
    if plan.matched_by == "position":
        lack = f"{weights} has no feature names"
        lack = lack if table.names is not None else f"{features} has no column names"
        yield f"features are matched by position, as {lack}"
    if plan.reordered:
        yield "features are matched by name; the two files list them in different orders"
    turned = "the {} are transposed: the {}s of {} are the features"
    if words.is_asked(plan.transpose):
        yield turned.format(words.weights, axis.kind, weights)
    is_guess = plan.options.id_col is None and table.labelled is None
    if plan.transpose_features:
        yield turned.format(words.features, "row", features)
    elif plan.label_column is not None and plan.matched_by == "position" and is_guess:
        named = f" ({quote_name(table.names[0])})" if table.names is not None else ""
        yield f"the first column of {features}{named} is taken for the labels"
    if plan.intercept_name is not None:
        yield f"the {axis.kind} {quote_name(plan.intercept_name)} is the intercept"
    if plan.terms is not None:
        yield plan.terms.describe()
    if plan.absent:
        yield f"absent, and counted 0: {quote_names(plan.absent)}"
    if plan.weights.beside:
        yield f"columns of {weights} in the output: {quote_names(plan.weights.beside)}"
    if plan.weights.left_out:
        yield f"columns of {weights} left out: {quote_names(plan.weights.left_out)}"
    if plan.left_out:
        count = "a column" if len(plan.left_out) == 1 else f"{len(plan.left_out)} columns"
        yield f"{count} that {weights} does not know left out: {quote_names(plan.left_out)}"


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
    if not (on_rows or on_columns):
        # No name is there as it is written: all may be spelt in another way, or wrong.
        for count in (_count_near, _count_close):
            on_rows, on_columns = count(rows.names, table), count(columns.names, table)
            if on_rows != on_columns:
                break
        else:
            return asked
    return on_columns > on_rows


def _are_mostly_near(axis: Axis, table: Axis) -> bool:
    names = [name for name in axis.names or () if not is_intercept(name)]
    n_hits, n_near = _count_hits(axis, table), _count_near(names, table)
    return (n_hits > 0 and 2 * n_hits >= len(names)) or 2 * n_near > len(names)


def _count_hits(axis: Axis, table: Axis) -> int:
    return sum(table.knows(name) for name in axis.names or ())


def _count_near(names: Sequence[str], table: Axis) -> int:
    """Count the first names that differ from columns by what is hard to see, or a tool's."""
    from matscore.spelling import reduce_name

    known = list(islice(table.places, _MOST_FOLDED))  # which costs no time
    near = {fold_name(name) for name in known} | {reduce_name(name) for name in known}
    return sum(not near.isdisjoint((fold_name(n), reduce_name(n))) for n in names[:_MOST_FOLDED])


def _count_close(names: Sequence[str], table: Axis) -> int:
    """Count the first names that columns are close to; none unless these are most of them."""
    from matscore.spelling import find_close

    wanted = [name for name in names if not is_intercept(name)][:MAX_SHOWN]
    close = sum(bool(one.close) for one in find_close(wanted, table.places))
    return close if 2 * close > len(wanted) else 0


def _match_by_name(plan: Plan, table: Axis, axis: Axis) -> Plan:
    """Find the column of each feature on the weights' axis; the names sorted are their order."""
    plan = set_intercept(replace(plan, matched_by="name"), table, axis)
    entries = [index for index in axis.entries if index != plan.intercept_index]
    names = axis.names or ()
    wanted = {names[index]: index for index in entries}
    if plan.options.absent or plan.options.absent_zero:
        from matscore.plan.lacking import set_absent

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
    from matscore.plan.terms import make_terms
    from matscore.terms import TermError

    try:
        terms = make_terms(plan.feature_names, table.places, plan.features.grammar)
    except TermError as error:
        raise Misfit(plan, error.what, error.hint) from None
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
    from matscore.plan.lacking import suggest_absent
    from matscore.plan.terms import Unread

    count = "a feature" if len(missing) == 1 else f"{len(missing)} features"
    # With most of them there, other files are no likelier than a slip in the names.
    turnable: Turnable = "by name" if 2 * len(missing) > len(wanted) else None
    unread = [one for one in map(table.read, missing) if isinstance(one, Unread)]
    hints = [_hint_at_header(plan, table, missing), *(one.hint(table.places) for one in unread)]
    ways = suggest_absent(missing, len(wanted))
    hints.append(f"add to {table.path} what the {plan.options.words.weights} need{ways}")
    what = f"{table.path} lacks {count} of {axis.path}: {quote_names(missing)}"
    unused = [name for name in table.places if name not in axis.places]
    if len(unread) == len(missing) and (columns := unread[0].columns):
        needs = f"which the term {quote_name(unread[0].name)} of {axis.path} needs"
        what, unused = f"{table.path} has no column {quote_names(columns)}, {needs}", []
    hint = next(filter(None, hints))
    raise Misfit(plan, what, hint, turnable=turnable, missing=missing, unused=unused)


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


def _match_by_position(plan: Plan, table: Axis, axes: tuple[Axis, Axis]) -> Plan:
    """Match the features to the axis of the weights that is as long; the asked one, if both are."""
    verdict = judge_first_column(plan.features, OtherSide())
    plan = label_features(plan, table, guess=verdict == "labels")
    _check_unnamed(plan, table)
    fits = [_fit(plan, table, axis) for axis in axes]
    asked = plan.options.transpose
    # Where neither fits, the refusal is about what was asked for.
    turned = asked if fits[asked] or not fits[not asked] else not asked
    axis = axes[turned]
    plan = set_intercept(replace(plan, transpose=turned), table, axis)
    if not fits[turned]:
        words = plan.options.words
        what = f"{show_shapes(plan)} do not line up: {compare_counts(plan)}"
        kind = "column" if words.in_rows else "row"
        hint = f"give the {words.weights} one {kind} a feature, or name the features in both files"
        raise Misfit(plan, what, hint, turnable="by shape")
    _check_positions(plan, table, axis)
    if fits[turned] == "with a label":
        _check_label_doubt(plan, other_fits=fits[not turned] == "exactly")
        plan = set_label(plan, table, 0)
    return _number_features(plan, table, axis)


def _check_unnamed(plan: Plan, table: Axis) -> None:
    """Refuse options that go by names where features are matched by position."""
    options = plan.options
    asked = {"--rename": options.renames, "--absent": options.absent or options.absent_zero}
    if flag := next((flag for flag, value in asked.items() if value), None):
        path = table.path if table.names is None else plan.weights.path
        raise Misfit(plan, f"{flag} goes by names, and {path} has none", "name the features")


def _check_positions(plan: Plan, table: Axis, axis: Axis) -> None:
    """Refuse terms where columns have no names to find them by."""
    names = [name for name in axis.names or () if may_be_term(name)]
    if not names or plan.options.items or table.names is not None:
        return
    from matscore.plan.terms import find_term

    if name := find_term(names):
        what = f"the {axis.kind} {quote_name(name)} of {axis.path} is a term, and {table.path} has"
        hint = "give it a header, say --headers if it has one"
        raise Misfit(plan, f"{what} no column names to find its columns by", hint)


def _fit(plan: Plan, table: Axis, axis: Axis) -> Literal["exactly", "with a label", ""]:
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
    path, words = plan.features.path, plan.options.words
    odd_labels = any(not cell.strip().isdigit() for cell in plan.features.first or ())
    if other_fits and (odd_labels or not plan.weights_label_column):
        other = "transposed" if words.is_asked(not plan.transpose) else "not transposed"
        what = f"{show_shapes(plan)} fit in two ways: with the first column of {path} as labels"
        way = words.advise(not plan.options.transpose)
        hint = f"say --id-col for the first, {way} for the second"
        raise Misfit(plan, f"{what}, or with the {words.weights} {other}", hint)
    if plan.intercept_name is not None and plan.options.intercept is None:
        name = quote_name(plan.intercept_name)
        what = f"cannot tell whether the first column of {path} holds labels or {name} is one of"
        hint = "say --id-col for the first, --no-intercept for the second"
        raise Misfit(plan, f"{what} the features", hint)


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
