"""scikit-learn's own scoring of a linear classifier, with pandas around it."""

import sys

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

features_file, weights_file, output, *options = sys.argv[1:]
piped = features_file == "-"
source = sys.stdin.buffer if piped else features_file
features = pd.read_csv(
    source, index_col=0, dtype={0: str}, compression="gzip" if piped else "infer"
)
weights = pd.read_csv(weights_file, index_col=0)
model = LogisticRegression()
model.classes_ = np.array(weights.columns, dtype=object)
model.coef_ = weights.to_numpy().T
model.intercept_ = np.zeros(len(model.classes_))
rows = features[weights.index].to_numpy()
scores = model.decision_function(rows)
result = pd.DataFrame(scores, features.index, weights.columns)
result["prediction"] = model.predict(rows)
if "--no-scores" in options:
    result = result[["prediction"]]
if "--probabilities" in options:
    result[[f"probability_{c}" for c in weights.columns]] = model.predict_proba(rows)
    highest = np.sort(scores, axis=1)
    result["margin"] = highest[:, -1] - highest[:, -2]
result.to_csv(output)
