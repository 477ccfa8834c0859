"""XGBoost: linear boosters (gblinear), as JSON and as UBJSON.

The weights are features × groups with the biases last (`src/gbm/gblinear_model.cc` of
https://github.com/dmlc/xgboost); to them comes the base score, a prediction and not a score where
the objective has a link. A missing cell counts 0. All numbers are float32.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from matscore.links import Link
from matscore.models.algebra import column, exact
from matscore.models.bounds import ModelFile
from matscore.models.options import ImportOptions
from matscore.models.refusal import Refusal, refused_as
from matscore.models.types import FLOAT32, ImportedModel, Source
from matscore.models.ubjson import read_ubjson


class _Objective(NamedTuple):
    link: Link | None
    base: str = ""  # what the base score is a prediction of: "logit", "log", or a score
    is_binary: bool = False


_OBJECTIVES: Mapping[str, _Objective] = {
    "binary:logistic": _Objective(None, "logit", is_binary=True),
    "binary:logitraw": _Objective(None, is_binary=True),  # its base score is a score
    "binary:hinge": _Objective("identity", is_binary=True),
    "reg:logistic": _Objective("logistic", "logit"),
    "multi:softmax": _Objective(None),
    "multi:softprob": _Objective(None),
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie"), _Objective("exp", "log")),
    **dict.fromkeys(
        ("reg:squarederror", "reg:linear", "reg:absoluteerror", "reg:quantileerror",
         "reg:pseudohubererror", "rank:pairwise", "rank:ndcg", "rank:map"),
        _Objective("identity"),
    ),
}  # fmt: skip
_DAMAGED, _AGAIN = "damaged: it is not what XGBoost writes", "save the model again"


def _recognise(file: ModelFile) -> bool:
    head = file.head.lstrip()
    return (
        head[:1] == b"{"
        and b"learner" in head
        and b"\x00asm" not in head
        and (head.startswith(b"{L\x00\x00\x00\x00\x00\x00\x00") or b'"learner"' in head)
    )


def _read(file: ModelFile, _: ImportOptions) -> ImportedModel:
    root = read_ubjson(file.data) if file.data[:2] == b"{L" else _read_json(file.data)
    learner = _dig(root, dict, "learner")
    booster = _dig(learner, str, "gradient_booster", "name")
    if booster != "gblinear":
        what = f"it is an XGBoost model of trees ({booster}), which is not linear"
        raise Refusal(what, 'train it with booster="gblinear"')
    parameters = _dig(learner, dict, "learner_model_param")
    name = _dig(learner, str, "objective", "name")
    if name not in _OBJECTIVES:
        raise Refusal(f"its objective {name} is not known")
    objective = _OBJECTIVES[name]
    n_features = _count(parameters, "num_feature")
    n_groups = max(1, _count(parameters, "num_class"), _count(parameters, "num_target", 1))
    weights = _dig(learner, list, "gradient_booster", "model", "weights")
    if len(weights) != (n_features + 1) * n_groups:
        what = f"damaged: it has {len(weights)} weights, not {n_features + 1} × {n_groups}"
        raise Refusal(what, _AGAIN)
    names = _name_columns(learner, n_features)
    matrix = _as_numbers(weights).reshape(-1, n_groups).T
    base, differs = _read_base(_dig(parameters, str, "base_score"), objective, n_groups)
    facts = ["a missing cell counts 0", "XGBoost computes in float32, matscore in float64"]
    if differs:
        facts.append("as XGBoost does, the first of its base scores is added to every score")
    return ImportedModel(
        producer=_name_version(root),
        kind=f"gblinear, {name}",
        categories=_name_categories(objective, n_groups),
        # What a sparse row does not hold counts 0, and a missing cell is not held.
        features=[column(one).impute(0) for one in names],
        coefficients=matrix[:, :-1],
        intercept=[exact(bias) + exact(base) for bias in matrix[:, -1]],
        link=objective.link,
        facts=tuple(facts),
        positional=() if _dig(learner, list, "feature_names", default=[]) else tuple(names),
        rounding=FLOAT32,
    )


def _read_json(data: bytes) -> Any:
    try:
        with refused_as(_DAMAGED, _AGAIN):
            return json.loads(data)
    except (ValueError, RecursionError) as error:  # damaged, or nested without end
        raise Refusal(_DAMAGED, _AGAIN) from error


def _dig(value: Any, kind: type, *keys: str, default: Any = None) -> Any:
    """Return what lies under keys within keys, which must be of a kind."""
    for key in keys:
        value = value.get(key, default) if isinstance(value, dict) else None
    if not isinstance(value, kind):
        raise Refusal(f'damaged: it has no "{".".join(keys) or "learner"}"', _AGAIN)
    return value


def _count(parameters: Mapping[str, Any], key: str, default: int = 0) -> int:
    word = str(parameters.get(key, default))
    if not (word.isdigit() and len(word) < 10):
        raise Refusal(_DAMAGED, _AGAIN)
    return int(word)


def _as_numbers(values: Sequence[Any]) -> Any:
    """Return numbers as the float32 that they are, of which JSON has the shortest digits."""
    if not all(isinstance(value, int | float) for value in values):
        raise Refusal(_DAMAGED, _AGAIN)
    with np.errstate(over="ignore"), refused_as(_DAMAGED, _AGAIN):
        return np.array([float(value) for value in values]).astype(np.float32).astype(np.float64)


def _name_columns(learner: Mapping[str, Any], n_features: int) -> list[str]:
    names = _dig(learner, list, "feature_names", default=[])
    types = _dig(learner, list, "feature_types", default=[])
    if "c" in types:
        raise Refusal("it has categorical columns, which gblinear takes for numbers")
    if len(names) not in (0, n_features) or not all(isinstance(name, str) for name in names):
        raise Refusal(f"damaged: it has {len(names)} names for {n_features} features", _AGAIN)
    return names or [f"f{i}" for i in range(n_features)]


def _read_base(word: str, objective: _Objective, n_groups: int) -> tuple[float, bool]:
    """Return the score at which all groups begin, and whether the file has others for some.

    XGBoost 3 writes one a group, and gblinear adds the first of them to all (3.2.0, in training and
    in `predict`).
    """
    words = word.strip("[]").split(",")
    try:
        numbers = [float(np.float32(one)) for one in words]
        scores = [_as_score(number, objective.base) for number in numbers]
    except (ValueError, OverflowError) as error:
        raise Refusal(f"damaged: its base score is {word[:40]}", _AGAIN) from error
    if len(scores) not in (1, n_groups):
        raise Refusal(f"damaged: it has {len(scores)} base scores for {n_groups} groups", _AGAIN)
    return scores[0], len(set(scores)) > 1


def _as_score(number: float, base: str) -> float:
    if base == "logit":
        return math.log(number) - math.log1p(-number)
    return math.log(number) if base == "log" else number


def _name_categories(objective: _Objective, n_groups: int) -> tuple[str, ...]:
    if objective.is_binary:
        return "0", "1"
    if n_groups == 1:
        return ("y",)
    prefix = "" if objective.link is None else "y"
    return tuple(f"{prefix}{i}" for i in range(n_groups))


def _name_version(root: Any) -> str:
    version = _dig(root, list, "version", default=[])
    return f"XGBoost {'.'.join(str(part)[:9] for part in version[:3])}".strip()


SOURCE = Source("XGBoost", _recognise, _read)
