"""Exceptions into messages and exit codes: the one place where this is decided."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from matscore.cli.streams import Stopped
from matscore.errors import (
    FileError,
    InputError,
    MatscoreError,
    MisfitError,
    MissingExtraError,
    PlanError,
    QualityError,
    UsageError,
)
from matscore.names import show

if TYPE_CHECKING:
    from rich.console import Console


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0
    BUG = 1
    USAGE = 2
    MISFIT = 3
    DATA = 4
    FILE = 5
    SIGNAL = 128


# Their subclasses exit alike: an `OutputError` is a `FileError`.
_CODES: dict[type[BaseException], Exit] = {
    UsageError: Exit.USAGE,
    MissingExtraError: Exit.USAGE,
    PlanError: Exit.MISFIT,
    MisfitError: Exit.MISFIT,
    QualityError: Exit.DATA,
    InputError: Exit.DATA,
    FileError: Exit.FILE,
}


def report_failure(error: BaseException, console: Console, argv: Sequence[str]) -> int:
    """Say on standard error what went wrong."""
    # Only a plan's problem is drawn: other failures end without loading what draws tables.
    if isinstance(error, PlanError):
        from matscore.show.plan import render_plan

        render_plan(error.plan, console, argv)
    elif isinstance(error, MatscoreError):
        # A place comes first as compilers have it, so that editors find it; else the program.
        text = show(str(error))
        _say(console, text if isinstance(error, InputError) else f"matscore: {text}")
    elif isinstance(error, Stopped):
        # Whoever closed the pipe (`| head`) has what was wanted, and is told nothing.
        if error.number != signal.SIGPIPE:
            _say(console, f"matscore: {message_of(error)}")
    else:
        _say(console, "matscore: this is a bug; please report it with what follows")
        traceback.print_exception(error, file=sys.stderr)
    return exit_code_of(error)


def exit_code_of(error: BaseException) -> int:
    """Return the exit code that goes with an exception."""
    if isinstance(error, Stopped):  # 128 and the signal's number, as a shell tells it
        return Exit.SIGNAL + error.number
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), Exit.BUG)


def message_of(error: BaseException) -> str:
    """Return what an exception means in one line."""
    if isinstance(error, Stopped):
        return f"stopped by {signal.Signals(error.number).name}"
    return str(error) or type(error).__name__


def _say(console: Console, line: str) -> None:
    from rich.text import Text

    console.print(Text(line), soft_wrap=True)
