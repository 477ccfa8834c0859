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

from matscore.models.algebra import Feature
from matscore.models.bounds import Refusal, in_step
from matscore.models.columns import Raw, Raws, Value, as_features
from matscore.models.linear_models import (
    estimate,
    list_scores,
    name_targets,
    read_classes,
    with_scores,
    write_class,
)
from matscore.models.records import Name, Record, array, describe, plain
from matscore.models.steps import Step, Walk
from matscore.models.transformers import name_function, read_scaler, transform
from matscore.models.types import ImportedModel, Threshold

_MOST_COLUMNS, _MOST_VALUES = 2**24, 2**19
_MOST_BITS = 20_000


def read_estimator(record: Record) -> ImportedModel:
    """Return the linear model that a fitted estimator is."""
    walk = Walk()
    step = Step(record, walk)
    inner = _list_inner(step)
    names = _find_names(inner)
    known = names is not None
    if names is None:
        width = next(filter(None, map(_find_width, inner)), None)
        if width is None:
            _model(step, [])  # may have a better reason
            raise Refusal("how many columns it takes is not in the file")
        names = [f"x{i}" for i in range(width)]
    found = _model(step, Raws(names))
    if walk.checks:
        nothing = np.zeros((len(found.coefficients), len(walk.checks)))
        found = replace(
            found,
            features=[*found.features, *walk.checks],
            coefficients=np.hstack([found.coefficients, nothing]),
        )
    versions = (one.get("_sklearn_version") for one in inner)
    version = next((v[:30] for v in versions if isinstance(v, str)), "")
    return replace(
        found,
        producer=f"scikit-learn {version}".strip(),
        steps=tuple(walk.steps),
        facts=tuple(walk.facts),
        positional=() if known else tuple(names),
        seen=tuple(names) if known else (),
    )


# ----------------------------------------------------------------------------- columns that come in


def _list_inner(step: Step) -> list[Step]:
    """Return a step and those within it that see the same columns first, from outside inwards."""
    found = [step]
    while len(found) < 50:
        step = found[-1]
        single = next(filter(step.has, ("best_estimator_", "regressor_", "estimator_")), None)
        if single is None:
            several = {"Pipeline": "steps", "FeatureUnion": "transformer_list"}
            attribute = several.get(step.kind, "estimators_")
            parts = step.items(attribute) if step.has(attribute) else []
            firsts = (p[1] if isinstance(p, tuple) and len(p) > 1 else p for p in parts)
            inner = next((one for one in map(describe, firsts) if isinstance(one, Record)), None)
        else:
            inner = step.get(single)
        if not isinstance(inner, Record):
            break
        found.append(step.child(inner))
    return found


def _find_names(inner: Sequence[Step]) -> list[str] | None:
    """Return the names of the columns that a model takes; None where it knows them by position."""
    for step in inner:
        if step.kind == "DictVectorizer":
            return []
        for attribute in ("feature_names_in_", "_feature_names_in", "_df_columns"):
            names = step.items(attribute) if step.has(attribute) else [None]
            if all(isinstance(name, str) for name in names):
                return list(map(str, names))
    return None


def _find_width(step: Step) -> int | None:
    """Return how many columns a step takes, of versions before 0.24 by its arrays."""
    for attribute in ("n_features_in_", "_n_features", "n_features_", "n_input_features_"):
        found = step.get(attribute)
        if type(found) is int and 0 < found < _MOST_COLUMNS:
            return found
    for attribute in ("mean_", "scale_", "categories_", "statistics_", "scores_", "bin_edges_"):
        if step.has(attribute):
            return len(step.items(attribute))
    for attribute in ("coef_", "components_", "feature_log_prob_", "support_vectors_"):
        if step.has(attribute) and (shape := array(step.get(attribute)).shape):
            return int(shape[-1])
    return None


# --------------------------------------------------------------------- transformers of transformers


def _part(step: Step, name: str, part: Any, values: Sequence[Value]) -> list[Value]:
    """Return the columns that a part of a step makes."""
    if isinstance(part := plain(part), str) or part is None:
        if part == "passthrough" or (part is None and step.kind == "Pipeline"):
            return list(values)
        if part in (None, "drop"):
            return []
        raise Refusal(f'its part "{name}" is {part!r}')
    child = step.child(part)
    with in_step(name, child.kind), step.walk.deeper():
        composite = _COMPOSITES.get(child.kind)
        if composite is not None and child.record.is_of("sklearn"):
            found = composite(child, values)
        else:
            found = list(transform(child, values))
            step.walk.steps.append(f"{name} ({child.kind})" if name else child.kind)
        if len(found) > _MOST_VALUES:
            raise Refusal(f"it makes {len(found):,} columns")
        # Exact numbers grow with each step, and thousands of steps would never be done.
        for value in found[:2]:
            terms = value.terms.values() if isinstance(value, Feature) else ()
            if any(c.denominator.bit_length() > _MOST_BITS for c in islice(terms, 2)):
                raise Refusal("it is one of more steps than are folded")
    return found


def _list_parts(step: Step, attribute: str) -> list[tuple[Any, ...]]:
    """Return the parts of a step: the name of each, what it is and what else stands there."""
    parts = step.items(attribute)
    if not all(isinstance(part, list | tuple) and len(part) >= 2 for part in parts):
        raise Refusal(f"its {attribute} are not as they should be")
    return [(str(plain(part[0])), *part[1:]) for part in parts]


def _in_turn(step: Step, values: Sequence[Value]) -> list[Value]:
    found = list(values)
    for name, part, *_ in _list_parts(step, "steps"):
        found = _part(step, name, part, found)
    return found


def _side_by_side(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return what the transformers of a FeatureUnion make, side by side."""
    step.check_known(("transformer_list", "transformer_weights"))
    found: list[Value] = []
    for name, part, *_ in _list_parts(step, "transformer_list"):
        found += _weigh(step, name, _part(step, name, part, values))
    return found


def _weigh(step: Step, name: str, values: list[Value]) -> list[Value]:
    weights = step.get("transformer_weights")
    weight = plain(weights.get(name)) if isinstance(weights, dict) else weights
    if weight is None:
        return values
    if not isinstance(weights, dict) or not isinstance(weight, int | float):
        raise Refusal("its transformer_weights are no numbers")
    return [value * weight for value in as_features(values)]


def _by_columns(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return what the transformers of a ColumnTransformer make of columns of their own."""
    step.check_known(("transformers", "remainder", "transformer_weights"))
    names = _find_names([step]) or []
    width = len(names) or _find_width(step) or len(values)
    if width != len(values):
        raise Refusal(f"it takes {width} columns, where {len(values)} come in")
    places = {name: j for j, name in reversed(list(enumerate(names)))}
    resolved = step.items("_columns") if step.has("_columns") else []
    found: list[Value] = []
    for i, (name, part, *rest) in enumerate(_list_parts(step, "transformers_")):
        if len(rest) != 1:
            raise Refusal("its transformers_ are not as they should be")
        if isinstance(part, str) and part == "drop":
            continue
        picked = describe(rest[0])
        if isinstance(picked, Name) and i < len(resolved):  # by a function
            picked = resolved[i]
        chosen = [values[j] for j in _pick(picked, places, len(values))]
        # What gets no columns is not fitted.
        if chosen:
            found += _weigh(step, name, _part(step, name, part, chosen))
    return found


def _pick(picked: Any, names: Mapping[str, int], n: int) -> list[int]:
    """Return the positions of columns: by name, position, slice or mask."""
    if isinstance(picked, Record) and "data" in picked.attributes:  # a list of a class of its own
        picked = picked.attributes["data"]
    picked = plain(picked)
    if isinstance(picked, slice):
        start, stop, step = (plain(one) for one in (picked.start, picked.stop, picked.step))
        start = _place(start, names, n) if isinstance(start, str) else start
        # Of names the last belongs to it.
        stop = _place(stop, names, n) + 1 if isinstance(stop, str) else stop
        if not all(one is None or type(one) is int for one in (start, stop, step)) or step == 0:
            raise Refusal("it has a slice of columns that is not known")
        return list(range(n))[start:stop:step]
    keys = array([picked] if isinstance(picked, str | int) else picked).ravel().tolist()
    keys = [plain(key) for key in keys]
    if keys and all(isinstance(key, bool) for key in keys):
        if len(keys) != n:
            raise Refusal(f"it has a mask of {len(keys)} columns, where {n} come in")
        return [j for j, key in enumerate(keys) if key]
    return [_place(key, names, n) for key in keys]


def _place(key: Any, names: Mapping[str, int], n: int) -> int:
    if isinstance(key, str) and key in names:
        return names[key]
    if type(key) is int and -n <= key < n:
        return key % n
    raise Refusal(f"it takes a column {key!r} that does not come in")


def _from_dicts(step: Step, _: Sequence[Value]) -> list[Value]:
    """Return the columns that a DictVectorizer makes of rows as dicts: numbers, and text=level."""
    step.check_known(("dtype",))
    separator = str(step.get("separator", "="))
    names = step.items("feature_names_")
    levels: dict[str, list[str]] = {}
    for name in names:
        if not isinstance(name, str) or name.count(separator) > 1:
            raise Refusal(f"where the level begins in {name!r} cannot be told")
        key, sign, level = name.partition(separator)
        if sign:
            levels.setdefault(key, []).append(level)
    if not levels.keys().isdisjoint(names):
        raise Refusal("it has a column of both texts and numbers")
    encoded: dict[str, Value] = {}
    for key, texts in levels.items():
        made = Raw(key).one_hot([[level] for level in texts], other="zero")
        encoded.update(zip((f"{key}{separator}{level}" for level in texts), made, strict=True))
    return [encoded.get(name, Raw(name, filled=0)) for name in names]


_COMPOSITES: Mapping[str, Callable[[Step, Sequence[Value]], list[Value]]] = {
    "Pipeline": _in_turn,
    "FeatureUnion": _side_by_side,
    "ColumnTransformer": _by_columns,
    "DictVectorizer": _from_dicts,
}


# ------------------------------------------------------------------------- estimators of estimators


def _model(step: Step, values: Sequence[Value]) -> ImportedModel:
    """Return the linear predictors of a model, whatever wraps it."""
    with step.walk.deeper():
        wrapper = _WRAPPERS.get(step.kind)
        if wrapper is not None and step.record.is_of("sklearn"):
            return wrapper(step, values)
        return estimate(step, values)


def _child(step: Step, name: str, part: Any, values: Sequence[Value]) -> ImportedModel:
    child = step.child(part)
    with in_step(name, child.kind):
        return _model(child, values)


def _pipeline(step: Step, values: Sequence[Value]) -> ImportedModel:
    step.check_known(("steps",))
    *before, (name, last, *_) = _list_parts(step, "steps") or [("", None)]
    for earlier, part, *_ in before:
        values = _part(step, earlier, part, values)
    if isinstance(last, str) or last is None:
        raise Refusal("it ends without a model")
    return _child(step, name, last, values)


def _search(step: Step, values: Sequence[Value]) -> ImportedModel:
    if not step.has("best_estimator_"):
        what = "it has no best_estimator_"
        raise Refusal(what, "a search is saved with it when refit is True")
    return _inside("best_estimator_")(step, values)


def _inside(attribute: str) -> Callable[[Step, Sequence[Value]], ImportedModel]:
    return lambda step, values: _child(step, attribute, step.need(attribute), values)


def _children(step: Step, values: Sequence[Value]) -> list[ImportedModel]:
    """Return the models of a model of several, which are of one kind."""
    step.check_known(())
    parts = [
        _child(step, f"estimators_[{i}]", part, values)
        for i, part in enumerate(step.items("estimators_"))
    ]
    if not parts or any(part.link != parts[0].link or part.threshold for part in parts):
        raise Refusal("its estimators are of several kinds, or have thresholds")
    return parts


def _against_rest(step: Step, values: Sequence[Value]) -> ImportedModel:
    """Return a model of one binary model a class; of two classes there is one."""
    binarizer = step.child("label_binarizer_")
    if binarizer.word("y_type_").startswith("multilabel"):
        raise Refusal("its rows may have several labels at once")
    classes, parts = read_classes(binarizer), _children(step, values)
    link = parts[0].link
    if link not in (None, "identity") or any(len(part.categories) != 2 for part in parts):
        raise Refusal("one of its estimators is not binary")
    scores = []
    for part in parts:
        *first, second = list_scores(part)
        scores.append(second - first[0] if first else second)
    if link is None and len(classes) > 2:
        link = "one-vs-rest"
    kind = f"{step.kind} of {parts[0].kind}"
    return with_scores(parts[0], scores, kind=kind, categories=classes, link=link)


def _of_several_targets(step: Step, values: Sequence[Value]) -> ImportedModel:
    parts = _children(step, values)
    if any(len(part.categories) != 1 for part in parts):
        raise Refusal("one of its estimators is no regression of one target")
    scores = [score for part in parts for score in list_scores(part)]
    kind = f"{step.kind} of {parts[0].kind}"
    return with_scores(parts[0], scores, kind=kind, categories=name_targets(len(scores)))


def _turned_back(step: Step, values: Sequence[Value]) -> ImportedModel:
    """Return a regression of a transformed target, turned back."""
    step.check_known(("func", "inverse_func", "transformer", "check_inverse"))
    found, back = _inside("regressor_")(step, values), step.child("transformer_")
    if found.link != "identity":
        raise Refusal("its target is transformed twice")
    with in_step("transformer_", back.kind):
        if back.kind != "FunctionTransformer":
            scores = list_scores(found)
            scalers = read_scaler(back, len(scores))
            turned = [one.back(score) for one, score in zip(scalers, scores, strict=True)]
            return with_scores(found, turned)
        function, inverse = back.get("func"), back.get("inverse_func")
        if function is None and inverse is None:
            return found
        if name_function(inverse) == "exp":
            return replace(found, link="exp")
        raise Refusal(f"it turns the target back by {inverse or 'nothing'}")


def _thresholded(step: Step, values: Sequence[Value]) -> ImportedModel:
    """Return a classifier with a threshold of its own."""
    tuned = step.kind == "TunedThresholdClassifierCV"
    step.check_known(("threshold", "pos_label", "response_method", "thresholds"))
    found = _inside("estimator_")(step, values)
    value = step.get("best_threshold_" if tuned else "threshold", "auto")
    if isinstance(value, str) and value == "auto":
        return found
    if len(found.categories) != 2 or not isinstance(value, int | float):
        raise Refusal("it has a threshold, and not two classes")
    way = step.word("response_method", "auto")
    of_score = way == "decision_function" or (way == "auto" and found.link == "identity")
    positive = step.get("pos_label")
    if tuned and positive is None and step.has("_curve_scorer"):
        keywords = step.child("_curve_scorer").get("_kwargs")
        positive = keywords.get("pos_label") if isinstance(keywords, dict) else None
    # What is positive wins at exactly the threshold.
    is_second = positive is None or write_class(positive) != found.categories[0]
    if not is_second:
        value = -value if of_score else 1 - value
    threshold = Threshold(value, "score" if of_score else "probability", is_second=is_second)
    return replace(found, threshold=threshold)


_WRAPPERS: Mapping[str, Callable[[Step, Sequence[Value]], ImportedModel]] = {
    "Pipeline": _pipeline,
    **dict.fromkeys(
        ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"),
        _search,
    ),
    "RANSACRegressor": _inside("estimator_"),
    "OneVsRestClassifier": _against_rest,
    "MultiOutputRegressor": _of_several_targets,
    "TransformedTargetRegressor": _turned_back,
    "FixedThresholdClassifier": _thresholded,
    "TunedThresholdClassifierCV": _thresholded,
}
