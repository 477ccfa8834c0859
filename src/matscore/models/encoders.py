"""Encoders of scikit-learn: texts, numbers and booleans as indicators, codes and means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from matscore.models.algebra import Feature, Kind, Number
from matscore.models.records import array, plain
from matscore.models.refusal import Refusal
from matscore.models.steps import Raw, Step, Value, as_numbers
from matscore.models.texts import TextFeature, write_level

_MOST_NUMBERS = 1_000_000


def _levels(step: Step, i: int, found: Any) -> tuple[list[str | None], Kind]:
    """Return the categories of a column as texts, None where one is a missing cell."""
    values = [plain(value) for value in array(found).tolist()]
    present = [value for value in values if write_level(value) is not None]
    if all(isinstance(value, bool) for value in present):
        kind: Kind = "boolean" if present else "text"
    elif all(isinstance(value, str) for value in present):
        kind = "text"
    elif any(isinstance(value, str | bool) for value in present):
        raise Refusal(f"its column {i + 1} has categories of several types")
    else:
        kind = "number"
    texts = [write_level(value) for value in values]
    if texts.count(None) > 1:
        step.walk.say("None and NaN are one: a missing cell")
    return texts, kind


def _columns(
    step: Step, values: Sequence[Value]
) -> list[tuple[int, Value, list[str | None], Kind]]:
    categories = step.items("categories_")
    if len(categories) != len(values):
        raise Refusal(f"it encodes {len(categories)} columns, where {len(values)} come in")
    pairs = zip(values, categories, strict=True)
    return [(i, value, *_levels(step, i, found)) for i, (value, found) in enumerate(pairs)]


def _as_text(value: Value, kind: Kind) -> TextFeature | Feature:
    return value.as_text(kind) if isinstance(value, Raw) else value


def _grouping(step: Step, i: int, n_levels: int) -> list[int] | None:
    """Return the group of each category of a column with infrequent ones; the last is theirs."""
    if not step.has("_default_to_infrequent_mappings"):
        return None
    mappings = step.items("_default_to_infrequent_mappings")
    if i >= len(mappings) or mappings[i] is None:
        return None
    found = [plain(group) for group in array(mappings[i]).tolist()]
    if len(found) != n_levels or set(found) != set(range(len(set(found)))):
        raise Refusal("its infrequent categories are not as they should be")
    return found


def encode_one_hot(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return an indicator for each category that is not dropped."""
    found: list[Value] = []
    for i, value, texts, kind in _columns(step, values):
        mapping = _grouping(step, i, len(texts))
        groups: list[list[str | None]] = [[] for _ in set(mapping or texts)]
        for j, one in enumerate(texts):
            groups[mapping[j] if mapping else j].append(one)
        policy = step.get("handle_unknown", "error")
        if policy not in ("error", "ignore", "infrequent_if_exist", "warn"):
            raise Refusal(f"with handle_unknown={policy!r} it is not imported")
        # Without infrequent categories an unknown one is zeros: scikit-learn#34822. "warn" was
        # "ignore" until #32592, where it had none either.
        other: Any = "error" if policy == "error" else "zero"
        if mapping and policy in ("infrequent_if_exist", "warn"):
            other = len(groups) - 1
        made = _indicate(_as_text(value, kind), groups, other)
        dropped = _dropped(step, i, mapping)
        found += [one for j, one in enumerate(made) if j != dropped]
        if len(made) == 1 and dropped == 0:  # nothing is left but what it refuses
            step.walk.checks += made
    return found


def _dropped(step: Step, i: int, mapping: list[int] | None) -> int | None:
    after = step.has("_drop_idx_after_grouping")
    name = "_drop_idx_after_grouping" if after else "drop_idx_"
    if not step.has(name):
        if step.has("drop"):
            raise Refusal("its drop_idx_ is missing")
        return None
    indices = [plain(index) for index in step.array(name).tolist()]
    index = indices[i] if i < len(indices) else None
    if index is None:
        return None
    number = int(index)
    return mapping[number] if mapping and not after else number


def _indicate(
    value: TextFeature | Feature, groups: Sequence[list[str | None]], other: Any
) -> list[Feature]:
    if isinstance(value, TextFeature):
        return value.one_hot(groups, other=other)
    made = []
    if len(groups) * len(value.terms) > _MOST_NUMBERS:
        raise Refusal(f"it encodes {len(value.terms):,} numbers as {len(groups):,} columns")
    for j in range(len(groups)):
        numbers: dict[str | None, Number] = {
            one: int(k == j) for k, g in enumerate(groups) for one in g
        }
        unknown: Any = int(other == j) if isinstance(other, int) else other
        made.append(_recode(value, numbers, 0 if unknown == "zero" else unknown))
    return made


def _recode(value: Feature, numbers: dict[str | None, Number], other: Any) -> Feature:
    """Return the number that each of the few values of a feature stands for."""
    known = {Fraction(float(text)): number for text, number in numbers.items() if text is not None}

    def look_up(number: Fraction) -> Number:
        found = known.get(number, other)
        if isinstance(found, str):
            raise Refusal("it encodes a number that it does not know")
        return found  # type: ignore[no-any-return]

    found = value.map_values(look_up)
    return found.impute(numbers[None]) if None in numbers else found.refuse_missing()


def _encode(
    value: Value, kind: Kind, numbers: dict[str | None, Number], other: Any, missing: Any
) -> Feature:
    made = _as_text(value, kind)
    if isinstance(made, TextFeature):
        return made.to_number(numbers, other=other, missing=missing)
    return _recode(made, numbers, other)


def encode_ordinal(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return the code of each category."""
    other: Any = "error"
    if step.get("handle_unknown", "error") == "use_encoded_value":
        other = _number_or_nan(step.get("unknown_value"))
    at_missing = _number_or_nan(step.get("encoded_missing_value", math.nan))
    found: list[Value] = []
    for i, value, texts, kind in _columns(step, values):
        known = [one for one in texts if one is not None]
        codes = _grouping(step, i, len(known)) or range(len(known))
        if None in texts[:-1]:  # the codes of those behind it would be others
            raise Refusal(f"its column {i + 1} has a missing category that is not the last")
        numbers: dict[str | None, Number] = dict(zip(known, codes, strict=True))
        missing = at_missing if len(known) < len(texts) else None
        found.append(_encode(value, kind, numbers, other, missing))
    return found


def _number_or_nan(value: Any) -> Any:
    if isinstance(value, int | float):
        return "nan" if math.isnan(value) else value
    if value is None:
        return "nan"
    raise Refusal(f"it encodes an unknown category as {value!r}")


def encode_target(step: Step, values: Sequence[Value]) -> list[Value]:
    """Return the mean of the target of each category, for several classes of each class."""
    kind_of_target = step.need("target_type_")
    n_classes = len(step.array("classes_")) if kind_of_target == "multiclass" else 1
    means = as_numbers(step.need("target_mean_"), "target_mean_").reshape(-1)
    encodings = step.items("encodings_")
    if len(encodings) != len(values) * n_classes or len(means) != n_classes:
        raise Refusal("its encodings_ are not as many as its columns")
    found: list[Value] = []
    for i, value, texts, kind in _columns(step, values):
        for j in range(n_classes):
            codes = as_numbers(encodings[i * n_classes + j], "encodings_").tolist()
            if len(codes) != len(texts):
                raise Refusal("its encodings_ are not as many as its categories")
            numbers: dict[str | None, Number] = dict(zip(texts, codes, strict=True))
            found.append(_encode(value, kind, numbers, float(means[j]), None))
    return found
