"""Read Parquet and Arrow IPC with Polars alone, a bounded number of rows at a time.

Owns how these formats are opened, cut into frames, and turned into labels and numbers.

Parquet is read in slices: ``collect_batches`` ends early, without an error, when its thread
panics. Arrow is read batch by batch: ``scan_ipc`` reads no streams, and decodes a whole record
batch for every slice of it.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from matscore.errors import FileError, InputError

ColumnarFormat: TypeAlias = Literal["parquet", "arrow"]

_COPY_BYTES = 1 << 20
# A slice decodes the row groups that it touches, so it had better not be small.
_SLICE_BYTES = 32 << 20
_DESCRIPTORS = Path("/proc/self/fd")

# arrow.apache.org/docs/format/Columnar.html, "Serialization and Interprocess Communication"
_FILE_MAGIC = b"ARROW1"
_CONTINUATION = b"\xff\xff\xff\xff"
_END_MARK = _CONTINUATION + bytes(4)
_SCHEMA, _DICTIONARY, _RECORDS = 1, 2, 3
# Polars panics at these, whichever columns are asked for.
_UNREADABLE = {11: "interval", 14: "union", 22: "run-end", 25: "list view", 26: "list view"}


class _DamageError(Exception):
    """Damage that is found here."""


# Polars panics with a BaseException.
_DAMAGE = (
    _DamageError, struct.error, UnicodeDecodeError, OSError,
    pl.exceptions.PolarsError, pl.exceptions.PanicException,
)  # fmt: skip


class _Content(NamedTuple):
    """What a file holds; ``iter_frames`` takes names of columns and about how many rows."""

    schema: pl.Schema
    n_rows: int | None
    iter_frames: Callable[[Sequence[str], int], Iterator[pl.DataFrame]]


@dataclass(frozen=True)
class ColumnarFile:
    """An open Parquet or Arrow file; a context manager too.

    Attributes
    ----------
    path : str
        The input's name as it was given.
    names : tuple of str
        Column names in file order, all different.
    dtypes : tuple of polars.DataType
        Their types.
    n_rows : int or None
        Number of rows; None for an Arrow stream from a pipe.
    """

    path: str
    names: tuple[str, ...]
    dtypes: tuple[pl.DataType, ...]
    n_rows: int | None
    _content: _Content = field(repr=False)
    _source: Path | None = field(repr=False)
    _stamp: tuple[int, ...] | None = field(repr=False)
    _resources: ExitStack = field(repr=False)

    def iter_frames(self, columns: Sequence[str], n_rows_per_chunk: int) -> Iterator[pl.DataFrame]:
        """Yield the rows in file order; only once where an Arrow stream is a pipe.

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
        return rebatch(self._iter_checked(columns, n_rows_per_chunk), n_rows_per_chunk)

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

    def _iter_checked(self, columns: Sequence[str], n_rows: int) -> Iterator[pl.DataFrame]:
        with _tell_damage(self.path):
            for frame in self._content.iter_frames(columns, n_rows):
                if _stamp_of(self._source) != self._stamp:
                    what, hint = "changed while it was read", "run again when it is complete"
                    raise FileError(self.path, what, hint)
                yield frame


def open_columnar(path: str, stream: BinaryIO | None, format: ColumnarFormat) -> ColumnarFile:
    """Open a Parquet file, or an Arrow IPC file (Feather) or stream.

    Parameters
    ----------
    path : str
        The input's name; opened unless `stream` is given.
    stream : binary file or None
        A pipe, read forwards and never closed. An Arrow stream is read as it comes; the others
        have their index at the end, so they are copied to a temporary file first.
    format : {"parquet", "arrow"}
        What it is; Arrow files and streams are told apart by their first bytes.

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
    >>> pipe = BytesIO()
    >>> pl.DataFrame({"id": ["a", "b", "c"], "x": [1, 2, 3]}).write_parquet(pipe)
    >>> _ = pipe.seek(0)
    >>> with open_columnar("-", pipe, "parquet") as file:
    ...     print(file.names, [frame["x"].to_list() for frame in file.iter_frames(["x"], 2)])
    ('id', 'x') [[1, 2], [3]]
    """
    # Else one column whose time zone is an offset, as pandas writes, makes the file unreadable.
    os.environ.setdefault("POLARS_IGNORE_TIMEZONE_PARSE_ERROR", "1")
    with ExitStack() as resources:
        file = resources.enter_context(_open_file(path)) if stream is None else stream
        with _tell_damage(path):
            reader = _Reader(file)
            is_stream = format == "arrow" and reader.peek(len(_FILE_MAGIC)) != _FILE_MAGIC
            if stream is not None and not is_stream:
                file = resources.enter_context(_copy_pipe(path, reader))
            source = None if file is stream else _find_source(file)
            stamp = _stamp_of(source)
            if is_stream:
                content = _open_arrow_stream(path, reader, is_pipe=source is None)
            elif format == "arrow":
                content = _open_arrow_file(path, _Reader(file))
            else:
                content = _open_parquet(path, cast(Path, source))
        return ColumnarFile(
            path,
            tuple(content.schema.names()),
            tuple(content.schema.dtypes()),
            content.n_rows,
            content,
            source,
            stamp,
            resources.pop_all(),
        )


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
def _tell_damage(path: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        what, hint = f"cannot be read: {_reason_of(error)}", "it may be cut off or damaged"
        raise FileError(path, what, hint) from error


def _reason_of(error: BaseException) -> str:
    if isinstance(error, pl.exceptions.PanicException):
        return "it holds something that Polars cannot read"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, struct.error | UnicodeDecodeError):
        return "its structure is broken"
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line.removeprefix("parquet: ").removeprefix("File out of specification: ")[:120]


def _open_file(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except (OSError, ValueError) as error:
        raise FileError(path, (getattr(error, "strerror", None) or str(error)).lower()) from error


def _copy_pipe(path: str, reader: _Reader) -> BinaryIO:
    make = tempfile.TemporaryFile if _DESCRIPTORS.is_dir() else tempfile.NamedTemporaryFile
    try:
        with ExitStack() as on_error:
            copy = cast(BinaryIO, on_error.enter_context(make(prefix="matscore-")))
            copy.writelines(reader.iter_rest())
            copy.flush()
            on_error.pop_all()
            return copy
    except OSError as error:
        what = f"cannot be copied to a temporary file: {(error.strerror or str(error)).lower()}"
        raise FileError(path, what, "store it in a file and name that") from error


def _find_source(file: BinaryIO) -> Path:
    """Name an open file for Polars, by its descriptor where descriptors have names.

    So it stays the same file when another one takes its path, and Polars sees no pattern and no
    address in the path.
    """
    source = _DESCRIPTORS / str(file.fileno())
    return source if source.exists() else Path(file.name).absolute()


def _stamp_of(source: Path | None) -> tuple[int, ...] | None:
    if source is None:
        return None
    info = source.stat()
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def _open_parquet(path: str, source: Path) -> _Content:
    rows = pl.scan_parquet(source, glob=False, hive_partitioning=False)
    try:
        schema = rows.collect_schema()
    except pl.exceptions.DuplicateError as error:
        raise InputError(path, str(error), "rename one of them") from error
    n_rows: int = rows.select(pl.len()).collect().item()

    def iter_frames(columns: Sequence[str], size: int) -> Iterator[pl.DataFrame]:
        return _iter_slices(rows.select(columns), n_rows, size)

    return _Content(schema, n_rows, iter_frames)


def _iter_slices(rows: pl.LazyFrame, n_rows: int, chunk: int) -> Iterator[pl.DataFrame]:
    start, size = 0, chunk
    while start < n_rows:
        frame = rows.slice(start, size).collect()
        if frame.height != min(size, n_rows - start):
            raise _DamageError(f"it has not the {n_rows} rows that it claims")
        yield frame
        start += size
        # As many rows as make a slice of the size aimed at; less, since the next may be longer.
        fitting = frame.height * _SLICE_BYTES // max(int(frame.estimated_size()), 1)
        size = max(min(fitting, 4 * size) // chunk, 1) * chunk


class _Reader:
    """Reads a file or pipe exactly as far as it is asked to."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._peeked = b""

    def peek(self, size: int) -> bytes:
        """Return the next bytes, fewer where it ends; they will be read again."""
        while len(self._peeked) < size and (piece := self._stream.read(size - len(self._peeked))):
            self._peeked += piece
        return self._peeked[:size]

    def read(self, size: int) -> bytes:
        return b"".join(self.iter_pieces(size))

    def iter_pieces(self, size: int) -> Iterator[bytes]:
        while size > 0:
            piece = self._peeked[:size] or self._stream.read(min(size, _COPY_BYTES))
            self._peeked = self._peeked[size:]
            if not piece:
                raise _DamageError("it ends too early")
            yield piece
            size -= len(piece)

    def iter_rest(self) -> Iterator[bytes]:
        while piece := self._peeked or self._stream.read(_COPY_BYTES):
            self._peeked = b""
            yield piece

    def seek(self, at: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place of a file; to `at` from here, nothing must be peeked."""
        self._peeked = b""
        return self._stream.seek(at, whence)


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

    def items(self, i: int, size: int) -> Iterator[int]:
        """Yield where the items of a vector are, each of `size` bytes."""
        if at := self.find(i):
            start = self.follow(at).at + 4
            for k in range(self.unpack("<I", start - 4)):
                yield start + size * k


class _Message(NamedTuple):
    kind: int
    table: _Table
    head: bytes  # as it is in the file
    body_size: int


def _open_arrow_file(path: str, reader: _Reader) -> _Content:
    end = reader.seek(-10, os.SEEK_END)
    size, magic = struct.unpack("<I6s", reader.read(10))
    if magic != _FILE_MAGIC:
        raise _DamageError("its end is missing")
    reader.seek(end - size)
    footer = _Table(reader.read(size), 0).follow(0)
    places = [footer.unpack("<q", at) for i in (2, 3) for at in footer.items(i, 24)]
    start = reader.seek(8)
    schema = reader.read(min([*places, end - size]) - start)
    if not schema.startswith(_CONTINUATION):  # Polars 2.1 writes this message without its prefix
        schema = _CONTINUATION + struct.pack("<I", len(schema)) + schema

    def iter_messages() -> Iterator[_Message]:
        for place in places:
            reader.seek(place)
            if (message := _read_message(reader)) is not None:
                yield message

    return _open_messages(path, reader, schema, iter_messages, is_pipe=False)


def _open_arrow_stream(path: str, reader: _Reader, *, is_pipe: bool) -> _Content:
    schema = _read_message(reader)
    start = None if is_pipe else reader.seek(0, os.SEEK_CUR)

    def iter_messages() -> Iterator[_Message]:
        if start is not None:
            reader.seek(start)
        while (message := _read_message(reader)) is not None:
            yield message
        if reader.peek(1):
            raise _DamageError("something follows its end")

    first = b"" if schema is None else schema.head
    return _open_messages(path, reader, first, iter_messages, is_pipe=is_pipe)


def _open_messages(
    path: str,
    reader: _Reader,
    schema: bytes,
    iter_messages: Callable[[], Iterator[_Message]],
    *,
    is_pipe: bool,
) -> _Content:
    _check_schema(path, _parse_message(schema))
    n_rows = None if is_pipe else 0
    if n_rows is not None:
        for message in iter_messages():
            n_rows += message.table.number(0, "<q") if message.kind == _RECORDS else 0
            reader.seek(message.body_size, os.SEEK_CUR)

    def iter_frames(columns: Sequence[str], _: int) -> Iterator[pl.DataFrame]:
        for data in _iter_batches(reader, schema, iter_messages()):
            yield pl.read_ipc_stream(data, columns=list(columns)).select(columns)

    return _Content(pl.read_ipc_stream(schema + _END_MARK).schema, n_rows, iter_frames)


def _iter_batches(
    reader: _Reader, schema: bytes, messages: Iterator[_Message]
) -> Iterator[BytesIO]:
    """Yield each record batch as a stream of its own, with the dictionaries that it needs."""
    dictionaries: dict[int, bytes] = {}
    for message in messages:
        if message.kind == _DICTIONARY:
            body = reader.read(message.body_size)
            dictionaries[message.table.number(0, "<q")] = message.head + body
            continue
        data = BytesIO()
        data.writelines([schema, *dictionaries.values(), message.head])
        data.writelines(reader.iter_pieces(message.body_size))
        data.write(_END_MARK)
        data.seek(0)
        yield data


def _read_message(reader: _Reader) -> _Message | None:
    """Read a message up to its body; None at the mark of the end."""
    prefix = reader.read(8)
    if prefix == _END_MARK:
        return None
    return _parse_message(prefix + reader.read(int.from_bytes(prefix[4:], "little")))


def _parse_message(head: bytes) -> _Message:
    if not head.startswith(_CONTINUATION):
        raise _DamageError("a message is missing")
    message = _Table(head, 8).follow(8)
    kind, size = message.number(1, "<B"), message.number(3, "<q")
    if kind not in (_SCHEMA, _DICTIONARY, _RECORDS) or size < 0:
        raise _DamageError("a message is of no known kind")
    return _Message(kind, message.follow(message.find(2)), head, size)


def _check_schema(path: str, schema: _Message) -> None:
    if schema.kind != _SCHEMA:
        raise _DamageError("it does not start with a schema")
    seen: set[str] = set()
    for column, at in enumerate(schema.table.items(1, 4), 1):
        described = schema.table.follow(at)
        name, kind = described.text(0), _UNREADABLE.get(described.number(2, "<B"))
        if kind is not None:
            what, hint = f"is of type {kind}, which cannot be read", "leave it out of the file"
            raise InputError(path, what, hint, column=column, name=name)
        if name in seen:
            what, hint = "an earlier column has the same name", "rename one of them"
            raise InputError(path, what, hint, column=column, name=name)
        seen.add(name)
