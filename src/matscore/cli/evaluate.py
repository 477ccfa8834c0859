"""``matscore evaluate``: how good the predictions are where the truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from matscore.cli import options as o

if TYPE_CHECKING:
    from matscore.cli.streams import Streams
    from matscore.commands.evaluate import EvaluateTally
    from matscore.run.summary import Summary
    from matscore.show.evaluate import TextFormat


def evaluate(
    features: o.FeaturesFile,
    weights: o.WeightsFile,
    truth: o.Truth = None,
    truth_file: o.TruthFile = None,
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
    auto_transpose: o.AutoTranspose = False,
    intercept: o.Intercept = None,
    no_intercept: o.NoIntercept = False,
    min_accuracy: o.MinAccuracy = None,
    format_: o.EvaluateOutput = None,
    output: o.OutputFile = None,
    on_error: o.OnErrorPolicy = o.OnError.fail,
    rejects: o.RejectsFile = None,
    max_rejects: o.MaxRejects = None,
    report: o.ReportFiles = None,
    color: o.ColorWhen = o.Color.auto,
    engine: o.EngineChoice = o.Engine.local,
    scheduler: o.Scheduler = None,
    jobs: o.Jobs = None,
    chunk_size: o.ChunkSize = None,
    memory: o.Memory = None,
    verbose: o.Verbose = False,
    quiet: o.Quiet = False,
) -> None:
    """Say how good: accuracy, a table of the categories, confusions, log-loss, calibration.

    The truth is a column of FEATURES, or of a file with the same rows. A truth that is missing or
    no category of WEIGHTS makes a bad row.
    """
    from functools import partial

    from matscore.cli.notices import say_facts, say_rejects
    from matscore.cli.progress import show_progress
    from matscore.cli.reading import align_options, read_options, reject_options, run_options
    from matscore.cli.report import open_report
    from matscore.cli.streams import open_streams
    from matscore.commands.evaluate import EvaluateTally, evaluate_file
    from matscore.show.evaluate import render_metrics

    streams = open_streams(color.value)
    chosen = choose_text_format(streams, format_, output)
    inputs = [features, weights, *([] if truth_file is None else [truth_file])]
    roles = ["features", "weights", "truth"][: len(inputs)]
    with (
        open_report(report or (), inputs, [output, rejects], EvaluateTally.NAMES, roles) as record,
        show_progress(streams, quiet=quiet) as on_progress,
    ):
        align = align_options(
            id_col,
            no_id_col,
            None,
            strict,
            transpose,
            False,
            auto_transpose,
            intercept,
            no_intercept,
        )
        run = partial(
            evaluate_file,
            features,
            weights,
            truth=truth,
            truth_file=truth_file,
            read=read_options(delimiter, encoding, headers, decimal, missing, missing_values),
            align=align,
            rejects=record.watch(reject_options(on_error, rejects, max_rejects, missing)),
            run=run_options(
                jobs, chunk_size, memory, engine, scheduler, False, checksum=bool(report)
            ),
            on_plan=say_facts(streams, record, verbose=verbose, quiet=quiet),
            on_progress=on_progress,
        )
        record.summary = write_metrics(streams, run, chosen, output, inputs)
        if chosen == "table" and output is None:
            streams.print_out(partial(render_metrics, record.summary))
        say_rejects(streams, record.summary, rejects, quiet=quiet)
        refuse_low_accuracy(record.summary, min_accuracy)


def choose_text_format(
    streams: Streams, asked: o.EvaluateFormat | None, output: str | None
) -> TextFormat:
    """Return the format that is asked for, named by the output, or fit for the stream."""
    from matscore.errors import UsageError
    from matscore.show.evaluate import TEXT_FORMATS
    from matscore.write.formats import find_format

    if asked is not None:
        return asked.value
    if output is None:
        return "table" if streams.out_is_terminal else "csv"
    found = find_format(output)
    for form in TEXT_FORMATS:
        if form == found:
            return form
    raise UsageError(f"measures are not written as {found}", "name a .csv, .json, .md or .txt file")


def write_metrics(
    streams: Streams,
    run: Callable[[], Summary[EvaluateTally]],
    form: TextFormat,
    output: str | None,
    inputs: Sequence[str],
) -> Summary[EvaluateTally]:
    """Measure, and write what was measured; a table on standard output is left to the caller."""
    from matscore.cli.classify import write_table
    from matscore.show.evaluate import encode_metrics, render_metrics
    from matscore.write.whole import open_output

    if output is None:
        summary = run()
        if form != "table":
            streams.out.write(encode_metrics(summary.tally.metrics, form).encode())
            streams.out.finish()
        return summary
    if form == "table":
        return write_table(run, output, list(inputs), render_metrics)
    with open_output(output, inputs=inputs) as out:
        summary = run()
        out.write(encode_metrics(summary.tally.metrics, form).encode())
    return summary


def refuse_low_accuracy(summary: Summary[EvaluateTally], least: float | None) -> None:
    """Refuse a model that is less accurate than asked for; without rows none is accurate."""
    from matscore.errors import QualityError

    accuracy = summary.tally.metrics.accuracy
    if least is not None and not accuracy >= least:
        raise QualityError(f"the accuracy {accuracy:.6g} is under {least:.6g} (--min-accuracy)")
