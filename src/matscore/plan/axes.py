"""The two files as axes: the features turned as asked, first columns told from numbers.

An axis has names, which must be there and differ, and perhaps the intercept among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Literal, NoReturn

from matscore.names import find_columns, is_intercept, quote_name, quote_names, suggest_name
from matscore.plan.labels import OtherSide, judge_first_column, numbers_things
from matscore.plan.types import Misfit, Plan, Side


@dataclass(frozen=True)
class Axis:
    """The columns of the features as they are scored, or the rows or the columns of the weights."""

    path: str
    kind: Literal["row", "column"]  # what its entries are in the file
    names: tuple[str, ...] | None  # of all entries; None without names
    size: int  # number of entries, in features with a label column
    offset: int = 1  # how people count the first entry in the file
    labelled: bool | None = False  # the first entry holds labels, where no comparing must tell

    @property
    def entries(self) -> range:
        """The entries that are not known to hold labels."""
        return range(bool(self.labelled), self.size)

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """The entries of each name."""
        places: dict[str, list[int]] = {}
        for index, name in islice(enumerate(self.names or ()), self.entries.start, None):
            places.setdefault(name, []).append(index)
        return places

    def count_off(self, indices: list[int]) -> str:
        """Write where entries are, at most five of them."""
        places = [str(index + self.offset) for index in indices]
        shown = ", ".join(places[:5]) + (" …" if len(places) > 5 else "")
        return f"{self.kind}{'s' if len(places) > 1 else ''} {shown}"


def check_named(plan: Plan, axis: Axis, indices: Iterable[int], what: str) -> None:
    """Refuse entries without a name."""
    names = axis.names or ()
    if blank := [index for index in indices if not names[index].strip()]:
        problem = f"{axis.path} has {_one(what)} without a name in {axis.count_off(blank)}"
        raise Misfit(plan, problem, "name it")


def check_once(plan: Plan, axis: Axis, names: Iterable[str], what: str) -> None:
    """Refuse names that several entries have."""
    places = {name: axis.places.get(name, []) for name in names}
    twice = [(name, found) for name, found in places.items() if len(found) > 1]
    if not twice:
        return
    shown = [f"{quote_name(name)} in {axis.count_off(found)}" for name, found in twice[:5]]
    rest = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
    raise Misfit(
        plan,
        f"{axis.path} has {_one(what)} more than once: {'; '.join(shown)}{rest}",
        "rename one or take it out",
    )


def carries_features(plan: Plan, names: Sequence[str], table: Axis) -> bool:
    """Say whether all names but an intercept are columns of the features."""
    asked = plan.options.intercept
    return any(name in table.places for name in names) and all(
        name in table.places or is_intercept(name) or name == asked for name in names
    )


def set_intercept(plan: Plan, table: Axis, axis: Axis) -> Plan:
    """Set the intercept among the entries of the weights that are features."""
    names, found = axis.names or (), list_intercepts(plan, table, axis)
    if plan.options.intercept is not None and not found:
        _refuse_asked(plan, axis, plan.options.intercept)
    if len(found) > 1:
        raise Misfit(
            plan,
            f"{axis.path} has {len(found)} intercepts: {quote_names([names[i] for i in found])}",
            "keep only one",
        )
    if len(found) == axis.size:
        raise Misfit(
            plan, f"{axis.path} has an intercept but no features", "give it one row a feature"
        )
    if not found:
        return plan
    return replace(plan, intercept_name=names[found[0]], intercept_index=found[0])


def list_intercepts(plan: Plan, table: Axis, axis: Axis) -> list[int]:
    """Return the entries that may be the intercept; none that is a column of the features."""
    asked = plan.options.intercept
    if plan.options.no_intercept:
        return []
    if asked is not None:
        return axis.places.get(asked, [])
    taken = {_fold(name) for name in table.places if is_intercept(name)}
    return [
        index
        for index, name in enumerate(axis.names or ())
        if is_intercept(name) and _fold(name) not in taken
    ]


def _refuse_asked(plan: Plan, axis: Axis, asked: str) -> NoReturn:
    if axis.names is None:
        raise Misfit(
            plan,
            f"{axis.path} does not name its features, so it has no intercept {quote_name(asked)}",
            "leave --intercept out",
        )
    problem = f"{axis.path} has no {axis.kind} {quote_name(asked)}"
    raise Misfit(plan, problem, suggest_name(asked, axis.names, "--intercept"))


def orient_features(plan: Plan) -> tuple[Plan, Axis]:
    """Return the columns of the features, turned when asked; see `Plan` for how they are laid out.

    A label column is one of them, and set when it is known without comparing names.
    """
    if plan.options.transpose_features:
        return _turn_features(plan)
    side = plan.features
    offset = 0 if side.labelled else 1
    table = Axis(side.path, "column", side.names, side.width, offset, side.labelled)
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
        return plan, Axis(side.path, "row", names, len(side.first))
    names = (side.names[0], *side.first) if named else None
    table = Axis(side.path, "row", names, 1 + len(side.first), 0, labelled=True)
    return set_label(plan, table, 0), table


def _is_first_named(plan: Plan) -> bool:
    """Say whether the first column of features that are to be transposed holds names."""
    side, asked = plan.features, plan.options.id_col
    if asked is None:
        rows, header = plan.weights.first or (), plan.weights.names or ()
        is_word = [plan.weights.grammar.kind_of(cell) == "word" for cell in rows]
        # Numbers that agree with nothing but numbers are no names for that.
        sure = any(is_word) or not {*rows}.issuperset(side.first or ()) or not rows
        known = {*rows, *header}
        return _holds_labels(plan, side, known, "say --id-col when it holds names", sure=sure)
    allowed = "1" if side.names is None else side.names[0]
    if asked != allowed:
        raise Misfit(
            plan,
            f"--id-col {asked} is not the first column of {side.path}",
            f"transposed features have their names there: say --id-col {allowed}",
        )
    return True


def read_weights(plan: Plan, table: Axis) -> tuple[Plan, Axis, Axis]:
    """Return the weights' rows and columns, a label column not counted."""
    side = plan.weights
    labelled = _holds_labels(plan, side, set(table.places), _hint_at_names(plan, table))
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
        raise Misfit(plan, problem, f"give it one column {words.a_column}")
    return plan, rows, columns


def _hint_at_names(plan: Plan, table: Axis) -> str:
    if table.names is None:
        return (
            f"say --headers when {table.path} has a header, or give every row of the weights a name"
            " that is no number"
        )
    side = plan.weights
    is_word = any(side.grammar.kind_of(cell) == "word" for cell in side.first or ())
    otherwise = "correct what should be a number" if is_word else "leave the column out"
    return f"name every row after a column of {table.path}, or {otherwise}"


def _holds_labels(plan: Plan, side: Side, known: set[str], hint: str, *, sure: bool = True) -> bool:
    """Say whether a first column holds labels; refuse when it cannot be told.

    Labels that are all numbers are doubtful where the names they agree with are not `sure`.
    """
    if side.labelled is not None:
        return side.labelled
    if _asks_for_labels(plan, side):
        return True
    asked = plan.options.intercept
    other = OtherSide(known if asked is None else {*known, asked}, asked)
    is_alone, cells = side.width == 1, side.first or ()
    found = judge_first_column(side.first_column, side.grammar, other, is_alone=is_alone)
    numbers = [cell for cell in cells if side.grammar.kind_of(cell) != "word"]
    if found == "labels" and not sure and len(numbers) == len(cells):
        found = "doubtful"
    if found == "doubtful" and not (plan.options.no_id_col and len(numbers) == len(cells)):
        words = [cell for cell in cells if side.grammar.kind_of(cell) == "word"]
        shown = quote_names([*numbers[:1], *words[:1]] if words else numbers)
        raise Misfit(
            plan,
            f"cannot tell whether the first column of {side.path} holds names or numbers: {shown}",
            hint if words else f"{hint}; say --no-id-col for numbers",
            turnable="by name",
        )
    return found == "labels"


def _asks_for_labels(plan: Plan, side: Side) -> bool:
    """Say whether the first column of features without names, which is asked for, is shared."""
    features, options = plan.features, plan.options
    alike = side is not features and features.names is None and side.names is None
    alike = alike and (options.items or features.width == side.width)
    return (
        alike and options.transpose and options.id_col == "1" and numbers_things(side.first or ())
    )


def find_column(plan: Plan, table: Axis, name: str, option: str) -> int:
    """Return the column of the features that an option names; without a header it is numbered."""
    entries = table.entries
    names = None if table.names is None else table.names[entries.start :]
    places = find_columns(name, names, len(entries))
    check_once(plan, table, [name], "column")
    if places:
        return entries[places[0]]
    if table.names is None:
        what = f"{table.path} does not name its {table.kind}s, which are 1 to {len(entries)}"
        raise Misfit(plan, f"{option} {name}: {what}", "give the number of one, or say --headers")
    if table.names[:1] == (name,):  # the labels
        return 0
    problem = f"{table.path} has no column {quote_name(name)}"
    raise Misfit(plan, problem, suggest_name(name, table.places, option))


def label_features(plan: Plan, table: Axis, *, guess: bool) -> Plan:
    """Set the label column that is asked for, or the first column where it may be guessed."""
    asked = plan.options.id_col
    if plan.transpose_features:
        return plan
    if asked is not None:
        return set_label(plan, table, find_column(plan, table, asked, "--id-col"))
    may_guess = guess and table.labelled is None and not plan.options.no_id_col
    return set_label(plan, table, 0) if may_guess else plan


def set_label(plan: Plan, table: Axis, index: int) -> Plan:
    """Take a column of the features for the labels."""
    name = table.names[index] if table.names is not None else ""
    return replace(plan, label_column=index, label_name=name if name.strip() else "label")


def _one(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _fold(name: str) -> str:
    return name.strip().casefold()
