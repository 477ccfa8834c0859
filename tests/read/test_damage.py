"""Real files with one place damaged: refused, set aside, or scored exactly right. Never silent.

A slow reader (`oracle`) decides what a damaged file still says. A delimiter moved within a number,
say, leaves a sound file with other numbers: those have to be scored.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matscore.commands.classify import Classify, ClassifyCommand
from matscore.errors import InputError, MatscoreError
from matscore.model import Model, Weights, load_weights, score_rows
from matscore.options import PlanOptions, ReadOptions, RunOptions, ScoreOptions
from matscore.plan import Plan
from matscore.read.table import open_table
from matscore.run import parts
from matscore.run.work import ChunkResult, Job, run_chunk
from tests.read.oracle import Columns, Reading, Row, Unsound, judge, read_text

SAMPLES = Path(__file__).parents[2] / "sample_data"
PIXELS = "id,0,1,2\nfirst,5,0,16\nsecond,1,16,3\nthird,0,0,1"
PIXEL_WEIGHTS = "pixel,light,dark\n0,0.5,-0.25\n1,0.125,1\n2,-1,0.75\n"
# All numbers, so that nothing but the count of its cells betrays a record that has shifted.
NUMBERS = "id,a,b\n101,1,2.5\n102,3,4.5\n103,5,6.5\n104,7,8.5\n105,9,1.5"
UNUSED = "a,x,b,y,id\n1,0,2.5,7,101\n3,0,4.5,7,102\n5,0,6.5,7,103\n7,0,8.5,7,104"
NUMBER_WEIGHTS = "name,up,down\nb,0.5,-0.25\na,0.125,1\n"
Missing = Literal["error", "skip", "zero", "keep"]
MISSING: tuple[Missing, ...] = ("error", "skip", "zero", "keep")
OnError = Literal["fail", "reject"]


@dataclass(frozen=True)
class Base:
    """A sound file: its records, and the weights that score it or the file that holds them."""

    weights: str
    records: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Case:
    """A damaged file and how it is read."""

    base: str
    data: bytes
    header: bytes
    missing: Missing
    chunk_bytes: int


def split_lines(weights: str, text: str) -> Base:
    return Base(weights, tuple(tuple(line.split(",")) for line in text.split("\n")))


@cache
def bases() -> dict[str, Base]:
    def load(name: str, weights: str, columns: slice = slice(None)) -> Base:
        rows = csv.reader(io.StringIO((SAMPLES / name).read_text(), newline=""))
        return Base(str(SAMPLES / weights), tuple(tuple(row[columns]) for row in rows))

    iris = load("iris.csv", "iris_weights.csv")
    return {
        "iris": iris,  # a column without use: the parser reads only some
        "iris, all used": load("iris.csv", "iris_weights.csv", slice(5)),
        "iris, label last": Base(iris.weights, tuple((*r[1:5], r[0]) for r in iris.records)),
        "movies": load("movies.csv", "genres.csv"),
        "digits": load("digits.csv", "digits_weights.csv"),
        "pixels": split_lines(PIXEL_WEIGHTS, PIXELS),
        "numbers": split_lines(NUMBER_WEIGHTS, NUMBERS),
        "numbers, label last": split_lines(NUMBER_WEIGHTS, UNUSED),
    }


LABEL_STYLES: dict[str, Callable[[str], str]] = {
    "plain": lambda label: label,
    "lines": lambda label: label.replace("-", "-\n"),
    "rows": lambda label: f"{label}\r\nx,1,2\n",
    "quotes": lambda label: f'{label} "1"',
    "marks": lambda label: f"{label},1;2\t3|",
    "accents": lambda label: f"é{label}ü",
    "zlib": lambda label: f"x^{label}",
}


@st.composite
def sound_files(draw: st.DrawFn) -> tuple[str, bytes, bytes]:
    """Draw a base, some of its records as a file, and the file's header."""
    name = draw(st.sampled_from(list(bases())))
    header, *rows = bases()[name].records
    start = draw(st.integers(0, len(rows) - 1))
    rows = rows[start : start + draw(st.integers(1, 4 if name == "digits" else 8))]
    plain = name.startswith("numbers") and draw(st.booleans())
    style = LABEL_STYLES["plain" if plain else draw(st.sampled_from(list(LABEL_STYLES)))]
    at = -1 if name.endswith("last") else 0
    styled = [list(row) for row in rows]
    for row in styled:
        row[at] = style(row[at])
        if draw(st.integers(0, 9)) == 0:
            row[1] = draw(st.sampled_from(["", "NA", " "]))
    out = io.StringIO(newline="")
    writer = csv.writer(
        out,
        delimiter=draw(st.sampled_from([",", ",", ",", ";", "\t"])),
        lineterminator=draw(st.sampled_from(["\n", "\n", "\r\n"])),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    writer.writerow(header)
    first = out.tell()
    writer.writerows(styled)
    text = out.getvalue()
    return name, text.encode(), text[:first].encode()


@st.composite
def damaged(draw: st.DrawFn, data: bytes, header: bytes) -> bytes:
    """Damage one place, mostly after the header."""
    start = draw(st.sampled_from([len(header)] * 5 + [0]))
    marks = [i for i, byte in enumerate(data) if byte in b',;\t"\n\r' and i >= start]
    mark = draw(st.sampled_from(marks))
    at = draw(st.one_of(st.integers(start, len(data) - 1), st.just(mark)))
    lines = [start, *(i + 1 for i in marks if data[i] == ord("\n"))]
    line = draw(st.sampled_from(lines))
    ways: dict[str, Callable[[], bytes]] = {
        "delete": lambda: data[:mark] + data[mark + 1 :],
        "add": lambda: data[:at] + draw(st.sampled_from(MARKS)) + data[at:],
        "double": lambda: data[:mark] + data[mark : mark + 1] + data[mark:],
        "move": lambda: move(data, mark, at if abs(at - mark) < 30 else mark + 3),
        "swap": lambda: swap(data, mark, marks[min(marks.index(mark) + 1, len(marks) - 1)]),
        "exchange": lambda: data[:mark] + draw(st.sampled_from(MARKS)) + data[mark + 1 :],
        "cut off": lambda: data[:at],
        "cut out": lambda: data[:at] + data[at + draw(st.integers(1, 60)) :],
        "repeat": lambda: data[: at + draw(st.integers(1, 60))] + data[at:],
        "splice": lambda: data[:at] + draw(foreign_pieces()) + data[at:],
        "splice a line": lambda: data[:line] + draw(foreign_pieces()) + data[line:],
        "join": lambda: data[:line] + draw(st.sampled_from([b"", BOM])) + data,
        "flip": lambda: (
            data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]
        ),
        "recode": lambda: recode(
            data, line, draw(st.sampled_from(["latin-1", "utf-16", "utf-16-le"]))
        ),
        "insert": lambda: data[:at] + draw(st.sampled_from(ODD)) + data[at:],
        "insert in front": lambda: data[:line] + draw(st.sampled_from(ODD)) + data[line:],
        "zero": lambda: data[:at] + bytes(len(data[at : at + 20])) + data[at + 20 :],
    }
    return ways[draw(st.sampled_from(list(ways)))]()


MARKS = [b",", b";", b"\t", b'"', b"\n", b"\r", b"\r\n", b'""', b'",', b',"', b'"\n', b"\n\n"]
BOM = "\ufeff".encode()
ODD = [b"\0", BOM, b"\xff\xfe", b"\xe9", b"\x1a", b" ", b"\\", b"'", b"\xc2\xa0", b"-", b"e", b"1"]


def move(data: bytes, mark: int, to: int) -> bytes:
    rest = data[:mark] + data[mark + 1 :]
    return rest[:to] + data[mark : mark + 1] + rest[to:]


def swap(data: bytes, i: int, j: int) -> bytes:
    return data[:i] + data[j : j + 1] + data[i + 1 : j] + data[i : i + 1] + data[j + 1 :]


def recode(data: bytes, line: int, encoding: str) -> bytes:
    end = data.find(b"\n", line) + 1 or len(data)
    return data[:line] + ("é" + data[line:end].decode()).encode(encoding) + data[end:]


@st.composite
def foreign_pieces(draw: st.DrawFn) -> bytes:
    """Draw a part of another file, or of the same."""
    name = draw(
        st.sampled_from(["iris.csv", "movies.csv", "digits.csv", "iris_weights.csv", "make.py"])
    )
    data = (SAMPLES / name).read_bytes()
    start = draw(st.integers(0, len(data) - 1))
    if draw(st.booleans()):
        start = data.rfind(b"\n", 0, start) + 1
    return data[start : start + draw(st.integers(1, 200))]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    name, data, header = draw(sound_files())
    return Case(
        name,
        draw(damaged(data, header)),
        header,
        draw(st.sampled_from(["error", "error", "zero", "keep", "skip"])),
        draw(st.sampled_from([1, 60, 300, 10_000])),
    )


@cache
def weights_of(base: str, folder: Path) -> Weights:
    path = bases()[base].weights
    if "\n" in path:
        (folder / "weights.csv").write_text(path)
        path = str(folder / "weights.csv")
    return load_weights(path, ReadOptions())


@dataclass(frozen=True)
class Run:
    """What the program made of a file."""

    plan: Plan
    model: Model
    names: tuple[str, ...] | None
    delimiter: str
    results: list[ChunkResult]
    error: MatscoreError | None


def run(case: Case, path: Path, on_error: OnError) -> Run | MatscoreError:
    """Score a file as the command line does; return the exception where it is not even begun."""
    read = ReadOptions(missing=case.missing)
    weights = weights_of(case.base, path.parent)
    try:
        table = open_table(str(path), read)
    except MatscoreError as error:
        return error
    try:
        part = parts.plan_part(table, weights, read, PlanOptions())
        (plan,) = parts.require_fits([part])
        spec = ClassifyCommand().make_output(plan, "csv")
    except MatscoreError as error:
        table.close()
        return error
    work = ClassifyCommand().make_work(plan, weights.take_model(plan))
    assert isinstance(work, Classify)
    job = Job(parts.layout_of(part, read), work, spec, on_error)
    results, stopped = [], None
    try:
        run = RunOptions(chunk_bytes=case.chunk_bytes)
        for pair in parts.iter_pairs([parts.Part(table, job)], run):
            results.append(run_chunk(*pair))
    except MatscoreError as error:
        stopped = error
    table.close()
    return Run(plan, work.model, table.names, table.delimiter, results, stopped)


def check_header(done: Run, reading: Reading, case: Case, text: bytes) -> None:
    """Hold the columns that were chosen against the header as the slow reader has it."""
    first = reading.records[0]
    assert not first.damage
    assert done.names in {None, first.cells}
    if done.names is None or done.plan.matched_by == "position":
        # By position is said; only a header that was damaged has lost all the names.
        assert not text.startswith(case.header)
        return
    wanted = sorted(done.plan.feature_names)
    assert sorted(done.names.index(name) for name in wanted) == sorted(done.plan.feature_columns)
    assert [done.names[i] for i in done.plan.feature_columns] == wanted
    assert all(done.names.count(name) == 1 for name in wanted)
    first_is_label = done.names[0] not in wanted
    assert done.plan.label_column == (0 if first_is_label else None)
    assert len(wanted) == done.model.weights.shape[0]


@dataclass(frozen=True)
class Sound:
    """A record that has to be scored, and how."""

    label: str | None
    scores: tuple[float, ...]


def expected_rows(case: Case, done: Run, reading: Reading) -> list[Sound | Unsound]:
    """Judge and score every record after the header; one whose scores overflow is unsound, too."""
    columns = Columns(
        done.names,
        len(reading.records[0].cells),
        done.plan.label_column,
        done.plan.feature_columns,
        done.delimiter,
        missing=case.missing,
    )
    records = reading.records if done.names is None else reading.records[1:]
    judged = [judge(columns, record) for record in records]
    rows = [row for row in judged if isinstance(row, Row)]
    scores = iter(score(done.model, rows))
    expected: list[Sound | Unsound] = []
    for row in judged:
        if isinstance(row, Unsound):
            expected.append(row)
            continue
        found = next(scores)
        missing = any(map(math.isnan, row.features))
        fits = missing or all(map(math.isfinite, found))
        expected.append(Sound(row.label, found) if fits else Unsound(row.line, None))
    return expected


def score(model: Model, rows: list[Row]) -> list[tuple[float, ...]]:
    """Score rows; the product gives the same bits for a row wherever it stands."""
    features = np.array([row.features for row in rows]).reshape(len(rows), len(model.weights))
    scored = score_rows(model, features.T, ScoreOptions())
    return [tuple(row) for row in scored.scores.T.tolist()]


def bits(number: float) -> bytes:
    return b"nan" if math.isnan(number) else struct.pack("<d", number)


def check_scored(done: Run, expected: list[Sound | Unsound]) -> int:
    """Hold labels and scores against those of the sound records, to the last bit."""
    text = b"".join(result.data for result in done.results).decode()
    lines = list(csv.reader(io.StringIO(text, newline="")))
    rows = [(i, row) for i, row in enumerate(expected) if isinstance(row, Sound)]
    assert len(lines) == len(rows) == sum(result.n_rows for result in done.results)
    n = len(done.model.categories)
    for line, (i, row) in zip(lines, rows, strict=True):
        assert line[0] == (str(i + 1) if row.label is None else row.label)
        scores = [float(cell) if cell else math.nan for cell in line[1 : 1 + n]]
        assert [bits(x) for x in scores] == [bits(x) for x in row.scores]
    return len(rows)


def check_stopped(error: MatscoreError, lines: set[int], reading: Reading) -> None:
    """Hold the line that stopped a run against those where something is wrong."""
    assert isinstance(error, InputError)
    line = error.line or 0
    assert line in lines or any(first <= line <= last for first, last in reading.stops)


def as_utf8(data: bytes) -> bytes | None:
    """Decode what a byte-order mark at the start says; None where it is not so."""
    for mark, encoding in (
        (codecs.BOM_UTF8, ""),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            body = data.removeprefix(mark)
            try:
                return body.decode(encoding).encode() if encoding else body
            except UnicodeError:
                return None
    return data


def judge_case(case: Case, path: Path) -> str:
    """Score a damaged file both ways and say what became of it; fail where that is not right."""
    path.write_bytes(case.data)
    done = run(case, path, "reject")
    failed = run(case, path, "fail")
    text = as_utf8(case.data)
    if text is None:
        assert isinstance(done, MatscoreError) or done.error
        assert isinstance(failed, MatscoreError) or failed.error
        return "refused: another encoding"
    if isinstance(done, MatscoreError):
        assert str(failed) == str(done)
        # A sound header is not refused, but for what no line can be blamed for: a NUL byte, or
        # records that are all one cell wider, as where R has left out the name of the first column.
        wider = "as in R's tables" in str(done)
        assert not text.startswith(case.header) or b"\0" in text or wider
        return "refused: the header"
    assert isinstance(failed, Run)
    reading = read_text(text, done.delimiter)
    check_header(done, reading, case, text)
    expected = expected_rows(case, done, reading)
    unsound = [row for row in expected if isinstance(row, Unsound)]
    fatal = {row.line for row in unsound if not (row.missing and case.missing == "skip")}

    if failed.error is not None:
        check_stopped(failed.error, fatal, reading)
    else:
        assert not fatal and not reading.stops
        check_scored(failed, expected)
    if done.error is not None:
        check_stopped(done.error, set(), reading)
        return "refused: the records cannot be told apart"
    assert not reading.stops
    rejects = [reject for result in done.results for reject in result.rejects]
    assert [reject.line for reject in rejects] == [row.line for row in unsound]
    n_rows = check_scored(done, expected)
    assert n_rows + len(rejects) == len(expected)
    if not unsound:
        return "sound all the same"
    return "rows rejected"


def damage_many(n: int, path: Path) -> Counter[str]:
    """Judge `n` damaged files; the totals say what became of them."""
    totals: Counter[str] = Counter()

    @settings(max_examples=n, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cases())
    def check(case: Case) -> None:
        totals["silent or wrong"] += 1
        totals[judge_case(case, path)] += 1
        totals["silent or wrong"] -= 1

    try:
        check()
    finally:
        print(f"{totals.total()} damaged files: {dict(totals)}")
    return totals


def check_totals(totals: Counter[str], n: int) -> None:
    assert totals["silent or wrong"] == 0, totals
    assert totals.total() >= n, totals
    outcomes = set(totals) - {"silent or wrong", "refused: another encoding"}
    assert len(outcomes) == 4, totals  # each of them happens, or the damage is too tame


def test_damage_is_never_silent(tmp_path: Path) -> None:
    check_totals(damage_many(2_000, tmp_path / "damaged.csv"), 2_000)


@pytest.mark.slow
def test_much_damage_is_never_silent(tmp_path: Path) -> None:
    check_totals(damage_many(50_000, tmp_path / "damaged.csv"), 50_000)


def iter_sound() -> Iterator[tuple[str, bytes]]:
    for name, base in bases().items():
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\n").writerows(base.records)
        yield name, out.getvalue().encode()


@pytest.mark.parametrize("missing", ["error", "zero"])
@pytest.mark.parametrize("name", list(bases()))
def test_the_whole_files_are_sound(name: str, missing: Missing, tmp_path: Path) -> None:
    """What the generator damages is scored whole while it is not damaged."""
    data = dict(iter_sound())[name]
    case = Case(name, data, data[: data.index(b"\n") + 1], missing, 1000)
    assert judge_case(case, tmp_path / "sound.csv") == "sound all the same"


def iter_damage(data: bytes, start: int) -> Iterator[bytes]:
    """Delete, double and cut at each place, and swap each two marks that are near each other."""
    for i in range(start, len(data)):
        yield data[:i] + data[i + 1 :]
        yield data[: i + 1] + data[i:]
        yield data[:i]
    marks = [i for i in range(start, len(data)) if data[i] in b',"\n']
    for n, i in enumerate(marks):
        for j in marks[n + 1 : n + 4]:
            yield swap(data, i, j)


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("name", ["iris", "iris, label last", "numbers", "numbers, label last"])
def test_damage_at_every_place_of_a_small_file(name: str, quoted: bool, tmp_path: Path) -> None:
    header, *rows = bases()[name].records
    at = len(header) - 1 if name.endswith("last") else 0
    head = ",".join(header) + "\n"
    if quoted:
        rows = [tuple(f'"{c}"' if i == at else c for i, c in enumerate(row)) for row in rows]
    data = (head + "".join(",".join(row) + "\n" for row in rows[:3])).encode()
    outcomes = Counter(
        judge_case(Case(name, text, head.encode(), missing, 1000), tmp_path / "damaged.csv")
        for text in iter_damage(data, len(head))
        for missing in MISSING[:: 1 if name.startswith("numbers") else 3]
    )
    assert set(outcomes) >= {"sound all the same", "rows rejected"}
