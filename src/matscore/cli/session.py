"""What every command has around its work: its files, what a person is told, and their options."""

# Annotations stay types here, as in `matscore.options`: options are made from them.
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from matscore.cli.build import Given
from matscore.cli.process import Streams, open_streams, render_text
from matscore.errors import ClusterWarning
from matscore.fields import Options, group, option
from matscore.names import show
from matscore.options import (
    OUTPUT,
    RUNNING,
    Gather,
    PathLike,
    ReadOptions,
    RejectOptions,
    RunOptions,
)

if TYPE_CHECKING:
    from rich.console import Console

    from matscore.commands.fit import FitSummary
    from matscore.numerics.statistics import Reasons
    from matscore.plan import Plan
    from matscore.run.run import Progress, Summary

    Render = Callable[[Summary[Any], Console], None]

_PATIENCE_SECONDS = 1.0


@group
@dataclass(frozen=True)
class ProgramOptions(Options):
    """What the command line alone has: the files that it writes, and what a person sees."""

    output: str | None = option(
        None, OUTPUT,
        "Write to FILE, whole or not at all; `.gz`, `.zst`, `.bz2`, `.xz` compress. `DIR/` gets "
        "one file an input. Either may be in object storage.",
        "--output", "-o", metavar="FILE")  # fmt: skip
    plot: str | None = option(
        None, OUTPUT, "Draw the scores: a heat map, or of many rows the distributions.",
        "--plot", metavar="FILE.svg|FILE.png")  # fmt: skip
    report: tuple[Path, ...] = option(
        (), RUNNING,
        "Write what was read, decided and counted, as JSON or as a page to look at; can be given "
        "twice.",
        "--report", metavar="FILE.json|FILE.html")  # fmt: skip
    heatmap: bool = option(
        False, OUTPUT,
        "Shade the table's numbers by value: blue is low and orange high; without colours, by "
        "signs of growing density.",
        "--heatmap")  # fmt: skip
    show_work: bool = option(
        False, OUTPUT,
        "Below the table, write out how each score comes about; for small models.",
        "--show-work")  # fmt: skip
    picture: bool = option(
        False, OUTPUT,
        "Draw both matrices as boxes: the sides that must meet, and what a transpose would do.",
        "--picture")  # fmt: skip
    color: Literal["auto", "always", "never"] = option("auto", OUTPUT, "When to colour.", "--color")
    verbose: bool = option(
        False, RUNNING, "Say what was found and decided, also where no terminal is.",
        "--verbose", "-v")  # fmt: skip
    quiet: bool = option(False, RUNNING, "Say nothing but errors.", "--quiet", "-q")


@dataclass
class Record:
    """What is known of a run so far."""

    started: datetime
    inputs: Sequence[str] = ()
    outputs: Sequence[PathLike | None] = (None, None)  # the files of the rows and of the rejects
    counts: Sequence[str] = ()  # names of the command's own counts, null until the run has ended
    roles: Sequence[str] = ()  # of the inputs; without them features and, last, weights
    gather: tuple[Gather, ...] = ()
    plans: "tuple[Plan, ...]" = ()
    summary: "Summary[Any] | FitSummary | None" = None  # of a run that has ended well
    reasons: "Reasons | None" = None  # why rows were set aside, counted where a page shows it


class Session:
    """What every command has: its streams, its files, and what is known of the run so far."""

    record: Record

    def __init__(self, given: Given) -> None:
        self.given = given
        self.asked = given(ProgramOptions)
        # From here on signals stop the program, so all that is slow to load is loaded by now.
        self.streams = open_streams(self.asked.color)
        if self.asked.quiet:
            warnings.simplefilter("ignore", ClusterWarning)

    def choose_format(self, asked: str | None) -> str:
        """Return the format that is asked for, named by the output, or fit for the stream."""
        # Loaded here, as in all commands: help needs neither NumPy nor the library's rooms.
        from matscore.write.formats import find_format

        if asked is not None:
            return asked
        if self.asked.output is not None:
            return find_format(self.asked.output)
        return "table" if self.streams.out_is_terminal else "csv"

    @contextmanager
    def watch(
        self, inputs: Sequence[str], counts: Sequence[str], roles: str = ""
    ) -> Iterator[dict[str, Any]]:
        """Open the reports, the progress bar and the plot; yield what every run takes."""
        from matscore.write.whole import refuse_same_outputs

        asked, rejects, draw_plot = self.asked, self.given(RejectOptions), None
        outputs = [asked.output, rejects.path]
        written = [*asked.report, *outputs, asked.plot]
        refuse_same_outputs([str(name) for name in written if name is not None])
        self.record = record = Record(
            datetime.now(UTC), inputs, outputs, counts, roles.split()[: len(inputs)]
        )
        with ExitStack() as stack:
            # The reports come first, so that they tell of a plot that cannot be opened, too.
            if asked.report:
                from matscore.cli.report import write_reports

                stack.enter_context(write_reports(record, list(map(str, asked.report))))
            on_progress = stack.enter_context(_show_progress(self.streams, quiet=self.asked.quiet))
            if asked.plot is not None:
                from matscore.cli.report import open_plot

                draw_plot = stack.enter_context(open_plot(asked.plot, inputs))
                record.gather += ("plot",)
            if record.reasons is not None:
                rejects = replace(rejects, on_rejects=record.reasons.add)
            # Checksums and statistics cost time, and only reports and plots show them.
            run = {"checksum": bool(asked.report), "gather": record.gather}
            yield {
                "read": self.given(ReadOptions),
                "rejects": rejects,
                "run": self.given(RunOptions, **run),
                "on_progress": on_progress,
            }
            if draw_plot is not None:
                draw_plot(record.summary)

    def tell_plans(self, plans: "tuple[Plan, ...]") -> None:
        """Say how the files were read and lined up, and keep it for the report."""
        self.record.plans = plans
        self.say([fact for plan in plans for fact in (*plan.facts, *plan.said)])

    def write(
        self, run: "Callable[..., Summary[Any]]", form: str, render: "Render"
    ) -> "Summary[Any]":
        """Run, and write the rows; a table on standard output is left to `end`."""
        output = self.asked.output
        if form == "table" and output is not None and not output.endswith("/"):
            return self.write_text(run, lambda summary: render_to_text(render, summary))
        out = self.streams.out if form != "table" and output is None else output
        self.record.summary = summary = run(output=out)
        if form != "table":
            self.streams.out.finish()
        return summary

    def write_text(
        self, run: "Callable[[], Summary[Any]]", as_text: "Callable[[Summary[Any]], str]"
    ) -> "Summary[Any]":
        """Run, and write what it comes to, whole or not at all."""
        from matscore.write.whole import open_output

        # Nothing is written before the run is over: one that fails leaves no half of a text.
        if self.asked.output is None:
            self.record.summary = summary = run()
            self.streams.out.write(as_text(summary).encode())
            self.streams.out.finish()
            return summary
        with open_output(self.asked.output, inputs=self.record.inputs) as out:
            summary = run()
            out.write(as_text(summary).encode())
        # Known only when the file is in its place: else the report would tell of a run that ended.
        self.record.summary = summary
        return summary

    def end(self, summary: "Summary[Any]", form: str, render: "Render") -> None:
        """Print the table where nothing else is written, and say what was rejected."""
        if form == "table" and self.asked.output is None:
            self.streams.print_out(partial(render, summary))
        self.tell_rest(summary)
        model: Any = getattr(summary.works[0], "model", None)
        if model is not None and model.least_present is not None:
            from matscore.prorate import doubt_signs

            doubts = doubt_signs(model.weights, model.categories)
            self.warn(*(f"warning: {line}" for line in doubts))

    def tell_rest(self, summary: "Summary[Any] | FitSummary") -> None:
        """Say how many lines were left out, and warn of rows that were set aside."""
        # Most runs have nothing to say: what takes its time to load waits for one.
        rewritten = [one for one in summary.inputs if one.n_comments is not None]
        if rewritten:
            from matscore.read.switches import count_left_out

            self.say(line for one in rewritten for line in count_left_out(one))
        if summary.n_rejected:
            from matscore.show.table import plural

            rows = plural(summary.n_rejected, "row")
            self.warn(f"{rows} rejected, see {self.record.outputs[1]}")

    def warn_of_weights(self, summary: "Summary[Any]") -> None:
        """Warn of what the numbers of the weights make of probabilities, in the report too."""
        warnings = summary.works[0].model.warnings  # type: ignore[attr-defined]
        self.record.plans = tuple(replace(one, warnings=warnings) for one in self.record.plans)
        self.warn(*(f"warning: {line}" for line in warnings))

    def warn(self, *lines: str) -> None:
        """Say what a person should know, wherever the messages go."""
        self._tell(lines, "yellow")

    def say(self, facts: Iterable[str]) -> None:
        """Say facts, each once, where standard error is a terminal or somebody asked for them."""
        if self.asked.verbose or self.streams.err_is_terminal:
            self._tell(dict.fromkeys(facts), "dim")

    def _tell(self, lines: Iterable[str], style: str) -> None:
        for line in () if self.asked.quiet else lines:
            from rich.text import Text

            text = Text(f"matscore: {show(line)}", style=style)
            self.streams.err_console().print(text, soft_wrap=True)


def render_to_text(render: "Render", summary: "Summary[Any]") -> str:
    """Render what a run came to as a file holds it."""
    return render_text(partial(render, summary), None, "never")


@contextmanager
def _show_progress(
    streams: Streams, *, quiet: bool
) -> "Iterator[Callable[[Progress], None] | None]":
    """Show a bar once the work has lasted a second, where standard error is a terminal.

    Yields what takes how far the work is.
    """
    if quiet or not streams.err_is_terminal:
        yield None
        return
    from rich import progress as rich

    # A bar that comes and goes at once is a flicker, so `update` starts it late.
    started = time.monotonic()
    bar = rich.Progress(
        rich.SpinnerColumn(),
        rich.BarColumn(),
        rich.DownloadColumn(),
        rich.TextColumn("{task.fields[speed]}"),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
        console=streams.err_console(),
        transient=True,
    )
    task = bar.add_task("", total=None, speed="")
    with ExitStack() as stack:

        def update(done: "Progress") -> None:
            elapsed = time.monotonic() - started
            if elapsed < _PATIENCE_SECONDS:
                return
            if not bar.live.is_started:
                stack.enter_context(bar)
            speed = (
                f"pass {done.n_passes}" if done.n_passes else f"{done.n_rows / elapsed:,.0f} rows/s"
            )
            bar.update(task, completed=done.n_bytes, total=done.n_total, speed=speed)

        yield update
