"""Odd and bad input, as features and as weights.

One file serves as both: as features it meets an identity matrix of weights, as weights an identity
matrix of features, so that its numbers come out as the scores either way.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers import Done, read_csv, run

ROLES = ("features", "weights")
GOOD = "id,a,b\nx,1,2\ny,3,4\n"
SCORES = [[1.0, 2.0], [3.0, 4.0]]
DATA, MISFIT, FILE = 4, 3, 5


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
    names = {"it.csv", "partner.csv", "out.csv"}
    (folder / "out.csv").write_bytes(b"old")
    assert classify(folder, role, data, "-o", "out.csv", *options).check(code).out == b""
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
    "UTF-16 BE with its mark": Read("\ufeff" + GOOD, convert=lambda text: text.encode("utf-16-be")),
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
    "columns in another order": Read("id,b,a\nx,2,1\ny,4,3\n"),
    "number +3": number("+3"),
    "number 3.": number("3."),
    "number .3e1": number(".3e1"),
    "number 3E0": number("3E0"),
    "number 0003": number("0003"),
    "number with blanks": number(" 3 "),
    "number with a tab": number("\t3"),
    "number quoted": number('"3"'),
    "number of 400 digits": number("3." + "0" * 400),
    "decimal comma": number('"3,0"', "--decimal", ","),
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
    assert scores_of(rows) == ([SCORES, SCORES][role == "weights"])
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
    "comment line": between("# a comment", "not data"),
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
