"""Multinomial logistic regression: what scikit-learn's ``LogisticRegression`` finds."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matscore.errors import MissingExtraError
from matscore.kernel import Floats

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
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        search.fit((features - mean) / unit, truth)
    coefficients, constants = search.coef_.T, search.intercept_
    if n_categories == 2:
        # scikit-learn keeps one column, whose sigmoid is the second's probability.
        coefficients = np.hstack([-coefficients / 2, coefficients / 2])
        constants = np.hstack([-constants / 2, constants / 2])
    weights = np.ascontiguousarray(coefficients / unit[:, None])
    converged = not any(issubclass(one.category, ConvergenceWarning) for one in said)
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
        unit = np.where(spread > 0, spread, 1.0)
        mean = features.mean(axis=0) if centre else mean
    return mean, unit
