"""ONNX: the graph run on features instead of numbers, from its inputs to scores and labels.

What a step does to a number is done to a `Feature`, so that scalers, encoders and projections fold
into the weights; what follows the scores is followed only far enough to know link and labels. Where
the standard leaves something open, onnxruntime's answer counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from matscore.links import Link
from matscore.models.algebra import Feature, column, combine, exact
from matscore.models.bounds import ModelFile
from matscore.models.onnx_graph import STRING, Graph, Input, Node, read_graph
from matscore.models.onnx_steps import OPERATORS, TWO_INPUTS
from matscore.models.onnx_values import Columns, Label, Scores, Value, check_work, take_features
from matscore.models.options import ImportOptions
from matscore.models.refusal import Refusal, in_step
from matscore.models.texts import text
from matscore.models.types import FLOAT32, FLOAT64, ImportedModel, Source

_HEADS = frozenset({0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42})  # tags of a model's second field
_FLOATING = (1, 10, 11)
_DOUBLE, _SINGLE = 11, (1, 10)
# What all steps may make, in numbers, where a column is about four: a graph of a few bytes can
# double without end, and one of an honest model has a byte for each.
_LEAST_ALLOWED, _ALLOWED_A_BYTE = 400_000, 4
_LINKS: Mapping[str, Link | None] = {
    "none": "identity", "softmax": None, "log-softmax": None, "logistic": "logistic",
    "one-vs-rest": "one-vs-rest", "exp": "exp",
}  # fmt: skip
_MODELS = ("LinearClassifier", "LinearRegressor", "SVMRegressor", "Gemm", "MatMul")
_SILENT = ("Concat", "Reshape", "Cast", "Identity", "Constant", "Flatten", "Squeeze", "Unsqueeze")


def _recognise(file: ModelFile) -> bool:
    head = file.head
    return len(head) > 3 and head[0] == 8 and 0 < head[1] < 32 and head[2] in _HEADS


def _read(file: ModelFile, _: ImportOptions) -> ImportedModel:
    graph = read_graph(file.data)
    allowed = max(_LEAST_ALLOWED, _ALLOWED_A_BYTE * len(file.data))
    positional: list[str] = []
    values: dict[str, Value | None] = {"": None, **graph.constants}
    for given in graph.inputs:
        values[given.name], names = _make_columns(given, graph, allowed)
        positional += names
    nodes = _find_needed(graph)
    _run(nodes, values, allowed)
    for name in graph.outputs:
        if name not in values:
            raise Refusal(f'damaged: no step gives its output "{name}"', "save the model again")
    answers = [values[name] for name in graph.outputs]
    scores, labels = _find_answer(graph.outputs, answers)
    features, matrix, added, link = _settle(scores)
    last = max((i for i, node in enumerate(nodes) if node.kind in _MODELS), default=0)
    is_double = _is_double(graph, nodes)
    wide = any(name not in {i.name for i in graph.inputs} for name in positional)
    facts = ["of equal scores the first category is taken"] if len(labels) > 1 else []
    if len(labels) > 2 and any(isinstance(a, Label) and a.by_probability for a in answers):
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
    cells = tuple(text(name) if is_text else column(name) for name in names)
    return Columns(cells, is_whole=not is_text and given.type not in _FLOATING), names


_WIDTHS = {"Scaler": "offset", "Imputer": "imputed_value_floats"}


def _find_width(name: str, graph: Graph) -> int:
    """Find the columns of an input by a step that it goes into; 0 where none says so."""
    for node in graph.nodes:
        numbers = node.attributes.get(_WIDTHS.get(node.kind, ""), ())
        if name in node.inputs[:1] and isinstance(numbers, np.ndarray) and len(numbers) > 1:
            return len(numbers)
        if name in node.inputs[:1] and node.operator in ("MatMul", "Gemm") and len(node.inputs) > 1:
            weights = graph.constants.get(node.inputs[1])
            if weights is not None and weights.ndim == 2:
                return int(weights.shape[1 if node.attributes.get("transB") else 0])
    return 0


def _run(nodes: Sequence[Node], values: dict[str, Value | None], allowed: int) -> None:
    """Run steps, each on what those before it gave."""
    size = 0
    for node in nodes:
        with in_step(node.name or node.kind, "" if node.name in ("", node.kind) else node.kind):
            if node.operator not in OPERATORS:
                what = _REASONS.get(node.kind, "it is no operator of a linear model")
                raise Refusal(what, _HINT)
            if len(node.inputs) < (2 if node.operator in TWO_INPUTS else node.kind != "Constant"):
                raise Refusal(f"it has {len(node.inputs)} inputs")
            for name in node.inputs:
                if name not in values:
                    raise Refusal(f'it uses "{name}", which no step before it gives')
            made = OPERATORS[node.operator](node, [values[name] for name in node.inputs])
            if node.attributes:
                raise Refusal(f'its attribute "{min(node.attributes)}" is not known')
            several = made if isinstance(made, tuple) else (made,)
            if len(several) < len(node.outputs):
                raise Refusal(f"it has {len(node.outputs)} outputs")
            for name, value in zip(node.outputs, several[: len(node.outputs)], strict=True):
                if name and name in values:
                    raise Refusal(f'it gives "{name}", which is there already')
                values[name] = value if name else None
            size += sum(map(_measure, several))
            if size > allowed:
                raise Refusal(f"the graph comes to more than {allowed:,} numbers")


_TREES = "it is a model of trees, which is not linear"
_REASONS: Mapping[str, str] = {
    **dict.fromkeys(
        ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"), _TREES
    ),
    "SVMClassifier": "its labels are made by votes, and do not follow its scores",
    "TfIdfVectorizer": "it counts words, which no columns are",
}  # fmt: skip
_HINT = "only what is linear in the columns can be a weights file"


def _measure(value: Value) -> int:
    if not isinstance(value, Columns):
        return value.size if isinstance(value, np.ndarray) else 4
    given = sum(4 + len(cell.terms) if isinstance(cell, Feature) else 4 for cell in value.given)
    # Products are of what is there already.
    return given if value.matrix is None else value.matrix.size


def _find_needed(graph: Graph) -> list[Node]:
    """Return the steps that the outputs come of, in the file's order, which is that of the work."""
    needed, nodes = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
            nodes.append(node)
    return nodes[::-1]


def _find_answer(
    names: Sequence[str], answers: Sequence[Value | None]
) -> tuple[Scores, tuple[str, ...]]:
    """Return the scores that the outputs come of, with their link, and the categories."""
    for name, answer in zip(names, answers, strict=True):
        if not isinstance(answer, Columns | Scores | Label):
            raise Refusal(f'its output "{name}" is no score, probability or label')
    labelled = [answer for answer in answers if isinstance(answer, Label)]
    # Probabilities say more than the scores beside them.
    scored = [_as_scores(a) for a in answers if isinstance(a, Columns | Scores)]
    for chosen in (scores.chosen for scores in scored if scores.chosen):
        if list(chosen) != sorted(set(chosen)):
            raise Refusal("its output has the classes in another order than the model")
    scored.sort(key=lambda scores: scores.link == "none")
    if not scored and not labelled:
        raise Refusal("it has no outputs")
    scores = (
        Scores(labelled[0].columns, scored[0].link if scored else "none") if labelled else scored[0]
    )
    others: list[Scores | Label] = [*scored, *labelled]
    # Most are the same columns; else their cells are looked at, which takes time to compute.
    parts = [other.columns for other in others if other.columns is not scores.columns]
    known = {id(cell) for cell in scores.columns.cells} if parts else set()
    if any(id(cell) not in known for part in parts for cell in part.cells):
        raise Refusal("its outputs come of several models", "save each by itself")
    width = scores.columns.width
    named = [answer.labels for answer in others if answer.labels is not None]
    if len(set(named)) > 1 or any(len(labels) != width for labels in named):
        raise Refusal("its outputs name the classes in several ways")
    if named:
        return scores, named[0]
    if labelled or scores.link in ("softmax", "one-vs-rest", "log-softmax"):
        return scores, tuple(map(str, range(width)))
    output = next(n for n, a in zip(names, answers, strict=True) if not isinstance(a, Label))
    return scores, tuple(output if width == 1 else f"{output}_{i}" for i in range(width))


def _as_scores(answer: Columns | Scores) -> Scores:
    return answer if isinstance(answer, Scores) else Scores(answer, "none")


def _settle(scores: Scores) -> tuple[Sequence[Feature], Any, Sequence[Any], Link | None]:
    """Return features, coefficients, intercept and link; (-s, s) become (0, s) by softmax."""
    columns = scores.columns
    features = take_features(columns.given)
    check_work(sum(len(f.terms) for f in features if len(f.terms) > 1) * columns.width)
    if columns.matrix is None:
        check_work(len(features) ** 2)
    matrix = np.eye(len(features)) if columns.matrix is None else columns.matrix
    added = list(columns.added) or [0] * len(matrix)
    if len(matrix) == 2 and scores.link in ("logistic", "one-vs-rest"):
        sums = [exact(a) + exact(b) for a, b in zip(*matrix, strict=True)]
        total = combine(features, sums) + sum(map(exact, added), exact(0))
        if not any(total.terms.values()):
            return features, matrix[1:], added[1:], None
    return features, matrix, added, _LINKS[scores.link]


SOURCE = Source("ONNX", _recognise, _read)
