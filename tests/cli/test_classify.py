from __future__ import annotations

import bz2
import csv
import decimal
import gzip
import io
import itertools
import json
import lzma
import math
import random
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
import typer.main

from matscore.cli.main import make_app
from tests.helpers import (
    ENVIRONMENT,
    PROGRAM,
    SAMPLES,
    finish,
    read_csv,
    run,
    run_on_terminal,
    start,
    write_csv,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MOVIES = ("movies.csv", "genres.csv")
IRIS = ("iris.csv", "iris_weights.csv")
HEADER = ["film", "adventure", "family", "romance", "prediction"]
ROWS: list[list[Any]] = [
    ["Thunder Pass", 5.9, 3.0, 2.9, "adventure"],
    ["The Wrong Umbrella", 2.1, 2.9, 6.1, "romance"],
    ["Two Left Boots", 5.2, 3.6, 5.2, "adventure"],
]


def typed(rows: list[list[str]]) -> list[list[Any]]:
    """Turn the cells that are numbers into numbers."""
    return [[_number_or_text(cell) for cell in row] for row in rows]


def _number_or_text(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


# Formats


def read_markdown(data: bytes) -> list[list[str]]:
    header, _, *rows = data.decode().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (header, *rows)]


def read_records(records: list[dict[str, Any]]) -> list[list[Any]]:
    return [list(records[0]), *(list(record.values()) for record in records)]


READERS: dict[str, Callable[[bytes], list[list[Any]]]] = {
    "csv": read_csv,
    "tsv": lambda data: read_csv(data, "\t"),
    "json": lambda data: read_records(json.loads(data)),
    "jsonl": lambda data: read_records([json.loads(line) for line in data.splitlines()]),
    "markdown": read_markdown,
    "parquet": lambda data: read_records(
        pyarrow.parquet.read_table(pa.BufferReader(data)).to_pylist()
    ),
    "arrow": lambda data: read_records(
        pyarrow.ipc.open_file(pa.BufferReader(data)).read_all().to_pylist()
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_formats(name: str) -> None:
    done = run("classify", *MOVIES, "--format", name).check(quiet=True)
    assert typed(READERS[name](done.out)) == [HEADER, *ROWS]


@pytest.mark.parametrize("name", ["csv", "tsv", "json", "jsonl", "markdown", "parquet", "arrow"])
def test_formats_without_rows(name: str, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("film,action,comedy\n")
    done = run("classify", tmp_path / "f.csv", "genres.csv", "-f", name).check(quiet=True)
    if name in ("json", "jsonl"):
        records = json.loads(done.out) if name == "json" else done.out.splitlines()
        assert records == []
    elif name == "parquet":
        assert pyarrow.parquet.read_table(pa.BufferReader(done.out)).column_names == HEADER
    elif name == "arrow":
        assert pyarrow.ipc.open_file(pa.BufferReader(done.out)).read_all().column_names == HEADER
    else:
        assert READERS[name](done.out) == [HEADER]


def test_table_in_a_pipe() -> None:
    done = run("classify", *MOVIES, "-f", "table").check(quiet=True)
    text = done.out.decode()
    assert "(3 × 2) · (2 × 3) → (3 × 3)" in text
    assert all(row[0] in text for row in ROWS)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_table_shows_at_most_max_rows() -> None:
    text = run("classify", *IRIS, "-f", "table", "--max-rows", "2").check().out.decode()
    assert "iris-002" in text and "iris-003" not in text
    assert "148 more" in text
    text = run("classify", *IRIS, "-f", "table", "--max-rows", "0").check().out.decode()
    assert "iris-001" not in text and "150" in text


DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.decompress,
    ".zst": zstd.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
}
ENDINGS = {".csv": "csv", ".tsv": "tsv", ".json": "json", ".jsonl": "jsonl", ".md": "markdown"}


@pytest.mark.parametrize(("ending", "name"), ENDINGS.items())
@pytest.mark.parametrize("compression", DECOMPRESS)
def test_the_outputs_ending_decides(
    tmp_path: Path, ending: str, name: str, compression: str
) -> None:
    output = tmp_path / f"scores{ending}{compression}"
    assert run("classify", *MOVIES, "--output", output).check(quiet=True).out == b""
    data = output.read_bytes()
    assert DECOMPRESS[compression](data) == run("classify", *MOVIES, "-f", name).out
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize(
    ("ending", "name"),
    [(".parquet", "parquet"), (".arrow", "arrow"), (".feather", "arrow"), ("", "csv")],
)
def test_other_endings(tmp_path: Path, ending: str, name: str) -> None:
    output = tmp_path / f"scores{ending}"
    run("classify", *MOVIES, "-o", output).check(quiet=True)
    assert typed(READERS[name](output.read_bytes())) == [HEADER, *ROWS]


def test_format_wins_over_the_ending(tmp_path: Path) -> None:
    output = tmp_path / "scores.csv"
    run("classify", *MOVIES, "-o", output, "-f", "jsonl").check(quiet=True)
    assert len(READERS["jsonl"](output.read_bytes())) == 4


def test_table_in_a_file(tmp_path: Path) -> None:
    output = tmp_path / "scores.txt"
    assert run("classify", *MOVIES, "-o", output, "--color", "always").check(quiet=True).out == b""
    assert "(3 × 2) · (2 × 3)" in output.read_text()
    assert "\x1b" not in output.read_text()


@pytest.mark.parametrize("argv", [("classify", *MOVIES), ("classify", *IRIS, "--probabilities")])
def test_numbers_read_back_to_the_same_floats(argv: tuple[str, ...]) -> None:
    outputs = {name: READERS[name](run(*argv, "-f", name).out) for name in READERS}
    rows = {name: typed(rows) for name, rows in outputs.items()}
    assert all(rows[name] == rows["csv"] for name in rows)
    cells = itertools.chain.from_iterable(outputs["csv"][1:])
    for cell in cells:
        if isinstance(_number_or_text(cell), float):
            assert count_digits(cell) == count_digits(repr(float(cell)))


def count_digits(number: str) -> int:
    return len(decimal.Decimal(number).normalize().as_tuple().digits)


# Columns


@pytest.mark.parametrize(("features", "weights"), [IRIS, ("digits.csv", "digits_weights.csv")])
def test_scores_are_the_product(features: str, weights: str) -> None:
    header, *records = read_csv(SAMPLES / features)
    items = [dict(zip(header, record, strict=True)) for record in records]
    (_, *categories), *model = read_csv(SAMPLES / weights)
    rows = run("classify", features, weights).check(quiet=True).rows
    assert rows[0][1:] == [*categories, "prediction"]
    for item, (_, *scores, prediction) in zip(items, rows[1:], strict=True):
        exact = [
            math.fsum(float(item.get(row[0], 1)) * float(row[j]) for row in model)
            for j in range(1, len(categories) + 1)
        ]
        assert [float(score) for score in scores] == pytest.approx(exact, rel=1e-12, abs=1e-12)
        assert prediction == categories[exact.index(max(exact))]


def test_precision() -> None:
    plain = run("classify", *IRIS, "--margin", "--probabilities").rows
    rounded = run("classify", *IRIS, "--margin", "--probabilities", "--precision", "2").rows
    for before, after in zip(typed(plain)[1:], typed(rounded)[1:], strict=True):
        for exact, shown in zip(before, after, strict=True):
            if isinstance(exact, float):
                assert shown == round(exact, 2)
    assert max(len(cell.partition(".")[2]) for cell in rounded[1][1:4]) <= 2


def test_margin_probabilities_and_prediction() -> None:
    header, *rows = typed(run("classify", *IRIS, "--margin", "--probabilities").check().rows)
    names = ["setosa", "versicolor", "virginica"]
    probabilities = [f"probability_{name}" for name in names]
    assert header == ["flower", *names, "prediction", *probabilities, "margin"]
    assert len(rows) == 150
    for _, *cells in rows:
        scores, prediction, shares, margin = cells[:3], cells[3], cells[4:7], cells[7]
        highest, second, _ = sorted(scores, reverse=True)
        assert prediction == names[scores.index(highest)]
        assert margin == pytest.approx(highest - second)
        total = sum(math.exp(score) for score in scores)
        assert shares == pytest.approx([math.exp(score) / total for score in scores])


def test_no_scores() -> None:
    rows = run("classify", *MOVIES, "--no-scores", "--margin").check(quiet=True).rows
    assert rows[0] == ["film", "prediction", "margin"]
    assert [row[1] for row in rows[1:]] == ["adventure", "romance", "adventure"]
    assert float(rows[3][2]) == 0  # a tie


@pytest.mark.parametrize(
    ("options", "predictions"),
    [
        (("--threshold", "5.9"), ["adventure", "romance", ""]),
        (("--threshold", "-1"), ["adventure", "romance", "adventure"]),
        (("--threshold", "0.9", "--probabilities"), ["adventure", "romance", ""]),
    ],
)
def test_threshold(options: tuple[str, ...], predictions: list[str]) -> None:
    header, *rows = run("classify", *MOVIES, *options).check(quiet=True).rows
    assert [row[header.index("prediction")] for row in rows] == predictions


def test_single_category(tmp_path: Path) -> None:
    weights = write_csv(tmp_path / "w.csv", [["f", "good"], ["action", 1], ["comedy", -1]])
    done = run("classify", "movies.csv", weights, "--probabilities").check(quiet=True)
    assert done.rows[0] == ["film", "good", "probability_good"]
    for _, score, probability in typed(done.rows)[1:]:
        assert probability == pytest.approx(1 / (1 + math.exp(-score)))
    rows = run("classify", "movies.csv", weights, "--threshold", "0").check().rows
    assert [row[-1] for row in rows] == ["prediction", "good", "", "good"]


def test_keep_cols() -> None:
    kept = run("classify", *IRIS, "--keep-cols", "species,sepal_width").check(quiet=True).rows
    source = read_csv(SAMPLES / "iris.csv")
    assert [row[:3] for row in kept] == [[row[0], row[5], row[2]] for row in source]
    kept = run("classify", *IRIS, "--keep-cols", "all").check(quiet=True).rows
    assert [row[:2] for row in kept] == [[row[0], row[5]] for row in source]
    done = run("classify", *IRIS, "--keep-cols", "specie").check(3)
    assert 'did you mean "species"' in done.err


def test_keep_cols_with_commas_in_their_names(tmp_path: Path) -> None:
    header = ["id", "action", "comedy", "a, b", 'say "x"']
    features = write_csv(tmp_path / "f.csv", [header, ["1", 1, 2, "0012", "NA"]])
    option = ("--keep-cols", '"a, b","say ""x"""')
    rows = run("classify", features, "genres.csv", *option).check(quiet=True).rows
    assert [row[1:3] for row in rows] == [["a, b", 'say "x"'], ["0012", "NA"]]


UPRIGHT = [
    ["film", "a", "note", "b", "year"],
    ["x", "1", "foo", "4", "0199"],
    ["y", "2.50", "bar, baz", "0", "2000"],
    ["two\nlines", "", "", "1", "NA"],
    ["z", "5%", "5", "2", "7"],
    ["v", "3e2", 'qu"x', "1", "2001"],
    ["w", "9e307", "", "9e307", "1"],
]


@pytest.mark.parametrize(
    "options",
    [
        ("--on-error", "reject", "--rejects", "r.csv"),
        ("--on-error", "reject", "--rejects", "r.csv", "--missing", "zero"),
        ("--on-error", "reject", "--rejects", "r.csv", "--missing", "keep", "--margin"),
        ("--on-error", "reject", "--rejects", "r.csv", "--missing", "skip"),
        ("--on-error", "reject", "--rejects", "r.csv", "--keep-cols", "all"),
        ("--on-error", "reject", "--rejects", "r.csv", "--keep-cols", "year,note", "-k", "1"),
    ],
)
def test_transposed_features_are_scored_as_they_stand(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Rows that the weights do not know may hold any text, and bad columns are bad rows."""
    write_csv(tmp_path / "upright.csv", UPRIGHT)
    write_csv(tmp_path / "turned.csv", zip(*UPRIGHT, strict=True))
    write_csv(tmp_path / "w.csv", [["f", "p", "q"], ["b", 1, 10], ["a", 10, 0.5]])
    upright = run("classify", "upright.csv", "w.csv", *options, cwd=tmp_path).check()
    expected = read_csv(tmp_path / "r.csv")[1:]
    argv = ("classify", "turned.csv", "w.csv", "--transpose-features", *options)
    turned = run(*argv, cwd=tmp_path).check()
    assert turned.out == upright.out
    assert len(turned.rows) > 3
    rejects = read_csv(tmp_path / "r.csv")[1:]
    # The header takes two lines; a row of the file is a column, and an overflow is of a whole one.
    lines = {"film": 1, "a": 3, "note": 4, "b": 5, "year": 6}
    names = [row[0] for row in UPRIGHT]
    assert sorted(row[:5] for row in rejects) == sorted(
        [
            "turned.csv",
            str(lines[name or "film"]),
            str(names.index(label) + 1),
            label,
            error,
        ]
        for _, _, _, name, error, text in expected
        for label in [next(csv.reader(io.StringIO(text, newline="")))[0]]
    )


def test_the_first_bad_column_of_transposed_features_is_named(tmp_path: Path) -> None:
    write_csv(tmp_path / "turned.csv", zip(*UPRIGHT, strict=True))
    write_csv(tmp_path / "w.csv", [["f", "p", "q"], ["b", 1, 10], ["a", 10, 0.5]])
    argv = ("classify", "turned.csv", "w.csv", "--transpose-features")
    said = 'turned.csv:3:4: "two\nlines": a missing value; --missing'
    assert run(*argv, cwd=tmp_path).check(4).err.replace("\\n", "\n").startswith(said)
    said = 'turned.csv:3:5: "z": "5%" is not a number; write 0.05 for 5%'
    assert run(*argv, "--missing", "zero", cwd=tmp_path).check(4).err.startswith(said)
    done = run(*argv, "--strict", cwd=tmp_path).check(3)
    assert '"note", "year"' in done.err


def test_transposed_features_of_typed_columns(tmp_path: Path) -> None:
    frame = pl.DataFrame({"film": ["a", "k", "b"], "x": [1, 7, 4], "y": [2.5, None, None]})
    frame.write_parquet(tmp_path / "f.parquet")
    write_csv(tmp_path / "w.csv", [["f", "p", "q"], ["b", 1, 10], ["a", 10, 0.5]])
    argv = ("classify", "f.parquet", "w.csv", "--transpose-features")
    done = run(*argv, cwd=tmp_path).check(4)
    assert done.err.startswith('f.parquet:3:3: "y": a missing value')
    options = ("--on-error", "reject", "--rejects", "r.csv")
    done = run(*argv, *options, cwd=tmp_path).check()
    assert done.rows[1:] == [["x", "14.0", "40.5", "q"]]
    assert read_csv(tmp_path / "r.csv")[1][1:4] == ["3", "3", "y"]


LISTS = {
    "--keep-cols": ("classify", "f.csv", "w.csv"),
    "--missing-values": ("classify", "f.csv", "w.csv"),
    "--target": ("fit", "f.csv"),
    "--drop-cols": ("fit", "f.csv", "--target", "b"),
}


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\n", "a,\r\n", '"a', 'b,"a"c'])
@pytest.mark.parametrize("option", LISTS)
def test_lists_that_are_none(option: str, text: str, tmp_path: Path) -> None:
    rows = [["id", "a", "b"], ["x", 1, 2], ["y", 1, 3], ["z", 2, 4]]
    write_csv(tmp_path / "f.csv", rows)
    write_csv(tmp_path / "w.csv", [["f", "p", "q"], ["a", 1, 0], ["b", 0, 1]])
    done = run(*LISTS[option], option, text, cwd=tmp_path).check(2)
    assert f"{option} is not a comma-separated list; quote a name" in done.err
    assert done.out == b""


def test_lists_with_line_ends_and_quotes_in_their_names(tmp_path: Path) -> None:
    names = ["two\nlines", "a\r\n", 'say "x"', "\n"]
    quoted = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    features = write_csv(tmp_path / "f.csv", [["id", "action", "comedy", *names], "x12abcd"])
    rows = run("classify", features, "genres.csv", "--keep-cols", quoted).check(quiet=True).rows
    assert [row[1:5] for row in rows] == [names, list("abcd")]
    learned = run("fit", features, "--drop-cols", quoted, "--target", "comedy")
    assert [row[0] for row in learned.check().rows] == ["feature (identity)", "action"]
    words = [["id", "action", "comedy"], *(["x", 1, name] for name in names)]
    cells = write_csv(tmp_path / "m.csv", words)
    option = ("--missing-values", quoted, "--missing", "zero")
    scored = run("classify", cells, "genres.csv", *option).check(quiet=True).rows
    zeros = write_csv(tmp_path / "z.csv", [words[0], *(["x", 1, 0] for _ in names)])
    assert scored == run("classify", zeros, "genres.csv").check(quiet=True).rows


def test_id_col() -> None:
    rows = run("classify", *IRIS, "--id-col", "species").check(quiet=True).rows
    assert rows[0][0] == "species" and rows[1][0] == "setosa"
    assert "flowr" in run("classify", *IRIS, "--id-col", "flowr").check(3).err


def test_strict() -> None:
    done = run("classify", *IRIS, "--strict").check(3)
    assert '"species"' in done.err and done.out == b""
    run("classify", *IRIS, "--strict", "--keep-cols", "species").check(quiet=True)


def test_transposes(tmp_path: Path) -> None:
    pair = ("users.csv", "films.csv")
    rows = typed(run("classify", *pair, "--transpose").check(quiet=True).rows)
    assert rows[1:] == [
        ["Amina", pytest.approx(1.47), pytest.approx(0.52), "Orbit Nine"],
        ["Bruno", pytest.approx(0.41), pytest.approx(1.32), "Sunday Lunch"],
        ["Chloe", pytest.approx(0.81), pytest.approx(0.88), "Sunday Lunch"],
    ]
    assert "--transpose" in run("classify", *pair).check(3).err
    expected = run("classify", *pair, "--transpose").check(quiet=True).out
    assert run("classify", *pair, "--auto-transpose").check(quiet=True).out == expected
    turned = write_csv(tmp_path / "f.csv", list(zip(*read_csv(SAMPLES / "users.csv"), strict=True)))
    options = ("--transpose-features", "--transpose")
    assert run("classify", turned, "films.csv", *options).check(quiet=True).out == expected
    assert run("classify", *MOVIES, "--transpose").check(3).out == b""
    auto = run("classify", *MOVIES, "--auto-transpose").check(quiet=True)
    assert auto.out == run("classify", *MOVIES).out


@pytest.mark.parametrize("name", ["(Intercept)", "intercept", "BIAS", "Const", "constant"])
def test_intercept_by_its_name(tmp_path: Path, name: str) -> None:
    rows = [*read_csv(SAMPLES / "genres.csv"), [name, 10, 20, 30]]
    weights = write_csv(tmp_path / "w.csv", rows)
    scores = typed(run("classify", "movies.csv", weights).check(quiet=True).rows)
    expected = [[row[1] + 10, row[2] + 20, row[3] + 30] for row in ROWS]
    assert [row[1:4] for row in scores[1:]] == [pytest.approx(row) for row in expected]
    assert name in run("classify", "movies.csv", weights, "--no-intercept").check(3).err


def test_intercept_named(tmp_path: Path) -> None:
    model = [*read_csv(SAMPLES / "genres.csv"), ["base", 10, 20, 30]]
    weights = write_csv(tmp_path / "w.csv", model)
    assert '"base"' in run("classify", "movies.csv", weights).check(3).err
    rows = run("classify", "movies.csv", weights, "--intercept", "base").check(quiet=True).rows
    assert float(rows[1][1]) == pytest.approx(15.9)
    done = run("classify", "movies.csv", weights, "--intercept", "basis").check(3)
    assert '"base"' in done.err


# Missing values


def missing_files(folder: Path) -> tuple[Path, Path]:
    cells = ["5", "", "NA", " null ", "7"]
    features = write_csv(
        folder / "f.csv", [["id", "a", "b"], *([f"r{i}", c, 1] for i, c in enumerate(cells))]
    )
    return features, write_csv(folder / "w.csv", [["f", "p", "q"], ["a", 1, 0], ["b", 0, 6]])


def test_missing_values_and_their_policies(tmp_path: Path) -> None:
    pair = missing_files(tmp_path)
    assert run("classify", *pair).check(4).err.startswith(f'{pair[0]}:3:2: "a": a missing value; ')
    zero = run("classify", *pair, "--missing", "zero").check(quiet=True).rows[1:]
    assert [float(row[1]) for row in zero] == [5, 0, 0, 0, 7]
    keep = run("classify", *pair, "--missing", "keep").check(quiet=True).rows[1:]
    assert [row[1:] for row in keep[1:4]] == [["NaN", "NaN", ""]] * 3
    assert [row[3] for row in keep] == ["q", "", "", "", "p"]
    options = ("--missing", "skip", "--rejects", tmp_path / "r.csv")
    skip = run("classify", *pair, *options).check().rows[1:]
    assert [row[0] for row in skip] == ["r0", "r4"]


def test_missing_values_replace_the_list(tmp_path: Path) -> None:
    pair = missing_files(tmp_path)
    options = ("--missing", "zero", "--missing-values", "7,null")
    assert '"NA" is not a number' in run("classify", *pair, *options).check(4).err
    options = ("--missing", "zero", "--missing-values", "7,null,NA")
    rows = run("classify", *pair, *options).check(quiet=True).rows[1:]
    assert [float(row[1]) for row in rows] == [5, 0, 0, 0, 0]


def test_missing_is_null_in_json(tmp_path: Path) -> None:
    pair = missing_files(tmp_path)
    records = run("classify", *pair, "--missing", "keep", "-f", "json").check().json
    assert records[1] == {"id": "r1", "p": None, "q": None, "prediction": None}


# Inputs


def test_several_files_are_one_table(tmp_path: Path) -> None:
    header, *rows = read_csv(SAMPLES / "iris.csv")
    whole = run("classify", *IRIS).check(quiet=True)
    order = [0, 3, 2, 1, 4, 5]
    first = write_csv(tmp_path / "1.csv", [header, *rows[:60]])
    second = write_csv(
        tmp_path / "2.csv", [[row[i] for i in order] for row in [header, *rows[60:]]]
    )
    parts = run("classify", first, second, "iris_weights.csv").check(quiet=True)
    assert parts.out == whole.out


def test_rows_are_numbered_over_all_files(tmp_path: Path) -> None:
    for i in range(3):
        write_csv(tmp_path / f"{i}.csv", [["action", "comedy"], [i, 1], [i, 2]])
    files = [tmp_path / f"{i}.csv" for i in range(3)]
    rows = run("classify", *files, "genres.csv", "--chunk-size", "1").check(quiet=True).rows
    assert [row[0] for row in rows] == ["row", "1", "2", "3", "4", "5", "6"]


def test_several_files_of_other_columns_are_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "f.csv", [["id", "action"], ["x", 1]])
    done = run("classify", "movies.csv", tmp_path / "f.csv", "genres.csv").check(3)
    assert '"comedy"' in done.err and done.out == b""


def test_standard_input() -> None:
    for i, argv in enumerate([("-", "genres.csv"), ("movies.csv", "-")]):
        data = (SAMPLES / MOVIES[i]).read_bytes()
        done = run("classify", *argv, stdin=data).check(quiet=True)
        assert typed(done.rows) == [HEADER, *ROWS]


def test_a_pipe_gives_the_same_bytes() -> None:
    data = (SAMPLES / "digits.csv").read_bytes()
    with start("classify", "-", "digits_weights.csv", stdin=subprocess.PIPE) as process:
        out, err = process.communicate(data)
    assert (process.returncode, err) == (0, b"")
    assert out == run("classify", "digits.csv", "digits_weights.csv").out


def test_process_substitution_for_both() -> None:
    script = f"{shlex.join(PROGRAM)} classify <(gzip -c movies.csv) <(cat genres.csv)"
    done = subprocess.run(
        ["bash", "-c", script], cwd=SAMPLES, env=ENVIRONMENT, capture_output=True, check=True
    )
    assert typed(read_csv(done.stdout)) == [HEADER, *ROWS]
    assert done.stderr == b""


def test_parquet_and_arrow_input(tmp_path: Path) -> None:
    expected = run("classify", *IRIS).out
    table = pa.Table.from_pylist(
        [
            {
                name: value if name in ("flower", "species") else float(value)
                for name, value in row.items()
            }
            for row in csv.DictReader((SAMPLES / "iris.csv").read_text().splitlines())
        ]
    )
    pyarrow.parquet.write_table(table, tmp_path / "iris.parquet")
    with pyarrow.ipc.new_file(tmp_path / "iris.arrow", table.schema) as writer:
        writer.write_table(table)
    with pyarrow.ipc.new_stream(tmp_path / "iris.stream", table.schema) as stream:
        stream.write_table(table)
    for name in ("iris.parquet", "iris.arrow", "iris.stream"):
        features = tmp_path / name
        assert run("classify", features, "iris_weights.csv").check(quiet=True).out == expected
        for size in ("1", "300"):
            options = ("--chunk-size", size, "-j", "3")
            done = run("classify", features, "iris_weights.csv", *options).check(quiet=True)
            assert done.out == expected


# The same input gives the same bytes


@pytest.fixture(scope="module")
def quoted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return features with quotes, commas and line ends in their labels, and weights."""
    folder = tmp_path_factory.mktemp("quoted")
    draw = random.Random(1)
    names = [f"x{i}" for i in range(7)]
    labels = ["plain", 'say "so"', "two\nlines", "a,b", "日本\r\n語", "", " "]
    rows = [
        [draw.choice(labels), *(repr(draw.gauss(0, 10 ** draw.randint(-3, 6))) for _ in names)]
        for _ in range(300)
    ]
    weights = [[name, *(draw.gauss(0, 1) for _ in range(4))] for name in names]
    features = write_csv(folder / "f.csv", [["id", *names], *rows])
    return features, write_csv(folder / "w.csv", [["f", *"pqrs"], *weights])


def test_same_bytes_for_every_chunk_size_and_job_count(quoted: tuple[Path, Path]) -> None:
    features, weights = quoted
    argv = ("classify", features, weights, "--probabilities", "--margin")
    expected = run(*argv).check(quiet=True)
    assert [row[0] for row in expected.rows] == [row[0] for row in read_csv(features)]
    sizes = ("100", "1000", "4099", "64k", "1G")
    for size, jobs in [("1", "1"), ("1", "64"), *itertools.product(sizes, ("2", "7"))]:
        done = run(*argv, "--chunk-size", size, "--jobs", jobs).check(quiet=True)
        assert done.out == expected.out


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstd.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


@pytest.mark.parametrize("kind", COMPRESS)
def test_same_bytes_from_compressed_input(
    quoted: tuple[Path, Path], tmp_path: Path, kind: str
) -> None:
    features = tmp_path / f"f.csv{kind}"
    features.write_bytes(COMPRESS[kind](quoted[0].read_bytes()))
    expected = run("classify", *quoted).out
    for size in ("3000", "4M"):
        done = run("classify", features, quoted[1], "--chunk-size", size).check(quiet=True)
        assert done.out == expected


@pytest.mark.parametrize("name", [*READERS, "table"])
def test_two_runs_write_the_same_bytes(quoted: tuple[Path, Path], name: str) -> None:
    one, two = (
        run("classify", *quoted, "-f", name, "--chunk-size", size, "-j", jobs).check(quiet=True)
        for size, jobs in (("30k", "1"), ("30k" if name in ("parquet", "arrow") else "7k", "5"))
    )
    assert one.out == two.out


def test_shuffled_columns_give_the_same_bytes(quoted: tuple[Path, Path], tmp_path: Path) -> None:
    expected = run("classify", *quoted).out
    draw = random.Random(2)
    rows = read_csv(quoted[0])
    model = read_csv(quoted[1])
    for _ in range(3):
        order = draw.sample(range(1, 8), 7)
        features = write_csv(tmp_path / "f.csv", [[row[i] for i in (0, *order)] for row in rows])
        weights = write_csv(tmp_path / "w.csv", [model[0], *draw.sample(model[1:], 7)])
        assert run("classify", features, weights).check(quiet=True).out == expected


def test_permuted_rows_keep_their_scores(quoted: tuple[Path, Path], tmp_path: Path) -> None:
    (header, *rows), (_, *scored) = read_csv(quoted[0]), run("classify", *quoted).rows
    order = random.Random(3).sample(range(len(rows)), len(rows))
    features = write_csv(tmp_path / "f.csv", [header, *(rows[i] for i in order)])
    assert run("classify", features, quoted[1]).rows[1:] == [scored[i] for i in order]


# Options


def test_every_option_has_its_environment_variable() -> None:
    group = typer.main.get_command(make_app())
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        for parameter in command.params:
            longs = [option for option in parameter.opts if option.startswith("--")]
            if not longs or longs == ["--help"]:
                continue
            variable = "MATSCORE_" + longs[0][2:].upper().replace("-", "_")
            apart = f"MATSCORE_{name.upper()}_" + longs[0][2:].upper().replace("-", "_")
            assert parameter.envvar in (variable, apart), longs


def test_every_option_is_in_a_test() -> None:
    text = "".join(file.read_text() for file in Path(__file__).parents[1].rglob("test_*.py"))
    words = set(re.findall(r'"(--?[a-z][-a-z]*)', text))
    group = typer.main.get_command(make_app())
    for command in group.commands.values():  # type: ignore[attr-defined]
        for parameter in command.params:
            options = [*parameter.opts, *parameter.secondary_opts]
            longs = {option for option in options if option.startswith("--")}
            assert longs <= words | {"--help"}


@pytest.mark.parametrize(
    ("variable", "value", "options"),
    [
        ("PRECISION", "1", ("--precision", "1")),
        ("FORMAT", "jsonl", ("--format", "jsonl")),
        ("MARGIN", "1", ("--margin",)),
        ("NO_SCORES", "true", ("--no-scores",)),
        ("KEEP_COLS", "species", ("--keep-cols", "species")),
        ("ID_COL", "species", ("--id-col", "species")),
        ("THRESHOLD", "3", ("--threshold", "3")),
        ("CHUNK_SIZE", "1k", ("--chunk-size", "1k")),
        ("JOBS", "2", ("--jobs", "2")),
        ("DELIMITER", ",", ("--delimiter", ",")),
        ("HEADERS", "1", ("--headers",)),
    ],
)
def test_environment_variables(variable: str, value: str, options: tuple[str, ...]) -> None:
    by_variable = run("classify", *IRIS, env={f"MATSCORE_{variable}": value}).check(quiet=True)
    assert by_variable.out == run("classify", *IRIS, *options).check(quiet=True).out


def test_the_command_line_wins_over_the_environment() -> None:
    done = run("classify", *IRIS, "--precision", "2", env={"MATSCORE_PRECISION": "0"})
    assert done.check().out == run("classify", *IRIS, "--precision", "2").out
    done = run("classify", *IRIS, env={"MATSCORE_PRECISION": "x"}).check(2)
    assert "precision" in done.err.lower()


def test_headers_and_delimiter(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("1;2\n3;4\n")
    (tmp_path / "w.csv").write_text("1;0\n0;1\n")
    pair = (tmp_path / "f.csv", tmp_path / "w.csv")
    for option in ("--no-headers", "-n"):
        rows = run("classify", *pair, option).check(quiet=True).rows
        assert typed(rows) == [["row", 1, 2, "prediction"], [1, 1, 2, 2], [2, 3, 4, 2]]
    (tmp_path / "w.csv").write_text("p;q\n5;0\n0;6\n")
    rows = run("classify", *pair, "--headers", "-d", ";").check(quiet=True).rows
    assert typed(rows) == [["row", "p", "q", "prediction"], [1, 15, 24, "q"]]


def test_decimal_commas(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("id;a;b\nx;1,5;2\n")
    (tmp_path / "w.csv").write_text("f;p;q\na;2;0,5\nb;0;1\n")
    pair = (tmp_path / "f.csv", tmp_path / "w.csv")
    rows = run("classify", *pair, "--decimal", ",", "-d", ";").check(quiet=True).rows
    assert rows[1] == ["x", "3.0", "2.75", "p"]
    assert "--decimal ," in run("classify", *pair, "-d", ";").check(4).err


def test_encoding(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes("id,é\nß,2\n".encode("cp1252"))
    (tmp_path / "w.csv").write_bytes("f,p,q\né,1,2\n".encode("cp1252"))
    rows = run("classify", "f.csv", "w.csv", "--encoding", "cp1252", cwd=tmp_path).check().rows
    assert rows[1] == ["ß", "2.0", "4.0", "q"]


def test_excel_safe(tmp_path: Path) -> None:
    labels = ["=1+1", "+x", "-x", "@x", "x=1", "'y"]
    rows = [["=id", "action", "comedy", "k"], *([label, 1, 2, "-9"] for label in labels)]
    features = write_csv(tmp_path / "f.csv", rows)
    argv = ("classify", features, "genres.csv", "--keep-cols", "k")
    assert [row[0] for row in run(*argv).check(quiet=True).rows[1:]] == labels
    safe = run(*argv, "--excel-safe").check(quiet=True).rows
    assert [row[0] for row in safe] == ["'=id", "'=1+1", "'+x", "'-x", "'@x", "x=1", "'y"]
    assert safe[1][1] == "'-9" and float(safe[1][2]) == 1.5


@pytest.mark.parametrize(
    ("weights", "options", "name"),
    [
        ([["f", "p", "prediction"], ["a", 1, 0], ["b", 0, 1]], (), "prediction"),
        ([["f", "margin", "q"], ["a", 1, 0], ["b", 0, 1]], ("--margin",), "margin"),
        ([["f", "id", "q"], ["a", 1, 0], ["b", 0, 1]], (), "id"),
        ([["f", "p", "a"], ["a", 1, 0], ["b", 0, 1]], ("--keep-cols", "a"), "a"),
        (
            [["f", "p", "probability_p"], ["a", 1, 0], ["b", 0, 1]],
            ("--probabilities",),
            "probability_p",
        ),
    ],
)
def test_two_output_columns_of_one_name_are_refused(
    tmp_path: Path, weights: list[list[object]], options: tuple[str, ...], name: str
) -> None:
    features = write_csv(tmp_path / "f.csv", [["id", "a", "b"], ["x", 1, "bad"]])
    model = write_csv(tmp_path / "w.csv", weights)
    done = run("classify", features, model, *options).check(3)
    assert f'"{name}"' in done.err and done.out == b""


USAGE = {
    "unknown option": (("--transpos",), "--transpose"),
    "misspelt option": (("--precison", "2"), "--precision"),
    "no jobs": (("--jobs", "0"), "--jobs"),
    "jobs in words": (("-j", "many"), "--jobs"),
    "unknown format": (("-f", "cvs"), "csv"),
    "html": (("-f", "xml"), "json"),
    "precision below 0": (("--precision", "-1"), "--precision"),
    "threshold in words": (("--threshold", "high"), "--threshold"),
    "long delimiter": (("-d", ";;"), "tab"),
    "letter as a delimiter": (("-d", "x"), "tab"),
    "unknown encoding": (("--encoding", "utf-9"), "latin-1"),
    "not a text encoding": (("--encoding", "base64"), "latin-1"),
    "no size": (("--chunk-size", "0"), "4M"),
    "unknown policy": (("--missing", "drop"), "skip"),
    "both intercepts": (("--intercept", "a", "--no-intercept"), "contradict"),
    "reject to nowhere": (("--on-error", "reject"), "--rejects"),
    "rejects of none": (("--rejects", "r.csv"), "--on-error reject"),
    "limit of none": (("--max-rejects", "3"), "--on-error reject"),
    "limit in words": (("--on-error", "reject", "--max-rejects", "few"), "percentage"),
    "skip to nowhere": (("--missing", "skip"), "--rejects"),
}


@pytest.mark.parametrize(("options", "words"), USAGE.values(), ids=USAGE)
def test_usage_errors(options: tuple[str, ...], words: str) -> None:
    done = run("classify", *MOVIES, *options, env={"COLUMNS": "200"}).check(2)
    assert done.out == b""
    assert words in done.err


def test_one_file_alone() -> None:
    done = run("classify", "movies.csv").check(2)
    assert done.out == b"" and "WEIGHTS" in done.err


# Messages and colour


def test_quiet_and_verbose(tmp_path: Path) -> None:
    assert run("classify", *IRIS).check().err == ""
    done = run("classify", *IRIS, "--verbose").check()
    assert 'left out: "species"' in done.err
    assert done.out == run("classify", *IRIS).out
    features = write_csv(tmp_path / "f.csv", [["id", "action", "comedy"], ["x", 1, ""]])
    argv = ("classify", features, "genres.csv", "--missing", "skip", "--rejects", tmp_path / "r")
    assert "1 row rejected" in run(*argv).check().err
    assert run(*argv, "--quiet").check().err == ""
    assert run(*argv, "-q", "-v").check().err == ""
    assert "no such file" in run("classify", "-q", "nothing.csv", "genres.csv").check(5).err


def test_facts_are_said_on_a_terminal() -> None:
    code, shown = run_on_terminal("classify", *IRIS, terminals=("stderr",))
    assert code == 0 and b"left out" in shown["stderr"]
    assert shown["stdout"] == run("classify", *IRIS).out
    code, shown = run_on_terminal("classify", *IRIS, "-q", terminals=("stderr",))
    assert code == 0 and shown["stderr"] == b""


def test_a_terminal_gets_a_table() -> None:
    code, shown = run_on_terminal("classify", *MOVIES, terminals=("stdout",))
    assert code == 0
    assert "(3 × 2) · (2 × 3)" in shown["stdout"].decode()
    assert shown["stderr"] == b""
    code, shown = run_on_terminal("classify", *MOVIES, "-f", "csv", terminals=("stdout",))
    assert b"\x1b" not in shown["stdout"]
    assert shown["stdout"].replace(b"\r\n", b"\n") == run("classify", *MOVIES).out


COLORS: dict[str, tuple[dict[str, str], tuple[str, ...], bool, bool]] = {
    # environment, options, colour on a terminal, colour in a pipe
    "as it is": ({}, (), True, False),
    "NO_COLOR": ({"NO_COLOR": "1"}, (), False, False),
    "NO_COLOR empty": ({"NO_COLOR": ""}, (), True, False),
    "TERM=dumb": ({"TERM": "dumb"}, (), False, False),
    "FORCE_COLOR": ({"FORCE_COLOR": "1"}, (), True, True),
    "never": ({}, ("--color", "never"), False, False),
    "never over FORCE_COLOR": ({"FORCE_COLOR": "1"}, ("--color", "never"), False, False),
    "always": ({}, ("--color", "always"), True, True),
    "always over NO_COLOR": ({"NO_COLOR": "1"}, ("--color", "always"), True, True),
    "by its variable": ({"MATSCORE_COLOR": "always"}, (), True, True),
}


@pytest.mark.parametrize("terminal", ["stdout", "stderr"])
@pytest.mark.parametrize(("env", "options", "seen", "piped"), COLORS.values(), ids=COLORS)
def test_colour_of_each_stream_by_itself(
    terminal: str, env: dict[str, str], options: tuple[str, ...], seen: bool, piped: bool
) -> None:
    argv = ("classify", *IRIS, "-f", "table", "-v", *options)
    code, shown = run_on_terminal(*argv, terminals=(terminal,), env=env)
    assert code == 0
    for name in ("stdout", "stderr"):
        assert (b"\x1b[" in shown[name]) == (seen if name == terminal else piped), name


def test_data_is_never_coloured() -> None:
    for name in ("csv", "tsv", "json", "jsonl", "markdown"):
        done = run("classify", *MOVIES, "-f", name, "--color", "always", env={"FORCE_COLOR": "1"})
        assert b"\x1b" not in done.check().out


def test_the_program_by_its_own_name() -> None:
    done = finish(start("classify", *MOVIES)).check(quiet=True)
    assert done.out == run("classify", *MOVIES).out


def test_a_first_column_without_a_heading_has_none_in_the_output(tmp_path: Path) -> None:
    features = write_csv(tmp_path / "f.csv", [["", "action", "comedy"], ["007", 1, 2]])
    genres = SAMPLES / "genres.csv"
    for more in ((), ("-k", "1"), ("--chunk-size", "1")):
        rows = run("classify", features, genres, *more).check().rows
        assert (rows[0][0], rows[1][0]) == ("", "007")
    assert run("classify", features, genres, "-f", "json").check().json[0][""] == "007"
    run("classify", features, genres, "-o", tmp_path / "s.parquet").check()
    assert pyarrow.parquet.read_schema(tmp_path / "s.parquet").names[0] == ""
    # What was written is read again, and the labels find each other without a name.
    scores = tmp_path / "s.csv"
    run("classify", features, genres, "-o", scores, "--no-scores").check()
    truth = ("--truth-file", scores)
    assert run("evaluate", features, genres, *truth, "-f", "json").check().json["rows"] == 1
