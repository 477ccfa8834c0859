"""What is to be learned and what was: options of ``fit``, and weights with their worth.

Least squares and ridge are `least_squares`; multinomial logistic regression is scikit-learn's.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matscore.command_options import FitOptions, Method
from matscore.errors import InputError, MissingExtraError, UsageError
from matscore.kernel import Floats
from matscore.model import Model, score_rows
from matscore.names import quote_names
from matscore.numerics.least_squares import Triangle, solve
from matscore.numerics.metrics import Metrics, count_rows
from matscore.options import ScoreOptions

if TYPE_CHECKING:
    from matscore.links import Link

MOST_CATEGORIES = 1000


def settle_method(options: FitOptions, *, categories: bool) -> tuple[Method, float]:
    """Return the method and the penalty for what the targets are."""
    method = options.method or ("logistic" if categories else "least-squares")
    if method == "least-squares":
        if options.alpha is not None:
            raise UsageError("least squares has no penalty", "--method ridge has --alpha")
        return method, 0.0
    if method == "logistic":
        require_logistic()
        # Categories that a plane separates would be given infinite weights.
        if options.alpha == 0:
            raise UsageError("logistic regression needs a penalty above 0", "try --alpha 1e-6")
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
    converged : bool
        Whether the search ended by itself.
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
    converged: bool = True
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
        if not self.converged:
            warnings.append("the search did not end: the weights may be off; try --standardize")
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
            "converged": self.converged,
        }


def learn_linear(
    triangle: Triangle | None,
    features: Sequence[str],
    order: Sequence[int],
    method: Method,
    alpha: float,
    options: FitOptions,
    path: str,
    *,
    categories: bool,
) -> Learned:
    """Learn weights by least squares or ridge; they are finite.

    `features` are named as they stand in the triangle, None where there are no rows; the weights
    have them in `order`.
    """
    if triangle is None:
        raise InputError(path, "there are no rows to learn from")
    if categories:
        check_categories(triangle.targets, path)
    fit = solve(triangle, alpha=alpha, intercept=options.intercept, standardize=options.standardize)
    _check_finite(fit.weights, fit.intercept, path)
    return Learned(
        method,
        alpha,
        tuple(features[i] for i in order),
        fit.targets,
        np.ascontiguousarray(fit.weights[list(order)]),
        fit.intercept,
        fit.n_rows,
        fit.rank,
        fit.condition,
        _names(fit.constant, features, order),
        _names(fit.collinear, features, order),
        fit.r2,
    )


def learn_logistic(
    X: Floats,
    truth: NDArray[np.int64],
    categories: tuple[str, ...],
    features: Sequence[str],
    order: Sequence[int],
    alpha: float,
    options: FitOptions,
    path: str,
) -> Learned:
    """Learn weights by logistic regression, with accuracy and log-loss on the same rows.

    `X` is (n_rows, n_features) and finite, `truth` (n_rows,) has every category; the rest is as in
    `learn_linear`.
    """
    check_categories(categories, path)
    fit = fit_logistic(
        X,
        truth,
        len(categories),
        alpha=alpha,
        intercept=options.intercept is not False,
        standardize=options.standardize,
    )
    _check_finite(fit.weights, fit.intercept, path)
    # Scored as `classify` will score, not as the search saw the rows.
    model = Model(fit.weights, fit.intercept, categories)
    scored = score_rows(model, X.T, len(X), ScoreOptions())
    metrics = Metrics(count_rows(model, scored.scores, scored.decision.best, truth))
    constant = np.flatnonzero(np.equal(X, X[0]).all(axis=0)).tolist()
    return Learned(
        "logistic",
        alpha,
        tuple(features[i] for i in order),
        categories,
        np.ascontiguousarray(fit.weights[list(order)]),
        fit.intercept,
        len(X),
        constant=_names(constant, features, order),
        accuracy=metrics.accuracy,
        log_loss=metrics.log_loss,
        converged=fit.converged,
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


def _check_finite(weights: Floats, intercept: Floats | None, path: str) -> None:
    if not np.isfinite(weights).all() or (
        intercept is not None and not np.isfinite(intercept).all()
    ):
        raise InputError(path, "the numbers are too large to learn from", "use other units")


def _names(chosen: Sequence[int], features: Sequence[str], order: Sequence[int]) -> tuple[str, ...]:
    there = set(chosen)
    return tuple(features[i] for i in order if i in there)


# Far under scikit-learn's 1e-4: weights converged so far hardly depend on the way there.
_TOLERANCE = 1e-8
_MOST_STEPS = 10_000
# L-BFGS ends where the loss changes no more, which leaves the fourth digit of a weight to the
# processor; Newton's method leaves the twelfth. It holds a matrix of this size squared.
_NEWTON_WEIGHTS = 2000


@dataclass(frozen=True)
class LogisticFit:
    """Weights of a logistic regression."""

    # (n_features, n_categories), one column a category, of two as well: the second's are
    # scikit-learn's weights halved, and the first's are their negatives.
    weights: Floats
    intercept: Floats | None  # (n_categories,); None where none was fitted
    converged: bool  # the search came to an end by itself


def fit_logistic(
    features: Floats,
    truth: NDArray[np.int64],
    n_categories: int,
    *,
    alpha: float = 1.0,
    intercept: bool = True,
    standardize: bool = False,
) -> LogisticFit:
    """Find the weights whose softmax gives the categories best.

    They minimise the sum of ``-log(probability of the truth)`` plus ``alpha / 2 |w|²``; the
    intercept has no penalty (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning,
    2nd ed., section 4.4). `features` is (n_rows, n_features) and finite, `truth`, (n_rows,), has
    every category. With `standardize` the penalty is on features of mean 0 and standard deviation
    1; the weights are for the features as they are all the same.
    """
    require_logistic()
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    mean, unit = _find_units(features, standardize=standardize, centre=intercept)
    n_weights = (features.shape[1] + 1) * n_categories
    search = LogisticRegression(
        C=1 / alpha,
        tol=_TOLERANCE,
        max_iter=_MOST_STEPS,
        fit_intercept=intercept,
        solver="newton-cholesky" if n_weights <= _NEWTON_WEIGHTS else "lbfgs",
    )
    # Always: Python tells a warning once a place, and there may be many fits.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit((features - mean) / unit, truth)
    coefficients, constants = search.coef_.T, search.intercept_
    if n_categories == 2:
        # scikit-learn keeps one column, whose sigmoid is the second's probability.
        coefficients = np.hstack([-coefficients / 2, coefficients / 2])
        constants = np.hstack([-constants / 2, constants / 2])
    weights = np.ascontiguousarray(coefficients / unit[:, None])
    # scikit-learn tells it by a warning alone.
    converged = not any(issubclass(one.category, ConvergenceWarning) for one in caught)
    return LogisticFit(weights, constants - mean @ weights if intercept else None, converged)


def require_logistic() -> None:
    """Refuse where scikit-learn is not installed."""
    try:
        import sklearn.linear_model  # noqa: F401
    except ImportError as error:
        what = "logistic regression (ridge does without)"
        raise MissingExtraError("fit", what) from error


def _find_units(features: Floats, *, standardize: bool, centre: bool) -> tuple[Floats, Floats]:
    """Return what is taken from each feature, and what it is divided by."""
    n_features = features.shape[1]
    mean, unit = np.zeros(n_features), np.ones(n_features)
    if standardize:
        spread = features.std(axis=0)
        # A feature that does not vary cannot be scaled; its weight is 0 either way.
        unit = np.where(spread > 0, spread, 1.0)
        mean = features.mean(axis=0) if centre else mean
    return mean, unit
