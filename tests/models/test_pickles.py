from __future__ import annotations

import collections
import gzip
import io
import pickle
import struct
import subprocess
import sys
import zlib
from importlib import resources
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from matscore.models.bounds import ModelFile, Refusal, inflate
from matscore.models.pickles import read_pickle
from matscore.models.records import Array, Name, Record, array, plain
from matscore.models.saved import SOURCES

PROTOCOLS = range(6)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**900), 2**900)
    | st.floats()
    | st.text()
    | st.binary(max_size=300)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(-(2**59), 2**59), inner)
        | st.dictionaries(st.text(), inner).map(collections.OrderedDict)
    ),
    max_leaves=30,
)


class Thing:
    """An object with a state."""

    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, NaN as well, and of one type."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other or one != one)  # noqa: PLR0124


@given(VALUES, st.sampled_from(PROTOCOLS))
def test_plain_values(value: Any, protocol: int) -> None:
    assert same(read_pickle(pickle.dumps(value, protocol)), value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sets_are_lists_and_objects_are_records(protocol: int) -> None:
    found = read_pickle(pickle.dumps({"a": {3}, "b": frozenset([4]), "c": Thing(x=1)}, protocol))
    assert list(found["a"]) == [3]
    assert list(found["b"]) == [4]
    assert isinstance(found["c"], Record)
    assert found["c"].of == Name(Thing.__module__, "Thing")
    assert found["c"].attributes == {"x": 1}


def test_one_object_twice_is_one_record() -> None:
    thing = Thing(x=1)
    one, other = read_pickle(pickle.dumps([thing, thing]))
    assert one is other


ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(12.0).reshape(3, 4)[:, ::2],
    np.array([1, -2], dtype=">i2"),
    np.array([[True, False]]),
    np.array(["a", "ünï", ""]),
    np.array([b"a", b"bc"]),
    np.array(["a", None, 1.5, True], dtype=object),
    np.array([["a", "b"], ["c", "d"]], dtype=object, order="F"),
    np.empty((0, 3)),
    np.array(2.5),
    np.array([1.5, 2.5], dtype=np.float32),
    np.array([1 + 2j]),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("expected", ARRAYS, ids=lambda one: f"{one.dtype}{one.shape}")
def test_arrays(expected: Array, protocol: int) -> None:
    check_array(array(read_pickle(pickle.dumps(expected, protocol))), expected)


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    "compress", [0, 1, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)], ids=str
)
def test_arrays_of_joblib(protocol: int, compress: Any) -> None:
    stream = io.BytesIO()
    joblib.dump({"list": ARRAYS, "again": ARRAYS[0]}, stream, compress=compress, protocol=protocol)
    found = read_pickle(inflate(stream.getvalue()))
    for one, expected in zip(found["list"], ARRAYS, strict=True):
        check_array(array(one), expected)
    check_array(array(found["again"]), ARRAYS[0])


def check_array(found: Array, expected: Array) -> None:
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert [plain(one) for one in found.ravel().tolist()] == expected.ravel().tolist()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scalars(protocol: int) -> None:
    values = [np.float64(0.1), np.int32(-7), np.bool_(True), np.str_("x"), np.float32(0.5)]
    found = [plain(one) for one in read_pickle(pickle.dumps(values, protocol))]
    assert same(found, [0.1, -7, True, "x", 0.5])


@pytest.mark.parametrize("protocol", range(2, 6))
def test_pandas(protocol: int) -> None:
    texts = ["a", None, "ünï", ""]
    for index in (
        pd.Index(["a", "b"]),
        pd.Index([1, 5]),
        pd.RangeIndex(4),
        pd.Index(["a", None], dtype=object),
    ):
        found = array(read_pickle(pickle.dumps(index, protocol))).tolist()
        assert found == [None if pd.isna(one) else one for one in index]
    series: list[Any] = [pd.Series(texts), pd.Series(texts)[1:], pd.Series(texts, dtype="category")]
    for kept in series:
        found = array(read_pickle(pickle.dumps(kept.array, protocol))).tolist()
        assert found == [None if pd.isna(one) else one for one in kept]
    assert array(read_pickle(pickle.dumps(pd.Series([1.5, 2.5]), protocol))).tolist() == [1.5, 2.5]


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_sparse_matrices(kind: Any, protocol: int) -> None:
    expected = np.array([[0, 1.5, 0], [2.5, 0, 0]])
    assert (array(read_pickle(pickle.dumps(kind(expected), protocol))) == expected).all()


def test_files_of_old_joblib() -> None:
    """Files of joblib 0.8 to 0.11 and Python 2.7 to 3.6; before 0.10 arrays were kept otherwise."""
    folder = Path(str(resources.files("joblib.test") / "data"))
    n_arrays = 0
    for path in sorted(folder.glob("joblib_*")):
        if ".npy" in path.name or "dev0" in path.name:
            continue
        file = ModelFile(str(path), path.read_bytes())
        source = next(one for one in SOURCES if one.recognise(file))
        before = path.name.startswith(("joblib_0.8", "joblib_0.9"))
        with pytest.raises(Refusal, match="before 0.10" if before else "no fitted model"):
            source.read(file, None)  # type: ignore[arg-type]
        n_arrays += 1
    assert n_arrays >= 30


# --------------------------------------------------------------------------------------- refusals


DAMAGED = "cut off, or its parts do not fit"


def refuse(data: bytes, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        array(read_pickle(data))


def test_what_reaches_outside_is_refused() -> None:
    refuse(b"\x80\x02Pid\n.", "outside")
    refuse(b"\x80\x02K\x01Q.", "outside")
    refuse(b"\x80\x02\x82\x01.", "outside of it .EXT1")
    refuse(b"\x80\x02\x83\x01\x00.", "outside of it .EXT2")
    refuse(b"\x80\x05\x97.", "outside")
    refuse(pickle.dumps(1) + b"x", "follows")


def test_arrays_whose_bytes_do_not_fit_are_refused() -> None:
    of = pickle.dumps(np.arange(3.0), 2)
    assert of.count(b"K\x03\x85") == 1
    refuse(of.replace(b"K\x03\x85", b"K\x04\x85"), DAMAGED)
    refuse(of.replace(b"K\x03\x85", b"K\x02\x85"), DAMAGED)
    objects = pickle.dumps(np.array(["a", "b"], dtype=object), 2)
    refuse(objects.replace(b"K\x02\x85", b"K\x09\x85"), DAMAGED)
    refuse(pickle.dumps(np.zeros(2, dtype=[("a", "f8")]), 2), DAMAGED)
    matrix = sparse.csr_matrix(np.eye(3))
    matrix.indices[2] = 7
    refuse(pickle.dumps(matrix), DAMAGED)
    joined = io.BytesIO()
    joblib.dump(np.arange(3.0), joined)
    refuse(joined.getvalue()[:-30], DAMAGED)


HOSTILE = {
    "huge text": b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b".",
    "huge bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".",
    "huge bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**63) + b".",
    "huge frame": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b".",
    "negative long": b"\x80\x02\x8b" + struct.pack("<i", -5) + b".",
    "huge integer": b"\x80\x02\x8b" + struct.pack("<i", 200) + b"\x7f" * 200 + b".",
    "huge decimal": b"L" + b"9" * 100_000 + b"L\n.",
    "far memo": b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b"j" + struct.pack("<I", 5) + b".",
    "empty stack": b"\x80\x02.",
    "mark of nothing": b"\x80\x02t.",
    "deep tuples": b"\x80\x02N" + b"\x85" * 10**6 + b".",
    "deep lists": b"\x80\x02" + b"]" * 10**6 + b"a" * (10**6 - 1) + b".",
    "a list in itself": b"\x80\x02]q\x00h\x00a.",
    "a dict as a key": b"\x80\x02}}Ns.",
    "deep keys": b"\x80\x02}N" + b"\x85" * 100 + b"Ns.",
    "doubling tuples": b"\x80\x02)" + b"2\x86" * 200 + b".",
    "colliding keys": b"\x80\x02}("
    + b"".join(b"\x8a\x0a" + (i * (2**61 - 1)).to_bytes(10, "little") + b"N" for i in range(20_000))
    + b"u.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name: str) -> None:
    file = ModelFile("x.pkl", HOSTILE[name])
    source = next((one for one in SOURCES if one.recognise(file)), SOURCES[1])
    with pytest.raises(Refusal):
        source.read(file, None)  # type: ignore[arg-type]


def test_bombs_end_early() -> None:
    flood = b"\x80\x02(" + b"]" * 40_000_000
    for data in (zlib.compress(flood, 1), gzip.compress(flood, 1)):
        with pytest.raises(Refusal, match="too many for a model"):
            read_pickle(inflate(data))
    for few in (b"]", b"}", b"cos\nsystem\n"):
        with pytest.raises(Refusal, match="more objects"):
            read_pickle(b"\x80\x02(" + few * 400_000 + b"l.", size=1000)
    with pytest.raises(Refusal, match="more objects"):
        read_pickle(b"\x80\x02(" + b"N" * 2_000_000 + b"l.", size=1000)


_WATCH = """
import sys, pickle
from pathlib import Path
from matscore.models.bounds import ModelFile
from matscore.models.saved import SOURCES
from matscore.models.bounds import Refusal
import matscore.models.sources
"".encode("raw-unicode-escape")  # Python loads a codec when it first needs it

seen = []
def watch(event, args):
    if event.split(".")[0] in ("import", "exec", "compile", "open", "os", "subprocess", "pickle",
                               "shutil", "socket", "builtins", "ctypes"):
        seen.append((event, str(args)[:200]))
files = [ModelFile(path, Path(path).read_bytes()) for path in sys.argv[1:]]
sys.addaudithook(watch)
for file in files:
    source = next(one for one in SOURCES if one.recognise(file))
    try:
        source.read(file, None)
    except Refusal as refusal:
        found = str(refusal)
sys.stdout.write(repr(seen))
"""


class Runs:
    """An object whose pickle calls what it is told to."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


def test_nothing_of_a_file_is_run_or_imported(tmp_path: Path) -> None:
    """Pickles that write a file, import a module and run a command, alone and in a model."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    target = tmp_path / "written"
    calls = [
        (eval, f"open({str(target)!r}, 'w')"),
        (exec, "import antigravity"),
        (__import__, "this"),
        (print, "ran"),
        (open, str(target), "w"),
        (subprocess.call, ["touch", str(target)]),
    ]
    paths = []
    for i, call in enumerate(calls):
        for protocol in PROTOCOLS:
            model.extra = Runs(*call)
            for j, thing in enumerate((Runs(*call), model, [Runs(*call)])):
                path = tmp_path / f"{i}_{protocol}_{j}.pkl"
                path.write_bytes(pickle.dumps(thing, protocol))
                paths.append(path)
    model.extra = None
    honest = tmp_path / "honest.pkl"
    honest.write_bytes(pickle.dumps(model))
    command = [sys.executable, "-c", _WATCH, *map(str, [honest, *paths])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]", done.stdout
    assert not target.exists()
