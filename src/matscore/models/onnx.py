"""ONNX: the graph run on features instead of numbers, from its inputs to scores and labels.

What a step does to a number is done to a `Feature`, so that scalers, encoders and projections fold
into the weights; what follows the scores is followed only far enough to know link and labels. Where
the standard leaves something open, onnxruntime's answer counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from matscore.models.algebra import Feature, combine, exact
from matscore.models.bounds import ModelFile, Refusal, in_step
from matscore.models.columns import Raw, as_features
from matscore.models.onnx_graph import (
    STRING,
    Columns,
    Graph,
    Input,
    Node,
    Operator,
    Result,
    Value,
    check_axes,
    check_work,
    multiply,
    read_graph,
    take_columns,
)
from matscore.models.onnx_steps import STEPS, compute_constant
from matscore.models.options import ImportOptions
from matscore.models.types import FLOAT32, FLOAT64, ImportedModel, Source
from matscore.options import Link

_HEADS = frozenset({0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42})  # tags of a model's second field
_FLOATING = (1, 10, 11)
_DOUBLE, _SINGLE = 11, (1, 10)
# What all steps may make, in numbers, where a column is about four: a graph of a few bytes can
# double without end, and one of an honest model has a byte for each.
_LEAST_ALLOWED, _ALLOWED_A_BYTE = 400_000, 4
_MOST_INPUTS = 5  # but for those that put any number side by side
_LINKS: Mapping[str, Link | None] = {
    "none": "identity", "softmax": None, "log-softmax": None, "logistic": "logistic",
    "one-vs-rest": "one-vs-rest", "exp": "exp",
}  # fmt: skip
_OF_SEVERAL = ("one-vs-rest", "softmax", "log-softmax")
_MODELS = ("LinearClassifier", "LinearRegressor", "Gemm", "MatMul")
_SILENT = ("Concat", "Reshape", "Cast", "Identity", "Constant", "Flatten", "Squeeze", "Unsqueeze")


def _recognise(file: ModelFile) -> bool:
    head = file.head
    return len(head) > 3 and head[0] == 8 and 0 < head[1] < 32 and head[2] in _HEADS


def _read(file: ModelFile, _: ImportOptions) -> ImportedModel:
    graph = read_graph(file.data)
    allowed = max(_LEAST_ALLOWED, _ALLOWED_A_BYTE * len(file.data))
    positional: list[str] = []
    values: dict[str, Any] = {"": None, **graph.constants}
    for given in graph.inputs:
        values[given.name], names = _make_columns(given, graph, allowed)
        positional += names
    nodes = _find_needed(graph)
    _run(nodes, values, allowed)
    if missing := set(graph.outputs) - values.keys():
        raise Refusal(f'damaged: no step gives its output "{min(missing)}"', "save the model again")
    answers = [values[name] for name in graph.outputs]
    scores, labels = _find_answer(graph.outputs, answers)
    features, matrix, added, link = _settle(scores)
    last = max((i for i, node in enumerate(nodes) if node.kind in _MODELS), default=0)
    is_double = _is_double(graph, nodes)
    wide = set(positional) - {given.name for given in graph.inputs}
    facts = ["of equal scores the first category is taken"] if len(labels) > 1 else []
    if len(labels) > 2 and any(a.kind == "rounded label" for a in answers if type(a) is Result):
        facts.append("its label is by rounded probabilities: of scores over 17 the first wins")
    if not is_double:
        facts.append("ONNX computes in float32; the weights are its numbers, the scores in float64")
    return ImportedModel(
        producer=graph.producer or "ONNX",
        kind=nodes[last].kind if nodes else "Identity",
        categories=labels,
        features=features,
        coefficients=matrix,
        intercept=added,
        link=link,
        steps=tuple(dict.fromkeys(n.kind for n in nodes[:last] if n.kind not in _SILENT)),
        facts=tuple(facts),
        positional=tuple(positional) if wide else (),
        rounding=FLOAT64 if is_double else FLOAT32,
    )


def _is_double(graph: Graph, nodes: Sequence[Node]) -> bool:
    """Say whether all is in float64: the standard's part for machine learning has only float32."""
    kinds = {given.type for given in graph.inputs}
    return _DOUBLE in kinds and kinds.isdisjoint(_SINGLE) and not any(
        node.operator.startswith("ai.onnx.ml.") and node.has_floats for node in nodes
    )  # fmt: skip


def _make_columns(given: Input, graph: Graph, allowed: int) -> tuple[Columns, list[str]]:
    """Return the columns of an input and their names: of several the input's with their number."""
    n_columns = math.prod(n for n in given.shape[1:] if n is not None)
    if None in given.shape[1:]:
        n_columns = _find_width(given.name, graph)
    if not 0 < n_columns <= allowed // 4:
        raise Refusal(f'it does not say how many columns its input "{given.name}" has')
    if len(given.shape) > 2 and n_columns > max(n or 1 for n in given.shape[1:]):
        raise Refusal(f'its input "{given.name}" is no table')
    single = n_columns == 1
    names = [given.name if single else f"{given.name}[{i}]" for i in range(1, n_columns + 1)]
    is_text = given.type == STRING
    is_whole = not is_text and given.type not in _FLOATING
    return Columns(tuple(map(Raw, names)), is_whole=is_whole, is_text=is_text), names


def _find_width(name: str, graph: Graph) -> int:
    """Find the columns of an input by a step that it goes into; 0 where none says so."""
    widths = {"Scaler": "offset", "Imputer": "imputed_value_floats"}
    for node in (node for node in graph.nodes if name in node.inputs[:1]):
        numbers = node.attributes.get(widths.get(node.kind, ""), ())
        if isinstance(numbers, np.ndarray) and len(numbers) > 1:
            return len(numbers)
        if node.operator in ("MatMul", "Gemm") and len(node.inputs) > 1:
            weights = graph.constants.get(node.inputs[1])
            if weights is not None and weights.ndim == 2:
                return int(weights.shape[1 if node.attributes.get("transB") else 0])
    return 0


def _find_needed(graph: Graph) -> list[Node]:
    """Return the steps that the outputs come of, in the file's order, which is that of the work."""
    needed, nodes = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
            nodes.append(node)
    return nodes[::-1]


def _run(nodes: Sequence[Node], values: dict[str, Any], allowed: int) -> None:
    """Run steps, each on what those before it gave."""
    size = 0
    for node in nodes:
        with in_step(node.name or node.kind, "" if node.name in ("", node.kind) else node.kind):
            several = _do(node, values)
            for name, value in zip(node.outputs, several[: len(node.outputs)], strict=True):
                if name and name in values:
                    raise Refusal(f'it gives "{name}", which is there already')
                values[name] = value if name else None
            size += sum(map(_measure, several))
            if size > allowed:
                raise Refusal(f"the graph comes to more than {allowed:,} numbers")


def _do(node: Node, values: Mapping[str, Any]) -> Sequence[Value]:
    """Return what a step gives, all of whose attributes are known."""
    if node.operator not in OPERATORS:
        what = _REASONS.get(node.kind, "it is no operator of a linear model")
        raise Refusal(what, "only what is linear in the columns can be a weights file")
    if missing := {*node.inputs} - values.keys():
        raise Refusal(f'it uses "{min(missing)}", which no step before it gives')
    given = [values[name] for name in node.inputs]
    made: Any = compute_constant(node.operator, given)
    if made is None:
        made = OPERATORS[node.operator](node, [*given, *[None] * _MOST_INPUTS])
    if node.attributes:
        raise Refusal(f'its attribute "{min(node.attributes)}" is not known')
    several = made if isinstance(made, tuple) else (made,)
    if len(several) < len(node.outputs):
        raise Refusal(f"it has {len(node.outputs)} outputs")
    return several


def _measure(value: Value) -> int:
    if not isinstance(value, Columns):
        return value.size if isinstance(value, np.ndarray) else 4
    given = sum(4 + len(cell.terms) if isinstance(cell, Feature) else 4 for cell in value.given)
    # Products are of what is there already.
    return given if value.matrix is None else value.matrix.size


# ------------------------------------------------------------------------------------- the answer


def _find_answer(names: Sequence[str], answers: Sequence[Any]) -> tuple[Result, tuple[str, ...]]:
    """Return the scores that the outputs come of, with their link, and the categories."""
    found = [Result(a, "none") if isinstance(a, Columns) else a for a in answers]
    for name, answer in zip(names, found, strict=True):
        if not (isinstance(answer, Result) and (answer.is_label or answer.kind in _LINKS)):
            raise Refusal(f'its output "{name}" is no score, probability or label')
        if answer.chosen and list(answer.chosen) != sorted(set(answer.chosen)):
            raise Refusal("its output has the classes in another order than the model")
    # Probabilities say more than the scores beside them, and a label that there is one.
    scored = sorted((a for a in found if not a.is_label), key=lambda a: a.kind == "none")
    labelled = [answer for answer in found if answer.is_label]
    if not found:
        raise Refusal("it has no outputs")
    first = labelled[0] if labelled else scored[0]
    scores = replace(first, kind=scored[0].kind if scored else "none")
    # Most are the same columns; else their cells are looked at, which takes time to compute.
    others = [other for other in found if other.columns is not scores.columns]
    known = {id(cell) for cell in scores.columns.cells} if others else set()
    for other in others:
        cells = {id(cell) for cell in other.columns.cells}
        # Scores may be left out, where nothing is made of all of them.
        if not (cells == known or (cells < known and other.kind == "none")):
            raise Refusal("its outputs come of several models", "save each by itself")
    width = scores.columns.width
    named = [answer.labels for answer in found if answer.labels is not None]
    if len(set(named)) > 1 or any(len(labels) != width for labels in named):
        raise Refusal("its outputs name the classes in several ways")
    if named:
        return scores, named[0]
    if labelled or scores.kind in _OF_SEVERAL:
        return scores, tuple(map(str, range(width)))
    output = names[found.index(scored[0])]
    return scores, tuple(output if width == 1 else f"{output}_{i}" for i in range(width))


def _settle(scores: Result) -> tuple[Sequence[Feature], Any, Sequence[Any], Link | None]:
    """Return features, coefficients, intercept and link; (-s, s) become (0, s) by softmax."""
    columns = scores.columns
    features = as_features(columns.given)
    check_work(sum(len(f.terms) for f in features if len(f.terms) > 1) * columns.width)
    if columns.matrix is None:
        check_work(len(features) ** 2)
    matrix = np.eye(len(features)) if columns.matrix is None else columns.matrix
    added = list(columns.added) or [0] * len(matrix)
    if len(matrix) == 2 and scores.kind in ("logistic", "one-vs-rest"):
        sums = [exact(a) + exact(b) for a, b in zip(*matrix, strict=True)]
        total = combine(features, sums) + sum(map(exact, added), exact(0))
        if not any(total.terms.values()):
            return features, matrix[1:], added[1:], None
    return features, matrix, added, _LINKS[scores.kind]


# ------------------------------------------------------------------- models, and what follows them


def _take_labels(node: Node) -> tuple[str, ...]:
    given = [node.take(f"classlabels_{kind}") for kind in ("strings", "ints", "int64s")]
    return tuple(str(label) for labels in given if labels for label in labels)


def _take_link(node: Node) -> str:
    name = node.take("post_transform", "NONE")
    if name not in ("NONE", "LOGISTIC", "SOFTMAX"):
        raise Refusal(f"it has the post_transform {name}")
    return str(name).lower()


def _predict(node: Node, columns: Columns, n_rows: int) -> Columns:
    """Return the linear predictors of a classifier or regressor."""
    numbers, width = np.asarray(node.take("coefficients", ())), columns.width
    if len(numbers) != n_rows * width or n_rows < 1:
        what = f"it has {len(numbers):,} coefficients, where {n_rows} × {width:,} are needed"
        raise Refusal(what, "other programs take some of them in silence; convert the model again")
    added = list(node.take("intercepts", ())) or [0.0] * n_rows
    if len(added) != n_rows:
        raise Refusal(f"it has {len(added)} intercepts for {n_rows} rows of coefficients")
    return multiply(columns, numbers.reshape(n_rows, width), added)


def _classify(node: Node, values: list[Any]) -> tuple[Value, Value]:
    columns, labels, link = take_columns(values[0]), _take_labels(node), _take_link(node)
    node.take("multi_class")  # which changes nothing that is computed
    # Of two classes one row of coefficients may be given: the second's.
    n_given = np.size(node.attributes.get("coefficients", ()))
    is_single = len(labels) == 2 and n_given == columns.width
    scores = _predict(node, columns, 1 if is_single else len(labels))
    if is_single:
        if link == "softmax":
            raise Refusal("it has a softmax of one score")
        (score,) = as_features(scores.cells)
        scores = Columns((-score, score))
    answer = scores if link == "none" else Result(scores, link, labels)
    return Result(scores, "label", labels), answer


def _regress(node: Node, values: list[Any]) -> Value:
    scores = _predict(node, take_columns(values[0]), node.take("targets", 1))
    link = _take_link(node)
    return scores if link == "none" else Result(scores, link)


def _apply_link(link: str) -> Operator:
    def operate(node: Node, values: list[Any]) -> Any:
        if "softmax" in link:
            check_axes(node.take("axis", 1))
        columns = take_columns(values[0])
        as_features(columns.given)
        return Result(columns, link)

    return operate


def _find_highest(node: Node, values: list[Any]) -> Result:
    check_axes(node.take("axis", 0))
    node.take("keepdims")
    if node.take("select_last_index", 0):
        raise Refusal("of equal scores it takes the last")
    value, kind = values[0], "label"
    if isinstance(value, Result) and value.kind in _PROBABILITIES and value.chosen is None:
        kind = "label" if "softmax" in value.kind else "rounded label"
        value = value.columns
    columns = take_columns(value)
    if columns.width < 2:
        raise Refusal("it takes the highest of one score")
    return Result(columns, kind)


_PROBABILITIES = ("logistic", "one-vs-rest", "softmax", "log-softmax")


def _normalize(node: Node, values: list[Any]) -> Result:
    value = values[0]
    if node.take("norm", "MAX") == "L1" and isinstance(value, Result) and value.chosen is None:
        if value.kind == "logistic":
            return replace(value, kind="one-vs-rest")
        if value.kind in ("softmax", "one-vs-rest"):
            return value
    raise Refusal("it divides each row by its length, which is not linear")


def _map_labels(node: Node, values: list[Any]) -> Any:
    labels, value = _take_labels(node), values[0]
    if isinstance(value, Columns):
        value = Result(value, "none")
    if not isinstance(value, Result) or value.labels not in (None, labels):
        raise Refusal("it names the classes otherwise than the classifier")
    return replace(value, labels=labels)


OPERATORS: Mapping[str, Operator] = {
    **STEPS,
    "Sigmoid": _apply_link("logistic"), "Softmax": _apply_link("softmax"),
    "LogSoftmax": _apply_link("log-softmax"), "Exp": _apply_link("exp"),
    "ArgMax": _find_highest, "ai.onnx.ml.LinearClassifier": _classify,
    "ai.onnx.ml.LinearRegressor": _regress, "ai.onnx.ml.Normalizer": _normalize,
    "ai.onnx.ml.ZipMap": _map_labels,
}  # fmt: skip
_REASONS: Mapping[str, str] = {
    **dict.fromkeys(
        ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"),
        "it is a model of trees, which is not linear",
    ),
    "SVMClassifier": "its labels are made by votes, and do not follow its scores",
    "SVMRegressor": "its support vectors are not read: use LinearSVR, or import the pickle",
    "ReduceLogSumExp": "the probabilities of naive Bayes are not read: import the pickle",
    "TfIdfVectorizer": "it counts words, which no columns are",
}
SOURCE = Source("ONNX", _recognise, _read)
