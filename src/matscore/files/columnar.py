"""Read Parquet and Arrow IPC with Polars alone, a bounded number of rows at a time.

Parquet is read in slices: ``collect_batches`` ends early, without an error, when its thread panics.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, TypeAlias, cast

import polars as pl

from matscore.errors import FileError, InputError
from matscore.files.arrow import (
    FILE_MAGIC,
    Content,
    DamageError,
    Reader,
    open_arrow_file,
    open_arrow_stream,
)

ColumnarFormat: TypeAlias = Literal["parquet", "arrow"]

# A slice decodes the row groups that it touches, so it had better not be small.
_SLICE_BYTES = 32 << 20
_DESCRIPTORS = Path("/proc/self/fd")

# Polars panics with a BaseException.
_DAMAGE = (
    DamageError, struct.error, UnicodeDecodeError, OSError,
    pl.exceptions.PolarsError, pl.exceptions.PanicException,
)  # fmt: skip


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
    _content: Content = field(repr=False)
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
    >>> from io import BytesIO
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
            reader = Reader(file)
            is_stream = format == "arrow" and reader.peek(len(FILE_MAGIC)) != FILE_MAGIC
            if stream is not None and not is_stream:
                file = resources.enter_context(_copy_pipe(path, reader))
            source = None if file is stream else _find_source(file)
            stamp = _stamp_of(source)
            if is_stream:
                content = open_arrow_stream(path, reader, is_pipe=source is None)
            elif format == "arrow":
                content = open_arrow_file(path, Reader(file))
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


def iter_parquet(
    path: str, columns: Sequence[str], start: int, stop: int, n_rows_per_chunk: int
) -> Iterator[pl.DataFrame]:
    """Yield some rows of a Parquet file.

    Parameters
    ----------
    path : str
        The file.
    columns : sequence of str
        At least one name; the frames have these columns, in this order.
    start, stop : int
        The rows.
    n_rows_per_chunk : int
        Rows of every frame but the last.

    Yields
    ------
    DataFrame
        One row or more.

    Raises
    ------
    FileError
        The file cannot be read, or is damaged.
    """
    os.environ.setdefault("POLARS_IGNORE_TIMEZONE_PARSE_ERROR", "1")
    with _open_file(path) as file, _tell_damage(path):
        rows = pl.scan_parquet(_find_source(file), glob=False, hive_partitioning=False)
        slices = _iter_slices(rows.select(columns), stop, n_rows_per_chunk, start)
        yield from rebatch(slices, n_rows_per_chunk)


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


def _copy_pipe(path: str, reader: Reader) -> BinaryIO:
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


def _open_parquet(path: str, source: Path) -> Content:
    rows = pl.scan_parquet(source, glob=False, hive_partitioning=False)
    try:
        schema = rows.collect_schema()
    except pl.exceptions.DuplicateError as error:
        raise InputError(path, str(error), "rename one of them") from error
    n_rows: int = rows.select(pl.len()).collect().item()

    def iter_frames(columns: Sequence[str], size: int) -> Iterator[pl.DataFrame]:
        return _iter_slices(rows.select(columns), n_rows, size)

    return Content(schema, n_rows, iter_frames)


def _iter_slices(
    rows: pl.LazyFrame, n_rows: int, chunk: int, start: int = 0
) -> Iterator[pl.DataFrame]:
    size = chunk
    while start < n_rows:
        frame = rows.slice(start, min(size, n_rows - start)).collect()
        if frame.height != min(size, n_rows - start):
            raise DamageError(f"it does not have the {n_rows} rows that it claims")
        yield frame
        start += size
        # As many rows as make a slice of the size aimed at; less, since the next may be longer.
        fitting = frame.height * _SLICE_BYTES // max(int(frame.estimated_size()), 1)
        size = max(min(fitting, 4 * size) // chunk, 1) * chunk
