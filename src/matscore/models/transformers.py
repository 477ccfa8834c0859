"""Transformers of scikit-learn as what they do to columns, in exact arithmetic.

Each function takes a fitted step and the columns that come in, and returns those that go out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from matscore.models import encoders, selectors
from matscore.models.algebra import Feature, combine, constant
from matscore.models.records import Array, Name, Record, array, plain
from matscore.models.refusal import Refusal
from matscore.models.steps import (
    Raw,
    Step,
    Value,
    as_missing,
    as_number,
    as_numbers_of,
    is_missing,
)
from matscore.models.texts import TextFeature, write_level

Transformer = Callable[[Step, Sequence[Value]], list[Value]]

_MOST_COLUMNS = 20_000
_MOST_TERMS = 300_000
_ONE = constant(1)
_FUNCTIONS = {
    "absolute": "abs", "fabs": "abs",
    **{name: name for name in ("log", "log1p", "log2", "log10", "exp", "sqrt", "abs")},
}  # fmt: skip


def transform(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return the columns that a step makes of columns."""
    handled, function = _TRANSFORMERS.get(step.kind, ((), None))
    if function is None or not step.record.is_of("sklearn"):
        raise Refusal(_REASONS.get(step.kind, f"{step.record.of} is not known"), _HINT)
    step.check_known(handled)
    return function(step, values)


def is_transformer(step: Step) -> bool:
    """Whether a step is one that makes columns of columns."""
    return step.kind in _TRANSFORMERS or step.kind in _REASONS


# ---------------------------------------------------------------------------------------- scaling


def _scale(
    values: Sequence[Value], shift: Sequence[float] | Array, scale: Sequence[float] | Array
) -> list[Value]:
    """Return (x - shift) / scale of each column."""
    found: list[Value] = []
    for value, of, by in zip(as_numbers_of(values), shift, scale, strict=True):
        m, s = float(of), float(by)
        found.append(value.then((value - m) / s, partial(_shift_first, m, s)))
    return found


def _shift_first(shift: float, scale: float, x: float) -> float:
    return (x - shift) / scale


def _scale_first(shift: float, scale: float, x: float) -> float:
    return x * scale + shift


def _standard(step: Step, values: Sequence[Value]) -> list[Value]:
    n = len(values)
    shift = step.numbers("mean_", n) if step.get("with_mean", True) else np.zeros(n)
    scale = step.numbers("scale_", n) if step.get("with_std", True) else np.ones(n)
    return _scale(values, shift, scale)


def _robust(step: Step, values: Sequence[Value]) -> list[Value]:
    n = len(values)
    shift = step.numbers("center_", n) if step.get("with_centering", True) else np.zeros(n)
    scale = step.numbers("scale_", n) if step.get("with_scaling", True) else np.ones(n)
    return _scale(values, shift, scale)


def _max_abs(step: Step, values: Sequence[Value]) -> list[Value]:
    step.refuse("clip", False)
    return _scale(values, np.zeros(len(values)), step.numbers("scale_", len(values)))


def _min_max(step: Step, values: Sequence[Value]) -> list[Value]:
    step.refuse("clip", False)
    n = len(values)
    found: list[Value] = []
    pairs = zip(step.numbers("scale_", n), step.numbers("min_", n), strict=True)
    for value, (by, plus) in zip(as_numbers_of(values), pairs, strict=True):
        s, m = float(by), float(plus)
        found.append(value.then(value * s + m, partial(_scale_first, m, s)))
    return found


# ----------------------------------------------------------------------------------------- missing


def _impute(step: Step, values: Sequence[Value]) -> list[Value]:
    statistics = step.items("statistics_")
    if len(statistics) != len(values):
        raise Refusal(f"it imputes {len(statistics)} columns, where {len(values)} come in")
    sign = step.get("missing_values", math.nan)
    keeps = step.get("strategy") == "constant" or step.get("keep_empty_features", False)
    found: list[Value] = []
    for value, statistic in zip(values, map(plain, statistics), strict=True):
        if is_missing(statistic):
            if keeps:
                raise Refusal("it imputes a missing value")
            continue
        found.append(_fill(value, statistic, sign))
    if step.get("add_indicator", False) and step.has("indicator_"):
        if not is_missing(sign):
            raise Refusal("with missing_values and add_indicator it is not imported")
        indicator = step.child(step.attributes["indicator_"])
        found += _indicate_missing(indicator, values)
    return found


def _fill(value: Value, filled: Any, sign: Any) -> Value:
    """Return a column with a value where it is missing, or where it has a sign of that."""
    if not is_missing(sign):
        if not (isinstance(sign, str) and isinstance(value, Raw) and isinstance(filled, str)):
            raise Refusal(f"with missing_values={sign!r} it is not imported")
        return Raw(value.name, value.filled, (*value.renamed, (sign, filled)))
    if isinstance(value, Raw):
        return value.impute(filled)
    if isinstance(value, TextFeature):
        written = write_level(filled)
        return value if written is None else value.impute(written)
    return value.impute(filled)


def _indicate_missing(step: Step, values: Sequence[Value]) -> list[Value]:
    if not is_missing(step.get("missing_values", math.nan)):
        raise Refusal("with missing_values it is not imported")
    return [as_missing(values[i]) for i in _indices(step.array("features_"), len(values))]


def _indices(found: Array, n: int) -> list[int]:
    numbers = [plain(item) for item in found.ravel().tolist()]
    if not all(type(i) is int and 0 <= i < n for i in numbers):
        raise Refusal("it takes columns that do not come in")
    return numbers


# --------------------------------------------------------------------------------------- functions


def _apply(step: Step, values: Sequence[Value]) -> list[Value]:
    if step.get("kw_args"):
        raise Refusal("its function has arguments (kw_args)")
    function = _function_name(step.attributes.get("func"))
    if function == "":
        return list(values)
    numbers = as_numbers_of(values)
    match function:
        case "square":
            return [value * value for value in numbers]
        case "expm1":
            return [value.apply("exp") - 1 for value in numbers]
        case "negative":
            return [-value for value in numbers]
        case "positive":
            return [*numbers]
    if function not in _FUNCTIONS:
        raise Refusal(f"its function {step.attributes.get('func')} is not known")
    return [value.apply(_FUNCTIONS[function]) for value in numbers]


def _function_name(function: Any) -> str:
    """Return the name of a function of NumPy, empty for none, "?" for any other."""
    if function is None:
        return ""
    if isinstance(function, np.ufunc):
        return function.__name__
    if isinstance(function, Record) and function.name == "_ufunc_reconstruct" and function.args:
        return str(function.args[-1])
    if isinstance(function, Name) and function.is_of("numpy"):
        return function.name
    if callable(function) and getattr(function, "__module__", "") == "numpy":
        return str(function.__name__)
    return "?"


def _binarize(step: Step, values: Sequence[Value]) -> list[Value]:
    border = float(step.numbers("threshold")) if step.has("threshold") else 0.0
    return [value.refuse_missing().above(border) for value in as_numbers_of(values)]


def _discretize(step: Step, values: Sequence[Value]) -> list[Value]:
    edges = [array(one) for one in step.items("bin_edges_")]
    if len(edges) != len(values):
        raise Refusal(f"it has borders of {len(edges)} columns, where {len(values)} come in")
    step.refuse("dtype", Name("numpy", "float64"), np.float64)
    found: list[Value] = []
    for value, borders in zip(as_numbers_of(values), edges, strict=True):
        inner = [float(border) for border in borders[1:-1]]
        buckets = value.refuse_missing().bucket(inner)
        if step.get("encode", "onehot") == "ordinal":
            found.append(combine(buckets, range(len(buckets))))
        else:
            found += buckets
    return found


def _multiply(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return products, in the order of ``PolynomialFeatures._combinations``."""
    degree = step.get("degree", 2)
    low, high = (0, degree) if isinstance(degree, int) else tuple(map(plain, array(degree)))
    if not (type(low) is int and type(high) is int and 0 <= low <= high <= 64):
        raise Refusal(f"its degree is {degree}")
    n = len(values)
    alone = bool(step.get("interaction_only", False))
    degrees = range(max(1, low), (min(high, n) if alone else high) + 1)
    count = sum(math.comb(n, d) if alone else math.comb(n + d - 1, d) for d in degrees if n)
    if count > _MOST_COLUMNS:
        raise Refusal(f"it makes {count:,} columns, more than {_MOST_COLUMNS:,}")
    numbers = [value.refuse_missing() for value in as_numbers_of(values)]
    choose = itertools.combinations if alone else itertools.combinations_with_replacement
    made: dict[tuple[int, ...], Feature] = {}
    n_terms = 0
    for picked in itertools.chain.from_iterable(choose(range(n), d) for d in range(1, high + 1)):
        one, other = made.get(picked[:-1], _ONE), numbers[picked[-1]]
        n_terms += len(one.terms) * len(other.terms)
        if n_terms > _MOST_TERMS:
            raise Refusal(f"its products come to more than {_MOST_TERMS:,} terms")
        made[picked] = one * other
    kept: list[Value] = [made[picked] for picked in made if len(picked) in degrees]
    return [constant(1), *kept] if step.get("include_bias", True) else kept


# -------------------------------------------------------------------------------------- projections


def _project(
    values: Sequence[Value], matrix: Array, added: Sequence[Any] | None = None
) -> list[Value]:
    """Return weighted sums of the columns: rows of a matrix (n_out, n_columns)."""
    if matrix.ndim != 2 or matrix.shape[1] != len(values):
        raise Refusal(f"it projects {matrix.shape[-1]} columns, where {len(values)} come in")
    if matrix.size > 10 * _MOST_COLUMNS:
        raise Refusal(f"it projects with {matrix.size:,} numbers, too many to fold into weights")
    numbers = [value.refuse_missing() for value in as_numbers_of(values)]
    extra = [0] * len(matrix) if added is None else added
    return [combine(numbers, row.tolist(), plus) for row, plus in zip(matrix, extra, strict=True)]


def _components(step: Step, values: Sequence[Value]) -> list[Value]:
    matrix = as_matrix(step, "components_")
    if not step.has("mean_"):
        return _project(values, matrix)
    mean = step.numbers("mean_", len(values))
    exact_mean = [Fraction(m) for m in mean.tolist()]
    shifts = [
        -sum(m * Fraction(w) for m, w in zip(exact_mean, row, strict=True))
        for row in matrix.tolist()
    ]
    found = _project(values, matrix, shifts)
    if step.kind != "FastICA" and step.get("whiten", False):
        spread = np.sqrt(step.numbers("explained_variance_", len(matrix)))
        scale = np.maximum(spread, np.finfo(np.float64).eps)
        return [as_number(one) / float(by) for one, by in zip(found, scale, strict=True)]
    return found


def as_matrix(step: Step, name: str) -> Array:
    """Return an array of float64 and of two dimensions."""
    found = step.numbers(name)
    if found.ndim != 2:
        raise Refusal(f"its {name} is of the shape {found.shape}")
    return found


def _discriminate(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return the projection of LinearDiscriminantAnalysis used as a transformer."""
    scalings = as_matrix(step, "scalings_")
    n_kept = step.need("_max_components")
    if type(n_kept) is not int:
        raise Refusal("its _max_components is no number")
    matrix = scalings[:, :n_kept].T
    if step.get("solver", "svd") != "svd":
        return _project(values, matrix)
    middle = step.numbers("xbar_", len(values)).tolist()
    shifts = [
        -sum(Fraction(m) * Fraction(w) for m, w in zip(middle, row, strict=True))
        for row in matrix.tolist()
    ]
    return _project(values, matrix, shifts)


_HINT = "page import.md lists what is imported"
_SCALED: tuple[str, ...] = (
    "with_mean", "with_std", "with_centering", "with_scaling", "quantile_range", "unit_variance",
    "feature_range", "clip",
)  # fmt: skip
_CODED = ("categories", "drop", "dtype", "handle_unknown", "unknown_value", "encoded_missing_value")
_TRANSFORMERS: Mapping[str, tuple[Sequence[str], Transformer]] = {
    "StandardScaler": (_SCALED[:2], _standard),
    "RobustScaler": (_SCALED[2:6], _robust),
    "MinMaxScaler": (_SCALED[6:], _min_max),
    "MaxAbsScaler": (_SCALED[7:], _max_abs),
    "SimpleImputer": (("missing_values", "add_indicator", "keep_empty_features"), _impute),
    "MissingIndicator": (("missing_values", "features", "error_on_new"), _indicate_missing),
    "OneHotEncoder": (_CODED, encoders.encode_one_hot),
    "OrdinalEncoder": (_CODED, encoders.encode_ordinal),
    "TargetEncoder": (_CODED, encoders.encode_target),
    "FunctionTransformer": (
        ("func", "inverse_func", "kw_args", "inv_kw_args", "validate", "pass_y"),
        _apply,
    ),
    "Binarizer": ((), _binarize),
    "KBinsDiscretizer": (("n_bins", "encode", "dtype"), _discretize),
    "PolynomialFeatures": (("interaction_only", "include_bias", "order"), _multiply),
    **dict.fromkeys(("PCA", "IncrementalPCA", "FastICA"), (("whiten",), _components)),
    "TruncatedSVD": ((), _components),
    **dict.fromkeys(
        ("GaussianRandomProjection", "SparseRandomProjection"),
        (("compute_inverse_components", "density"), _components),
    ),
    "LinearDiscriminantAnalysis": ((), _discriminate),
    **dict.fromkeys(selectors.CHOOSERS, ((), selectors.select)),
}
_REASONS = {
    "Normalizer": "Normalizer divides each row by its own length, which no weights can do",
    "PowerTransformer": "PowerTransformer bends each column, which no term of weights does",
    "QuantileTransformer": "QuantileTransformer bends each column, which no term of weights does",
    "SplineTransformer": "SplineTransformer makes curves, which no term of weights does",
    "KNNImputer": "KNNImputer looks at the rows of the training data",
    "IterativeImputer": "IterativeImputer imputes by models of other columns",
    "FeatureHasher": "FeatureHasher does not know the names of its columns",
    "CountVectorizer": "CountVectorizer counts words of a text, which is not imported",
    "TfidfVectorizer": "TfidfVectorizer counts words of a text, which is not imported",
    "TfidfTransformer": "TfidfTransformer divides each row by its own length",
    "HashingVectorizer": "HashingVectorizer does not know the names of its columns",
    "KernelPCA": "KernelPCA is not linear",
    "Nystroem": "Nystroem is not linear",
    "RBFSampler": "RBFSampler is not linear",
}
