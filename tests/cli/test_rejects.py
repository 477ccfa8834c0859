from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import SAMPLES, Done, list_names, read_csv, run, write_csv

WEIGHTS = SAMPLES / "iris_weights.csv"
HEADER = ["file", "line", "column", "name", "error", "text"]
REJECT = ("--on-error", "reject")

# What happens to a record of the iris file, and how a person mends it.
DAMAGES: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "unit": (lambda text: text.replace(",", " cm,", 2), lambda text: text.replace(" cm", "")),
    "decimal comma": (
        lambda text: ",".join(f'"{c.replace(".", ",")}"' for c in text.split(",")),
        lambda text: ",".join(c.replace(",", ".") for c in next(csv.reader([text]))),
    ),
    "delimiter at the end": (lambda text: f"{text},", lambda text: text.removesuffix(",")),
    "other delimiter": (lambda text: text.replace(",", ";"), lambda text: text.replace(";", ",")),
    "delimiter doubled": (
        lambda text: text.replace(",", ",,", 1),
        lambda text: text.replace(",,", ","),
    ),
    "delimiter lost": (
        lambda text: text.replace(",", "", 1),
        lambda text: f"{text[:8]},{text[8:]}",
    ),
    "stray quote": (lambda text: f'{text[:3]}"{text[3:]}', lambda text: text.replace('"', "")),
    "minus sign": (
        lambda text: text.replace(",", ",\u2212", 1),
        lambda text: text.replace("\u2212", ""),
    ),
}


def damage(folder: Path, seed: int) -> tuple[Path, dict[int, str]]:
    """Write the iris file with some records damaged; return what was done, by line."""
    lines = (SAMPLES / "iris.csv").read_text().splitlines()
    draw = random.Random(seed)
    done = {line: draw.choice(list(DAMAGES)) for line in draw.sample(range(2, len(lines) + 1), 40)}
    for line, kind in done.items():
        lines[line - 1] = DAMAGES[kind][0](lines[line - 1])
    path = folder / "damaged.csv"
    path.write_text("\n".join(lines) + "\n")
    return path, done


@pytest.mark.parametrize("options", [(), ("--chunk-size", "300", "-j", "3")], ids=["", "chunks"])
@pytest.mark.parametrize("seed", range(4))
def test_mended_rejects_complete_the_output(
    tmp_path: Path, seed: int, options: tuple[str, ...]
) -> None:
    damaged, kinds = damage(tmp_path, seed)
    rejects = tmp_path / "rejects.csv"
    argv = ("--keep-cols", "all", *options)
    first = run("classify", damaged, WEIGHTS, *argv, *REJECT, "--rejects", rejects).check()
    assert first.err == f"matscore: 40 rows rejected, see {rejects}\n"
    assert len(first.rows) == 1 + 110

    header, *rows = read_csv(rejects)
    assert header == HEADER
    assert [int(row[1]) for row in rows] == sorted(kinds)
    mended = [DAMAGES[kinds[int(line)]][1](text) for _, line, *_, text in rows]
    write_csv(tmp_path / "mended.csv", [read_csv(damaged)[0], *csv.reader(mended)])
    second = run("classify", tmp_path / "mended.csv", WEIGHTS, *argv).check(quiet=True)

    good, repaired = iter(first.rows[1:]), iter(second.rows[1:])
    complete = [next(repaired if line in kinds else good) for line in range(2, 152)]
    whole = run("classify", "iris.csv", WEIGHTS, *argv).check(quiet=True).rows
    assert [first.rows[0], *complete] == whole


def test_each_reject_says_where_and_why(tmp_path: Path) -> None:
    text = 'id,a,b\n"two\nlines",1,x\nok,1,2\n"say ""so""",1,2,3\n'
    (tmp_path / "f.csv").write_text(text)
    write_csv(tmp_path / "w.csv", [["f", "p", "q"], ["a", 1, 0], ["b", 0, 1]])
    done = run("classify", "f.csv", "w.csv", *REJECT, "--rejects", "r.csv", cwd=tmp_path).check()
    assert [row[0] for row in done.rows[1:]] == ["ok"]
    header, *rows = read_csv(tmp_path / "r.csv")
    assert header == HEADER
    assert [row[:4] for row in rows] == [["f.csv", "2", "3", "b"], ["f.csv", "5", "", ""]]
    assert [row[5] for row in rows] == ['"two\nlines",1,x', '"say ""so""",1,2,3']
    assert '"x" is not a number' in rows[0][4]
    assert "4 cells, but the first record has 3" in rows[1][4]


def test_rejects_of_several_files_name_theirs(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        write_csv(tmp_path / name, [["id", "action", "comedy"], ["x", 1, 2], ["y", "?", 2]])
    genres = SAMPLES / "genres.csv"
    argv = ("classify", "one.csv", "two.csv", genres, *REJECT, "--rejects", "r.csv")
    run(*argv, cwd=tmp_path).check()
    assert [row[:3] for row in read_csv(tmp_path / "r.csv")[1:]] == [
        ["one.csv", "3", "2"],
        ["two.csv", "3", "2"],
    ]


def test_without_bad_rows_there_is_only_the_header(tmp_path: Path) -> None:
    done = run("classify", "iris.csv", WEIGHTS, *REJECT, "--rejects", tmp_path / "r.csv")
    assert done.check(quiet=True).out == run("classify", "iris.csv", WEIGHTS).out
    assert read_csv(tmp_path / "r.csv") == [HEADER]


def test_rejects_are_compressed_by_their_ending(tmp_path: Path) -> None:
    damaged, _ = damage(tmp_path, 0)
    for name in ("r.csv.gz", "r.csv"):
        run("classify", damaged, WEIGHTS, *REJECT, "--rejects", tmp_path / name).check()
    packed = (tmp_path / "r.csv.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "r.csv").read_bytes()


def test_every_row_is_scored_or_rejected(tmp_path: Path) -> None:
    damaged, _ = damage(tmp_path, 5)
    with damaged.open("a") as file:
        file.write("\n,,,,,\niris-999,1,2,3,1e999,x\niris-998,,1,1,1,x\niris-997,1,1,1")
    options = ("--rejects", tmp_path / "r.csv", "--report", tmp_path / "report.json")
    for missing, n_rejected in (("error", 45), ("skip", 45), ("keep", 44), ("zero", 44)):
        argv = (damaged, WEIGHTS, *REJECT, *options, "--missing", missing)
        done = run("classify", *argv, "--chunk-size", "500").check()
        report = json.loads((tmp_path / "report.json").read_bytes())
        assert report["rows_in"] == 155
        assert report["rows_rejected"] == len(read_csv(tmp_path / "r.csv")) - 1 == n_rejected
        assert report["rows_scored"] == len(done.rows) - 1 == 155 - n_rejected


COMMANDS = {
    "scores": ("classify", "w.csv", "--probabilities", "--margin"),
    "ranks": ("classify", "w.csv", "--top-k", "1"),
    "reasons": ("explain", "w.csv"),
    "measures": ("evaluate", "w.csv", "--truth", "t"),
    "rankings": ("evaluate", "w.csv", "--truth", "t", "--one-vs-rest"),
    "items": ("recommend", "i.csv"),
    "matrix": ("recommend", "i.csv", "--matrix"),
    "cosines": ("recommend", "i.csv", "--matrix", "--metric", "cosine"),
}


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown", "parquet"])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_chunk_without_good_rows_writes_none(
    command: tuple[str, ...], form: str, tmp_path: Path
) -> None:
    """A record that cannot be read, and one whose scores overflow, alone in their chunks."""
    rows = [["u", "t", "a", "b"], ["x", "p", 1, "?"], ["y", "p", 1, 0], ["z", "q", 1e308, 1e308]]
    write_csv(tmp_path / "f.csv", rows)
    write_csv(tmp_path / "w.csv", [["feature", "p", "q"], ["a", 10, 0], ["b", 10, 1]])
    write_csv(tmp_path / "i.csv", [["item", "a", "b"], ["p", 10, 10], ["q", 0, 1]])
    name, other, *options = command
    form = "csv" if name == "evaluate" and form == "parquet" else form  # it has no such format
    argv = (name, "f.csv", other, *options, "-f", form, *REJECT, "--rejects", "r.csv")
    whole = run(*argv, cwd=tmp_path).check()
    cut = run(*argv, "--chunk-size", "1", cwd=tmp_path).check()
    assert cut == whole
    n_rejected = 1 if "cosine" in options else 2
    assert len(read_csv(tmp_path / "r.csv")) == 1 + n_rejected


# --missing skip


def test_missing_skip_sets_rows_aside(tmp_path: Path) -> None:
    rows = [["id", "action", "comedy"], ["a", 1, 2], ["b", "NA", 2], ["c", 3, ""], ["d", 1, 1]]
    features = write_csv(tmp_path / "f.csv", rows)
    argv = ("classify", features, "genres.csv", "--missing", "skip", "--rejects", tmp_path / "r")
    done = run(*argv).check()
    assert "2 rows rejected" in done.err
    assert [row[0] for row in done.rows[1:]] == ["a", "d"]
    rejects = read_csv(tmp_path / "r")[1:]
    assert [row[1:4] for row in rejects] == [["3", "2", "action"], ["4", "3", "comedy"]]
    assert all(row[4].startswith("a missing value") for row in rejects)


def test_missing_skip_stops_at_rows_that_are_bad_otherwise(tmp_path: Path) -> None:
    rows = [["id", "action", "comedy"], ["a", "", 2], ["b", "5%", 2], ["c", 3, 1]]
    features = write_csv(tmp_path / "f.csv", rows)
    options = ("--missing", "skip", "--rejects", tmp_path / "r", "-o", tmp_path / "out")
    done = run("classify", features, "genres.csv", *options).check(4)
    assert done.err.startswith(f'{features}:3:2: "action": "5%"')
    assert list(tmp_path.iterdir()) == [features]
    run("classify", features, "genres.csv", *options, *REJECT).check()
    assert len(read_csv(tmp_path / "r")) == 3


# --max-rejects


def limited(folder: Path, limit: str, *options: str) -> Done:
    """Score a file with 40 bad rows out of 150, into files that exist already."""
    damaged, _ = damage(folder, 7)
    for name in ("out.csv", "r.csv"):
        (folder / name).write_text("old")
    files = ("-o", "out.csv", "--rejects", "r.csv")
    limits = ("--max-rejects", limit, *options)
    return run("classify", damaged, WEIGHTS, *REJECT, *files, *limits, cwd=folder)


@pytest.mark.parametrize("limit", ["40", "1000", "26.7%", "100%", "27 %"])
def test_as_many_rejects_as_allowed(tmp_path: Path, limit: str) -> None:
    limited(tmp_path, limit).check()
    assert len(read_csv(tmp_path / "out.csv")) == 111
    assert len(read_csv(tmp_path / "r.csv")) == 41


@pytest.mark.parametrize("options", [(), ("--chunk-size", "1"), ("--chunk-size", "200", "-j", "4")])
@pytest.mark.parametrize("limit", ["0", "39", "26.6%", "0%", ".5%"])
def test_more_rejects_than_allowed(tmp_path: Path, limit: str, options: tuple[str, ...]) -> None:
    done = limited(tmp_path, limit, *options).check(4)
    assert done.err.count("\n") == 1
    assert "--max-rejects" in done.err
    assert list_names(tmp_path) == ["damaged.csv", "out.csv", "r.csv"]
    assert (tmp_path / "out.csv").read_text() == (tmp_path / "r.csv").read_text() == "old"


@pytest.mark.parametrize("limit", ["-1", "1.5", "x", "5%%", "", "٣"])
def test_limits_that_are_none(tmp_path: Path, limit: str) -> None:
    assert "max-rejects" in limited(tmp_path, limit).check(2).err


# Whole or absent


@pytest.mark.parametrize("rejects", ["/dev/full", "none/r.csv", "folder", "damaged.csv", "out.csv"])
def test_rejects_that_cannot_be_written(tmp_path: Path, rejects: str) -> None:
    damaged, _ = damage(tmp_path, 1)
    before = damaged.read_bytes()
    (tmp_path / "folder").mkdir()
    argv = ("classify", "damaged.csv", WEIGHTS, *REJECT, "--rejects", rejects, "-o", "out.csv")
    code = 2 if rejects in ("damaged.csv", "out.csv") else 5
    done = run(*argv, cwd=tmp_path).check(code)
    assert done.err.count("\n") == 1
    assert list_names(tmp_path) == ["damaged.csv", "folder"]
    assert damaged.read_bytes() == before


def test_a_late_failure_leaves_neither_file(tmp_path: Path) -> None:
    damaged, _ = damage(tmp_path, 1)
    with damaged.open("ab") as file:
        file.write(b"\xff\n")
    options = ("--rejects", "r.csv", "-o", "out.csv", "--chunk-size", "100")
    run("classify", "damaged.csv", WEIGHTS, *REJECT, *options, cwd=tmp_path).check(4)
    assert list_names(tmp_path) == ["damaged.csv"]


def test_rejects_can_go_to_a_stream(tmp_path: Path) -> None:
    damaged, _ = damage(tmp_path, 1)
    options = ("--rejects", "/dev/stderr", "-q")
    done = run("classify", damaged, WEIGHTS, *REJECT, *options).check()
    assert len(read_csv(done.err.encode())) == 41
