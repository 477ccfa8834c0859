"""The local engine: order, a bounded window, exceptions in their place, threads that end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from matscore.run.local import count_jobs, map_ordered

JOBS = [1, 2, 3, 8]


def engine_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("matscore")]


def test_count_jobs() -> None:
    assert count_jobs() >= 1


@pytest.mark.parametrize("n_jobs", JOBS)
def test_order(n_jobs: int) -> None:
    """The first items are the slowest."""

    def square(i: int) -> int:
        time.sleep(0.001 * (i < 8) * (8 - i))
        return i * i

    assert list(map_ordered(square, range(40), n_jobs)) == [i * i for i in range(40)]
    assert list(map_ordered(square, [], n_jobs)) == []
    assert engine_threads() == []


@pytest.mark.parametrize("n_jobs", JOBS)
def test_window_is_bounded(n_jobs: int) -> None:
    n_taken = 0

    def items() -> Iterator[int]:
        nonlocal n_taken
        for i in range(60):
            n_taken += 1
            yield i

    held = []
    for n_given, _ in enumerate(map_ordered(abs, items(), n_jobs)):
        held.append(n_taken - n_given)
    assert max(held) <= n_jobs + 1
    assert len(held) == 60


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_items_run_at_the_same_time(n_jobs: int) -> None:
    """Each waits until as many as there are threads have come: one more than jobs."""
    n_threads = n_jobs + 1
    barrier = threading.Barrier(n_threads)
    results = map_ordered(lambda _: barrier.wait(10), range(4 * n_threads), n_jobs)
    assert len(list(results)) == 4 * n_threads


def test_one_job_runs_in_the_calling_thread() -> None:
    names = set(map_ordered(lambda _: threading.current_thread().name, range(3), 1))
    assert names == {threading.current_thread().name}


@pytest.mark.parametrize("n_jobs", JOBS)
def test_items_are_read_by_the_calling_thread(n_jobs: int) -> None:
    readers = (threading.get_ident() for _ in range(20))
    assert set(map_ordered(int, readers, n_jobs)) == {threading.get_ident()}


@pytest.mark.parametrize("error", [ValueError, StopIteration, KeyboardInterrupt])
@pytest.mark.parametrize("n_jobs", JOBS)
def test_exception_of_the_function(n_jobs: int, error: type[BaseException]) -> None:
    """The one that comes first in order, though a later one is raised first in time."""

    def fail(i: int) -> int:
        if i >= 5:
            time.sleep(0.02 if i == 5 else 0)
            raise error(i)
        return i

    # A StopIteration must not pass for the end of the items: Python makes it a RuntimeError.
    expected = RuntimeError if error is StopIteration else error
    with pytest.raises(expected) as raised:
        list(map_ordered(fail, range(100), n_jobs))
    cause = raised.value.__cause__ if error is StopIteration else raised.value
    assert cause is not None and cause.args == (5,)
    assert engine_threads() == []


@pytest.mark.parametrize("n_jobs", JOBS)
def test_results_before_an_exception_are_given(n_jobs: int) -> None:
    given = []
    with pytest.raises(ZeroDivisionError):
        for result in map_ordered(lambda i: 12 // (4 - i), range(9), n_jobs):
            given.append(result)
    assert given == [3, 4, 6, 12]


@pytest.mark.parametrize("n_jobs", JOBS)
def test_exception_of_the_items(n_jobs: int) -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise ValueError("cut off")

    given = []
    with pytest.raises(ValueError, match="cut off"):
        for result in map_ordered(abs, items(), n_jobs):
            given.append(result)
    assert given == [0, 1, 2, 3, 4]
    assert engine_threads() == []


@pytest.mark.parametrize("n_jobs", JOBS)
def test_the_earlier_exception_wins(n_jobs: int) -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise ValueError("of the items")

    with pytest.raises(ZeroDivisionError):
        list(map_ordered(lambda i: 1 // (2 - i), items(), n_jobs))


@pytest.mark.parametrize("n_jobs", JOBS)
def test_closing_early_stops_everything(n_jobs: int) -> None:
    started = []

    def start(i: int) -> int:
        started.append(i)
        time.sleep(0.005)
        return i

    results = map_ordered(start, iter(range(1000)), n_jobs)
    assert [next(results), next(results)] == [0, 1]
    results.close()
    assert engine_threads() == []
    n_started = len(started)
    assert n_started <= n_jobs + 2
    time.sleep(0.02)
    assert len(started) == n_started
    assert next(results, None) is None
