"""Make the answers in tests/models/pmml: what the JPMML evaluator says of each row of raw.csv.

    pip install sklearn2pmml jpmml_evaluator scikit-learn pandas     (and Java)
    python tests/models/make_pmml.py

NAME.csv is empty where the evaluator gives no result; its columns are the target and
probability(CATEGORY). Files sklearn_* are pipelines of scikit-learn, which this makes too; the
others are written by hand after the elements of the standard. versions.txt has the versions.
"""

from __future__ import annotations

import csv
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LogisticRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import LinearSVC

HERE = Path(__file__).parent / "pmml"
jpmml: Any = import_module("jpmml_evaluator")
sklearn2pmml: Any = import_module("sklearn2pmml")
decoration: Any = import_module("sklearn2pmml.decoration")
pipelines: Any = import_module("sklearn2pmml.pipeline")


def make_models() -> None:
    """Write pipelines of scikit-learn."""
    random = np.random.default_rng(5)
    n = 150
    frame = pd.DataFrame(
        {
            "region": random.choice(list("NSE"), n),
            "age": random.uniform(18, 80, n).round(1),
            "income": np.exp(random.normal(10, 1, n)).round(2),
            "visits": random.integers(0, 5, n),
        }
    )
    signal = frame.age / 20 + (frame.region == "N") + random.normal(0, 1, n)
    two = pd.Series(np.where(signal > 2.7, "yes", "no"), name="c")
    three = pd.Series(np.digitize(signal, [2, 3.5]).astype(str), name="c")
    amount = pd.Series(signal * 10, name="y")
    encoder = OneHotEncoder(handle_unknown="ignore")
    dropping = OneHotEncoder(drop="first", handle_unknown="ignore")
    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    squared = make_pipeline(
        SimpleImputer(strategy="median"), MinMaxScaler(), PolynomialFeatures(2, include_bias=False)
    )
    as_north = decoration.CategoricalDomain(
        invalid_value_treatment="as_missing", missing_value_replacement="N"
    )
    extreme = decoration.ContinuousDomain(
        outlier_treatment="as_extreme_values", low_value=20, high_value=60
    )
    usual = [("region", encoder, ["region"]), ("numbers", scaled, ["age", "income"])]
    squares = [("region", dropping, ["region"]), ("numbers", squared, ["age", "income"])]
    steps = [
        ("age", StandardScaler(), ["age"]),
        ("over", make_pipeline(StandardScaler(), Binarizer(threshold=0.25)), ["income"]),
        ("log", FunctionTransformer(np.log), ["income"]),
    ]
    domains = [
        ("region", make_pipeline(as_north, encoder), ["region"]),
        ("age", make_pipeline(extreme, StandardScaler()), ["age"]),
    ]
    models = {
        "refused_bins": ([("age", KBinsDiscretizer(4), ["age"])], LogisticRegression(), two),
        "sklearn_logistic": (usual, LogisticRegression(), two),
        "sklearn_multinomial": (usual, LogisticRegression(), three),
        "sklearn_svc": (usual, LinearSVC(), two),
        "sklearn_ridge_squares": (squares, Ridge(), amount),
        "sklearn_poisson": (usual, PoissonRegressor(), frame.visits.rename("y")),
        "sklearn_bins": (steps, LogisticRegression(), two),
        "sklearn_domains": (domains, Lasso(alpha=0.1), amount),
    }
    for name, (parts, model, target) in models.items():
        both = [("prepare", ColumnTransformer(parts)), ("model", model)]
        fitted = pipelines.PMMLPipeline(both).fit(frame, target)
        sklearn2pmml.sklearn2pmml(fitted, str(HERE / f"{name}.pmml"))


def answer(path: Path) -> None:
    """Write what the evaluator says of each row."""
    evaluator = jpmml.make_evaluator(str(path))
    names = {field.getName() for field in evaluator.getInputFields()}
    with (HERE / "raw.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    answers = []
    for row in rows:
        cells = {key: value or None for key, value in row.items() if key in names}
        try:
            found = evaluator.evaluate(cells)
        except jpmml.JavaError:
            found = {}
        answers.append({key: value for key, value in found.items() if value is not None})
    columns = list(dict.fromkeys(key for found in answers for key in found))
    with path.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *columns])
        for row, found in zip(rows, answers, strict=True):
            writer.writerow([row["id"], *(found.get(column, "") for column in columns)])


if __name__ == "__main__":
    make_models()
    for each in sorted(HERE.glob("*.pmml")):
        if not each.stem.startswith("refused_"):
            answer(each)
    packages = ("sklearn2pmml", "jpmml_evaluator", "scikit-learn")
    (HERE / "versions.txt").write_text("".join(f"{p} {version(p)}\n" for p in packages))
