"""The process: its streams, what of them may be coloured; its signals; and how it ends.

Exceptions become messages and exit codes here and nowhere else.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO

from matscore.errors import (
    FileError,
    InputError,
    MatscoreError,
    MisfitError,
    MissingExtraError,
    OutputError,
    PlanError,
    QualityError,
    UsageError,
    say_os_error,
)

if TYPE_CHECKING:
    from rich.console import Console

HELD_BYTES = 4 * 2**20
# Marks that turn the direction of text: with them a name could make a message read as another one
# (Boucher and Anderson 2021, "Trojan Source: Invisible Vulnerabilities", arXiv:2111.00169).
_TURNING = {
    code: f"\\u{code:04x}"
    for code in (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
_PATIENCE_SECONDS = 0.05
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# The signals that have stopped the process: what a handler knows it can tell in no other way.
_arrived: list[int] = []


class Stopped(BaseException):
    """The process was told to end by a signal, or the reader of its output has gone."""

    def __init__(self, number: int) -> None:  # of the signal
        super().__init__(number)
        self.number = number


class _Descriptor(io.RawIOBase):
    """A descriptor of the process, without a buffer."""

    number: int

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.number

    def isatty(self) -> bool:
        return os.isatty(self.number)


class StandardOutput(_Descriptor):
    """File descriptor 1, written straight and whole.

    The first bytes are held back until there are many or `finish` is called, so that a run that
    fails early has written nothing.
    """

    number = 1

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()
        self._is_holding = True

    def write(self, data: Any) -> int:
        """Write all of the bytes; fail with `Stopped` where the reader has gone."""
        if self._is_holding:
            self._held += data
            if len(self._held) >= HELD_BYTES:
                self.finish()
        else:
            _write_out(data)
        return memoryview(data).nbytes

    def finish(self) -> None:
        """Write what is held back; it fails as `write` does."""
        self._is_holding = False
        held, self._held = self._held, bytearray()
        _write_out(held)


class StandardError(_Descriptor):
    """File descriptor 2. What cannot be written there is lost, and the run goes on."""

    name, number = "<stderr>", 2

    def write(self, data: Any) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError):
            _write_whole(2, data)
        return memoryview(data).nbytes


def _write_out(data: Any) -> None:
    try:
        _write_whole(1, data)
    except BrokenPipeError:
        # Python ignores SIGPIPE; ended by it, as others are, the program would leave its scratch.
        raise Stopped(signal.SIGPIPE) from None
    except OSError as error:
        closed = error.errno == errno.EBADF
        what = "standard output is closed" if closed else say_os_error(error)
        raise OutputError("-", what) from error


def _write_whole(descriptor: int, data: Any) -> None:
    view = memoryview(data).cast("B")
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # somebody who shares the descriptor made it so, and it is full
            select.select([], [descriptor], [])


@dataclass(frozen=True)
class Streams:
    """Where results and messages go."""

    out: StandardOutput  # for results
    out_is_terminal: bool
    err_is_terminal: bool
    color: str = "auto"  # or "always" or "never"

    def err_console(self) -> Console:
        """Return a console on standard error."""
        return _console(sys.stderr or io.StringIO(), self.color)

    def print_out(self, render: Callable[[Console], None]) -> None:
        """Render something and write it to standard output."""
        text = render_text(render, sys.stdout, self.color)
        self.out.write(text.encode(_encoding(sys.stdout), "backslashreplace"))
        self.out.finish()


def render_text(render: Callable[[Console], None], like: TextIO | None, color: str) -> str:
    """Render to text as a stream would show it; None stands for a file."""
    held = _Captured(_encoding(like))
    console = _console(held, color, _is_terminal(like))
    # rich asks the process's own streams for the width, of which any may be the terminal.
    if like is not None and _is_terminal(like) and "COLUMNS" not in os.environ:
        with contextlib.suppress(OSError):
            console.width = os.get_terminal_size(like.fileno()).columns
    render(console)
    # Cells are filled up to their width; at the end of a line that would only wrap it.
    lines = held.getvalue().split("\n")
    return "\n".join(line.rstrip(" ") for line in lines)


def open_streams(color: str = "auto") -> Streams:
    """Return the process's streams; a command does so when it has loaded what it needs."""
    if signal.getsignal(signal.SIGINT) is _stop:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked while all was loaded
    # What is loaded stays to the end; the collector need not look at it again.
    gc.freeze()
    gc.enable()
    _keep_freed_memory()
    return Streams(StandardOutput(), _is_terminal(sys.stdout), _is_terminal(sys.stderr), color)


def _keep_freed_memory() -> None:
    """Let glibc keep what a chunk has used for the next one.

    Each chunk's megabytes would go back to the system and come again page by page, zeroed: half of
    the system's time. Other C libraries know no such call, or do something else.
    """
    if sys.platform == "linux":
        import ctypes  # NumPy has loaded it

        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(None)
            library.mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)
            library.mallopt(_M_TRIM_THRESHOLD, 256 * 2**20)


def guard_process() -> None:
    """Make the process's streams and signals fail well.

    Signals become `Stopped`; closed standard descriptors are filled, so that no file gets one; and
    messages that cannot be written are lost instead of ending the run.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # Opened the wrong way round, so that using it fails as a closed one does.
            os.open(os.devnull, os.O_RDONLY if descriptor else os.O_WRONLY)
    sys.stderr = _Messages(
        StandardError(), _encoding(sys.stderr), "backslashreplace", write_through=True
    )
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # help has signs that ASCII lacks
    for number in _SIGNALS:
        # `nohup` ignores a signal for its children, and wants it to stay ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    _watch_signals()


def _watch_signals() -> None:
    """See to it that a signal stops the main thread also where it is about to wait for input.

    Python runs a handler between two of its instructions. A signal that comes after the last of
    them and before the system call that waits, or to another thread, would not be seen until the
    call returns; sent again, it interrupts the call.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_send_again, args=(reader,), daemon=True).start()
    sys.unraisablehook = partial(_raise_again, writer)


def _send_again(reader: int) -> None:
    main = threading.main_thread().ident or 0
    while True:
        for number in os.read(reader, 64):
            time.sleep(_PATIENCE_SECONDS)
            if signal.getsignal(number) is _stop:  # which replaces itself
                signal.pthread_kill(main, number)


def _raise_again(writer: int, lost: sys.UnraisableHookArgs) -> None:
    """Have a signal sent again whose exception a library written in another language has lost."""
    if not isinstance(lost.exc_value, Stopped):
        sys.__unraisablehook__(lost)
        return
    number = lost.exc_value.number
    signal.signal(number, _stop)
    os.write(writer, bytes([number]))


def find_stop(error: BaseException) -> BaseException:
    """Return what ended the process: a signal, where one came before the exception.

    A library may turn the exception of a handler that runs inside of it into one of its own.
    """
    return Stopped(_arrived[0]) if _arrived else error


def _stop(number: int, frame: FrameType | None) -> None:
    del frame
    # Not SIG_IGN: for a signal that is on its way Python would print that it was ignored.
    for other in _SIGNALS:
        signal.signal(other, _ignore)
    _arrived.append(number)
    raise Stopped(number)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Let the first signal have its way."""


class _Messages(io.TextIOWrapper):
    """Text for people; what would turn its direction is escaped, as Typer does not do."""

    def write(self, text: str) -> int:
        super().write(text.translate(_TURNING))
        return len(text)


class _Captured(io.StringIO):
    """Text in memory that claims the encoding of the stream it is for."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


def _encoding(stream: TextIO | None) -> str:
    return getattr(stream, "encoding", None) or "utf-8"


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def _console(stream: TextIO, color: str, terminal: bool | None = None) -> Console:
    from rich.console import Console

    terminal = _is_terminal(stream) if terminal is None else terminal
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") in ("dumb", "unknown")
    forced = bool(os.environ.get("FORCE_COLOR")) and not os.environ.get("NO_COLOR")
    colored = color == "always" or (color == "auto" and (forced or (terminal and not plain)))
    # What is no terminal has one width, so that a file is the same wherever it is made.
    return Console(
        file=stream,
        force_terminal=terminal,
        no_color=not colored,
        color_system=None if not colored else "auto" if terminal and not plain else "standard",
        width=None if terminal or "COLUMNS" in os.environ else 80,
        highlight=False,
        markup=False,
        emoji=False,
    )


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
        from matscore.names import show

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
