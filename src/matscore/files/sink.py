"""Write Parquet and Arrow IPC files of any length in bounded memory, always the same bytes.

The encoding is Polars' own. Its sink runs in a thread that touches no file: signals are handled
while it works, errors of the output and of the frames are raised here as they are, and nothing
waits for a pipe but the caller.
"""

from __future__ import annotations

import io
import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Literal, cast

import polars as pl
from polars.io.plugins import register_io_source

from matscore.files.columnar import rebatch

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_GROUP_ROWS = 1 << 16
_GROUP_CELLS = 1 << 22
_POLL_SECONDS = 0.1


def write_frames(
    frames: Iterable[pl.DataFrame],
    schema: Mapping[str, pl.DataType],
    out: IO[bytes] | io.RawIOBase | io.BufferedIOBase,
    format: Literal["parquet", "arrow"],
) -> None:
    """Write frames as one Parquet file or one Arrow IPC file (Feather).

    The bytes depend on the rows, the schema and the version of Polars alone: not on how the rows
    are cut into frames, nor on the number of threads. (Arrow with nested columns is excepted.)

    Parameters
    ----------
    frames : iterable of DataFrame
        The rows in order, each frame with the columns and types of `schema`; maybe none.
    schema : mapping of str to polars.DataType
        Names and types of the columns.
    out : binary file
        Where to write; it need not be seekable. A failed run leaves part of a file in it.
    format : {"parquet", "arrow"}
        Parquet is compressed with zstd. Arrow is not compressed, and has large_string for text,
        which old readers know too.

    Raises
    ------
    ValueError
        A frame's columns or types are not those of `schema`.
    OSError
        Writing to `out` failed. Whatever `frames` raises comes out unchanged too.

    Examples
    --------
    >>> out = io.BytesIO()
    >>> frames = (pl.DataFrame({"x": [x]}) for x in (1, 2, 3))
    >>> write_frames(frames, {"x": pl.Int64()}, out, "parquet")
    >>> pl.read_parquet(out.getvalue())["x"].to_list()
    [1, 2, 3]
    """
    n_rows = max(1, min(_GROUP_ROWS, _GROUP_CELLS // max(1, len(schema))))
    encoder = _Encoder(schema, n_rows, format)
    try:
        for group in rebatch(_check_frames(frames, schema), n_rows):
            whole = group.rechunk()
            encoder.feed(whole if format == "parquet" else whole.select(map(_normalise, whole)))
            encoder.move_into(out)
        encoder.finish()
    finally:
        encoder.stop()
    encoder.move_into(out)


class _Encoder:
    """Polars' sink in a thread: frames go in, bytes pile up to be moved out."""

    def __init__(
        self, schema: Mapping[str, pl.DataType], n_rows: int, format: Literal["parquet", "arrow"]
    ) -> None:
        self._frames: queue.Queue[pl.DataFrame | None] = queue.Queue(1)
        self._encoded = _Pieces()
        self._error: BaseException | None = None
        rows = register_io_source(lambda *_: self._iter_fed(), schema=dict(schema))
        args = (rows, n_rows, format)
        self._thread = threading.Thread(target=self._run, args=args, name="encoder", daemon=True)
        self._thread.start()

    def feed(self, frame: pl.DataFrame | None) -> None:
        while self._thread.is_alive():
            with suppress(queue.Full):
                self._frames.put(frame, timeout=_POLL_SECONDS)
                return
        raise self._error or RuntimeError("the encoder ended before the frames did")

    def finish(self) -> None:
        self.feed(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the thread, whatever it was doing; what it still writes is not used."""
        with suppress(queue.Empty):
            self._frames.get_nowait()
        self._frames.put(None)
        self._thread.join()

    def move_into(self, out: IO[bytes] | io.RawIOBase | io.BufferedIOBase) -> None:
        while self._encoded.pieces:
            piece = memoryview(self._encoded.pieces.popleft())
            while piece:
                piece = piece[out.write(piece) or 0 :]

    def _iter_fed(self) -> Iterator[pl.DataFrame]:
        while (frame := self._frames.get()) is not None:
            yield frame

    def _run(self, rows: pl.LazyFrame, n_rows: int, format: Literal["parquet", "arrow"]) -> None:
        target = cast(IO[bytes], self._encoded)
        try:
            if format == "parquet":
                rows.sink_parquet(target, row_group_size=n_rows)
            else:
                level = pl.CompatLevel.oldest()
                rows.sink_ipc(target, record_batch_size=n_rows, compat_level=level)
        except BaseException as error:
            self._error = error


class _Pieces(io.RawIOBase):
    """A file that keeps what is written to it."""

    def __init__(self) -> None:
        self.pieces: deque[bytes] = deque()

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        self.pieces.append(bytes(data))
        return len(self.pieces[-1])


def _check_frames(
    frames: Iterable[pl.DataFrame], schema: Mapping[str, pl.DataType]
) -> Iterator[pl.DataFrame]:
    expected = pl.Schema(schema)
    for frame in frames:
        if frame.schema != expected:
            raise ValueError(f"a frame has {frame.schema}, not {expected}")
        yield frame


def _normalise(column: pl.Series) -> pl.Series:
    """Return a column of the same values, with nothing under its nulls nor after its last bit.

    Polars writes both into Arrow as it finds them. They come from how the column was made.
    """
    if not (column.null_count() or column.dtype == pl.Boolean):
        return column
    # NumPy has no bits, so these are made anew.
    present = pl.Series(column.is_not_null().to_numpy())
    if column.dtype == pl.Boolean:
        values = pl.Series(column.fill_null(False).to_numpy())
        return pl.select(pl.when(present).then(values)).to_series().alias(column.name)
    places = pl.select(pl.when(present).then(present.cum_sum() - 1)).to_series()
    return column.drop_nulls().gather(places)
