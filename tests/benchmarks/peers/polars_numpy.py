"""Polars reads and writes, NumPy multiplies; the whole file in memory."""

import sys

import numpy as np
import polars as pl

features_file, weights_file, output, *options = sys.argv[1:]
source = sys.stdin.buffer.read() if features_file == "-" else features_file
weights = pl.read_csv(weights_file)
names, categories = weights.to_series(0).to_list(), weights.columns[1:]
schema = dict.fromkeys(names, pl.Float64)
features = pl.read_csv(source, schema_overrides=schema)
scores = features.select(names).to_numpy() @ weights.select(categories).to_numpy()
best = scores.argmax(axis=1)
columns = [features.select(pl.nth(0).cast(pl.String))]
if "--no-scores" not in options:
    columns.append(pl.DataFrame(scores, schema=categories))
columns.append(pl.DataFrame({"prediction": pl.Series(categories).gather(best)}))
if "--probabilities" in options:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    highest = np.sort(scores, axis=1)
    columns.append(pl.DataFrame(shares, schema=[f"probability_{c}" for c in categories]))
    columns.append(pl.DataFrame({"margin": highest[:, -1] - highest[:, -2]}))
if "--top-k" in options:
    k = int(options[options.index("--top-k") + 1])
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    ranked = {
        "rank": np.tile(np.arange(1, k + 1), len(scores)),
        "category": pl.Series(categories).gather(order.ravel()),
        "score": np.take_along_axis(scores, order, axis=1).ravel(),
    }
    rows = np.repeat(np.arange(len(scores)), k)
    columns = [columns[0][rows], pl.DataFrame(ranked)]
pl.concat(columns, how="horizontal").write_csv(output)
