"""``matscore fit``: learn a weights file from examples."""

from __future__ import annotations

from matscore.cli import options as o


def fit(
    features: o.FeaturesFile,
    targets: o.TargetsFile = None,
    delimiter: o.Delimiter = None,
    encoding: o.Encoding = None,
    headers: o.Headers = None,
    decimal: o.DecimalMark = o.Decimal.point,
    missing: o.FitMissingPolicy = o.FitMissing.error,
    missing_values: o.MissingValues = None,
    target: o.Target = None,
    drop_cols: o.DropCols = None,
    id_col: o.IdCol = None,
    no_id_col: o.NoIdCol = False,
    method: o.HowToFit = None,
    alpha: o.Alpha = None,
    standardize: o.Standardize = False,
    intercept: o.FitIntercept = None,
    categories: o.AreCategories = None,
    format_: o.WeightsOutput = None,
    output: o.OutputFile = None,
    max_rows: o.MaxRows = 20,
    on_error: o.OnErrorPolicy = o.OnError.fail,
    rejects: o.RejectsFile = None,
    max_rejects: o.MaxRejects = None,
    report: o.ReportFiles = None,
    color: o.ColorWhen = o.Color.auto,
    jobs: o.Jobs = None,
    chunk_size: o.ChunkSize = None,
    memory: o.Memory = None,
    verbose: o.Verbose = False,
    quiet: o.Quiet = False,
) -> None:
    """Learn a weights file from examples: the way back from scores to weights.

    The targets are numbers to reproduce or a column of categories: a column of FEATURES, or a file
    with the same rows. Least squares and ridge read the rows once, however many there are.
    """
    from functools import partial

    from matscore.cli.notices import say_lines, say_rejects, say_warnings
    from matscore.cli.progress import show_progress
    from matscore.cli.reading import read_options, reject_options, split_list
    from matscore.cli.report import open_report
    from matscore.cli.streams import open_streams
    from matscore.commands.fit import FitSummary, fit_file
    from matscore.options import ColumnOptions, FitOptions, RunOptions
    from matscore.show.fit import list_quality, render_fit

    streams = open_streams(color.value)
    kept = o.Missing(missing.value)
    inputs = [features, *([] if targets is None else [targets])]
    shown = format_ is o.WeightsFormat.table or (
        format_ is None and streams.out_is_terminal and not (quiet and output is not None)
    )
    say = partial(say_lines, streams, verbose=verbose, quiet=quiet)
    roles = ["features", "targets"][: len(inputs)]
    with (
        open_report(report or (), inputs, [output, rejects], FitSummary.NAMES, roles) as record,
        show_progress(streams, quiet=quiet) as on_progress,
    ):
        found = fit_file(
            features,
            targets,
            output if output is not None else None if shown else streams.out,
            fit=FitOptions(
                None if method is None else method.value, alpha, intercept, standardize, categories
            ),
            columns=ColumnOptions(
                id_col,
                no_id_col,
                split_list("--target", target),
                split_list("--drop-cols", drop_cols),
            ),
            form=None if format_ is None or format_.value == "table" else format_.value,
            read=read_options(delimiter, encoding, headers, decimal, kept, missing_values),
            rejects=record.watch(reject_options(on_error, rejects, max_rejects, kept)),
            run=RunOptions(jobs, chunk_size, memory_bytes=memory, checksum=bool(report)),
            on_facts=say,
            on_progress=on_progress,
        )
        record.summary = found
        say(found.learned.facts)
        if shown:
            streams.print_out(partial(render_fit, found, max_rows=max_rows))
        else:
            say(list_quality(found.learned))
            streams.out.finish()
    say_warnings(streams, found.warnings, quiet=quiet)
    say_rejects(streams, found, rejects, quiet=quiet)
