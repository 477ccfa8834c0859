from __future__ import annotations

import io
import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from matscore.colors import Heat
from matscore.commands.classify import ScoreTally, classify_file
from matscore.commands.output import ScoreColumns
from matscore.frame import Frame
from matscore.kernel import Column, Texts
from matscore.options import OutputOptions, PlanOptions, ReadOptions, ScoreOptions
from matscore.plan import Plan, Side
from matscore.run.run import Summary
from matscore.run.work import Preview
from matscore.show.scores import render_scores
from matscore.write.formats import OutputSpec
from tests.helpers import run

SAMPLES = Path(__file__).parents[2] / "sample_data"
WIDTHS = (20, 40, 80, 200)
GENRES = "feature,adventure,family,romance\naction,1.1,0.4,0.1\ncomedy,0.2,0.5,1.2\n"

MOVIES_80 = """\
(3 × 2) · (2 × 3) → (3 × 3)

film                adventure  family  romance  prediction
──────────────────────────────────────────────────────────
Thunder Pass            5.9 ★     3.0    2.9    adventure
The Wrong Umbrella      2.1       2.9    6.1 ★  romance
Two Left Boots          5.2 =     3.6    5.2 =  adventure
= a tie: the first category wins it

predicted: adventure 2   romance 1
1 tie
"""

MOVIES_40 = """\
(3 × 2) · (2 × 3) → (3 × 3)

film                prediction  score
─────────────────────────────────────
Thunder Pass        adventure   5.9 ★
The Wrong Umbrella  romance     6.1 ★
Two Left Boots      adventure   5.2 =
best of 3 categories; -f csv gives all
= a tie: the first category wins it

predicted: adventure 2   romance 1
1 tie
"""

DIGITS_40 = """\
(360 × 64) · (64 × 10) → (360 × 10)

image              0  prediction   score
────────────────────────────────────────
image-0022  -6.64233  1           9.44 ★
image-0025  -0.09506  4           7.35 ★
… and 358 more rows
1 of 10 categories shown; -f csv gives
all

predicted: 1: 40 (11.1%)   5: 39 (10.8%)
3: 37 (10.3%)   and 7 more
"""


def sample(features: str, weights: str, **write: Any) -> Summary[ScoreTally]:
    options = OutputOptions(format="table", **write)
    return classify_file(SAMPLES / features, SAMPLES / weights, write=options)


def score(
    folder: Path,
    features: str,
    weights: str = GENRES,
    *,
    missing: Any = "error",
    options: ScoreOptions | None = None,
    **write: Any,
) -> Summary[ScoreTally]:
    (folder / "x.csv").write_text(features, encoding="utf-8")
    (folder / "w.csv").write_text(weights, encoding="utf-8")
    return classify_file(
        folder / "x.csv",
        folder / "w.csv",
        read=ReadOptions(missing=missing),
        score=options or ScoreOptions(),
        write=OutputOptions(format="table", **write),
    )


class Stream(io.StringIO):
    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


def render(
    summary: Summary[ScoreTally],
    width: int = 80,
    *,
    encoding: str = "utf-8",
    color: bool = False,
    heatmap: bool = False,
) -> str:
    out = Stream(encoding)
    system: Any = "standard" if color else None
    console = Console(file=out, width=width, force_terminal=color, color_system=system)
    render_scores(summary, console, heatmap=heatmap)
    return out.getvalue()


def drop_blanks(text: str) -> str:
    """Drop blanks at the ends of lines."""
    return re.sub(r" +$", "", text, flags=re.MULTILINE)


def table_of(text: str) -> list[str]:
    """Return the heading, the rule and the rows, all of one width."""
    lines = text.split("\n\n")[1].split("\n")
    n_cells = cell_len(lines[1])
    # rich 13 loses the last blanks of a line that has combining characters.
    lines = [line + " " * (n_cells - cell_len(line)) for line in lines if line]
    notes = [
        i
        for i, line in enumerate(lines)
        if re.match(r"… and|= a tie|0 rows|(best|probability|\d+) of ", line)
    ]
    return lines[: min(notes, default=len(lines))]


def numbers_of(line: str) -> list[str]:
    return re.findall(r"-?\d+\.\d+(?:e[+-]\d+)?", line)


def test_everything_fits_80_and_200_columns() -> None:
    summary = sample("movies.csv", "genres.csv")
    assert drop_blanks(render(summary, 80)) == MOVIES_80
    assert drop_blanks(render(summary, 200)) == MOVIES_80


def test_the_best_score_stands_for_all_where_they_do_not_fit() -> None:
    assert drop_blanks(render(sample("movies.csv", "genres.csv"), 40)) == MOVIES_40


def test_many_categories_in_40_columns() -> None:
    summary = sample("digits.csv", "digits_weights.csv", max_rows=2)
    assert drop_blanks(render(summary, 40)) == DIGITS_40


def test_first_categories_and_the_best_score_in_80_columns() -> None:
    text = render(sample("digits.csv", "digits_weights.csv"), 80)
    heading, _, *rows = table_of(text)
    n_shown = len(heading.split()) - 3
    assert heading.split() == ["image", *map(str, range(n_shown)), "prediction", "score"]
    assert f"{n_shown} of 10 categories shown; -f csv gives all" in text
    assert len(rows) == 20
    for row in rows:
        assert row.endswith(" ★")
        *_, prediction, best, _ = row.split()
        if int(prediction) < n_shown:
            shown = row.split()[1:-3]
            starred = shown[shown.index("★") - 1]
            assert float(starred) == pytest.approx(float(best), rel=1e-3)


def test_all_ten_categories_in_200_columns() -> None:
    text = render(sample("digits.csv", "digits_weights.csv"), 200)
    heading, _, *rows = table_of(text)
    assert heading.split() == ["image", *"0123456789", "prediction"]
    assert all(len(numbers_of(row)) == 10 and row.count("★") == 1 for row in rows)
    assert "shown" not in text


@pytest.mark.parametrize("width", [10, *WIDTHS])
@pytest.mark.parametrize(
    "files",
    [
        ("movies.csv", "genres.csv"),
        ("iris.csv", "iris_weights.csv"),
        ("digits.csv", "digits_weights.csv"),
    ],
)
@pytest.mark.parametrize("precision", [None, 0, 6])
def test_no_number_is_cut(files: tuple[str, str], width: int, precision: int | None) -> None:
    summary = sample(*files, margin=True, precision=precision)
    frame = summary.previews[0].frame
    rows = table_of(render(summary, width))[2:]
    assert len(rows) == frame.height
    for row, best in zip(
        rows, frame.numbers(summary.tally.categories).max(axis=1).tolist(), strict=True
    ):
        assert not re.search(r"\d…|…\d", row.partition(" ")[2])
        assert any(
            float(number) == pytest.approx(best, rel=6e-4)
            for number in re.findall(r"-?\d+(?:\.\d+)?", row.partition(" ")[2])
        )


@pytest.mark.parametrize("width", WIDTHS[1:])
def test_wide_and_combining_characters_keep_columns_straight(tmp_path: Path, width: int) -> None:
    labels = [
        "日本語のとても長い映画の題名です",
        "e\u0301te\u0301",
        "👩",
        "\U0001f600" * 30,
        "plain",
    ]
    text = "film,action,comedy\n" + "".join(f"{label},1.5,2\n" for label in labels)
    weights = GENRES.replace("family", "家族").replace("romance", "re\u0301mance")
    lines = table_of(render(score(tmp_path, text, weights), width))
    assert len(lines) == len(labels) + 2
    assert len({cell_len(line) for line in lines}) == 1
    assert cell_len(lines[0]) <= width
    assert len({cell_len(line.partition("2.55 ★")[0]) for line in lines[2:]}) == 1


def test_labels_are_shown_and_never_obeyed(tmp_path: Path) -> None:
    labels = ["[red]x[/red]", "[/foo]", "\x1b[31mz", "\x07", "\u202eabc", ":smile:"]
    text = "film,action,comedy\n" + "".join(f"{label},1,2\n" for label in labels)
    rendered = render(score(tmp_path, text, GENRES.replace("family", "[b]")))
    for shown in ("[red]x[/red]", "[/foo]", r"\x1b[31mz", r"\x07", r"\u202eabc", ":smile:", "[b]"):
        assert shown in rendered
    assert all(char.isprintable() or char == "\n" for char in rendered)


def test_a_megabyte_of_label_is_cut(tmp_path: Path) -> None:
    rendered = render(score(tmp_path, f"film,action,comedy\n{'x' * 2**20},1,2\n"))
    assert "x…" in rendered
    assert max(map(len, rendered.split("\n"))) <= 80


def test_marks_are_seen_with_and_without_colour() -> None:
    summary = sample("movies.csv", "genres.csv")
    colored = render(summary, color=True)
    assert "\x1b[1;32m    5.9 ★\x1b[0m" in colored  # bold green
    assert colored.count("\x1b[1;33m") == 3  # both cells of the tie and its prediction
    assert drop_blanks(re.sub(r"\x1b\[[\d;]*m", "", colored)) == MOVIES_80


def test_plain_signs_where_the_encoding_has_no_others() -> None:
    text = drop_blanks(render(sample("movies.csv", "genres.csv", max_rows=1), encoding="ascii"))
    assert text.isascii()
    assert text.startswith("(3 x 2) * (2 x 3) -> (3 x 3)\n")
    assert "5.9 *" in text
    assert "... and 2 more rows" in text


def test_ascii_shows_other_characters_as_escapes(tmp_path: Path) -> None:
    text = render(score(tmp_path, "film,action,comedy\n日本,1,2\n"), encoding="ascii")
    assert r"\u65e5\u672c" in text


def test_legend_only_where_a_tie_is_seen() -> None:
    assert "a tie:" not in render(sample("movies.csv", "genres.csv", max_rows=2))
    assert "1 tie" in render(sample("movies.csv", "genres.csv", max_rows=2))


@pytest.mark.parametrize("heatmap", [False, True])
def test_zero_rows(tmp_path: Path, heatmap: bool) -> None:
    summary = score(tmp_path, "film,action,comedy\n")
    assert drop_blanks(render(summary, heatmap=heatmap)) == (
        "(0 × 2) · (2 × 3) → (0 × 3)\n\n"
        "film  adventure  family  romance  prediction\n"
        "────────────────────────────────────────────\n"
        "0 rows\n"
    )


def test_one_more_row() -> None:
    assert "… and 1 more row\n" in render(sample("movies.csv", "genres.csv", max_rows=2))


def test_rows_without_prediction_have_a_dash(tmp_path: Path) -> None:
    features = "film,action,comedy\na,5,2\nb,,1\nc,0.1,0.1\n"
    summary = score(tmp_path, features, missing="keep", options=ScoreOptions(threshold=1.0))
    text = drop_blanks(render(summary))
    assert text.split("\n")[4:] == [
        "a        5.90 ★    3.00     2.90  adventure",
        "b         NaN       NaN      NaN  –",
        "c        0.13      0.09     0.13  –",
        "",
        "predicted: adventure 1",
        *text.split("\n")[9:-1],
        "",
    ]
    assert "2 rows without prediction   1 row with missing values" in text


def test_one_category_without_threshold_has_no_marks(tmp_path: Path) -> None:
    summary = score(tmp_path, "film,action\na,1\nb,2\n", "feature,risk\naction,0.5\n")
    assert drop_blanks(render(summary)) == (
        "(2 × 1) · (1 × 1) → (2 × 1)\n\nfilm  risk\n──────────\na      0.5\nb      1.0\n"
    )


def test_one_category_with_a_threshold_has_marks(tmp_path: Path) -> None:
    options = ScoreOptions(threshold=0.7)
    features, weights = "film,action\na,1\nb,2\n", "feature,risk\naction,0.5\n"
    rows = table_of(render(score(tmp_path, features, weights, options=options)))[2:]
    assert [row.split() for row in rows] == [["a", "0.5", "–"], ["b", "1.0", "★", "risk"]]


def test_ties_are_marked_on_the_prediction_where_there_are_no_scores() -> None:
    rows = table_of(render(sample("movies.csv", "genres.csv", scores=False)))[2:]
    predictions = [row.strip().rpartition("  ")[2] for row in rows]
    assert predictions == ["adventure", "romance", "adventure ="]


def test_probabilities_and_margin(tmp_path: Path) -> None:
    features = "film,action,comedy\na,5,2\nb,1,5\n"
    summary = score(tmp_path, features, options=ScoreOptions(probabilities=True), margin=True)
    heading, _, *rows = table_of(render(summary, 200))
    assert heading.split()[-4:] == [
        "probability_adventure",
        "probability_family",
        "probability_romance",
        "margin",
    ]
    assert [row.count("★") for row in rows] == [1, 1]
    assert "p(" in table_of(render(summary, 76))[0]
    narrow = render(summary, 60)
    assert "probability of the best category only; -f csv gives all" in narrow
    assert [len(numbers_of(row)) for row in table_of(narrow)[2:]] == [5, 5]


def test_kept_columns_give_way_after_scores() -> None:
    plan = Plan(Side("x", 2, None, 1, None), Side("w", 1, None, 1, None), PlanOptions())
    names = tuple(f"kept{i}" for i in range(40))
    spec = OutputSpec("table", ScoreColumns("film", names, categories=("a", "b")))
    columns: dict[str, Column] = {"film": Texts.from_strings(["x" * 50])}
    columns |= {name: Texts.from_strings(["1999"]) for name in names}
    columns |= {"a": np.array([1.5]), "b": np.array([0.5])}
    columns |= {"prediction": Texts.from_strings(["a"])}
    preview = Preview(Frame(columns), np.array([[True], [False]]))
    tally = ScoreTally(("a", "b"), 0, 0, 0, np.array([1, 0]))
    summary = Summary((plan,), (), spec, 1, 0, tally, (preview,))
    text = render(summary, 60)
    lines = table_of(text)
    n_kept = lines[0].count("kept")
    assert 0 < n_kept == lines[2].count("1999")
    note = f"best of 2 categories, {n_kept} of 40 kept columns shown; -f csv gives all"
    assert note in " ".join(text.split())
    assert "1.5 ★" in lines[2]


def test_precision_is_kept() -> None:
    rows = table_of(render(sample("movies.csv", "genres.csv", precision=3)))[2:]
    assert numbers_of(rows[0]) == ["5.900", "3.000", "2.900"]


def test_rows_are_numbered_without_labels(tmp_path: Path) -> None:
    rows = table_of(render(score(tmp_path, "action,comedy\n" + "1,2\n" * 12)))
    assert rows[0].startswith("row  ")
    assert [row[:3] for row in rows[2:]] == [f"{i:3}" for i in range(1, 13)]


def test_tables_of_several_files_are_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"film,action,comedy\n{name}1,5,2\n{name}2,1,5\n")
    (tmp_path / "w").write_text(GENRES)
    write = OutputOptions(format="table", max_rows=3)
    summary = classify_file([tmp_path / "a", tmp_path / "b"], tmp_path / "w", write=write)
    text = render(summary)
    assert text.startswith("(4 × 2) · (2 × 3) → (4 × 3)\n")
    assert [row[:2] for row in table_of(text)[2:]] == ["a1", "a2", "b1"]
    assert "… and 1 more row\n" in text


def test_shares_are_never_rounded_to_nothing_or_all() -> None:
    summary = sample("movies.csv", "genres.csv", max_rows=0)
    tally = replace(summary.tally, n_ties=0, won=np.array([99_999, 1, 0]))
    many = Summary(summary.plans, (), summary.output, 100_000, 0, tally)
    text = render(many)
    assert "… and 100,000 more rows" in text
    assert "adventure 99,999 (>99.9%)   family 1 (<0.1%)" in text


def heat(summary: Summary[ScoreTally], system: Any, encoding: str = "utf-8") -> str:
    out = Stream(encoding)
    console = Console(file=out, width=200, force_terminal=bool(system), color_system=system)
    render_scores(summary, console, heatmap=True)
    return out.getvalue()


def test_heat_without_colours_grows_with_the_value() -> None:
    summary = sample("digits.csv", "digits_weights.csv")
    text = heat(summary, None)
    cells = re.findall(r"  ([░▒▓█ ])  ?(-?\d+\.\d+)", "\n".join(table_of(text)[2:]))
    assert len(cells) >= 60
    density = {sign: [float(n) for s, n in cells if s == sign] for sign in " ░▒▓█"}
    bounds = [(min(values), max(values)) for values in density.values() if values]
    assert len(bounds) == 5
    assert all(low[1] < high[0] for low, high in itertools.pairwise(bounds))
    assert "shaded from blank, low, by ░ ▒ ▓ █ to high" in text
    plain = re.sub(r" [ ░▒▓█](?= +-?\d)", "", "\n".join(table_of(text)[2:]))
    assert not re.search("[░▒▓█]", plain)


def test_heat_in_colour_leaves_the_text_alone() -> None:
    summary = sample("movies.csv", "genres.csv")
    text = heat(summary, "truecolor")
    plain = drop_blanks(re.sub(r"\x1b\[[\d;]*m", "", text))
    legend = "shaded from blue, low, to orange, high\n"
    assert plain.replace(legend, "") == MOVIES_80
    assert legend in plain
    assert len(set(re.findall(r"48;2;\d+;\d+;\d+", text))) == 7  # as many as different scores
    assert "48;" not in heat(summary, "standard")


@pytest.mark.parametrize(
    ("system", "many"), [("256", True), ("truecolor", True), ("standard", False), (None, False)]
)
def test_colours_are_used_where_there_are_many(system: Any, many: bool) -> None:
    console = Console(file=io.StringIO(), color_system=system)
    assert Heat.for_console(console, " .:o#").in_color is many
    console.no_color = True
    assert not Heat.for_console(console, " .:o#").in_color


def test_heat_of_probabilities_where_there_are_no_scores(tmp_path: Path) -> None:
    summary = score(tmp_path, "film,action,comedy\na,5,2\nb,1,5\n", scores=False,
                    options=ScoreOptions(probabilities=True))  # fmt: skip
    assert "█" in heat(summary, None)


def test_heat_leaves_missing_scores_and_ascii_alone(tmp_path: Path) -> None:
    summary = score(tmp_path, "film,action,comedy\na,5,2\nb,,5\n", missing="keep")
    text = heat(summary, None, "ascii")
    assert text.isascii() and re.search("# +5.9", text)
    assert table_of(heat(summary, None))[3].split() == ["b", "NaN", "NaN", "NaN", "–"]
    assert "NaN" in heat(summary, "truecolor")


def test_heat_and_ranks_from_the_command_line() -> None:
    done = run("classify", "movies.csv", "genres.csv", "-f", "table", "--heatmap").check(quiet=True)
    assert "█ 6.1 ★" in done.out.decode()
    ranked = run("classify", "movies.csv", "genres.csv", "--top-k", "1").check(quiet=True)
    assert [row[2] for row in ranked.rows[1:]] == ["adventure", "romance", "adventure"]
    assert run("classify", "movies.csv", "genres.csv", "--heatmap").check(2).out == b""
