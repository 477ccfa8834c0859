"""Links: what turns scores, which are linear predictors, into the answer of the model's own tool.

`plan.headings` reads the link's name in the corner cell of a weights file; without one it is the
softmax, or the logistic function for a single category. Nothing is used but operations
that every processor rounds alike, the kernel's `exp` and `functions`: the same bits everywhere.

Scores are of shape (n_categories, n_rows), and so is what is made of them; NaN stays NaN. With a
`reference` there are two categories and the first one's scores are all 0: it has what the second
one leaves of 1.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from matscore.functions import FUNCTIONS, add_exactly, in_blocks, multiply_exactly, sum_series
from matscore.kernel import Floats, exp
from matscore.options import Link

_log, _log1p = FUNCTIONS["log"], FUNCTIONS["log1p"]


def refuse_probabilities(link: Link, n_categories: int, *, reference: bool) -> tuple[str, str]:
    """Say why a link gives no probabilities, and what to do; empty where it gives some."""
    if link in ("exp", "identity"):
        hint = "--response gives e^score"
        if link == "identity":
            hint = "of a classifier's scores, take the link out of the corner cell"
        return f"its link is {link}, which gives no probabilities", hint
    if link in ("probit", "cloglog") and n_categories > 1 and not reference:
        what = f"its link is {link}, which gives no probabilities for {n_categories} categories"
        hint = "it takes one, or two of which the first is 0 throughout; --response gives each"
        return what, hint
    return "", ""


@np.errstate(over="ignore", invalid="ignore")
def find_probabilities(link: Link, scores: Floats, *, reference: bool) -> Floats:
    """Turn scores into probabilities, where `refuse_probabilities` has nothing to say.

    They add up to 1 for one-vs-rest and with a reference; else each category has its own.
    """
    if link == "one-vs-rest" and len(scores) > 1 and not reference:
        weights, total = _weigh(scores)
        return weights / total
    return find_response(link, scores, reference=reference)


@np.errstate(over="ignore", invalid="ignore")
def find_response(link: Link, scores: Floats, *, reference: bool) -> Floats:
    """Return the inverse link of each score."""
    if link == "identity":
        return scores
    if link == "exp":
        return exp(scores)
    if reference:
        return np.vstack([_invert(link, scores[1:], rest=True), _invert(link, scores[1:])])
    return _invert(link, scores)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def find_losses(link: Link, scores: Floats, truth: NDArray[np.int64], *, reference: bool) -> Floats:
    """Return ``-log(probability of the truth)``, (n_rows,), also where the probability is tiny."""
    own = np.take_along_axis(scores, truth[None], axis=0)
    if link == "one-vs-rest" and len(scores) > 1 and not reference:
        shift = np.minimum(scores.max(axis=0), 0.0)
        logs = np.minimum(own, 0.0) - shift - _log1p(exp(-np.abs(own))) - _log(_weigh(scores)[1])
    elif reference:
        logs = np.take_along_axis(np.vstack(_log_both(link, scores[1:])), 1 - truth[None], axis=0)
    else:
        logs = _log_both(link, own)[0]
    # A loss that no float64 holds counts as the largest one: the sum of losses stays a number.
    losses: Floats = np.minimum(-logs[0], np.finfo(np.float64).max)
    return losses


def _invert(link: Link, scores: Floats, *, rest: bool = False) -> Floats:
    """Return the inverse link, F, or 1 - F without cancellation."""

    def invert(block: Floats) -> Floats:
        block = block[None]  # a matrix, as the kernel's exp wants
        if link == "cloglog":
            made = _cloglog(block)[rest]
        else:
            made = (_normal if link == "probit" else _logistic)(-block if rest else block)
        return made.ravel()

    return in_blocks(invert, scores)


def _log_both(link: Link, scores: Floats) -> tuple[Floats, Floats]:
    """Return log F and log(1 - F)."""
    if link == "probit":
        return _log_normal(scores), _log_normal(-scores)
    if link == "cloglog":
        power = exp(scores)
        # 1 - exp(-u) = u (1 - u Q): small probabilities are those of small powers.
        small = scores + _log1p(-power * _quotient(power))
        return np.where(scores < _SMALL, small, _log(_cloglog(scores)[0])), -power
    shared = _log1p(exp(-np.abs(scores)))
    return np.minimum(scores, 0.0) - shared, np.minimum(-scores, 0.0) - shared


def _logistic(scores: Floats) -> Floats:
    shrunk = exp(-np.abs(scores))  # cannot overflow
    return np.where(scores >= 0, 1.0, shrunk) / (1.0 + shrunk)


def _weigh(scores: Floats) -> tuple[Floats, Floats]:
    """Return the logistic functions and their sum, both scaled up where all scores are negative.

    So no row has zeros alone, which have no sum to be divided by: scikit-learn gives NaN there
    (`LinearClassifierMixin`) or leaves the zeros (`OneVsRestClassifier`), here is the limit.
    """
    shift = np.minimum(scores.max(axis=0), 0.0)
    shrunk = exp(-np.abs(scores))
    weights = np.where(scores >= 0, 1.0, exp(np.minimum(scores, 0.0) - shift)) / (1.0 + shrunk)
    total = np.zeros(scores.shape[1])
    for row in weights:  # a fixed order of addition, as in `softmax`
        total += row
    return weights, total


# The tail of the normal distribution is Φ(-x) = e^(-x²/2) G(t) / (1 + x), where G is nearly flat in
# t = (x - 4) / (x + 4) and one polynomial serves all x from 0 on (Shepherd and Laframboise 1981,
# "Chebyshev approximation of (1 + 2x) exp(x²) erfc x", Mathematics of Computation 36). These are
# the powers of its Chebyshev series, made with 60 digits; what is left out is 2**-57 of G.
_TAIL = (
    0.47205320650984467, -0.09670347732652577, 0.013999634724424333, 0.02860036405354698,
    -0.03219783742802203, 0.017936097479808313, -0.005002378592511494, -0.0002856231002340135,
    0.0006948971219073166, -9.443023204456728e-05, -8.785330394797745e-05, 2.1249915729449347e-05,
    1.3627395285352675e-05, -3.4316562688625695e-06, -2.6144101706596152e-06, 4.029912427574402e-07,
    5.548340462207789e-07, 4.242344418455241e-09, -1.1446850712758079e-07, -2.3315488161994284e-08,
    2.0257667136861587e-08, 8.858538843412722e-09, -2.6180348731255444e-09, -1.9068104342795297e-09,
    1.7873545221852654e-10, 1.9687739411572552e-10,
)  # fmt: skip
_FAR = 40.0  # the tail is 0 in float64
_HUGE = 1e150  # its square is not


def _normal(scores: Floats) -> Floats:
    """Return Φ, the standard normal distribution."""
    tail = _tail(np.minimum(np.abs(scores), _FAR))
    return np.where(scores < 0, tail, 1.0 - tail)


def _log_normal(scores: Floats) -> Floats:
    x = np.minimum(np.abs(scores), _HUGE)
    square, rest = multiply_exactly(x, x)
    low = _log(sum(_flat(x)) / (1.0 + x)) - square / 2 - rest / 2
    return np.where(scores < 0, low, _log1p(-_tail(np.minimum(x, _FAR))))


def _tail(x: Floats) -> Floats:
    """Return Φ(-x) for x from 0 to 40, within 2 ulp."""
    square, rest = multiply_exactly(x, x)
    power = exp(-square / 2)
    flat, flat_rest = _flat(x)
    above, above_rest = multiply_exactly(power, flat)
    below, below_rest = add_exactly(1.0, x)
    quotient = above / below
    product, product_rest = multiply_exactly(quotient, below)
    # All that was rounded away so far, to first order.
    missing = above - product - product_rest + above_rest + power * flat_rest
    missing = (missing - quotient * below_rest) / below - quotient * rest / 2
    tail: Floats = quotient + missing
    return tail


def _flat(x: Floats) -> tuple[Floats, Floats]:
    """Return G, and what is to be added to it."""
    shifted = x + 4.0
    t = (x - 4.0) / shifted
    product, product_rest = multiply_exactly(t, shifted)
    t_rest = (x - 4.0 - product - product_rest) / shifted
    slope = np.full_like(t, _TAIL[-1])
    for factor in _TAIL[-2:0:-1]:
        slope = slope * t + factor
    step, step_rest = multiply_exactly(t, slope)
    flat, flat_rest = add_exactly(_TAIL[0], step)
    return flat, flat_rest + step_rest + t_rest * slope


# u = e^score is small where 1 - e^-u cancels; it needs more digits than float64 where e^-u does not
# vanish, since an error in u is one of as many ulps in e^-u.
_SMALL, _LOW, _HIGH = -0.36, -1.0, 7.0
_HALVINGS = 9


def _cloglog(scores: Floats) -> tuple[Floats, Floats]:
    """Return 1 - exp(-exp(score)), and what it leaves of 1."""
    near = (scores >= _LOW) & (scores <= _HIGH)
    high, low = _power_pair(np.clip(scores, _LOW, _HIGH))
    power, rest = np.where(near, high, exp(scores)), np.where(near, low, 0.0)
    above = exp(-power)
    above = above - above * rest
    below = power + (rest - power * power * _quotient(power))
    return np.where(scores < _SMALL, below, 1.0 - above), above


def _quotient(u: Floats) -> Floats:
    """Return (u - 1 + e^-u) / u², for u up to 0.7, by its Taylor series."""
    return sum_series(np.minimum(u, 0.7), 2, 17, lambda n: (-1) ** n * math.factorial(n))


def _power_pair(x: Floats) -> tuple[Floats, Floats]:
    """Return e^x from -1 to 7 as a sum of two float64: the Taylor series of x / 2**9, squared."""
    r = x / 2.0**_HALVINGS  # exact
    square, square_rest = multiply_exactly(r, r)
    series = sum_series(r, 3, 8, math.factorial)
    high, first = add_exactly(1.0, r)
    high, second = add_exactly(high, square / 2)
    high, low = add_exactly(high, first + second + (square_rest / 2 + square * r * series))
    for _ in range(_HALVINGS):
        product, rest = multiply_exactly(high, high)
        high, low = add_exactly(product, rest + 2.0 * high * low)
    return high, low
