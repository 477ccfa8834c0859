"""Make fitted models and their answers with the scikit-learn that runs this, for test_versions.py.

    python tests/models/make_sklearn_models.py   # in an environment of each version

Files go to ``tests/models/sklearn/VERSION/``: models as they are saved in several ways, and
``answers.json``, what the models say of the rows of ``tests/models/sklearn/raw.csv``. Kept are
those of 1.1.3, 1.4.2, 1.6.1 and 1.9.1, the older ones with NumPy 1.26 and pandas 2.2.
"""

from __future__ import annotations

import gzip
import json
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn import preprocessing as pre
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.svm import SVC, LinearSVC

FOLDER = Path(__file__).parent / "sklearn"
VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
NUMBERS = ["age", "income"]
TEXTS = ["region", "plan"]


def make_frame(rng: np.random.Generator, n: int, regions: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n).astype(float),
            "income": np.round(rng.lognormal(3, 0.7, n), 2),
            "region": rng.choice(regions, n),
            "plan": rng.choice(["basic", "plus"], n),
            "visits": rng.integers(0, 9, n),
        }
    )
    for name in ("age", "region"):
        frame.loc[rng.random(n) < 0.15, name] = np.nan
    return frame


def columns(texts: Any, numbers: Any = None, **options: Any) -> ColumnTransformer:
    numbers = numbers or make_pipeline(SimpleImputer(), pre.StandardScaler())
    return ColumnTransformer([("num", numbers, NUMBERS), ("cat", texts, TEXTS)], **options)


def make_models(frame: pd.DataFrame, signal: Any) -> dict[str, Any]:
    three = np.array(["low", "mid", "high"])[np.digitize(signal, np.quantile(signal, [0.3, 0.7]))]
    two = np.where(signal > np.median(signal), 1, 0)
    positive = np.round(np.exp(signal / signal.std() / 3), 3)
    fill = SimpleImputer(strategy="most_frequent")
    ignore = pre.OneHotEncoder(handle_unknown="ignore")
    infrequent = pre.OneHotEncoder(
        min_frequency=12, handle_unknown="infrequent_if_exist", drop="first"
    )
    ordinal = pre.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    found = {
        "logistic.pkl": (columns(make_pipeline(fill, ignore)), LogisticRegression(), three),
        "infrequent.pkl.gz": (columns(infrequent), LinearSVC(random_state=0), two),
        "ordinal.joblib": (
            columns(make_pipeline(fill, ordinal)),
            SGDClassifier(loss="log_loss", random_state=0),
            three,
        ),
        "products.joblib.z": (
            Pipeline(
                [
                    (
                        "c",
                        columns(
                            pre.OneHotEncoder(handle_unknown="ignore", drop="if_binary"),
                            sparse_threshold=0,
                        ),
                    ),
                    ("p", pre.PolynomialFeatures(interaction_only=True)),
                ]
            ),
            Ridge(),
            signal,
        ),
        "bins.joblib.xz": (
            columns(
                ignore,
                make_pipeline(
                    SimpleImputer(add_indicator=True), pre.KBinsDiscretizer(4, strategy="uniform")
                ),
            ),
            PoissonRegressor(),
            positive,
        ),
        "search.joblib.bz2": (
            columns(
                ignore,
                make_pipeline(pre.RobustScaler(), SimpleImputer(strategy="median")),
                sparse_threshold=0,
            ),
            GridSearchCV(
                make_pipeline(SelectKBest(k=3), LinearDiscriminantAnalysis()),
                {"selectkbest__k": [3, 4]},
                cv=2,
            ),
            three,
        ),
        "positions.joblib": (
            ColumnTransformer(
                [
                    ("log", pre.FunctionTransformer(np.log1p), [1]),
                    ("fill", SimpleImputer(), slice(0, 1)),
                    ("text", "drop", [False, False, True, True, False]),
                ],
                remainder="passthrough",
            ),
            TransformedTargetRegressor(Lasso(0.01), transformer=pre.StandardScaler()),
            signal,
        ),
        "rest.pkl": (
            FeatureUnion(
                [("a", columns(ignore)), ("b", columns("drop"))], transformer_weights={"b": 0.5}
            ),
            OneVsRestClassifier(LogisticRegression()),
            three,
        ),
        "vectors.pkl": (columns(ignore), SVC(kernel="linear"), two),
    }
    if VERSION < (1, 8):
        for way in ("ovr", "multinomial"):
            found[f"{way}.pkl"] = (columns(ignore), LogisticRegression(multi_class=way), two)
        found["each.joblib"] = (columns(ignore), LogisticRegression(solver="liblinear"), three)
    if VERSION >= (1, 3):
        found["target.joblib.gz"] = (
            columns(pre.TargetEncoder(random_state=0)),
            LogisticRegression(),
            two,
        )
    models = {}
    for name, (before, last, target) in found.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            models[name] = Pipeline([("before", before), ("model", last)]).fit(frame, target)
    return models


def ask(model: Any, frame: pd.DataFrame) -> dict[str, Any]:
    answers = {}
    for name in ("decision_function", "predict", "predict_proba"):
        if hasattr(model, name):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answers[name] = getattr(model, name)(frame).tolist()
    return answers


def save(model: Any, path: Path) -> None:
    ways = {".z": ("zlib", 9), ".xz": ("xz", 9), ".bz2": ("bz2", 9), ".gz": ("gzip", 9)}
    if ".joblib" in path.name:
        joblib.dump(model, path, compress=ways.get(path.suffix, 0))
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(pickle.dumps(model, 5), mtime=0))
    else:
        path.write_bytes(pickle.dumps(model, 2 if path.name.startswith("logistic") else 4))


def main() -> None:
    rng = np.random.default_rng(11)
    frame = make_frame(rng, 120, ["North", "South", "West, far", "x=1", "rare"])
    noise = rng.normal(0, 0.3, len(frame))
    signal = (
        frame["age"].fillna(40) / 30
        + np.log(frame["income"])
        - (frame["region"] == "South")
        + noise
    )
    unseen = make_frame(rng, 16, ["North", "South", "West, far", "x=1", "rare", "unknown"])
    folder = FOLDER / sklearn.__version__
    folder.mkdir(parents=True, exist_ok=True)
    unseen.to_csv(FOLDER / "raw.csv", index=False)
    raw = pd.read_csv(FOLDER / "raw.csv")
    answers = {}
    for name, model in make_models(frame, signal.to_numpy()).items():
        save(model, folder / name)
        answers[name] = ask(model, raw)
        if name == "logistic.pkl":
            try:
                import skops.io
            except ImportError:
                continue
            way = zipfile.ZIP_DEFLATED
            skops.io.dump(model, folder / "logistic.skops", compression=way, compresslevel=9)
            answers["logistic.skops"] = answers[name]
    text = json.dumps(answers).replace('"], "', '"],\n"').replace("]}, ", "]},\n")
    (folder / "answers.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
