# What src/kernel/bind.cpp binds. The rest of the program imports matscore.kernel.

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def read_number(text: bytes, decimal: str) -> float | None: ...
def write_number(number: float) -> bytes: ...

# Line ends, those inside quotes, after the last one outside (before a misplaced quote), the first
# misplaced quote or -1, whether it would close, whether the text ends inside quotes.
def scan(data: bytes, delimiter: str) -> tuple[int, int, int, int, bool, bool]: ...
def write_rows(
    is_json: bool,
    delimiter: str,
    row_end: str,
    columns: Sequence[tuple[object, ...]],
    n_rows: int,
) -> bytearray: ...
def parse(
    data: bytes,
    delimiter: str,
    decimal: str,
    width: int,
    missing: int,
    unknown: int,
    features: Sequence[int],
    texts: Sequence[int],
    kept: Sequence[int],
    levels: Sequence[tuple[int, Levels]],
    missing_values: Sequence[str],
    names: Sequence[str],
    has_labels: bool,
    booleans: Sequence[tuple[int, tuple[str, str]]],
) -> tuple[
    int,
    int,
    NDArray[np.float64],
    list[tuple[NDArray[np.uint64], NDArray[np.uint8], NDArray[np.bool_]]],
    NDArray[np.bool_],
    NDArray[np.int64],
]: ...

class TextTable:
    def __init__(self) -> None: ...
    def number(
        self,
        offsets: NDArray[np.uint64],
        bytes: NDArray[np.uint8],
        missing_values: Sequence[str],
        decimal: str,
        /,
    ) -> NDArray[np.int64]: ...
    def texts(self) -> list[str]: ...

class Levels:
    def __init__(
        self, levels: Sequence[str], numeric: bool, other: bool, missing: bool, /
    ) -> None: ...
    def find(
        self,
        offsets: NDArray[np.uint64],
        bytes: NDArray[np.uint8],
        missing_values: Sequence[str],
        decimal: str,
        /,
    ) -> NDArray[np.float64]: ...

# Features (n_features, n_rows), weights (n_features, n_categories), an intercept (n_categories,),
# scores (n_categories, n_rows). What comes back is flat.

_Floats = NDArray[np.float64]
_Places = NDArray[np.int64]
_Marks = NDArray[np.bool_]

def exp(values: _Floats) -> _Floats: ...
def norms(rows: _Floats) -> _Floats: ...
def rounding_unit(n_features: int) -> float: ...
def instruction_sets() -> list[str]: ...
def use(instruction_set: str) -> None: ...

class Model:
    def __init__(
        self,
        weights: _Floats,
        intercept: _Floats,
        n_stored: int,
        groups: Sequence[tuple[int, int, _Places]],
    ) -> None: ...
    def score(
        self, features: _Floats, keep: bool
    ) -> tuple[_Floats, _Places, _Floats, _Marks, _Marks]: ...
    def error_bound(self, features: _Floats) -> _Floats: ...
    def rank(self, features: _Floats, scores: _Floats, k: int) -> tuple[_Places, _Marks]: ...

class Search:
    def __init__(
        self,
        users: _Floats,
        norms: _Floats | None,
        k: int,
        least: float,
        most_pairs: int,
        n_items: int,
        largest: float,
        excluded: _Places,
    ) -> None: ...
    def add(
        self,
        rows: _Floats,
        norms: _Floats | None,
        items: _Places,
        starts: _Places,
    ) -> bool: ...
    def take(self) -> tuple[_Places, _Places, _Floats, _Marks, _Places]: ...
