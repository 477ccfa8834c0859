"""Parquet and Arrow come out whole, in the same bytes, or the error comes out as it is."""

from __future__ import annotations

import errno
import io
import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matscore.frame import Frame, Kind
from matscore.kernel import Choices, Masked, Texts
from matscore.write import columnar
from matscore.write.columnar import decode_batch, encode_batch, write_batches

Format = Literal["parquet", "arrow"]
each_format = pytest.mark.parametrize("format", ["parquet", "arrow"])
KINDS: dict[str, Kind] = {
    "id": "text", "n": "whole", "x": "number", "maybe x": "number", "maybe text": "text",
    "chosen": "text",
}  # fmt: skip
SCHEMA: dict[str, Kind] = {"x": "number"}


class Stop(BaseException):
    """What a signal handler raises."""


def make_frame(n_rows: int) -> Frame:
    places = np.arange(n_rows)
    texts = [None if i % 4 == 2 else f"text {i}" for i in range(n_rows)]
    return Frame(
        {
            "id": Texts.from_strings(f"a label, {i % 9}" * (i % 3) for i in range(n_rows)),
            "n": places,
            "x": places / 7,
            "maybe x": Masked(places / 3, places % 6 == 1),
            "maybe text": Texts.from_strings(texts),
            "chosen": Choices((places % 3 - 1).astype(np.int32), Texts.from_strings("ab")),
        }
    )


def rows_of(frame: Frame) -> dict[str, list[Any]]:
    return {name: frame.values(name) for name in frame.columns}


def cut(frame: Frame, heights: Iterable[int]) -> Iterator[Frame]:
    start = 0
    for height in [*heights, frame.height]:
        yield frame.take(np.arange(start, min(start + height, frame.height)))
        start = min(start + height, frame.height)


def send(frames: Iterable[Frame]) -> Iterator[Any]:
    return (decode_batch(encode_batch(frame)) for frame in frames)


def write(frames: Iterable[Frame], kinds: Mapping[str, Kind], format: Format) -> bytes:
    out = io.BytesIO()
    write_batches(send(frames), kinds, out, format)
    return out.getvalue()


def read(data: bytes, format: Format) -> Any:
    """Read a file whole."""
    if format == "parquet":
        return pa.parquet.read_table(io.BytesIO(data))
    return pa.ipc.open_file(io.BytesIO(data)).read_all()


def numbers(n_frames: int, n_rows: int = 70_000) -> Iterator[Frame]:
    rng = np.random.default_rng(0)
    for _ in range(n_frames):
        yield Frame({"x": rng.normal(size=n_rows)})


# The same bytes


@each_format
@settings(deadline=None, max_examples=40)
@given(n_rows=st.integers(0, 60), group=st.integers(1, 70), heights=st.lists(st.integers(0, 20)))
def test_any_cut_gives_the_same_bytes(
    format: Format, n_rows: int, group: int, heights: list[int]
) -> None:
    frame = make_frame(n_rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columnar, "_GROUP_ROWS", group)
        data = write([frame], KINDS, format)
        assert data == write(cut(frame, heights), KINDS, format)
        assert data == write(cut(frame, [1] * n_rows), KINDS, format)
    assert read(data, format).to_pydict() == rows_of(frame)


@each_format
def test_what_nothing_hides_is_not_written(format: Format) -> None:
    absent = np.array([True, False])
    plain = Masked(np.array([0.0, 1.0]), absent)
    hiding = Masked(np.array([5.0, 1.0]), absent)
    first, second = (write([Frame({"x": column})], SCHEMA, format) for column in (plain, hiding))
    assert first == second


# What is written


@each_format
def test_row_groups(format: Format) -> None:
    frame = Frame({"n": np.arange(150_000)})
    data = write(cut(frame, [1, 65_535, 40_000]), {"n": "whole"}, format)
    assert read(data, format)["n"].to_numpy().tolist() == list(range(150_000))
    if format == "parquet":
        file = pa.parquet.ParquetFile(io.BytesIO(data))
        assert file.metadata.num_row_groups == 3
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    else:
        assert pa.ipc.open_file(io.BytesIO(data)).num_record_batches == 3


@each_format
def test_wide_rows_make_small_groups(format: Format) -> None:
    columns = {f"x{i}": np.arange(1500) / 7 for i in range(3000)}
    data = write([Frame(columns)], dict.fromkeys(columns, "number"), format)
    if format == "parquet":
        assert pa.parquet.ParquetFile(io.BytesIO(data)).metadata.num_row_groups == 2
    else:
        assert pa.ipc.open_file(io.BytesIO(data)).num_record_batches == 2


@each_format
@pytest.mark.parametrize("n_empty", [0, 2])
def test_no_rows(format: Format, n_empty: int) -> None:
    table = read(write([make_frame(0)] * n_empty, KINDS, format), format)
    assert table.num_rows == 0
    assert table.schema.names == list(KINDS)


def test_types() -> None:
    types = read(write([make_frame(3)], KINDS, "arrow"), "arrow").schema.types
    text, number = pa.large_string(), pa.float64()
    assert types == [text, pa.int64(), number, number, text, text]


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
    write_batches(send(numbers(1)), SCHEMA, out, format)
    assert bytes(out.taken) == write(numbers(1), SCHEMA, format)


# What fails


@each_format
@pytest.mark.parametrize("n_before", [0, 1, 5])
@pytest.mark.parametrize("error", [ZeroDivisionError("x"), KeyboardInterrupt(), OSError(5, "y")])
def test_errors_of_the_frames(format: Format, n_before: int, error: BaseException) -> None:
    def frames() -> Iterator[Frame]:
        yield from numbers(n_before)
        raise error

    with pytest.raises(type(error)) as caught:
        write(frames(), SCHEMA, format)
    assert caught.value is error


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
        write_batches(send(numbers(50)), SCHEMA, Full(), format)
    assert caught.value is error


@each_format
@pytest.mark.parametrize("n_frames", [0, 3])
def test_full_device(format: Format, n_frames: int) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no full device here")
    with (
        pytest.raises(OSError, match="No space") as caught,
        Path("/dev/full").open("wb", buffering=0) as out,
    ):
        write_batches(send(numbers(n_frames)), SCHEMA, out, format)
    assert caught.value.errno == errno.ENOSPC


@each_format
def test_closed_pipe(format: Format) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with io.FileIO(writing, "wb") as out, pytest.raises(BrokenPipeError):
        write_batches(send(numbers(3)), SCHEMA, out, format)


@each_format
@pytest.mark.parametrize(
    "columns",
    [{"y": np.ones(1)}, {"x": np.arange(1)}, {"x": np.ones(1), "y": np.ones(1)}],
)
def test_other_columns(format: Format, columns: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a batch has"):
        write([*numbers(1, 5), Frame(columns)], SCHEMA, format)


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
            out = pipe if is_stuck else open_null()
            write_batches(send(numbers(10**6)), SCHEMA, out, format)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        os.close(reading)


def open_null() -> io.RawIOBase:
    class Null(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: Any, /) -> int:
            return len(data)

    return Null()
