"""Logistic regression by Newton's method, over rows that need not be in memory.

The weights minimise the sum of ``-log(probability of the truth)`` plus ``alpha / 2 |w|²``; the
intercept has no penalty (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd
ed., section 4.4). Of two categories there is one column of weights, as everywhere else.

Each step solves ``H s = -g`` by conjugate gradients, a pass over the rows each, which are
conditioned by the curvature of a sample (`curvature`): where that is all rows one pass is enough
(Nocedal and Wright, Numerical Optimization, 2nd ed., section 7.1). The search ends when the
gradient is rounding, so that where it went matters to no digit that is told. Rows are added up in
blocks of a fixed size, in order: the same bits for every chunk and number of jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from matscore.items import KeptRows
from matscore.kernel import Floats
from matscore.numerics.curvature import Inverse, invert_curvature

# OpenBLAS gives products of more multiplications to threads, which then wait for more at the cost
# of a processor; several products of this size run beside each other instead.
_PRODUCT = 2**18
_LEAST_ROWS, _MOST_ROWS = 64, 4096  # of a block
_MOST_CHANCES = 2**22  # probabilities that are kept from one pass to the next
_FAR = 16.0  # deviations of a mean from 0
_MOST_STEPS, _MOST_PRODUCTS, _MOST_HALVINGS = 200, 500, 40
# Of the decrement, sqrt(gᵀ H⁻¹ g), which counts in standard errors: what is aimed at, and what is
# taken for rounding where it shrinks no more; for one weight.
_AIM, _ROUNDING = 1e-12, 1e-9
_DESCENT = 1e-4  # Armijo's condition: Nocedal and Wright, section 3.1
_LOSS_ROUNDING = 1e-13, 1e-15  # of the loss, and of each row by chance
_CERTAIN = 0.69  # a loss under log 2 is a prediction that is right
_EXACTNESS, _EXACT = 0.25, 1e-10
_SUSPECT = 12  # steps after which separation is looked for
_LEANING = 1e-9

Result = TypeVar("Result")


@dataclass(frozen=True)
class Examples:
    """Rows whose categories are known."""

    kept: KeptRows  # (n_rows, n_stored + 1): the last is a number of the category
    places: NDArray[np.int64]  # (n_categories,): the place of the category with that number
    n_features: int
    expand: Callable[[Floats], Floats] | None = None  # makes features, (n, n_rows), of what is kept
    run: Callable[[Callable[[int], Any], Iterable[int]], Iterable[Any]] = map  # in order
    on_pass: Callable[[], None] = lambda: None  # called before each look at all rows

    def read(self, stripe: int) -> tuple[Floats, NDArray[np.int64]]:
        """Return the features of some rows, (n, n_features), and their categories' places."""
        rows = self.kept[stripe]
        stored, codes = rows[:, :-1], rows[:, -1].astype(np.int64)
        return stored if self.expand is None else self.expand(stored.T).T, self.places[codes]

    def map(self, function: Callable[[int], Result]) -> Iterable[Result]:
        """Apply a function to the number of each stripe; results come in order."""
        self.on_pass()
        return self.run(function, range(len(self.kept)))


@dataclass(frozen=True)
class Units:
    """How features are moved and scaled for the search, which changes no answer."""

    base: Floats  # (n_features,): what is taken off where it is large: sums would lose digits to it
    rest: Floats  # (n_features,): the rest of the mean, which is taken off sums
    unit: Floats  # (n_features,): what is divided by: the spread, or 1 where there is none
    deviation: Floats  # (n_features,): from the mean; the same with an intercept
    is_constant: NDArray[np.bool_]  # of one value, or without an intercept of zeros

    @property
    def mean(self) -> Floats:
        """What is taken off: nothing without an intercept."""
        return self.base + self.rest


@np.errstate(over="ignore", invalid="ignore")
def find_units(examples: Examples, *, intercept: bool) -> Units:
    """Look at all rows twice: for the means, then for what is left."""

    def find_mean(centre: Floats, power: int) -> Floats:
        def add(stripe: int) -> Floats:
            left = examples.read(stripe)[0] - centre
            return np.asarray((left if power == 1 else left * left).sum(axis=0))

        return np.asarray(sum(examples.map(add)) / examples.kept.n_rows)

    # Differences from the first row are exactly 0 where a feature is constant.
    first = examples.read(0)[0][0].copy()
    mean = first + find_mean(first, 1)
    deviation = np.sqrt(find_mean(mean, 2))
    if not intercept:
        nothing = np.zeros_like(mean)
        size = np.hypot(deviation, mean)
        return Units(nothing, nothing, np.where(size > 0, size, 1.0), deviation, size == 0)
    base = np.where(np.abs(mean) > _FAR * deviation, mean, 0.0)
    unit = np.where(deviation > 0, deviation, 1.0)
    return Units(base, mean - base, unit, deviation, deviation == 0)


@dataclass(frozen=True)
class Point:
    """What is known of some weights, from one pass over the rows."""

    weights: Floats  # (n_groups, n_features + 1)
    loss: float
    gradient: Floats
    doubt: float  # the sum of p (1 - p)
    worst: float  # the largest loss of a row
    # By stripe, the probabilities of each block, (n_groups, n_rows), where there is room for them.
    chances: dict[int, list[Floats]]


@dataclass(frozen=True)
class Problem:
    """What is minimised; a category is a group of weights, the second of two alone."""

    examples: Examples
    units: Units
    penalty: Floats  # (n_features + has_intercept,): of each squared weight of a group, halved
    has_intercept: bool
    n_groups: int

    @property
    def shape(self) -> tuple[int, int]:
        """Groups, and weights of each."""
        return self.n_groups, len(self.penalty)

    def look(self, weights: Floats) -> Point:
        """Find loss and gradient."""
        product = self.make_product(weights)
        n_chances = self.examples.kept.n_rows * self.n_groups
        kept: dict[int, list[Floats]] = {}

        def add(stripe: int) -> tuple[float, Floats, float, float]:
            loss, gradient, doubt, worst = 0.0, np.zeros(self._sums), 0.0, 0.0
            blocks = []
            for x, truth in self.iter_blocks(stripe):
                losses, chances = _judge(product(x), truth)
                loss += float(losses.sum())
                worst = max(worst, float(losses.max()))
                doubt += float((chances * (1.0 - chances)).sum())
                blocks.append(chances)
                _add_products(gradient, _subtract_truth(chances, truth), x)
            if n_chances <= _MOST_CHANCES:
                kept[stripe] = blocks
            return loss, gradient, doubt, worst

        losses, gradients, doubts, worst = zip(*self.examples.map(add), strict=True)
        loss = sum(losses) + 0.5 * float((self.penalty * weights * weights).sum())
        gradient = self._finish(sum(gradients), weights)
        return Point(weights, loss, gradient, sum(doubts), max(worst), kept)

    def multiply(self, point: Point, direction: Floats) -> Floats:
        """Multiply the second derivatives at a point by a direction."""
        product = self.make_product(direction)

        def add(stripe: int) -> Floats:
            total = np.zeros(self._sums)
            for x, chances in self.iter_chances(stripe, point):
                slopes = product(x)
                slopes -= np.einsum("ij,ij->j", chances, slopes)
                slopes *= chances
                _add_products(total, slopes, x)
            return total

        return self._finish(sum(self.examples.map(add)), direction)

    def centre(self, values: Floats) -> Floats:
        """Take off what is alike in all categories, which changes no probability."""
        return values - values.mean(axis=0) if self.n_groups > 1 else values

    def iter_blocks(self, stripe: int) -> Iterator[tuple[Floats, NDArray[np.int64]]]:
        """Yield the blocks of a stripe: features without their base, and categories."""
        features, truth = self.examples.read(stripe)
        if self.units.base.any():
            features = features - self.units.base
        height = min(max(_PRODUCT // (self.n_groups * len(self.penalty)), _LEAST_ROWS), _MOST_ROWS)
        for start in range(0, len(features), height):
            some = slice(start, start + height)
            yield features[some], truth[some]

    def iter_chances(self, stripe: int, point: Point) -> Iterator[tuple[Floats, Floats]]:
        """Yield the blocks of a stripe with the probabilities of each group."""
        product, known = self.make_product(point.weights), iter(point.chances.get(stripe, ()))
        for x, _ in self.iter_blocks(stripe):
            chances = next(known, None)
            yield x, _find_chances(product(x))[1] if chances is None else chances

    def find_chances(self, stripe: int, point: Point) -> tuple[Floats, Floats]:
        """Return a stripe without its base, and the probabilities of each group."""
        blocks, chances = zip(*self.iter_chances(stripe, point), strict=True)
        return np.concatenate(blocks), np.concatenate(chances, axis=1)

    def scale(self, x: Floats) -> Floats:
        """Return rows of a block in the units of the search: what is multiplied by weights."""
        scaled = (x - self.units.rest) / self.units.unit
        return np.hstack([scaled, np.ones((len(x), 1))]) if self.has_intercept else scaled

    def make_product(self, weights: Floats) -> Callable[[Floats], Floats]:
        """Return what makes scores, (n_groups, n_rows), of a block."""
        # The scaling is of the weights, which are fewer than the rows.
        scaled = np.ascontiguousarray((weights[:, : len(self.units.unit)] / self.units.unit).T)
        constants = -self.units.rest @ scaled
        if self.has_intercept:
            constants += weights[:, -1]

        def multiply(x: Floats) -> Floats:
            scores = np.ascontiguousarray((x @ scaled).T)
            scores += constants[:, None]
            return scores

        return multiply

    @property
    def _sums(self) -> tuple[int, int]:
        return self.n_groups, len(self.units.unit) + 1

    def _finish(self, sums: Any, weights: Floats) -> Floats:
        """Make derivatives of sums over the rows, and add those of the penalty."""
        total: Floats = (sums[:, :-1] - sums[:, -1:] * self.units.rest) / self.units.unit
        if self.has_intercept:
            total = np.hstack([total, sums[:, -1:]])
        return self.centre(total + self.penalty * weights)


def _add_products(total: Floats, factors: Floats, x: Floats) -> None:
    """Add the products with features, and what they are without."""
    total[:, :-1] += factors @ x
    total[:, -1] += factors.sum(axis=1)


def _find_chances(scores: Floats) -> tuple[Floats, Floats]:
    """Return the logarithm of what the powers add up to, and each one's share.

    Of one group, the score of the other is 0. The scores are used up.
    """
    top = scores.max(axis=0)
    top = np.maximum(top, 0.0) if len(scores) == 1 else top
    scores -= top
    powers = np.exp(scores, out=scores)
    total = powers.sum(axis=0)
    total += np.exp(-top) if len(scores) == 1 else 0.0
    powers /= total
    return np.log(total) + top, powers


def _judge(scores: Floats, truth: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the loss of each row, and the probabilities."""
    rows = np.arange(len(truth))
    is_one = len(scores) == 1
    own = scores[0] * truth if is_one else scores[truth, rows]
    sums, chances = _find_chances(scores)
    right = np.where(truth == 1, chances[0], 1.0 - chances[0]) if is_one else chances[truth, rows]
    # The difference of what is large would hide how little the last steps gain.
    return np.where(right > 0.5, -np.log(np.maximum(right, 0.5)), sums - own), chances


def _subtract_truth(chances: Floats, truth: NDArray[np.int64]) -> Floats:
    left = chances.copy()
    if len(left) == 1:
        left[0] -= truth
    else:
        left[truth, np.arange(len(truth))] -= 1.0
    return left


@dataclass(frozen=True)
class LogisticFit:
    """Weights of a logistic regression."""

    # (n_features, n_categories), one column a category, of two as well: the second's are half of
    # what the score is made with, and the first's are their negatives.
    weights: Floats
    intercept: Floats | None  # (n_categories,); None where none was fitted
    n_steps: int
    gradient: float  # sqrt(gᵀ H⁻¹ g) at the end
    is_constant: NDArray[np.bool_]  # (n_features,)


class SearchError(Exception):
    """There are no weights: in a direction, of `Problem.shape`, the loss falls without end."""

    def __init__(self, direction: Floats | None = None) -> None:
        super().__init__(direction)
        self.direction = direction


def fit_logistic(
    examples: Examples,
    *,
    alpha: float = 1.0,
    intercept: bool = True,
    standardize: bool = False,
) -> LogisticFit | None:
    """Find the weights whose softmax gives the categories best; None where they are too large.

    `examples` have a row of each category, of which there are two or more. With `standardize` the
    penalty is on features of mean 0 and standard deviation 1; the weights are for the features as
    they are all the same.
    """
    units = find_units(examples, intercept=intercept)
    if not np.isfinite(units.unit).all():
        return None
    scale = np.where(units.deviation > 0, units.deviation, 1.0) if standardize else 1.0
    # More than that is nothing but a weight of 0.
    penalty = np.minimum(alpha * (scale / units.unit) ** 2, 1e100)
    n_categories = len(examples.places)
    problem = Problem(
        examples,
        units,
        np.append(penalty, 0.0) if intercept else penalty,
        intercept,
        1 if n_categories == 2 else n_categories,
    )
    point, n_steps, decrement = _search(problem, is_free=alpha == 0)
    groups = point.weights
    if n_categories == 2:
        groups = np.vstack([-groups / 2, groups / 2])
    weights = np.ascontiguousarray((groups[:, : examples.n_features] / units.unit).T)
    constants = groups[:, -1] - units.mean @ weights if intercept else None
    return LogisticFit(weights, constants, n_steps, decrement, units.is_constant)


def _search(problem: Problem, *, is_free: bool) -> tuple[Point, int, float]:
    """Return the end of the search, its steps, and the decrement there."""
    point = problem.look(np.zeros(problem.shape))
    size = float(np.sqrt(point.weights.size))
    before = np.inf
    for n_steps in range(_MOST_STEPS):
        if is_free and point.worst < _CERTAIN:
            raise SearchError(point.weights)
        inverse = invert_curvature(problem, point)
        decrement = _measure(point.gradient, problem.centre(inverse(point.gradient)))
        is_rounding = decrement <= _ROUNDING * size and decrement > before / 2
        if decrement <= _AIM * size or is_rounding:
            return point, n_steps, decrement
        # As exact as the step can use; the last one as it takes to be the last.
        exactness = max(min(_EXACTNESS, decrement), 0.1 * _AIM * size / decrement)
        is_suspect = is_free and n_steps >= _SUSPECT
        step = _find_step(problem, point, inverse, _EXACT if is_suspect else exactness)
        if is_suspect and _never_loses(problem, step):
            raise SearchError(step)
        point, before = _go(problem, point, step), decrement
    raise SearchError


def _measure(gradient: Floats, step: Floats) -> float:
    """Return the decrement, 0 where it is rounding."""
    return float(np.sqrt(max((gradient * step).sum(), 0.0)))


def _never_loses(problem: Problem, direction: Floats) -> bool:
    """Say whether a direction makes no row's truth less likely and some more, but for rounding."""
    product = problem.make_product(direction)

    def look(stripe: int) -> tuple[float, float]:
        least, most = np.inf, -np.inf
        for x, truth in problem.iter_blocks(stripe):
            scores = product(x)
            if len(scores) == 1:
                gains = np.where(truth == 1, scores[0], -scores[0])
            else:
                rows = np.arange(len(truth))
                own = scores[truth, rows]
                scores[truth, rows] = -np.inf
                gains = own - scores.max(axis=0)
            least, most = min(least, float(gains.min())), max(most, float(gains.max()))
        return least, most

    least, most = np.array(list(problem.examples.map(look))).T
    return bool(most.max() > 0 and least.min() >= -_LEANING * most.max())


def _find_step(problem: Problem, point: Point, inverse: Inverse, exactness: float) -> Floats:
    """Solve ``H s = -g`` by conjugate gradients (Nocedal and Wright, algorithm 5.3)."""
    step, left = np.zeros(problem.shape), point.gradient
    conditioned = problem.centre(inverse(left))
    direction, length = -conditioned, float((left * conditioned).sum())
    enough = exactness**2 * length
    for _ in range(_MOST_PRODUCTS):
        product = problem.multiply(point, direction)
        curvature = float((direction * product).sum())
        if not curvature > 0:  # what is left is rounding
            break
        step = step + (length / curvature) * direction
        left = left + (length / curvature) * product
        conditioned = problem.centre(inverse(left))
        before, length = length, float((left * conditioned).sum())
        if length <= enough:
            break
        direction = (length / before) * direction - conditioned
    return step


def _go(problem: Problem, point: Point, step: Floats) -> Point:
    """Go along a step, as far as the loss falls."""
    slope, share = float((point.gradient * step).sum()), 1.0
    relative, each = _LOSS_ROUNDING
    rounding = relative * point.loss + each * float(np.sqrt(problem.examples.kept.n_rows))
    for _ in range(_MOST_HALVINGS):
        there = problem.look(point.weights + share * step)
        if there.loss <= point.loss + _DESCENT * share * slope + rounding:
            return there
        share /= 2
    raise SearchError
