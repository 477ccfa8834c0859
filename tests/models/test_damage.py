"""Files of every source, cut anywhere and changed anywhere: a model or a refusal, and in time."""

from __future__ import annotations

import contextlib
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matscore.models.bounds import ModelFile, Refusal, inflate
from matscore.models.options import ImportOptions
from matscore.models.pickles import read_pickle
from matscore.models.records import Name, Record
from matscore.models.sample import settle_model
from matscore.models.saved import read_saved
from matscore.models.sources import iter_sources, read_model
from matscore.models.weights import make_table

FOLDER = Path(__file__).parent
_MOST_BYTES = 100_000
FILES = sorted(
    path
    for path in FOLDER.rglob("*")
    if path.is_file() and path.suffix != ".py" and path.stat().st_size < _MOST_BYTES
)
_PATIENCE = 10.0


def take_over(data: bytes, name: str = "model") -> bool:
    """Say whether bytes are a model; they may be refused, and nothing else."""
    options = ImportOptions(lambda_="0.1", link=None)
    try:
        make_table(settle_model(read_model(ModelFile(name, data), options), options))
    except Refusal as error:
        assert error.what
        return False
    return True


def damage(data: bytes, draw: random.Random) -> bytes:
    """Cut bytes, change some, take some out, or double some."""
    i, j = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    kind = draw.randrange(5)
    if kind == 0:
        return data[:i]
    if kind == 1:
        return data[:i] + bytes([draw.randrange(256)]) + data[i + 1 :]
    if kind == 2:
        return data[:i] + bytes([0xFF] * draw.choice((1, 4, 8))) + data[i + 8 :]
    if kind == 3:
        return data[:i] + data[j:]
    return data[:j] + data[i:]


def spoil(path: Path, n_times: int, seed: int) -> None:
    data, draw = path.read_bytes(), random.Random(f"{path.name} {seed}")
    for _ in range(n_times):
        damaged = damage(data, draw)
        started = time.monotonic()
        take_over(damaged)
        assert time.monotonic() - started < _PATIENCE


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_damaged_files_end_in_a_refusal(path: Path) -> None:
    spoil(path, 6, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_many_damaged_files_end_in_a_refusal(path: Path) -> None:
    spoil(path, 300, seed=1)


ODD: list[Any] = [
    None, True, -1, 2**70, 0.5, math.nan, "", "a", b"ab", [], ["a", None], [[1], [1, 2]], (),
    (1, "a", [0]), {}, {"a": 1}, np.array(3), np.array([]), np.array([1.5, 2]), np.zeros((2, 2)),
    np.array(["a"], dtype=object), np.zeros((2, 2, 2)), Name("numpy", "float64"), Record(None),
    Record(Name("sklearn.preprocessing", "StandardScaler")), slice(0, 1), slice("a", None),
]  # fmt: skip
SAVED = [*FOLDER.glob("sklearn/1.9.1/*.joblib*"), *FOLDER.glob("statsmodels/*.gz")]


def find_places(root: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what can be exchanged within records: a dict and its key, a list and its index."""
    todo, seen = [root], set()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Record):
            yield one, "state"
            todo += [one.state, *one.args]
        elif isinstance(one, dict):
            yield from ((one, key) for key in one)
            todo += one.values()
        elif isinstance(one, list | tuple):
            yield from ((one, i) for i in range(len(one)) if isinstance(one, list))
            todo += one


def exchange(data: bytes, draw: random.Random) -> None:
    root = read_pickle(inflate(data))
    holder, key = draw.choice(list(find_places(root)))
    if isinstance(holder, Record):
        holder.state = draw.choice(ODD)
    else:
        holder[key] = draw.choice(ODD)
    with contextlib.suppress(Refusal):
        make_table(read_saved(root))


def test_values_of_another_kind_end_in_a_refusal() -> None:
    draw = random.Random(0)
    for _ in range(200):
        exchange(draw.choice(SAVED).read_bytes(), draw)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 9))
def test_many_values_of_another_kind_end_in_a_refusal(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(3000):
        exchange(draw.choice(SAVED).read_bytes(), draw)


def test_any_bytes_at_all_end_in_a_refusal() -> None:
    draw = random.Random(0)
    heads = [b"", b"\x80\x04", b"PK\x03\x04", b"\x1f\x8b\x08", b"<?xml", b"{", b"X\n", b"\x08\x07"]
    for head in heads:
        for _ in range(30):
            take_over(head + draw.randbytes(draw.randrange(200)))


def test_each_source_says_what_it_is() -> None:
    names = [source.name for source in iter_sources()]
    assert len(names) > 10
    assert names[-1] == "a table of coefficients"
