"""ONNX files: the graph as its nodes, constants and inputs, read by the numbers of onnx.proto.

https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. What a node does is in `onnx_steps.py`; here
nothing is computed. Data in other files, functions and sparse tensors are refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matscore.models.protobuf import Message, damaged
from matscore.models.refusal import Refusal

Array = NDArray[Any]

STRING, BOOL = 8, 9
# Numbers of TensorProto.DataType: how they lie in raw_data, and in what other field they may be.
_TYPES: Mapping[int, tuple[str, int]] = {
    1: ("<f4", 4), 2: ("<u1", 5), 3: ("<i1", 5), 4: ("<u2", 5), 5: ("<i2", 5), 6: ("<i4", 5),
    7: ("<i8", 7), 9: ("<u1", 5), 11: ("<f8", 10), 12: ("<u4", 11), 13: ("<u8", 11),
}  # fmt: skip
_FLOATING = {1: 4, 11: 8}
_MOST_DIMENSIONS = 8


@dataclass(frozen=True)
class Input:
    """An input of the graph."""

    name: str
    type: int  # a number of TensorProto.DataType
    shape: tuple[int | None, ...]  # None where the file leaves it open


@dataclass
class Node:
    """A step of the graph; `take` gives each attribute once, so that what is left is not known."""

    operator: str  # with its domain where that is not ONNX's own: "ai.onnx.ml.Scaler"
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    has_floats: bool = False  # among the attributes, which are of float32

    def take(self, attribute: str, default: Any = None) -> Any:
        """Return an attribute of the default's type, and count it as known."""
        value = self.attributes.pop(attribute, default)
        expected = (list, tuple, np.ndarray) if isinstance(default, list | tuple) else type(default)
        if default is not None and not isinstance(value, expected):
            raise Refusal(f"damaged: its attribute {attribute} is of another type")
        return value

    @property
    def kind(self) -> str:
        """Its operator without the domain."""
        return self.operator.rpartition(".")[2]


@dataclass(frozen=True)
class Graph:
    """What an ONNX file holds."""

    producer: str
    opset: int  # of ONNX's own operators
    nodes: list[Node]
    constants: dict[str, Array]
    inputs: list[Input]  # without those that constants give
    outputs: list[str]


def read_graph(data: bytes | memoryview) -> Graph:
    """Decode a model; a refusal where it is damaged or has parts that are not carried."""
    model = Message(data)
    if not model.blobs(7):
        raise damaged("an ONNX file without a graph")
    graph = model.messages(7)[-1]
    if 25 in model or 15 in graph:
        what = "has functions of its own" if 25 in model else "has sparse constants"
        raise Refusal(f"an ONNX file that {what}", "convert the model without them")
    constants = {tensor.text(8): _read_tensor(tensor) for tensor in graph.messages(5)}
    return Graph(
        producer=" ".join(text for text in (model.text(2), model.text(3)) if text),
        opset=max((m.integer(2) for m in model.messages(8) if m.text(1) in _OWN_DOMAIN), default=1),
        nodes=[_read_node(node) for node in graph.messages(1)],
        constants=constants,
        inputs=[i for i in map(_read_input, graph.messages(11)) if i.name not in constants],
        outputs=[value.text(1) for value in graph.messages(12)],
    )


_OWN_DOMAIN = ("", "ai.onnx")


def _read_input(value: Message) -> Input:
    for tensor in [t for kind in value.messages(2) for t in kind.messages(1)]:
        sizes = [size for shape in tensor.messages(2) for size in shape.messages(1)]
        shape = tuple(size.integer(1) if 1 in size else None for size in sizes)
        return Input(value.text(1), tensor.integer(1), shape)
    return Input(value.text(1), 0, ())


def _read_node(node: Message) -> Node:
    domain = node.text(7)
    operator = node.text(4) if domain in _OWN_DOMAIN else f"{domain}.{node.text(4)}"
    attributes = {a.text(1): _read_attribute(a) for a in node.messages(5)}
    has_floats = any(isinstance(v, float | np.ndarray) for v in attributes.values())
    return Node(operator, node.text(3), node.texts(1), node.texts(2), attributes, has_floats)


def _read_attribute(attribute: Message) -> Any:  # noqa: PLR0911 - a table
    """Return its value by its type: 1 to 4 one of float, integer, text, tensor; 6 to 8 lists."""
    kind = attribute.integer(20)
    if not kind:  # files before 2016 leave the type out
        held = [k for k, field in ((1, 2), (2, 3), (3, 4), (4, 5)) if field in attribute]
        kind = held[0] if held else next((k for k in (6, 7, 8) if k + 1 in attribute), 0)
    match kind:
        case 1:
            return attribute.float(2)
        case 2:
            return attribute.integer(3)
        case 3:
            return attribute.text(4)
        case 4 if attribute.blobs(5):
            return _read_tensor(attribute.messages(5)[-1])
        case 6:
            return attribute.floats(7)
        case 7:
            return attribute.integers(8)
        case 8:
            return attribute.texts(9)
    return None  # a graph or another thing that no step of ours takes: refused as not known


def _read_tensor(tensor: Message) -> Array:
    """Return a constant; numbers that are no whole ones as float64, texts as objects."""
    shape, kind, name = tensor.integers(1), tensor.integer(2), tensor.text(8)
    if 13 in tensor or tensor.integer(14) or 3 in tensor:
        raise Refusal(f'the constant "{name}" is in another file', "save the model whole")
    size = math.prod(shape) if all(n >= 0 for n in shape) else -1
    values: Array
    if kind == STRING:
        values = np.array(tensor.texts(6), dtype=object)
    elif kind not in _TYPES:
        what = f'the constant "{name}" has numbers of a kind ({kind}) that is not read'
        raise Refusal(what, "convert the model with float or double")
    else:
        form, field = _TYPES[kind]
        if 9 in tensor:
            raw = b"".join(tensor.blobs(9))
            if len(raw) % np.dtype(form).itemsize:
                raise damaged(f'the constant "{name}" ends within a number')
            values = np.frombuffer(raw, form)
        elif kind in _FLOATING:
            values = tensor.floats(field, _FLOATING[kind])
        else:
            values = np.array(tensor.integers(field), dtype=np.int64)
        is_floating = kind in _FLOATING
        with np.errstate(invalid="ignore"):  # NaN of any kind is refused where it is used
            form = "f8" if is_floating else "?" if kind == BOOL else "i8"
            values = values.astype(form)
    if len(values) != size or len(shape) > _MOST_DIMENSIONS:
        raise damaged(f'the constant "{name}" has {len(values)} values for its shape {shape}')
    return values.reshape(shape)
