"""Write Parquet and Arrow IPC files of any length in bounded memory, always the same bytes.

PyArrow writes into memory and the bytes are moved on from there: so errors of the output and of the
frames are raised as they are, and the output need not be seekable. Whatever imports this module
has seen that PyArrow is there.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from matscore.frame import Frame, Kind
from matscore.kernel import Choices, Masked, Texts
from matscore.read.columnar import rebatch
from matscore.write.whole import BinaryFile, write_all

_GROUP_ROWS = 1 << 16
_GROUP_CELLS = 1 << 22


def write_batches(
    batches: Iterable[Any],
    kinds: Mapping[str, Kind],
    out: BinaryFile,
    format: Literal["parquet", "arrow"],
) -> None:
    """Write rows as one Parquet file or one Arrow IPC file (Feather).

    The bytes depend on the rows, the kinds and the version of PyArrow alone: not on how the rows
    are cut into batches. Parquet is compressed with zstd. Arrow is not compressed, and has
    large_string for text, which old readers know too. A failed run leaves part of a file in it.
    """
    types = {"text": pa.large_string(), "whole": pa.int64(), "number": pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    n_rows = max(1, min(_GROUP_ROWS, _GROUP_CELLS // max(1, len(schema))))
    pieces = _Pieces()
    if format == "parquet":
        # Scores are all different: dictionaries of them take time and room.
        writer = pyarrow.parquet.ParquetWriter(
            pieces, schema, compression="zstd", compression_level=3, use_dictionary=False
        )
    else:
        writer = pyarrow.ipc.new_file(pieces, schema)
    try:
        for group in rebatch(_check_batches(batches, schema), n_rows):
            writer.write_batch(_copy_rows(group))
            write_all(out, pieces.take())
    finally:
        writer.close()
    write_all(out, pieces.take())


def encode_batch(frame: Frame) -> bytes:
    """Return rows as an Arrow stream, to be sent to where they are written."""
    arrays = [_make_array(column) for column in frame.columns.values()]
    batch, out = pa.record_batch(arrays, names=list(frame.columns)), io.BytesIO()
    with pyarrow.ipc.new_stream(out, batch.schema) as writer:
        writer.write_batch(batch)
    return out.getvalue()


def decode_batch(data: bytes | bytearray) -> Any:
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

    def take(self) -> bytearray:
        """Return what was written since it was last asked."""
        held, self._held = self._held, bytearray()
        return held


def _copy_rows(group: Any) -> Any:
    """Put rows into memory of their own: how a slice was cut shows in what Arrow writes of it."""
    columns = [pa.concat_arrays([*column.chunks, column.chunk(0)[:0]]) for column in group.columns]
    return pa.record_batch(columns, schema=group.schema)


def _check_batches(batches: Iterable[Any], schema: Any) -> Iterator[Any]:
    for batch in batches:
        if batch.schema != schema:
            raise ValueError(f"a batch has {batch.schema}, not {schema}")
        yield batch


def _make_array(column: Any) -> Any:
    """Return a column for PyArrow; memory is shared where it can be."""
    masked: Any = None
    match column:
        case Choices(codes, texts):
            places = _from_buffers(pa.int32(), [np.maximum(codes, 0)], len(codes), codes < 0)
            return _make_array(texts).take(places)
        case Masked(values, absent):
            column, masked = np.where(absent, values.dtype.type(0), values), absent
        case Texts(offsets, data, absent):
            buffers = [offsets.view(np.int64), data]
            return _from_buffers(pa.large_string(), buffers, len(column), absent)
    dtype = pa.int64() if column.dtype == np.int64 else pa.float64()
    return _from_buffers(dtype, [np.ascontiguousarray(column)], len(column), masked)


def _from_buffers(dtype: Any, buffers: list[Any], n: int, absent: Any) -> Any:
    # PyArrow's own way from NumPy imports pandas, which takes longer than a small job.
    valid = None
    if absent is not None:
        valid = pa.py_buffer(np.packbits(~absent, bitorder="little"))
    return pa.Array.from_buffers(dtype, n, [valid, *map(pa.py_buffer, buffers)])
