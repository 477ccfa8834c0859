"""Polars alone: lazy expressions, streamed from file to file."""

import sys

import polars as pl

features_file, weights_file, output, *options = sys.argv[1:]
source = sys.stdin.buffer.read() if features_file == "-" else features_file
weights = pl.read_csv(weights_file)
names, categories = weights.to_series(0).to_list(), weights.columns[1:]
rows = pl.scan_csv(source, schema_overrides=dict.fromkeys(names, pl.Float64))
label = rows.collect_schema().names()[0]
scores = [
    pl.sum_horizontal([pl.col(f) * w for f, w in zip(names, weights[c], strict=True)]).alias(c)
    for c in categories
]
highest = pl.max_horizontal(categories)
best = pl.coalesce([pl.when(pl.col(c) == highest).then(pl.lit(c)) for c in categories])
result = rows.select(pl.col(label).cast(pl.String), *scores).with_columns(prediction=best)
if "--probabilities" in options:
    powers = {f"probability_{c}": (pl.col(c) - highest).exp() for c in categories}
    runner_up = pl.concat_list(categories).list.sort(descending=True).list.get(1)
    result = result.with_columns(**powers, margin=highest - runner_up)
    result = result.with_columns(pl.col(list(powers)) / pl.sum_horizontal(list(powers)))
if "--no-scores" in options:
    result = result.select(label, "prediction")
result.sink_csv(output)
