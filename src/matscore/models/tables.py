"""Tables of coefficients of any tool: a name and a number a row, in CSV, JSON or printed text.

Which column is the name and which the coefficient is known by the headings that tools use, or said
by ``--coef``; where several could be it, that is refused. Names are taken as columns, or as terms
where they are written so; what a tool has joined (``regionNorth``) only a sample takes apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

import numpy as np

from matscore.models.algebra import as_features
from matscore.models.bounds import ModelFile, Refusal
from matscore.models.options import ImportOptions
from matscore.models.table_texts import ZEROS, Table, read_table
from matscore.models.types import ImportedModel, Source
from matscore.names import is_intercept, may_be_term, quote_name, quote_names
from matscore.plan.headings import CLASSES, COEFFICIENTS, is_beside
from matscore.spelling import suggest_name
from matscore.terms import (
    Factor,
    Level,
    Missing,
    Power,
    Term,
    TermError,
    parse_term,
    sort_factors,
)

_NAMES = frozenset({
    "", "term", "terms", "feature", "features", "name", "names", "variable", "variables",
    "parameter", "predictor", "effect", "rowname", "rownames", "column", "processed_input",
    "unnamed: 0", "index", "covariate", "attribute", "regressor", "label", "var", "input",
})  # fmt: skip
_LEVELS = frozenset({"level", "level1", "classval0", "category_weights.category"})
_INTERCEPTS = frozenset({"_cons", "cons", "(constant)", "__intercept__"})
_EXACT_DIGITS = 15  # of a number that has as many the rest is noise
_FEWEST_DIGITS = 4
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


@dataclass(frozen=True)
class _Roles:
    """Which column is what."""

    name: int
    coefficients: tuple[int, ...]
    of_class: int | None = None
    level: int | None = None


def recognise(file: ModelFile) -> bool:
    """Say whether a file is text that may be a table; it is asked last."""
    head = file.data[:65536]
    if file.folder is not None or not head.strip() or _CONTROL.search(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) < len(file.data) and error.start > len(head) - 4  # a character cut off
    return True


def read(file: ModelFile, options: ImportOptions) -> ImportedModel:
    """Read a table of coefficients."""
    try:
        text = file.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(f"it is not UTF-8 at byte {error.start}", "save it as UTF-8") from error
    table = read_table(text)
    if not table.rows:
        raise Refusal("it has no rows of coefficients", "the page import.md lists what is read")
    return _make_model(table, _find_roles(table, options.coef), options)


SOURCE = Source("a table of coefficients", recognise, read)


def _find_roles(table: Table, coef: Sequence[str]) -> _Roles:
    """Find out which column is what; refuse where several could be it."""
    folded = [heading.casefold() for heading in table.headings]
    texts = [i for i in range(len(folded)) if not table.holds_numbers(i)]
    numbers = [i for i in range(len(folded)) if i not in texts]
    of_class = next((i for i, name in enumerate(folded) if name in CLASSES), None)
    level = next((i for i in texts if folded[i] in _LEVELS), None)
    coefficients = _find_coefficients(table, [i for i in numbers if i != of_class], coef)
    left = [i for i in texts if i not in (of_class, level)]
    named = [i for i in left if folded[i] in _NAMES] or left
    if len(named) != 1:
        names = quote_names([table.headings[i] for i in named]) or "none"
        raise Refusal(f"which column holds the names? {names}", 'call it "term"')
    return _Roles(named[0], coefficients, of_class, level)


def _find_coefficients(
    table: Table, numbers: Sequence[int], coef: Sequence[str]
) -> tuple[int, ...]:
    if coef:
        for name in coef:
            if table.headings.count(name) != 1:
                what = f"it has no column {quote_name(name)}"
                raise Refusal(what, suggest_name(name, table.headings, "--coef"))
        return tuple(map(table.headings.index, coef))
    folded = {i: table.headings[i].casefold() for i in numbers}
    known = [i for i in numbers if folded[i] in COEFFICIENTS]
    rest = [i for i in numbers if i not in known and not is_beside(folded[i])]
    # BigQuery has one for numbers and one for levels, which are never both in a row.
    if {folded[i] for i in known} == {"weight", "category_weights.weight"} and not rest:
        return tuple(known)
    # A column that is called so beside others of no known meaning may yet be one of several.
    found = [*known, *rest] or [i for i in numbers if folded[i] == "beta"]
    if len(found) == 1:
        return (found[0],)
    if not found:
        raise Refusal(
            "it has no column of coefficients", 'call it "estimate", or name it by --coef'
        )
    what = f"which column holds the coefficients? {quote_names([table.headings[i] for i in found])}"
    raise Refusal(what, "name it with --coef; of several categories name all, --coef a,b")


def _make_model(table: Table, roles: _Roles, options: ImportOptions) -> ImportedModel:
    """Return the model of a table: a category a column of coefficients, or a class."""
    rows = [_read_row(table, roles, row) for row in table.rows]
    classes = tuple(dict.fromkeys(row.of_class for row in rows if row.of_class))
    columns = tuple(dict.fromkeys(name for row in rows for name in row.cells))
    if classes and len(columns) > 1:
        raise Refusal("it has classes and several columns of coefficients", "name one by --coef")
    entries: dict[tuple[str, Factor | None], dict[str, str]] = {}
    for row in rows:
        own = entries.setdefault((row.name, row.level), {})
        for heading, cell in row.cells.items():
            category = row.of_class if classes else heading
            if (classes and not category) or category in own:
                what = "is there twice" if category in own else "has no class"
                raise Refusal(f"{quote_name(row.name)} {what}", "take it out")
            own[category] = cell
    categories = _add_reference(table, roles, classes, options) if classes else columns
    return _fill(table, categories, entries)


@dataclass(frozen=True)
class _Row:
    name: str
    level: Factor | None  # of a level that stands in a column of its own
    of_class: str
    cells: Mapping[str, str]  # coefficients by the columns' names


def _read_row(table: Table, roles: _Roles, row: Sequence[str]) -> _Row:
    name, level = row[roles.name].strip(), cast(Factor | None, None)
    cells = {table.headings[i]: row[i].strip() for i in roles.coefficients}
    text = "" if roles.level is None else row[roles.level]
    if text:
        level = Level(name, text)
    # BigQuery has a number's weight and a level's in two columns; a level of nothing is NULL.
    if (own := cells.pop("category_weights.weight", "")) or "weight" in cells:
        level = level or (Missing(name) if own else None)
        cells = {"weight": own or cells.get("weight", "")}
    of_class = "" if roles.of_class is None else row[roles.of_class].strip()
    return _Row(name, level, of_class, cells)


def _add_reference(
    table: Table, roles: _Roles, classes: tuple[str, ...], options: ImportOptions
) -> tuple[str, ...]:
    """Return the categories of classes, with the reference that has no rows of its own."""
    named = options.categories
    if set(classes) <= set(named) and len(named) - len(classes) <= 1:
        return named
    if len(named) == len(classes) + 1 and not set(classes) & set(named):
        return (named[0], *classes)  # which are named in their order later
    assert roles.of_class is not None
    # nnet, MNLogit and their like tell all classes but the first.
    if table.headings[roles.of_class].casefold().replace("_", ".") == "y.level":
        what = f"it has the classes {quote_names(classes)}, and not the one they are compared with"
        raise Refusal(what, f"name all in their order: --categories REFERENCE,{','.join(classes)}")
    return classes


def _fill(
    table: Table,
    categories: tuple[str, ...],
    entries: Mapping[tuple[str, Factor | None], Mapping[str, str]],
) -> ImportedModel:
    """Return the model of named cells."""
    terms: list[Term] = []
    for name, level in entries:
        is_added = level is None and (is_intercept(name) or name.casefold() in _INTERCEPTS)
        terms.append(() if is_added else (level,) if level else _read_term(name))
    intercepts = [name for (name, _), term in zip(entries, terms, strict=True) if not term]
    if len(intercepts) > 1:
        raise Refusal(f"it has the intercepts {quote_names(intercepts)}", "leave one")
    cells = [[own.get(category, "") for own in entries.values()] for category in categories]
    values = np.array([[_read_number(table, cell) for cell in row] for row in cells])
    doubts = np.array([_find_doubts(table, row) for row in cells])
    places = [i for i, term in enumerate(terms) if term]
    added = [i for i, term in enumerate(terms) if not term]
    nothing = np.zeros((len(categories), 1))
    start = (values[:, added], doubts[:, added]) if added else (nothing, nothing)
    names = [name for name, _ in entries]
    structured = any(level for _, level in entries)
    zeros = [n for i, n in enumerate(names) if any(ZEROS.fullmatch(row[i]) for row in cells)]
    facts = [f"of no coefficient, which count 0: {quote_names(zeros)}"] if zeros else []
    return ImportedModel(
        table.producer, "coefficients", categories,
        # Where a tool has a column of levels, an unknown one counts nothing.
        as_features([terms[i] for i in places], refuses_others=not structured),
        values[:, places], start[0][:, 0].tolist(), link=table.link, knows_link=table.knows_link,
        facts=tuple(facts), uncertainty=np.column_stack([doubts[:, places], start[1]]),
        joined=() if structured else tuple(names[i] for i in places), takes=("--coef",),
    )  # fmt: skip


def _read_term(name: str) -> Term:
    """Return the term that a name is written as; else the column of that name."""
    if not name:
        raise Refusal("a coefficient has no name", "name it")
    try:
        return sort_factors(parse_term(name)) if may_be_term(name) else (Power(name),)
    except TermError:
        return (Power(name),)


def _read_number(table: Table, cell: str) -> float:
    return 0.0 if ZEROS.fullmatch(cell) else float(cell.replace(table.decimal, "."))


def _find_doubts(table: Table, cells: Sequence[str]) -> list[float]:
    """Return by how much each number of a column may be off, as it is printed with few digits."""
    shown = [None if ZEROS.fullmatch(c) else Decimal(c.replace(table.decimal, ".")) for c in cells]
    halves = [0.0] * len(cells)
    digits = max((len(one.as_tuple().digits) for one in shown if one is not None), default=0)
    # Three digits or less, where nothing prints them, were written by hand.
    if digits >= _EXACT_DIGITS or (digits < _FEWEST_DIGITS and not table.is_printed):
        return halves
    # Of numbers with an exponent the last digit stands elsewhere than in those without.
    for has_exponent in (False, True):
        own = {
            i: one
            for i, (cell, one) in enumerate(zip(cells, shown, strict=True))
            if one is not None and ("e" in cell.casefold()) is has_exponent
        }
        digits = max((len(one.as_tuple().digits) for one in own.values()), default=0)
        decimals = max((-int(one.as_tuple().exponent) for one in own.values()), default=0)
        for i, one in own.items():
            place = max(-decimals, one.adjusted() + 1 - digits) if one else -decimals
            halves[i] = float(Decimal((0, (5,), place - 1)))
    return halves
