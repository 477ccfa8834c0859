from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn import (
    cross_decomposition, decomposition, feature_selection, linear_model, naive_bayes, random_projection, svm,
)  # fmt: skip
from sklearn import preprocessing as pre
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier, VotingRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.model_selection import (
    FixedThresholdClassifier, GridSearchCV, RandomizedSearchCV, TunedThresholdClassifierCV,
)  # fmt: skip
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from matscore.models.bounds import ModelFile, inflate
from matscore.models.linear_models import ESTIMATORS
from matscore.models.pickles import read_pickle
from matscore.models.records import Record
from matscore.models.refusal import Refusal
from matscore.models.saved import read_saved
from matscore.models.sources import read_object
from matscore.models.transformers import _TRANSFORMERS
from matscore.models.types import ImportedModel
from tests.models.sklearn_answers import as_rows, ask, compare, score_rows
from tests.models.pipelines import make_case, make_frame

RNG = np.random.default_rng(17)
NUMBERS = pd.DataFrame(RNG.normal(1, 2, (90, 4)), columns=["a", "b", "c", "d"])
COUNTS = pd.DataFrame(RNG.poisson(1.5, (90, 4)).astype(float), columns=["a", "b", "c", "d"])
SIGNAL = NUMBERS.to_numpy() @ [1.0, -0.7, 0.3, 0.0] + RNG.normal(0, 1, 90)
TWO = np.where(SIGNAL > 0.5, "yes", "no")
THREE = np.array([3, 1, 2])[np.digitize(SIGNAL, [-0.5, 1.5])]


def save(model: Any, way: int) -> bytes:
    """Return a model as it is saved: by pickle, or by joblib with a compression."""
    if way < 4:
        return pickle.dumps(model, way + 2)
    stream = io.BytesIO()
    compress: Any = [0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 2), ("xz", 2)][way - 4]
    joblib.dump(model, stream, compress=compress)
    return inflate(stream.getvalue())


def load(model: Any, way: int = 3) -> ImportedModel:
    """Return a model that was saved and imported."""
    return read_saved(read_pickle(save(model, way)))


def fit(model: Any, features: pd.DataFrame, target: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(features, target)


def check(model: Any, features: pd.DataFrame, way: int = 3) -> ImportedModel:
    """Check an imported model, and the same from memory, against the fitted one."""
    found = load(model, way)
    answers = ask(model, features)
    compare(found, as_rows(features), answers)
    compare(read_object(model), as_rows(features), answers)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_random_pipelines(seed: int) -> None:
    case = make_case(seed)
    compare(load(case.model, seed % 10), as_rows(case.rows), ask(case.model, case.rows))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40, 400))
def test_many_random_pipelines(seed: int) -> None:
    test_random_pipelines(seed)


# ---------------------------------------------------------------------------------- each estimator

Make = Callable[[], Any]
REGRESSORS: dict[str, Make] = {
    name: getattr(linear_model, name)
    for name in """LinearRegression Ridge RidgeCV Lasso LassoCV LassoLars LassoLarsCV LassoLarsIC
    Lars LarsCV ElasticNet ElasticNetCV OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV
    BayesianRidge ARDRegression HuberRegressor TheilSenRegressor QuantileRegressor SGDRegressor
    TweedieRegressor""".split()
} | {
    "PassiveAggressiveRegressor": lambda: linear_model.PassiveAggressiveRegressor(),
    "LinearSVR": svm.LinearSVR,
    "SVR": lambda: svm.SVR(kernel="linear"),
    "NuSVR": lambda: svm.NuSVR(kernel="linear"),
    "PLSRegression": cross_decomposition.PLSRegression,
}
MULTI = ["MultiTaskLasso", "MultiTaskLassoCV", "MultiTaskElasticNet", "MultiTaskElasticNetCV"]
POSITIVE: dict[str, Make] = {
    "PoissonRegressor": linear_model.PoissonRegressor,
    "GammaRegressor": linear_model.GammaRegressor,
}
CLASSIFIERS: dict[str, Make] = {
    name: getattr(linear_model, name)
    for name in """LogisticRegression LogisticRegressionCV SGDClassifier RidgeClassifier
    RidgeClassifierCV Perceptron PassiveAggressiveClassifier""".split()
} | {
    "LinearSVC": svm.LinearSVC,
    "LinearDiscriminantAnalysis": LinearDiscriminantAnalysis,
}
VOTERS: dict[str, Make] = {
    "SVC": lambda: svm.SVC(kernel="linear"),
    "NuSVC": lambda: svm.NuSVC(kernel="linear", nu=0.3),
}
BAYES: dict[str, Make] = {
    "MultinomialNB": naive_bayes.MultinomialNB,
    "ComplementNB": naive_bayes.ComplementNB,
    "BernoulliNB": lambda: naive_bayes.BernoulliNB(binarize=1.0),
    "CategoricalNB": lambda: naive_bayes.CategoricalNB(min_categories=12),
}


def test_every_estimator_is_tested() -> None:
    tested = {*REGRESSORS, *MULTI, *POSITIVE, *CLASSIFIERS, *VOTERS, *BAYES}
    assert tested == set(ESTIMATORS)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name: str) -> None:
    found = check(fit(REGRESSORS[name](), NUMBERS, SIGNAL), NUMBERS[:30])
    assert found.link == "identity"
    assert found.categories == ("y",)


@pytest.mark.parametrize("name", MULTI)
def test_regressors_of_several_targets(name: str) -> None:
    target = np.column_stack([SIGNAL, SIGNAL**2])
    found = check(fit(getattr(linear_model, name)(), NUMBERS, target), NUMBERS[:30])
    assert found.categories == ("y0", "y1")


@pytest.mark.parametrize("name", POSITIVE)
def test_regressors_of_positive_targets(name: str) -> None:
    assert check(fit(POSITIVE[name](), NUMBERS, np.exp(SIGNAL / 2)), NUMBERS[:30]).link == "exp"
    assert (
        check(
            fit(linear_model.TweedieRegressor(power=1.5), NUMBERS, np.exp(SIGNAL / 2)), NUMBERS
        ).link
        == "exp"
    )


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("target", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers(name: str, target: Any) -> None:
    model = fit(CLASSIFIERS[name](), NUMBERS, target)
    found = check(model, NUMBERS[:30])
    assert found.categories == tuple(map(str, model.classes_))


@pytest.mark.parametrize("name", VOTERS)
def test_support_vectors(name: str) -> None:
    check(fit(VOTERS[name](), NUMBERS, TWO), NUMBERS[:30])
    with pytest.raises(Refusal, match="votes"):
        load(fit(VOTERS[name](), NUMBERS, THREE))
    with pytest.raises(Refusal, match="kernel 'rbf'"):
        load(fit(svm.SVC(), NUMBERS, TWO))


@pytest.mark.parametrize("target", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("name", BAYES)
def test_naive_bayes(name: str, target: Any) -> None:
    model = fit(BAYES[name](), COUNTS, target)
    found = load(model)
    rows = as_rows(COUNTS[:30])
    compare(
        found, rows, {key: ask(model, COUNTS[:30])[key] for key in ("predict", "predict_proba")}
    )
    if name == "CategoricalNB":
        assert np.isnan(score_rows(found, [{**rows[0], "a": "12"}])).all()


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber", "hinge"])
def test_links_of_gradient_descent(loss: str) -> None:
    found = check(
        fit(linear_model.SGDClassifier(loss=loss, random_state=0), NUMBERS, THREE), NUMBERS
    )
    assert found.link == ("one-vs-rest" if loss == "log_loss" else "identity")
    assert ("modified_huber" in " ".join(found.facts)) == (loss == "modified_huber")


def test_names_are_positions_where_the_model_has_none() -> None:
    found = load(fit(linear_model.Ridge(), NUMBERS.to_numpy(), SIGNAL))  # type: ignore[arg-type]
    assert found.positional == ("x0", "x1", "x2", "x3")
    renamed = NUMBERS.rename(columns=dict(zip("abcd", found.positional, strict=True)))
    compare(
        found,
        as_rows(renamed[:9]),
        {"predict": fit(linear_model.Ridge(), NUMBERS, SIGNAL).predict(NUMBERS[:9]).tolist()},
    )


# ------------------------------------------------------------------------------- each transformer

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
        (make_pipeline(SimpleImputer(missing_values="no", strategy="constant", fill_value="yes"),
                       pre.OneHotEncoder(handle_unknown="ignore")), ["flag"]),
    ],
    "MissingIndicator": [
        (MissingIndicator(), ["age", "score", "income"]), (MissingIndicator(features="all"), ["region", "age"]),
    ],
    "OneHotEncoder": [
        (pre.OneHotEncoder(handle_unknown=unknown, drop=drop, min_frequency=least), [*TEXTS, "grade"])
        for unknown in ("error", "ignore", "infrequent_if_exist")
        for drop in (None, "first", "if_binary", [np.nan, "no", 1.0])
        for least in (None, 20)
        if not (isinstance(drop, list) and least)
    ],
    "OrdinalEncoder": [
        (make_pipeline(pre.OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=unknown, encoded_missing_value=missing,
            min_frequency=least), SimpleImputer(strategy="constant", fill_value=99)), [*TEXTS, "grade"])
        for unknown in (-1, np.nan) for missing in (-2, np.nan) for least in (None, 20)
    ] + [(pre.OrdinalEncoder(), ["flag"])],
    "TargetEncoder": [(pre.TargetEncoder(random_state=0), [*TEXTS, "grade"])],
    "FunctionTransformer": [
        (pre.FunctionTransformer(function), ["income"])
        for function in (None, np.log, np.log1p, np.log2, np.log10, np.sqrt, np.square, np.abs, np.negative)
    ],
    "Binarizer": [on_numbers(pre.StandardScaler(), SimpleImputer(), pre.Binarizer(threshold=0.1))],
    "KBinsDiscretizer": [
        on_numbers(*before, pre.KBinsDiscretizer(4, encode=encode, strategy=strategy, quantile_method="linear"))
        for before in ([SimpleImputer(), pre.StandardScaler()], [pre.MinMaxScaler((3, 0.1)[::-1]), SimpleImputer()])
        for encode in ("onehot", "ordinal") for strategy in ("uniform", "quantile", "kmeans")
    ],
    "PolynomialFeatures": [
        on_numbers(SimpleImputer(add_indicator=True), pre.PolynomialFeatures(3)),
        on_numbers(SimpleImputer(), pre.PolynomialFeatures((2, 3), interaction_only=True, include_bias=False)),
        (make_pipeline(pre.OneHotEncoder(sparse_output=False), pre.PolynomialFeatures(2)), ["grade", "flag"]),
    ],
    "PCA": [on_numbers(SimpleImputer(), decomposition.PCA(2, whiten=True))],
    "IncrementalPCA": [on_numbers(SimpleImputer(), decomposition.IncrementalPCA(1))],
    "FastICA": [on_numbers(SimpleImputer(), decomposition.FastICA(random_state=0))],
    "TruncatedSVD": [on_numbers(SimpleImputer(), decomposition.TruncatedSVD(1))],
    "GaussianRandomProjection": [on_numbers(SimpleImputer(), random_projection.GaussianRandomProjection(3))],
    "SparseRandomProjection": [on_numbers(SimpleImputer(), random_projection.SparseRandomProjection(3, density=0.5))],
    "LinearDiscriminantAnalysis": [
        on_numbers(SimpleImputer(), LinearDiscriminantAnalysis()),
        on_numbers(SimpleImputer(), LinearDiscriminantAnalysis(solver="eigen")),
    ],
    **{
        type(one).__name__: [on_numbers(SimpleImputer(), pre.PolynomialFeatures(2), one)]
        for one in (
            feature_selection.SelectKBest(k=3), feature_selection.SelectPercentile(percentile=34),
            feature_selection.SelectFpr(alpha=0.4), feature_selection.SelectFdr(alpha=0.5),
            feature_selection.SelectFwe(alpha=0.9), feature_selection.GenericUnivariateSelect(mode="k_best", param=2),
            feature_selection.VarianceThreshold(0.5),
            feature_selection.SelectFromModel(linear_model.LogisticRegression(), threshold="0.8*median"),
            feature_selection.RFE(linear_model.LogisticRegression(), n_features_to_select=2),
            feature_selection.RFECV(linear_model.LogisticRegression(), cv=2),
            feature_selection.SequentialFeatureSelector(linear_model.LogisticRegression(), cv=2),
        )
    },
}  # fmt: skip


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


# ------------------------------------------------------------------- what wraps steps and models


@pytest.mark.parametrize(
    "columns",
    [
        ["a", "c"], [0, 2], [-4, -2], slice(0, 3, 2), slice("a", "c"), [True, False, True, False],
        np.array([True, False, True, False]), make_column_selector("a|c"), (lambda frame: ["c", "a"]),
    ],
    ids=str,
)  # fmt: skip
def test_columns_by_name_position_slice_and_mask(columns: Any) -> None:
    before = ColumnTransformer([("s", pre.StandardScaler(), columns)], remainder="passthrough")
    if callable(columns) and not isinstance(columns, make_column_selector):
        model = fit(make_pipeline(before, linear_model.Ridge()), NUMBERS, SIGNAL)
        compare(read_object(model), as_rows(NUMBERS[:9]), ask(model, NUMBERS[:9]))
    else:
        check(fit(make_pipeline(before, linear_model.Ridge()), NUMBERS, SIGNAL), NUMBERS[:9])


def test_wrapped_regressors() -> None:
    ridge = linear_model.Ridge()
    for model in (
        GridSearchCV(ridge, {"alpha": [1, 10]}), RandomizedSearchCV(ridge, {"alpha": [1, 10]}, n_iter=1),
        linear_model.RANSACRegressor(random_state=0), VotingRegressor([("a", ridge), ("b", linear_model.Lasso())]),
        VotingRegressor([("a", ridge), ("n", "drop"), ("b", linear_model.Lasso())], weights=[3, 9, 1]),
        TransformedTargetRegressor(ridge, transformer=pre.StandardScaler()),
        TransformedTargetRegressor(ridge, transformer=pre.MinMaxScaler((1, 3))),
        TransformedTargetRegressor(ridge, transformer=pre.RobustScaler()),
        TransformedTargetRegressor(ridge, transformer=pre.MaxAbsScaler()), TransformedTargetRegressor(ridge),
        Pipeline([("none", None), ("as", "passthrough"), ("last", make_pipeline(pre.StandardScaler(), ridge))]),
    ):  # fmt: skip
        check(fit(model, NUMBERS, SIGNAL), NUMBERS[:20])
    two = np.column_stack([SIGNAL, -SIGNAL])
    check(
        fit(MultiOutputRegressor(make_pipeline(pre.StandardScaler(), ridge)), NUMBERS, two),
        NUMBERS[:20],
    )
    found = check(
        fit(
            TransformedTargetRegressor(ridge, func=np.log, inverse_func=np.exp),
            NUMBERS,
            np.exp(SIGNAL),
        ),
        NUMBERS[:20],
    )
    assert found.link == "exp"


@pytest.mark.parametrize("target", [TWO, THREE], ids=["two", "three"])
def test_one_against_the_rest(target: Any) -> None:
    for inner in (
        linear_model.LogisticRegression(), svm.LinearSVC(), make_pipeline(pre.MaxAbsScaler(), linear_model.RidgeClassifier()),
    ):  # fmt: skip
        check(fit(OneVsRestClassifier(inner), NUMBERS, target), NUMBERS[:20])
    found = load(fit(OneVsRestClassifier(naive_bayes.MultinomialNB()), COUNTS, target))
    answers = ask(fit(OneVsRestClassifier(naive_bayes.MultinomialNB()), COUNTS, target), COUNTS)
    compare(found, as_rows(COUNTS), answers)


@pytest.mark.parametrize("inner", [linear_model.LogisticRegression(), svm.LinearSVC()])
@pytest.mark.parametrize("positive", [None, "no", "yes"])
def test_thresholds(inner: Any, positive: str | None) -> None:
    model = fit(FixedThresholdClassifier(inner, threshold=0.7, pos_label=positive), NUMBERS, TWO)
    found = check(model, NUMBERS)
    assert found.threshold is not None
    plain = np.argmax(score_rows(found, as_rows(NUMBERS)), axis=1)
    assert (np.array(found.categories)[plain] != model.predict(NUMBERS)).any()
    tuned = TunedThresholdClassifierCV(inner, random_state=0, cv=3)
    assert check(fit(tuned, NUMBERS, TWO), NUMBERS).threshold is not None
    assert check(fit(FixedThresholdClassifier(inner), NUMBERS, TWO), NUMBERS).threshold is None


def test_features_of_dicts() -> None:
    rows = [
        {"city": "Rome", "size": 3.5},
        {"city": "Oslo"},
        {"size": 1.0},
        {"city": "Bonn", "size": 2},
    ] * 9
    model = make_pipeline(DictVectorizer(), linear_model.Ridge()).fit(rows, np.arange(36) % 5)
    unseen = [*rows[:4], {"city": "Paris", "size": -1.0}, {}]
    cells = [
        {"city": row.get("city"), "size": None if "size" not in row else str(row["size"])}
        for row in unseen
    ]
    compare(load(model), cells, {"predict": model.predict(unseen).tolist()})  # type: ignore[arg-type]
    odd = make_pipeline(DictVectorizer(), linear_model.Ridge()).fit(
        [{"a": "b=c"}, {"a": "d"}], [0, 1]
    )
    with pytest.raises(Refusal, match="'a=b=c' cannot be told"):
        load(odd)


def test_float32_is_said() -> None:
    found = load(fit(linear_model.Ridge(), NUMBERS.astype("float32"), SIGNAL.astype("float32")))
    assert found.rounding > 1e-8
    assert "float32" in " ".join(found.facts)


def test_sparse_coefficients() -> None:
    model = fit(linear_model.LogisticRegression(C=0.1, l1_ratio=1, solver="saga"), NUMBERS, THREE)
    before = load(model).folded.weights
    assert (load(model.sparsify()).folded.weights == before).all()


# ---------------------------------------------------------------------------------- other versions


def alter(model: Any, **attributes: Any) -> Any:
    for name, value in attributes.items():
        setattr(model, name, value)
    return model


def test_multi_class_of_versions_before() -> None:
    for way, two, three in (
        ("multinomial", None, None), ("ovr", None, "one-vs-rest"), ("auto", None, None), ("warn", None, "one-vs-rest"),
    ):  # fmt: skip
        for target, link in ((TWO, two), (THREE, three)):
            model = alter(fit(linear_model.LogisticRegression(), NUMBERS, target), multi_class=way)
            assert load(model).link == link
    model = fit(linear_model.LogisticRegression(), NUMBERS, TWO)
    before = score_rows(load(model), as_rows(NUMBERS[:5]))
    both = score_rows(load(alter(model, multi_class="multinomial")), as_rows(NUMBERS[:5]))
    assert both[:, 1] == pytest.approx(before[:, 1])
    assert both[:, 0] == pytest.approx(-before[:, 1])


def test_dropped_levels_of_versions_before() -> None:
    encoder = pre.OneHotEncoder(drop=["no"], sparse_output=False)
    model = fit(
        make_pipeline(encoder, linear_model.LogisticRegression()),
        FRAME[["flag"]],
        FRAME["age"] > 40,
    )
    answers = ask(model, FRAME[["flag"]])
    del encoder._drop_idx_after_grouping, encoder._infrequent_enabled
    encoder.drop_idx_ = np.array([0])
    compare(load(model), as_rows(FRAME[["flag"]]), answers)


# --------------------------------------------------------------------------------------- refusals


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
    (LogisticRegression(), "test_sklearn.LogisticRegression is no model that is known"),
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
    with pytest.raises(Refusal, match="more than 10,000 steps"):
        load(Pipeline([("a", inner), ("b", model)]))
