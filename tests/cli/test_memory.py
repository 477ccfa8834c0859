"""Memory does not grow with the input."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import finish, start, write_csv

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MOST = 300 * 2**20  # bytes
HEADER = b"id,action,comedy,kept\n"
BLOCK = b"".join(
    b"film %d,%.6f,%d,some more text\n" % (i, i / 7, i % 11) for i in range(50_000)
)  # 1.9 MB


def peak_of(process: subprocess.Popen[bytes]) -> int:
    """Return the most memory that a process has had resident, in bytes; 0 when it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def feed(process: subprocess.Popen[bytes], pieces: Iterator[bytes]) -> int:
    """Write to standard input while somebody reads it; return the peak of the memory."""
    peak = 0
    assert process.stdin
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
        for piece in pieces:
            pipe.write(piece)
            peak = max(peak, peak_of(process))
    process.stdin = None
    return peak


def iter_rows(n_bytes: int) -> Iterator[bytes]:
    yield HEADER
    for _ in range(n_bytes // len(BLOCK)):
        yield BLOCK


def iter_endless(head: bytes) -> Iterator[bytes]:
    yield head
    while True:
        yield b"x" * 2**20


def score_much(n_bytes: int, *options: str, most: int = MOST) -> None:
    argv = ("classify", "-", "genres.csv", "--probabilities", *options)
    process = start(*argv, stdin=subprocess.PIPE)
    n_lines = 0

    def count() -> None:
        nonlocal n_lines
        assert process.stdout
        with process.stdout as out:
            while block := out.read(2**20):
                n_lines += block.count(b"\n")

    reader = threading.Thread(target=count)
    reader.start()
    peak = feed(process, iter_rows(n_bytes))
    reader.join()
    assert process.wait(60) == 0
    assert process.stderr
    with process.stderr:
        assert process.stderr.read() == b""
    assert n_lines == 1 + 50_000 * (n_bytes // len(BLOCK))
    assert 0 < peak < most


def test_a_long_pipe() -> None:
    score_much(150 * 10**6, "--jobs", "2", most=250 * 10**6)


@pytest.mark.parametrize("jobs", ["1", "2", "8"])
def test_a_budget_holds(jobs: str) -> None:
    score_much(100 * 10**6, "--jobs", jobs, "--memory", "160M", most=190 * 2**20)


@pytest.mark.parametrize(("n_features", "n_categories"), [(3_000, 3), (8, 1_500)])
def test_a_budget_of_wide_files(tmp_path: Path, n_features: int, n_categories: int) -> None:
    """The same bytes in less memory."""
    names = [f"f{i}" for i in range(n_features)]
    cells = [f"{i % 7}.25" for i in range(n_features)]
    weights = [f"{j % 9}.5" for j in range(n_categories)]
    header = [f"c{j}" for j in range(n_categories)]
    write_csv(tmp_path / "w.csv", [["feature", *header], *([name, *weights] for name in names)])
    n_rows = 40_000_000 // (5 * n_features + 20 * n_categories)
    write_csv(tmp_path / "f.csv", [["id", *names], *([f"r{i}", *cells] for i in range(n_rows))])
    written, peaks = [], []
    for memory in ("90M", "1G"):
        argv = ("classify", "f.csv", "w.csv", "-o", f"{memory}.csv", "--memory", memory)
        process = start(*argv, "--jobs", "2", cwd=tmp_path)
        peak = 0
        while process.poll() is None:
            peak = max(peak, peak_of(process))
            time.sleep(0.01)
        finish(process).check(quiet=True)
        written.append((tmp_path / f"{memory}.csv").read_bytes())
        peaks.append(peak)
    assert written[0] == written[1]
    assert 0 < peaks[0] < 120 * 2**20
    assert peaks[0] < peaks[1]


@pytest.mark.parametrize("command", ["explain", "fit", "evaluate"])
def test_a_long_pipe_of_other_commands(command: str, tmp_path: Path) -> None:
    """The text in the last column is the truth."""
    model = [["feature", "some more text", "x"], ["action", 1, 2], ["comedy", 1, 1]]
    weights = write_csv(tmp_path / "w.csv", model)
    options = {
        "explain": ("-", weights, "-o", tmp_path / "out.parquet"),
        "fit": ("-", "--target", "comedy", "--numbers", "--drop-cols", "kept", "-j", "2"),
        "evaluate": ("-", weights, "--truth", "kept", "-f", "json"),
    }
    process = start(command, *options[command], stdin=subprocess.PIPE)
    peak = feed(process, iter_rows(60 * 10**6))
    done = finish(process).check(quiet=True)
    assert 0 < peak < MOST
    if command == "evaluate":
        assert done.json["rows"] == 50_000 * (60 * 10**6 // len(BLOCK))


def test_rankings_of_many_scores(tmp_path: Path) -> None:
    """A million scores, each another, go to a file; a category has its own."""
    model = [["feature", "p", "q", "r"], ["action", 1, 2, -1], ["comedy", 1, -1, 0.5]]
    weights = write_csv(tmp_path / "w.csv", model)

    def rows() -> Iterator[bytes]:
        yield HEADER
        for first in range(0, 400_000, 20_000):
            yield b"".join(
                b"%d,%.6f,%.6f,%c\n" % (i, i % 9973 / 9973, i / 400_000, b"pqr"[i // 7 % 3])
                for i in range(first, first + 20_000)
            )

    argv = ("-", weights, "--truth", "kept", "--one-vs-rest", "-f", "json", "-j", "2")
    process = start("evaluate", *argv, stdin=subprocess.PIPE)
    peak = feed(process, rows())
    done = finish(process).check(quiet=True)
    assert 0 < peak < 250 * 2**20
    for one in done.json["one_vs_rest"].values():
        assert one["positives"] + one["negatives"] == 400_000


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_2_gb_from_a_pipe(jobs: str) -> None:
    score_much(2 * 10**9, "--jobs", jobs)


@pytest.mark.slow
@pytest.mark.parametrize(("options", "most"), [((), 270), (("--memory", "100M"), 180)])
def test_logistic_regression_keeps_rows_in_a_file(
    options: tuple[str, ...], most: int, tmp_path: Path
) -> None:
    """400,000 rows of 60 features, 192 MB as numbers, from a pipe."""
    draw = random.Random(1)
    rows = (
        [*(round(draw.gauss(0, 1), 3) for _ in range(60)), draw.choice("ab")] for _ in range(20_000)
    )
    block = "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
    header = ",".join(f"f{i}" for i in range(60)).encode() + b",y\n"
    argv = ("-", "--target", "y", "--no-id-col", "-o", str(tmp_path / "w.csv"), *options)
    process = start("fit", *argv, stdin=subprocess.PIPE)
    peak = feed(process, iter([header, *[block] * 20]))
    while process.poll() is None:
        peak = max(peak, peak_of(process))
        time.sleep(0.1)
    finish(process).check(quiet=True)
    assert 0 < peak < most * 2**20


@pytest.mark.slow
def test_2_gb_into_parquet(tmp_path: Path) -> None:
    options = ("-o", tmp_path / "out.parquet", "--jobs", "2")
    process = start("classify", "-", "genres.csv", *options, stdin=subprocess.PIPE)
    peak = feed(process, iter_rows(2 * 10**9))
    finish(process).check(quiet=True)
    assert 0 < peak < MOST


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (HEADER + b"a,1,2,", "-:2: the record is longer than 64 MiB"),
        (HEADER + b'a,1,2,"', "-:2: the record is longer than 64 MiB"),
        (b"", "-:1: the first line is longer than 64 MiB"),
        (b'"id', "-:1: the first line is longer than 64 MiB"),
    ],
    ids=["record", "quoted cell", "header", "quoted name"],
)
def test_an_endless_line_is_refused(head: bytes, words: str) -> None:
    process = start("classify", "-", "genres.csv", stdin=subprocess.PIPE)
    peak = feed(process, iter_endless(head))
    done = finish(process).check(4)
    assert done.out == b""
    assert done.err.startswith(words) and done.err.count("\n") == 1
    assert 0 < peak < MOST + 4 * 64 * 2**20
