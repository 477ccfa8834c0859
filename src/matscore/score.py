"""From scores to answers: thresholds, probabilities, what is recommended.

The scores, the best category, its margin, ties and ranks are the kernel's (`matscore.kernel`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.errors import UsageError
from matscore.kernel import Decision, Floats, Ranking, exp
from matscore.matrix import Model
from matscore.plan import Plan

Metric: TypeAlias = Literal["dot", "cosine"]


@dataclass(frozen=True)
class ScoreOptions:
    """What to compute besides the scores.

    Attributes
    ----------
    probabilities : bool
        Whether to compute probabilities.
    threshold : float or None
        A best score (or probability) under it gives no prediction.
    """

    probabilities: bool = False
    threshold: float | None = None


@dataclass(frozen=True)
class RecommendOptions:
    """What is recommended.

    Attributes
    ----------
    k : int
        Items a user, at most.
    min_score : float or None
        Items with a lower score are not recommended.
    """

    k: int = 10
    min_score: float | None = None

    def check(self) -> None:
        """Refuse what has no meaning.

        Raises
        ------
        UsageError
            No item is wanted, or the least score is not a finite number.
        """
        if self.k < 1:
            raise UsageError(f"k cannot be {self.k}", "say how many items a user is to get")
        if self.min_score is not None and not math.isfinite(self.min_score):
            raise UsageError(f"min_score cannot be {self.min_score}", "give it a finite number")


@dataclass(frozen=True)
class Scored:
    """Scores of some rows and what they decide.

    Attributes
    ----------
    scores : ndarray of shape (n_categories, n_rows), float64
        NaN in every category for a row with a missing feature; of no category where they are not
        kept.
    probabilities : ndarray of the same shape, or None
        Their softmax.
    decision : Decision
        Best category (-1 where there is no prediction), margin, ties, overflow.
    features : ndarray of shape (n_features, n_rows), float64
        What they were computed from.
    """

    scores: Floats
    probabilities: Floats | None
    decision: Decision
    features: Floats

    def mark_ties(self, model: Model, n_rows: int) -> NDArray[np.bool_]:
        """Mark the highest cells of the first rows, both cells of a tie.

        Parameters
        ----------
        model : Model
            The model that scored them.
        n_rows : int
            Rows to look at, from the first.

        Returns
        -------
        ndarray of shape (n_categories, n_rows), bool
            No cell of a row without a prediction.
        """
        first = slice(n_rows)
        scores, features = self.scores[:, first], self.features[:, first]
        if len(scores) < len(model.categories):
            scores = model.packed.multiply(np.ascontiguousarray(features))
        marks = model.packed.mark_ties(features, scores)
        return marks & (self.decision.best[first] >= 0)

    def rank(self, model: Model, k: int, threshold: float | None) -> Ranking:
        """Rank the categories of each row.

        Parameters
        ----------
        model : Model
            The model that scored them.
        k : int
            Ranks wanted.
        threshold : float or None
            A category whose score (or probability, where there are some) is under it has no rank.

        Returns
        -------
        Ranking
            With ``min(k, n_categories)`` ranks.
        """
        scores = self.scores
        if threshold is not None:
            gate = scores if self.probabilities is None else self.probabilities
            scores = np.where(gate >= threshold, scores, -np.inf)
        return model.packed.rank(self.features, scores, k)


def make_model(plan: Plan, values: Floats) -> Model:
    """Take the model out of a weights matrix, as the plan says.

    Parameters
    ----------
    plan : Plan
        One that fits.
    values : ndarray of shape (n_rows, n_columns), float64
        The weights as they stand in their file, without labels.

    Returns
    -------
    Model
        Features in canonical order.
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
    model: Model,
    features: Floats | Sequence[Floats],
    n_rows: int,
    options: ScoreOptions,
    *,
    keep: bool = True,
) -> Scored:
    """Score rows.

    Parameters
    ----------
    model : Model
        Weights, intercept and categories.
    features : ndarray of shape (n_features, n_rows), or sequence of its rows, float64
        In canonical order; finite, or NaN where one is missing.
    n_rows : int
        Number of rows.
    options : ScoreOptions
        What to compute.
    keep : bool
        Whether the scores are used once they have decided.

    Returns
    -------
    Scored
        One column a row, in order. Rows whose scores overflow are to be refused.

    Examples
    --------
    >>> model = Model(np.array([[1.1, 0.1], [0.2, 1.2]]), None, ("adventure", "romance"))
    >>> score_rows(model, np.array([[5.0], [2.0]]), 1, ScoreOptions()).decision.best.tolist()
    [0]
    """
    stacked = stack_features(features, n_rows)
    keep = keep or options.probabilities or options.threshold is not None
    scores, decision = model.packed.score(stacked, keep=keep)
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
    """Turn scores into probabilities.

    The softmax, shifted by the highest score so that it cannot overflow; the logistic function for
    a single category (Goodfellow, Bengio and Courville, Deep Learning, sections 3.10 and 4.1).

    Parameters
    ----------
    scores : ndarray of shape (n_categories, n_rows), float64
        Scores.

    Returns
    -------
    ndarray of shape (n_categories, n_rows), float64
        Probabilities; NaN where the scores are NaN.

    Examples
    --------
    >>> softmax(np.array([[0.0, 1000.0], [0.0, 0.0]])).tolist()
    [[0.5, 1.0], [0.5, 0.0]]
    >>> softmax(np.array([[0.0, -1000.0]])).tolist()
    [[0.5, 0.0]]
    """
    if len(scores) == 1:
        shrunk = exp(-np.abs(scores))
        return np.where(scores >= 0, 1.0, shrunk) / (1.0 + shrunk)
    powers = exp(scores - scores.max(axis=0))
    total = np.zeros(scores.shape[1])
    for row in powers:  # a fixed order of addition, so that the bits do not depend on the chunk
        total += row
    probabilities: Floats = powers / total
    return probabilities
