from __future__ import annotations

import itertools
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import matscore
from tests.helpers import SAMPLES, Done, finish, read_csv, run, run_on_terminal, start, write_csv

MOVIES = ("movies.csv", "genres.csv")
IRIS = ("iris.csv", "iris_weights.csv")
DIGITS = ("digits.csv", "digits_weights.csv")


def explain(*argv: str | Path, **options: Any) -> Done:
    return run("explain", *argv, **options)


def groups(rows: list[list[str]]) -> dict[str, list[list[str]]]:
    """Return the lines of each row, by its label."""
    return {key: list(found) for key, found in itertools.groupby(rows[1:], key=lambda row: row[0])}


def test_the_lesson() -> None:
    done = explain(*MOVIES).check(quiet=True)
    assert done.rows == [
        ["film", "category", "feature", "value", "weight", "contribution"],
        ["Thunder Pass", "adventure", "action", "5.0", "1.1", "5.5"],
        ["Thunder Pass", "adventure", "comedy", "2.0", "0.2", "0.4"],
        ["The Wrong Umbrella", "romance", "comedy", "5.0", "1.2", "6.0"],
        ["The Wrong Umbrella", "romance", "action", "1.0", "0.1", "0.1"],
        ["Two Left Boots", "adventure", "action", "4.0", "1.1", "4.4"],
        ["Two Left Boots", "adventure", "comedy", "4.0", "0.2", "0.8"],
    ]


@pytest.mark.parametrize("files", [MOVIES, IRIS, DIGITS])
@pytest.mark.parametrize("options", [(), ("--top-features", "3"), ("--top-features", "0")])
def test_contributions_add_up_to_what_classify_prints(
    files: tuple[str, str], options: tuple[str, ...]
) -> None:
    header, *scored = run("classify", *files).check().rows
    explained = groups(explain(*files, *options).check().rows)
    assert list(explained) == [row[0] for row in scored]
    for row in scored:
        lines = explained[row[0]]
        assert {line[1] for line in lines} == {row[-1]}
        score = Fraction(float(row[header.index(row[-1], 1)]))
        total = sum(Fraction(float(line[5])) for line in lines)
        size = sum(abs(Fraction(float(line[5]))) for line in lines)
        assert abs(total - score) <= 70 * size * Fraction(2) ** -52
        sizes = [abs(float(line[5])) for line in lines if line[2][0] != "("]
        assert sizes == sorted(sizes, reverse=True)


def test_top_features_and_the_intercept_last() -> None:
    rows = explain(*IRIS, "--top-features", "1").check().rows
    assert [row[2] for row in rows[1:4]] == ["petal_length", "(others)", "(Intercept)"]
    assert rows[2][3:5] == ["", ""] and rows[3][3] == "1.0" and rows[3][4] == rows[3][5]
    found = explain(*IRIS, "--top-features", "1", "-f", "json").check().json
    assert found[1]["value"] is None and found[1]["contribution"] == float(rows[2][5])


def test_a_feature_named_like_the_others(tmp_path: Path) -> None:
    features = write_csv(tmp_path / "f.csv", [["id", "(others)", "b"], ["x", 1, 2]])
    weights = write_csv(tmp_path / "w.csv", [["f", "u", "v"], ["(others)", 1, 2], ["b", 3, 1]])
    rows = explain(features, weights, "--top-features", "1").check().rows
    assert [row[2] for row in rows[1:]] == ["b", "((others))"]


def test_a_category_and_another() -> None:
    rows = explain(*MOVIES, "--category", "family").check().rows
    assert {row[1] for row in rows[1:]} == {"family"}
    rows = explain(*MOVIES, "--category", "adventure", "--versus", "romance").check().rows
    assert rows[0][:4] == ["film", "category", "versus", "feature"]
    assert rows[1][:4] == ["Thunder Pass", "adventure", "romance", "action"]
    totals = {label: sum(float(r[6]) for r in lines) for label, lines in groups(rows).items()}
    assert totals["Thunder Pass"] == pytest.approx(5.9 - 2.9)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--category", "adventura"), 3, 'genres.csv: no category "adventura"; did you mean'),
        (("--versus", "x"), 3, '--versus has the name of one of: "adventure"'),
        (("--category", "family", "--versus", "family"), 2, "are the same"),
        (("--row", "Thunder"), 4, 'movies.csv: no row is labelled "Thunder"'),
        (("--row", " thunder pass"), 4, 'did you mean "Thunder Pass"'),
        (("--top-features", "-1"), 2, "--top-features"),
    ],
)
def test_refused(options: tuple[str, ...], code: int, words: str, tmp_path: Path) -> None:
    done = explain(*MOVIES, *options).check(code)
    assert words in done.err and done.out == b""
    explain(*MOVIES, *options, "-o", tmp_path / "out.csv").check(code)
    assert not (tmp_path / "out.csv").exists()


def test_one_row_of_many() -> None:
    whole = groups(explain(*DIGITS).check().rows)
    last = list(whole)[-1]
    rows = explain(*DIGITS, "--row", last, "--chunk-size", "2000").check().rows
    assert rows[1:] == whole[last]
    shown = explain(*DIGITS, "--row", last, "--chunk-size", "2000", "-f", "table").check().out
    assert f"{last}: ".encode() in shown


def test_a_row_by_number(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "f.csv", [["action", "comedy"], [5, 2], [1, 5]])
    rows = explain(path, "genres.csv", "--row", "2").check().rows
    assert [row[:3] for row in rows] == [
        ["row", "category", "feature"],
        ["2", "romance", "comedy"],
        ["2", "romance", "action"],
    ]


@pytest.fixture
def holed(tmp_path: Path) -> Path:
    lines = [["film", "action", "comedy"], ["A", 5, 2], ["B", "", 2], ["C", "x", 1], ["D", 1, 5]]
    return write_csv(tmp_path / "holed.csv", lines)


def test_missing_values(holed: Path, tmp_path: Path) -> None:
    assert "holed.csv:3:2" in explain(holed, "genres.csv").check(4).err
    options = ("--on-error", "reject", "--rejects", str(tmp_path / "r.csv"))
    kept = explain(holed, "genres.csv", *options, "--missing", "keep").check()
    assert [row[0] for row in kept.rows[1:]] == ["A", "A", "D", "D"]
    assert "1 row without a prediction" in kept.err and "1 row rejected" in kept.err
    assert [row[0] for row in read_csv(tmp_path / "r.csv")[1:]] == [str(holed)]
    family = explain(
        holed, "genres.csv", *options, "--missing", "keep", "--category", "family", "-q"
    ).check(quiet=True)
    assert [row[2:] for row in family.rows if row[0] == "B"] == [
        ["comedy", "2.0", "0.5", "1.0"],
        ["action", "NaN", "0.4", "NaN"],
    ]


def test_overflow_is_a_bad_row(tmp_path: Path) -> None:
    features = write_csv(tmp_path / "f.csv", [["id", "a"], ["x", 1], ["y", "1e300"]])
    weights = write_csv(tmp_path / "w.csv", [["f", "u", "v"], ["a", "1e300", 1]])
    done = explain(features, weights).check(4)
    assert f"{features}:3: the scores overflow" in done.err


def test_a_single_category(tmp_path: Path) -> None:
    weights = write_csv(tmp_path / "w.csv", [["f", "u"], ["action", 2], ["comedy", 1]])
    rows = explain("movies.csv", weights).check().rows
    assert rows[1] == ["Thunder Pass", "u", "action", "5.0", "2.0", "10.0"]
    shown = explain("movies.csv", weights, "-f", "table").check().out.decode()
    assert "Thunder Pass: u 12\n" in shown


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "markdown"])
def test_the_same_bytes_for_any_chunks_and_jobs(form: str) -> None:
    argv = (*DIGITS, "--top-features", "5", "-f", form)
    expected = explain(*argv).check().out
    for options in (("-j", "1"), ("--chunk-size", "700", "-j", "2"), ("--chunk-size", "9k")):
        assert explain(*argv, *options).check().out == expected


def test_shuffled_columns_give_the_same_bytes(tmp_path: Path) -> None:
    frame = pd.read_csv(SAMPLES / "iris.csv", dtype=str)
    frame[[*frame.columns[:1], *frame.columns[:0:-1]]].to_csv(tmp_path / "f.csv", index=False)
    assert explain(tmp_path / "f.csv", IRIS[1]).check().out == explain(*IRIS).check().out


def test_precision_and_formulas(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "f.csv", [["id", "action", "comedy"], ["=1+1", 1 / 3, 0]])
    options = ("--precision", "2", "--excel-safe", "--top-features", "1")
    rows = explain(path, "genres.csv", *options).check().rows
    assert rows[1] == ["'=1+1", "adventure", "action", "0.33", "1.1", "0.37"]
    assert rows[2] == ["'=1+1", "adventure", "(others)", "", "", "0.0"]
    text = explain(path, "genres.csv", *options, "-f", "markdown").check().out.decode()
    assert text.splitlines()[3] == "| '=1+1 | adventure | (others) |  |  | 0.0 |"


TABLE = """\
(3 × 2) · (2 × 3) → (3 × 3)

Thunder Pass: adventure 5.9, before family 3 by 2.9
5 × 1.1 + 2 × 0.2 = 5.9
feature   value  weight  contribution  over family
action        5     1.1           5.5          3.5  │███████████████████████████
comedy        2     0.2           0.4         -0.6  │██

… and 2 more rows
"""


def test_the_table() -> None:
    done = explain(*MOVIES, "-f", "table", "--max-rows", "1").check()
    assert done.out.decode() == TABLE


def test_a_tie_and_a_comparison() -> None:
    shown = explain(*MOVIES, "-f", "table").check().out.decode()
    assert "Two Left Boots: adventure 5.2, a tie with romance\n" in shown
    shown = explain(*MOVIES, "-f", "table", "--versus", "romance").check().out.decode()
    assert "Thunder Pass: adventure 5.9, before romance 2.9 by 3\n" in shown
    assert "5 × 1 + 2 × (-1) ≈ 3\n" in shown and "over" not in shown


def test_numbers_that_are_cut_are_not_called_equal() -> None:
    shown = explain(*IRIS, "-f", "table", "--max-rows", "1").check().out.decode()
    equation = shown.splitlines()[3]
    assert " ≈ " in equation and " = " not in equation and len(equation) <= 80


@pytest.mark.parametrize("width", [30, 50, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    env = {"COLUMNS": str(width)}
    shown = explain(*DIGITS, "-f", "table", env=env).check().out.decode()
    longest = max(map(len, shown.splitlines()))
    assert longest <= max(width, 50)


def test_bars_point_both_ways_in_ascii() -> None:
    argv = ("explain", *IRIS, "-f", "table", "--max-rows", "1")
    ran = finish(start(*argv, env={"PYTHONIOENCODING": "ascii"}))
    shown = ran.check().out.decode("ascii")
    assert re.search(r" #+\|$", shown, re.MULTILINE) and re.search(r" \|#+$", shown, re.MULTILINE)


def test_on_a_terminal_it_is_the_table() -> None:
    code, shown = run_on_terminal("explain", *MOVIES)
    assert code == 0 and b"before family" in shown["stdout"]
    assert b"\x1b[32m" in shown["stdout"]


def test_python_agrees() -> None:
    features = pd.read_csv(SAMPLES / IRIS[0], index_col=0)
    weights = pd.read_csv(SAMPLES / IRIS[1], index_col=0)
    for options in ({}, {"top_features": 2}, {"versus": "setosa"}, {"category": "setosa"}):
        argv = [f"--{k.replace('_', '-')}={v}" for k, v in options.items()]
        rows = explain(*IRIS, *argv).check().rows
        found = matscore.explain(features, weights, **options)
        assert list(found.columns) == rows[0][1:]
        assert found.index.tolist() == [row[0] for row in rows[1:]]
        for name, column in zip(found.columns, zip(*rows[1:], strict=True), strict=False):
            del column
            place = rows[0].index(name)
            for mine, theirs in zip(found[name], (row[place] for row in rows[1:]), strict=True):
                if isinstance(mine, str):
                    assert mine == theirs
                else:
                    assert mine == float(theirs or "nan") or (math.isnan(mine) and not theirs)


def test_a_row_that_no_file_has_is_refused_for_a_directory(tmp_path: Path) -> None:
    """No manifest says that the run is complete."""
    options = ("--row", "Thunder", "-o", f"{tmp_path}/out/")
    done = run("explain", "movies.csv", "genres.csv", *options).check(4)
    assert 'movies.csv: no row is labelled "Thunder"' in done.err
    assert not (tmp_path / "out/_manifest.json").exists()
