"""Inputs: the files that the command line names, and what each is from its first bytes.

A directory stands for all files under it, a quoted pattern for what it matches; names that start
with a dot or an underscore are left out of both, as everywhere where data lies in folders. Within
an argument files come in the order of their paths' bytes, part by part: what ``LC_ALL=C`` gives in
a shell and what object stores give, the same on every machine. Arguments keep their order.
"""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import unquote

from matscore.errors import FileError, InputError, UsageError, os_errors_about
from matscore.names import Grammar

_ADDRESS = re.compile(r"(s3|gs|az|https?)://[^/]", re.IGNORECASE)
_WILD = re.compile(r"[*?[]")
_KEY = re.compile(r"([^=/]+)=(.*)", re.DOTALL)
_NULL_KEY = "__HIVE_DEFAULT_PARTITION__"


def is_address(path: str) -> bool:
    """Say whether a path is in object storage or on a web server."""
    return _ADDRESS.match(path) is not None


def full_path(path: str) -> str:
    """Return a path that means the same in every folder; an address does already."""
    return path if is_address(path) else str(Path(path).absolute())


@dataclass(frozen=True)
class Input:
    """One file to read."""

    path: str  # "-" is standard input
    root: str  # the folder that was named, before the first folder or file that was found in it
    place: str  # its path below that folder

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Names and values of the ``key=value`` folders between the root and the file."""
        matches = map(_KEY.fullmatch, self.place.split("/")[:-1])
        return tuple((unquote(m[1]), _value_of(m[2])) for m in matches if m)


def list_inputs(arguments: Sequence[str]) -> list[Input]:
    """Return the files that some arguments stand for; what exists under its name is no pattern."""
    inputs: list[Input] = []
    seen: set[str] = set()
    for argument in arguments:
        files = _list_argument(argument)
        for file in files or [Input(argument, *os.path.split(argument))]:
            name = file.path if is_address(file.path) else os.path.normpath(file.path)
            # A file that is named twice may be meant; one that a pattern finds again is not.
            if files and name in seen:
                raise UsageError(f"{file.path} is given twice", "name it once")
            seen.add(name)
            inputs.append(file)
    return inputs


def name_parts(inputs: Sequence[Input], ending: str) -> list[str]:
    """Name the output of each input, where every input has one of its own.

    ``data/name.csv.gz`` gives ``part-of-name.csv``, in the folders in which the input lies below
    the folders that were named, so that a name depends on what was named and not on what else was
    found there. Only where two inputs of a folder differ in nothing but their endings do both keep
    them: ``part-of-name.csv.gz.csv``.
    """
    roots = [os.path.abspath(file.root) for file in inputs if not _is_special(file)]  # noqa: PTH100
    root = os.path.commonpath(roots) if roots else "/"
    places = [_place_of(file, root) for file in inputs]
    stems = [os.path.join(folder, strip_ending(name)) for folder, name in places]  # noqa: PTH118
    shared = {stem for stem, n in Counter(stems).items() if n > 1}
    names: dict[str, str] = {}
    for file, stem, (folder, name) in zip(inputs, stems, places, strict=True):
        kept = name if stem in shared else os.path.basename(stem)  # noqa: PTH119
        part = os.path.join(folder, f"part-of-{kept}{ending}")  # noqa: PTH118
        if part in names:
            what = f"{names[part]} and {file.path} would both be written to {part}"
            raise UsageError(what, "rename one of them, or write two directories")
        names[part] = file.path
    return list(names)


def _is_special(file: Input) -> bool:
    return file.path == "-" or file.path.startswith(("/dev/", "/proc/"))


def _place_of(file: Input, root: str) -> tuple[str, str]:
    if file.path == "-":
        return "", "stdin"
    if _is_special(file):
        return "", Path(file.path).name
    path = os.path.join(os.path.abspath(file.root), file.place)  # noqa: PTH100, PTH118
    return os.path.split(os.path.relpath(path, root))


def _list_argument(argument: str) -> list[Input]:
    """Return what a directory or a pattern stands for; nothing for a plain file."""
    if is_address(argument):
        can_list = not argument.lower().startswith("http")  # as on no web server
        if not can_list or not (_WILD.search(argument) or argument.endswith("/")):
            return []
        root = _root_of(argument) if _WILD.search(argument) else argument.rstrip("/")
        from matscore.read.cloud import list_objects

        found = (f"{root}/{name}" for name in list_objects(f"{root}/"))
        paths = [path for path in found if _is_meant(path, argument, root)]
        what, hint = "no object is found there", "look at what is there"
    elif os.path.isdir(argument):  # noqa: PTH112 - which is False where it cannot be told
        root, paths = argument, list(_walk(argument))
        what, hint = "is a directory without files", "name its files, or another directory"
    elif _WILD.search(argument) and not os.path.lexists(argument):
        root, paths = _root_of(argument), list(_match(argument))
        what, hint = "no file matches this pattern", "quote it, and look at what is there"
    else:
        return []
    if not paths:
        raise FileError(argument, what, hint)
    if is_address(root):
        files = [Input(path, root, path.removeprefix(f"{root}/")) for path in paths]
    else:
        files = [Input(path, root, os.path.relpath(path, root or ".")) for path in paths]
    # By bytes, as a name need not be UTF-8; part by part, as '/' stands after '-' and '.'.
    return sorted(files, key=lambda file: [os.fsencode(part) for part in file.place.split("/")])


def _is_meant(path: str, argument: str, root: str) -> bool:
    """Say whether an object is what an argument names: not hidden, and as the pattern says."""
    place = path.removeprefix(f"{root}/")
    if _is_hidden(place) or place.endswith("/"):
        return False
    pattern = argument.removeprefix(f"{root}/")
    return argument.endswith("/") or re.fullmatch(_translate(pattern), place) is not None


def _translate(pattern: str) -> str:
    """Turn a pattern into a regular expression for the places of objects."""
    parts = re.split(r"(\*\*/|\*|\?|\[[^\]]+\])", pattern)
    turned = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    texts = (
        turned.get(p) or (p if p[:1] == "[" and p[-1:] == "]" else re.escape(p)) for p in parts
    )
    return "".join(text.replace("[!", "[^") for text in texts)


def _match(pattern: str) -> Iterator[str]:
    for path in glob.iglob(pattern, recursive=True):  # noqa: PTH207 - keeps the names as given
        if _is_hidden(os.path.relpath(path, _root_of(pattern) or ".")):
            continue
        if not Path(path).is_dir():
            yield path
        elif "**" not in pattern:  # which finds the files in it by itself
            yield from _walk(path)


def _walk(folder: str) -> Iterator[str]:
    def fail(error: OSError) -> None:
        # os.walk passes over what it may not read, and files would be missing in silence.
        with os_errors_about(str(error.filename)):
            raise error

    for place, folders, files in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        yield from (os.path.join(place, name) for name in files if not _is_hidden(name))  # noqa: PTH118


def _root_of(pattern: str) -> str:
    """Return the folders before the first part with a wildcard."""
    start = pattern[: _WILD.search(pattern).start()]  # type: ignore[union-attr]
    return start.rpartition("/")[0] or ("/" if start.startswith("/") else "")


def _is_hidden(place: str) -> bool:
    return any(part[:1] in (".", "_") for part in place.split("/") if part not in (".", ".."))


def _value_of(text: str) -> str:
    # Hive's word for no value.
    return "" if text == _NULL_KEY else unquote(text)


# What a file is.

FileKind: TypeAlias = Literal["csv", "parquet", "arrow", "gzip", "zstd", "bzip2", "xz"]

DELIMITERS = (",", ";", "\t", "|")


class Form(NamedTuple):
    """A format or a compression: the endings of its files' names, and how its bytes begin."""

    kind: FileKind
    endings: tuple[str, ...]
    magic: bytes


# A column may be called PAR1, ARROW1 or BZh9: text goes on after those words, a binary file
# does not. The other magic numbers are not text in any encoding that is read without being named.
FORMATS = (
    Form("parquet", (".parquet", ".pq"), rb"PAR1(?![ -~\t\r\n])"),
    # A file, also called Feather, or a stream.
    Form("arrow", (".arrow", ".feather", ".ipc"), rb"ARROW1(?![ -~\t\r\n])|\xff\xff\xff\xff"),
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

_PASS_OVER = "--empty-files skip passes over features files without a byte"
_SAVE_AS_CSV = "save it as CSV and give that file"
_IMPORT = "matscore import makes weights of a model; give a table as CSV or Parquet"
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
        (
            # MySQL, Spark and pandas draw such a line; PostgreSQL has one under the names; boxes.
            rb"\s*\+[-=+]{2,}\+[ \t]*\r?\n|[^\r\n|]*\|[^\r\n]*\r?\n[ \t]*[-:| ]*-[+|][-+:| ]*\r?\n"
            rb"|\s*(?:\xe2\x94\x8c|\xe2\x95\xad|\xe2\x95\x94)",
            "a table as a program prints it for people",
            "have it write CSV: psql --csv, mysql --batch (tabs), sqlite3 -csv -header",
        ),
        (rb"\x80[\x02-\x05]", "a pickle", _IMPORT),
        (rb"\x93NUMPY", "a NumPy array (npy)", _NUMPY),
        (rb"\x89HDF\r\n\x1a\n", "an HDF5 file", _EXPORT),
        (rb"SQLite format 3\x00", "a SQLite database", _EXPORT),
        (rb"FEA1\x00", "a Feather file of version 1", "write it again as Arrow or Parquet"),
        (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it and give the file inside"),
        (rb"\x04\x22\x4d\x18", "compressed with lz4", "unpack it first, or use gzip or zstd"),
    )
)

_SEP_LINE = re.compile(rb'"?sep=([^\r\n"]?)"?[ \t]*(?:[\r\n]|\Z)', re.IGNORECASE)
COMMENT = re.compile(rb"[#%!]|//")
"""How lines of comments start, mostly."""

_QUOTED_BYTES = re.compile(rb'"[^"]*(?:"|\Z)')
_QUOTED = re.compile(r'"[^"]*(?:"|\Z)')


def recognise(head: bytes) -> FileKind:
    """Name a file's format or compression from its first 16 bytes; "csv" is any other content."""
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
    """Name the encoding that the byte-order mark tells, and the mark's length in bytes."""
    marks = ((name, len(mark)) for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark))
    return next(marks, ("utf-8", 0))


def refuse_foreign(path: str, head: bytes) -> None:
    """Refuse what is no delimited text, however it is named, by the start of its text in UTF-8."""
    text = head.removeprefix(b"\xef\xbb\xbf")  # a second mark, where files were joined
    if not text.strip():
        hint = "a header line, at least, is needed"
        raise InputError(path, "the file is empty", hint if head else f"{hint}; {_PASS_OVER}")
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
    """
    bare = [_QUOTED.sub("", record) for record in records]
    header = bare[0] if bare else ""
    present = [mark for mark in DELIMITERS if mark in header and mark != decimal]
    if decimal == "," and not present and _is_cut_by_commas(bare):
        what = "cannot tell whether a comma stands between cells or is the decimal mark"
        hint = "say -d ',' or -d ';', and of weights with points --weights-decimal ."
        raise InputError(path, what, hint, line=1)
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


def _is_cut_by_commas(records: Sequence[str]) -> bool:
    """Say whether a header that is no number and every record have as many commas."""
    header = records[0] if records else ""
    commas = {record.count(",") for record in records}
    is_steady = len(records) > 1 and commas == {header.count(",")} != {0}
    return is_steady and not Grammar(",").is_number(header)


def _refuse_sep_line(path: str, text: bytes) -> None:
    sep_line = _SEP_LINE.match(text)
    if sep_line is None:
        return
    mark = sep_line[1].decode("ascii", "ignore")
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
