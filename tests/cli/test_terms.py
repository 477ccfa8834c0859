"""Raw files scored by terms: what counts, what is refused, what is said."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import Done, run, write_csv

RAW = [
    ["id", "age", "region", "income", "bmi"],
    ["a", "30", "North", "1000", "31.5"],
    ["b", "41", "East", "2500", "22"],
    ["c", "", "South", "100", "35"],
    ["d", "55", "North", "1", "30"],
]
WEIGHTS = [
    ["feature", "no", "yes"],
    ["age", 0, 0.031],
    ["age=(missing)", 0, 1.19],
    ["age^2", 0, -0.0002],
    ["age:region=North", 0, 0.004],
    ["log(income)", 0, 0.4],
    ["region=East", 0, 0],
    ["region=North", 0, 0.8],
    ["region=(other)", 0, 0],
    ["30<=bmi<35", 0, 0.15],
    ["(Intercept)", 0, -2.1],
]


class Files:
    """Features and weights in a folder, and commands on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, features: Sequence[Any], weights: Sequence[Any]) -> Files:
        write_csv(self.folder / "f.csv", features)
        write_csv(self.folder / "w.csv", weights)
        return self

    def one(self, cells: Sequence[str], names: Sequence[str], column: str = "x") -> Files:
        """Write one column of cells, and rows of weights 1, 2, 4, … ."""
        return self.write(
            [["id", column], *([i, cell] for i, cell in enumerate(cells, start=1))],
            [["feature", "u"], *([name, 2**i] for i, name in enumerate(names))],
        )

    def run(self, command: str, *options: str) -> Done:
        return run(command, self.folder / "f.csv", self.folder / "w.csv", *options)

    def scores(self, *options: str) -> list[float]:
        return [float(row[-1]) for row in self.run("classify", *options).check().rows[1:]]

    def refuse(self, code: int, *words: str, options: Sequence[str] = ()) -> str:
        """Expect a refusal whose message has all these words."""
        done = self.run("classify", *options)
        assert done.code == code, done
        message = done.err.split("\n\n")[0]
        for word in words:
            assert word in message
        return message


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_the_file_of_the_contract(files: Files) -> None:
    rows = files.write(RAW, WEIGHTS).run("classify").check(quiet=True).rows
    assert rows[0] == ["id", "no", "yes", "prediction"]
    assert [float(row[2]) for row in rows[1:]] == pytest.approx(
        [2.4831021115928546, 1.9644184043425167, 0.9320680743952368, 0.17], abs=1e-12
    )


def test_terms_in_the_header_of_transposed_weights(files: Files) -> None:
    rows = files.write(RAW, WEIGHTS).run("classify").check().out
    turned = list(map(list, zip(*WEIGHTS, strict=True)))
    files.write(RAW, turned)
    assert files.run("classify", "--transpose").check().out == rows
    assert files.run("classify", "--auto-transpose").check().out == rows
    files.refuse(3, "add --transpose")


def test_transposed_features(files: Files) -> None:
    rows = files.write(RAW, WEIGHTS).run("classify").check().out
    files.write(list(map(list, zip(*RAW, strict=True))), WEIGHTS)
    out = files.run("classify", "--transpose-features").check().out
    assert out.replace(b"id", b"", 0).split(b"\n", 1)[1] == rows.split(b"\n", 1)[1]


@pytest.mark.parametrize("options", [("--chunk-size", "1"), ("--jobs", "1"), ("--jobs", "3")])
def test_the_same_bytes_however_it_is_cut(files: Files, options: tuple[str, ...]) -> None:
    features = [RAW[0], *([f"{row[0]}{i}", *row[1:]] for i in range(300) for row in RAW[1:])]
    files.write(features, WEIGHTS)
    assert files.run("classify", *options).check().out == files.run("classify").check().out


# Levels as texts.


@pytest.mark.parametrize(
    "level",
    ["a,b", 'a"b', "a\nb", "a:b", "a=b", " a", "a ", "a`b", "(other)", "(missing)", "x<3", "a^2",
     "日本", "-", "", "1e400", "0x10", "a" * 5000],
)  # fmt: skip
def test_any_text_is_a_level(files: Files, level: str) -> None:
    quoted = "`" + level.replace("`", "``") + "`"
    files.one([level, "z"], [f"x={quoted}", "x=z"])
    if level:
        assert files.scores() == [1.0, 2.0]
    else:
        files.refuse(3, "stands for a missing cell", "x=(missing)")


def test_an_empty_text_is_a_missing_cell(files: Files) -> None:
    files.one(["", '""', "z"], ["x=z", "x=(missing)"])
    (files.folder / "f.csv").write_text('id,x\n1,\n2,""\n3,z\n4, \n')
    assert files.scores() == [2.0, 2.0, 1.0, 2.0]
    files.one(["", "z"], ["x=z"]).refuse(4, "f.csv:2:2", '"x"', "missing", "--missing")
    assert files.scores("--missing", "zero") == [0.0, 1.0]
    assert files.run("classify", "--missing", "keep").check().rows[1][-1] == "NaN"


def test_namibia(files: Files) -> None:
    files.one(["NA", "DE"], ["x=DE", "x=NA"])
    files.refuse(3, "stands for a missing cell", "x=(missing)", "--missing-values")
    assert files.scores("--missing-values", "null") == [2.0, 1.0]


@pytest.mark.parametrize(
    ("levels", "cells", "scores"),
    [
        (["1", "2"], ["1", "2", "1.0", " 2 ", "2e0", "+1"], [1, 2, 1, 2, 1 * 2, 1]),
        (["1.5", "-2"], ["1.50", "-2.0"], [1, 2]),
        (["01", "2"], ["01", "2"], [1, 2]),
        (["1", "b"], ["1", "b"], [1, 2]),
    ],
)
def test_levels_like_numbers(
    files: Files, levels: list[str], cells: list[str], scores: list[float]
) -> None:
    names = [f"x={level}" for level in levels]
    assert files.one(cells, names).scores() == scores


def test_levels_that_are_not_all_numbers_compare_as_texts(files: Files) -> None:
    files.one(["1", "1.0"], ["x=1", "x=b"]).refuse(4, "f.csv:3:2", '"1.0" is none of the levels')
    files.one(["1"], ["x=01", "x=2"]).refuse(4, "f.csv:2:2", '"1" is none of the levels')
    files.one(["1"], ["x=1", "x=1.0"]).refuse(3, '"1", "1.0"', "are one number")


def test_numbers_with_a_decimal_comma(files: Files) -> None:
    files.one(["1,5", "2"], ["x=1.5", "x=2"])
    assert files.scores("--decimal", ",", "-d", ",") == [1.0, 2.0]


def test_forms_of_a_letter_are_different_levels(files: Files) -> None:
    message = files.one(["e\u0301"], ["x=\u00e9"]).refuse(4, "none of the levels")
    assert "differs only by Unicode form" in message


def test_true_is_not_True(files: Files) -> None:
    files.one(["TRUE"], ["x=True", "x=False"])
    files.refuse(4, '"TRUE" is none of the levels', 'did you mean "True" (differs only by case)')


def test_a_column_that_is_a_number_and_a_text(files: Files) -> None:
    assert files.one(["1", "2", "3"], ["x", "x=1", "x=2", "x=3"]).scores() == [3.0, 6.0, 11.0]
    files.one(["01", "2"], ["x", "x=01", "x=2"])
    assert files.scores() == [3.0, 6.0]


def test_a_level_called_other_beside_the_others(files: Files) -> None:
    files.one(["(other)", "q", "a"], ["x=a", "x=`(other)`", "x=(other)"])
    assert files.scores() == [2.0, 4.0, 1.0]


def test_a_hundred_thousand_levels(files: Files) -> None:
    levels = [f"level {i}" for i in range(100_000)]
    files.write(
        [["id", "x"], ["p", levels[7]], ["q", levels[-1]]],
        [["feature", "u"], *([f"x={level}", i] for i, level in enumerate(levels))],
    )
    assert files.scores() == [7.0, 99_999.0]


@pytest.mark.parametrize(
    ("policy", "scores"), [("zero", [1.0, 0.0]), ("keep", [1.0, "nan"]), ("skip", [1.0])]
)
def test_an_unknown_level(files: Files, policy: str, scores: list[Any]) -> None:
    files.one(["a", "q"], ["x=a", "x=b"])
    files.refuse(4, "f.csv:3:2", '"x"', '"q" is none of the levels "a", "b"', "x=(other)")
    rejects = files.folder / "r.csv"
    aside = ("--rejects", str(rejects)) if policy == "skip" else ()
    assert list(map(str, files.scores("--unknown", policy, *aside))) == list(map(str, scores))
    if policy == "skip":
        assert '"q"' in rejects.read_text()
        files.refuse(2, "--unknown skip needs --rejects", options=("--unknown", "skip"))
        return
    files.run("classify", "--on-error", "reject", "--rejects", str(rejects)).check()
    assert rejects.read_text().splitlines()[1].startswith(f"{files.folder}/f.csv,3,2,x,")


def test_at_most_five_levels_are_told(files: Files) -> None:
    names = [f"x={letter * 3}" for letter in "abcdefgh"]
    message = files.one(["hhi"], names).refuse(4, '"aaa", "bbb", "ccc", "ddd", "eee" and 3 more')
    assert 'did you mean "hhh"' in message


# Numbers.


@pytest.mark.parametrize(
    ("name", "cells", "scores"),
    [
        ("x^2", ["3", "-4", "0"], [9, 16, 0]),
        ("x^3", ["3", "-2", "0.1"], [27, -8, 0.0010000000000000002]),
        ("x^-1", ["4", "-2"], [0.25, -0.5]),
        ("log(x)", ["1", "2.718281828459045"], [0, 1]),
        ("log10(x)", ["1000", "1e-5"], [3, -5]),
        ("log2(x)", ["8", "0.5"], [3, -1]),
        ("log1p(x)", ["0", "1e-300"], [0, 1e-300]),
        ("sqrt(x)", ["0", "2.25"], [0, 1.5]),
        ("abs(x)", ["-3", "3"], [3, 3]),
        ("exp(x)", ["0", "1"], [1, 2.718281828459045]),
        ("1<x<=3", ["1", "1.0000000000000002", "3", "3.0000000000000004"], [0, 1, 1, 0]),
        ("x>=0.1", ["0.1", "0.09999999999999999", "1e300"], [1, 0, 1]),
        ("x<0.3", ["0.3", "0.29999999999999993"], [0, 1]),
    ],
)
def test_what_a_term_counts(files: Files, name: str, cells: list[str], scores: list[float]) -> None:
    assert files.one(cells, [name]).scores() == scores


@pytest.mark.parametrize(
    ("name", "cell", "what", "hint"),
    [
        ("log(x)", "0", "0 has no log(x)", "a number above 0"),
        ("log1p(x)", "-1", "-1 has no log1p(x)", "above -1"),
        ("sqrt(x)", "-2.5", "-2.5 has no sqrt(x)", "from 0 on"),
        ("x^-2", "0", "0 has no x^-2", "other than 0"),
        ("exp(x)", "1000", "1000 is too large for exp(x)", "float64"),
        ("x^2", "1e200", "1e+200 is too large for x^2", "float64"),
    ],
)
def test_a_number_outside_is_a_bad_row(
    files: Files, name: str, cell: str, what: str, hint: str
) -> None:
    files.one(["5", cell], [name]).refuse(4, "f.csv:3:2", '"x"', what, hint)
    rejects = files.folder / "r.csv"
    done = files.run("classify", "--on-error", "reject", "--rejects", str(rejects)).check()
    assert [row[0] for row in done.rows[1:]] == ["1"]
    assert what in rejects.read_text() and f"2,{cell}" in rejects.read_text()


def test_a_product_that_overflows_is_a_bad_row(files: Files) -> None:
    files.write([["id", "a", "b"], ["r", "1e200", "1e200"]], [["f", "u"], ["a:b", 1], ["a", 1]])
    files.refuse(4, "f.csv:2:2", "a:b overflows")


def test_the_first_bad_cell_of_a_row_is_told(files: Files) -> None:
    files.write(
        [["id", "x", "y", "z"], ["1", "q", "oops", "0"]],
        [["f", "u"], ["x=a", 1], ["y", 1], ["log(z)", 1]],
    )
    files.refuse(4, "f.csv:2:2", '"q" is none')
    files.write([["id", "z", "y"], ["1", "0", "oops"]], [["f", "u"], ["y", 1], ["log(z)", 1]])
    files.refuse(4, "f.csv:2:3", '"oops" is not a number')


def test_products_of_levels_and_numbers(files: Files) -> None:
    header = ["id", "a", "x", "y"]
    cells = [["2", x, y] for x, y in itertools.product(["p", "q"], ["r", "s"])]
    weights = [["x=p", 1], ["x=q", 2], ["y=r", 4], ["y=s", 8], ["x=p:y=s", 16], ["y=r:a:x=q", 32]]
    features = [header, *([i, *row] for i, row in enumerate(cells))]
    files.write(features, [["f", "u"], *weights])
    assert files.scores() == [5.0, 25.0, 6.0 + 64.0, 10.0]


def test_missing_cells_with_a_weight(files: Files) -> None:
    files.write(
        [["id", "a", "x"], ["1", "3", "p"], ["2", "", "p"], ["3", "NA", ""], ["4", "5", ""]],
        [["f", "u"], ["a", 1], ["a=(missing)", 10], ["a^2", 100], ["a<4", 1000], ["x=p", 0.5],
         ["x=(missing)", 0.25], ["a:x=(missing)", 10000], ["a=(missing):x=p", 100000]],
    )  # fmt: skip
    assert files.scores() == [3 + 900 + 1000 + 0.5, 10 + 0.5 + 100000, 10.25, 5 + 2500 + 0.25 + 5e4]


def test_a_column_of_which_only_missing_cells_count(files: Files) -> None:
    assert files.one(["", "any", "5"], ["x=(missing)"]).scores() == [1.0, 0.0, 0.0]


# What is refused before a row is read.


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "a^0"], ("a^0", "is 1 in every row", "(Intercept)")),
        (["a:a"], ('"a" twice', "write a^2")),
        (["a:a^2"], ('"a" twice', "write a^3")),
        (["a:b", "b:a"], ("twice", '"a:b"', '"b:a"')),
        (["a", "a^1"], ("twice", '"a" and "a^1"')),
        (["x=p:x=q"], ("is 0 in every row",)),
        (["x=p:x=p"], ("x=p twice",)),
        (["a:a=(missing)"], ("is 0 in every row",)),
        (["5<a<3"], ("no number lies in", "borders")),
        (["sin(a)"], ("no function", "log, log1p")),
        (["x=p", "regin=q"], ('no column "regin"', '"regin=q"')),
        (["x=p", "X=q"], ('no column "X"', 'did you mean "x" (differs only by case)')),
        (["x=10:30", "x=p"], ("x=`10:30`",)),
        (["x=p", "x=`q"], ("backtick",)),
    ],
)
def test_terms_that_are_refused(files: Files, names: list[str], words: tuple[str, ...]) -> None:
    files.write([["id", "a", "b", "x"], ["1", 2, 3, "p"]], [["f", "u"], *([n, 1] for n in names)])
    files.refuse(3, *words)


def test_by_position_there_are_no_terms(files: Files) -> None:
    files.write([["1", "2"], ["3", "4"]], [["f", "u"], ["a", 1], ["a^2", 2]])
    files.refuse(3, '"a^2"', "is a term", "no column names", "--headers")


def test_a_column_of_that_name_wins(files: Files) -> None:
    files.write([["id", "a", "a^2", "log"], ["r", 3, 5, 7]], [["f", "u"], ["a^2", 1], ["log", 10]])
    assert files.scores() == [75.0]
    files.write([["id", "x=p", "x"], ["r", 5, "p"]], [["f", "u"], ["x=p", 1]])
    assert files.scores() == [5.0]


def test_levels_of_which_some_are_columns(files: Files) -> None:
    files.write([["id", "x", "x=p"], ["r", "p", 1]], [["f", "u"], ["x=p", 1], ["x=q", 1]])
    files.refuse(3, '"x=p" is a column', "encode all levels as columns, or none")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("regionNorth", "region=North"),
        ("region_North", "region=North"),
        ("region.North", "region=North"),
        ("region North", "region=North"),
        ("region[T.North]", "region=North"),
        ("C(region)[T.North]", "region=North"),
        ("C(region, Treatment)[T.North]", "region=North"),
        ("cat__region_North", "region=North"),
        ("[region=North]", "region=North"),
        ("age:regionNorth", "age:region=North"),
        ("age:region[T.North]", "age:region=North"),
        ("I(age^2)", "age^2"),
        ("I(age ** 2)", "age^2"),
        ("age ** 2", "age^2"),
        ("np.log(income)", "log(income)"),
        ("num__income", "income"),
    ],
)
def test_names_of_other_tools(files: Files, name: str, meant: str) -> None:
    files.write(RAW, [["feature", "u"], ["bmi", 1], [name, 2]])
    message = files.refuse(3, f"write {meant} for")
    if "region" in name:
        assert "region=East, region=South" in message
        assert "zeros" in message


@pytest.mark.parametrize(
    "name",
    ["`my region`New York", "my.regionNew.York", "my region_New York"],
)
def test_names_that_r_quotes_or_changes(files: Files, name: str) -> None:
    rows = [["id", "my region", "bmi"], ["a", "New York", 1], ["b", "Ohio", 2]]
    files.write(rows, [["feature", "u"], ["bmi", 1], [name, 2]])
    message = files.refuse(3, f'write my region=New York for "{name}"')
    assert "my region=Ohio" in message


def test_a_joined_name_that_may_be_two_things(files: Files) -> None:
    files.write(
        [["id", "a", "a_b"], ["1", "b_c", "c"], ["2", "d", "e"]], [["f", "u"], ["a_b_c", 1]]
    )
    files.refuse(3, "write a=b_c or a_b=c for")


# Other commands.


def test_recommend_has_no_terms(files: Files) -> None:
    files.write([["id", "a"], ["u", 2]], [["id", "a^2"], ["i", 3]])
    done = files.run("recommend")
    assert done.code == 3 and "lacks a feature" in done.err


def test_check_says_how_columns_are_read(files: Files) -> None:
    out = files.write(RAW, WEIGHTS).run("check").check().out.decode()
    assert '"region": 2 levels; another one has a weight, a missing one refused' in out
    assert '"bmi", "age", "income"; a missing one of "age" has a weight' in out
    assert "computed" in out and "(4 × 9) · (9 × 2) → (4 × 2)" in out
    facts = json.loads(files.run("check", "-f", "json").check().out)
    assert facts["terms"][:2] == ["30<=bmi<35", "age:region=North"]
    assert facts["columns"][-1] == {
        "name": "region",
        "read_as": "text",
        "levels": ["North", "East"],
        "compared_as": "text",
        "unknown": "has a weight",
        "missing": "refused",
    }


def test_explain_lists_the_level_that_counts(files: Files) -> None:
    rows = files.write(RAW, WEIGHTS).run("explain", "--category", "yes").check().rows
    lines = {(row[0], row[2]): row[3:] for row in rows[1:]}
    assert lines["a", "region=North"] == ["1.0", "0.8", "0.8"]
    assert ("a", "region=East") not in lines
    assert lines["b", "region=East"] == ["1.0", "0.0", "0.0"]
    assert lines["c", "region=(other)"] == ["1.0", "0.0", "0.0"]
    assert lines["c", "age=(missing)"] == ["1.0", "1.19", "1.19"]
    assert ("b", "30<=bmi<35") not in lines
    top = files.run("explain", "--category", "yes", "--top-features", "2").check().rows
    assert [row[2] for row in top[1:5]] == ["log(income)", "age", "(others)", "(Intercept)"]


def test_the_report_counts_levels(files: Files) -> None:
    features = [[*row] for row in RAW] + [["e", "7", "West", "10", "20"]]
    report = files.folder / "report.json"
    files.write(features, WEIGHTS).run("classify", "--report", str(report)).check()
    columns = {c["name"]: c for c in json.loads(report.read_text())["columns"]}
    assert columns["region"] == {
        "name": "region", "read_as": "text", "levels": 2, "unknown": 2, "missing": 0,
    }  # fmt: skip
    assert columns["age"]["missing"] == 1


def test_a_person_is_told_what_is_computed(files: Files) -> None:
    done = files.write(RAW, WEIGHTS).run("classify", "-v")
    assert 'features are computed: levels of "region" (2)' in done.err


def test_evaluate(files: Files) -> None:
    truth = ["yes", "no", "yes", "yes"]
    features = [[*RAW[0], "truth"], *([*r, t] for r, t in zip(RAW[1:], truth, strict=True))]
    done = files.write(features, WEIGHTS).run("evaluate", "--truth", "truth", "-f", "json").check()
    assert done.json["accuracy"] == 0.75


def test_a_directory_is_resumed_with_its_counts(files: Files) -> None:
    files.write(RAW, WEIGHTS)
    out, report = str(files.folder / "out") + "/", files.folder / "report.json"
    for _ in range(2):
        files.run("classify", "-o", out, "--resume", "--report", str(report)).check()
        columns = {c["name"]: c for c in json.loads(report.read_text())["columns"]}
        assert columns["region"]["unknown"] == 1


def test_the_value_of_a_folder_is_a_level(files: Files) -> None:
    files.write(RAW, [["f", "u"], ["country=DE", 1], ["country=FR", 2], ["age=(missing)", 4]])
    for value in ("DE", "FR"):
        folder = files.folder / "data" / f"country={value}"
        folder.mkdir(parents=True)
        write_csv(folder / "f.csv", RAW)
    done = run("classify", files.folder / "data", files.folder / "w.csv").check()
    assert [float(row[-1]) for row in done.rows[1:]] == [1, 1, 5, 1, 2, 2, 6, 2]
    (files.folder / "data" / "country=FR").rename(files.folder / "data" / "country=XX")
    done = run("classify", files.folder / "data", files.folder / "w.csv").check(4)
    assert '"XX" is none of the levels' in done.err
