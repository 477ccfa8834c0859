"""Read Parquet and Arrow IPC with Polars alone, a bounded number of rows at a time.

Owns how the two formats are opened, cut into frames and turned into labels and numbers. Parquet
is read in slices, because ``collect_batches`` ends early and silently when its thread panics.
Arrow is read message by message, file and stream format alike: a pipe needs no temporary file,
and ``scan_ipc`` decodes a whole record batch anew for every slice of it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Literal, NamedTuple

import numpy as np
import polars as pl

from matscore.errors import FileError, InputError

if TYPE_CHECKING:
    from types import TracebackType

_SLICE_BYTES = 32 << 20
"""Decoded bytes aimed at for one slice of a Parquet file; each slice decodes its row groups."""

_COPY_BYTES = 1 << 20
_OPEN_FILES = Path("/proc/self/fd")

_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, EOFError)
"""What Polars raises at a damaged file; a panic is a ``BaseException`` of its own."""

ReadFrames = Callable[[Sequence[str], int], Iterator[pl.DataFrame]]


@dataclass(frozen=True)
class ColumnarFile:
    """An open Parquet or Arrow file.

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
    _read: ReadFrames
    _resources: contextlib.ExitStack

    def iter_frames(self, columns: Sequence[str], n_rows_per_chunk: int) -> Iterator[pl.DataFrame]:
        """Yield the rows in file order.

        Parameters
        ----------
        columns : sequence of str
            At least one name; the frames have these columns, in this order.
        n_rows_per_chunk : int
            Rows of every frame but the last. Memory also depends on the size of the file's row
            groups or record batches, never on their number.

        Raises
        ------
        FileError
            The file is damaged, or changed while it was read.
        ValueError
            No columns; or a second pass over a pipe.
        """
        if not columns:
            raise ValueError("iter_frames needs at least one column")
        return rebatch(self._read(columns, n_rows_per_chunk), n_rows_per_chunk)

    def close(self) -> None:
        """Close the file, and delete the temporary copy of a pipe."""
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
    path: str, stream: BinaryIO | None, format: Literal["parquet", "arrow"]
) -> ColumnarFile:
    """Open a Parquet file, or an Arrow IPC file or stream.

    Parameters
    ----------
    path : str
        The input's name; opened unless `stream` is given.
    stream : binary file or None
        Read forwards from where it stands and never closed. Parquet needs its end first, so it
        is copied to a temporary file; Arrow is read as it comes.
    format : {"parquet", "arrow"}
        What the content is.

    Returns
    -------
    ColumnarFile
        To be closed, or used as a context manager.

    Raises
    ------
    FileError
        The file cannot be opened, or is not a whole file of that format.
    InputError
        Two columns have one name, or Polars cannot read a column's type.

    Examples
    --------
    >>> import io
    >>> data = io.BytesIO()
    >>> pl.DataFrame({"id": ["a", "b", "c"], "x": [1, 2, 3]}).write_parquet(data)
    >>> _ = data.seek(0)
    >>> with open_columnar("-", data, "parquet") as file:
    ...     print(file.names, file.n_rows, [f["x"].to_list() for f in file.iter_frames(["x"], 2)])
    ('id', 'x') 3 [[1, 2], [3]]
    """
    # Without it one column with a fixed offset for a time zone, as pandas writes, makes Polars
    # panic on the whole file.
    os.environ.setdefault("POLARS_IGNORE_TIMEZONE_PARSE_ERROR", "1")
    with contextlib.ExitStack() as resources:
        if stream is None:
            with _as_file_error(path, format):
                handle = resources.enter_context(open(path, "rb"))
        if format == "arrow":
            source = _ArrowSource(path, handle if stream is None else stream, stream is None)
        else:
            ...
        return ColumnarFile(path, names, dtypes, n_rows, read, resources.pop_all())
