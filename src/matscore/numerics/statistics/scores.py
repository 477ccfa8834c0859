"""What a page shows of scored rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matscore.kernel import Floats
from matscore.model import Model
from matscore.numerics.scores import Scored
from matscore.numerics.statistics.rows import CloseRow, FirstRow, Labels, cut_label, keep_closest
from matscore.numerics.statistics.sketch import Sketch, edge_of, sketch_columns, sketch_nothing
from matscore.options import Gather

MAX_FEATURES, MAX_CATEGORIES = 100, 20
N_FIRST, N_CLOSEST, N_TIED = 30, 25, 10


@dataclass(frozen=True)
class ScoreStatistics:
    """What is gathered of scored rows.

    Attributes
    ----------
    features : Sketch
        Of the first `MAX_FEATURES` features in canonical order, as they were read; for a page.
    scores : Sketch
        Of the scores of the first `MAX_CATEGORIES` categories; for a plot.
    best : Sketch
        Of the highest score of each row: one column.
    margin : Sketch
        Of the margin of each row with a prediction: one column, empty with one category.
    first : tuple of FirstRow
        The first `N_FIRST` rows.
    closest : tuple of CloseRow
        The `N_CLOSEST` rows with the smallest margins above 0, the closest first.
    tied : tuple of CloseRow
        The first `N_TIED` rows that tie.
    """

    features: Sketch
    scores: Sketch
    best: Sketch
    margin: Sketch
    first: tuple[FirstRow, ...] = ()
    closest: tuple[CloseRow, ...] = ()
    tied: tuple[CloseRow, ...] = ()

    def __add__(self, other: ScoreStatistics) -> ScoreStatistics:
        first = sorted([*self.first, *other.first], key=lambda row: row.number)
        return ScoreStatistics(
            self.features + other.features,
            self.scores + other.scores,
            self.best + other.best,
            self.margin + other.margin,
            tuple(first[:N_FIRST]),
            keep_closest([*self.closest, *other.closest], N_CLOSEST),
            keep_closest([*self.tied, *other.tied], N_TIED),
        )


def gather_nothing(model: Model, gather: Collection[Gather]) -> ScoreStatistics:
    """Return the statistics of no rows."""
    n_features, n_categories = model.weights.shape
    return ScoreStatistics(
        sketch_nothing(min(n_features, MAX_FEATURES) if "page" in gather else 0),
        sketch_nothing(min(n_categories, MAX_CATEGORIES) if "plot" in gather else 0),
        sketch_nothing(1),
        sketch_nothing(1),
    )


def gather_scores(
    features: Sequence[Floats],
    scored: Scored,
    numbers: NDArray[np.int64],
    labels: Labels,
    gather: Collection[Gather],
) -> ScoreStatistics:
    """Gather the statistics of some rows.

    Parameters
    ----------
    features : sequence of ndarray of shape (n_rows,), float64
        Columns in canonical order.
    scored : Scored
        What came of them.
    numbers : ndarray of shape (n_rows,), int64
        Which records they are, from 1; rising.
    labels : sequence of str or int
        Their labels.
    gather : collection of {"page", "plot"}
        What for.

    Returns
    -------
    ScoreStatistics
        Of these rows alone.
    """
    scores, decision = scored.scores, scored.decision
    predicted = decision.best >= 0
    margins = decision.margin if predicted.all() else decision.margin[predicted]
    sketch = sketch_columns([margins[: 0 if len(scores) == 1 else None]])

    def close(places: NDArray[np.int64]) -> tuple[CloseRow, ...]:
        return tuple(_look_closely(scored, int(i), int(numbers[i]), labels) for i in places)

    tied = np.flatnonzero(decision.tied & predicted)[:N_TIED]
    return ScoreStatistics(
        sketch_columns(features[: MAX_FEATURES if "page" in gather else 0]),
        sketch_columns(list(scores[: MAX_CATEGORIES if "plot" in gather else 0])),
        sketch_columns([scores.max(axis=0)]),
        sketch,
        tuple(
            # A copy: a view would hold the scores of all rows.
            FirstRow(
                int(numbers[i]), cut_label(labels[i]), int(decision.best[i]), scores[:, i].copy()
            )
            for i in range(min(scores.shape[1], N_FIRST))
        ),
        close(_find_closest(sketch, decision.margin, predicted)),
        close(tied),
    )


def _find_closest(
    sketch: Sketch, margins: Floats, predicted: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the places of the smallest margins; the sketch tells where they end."""
    reach = np.cumsum(sketch.bins[1, 0])
    if not len(reach):
        return np.empty(0, dtype=np.int64)
    last = min(int(np.searchsorted(reach, N_CLOSEST)), len(reach) - 1)
    # The bins are those of float32, so that a margin may lie half its last bit past the edge.
    bound = float(edge_of(np.array([sketch.start + last + 1]))[0]) * (1 + 1e-7)
    near = np.flatnonzero((margins > 0) & (margins <= bound) & predicted)
    return near[np.argsort(margins[near], kind="stable")[:N_CLOSEST]]


def _look_closely(scored: Scored, place: int, number: int, labels: Labels) -> CloseRow:
    scores = scored.scores[:, place]
    best = int(scored.decision.best[place])
    others = scores.copy()
    others[best] = -np.inf
    second = int(others.argmax())
    return CloseRow(
        number,
        cut_label(labels[place]),
        best,
        second,
        float(scores[best]),
        float(scores[second]),
        float(scored.decision.margin[place]),
    )
