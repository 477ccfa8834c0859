"""What flows through a graph of ONNX: columns, and after the model what is made of their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from matscore.models.algebra import Feature, Kind, Number, combine
from matscore.models.onnx_file import Array, Node
from matscore.models.refusal import Refusal
from matscore.models.steps import Value as Cell
from matscore.models.steps import as_features

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
class Answer:
    """What is made of scores: by a link, the label of the highest, or a step on the way there."""

    columns: Columns
    # "none", "logistic", "one-vs-rest", "softmax", "log-softmax" or "exp"; "label", or "rounded
    # label" where it goes by what a link makes of each score; "sum", "log of sum", "1 + exp"; and
    # "shape", of the columns.
    kind: str
    labels: tuple[str, ...] | None = None  # None: numbered from 0
    chosen: tuple[int, ...] | None = None  # the columns of it that this is; None is all
    of: Answer | None = None  # what is summed up

    @property
    def is_label(self) -> bool:
        """Whether it is a label, the first of those with equal scores."""
        return self.kind.endswith("label")


Value: TypeAlias = Array | Columns | Answer
Operator: TypeAlias = Callable[[Node, list[Any]], Any]


def check_work(n_products: int) -> None:
    """Refuse products of terms that would take minutes in exact fractions."""
    if n_products > _MOST_PRODUCTS:
        raise Refusal(f"it multiplies {n_products:,} terms, too many to be exact")


def take_columns(value: Any) -> Columns:
    """Return what must be columns."""
    if isinstance(value, Answer) and value.kind == "exp" and value.chosen is None:
        return value.columns.each(lambda feature: feature.apply("exp"))
    if isinstance(value, Answer):
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
