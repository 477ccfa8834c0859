from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

import matscore
from tests.cli.test_report import validate
from tests.helpers import SAMPLES, Done, read_csv, run, run_on_terminal, write_csv

IRIS = pd.read_csv(SAMPLES / "iris.csv", index_col=0)
X = IRIS.iloc[:, :4].to_numpy()
LOGISTIC = LogisticRegression(tol=1e-12, max_iter=1000, solver="newton-cholesky")
WIDTH = ("iris.csv", "--target", "petal_width", "--drop-cols", "species")


def fit(*argv: str | Path, **options: Any) -> Done:
    return run("fit", *argv, **options)


def weights_of(done: Done) -> pd.DataFrame:
    header, *rows = done.check().rows
    numbers = [[float(cell) for cell in row[1:]] for row in rows]
    return pd.DataFrame(numbers, index=[row[0] for row in rows], columns=header[1:])


def scores_file(path: Path, features: str | Path, weights: str | Path) -> Path:
    """Write what classify gives as targets."""
    rows = run("classify", features, weights).check().rows
    return write_csv(path, [row[:-1] for row in rows])


def make_rows(path: Path, n_rows: int, n_features: int, seed: int = 3) -> Path:
    rng = np.random.default_rng(seed)
    header = ["id", *(f"f{i}" for i in range(n_features)), "y"]
    rows = rng.normal(size=(n_rows, n_features))
    y = rows @ np.arange(1, n_features + 1) + 0.5 + rng.normal(size=n_rows) / 100
    lines = (
        [f"r{i}", *row, t] for i, (row, t) in enumerate(zip(rows.tolist(), y.tolist(), strict=True))
    )
    return write_csv(path, [header, *lines])


class TestNumbers:
    @pytest.mark.parametrize("options", [(), ("--method", "least-squares"), ("--standardize",)])
    def test_least_squares_is_scikit_learns(self, options: tuple[str, ...]) -> None:
        weights = weights_of(fit(*WIDTH, *options).check(quiet=True))
        expected = LinearRegression().fit(X[:, :3], X[:, 3])
        assert weights.index.tolist() == [*IRIS.columns[:3], "(Intercept)"]
        np.testing.assert_allclose(weights["petal_width"][:3], expected.coef_, rtol=1e-11)
        assert weights["petal_width"].iloc[3] == pytest.approx(expected.intercept_, rel=1e-11)

    @pytest.mark.parametrize("standardize", [False, True])
    def test_ridge_is_scikit_learns(self, standardize: bool) -> None:
        options = ("--method", "ridge", "--alpha", "2", *["--standardize"] * standardize)
        weights = weights_of(fit(*WIDTH, *options))
        scaler = StandardScaler().fit(X[:, :3])
        unit = scaler.scale_ if standardize else np.ones(3)
        expected = Ridge(alpha=2).fit(X[:, :3] / unit, X[:, 3])
        np.testing.assert_allclose(weights["petal_width"][:3], expected.coef_ / unit, rtol=1e-9)

    def test_several_targets(self) -> None:
        argv = ("iris.csv", "--target", "petal_width,petal_length", "--drop-cols", "species")
        weights = weights_of(fit(*argv))
        expected = LinearRegression().fit(X[:, :2], X[:, [3, 2]])
        np.testing.assert_allclose(weights.to_numpy()[:2].T, expected.coef_, rtol=1e-10)

    def test_the_way_back_from_scores_to_weights(self, tmp_path: Path) -> None:
        targets = scores_file(tmp_path / "t.csv", "movies.csv", "genres.csv")
        done = fit("movies.csv", targets, "--no-intercept").check(quiet=True)
        found, given = weights_of(done), pd.read_csv(SAMPLES / "genres.csv", index_col=0)
        pd.testing.assert_frame_equal(found, given, check_names=False, rtol=1e-10)
        targets = scores_file(tmp_path / "d.csv", "digits.csv", "digits_weights.csv")
        found = weights_of(fit("digits.csv", targets, "--drop-cols", "digit"))
        scores = write_csv(
            tmp_path / "w.csv",
            [["feature", *found.columns], *found.reset_index().to_numpy().tolist()],
        )
        again = scores_file(tmp_path / "again.csv", "digits.csv", scores)
        np.testing.assert_allclose(
            pd.read_csv(again, index_col=0), pd.read_csv(targets, index_col=0), atol=1e-10
        )

    def test_a_square_system_has_no_intercept(self, tmp_path: Path) -> None:
        rows = read_csv(SAMPLES / "movies.csv")[:3]
        features = write_csv(tmp_path / "f.csv", rows)
        targets = scores_file(tmp_path / "t.csv", features, "genres.csv")
        done = fit(features, targets, "-v").check()
        assert "no intercept is fitted" in done.err
        given = pd.read_csv(SAMPLES / "genres.csv", index_col=0)
        pd.testing.assert_frame_equal(weights_of(done), given, check_names=False, rtol=1e-12)
        assert weights_of(fit(features, targets, "--intercept")).index[-1] == "(Intercept)"

    @pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "arrow", "csv.gz"])
    def test_weights_read_back_to_the_same_scores(self, form: str, tmp_path: Path) -> None:
        path = tmp_path / f"w.{form}"
        fit(*WIDTH, "-o", path).check(quiet=True)
        plain = tmp_path / "plain.csv"
        fit(*WIDTH, "-o", plain).check(quiet=True)
        options = ("iris.csv", path)
        assert run("classify", *options).check().out == run("classify", "iris.csv", plain).out

    def test_the_features_may_be_in_any_order(self, tmp_path: Path) -> None:
        turned = [[row[0], *row[:0:-1]] for row in read_csv(SAMPLES / "iris.csv")]
        path = write_csv(tmp_path / "f.csv", turned)
        one, other = weights_of(fit(*WIDTH)), weights_of(fit(path, *WIDTH[1:]))
        assert other.index[0] == "petal_length"
        assert other.loc[one.index].to_numpy().tobytes() == one.to_numpy().tobytes()

    def test_files_without_headers(self, tmp_path: Path) -> None:
        features = write_csv(tmp_path / "f.csv", X[:, :3].tolist())
        targets = write_csv(tmp_path / "t.csv", X[:, 3:].tolist())
        weights = weights_of(fit(features, targets))
        assert weights.index.tolist() == ["x1", "x2", "x3", "(Intercept)"]
        assert weights.columns.tolist() == ["y1"]
        named = weights_of(fit(*WIDTH))["petal_width"]  # which are in another order on the way
        np.testing.assert_allclose(weights["y1"], named, rtol=1e-12)
        path = tmp_path / "w.csv"
        fit(features, targets, "-o", path).check()
        assert (
            len(run("classify", features, path, "--no-scores", "--threshold", "0").check().rows)
            == 151
        )


class TestCategories:
    def test_logistic_is_scikit_learns(self, tmp_path: Path) -> None:
        weights = weights_of(fit("iris.csv", "--target", "species").check(quiet=True))
        expected = LOGISTIC.fit(X, IRIS["species"])
        assert weights.columns.tolist() == expected.classes_.tolist()
        np.testing.assert_allclose(weights.to_numpy()[:4].T, expected.coef_, rtol=1e-9)
        targets = write_csv(tmp_path / "t.csv", [["species"], *([s] for s in IRIS["species"])])
        assert (
            fit("iris.csv", targets, "--drop-cols", "species").check().out
            == fit("iris.csv", "--target", "species").check().out
        )

    def test_alpha_is_one_over_c(self) -> None:
        done = fit("iris.csv", "--target", "species", "--alpha", "10")
        expected = clone(LOGISTIC).set_params(C=0.1).fit(X, IRIS["species"])
        np.testing.assert_allclose(weights_of(done).to_numpy()[:4].T, expected.coef_, rtol=1e-9)

    def test_two_categories_have_a_column_each(self, tmp_path: Path) -> None:
        rows = [r for r in read_csv(SAMPLES / "iris.csv") if r[-1] != "setosa"]
        path = write_csv(tmp_path / "f.csv", rows)
        fit(path, "--target", "species", "-o", tmp_path / "w.csv").check()
        scored = run("classify", path, tmp_path / "w.csv", "--probabilities").check().rows
        names = np.array([row[-1] for row in rows[1:]])
        model = clone(LOGISTIC).fit(X[50:], names)
        chances = np.array([row[-2:] for row in scored[1:]], dtype=float)
        np.testing.assert_allclose(chances, model.predict_proba(X[50:]), atol=1e-12)

    def test_ridge_streams_them(self, tmp_path: Path) -> None:
        argv = ("digits.csv", "--target", "digit", "--categories", "--method", "ridge")
        fit(*argv, "-o", tmp_path / "w.csv").check(quiet=True)
        assert read_csv(tmp_path / "w.csv")[0] == ["feature (identity)", *map(str, range(10))]
        done = run("evaluate", "digits.csv", tmp_path / "w.csv", "--truth", "digit", "-f", "json")
        assert done.check().json["accuracy"] > 0.97

    def test_numbers_that_may_be_codes(self) -> None:
        done = fit("digits.csv", "--target", "digit").check()
        assert '"digit" is learned as a number; say --categories' in done.err
        fit("digits.csv", "--target", "digit", "--numbers").check(quiet=True)
        fit("digits.csv", "--target", "digit", "-q").check(quiet=True)
        header = fit("digits.csv", "--target", "digit", "--method", "logistic").check(quiet=True)
        assert header.rows[0] == ["feature", *map(str, range(10))]

    @pytest.mark.parametrize("method", ["ridge", "logistic"])
    def test_one_category_or_too_many(self, method: str, tmp_path: Path) -> None:
        rows = [["id", "a", "kind"], *([f"r{i}", i % 7, "x"] for i in range(20))]
        argv = ("--target", "kind", "--method", method)
        done = fit(write_csv(tmp_path / "f.csv", rows), *argv).check(4)
        assert 'every row has the category "x"' in done.err
        rows = [["id", "a", "kind"], *([f"r{i}", i % 7, f"k{i}"] for i in range(1100))]
        done = fit(write_csv(tmp_path / "f.csv", rows), *argv).check(4)
        assert "more than 1,000 categories" in done.err


class TestDeficient:
    def test_collinear_features_are_named(self, tmp_path: Path) -> None:
        rows = [["id", "a", "b", "c", "d", "e", "y"]]
        rng = np.random.default_rng(1)
        for i in range(50):
            a, b, d = rng.normal(size=3).tolist()
            rows.append([f"r{i}", *map(str, (a, b, a - 2 * b, d, 7, a + d))])
        done = fit(write_csv(tmp_path / "f.csv", rows), "--target", "y", "-v").check()
        assert (
            'warning: rank 3 of 5, as features are combinations of each other ("a", "b", "c")'
            in done.err
        )
        assert 'a feature does not vary, weight 0: "e"' in done.err
        table = np.array([row[1:] for row in rows[1:]], dtype=float)
        expected = LinearRegression().fit(table[:, :5], table[:, 5])
        np.testing.assert_allclose(weights_of(done)["y"][:5], expected.coef_, atol=1e-12)

    def test_too_few_rows(self, tmp_path: Path) -> None:
        done = fit(make_rows(tmp_path / "f.csv", 5, 8), "--target", "y").check()
        assert "warning: 5 rows for 8 features (rank 5)" in done.err
        found = weights_of(done)
        assert "(Intercept)" not in found.index
        table = pd.read_csv(tmp_path / "f.csv", index_col=0).to_numpy()
        least = np.linalg.lstsq(table[:, :8], table[:, 8])[0]
        np.testing.assert_allclose(found["y"], least, rtol=1e-9)

    def test_the_report(self, tmp_path: Path) -> None:
        argv = (*WIDTH, "--report", tmp_path / "r.json", "-o", tmp_path / "w.csv")
        fit(*argv).check(quiet=True)
        report = validate(tmp_path / "r.json")
        assert [i["role"] for i in report["inputs"]] == ["features"] and report["plans"] == []
        assert report["shapes"]["weights"] == [3, 1] and report["rows_scored"] == 150
        assert report["fit"]["rank"] == 3 and report["fit"]["method"] == "least-squares"
        assert report["fit"]["r2"]["petal_width"] == pytest.approx(
            LinearRegression().fit(X[:, :3], X[:, 3]).score(X[:, :3], X[:, 3]), rel=1e-12
        )
        assert report["fit"]["steps"] is None
        fit("iris.csv", "--target", "species", *argv[5:]).check(quiet=True)
        learned = validate(tmp_path / "r.json")["fit"]
        assert 5 < learned["steps"] < 20 and 0 <= learned["gradient"] < 1e-11
        fit("iris.csv", "--target", "x", "--report", tmp_path / "r.json").check(3)
        assert validate(tmp_path / "r.json")["exit"] == 3


class TestTargetsFile:
    @pytest.fixture
    def pair(self, tmp_path: Path) -> tuple[Path, list[list[str]]]:
        rows = read_csv(make_rows(tmp_path / "f.csv", 5000, 3))
        write_csv(tmp_path / "x.csv", [row[:-1] for row in rows])
        return tmp_path / "x.csv", [[row[0], row[-1]] for row in rows]

    def test_it_is_the_column(self, pair: tuple[Path, list[list[str]]], tmp_path: Path) -> None:
        features, rows = pair
        expected = fit(tmp_path / "f.csv", "--target", "y").check().out
        targets = write_csv(tmp_path / "t.csv", rows)
        for options in ((), ("--chunk-size", "1000"), ("--chunk-size", "64k", "-j", "2")):
            assert fit(features, targets, *options).check(quiet=True).out == expected
        bare = write_csv(tmp_path / "b.csv", [row[1:] for row in rows])
        done = fit(features, bare, "-v").check()
        assert done.out == expected and "are matched by position" in done.err
        pd.read_csv(targets).to_parquet(tmp_path / "t.parquet")
        assert fit(features, tmp_path / "t.parquet").check().out == expected

    def test_numbers_that_both_files_have_first_are_labels(self, tmp_path: Path) -> None:
        rows: list[list[Any]] = [
            ["customer", "a", "y"],
            *([i * 37 % 101, i * i % 7, i % 5] for i in range(1, 40)),
        ]
        features = write_csv(tmp_path / "f.csv", [row[:2] for row in rows])
        targets = write_csv(tmp_path / "t.csv", [[row[0], row[2]] for row in rows])
        weights = weights_of(fit(features, targets, "--numbers"))
        assert weights.index.tolist() == ["a", "(Intercept)"] and list(weights) == ["y"]
        rows[3][0] = 1000
        write_csv(targets, [[row[0], row[2]] for row in rows])
        assert 't.csv:4: the label "1000"' in fit(features, targets, "--numbers").check(4).err

    @pytest.mark.parametrize("options", [(), ("--chunk-size", "2000")])
    def test_other_labels(
        self, pair: tuple[Path, list[list[str]]], options: tuple[str, ...], tmp_path: Path
    ) -> None:
        features, rows = pair
        rows[3000], rows[3001] = rows[3001], rows[3000]
        targets = write_csv(tmp_path / "t.csv", rows)
        done = fit(features, targets, *options, "-o", tmp_path / "w.csv").check(4)
        what = f'{targets}:3001: the label "r3000", where the features have "r2999"'
        assert done.err.startswith(what) and not (tmp_path / "w.csv").exists()

    @pytest.mark.parametrize("change", ["longer", "shorter"])
    def test_other_lengths(
        self, pair: tuple[Path, list[list[str]]], change: str, tmp_path: Path
    ) -> None:
        features, rows = pair
        rows = [*rows, ["r5000", "1"]] if change == "longer" else rows[:-7]
        done = fit(features, write_csv(tmp_path / "t.csv", rows)).check(4)
        shown = "t.csv:5002: more rows than" if change == "longer" else "t.csv: 4,993 rows, and"
        assert shown in done.err

    def test_bad_rows_of_either(self, pair: tuple[Path, list[list[str]]], tmp_path: Path) -> None:
        features, rows = pair
        rows[10][1], rows[2500][1] = "x", ""
        targets = write_csv(tmp_path / "t.csv", rows)
        assert f'{targets}:11:2: "y": "x" is not a number' in fit(features, targets).check(4).err
        lines = features.read_text().splitlines()
        lines[4000] = "r3999,1,2"
        features.write_text("\n".join(lines))
        reject = ("--on-error", "reject", "--rejects", tmp_path / "r.csv")
        outs = set()
        for options in ((), ("--chunk-size", "3000")):
            done = fit(features, targets, *reject, *options).check()
            outs.add(done.out)
            found = read_csv(tmp_path / "r.csv")[1:]
            assert [row[1] for row in found] == ["11", "2501", "4001"]
            assert f"{targets}:11:2" in found[0][4]
            assert "3 rows rejected" in done.err
        table = pd.read_csv(tmp_path / "f.csv", index_col=0).drop(["r9", "r2499", "r3999"])
        expected = LinearRegression().fit(table.iloc[:, :3], table["y"])
        assert len(outs) == 1
        np.testing.assert_allclose(weights_of(done)["y"][:3], expected.coef_, rtol=1e-9)

    def test_a_missing_target_is_never_zero(
        self, pair: tuple[Path, list[list[str]]], tmp_path: Path
    ) -> None:
        rows = read_csv(tmp_path / "f.csv")
        rows[5][-1], rows[7][1] = "", ""
        path = write_csv(tmp_path / "g.csv", rows)
        done = fit(path, "--target", "y", "--missing", "zero").check(4)
        assert f'{path}:6:5: "y": a missing target' in done.err
        skip = ("--missing", "skip", "--rejects", tmp_path / "r.csv")
        fit(path, "--target", "y", *skip).check()
        assert [row[1] for row in read_csv(tmp_path / "r.csv")[1:]] == ["6", "8"]
        rows[5][-1] = "1"
        zero = fit(write_csv(path, rows), "--target", "y", "--missing", "zero").check()
        rows[7][1] = "0"
        assert zero.out == fit(write_csv(path, rows), "--target", "y").check().out


class TestRefused:
    @pytest.mark.parametrize(
        ("argv", "code", "words"),
        [
            (("iris.csv",), 2, "there is nothing to learn"),
            (("iris.csv", "iris.csv", "--target", "species"), 2, "given twice"),
            (("iris.csv", "--target", "Species"), 3, 'did you mean "species"'),
            (("iris.csv", "iris.csv"), 3, "text stands beside numbers"),
            (("iris.csv", "--target", "species,petal_width"), 3, "text stands beside numbers"),
            (("iris.csv", "--target", "species", "--method", "ridge", "--alpha", "-1"), 2, "alpha"),
            ((*WIDTH, "--alpha", "1"), 2, "least squares has no penalty"),
            (("iris.csv", "--target", "species", "--numbers"), 4, "is not a number"),
            ((*WIDTH, "--numbers", "--method", "logistic"), 2, "not numbers"),
            ((*WIDTH, "-o", "w.json"), 2, "not written as json"),
            ((*WIDTH, "--missing", "keep"), 2, "--missing"),
            ((*WIDTH, "--id-col", "flower", "--no-id-col"), 2, "contradict"),
            ((*WIDTH, "--drop-cols", "sepal_lenght"), 3, 'did you mean "sepal_length"'),
            (("movies.csv", "movies.csv", "-n"), 4, "is not a number"),
        ],
    )
    def test_arguments(self, argv: tuple[str, ...], code: int, words: str) -> None:
        done = fit(*argv).check(code)
        assert words in done.err and done.out == b""

    def test_a_first_column_that_counts_is_not_guessed(self, tmp_path: Path) -> None:
        rows: list[list[Any]] = [
            ["number", "a", "y"],
            *([i, i * i % 7, i * 3 % 5] for i in range(1, 30)),
        ]
        path = write_csv(tmp_path / "f.csv", rows)
        done = fit(path, "--target", "y", "--numbers").check(3)
        assert "say --id-col number, or --no-id-col for a feature" in done.err
        labelled = weights_of(fit(path, "--target", "y", "--numbers", "--id-col", "number"))
        feature = weights_of(fit(path, "--target", "y", "--numbers", "--no-id-col"))
        assert labelled.index.tolist() == ["a", "(Intercept)"]
        assert feature.index.tolist() == ["number", "a", "(Intercept)"]
        rows[0][0] = "id"
        done = fit(write_csv(path, rows), "--target", "y", "--numbers")
        assert weights_of(done).index.tolist() == ["a", "(Intercept)"]

    def test_names_that_would_clash(self, tmp_path: Path) -> None:
        rows: list[list[Any]] = [["id", "a", "a", "y"], ["p", 1, 2, 3], ["q", 2, 2, 5]]
        done = fit(write_csv(tmp_path / "f.csv", rows), "--target", "y").check(3)
        assert "more than once" in done.err
        rows = [["id", "(Intercept)", "b", "feature"], *([f"r{i}", i, i * i, i] for i in range(5))]
        path = write_csv(tmp_path / "f.csv", rows)
        done = fit(path, "--target", "feature", "--numbers", "-o", tmp_path / "w.csv").check()
        header, *_, last = read_csv(tmp_path / "w.csv")
        assert header == ["name (identity)", "feature"] and last[0] == "intercept"
        scored = run("classify", path, tmp_path / "w.csv").check().rows
        np.testing.assert_allclose([float(r[1]) for r in scored[1:]], range(5), atol=1e-12)

    def test_no_rows_and_numbers_too_large(self, tmp_path: Path) -> None:
        for method in ("least-squares", "logistic"):
            path = write_csv(tmp_path / "f.csv", [["id", "a", "y"]])
            done = fit(path, "--target", "y", "--method", method).check(4)
            assert "there are no rows to learn from" in done.err
        rows = [["id", "a", "y"], ["p", "1e308", 1], ["q", "-1e308", 2], ["r", 0, 1]]
        done = fit(write_csv(tmp_path / "f.csv", rows), "--target", "y").check(4)
        assert "too large to learn from" in done.err

    def test_no_weights_are_the_best_without_a_penalty(self, tmp_path: Path) -> None:
        argv = ("--target", "species", "--alpha", "0", "-o", tmp_path / "w.csv")
        done = fit("iris.csv", *argv).check(4)
        what = 'the features separate the categories, most of all "setosa" by "petal_length"'
        assert what in done.err and "--alpha 1 has a penalty" in done.err
        rows = [r for r in read_csv(SAMPLES / "iris.csv") if r[-1] != "setosa"]
        fit(write_csv(tmp_path / "f.csv", rows), *argv).check(quiet=True)
        twice = [[*row[:2], *row[1:]] for row in rows]
        twice[0][1] = "again"
        done = fit(write_csv(tmp_path / "g.csv", twice), *argv).check(4)
        assert 'combinations of each other ("again", "sepal_length")' in done.err
        assert "--drop-cols leaves one out" in done.err


class TestSameBytes:
    @pytest.mark.parametrize(
        ("target", "method"), [("y", "ridge"), ("kind", "ridge"), ("kind", "logistic")]
    )
    def test_for_any_chunks_and_jobs(self, target: str, method: str, tmp_path: Path) -> None:
        """Over several blocks, with rejected rows, and a category that comes late."""
        rows: list[list[Any]] = read_csv(make_rows(tmp_path / "f.csv", 9000, 4))
        rows = [[*row, "k" + str(i * i % 7 if i < 8000 else 9)] for i, row in enumerate(rows)]
        rows[0][-1] = "kind"
        rows[4000][2] = "bad"
        path = write_csv(tmp_path / "g.csv", rows)
        columns = ("--target", target, "--drop-cols", "kind" if target == "y" else "y")
        argv = (
            path,
            *columns,
            "--method",
            method,
            "--on-error",
            "reject",
            "--rejects",
            tmp_path / "r.csv",
        )
        outs = {
            fit(*argv, "--chunk-size", size, "-j", jobs).check().out
            for size, jobs in itertools.product(("3k", "64k", "200k", "4M"), ("1", "2"))
        }
        assert len(outs) == 1

    def test_from_a_pipe_compressed_or_typed(self, tmp_path: Path) -> None:
        data = (SAMPLES / "iris.csv").read_bytes()
        pd.read_csv(SAMPLES / "iris.csv").to_parquet(tmp_path / "f.parquet")
        for argv in (WIDTH[1:], ("--target", "species")):
            expected = fit("iris.csv", *argv).check().out
            assert fit("-", *argv, stdin=data).check().out == expected
            assert fit(tmp_path / "f.parquet", *argv).check().out == expected


class TestTable:
    def test_it(self) -> None:
        shown = fit(*WIDTH, "-f", "table").check().out.decode()
        assert shown.startswith("(150 × 3) · (3 × 1) ≈ (150 × 1)\nleast-squares, 150 rows\n")
        assert 'R²: "petal_width" 0.93785\n' in shown
        assert "petal_length    █  0.5241\n" in shown

    def test_quality_goes_to_the_messages_where_weights_go_to_the_output(self) -> None:
        done = fit(*WIDTH, "-v").check()
        assert "least-squares, 150 rows" in done.err and "condition 5.33" in done.err
        done = fit("iris.csv", "--target", "species", "-v").check()
        assert "on these rows: accuracy 0.9733" in done.err

    def test_on_a_terminal(self, tmp_path: Path) -> None:
        env = {"COLORTERM": "truecolor"}
        code, shown = run_on_terminal("fit", *WIDTH, "-o", tmp_path / "w.csv", env=env)
        assert code == 0 and b"48;2;" in shown["stdout"]
        assert (tmp_path / "w.csv").read_bytes() == fit(*WIDTH).check().out
        code, shown = run_on_terminal("fit", *WIDTH, "-q", "-o", tmp_path / "w.csv", env=env)
        assert code == 0 and shown["stdout"] == b""

    def test_wide_weights_are_cut(self) -> None:
        argv = ("digits.csv", "--target", "digit", "--categories", "--method", "ridge")
        shown = fit(*argv, "-f", "table", "--max-rows", "3").check().out.decode()
        assert "… and 61 more features\n" in shown and " of 10 columns shown\n" in shown
        assert max(map(len, shown.splitlines())) <= 80


class TestPython:
    @pytest.mark.parametrize(
        ("argv", "options"),
        [
            (WIDTH, {"targets": "petal_width"}),
            ((*WIDTH, "--method", "ridge", "--alpha", "3", "--standardize"),
             {"targets": "petal_width", "method": "ridge", "alpha": 3, "standardize": True}),
            ((*WIDTH, "--no-intercept"), {"targets": "petal_width", "intercept": False}),
            (("iris.csv", "--target", "species", "--method", "ridge"),
             {"targets": "species", "method": "ridge"}),
            (("iris.csv", "--target", "species"), {"targets": "species"}),
        ],
    )  # fmt: skip
    def test_it_agrees(self, argv: tuple[str, ...], options: dict[str, Any]) -> None:
        features = IRIS if options["targets"] == "species" else IRIS.drop(columns="species")
        found = matscore.fit(features, **options)
        expected = weights_of(fit(*argv))
        assert found.weights.index.tolist() == expected.index.tolist()
        assert found.weights.columns.tolist() == expected.columns.tolist()
        assert found.weights.to_numpy().tobytes() == expected.to_numpy().tobytes()
        assert found.warnings == ()

    def test_series_and_frames(self) -> None:
        features, targets = IRIS.iloc[:, :2], IRIS.iloc[:, 2:4]
        found = matscore.fit(features, targets)
        assert found.weights.columns.tolist() == ["petal_length", "petal_width"]
        one = matscore.fit(features, targets["petal_width"])
        np.testing.assert_allclose(one.weights["petal_width"], found.weights["petal_width"])
        scored = matscore.classify(features, found.weights)
        np.testing.assert_allclose(
            scored["petal_width"], LinearRegression().fit(features, targets).predict(features)[:, 1]
        )
        with pytest.raises(matscore.InputError, match="where the features have"):
            matscore.fit(features, targets.iloc[::-1])
        with pytest.raises(matscore.InputError, match="149 rows"):
            matscore.fit(features, targets.iloc[1:])
        with pytest.raises(matscore.MisfitError, match="several columns of categories"):
            matscore.fit(features, IRIS.iloc[:, 3:])
        with pytest.raises(matscore.MisfitError, match='did you mean "petal_width"'):
            matscore.fit(IRIS, "petal_widht")

    def test_arrays(self) -> None:
        features = pd.DataFrame(X[:, :3])
        found = matscore.fit(features, pd.Series(X[:, 3]))
        assert found.weights.index.tolist() == ["x1", "x2", "x3", "(Intercept)"]
        scored = matscore.classify(features, found.weights)
        expected = LinearRegression().fit(X[:, :3], X[:, 3]).predict(X[:, :3])
        np.testing.assert_allclose(scored["target"], expected)

    def test_missing_values(self) -> None:
        frame = IRIS.drop(columns="species").copy()
        frame.iloc[3, 0] = frame.iloc[5, 3] = np.nan
        with pytest.raises(
            matscore.InputError, match='features:4:1: "sepal_length": a missing value'
        ):
            matscore.fit(frame, "petal_width")
        with pytest.raises(matscore.InputError, match="targets:6: a missing target"):
            matscore.fit(frame, "petal_width", missing="zero")
        found = matscore.fit(frame, "petal_width", missing="skip")
        kept = frame.dropna().to_numpy()
        expected = LinearRegression().fit(kept[:, :3], kept[:, 3])
        np.testing.assert_allclose(found.weights["petal_width"].iloc[:3], expected.coef_, rtol=1e-9)


def test_the_loop_on_digits(tmp_path: Path) -> None:
    """Learn from one part, measure on the rest, explain a row that is predicted wrongly."""
    digits = load_digits()
    held_out = pd.read_csv(SAMPLES / "digits.csv")
    numbers = {int(label[6:]) - 1 for label in held_out["image"]}
    fitted = [i for i in range(len(digits.data)) if i not in numbers]
    rows = [
        [f"image-{i + 1:04}", *digits.data[i].astype(int).tolist(), digits.target[i]]
        for i in fitted
    ]
    train = write_csv(tmp_path / "train.csv", [held_out.columns.tolist(), *rows])
    weights = tmp_path / "weights.csv"
    options = ("--target", "digit", "--method", "logistic", "--alpha", "100")
    fit(train, *options, "-o", weights).check(quiet=True)
    given = pd.read_csv(SAMPLES / "digits_weights.csv", index_col=0)
    np.testing.assert_allclose(pd.read_csv(weights, index_col=0), given, atol=5e-3)
    done = run("evaluate", "digits.csv", weights, "--truth", "digit", "-f", "json").check()
    assert done.json["accuracy"] == 350 / 360
    scored = run("classify", "digits.csv", weights, "--keep-cols", "digit").check().rows
    label, truth, best = next((r[0], r[1], r[-1]) for r in scored[1:] if r[1] != r[-1])
    argv = ("--row", label, "--category", best, "--versus", truth)
    lines = run("explain", "digits.csv", weights, *argv).check().rows[1:]
    assert sum(float(line[-1]) for line in lines) > 0
