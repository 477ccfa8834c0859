"""Facts worth knowing and how far the work is, on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matscore.cli.groups import ScreenOptions
    from matscore.cli.streams import Streams
    from matscore.commands.explain import ExplainTally
    from matscore.commands.users import RecommendTally
    from matscore.run.run import Progress as Done

_PATIENCE_SECONDS = 1.0


def say_facts(streams: Streams, facts: Sequence[str], screen: ScreenOptions) -> None:
    """Say facts, each once, where standard error is a terminal or somebody asked for them."""
    if not screen.quiet and (screen.verbose or streams.err_is_terminal):
        for line in dict.fromkeys(facts):
            _print(streams, line, "dim")


def say_warnings(streams: Streams, lines: Sequence[str], *, quiet: bool) -> None:
    """Say what a person should know, wherever the messages go."""
    for line in () if quiet else lines:
        _print(streams, line, "yellow")


def describe_rejects(n_rejected: int, path: object) -> list[str]:
    """Tell how many rows were set aside, and where they are."""
    return [f"{_count(n_rejected, 'row')} rejected, see {path}"] if n_rejected else []


def describe_unknown(tally: RecommendTally) -> list[str]:
    """Tell that pairs to leave out name users or items that are not there."""
    if tally.seen is None:
        return []
    counts = ((tally.n_unknown_users, "user"), (tally.seen.n_unknown_items, "item"))
    unknown = " and ".join(_count(n, noun) for n, noun in counts if n)
    return [f"{tally.seen.facts.path} names {unknown} not to be found"] if unknown else []


def describe_unexplained(tally: ExplainTally) -> list[str]:
    """Tell that rows have no prediction that could be explained."""
    if not tally.n_empty:
        return []
    hint = "with --category C there is something to explain"
    return [f"{_count(tally.n_empty, 'row')} without a prediction, as a value is missing; {hint}"]


# Most runs have nothing to say: rich, which takes its time to load, waits until one has.
def _count(n: int, noun: str) -> str:
    from matscore.show.text import plural

    return plural(n, noun)


def _print(streams: Streams, line: str, style: str) -> None:
    from rich.text import Text

    from matscore.show.text import show

    streams.err_console().print(Text(f"matscore: {show(line)}", style=style), soft_wrap=True)


@contextmanager
def show_progress(streams: Streams, *, quiet: bool) -> Iterator[Callable[[Done], None] | None]:
    """Show a bar once the work has lasted a second, where standard error is a terminal.

    Yields what takes how far the work is.
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
