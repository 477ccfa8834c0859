"""The pages' tables of options, made from the program itself.

The pages call these functions in their cog blocks: ``python -m cogapp -r .github/docs/*.md`` writes
them again, with ``--check`` for ``-r`` it says whether they are current.
"""

from __future__ import annotations

import ast
import sys
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import typer

from matscore.cli.main import make_app
from matscore.fields import list_choices

_HEADINGS = ("Option", "Variable", "Default", "Meaning")


class Option(NamedTuple):
    """An option as a page shows it; its texts are Markdown."""

    panel: str
    names: str
    variable: str
    default: str
    meaning: str


def write_layers() -> str:
    """Return the layers that a test holds, from the ground up, and what each part of them owns."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.test_public_api import LAYERS, SOURCE

    rows = []
    for number, names in enumerate(LAYERS, start=1):
        for name in names:
            path = SOURCE.joinpath(*name.split("."))
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            if not name or not file.exists():
                continue
            owns = (ast.get_docstring(ast.parse(file.read_bytes())) or "").splitlines()[0]
            shown = f"{name}/" if path.is_dir() else file.name
            rows.append((str(number), f"`{shown}`", owns))
    return write_table(("Layer", "In `src/matscore/`", "Owns"), rows)


def write_options(command: str) -> str:
    """Return the options of a command, a table for each group of them."""
    groups: dict[str, list[Option]] = {}
    for option in find_options(command):
        groups.setdefault(option.panel, []).append(option)
    tables = (
        f"**{panel}**\n\n{write_table(_HEADINGS, [option[1:] for option in options])}"
        for panel, options in groups.items()
    )
    return "\n".join(tables)


def write_other_options(command: str, like: str) -> str:
    """Return the options of a command, shortened by those that another command has too."""
    known, options = find_options(like), find_options(command)
    shared = ", ".join(option.names for option in options if option in known)
    own = [option[1:] for option in options if option not in known]
    return f"As for [`{like}`]({like}.md): {shared}. And:\n\n{write_table(_HEADINGS, own)}"


def find_options(command: str) -> list[Option]:
    """Return the options of a command, in the order of its help."""
    group: Any = typer.main.get_command(make_app())
    found = group.commands[command]
    hints = typing.get_type_hints(found.callback)
    options = [
        describe_option(param, hints[param.name])
        for param in found.params
        if param.param_type_name == "option"
    ]
    panels = list(dict.fromkeys(option.panel for option in options))
    return sorted(options, key=lambda option: panels.index(option.panel))


def describe_option(param: Any, hint: object) -> Option:
    """Say what an option is called and what it does; `hint` is the type of its value."""
    names = sorted([*param.opts, *param.secondary_opts], key=lambda name: name[:2] != "--")
    if param.metavar and not param.is_flag:
        names[0] = f"{names[0]} {param.metavar}"
    default = param.show_default if isinstance(param.show_default, str) else param.default
    default = "" if default in (None, False) else str(default)
    choices = [f"`{choice}`" for choice in list_choices(hint)]
    one_of = f"{', '.join(choices[:-1])} or {choices[-1]}. " if choices else ""
    return Option(
        param.rich_help_panel,
        ", ".join(f"`{name}`" for name in names),
        f"`{param.envvar}`",
        f"`{default}`" if default and " " not in default else default,
        f"{one_of}{param.help}",
    )


def write_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown; a bar needs its backslash even inside backquotes."""
    lines = [headings, ["---"] * len(headings), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)
