import csv
import io
import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore.commands.output import ScoreColumns, make_frame
from matscore.frame import Frame
from matscore.kernel import Texts
from matscore.model import Model
from matscore.numerics.scores import Scored, score_rows
from matscore.options import FORMATS, Format, ScoreOptions
from matscore.run.job import ChunkResult
from matscore.write.deliver import deliver_results
from matscore.write.encode import OutputSpec, encode_frame, finish_frame, round_to

COLUMNS = ScoreColumns("id", ("kept",), ("a", "b"), probabilities=True, margin=True)
SPEC = OutputSpec("csv", COLUMNS)
LABELS = ["x", "", "a,b", 'say "hi"', "two\nlines", " 007 ", "=1+1", "é|日本"]
TEXT_FORMATS: tuple[Format, ...] = ("csv", "tsv", "json", "jsonl", "markdown")


def score(values: list[float]) -> Scored:
    column = np.array(values)
    model = Model(np.array([[1.0, -2.0]]), np.array([0.25, 0.5]), ("a", "b"))
    return score_rows(model, [column], len(values), ScoreOptions(probabilities=True))


def frame_of(spec: OutputSpec, labels: list[str], values: list[float]) -> Frame:
    texts = Texts.from_strings(labels)
    return finish_frame(spec, make_frame(COLUMNS, texts, [texts], score(values)))


def encode(spec: OutputSpec, frames: list[Frame]) -> bytes:
    chunks = [
        ChunkResult("f", encode_frame(spec, f) if f.height else b"", f.height, None) for f in frames
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
        assert text.startswith({"jsonl": "", "markdown": "| id "}.get(form, "id"))
        assert len(text.splitlines()) == {"jsonl": 0, "markdown": 2}.get(form, 1)


def test_markdown_keeps_a_row_in_a_line_and_a_cell_in_its_column() -> None:
    spec = replace(SPEC, format="markdown", precision=2)
    lines = encode(spec, [frame_of(spec, LABELS, [1.0] * 8)]).decode().splitlines()
    assert len(lines) == 2 + len(LABELS)
    assert {line.replace("\\|", "").count("|") for line in lines} == {9}
    assert "1.25" in lines[2]


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


def test_every_format_is_known() -> None:
    assert set(TEXT_FORMATS) | {"table", "html", "parquet", "arrow"} == set(FORMATS)
