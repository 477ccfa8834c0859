"""The program: its commands, and what happens around every one of them."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

import matscore


class _PlainHelp:
    """Help as plain text, options in their groups: there at once, on a terminal and in a pager.

    Typer's own loads rich's Markdown first, which takes longer than all else that help needs.
    """

    def parse_args(self: Any, ctx: Any, args: list[str]) -> list[str]:
        # Help that is asked for alone is shown before Typer looks at the options.
        is_asked = len(args) == 1 and args[0] in ctx.help_option_names
        is_empty = not args and self.no_args_is_help
        if (is_asked or is_empty) and not ctx.resilient_parsing:
            print(ctx.get_help())
            ctx.exit(0 if is_asked else 2)
        parsed: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        return parsed

    def format_help(self: Any, ctx: Any, formatter: Any) -> None:
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_options(ctx, formatter)


class _Command(_PlainHelp, TyperCommand):
    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options, group by group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                is_argument = parameter.param_type_name == "argument"
                panel = getattr(parameter, "rich_help_panel", None) or "Options"
                groups.setdefault("Arguments" if is_argument else panel, []).append(record)
        for panel, records in groups.items():
            with formatter.section(panel):
                formatter.write_dl(records)


class _Group(_PlainHelp, TyperGroup):
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each command with the first sentence of its help, whole."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, c.get_short_help_str(200)) for name, c in commands if c and not c.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"matscore {matscore.__version__}")
        raise typer.Exit


def explain_program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Score CSV files with a linear model: scores = features @ weights (+ intercept)."""


def make_app(argv: Sequence[str] = ()) -> typer.Typer:
    """Make the program, or what of it some arguments ask for, which starts sooner."""
    app = typer.Typer(
        name="matscore",
        cls=_Group,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback()(explain_program)
    if list(argv) == ["--version"]:
        return app
    from matscore.cli.build import build
    from matscore.cli.commands import COMMANDS

    # A name that is no command (or an option before it) needs them all, to be told what there is.
    for name in argv[:1] if argv and argv[0] in COMMANDS else COMMANDS:
        app.command(name, cls=_Command, no_args_is_help=True)(build(COMMANDS[name], argv[1:]))
    return app


def main() -> NoReturn:
    """Run the command line and exit with one of the documented codes."""
    from matscore.cli.process import guard_process

    # One thread of BLAS beside each of ours; it must be said before NumPy is loaded.
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
    guard_process()
    code = 0
    warnings.showwarning = _show_warning
    try:
        make_app(sys.argv[1:])(prog_name="matscore")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException as error:
        from matscore.cli.process import find_stop, open_streams, report_failure

        code = report_failure(find_stop(error), open_streams().err_console(), sys.argv[1:])
    _leave(code)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Say a warning of ours in a line; any other one as Python does."""
    from matscore.cli.process import open_streams
    from matscore.errors import ClusterWarning
    from matscore.names import show

    if issubclass(category, ClusterWarning):
        open_streams().err_console().print(show(f"matscore: {message}"), soft_wrap=True)
    else:
        print(f"{category.__name__}: {message}", file=sys.stderr)


def _leave(code: int) -> NoReturn:
    """Exit without the interpreter's own complaints about a pipe that nobody reads."""
    # Nor does it wait for threads, of which one may sit in a read that never returns.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
