from __future__ import annotations

import importlib.resources
import json
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import matscore
from tests.helpers import Done, read_csv, run, run_on_terminal

TABLES = Path(__file__).parents[1] / "models" / "tables"
RAW = TABLES / "raw.csv"
GLM = TABLES / "r_glm_tidy.tsv"
EXPECT = ("--expect", str(TABLES / "r_predictions.csv"), "--expect-column", "r_glm")
TOY = "term,estimate\n(Intercept),-1\nage,0.5\nregionNorth,2\n"
FEATURES = "id,age,region\na,1,North\nb,2,East\nc,3,North\n"


SCHEMA = json.loads(
    importlib.resources.files("matscore").joinpath("import.schema.json").read_text()
)


def validate(path: Path) -> Any:
    """Return a report that is as the schema says."""
    report = json.loads(path.read_bytes())
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    return report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lm.csv").write_text(TOY)
    (tmp_path / "raw.csv").write_text(FEATURES)
    return tmp_path


def take_over(folder: Path, *argv: str, expect: str | None = None) -> Done:
    if expect is not None:
        (folder / "expect.csv").write_text(expect)
        argv = ("--expect", "expect.csv", *argv)
    return run("import", "lm.csv", "--sample", "raw.csv", *argv, cwd=folder)


def test_weights_go_to_standard_output_and_nothing_is_said(folder: Path) -> None:
    done = run("import", "lm.csv", cwd=folder).check(quiet=True)
    assert done.rows == [
        ["feature", "estimate"], ["age", "0.5"], ["regionNorth", "2.0"], ["(Intercept)", "-1.0"],
    ]  # fmt: skip


def test_a_model_from_standard_input(folder: Path) -> None:
    done = run("import", "-", stdin=TOY.encode(), cwd=folder).check(quiet=True)
    assert done.out == run("import", "lm.csv", cwd=folder).out


def test_from_a_table_to_scores_of_the_raw_file(folder: Path) -> None:
    take_over(folder, "-o", "w.csv").check(quiet=True)
    scores = run("classify", "raw.csv", "w.csv", cwd=folder).check().rows
    assert [row[:2] for row in scores] == [
        ["id", "estimate"], ["a", "1.5"], ["b", "0.0"], ["c", "2.5"],
    ]  # fmt: skip


def test_what_is_told_and_the_command_that_works(folder: Path) -> None:
    done = take_over(folder, "-o", "w.csv", "-v").check()
    lines = done.err.splitlines()
    assert "matscore: lm.csv: a table, coefficients; 4 rows of weights" in lines[0]
    assert (
        'matscore: text "region": 2 levels; others are refused, missing ones are refused' in lines
    )
    assert 'matscore: the reference level of "region" is "East"' in lines
    assert lines[-1] == "matscore: Try: matscore classify raw.csv w.csv"
    assert not done.out
    code, shown = run_on_terminal("import", "lm.csv", "-o", "w.csv", cwd=folder)
    assert code == 0
    assert b"Try: matscore classify FEATURES w.csv" in shown["stderr"]


def test_the_command_that_works_reads_as_the_sample_was_read(folder: Path) -> None:
    text = "# raw\nid;age;region\na;1,5;North\nb;?;East\nc;n,a;East\n"
    (folder / "raw.csv").write_text(text, encoding="latin-1")
    given = (
        '-d ; --decimal , --comment # --missing-values ?,"n,a" --missing zero --encoding latin-1'
    )
    given += " --id-col id --booleans --sample-headers"
    done = take_over(folder, *given.split(), "-o", "w.csv", "-v").check()
    *_, command = done.err.splitlines()
    program, *words = shlex.split(command.removeprefix("matscore: Try: "))
    assert program == "matscore"
    rows = run(*words, cwd=folder).check().rows
    assert [row[:2] for row in rows] == [
        ["id", "estimate"],
        ["a", "1.75"],
        ["b", "-1.0"],
        ["c", "-1.0"],
    ]


def test_a_doubtful_sample_names_the_switch_of_import(folder: Path) -> None:
    (folder / "lm.csv").write_text("term,estimate\ninf,2\n1e400,0.5\n")
    (folder / "raw.csv").write_text("inf,1e400\n1,2\n")
    done = take_over(folder).check(3)
    assert "of this file alone --sample-headers or --no-sample-headers" in done.err
    take_over(folder, "--sample-headers").check()


def test_the_report_is_json_on_standard_output_and_in_files(folder: Path) -> None:
    done = take_over(folder, "-o", "w.csv", "-f", "json", "--report", "r.json").check(quiet=True)
    facts = done.json
    assert facts == validate(folder / "r.json")
    assert (facts["exit"], facts["error"]) == (0, None)
    assert facts["producer"] == "a table"
    assert facts["columns"] == [
        {"name": "age", "read_as": "number", "missing": "refused"},
        {"name": "region", "read_as": "text", "levels": ["East", "North"],
         "other": "refused", "missing": "refused"},
    ]  # fmt: skip
    assert facts["proof"] is None
    assert read_csv(folder / "w.csv")[0] == ["feature", "estimate"]


def test_the_proof_is_told(folder: Path) -> None:
    done = take_over(folder, "-v", expect="id,pred\na,1.5\nb,0\nc,2.5\n").check()
    assert "proved: 3 rows of expect.csv: largest difference 0 " in done.err
    proof = take_over(folder, "-f", "json", expect="pred\n1.5\n0\n2.5\n").check().json["proof"]
    assert proof["rows"] == 3
    assert proof["columns"] == ["pred is the score of estimate"]
    assert proof["labels_differ"] is None


@pytest.mark.parametrize("column", ["probability_yes", "p", "yes"])
def test_a_column_is_the_probability_of_a_category(folder: Path, column: str) -> None:
    expect = f"{column}\n0.8175744761936437\n0.5\n0.9241418199787566\n"
    argv = ("--categories", "no,yes", "-f", "json")
    done = take_over(folder, *argv, expect=expect).check(quiet=True)
    assert done.json["proof"]["columns"] == [f"{column} is the probability of yes"]
    assert done.json["proof"]["largest_difference"] < 1e-15


def test_labels_are_compared_and_ties_are_no_difference(folder: Path) -> None:
    argv = ("--categories", "no,yes", "-f", "json")
    for label in ("no", "yes"):  # row b has the score 0
        expect = f"prediction\nyes\n{label}\nyes\n"
        proof = take_over(folder, *argv, expect=expect).check(quiet=True).json["proof"]
        assert proof["labels_differ"] == 0
        assert proof["ties"] == (label == "yes")
    (folder / "raw.csv").write_text(FEATURES.replace("b,2,", "b,2.001,"))
    take_over(folder, *argv, expect="prediction\nyes\nno\nyes\n").check(4)


def test_a_first_column_of_predictions_is_not_taken_for_labels(folder: Path) -> None:
    argv = ("--categories", "no,yes", "-f", "json")
    expect = "prediction,probability_yes\nyes,0.8175744761936437\nno,0.5\nyes,0.9241418199787566\n"
    proof = take_over(folder, *argv, expect=expect).check(quiet=True).json["proof"]
    assert (proof["labels_differ"], len(proof["columns"])) == (0, 2)
    expect = "answer,note\nyes,x\nno,x\nyes,x\n"
    more = ("--expect-column", "answer")
    proof = take_over(folder, *argv, *more, expect=expect).check(quiet=True).json["proof"]
    assert (proof["labels_differ"], len(proof["columns"])) == (0, 1)


@pytest.mark.parametrize(
    ("expect", "reason"),
    [
        ("pred\n1.5\n0.001\n2.5\n", "expect.csv: 1 of 3 rows differ, by 0.001 at most, if pred is "
         "the score of estimate: row b: 0.001 there, 0.0 here; nothing is written"),
        ("pred\n1.5\n0\n", "expect.csv: 2 rows, and the features have more"),
        ("pred\n1.5\n0\n2.5\n1\n", "expect.csv:5: more rows than the features"),
        ("id,pred\na,1.5\nx,0\nc,2.5\n", 'the label "x", where the features have "b"'),
        ("pred\n1.5\nno\n2.5\n", '"pred" holds "1.5", "no", "2.5"; a prediction is a number'),
        ("id,pred\na,1.5\nb,\nc,2.5\n", "1 of 3 rows differ"),
    ],
)  # fmt: skip
def test_what_differs_writes_nothing(folder: Path, expect: str, reason: str) -> None:
    (folder / "w.csv").write_text("old")
    done = take_over(folder, "-o", "w.csv", "--report", "r.json", expect=expect).check(4)
    assert reason in done.err
    assert len(done.err.splitlines()) == 1
    assert (folder / "w.csv").read_text() == "old"
    assert not done.out
    report = validate(folder / "r.json")
    assert (report["exit"], report["model"], report["rows"]) == (4, "lm.csv", None)
    assert report["error"] in done.err


def test_the_schema_is_one_and_says_everything() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"])
    for part in (SCHEMA, *SCHEMA["$defs"].values()):
        assert part["additionalProperties"] is False
        assert all(field["description"] for field in part["properties"].values())


@pytest.mark.parametrize(("model", "exit_code"), [("none.csv", 5), ("words.csv", 4), ("lm.csv", 2)])
def test_a_report_tells_why_an_import_has_failed(folder: Path, model: str, exit_code: int) -> None:
    (folder / "words.csv").write_text("words\n")
    argv = ("--lambda", "1") if exit_code == 2 else ()
    done = run("import", model, *argv, "--report", "r.json", cwd=folder).check(exit_code)
    report = validate(folder / "r.json")
    assert report["exit"] == exit_code
    assert report["error"] in " ".join(done.err.split())


def test_options_that_have_no_effect_are_refused() -> None:
    done = run("import", str(GLM), "--lambda", "1").check(2)
    assert "--lambda has no effect; it names one model of a path" in done.err
    folder = TABLES.parent / "r"
    for name, more in (
        ("lm_text", {"lambda_": "1"}),
        ("lm_text", {"coef": ["x"]}),
        ("glmnet_family", {"coef": ["x"]}),
    ):
        with pytest.raises(matscore.UsageError, match="has no effect"):
            matscore.import_model(folder / f"{name}.rds", **more)


@pytest.mark.parametrize("heading", ["probability({})", "probability_{}.0", "p({})"])
def test_headings_of_probabilities(folder: Path, heading: str) -> None:
    """JPMML's, and those of categories that are floats in Python."""
    name = heading.format("1")
    expect = f"x,{name}\n0,0.8175744761936437\n0,0.5\n0,0.9241418199787566"
    argv = ("--categories", "0,1", "-f", "json")
    done = take_over(folder, *argv, expect=expect)
    if heading == "p({})":
        assert "which column is the prediction?" in done.check(3).err
        return
    proof = done.check(quiet=True).json["proof"]
    assert proof["columns"] == [f"{name} is the probability of 1"]


def test_labels_that_are_floats_are_compared_as_numbers(folder: Path) -> None:
    argv = ("--categories", "0,1", "-f", "json")
    proof = take_over(folder, *argv, expect="prediction\n1.0\n0.0\n1.0\n").check().json["proof"]
    assert proof["labels_differ"] == 0
    take_over(folder, *argv, expect="prediction\n1.0\n0.0\n0.0\n").check(4)
    # Of categories that are not all numbers none is one by its value.
    done = take_over(folder, "--categories", "none,1", expect="prediction\n1.0\nnone\n1.0\n")
    assert '"prediction" holds "1.0"' in done.check(4).err


def test_several_columns_of_predictions_are_named(folder: Path) -> None:
    expect = "id,one,two\na,1,1.5\nb,2,0\nc,3,2.5\n"
    done = take_over(folder, expect=expect).check(3)
    assert 'which column is the prediction? "one", "two"; name it with --expect-column' in done.err
    take_over(folder, "--expect-column", "two", expect=expect).check(quiet=True)
    done = take_over(folder, "--expect-column", "tow", expect=expect).check(3)
    assert 'did you mean "two"' in done.err


def test_few_digits_explain_a_difference(folder: Path) -> None:
    (folder / "lm.csv").write_text(
        "term,estimate\n(Intercept),-1.0000\nage,0.3333\nregionNorth,2\n"
    )
    proof = ("-f", "json")
    expect = f"p\n{1 / 3 + 1!r}\n{2 / 3 - 1!r}\n2.0\n"
    done = take_over(folder, *proof, expect=expect).check()
    assert "its coefficients have few digits" in done.err
    assert (
        3e-5 < done.json["proof"]["largest_difference"] < done.json["proof"]["allowed_difference"]
    )
    take_over(folder, expect=expect.replace("2.0", "2.01")).check(4)
    # Printed predictions may be off by half of their last digit.
    rounded = "p\n1.33\n-0.33\n2.00\n"
    take_over(folder, expect=rounded).check()
    take_over(folder, expect=rounded.replace("1.33", "1.34")).check(4)


def test_a_sample_that_does_not_fit_is_refused(folder: Path) -> None:
    (folder / "raw.csv").write_text("id,ages,region\na,1,North\n")
    done = take_over(folder).check(4)
    assert '"age" is no column of the sample, nor made of one; did you mean "ages"' in done.err
    (folder / "raw.csv").write_text("id,age,region\na,x,North\nb,1,East\n")
    done = take_over(folder, expect="p\n1\n2\n").check(4)
    assert done.err.startswith("raw.csv:2:2")


def test_a_row_of_the_sample_with_a_missing_cell(folder: Path) -> None:
    (folder / "raw.csv").write_text(FEATURES.replace("b,2,", "b,,"))
    expect = "id,p\na,1.5\nb,\nc,2.5\n"
    assert "a missing value" in take_over(folder, expect=expect).check(4).err
    take_over(folder, "--missing", "keep", expect=expect).check(quiet=True)
    take_over(folder, "--missing", "keep", expect="p\n1.5\n0\n2.5\n").check(4)
    take_over(folder, "--missing", "zero", expect="p\n1.5\n-1\n2.5\n").check(quiet=True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x00\x01\x95", "lm.csv: it is no model that is known"),
        (b"", "lm.csv: it is empty"),
        (b"words\n", "lm.csv: it has no table of coefficients"),
    ],
)
def test_what_is_no_model_is_refused_in_a_line(folder: Path, content: bytes, reason: str) -> None:
    (folder / "lm.csv").write_bytes(content)
    done = run("import", "lm.csv", "-o", "w.csv", cwd=folder).check(4)
    assert done.err.startswith(reason)
    assert len(done.err.splitlines()) == 1
    assert not (folder / "w.csv").exists()


def test_files_that_cannot_be_read_or_written(folder: Path) -> None:
    assert run("import", "none.csv", cwd=folder).check(5).err.startswith("matscore: none.csv")
    run("import", "lm.csv", "-o", "no/w.csv", cwd=folder).check(5)
    run("import", "lm.csv", "-o", "lm.csv", cwd=folder).check(2)
    run("import", "lm.csv", "-o", "w.html", cwd=folder).check(2)
    run("import", "lm.csv", "-o", "w.csv", "--report", "w.csv", cwd=folder).check(2)
    run("import", "lm.csv", "-o", "w.csv", "--report", "r.html", cwd=folder).check(2)
    run("import", "lm.csv", "--sample", "-", stdin=b"", cwd=folder).check(2)


@pytest.mark.parametrize("name", ["w.tsv", "w.csv.gz", "w.parquet", "w.arrow"])
def test_the_ending_names_the_format(folder: Path, name: str) -> None:
    take_over(folder, "-o", name, "--link", "identity").check(quiet=True)
    scores = run("classify", "raw.csv", name, cwd=folder).check()
    assert [row[1] for row in scores.rows] == ["estimate", "1.5", "0.0", "2.5"]


def test_the_link_stands_in_the_corner(folder: Path) -> None:
    done = take_over(folder, "--link", "exp").check()
    assert done.rows[0] == ["feature (exp)", "estimate"]


def test_the_glm_of_r_is_proved() -> None:
    argv = ("import", str(GLM), "--sample", str(RAW), *EXPECT, "-f", "json")
    proof = run(*argv).check(quiet=True).json["proof"]
    assert proof["rows"] == 120
    assert proof["largest_difference"] < 1e-13


def test_the_same_in_python(folder: Path) -> None:
    imported = matscore.import_model(folder / "lm.csv", sample=folder / "raw.csv")
    assert imported.weights.index.tolist() == ["age", "region=East", "region=North", "(Intercept)"]
    assert imported.weights["estimate"].tolist() == [0.5, 0.0, 2.0, -1.0]
    assert imported.proof is None
    with pytest.raises(matscore.InputError, match="is no model that is known"):
        matscore.import_model(object())
    with pytest.raises(matscore.UsageError, match="--expect needs --sample"):
        matscore.import_model(folder / "lm.csv", expect="x.csv")


def test_the_column_of_coefficients_is_named(folder: Path) -> None:
    (folder / "two.csv").write_text("term,s0,s1\n(Intercept),1,2\nage,0.5,0.25\n")
    done = run("import", "two.csv", "--coef", "s1", cwd=folder).check(quiet=True)
    assert done.rows[1:] == [["age", "0.25"], ["(Intercept)", "2.0"]]
    done = run("import", "two.csv", "--coef", "s2", cwd=folder).check(4)
    assert '"s2"' in done.err


def test_the_penalty_of_a_path_is_named() -> None:
    model = TABLES.parent / "r" / "cv_glmnet_gaussian.rds"
    assert "--lambda" in run("import", model).check(4).err
    one, other = (run("import", model, "--lambda", f"lambda.{which}") for which in ("1se", "min"))
    assert one.check().rows[0] == other.check().rows[0] and one.out != other.out


def test_the_threshold_of_a_tool_is_folded_in_where_it_is_asked_for() -> None:
    model = TABLES.parent / "data" / "h2o" / "binomial.zip"
    plain, shifted = run("import", model).check(), run("import", model, "--at-threshold").check()
    (_, *names), *rows = plain.rows
    (_, *turned), *others = shifted.rows
    # At exactly the threshold H2O takes the second class, which therefore stands first then.
    assert turned == names[::-1]
    before = {name: float(second) - float(first) for name, first, second in rows}
    after = {name: float(first) - float(second) for name, first, second in others}
    assert [name for name in before if before[name] != after[name]] == ["(Intercept)"]
