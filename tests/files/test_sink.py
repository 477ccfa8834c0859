"""Parquet and Arrow come out whole, in the same bytes, or the error comes out as it is."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from matscore.files import sink
from matscore.files.columnar import rebatch
from matscore.files.sink import write_frames

Format = Literal["parquet", "arrow"]
each_format = pytest.mark.parametrize("format", ["parquet", "arrow"])
SOURCE = Path(sink.__file__).parents[2]
SCHEMA = {"x": pl.Float64()}


class Stop(BaseException):
    """What a signal handler raises."""


def make_frame(n_rows: int) -> pl.DataFrame:
    places = range(n_rows)
    return pl.DataFrame(
        data={
            "id": [f"a label longer than a view, {i % 9}" * (i % 3) for i in places],
            "x": [i / 7 for i in places],
            "maybe x": [None if i % 6 == 1 else i / 3 for i in places],
            "maybe text": [None if i % 4 == 2 else f"text {i}" for i in places],
            "flag": [None if i % 5 == 3 else i % 2 == 0 for i in places],
        },
        schema={
            "id": pl.String,
            "x": pl.Float64,
            "maybe x": pl.Float64,
            "maybe text": pl.String,
            "flag": pl.Boolean,
        },
    )


def cut(frame: pl.DataFrame, heights: Iterable[int]) -> Iterator[pl.DataFrame]:
    start = 0
    for height in heights:
        yield frame.slice(start, height)
        start += height
    yield frame.slice(start)


def write(frames: Iterable[pl.DataFrame], schema: Any, format: Format) -> bytes:
    out = io.BytesIO()
    write_frames(frames, schema, out, format)
    assert not is_encoding()
    return out.getvalue()


def is_encoding() -> bool:
    return any(thread.name == "encoder" for thread in threading.enumerate())


def read(data: bytes, format: Format) -> Any:
    """Read a file with PyArrow."""
    if format == "parquet":
        return pa.parquet.read_table(io.BytesIO(data))
    return pa.ipc.open_file(io.BytesIO(data)).read_all()


def numbers(n_frames: int, n_rows: int = 70_000) -> Iterator[pl.DataFrame]:
    rng = np.random.default_rng(0)
    for _ in range(n_frames):
        yield pl.DataFrame({"x": rng.normal(size=n_rows)})


# The same bytes


@each_format
@settings(deadline=None, max_examples=40)
@given(
    n_rows=st.integers(0, 60),
    group=st.integers(1, 70),
    heights=st.lists(st.integers(0, 20)),
    offset=st.integers(0, 9),
)
def test_any_cut_gives_the_same_bytes(
    format: Format, n_rows: int, group: int, heights: list[int], offset: int
) -> None:
    frame = make_frame(n_rows)
    shifted = pl.concat([make_frame(offset), frame], rechunk=True).slice(offset)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sink, "_GROUP_ROWS", group)
        data = write([frame], frame.schema, format)
        assert data == write(cut(frame, heights), frame.schema, format)
        assert data == write(cut(shifted, heights), frame.schema, format)
        assert data == write(rebatch([frame], 1), frame.schema, format)
    assert_frame_equal(pl.DataFrame(read(data, format)), frame)


@each_format
@pytest.mark.parametrize("null_first", [False, True])
def test_what_nulls_hide_is_not_written(format: Format, null_first: bool) -> None:
    values: list[float | None] = [None, 1.0, None, 2.0] if null_first else [1.0, None, 2.0, None]
    texts = [None if value is None else f"a text of some length {value}" for value in values]
    plain = pl.DataFrame({"x": values, "text": texts})
    hiding = pl.DataFrame(
        {"x": [value or float("nan") for value in values], "text": [text or "0" for text in texts]}
    ).select(pl.col("x").fill_nan(None), pl.when(pl.col("text") != "0").then("text").alias("text"))
    assert plain.equals(hiding)
    data = write([plain], plain.schema, format)
    assert data == write([hiding], plain.schema, format)
    assert data == write([plain[[0, 1]], hiding[[2, 3]]], plain.schema, format)
    nothing = plain.clear(3)
    assert read(write([nothing], plain.schema, format), format).num_rows == 3


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_threads_leave_no_trace(n_threads: int) -> None:
    program = """
import hashlib, io, polars as pl
from matscore.files.sink import write_frames
for format in ("parquet", "arrow"):
    out = io.BytesIO()
    frames = (pl.DataFrame({"x": [i / 7 for i in range(k * 30_000)]}) for k in range(1, 5))
    write_frames(frames, {"x": pl.Float64()}, out, format)
    print(hashlib.sha256(out.getvalue()).hexdigest())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "POLARS_MAX_THREADS": str(n_threads)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    x = pl.DataFrame({"x": [i / 7 for k in range(1, 5) for i in range(k * 30_000)]})
    data = [write([x], SCHEMA, "parquet"), write([x], SCHEMA, "arrow")]
    assert done.stdout.split() == [hashlib.sha256(each).hexdigest() for each in data]


# What is written


@each_format
def test_row_groups(format: Format) -> None:
    frame = pl.DataFrame({"n": range(150_000)})
    data = write(cut(frame, [1, 65_535, 40_000]), frame.schema, format)
    assert pl.DataFrame(read(data, format)).equals(frame)
    if format == "parquet":
        file = pa.parquet.ParquetFile(io.BytesIO(data))
        assert file.metadata.num_row_groups == 3
        assert pl.read_parquet(data).equals(frame)
    else:
        assert pa.ipc.open_file(io.BytesIO(data)).num_record_batches == 3
        assert pl.read_ipc(data).equals(frame)


@each_format
def test_wide_rows_make_small_groups(format: Format) -> None:
    frame = pl.DataFrame(np.arange(3000 * 1500).reshape(1500, 3000))
    data = write([frame], frame.schema, format)
    if format == "parquet":
        assert pa.parquet.ParquetFile(io.BytesIO(data)).metadata.num_row_groups == 2
    else:
        assert pa.ipc.open_file(io.BytesIO(data)).num_record_batches == 2


@each_format
@pytest.mark.parametrize("n_empty", [0, 2])
def test_no_rows(format: Format, n_empty: int) -> None:
    frame = make_frame(0)
    table = read(write([frame] * n_empty, frame.schema, format), format)
    assert table.num_rows == 0
    assert pl.DataFrame(table).schema == frame.schema


def test_arrow_text_is_of_the_old_type() -> None:
    frame = pl.DataFrame({"id": ["a"]})
    assert read(write([frame], frame.schema, "arrow"), "arrow").schema.types == [pa.large_string()]


@each_format
def test_output_that_takes_little_at_a_time(format: Format) -> None:
    class Narrow(io.RawIOBase):
        taken = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: Any, /) -> int:
            self.taken += bytes(data[:1000])
            return min(len(data), 1000)

    out = Narrow()
    write_frames(numbers(1), SCHEMA, out, format)
    assert bytes(out.taken) == write(numbers(1), SCHEMA, format)


# What fails


@each_format
@pytest.mark.parametrize("n_before", [0, 1, 5])
@pytest.mark.parametrize("error", [ZeroDivisionError("x"), KeyboardInterrupt(), OSError(5, "y")])
def test_errors_of_the_frames(format: Format, n_before: int, error: BaseException) -> None:
    def frames() -> Iterator[pl.DataFrame]:
        yield from numbers(n_before)
        raise error

    with pytest.raises(type(error)) as caught:
        write(frames(), SCHEMA, format)
    assert caught.value is error
    assert not is_encoding()


@each_format
@pytest.mark.parametrize("n_writes", [0, 3, 30])
def test_errors_of_the_output(format: Format, n_writes: int) -> None:
    error = OSError(errno.ENOSPC, "full")

    class Full(io.RawIOBase):
        n_left = n_writes

        def writable(self) -> bool:
            return True

        def write(self, data: Any, /) -> int:
            self.n_left -= 1
            if self.n_left < 0:
                raise error
            return len(data)

    with pytest.raises(OSError, match="full") as caught:
        write_frames(numbers(50), SCHEMA, Full(), format)
    assert caught.value is error
    assert not is_encoding()


@each_format
@pytest.mark.parametrize("n_frames", [0, 3])
def test_full_device(format: Format, n_frames: int) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no full device here")
    with (
        pytest.raises(OSError, match="No space") as caught,
        Path("/dev/full").open("wb", buffering=0) as out,
    ):
        write_frames(numbers(n_frames), SCHEMA, out, format)
    assert caught.value.errno == errno.ENOSPC


@each_format
def test_closed_pipe(format: Format) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with io.FileIO(writing, "wb") as out, pytest.raises(BrokenPipeError):
        write_frames(numbers(3), SCHEMA, out, format)


@each_format
@pytest.mark.parametrize(
    "frame",
    [pl.DataFrame({"y": [1.0]}), pl.DataFrame({"x": [1]}), pl.DataFrame({"x": [1.0], "y": [1.0]})],
)
def test_other_columns(format: Format, frame: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match="a frame has"):
        write([*numbers(1, 5), frame], SCHEMA, format)
    assert not is_encoding()


@each_format
@pytest.mark.parametrize("error", [ZeroDivisionError("x"), None])
def test_errors_of_the_encoder(
    format: Format, error: BaseException | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        if error:
            raise error

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", fail)
    monkeypatch.setattr(pl.LazyFrame, "sink_ipc", fail)
    with pytest.raises(type(error) if error else RuntimeError):
        write(numbers(3), SCHEMA, format)
    assert not is_encoding()


@each_format
@pytest.mark.parametrize("is_stuck", [False, True])
def test_signals_are_handled_at_once(format: Format, is_stuck: bool) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Stop

    reading, writing = os.pipe()  # nobody reads, so it fills
    before = signal.signal(signal.SIGALRM, stop)
    try:
        with io.FileIO(writing, "wb") as pipe, pytest.raises(Stop):
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            write_frames(numbers(10**6), SCHEMA, pipe if is_stuck else open_null(), format)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        os.close(reading)
    assert not is_encoding()


def open_null() -> io.RawIOBase:
    class Null(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: Any, /) -> int:
            return len(data)

    return Null()
