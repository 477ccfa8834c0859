"""The manual page, made from the program's own help and the README's exit codes.

``python .github/man.py`` writes ``.github/matscore.1`` again, which the wheel installs; with
``--check`` it only says whether it is current.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import reference
import typer

import matscore
from matscore.cli.main import make_app

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / ".github" / "matscore.1"
PROGRAM: Any = typer.main.get_command(make_app())

_EXAMPLES = (
    ("Score rows and look at them.", "matscore classify films.csv weights.csv"),
    ("See whether two files fit, as a picture.", "matscore check users.csv films.csv --picture"),
    (
        "Every night: the scores, the bad rows aside, and a page to look at.",
        "matscore classify today.csv weights.csv -o scores.csv.gz \\\n    --on-error reject "
        "--rejects rejects.csv --report report.html",
    ),
    ("From a pipe into a pipe.", "zcat films.csv.gz | matscore classify - weights.csv | head"),
)


def main() -> int:
    """Write the page, or compare; return an exit code."""
    page = write_page()
    if "--check" not in sys.argv[1:]:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
        return 0
    is_current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page
    if not is_current:
        print(f"{PAGE.relative_to(ROOT)} is not what the program says now")
    return int(not is_current)


def write_page() -> str:
    """Return the page in roff, with the macros of ``man``."""
    return "".join(f"{line}\n" for line in iter_lines())


def iter_lines() -> Iterator[str]:
    """Yield the lines of the page."""
    yield '.\\" Made by .github/man.py from the program itself.'
    yield f'.TH MATSCORE 1 "" "matscore {matscore.__version__}" "User Commands"'
    yield ".SH NAME"
    yield "matscore \\- score CSV files with a linear model, from the shell"
    yield ".SH SYNOPSIS"
    for name, command in PROGRAM.commands.items():
        yield ".br"
        yield f".B matscore {name}"
        yield f"[\\fIOPTIONS\\fR] {' '.join(list_arguments(command))}"
    yield ".SH DESCRIPTION"
    yield escape(
        "matscore scores the rows of a file with a linear model: it computes scores = features @ "
        "weights (+ intercept) and names the category with the highest score. What it cannot read "
        "with certainty it refuses, with the file, the line, the column and what to do."
    )
    yield ".SH COMMANDS"
    for name, command in PROGRAM.commands.items():
        yield ".TP"
        yield f".B {name}"
        yield escape(first_line(command))
    for name, command in PROGRAM.commands.items():
        yield from iter_command(name, command)
    yield ".SH EXIT STATUS"
    for code, meaning in read_exit_codes():
        yield ".TP"
        yield f".B {escape(code)}"
        yield escape(meaning)
    yield ".SH ENVIRONMENT"
    yield escape(
        "Every option can be set by the variable that stands beside it; the command line wins. "
        "`NO_COLOR`, `FORCE_COLOR` and `TERM=dumb` are obeyed."
    )
    yield ".SH EXAMPLES"
    for words, line in _EXAMPLES:
        yield ".PP"
        yield escape(words)
        yield from (".PP", ".nf", ".RS", *map(escape, line.split("\n")), ".RE", ".fi")


def iter_command(name: str, command: Any) -> Iterator[str]:
    """Yield the section of a command."""
    yield f".SH {name.upper()}"
    yield f".B matscore {name}"
    yield f"[\\fIOPTIONS\\fR] {' '.join(list_arguments(command))}"
    for paragraph in inspect.cleandoc(command.help).split("\n\n"):
        yield ".PP"
        yield escape(" ".join(paragraph.split()))
    for param in command.params:
        if param.param_type_name == "argument":
            yield ".TP"
            yield f"\\fI{escape((param.metavar or param.name).strip('[]'))}\\fR"
            yield escape(param.help)
    panel = ""
    for option in reference.find_options(name):
        if option.panel != panel:
            panel = option.panel
            yield f".SS {escape(panel)}"
        yield ".TP"
        yield escape(option.names)
        default = f" Without it: {option.default}." if option.default else ""
        yield escape(f"{option.meaning}{default} [{option.variable}]")


def list_arguments(command: Any) -> list[str]:
    """Return how the arguments of a command are written."""
    found = [param for param in command.params if param.param_type_name == "argument"]
    names = [(param.metavar or param.name).strip("[]") for param in found]
    shown = [f"\\fI{escape(name)}\\fR" for name in names]
    return [
        text if param.required else f"[{text}]" for text, param in zip(shown, found, strict=True)
    ]


def first_line(command: Any) -> str:
    """Return the first sentence of a command's help."""
    return " ".join(inspect.cleandoc(command.help).split("\n\n")[0].split())


def read_exit_codes() -> list[tuple[str, str]]:
    """Return the exit codes that the README lists."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("\n## Exit codes\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", table, re.MULTILINE)
    return rows[1:]


def escape(text: str) -> str:
    r"""Write text so that roff shows it as it is; what is in backquotes is bold.

    Examples
    --------
    >>> print(escape("`--id-col NAME`: a\\b"))
    \fB\-\-id\-col NAME\fR: a\eb
    """
    shown = text.replace("\\", "\\e").replace("-", "\\-")
    shown = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", shown)
    shown = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in shown)
    return f"\\&{shown}" if shown[:1] in (".", "'") else shown


if __name__ == "__main__":
    sys.exit(main())
