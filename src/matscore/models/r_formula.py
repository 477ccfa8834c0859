"""The columns that an R formula makes of a raw file, from the terms that R keeps in a model.

The language objects of the file are matched, never evaluated. R's own `model.matrix` is the
definition (src/library/stats/src/model.c): a column of the design is a product of one column of
each variable of its term, and a factor gives its contrasts, or all of its levels where the term
needs them. The names that this gives are compared with those of the coefficients.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import product
from math import prod

from matscore.models import r_language
from matscore.models.algebra import Feature, Number, combine
from matscore.models.bounds import Refusal, in_step
from matscore.models.operations import multiply
from matscore.models.r_language import (
    NamedFeatures,
    attribute,
    entries,
    first_text,
    integers,
    matrix,
    matrix_names,
    spell,
    texts,
)
from matscore.models.rds import Call, Other, RValue, Vector

_MOST_FOR_POLY = 95  # contr.poly refuses more


@dataclass(frozen=True)
class Variable:
    """A variable of a formula: its columns, each with what it adds to the variable's name."""

    name: str
    columns: NamedFeatures
    full: NamedFeatures  # a column a level; empty where it is no factor

    def choose(self, code: int) -> NamedFeatures:
        """Return its columns as a term needs them: 1 contrasts, 2 all levels."""
        columns = self.full if code == 2 and self.full else self.columns
        return [(self.name + suffix, feature) for suffix, feature in columns]


@dataclass(frozen=True)
class Fitted:
    """Features with the coefficients of a model, as `ImportedModel` takes them."""

    features: list[Feature]
    coefficients: list[list[Number]]  # (n_vectors, n_features)
    intercept: list[Number]  # (n_vectors,)
    steps: tuple[str, ...] = ()  # what R computed of the columns of the file


def fit_design(
    model: RValue,
    names: Sequence[str],
    vectors: Sequence[Sequence[Number | None]],
    *offsets: RValue,
    with_intercept: bool = True,
) -> Fitted:
    """Return the design of a model with its vectors of coefficients, in which None is R's NA.

    `offsets` are expressions beside the formula, as in ``glm(…, offset = log(n))``. Without
    `with_intercept` the model has no coefficient of its formula's intercept.
    """
    terms = _find_terms(model)
    expressions = _read_variables(terms)
    variable_names, factors = _read_factors(terms, len(expressions))
    used = sorted({i for codes in factors for i, code in enumerate(codes) if code})
    made = _make_variables(model, {i: (variable_names[i], expressions[i]) for i in used})
    has_intercept = integers(attribute(terms, "intercept")) != [0]
    if not has_intercept:
        _code_first_factor(factors, made)
    parts = [[made[i].choose(code) for i, code in enumerate(codes) if code] for codes in factors]
    starts = has_intercept and with_intercept
    n_columns = starts + sum(prod(map(len, part)) for part in parts)
    if n_columns != len(names):
        what = f"its formula makes {n_columns:,} columns, where it has {len(names):,} coefficients"
        raise Refusal(what)
    columns: NamedFeatures = [column for part in parts for column in _multiply(part)]
    for ours, theirs in zip(
        [*["(Intercept)"] * starts, *(n for n, _ in columns)], names, strict=True
    ):
        if ours != theirs:
            raise Refusal(f'its coefficient "{theirs}" is where its formula has "{ours}"')
    coefficients: list[list[Number]] = [[c or 0.0 for c in vector] for vector in vectors]
    intercept: list[Number] = [vector.pop(0) if starts else 0.0 for vector in coefficients]
    features = [feature for _, feature in columns]
    added = [expressions[i - 1] for i in _read_indexes(terms, "offset", len(expressions))]
    for offset in map(r_language.number, (*added, *offsets)):
        if not with_intercept:
            raise Refusal("it has an offset, which its predict() leaves out")
        features.append(offset)
        coefficients = [[*vector, 1.0] for vector in coefficients]
    steps = [spell(expressions[i]) for i in used if isinstance(expressions[i], Call)]
    return Fitted(features, coefficients, intercept, tuple(steps))


def read_response(model: RValue) -> RValue:
    """Return the expression on the left side of the formula."""
    terms = _find_terms(model)
    variables = attribute(terms, "variables")
    if isinstance(variables, Call):
        for index in _read_indexes(terms, "response", len(variables.arguments)):
            if index:
                return variables.arguments[index - 1][1]
    raise Refusal("its formula has no response")


def _find_terms(model: RValue) -> Call:
    terms = entries(model).get("terms")
    if not isinstance(terms, Call):
        raise Refusal("it has no terms, so that nobody knows what its coefficients stand for")
    return terms


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


def _multiply(parts: Sequence[NamedFeatures]) -> NamedFeatures:
    """Return the products of one column of each part; that of the first changes fastest."""
    found: NamedFeatures = []
    for choice in product(*reversed(parts)):
        names, features = zip(*reversed(choice), strict=True)
        found.append((":".join(names), reduce(multiply, features)))
    return found


# --------------------------------------------------------------------------------------- variables


def _make_variables(model: RValue, wanted: Mapping[int, tuple[str, RValue]]) -> dict[int, Variable]:
    """Make variables of expressions, by the class that R noted for each.

    Names in the terms have backticks where R needs them, those of the classes have none.
    """
    fields = entries(model)
    noted = list(entries(attribute(fields.get("terms"), "dataClasses")).items())
    levels, contrasts = entries(fields.get("xlevels")), entries(fields.get("contrasts"))
    made = {}
    for i, (name, expression) in wanted.items():
        plain, kind = (noted[i][0], first_text(noted[i][1])) if i < len(noted) else (name, "")
        with in_step(plain):
            if plain in levels or kind == "logical":
                known = texts(levels[plain]) if plain in levels else ["FALSE", "TRUE"]
                full = list(zip(known, r_language.indicators(expression, known), strict=True))
                coding = _read_contrasts(contrasts.get(plain), known, ordered=kind == "ordered")
                made[i] = Variable(name, _contrast(full, coding), full)
            elif kind == "numeric":
                made[i] = Variable(name, [("", r_language.number(expression))], [])
            elif kind.startswith("nmatrix."):
                columns = r_language.matrix_columns(expression)
                if kind != f"nmatrix.{len(columns)}":
                    raise Refusal(f"{spell(expression)} has not as many columns as R noted")
                alone = len(columns) == 1
                made[i] = Variable(name, [("", columns[0][1])] if alone else columns, [])
            else:
                noted_class = f"class {kind}" if kind else "a class that R did not note"
                raise Refusal(f"a variable of {noted_class}")
    return made


# Of a column of the design: what it adds to the variable's name, and the weights of levels in it.
_Contrast = tuple[str, Mapping[int, float | Fraction]]


def _contrast(full: NamedFeatures, coding: Sequence[_Contrast]) -> NamedFeatures:
    found = [feature for _, feature in full]
    return [
        (suffix, combine([found[i] for i in weights], list(weights.values())))
        for suffix, weights in coding
    ]


def _read_contrasts(value: RValue, levels: list[str], *, ordered: bool) -> list[_Contrast]:
    """Return the columns that a factor becomes: R's coding by name, or a matrix of one's own."""
    n = len(levels)
    if isinstance(value, Vector) and value.kind == "character":
        name = first_text(value).removeprefix("stats::")
    elif value is None:  # R's defaults; names of coefficients are compared, so that no guess passes
        name = "contr.poly" if ordered else "contr.treatment"
    elif isinstance(value, Call | Other):
        raise Refusal("its contrasts are a function")
    else:
        weights, (_, names) = matrix(value), matrix_names(value)
        if len(weights) != n:
            raise Refusal(f"its contrasts are for {len(weights):,} levels, where it has {n:,}")
        suffixes = names or [str(j + 1) for j in range(weights.shape[1])]
        pairs = zip(suffixes, weights.T.tolist(), strict=True)
        return [(suffix, dict(enumerate(column))) for suffix, column in pairs]
    match name:
        case "contr.treatment":
            return [(levels[i], {i: 1}) for i in range(1, n)]
        case "contr.SAS":
            return [(levels[i], {i: 1}) for i in range(n - 1)]
        case "contr.sum":
            return [(str(i + 1), {i: 1, n - 1: -1}) for i in range(n - 1)]
        case "contr.helmert":
            return [(str(i), {**dict.fromkeys(range(i), -1), i: i}) for i in range(1, n)]
        case "contr.poly":
            return _make_poly(n)
    raise Refusal(f'its contrasts are "{name}"', "known are treatment, sum, helmert, poly and SAS")


def _make_poly(n: int) -> list[_Contrast]:
    """Return orthonormal polynomials on 1, …, n, by Gram and Schmidt in exact fractions."""
    if n > _MOST_FOR_POLY:
        raise Refusal(f"contr.poly of {n:,} levels")
    points = [Fraction(2 * i - n + 1, 2) for i in range(n)]  # centred
    columns = [[Fraction(1)] * n]
    for _ in range(1, n):
        column = [x * y for x, y in zip(points, columns[-1], strict=True)]
        for other in columns[-2:]:  # to all before it is orthogonal
            share = _dot(column, other) / _dot(other, other)
            column = [x - share * y for x, y in zip(column, other, strict=True)]
        columns.append(column)
    names = {1: ".L", 2: ".Q", 3: ".C"}
    found: list[_Contrast] = []
    for i, column in enumerate(columns[1:], start=1):
        scale = math.sqrt(_dot(column, column))
        weights = {j: float(x) / scale for j, x in enumerate(column)}
        found.append((names.get(i, f"^{i}"), weights))
    return found


def _dot(one: Sequence[Fraction], other: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(one, other, strict=True)), Fraction(0))
