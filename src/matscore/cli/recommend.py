"""``matscore recommend``: the best items for each user."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from matscore.cli import options as o

if TYPE_CHECKING:
    from rich.console import Console

    from matscore.commands.users import RecommendTally
    from matscore.options import Format
    from matscore.run.summary import Summary


def recommend(
    users: o.UsersFile,
    items: o.ItemsFile,
    delimiter: o.Delimiter = None,
    encoding: o.Encoding = None,
    headers: o.Headers = None,
    decimal: o.DecimalMark = o.Decimal.point,
    missing: o.UsersMissing = o.Missing.error,
    missing_values: o.MissingValues = None,
    id_col: o.UsersIdCol = None,
    no_id_col: o.NoLabels = False,
    keep_cols: o.UsersKeepCols = None,
    strict: o.StrictUsers = False,
    transpose_users: o.TransposeUsers = False,
    transpose_items: o.TransposeItems = False,
    top_k: o.ItemsK = None,
    metric: o.ScoreMetric = o.Metric.dot,
    min_score: o.MinScore = None,
    exclude: o.ExcludeFile = None,
    matrix: o.WholeMatrix = False,
    format_: o.OutputFormat = None,
    output: o.OutputFile = None,
    precision: o.Precision = None,
    max_rows: o.UserRows = 20,
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
    """Find the best items for each user.

    Users and items are rows of the same features, matched by name; the score of the two is the
    product of USERS with ITEMS transposed. Writes the items with the highest scores, best first.
    """
    from matscore.cli.classify import choose_format, write_table
    from matscore.cli.notices import say_excluded, say_facts, say_rejects
    from matscore.cli.progress import show_progress
    from matscore.cli.reading import (
        align_options,
        read_options,
        recommend_options,
        reject_options,
        run_options,
    )
    from matscore.cli.report import open_report
    from matscore.cli.streams import open_streams
    from matscore.commands.recommend import recommend_file
    from matscore.commands.users import RecommendTally
    from matscore.options import OutputOptions

    streams = open_streams(color.value)
    chosen: Format = choose_format(streams, format_, output)
    inputs = [users, items, *([] if exclude is None else [exclude])]
    roles = ["users", "items", "exclude"][: len(inputs)]
    with (
        open_report(report or (), inputs, [output, rejects], RecommendTally.NAMES, roles) as record,
        show_progress(streams, quiet=quiet) as on_progress,
    ):
        run = partial(
            recommend_file,
            users,
            items,
            metric=metric.value,
            recommend=recommend_options(top_k, min_score, exclude, matrix),
            exclude=exclude,
            matrix=matrix,
            read=read_options(delimiter, encoding, headers, decimal, missing, missing_values),
            align=align_options(
                id_col,
                no_id_col,
                keep_cols,
                strict,
                transpose_items,
                transpose_users,
                False,
                None,
                False,
            ),
            write=OutputOptions(chosen, True, False, precision, excel_safe, max_rows),
            rejects=record.watch(reject_options(on_error, rejects, max_rejects, missing)),
            run=run_options(
                jobs,
                chunk_size,
                memory,
                engine,
                scheduler,
                resume,
                checksum=bool(report),
                gather=record.gather,
            ),
            on_plan=say_facts(streams, record, verbose=verbose, quiet=quiet),
            on_progress=on_progress,
        )
        render = partial(_render, metric=metric.value)
        if chosen != "table":
            record.summary = run(output=streams.out if output is None else output)
            streams.out.finish()
        elif output is None or output.endswith("/"):
            record.summary = run(output=output)
        else:
            record.summary = write_table(run, output, inputs, render)
    if record.summary is not None and chosen == "table" and output is None:
        streams.print_out(partial(render, record.summary))
    say_rejects(streams, record.summary, rejects, quiet=quiet)
    say_excluded(streams, record.summary, quiet=quiet)


def _render(summary: Summary[RecommendTally], console: Console, *, metric: str) -> None:
    from matscore.show.ranking import render_recommended

    render_recommended(summary, console, metric=metric)
