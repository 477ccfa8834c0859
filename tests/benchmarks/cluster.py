"""What a cluster costs and gives: the local engine against Dask with one and two workers, in turn.

    python tests/benchmarks/cluster.py                  # 2 GB, two rounds
    python tests/benchmarks/cluster.py --rows 1000000

Scheduler and workers are processes of this machine, with one thread each. All outputs must be the
same bytes. It prints the wall times, their ratios within a round, and what an estimate for larger
clusters is made from: bytes a second and core, and tasks a second of the scheduler.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.data import Files, Shape, make_files

_WORKERS = (1, 2)
_TASKS = 5_000
_PATIENCE = 60  # seconds


@contextlib.contextmanager
def open_cluster(n_workers: int) -> Iterator[str]:
    """Start a scheduler and workers of one thread each, and end them."""
    from distributed import Client

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        file = f"{folder}/scheduler.json"
        common = ["--no-dashboard", "--scheduler-file", file]
        commands = [["scheduler", "--host", "127.0.0.1", "--port", "0", *common]]
        commands += [["worker", "--nthreads", "1", "--no-nanny", *common]] * n_workers
        for command in commands:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *command],
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            stack.callback(process.wait)
            stack.callback(os.killpg, process.pid, signal.SIGKILL)
        with Client(scheduler_file=file, timeout=_PATIENCE) as client:
            client.wait_for_workers(n_workers, timeout=_PATIENCE)
            yield client.scheduler.address


def run_program(files: Files, output: Path, options: Sequence[str]) -> tuple[float, str]:
    """Score the file; return the wall time and the output's hash."""
    argv = ["classify", "-q", str(files.features), str(files.weights), "-o", str(output), *options]
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "matscore", *argv], check=True)
    seconds = time.perf_counter() - began
    with output.open("rb") as file:
        return seconds, hashlib.file_digest(file, "sha256").hexdigest()


def run_round(files: Files, output: Path) -> dict[str, float]:
    """Run every way once, in turn; all must write the same."""
    found = {f"local, {n} jobs": run_program(files, output, ["-j", str(n)]) for n in (1, 2)}
    for n_workers in _WORKERS:
        with open_cluster(n_workers) as address:
            options = ["--engine", "dask", "--scheduler", address]
            found[f"dask, {n_workers} workers"] = run_program(files, output, options)
    if len({digest for _, digest in found.values()}) != 1:
        raise SystemExit(f"the outputs differ: {found}")
    return {way: seconds for way, (seconds, _) in found.items()}


def measure_scheduler() -> float:
    """Return how many tasks that do nothing a scheduler gets done in a second."""
    from distributed import Client, wait

    with open_cluster(2) as address, Client(address) as client:
        began = time.perf_counter()
        wait([client.submit(abs, i, pure=False) for i in range(_TASKS)])
        return _TASKS / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=24_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--data", type=Path, default=Path(tempfile.gettempdir()) / "matscore-cluster"
    )
    options = parser.parse_args()
    options.data.mkdir(exist_ok=True)
    files = make_files(Shape(options.rows, 8, 3), options.data)
    size = files.features.stat().st_size
    rounds = [run_round(files, options.data / "out.csv") for _ in range(options.rounds)]
    print(f"{size / 1e9:.2f} GB, {options.rounds} rounds\n")
    print("| way | seconds | of local, 1 job | of local, 2 jobs | MB/s |\n|---|---|---|---|---|")
    for way in rounds[0]:
        seconds = statistics.median(one[way] for one in rounds)
        ratios = [
            statistics.median(one[way] / one[f"local, {n} jobs"] for one in rounds) for n in (1, 2)
        ]
        print(
            f"| {way} | {seconds:.1f} | {ratios[0]:.2f} | {ratios[1]:.2f} "
            f"| {size / 1e6 / seconds:.0f} |"
        )
    print(f"\nthe scheduler: {measure_scheduler():.0f} tasks a second")


if __name__ == "__main__":
    main()
