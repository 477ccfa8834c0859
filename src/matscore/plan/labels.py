"""What a first record and a first column are, for every matrix.

A first record is a header or data, a first column holds labels or numbers; where content cannot
tell, it is doubtful, and whoever asks refuses it. `judge_first_record` and `judge_first_column` are
the only places where this is decided. `find_long_form` tells a header of no weights at all.
"""

from __future__ import annotations

import re
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
    write_choice,
)
from matscore.plan.types import Axis, Misfit, Plan, Side, find_column

FirstRecord = Literal["header", "data", "doubtful"]
FirstColumn = Literal["labels", "numbers", "doubtful"]

_LABEL_HEADINGS = frozenset({
    "", "unnamed: 0", "category", "categories", "class", "classes", "feature", "features", "id",
    "index", "item", "items", "label", "labels", "name", "names", "row", "term", "terms", "user",
    "users", "variable", "variables",
})  # fmt: skip
# So many whole numbers, each one more than the last, are no accident.
_NO_ACCIDENT = 4
_LONG_KEYS = frozenset({"category", "class", "ylevel", "outcome", "feature", "term", "variable"})
_LONG_VALUES = frozenset({
    "weight", "value", "estimate", "coef", "coefficient", "coefficients", "beta",
})  # fmt: skip
_LIKE_STATISTICS = re.compile(
    r"err|s\.e|st[ad]|val|pr|[>%\[\]]|sig|wald|chi|ci|conf|coef|estim|param|weight|beta|^s0$|ratio"
    r"|stb|exp|9[059]"
)
_WIDEST_TABLE = 200  # of statistics, or of steps on a path of penalties


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

    Examples
    --------
    >>> judge_first_record(["film", "action"], Grammar())
    'header'
    >>> judge_first_record(["1", "2.5"], Grammar())
    'data'
    >>> judge_first_record(["Thunder Pass", "5"], Grammar())
    'doubtful'
    >>> judge_first_record(["feature", "0", "1"], Grammar())
    'header'
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

    Examples
    --------
    >>> judge_first_column(Side("w.csv", 2, None, 2, ("age", "income")), OtherSide())
    'labels'
    >>> judge_first_column(Side("w.csv", 2, None, 2, ("0.5", "x")), OtherSide())
    'doubtful'
    >>> judge_first_column(Side("w.csv", 2, None, 2, ("0.5", "NA")), OtherSide())
    'numbers'
    >>> judge_first_column(Side("f.csv", 2, ("id", "age"), 2, ("7", "9")), None)
    'labels'
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
    asked = plan.options.intercept
    other = OtherSide(known if asked is None else {*known, asked}, asked)
    cells = side.first or ()
    verdict: FirstColumn = judge_first_column(side, other)
    numbers = [cell for cell in cells if side.grammar.kind_of(cell) != "word"]
    # Labels that are all numbers are doubtful where the names they agree with may be numbers, too.
    if verdict == "labels" and not sure and len(numbers) == len(cells):
        verdict = "doubtful"
    if verdict == "doubtful" and not (plan.options.no_id_col and len(numbers) == len(cells)):
        words = [cell for cell in cells if side.grammar.kind_of(cell) == "word"]
        hint = make_hint()
        shown = quote_names([*numbers[:1], *words[:1]] if words else numbers)
        raise Misfit(
            plan,
            f"cannot tell whether the first column of {side.path} holds names or numbers: {shown}",
            hint if words else f"{hint}; say --no-id-col for numbers",
            turnable="by name",
        )
    return verdict == "labels"


def _asks_for_labels(plan: Plan, side: Side) -> bool:
    """Say whether the first column of features without names, which is asked for, is shared."""
    features, options = plan.features, plan.options
    alike = side is not features and features.names is None and side.names is None
    alike = alike and (options.items or features.width == side.width)
    asked = alike and options.transpose and options.id_col == "1"
    return asked and numbers_things(side.first or ())


def check_long_form(plan: Plan, table: Axis, others: Axis) -> None:
    """Refuse a table of coefficients that is no matrix, unless its columns are features.

    `others` are the categories: columns of the weights, or rows where they are transposed.
    """
    names, side, words = others.names or (), plan.weights, plan.options.words
    if side.wanted or any(name in table.places for name in names):
        return
    if telling := find_long_form(names, side.names[0] if side.names else ""):
        kind = "row" if words.in_rows else "column"
        hint = f"matscore import {others.path} -o weights.csv makes one column of each category"
        if words.in_rows:
            hint = f"keep the names and one {kind} of {words.contents} for each {words.category}"
        what = f"{others.path} is a coefficient table in long form ({quote_names(telling)})"
        raise Misfit(plan, what, hint)
    if words.in_rows or not 1 < len(names) <= _WIDEST_TABLE or not may_be_statistics(names):
        return
    from matscore.plan.headings import find_statistics

    if (found := find_statistics(names)) is None:
        return
    beside = quote_names(found.beside)
    what = f"{others.path} is a table of statistics, which are no categories: {beside}"
    if others.kind == "row":
        raise Misfit(plan, what, "keep the rows of coefficients")
    hint = "name the column of coefficients with --weights-cols"
    if len(found.keep) == 1 and found.keep[0].isidentifier():
        plan = replace(plan, add_options=("--weights-cols", found.keep[0]))
    if found.keep:
        ways = [write_choice("--weights-cols", [name]) for name in found.keep[:MAX_SHOWN]]
        hint = f"say {' or '.join(ways)}"
    raise Misfit(plan, what, hint)


def may_be_statistics(names: Sequence[str]) -> bool:
    """Say whether names may be those of statistics; without that `headings` are not loaded."""
    return any(_LIKE_STATISTICS.search(name.casefold()) for name in names)


def find_long_form(columns: Sequence[str], heading: str = "") -> tuple[str, ...]:
    """Return the columns that tell a table with one row a coefficient, no matrix of weights."""
    words = {name: re.sub(r"[^a-z0-9]", "", name.casefold()) for name in columns[:3]}
    kinds = set(words.values())
    if len(columns) == 2 and kinds & _LONG_KEYS and kinds & _LONG_VALUES:
        return tuple(words)
    # broom has one row a class and term; its first heading is no other tool's.
    if heading.casefold() in ("y.level", "y_level") and kinds & _LONG_VALUES:
        return (heading, *words)
    return ()


def drop_link(side: Side) -> Side:
    """Return weights whose first heading, where it has a link behind it, is without that."""
    heading, link = _find_link(side.names[0] if side.names else "")
    if link is None or not is_label_heading(heading):
        return side
    names, record = side.names or (), side.first_record
    record = None if record is None else (heading, *record[1:])
    return replace(side, names=(heading, *names[1:]), first_record=record)


def set_link(plan: Plan) -> Plan:
    """Return a plan with the link in the corner cell of its weights; with a problem, if unknown."""
    side, corner = plan.weights, plan.weights.corner
    if not corner and side.names and plan.weights_label_column:
        corner = side.names[0]
    heading, word = _find_link(corner)
    if word is None or not plan.ok or plan.options.items:
        return plan
    from matscore.links import LINKS, SYNONYMS

    link = next((known for known in LINKS if known == word), None)  # of the type `Link`
    if link is not None and is_label_heading(heading):
        fact = f"the link of {side.path} is {link}"
        if link == "cloglog":  # 1 - exp(-exp(0)) is 0.63
            fact += ": the prediction is the best score, which may be less likely than another"
        return replace(plan, link=link, facts=(*plan.facts, fact))
    where = f"{quote_name(corner)} in the corner of {side.path}"
    if link is not None:
        hint = f'write "feature ({link})" if it is, and no parentheses if it is not'
        return replace(plan, problem=f"cannot tell whether {where} names a link", hint=hint)
    from matscore.spelling import find_close

    close = (SYNONYMS.get(word), *find_close([word], LINKS)[0].close)
    meant = next((f"did you mean {quote_name(one)}; " for one in close if one), "")
    if word == "softmax":
        meant = "leave it out, as without a link it is the softmax; "
    hint = f"{meant}the links are {', '.join(LINKS)}"
    return replace(plan, problem=f"{where} names no link: {quote_name(word)}", hint=hint)


def _find_link(corner: str) -> tuple[str, str | None]:
    """Split a corner cell into heading and link; None where it has none and is meant to have none.

    A heading of the user's own may have any words in parentheses, but a link's; a blank one, too.
    """
    if "(" not in corner or is_intercept(corner):
        return corner, None
    from matscore.links import LINKS, split_corner

    heading, word = split_corner(corner)
    usual = heading.strip() != "" and is_label_heading(heading)
    return (heading, word) if usual or word in LINKS else (corner, None)


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
