"""What a first record and a first column are, for every matrix, and the axes that this makes.

A first record is a header or data, a first column holds labels or numbers; where content cannot
tell, it is doubtful, and whoever asks refuses it. `judge_first_record` and `judge_first_column` are
the only places where this is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

from matscore.names import (
    MAX_SHOWN,
    CellKind,
    Grammar,
    fold_name,
    is_intercept,
    quote_name,
    quote_names,
)
from matscore.plan.types import Axis, Misfit, Plan, Side, carries_features, find_column

FirstRecord = Literal["header", "data", "doubtful"]
FirstColumn = Literal["labels", "numbers", "doubtful"]

_LABEL_HEADINGS = frozenset({
    "", "unnamed: 0", "category", "categories", "class", "classes", "feature", "features", "id",
    "index", "item", "items", "label", "labels", "name", "names", "row", "term", "terms", "user",
    "users", "variable", "variables",
})  # fmt: skip
# So many whole numbers, each one more than the last, are no accident.
_NO_ACCIDENT = 4


@dataclass(frozen=True)
class OtherSide:
    """What is known of the matrix that a first record or column is compared with."""

    names: Set[str] = frozenset()  # names that it has, features among them
    intercept: str | None = None  # the name that was given for it

    def may_name(self, cell: str) -> bool:
        """Say whether a cell is a name of the other side or of an intercept, near misses too."""
        if not cell.strip():
            return False
        if cell in self.names or is_intercept(cell) or cell == self.intercept:
            return True
        return bool(self.names) and fold_name(cell) in {fold_name(name) for name in self.names}


def judge_first_record(
    cells: Sequence[str],
    grammar: Grammar,
    other: OtherSide = OtherSide(),
    *,
    named: Collection[str] = (),
    values: Set[str] = frozenset(),
    used: bool = False,
) -> FirstRecord:
    """Say what a first record is, where no option says it.

    A record is data when all its cells are numbers, and a header when all of them are words. One
    that has both may be data, damaged perhaps, and is a header only where something speaks for it.

    `named` are columns that options name, `values` what the second column of a file of pairs holds
    in records of data, and `used` says that the two sides find each other by its cells.
    """
    kinds = [grammar.kind_of(cell) for cell in cells]
    if set(kinds) <= {"number"} or (cells[1:2] and cells[1] in values):
        return "data"
    words = {cell for cell, kind in zip(cells, kinds, strict=True) if kind == "word"}
    if values or used or not words.isdisjoint(named):
        return "header"
    return "header" if _heads_names(cells, kinds, other) else "doubtful"


def judge_first_column(side: Side, other: OtherSide | None) -> FirstColumn:
    """Say what a first column is, where no option says it; never from one cell alone.

    Of a matrix that is compared with none, `other` is None.
    """
    if other is None:
        return _judge_by_itself(side)
    cells = side.first or ()
    kinds = {side.grammar.kind_of(cell) for cell in cells}
    if not cells or (side.width == 1 and "word" not in kinds):
        return "numbers"
    known = other.names - {""}
    # Cells that repeat are no names, whatever they are equal to.
    hits = sum(cell in known for cell in cells) if len(set(cells)) == len(cells) else 0
    usual = bool(side.names) and side.name_of(0) not in known and is_label_heading(side.name_of(0))
    named = hits > 0 and _all_known(cells, known)
    if kinds == {"number"} and named:
        return "labels" if len(cells) > 1 or usual else "doubtful"
    if kinds == {"word"} or named or _heads_features(side, known):
        return "labels"
    if "word" in kinds:
        n_known = sum(cell in known for cell in cells)
        return "labels" if n_known > 1 and 2 * n_known >= len(cells) else "doubtful"
    # Numbers that other evidence calls labels would become a category of their own.
    counted = counts_up(cells) and cells[0] in ("0", "1")
    return "doubtful" if usual or counted or 2 * hits >= len(cells) else "numbers"


def holds_labels(
    plan: Plan, side: Side, known: set[str], make_hint: Callable[[], str], *, sure: bool = True
) -> bool:
    """Say whether a first column holds labels; refuse, with a hint, when it cannot be told."""
    if side.labelled is not None:
        return side.labelled
    if _asks_for_labels(plan, side):
        return True
    asked, cells = plan.options.intercept, side.first or ()
    verdict = judge_first_column(side, OtherSide(known if asked is None else {*known, asked}))
    words = [cell for cell in cells if side.grammar.kind_of(cell) == "word"]
    # Labels that are all numbers are doubtful where the names they agree with may be numbers, too.
    if verdict == "labels" and not sure and not words:
        verdict = "doubtful"
    if verdict == "doubtful" and (words or not plan.options.no_id_col):
        numbers = [cell for cell in cells if side.grammar.kind_of(cell) != "word"]
        hint = make_hint() if words else f"{make_hint()}; say --no-id-col for numbers"
        shown = quote_names([*numbers[:1], *words[:1]] if words else numbers)
        what = f"cannot tell whether the first column of {side.path} holds names or numbers"
        raise Misfit(plan, f"{what}: {shown}", hint, turnable="by name")
    return verdict == "labels"


def _asks_for_labels(plan: Plan, side: Side) -> bool:
    """Say whether the first column of features without names, which is asked for, is shared."""
    features, options = plan.features, plan.options
    alike = side is not features and features.names is None and side.names is None
    alike = alike and (options.items or features.width == side.width)
    asked = alike and options.transpose and options.id_col == "1"
    return asked and numbers_things(side.first or ())


def is_label_heading(name: str) -> bool:
    """Say whether a name is a usual one for a column of labels."""
    return name.strip().casefold() in _LABEL_HEADINGS


def counts_up(cells: Sequence[str]) -> bool:
    """Say whether cells are whole numbers that go up by one, too many to be an accident."""
    # Ten digits and more are identifiers, or too long a number for int.
    if len(cells) < _NO_ACCIDENT or not all(is_integer(cell) and len(cell) < 10 for cell in cells):
        return False
    start = int(cells[0])
    return all(int(cell) == start + step for step, cell in enumerate(cells))


def numbers_things(cells: Sequence[str]) -> bool:
    """Say whether cells are whole numbers that all differ, as numbers of things do."""
    return len(set(cells)) == len(cells) > 0 and all(map(is_integer, cells))


def is_integer(cell: str) -> bool:
    """Say whether a cell is digits and nothing else."""
    return cell.isascii() and cell.isdigit()


def _judge_by_itself(side: Side) -> FirstColumn:
    """Judge the first column of a file that has no other side: it is learned from, or compared."""
    first = side.first or ()
    cells = [cell for cell in first if not side.grammar.is_missing(cell)]
    kinds = {side.grammar.kind_of(cell) for cell in cells}
    if side.width == 1:
        return "numbers"
    if side.names and is_label_heading(side.names[0]):
        return "labels"
    if "word" in kinds:
        return "labels" if len(kinds) == 1 else "doubtful"
    counted = len(cells) == len(first) and counts_up(cells)
    if counted and (side.names is None or cells[0] in ("0", "1")):
        return "doubtful"
    return "numbers"


def _heads_names(cells: Sequence[str], kinds: Sequence[CellKind], other: OtherSide) -> bool:
    """Say whether cells are words, or names of any kind under a usual heading of names."""
    rest = set(kinds[1:])
    if rest <= {"word"} and (kinds[0] == "word" or (rest and is_label_heading(cells[0]))):
        return True
    corner, *columns = cells
    if not is_label_heading(corner) or not columns or other.may_name(corner):
        return False
    differ = len(set(columns)) == len(columns)
    return differ and all(
        # Categories are -1 and 1 where a tool of support vectors has named them.
        kind == "word"
        or is_integer(cell.removeprefix("-"))
        or (cell and not any(map(str.isdigit, cell)))
        for cell, kind in zip(columns, kinds[1:], strict=True)
    )


def _heads_features(side: Side, known: Set[str]) -> bool:
    """Say whether the columns after the first carry the features, so that it has other labels."""
    if not side.names:
        return False
    heading, *others = side.names
    if heading in known or is_intercept(heading):
        return False
    if not any(name in known for name in others) or not _all_known(others, known):
        return False
    if is_label_heading(heading):
        return True
    from matscore.spelling import find_close

    # What else may the column be? A feature that is spelt in another way here.
    free = known - set(others)
    if find_close([heading], free)[0].close:
        return False
    cells, grammar = side.first or (), side.grammar
    numbers = [grammar.read(cell) for cell in cells if grammar.kind_of(cell) == "number"]
    number_things = len(set(numbers)) == len(numbers) and all(map(float.is_integer, numbers))
    return number_things and (len(free) <= 1 or len(cells) > 1 or not numbers)


def _all_known(names: Sequence[str], known: Set[str]) -> bool:
    return all(name in known or is_intercept(name) for name in names)


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
    # A heading that is blank stays so in the output.
    name = table.names[index] if table.names is not None else "label"
    return replace(plan, label_column=index, label_name=name)


def orient_features(plan: Plan) -> tuple[Plan, Axis]:
    """Return the columns of the features, turned when asked, as `Plan` tells."""
    side, has_terms = plan.features, not plan.options.items
    if not plan.options.transpose_features:
        offset = 0 if side.labelled else 1
        table = Axis(side.path, "column", side.names, side.width, offset, side.labelled, has_terms)
        known = side.labelled and plan.options.id_col is None
        return set_label(plan, table, 0) if known else plan, table
    plan = replace(plan, transpose_features=True)
    if side.first is None:
        raise Misfit(plan, f"the rows of {side.path} are not known", "transpose it in a file first")
    named = _is_first_named(plan)
    plan = replace(plan, features_name_column=named)
    # A header has the labels, and the heading of the names.
    labelled = side.names is not None
    names = (*(side.names or ())[:1], *side.first) if named else None
    size = labelled + len(side.first)
    table = Axis(side.path, "row", names, size, 1 - labelled, labelled, has_terms)
    return set_label(plan, table, 0) if labelled else plan, table


def _is_first_named(plan: Plan) -> bool:
    """Say whether the first column of features that are to be transposed holds names."""
    side, asked, weights = plan.features, plan.options.id_col, plan.weights
    if asked is None:
        # A single column holds no names.
        rows = (weights.first or ()) if weights.width > 1 else ()
        has_word = any(weights.grammar.kind_of(cell) == "word" for cell in rows)
        # Numbers that agree with nothing but numbers are no names for that.
        sure = not rows or has_word or not {*rows}.issuperset(side.first or ())
        known = {*rows, *(weights.names or ())}
        return holds_labels(
            plan, side, known, lambda: "say --id-col when it holds names", sure=sure
        )
    allowed = "1" if side.names is None else side.names[0]
    if asked != allowed:
        problem = f"--id-col {asked} is not the first column of {side.path}"
        hint = f"transposed features have their names there: say --id-col {allowed}"
        raise Misfit(plan, problem, hint)
    return True


def read_weights(plan: Plan, table: Axis) -> tuple[Plan, Axis, Axis]:
    """Return the weights' rows and columns, a label column not counted."""
    side, words = plan.weights, plan.options.words
    names = side.names or ("",)
    known = {*table.places, *filter(table.computes, side.first or ())}
    # Rows that are asked for as categories agree with names of features by chance.
    if plan.options.transpose and names[0] and carries_features(plan, names, table):
        known = set()
    labelled = holds_labels(plan, side, known, lambda: _hint_at_names(plan, table))
    plan = replace(plan, weights_label_column=labelled)
    header = None if side.names is None else side.names[labelled:]
    offset = 2 if labelled and not side.labelled else 1
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
    from matscore.spelling import write_numbers

    cells, grammar = plan.weights.first or (), plan.weights.grammar
    is_word = any(grammar.kind_of(cell) == "word" for cell in cells)
    otherwise = "correct what should be a number" if is_word else "leave the column out"
    hint = f"name every row after a column of {table.path}, or {otherwise}"
    for cell in cells[:MAX_SHOWN]:
        # A tool that read names as numbers writes 1.0 for 1.
        for meant in {write_numbers(cell), f"{cell}.0"} - {cell}:
            if cell not in table.places and meant in table.places:
                known = f"if {quote_name(cell)} is the column {quote_name(meant)}, write it so"
                return f"{known}; {hint}"
    return hint
