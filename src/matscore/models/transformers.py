"""Transformers of scikit-learn as what they do to columns, in exact arithmetic.

Each function takes a fitted step and the columns that come in, and returns those that go out.
Encoders have a module of their own; which columns a selector keeps is computed again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from operator import methodcaller
from typing import Any, TypeVar

import numpy as np

from matscore.models import encoders
from matscore.models.algebra import Feature, combine, constant
from matscore.models.records import Array, Name, Record
from matscore.models.refusal import Refusal
from matscore.models.steps import Raw, Step, Value, as_features, as_numbers, is_missing

Transformer = Callable[[Step, Sequence[Value]], Sequence[Value]]
_Number = TypeVar("_Number", Feature, float)

_MOST_COLUMNS = 20_000
_MOST_TERMS = 300_000
HINT = "page import.md lists what is imported"


def transform(step: Step, values: Sequence[Value]) -> Sequence[Value]:
    """Return the columns that a step makes of columns."""
    handled, function = _TRANSFORMERS.get(step.kind, ("", None))
    if function is None or not step.record.is_of("sklearn"):
        raise Refusal(_REASONS.get(step.kind, f"{step.record.of} is not known"), HINT)
    step.check_known(handled.split())
    return function(step, values)


# ---------------------------------------------------------------------------------------- scaling


class Affine:
    """What a scaler does to a column, with the arithmetic of the scaler, and back again."""

    def __init__(self, shift: float, scale: float, added: float | None) -> None:
        self.shift, self.scale, self.added = shift, scale, added

    def forth(self, x: _Number) -> _Number:
        """Scale a feature, or a number."""
        if self.added is not None:
            return x * self.scale + self.added
        return (x - self.shift) / self.scale

    def back(self, x: Feature) -> Feature:
        """Return what was scaled."""
        if self.added is not None:
            return (x - self.added) / self.scale
        return x * self.scale + self.shift


# The attributes of the shift and the scale, each with the parameter that leaves it out.
_SCALERS: Mapping[str, tuple[str, str, str, str]] = {
    "StandardScaler": ("mean_", "with_mean", "scale_", "with_std"),
    "RobustScaler": ("center_", "with_centering", "scale_", "with_scaling"),
    "MaxAbsScaler": ("", "", "scale_", ""),
    "MinMaxScaler": ("", "", "scale_", ""),
}


def read_scaler(step: Step, n: int) -> list[Affine]:
    """Return what a scaler does to each of n columns."""
    if step.kind not in _SCALERS:
        raise Refusal(f"{step.kind} is no scaler whose work can be undone")
    step.refuse("clip", False)
    shift, shifts, scale, scales = _SCALERS[step.kind]
    middle = step.numbers(shift, n) if shift and step.is_on(shifts, True) else np.zeros(n)
    spread = step.numbers(scale, n) if step.is_on(scales, True) else np.ones(n)
    added = step.numbers("min_", n).tolist() if step.kind == "MinMaxScaler" else [None] * n
    return [Affine(*one) for one in zip(middle.tolist(), spread.tolist(), added, strict=True)]


def _scale(step: Step, values: Sequence[Value]) -> list[Value]:
    pairs = zip(as_features(values), read_scaler(step, len(values)), strict=True)
    return [value.then(scaler.forth(value), scaler.forth) for value, scaler in pairs]


# ----------------------------------------------------------------------------------------- missing


def _check_sign(step: Step) -> None:
    if not is_missing(sign := step.get("missing_values", math.nan)):
        raise Refusal(f"with missing_values={sign!r} it is not imported")


def _impute(step: Step, values: Sequence[Value]) -> list[Value]:
    _check_sign(step)
    keeps = step.word("strategy") == "constant" or step.is_on("keep_empty_features")
    found: list[Value] = []
    for value, statistic in zip(values, step.items("statistics_", len(values)), strict=True):
        if is_missing(statistic) and not keeps:
            continue
        is_text = isinstance(statistic, str) and isinstance(value, Raw)
        if is_missing(statistic) or not (is_text or isinstance(statistic, int | float)):
            raise Refusal("it imputes a missing value, or a text in place of a number")
        found.append(value.impute(statistic))
    if step.is_on("add_indicator") and step.has("indicator_"):
        found += _indicate_missing(step.child("indicator_"), values)
    return found


def _indicate_missing(step: Step, values: Sequence[Value]) -> list[Value]:
    _check_sign(step)
    places = step.items("features_")
    if not all(type(i) is int and 0 <= i < len(values) for i in places):
        raise Refusal("it takes columns that do not come in")
    return [values[i].missing() for i in places]


# --------------------------------------------------------------------------------------- functions


def name_function(function: Any) -> str:
    """Return the name of a function of NumPy, empty for none, "?" for any other."""
    if function is None:
        return ""
    if isinstance(function, Record) and function.name == "_ufunc_reconstruct" and function.args:
        return str(function.args[-1])
    return function.name if isinstance(function, Name) and function.is_of("numpy") else "?"


_FUNCTIONS: Mapping[str, Callable[[Feature], Feature]] = {
    **{
        name: methodcaller("apply", name)
        for name in ("log", "log1p", "log2", "log10", "exp", "sqrt", "abs")
    },
    **dict.fromkeys(("absolute", "fabs"), methodcaller("apply", "abs")),
    "square": lambda x: x * x,
    "expm1": lambda x: x.apply("exp") - 1,
    "negative": lambda x: -x,
    "positive": lambda x: x,
}


def _apply(step: Step, values: Sequence[Value]) -> Sequence[Value]:
    arguments = step.get("kw_args", {})
    if arguments is not None and (not isinstance(arguments, dict) or arguments):
        raise Refusal("its function has arguments (kw_args)")
    function = step.get("func")
    name = name_function(function)
    if name == "":
        return values
    if name not in _FUNCTIONS:
        raise Refusal(f"its function {function} is not known")
    return [_FUNCTIONS[name](value) for value in as_features(values)]


def _binarize(step: Step, values: Sequence[Value]) -> list[Value]:
    border = step.number("threshold", 0)
    return [value.refuse_missing().above(border) for value in as_features(values)]


def _discretize(step: Step, values: Sequence[Value]) -> list[Value]:
    edges = step.items("bin_edges_", len(values))
    step.refuse("dtype", Name("numpy", "float64"))
    found: list[Value] = []
    for value, borders in zip(as_features(values), edges, strict=True):
        inner = as_numbers(borders, "bin_edges_").ravel()[1:-1].tolist()
        buckets = value.refuse_missing().bucket(inner)
        is_ordinal = step.word("encode", "onehot") == "ordinal"
        found += [combine(buckets, range(len(buckets)))] if is_ordinal else buckets
    return found


def _multiply(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return products, in the order of ``PolynomialFeatures._combinations``."""
    degree = step.get("degree", 2)
    low, high = (0, degree) if isinstance(degree, int) else step.items("degree", 2)
    if not (type(low) is int and type(high) is int and 0 <= low <= high <= 64):
        raise Refusal(f"its degree is {degree}")
    n = len(values)
    alone = step.is_on("interaction_only")
    degrees = range(max(1, low), (min(high, n) if alone else high) + 1)
    count = sum(math.comb(n, d) if alone else math.comb(n + d - 1, d) for d in degrees if n)
    if count > _MOST_COLUMNS:
        raise Refusal(f"it makes {count:,} columns, more than {_MOST_COLUMNS:,}")
    numbers = [value.refuse_missing() for value in as_features(values)]
    choose = itertools.combinations if alone else itertools.combinations_with_replacement
    made: dict[tuple[int, ...], Feature] = {(): constant(1)}
    n_terms = 0
    for picked in itertools.chain.from_iterable(choose(range(n), d) for d in range(1, high + 1)):
        one, other = made[picked[:-1]], numbers[picked[-1]]
        n_terms += len(one.terms) * len(other.terms)
        if n_terms > _MOST_TERMS:
            raise Refusal(f"its products come to more than {_MOST_TERMS:,} terms")
        made[picked] = one * other
    kept: list[Value] = [made[picked] for picked in made if len(picked) in degrees]
    return [made[()], *kept] if step.is_on("include_bias", True) else kept


# -------------------------------------------------------------------------------------- projections


def _project(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return weighted sums of columns, less their means: rows of a matrix (n_out, n_columns)."""
    matrix = as_numbers(step.need("components_"), "components_")
    if matrix.ndim != 2 or matrix.shape[1] != len(values):
        raise Refusal(f"it projects {matrix.shape[-1]} columns, where {len(values)} come in")
    if matrix.size > 10 * _MOST_COLUMNS:
        raise Refusal(f"it projects with {matrix.size:,} numbers, too many to fold into weights")
    numbers, n = [value.refuse_missing() for value in as_features(values)], len(values)
    means = step.numbers("mean_", n).tolist() if step.has("mean_") else [0.0] * n
    spread = np.ones(len(matrix))
    if step.kind != "FastICA" and step.is_on("whiten"):
        spread = np.sqrt(step.numbers("explained_variance_", len(matrix)))
        spread = np.maximum(spread, np.finfo(np.float64).eps)
    found: list[Value] = []
    for row, by in zip(matrix.tolist(), spread.tolist(), strict=True):
        middle = sum(Fraction(m) * Fraction(w) for m, w in zip(means, row, strict=True))
        found.append(combine(numbers, row, -middle) / by)
    return found


# --------------------------------------------------------------------------------------- selection


def _select(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return the columns that a selector keeps."""
    mask = _CHOOSERS[step.kind](step)
    if len(mask) != len(values):
        raise Refusal(f"it chooses from {len(mask)} columns, where {len(values)} come in")
    return [value for value, is_kept in zip(values, mask, strict=True) if is_kept]


def _floats(step: Step, name: str) -> Array:
    """Return numbers of which some may be NaN."""
    found = step.items(name)
    if not found or not all(isinstance(number, int | float) for number in found):
        raise Refusal(f"its {name} holds none, or more than numbers")
    return np.array(found, dtype=np.float64)


def _read_scores(step: Step) -> Array:
    """Return scores with the smallest number in place of NaN, as ``_clean_nans`` does."""
    found = _floats(step, "scores_")
    return np.where(np.isnan(found), np.finfo(np.float64).min, found)


def _choose_best(step: Step, k: Any) -> Array:
    scores = _read_scores(step)
    mask = np.full(len(scores), k == "all")
    if k and k != "all":
        mask[np.argsort(scores, kind="mergesort")[-int(k) :]] = True
    return mask


def _choose_share(step: Step, percentile: Any) -> Array:
    scores, share = _read_scores(step), float(percentile)
    if share in (0, 100):
        return np.full(len(scores), share == 100)
    threshold = np.percentile(scores, 100 - share)
    mask: Array = scores > threshold
    ties = np.flatnonzero(scores == threshold)
    if len(ties):
        mask[ties[: int(len(scores) * share / 100) - mask.sum()]] = True
    return mask


def _choose_under(step: Step, alpha: Any) -> Array:
    mask: Array = _floats(step, "pvalues_") < alpha
    return mask


def _choose_fdr(step: Step, alpha: Any) -> Array:
    found = _floats(step, "pvalues_")
    ordered = np.sort(found)
    under = ordered[ordered <= alpha / len(found) * np.arange(1, len(found) + 1)]
    return found <= under.max() if under.size else np.zeros(len(found), dtype=bool)


def _choose_fwe(step: Step, alpha: Any) -> Array:
    found = _floats(step, "pvalues_")
    mask: Array = found < alpha / len(found)
    return mask


# With the parameter that each looks at, its default, and the mode of GenericUnivariateSelect.
_UNIVARIATE: Mapping[str, tuple[Callable[[Step, Any], Array], str, Any, str]] = {
    "SelectKBest": (_choose_best, "k", 10, "k_best"),
    "SelectPercentile": (_choose_share, "percentile", 10, "percentile"),
    "SelectFpr": (_choose_under, "alpha", 0.05, "fpr"),
    "SelectFdr": (_choose_fdr, "alpha", 0.05, "fdr"),
    "SelectFwe": (_choose_fwe, "alpha", 0.05, "fwe"),
}


def _choose_univariate(step: Step) -> Array:
    if step.kind == "GenericUnivariateSelect":
        mode, value = step.get("mode", "percentile"), step.get("param", 1e-5)
        choose = {row[-1]: row[0] for row in _UNIVARIATE.values()}.get(str(mode))
    else:
        choose, parameter, default, _ = _UNIVARIATE[step.kind]
        value = step.get(parameter, default)
    is_known = value == "all" or (isinstance(value, int | float) and 0 <= value < np.inf)
    if choose is None or not is_known or (choose is _choose_share and value > 100):
        raise Refusal("how it chooses columns is not known")
    return choose(step, value)


def _choose_varied(step: Step) -> Array:
    return _floats(step, "variances_") > step.number("threshold", 0)


def _read_support(step: Step) -> Array:
    mask = step.items("support_")
    if not all(isinstance(is_kept, bool) for is_kept in mask):
        raise Refusal("its support_ is no mask")
    return np.array(mask, dtype=bool)


def _choose_by_model(step: Step) -> Array:
    model = step.child("estimator_" if step.has("estimator_") else "estimator")
    if step.word("importance_getter", "auto") != "auto" or not model.has("coef_"):
        raise Refusal(f"how much it makes of a column by {model.kind} is not in the file")
    coefficients = as_numbers(model.get("coef_"), "coef_")
    order = step.get("norm_order", 1)
    if coefficients.ndim not in (1, 2) or not isinstance(order, int | float):
        raise Refusal("how it weighs columns is not known")
    weights = np.abs(coefficients)
    if weights.ndim == 2:
        weights = np.linalg.norm(coefficients, axis=0, ord=order)
    kept = np.ones(len(weights), dtype=bool)
    if step.has("max_features"):
        most = step.get("max_features_", step.get("max_features"))
        if type(most) is not int:
            raise Refusal("its max_features is no number")
        kept[np.argsort(-weights, kind="mergesort")[most:]] = False
    return kept & (weights >= _find_threshold(step.get("threshold"), model, weights))


def _find_threshold(threshold: Any, model: Step, weights: Array) -> float:
    """Return the least weight that is kept, as ``_calculate_threshold`` does."""
    if threshold is None:
        ratio = "l1_ratio_" if model.kind.endswith("CV") else "l1_ratio"
        by_ratio = model.kind.startswith(("ElasticNet", "LogisticRegression")) and model.has(ratio)
        sparse = by_ratio and bool(np.all(np.isclose(model.numbers(ratio), 1.0)))
        sparse = sparse or model.word("penalty") == "l1" or "Lasso" in model.kind
        threshold = 1e-5 if sparse else "mean"
    if isinstance(threshold, int | float):
        return float(threshold)
    scale, _, reference = str(threshold).rpartition("*")
    middles = {"mean": np.mean(weights), "median": np.median(weights)}
    try:
        return float(scale or 1) * float(middles[reference.strip()])
    except (KeyError, ValueError) as error:
        raise Refusal(f"with threshold={threshold!r} it is not imported") from error


_CHOOSERS: Mapping[str, Callable[[Step], Array]] = {
    **dict.fromkeys((*_UNIVARIATE, "GenericUnivariateSelect"), _choose_univariate),
    "VarianceThreshold": _choose_varied,
    "SelectFromModel": _choose_by_model,
    **dict.fromkeys(("RFE", "RFECV", "SequentialFeatureSelector"), _read_support),
}


_CODED = "categories drop dtype handle_unknown unknown_value encoded_missing_value"
# With the parameters that each looks at, or that its attributes say too.
_TRANSFORMERS: Mapping[str, tuple[str, Transformer]] = {
    "StandardScaler": ("with_mean with_std", _scale),
    "RobustScaler": ("with_centering with_scaling quantile_range unit_variance", _scale),
    "MinMaxScaler": ("feature_range clip", _scale),
    "MaxAbsScaler": ("clip", _scale),
    "SimpleImputer": ("missing_values add_indicator keep_empty_features", _impute),
    "MissingIndicator": ("missing_values features error_on_new", _indicate_missing),
    "OneHotEncoder": (_CODED, encoders.encode_one_hot),
    "OrdinalEncoder": (_CODED, encoders.encode_ordinal),
    "TargetEncoder": (_CODED, encoders.encode_target),
    "FunctionTransformer": ("func inverse_func kw_args inv_kw_args validate pass_y", _apply),
    "Binarizer": ("", _binarize),
    "KBinsDiscretizer": ("n_bins encode dtype", _discretize),
    "PolynomialFeatures": ("interaction_only include_bias order", _multiply),
    **dict.fromkeys(("PCA", "IncrementalPCA", "FastICA"), ("whiten", _project)),
    "TruncatedSVD": ("", _project),
    "GaussianRandomProjection": ("compute_inverse_components", _project),
    "SparseRandomProjection": ("compute_inverse_components density", _project),
    **dict.fromkeys(_CHOOSERS, ("", _select)),
}
_BENDS = "bends each column, which no term of weights does"
_REASONS = {
    name: f"{name} {reason}"
    for reason, names in {
        "divides each row by its own length, which no weights can do":
            "Normalizer TfidfTransformer",
        _BENDS: "PowerTransformer QuantileTransformer SplineTransformer",
        "looks at other rows or columns to fill a cell": "KNNImputer IterativeImputer",
        "does not know the names of its columns": "FeatureHasher HashingVectorizer",
        "counts words of a text, which is not imported": "CountVectorizer TfidfVectorizer",
        "is not linear": "KernelPCA Nystroem RBFSampler",
        "is not imported as a transformer": "LinearDiscriminantAnalysis PLSRegression",
    }.items()
    for name in names.split()
}  # fmt: skip
