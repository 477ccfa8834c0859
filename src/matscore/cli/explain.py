"""``matscore explain``: what each feature contributed to a score."""

from __future__ import annotations

from matscore.cli import options as o

_FEW_LINES = 10


def explain(
    features: o.FeaturesFile,
    weights: o.WeightsFile,
    delimiter: o.Delimiter = None,
    encoding: o.Encoding = None,
    headers: o.Headers = None,
    decimal: o.DecimalMark = o.Decimal.point,
    missing: o.MissingPolicy = o.Missing.error,
    missing_values: o.MissingValues = None,
    id_col: o.IdCol = None,
    no_id_col: o.NoLabels = False,
    strict: o.Strict = False,
    transpose: o.Transpose = False,
    transpose_features: o.TransposeFeatures = False,
    auto_transpose: o.AutoTranspose = False,
    intercept: o.Intercept = None,
    no_intercept: o.NoIntercept = False,
    category: o.Category = None,
    versus: o.Versus = None,
    top_features: o.TopFeatures = None,
    row: o.RowLabel = None,
    format_: o.OutputFormat = None,
    output: o.OutputFile = None,
    precision: o.Precision = None,
    max_rows: o.MaxRows = 5,
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
    """Say why: what each feature contributed to the score of the predicted category.

    A contribution is value × weight; with the intercept they add up to the score that classify
    gives, but for its rounding. On a terminal each row is compared with its runner-up.
    """
    from functools import partial

    from matscore.cli.classify import choose_format, write_table
    from matscore.cli.notices import say_facts, say_rejects, say_unexplained
    from matscore.cli.progress import show_progress
    from matscore.cli.reading import align_options, read_options, reject_options, run_options
    from matscore.cli.report import open_report
    from matscore.cli.streams import open_streams
    from matscore.commands.explain import ExplainTally, explain_file
    from matscore.errors import UsageError
    from matscore.options import ExplainOptions, OutputOptions
    from matscore.show.explain import render_explanation

    streams = open_streams(color.value)
    chosen = choose_format(streams, format_, output)
    if category is not None and category == versus:
        raise UsageError("--category and --versus are the same", "compare it with another")
    n_lines = _FEW_LINES if top_features is None and chosen == "table" else top_features
    inputs = [features, weights]
    with (
        open_report(report or (), inputs, [output, rejects], ExplainTally.NAMES) as record,
        show_progress(streams, quiet=quiet) as on_progress,
    ):
        run = partial(
            explain_file,
            features,
            weights,
            explain=ExplainOptions(category, versus, n_lines, row),
            read=read_options(delimiter, encoding, headers, decimal, missing, missing_values),
            align=align_options(
                id_col, no_id_col, None, strict, transpose, transpose_features, auto_transpose,
                intercept, no_intercept,
            ),
            write=OutputOptions(
                chosen, precision=precision, excel_safe=excel_safe, max_rows=max_rows
            ),
            rejects=record.watch(reject_options(on_error, rejects, max_rejects, missing)),
            run=run_options(
                jobs, chunk_size, memory, engine, scheduler, resume, checksum=bool(report)
            ),
            on_plan=say_facts(streams, record, verbose=verbose, quiet=quiet),
            on_progress=on_progress,
        )  # fmt: skip
        if chosen != "table":
            record.summary = run(output=streams.out if output is None else output)
            streams.out.finish()
        elif output is None or output.endswith("/"):
            record.summary = run(output=output)
        else:
            record.summary = write_table(run, output, inputs, render_explanation)
    if record.summary is not None and chosen == "table" and output is None:
        streams.print_out(partial(render_explanation, record.summary))
    say_rejects(streams, record.summary, rejects, quiet=quiet)
    say_unexplained(streams, record.summary, quiet=quiet)
