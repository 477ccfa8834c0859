import csv
import errno
import io
import json
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_args

import numpy as np
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore.commands.output import ScoreColumns, make_frame
from matscore.errors import OutputError, UsageError
from matscore.frame import Frame, Kind
from matscore.kernel import Choices, Column, Masked, Texts
from matscore.model import Model, Scored, score_rows
from matscore.options import Format, ScoreOptions
from matscore.read import inputs
from matscore.run.work import ChunkResult
from matscore.write.formats import (
    FORMATS,
    Columns,
    OutputSpec,
    deliver_results,
    find_format,
    format_of,
    round_to,
    write_weights,
)
from matscore.write.whole import COMPRESSIONS

COLUMNS = ScoreColumns("id", ("kept",), categories=("a", "b"), probabilities=True, margin=True)
SPEC = OutputSpec("csv", COLUMNS)
LABELS = ["x", "", "a,b", 'say "hi"', "two\nlines", " 007 ", "=1+1", "é|日本"]
COLUMNAR = ("parquet", "arrow")
TEXT_FORMATS = [
    form.name for form in FORMATS.values() if not form.is_shown and form.name not in COLUMNAR
]


def score(values: list[float]) -> Scored:
    model = Model(np.array([[1.0, -2.0]]), np.array([0.25, 0.5]), ("a", "b"))
    return score_rows(model, np.array([values]), ScoreOptions(probabilities=True))


def frame_of(spec: OutputSpec, labels: list[str], values: list[float]) -> Frame:
    texts = Texts.from_strings(labels)
    return spec.finish(make_frame(COLUMNS, texts, [texts], score(values)))


def encode(spec: OutputSpec, frames: list[Frame]) -> bytes:
    chunks = [
        ChunkResult("f", spec.form.rows(spec, f) if f.height else b"", f.height, None)
        for f in frames
    ]
    out = io.BytesIO()
    deliver_results(chunks, spec, out)
    return out.getvalue()


def test_csv_reads_back_to_the_same_labels_and_bits() -> None:
    frame = frame_of(SPEC, LABELS, [0.1 * i for i in range(8)])
    header, *rows = csv.reader(io.StringIO(encode(SPEC, [frame]).decode(), newline=""))
    names = ["id", "kept", "a", "b", "prediction", "probability_a", "probability_b", "margin"]
    assert header == names == list(SPEC.kinds)
    assert [row[0] for row in rows] == LABELS
    for name in ("a", "b", "probability_a", "margin"):
        assert [float(row[names.index(name)]) for row in rows] == frame.values(name)


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_has_null_for_what_is_not_a_number(form: Format) -> None:
    spec = replace(SPEC, format=form)
    text = encode(spec, [frame_of(spec, ["x", ""], [1.5, np.nan])]).decode()
    rows = json.loads(text) if form == "json" else [json.loads(s) for s in text.splitlines()]
    assert rows[0]["a"] == 1.75
    assert rows[0]["prediction"] == "a"
    assert rows[1]["id"] == ""
    assert rows[1]["a"] is None
    assert rows[1]["prediction"] is None


@pytest.mark.parametrize("form", TEXT_FORMATS)
@given(cuts=st.lists(st.integers(0, 8), max_size=4))
def test_the_same_bytes_however_the_rows_are_cut(form: Format, cuts: list[int]) -> None:
    spec = replace(SPEC, format=form)
    frame = frame_of(spec, LABELS, [float(i) for i in range(8)])
    edges = [0, *sorted(cuts), 8]
    parts = [frame.take(np.arange(start, stop)) for start, stop in pairwise(edges)]
    assert encode(spec, parts) == encode(spec, [frame])


@pytest.mark.parametrize("form", TEXT_FORMATS)
def test_no_rows(form: Format) -> None:
    spec = replace(SPEC, format=form)
    text = encode(spec, []).decode()
    if form == "json":
        assert json.loads(text) == []
    else:
        assert text.startswith({"csv": "id,", "tsv": "id\t", "markdown": "| id "}.get(form, ""))
        assert len(text.splitlines()) == {"csv": 1, "tsv": 1, "markdown": 2}.get(form, 0)


def test_markdown_keeps_a_row_in_a_line_and_a_cell_in_its_column() -> None:
    spec = replace(SPEC, format="markdown", precision=2)
    lines = encode(spec, [frame_of(spec, LABELS, [1.0] * 8)]).decode().splitlines()
    assert len(lines) == 2 + len(LABELS)
    assert {line.replace("\\|", "").count("|") for line in lines} == {9}
    assert "1.25" in lines[2]


def test_markdown_cells() -> None:
    kinds: list[tuple[str, Kind]] = [
        ("t", "text"), ("c", "text"), ("n", "whole"), ("m", "whole"), ("x", "number"),
    ]  # fmt: skip
    spec = OutputSpec("markdown", cast("Columns", SimpleNamespace(pairs=kinds)))
    columns: dict[str, Column] = {
        "t": Texts.from_strings(["null", None, "a\x1b"]),
        "c": Choices(np.array([0, -1, 1], np.int32), Texts.from_strings(["|", "é"])),
        "n": np.array([-1, 0, 2**62]),
        "m": Masked(np.array([1, 2, 3]), np.array([False, True, False])),
        "x": np.array([np.nan, 1.5e-7, 1e22]),
    }
    assert encode(spec, [Frame(columns)]).decode() == (
        "| t | c | n | m | x |\n"
        "| --- | --- | ---: | ---: | ---: |\n"
        "| null | \\| | -1 | 1 | NaN |\n"
        "|  |  | 0 |  | 1.5e-07 |\n"
        "| a\\u001b | é | 4611686018427387904 | 3 | 1e+22 |\n"
    )


@pytest.mark.parametrize("precision", [None, 0, 2, 20])
def test_numbers_are_the_same_in_all_texts(precision: int | None) -> None:
    values = [1.0, -2.0, 1 / 3, 1e-9, -1e22, 1e300, np.nan]
    found = {}
    for form in ("csv", "tsv", "markdown"):
        spec = replace(SPEC, format=form, precision=precision)
        text = encode(spec, [frame_of(spec, ["x"] * len(values), values)]).decode()
        mark = {"csv": ",", "tsv": "\t"}.get(form, "|")
        rows = [line.strip("| ").split(mark) for line in text.splitlines()]
        found[form] = [[cell.strip() for cell in row] for row in rows if "---" not in row[1]]
    assert [row[0] for row in found["csv"]] == ["id", *"x" * len(values)]
    as_numbers = {
        form: [[float(cell) for cell in (*row[2:4], *row[5:])] for row in rows[1:]]
        for form, rows in found.items()
    }
    np.testing.assert_array_equal(as_numbers["markdown"], as_numbers["csv"])
    np.testing.assert_array_equal(as_numbers["tsv"], as_numbers["csv"])
    if precision == 2:  # no zeros that were not there
        assert [row[2] for row in found["markdown"]][1:4] == ["1.25", "-1.75", "0.58"]


@pytest.mark.parametrize("form", ["csv", "tsv"])
def test_an_empty_label_alone_makes_no_blank_line(form: Format) -> None:
    few = replace(COLUMNS, kept_names=(), scores=False, prediction=False)
    spec = OutputSpec(form, replace(few, probabilities=False, margin=False))
    labels = Frame({"id": Texts.from_strings(["x", None, "", "y"])})
    assert encode(spec, [labels]) == b'id\nx\n""\n""\ny\n'


def test_a_spreadsheet_runs_nothing() -> None:
    spec = replace(SPEC, excel_safe=True)
    frame = frame_of(spec, ["=1+1", "+1", "-1", "@x", "ok", "'=1"], [-1.0] * 6)
    assert frame.values("id") == ["'=1+1", "'+1", "'-1", "'@x", "ok", "'=1"]
    assert frame.values("kept") == frame.values("id")
    assert frame.values("a") == [-0.75] * 6


@pytest.mark.parametrize("start", list("=+-@\t\r"))
def test_a_spreadsheet_runs_nothing_that_is_chosen(start: str) -> None:
    texts = Texts.from_strings([f"{start}1", "", None, f"'{start}"])
    chosen = Choices(np.zeros(4, np.int32), texts)
    frame = Frame({"=k": texts, "c": chosen, "x": np.full(4, -1.0)})
    csv_spec, json_spec = (replace(SPEC, format=form, excel_safe=True) for form in ("csv", "jsonl"))
    for row in map(json.loads, json_spec.form.rows(json_spec, frame).splitlines()):
        assert (row["c"], row["x"]) == (f"'{start}1", -1.0)
    written = csv_spec.form.rows(csv_spec, frame).decode()
    rows = csv.reader(io.StringIO(written, newline=""))
    assert [row[0] for row in rows] == [f"'{start}1", "", "", f"'{start}"]


def test_missing_scores_stay_in_their_row() -> None:
    rows = list(
        csv.DictReader(
            io.StringIO(encode(SPEC, [frame_of(SPEC, ["x", "y"], [np.nan, 2.0])]).decode())
        )
    )
    assert (rows[0]["a"], rows[0]["prediction"], rows[0]["margin"]) == ("NaN", "", "NaN")
    assert (rows[1]["a"], rows[1]["prediction"]) == ("2.25", "a")


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 17))
def test_rounding_moves_by_half_a_unit_at_most(value: float, precision: int) -> None:
    rounded = float(round_to(np.array([value]), precision)[0])
    assert abs(rounded - value) <= 0.5 * 10.0**-precision + abs(value) * 2.0**-51


def test_columns_can_be_left_out_and_doubles_are_found() -> None:
    few = replace(COLUMNS, scores=False, margin=False, probabilities=False)
    assert [name for name, _ in few.pairs] == ["id", "kept", "prediction"]
    assert SPEC.find_duplicates() == []
    for columns, doubles in (
        (replace(COLUMNS, label_name="margin"), ["margin"]),
        (replace(COLUMNS, kept_names=("a",)), ["a"]),
    ):
        assert OutputSpec("csv", columns).find_duplicates() == doubles


def test_the_names_of_options_are_those_of_the_table() -> None:
    assert set(get_args(Format)) == set(FORMATS)
    assert all(form.name == name for name, form in FORMATS.items())


def test_every_ending_names_one_format() -> None:
    endings = [ending for form in FORMATS.values() for ending in form.endings]
    assert len(endings) == len(set(endings))
    for name, form in FORMATS.items():
        assert form.endings
        assert {format_of(f"a.b{ending}") for ending in form.endings} == {name}


def test_readers_know_the_endings_of_what_is_written() -> None:
    read = {ending for form in inputs.FORMATS for ending in form.endings}
    packed = {ending for form in inputs.COMPRESSIONS for ending in form.endings}
    assert {ending for f in FORMATS.values() if f.is_read for ending in f.endings} <= read
    assert set(COMPRESSIONS) == packed


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("a.csv", "csv"),
        ("A.CSV.GZ", "csv"),
        ("a.jsonl.zst", "jsonl"),
        ("a.gz", None),
        ("a.gz.csv", "csv"),
        ("a", None),
        (Path("a.feather"), "arrow"),
        (io.BytesIO(), None),
        (None, None),
    ],
)
def test_format_of(path: object, form: Format | None) -> None:
    assert format_of(path) == form


def test_what_cannot_be_written_is_refused_by_its_ending() -> None:
    assert find_format("a.tab") == "tsv"
    assert find_format("a") == find_format("a.xlsx/") == "csv"
    with pytest.raises(UsageError, match=r"\.xlsx files cannot be written"):
        find_format("a.xlsx")


@pytest.mark.parametrize("form", [form.name for form in FORMATS.values() if form.is_read])
def test_weights_read_back_to_the_last_bit(form: Format) -> None:
    weights, out = np.array([[0.1, 1e-300], [-0.0, 1 / 3]]), io.BytesIO()
    write_weights(["x", "a,b"], ["feature", "no"], weights, out, form)
    out.seek(0)
    if form in COLUMNAR:
        columnar: Any = pyarrow.parquet if form == "parquet" else pyarrow.feather
        columns = columnar.read_table(out).to_pydict()
        header, rows = list(columns), [list(row) for row in zip(*columns.values(), strict=True)]
    else:
        lines = io.StringIO(out.read().decode(), newline="")
        header, *rows = csv.reader(lines, delimiter="\t" if form == "tsv" else ",")
    assert header == ["name", "feature", "no"]  # the corner's name is no other column's
    assert [name for name, *_ in rows] == ["x", "a,b"]
    assert np.array([list(map(float, row[1:])) for row in rows]).tobytes() == weights.tobytes()


def test_a_raw_output_may_take_less_at_a_time() -> None:
    class Narrow(io.RawIOBase):
        taken = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: Any, /) -> int:
            self.taken += bytes(data[:7])
            return min(len(data), 7)

    out, frame = Narrow(), frame_of(SPEC, LABELS, [1.0] * 8)
    deliver_results([ChunkResult("f", SPEC.form.rows(SPEC, frame), 8, None)], SPEC, out)
    assert bytes(out.taken) == encode(SPEC, [frame])


def test_a_raw_output_that_takes_nothing_is_told_of() -> None:
    read, written = os.pipe()
    os.set_blocking(written, False)
    results = [ChunkResult("f", b"x" * 2**16, 1, None)] * 100
    with (
        open(read, "rb"),  # noqa: PTH123
        io.FileIO(written, "wb") as out,
        pytest.raises(OutputError, match=os.strerror(errno.EAGAIN).lower()),
    ):
        deliver_results(results, SPEC, out)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (OSError(errno.ENOSPC, "No space left"), OutputError, "-: no space left"),
        (OutputError("a.csv", "is full"), OutputError, "a.csv: is full"),
        (BrokenPipeError(errno.EPIPE, "gone"), BrokenPipeError, "[Errno 32] gone"),
    ],
)
def test_an_output_that_fails_is_told_of(
    error: Exception, kind: type[Exception], message: str
) -> None:
    class Failing(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, _: Any, /) -> int:
            raise error

    with pytest.raises(kind) as caught:
        deliver_results([], SPEC, Failing())
    assert str(caught.value) == message


def test_what_is_shown_is_not_written() -> None:
    out = io.BytesIO()
    results = iter([ChunkResult("f", b"x", 1, None)] * 3)
    deliver_results(results, replace(SPEC, format="html"), out)
    assert out.getvalue() == b""
    assert list(results) == []  # they are drawn all the same
