"""Rankings of rows by a number: each number once, with its counts by truth, in flat memory.

All that an area under a curve depends on are the distinct numbers and how many rows of either
truth have each. They are counts: rankings of rows cut in any way add up to the same. Past a limit
they go to a temporary file, sorted, and come back merged: memory does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from matscore.items import SpilledRows
from matscore.kernel import Floats

MOST_IN_MEMORY = 2**18  # distinct numbers, of 24 bytes each
_MERGED_AT_ONCE = 16
_BLOCK = 2**17  # numbers that are merged at a time
_WIDTH = 3  # the number, rows that are negative, rows that are positive: exact up to 2**53


@dataclass(frozen=True)
class Run:
    """Some rankings, one behind the other, each in ascending order of its distinct numbers."""

    starts: NDArray[np.int64]  # (n_rankings + 1,): where each ranking starts and the last one ends
    rows: Floats | SpilledRows  # (n, 3)
    level: int = 0  # how often what is in a file was merged

    def __len__(self) -> int:
        return int(self.starts[-1] - self.starts[0])


@dataclass(frozen=True)
class Rankings:
    """Rankings of the same rows, which add up."""

    n_rankings: int
    runs: tuple[Run, ...] = ()  # in memory
    spilled: tuple[Run, ...] = ()
    most: int = MOST_IN_MEMORY

    def __add__(self, other: Rankings) -> Rankings:
        runs, spilled = self.runs + other.runs, self.spilled + other.spilled
        if sum(map(len, runs)) > self.most:
            merged = merge_runs(runs, self.n_rankings)
            runs = (merged,)
            # Few distinct numbers stay few: only what is half of the limit makes room by leaving.
            if len(merged) > self.most // 2:
                runs, spilled = (), _spill(merged, spilled, self.n_rankings)
        return replace(self, runs=runs, spilled=spilled)

    def iter_rows(self, ranking: int) -> Iterator[Floats]:
        """Yield a ranking in ascending order, (n, 3) at a time; each number comes once."""
        runs = [merge_runs(self.runs, self.n_rankings)] if self.runs else []
        return iter_merged([*runs, *self.spilled], ranking)


def rank_rows(numbers: Sequence[Floats], truths: Sequence[NDArray[np.bool_]]) -> Rankings:
    """Rank rows by each of some numbers, (n_rows,) and not NaN; a truth says who is positive."""
    parts = []
    for values, truth in zip(numbers, truths, strict=True):
        # Added 0, so that -0.0 and 0.0, which are equal, are one number in any order.
        rows = np.column_stack([values + 0.0, ~truth, truth])
        parts.append(_merge(rows))
    return Rankings(len(parts), (_stack(parts),))


def merge_runs(runs: Sequence[Run], n_rankings: int) -> Run:
    """Merge runs that are in memory."""
    return _stack(
        [
            _merge(np.concatenate([run.rows[run.starts[i] : run.starts[i + 1]] for run in runs]))
            for i in range(n_rankings)
        ]
    )


def iter_merged(runs: Sequence[Run], ranking: int) -> Iterator[Floats]:
    """Yield one ranking of several runs in ascending order; each number comes once."""
    step = max(_BLOCK // max(len(runs), 1), 1)
    places = [[int(run.starts[ranking]), int(run.starts[ranking + 1])] for run in runs]
    heads = [np.empty((0, _WIDTH)) for _ in runs]
    while True:
        for i, run in enumerate(runs):
            at, stop = places[i]
            if not len(heads[i]) and at < stop:
                places[i][0] = min(at + step, stop)
                heads[i] = run.rows[at : places[i][0]]
        # Up to here every run is known: the next number of each is higher.
        known = [head[-1, 0] for head, (at, stop) in zip(heads, places, strict=True) if at < stop]
        bound = min(known, default=np.inf)
        cuts = [int(np.searchsorted(head[:, 0], bound, side="right")) for head in heads]
        if not any(cuts):
            return
        yield _merge(np.concatenate([h[:cut] for h, cut in zip(heads, cuts, strict=True)]))
        heads = [head[cut:] for head, cut in zip(heads, cuts, strict=True)]


def _merge(rows: Floats) -> Floats:
    """Sort rows and add up those of one number."""
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    numbers = rows[:, 0]
    first = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1])[: len(rows)])
    if len(first) == len(rows):
        return rows
    return np.column_stack([numbers[first], np.add.reduceat(rows[:, 1:], first)])


def _stack(parts: Sequence[Floats]) -> Run:
    starts = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=starts[1:])
    return Run(starts, np.concatenate([np.empty((0, _WIDTH)), *parts]))


def _spill(run: Run, spilled: tuple[Run, ...], n_rankings: int) -> tuple[Run, ...]:
    """Write a run behind those in files; merge these where there are many of one size."""
    file = SpilledRows(_WIDTH, "distinct scores")
    file.append(run.rows[:])
    spilled = (*spilled, replace(run, rows=file))
    while len(last := spilled[-_MERGED_AT_ONCE:]) == _MERGED_AT_ONCE:
        # Few are open at once, and each number is written but a few times.
        if last[0].level != last[-1].level:
            break
        file, starts = SpilledRows(_WIDTH, "distinct scores"), np.zeros(n_rankings + 1, np.int64)
        for i in range(n_rankings):
            for rows in iter_merged(last, i):
                file.append(rows)
            starts[i + 1] = file.n_rows
        merged = Run(starts, file, last[0].level + 1)
        spilled = (*spilled[:-_MERGED_AT_ONCE], merged)
    return spilled
