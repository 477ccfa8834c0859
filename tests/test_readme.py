"""The README says what the program does: its examples run, its tables and pictures are current."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from matscore.cli.main import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAM: Any = typer.main.get_command(app)


def iter_options() -> Iterator[tuple[str, str]]:
    """Yield each command, the program itself first, with each of its options."""
    for command, params in [
        ("", PROGRAM.params),
        *((name, command.params) for name, command in PROGRAM.commands.items()),
    ]:
        for param in params:
            if param.param_type_name == "option":
                for name in (*param.opts, *param.secondary_opts):
                    yield command, name


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([".github/examples.py", "--check"], id="examples"),
        pytest.param(["-m", "cogapp", "--check", "README.md"], id="tables"),
        pytest.param([".github/pictures/make.py", "--check"], id="pictures"),
    ],
)
def test_what_the_program_wrote_is_current(command: list[str]) -> None:
    env = {name: value for name, value in os.environ.items() if name[:9] != "MATSCORE_"}
    ran = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=env | {"PYTHONUTF8": "1"},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, (ran.stdout + ran.stderr).decode()


@pytest.mark.parametrize(
    "command",
    [
        "python3 -m venv .venv && .venv/bin/pip install -q . && "
        ".venv/bin/matscore classify sample_data/movies.csv sample_data/genres.csv",
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest -q",
    ],
)
def test_commands_for_a_fresh_machine(command: str) -> None:
    assert f"```sh\n{command}\n```\n" in README


@pytest.mark.parametrize("command", list(PROGRAM.commands))
def test_command_has_an_example_and_a_reference(command: str) -> None:
    assert f"\n$ matscore {command} " in README
    assert f"\n## Options of `{command}`\n" in README


@pytest.mark.parametrize(("command", "option"), list(iter_options()))
def test_option_is_described(command: str, option: str) -> None:
    part = README.partition(f"\n## Options of `{command}`\n")[2].partition("\n## ")[0]
    assert re.search(f"`(?:matscore )?{option}[` ]", part if command else README)


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    links = re.findall(r'\]\(([^)]+)\)|src="([^"]+)"', README)
    assert len(links) >= 5
    for link in map("".join, links):
        assert link[1:] in anchors if link[0] == "#" else (ROOT / link).is_file(), link
