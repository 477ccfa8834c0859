"""ONNX files: the wire format of Protocol Buffers, and in it nodes, constants and inputs.

https://protobuf.dev/programming-guides/encoding/ and, for the numbers of fields,
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Nothing is computed here. What is nested is
decoded only when it is asked for, so that no file decides how deep that goes. Data in other files,
functions and sparse constants are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matscore.models.checks import check_fit, damaged, read_text
from matscore.models.refusal import Refusal

Array = NDArray[Any]

STRING, BOOL = 8, 9
# By the numbers of TensorProto.DataType: how numbers lie in raw bytes, or else in what field.
_FLOATS = {1: "<f4", 11: "<f8"}
_WHOLE = {2: "<u1", 3: "<i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "<u1", 12: "<u4",
          13: "<u8"}  # fmt: skip
_FIELDS = {1: 4, 11: 10, **dict.fromkeys((2, 3, 4, 5, 6, 9), 5), 7: 7, 12: 11, 13: 11}
_VARINT, _BYTES, _SIZES = 0, 2, {5: 4, 1: 8}
_MOST_FIELDS = 300_000  # of one message: each takes memory that its bytes do not pay for
_MOST_DIMENSIONS = 8


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for i, byte in enumerate(view[place : place + 10]):
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, place + i + 1
    raise damaged()


class Message:
    """One message: what its fields hold, by their numbers; unknown ones are carried along."""

    def __init__(self, view: memoryview) -> None:
        self._numbers: dict[int, list[int]] = {}
        self._blobs: dict[int, list[memoryview]] = {}
        self._fixed: dict[int, bytearray] = {}
        place, left = 0, _MOST_FIELDS
        while place < len(view):
            tag, place = _varint(view, place)
            number, wire = tag >> 3, tag & 7
            if wire == _VARINT:
                value, place = _varint(view, place)
                self._numbers.setdefault(number, []).append(value)
                left -= 1
            else:
                size = _SIZES.get(wire, -1)
                if wire == _BYTES:
                    size, place = _varint(view, place)
                check_fit(0 <= size <= len(view) - place)
                part, place = view[place : place + size], place + size
                if wire == _BYTES:
                    self._blobs.setdefault(number, []).append(part)
                    left -= 1
                else:  # lists of floats may stand one by one, as many as there are
                    self._fixed.setdefault(number, bytearray()).extend(part)
            check_fit(number and left >= 0)

    def __contains__(self, number: int) -> bool:
        return any(number in fields for fields in (self._numbers, self._blobs, self._fixed))

    def integers(self, number: int) -> list[int]:
        """Return the signed integers of a field, one by one or packed."""
        values = list(self._numbers.get(number, ()))
        for packed in self._blobs.get(number, ()):
            place = 0
            while place < len(packed):
                value, place = _varint(packed, place)
                values.append(value)
        return [value - (1 << 64) if value >> 63 else value for value in values]

    def integer(self, number: int) -> int:
        """Return the last integer of a field, 0 where there is none."""
        return self.integers(number)[-1] if number in self._numbers else 0

    def floats(self, number: int, form: str = "<f4") -> NDArray[np.float64]:
        """Return the floats of a field, one by one or packed."""
        data = bytes(self._fixed.get(number, b"")) + b"".join(self._blobs.get(number, ()))
        with np.errstate(invalid="ignore"):  # NaN of any kind is refused where it is used
            return read_array(data, form).astype(np.float64)

    def float(self, number: int) -> float:
        """Return the last float of a field, of four bytes."""
        numbers = self.floats(number).tolist()
        return numbers[-1] if numbers else 0.0

    def blobs(self, number: int) -> list[memoryview]:
        """Return the bytes of a field."""
        return self._blobs.get(number, [])

    def texts(self, number: int) -> list[str]:
        """Return the texts of a field."""
        return [read_text(bytes(blob)) for blob in self.blobs(number)]

    def text(self, number: int) -> str:
        """Return the last text of a field, empty where there is none."""
        return texts[-1] if (texts := self.texts(number)) else ""

    def messages(self, number: int) -> list[Message]:
        """Return the messages of a field."""
        return [Message(blob) for blob in self.blobs(number)]


def read_array(data: bytes, form: str) -> Array:
    """Return the numbers that bytes are, all of them."""
    check_fit(len(data) % np.dtype(form).itemsize == 0)
    return np.frombuffer(data, form)


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
    has_floats: bool  # among the attributes, which are of float32

    def take(self, attribute: str, default: Any = None) -> Any:
        """Return an attribute of the default's type, and count it as known."""
        value = self.attributes.pop(attribute, default)
        expected = (list, tuple, np.ndarray) if isinstance(default, list | tuple) else type(default)
        if value is ... or (default is not None and not isinstance(value, expected)):
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
    nodes: list[Node]
    constants: dict[str, Array]
    inputs: list[Input]  # without those that constants give
    outputs: list[str]


def read_graph(data: bytes) -> Graph:
    """Decode a model; a refusal where it is damaged or has parts that are not carried."""
    model = Message(memoryview(data))
    check_fit(model.blobs(7))
    graph = model.messages(7)[-1]
    if 25 in model or 15 in graph:
        what = "functions of its own" if 25 in model else "sparse constants"
        raise Refusal(f"it has {what}, which are not read", "convert the model without them")
    constants = {tensor.text(8): _read_tensor(tensor) for tensor in graph.messages(5)}
    return Graph(
        producer=" ".join(text for text in (model.text(2), model.text(3)) if text),
        nodes=[_read_node(node) for node in graph.messages(1)],
        constants=constants,
        inputs=[i for i in map(_read_input, graph.messages(11)) if i.name not in constants],
        outputs=[value.text(1) for value in graph.messages(12)],
    )


def _read_input(value: Message) -> Input:
    for tensor in [t for kind in value.messages(2) for t in kind.messages(1)]:
        sizes = [size for shape in tensor.messages(2) for size in shape.messages(1)]
        shape = tuple(size.integer(1) if 1 in size else None for size in sizes)
        return Input(value.text(1), tensor.integer(1), shape)
    return Input(value.text(1), 0, ())


def _read_node(node: Message) -> Node:
    domain = node.text(7)
    operator = node.text(4) if domain in ("", "ai.onnx") else f"{domain}.{node.text(4)}"
    attributes = {a.text(1): _read_attribute(a) for a in node.messages(5)}
    has_floats = any(isinstance(v, float | np.ndarray) for v in attributes.values())
    return Node(operator, node.text(3), node.texts(1), node.texts(2), attributes, has_floats)


# The type of an attribute's value, and where it is.
_VALUES: Mapping[int, Callable[[Message], Any]] = {
    1: lambda one: one.float(2), 2: lambda one: one.integer(3),
    3: lambda one: one.text(4), 4: lambda one: _read_tensor(one.messages(5)[-1]),
    6: lambda one: one.floats(7), 7: lambda one: one.integers(8), 8: lambda one: one.texts(9),
}  # fmt: skip


def _read_attribute(attribute: Message) -> Any:
    """Return its value; an ellipsis for a graph or another thing that no step of ours takes."""
    kind = attribute.integer(20)
    if kind not in _VALUES or (kind == 4 and not attribute.blobs(5)):
        return ...
    return _VALUES[kind](attribute)


def _read_tensor(tensor: Message) -> Array:
    """Return a constant: floats as float64, whole numbers as int64, truths, texts as objects."""
    shape, kind, name = tensor.integers(1), tensor.integer(2), tensor.text(8)
    if 13 in tensor or tensor.integer(14) or 3 in tensor:
        raise Refusal(f'the constant "{name}" is in another file', "save the model whole")
    form = _FLOATS.get(kind) or _WHOLE.get(kind)
    values: Array
    if kind == STRING:
        values = np.array(tensor.texts(6), dtype=object)
    elif form is None:
        what = f'the constant "{name}" has numbers of a kind ({kind}) that is not read'
        raise Refusal(what, "convert the model with float or double")
    elif 9 in tensor:
        values = read_array(b"".join(tensor.blobs(9)), form)
    elif kind in _FLOATS:
        values = tensor.floats(_FIELDS[kind], form)
    else:
        values = np.array(tensor.integers(_FIELDS[kind]), dtype=np.int64)
    if kind != STRING:
        with np.errstate(invalid="ignore"):
            values = values.astype("f8" if kind in _FLOATS else "?" if kind == BOOL else "i8")
    size = math.prod(shape) if all(n >= 0 for n in shape) else -1
    check_fit(len(values) == size and len(shape) <= _MOST_DIMENSIONS)
    return values.reshape(shape)
