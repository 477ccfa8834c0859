"""Rankings past what memory has room for: there as long as they are few, then in a file.

They are ascending: all that an area under a curve depends on are the distinct numbers and how many
rows of either truth have each, and these counts add up to the same however rows are cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matscore.items import SpilledRows
from matscore.kernel import Floats

MOST_IN_MEMORY = 2**18  # distinct numbers, of 24 bytes each
_BLOCK, _LEAST = 2**17, 2**8  # numbers that are merged at a time, and of each run
_WIDTH = 3  # the number, rows that are negative, rows that are positive: exact up to 2**53


@dataclass(frozen=True)
class Run:
    """Some rankings, one behind the other, each in ascending order of its distinct numbers."""

    starts: NDArray[np.int64]  # (n_rankings + 1,): where each ranking starts and the last one ends
    rows: Floats | SpilledRows  # (n, 3); in a file other runs stand before and behind

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
            merged = _merge_runs(runs, self.n_rankings)
            runs = (merged,)
            # Few distinct numbers stay few: only what is half of the limit makes room by leaving.
            if len(merged) > self.most // 2:
                runs, spilled = (), (*spilled, _spill(merged, spilled))
        return replace(self, runs=runs, spilled=spilled)

    def __reduce__(self) -> tuple[Any, ...]:
        # A file is of its process alone: another one gets what is in it.
        read = (
            Run(r.starts - r.starts[0], r.rows[r.starts[0] : r.starts[-1]]) for r in self.spilled
        )
        return Rankings, (self.n_rankings, (*self.runs, *read), (), self.most)

    def iter_rows(self, ranking: int) -> Iterator[Floats]:
        """Yield a ranking in ascending order, (n, 3) at a time; each number comes once."""
        runs = [_merge_runs(self.runs, self.n_rankings), *self.spilled]
        step = max(_BLOCK // len(runs), _LEAST)
        places = [run.starts[ranking : ranking + 2].tolist() for run in runs]
        heads = [np.empty((0, _WIDTH)) for _ in runs]
        while True:
            for i, run in enumerate(runs):
                at, stop = places[i]
                if (n_more := min(step - len(heads[i]), stop - at)) > 0:
                    heads[i] = np.concatenate([heads[i], run.rows[at : at + n_more]])
                    places[i][0] += n_more
            # Up to here every run is known: the next number of each is higher.
            pairs = zip(heads, places, strict=True)
            bound = min((head[-1, 0] for head, (at, stop) in pairs if at < stop), default=np.inf)
            cuts = [int(np.searchsorted(head[:, 0], bound, side="right")) for head in heads]
            if not any(cuts):
                return
            yield _merge([head[:cut] for head, cut in zip(heads, cuts, strict=True)])
            heads = [head[cut:] for head, cut in zip(heads, cuts, strict=True)]


def rank_rows(numbers: Sequence[Floats], truths: Sequence[NDArray[np.bool_]]) -> Rankings:
    """Rank rows by each of some numbers, (n_rows,) and not NaN; a truth says who is positive."""
    # Added 0, so that -0.0 and 0.0, which are equal, are one number in any order.
    pairs = zip(numbers, truths, strict=True)
    parts = [_merge([np.column_stack([values + 0.0, ~truth, truth])]) for values, truth in pairs]
    return Rankings(len(parts), (_stack(parts),))


def _merge_runs(runs: Sequence[Run], n_rankings: int) -> Run:
    """Merge runs that are in memory."""
    return _stack(
        [
            _merge([run.rows[run.starts[i] : run.starts[i + 1]] for run in runs])
            for i in range(n_rankings)
        ]
    )


def _merge(parts: Sequence[Floats]) -> Floats:
    """Sort rows and add up those of one number."""
    rows = np.concatenate([np.empty((0, _WIDTH)), *parts])
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    numbers = rows[:, 0]
    first = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1])[: len(rows)])
    if len(first) == len(rows):
        return rows
    return np.column_stack([numbers[first], np.add.reduceat(rows[:, 1:], first)])


def _stack(parts: Sequence[Floats]) -> Run:
    starts = np.cumsum([0, *map(len, parts)])
    return Run(starts, np.concatenate([np.empty((0, _WIDTH)), *parts]))


def _spill(run: Run, spilled: Sequence[Run]) -> Run:
    """Write a run to the file behind those that are there."""
    files = (one.rows for one in spilled if isinstance(one.rows, SpilledRows))
    file = next(files, None) or SpilledRows(_WIDTH, "distinct scores")
    start = file.n_rows
    file.append(run.rows[:])
    return Run(run.starts + start, file)
