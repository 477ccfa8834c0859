"""Chunks and threads that a budget of memory allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from matscore.commands.classify import ClassifyCommand
from matscore.model import load_weights
from matscore.options import PlanOptions, ReadOptions, RunOptions
from matscore.read.table import open_table
from matscore.run.budget import Cost, estimate_cost, fit_budget
from matscore.run.job import Job
from matscore.run.parts import make_job, plan_part

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
    job: Job = make_job(part, read, work, None, "fail")
    settled = fit_budget(run, [table], [job], suggested=suggested)
    cost = estimate_cost(table, job)
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
