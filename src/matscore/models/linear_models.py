"""Linear estimators of scikit-learn: their classes, coefficients and links.

Each function takes a fitted estimator and the columns that come in, and returns its linear model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from matscore.models.algebra import Feature, combine
from matscore.models.bounds import Refusal
from matscore.models.columns import Raw, Raws, Value, as_features, indicate
from matscore.models.records import Array, array, plain
from matscore.models.steps import Step, as_numbers
from matscore.models.transformers import HINT
from matscore.models.types import FLOAT32, FLOAT64, Columns, ImportedModel
from matscore.options import Link

Estimator = Callable[[Step, Sequence[Value]], ImportedModel]


def list_scores(model: ImportedModel) -> list[Feature]:
    """Return the linear predictors of a model as features."""
    pairs = zip(model.coefficients, model.intercept, strict=True)
    return [combine(model.features, list(row), plus) for row, plus in pairs]


def with_scores(model: ImportedModel, scores: Sequence[Feature], **changes: Any) -> ImportedModel:
    """Return a model with other linear predictors."""
    n = len(scores)
    return replace(model, features=scores, coefficients=np.eye(n), intercept=[0] * n, **changes)


def name_targets(n: int) -> tuple[str, ...]:
    """Return the categories of a regression."""
    return ("y",) if n == 1 else tuple(f"y{i}" for i in range(n))


def write_class(value: Any) -> str:
    """Write a class as people do: 1 for 1.0."""
    value = plain(value)
    if not isinstance(value, str | int | float):
        raise Refusal("a class of it is no text and no number")
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value)


def read_classes(step: Step) -> tuple[str, ...]:
    """Return the classes of a classifier in its order."""
    holder = step if step.has("classes_") else step.child("_label_binarizer")
    found = holder.need("classes_")
    if isinstance(found, list) or (found := array(found)).ndim != 1:
        raise Refusal("it has several targets, each with classes of its own")
    return tuple(write_class(value) for value in found.tolist())


def _make(
    step: Step, values: Sequence[Value], classes: tuple[str, ...], link: Link | None,
    *, coef: Array | None = None, intercept: Any = None,
) -> ImportedModel:  # fmt: skip
    """Return the model of coefficients of shape (n_vectors, n) or (n,); without classes of y."""
    raw = array(step.need("coef_") if coef is None else coef)
    if is_float32 := raw.dtype == np.float32:
        step.walk.say("its coefficients are float32")
    matrix = np.atleast_2d(as_numbers(raw, "coef_"))
    added = step.get("intercept_") if intercept is None else intercept
    plus = as_numbers(0.0 if added is None else added, "intercept_").reshape(-1)
    if plus.size == 1:
        plus = np.repeat(plus, len(matrix))
    if matrix.ndim != 2 or matrix.shape[1] != len(values):
        shape = " × ".join(map(str, matrix.shape))
        raise Refusal(f"its coefficients are {shape}, where {len(values)} columns come in")
    if isinstance(values, Raws):
        names = values.names
    else:
        names = [v.name for v in values if isinstance(v, Raw) and v.filled is None]
    features: Sequence[Feature] = Columns(names)
    if len(names) < len(values):
        features = [feature.refuse_missing() for feature in as_features(values)]
    return ImportedModel(
        producer="scikit-learn",
        kind=step.kind,
        categories=classes or name_targets(len(matrix)),
        features=features,
        coefficients=matrix,
        intercept=plus.tolist(),
        link=link,
        rounding=FLOAT32 if is_float32 else FLOAT64,
    )


def _regression(step: Step, values: Sequence[Value]) -> ImportedModel:
    return _make(step, values, (), "identity")


def _log_regression(step: Step, values: Sequence[Value]) -> ImportedModel:
    link = step.word("link", "auto") if step.kind == "TweedieRegressor" else "log"
    if link == "auto":
        link = "identity" if step.number("power", 0) <= 0 else "log"
    if link not in ("identity", "log"):
        raise Refusal(f"with link={link!r} it is not imported")
    return _make(step, values, (), "identity" if link == "identity" else "exp")


def _partial_least_squares(step: Step, values: Sequence[Value]) -> ImportedModel:
    if step.version < (1, 3):  # coef_ was turned and scaled otherwise: scikit-learn#26016
        raise Refusal("of a version before 1.3 it is not imported", "fit it again")
    mean = step.numbers("_x_mean", len(values)).tolist()
    centred = [f - m for f, m in zip(as_features(values), mean, strict=True)]
    return _make(step, centred, (), "identity")


def _decisions(step: Step, values: Sequence[Value]) -> ImportedModel:
    """Return a classifier without probabilities."""
    return _make(step, values, read_classes(step), "identity")


def _each(classes: Sequence[str]) -> Link | None:
    """Return the link of a logistic function a class; of two it is that of their difference."""
    return "one-vs-rest" if len(classes) > 2 else None


def _logistic(step: Step, values: Sequence[Value]) -> ImportedModel:
    classes = read_classes(step)
    way, solver = step.word("multi_class", "auto"), step.word("solver", "lbfgs")
    if way not in ("ovr", "warn", "auto", "deprecated", "multinomial"):
        raise Refusal(f"with multi_class={way!r} it is not imported")
    alone = solver == "liblinear" or (solver == "newton-cholesky" and step.version < (1, 6))
    each = way in ("ovr", "warn") or (alone and way != "multinomial")
    found = _make(step, values, classes, _each(classes) if each else None)
    if way == "multinomial" and found.is_binary_vector:
        # Before 1.8 the probabilities of two classes were then the softmax of (-s, s).
        (row,), (plus,) = found.coefficients, found.intercept
        return replace(found, coefficients=np.array([-row, row]), intercept=[-plus, plus])
    return found


def _gradient_descent(step: Step, values: Sequence[Value]) -> ImportedModel:
    classes, loss = read_classes(step), step.word("loss", "hinge")
    if loss in ("log", "log_loss"):
        return _make(step, values, classes, _each(classes))
    if loss == "modified_huber":
        step.walk.say("probabilities of the loss modified_huber are no function of weights files")
    return _make(step, values, classes, "identity")


def _discriminant(step: Step, values: Sequence[Value]) -> ImportedModel:
    classes = read_classes(step)
    return _make(step, values, classes, _each(classes) if step.version < (0, 22) else None)


def _support_vectors(step: Step, values: Sequence[Value]) -> ImportedModel:
    if (kernel := step.word("kernel", "rbf")) != "linear":
        raise Refusal(f"its kernel {kernel!r} is not linear")
    classes = read_classes(step) if step.kind.endswith("SVC") else ()
    if len(classes) > 2:
        raise Refusal("its classes win by votes of each pair, which no weights give")
    dual = np.atleast_2d(as_numbers(step.need("dual_coef_"), "dual_coef_"))
    vectors = as_numbers(step.need("support_vectors_"), "support_vectors_")
    if vectors.ndim != 2 or dual.shape != (1, len(vectors)):
        raise Refusal("its support vectors do not fit")
    if any(step.has(name) and array(step.get(name)).size for name in ("_probA", "probA_")):
        step.walk.say("its probabilities are of Platt's scaling, and not imported")
    return _make(step, values, classes, "identity", coef=dual @ vectors)


# -------------------------------------------------------------------------------------- naive Bayes


def _multinomial_bayes(step: Step, values: Sequence[Value]) -> ImportedModel:
    classes = read_classes(step)
    # ComplementNB has a prior only where there is a single class.
    no_prior = step.kind == "ComplementNB" and len(classes) > 1
    prior = np.zeros(len(classes)) if no_prior else step.numbers("class_log_prior_", len(classes))
    matrix = step.numbers("feature_log_prob_")
    return _make(step, values, classes, None, coef=matrix, intercept=prior)


def _bernoulli_bayes(step: Step, values: Sequence[Value]) -> ImportedModel:
    classes, numbers = read_classes(step), as_features(values)
    if step.has("binarize"):
        border = step.number("binarize")
        numbers = [value.refuse_missing().above(border) for value in numbers]
    chances = np.atleast_2d(step.numbers("feature_log_prob_"))
    with np.errstate(all="ignore"):
        against = np.log(1 - np.exp(chances))
    plus = step.numbers("class_log_prior_", len(classes)) + against.sum(axis=1)
    return _make(step, numbers, classes, None, coef=chances - against, intercept=plus)


def _categorical_bayes(step: Step, values: Sequence[Value]) -> ImportedModel:
    classes = read_classes(step)
    chances = step.items("feature_log_prob_", len(values))
    tables = [as_numbers(table, "feature_log_prob_") for table in chances]
    if any(table.ndim != 2 or len(table) != len(classes) for table in tables):
        raise Refusal("its feature_log_prob_ does not fit its classes")
    features: list[Value] = []
    for value, table in zip(values, tables, strict=True):
        groups = [[str(code)] for code in range(table.shape[1])]
        features += indicate(value, "number", groups, "error")
    prior = step.numbers("class_log_prior_", len(classes))
    matrix = np.concatenate(tables, axis=1)
    return _make(step, features, classes, None, coef=matrix, intercept=prior)


_BY_FUNCTION: Mapping[Estimator, str] = {
    _regression: "LinearRegression Ridge RidgeCV Lasso LassoCV LassoLars LassoLarsCV LassoLarsIC "
    "Lars LarsCV ElasticNet ElasticNetCV MultiTaskLasso MultiTaskLassoCV MultiTaskElasticNet "
    "MultiTaskElasticNetCV OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV BayesianRidge "
    "ARDRegression HuberRegressor TheilSenRegressor QuantileRegressor SGDRegressor LinearSVR "
    "PassiveAggressiveRegressor",
    _log_regression: "PoissonRegressor GammaRegressor TweedieRegressor",
    _partial_least_squares: "PLSRegression",
    _decisions: "LinearSVC RidgeClassifier RidgeClassifierCV Perceptron "
    "PassiveAggressiveClassifier",
    _logistic: "LogisticRegression LogisticRegressionCV",
    _gradient_descent: "SGDClassifier",
    _discriminant: "LinearDiscriminantAnalysis",
    _support_vectors: "SVC NuSVC SVR NuSVR",
    _multinomial_bayes: "MultinomialNB ComplementNB",
    _bernoulli_bayes: "BernoulliNB",
    _categorical_bayes: "CategoricalNB",
}
ESTIMATORS: Mapping[str, Estimator] = {
    name: function for function, names in _BY_FUNCTION.items() for name in names.split()
}
_HANDLED = (
    "multi_class", "kernel", "link", "binarize", "decision_function_shape", "break_ties",
    "fit_intercept", "deflation_mode",
)  # fmt: skip
_REASONS: Mapping[str, str] = {
    "GaussianNB": "GaussianNB needs squares that cancel: too much would be lost",
    "QuadraticDiscriminantAnalysis": "its squares cancel: too much would be lost",
    "CalibratedClassifierCV": "CalibratedClassifierCV takes the mean of calibrated models",
    **dict.fromkeys(
        ("VotingClassifier", "VotingRegressor", "StackingClassifier", "StackingRegressor",
         "RegressorChain", "ClassifierChain"),
        "it puts models together, or one on the answers of others",
    ),
    "OneVsOneClassifier": "its classes win by votes of each pair",
    "MultiOutputClassifier": "it has several targets, each with classes of its own",
}  # fmt: skip


def estimate(step: Step, values: Sequence[Value]) -> ImportedModel:
    """Return the linear model of an estimator."""
    function = ESTIMATORS.get(step.kind)
    if function is None or not step.record.is_of("sklearn"):
        reason = _REASONS.get(step.kind, f"{step.record.of} is not linear, or not known")
        raise Refusal(reason, HINT)
    step.check_known(_HANDLED)
    return function(step, values)
