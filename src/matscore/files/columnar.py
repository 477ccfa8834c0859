"""Read Parquet and Arrow IPC with Polars alone, a bounded number of rows at a time.

Owns how the two formats are opened, cut into frames, and turned into labels and numbers.

Parquet is read in slices: ``collect_batches`` would be no slower, but it ends early, and says
nothing, when its thread panics. Arrow is read message by message: ``scan_ipc`` knows no streams
and decodes a whole record batch for every slice of it.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from matscore.errors import FileError, InputError

ColumnarFormat: TypeAlias = Literal["parquet", "arrow", "arrow-stream"]
_ReadFrames: TypeAlias = Callable[[Sequence[str], int], Iterator[pl.DataFrame]]

# Every slice decodes the row groups that it touches, so it had better not be small.
_SLICE_BYTES = 32 << 20
_COPY_BYTES = 1 << 20
_DESCRIPTORS = Path("/proc/self/fd")

# arrow.apache.org/docs/format/Columnar.html, "Serialization and Interprocess Communication"
_FILE_START = b"ARROW1\0\0"
_CONTINUATION = b"\xff\xff\xff\xff"
_END_MARK = _CONTINUATION + bytes(4)
_SCHEMA, _DICTIONARY, _RECORDS = 1, 2, 3
# Wherever they stand in a schema, Polars panics.
_UNREADABLE_TYPES = {11: "interval", 14: "union", 22: "run-end", 25: "list view", 26: "list view"}


class _DamageError(Exception):
    """What is found here; Polars and `struct` have their own."""


# PanicException is a BaseException.
_DAMAGE = (
    _DamageError, pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, struct.error,
    UnicodeDecodeError,
)  # fmt: skip


@dataclass(frozen=True)
class ColumnarFile:
    """An open Parquet or Arrow file; also a context manager.

    Attributes
    ----------
    path : str
        The input's name as it was given.
    names : tuple of str
        Column names in file order, all different.
    dtypes : tuple of polars.DataType
        Their types.
    n_rows : int or None
        Number of rows; None for Arrow from a pipe.
    """

    path: str
    names: tuple[str, ...]
    dtypes: tuple[pl.DataType, ...]
    n_rows: int | None
    _read: _ReadFrames = field(repr=False)
    _resources: ExitStack = field(repr=False)

    def iter_frames(self, columns: Sequence[str], n_rows_per_chunk: int) -> Iterator[pl.DataFrame]:
        """Yield the rows in file order; only once where the input is a pipe.

        Parameters
        ----------
        columns : sequence of str
            At least one name; the frames have these columns, in this order.
        n_rows_per_chunk : int
            Rows of every frame but the last. Memory grows with it, and with the size of the
            file's row groups or record batches, but not with their number.

        Yields
        ------
        DataFrame
            One row or more.

        Raises
        ------
        FileError
            The file is damaged, or changed while it was read.
        """
        return rebatch(self._read(columns, n_rows_per_chunk), n_rows_per_chunk)

    def close(self) -> None:
        """Close the file, and delete the copy of a pipe."""
        self._resources.close()

    def __enter__(self) -> ColumnarFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_columnar(
    path: str, stream: BinaryIO | None, format: ColumnarFormat, head: bytes = b""
) -> ColumnarFile:
    """Open a Parquet file, or an Arrow IPC file or stream.

    Parameters
    ----------
    path : str
        The input's name; opened unless `stream` is given.
    stream : binary file or None
        A pipe, read forwards and never closed. Parquet is copied to a temporary file, since its
        index comes last; Arrow is read as it comes.
    format : {"parquet", "arrow", "arrow-stream"}
        What the content is; Arrow's two formats are told apart by their first bytes.
    head : bytes
        What has been read from `stream` before.

    Returns
    -------
    ColumnarFile
        To be closed.

    Raises
    ------
    FileError
        The file cannot be opened, or is damaged.
    InputError
        Two columns have one name, or a column's type cannot be read.

    Examples
    --------
    >>> import io
    >>> pipe = io.BytesIO()
    >>> pl.DataFrame({"id": ["a", "b", "c"], "x": [1, 2, 3]}).write_ipc_stream(pipe)
    >>> _ = pipe.seek(0)
    >>> with open_columnar("-", pipe, "arrow") as file:
    ...     print(file.names, [frame["x"].to_list() for frame in file.iter_frames(["x"], 2)])
    ('id', 'x') [[1, 2], [3]]
    """
    # Else one column whose time zone is an offset, as pandas writes, makes the file unreadable.
    os.environ.setdefault("POLARS_IGNORE_TIMEZONE_PARSE_ERROR", "1")
    with ExitStack() as resources:
        if format == "parquet":
            whole = _open_file(path) if stream is None else _spool(path, head, stream)
            file = _open_parquet(path, resources.enter_context(whole), resources)
        elif stream is None:
            whole = resources.enter_context(_open_file(path))
            file = _open_arrow(path, b"", whole, resources, is_pipe=False)
        else:
            file = _open_arrow(path, head, stream, resources, is_pipe=True)
        return replace(file, _resources=resources.pop_all())


def rebatch(frames: Iterable[pl.DataFrame], n_rows: int) -> Iterator[pl.DataFrame]:
    """Cut and join frames so that all have the same number of rows but the last.

    Parameters
    ----------
    frames : iterable of DataFrame
        Frames of one schema, of any height.
    n_rows : int
        Rows of each frame to come.

    Yields
    ------
    DataFrame
        Rows in the same order; no frame is empty.

    Examples
    --------
    >>> frames = [pl.DataFrame({"x": x}) for x in ([1], [2, 3, 4, 5], [])]
    >>> [frame["x"].to_list() for frame in rebatch(frames, 2)]
    [[1, 2], [3, 4], [5]]
    """
    held: list[pl.DataFrame] = []
    n_held = 0
    for frame in frames:
        start = 0
        while start < frame.height:
            piece = frame.slice(start, n_rows - n_held)
            held.append(piece)
            n_held += piece.height
            start += piece.height
            if n_held == n_rows:
                yield pl.concat(held) if len(held) > 1 else piece
                held, n_held = [], 0
    if held:
        yield pl.concat(held)


def label_text(
    series: pl.Series, *, path: str = "", column: int | None = None, name: str | None = None
) -> pl.Series:
    """Turn a column into text.

    Integers become their digits, floats the shortest form that reads back, decimals keep all
    their places, dates and times are in ISO 8601, and null is the empty text.

    Parameters
    ----------
    series : Series
        The column.
    path, column, name : str, int or None, str or None
        Where it stands, for the error.

    Returns
    -------
    Series
        Of type String, without nulls.

    Raises
    ------
    InputError
        The type is binary or nested, or a date is out of range.

    Examples
    --------
    >>> label_text(pl.Series([12, None])).to_list()
    ['12', '']
    """
    try:
        text = _cast_to_text(series)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        what = f"holds a {_name_of(series.dtype)} that cannot be written as text"
        raise InputError(path, what, column=column, name=name) from error
    if text is None:
        what = f"is of type {_name_of(series.dtype)}, which cannot be a label"
        raise InputError(path, what, "store it as text", column=column, name=name)
    return text.fill_null("")


def feature_column(
    series: pl.Series, *, path: str = "", column: int | None = None, name: str | None = None
) -> npt.NDArray[np.float64]:
    """Turn a column into numbers.

    Parameters
    ----------
    series : Series
        The column.
    path, column, name : str, int or None, str or None
        Where it stands, for the error.

    Returns
    -------
    ndarray of shape (n_rows,) and dtype float64
        NaN where a value is null or NaN; infinities stay. Integers and decimals with more digits
        than float64 holds are rounded to the nearest. May be read-only.

    Raises
    ------
    InputError
        The type is not a number's.

    Examples
    --------
    >>> feature_column(pl.Series([1, None, 3]))
    array([ 1., nan,  3.])
    """
    dtype = series.dtype
    if not (dtype.is_numeric() or isinstance(dtype, pl.Null)):
        what = f"is of type {_name_of(dtype)}, not a number"
        hint = "store it as 0 and 1" if isinstance(dtype, pl.Boolean) else "store it as numbers"
        raise InputError(path, what, hint, column=column, name=name)
    return series.cast(pl.Float64).to_numpy()


def _cast_to_text(series: pl.Series) -> pl.Series | None:
    """Return None for a type that has no text form."""
    dtype = series.dtype
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone and dtype.time_zone[0] in "+-":
            # Polars cannot format a zone that is an offset; the instant stays the same.
            series = series.dt.convert_time_zone("UTC")
        return series.dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("%:z" if dtype.time_zone else ""))
    if isinstance(dtype, pl.Time):  # a cast would cut the fraction off
        return series.dt.to_string("%H:%M:%S%.f")
    if isinstance(dtype, pl.Duration):
        return series.dt.to_string("iso")
    plain = (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Date, pl.Null)
    return series.cast(pl.String) if dtype.is_numeric() or isinstance(dtype, plain) else None


def _name_of(dtype: pl.DataType) -> str:
    return dtype.base_type().__name__


@contextmanager
def _tell_damage(path: str, kind: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        what = f"cannot be read as {kind}: {_reason_of(error)}"
        raise FileError(path, what, "it may be cut off or damaged") from error


def _reason_of(error: BaseException) -> str:
    if isinstance(error, pl.exceptions.PanicException):
        return "it holds something that Polars cannot read"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    lines = str(error).removeprefix("parquet: ").splitlines() or [type(error).__name__]
    return lines[0].removeprefix("File out of specification: ")[:120]


def _open_file(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise FileError(path, (error.strerror or str(error)).lower()) from error


# Parquet


def _spool(path: str, head: bytes, stream: BinaryIO) -> BinaryIO:
    make = tempfile.TemporaryFile if _DESCRIPTORS.is_dir() else tempfile.NamedTemporaryFile
    with ExitStack() as on_error:
        try:
            copy = cast(BinaryIO, on_error.enter_context(make(prefix="matscore-")))
            copy.write(head)
            shutil.copyfileobj(stream, copy, _COPY_BYTES)
            copy.flush()
        except OSError as error:
            what = f"cannot be copied to a temporary file: {(error.strerror or str(error)).lower()}"
            raise FileError(path, what, "store it in a file and name that") from error
        on_error.pop_all()
        return copy


def _open_parquet(path: str, file: BinaryIO, resources: ExitStack) -> ColumnarFile:
    # By its descriptor where that has a name: it stays the same file when another takes its path,
    # and Polars reads nothing into a path that looks like a pattern or an address.
    name = _DESCRIPTORS / str(file.fileno())
    source = name if name.exists() else Path(file.name).absolute()
    with _tell_damage(path, "Parquet"):
        stamp = _stamp_of(source.stat())
        rows = pl.scan_parquet(source, glob=False, hive_partitioning=False)
        try:
            schema = rows.collect_schema()
        except pl.exceptions.DuplicateError as error:
            raise InputError(path, str(error), "rename one of them") from error
        n_rows = rows.select(pl.len()).collect().item()

    def read(columns: Sequence[str], n_rows_per_chunk: int) -> Iterator[pl.DataFrame]:
        with _tell_damage(path, "Parquet"):
            for frame in _iter_slices(rows.select(columns), n_rows, n_rows_per_chunk):
                _check_unchanged(path, source.stat(), stamp)
                yield frame

    names, dtypes = tuple(schema.names()), tuple(schema.dtypes())
    return ColumnarFile(path, names, dtypes, n_rows, read, resources)


def _iter_slices(rows: pl.LazyFrame, n_rows: int, n_rows_per_chunk: int) -> Iterator[pl.DataFrame]:
    start, size = 0, n_rows_per_chunk
    while start < n_rows:
        frame = rows.slice(start, size).collect()
        if frame.height != min(size, n_rows - start):
            raise _DamageError(f"it has not the {n_rows} rows that it claims")
        yield frame
        start += size
        # As many rows as make a slice of the size aimed at, but the next ones may be longer.
        fitting = frame.height * _SLICE_BYTES // max(int(frame.estimated_size()), 1)
        size = max(min(fitting, 4 * size) // n_rows_per_chunk, 1) * n_rows_per_chunk


def _stamp_of(info: os.stat_result) -> tuple[int, ...]:
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def _check_unchanged(path: str, info: os.stat_result, stamp: tuple[int, ...]) -> None:
    if _stamp_of(info) != stamp:
        raise FileError(path, "changed while it was read", "run again when it is complete")


# Arrow


class _Reader:
    """Reads exactly as many bytes as it is asked for."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int) -> bytes:
        pieces = [self._head[:size]]
        self._head = self._head[size:]
        missing = size - len(pieces[0])
        while missing:
            piece = self._stream.read(min(missing, _COPY_BYTES))
            if not piece:
                raise _DamageError("it ends in the middle")
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def read_rest(self, size: int = -1) -> bytes:
        return self._head + self._stream.read(size)

    def skip(self, size: int) -> None:
        self._stream.seek(size, os.SEEK_CUR)


class _Table(NamedTuple):
    """A table in a flatbuffer (flatbuffers.dev/internals)."""

    data: bytes
    at: int

    def unpack(self, code: str, at: int) -> int:
        return cast(int, struct.unpack_from(code, self.data, at)[0])

    def find(self, i: int) -> int:
        """Return where the i-th field is; 0 where it is left out."""
        slots = self.at - self.unpack("<i", self.at)
        has_slot = 4 + 2 * i < self.unpack("<H", slots)
        offset = self.unpack("<H", slots + 4 + 2 * i) if has_slot else 0
        return self.at + offset if offset else 0

    def number(self, i: int, code: str) -> int:
        at = self.find(i)
        return self.unpack(code, at) if at else 0

    def follow(self, at: int) -> _Table:
        return _Table(self.data, at + self.unpack("<I", at))

    def text(self, i: int) -> str:
        if not (at := self.find(i)):
            return ""
        start = self.follow(at).at + 4
        return self.data[start : start + self.unpack("<I", start - 4)].decode()

    def tables(self, i: int) -> Iterator[_Table]:
        if at := self.find(i):
            start = self.follow(at).at + 4
            for k in range(self.unpack("<I", start - 4)):
                yield self.follow(start + 4 * k)


class _Message(NamedTuple):
    kind: int
    table: _Table
    head: bytes  # as it is in the file
    body_size: int


def _open_arrow(
    path: str, head: bytes, stream: BinaryIO, resources: ExitStack, *, is_pipe: bool
) -> ColumnarFile:
    with _tell_damage(path, "Arrow"):
        reader = _Reader(head, stream)
        is_file, schema = _read_start(reader)
        _check_fields(path, schema.table)
        dtypes = pl.read_ipc_stream(schema.head + _END_MARK).schema
        stamp = None if is_pipe else _stamp_of(os.fstat(stream.fileno()))
        n_rows = None if is_pipe else _count_rows(reader, is_file=is_file)

    def read(columns: Sequence[str], _: int) -> Iterator[pl.DataFrame]:
        with _tell_damage(path, "Arrow"):
            rest = reader
            if stamp is not None:
                stream.seek(0)
                rest = _Reader(b"", stream)
                _read_start(rest)
            for data in _iter_streams(schema.head, rest, is_file=is_file):
                yield pl.read_ipc_stream(data, columns=list(columns)).select(columns)
                if stamp is not None:
                    _check_unchanged(path, os.fstat(stream.fileno()), stamp)

    return ColumnarFile(path, tuple(dtypes), tuple(dtypes.values()), n_rows, read, resources)


def _read_start(reader: _Reader) -> tuple[bool, _Message]:
    """Tell file format from stream, and read the schema."""
    start = reader.read(len(_FILE_START))
    is_file = start == _FILE_START
    message = _read_message(reader, b"" if is_file else start)
    if message is None or message.kind != _SCHEMA:
        raise _DamageError("it does not start with a schema")
    return is_file, message


def _read_message(reader: _Reader, prefix: bytes = b"") -> _Message | None:
    """Read a message up to its body; None at the mark of the end."""
    prefix = prefix or reader.read(len(_END_MARK))
    if prefix == _END_MARK:
        return None
    if not prefix.startswith(_CONTINUATION):
        raise _DamageError("a message does not start where it should")
    head = prefix + reader.read(int.from_bytes(prefix[4:], "little"))
    table = _Table(head, len(prefix)).follow(len(prefix))
    message = _Message(
        table.number(1, "<B"), table.follow(table.find(2)), head, table.number(3, "<q")
    )
    if message.kind not in (_SCHEMA, _DICTIONARY, _RECORDS) or message.body_size < 0:
        raise _DamageError("a message is of no known kind")
    return message


def _check_fields(path: str, schema: _Table) -> None:
    seen: set[str] = set()
    for column, schema_field in enumerate(schema.tables(1), 1):
        name, kind = schema_field.text(0), _UNREADABLE_TYPES.get(schema_field.number(2, "<B"))
        if kind is not None:
            what, hint = f"is of type {kind}, which cannot be read", "leave it out of the file"
            raise InputError(path, what, hint, column=column, name=name)
        if name in seen:
            what, hint = "an earlier column has the same name", "rename one of them"
            raise InputError(path, what, hint, column=column, name=name)
        seen.add(name)


def _count_rows(reader: _Reader, *, is_file: bool) -> int:
    n_rows = 0
    while (message := _read_message(reader)) is not None:
        n_rows += message.table.number(0, "<q") if message.kind == _RECORDS else 0
        reader.skip(message.body_size)
    _check_end(reader, is_file=is_file)
    return n_rows


def _iter_streams(schema: bytes, reader: _Reader, *, is_file: bool) -> Iterator[bytes]:
    """Yield each record batch as a stream of its own, with the dictionaries that it needs."""
    dictionaries: dict[int, bytes] = {}
    while (message := _read_message(reader)) is not None:
        body = reader.read(message.body_size)
        if message.kind == _DICTIONARY:
            dictionaries[message.table.number(0, "<q")] = message.head + body
        else:
            yield b"".join([schema, *dictionaries.values(), message.head, body, _END_MARK])
    _check_end(reader, is_file=is_file)


def _check_end(reader: _Reader, *, is_file: bool) -> None:
    """Refuse a second stream behind the first, and a file without its footer."""
    if not is_file:
        if reader.read_rest(1):
            raise _DamageError("something follows its end")
        return
    rest = reader.read_rest()
    if rest[-6:] != _FILE_START[:6] or int.from_bytes(rest[-10:-6], "little") != len(rest) - 10:
        raise _DamageError("its footer is not whole")
