"""Groups of options into a command that Typer understands, and its values back into groups."""

from __future__ import annotations

import inspect
import keyword
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from matscore.fields import Option, Options

G = TypeVar("G", bound=Options)
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Argument:
    """A file that is named without an option."""

    name: str
    help: str
    kind: Any = str
    metavar: str = ""  # the name in capitals, unless something else is said
    default: Any = inspect.Parameter.empty


@dataclass(frozen=True)
class Command:
    """What is done, and what can be said to it.

    `flags` are the long names of its options, in their order; each is looked for in `groups`, in
    theirs. `changes` are the attributes of an `Option` that are others for this command.
    """

    work: Callable[..., None]
    arguments: Sequence[Argument]
    known: Sequence[type[Options] | str]  # groups, those of other rooms as "module:name"
    flags: str
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def groups(self) -> tuple[type[Options], ...]:
        """The groups; those of other rooms are loaded for their command alone."""
        return tuple(_load(one) if isinstance(one, str) else one for one in self.known)

    def list_options(self) -> list[Option]:
        """Return the options in their order."""
        known: dict[str, Option] = {}
        for option in (one for group in self.groups for one in group.OPTIONS if one.names):
            known.setdefault(option.flag, option)
        return [replace(known[flag], **self.changes.get(flag, {})) for flag in self.flags.split()]

    def list_said(self, argv: Sequence[str]) -> list[Option]:
        """Return the options that arguments or the environment say, or have a default of their own.

        Typer looks at every option that it is told of, which is a tenth of the start. One that is
        not known, and several in one word, need them all.
        """
        options = self.list_options()
        said = {word.partition("=")[0] for word in argv if word.startswith("-") and word != "-"}
        if not argv or not said <= {name for one in options for name in one.spellings}:
            return options
        changed = {flag for flag, change in self.changes.items() if "default" in change}
        return [
            one
            for one in options
            if said & one.spellings or one.flag in changed or one.variable in os.environ
        ]


def _load(name: str) -> type[Options]:
    module, _, group = name.partition(":")
    found: type[Options] = getattr(import_module(module), group)
    return found


class Given:
    """What was said on the command line."""

    def __init__(self, options: Sequence[Option], values: Values) -> None:
        self._options, self._values = options, values

    def __call__(self, group: type[G], **more: Any) -> G:
        """Make a group of what was said, and of fields that something else decides."""
        # What was not said is left to the group, so that a default stands in one place.
        said: dict[str, Any] = {}
        for option in self._options:
            if option.group is group:
                said |= option.as_fields(self._values[_name(option)])
        return group(**said | more)


def build(command: Command, argv: Sequence[str] = ()) -> Callable[..., None]:
    """Return a function with the signature that Typer reads, or what some arguments need of it."""
    # Typer knows a command by its function's signature alone: this one has any that it is given.
    options, arguments = command.list_said(argv), command.arguments

    def run(**values: Any) -> None:
        command.work(Given(options, values), *(values[one.name] for one in arguments))

    parameters = [*map(_declare_argument, arguments), *map(_declare_option, options)]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__name__, run.__doc__ = command.work.__name__, command.work.__doc__
    return run


def _name(option: Option) -> str:
    name = option.flag.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


def _declare_argument(argument: Argument) -> inspect.Parameter:
    metavar = argument.metavar or argument.name.upper()
    about = typer.Argument(metavar=metavar, help=argument.help, show_default=False)
    return _declare(argument.name, argument.kind, argument.default, about)


def _declare_option(option: Option) -> inspect.Parameter:
    kind, default = _find_type(option)
    settings = dict(option.settings)
    if option.parse is not None:
        settings["parser"] = _complain(option.parse)
    about = typer.Option(
        *option.names, help=option.help, envvar=option.variable, show_envvar=False,
        rich_help_panel=option.panel, **settings,
    )  # fmt: skip
    return _declare(_name(option), kind, default, about)


def _declare(name: str, kind: Any, default: Any, about: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, about]
    )


def _find_type(option: Option) -> tuple[Any, Any]:
    """Return the type and the default of an option's value, which are not always its field's."""
    # An option that can be given twice is a list for Typer, and None where it was not given.
    if option.kind == tuple[Path, ...]:
        return list[Path] | None, None
    # A switch is off until it is said, whatever it means for its field (--no-scores).
    if option.settle is not None and option.kind is bool:
        return bool, False
    if option.settle is not None or option.kind in (tuple[str, ...], str | Path | None):
        return str | None, None
    return option.kind, option.default


def _complain(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Say what a text should be as Typer does."""

    def read(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return read
