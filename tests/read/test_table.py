"""Tables: headers, delimiters, whole matrices and what planning is told."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matscore.errors import FileError, InputError
from matscore.names import POINT, Grammar
from matscore.options import ReadOptions
from matscore.plan import Side
from matscore.read import table as table_module
from matscore.read.rows import Layout, parse_rows
from matscore.read.split import Chunk
from matscore.read.table import Matrix, Table, open_table, read_matrix
from tests.read.oracle import read_text

ANY = ReadOptions()
CELLS = st.text('ab1 é,;"\n', max_size=4)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


def open_text(file: Path, text: str | bytes, options: ReadOptions = ANY) -> Table:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    table = open_table(str(file), options)
    table.close()
    return table


def read_rows(file: Path, text: str | bytes, options: ReadOptions = ANY) -> Matrix:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    table = open_table(str(file), options)
    try:
        return read_matrix(table, options, chunk_bytes=16)
    finally:
        table.close()


def look(file: Path, text: str, options: ReadOptions = ANY) -> Side:
    return open_text(file, text, options).side(options)


def refuse(file: Path, text: str | bytes, options: ReadOptions = ANY) -> InputError:
    with pytest.raises(InputError) as caught:
        open_text(file, text, options)
    assert caught.value.path == str(file)
    return caught.value


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("id,a,b\n1,2,3\n", ("id", "a", "b")),
        ("id,1,2\n1,2,3\n", ("id", "1", "2")),
        ("1,2,a\n", ("1", "2", "a")),
        ("1,,2\n1,2,3\n", ("1", "", "2")),
        ("a", ("a",)),
        ("a,b\r\n1,2\r\n", ("a", "b")),
        ("a,b,\n1,2,\n", ("a", "b", "")),
        (
            '"id","a,b","say ""hi""","two\nlines"\n1,2,3,4\n',
            ("id", "a,b", 'say "hi"', "two\nlines"),
        ),
        ('"a\r\nb",c\r\n1,2\n', ("a\r\nb", "c")),
        ("1,2,3\n4,5,6\n", None),
        (" 1 ,-2.5,1e5\n", None),
        ('"1","2"\n', None),
        ("7\n8\n", None),
        ("1,inf\n1,2\n", ("1", "inf")),
        ("1,NA\n1,2\n", ("1", "NA")),
        ("\ufeffid,a\n1,2\n", ("id", "a")),
        ('\ufeff"id",a\n1,2\n', ("id", "a")),
    ],
)
def test_the_first_record_is_the_header_unless_it_is_all_numbers(
    text: str, names: tuple[str, ...] | None, file: Path
) -> None:
    table = open_text(file, text)
    assert table.names == names
    assert table.guessed
    if names is not None:
        assert table.width == len(names)
    bare = text.removeprefix("\ufeff")
    first = read_text(bare.encode(), ",").records[:1]
    n_lines = first[0].text.count("\n") + 1 if names is not None and first else 0
    assert table.line == 1 + n_lines * ("\n" in bare)
    records = bare.encode()[table.start :].decode()
    assert records == "".join(bare.splitlines(keepends=True)[n_lines:]) or "\r" in bare


@pytest.mark.parametrize("text", ["1,2\n3,4\n", "a,b\n1,2\n"])
def test_headers_are_there_or_not_where_that_is_said(text: str, file: Path) -> None:
    cells = tuple(text.split("\n", 1)[0].split(","))
    with_header = open_text(file, text, ReadOptions(headers=True))
    assert with_header.names == cells
    assert (with_header.line, with_header.start) == (2, 4)
    assert not with_header.guessed
    without = open_text(file, text, ReadOptions(headers=False))
    assert (without.names, without.width, without.line, without.start) == (None, 2, 1, 0)


def test_a_decimal_comma_in_the_first_record(file: Path) -> None:
    commas = ReadOptions(delimiter=";", decimal=",")
    assert open_text(file, "1,5;2\n", commas).names is None
    assert open_text(file, "1.5;2\n", commas).names == ("1.5", "2")
    assert open_text(file, "1.5;2\n").names is None


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("id,a\n1,2\n", ","),
        ("id;a\n1;2\n", ";"),
        ("id\ta\n1\t2\n", "\t"),
        ("id|a\n1|2\n", "|"),
        ("id\n1\n", ","),
        ("id;height, cm\nx;1\ny;2\n", ";"),
        ('id;"a,b,c"\nx;1\n', ";"),
    ],
)
def test_the_header_decides_the_delimiter_where_it_is_plain(
    text: str, delimiter: str, file: Path
) -> None:
    assert open_text(file, text).delimiter == delimiter


def test_a_delimiter_that_is_given_is_taken(file: Path) -> None:
    table = open_text(file, "id;a,b\n", ReadOptions(delimiter=","))
    assert (table.names, table.delimiter) == (("id;a", "b"), ",")


@pytest.mark.parametrize("text", ["id;a,b\n1;2,3\n", "1;2,5\n3;4,5\n", "id;a,b\n"])
def test_no_doubtful_delimiter(text: str, file: Path) -> None:
    error = refuse(file, text)
    assert "-d" in error.hint
    assert "cannot tell the delimiter" in error.what
    assert error.line == 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b'id,"a\n1,2\n', "misplaced quote in the header"),
        (b'id,a"b\n1,2\n', "misplaced quote in the header"),
        (b'id,"a"b\n1,2\n', "misplaced quote in the header"),
        (b"id,a\rb\n1,2\n", "a carriage return in the header"),
        (b"id,a\r\r\n1,2\r\n", "a carriage return in the header"),
        (b'id,"a\0b"\n', "NUL byte"),
        (b"id,\xe9\n1,2\n", "the header is not UTF-8: byte 0xe9 at offset 3"),
        (b"\xef\xbb\xbfid,\xe9\n1,2\n", "the header is not UTF-8: byte 0xe9 at offset 6"),
        (b"", "the file is empty"),
        (b"PK\x03\x04xl/", "Excel"),
    ],
)
def test_a_damaged_header_is_refused(text: bytes, what: str, file: Path) -> None:
    error = refuse(file, text)
    assert what in error.what
    assert error.hint


def test_a_nul_byte_far_in_a_wide_header(file: Path) -> None:
    """The file's head was looked at when it was opened; a header may be longer."""
    assert "NUL" in refuse(file, b"a," * 50_000 + b"b\0,c\n1,2\n").what


def test_what_is_refused_is_closed(file: Path) -> None:
    """An open file would be a ResourceWarning, and a warning an error."""
    for text in (b'id,"a\n', b"id;a,b\n1;2,3\n", b"id,\xe9\n"):
        refuse(file, text)
    with pytest.raises(FileError):
        open_table(str(file.parent / "nothing.csv"), ANY)


def test_a_header_of_100_000_columns(file: Path) -> None:
    names = [f"gene,{i}" for i in range(100_000)]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(names)
    start = time.process_time()
    table = open_text(file, out.getvalue() + "1,2\n")
    assert time.process_time() - start < 5
    assert table.names == tuple(names)
    assert table.start == len(out.getvalue())


def test_a_header_without_an_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "MAX_RECORD_BYTES", 3 * 2**20)
    start = time.process_time()
    error = refuse(file, b'id,"a\n' + b"1,2\n" * 2_000_000)
    assert "the first line is longer than 64 MiB" in error.what
    assert error.line == 1
    assert time.process_time() - start < 5


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=4))
def test_any_header_that_is_written_is_read(tmp_path: Path, rows: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    table = open_text(tmp_path / "a.csv", out.getvalue(), ReadOptions(headers=True))
    assert table.names == tuple(rows[0])
    assert table.line == 2 + "".join(rows[0]).count("\n")
    assert out.getvalue().encode()[table.start :].decode().count("\n") >= len(rows) - 1


@pytest.mark.parametrize("chunk_bytes", [1, 10, 1000])
def test_chunks_of_a_table_go_on_where_the_header_ends(chunk_bytes: int, file: Path) -> None:
    text = '"i\nd",a\nx,1\ny,bad\nz,3\n'
    file.write_text(text)
    table = open_table(str(file), ANY)
    layout = Layout(table.names, 2, 0, (), (1,))
    chunks = list(table.iter_chunks(layout, chunk_bytes=chunk_bytes, row=10))
    table.close()
    rejects = [r for c in chunks if isinstance(c, Chunk) for r in parse_rows(layout, c).rejects]
    assert [(reject.line, reject.column, reject.name) for reject in rejects] == [(4, 2, "a")]
    assert chunks[0].row == 10
    assert chunks[-1].row + chunks[-1].n_records == 13
    first = chunks[0]
    assert isinstance(first, Chunk)
    assert (first.offset, first.line) == (text.index("x,1"), 3)


def test_offsets_count_the_byte_order_mark(file: Path) -> None:
    data = b"\xef\xbb\xbfid,a\nx,1\n\xe9,2\n"
    with pytest.raises(InputError, match=f"0xe9 at offset {data.index(0xE9)}"):
        read_rows(file, data)


def test_a_header_only_has_no_rows(file: Path) -> None:
    for text in ("id,a\n", "id,a", "id,a\n\n\r\n"):
        matrix = read_rows(file, text)
        assert (matrix.side.names, matrix.side.first, matrix.fault) == (("id", "a"), (), None)
        assert matrix.rest.shape == (0, 1)


@pytest.mark.parametrize(
    ("first", "values"),
    [
        (("a", "b"), None),
        (("1", "2"), [1.0, 2.0]),
        (("00012", "1e5"), [12.0, 1e5]),
        (("1", "b"), None),
        (("1", ""), None),
        (("1", "NA"), None),
        (("9" * 20, "1"), [1e20, 1.0]),
        (("inf", "1"), None),
    ],
)
def test_the_first_column_is_text_and_where_it_can_be_numbers(
    first: tuple[str, ...], values: list[float] | None, file: Path
) -> None:
    matrix = read_rows(file, "id,a\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(first)))
    assert matrix.side.first == first
    assert (None if matrix.first_values is None else matrix.first_values.tolist()) == values
    assert matrix.rest.tolist() == [[0.0], [1.0]]
    assert matrix.side.path == str(file)


def test_a_matrix_without_a_header(file: Path) -> None:
    matrix = read_rows(file, "1,2,3\n4,5,6\n")
    assert matrix.side.names is None
    assert matrix.side.width == 3
    assert matrix.values(label_column=False).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert matrix.values(label_column=True).tolist() == [[2, 3], [5, 6]]


def test_a_matrix_of_one_column(file: Path) -> None:
    matrix = read_rows(file, "a\n1\n2\n")
    assert (matrix.side.names, matrix.side.first, matrix.rest.shape) == (("a",), ("1", "2"), (2, 0))


def test_a_matrix_with_missing_cells(file: Path) -> None:
    text = "id,a,b\nx,,NA\n"
    for missing in ("keep", "zero", "skip"):
        rest = read_rows(file, text, ReadOptions(missing=missing)).rest
        assert np.isnan(rest).all()
    with pytest.raises(InputError, match="a missing value") as caught:
        read_rows(file, text)
    assert (caught.value.line, caught.value.column, caught.value.name) == (2, 2, "a")


def test_a_model_never_has_missing_cells(file: Path) -> None:
    file.write_text("id,a\nx,1\ny,\n")
    for missing in ("keep", "zero", "skip", "error"):
        options = ReadOptions(missing=missing)
        table = open_table(str(file), options)
        with pytest.raises(InputError, match="every weight must be a number") as caught:
            read_matrix(table, options, chunk_bytes=100, is_model=True)
        table.close()
        assert caught.value.line == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("id,a\nx,1\ny,1,2\n", 3),
        ("id,a\nx,1\ny\n", 3),
        ("id,a\nx,1\n\ny,1\n", 3),
        ('id,a\nx,1\n"y,1\n', 3),
        ('id,a\nx,1\ny"z,1\n', 3),
        ("id,a\n1,2\nx,inf\n", 3),
        ("id,a\n1,2\nx,\u0661\n", 3),
    ],
)
def test_a_bad_record_of_a_matrix_is_refused(text: str, line: int, file: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_rows(file, text)
    assert caught.value.line == line


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(CELLS, st.floats(allow_nan=False, allow_infinity=False)), max_size=6),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_matrix_that_is_written_is_read(
    tmp_path: Path, rows: list[tuple[str, float]], line_end: str
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=line_end).writerows([("id", "a"), *rows])
    matrix = read_rows(tmp_path / "a.csv", out.getvalue())
    assert matrix.side.first == tuple(label for label, _ in rows)
    assert matrix.rest[:, 0].tobytes() == np.array([x for _, x in rows], dtype=float).tobytes()


def test_what_planning_is_told_of_a_small_file(file: Path) -> None:
    side = look(file, 'id,a\n"x\ny",1\n00012,2\n\n')
    assert side == Side(
        str(file), 2, ("id", "a"), 2, ("x\ny", "00012"), POINT, True, None, ("id", "a")
    )
    numbers = Side(str(file), 2, None, 2, ("1", "3"), POINT, True, None, ("1", "2"))
    assert look(file, "1,2\n3,4\n") == numbers
    assert look(file, "id,a\n").first == ()


def test_what_planning_is_told_of_a_large_file(file: Path) -> None:
    side = look(file, "id,a\n" + "x,1\n" * 20_000)
    assert (side.n_rows, side.first) == (None, None)


def test_what_planning_is_told_with_decimal_commas(file: Path) -> None:
    side = look(file, "id;a\n1,5;2\n", ReadOptions(decimal=",", missing_values=("?",)))
    assert side.grammar == Grammar(",", ("?",)) and side.first == ("1,5",)


def test_what_planning_is_told_of_a_damaged_file(file: Path) -> None:
    """Planning only looks; the damage is refused where it stands."""
    assert look(file, 'id,a\nx,1\ny"z,2\n').width == 2
    assert look(file, 'id,a\nx,1\n"y,2\n').width == 2


def test_a_parquet_file_is_a_table_too(tmp_path: Path) -> None:
    import polars as pl

    pl.DataFrame({"id": ["x", "y"], "a": [1.5, 2.5]}).write_parquet(tmp_path / "a.csv")
    table = open_table(str(tmp_path / "a.csv"), ANY)
    assert (table.names, table.width, table.n_rows) == (("id", "a"), 2, 2)
    matrix = read_matrix(table, ANY, chunk_bytes=100)
    table.close()
    assert (matrix.side.first, matrix.rest.tolist()) == (("x", "y"), [[1.5], [2.5]])
