from __future__ import annotations

import gzip
import hashlib
import importlib.resources
import json
import os
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

import matscore
from tests.helpers import SAMPLES, finish, read_csv, run, start, write_csv

MOVIES = ("movies.csv", "genres.csv")
IRIS = ("iris.csv", "iris_weights.csv")
SCHEMA = json.loads(
    importlib.resources.files("matscore").joinpath("report.schema.json").read_text()
)


def validate(path: Path) -> Any:
    """Return a report that is as the schema says."""
    report = json.loads(path.read_bytes())
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    return report


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "report.json"


def check_input(facts: dict[str, Any], file: Path, role: str) -> None:
    info = file.stat()
    assert facts["role"] == role
    assert facts["size"] == info.st_size
    assert datetime.fromisoformat(facts["mtime"]).timestamp() == pytest.approx(info.st_mtime, 1e-12)
    assert facts["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_schema_is_one_and_says_everything() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    pending = [SCHEMA]
    while pending:
        part = pending.pop()
        for field in part.get("properties", {}).values():
            assert field["description"]
        if "properties" in part:
            assert part["additionalProperties"] is False
            choices = [rule["then"].get("required", ()) for rule in part.get("allOf", ())]
            assert set(part["required"]).union(*choices) == set(part["properties"])
        pending += part.get("$defs", {}).values()
        pending += [field for field in part.get("properties", {}).values() if "properties" in field]


def test_success(path: Path, tmp_path: Path) -> None:
    argv = ["classify", *MOVIES, "--report", str(path), "-o", str(tmp_path / "out.csv")]
    run(*argv).check(quiet=True)
    report = validate(path)
    assert report["version"] == matscore.__version__
    assert report["command"] == argv
    check_input(report["inputs"][0], SAMPLES / "movies.csv", "features")
    check_input(report["inputs"][1], SAMPLES / "genres.csv", "weights")
    assert report["output"] == str(tmp_path / "out.csv") and report["rejects"] is None
    assert report["shapes"] == {"features": [3, 2], "weights": [2, 3], "scores": [3, 3]}
    assert [plan["verdict"] for plan in report["plans"]] == ["fits"]
    assert report["rows_in"] == report["rows_scored"] == 3
    assert report["rows_rejected"] == report["rows_missing"] == 0
    assert report["rows_tied"] == 1
    assert report["rows_a_category"] == {"adventure": 2, "family": 0, "romance": 1}
    assert 0 < report["seconds"] < 60
    assert report["exit"] == 0 and report["error"] is None


def test_the_output_is_the_same_with_a_report(path: Path) -> None:
    done = run("classify", *IRIS, "--report", path).check(quiet=True)
    assert done.out == run("classify", *IRIS).out


def test_every_kind_of_input(path: Path, tmp_path: Path) -> None:
    packed = tmp_path / "iris.csv.gz"
    packed.write_bytes(gzip.compress((SAMPLES / "iris.csv").read_bytes()))
    data = (SAMPLES / "iris.csv").read_bytes()
    run("classify", packed, "-", "iris_weights.csv", "--report", path, stdin=data).check()
    report = validate(path)
    check_input(report["inputs"][0], packed, "features")
    assert report["inputs"][1] == {
        "role": "features",
        "path": "-",
        "size": None,
        "mtime": None,
        "sha256": hashlib.sha256(data).hexdigest(),
        "comment_lines": None,
        "skipped_lines": None,
    }
    assert len(report["plans"]) == 2
    assert report["shapes"]["scores"] == [300, 3]


def test_columnar_input(path: Path, tmp_path: Path) -> None:
    table = pa.table({"id": ["x"], "action": [1.0], "comedy": [2.0]})
    pyarrow.parquet.write_table(table, tmp_path / "f.parquet")
    with pyarrow.ipc.new_file(tmp_path / "f.arrow", table.schema) as writer:
        writer.write_table(table)
    for name in ("f.parquet", "f.arrow"):
        run("classify", tmp_path / name, "genres.csv", "--report", path).check(quiet=True)
        check_input(validate(path)["inputs"][0], tmp_path / name, "features")


def test_rejects(path: Path, tmp_path: Path) -> None:
    features = write_csv(
        tmp_path / "f.csv",
        [["id", "action", "comedy"], ["a", 1, 2], ["b", "x", 1], ["c", "", 1], ["d", 2]],
    )
    options = ("--on-error", "reject", "--rejects", tmp_path / "r.csv", "--missing", "keep")
    run("classify", features, "genres.csv", *options, "--report", path).check()
    report = validate(path)
    assert report["rejects"] == str(tmp_path / "r.csv")
    assert (report["rows_in"], report["rows_scored"], report["rows_rejected"]) == (4, 2, 2)
    assert report["rows_missing"] == report["rows_without_prediction"] == 1
    assert report["shapes"] == {"features": [4, 2], "weights": [2, 3], "scores": [2, 3]}
    assert len(read_csv(tmp_path / "r.csv")) == 1 + 2


def test_misfit(path: Path) -> None:
    done = run("classify", "users.csv", "films.csv", "--report", path).check(3)
    report = validate(path)
    assert report["exit"] == 3 and report["error"] in done.err.replace("\n", " ")
    [plan] = report["plans"]
    assert plan["verdict"] == "does not fit"
    assert plan["add_options"] == ["--transpose"]
    assert plan["command"].endswith("--transpose")
    assert report["rows_in"] is None


def test_bad_data(path: Path, tmp_path: Path) -> None:
    features = write_csv(tmp_path / "f.csv", [["id", "action", "comedy"], ["a", 1, "\x1b[31m"]])
    done = run("classify", features, "genres.csv", "--report", path).check(4)
    report = validate(path)
    assert report["exit"] == 4
    assert f'{features}:2:3: "comedy": ' in report["error"]
    assert report["plans"][0]["verdict"] == "fits"
    assert report["rows_scored"] is None
    assert "\x1b" not in done.err


@pytest.mark.parametrize("missing", ["none.csv", "a" * 256, "\udcff.csv", "iris.csv/x"])
def test_missing_file(path: Path, missing: str) -> None:
    run("classify", missing, "genres.csv", "--report", path).check(5)
    report = validate(path)
    assert report["exit"] == 5
    assert report["inputs"][0] == {
        "role": "features", "path": missing, "size": None, "mtime": None, "sha256": None,
        "comment_lines": None, "skipped_lines": None,
    }  # fmt: skip
    assert report["inputs"][1]["size"] == (SAMPLES / "genres.csv").stat().st_size


def test_usage(path: Path) -> None:
    run("classify", *MOVIES, "--on-error", "reject", "--report", path).check(2)
    assert validate(path)["exit"] == 2


def test_stopped_by_a_signal(path: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    process = start("classify", tmp_path / "fifo", "genres.csv", "--report", path)
    with (tmp_path / "fifo").open("wb", 0) as fifo:
        fifo.write(b"id,action,comedy\n" + 100_000 * b"x,1,2\n")
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        finish(process).check(143)
    report = validate(path)
    assert report["exit"] == 143
    assert report["error"] == "stopped by SIGTERM"


def test_an_old_report_is_replaced_whole(path: Path) -> None:
    path.write_text("old")
    run("classify", *MOVIES, "--report", path).check(quiet=True)
    assert validate(path)["exit"] == 0
    assert list(path.parent.iterdir()) == [path]


def test_a_report_that_cannot_be_written_stops_before_anything_is_read(tmp_path: Path) -> None:
    options = ("--report", tmp_path / "none" / "r.json", "-o", tmp_path / "out.csv")
    done = run("classify", *MOVIES, *options).check(5)
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_by_its_variable(path: Path) -> None:
    run("classify", *MOVIES, env={"MATSCORE_REPORT": str(path)}).check(quiet=True)
    assert validate(path)["command"] == ["classify", *MOVIES]


@pytest.mark.parametrize("given", ["data", "data/*.csv"])
def test_no_report_is_an_input_that_was_found(tmp_path: Path, given: str) -> None:
    (tmp_path / "data").mkdir()
    text = (SAMPLES / "movies.csv").read_bytes()
    file = tmp_path / "data" / "movies.csv"
    file.write_bytes(text)
    argv = ("classify", given, SAMPLES / "genres.csv", "--report", "data/movies.csv")
    done = run(*argv, cwd=tmp_path).check(2)
    assert "the output is also an input" in done.err
    assert file.read_bytes() == text


def test_a_page_of_the_best_categories(tmp_path: Path) -> None:
    """It shows the weights, which ranks are made of as scores are."""
    pytest.importorskip("jinja2")
    page = tmp_path / "page.html"
    run("classify", "movies.csv", "genres.csv", "--top-k", "2", "--report", page).check()
    assert "adventure" in page.read_text()
