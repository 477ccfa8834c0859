"""Arithmetic of ONNX: on constants, on columns, and on the parts of which a link is made."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from matscore.models.algebra import Feature, exact
from matscore.models.onnx_graph import Node
from matscore.models.onnx_values import (
    Columns,
    Operator,
    Partial,
    Scores,
    as_row,
    check_axes,
    check_work,
    multiply,
    take_array,
    take_axes,
    take_columns,
    take_features,
)
from matscore.models.refusal import Refusal

_MOST_NUMBERS = 10_000_000  # of a constant that is computed from others


def product(one: Any, other: Any) -> Any:
    """Multiply features or numbers."""
    if isinstance(one, Feature) and isinstance(other, Feature):
        check_work(len(one.terms) * len(other.terms))
    return one * other


_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add, "Sub": operator.sub, "Mul": product, "Div": operator.truediv,
}  # fmt: skip


def _compute(node: Node, values: list[Any]) -> Any:
    """Add, Sub, Mul, Div: of constants, columns, or the parts of a link."""
    one, other = values
    function = _ARITHMETIC[node.operator]
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        if np.broadcast(one, other).size > _MOST_NUMBERS:
            raise Refusal(f"it makes more than {_MOST_NUMBERS:,} numbers")
        with np.errstate(all="ignore"):
            return function(*(take_array(v).astype(np.float64) for v in values))
    if any(isinstance(value, Scores | Partial) for value in values):
        return _join_parts(node.operator, one, other)
    added = other if isinstance(other, np.ndarray) else one
    columns = one if added is other else other
    is_sum = node.operator == "Add" and isinstance(added, np.ndarray)
    if is_sum and columns.matrix is not None and added.size in (1, columns.width):
        row = as_row(added, columns.width)
        sums = tuple(exact(a) + exact(b) for a, b in zip(columns.added, row, strict=True))
        return replace(columns, added=sums)
    width = max(v.size if isinstance(v, np.ndarray) else v.width for v in values)
    left, right = as_row(one, width), as_row(other, width)
    if node.operator == "Div" and any(isinstance(cell, Feature) for cell in right):
        raise Refusal("it divides by a column")
    return Columns(tuple(function(a, b) for a, b in zip(left, right, strict=True)))


def _join_parts(kind: str, one: Any, other: Any) -> Any:  # noqa: PLR0911 - a table
    """Put the parts of a link together: 1 / (1 + exp(-x)), p / sum(p), x - log(sum(exp(x)))."""
    is_one = [isinstance(v, np.ndarray) and v.size == 1 and v.item() == 1 for v in (one, other)]
    match kind, one, other:
        case "Sub", _, Scores(link="logistic", chosen=None) if is_one[0]:
            features = take_features(other.columns.cells)
            return Scores(Columns(tuple(-feature for feature in features)), "logistic")
        case "Add", Scores(link="exp"), _ if is_one[1]:
            return Partial("1 + exp", one)
        case "Add", _, Scores(link="exp") if is_one[0]:
            return Partial("1 + exp", other)
        case "Div", _, Partial(kind="1 + exp") if is_one[0]:
            return _invert(other)
        case "Div", Scores(link="logistic" | "exp"), Partial(kind="sum") if other.of is one:
            return replace(one, link="softmax" if one.link == "exp" else "one-vs-rest")
        case "Sub", Columns(), Partial(kind="log of sum") if other.of is one:
            return Scores(one, "log-softmax")
        # What only counts where all probabilities are 0.
        case "Mul", Partial(kind="is zero"), np.ndarray():
            return one
        case "Mul", np.ndarray(), Partial(kind="is zero"):
            return other
        case "Add", Scores() | Partial(kind="sum"), Partial(kind="is zero"):
            return one
    return _compute_columns(kind, one, other)


def _compute_columns(kind: str, one: Any, other: Any) -> Any:
    for value in (one, other):
        if isinstance(value, Scores | Partial) and getattr(value, "link", "") != "exp":
            raise Refusal("it computes with probabilities")
    values = [v if isinstance(v, np.ndarray) else take_columns(v) for v in (one, other)]
    return _compute(Node(kind, "", [], [], {}), values)


def _invert(value: Any) -> Scores:
    """Return 1 / (1 + exp(x)), the logistic function of -x."""
    assert isinstance(value.of, Scores)
    features = take_features(value.of.columns.cells)
    return Scores(Columns(tuple(-feature for feature in features)), "logistic")


def _reciprocal(_: Node, values: list[Any]) -> Any:
    if not (isinstance(values[0], Partial) and values[0].kind == "1 + exp"):
        raise Refusal("it divides by a column")
    return _invert(values[0])


def _negate(_: Node, values: list[Any]) -> Any:
    if isinstance(values[0], np.ndarray):
        return -take_array(values[0]).astype(np.float64)
    return Columns(tuple(-cell for cell in take_features(take_columns(values[0]).cells)))


def _power(_: Node, values: list[Any]) -> Columns:
    base, exponent = take_columns(values[0]), take_array(values[1])
    if exponent.size != 1 or exponent.item() not in (1, 2, 3, 4):
        raise Refusal("it has a power that is not 1 to 4")
    features = take_features(base.cells)
    powers = (reduce(product, [f] * int(exponent.item())) for f in features)
    return Columns(tuple(powers))


def _multiply_matrix(_: Node, values: list[Any]) -> Columns:
    return multiply(take_columns(values[0]), take_array(values[1]).T)


def _gemm(node: Node, values: list[Any]) -> Columns:
    alpha, beta = node.take("alpha", 1.0), node.take("beta", 1.0)
    if node.take("transA", 0):
        raise Refusal("it turns the rows into columns")
    matrix = take_array(values[1])
    columns = multiply(
        take_columns(values[0]), alpha * (matrix if node.take("transB", 0) else matrix.T)
    )
    if len(values) < 3 or values[2] is None:
        return columns
    return replace(columns, added=tuple(as_row(beta * take_array(values[2]), columns.width)))


def _reduce(function: Callable[[Any, Any], Any]) -> Operator:
    def operate(node: Node, values: list[Any]) -> Any:
        value = values[0]
        if isinstance(value, np.ndarray):
            axes = take_axes(node, values)
            total = np.sum if function is operator.add else np.prod
            keeps = bool(node.take("keepdims", 1))
            return total(take_array(value), axis=tuple(axes) or None, keepdims=keeps)
        check_axes(node, values)
        if isinstance(value, Scores) and function is operator.add:
            return Partial("sum", value)
        return Columns((reduce(function, take_features(take_columns(value).cells)),))

    return operate


OPERATORS: Mapping[str, Operator] = {
    **dict.fromkeys(_ARITHMETIC, _compute),
    "Neg": _negate, "Pow": _power, "Reciprocal": _reciprocal, "MatMul": _multiply_matrix,
    "Gemm": _gemm, "ReduceSum": _reduce(operator.add), "ReduceProd": _reduce(product),
}  # fmt: skip
