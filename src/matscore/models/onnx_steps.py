"""The linear models of ONNX, what comes after them, and the table of all operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from matscore.models import onnx_arithmetic as arithmetic
from matscore.models import onnx_columns as preprocessing
from matscore.models.algebra import add_up, combine, exact
from matscore.models.onnx_graph import Array, Node
from matscore.models.onnx_values import (
    Columns,
    Label,
    Link,
    Operator,
    Partial,
    Scores,
    Value,
    check_axes,
    check_axis,
    multiply,
    take_array,
    take_columns,
    take_features,
)
from matscore.models.refusal import Refusal


def _classify(node: Node, values: list[Any]) -> tuple[Value, Value]:
    columns = take_columns(values[0])
    labels = _take_labels(node)
    node.take("multi_class")  # which changes nothing that is computed
    added = list(node.take("intercepts", ()))
    numbers = np.asarray(node.take("coefficients", ()))
    # Of two classes one row of coefficients may be given: the second's.
    n_rows = 1 if len(labels) == 2 and len(numbers) == columns.width else len(labels)
    link = _take_link(node)
    scores = multiply(columns, _as_matrix(numbers, n_rows, columns.width), added or [0.0] * n_rows)
    if len(added or [0] * n_rows) != n_rows:
        raise Refusal(f"it has {len(added)} intercepts for {len(labels)} classes")
    if n_rows < len(labels):
        if link == "softmax":
            raise Refusal("it has a softmax of one score")
        features = take_features(scores.cells)
        scores = Columns((-features[0], features[0]))
    answer = scores if link == "none" else Scores(scores, link, labels)
    return Label(scores, labels), answer


def _take_labels(node: Node) -> tuple[str, ...]:
    given = [node.take(f"classlabels_{kind}") for kind in ("strings", "ints", "int64s")]
    return tuple(str(label) for labels in given if labels for label in labels)


def _as_matrix(numbers: Array, n_rows: int, width: int) -> Array:
    if len(numbers) != n_rows * width or n_rows < 1:
        what = f"it has {len(numbers):,} coefficients, where {n_rows} × {width:,} are needed"
        raise Refusal(what, "other programs take some of them in silence; convert the model again")
    return numbers.reshape(n_rows, width)


def _take_link(node: Node) -> Link:
    links: Mapping[str, Link] = {"NONE": "none", "LOGISTIC": "logistic", "SOFTMAX": "softmax"}
    name = node.take("post_transform", "NONE")
    if name not in links:
        raise Refusal(f"it has the post_transform {name}")
    return links[name]


def _regress(node: Node, values: list[Any]) -> Value:
    columns = take_columns(values[0])
    n_rows = node.take("targets", 1)
    matrix = _as_matrix(np.asarray(node.take("coefficients", ())), n_rows, columns.width)
    added = list(node.take("intercepts", ())) or [0.0] * n_rows
    link = _take_link(node)
    if len(added) != n_rows:
        raise Refusal(f"it has {len(added)} intercepts for {n_rows} targets")
    scores = multiply(columns, matrix, added)
    return scores if link == "none" else Scores(scores, link)


def _regress_by_vectors(node: Node, values: list[Any]) -> Columns:
    """SVMRegressor with the linear kernel: the sum of its vectors, each times its coefficient."""
    columns = take_columns(values[0])
    _, one_class = node.take("kernel_params"), node.take("one_class", 0)
    if (kernel := node.take("kernel_type", "LINEAR")) != "LINEAR" or one_class:
        raise Refusal(
            f"it has the kernel {kernel}" if not one_class else "it knows one class alone"
        )
    if _take_link(node) != "none":
        raise Refusal("it has a post_transform")
    numbers, n_vectors = np.asarray(node.take("coefficients", ())), node.take("n_supports", 0)
    vectors, added = np.asarray(node.take("support_vectors", ())), list(node.take("rho", ()))
    if not n_vectors or len(numbers) != n_vectors or len(added) != 1:
        raise Refusal("its vectors, coefficients and rho do not fit")
    matrix = _as_matrix(vectors, n_vectors, columns.width)
    features = take_features(columns.cells)
    shares = [exact(number) for number in numbers]
    weights = [add_up([c * exact(v) for c, v in zip(shares, of, strict=True)]) for of in matrix.T]
    return Columns((combine(features, weights, added[0]),))


def _apply_link(link: Link) -> Operator:
    def operate(node: Node, values: list[Any]) -> Any:
        if link in ("softmax", "log-softmax"):
            check_axis(node.take("axis", 1))
        value = values[0]
        if isinstance(value, np.ndarray) and link == "exp":
            with np.errstate(all="ignore"):
                return np.exp(take_array(value).astype(np.float64))
        if isinstance(value, Scores) and value.link == "log-softmax" and link == "exp":
            return replace(value, link="softmax")
        columns = take_columns(value)
        take_features(columns.cells[:1])
        return Scores(columns, link)

    return operate


def _apply_function(name: str) -> Operator:
    def operate(_: Node, values: list[Any]) -> Any:
        value = values[0]
        if name == "abs" and isinstance(value, Scores) and value.link in ("logistic", "softmax"):
            return value
        if isinstance(value, np.ndarray):
            with np.errstate(all="ignore"):
                return getattr(np, name)(take_array(value).astype(np.float64))
        features = take_features(take_columns(value).cells)
        return Columns(tuple(feature.apply(name) for feature in features))

    return operate


def _log_of_sum(node: Node, values: list[Any]) -> Partial:
    check_axes(node, values)
    return Partial("log of sum", take_columns(values[0]))


def _find_highest(node: Node, values: list[Any]) -> Label:
    check_axis(node.take("axis", 0))
    node.take("keepdims")
    if node.take("select_last_index", 0):
        raise Refusal("of equal scores it takes the last")
    value, by_probability = values[0], False
    if isinstance(value, Scores) and value.link != "exp" and value.chosen is None:
        by_probability = value.link in ("logistic", "one-vs-rest")
        value = value.columns
    columns = take_columns(value)
    if columns.width < 2:
        raise Refusal("it takes the highest of one score")
    return Label(columns, by_probability=by_probability)


def _normalize(node: Node, values: list[Any]) -> Scores:
    norm = node.take("norm", "MAX")
    value = values[0]
    if norm == "L1" and isinstance(value, Scores) and value.chosen is None:
        if value.link == "logistic":
            return replace(value, link="one-vs-rest")
        if value.link in ("softmax", "one-vs-rest"):
            return value
    raise Refusal("it divides each row by its length, which is not linear")


def _map_labels(node: Node, values: list[Any]) -> Any:
    labels = _take_labels(node)
    value = values[0]
    if isinstance(value, Columns):
        value = Scores(value, "none")
    if not isinstance(value, Scores) or len(labels) != value.columns.width:
        raise Refusal("it names other classes than there are scores")
    if value.labels not in (None, labels):
        raise Refusal("it names the classes otherwise than the classifier")
    return replace(value, labels=labels)


OPERATORS: Mapping[str, Operator] = MappingProxyType({
    **arithmetic.OPERATORS,
    **preprocessing.OPERATORS,
    "Sigmoid": _apply_link("logistic"), "Softmax": _apply_link("softmax"),
    "LogSoftmax": _apply_link("log-softmax"), "Exp": _apply_link("exp"),
    "Log": _apply_function("log"), "Sqrt": _apply_function("sqrt"), "Abs": _apply_function("abs"),
    "ReduceLogSumExp": _log_of_sum, "ArgMax": _find_highest,
    "ai.onnx.ml.LinearClassifier": _classify, "ai.onnx.ml.LinearRegressor": _regress,
    "ai.onnx.ml.SVMRegressor": _regress_by_vectors, "ai.onnx.ml.Normalizer": _normalize,
    "ai.onnx.ml.ZipMap": _map_labels,
})  # fmt: skip

TWO_INPUTS = frozenset({
    "Add", "Sub", "Mul", "Div", "Pow", "MatMul", "Gemm", "Gather", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "Reshape", "ai.onnx.ml.ArrayFeatureExtractor",
})  # fmt: skip
"""Operators that need two inputs or more; the others need one."""
