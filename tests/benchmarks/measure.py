"""One command's wall time, CPU time and peak memory, as the operating system counts them.

The command is started by this file run as a program of its own, which is small: Linux counts the
memory of whoever starts a process into that process's peak.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

_KIB = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Usage:
    """What one run took.

    Attributes
    ----------
    wall, cpu : float
        Seconds; `cpu` is user and system time of the process and its threads.
    peak : int
        Largest resident memory, in bytes.
    """

    wall: float
    cpu: float
    peak: int


def middle(runs: Sequence[Usage]) -> Usage:
    """Return the median of each figure over some runs."""
    walls, cpus, peaks = zip(*((run.wall, run.cpu, run.peak) for run in runs), strict=True)
    return Usage(median(walls), median(cpus), int(median(peaks)))


class RunFailedError(Exception):
    """A command did not end with 0; the message is what it wrote to standard error."""


def measure(
    command: Sequence[str], *, piped: Path | None = None, env: Mapping[str, str] | None = None
) -> tuple[Usage, str]:
    """Run a command.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    piped : Path, optional
        A file that is fed to its standard input through a pipe.
    env : mapping of str to str, optional
        Its environment.

    Returns
    -------
    Usage
        What it took.
    str
        What it wrote to standard output.

    Raises
    ------
    RunFailedError
        It did not end with 0.
    """
    launcher = [sys.executable, "-I", __file__, str(piped or ""), *command]
    done = subprocess.run(launcher, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        raise RunFailedError(f"{' '.join(command)}\n{done.stderr}")
    facts = json.loads(done.stdout)
    return Usage(**facts["usage"]), facts["out"]


def main() -> int:
    """Run ``measure.py PIPED COMMAND...`` and print what it took as JSON."""
    piped, *command = sys.argv[1:]
    feeder = subprocess.Popen(["cat", piped], stdout=subprocess.PIPE) if piped else None
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=feeder.stdout if feeder else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    if feeder is not None and feeder.stdout is not None:
        feeder.stdout.close()
    out = process.stdout.read() if process.stdout else ""
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if feeder is not None:
        feeder.wait()
    usage = Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * _KIB)
    print(json.dumps({"usage": asdict(usage), "out": out}))
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
