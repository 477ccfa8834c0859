"""Small versions of the benchmarks: matscore and its peers agree. Nothing here is timed."""

import json
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.benchmarks.agree import DisagreementError, require_agreement
from tests.benchmarks.cases import CASES, installed_peers
from tests.benchmarks.chart import render_chart
from tests.benchmarks.data import Files, Shape, make_files
from tests.benchmarks.fit_digits import main as fit_digits
from tests.benchmarks.fit_tall import main as fit_tall
from tests.benchmarks.measure import RunFailedError, measure
from tests.benchmarks.recommend import OURS, PEERS, compare
from tests.benchmarks.recommend import DisagreementError as RecommendersDifferError
from tests.benchmarks.recommend import main as recommend
from tests.benchmarks.run import main, render_table, run_case, write_section
from tests.benchmarks.scaling import main as scale


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is timed, so that nobody waits for the disk."""
    monkeypatch.setattr(os, "sync", lambda: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmarks")


@pytest.mark.parametrize("name", list(CASES))
def test_matscore_and_its_peers_agree(name: str, folder: Path) -> None:
    case = CASES[name].small()
    result = run_case(case, folder)
    assert set(result.doubtful) == set(installed_peers(case))
    assert all(used.wall > 0 and used.peak > 0 for runs in result.runs.values() for used in runs)
    assert render_table(result).count("\n") == len(result.runs) + 1


def test_one_command_writes_a_table_and_a_chart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--small", "--case", "TALL", "--peer", "pandas", "--runs", "1", "--out", str(tmp_path)])
    assert "| pandas |" in capsys.readouterr().out
    assert '"peak"' in (tmp_path / "results.json").read_text()
    assert "TALL" in (tmp_path / "chart.svg").read_text()


def test_slow_peers_run_less_often_and_the_table_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n")
    options = ["--small", "--case", "TALL", "--runs", "2", "--slow-runs", "1"]
    peers = ["--peer", "pandas", "Polars + NumPy"]
    main([*options, *peers, "--readme", str(readme), "--out", str(tmp_path)])
    runs = json.loads((tmp_path / "results.json").read_text())["cases"][0]["runs"]
    assert {name: len(taken) for name, taken in runs.items()} == {
        "matscore": 2, "pandas": 1, "Polars + NumPy": 2,
    }  # fmt: skip
    text = readme.read_text()
    assert text.startswith("before\n<!-- results -->\n")
    assert text.endswith("<!-- end of results -->\nafter\n")
    assert "| pandas |" in text and "old" not in text
    assert "| pandas |" in capsys.readouterr().out


def test_a_file_without_markers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no markers\n")
    with pytest.raises(ValueError, match="no markers for results"):
        write_section(tmp_path / "README.md", "results", "text")


def test_scaling_prints_its_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scale(["--small", "--runs", "1", "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert sum("→" in line for line in lines) == 1 + 4 + 3 + 3
    assert "| CPU time | start | read, split | parse | score, decide | encode | write |" in lines


def test_data_is_the_same_every_time(tmp_path: Path) -> None:
    shape = Shape(50, 3, 2)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (make_files(shape, tmp_path / name) for name in ("one", "two"))
    assert one.features.read_bytes() == two.features.read_bytes()
    assert one.weights.read_bytes() == two.weights.read_bytes()


class TestRequireAgreement:
    @pytest.fixture
    def files(self, tmp_path: Path) -> Files:
        return make_files(Shape(50, 3, 2), tmp_path)

    @pytest.fixture
    def table(self, files: Files) -> pl.DataFrame:
        rows, weights = pl.read_csv(files.features), pl.read_csv(files.weights)
        scores = rows.drop("id").to_numpy() @ weights.drop("feature").to_numpy()
        best = pl.Series("prediction", [f"c{i + 1}" for i in scores.argmax(axis=1)])
        names = ["c1", "c2"]
        return rows.select("id").hstack(pl.DataFrame(scores, schema=names)).with_columns(best)

    def compare(self, files: Files, one: pl.DataFrame, other: pl.DataFrame) -> int:
        paths = [files.features.with_name(name) for name in ("ours.csv", "theirs.csv")]
        for path, table in zip(paths, (one, other), strict=True):
            table.write_csv(path)
        return require_agreement(paths[0], paths[1], files)

    def test_equal_tables_agree(self, files: Files, table: pl.DataFrame) -> None:
        assert self.compare(files, table, table) == 0

    def test_the_last_bits_may_differ(self, files: Files, table: pl.DataFrame) -> None:
        other = table.with_columns(pl.Series("c1", np.nextafter(table["c1"].to_numpy(), np.inf)))
        assert self.compare(files, table, other) == 0

    @pytest.mark.parametrize(
        ("column", "change"),
        [
            ("id", pl.col("id") + "0"),
            ("c1", pl.col("c1") * (1 + 1e-8)),
            ("c2", pl.col("c2") + 1e-8),
            ("prediction", pl.lit("c1")),
        ],
    )
    def test_anything_else_is_refused(
        self, files: Files, table: pl.DataFrame, column: str, change: pl.Expr
    ) -> None:
        with pytest.raises(DisagreementError):
            self.compare(files, table, table.with_columns(change.alias(column)))

    def test_other_rows_are_refused(self, files: Files, table: pl.DataFrame) -> None:
        with pytest.raises(DisagreementError, match="columns or rows"):
            self.compare(files, table, table[:-1])


def test_measure_counts_what_a_process_took() -> None:
    used, out = measure(["sh", "-c", "sleep 0.05; echo done"])
    assert out == "done\n"
    assert used.wall >= 0.05 > used.cpu
    assert used.peak > 100_000


def test_measure_feeds_a_file_through_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("three\n")
    assert measure(["wc", "-c"], piped=tmp_path / "in.txt")[1].strip() == "6"


def test_a_failing_command_is_told() -> None:
    with pytest.raises(RunFailedError, match="no such luck"):
        measure(["sh", "-c", "echo no such luck >&2; exit 3"])


def test_the_chart_escapes_names() -> None:
    assert "a &lt; b" in render_chart({"TALL": {"a < b": 1.0, "matscore": 0.5}})


def test_matscore_and_other_recommenders_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recommend(["--small", "--rounds", "1", "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    peers = [name for name, (package, _) in PEERS.items() if find_spec(package)]
    assert [line.split(" | ")[0] for line in lines[4:-1]] == [f"| {n}" for n in [OURS, *peers]]
    assert all("of 1,500" in line for line in lines[5:-1])


def test_other_items_are_found() -> None:
    rows = {"user": ["u", "u"], "rank": [1, 2], "item": ["a", "b"], "score": [2.0, 1.0]}
    ours = pl.DataFrame(rows)
    close = ours.with_columns(score=pl.Series([2.00001, 1.0]), item=pl.Series(["a", "c"]))
    assert compare(ours, close, "peer") == "1 of 2"
    for other in (ours.with_columns(score=pl.Series([2.0, 1.1])), ours.head(1)):
        with pytest.raises(RecommendersDifferError, match="peer has other"):
            compare(ours, other, "peer")


def test_fit_agrees_with_scikit_learn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit_tall(["--small", "--runs", "1", "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 2 * 2 and lines[2].startswith("| in columns | matscore | ")
    fit_digits(["--times", "1", "--runs", "1"])
    ours, theirs = capsys.readouterr().out.splitlines()[2:]
    assert ours.endswith("| 0.0% |") and theirs.startswith("| pandas + scikit-learn | ")
