from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle

import matscore
from tests.cli.test_report import validate
from tests.helpers import SAMPLES, Done, read_csv, run, run_on_terminal, write_csv

IRIS = ("iris.csv", "iris_weights.csv", "--truth", "species")
DIGITS = ("digits.csv", "digits_weights.csv", "--truth", "digit")


def evaluate(*argv: str | Path, **options: Any) -> Done:
    return run("evaluate", *argv, **options)


def test_against_scikit_learn() -> None:
    header, *rows = (
        run("classify", *DIGITS[:2], "--keep-cols", "digit", "--probabilities").check().rows
    )
    truth, best = [row[1] for row in rows], [row[header.index("prediction")] for row in rows]
    found = evaluate(*DIGITS, "-f", "json").check(quiet=True).json
    assert found["accuracy"] == oracle.accuracy_score(truth, best)
    assert found["balanced_accuracy"] == pytest.approx(oracle.balanced_accuracy_score(truth, best))
    names = [str(i) for i in range(10)]
    chances = np.array([row[-10:] for row in rows], dtype=float)
    assert found["log_loss"] == pytest.approx(oracle.log_loss(truth, chances, labels=names))
    report = oracle.classification_report(truth, best, output_dict=True)
    for name in names:
        mine, theirs = found["categories"][name], report[name]
        assert mine["precision"] == pytest.approx(theirs["precision"])
        assert mine["recall"] == pytest.approx(theirs["recall"])
        assert mine["f1"] == pytest.approx(theirs["f1-score"])
        assert mine["support"] == theirs["support"]
    matrix = [list(row.values()) for row in found["confusion"].values()]
    np.testing.assert_array_equal(matrix, oracle.confusion_matrix(truth, best))
    for k in range(1, 10):
        expected = oracle.top_k_accuracy_score(np.array(truth), chances, k=k, labels=names)
        assert found["top_k_accuracy"][k - 1] == pytest.approx(expected)


def test_csv_and_json_say_the_same() -> None:
    facts = evaluate(*IRIS, "-f", "json").check().json
    rows = evaluate(*IRIS).check(quiet=True).rows
    assert rows[0] == ["measure", "category", "predicted", "value"]
    cells = {tuple(row[:3]): row[3] for row in rows[1:]}
    assert len(cells) == len(rows) - 1
    assert float(cells["accuracy", "", ""]) == facts["accuracy"] == 146 / 150
    assert int(cells["confusion", "versicolor", "virginica"]) == 3
    assert float(cells["recall", "virginica", ""]) == facts["categories"]["virginica"]["recall"]
    assert float(cells["top_2_accuracy", "", ""]) == facts["top_k_accuracy"][1]
    assert cells["calibration_0.1_rows", "", ""] == "0"
    assert cells["calibration_0.1_accuracy", "", ""] == ""
    tenths = [n for (name, *_), n in cells.items() if name[:11] == "calibration" and "rows" in name]
    assert sum(map(int, tenths)) == 150


def test_markdown() -> None:
    text = evaluate(*IRIS, "-f", "markdown").check().out.decode()
    tables = text.split("\n\n")
    assert len(tables) == 4
    assert "| accuracy | 0.9733333333333334 |" in tables[0]
    assert "| versicolor | 0 | 47 | 3 |" in tables[2]


@pytest.mark.parametrize("files", [IRIS, DIGITS])
def test_the_same_bytes_for_any_chunks_and_jobs(files: tuple[str, ...]) -> None:
    expected = evaluate(*files).check().out
    for options in (("-j", "1"), ("--chunk-size", "500", "-j", "2"), ("--chunk-size", "7k")):
        assert evaluate(*files, *options).check().out == expected


class TestTruth:
    def test_a_file_with_labels(self, tmp_path: Path) -> None:
        frame = pd.read_csv(SAMPLES / "iris.csv")
        frame[["flower", "species"]].to_csv(tmp_path / "t.csv", index=False)
        options = ("--truth-file", tmp_path / "t.csv")
        for more in ((), ("--chunk-size", "300"), ("--truth", "species")):
            done = evaluate(*IRIS[:2], *options, *more).check(quiet=True)
            assert done.out == evaluate(*IRIS).check().out

    def test_a_file_without_labels_or_header(self, tmp_path: Path) -> None:
        species = pd.read_csv(SAMPLES / "iris.csv")["species"]
        species.to_csv(tmp_path / "t.csv", index=False)
        options = ("--truth-file", tmp_path / "t.csv")
        assert evaluate(*IRIS[:2], *options).check().out == evaluate(*IRIS).check().out
        pd.read_csv(SAMPLES / "iris.csv")[["species"]].to_parquet(tmp_path / "t.parquet")
        options = ("--truth-file", tmp_path / "t.parquet")
        assert evaluate(*IRIS[:2], *options).check().out == evaluate(*IRIS).check().out

    def test_another_label_is_refused_at_its_line(self, tmp_path: Path) -> None:
        rows = [[r[0], r[-1]] for r in read_csv(SAMPLES / "iris.csv")]
        rows[7][0] = "iris-999"
        path = write_csv(tmp_path / "t.csv", rows)
        reject = ("--on-error", "reject", "--rejects", tmp_path / "r.csv")
        for more in ((), reject):
            done = evaluate(*IRIS[:2], "--truth-file", path, *more).check(4)
            assert f'{path}:8: the label "iris-999", where the features have "iris-007"' in done.err
            assert done.out == b""

    @pytest.mark.parametrize(("n", "words"), [(-1, "features have more"), (1, "more rows")])
    def test_another_length_is_refused(self, n: int, words: str, tmp_path: Path) -> None:
        rows = [[r[-1]] for r in read_csv(SAMPLES / "iris.csv")]
        path = write_csv(tmp_path / "t.csv", rows[:n] if n < 0 else [*rows, rows[-1]])
        for more in ((), ("--chunk-size", "300")):
            assert words in evaluate(*IRIS[:2], "--truth-file", path, *more).check(4).err

    @pytest.fixture
    def flawed(self, tmp_path: Path) -> Path:
        rows = read_csv(SAMPLES / "iris.csv")
        rows[3][-1], rows[5][-1], rows[9][-1] = "Setosa", "", "NA"
        return write_csv(tmp_path / "f.csv", rows)

    def test_a_truth_that_is_no_category_is_a_bad_row(self, flawed: Path, tmp_path: Path) -> None:
        done = evaluate(flawed, *IRIS[1:]).check(4)
        assert (
            f'{flawed}:4:6: "species": "Setosa" is no category of iris_weights.csv; '
            'did you mean "setosa" (differs only by case)'
        ) in done.err
        reject = ("--on-error", "reject", "--rejects", tmp_path / "r.csv")
        done = evaluate(flawed, *IRIS[1:], *reject, "-f", "json").check()
        assert done.json["rows"] == 147
        rejects = read_csv(tmp_path / "r.csv")
        assert [row[1] for row in rejects[1:]] == ["4", "6", "10"]
        assert [row[4] for row in rejects[2:]] == ["the truth is missing"] * 2

    def test_missing_truths_may_be_skipped(self, flawed: Path, tmp_path: Path) -> None:
        rows = read_csv(flawed)
        rows[3][-1] = "setosa"
        write_csv(flawed, rows)
        skip = ("--missing", "skip", "--rejects", tmp_path / "r.csv")
        assert evaluate(flawed, *IRIS[1:], *skip, "-f", "json").check().json["rows"] == 148

    def test_a_bad_row_of_the_truth_file(self, flawed: Path, tmp_path: Path) -> None:
        rows = [[r[-1]] for r in read_csv(flawed)]
        path = write_csv(tmp_path / "t.csv", rows)
        done = evaluate(*IRIS[:2], "--truth-file", path).check(4)
        assert f'iris.csv:4: {path}: "Setosa" is no category' in done.err

    @pytest.mark.parametrize(
        ("argv", "code", "words"),
        [
            ((), 2, "the truth is not given"),
            (("--truth", "specie"), 3, 'no column "specie"'),
            (("--truth", "petal_width"), 3, "the truth is a feature of iris_weights.csv"),
            (("--truth-file", "iris.csv"), 3, "which column is the truth?"),
            (("--truth-file", "-", "--truth", "x"), 4, "the file is empty"),
            (("--truth", "species", "-f", "parquet"), 2, "parquet"),
            (("--truth", "species", "-o", "m.parquet"), 2, "not written as parquet"),
            (("--truth", "species", "--min-accuracy", "1.5"), 2, "--min-accuracy"),
        ],
    )
    def test_refused(self, argv: tuple[str, ...], code: int, words: str) -> None:
        done = evaluate(*IRIS[:2], *argv).check(code)
        assert words in done.err and done.out == b""

    def test_one_category_cannot_be_measured(self, tmp_path: Path) -> None:
        weights = write_csv(tmp_path / "w.csv", [["f", "u"], ["petal_width", 1]])
        done = evaluate("iris.csv", weights, "--truth", "species").check(3)
        assert "there is a single category" in done.err

    def test_the_first_column_may_be_the_truth(self, tmp_path: Path) -> None:
        rows = [[r[-1], *r[1:-1]] for r in read_csv(SAMPLES / "iris.csv")]
        path = write_csv(tmp_path / "f.csv", rows)
        assert evaluate(path, *IRIS[1:]).check().out == evaluate(*IRIS).check().out


class TestGate:
    def test_above_and_at(self) -> None:
        evaluate(*IRIS, "--min-accuracy", "0.97").check(quiet=True)
        evaluate(*IRIS, "--min-accuracy", str(146 / 150)).check(quiet=True)

    def test_below(self, tmp_path: Path) -> None:
        options = (
            "--min-accuracy",
            "0.98",
            "-o",
            tmp_path / "m.csv",
            "--report",
            tmp_path / "r.json",
        )
        done = evaluate(*IRIS, *options).check(4)
        assert done.err == "matscore: the accuracy 0.973333 is under 0.98 (--min-accuracy)\n"
        assert (tmp_path / "m.csv").read_bytes() == evaluate(*IRIS).check().out
        report = validate(tmp_path / "r.json")
        assert report["exit"] == 4 and "under 0.98" in report["error"]
        assert report["evaluation"]["rows"] == 150

    def test_no_rows_are_not_good_enough(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "f.csv", read_csv(SAMPLES / "iris.csv")[:1])
        assert evaluate(path, *IRIS[1:], "-f", "json").check().json["accuracy"] is None
        evaluate(path, *IRIS[1:], "--min-accuracy", "0").check(4)


def test_the_report(tmp_path: Path) -> None:
    truth = write_csv(tmp_path / "t.csv", [[r[-1]] for r in read_csv(SAMPLES / "iris.csv")])
    evaluate(*IRIS[:2], "--truth-file", truth, "--report", tmp_path / "r.json").check()
    report = validate(tmp_path / "r.json")
    assert [i["role"] for i in report["inputs"]] == ["features", "weights", "truth"]
    assert report["evaluation"] == evaluate(*IRIS, "-f", "json").check().json
    assert report["rows_a_category"] == {"setosa": 50, "versicolor": 48, "virginica": 52}


class TestTable:
    def test_parts(self) -> None:
        shown = evaluate(*IRIS, "-f", "table").check().out.decode()
        assert shown.startswith("accuracy 0.9733: 146 of 150 rows\n")
        assert "versicolor       50         48     0.9792  0.9400  0.9592\n" in shown
        assert "versicolor       ·        █ 47          3\n" in shown  # seen without colour
        assert "0.9 to 1.0   103  0.9655    1.0000\n" in shown

    def test_a_matrix_too_wide_becomes_a_list(self) -> None:
        shown = evaluate(*DIGITS, "-f", "table", env={"COLUMNS": "50"}).check().out.decode()
        assert "the commonest confusions" in shown and "\n8      1             3\n" in shown

    def test_on_a_terminal_it_is_shaded(self) -> None:
        code, shown = run_on_terminal("evaluate", *IRIS, env={"COLORTERM": "truecolor"})
        assert code == 0 and b"48;2;" in shown["stdout"]

    def test_into_a_file(self, tmp_path: Path) -> None:
        evaluate(*IRIS, "-o", tmp_path / "m.txt").check(quiet=True)
        assert (tmp_path / "m.txt").read_text("utf-8").startswith("accuracy 0.9733")
        evaluate(*IRIS, "-o", tmp_path / "m.json").check(quiet=True)
        assert json.loads((tmp_path / "m.json").read_bytes())["rows"] == 150

    def test_categories_without_rows_are_marked(self, tmp_path: Path) -> None:
        rows = [r for r in read_csv(SAMPLES / "iris.csv") if r[-1] != "setosa"]
        shown = evaluate(write_csv(tmp_path / "f.csv", rows), *IRIS[1:], "-f", "table").check().out
        assert "setosa            0          0          –       –       –\n" in shown.decode()


def test_missing_values_that_are_kept_count_as_wrong(tmp_path: Path) -> None:
    rows = read_csv(SAMPLES / "iris.csv")
    rows[1][1] = ""
    path = write_csv(tmp_path / "f.csv", rows)
    done = evaluate(path, *IRIS[1:], "--missing", "keep", "-f", "json").check()
    assert done.json["accuracy"] == 145 / 150 and done.json["rows_without_prediction"] == 1
    shown = evaluate(path, *IRIS[1:], "--missing", "keep", "-f", "table").check().out.decode()
    assert "1 row without prediction, counted wrong" in shown and "none" in shown


def test_python_agrees() -> None:
    features = pd.read_csv(SAMPLES / "iris.csv", index_col=0)
    weights = pd.read_csv(SAMPLES / "iris_weights.csv", index_col=0)
    found = matscore.evaluate(features, weights, "species")
    facts = evaluate(*IRIS, "-f", "json").check().json
    assert found.metrics.facts() == facts
    assert found.accuracy == facts["accuracy"] and found.log_loss == facts["log_loss"]
    assert found.confusion.loc["versicolor", "virginica"] == 3
    assert found.categories.loc["setosa", "f1"] == 1.0
    assert found.calibration.shape == (10, 3) and found.top_k_accuracy[1] == found.accuracy
    same = matscore.evaluate(features.drop(columns="species"), weights, features["species"])
    assert same.metrics.facts() == facts
    turned = features["species"].iloc[::-1]
    with pytest.raises(matscore.InputError, match="where the features have"):
        matscore.evaluate(features, weights, turned)
    with pytest.raises(matscore.InputError, match=r"features:1: .* is no category"):
        matscore.evaluate(features, weights, features["species"].replace("setosa", "x"))
