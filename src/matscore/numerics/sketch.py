"""Distributions of columns of numbers in a few thousand integers each.

A sketch counts numbers in bins of one relative width, as DDSketch does (Masson, Rim and Lee 2019,
"DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees", VLDB 12(12),
2195-2205). The bins are those of the HDR histogram, 64 to each power of two, since these are the
first bits of a number as float32: a bin is found with one shift, and counts are integers, so that
sketches add up to the same whatever the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from matscore.kernel import Floats

RELATIVE_WIDTH = 1 / 64
"""How far a quantile may be from the number that has that rank, relatively."""

_STEPS = 6  # bits of the mantissa that tell bins apart
_SHIFT = 23 - _STEPS
_SIGN = 1 << (8 + _STEPS)
_SMALLEST = 1 << _STEPS  # the first bin of normal numbers; smaller ones count as zero
_LARGEST = 255 << _STEPS  # infinity, to which float32 rounds what is larger than it holds
_BIAS = 127

Counts = NDArray[np.int64]


class _Bins(NamedTuple):
    """The bins of one column that are in use: negative numbers, then positive ones."""

    missing: int
    zero: int
    start: int
    bins: Counts


@dataclass(frozen=True)
class Sketch:
    """The distribution of each of some columns."""

    low: Floats  # (n_columns,): the smallest number, exactly; an infinity where there is none
    high: Floats  # (n_columns,): the largest
    missing: Counts  # (n_columns,): how many are NaN
    zero: Counts  # (n_columns,): how many are zero, or smaller than float32 can hold
    start: int  # the bin that `bins` start with
    bins: NDArray[np.int64]  # (2, n_columns, n_bins): negative numbers, and positive ones, by bin

    def __add__(self, other: Sketch) -> Sketch:
        start, n_bins = _span((one.start, one.bins.shape[2]) for one in (self, other))
        bins = np.zeros((*self.bins.shape[:2], n_bins), dtype=np.int64)
        for one in (self, other):
            at = one.start - start
            bins[:, :, at : at + one.bins.shape[2]] += one.bins
        return Sketch(
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.missing + other.missing,
            self.zero + other.zero,
            start,
            bins,
        )

    @property
    def n_numbers(self) -> Counts:
        """How many numbers each column has, NaN not counted; of shape (n_columns,)."""
        counts: Counts = self.zero + self.bins.sum(axis=(0, 2))
        return counts

    def quantiles(self, column: int, shares: Sequence[float]) -> list[float]:
        """Return the numbers of some ranks, from 0 to 1; NaN where there are no numbers.

        Each is at most `RELATIVE_WIDTH` nearer to zero than the number of that rank; 0 and 1 are
        exact.
        """
        left, right, counts = self._in_order(column)
        n_all = int(counts.sum())
        if not n_all:
            return [float("nan")] * len(shares)
        low, high = float(self.low[column]), float(self.high[column])
        nearer = np.where(left < 0, right, left)
        ranks = [min(int(share * n_all), n_all - 1) for share in shares]
        places = np.searchsorted(np.cumsum(counts), ranks, side="right")
        inner = [min(max(float(nearer[place]), low), high) for place in places]
        ends: dict[float, float] = {0: low, 1: high}
        return [ends.get(share, value) for share, value in zip(shares, inner, strict=True)]

    def histogram(self, column: int, edges: Floats) -> Floats:
        """Return how many numbers lie between rising edges, (n + 1,); others are left out.

        A bin that lies across an edge is shared out by length, so that counts are not whole.
        """
        left, right, counts = self._in_order(column)
        low, high = float(self.low[column]), float(self.high[column])
        shared = np.zeros(len(edges) - 1)
        bins = zip(np.clip(left, low, high), np.clip(right, low, high), counts, strict=True)
        for start, stop, count in bins:
            if start == stop:
                place = int(np.searchsorted(edges, start, side="right")) - 1
                place -= int(start == edges[-1])
                if 0 <= place < len(shared):
                    shared[place] += count
                continue
            first = max(int(np.searchsorted(edges, start, side="right")) - 1, 0)
            last = min(int(np.searchsorted(edges, stop, side="left")), len(shared))
            parts = np.minimum(edges[first + 1 : last + 1], stop) - np.maximum(
                edges[first:last], start
            )
            shared[first:last] += np.maximum(parts, 0.0) * (count / (stop - start))
        return shared

    def _in_order(self, column: int) -> tuple[Floats, Floats, Counts]:
        """Return the ends of the bins that are in use, from the lowest, and their counts."""
        edges = edge_of(np.arange(self.start, self.start + self.bins.shape[2] + 1))
        zero, (negative, positive) = self.zero[column : column + 1], self.bins[:, column]
        left = np.concatenate([-edges[:0:-1], [0.0], edges[:-1]])
        right = np.concatenate([-edges[-2::-1], [0.0], edges[1:]])
        counts = np.concatenate([negative[::-1], zero, positive])
        used = counts > 0
        return left[used], right[used], counts[used]


def sketch_nothing(n_columns: int) -> Sketch:
    """Return the sketch of columns without numbers."""
    return sketch_columns([np.empty(0)] * n_columns)


def sketch_columns(columns: Sequence[Floats]) -> Sketch:
    """Sketch some columns, each (n_rows,); NaN is counted apart."""
    counted = [_count_bins(column) for column in columns]
    start, n_bins = _span((one.start, one.bins.shape[1]) for one in counted)
    bins = np.zeros((2, len(columns), n_bins), dtype=np.int64)
    for i, one in enumerate(counted):
        bins[:, i, one.start - start : one.start - start + one.bins.shape[1]] = one.bins
    return Sketch(
        # Both pass over NaN.
        np.array([np.fmin.reduce(column, initial=np.inf) for column in columns]),
        np.array([np.fmax.reduce(column, initial=-np.inf) for column in columns]),
        np.array([one.missing for one in counted], dtype=np.int64),
        np.array([one.zero for one in counted], dtype=np.int64),
        start,
        bins,
    )


def edge_of(bins: NDArray[np.int64]) -> Floats:
    """Return the ends of bins that are nearer to zero.

    Examples
    --------
    >>> edge_of(np.array([127, 128]) * 64).tolist()
    [1.0, 2.0]
    """
    power, step = np.divmod(bins, 1 << _STEPS)
    edges: Floats = np.ldexp(1.0 + step / (1 << _STEPS), power - _BIAS)
    return edges


def _span(parts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Return where runs of bins start, and how many bins hold them all; empty ones are nowhere."""
    ends = [(start, start + n_bins) for start, n_bins in parts if n_bins]
    if not ends:
        return 0, 0
    first = min(start for start, _ in ends)
    return first, max(stop for _, stop in ends) - first


@np.errstate(over="ignore", invalid="ignore", under="ignore")
def _count_bins(column: Floats) -> _Bins:
    keys = column.astype(np.float32).view(np.uint32) >> _SHIFT
    positive, negative = np.bincount(keys.astype(np.int64), minlength=2 * _SIGN).reshape(2, _SIGN)
    both = positive + negative
    used = np.flatnonzero(both[_SMALLEST : _LARGEST + 1] > 0)  # of bool it is four times as fast
    start, stop = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
    start, stop = start + _SMALLEST, stop + _SMALLEST
    return _Bins(
        int(both[_LARGEST + 1 :].sum()),
        int(both[:_SMALLEST].sum()),
        start,
        np.stack([negative[start:stop], positive[start:stop]]),
    )
