"""Rows as CSV, TSV and JSON, against the csv and json modules and the form that is promised."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matscore import _kernel
from matscore.kernel import Choices, Column, Masked, Texts, write_number, write_rows

FLOATS = st.floats() | st.integers(-99, 99).map(float)
STRINGS = st.none() | st.text("a ,;\t\n\r\"'=é\0\x1f\\/\u2028", max_size=6) | st.text(max_size=4)
WHOLES = st.integers(-(2**63), 2**63 - 1)

ROWS = st.lists(st.tuples(STRINGS, FLOATS, WHOLES, st.integers(-1, 2), st.booleans()), max_size=6)
CATEGORIES = ["good", 'b"a,d', "é\n"]


def make_columns(rows: list[tuple[str | None, float, int, int, bool]]) -> dict[str, Column]:
    numbers = np.array([row[1] for row in rows], np.float64)
    return {
        "id": Texts.from_strings(row[0] for row in rows),
        'x "1"': numbers,
        "n": np.array([row[2] for row in rows], np.int64),
        "best": Choices(
            np.array([row[3] for row in rows], np.int32), Texts.from_strings(CATEGORIES)
        ),
        "m": Masked(numbers, np.array([row[4] for row in rows], np.bool_)),
        "strided": np.repeat(numbers, 2).reshape(-1, 2)[:, 1],
    }


@pytest.mark.parametrize(("form", "delimiter"), [("csv", ","), ("tsv", "\t")])
@settings(deadline=None)
@given(rows=ROWS)
def test_csv_reads_back(
    form: Literal["csv", "tsv"],
    delimiter: str,
    rows: list[tuple[str | None, float, int, int, bool]],
) -> None:
    data = write_rows(form, make_columns(rows))
    read = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))
    assert read == [
        [
            label or "",
            write_number(x),
            str(n),
            CATEGORIES[code] if code >= 0 else "",
            "" if absent else write_number(x),
            write_number(x),
        ]
        for label, x, n, code, absent in rows
    ]


@settings(deadline=None)
@given(ROWS)
def test_json_reads_back(rows: list[tuple[str | None, float, int, int, bool]]) -> None:
    columns = make_columns(rows)
    lines = write_rows("jsonl", columns)
    array = b"[" + write_rows("json", columns) + b"]"
    read = [json.loads(line) for line in lines.decode().split("\n")[:-1]]
    assert json.loads(array) == read
    for row, (label, x, n, code, absent) in zip(read, rows, strict=True):
        number = x if math.isfinite(x) else None
        assert list(row) == list(columns)
        assert list(row.values()) == [
            label or "",
            number,
            n,
            CATEGORIES[code] if code >= 0 else None,
            None if absent else number,
            number,
        ]


@pytest.mark.parametrize(
    ("text", "csv_cell", "json_cell"),
    [
        ("a", b"a", b'"a"'),
        ("", b'""', b'""'),
        (None, b"", b'""'),
        (" a ", b" a ", b'" a "'),
        ("a,b", b'"a,b"', b'"a,b"'),
        ("a\tb", b"a\tb", b'"a\\tb"'),
        ('q"', b'"q"""', b'"q\\""'),
        ("\r", b'"\r"', b'"\\r"'),
        ("\x00\x1f\x7f\b\f/\\", b"\x00\x1f\x7f\x08\x0c/\\", b'"\\u0000\\u001f\x7f\\b\\f/\\\\"'),
        ("é\u2028", "é\u2028".encode(), '"é\u2028"'.encode()),
    ],
)
def test_the_form_of_texts(text: str | None, csv_cell: bytes, json_cell: bytes) -> None:
    columns = {"a": Texts.from_strings([text])}
    assert write_rows("csv", columns) == csv_cell + b"\n"
    assert write_rows("jsonl", columns) == b'{"a":' + json_cell + b"}\n"
    if text is not None:
        assert json.loads(json_cell) == text


def test_json_arrays_have_commas_between_rows() -> None:
    assert write_rows("json", {"a": np.arange(2)}) == b'{"a":0},\n{"a":1}'
    assert write_rows("json", {"a": np.arange(0)}) == b""
    assert write_rows("csv", {}) == b""


@settings(deadline=None)
@given(st.lists(st.tuples(STRINGS, FLOATS, WHOLES), max_size=5), st.booleans())
def test_the_bytes_are_those_of_polars(
    rows: list[tuple[str | None, float, int]], named: bool
) -> None:
    pl = pytest.importorskip("polars")
    name = 'n"a\n' if named else "s"
    frame = pl.DataFrame(
        rows, schema={name: pl.String, "x": pl.Float64, "n": pl.Int64}, orient="row"
    )  # fmt: skip
    columns: dict[str, Column] = {
        name: Texts.from_strings(row[0] for row in rows),
        "x": np.array([row[1] for row in rows], np.float64),
        "n": np.array([row[2] for row in rows], np.int64),
    }
    for form, separator in (("csv", ","), ("tsv", "\t")):
        expected = frame.write_csv(include_header=False, separator=separator).encode()
        assert write_rows(form, columns) == expected  # type: ignore[arg-type]
    expected = frame.with_columns(pl.col(name).fill_null("")).write_ndjson().encode()
    assert write_rows("jsonl", columns) == expected


@pytest.mark.parametrize(
    ("column", "error"),
    [
        (np.zeros(2, np.float32), TypeError),
        (np.zeros(2, np.int32), TypeError),
        (np.zeros((2, 2)), TypeError),
        (np.zeros(3), ValueError),
        (Choices(np.array([0, 1], np.int32), Texts.from_strings(["a"])), ValueError),
        (Texts(np.array([0, 2, 1], np.uint64), np.zeros(2, np.uint8)), ValueError),
        (Texts(np.array([0, 1, 3], np.uint64), np.zeros(2, np.uint8)), ValueError),
        (Texts(np.array([0, 1], np.uint64), np.zeros(2, np.uint8)), ValueError),
        (Texts(np.zeros(3, np.uint64), np.zeros(0, np.uint8), np.zeros(1, np.bool_)), ValueError),
        (Masked(np.zeros(2), np.zeros(1, np.bool_)), ValueError),
    ],
)
def test_columns_that_do_not_fit_are_refused(column: Column, error: type[Exception]) -> None:
    with pytest.raises(error):
        write_rows("csv", {"a": np.zeros(2), "b": column})


@pytest.mark.parametrize(("columns", "row_end"), [(0, "\n"), (0, "},\n"), (1, "-" * 3000)])
def test_memory_has_room_for_the_ends_of_rows(columns: int, row_end: str) -> None:
    """Found by the fuzzer: rows without columns were written past what was asked for."""
    parts = [("", np.zeros(500), None, None, None, None, False)][:columns]
    written = _kernel.write_rows(False, ",", row_end, parts, 500)
    assert bytes(written) == ("0.0" * columns + row_end).encode() * 500
