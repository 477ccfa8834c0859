"""From a fitted pipeline to a weights file, and from a raw CSV file to its scores."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from matscore import OutputOptions, RejectOptions, ScoreOptions, classify_file, import_model
from matscore.models.records import Array
from tests.models.pipelines import make_case
from tests.models.sklearn_answers import as_columns, ask, check_close, same_label


def classify(
    folder: Path, frame: pd.DataFrame, *, probabilities: bool
) -> list[dict[str, str] | None]:
    """Return what the program writes of each row; None where it rejects one."""
    raw = frame.copy()
    raw.insert(0, "id", [f"r{i}" for i in range(len(raw))])
    raw.to_csv(folder / "raw.csv", index=False)
    classify_file(
        folder / "raw.csv",
        folder / "weights.csv",
        folder / "scores.csv",
        score=ScoreOptions(probabilities=probabilities),
        write=OutputOptions(),
        rejects=RejectOptions(on_error="reject", path=folder / "rejects.csv"),
    )
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as stream:
        found = {row["id"]: row for row in csv.DictReader(stream)}
    return [found.get(name) for name in raw["id"]]


def pick(rows: list[dict[str, str] | None], names: list[str]) -> Array:
    """Return columns of the program's output, NaN where a row was rejected."""
    empty = dict.fromkeys(names, "nan")
    return np.array([[float((row or empty)[name]) for name in names] for row in rows])


def check(model: Any, frame: pd.DataFrame, folder: Path) -> None:
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    has_threshold = import_model(folder / "model.pkl").model.threshold is not None
    # With a threshold of its own the labels are compared, for which the scores are shifted.
    imported = import_model(folder / "model.pkl", at_threshold=True)
    imported.weights.to_csv(folder / "weights.csv")
    found = imported.model
    categories = list(found.categories)
    has_chances = hasattr(model, "predict_proba") and found.link != "identity" and not has_threshold
    rows = classify(folder, frame, probabilities=has_chances)
    answers = ask(model, frame)
    scores = pick(rows, categories)
    if len(categories) == as_columns(answers["predict"]).shape[1]:
        ours = np.exp(scores) if found.link == "exp" else scores
        check_close(ours, as_columns(answers["predict"]))
        return
    if not has_threshold:
        theirs = as_columns(answers["decision_function"])
        check_close(scores[:, 1:] if theirs.shape[1] == 1 else scores, theirs)
    if has_chances:
        names = [f"probability_{category}" for category in categories]
        check_close(pick(rows, names), as_columns(answers["predict_proba"]))
    for row, label in zip(rows, answers["predict"], strict=True):
        assert (row is None) == (label is None)
        assert row is None or same_label(row["prediction"], label)


@pytest.mark.parametrize("seed", range(12))
def test_a_raw_file_gets_the_scores_of_the_pipeline(seed: int, tmp_path: Path) -> None:
    case = make_case(1000 + seed)
    check(case.model, case.rows, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12, 200))
def test_raw_files_of_many_pipelines(seed: int, tmp_path: Path) -> None:
    test_a_raw_file_gets_the_scores_of_the_pipeline(seed, tmp_path)
