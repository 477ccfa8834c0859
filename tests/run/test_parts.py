"""Chunks and threads that a budget of memory allows, and the results of threads in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from matscore.commands.classify import ClassifyCommand
from matscore.model import load_weights
from matscore.options import PlanOptions, ReadOptions, RunOptions
from matscore.read.table import open_table
from matscore.run.parts import (
    Cost,
    Part,
    count_jobs,
    estimate_cost,
    fit_budget,
    layout_of,
    map_ordered,
    plan_part,
)
from matscore.run.work import Job

MB = 2**20


def settle(
    folder: Path,
    n_features: int,
    n_categories: int,
    run: RunOptions = RunOptions(),
    *,
    suggested: int | None = None,
) -> tuple[RunOptions, Cost]:
    """Settle the run of a file of many equal rows."""
    names = [f"f{i}" for i in range(n_features)]
    cells = ",".join(["0.123456"] * n_features)
    features, weights = folder / "features.csv", folder / "weights.csv"
    rows = "".join(f"row{i:06},{cells}\n" for i in range(max(2**18 // len(cells), 3)))
    features.write_text(f"id,{','.join(names)}\n{rows}")
    header = ",".join(f"c{j}" for j in range(n_categories))
    row = ",".join(["1.5"] * n_categories)
    weights.write_text(f"feature,{header}\n" + "".join(f"{name},{row}\n" for name in names))
    read = ReadOptions()
    held = load_weights(str(weights), read)
    table = open_table(str(features), read)
    part = plan_part(table, held, read, PlanOptions())
    work = ClassifyCommand().make_work(part.plan, held.take_model(part.plan))
    job: Job = Job(layout_of(part, read), work, None, "fail")
    settled = fit_budget(run, [Part(table, job)], suggested=suggested)
    cost = estimate_cost(Part(table, job))
    table.close()
    return settled, cost


def memory_of(run: RunOptions, cost: Cost) -> float:
    """Return what the estimate says of all chunks in flight."""
    assert run.chunk_bytes is not None and run.n_jobs is not None
    rows = run.chunk_bytes / cost.record_bytes
    return (run.n_jobs + 1) * (rows * cost.row_bytes + cost.chunk_bytes)


@pytest.mark.parametrize(("n_features", "n_categories"), [(8, 3), (784, 10), (8, 2_000)])
@pytest.mark.parametrize("n_jobs", [1, 2, 8, 64])
@pytest.mark.parametrize("memory", [None, 150 * MB, 2**30])
def test_chunks_in_flight_fit(
    tmp_path: Path, n_features: int, n_categories: int, n_jobs: int, memory: int | None
) -> None:
    asked = RunOptions(n_jobs, memory_bytes=memory)
    run, cost = settle(tmp_path, n_features, n_categories, asked)
    assert run.n_jobs is not None and 1 <= run.n_jobs <= n_jobs
    assert run.chunk_bytes is not None and cost.record_bytes <= run.chunk_bytes <= MB
    assert memory_of(run, cost) <= (memory or 224 * MB) - 64 * MB


def test_a_record_is_measured(tmp_path: Path) -> None:
    _, cost = settle(tmp_path, 8, 3)
    assert cost.record_bytes == pytest.approx(len("row000000" + 8 * ",0.123456" + "\n"), rel=0.01)


def test_less_memory_makes_smaller_chunks_then_fewer_threads(tmp_path: Path) -> None:
    sizes = [
        settle(tmp_path, 8, 3, RunOptions(n_jobs=8, memory_bytes=m * MB))[0]
        for m in (1000, 160, 130)
    ]
    chunks = [run.chunk_bytes or 0 for run in sizes]
    assert chunks[0] > chunks[1] > chunks[2] >= 2**18
    assert [run.n_jobs for run in sizes] == [8, 8, 8]
    few, _ = settle(tmp_path, 8, 3, RunOptions(n_jobs=64, memory_bytes=140 * MB))
    assert few.n_jobs is not None and few.n_jobs < 64


def test_no_memory_at_all_makes_no_empty_chunks(tmp_path: Path) -> None:
    run, cost = settle(tmp_path, 784, 10, RunOptions(n_jobs=2, memory_bytes=1))
    assert run.n_jobs == 1
    assert run.chunk_bytes is not None and run.chunk_bytes > cost.record_bytes


def test_a_size_that_is_asked_for_is_kept(tmp_path: Path) -> None:
    run, _ = settle(tmp_path, 8, 3, RunOptions(n_jobs=8, chunk_bytes=64 * MB))
    assert (run.chunk_bytes, run.n_jobs) == (64 * MB, 8)
    run, _ = settle(tmp_path, 8, 3, RunOptions(n_jobs=8, chunk_bytes=8 * MB, memory_bytes=300 * MB))
    assert run.chunk_bytes == 8 * MB
    assert run.n_jobs is not None and 1 <= run.n_jobs < 8


def test_a_suggestion_is_an_upper_limit(tmp_path: Path) -> None:
    assert settle(tmp_path, 8, 3, RunOptions(n_jobs=2), suggested=50_000)[0].chunk_bytes == 50_000
    run, _ = settle(tmp_path, 8, 3, RunOptions(n_jobs=2), suggested=400 * MB)
    assert run.chunk_bytes is not None and run.chunk_bytes < 10 * MB


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
