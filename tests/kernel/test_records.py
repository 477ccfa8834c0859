"""Records into columns, against the slow reader of tests/files/oracle.py."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matscore.kernel import Fault, Records, Table
from tests.kernel.draw_numbers import draw_texts
from tests.read.oracle import Columns, Row, Unsound, judge, read_text

PLAIN = Columns(("id", "a", "b"), 3, 0, (1, 2))
LAYOUTS = [
    PLAIN,
    replace(PLAIN, missing="keep"),
    replace(PLAIN, missing="zero"),
    replace(PLAIN, words=("-1", "a")),
    Columns(("a", "b", "id"), 3, 2, (1, 0)),
    Columns(("id", "a", "x", "b"), 4, 0, (3, 1)),
    Columns(None, 1, None, (0,)),
    Columns(("id", "0", "1"), 3, 0, (2, 1)),
    Columns(("id", "0", "1"), 3, None, (2, 1)),
    Columns(None, 2, 0, (1,), delimiter="1"),
    Columns(None, 2, 0, (1,), delimiter=" "),
    Columns(None, 2, 0, (1,), delimiter="\t", decimal=","),
    Columns(None, 2, 0, (1,), delimiter=",", decimal=","),
    Columns(None, 2, 0, (0, 1)),
]
PIECES = [
    *"a1,,,,.\"\n\n\n\r -", "\r\n", "id", "id,a,b\n", "x,1,2\n", '"x","1"', '""', "NA", " 7 ",
    "1e400", "é", "\ufeff", "\0", "0,1\n", "1\t2\n", "1,5",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join).map(str.encode)


def read(columns: Columns, data: bytes) -> Table:
    return Records(
        width=columns.width,
        features=columns.features,
        texts=() if columns.label is None else (columns.label,),
        delimiter=columns.delimiter,
        decimal=columns.decimal,
        missing=columns.missing,
        missing_values=columns.words,
        names=columns.names,
        has_labels=columns.label is not None,
    ).parse(data)


def check(columns: Columns, data: bytes) -> Table:
    """Hold what the kernel reads against the slow reader, record by record."""
    table = read(columns, data)
    reading = read_text(data, columns.delimiter)
    damaged = [record.line for record in reading.records if record.damage == "quote"]
    if table.stop is not None:
        assert damaged or reading.stops
        return table
    assert not damaged and not reading.stops
    n_blank = table.n_records - len(reading.records)  # at the end, which the reader leaves out
    assert all(
        bad.start == bad.end or data[bad.start] == 13 for bad in table.bad[-n_blank:] if n_blank
    )
    bad = table.bad[: len(table.bad) - n_blank]
    judged = [judge(columns, record) for record in reading.records]
    good = [(i, row) for i, row in enumerate(judged) if isinstance(row, Row)]
    unsound = [(i, row) for i, row in enumerate(judged) if isinstance(row, Unsound)]

    rows = range(table.n_rows) if table.rows is None else table.rows.tolist()
    assert list(rows) == [i for i, _ in good]
    assert (table.rows is None) == (not table.bad)
    expected = np.array([row.features for _, row in good]).reshape(-1, len(columns.features)).T
    assert table.features.shape == expected.shape
    assert np.array_equal(table.features, expected, equal_nan=True)
    assert np.array_equal(np.signbit(table.features), np.signbit(expected))
    missing = [any(math.isnan(x) for x in row.features) for _, row in good]
    assert (table.has_missing is not None) == any(missing)
    assert table.has_missing is None or table.has_missing.tolist() == missing
    if columns.label is not None:
        assert list(table.texts[0]) == [row.label for _, row in good]

    assert [(b.record, b.line + 1, data[b.start : b.end].decode()) for b in bad] == [
        (i, row.line, reading.records[i].text) for i, row in unsound
    ]
    for found, (i, row) in zip(bad, unsound, strict=True):
        if found.fault != Fault.HEADER_AGAIN:
            assert (found.fault == Fault.MISSING) == row.missing
            assert found.column + 1 == (row.column or 0)
        if found.fault == Fault.WIDTH:
            assert found.n_cells == len(reading.records[i].cells)
    return table


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(LAYOUTS), TEXTS)
def test_any_text_is_read_as_the_slow_reader_reads_it(columns: Columns, data: bytes) -> None:
    check(columns, data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(LAYOUTS), st.binary(max_size=30))
def test_any_bytes_end_well(columns: Columns, data: bytes) -> None:
    check(columns, data)


@pytest.mark.parametrize(
    ("data", "fault", "line", "column", "n_cells"),
    [
        (b"y,3\n", Fault.WIDTH, 1, -1, 2),
        (b"y,3,4,\n", Fault.WIDTH, 1, -1, 4),
        (b"\n", Fault.WIDTH, 1, -1, 1),
        (b"\r\r\n", Fault.WIDTH, 1, -1, 1),
        (b",,\n", Fault.DELIMITERS_ONLY, 1, -1, 3),
        (b"\xef\xbb\xbfy,1,2\n", Fault.BYTE_ORDER_MARK, 1, -1, 3),
        (b"y\r,1,2\n", Fault.RETURN, 1, -1, 3),
        (b"y,1\r,2\n", Fault.RETURN, 1, -1, 3),
        (b"y,1,a\n", Fault.NUMBER, 1, 2, 3),
        (b"y,inf,a\n", Fault.NUMBER, 1, 1, 3),
        (b'y,"1e400",2\n', Fault.NUMBER, 1, 1, 3),
        (b"y,,a\n", Fault.MISSING, 1, 1, 3),
        (b"y,1, NA \n", Fault.MISSING, 1, 2, 3),
        (b'"id",a,"b"\n', Fault.HEADER_AGAIN, 1, 1, 3),
        (b'"y\ny",1,2\nz,a,1\n', Fault.NUMBER, 3, 1, 3),
    ],
)
def test_the_fault_of_a_record(
    data: bytes, fault: Fault, line: int, column: int, n_cells: int
) -> None:
    table = check(PLAIN, b"x,1,2\n" + data + b"z,5,6\n")
    (bad,) = table.bad
    assert (bad.fault, bad.line, bad.column, bad.n_cells) == (fault, line, column, n_cells)


@pytest.mark.parametrize(
    ("data", "fault", "at", "column"),
    [
        (b"x,1,2\ny\0\xff,1,2\n", Fault.NUL, 7, 0),
        (b"x,1,2\ny\xe9,1\0,2\n", Fault.NUL, 10, 0),
        (b"x,1,2\ny\xe2\x82,1,2\n", Fault.NOT_UTF8, 7, 0),
        (b'5" y,1,2\n', Fault.QUOTE_INSIDE, 1, 0),
        (b'y,1,2"\n', Fault.QUOTE_INSIDE, 5, 2),
        (b'y,"3"x,4\n', Fault.TEXT_AFTER_QUOTE, 4, 1),
        (b'"y"\r,1,2\n', Fault.TEXT_AFTER_QUOTE, 2, 0),
        (b'y,"3,4\n', Fault.QUOTE_OPEN, 2, 1),
    ],
)
def test_damage_that_stops(data: bytes, fault: Fault, at: int, column: int) -> None:
    stop = check(PLAIN, data).stop
    assert stop == (fault, at, column)


def test_every_short_run_of_bytes_is_utf8_as_python_says() -> None:
    edges = [0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEE]
    edges += [0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF]
    runs = [bytes([a, b, c, 0xBF]) for a in edges for b in edges for c in edges]
    for run in [*runs, *(run[:n] for run in runs for n in (1, 2, 3))]:
        for before in (b"", b"12345678"):
            found = Records(width=1).parse(before + run).stop
            try:
                (before + run).decode()
            except UnicodeDecodeError as error:
                assert found == (Fault.NOT_UTF8, error.start, 0)
            else:
                assert found is None


def test_texts_come_byte_for_byte() -> None:
    data = 'a,\n"",""\n"x ""y""\né","b,"\r\n ,00012\r'.encode()
    table = Records(width=2, texts=[1, 0]).parse(data)
    assert table.texts[0].to_strings() == [None, "", "b,", "00012"]
    assert table.texts[1].to_strings() == ["a", "", 'x "y"\né', " "]
    assert table.texts[1].absent is None
    assert table.texts[0].take(np.array([3, 0, 2, 2])).to_strings() == ["00012", None, "b,", "b,"]
    assert (table.features.shape, table.rows, table.n_records) == ((0, 4), None, 4)


def test_a_column_can_be_text_and_number() -> None:
    table = Records(width=2, features=[1], texts=[1, 0], missing="keep").parse(b'x," 1.50"\n"y",\n')
    assert table.texts[0].to_strings() == [" 1.50", None]
    assert np.array_equal(table.features, [[1.5, np.nan]], equal_nan=True)


def test_columns_after_bad_rows_have_no_gaps() -> None:
    rng = random.Random(3)
    texts = list(draw_texts(rng, 200))
    good = [text for text in texts if math.isfinite(float(text))]
    lines = [f"r{i},{text},{-i}\n" for i, text in enumerate(good)]
    mixed = [line for i in range(len(lines)) for line in (lines[i], "bad\n" * (i % 3))]
    table = Records(width=3, features=[2, 1], texts=[0]).parse("".join(mixed).encode())
    assert table.features.flags.c_contiguous
    assert table.features[1].tolist() == [float(text) for text in good]
    assert table.features[0].tolist() == [-i for i in range(len(good))]
    assert list(table.texts[0]) == [f"r{i}" for i in range(len(good))]
    assert len(table.bad) + table.n_rows == table.n_records


@pytest.mark.parametrize("data", [b"", b"\n" * 30_000, b"," * 30_000, b'"' * 30_001])
def test_odd_bytes_take_little_memory(data: bytes) -> None:
    """A wide record needs many bytes, so that few of them need room."""
    table = Records(width=100_000, features=range(100_000)).parse(data)
    assert table.n_rows == 0


@pytest.mark.parametrize(
    "options",
    [
        {"width": 0},
        {"width": 1, "features": [1]},
        {"width": 2, "features": [1, 1]},
        {"width": 1, "delimiter": '"'},
        {"width": 2, "names": ["a"]},
    ],
)
def test_layouts_without_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"the width|range|delimiter|names"):
        Records(**options).parse(b"1\n")  # type: ignore[arg-type]
