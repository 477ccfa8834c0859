from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import (
    cross_decomposition,
    linear_model,
    naive_bayes,
    svm,
)
from sklearn import preprocessing as pre
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction import DictVectorizer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

import matscore
from matscore.models.bounds import Refusal
from matscore.models.linear_models import ESTIMATORS
from matscore.models.sources import read_object
from matscore.models.weights import make_table
from matscore.terms import Missing, Other
from tests.models.pipelines import make_case, make_frame
from tests.models.sklearn_answers import Row, as_rows, ask, check, compare, fit, load, score_rows

FRAME = make_frame(np.random.default_rng(5), 90, unseen=False)
RNG = np.random.default_rng(17)
NUMBERS = pd.DataFrame(RNG.normal(1, 2, (90, 4)), columns=["a", "b", "c", "d"])
COUNTS = pd.DataFrame(RNG.poisson(1.5, (90, 4)).astype(float), columns=["a", "b", "c", "d"])
SIGNAL = NUMBERS.to_numpy() @ [1.0, -0.7, 0.3, 0.0] + RNG.normal(0, 1, 90)
TWO = np.where(SIGNAL > 0.5, "yes", "no")
THREE = np.array([3, 1, 2])[np.digitize(SIGNAL, [-0.5, 1.5])]


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
    for name in [
        "LinearRegression",
        "Ridge",
        "RidgeCV",
        "Lasso",
        "LassoCV",
        "LassoLars",
        "LassoLarsCV",
        "LassoLarsIC",
        "Lars",
        "LarsCV",
        "ElasticNet",
        "ElasticNetCV",
        "OrthogonalMatchingPursuit",
        "OrthogonalMatchingPursuitCV",
        "BayesianRidge",
        "ARDRegression",
        "HuberRegressor",
        "TheilSenRegressor",
        "QuantileRegressor",
        "SGDRegressor",
        "TweedieRegressor",
    ]
} | {
    "PassiveAggressiveRegressor": linear_model.PassiveAggressiveRegressor,
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
    for name in [
        "LogisticRegression",
        "LogisticRegressionCV",
        "SGDClassifier",
        "RidgeClassifier",
        "RidgeClassifierCV",
        "Perceptron",
        "PassiveAggressiveClassifier",
    ]
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
    assert found.categories == tuple(str(one) for one in model.classes_)


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


# ------------------------------------------------------------------- what wraps steps and models


@pytest.mark.parametrize(
    "columns",
    [
        ["a", "c"],
        [0, 2],
        [-4, -2],
        slice(0, 3, 2),
        slice("a", "c"),
        [True, False, True, False],
        np.array([True, False, True, False]),
        make_column_selector("a|c"),
        (lambda frame: ["c", "a"]),
    ],
    ids=range(9),  # not by addresses, which differ between processes
)
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
        GridSearchCV(ridge, {"alpha": [1, 10]}),
        RandomizedSearchCV(ridge, {"alpha": [1, 10]}, n_iter=1),
        linear_model.RANSACRegressor(random_state=0),
        TransformedTargetRegressor(ridge, transformer=pre.StandardScaler()),
        TransformedTargetRegressor(ridge, transformer=pre.MinMaxScaler((1, 3))),
        TransformedTargetRegressor(ridge, transformer=pre.RobustScaler()),
        TransformedTargetRegressor(ridge, transformer=pre.MaxAbsScaler()),
        TransformedTargetRegressor(ridge),
        Pipeline(
            [
                ("none", None),
                ("as", "passthrough"),
                ("last", make_pipeline(pre.StandardScaler(), ridge)),
            ]
        ),
    ):
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
        linear_model.LogisticRegression(),
        svm.LinearSVC(),
        make_pipeline(pre.MaxAbsScaler(), linear_model.RidgeClassifier()),
    ):
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


@pytest.mark.parametrize("positive", [None, "no", "yes"])
@pytest.mark.parametrize("inner", [linear_model.LogisticRegression(), svm.LinearSVC()])
def test_labels_at_exactly_the_threshold(inner: Any, positive: str | None) -> None:
    """What is positive wins there, in the first place or in the second."""
    threshold = 0.5 if hasattr(inner, "solver") else 0.0
    inner = FixedThresholdClassifier(inner, threshold=threshold, pos_label=positive)
    model = fit(inner, NUMBERS, TWO)
    model.estimator_.intercept_[:] = 0.0
    rows = NUMBERS[:3].mul([0, 1, -1], axis=0)
    shifted = load(model).at_threshold()
    best = np.argmax(score_rows(shifted, as_rows(rows)), axis=1)
    labels = model.predict(rows).tolist()
    assert [shifted.categories[i] for i in best] == labels
    assert labels[0] == (positive or "yes")
    # The program's own tie rule gives the same.
    weights = make_table(shifted)
    frame = pd.DataFrame(weights.values, weights.names, shifted.categories)
    assert matscore.classify(rows, frame)["prediction"].tolist() == labels


def test_features_of_dicts() -> None:
    rows: list[dict[str, Any]] = [
        {"city": "Rome", "size": 3.5},
        {"city": "Oslo"},
        {"size": 1.0},
        {"city": "Bonn", "size": 2},
    ] * 9
    model = make_pipeline(DictVectorizer(), linear_model.Ridge()).fit(rows, np.arange(36) % 5)
    unseen = [*rows[:4], {"city": "Paris", "size": -1.0}, {}]
    cells: list[Row] = [
        {"city": row.get("city"), "size": None if "size" not in row else str(row["size"])}
        for row in unseen
    ]
    compare(load(model), cells, {"predict": model.predict(unseen).tolist()})
    odd = make_pipeline(DictVectorizer(), linear_model.Ridge()).fit(
        [{"a": "b=c"}, {"a": "d"}], [0, 1]
    )
    with pytest.raises(Refusal, match="'a=b=c' cannot be told"):
        load(odd)


def test_what_one_part_refuses_no_other_part_knows() -> None:
    parts = [
        ("o", pre.OneHotEncoder(sparse_output=False)),
        ("t", pre.TargetEncoder(random_state=0)),
    ]
    target = FRAME["income"] > 30
    model = fit(make_pipeline(FeatureUnion(parts), linear_model.Ridge()), FRAME[["flag"]], target)
    rows = [{"flag": text} for text in ("yes", "no", "maybe", None)]
    scores = score_rows(load(model), rows)
    assert np.isnan(scores[:, 0]).tolist() == [False, False, True, True]
    assert not any(
        isinstance(f, Other | Missing) for term in load(model).folded.terms for f in term
    )


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
        ("multinomial", None, None),
        ("ovr", None, "one-vs-rest"),
        ("auto", None, None),
        ("warn", None, "one-vs-rest"),
    ):
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
