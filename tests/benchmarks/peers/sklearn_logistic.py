"""scikit-learn's logistic regression by L-BFGS, with pandas around it."""

import sys

import pandas as pd
from sklearn.linear_model import LogisticRegression

features_file, target, output = sys.argv[1:]
features = pd.read_csv(features_file, index_col=0, dtype={0: str, target: str})
truth = features.pop(target)
model = LogisticRegression(solver="lbfgs").fit(features, truth)
weights = pd.DataFrame(model.coef_.T, features.columns, model.classes_)
weights.loc["(Intercept)"] = model.intercept_
weights.to_csv(output, index_label="feature")
