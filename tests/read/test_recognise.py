"""What a file is, from its first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore.errors import InputError
from matscore.read.inputs import encoding_of, find_delimiter, recognise, refuse_foreign

TABLE = b"id,height\n1,2\n3,4\n"


def refuse(head: bytes) -> None:
    """Refuse what begins with some bytes, decoded by their mark as a source does it."""
    encoding, n_mark = encoding_of(head)
    text = head[n_mark:]
    if encoding != "utf-8":
        text = text.decode(encoding, "ignore").encode("utf-8", "ignore")
    refuse_foreign("a.csv", text)


def refusal(head: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        refuse(head)
    assert caught.value.path == "a.csv"
    return caught.value


def write_parquet(buffer: io.BytesIO) -> None:
    pl.DataFrame({"a": [1.0]}).write_parquet(buffer)


def write_arrow(buffer: io.BytesIO) -> None:
    pl.DataFrame({"a": [1.0]}).write_ipc(buffer)


def write_arrow_stream(buffer: io.BytesIO) -> None:
    pl.DataFrame({"a": [1.0]}).write_ipc_stream(buffer)


@pytest.mark.parametrize(
    ("write", "kind"),
    [(write_parquet, "parquet"), (write_arrow, "arrow"), (write_arrow_stream, "arrow")],
)
def test_table_formats(write: Callable[[io.BytesIO], None], kind: str) -> None:
    buffer = io.BytesIO()
    write(buffer)
    assert recognise(buffer.getvalue()[:64]) == kind


@pytest.mark.parametrize(
    ("packed", "kind"),
    [
        (gzip.compress(TABLE, mtime=0), "gzip"),
        (bz2.compress(TABLE), "bzip2"),
        (bz2.compress(b""), "bzip2"),
        (lzma.compress(TABLE), "xz"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
        (b"\x50\x2a\x4d\x18\x04\x00", "zstd"),
        (b"PAR1", "parquet"),
        (b"ARROW1", "arrow"),
    ],
)
def test_compressions_and_bare_magic(packed: bytes, kind: str) -> None:
    assert recognise(packed) == kind


@pytest.mark.parametrize(
    "head",
    [
        b"",
        TABLE,
        b"PAR1,PAR2\n1,2\n",
        b"PAR1\n1\n",
        b"ARROW1;b\n",
        b"BZh9,a\n1,2\n",
        b"\xff\xfea\x00",
    ],
)
def test_text_is_csv(head: bytes) -> None:
    assert recognise(head) == "csv"


def zip_of(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "application/vnd.oasis.opendocument.spreadsheet")
    return buffer.getvalue()


def npy_bytes() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ones(3))
    return buffer.getvalue()


def npz_bytes() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.ones(3))
    return buffer.getvalue()


FOREIGN = [
    (zip_of("[Content_Types].xml", "xl/workbook.xml"), "Excel"),
    (zip_of("xl/workbook.xml"), "Excel"),
    (zip_of("[Content_Types].xml", "word/document.xml"), "Word"),
    (zip_of("mimetype"), "OpenDocument"),
    (zip_of(), "zip"),
    (npz_bytes(), "NumPy archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel"),
    (b"%PDF-1.7\n%", "PDF"),
    (b"<!DOCTYPE html>\n<p>", "HTML"),
    (b"\xef\xbb\xbf \n<HTML lang='en'>", "HTML"),
    ("\ufeff<html>".encode("utf-16-le"), "HTML"),
    (b"<Table border=1>", "HTML"),
    (b'<?xml version="1.0"?>', "XML"),
    (b'{"a": 1}\n{"a": 2}\n', "JSON"),
    (b'{\r\n  "a": 1}', "JSON"),
    (b'[{"a": 1}]', "JSON"),
    (b'[\n  {\n    "a": 1', "JSON"),
    (b"[[1, 2], [3, 4]]", "JSON"),
    (b"[[], []]", "JSON"),
    (b'["a", "b"]', "JSON"),
    (b"[1, 2.5e3, -3]\n", "JSON"),
    (b"[\n  1,\n  2\n]", "JSON"),
    (json.dumps([[1, 2], [3, 4]], indent=2).encode(), "JSON"),
    (b"version https://git-lfs.example/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
    (pickle.dumps({"a": 1}, protocol=2), "pickle"),
    (pickle.dumps({"a": 1}), "pickle"),
    (npy_bytes(), "npy"),
    (b"\x89HDF\r\n\x1a\n\x00", "HDF5"),
    (b"SQLite format 3\x00\x10", "SQLite"),
    (b"FEA1\x00\x00", "Feather"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x04\x22\x4d\x18\x64", "lz4"),
]


@pytest.mark.parametrize(("head", "word"), FOREIGN)
def test_other_formats_are_named(head: bytes, word: str) -> None:
    error = refusal(head)
    assert word in str(error)
    assert error.hint
    assert error.line is None


def test_a_real_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    database = sqlite3.connect(path)
    database.execute("create table t (a)")
    database.commit()
    database.close()
    assert "SQLite" in refusal(path.read_bytes()[:4096]).what


@pytest.mark.parametrize(
    "head",
    [
        TABLE,
        b"a",
        b"\xef\xbb\xbf" + TABLE,
        b"\xef\xbb\xbf" + b'"id","a"\r\n1,2\r\n',
        "\ufeffid,a\n1,2\n".encode("utf-16-le"),
        "\ufeffid,a\n1,2\n".encode("utf-16-be"),
        "\ufeffid,a\n1,2\n".encode("utf-32-le"),
        "\ufeffid,a\n1,2\n".encode("utf-16-le")[:-1],
        b"PK,name\n1,2\n",
        b"[a],b\n1,2\n",
        b"[0,1],b\n1,2\n",
        b"[0;1];b\n1;2\n",
        b"[x]\n1\n",
        b"{a},b\n1,2\n",
        b"{x}\n",
        b'"[1, 2)","[2, 3)"\n1,2\n',
        b"<5,>5\n1,2\n",
        b"<tablet>,b\n1,2\n",
        b"version,b\n1,2\n",
        b"sep,b\n1,2\n",
        b"sep=ab,c\n1,2\n",
        b"id,a\r",  # the head may end inside a CRLF
        b'id,"a\rb",c\n1,2,3\n',
        b'"a\rb","c\nd"',
        b"caf\xe9,b\n1,2\n",
        b",,\n1,2,3\n",
    ],
)
def test_tables_pass(head: bytes) -> None:
    refuse(head)


@pytest.mark.parametrize(
    "head", [b"", b"\n", b"\r\n\r\n", b"\r", b"\xef\xbb\xbf", b"\xff\xfe", b" \n"]
)
def test_empty_files(head: bytes) -> None:
    assert refusal(head).what == "the file is empty"


@pytest.mark.parametrize(
    ("head", "hint"),
    [
        (b"sep=;\na;b\n", "-d ';'"),
        (b"SEP=,\r\na,b\r\n", "-d ','"),
        (b"\xef\xbb\xbfsep=\t\na\tb\n", "-d tab"),
        (b'"sep=|"\na|b\n', "-d '|'"),
        (b"sep=\na", "remove that line"),
    ],
)
def test_sep_line(head: bytes, hint: str) -> None:
    error = refusal(head)
    assert error.line == 1
    assert hint in error.hint


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["id,a\n1,2\n", "имя,рост\nОля,1.5\nИван,2.5\n"])
def test_wide_text_without_a_mark(encoding: str, text: str) -> None:
    if "32" in encoding and not text.isascii():
        text += "1,2,3,4,5\n" * 20
    assert encoding in refusal(text.encode(encoding)).hint


@pytest.mark.parametrize(
    ("head", "line"),
    [(b"a,b\n1,\x002\n", 2), (b"a\x00,b\n1,2\n", 1), (b"a,b\n" + bytes(4000), 2), (bytes(99), 1)],
)
def test_nul_bytes(head: bytes, line: int) -> None:
    error = refusal(head)
    assert error.what == "a NUL byte"
    assert error.line == line
    assert "--encoding" not in error.hint


@pytest.mark.parametrize("head", [b"a,b\r1,2\r3,4\r", b"a,b\r1,2", b'"x\ny",b\r1,2\r'])
def test_lone_cr(head: bytes) -> None:
    error = refusal(head)
    assert "CR alone" in error.what
    assert "convert the line ends" in error.hint


@given(st.binary(max_size=64))
def test_any_bytes_pass_or_are_refused(head: bytes) -> None:
    recognise(head)
    try:
        refuse(head)
    except InputError as error:
        assert error.what and error.hint
    else:
        assert head[encoding_of(head)[1] :].strip()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_byte_order_marks(encoding: str) -> None:
    mark = "\ufeff".encode(encoding)
    assert encoding_of(mark + "a,b\n".encode(encoding)) == (encoding, len(mark))


@pytest.mark.parametrize("head", [b"", TABLE, b"\xef\xbb", b"\xfe", "é".encode()])
def test_no_byte_order_mark(head: bytes) -> None:
    assert encoding_of(head) == ("utf-8", 0)


@pytest.mark.parametrize(
    ("records", "delimiter"),
    [
        ([], ","),
        (["a"], ","),
        (["a b"], ","),
        (["a,b"], ","),
        (["a;b", "1,5;2,5"], ";"),
        (["a\tb"], "\t"),
        (["a|b", "1|2"], "|"),
        (['"a,b";c'], ";"),
        (['"say ""a,b""";c'], ";"),
        (['"two\nlines, one name"|c'], "|"),
        (["id;height, cm;x", "a;1;2"], ";"),
        (["id\tage;sex\tx, y", "a\t1\t2", "b\t3\t4"], "\t"),
        (["a,b|c", "1,2", "3,4"], ","),
    ],
)
def test_delimiter(records: list[str], delimiter: str) -> None:
    assert find_delimiter("a.csv", records) == delimiter


@pytest.mark.parametrize(
    ("records", "hint"),
    [
        (["a;b,c"], "-d ',' or -d ';'"),
        (["a;b,c;d", "1;2,3;4"], "-d ';' or -d ','"),
        (["a;b,c\td", "1", "2;3"], "-d ',', -d ';' or -d tab"),
        (["a|b\tc|d,e", "1|2\t3|4"], "-d '|' or -d tab"),
    ],
)
def test_delimiter_in_doubt(records: list[str], hint: str) -> None:
    with pytest.raises(InputError) as caught:
        find_delimiter("a.csv", records)
    assert caught.value.line == 1
    assert caught.value.what.startswith("cannot tell the delimiter")
    assert caught.value.hint.endswith(hint)


def test_a_column_called_as_a_format_begins() -> None:
    assert recognise(b"PAR1" + bytes([0x15, 0x04])) == "parquet"
    assert recognise(b"PAR1,PAR2") == "csv"
    assert encoding_of(b"\xef\xbb\xbfid,a") == ("utf-8", 3)
    refuse_foreign("a.csv", b"id,height\n1,2\n")
    with pytest.raises(InputError, match="this is a PDF document; give the table as CSV"):
        refuse_foreign("a.csv", b"%PDF-1.7")
    assert find_delimiter("a.csv", ["id;height, cm;width", "x;1;2"]) == ";"


@pytest.mark.parametrize("records", [["a,b", "1,5"], ["film,a", "x,1", "y,2"], ["1,5,x", "1,5,2"]])
def test_a_comma_between_cells_or_in_numbers(records: list[str]) -> None:
    with pytest.raises(InputError, match="between cells or is the decimal mark"):
        find_delimiter("a.csv", records, ",")


@pytest.mark.parametrize(
    "records", [["1,5", "2,5"], ["price", "1,5"], ["a,b", "1,5", "7"], ['"a,b"', "1,5"], ["a,b"]]
)
def test_a_column_of_decimal_commas(records: list[str]) -> None:
    assert find_delimiter("a.csv", records, ",") == ";"
