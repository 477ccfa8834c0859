"""Feature selection of scikit-learn: the columns that a fitted selector keeps, computed again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from matscore.models.records import Array, Record, plain
from matscore.models.refusal import Refusal
from matscore.models.steps import Step, Value, as_numbers


def select(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return the columns that a selector keeps."""
    mask = CHOOSERS[step.kind](step)
    if len(mask) != len(values):
        raise Refusal(f"it chooses from {len(mask)} columns, where {len(values)} come in")
    return [value for value, is_kept in zip(values, mask, strict=True) if is_kept]


def _scores(step: Step) -> Array:
    """Return scores with the smallest number in place of NaN, as ``_clean_nans`` does."""
    found = np.array([float(plain(score)) for score in step.array("scores_").tolist()])
    found[np.isnan(found)] = np.finfo(np.float64).min
    return found


def _choose_best(step: Step, k: Any = None) -> Array:
    scores = _scores(step)
    k = step.get("k", 10) if k is None else k
    mask = np.zeros(len(scores), dtype=bool)
    if k == "all":
        return ~mask
    if k:
        mask[np.argsort(scores, kind="mergesort")[-int(k) :]] = True
    return mask


def _choose_share(step: Step, percentile: Any = None) -> Array:
    scores = _scores(step)
    share = float(step.get("percentile", 10) if percentile is None else percentile)
    if share in (0, 100):
        return np.full(len(scores), share == 100)
    threshold = np.percentile(scores, 100 - share)
    mask: Array = scores > threshold
    ties = np.flatnonzero(scores == threshold)
    if len(ties):
        mask[ties[: int(len(scores) * share / 100) - mask.sum()]] = True
    return mask


def _p_values(step: Step) -> Array:
    return np.array([float(plain(p)) for p in step.array("pvalues_").tolist()])


def _choose_fpr(step: Step, alpha: Any = None) -> Array:
    return _p_values(step) < float(step.get("alpha", 0.05) if alpha is None else alpha)


def _choose_fdr(step: Step, alpha: Any = None) -> Array:
    found = _p_values(step)
    n, level = len(found), float(step.get("alpha", 0.05) if alpha is None else alpha)
    ordered = np.sort(found)
    under = ordered[ordered <= level / n * np.arange(1, n + 1)]
    return found <= under.max() if under.size else np.zeros(n, dtype=bool)


def _choose_fwe(step: Step, alpha: Any = None) -> Array:
    found = _p_values(step)
    return found < float(step.get("alpha", 0.05) if alpha is None else alpha) / len(found)


def _choose_generic(step: Step) -> Array:
    modes: Mapping[str, Callable[[Step, Any], Array]] = {
        "percentile": _choose_share, "k_best": _choose_best,
        "fpr": _choose_fpr, "fdr": _choose_fdr, "fwe": _choose_fwe,
    }  # fmt: skip
    mode = str(step.get("mode", "percentile"))
    if mode not in modes:
        raise Refusal(f"with mode={mode!r} it is not imported")
    return modes[mode](step, step.get("param", 1e-5))


def _choose_varied(step: Step) -> Array:
    found = np.array([float(plain(v)) for v in step.array("variances_").tolist()])
    return found > float(step.get("threshold", 0.0))


def _supported(step: Step) -> Array:
    mask = step.array("support_")
    if mask.dtype.kind != "b" or mask.ndim != 1:
        raise Refusal("its support_ is no mask")
    return mask


def _choose_by_model(step: Step) -> Array:
    model = step.child(step.need("estimator_" if step.has("estimator_") else "estimator"))
    if step.get("importance_getter", "auto") != "auto" or not model.has("coef_"):
        raise Refusal(f"how much it makes of a column by {model.kind} is not in the file")
    coefficients = as_numbers(model.get("coef_"), "coef_")
    order = step.get("norm_order", 1)
    weights = np.abs(coefficients)
    if weights.ndim > 1:
        weights = np.linalg.norm(coefficients, axis=0, ord=order)
    mask = np.ones(len(weights), dtype=bool)
    if step.has("max_features"):
        most = step.get("max_features_", step.get("max_features"))
        if isinstance(most, Record) or type(most) is not int:
            raise Refusal("its max_features is no number")
        mask[:] = False
        mask[np.argsort(-weights, kind="mergesort")[:most]] = True
    mask[weights < _threshold(step.get("threshold"), model, weights)] = False
    return mask


def _threshold(threshold: Any, model: Step, weights: Array) -> float:
    """Return the least weight that is kept, as ``_calculate_threshold`` does."""
    if threshold is None:
        by_ratio = {
            "ElasticNet": "l1_ratio", "ElasticNetCV": "l1_ratio_",
            "LogisticRegression": "l1_ratio", "LogisticRegressionCV": "l1_ratio_",
        }.get(model.kind)  # fmt: skip
        ratio = None if by_ratio is None or not model.has(by_ratio) else model.numbers(by_ratio)
        sparse = model.get("penalty") == "l1" or "Lasso" in model.kind
        threshold = "mean"
        if sparse or (ratio is not None and bool(np.all(np.isclose(ratio, 1.0)))):
            threshold = 1e-5
    if not isinstance(threshold, str):
        return float(threshold)
    scale, _, reference = threshold.rpartition("*")
    middles = {"mean": np.mean(weights), "median": np.median(weights)}
    if reference.strip() not in middles:
        raise Refusal(f"with threshold={threshold!r} it is not imported")
    return (float(scale) if scale else 1.0) * float(middles[reference.strip()])


CHOOSERS: Mapping[str, Callable[[Step], Array]] = {
    "SelectKBest": _choose_best,
    "SelectPercentile": _choose_share,
    "SelectFpr": _choose_fpr,
    "SelectFdr": _choose_fdr,
    "SelectFwe": _choose_fwe,
    "GenericUnivariateSelect": _choose_generic,
    "VarianceThreshold": _choose_varied,
    "SelectFromModel": _choose_by_model,
    "RFE": _supported,
    "RFECV": _supported,
    "SequentialFeatureSelector": _supported,
}
