"""Rows of features into scores and predictions: NumPy alone, whatever the rows came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matscore.decide import Decision, decide, find_overflow, softmax, take_rows, tied_cells
from matscore.matrix import Model
from matscore.plan import Plan
from matscore.product import Floats, block_features, multiply_blocks


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
class Scored:
    """Scores of some rows and what they decide.

    Attributes
    ----------
    scores : ndarray of shape (n_categories, n_rows), float64
        NaN in every category for a row with a missing feature.
    probabilities : ndarray of the same shape, or None
        Their softmax.
    decision : Decision
        Best category, margin, ties.
    blocks : ndarray of shape (n_blocks, n_features, height), float64
        The features as they were multiplied.
    """

    scores: Floats
    probabilities: Floats | None
    decision: Decision
    blocks: Floats

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
        rows = np.arange(min(n_rows, self.scores.shape[1]))
        features = take_rows(self.blocks, rows)
        marks = tied_cells(self.scores[:, rows], features, model.weights, model.intercept)
        return marks & (self.decision.best[rows] >= 0)


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


def score_rows(
    model: Model,
    features: Sequence[Floats],
    n_rows: int,
    options: ScoreOptions,
    has_missing: NDArray[np.bool_] | None = None,
) -> tuple[Scored, NDArray[np.int64]]:
    """Score rows.

    Parameters
    ----------
    model : Model
        Weights, intercept and categories.
    features : sequence of ndarray of shape (n_rows,), float64
        Columns in canonical order; finite, or NaN where `has_missing`.
    n_rows : int
        Number of rows.
    options : ScoreOptions
        What to compute.
    has_missing : ndarray of shape (n_rows,), bool, optional
        Rows with a missing feature.

    Returns
    -------
    Scored
        One column a row, in order.
    ndarray of int64
        Rows whose scores overflow; they are to be refused.
    """
    blocks = block_features(features, n_rows)
    scores = multiply_blocks(blocks, model.tiles, model.intercept, n_rows)
    overflow = np.flatnonzero(find_overflow(scores, has_missing))
    if has_missing is not None:
        scores[:, has_missing] = np.nan
    probabilities = softmax(scores) if options.probabilities else None
    decision = decide(
        scores,
        blocks,
        model.weights,
        model.intercept,
        threshold=options.threshold,
        probabilities=probabilities,
    )
    if len(model.categories) == 1 and options.threshold is None:
        decision.best[:] = -1
    return Scored(scores, probabilities, decision, blocks), overflow
