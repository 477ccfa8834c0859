"""`--unique-labels`: a label that was there before, told with both places, whoever read the rows.

The oracle is a dictionary of labels, filled row by row by the csv module.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import matscore
from matscore import InputError, PlanOptions, ReadOptions, RunOptions, UsageError
from matscore.kernel import Texts
from matscore.numerics.statistics import reason_of
from matscore.read.rows import Reject
from matscore.read.table import open_table
from matscore.run.doubles import KnownLabels, LabelKeys, make_keys
from matscore.run.parts import LABEL_BYTES, count_label_bytes
from tests.cli.test_report import validate
from tests.helpers import Done, list_names, read_csv, run

DATA, MISFIT, USAGE = 4, 3, 2
WEIGHTS = "item,p,q\nx,1,0\ny,0.5,2\n"
HINT = "give it another, or leave --unique-labels out"
REJECT = ("--on-error", "reject", "--rejects", "r.csv")


def draw_rows(rng: random.Random, n_rows: int, *, n_bad: int = 0) -> list[list[str]]:
    """Draw rows whose labels are alike: prefixes of each other, long, quoted, empty, or numbers."""
    stems = ["", "a", "customer-0000000", "customer-00000000", 'Zürich, "Bahnhof"', "two\nlines"]
    stems += ["00012", "12", "x" * 40, "x" * 39 + "y"]
    rows = []
    for _ in range(n_rows):
        label = rng.choice(stems) + rng.choice(["", "", str(rng.randrange(10 * n_rows))])
        rows.append([label, str(rng.randrange(9)), str(rng.randrange(9))])
    for row in rng.sample(rows, n_bad):
        row[rng.choice((1, 2))] = rng.choice(("", "oops"))
    return rows


def write(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["id", "x", "y"])
        writer.writerows(rows)


def walk(*paths: Path) -> tuple[list[list[str]], list[tuple[str, ...]]]:
    """Return the rows that stay, and file, line, column and error of the others, row by row."""
    places: dict[str, str] = {}
    kept, gone = list[list[str]](), list[tuple[str, ...]]()
    for path in paths:
        with path.open(newline="") as lines:
            reader = csv.reader(lines)
            next(reader)
            start = reader.line_num + 1
            for row in reader:
                place, start = (path.name, str(start)), reader.line_num + 1
                bad = next((i for i in (1, 2) if not row[i].isdigit()), None)
                if bad is not None:
                    what = "a missing value" if row[bad] == "" else '"oops" is not a number'
                    gone.append((*place, str(bad + 1), what))
                elif row[0] in places:
                    gone.append((*place, "1", f"was there before, in {places[row[0]]}"))
                else:
                    places[row[0]] = ":".join(place)
                    kept.append(row)
    return kept, gone


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "w.csv").write_text(WEIGHTS)
    return tmp_path


def classify(folder: Path, *argv: str | Path, stdin: bytes = b"") -> Done:
    return run("classify", *argv, "w.csv", "--unique-labels", cwd=folder, stdin=stdin)


def read_gone(data: bytes | Path) -> list[tuple[str, ...]]:
    """Return what `walk` does of rejected rows."""
    found = []
    for row in read_csv(data)[1:]:
        error = (
            row[4][row[4].rindex("was there") :]
            if " is a label that was there before" in row[4]
            else row[4]
        )
        found.append((*row[:3], error))
    return found


@pytest.mark.parametrize("seed", range(2))
def test_later_rows_are_set_aside_in_order_however_the_files_are_cut(
    folder: Path, seed: int
) -> None:
    rng = random.Random(seed)
    paths = [folder / name for name in ("a.csv", "b.csv", "c.csv")]
    for path in paths:
        write(path, draw_rows(rng, 150, n_bad=12))
    kept, gone = walk(*paths)
    n_doubles = sum("was there" in row[3] for row in gone)
    assert n_doubles > 60
    names = [path.name for path in paths]
    outputs = set()
    for options in (("--chunk-size", "1", "-j", "1"), ("--chunk-size", "300", "-j", "3"), ()):
        done = classify(folder, *names, *REJECT, "--report", "r.json", *options)
        assert done.code == 0, done.err
        assert read_gone(folder / "r.csv") == gone
        report = validate(folder / "r.json")
        assert (report["rows_doubled"], report["rows_rejected"]) == (n_doubles, len(gone))
        assert report["plans"][0]["facts"][-1] == "a label that was there before is refused"
        outputs.add(done.out)
    (out,) = outputs
    assert [row[0] for row in read_csv(out)[1:]] == [row[0] for row in kept]
    # What stays is scored as if the rest had never been there.
    write(folder / "kept.csv", kept)
    assert run("classify", "kept.csv", "w.csv", cwd=folder).out == out


@pytest.mark.parametrize("seed", range(12))
def test_the_first_bad_row_stops_the_run_be_it_a_double_or_not(folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    rows = draw_rows(rng, 60, n_bad=seed % 4)
    # Few doubles, late ones, so that chunks with other faults may end before theirs.
    labels = {row[0]: row for row in rows}
    write(folder / "f.csv", [*labels.values(), rng.choice(list(labels.values()))])
    path, line, column, what = walk(folder / "f.csv")[1][0]
    align = PlanOptions(unique_labels=True)
    for size in (1, 90, 400, 2**20):
        for jobs in (1, 3):
            with pytest.raises(InputError) as caught:
                matscore.classify_file(
                    folder / "f.csv", folder / "w.csv",
                    align=align, run=RunOptions(n_jobs=jobs, chunk_bytes=size),
                )  # fmt: skip
            place = caught.value.line, caught.value.column, Path(caught.value.path).name
            assert place == (int(line), int(column), path)
            assert what in caught.value.what.replace(f"{folder}/", "")


def test_damage_after_a_double_does_not_hide_it(folder: Path) -> None:
    head = "id,x,y\na,1,1\nb,1,1\na,1,1\n"
    many = "".join(f"n{i},1,1\n" for i in range(9000))  # more than is looked at before the rows
    for rest in ('c,"1,1\n', f"{many}c,1\0,1\n", "c,1\n", 'c,1"1,1\nd,1,1\n'):
        (folder / "f.csv").write_text(head + rest)
        for size in ("20", "1M"):
            done = classify(folder, "f.csv", "--chunk-size", size)
            assert done.err == (
                f'f.csv:4:1: "id": "a" is a label that was there before, in f.csv:2; {HINT}\n'
            )
            assert done.code == DATA
    # Without a double what is damaged is told as ever.
    (folder / "f.csv").write_text(head.replace("\na,1,1\nb", "\nz,1,1\nb") + "c,1\n")
    done = classify(folder, "f.csv")
    assert done.err == run("classify", "f.csv", "w.csv", cwd=folder).err
    assert "f.csv:5:" in done.err


def test_every_kind_of_input_and_output_tells_the_same(folder: Path) -> None:
    rows = [["a", "1", "1"], ["b", "1", "2"], ["c", "2", "2"], ["b", "3", "3"]]
    write(folder / "f.csv", rows)
    data = (folder / "f.csv").read_bytes()
    (folder / "f.csv.gz").write_bytes(gzip.compress(data))
    frame = pd.read_csv(folder / "f.csv")
    frame.to_parquet(folder / "f.parquet", index=False)
    frame.set_index("id").T.to_csv(folder / "turned.csv", index_label="name")

    def tell(name: str, line: str, before: str) -> str:
        what = f'"b" is a label that was there before, in {name}:{before}; {HINT}\n'
        return f'{name}:{line}: "id": {what}'

    for form in ("csv", "json", "table", "parquet"):
        assert classify(folder, "f.csv", "-f", form, "-o", f"o.{form}").err == tell(
            "f.csv", "5:1", "3"
        )
        assert not (folder / f"o.{form}").exists()
    assert classify(folder, "f.csv.gz").err == tell("f.csv.gz", "5:1", "3")
    assert classify(folder, "-", stdin=data).err == tell("-", "5:1", "3")
    assert classify(folder, "f.parquet").err == tell("f.parquet", "4:1", "2")
    # Where columns are the rows, their places are columns.
    assert classify(folder, "turned.csv", "--transpose-features").err == (
        tell("turned.csv", "1:5", "1:3").replace('"id"', '"b"')
    )
    # Parts of a directory are one input; each is written without what was in another.
    write(folder / "g.csv", [["d", "1", "1"], ["a", "1", "1"]])
    assert classify(folder, "f.csv", "g.csv", "-o", "out/").err == tell("f.csv", "5:1", "3")
    assert classify(folder, "f.csv", "g.csv", "-o", "out/", *REJECT).code == 0
    assert [row[:2] for row in read_csv(folder / "r.csv")[1:]] == [["f.csv", "5"], ["g.csv", "3"]]
    parts = [name for name in list_names(folder / "out") if name.endswith(".csv")]
    labels = [[row[0] for row in read_csv(folder / "out" / name)[1:]] for name in parts]
    assert labels == [["a", "b", "c"], ["d"]]


def test_every_command_that_reads_rows_has_it(folder: Path) -> None:
    write(folder / "f.csv", [["a", "1", "1"], ["b", "1", "2"], ["a", "2", "2"]])
    write(folder / "items.csv", [["one", "1", "1"], ["two", "1", "2"]])
    (folder / "t.csv").write_text("id,x,y,truth\na,1,1,q\nb,1,2,q\na,2,2,q\n")
    for command, *argv in (
        ("explain", "f.csv", "w.csv"),
        ("recommend", "f.csv", "items.csv"),
        ("recommend", "f.csv", "items.csv", "--matrix"),
        ("classify", "f.csv", "w.csv", "-k", "1"),
        ("evaluate", "t.csv", "w.csv", "--truth", "truth"),
        ("evaluate", "f.csv", "w.csv", "--truth-file", "truths.csv"),
    ):
        (folder / "truths.csv").write_text("id,truth\na,q\nb,q\na,p\n")
        done = run(command, *argv, "--unique-labels", cwd=folder)
        assert done.code == DATA, done.err
        assert done.err.endswith(f'"a" is a label that was there before, in {argv[0]}:2; {HINT}\n')
        assert done.err.startswith(f"{argv[0]}:4:1: ")
        aside = run(command, *argv, "--unique-labels", *REJECT, cwd=folder)
        assert aside.code == 0, aside.err
        assert len(read_csv(folder / "r.csv")) == 2
        assert run(command, *argv, cwd=folder).code == 0


def test_rows_need_labels_and_a_run_that_reads_all_of_them(folder: Path) -> None:
    (folder / "n.csv").write_text("x,y\n1,1\n1,1\n")
    for command in ("classify", "check"):
        done = run(command, "n.csv", "w.csv", "--unique-labels", cwd=folder)
        assert done.code == MISFIT
        assert "n.csv has no labels, and --unique-labels compares them; name their column" in (
            done.err + done.out.decode()
        )
    write(folder / "f.csv", [["a", "1", "1"], ["a", "1", "1"]])
    looked = run("check", "f.csv", "w.csv", "--unique-labels", cwd=folder)
    assert looked.code == 0
    assert b"a label that was there before is refused" in looked.out
    done = classify(folder, "f.csv", "-o", "out/", "--resume")
    assert done.code == USAGE
    assert "--resume and --unique-labels contradict each other" in done.err
    assert not (folder / "out").exists()


class TestFrames:
    def test_the_index_is_compared(self) -> None:
        weights = pd.read_csv(io.StringIO(WEIGHTS), index_col=0)
        rows = pd.DataFrame({"x": [1, 2, 3.0], "y": [1, np.nan, 1]}, ["a", "b", "a"])
        calls: list[Callable[..., object]] = [
            lambda **o: matscore.classify(rows, weights, **o),
            lambda **o: matscore.explain(rows, weights, **o),
            lambda **o: matscore.evaluate(rows, weights, pd.Series("p", rows.index), **o),
            lambda **o: matscore.recommend(rows, rows.dropna().set_axis(["i", "j"]), **o),
        ]
        for call in calls:
            call(missing="zero")
            with pytest.raises(InputError) as caught:
                call(missing="zero", unique_labels=True)
            assert str(caught.value).startswith(
                f"{caught.value.path}:3: 'a' is a label that was there"
            )
            assert "in row 1" in str(caught.value)
        # A row that is left out is no double, and none is one of it.
        rows.index = ["a", "b", "b"]
        assert list(matscore.classify(rows, weights, missing="skip", unique_labels=True).index) == [
            "a",
            "b",
        ]
        twice = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("a", 1)])
        with pytest.raises(InputError, match="in row 1"):
            matscore.classify(rows.set_axis(twice), weights, missing="zero", unique_labels=True)
        assert matscore.check(rows, weights, unique_labels=True).ok

    def test_files_in_python(self, folder: Path) -> None:
        write(folder / "f.csv", [["a", "1", "1"], ["a", "1", "1"]])
        files, align = (
            (folder / "f.csv", folder / "w.csv"),
            PlanOptions(unique_labels=True),
        )
        with pytest.raises(InputError) as caught:
            matscore.classify_file(*files, align=align)
        assert (caught.value.line, caught.value.column, caught.value.name) == (3, 1, "id")
        with pytest.raises(UsageError):
            matscore.classify_file(*files, folder / "o", align=align, run=RunOptions(resume=True))


def test_labels_that_are_much_alike_are_told_apart() -> None:
    """Empty ones, ends and borders of what a key holds as it is, NUL and other alphabets."""
    rng = np.random.default_rng(0)
    pieces = ["", "a", "\0", "aa", "é", "\x0f", "0" * 14, "0" * 15, "ÿ" * 7]
    known, seen = KnownLabels(), dict[str, int]()
    for n in range(0, 3000, 25):
        labels = ["".join(rng.choice(pieces, 3)) for _ in range(25)]
        expected = {}
        for record, label in enumerate(labels):
            if label in seen:
                expected[record] = f"f.csv:{seen[label]}"
            else:
                seen[label] = n + record
        keys = make_keys(Texts.from_strings(labels))
        assert known.add("f.csv", LabelKeys(keys, np.arange(25), np.arange(n, n + 25))) == expected
    assert len(seen) > 300
    assert known.add("g.csv", LabelKeys(keys[:0], np.arange(0), np.arange(0))) == {}


def test_a_page_counts_doubles_as_one_reason() -> None:
    what = '"x" is a label that was there before, in a "b", c.csv:12'
    reason = reason_of(Reject(3, 1, "id", what, HINT, "x,1,1"))
    assert (reason.what, reason.hint) == ('"…" is a label that was there before, in …', HINT)


def test_memory_for_labels_is_estimated_from_the_file(folder: Path) -> None:
    rows = [[f"n{i}", "1", "1"] for i in range(5000)]
    write(folder / "f.csv", rows)
    pd.DataFrame(rows, columns=["id", "x", "y"]).to_parquet(folder / "f.parquet")
    for name in ("f.csv", "f.parquet"):
        with contextlib.closing(open_table(str(folder / name), ReadOptions())) as table:
            assert count_label_bytes([table]) == pytest.approx(LABEL_BYTES * 5000, rel=0.02)
