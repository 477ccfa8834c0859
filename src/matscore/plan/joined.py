"""What the names of other tools may mean: columns joined with their values, functions of R.

Such names are never split on a guess: what they may mean is said, and people decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from matscore.names import MAX_SHOWN, quote_name
from matscore.spelling import make_r_name
from matscore.terms import FUNCTIONS, Factor, Function, Level, Power, Term, write_term

if TYPE_CHECKING:
    from matscore.plan.types import Plan

# How a level is written: by R, pandas and scikit-learn, H2O, SAS, patsy and formulaic, Stata.
_FORMS = (
    "{column}{value}", "{column}_{value}", "{column}.{value}", "{column} {value}",
    "{column}-{value}", "{column}: {value}", "{column}[{value}]", "{column}[T.{value}]",
    "[{column}={value}]", "{value}.{column}",
)  # fmt: skip
_WRAPPED = re.compile(r"(?:C|factor|as\.factor)\(([^(),]+)(?:,[^()]*)?\)")
_STEP = re.compile(r"^[A-Za-z][\w-]*__(?=.)")  # of a ColumnTransformer
_POWERS = (
    re.compile(r"I\((.+?)\s*(?:\^|\*\*)\s*([0-9]+)\)"),
    re.compile(r"(.+?)\s*\*\*\s*([0-9]+)"),
    re.compile(r"(?:np|numpy)\.power\((.+?),\s*([0-9]+)\)"),
)
_CALL = re.compile(rf"(?:I\()?(?:np\.|numpy\.)?({'|'.join(FUNCTIONS)})\((.+?)\)\)?")


def read_joined(name: str, columns: Mapping[str, Sequence[str]]) -> list[Term]:
    """Return the terms that a name of another tool may mean.

    `columns` are all columns, with the values of those that are text.

    Examples
    --------
    >>> columns = {"age": (), "region": ("East", "North")}
    >>> [write_term(term) for term in read_joined("age:C(region)[T.North]", columns)]
    ['age:region=North']
    >>> [write_term(term) for term in read_joined("I(age ** 2)", columns)]
    ['age^2']
    """
    terms: list[Term] = [()]
    for piece in name.split(":") if not name.startswith("[") else name.split("*"):
        factors = list(dict.fromkeys(read_factors(piece.strip(), columns)))
        terms = [(*term, factor) for term in terms for factor in factors]
    return terms


def read_factors(piece: str, columns: Mapping[str, Sequence[str]]) -> Iterator[Factor]:
    """Yield the factors that a name of another tool, of no product, may mean."""
    bare = piece.replace("`", "")  # of R, around a column whose name is no name there
    for text in dict.fromkeys((piece, _STEP.sub("", piece), bare)):
        if text in columns:
            yield Power(text)
        for form in _POWERS:
            if (match := form.fullmatch(text)) and match[1] in columns and int(match[2]):
                yield Power(match[1], int(match[2]))
        if (match := _CALL.fullmatch(text)) and match[2] in columns:
            yield Function(match[1], match[2])
        plain = _WRAPPED.sub(r"\1", text)
        for column, values in columns.items():
            made = make_r_name(column) if "." in plain else column
            if not column or (column not in plain and made not in plain):
                continue
            for value in values:
                ways = [form.format(column=column, value=value) for form in _FORMS]
                if plain in ways or ("." in plain and plain == make_r_name(ways[0])):
                    yield Level(column, value)


def explain_joined(plan: Plan, names: Sequence[str]) -> tuple[str, set[str]]:
    """Say what to write where names are those that other tools give to encoded columns.

    With it come those of the first names that it is about.
    """
    side = plan.features
    if side.peek is None or side.names is None or plan.transpose_features or plan.options.items:
        return "", set()
    columns: dict[str, Sequence[str]] = {}
    for name, cells in zip(side.names, side.peek(), strict=True):
        texts = {cell for cell in cells if not side.grammar.is_missing(cell)}
        columns[name] = () if all(map(side.grammar.is_number, texts)) else sorted(texts)
    known = {name for name in names[:MAX_SHOWN] if read_joined(name, columns)}
    return _explain(names, columns), known


def _explain(names: Sequence[str], columns: Mapping[str, Sequence[str]]) -> str:
    """Say what to write for names of other tools; empty where none of them is known.

    `columns` are all columns, with the values of those that are text.
    """
    found = {name: terms for name in names if (terms := read_joined(name, columns))}
    if not found:
        return ""
    shown = [
        f"{' or '.join(map(write_term, terms))} for {quote_name(name)}"
        for name, terms in list(found.items())[:MAX_SHOWN]
    ]
    more = f" and {len(found) - MAX_SHOWN} more likewise" if len(found) > MAX_SHOWN else ""
    named: dict[str, set[str]] = {}
    for factor in (f for terms in found.values() for term in terms for f in term):
        if isinstance(factor, Level):
            named.setdefault(factor.column, set()).add(factor.text)
    rest = [
        write_term((Level(column, value),))
        for column, levels in named.items()
        for value in columns[column]
        if value not in levels
    ][:MAX_SHOWN]
    zeros = f", and rows of zeros for what is the reference: {', '.join(rest)}" if rest else ""
    return f"write {', '.join(shown)}{more}{zeros}"
