"""NumPy's product alone, on data already in memory; prints its seconds."""

import sys
import time

import numpy as np

n_rows, n_features, n_categories = map(int, sys.argv[1:])
rng = np.random.default_rng(0)
features = rng.normal(size=(n_rows, n_features))
weights = rng.normal(size=(n_features, n_categories))
start = time.perf_counter()
scores = features @ weights
print(time.perf_counter() - start)
