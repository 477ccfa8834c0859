"""What flows through a graph of ONNX: columns, and after the model scores, labels and parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np

from matscore.models.algebra import Feature, Number, combine
from matscore.models.onnx_graph import Array, Node
from matscore.models.refusal import Refusal
from matscore.models.texts import TextFeature

Cell: TypeAlias = Feature | TextFeature
Link: TypeAlias = Literal["none", "logistic", "one-vs-rest", "softmax", "log-softmax", "exp"]


_MOST_PRODUCTS = 2_000_000


@dataclass(frozen=True, eq=False)
class Columns:
    """A tensor with a row a record: what each of its columns holds."""

    given: tuple[Cell, ...]
    matrix: Array | None = None  # (n_columns, n_given): products of what is given; None is itself
    added: tuple[Number, ...] = ()  # to the products
    is_whole: bool = False  # integers or booleans

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """What each column holds."""
        if self.matrix is None:
            return self.given
        features = take_features(self.given)
        check_work(sum(len(feature.terms) for feature in features) * len(self.matrix))
        rows = zip(self.matrix, self.added, strict=True)
        return tuple(combine(features, list(row), number) for row, number in rows)

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.given if self.matrix is None else self.matrix)


@dataclass(frozen=True, eq=False)
class Scores:
    """What a link makes of scores."""

    columns: Columns
    link: Link
    labels: tuple[str, ...] | None = None
    chosen: tuple[int, ...] | None = None  # the columns of it that this is; None is all


@dataclass(frozen=True, eq=False)
class Label:
    """The label of the highest score, the first of equal ones."""

    columns: Columns
    labels: tuple[str, ...] | None = None  # None: numbered from 0
    by_probability: bool = False  # by what the link makes of each score, rounded


@dataclass(frozen=True, eq=False)
class Partial:
    """A step on the way from scores to probabilities; others make something of it."""

    kind: Literal["sum", "is zero", "1 + exp", "log of sum", "shape"]
    of: object


Value: TypeAlias = Array | Columns | Scores | Label | Partial
Operator: TypeAlias = Callable[[Node, list[Any]], Any]


def take_features(cells: Sequence[Cell]) -> list[Feature]:
    """Return cells that must be numbers."""
    features = [cell for cell in cells if isinstance(cell, Feature)]
    if len(features) < len(cells):
        raise Refusal("it computes with texts")
    return features


def check_work(n_products: int) -> None:
    """Refuse products of terms that would take minutes in exact fractions."""
    if n_products > _MOST_PRODUCTS:
        raise Refusal(f"it multiplies {n_products:,} terms, too many to be exact")


def take_columns(value: Any) -> Columns:
    """Return what must be columns."""
    if isinstance(value, Scores) and value.link == "exp" and value.chosen is None:
        features = take_features(value.columns.cells)
        return Columns(tuple(feature.apply("exp") for feature in features))
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


def take_whole(value: Any) -> list[int]:
    """Return the whole numbers of what must be a constant of them."""
    numbers = take_array(value).ravel().tolist()
    if not all(isinstance(n, int) or n.is_integer() for n in numbers):
        raise Refusal("it has numbers that are not whole where it counts")
    return [int(n) for n in numbers]


def take_numbers(node: Node, attribute: str, size: int) -> list[float]:
    """Take a list of numbers, one for all or one for each of the columns."""
    numbers = list(node.take(attribute, ()))
    if len(numbers) not in (1, size):
        raise Refusal(f"its {attribute} has {len(numbers)} numbers for {size} columns")
    return numbers * size if len(numbers) == 1 else numbers


def check_axis(axis: Any) -> None:
    """Refuse an axis that is not that of the columns."""
    if axis not in (1, -1):
        raise Refusal(f"it works along the axis {axis}, not along the columns")


def as_row(value: Any, width: int) -> list[Any]:
    """Return columns or a constant as `width` cells, one of them repeated."""
    if isinstance(value, np.ndarray):
        if value.size != (value.shape[-1] if value.ndim else 1):
            raise Refusal("it has a constant of several rows")
        cells: list[Any] = value.ravel().tolist()
    else:
        cells = list(take_features(take_columns(value).cells))
    if len(cells) not in (1, width):
        raise Refusal(f"{len(cells)} and {width} columns do not fit")
    return cells * width if len(cells) == 1 else cells


def multiply(columns: Columns, matrix: Array, added: Sequence[Number] = ()) -> Columns:
    """Return the products of columns with a matrix (n_made, n_columns), and what is added."""
    if matrix.ndim == 1:
        matrix = matrix[None]
    if matrix.ndim != 2 or matrix.shape[1] != columns.width:
        shape = " × ".join(map(str, matrix.shape))
        raise Refusal(f"its weights are {shape}, where {columns.width:,} columns come in")
    return Columns(columns.cells, matrix.astype(np.float64), tuple(added) or (0,) * len(matrix))


def check_axes(node: Node, values: list[Any]) -> None:
    """Refuse a reduction that is not one along the columns."""
    for axis in take_axes(node, values) or [0]:  # without one it is along all of them
        check_axis(axis)
    node.take("keepdims")


def take_axes(node: Node, values: list[Any]) -> list[int]:
    """Return the axes of a reduction: an attribute, or since version 13 an input."""
    given = take_whole(values[1]) if len(values) > 1 and values[1] is not None else []
    return node.take("axes", []) or given
