from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

from tests.helpers import SAMPLES, run

MOVIES = """\
Thunder Pass
              action    comedy
  adventure = 5 × 1.1 + 2 × 0.2 = 5.9 ★
  family    = 5 × 0.4 + 2 × 0.5 =   3
  romance   = 5 × 0.1 + 2 × 1.2 = 2.9
"""


def show(*argv: str | Path, width: int = 80) -> str:
    options = ("-f", "table", "--show-work")
    done = run("classify", *argv, *options, env={"COLUMNS": str(width)}).check(quiet=True)
    return done.out.decode()


def test_each_product_is_written_out() -> None:
    text = show("movies.csv", "genres.csv")
    assert MOVIES in text
    assert text.count("5.2 =\n") == 2  # the tie of the third film


@pytest.mark.parametrize("files", [("movies.csv", "genres.csv"), ("iris.csv", "iris_weights.csv")])
def test_terms_add_up_to_what_is_said(files: tuple[str, str]) -> None:
    text = show(*files, "--max-rows", "5", width=200)
    lines = re.findall(r"^  \S+ += (.+) ([=≈]) +(\S+)", text, re.MULTILINE)
    assert len(lines) == 3 * min(5, text.count("×") // 6)
    for terms, sign, total in lines:
        added = Fraction(0)
        for term in terms.split(" + "):
            factors = [Fraction(f.strip("( )")) for f in term.split(" × ")]
            added += factors[0] * (factors[1] if len(factors) > 1 else 1)
        assert (added == Fraction(total)) is (sign == "=")
        assert float(added) == pytest.approx(float(total), abs=0.02)


def test_it_is_the_score_that_is_shown() -> None:
    scores = [row[1:4] for row in run("classify", "iris.csv", "iris_weights.csv").rows[1:6]]
    text = show("iris.csv", "iris_weights.csv", "--max-rows", "5", width=200)
    totals = re.findall(r"^  \S+ += .+ [=≈] +(\S+)", text, re.MULTILINE)
    assert totals == [f"{float(score):.4g}" for row in scores for score in row]


def test_terms_stand_below_each_other_where_they_are_too_wide() -> None:
    text = show("iris.csv", "iris_weights.csv", "--max-rows", "1", width=60)
    assert "  setosa ≈ 7.336 ★\n    1.4 × (-2.517)   petal_length\n" in text
    assert "+ 9.85             intercept\n" in text
    assert max(map(len, text.partition("iris-001\n  ")[2].split("\n"))) <= 60


def test_features_stand_by_their_own_weights(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("id,y,x\np,1,2\n")
    (tmp_path / "w.csv").write_text("f,one,two\ny,10,20\nx,30,40\n")
    text = show(tmp_path / "f.csv", tmp_path / "w.csv")
    assert "        x        y\n  one = 2 × 30 + 1 × 10 =  70\n" in text


def test_missing_values_that_are_kept(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("id,action,comedy\nx,,2\n")
    text = show(tmp_path / "f.csv", SAMPLES / "genres.csv", "--missing", "keep")
    assert "adventure = nan × 1.1 + 2 × 0.2 = NaN\n" in text


def test_large_models_and_other_formats_are_refused() -> None:
    table = ("-f", "table", "--show-work")
    done = run("classify", "digits.csv", "digits_weights.csv", *table).check(2)
    assert "64 and 10" in done.err and done.out == b""
    done = run("classify", "movies.csv", "genres.csv", "--show-work").check(2)
    assert done.err == "matscore: --show-work goes with the table of scores; add --format table\n"
