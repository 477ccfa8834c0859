"""Transformers of scikit-learn as what they do to columns, in exact arithmetic.

Each function takes a fitted step and the columns that come in, and returns those that go out.
Encoders have a module of their own; which columns a selector keeps is computed again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

import numpy as np

from matscore.models.algebra import Feature, Kind, Number, combine, constant
from matscore.models.bounds import Refusal
from matscore.models.columns import Raw, Value, as_features, indicate, recode, write_level
from matscore.models.operations import OF_NUMPY, compute
from matscore.models.records import Name, Record, array, plain
from matscore.models.selectors import CHOOSERS, select
from matscore.models.steps import Step, as_numbers, is_missing

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


def _apply(step: Step, values: Sequence[Value]) -> Sequence[Value]:
    arguments = step.get("kw_args", {})
    if arguments is not None and (not isinstance(arguments, dict) or arguments):
        raise Refusal("its function has arguments (kw_args)")
    function = step.get("func")
    name = name_function(function)
    if name == "":
        return values
    if name not in OF_NUMPY:
        raise Refusal(f"its function {function} is not known")
    return [compute(OF_NUMPY[name], value) for value in as_features(values)]


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


# ---------------------------------------------------------------------------------------- encoders


class _Column(NamedTuple):
    """A column that is encoded: its categories as texts, None where one is a missing cell."""

    value: Value
    texts: list[str | None]
    kind: Kind
    groups: list[int]  # the group of each category: infrequent ones share the last
    has_infrequent: bool


def _read_columns(step: Step, values: Sequence[Value]) -> list[_Column]:
    categories = step.items("categories_", len(values))
    name = "_default_to_infrequent_mappings"
    mappings = step.items(name, len(values)) if step.has(name) else [None] * len(values)
    found = []
    for value, known, mapping in zip(values, categories, mappings, strict=True):
        texts, kind = _read_levels([plain(level) for level in array(known).tolist()])
        if texts.count(None) > 1:
            step.walk.say("None and NaN are one: a missing cell")
        groups = list(range(len(texts)))
        if mapping is not None:
            groups = [plain(group) for group in array(mapping).tolist()]
            n_levels = len(texts) - (step.kind == "OrdinalEncoder" and None in texts)
            if len(groups) != n_levels or {*groups} != {*range(len({*groups}))}:
                raise Refusal("its infrequent categories are not as they should be")
        found.append(_Column(value, texts, kind, groups, mapping is not None))
    return found


def _read_levels(levels: Sequence[Any]) -> tuple[list[str | None], Kind]:
    """Return levels as texts, and what they are: numbers and truths stay what they were."""
    texts = [write_level(level) for level in levels]
    kinds = {type(level) for level, text in zip(levels, texts, strict=True) if text is not None}
    if kinds == {bool}:
        return texts, "boolean"
    if kinds <= {str}:
        return texts, "text"
    if kinds <= {int, float}:
        return texts, "number"
    raise Refusal("one of its columns has categories of several types")


def _encode_one_hot(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return an indicator for each category that is not dropped."""
    policy = step.word("handle_unknown", "error")
    if policy not in ("error", "ignore", "infrequent_if_exist", "warn"):
        raise Refusal(f"with handle_unknown={policy!r} it is not imported")
    found: list[Value] = []
    for i, column in enumerate(_read_columns(step, values)):
        groups: list[list[str | None]] = [[] for _ in {*column.groups}]
        for text, group in zip(column.texts, column.groups, strict=True):
            groups[group].append(text)
        # Without infrequent categories an unknown one is zeros: scikit-learn#34822. "warn" was
        # "ignore" until #32592, where it had none either.
        other: Any = "error" if policy == "error" else "zero"
        if column.has_infrequent and policy in ("infrequent_if_exist", "warn"):
            other = len(groups) - 1
        made = indicate(column.value, column.kind, groups, other)
        dropped = _find_dropped(step, i, column)
        found += [one for j, one in enumerate(made) if j != dropped]
        if len(made) == 1 and dropped == 0:  # nothing is left but what it refuses
            step.walk.checks += made
    return found


def _find_dropped(step: Step, i: int, column: _Column) -> int | None:
    name = "_drop_idx_after_grouping"
    if not step.has(name):
        if not step.has("drop_idx_"):
            step.refuse("drop")
            return None
        name = "drop_idx_"
    indices = step.items(name)
    if i >= len(indices) or indices[i] is None:
        return None
    place = indices[i]
    if type(place) is not int or not 0 <= place < len(column.groups):
        raise Refusal(f"its {name} points past the categories")
    return column.groups[place] if name == "drop_idx_" else place


def _encode_ordinal(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return the code of each category."""
    other: Any = "error"
    if step.word("handle_unknown", "error") == "use_encoded_value":
        other = _number_or_nan(step.get("unknown_value"))
    at_missing = _number_or_nan(step.get("encoded_missing_value", math.nan))
    found: list[Value] = []
    for column in _read_columns(step, values):
        texts = column.texts
        if None in texts[:-1]:  # the codes of those behind it would be others
            raise Refusal("one of its columns has a missing category that is not the last")
        known = [text for text in texts if text is not None]
        pairs = zip(known, column.groups[: len(known)], strict=True)
        numbers: dict[str | None, Number] = dict(pairs)
        missing = at_missing if None in texts else None
        found.append(recode(column.value, column.kind, numbers, other, missing))
    return found


def _number_or_nan(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "nan"
    if isinstance(value, int | float):
        return value
    raise Refusal(f"it encodes an unknown category as {value!r}")


def _encode_target(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return the mean of the target of each category, for several classes of each class."""
    n_classes = len(step.items("classes_")) if step.word("target_type_") == "multiclass" else 1
    means = as_numbers(step.need("target_mean_"), "target_mean_").reshape(-1)
    encodings = step.items("encodings_", len(values) * n_classes)
    if len(means) != n_classes:
        raise Refusal("its target_mean_ does not fit its classes")
    found: list[Value] = []
    for i, column in enumerate(_read_columns(step, values)):
        own = encodings[i * n_classes : (i + 1) * n_classes]
        for mean, codes in zip(means.tolist(), own, strict=True):
            numbers = as_numbers(codes, "encodings_").ravel().tolist()
            if len(numbers) != len(column.texts):
                raise Refusal("its encodings_ are not as many as its categories")
            of_texts = dict(zip(column.texts, numbers, strict=True))
            found.append(recode(column.value, column.kind, of_texts, mean))
    return found


_CODED = "categories drop dtype handle_unknown unknown_value encoded_missing_value"
# With the parameters that each looks at, or that its attributes say too.
_TRANSFORMERS: Mapping[str, tuple[str, Transformer]] = {
    "StandardScaler": ("with_mean with_std", _scale),
    "RobustScaler": ("with_centering with_scaling quantile_range unit_variance", _scale),
    "MinMaxScaler": ("feature_range clip", _scale),
    "MaxAbsScaler": ("clip", _scale),
    "SimpleImputer": ("missing_values add_indicator keep_empty_features", _impute),
    "MissingIndicator": ("missing_values features error_on_new", _indicate_missing),
    "OneHotEncoder": (_CODED, _encode_one_hot),
    "OrdinalEncoder": (_CODED, _encode_ordinal),
    "TargetEncoder": (_CODED, _encode_target),
    "FunctionTransformer": ("func inverse_func kw_args inv_kw_args validate pass_y", _apply),
    "Binarizer": ("", _binarize),
    "KBinsDiscretizer": ("n_bins encode dtype", _discretize),
    "PolynomialFeatures": ("interaction_only include_bias order", _multiply),
    **dict.fromkeys(("PCA", "IncrementalPCA", "FastICA"), ("whiten", _project)),
    "TruncatedSVD": ("", _project),
    "GaussianRandomProjection": ("compute_inverse_components", _project),
    "SparseRandomProjection": ("compute_inverse_components density", _project),
    **dict.fromkeys(CHOOSERS, ("", select)),
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
