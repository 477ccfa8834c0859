"""Write Parquet and Arrow IPC files of any length in bounded memory, always the same bytes.

PyArrow writes into memory and the bytes are moved on from there: so errors of the output and of the
frames are raised as they are, and the output need not be seekable.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import IO, Any, Literal

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from matscore.frame import Frame, Kind
from matscore.read.columnar import rebatch
from matscore.read.typed import make_batch, make_schema

_GROUP_ROWS = 1 << 16
_GROUP_CELLS = 1 << 22


def write_batches(
    batches: Iterable[Any],
    kinds: Mapping[str, Kind],
    out: IO[bytes] | io.RawIOBase | io.BufferedIOBase,
    format: Literal["parquet", "arrow"],
) -> None:
    """Write rows as one Parquet file or one Arrow IPC file (Feather).

    The bytes depend on the rows, the kinds and the version of PyArrow alone: not on how the rows
    are cut into batches.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        The rows in order, of the columns and types of `kinds`; maybe none.
    kinds : mapping of str to {"text", "whole", "number"}
        Names of the columns and what they hold.
    out : binary file
        Where to write; it need not be seekable. A failed run leaves part of a file in it.
    format : {"parquet", "arrow"}
        Parquet is compressed with zstd. Arrow is not compressed, and has large_string for text,
        which old readers know too.

    Raises
    ------
    ValueError
        A batch's columns or types are not those of `kinds`.
    OSError
        Writing to `out` failed. Whatever `batches` raises comes out unchanged too.

    Examples
    --------
    >>> out = io.BytesIO()
    >>> batches = (pa.record_batch({"x": pa.array([x], pa.int64())}) for x in (1, 2, 3))
    >>> write_batches(batches, {"x": "whole"}, out, "parquet")
    >>> pyarrow.parquet.read_table(out)["x"].to_pylist()
    [1, 2, 3]
    """
    schema = make_schema(kinds)
    n_rows = max(1, min(_GROUP_ROWS, _GROUP_CELLS // max(1, len(schema))))
    held = _Pieces()
    if format == "parquet":
        # Scores are all different: dictionaries of them take time and room.
        writer = pyarrow.parquet.ParquetWriter(
            held, schema, compression="zstd", compression_level=3, use_dictionary=False
        )
    else:
        writer = pyarrow.ipc.new_file(held, schema)
    try:
        for group in rebatch(_check_batches(batches, schema), n_rows):
            writer.write_batch(_copy_rows(group))
            held.move_into(out)
    finally:
        writer.close()
    held.move_into(out)


def encode_batch(frame: Frame) -> bytes:
    """Return rows as an Arrow stream, to be sent to where they are written."""
    batch, out = make_batch(frame), io.BytesIO()
    with pyarrow.ipc.new_stream(out, batch.schema) as writer:
        writer.write_batch(batch)
    return out.getvalue()


def decode_batch(data: bytes) -> Any:
    """Return the rows of `encode_batch`."""
    return pyarrow.ipc.open_stream(data).read_next_batch()


class _Pieces(io.RawIOBase):
    """A file that keeps what is written to it."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._held += data
        return len(data)

    def move_into(self, out: IO[bytes] | io.RawIOBase | io.BufferedIOBase) -> None:
        rest, self._held = memoryview(self._held), bytearray()
        while rest:
            rest = rest[out.write(rest) or 0 :]


def _copy_rows(group: Any) -> Any:
    """Put rows into memory of their own: how a slice was cut shows in what Arrow writes of it."""
    columns = [pa.concat_arrays([*column.chunks, column.chunk(0)[:0]]) for column in group.columns]
    return pa.record_batch(columns, schema=group.schema)


def _check_batches(batches: Iterable[Any], schema: Any) -> Iterable[Any]:
    for batch in batches:
        if batch.schema != schema:
            raise ValueError(f"a batch has {batch.schema}, not {schema}")
        yield batch
