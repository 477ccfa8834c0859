"""Linear estimators of scikit-learn: their classes, coefficients and links.

Each function takes a fitted estimator and the columns that come in, and returns a `Linear`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from matscore.links import Link
from matscore.models.algebra import Feature, Number, combine
from matscore.models.records import Array, array, plain
from matscore.models.refusal import Refusal
from matscore.models.steps import Raw, Step, Value, as_number, as_numbers, as_numbers_of
from matscore.models.types import FLOAT32, FLOAT64, Columns, Threshold

_MOST_NUMBERS = 1_000_000
FLAT = 1  # of a vector that stands for two classes, or of a single target


@dataclass(frozen=True, eq=False)
class Linear:
    """Linear predictors of columns: one vector a class, or one for the second of two classes."""

    kind: str
    classes: tuple[str, ...]  # none of a regression
    features: Sequence[Feature]
    coefficients: Any  # (n_vectors, n_features)
    intercept: Sequence[Number]
    link: Link | None = None
    threshold: Threshold | None = None
    rounding: float = FLOAT64

    @property
    def scores(self) -> list[Feature]:
        """The predictors as features."""
        pairs = zip(self.coefficients, self.intercept, strict=True)
        return [combine(self.features, list(row), plus) for row, plus in pairs]

    def with_scores(self, scores: Sequence[Feature], **changes: Any) -> Linear:
        """Return it with other predictors."""
        n = len(scores)
        return replace(self, features=scores, coefficients=np.eye(n), intercept=[0] * n, **changes)


def write_class(value: Any) -> str:
    """Write a class as people do: 1 for 1.0."""
    value = plain(value)
    if not isinstance(value, str | int | float):
        raise Refusal("a class of it is no text and no number")
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value)


def classes_of(step: Step) -> tuple[str, ...]:
    """Return the classes of a classifier in its order."""
    holder = step
    if not step.has("classes_"):
        holder = step.child(step.need("_label_binarizer"))
    found = holder.need("classes_")
    if isinstance(found, list) or (found := array(found)).dtype.kind == "V" or found.ndim != 1:
        raise Refusal("it has several targets, each with classes of its own")
    return tuple(write_class(value) for value in found.tolist())


def _linear(
    step: Step, values: Sequence[Value], classes: tuple[str, ...], link: Link | None,
    *, coef: Array | None = None, intercept: Any = None,
) -> Linear:  # fmt: skip
    """Return the linear predictors of coefficients of shape (n_vectors, n) or (n,)."""
    raw = step.need("coef_") if coef is None else coef
    rounding = FLOAT64
    if array(raw).dtype == np.float32:
        rounding = FLOAT32
        step.walk.say("its coefficients are float32")
    matrix = np.atleast_2d(as_numbers(raw, "coef_"))
    added = step.get("intercept_", 0.0) if intercept is None else intercept
    plus = as_numbers(0.0 if added is None else added, "intercept_").reshape(-1)
    if plus.size == 1:
        plus = np.repeat(plus, len(matrix))
    if matrix.ndim != 2 or matrix.shape[1] != len(values) or len(plus) != len(matrix):
        shape = " × ".join(map(str, matrix.shape))
        raise Refusal(f"its coefficients are {shape}, where {len(values)} columns come in")
    if classes and len(matrix) != len(classes) and (len(matrix), len(classes)) != (FLAT, 2):
        raise Refusal(f"it has {len(matrix)} vectors for {len(classes)} classes")
    features: Sequence[Feature]
    if all(isinstance(value, Raw) and value.is_plain for value in values):
        features = Columns([value.name for value in values if isinstance(value, Raw)])
    else:
        features = [feature.refuse_missing() for feature in as_numbers_of(values)]
    return Linear(step.kind, classes, features, matrix, plus.tolist(), link, rounding=rounding)


def _regression(step: Step, values: Sequence[Value]) -> Linear:
    return _linear(step, values, (), "identity")


def _log_regression(step: Step, values: Sequence[Value]) -> Linear:
    link = step.get("link", "auto")
    power = step.get("power", {"PoissonRegressor": 1, "GammaRegressor": 2}.get(step.kind, 0.0))
    if step.kind != "TweedieRegressor":
        link = "log"
    if link == "auto":
        link = "identity" if power <= 0 else "log"
    if link not in ("identity", "log"):
        raise Refusal(f"with link={link!r} it is not imported")
    return _linear(step, values, (), "identity" if link == "identity" else "exp")


def _partial_least_squares(step: Step, values: Sequence[Value]) -> Linear:
    if step.version < (1, 3):  # coef_ was turned and scaled otherwise: scikit-learn#26016
        raise Refusal("of a version before 1.3 it is not imported", "fit it again")
    n = len(values)
    mean = step.numbers("_x_mean", n).tolist()
    centred: list[Value] = [f - m for f, m in zip(as_numbers_of(values), mean, strict=True)]
    return _linear(step, centred, (), "identity")


def _decisions(step: Step, values: Sequence[Value]) -> Linear:
    """Return a classifier without probabilities."""
    return _linear(step, values, classes_of(step), "identity")


def _logistic(step: Step, values: Sequence[Value]) -> Linear:
    classes = classes_of(step)
    way, solver = step.get("multi_class", "auto"), step.get("solver", "lbfgs")
    each = way in ("ovr", "warn") or (
        way in ("auto", "deprecated")
        and (solver == "liblinear" or (solver == "newton-cholesky" and step.version < (1, 6)))
    )
    if not isinstance(way, str) or way not in ("ovr", "warn", "auto", "deprecated", "multinomial"):
        raise Refusal(f"with multi_class={way!r} it is not imported")
    found = _linear(step, values, classes, "one-vs-rest" if each and len(classes) > 2 else None)
    if way == "multinomial" and len(classes) == 2 and len(found.coefficients) == FLAT:
        # Before 1.8 the probabilities of two classes were then the softmax of (-s, s).
        both = [[-w for w in found.coefficients[0]], list(found.coefficients[0])]
        plus = found.intercept[0]
        return replace(found, coefficients=np.array(both), intercept=[-plus, plus])
    return found


def _gradient_descent(step: Step, values: Sequence[Value]) -> Linear:
    classes = classes_of(step)
    if step.get("loss", "hinge") in ("log", "log_loss"):
        return _linear(step, values, classes, "one-vs-rest" if len(classes) > 2 else None)
    if step.get("loss") == "modified_huber":
        step.walk.say("probabilities of the loss modified_huber are no function of weights files")
    return _linear(step, values, classes, "identity")


def _discriminant(step: Step, values: Sequence[Value]) -> Linear:
    classes = classes_of(step)
    old = len(classes) > 2 and step.version < (0, 22)
    return _linear(step, values, classes, "one-vs-rest" if old else None)


def _support_vectors(step: Step, values: Sequence[Value]) -> Linear:
    if step.get("kernel", "rbf") != "linear":
        raise Refusal(f"its kernel {step.get('kernel', 'rbf')!r} is not linear")
    is_classifier = step.kind in ("SVC", "NuSVC")
    classes = classes_of(step) if is_classifier else ()
    if len(classes) > 2:
        raise Refusal("its classes win by votes of each pair, which no weights give")
    dual = np.atleast_2d(as_numbers(step.need("dual_coef_"), "dual_coef_"))
    vectors = as_numbers(step.need("support_vectors_"), "support_vectors_")
    if dual.ndim != 2 or vectors.ndim != 2 or dual.shape != (1, len(vectors)):
        raise Refusal("its support vectors do not fit")
    for name in ("_probA", "probA_"):
        if step.has(name) and step.array(name).size:
            step.walk.say("its probabilities are of Platt's scaling, and not imported")
    return _linear(step, values, classes, "identity", coef=dual @ vectors)


# -------------------------------------------------------------------------------------- naive Bayes


def _prior(step: Step, classes: tuple[str, ...]) -> Array:
    return step.numbers("class_log_prior_", len(classes))


def _multinomial_bayes(step: Step, values: Sequence[Value]) -> Linear:
    classes = classes_of(step)
    matrix = step.numbers("feature_log_prob_")
    # ComplementNB has a prior only where there is a single class.
    no_prior = step.kind == "ComplementNB" and len(classes) > 1
    prior = np.zeros(len(classes)) if no_prior else _prior(step, classes)
    return _linear(step, values, classes, None, coef=matrix, intercept=prior)


def _bernoulli_bayes(step: Step, values: Sequence[Value]) -> Linear:
    classes = classes_of(step)
    numbers = as_numbers_of(values)
    if step.has("binarize"):
        border = float(step.numbers("binarize"))
        numbers = [value.refuse_missing().above(border) for value in numbers]
    chances = step.numbers("feature_log_prob_")
    against = np.log(1 - np.exp(chances))
    if not np.isfinite(against).all():
        raise Refusal("a probability of it is 0 or 1")
    plus = _prior(step, classes) + against.sum(axis=1)
    return _linear(step, numbers, classes, None, coef=chances - against, intercept=plus)


def _categorical_bayes(step: Step, values: Sequence[Value]) -> Linear:
    classes = classes_of(step)
    tables = [as_numbers(table, "feature_log_prob_") for table in step.items("feature_log_prob_")]
    if len(tables) != len(values) or any(len(table) != len(classes) for table in tables):
        raise Refusal("its feature_log_prob_ does not fit its columns")
    features: list[Value] = []
    for value, table in zip(values, tables, strict=True):
        codes = range(table.shape[1])
        if isinstance(value, Raw):
            groups = [[str(code)] for code in codes]
            features += value.as_text("number").one_hot(groups, other="error")
        else:
            number = as_number(value)
            if len(codes) * len(number.terms) > _MOST_NUMBERS:
                raise Refusal(f"it has {len(codes):,} categories of a computed column")
            features += [number.map_values(partial(_equals, code)) for code in codes]
    matrix = np.concatenate(tables, axis=1)
    return _linear(step, features, classes, None, coef=matrix, intercept=_prior(step, classes))


def _equals(code: int, value: Fraction) -> int:
    return int(value == code)


Estimator = Callable[[Step, Sequence[Value]], Linear]

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
HANDLED = (
    "multi_class", "kernel", "link", "binarize", "decision_function_shape", "break_ties",
    "fit_intercept", "deflation_mode",
)  # fmt: skip
REASONS: Mapping[str, str] = {
    "GaussianNB": "GaussianNB needs squares that cancel: too much would be lost",
    "QuadraticDiscriminantAnalysis": "its squares cancel: too much would be lost",
    "CalibratedClassifierCV": "CalibratedClassifierCV takes the mean of calibrated models",
    "VotingClassifier": "VotingClassifier takes votes, or the mean of probabilities",
    "StackingClassifier": "StackingClassifier puts a model on the answers of models",
    "StackingRegressor": "StackingRegressor puts a model on the answers of models",
    "RegressorChain": "RegressorChain puts models on the answers of models",
    "ClassifierChain": "ClassifierChain puts models on the answers of models",
    "OneVsOneClassifier": "its classes win by votes of each pair",
    "MultiOutputClassifier": "it has several targets, each with classes of its own",
}


def estimate(step: Step, values: Sequence[Value]) -> Linear:
    """Return the linear predictors of an estimator."""
    function = ESTIMATORS.get(step.kind)
    if function is None or not step.record.is_of("sklearn"):
        reason = REASONS.get(step.kind, f"{step.record.of} is not linear, or not known")
        raise Refusal(reason, "page import.md lists what is imported")
    step.check_known(HANDLED)
    return function(step, values)
