"""What is to be learned and what was: options of ``fit``, and weights with their worth.

Least squares and ridge are `least_squares`; multinomial logistic regression is `logistic`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from matscore.command_options import FitOptions, Method
from matscore.errors import InputError, UsageError
from matscore.kernel import Floats
from matscore.model import Model, score_rows
from matscore.names import quote_name, quote_names
from matscore.numerics.least_squares import Triangle, merge, reduce_rows, solve
from matscore.numerics.logistic import Examples, SearchError, fit_logistic
from matscore.numerics.metrics import Counts, Metrics, count_rows
from matscore.options import ScoreOptions

if TYPE_CHECKING:
    from matscore.options import Link

MOST_CATEGORIES = 1000


def settle_method(options: FitOptions, *, categories: bool) -> tuple[Method, float]:
    """Return the method and the penalty for what the targets are."""
    method = options.method or ("logistic" if categories else "least-squares")
    if method == "least-squares":
        if options.alpha is not None:
            raise UsageError("least squares has no penalty", "--method ridge has --alpha")
        return method, 0.0
    return method, 1.0 if options.alpha is None else options.alpha


@dataclass(frozen=True)
class Learned:
    """Weights that were learned, and what can be said of their worth.

    Attributes
    ----------
    method : str
        How.
    alpha : float
        Penalty; 0 for none.
    features : tuple of str
        Names of the rows of the weights.
    targets : tuple of str
        Names of their columns.
    weights : ndarray of shape (n_features, n_targets), float64
        Finite.
    intercept : ndarray of shape (n_targets,), float64, or None
        None where none was fitted.
    n_rows : int
        Rows learned from.
    rank, condition : int or None, float or None
        Of the features, see `matscore.numerics.least_squares.Fit`; None for logistic regression.
    constant, collinear : tuple of str
        Features that do not vary; features that are combinations of others.
    r2 : ndarray of shape (n_targets,), float64, or None
        Share of each target's variance that is explained; NaN where there is none.
    accuracy, log_loss : float or None
        Of logistic regression, on the rows that it learned from.
    n_steps, gradient : int or None, float or None
        Of logistic regression: Newton's steps, and the gradient at the end, in standard errors of
        the weights.
    n_redundant : int
        Features that are combinations of others by design: levels that all have weights.
    """

    method: Method
    alpha: float
    features: tuple[str, ...]
    targets: tuple[str, ...]
    weights: Floats
    intercept: Floats | None
    n_rows: int
    rank: int | None = None
    condition: float | None = None
    constant: tuple[str, ...] = ()
    collinear: tuple[str, ...] = ()
    r2: Floats | None = None
    accuracy: float | None = None
    log_loss: float | None = None
    n_steps: int | None = None
    gradient: float | None = None
    n_redundant: int = 0

    @property
    def link(self) -> Link | None:
        """What turns scores into predictions; None is the softmax, of logistic regression."""
        return None if self.method == "logistic" else "identity"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before the weights are used."""
        warnings = []
        n_features = len(self.features)
        lost = len(self.constant) + self.n_redundant
        is_shortest = self.rank is not None and self.rank < n_features - lost
        which = "of many weights that fit as well, these are the shortest"
        if self.alpha:
            which = "the penalty alone decides between weights that fit as well"
        # Too few rows are told before collinear features, which they imply.
        if is_shortest and self.n_rows <= n_features:
            warnings.append(
                f"{self.n_rows} rows for {n_features} features (rank {self.rank}): {which}"
            )
        elif is_shortest:
            names = quote_names(self.collinear)
            warnings.append(
                f"rank {self.rank} of {n_features}, as features are combinations of each other"
                f" ({names}): {which}"
            )
        return tuple(warnings)

    @property
    def facts(self) -> tuple[str, ...]:
        """What is worth knowing."""
        facts = []
        if self.intercept is None:
            facts.append("no intercept is fitted")
        if self.constant:
            n = len(self.constant)
            count = "a feature does" if n == 1 else f"{n} features do"
            facts.append(f"{count} not vary, weight 0: {quote_names(self.constant)}")
        return tuple(facts)

    def stack(self, intercept_name: str) -> tuple[tuple[str, ...], Floats]:
        """Return the rows of a weights file, their names and numbers: the intercept comes last."""
        if self.intercept is None:
            return self.features, self.weights
        return (*self.features, intercept_name), np.vstack([self.weights, self.intercept])

    def describe(self) -> dict[str, Any]:
        """Return all but the weights as plain values."""
        r2 = None
        if self.r2 is not None:
            values = [None if np.isnan(value) else value for value in self.r2.tolist()]
            r2 = dict(zip(self.targets, values, strict=True))
        return {
            "method": self.method,
            "alpha": self.alpha,
            "intercept": self.intercept is not None,
            "rank": self.rank,
            "condition": self.condition,
            "constant": list(self.constant),
            "collinear": list(self.collinear),
            "r2": r2,
            "accuracy": self.accuracy,
            "log_loss": self.log_loss,
            "steps": self.n_steps,
            "gradient": self.gradient,
        }


@dataclass(frozen=True)
class Task:
    """What weights are to be learned, and how."""

    features: Sequence[str]  # names, as they stand in the rows
    order: Sequence[int]  # places among these in the order of the weights
    options: FitOptions
    method: Method
    alpha: float  # penalty
    path: str  # of the features, for messages

    def names_of(self, chosen: Iterable[int]) -> tuple[str, ...]:
        """Return the names of some features, in the order of the weights."""
        there = set(chosen)
        return tuple(self.features[i] for i in self.order if i in there)

    def take(self, weights: Floats, intercept: Floats | None) -> Floats:
        """Return weights in their order; refuse what is not finite."""
        if not all(np.isfinite(one).all() for one in (weights, intercept) if one is not None):
            raise self.refuse_size()
        return np.ascontiguousarray(weights[list(self.order)])

    def refuse_size(self) -> InputError:
        """Return the error of numbers that are too large."""
        return InputError(self.path, "the numbers are too large to learn from", "use other units")


def learn_linear(triangle: Triangle | None, task: Task, *, categories: bool) -> Learned:
    """Learn weights by least squares or ridge; they are finite.

    The triangle is None where there are no rows.
    """
    if triangle is None:
        raise InputError(task.path, "there are no rows to learn from")
    if categories:
        check_categories(triangle.targets, task.path)
    options = task.options
    fit = solve(
        triangle,
        alpha=task.alpha,
        intercept=options.intercept,
        standardize=options.standardize,
    )
    return Learned(
        task.method,
        task.alpha,
        task.names_of(task.order),
        fit.targets,
        task.take(fit.weights, fit.intercept),
        fit.intercept,
        fit.n_rows,
        fit.rank,
        fit.condition,
        task.names_of(fit.constant),
        task.names_of(fit.collinear),
        fit.r2,
    )


def learn_logistic(examples: Examples, categories: tuple[str, ...], task: Task) -> Learned:
    """Learn weights by logistic regression, with accuracy and log-loss on the same rows.

    The places of `examples` are among `categories`, each of which has rows.
    """
    check_categories(categories, task.path)
    intercept = task.options.intercept is not False
    if task.alpha == 0:
        _check_rank(examples, task, intercept=intercept)
    try:
        fit = fit_logistic(
            examples,
            alpha=task.alpha,
            intercept=intercept,
            standardize=task.options.standardize,
        )
    except SearchError as error:
        what = "the search for weights did not end"
        if error.direction is not None:
            what = _say_separation(error.direction, categories, task.features)
        hint = "--alpha 1 has a penalty" if task.alpha == 0 else "try a larger --alpha"
        raise InputError(task.path, what, hint) from error
    if fit is None:
        raise task.refuse_size()
    weights = task.take(fit.weights, fit.intercept)
    # Scored as `classify` will score, not as the search saw the rows.
    model = Model(fit.weights, fit.intercept, categories)

    def count(stripe: int) -> Counts:
        x, truth = examples.read(stripe)
        scored = score_rows(model, x.T, ScoreOptions())
        return count_rows(model, scored.scores, scored.decision.best, truth)

    metrics = Metrics(reduce(add, examples.map(count)))
    return Learned(
        task.method,
        task.alpha,
        task.names_of(task.order),
        categories,
        weights,
        fit.intercept,
        examples.kept.n_rows,
        constant=task.names_of(np.flatnonzero(fit.is_constant).tolist()),
        accuracy=metrics.accuracy,
        log_loss=metrics.log_loss,
        n_steps=fit.n_steps,
        gradient=fit.gradient,
    )


def _check_rank(examples: Examples, task: Task, *, intercept: bool) -> None:
    """Refuse features that leave a choice between weights, which a penalty would make."""

    def take(stripe: int) -> Triangle:
        x, _ = examples.read(stripe)
        return reduce_rows(x, np.zeros((len(x), 0)), ())

    found = solve(reduce(merge, examples.map(take)), intercept=intercept)
    if found.rank < examples.n_features - len(found.constant):
        names = quote_names(task.names_of(found.collinear))
        what = f"features are combinations of each other ({names}): many weights fit as well"
        raise InputError(task.path, what, "--alpha 1 has a penalty, --drop-cols leaves one out")


def _say_separation(direction: Floats, categories: Sequence[str], features: Sequence[str]) -> str:
    """Say that no weights are the best ones, and what tells the categories apart."""
    sizes = np.abs(direction[:, : len(features)])
    group, feature = np.unravel_index(int(sizes.argmax()), sizes.shape)
    category = categories[int(group) + (len(categories) - len(direction))]
    most = f"{quote_name(category)} by {quote_name(features[int(feature)])}"
    return (
        f"the features separate the categories, most of all {most}: larger weights fit ever better"
    )


def check_categories(categories: Sequence[str], path: str) -> None:
    """Refuse categories that no model can be learned from: none, one, or too many."""
    if not categories:
        raise InputError(path, "there are no rows to learn from")
    if len(categories) == 1:
        what = f"every row has the category {quote_names(categories)}"
        raise InputError(path, what, "there must be two at least")
    if len(categories) > MOST_CATEGORIES:
        what = f"more than {MOST_CATEGORIES:,} categories: {quote_names(categories)}"
        raise InputError(path, what, "labels or numbers may have been taken for categories")
