"""The weights file of a model: its rows in an order that people can read, and their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from matscore.models.algebra import CONSTANT
from matscore.models.bounds import Refusal
from matscore.models.types import Columns, ImportedModel
from matscore.names import is_intercept, may_be_term, quote_names
from matscore.plan.learning import name_intercept
from matscore.terms import (
    Factor,
    Function,
    Interval,
    Level,
    Missing,
    Other,
    Power,
    Term,
    TermError,
    parse_term,
    write_term,
)


@dataclass(frozen=True, eq=False)
class WeightsTable:
    """Rows of a weights file."""

    names: tuple[str, ...]  # of terms, and of the intercept, which is last
    values: NDArray[np.float64]  # (n_names, n_categories)
    terms: tuple[Term, ...]  # of all names but the intercept's


def make_table(model: ImportedModel, others: Set[str] = frozenset()) -> WeightsTable:
    """Return the rows of a model: those of a column together, its reference levels as zeros.

    Columns stand in the order in which the model has them, products behind all of them. Of a raw
    file that has `others` too, no column may be taken for a row that is meant otherwise.
    """
    folded = model.folded
    terms, weights = folded.terms, folded.weights
    if not isinstance(model.features, Columns):  # which are in their order, without levels
        places = {term: i for i, term in enumerate(terms)}
        terms = _order_terms(model)
        nothing = np.zeros(weights.shape[1])  # of levels without a weight, at -1
        weights = np.vstack([weights, nothing])[[places.get(term, -1) for term in terms]]
    values = np.vstack([weights, folded.intercept])
    values += 0.0  # -0 is written as 0
    if model.is_binary_vector:
        values = np.column_stack([np.zeros(len(values)), values])
    own = {factor.column for term in terms for factor in term}
    names = [_name(term) for term in terms]
    # A column of exactly that name would come first; a file without the term's own columns is one
    # that is encoded already.
    taken = [
        name
        for name, term in zip(names, terms, strict=True)
        if term != (Power(name),) and (name in own or {name, *(f.column for f in term)} <= others)
    ]
    if taken:
        what = f"it computes {quote_names(taken)}, and there is a column of that name beside"
        raise Refusal(what, "take that column out, or rename it, for the model too if it knows it")
    own |= others
    return WeightsTable((*names, name_intercept(own)), values, terms)


def _name(term: Term) -> str:
    """Write a term; a column as it is called, unless that says something else."""
    if term == (Power(column := term[0].column),) and not is_intercept(column):
        if not may_be_term(column):
            return column
        try:
            parse_term(column)
        except TermError:  # "length (cm)" can only be a column
            return column
    return write_term(term)


def _order_terms(model: ImportedModel) -> tuple[Term, ...]:
    folded = model.folded
    columns: dict[str, list[Factor]] = {}
    products: list[Term] = []
    for term, weights in zip(folded.terms, folded.weights, strict=True):
        for factor in term:
            columns.setdefault(factor.column, [])
        if len(term) == 1:
            columns[term[0].column].append(term[0])
        # A product of 0 with a missing cell comes of folding, and no model has it.
        elif weights.any() or not any(isinstance(factor, Missing) for factor in term):
            products.append(term)
    for name in columns:
        columns[name] += _find_policies(model, name)
        if name in folded.levels:
            columns[name] += [Level(name, text) for text in folded.levels[name].texts]
    places = {
        Level(name, text): place
        for name, levels in folded.levels.items()
        for place, text in enumerate(levels.texts)
    }
    singles: Iterable[Factor] = (
        factor
        for factors in columns.values()
        for factor in sorted(dict.fromkeys(factors), key=lambda f: _rank(f, places))
    )
    return (*((factor,) for factor in singles), *products)


def _find_policies(model: ImportedModel, name: str) -> list[Factor]:
    """Return the factors that a column has a row for, as the model knows what they are worth."""
    known: list[Factor] = [Missing(name)]
    if name in model.folded.levels:
        known.append(Other(name))
    return [factor for factor in known if factor not in model.folded.without_row]


def _rank(factor: Factor, places: dict[Level, int]) -> tuple[int, float, float, str]:
    """Return what puts the rows of a column in order."""
    match factor:
        case Power(_, exponent):
            return 0, exponent != 1, exponent, ""
        case Function(name, _):
            return 1, 0, 0, name
        case Interval(_, low, high):
            return 2, low, high, ""
        case Level():
            return 3, places[factor], 0, ""
        case Other():
            return 4, 0, 0, ""
        case Missing():
            return 5, 0, 0, ""


_LARGEST = Fraction(10**300)  # where a bound is of no use any more, and still a number


@np.errstate(over="ignore")
def make_magnitudes(
    model: ImportedModel, table: WeightsTable
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how large what is added up may be in a tool, and by how much it may be off.

    Both have the shape of the weights and are for the absolute values of the terms: a centred
    feature is the difference of two numbers, whose sizes add up here; a printed coefficient is off
    by half of its last digit at most.
    """
    coefficients = np.abs(np.asarray(model.coefficients, dtype=np.float64))
    intercept = np.abs(np.array([float(number) for number in model.intercept]))
    off = np.zeros((len(coefficients), coefficients.shape[1] + 1))
    if model.uncertainty is not None:
        off += np.asarray(model.uncertainty, dtype=np.float64)
    places: dict[Term, int] = {term: i for i, term in enumerate(table.terms)}
    places[CONSTANT] = len(table.terms)
    sizes = np.zeros((len(places), len(coefficients)))
    doubts = np.zeros_like(sizes)
    for i, feature in enumerate(model.features):
        for term, c in feature.terms.items():
            if term in places:
                size = float(min(abs(c), _LARGEST))
                sizes[places[term]] += size * coefficients[:, i]
                doubts[places[term]] += size * off[:, i]
    sizes[-1] += intercept
    doubts[-1] += off[:, -1]
    sizes, doubts = (np.minimum(one, float(_LARGEST)) for one in (sizes, doubts))
    if model.is_binary_vector:
        nothing = np.zeros(len(sizes))
        return np.column_stack([nothing, sizes]), np.column_stack([nothing, doubts])
    return sizes, doubts
