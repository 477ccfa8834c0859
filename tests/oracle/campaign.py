"""Run many cases, count how they end, and write those that disagree as shell commands.

By hand: `python -m tests.oracle.campaign --cases 200000 --workers 2`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields, replace

from tests.oracle.cases import COMMANDS, make_case, write_shell
from tests.oracle.compare import judge
from tests.oracle.reading import Case, Options
from tests.oracle.worker import Worker

KINDS = ("agree", "silent", "accepted", "refused", "wrong exit", "wrong place", "crash")
_BLOCK = 500


@dataclass
class Tally:
    """How cases ended, by command, kind and exit, and the text of some that disagree."""

    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.counts += other.counts
        self.failures += other.failures

    def write_table(self) -> str:
        """Write the counts as a table by command and exit."""
        lines = ["command    exit" + "".join(f"{kind:>12}" for kind in KINDS)]
        for command, code in sorted({(c, code) for c, _, code in self.counts}):
            numbers = [self.counts[command, kind, code] for kind in KINDS]
            lines.append(f"{command:<11}{code:>4}" + "".join(f"{n:>12}" for n in numbers))
        totals = [sum(n for (_, k, _), n in self.counts.items() if k == kind) for kind in KINDS]
        lines.append(f"{'all':<15}" + "".join(f"{n:>12}" for n in totals))
        return "\n".join(lines)


def run_block(command: str, seeds: Sequence[int], shown: int = 5) -> Tally:
    """Run the cases of some seeds; shrink and write the first of each kind that disagree."""
    tally, worker = Tally(), Worker(command)
    found: Counter[str] = Counter()
    try:
        for seed in seeds:
            case = make_case(command, seed)
            done, rejects = worker.run(case)
            kind, why = judge(case, done, rejects)
            tally.counts[command, kind, done.code] += 1
            if kind == "agree":
                continue
            found[kind] += 1
            if found[kind] <= shown:
                case = shrink(case, kind, worker)
                done, rejects = worker.run(case)
                why = judge(case, done, rejects)[1]
                tally.failures.append(
                    f"--- {command} {seed}: {kind}, exit {done.code}\n{write_shell(case)}\n"
                    f"    expected: {why[:400]}\n"
                    f"    came: {done.out[:300].decode(errors='replace')!r}"
                    f" {done.err[:300].strip()}"
                )
    finally:
        worker.close()
    return tally


def shrink(case: Case, kind: str, worker: Worker) -> Case:
    """Take lines and options out of a case as long as it ends in the same kind."""
    small = case
    for simpler in _iter_simpler(case):
        merged = _merge(small, simpler)
        if merged is not None:
            done, rejects = worker.run(merged)
            if judge(merged, done, rejects)[0] == kind:
                small = merged
    return small


def _iter_simpler(case: Case) -> Iterator[tuple[str, object]]:
    for option in fields(Options):
        if getattr(case.options, option.name) != option.default:
            yield "option", option.name
    for name, data in case.files.items():
        for line in reversed(range(2, data.count(b"\n"))):
            yield name, line


def _merge(case: Case, simpler: tuple[str, object]) -> Case | None:
    what, which = simpler
    if what == "option":
        name = str(which)
        if name in {"decimal", "truth", "truth_file", "exclude", "target", "transpose"}:
            return None
        default = next(option.default for option in fields(Options) if option.name == name)
        return replace(case, options=replace(case.options, **{name: default}))  # type: ignore[arg-type]
    lines = case.files[what].splitlines(keepends=True)
    assert isinstance(which, int)
    if which >= len(lines):
        return None
    data = b"".join(lines[:which] + lines[which + 1 :])
    return replace(case, files={**case.files, what: data})


def run_many(n_cases: int, n_workers: int, first: int, commands: Sequence[str]) -> Tally:
    """Run that many cases of the commands together, in blocks, on some processes."""
    each = -(-n_cases // len(commands))
    blocks = [
        (command, range(start, min(start + _BLOCK, first + each)))
        for start in range(first, first + each, _BLOCK)
        for command in commands
    ]
    tally = Tally()
    with ProcessPoolExecutor(n_workers) as pool:
        for part in pool.map(run_block, *zip(*blocks, strict=True)):
            tally.add(part)
    return tally


def main() -> int:
    """Run the cases that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=6000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", default=",".join(COMMANDS))
    options = parser.parse_args()
    commands = options.commands.split(",")
    tally = run_many(options.cases, options.workers, options.seed, commands)
    print("\n".join([*tally.failures, tally.write_table()]))
    return 0 if all(kind == "agree" for _, kind, _ in tally.counts) else 1


if __name__ == "__main__":
    sys.exit(main())
