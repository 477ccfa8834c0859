"""What a reader of models gives: features, their coefficients, and what is known of the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

from matscore.links import Link
from matscore.models.algebra import Feature, Number, exact
from matscore.models.bounds import ModelFile
from matscore.models.folding import Folded, fold
from matscore.models.options import ImportOptions
from matscore.models.refusal import Refusal

FLOAT64 = 2.0**-53
FLOAT32 = 2.0**-24


class Threshold(NamedTuple):
    """Where the tool's label is the second category, if that is not where its score is higher."""

    value: float
    of: Literal["probability", "score"]  # of the second category


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
        return replace(self, intercept=intercept, threshold=None)


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
