"""How matscore's cost grows with rows, columns, categories and jobs, and where the time goes.

Run ``python tests/benchmarks/scaling.py``; it prints the tables of ``README.md``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.cases import CASES
from tests.benchmarks.data import Files, Shape, make_files
from tests.benchmarks.measure import Usage, measure, middle
from tests.benchmarks.run import write_section
from tests.benchmarks.tools import child_environment, score_command

_BASE = Shape(750_000, 8, 3)
_WIDE, _MANY = replace(_BASE, n_rows=75_000), replace(_BASE, n_rows=100_000)
_AXES = {
    "rows": [replace(_BASE, n_rows=_BASE.n_rows * k) for k in (1, 2, 4, 8)],
    "columns": [replace(_WIDE, n_features=_WIDE.n_features * k) for k in (1, 10, 100)],
    "categories": [replace(_MANY, n_categories=_MANY.n_categories * k) for k in (1, 10, 100)],
}
_PROFILED = ("TALL", "QUOTED", "WIDE", "INT", "EXPENSIVE")
_MOST_BYTES = 2**26


@dataclass(frozen=True)
class Point:
    """One shape's cost.

    Attributes
    ----------
    n_in, n_out : int
        Bytes read and written.
    one, two : Usage
        Medians with one job and with two.
    """

    n_in: int
    n_out: int
    one: Usage
    two: Usage


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="few rows, to see whether it runs")
    parser.add_argument("--runs", type=int, default=3, help="rounds (%(default)s)")
    folder = Path(tempfile.gettempdir()) / "matscore-benchmarks"
    parser.add_argument("--out", type=Path, default=folder, help="where data goes (%(default)s)")
    parser.add_argument("--readme", type=Path, help="file whose marked section is written again")
    parser.add_argument("--profile", nargs=2, type=Path, metavar="FILE", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.profile:
        print(json.dumps(profile_stages(Files(*given.profile), given.out)))
        return
    given.out.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []

    def show(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    show("| rows × features → categories | in | out | 1 job | 2 jobs | CPU | peak memory |")
    show("|---|---:|---:|---:|---:|---:|---:|")
    for shapes in _AXES.values():
        for shape in shapes:
            sized = replace(shape, n_rows=shape.n_rows // 500) if given.small else shape
            show(_render_point(sized, measure_shape(sized, given.out, given.runs)))
    show("")
    for i, name in enumerate(_PROFILED):
        case = CASES[name].small() if given.small else CASES[name]
        if case.shape is not None:
            shares = _profile_apart(make_files(case.shape, given.out), given.out)
            if i == 0:
                show(f"| CPU time | {' | '.join(shares)} |")
                show(f"|---|{'---:|' * len(shares)}")
            show(f"| {name} | {' | '.join(_render_shares(shares))} |")
    if given.readme:
        write_section(given.readme, "scaling", "\n".join(lines))


def measure_shape(shape: Shape, folder: Path, n_runs: int) -> Point:
    """Score one shape with one job and with two, in turn.

    Parameters
    ----------
    shape : Shape
        What to score.
    folder : Path
        Where the data goes.
    n_runs : int
        Rounds.

    Returns
    -------
    Point
        Medians.
    """
    files = make_files(shape, folder)
    output = folder / "scaling.csv"
    runs: dict[int, list[Usage]] = {1: [], 2: []}
    for _ in range(n_runs):
        for n_jobs, used in runs.items():
            command = score_command(files.features, files.weights, output, "--jobs", str(n_jobs))
            used.append(measure(command, env=child_environment())[0])
    n_in, n_out = files.features.stat().st_size, output.stat().st_size
    output.unlink()
    return Point(n_in, n_out, middle(runs[1]), middle(runs[2]))


def profile_stages(files: Files, folder: Path) -> dict[str, float]:
    """Take a file's chunks through the stages one by one, in this process.

    Parameters
    ----------
    files : Files
        What to score.
    folder : Path
        Where the scores are written; they are removed.

    Returns
    -------
    dict of str to float
        CPU seconds by stage, of this process and its threads.
    """
    clock = _Clock()
    with clock.stage("start"):
        from matscore.commands.classify import Classify, ClassifyCommand
        from matscore.commands.output import make_frame
        from matscore.model import load_weights, score_rows
        from matscore.options import (
            OutputOptions,
            PlanOptions,
            ReadOptions,
            RunOptions,
            ScoreOptions,
        )
        from matscore.read.rows import parse_rows
        from matscore.read.split import Chunk
        from matscore.read.table import open_table
        from matscore.run.parts import (
            Part,
            fit_budget,
            iter_pairs,
            layout_of,
            plan_part,
        )
        from matscore.run.work import Job

        read, options = ReadOptions(), ScoreOptions()
        held = load_weights(str(files.weights), read)
        part = plan_part(open_table(str(files.features), read), held, read, PlanOptions())
        # Thousands of categories make gigabytes of text, which would hide all else.
        wanted = OutputOptions(scores=len(part.plan.categories) < 1_000)
        command = ClassifyCommand(score=options, write=wanted)
        spec, model = command.make_output(part.plan, "csv"), held.take_model(part.plan)
        work = command.make_work(part.plan, model)
        assert isinstance(work, Classify)
        job = Job(layout_of(part, read), work, spec, "fail")
        ready = [Part(part.table, job)]
        run = fit_budget(RunOptions(n_jobs=2), ready)
        pairs = iter_pairs(ready, run)
    output = folder / "profile.csv"
    n_bytes = 0
    with output.open("wb") as out:
        while n_bytes < _MOST_BYTES:
            with clock.stage("read, split"):
                _, chunk = next(pairs, (job, None))
            if not isinstance(chunk, Chunk):
                break
            n_bytes += len(chunk.data)
            with clock.stage("parse"):
                parsed = parse_rows(job.layout, chunk)
            with clock.stage("score, decide"):
                scored = score_rows(model, parsed.features, options)
            with clock.stage("encode"):
                frame = make_frame(work.columns, parsed.labels, [], scored)
                data = spec.form.rows(spec, frame)
            with clock.stage("write"):
                out.write(data)
    part.table.close()
    output.unlink()
    return dict(clock.seconds)


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.process_time()
        yield
        self.seconds[name] += time.process_time() - start


def _profile_apart(files: Files, folder: Path) -> dict[str, float]:
    """Profile in a process of its own, with BLAS on one thread as the program has it."""
    command = [sys.executable, __file__, "--out", str(folder), "--profile"]
    done = subprocess.run(
        [*command, str(files.features), str(files.weights)],
        env={**child_environment(), "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    stages: dict[str, float] = json.loads(done.stdout)
    return stages


def _render_shares(seconds: dict[str, float]) -> list[str]:
    total = sum(seconds.values()) - seconds["start"]
    shares = [f"{s / total:.0%}" for name, s in seconds.items() if name != "start"]
    return [f"{seconds['start']:.2f} s", *shares]


def _render_point(shape: Shape, point: Point) -> str:
    sizes = f"{shape.n_rows:,} × {shape.n_features} → {shape.n_categories}"
    bytes_ = f"{point.n_in / 1e6:.0f} MB | {point.n_out / 1e6:.0f} MB"
    times = f"{point.one.wall:.2f} s | {point.two.wall:.2f} s | {point.two.cpu:.2f} s"
    return f"| {sizes} | {bytes_} | {times} | {point.two.peak / 1e6:.0f} MB |"


if __name__ == "__main__":
    main()
