"""Scores, labels and probabilities are scikit-learn's, from DataFrames and from files alike."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from matscore import OutputOptions, ReadOptions, RunOptions, ScoreOptions, classify, classify_file
from matscore.kernel import Floats
from tests.helpers import read_csv, write_csv

NAMES = ("iris", "wine", "digits", "breast_cancer")


@dataclass(frozen=True)
class Case:
    """A fitted model as two tables, and what scikit-learn says of its rows."""

    features: pd.DataFrame
    weights: pd.DataFrame
    scores: Floats  # (n_rows, n_categories)
    labels: list[str]
    probabilities: Floats


@functools.cache
def fit(name: str) -> Case:
    """Fit on columns of one scale; two classes become the categories [0, w]."""
    source = getattr(datasets, f"load_{name}")()
    names = [str(feature) for feature in source.feature_names]
    X = StandardScaler().fit_transform(source.data)
    y = [f"is {source.target_names[k]}" for k in source.target]
    model = LogisticRegression(C=0.1, max_iter=1000).fit(X, y)
    coefficients, intercepts, scores = model.coef_, model.intercept_, model.decision_function(X)
    if scores.ndim == 1:
        coefficients = np.vstack([0 * coefficients, coefficients])
        intercepts, scores = np.append(0.0, intercepts), np.column_stack([0 * scores, scores])
    columns = [*model.classes_]
    weights = pd.DataFrame(coefficients.T, names, columns)
    weights.loc["(Intercept)"] = intercepts
    features = pd.DataFrame(X, [f"{i:05}" for i in range(len(X))], names).rename_axis("row")
    return Case(features, weights, scores, [*model.predict(X)], model.predict_proba(X))


def shuffle(case: Case, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables with their columns of features and rows of weights in other orders."""
    features = case.features.sample(frac=1, axis=1, random_state=seed)
    return features, case.weights.sample(frac=1, random_state=seed + 1)


def score_files(
    folder: Path, features: pd.DataFrame, weights: pd.DataFrame, options: ScoreOptions, **run: Any
) -> pd.DataFrame:
    """Score through files, written and read by the csv module."""
    for name, frame in (("features.csv", features), ("weights.csv", weights)):
        write_csv(folder / name, [["name", *frame.columns], *frame.reset_index().to_numpy()])
    classify_file(
        folder / "features.csv",
        folder / "weights.csv",
        folder / "scores.csv",
        score=options,
        write=OutputOptions(margin=True),
        run=RunOptions(**run),
    )
    header, *records = read_csv(folder / "scores.csv")
    found = pd.DataFrame(records, columns=header).set_index("name")
    numbers = found.columns.drop("prediction", errors="ignore")
    return found.astype(dict.fromkeys(numbers, float))


def assert_agrees(result: pd.DataFrame, case: Case) -> None:
    categories = list(case.weights.columns)
    assert list(result["prediction"]) == case.labels
    np.testing.assert_allclose(result[categories], case.scores, rtol=1e-12, atol=1e-13)
    chances = result[[f"probability_{category}" for category in categories]]
    np.testing.assert_allclose(chances, case.probabilities, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_frames(name: str) -> None:
    case = fit(name)
    result = classify(case.features, case.weights, probabilities=True)
    assert_agrees(result, case)
    shuffled = classify(*shuffle(case), probabilities=True)
    pd.testing.assert_frame_equal(shuffled, result, check_exact=True)


@pytest.mark.parametrize("name", NAMES)
def test_files(name: str, tmp_path: Path) -> None:
    case = fit(name)
    found = score_files(tmp_path, *shuffle(case), ScoreOptions(probabilities=True))
    assert list(found.index) == list(case.features.index)
    assert_agrees(found, case)
    expected = classify(case.features, case.weights, probabilities=True, margin=True)
    assert list(found.columns) == list(expected.columns)
    for column in expected:
        assert list(found[column]) == list(expected[column])  # to the last bit


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_files_in_small_chunks(n_jobs: int, tmp_path: Path) -> None:
    case, options = fit("digits"), ScoreOptions(probabilities=True)
    score_files(tmp_path, *shuffle(case, seed=5), options, n_jobs=n_jobs, chunk_bytes=20_000)
    small = (tmp_path / "scores.csv").read_bytes()
    score_files(tmp_path, *shuffle(case), options)
    assert small == (tmp_path / "scores.csv").read_bytes()


def test_one_column_of_weights(tmp_path: Path) -> None:
    """With the logistic function, one column says what two classes need."""
    case = fit("breast_cancer")
    features, weights = shuffle(case)
    second = case.weights.columns[1]
    options = ScoreOptions(probabilities=True, threshold=0.5)
    found = score_files(tmp_path, features, weights[[second]], options)
    expected = [label if label == second else "" for label in case.labels]
    assert list(found["prediction"]) == expected
    np.testing.assert_allclose(found[second], case.scores[:, 1], rtol=1e-12, atol=1e-13)
    chances = found[f"probability_{second}"]
    np.testing.assert_allclose(chances, case.probabilities[:, 1], rtol=1e-12, atol=1e-12)
    frame = classify(features, weights[[second]], probabilities=True, threshold=0.5)
    assert list(frame["prediction"].fillna("")) == expected
    for column in (second, f"probability_{second}"):
        assert list(found[column]) == list(frame[column])


def test_missing_cells_are_kept_alike(tmp_path: Path) -> None:
    case = fit("wine")
    features = case.features.copy()
    features.iloc[::7, 3] = np.nan
    expected = classify(features, case.weights, missing="keep")
    given, model, output = (tmp_path / name for name in ("features.csv", "weights.csv", "out.csv"))
    features.to_csv(given)
    case.weights.to_csv(model)
    classify_file(given, model, output, read=ReadOptions(missing="keep"))
    header, *records = read_csv(output)
    assert header[1:] == list(expected.columns)
    assert [record[-1] for record in records] == list(expected["prediction"].fillna(""))
    numbers = np.array([record[1:-1] for record in records], dtype=np.float64)
    np.testing.assert_array_equal(numbers, expected.drop(columns="prediction"))
    assert np.isnan(numbers[::7]).all()
