"""What a page shows of ranked items: scores by rank, and how often each item has one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matscore.kernel import Floats
from matscore.numerics.statistics.scores import MAX_FEATURES
from matscore.numerics.statistics.sketch import Sketch, sketch_columns, sketch_nothing

MAX_RANKS = 20


@dataclass(frozen=True)
class RankStatistics:
    """What is gathered of ranked items.

    Attributes
    ----------
    features : Sketch
        Of the first `MAX_FEATURES` features of the users in canonical order, as they were read.
    by_rank : Sketch
        Of the scores of the first `MAX_RANKS` ranks: one column a rank.
    chosen : ndarray of shape (n_items,), int64
        How many users each item was recommended to.
    """

    features: Sketch
    by_rank: Sketch
    chosen: NDArray[np.int64]

    def __add__(self, other: RankStatistics) -> RankStatistics:
        return RankStatistics(
            self.features + other.features,
            self.by_rank + other.by_rank,
            self.chosen + other.chosen,
        )


def gather_no_ranks(n_features: int, n_items: int, k: int) -> RankStatistics:
    """Return the statistics of no users."""
    return RankStatistics(
        sketch_nothing(min(n_features, MAX_FEATURES)),
        sketch_nothing(min(k, n_items, MAX_RANKS)),
        np.zeros(n_items, dtype=np.int64),
    )


def gather_ranks(
    features: Sequence[Floats],
    ranks: NDArray[np.int64],
    items: NDArray[np.int64],
    scores: Floats,
    n_items: int,
    k: int,
) -> RankStatistics:
    """Gather the statistics of some users.

    Parameters
    ----------
    features : sequence of ndarray of shape (n_rows,), float64
        Columns in canonical order.
    ranks, items : ndarray of shape (n_pairs,), int64
        Which item has which rank, from 1.
    scores : ndarray of shape (n_pairs,), float64
        With which score.
    n_items, k : int
        Items there are; items a user at most.

    Returns
    -------
    RankStatistics
        Of these users alone.

    Examples
    --------
    >>> found = gather_ranks([], np.array([1, 2]), np.array([2, 0]), np.array([9.0, 4.0]), 3, 2)
    >>> found.chosen.tolist(), found.by_rank.high.tolist()
    ([1, 0, 1], [9.0, 4.0])
    """
    most = min(k, n_items, MAX_RANKS)
    return RankStatistics(
        sketch_columns(features[:MAX_FEATURES]),
        sketch_columns([scores[ranks == rank] for rank in range(1, most + 1)]),
        np.bincount(items, minlength=n_items),
    )
