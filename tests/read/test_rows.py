"""Chunks into labels and numbers, against a slow reader."""

from __future__ import annotations

import math
import random
import struct
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matscore.errors import InputError
from matscore.names import MISSING_VALUES
from matscore.read.rows import Layout, Reject, Rows, parse_rows
from matscore.read.split import Chunk, iter_chunks
from tests.read.oracle import Columns, Reading, Row, Unsound, judge, read_text

NUMBERS = st.one_of(
    st.integers(-99, 99).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["+1", ".5", "5.", "1E5", "-0", "00012", " 7 ", "\t3", "1e-400", "9" * 30]),
)
NOT_NUMBERS = st.sampled_from(
    ["inf", "-nan", "1e400", "1_000", "0x1A", "1,5", "1.5,0", "5%", "TRUE", "a", "１", "1 2", "--1"]
)
MISSING_CELLS = st.sampled_from(["", " ", "NA", "NaN", "nan", " null ", "None", "-999"])
LABELS = st.one_of(
    st.sampled_from(["00012", "NA", "9" * 20, "", " a ", "é", "nan", "\t", "1", "c0", "a,b;c"]),
    st.sampled_from(["x^2", "x\x01", "#no", 'say "hi"', "two\nlines", "two\r\nlines", "a\rb"]),
)
WORDS = st.sampled_from([MISSING_VALUES, ("NA", "-999"), (" null ",), ()])


@dataclass(frozen=True)
class Case:
    """A file's records and how they are read."""

    layout: Layout
    data: bytes


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    width = draw(st.integers(1, 5))
    order = draw(st.permutations(range(width)))
    label = draw(st.sampled_from([None, order[0]])) if width > 1 else None
    rest = order if label is None else order[1:]
    features = tuple(rest[: draw(st.integers(1, len(rest)))])
    kept = tuple(rest[len(features) :][: draw(st.integers(0, 1))])
    delimiter = draw(st.sampled_from([",", ",", ";", "\t", "|", " "]))
    return Layout(
        draw(st.sampled_from([None, tuple(f"c{i}" for i in range(width)), numbered(width, label)])),
        width,
        label,
        kept,
        features,
        delimiter,
        draw(st.sampled_from([".", ".", "."] if delimiter == "," else [".", ".", ","])),
        draw(st.sampled_from(["error", "skip", "zero", "keep"])),
        draw(WORDS),
    )


def numbered(width: int, label: int | None) -> tuple[str, ...]:
    return tuple("id" if i == label else str(i) for i in range(width))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a layout and records for it, most of them sound, some damaged."""
    layout = draw(layouts())
    sound = draw(st.booleans())
    numbers = NUMBERS if sound else st.one_of(NUMBERS, NUMBERS, MISSING_CELLS, NOT_NUMBERS)
    line_end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    quoting = draw(st.sampled_from(["never", "some", "all"]))
    text = ""
    for _ in range(draw(st.integers(1, 6))):
        cells = [
            write_cell(draw(numbers if i in layout.feature_columns else LABELS), layout, quoting)
            for i in range(layout.width)
        ]
        if not sound and draw(st.integers(0, 5)) == 0:
            names = list(layout.names or [])
            cells = draw(st.sampled_from([cells[1:], [*cells, "1"], [*cells, ""], names]))
        text += layout.delimiter.join(cells) + line_end
    data = text.encode()
    if not sound and draw(st.booleans()):
        at = draw(st.integers(0, len(data)))
        extra = draw(st.sampled_from([b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf"]))
        data = data[:at] + extra + data[at + draw(st.integers(0, 1)) :]
    return Case(layout, data[: draw(st.sampled_from([len(data), len(data) - len(line_end)]))])


def write_cell(cell: str, layout: Layout, quoting: str) -> str:
    special = any(mark in cell for mark in f'{layout.delimiter}"\n\r')
    if quoting == "never":  # leave out what would need quotes
        return "".join(mark for mark in cell if mark not in f'{layout.delimiter}"\n\r')
    if quoting == "all" or special:
        return '"' + cell.replace('"', '""') + '"'
    return cell


def columns_of(layout: Layout) -> Columns:
    return Columns(
        layout.names,
        layout.width,
        layout.label_column,
        layout.feature_columns,
        layout.delimiter,
        layout.decimal,
        layout.missing,
        layout.missing_values,
    )


def bits(numbers: tuple[float, ...]) -> bytes:
    return struct.pack(f"{len(numbers)}d", *(abs(x) if math.isnan(x) else x for x in numbers))


def check_rows(layout: Layout, parsed: Rows, chunk: Chunk, reading: Reading) -> None:
    """Hold a chunk's rows and rejects against what the slow reader says of its records."""
    records = reading.records[chunk.row : chunk.row + chunk.n_records]
    assert len(records) == chunk.n_records
    judged = [judge(columns_of(layout), record) for record in records]
    good = [(i, row) for i, row in enumerate(judged) if isinstance(row, Row)]
    bad = [row for row in judged if isinstance(row, Unsound)]

    assert parsed.n_rows == len(good)
    assert [values.dtype for values in parsed.features] == ["f8"] * len(layout.feature_columns)
    features = np.array(parsed.features).T.reshape(parsed.n_rows, len(layout.feature_columns))
    assert [bits(tuple(row)) for row in features.tolist()] == [bits(r.features) for _, r in good]
    found = dict(zip(layout.kept_columns, parsed.texts, strict=True))
    if layout.label_column is None:
        assert parsed.labels.tolist() == [chunk.row + i + 1 for i, _ in good]  # type: ignore[union-attr]
    else:
        found[layout.label_column] = parsed.labels  # type: ignore[assignment]
    for column, texts in found.items():
        assert list(texts) == [records[i].cells[column] for i, _ in good]
    missing = [any(math.isnan(x) for x in row.features) for _, row in good]
    assert (parsed.has_missing is not None) == any(missing)
    if parsed.has_missing is not None:
        assert parsed.has_missing.tolist() == missing
    places = range(chunk.n_records) if parsed.places is None else parsed.places.tolist()
    assert list(places) == [i for i, _ in good]

    assert [reject.line for reject in parsed.rejects] == [row.line for row in bad]
    for reject, row in zip(parsed.rejects, bad, strict=True):
        assert reject.error
        assert reject.skipped == (row.missing and layout.missing == "skip")
        if row.column is not None:
            assert reject.column == row.column
            assert reject.name == (None if layout.names is None else layout.names[row.column - 1])
    by_line = {record.line: record.text for record in records}
    assert all(reject.text == by_line[reject.line] for reject in parsed.rejects)


def check_case(layout: Layout, data: bytes, chunk_bytes: int) -> None:
    """Parse all of a text and hold it against what the slow reader says."""
    reading = read_text(data, layout.delimiter)
    try:
        for chunk in iter_chunks(
            "x.csv", [data], delimiter=layout.delimiter, chunk_bytes=chunk_bytes
        ):
            check_rows(layout, parse_rows(layout, chunk), chunk, reading)
    except InputError as error:
        assert any(first <= (error.line or 0) <= last for first, last in reading.stops)
    else:
        assert not reading.stops


PLAIN = Layout(("id", "a", "b"), 3, 0, (), (1, 2))
KEPT = Layout(("id", "a", "b"), 3, 0, (), (1, 2), missing="keep")
ZERO = replace(KEPT, missing="zero")
LAST = Layout(("a", "b", "id"), 3, 2, (), (1, 0))
PROJECTED = Layout(("id", "a", "x", "b"), 4, 0, (), (1, 3))
ALONE = Layout(None, 1, None, (), (0,))
PIXELS = Layout(("id", "0", "1"), 3, 0, (), (1, 2))


@settings(max_examples=800, deadline=None)
@given(cases(), st.sampled_from([1, 20, 10_000]))
def test_any_file_is_read_as_the_slow_reader_reads_it(case: Case, chunk_bytes: int) -> None:
    check_case(case.layout, case.data, chunk_bytes)


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from([PLAIN, KEPT, ZERO, LAST, PROJECTED, ALONE, PIXELS]),
    st.text('1a,,"\n\n\r. ', max_size=30).map(str.encode),
)
def test_any_text_is_read_as_the_slow_reader_reads_it(layout: Layout, data: bytes) -> None:
    check_case(layout, data, 1000)


@pytest.mark.parametrize("chunk_bytes", [1, 10_000])
@pytest.mark.parametrize(
    ("layout", "data"),
    [
        # A short row and a long one add up; the parser pads the one and, where it reads only some
        # columns, cuts the other.
        (PLAIN, b"x,1,2\ny,3\nz,4,5,6\n"),
        (ZERO, b"x,1,2\ny,3\nz,4,5,6\n"),
        (KEPT, b"x,NA,2\ny,3\nz,4,5,6\n"),
        (ZERO, b"x,NA,2\ny,3\nz,4,5,\n"),
        (PROJECTED, b"x,1,q,2\ny,3,q\nz,4,q,5,6\n"),
        (replace(PROJECTED, missing="zero"), b"x,1,q,2\ny,3,q\nz,4,q,5,6\n"),
        (Layout(None, 3, 2, (), (0,)), b"1,q,x\n2,q\n3,q,z,w\n"),
        (Layout(None, 3, 0, (), (1,)), b"x,1,q\ny,2\nz,3,q,w\n"),
        # The parser takes a long row that ends in a delimiter and has no line end.
        (ZERO, b"x,1,2\ny,3\nz,4,5,"),
        (LAST, b"1,2,x\n3,4\n5,6,z,"),
        (LAST, b"1,2,x\r\n3,4\r\n5,6,z,"),
        # Number words that the parser takes, and that mean a missing cell.
        (replace(PLAIN, missing_values=("-999",)), b"x,1,-999\ny,1,2\n"),
        (replace(ZERO, missing_values=("-999",)), b"x,1,-999\ny,1, -999\nz,1,2\n"),
        (PLAIN, b"x,inf,-inf\ny,1,nan\nz,1,2\n"),
        (ZERO, b"x,inf,-inf\ny,1,nan\nz,1,NA\n"),
        (replace(KEPT, missing_values=()), b"x,1,NA\ny,1,nan\nz,,2\n"),
        (replace(KEPT, missing_values=("inf",)), b"x,1,inf\ny,1,2\n"),
        # Text that the parser would take for compressed.
        (PLAIN, b"x^2,1,2\ny,3,4\n"),
        (ZERO, b"x^2,1,NA\ny,3,4\n"),
        (PLAIN, b"x\x01,1,2\n"),
        (PLAIN, b"bad,1\nx^2,1,2\n"),
        # Returns.
        (LAST, b"1,2,x\r\n3,4,y\n5,6,z\r"),
        (LAST, b'1,2,x\r\r\n3,4,"y"\r\n'),
        (LAST, b'1,2,"x\r"\r\n3,4,"y\r\n"\n'),
        (LAST, b'"1",2,x\ry\n"1",2,x\r\r\n3,4,z\n'),
        (PROJECTED, b'"x",1,q\rq,2\n'),
        # The header again, in words and in numbers.
        (PLAIN, b"x,1,2\nid,a,b\ny,3,4\n"),
        (PIXELS, b"x,1,2\nid,0,1\ny,0,1\n"),
        (PIXELS, b'x,1,2\n"id","0","1"\nid,0,1.0\nid,00,1\n'),
        # Blank lines and lines of delimiters.
        (PLAIN, b"x,1,2\n\ny,1,2\n,,\n"),
        (ZERO, b"x,1,2\n,,\n,1,\nz,,\n"),
        (ALONE, b"1\n\n2\n"),
        (ALONE, b'1\r\n"2"\n3'),
        (replace(ALONE, missing="zero"), b'1\n\n""\n \n'),
        # Quotes.
        (PLAIN, b'"x","1","2.5"\n"y"," 1 ",""\n'),
        (PLAIN, b'"x",1,2\n5" y,1,2\n"z"z,1,2\n"w",3,4\n'),
        (PLAIN, b'"x",1,2\n"y"y,"1,2\n"z",3,4\n'),
        (PLAIN, b'"x\ny"z,1,2\n'),
        # A byte-order mark inside.
        (PLAIN, b"x,1,2\n\xef\xbb\xbfid,a,b\ny,3,4\n"),
        (PLAIN, b'"x",1,2\n\xef\xbb\xbf"y",3,4\n'),
        (PLAIN, b"x\xef\xbb\xbf,1,2\ny,\xef\xbb\xbf1,2\n"),
        # Blanks, empty and odd labels.
        (Layout(None, 2, 0, (), (1,), "\t"), b"\t1\n \t2\n a \t3\n"),
        (Layout(None, 2, 0, (), (1,), " "), b" 1\n\t 2\n"),
        (Layout(None, 2, 0, (), (1,), ";", ","), b"a;1,5\nb;1.5\nc;,5\nd;1\n"),
        # Overlaps: a kept column that is a feature, too.
        (Layout(("id", "a"), 2, 0, (1,), (1,)), b"x, 1.50\ny,2\n"),
    ],
)  # fmt: skip
def test_what_the_parser_must_not_decide(layout: Layout, data: bytes, chunk_bytes: int) -> None:
    check_case(layout, data, chunk_bytes)


@settings(deadline=None)
@given(st.lists(st.one_of(NUMBERS, NOT_NUMBERS, MISSING_CELLS), min_size=1), st.booleans())
@example(["1", "1.7976931348623157e308", "1.7976931348623157e308"], False)
def test_columns_of_cells(cells: list[str], quoted: bool) -> None:
    rows = [f'"{cell}";x' if quoted else f"{cell};x" for cell in cells]
    layout = Layout(None, 2, 1, (), (0,), ";", missing="keep")
    check_case(layout, ("\n".join(rows) + "\n").encode(), 10_000)


def test_random_floats_are_read_to_the_last_bit() -> None:
    drawn = random.Random(0)
    numbers = [struct.unpack("<d", drawn.randbytes(8))[0] for _ in range(20_000)]
    cells = [repr(x) for x in numbers if math.isfinite(x)]
    cells += [f"{drawn.getrandbits(200)}.{drawn.getrandbits(200)}" for _ in range(2_000)]
    cells += [f"{drawn.getrandbits(64)}e{drawn.randint(-340, 280)}" for _ in range(5_000)]
    halves = struct.iter_unpack("<d", drawn.randbytes(8_000))
    cells += [f"{x:.800f}".rstrip("0") + "0" for (x,) in halves if abs(x) < 1e15]
    data = "".join(f"{cell},x\n" for cell in cells).encode()
    layout = Layout(None, 2, 1, (), (0,))
    parsed = parse_rows(layout, Chunk("x", data, 1, 0, len(cells), 0))
    assert bits(tuple(parsed.features[0].tolist())) == bits(tuple(map(float, cells)))


@pytest.mark.parametrize(
    "cell", ["0." + "0" * 700_000 + "1e700001", "1" + "0" * 700_000 + "e-700000"]
)
def test_an_exponent_that_the_parser_misreads(cell: str) -> None:
    """Polars reads no exponent past about 650,000."""
    before = b"x,3,4\n" * 1000
    check_case(PLAIN, before + f"y,{cell},2\n".encode() + before, 10**7)
    check_case(PLAIN, before + f"y,2,{cell}".encode(), 10**7)


@pytest.mark.parametrize("missing", ["error", "zero", "keep"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("n_rows", [3, 100, 30_000])
def test_a_short_and_a_long_row_far_apart(missing: str, line_end: str, n_rows: int) -> None:
    """The parser splits a large text among threads; it sees long rows in all their parts."""
    drawn = random.Random(n_rows)
    layout = Layout(None, 3, 0, (), (1, 2), missing=missing)  # type: ignore[arg-type]
    for tail in ("", "7", "x"):
        rows = [f"r{i},{i},{drawn.randint(0, 10**6)}" for i in range(n_rows)]
        short, long = drawn.sample(range(1, n_rows), 2)
        rows[short] = rows[short].rsplit(",", 1)[0]
        rows[long] += f",{tail}"
        data = "".join(row + line_end for row in rows).encode()
        parsed = parse_rows(layout, Chunk("x", data, 1, 0, n_rows, 0))
        assert [reject.line for reject in parsed.rejects] == sorted([short + 1, long + 1])
        assert parsed.n_rows == n_rows - 2


def test_quoted_text_far_past_the_parsers_own_pieces() -> None:
    drawn = random.Random(1)
    pieces = ["a", '""', "\n", ",", "\r\n", "é", "1,2\n3"]
    labels = ["".join(drawn.choices(pieces, k=drawn.choice([0, 1, 5, 40]))) for _ in range(30_000)]
    data = "".join(f'{i},"{label}",{i}\r\n' for i, label in enumerate(labels)).encode()
    layout = Layout(None, 3, 1, (), (2, 0))
    parsed = parse_rows(layout, Chunk("x", data, 1, 0, len(labels), 0))
    assert list(parsed.labels) == [label.replace('""', '"') for label in labels]
    assert parsed.features[0].tolist() == list(range(len(labels)))
    assert parsed.rejects == []


def reject_of(layout: Layout, data: bytes) -> Reject:
    (chunk,) = iter_chunks("x.csv", [data], delimiter=layout.delimiter, chunk_bytes=10**9)
    (reject,) = parse_rows(layout, chunk).rejects
    return reject


@pytest.mark.parametrize(
    ("layout", "data", "line", "column", "error", "hint"),
    [
        (PLAIN, b"x,1,2\ny,3\n", 2, None, "2 cells, but the first record has 3", "a delimiter is"),
        (PLAIN, b"x,1,2\ny,3", 2, None, "2 cells, but the first record has 3", "cut off"),
        (PLAIN, b"x,1,2\ny,3,4,5\n", 2, None, "4 cells, but", "quote a cell that"),
        (PLAIN, b"x,1,2\n\ny,3,4\n", 2, None, "a blank line between records", "remove it"),
        (PLAIN, b"x,1,2\n,,\n", 2, None, "a line of delimiters only", "remove it"),
        (PLAIN, b"x,1,2\nid,a,b\n", 2, 2, "the header again", "joined"),
        (PIXELS, b"x,1,2\nid,0,1\n", 2, None, "the header again", "joined"),
        (PLAIN, b"\xef\xbb\xbfx,1,2\n", 1, None, "a byte-order mark", "joined"),
        (PLAIN, b'\xef\xbb\xbf"x",1,2\n', 1, 1, "a byte-order mark", "joined"),
        (PLAIN, b"x,1,2\ry,3,4\nz,5,6\n", 1, None, "5 cells, but", ""),
        (PLAIN, b"x\ry,1,2\n", 1, None, "a carriage return inside a record", "line feed"),
        (PLAIN, b"x,1,2\ny,,4\n", 2, 2, "a missing value", "--missing"),
        (PLAIN, b"x,1,2\ny,3,a\n", 2, 3, '"a" is not a number', ""),
        (PLAIN, b'"x\nx",1,2\n"y\ny",3,a\n', 3, 3, '"a" is not a number', ""),
        (PLAIN, b'x,1,2\n5" y,3,4\n', 2, 1, "a quote inside an unquoted cell", "quote the whole"),
        (PLAIN, b'x,1,2\ny,"3"x,4\n', 2, 2, "text after a closing quote", "double a quote"),
        (PLAIN, b'x,1,2\n"a,b",c"d\n', 2, 2, "a quote inside an unquoted cell", "quote the whole"),
        (PLAIN, b'x,1,2\n1,"a" ,1\n', 2, 2, "text after a closing quote", "double a quote"),
        (PLAIN, b'x,1,2\n"a\\"b",1,2\n', 2, 1, "a quote escaped by a backslash", "double it"),
        (PLAIN, b'x,1,2\na,b\\"c,2\n', 2, 2, "a quote escaped by a backslash", "double it"),
    ],
)
def test_a_bad_record_is_named(
    layout: Layout, data: bytes, line: int, column: int | None, error: str, hint: str
) -> None:
    rejects = [
        reject
        for chunk in iter_chunks("x.csv", [data], delimiter=",", chunk_bytes=10**9)
        for reject in parse_rows(layout, chunk).rejects
    ]
    (reject,) = rejects
    assert (reject.line, reject.column) == (line, column)
    assert reject.name == (None if column is None else (layout.names or ())[column - 1])
    assert reject.error.startswith(error)
    assert hint in reject.hint
    shown = str(reject.as_error("x.csv"))
    assert shown.startswith(f"x.csv:{line}:" if column is None else f"x.csv:{line}:{column}:")


@pytest.mark.parametrize(
    ("data", "line", "what"),
    [
        (b"x,1,2\ny\0,1,2\n", 2, "a NUL byte at offset 7"),
        (b"x,1,2\ny\xe9,1,2\n", 2, "not UTF-8: byte 0xe9 at offset 7"),
        (b'x,1,2\n"y\ny"y,1,2\nz,1,2\n', 2, "text after a closing quote"),
        (b'x,1,2\ny"y,1,"2\nz,1,2\n', 2, "a quote inside an unquoted cell"),
    ],
)
def test_damage_that_no_record_can_be_blamed_for(data: bytes, line: int, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        for chunk in iter_chunks("x.csv", [data], delimiter=",", chunk_bytes=10**9):
            parse_rows(PLAIN, chunk)
    assert caught.value.line == line
    assert caught.value.hint


def test_bytes_in_columns_without_use_are_looked_at_too() -> None:
    with pytest.raises(InputError, match="not UTF-8"):
        parse_rows(PROJECTED, Chunk("x", b"x,1,q\xff,2\n", 1, 0, 1, 0))


def test_a_bad_cell_of_any_length() -> None:
    cell = "9" * 300_000 + "x"
    assert reject_of(PLAIN, f"y,{cell},2\n".encode()).column == 2


def test_a_row_of_100_000_columns() -> None:
    n = 100_000
    layout = Layout(None, n + 1, 0, (), tuple(range(1, n + 1)))
    data = "".join(f"r{j}," + ",".join(map(str, range(n))) + "\n" for j in range(3)).encode()
    parsed = parse_rows(layout, Chunk("x", data, 1, 0, 3, 0))
    assert parsed.features[-1].tolist() == [n - 1] * 3
    assert list(parsed.labels) == ["r0", "r1", "r2"]
