"""The progress bar of long work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matscore.cli.streams import Streams
    from matscore.run.summary import Progress as Done

_PATIENCE_SECONDS = 1.0


@contextmanager
def show_progress(streams: Streams, *, quiet: bool) -> Iterator[Callable[[Done], None] | None]:
    """Show a bar on standard error once the work has lasted a second.

    Parameters
    ----------
    streams : Streams
        Nothing is shown unless standard error is a terminal.
    quiet : bool
        Show nothing.

    Yields
    ------
    callable or None
        Takes how far the work is.
    """
    if quiet or not streams.err_is_terminal:
        yield None
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    started = time.monotonic()
    bar = Progress(
        SpinnerColumn(),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=streams.err_console(),
        transient=True,
    )
    task = bar.add_task("", total=None, speed="")
    with ExitStack() as stack:

        def update(done: Done) -> None:
            elapsed = time.monotonic() - started
            if elapsed < _PATIENCE_SECONDS:
                return
            if not bar.live.is_started:
                stack.enter_context(bar)
            speed = f"{done.n_rows / elapsed:,.0f} rows/s"
            bar.update(task, completed=done.n_bytes, total=done.n_total, speed=speed)

        yield update
