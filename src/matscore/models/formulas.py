"""Names of columns that a formula made, such as ``C(region)[T.North]:np.log(age)``, as features.

Read as Python's grammar reads them, never run. What a name says is then checked against the numbers
that the model was fitted to (`Design`), so that no level is told from a name by guessing. The
names: https://patsy.readthedocs.io and https://matthewwardrop.github.io/formulaic
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from matscore.models.algebra import Feature, Kind, Number, column, constant
from matscore.models.bounds import Refusal, check_fit
from matscore.models.columns import Raw, write_level
from matscore.models.operations import OF_NUMPY, compute
from matscore.models.records import Array, Record, array, manager_parts, plain
from matscore.terms import Factor, Function, Interval, Level, Missing, Other, Power

CONSTANTS = ("Intercept", "const", "1")
_MOST_CHARACTERS = 10_000
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_CODED = re.compile(r"(?P<code>.+?)\[(?P<scheme>[TSHDR]\.)?(?P<level>.*)\]", re.DOTALL)


@dataclass
class Design:
    """The matrix that a model was fitted to, and the frame that it was made of."""

    frame: Frame
    matrix: Array  # (n_rows, n_names), float64
    names: list[str]

    def read(self, name: str) -> Feature:
        """Return what a name stands for, after it gave the numbers of the matrix."""
        found = constant(1)
        for part in split_name(name):
            found = found * self._factor(part)
        there = self.matrix[:, self.names.index(name)]
        here = evaluate(found, self.frame)
        scale = np.abs(there).max(initial=1.0)
        if here.shape != there.shape or not np.allclose(here, there, rtol=1e-9, atol=1e-12 * scale):
            raise Refusal(f'what its column "{name}" is made of cannot be told')
        return found

    def _factor(self, part: str) -> Feature:
        match = _CODED.fullmatch(part)
        code = part if match is None else match["code"]
        name = find_coded_column(code)
        if name is not None and name in self.frame and (match or self._is_scheme(part)):
            return self._coded(part, name, match)
        if name == part and name in self.frame and self.frame.values(name).dtype.kind == "b":
            yes: dict[str | None, Number] = {"True": 1, "False": 0}
            return Raw(name, "boolean").to_number(yes, other="error")
        if match is not None and match["level"] in ("True", "False"):  # of a comparison
            holds = read_expression(code)
            return holds if match["level"] == "True" else 1 - holds
        return read_expression(part)

    def _is_scheme(self, part: str) -> bool:
        """Whether a name is a contrast without brackets, such as ``C(x, Poly).Linear``."""
        return part in self.names and re.search(r"\)\.[A-Z]", part) is not None

    def _coded(self, part: str, name: str, match: re.Match[str] | None) -> Feature:
        """Return what a text column is coded as: by its level, or as the matrix has it."""
        coded = self.frame.coded(name)
        if match is not None and match["scheme"] in ("T.", None) and match["level"] in coded.names:
            numbers: dict[str | None, Number] = {
                level: int(name == match["level"])
                for level, name in zip(coded.levels, coded.names, strict=True)
            }
        elif part in self.names:
            numbers = _learn(coded, self.matrix[:, self.names.index(part)], part)
        else:
            raise Refusal(f'how "{part}" codes a level cannot be told')
        return Raw(name, coded.kind).to_number(numbers, other="error")


def _learn(coded: Coded, numbers: Array, part: str) -> dict[str | None, Number]:
    """Return the number of each level, where the rows of each level have one."""
    found: dict[str | None, Number] = {}
    for i, level in enumerate(coded.levels):
        of_level = numbers[coded.codes == i]
        if not len(of_level) or (of_level != of_level[0]).any():
            raise Refusal(f'what its column "{part}" is made of cannot be told')
        found[level] = float(of_level[0])
    return found


def split_name(name: str) -> list[str]:
    """Split a name at the colons that stand outside of brackets and quotes."""
    parts, opened, quote, start = [], "", "", 0
    for i, char in enumerate(name):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"`" and not opened.endswith("]"):
            quote = char
        elif char in _BRACKETS:
            opened += _BRACKETS[char]
        elif opened.endswith(char):
            opened = opened[:-1]
        elif char == ":" and not opened:
            parts.append(name[start:i])
            start = i + 1
    return [*parts, name[start:]]


def find_coded_column(code: str) -> str | None:
    """Return the column that a factor of levels is of, such as ``C(region, Sum)``."""
    tree = _parse(code)
    while isinstance(tree, ast.Attribute):  # C(x, Poly).Linear
        tree = tree.value
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "C":
        tree = tree.args[0] if tree.args else tree
    return _column_name(tree) if tree is not None else None


def _column_name(tree: ast.expr) -> str | None:
    if isinstance(tree, ast.Name):
        return tree.id
    match tree:
        case ast.Call(func=ast.Name(id="Q"), args=[ast.Constant(value=str() as name)]):
            return name
    return None


def _parse(code: str) -> ast.expr | None:
    if len(code) > _MOST_CHARACTERS:
        raise Refusal("a name of a column is too long")
    if re.fullmatch(r"`[^`]+`", code):  # as formulaic quotes a name
        return ast.Name(code[1:-1])
    code = code[1:-1] if re.fullmatch(r"\{.*\}", code) else code
    try:
        return ast.parse(code.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def read_expression(code: str) -> Feature:
    """Return the feature that an expression of columns stands for."""
    if code in CONSTANTS:
        return constant(1)
    tree = _parse(code)
    if tree is None:
        raise Refusal(f'its column "{code}" is not read')
    try:
        return _compute(tree)
    except RecursionError as error:
        raise Refusal("an expression of it is too deep") from error


_OPERATORS: Mapping[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "^",
    ast.UAdd: "+", ast.USub: "-", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip


def _compute(tree: ast.expr) -> Feature:  # noqa: PLR0911
    name = _column_name(tree)
    if name is not None:
        return column(name)
    match tree:
        case ast.Constant(value=int() | float() as number):
            return constant(number)
        case ast.UnaryOp(op=op, operand=one) if type(op) in _OPERATORS:
            return compute(_OPERATORS[type(op)], _compute(one))
        case ast.BinOp(left=one, op=op, right=other) if type(op) in _OPERATORS:
            return compute(_OPERATORS[type(op)], _compute(one), _compute(other))
        case ast.Compare(left=one, ops=[op], comparators=[other]) if type(op) in _OPERATORS:
            # No comparison holds for NaN.
            return compute(_OPERATORS[type(op)], _compute(one), _compute(other)).impute(0)
        case ast.Call(func=ast.Name(id="I"), args=[inner], keywords=[]):
            return _compute(inner)
        case ast.Call(
            func=ast.Name(id=name) | ast.Attribute(value=ast.Name(id="np" | "numpy"), attr=name),
            args=[inner],
            keywords=[],
        ) if name in OF_NUMPY:
            return compute(OF_NUMPY[name], _compute(inner))
    raise Refusal(f"{ast.unparse(tree)[:60]} in its formula is not imported")


# ------------------------------------------------------------------------------------- the numbers


def evaluate(feature: Feature, frame: Frame) -> Array:
    """Return a feature's numbers in the rows of a frame, in float64."""
    total = np.zeros(frame.n_rows)
    for term, c in feature.terms.items():
        product = np.full(len(total), float(c))
        for factor in term:
            product = product * _evaluate(factor, frame)
        total = total + product
    return total


def _evaluate(factor: Factor, frame: Frame) -> Array:
    if factor.column not in frame:
        raise Refusal(f'its formula names "{factor.column}", which is no column of its data')
    if isinstance(factor, Level | Other | Missing):
        coded = frame.coded(factor.column)
        if isinstance(factor, Level) and factor.text in coded.levels:
            holds: Array = coded.codes == coded.levels.index(factor.text)
            return holds.astype(np.float64)
        return np.zeros(len(coded.codes))
    x = frame.numbers(factor.column)
    if x is None:
        raise Refusal(f'its formula takes "{factor.column}" for a number')
    with np.errstate(all="ignore"):
        if isinstance(factor, Power):
            powers: Array = x**factor.exponent
            return powers
        if isinstance(factor, Function):
            found: Array = getattr(np, factor.name)(x)
            return found
    assert isinstance(factor, Interval)
    low = (x >= factor.low) if factor.low_closed else (x > factor.low)
    high = (x <= factor.high) if factor.high_closed else (x < factor.high)
    inside: Array = np.logical_and(low, high).astype(np.float64)
    return inside


@dataclass(frozen=True, eq=False)
class Coded:
    """A column as levels: the text of each, and the level of each row, -1 where it is missing."""

    levels: tuple[str, ...]
    names: tuple[str, ...]  # as Python writes them, `2.0` for the level `2`
    codes: Array
    kind: Kind


class Frame:
    """A frame without some of its rows."""

    def __init__(self, record: Record, dropped: Sequence[int] = ()) -> None:
        self._blocks, axes = manager_parts(record)
        check_fit(len(axes) == 2)
        names = map(plain, array(axes[0]).ravel().tolist())
        self.names = [name if isinstance(name, str | int | float) else str(name) for name in names]
        self._n_rows = array(axes[1]).size
        check_fit(all(0 <= row < self._n_rows for row in dropped))
        self._dropped = np.array(sorted(set(dropped)), dtype=np.int64)
        self.n_rows = self._n_rows - len(self._dropped)
        self._coded: dict[str, Coded] = {}

    @cached_property
    def _places(self) -> Mapping[int, tuple[Any, int]]:
        """Return where the values of each column are: a block, and a row of it."""
        found: dict[int, tuple[Any, int]] = {}
        for values, places in self._blocks:
            columns = range(len(self.names))
            if isinstance(places, slice):
                ends = (places.start, places.stop, places.step)
                check_fit(all(end is None or type(end) is int for end in ends) and ends[2] != 0)
                numbers: list[Any] = list(columns[places])
            else:
                numbers = [plain(place) for place in array(places).ravel().tolist()]
            check_fit(all(type(number) is int for number in numbers))
            found.update((number, (values, i)) for i, number in enumerate(numbers))
        return found

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def values(self, name: str) -> Array:
        """Return a column as it is: numbers, booleans, or objects."""
        check_fit((index := self.names.index(name)) in self._places)
        values, row = self._places[index]
        block = array(values)
        check_fit(block.ndim < 2 or row < len(block))
        found = block[row] if block.ndim == 2 else block
        check_fit(found.shape == (self._n_rows,))
        return np.delete(found, self._dropped)

    def numbers(self, name: str) -> Array | None:
        """Return a column as float64; None where it is of something else."""
        found = self.values(name)
        return found.astype(np.float64) if found.dtype.kind in "fiub" else None

    def coded(self, name: str) -> Coded:
        """Return a column as levels."""
        if name not in self._coded:
            self._coded[name] = _code(self.values(name))
        return self._coded[name]


def _code(values: Array) -> Coded:
    items = values.tolist()
    distinct: dict[Any, int] = {}
    codes = np.empty(len(items), dtype=np.int64)
    for i, item in enumerate(map(plain, items)):
        if item is None or (isinstance(item, float) and math.isnan(item)):
            codes[i] = -1
        elif isinstance(item, str | int | float):
            codes[i] = distinct.setdefault(item, len(distinct))
        else:
            raise Refusal("a column of the frame has values that are no levels")
    levels = [write_level(item) for item in distinct]
    if all(isinstance(item, bool) for item in distinct):
        kind: Kind = "boolean"
    else:
        kind = "text" if any(isinstance(item, str) for item in distinct) else "number"
    texts = tuple(level for level in levels if level is not None)
    return Coded(texts, tuple(map(str, distinct)), codes, kind)
