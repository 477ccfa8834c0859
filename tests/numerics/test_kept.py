"""Rankings: sorted and merged, in memory and in files, they hold what was put in."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from matscore.errors import OutputError
from matscore.items import SpilledRows
from matscore.kernel import Floats
from matscore.numerics.kept import Rankings, Run, rank_rows

Marks = NDArray[np.bool_]


def draw(n_rows: int, n_distinct: int, seed: int) -> tuple[Floats, Marks]:
    """Return numbers, many of them equal, and truths."""
    rng = np.random.default_rng(seed)
    return rng.choice(rng.normal(size=n_distinct), n_rows), rng.random(n_rows) < 0.3


def expect(values: Floats, truth: Marks) -> list[list[float]]:
    """Count each number by truth, with a Counter."""
    counts = Counter(zip(values.tolist(), truth.tolist(), strict=True))
    return [
        [value, counts[value, False], counts[value, True]] for value in sorted(set(values.tolist()))
    ]


def read(rankings: Rankings, i: int) -> list[list[float]]:
    blocks = list(rankings.iter_rows(i))
    assert all(len(block) for block in blocks)
    return [row for block in blocks for row in block.tolist()]


def add_up(values: list[Floats], truths: list[Marks], height: int, most: int) -> Rankings:
    total = Rankings(len(values), most=most)
    for start in range(0, len(values[0]), height):
        rows = slice(start, start + height)
        total = total + rank_rows([v[rows] for v in values], [t[rows] for t in truths])
    return total


@pytest.mark.parametrize("n_distinct", [1, 7, 400, 20_000])
@pytest.mark.parametrize(("height", "most"), [(10_000, 2**18), (900, 2**18), (400, 1000), (30, 64)])
def test_nothing_is_lost(n_distinct: int, height: int, most: int) -> None:
    """Also where 334 parts leave more than 16 times 16 runs in the file."""
    drawn = [draw(10_000, n_distinct, seed) for seed in range(3)]
    total = add_up([v for v, _ in drawn], [t for _, t in drawn], height, most)
    assert bool(total.spilled) == (3 * n_distinct > most // 2)
    assert len({id(run.rows) for run in total.spilled}) <= 1  # an open file, however many
    if (n_distinct, most) == (20_000, 64):
        assert len(total.spilled) > 16 * 16
    for i, (values, truth) in enumerate(drawn):
        assert read(total, i) == expect(values, truth)


def test_memory_has_a_bound() -> None:
    values, truth = draw(50_000, 10**6, 0)
    total = Rankings(1, most=500)
    for start in range(0, 50_000, 250):
        total = total + rank_rows([values[start:][:250]], [truth[start:][:250]])
        assert sum(len(run) for run in total.runs) <= 500
        assert all(isinstance(run.rows, SpilledRows) for run in total.spilled)


def test_zeros_are_one_number() -> None:
    total = rank_rows([np.array([-0.0, 0.0])], [np.array([True, False])])
    assert read(total, 0) == [[0.0, 1, 1]]


def test_no_rows() -> None:
    nothing = rank_rows([np.empty(0)] * 2, [np.empty(0, np.bool_)] * 2)
    assert read(nothing + nothing, 1) == [] == read(Rankings(1), 0)


@pytest.mark.parametrize("most", [2**18, 64])
def test_what_a_worker_sends_can_be_pickled(most: int) -> None:
    """Also what is in a file, which another process does not have."""
    values, truth = draw(1000, 500, 1)
    total = add_up([values], [truth], 50, most)
    assert bool(total.spilled) == (most == 64)
    pickled = pickle.dumps(total)
    del total
    sent = pickle.loads(pickled)
    assert not sent.spilled
    assert read(sent, 0) == read(Rankings(1, most=100) + sent, 0) == expect(values, truth)


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", write)
    values, truth = draw(100, 100, 1)
    with pytest.raises(OutputError, match=r"no space left .*, and distinct scores need room"):
        Rankings(1, most=10) + rank_rows([values], [truth])


def test_counts_past_32_bits() -> None:
    run = Run(np.array([0, 1]), np.array([[0.5, 2.0**40, 3.0]]))
    total = Rankings(1, (run,)) + Rankings(1, (run,))
    assert read(total, 0) == [[0.5, 2.0**41, 6.0]]
