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
from tests.helpers import SAMPLES, Done, StrPath, read_csv, run, run_on_terminal, write_csv

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

    @pytest.mark.parametrize(
        ("categories", "truth", "reason"),
        [
            (("0", "1"), "1.0", "how a number is written"),
            (("1.0", "2.0"), "1", "how a number is written"),
            (("01", "02"), "1", "leading zeros"),
        ],
    )
    def test_truths_that_a_tool_wrote_in_another_way(
        self, categories: tuple[str, str], truth: str, reason: str, tmp_path: Path
    ) -> None:
        features = write_csv(tmp_path / "f.csv", [["id", "age", "y"], ["a", 3, truth]])
        model = write_csv(tmp_path / "w.csv", [["feature", *categories], ["age", 1, 2]])
        done = evaluate(features, model, "--truth", "y", "--headers").check(4)
        assert f'"{truth}" is no category of {model}; did you mean "' in done.err
        assert f"(differs only by {reason})" in done.err

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

    def test_a_first_column_that_is_asked_for_holds_no_labels(self, tmp_path: Path) -> None:
        species = [row[-1] for row in read_csv(SAMPLES / "iris.csv")]
        lines = [f"{name},x\n" for name in species]
        (tmp_path / "t.csv").write_text("".join(["species,note\n", *lines[1:]]))
        options = ("--truth-file", tmp_path / "t.csv", "--truth", "species")
        assert evaluate(*IRIS[:2], *options).check().out == evaluate(*IRIS).check().out

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


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features, and weights of a single category, of two and of two that are doubled."""
    folder, rng = tmp_path_factory.mktemp("churn"), np.random.default_rng(11)
    features = rng.normal(size=(600, 3)).round(1)
    chances = 1 / (1 + np.exp(1 - features @ [1.2, -0.7, 0.3]))
    truth = np.where(rng.random(600) < chances, "yes", "no")
    rows = [[f"c{i}", *x, y] for i, (x, y) in enumerate(zip(features.tolist(), truth, strict=True))]
    write_csv(folder / "f.csv", [["id", "a", "b", "c", "churn"], *rows])
    weights = [("a", 1.2), ("b", -0.7), ("c", 0.3), ("(Intercept)", -1)]
    write_csv(folder / "one.csv", [["feature", "yes"], *weights])
    write_csv(folder / "two.csv", [["feature", "no", "yes"], *([n, 0, w] for n, w in weights)])
    write_csv(folder / "twice.csv", [["feature", "no", "yes"], *([n, -w, w] for n, w in weights)])
    return folder


def scores_of(folder: Path) -> tuple[Any, Any]:
    """Return the scores of a single category, by `classify`, and whether each row is positive."""
    done = run("classify", "f.csv", "one.csv", "--keep-cols", "churn", cwd=folder).check()
    return np.array([float(row[2]) for row in done.rows[1:]]), np.array(
        [row[1] == "yes" for row in done.rows[1:]]
    )


class TestSingleCategory:
    @pytest.fixture
    def judge(self, churn: Path) -> Any:
        def judge(*options: StrPath, **more: Any) -> Done:
            return evaluate("f.csv", "one.csv", "--truth", "churn", *options, cwd=churn, **more)

        return judge

    def test_against_scikit_learn(self, churn: Path, judge: Any) -> None:
        scores, y = scores_of(churn)
        chances = 1 / (1 + np.exp(-scores))
        facts = judge("-f", "json").check(quiet=True).json
        found = facts["one_vs_rest"]["yes"]
        assert (found["positives"], found["negatives"]) == (y.sum(), (~y).sum())
        assert found["negative_truths"] == ["no"] and found["ranked_by"] == "score"
        assert found["roc_auc"] == pytest.approx(oracle.roc_auc_score(y, scores), rel=1e-13)
        average = oracle.average_precision_score(y, scores)
        assert found["average_precision"] == pytest.approx(average, rel=1e-13)
        loss, brier = oracle.log_loss(y, chances), oracle.brier_score_loss(y, chances)
        assert facts["log_loss"] == found["log_loss"] == pytest.approx(loss, rel=1e-13)
        assert found["brier_score"] == pytest.approx(brier, rel=1e-13)
        taken = scores >= 0
        assert facts["accuracy"] == oracle.accuracy_score(y, taken)
        matrix = [list(row.values()) for row in facts["confusion"].values()]
        np.testing.assert_array_equal(matrix, oracle.confusion_matrix(y, taken))
        assert list(facts["confusion"]) == ["not yes", "yes"]
        assert facts["categories"]["yes"]["f1"] == pytest.approx(oracle.f1_score(y, taken))
        assert facts["calibration"] == []

    @pytest.mark.parametrize("threshold", ["-1", "0.35", "99"])
    def test_threshold(self, churn: Path, judge: Any, threshold: str) -> None:
        scores, y = scores_of(churn)
        facts = judge("--threshold", threshold, "-f", "json").check().json
        assert facts["accuracy"] == oracle.accuracy_score(y, scores >= float(threshold))
        assert facts["one_vs_rest"]["yes"]["decision"]["threshold"] == float(threshold)
        assert facts["confusion"]["yes"]["yes"] == (y & (scores >= float(threshold))).sum()

    def test_threshold_of_the_probability(self, churn: Path, judge: Any) -> None:
        scores, y = scores_of(churn)
        facts = judge("--probabilities", "-f", "json").check().json
        assert facts["accuracy"] == oracle.accuracy_score(y, scores >= 0)
        assert facts["one_vs_rest"]["yes"]["ranked_by"] == "probability"
        facts = judge("--probabilities", "--threshold", "0.3", "-f", "json").check().json
        expected = oracle.accuracy_score(y, scores >= np.log(0.3 / 0.7))
        assert facts["accuracy"] == expected

    @pytest.mark.parametrize("best", ["f1", "youden"])
    def test_best(self, churn: Path, judge: Any, best: str) -> None:
        scores, y = scores_of(churn)
        facts = judge("--best", best, "-f", "json").check().json
        found = facts["one_vs_rest"]["yes"]
        assert found["decision"] == found["best"][best]

        def worth(threshold: float) -> float:
            taken = scores >= threshold
            if best == "f1":
                return float(oracle.f1_score(y, taken))
            return float(oracle.balanced_accuracy_score(y, taken, adjusted=True))

        values = {threshold: worth(threshold) for threshold in np.unique(scores).tolist()}
        assert found["decision"][best] == pytest.approx(max(values.values()))
        assert values[found["decision"]["threshold"]] == max(values.values())
        assert facts["accuracy"] == (y == (scores >= found["decision"]["threshold"])).mean()

    def test_another_name_is_positive(self, churn: Path, judge: Any, tmp_path: Path) -> None:
        rows = [["w", *r[1:]] if i == 0 else r for i, r in enumerate(read_csv(churn / "one.csv"))]
        weights = write_csv(tmp_path / "w.csv", [["feature", "score"], *rows[1:]])
        argv = ("f.csv", weights, "--truth", "churn")
        done = evaluate(*argv, cwd=churn).check(3)
        assert done.out == b"" and done.err == (
            f'matscore: {weights}: no row has the truth "score"; there are "no", "yes": a single '
            "category is the positive truth; name another with --positive\n"
        )
        assert evaluate(*argv, "--positive", "yes", cwd=churn).check().out == judge().check().out
        # Who names it knows that it may be rare.
        done = evaluate(*argv, "--positive", "perhaps", "-f", "json", cwd=churn).check()
        assert 'warning: no row has the truth "perhaps"' in done.err
        assert done.json["one_vs_rest"]["perhaps"]["roc_auc"] is None

    @pytest.mark.parametrize(
        ("cell", "what"),
        [
            ("Yes", '"Yes" is not "yes", the positive truth: it differs only by case'),
            (" yes", '" yes" is not "yes", the positive truth: it differs only by blanks'),
            ("", "the truth is missing"),
            ("NA", "the truth is missing"),
        ],
    )
    def test_a_truth_in_doubt_is_a_bad_row(
        self, churn: Path, tmp_path: Path, cell: str, what: str
    ) -> None:
        rows = read_csv(churn / "f.csv")
        rows[3][-1] = cell
        path = write_csv(tmp_path / "f.csv", rows)
        done = evaluate(path, churn / "one.csv", "--truth", "churn").check(4)
        assert f'{path}:4:5: "churn": {what}' in done.err
        aside = ("--on-error", "reject", "--rejects", tmp_path / "r.csv", "-f", "json")
        done = evaluate(path, churn / "one.csv", "--truth", "churn", *aside).check()
        assert done.json["rows"] == 599 and done.json["one_vs_rest"]["yes"]["negative_truths"] == [
            "no"
        ]

    def test_numbers_that_are_spelled_otherwise(self, churn: Path, tmp_path: Path) -> None:
        rows = [
            [*r[:-1], {"yes": "1", "no": "0"}.get(r[-1], r[-1])] for r in read_csv(churn / "f.csv")
        ]
        path = write_csv(tmp_path / "f.csv", rows)
        argv = (path, churn / "one.csv", "--truth", "churn", "-f", "json")
        expected = evaluate("f.csv", "one.csv", "--truth", "churn", "-f", "json", cwd=churn).json
        found = evaluate(*argv, "--positive", "1").check().json
        assert found["accuracy"] == expected["accuracy"]
        done = evaluate(*argv, "--positive", "1.0").check(4)
        assert '"1" is not "1.0", the positive truth: it is the same number' in done.err

    def test_other_truths_are_told(self, churn: Path, tmp_path: Path) -> None:
        rows = read_csv(churn / "f.csv")
        no = [i for i, row in enumerate(rows) if row[-1] == "no"]
        for i, name in zip(no, ("g", "f", "e", "d", "c", "b"), strict=False):
            rows[i][-1] = name
        path = write_csv(tmp_path / "f.csv", rows)
        argv = (path, churn / "one.csv", "--truth", "churn")
        found = evaluate(*argv, "-f", "json", "--chunk-size", "400").check().json
        assert found["one_vs_rest"]["yes"]["negative_truths"] == ["b", "c", "d", "e", "f"]
        shown = evaluate(*argv, "-f", "table").check().out.decode()
        assert '("b", "c", "d", "e", "f", …)' in shown

    def test_the_same_bytes_for_any_chunks_and_jobs(self, judge: Any) -> None:
        for form in ("csv", "json"):
            expected = judge("-f", form).check().out
            for options in (("-j", "1"), ("--chunk-size", "300", "-j", "2")):
                assert judge("-f", form, *options).check().out == expected

    def test_csv_has_each_measure_once_and_says_what_json_does(self, judge: Any) -> None:
        rows = judge().check(quiet=True).rows
        cells = {tuple(row[:3]): row[3] for row in rows[1:]}
        assert len(cells) == len(rows) - 1
        found = judge("-f", "json").json["one_vs_rest"]["yes"]
        assert float(cells["roc_auc", "yes", ""]) == found["roc_auc"]
        assert float(cells["best_f1_threshold", "yes", ""]) == found["best"]["f1"]["threshold"]
        share = found["thresholds"]["0.1"]
        assert float(cells["share_0.1_threshold", "yes", ""]) == share["threshold"]
        assert int(cells["share_0.1_true_positives", "yes", ""]) == share["true_positives"]
        assert int(cells["calibration_0.3_rows", "yes", ""]) == found["calibration"][3]["rows"]

    def test_table(self, judge: Any) -> None:
        shown = judge("-f", "table").check().out.decode()
        found = judge("-f", "json").json["one_vs_rest"]["yes"]
        counts = found["positives"], found["negatives"]
        assert '"yes": {} rows, against {} others ("no")\n'.format(*counts) in shown
        assert f"ROC area {found['roc_auc']:.4f}   average precision" in shown
        assert '"yes" is a score of 0 or more: precision ' in shown
        best = {point["threshold"] for point in found["best"].values()}
        notes = [line.rpartition("  ")[2] for line in shown.splitlines()]
        assert set(notes) >= ({"best F1", "best J"} if len(best) == 2 else {"best F1, J"})
        assert "  chosen\n" in shown
        assert "confidence" not in shown and 'the probability of "yes", and its share' in shown

    def test_markdown(self, judge: Any) -> None:
        tables = judge("-f", "markdown").check().out.decode().split("\n\n")
        assert len(tables) == 6
        assert tables[3].startswith("| positive | positives | negatives |")
        assert "\n| share 0.5 |" in tables[4] and "\n| 0.9 | 1.0 |" in tables[5]

    def test_the_report_and_the_page(self, judge: Any, tmp_path: Path) -> None:
        page, facts = tmp_path / "r.html", tmp_path / "r.json"
        judge("--report", facts, "--report", page).check()
        report = validate(facts)
        assert report["evaluation"] == judge("-f", "json").json
        assert list(report["rows_a_category"]) == ["not yes", "yes"]
        text = page.read_text("utf-8")
        assert "The ROC curve of yes, its area" in text and "Share positive by probability" in text

    def test_missing_values_that_are_kept(self, churn: Path, tmp_path: Path) -> None:
        rows = read_csv(churn / "f.csv")
        truths = [rows[i].__setitem__(1, "") or rows[i][-1] for i in range(1, 9)]
        path = write_csv(tmp_path / "f.csv", rows)
        argv = (path, churn / "one.csv", "--truth", "churn", "--missing", "keep", "-f", "json")
        facts = evaluate(*argv).check().json
        scores, y = scores_of(churn)
        found = facts["one_vs_rest"]["yes"]
        assert facts["rows"] == 600 and facts["rows_without_prediction"] == 8
        assert found["rows_without_score"] == 8
        assert found["positives"] == y.sum() - truths.count("yes")
        assert found["roc_auc"] == pytest.approx(oracle.roc_auc_score(y[8:], scores[8:]))
        assert facts["accuracy"] == (y[8:] == (scores[8:] >= 0)).sum() / 600

    def test_a_truth_file_and_a_gate(self, churn: Path, judge: Any, tmp_path: Path) -> None:
        truths = write_csv(tmp_path / "t.csv", [[r[0], r[-1]] for r in read_csv(churn / "f.csv")])
        argv = ("f.csv", "one.csv", "--truth-file", truths)
        assert evaluate(*argv, cwd=churn).check().out == judge().check().out
        assert "is under 1" in judge("--min-accuracy", "1").check(4).err

    def test_a_link_without_probabilities(self, churn: Path, judge: Any, tmp_path: Path) -> None:
        rows = [["feature (identity)", "yes"], *read_csv(churn / "one.csv")[1:]]
        weights = write_csv(tmp_path / "w.csv", rows)
        argv = ("f.csv", weights, "--truth", "churn")
        facts = evaluate(*argv, "-f", "json", cwd=churn).check().json
        found, expected = facts["one_vs_rest"]["yes"], judge("-f", "json").check().json
        assert facts["log_loss"] is None and found["log_loss"] is found["brier_score"] is None
        assert facts["confusion"] == expected["confusion"]
        for name in ("roc_auc", "average_precision", "decision", "best", "thresholds"):
            assert found[name] == expected["one_vs_rest"]["yes"][name]
        shown = evaluate(*argv, "-f", "table", "--report", tmp_path / "r.html", cwd=churn).check()
        assert "no log-loss, no calibration: the link is identity" in shown.out.decode()
        assert "calibration: the probability" not in shown.out.decode()
        assert "Calibration of the probability" not in (tmp_path / "r.html").read_text("utf-8")
        assert (
            "which gives no probabilities"
            in evaluate(*argv, "--probabilities", cwd=churn).check(3).err
        )

    def test_no_rows(self, churn: Path, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "f.csv", read_csv(churn / "f.csv")[:1])
        argv = (path, churn / "one.csv", "--truth", "churn")
        found = evaluate(*argv, "-f", "json").check(quiet=True).json["one_vs_rest"]["yes"]
        assert found["roc_auc"] is None and found["thresholds"] == {} and found["best"] == {}
        evaluate(*argv, "-f", "table", "--report", tmp_path / "r.html").check(quiet=True)

    def test_python_agrees(self, churn: Path, judge: Any) -> None:
        features = pd.read_csv(churn / "f.csv", index_col=0)
        weights = pd.read_csv(churn / "one.csv", index_col=0)
        found = matscore.evaluate(features, weights, "churn", best="f1")
        facts = judge("--best", "f1", "-f", "json").check().json
        assert found.metrics.facts() == facts
        measures = found.one_vs_rest.loc["yes"]
        assert measures["roc_auc"] == facts["one_vs_rest"]["yes"]["roc_auc"]
        assert measures["threshold"] == facts["one_vs_rest"]["yes"]["decision"]["threshold"]
        assert found.calibration.empty
        named = matscore.evaluate(
            features, weights.rename(columns={"yes": "p"}), "churn", positive="yes", threshold=1.0
        )
        expected = judge("--threshold", "1", "-f", "json").check().json
        assert named.metrics.facts() == expected
        with pytest.raises(matscore.MisfitError, match='no row has the truth "p"'):
            matscore.evaluate(features, weights.rename(columns={"yes": "p"}), "churn")
        with pytest.raises(matscore.UsageError, match="best cannot be 'F1'"):
            matscore.evaluate(features, weights, "churn", best="F1")  # type: ignore[arg-type]


class TestOneAgainstTheRest:
    def test_against_scikit_learn(self) -> None:
        done = run("classify", *DIGITS[:2], "--keep-cols", "digit", "--probabilities").check()
        header, *rows = done.rows
        truth = np.array([row[1] for row in rows])
        best = np.array([row[header.index("prediction")] for row in rows])
        chances = np.array([row[-10:] for row in rows], dtype=float)
        facts = evaluate(*DIGITS, "--one-vs-rest", "-f", "json").check(quiet=True).json
        found = facts["one_vs_rest"]
        macro = oracle.roc_auc_score(truth, chances, multi_class="ovr")
        assert facts["macro_roc_auc"] == pytest.approx(macro, rel=1e-12)
        for i, name in enumerate(found):
            y, p = truth == name, chances[:, i]
            one, point = found[name], found[name]["decision"]
            assert one["roc_auc"] == pytest.approx(oracle.roc_auc_score(y, p), rel=1e-13)
            average = oracle.average_precision_score(y, p)
            assert one["average_precision"] == pytest.approx(average, rel=1e-13)
            brier = oracle.brier_score_loss(y, p)
            assert one["brier_score"] == pytest.approx(brier, rel=1e-12)
            cells = oracle.confusion_matrix(y, best == name).ravel().tolist()
            assert [point["true_negatives"], point["false_positives"]] == cells[:2]
            assert [point["false_negatives"], point["true_positives"]] == cells[2:]
        # The rest is what it is without.
        plain = evaluate(*DIGITS, "-f", "json").check().json
        assert facts | {"macro_roc_auc": None, "one_vs_rest": {}} == plain

    def test_one_of_them(self) -> None:
        every = evaluate(*IRIS, "--one-vs-rest", "-f", "json").check().json["one_vs_rest"]
        one = evaluate(*IRIS, "--positive", "virginica", "-f", "json").check().json
        assert one["one_vs_rest"] == {"virginica": every["virginica"]}
        assert one["macro_roc_auc"] is None
        options = ("--positive", "virginica", "--threshold", "0.2", "-f", "json")
        point = evaluate(*IRIS, *options).check().json["one_vs_rest"]["virginica"]["decision"]
        rows = run("classify", *IRIS[:2], "--keep-cols", "species", "--probabilities").rows
        place = rows[0].index("probability_virginica")
        taken = np.array([float(row[place]) >= 0.2 for row in rows[1:]])
        y = np.array([row[1] == "virginica" for row in rows[1:]])
        cells = oracle.confusion_matrix(y, taken).ravel().tolist()
        assert [point["true_negatives"], point["false_positives"]] == cells[:2]

    def test_a_single_category_is_the_second_of_two_against_zeros(self, churn: Path) -> None:
        argv = ("--truth", "churn", "-f", "json")
        one = evaluate("f.csv", "one.csv", *argv, "--probabilities", cwd=churn).check().json
        two = evaluate("f.csv", "two.csv", *argv, "--positive", "yes", cwd=churn).check().json
        mine, theirs = one["one_vs_rest"]["yes"], two["one_vs_rest"]["yes"]
        for name in ("log_loss", "brier_score"):
            assert mine[name] == pytest.approx(theirs[name], rel=1e-14)
        # Equal scores may differ by a rounding once they are probabilities.
        for name in ("roc_auc", "average_precision"):
            assert mine[name] == pytest.approx(theirs[name], rel=1e-3)

    @pytest.mark.parametrize("options", [("-j", "1"), ("--chunk-size", "700", "-j", "2")])
    def test_the_same_bytes_for_any_chunks_and_jobs(self, options: tuple[str, ...]) -> None:
        expected = evaluate(*DIGITS, "--one-vs-rest", "-f", "json").check().out
        assert evaluate(*DIGITS, "--one-vs-rest", "-f", "json", *options).check().out == expected

    def test_table_and_page(self, tmp_path: Path) -> None:
        options = ("--one-vs-rest", "-f", "table", "--report", tmp_path / "r.html")
        shown = evaluate(*DIGITS, *options).check().out.decode()
        assert "each category against the rest, by its probability; mean ROC area 0.9" in shown
        text = (tmp_path / "r.html").read_text("utf-8")
        assert text.count("The ROC curve of ") >= 6 and "The first 6 categories are drawn" in text

    @pytest.mark.parametrize(
        ("argv", "code", "words"),
        [
            (("--positive", "Setosa"), 3, 'no category "Setosa"; did you mean "setosa"'),
            (("--positive", "zzz"), 3, "--positive has the name of one of"),
            (("--positive", "setosa", "--one-vs-rest"), 2, "contradict each other"),
            (("--threshold", "0.5"), 2, "--threshold has no effect on several categories"),
            (("--best", "f1"), 2, "--best has no effect on several categories"),
            (("--probabilities",), 2, "--probabilities has no effect on several categories"),
            (("--positive", "setosa", "--threshold", "2"), 2, "--threshold is a probability"),
            (("--positive", "setosa", "--best", "g"), 2, "--best"),
        ],
    )
    def test_refused(self, argv: tuple[str, ...], code: int, words: str) -> None:
        done = evaluate(*IRIS, *argv).check(code)
        assert words in done.err and done.out == b""


def test_doubled_columns_are_told(churn: Path) -> None:
    """Their probabilities are those of twice the score."""
    words = '"no" and "yes" are each other\'s negative'
    argv = ("f.csv", "twice.csv")
    assert words in evaluate(*argv, "--truth", "churn", cwd=churn).check().err
    done = run("classify", *argv, "--probabilities", "--report", "r.json", cwd=churn).check()
    assert words in done.err
    assert words in json.loads((churn / "r.json").read_text())["plans"][0]["facts"][-1]
    assert words in run("check", *argv, "-f", "json", cwd=churn).check().json["facts"][-1]
    assert f"warning    {words}" in run("check", *argv, cwd=churn).check().out.decode()
    frames = [pd.read_csv(churn / name, index_col=0) for name in argv]
    (warning,) = matscore.check(frames[0].drop(columns="churn"), frames[1]).warnings
    assert words in warning
    assert not matscore.check_files(churn / "f.csv", churn / "two.csv").warnings
    run("classify", *argv, cwd=churn).check(quiet=True)
    run("classify", *argv, "--probabilities", "-q", cwd=churn).check(quiet=True)
    evaluate("f.csv", "two.csv", "--truth", "churn", cwd=churn).check(quiet=True)
