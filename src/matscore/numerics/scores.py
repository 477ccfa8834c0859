"""From scores to answers: thresholds, probabilities, what is recommended.

The scores, the best category, its margin, ties and ranks are the kernel's (`matscore.kernel`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matscore import kernel
from matscore.kernel import Decision, Floats, Ranking
from matscore.model import Model
from matscore.options import ScoreOptions
from matscore.plan import Plan


@dataclass(frozen=True)
class Scored:
    """Scores of some rows, and what they decide."""

    # (n_categories, n_rows), float64: NaN in every category for a row with a missing feature.
    scores: Floats
    probabilities: Floats | None  # their softmax, of the same shape
    decision: Decision  # best category (-1 where there is no prediction), margin, ties, overflow
    features: Floats  # (n_features, n_rows), float64: what they were computed from

    def mark_ties(self, model: Model, n_rows: int) -> NDArray[np.bool_]:
        """Mark the highest cells of the first rows, all of a tie: (n_categories, n_rows), bool.

        No cell of a row without a prediction is marked.
        """
        first = slice(n_rows)
        scores, features = self.scores[:, first], self.features[:, first]
        marks = kernel.mark_ties(scores, features, model.weights, model.intercept)
        return marks & (self.decision.best[first] >= 0)

    def rank(self, model: Model, k: int, threshold: float | None) -> Ranking:
        """Rank the categories of each row, at most k of them.

        A category whose score, or probability, is under the threshold has none.
        """
        scores = self.scores
        if threshold is not None:
            gate = scores if self.probabilities is None else self.probabilities
            scores = np.where(gate >= threshold, scores, -np.inf)
        return kernel.rank(scores, self.features, model.weights, model.intercept, k)


def make_model(plan: Plan, values: Floats) -> Model:
    """Take the model out of a weights matrix, as a plan that fits says.

    `values` are the weights as they stand in their file, (n_rows, n_columns), without labels.
    """
    oriented = values.T if plan.transpose else values
    intercept = None if plan.intercept_index is None else oriented[plan.intercept_index].copy()
    weights = np.ascontiguousarray(oriented[list(plan.weights_index)])
    if weights.shape != (len(plan.feature_names), len(plan.categories)):
        raise RuntimeError(f"{plan.weights.path}: weights {weights.shape} do not fit their names")
    return Model(weights, intercept, plan.categories)


def stack_features(features: Floats | Sequence[Floats], n_rows: int) -> Floats:
    """Return columns as the kernel takes them: C-contiguous, of shape (n_features, n_rows)."""
    if isinstance(features, np.ndarray):
        return np.ascontiguousarray(features)
    stacked = np.empty((len(features), n_rows))
    for to, column in zip(stacked, features, strict=True):
        to[:] = column
    return stacked


def score_rows(
    model: Model, features: Floats | Sequence[Floats], n_rows: int, options: ScoreOptions
) -> Scored:
    """Score rows; those whose scores overflow are to be refused.

    `features` is of shape (n_features, n_rows) or a sequence of its rows, in canonical order;
    finite, or NaN where one is missing.

    Examples
    --------
    >>> model = Model(np.array([[1.1, 0.1], [0.2, 1.2]]), None, ("adventure", "romance"))
    >>> score_rows(model, np.array([[5.0], [2.0]]), 1, ScoreOptions()).decision.best.tolist()
    [0]
    """
    stacked = stack_features(features, n_rows)
    scores, decision = kernel.score(stacked, model.weights, model.intercept)
    probabilities = softmax(scores) if options.probabilities else None
    best = decision.best
    if options.threshold is not None:
        gate = scores if probabilities is None else probabilities
        chosen = np.take_along_axis(gate, best[None], axis=0)[0]
        best[~(chosen >= options.threshold)] = -1
    elif len(model.categories) == 1:
        best[:] = -1
    return Scored(scores, probabilities, decision, stacked)


# Scores near the largest float64 differ by more than it can hold: infinity is the right answer.
@np.errstate(over="ignore", invalid="ignore")
def softmax(scores: Floats) -> Floats:
    """Turn scores into probabilities, both (n_categories, n_rows); NaN where the scores are NaN.

    The softmax, shifted by the highest score so that it cannot overflow; the logistic function for
    a single category (Goodfellow, Bengio and Courville, Deep Learning, sections 3.10 and 4.1).

    Examples
    --------
    >>> softmax(np.array([[0.0, 1000.0], [0.0, 0.0]])).tolist()
    [[0.5, 1.0], [0.5, 0.0]]
    >>> softmax(np.array([[0.0, -1000.0]])).tolist()
    [[0.5, 0.0]]
    """
    if len(scores) == 1:
        shrunk = np.exp(-np.abs(scores))
        return np.where(scores >= 0, 1.0, shrunk) / (1.0 + shrunk)
    powers = np.exp(scores - scores.max(axis=0))
    total = np.zeros(scores.shape[1])
    for row in powers:  # a fixed order of addition, so that the bits do not depend on the chunk
        total += row
    probabilities: Floats = powers / total
    return probabilities
