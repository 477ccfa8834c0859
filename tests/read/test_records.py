"""The structure of records, against a slow reader and the csv module."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matscore.read.faults import explain_width, leaves_quote_open
from matscore.read.split import cut_record, find_starts, first_record_end, split_cells
from tests.read.oracle import read_text

ROWS = st.lists(
    st.lists(st.text('a,"\n\r1é ', max_size=5), min_size=1, max_size=4), min_size=1, max_size=4
)


def write_csv(rows: list[list[str]], line_end: str = "\n") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator=line_end).writerows(rows)
    return out.getvalue().encode()


@settings(max_examples=500, deadline=None)
@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_records_are_found(rows: list[list[str]], line_end: str, ended: bool) -> None:
    data = write_csv(rows, line_end)
    if not ended:
        data = data.removesuffix(line_end.encode())
    expected = read_text(data, ",").records
    starts, lines = find_starts(data)
    texts = [cut_record(data, starts, i).decode() for i in range(len(starts))]
    assert texts == [record.text for record in expected]
    assert [1 + n for n in lines.tolist()] == [record.line for record in expected]


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
