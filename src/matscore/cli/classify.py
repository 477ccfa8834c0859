"""``matscore classify``: score rows and name the best category of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from matscore.cli import options as o

if TYPE_CHECKING:
    from rich.console import Console

    from matscore.cli.streams import Streams
    from matscore.commands.classify import ScoreTally
    from matscore.options import Format
    from matscore.plan import Plan
    from matscore.run.summary import Summary


def classify(
    features: o.FeaturesFiles,
    weights: o.WeightsFile,
    delimiter: o.Delimiter = None,
    encoding: o.Encoding = None,
    headers: o.Headers = None,
    decimal: o.DecimalMark = o.Decimal.point,
    missing: o.MissingPolicy = o.Missing.error,
    missing_values: o.MissingValues = None,
    id_col: o.IdCol = None,
    no_id_col: o.NoLabels = False,
    keep_cols: o.KeepCols = None,
    strict: o.Strict = False,
    transpose: o.Transpose = False,
    transpose_features: o.TransposeFeatures = False,
    auto_transpose: o.AutoTranspose = False,
    intercept: o.Intercept = None,
    no_intercept: o.NoIntercept = False,
    probabilities: o.Probabilities = False,
    margin: o.Margin = False,
    no_scores: o.NoScores = False,
    threshold: o.Threshold = None,
    top_k: o.TopK = None,
    format_: o.OutputFormat = None,
    output: o.OutputFile = None,
    precision: o.Precision = None,
    max_rows: o.MaxRows = 20,
    heatmap: o.HeatMap = False,
    show_work: o.ShowWork = False,
    plot: o.PlotFile = None,
    excel_safe: o.ExcelSafe = False,
    on_error: o.OnErrorPolicy = o.OnError.fail,
    rejects: o.RejectsFile = None,
    max_rejects: o.MaxRejects = None,
    report: o.ReportFiles = None,
    color: o.ColorWhen = o.Color.auto,
    resume: o.Resume = False,
    engine: o.EngineChoice = o.Engine.local,
    scheduler: o.Scheduler = None,
    jobs: o.Jobs = None,
    chunk_size: o.ChunkSize = None,
    memory: o.Memory = None,
    verbose: o.Verbose = False,
    quiet: o.Quiet = False,
) -> None:
    """Score rows and name the best category of each.

    Multiplies FEATURES by WEIGHTS, adds the intercept if there is one, and writes the scores with
    the category that scores highest. Features are matched by name; nothing is guessed.
    """
    from matscore.cli.notices import say_facts, say_rejects
    from matscore.cli.plot import open_plot
    from matscore.cli.progress import show_progress
    from matscore.cli.reading import (
        align_options,
        output_options,
        read_options,
        reject_options,
        run_options,
        score_options,
    )
    from matscore.cli.report import open_report
    from matscore.cli.streams import open_streams
    from matscore.commands.classify import ScoreTally, classify_file

    streams = open_streams(color.value)
    chosen = choose_format(streams, format_, output)
    for option, is_set in (("--heatmap", heatmap), ("--show-work", show_work)):
        refuse_without_table(option, is_set, chosen if top_k is None else "ranks")
    screen = Screen(heatmap, show_work, max_rows)
    render = screen.render if top_k is None else _render_top
    inputs = [*features, weights]
    with (
        open_report(
            report or (), inputs, [output, rejects], ScoreTally.NAMES, others=[plot]
        ) as record,
        open_plot(plot, inputs) as draw_plot,
        show_progress(streams, quiet=quiet) as on_progress,
    ):
        run = partial(
            classify_file,
            features,
            weights,
            read=read_options(delimiter, encoding, headers, decimal, missing, missing_values),
            align=align_options(
                id_col, no_id_col, keep_cols, strict, transpose, transpose_features, auto_transpose,
                intercept, no_intercept,
            ),
            score=score_options(probabilities, threshold),
            write=output_options(
                chosen, not no_scores, margin, precision, excel_safe, max_rows, top_k
            ),
            rejects=record.watch(reject_options(on_error, rejects, max_rejects, missing)),
            run=run_options(
                jobs, chunk_size, memory, engine, scheduler, resume, checksum=bool(report),
                gather=record.gather + draw_plot.gather,
            ),
            on_plan=screen.look_first(say_facts(streams, record, verbose=verbose, quiet=quiet)),
            on_progress=on_progress,
        )  # fmt: skip
        if chosen != "table":
            record.summary = run(output=streams.out if output is None else output)
            streams.out.finish()
        elif output is None or output.endswith("/"):
            record.summary = run(output=output)
        else:
            record.summary = write_table(run, output, inputs, render)
        draw_plot(record.summary)
    if record.summary is not None and chosen == "table" and output is None:
        streams.print_out(partial(render, record.summary))
    say_rejects(streams, record.summary, rejects, quiet=quiet)


def _render_top(summary: Summary[Any], console: Console) -> None:
    from matscore.show.ranking import render_top

    render_top(summary, console)


def choose_format(streams: Streams, asked: o.Format | None, output: str | None) -> Format:
    """Return the format that is asked for, named by the output, or fit for the stream."""
    from matscore.write.formats import find_format

    if asked is not None:
        return asked.value
    if output is not None:
        return find_format(output)
    return "table" if streams.out_is_terminal else "csv"


def refuse_without_table(option: str, is_set: bool, chosen: str) -> None:
    """Refuse an option that changes the table of scores where none is shown.

    Raises
    ------
    UsageError
        It is set, and something else is shown.
    """
    from matscore.errors import UsageError

    if is_set and chosen != "table":
        hint = "leave --top-k out" if chosen == "ranks" else "add --format table"
        raise UsageError(f"{option} goes with the table of scores", hint)


@dataclass(frozen=True)
class Screen:
    """What a person sees of the scores.

    Attributes
    ----------
    heatmap : bool
        Whether numbers are shaded.
    show_work : bool
        Whether the terms of each score are written out.
    max_rows : int
        Rows that are shown.
    """

    heatmap: bool
    show_work: bool
    max_rows: int

    def look_first(
        self, say: Callable[[tuple[Plan, ...]], None]
    ) -> Callable[[tuple[Plan, ...]], None]:
        """Return what takes the plans, and refuses a model that is too large to write out."""

        def look(plans: tuple[Plan, ...]) -> None:
            say(plans)
            if self.show_work:
                from matscore.show.explain import refuse_large_model

                refuse_large_model(plans)

        return look

    def render(self, summary: Summary[ScoreTally], console: Console) -> None:
        """Print the table and what is asked for below it."""
        from matscore.show.explain import render_work
        from matscore.show.table import render_scores

        render_scores(summary, console, heatmap=self.heatmap)
        if self.show_work:
            render_work(summary, console, self.max_rows)


def write_table(
    run: Callable[[], Summary[Any]],
    output: str,
    inputs: list[str],
    render: Callable[[Summary[Any], Console], None],
) -> Summary[Any]:
    """Render a table into a file, whole or not at all."""
    from matscore.cli.streams import render_text
    from matscore.write.whole import open_output

    with open_output(output, inputs=inputs) as out:
        summary = run()
        out.write(render_text(partial(render, summary), None, "never").encode())
    return summary
