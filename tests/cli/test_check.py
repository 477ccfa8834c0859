from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.helpers import SAMPLES, Done, read_csv, run, run_on_terminal, write_csv

MOVIES = ("movies.csv", "genres.csv")
IRIS = ("iris.csv", "iris_weights.csv")
USERS = ("users.csv", "films.csv")


def run_shown(done: Done, folder: Path = SAMPLES) -> Done:
    """Run the command that is shown, as a shell would."""
    [line] = [
        line for line in done.out.decode().splitlines() if line.startswith(("Run: ", "Try: "))
    ]
    program, *argv = shlex.split(line[5:])
    assert program == "matscore"
    return run(*argv, cwd=folder)


def test_text_when_the_files_fit() -> None:
    done = run("check", *IRIS).check(quiet=True)
    facts = done.out.decode()
    for fact in (
        "iris.csv (150 × 5)",
        "iris_weights.csv (5 × 3)",
        '"sepal_length", "sepal_width", "petal_length", "petal_width"',
        '"setosa", "versicolor", "virginica"',
        '"flower": "iris-001"',
        "4 features by name",
        '"species"',
        '"(Intercept)"',
        "(150 × 4) · (4 × 3) → (150 × 3)",
        "fits",
    ):
        assert fact in facts
    assert run_shown(done).check().out == run("classify", *IRIS).out


def test_json_when_the_files_fit() -> None:
    facts = run("check", *IRIS, "--format", "json").check(quiet=True).json
    assert facts["schema_version"] == 1
    assert facts["verdict"] == "fits"
    assert facts["problem"] is None
    assert facts["command"] == "matscore classify iris.csv iris_weights.csv"
    assert facts["features"]["shape"] == [150, 5]
    assert facts["features"]["column_names"] == read_csv(SAMPLES / "iris.csv")[0][1:]
    assert facts["weights"]["shape"] == [5, 3]
    assert facts["weights"]["row_names"] == [row[0] for row in read_csv(SAMPLES / IRIS[1])[1:]]
    assert facts["matched_by"] == "name"
    assert facts["matched"] == sorted(facts["features"]["column_names"][:4])
    assert facts["left_out"] == ["species"]
    assert facts["label_column"] == {"column": 1, "name": "flower"}
    assert facts["intercept"] == "(Intercept)"
    assert facts["categories"] == ["setosa", "versicolor", "virginica"]
    assert facts["features_shape"] == [150, 4]
    assert facts["weights_shape"] == [4, 3]
    assert facts["scores_shape"] == [150, 3]
    assert facts["transpose"] is facts["transpose_features"] is facts["swap"] is False


def test_text_when_they_do_not_fit() -> None:
    done = run("check", *USERS).check(3, quiet=True)
    facts = done.out.decode()
    for fact in ("users.csv (3 × 4)", "films.csv (2 × 4)", '"Orbit Nine"', "does not fit"):
        assert fact in facts
    assert run_shown(done).check().rows[1][3] == "Orbit Nine"


def test_json_when_they_do_not_fit() -> None:
    facts = run("check", *USERS, "-f", "json").check(3, quiet=True).json
    assert facts["verdict"] == "does not fit"
    assert facts["add_options"] == ["--transpose"]
    assert facts["command"] == "matscore classify users.csv films.csv --transpose"
    assert facts["scores_shape"] is None


def test_json_names_what_is_missing(tmp_path: Path) -> None:
    features = write_csv(tmp_path / "f.csv", [["film", "Action", "x"], ["a", 1, 2]])
    facts = run("check", features, "genres.csv", "-f", "json").check(3).json
    assert [feature["name"] for feature in facts["missing"]] == ["action", "comedy"]
    assert facts["missing"][0]["close"] == ["Action"]
    assert facts["missing"][0]["reason"] == "differs only by case"
    assert facts["command"] == ""


CASES = {
    "transposed weights": (USERS, ()),
    "needless transpose": (MOVIES, ("--transpose",)),
    "swapped files": (MOVIES[::-1], ()),
    "needless strict": (IRIS, ("--strict",)),
    "kept columns": (IRIS, ("--keep-cols", "species", "--color", "never")),
    "a format of check": (IRIS, ("-f", "text")),
    "transposed features": (("turned.csv", "genres.csv"), ()),
    "names with blanks": (("a film's [red]list[red].csv", "genres.csv"), ()),
    "a name like an option": (("./--x.csv", "genres.csv"), ()),
}


@pytest.mark.parametrize(("files", "options"), CASES.values(), ids=CASES)
def test_the_command_shown_works(
    tmp_path: Path, files: tuple[str, str], options: tuple[str, ...]
) -> None:
    for file in SAMPLES.glob("*.csv"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    movies = read_csv(SAMPLES / "movies.csv")
    write_csv(tmp_path / "turned.csv", list(zip(*movies, strict=True)))
    write_csv(tmp_path / "a film's [red]list[red].csv", movies)
    write_csv(tmp_path / "--x.csv", movies)
    done = run("check", *files, *options, cwd=tmp_path)
    run_shown(done, tmp_path).check()
    refused = run("classify", *files, *options, cwd=tmp_path) if "-f" not in options else done
    assert refused.code == done.code


@pytest.mark.parametrize(
    ("files", "code"),
    [(("none.csv", "genres.csv"), 5), (("movies.csv", "none.csv"), 5), (("-", "-"), 2)],
)
def test_files_that_cannot_be_read(files: tuple[str, str], code: int) -> None:
    done = run("check", *files).check(code)
    assert done.out == b"" and done.err.count("\n") == 1


def test_data_that_cannot_be_read(tmp_path: Path) -> None:
    weights = write_csv(tmp_path / "w.csv", [["f", "p"], ["action", 1], ["comedy", "x"]])
    done = run("check", "movies.csv", weights).check(4)
    assert done.err.startswith(f'{weights}:3:2: "p": "x" is not a number')
    assert done.out == b""


@pytest.mark.parametrize(
    ("categories", "options", "name"),
    [
        (["film", "d"], (), "film"),
        (["d", "prediction"], (), "prediction"),
        (["year", "d"], ("--keep-cols", "year"), "year"),
        (["d", "e"], ("--keep-cols", "prediction"), "prediction"),
    ],
)
def test_names_that_the_output_would_have_twice(
    tmp_path: Path, categories: list[str], options: tuple[str, ...], name: str
) -> None:
    rows = [["film", "a", "year", "prediction"], ["x", 1, 1999, "d"]]
    write_csv(tmp_path / "f.csv", rows)
    write_csv(tmp_path / "w.csv", [["feature", *categories], ["a", 1, 0]])
    done = run("check", "f.csv", "w.csv", *options, cwd=tmp_path).check(3, quiet=True)
    problem = f'two columns of the output would be named "{name}"'
    assert problem in done.out.decode()
    facts = run("check", "f.csv", "w.csv", *options, "-f", "json", cwd=tmp_path).check(3).json
    assert (facts["verdict"], facts["problem"]) == ("does not fit", problem)
    assert problem in run("classify", "f.csv", "w.csv", *options, cwd=tmp_path).check(3).err


def test_standard_input() -> None:
    data = (SAMPLES / "movies.csv").read_bytes()
    facts = run("check", "-", "genres.csv", "-f", "json", stdin=data).check(quiet=True).json
    assert facts["scores_shape"] == [3, 3]


def test_rows_of_a_large_file_are_not_known(tmp_path: Path) -> None:
    rows = [["id", "action", "comedy"], *([i, 1, 2] for i in range(50_000))]
    features = write_csv(tmp_path / "f.csv", rows)
    facts = run("check", features, "genres.csv", "-f", "json").check(quiet=True).json
    assert facts["scores_shape"] == [None, 3]
    assert "(? × 2) · (2 × 3)" in run("check", features, "genres.csv").check().out.decode()


@pytest.mark.parametrize(
    "options",
    [("-d", ","), ("--headers",), ("--decimal", "."), ("--encoding", "utf-8"), ("--id-col", "film"),
     ("--auto-transpose",)],
    ids=" ".join,
)  # fmt: skip
def test_reading_options(options: tuple[str, ...]) -> None:
    facts = run("check", *MOVIES, *options, "-f", "json").check(quiet=True).json
    assert facts["command"] == " ".join(["matscore classify", *MOVIES, *options])


def test_colour() -> None:
    code, shown = run_on_terminal("check", *MOVIES, terminals=("stdout",))
    assert code == 0 and b"\x1b[" in shown["stdout"]
    code, shown = run_on_terminal("check", *MOVIES, "--color", "never", terminals=("stdout",))
    assert code == 0 and b"\x1b" not in shown["stdout"]
    assert b"\x1b" not in run("check", *MOVIES).out
    assert b"\x1b[" in run("check", *MOVIES, "--color", "always").out


def test_the_format_variable_is_checks_own() -> None:
    done = run("check", *MOVIES, env={"MATSCORE_CHECK_FORMAT": "json"}).check(quiet=True)
    assert done.json["verdict"] == "fits"
    run("check", *MOVIES, env={"MATSCORE_FORMAT": "jsonl"}).check(quiet=True)
