from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.helpers import SAMPLES, finish, run, run_on_terminal, start

MOVIES = """\
          movies.csv                    genres.csv          scores
            action  comedy                adventure …         adventure …
          ┌────────────────┐            ┌─────────────┐     ┌─────────────┐
 Thunder… │                │     action │    2 × 3    │     │             │
The Wron… │     3 × 2      │  ·  comedy │             │  →  │    3 × 3    │
Two Left… │                │            └─────────────┘     │             │
          └────────────────┘                                └─────────────┘

columns of the features  2  action ✓  comedy ✓
rows of the weights      2  action ✓  comedy ✓
✓ the same: they can be multiplied

Run: matscore classify movies.csv genres.csv
"""


def draw(*argv: str | Path, code: int = 0, width: int = 80) -> str:
    return run("check", *argv, "--picture", env={"COLUMNS": str(width)}).check(code).out.decode()


def sizes(text: str) -> list[str]:
    return re.findall(r"\d+ × \d+", text)


def test_two_that_fit() -> None:
    assert draw("movies.csv", "genres.csv") == MOVIES


def test_the_mismatch_and_what_transpose_would_do() -> None:
    text = draw("users.csv", "films.csv", code=3)
    before, after = text.split("as the files stand")[1].split("with --transpose")
    assert sorted(sizes(before)) == ["2 × 4", "3 × 4"]
    assert "✗ not the same" in before and "✓ the same" in after
    assert sorted(sizes(after)) == ["3 × 2", "3 × 4", "4 × 2"]
    assert "rows of the weights      2  Orbit Nine  Sunday Lunch" in before
    assert "rows of the weights      4  action ✓" in after
    assert "films.csv, turned" in after
    assert text.endswith("Try: matscore classify users.csv films.csv --transpose\n")


def test_what_is_drawn_for_transpose_is_what_transpose_draws() -> None:
    before = draw("users.csv", "films.csv", code=3).split("with --transpose\n")[1]
    after = draw("users.csv", "films.csv", "--transpose")
    assert before.replace("Try:", "Run:") == after


def test_a_missing_feature_is_marked_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("id,action,comdy\nx,1,2\n")
    text = draw(tmp_path / "f.csv", SAMPLES / "genres.csv", code=3)
    assert "columns of the features  2  action ✓  comdy\n" in text
    assert "rows of the weights      2  action ✓  comedy ✗\n" in text
    assert "with " not in text.partition("rows of")[2]


def test_swapped_files() -> None:
    text = draw("genres.csv", "movies.csv", code=3)
    assert "the other way round" in text
    assert text.partition("the other way round")[2].count("✓") >= 4


def test_intercept_and_columns_left_out() -> None:
    text = draw("iris.csv", "iris_weights.csv")
    assert "left out: species" in text
    assert "added to each row of scores: (Intercept)" in text
    assert sizes(text) == ["150 × 4", "4 × 3", "150 × 3"]


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120, 200])
@pytest.mark.parametrize(
    "files",
    [("movies.csv", "genres.csv"), ("iris.csv", "iris_weights.csv"), ("users.csv", "films.csv"),
     ("digits.csv", "digits_weights.csv")],
)  # fmt: skip
def test_boxes_are_closed_and_fit(files: tuple[str, str], width: int) -> None:
    text = draw(*files, code=3 if files[0] == "users.csv" else 0, width=width)
    drawn = [line for line in text.split("\n") if re.search("[┌│└]", line)]
    assert max(map(cell_len, drawn)) <= width
    for top, bottom in (("┌", "└"), ("┐", "┘")):
        assert text.count(top) == text.count(bottom) > 0
    assert text.count("│") % 2 == 0


def test_files_without_names_or_rows(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("1,2\n3,4\n")
    (tmp_path / "w.csv").write_text("1,2,3\n4,5,6\n")
    assert "no names" in draw(tmp_path / "f.csv", tmp_path / "w.csv")
    (tmp_path / "f.csv").write_text("film,action,comedy\n")
    assert "0 × 2" in draw(tmp_path / "f.csv", SAMPLES / "genres.csv")
    data = b"film,action,comedy\nx,1,2\n"
    text = run("check", "-", "genres.csv", "--picture", stdin=data).check().out.decode()
    assert "1 × 2" in text


def test_hostile_names_are_shown_and_never_obeyed(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("id,\x1b[31mred,[b]\n\u202ex,1,2\n")
    (tmp_path / "w.csv").write_text("f,a\n\x1b[31mred,1\n[b],2\n")
    text = draw(tmp_path / "f.csv", tmp_path / "w.csv")
    assert r"\x1b[31mred" in text and "[b] ✓" in text and r"\u202ex" in text
    assert all(c.isprintable() or c == "\n" for c in text)


def test_plain_signs_and_colours() -> None:
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    plain = finish(start("check", "movies.csv", "genres.csv", "--picture", env=ascii_only))
    assert plain.check().out.isascii()
    _, shown = run_on_terminal("check", "movies.csv", "genres.csv", "--picture")
    assert b"\x1b[1;32maction" in shown["stdout"]


def test_json_is_left_alone() -> None:
    facts = run("check", "movies.csv", "genres.csv", "--picture", "-f", "json").check().json
    assert facts["command"] == "matscore classify movies.csv genres.csv"
