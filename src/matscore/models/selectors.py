"""Which columns the selectors of scikit-learn keep: read, or computed again as they do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from matscore.models.bounds import Refusal
from matscore.models.columns import Value
from matscore.models.records import Array
from matscore.models.steps import Step, as_numbers


def select(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return the columns that a selector keeps."""
    mask = CHOOSERS[step.kind](step)
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


CHOOSERS: Mapping[str, Callable[[Step], Array]] = {
    **dict.fromkeys((*_UNIVARIATE, "GenericUnivariateSelect"), _choose_univariate),
    "VarianceThreshold": _choose_varied,
    "SelectFromModel": _choose_by_model,
    **dict.fromkeys(("RFE", "RFECV", "SequentialFeatureSelector"), _read_support),
}
