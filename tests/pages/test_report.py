from __future__ import annotations

import html
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.helpers import ENVIRONMENT, SAMPLES, run, write_csv

MOVIES = ("movies.csv", "genres.csv")
HEADING = ["film", "action", "comedy"]
VOID = {"meta", "link", "input", "br"}


class Page(HTMLParser):
    """A page that was read strictly: every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["script"], ["style"]):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def report(folder: Path, *argv: str | Path, code: int = 0) -> Page:
    path = folder / "report.html"
    run("classify", *argv, "-o", folder / "out.csv", "--report", path).check(code)
    return Page(path.read_text(encoding="utf-8"))


def sections(page: Page) -> list[str | None]:
    return [attrs.get("id") for attrs in page.all("section")]


def test_what_is_on_the_page(tmp_path: Path) -> None:
    page = report(tmp_path, *MOVIES)
    assert sections(page) == [
        "shapes", "categories", "distributions", "closest", "first", "features", "weights",
        "inputs",
    ]  # fmt: skip
    for text in ("Scores of movies.csv", "3 rows read", "1 tie", "Two Left Boots", "the same 2"):
        assert text in page.text
    [digest] = re.findall(r"[0-9a-f]{64} movies", " ".join(page.text.split()[::-1])) or ["-"]
    assert digest


def test_nothing_comes_from_elsewhere(tmp_path: Path) -> None:
    page = report(tmp_path, "iris.csv", "iris_weights.csv")
    for tag, attrs in page.tags:
        for name in ("src", "href", "xlink:href", "action", "srcset", "poster", "data"):
            value = attrs.get(name)
            assert value is None or value[0] == "#" or value == "data:,", (tag, value)
    text = (tmp_path / "report.html").read_text()
    assert "@import" not in text and "url(" not in re.sub(r"url\(#", "", text)
    assert not re.findall(r"https?://(?!www\.w3\.org/)", text)
    [policy] = [a["content"] for a in page.all("meta") if "http-equiv" in a]
    assert policy is not None and policy.startswith("default-src 'none'; script-src 'sha256-")


def test_it_can_be_read_without_eyes(tmp_path: Path) -> None:
    page = report(tmp_path, "iris.csv", "iris_weights.csv")
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1
    assert len(page.all("table")) == len(page.all("caption")) >= 6
    assert all(head.get("scope") in ("col", "row") for head in page.all("th"))
    pictures = [attrs for _, attrs in page.tags if attrs.get("role") == "img"]
    assert len(pictures) == len(page.all("figure")) == len(page.all("svg")) == 3
    assert all(attrs["aria-label"] for attrs in pictures)
    assert all(attrs["aria-hidden"] == "true" for attrs in page.all("svg"))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


HOSTILE = [
    "<script>document.title='owned'</script>",
    "</style><h1>x</h1>",
    "</title></textarea></svg>-->",
    '" onmouseover="alert(1)',
    "{{ 7 * 7 }}{% raw %}",
    "$x^2$ \\frac{1}{0}",
    "javascript:alert(1)",
    "\x1b[31mred\u202eleft",
    "&lt;b&gt;&amp;",
]


def test_hostile_texts_are_shown_and_never_obeyed(tmp_path: Path) -> None:
    rows = [[label, 1, 2, label] for label in HOSTILE]
    names = ["label", HOSTILE[0], HOSTILE[1], HOSTILE[3]]
    features = write_csv(tmp_path / "</script><b>.csv".replace("/", "\\"), [names, *rows])
    weights = [["f", HOSTILE[2], HOSTILE[5]], [HOSTILE[0], 1, 2], [HOSTILE[1], 3, 1]]
    (tmp_path / "w.csv").write_text("")
    page = report(tmp_path, features, write_csv(tmp_path / "w.csv", weights))
    assert len(page.all("script")) == len(page.all("style")) == len(page.all("h1")) == 1
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    for label in HOSTILE:
        shown = label.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
        assert shown in page.text
    assert "49" not in [text.strip() for text in page.texts]


def test_long_names_are_cut_and_their_start_is_kept(tmp_path: Path) -> None:
    name = "n" * 10_000
    features = write_csv(tmp_path / "f.csv", [["id", name], ["l" * 10_000, 1]])
    weights = write_csv(tmp_path / "w.csv", [["f", "c" * 10_000, "d"], [name, 1, 2]])
    report(tmp_path, features, weights)
    assert (tmp_path / "report.html").stat().st_size < 120_000


def test_ten_thousand_rejected_rows(tmp_path: Path) -> None:
    bad = [["x", "5%", 1] if i % 2 else ["y", 1] for i in range(10_000)]
    features = write_csv(tmp_path / "f.csv", [HEADING, ["good", 1, 2], *bad])
    options = ("--on-error", "reject", "--rejects", tmp_path / "r.csv")
    page = report(tmp_path, features, SAMPLES / "genres.csv", *options)
    assert "10,000 rows rejected" in page.text
    assert page.text.count("5,000") == 2 and "the first 200 of 10,000" in page.text
    assert "write 0.05 for 5%" in page.text
    assert (tmp_path / "report.html").stat().st_size < 200_000


def test_too_many_rejects_are_told_by_reason_though_the_run_fails(tmp_path: Path) -> None:
    features = write_csv(tmp_path / "f.csv", [HEADING, *[["x", "?", 1]] * 30])
    options = ("--on-error", "reject", "--rejects", tmp_path / "r.csv", "--max-rejects", "5")
    page = report(tmp_path, features, SAMPLES / "genres.csv", *options, code=4)
    assert "failed, exit 4" in page.text and "The run failed." in page.text
    assert "rejects" in sections(page)
    assert not (tmp_path / "r.csv").exists()


def test_a_misfit_shows_both_shapes_and_the_command_that_works(tmp_path: Path) -> None:
    page = report(tmp_path, "users.csv", "films.csv", code=3)
    assert "3 × 4" in page.text and "2 × 4" in page.text and "4 against 2" in page.text
    assert "--transpose" in page.text


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    page = report(tmp_path, "none.csv", "genres.csv", code=5)
    assert "no such file" in page.text and sections(page) == ["inputs"]


def test_zero_rows_and_one_category(tmp_path: Path) -> None:
    features = write_csv(tmp_path / "f.csv", [HEADING])
    page = report(tmp_path, features, SAMPLES / "genres.csv")
    assert sections(page) == ["shapes", "weights", "inputs"] and "0 rows read" in page.text
    features = write_csv(tmp_path / "g.csv", [["id", "a"], ["x", 1], ["y", 2]])
    weights = write_csv(tmp_path / "w.csv", [["f", "risk"], ["a", 0.5]])
    page = report(tmp_path, features, weights)
    assert "categories" not in sections(page) and "distributions" in sections(page)


def test_extreme_numbers(tmp_path: Path) -> None:
    rows = [["a", 1e300, 1e-300], ["b", -1e300, 5e-324], ["c", 0, 0], ["d", "", 1]]
    features = write_csv(tmp_path / "f.csv", [HEADING, *rows])
    page = report(tmp_path, features, SAMPLES / "genres.csv", "--missing", "keep")
    assert "1e+300" in page.text and "1 with missing values" in page.text


def without_times(path: Path) -> str:
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d( UTC · [\d.e-]+ s)?", "…", path.read_text())
    return re.sub(r"<pre>matscore .*?</pre>", "…", text, flags=re.DOTALL)


@pytest.mark.parametrize("options", [("--chunk-size", "300"), ("-j", "2", "--chunk-size", "999")])
def test_the_same_page_for_every_chunk_size_and_job_count(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    for folder, more in (("one", ("-j", "1")), ("two", options)):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "r.html"
        run("classify", "digits.csv", "digits_weights.csv", "--report", path, *more).check()
    one, two = (without_times(tmp_path / folder / "r.html") for folder in ("one", "two"))
    assert one == two


def test_the_output_is_the_same_with_a_page(tmp_path: Path) -> None:
    done = run("classify", *MOVIES, "--report", tmp_path / "r.html").check(quiet=True)
    assert done.out == run("classify", *MOVIES).out


def test_two_reports_of_one_run(tmp_path: Path) -> None:
    paths = [tmp_path / "r.json", tmp_path / "r.html"]
    run("classify", *MOVIES, "--report", paths[0], "--report", paths[1]).check(quiet=True)
    assert paths[0].read_bytes()[:1] == b"{" and paths[1].read_bytes()[:9] == b"<!doctype"
    for path in paths:
        path.unlink()
    run("classify", *MOVIES, env={"MATSCORE_REPORT": ":".join(map(str, paths))}).check(quiet=True)
    assert all(path.exists() for path in paths)
    done = run("classify", *MOVIES, "--report", paths[0], "--report", paths[0]).check(2)
    assert "two outputs are one file" in done.err


WITHOUT = """
import sys
for name in ("jinja2", "matplotlib"):
    sys.modules[name] = None  # as if it was not installed
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: (
    None if name in ("jinja2", "matplotlib") else found(name, *more))
from matscore.cli.main import main
sys.argv[1:] = {argv!r}
main()
"""


@pytest.mark.parametrize(
    ("option", "what"),
    [("--report", "a report as a page"), ("--plot", "--plot"), ("-o", "an HTML table")],
)
def test_without_the_extra_it_says_so_before_any_work(
    tmp_path: Path, option: str, what: str
) -> None:
    path = str(tmp_path / ("p.svg" if option == "--plot" else "r.html"))
    argv = ["classify", *MOVIES, option, path]
    done = run_python(WITHOUT.format(argv=argv))
    assert done.returncode == 2
    message = f"matscore: {what} needs an optional package; pip install 'matscore[report]'\n"
    assert done.stderr == message and done.stdout == ""
    assert list(tmp_path.iterdir()) == []
    done = run_python(WITHOUT.format(argv=["classify", *MOVIES, "--report", f"{path}.json"]))
    assert done.returncode == 0 and done.stdout


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=SAMPLES,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_loaded_unless_asked_for() -> None:
    code = f"""
import sys
from matscore.cli.main import make_app
try:
    make_app()({["classify", *MOVIES]!r}, standalone_mode=False)
finally:
    print([name for name in ("jinja2", "matplotlib", "markupsafe") if name in sys.modules])
"""
    assert run_python(code).stdout.endswith("[]\n")


def test_the_page_is_silent_where_no_cache_can_be_kept(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "matscore", "classify", *MOVIES, "--report", tmp_path / "r.html"],
        cwd=SAMPLES,
        env=ENVIRONMENT | {"HOME": "/proc/none", "MPLCONFIGDIR": "/proc/none"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""


def test_escaping_is_seen_by_this_reader() -> None:
    """The tests above would pass on a page that says nothing."""
    assert Page(f"<p>{html.escape(HOSTILE[0])}</p>").text == HOSTILE[0]
    with pytest.raises(AssertionError):
        Page("<p><b></p>")
