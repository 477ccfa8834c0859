"""Facts worth knowing, on standard error."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from matscore.errors import ClusterWarning
from matscore.show.text import plural, show

if TYPE_CHECKING:
    from matscore.cli.report import Record
    from matscore.cli.streams import Streams
    from matscore.commands.explain import ExplainTally
    from matscore.commands.fit import FitSummary
    from matscore.commands.users import RecommendTally
    from matscore.plan import Plan
    from matscore.run.summary import Summary


def say_facts(
    streams: Streams, record: Record, *, verbose: bool, quiet: bool
) -> Callable[[tuple[Plan, ...]], None]:
    """Return what tells a person how the files were read and lined up.

    Parameters
    ----------
    streams : Streams
        Facts are said where standard error is a terminal.
    record : Record
        Keeps the plans for the report.
    verbose, quiet : bool
        Say them anyway; never say them.

    Returns
    -------
    callable
        Takes the plans.
    """
    if quiet:
        warnings.simplefilter("ignore", ClusterWarning)

    def say(plans: tuple[Plan, ...]) -> None:
        record.plans = plans
        facts = [fact for plan in plans for fact in plan.facts]
        say_lines(streams, facts, verbose=verbose, quiet=quiet)

    return say


def say_excluded(streams: Streams, summary: Summary[RecommendTally] | None, *, quiet: bool) -> None:
    """Warn that pairs to leave out name users or items that are not there.

    Parameters
    ----------
    streams : Streams
        The warning goes to standard error.
    summary : Summary or None
        What was done.
    quiet : bool
        Say nothing.
    """
    seen = None if summary is None else summary.tally.seen
    if quiet or summary is None or seen is None:
        return
    counts = ((summary.tally.n_unknown_users, "user"), (seen.n_unknown_items, "item"))
    unknown = [plural(n, noun) for n, noun in counts if n]
    if unknown:
        what = f"matscore: {show(seen.facts.path)} names {' and '.join(unknown)} not to be found"
        _print(streams, what, "yellow")


def say_lines(streams: Streams, lines: Sequence[str], *, verbose: bool, quiet: bool) -> None:
    """Say facts, one a line, where `say_facts` would."""
    if quiet or not (verbose or streams.err_is_terminal):
        return

    for line in dict.fromkeys(lines):
        _print(streams, f"matscore: {show(line)}", "dim")


def say_warnings(streams: Streams, lines: Sequence[str], *, quiet: bool) -> None:
    """Say what a person should know, wherever the messages go."""
    if quiet or not lines:
        return

    for line in lines:
        _print(streams, f"matscore: warning: {show(line)}", "yellow")


def say_rejects(
    streams: Streams, summary: Summary[Any] | FitSummary | None, path: str | None, *, quiet: bool
) -> None:
    """Warn that rows were set aside.

    Parameters
    ----------
    streams : Streams
        The warning goes to standard error.
    summary : Summary or None
        What was done.
    path : str or None
        Where the rows are.
    quiet : bool
        Say nothing.
    """
    if quiet or summary is None or not summary.n_rejected:
        return

    what = f"matscore: {plural(summary.n_rejected, 'row')} rejected, see {show(path or '')}"
    _print(streams, what, "yellow")


def say_unexplained(
    streams: Streams, summary: Summary[ExplainTally] | None, *, quiet: bool
) -> None:
    """Warn that rows have no prediction that could be explained.

    Parameters
    ----------
    streams : Streams
        The warning goes to standard error.
    summary : Summary or None
        What was done.
    quiet : bool
        Say nothing.
    """
    if quiet or summary is None or not summary.tally.n_empty:
        return

    rows = plural(summary.tally.n_empty, "row")
    hint = "with --category C there is something to explain"
    what = f"matscore: {rows} without a prediction, as a value is missing; {hint}"
    _print(streams, what, "yellow")


def _print(streams: Streams, line: str, style: str) -> None:
    from rich.text import Text  # loaded when there is something to say

    streams.err_console().print(Text(line, style=style), soft_wrap=True)
