"""Memory does not grow with the input."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import SAMPLES, start, write_csv

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MOST = 300 * 2**20  # bytes
HEADER = b"id,action,comedy,kept\n"
BLOCK = b"".join(
    b"film %d,%.6f,%d,some more text\n" % (i, i / 7, i % 11) for i in range(50_000)
)  # 1.9 MB
ENDLESS = 16 * 2**20


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
    return peak


def iter_rows(n_bytes: int) -> Iterator[bytes]:
    yield HEADER
    for _ in range(n_bytes // len(BLOCK)):
        yield BLOCK


def iter_endless(head: bytes) -> Iterator[bytes]:
    yield head
    while True:
        yield b"x" * 2**20


def score_much(n_bytes: int, *options: str) -> None:
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
    assert 0 < peak < MOST


def test_a_long_pipe() -> None:
    score_much(150 * 10**6)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-f", "parquet"), ("--jobs", "1")], ids=" ".join)
def test_2_gb_from_a_pipe(options: tuple[str, ...], tmp_path: Path) -> None:
    if options[:1] == ("-f",):
        options += ("-o", str(tmp_path / "out.parquet"))
        argv = ("classify", "-", "genres.csv", *options)
        process = start(*argv, stdin=subprocess.PIPE, stdout=None)
        peak = feed(process, iter_rows(2 * 10**9))
        assert process.wait(60) == 0
        assert 0 < peak < MOST
    else:
        score_much(2 * 10**9, *options)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"", b"-:1: the first line is longer than 64 MiB"),
        (HEADER + b"a,1,2,", b"-:2: the record is longer than 64 MiB"),
        (HEADER + b'a,1,2,"', b"-:2: the record is longer than 64 MiB"),
        (b'"id', b"-:1: the first line is longer than 64 MiB"),
    ],
    ids=["header", "record", "quoted cell", "quoted name"],
)
def test_an_endless_line_is_refused(head: bytes, words: bytes) -> None:
    process = start("classify", "-", "genres.csv", stdin=subprocess.PIPE)
    peak = feed(process, iter_endless(head))
    out, err = process.communicate()
    assert process.returncode == 4
    assert out == b""
    assert err.startswith(words) and err.count(b"\n") == 1
    assert 0 < peak < MOST + 4 * 64 * 2**20


def test_a_wide_file(tmp_path: Path) -> None:
    """10,000 features by 100 categories: the weights take 8 MB, the features 20 MB."""
    names = [f"x{i}" for i in range(10_000)]
    features = write_csv(tmp_path / "f.csv", [["id", *names], *([i, *names_as_numbers(i)] for i in range(200))])
    weights = [["f", *(f"c{j}" for j in range(100))], *([name, *([0.5] * 100)] for name in names)]
    model = write_csv(tmp_path / "w.csv", weights)
    process = start("classify", features, model, cwd=SAMPLES, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, peak_of(process))
    assert process.returncode == 0
    assert process.stderr
    process.stderr.close()
    assert peak < 2 * MOST


def names_as_numbers(row: int) -> list[str]:
    return [f"{row}.{i}" for i in range(10_000)]
