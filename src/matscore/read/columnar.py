"""Read Parquet and Arrow IPC with PyArrow, a bounded number of rows at a time.

An Arrow file is read block by block, after a look at whether its blocks fill it, which PyArrow does
not tell; of a stream it is looked at whether its end is there.
"""

from __future__ import annotations

import io
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import accumulate, chain, pairwise
from typing import Any, BinaryIO, Literal, TypeAlias, cast

import pyarrow as pa

from matscore.errors import FileError, InputError, os_errors_about, say_os_error
from matscore.read.source import CHANGED, READ_BYTES, Stamp, open_raw, stamp_of

_BUFFER_BYTES = 1 << 16

# Arrow Columnar Format, "Serialization and Interprocess Communication".
_MAGIC = b"ARROW1"
_END_MARK = b"\xff\xff\xff\xff" + bytes(4)

Batches: TypeAlias = Callable[[Sequence[str], int], Iterator[Any]]
"""Takes names of columns and about how many rows; gives record batches."""


class DamageError(Exception):
    """Damage that is found here."""


@dataclass(frozen=True)
class ColumnarFile:
    """An open Parquet or Arrow file."""

    path: str
    names: tuple[str, ...]  # in file order, all different
    types: tuple[Any, ...]  # PyArrow's
    n_rows: int | None  # None for an Arrow stream from a pipe
    _batches: Batches = field(repr=False)
    _file: BinaryIO | None = field(repr=False)
    _resources: ExitStack = field(repr=False)
    # What is left of a pipe, its first batches having been looked at.
    _ahead: list[Iterator[Any]] = field(default_factory=list, repr=False)

    def peek(self, columns: Sequence[str], n_rows: int) -> list[Any]:
        """Return record batches of columns with as many rows or all; they will be read again."""
        is_pipe = self.n_rows is None
        checked = self._iter_checked(self.names if is_pipe else columns, n_rows)
        first, n_found = list[Any](), 0
        while n_found < n_rows and (batch := next(checked, None)) is not None:
            first.append(batch)
            n_found += batch.num_rows
        if is_pipe:
            self._ahead.append(chain(first, checked))
        return [batch.select(list(columns)) for batch in first]

    def iter_tables(self, columns: Sequence[str], n_rows_per_chunk: int) -> Iterator[Any]:
        """Yield the rows, of one column or more, as tables of one number of rows but the last.

        Memory grows with that number and the file's row groups or record batches, not with how
        many these are. An Arrow stream from a pipe gives its rows once.
        """
        return rebatch(self._iter_checked(columns, n_rows_per_chunk), n_rows_per_chunk)

    def close(self) -> None:
        """Close the file, and delete the copy of a pipe."""
        self._resources.close()

    def _find_stamp(self) -> Stamp | None:
        return None if self._file is None else stamp_of(self.path, self._file)

    def _iter_checked(self, columns: Sequence[str], n_rows: int) -> Iterator[Any]:
        stamp = self._find_stamp()
        with _tell_damage(self.path):
            batches = self._ahead.pop() if self._ahead else None
            for batch in self._batches(columns, n_rows) if batches is None else batches:
                if self._find_stamp() != stamp:
                    raise FileError(self.path, *CHANGED)
                # Offsets of a damaged file may point anywhere in memory, and PyArrow follows them.
                batch.validate(full=True)
                yield batch if batches is None else batch.select(list(columns))


def open_columnar(
    path: str, pipe: io.RawIOBase | None, format: Literal["parquet", "arrow"]
) -> ColumnarFile:
    """Open a Parquet file, or an Arrow IPC file (Feather) or stream: by its name, or from a pipe.

    A pipe is read forwards and never closed. An Arrow stream is read as it comes; the others have
    their index at the end, so they are copied to a temporary file first.
    """
    with ExitStack() as resources:
        raw: Any = resources.enter_context(open_raw(path)[0]) if pipe is None else pipe
        with _tell_damage(path):
            reader = _Reader(raw)
            file: BinaryIO = reader
            is_stream = format == "arrow" and not reader.peek().startswith(_MAGIC)
            if pipe is not None and not is_stream:
                file = resources.enter_context(_copy_pipe(path, reader))
            if is_stream:
                schema, n_rows, batches = _open_stream(reader, is_pipe=pipe is not None)
            else:
                open_format = _open_arrow if format == "arrow" else _open_parquet
                schema, n_rows, batches = open_format(file)
        _refuse_doubles(path, schema.names)
        own = reader if pipe is None else None
        names, types = tuple(schema.names), tuple(schema.types)
        return ColumnarFile(path, names, types, n_rows, batches, own, resources.pop_all())


def iter_parquet(
    path: str, columns: Sequence[str], start: int, stop: int, n_rows_per_chunk: int
) -> Iterator[Any]:
    """Yield rows `start` to `stop` of a Parquet file, as `ColumnarFile.iter_tables` does."""
    with open_raw(path)[0] as raw, _tell_damage(path):
        opened = _open_parquet_file(_Reader(cast(Any, raw)))
        batches = _iter_parquet(opened, columns, n_rows_per_chunk, start, stop)
        yield from rebatch(batches, n_rows_per_chunk)


def rebatch(batches: Iterable[Any], n_rows: int) -> Iterator[Any]:
    """Cut and join record batches to tables of one number of rows but the last; none is empty."""
    pieces: list[Any] = []
    n_taken = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, n_rows - n_taken)
            pieces.append(piece)
            n_taken += piece.num_rows
            start += piece.num_rows
            if n_taken == n_rows:
                yield pa.Table.from_batches(pieces)
                pieces, n_taken = [], 0
    if pieces:
        yield pa.Table.from_batches(pieces)


class _Reader(io.BufferedReader):
    """A file or a pipe; PyArrow does not close it."""

    last = b""  # what was read at last, eight bytes at most

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.last = (self.last + data[-8:])[-8:]
        return data

    def close(self) -> None:
        """Leave it open: who opened it closes it."""


@contextmanager
def _tell_damage(path: str) -> Iterator[None]:
    try:
        yield
    except (
        DamageError, struct.error, UnicodeDecodeError, OSError, MemoryError, OverflowError,
        pa.ArrowException,
    ) as error:  # fmt: skip
        if isinstance(error, FileError):
            raise
        what, hint = f"cannot be read: {_reason_of(error)}", "it may be cut off or damaged"
        raise FileError(path, what, hint) from error


def _reason_of(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return say_os_error(error)
    if isinstance(error, struct.error | UnicodeDecodeError):
        return "its structure is broken"
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line[:1].lower() + line[1:120]


def _copy_pipe(path: str, reader: _Reader) -> BinaryIO:
    what = "cannot be copied to a temporary file: {}"
    hint = "store it in a file and name that"
    with os_errors_about(path, what=what, hint=hint), ExitStack() as on_error:
        copy = cast(BinaryIO, on_error.enter_context(tempfile.TemporaryFile(prefix="matscore-")))
        shutil.copyfileobj(reader, copy, READ_BYTES)
        copy.flush()
        copy.seek(0)
        on_error.pop_all()
        return copy


def _refuse_doubles(path: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for column, name in enumerate(names, start=1):
        if name in seen:
            what, hint = "an earlier column has the same name", "rename one of them"
            raise InputError(path, what, hint, column=column, name=name)
        seen.add(name)


def _open_parquet_file(file: BinaryIO) -> Any:
    import pyarrow.parquet

    # By default a whole row group is read at once.
    return pyarrow.parquet.ParquetFile(
        file, buffer_size=_BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True
    )


def _open_parquet(file: BinaryIO) -> tuple[Any, int, Batches]:
    opened = _open_parquet_file(file)
    n_rows = opened.metadata.num_rows

    def iter_batches(columns: Sequence[str], size: int) -> Iterator[Any]:
        return _iter_parquet(opened, columns, size, 0, n_rows)

    return opened.schema_arrow, n_rows, iter_batches


def _iter_parquet(
    opened: Any, columns: Sequence[str], size: int, start: int, stop: int
) -> Iterator[Any]:
    sizes = [opened.metadata.row_group(i).num_rows for i in range(opened.num_row_groups)]
    ends = list(accumulate(sizes))
    groups = [i for i, end in enumerate(ends) if end > start and end - sizes[i] < stop]
    at = ends[groups[0]] - sizes[groups[0]] if groups else stop
    batches = opened.iter_batches(size, groups, list(columns), use_threads=False)
    for batch in batches if groups else ():
        first, last = max(start - at, 0), min(stop - at, batch.num_rows)
        if first < last:
            yield batch.select(list(columns)).slice(first, last - first)
        at += batch.num_rows
    if at < stop:
        raise DamageError(f"it does not have the {stop} rows that it claims")


def _open_stream(reader: _Reader, *, is_pipe: bool) -> tuple[Any, int | None, Batches]:
    opened = [pa.ipc.open_stream(reader)]
    schema, n_rows = opened[0].schema, None

    def iter_all() -> Iterator[Any]:
        if not opened:
            reader.seek(0)
            reader.last = b""
            opened.append(pa.ipc.open_stream(reader))
        yield from opened.pop()
        if reader.last != _END_MARK:
            raise DamageError("it ends too early")
        if reader.peek(1):
            raise DamageError("something follows its end")

    if not is_pipe:
        n_rows = sum(batch.num_rows for batch in iter_all())

    def iter_batches(columns: Sequence[str], _: int) -> Iterator[Any]:
        return (batch.select(list(columns)) for batch in iter_all())

    return schema, n_rows, iter_batches


def _open_arrow(file: BinaryIO) -> tuple[Any, int, Batches]:
    _check_blocks(file)
    opened = pa.ipc.open_file(file)
    # Rows are counted by the first column, without reading the others.
    few = pa.ipc.IpcReadOptions(included_fields=[0])
    counted = pa.ipc.open_file(file, options=few)
    n_rows = sum(counted.get_batch(i).num_rows for i in range(counted.num_record_batches))

    def iter_batches(columns: Sequence[str], _: int) -> Iterator[Any]:
        for i in range(opened.num_record_batches):
            yield opened.get_batch(i).select(list(columns))

    return opened.schema, n_rows, iter_batches


def _check_blocks(file: BinaryIO) -> None:
    """Refuse a file whose blocks do not fill it: bytes were put in, or are missing."""
    end = file.seek(-10, os.SEEK_END)
    size, magic = struct.unpack("<I6s", file.read(10))
    if magic != _MAGIC:
        raise DamageError("its end is missing")
    end = file.seek(end - size)
    footer = _Table(file.read(size), 0).follow(0)
    blocks = sorted(footer.unpack("<qi4xq", at) for i in (2, 3) for at in footer.items(i, 24))
    # A block has an offset, the length of its metadata, and that of its body.
    stops = [(at, at + sum(sizes)) for at, *sizes in blocks]
    gaps = [end - stops[-1][1]] if stops else []
    if any(stop != start for (_, stop), (start, _) in pairwise(stops)) or not all(
        0 <= gap <= len(_END_MARK) for gap in gaps
    ):
        raise DamageError("its parts do not fill it")
    file.seek(0)


@dataclass(frozen=True)
class _Table:
    """A table in a flatbuffer."""

    data: bytes
    at: int

    def unpack(self, code: str, at: int) -> tuple[int, ...]:
        return struct.unpack_from(code, self.data, at)

    def follow(self, at: int) -> _Table:
        return _Table(self.data, at + self.unpack("<I", at)[0])

    def items(self, i: int, size: int) -> Iterator[int]:
        """Yield where the items of the vector in the i-th field are, each of `size` bytes."""
        slots = self.at - self.unpack("<i", self.at)[0]
        has_slot = 4 + 2 * i < self.unpack("<H", slots)[0]
        offset = self.unpack("<H", slots + 4 + 2 * i)[0] if has_slot else 0
        if offset:
            start = self.follow(self.at + offset).at + 4
            for k in range(self.unpack("<I", start - 4)[0]):
                yield start + size * k
