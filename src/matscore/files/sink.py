"""Frames into Parquet or Arrow, in bytes that do not depend on how the rows were cut."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, Any, Literal

import polars as pl
from polars.io.plugins import register_io_source

from matscore.files.columnar import rebatch

_GROUP_ROWS = 2**16


def write_frames(
    frames: Iterator[pl.DataFrame],
    schema: dict[str, pl.DataType],
    out: IO[bytes] | io.RawIOBase | io.BufferedIOBase,
    format: Literal["parquet", "arrow"],
) -> None:
    """Write frames as one file, in bounded memory.

    Parameters
    ----------
    frames : iterator of DataFrame
        With the columns of `schema`, of any height.
    schema : dict of str to DataType
        The columns; with no frame at all the file has them and no row.
    out : binary file
        Where to write.
    format : {"parquet", "arrow"}
        The format.

    Raises
    ------
    OSError
        What `out` raises, unchanged; so is what `frames` raises.
    """
    guard = _Guard(out)

    def draw(*_: Any) -> Iterator[pl.DataFrame]:
        try:
            yield from rebatch(frames, _GROUP_ROWS)
        except BaseException as error:
            guard.failure = guard.failure or error
            raise

    rows = register_io_source(draw, schema=schema)
    try:
        if format == "parquet":
            rows.sink_parquet(guard, row_group_size=_GROUP_ROWS)
        else:
            rows.sink_ipc(guard, record_batch_size=_GROUP_ROWS)
    except BaseException:
        if guard.failure is not None:
            raise guard.failure from None
        raise


class _Guard(io.RawIOBase):
    """Passes bytes on and keeps the first failure, which Polars would rename."""

    def __init__(self, out: IO[bytes] | io.RawIOBase | io.BufferedIOBase) -> None:
        self.failure: BaseException | None = None
        self._out = out

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            self._out.write(bytes(data))
        except BaseException as error:
            self.failure = self.failure or error
            raise
        return len(data)
