"""``--engine dask`` on a real cluster: the same bytes, the same messages, and what may break."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from matscore.run import cluster as cluster_engine
from matscore.run import remote
from matscore.run.cluster import ClusterEngine
from tests.benchmarks.measure import measure
from tests.cli.test_unique_labels import draw_rows, read_gone, walk
from tests.cluster import Cluster, open_cluster
from tests.helpers import ENVIRONMENT, PROGRAM, Done, finish, list_names, run, start, write_csv

pytest.importorskip("distributed")

WEIGHTS: list[list[Any]] = [["feature", "p", "q"], ["x", 1, 0.5], ["y", -1, 2]]
CHUNK = ("--chunk-size", "4k")  # so that a small file is many ranges
N_ROWS = 4_000
MANY_ROWS = 400_000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with open_cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


def make_text(n_rows: int = N_ROWS, *, seed: int = 1) -> str:
    """Return a file whose labels have line ends, quotes and delimiters in them."""
    rng = random.Random(seed)
    labels = ['"a\nb"', '"say ""no""\r\n,"', "plain", '""', '"\n\n"']
    rows = (
        f"{rng.choice(labels)},{rng.random():.6f},{rng.randint(-9, 9)}\n" for _ in range(n_rows)
    )
    return "id,x,y\n" + "".join(rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_csv(tmp_path / "w.csv", WEIGHTS)
    (tmp_path / "f.csv").write_text(make_text(), newline="")
    return tmp_path


def run_both(cluster: Cluster, folder: Path, *argv: str, code: int = 0) -> tuple[Done, Done]:
    """Run with threads and on the cluster; both must end in the same way."""
    local = run(*argv, *CHUNK, cwd=folder)
    assert local.code == code, local.err
    remote = run(*argv, *CHUNK, *dask(cluster), cwd=folder)
    assert remote == local
    return local, remote


def dask(cluster: Cluster) -> tuple[str, ...]:
    return ("--engine", "dask", "--scheduler", cluster.address)


def snapshot(path: Path) -> dict[str, bytes]:
    files = (file for file in sorted(path.rglob("*")) if file.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


@pytest.mark.parametrize(
    "options", [(), ("--margin", "--probabilities"), ("-f", "json"), ("-f", "parquet")]
)
def test_quoted_line_ends(cluster: Cluster, folder: Path, options: tuple[str, ...]) -> None:
    local, _ = run_both(cluster, folder, "classify", "f.csv", "w.csv", *options)
    assert len(local.out) > 50_000


def test_lines_that_are_left_out(cluster: Cluster, folder: Path) -> None:
    """Workers do not find ranges in a text whose lines are rewritten: they get its chunks."""
    lines = make_text().replace("\nplain", '\n# plain, "open\nplain').splitlines(keepends=True)
    (folder / "f.csv").write_text("".join(["title\n", *lines, "z,1,?\n"]), newline="")
    options = ("--comment", "#", "--skip-lines", "1")
    _, failed = run_both(cluster, folder, "classify", "f.csv", "w.csv", *options, code=4)
    assert f"f.csv:{2 + len(lines)}:3" in failed.err
    (folder / "d").mkdir()
    for name in ("a", "b"):
        text = "# c\nid  x y\n" + "".join(f" k{i}  {i}   1\n# d\n" for i in range(99))
        (folder / "d" / f"{name}.txt").write_text(text)
    write_csv(folder / "v.txt", [["feature p"], ["x 1"], ["y -1"]])
    blanks = ("--comment", "#", "-d", "blanks", "--report", "r.json")
    run_both(cluster, folder, "classify", "d", "v.txt", *blanks)
    run(*("classify", "d", "v.txt", "-o", "here/"), *blanks, cwd=folder).check()
    run(*("classify", "d", "v.txt", "-o", "there/"), *blanks, *dask(cluster), cwd=folder).check()
    here, there = (snapshot(folder / name) for name in ("here", "there"))
    assert {n: d for n, d in here.items() if "_" not in n} == {
        n: d for n, d in there.items() if "_" not in n
    }
    report = json.loads((folder / "r.json").read_text())
    assert [one["comment_lines"] for one in report["inputs"]] == [100, 100, 0]


def test_links(cluster: Cluster, folder: Path) -> None:
    for link in ("one-vs-rest", "probit"):
        write_csv(folder / "w.csv", [[f"feature ({link})", "p", "q"], ["x", 0, 0.5], ["y", 0, 2]])
        options = ("--probabilities", "--response")
        local, _ = run_both(cluster, folder, "classify", "f.csv", "w.csv", *options)
        assert local.rows[0][-2:] == ["response_p", "response_q"]


def test_rows_are_numbered_through_all_ranges_and_files(cluster: Cluster, folder: Path) -> None:
    write_csv(folder / "n.csv", [["p", "q"], [1, 0.5], [-1, 2]])
    for name in "ab":
        write_csv(folder / f"{name}.csv", [[i, i % 7] for i in range(5_000)])
    (folder / "b.csv.gz").write_bytes(gzip.compress((folder / "b.csv").read_bytes()))
    argv = ("classify", "a.csv", "b.csv.gz", "b.csv", "n.csv", "-n")
    write_csv(folder / "n.csv", [[1, 0.5], [-1, 2]])
    local, _ = run_both(cluster, folder, *argv)
    assert local.rows[-1][0] == "15000"


def test_kinds_of_files(cluster: Cluster, folder: Path) -> None:
    """Gzip, another encoding, Parquet, Arrow, in one table."""
    text = (folder / "f.csv").read_bytes()
    (folder / "g.csv.gz").write_bytes(gzip.compress(text))
    (folder / "h.csv").write_bytes(text.decode().encode("utf-16"))
    frame = pl.DataFrame({"id": [str(i) for i in range(9_000)], "y": range(9_000), "x": 0.5})
    frame.write_parquet(folder / "p.parquet", row_group_size=1_000)
    frame.write_ipc(folder / "q.arrow")
    files = ("f.csv", "g.csv.gz", "h.csv", "p.parquet", "q.arrow")
    local, _ = run_both(cluster, folder, "classify", *files, "w.csv")
    assert len(local.rows) == 1 + 3 * N_ROWS + 18_000


def test_table_and_report(cluster: Cluster, folder: Path) -> None:
    run_both(cluster, folder, "classify", "f.csv", "w.csv", "-f", "table", "--max-rows", "3000")
    reports = []
    for options in ((), dask(cluster)):
        argv = ("classify", "f.csv", "w.csv", "-o", "out.csv", "--report", "r.json")
        run(*argv, *CHUNK, *options, cwd=folder).check(quiet=True)
        report = json.loads((folder / "r.json").read_bytes())
        own = dict.fromkeys(("command", "plans", "seconds", "started"))
        reports.append(report | own)
    assert reports[0] == reports[1]
    assert reports[0]["inputs"][0]["sha256"]


def test_standard_input(cluster: Cluster, folder: Path) -> None:
    text = (folder / "f.csv").read_bytes()
    argv = ("classify", "-", "w.csv", *CHUNK)
    local = run(*argv, stdin=text, cwd=folder).check(quiet=True)
    assert run(*argv, *dask(cluster), stdin=text, cwd=folder) == local


BAD = {
    "a word": (2_000, "a,one,1"),
    "a quote in a cell": (2_000, 'a"b,1,2'),
    "a quote after a quoted cell": (3_000, '"a"b,1,2'),
    "a quote never closed": (1_500, '"a,1,2'),
    "a blank line": (2_500, ""),
    "a cell too few": (3_999, "a,1"),
    "in the first range": (1, "a,one,1"),
    "not UTF-8": (1_000, "a\udcff,1,2"),
    "too large": (1_234, "a,1.7e308,-1.7e308"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_the_same_message(cluster: Cluster, folder: Path, name: str) -> None:
    place, text = BAD[name]
    lines = make_text().split("\n")
    while not lines[place - 1].endswith(tuple("0123456789")):  # so that a record starts here
        place += 1
    lines.insert(place, text)
    data = "\n".join(lines).encode("utf-8", "surrogateescape")
    (folder / "f.csv").write_bytes(data)
    argv = ("classify", "f.csv", "w.csv")
    local, _ = run_both(cluster, folder, *argv, "-o", "out.csv", code=4)
    assert local.err.startswith("f.csv:")
    assert list_names(folder) == ["f.csv", "w.csv"]
    if name == "not UTF-8":
        return
    local = run(*argv, *CHUNK, "--on-error", "reject", "--rejects", "r.csv", cwd=folder)
    rejects = (folder / "r.csv").read_bytes() if local.code == 0 else b""
    remote = run(
        *argv, *CHUNK, *dask(cluster), "--on-error", "reject", "--rejects", "r.csv", cwd=folder
    )
    assert remote == local
    if local.code == 0:
        assert (folder / "r.csv").read_bytes() == rejects


@pytest.fixture
def labelled(folder: Path) -> Path:
    """Rows with a truth in a column of the file and in a file of its own; users and items."""
    rng = random.Random(4)
    rows = [[f"r{i}", rng.random(), rng.randint(-9, 9), rng.choice("pq")] for i in range(3_000)]
    write_csv(folder / "in.csv", [["id", "x", "y", "truth"], *rows])
    write_csv(folder / "p.csv", [row[:2] for row in WEIGHTS])
    write_csv(folder / "truth.csv", [["id", "truth"], *([row[0], row[3]] for row in rows)])
    write_csv(folder / "users.csv", [["user", "x", "y"], *(row[:3] for row in rows)])
    write_csv(folder / "items.csv", [["item", "y", "x"], *([f"i{i}", i % 7, i] for i in range(50))])
    write_csv(folder / "seen.csv", [["user", "item"], ["r1", "i49"], ["r2", "i48"], ["r7", "i1"]])
    return folder


@pytest.mark.parametrize(
    "argv",
    [
        ("explain", "f.csv", "w.csv"),
        ("explain", "in.csv", "w.csv", "--row", "r2998"),
        ("evaluate", "in.csv", "w.csv", "--truth", "truth"),
        ("evaluate", "users.csv", "w.csv", "--truth-file", "truth.csv", "-f", "json"),
        ("evaluate", "in.csv", "w.csv", "--truth", "truth", "--one-vs-rest"),
        ("evaluate", "in.csv", "p.csv", "--truth", "truth", "--best", "f1", "-f", "json"),
        ("recommend", "users.csv", "items.csv", "-k", "3"),
        ("recommend", "users.csv", "items.csv", "-k", "3", "--exclude", "seen.csv"),
        ("recommend", "users.csv", "items.csv", "--matrix"),
        ("classify", "f.csv", "w.csv", "--top-k", "2"),
    ],
)
def test_other_commands(cluster: Cluster, labelled: Path, argv: tuple[str, ...]) -> None:
    run_both(cluster, labelled, *argv)


@pytest.mark.parametrize("kind", ["csv", "gz", "targets", "pipe"])
def test_fit(cluster: Cluster, folder: Path, kind: str) -> None:
    """The same weights, to the last bit, of blocks that other ranges end in, with rows rejected."""
    rng = random.Random(6)
    numbers = [(rng.gauss(0, 1), rng.random() * 1e6, rng.choice("uvw")) for _ in range(7_000)]
    rows = [[f"r{i}", a, b, t, a + b / 7 + rng.random(), rng.choice("pq")]
            for i, (a, b, t) in enumerate(numbers)]  # fmt: skip
    rows[2_047][1] = rows[4_999][2] = "?"
    write_csv(folder / "l.csv", [["id", "a", "b", "t", "y", "c"], *rows])
    data = (folder / "l.csv").read_bytes()
    inputs, stdin = ["l.csv"], b""
    if kind == "gz":
        (folder / "l.csv.gz").write_bytes(gzip.compress(data))
        inputs = ["l.csv.gz"]
    elif kind == "targets":
        write_csv(folder / "x.csv", [["id", "a", "b", "t"], *(row[:4] for row in rows)])
        write_csv(folder / "y.csv", [["id", "y"], *(row[::4] for row in rows)])
        inputs = ["x.csv", "y.csv"]
    elif kind == "pipe":
        inputs, stdin = ["-"], data
    options = ["--on-error", "reject", "--rejects", "r.csv", "--chunk-size", "16k"]
    # A pipe is read once, and columns of text twice.
    dropped = "t," if kind == "pipe" else ""
    asked = [
        f"--target y --drop-cols {dropped}c",
        f"--target c --drop-cols {dropped}y --method ridge",
    ]
    if kind == "targets":
        asked = ["", "--method ridge --alpha 3 --standardize"]
    for own in asked:
        done: list[Any] = []
        for engine in ((), dask(cluster)):
            argv = ("fit", *inputs, *own.split(), *options, *engine, "--report", "r.json")
            done.append(run(*argv, stdin=stdin, cwd=folder).check())
            report = json.loads((folder / "r.json").read_bytes())
            done += [report["fit"], report["rows_rejected"], (folder / "r.csv").read_bytes()]
        assert done[:4] == done[4:]
        assert done[2] == 2 and done[0].rows[-1][0] == "(Intercept)"


def test_a_logistic_fit_stays_here(cluster: Cluster, labelled: Path) -> None:
    argv = ("fit", "in.csv", "--target", "truth", *dask(cluster))
    assert "logistic regression is done on this machine" in run(*argv, cwd=labelled).check(2).err


def test_recommend_into_a_directory(cluster: Cluster, labelled: Path) -> None:
    (labelled / "users").mkdir()
    lines = (labelled / "users.csv").read_text().splitlines(keepends=True)
    for i in range(3):
        part = [lines[0], *lines[1 + i :: 3]]
        (labelled / f"users/u{i}.csv").write_text("".join(part))
    argv = ("recommend", "users", "items.csv", "-k", "3", *CHUNK)
    run(*argv, "-o", "local/", cwd=labelled).check(quiet=True)
    run(*argv, *dask(cluster), "-o", "remote/", cwd=labelled).check(quiet=True)
    assert snapshot(labelled / "remote") == snapshot(labelled / "local")
    for i in range(3):
        alone = run("recommend", f"users/u{i}.csv", "items.csv", "-k", "3", cwd=labelled)
        assert (labelled / f"local/part-of-u{i}.csv").read_bytes() == alone.out


def make_folder(folder: Path, n_files: int = 6, n_rows: int = 500) -> None:
    (folder / "data/k=1").mkdir(parents=True)
    (folder / "data/k=2").mkdir()
    for i in range(n_files):
        text = make_text(n_rows, seed=i).encode()
        name = f"data/k={1 + i % 2}/f{i}.csv"
        if i % 3:
            (folder / name).write_bytes(text)
        else:
            (folder / f"{name}.gz").write_bytes(gzip.compress(text, mtime=0))


def test_a_directory_written_by_the_workers(cluster: Cluster, folder: Path) -> None:
    """The same parts and the same manifest; and one engine resumes what the other began."""
    make_folder(folder)
    argv = ("classify", "data", "w.csv", "--keep-cols", "k", *CHUNK)
    run(*argv, "-o", "local/", cwd=folder).check(quiet=True)
    run(*argv, *dask(cluster), "-o", "remote/", cwd=folder).check(quiet=True)
    expected = snapshot(folder / "local")
    assert snapshot(folder / "remote") == expected
    (folder / "remote/k=1/part-of-f2.csv").unlink()
    run(*argv, *dask(cluster), "-o", "remote/", "--resume", cwd=folder).check(quiet=True)
    (folder / "local/k=1/part-of-f2.csv").unlink()
    run(*argv, *dask(cluster), "-o", "local/", "--resume", cwd=folder).check(quiet=True)
    assert snapshot(folder / "remote") == snapshot(folder / "local") == expected


def test_a_bad_row_in_a_directory(cluster: Cluster, folder: Path) -> None:
    make_folder(folder)
    bad = folder / "data/k=2/f1.csv"
    bad.write_text(bad.read_text() + "a,one,1\n")
    argv = ("classify", "data", "w.csv", *CHUNK)
    local = run(*argv, "-o", "local/", cwd=folder).check(4)
    remote = run(*argv, *dask(cluster), "-o", "remote/", cwd=folder).check(4)
    assert remote.err == local.err
    assert "k=2/part-of-f1.csv" not in snapshot(folder / "remote")
    bad.write_text(make_text(seed=1))
    run(*argv, "-o", "local/", "--resume", cwd=folder).check(quiet=True)
    run(*argv, *dask(cluster), "-o", "remote/", "--resume", cwd=folder).check(quiet=True)
    assert snapshot(folder / "remote") == snapshot(folder / "local")


def test_a_file_that_the_workers_do_not_have(cluster: Cluster, folder: Path) -> None:
    """A descriptor of ours, say: it is a file here, and none there."""
    argv = ("classify", "/dev/fd/9", "w.csv", *CHUNK, *dask(cluster))
    with (folder / "f.csv").open("rb") as file:

        def inherit() -> None:
            os.dup2(file.fileno(), 9)

        done = finish(start(*argv, cwd=folder, preexec_fn=inherit, close_fds=False)).check(5)
    assert "/dev/fd/9: cannot be read by the worker on" in done.err
    assert done.err.rstrip().endswith("put it where every worker reads it under the same name")


def test_the_model_is_sent_once(cluster: Cluster, folder: Path) -> None:
    """What comes through the scheduler does not grow with the number of ranges."""
    from distributed import Client

    from matscore import OutputOptions, RunOptions, classify_file

    features = [f"f{i}" for i in range(100)]
    write_csv(folder / "wide.csv", [["feature", *(f"c{j}" for j in range(500))]] + [
        [name, *(i % 7 for i in range(500))] for name in features
    ])  # fmt: skip
    rows = ([f"r{i}", *range(100)] for i in range(2_000))
    write_csv(folder / "many.csv", [["id", *features], *rows])
    sent = []
    submit = Client.submit

    def spy(self: Any, function: Any, *args: Any, **options: Any) -> Any:
        sent.append((function.__name__, args))
        return submit(self, function, *args, **options)

    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(Client, "submit", spy)
        run_options = RunOptions(engine="dask", scheduler=cluster.address, chunk_bytes=2**14)
        summary = classify_file(
            folder / "many.csv", folder / "wide.csv", folder / "o.csv",
            write=OutputOptions(scores=False), run=run_options,
        )  # fmt: skip
    assert summary.n_rows == 2_000
    names = [name for name, _ in sent]
    assert names.count("keep") == 2 and names.count("run_unit") > 5


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--scheduler", "tcp://127.0.0.1:9"), 5, "tcp://127.0.0.1:9: no scheduler answers"),
        (("--scheduler", "nonsense://h:1"), 5, "nonsense://h:1: no scheduler answers"),
        (("--scheduler", "tcp://127.0.0.1:9", "-j", "2"), 2, "--jobs has no effect"),
    ],
)
def test_no_scheduler(folder: Path, options: tuple[str, ...], code: int, words: str) -> None:
    argv = ("classify", "f.csv", "w.csv", "-o", "o.csv", "--engine", "dask")
    done = run(*argv, *options, cwd=folder)
    assert words in done.check(code).err
    assert list_names(folder) == ["f.csv", "w.csv"]


def test_without_dask(folder: Path) -> None:
    (folder / "distributed").mkdir()
    (folder / "distributed/__init__.py").write_text("raise ImportError\n")
    env = {"PYTHONPATH": f"{folder}:{os.pathsep.join([str(Path(__file__).parents[2] / 'src')])}"}
    process = start("classify", "f.csv", "w.csv", "--engine", "dask", cwd=folder, env=env)
    done = finish(process).check(2)
    assert done.err == (
        "matscore: --engine dask needs an optional package; pip install 'matscore[dask]'\n"
    )


def test_other_versions_are_said(
    cluster: Cluster, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of packages, and of the rounding of products."""
    from matscore import ColumnOptions, RunOptions, classify_file, fit_file
    from matscore.errors import ClusterWarning

    here = remote.describe_environment()
    assert set(here) >= {"Python", "matscore", "numpy", "pyarrow"}
    other = here | {
        "pyarrow": "1.0",
        "the rounding of products": "none",
        "the rounding of decompositions": "none",
    }
    monkeypatch.setattr(remote, "describe_environment", Describe(here, other))
    run_options = RunOptions(engine="dask", scheduler=cluster.address)
    with pytest.warns(ClusterWarning) as said:
        classify_file(folder / "f.csv", folder / "w.csv", run=run_options)
    texts = [str(one.message) for one in said]
    # Of decompositions nothing, which are a matter of fit.
    assert len(texts) in (2, 4) and all(text.endswith("; results may differ") for text in texts)
    assert f"pyarrow is {here['pyarrow']} on the worker tcp://" in texts[0]
    assert "1.0 here" in texts[0]
    with pytest.warns(ClusterWarning) as said:
        columns = ColumnOptions(target=("y",), drop_cols=("id",))
        fit_file(folder / "f.csv", columns=columns, run=run_options)
    found = [text for one in said if "of decompositions" in (text := str(one.message))]
    assert len(found) in (1, 2) and " on the worker tcp://" in found[0]


class Describe:
    """Says one thing here and, once it was sent, another there."""

    def __init__(self, there: dict[str, str], here: dict[str, str]) -> None:
        self.there, self.here = there, here

    def __call__(self) -> dict[str, str]:
        return self.here

    def __reduce__(self) -> Any:
        return functools.partial, (dict, self.there)


def test_no_worker(
    tmp_path_factory: pytest.TempPathFactory, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matscore import RunOptions, classify_file
    from matscore.errors import ClusterError

    monkeypatch.setattr(cluster_engine, "_WORKER_SECONDS", 1)
    with open_cluster(tmp_path_factory.mktemp("cluster"), n_workers=0) as cluster:
        run_options = RunOptions(engine="dask", scheduler=cluster.address)
        with pytest.raises(ClusterError, match="the scheduler has no worker; start one with"):
            classify_file(folder / "f.csv", folder / "w.csv", folder / "o.csv", run=run_options)
    assert list_names(folder) == ["f.csv", "w.csv"]


def test_a_piece_that_kills_its_workers() -> None:
    """Dask gives it up, and that is said."""
    from unittest.mock import Mock

    from distributed import KilledWorker

    from matscore.errors import ClusterError
    from matscore.run.cluster import Connection

    client = Mock()
    client.submit.side_effect = KilledWorker("task", Mock(), 3)
    client.scheduler.address = "tcp://h:1"
    with pytest.raises(ClusterError, match="4 workers died one after another over one piece"):
        Connection(client, decomposes=False).submit(abs, 1)


def test_a_cluster_of_its_own(folder: Path) -> None:
    """Processes on this machine, none of which stays."""
    expected = run("classify", "f.csv", "w.csv", cwd=folder).check(quiet=True).out
    process = start("classify", "f.csv", "w.csv", "--engine", "dask", "-j", "2", *CHUNK, cwd=folder)
    done = finish(process).check(quiet=True)
    assert done.out == expected
    assert not children_of(process.pid)


def children_of(session: int) -> list[int]:
    """Return the processes whose parent or group is gone with a run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if session in (int(fields[1]), int(fields[2])) and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def start_long(folder: Path, cluster: Cluster, n_rows: int, *argv: str) -> Any:
    """Start a run that lasts, and return when it has begun to write."""
    (folder / "long.csv").write_text(make_text(n_rows), newline="")
    process = start("classify", "long.csv", "w.csv", "-o", "out.csv", "--chunk-size", "32k",
                    *dask(cluster), *argv, cwd=folder)  # fmt: skip
    deadline = time.monotonic() + 60
    while not any(file.stat().st_size > 2**20 for file in folder.glob(".out.csv.*")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    return process


def test_a_worker_and_then_the_scheduler_are_killed(
    tmp_path_factory: pytest.TempPathFactory, folder: Path
) -> None:
    """A worker's pieces are done again by the other; nothing is doubled or missing."""
    with open_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        process = start_long(folder, cluster, 200_000)
        os.killpg(cluster.workers[0].pid, signal.SIGKILL)
        finish(process).check(quiet=True)
        expected = run("classify", "long.csv", "w.csv", cwd=folder).check(quiet=True).out
        assert (folder / "out.csv").read_bytes() == expected
        (folder / "out.csv").unlink()
        process = start_long(folder, cluster, 200_000)
        assert cluster.scheduler is not None
        os.killpg(cluster.scheduler.pid, signal.SIGKILL)
        began = time.monotonic()
        done = finish(process).check(5)
    assert done.err == (
        f"matscore: {cluster.address}: the scheduler is gone; start it again, and run again\n"
    )
    assert time.monotonic() - began < 30
    assert list_names(folder) == ["f.csv", "long.csv", "w.csv"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run(cluster: Cluster, folder: Path, number: signal.Signals) -> None:
    process = start_long(folder, cluster, 200_000)
    process.send_signal(number)
    done = finish(process).check(128 + number)
    assert done.err == f"matscore: stopped by {number.name}\n"
    assert list_names(folder) == ["f.csv", "long.csv", "w.csv"]
    run_both(cluster, folder, "classify", "f.csv", "w.csv")  # the cluster is as it was


def kill_client(folder: Path, *argv: str, n_parts: int = 1) -> list[Path]:
    """Start a run into a directory, and kill it once some of its parts are in the journal.

    Return the parts that are there, while workers may still be at others.
    """
    journal, manifest = (folder / f"remote/_{name}" for name in ("journal.jsonl", "manifest.json"))

    def count_lines() -> int:
        with contextlib.suppress(FileNotFoundError):
            return journal.read_bytes().count(b"\n")
        return 0

    for _ in range(5):  # a machine that is busy elsewhere may let a run come to its end
        process, deadline = start(*argv, cwd=folder), time.monotonic() + 60
        # The run's number and the names of the parts come first.
        while count_lines() < 2 + n_parts and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        if finish(process).code == -signal.SIGKILL and not manifest.exists():
            return list((folder / "remote").rglob("part-of-*"))
        shutil.rmtree(folder / "remote")
    raise AssertionError("no run could be killed in time")


class Ready(Future[Any]):
    """A result that is there."""

    def release(self) -> None:
        pass


class Here:
    """A connection whose workers are this process."""

    def __init__(self, before: Callable[[], object]) -> None:
        self.before = before

    def submit(self, function: Any, *args: Any, **options: Any) -> Any:
        values = [arg.result() if isinstance(arg, Future) else arg for arg in args]
        if function is remote.write_unit:
            self.before()
        future = Ready()
        future.set_result(function(*values))
        return future

    def share(self, job: Any) -> Any:
        return self.submit(remote.keep, job), self.submit(remote.keep, job.layout)

    def count_ahead(self) -> int:
        return 1

    def wait(self, future: Any) -> Any:
        return future.result()

    def cancel(self, futures: Any) -> None:
        pass


def test_a_part_of_a_dead_run_does_not_appear(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker is still at it when the next run has begun."""
    from matscore import RunOptions, classify_file
    from matscore.errors import OutputError

    make_folder(folder, n_files=1)
    journal, n_begun = folder / "out/_journal.jsonl", 0

    def begin_another() -> None:
        nonlocal n_begun
        n_begun += 1
        assert list_names(folder / "out/k=1") == []
        journal.write_bytes(b'"another"\n' + journal.read_bytes())

    @contextlib.contextmanager
    def open_here(run: Any, **_: Any) -> Iterator[Any]:
        yield ClusterEngine(Here(begin_another), run)  # type: ignore[arg-type]

    monkeypatch.setattr(cluster_engine, "open_cluster", open_here)
    with pytest.raises(OutputError, match="another run has begun to write there"):
        classify_file(
            folder / "data", folder / "w.csv", f"{folder}/out/", run=RunOptions(engine="dask")
        )
    assert n_begun == 1 and list_names(folder / "out/k=1") == []


@pytest.mark.parametrize("weights", ["w.csv", "v.csv"])
def test_a_client_is_killed_and_resumed(cluster: Cluster, folder: Path, weights: str) -> None:
    """As in one go; also with other weights while workers are still at the parts of the dead."""
    make_folder(folder, n_files=8, n_rows=6_000)
    write_csv(folder / "v.csv", [["feature", "p", "q"], ["x", 2, 0.5], ["y", -1, 3]])
    run("classify", "data", weights, "-o", "local/", cwd=folder).check(quiet=True)
    expected = snapshot(folder / "local")
    remote = ("-o", "remote/", *dask(cluster))
    left = kill_client(folder, "classify", "data", "w.csv", *remote)
    assert 0 < len(left) < 8
    for path in left:
        is_same = path.read_bytes() == expected[str(path.relative_to(folder / "remote"))]
        assert is_same == (weights == "w.csv")
    run("classify", "data", weights, *remote, "--resume", cwd=folder).check(quiet=True)
    assert snapshot(folder / "remote") == expected


@pytest.mark.slow
def test_killed_again_and_again(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> None:
    """Clients and workers, at any moment, until the whole is there."""
    make_folder(folder, n_files=24, n_rows=8_000)
    run("classify", "data", "w.csv", "-o", "local/", cwd=folder).check(quiet=True)
    expected = snapshot(folder / "local")
    rng = random.Random(9)
    with open_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        argv = ("classify", "data", "w.csv", "-o", "remote/", *dask(cluster), "--resume")
        for n_parts in (1, 2, 3):
            kill_client(folder, *argv, n_parts=n_parts + 5 * (n_parts - 1))
            os.killpg(cluster.workers[-1].pid, signal.SIGKILL)
            cluster.workers[-1].wait()
            cluster.start_worker()
            time.sleep(rng.random())
        run(*argv, cwd=folder).check(quiet=True)
    assert snapshot(folder / "remote") == expected


@pytest.mark.slow
def test_workers_come_and_go(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> None:
    """Killed and replaced again and again, a directory and a file come out whole."""
    make_folder(folder, n_files=24, n_rows=8_000)
    argv = ("classify", "data", "w.csv")
    run(*argv, "-o", "local/", cwd=folder).check(quiet=True)
    expected = run(*argv, cwd=folder).check(quiet=True).out
    rng = random.Random(5)
    with open_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        for i, output in enumerate(("remote/", "out.csv", "again/")):
            options = ("-o", output, *dask(cluster), "--chunk-size", "16k")
            process = start(*argv, *options, cwd=folder)
            time.sleep(2)
            for _ in range(3):
                time.sleep(rng.random())
                os.killpg(cluster.workers[-1].pid, signal.SIGKILL)
                cluster.workers[-1].wait()
                cluster.start_worker()
            assert finish(process).check(quiet=True).code == 0, i
    assert snapshot(folder / "remote") == snapshot(folder / "local") == snapshot(folder / "again")
    assert (folder / "out.csv").read_bytes() == expected


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(cluster: Cluster, folder: Path) -> None:
    """Neither the client's with what waits on the workers."""
    peaks = []
    for n_rows in (MANY_ROWS, 4 * MANY_ROWS):
        (folder / "long.csv").write_text(make_text(n_rows), newline="")
        paths = [str(folder / name) for name in ("long.csv", "w.csv", "out.csv")]
        argv = ("classify", *paths[:2], "-o", paths[2], "--chunk-size", "256k")
        used, _ = measure([*PROGRAM, *argv, *dask(cluster)], env=ENVIRONMENT)
        peaks.append(used.peak)
    assert peaks[1] < 1.15 * peaks[0]


def test_labels_are_compared_over_all_that_workers_read(cluster: Cluster, folder: Path) -> None:
    rng = random.Random(9)
    for name in ("a.csv", "b.csv"):
        write_csv(folder / name, [["id", "x", "y"], *draw_rows(rng, 700, n_bad=20)])
    (folder / "b.csv.gz").write_bytes(gzip.compress((folder / "b.csv").read_bytes()))
    gone = [row[1:3] for row in walk(folder / "a.csv", folder / "b.csv")[1]]
    aside = "--unique-labels", "--on-error", "reject", "--rejects", "r.csv"
    for second, *out in (("b.csv",), ("b.csv.gz",), ("b.csv", "-o", "out/")):
        run_both(cluster, folder, "classify", "a.csv", second, "w.csv", *out, *aside)
        found = read_gone(folder / "r.csv")
        assert [row[1:3] for row in found] == gone
    # Where nothing is written, workers join counts, but not those of labels.
    rows = [[*row, "p"] for row in draw_rows(rng, 400)]
    write_csv(folder / "t.csv", [["id", "x", "y", "truth"], *rows])
    run_both(cluster, folder, "evaluate", "t.csv", "w.csv", "--truth", "truth", *aside)
    assert len(read_gone(folder / "r.csv")) > 50
    # A worker meets the bad row behind the double together with it.
    many = [[f"n{i}", 1, 1] for i in range(900)]
    write_csv(folder / "late.csv", [["id", "x", "y"], *many, ["n7", 1, 1], ["z", "", ""]])
    done, _ = run_both(cluster, folder, "classify", "late.csv", "w.csv", "--unique-labels", code=4)
    assert 'late.csv:902:1: "id": "n7" is a label that was there before, in late.csv:9;' in done.err
