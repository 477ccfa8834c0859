"""``recommend`` and ``classify --top-k``: the output, its ties and gaps, and what is refused."""

from __future__ import annotations

import io
import json
import os
import random
import re
import shlex
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet
import pytest

from tests.cli.test_report import validate
from tests.helpers import (
    SAMPLES,
    Done,
    finish,
    list_names,
    read_csv,
    run,
    run_on_terminal,
    start,
    write_csv,
)

USERS, FILMS = "users.csv", "films.csv"
FEATURES = ["action", "comedy", "drama", "science fiction"]
BEST = [
    ["user", "rank", "film", "score"],
    ["Amina", "1", "Orbit Nine", "1.47"],
    ["Amina", "2", "Sunday Lunch", "0.52"],
    ["Bruno", "1", "Sunday Lunch", "1.32"],
    ["Bruno", "2", "Orbit Nine", "0.41"],
    ["Chloe", "1", "Sunday Lunch", "0.88"],
    ["Chloe", "2", "Orbit Nine", "0.81"],
]
HOLED = [
    ["user", *FEATURES],
    ["Amina", 0.9, 0.2, 0.1, 0.8],
    ["Dora", 0.1, "", 0.1, 0.1],
    ["Emil", 0, 0, 0, 0],
]


def recommend(*argv: Any, **options: Any) -> Done:
    return run("recommend", *argv, **options)


def round_scores(done: Done) -> list[list[str]]:
    """Return lines without the last bits of their scores, which differ between processors."""
    numbers = re.compile(r"-?[0-9]+\.[0-9]+")
    return [
        [*row[:-1], numbers.sub(lambda found: f"{float(found[0]):.12g}", row[-1])]
        for row in done.rows
    ]


@pytest.fixture
def holed(tmp_path: Path) -> Path:
    """A user with a missing feature, and one of zeros."""
    return write_csv(tmp_path / "holed.csv", HOLED)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """1,500 users and 3,000 items in tenths, which tie."""
    rng, folder = random.Random(1), tmp_path_factory.mktemp("many")

    def write(name: str, n: int) -> Path:
        rows = [[f"{name} {i}", *(rng.randint(-20, 20) / 10 for _ in range(6))] for i in range(n)]
        return write_csv(folder / f"{name}.csv", [[name, *"fedcba"], *rows])

    return write("user", 1500), write("item", 3000)


class TestOutput:
    def test_the_best_items_of_each_user(self) -> None:
        assert round_scores(recommend(USERS, FILMS).check(quiet=True)) == BEST

    @pytest.mark.parametrize("option", ["-k", "--top-k"])
    def test_fewer_items(self, option: str) -> None:
        rows = round_scores(recommend(USERS, FILMS, option, "1").check(quiet=True))
        assert rows == [BEST[0], *BEST[1::2]]

    def test_scores_are_those_of_classify(self, many: tuple[Path, Path]) -> None:
        scores = run("classify", *many, "--transpose").check().rows
        place_of = {name: i for i, name in enumerate(scores[0])}
        wanted = {row[0]: row for row in scores[1:]}
        rows = recommend(*many).check(quiet=True).rows
        assert len(rows) == 1 + 15_000
        assert all(wanted[user][place_of[item]] == score for user, _, item, score in rows[1:])
        predicted = {row[0]: row[-1] for row in scores[1:]}
        assert {user: item for user, rank, item, _ in rows[1:] if rank == "1"} == predicted

    def test_k_is_a_prefix(self, many: tuple[Path, Path]) -> None:
        rows = recommend(*many, "-k", "30").check().rows
        few = [row for row in rows[1:] if int(row[1]) <= 7]
        assert recommend(*many, "-k", "7").check().rows[1:] == few

    def test_same_bytes_however_it_is_cut(self, many: tuple[Path, Path]) -> None:
        whole = recommend(*many, "-k", "3").check().out
        for options in (["-j", "1"], ["-j", "3", "--chunk-size", "1k"], ["--chunk-size", "5M"]):
            assert recommend(*many, "-k", "3", *options).check().out == whole
        users = many[0].read_bytes()
        assert recommend("-", many[1], "-k", "3", stdin=users).check().out == whole

    def test_shuffled_columns_change_no_byte(self, many: tuple[Path, Path], tmp_path: Path) -> None:
        rows = [[row[0], *row[:0:-1]] for row in read_csv(many[1])]
        items = write_csv(tmp_path / "items.csv", rows)
        whole = recommend(*many, "-k", "3").check().out
        assert recommend(many[0], items, "-k", "3").check().out == whole

    def test_labels_are_kept_byte_for_byte(self, tmp_path: Path) -> None:
        users = write_csv(tmp_path / "u.csv", [["id", "a"], ["00012", 1], ["NA", 1], ["", 2]])
        items = write_csv(tmp_path / "i.csv", [["id", "a"], ['7"x', 2], [" 01 ", 1]])
        rows = recommend(users, items, "-k", "1").check(quiet=True).rows
        assert rows == [
            ["id", "rank", "item", "score"],
            ["00012", "1", '7"x', "2.0"],
            ["NA", "1", '7"x', "2.0"],
            ["", "1", '7"x', "4.0"],
        ]

    def test_without_labels(self, tmp_path: Path) -> None:
        users = write_csv(tmp_path / "u.csv", [["a", "b"], [1, 0], [0, 1]])
        items = write_csv(tmp_path / "i.csv", [["b", "a"], [1, 2], [3, 1]])
        rows = recommend(users, items, "-k", "1").check(quiet=True).rows
        assert rows == [["row", "rank", "item", "score"], ["1", "1", "1", "2.0"],
                        ["2", "1", "2", "3.0"]]  # fmt: skip

    def test_kept_columns_and_those_left_out(self, tmp_path: Path) -> None:
        users = write_csv(tmp_path / "u.csv", [["u", "a", "town"], ["Ann", 1, "Rome"]])
        items = write_csv(tmp_path / "i.csv", [["i", "a"], ["x", 1], ["y", 2]])
        done = recommend(users, items, "--keep-cols", "town").check(quiet=True)
        assert done.rows == [["u", "town", "rank", "i", "score"], ["Ann", "Rome", "1", "y", "2.0"],
                             ["Ann", "Rome", "2", "x", "1.0"]]  # fmt: skip
        assert "a column that" in recommend(users, items, "-v").check().err
        assert recommend(users, items, "--strict").check(3).out == b""

    def test_a_tie_goes_to_the_first_item(self, tmp_path: Path) -> None:
        users = write_csv(tmp_path / "u.csv", [["u", "a", "b"], ["Ann", 1, 1]])
        tenths = [["x", 0.3, 0], ["y", 0.1, 0.2]]  # 0.1 + 0.2 is above 0.3 in float64
        for rows in (tenths, tenths[::-1]):
            items = write_csv(tmp_path / "i.csv", [["i", "a", "b"], *rows])
            found = [row[2] for row in recommend(users, items).check().rows[1:]]
            assert found == [row[0] for row in rows]

    def test_formats(self, tmp_path: Path, holed: Path) -> None:
        out = tmp_path / "out.parquet"
        recommend(USERS, FILMS, "-o", out).check(quiet=True)
        table = pyarrow.parquet.read_table(out)
        assert table.column_names == BEST[0]
        assert table["rank"].to_pylist() == [1, 2] * 3
        lines = recommend(holed, FILMS, "-f", "jsonl", "--missing", "keep").check().out
        dora = [json.loads(line) for line in lines.splitlines()][2]
        assert dora == {"user": "Dora", "rank": None, "film": None, "score": None}
        assert (
            recommend(USERS, FILMS, "-f", "markdown", "--precision", "1")
            .check()
            .out.startswith(
                b"| user | rank | film | score |\n| --- | ---: | --- | ---: |\n| Amina | 1 | "
            )
        )


class TestLabels:
    """Users and items are tables of one kind: their first columns may have one name."""

    def recommend(self, tmp_path: Path, name: str, ids: list[Any], *options: str) -> Done:
        rows = [[name, "a"], *([label, i] for i, label in enumerate(ids))]
        items = write_csv(tmp_path / "i.csv", rows)
        users = write_csv(tmp_path / "u.csv", [[name, "a"], [501, 1.5], [502, -1]])
        return recommend(users, items, "-k", "1", *options)

    @pytest.mark.parametrize(
        ("name", "ids"),
        [("id", [7, 9]), ("Name", [7, 9.5]), ("key", ["x1", "7"]), ("key", [31, 32, 33, 34])],
    )
    def test_they_are_no_feature(self, name: str, ids: list[Any], tmp_path: Path) -> None:
        rows = self.recommend(tmp_path, name, ids).check(quiet=True).rows
        last = len(ids) - 1
        assert rows[1:] == [["501", "1", str(ids[-1]), str(1.5 * last)],
                            ["502", "1", str(ids[0]), "0.0"]]  # fmt: skip

    def test_numbers_that_may_be_either_are_refused(self, tmp_path: Path) -> None:
        done = self.recommend(tmp_path, "key", [31, 907]).check(3)
        assert 'holds labels or a feature: "key"; say --id-col key' in done.err
        rows = self.recommend(tmp_path, "key", [31, 907], "--id-col", "key").check().rows
        assert rows[1] == ["501", "1", "907", "1.5"]

    def test_labels_that_features_are_called_by_chance(self, tmp_path: Path) -> None:
        items = write_csv(tmp_path / "i.csv", [["key", "1", "2"], [1, 0.5, 3], [2, 4, 0.25]])
        users = write_csv(tmp_path / "u.csv", [["key", "1", "2"], [501, 1.5, 2]])
        done = recommend(users, items, "--headers").check(3)
        assert 'holds labels or a feature: "key"; say --id-col key' in done.err
        assert len(recommend(users, items, "--headers", "--id-col", "key").check().rows) == 3
        # A feature then, and no labels that are left out in silence.
        done = recommend(users, items, "--headers", "--no-id-col", "-k", "1").check()
        assert done.rows[1:] == [["1", "1", "2", str(2 * 501 + 4 * 1.5 + 0.25 * 2)]]

    def test_a_feature_may_stand_first(self, tmp_path: Path) -> None:
        rows = self.recommend(tmp_path, "age", [0.5, 0.5]).check().rows
        assert rows[1] == ["1", "1", "2", "252.0"]


class TestMetric:
    def test_cosine(self) -> None:
        rows = recommend(USERS, FILMS, "--metric", "cosine").check(quiet=True).rows[1:]
        users, films = (np.array(pl.read_csv(SAMPLES / f).drop(n)) for f, n in
                        ((USERS, "user"), (FILMS, "film")))  # fmt: skip
        norms = np.outer(*(np.linalg.norm(m, axis=1) for m in (users, films)))
        expected = np.sort(users @ films.T / norms)[:, ::-1]
        np.testing.assert_allclose([float(row[3]) for row in rows], expected.ravel(), rtol=1e-15)

    def test_zeros_have_no_cosine(self, holed: Path, tmp_path: Path) -> None:
        done = recommend(holed, FILMS, "--metric", "cosine", "--missing", "zero").check()
        assert done.rows[-1] == ["Emil", "", "", "NaN"]
        films = write_csv(tmp_path / "f.csv", [["film", *FEATURES], ["Void", 0, 0, 0, 0],
                                               ["Orbit", 0.8, 0.1, 0.1, 0.9]])  # fmt: skip
        done = recommend(USERS, films, "--metric", "cosine").check()
        assert [row[2] for row in done.rows[1:]] == ["Orbit"] * 3
        done = recommend(USERS, films, "--metric", "cosine", "--matrix").check()
        assert [row[1] for row in done.rows] == ["Void", "NaN", "NaN", "NaN"]


class TestLeastScore:
    def test_lower_scores_are_left_out(self) -> None:
        rows = round_scores(recommend(USERS, FILMS, "--min-score", "0.8").check(quiet=True))
        assert rows == [row for row in BEST if row[3] >= "0.8"]

    def test_who_gets_nothing_has_a_line(self) -> None:
        rows = round_scores(recommend(USERS, FILMS, "--min-score", "1.4").check(quiet=True))
        assert rows == [*BEST[:2], ["Bruno", "", "", ""], ["Chloe", "", "", ""]]

    def test_a_number_that_is_none(self) -> None:
        assert "--min-score" in recommend(USERS, FILMS, "--min-score", "nan").check(2).err


class TestExclude:
    def write(self, path: Path, *pairs: tuple[str, str]) -> Path:
        return write_csv(path / "seen.csv", [["who", "what", "when"], *([*p, 1] for p in pairs)])

    def test_pairs_are_left_out(self, tmp_path: Path) -> None:
        pairs = [("Amina", "Orbit Nine"), ("Bruno", "Orbit Nine"), ("Bruno", "Sunday Lunch")]
        seen = self.write(tmp_path, *pairs, pairs[0])
        rows = round_scores(recommend(USERS, FILMS, "--exclude", seen).check(quiet=True))
        assert rows == [BEST[0], ["Amina", "1", "Sunday Lunch", "0.52"], ["Bruno", "", "", ""],
                        *BEST[5:]]  # fmt: skip

    def test_unknown_labels_are_counted_and_said(self, tmp_path: Path) -> None:
        pairs = [("Zoe", "Orbit Nine"), ("Amina", "Gone"), ("Amina", "Lost"), ("Bob", "Gone")]
        seen = self.write(tmp_path, *pairs)
        report = tmp_path / "report.json"
        done = recommend(USERS, FILMS, "--exclude", seen, "--report", report).check()
        assert round_scores(done) == BEST
        assert done.err == f"matscore: {seen} names 2 users and 2 items not to be found\n"
        quiet = recommend(USERS, FILMS, "--exclude", seen, "-q").check(quiet=True)
        assert quiet.out == done.out
        facts = validate(report)
        assert [facts[name] for name in ("excluded_pairs", "unknown_users", "unknown_items")] == [
            4, 2, 2,
        ]  # fmt: skip
        assert [entry["role"] for entry in facts["inputs"]] == ["users", "items", "exclude"]

    def test_from_a_pipe(self) -> None:
        done = recommend(USERS, FILMS, "--exclude", "-", stdin=b"u,i\nAmina,Orbit Nine\n")
        done.check(quiet=True)
        assert round_scores(done) == [BEST[0], ["Amina", "1", *BEST[2][2:]], *BEST[3:]]
        assert recommend("-", FILMS, "--exclude", "-").check(2).out == b""

    def test_is_never_overwritten(self, tmp_path: Path) -> None:
        seen = self.write(tmp_path, ("Amina", "Orbit Nine"))
        before = seen.read_bytes()
        for option in (("-o", seen), ("--on-error", "reject", "--rejects", seen)):
            recommend(USERS, FILMS, "--exclude", seen, *option).check(2)
            assert seen.read_bytes() == before

    def test_one_column(self) -> None:
        done = recommend(USERS, FILMS, "--exclude", "-", stdin=b"user\nAmina\n").check(4)
        assert "pairs need two columns" in done.err and done.out == b""

    def test_many_pairs(self, many: tuple[Path, Path], tmp_path: Path) -> None:
        best = recommend(*many, "-k", "4").check().rows[1:]
        seen = self.write(tmp_path, *((row[0], row[2]) for row in best if row[1] in "13"))
        left = recommend(*many, "-k", "2", "--exclude", seen, "-j", "2").check(quiet=True).rows
        pairs = {(row[0], row[2]) for row in best if row[1] in "13"}
        assert not pairs & {(row[0], row[2]) for row in left}
        assert [row[2] for row in left[1:]] == [row[2] for row in best if row[1] in "24"]


class TestMatrix:
    def test_every_score(self) -> None:
        done = recommend(USERS, FILMS, "--matrix").check(quiet=True)
        scored = run("classify", USERS, FILMS, "--transpose").check().rows
        assert done.rows == [row[:-1] for row in scored]
        assert round(float(done.rows[1][1]), 10) == 1.47

    def test_large(self, many: tuple[Path, Path]) -> None:
        done = recommend(*many, "--matrix").check(quiet=True)
        scored = run("classify", *many, "--transpose").check().out
        cut = b"".join(line.rpartition(b",")[0] + b"\n" for line in scored.splitlines())
        assert done.out == cut

    @pytest.mark.parametrize("options", [("-k", "3"), ("--min-score", "1"), ("--exclude", "x")])
    def test_options_without_effect(self, options: tuple[str, str]) -> None:
        assert "--matrix contradict" in recommend(USERS, FILMS, "--matrix", *options).check(2).err


class TestBadRows:
    def test_a_missing_feature_of_a_user(self, holed: Path, tmp_path: Path) -> None:
        done = recommend(holed, FILMS).check(4)
        assert f"{holed}:3:3" in done.err and done.out == b""
        rejects = tmp_path / "rejects.csv"
        done = recommend(holed, FILMS, "--on-error", "reject", "--rejects", rejects).check()
        assert {row[0] for row in done.rows[1:]} == {"Amina", "Emil"}
        assert read_csv(rejects)[1][1:3] == ["3", "3"]
        done = recommend(holed, FILMS, "--missing", "keep").check(quiet=True)
        assert done.rows[3] == ["Dora", "", "", "NaN"]

    @pytest.mark.parametrize("policy", ["error", "zero", "keep"])
    def test_a_missing_feature_of_an_item(self, holed: Path, policy: str) -> None:
        done = recommend(USERS, holed, "--missing", policy).check(4)
        assert "every feature of an item must be a number" in done.err and done.out == b""

    def test_scores_that_overflow(self, tmp_path: Path) -> None:
        rows = [["u", "a", "b"], ["Ann", 1, 1], ["Bob", 1e300, 1e300]]
        users = write_csv(tmp_path / "u.csv", rows)
        items = write_csv(tmp_path / "i.csv", [["i", "a", "b"], ["x", 1e10, 1], ["y", 1, 1]])
        for options in ((), ("--matrix",)):
            done = recommend(users, items, *options).check(4)
            assert f"{users}:3: the scores overflow" in done.err and done.out == b""
        done = recommend(users, items, "--metric", "cosine").check(quiet=True)
        assert [row[2] for row in done.rows[3:]] == ["y", "x"]

    def test_duplicate_items(self, tmp_path: Path) -> None:
        items = write_csv(tmp_path / "i.csv", [["film", *FEATURES], *[["x", 1, 2, 3, 4]] * 2])
        done = recommend(USERS, items).check(3)
        assert "has a item more than once" not in done.err
        assert 'more than once: "x" in rows 1, 2' in done.err


class TestMisfits:
    def test_items_that_are_columns(self) -> None:
        done = recommend("movies.csv", "genres.csv").check(3)
        assert "users (3 × 2) and items (2 × 3) do not line up" in done.err
        command = done.err.splitlines()[-1].removeprefix("Try: matscore ")
        assert command == "recommend movies.csv genres.csv --transpose-items"
        rows = run(*shlex.split(command)).check(quiet=True).rows
        assert rows[1] == ["Thunder Pass", "1", "adventure", "5.9"]

    def test_items_that_are_rows_after_all(self) -> None:
        done = recommend(USERS, FILMS, "--transpose-items").check(3)
        assert done.err.splitlines()[-1] == "Try: matscore recommend users.csv films.csv"

    def test_users_that_are_columns(self, tmp_path: Path) -> None:
        turned = zip(*read_csv(SAMPLES / USERS), strict=True)
        users = write_csv(tmp_path / "turned.csv", turned)
        done = recommend(users, FILMS).check(3)
        command = done.err.splitlines()[-1].removeprefix("Try: matscore ")
        assert command == f"recommend {users} films.csv --transpose-users"
        assert round_scores(run(*shlex.split(command)).check(quiet=True))[1:] == BEST[1:]

    def test_names_that_are_not_there(self) -> None:
        done = recommend("iris.csv", "movies.csv").check(3)
        assert "iris.csv lacks 2 features of movies.csv" in done.err
        assert "weights" not in done.err and "categor" not in done.err

    def test_a_bias_is_no_intercept(self, tmp_path: Path) -> None:
        """An item has no feature that users lack; what it would be added to is not said."""
        items = write_csv(tmp_path / "i.csv", [["i", *FEATURES, "bias"], ["x", 1, 1, 1, 1, 5]])
        assert 'lacks a feature of' in recommend(USERS, items).check(3).err  # fmt: skip


class TestTerminal:
    def test_the_small_case_shows_the_matrix_of_the_lesson(self) -> None:
        code, shown = run_on_terminal("recommend", USERS, FILMS, env={"NO_COLOR": "1"})
        assert code == 0 and shown["stderr"] == b""
        lines = shown["stdout"].decode().replace("\r", "").splitlines()
        assert lines[0] == "(3 × 4) · (2 × 4)ᵀ → (3 × 2)"
        assert lines[2].split() == ["user", "Orbit", "Nine", "Sunday", "Lunch"]
        assert lines[4].split() == ["Amina", "1.47", "★", "0.52"]
        assert lines[10].split()[:-1] == ["Amina", "1", "Orbit", "Nine", "1.47"]
        assert set(lines[10].split()[-1]) == {"█"}
        assert lines[11].split()[:-1] == ["2", "Sunday", "Lunch", "0.52"]
        assert len(lines[11].split()[-1]) < len(lines[10].split()[-1])

    def test_ties_and_gaps(self, holed: Path, tmp_path: Path) -> None:
        rows = [["film", *FEATURES], ["x", 1, 1, 1, 1], ["y", 1, 1, 1, 1]]
        films = write_csv(tmp_path / "f.csv", rows)
        done = recommend(holed, films, "-f", "table", "--missing", "keep", "--max-rows", "2")
        text = done.check().out.decode()
        assert "… and 1 more user\n" in text
        assert "= a tie: the first item goes first\n" in text
        assert "2 users with ties   1 user without items   1 user with missing values\n" in text

    @pytest.mark.parametrize("width", [20, 40, 80, 200])
    def test_widths(self, width: int, many: tuple[Path, Path]) -> None:
        for files in ((USERS, FILMS), many):
            for options in ((), ("--matrix",), ("--metric", "cosine")):
                env = {"COLUMNS": str(width)}
                done = recommend(*files, *options, "-f", "table", env=env).check(quiet=True)
                widest = max(map(len, done.out.decode().splitlines()))
                assert widest <= max(width, 40)  # numbers are never cut
                assert "1.47" in done.out.decode() or files is many or "cosine" in options

    def test_labels_are_shown_not_obeyed(self, tmp_path: Path) -> None:
        items = write_csv(tmp_path / "i.csv", [["i", *FEATURES], ["[red]\x1b[31m", 1, 1, 1, 1]])
        text = recommend(USERS, items, "-f", "table").check().out
        assert b"[red]\\x1b[31m" in text and b"\x1b[31m" not in text

    def test_ascii(self) -> None:
        env = {"PYTHONIOENCODING": "ascii"}
        text = finish(start("recommend", USERS, FILMS, "-f", "table", env=env)).check().out
        assert text.startswith(b"(3 x 4) * (2 x 4)^T -> (3 x 2)\n") and b"####" in text


class TestReport:
    def test_counts(self, tmp_path: Path, holed: Path) -> None:
        path = tmp_path / "report.json"
        recommend(holed, FILMS, "--missing", "keep", "--report", path, "-k", "1").check()
        report = validate(path)
        assert report["rows_in"] == report["rows_scored"] == 3
        assert report["rows_missing"] == report["rows_without_items"] == 1
        assert report["rows_tied"] == 1  # both scores of zeros
        assert report["recommendations"] == 2
        assert report["excluded_pairs"] is report["unknown_users"] is None
        assert report["shapes"] == {"features": [3, 4], "weights": [4, 2], "scores": [3, 2]}

    def test_of_a_failure(self, tmp_path: Path) -> None:
        path = tmp_path / "report.json"
        recommend(USERS, "genres.csv", "--report", path).check(3)
        report = validate(path)
        assert report["exit"] == 3 and report["recommendations"] is None


class TestTopK:
    """``classify --top-k`` has the same form."""

    def test_the_best_categories(self) -> None:
        done = run("classify", "movies.csv", "genres.csv", "--top-k", "2").check(quiet=True)
        assert done.rows == [
            ["film", "rank", "category", "score"],
            ["Thunder Pass", "1", "adventure", "5.9"],
            ["Thunder Pass", "2", "family", "3.0"],
            ["The Wrong Umbrella", "1", "romance", "6.1"],
            ["The Wrong Umbrella", "2", "family", "2.9"],
            ["Two Left Boots", "1", "adventure", "5.2"],
            ["Two Left Boots", "2", "romance", "5.2"],
        ]

    def test_is_what_recommend_gives(self, many: tuple[Path, Path]) -> None:
        one = run("classify", *many, "--transpose", "-k", "9").check().rows
        other = recommend(*many, "-k", "9").check().rows
        assert one[0] == ["user", "rank", "category", "score"]
        assert one[1:] == other[1:]

    def test_probabilities_and_threshold(self) -> None:
        argv = ("classify", "iris.csv", "iris_weights.csv", "--probabilities")
        wide = run(*argv).check().rows
        places = {name: i for i, name in enumerate(wide[0])}
        rows = run(*argv, "-k", "3", "--threshold", "0.1").check().rows
        assert rows[0] == ["flower", "rank", "category", "score", "probability"]
        expected = 0
        for row in wide[1:]:
            found = {r[2]: r[3:] for r in rows[1:] if r[0] == row[0]}
            for name in ("setosa", "versicolor", "virginica"):
                score, share = row[places[name]], row[places[f"probability_{name}"]]
                assert (found.get(name) == [score, share]) == (float(share) >= 0.1)
                expected += float(share) >= 0.1
        assert len(rows) == 1 + expected

    def test_no_scores_and_margin(self) -> None:
        argv = ("classify", "movies.csv", "genres.csv", "-k", "1")
        assert run(*argv, "--no-scores").check().rows[1] == ["Thunder Pass", "1", "adventure"]
        assert "--margin and --top-k" in run(*argv, "--margin").check(2).err

    def test_missing(self, tmp_path: Path) -> None:
        films = write_csv(tmp_path / "f.csv", [["film", "action", "comedy"], ["x", "", 1]])
        argv = ("classify", films, "genres.csv", "-k", "2", "--missing", "keep")
        assert run(*argv).check().rows[1:] == [["x", "", "", "NaN"]]

    def test_table(self) -> None:
        env = {"COLUMNS": "80"}
        done = run("classify", "movies.csv", "genres.csv", "-k", "2", "-f", "table", env=env)
        text = done.check().out.decode()
        assert "= a tie: the first category goes first" in text
        assert "predicted: adventure 2   romance 1\n1 tie" in text


def test_a_run_that_is_killed_leaves_the_old_file(many: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_bytes(b"old")
    fifo = tmp_path / "users"
    os.mkfifo(fifo)
    process = start("recommend", fifo, many[1], "-o", out)
    with fifo.open("wb") as pipe:
        pipe.write(many[0].read_bytes())
        pipe.flush()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert finish(process).code == 128 + signal.SIGTERM
    assert out.read_bytes() == b"old"
    assert list_names(tmp_path) == ["out.csv", "users"]


def test_nobody(tmp_path: Path) -> None:
    users = write_csv(tmp_path / "u.csv", [["user", *FEATURES]])
    assert recommend(users, FILMS).check(quiet=True).rows == BEST[:1]
    out = recommend(users, FILMS, "-f", "parquet").check(quiet=True).out
    assert pl.read_parquet(io.BytesIO(out)).shape == (0, 4)


def test_no_items(tmp_path: Path) -> None:
    items = write_csv(tmp_path / "i.csv", [["film", *FEATURES]])
    assert "has no rows" in recommend(USERS, items).check(3).err


def test_users_in_columns(tmp_path: Path) -> None:
    users = read_csv(SAMPLES / USERS)
    turned = write_csv(tmp_path / "turned.csv", zip(*users, strict=True))
    refused = recommend(turned, FILMS).check(3)
    assert "--transpose-users" in refused.err
    done = recommend(turned, FILMS, "--transpose-users").check(quiet=True)
    assert round_scores(done)[1:] == BEST[1:]
