"""Directories and patterns as inputs, a directory as output, and runs that are resumed."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import resource
import signal
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.helpers import finish, list_names, read_csv, run, start, write_csv

WEIGHTS: list[list[Any]] = [["feature", "p", "q"], ["x", 1, 0.5], ["y", -1, 2]]
N_FILES, N_ROWS = 8, 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of one table in two folders, their columns in changing order."""
    write_csv(tmp_path / "w.csv", WEIGHTS)
    rng = random.Random(7)
    for i in range(N_FILES):
        place = tmp_path / f"data/year=202{i % 2}"
        place.mkdir(parents=True, exist_ok=True)
        rows: list[list[Any]] = [
            [f"r{i}-{j}", rng.randint(0, 9), rng.randint(0, 9)] for j in range(N_ROWS)
        ]
        header: list[Any] = ["id", "x", "y"]
        order = (0, 2, 1) if i % 3 else (0, 1, 2)
        write_csv(place / f"f{i}.csv", [[row[k] for k in order] for row in [header, *rows]])
    return tmp_path


def snapshot(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def manifest_of(path: Path) -> Any:
    return json.loads((path / "_manifest.json").read_bytes())


def expected_files(folder: Path) -> list[Path]:
    return sorted((folder / "data").rglob("*.csv"))


def score_each(folder: Path, *options: str) -> list[bytes]:
    argv = [(str(path), "w.csv", *options) for path in expected_files(folder)]
    return [run("classify", *words, cwd=folder).check(quiet=True).out for words in argv]


@pytest.mark.parametrize("argument", ["data", "data/", "data/*/*.csv", "data/**/*.csv", "data/*"])
def test_many_are_one_table(folder: Path, argument: str) -> None:
    """The same bytes as when all are named, and each file has its own plan."""
    files = expected_files(folder)
    expected = run("classify", *files, "w.csv", cwd=folder).check(quiet=True).out
    assert run("classify", argument, "w.csv", cwd=folder).check(quiet=True).out == expected
    alone = [read_csv(data) for data in score_each(folder)]
    assert read_csv(expected) == alone[0] + [row for part in alone[1:] for row in part[1:]]


def test_more_files_than_may_be_open(tmp_path: Path) -> None:
    write_csv(tmp_path / "w.csv", WEIGHTS)
    (tmp_path / "data").mkdir()
    for i in range(300):
        write_csv(tmp_path / f"data/{i:03}.csv", [["id", "x", "y"], [f"r{i}", i, 1]])
    pl.DataFrame({"id": ["last"], "x": [1], "y": [1]}).write_parquet(tmp_path / "data/p.parquet")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    done = finish(start("classify", "data", "w.csv", cwd=tmp_path, preexec_fn=limit)).check()
    assert [row[0] for row in done.rows[1:]] == [f"r{i}" for i in range(300)] + ["last"]


def test_a_file_that_changes_before_its_turn(folder: Path) -> None:
    """It was planned, closed, and is not what it was."""
    from matscore.errors import FileError
    from matscore.model import load_weights
    from matscore.options import PlanOptions, ReadOptions
    from matscore.read.table import open_table
    from matscore.run.parts import layout_of, plan_part

    path = expected_files(folder)[0]
    table = open_table(str(path), ReadOptions())
    weights = load_weights(str(folder / "w.csv"), ReadOptions())
    part = plan_part(table, weights, ReadOptions(), PlanOptions())
    table.park()
    path.write_bytes(path.read_bytes() + b"new,1,2\n")
    with pytest.raises(FileError, match="changed while it was read"):
        list(table.iter_chunks(layout_of(part, ReadOptions()), chunk_bytes=100))


def test_one_that_does_not_fit_is_named_first(folder: Path) -> None:
    bad = folder / "data/year=2021/f3.csv"
    write_csv(bad, [["id", "x", "z"], ["a", 1, 2]])
    for output in ("out.csv", "out/"):
        done = run("classify", "data", "w.csv", "-o", output, cwd=folder).check(3)
        assert "data/year=2021/f3.csv lacks a feature" in done.err
    assert list_names(folder) == ["data", "w.csv"]


def test_keys_are_kept(folder: Path) -> None:
    for options in (("--keep-cols", "year"), ("--keep-cols", "all")):
        rows = run("classify", "data", "w.csv", *options, cwd=folder).check(quiet=True).rows
        assert rows[0][:2] == ["id", "year"]
        assert {(row[0][1] in "1357", row[1]) for row in rows[1:]} == {
            (False, "2020"),
            (True, "2021"),
        }


def test_partitioned_parquet(folder: Path) -> None:
    """As Polars writes and reads it."""
    frame = pl.DataFrame(
        {"id": list("abcd"), "x": [1.5, 2, 3, 4], "y": [1, 2, 3, 4], "k": ["u/v", "w", "w", "u/v"]}
    )
    frame.write_parquet(folder / "table", partition_by="k", mkdir=True)
    done = run("classify", "table", "w.csv", "--keep-cols", "k", cwd=folder).check(quiet=True)
    read = pl.scan_parquet(folder / "table", hive_partitioning=True).collect()
    assert [row[:2] for row in done.rows[1:]] == [list(row) for row in read[["id", "k"]].rows()]
    csv = write_csv(folder / "t.csv", [read.columns, *read.rows()])
    argv = ("classify", csv.name, "w.csv", "--keep-cols", "k")
    assert run(*argv, cwd=folder).check(quiet=True).out == done.out


def test_a_key_can_be_a_feature(tmp_path: Path) -> None:
    (tmp_path / "d/y=2").mkdir(parents=True)
    write_csv(tmp_path / "w.csv", WEIGHTS)
    write_csv(tmp_path / "d/y=2/a.csv", [["id", "x"], ["a", 1], ["b", 2]])
    rows = run("classify", "d", "w.csv", cwd=tmp_path).check(quiet=True).rows
    assert [row[1:3] for row in rows[1:]] == [["-1.0", "4.5"], ["0.0", "5.0"]]
    (tmp_path / "d/y=2").rename(tmp_path / "d/y=two")
    done = run("classify", "d", "w.csv", cwd=tmp_path).check(4)
    assert '"y": the folder\'s value "two" is not a number' in done.err


def test_a_column_of_the_file_is_not_the_folders(tmp_path: Path) -> None:
    (tmp_path / "d/y=2").mkdir(parents=True)
    write_csv(tmp_path / "w.csv", WEIGHTS)
    write_csv(tmp_path / "d/y=2/a.csv", [["id", "x", "y"], ["a", 1, 5]])
    rows = run("classify", "d", "w.csv", cwd=tmp_path).check(quiet=True).rows
    assert rows[1][1:3] == ["-4.0", "10.5"]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "arrow"])
def test_a_directory_of_outputs(folder: Path, form: str) -> None:
    """Each part has the bytes of its file scored alone; the manifest says what is there."""
    done = run("classify", "data", "w.csv", "-o", "out/", "-f", form, cwd=folder)
    assert done.check(quiet=True).out == b""
    alone, files = score_each(folder, "-f", form), expected_files(folder)
    manifest = manifest_of(folder / "out")
    assert len(manifest["parts"]) == len(files) == N_FILES
    for part, file, data in zip(manifest["parts"], files, alone, strict=True):
        place = file.relative_to(folder / "data").parent
        assert part["output"] == str(place / f"part-of-{file.stem}.{form}")
        assert (folder / "out" / part["output"]).read_bytes() == data
        assert part["output_sha256"] == sha256(data)
        assert part["output_size"] == len(data)
        assert part["input"] == str(file.relative_to(folder))
        assert part["input_sha256"] == sha256(file.read_bytes())
        assert part["rows_scored"] == N_ROWS
    assert manifest["rows_in"] == manifest["rows_scored"] == N_FILES * N_ROWS
    assert sum(manifest["rows_a_category"].values()) == N_FILES * N_ROWS
    assert len(snapshot(folder / "out")) == N_FILES + 1


def test_report_of_a_directory(folder: Path) -> None:
    argv = ("classify", "data", "w.csv", "-o", "out/", "--report", "r.json")
    for options in ((), ("--resume",)):
        run(*argv, *options, cwd=folder).check(quiet=True)
        report = json.loads((folder / "r.json").read_bytes())
        assert report["rows_scored"] == N_FILES * N_ROWS
        assert [one["path"] for one in report["inputs"]][-1] == "w.csv"
        assert report["inputs"][0]["sha256"] == sha256(expected_files(folder)[0].read_bytes())


def test_rows_are_numbered_in_each_part(tmp_path: Path) -> None:
    write_csv(tmp_path / "w.csv", [["p", "q"], [1, 2], [3, 4]])
    for name in "ab":
        write_csv(tmp_path / f"{name}.csv", [[1, 2], [3, 4]])
    run("classify", "a.csv", "b.csv", "w.csv", "-o", "out/", cwd=tmp_path).check(quiet=True)
    for name in "ab":
        rows = read_csv(tmp_path / f"out/part-of-{name}.csv")
        assert [row[0] for row in rows] == ["row", "1", "2"]


def test_empty_inputs_have_parts(folder: Path) -> None:
    """Also first, last, and side by side."""
    for name in ("a", "f4", "y", "z"):
        write_csv(folder / f"data/year=2020/{name}.csv", [["id", "x", "y"]])
    run("classify", "data", "w.csv", "-o", "out/", cwd=folder).check(quiet=True)
    files = expected_files(folder)
    parts = manifest_of(folder / "out")["parts"]
    assert [part["input"] for part in parts] == [str(file.relative_to(folder)) for file in files]
    empty = [part["rows_scored"] == 0 for part in parts]
    assert empty == [file.stem in ("a", "f4", "y", "z") for file in files]
    for part, data in zip(parts, score_each(folder), strict=True):
        assert (folder / "out" / part["output"]).read_bytes() == data


@pytest.mark.parametrize("line", [0, 2, N_ROWS])
def test_a_bad_row_leaves_whole_parts_only(folder: Path, line: int) -> None:
    bad = folder / "data/year=2020/f4.csv"
    rows = bad.read_text().splitlines()
    rows[line] = "a,1" if line else rows[line] + "\nbad,1,z"
    bad.write_text("\n".join(rows) + "\n")
    done = run("classify", "data", "w.csv", "-o", "out/", cwd=folder).check(4)
    assert done.err.startswith(f"data/year=2020/f4.csv:{line + 1 if line else 2}")
    names = set(snapshot(folder / "out"))
    assert names == {"_journal.jsonl", "year=2020/part-of-f0.csv", "year=2020/part-of-f2.csv"}


def test_rejects_of_all_parts(folder: Path) -> None:
    for name in ("f1", "f3"):
        path = folder / f"data/year=2021/{name}.csv"
        path.write_text(path.read_text() + "bad,1,z\n")
    options = ("--on-error", "reject", "--rejects", "r.csv", "-o", "out/")
    expected = None
    for more in ((), ("--resume",)):
        done = run("classify", "data", "w.csv", *options, *more, cwd=folder).check()
        assert done.err == "matscore: 2 rows rejected, see r.csv\n"
        rejects = (folder / "r.csv").read_bytes()
        assert [row[0] for row in read_csv(rejects)[1:]] == [
            "data/year=2021/f1.csv",
            "data/year=2021/f3.csv",
        ]
        now = snapshot(folder / "out") | {"rejects": rejects}
        assert expected in (None, now)
        expected = now
    few = ("--max-rejects", "1")
    assert (
        "more than 1 row rejected"
        in run("classify", "data", "w.csv", *options, *few, cwd=folder).check(4).err
    )


def times_of(path: Path) -> dict[str, int]:
    return {name: (path / name).stat().st_ino for name in snapshot(path) if name[0] != "_"}


def test_resume_makes_only_what_has_changed(folder: Path) -> None:
    argv = ("classify", "data", "w.csv", "-o", "out/")
    run(*argv, cwd=folder).check(quiet=True)
    before, expected = times_of(folder / "out"), snapshot(folder / "out")
    run(*argv, "--resume", cwd=folder).check(quiet=True)
    assert times_of(folder / "out") == before
    assert snapshot(folder / "out") == expected
    changed = folder / "data/year=2020/f2.csv"
    changed.write_text(changed.read_text() + "new,1,2\n")
    (folder / "out/year=2021/part-of-f1.csv").write_text("mended by hand\n")
    (folder / "out/year=2021/part-of-f5.csv").unlink()
    run(*argv, "--resume", cwd=folder).check(quiet=True)
    after = times_of(folder / "out")
    made = {name for name in after if after[name] != before[name]}
    remade = {"year=2020/part-of-f2.csv", "year=2021/part-of-f1.csv", "year=2021/part-of-f5.csv"}
    assert made - {"year=2021/part-of-f1.csv"} <= remade and "year=2020/part-of-f2.csv" in made
    resumed = snapshot(folder / "out")
    assert resumed["year=2021/part-of-f1.csv"] == expected["year=2021/part-of-f1.csv"]
    run(*argv, cwd=folder).check(quiet=True)
    assert snapshot(folder / "out") == resumed
    assert set(times_of(folder / "out").values()).isdisjoint(after.values()) or all(
        times_of(folder / "out")[name] != after[name] for name in ("year=2020/part-of-f0.csv",)
    )


@pytest.mark.parametrize(
    "options", [("--margin",), ("--precision", "1"), ("--keep-cols", "year"), ("weights",)]
)
def test_resume_with_other_options_or_weights(folder: Path, options: tuple[str, ...]) -> None:
    argv = ("classify", "data", "w.csv", "-o", "out/")
    run(*argv, cwd=folder).check(quiet=True)
    if options == ("weights",):
        write_csv(folder / "w.csv", [*WEIGHTS[:2], ["y", -1, 3]])
        options = ()
    run(*argv, *options, "--resume", cwd=folder).check(quiet=True)
    resumed = snapshot(folder / "out")
    run(*argv[:-1], "new/", *options, cwd=folder).check(quiet=True)
    assert snapshot(folder / "new") == resumed


def test_a_copy_with_another_time_is_unchanged(folder: Path) -> None:
    argv = ("classify", "data", "w.csv", "-o", "out/")
    run(*argv, cwd=folder).check(quiet=True)
    before = times_of(folder / "out")
    for file in expected_files(folder):
        os.utime(file, (1, 1))
    run(*argv, "--resume", cwd=folder).check(quiet=True)
    assert times_of(folder / "out") == before


def test_parts_of_inputs_that_are_gone_go_too(folder: Path) -> None:
    argv = ("classify", "data", "w.csv", "-o", "out/")
    run(*argv, cwd=folder).check(quiet=True)
    for file in (folder / "data/year=2021").iterdir():
        file.unlink()
    for options in (("--resume",), ()):
        run(*argv, *options, cwd=folder).check(quiet=True)
        names = sorted(snapshot(folder / "out"))
        assert names == ["_manifest.json", *(f"year=2020/part-of-f{i}.csv" for i in (0, 2, 4, 6))]
        assert list_names(folder / "out") == ["_manifest.json", "year=2020"]


def test_outputs_of_others_are_left_alone(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out/mine.txt").write_text("mine")
    done = run("classify", "data", "w.csv", "-o", "out/", cwd=folder).check(2)
    assert "out/ holds files that are not of an earlier run; name an empty directory" in done.err
    assert snapshot(folder / "out") == {"mine.txt": b"mine"}


def test_a_manifest_names_nothing_outside(folder: Path) -> None:
    argv = ("classify", "data", "w.csv", "-o", "out/")
    run(*argv, cwd=folder).check(quiet=True)
    (folder / "part-of-mine.csv").write_text("mine")
    manifest = manifest_of(folder / "out")
    manifest["parts"][0]["output"] = "../part-of-mine.csv"
    (folder / "out/_manifest.json").write_text(json.dumps(manifest))
    run(*argv, cwd=folder).check(quiet=True)
    assert (folder / "part-of-mine.csv").read_text() == "mine"


@pytest.mark.parametrize("value", [None, "1", [], {}, -0.5])
def test_a_manifest_that_others_have_edited(folder: Path, value: object) -> None:
    argv = ("classify", "data", "w.csv", "-o", "out/")
    run(*argv, cwd=folder).check(quiet=True)
    expected = snapshot(folder / "out")
    manifest = manifest_of(folder / "out")
    for part, name in zip(manifest["parts"], manifest["parts"][0], strict=False):
        part[name] = value
    (folder / "out/_manifest.json").write_text(json.dumps(manifest))
    run(*argv, "--resume", cwd=folder).check(quiet=True)
    assert manifest_of(folder / "out")["rows_in"] == N_FILES * N_ROWS
    resumed = snapshot(folder / "out")
    del expected["_manifest.json"], resumed["_manifest.json"]
    assert resumed == expected


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("data", "w.csv", "-o", "data/"), "the output directory holds an input"),
        (("data", "w.csv", "-o", "./"), "the output directory holds an input"),
        (("data", "w.csv", "-o", "out/", "-f", "table"), "a directory holds no tables"),
        (("data", "w.csv", "-o", "out.csv", "--resume"), "only the parts of a directory"),
        (("data", "data/year=2020/f0.csv", "w.csv", "-o", "out/"), "would both be written"),
        (("data", "data", "w.csv"), "is given twice"),
        (("data", "w.csv", "--scheduler", "tcp://h:1"), "it goes with --engine dask"),
    ],
)
def test_contradictions(folder: Path, argv: tuple[str, ...], words: str) -> None:
    assert words in run("classify", *argv, cwd=folder).check(2).err
    assert list_names(folder) == ["data", "w.csv"]


def test_what_a_dead_worker_has_left_goes(folder: Path) -> None:
    """The unfinished file of one that was killed while others went on."""
    from matscore import classify_file

    left = folder / "out/year=2020/.part-of-f0.csv.matscore-0123456789abcdef.tmp"
    classify_file(
        folder / "data", folder / "w.csv", f"{folder}/out/", on_progress=lambda _: left.touch()
    )
    assert not left.exists() and "_manifest.json" in list_names(folder / "out")


def test_two_runs_into_one_directory(folder: Path) -> None:
    import fcntl

    (folder / "out").mkdir()
    held = os.open(folder / "out", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    done = run("classify", "data", "w.csv", "-o", "out/", cwd=folder).check(5)
    os.close(held)
    assert "another run writes there" in done.err
    run("classify", "data", "w.csv", "-o", "out/", cwd=folder).check(quiet=True)


def test_files_that_meet_the_weights_in_two_ways(tmp_path: Path) -> None:
    """Each fits by itself, one with the weights transposed, and the categories are others."""
    write_csv(tmp_path / "f.csv", [["id", "a", "b"], ["r", 1, 2]])
    write_csv(tmp_path / "g.csv", [["id", "c", "d"], ["s", 1, 2]])
    write_csv(tmp_path / "w.csv", [["", "a", "b"], ["c", 1, 2], ["d", 3, 4]])
    argv = ("w.csv", "--auto-transpose")
    for name in ("f.csv", "g.csv"):
        run("classify", name, *argv, cwd=tmp_path).check()
    done = run("classify", "f.csv", "g.csv", *argv, cwd=tmp_path).check(3)
    assert "g.csv meets w.csv in another way than f.csv" in " ".join(done.err.split())


def test_killed_and_resumed(folder: Path) -> None:
    """Byte for byte what one run gives, wherever the kill comes; and each part whole or absent."""
    big = folder / "big"
    big.mkdir()
    rng = random.Random(3)
    rows = [f"r{j},{rng.random()},{rng.random()}\n" for j in range(60_000)]
    for i in range(6):
        path = big / f"f{i}.csv"
        path.write_text("id,x,y\n" + "".join(rows[i:] + rows[:i]))
        if i == 2:
            (big / "f2.csv.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
            path.unlink()
    argv = ("classify", "big", "w.csv", "-j", "1")
    run(*argv, "-o", "whole/", cwd=folder).check(quiet=True)
    expected = snapshot(folder / "whole")
    n_killed = n_kept = 0
    while True:
        process = start(*argv, "-o", "out/", "--resume", cwd=folder)
        n_parts, deadline = n_kept + 1, time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if len(list((folder / "out").glob("part-of-*"))) >= n_parts:
                time.sleep(rng.random() * 0.02)
                process.kill()
                break
            time.sleep(0.001)
        done = finish(process)
        found = snapshot(folder / "out")
        for name, data in found.items():
            assert name.startswith((".", "_")) or data == expected[name]
        n_kept = len(list((folder / "out").glob("part-of-*")))
        if done.code == 0:
            break
        assert done.code == -signal.SIGKILL
        # The journal goes last.
        whole = {name: data for name, data in found.items() if name != "_journal.jsonl"}
        assert "_manifest.json" not in found or whole == expected
        n_killed += 1
    assert n_killed >= 3
    assert found == expected
