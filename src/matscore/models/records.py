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

from matscore.models.bounds import Refusal, check_fit, damaged, read_text, spread

Array: TypeAlias = NDArray[Any]

_MOST_DENSE = 2**23  # numbers of a sparse matrix that is spread out
_PLAIN_TYPE = re.compile(
    r"[<>|=]?(?:[biufcSU][0-9]{1,9}|[?bhilqBHILQfd])|(?:u?int|float)[0-9]{1,2}|bool"
)
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
        check_fit(len(data) == kind.itemsize)
        return np.frombuffer(data, kind)[0].item()
    if _is_array(value):
        found = array(value)
        return found.item() if found.shape == () else value
    return value


def as_bytes(value: object) -> bytes | memoryview:
    """Return bytes, those that Python 2 wrote as text too."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value) if isinstance(value, bytearray) else value
    check_fit(isinstance(value, str) and max(value, default="") < "\u0100")
    return str(value).encode("latin-1")


def dtype_of(value: object) -> np.dtype[Any]:
    """Return a plain type of elements; of structures there are none."""
    order: object = "="
    match value:
        case np.dtype():
            return value
        case Name(name=code):  # `numpy.float64`, where a file of another library names the class
            code = {"str_": "U1"}.get(code, code)
        case Record(of=Name("numpy", "dtype"), args=(code, *_), state=state):
            if isinstance(state, tuple) and len(state) >= 5:
                order = state[1]
                check_fit(state[2] is None and state[4] is None)  # no structures
        case _:
            raise damaged()
    code = code.decode("latin-1") if isinstance(code, bytes) else str(code)
    if code.strip("|") in ("O", "O4", "O8", "object"):
        return np.dtype(object)
    if not _PLAIN_TYPE.fullmatch(code) or order not in ("<", ">", "|", "="):
        raise Refusal(f"arrays of the type {code[:20]!r} are not read")
    try:
        found = np.dtype(code)
    except TypeError as error:
        raise Refusal(f"there is no type {code!r}") from error
    return found.newbyteorder(order) if order in ("<", ">") else found


def shape_of(value: object, most: int) -> tuple[int, ...]:
    """Return a shape whose elements are no more than `most`."""
    sizes: list[Any] = [plain(size) for size in value] if isinstance(value, tuple | list) else [-1]
    check_fit(len(sizes) <= 32 and all(type(size) is int and size >= 0 for size in sizes))
    check_fit(math.prod(sizes) <= most)
    return tuple(sizes)


def from_bytes(data: bytes | memoryview, kind: np.dtype[Any], shape: object, order: str) -> Array:
    """Return the array that bytes hold, without a copy."""
    check_fit(kind.itemsize and not kind.hasobject)
    sizes = shape_of(shape, len(data) // kind.itemsize)
    count = math.prod(sizes)
    check_fit(count * kind.itemsize == len(data))
    return np.frombuffer(data, kind, count).reshape(sizes, order="F" if order == "F" else "C")


def from_items(items: list[Any], shape: object) -> Array:
    """Return an array of objects, which stand row in row whatever its order in memory was."""
    sizes = shape_of(shape, len(items))
    check_fit(math.prod(sizes) == len(items))
    return np.fromiter(items, dtype=object, count=len(items)).reshape(sizes)


# ---------------------------------------------------------------------------------------- arrays


def array(value: Any) -> Array:
    """Return the array that a value stands for: of NumPy, pandas or SciPy; lists become arrays."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, list | tuple):
        return np.fromiter((plain(item) for item in value), dtype=object, count=len(value))
    if isinstance(value, Record) and value.name in _ARRAYS and any(map(value.is_of, _PACKAGES)):
        return _ARRAYS[value.name](value)
    raise Refusal(f"{getattr(value, 'of', 'nothing')} is not read as an array")


def read_npy(data: bytes) -> Array:
    """Read an array of numbers or texts from a file of NumPy.

    The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """
    wide = data[6:7] > b"\1"
    start = 12 if wide else 10
    check_fit(data.startswith(b"\x93NUMPY") and len(data) >= start)
    (length,) = struct.unpack_from("<I" if wide else "<H", data, 8)
    header = _NPY_HEADER.fullmatch(data[start : start + length])
    if header is None:
        raise damaged()
    code, fortran, sizes = header.groups()
    shape = tuple(int(size.strip(b" L")) for size in sizes.split(b",") if size.strip())
    kind = dtype_of(Record(Name("numpy", "dtype"), (code,)))
    rest = memoryview(data)[start + length :]
    return from_bytes(rest, kind, shape, "F" if fortran == b"True" else "C")


def _is_array(value: Record) -> bool:
    return isinstance(value.of, Name) and value.of.name in ("_reconstruct", "_frombuffer")


def _reconstructed(value: Record) -> Array:
    match value.args, value.state:
        case (Name(name="ndarray" | "memmap" | "matrix"), *_), (*_, shape, kind, fortran, data):
            kind = dtype_of(kind)
            if kind.hasobject and isinstance(data, list):
                return from_items(data, shape)
            return from_bytes(as_bytes(data), kind, shape, "F" if fortran else "C")
    raise damaged()


def _buffered(value: Record) -> Array:
    check_fit(len(value.args) >= 4)
    data, kind, shape, order = value.args[:4]
    if isinstance(data, Record):  # a view of another array
        data = np.ascontiguousarray(array(data)).tobytes()
    return from_bytes(as_bytes(data), dtype_of(kind), shape, order)


def _indexed(value: Record) -> Array:
    """Return the values of a pandas Index."""
    match value.args:
        case _, {"data": data}, *_:
            return array(data)
        case _, {"start": start, "stop": stop, "step": step}, *_:
            numbers = [plain(start), plain(stop), plain(step)]
            check_fit(all(type(number) is int and abs(number) < 2**40 for number in numbers))
            check_fit(numbers[2] and len(range(*numbers)) < _MOST_DENSE)
            return np.array(range(*numbers), dtype=np.int64)
    raise damaged()


def _arrow_texts(value: Record) -> Array:
    """Return the texts of an array of Arrow, None where one is missing.

    The layout of variable-size strings: https://arrow.apache.org/docs/format/Columnar.html
    """
    match value.attributes.get("_pa_array", value):
        case Record(of=Name(name="chunked_array"), args=([*chunks], *_)):
            found = [_arrow_texts(chunk) for chunk in chunks if isinstance(chunk, Record)]
            return np.concatenate(found) if found else np.empty(0, object)
        case Record(
            of=Name(name="_restore_array"),
            args=(
                (Record(args=(str() as kind, *_)), int() as length, _, int() as start, buffers, *_),
                *_,
            ),
        ) if min(length, start) >= 0 and kind in _ARROW_OFFSETS and isinstance(buffers, list):
            valid, ends, data, *_ = [*map(_arrow_buffer, buffers), b"", b"", b""]
            width = np.dtype(_ARROW_OFFSETS[kind]).itemsize
            bounds = np.frombuffer(ends[: len(ends) // width * width], _ARROW_OFFSETS[kind])
            bounds = bounds[start : start + length + 1] if length else bounds[:0]
            is_whole = not valid or len(valid) * 8 >= start + length
            if is_whole and len(bounds) == (length + 1 if length else 0):
                texts = _iter_texts(valid, bounds.tolist(), data, start)
                return np.fromiter(texts, object)
    raise damaged()


def _iter_texts(valid: bytes, bounds: list[int], data: bytes, start: int) -> Iterator[str | None]:
    for number, (low, high) in enumerate(itertools.pairwise(bounds), start):
        if valid and not valid[number // 8] >> (number % 8) & 1:
            yield None
        else:
            check_fit(0 <= low <= high <= len(data))
            yield read_text(data[low:high])


def _arrow_buffer(value: object) -> bytes:
    if value is None:
        return b""
    check_fit(isinstance(value, Record) and value.name == "py_buffer" and value.args)
    return bytes(as_bytes(value.args[0]))  # type: ignore[attr-defined]


def _extended(value: Record) -> Array:
    """Return the values of an array of pandas that holds one of NumPy, or codes of levels."""
    # In a dict, or in a tuple, as pandas' own Cython classes have it.
    parts = value.state if isinstance(value.state, tuple) else ()
    records = [part for part in parts if isinstance(part, np.ndarray | Record)]
    kind = value.attributes.get("_dtype")
    held = value.attributes.get("_ndarray", value.attributes.get("_codes"))
    for part in records:
        if isinstance(part, Record) and part.name.lower().endswith("dtype"):
            kind = part if kind is None else kind
        else:
            held = part if held is None else held
    numbers = array(held)
    if not (isinstance(kind, Record) and kind.name == "CategoricalDtype"):
        return numbers
    # The categories row by row, None where one is missing: the last stands for -1.
    levels = [*array(kind.attributes.get("categories")).tolist(), None]
    codes = numbers.ravel().tolist()
    check_fit(all(type(code) is int and -1 <= code < len(levels) - 1 for code in codes))
    return np.fromiter((levels[code] for code in codes), object, len(codes))


def _series(value: Record) -> Array:
    """Return the values of a pandas Series: those of its only block."""
    blocks, _ = manager_parts(value)
    check_fit(len(blocks) == 1)
    return array(blocks[0][0]).reshape(-1)


def manager_parts(value: Record) -> tuple[list[tuple[Any, ...]], Sequence[Any]]:
    """Return the blocks of values with their columns, and the axes, of any version of pandas."""
    match value.attributes.get("_mgr", value.attributes.get("_data")):
        case Record(args=(tuple() as blocks, axes, *_)):
            if all(isinstance(block, Record) and len(block.args) >= 2 for block in blocks):
                return [block.args[:2] for block in blocks], axes
        case Record(state=(*_, {"0.14.1": {"blocks": list() as blocks, "axes": axes}})):
            if all(isinstance(one, dict) and {"values", "mgr_locs"} <= {*one} for one in blocks):
                return [(one["values"], one["mgr_locs"]) for one in blocks], axes
    raise damaged()


def _sparse(value: Record) -> Array:
    """Return a compressed matrix of SciPy, spread out."""
    parts = value.attributes
    rows, columns = shape_of(parts.get("_shape"), _MOST_DENSE)
    data, indices, ends = (array(parts.get(key)) for key in ("data", "indices", "indptr"))
    if value.name.startswith("csr"):
        return spread(data, indices, ends, rows, columns)
    return spread(data, indices, ends, columns, rows).T


_SCALARS = tuple(Name(f"numpy.{core}.multiarray", "scalar") for core in ("core", "_core"))
_PACKAGES = ("numpy", "pandas", "pyarrow", "scipy")
_ARRAYS: Mapping[str, Callable[[Record], Array]] = {
    "_reconstruct": _reconstructed, "_frombuffer": _buffered, "_new_Index": _indexed,
    **dict.fromkeys(
        ("ArrowStringArray", "ArrowStringArrayNumpySemantics", "ArrowExtensionArray",
         "_restore_array"),
        _arrow_texts,
    ),
    **dict.fromkeys(
        ("StringArray", "NumpyExtensionArray", "PandasArray", "Categorical",
         "__pyx_unpickle_NDArrayBacked"),
        _extended,
    ),
    "Series": _series,
    **dict.fromkeys(("csr_matrix", "csr_array", "csc_matrix", "csc_array"), _sparse),
}  # fmt: skip
