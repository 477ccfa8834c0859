from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import matscore
from matscore.numerics.statistics import N_FIRST
from tests.helpers import SAMPLES, run, write_csv
from tests.pages.test_report import HOSTILE, Page

MOVIES = ("movies.csv", "genres.csv")
PNG = b"\x89PNG\r\n\x1a\n"


def rows_of(text: str) -> list[list[str]]:
    body = text.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[re.sub("<[^>]+>", "", cell) for cell in row] for row in cells]


def test_the_table_alone(tmp_path: Path) -> None:
    text = run("classify", *MOVIES, "-f", "html").check(quiet=True).out.decode()
    page = Page(text)
    assert len(page.all("table")) == 1
    assert rows_of(text) == [
        ["Thunder Pass", "5.9★ best", "3.0", "2.9", "adventure"],
        ["The Wrong Umbrella", "2.1", "2.9", "6.1★ best", "romance"],
        ["Two Left Boots", "5.2= tie", "3.6", "5.2= tie", "adventure"],
    ]
    shades = re.findall(r'class="n s ((?:l|m|h)\d+)', text)
    assert len(shades) == 9 and shades[5] == "h10"
    run("classify", *MOVIES, "-o", tmp_path / "t.html").check(quiet=True)
    assert (tmp_path / "t.html").read_text() == text
    run("classify", *MOVIES, "-o", tmp_path / "t.html.gz").check(quiet=True)
    assert (tmp_path / "t.html.gz").read_bytes()[:2] == b"\x1f\x8b"


def test_the_same_from_python(tmp_path: Path) -> None:
    features, weights = (SAMPLES / name for name in MOVIES)
    matscore.classify_file(features, weights, tmp_path / "t.html")
    assert len(rows_of((tmp_path / "t.html").read_text())) == 3


def test_rows_columns_and_decimals() -> None:
    options = ("--max-rows", "4", "--probabilities", "--margin", "--precision", "2")
    more = ("--keep-cols", "species")
    text = run("classify", "iris.csv", "iris_weights.csv", "-f", "html", *options, *more).out
    rows = rows_of(text.decode())
    assert len(rows) == 4 and len(rows[0]) == 1 + 1 + 3 + 1 + 3 + 1
    assert rows[0][:3] == ["iris-001", "setosa", "7.34★ best"]
    assert "and 146 more rows" in text.decode()


def test_zero_rows_and_hostile_labels(tmp_path: Path) -> None:
    heading = ["film", "action", "comedy"]
    features = write_csv(tmp_path / "f.csv", [heading])
    assert rows_of(run("classify", features, "genres.csv", "-f", "html").check().out.decode()) == []
    write_csv(features, [heading, *([label, 1, 2] for label in HOSTILE)])
    text = run("classify", features, "genres.csv", "-f", "html").check().out.decode()
    page = Page(text)
    assert len(page.all("script")) == 1 and HOSTILE[0] in page.text


@pytest.mark.parametrize("chunk_size", ["64", "1000"])
def test_the_same_for_every_chunk_size(chunk_size: str) -> None:
    argv = ("classify", "iris.csv", "iris_weights.csv", "-f", "html", "--max-rows", "30")
    assert run(*argv, "--chunk-size", chunk_size).out == run(*argv).out


def texts_of(svg: Path) -> str:
    return "".join(ElementTree.fromstring(svg.read_bytes()).itertext())


def test_a_plot_of_few_rows_is_a_heat_map(tmp_path: Path) -> None:
    path = tmp_path / "p.svg"
    done = run("classify", *MOVIES, "--plot", path).check(quiet=True)
    assert done.out == run("classify", *MOVIES).out
    first = path.read_bytes()
    comments = re.findall(rb"<!-- (.*?) -->", first)
    for text in (b"Thunder Pass", b"adventure", b"5.9"):
        assert text in comments
    run("classify", *MOVIES, "--plot", path).check(quiet=True)
    assert path.read_bytes() == first


def test_a_plot_of_many_rows_shows_distributions(tmp_path: Path) -> None:
    path = tmp_path / "p.svg"
    run("classify", "digits.csv", "digits_weights.csv", "--plot", path, "-j", "1").check(quiet=True)
    first = path.read_bytes()
    assert b"360 rows" in first and N_FIRST < 360
    options = ("-j", "2", "--chunk-size", "500")
    run("classify", "digits.csv", "digits_weights.csv", "--plot", path, *options).check(quiet=True)
    assert path.read_bytes() == first


def test_a_plot_as_png(tmp_path: Path) -> None:
    run("classify", *MOVIES, "--plot", tmp_path / "p.png").check(quiet=True)
    assert (tmp_path / "p.png").read_bytes()[:8] == PNG


def test_plots_of_nothing_and_of_hostile_labels(tmp_path: Path) -> None:
    heading = ["film", "action", "comedy"]
    features = write_csv(tmp_path / "f.csv", [heading])
    run("classify", features, "genres.csv", "--plot", tmp_path / "p.svg").check(quiet=True)
    labels = [*HOSTILE, "日本語", "x" * 10_000]
    write_csv(features, [heading, *([label, 1, 2] for label in labels), ["nan", "", 1]])
    options = ("--missing", "keep", "--plot", tmp_path / "p.svg")
    run("classify", features, "genres.csv", *options).check(quiet=True)
    texts_of(tmp_path / "p.svg")


def test_other_endings_are_refused_before_any_work(tmp_path: Path) -> None:
    done = run("classify", *MOVIES, "--plot", tmp_path / "p.pdf").check(2)
    assert "name a .svg or a .png file" in done.err and done.out == b""
    same = (tmp_path / "p.svg", "-o", tmp_path / "p.svg")
    done = run("classify", *MOVIES, "--plot", *same, "--report", tmp_path / "r.json").check(2)
    assert "two outputs are one file" in done.err
