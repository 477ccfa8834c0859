"""The operators of ONNX that stand before a model, or join what a link is made of.

https://onnx.ai/onnx/operators/. Each takes the attributes that it knows; what is left over makes
the caller refuse the step.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import methodcaller
from typing import Any

import numpy as np

from matscore.models import operations
from matscore.models.algebra import Feature, constant, exact
from matscore.models.bounds import Refusal, check_fit
from matscore.models.columns import as_features, indicate, recode, write_level
from matscore.models.onnx_graph import (
    STRING,
    Array,
    Columns,
    Node,
    Operator,
    Result,
    as_row,
    check_axes,
    multiply,
    take_array,
    take_columns,
    take_whole,
)

_FLOATING = frozenset({1, 10, 11, 16})  # numbers of TensorProto.DataType
_MOST_NUMBERS = 10_000_000  # of a constant that is computed from others

# -------------------------------------------------------------------------------------- arithmetic


def _product(one: Any, other: Any) -> Any:
    if isinstance(one, Feature) and isinstance(other, Feature):
        return operations.multiply(one, other)
    return one * other


_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add, "Sub": operator.sub, "Mul": _product, "Div": operator.truediv,
}  # fmt: skip
_OF_CONSTANTS: Mapping[str, Callable[..., Any]] = {
    **_ARITHMETIC, "Neg": np.negative, "Exp": np.exp, "Log": np.log, "Sqrt": np.sqrt, "Abs": np.abs,
}  # fmt: skip


def compute_constant(kind: str, values: Sequence[Any]) -> Array | None:
    """Return what an operator makes of constants alone; None where one of them is none."""
    if kind not in _OF_CONSTANTS or not all(isinstance(value, np.ndarray) for value in values):
        return None
    try:
        if np.broadcast(*values).size > _MOST_NUMBERS:
            raise Refusal(f"it makes more than {_MOST_NUMBERS:,} numbers")
        with np.errstate(all="ignore"):
            arrays = (take_array(value).astype(np.float64) for value in values)
            return np.asarray(_OF_CONSTANTS[kind](*arrays))
    except (ValueError, TypeError) as error:
        raise Refusal("its constants do not fit each other") from error


def _compute(node: Node, values: list[Any]) -> Any:
    """Add, Sub, Mul, Div: of columns and constants, or of what a link is made of."""
    kind, (one, other) = node.operator, values[:2]
    match kind, one, other:
        case "Sub", np.ndarray(), Result(kind="logistic", chosen=None) if (one == 1).all():
            return Result(other.columns.each(operator.neg), "logistic")
        case "Div", Result(), Result(kind="sum") if other.of is one:
            return replace(one, kind="softmax" if one.kind == "exp" else "one-vs-rest")
    left, right = (v if isinstance(v, np.ndarray) else take_columns(v) for v in (one, other))
    if kind == "Add" and isinstance(left, np.ndarray):
        left, right = right, left
    if kind == "Div" and isinstance(right, Columns):
        raise Refusal("it divides by a column")
    width = max(v.size if isinstance(v, np.ndarray) else v.width for v in (left, right))
    is_product = isinstance(left, Columns) and left.matrix is not None and left.width == width
    if is_product and kind == "Add" and isinstance(right, np.ndarray):
        assert isinstance(left, Columns)
        sums = zip(left.added, as_row(right, width), strict=True)
        return replace(left, added=tuple(exact(a) + exact(b) for a, b in sums))
    pairs = zip(as_row(left, width), as_row(right, width), strict=True)
    return Columns(tuple(_ARITHMETIC[kind](a, b) for a, b in pairs))


def _power(_: Node, columns: Columns, values: list[Any]) -> Columns:
    exponents = take_array(values[1])
    if exponents.size != 1:
        raise Refusal("it has several exponents")
    exponent = constant(exponents.item())
    return columns.each(lambda base: operations.raise_to(base, exponent))


def _gemm(node: Node, columns: Columns, values: list[Any]) -> Columns:
    alpha, beta = node.take("alpha", 1.0), node.take("beta", 1.0)
    if node.take("transA", 0):
        raise Refusal("it turns the rows into columns")
    matrix = take_array(values[1])
    made = multiply(columns, alpha * (matrix if node.take("transB", 0) else matrix.T))
    if values[2] is None:
        return made
    return replace(made, added=tuple(as_row(beta * take_array(values[2]), made.width)))


def _reduce(node: Node, values: list[Any]) -> Any:
    """ReduceSum, ReduceProd."""
    value, axes = values[0], take_whole(node, "axes", values, 1)
    node.take("keepdims")
    check_axes(*(axes or [0]))  # without one it is along all of them
    is_sum = node.operator == "ReduceSum"
    if is_sum and isinstance(value, Result) and value.kind in ("logistic", "exp"):
        return replace(value, kind="sum", of=value)
    add = operator.add if is_sum else _product
    return Columns((reduce(add, as_features(take_columns(value).cells)),))


def _take_size(_: Node, values: list[Any]) -> Any:
    """Abs, which leaves probabilities what they are."""
    if isinstance(values[0], Result) and values[0].kind in ("logistic", "softmax"):
        return values[0]
    return take_columns(values[0]).each(methodcaller("apply", "abs"))


# -------------------------------------------------------------------- columns, and what they become


def _choose(value: Any, indices: Sequence[int]) -> Any:
    if not isinstance(value, Result):
        known: Sequence[int] = range(take_columns(value).width)
    else:
        known = value.chosen or range(value.columns.width)
    if not all(-len(known) <= i < len(known) for i in indices):
        raise Refusal(f"it takes a column that is not there: there are {len(known)}")
    if isinstance(value, Result):
        return replace(value, chosen=tuple(known[i] for i in indices))
    return Columns(tuple(value.cells[i] for i in indices), is_whole=value.is_whole)


def _extract(node: Node, values: list[Any]) -> Any:
    """ArrayFeatureExtractor and Gather: columns by their number, or the labels of a class."""
    axis = node.take("axis", 0 if node.operator == "Gather" else -1)
    value, picked = values[:2]
    if isinstance(value, np.ndarray) and isinstance(picked, Result) and picked.is_label:
        return _rename(picked, dict(enumerate(value.ravel().tolist())))
    check_axes(axis)
    return _choose(value, take_whole(node, "", values, 1))


def _rename(label: Result, names: Mapping[Any, Any]) -> Result:
    old = label.labels or tuple(map(str, range(label.columns.width)))
    found = {str(key): str(name) for key, name in names.items()}
    check_fit(all(name in found for name in old))
    return replace(label, labels=tuple(found[name] for name in old))


def _slice(node: Node, values: list[Any]) -> Any:
    names = ("starts", "ends", "axes", "steps")
    starts, ends, axes, steps = (take_whole(node, n, values, i) for i, n in enumerate(names, 1))
    if len(starts) != 1 or len(ends) != 1 or len(axes) != 1 or steps not in ([], [1]):
        raise Refusal("it takes other than a run of columns")
    check_axes(*axes)
    value = values[0] if isinstance(values[0], Result) else take_columns(values[0])
    known = value.chosen if isinstance(value, Result) else None
    width = value.columns.width if isinstance(value, Result) else value.width
    return _choose(value, range(len(known or range(width)))[starts[0] : ends[0]])


def _split(node: Node, columns: Columns, values: list[Any]) -> tuple[Any, ...]:
    check_axes(node.take("axis", 0))
    sizes = take_whole(node, "split", values, 1)
    if sum(sizes) != columns.width or any(size < 0 for size in sizes):
        raise Refusal(f"its parts do not make up the {columns.width} columns")
    ends = np.cumsum(sizes).tolist()
    return tuple(_choose(columns, range(end - n, end)) for n, end in zip(sizes, ends, strict=True))


def _concat(node: Node, values: list[Any]) -> Any:
    node.take("inputdimensions")  # of FeatureVectorizer: the widths, which the columns say
    if node.operator == "Concat":
        check_axes(node.take("axis"))
    values = [value for value in values if value is not None]
    if all(isinstance(v, Result) and v.kind == "logistic" for v in values):
        cells = [v.columns.cells[i] for v in values for i in v.chosen or range(v.columns.width)]
        return Result(Columns(tuple(cells)), "logistic")
    columns = [take_columns(value) for value in values]
    is_whole = all(c.is_whole for c in columns)
    return Columns(tuple(cell for c in columns for cell in c.cells), is_whole=is_whole)


def _reshape(node: Node, values: list[Any]) -> Any:
    """Reshape, Flatten, Squeeze, Unsqueeze: allowed where rows stay rows."""
    axis, value = node.take("axis", 1), values[0]
    node.take("axes")
    node.take("allowzero")
    if node.operator == "Flatten" and axis != 1:
        raise Refusal(f"it works along the axis {axis}, not along the columns")
    if node.operator != "Reshape":
        return value
    shape = take_whole(node, "shape", values, 1)
    if isinstance(value, np.ndarray):
        try:
            return value.reshape(shape)
        except ValueError as error:
            raise Refusal(f"{value.size} numbers do not have the shape {shape}") from error
    if isinstance(value, Columns):
        allowed = [[-1, value.width], [0, value.width], [0, -1], [-1, 0]]
        if shape not in (allowed if value.width > 1 else [*allowed, [-1]]):
            raise Refusal(f"it makes the shape {shape} of {value.width} columns")
    return value


def _cast(node: Node, values: list[Any]) -> Any:
    """Cast between numbers; to whole ones only what is whole, since others would be cut off."""
    to, value = node.take("to", 0), values[0]
    node.take("saturate")
    match value:
        case np.ndarray() if to in _FLOATING:
            return take_array(value).astype(np.float64)
        case Columns(is_text=True) if to == STRING:
            return value
        case Columns() if to not in _FLOATING and not value.is_whole:
            raise Refusal("it cuts numbers off to whole ones")
        case Columns():
            return replace(value, is_whole=to not in _FLOATING)
    return value


def _take_numbers(node: Node, attribute: str, size: int) -> list[float]:
    """Take a list of numbers, one for all or one for each of the columns."""
    numbers = list(node.take(attribute, ()))
    if len(numbers) not in (1, size):
        raise Refusal(f"its {attribute} has {len(numbers)} numbers for {size} columns")
    return numbers * size if len(numbers) == 1 else numbers


def _scale(node: Node, columns: Columns, _: list[Any]) -> Columns:
    offset, scale = (_take_numbers(node, name, columns.width) for name in ("offset", "scale"))
    return columns.each(lambda cell, shift, by: (cell - shift) * by, offset, scale)


def _impute(node: Node, columns: Columns, _: list[Any]) -> Columns:
    kind = "float" if "imputed_value_floats" in node.attributes else "int64"
    replaced = node.take(f"replaced_value_{kind}", 0.0 if kind == "float" else 0)
    if not math.isnan(replaced):
        raise Refusal(f"it puts numbers in place of {replaced:g}, which is a number like others")
    numbers = _take_numbers(node, f"imputed_value_{kind}s", columns.width)
    return columns.each(lambda cell, number: cell.impute(number), numbers)


def _one_hot(node: Node, columns: Columns, _: list[Any]) -> Columns:
    categories = node.take("cats_strings", []) or node.take("cats_int64s", [])
    _check_keys(columns, categories)
    if columns.width != 1:
        raise Refusal(f"it encodes {columns.width} columns at once")
    policy = "zero" if node.take("zeros", 1) else "error"
    groups = [[_read_key(key)] for key in categories]
    return Columns(tuple(indicate(columns.cells[0], columns.kind, groups, policy)))


def _check_keys(columns: Columns, keys: Sequence[Any]) -> None:
    """Refuse keys that are no texts for columns that are not of whole numbers."""
    if not all(isinstance(key, str) for key in keys) and not columns.is_whole:
        raise Refusal("it encodes numbers that are not whole")


def _read_key(key: Any) -> str | None:
    """Return a category as the text of a cell; what stands for a missing one is a missing cell."""
    return None if key in ("", "nan") else write_level(key)


def _encode_labels(node: Node, values: list[Any]) -> Any:
    """LabelEncoder: a number for each text or whole number, or new labels."""
    keys, found = _take_list(node, "keys"), _take_list(node, "values")
    given = [node.take(f"default_{kind}") for kind in ("float", "int64", "string", "tensor")]
    check_fit(keys and len(keys) == len(found))
    if isinstance(values[0], Result) and values[0].is_label:
        return _rename(values[0], dict(zip(keys, found, strict=True)))
    if any(isinstance(value, str) for value in found):
        raise Refusal("it makes texts of texts")
    is_whole = all(isinstance(number, int) for number in found)
    numbers = [n for n in map(np.ravel, given) if n.size and n.dtype.kind in "if"]
    other = numbers[0].item(0) if numbers else -1 if is_whole else 0.0
    known = {_read_key(key): number for key, number in zip(keys, found, strict=True)}
    columns = take_columns(values[0])
    _check_keys(columns, keys)
    made = (recode(cell, columns.kind, known, other) for cell in columns.cells)
    return Columns(tuple(made), is_whole=is_whole)


def _take_list(node: Node, name: str) -> list[Any]:
    for kind in ("strings", "int64s", "floats", "tensor"):
        if (given := node.take(f"{name}_{kind}")) is not None:
            values: list[Any] = np.ravel(np.asarray(given, dtype=object)).tolist()
            return values
    return []


def _compare(node: Node, columns: Columns, values: list[Any]) -> Columns:
    borders = as_row(take_array(values[1]), columns.width)
    closed = node.operator in ("GreaterOrEqual", "Less")
    above = columns.each(lambda cell, at: cell.above(at, closed=closed), borders, is_whole=True)
    return _negate_truth(above) if node.operator.startswith("Less") else above


def _negate_truth(columns: Columns) -> Columns:
    return columns.each(lambda cell: 1 - cell, is_whole=True)


def _fill_shape(node: Node, values: list[Any]) -> Any:
    """ConstantOfShape, behind Shape: a column of a constant, as of a polynomial."""
    value, shape = node.take("value"), values[0]
    numbers = [0.0] if value is None else take_array(value).ravel().tolist()
    if not (isinstance(shape, Result) and shape.kind == "shape" and len(numbers) == 1):
        raise Refusal("it takes a shape from the rows")
    return Columns((constant(numbers[0]),) * shape.columns.width)


def _constant(node: Node, _: list[Any]) -> Any:
    for kind in ("", "_float", "_floats", "_int", "_ints", "_string", "_strings"):
        if (value := node.take(f"value{kind}")) is not None:
            return np.asarray(value, dtype=object if "string" in kind else None)
    raise Refusal("it is a constant without a value")


def _pass_on(node: Node, values: list[Any]) -> Any:
    for attribute in ("ratio", "seed", "is_test"):
        node.take(attribute)
    return values[0]


_ML = "ai.onnx.ml."
# What is done to columns that are no answers yet.
_ON_COLUMNS: Mapping[str, Callable[[Node, Columns, list[Any]], Any]] = {
    "Neg": lambda _, columns, __: columns.each(operator.neg),
    "Not": lambda _, columns, __: _negate_truth(columns),
    "IsNaN": lambda _, columns, __: columns.each(methodcaller("missing"), is_whole=True),
    "MatMul": lambda _, columns, values: multiply(columns, take_array(values[1]).T),
    "Log": lambda _, columns, __: columns.each(methodcaller("apply", "log")),
    "Sqrt": lambda _, columns, __: columns.each(methodcaller("apply", "sqrt")),
    "Shape": lambda _, columns, __: Result(columns, "shape"),
    "Pow": _power, "Gemm": _gemm, "Split": _split,
    **dict.fromkeys(("Greater", "GreaterOrEqual", "Less", "LessOrEqual"), _compare),
    f"{_ML}Scaler": _scale, f"{_ML}Imputer": _impute, f"{_ML}OneHotEncoder": _one_hot,
    f"{_ML}Binarizer": lambda node, columns, _: columns.each(
        methodcaller("above", node.take("threshold", 0.0))
    ),
}  # fmt: skip


def _on_columns(node: Node, values: list[Any]) -> Any:
    return _ON_COLUMNS[node.operator](node, take_columns(values[0]), values)


STEPS: Mapping[str, Operator] = {
    **dict.fromkeys(_ON_COLUMNS, _on_columns), **dict.fromkeys(_ARITHMETIC, _compute),
    **dict.fromkeys(("ReduceSum", "ReduceProd"), _reduce), "Abs": _take_size,
    "Gather": _extract, "Slice": _slice, "Concat": _concat,
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _reshape),
    "Cast": _cast, "Constant": _constant, "ConstantOfShape": _fill_shape,
    "Identity": _pass_on, "Dropout": _pass_on, f"{_ML}LabelEncoder": _encode_labels,
    f"{_ML}FeatureVectorizer": _concat, f"{_ML}ArrayFeatureExtractor": _extract,
}  # fmt: skip
