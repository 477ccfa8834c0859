"""What pages show of all rows: statistics that add up, rejected rows by reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matscore import OutputOptions, ReadOptions, RunOptions, ScoreOptions, Summary, classify_file
from matscore.commands.classify import ScoreTally
from matscore.numerics.statistics import (
    MAX_REASONS,
    N_CLOSEST,
    N_EXAMPLES,
    N_FIRST,
    N_TIED,
    Reasons,
    ScoreStatistics,
)
from matscore.read.rows import Reject
from tests.helpers import SAMPLES, run, write_csv

GENRES = SAMPLES / "genres.csv"


def gather(features: Path, weights: Path, **options: Any) -> ScoreStatistics:
    run_options = RunOptions(
        options.pop("n_jobs", 1), options.pop("chunk_bytes", None), gather=("page", "plot")
    )
    summary: Summary[ScoreTally] = classify_file(features, weights, run=run_options, **options)
    assert summary.tally.statistics is not None
    return summary.tally.statistics


def text_of(found: ScoreStatistics) -> str:
    """Everything there is, as text; arrays whole."""
    with np.printoptions(threshold=10**9):
        return repr(found)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two thousand films with ties and whole numbers, so that many margins are equal."""
    rng = np.random.default_rng(5)
    rows = [[f"f{i}", *rng.integers(-3, 9, size=2)] for i in range(2000)]
    return write_csv(tmp_path_factory.mktemp("s") / "f.csv", [["film", "action", "comedy"], *rows])


@pytest.mark.parametrize(("chunk_bytes", "n_jobs"), [(64, 1), (777, 2), (5000, 2), (10**6, 1)])
def test_the_same_for_every_chunk_size_and_job_count(
    films: Path, chunk_bytes: int, n_jobs: int
) -> None:
    expected = text_of(gather(films, GENRES))
    assert text_of(gather(films, GENRES, chunk_bytes=chunk_bytes, n_jobs=n_jobs)) == expected


def test_the_closest_rows_are_those_of_the_output(films: Path) -> None:
    found = gather(films, GENRES)
    rows = run("classify", films, GENRES, "--margin").check().rows[1:]
    margins = [(float(row[-1]), number, row[0]) for number, row in enumerate(rows, 1)]
    closest = sorted(row for row in margins if row[0] > 0)[:N_CLOSEST]
    assert [(row.margin, row.number, row.label) for row in found.closest] == closest
    tied = [(number, label) for margin, number, label in margins if margin == 0]
    assert len(tied) > N_TIED
    assert [(row.number, row.label) for row in found.tied] == tied[:N_TIED]
    for row in (*found.closest, *found.tied):
        scores = [float(cell) for cell in rows[row.number - 1][1:4]]
        assert row.best_score == scores[row.best] == pytest.approx(max(scores))
        assert row.second_score == scores[row.second]
        assert row.best != row.second


def test_distributions_are_those_of_the_output(films: Path) -> None:
    found = gather(films, GENRES)
    rows = run("classify", films, GENRES, "--margin").check().rows[1:]
    scores = np.array([[float(cell) for cell in row[1:4]] for row in rows])
    for sketch, values in (
        (found.best, scores.max(axis=1)),
        (found.margin, np.array([float(row[-1]) for row in rows])),
    ):
        assert (sketch.low[0], sketch.high[0]) == (values.min(), values.max())
        assert int(sketch.n_numbers[0]) == len(values)
    assert found.scores.low.tolist() == scores.min(axis=0).tolist()
    assert found.features.low.tolist() == [-3, -3] and found.features.high.tolist() == [8, 8]
    assert [row.label for row in found.first] == [row[0] for row in rows[:N_FIRST]]


def test_row_numbers_count_rejected_rows_and_earlier_files(tmp_path: Path) -> None:
    heading = ["film", "action", "comedy"]
    one = write_csv(tmp_path / "1.csv", [heading, ["a", "x", 1], ["b", 1, 2], ["c", "y", 1]])
    two = write_csv(tmp_path / "2.csv", [heading, ["d", 5, 2]])
    found = gather([one, two], GENRES, **reject(tmp_path))  # type: ignore[arg-type]
    assert [(row.number, row.label) for row in found.first] == [(2, "b"), (4, "d")]


def reject(folder: Path) -> dict[str, Any]:
    from matscore import RejectOptions

    return {"rejects": RejectOptions("reject", folder / "r.csv")}


def test_missing_values_and_rows_without_prediction(tmp_path: Path) -> None:
    rows = [["film", "action", "comedy"], ["a", "", 1], ["b", 5, 2], ["c", 0, 0.1]]
    features = write_csv(tmp_path / "f.csv", rows)
    read, score = ReadOptions(missing="keep"), ScoreOptions(threshold=1.0)
    found = gather(features, GENRES, read=read, score=score)
    assert found.features.missing.tolist() == [1, 0]
    assert found.best.missing.tolist() == [1]
    assert found.margin.n_numbers.tolist() == [1]  # of b, which alone has a prediction
    assert [row.label for row in found.closest] == ["b"]
    assert [row.best for row in found.first] == [-1, 0, -1]


def test_a_single_category_has_no_margin(tmp_path: Path) -> None:
    features = write_csv(tmp_path / "f.csv", [["film", "action"], ["a", 1], ["b", 2]])
    weights = write_csv(tmp_path / "w.csv", [["feature", "risk"], ["action", 0.5]])
    for options in (ScoreOptions(), ScoreOptions(threshold=0.7)):
        found = gather(features, weights, score=options)
        assert found.margin.n_numbers.tolist() == [0]
        assert not found.closest and not found.tied
        assert found.best.high.tolist() == [1.0]


def test_no_rows(tmp_path: Path) -> None:
    features = write_csv(tmp_path / "f.csv", [["film", "action", "comedy"]])
    found = gather(features, GENRES)
    assert not found.first and not found.closest
    assert found.features.n_numbers.tolist() == [0, 0]


def test_nothing_is_gathered_unless_asked_for() -> None:
    summary = classify_file(SAMPLES / "movies.csv", GENRES, write=OutputOptions("csv"))
    assert summary.tally.statistics is None


def test_long_labels_are_cut(tmp_path: Path) -> None:
    features = write_csv(tmp_path / "f.csv", [["film", "action", "comedy"], ["x" * 10**6, 1, 2]])
    assert len(gather(features, GENRES).first[0].label) < 300


def make_reject(error: str, name: str | None = "action", line: int = 2, text: str = "x") -> Reject:
    return Reject(line, 2, name, error, "mend it", text)


def test_cells_are_no_part_of_a_reason() -> None:
    reasons = Reasons()
    errors = ['"5%" is not a number', '"a "b" c" is not a number', "a missing value"]
    reasons.add("f.csv", [make_reject(error) for error in errors])
    assert [(reason.what, n) for reason, n in reasons.counts.items()] == [
        ('"…" is not a number', 2),
        ("a missing value", 1),
    ]


def test_columns_and_places_in_the_text() -> None:
    reasons = Reasons()
    for offset in (3, 77):
        reasons.add(
            "f", [make_reject(f"the text is not UTF-8: byte 0xe9 at offset {offset}", None)]
        )
    reasons.add("f", [make_reject("a missing value", "a"), make_reject("a missing value", "b")])
    assert list(reasons.counts.values()) == [2, 1, 1]


def test_memory_is_bounded() -> None:
    reasons = Reasons()
    for i in range(MAX_REASONS + 50):
        reasons.add("f", [make_reject(f"reason {i}", text="y" * 10**5)])
    assert len(reasons.counts) == MAX_REASONS and reasons.n_other == 50
    assert reasons.n_rows == MAX_REASONS + 50
    assert len(reasons.examples) == N_EXAMPLES
    assert all(len(one.text) < 300 for one in reasons.examples)
