"""XGBoost: linear boosters (gblinear), as JSON and as UBJSON.

The weights are features × groups with the biases last (`src/gbm/gblinear_model.cc` of
https://github.com/dmlc/xgboost); to them comes the base score, a prediction and not a score where
the objective has a link. A missing cell counts 0. All numbers are float32. UBJSON is read as
XGBoost writes it: https://ubjson.org/type-reference/, lists with their counts.
"""

from __future__ import annotations

import io
import json
import math
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from matscore.models.algebra import column, exact
from matscore.models.bounds import (
    ModelFile,
    Refusal,
    check_count,
    check_depth,
    check_fit,
    damaged,
    read_count,
    read_numbers,
    read_text,
)
from matscore.models.options import ImportOptions
from matscore.models.types import FLOAT32, ImportedModel, Source
from matscore.options import Link


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


def _recognise(file: ModelFile) -> bool:
    head = file.head.lstrip()
    is_binary = head.startswith(b"{L\x00\x00\x00\x00\x00\x00\x00")
    return head[:1] == b"{" and (b"learner" if is_binary else b'"learner"') in head


def _read(file: ModelFile, _: ImportOptions) -> ImportedModel:
    root = _read_ubjson(file.data) if file.data[:2] == b"{L" else _read_json(file.data)
    learner = _dig(root, dict, "learner")
    booster = _dig(learner, str, "gradient_booster", "name")
    if booster != "gblinear":
        what = f"it is an XGBoost model of trees ({booster}), which is not linear"
        raise Refusal(what, 'train it with booster="gblinear"')
    name = _dig(learner, str, "objective", "name")
    if name not in _OBJECTIVES:
        raise Refusal(f"its objective {name} is not known")
    objective, parameters = _OBJECTIVES[name], _dig(learner, dict, "learner_model_param")
    counts = (read_count(parameters.get(key, 0)) for key in ("num_class", "num_target"))
    n_features, n_groups = read_count(parameters.get("num_feature")), max(1, *counts)
    given = _dig(learner, list, "feature_names", default=[])
    if "c" in _dig(learner, list, "feature_types", default=[]):
        raise Refusal("it has categorical columns, which gblinear takes for numbers")
    weights = _dig(learner, list, "gradient_booster", "model", "weights")
    check_fit(len(weights) == (n_features + 1) * n_groups and len(given) in (0, n_features))
    check_fit(all(isinstance(one, str) for one in given))
    names = given or [f"f{i}" for i in range(n_features)]
    # JSON has the shortest digits of what is float32.
    with np.errstate(over="ignore"):
        matrix = read_numbers(weights).astype(np.float32).astype(np.float64)
    matrix = matrix.reshape(-1, n_groups).T
    # XGBoost 3 writes a base score a group, and gblinear adds the first of them to all (3.2.0, in
    # training and in `predict`).
    words = _dig(parameters, str, "base_score").strip("[]").split(",")
    bases = [_as_score(number, objective.base) for number in read_numbers(words).tolist()]
    check_fit(len(bases) in (1, n_groups))
    facts = ["a missing cell counts 0", "XGBoost computes in float32, matscore in float64"]
    if len(set(bases)) > 1:
        facts.append("as XGBoost does, the first of its base scores is added to every score")
    numbered = "" if objective.link is None else "y"
    categories = tuple(f"{numbered}{i}" for i in range(n_groups)) if n_groups > 1 else ("y",)
    version = _dig(root, list, "version", default=[])
    return ImportedModel(
        producer=f"XGBoost {'.'.join(str(part)[:9] for part in version[:3])}".strip(),
        kind=f"gblinear, {name}",
        categories=("0", "1") if objective.is_binary else categories,
        # What a sparse row does not hold counts 0, and a missing cell is not held.
        features=[column(one).impute(0) for one in names],
        coefficients=matrix[:, :-1],
        intercept=[exact(bias) + exact(bases[0]) for bias in matrix[:, -1]],
        link=objective.link,
        facts=tuple(facts),
        positional=() if given else tuple(names),
        rounding=FLOAT32,
    )


def _as_score(base: float, kind: str) -> float:
    """Return the score of a base score, which is written as a float32."""
    number = float(np.float32(base))
    try:
        if kind == "logit":
            return math.log(number) - math.log1p(-number)
        return math.log(number) if kind == "log" else number
    except ValueError:
        raise damaged() from None


def _dig(value: Any, kind: type, *keys: str, default: Any = None) -> Any:
    """Return what lies under keys within keys, which must be of a kind."""
    for key in keys:
        value = value.get(key, default) if isinstance(value, dict) else None
    check_fit(isinstance(value, kind))
    return value


def _read_json(data: bytes) -> Any:
    try:
        return json.loads(read_text(data))
    except (ValueError, RecursionError):  # damaged, or nested without end
        raise damaged() from None


_FORMS: Mapping[bytes, str] = {
    b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d",
}  # fmt: skip
_WORDS: Mapping[bytes, Any] = {b"Z": None, b"T": True, b"F": False}
_MOST_VALUES = 2_000_000


def _read_ubjson(data: bytes) -> Any:
    """Return the value that a file holds, counts held against the bytes that are left."""
    stream, left = io.BytesIO(data), _MOST_VALUES

    def take(n_bytes: int = 1) -> bytes:
        found = stream.read(max(n_bytes, 0))
        check_fit(len(found) == n_bytes)
        return found

    def read_size() -> int:
        form = _FORMS.get(take(), "")
        check_fit(form and form not in (">f", ">d"))
        return int(read_number(form))

    def read_number(form: str) -> Any:
        return struct.unpack(form, take(struct.calcsize(form)))[0]

    def read_value(kind: bytes, depth: int) -> Any:
        nonlocal left
        left -= 1
        check_fit(left >= 0)
        check_depth(depth)
        if kind in _FORMS:
            return read_number(_FORMS[kind])
        if kind in _WORDS:
            return _WORDS[kind]
        if kind == b"S":
            return read_text(take(read_size()))
        check_fit(kind in (b"[", b"{"))
        return read_list(depth) if kind == b"[" else read_object(depth)

    def read_list(depth: int) -> list[Any]:
        kind, each = take(), b""
        if kind == b"$":
            each, kind = take(), take()
            check_fit(each in _FORMS)
        check_fit(kind == b"#")
        count = check_count(read_size(), len(data) - stream.tell(), "values")
        if each:
            form = np.dtype(_FORMS[each])
            numbers: list[Any] = np.frombuffer(take(count * form.itemsize), form).tolist()
            return numbers
        return [read_value(take(), depth + 1) for _ in range(count)]

    def read_object(depth: int) -> dict[str, Any]:
        found = {}
        while (kind := take()) != b"}":
            stream.seek(-len(kind), io.SEEK_CUR)  # the kind of its length
            key = read_text(take(read_size()))
            found[key] = read_value(take(), depth + 1)
        return found

    return read_value(take(), 0)


SOURCE = Source("XGBoost", _recognise, _read)
