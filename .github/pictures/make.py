"""Draw the README's pictures with the program's own renderers.

``python .github/pictures/make.py`` writes them again; with ``--check`` it only says which differ.

The page of a report is shown as Chromium paints it. What a page says, without its charts, which
differ between versions of Matplotlib, and without the last digits of its numbers, which differ
between processors, is kept as a digest in each picture, so that checking needs no browser; writing
leaves these pictures alone where there is none.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import re
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from matscore import OutputOptions, RunOptions, check_files, classify_file
from matscore.cli.report import make_report
from matscore.cli.session import Record
from matscore.numerics.statistics import Reasons
from matscore.pages.report import render_report
from matscore.show.picture import render_picture
from matscore.show.plan import render_plan
from matscore.show.scores import render_scores

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent

SCHEMES = {"report-light.png": "light", "report-dark.png": "dark"}

_BLACK, _RED, _GREEN, _YELLOW = (40, 44, 52), (240, 113, 120), (126, 211, 128), (240, 198, 116)
_BLUE, _MAGENTA, _CYAN, _WHITE = (122, 162, 247), (198, 146, 233), (108, 200, 214), (222, 226, 232)
_THEME = TerminalTheme(
    (24, 27, 33), _WHITE, [_BLACK, _RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _CYAN, _WHITE]
)
# Rich's own frame loads a font from the network; here the reader's own is stretched to the cells.
_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px;
}}
{styles}
</style>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix" xml:space="preserve">
{matrix}
</g>
</g>
</svg>
"""
# Rich's marks of where a line ends, and the clipping of each line, of which the last is missing.
_LEFT_OUT = re.compile(r'<text[^>]*>\s*</text>| clip-path="[^"]*"')


def main() -> int:
    """Draw, or compare; return an exit code."""
    with contextlib.chdir(ROOT):
        pictures = {
            "table.svg": draw_table(),
            "misfit.svg": draw_misfit(),
            "shapes.svg": draw_shapes(),
            "heat.svg": draw_heat(),
        }
        page = make_page()
    if "--check" not in sys.argv[1:]:
        for name, picture in pictures.items():
            (FOLDER / name).write_text(picture, encoding="utf-8")
        paint_page(page)
        return 0
    stale = [name for name, new in pictures.items() if read_picture(name) != new]
    stale += [name for name in SCHEMES if read_digest(FOLDER / name) != digest_of(page)]
    print(*(f"{name} is not what the program shows now" for name in stale), sep="\n")
    return int(bool(stale))


def draw_table() -> str:
    """Draw the scores of the first example."""
    features, weights = "sample_data/movies.csv", "sample_data/genres.csv"
    console = open_console(f"matscore classify {features} {weights}", width=68)
    render_scores(classify_file(features, weights, write=OutputOptions("table")), console)
    return draw(console, "table")


def draw_misfit() -> str:
    """Draw what is said of two matrices that fit only with one of them transposed."""
    features, weights = "sample_data/users.csv", "sample_data/films.csv"
    console = open_console(f"matscore classify {features} {weights}", width=80)
    render_plan(check_files(features, weights), console)
    return draw(console, "misfit")


def draw_shapes() -> str:
    """Draw the shapes of the same two matrices, and what a transpose would do."""
    features, weights = "sample_data/users.csv", "sample_data/films.csv"
    console = open_console(f"matscore check {features} {weights} --picture", width=80)
    render_picture(check_files(features, weights), console)
    return draw(console, "shapes")


def draw_heat() -> str:
    """Draw a table shaded by value."""
    features, weights = "sample_data/iris.csv", "sample_data/iris_weights.csv"
    command = f"matscore classify {features} {weights} --heatmap --max-rows 6"
    console = open_console(command, width=94, colors="truecolor")
    write = OutputOptions("table", max_rows=6)
    render_scores(classify_file(features, weights, write=write), console, heatmap=True)
    return draw(console, "heat")


def make_page() -> str:
    """Return the page of a report that says the same on every day and machine."""
    features, weights = "sample_data/iris.csv", "sample_data/iris_weights.csv"
    started = datetime(2026, 1, 5, 2, 15, tzinfo=UTC)
    record = Record(started, [features, weights], ["scores.csv", None], gather=("page",))
    run = RunOptions(checksum=True, gather=record.gather)
    record.summary = classify_file(features, weights, run=run)
    record.plans = record.summary.plans
    facts = make_report(record, 0.1, None)
    facts["command"] = f"classify {features} {weights} -o scores.csv --report r.html".split()
    for one in facts["inputs"]:
        one["mtime"] = started.isoformat()
    return render_report(facts, record.summary, Reasons())


def digest_of(page: str) -> str:
    """Return the digest of what a page says, without its charts and what its rows are sorted by."""
    said = re.sub(r'<svg class="chart".*?</svg>| data-v="[^"]*"', "", page, flags=re.DOTALL)
    return hashlib.sha256(said.encode()).hexdigest()


def read_digest(path: Path) -> str:
    """Return the digest that a picture was painted from, or nothing."""
    from PIL import Image

    if not path.exists():
        return ""
    with Image.open(path) as picture:
        return str(picture.info.get("page", ""))


def paint_page(page: str) -> None:
    """Have a browser paint a page, in light and dark, and keep the top of it."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        print("the page is not painted again, for want of chromium and chromedriver")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "page.html")
        path.write_text(page, encoding="utf-8")
        for name, scheme in SCHEMES.items():
            shot = take_shot(browser, driver, path, scheme)
            save_picture(shot, FOLDER / name, digest_of(page))


def take_shot(browser: str, driver: str, path: Path, scheme: str) -> bytes:
    """Return the top of a page as PNG."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={path.parent / scheme}")
    chrome: Any = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": 1000, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        chrome.get(path.as_uri())
        clip = {"x": 0, "y": 0, "width": 1000, "height": 1330, "scale": 1}
        wish = {"captureBeyondViewport": True, "format": "png", "clip": clip}
        return base64.b64decode(chrome.execute_cdp_cmd("Page.captureScreenshot", wish)["data"])
    finally:
        chrome.quit()


def save_picture(shot: bytes, path: Path, digest: str) -> None:
    """Keep a picture small: 64 colours are enough for a page."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    about = PngInfo()
    about.add_text("page", digest)
    with Image.open(io.BytesIO(shot)) as picture:
        few = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
        few.save(path, optimize=True, pnginfo=about)


def open_console(command: str, width: int, colors: Any = "standard") -> Console:
    """Return a terminal that is only recorded, after a command was typed in."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=width,
        force_terminal=True,
        color_system=colors,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
    console.print(Text("$ ", style="dim").append(command, style="bold not dim"))
    return console


def draw(console: Console, name: str) -> str:
    """Draw what was printed; the same text gives the same bytes."""
    picture = console.export_svg(
        title="", theme=_THEME, code_format=_FRAME, font_aspect_ratio=0.6, unique_id=name
    )
    texts = _LEFT_OUT.sub("", picture).replace("<text", "\n<text")
    return "".join(f"{line.strip()}\n" for line in texts.splitlines() if line.strip())


def read_picture(name: str) -> str:
    """Return a picture as it is kept, or nothing."""
    path = FOLDER / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
