from __future__ import annotations

import io
import json
import re
import shlex
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from matscore.options import PlanOptions
from matscore.plan import Plan, Side, make_plan
from matscore.show.plan import plan_facts, render_plan, working_command

USERS = Side("users.csv", 4, ("user", "action", "comedy", "drama"), 2, ("Amina", "Bruno"))
FILMS = Side("films.csv", 4, ("film", "action", "comedy", "drama"), 2, ("Orbit", "Lunch"))
MOVIES = Side("movies.csv", 4, ("film", "action", "comedy", "year"), 3, ("a", "b", "c"))
GENRES = Side(
    "genres.csv", 4, ("feature", "adventure", "family", "romance"), 2, ("comedy", "action")
)

FITS_80 = """\
features   movies.csv (3 × 3)
  columns  "action", "comedy", "year"
  labels   "film": "a", "b", "c"
weights    genres.csv (2 × 3)
  columns  "adventure", "family", "romance"
  rows     "comedy", "action"
matched    2 features by name
left out   "year"
order      differs between the files, which does no harm
intercept  none
scores     (3 × 2) · (2 × 3) → (3 × 3)
verdict    fits

Run: matscore classify movies.csv genres.csv
"""

TURN_40 = """\
features   users.csv (2 × 3)
  columns  "action", "comedy", "drama"
  labels   "user": "Amina", "Bruno"
weights    films.csv (2 × 3)
  columns  "action", "comedy", "drama"
  rows     "Orbit", "Lunch"
matched    3 features by name
verdict    does not fit

Try: matscore classify users.csv films.csv --transpose
"""


class Stream(io.StringIO):
    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


def render(
    plan: Plan,
    width: int = 80,
    *,
    argv: list[str] | None = None,
    color: bool = False,
    encoding: str = "utf-8",
) -> str:
    out = Stream(encoding)
    system: Any = "standard" if color else None
    console = Console(file=out, width=width, force_terminal=color, color_system=system)
    render_plan(plan, console, argv)
    return re.sub(r" +$", "", out.getvalue(), flags=re.MULTILINE)


def facts_of(plan: Plan, argv: list[str] | None = None) -> dict[str, Any]:
    facts = json.loads(json.dumps(plan_facts(plan, argv), ensure_ascii=False).encode())
    assert isinstance(facts, dict)
    return facts


def side(path: str, columns: list[str], rows: list[str]) -> Side:
    return Side(path, len(columns), tuple(columns), len(rows), tuple(rows))


def test_a_plan_that_fits() -> None:
    assert render(make_plan(MOVIES, GENRES)) == FITS_80


def test_a_plan_that_does_not_fit() -> None:
    message, _, rest = render(make_plan(USERS, FILMS), 40).partition("\n\n")
    assert message.startswith("matscore: users.csv and films.csv: features (2 × 3) and weights")
    assert message.endswith("; add --transpose")
    assert "\n" not in message
    assert rest == TURN_40


def test_a_terminal_breaks_the_message_between_words() -> None:
    text = render(make_plan(USERS, FILMS), 40, color=True)
    plain = re.sub(r"\x1b\[[\d;]*m", "", text).partition("\n\nTry")[0]
    assert max(map(cell_len, plain.split("\n"))) <= 40
    assert " ".join(plain.split()).startswith("matscore: users.csv and films.csv: features (2 × 3)")


def test_the_verdict_is_in_colour_and_words() -> None:
    assert "\x1b[1;32mfits" in render(make_plan(MOVIES, GENRES), color=True)
    assert "\x1b[1;31mdoes not fit" in render(make_plan(USERS, FILMS), color=True)


def test_plain_signs_where_the_encoding_has_no_others() -> None:
    text = render(make_plan(USERS, FILMS), encoding="ascii")
    assert text.isascii()
    assert "features (2 x 3) and weights (2 x 3)" in text
    assert "(3 x 2) * (2 x 3) -> (3 x 3)" in render(make_plan(MOVIES, GENRES), encoding="ascii")


@pytest.mark.parametrize("width", [40, 80])
def test_lines_fit_the_terminal(width: int) -> None:
    for plan in (make_plan(MOVIES, GENRES), make_plan(GENRES, MOVIES)):
        table = render(plan, width).split("\n\n")[0 if plan.ok else 1]
        assert max(map(cell_len, table.split("\n"))) <= width


def test_missing_features_have_close_matches() -> None:
    weights = side("w.csv", ["feature", "x", "y"], ["acton", "Comedy", "speed"])
    plan = make_plan(MOVIES, weights)
    text = render(plan)
    assert '"acton"; did you mean "action"?' in text
    assert '"Comedy"; did you mean "comedy"? (differs only by case)' in text
    assert "Try:" not in text
    facts = facts_of(plan)
    assert facts["missing"][0] == {"name": "acton", "close": ["action"], "reason": ""}
    assert facts["missing"][1]["reason"] == "differs only by case"
    assert facts["matched"] == []
    assert facts["left_out"] == ["action", "comedy", "year"]
    assert facts["command"] == ""
    assert facts["verdict"] == "does not fit"


def test_facts_of_a_plan_that_fits() -> None:
    facts = facts_of(make_plan(MOVIES, GENRES), ["check", "movies.csv", "genres.csv"])
    assert facts["facts"]
    del facts["facts"]
    assert facts == {
        "schema_version": 1,
        "verdict": "fits",
        "problem": None,
        "hint": "",
        "command": "matscore classify movies.csv genres.csv",
        "features": {
            "path": "movies.csv",
            "shape": [3, 3],
            "row_names": ["a", "b", "c"],
            "column_names": ["action", "comedy", "year"],
        },
        "weights": {
            "path": "genres.csv",
            "shape": [2, 3],
            "row_names": ["comedy", "action"],
            "column_names": ["adventure", "family", "romance"],
        },
        "matched_by": "name",
        "matched": ["action", "comedy"],
        "missing": [],
        "left_out": ["year"],
        "kept": [],
        "reordered": True,
        "label_column": {"column": 1, "name": "film"},
        "intercept": None,
        "columns": [],
        "terms": [],
        "transpose": False,
        "transpose_features": False,
        "categories": ["adventure", "family", "romance"],
        "link": None,
        "features_shape": [3, 2],
        "weights_shape": [2, 3],
        "scores_shape": [3, 3],
        "absent": [],
        "renamed": [],
        "weights_left_out": [],
        "add_options": [],
        "drop_options": [],
        "swap": False,
    }


def test_rows_that_are_not_counted_are_null() -> None:
    stream = Side("-", 4, MOVIES.names, None, None)
    plan = make_plan(stream, GENRES)
    facts = facts_of(plan)
    assert facts["features"]["shape"] == [None, 3]
    assert facts["features"]["row_names"] is None
    assert facts["scores_shape"] == [None, 3]
    assert "(? × 2) · (2 × 3) → (? × 3)" in render(plan)


def test_transposed_weights() -> None:
    plan = make_plan(USERS, FILMS, PlanOptions(transpose=True))
    text = render(plan)
    assert "transposed  weights, now (3 × 2)" in text
    assert "(2 × 3) · (3 × 2) → (2 × 2)" in text
    facts = facts_of(plan)
    assert (facts["transpose"], facts["weights"]["shape"], facts["weights_shape"]) == (
        True,
        [2, 3],
        [3, 2],
    )


def test_transposed_features() -> None:
    features = side("t.csv", ["feature", "Orbit", "Lunch"], ["action", "comedy"])
    plan = make_plan(features, GENRES, PlanOptions(transpose_features=True))
    text = render(plan)
    assert plan.ok
    assert "transposed  features, now (2 × 2)" in text
    assert facts_of(plan)["features"] == {
        "path": "t.csv",
        "shape": [2, 2],
        "row_names": ["action", "comedy"],
        "column_names": ["Orbit", "Lunch"],
    }


def test_intercept() -> None:
    weights = side("w.csv", ["feature", "x", "y"], ["action", "comedy", "bias"])
    plan = make_plan(MOVIES, weights)
    assert 'intercept  "bias"' in render(plan)
    assert facts_of(plan)["intercept"] == "bias"


def test_no_names() -> None:
    features = Side("f.csv", 2, None, 3, ("1", "2", "3"))
    weights = Side("w.csv", 3, None, 2, ("1", "2"))
    plan = make_plan(features, weights)
    text = render(plan)
    assert "2 features by position" in text
    assert "no names" in text
    assert "none; rows are numbered" in text
    facts = facts_of(plan)
    assert facts["features"]["column_names"] is None
    assert facts["label_column"] is None


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (
            ["classify", "users.csv", "films.csv", "--margin"],
            "matscore classify users.csv films.csv --margin --transpose",
        ),
        (
            ["check", "users.csv", "films.csv", "-d", ";", "--format", "json"],
            "matscore classify users.csv films.csv -d ';' --transpose",
        ),
        (["check", "-fjson", "users.csv", "films.csv"], None),
        (["check", "--format=json", "users.csv", "films.csv"], None),
        (["check", "users.csv", "films.csv", "-f", "text"], None),
        (
            ["explain", "--", "users.csv", "films.csv"],
            "matscore explain --transpose -- users.csv films.csv",
        ),
        ([], None),
        (None, None),
    ],
)
def test_the_option_that_works_is_added(argv: list[str] | None, command: str | None) -> None:
    plan = make_plan(USERS, FILMS)
    expected = command or "matscore classify users.csv films.csv --transpose"
    assert working_command(plan, argv) == expected


def test_an_option_that_does_harm_is_dropped() -> None:
    plan = make_plan(MOVIES, GENRES, PlanOptions(transpose=True))
    argv = ["classify", "--transpose", "movies.csv", "genres.csv"]
    assert working_command(plan, argv) == "matscore classify movies.csv genres.csv"
    # It came from the environment: the command cannot be mended.
    assert working_command(plan, ["classify", "movies.csv", "genres.csv"]) == ""


def test_swapped_files_are_swapped_back() -> None:
    plan = make_plan(GENRES, MOVIES)
    assert plan.swap
    argv = ["classify", "genres.csv", "-d", ",", "movies.csv", "--margin"]
    assert working_command(plan, argv) == "matscore classify movies.csv -d , genres.csv --margin"


def test_several_files_are_not_swapped() -> None:
    argv = ["classify", "genres.csv", "other.csv", "movies.csv"]
    assert working_command(make_plan(GENRES, MOVIES), argv) == ""


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1))
def test_a_printable_command_is_quoted_for_the_shell(name: str) -> None:
    path = f"./{name}.csv"
    users = Side(path, USERS.width, USERS.names, 2, USERS.first)
    command = working_command(make_plan(users, FILMS), ["classify", path, "films.csv"])
    assert command.isprintable()
    if name.isprintable():
        assert shlex.split(command)[2] == path


def test_unprintable_words_are_quoted_as_bash_reads_them() -> None:
    path = "a\x1b'\\\n\udc80.csv"
    users = Side(path, USERS.width, USERS.names, 2, USERS.first)
    command = working_command(make_plan(users, FILMS), ["classify", path, "films.csv"])
    assert command.split(" films")[0] == r"matscore classify $'a\x1b\'\\\x0a\x80.csv'"


def test_names_are_shown_and_never_obeyed() -> None:
    names = ["film", "\x1b[31maction", "[red]comedy[/red]", "a\nb", "\u202e"]
    weights = side("w\x07\n\udc80.csv", ["feature", "[/x]"], names[1:])
    features = side("f.csv", names, ["\x9b1m"])
    for plan in (make_plan(features, weights), make_plan(features, FILMS)):
        text = render(plan)
        assert all(char.isprintable() or char == "\n" for char in text)
        assert r"\x1b[31maction" in text
        assert "[red]comedy[/red]" in text
        assert r"a\nb" in text
        facts_of(plan)


def test_many_names_stay_short_and_fast() -> None:
    names = [f"feature number {i}" for i in range(20_000)]
    features = side("f.csv", ["id", *names], ["r"])
    weights = side("w.csv", ["feature", "x"], names)
    other = side("w.csv", ["feature", "x"], [name.upper() for name in names])
    for plan in (make_plan(features, weights), make_plan(features, other)):
        start = time.process_time()
        text = render(plan)
        assert time.process_time() - start < 0.2
        assert len(text) < 3000
        assert "and 19,995 more" in text or "and 19995 more" in text
        assert len(json.dumps(plan_facts(plan))) > 20_000
