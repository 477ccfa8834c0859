"""What a field of a group says of itself: its option on the command line, its help, its limits."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import UnionType
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from matscore.errors import UsageError

G = TypeVar("G", bound="Options")

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


@dataclass(frozen=True)
class Option:
    """What a field is on the command line."""

    help: str
    panel: str  # of the help
    names: tuple[str, ...]  # as Typer takes them; empty where only Python can say it
    settings: Mapping[str, Any]  # metavar, min, max and show_default, for Typer
    set_by: str = ""  # an environment variable that is not named after the option
    doc: str = ""  # what Python users read instead of the help
    parse: Callable[[str], Any] | None = None  # raises ValueError with what the text should be
    settle: Callable[[Any], dict[str, Any]] | None = None  # a value into the fields that it means
    group: type = object
    field: str = ""
    kind: Any = None  # the field's type
    default: Any = None

    @property
    def flag(self) -> str:
        """The long name without its dashes."""
        long = next(name for name in self.names if name.startswith("--"))
        return long.split("/")[0][2:]

    @property
    def spellings(self) -> frozenset[str]:
        """All that can be written for it, a switch's other half too."""
        return frozenset(one for name in self.names for one in name.strip(" /").split("/"))

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return self.set_by or "MATSCORE_" + self.flag.upper().replace("-", "_")

    def as_fields(self, value: Any) -> dict[str, Any]:
        """Turn a value of the command line into fields of the group; None leaves the default."""
        if value is None:
            return {}
        if self.settle is not None:
            return self.settle(value)
        if self.kind == tuple[str, ...]:
            return {self.field: split_list(self.flag, value)}
        return {self.field: tuple(value) if isinstance(value, list) else value}

    def refuse(self, value: Any) -> None:
        """Refuse a value of the field that the command line would not take."""
        if value is None:
            return
        # Typer checks the same from the same settings; here Python users meet it.
        choices = list_choices(self.kind)
        if choices and value not in choices:
            hint = f"say one of {', '.join(choices)}"
            raise UsageError(f"{self.field} cannot be {value!r}", hint)
        if self.parse is not None and isinstance(value, str):
            try:
                self.parse(value)
            except ValueError as error:
                raise UsageError(f"{self.field} cannot be {value!r}", str(error)) from error
        low, high = self.settings.get("min"), self.settings.get("max")
        # Said the long way round, as NaN is neither above a limit nor under it.
        if (low is not None and not value >= low) or (high is not None and not value <= high):
            limits = f"{low} or more" if high is None else f"a number from {low} to {high}"
            raise UsageError(f"{self.field} cannot be {value!r}", f"give it {limits}")


def option(
    default: Any,
    panel: str,
    help: str,
    *names: str,
    set_by: str = "",
    doc: str = "",
    parse: Callable[[str], Any] | None = None,
    settle: Callable[[Any], dict[str, Any]] | None = None,
    **settings: Any,
) -> Any:
    """Declare a field that is an option, as `Option` has it."""
    about = Option(help, panel, names, settings, set_by, doc, parse, settle)
    return field(default=default, metadata={"option": about})


def plain(default: Any, help: str) -> Any:
    """Declare a field that only Python can set."""
    return option(default, "", help)


class Options:
    """A group of options: a frozen dataclass whose fields are made by `option` or `plain`."""

    OPTIONS: ClassVar[tuple[Option, ...]]  # in the order of the fields; set by `group`

    def check(self) -> None:
        """Refuse values that have no meaning.

        Raises
        ------
        UsageError
            A word is none of the choices, or a number is out of its limits.
        """
        for one in self.OPTIONS:
            one.refuse(getattr(self, one.field))


def group(cls: type[G]) -> type[G]:
    """Collect the options of a dataclass, and add them to its docstring."""
    cls.OPTIONS = tuple(
        replace(one.metadata["option"], group=cls, field=one.name, kind=one.type,
                default=one.default)
        for one in fields(cls)  # type: ignore[arg-type]  # each group is a dataclass
    )  # fmt: skip
    lines = [
        f"    {one.field} : {_name_type(one.kind)}, default {one.default!r}\n"
        f"        {one.doc or one.help}\n"
        for one in cls.OPTIONS
    ]
    cls.__doc__ = f"{cls.__doc__}\n\n    Attributes\n    ----------\n{''.join(lines)}    "
    return cls


def _name_type(kind: Any) -> str:
    name = kind.__name__ if isinstance(kind, type) else str(kind)
    return re.sub(r"\b(typing|pathlib|collections\.abc)\.", "", name)


def list_choices(kind: Any) -> tuple[str, ...]:
    """Return the words of a `Literal`, also of one that may be None."""
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return tuple(w for one in kinds if get_origin(one) is Literal for w in get_args(one))


def parse_delimiter(text: str) -> str:
    """Read a character, ``tab`` or ``blanks``."""
    if text.lower() in ("tab", "\\t"):
        return "\t"
    if text.lower() == "blanks":
        return "blanks"
    # A character of numbers or names would cut them; a quote or a line end has its own meaning.
    if len(text) != 1 or not text.isascii() or text in '"\r\n.+-' or text.isalnum():
        raise ValueError("it is one ASCII character, such as ';', or 'tab' or 'blanks'")
    return text


def parse_comment(text: str) -> str:
    """Read what a line of comment starts with."""
    # A line that starts as a record can is none: its cells would go in silence.
    if not text.strip() or text[0].isalnum() or set(text) & set('"\r\n') or text[0] in "+-.,;\t |":
        raise ValueError("it is what such lines start with, and no record does: '#', say")
    return text


def parse_size(text: str) -> int:
    """Read a number of bytes such as ``65536``, ``256k`` or ``4M``."""
    match = re.fullmatch(r"(\d+) ?([kmg]?)(?:i?b)?", text.strip().lower())
    if match is None or int(match[1]) == 0:
        raise ValueError("it is a number of bytes, such as 65536, 256k or 4M")
    return int(match[1]) * _UNITS[match[2]]


def parse_encoding(text: str) -> str:
    """Read the name of a text encoding that Python knows."""
    import codecs

    # Python also looks up codecs such as base64, which are not for text: `encode` refuses them.
    try:
        "".encode(text)
        return codecs.lookup(text).name
    except LookupError as error:
        raise ValueError("it is not a known text encoding; try latin-1") from error


def parse_limit(text: str) -> tuple[int | None, float | None]:
    """Read a number of rows, or a share of them in percent."""
    # ASCII: else \d takes the digits of every script.
    match = re.fullmatch(r"(\d+)|(\d+(?:\.\d*)?|\.\d+) ?%", text.strip(), re.ASCII)
    if match is None:
        raise ValueError("it is a number of rows, or a percentage such as 0.1%")
    return (int(match[1]), None) if match[1] else (None, float(match[2]) / 100)


def split_list(flag: str, text: str) -> tuple[str, ...]:
    """Split the comma-separated list that an option gives; a name is quoted as in CSV."""
    try:
        cells = next(csv.reader([text], strict=True), [])
        ends = text.endswith(("\r", "\n"))  # which the reader would drop
    except csv.Error:
        ends = True
    if ends:
        hint = "quote a name that holds a comma, a quote or a line end, as in CSV"
        raise UsageError(f"--{flag} is not a comma-separated list", hint)
    return tuple(cells)
