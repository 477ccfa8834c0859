"""Any bytes for either file and any options end in a documented exit: no bug, hang or big memory.

The normal run is short. `MATSCORE_FUZZ_EXAMPLES=100000 pytest -m slow tests/test_fuzz.py` is the
long one.
"""

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.helpers import SAMPLES, run

EXITS = {0, 2, 3, 4, 5}
EXAMPLES = int(os.environ.get("MATSCORE_FUZZ_EXAMPLES", "20000"))
SECONDS_A_RUN = 20

PIECES = st.sampled_from(
    [
        b"a", b"b", b"id", b"action", b"comedy", b"(Intercept)", b"1", b"2.5", b"-3e2", b"1e308",
        b"1e400", b"nan", b"NA", b"inf", b"0x1", b"1_0", b"TRUE", b" ", b"", b",", b",", b",",
        b";", b"\t", b"|", b"\n", b"\n", b"\n", b"\r\n", b"\r", b'"', b'""', b'"x"', b"\\", b"#",
        b"sep=;", b"\xef\xbb\xbf", b"\xff\xfe", b"\xe9", b"\xc3\xa9", b"\x00", b"\x1b[31m",
        "\u202e".encode(), "１２".encode(), b"PAR1", b"ARROW1\x00\x00", b"\x1f\x8b\x08\x00",
        b"\x28\xb5\x2f\xfd", b"BZh9", b"\xfd7zXZ\x00", b"PK\x03\x04", b"%PDF", b"{", b"[", b"<html",
    ]
)  # fmt: skip
TABLES = st.lists(
    st.lists(
        st.sampled_from([b"a", b"b", b"c", b"1", b"2", b"0.5", b"NA", b"", b'"q,r"', b"x y"]),
        min_size=1,
        max_size=5,
    ).map(b",".join),
    max_size=6,
).map(lambda records: b"\n".join(records) + b"\n")
REAL = [
    (SAMPLES / name).read_bytes() for name in ("movies.csv", "genres.csv", "users.csv", "films.csv")
]


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Return a file: noise, a small table, or a real file with a hole torn into it."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(st.binary(max_size=60))
    if kind == 1:
        return b"".join(draw(st.lists(PIECES, max_size=40)))
    if kind == 2:
        return draw(TABLES)
    data = draw(st.sampled_from(REAL))
    start, stop = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
    return data[:start] + draw(PIECES) + data[draw(st.sampled_from([start, stop])) :]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Return features and weights, often such that the weights can be used."""
    movies, genres = REAL[:2]
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(files()), draw(files())
    if kind == 1:
        return movies, draw(files())
    header, _, _ = movies.partition(b"\n")
    cells = st.sampled_from([b"1", b"2.5", b"-3e2", b"", b"NA", b'"4"', b" 5 ", b"x", b"1e308"])
    rows = draw(st.lists(st.tuples(PIECES, cells, cells), max_size=8))
    made = b"\n".join([header, *(b",".join(row) for row in rows)]) + b"\n"
    return made if kind == 2 else draw(files()), genres


OPTIONS = st.lists(
    st.sampled_from(
        [
            ["--headers"], ["--no-headers"], ["-d", ";"], ["-d", "tab"], ["--decimal", ","],
            ["--missing", "zero"], ["--missing", "keep"], ["--missing-values", "b,1"],
            ["--missing", "skip", "--rejects", "r.csv"], ["--id-col", "id"], ["--id-col", "1"],
            ["--keep-cols", "all"], ["--keep-cols", "a"], ["--strict"], ["--transpose"],
            ["--transpose-features"], ["--auto-transpose"], ["--intercept", "a"],
            ["--no-intercept"], ["--probabilities"], ["--margin"], ["--no-scores"], ["--response"],
            ["--threshold", "0.5"], ["-f", "json"], ["-f", "table"], ["-f", "markdown"],
            ["-f", "parquet"], ["-f", "arrow"], ["-o", "o.csv"], ["-o", "o.csv.gz"],
            ["--precision", "2"], ["--max-rows", "1"], ["--excel-safe"], ["--chunk-size", "1"],
            ["--chunk-size", "13"], ["-j", "3"], ["-v"], ["-q"], ["--encoding", "latin-1"],
            ["--encoding", "utf-16"], ["--on-error", "reject", "--rejects", "r.csv"],
            ["--max-rejects", "1"], ["--report", "r.json"], ["--color", "always"],
        ]
    ),
    max_size=4,
).map(lambda chosen: [word for option in chosen for word in option])  # fmt: skip


def survive(sides: tuple[bytes, bytes], options: list[str], command: str) -> None:
    features, weights = sides
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "f").write_bytes(features)
        Path(folder, "w").write_bytes(weights)
        started = time.monotonic()
        done = run(command, "f", "w", *options, cwd=folder)
        assert time.monotonic() - started < SECONDS_A_RUN
        assert done.code in EXITS, (done.code, done.err)
        assert "Traceback" not in done.err
        assert (done.code == 0) or done.err or command == "check"
        left = {path.name for path in Path(folder).iterdir()}
        assert left <= {"f", "w", "o.csv", "o.csv.gz", "r.csv", "r.json"}
        assert done.code == 0 or not left & {"o.csv", "o.csv.gz", "r.csv"}
        event(f"exit {done.code}")


@given(pairs(), OPTIONS)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_classify_survives(sides: tuple[bytes, bytes], options: list[str]) -> None:
    survive(sides, options, "classify")


@given(pairs())
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_check_survives(sides: tuple[bytes, bytes]) -> None:
    survive(sides, [], "check")


@pytest.mark.slow
@given(pairs(), OPTIONS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_classify_survives_for_long(sides: tuple[bytes, bytes], options: list[str]) -> None:
    survive(sides, options, "classify")
