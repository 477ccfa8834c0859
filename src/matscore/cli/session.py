"""What every command has around its work: streams, reports, messages, and where its rows go."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from matscore.cli.build import Given
from matscore.cli.groups import FileOptions, ScreenOptions
from matscore.errors import ClusterWarning
from matscore.options import ReadOptions, RejectOptions, RunOptions

if TYPE_CHECKING:
    from rich.console import Console

    from matscore.cli.report import Record
    from matscore.options import Gather
    from matscore.plan import Plan
    from matscore.run.run import Summary

    Render = Callable[[Summary[Any], Console], None]


class Session:
    """What every command has: its streams, its files, and what is known of the run so far."""

    record: Record

    def __init__(self, given: Given) -> None:
        from matscore.cli.streams import open_streams

        self.given = given
        self.screen, self.files = given(ScreenOptions), given(FileOptions)
        self.streams = open_streams(self.screen.color)
        if self.screen.quiet:
            warnings.simplefilter("ignore", ClusterWarning)

    def choose_format(self, asked: str | None) -> str:
        """Return the format that is asked for, named by the output, or fit for the stream."""
        from matscore.write.formats import find_format

        if asked is not None:
            return asked
        if self.files.output is not None:
            return find_format(self.files.output)
        return "table" if self.streams.out_is_terminal else "csv"

    @contextmanager
    def watch(
        self,
        inputs: Sequence[str],
        counts: Sequence[str],
        roles: Sequence[str] = (),
        gather: tuple[Gather, ...] = (),
    ) -> Iterator[dict[str, Any]]:
        """Open the reports and the progress bar; yield what every run takes."""
        from matscore.cli.notices import show_progress
        from matscore.cli.report import open_report

        files, self.inputs = self.files, inputs
        outputs = [files.output, self.given(RejectOptions).path]
        with (
            open_report(files.report, inputs, outputs, counts, roles, [files.plot]) as self.record,
            show_progress(self.streams, quiet=self.screen.quiet) as on_progress,
        ):
            run = {"checksum": bool(files.report), "gather": self.record.gather + gather}
            yield {
                "read": self.given(ReadOptions),
                "rejects": self.record.watch(self.given(RejectOptions)),
                "run": self.given(RunOptions, **run),
                "on_progress": on_progress,
            }

    def tell_plans(self, plans: tuple[Plan, ...]) -> None:
        """Say how the files were read and lined up, and keep it for the report."""
        self.record.plans = plans
        self.say([fact for plan in plans for fact in plan.facts])

    def say(self, facts: Sequence[str]) -> None:
        """Say facts, where somebody looks or asked for them."""
        from matscore.cli.notices import say_facts

        say_facts(self.streams, facts, self.screen)

    def write(self, run: Callable[..., Summary[Any]], form: str, render: Render) -> Summary[Any]:
        """Run, and write the rows; a table on standard output is left to `end`."""
        output = self.files.output
        if form == "table" and output is not None and not output.endswith("/"):
            return self.write_text(run, lambda summary: render_to_text(render, summary))
        out = self.streams.out if form != "table" and output is None else output
        self.record.summary = run(output=out)
        if form != "table":
            self.streams.out.finish()
        return self.record.summary

    def write_text(
        self, run: Callable[[], Summary[Any]], as_text: Callable[[Summary[Any]], str]
    ) -> Summary[Any]:
        """Run, and write what it comes to, whole or not at all."""
        from matscore.write.whole import open_output

        # Nothing is written before the run is over: one that fails leaves no half of a text.
        if self.files.output is None:
            self.record.summary = summary = run()
            self.streams.out.write(as_text(summary).encode())
            self.streams.out.finish()
            return summary
        with open_output(self.files.output, inputs=self.inputs) as out:
            summary = run()
            out.write(as_text(summary).encode())
        self.record.summary = summary
        return summary

    def end(self, summary: Summary[Any], form: str, render: Render) -> None:
        """Print the table where nothing else is written, and say what was rejected."""
        if form == "table" and self.files.output is None:
            self.streams.print_out(partial(render, summary))
        self.warn_of_rejects(summary.n_rejected)

    def warn_of_rejects(self, n_rejected: int) -> None:
        """Warn that rows were set aside."""
        from matscore.cli.notices import describe_rejects

        self.warn(describe_rejects(n_rejected, self.given(RejectOptions).path))

    def warn(self, lines: Sequence[str]) -> None:
        """Say what a person should know, wherever the messages go."""
        from matscore.cli.notices import say_warnings

        say_warnings(self.streams, lines, quiet=self.screen.quiet)


def render_to_text(render: Render, summary: Summary[Any]) -> str:
    """Render what a run came to as a file holds it."""
    from matscore.cli.streams import render_text

    return render_text(partial(render, summary), None, "never")
