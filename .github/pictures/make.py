"""Draw the README's pictures with the program's own renderers.

``python .github/pictures/make.py`` writes them again; with ``--check`` it only says which differ.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from matscore import OutputOptions, check_files, classify_file
from matscore.cli.plan_text import render_plan
from matscore.cli.table import render_scores

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent

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
        pictures = {"table.svg": draw_table(), "misfit.svg": draw_misfit()}
    if "--check" not in sys.argv[1:]:
        for name, picture in pictures.items():
            (FOLDER / name).write_text(picture, encoding="utf-8")
        return 0
    stale = [name for name, new in pictures.items() if read_picture(name) != new]
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


def open_console(command: str, width: int) -> Console:
    """Return a terminal that is only recorded, after a command was typed in."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=width,
        force_terminal=True,
        color_system="standard",
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
