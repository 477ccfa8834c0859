"""Measure matscore against the ways in which people would do the same work.

Run ``python tests/benchmarks/run.py``; ``--help`` shows the options and ``README.md`` says what
they mean.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.agree import require_agreement
from tests.benchmarks.cases import CASES, SLOW, Case
from tests.benchmarks.chart import render_chart
from tests.benchmarks.data import Files, compress, make_files
from tests.benchmarks.measure import Usage, measure, middle
from tests.benchmarks.tools import OURS, Tool, build_floor, child_environment, tools_of, versions

_SAMPLES = Path(__file__).parents[2] / "sample_data"


@dataclass
class Result:
    """What the runs of one case took.

    Attributes
    ----------
    case : str
        Its name.
    shape : str
        Rows × features → categories.
    runs : dict of str to list of Usage
        By the name of who did it, in the order of the rounds.
    doubtful : dict of str to int
        Rows where a peer agrees with matscore only within the rounding bound.
    """

    case: str
    shape: str
    runs: dict[str, list[Usage]] = field(default_factory=dict)
    doubtful: dict[str, int] = field(default_factory=dict)

    def ratio(self, name: str) -> float:
        """Return the median, over the rounds of both, of matscore's wall time by one's own."""
        pairs = zip(self.runs[OURS], self.runs[name], strict=False)
        return median(ours.wall / theirs.wall for ours, theirs in pairs)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the cases that the command line names."""
    given = _parse(argv)
    given.out.mkdir(parents=True, exist_ok=True)
    floor = build_floor(given.floor, given.out) if given.floor else None
    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    results = []
    for name in given.case or CASES:
        case = CASES[name].small() if given.small else CASES[name]
        result = run_case(
            case,
            given.out,
            n_runs=given.runs,
            n_slow_runs=given.slow_runs,
            floor=floor,
            peers=given.peer,
        )
        print("\n" + render_table(result), flush=True)
        results.append(result)
        write_results(results, given.out)
    if given.readme:
        write_section(given.readme, "results", render_results(results))


def run_case(
    case: Case,
    folder: Path,
    *,
    n_runs: int = 1,
    n_slow_runs: int | None = None,
    floor: Path | None = None,
    peers: Sequence[str] | None = None,
) -> Result:
    """Do a case's work with every tool in turn, round after round.

    Parameters
    ----------
    case : Case
        The work.
    folder : Path
        Where data and outputs go.
    n_runs : int
        Rounds.
    n_slow_runs : int, optional
        Rounds of the slow peers, the first ones; as many as of all without it.
    floor : Path, optional
        The floor's program.
    peers : sequence of str, optional
        Names of the peers that take part; all without it.

    Returns
    -------
    Result
        What it took.

    Raises
    ------
    RunFailedError, DisagreementError
        A tool fails, or says something else than matscore.
    """
    if case.shape is None:
        files, shape = Files(_SAMPLES / "movies.csv", _SAMPLES / "genres.csv"), "sample data"
    else:
        files = make_files(case.shape, folder)
        sizes = case.shape
        shape = f"{sizes.n_rows:,} × {sizes.n_features} → {sizes.n_categories}"
    piped = compress(files.features) if case.piped else None
    tools = tools_of(case, files, folder, floor)
    if peers is not None:
        tools = [tool for tool in tools if tool.name not in case.peers or tool.name in peers]
    result = Result(case.name, shape, {tool.name: [] for tool in tools})
    n_most = dict.fromkeys(SLOW, n_runs if n_slow_runs is None else n_slow_runs)
    for i in range(min(n_runs, case.most_runs or n_runs)):
        for tool in tools:
            if case.shape is not None and i >= n_most.get(tool.name, n_runs):
                continue
            result.runs[tool.name].append(_run(tool, piped))
    for tool in tools:
        if tool.output is not None and tools[0].output is not None and tool.name != OURS:
            result.doubtful[tool.name] = require_agreement(tools[0].output, tool.output, files)
    for tool in tools:
        if tool.output is not None:
            tool.output.unlink()
    return result


def render_table(result: Result) -> str:
    """Return a case's medians as a Markdown table."""
    lines = [
        f"| {result.case}: {result.shape} | wall | CPU | peak memory | matscore's wall ÷ this |",
        "|---|---:|---:|---:|---:|",
    ]
    for name in result.runs:
        used = middle(result.runs[name])
        ratio = "" if name.startswith(OURS) else f"{result.ratio(name):.2f}"
        times = f"{used.wall:.2f} s | {used.cpu:.2f} s | {used.peak / 1e6:.0f} MB"
        lines.append(f"| {name} | {times} | {ratio} |")
    return "\n".join(lines)


def render_results(results: Sequence[Result]) -> str:
    """Return what was measured, on what and with which command, in Markdown."""
    command = f"    python tests/benchmarks/run.py {' '.join(sys.argv[1:])}".rstrip()
    facts = ", ".join(f"{name} {version}" for name, version in versions().items())
    return "\n\n".join([command, facts, *map(render_table, results)])


def write_section(file: Path, name: str, text: str) -> None:
    """Write a text between the two markers of its name in a Markdown file."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, _, rest = file.read_text().partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{file} has no markers for {name}")
    file.write_text(f"{before}{start}\n{text}\n\n{end}{after}")


def write_results(results: Sequence[Result], folder: Path) -> None:
    """Write ``results.json`` and ``chart.svg``."""
    facts = {"versions": versions(), "cases": [asdict(result) for result in results]}
    (folder / "results.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    walls = {r.case: {name: middle(runs).wall for name, runs in r.runs.items()} for r in results}
    (folder / "chart.svg").write_text(render_chart(walls))


def _run(tool: Tool, piped: Path | None) -> Usage:
    os.sync()  # nobody waits for the disk because of what the one before has left to be written
    used, printed = measure(tool.command, piped=piped, env=child_environment())
    return Usage(float(printed), used.cpu, used.peak) if tool.prints_seconds else used


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=list(CASES), help="these only")
    parser.add_argument("--peer", nargs="+", help='these peers only ("DuckDB", say)')
    parser.add_argument("--small", action="store_true", help="few rows, to see whether all agree")
    parser.add_argument("--runs", type=int, default=5, help="rounds (%(default)s)")
    parser.add_argument("--slow-runs", type=int, help="rounds of pandas and scikit-learn")
    parser.add_argument("--readme", type=Path, help="file whose marked section is written again")
    parser.add_argument("--floor", type=Path, help="source of the C++ floor")
    folder = Path(tempfile.gettempdir()) / "matscore-benchmarks"
    text = "where data and results go (%(default)s); data there is used again"
    parser.add_argument("--out", type=Path, default=folder, help=text)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
