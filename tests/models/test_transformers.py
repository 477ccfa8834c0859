"""Each transformer of scikit-learn in a pipeline, on raw rows that it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import decomposition, feature_selection, linear_model, random_projection
from sklearn import preprocessing as pre
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline

from matscore.models.transformers import _TRANSFORMERS
from tests.models.pipelines import make_frame
from tests.models.sklearn_answers import check, fit

FRAME = make_frame(np.random.default_rng(5), 90, unseen=False)
UNSEEN = make_frame(np.random.default_rng(6), 40, unseen=True)
TEXTS = ["region", "flag"]


def on_numbers(*steps: Any) -> tuple[Any, Any]:
    return make_pipeline(*steps), ["age", "score"]


TRANSFORMERS: dict[str, list[tuple[Any, Any]]] = {
    "StandardScaler": [on_numbers(pre.StandardScaler(), SimpleImputer())],
    "RobustScaler": [on_numbers(pre.RobustScaler(unit_variance=True), SimpleImputer())],
    "MinMaxScaler": [on_numbers(SimpleImputer(), pre.MinMaxScaler((2, 5)))],
    "MaxAbsScaler": [on_numbers(SimpleImputer(), pre.MaxAbsScaler())],
    "SimpleImputer": [
        on_numbers(SimpleImputer(add_indicator=True)),
        on_numbers(SimpleImputer(strategy="constant", fill_value=-7, add_indicator=True)),
        (make_pipeline(SimpleImputer(strategy="constant"), pre.OneHotEncoder()), ["region"]),
    ],
    "MissingIndicator": [
        (MissingIndicator(), ["age", "score", "income"]),
        (MissingIndicator(features="all"), ["region", "age"]),
    ],
    "OneHotEncoder": [
        (
            pre.OneHotEncoder(handle_unknown=unknown, drop=drop, min_frequency=least),
            [*TEXTS, "grade"],
        )
        for unknown in ("error", "ignore", "infrequent_if_exist")
        for drop in (None, "first", "if_binary", [np.nan, "no", 1.0])
        for least in (None, 20)
        if not (isinstance(drop, list) and least)
    ],
    "OrdinalEncoder": [
        (
            make_pipeline(
                pre.OrdinalEncoder(
                    handle_unknown="use_encoded_value",
                    unknown_value=unknown,
                    encoded_missing_value=missing,
                    min_frequency=least,
                ),
                SimpleImputer(strategy="constant", fill_value=99),
            ),
            [*TEXTS, "grade"],
        )
        for unknown in (-1, np.nan)
        for missing in (-2, np.nan)
        for least in (None, 20)
    ]
    + [(pre.OrdinalEncoder(), ["flag"])],
    "TargetEncoder": [(pre.TargetEncoder(random_state=0), [*TEXTS, "grade"])],
    "FunctionTransformer": [
        (pre.FunctionTransformer(function), ["income"])
        for function in (
            None,
            np.log,
            np.log1p,
            np.log2,
            np.log10,
            np.sqrt,
            np.square,
            np.abs,
            np.negative,
        )
    ],
    "Binarizer": [on_numbers(pre.StandardScaler(), SimpleImputer(), pre.Binarizer(threshold=0.1))],
    "KBinsDiscretizer": [
        on_numbers(
            *before,
            pre.KBinsDiscretizer(4, encode=encode, strategy=strategy, quantile_method="linear"),
        )
        for before in (
            [SimpleImputer(), pre.StandardScaler()],
            [pre.MinMaxScaler((3, 0.1)[::-1]), SimpleImputer()],
        )
        for encode in ("onehot", "ordinal")
        for strategy in ("uniform", "quantile", "kmeans")
    ],
    "PolynomialFeatures": [
        on_numbers(SimpleImputer(add_indicator=True), pre.PolynomialFeatures(3)),
        on_numbers(
            SimpleImputer(),
            pre.PolynomialFeatures((2, 3), interaction_only=True, include_bias=False),
        ),
        (
            make_pipeline(pre.OneHotEncoder(sparse_output=False), pre.PolynomialFeatures(2)),
            ["grade", "flag"],
        ),
    ],
    "PCA": [on_numbers(SimpleImputer(), decomposition.PCA(2, whiten=True))],
    "IncrementalPCA": [on_numbers(SimpleImputer(), decomposition.IncrementalPCA(1))],
    "FastICA": [on_numbers(SimpleImputer(), decomposition.FastICA(random_state=0))],
    "TruncatedSVD": [on_numbers(SimpleImputer(), decomposition.TruncatedSVD(1))],
    "GaussianRandomProjection": [
        on_numbers(SimpleImputer(), random_projection.GaussianRandomProjection(3))
    ],
    "SparseRandomProjection": [
        on_numbers(SimpleImputer(), random_projection.SparseRandomProjection(3, density=0.5))
    ],
    **{
        type(one).__name__: [on_numbers(SimpleImputer(), pre.PolynomialFeatures(2), one)]
        for one in (
            feature_selection.SelectKBest(k=3),
            feature_selection.SelectPercentile(percentile=34),
            feature_selection.SelectFpr(alpha=0.4),
            feature_selection.SelectFdr(alpha=0.5),
            feature_selection.SelectFwe(alpha=0.9),
            feature_selection.GenericUnivariateSelect(mode="k_best", param=2),
            feature_selection.VarianceThreshold(0.5),
            feature_selection.SelectFromModel(
                linear_model.LogisticRegression(), threshold="0.8*median"
            ),
            feature_selection.RFE(linear_model.LogisticRegression(), n_features_to_select=2),
            feature_selection.RFECV(linear_model.RidgeClassifier(), cv=2),
            feature_selection.SequentialFeatureSelector(linear_model.RidgeClassifier(), cv=2),
        )
    },
}


def test_every_transformer_is_tested() -> None:
    assert set(TRANSFORMERS) == set(_TRANSFORMERS)


CASES = [(name, i) for name, cases in TRANSFORMERS.items() for i in range(len(cases))]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "i"), CASES, ids=[f"{name}{i}" for name, i in CASES])
def test_transformers(name: str, i: int) -> None:
    transformer, columns = TRANSFORMERS[name][i]
    grade = ("grade", SimpleImputer(strategy="median"), ["grade"])
    before = ColumnTransformer(
        [("of", transformer, columns), *([] if "grade" in columns else [grade])]
    )
    target = np.where(FRAME["age"].fillna(30) + 5 * FRAME["score"].fillna(0) > 45, "b", "a")
    if name == "TargetEncoder":
        target = np.where(FRAME["income"] > 40, "c", target)
    model = fit(make_pipeline(before, linear_model.LogisticRegression(max_iter=30)), FRAME, target)
    found = check(model, UNSEEN, i % 10)
    assert name in " ".join(found.steps) or not columns
