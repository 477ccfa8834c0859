"""What a reader of models gives, and the terms and weights that it is folded into, rounded once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import KW_ONLY, dataclass, replace
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matscore.models.algebra import (
    CONSTANT,
    Feature,
    Levels,
    Number,
    align,
    column,
    exact,
    join_features,
    round_once,
    sum_products,
)
from matscore.models.bounds import ModelFile, Refusal
from matscore.models.options import ImportOptions
from matscore.options import Link
from matscore.terms import Factor, Missing, Power, Term

FLOAT64 = 2.0**-53
FLOAT32 = 2.0**-24


class Threshold(NamedTuple):
    """Where the tool's label is the second category, if that is not where its score is higher."""

    value: float
    of: Literal["probability", "score"]  # of the second category
    is_second: bool = False  # at exactly the threshold too: the label is the second category


@dataclass(frozen=True, eq=False)
class ImportedModel:
    """A linear model of another tool; checked when it is made.

    Scores are ``intercept + coefficients @ features``. Categories stand in the tool's order, which
    decides ties. A binary model with one vector of coefficients has two categories and
    coefficients of shape (1, n_features): the first category is 0 everywhere, the vector is the
    second's. A regression has one category, the name of what is predicted.
    """

    producer: str  # the tool and its version as the file says, such as "scikit-learn 1.9.1"
    kind: str  # what the tool calls the model, such as "LogisticRegression"
    categories: tuple[str, ...]
    features: Sequence[Feature]
    coefficients: Any  # (n_categories, n_features), float64 or numbers and fractions in sequences
    intercept: Sequence[Number]  # (n_categories,)
    _: KW_ONLY
    link: Link | None = None  # of a binary vector the logistic function needs no word
    knows_link: bool = True  # the file says what the link is; else --link may
    steps: tuple[str, ...] = ()  # what came before the model and was folded into the weights
    facts: tuple[str, ...] = ()  # sentences for people: tie rule, float32, dropped steps, …
    threshold: Threshold | None = None
    # Columns known by position alone, by the names that the features have of them, in the tool's
    # order, those without a coefficient too: all the columns that it was given.
    positional: tuple[str, ...] = ()
    rounding: float = FLOAT64  # relative, of its numbers: 2**-24 of float32, 5e-7 of 6 digits
    # By how much each coefficient, and each intercept behind them, may be off, of shape
    # (n_vectors, n_features + 1), where they are printed with few digits.
    uncertainty: Any = None
    # The features' names as a table has them, where they may be joined of column and level, such
    # as "regionNorth": --sample takes them apart. Empty where the file says what they are.
    joined: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()  # all columns that it was fitted on, as far as they are known
    takes: tuple[str, ...] = ()  # the options that choose among what its file has

    def __post_init__(self) -> None:
        if not self.categories or len(set(self.categories)) < len(self.categories):
            raise Refusal(f"its categories are {', '.join(self.categories) or 'none'}")
        if len(self.intercept) != len(self.coefficients):
            raise Refusal("it has other intercepts than coefficients")
        if len(self.coefficients) != len(self.categories) and not self.is_binary_vector:
            n_vectors, n_categories = len(self.coefficients), len(self.categories)
            raise Refusal(
                f"it has {n_vectors} vectors of coefficients for {n_categories} categories"
            )

    @property
    def is_binary_vector(self) -> bool:
        """Whether one vector of coefficients tells two categories apart."""
        return len(self.coefficients) == 1 and len(self.categories) == 2

    @cached_property
    def folded(self) -> Folded:
        """Terms and weights, without the first category of a binary vector."""
        return fold(self.features, self.coefficients, self.intercept)

    def at_threshold(self) -> ImportedModel:
        """Return the model whose highest score is the tool's label: its intercept shifted."""
        if self.threshold is None:
            return self
        if len(self.categories) != 2:
            raise Refusal("it has a threshold, and not two categories")
        shift = exact(find_shift(self.threshold, self.link))
        intercept = [*self.intercept[:-1], exact(self.intercept[-1]) - shift]
        shifted = replace(self, intercept=intercept, threshold=None)
        return shifted.turn_round() if self.threshold.is_second else shifted

    def turn_round(self) -> ImportedModel:
        """Return the same model with its second category first, which then wins ties."""
        sign = -1 if self.is_binary_vector else 1
        return replace(
            self,
            categories=self.categories[::-1],
            coefficients=sign * np.asarray(self.coefficients)[::-1],
            intercept=[sign * exact(number) for number in self.intercept[::-1]],
        )


def find_shift(threshold: Threshold, link: Link | None) -> float:
    """Return the score at a threshold."""
    value = threshold.value
    if threshold.of == "score":
        return value
    if not 0 < value < 1:
        raise Refusal(f"its threshold {value} is not between 0 and 1")
    match link:
        case None | "logistic" | "one-vs-rest":
            return math.log(value) - math.log1p(-value)
        case "probit":
            from statistics import NormalDist

            return NormalDist().inv_cdf(value)
        case "cloglog":
            return math.log(-math.log1p(-value))
    raise Refusal(f"it has a threshold for a probability, and its link is {link}")


@dataclass(frozen=True)
class Source:
    """A kind of file that models come in.

    `recognise` looks at the content (at the name only where that says nothing), raises nothing, and
    is as good as sure. `read` raises a `Refusal` for what it cannot take over, and nothing else on
    any bytes.
    """

    name: str  # for people, such as "scikit-learn (pickle, joblib)"
    recognise: Callable[[ModelFile], bool]
    read: Callable[[ModelFile, ImportOptions], ImportedModel]


# ---------------------------------------------------------------------------------------- folding


@dataclass(frozen=True)
class Columns(Sequence[Feature]):
    """The numbers of columns, missing cells refused: a model may have a million of them."""

    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Any) -> Any:
        return column(self.names[index]).refuse_missing()


@dataclass(frozen=True, eq=False)
class Folded:
    """Linear predictors, rounded once."""

    terms: tuple[Term, ...]  # without the constant, in the order in which they come up
    weights: NDArray[np.float64]  # (n_terms, n_categories)
    intercept: NDArray[np.float64]  # (n_categories,)
    levels: Mapping[str, Levels]
    without_row: Set[Factor]  # Missing and Other of which nothing is known
    n_folded: int  # terms whose weights are not simply those of the model


def fold(
    features: Sequence[Feature], coefficients: Any, intercept: Sequence[Number] | Any
) -> Folded:
    """Return the terms of linear predictors, and their weights to the nearest float64.

    `coefficients` has the shape (n_categories, n_features): floats, or fractions and numbers in
    sequences. A feature that is a term of its own keeps its coefficient to the bit.
    """
    matrix = _as_matrix(coefficients, len(features))
    if isinstance(features, Columns) and matrix.dtype != object:
        return _fold_columns(features.names, matrix, intercept)
    aligned = align(features)
    joined = join_features({}, aligned)
    without_row = joined.undefined | joined.refused
    used: dict[Term, list[tuple[int, Fraction]]] = {}
    for i, feature in enumerate(aligned):
        for term, c in feature.terms.items():
            # What one part of a model knows a number for, another may refuse.
            if without_row.isdisjoint(term):
                used.setdefault(term, []).append((i, c))
    added = used.pop(CONSTANT, [])
    weights = np.empty((len(used), len(matrix)))
    n_folded = 0
    columns: dict[int, list[Fraction]] = {}  # of the coefficients, exactly

    def weigh(entries: Sequence[tuple[int, Fraction]], category: int) -> Fraction:
        for i, _ in entries:
            if i not in columns:
                columns[i] = [exact(c) for c in matrix[:, i].tolist()]
        return sum_products([(c, columns[i][category]) for i, c in entries])

    for row, entries in zip(weights, used.values(), strict=True):
        if len(entries) == 1 and entries[0][1] == 1:
            own = matrix[:, entries[0][0]]
            row[:] = own if own.dtype != object else [round_once(exact(c)) for c in own]
        else:
            n_folded += 1
            row[:] = [round_once(weigh(entries, category)) for category in range(len(matrix))]
    ends = [round_once(exact(b) + weigh(added, i)) for i, b in enumerate(intercept)]
    return Folded(tuple(used), weights, np.array(ends), joined.levels, without_row, n_folded)


@dataclass(frozen=True, eq=False)
class _MissingOf(Set[Factor]):
    """The missing cells of columns, of which there may be a million."""

    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Factor]:
        return map(Missing, self.names)

    def __contains__(self, factor: object) -> bool:
        return isinstance(factor, Missing) and factor.column in self.names


def _fold_columns(
    names: Sequence[str], matrix: NDArray[Any], intercept: Sequence[Number] | Any
) -> Folded:
    if len(set(names)) < len(names):
        raise Refusal("two of its columns have one name")
    terms: tuple[Term, ...] = tuple((Power(name),) for name in names)
    ends = np.array([round_once(exact(number)) for number in intercept])
    weights = np.ascontiguousarray(matrix.T)
    return Folded(terms, weights, ends, MappingProxyType({}), _MissingOf(names), 0)


def _as_matrix(coefficients: Any, n_features: int) -> NDArray[Any]:
    is_array = isinstance(coefficients, np.ndarray) and coefficients.dtype.kind == "f"
    matrix = np.asarray(coefficients, dtype=np.float64 if is_array else object)
    if matrix.ndim != 2 or matrix.shape[1] != n_features:
        shape = " × ".join(map(str, matrix.shape))
        raise Refusal(f"its coefficients are {shape}, where it has {n_features:,} features")
    if is_array and not np.isfinite(matrix).all():
        raise Refusal("a coefficient is not finite")
    return matrix


@dataclass(frozen=True)
class Answer:
    """What scores are of."""

    categories: tuple[str, ...]
    link: Link | None  # None: softmax
    facts: tuple[str, ...] = ()
    threshold: Threshold | None = None


LINKS: Mapping[str, Link | None] = {
    "logit": None, "log": "exp", "identity": "identity", "probit": "probit", "cloglog": "cloglog",
}  # fmt: skip
"""The links that have a word, by the names of R, statsmodels and PMML; of two categories."""
OF_STATSMODELS: Mapping[str, str] = {
    **dict.fromkeys(("ols", "wls", "gls", "glsar", "rlm", "quantreg"), "identity"),
    **dict.fromkeys(("poisson", "negativebinomial", "negativebinomialp"), "log"),
    "generalizedpoisson": "log", "logit": "logit", "mnlogit": "logit", "probit": "probit",
}  # fmt: skip
"""The links of models of statsmodels that have but one, by the names of their classes."""
_WORDS: Mapping[str, Link] = {
    "identity": "identity", "none": "identity", "log": "exp", "exp": "exp", "softmax": "logistic",
    "logit": "logistic", "probit": "probit", "cloglog": "cloglog",
}  # fmt: skip
# Other links name the column, as R names log(y): the scores are this function of what is predicted.
_SPELLED = {
    "inverse": "1/{}", "sqrt": "sqrt({})", "1/mu^2": "1/{}^2", "cauchit": "cauchit({})",
    "loglog": "loglog({})", "logc": "log(1 - {})",
}  # fmt: skip
_POWERS = {-2.0: "1/mu^2", -1.0: "inverse", 0.0: "log", 0.5: "sqrt", 1.0: "identity"}


def name_power(power: float) -> str:
    """Return the name of the link that is a power of what is predicted."""
    return _POWERS.get(power, f"mu^{power:g}")


def answer_number(target: str, link: str) -> Answer:
    """Return what the score of a number is that is predicted through a link."""
    if link in _WORDS:
        return Answer((target,), _WORDS[link])
    spelled = _SPELLED.get(link) or (link.replace("mu", "{}") if link.startswith("mu^") else "")
    if not spelled:
        raise Refusal(f'link "{link}" is not known', f"known are {', '.join((*_WORDS, *_SPELLED))}")
    name = spelled.format(target)
    return Answer((name,), "identity", (f'link "{link}": scores are {name}',))


def answer_classes(other: str, favoured: str, link: str) -> Answer:
    """Return what the score of the second of two classes is."""
    classes, facts = (other, favoured), (f'scores favour "{favoured}"',)
    no_word = f"link {link}: probabilities are not offered"
    match link:
        case "logit" | "probit":
            return Answer(classes, LINKS[link], facts)
        case "cloglog":
            return Answer(classes, "cloglog", facts, Threshold(0.5, "probability"))
        case "cauchit":
            return Answer(classes, "identity", (*facts, no_word))
        case "loglog":
            border = Threshold(-math.log(math.log(2)), "score")
            return Answer(classes, "identity", (*facts, no_word), border)
    found = answer_number(favoured, link)
    about = f'scores are of the probability of "{favoured}"'
    return Answer(found.categories, found.link, (about, *found.facts))
