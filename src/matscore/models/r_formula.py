"""The columns that an R formula makes of a raw file, from the terms that R keeps in a model.

The language objects of the file are matched, never evaluated. R's own `model.matrix` is the
definition (src/library/stats/src/model.c): a column of the design is a product of one column of
each variable of its term, and a factor gives its contrasts, or all of its levels where the term
needs them. The names that this gives are compared with those of the coefficients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from matscore.models import r_language
from matscore.models.algebra import Feature, Number, combine, constant
from matscore.models.operations import multiply
from matscore.models.r_contrasts import read_contrasts
from matscore.models.r_language import Columns
from matscore.models.r_values import (
    attribute,
    entries,
    first_text,
    integers,
    matrix_names,
    spell,
    texts,
)
from matscore.models.rds import Call, RValue
from matscore.models.refusal import Refusal, in_step


@dataclass(frozen=True)
class Variable:
    """A variable of a formula: its columns, each with what it adds to the variable's name."""

    name: str
    columns: Columns
    full: Columns  # a column a level; empty where it is no factor

    def choose(self, code: int) -> Columns:
        """Return its columns as a term needs them: 1 contrasts, 2 all levels."""
        columns = self.full if code == 2 and self.full else self.columns
        return [(self.name + suffix, feature) for suffix, feature in columns]


@dataclass(frozen=True)
class Design:
    """The columns of `model.matrix` in order, and what has no coefficient of its own."""

    columns: Columns
    offset: Feature  # added to the linear predictor
    steps: tuple[str, ...]  # what R computed of the columns of the file


def read_design(
    model: RValue, names: Sequence[str], *offsets: RValue, with_intercept: bool
) -> Design:
    """Return the design of a fitted model, whose coefficients have these names.

    `offsets` are expressions beside the formula, as in ``glm(…, offset = log(n))``.
    """
    fields = entries(model)
    terms = fields.get("terms")
    if not isinstance(terms, Call):
        raise Refusal("it has no terms, so that nobody knows what its coefficients stand for")
    expressions = _read_variables(terms)
    variable_names, factors = _read_factors(terms, len(expressions))
    used = sorted({i for codes in factors for i, code in enumerate(codes) if code})
    makers = _Makers(fields, terms)
    made = {i: makers.make(i, variable_names[i], expressions[i]) for i in used}
    has_intercept = integers(attribute(terms, "intercept")) != [0]
    intercept = has_intercept and with_intercept
    if not has_intercept:
        _code_first_factor(factors, made)
    parts = [[made[i].choose(code) for i, code in enumerate(codes) if code] for codes in factors]
    n_columns = intercept + sum(prod(map(len, part)) for part in parts)
    if n_columns != len(names):
        what = f"its formula makes {n_columns:,} columns, where it has {len(names):,} coefficients"
        raise Refusal(what)
    columns: Columns = [("(Intercept)", constant(1))] if intercept else []
    for part in parts:
        columns += _multiply(part)
    for (ours, _), theirs in zip(columns, names, strict=True):
        if ours != theirs:
            raise Refusal(f'its coefficient "{theirs}" is where its formula has "{ours}"')
    added = [expressions[i - 1] for i in _read_indexes(terms, "offset", len(expressions))]
    offset = [r_language.number(one) for one in (*added, *offsets)]
    steps = [spell(expressions[i]) for i in used if isinstance(expressions[i], Call)]
    return Design(columns, combine(offset, [1] * len(offset)), tuple(steps))


@dataclass(frozen=True)
class Fitted:
    """Features with the coefficients of a model, as `ImportedModel` takes them."""

    features: list[Feature]
    coefficients: list[list[Number]]  # (n_vectors, n_features)
    intercept: list[Number]  # (n_vectors,)
    steps: tuple[str, ...]


def fit_design(
    model: RValue,
    names: Sequence[str],
    vectors: Sequence[Sequence[Number | None]],
    *offsets: RValue,
    with_intercept: bool = True,
) -> Fitted:
    """Return the design of a model with its vectors of coefficients, in which None is R's NA.

    Without `with_intercept` the model has no coefficient of its formula's intercept.
    """
    design = read_design(model, names, *offsets, with_intercept=with_intercept)
    features = [feature for _, feature in design.columns]
    coefficients: list[list[Number]] = [[c or 0.0 for c in vector] for vector in vectors]
    intercept: list[Number] = [0.0] * len(vectors)
    if design.columns[:1] and design.columns[0][0] == "(Intercept)":
        features = features[1:]
        intercept = [vector.pop(0) for vector in coefficients]
    if design.offset.terms and not with_intercept:
        raise Refusal("it has an offset, which its predict() leaves out")
    if design.offset.terms:
        features.append(design.offset)
        coefficients = [[*vector, 1.0] for vector in coefficients]
    return Fitted(features, coefficients, intercept, design.steps)


def read_response(model: RValue) -> RValue:
    """Return the expression on the left side of the formula."""
    terms = entries(model).get("terms")
    variables = attribute(terms, "variables")
    if isinstance(terms, Call) and isinstance(variables, Call):
        for index in _read_indexes(terms, "response", len(variables.arguments)):
            if index:
                return variables.arguments[index - 1][1]
    raise Refusal("its formula has no response")


def _read_variables(terms: Call) -> list[RValue]:
    """Return the expressions of the variables: as R predicts with them, where it noted that."""
    found = attribute(terms, "predvars") or attribute(terms, "variables")
    return [value for _, value in found.arguments] if isinstance(found, Call) else []


def _read_factors(terms: Call, n_variables: int) -> tuple[list[str], list[list[int]]]:
    """Return the names of the variables, and their codes for each term."""
    factors = attribute(terms, "factors")
    codes = integers(factors)
    if not codes:
        return [], []
    names, _ = matrix_names(factors)
    if len(names) != n_variables or len(codes) % n_variables:
        raise Refusal("its terms do not fit its variables")
    found = [codes[i : i + n_variables] for i in range(0, len(codes), n_variables)]
    if not all(map(any, found)):
        raise Refusal("it has a term without a variable")
    for response in _read_indexes(terms, "response", n_variables):
        if response and any(column[response - 1] for column in found):
            raise Refusal("its response is on the right side of its formula too")
    return names, found


def _read_indexes(terms: Call, name: str, n_variables: int) -> list[int]:
    found = integers(attribute(terms, name))
    if not all(0 <= index <= n_variables for index in found):
        raise Refusal("its terms do not fit its variables")
    return found


def _code_first_factor(factors: list[list[int]], made: Mapping[int, Variable]) -> None:
    """Give the first factor of a formula without intercept all of its levels, as R does."""
    for codes in factors:
        for i, code in enumerate(codes):
            if code and made[i].full:
                codes[i] = 2
                return


def _multiply(parts: Sequence[Columns]) -> Columns:
    """Return the products of one column of each part; that of the first changes fastest."""
    found: Columns = []
    for choice in product(*reversed(parts)):
        names, features = zip(*reversed(choice), strict=True)
        whole = features[0]
        for feature in features[1:]:
            whole = multiply(whole, feature)
        found.append((":".join(names), whole))
    return found


class _Makers:
    """Make variables of expressions, by the class that R noted for each."""

    def __init__(self, fields: Mapping[str, RValue], terms: Call) -> None:
        noted = entries(attribute(terms, "dataClasses"))
        self.classes = [(key, first_text(value)) for key, value in noted.items()]
        levels = entries(fields.get("xlevels"))
        self.levels = {key: texts(value) for key, value in levels.items()}
        self.contrasts = entries(fields.get("contrasts"))

    def make(self, index: int, name: str, expression: RValue) -> Variable:
        """Return the variable of a name in the terms, which has backticks where R needs them."""
        plain, kind = self.classes[index] if index < len(self.classes) else (name, "")
        with in_step(plain):
            if plain in self.levels or kind == "logical":
                levels = self.levels.get(plain, ["FALSE", "TRUE"])
                found = r_language.indicators(expression, levels)
                full = list(zip(levels, found, strict=True))
                return Variable(name, self._contrast(plain, full, ordered=kind == "ordered"), full)
            if kind == "numeric":
                return Variable(name, [("", r_language.number(expression))], [])
            if kind.startswith("nmatrix."):
                columns = r_language.matrix(expression)
                if kind != f"nmatrix.{len(columns)}":
                    raise Refusal(f"{spell(expression)} has not as many columns as R noted")
                return Variable(name, [("", columns[0][1])] if len(columns) == 1 else columns, [])
            raise Refusal(
                f"a variable of {f'class {kind}' if kind else 'a class that R did not note'}"
            )

    def _contrast(self, name: str, full: Columns, *, ordered: bool) -> Columns:
        levels, found = [level for level, _ in full], [feature for _, feature in full]
        coding = read_contrasts(self.contrasts.get(name), levels, ordered=ordered)
        return [
            (suffix, combine([found[i] for i in weights], list(weights.values())))
            for suffix, weights in coding
        ]
