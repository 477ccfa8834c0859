"""Models of scikit-learn as they were saved: pipelines, searches and what wraps an estimator.

A fitted model is read from its attributes alone, whatever version saved it: what each step does is
done to columns, and the linear model at the end takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from matscore.links import Link
from matscore.models.algebra import Feature, combine
from matscore.models.linear_models import FLAT, Linear, classes_of, estimate, write_class
from matscore.models.records import Array, Name, Record, array, plain
from matscore.models.refusal import Refusal, in_step
from matscore.models.steps import Raw, Step, Value, Walk, as_numbers_of, deeper
from matscore.models.texts import text
from matscore.models.transformers import transform
from matscore.models.types import ImportedModel, Threshold

_LEFT_OUT = (None, "drop")
_AS_IT_IS = (None, "passthrough")
_MOST_COLUMNS, _MOST_VALUES = 2**24, 2**19
_MOST_BITS = 20_000
_FIRST_IN = {"Pipeline": "steps", "FeatureUnion": "transformer_list"}


def read_estimator(record: Record) -> ImportedModel:
    """Return the linear model that a fitted estimator is."""
    walk = Walk()
    step = Step(record, walk)
    names, are_names = _input_names(step)
    found = _model(step, [Raw(name) for name in names])
    categories = found.classes or _targets(len(found.coefficients))
    version = _find_version(step)
    return ImportedModel(
        producer="scikit-learn" + (f" {version}" if version else ""),
        kind=found.kind,
        categories=categories,
        features=[*found.features, *walk.checks] if walk.checks else found.features,
        coefficients=_widen(found.coefficients, len(walk.checks)),
        intercept=found.intercept,
        link=found.link,
        steps=tuple(walk.steps),
        facts=tuple(walk.facts),
        threshold=found.threshold,
        positional=() if are_names else tuple(names),
        seen=tuple(names) if are_names else (),
        rounding=found.rounding,
    )


def _widen(coefficients: Any, n_more: int) -> Any:
    """Return coefficients (n_vectors, n_features) with columns of 0 behind them."""
    if not n_more:
        return coefficients
    return np.hstack([coefficients, np.zeros((len(coefficients), n_more))])


def is_estimator(record: Record) -> bool:
    """Whether a record is of scikit-learn, or of a package that wraps its pipelines."""
    return record.is_of("sklearn") or record.is_of("imblearn")


def _targets(n: int) -> tuple[str, ...]:
    return ("y",) if n == 1 else tuple(f"y{i}" for i in range(n))


def _find_version(step: Step) -> str:
    for one in _inner_steps(step):
        version = one.get("_sklearn_version")
        if isinstance(version, str):
            return version[:30]
    return ""


# ----------------------------------------------------------------------------- columns that come in


def _input_names(step: Step) -> tuple[list[str], bool]:
    """Return the names of the columns that a model takes, and whether they are real ones."""
    width = None
    for one in _inner_steps(step):
        for attribute in ("feature_names_in_", "_feature_names_in", "_df_columns"):
            if one.has(attribute):
                names = [plain(name) for name in array(one.get(attribute)).tolist()]
                if all(isinstance(name, str) for name in names):
                    return names, True
        width = _width(one) if width is None else width
        if one.kind == "DictVectorizer":
            return [], True
    if width is None:
        _model(step, [])  # may have a better reason
        raise Refusal("how many columns it takes is not in the file")
    return [f"x{i}" for i in range(width)], False


def _inner_steps(step: Step) -> list[Step]:
    """Return a step and those within it that see the same columns first, from outside inwards."""
    found = [step]
    while len(found) < 50:
        step = found[-1]
        for attribute in ("best_estimator_", "regressor_", "estimator_"):
            if isinstance(step.attributes.get(attribute), Record) or _is_live(step, attribute):
                found.append(step.child(step.attributes[attribute]))
                break
        else:
            attribute = _FIRST_IN.get(step.kind, "estimators_")
            parts = step.attributes.get(attribute)
            parts = parts if isinstance(parts, list | np.ndarray | Record) else []
            parts = list(array(parts)) if not isinstance(parts, list) else parts
            firsts = [part[1] if isinstance(part, tuple) else part for part in parts]
            firsts = [part for part in firsts if part is not None and not isinstance(part, str)]
            if not firsts:
                return found
            found.append(step.child(firsts[0]))
    return found


def _is_live(step: Step, attribute: str) -> bool:
    return hasattr(step.attributes.get(attribute), "get_params")


def _width(step: Step) -> int | None:
    """Return how many columns a step takes, of versions before 0.24 by its arrays."""
    for attribute in ("n_features_in_", "_n_features", "n_features_", "n_input_features_"):
        found = step.get(attribute)
        if type(found) is int and 0 < found < _MOST_COLUMNS:
            return int(found)
    for attribute in ("mean_", "scale_", "categories_", "statistics_", "scores_", "bin_edges_"):
        if step.has(attribute):
            return len(step.items(attribute))
    for attribute in ("coef_", "components_", "feature_log_prob_", "support_vectors_"):
        if step.has(attribute) and array(step.get(attribute)).ndim:
            return int(array(step.get(attribute)).shape[-1])
    return None


# --------------------------------------------------------------------- transformers of transformers


def _columns(step: Step, values: Sequence[Value], name: str = "") -> list[Value]:
    """Return the columns that a step makes, whether it is of steps itself or not."""
    with deeper(step.walk):
        composite = _COMPOSITES.get(step.kind)
        if composite is not None and is_estimator(step.record):
            found = composite(step, values)
        elif step.record.is_of("imblearn"):
            step.walk.say(f"{step.kind} resamples rows when a model is fitted; it was left out")
            found = list(values)
        else:
            found = transform(step, values)
            step.walk.steps.append(f"{name} ({step.kind})" if name else step.kind)
    if len(found) > _MOST_VALUES:
        raise Refusal(f"it makes {len(found):,} columns")
    # Exact numbers grow with each step, and thousands of steps would never be done.
    for value in found[:2]:
        terms = value.terms.values() if isinstance(value, Feature) else ()
        if any(c.denominator.bit_length() > _MOST_BITS for c in islice(terms, 2)):
            raise Refusal("it is one of more steps than are folded")
    return found


def _in_turn(step: Step, values: Sequence[Value]) -> list[Value]:
    return _through(step, _pairs(step, "steps"), values)


def _through(step: Step, pairs: Sequence[tuple[str, Any]], values: Sequence[Value]) -> list[Value]:
    """Send columns through steps, one after the other."""
    found = list(values)
    for name, part in pairs:
        if part in _AS_IT_IS if not isinstance(part, Record) else False:
            continue
        child = step.child(part)
        with in_step(name, child.kind):
            found = _columns(child, found, name)
    return found


def _pairs(step: Step, attribute: str) -> list[tuple[str, Any]]:
    pairs = step.items(attribute)
    if not all(isinstance(pair, list | tuple) and len(pair) >= 2 for pair in pairs):
        raise Refusal(f"its {attribute} are not as they should be")
    return [(str(plain(pair[0])), _text_or_part(pair[1])) for pair in pairs]


def _text_or_part(part: Any) -> Any:
    return plain(part) if isinstance(part, str | Record) else part


def _side_by_side(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return what the transformers of a FeatureUnion make, side by side."""
    step.check_known(("transformer_list", "transformer_weights"))
    weights = _weights(step)
    found: list[Value] = []
    for name, part in _pairs(step, "transformer_list"):
        found += _weighted(_part(step, name, part, values), weights.get(name))
    return found


def _part(step: Step, name: str, part: Any, values: Sequence[Value]) -> list[Value]:
    if isinstance(part, str) or part is None:
        if part in _LEFT_OUT:
            return []
        if part == "passthrough":
            return list(values)
        raise Refusal(f'its part "{name}" is {part!r}')
    child = step.child(part)
    with in_step(name, child.kind):
        return _columns(child, values, name)


def _weights(step: Step) -> Mapping[str, float]:
    found = step.get("transformer_weights")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Refusal("its transformer_weights are no dict")
    weights = {str(plain(key)): plain(value) for key, value in found.items()}
    if not all(isinstance(value, int | float) for value in weights.values()):
        raise Refusal("its transformer_weights are no numbers")
    return weights


def _weighted(values: Sequence[Value], weight: float | None) -> list[Value]:
    return list(values) if weight is None else [v * weight for v in as_numbers_of(values)]


def _by_columns(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return what the transformers of a ColumnTransformer make of columns of their own."""
    step.check_known(("transformers", "remainder", "transformer_weights"))
    names, _ = _input_names(step)
    if len(names) != len(values) and names:
        raise Refusal(f"it takes {len(names)} columns, where {len(values)} come in")
    places = {name: j for j, name in reversed(list(enumerate(names)))}
    weights = _weights(step)
    entries = step.items("transformers_")
    resolved = step.items("_columns") if step.has("_columns") else []
    found: list[Value] = []
    for i, entry in enumerate(entries):
        if not (isinstance(entry, list | tuple) and len(entry) == 3):
            raise Refusal("its transformers_ are not as they should be")
        name, part, picked = str(plain(entry[0])), _text_or_part(entry[1]), entry[2]
        if isinstance(part, str) and part == "drop":
            continue
        if (isinstance(picked, Name) or callable(picked)) and i < len(resolved):
            picked = resolved[i]
        chosen = [values[j] for j in _pick(picked, places, len(values))]
        # What gets no columns is not fitted.
        if chosen:
            found += _weighted(_part(step, name, part, chosen), weights.get(name))
    return found


def _pick(picked: Any, names: Mapping[str, int], n: int) -> list[int]:
    """Return the positions of columns: by name, position, slice or mask."""
    if isinstance(picked, Record) and "data" in picked.attributes:  # a list of a class of its own
        picked = picked.attributes["data"]
    elif hasattr(picked, "data") and isinstance(picked.data, list):
        picked = picked.data
    picked = plain(picked)
    if isinstance(picked, slice):
        return _pick_slice(picked, names, n)
    if isinstance(picked, str | int):
        picked = [picked]
    keys = [plain(key) for key in array(picked).ravel().tolist()]
    if keys and all(isinstance(key, bool) for key in keys):
        if len(keys) != n:
            raise Refusal(f"it has a mask of {len(keys)} columns, where {n} come in")
        return [j for j, key in enumerate(keys) if key]
    return [_position(key, names, n) for key in keys]


def _pick_slice(picked: slice, names: Mapping[str, int], n: int) -> list[int]:
    start, stop, step = plain(picked.start), plain(picked.stop), plain(picked.step)
    if isinstance(start, str):
        start = _position(start, names, n)
    if isinstance(stop, str):  # of names the last belongs to it
        stop = _position(stop, names, n) + 1
    if not all(one is None or type(one) is int for one in (start, stop, step)) or step == 0:
        raise Refusal("it has a slice of columns that is not known")
    return list(range(n))[start:stop:step]


def _position(key: Any, names: Mapping[str, int], n: int) -> int:
    if isinstance(key, str):
        if key not in names:
            raise Refusal(f'it takes a column "{key}" that does not come in')
        return names[key]
    if type(key) is int and -n <= key < n:
        return key % n
    raise Refusal("it takes a column that does not come in")


def _from_dicts(step: Step, _: Sequence[Value]) -> list[Value]:
    """Return the columns that a DictVectorizer makes of rows as dicts: numbers, and text=level."""
    step.check_known(("dtype",))
    separator = str(step.get("separator", "="))
    names = [plain(name) for name in step.items("feature_names_")]
    split: list[tuple[str, str | None]] = []
    for name in names:
        if not isinstance(name, str) or name.count(separator) > 1:
            raise Refusal(f"where the level begins in {name!r} cannot be told")
        key, found, rest = name.partition(separator)
        split.append((key, rest if found else None))
    levels: dict[str, list[str]] = {}
    for key, level in split:
        if level is not None:
            levels.setdefault(key, []).append(level)
    if any(level is None and key in levels for key, level in split):
        raise Refusal("it has a column of both texts and numbers")
    encoded = {
        (key, level): feature
        for key, texts in levels.items()
        for level, feature in zip(
            texts, text(key).one_hot([[one] for one in texts], other="zero"), strict=True
        )
    }
    return [
        Raw(key).as_number().impute(0) if level is None else encoded[key, level]
        for key, level in split
    ]


_COMPOSITES: Mapping[str, Callable[[Step, Sequence[Value]], list[Value]]] = {
    "Pipeline": _in_turn,
    "FeatureUnion": _side_by_side,
    "ColumnTransformer": _by_columns,
    "DictVectorizer": _from_dicts,
}


# ------------------------------------------------------------------------- estimators of estimators


def _model(step: Step, values: Sequence[Value]) -> Linear:
    """Return the linear predictors of a model, whatever wraps it."""
    with deeper(step.walk):
        wrapper = _WRAPPERS.get(step.kind)
        if wrapper is not None and is_estimator(step.record):
            return wrapper(step, values)
        return estimate(step, values)


def _pipeline(step: Step, values: Sequence[Value]) -> Linear:
    step.check_known(("steps",))
    *before, (name, last) = _pairs(step, "steps") or [("", None)]
    found = _through(step, before, values)
    if isinstance(last, str) or last is None:
        raise Refusal("it ends without a model")
    child = step.child(last)
    with in_step(name, child.kind):
        return _model(child, found)


def _inside(attribute: str, hint: str = "") -> Callable[[Step, Sequence[Value]], Linear]:
    def read(step: Step, values: Sequence[Value]) -> Linear:
        if not step.has(attribute):
            raise Refusal(f"it has no {attribute}", hint)
        child = step.child(step.attributes[attribute])
        with in_step(attribute, child.kind):
            return _model(child, values)

    return read


def _children(step: Step, values: Sequence[Value]) -> list[Linear]:
    found = []
    for i, part in enumerate(step.items("estimators_")):
        child = step.child(part)
        with in_step(f"estimators_[{i}]", child.kind):
            found.append(_model(child, values))
    if not found:
        raise Refusal("it has no estimators_")
    return found


def _against_rest(step: Step, values: Sequence[Value]) -> Linear:
    """Return a model of one binary model a class; of two classes there is one."""
    step.check_known(())
    binarizer = step.child(step.need("label_binarizer_"))
    if str(binarizer.get("y_type_", "multiclass")).startswith("multilabel"):
        raise Refusal("its rows may have several labels at once")
    classes = classes_of(binarizer)
    parts = _children(step, values)
    if len(parts) != len(classes) and (len(parts), len(classes)) != (FLAT, 2):
        raise Refusal(f"it has {len(parts)} estimators for {len(classes)} classes")
    links = {part.link for part in parts}
    if links - {None, "identity"} or len(links) > 1 or any(part.threshold for part in parts):
        raise Refusal("its estimators are of several kinds, or have thresholds")
    scores = []
    for part in parts:
        found = part.scores
        if len(found) > 2 or (len(found) == FLAT and len(part.classes) != 2):
            raise Refusal("one of its estimators is not binary")
        scores.append(found[0] if len(found) == FLAT else found[1] - found[0])
    link: Link | None = links.pop()
    if link is None and len(classes) > 2:
        link = "one-vs-rest"
    kind = f"{step.kind} of {parts[0].kind}"
    return parts[0].with_scores(scores, kind=kind, classes=classes, link=link)


def _side_by_side_targets(step: Step, values: Sequence[Value]) -> Linear:
    step.check_known(())
    parts = _children(step, values)
    scores = [score for part in parts for score in part.scores]
    return _agree(parts).with_scores(scores, kind=f"{step.kind} of {parts[0].kind}")


def _mean(step: Step, values: Sequence[Value]) -> Linear:
    """Return the mean of the regressions of a VotingRegressor."""
    step.check_known(("weights",))
    parts = _children(step, values)
    first = _agree(parts)
    if first.link != "identity" or any(len(part.coefficients) != FLAT for part in parts):
        raise Refusal("it takes the mean of models that are not plain regressions")
    weights = [1.0] * len(parts)
    if step.has("weights"):
        given = array(step.get("weights")).tolist()
        names = _pairs(step, "estimators")
        kept = [
            not (part is None or (isinstance(part, str) and part == "drop")) for _, part in names
        ]
        if len(given) != len(kept):
            raise Refusal("its weights do not fit its estimators")
        weights = [float(plain(w)) for w, is_kept in zip(given, kept, strict=True) if is_kept]
    if len(weights) != len(parts) or not sum(weights):
        raise Refusal("its weights do not fit its estimators")
    mean = combine([part.scores[0] for part in parts], weights) / sum(weights)
    return first.with_scores([mean], kind=step.kind)


def _agree(parts: Sequence[Linear]) -> Linear:
    if any(part.classes or part.link != parts[0].link for part in parts):
        raise Refusal("its estimators are of several kinds")
    return parts[0]


def _turned_back(step: Step, values: Sequence[Value]) -> Linear:
    """Return a regression of a transformed target, turned back."""
    step.check_known(("func", "inverse_func", "transformer", "check_inverse"))
    found = _inside("regressor_")(step, values)
    back = step.child(step.need("transformer_"))
    if found.link != "identity":
        raise Refusal("its target is transformed twice")
    n = len(found.coefficients)

    def vector(name: str, default: float) -> Array:
        return back.numbers(name, n) if back.has(name) else np.full(n, default)

    with in_step("transformer_", back.kind):
        match back.kind:
            case "FunctionTransformer":
                return _turned_by_function(back, found)
            case "StandardScaler":
                scale, shift = vector("scale_", 1.0), vector("mean_", 0.0)
            case "RobustScaler":
                scale, shift = vector("scale_", 1.0), vector("center_", 0.0)
            case "MaxAbsScaler":
                scale, shift = vector("scale_", 1.0), np.zeros(n)
            case "MinMaxScaler":
                back.refuse("clip", False)
                pairs = zip(found.scores, vector("min_", 0), vector("scale_", 1), strict=True)
                return found.with_scores([(s - float(m)) / float(by) for s, m, by in pairs])
            case _:
                raise Refusal("it bends the target")
    pairs = zip(found.scores, scale, shift, strict=True)
    return found.with_scores([s * float(by) + float(plus) for s, by, plus in pairs])


def _turned_by_function(back: Step, found: Linear) -> Linear:
    inverse = back.attributes.get("inverse_func")
    name = getattr(inverse, "name", getattr(inverse, "__name__", None))
    if inverse is None and back.attributes.get("func") is None:
        return found
    if name == "exp" and "numpy" in str(getattr(inverse, "module", "numpy")):
        return replace(found, link="exp")
    raise Refusal(f"it turns the target back by {inverse or 'nothing'}")


def _thresholded(step: Step, values: Sequence[Value]) -> Linear:
    """Return a classifier with a threshold of its own."""
    tuned = step.kind == "TunedThresholdClassifierCV"
    step.check_known(("threshold", "pos_label", "response_method", "thresholds"))
    found = _inside("estimator_")(step, values)
    value = step.get("best_threshold_" if tuned else "threshold", "auto")
    if value == "auto":
        return found
    if len(found.classes) != 2 or not isinstance(value, int | float):
        raise Refusal("it has a threshold, and not two classes")
    way = step.get("response_method", "auto")
    of_score = way == "decision_function" or (way == "auto" and found.link == "identity")
    positive = step.get("pos_label")
    if tuned and positive is None and step.has("_curve_scorer"):
        keywords = step.child(step.attributes["_curve_scorer"]).get("_kwargs") or {}
        positive = keywords.get("pos_label") if isinstance(keywords, dict) else None
    if positive is not None and write_class(positive) == found.classes[0]:
        value = -value if of_score else 1 - value
    return replace(found, threshold=Threshold(value, "score" if of_score else "probability"))


_WRAPPERS: Mapping[str, Callable[[Step, Sequence[Value]], Linear]] = {
    "Pipeline": _pipeline,
    **dict.fromkeys(
        ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"),
        _inside("best_estimator_", "a search is saved with it when refit is True"),
    ),
    "RANSACRegressor": _inside("estimator_"),
    "OneVsRestClassifier": _against_rest,
    "MultiOutputRegressor": _side_by_side_targets,
    "VotingRegressor": _mean,
    "TransformedTargetRegressor": _turned_back,
    "FixedThresholdClassifier": _thresholded,
    "TunedThresholdClassifierCV": _thresholded,
}
