"""scikit-learn's linear regression, with pandas around it; targets in a file or in columns."""

import sys

import pandas as pd
from sklearn.linear_model import LinearRegression

features_file, targets, output = sys.argv[1:]
features = pd.read_csv(features_file, index_col=0, dtype={0: str})
if targets.endswith(".csv"):
    wanted = pd.read_csv(targets, index_col=0, dtype={0: str})
    assert wanted.index.equals(features.index)
else:
    names = targets.split(",")
    features, wanted = features.drop(columns=names), features[names]
model = LinearRegression().fit(features, wanted)
weights = pd.DataFrame(model.coef_.T, features.columns, wanted.columns)
weights.loc["(Intercept)"] = model.intercept_
weights.to_csv(output, index_label="feature")
