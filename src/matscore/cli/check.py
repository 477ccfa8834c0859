"""``matscore check``: how two files line up, and the command that works."""

from __future__ import annotations

import typer

from matscore.cli import options as o


def check(
    features: o.FeaturesFile,
    weights: o.WeightsFile,
    delimiter: o.Delimiter = None,
    encoding: o.Encoding = None,
    headers: o.Headers = None,
    decimal: o.DecimalMark = o.Decimal.point,
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
    picture: o.Picture = False,
    format_: o.CheckOutput = o.CheckFormat.text,
    color: o.ColorWhen = o.Color.auto,
) -> None:
    """Say how two files line up: shapes, names, verdict, and the command that works.

    Computes no scores. Exits with 0 when the files fit and with 3 when they do not.
    """
    import json
    import sys
    from functools import partial

    from matscore.cli.errors import Exit
    from matscore.cli.reading import align_options, read_options
    from matscore.cli.streams import open_streams
    from matscore.commands.check import check_files
    from matscore.show.picture import render_picture
    from matscore.show.plan import plan_facts, render_plan

    streams = open_streams(color.value)
    read = read_options(delimiter, encoding, headers, decimal, o.Missing.error, missing_values)
    align = align_options(
        id_col, no_id_col, keep_cols, strict, transpose, transpose_features, auto_transpose,
        intercept, no_intercept,
    )  # fmt: skip
    plan = check_files(features, weights, read=read, align=align)
    argv = sys.argv[1:]
    if format_ is o.CheckFormat.json:
        text = json.dumps(plan_facts(plan, argv), indent=2, ensure_ascii=False)
        streams.out.write(f"{text}\n".encode())
        streams.out.finish()
    else:
        streams.print_out(partial(render_picture if picture else render_plan, plan, argv=argv))
    raise typer.Exit(Exit.DONE if plan.ok else Exit.MISFIT)
