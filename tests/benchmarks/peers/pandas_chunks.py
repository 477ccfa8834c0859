"""pandas in flat memory: chunks of rows, read, scored and written one after another."""

import sys

import numpy as np
import pandas as pd

features_file, weights_file, output, *options = sys.argv[1:]
piped = features_file == "-"
weights = pd.read_csv(weights_file, index_col=0)
chunks = pd.read_csv(
    sys.stdin.buffer if piped else features_file,
    index_col=0,
    dtype={0: str},
    compression="gzip" if piped else "infer",
    chunksize=max(1_000_000 // len(weights), 1),
)
with open(output, "w", newline="") as out:  # noqa: PTH123 - as people write it
    for i, features in enumerate(chunks):
        scores = features[weights.index] @ weights
        result = scores.assign(prediction=scores.idxmax(axis=1))
        if "--no-scores" in options:
            result = result[["prediction"]]
        if "--probabilities" in options:
            powers = scores.sub(scores.max(axis=1), axis=0).apply(np.exp)
            shares = powers.div(powers.sum(axis=1), axis=0)
            result = result.join(shares.add_prefix("probability_"))
            highest = np.sort(scores.to_numpy(), axis=1)
            result["margin"] = highest[:, -1] - highest[:, -2]
        result.to_csv(out, header=i == 0)
