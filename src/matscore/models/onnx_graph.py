"""ONNX files: the wire format of Protocol Buffers, and in it nodes, constants and inputs.

https://protobuf.dev/programming-guides/encoding/ and, for the numbers of fields,
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Nothing is computed here. What is nested is
decoded only when it is asked for, so that no file decides how deep that goes. Data in other files,
functions and sparse constants are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.models.algebra import Feature, Kind, Number, combine
from matscore.models.bounds import Refusal, check_fit, damaged, read_text
from matscore.models.columns import Value as Cell
from matscore.models.columns import as_features

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


_MOST_PRODUCTS = 2_000_000


@dataclass(frozen=True, eq=False)
class Columns:
    """A tensor with a row a record: what each of its columns holds."""

    given: tuple[Cell, ...]
    matrix: Array | None = None  # (n_columns, n_given): products of what is given; None is itself
    added: tuple[Number, ...] = ()  # to the products
    is_whole: bool = False  # integers or booleans, also where they were made texts
    is_text: bool = False

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """What each column holds."""
        if self.matrix is None:
            return self.given
        features = as_features(self.given)
        check_work(sum(len(feature.terms) for feature in features) * len(self.matrix))
        rows = zip(self.matrix, self.added, strict=True)
        return tuple(combine(features, list(row), number) for row, number in rows)

    @property
    def kind(self) -> Kind:
        """What their cells are as levels of an encoder."""
        return "number" if self.is_whole else "text"

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.given if self.matrix is None else self.matrix)

    def each(
        self, function: Callable[..., Feature], *others: Iterable[Any], is_whole: bool = False
    ) -> Columns:
        """Return what a function makes of each column, which must be a number."""
        rows = zip(as_features(self.cells), *others, strict=True)
        return Columns(tuple(function(*row) for row in rows), is_whole=is_whole)


@dataclass(frozen=True, eq=False)
class Result:
    """What is made of scores: by a link, the label of the highest, or a step on the way there."""

    columns: Columns
    # "none", "logistic", "one-vs-rest", "softmax", "log-softmax" or "exp"; "label", or "rounded
    # label" where it goes by what a link makes of each score; "sum", "log of sum", "1 + exp"; and
    # "shape", of the columns.
    kind: str
    labels: tuple[str, ...] | None = None  # None: numbered from 0
    chosen: tuple[int, ...] | None = None  # the columns of it that this is; None is all
    of: Result | None = None  # what is summed up

    @property
    def is_label(self) -> bool:
        """Whether it is a label, the first of those with equal scores."""
        return self.kind.endswith("label")


Value: TypeAlias = Array | Columns | Result
Operator: TypeAlias = Callable[[Node, list[Any]], Any]


def check_work(n_products: int) -> None:
    """Refuse products of terms that would take minutes in exact fractions."""
    if n_products > _MOST_PRODUCTS:
        raise Refusal(f"it multiplies {n_products:,} terms, too many to be exact")


def take_columns(value: Any) -> Columns:
    """Return what must be columns."""
    if isinstance(value, Result) and value.kind == "exp" and value.chosen is None:
        return value.columns.each(lambda feature: feature.apply("exp"))
    if isinstance(value, Result):
        raise Refusal("it computes with probabilities or labels")
    if not isinstance(value, Columns):
        raise Refusal("it goes on with what is no column of the features")
    return value


def take_array(value: Any) -> Array:
    """Return what must be a constant of numbers."""
    if not isinstance(value, np.ndarray):
        raise Refusal("it takes from the rows what a linear model has as a constant")
    if value.dtype == object:
        raise Refusal("it computes with texts")
    return value


def take_whole(node: Node, attribute: str, values: list[Any], place: int) -> list[int]:
    """Take whole numbers: an attribute of older versions, or an input at its place."""
    given: Any = node.take(attribute, [])
    if not given and values[place] is not None:
        given = take_array(values[place]).ravel().tolist()
    if not all(isinstance(n, int) or n.is_integer() for n in given):
        raise Refusal("it has numbers that are not whole where it counts")
    return [int(n) for n in given]


def check_axes(*axes: Any) -> None:
    """Refuse axes that are not that of the columns."""
    for axis in axes:
        if axis not in (1, -1):
            raise Refusal(f"it works along the axis {axis}, not along the columns")


def as_row(value: Any, width: int) -> list[Any]:
    """Return columns or a constant as `width` cells, one of them repeated."""
    if isinstance(value, np.ndarray):
        if value.size != (value.shape[-1] if value.ndim else 1):
            raise Refusal("it has a constant of several rows")
        cells: list[Any] = take_array(value).ravel().tolist()
    else:
        cells = as_features(take_columns(value).cells)
    if len(cells) not in (1, width):
        raise Refusal(f"{len(cells)} and {width} columns do not fit")
    return cells * width if len(cells) == 1 else cells


def multiply(columns: Columns, matrix: Array, added: Sequence[Number] = ()) -> Columns:
    """Return the products of columns with a matrix (n_made, n_columns), and what is added."""
    matrix = np.atleast_2d(matrix)
    if matrix.ndim != 2 or matrix.shape[1] != columns.width:
        shape = " × ".join(map(str, matrix.shape))
        raise Refusal(f"its weights are {shape}, where {columns.width:,} columns come in")
    return Columns(columns.cells, matrix.astype(np.float64), tuple(added) or (0,) * len(matrix))
