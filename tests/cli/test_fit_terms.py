"""Weights learned from raw files: levels of texts, and terms that are asked for."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import matscore
from tests.helpers import Done, run, write_csv

HEADER = ["id", "age", "region", "plan", "y"]


def make_rows(n_rows: int = 60, seed: int = 1) -> list[list[Any]]:
    draw = random.Random(seed)
    regions, plans = ["North", "East", 'a,"b"', "x=y:z"], ["basic", "plus"]
    return [
        HEADER,
        *(
            [f"r{i}", draw.randint(18, 80), draw.choice(regions), draw.choice(plans),
             round(draw.gauss(0, 3), 3)]
            for i in range(n_rows)
        ),
    ]  # fmt: skip


def fit(path: Path, *options: str) -> Done:
    return run("fit", path, "--target", "y", *options)


def read_weights(done: Done) -> dict[str, list[float]]:
    return {row[0]: list(map(float, row[1:])) for row in done.check().rows[1:]}


def score(folder: Path, path: Path, done: Done, *options: str) -> list[float]:
    (folder / "w.csv").write_bytes(done.check().out)
    rows = run("classify", path, folder / "w.csv", *options).check().rows
    return [float(row[1]) for row in rows[1:]]


def encode(frame: pd.DataFrame, columns: dict[str, Any], *, intercept: bool = True) -> Any:
    X = np.column_stack([np.asarray(column, dtype=float) for column in columns.values()])
    X = np.column_stack([X, np.ones(len(frame))]) if intercept else X
    return X, np.linalg.lstsq(X, frame.y.to_numpy(), rcond=None)[0]


def indicators(frame: pd.DataFrame, name: str, *, skip: int = 1) -> dict[str, Any]:
    return {f"{name}={level}": frame[name] == level for level in sorted(set(frame[name]))[skip:]}


def test_what_is_learned_scores_the_same_file(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "f.csv", rows := make_rows())
    frame = pd.DataFrame(rows[1:], columns=HEADER)
    done = fit(path)
    weights = read_weights(done)
    assert list(weights) == [
        "age", "region=East", "region=North", 'region=a,"b"', "region=`x=y:z`", "plan=basic",
        "plan=plus", "(Intercept)",
    ]  # fmt: skip
    assert weights["region=East"] == weights["plan=basic"] == [0.0]
    columns = {"age": frame.age} | indicators(frame, "region") | indicators(frame, "plan")
    X, expected = encode(frame, columns)
    found = [weights[name.replace("x=y:z", "`x=y:z`")][0] for name in columns]
    assert np.allclose([*found, weights["(Intercept)"][0]], expected, rtol=1e-9, atol=1e-9)
    assert np.allclose(score(tmp_path, path, done), X @ expected, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "penalty"), [(("--no-intercept",), 0.0), (("--method", "ridge"), 1.0)]
)
def test_without_a_reference_all_levels_have_weights(
    options: tuple[str, ...], penalty: float, tmp_path: Path
) -> None:
    rows = [[*row[:3], *row[4:]] for row in make_rows()]
    path = write_csv(tmp_path / "f.csv", rows)
    frame = pd.DataFrame(rows[1:], columns=rows[0])
    weights = read_weights(fit(path, *options))
    columns = {"age": frame.age} | indicators(frame, "region", skip=0)
    X = np.column_stack([np.asarray(column, dtype=float) for column in columns.values()])
    y = frame.y.to_numpy()
    if penalty:
        X, y = X - X.mean(axis=0), y - y.mean()
    expected = np.linalg.solve(X.T @ X + penalty * np.eye(X.shape[1]), X.T @ y)
    found = [weights[name.replace("x=y:z", "`x=y:z`")][0] for name in columns]
    assert np.allclose(found, expected, rtol=1e-8, atol=1e-9)


def test_terms_that_are_asked_for(tmp_path: Path) -> None:
    rows = [row for row in make_rows(80) if row[2] not in ('a,"b"', "x=y:z")]
    path = write_csv(tmp_path / "f.csv", rows)
    frame = pd.DataFrame(rows[1:], columns=HEADER)
    done = fit(path, "--terms", "age:region,region:plan,log(age),age^2,30<=age<50")
    weights = read_weights(done)
    north, plus = frame.region == "North", frame.plan == "plus"
    columns = {
        "age": frame.age,
        "region=North": north,
        "plan=plus": plus,
        "age:region=North": frame.age * north,
        "region=North:plan=plus": north & plus,
        "log(age)": np.log(frame.age),
        "age^2": frame.age**2,
        "30<=age<50": (frame.age >= 30) & (frame.age < 50),
    }
    assert set(weights) == {*columns, "region=East", "plan=basic", "(Intercept)"}
    X, expected = encode(frame, columns)
    assert np.allclose(score(tmp_path, path, done), X @ expected, atol=1e-7)


def test_rare_levels_are_put_together(tmp_path: Path) -> None:
    rows = [["id", "x", "y"], *([i, "a" if i % 2 else "b", i % 5] for i in range(20))]
    rows += [["p", "rare", 40], ["q", "odd", 42]]
    path = write_csv(tmp_path / "f.csv", rows)
    weights = read_weights(done := fit(path, "--rare", "3"))
    assert list(weights) == ["x=a", "x=b", "x=(other)", "(Intercept)"]
    assert score(tmp_path, path, done)[-2:] == pytest.approx([41.0, 41.0])
    assert list(read_weights(fit(path, "--rare", "1"))) == [
        "x=a", "x=b", "x=odd", "x=rare", "(Intercept)",
    ]  # fmt: skip


def test_too_many_levels(tmp_path: Path) -> None:
    rows = [["id", "x", "y"], *([i, f"name {i}", i % 5] for i in range(300))]
    path = write_csv(tmp_path / "f.csv", rows)
    done = fit(path).check(4)
    for words in ('"x"', "more than 100 levels", '"name 0"', "--drop-cols x", "--rare"):
        assert words in done.err
    assert len(read_weights(fit(path, "--max-levels", "300"))) == 301
    assert "more than 3 levels" in fit(path, "--max-levels", "3").check(4).err
    assert "each column of text has one level" in fit(path, "--rare", "2").check(3).err


def test_more_levels_than_memory_has_room_for(tmp_path: Path) -> None:
    rows = [["id", "x", "y"], *([i, f"name {i}", i % 5] for i in range(10_050))]
    done = fit(write_csv(tmp_path / "f.csv", rows), "--max-levels", "20000").check(3)
    assert "10,050 features are too many" in done.err and "--rare" in done.err


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ("agee^2", 'no column "agee"; did you mean "age"'),
        ("age^0", "is 1 in every row"),
        ("log(region)", '"region" is text'),
        ("age=3", "is a column of numbers"),
        ("age:age", "write age^2"),
        ("age", "asked for twice"),
        ("region=Nrth", "no level"),
    ],
)
def test_terms_that_cannot_be_learned(terms: str, words: str, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "f.csv", make_rows())
    assert words in fit(path, "--terms", terms).check(3).err


def test_text_is_read_twice(tmp_path: Path) -> None:
    rows = make_rows()
    data = write_csv(tmp_path / "f.csv", rows).read_bytes()
    done = run("fit", "-", "--target", "y", stdin=data).check(2)
    assert "are read twice" in done.err and "--drop-cols" in done.err
    run("fit", "-", "--target", "y", "--drop-cols", "region,plan", stdin=data).check()


def test_missing_texts(tmp_path: Path) -> None:
    rows = make_rows()
    rows[5][2] = ""
    path = write_csv(tmp_path / "f.csv", rows)
    done = fit(path).check(4)
    assert ":6:3" in done.err and '"region"' in done.err and "missing" in done.err
    aside = ("--missing", "skip", "--rejects", str(tmp_path / "r.csv"))
    skipped = read_weights(fit(path, *aside))
    del rows[5]
    assert skipped == read_weights(fit(write_csv(tmp_path / "g.csv", rows)))
    zero = fit(path, "--missing", "zero")
    assert len(score(tmp_path, path, zero, "--missing", "zero")) == 60


def test_missing_numbers_are_zero_in_terms_too(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["id", "a", "y"], *([i, i % 7, i % 4] for i in range(30))]
    zero = [[*row] for row in rows]
    for row, other in zip(rows[1:], zero[1:], strict=True):
        row[1], other[1] = ("", 0) if row[1] == 3 else (row[1], row[1])
    path, full = write_csv(tmp_path / "f.csv", rows), write_csv(tmp_path / "g.csv", zero)
    options = ("--terms", "a<1,exp(a),a^2")
    assert fit(path, *options, "--missing", "zero").check().out == fit(full, *options).check().out


def test_a_category_is_learned_from_texts(tmp_path: Path) -> None:
    rows = [[*row[:4], "yes" if row[3] == "plus" and row[1] > 40 else "no"] for row in make_rows()]
    rows[0] = HEADER
    path = write_csv(tmp_path / "f.csv", rows)
    done = fit(path, "--method", "logistic").check()
    assert done.rows[2][0] == "region=East" and set(done.rows[2][1:]) == {"0.0"}
    (tmp_path / "w.csv").write_bytes(done.out)
    found = run("evaluate", path, tmp_path / "w.csv", "--truth", "y", "-f", "json").check().json
    assert found["accuracy"] > 0.9


def test_targets_in_a_file_of_their_own(tmp_path: Path) -> None:
    rows = make_rows()
    one = write_csv(tmp_path / "f.csv", rows)
    features = write_csv(tmp_path / "x.csv", [row[:-1] for row in rows])
    targets = write_csv(tmp_path / "t.csv", [[row[0], row[-1]] for row in rows])
    assert run("fit", features, targets).check().out == fit(one).check().out


@pytest.mark.parametrize("options", [("--chunk-size", "1"), ("--jobs", "1"), ("--jobs", "4")])
def test_the_same_bytes_however_it_is_cut(options: tuple[str, ...], tmp_path: Path) -> None:
    path = write_csv(tmp_path / "f.csv", make_rows(500))
    terms = ("--terms", "age:region", "--rare", "3")
    assert fit(path, *terms, *options).check().out == fit(path, *terms).check().out
    argv = (path, "--target", "plan", "--method", "logistic", "--terms", "age:region")
    assert run("fit", *argv, *options).check().out == run("fit", *argv).check().out


def test_frames_and_parquet_learn_the_same(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "f.csv", make_rows())
    expected = read_weights(fit(path, "--terms", "age:plan"))
    frame = pd.read_csv(path, index_col="id")
    for kind in (object, "string", "category"):
        texts = frame.astype({"region": kind, "plan": kind})
        weights = matscore.fit(texts, "y", terms=["age:plan"]).weights
        assert {name: list(row) for name, row in weights.iterrows()} == expected
        scored = matscore.classify(texts.drop(columns="y"), weights)
        assert np.isfinite(scored.y).all()
    texts.reset_index().to_parquet(tmp_path / "f.parquet")
    done = run("fit", tmp_path / "f.parquet", "--target", "y", "--terms", "age:plan")
    assert read_weights(done) == expected


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["1,5", "2,5", "3,5"], '"1,5"; --decimal , reads such numbers'),
        (["5%", "6%", ""], 'the first has "5%"'),
        (["$4", "$5", "$6"], 'the first has "$4"'),
        (["1_000", "1_001", "1_002"], 'the first has "1_000"'),
    ],
)
def test_numbers_in_another_dress_are_no_levels(
    cells: list[str], says: str, tmp_path: Path
) -> None:
    rows = [["id", "x", "y"], *([f"r{i}", cell, i] for i, cell in enumerate(cells))]
    done = fit(write_csv(tmp_path / "f.csv", rows)).check(3)
    assert says in done.err


@pytest.mark.parametrize("term", ["2,5<=x", '"2,5<=x"', '"x<2,5"', '"1<x<=,5"'])
def test_borders_have_decimal_points(term: str, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("x;y\n1,5;2\n2,5;3\n3,5;7\n")
    (tmp_path / "w.csv").write_text("name;y\n2,5<=x;2\ny;1\n")
    options = ("--decimal", ",", "--no-id-col")
    done = run("fit", "f.csv", *options, "--target", "y", "--terms", term, cwd=tmp_path).check(3)
    assert "numbers in terms have decimal points" in done.err
    done = run("classify", "f.csv", "w.csv", *options, cwd=tmp_path).check(3)
    assert "numbers in terms have decimal points" in done.err
    learned = run("fit", "f.csv", *options, "--target", "y", "--terms", "2.5<=x", cwd=tmp_path)
    assert learned.check().rows[2][0] == "x>=2.5"


def test_truths_are_levels_of_a_frame() -> None:
    frame = pd.DataFrame({"a": [True, False, True, False], "y": [3.0, 1.0, 3.0, 1.0]})
    weights = matscore.fit(frame, "y").weights
    assert list(weights.index) == ["a=False", "a=True", "(Intercept)"]
    assert list(matscore.classify(frame[["a"]], weights).y) == pytest.approx([3, 1, 3, 1])


def test_a_column_that_is_called_like_a_level(tmp_path: Path) -> None:
    rows = [["id", "x", "x=b", "y"], *([i, "ab"[i % 2], i % 3, i % 4] for i in range(12))]
    done = fit(write_csv(tmp_path / "f.csv", rows)).check(3)
    assert '"x=b" is a column, and other levels of "x" are read from its text' in done.err
