"""What once ended in 0 with wrong scores, crashed or was refused wrongly, one case each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import Done, read_csv, run

Check = Callable[[Done], None]


def refuse(*codes: int, at: str = "", say: str = "") -> Check:
    """Expect one of the exits, a place and words of the message."""

    def check(done: Done) -> None:
        assert done.code in codes, (done.code, done.out, done.err)
        assert at in done.err
        assert say in done.err

    return check


def give(*rows: str) -> Check:
    """Expect exactly these lines of CSV."""

    def check(done: Done) -> None:
        assert done.code == 0, (done.code, done.err)
        assert [",".join(row) for row in done.rows] == list(rows)

    return check


def either(first: Check, second: Check) -> Check:
    """Expect one or the other."""

    def check(done: Done) -> None:
        (second if done.code else first)(done)

    return check


REFUSED = refuse(3, 4)
NAMED = "id,a,b\nr,1,2\n"
_DIGITS = "9" * 310
_ONES = "1\n1\n"

# name, the files f, w and others, the arguments, what is right
CASES: list[tuple[str, dict[str, str], str, Check]] = [
    *(
        (
            f"weights' first cell {cell[:8]}",
            {"f": "a,b\n1,2\n", "w": f"x,y,z\n{cell},2,3\n4,5,6\n"},
            "classify f w",
            refuse(4, at="w:2:1"),
        )
        for cell in ("1e400", "1e309", _DIGITS)
    ),
    (
        "weights' first cell 1.5 with a decimal comma",
        {"f": "a;b\n1;2\n", "w": "x;y;z\n1.5;2;3\n4;5;6\n"},
        "classify f w --decimal ,",
        refuse(4, at="w:2:1"),
    ),
    (
        "a feature's row as the header, decimal comma",
        {"f": "id;a;b\nr;1,5;2\n", "w": "a;1,5;2\nb;3;4\n"},
        "classify f w --decimal ,",
        refuse(3, say="header"),
    ),
    (
        "a record with a point, decimal comma",
        {"f": "1.5;1\n2;3\n3;4\n", "w": "1;2\n1;1\n"},
        "classify f w --decimal ,",
        REFUSED,
    ),
    *(
        (
            f"weights begin with {name}",
            {"f": NAMED, "w": f"{name},1,2\na,1,2\nb,3,4\n"},
            "classify f w" + (" --intercept base" if name == "base" else ""),
            refuse(3),
        )
        for name in ("(Intercept)", "intercept", "bias", "const", "Constant", "base")
    ),
    *(
        (
            f"weights begin with a feature and {cell}",
            {"f": NAMED, "w": f"a,{cell},2\nb,3,4\n"},
            "classify f w",
            REFUSED,
        )
        for cell in ("NA", "inf", "5%", "1_000", "0x1A")
    ),
    ("unit weights", {"f": "x,1,0\ny,1,1\nz,0,1\n", "w": _ONES}, "classify f w", REFUSED),
    (
        "one-hot features, a constant column of weights",
        {"f": "x,1,0\ny,1,1\nz,0,1\n", "w": "1,5\n1,7\n"},
        "classify f w",
        REFUSED,
    ),
    (
        "one-hot users and items",
        {"f": "x,1,0\ny,1,1\n", "w": "p,1,0\nq,1,1\n"},
        "recommend f w",
        REFUSED,
    ),
    ("one column begins with NA", {"f": "NA\n2\n3\n", "w": "A,B\n1,2\n"}, "classify f w", REFUSED),
    ("one weight is 1e400", {"f": "1,1\n", "w": "1e400\n2\n"}, "classify f w", REFUSED),
    ("one of two weights", {"f": "1\n", "w": "1e400\n2\n"}, "classify f w", REFUSED),
    (
        "decimal commas are no delimiters",
        {"f": "2;3\n4;5\n", "w": "1,5\n2,5\n"},
        "classify f w --decimal ,",
        either(give("row,1", "1,10.5", "2,18.5"), REFUSED),
    ),
    (
        "decimal commas in recommend",
        {"f": "2\n4\n", "w": "1,5\n2,5\n"},
        "recommend f w --decimal , -k 1",
        either(give("row,rank,item,score", "1,1,2,5.0", "2,1,2,10.0"), REFUSED),
    ),
    (
        "decimal commas in fit",
        {"f": "1\n2\n3\n", "t": "1,5\n2,5\n3,5\n"},
        "fit f t --decimal ,",
        either(
            lambda done: (
                give(*done.out.decode().splitlines())(done)
                if len(done.rows[0]) == 2
                else pytest.fail(str(done.out))
            ),
            REFUSED,
        ),
    ),
    (
        "ids of users and items",
        {"f": "101,0.9,0.2\n102,0.1,0.7\n", "w": "7,0.8,0.1\n9,0.2,0.6\n"},
        "recommend f w -k 1",
        either(
            lambda done: (
                pytest.fail(str(done.out))
                if [row[0] for row in done.rows[1:]] != ["101", "102"]
                else None
            ),
            REFUSED,
        ),
    ),
    (
        "ids of one name, transposed",
        {"f": "id,a,b\n5,1,2\n", "w": "id,a,b\n7,1,2\n8,3,4\n"},
        "classify f w --transpose",
        give("id,7,8,prediction", "5,5.0,11.0,8"),
    ),
    (
        "ids of one name in recommend",
        {"f": "id,a,b\n5,1,2\n", "w": "id,a,b\n7,1,2\n8,3,4\n"},
        "recommend f w",
        give("id,rank,item,score", "5,1,8,11.0", "5,2,7,5.0"),
    ),
    (
        "the first known pair",
        {"f": "user,a\nx,1\ny,2\n", "w": "item,a\np,1\nq,2\n", "e": "x,q\ny,p\n"},
        "recommend f w --exclude e",
        either(give("user,rank,item,score", "x,1,p,1.0", "y,1,q,4.0"), REFUSED),
    ),
    ("fit without headers", {"f": "x,1\ny,2\nz,4\n", "t": "x,2\ny,4\nz,9\n"}, "fit f t", REFUSED),
    ("fit begins with NA", {"f": "NA\n2\n3\n", "t": "1\n2\n3\n"}, "fit f t", REFUSED),
    ("fit's targets begin with NA", {"f": "1\n2\n3\n", "t": "NA\n2\n3\n"}, "fit f t", REFUSED),
    (
        "fit's first column counts up",
        {"f": "5,2\n6,3\n7,1\n8,4\n", "t": "1\n2\n3\n4\n"},
        "fit f t",
        REFUSED,
    ),
    (
        "labels under two names",
        {"f": "film,a\nx,1\n", "g": "shop,film,a\nq,y,2\n", "w": "feature,s\na,2\n"},
        "classify f g w",
        refuse(3),
    ),
    (
        "labels under two names, into Parquet",
        {"f": "film,a\nx,1\n", "g": "shop,film,a\nq,y,2\n", "w": "feature,s\na,2\n"},
        "classify f g w -o out.parquet",
        refuse(3),
    ),
    (
        "a file that was split",
        {"f": "b,a\n2,1\n", "g": "4,3\n", "w": "feature,s\na,10\nb,1\n"},
        "classify f g w",
        either(give("row,s", "1,12.0", "2,34.0"), REFUSED),
    ),
    # What crashed.
    (
        "no good row for --matrix",
        {"f": "id,a\nr,x\n", "w": "item,a\np,1\n"},
        "recommend f w --matrix --on-error reject --rejects r.csv",
        give("id,p"),
    ),
    (
        "a line end in --keep-cols",
        {"f": NAMED, "w": "f,x\na,1\nb,1\n"},
        "classify f w --keep-cols a\nb",
        refuse(2, 3),
    ),
    (
        "a line end in --missing-values",
        {"f": NAMED, "w": "f,x\na,1\nb,1\n"},
        "classify f w --missing-values a\nb",
        either(give("id,x", "r,3.0"), refuse(2, 3)),
    ),
    # What was refused.
    *(
        (
            f"an item called {name}",
            {"f": NAMED, "w": f"item,a,b\n{name},1,2\nt,3,4\n"},
            command,
            right,
        )
        for name in ("NA", "nan", "inf", "5%", "1e400", "null", "1.5", "1.0")
        for command, right in (
            (
                "recommend f w",
                give("id,rank,item,score", "r,1,t,11.0", f"r,2,{name},5.0"),
            ),
            ("classify f w --transpose", give(f"id,{name},t,prediction", "r,5.0,11.0,t")),
        )
    ),
    (
        "an item called nothing",
        {"f": NAMED, "w": "item,a,b\n,1,2\nt,3,4\n"},
        "recommend f w",
        either(give("id,rank,item,score", "r,1,t,11.0", "r,2,,5.0"), refuse(3, say="name")),
    ),
    *(
        (
            f"item ids {ids}",
            {"f": NAMED, "w": "item,a,b\n{},1,2\n{},3,4\n".format(*ids)},
            "recommend f w -k 1",
            give("id,rank,item,score", f"r,1,{ids[1]},11.0"),
        )
        for ids in (("1.5", "2.5"), ("1.0", "2.0"), ("7", "7e1"))
    ),
    *(
        (
            f"text in a row that is no feature{options}",
            {
                "f": "feature,i,j\na,1,2\nnote,hello,there\nb,3,4\n",
                "w": "feature,x\na,1\nb,1\n",
            },
            f"classify f w --transpose-features{options}",
            give("feature,x", "i,4.0", "j,6.0"),
        )
        for options in ("", " --on-error reject --rejects r.csv")
    ),
    (
        "an intercept by name, transposed by shape",
        {"f": "1,2\n3,4\n", "w": "a,b,base\n1,2,10\n3,4,20\n5,6,30\n7,8,40\n"},
        "classify f w --intercept base --auto-transpose --no-scores",
        give("row,prediction", "1,4", "2,4"),
    ),
    # Messages.
    (
        "a blank first line",
        {"f": "\na,b\n1,2\n", "w": "f,x\na,1\nb,1\n"},
        "classify f w",
        refuse(4, at="f:1", say="blank"),
    ),
    ("check sees clashes", {"f": "x,a\nr,1\n", "w": "f,x,y\na,1,2\n"}, "check f w", refuse(3)),
    *(
        (
            f"the first bad line{options}",
            {"f": "id,a\nq,1\nr,5%\ns,1,2\nt,1\n", "w": "f,x\na,1\n"},
            f"classify f w{options}",
            refuse(4, at="f:3:2"),
        )
        for options in ("", " --chunk-size 1", " --chunk-size 9", " -j 1")
    ),
]


def _run(folder: Path, files: dict[str, str], line: str) -> Done:
    for name, text in files.items():
        (folder / name).write_text(text)
    return run(*line.split(" "), cwd=folder)


@pytest.mark.parametrize(
    ("files", "line", "check"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_instance(tmp_path: Path, files: dict[str, str], line: str, check: Check) -> None:
    done = _run(tmp_path, files, line)
    assert "Traceback" not in done.err
    check(done)


def test_the_first_bad_line_is_named_where_scores_overflow_before(tmp_path: Path) -> None:
    files = {"f": "id,a\nr,1e308\ns,5%\n", "w": "f,x\na,10\n"}
    refuse(4, at="f:2")(_run(tmp_path, files, "classify f w"))


def test_an_empty_label_reads_back(tmp_path: Path) -> None:
    files = {"f": 'id,a\n"",1\nr,2\n', "w": "f,x\na,1\n"}
    done = _run(tmp_path, files, "classify f w --no-scores").check()
    assert read_csv(done.out) == [["id"], [""], ["r"]]


def test_precision_means_the_same_in_markdown(tmp_path: Path) -> None:
    files = {"f": "id,a\nr,1.26\ns,1234.56\nt,0.04\n", "w": "f,x\na,1\n"}
    plain = _run(tmp_path, files, "classify f w --precision 1").check()
    marked = _run(tmp_path, files, "classify f w --precision 1 -f markdown").check()
    lines = marked.out.decode().splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line]
    assert cells[: len(plain.rows) - 1] == plain.rows[1:]
