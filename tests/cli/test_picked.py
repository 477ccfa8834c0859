"""Columns that are picked, renamed or absent: as if the files were edited by hand.

The oracle is a file in which pandas has done the edit: it gives the same bytes.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import matscore
from matscore import MisfitError, PlanError, UsageError
from tests.cli.test_report import validate
from tests.helpers import Done, read_csv, run

DATA, MISFIT, USAGE = 4, 3, 2
FEATURES = "id,age,income,region\nx,1,20,N\ny,3,40,S\nz,5,10,N\n"
STATISTICS = """term,n,estimate,std.error,note
age,9,0.25,0.125,ok
income,9,-0.5,0.0625,ok
(Intercept),9,2,1,ok
"""
TERMS = """feature,a,b
age,1,2
income,3,5
age:income,0.5,0.25
log(wage),7,1
wage,1,1
region=N,1,0
region=S,0,2
tier=gold,9,9
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "f.csv").write_text(FEATURES)
    (tmp_path / "s.csv").write_text(STATISTICS)
    (tmp_path / "w.csv").write_text(TERMS)
    return tmp_path


def classify(folder: Path, *argv: Any, **options: Any) -> Done:
    return run("classify", *argv, cwd=folder, **options)


def edit(folder: Path, name: str, to: str, **how: Any) -> None:
    """Write a table anew without columns, without rows, or under other names."""
    table = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
    table = table.drop(columns=list(how.get("columns", ())))
    table = table[~table.iloc[:, 0].isin(list(how.get("rows", ())))]
    table.rename(columns=how.get("names", {})).to_csv(folder / to, index=False)


@pytest.mark.parametrize(
    ("argv", "left"),
    [
        (["--weights-cols", "estimate"], "note n std.error"),
        (["--weights-cols", "std.error,estimate"], "note n"),
        (["--weights-cols", "n,estimate,std.error"], "note"),
        (["--drop-weights-cols", "note,std.error,n"], "note std.error n"),
        (["--drop-weights-cols", "note", "--weights-cols", "n"], "note std.error estimate"),
    ],
)
@pytest.mark.parametrize("command", ["classify", "explain"])
def test_picked_columns_of_the_weights(
    folder: Path, command: str, argv: list[str], left: str
) -> None:
    edit(folder, "s.csv", "by_hand.csv", columns=left.split())
    kept = pd.read_csv(folder / "by_hand.csv").columns[1:]
    # Of an edited file statistics would still compete, unless they are named.
    named = ["--weights-cols", ",".join(kept)]
    expected = run(command, "f.csv", "by_hand.csv", *named, cwd=folder).check(0)
    found = run(command, "f.csv", "s.csv", *argv, cwd=folder).check(0)
    assert found.out == expected.out
    if "estimate" in kept and command == "classify":
        scores = pd.read_csv(folder / "f.csv")[["age", "income"]].to_numpy() @ [0.25, -0.5] + 2
        place = 1 + list(kept).index("estimate")
        assert [float(row[place]) for row in read_csv(found.out)[1:]] == scores.tolist()
    plan = json.loads(run("check", "f.csv", "s.csv", *argv, "-f", "json", cwd=folder).check(0).out)
    assert set(plan["weights_left_out"]) == set(left.split())
    assert plan["categories"] == list(kept)


def test_statistics_are_refused_with_the_command_that_works(folder: Path) -> None:
    edit(folder, "s.csv", "t.csv", columns=["note"])
    refused = classify(folder, "f.csv", "t.csv").check(MISFIT)
    assert "say --weights-cols estimate" in refused.err
    assert "Try: matscore classify f.csv t.csv --weights-cols estimate" in refused.err
    classify(folder, "f.csv", "t.csv", "--weights-cols", "estimate").check(0)


@pytest.mark.parametrize(
    ("weights", "words", "way"),
    [
        (STATISTICS, "note: --drop-weights-cols note", ["--drop-weights-cols", "note"]),
        (
            "Unnamed: 0,feature,a,b\n0,age,1,2\n1,income,3,4\n",
            "--drop-weights-cols 'Unnamed: 0'",
            ["--drop-weights-cols", "Unnamed: 0"],
        ),
        (
            ",feature,a,b\n0,age,1,2\n1,income,3,4\n",
            "--drop-weights-cols '\"\"'",
            ["--drop-weights-cols", '""'],
        ),
    ],
)
def test_columns_of_words_are_refused_with_the_way_out(
    folder: Path, weights: str, words: str, way: list[str]
) -> None:
    (folder / "w.csv").write_text(weights)
    refused = classify(folder, "f.csv", "w.csv").check(DATA)
    assert words.rpartition(": --")[2].removeprefix("--") in refused.err
    more = ["--weights-cols", "estimate"] if "estimate" in weights else []
    classify(folder, "f.csv", "w.csv", *way, *more).check(0)


def test_long_form_is_refused_with_the_command_that_works(folder: Path) -> None:
    (folder / "l.csv").write_text("category,feature,weight\np,age,1\nq,age,2\nq,income,3\n")
    refused = classify(folder, "f.csv", "l.csv").check(DATA)
    assert "matscore import l.csv -o weights.csv" in refused.err
    (folder / "l.csv").write_text(
        "category,feature,weight\np,age,1\np,income,0\nq,age,2\nq,income,3\n"
    )
    run("import", "l.csv", "-o", "weights.csv", cwd=folder).check(0)
    done = classify(folder, "f.csv", "weights.csv").check(0)
    assert read_csv(done.out)[1][1:] == ["1.0", "62.0", "q"]


@pytest.mark.parametrize(
    ("argv", "words", "code"),
    [
        (["--weights-cols", "estimat"], 'did you mean "estimate"', MISFIT),
        (["--drop-weights-cols", "nope"], "no column", MISFIT),
        (["--weights-cols", "n", "--drop-weights-cols", "n"], "say one of the two", USAGE),
        (["--weights-cols", "n", "--transpose"], "a category is a row", USAGE),
        (["--max-absent", "1"], "goes with --absent", USAGE),
        (["--max-absent", "-1", "--absent", "zero"], "", USAGE),
        (["--drop-weights-cols", "term,n,estimate,std.error,note"], "left out", MISFIT),
    ],
)
def test_options_that_make_no_sense(folder: Path, argv: list[str], words: str, code: int) -> None:
    assert words in classify(folder, "f.csv", "s.csv", *argv).check(code).err


def test_numbers_before_picked_columns_are_no_category(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("1,2\n3,4\n")
    (tmp_path / "w.csv").write_text("a,b,c\n0.5,1,2\n0.25,3,4\n")
    refused = classify(tmp_path, "f.csv", "w.csv", "--weights-cols", "b,c").check(MISFIT)
    assert "--drop-weights-cols a" in refused.err
    argv = ["--weights-cols", "b,c", "--drop-weights-cols", "a"]
    done = classify(tmp_path, "f.csv", "w.csv", *argv).check(0)
    assert read_csv(done.out)[1:] == [["1", "7.0", "10.0", "c"], ["2", "15.0", "22.0", "c"]]


def test_columns_of_a_file_without_a_header_are_numbered(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("1,2\n3,4\n")
    (tmp_path / "w.csv").write_text("1,2\n3,4\n")
    done = classify(tmp_path, "f.csv", "w.csv", "--weights-cols", "2", "--drop-weights-cols", "1")
    assert [row[1] for row in read_csv(done.check(0).out)[1:]] == ["10.0", "22.0"]


@pytest.mark.parametrize("name", ["w.parquet", "w.arrow"])
def test_typed_weights(folder: Path, name: str) -> None:
    table = pd.read_csv(folder / "s.csv")
    (table.to_parquet if name == "w.parquet" else table.to_feather)(folder / name)
    expected = classify(folder, "f.csv", "s.csv", "--weights-cols", "estimate").check(0)
    found = classify(folder, "f.csv", name, "--weights-cols", "estimate").check(0)
    assert found.out == expected.out


# Absent features.

ABSENT = ["log(wage)", "wage", "tier=gold"]


@pytest.mark.parametrize(
    "argv",
    [["--absent", "zero"], ["--absent", "wage,tier"], ["--absent", "log(wage),wage,tier=gold"]],
)
@pytest.mark.parametrize("command", ["classify", "explain"])
def test_absent_features_count_0(folder: Path, command: str, argv: list[str]) -> None:
    edit(folder, "w.csv", "by_hand.csv", rows=ABSENT)
    expected = run(command, "f.csv", "by_hand.csv", cwd=folder).check(0)
    found = run(command, "f.csv", "w.csv", *argv, "--report", "r.json", cwd=folder).check(0)
    assert found.out == expected.out
    report = validate(folder / "r.json")
    assert sorted(report["plans"][0]["absent"]) == sorted(ABSENT)
    shown = run("check", "f.csv", "w.csv", *argv, cwd=folder).check(0).out.decode()
    assert "absent" in shown and "count 0" in shown
    # A column of zeros gives the same scores, of a feature that is 0 there.
    if command == "classify":
        table = pd.read_csv(folder / "f.csv").assign(tier="")
        table["tier"] = "other"
        edit(folder, "w.csv", "zeros.csv", rows=["log(wage)"])
        table.assign(wage=0).to_csv(folder / "zeros_f.csv", index=False)
        zeros = classify(folder, "zeros_f.csv", "zeros.csv", "--unknown", "zero").check(0)
        assert read_csv(zeros.out) == read_csv(found.out)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "lacks 3 features"),
        (["--absent", "wage"], 'no column "tier"'),
        (["--absent", "log(wage)"], "lacks|no column"),
        (["--absent", "zero", "--max-absent", "2"], "more than --max-absent 2"),
        (["--absent", "wage,tier,nope"], '--absent names "nope"'),
    ],
)
def test_absent_features_are_refused(folder: Path, argv: list[str], words: str) -> None:
    err = classify(folder, "f.csv", "w.csv", *argv).check(MISFIT).err
    assert any(word in err for word in words.split("|"))


def test_more_than_half_absent_is_said_with_a_number(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("id,a\nx,2\n")
    (tmp_path / "w.csv").write_text("feature,p,q\na,1,2\nb,1,2\nc,3,4\n")
    refused = classify(tmp_path, "f.csv", "w.csv").check(MISFIT)
    assert "--absent zero --max-absent 2" in refused.err
    refused = classify(tmp_path, "f.csv", "w.csv", "--absent", "zero").check(MISFIT)
    assert "more than half" in refused.err and "--max-absent 2" in refused.err
    argv = ["--absent", "zero", "--max-absent"]
    classify(tmp_path, "f.csv", "w.csv", *argv, 1).check(MISFIT)
    done = classify(tmp_path, "f.csv", "w.csv", *argv, 2).check(0)
    assert read_csv(done.out)[1] == ["x", "2.0", "4.0", "q"]
    (tmp_path / "f.csv").write_text("id,d\nx,2\n")
    refused = classify(tmp_path, "f.csv", "w.csv", *argv, 3).check(MISFIT)
    assert "none of the features" in refused.err


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        ("id,a,B", "x,1,2", 'has "B"'),
        ("id,a,b ", "x,1,2", 'has "b "'),
        ("id,a,b\u200b", "x,1,2", "has "),
    ],
)
def test_what_hardly_differs_is_not_absent(
    tmp_path: Path, header: str, row: str, words: str
) -> None:
    (tmp_path / "f.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    (tmp_path / "w.csv").write_text("feature,p,q\na,1,2\nb,1,2\n")
    refused = classify(tmp_path, "f.csv", "w.csv", "--absent", "zero").check(MISFIT)
    assert words in refused.err and "--absent b" in refused.err
    done = classify(tmp_path, "f.csv", "w.csv", "--absent", "b").check(0)
    assert read_csv(done.out)[1] == ["x", "1.0", "2.0", "q"]


def test_encoded_names_of_a_text_column_are_not_absent(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("id,a,b,region\nx,1,2,N\ny,1,2,S\n")
    (tmp_path / "w.csv").write_text("feature,p,q\na,1,2\nb,0,0\nregion_N,1,2\n")
    refused = classify(tmp_path, "f.csv", "w.csv", "--absent", "zero").check(MISFIT)
    assert "region=N" in refused.err


def test_a_transposed_file_is_not_absent(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("id,a,b\nx,1,2\n")
    (tmp_path / "w.csv").write_text("category,a,b\np,1,2\nq,3,4\n")
    refused = classify(tmp_path, "f.csv", "w.csv", "--absent", "zero", "--max-absent", 9)
    assert "add --transpose" in refused.check(MISFIT).err


def test_by_position_nothing_is_absent(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("1,2\n3,4\n")
    (tmp_path / "w.csv").write_text("1,2\n3,4\n")
    (tmp_path / "r.csv").write_text("a,b\n")
    for argv in (["--absent", "zero"], ["--rename", "r.csv"]):
        assert "name" in classify(tmp_path, "f.csv", "w.csv", *argv).check(MISFIT).err


def test_files_lack_the_same_features(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("id,a,b\nx,1,2\n")
    (tmp_path / "g.csv").write_text("id,a\nx,1\n")
    (tmp_path / "w.csv").write_text("feature,p,q\na,1,2\nb,3,4\n")
    refused = classify(tmp_path, "f.csv", "g.csv", "w.csv", "--absent", "b").check(MISFIT)
    assert "lacks other features" in refused.err
    classify(tmp_path, "g.csv", "g.csv", "w.csv", "--absent", "b").check(0)


# Other names.

NAMES = {"age": "AGE", "income": "wage", "region": "income"}
RENAMED = """feature,a,b
AGE,1,2
AGE^2,0.5,0.25
log(wage),7,1
income=N,1,0
income=S,0,2
"""


@pytest.mark.parametrize("header", ["", "file,weights\n"])
@pytest.mark.parametrize(
    "argv", [[], ["--keep-cols", "income,region"], ["--id-col", "id"], ["--keep-cols", "age"]]
)
def test_renamed_columns(folder: Path, header: str, argv: list[str]) -> None:
    (folder / "w.csv").write_text(RENAMED)
    lines = [f"{old},{new}\n" for old, new in NAMES.items()]
    random.Random(0).shuffle(lines)
    (folder / "r.csv").write_text(header + "".join(lines))
    edit(folder, "f.csv", "by_hand.csv", names=NAMES)
    by_hand = [",".join(NAMES.get(n, n) for n in a.split(",")) for a in argv]
    expected = read_csv(classify(folder, "by_hand.csv", "w.csv", *by_hand).check(0).out)
    done = classify(folder, "f.csv", "w.csv", *argv, "--rename", "r.csv", "--report", "r.json")
    found = read_csv(done.check(0).out)
    assert found[1:] == expected[1:]
    # What is carried into the output keeps the name that it has in its file.
    assert found[0] == ["id", *(argv[1].split(",") if "--keep-cols" in argv else ()), "a", "b",
                        "prediction"]  # fmt: skip
    report = validate(folder / "r.json")
    assert dict(report["plans"][0]["renamed"]) == NAMES
    shown = run("check", "f.csv", "w.csv", "--rename", "r.csv", cwd=folder).check(0).out.decode()
    assert "renamed" in shown and "age is AGE" in shown


def test_renamed_rows_of_transposed_features(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("what,x,y\nage,1,2\npay,3,4\n")
    (tmp_path / "w.csv").write_text("feature,p,q\nAGE,1,2\npay,1,1\n")
    (tmp_path / "r.csv").write_text("age,AGE\n")
    argv = ["--transpose-features", "--rename", "r.csv"]
    done = classify(tmp_path, "f.csv", "w.csv", *argv).check(0)
    assert [row[1:3] for row in read_csv(done.out)[1:]] == [["4.0", "5.0"], ["6.0", "8.0"]]


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ("age,AGE\nage,wage\n", 'renames "age" twice'),
        ("age,AGE\nincome,AGE\n", 'gives the name "AGE" twice'),
        ("age,AGE\nnope,wage\n", 'renames "nope"'),
        ("nope,wage\nage,AGE\n", 'renames "nope"'),
        ("age,AGE\nincome,wagee\nregion,income\n", "wage"),
        ("age,AGE\nincome,wage\nid,region\n", "income"),
        ("region,income\nage,AGE\n", "which f.csv has too"),
        ("file,weights\n", "renames no column"),
    ],
)
def test_names_that_are_unused_or_double_are_refused(folder: Path, pairs: str, words: str) -> None:
    (folder / "w.csv").write_text(RENAMED)
    (folder / "r.csv").write_text(pairs)
    assert words in classify(folder, "f.csv", "w.csv", "--rename", "r.csv").check(MISFIT).err


def test_unused_new_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("id,a,b,c\nx,1,2,3\n")
    (tmp_path / "w.csv").write_text("feature,p,q\na,1,2\nb,3,4\n")
    (tmp_path / "r.csv").write_text("c,d\n")
    refused = classify(tmp_path, "f.csv", "w.csv", "--rename", "r.csv").check(MISFIT)
    assert 'renames to "d", which w.csv has not' in refused.err


def test_a_file_of_names_has_two_columns(folder: Path) -> None:
    (folder / "r.csv").write_text("age,AGE,x\n")
    assert "two names" in classify(folder, "f.csv", "w.csv", "--rename", "r.csv").check(DATA).err
    (folder / "r.csv").write_text("age,AGE\n")
    before = (folder / "r.csv").read_bytes()
    classify(folder, "f.csv", "w.csv", "--rename", "r.csv", "-o", "r.csv").check(USAGE)
    assert (folder / "r.csv").read_bytes() == before
    assert classify(folder, "f.csv", "w.csv", "--rename", "none.csv").code == 5


def test_bad_cells_are_told_by_the_name_in_the_file(folder: Path) -> None:
    (folder / "f.csv").write_text("id,age\nx,1\ny,oops\n")
    (folder / "w.csv").write_text("feature,a,b\nAGE,1,2\n")
    (folder / "r.csv").write_text("age,AGE\n")
    refused = classify(folder, "f.csv", "w.csv", "--rename", "r.csv").check(DATA)
    assert refused.err.startswith('f.csv:3:2: "age": "oops"')


def test_absent_and_renamed_at_once(folder: Path) -> None:
    (folder / "w.csv").write_text(RENAMED)
    (folder / "r.csv").write_text("age,AGE\nregion,income\nincome,wage\n")
    (folder / "w.csv").write_text(RENAMED + "bonus,1,1\nlog(bonus),1,1\n")
    done = classify(folder, "f.csv", "w.csv", "--rename", "r.csv", "--absent", "bonus").check(0)
    (folder / "w.csv").write_text(RENAMED)
    assert done.out == classify(folder, "f.csv", "w.csv", "--rename", "r.csv").check(0).out


def test_evaluate_and_the_truth_keep_their_names(folder: Path) -> None:
    (folder / "w.csv").write_text("feature,N,S\nAGE,1,2\nwage,3,1\nbonus,1,1\n")
    (folder / "r.csv").write_text("age,AGE\nincome,wage\n")
    argv = ["--rename", "r.csv", "--absent", "bonus", "--truth", "region", "-f", "json"]
    found = json.loads(run("evaluate", "f.csv", "w.csv", *argv, cwd=folder).check(0).out)
    edit(folder, "f.csv", "g.csv", names={"age": "AGE", "income": "wage"})
    edit(folder, "w.csv", "v.csv", rows=["bonus"])
    argv = ["--truth", "region", "-f", "json"]
    expected = json.loads(run("evaluate", "g.csv", "v.csv", *argv, cwd=folder).check(0).out)
    assert found == expected


# Items.

ITEMS = "film,title,year,action,drama,pages\no,Orbit,1999,0.8,0.1,7\ns,Sunday,,0.2,0.8,7\n"
USERS = "user,action,drama\nA,0.9,0.1\nB,0.1,0.7\n"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    (tmp_path / "u.csv").write_text(USERS)
    (tmp_path / "i.csv").write_text(ITEMS)
    return tmp_path


def recommend(folder: Path, *argv: Any) -> Done:
    return run("recommend", "u.csv", "i.csv", *argv, cwd=folder)


def test_columns_of_items_are_carried_over(shelf: Path) -> None:
    refused = recommend(shelf).check(DATA)
    assert "--drop-item-cols title" in refused.err and "--keep-item-cols title" in refused.err
    argv = ["--keep-item-cols", "year,title", "--drop-item-cols", "pages"]
    found = read_csv(recommend(shelf, *argv).check(0).out)
    edit(shelf, "i.csv", "plain.csv", columns=["title", "year", "pages"])
    plain = read_csv(run("recommend", "u.csv", "plain.csv", cwd=shelf).check(0).out)
    assert [[*row[:3], row[5]] for row in found] == plain
    told = recommend(shelf, *argv, "-v").check(0).err
    assert 'columns of i.csv in the output: "year", "title"' in told
    assert found[0] == ["user", "rank", "film", "year", "title", "score"]
    beside = {"o": ["1999", "Orbit"], "s": ["", "Sunday"]}
    assert [row[3:5] for row in found[1:]] == [beside[row[2]] for row in found[1:]]
    rows = json.loads(recommend(shelf, *argv, "-f", "json").check(0).out)
    assert {row["year"] for row in rows} == {"1999", None}
    shown = recommend(shelf, *argv, "-f", "table").check(0).out.decode()
    assert "Orbit" in shown and "title" in shown
    for chunk in (8, 1000):
        more = ["--chunk-size", chunk, "--jobs", 2]
        assert read_csv(recommend(shelf, *argv, *more).check(0).out) == found


def test_items_past_memory_keep_their_columns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"f{i}" for i in range(64)]
    items = pd.DataFrame(rng.integers(0, 9, (20_000, 64)), columns=names)
    items.insert(0, "item", [f"i{i}" for i in range(len(items))])
    items.insert(1, "title", [f"t{i}" for i in range(len(items))])
    items.to_csv(tmp_path / "i.csv", index=False)
    users = pd.DataFrame(rng.integers(0, 9, (3, 64)), columns=names)
    users.insert(0, "user", ["a", "b", "c"])
    users.to_csv(tmp_path / "u.csv", index=False)
    argv = ["--keep-item-cols", "title", "--memory", "8M"]
    rows = read_csv(recommend(tmp_path, *argv).check(0).out)[1:]
    assert len(rows) == 30 and all(row[3] == f"t{row[2][1:]}" for row in rows)


@pytest.mark.parametrize(
    ("argv", "words", "code"),
    [
        (["--keep-item-cols", "title", "--matrix"], "contradict", USAGE),
        (["--keep-item-cols", "title", "--transpose-items"], "a column is an item", USAGE),
        (["--keep-item-cols", "title", "--drop-item-cols", "title"], "one of the two", USAGE),
        (["--keep-item-cols", "titel"], 'did you mean "title"', MISFIT),
        (
            ["--keep-item-cols", "title,action", "--drop-item-cols", "year"],
            "has it as a feature",
            MISFIT,
        ),
    ],
)
def test_columns_of_items_that_cannot_be_kept(
    shelf: Path, argv: list[str], words: str, code: int
) -> None:
    assert words in recommend(shelf, *argv).check(code).err


OTHER_USERS = "user,drive,drama\nA,0.9,0.1\nB,0.1,0.7\n"
LIFTS = (
    ["--rename", "n.csv", "--absent", "pages,year"],
    ["--rename", "n.csv", "--absent", "zero", "--max-absent", "2"],
)


@pytest.mark.parametrize("lifts", LIFTS)
@pytest.mark.parametrize("more", [[], ["--matrix"], ["--keep-cols", "drive", "-k", "1"]])
def test_users_lack_what_items_have(shelf: Path, lifts: list[str], more: list[str]) -> None:
    (shelf / "i.csv").write_text(ITEMS.replace(",,", ",2001,"))
    (shelf / "n.csv").write_text("users,items\ndrive,action\n")
    (shelf / "u.csv").write_text(USERS)
    argv = ["--drop-item-cols", "title"]
    refused = recommend(shelf, *argv).check(MISFIT)
    assert "--absent year,pages" in refused.err and "--rename FILE" in refused.err
    edit(shelf, "i.csv", "plain.csv", columns=["title", "year", "pages"])
    by_hand = [("action" if word == "drive" else word) for word in more]
    expected = run("recommend", "u.csv", "plain.csv", *by_hand, cwd=shelf).check(0)
    (shelf / "u.csv").write_text(OTHER_USERS)
    found = recommend(shelf, *argv, *lifts, *more, "--report", "r.json").check(0)
    assert found.out.replace(b"drive", b"action") == expected.out
    plan = validate(shelf / "r.json")["plans"][0]
    assert sorted(plan["absent"]) == ["pages", "year"]
    assert plan["renamed"] == [["drive", "action"]]
    # Transposed items are columns.
    pd.read_csv(shelf / "i.csv", dtype=str).set_index("film").drop(columns="title").T.to_csv(
        shelf / "i.csv", index_label="film"
    )
    turned = recommend(shelf, "--transpose-items", *lifts, *more).check(0)
    assert [row[1:] for row in turned.rows[1:]] == [row[1:] for row in found.rows[1:]]


@pytest.mark.parametrize(
    ("argv", "words", "code"),
    [
        (["--absent", "year,pages", "--metric", "cosine"], "has two meanings", USAGE),
        (["--absent", "year,pages", "--max-absent", "1"], "more than --max-absent 1", MISFIT),
        (["--absent", "year,pages,nope"], '--absent names "nope"', MISFIT),
        (["--max-absent", "1"], "goes with --absent", USAGE),
    ],
)
def test_what_users_lack_is_refused(shelf: Path, argv: list[str], words: str, code: int) -> None:
    (shelf / "i.csv").write_text(ITEMS.replace(",,", ",2001,"))
    assert words in recommend(shelf, "--drop-item-cols", "title", *argv).check(code).err


def test_two_columns_of_one_name_are_refused(shelf: Path) -> None:
    (shelf / "i.csv").write_text(ITEMS.replace("title", "score"))
    argv = ["--keep-item-cols", "score", "--drop-item-cols", "year,pages"]
    assert 'named "score"' in recommend(shelf, *argv).check(MISFIT).err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--keep-cols", "region"], 'no column "region"; say --keep-cols area'),
        (["--id-col", "region"], 'no column "region"; say --id-col area'),
        (["--keep-cols", "are"], 'did you mean "area"'),
        (["--keep-cols", "age^2"], 'one of: "id", "years", "area", "wage"'),
        (["--rename", "terms.csv"], 'renames "area=N", which f.csv has not; did you mean "area"'),
        (["--rename", "unused.csv"], 'renames to "region=W", which v.csv has not'),
    ],
)
def test_terms_keep_to_the_names_of_each_file(tmp_path: Path, argv: list[str], words: str) -> None:
    (tmp_path / "f.csv").write_text("id,years,area,wage\nx,30,N,100\ny,40,S,50\n")
    (tmp_path / "v.csv").write_text(
        "feature,p,q\nage,1,2\nage^2,.5,.1\nregion=N,1,0\nregion=S,0,2\nlog(income),1,1\n"
    )
    pairs = "years,age\narea,region\nwage,income\n"
    (tmp_path / "n.csv").write_text(pairs)
    (tmp_path / "terms.csv").write_text("years,age\narea=N,region=N\nwage,income\n")
    (tmp_path / "unused.csv").write_text(pairs.replace("region", "region=W"))
    rename = ["--rename", "n.csv"]
    assert words in classify(tmp_path, "f.csv", "v.csv", *rename, *argv).check(MISFIT).err
    # A column may be called as a whole term is, and a term that is absent takes no column.
    (tmp_path / "n.csv").write_text("years,age\nwage,log(income)\n")
    argv = ["--absent", "region", "--keep-cols", "area,wage", "--precision", "1"]
    rows = read_csv(classify(tmp_path, "f.csv", "v.csv", *rename, *argv).check(0).out)
    assert rows[1] == ["x", "N", "100", "580.0", "250.0", "p"]


# DataFrames.


def test_frames_as_files(folder: Path) -> None:
    features = pd.read_csv(folder / "f.csv", index_col=0)
    statistics = pd.read_csv(folder / "s.csv", index_col=0)
    with pytest.raises(PlanError, match="--weights-cols estimate"):
        matscore.classify(features, statistics.drop(columns="note"))
    found = matscore.classify(features, statistics, weights_cols=["estimate"])
    assert found["estimate"].tolist() == [0.25 - 10 + 2, 0.75 - 20 + 2, 1.25 - 5 + 2]
    dropped = ["note", "n", "std.error"]
    again = matscore.classify(features, statistics, drop_weights_cols=dropped)
    pd.testing.assert_frame_equal(again, found)
    assert matscore.check(features, statistics, weights_cols=["n"]).categories == ("n",)
    with pytest.raises(MisfitError, match='did you mean "estimate"'):
        matscore.classify(features, statistics, weights_cols=["estimat"])
    with pytest.raises(UsageError, match="row"):
        matscore.classify(features, statistics, weights_cols=["n"], transpose=True)
    weights = pd.read_csv(folder / "w.csv", index_col=0)
    with pytest.raises(PlanError):
        matscore.classify(features, weights)
    plain = matscore.classify(features, weights.drop(index=ABSENT))
    for absent in ("zero", ["wage", "tier"]):
        same = matscore.classify(features, weights, absent=absent)
        pd.testing.assert_frame_equal(same, plain)
    with pytest.raises(PlanError, match="more than --max-absent 1"):
        matscore.classify(features, weights, absent="zero", max_absent=1)
    other = pd.DataFrame({"a": [1.0, 7], "b": [2.0, 1]}, index=["AGE", "log(wage)"])
    names = {"age": "AGE", "income": "wage"}
    found = matscore.classify(features, other, rename=names, keep_cols=["income"])
    named = matscore.classify(features.rename(columns=names), other, keep_cols=["wage"])
    pd.testing.assert_frame_equal(found, named.rename(columns={"wage": "income"}))
    explained = matscore.explain(features, other, rename=names)
    pd.testing.assert_frame_equal(
        explained, matscore.explain(features.rename(columns=names), other)
    )
    with pytest.raises(PlanError, match="which features has not"):
        matscore.classify(features, other, rename={"agee": "AGE"})


def test_items_of_frames(shelf: Path) -> None:
    users = pd.read_csv(shelf / "u.csv", index_col=0)
    items = pd.read_csv(shelf / "i.csv", index_col=0)
    found = matscore.recommend(
        users, items, keep_item_cols=["year", "title"], drop_item_cols=["pages"]
    )
    assert list(found.columns) == ["user", "rank", "item", "year", "title", "score"]
    plain = matscore.recommend(users, items[["action", "drama"]])
    pd.testing.assert_frame_equal(found.drop(columns=["year", "title"]), plain)
    assert found["title"].tolist() == [items["title"][item] for item in found["item"]]
    both = items[["action", "drama", "pages"]]
    other = users.rename(columns={"action": "drive"})
    lifted = matscore.recommend(other, both, rename={"drive": "action"}, absent="pages")
    pd.testing.assert_frame_equal(lifted, plain)
    with pytest.raises(PlanError, match="more than --max-absent 0"):
        matscore.recommend(users, both, absent="zero", max_absent=0)
    with pytest.raises(UsageError, match="two meanings"):
        matscore.recommend(users, both, absent="zero", metric="cosine")
    with pytest.raises(MisfitError, match="feature"):
        matscore.recommend(users, items, keep_item_cols=["action"])
    with pytest.raises(MisfitError, match="named"):
        matscore.recommend(users, items.rename(columns={"title": "rank"}), keep_item_cols=["rank"])
