"""What the operators of ONNX do to columns before the model: arithmetic, choosing, encoders.

The operators: https://onnx.ai/onnx/operators/. Each takes the attributes that it knows; what is
left over makes the caller refuse the step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from matscore.models.algebra import constant
from matscore.models.onnx_graph import BOOL, STRING, Node
from matscore.models.onnx_values import (
    Cell,
    Columns,
    Label,
    Operator,
    Partial,
    Scores,
    as_row,
    check_axis,
    take_array,
    take_columns,
    take_features,
    take_numbers,
    take_whole,
)
from matscore.models.refusal import Refusal
from matscore.models.texts import TextFeature, text, write_level
from matscore.terms import Power

_FLOATS = frozenset({1, 10, 11, 16})


def _choose(value: Any, indices: Sequence[int]) -> Any:
    given = value.columns if isinstance(value, Scores) else value
    known = (isinstance(value, Scores) and value.chosen) or range(given.width)
    if not all(-len(known) <= i < len(known) for i in indices):
        raise Refusal(f"it takes a column that is not there: there are {len(known)}")
    if isinstance(value, Scores):
        return replace(value, chosen=tuple(known[i] for i in indices))
    return Columns(tuple(given.cells[i] for i in indices), is_whole=given.is_whole)


def _extract(node: Node, values: list[Any]) -> Any:
    """ArrayFeatureExtractor and Gather: columns by their number, or the labels of a class."""
    axis = node.take("axis", 0 if node.operator == "Gather" else -1)
    if isinstance(values[0], np.ndarray) and isinstance(values[1], Label):
        return _rename(values[1], dict(enumerate(values[0].ravel().tolist())))
    if isinstance(values[0], Scores | Columns):
        check_axis(axis)
        return _choose(values[0], take_whole(values[1]))
    raise Refusal("it takes from the rows what a linear model has as a constant")


def _rename(label: Label, names: Mapping[Any, Any]) -> Label:
    width = label.columns.width
    old = label.labels or tuple(map(str, range(width)))
    found = {str(key): str(name) for key, name in names.items()}
    if not all(name in found for name in old):
        raise Refusal("it has other labels than scores")
    return replace(label, labels=tuple(found[name] for name in old))


def _slice(node: Node, values: list[Any]) -> Any:
    names = ("starts", "ends", "axes", "steps")
    given = [node.take(name) for name in names[:3]] if len(values) == 1 else values[1:]
    starts, ends, axes, steps = (
        [] if v is None else take_whole(np.asarray(v)) for v in [*given, None, None, None][:4]
    )
    if len(starts) != 1 or len(ends) != 1 or len(axes) != 1 or steps not in ([], [1]):
        raise Refusal("it takes other than a run of columns")
    check_axis(axes[0])
    value = values[0] if isinstance(values[0], Scores) else take_columns(values[0])
    chosen = value.chosen if isinstance(value, Scores) else None
    width = value.columns.width if isinstance(value, Scores) else value.width
    return _choose(value, range(len(chosen or range(width)))[starts[0] : ends[0]])


def _split(node: Node, values: list[Any]) -> tuple[Any, ...]:
    check_axis(node.take("axis", 0))
    given = take_whole(values[1]) if len(values) > 1 and values[1] is not None else []
    sizes = node.take("split", []) or given
    columns = take_columns(values[0])
    if sum(sizes) != columns.width or any(size < 0 for size in sizes):
        raise Refusal(f"its parts do not make up the {columns.width} columns")
    ends = np.cumsum(sizes).tolist()
    return tuple(_choose(columns, range(end - n, end)) for n, end in zip(sizes, ends, strict=True))


def _concat(node: Node, values: list[Any]) -> Any:
    node.take("inputdimensions")  # of FeatureVectorizer: the widths, which the columns say
    if node.operator == "Concat":
        check_axis(node.take("axis"))
    if all(isinstance(v, Scores) and v.link == "logistic" for v in values):
        cells = [v.columns.cells[i] for v in values for i in v.chosen or range(v.columns.width)]
        return Scores(Columns(tuple(cells)), "logistic")
    columns = [take_columns(value) for value in values]
    is_whole = all(c.is_whole for c in columns)
    return Columns(tuple(cell for c in columns for cell in c.cells), is_whole=is_whole)


def _reshape(node: Node, values: list[Any]) -> Any:
    """Reshape, Flatten, Squeeze, Unsqueeze: allowed where rows stay rows."""
    axis = node.take("axis", 1)
    node.take("axes")
    node.take("allowzero")
    value = values[0]
    if isinstance(value, np.ndarray) and node.operator == "Reshape":
        with_size = take_whole(values[1])
        try:
            return value.reshape(with_size)
        except ValueError as error:
            raise Refusal(f"{value.size} numbers do not have the shape {with_size}") from error
    if isinstance(value, Columns) and node.operator == "Reshape":
        shape = take_whole(values[1])
        if shape not in ([-1, value.width], [0, value.width], [0, -1], [-1, 0]) and not (
            shape == [-1] and value.width == 1
        ):
            raise Refusal(f"it makes the shape {shape} of {value.width} columns")
    if node.operator == "Flatten" and axis != 1:
        raise Refusal(f"it works along the axis {axis}, not along the columns")
    return value


def _cast(node: Node, values: list[Any]) -> Any:
    """Cast between numbers; to whole ones only what is whole, since others would be cut off."""
    to = node.take("to", 0)
    node.take("saturate")
    value = values[0]
    match value:
        case np.ndarray() if to in _FLOATS:
            return take_array(value).astype(np.float64)
        case Partial(kind="sum") if to == BOOL:
            return Partial("is zero", value.of)
        case Columns() if to == STRING:
            if not (value.is_whole or all(isinstance(c, TextFeature) for c in value.cells)):
                raise Refusal("it makes texts of numbers that are not whole")
            return Columns(tuple(map(_as_text, value.cells)))
        case Columns() if to not in _FLOATS and not value.is_whole:
            raise Refusal("it cuts numbers off to whole ones")
        case Columns():
            return replace(value, is_whole=to not in _FLOATS)
    return value


def _as_text(cell: Cell) -> TextFeature:
    """Return a column as the texts of its cells: one of texts, or of whole numbers as they came."""
    if isinstance(cell, TextFeature):
        return cell
    terms = list(cell.terms.items())
    if len(terms) == 1 and terms[0][1] == 1 and len(terms[0][0]) == 1:
        factor = terms[0][0][0]
        if isinstance(factor, Power) and factor.exponent == 1:
            return text(factor.column, "number")
    raise Refusal("it encodes what is no longer a column")


def _scale(node: Node, values: list[Any]) -> Columns:
    columns = take_columns(values[0])
    offsets = take_numbers(node, "offset", columns.width)
    scales = take_numbers(node, "scale", columns.width)
    cells = zip(take_features(columns.cells), offsets, scales, strict=True)
    return Columns(tuple((cell - offset) * scale for cell, offset, scale in cells))


def _impute(node: Node, values: list[Any]) -> Columns:
    columns = take_columns(values[0])
    kind = "float" if "imputed_value_floats" in node.attributes else "int64"
    replaced = node.take(f"replaced_value_{kind}", 0.0 if kind == "float" else 0)
    if not math.isnan(replaced):
        raise Refusal(f"it puts numbers in place of {replaced:g}, which is a number like others")
    numbers = take_numbers(node, f"imputed_value_{kind}s", columns.width)
    cells = zip(take_features(columns.cells), numbers, strict=True)
    return Columns(tuple(cell.impute(number) for cell, number in cells))


def _one_hot(node: Node, values: list[Any]) -> Columns:
    categories = node.take("cats_strings", []) or node.take("cats_int64s", [])
    cells = _take_texts(values[0], categories)
    if len(cells) != 1:
        raise Refusal(f"it encodes {len(cells)} columns at once")
    policy: Literal["zero", "error"] = "zero" if node.take("zeros", 1) else "error"
    return Columns(tuple(cells[0].one_hot([[_read_key(key)] for key in categories], other=policy)))


def _take_texts(value: Any, keys: Sequence[Any]) -> list[TextFeature]:
    """Return columns as texts, with whole numbers as keys those of whole numbers."""
    columns = take_columns(value)
    if not all(isinstance(key, str) for key in keys) and not columns.is_whole:
        raise Refusal("it encodes numbers that are not whole")
    return [_as_text(cell) for cell in columns.cells]


def _read_key(key: Any) -> str | None:
    """Return a category as the text of a cell; what stands for a missing one is a missing cell."""
    return None if key in ("", "nan") else write_level(key)


def _encode_labels(node: Node, values: list[Any]) -> Any:
    """LabelEncoder: a number for each text or whole number, or new labels."""
    keys, found = _take_list(node, "keys"), _take_list(node, "values")
    given = [node.take(f"default_{kind}") for kind in ("float", "int64", "string", "tensor")]
    if not keys:  # as the first version has it: numbered from 0
        keys = node.take("classes_strings", [])
        found = list(range(len(keys)))
    if len(keys) != len(found) or not keys:
        raise Refusal("its keys and values do not fit")
    if isinstance(values[0], Label):
        return _rename(values[0], dict(zip(keys, found, strict=True)))
    if any(isinstance(value, str) for value in found):
        raise Refusal("it makes texts of texts")
    is_whole = all(isinstance(number, int) for number in found)
    numbers = [n for n in map(np.ravel, given) if n.size and n.dtype.kind in "if"]
    other = numbers[0].item(0) if numbers else -1 if is_whole else 0.0
    known = {_read_key(key): number for key, number in zip(keys, found, strict=True)}
    cells = _take_texts(values[0], keys)
    made = tuple(cell.to_number(known, other=other) for cell in cells)
    return Columns(made, is_whole=is_whole)


def _take_list(node: Node, name: str) -> list[Any]:
    for kind in ("strings", "int64s", "floats", "tensor"):
        if (given := node.take(f"{name}_{kind}")) is not None:
            values: list[Any] = np.ravel(np.asarray(given, dtype=object)).tolist()
            return values
    return []


def _binarize(node: Node, values: list[Any]) -> Columns:
    border = node.take("threshold", 0.0)
    features = take_features(take_columns(values[0]).cells)
    return Columns(tuple(feature.above(border) for feature in features))


def _compare(node: Node, values: list[Any]) -> Columns:
    columns = take_columns(values[0])
    borders = as_row(take_array(values[1]), columns.width)
    is_less, closed = node.operator.startswith("Less"), node.operator in ("GreaterOrEqual", "Less")
    cells = zip(take_features(columns.cells), borders, strict=True)
    above = [cell.above(border, closed=closed) for cell, border in cells]
    return Columns(tuple(1 - cell if is_less else cell for cell in above), is_whole=True)


def _find_missing(_: Node, values: list[Any]) -> Columns:
    features = take_features(take_columns(values[0]).cells)
    return Columns(tuple(feature.missing() for feature in features), is_whole=True)


def _negate_truth(_: Node, values: list[Any]) -> Any:
    if isinstance(values[0], Partial) and values[0].kind == "is zero":
        return values[0]
    cells = take_features(take_columns(values[0]).cells)
    return Columns(tuple(1 - cell for cell in cells), is_whole=True)


def _fill_shape(node: Node, values: list[Any]) -> Any:
    value = node.take("value")
    numbers = [0.0] if value is None else take_array(value).ravel().tolist()
    if not (isinstance(values[0], Partial) and values[0].kind == "shape"):
        raise Refusal("it takes a shape from the rows")
    assert isinstance(values[0].of, Columns)
    if len(numbers) != 1:
        raise Refusal("it fills with several numbers")
    return Columns((constant(numbers[0]),) * values[0].of.width)


def _pass_on(node: Node, values: list[Any]) -> Any:
    for attribute in ("ratio", "seed", "is_test"):
        node.take(attribute)
    return values[0]


def _constant(node: Node, _: list[Any]) -> Any:
    for kind in ("", "_float", "_floats", "_int", "_ints", "_string", "_strings"):
        if (value := node.take(f"value{kind}")) is not None:
            return np.asarray(value, dtype=object if "string" in kind else None)
    raise Refusal("it is a constant without a value")


def _transpose(node: Node, values: list[Any]) -> Any:
    axes = node.take("perm", []) or list(range(take_array(values[0]).ndim))[::-1]
    if sorted(axes) != list(range(values[0].ndim)):
        raise Refusal("it exchanges axes that are not there")
    return values[0].transpose(axes)


OPERATORS: Mapping[str, Operator] = {
    "Transpose": _transpose,
    "Gather": _extract, "Slice": _slice, "Split": _split, "Concat": _concat,
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _reshape),
    "Cast": _cast, "Not": _negate_truth, "IsNaN": _find_missing, "Constant": _constant,
    **dict.fromkeys(("Greater", "GreaterOrEqual", "Less", "LessOrEqual"), _compare),
    "Shape": lambda _, values: Partial("shape", take_columns(values[0])),
    "ConstantOfShape": _fill_shape, "Identity": _pass_on, "Dropout": _pass_on,
    "ai.onnx.ml.Scaler": _scale, "ai.onnx.ml.Imputer": _impute,
    "ai.onnx.ml.OneHotEncoder": _one_hot, "ai.onnx.ml.LabelEncoder": _encode_labels,
    "ai.onnx.ml.Binarizer": _binarize, "ai.onnx.ml.FeatureVectorizer": _concat,
    "ai.onnx.ml.ArrayFeatureExtractor": _extract,
}  # fmt: skip
