"""What a file is, from its first bytes: format, compression, encoding, delimiter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from matscore.errors import InputError

Kind: TypeAlias = Literal["csv", "parquet", "arrow", "arrow-stream", "gzip", "zstd", "bzip2", "xz"]

DELIMITERS = (",", ";", "\t", "|")


class Form(NamedTuple):
    """A format or a compression: the endings of its files' names, and how its bytes begin."""

    kind: Kind
    endings: tuple[str, ...]
    magic: bytes


# A column may be called PAR1, ARROW1 or BZh9: text goes on after those words, a binary file
# does not. The other magic numbers are not text in any encoding that is read without being named.
FORMATS = (
    Form("parquet", (".parquet", ".pq"), rb"PAR1(?![ -~\t\r\n])"),
    Form("arrow", (".arrow", ".feather", ".ipc"), rb"ARROW1(?![ -~\t\r\n])"),
    Form("arrow-stream", (), rb"\xff\xff\xff\xff"),
    Form("csv", (".csv", ".tsv", ".tab", ".txt"), rb""),  # whatever else it may be
)
COMPRESSIONS = (
    Form("gzip", (".gz",), rb"\x1f\x8b"),
    Form("zstd", (".zst",), rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
    Form("bzip2", (".bz2",), rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90|\Z)"),
    Form("xz", (".xz",), rb"\xfd7zXZ\x00"),
)

_BYTE_ORDER_MARKS = (  # UTF-32 first: its little-endian mark starts with that of UTF-16
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)

_SAVE_AS_CSV = "save it as CSV and give that file"
_EXPORT = "export the table as CSV or Parquet and give that file"
_NUMPY = "write the array as CSV or Parquet and give that file"
_ZIP = rb"(?s:PK(?:\x03\x04|\x05\x06|\x07\x08)"

# What it is, what to do; the first pattern that fits decides.
_FOREIGN = tuple(
    (re.compile(pattern), what, hint)
    for pattern, what, hint in (
        (_ZIP + rb".*\bword/)", "a Word document", "give the table as CSV"),
        (_ZIP + rb".*(?:\bxl/|\[Content_Types\]))", "an Excel workbook", _SAVE_AS_CSV),
        (_ZIP + rb".*opendocument)", "an OpenDocument file", _SAVE_AS_CSV),
        (_ZIP + rb".*\.npy)", "a NumPy archive", _NUMPY),
        (_ZIP + rb")", "a zip archive", "unpack it and give the file inside"),
        (rb"\xd0\xcf\x11\xe0", "an old Excel workbook (xls)", _SAVE_AS_CSV),
        (rb"%PDF-", "a PDF document", "give the table as CSV"),
        (
            rb"(?i)\s*(?:<!doctype\b|<html\b|<table\b)",
            "an HTML page",
            "download the data itself; a log-in or error page may have come instead",
        ),
        (rb"(?i)\s*<\?xml\b", "an XML file", _EXPORT),
        (
            rb"\s*(?:\{\s*\"|\[\s*(?:\"|[\[{]\s*[-\"0-9\[{\]}])"
            rb"|\[\s*-?[0-9][-+0-9.eE]*\s*,[-+0-9.eE,\s]*(?:\]\s*)?\Z|\[[ \t]*\r?\n\s*-?[0-9])",
            "a JSON file",
            "turn it into CSV and give that file",
        ),
        (
            rb"version https?://git-lfs",
            "a Git LFS pointer, not the data",
            "fetch the data with: git lfs pull",
        ),
        (rb"\x80[\x02-\x05]", "a pickle", _EXPORT),
        (rb"\x93NUMPY", "a NumPy array (npy)", _NUMPY),
        (rb"\x89HDF\r\n\x1a\n", "an HDF5 file", _EXPORT),
        (rb"SQLite format 3\x00", "a SQLite database", _EXPORT),
        (rb"FEA1\x00", "a Feather file of version 1", "write it again as Arrow or Parquet"),
        (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it and give the file inside"),
        (rb"\x04\x22\x4d\x18", "compressed with lz4", "unpack it first, or use gzip or zstd"),
    )
)

_SEP_LINE = re.compile(rb'"?sep=([^\r\n"]?)"?[ \t]*(?:[\r\n]|\Z)', re.IGNORECASE)
_QUOTED_BYTES = re.compile(rb'"[^"]*(?:"|\Z)')
_QUOTED = re.compile(r'"[^"]*(?:"|\Z)')


def recognise(head: bytes) -> Kind:
    """Name a file's format or compression from its first 16 bytes; "csv" is any other content.

    Examples
    --------
    >>> recognise(b"PAR1" + bytes([0x15, 0x04])), recognise(b"PAR1,PAR2")
    ('parquet', 'csv')
    """
    return next(form.kind for form in COMPRESSIONS + FORMATS if re.match(form.magic, head))


def strip_ending(name: str) -> str:
    """Return a file's name without the ending of a compression and that of a format.

    Examples
    --------
    >>> strip_ending("data.csv.gz"), strip_ending("data.2024"), strip_ending(".csv")
    ('data', 'data.2024', '.csv')
    """
    for forms in (COMPRESSIONS, FORMATS):
        stem, dot, ending = name.rpartition(".")
        if stem.strip(".") and any(f"{dot}{ending.lower()}" in form.endings for form in forms):
            name = stem
    return name


def encoding_of(head: bytes) -> tuple[str, int]:
    r"""Name the encoding that the byte-order mark tells, and the mark's length in bytes.

    Examples
    --------
    >>> encoding_of(b"\xef\xbb\xbfid,a"), encoding_of(b"id,a")
    (('utf-8', 3), ('utf-8', 0))
    """
    found = ((name, len(mark)) for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark))
    return next(found, ("utf-8", 0))


def refuse_foreign(path: str, head: bytes) -> None:
    r"""Refuse what is no delimited text, however it is named; the head is uncompressed.

    It is UTF-8, or any encoding with its byte-order mark.

    Examples
    --------
    >>> refuse_foreign("a.csv", b"id,height\n1,2\n")
    >>> refuse_foreign("a.csv", b"%PDF-1.7")
    Traceback (most recent call last):
    matscore.errors.InputError: a.csv: this is a PDF document; give the table as CSV
    """
    text = _without_mark(head)
    if not text.strip():
        raise InputError(path, "the file is empty", "a header line, at least, is needed")
    for pattern, what, hint in _FOREIGN:
        if pattern.match(text):
            raise InputError(path, f"this is {what}", hint)
    _refuse_sep_line(path, text)
    _refuse_nul(path, text)
    _refuse_lone_cr(path, text)


def find_delimiter(path: str, records: Sequence[str], decimal: str = ".") -> str:
    r"""Find the character between the cells from the header and up to nine records after it.

    Where the header has none, it is a comma, or a semicolon when the comma is the decimal mark;
    where it has several and the records do not tell which one it is, that is an `InputError`.

    Examples
    --------
    >>> find_delimiter("a.csv", ["id;height, cm;width", "x;1;2"])
    ';'
    """
    bare = [_QUOTED.sub("", record) for record in records]
    header = bare[0] if bare else ""
    present = [mark for mark in DELIMITERS if mark in header and mark != decimal]
    if len(present) <= 1:
        return present[0] if present else ";" if decimal == "," else ","
    steady = [mark for mark in present if len({record.count(mark) for record in bare}) == 1]
    if len(steady) == 1 and len(bare) > 1:
        return steady[0]
    likely = sorted(steady or present, key=header.count, reverse=True)
    raise InputError(
        path,
        f"cannot tell the delimiter: the header has {_list_words(map(_show_mark, present), 'and')}",
        f"name it: {_list_words((f'-d {_show_mark(mark)}' for mark in likely), 'or')}",
        line=1,
    )


def _without_mark(head: bytes) -> bytes:
    encoding, length = encoding_of(head)
    if encoding == "utf-8":
        return head[length:]
    return head[length:].decode(encoding, "ignore").encode("utf-8", "ignore")


def _refuse_sep_line(path: str, text: bytes) -> None:
    found = _SEP_LINE.match(text)
    if found is None:
        return
    mark = found[1].decode("ascii", "ignore")
    name = f" and give -d {_show_mark(mark)}" if mark else ""
    what = 'the first line is "sep=", a note to a spreadsheet'
    raise InputError(path, what, f"remove that line{name}", line=1)


def _refuse_nul(path: str, text: bytes) -> None:
    first = text.find(b"\x00")
    if first < 0:
        return
    line = text.count(b"\n", 0, first) + 1
    encoding = _guess_wide_encoding(text)
    if encoding:
        what = f"NUL bytes, as in {encoding.upper()} without a byte-order mark"
        raise InputError(path, what, f"give --encoding {encoding}", line=line)
    raise InputError(path, "a NUL byte", "the file is damaged or no text", line=line)


def _guess_wide_encoding(text: bytes) -> str:
    """Name the encoding in which ASCII has its NUL bytes where the text has its own, or ""."""
    share = text.count(b"\x00") / len(text)
    if 0.6 < share < 0.8:
        return "utf-32-le" if not any(text[3::4]) else "utf-32-be" if not any(text[::4]) else ""
    if not 0.05 < share < 0.6:
        return ""
    odd = text[1::2].count(b"\x00") / text.count(b"\x00")
    n_lines = text.count(b"\n")  # stray NUL bytes do not stand beside them
    if odd > 0.9 and 2 * text.count(b"\n\x00") >= n_lines:
        return "utf-16-le"
    return "utf-16-be" if odd < 0.1 and 2 * text.count(b"\x00\n") >= n_lines else ""


def _refuse_lone_cr(path: str, text: bytes) -> None:
    bare = _QUOTED_BYTES.sub(b"", text)
    # The last byte may be the first half of a CRLF that the head cut in two.
    if b"\n" in bare or b"\r" not in bare[:-1]:
        return
    what = "the lines end in CR alone, as on an old Macintosh"
    raise InputError(path, what, "convert the line ends: tr '\\r' '\\n'", line=1)


def _show_mark(mark: str) -> str:
    return "tab" if mark == "\t" else f"'{mark}'"


def _list_words(words: Iterable[str], last: str) -> str:
    *before, end = words
    return f"{', '.join(before)} {last} {end}" if before else end
