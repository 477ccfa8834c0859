"""Odd and bad input, as features and as weights.

One file serves as both: as features it meets an identity matrix of weights, as weights an identity
matrix of features, so that its numbers come out as the scores either way.
"""

from __future__ import annotations

import bz2
import csv
import ctypes
import gzip
import io
import lzma
import os
import random
import re
import resource
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from matscore import RunOptions, classify_file
from tests.helpers import Done, finish, read_csv, run, start, write_csv

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ROLES = ("features", "weights")
GOOD = "id,a,b\nx,1,2\ny,3,4\n"
SCORES = [[1.0, 2.0], [3.0, 4.0]]
USAGE, MISFIT, DATA, FILE = 2, 3, 4, 5


def plain(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def to_csv(*rows: tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def partner(role: str, labels: tuple[str, str]) -> str:
    """Return the identity matrix that goes with a file in its role."""
    corner, names = ("f", ("a", "b")) if role == "features" else ("item", labels)
    return to_csv((corner, *names), ("a", "1", "0"), ("b", "0", "1"))


def classify(
    folder: Path,
    role: str,
    data: bytes,
    *options: str,
    labels: tuple[str, str] = ("x", "y"),
    convert: Callable[[str], bytes] = plain,
) -> Done:
    """Score with a file, `it.csv`, in one role."""
    (folder / "it.csv").write_bytes(data)
    (folder / "partner.csv").write_bytes(convert(partner(role, labels)))
    files = ("it.csv", "partner.csv") if role == "features" else ("partner.csv", "it.csv")
    return run("classify", *files, *options, cwd=folder)


def scores_of(rows: list[list[str]]) -> list[list[float]]:
    return [[float(cell) for cell in row[1:3]] for row in rows[1:]]


def check_refused(folder: Path, role: str, data: bytes, code: int, *options: str) -> str:
    """Return the message of a refusal; it leaves nothing on stdout and files as they were."""
    done = classify(folder, role, data, *options).check(code)
    assert done.out == b""
    if role == "weights":  # they are read before an output is opened
        return done.err
    names = {"it.csv", "partner.csv", "out.csv"}
    (folder / "out.csv").write_bytes(b"old")
    done = classify(folder, role, data, "-o", "out.csv", *options).check(code)
    assert done.out == b""
    assert (folder / "out.csv").read_bytes() == b"old"
    assert {file.name for file in folder.iterdir()} == names
    return done.err


@dataclass(frozen=True)
class Read:
    """A text that holds `SCORES`; the other file is converted as it is."""

    text: str
    options: tuple[str, ...] = ()
    labels: tuple[str, str] = ("x", "y")
    convert: Callable[[str], bytes] = plain


def number(cell: str, *options: str) -> Read:
    """Write the 3 of the good file in another way."""
    return Read(GOOD.replace("3", cell), options)


def delimited(mark: str, *options: str) -> Read:
    return Read(GOOD, options, convert=lambda text: plain(text.replace(",", mark)))


def encoded(name: str, *options: str) -> Read:
    return Read(GOOD, options, convert=lambda text: text.encode(name))


READ = {
    "byte-order mark": Read("\ufeff" + GOOD),
    "byte-order mark before a quoted header": Read('\ufeff"id"' + GOOD[2:]),
    "UTF-16 with its mark": encoded("utf-16"),
    "UTF-16 BE with its mark": Read(GOOD, convert=lambda t: ("\ufeff" + t).encode("utf-16-be")),
    "UTF-32 with its mark": encoded("utf-32"),
    "UTF-16 named": encoded("utf-16-le", "--encoding", "utf-16-le"),
    "latin-1 named": Read(
        GOOD.replace("x", "é"), ("--encoding", "latin-1"), ("é", "y"), lambda t: t.encode("latin-1")
    ),
    "CRLF": Read(GOOD.replace("\n", "\r\n")),
    "mixed line ends": Read("id,a,b\r\nx,1,2\ny,3,4\r\n"),
    "no last line end": Read(GOOD[:-1]),
    "CRLF but for the last": Read(GOOD.replace("\n", "\r\n")[:-2]),
    "blank lines at the end": Read(f"{GOOD}\n\r\n\n"),
    "semicolons": delimited(";"),
    "tabs": delimited("\t"),
    "bars": delimited("|"),
    "colons named": delimited(":", "-d", ":"),
    "tab named": delimited("\t", "-d", "tab"),
    "every cell quoted": Read(re.sub(r"(\w+)", r'"\1"', GOOD)),
    "number +3": number("+3"),
    "number 3.": number("3."),
    "number .3e1": number(".3e1"),
    "number 3E0": number("3E0"),
    "number 0003": number("0003"),
    "number with blanks": number(" 3 "),
    "number with a tab": number("\t3"),
    "number quoted": number('"3"'),
    "number of 400 digits": number("3." + "0" * 400),
    "decimal comma": number('"3,0"', "--decimal", ",", "-d", ","),
    "no decimal comma": number("3", "--decimal", ",", "-d", ","),
}
LABELS = {
    "leading zeros": "00012",
    "NA": "NA",
    "20 digits": "12345678901234567890",
    "comma": "a,b",
    "quote": 'a "b" c',
    "newline": "two\nlines",
    "CRLF inside": "two\r\nlines",
    "bracket": "age(30,40]",
    "blanks around": " x ",
    "Unicode": "日本 e\u0301 🎬",
    "markup": "[red]x[/red]",
    "escape sequence": "\x1b[31mx\x07",
    "right-to-left override": "\u202eabc",
    "spreadsheet formula": "=1+1",
    "backslash": "a\\b",
    "word inf": "inf",
    "hash": "#x",
}
READ |= {
    f"label {name}": Read(GOOD.replace("x,", to_csv((label, ""))[:-1]), labels=(label, "y"))
    for name, label in LABELS.items()
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("case", READ.values(), ids=READ)
def test_is_read(tmp_path: Path, role: str, case: Read) -> None:
    data, labels = case.convert(case.text), case.labels
    done = classify(tmp_path, role, data, *case.options, labels=labels, convert=case.convert)
    rows = done.check(quiet=True).rows
    assert scores_of(rows) == SCORES
    assert role == "weights" or tuple(row[0] for row in rows[1:]) == labels


@dataclass(frozen=True)
class Bad:
    """A text that is refused, at a place, with some words."""

    text: str
    words: str
    line: int | None = None
    column: int | None = None
    name: str | None = None
    rows: int = 1  # records at fault
    options: tuple[str, ...] = ()


def between(bad: str, words: str, column: int | None = None, rows: int = 1) -> Bad:
    """Put bad lines between the two good records."""
    name = None if column is None else ("id", "a", "b")[column - 1]
    return Bad(f"id,a,b\nx,1,2\n{bad}\ny,3,4\n", words, 3, column, name, rows)


def cell(text: str, words: str) -> Bad:
    """Put a bad cell into the second column."""
    return between(to_csv(("bad", text, "9"))[:-1], words, 2)


BAD_ROWS = {
    "byte-order mark in the middle": between("\ufeffz,5,6", "joined"),
    "a second file joined": between("\ufeffid,a,b", "joined"),
    "short row": between("z,5", "2 cells.* has 3"),
    "long row": between("z,5,6,7", "4 cells.* has 3"),
    "long row, delimiter at its end": between("z,5,6,", "remove the delimiter"),
    "cut in the middle": Bad("id,a,b\nx,1,2\ny,3,4\nz,5", "may be cut off", 4),
    "blank line": between("", "blank line"),
    "blank lines": between("\n\r", "blank line", rows=2),
    "delimiters only": between(",,", "delimiters only"),
    "delimiter of another kind": between("z;5;6", "separated by ';'"),
    "quote inside a cell": between('z"q,5,6', "quote the whole cell", 1),
    "text after a closing quote": between('"z"q,5,6', "double a quote", 1),
    "backslash before a quote": between('"z\\"q",5,6', "backslash", 1),
    "quote inside a number": between('z,5"6,6', "quote the whole cell", 2),
    "carriage return inside": between("z,5\r,6", "carriage return"),
    "title line": between("Sales of May", "not data"),
    "comment line": between("# a comment", "--comment"),
    "units row": between("(name),cm,kg", "number", 2),
    "header again": between("id,a,b", "header again", 2),
    "TOTAL line": between("TOTAL,,", "missing", 2),
    "empty cell": between("z,,6", "missing", 2),
    "NA": between("z,NA,6", "missing", 2),
}
BAD_ROWS |= {
    f"number {text}": cell(text, words)
    for text, words in {
        "1e400": "too large",
        "inf": "finite",
        "-Infinity": "finite",
        "1_000": "underscores",
        "0x1A": "decimal number",
        "1,5": "--decimal ,",
        "1.234,5": "thousands separator",
        "1 000": "thousands separator",
        "5%": "0.05 for 5%",
        "$4": "currency",
        "(5)": "minus sign",
        "\u22123": "minus sign",
        "١٢": "digits",
        "１２": "digits",
        "TRUE": "1 for true",
        "2024-05-01": "date",
        "12:30": "time",
        "abc": "--missing-values",
        "\u00a05": "U\\+00A0",
    }.items()
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("case", BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_row_is_refused(tmp_path: Path, role: str, case: Bad) -> None:
    message = check_refused(tmp_path, role, plain(case.text), DATA)
    check_message(message, case)


def check_message(message: str, case: Bad) -> None:
    place = ":".join(str(part) for part in ("it.csv", case.line, case.column) if part is not None)
    name = "" if case.name is None else f'"{case.name}": '
    assert message.startswith(f"{place}: {name}")
    assert message.endswith("\n") and message.count("\n") == 1
    assert "; " in message
    assert re.search(case.words, message)


@pytest.mark.parametrize("case", BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_row_is_set_aside(tmp_path: Path, case: Bad) -> None:
    options = ("--on-error", "reject", "--rejects", "rejects.csv")
    rows = classify(tmp_path, "features", plain(case.text), *options).check().rows
    assert scores_of(rows) == SCORES
    header, *rejects = read_csv(tmp_path / "rejects.csv")
    assert header == ["file", "line", "column", "name", "error", "text"]
    assert len(rejects) == case.rows
    place = [str(part or "") for part in (case.line, case.column, case.name)]
    assert rejects[0][:4] == ["it.csv", *place]
    lines = re.split("\r?\n", case.text)
    assert rejects[0][5] == lines[int(rejects[0][1]) - 1]


@pytest.mark.parametrize("case", BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_row_among_weights_is_never_set_aside(tmp_path: Path, case: Bad) -> None:
    options = ("--on-error", "reject", "--rejects", "rejects.csv")
    classify(tmp_path, "weights", plain(case.text), *options).check(DATA)
    assert not (tmp_path / "rejects.csv").exists()


REFUSED = {
    "empty file": Bad("", "the file is empty"),
    "one line end only": Bad("\n", "the file is empty"),
    "blanks only": Bad(" \n\r\n\t\n", "the file is empty"),
    "blank first line": Bad(f"\n{GOOD}", "the first line is blank; remove it", 1),
    "blank lines first": Bad(f" \r\n\n{GOOD}", "the first line is blank; remove it", 1),
    "blank first line of one column": Bad("\n1\n2\n", "the first line is blank; remove it", 1),
    "blank first line, no header": Bad(
        "\nx,1,2\n", "the first line is blank; remove it", 1, options=("-n",)
    ),
    "byte-order mark only": Bad("\ufeff", "the file is empty"),
    "NUL byte": Bad("id,a,b\nx,1\0,2\ny,3,4\n", "NUL byte", 2),
    "latin-1 byte": Bad("id,a,b\nx,1,2\n\udce9,3,4\n", "0xe9 at offset 13; .*--encoding", 3),
    "latin-1 byte in the header": Bad("id,a,\udce9\nx,1,2\n", "--encoding", 1),
    "half a character at the end": Bad("id,a,b\nx,1,2\ny,3,4\n\udcc3", "offset 19", 4),
    "UTF-16 without its mark": Bad(
        GOOD.encode("utf-16-le").decode("utf-8"), "give --encoding utf-16-le", 1
    ),
    "CR only": Bad(GOOD.replace("\n", "\r"), "CR alone", 1),
    "quote never closed": Bad('id,a,b\nx,1,2\n"z,5,6\ny,3,4\n', "never closed; look for", 3),
    "quote never closed in the header": Bad('id,"a,b\nx,1,2\ny,3,4\n', "misplaced quote", 1),
    "quote in the header": Bad('id,a"a,b\nx,1,2\n', "misplaced quote", 1),
    "spreadsheet's sep line": Bad(f"sep=;\n{GOOD}", "remove that line", 1),
    "two delimiters": Bad("id,a;b\nx,1;2\n", "name it: -d", 1),
    "delimiter at the end of every row": Bad(
        "id,a,b\nx,1,2,\ny,3,4,\n", "remove the delimiter at the line's end", 2
    ),
    "HTML": Bad("<!doctype html><html><body>no</body></html>\n", "an HTML page; download"),
    "JSON": Bad('[{"id": "x", "a": 1, "b": 2}]\n', "a JSON file; turn it into CSV"),
    "PDF": Bad("%PDF-1.7\n%\udcb5\udced\n", "a PDF document; give"),
    "Excel workbook": Bad("PK\x03\x04\x14\0\x06\0\x08\0[Content_Types].xml xl/", "save it as CSV"),
    "Git LFS pointer": Bad("version https://git-lfs.example/spec/v1\n", "git lfs pull"),
    "pickle": Bad("\udc80\x04\udc95\x1a\0\0", "a pickle; matscore import makes"),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_file_is_refused(tmp_path: Path, role: str, case: Bad) -> None:
    check_message(check_refused(tmp_path, role, plain(case.text), DATA), case)


@pytest.mark.parametrize("case", ["NUL byte", "latin-1 byte", "quote never closed"])
def test_damage_that_no_row_can_be_blamed_for_is_never_set_aside(tmp_path: Path, case: str) -> None:
    options = ("--on-error", "reject", "--rejects", "rejects.csv")
    done = classify(tmp_path, "features", plain(REFUSED[case].text), *options).check(DATA)
    check_message(done.err, REFUSED[case])
    assert not (tmp_path / "rejects.csv").exists()


def test_bad_byte_far_down_is_found_at_its_offset(tmp_path: Path) -> None:
    above = "id,a,b\n" + "".join(f"r{i},1,2\n" for i in range(200_000))
    message = check_refused(tmp_path, "features", above.encode() + b"\xff,1,2\n", DATA)
    assert message.startswith(
        f"it.csv:200002: the text is not UTF-8: byte 0xff at offset {len(above)}"
    )


def test_every_chunk_size_reads_the_same(tmp_path: Path) -> None:
    label = '"日本,""é""\r\n🎬"'
    (tmp_path / "f.csv").write_bytes(f"id,a,b\n{label},1,2\n{label},3,4\n".encode())
    (tmp_path / "w.csv").write_text(WEIGHTS)
    expected = f"id,p,q,prediction\n{label},1.0,2.0,q\n{label},3.0,4.0,q\n".encode()
    for size in range(1, 70):
        for jobs in (1, 3):
            out = io.BytesIO()
            options = RunOptions(jobs, size)
            classify_file(tmp_path / "f.csv", tmp_path / "w.csv", out, run=options)
            assert out.getvalue() == expected


FAULTS = {
    "cell": (b"x,1,?", 3),
    "missing": (b"x,,1", 2),
    "short": (b"x,1", 0),
    "quote": (b'x,1"2,3', 2),
    "escaped": (b'x,"1\\"2",3', 2),
    "bytes": (b"\xff,1,2", 0),
    "nul": (b"x,1\0,2", 0),
    "blank": (b"", 0),
    "return": (b"x,1\r,2", 0),
    "header": (b"id,a,b", 2),
    "overflow": (b"x,1e308,1e308", 0),
}
HOSTS = {
    "features": ("classify", "bad.csv", "w.csv"),
    "ranks": ("recommend", "bad.csv", "items.csv"),
    "weights": ("classify", "good.csv", "bad.csv"),
    "examples": ("fit", "bad.csv", "--target", "b"),
    "truths": ("evaluate", "good.csv", "w.csv", "--truth-file", "bad.csv"),
    "evaluated": ("evaluate", "bad.csv", "w.csv", "--truth-file", "truths.csv"),
    "pairs": ("recommend", "good.csv", "items.csv", "--exclude", "bad.csv"),
}
HARMLESS = {  # faults that are none where cells are text, or where nothing is multiplied
    "weights": {"overflow"},
    "examples": {"overflow"},
    "truths": {"cell", "missing", "overflow"},
    "pairs": {"cell", "missing", "header", "overflow"},
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("host", HOSTS)
def test_the_first_bad_line_is_named_however_the_file_is_cut(
    tmp_path: Path, host: str, seed: int
) -> None:
    draw = random.Random(f"{host} {seed}")
    kinds = sorted(FAULTS.keys() - HARMLESS.get(host, set()))
    # The first labels are long, since NUL bytes in the first 64 KiB say that it is no text at all.
    rows = [[f"r{i}" + "x" * 9000 * (i < 8), i % 7, i % 5] for i in range(40)]
    lines = [b"id,a,b", *(f"{name},{a},{b}".encode() for name, a, b in rows)]
    if host in ("features", "examples"):
        lines[5] = b'"two\n' + lines[5].replace(b",", b'",', 1)  # so that lines are not records
    bad = dict(zip(draw.sample(range(9, 41), 4), draw.sample(kinds, 4), strict=True))
    for at, kind in bad.items():
        lines[at] = FAULTS[kind][0]
    (tmp_path / "bad.csv").write_bytes(b"\n".join(lines) + b"\n")
    write_csv(tmp_path / "w.csv", [["f", "0", "1"], ["a", 10, 0], ["b", 10, 1]])
    write_csv(tmp_path / "items.csv", [["item", "a", "b"], ["p", 10, 10], ["q", 0, 1]])
    write_csv(tmp_path / "good.csv", [["id", "a", "b"], *rows])
    write_csv(tmp_path / "truths.csv", [["truth"], *(["0"] for _ in rows)])
    argv = HOSTS[host]
    if host == "truths":  # the second column holds them
        argv = (*argv, "--truth", "b")
        (tmp_path / "bad.csv").write_bytes(re.sub(rb",[0-9]\n", b",1\n", b"\n".join(lines) + b"\n"))
    line = min(bad) + 1 + (lines[5][:1] == b'"')
    column = FAULTS[bad[min(bad)]][1]
    errors = {
        run(*argv, *options, cwd=tmp_path).check(DATA).err
        for options in ([], ["--chunk-size", "1"], ["--chunk-size", "99", "-j", "4"])
    }
    assert len(errors) == 1, errors
    place = f"bad.csv:{line}:{column}: " if column else f"bad.csv:{line}: "
    assert errors.pop().startswith(place)


def test_the_first_bad_row_of_columns_is_named(tmp_path: Path) -> None:
    numbers = [1.0] * 40
    frame = pl.DataFrame({"id": ["x"] * 40, "b": numbers, "a": numbers})
    frame[30, "a"] = None
    frame[20, "b"] = float("inf")
    frame[20, "a"] = None
    frame[10, "a"] = frame[10, "b"] = 1e308
    write_csv(tmp_path / "w.csv", [["f", "p", "q"], ["a", 10, 0], ["b", 10, 1]])
    for at, place in ((10, "f.parquet:11: "), (20, "f.parquet:21:2: "), (30, "f.parquet:31:3: ")):
        frame.write_parquet(tmp_path / "f.parquet")
        for options in ([], ["--chunk-size", "1"], ["--chunk-size", "400", "-j", "4"]):
            done = run("classify", "f.parquet", "w.csv", *options, cwd=tmp_path).check(DATA)
            assert done.err.startswith(place)
        frame[at, "a"] = frame[at, "b"] = 1.0


def test_lines_are_physical(tmp_path: Path) -> None:
    text = 'id,a,b\n"two\nlines",1,2\n"three\r\nmore\nlines",3,x\ny,3,4\n'
    message = check_refused(tmp_path, "features", text.encode(), DATA)
    assert message.startswith('it.csv:4:3: "b": ')


@pytest.mark.parametrize("size", ["1", "7", "4M"])
def test_unclosed_quote_is_placed_where_it_opened(tmp_path: Path, size: str) -> None:
    text = GOOD + '"z,5,6\n' + 1000 * "more,7,8\n"
    message = check_refused(tmp_path, "features", text.encode(), DATA, "--chunk-size", size)
    assert message.startswith("it.csv:4: a quote is never closed")


def test_header_without_rows(tmp_path: Path) -> None:
    done = classify(tmp_path, "features", b"id,a,b\n").check(quiet=True)
    assert done.rows == [["id", "a", "b", "prediction"]]
    message = check_refused(tmp_path, "weights", b"id,a,b\n", MISFIT)
    assert "it.csv has no rows; give it" in message


def test_empty_column_is_left_out_and_said(tmp_path: Path) -> None:
    done = classify(tmp_path, "features", b"id,a,b,\nx,1,2,\ny,3,4,\n", "--verbose").check()
    assert scores_of(done.rows) == SCORES
    assert 'left out: ""' in done.err
    message = check_refused(tmp_path, "weights", b"id,a,b,\nx,1,2,\ny,3,4,\n", DATA)
    assert message.startswith('it.csv:2:4: "": a missing value; every weight')


@pytest.mark.parametrize("names", [("0", "1", "2", "3"), ("7", "8")], ids="".join)
def test_header_of_numbers(tmp_path: Path, names: tuple[str, ...]) -> None:
    write_csv(tmp_path / "f.csv", [names, range(len(names))])
    write_csv(tmp_path / "w.csv", [["f", "p"], *([name, 10**i] for i, name in enumerate(names))])
    done = run("classify", "f.csv", "w.csv", cwd=tmp_path)
    assert "--headers" in done.check(MISFIT).err
    rows = run("classify", "f.csv", "w.csv", "--headers", cwd=tmp_path).check().rows
    assert rows[1:] == [["1", str(float(sum(i * 10**i for i in range(len(names)))))]]


@pytest.mark.parametrize("role", ROLES)
def test_reordered_names_give_the_same_scores(tmp_path: Path, role: str) -> None:
    if role == "features":
        rows = classify(tmp_path, role, b"id,b,a\nx,2,1\ny,4,3\n").check(quiet=True).rows
    else:
        rows = classify(tmp_path, role, b"id,a,b\ny,3,4\nx,1,2\n").check(quiet=True).rows
    assert scores_of(rows) == SCORES


SHAPES = {
    "one row": ("id,a,b\nx,1,2\n", "f,p,q\na,1,0\nb,0,1\n", [[1.0, 2.0]]),
    "one feature": ("id,a\nx,1\ny,2\n", "f,p,q\na,1,3\n", [[1.0, 3.0], [2.0, 6.0]]),
    "one category": ("id,a,b\nx,1,2\n", "f,p\na,1\nb,3\n", [[7.0]]),
    "one of all": ("a\n2\n", "f,p\na,3\n", [[6.0]]),
    "no names at all": ("1,2\n3,4\n", "1,0\n0,1\n", SCORES),
    "categories 0 to 1": ("id,a,b\nx,1,2\n", "f,0,1\na,1,0\nb,0,1\n", [[1.0, 2.0]]),
    "categories with marks": (
        "id,a,b\nx,1,2\n", 'f,"a ""b"", c","age(30,40]"\na,1,0\nb,0,1\n', [[1.0, 2.0]],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("features", "weights", "scores"), SHAPES.values(), ids=SHAPES)
def test_shape_is_read(
    tmp_path: Path, features: str, weights: str, scores: list[list[float]]
) -> None:
    (tmp_path / "f.csv").write_text(features)
    (tmp_path / "w.csv").write_text(weights)
    rows = run("classify", "f.csv", "w.csv", cwd=tmp_path).check(quiet=True).rows
    names = next(csv.reader([weights.partition("\n")[0]]))[1:]
    n_categories = len(scores[0])
    assert [[float(cell) for cell in row[1 : 1 + n_categories]] for row in rows[1:]] == scores
    assert features[0].isdigit() or rows[0][1 : 1 + n_categories] == names


def test_100_000_columns(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(100_000)]
    (tmp_path / "f.csv").write_text(f"id,{','.join(names)}\nx{',1' * len(names)}\n")
    (tmp_path / "w.csv").write_text("f,p,q\n" + "".join(f"{name},1,-1\n" for name in names))
    rows = run("classify", "f.csv", "w.csv", cwd=tmp_path).check(quiet=True).rows
    assert rows[1] == ["x", "100000.0", "-100000.0", "p"]


WEIGHTS = "f,p,q\na,1,0\nb,0,1\n"
MISFITS = {
    "differs by case": ("id,A,b\nx,1,2\n", WEIGHTS, 'did you mean "A" .*only by case'),
    "differs by blanks": ("id,a ,b\nx,1,2\n", WEIGHTS, "only by blanks"),
    "differs by Unicode form": (
        "id,e\u0301,b\nx,1,2\n", WEIGHTS.replace("a", "\u00e9"), "only by Unicode form",
    ),
    "differs by invisible characters": (
        "id,a\u200b,b\nx,1,2\n", WEIGHTS, "b.*only by invisible characters",
    ),
    "feature missing": ("id,a,c\nx,1,2\n", WEIGHTS, 'lacks a feature of w.csv: "b"'),
    "feature twice among features": ("id,a,b,a\nx,1,2,3\n", WEIGHTS, '"a" in columns 2, 4; rename'),
    "feature twice among weights": (GOOD, WEIGHTS + "a,0,1\n", '"a" in rows 1, 3; rename'),
    "category twice": (GOOD, WEIGHTS.replace("q", "p"), '"p" in columns 2, 3; rename'),
    "feature without a name": (GOOD, WEIGHTS + ",1,1\n", "cannot tell|without a name"),
    "category without a name": (GOOD, WEIGHTS.replace("q", ""), "without a name .*; name it"),
    "transposed": (GOOD, "c,a,b\np,1,0\nq,0,1\nr,1,1\n", "add --transpose"),
    "transposed and square": (GOOD, "c,a,b\np,1,0\nq,0,1\n", "add --transpose"),
    "features transposed": ("id,x,y\na,1,3\nb,2,4\n", WEIGHTS, "add --transpose-features"),
    "files swapped": (WEIGHTS, GOOD, "swapped; give w.csv first"),
    "two intercepts": (GOOD, WEIGHTS + "bias,1,1\nconst,2,2\n", "2 intercepts.*; "),
    "intercept alone": (GOOD, "f,p,q\nbias,1,1\n", "intercept but no features; give"),
    "names alone": (GOOD, "f\na\nb\n", "names but no weights; give"),
    "statistics": (
        GOOD, "term,estimate,std.error\na,1,0\nb,0,1\n", "statistics.*; say --weights-cols",
    ),
    "long form": (GOOD, "y.level,estimate,p\na,1,0\nb,0,1\n", "in long form.*; matscore import"),
    "shapes without names": ("1,2,3,4\n", "1,2\n3,4\n", "4 features against 2; give"),
    "title line above the header": ("Sales\n" + GOOD, WEIGHTS, "a title, remove it"),
}  # fmt: skip


@pytest.mark.parametrize(("features", "weights", "words"), MISFITS.values(), ids=MISFITS)
def test_misfit_is_refused(tmp_path: Path, features: str, weights: str, words: str) -> None:
    (tmp_path / "f.csv").write_text(features)
    (tmp_path / "w.csv").write_text(weights)
    (tmp_path / "out.csv").write_text("old")
    done = run("classify", "f.csv", "w.csv", "-o", "out.csv", cwd=tmp_path).check(MISFIT)
    assert done.out == b""
    assert (tmp_path / "out.csv").read_text() == "old"
    assert re.search(words, done.err.partition("\n")[0])


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    done = run("classify", "movies.csv", "./movies.csv").check(MISFIT)
    assert "--transpose" in done.err or "name the weights file" in done.err


def test_overflow_is_a_bad_row(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text('id,a,b\nx,1,2\n"z\nz",1e308,5\ny,3,4\n')
    (tmp_path / "w.csv").write_text("f,p,q\na,10,0\nb,0,1\n")
    done = run("classify", "f.csv", "w.csv", cwd=tmp_path).check(DATA)
    assert done.err.startswith("f.csv:3: the scores overflow; ")
    options = ("--on-error", "reject", "--rejects", "r.csv")
    done = run("classify", "f.csv", "w.csv", *options, cwd=tmp_path).check()
    assert [row[0] for row in done.rows] == ["id", "x", "y"]
    assert read_csv(tmp_path / "r.csv")[1][1] == "3"
    assert read_csv(tmp_path / "r.csv")[1][5] == '"z\nz",1e308,5'


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_compressed_data_is_read_under_any_name(tmp_path: Path, role: str, kind: str) -> None:
    """In several members too."""
    compress = COMPRESSIONS[kind]
    data = compress(GOOD[:9].encode()) + compress(GOOD[9:].encode())
    assert scores_of(classify(tmp_path, role, data).check(quiet=True).rows) == SCORES


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", COMPRESSIONS)
@pytest.mark.parametrize("damage", ["truncated", "corrupt"])
def test_damaged_compressed_data_is_refused(
    tmp_path: Path, role: str, kind: str, damage: str
) -> None:
    data = bytearray(COMPRESSIONS[kind](GOOD.encode() + 3000 * b"\n"))
    if damage == "truncated":
        del data[-5:]
    else:
        data[len(data) // 2] ^= 0xFF
    message = check_refused(tmp_path, role, bytes(data), FILE)
    assert "it.csv" in message and message.count("\n") == 1
    assert f"the {kind} data is truncated or damaged" in message


def test_plain_text_under_a_compressed_name(tmp_path: Path) -> None:
    for name in ("f.csv.gz", "f.zst"):
        (tmp_path / name).write_text(GOOD)
        (tmp_path / "w.csv").write_text(WEIGHTS)
        rows = run("classify", name, "w.csv", cwd=tmp_path).check(quiet=True).rows
        assert scores_of(rows) == SCORES


NAMES = (
    "with blank.csv",
    "with[red]brackets[red].csv",
    "--help",
    "-x",
    "é.csv",
    "a" * 255,
    "\udcff",
)


@pytest.mark.parametrize("name", NAMES)
def test_file_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(GOOD)
    (tmp_path / "w.csv").write_text(WEIGHTS)
    rows = run("classify", "--", name, "w.csv", cwd=tmp_path).check(quiet=True).rows
    assert scores_of(rows) == SCORES
    output = f"out{name}"[:255]
    run("classify", "-o", output, "--", name, "w.csv", cwd=tmp_path).check(quiet=True)
    assert read_csv(tmp_path / output) == rows


def unreadable(folder: Path) -> dict[str, str]:
    (folder / "folder").mkdir()
    (folder / "dangling").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    (folder / "file").write_text("")
    return {
        "missing": "no such file",
        "folder": "is a directory",
        "dangling": "no such file",
        "loop": "symbolic links",
        "file/inside": "not a directory",
        "a" * 256: "name too long",
    }


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text(GOOD)
    for path, words in unreadable(tmp_path).items():
        for files in ((path, "good.csv"), ("good.csv", path), ("good.csv", path, "good.csv")):
            done = run("classify", *files, cwd=tmp_path).check(FILE)
            assert done.out == b""
            assert done.err == f"matscore: {path}: {words}" or words in done.err
            assert done.err.count("\n") == 1


def become_subject_to_permissions() -> None:
    """Give up root's power to open every file (CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH)."""
    if os.getuid() == 0:
        for capability in (1, 2):
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("secret.csv", "w.csv"), "secret.csv: permission denied"),
        (("f.csv", "secret.csv"), "secret.csv: permission denied"),
        (("f.csv", "w.csv", "-o", "locked/out.csv"), "locked/out.csv: permission denied; change"),
        (("f.csv", "w.csv", "-o", "kept.csv"), "kept.csv: permission denied; change"),
    ],
)
def test_no_permission(tmp_path: Path, argv: tuple[str, ...], words: str) -> None:
    (tmp_path / "f.csv").write_text(GOOD)
    (tmp_path / "w.csv").write_text(WEIGHTS)
    (tmp_path / "locked").mkdir(0o555)
    for name, mode in (("secret.csv", 0), ("kept.csv", 0o444)):
        (tmp_path / name).write_text(GOOD)
        (tmp_path / name).chmod(mode)
    process = start("classify", *argv, cwd=tmp_path, preexec_fn=become_subject_to_permissions)
    done = finish(process).check(FILE)
    assert done.out == b""
    assert words in done.err.lower() and done.err.count("\n") == 1
    assert not list((tmp_path / "locked").iterdir())


OUTPUTS = {
    "missing folder": ("nowhere/out.csv", FILE, "no such file or directory; create"),
    "a folder": ("folder", FILE, "is a directory; name a file in it"),
    "under a file": ("f.csv/out.csv", FILE, "not a directory"),
    "a loop of links": ("loop", FILE, "symbolic links"),
    "too long a name": ("a" * 256, FILE, "name too long"),
    "full device": ("/dev/full", FILE, "no space left"),
    "the features": ("f.csv", USAGE, "also an input"),
    "the weights": ("./w.csv", USAGE, "also an input"),
    "the features by a link": ("link.csv", USAGE, "also an input"),
    "the features by a hard link": ("hard.csv", USAGE, "also an input"),
}


@pytest.mark.parametrize("option", ["-o", "--rejects", "--report"])
@pytest.mark.parametrize(("output", "code", "words"), OUTPUTS.values(), ids=OUTPUTS)
def test_output_that_cannot_be_written(
    tmp_path: Path, option: str, output: str, code: int, words: str
) -> None:
    (tmp_path / "f.csv").write_text(GOOD)
    (tmp_path / "w.csv").write_text(WEIGHTS)
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link.csv").symlink_to("f.csv")
    (tmp_path / "hard.csv").hardlink_to(tmp_path / "f.csv")
    before = sorted(tmp_path.iterdir())
    more = ("--on-error", "reject") if option == "--rejects" else ()
    done = run("classify", "f.csv", "w.csv", option, output, *more, cwd=tmp_path).check(code)
    assert words in done.err.lower()
    assert done.err.count("\n") == 1
    assert option == "--report" or done.out == b""
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "f.csv").read_text() == GOOD
    assert (tmp_path / "w.csv").read_text() == WEIGHTS


def test_outputs_that_are_one_file(tmp_path: Path) -> None:
    options = ("--on-error", "reject", "-o", "a", "--rejects", "./a", "--report", "a")
    for chosen in (options[:6], options[:4] + options[6:] + ("--rejects", "b")):
        done = classify(tmp_path, "features", plain(GOOD), *chosen).check(USAGE)
        assert done.err.count("\n") == 1
        assert not (tmp_path / "a").exists()


def test_an_output_behind_a_link_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "target.csv"
    target.write_text("old")
    target.chmod(0o640)
    (tmp_path / "out.csv").symlink_to("target.csv")
    classify(tmp_path, "features", plain(GOOD), "-o", "out.csv").check(quiet=True)
    assert (tmp_path / "out.csv").is_symlink()
    assert scores_of(read_csv(target)) == SCORES
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.parametrize("output", ["out.csv", "out.csv.gz", "out.parquet"])
def test_file_size_limit(tmp_path: Path, output: str) -> None:
    rows = "".join(f"r{i * i},{i / 7},{i % 11}\n" for i in range(50_000))
    (tmp_path / "f.csv").write_text("id,a,b\n" + rows)
    (tmp_path / "w.csv").write_text(WEIGHTS)
    (tmp_path / output).write_text("old")
    before = sorted(tmp_path.iterdir())
    argv = ("classify", "f.csv", "w.csv", "-o", output, "--chunk-size", "64k")
    done = finish(start(*argv, cwd=tmp_path, preexec_fn=limit_file_size)).check(FILE)
    assert re.fullmatch(rf"matscore: {output}: file too large; .*\n", done.err, re.IGNORECASE)
    assert (tmp_path / output).read_text() == "old"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("output", ["-", "out.csv"])
def test_input_that_changes_while_it_is_read(tmp_path: Path, output: str) -> None:
    """The run waits on the second file, a FIFO, until the first one has grown."""
    (tmp_path / "f.csv").write_text(GOOD)
    (tmp_path / "w.csv").write_text(WEIGHTS)
    os.mkfifo(tmp_path / "slow")
    options = () if output == "-" else ("-o", output)
    process = start("classify", "f.csv", "slow", "w.csv", *options, cwd=tmp_path)
    with (tmp_path / "slow").open("w") as slow:  # by now the first file is open
        with (tmp_path / "f.csv").open("a") as file:
            file.write("z,5,6\n")
        slow.write(GOOD)
    done = finish(process).check(FILE)
    assert done.err == "matscore: f.csv: changed while it was read; run again when it is complete\n"
    assert done.out == b""
    assert not (tmp_path / "out.csv").exists()


def test_both_inputs_from_standard_input(tmp_path: Path) -> None:
    done = run("classify", "-", "-", stdin=plain(GOOD)).check(USAGE)
    assert "only one of the inputs; give" in done.err


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("case", ["short row", "number 5%", "NUL byte"])
def test_standard_input_is_named_in_the_place(role: str, case: str, tmp_path: Path) -> None:
    bad = (BAD_ROWS | REFUSED)[case]
    (tmp_path / "partner.csv").write_text(partner(role, ("x", "y")))
    files = ("-", "partner.csv") if role == "features" else ("partner.csv", "-")
    done = run("classify", *files, stdin=plain(bad.text), cwd=tmp_path).check(DATA)
    check_message(done.err.replace("-:", "it.csv:", 1), bad)
