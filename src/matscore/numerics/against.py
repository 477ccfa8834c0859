"""What is counted of categories that are each compared with the rest.

All are counts and exact sums, which add up to the same however rows are cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matscore.functions import FUNCTIONS
from matscore.kernel import Floats
from matscore.model import Model
from matscore.numerics.metrics import EDGES, N_TENTHS, exact_total
from matscore.numerics.kept import Rankings, rank_rows
from matscore.options import Best

if TYPE_CHECKING:
    from matscore.options import Link

MOST_NEGATIVES = 5
_SMALLEST = 5e-324


@dataclass(frozen=True)
class Against:
    """Which categories are each compared with the rest, and how."""

    names: tuple[str, ...] = ()  # the positive truths
    places: tuple[int, ...] = ()  # of their scores
    single: bool = False  # whether the model has no other category
    by_probability: bool = True  # what rows are ranked by; else by the score
    threshold: float | None = None  # what is positive from there on; None leaves it to the best
    best: Best | None = None


@dataclass(frozen=True)
class BinaryCounts:
    """What is known of some rows, for each of the positive categories."""

    rankings: Rankings
    truths: NDArray[np.int64]  # (n, 2): rows with a score that are negative, positive
    unscored: NDArray[np.int64]  # (n, 2): the same of rows without one
    n_probable: int  # rows that have probabilities
    losses: tuple[int, ...]  # exact sums of -log(probability of what is true)
    squares: tuple[int, ...]  # exact sums of the squared distance of probability and truth
    tenths: NDArray[np.int64]  # (n, 10, 2), by tenths of the probability: rows, those positive
    chances: tuple[tuple[int, ...], ...]  # by tenths: exact sums of the probability
    negatives: tuple[str, ...] = ()  # of a single category the first other truths, sorted

    def __add__(self, other: BinaryCounts) -> BinaryCounts:
        return BinaryCounts(
            self.rankings + other.rankings,
            self.truths + other.truths,
            self.unscored + other.unscored,
            self.n_probable + other.n_probable,
            _add(self.losses, other.losses),
            _add(self.squares, other.squares),
            self.tenths + other.tenths,
            tuple(_add(one, two) for one, two in zip(self.chances, other.chances, strict=True)),
            # One more than is told, so that it is known whether there are more.
            tuple(sorted({*self.negatives, *other.negatives})[: MOST_NEGATIVES + 1]),
        )


def _add(one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(one, two, strict=True))


def no_binary_counts(n: int) -> BinaryCounts:
    """Return the counts of no rows."""
    empty = np.zeros((n, 2), np.int64)
    tenths = np.zeros((n, N_TENTHS, 2), np.int64)
    nothing = (0,) * n
    rankings = Rankings(n)
    return BinaryCounts(rankings, empty, empty, 0, nothing, nothing, tenths, ((0,) * N_TENTHS,) * n)


def count_binary(
    against: Against,
    model: Model,
    scores: Floats,
    truth: NDArray[np.int64],
    negatives: Sequence[str] = (),
) -> BinaryCounts:
    """Count rows whose truth is known.

    `scores` is (n_categories, n_rows), finite or all NaN in a row; `truth` is (n_rows,), the place
    of a category, or -1 for none of them. `negatives` are truths that are none of them.
    """
    known = ~np.isnan(scores[0])
    unscored = truth[~known]
    scores, truth = np.ascontiguousarray(scores[:, known]), truth[known]
    are = [truth == place for place in against.places]
    made = [_Chances(np.zeros(0), np.zeros(0), np.zeros(0))] * len(are)
    if not any(model.refuse_probabilities()):
        made = _find_chances(model, scores, against.places, are)
    numbers = [scores[place] for place in against.places]
    if against.by_probability:
        numbers = [one.chance for one in made]
    tenths = [_count_tenths(one, y) for one, y in zip(made, are, strict=True)]
    return BinaryCounts(
        rank_rows(numbers, are),
        _count_truths(are),
        _count_truths([unscored == place for place in against.places]),
        len(made[0].chance),
        tuple(exact_total(one.losses) for one in made),
        tuple(exact_total(one.misses**2) for one in made),
        np.array([counts for counts, _ in tenths], np.int64),
        tuple(totals for _, totals in tenths),
        tuple(sorted(set(negatives))[: MOST_NEGATIVES + 1]),
    )


def _count_tenths(
    made: _Chances, is_positive: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Count rows and positive ones by tenths of the probability, and add that up."""
    tenth = np.searchsorted(EDGES, made.chance, side="right")
    right = tenth[is_positive[: len(tenth)]]
    counts = [np.bincount(rows, minlength=N_TENTHS) for rows in (tenth, right)]
    totals = tuple(exact_total(made.chance[tenth == i]) for i in range(N_TENTHS))
    return np.stack(counts, axis=1), totals


def _count_truths(are: Sequence[NDArray[np.bool_]]) -> NDArray[np.int64]:
    counts = [(len(is_positive) - is_positive.sum(), is_positive.sum()) for is_positive in are]
    return np.array(counts, np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class _Chances:
    """What is known of a category's probability in some rows, (n_rows,) each."""

    chance: Floats
    misses: Floats  # how far it is from the truth
    losses: Floats  # -log(probability of what is true)


def _find_chances(
    model: Model, scores: Floats, places: Sequence[int], are: Sequence[NDArray[np.bool_]]
) -> list[_Chances]:
    """Return the probabilities of some categories against the truth, without cancellation."""
    link, shares = model.link, model.has_reference or model.link in (None, "one-vs-rest")
    # Categories that have a probability each, whatever the others have.
    if len(scores) == 1 or not shares:
        return [
            _oppose(link, scores[place], is_positive)
            for place, is_positive in zip(places, are, strict=True)
        ]
    chances = model.find_probabilities(scores)
    # Sums from both ends: 1 - p would lose the digits of what is left beside a p near 1.
    before, after = np.cumsum(chances, axis=0), np.cumsum(chances[::-1], axis=0)[::-1]
    made = []
    for place, is_positive in zip(places, are, strict=True):
        rest = np.zeros(scores.shape[1])
        rest += before[place - 1] if place > 0 else 0.0
        rest += after[place + 1] if place + 1 < len(scores) else 0.0
        rest = np.minimum(rest, 1.0)
        own = np.where(is_positive, chances[place], rest)
        missed = np.where(is_positive, rest, chances[place])
        # What no float64 holds counts as the smallest one: the sum of losses stays a number.
        made.append(_Chances(chances[place], missed, -FUNCTIONS["log"](np.maximum(own, _SMALLEST))))
    return made


def _oppose(link: Link | None, score: Floats, is_positive: NDArray[np.bool_]) -> _Chances:
    """Return the chances of a score by itself: its link is that of a reference and a category."""
    from matscore.links import find_losses, find_probabilities

    link = "logistic" if link in (None, "one-vs-rest") else link
    pair, truth = np.vstack([np.zeros_like(score), score]), is_positive.astype(np.int64)
    rest, chance = find_probabilities(link, pair, reference=True)
    losses = find_losses(link, pair, truth, reference=True)
    return _Chances(chance, np.where(is_positive, rest, chance), losses)
