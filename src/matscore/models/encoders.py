"""Encoders of scikit-learn: texts, numbers and booleans as indicators, codes and means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from matscore.models.algebra import Feature, Kind, Number
from matscore.models.records import array, plain
from matscore.models.refusal import Refusal
from matscore.models.steps import Raw, Step, Value, as_numbers
from matscore.models.texts import write_level

_MOST_NUMBERS = 1_000_000


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


def encode_one_hot(step: Step, values: Sequence[Value]) -> list[Value]:
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


def indicate(
    value: Value, kind: Kind, groups: Sequence[Sequence[str | None]], other: Any
) -> Sequence[Feature]:
    """Return an indicator for each group of the texts, or few numbers, that a column has."""
    if isinstance(value, Raw):
        return value.as_text(kind).one_hot(groups, other=other)
    if len(groups) * len(value.terms) > _MOST_NUMBERS:
        raise Refusal(f"it encodes {len(value.terms):,} numbers as {len(groups):,} columns")
    made = []
    for j in range(len(groups)):
        numbers = {one: int(k == j) for k, group in enumerate(groups) for one in group}
        unknown: Any = int(other == j) if isinstance(other, int) else other
        made.append(recode(value, kind, numbers, 0 if unknown == "zero" else unknown))
    return made


def recode(
    value: Value, kind: Kind, numbers: Mapping[str | None, Number], other: Any, missing: Any = None
) -> Feature:
    """Return the number that each text, or each of the few values, of a column stands for."""
    if isinstance(value, Raw):
        return value.as_text(kind).to_number(numbers, other=other, missing=missing)
    try:
        known = {Fraction(float(text)): n for text, n in numbers.items() if text is not None}
    except (ValueError, OverflowError) as error:
        raise Refusal("it encodes numbers by what is no number") from error

    def look_up(number: Fraction) -> Number:
        found = known.get(number, other)
        if isinstance(found, str):
            raise Refusal("it encodes a number that it does not know")
        return found  # type: ignore[no-any-return]

    found = value.map_values(look_up)
    return found.impute(numbers[None]) if None in numbers else found.refuse_missing()


def encode_ordinal(step: Step, values: Sequence[Value]) -> list[Value]:
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


def encode_target(step: Step, values: Sequence[Value]) -> list[Value]:
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
