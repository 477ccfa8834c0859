"""Switches for files as people have them: each does its job, and its refusal names it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.helpers import read_csv, run

WEIGHTS = "name,w\nage,1\nact,10\n"
PLAIN = "id,age,act\nx,3,1\ny,4,0\n"
SCORES = [["id", "w"], ["x", "13.0"], ["y", "4.0"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "w.csv").write_text(WEIGHTS)
    return tmp_path


def write(folder: Path, text: str | bytes, name: str = "f.csv") -> None:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)


def score(folder: Path, *options: str, features: str = "f.csv") -> list[list[str]]:
    """Score a file; the bytes are the same for every size of chunks."""
    done = run("classify", features, "w.csv", *options, cwd=folder).check()
    for size in ("1", "9", "1k"):
        again = run("classify", features, "w.csv", *options, "--chunk-size", size, cwd=folder)
        assert again.check().out == done.out
    return done.rows


def refuse(folder: Path, *options: str, code: int = 4) -> str:
    """Return what a file is refused with, alike for every size of chunks."""
    done = run("classify", "f.csv", "w.csv", *options, cwd=folder).check(code)
    for size in ("1", "1k"):
        again = run("classify", "f.csv", "w.csv", *options, "--chunk-size", size, cwd=folder)
        assert again.check(code).err == done.err
    assert not done.out
    return done.err


COMMENTED = '# made by "us\n#\nid,age,act\n# a, b, "c\nx,3,1\n"y\n# z",4,0\n# end'


def test_comments(folder: Path) -> None:
    write(folder, COMMENTED)
    assert "--comment '#'" in refuse(folder)
    rows = score(folder, "--comment", "#", "--report", "r.json")
    assert rows == [["id", "w"], ["x", "13.0"], ["y\n# z", "4.0"]]
    report = json.loads((folder / "r.json").read_text())
    assert [one["comment_lines"] for one in report["inputs"]] == [4, 0]
    assert 'lines that start with "#" are left out' in report["plans"][0]["facts"]
    said = run("classify", "f.csv", "w.csv", "--comment", "#", "-v", cwd=folder).err
    assert "lines of comments left out of f.csv: 4" in said
    (folder / "f.csv.gz").write_bytes(gzip.compress(COMMENTED.encode()))
    assert score(folder, "--comment", "#", features="f.csv.gz") == rows
    piped = run("classify", "-", "w.csv", "--comment", "#", cwd=folder, stdin=COMMENTED.encode())
    assert piped.check().rows == rows


def test_comments_keep_lines(folder: Path) -> None:
    write(folder, "# a\nid,age,act\n# b\nx,3,1\n# c\n# d\ny,4,?\nz,1,1\n")
    assert refuse(folder, "--comment", "#").startswith('f.csv:7:3: "act": "?" is not a number')
    options = ("--comment", "#", "--on-error", "reject", "--rejects", "r.csv")
    assert score(folder, *options) == [["id", "w"], ["x", "13.0"], ["z", "11.0"]]
    rejects = read_csv(folder / "r.csv")
    assert [row[1] for row in rejects[1:]] == ["7"]
    write(folder, "# a\nid,age,act\n# b\nx,3,1\n# c\ny,4\n")
    assert refuse(folder, "--comment", "#").startswith("f.csv:6: 2 cells")
    write(folder, '# a\nid,age,act\n# b\nx,3,1\n# c\n"y,4,1\n')
    assert refuse(folder, "--comment", "#").startswith("f.csv:6: a quote is never closed")
    write(folder, b"# a\nid,age,act\n# b\nx,3,1\n# c\n\xff,4,1\n")
    error = refuse(folder, "--comment", "#")
    assert error.startswith("f.csv:6: the text is not UTF-8: byte 0xff;")
    write(folder, '# a\nid,"age"x,act\n')
    assert refuse(folder, "--comment", "#").startswith("f.csv:2: a misplaced quote")
    write(folder, "# a\n# b")
    assert "no line is left" in refuse(folder, "--comment", "#")


def test_comments_in_weights_and_turned(folder: Path) -> None:
    write(folder, "# f\nid,x,y\n# g\nage,3,4\nact,1,?\n")
    write(folder, "# w\nname,w\n# v\nage,1\nact,10\n# u\n", "w.csv")
    error = refuse(folder, "--comment", "#", "--transpose-features", "--keep-cols", "all")
    assert error.startswith("f.csv:5:3"), error
    write(folder, "# f\nid,x,y\n# g\nage,3,4\nact,1,0\n")
    assert score(folder, "--comment", "#", "--transpose-features")[1:] == SCORES[1:]
    write(folder, "# w\nname,w\n# v\nage,1\nact,x\n# u\n", "w.csv")
    assert refuse(folder, "--comment", "#").startswith('w.csv:5:2: "w": "x" is not a number')


@pytest.mark.parametrize("text", ["1", "a", "-", '"', "", " ", "#\n", ","])
def test_what_no_comment_starts_with(folder: Path, text: str) -> None:
    write(folder, PLAIN)
    error = run("classify", "f.csv", "w.csv", f"--comment={text}", cwd=folder).check(2).err
    assert "no record does" in " ".join(error.replace("│", " ").split())


def test_first_lines(folder: Path) -> None:
    write(folder, "Report of May\n\n" + PLAIN)
    assert "--skip-lines" in refuse(folder, code=3)
    assert score(folder, "--skip-lines", "2", "--report", "r.json") == SCORES
    report = json.loads((folder / "r.json").read_text())
    # The weights have no titles.
    assert [one.get("skipped_lines") for one in report["inputs"]] == [2, None]
    assert "the first lines of f.csv are left out: 2" in report["plans"][0]["facts"]
    write(folder, "\n" + PLAIN)
    assert "--skip-lines" in refuse(folder)
    write(folder, "a\nb\n" + PLAIN + "z,4,?\n")
    assert refuse(folder, "--skip-lines", "2").startswith('f.csv:6:3: "act": "?"')
    assert "no line is left" in refuse(folder, "--skip-lines", "9")


def test_first_lines_of_files_beside_are_read(folder: Path) -> None:
    write(folder, "Users\nuser,years,act\nx,3,1\n", "u.csv")
    write(folder, "item,age,act\np,1,1\nq,0,1\n", "i.csv")
    write(folder, "years,age\n", "n.csv")
    write(folder, "x,p\nx,z\n", "e.csv")
    options = ("--skip-lines", "1", "--rename", "n.csv", "--exclude", "e.csv")
    done = run("recommend", "u.csv", "i.csv", *options, cwd=folder).check()
    assert done.rows[1:] == [["x", "1", "q", "1.0"]]


def test_blanks(folder: Path) -> None:
    write(folder, "name w\nage\t 1\n act  10\n", "w.csv")
    write(folder, '  id   age\tact  \r\n"x  y"   3 1\r\n\tz 4  0\r\n\r\n')
    rows = score(folder, "-d", "blanks")
    assert rows == [["id", "w"], ["x  y", "13.0"], ["z", "4.0"]]
    write(folder, "id   age act\n x  3  1\n y  4  ?\n")
    assert refuse(folder, "-d", "blanks").startswith('f.csv:3:3: "act": "?"')
    write(folder, "id age act\n\nx 3 1\n")
    assert "a blank line between records" in refuse(folder, "-d", "blanks")


def test_single_blanks(folder: Path) -> None:
    write(folder, '"name" "w"\n"age" 1\n"act" 10\n', "w.csv")
    write(folder, '"id" "age" "act"\n"x" 3 1\n"y" 4 0\n')
    assert "-d ' '" in refuse(folder, code=4)
    assert score(folder, "-d", " ") == SCORES
    write(folder, '"id" "age" "act"\n"x" 3  1\n')
    assert "4 cells, but the first record has 3" in refuse(folder, "-d", " ")


def test_a_header_with_one_name_less(folder: Path) -> None:
    write(folder, '"age","act"\n"x",3,1\n"y",4,0\n')
    error = refuse(folder)
    assert error.startswith("f.csv:1: the header has 2 names, but every record 3 cells")
    assert "col.names=NA" in error
    # One such record, or a delimiter at every line's end, is another matter.
    write(folder, "age,act\nx,3,1\n4,0\n")
    assert refuse(folder).startswith("f.csv:2: 3 cells")
    write(folder, "age,act\n3,1,\n4,0,\n")
    assert "remove the delimiter at the line's end" in refuse(folder)


@pytest.mark.parametrize(
    "pair", ["True False", "TRUE FALSE", "true false", "T F", "t f", "Yes No", "yes no", "Y N"]
)
def test_booleans(folder: Path, pair: str) -> None:
    true, false = pair.split()
    write(folder, f'id,age,act\nx,3, {true} \ny,4,"{false}"\n')
    assert "--booleans" in refuse(folder)
    assert score(folder, "--booleans", "--report", "r.json") == SCORES
    facts = json.loads((folder / "r.json").read_text())["plans"][0]["facts"]
    assert f'column "act" is read as 1 and 0: "{true}" and "{false}"' in facts


def test_booleans_of_one_spelling(folder: Path) -> None:
    for odd in ("true", "yes", "1", "F"):
        write(folder, f"id,age,act\nx,3,True\ny,4,{odd}\n")
        error = refuse(folder, "--booleans")
        assert error.startswith(f'f.csv:3:3: "act": "{odd}" is neither "True" nor "False"')
    write(folder, "id,age,act\nx,3,True\ny,4,\nz,1,NA\n")
    assert "a missing value" in refuse(folder, "--booleans")
    rows = score(folder, "--booleans", "--missing", "zero")
    assert rows == [["id", "w"], ["x", "13.0"], ["y", "4.0"], ["z", "1.0"]]
    # A word for a missing cell is that first.
    write(folder, "id,age,act\nx,3,Y\ny,4,N\n")
    options = ("--booleans", "--missing-values", "N", "--missing", "keep")
    assert score(folder, *options)[2] == ["y", "NaN"]


def test_booleans_stay_text_where_weights_name_them(folder: Path) -> None:
    write(folder, "name,w\nage,1\nact=True,10\n", "w.csv")
    write(folder, "id,age,act\nx,3,True\ny,4,False\n")
    plain = run("classify", "f.csv", "w.csv", "--unknown", "zero", cwd=folder).check()
    asked = run("classify", "f.csv", "w.csv", "--unknown", "zero", "--booleans", cwd=folder)
    assert asked.check().out == plain.out
    assert plain.rows == SCORES


def test_booleans_of_parquet_and_folders(folder: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.table({"id": ["x", "y"], "age": [3, 4], "act": [True, False]})
    pq.write_table(table, folder / "f.parquet")
    error = run("classify", "f.parquet", "w.csv", cwd=folder).check(4).err
    assert "--booleans" in error
    assert score(folder, "--booleans", features="f.parquet") == SCORES
    for value, text in (("yes", "x,3"), ("no", "y,4")):
        (folder / f"d/act={value}").mkdir(parents=True)
        write(folder, f"id,age\n{text}\n", f"d/act={value}/f.csv")
    rows = score(folder, "--booleans", features="d")
    assert sorted(rows[1:]) == SCORES[1:]


def test_booleans_of_typed_texts(folder: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    ages, words = range(1200), ["True", "False", None] * 400
    table = pa.table({"id": [f"r{i}" for i in ages], "age": ages, "act": words})
    coded = table.set_column(2, "act", table["act"].dictionary_encode())
    parquet.write_table(table, folder / "f.parquet", row_group_size=7)
    parquet.write_table(coded, folder / "g.parquet")
    feather.write_feather(table, folder / "f.arrow", chunksize=5)
    with pa.ipc.new_stream(folder / "f.arrows", table.schema) as stream:
        stream.write_table(table, max_chunksize=3)
    rows = "".join(f"r{i},{i},{word or ''}\n" for i, word in zip(ages, words, strict=True))
    write(folder, "id,age,act\n" + rows)
    options = ("--booleans", "--missing", "zero")
    expected = run("classify", "f.csv", "w.csv", *options, cwd=folder).check().out
    for name in ("f.parquet", "g.parquet", "f.arrow", "f.arrows"):
        error = run("classify", name, "w.csv", cwd=folder).check(4).err
        assert "not a number; --booleans reads it as 1 and 0" in error
        assert run("classify", name, "w.csv", *options, cwd=folder).check().out == expected
        data = (folder / name).read_bytes()
        piped = run("classify", "-", "w.csv", *options, cwd=folder, stdin=data).check()
        assert piped.out == expected
        checked = run("check", name, "w.csv", "--booleans", cwd=folder).check().out.decode()
        assert 'column "act" is read as 1 and 0: "True" and "False"' in checked
        fitted = run("fit", name, "--target", "age", *options, cwd=folder).check().rows
        assert [row[0] for row in fitted[1:]] == ["act", "(Intercept)"]
    odd = table.set_column(2, "act", pa.array([*words[:1100], *["true"] * 100]))
    parquet.write_table(odd, folder / "f.parquet")
    error = run("classify", "f.parquet", "w.csv", *options, cwd=folder).check(4).err
    assert error.startswith('f.parquet:1101:3: "act": "true" is neither "True" nor "False"')
    # Of a column that is empty for so long nothing is known.
    late = table.set_column(2, "act", pa.array([None] * 1000 + ["True"] * 200))
    parquet.write_table(late, folder / "f.parquet")
    run("classify", "f.parquet", "w.csv", *options, cwd=folder).check(4)


def test_booleans_are_learned_from(folder: Path) -> None:
    rows = "".join(f"{i},{('no', 'yes')[i % 2]},{2 * i + 5 * (i % 2)}\n" for i in range(9))
    write(folder, "age,act,t\n" + rows)
    done = run("fit", "f.csv", "--target", "t", "--no-id-col", "--booleans", cwd=folder).check()
    found = {name: float(weight) for name, weight in done.rows[1:]}
    assert found["age"] == pytest.approx(2)
    assert found["act"] == pytest.approx(5)


def test_headers_of_one_side_where_it_has_some(folder: Path) -> None:
    write(folder, PLAIN)
    assert score(folder, "--features-headers", "--weights-headers") == SCORES
    assert score(folder, "--features-headers") == score(folder, "--weights-headers") == SCORES


def test_headers_of_one_side(folder: Path) -> None:
    write(folder, "x,3,1\ny,4,0\n")
    rows = score(folder, "--no-features-headers")
    assert [row[1:] for row in rows[1:]] == [row[1:] for row in SCORES[1:]]
    write(folder, "age,1\nact,10\n", "w.csv")
    write(folder, PLAIN)
    assert [row[1] for row in score(folder, "--no-weights-headers")[1:]] == ["13.0", "4.0"]
    for side in ("features", "weights"):
        done = run("classify", "f.csv", "w.csv", "--headers", f"--no-{side}-headers", cwd=folder)
        assert "--headers is said of all files, and another option" in done.check(2).err


def test_marks_of_one_side(folder: Path) -> None:
    """A weights file that another tool, or fit, has written beside a file of decimal commas."""
    write(folder, "id;age;act;y\nx;3,5;1;13,5\ny;4,0;0;4\nz;1,0;2,5;26\n")
    fitted = ("--target", "y", "--decimal", ",", "--no-intercept")
    run("fit", "f.csv", *fitted, "-o", "w.csv", cwd=folder).check()
    assert b"feature (identity),y\nage," in (folder / "w.csv").read_bytes()
    assert "--weights-decimal ." in refuse(folder, "--decimal", ",")
    rows = score(folder, "--decimal", ",", "--weights-decimal", ".", "--report", "r.json")
    assert [float(row[1]) for row in rows[1:]] == pytest.approx([13.5, 4, 26])
    facts = json.loads((folder / "r.json").read_text())["plans"][0]["facts"]
    assert "w.csv has decimal points, as an option says" in facts
    write(folder, WEIGHTS.replace(",", ";"), "w.csv")
    assert score(folder, "--decimal", ",", "-d", ";")[1:] == [
        [*"x", "13.5"],
        ["y", "4.0"],
        ["z", "26.0"],
    ]
    write(folder, WEIGHTS.replace(",", "   "), "w.csv")
    both = ("-d", ";", "--decimal", ",", "--weights-delimiter", "blanks")
    assert score(folder, *both)[1:] == [[*"x", "13.5"], ["y", "4.0"], ["z", "26.0"]]
    checked = run("check", "f.csv", "w.csv", *both, cwd=folder).check().out.decode()
    assert 'cells of w.csv end with "blanks", as an option says' in checked
    write(folder, "item,age,act\np,1,10.5\n", "i.csv")
    options = ("--decimal", ",", "--items-decimal", ".", "--items-delimiter", ",")
    write(folder, "id;age;act\nx;3,5;1\n")
    done = run("recommend", "f.csv", "i.csv", *options, cwd=folder).check()
    assert done.rows[1] == ["x", "1", "p", "14.0"]
    write(folder, "id,y\nx,1.5\ny,2.5\nz,0.5\n", "t.csv")
    write(folder, "id;age\nx;1,5\ny;2,5\nz;,5\n")
    learned = run(
        "fit", "f.csv", "t.csv", "--decimal", ",", "--targets-decimal", ".", "--targets-delimiter",
        ",", "--no-intercept", cwd=folder,
    )  # fmt: skip
    assert float(learned.check().rows[1][1]) == pytest.approx(1)


def test_headers_of_examples_and_targets(folder: Path) -> None:
    (folder / "e.csv").write_text("id,x,z\nr1,1,2\nr2,2,1\nr3,3,5\nr4,1,1\n")
    (folder / "t.csv").write_text("id,y\nr1,5\nr2,4\nr3,9\nr4,2\n")
    plain = run("fit", "e.csv", "t.csv", cwd=folder).check().rows
    for side, name, flags in (
        ("features", "e.csv", ["--no-features-headers", "--targets-headers"]),
        ("targets", "t.csv", ["--features-headers", "--no-targets-headers"]),
    ):
        text = (folder / name).read_text()
        (folder / name).write_text(text.partition("\n")[2])
        done = run("fit", "e.csv", "t.csv", *flags, "-v", cwd=folder).check()
        assert [row[1] for row in done.rows[1:]] == [row[1] for row in plain[1:]]
        assert f"{name} has no header, as an option says" in done.err
        (folder / name).write_text(text)
        error = run("fit", "e.csv", "t.csv", "--headers", f"--{side}-headers", cwd=folder).check(2)
        assert "--headers is said of all files" in error.err
    done = run("fit", "e.csv", "--target", "z", "--targets-headers", cwd=folder).check(2)
    assert "there is no TARGETS file" in done.err


def test_examples_as_people_have_them(folder: Path) -> None:
    rows = [(i, i % 3, i % 2, 2 * i - i % 3 + 5 * (i % 2)) for i in range(9)]
    plain_rows = "".join(f"r{a},{a},{b},{c},{y}\n" for a, b, c, y in rows)
    (folder / "e.csv").write_text(f"id,a,b,c,y\n{plain_rows}")
    plain = run("fit", "e.csv", "--target", "y", cwd=folder).check().out
    words = [f"r{a} {a} {b}  {'NY'[c]} {y}\n# note\n" for a, b, c, y in rows]
    (folder / "e.csv").write_text("Table 1\n# by\n id a  b c y\n" + "".join(words))
    options = ("-d", "blanks", "--comment", "#", "--skip-lines", "1", "--booleans")
    done = run(
        "fit", "e.csv", "--target", "y", *options, "--report", "r.json", "-v", cwd=folder
    ).check()
    assert done.out == plain
    report = json.loads((folder / "r.json").read_text())
    assert (report["inputs"][0]["comment_lines"], report["inputs"][0]["skipped_lines"]) == (10, 1)
    for fact in (
        'lines that start with "#" are left out',
        "the first lines of e.csv are left out: 1",
        'column "c" is read as 1 and 0: "Y" and "N"',
    ):
        assert fact in done.err


def test_a_sample_as_people_have_it(folder: Path) -> None:
    (folder / "c.csv").write_text("term,estimate,std.error\nage,1,0.1\nact,10,0.2\n")
    (folder / "p.csv").write_text("prediction\n13\n4\n")
    (folder / "f.csv").write_text("Table 1\n# by\nid;age;act\nx;3,0;T\n# note\ny;4,0;F\n")
    options = ("--skip-lines", "1", "--comment", "#", "-d", ";", "--decimal", ",", "--booleans")
    proof = ("--sample", "f.csv", "--expect", "p.csv", "--link", "identity")
    run("import", "c.csv", *proof, "-o", "w.csv", cwd=folder).check(4)
    done = run("import", "c.csv", *proof, *options, "-o", "w.csv", "-v", cwd=folder).check()
    assert "proved" in done.err
    assert (
        score(folder, *options, "--weights-delimiter", ",", "--weights-decimal", ".")[1:]
        == SCORES[1:]
    )
    (folder / "p.csv").write_text("prediction\n13\n5\n")
    run("import", "c.csv", *proof, *options, "-o", "w.csv", cwd=folder).check(4)
    (folder / "f.csv").write_text("age,act\n3,1\n4,0\n")
    (folder / "p.csv").write_text("13\n4\n")
    flags = ("--sample-headers", "-o", "w.csv")
    assert "proved" in run("import", "c.csv", *proof, *flags, "-v", cwd=folder).check().err
    error = run("import", "c.csv", *proof, "--no-sample-headers", "-o", "w.csv", cwd=folder)
    assert "has no header" in error.check(4).err


def test_a_doubtful_header_names_the_switch(folder: Path) -> None:
    write(folder, "age,1\nact,10\n", "w.csv")
    write(folder, "r,4,y\ns,1,2\n")
    error = refuse(folder, code=3)
    assert "-headers" in error


def test_empty_files(folder: Path) -> None:
    (folder / "d").mkdir()
    write(folder, PLAIN, "d/a.csv")
    write(folder, "", "d/b.csv")
    (folder / "d/c.csv").write_bytes(b"\xef\xbb\xbf")  # as some tools save an empty table
    error = run("classify", "d", "w.csv", cwd=folder).check(4).err
    assert "--empty-files skip" in error
    assert score(folder, "--empty-files", "skip", "--report", "r.json", features="d") == SCORES
    facts = json.loads((folder / "r.json").read_text())["plans"][0]["facts"]
    assert 'passed over, as they are empty: 2 ("d/b.csv", "d/c.csv")' in facts
    run("classify", "d", "w.csv", "--empty-files", "skip", "-o", "o/", cwd=folder).check()
    assert read_csv(folder / "o/part-of-a.csv") == SCORES
    write(folder, "", "d/a.csv")
    error = run("classify", "d", "w.csv", "--empty-files", "skip", cwd=folder).check(4).err
    assert "every features file is empty" in error
    # One line end is a byte.
    write(folder, "\n", "d/a.csv")
    run("classify", "d", "w.csv", "--empty-files", "skip", cwd=folder).check(4)


@pytest.mark.parametrize("cell", ["-999", "-999.0", "-9.99e2", " -999.00 ", '"-999"'])
def test_missing_values_are_numbers(folder: Path, cell: str) -> None:
    write(folder, f"id,age,act\nx,3,{cell}\ny,4,0\n")
    options = ("--missing-values=-999", "--missing", "zero")
    assert score(folder, *options) == [["id", "w"], ["x", "3.0"], ["y", "4.0"]]
    checked = run("check", "f.csv", "w.csv", options[0], "-f", "json", cwd=folder).check().json
    assert checked["facts"] == ['words for a missing cell, besides an empty one: "-999"']
    assert "a missing value" in refuse(folder, "--missing-values=-999.0")
    assert score(folder, "--missing-values=-99", "--missing", "zero")[1] == ["x", "-9987.0"]


def test_missing_values_of_decimal_commas_and_parquet(folder: Path) -> None:
    write(folder, "name;w\nage;1\nact;10\n", "w.csv")
    write(folder, "id;age;act\nx;3;-9,90\ny;4;0\n")
    options = ("--missing-values", '"-9,9"', "--missing", "zero", "--decimal", ",")
    assert score(folder, *options)[1] == ["x", "3.0"]
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.table({"id": ["x", "y"], "age": [3, 4], "act": [-999, 0]})
    pq.write_table(table, folder / "f.parquet")
    typed = ("--missing-values=-999.0", "--missing", "zero")
    assert score(folder, *typed, features="f.parquet")[1] == ["x", "3.0"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (" id | age\n----+-----\n x  |   3\n(1 row)\n", "psql --csv"),
        ("+----+-----+\n| id | age |\n+----+-----+\n", "psql --csv"),
        ("| id | age |\n|----|-----|\n", "psql --csv"),
        ("┌────┬─────┐\n│ id │ age │\n", "psql --csv"),
        ('id,age,act\nx,"[0.1, 0.2]",1\n', "it is a vector in one cell"),
        ("id,age,act\nx,[0.1 -2e5],1\n", "it is a vector in one cell"),
        ("id,age,act\nx,(5),1\n", "write a negative number with a minus sign"),
        ("id,age,act\nx,3-,1\n", "write the minus sign in front"),
        ("id,age,act\nx,3 -,1\n", "write the minus sign in front"),
        ('id,age,act\nx,"1,234.5",1\n', "take out the thousands separators"),
    ],
)
def test_hints(folder: Path, text: str, what: str) -> None:
    write(folder, text)
    assert what in refuse(folder)


@pytest.mark.parametrize(
    ("text", "options", "what"),
    [
        ('id,v\nx,"[0.1, 0.2]"\n', [], '"v" has a vector in each cell: write each'),
        ("id   age  act\nx    3    1\n", [], "-d blanks where there are runs of them"),
        ("id   age  act\nx    3    1\n", ["-d", "blanks"], "or say --weights-delimiter"),
    ],
)
def test_hints_where_names_are_missing(
    folder: Path, text: str, options: list[str], what: str
) -> None:
    write(folder, text)
    assert what in refuse(folder, *options, code=3)


def test_check_and_the_other_commands(folder: Path) -> None:
    write(folder, "title\n# c\nid,age,act,t\nx,3,T,w\ny,4,F,w\n")
    options = ("--comment", "#", "--skip-lines", "1", "--booleans")
    checked = run("check", "f.csv", "w.csv", *options, cwd=folder).check().out.decode()
    assert 'read       lines that start with "#" are left out' in checked
    assert 'column "act" is read as 1 and 0: "T" and "F"' in checked
    run("explain", "f.csv", "w.csv", *options, cwd=folder).check()
    truth = ("--truth", "t", "--positive", "w")
    run("evaluate", "f.csv", "w.csv", *truth, *options, cwd=folder).check()
    write(folder, "title\n# c\nid,age,act\nx,3,T\ny,4,F\n")
    write(folder, "# i\nitem,age,act\nA,1,T\nB,2,F\n", "i.csv")
    done = run("recommend", "f.csv", "i.csv", *options, "-k", "1", cwd=folder).check()
    assert [row[2] for row in done.rows[1:]] == ["B", "B"]


def test_resumed_parts_know_the_switches(folder: Path) -> None:
    (folder / "d").mkdir()
    write(folder, PLAIN + "#z,1,1\n", "d/a.csv")
    command = ("classify", "d", "w.csv", "-o", "o/", "--resume", "--report", "r.json")
    run(*command, cwd=folder).check()
    assert len(read_csv(folder / "o/part-of-a.csv")) == 4
    for _ in range(2):  # made anew, then kept
        run(*command, "--comment", "#", cwd=folder).check()
        assert read_csv(folder / "o/part-of-a.csv") == SCORES
        report = json.loads((folder / "r.json").read_text())
        assert report["inputs"][0]["comment_lines"] == 1


def test_headers_of_users_or_items_alone(folder: Path) -> None:
    write(folder, "x,3,1\ny,4,0\n", "users.csv")
    write(folder, "item,a,b\np,1,10\n", "items.csv")
    done = run("recommend", "users.csv", "items.csv", "--no-users-headers", cwd=folder).check()
    assert [row[-1] for row in done.rows[1:]] == ["13.0", "4.0"]
    write(folder, "user,a,b\nx,3,1\ny,4,0\n", "users.csv")
    named = run(
        "recommend", "users.csv", "items.csv", "--users-headers", "--items-headers", cwd=folder
    ).check()
    assert [row[-1] for row in named.rows[1:]] == ["13.0", "4.0"]
    write(folder, "p,1,10\n", "items.csv")
    done = run("recommend", "users.csv", "items.csv", "--no-items-headers", cwd=folder).check()
    assert [row[-1] for row in done.rows[1:]] == ["13.0", "4.0"]
