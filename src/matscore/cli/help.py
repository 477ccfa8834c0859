"""Help as plain text, options in their groups: it is there at once, on a terminal and in a pager.

Typer's own help loads rich's Markdown first, which takes longer than all else that help needs.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


class PlainCommand(TyperCommand):
    """A command whose help is plain text."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Show help where nothing else is asked for, before options are looked at."""
        _help_alone(self, ctx, args)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the parts of the help."""
        _format_parts(self, ctx, formatter)

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


class PlainGroup(TyperGroup):
    """The program, whose help is plain text too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Show help where nothing else is asked for."""
        _help_alone(self, ctx, args)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the parts of the help."""
        _format_parts(self, ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each command with the first sentence of its help, whole."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, c.get_short_help_str(200)) for name, c in commands if c and not c.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _help_alone(command: PlainCommand | PlainGroup, ctx: Any, args: list[str]) -> None:
    is_asked = len(args) == 1 and args[0] in ctx.help_option_names
    is_empty = not args and command.no_args_is_help
    if (is_asked or is_empty) and not ctx.resilient_parsing:
        print(ctx.get_help())
        ctx.exit(0 if is_asked else 2)


def _format_parts(command: PlainCommand | PlainGroup, ctx: Any, formatter: Any) -> None:
    command.format_usage(ctx, formatter)
    command.format_help_text(ctx, formatter)
    command.format_options(ctx, formatter)
