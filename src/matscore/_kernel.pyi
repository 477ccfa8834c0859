# What src/kernel/bind_*.cpp binds. The rest of the program imports matscore.kernel.

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# bind_text.cpp

def read_number(text: bytes, decimal: str) -> float | None: ...
def write_number(number: float) -> bytes: ...
def find_cut(data: bytes, delimiter: str, is_last: bool) -> int: ...
def count_lines(data: bytes) -> tuple[int, int]: ...
def write_rows(
    is_json: bool,
    delimiter: str,
    row_end: str,
    precision: int,
    excel_safe: bool,
    keys: Sequence[str],
    columns: Sequence[tuple[object, ...]],
) -> bytearray: ...
def parse(
    data: bytes,
    delimiter: str,
    decimal: str,
    width: int,
    features: Sequence[int],
    texts: Sequence[int],
    kept: Sequence[int],
    levels: Sequence[tuple[int, Levels]],
    policies: tuple[int, int],
    missing_values: Sequence[str],
    names: Sequence[str],
    has_labels: bool,
    booleans: Sequence[tuple[int, tuple[str, str]]],
) -> tuple[
    NDArray[np.float64],
    list[tuple[NDArray[np.uint64], NDArray[np.uint8], NDArray[np.bool_] | None]],
    int,
    NDArray[np.int64] | None,
    NDArray[np.bool_] | None,
    NDArray[np.int64],
    tuple[int, int, int],
]: ...

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

class TextCounts:
    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def add(
        self,
        offsets: NDArray[np.uint64],
        bytes: NDArray[np.uint8],
        missing_values: Sequence[str],
        decimal: str,
        counts: NDArray[np.int64] | None,
        /,
    ) -> int: ...
    def counted(self) -> tuple[NDArray[np.uint64], NDArray[np.uint8], NDArray[np.int64]]: ...

# bind_arithmetic.cpp. Features (n_features, n_rows), weights (n_features, n_categories), an
# intercept (n_categories,), scores (n_categories, n_rows).

_Floats = NDArray[np.float64]
_Places = NDArray[np.int64]
_Marks = NDArray[np.bool_]

def exp(values: _Floats) -> _Floats: ...
def rounding_unit(n_features: int) -> float: ...
def instruction_sets() -> list[str]: ...
def use(instruction_set: str) -> None: ...

class Model:
    def __init__(
        self,
        weights: _Floats,
        intercept: _Floats | None = None,
        gathers: tuple[_Places, tuple[tuple[int, int, _Places], ...], int] | None = None,
    ) -> None: ...
    def score(
        self, features: _Floats, keep: bool = True
    ) -> tuple[_Floats, _Places, _Floats, _Marks, _Marks]: ...
    def error_bound(self, features: _Floats) -> _Floats: ...
    def tied_cells(self, features: _Floats, scores: _Floats) -> _Marks: ...
    def rank(self, features: _Floats, scores: _Floats, k: int) -> tuple[_Places, _Marks]: ...

class Items:
    def __init__(self, n_features: int, *, cosine: bool = False, spill: int = -1) -> None: ...
    def __len__(self) -> int: ...
    def n_blocks(self) -> int: ...
    def unpack(self, block: int) -> _Floats: ...
    def add(self, rows: _Floats) -> None: ...
    def recommend(
        self,
        users: _Floats,
        k: int,
        *,
        min_score: float = ...,
        starts: _Places | None = None,
        excluded: _Places | None = None,
        most_pairs: int = 2097152,
    ) -> tuple[_Places, _Places, _Floats, _Marks, _Places]: ...
    def score(self, users: _Floats) -> _Floats: ...
