"""Models and steps of scikit-learn that are refused, with their place and the reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import decomposition, linear_model, naive_bayes, svm
from sklearn import preprocessing as pre
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsOneClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from matscore.models.bounds import Refusal
from tests.models.sklearn_answers import fit, load
from tests.models.test_sklearn import NUMBERS, SIGNAL, TWO


class Custom(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, X: Any, y: Any = None) -> Custom:
        self.n_features_in_ = 4
        return self

    def transform(self, X: Any) -> Any:
        return X


class LogisticRegression(linear_model.LogisticRegression):  # type: ignore[misc]
    """A class of somebody's, by a known name."""


def double(X: Any) -> Any:
    return 2 * X


REFUSED: list[tuple[Any, str]] = [
    (pre.Normalizer(), r'step "normalizer" \(Normalizer\).*length'),
    (pre.PowerTransformer(), "PowerTransformer"),
    (pre.QuantileTransformer(n_quantiles=9), "QuantileTransformer"),
    (pre.SplineTransformer(), "SplineTransformer"),
    (KNNImputer(), "KNNImputer"),
    (pre.MinMaxScaler(clip=True), "clip=True"),
    (pre.FunctionTransformer(double), "double is not known"),
    (pre.FunctionTransformer(np.round, kw_args={"decimals": 1}), "kw_args"),
    (Custom(), r'step "custom" \(Custom\).*Custom is not known'),
    (
        FeatureUnion([("a", "passthrough"), ("b", pre.Normalizer())]),
        'step "featureunion".*step "b"',
    ),
    (ColumnTransformer([("t", pre.Normalizer(), ["a"])]), 'step "t" .Normalizer'),
    (
        make_pipeline(pre.StandardScaler(), decomposition.PCA(2), pre.Binarizer()),
        'step "binarizer"',
    ),
    (SimpleImputer(missing_values=-1), "missing_values"),
    (LinearDiscriminantAnalysis(), "is not imported as a transformer"),
]


@pytest.mark.parametrize(
    ("step", "words"), REFUSED, ids=[type(step).__name__ for step, _ in REFUSED]
)
def test_steps_that_are_refused(step: Any, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        load(fit(make_pipeline(step, linear_model.LogisticRegression()), NUMBERS, TWO))


REFUSED_MODELS: list[tuple[Any, str]] = [
    (RandomForestClassifier(3), "not linear"),
    (CalibratedClassifierCV(svm.LinearSVC(), cv=2), "CalibratedClassifierCV"),
    (OneVsOneClassifier(svm.LinearSVC()), "votes"),
    (naive_bayes.GaussianNB(), "squares"),
    (VotingClassifier([("a", LinearDiscriminantAnalysis())]), "puts models together"),
    (LogisticRegression(), "test_sklearn_refused.LogisticRegression is no model that is known"),
    (
        GridSearchCV(linear_model.LogisticRegression(), {"C": [1, 2]}, refit=False),
        "best_estimator_",
    ),
    (pre.StandardScaler(), "not linear"),
    (make_pipeline(pre.StandardScaler(), pre.MaxAbsScaler()), "not linear"),
]


@pytest.mark.parametrize(
    ("model", "words"), REFUSED_MODELS, ids=[type(m).__name__ for m, _ in REFUSED_MODELS]
)
def test_models_that_are_refused(model: Any, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        load(fit(model, NUMBERS, TWO))


def test_attributes_that_are_not_known_are_refused() -> None:
    model = fit(make_pipeline(pre.StandardScaler(), linear_model.Ridge()), NUMBERS, SIGNAL)
    model[0].winsorize = 0.01
    with pytest.raises(Refusal, match=r'step "standardscaler" .*"winsorize"'):
        load(model)
    model[0].winsorize = None
    load(model)
    model[1].monotonic = [1, 0]
    with pytest.raises(Refusal, match=r'step "ridge" .*"monotonic"'):
        load(model)


def test_what_is_not_fitted_or_does_not_fit_is_refused() -> None:
    with pytest.raises(Refusal, match="not fitted"):
        load(linear_model.Ridge())
    model = fit(make_pipeline(pre.StandardScaler(), linear_model.Ridge()), NUMBERS, SIGNAL)
    model[0].mean_ = model[0].mean_[:2]
    with pytest.raises(Refusal, match="shape"):
        load(model)
    model = fit(linear_model.Ridge(), NUMBERS, SIGNAL)
    model.coef_[1] = np.nan
    with pytest.raises(Refusal, match="finite"):
        load(model)
    with pytest.raises(Refusal, match="no fitted model"):
        load({"scaler": pre.StandardScaler(), "model": model})


def test_models_that_never_end_are_refused() -> None:
    model = fit(make_pipeline(pre.StandardScaler(), linear_model.Ridge()), NUMBERS, SIGNAL)
    model.steps.insert(1, ("again", model))
    with pytest.raises(Refusal, match="levels deep"):
        load(model)
    inner: Any = pre.StandardScaler().fit(NUMBERS)
    for _ in range(30):
        inner = Pipeline([("a", inner), ("b", inner)])
    model = fit(linear_model.Ridge(), NUMBERS, SIGNAL)
    with pytest.raises(Refusal, match="more steps than are folded"):
        load(Pipeline([("a", inner), ("b", model)]))
