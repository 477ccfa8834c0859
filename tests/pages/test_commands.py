"""The pages of the other commands, and their tables in HTML."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import read_csv, run, write_csv
from tests.pages.test_report import Page, sections, without_times
from tests.pages.test_table import rows_of


def report(folder: Path, *argv: str | Path) -> tuple[Page, str]:
    path = folder / "report.html"
    run(*argv, "-o", folder / "out.csv", "--report", path).check()
    text = path.read_text(encoding="utf-8")
    return Page(text), text


def table_of(text: str, caption: str) -> list[list[str]]:
    return rows_of(text.partition(f"<caption>{caption}</caption>")[2])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder, rng = tmp_path_factory.mktemp("r"), np.random.default_rng(3)
    names = [f"f{i}" for i in range(5)]
    users = [[f"u{i}", *row] for i, row in enumerate(rng.normal(size=(400, 5)).round(3).tolist())]
    items = [[f"i{i}", *row] for i, row in enumerate(rng.normal(size=(90, 5)).round(3).tolist())]
    return (
        write_csv(folder / "u.csv", [["user", *names], *users]),
        write_csv(folder / "i.csv", [["item", *names], *items]),
    )


def test_scores_by_rank_and_item_coverage(pair: tuple[Path, Path], tmp_path: Path) -> None:
    page, text = report(tmp_path, "recommend", *pair, "-k", "4")
    assert sections(page) == ["shapes", "ranks", "items", "features", "inputs"]
    lines = read_csv(tmp_path / "out.csv")[1:]
    chosen: dict[str, int] = {}
    for _, _, item, _ in lines:
        chosen[item] = chosen.get(item, 0) + 1
    assert f"{len(chosen)} of 90 items" in page.text
    shown = {row[0]: int(row[1]) for row in table_of(text, "Items recommended most")}
    assert len(shown) == 25 and shown.items() <= chosen.items()
    assert min(shown.values()) >= sorted(chosen.values())[-25]
    ranks = table_of(text, "In numbers")
    assert [row[:2] for row in ranks] == [[str(rank), "400"] for rank in range(1, 5)]
    for rank, *_, highest in ranks:
        scores = [float(line[3]) for line in lines if line[1] == rank]
        assert float(highest) == pytest.approx(max(scores), rel=1e-3)


@pytest.mark.parametrize("options", [("--chunk-size", "900"), ("-j", "2", "--chunk-size", "400")])
def test_the_same_page_of_recommendations_however_it_is_cut(
    pair: tuple[Path, Path], tmp_path: Path, options: tuple[str, ...]
) -> None:
    texts = []
    for more in ((), options):
        path = tmp_path / "r.html"
        run("recommend", *pair, "--report", path, *more).check()
        texts.append(without_times(path))
    assert texts[0] == texts[1]


def test_few_items_and_none(tmp_path: Path) -> None:
    page, _ = report(tmp_path, "recommend", "users.csv", "films.csv")
    assert "2 of 2 items (100%)" in page.text
    page, _ = report(tmp_path, "recommend", "users.csv", "films.csv", "--min-score", "100")
    assert "3 without items" in page.text and "ranks" not in sections(page)
    page, _ = report(tmp_path, "recommend", "users.csv", "films.csv", "--matrix")
    assert "ranks" not in sections(page)


def test_the_evaluation_is_that_of_the_json_report(tmp_path: Path) -> None:
    argv = ("evaluate", "digits.csv", "digits_weights.csv", "--truth", "digit")
    page, text = report(tmp_path, *argv, "--report", tmp_path / "r.json")
    found = json.loads((tmp_path / "r.json").read_bytes())["evaluation"]
    assert sections(page) == [
        "shapes", "measures", "confusion", "calibration", "weights", "inputs",
    ]  # fmt: skip
    assert f"{found['accuracy']:.1%} accuracy" in page.text
    shown = table_of(text, "Rows by truth and prediction")
    assert [row[0] for row in shown] == list(found["confusion"])
    for row, counts in zip(shown, found["confusion"].values(), strict=True):
        assert [int(cell) for cell in row[1:]] == list(counts.values())
    for name, *cells in table_of(text, "Category by category"):
        facts = found["categories"][name]
        assert [int(cell) for cell in cells[:2]] == [facts["support"], facts["predicted"]]
        for cell, key in zip(cells[2:], ("precision", "recall", "f1"), strict=True):
            assert float(cell) == pytest.approx(facts[key], abs=1e-4)
    filled = [tenth for tenth in found["calibration"] if tenth["rows"]]
    assert len(table_of(text, "In numbers")) == len(filled)


def test_categories_without_rows_have_dashes(tmp_path: Path) -> None:
    rows = [["id", "action", "comedy", "genre"], ["a", 5, 2, "adventure"], ["b", 1, 5, "romance"]]
    features = write_csv(tmp_path / "f.csv", rows)
    _, text = report(tmp_path, "evaluate", features, "genres.csv", "--truth", "genre")
    assert table_of(text, "Category by category")[1] == ["family", "0", "0", "–", "–", "–"]


def test_fit_shows_its_weights_and_their_worth(tmp_path: Path) -> None:
    page, text = report(tmp_path, "fit", "iris.csv", "--target", "species")
    assert sections(page) == ["shapes", "quality", "weights", "inputs"]
    weights = read_csv(tmp_path / "out.csv")
    shown = {row[0]: row[1:] for row in table_of(text, "Weights")}
    for name, *cells in weights[1:]:
        key = "intercept" if "ntercept" in name else name
        numbers = [float(cell) for cell in shown[key]]
        assert numbers == pytest.approx([float(cell) for cell in cells], abs=5e-3, rel=5e-3)


def test_fit_of_numbers_shows_r_squared_and_warnings(tmp_path: Path) -> None:
    rows = [["id", "a", "b", "y"], *([i, i, 2 * i, 3 * i + i % 2] for i in range(30))]
    features = write_csv(tmp_path / "f.csv", rows)
    page, text = report(tmp_path, "fit", features, "--target", "y", "--id-col", "id")
    [row] = table_of(text, "Target by target")
    assert row[0] == "y" and float(row[1]) > 0.9
    assert "combinations of each other" in page.text


def test_failed_runs_leave_a_page_too(tmp_path: Path) -> None:
    for argv in (
        ("evaluate", "iris.csv", "iris_weights.csv", "--truth", "none"),
        ("fit", "iris.csv", "--target", "none"),
        ("recommend", "users.csv", "genres.csv"),
        ("explain", "users.csv", "films.csv"),
    ):
        path = tmp_path / "r.html"
        code = run(*argv, "--report", path).code
        assert code == 3 and "failed, exit 3" in Page(path.read_text()).text
        path.unlink()


def test_tables_of_the_other_commands() -> None:
    ranks = rows_of(run("classify", "iris.csv", "iris_weights.csv", "--top-k", "2", "--max-rows",
                        "3", "-f", "html").check().out.decode())  # fmt: skip
    assert [row[:3] for row in ranks[:2]] == [
        ["iris-001", "1", "setosa"],
        ["iris-001", "2", "versicolor"],
    ]
    assert len(ranks) == 6
    items = run("recommend", "users.csv", "films.csv", "-f", "html", "-k", "1").check().out
    assert [row[2] for row in rows_of(items.decode())] == [
        "Orbit Nine",
        "Sunday Lunch",
        "Sunday Lunch",
    ]
    lines = run("explain", "movies.csv", "genres.csv", "-f", "html", "--max-rows", "1").check().out
    assert {row[0] for row in rows_of(lines.decode())} == {"Thunder Pass"}
