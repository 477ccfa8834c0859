"""Parquet and Arrow are read as PyArrow reads them, in pieces of any size, and damage is told."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matscore.errors import FileError, InputError
from matscore.read.columnar import ColumnarFile, open_columnar, rebatch
from matscore.read.typed import feature_column, label_text

Kind: TypeAlias = Literal["parquet", "file", "stream"]
ColumnarFormat: TypeAlias = Literal["parquet", "arrow"]
KINDS: list[Kind] = ["parquet", "file", "stream"]
COLUMNS = ["id", "x", "n", "kind"]
DESCRIPTORS = Path("/proc/self/fd")
each_kind = pytest.mark.parametrize("kind", KINDS)


class Pipe(io.RawIOBase):
    """Bytes that come in small pieces, once, and that nobody may close."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        size = min(len(buffer), 1000)
        piece, self.data = self.data[:size], self.data[size:]
        buffer[: len(piece)] = piece
        return len(piece)


def open_pipe(data: bytes, kind: Kind) -> closing[ColumnarFile]:
    format: ColumnarFormat = "parquet" if kind == "parquet" else "arrow"
    return closing(open_columnar("in", Pipe(data), format))


def open_file(path: Path, kind: Kind) -> closing[ColumnarFile]:
    format: ColumnarFormat = "parquet" if kind == "parquet" else "arrow"
    return closing(open_columnar(str(path), None, format))


def encode(table: Any, kind: Kind, *, n_rows: int = 1000) -> bytes:
    """Write a table with PyArrow, in row groups or record batches of `n_rows`."""
    out = io.BytesIO()
    if kind == "parquet":
        pa.parquet.write_table(table, out, row_group_size=n_rows)
    else:
        new = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
        with new(out, table.schema) as writer:
            writer.write_table(table, max_chunksize=n_rows)
    return out.getvalue()


def make_table(n_rows: int) -> Any:
    places = range(n_rows)
    return pa.table(
        {
            "id": [f"row {i}" if i % 5 else None for i in places],
            "x": [i / 7 for i in places],
            "n": pa.array([i if i % 3 else None for i in places], pa.int32()),
            "kind": pa.array([f"kind {i % 4}" for i in places]).dictionary_encode(),
        }
    )


def read_all(data: bytes, kind: Kind) -> dict[str, list[Any]]:
    with open_pipe(data, kind) as file:
        tables = list(file.iter_tables(file.names, 100))
        return {name: [x for t in tables for x in t[name].to_pylist()] for name in file.names}


def refuse(data: bytes, kind: Kind) -> str:
    with pytest.raises(FileError) as caught, open_pipe(data, kind) as file:
        list(file.iter_tables(file.names, 10))
    assert caught.value.path == "in"
    return caught.value.what


# What comes out


@each_kind
@settings(deadline=None)
@given(
    n_rows=st.integers(0, 40),
    group=st.integers(1, 50),
    chunk=st.integers(1, 50),
    columns=st.lists(st.sampled_from(COLUMNS), min_size=1, unique=True),
)
def test_any_pieces(kind: Kind, n_rows: int, group: int, chunk: int, columns: list[str]) -> None:
    table = make_table(n_rows)
    with open_pipe(encode(table, kind, n_rows=group), kind) as file:
        assert file.names == tuple(COLUMNS)
        assert file.n_rows == (None if kind == "stream" else n_rows)
        tables = list(file.iter_tables(columns, chunk))
    assert all(read.column_names == columns for read in tables)
    assert all(read.num_rows == chunk for read in tables[:-1])
    assert all(0 < read.num_rows <= chunk for read in tables)
    for name in columns:
        assert [x for read in tables for x in read[name].to_pylist()] == table[name].to_pylist()


@each_kind
def test_file_is_read_twice(kind: Kind, tmp_path: Path) -> None:
    table = make_table(2500)
    (tmp_path / "in").write_bytes(encode(table, kind))
    with open_file(tmp_path / "in", kind) as file:
        assert file.n_rows == 2500
        assert file.types[:3] == (pa.string(), pa.float64(), pa.int32())
        for _ in range(2):
            tables = list(file.iter_tables(["x"], 999))
            assert [read.num_rows for read in tables] == [999, 999, 502]
            assert pa.concat_tables(tables)["x"].to_pylist() == table["x"].to_pylist()


@each_kind
def test_nothing_stays_open(kind: Kind, tmp_path: Path) -> None:
    if not DESCRIPTORS.is_dir():
        pytest.skip("descriptors have no names here")
    data = encode(make_table(3), kind)
    (tmp_path / "in").write_bytes(data)
    n_open = len(list(DESCRIPTORS.iterdir()))
    for opened in (open_file(tmp_path / "in", kind), open_pipe(data, kind)):
        with opened as file:
            list(file.iter_tables(["x"], 2))
    refuse(data[:-20], kind)
    assert len(list(DESCRIPTORS.iterdir())) == n_open


@pytest.mark.parametrize("name", ["[a-z]*.pq", "~", "s3:x", "a b?", "k=1", b"caf\xe9"])
@each_kind
def test_odd_names(kind: Kind, name: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(name)
    try:
        path.write_bytes(encode(make_table(3), kind))
    except OSError:
        pytest.skip("there is no such name here")
    with open_file(path, kind) as file:
        assert next(file.iter_tables(["x"], 5)).num_rows == 3


@pytest.mark.parametrize("n_rows", [0, 3, 120_000])
def test_files_of_polars(n_rows: int) -> None:
    frame = pl.DataFrame({"x": range(n_rows), "id": ["a"] * n_rows})
    for kind in KINDS:
        out = io.BytesIO()
        if kind == "parquet":
            frame.write_parquet(out)
        elif kind == "file":
            frame.write_ipc(out)
        else:
            frame.write_ipc_stream(out)
        with open_pipe(out.getvalue(), kind) as file:
            assert file.names == ("x", "id")
            tables = list(file.iter_tables(["id", "x"], 50_000))
        read = pl.DataFrame(pa.concat_tables(tables)) if tables else frame.clear()
        assert read.select("x", "id").equals(frame)


@pytest.mark.parametrize("compression", ["lz4", "zstd", "uncompressed"])
def test_feather(compression: str) -> None:
    table, out = make_table(100), io.BytesIO()
    pa.feather.write_feather(table, out, compression=compression, chunksize=30)
    assert read_all(out.getvalue(), "file") == table.to_pydict()


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_dictionaries_that_change(kind: Kind) -> None:
    batches = [
        pa.record_batch({"x": pa.array(words).dictionary_encode()})
        for words in (["a", "b"], ["a", "b", "a"], ["z", "a"])
    ]
    if kind == "file":  # this format has one dictionary for all
        batches = pa.Table.from_batches(batches).unify_dictionaries().to_batches()
    out = io.BytesIO()
    new = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with new(out, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    assert read_all(out.getvalue(), kind) == {"x": ["a", "b", "a", "b", "a", "z", "a"]}


@each_kind
@pytest.mark.parametrize("zone", ["+05:30", "Europe/Berlin", "UTC"])
def test_time_zones(kind: Kind, zone: str) -> None:
    at = pa.array([0, None], pa.timestamp("us", zone))
    with open_pipe(encode(pa.table({"at": at, "x": [1.0, 2.0]}), kind), kind) as file:
        [table] = file.iter_tables(["at", "x"], 5)
    label, missing = label_text(table["at"])
    assert datetime.fromisoformat(label).timestamp() == 0
    assert missing == ""


@settings(deadline=None)
@given(st.lists(st.integers(0, 7)), st.integers(1, 9))
def test_rebatch(heights: list[int], n_rows: int) -> None:
    values = iter(range(sum(heights)))
    batches = [
        pa.record_batch({"x": pa.array([next(values) for _ in range(n)], pa.int64())})
        for n in heights
    ]
    cut = [table["x"].to_pylist() for table in rebatch(batches, n_rows)]
    assert [x for piece in cut for x in piece] == list(range(sum(heights)))
    assert all(len(piece) == n_rows for piece in cut[:-1])
    assert all(cut)


# What is refused


@each_kind
def test_every_cut_is_found(kind: Kind) -> None:
    data = encode(make_table(30), kind, n_rows=7)
    for end in range(0, len(data), 37):
        refuse(data[:end], kind)
    for end in range(1, 10):
        refuse(data[:-end], kind)


@each_kind
@settings(deadline=None, derandomize=True)
@given(data=st.data())
def test_any_damage_ends_in_our_errors(kind: Kind, data: st.DataObject) -> None:
    damaged = bytearray(encode(make_table(30), kind, n_rows=7))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        read_all(bytes(damaged), kind)
    except (FileError, InputError) as error:
        assert error.path == "in"


@each_kind
@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff", b"id,x\na,1\n" * 9, bytes(500)]
)
def test_other_content(kind: Kind, data: bytes) -> None:
    refuse(data, kind)


def test_bytes_put_in_between_are_found() -> None:
    data = encode(make_table(30), "file", n_rows=7)
    end = len(data) - 10 - int.from_bytes(data[-10:-6], "little")
    for at in range(8, end, 31):
        refuse(data[:at] + b"\r" + data[at:], "file")


def test_streams_end_once() -> None:
    data = encode(make_table(5), "stream")
    assert refuse(data + data, "stream") == "cannot be read: something follows its end"
    assert refuse(data[:-8], "stream") == "cannot be read: it ends too early"


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    for path, what in (
        (tmp_path, "is a directory"),
        (tmp_path / "none", "no such file or directory"),
        (tmp_path / "a\0b", "embedded null byte"),
    ):
        for kind in KINDS:
            with pytest.raises(FileError) as caught:
                open_file(path, kind)
            assert (caught.value.path, caught.value.what) == (str(path), what)


@each_kind
def test_change_while_reading(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(encode(make_table(100), kind, n_rows=10))
    with open_file(path, kind) as file:
        tables = file.iter_tables(["x"], 10)
        next(tables)
        with path.open("ab") as end:
            end.write(b"more")
        with pytest.raises(FileError, match="changed while it was read"):
            list(tables)


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="needs names of descriptors")
@each_kind
def test_another_file_of_that_name(kind: Kind, tmp_path: Path) -> None:
    path, other = tmp_path / "in", tmp_path / "other"
    path.write_bytes(encode(make_table(100), kind, n_rows=10))
    with open_file(path, kind) as file:
        tables = file.iter_tables(["x"], 10)
        next(tables)
        other.write_bytes(b"not that")
        other.replace(path)
        assert sum(table.num_rows for table in tables) == 90


def test_no_room_for_the_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full")
    if not (full.exists() and DESCRIPTORS.is_dir()):
        pytest.skip("there is no full device here")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: full.open("wb"))
    what = refuse(encode(make_table(50_000), "parquet"), "parquet")
    assert what == "cannot be copied to a temporary file: no space left on device"


@each_kind
def test_columns_of_one_name(kind: Kind) -> None:
    table = pa.Table.from_arrays([pa.array([1])] * 3, ["a", "b", "a"])
    with pytest.raises(InputError, match="rename one of them") as caught:
        open_pipe(encode(table, kind), kind)
    assert (caught.value.column, caught.value.name) == (3, "a")


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_odd_types_are_no_matter_where_they_are_not_used(kind: Kind) -> None:
    for array in (
        pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
        pa.array([[1]], pa.list_view(pa.int64())),
        pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array([1])),
    ):
        data = encode(pa.table({"x": [1], "odd": array}), kind)
        with open_pipe(data, kind) as file:
            [table] = file.iter_tables(["odd", "x"], 5)
        assert table["x"].to_pylist() == [1]
        with pytest.raises(InputError, match="which cannot be a label"):
            label_text(table["odd"])
        with pytest.raises(InputError, match="not a number"):
            feature_column(table["odd"])


@pytest.mark.parametrize("name", ["f.parquet", "f.arrow"])
def test_without_pyarrow_the_extra_is_named(tmp_path: Path, name: str) -> None:
    """Where such a file is read, and before anything is read where one is to be written."""
    table = pa.table({"id": ["a"], "x": [1.0]})
    (tmp_path / name).write_bytes(encode(table, "parquet" if "q" in name else "file"))
    (tmp_path / "f.csv").write_text("id,x\na,1\n")
    (tmp_path / "w.csv").write_text("feature,k,l\nx,1,2\n")
    code = """
import sys
sys.modules["pyarrow"] = None  # as if it was not installed
from matscore.__main__ import main
sys.argv[1:] = {argv!r}
main()
"""
    for argv in (
        ["classify", name, "w.csv"],
        ["classify", "f.csv", "w.csv", "-o", f"out-{name}"],
        ["fit", "f.csv", "-o", f"out-{name}", "--target", "x"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", code.format(argv=argv)],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (2, "")
        assert "pip install 'matscore[parquet]'" in done.stderr
    assert len(list(tmp_path.iterdir())) == 3


# Labels

D = Decimal
TEXTS: list[tuple[Any, list[Any], list[str]]] = [
    (pa.int8(), [-128, None], ["-128", ""]),
    (pa.uint64(), [2**64 - 1], ["18446744073709551615"]),
    (pa.float64(), [0.1, 1.0, 1e300, None], ["0.1", "1.0", "1e+300", ""]),
    (pa.float32(), [0.1, None], ["0.1", ""]),
    (pa.decimal128(38, 2), [D("1.10"), D("-0.05"), None], ["1.10", "-0.05", ""]),
    (pa.decimal128(38, 10), [D("0E-10"), D("1E-10")], ["0.0000000000", "0.0000000001"]),
    (pa.decimal128(38, 2), [D("123456789012345678901234567890.12")] * 2,
     ["123456789012345678901234567890.12"] * 2),
    (pa.string(), [" 00012", "", None], [" 00012", "", ""]),
    (pa.string_view(), [" 00012", "a text longer than a view", None],
     [" 00012", "a text longer than a view", ""]),
    (pa.dictionary(pa.int8(), pa.string()), ["b", "a", None], ["b", "a", ""]),
    (pa.bool_(), [True, False, None], ["true", "false", ""]),
    (pa.null(), [None], [""]),
    (pa.date32(), [date(2024, 2, 29), date(1, 1, 1), None], ["2024-02-29", "0001-01-01", ""]),
    (pa.date64(), [date(2024, 2, 29)], ["2024-02-29"]),
    (pa.timestamp("ns"), [datetime(2024, 1, 2), None], ["2024-01-02T00:00:00", ""]),
    (pa.timestamp("us"), [datetime(2024, 1, 2, 3, 4, 5, 60)], ["2024-01-02T03:04:05.000060"]),
    (pa.timestamp("us"), [datetime(1, 1, 2, 3, 4, 5, 6000)], ["0001-01-02T03:04:05.006"]),
    (pa.timestamp("s", "Asia/Kolkata"), [datetime(2024, 1, 2)], ["2024-01-02T05:30:00+05:30"]),
    (pa.timestamp("s", "America/New_York"), [datetime(2024, 7, 2)], ["2024-07-01T20:00:00-04:00"]),
    (pa.time64("us"), [time(1, 2, 3, 4), time(23), None], ["01:02:03.000004", "23:00:00", ""]),
    (pa.time32("s"), [time(1, 2, 3)], ["01:02:03"]),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "values", "texts"), TEXTS, ids=[str(t[0]) for t in TEXTS])
def test_label_text(dtype: Any, values: list[Any], texts: list[str]) -> None:
    array = pa.array(values, dtype)
    assert label_text(array).to_strings() == texts
    chunked = pa.chunked_array([array.slice(0, 1), array.slice(1), array.slice(0, 0)])
    assert label_text(chunked).to_strings() == texts
    assert label_text(pa.chunked_array([], dtype)).to_strings() == []


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False)))
def test_float_labels_read_back(values: list[float]) -> None:
    assert [float(text) for text in label_text(pa.array(values, pa.float64()))] == values


def test_a_time_of_day_ends_at_midnight() -> None:
    """24:00:00 is none, and not 00:00:00 either."""
    with pytest.raises(InputError, match="a Time that cannot be written"):
        label_text(pa.array([3600, 86400], pa.int32()).view(pa.time32("s")))


REFUSED = [
    (pa.array([b"x"]), "Binary"),
    (pa.array([[1]]), "List"),
    (pa.array([{"a": 1}]), "Struct"),
    (pa.array([timedelta(1)]), "Duration"),
]


@pytest.mark.parametrize(("array", "name"), REFUSED)
def test_refused_labels(array: Any, name: str) -> None:
    with pytest.raises(InputError, match=f"of type {name}, which cannot be a label") as caught:
        label_text(array, path="f", number=2, name="id")
    assert (caught.value.path, caught.value.column, caught.value.name) == ("f", 2, "id")


def test_date_without_text() -> None:
    with pytest.raises(InputError, match="holds a Date that cannot be written as text"):
        label_text(pa.array([2**31 - 1], pa.int32()).cast(pa.date32()), path="f")
    with pytest.raises(InputError, match="holds a Datetime that cannot be written as text"):
        label_text(pa.array([2**60], pa.int64()).cast(pa.timestamp("s")), path="f")


# Features

NUMBERS: list[tuple[Any, Callable[[int], Any]]] = [
    (pa.int64(), lambda i: i - 2**63),
    (pa.uint64(), lambda i: i),
    (pa.decimal128(38, 10), lambda i: D(i).scaleb(-10)),
    (pa.decimal128(38, 25), lambda i: D(i % 10**13).scaleb(-25)),
]


@pytest.mark.parametrize(("dtype", "make"), NUMBERS, ids=[str(t[0]) for t in NUMBERS])
@settings(deadline=None)
@given(numbers=st.lists(st.integers(0, 2**64 - 1)))
def test_rounded_to_the_nearest(dtype: Any, make: Callable[[int], Any], numbers: list[int]) -> None:
    values = [make(number) for number in numbers]
    column = feature_column(pa.array(values, dtype))
    assert column.dtype == np.float64
    assert column.tolist() == [float(value) for value in values]


@pytest.mark.parametrize(
    "dtype", [pa.int8(), pa.uint32(), pa.float32(), pa.float64(), pa.decimal128(5, 1)]
)
def test_missing_features(dtype: Any) -> None:
    array = pa.array([1, None, 3] if pa.types.is_integer(dtype) else [D(1), None, D(3)]).cast(dtype)
    for column in (array, pa.chunked_array([array[:1], array[1:]])):
        np.testing.assert_array_equal(feature_column(column), [1, np.nan, 3])


def test_special_features() -> None:
    values = [np.nan, None, np.inf, -np.inf, -0.0]
    column = feature_column(pa.array(values, pa.float64()))
    np.testing.assert_array_equal(column, [np.nan, np.nan, np.inf, -np.inf, 0])
    assert np.signbit(column[4])
    assert np.isnan(feature_column(pa.array([None, None]))).all()


@pytest.mark.parametrize(
    ("array", "name"),
    [
        (pa.array([True]), "Boolean"),
        (pa.array(["1"]), "String"),
        (pa.array(["1"], pa.large_string()), "String"),
        (pa.array(["1"]).dictionary_encode(), "Categorical"),
        (pa.array([date(2024, 1, 1)]), "Date"),
        (pa.array([timedelta(1)]), "Duration"),
        (pa.array([[1.0]]), "List"),
        (pa.array([b"1"]), "Binary"),
    ],
)
def test_refused_features(array: Any, name: str) -> None:
    with pytest.raises(InputError, match=f"is of type {name}, not a number") as caught:
        feature_column(array, path="f", number=3, name="x")
    assert (caught.value.path, caught.value.column, caught.value.name) == ("f", 3, "x")


def test_columns_in_brief() -> None:
    assert label_text(pa.array([12, None])).to_strings() == ["12", ""]
    assert np.array_equal(feature_column(pa.array([1, None, 3])), [1, np.nan, 3], equal_nan=True)
