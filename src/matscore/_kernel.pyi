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
    format: int,
    precision: int,
    excel_safe: bool,
    names: Sequence[str],
    columns: Sequence[tuple[object, ...]],
) -> bytes: ...
def parse(
    data: bytes,
    delimiter: str,
    decimal: str,
    width: int,
    features: Sequence[int],
    texts: Sequence[int],
    missing: int,
    missing_values: Sequence[str],
    names: Sequence[str],
    has_labels: bool,
) -> tuple[
    NDArray[np.float64],
    list[tuple[NDArray[np.uint64], NDArray[np.uint8], NDArray[np.bool_] | None]],
    int,
    NDArray[np.int64] | None,
    NDArray[np.bool_] | None,
    NDArray[np.int64],
    tuple[int, int, int],
]: ...
