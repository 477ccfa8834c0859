"""What people write first: pandas, the whole file in memory."""

import sys

import numpy as np
import pandas as pd

features_file, weights_file, output, *options = sys.argv[1:]
piped = features_file == "-"
source = sys.stdin.buffer if piped else features_file
features = pd.read_csv(
    source, index_col=0, dtype={0: str}, compression="gzip" if piped else "infer"
)
weights = pd.read_csv(weights_file, index_col=0)
scores = features[weights.index] @ weights
result = scores.assign(prediction=scores.idxmax(axis=1))
if "--no-scores" in options:
    result = result[["prediction"]]
if "--probabilities" in options:
    powers = scores.sub(scores.max(axis=1), axis=0).apply(np.exp)
    result = result.join(powers.div(powers.sum(axis=1), axis=0).add_prefix("probability_"))
    highest = np.sort(scores.to_numpy(), axis=1)
    result["margin"] = highest[:, -1] - highest[:, -2]
if "--top-k" in options:
    k = int(options[options.index("--top-k") + 1])
    order = np.argsort(-scores.to_numpy(), axis=1, kind="stable")[:, :k]
    result = pd.DataFrame(
        {
            "rank": np.tile(np.arange(1, k + 1), len(scores)),
            "category": scores.columns.to_numpy()[order.ravel()],
            "score": np.take_along_axis(scores.to_numpy(), order, axis=1).ravel(),
        },
        index=scores.index.repeat(k),
    )
result.to_csv(output)
