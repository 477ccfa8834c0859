"""Pages as a person meets them: opened from their file in a real browser.

They need Chromium and its driver, on Debian ``apt-get install chromium chromium-driver``.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import SAMPLES, read_csv, run, write_csv
from tests.pages.test_report import HOSTILE

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1200,900",
)  # fmt: skip
HEADING = ["film", "action", "comedy"]
AA = 4.5

# Every text with its ink, its size and all that is painted under it.
LIST_TEXTS = """
const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const texts = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim();
  const element = walker.currentNode.parentElement;
  if (!text || element.closest("script, style, .hidden, .skip")) continue;
  if (!element.checkVisibility()) continue;
  const style = getComputedStyle(element);
  const ink = element.closest("svg") ? style.fill : style.color;
  const grounds = [];
  for (let up = element; up; up = up.parentElement) {
    const ground = parse(getComputedStyle(up).backgroundColor);
    if (ground.length === 3) { grounds.push(ground); break; }
  }
  const bar = element.classList.contains("over") && element.previousElementSibling;
  if (bar) grounds.push(parse(getComputedStyle(bar).backgroundColor));
  const box = element.closest("svg.falk g") && element.previousElementSibling;
  if (box && box.tagName === "rect" && element.classList.contains("size"))
    grounds.push(parse(getComputedStyle(box).fill));
  texts.push([text.slice(0, 60), parse(ink), grounds]);
}
return texts;
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no browser here: Chromium and chromedriver are not installed")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    profile = tempfile.mkdtemp()
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    rejects = ("--on-error", "reject", "--rejects", folder / "r.csv", "--missing", "keep")
    bad = [["x", "5%", 1] if i % 2 else ["y", 1] for i in range(10_000)]
    rng_rows = [[f"film {i}", i % 7, (i * 5) % 11] for i in range(300)]
    many = write_csv(folder / "many.csv", [HEADING, *rng_rows, ["m", "", 1], *bad])
    empty = write_csv(folder / "empty.csv", [HEADING])
    names = ["label", *HOSTILE[:3], "n" * 10_000]
    rows = [[label, 1, 2, i, 0] for i, label in enumerate([*HOSTILE, "l" * 10_000])]
    hostile = write_csv(folder / "<img src=x onerror=alert(1)>.csv", [names, *rows])
    weights: list[list[Any]] = [["f", HOSTILE[0], HOSTILE[1], "c" * 10_000]]
    weights += [[name, i, 1, 2] for i, name in enumerate(names[1:])]
    commands: dict[str, tuple[Any, ...]] = {
        "iris": ("iris.csv", "iris_weights.csv"),
        "digits": ("digits.csv", "digits_weights.csv"),
        "rejects": (many, SAMPLES / "genres.csv", *rejects),
        "empty": (empty, SAMPLES / "genres.csv"),
        "hostile": (hostile, write_csv(folder / "w.csv", weights)),
        "misfit": ("users.csv", "films.csv"),
    }
    commands = {name: ("classify", *argv) for name, argv in commands.items()}
    users = write_csv(folder / "users.csv", [HEADING, *rng_rows])
    items = write_csv(folder / "items.csv", [HEADING, *rng_rows[:40]])
    one = write_csv(
        folder / "one.csv", [row[::3] for row in read_csv(SAMPLES / "iris_weights.csv")]
    )
    commands |= {
        "recommend": ("recommend", users, items),
        "evaluate": ("evaluate", "digits.csv", "digits_weights.csv", "--truth", "digit"),
        "rest": ("evaluate", "iris.csv", "iris_weights.csv", "--truth", "species", "--one-vs-rest"),
        "binary": ("evaluate", "iris.csv", one, "--truth", "species"),
        "fit": ("fit", "iris.csv", "--target", "species"),
        "explain": ("explain", "iris.csv", "iris_weights.csv"),
    }
    paths = {}
    for name, argv in commands.items():
        paths[name] = folder / f"{name}.html"
        run(*argv, "-o", folder / "o.csv", "--report", paths[name])
    paths["table"] = folder / "table.html"
    run("classify", "iris.csv", "iris_weights.csv", "-o", paths["table"]).check()
    return paths


NAMES = [
    "iris", "digits", "rejects", "empty", "hostile", "misfit", "recommend", "evaluate", "rest",
    "binary", "fit",
    "explain", "table",
]  # fmt: skip


def visit(browser: Any, page: Path, *, scheme: str = "light", media: str = "screen") -> None:
    wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in wishes.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    browser.get_log("performance")
    browser.get(page.as_uri())


def messages_of(browser: Any) -> list[dict[str, Any]]:
    return [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]


def requests_of(browser: Any) -> list[str]:
    sent = [m["params"] for m in messages_of(browser) if m["method"] == "Network.requestWillBeSent"]
    return [params["request"]["url"] for params in sent]


def rows_of(table: Any) -> list[list[str]]:
    script = (
        "return [...arguments[0].tBodies[0].rows].filter((r) => !r.hidden)"
        ".map((r) => [...r.cells].map((c) => c.textContent))"
    )
    rows: list[list[str]] = table.parent.execute_script(script, table)
    return rows


def find(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def find_all(browser: Any, selector: str) -> list[Any]:
    found: list[Any] = browser.find_elements("css selector", selector)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_it_opens_in_silence_and_asks_nobody(
    browser: Any, pages: dict[str, Path], name: str
) -> None:
    visit(browser, pages[name])
    assert browser.get_log("browser") == []
    urls = [url for url in requests_of(browser) if url != "data:,"]
    assert urls == [pages[name].as_uri()]
    assert find(browser, "h1").text and browser.title


def ratio(one: list[float], other: list[float]) -> float:
    def luminance(color: list[float]) -> float:
        parts = [part / 255 for part in color[:3]]
        red, green, blue = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_every_text_has_the_contrast_of_aa(
    browser: Any, pages: dict[str, Path], name: str, scheme: str
) -> None:
    visit(browser, pages[name], scheme=scheme)
    texts = browser.execute_script(LIST_TEXTS)
    assert len(texts) >= 15
    low = [
        (text, ratio(ink, ground))
        for text, ink, grounds in texts
        for ground in grounds
        if ratio(ink, ground) < AA
    ]
    assert low == []
    assert all(grounds for _, _, grounds in texts)


def test_light_and_dark_by_the_system_and_by_the_button(
    browser: Any, pages: dict[str, Path]
) -> None:
    def ground() -> str:
        script = "return getComputedStyle(document.body).backgroundColor"
        shown: str = browser.execute_script(script)
        return shown

    visit(browser, pages["iris"], scheme="light")
    light = ground()
    visit(browser, pages["iris"], scheme="dark")
    dark = ground()
    assert light != dark
    button = find(browser, "button.theme")
    seen = [(button.text, ground())]
    for _ in range(3):
        button.click()
        seen.append((button.text, ground()))
    assert seen == [
        ("Colours: auto", dark),
        ("Colours: light", light),
        ("Colours: dark", dark),
        ("Colours: auto", dark),
    ]


def test_charts_take_the_colours_of_the_page(browser: Any, pages: dict[str, Path]) -> None:
    script = "return getComputedStyle(document.querySelector('.chart text')).fill"
    fills = []
    for scheme in ("light", "dark"):
        visit(browser, pages["iris"], scheme=scheme)
        fills.append(browser.execute_script(script))
    assert fills[0] != fills[1]


def test_tables_sort(browser: Any, pages: dict[str, Path]) -> None:
    visit(browser, pages["iris"])
    table = find(browser, "#closest table")
    margin = table.find_elements("css selector", "thead th")[-1]
    button = margin.find_element("css selector", "button")
    before = rows_of(table)
    button.click()
    assert margin.get_attribute("aria-sort") == "descending"
    assert rows_of(table) == before[::-1]
    button.click()
    assert margin.get_attribute("aria-sort") == "ascending"
    assert rows_of(table) == before
    table.find_element("css selector", "thead th button").click()
    labels = [row[0] for row in rows_of(table)]
    assert labels == sorted(labels) and margin.get_attribute("aria-sort") is None


def test_numbers_sort_as_numbers(browser: Any, pages: dict[str, Path]) -> None:
    visit(browser, pages["digits"])
    table = find(browser, "#weights table")
    table.find_elements("css selector", "thead button")[1].click()
    values = [float(row[1]) for row in rows_of(table)]
    assert values == sorted(values, reverse=True) and values[0] > 0 > values[-1]


def test_tables_filter(browser: Any, pages: dict[str, Path]) -> None:
    visit(browser, pages["rejects"])
    each = find_all(browser, "#rejects table")[1]
    box = find(browser, "#rejects input")
    assert len(rows_of(each)) == 200
    box.send_keys("5%")
    assert len(rows_of(each)) == 100
    assert find(browser, "#rejects [role=status]").text == "100 of 200 rows"
    box.clear()
    box.send_keys("no such row")
    assert rows_of(each) == []
    assert find(browser, "#rejects label").text == "Filter rows"


def test_hostile_texts_do_nothing(browser: Any, pages: dict[str, Path]) -> None:
    visit(browser, pages["hostile"])
    assert browser.title.startswith("Scores of ") and "<img src=x onerror=" in browser.title
    texts = find(browser, "body").text
    for label in HOSTILE[:5]:
        assert label in texts
    assert find_all(browser, "img, iframe, object, textarea") == []
    assert len(find_all(browser, "h1")) == 1
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1200


def test_a_script_of_others_would_not_run(browser: Any, pages: dict[str, Path]) -> None:
    """Even if one got past the escaping."""
    text = pages["iris"].read_text(encoding="utf-8")
    broken = pages["iris"].with_name("broken.html")
    attack = "<script>document.title = 'owned'</script><img src='https://example.org/x'>"
    broken.write_text(text.replace("<footer>", f"{attack}<footer>"), encoding="utf-8")
    visit(browser, broken)
    assert browser.title == "Scores of iris.csv"
    log = [entry["message"] for entry in browser.get_log("browser")]
    assert len(log) == 2 and all("Content Security Policy" in message for message in log)
    failed = [m["params"] for m in messages_of(browser) if m["method"] == "Network.loadingFailed"]
    assert [params["blockedReason"] for params in failed] == ["csp"]


def test_it_is_whole_without_scripts(browser: Any, pages: dict[str, Path]) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        visit(browser, pages["rejects"])
        snapshot = browser.execute_cdp_cmd("DOMSnapshot.captureSnapshot", {"computedStyles": []})
        texts = snapshot["strings"]
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert {"10,000", "write 0.05 for 5%", "TABLE"} <= set(texts)
    assert not {"INPUT", "BUTTON"} & set(texts)  # which the script makes


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("name", NAMES)
def test_no_page_is_wider_than_the_screen(
    browser: Any, pages: dict[str, Path], name: str, width: int
) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        visit(browser, pages[name])
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_print_is_light_and_without_controls(browser: Any, pages: dict[str, Path]) -> None:
    visit(browser, pages["iris"], scheme="dark", media="print")
    for selector in ("nav", ".theme", ".filter"):
        assert not find(browser, selector).is_displayed()
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    texts = browser.execute_script(LIST_TEXTS)
    assert all(ratio(ink, ground) >= AA for _, ink, grounds in texts for ground in grounds)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert browser.execute_cdp_cmd("Page.printToPDF", {})["data"]


def test_keys_reach_every_control(browser: Any, pages: dict[str, Path]) -> None:
    from selenium.webdriver.common.keys import Keys

    visit(browser, pages["iris"])
    find(browser, "body").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the content"
    script = "return [...document.querySelectorAll('button, input, a, .scroll')].every((e) => "
    assert browser.execute_script(script + "e.tabIndex >= 0)")
