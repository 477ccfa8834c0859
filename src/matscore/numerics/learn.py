"""What is to be learned and what was: options of ``fit``, and weights with their worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matscore.errors import InputError, UsageError
from matscore.kernel import Floats
from matscore.model import Model
from matscore.names import quote_names
from matscore.numerics.least_squares import Triangle, solve
from matscore.numerics.logistic import fit_logistic, require_logistic
from matscore.numerics.metrics import Metrics, count_rows
from matscore.numerics.scores import score_rows
from matscore.options import FitOptions, Method, ScoreOptions

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

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before the weights are used."""
        found = []
        n_features = len(self.features)
        is_shortest = self.rank is not None and self.rank < n_features - len(self.constant)
        which = "of many weights that fit as well, these are the shortest"
        if self.alpha:
            which = "the penalty alone decides between weights that fit as well"
        if is_shortest and self.n_rows <= n_features:
            found.append(
                f"{self.n_rows} rows for {n_features} features (rank {self.rank}): {which}"
            )
        elif is_shortest:
            names = quote_names(self.collinear)
            found.append(
                f"rank {self.rank} of {n_features}, as features are combinations of each other"
                f" ({names}): {which}"
            )
        if not self.converged:
            found.append("the search did not end: the weights may be off; try --standardize")
        return tuple(found)

    @property
    def facts(self) -> tuple[str, ...]:
        """What is worth knowing."""
        found = []
        if self.intercept is None:
            found.append("no intercept is fitted")
        if self.constant:
            n = len(self.constant)
            count = "a feature does" if n == 1 else f"{n} features do"
            found.append(f"{count} not vary, weight 0: {quote_names(self.constant)}")
        return tuple(found)

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
    found = solve(
        triangle, alpha=alpha, intercept=options.intercept, standardize=options.standardize
    )
    _check_finite(found.weights, found.intercept, path)
    return Learned(
        method,
        alpha,
        tuple(features[i] for i in order),
        found.targets,
        np.ascontiguousarray(found.weights[list(order)]),
        found.intercept,
        found.n_rows,
        found.rank,
        found.condition,
        _names(found.constant, features, order),
        _names(found.collinear, features, order),
        found.r2,
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
    found = fit_logistic(
        X,
        truth,
        len(categories),
        alpha=alpha,
        intercept=options.intercept is not False,
        standardize=options.standardize,
    )
    _check_finite(found.weights, found.intercept, path)
    model = Model(found.weights, found.intercept, categories)
    scored = score_rows(model, X.T, len(X), ScoreOptions())
    metrics = Metrics(count_rows(categories, scored.scores, scored.decision.best, truth))
    constant = np.flatnonzero(np.equal(X, X[0]).all(axis=0)).tolist()
    return Learned(
        "logistic",
        alpha,
        tuple(features[i] for i in order),
        categories,
        np.ascontiguousarray(found.weights[list(order)]),
        found.intercept,
        len(X),
        constant=_names(constant, features, order),
        accuracy=metrics.accuracy,
        log_loss=metrics.log_loss,
        converged=found.converged,
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
