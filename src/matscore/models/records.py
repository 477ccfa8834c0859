"""What a pickle or a skops file holds, as inert records, and the values that they stand for.

A `Record` says which class or function a file names and what it would hand to it; nothing of that
is ever imported or called. What is needed of it, arrays and plain values, is decoded here from its
bytes, with every length checked.
"""

from __future__ import annotations

import itertools
import math
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.models.refusal import Refusal

Array: TypeAlias = NDArray[Any]

_MOST_DENSE = 2**23  # numbers of a sparse matrix that is spread out
_PLAIN_TYPE = re.compile(r"[<>|=]?(?:[biufcSU][0-9]{1,9}|[?bhilqBHILQfd])")
_NPY_HEADER = re.compile(
    rb"\{'descr': '([^']{1,20})', 'fortran_order': (True|False), 'shape': \(([0-9L, ]*)\), \} *\n?"
)
_ARROW_OFFSETS = {"string": "<i4", "large_string": "<i8", "utf8": "<i4", "large_utf8": "<i8"}


@dataclass(frozen=True)
class Name:
    """A class or a function that a file names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    def is_of(self, package: str) -> bool:
        """Whether it belongs to a package."""
        return self.module == package or self.module.startswith(package + ".")


@dataclass(slots=True, eq=False)
class Record:
    """An object that a file describes, or a call that it asks for."""

    of: Name | Record | None  # the class or function; None is nothing that can be made
    args: tuple[Any, ...] = ()
    state: Any = None
    items: list[Any] | None = None  # what a list of its own class holds
    pairs: list[tuple[Any, Any]] | None = None  # what a dict of its own class holds

    @property
    def name(self) -> str:
        """The name of its class, without the module."""
        return self.of.name if isinstance(self.of, Name) else "?"

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What the object holds: of its __dict__ and its slots."""
        parts = self.state if isinstance(self.state, tuple) else (self.state,)
        found: dict[str, Any] = {}
        for part in parts[:2]:
            if isinstance(part, dict):
                found.update((str(key), value) for key, value in part.items())
        return found

    def is_of(self, package: str) -> bool:
        """Whether its class belongs to a package."""
        return isinstance(self.of, Name) and self.of.is_of(package)


def describe(obj: object) -> object:
    """Return an object of this process as the record that its pickle would give."""
    if obj is None or isinstance(obj, str | bytes | int | float | list | tuple | dict | Record):
        return obj
    if isinstance(obj, Name | np.ndarray | np.generic | slice | set | frozenset):
        return obj
    if isinstance(obj, np.ufunc):
        return Name("numpy", obj.__name__)
    if isinstance(obj, type) or (callable(obj) and hasattr(obj, "__qualname__")):
        return Name(obj.__module__ or "", obj.__qualname__)
    kind = type(obj)
    return Record(
        Name(kind.__module__, kind.__qualname__), state=dict(getattr(obj, "__dict__", {}))
    )


# ---------------------------------------------------------------------------------- plain values


def plain(value: Any) -> Any:  # noqa: PLR0911
    """Return the number, text or truth that a value stands for, or the value as it is."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.shape == ():
        return value.item()
    if not isinstance(value, Record):
        return value
    if value.of in _SCALARS and len(value.args) == 2:
        kind = dtype_of(value.args[0])
        if kind.hasobject:
            return value.args[1]
        data = as_bytes(value.args[1])
        if len(data) != kind.itemsize:
            raise Refusal("a number has not the bytes of its type")
        return np.frombuffer(data, kind)[0].item()
    if _is_array(value):
        found = array(value)
        return found.item() if found.shape == () else value
    return value


def as_bytes(value: object) -> bytes | memoryview:
    """Return bytes, those that Python 2 wrote as text too."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value) if isinstance(value, bytearray) else value
    if isinstance(value, str):
        return value.encode("latin-1")
    raise Refusal("bytes are missing where an array needs them")


def dtype_of(value: object) -> np.dtype[Any]:
    """Return a plain type of elements; of structures there are none."""
    if isinstance(value, np.dtype):
        return value
    if isinstance(value, Name):  # `numpy.float64`, where a file of another library names the class
        value = Record(_DTYPE, ({"str_": "U1", "bool": "?"}.get(value.name, value.name),))
    if not (isinstance(value, Record) and value.of == _DTYPE and value.args):
        raise Refusal("the type of an array's elements is not known")
    code, order = value.args[0], "="
    if isinstance(value.state, tuple) and len(value.state) >= 5:
        order = value.state[1]
        if value.state[2] is not None or value.state[4] is not None:
            raise Refusal("arrays of structures are not read")
    code = code.decode("latin-1") if isinstance(code, bytes) else code
    if code in ("O8", "O", "object", "O4", "|O8", "|O4", "|O"):
        return np.dtype(object)
    code = _NAMED_TYPES.get(code, code) if isinstance(code, str) else ""
    if not _PLAIN_TYPE.fullmatch(code) or order not in ("<", ">", "|", "="):
        raise Refusal(f"arrays of the type {str(code)[:20]!r} are not read")
    try:
        found = np.dtype(code)
    except TypeError as error:
        raise Refusal(f"there is no type {code!r}") from error
    return found.newbyteorder(order) if order in "<>" else found  # type: ignore[arg-type]


def shape_of(value: object, most: int) -> tuple[int, ...]:
    """Return a shape whose elements are no more than `most`."""
    sizes: list[Any] = [plain(size) for size in value] if isinstance(value, tuple | list) else [-1]
    if len(sizes) > 32 or not all(type(size) is int and size >= 0 for size in sizes):
        raise Refusal("an array has no shape")
    if math.prod(sizes) > most:
        raise Refusal("an array ends before its last element")
    return tuple(sizes)


def from_bytes(data: bytes | memoryview, kind: np.dtype[Any], shape: object, order: str) -> Array:
    """Return the array that bytes hold, without a copy."""
    if kind.hasobject or not kind.itemsize:
        raise Refusal("an array of objects cannot be bytes")
    sizes = shape_of(shape, len(data) // kind.itemsize)
    count = math.prod(sizes)
    if count * kind.itemsize != len(data):
        raise Refusal("an array has not as many bytes as its shape needs")
    return np.frombuffer(data, kind, count).reshape(sizes, order="F" if order == "F" else "C")


def from_items(items: list[Any], shape: object) -> Array:
    """Return an array of objects, which stand row in row whatever its order in memory was."""
    sizes = shape_of(shape, len(items))
    if math.prod(sizes) != len(items):
        raise Refusal("an array has not as many elements as its shape needs")
    found = np.fromiter(items, dtype=object, count=len(items))
    return found.reshape(sizes)


# ---------------------------------------------------------------------------------------- arrays


def array(value: Any) -> Array:
    """Return the array that a value stands for: of NumPy, pandas or SciPy; lists become arrays."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, list | tuple):
        return np.fromiter((plain(item) for item in value), dtype=object, count=len(value))
    if isinstance(value, Record):
        if isinstance(value.of, Name):
            decode = _ARRAYS.get(value.of.name)
            if decode is not None and value.of.module.split(".")[0] in _PACKAGES:
                return decode(value)
        raise Refusal(f"{value.of} is not read as an array")
    raise Refusal("an array is missing")


def read_npy(data: bytes, read_objects: Callable[[bytes], Any] | None = None) -> Array:
    """Read an array from a file of NumPy; objects stand there as a pickle.

    The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """
    wide = data[6:7] > b"\1"
    start = 12 if wide else 10
    if not data.startswith(b"\x93NUMPY") or len(data) < start:
        raise Refusal("an array is no .npy file")
    (length,) = struct.unpack_from("<I" if wide else "<H", data, 8)
    header = _NPY_HEADER.fullmatch(data[start : start + length])
    if header is None:
        raise Refusal("an array has a .npy header that is not read")
    code, fortran, sizes = header.groups()
    shape = tuple(int(size.strip(b" L")) for size in sizes.split(b",") if size.strip())
    kind = dtype_of(Record(_DTYPE, (code.decode("latin-1"),)))
    if kind.hasobject and read_objects is not None:
        return array(read_objects(data[start + length :]))
    rest = memoryview(data)[start + length :]
    return from_bytes(rest, kind, shape, "F" if fortran == b"True" else "C")


def _is_array(value: Record) -> bool:
    return isinstance(value.of, Name) and value.of.name in ("_reconstruct", "_frombuffer")


def _reconstructed(value: Record) -> Array:
    state = value.state
    if not value.args or value.args[0] not in _PLAIN_ARRAYS:
        raise Refusal(f"arrays of the class {value.args[0] if value.args else '?'}")
    if not (isinstance(state, tuple) and len(state) >= 4):
        raise Refusal("an array has no state")
    shape, kind, fortran, data = state[-4:]
    kind = dtype_of(kind)
    if isinstance(data, list):
        found = from_items(data, shape)
        if not kind.hasobject:
            raise Refusal("an array of numbers is a list of objects")
        return found
    return from_bytes(as_bytes(data), kind, shape, "F" if fortran else "C")


def _buffered(value: Record) -> Array:
    if len(value.args) < 4:
        raise Refusal("an array has no shape")
    data, kind, shape, order = value.args[:4]
    if isinstance(data, Record):  # a view of another array
        data = np.ascontiguousarray(array(data)).tobytes()
    return from_bytes(as_bytes(data), dtype_of(kind), shape, order)


def _indexed(value: Record) -> Array:
    """Return the values of a pandas Index."""
    parts = value.args[1] if len(value.args) > 1 and isinstance(value.args[1], dict) else {}
    if "data" in parts:
        return array(parts["data"])
    if {"start", "stop", "step"} <= parts.keys():
        start, stop, step = (plain(parts[key]) for key in ("start", "stop", "step"))
        found = range(start, stop, step)
        return np.arange(start, stop, step) if len(found) < _MOST_DENSE else array(None)
    raise Refusal("an index of pandas has no values")


def _arrow_texts(value: Record) -> Array:
    """Return the texts of an array of Arrow, None where one is missing.

    The layout of variable-size strings: https://arrow.apache.org/docs/format/Columnar.html
    """
    parts = value.attributes.get("_pa_array", value)
    if isinstance(parts, Record) and parts.name == "chunked_array":
        chunks = parts.args[0] if parts.args and isinstance(parts.args[0], list) else []
        found = [_arrow_texts(chunk) for chunk in chunks if isinstance(chunk, Record)]
        return np.concatenate(found) if found else np.empty(0, object)
    if not (isinstance(parts, Record) and parts.name == "_restore_array" and parts.args):
        raise Refusal("texts of Arrow are not as they should be")
    fields = parts.args[0]
    if not (isinstance(fields, tuple) and len(fields) >= 5 and isinstance(fields[4], list)):
        raise Refusal("texts of Arrow are not as they should be")
    kind, length, _, start = fields[:4]
    offsets = _ARROW_OFFSETS.get(kind.args[0] if isinstance(kind, Record) and kind.args else "")
    buffers = [_arrow_buffer(buffer) for buffer in fields[4]]
    if offsets is None or len(buffers) != 3 or buffers[1] is None:
        raise Refusal("only texts of Arrow are read")
    valid, ends, data = buffers[0], buffers[1], buffers[2] or b""
    if type(length) is not int or type(start) is not int or min(length, start) < 0:
        raise Refusal("texts of Arrow have no length")
    bounds = np.frombuffer(ends[: len(ends) // 8 * 8], offsets)
    if len(bounds) < start + length + 1 and length:
        raise Refusal("texts of Arrow end too soon")
    return np.fromiter(
        _iter_texts(valid, bounds[start : start + length + 1].tolist(), data, start), object
    )


def _iter_texts(
    valid: bytes | memoryview | None, bounds: list[int], data: bytes | memoryview, start: int
) -> Iterator[str | None]:
    if valid is not None and len(valid) * 8 < start + len(bounds) - 1:
        raise Refusal("texts of Arrow end too soon")
    for number, (low, high) in enumerate(itertools.pairwise(bounds), start):
        if valid is not None and not valid[number // 8] >> (number % 8) & 1:
            yield None
        elif not 0 <= low <= high <= len(data):
            raise Refusal("texts of Arrow point past their end")
        else:
            yield bytes(data[low:high]).decode()


def _arrow_buffer(value: object) -> bytes | memoryview | None:
    if value is None:
        return None
    if isinstance(value, Record) and value.name == "py_buffer" and value.args:
        return as_bytes(value.args[0])
    raise Refusal("a buffer of Arrow is missing")


def _extended(value: Record) -> Array:
    """Return the values of an array of pandas that holds one of NumPy."""
    found = value.attributes.get("_ndarray")
    kind = value.attributes.get("_dtype")
    if isinstance(value.state, tuple) and value.state and kind is None:
        kind = value.state[0]
    if isinstance(kind, Record) and kind.name == "CategoricalDtype":
        return _categorical(value, kind)
    if found is None and isinstance(value.state, tuple):  # as pandas' own Cython classes have it
        found = next((part for part in value.state if isinstance(part, np.ndarray | Record)), None)
    return array(found)


def _categorical(value: Record, kind: Record) -> Array:
    """Return the categories of a pandas Categorical row by row, None where one is missing."""
    parts = value.state if isinstance(value.state, tuple) else ()
    codes = value.attributes.get("_ndarray", value.attributes.get("_codes"))
    if codes is None:
        codes = next((p for p in parts[1:] if isinstance(p, np.ndarray | Record)), None)
    numbers = array(codes)
    found = [*array(kind.attributes.get("categories")).tolist(), None]
    if numbers.dtype.kind != "i" or (
        numbers.size and not -1 <= int(numbers.min()) <= int(numbers.max()) < len(found) - 1
    ):
        raise Refusal("categories of pandas point past their end")
    return np.fromiter((found[code] for code in numbers.ravel().tolist()), object, numbers.size)


def _series(value: Record) -> Array:
    """Return the values of a pandas Series: those of its only block."""
    manager = value.attributes.get("_mgr", value.attributes.get("_data"))
    blocks = manager_parts(manager)[0] if isinstance(manager, Record) else []
    if len(blocks) != 1:
        raise Refusal("a series of pandas is not as it should be")
    return array(blocks[0][0]).reshape(-1)


def manager_parts(manager: Record) -> tuple[list[tuple[Any, Any]], Sequence[Any]]:
    """Return the blocks of values with their columns, and the axes, of any version of pandas."""
    if len(manager.args) >= 2 and isinstance(manager.args[0], tuple):
        blocks, axes = manager.args[:2]
        if all(isinstance(block, Record) and len(block.args) >= 2 for block in blocks):
            return [block.args[:2] for block in blocks], axes
    state = manager.state
    if isinstance(state, tuple) and isinstance(state[-1], dict) and "0.14.1" in state[-1]:
        parts = state[-1]["0.14.1"]
        blocks = parts.get("blocks", ())
        return [(block["values"], block["mgr_locs"]) for block in blocks], parts.get("axes", ())
    raise Refusal("a frame of pandas is not as it should be")


def _sparse(value: Record) -> Array:
    """Return a compressed matrix of SciPy, spread out."""
    parts = value.attributes
    rows, columns = shape_of(parts.get("_shape"), _MOST_DENSE)
    data, indices, ends = (array(parts.get(key)) for key in ("data", "indices", "indptr"))
    by_row = value.name.startswith("csr")
    n_runs, width = (rows, columns) if by_row else (columns, rows)
    if len(ends) != n_runs + 1 or indices.dtype.kind not in "iu" or len(indices) != len(data):
        raise Refusal("a sparse matrix is not as it should be")
    if len(data) and (int(indices.min()) < 0 or int(indices.max()) >= width):
        raise Refusal("a sparse matrix points past its end")
    counts: Array = np.diff(ends.astype(np.int64))
    if int(ends[0]) != 0 or int(ends[-1]) != len(data) or (counts < 0).any():
        raise Refusal("a sparse matrix is not as it should be")
    found = np.zeros((n_runs, width))
    np.add.at(found, (np.repeat(np.arange(n_runs), counts), indices), data)
    return found if by_row else found.T


_DTYPE = Name("numpy", "dtype")
_PLAIN_ARRAYS = (
    Name("numpy", "ndarray"),
    Name("numpy", "memmap"),
    Name("numpy", "matrix"),
    Name("numpy.matrixlib.defmatrix", "matrix"),
)
_SCALARS = tuple(Name(f"numpy.{core}.multiarray", "scalar") for core in ("core", "_core"))
_NAMED_TYPES = {
    **{f"float{n}": f"f{n // 8}" for n in (16, 32, 64)},
    **{f"int{n}": f"i{n // 8}" for n in (8, 16, 32, 64)},
    **{f"uint{n}": f"u{n // 8}" for n in (8, 16, 32, 64)},
    "bool": "?",
    "b1": "?",
}
_PACKAGES = {"numpy", "pandas", "pyarrow", "scipy"}
_ARRAYS: Mapping[str, Callable[[Record], Array]] = {
    "_reconstruct": _reconstructed,
    "_frombuffer": _buffered,
    "_new_Index": _indexed,
    "ArrowStringArray": _arrow_texts,
    "ArrowStringArrayNumpySemantics": _arrow_texts,
    "ArrowExtensionArray": _arrow_texts,
    "_restore_array": _arrow_texts,
    "StringArray": _extended,
    "NumpyExtensionArray": _extended,
    "PandasArray": _extended,
    "Categorical": _extended,
    "__pyx_unpickle_NDArrayBacked": _extended,
    "Series": _series,
    "csr_matrix": _sparse,
    "csr_array": _sparse,
    "csc_matrix": _sparse,
    "csc_array": _sparse,
}
