"""The structure of records, against a slow reader and the csv module."""

from __future__ import annotations

import csv
import io
from itertools import product

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matscore.files.records import (
    explain_quote,
    explain_width,
    find_lone_returns,
    find_records,
    first_record_end,
    has_misplaced_quote,
    header_again,
    is_plain,
    leaves_quote_open,
    split_cells,
)
from tests.files.oracle import Record, read_text

TEXTS = st.text('a,"\n\r1', min_size=1, max_size=16).map(str.encode)
# Short ones, where most are even.
SOUND = st.lists(
    st.lists(st.sampled_from(["a", "1", "", '"a"', '"a,1"', '""', '"\n"', '"\r\n"']), min_size=1),
    min_size=1,
    max_size=5,
).map(lambda rows: "\n".join(",".join(row) for row in rows).encode())
ROWS = st.lists(
    st.lists(st.text('a,"\n\r1é ', max_size=5), min_size=1, max_size=4), min_size=1, max_size=4
)


def is_even(records: list[Record], width: int) -> bool:
    return all(not record.damage and len(record.cells) == width for record in records)


def write_csv(rows: list[list[str]], line_end: str = "\n") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator=line_end).writerows(rows)
    return out.getvalue().encode()


def check_plain(data: bytes, width: int) -> None:
    """Plain is sound and even; what is sound and even but not plain is rare and looks odd."""
    reading = read_text(data, ",")
    sound = not reading.stops and is_even(reading.records, width)
    if is_plain(data, ",", width, long_refused=False):
        assert sound
    elif sound:
        odd_blank = data in {b"", b"\n"} or data.endswith(b"\n\n")
        assert odd_blank or b"\r" in data or b'"' in data


def check_counted(data: bytes, width: int, *, last_cell_is_there: bool = False) -> bool:
    """What adds up, or has all its last cells, and what the parser takes is even: no record hides.

    Return whether the parser was asked.
    """
    if not is_plain(data, ",", width, long_refused=True, short_refused=last_cell_is_there):
        return False
    schema = {str(i): pl.String() for i in range(width)}
    quote = '"' if b'"' in data else None
    try:
        frame = pl.read_csv(data, has_header=False, schema=schema, quote_char=quote)
    except pl.exceptions.PolarsError:
        return True
    if last_cell_is_there and frame.to_series(-1).null_count():
        return True
    reading = read_text(data, ",")
    assert not reading.stops and is_even(reading.records, width)
    cells = [tuple(cell or "" for cell in row) for row in frame.rows()]
    assert cells == [record.cells for record in reading.records]
    return True


@pytest.mark.parametrize("width", [1, 2, 3])
def test_every_short_text_is_judged_right(width: int) -> None:
    for n in range(1, 6):
        for characters in product('a,"\n\r1', repeat=n):
            check_plain("".join(characters).encode(), width)


@settings(max_examples=500, deadline=None)
@given(st.one_of(TEXTS, SOUND), st.integers(1, 3))
def test_longer_texts_are_judged_right(data: bytes, width: int) -> None:
    check_plain(data, width)


def test_every_short_text_that_adds_up_is_read_right() -> None:
    texts = ("".join(characters) for n in range(1, 8) for characters in product("1,\n", repeat=n))
    assert sum(check_counted(text.encode(), 2) for text in texts) > 100


def test_every_short_text_with_all_its_last_cells_is_read_right() -> None:
    texts = ("".join(characters) for n in range(1, 7) for characters in product('1,\n"', repeat=n))
    asked = sum(check_counted(text.encode(), 2, last_cell_is_there=True) for text in texts)
    assert asked > 500


@settings(max_examples=500, deadline=None)
@given(st.one_of(TEXTS, SOUND), st.integers(1, 3))
def test_longer_texts_with_all_their_last_cells_are_read_right(data: bytes, width: int) -> None:
    check_counted(data, width, last_cell_is_there=True)


@settings(max_examples=500, deadline=None)
@given(st.one_of(TEXTS, SOUND), st.integers(1, 3))
@example(b"1,1\n1\n1,1,1\n", 2)
@example(b"1,1\n1\n1,1,", 2)
@example(b"1,1\n1\n1,1,\n", 2)
@example(b"1,1\n1\n1,1,\r\n", 2)
@example(b"1,1\n\n1,1,1\n", 2)
def test_longer_texts_that_add_up_are_read_right(data: bytes, width: int) -> None:
    check_counted(data, width)


@pytest.mark.parametrize("data", [b"a\0,1\n", b"a\xff,1\n", "\ufeffa,1\n".encode()])
def test_odd_bytes_are_not_plain(data: bytes) -> None:
    assert not is_plain(data, ",", 2, long_refused=True)
    assert not is_plain(data, ",", 2, long_refused=False)


@settings(max_examples=1000, deadline=None)
@given(TEXTS)
def test_misplaced_quotes(data: bytes) -> None:
    reading = read_text(data, ",")
    damaged = bool(reading.stops) or any(record.damage == "quote" for record in reading.records)
    assert has_misplaced_quote(data, ",") == damaged


@settings(max_examples=500, deadline=None)
@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_find_records(rows: list[list[str]], line_end: str, ended: bool) -> None:
    data = write_csv(rows, line_end)
    if not ended:
        data = data.removesuffix(line_end.encode())
    expected = read_text(data, ",").records
    found = find_records(data, ",")
    assert [data[i:j].decode() for i, j in zip(found.starts, found.ends, strict=True)] == [
        record.text for record in expected
    ]
    assert found.widths.tolist() == [len(row) for row in rows]
    assert [1 + n for n in found.lines.tolist()] == [record.line for record in expected]
    assert found.starts[0] == 0
    assert found.nexts.tolist() == [*found.starts[1:].tolist(), len(data)]


@settings(max_examples=500, deadline=None)
@given(ROWS, st.sampled_from(["\n", "\r\n"]))
def test_cells_as_the_csv_module_reads_them(rows: list[list[str]], line_end: str) -> None:
    data = write_csv(rows, line_end)
    end = first_record_end(data)
    record = data[:end].decode().removesuffix(line_end)
    assert split_cells(record, ",") == rows[0]
    read = next(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
    assert split_cells(record, ",") == read


@settings(max_examples=500, deadline=None)
@given(st.lists(st.text('a"1 é', max_size=4), min_size=1, max_size=5), st.sampled_from(",;\t| "))
def test_cells_quoted_only_where_they_need_it(cells: list[str], delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="").writerow(cells)
    assert split_cells(out.getvalue(), delimiter) == cells


def test_a_cell_larger_than_the_csv_modules_limit() -> None:
    cell = "x" * (csv.field_size_limit() + 1)
    assert split_cells(f'"{cell}",1', ",") == [cell, "1"]


def test_a_cell_of_delimiters_takes_linear_time() -> None:
    assert split_cells('"' + "," * 500_000 + '",1', ",")[1] == "1"


@pytest.mark.parametrize(
    ("data", "end"),
    [(b"", 0), (b"a,b", 0), (b"a,b\nc", 4), (b'"a\nb"\nc', 6), (b'"a\n', 0), (b"\n\n", 1)],
)
def test_first_record_end(data: bytes, end: int) -> None:
    assert first_record_end(data) == end


def test_first_record_end_takes_linear_time() -> None:
    assert first_record_end(b'"' + b"1,2\n" * 2_000_000) == 0


@settings(max_examples=1000, deadline=None)
@given(TEXTS)
def test_lone_returns_are_those_outside_quotes(data: bytes) -> None:
    expected = [
        i
        for i in range(len(data) - 1)
        if data[i : i + 1] == b"\r"
        and data[i + 1 : i + 2] != b"\n"
        and data.count(b'"', 0, i) % 2 == 0
    ]
    assert find_lone_returns(data).tolist() == expected


@pytest.mark.parametrize(
    ("record", "is_open"),
    [
        (b'5" pipe,1', False),
        (b'"5" pipe",1', False),
        (b'"a"b,1', False),
        (b'"a"b", c"d,1', False),
        (b'a"b,"c', True),
        (b'"a"b,"c', True),
        (b'"a"b,"c"', False),
        (b'"a"b,"c""', True),
        (b'"a"b,"c"""', False),
        (b'"a"b,"""c', True),
        (b'a"b,"c,d"', False),
    ],
)
def test_a_line_that_ends_inside_quotes(record: bytes, is_open: bool) -> None:
    assert leaves_quote_open(record, ",") is is_open


@pytest.mark.parametrize(
    ("record", "cell", "what"),
    [
        (b'5" pipe,1', 0, "a quote inside an unquoted cell"),
        (b'a,5" pipe,1', 1, "a quote inside an unquoted cell"),
        (b'"a,b",c"d', 1, "a quote inside an unquoted cell"),
        (b'"a"b,1', 0, "text after a closing quote"),
        (b'1,"a" ,1', 1, "text after a closing quote"),
        (b'"a\\"b",1', 0, "a quote escaped by a backslash"),
        (b'a,b\\"c', 1, "a quote escaped by a backslash"),
        (b'a,"b,c', 1, "a quote is never closed"),
        (b'"a,b', 0, "a quote is never closed"),
    ],
)
def test_a_misplaced_quote_is_explained(record: bytes, cell: int, what: str) -> None:
    found = explain_quote(record, ",")
    assert found[:2] == (cell, what)
    assert found[2]


@pytest.mark.parametrize(
    ("record", "n_cells", "width", "cut_off", "what", "hint"),
    [
        (b"", 1, 3, False, "a blank line between records", "remove it"),
        (b"\r", 1, 3, False, "a blank line between records", "remove it"),
        (b"1,2", 2, 3, True, "2 cells, but the first record has 3", "the file may be cut off"),
        (b"1", 1, 3, True, "1 cell, but the first record has 3", "the file may be cut off"),
        (b"1;2;3", 1, 3, False, "1 cell, but the first record has 3", "separated by ';'"),
        (b"1,2,3,", 4, 3, False, "4 cells, but the first record has 3", "delimiter at the line's"),
        (b"1,2,3,4", 4, 3, False, "4 cells, but the first record has 3", "quote a cell"),
        (b"1,2,3,4", 4, 3, True, "4 cells, but the first record has 3", "quote a cell"),
        (b"1,2", 2, 3, False, "2 cells, but the first record has 3", "a delimiter is missing"),
    ],
)
def test_a_wrong_width_is_explained(
    record: bytes, n_cells: int, width: int, cut_off: bool, what: str, hint: str
) -> None:
    found = explain_width(record, n_cells, width, ",", cut_off=cut_off)
    assert found[0] == what
    assert hint in found[1]


def test_the_header_again() -> None:
    assert header_again('id,"a"', ("id", "a"), ",")
    assert not header_again("id,b", ("id", "a"), ",")
    assert not header_again("id,a", None, ",")
