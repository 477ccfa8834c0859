"""Answers of a tool for rows of a raw CSV file, and how far an imported model is from them."""

from __future__ import annotations

import io
import math
import pickle
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import joblib
import numpy as np
import pandas as pd

from matscore.models.bounds import inflate
from matscore.models.pickles import read_pickle
from matscore.models.records import Array
from matscore.models.saved import read_saved
from matscore.models.sources import read_object
from matscore.models.types import ImportedModel
from tests.models.exact import BadRowError, score

Row = Mapping[str, str | None]
CLOSE = 1e-12  # relative to the largest score


def ask(model: Any, frame: Any) -> dict[str, Any]:
    """Return what a fitted scikit-learn model says of rows; NaN and None where it refuses one."""
    answers: dict[str, Any] = {}
    for name in ("decision_function", "predict", "predict_proba"):
        if hasattr(model, name):
            answers[name] = _ask_each(getattr(model, name), frame)
    return answers


def _ask_each(function: Any, frame: Any) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of unknown levels
        return _ask_rows(function, frame)


def _ask_rows(function: Any, frame: Any) -> list[Any]:
    try:
        return list(np.asarray(function(frame)).tolist())
    except ValueError:
        pass
    found = []
    for i in range(len(frame)):
        try:
            found.append(np.asarray(function(frame.iloc[i : i + 1])).tolist()[0])
        except ValueError:
            found.append(None)
    return found


def score_rows(model: ImportedModel, rows: Sequence[Row]) -> Array:
    """Return scores of shape (n_rows, n_categories), NaN in rows that are refused."""
    found = np.full((len(rows), len(model.categories)), np.nan)
    for scores, row in zip(found, rows, strict=True):
        try:
            scores[:] = score(model, row)
        except (BadRowError, ValueError):  # of ValueError: outside of a function's domain
            continue
    return found


def compare(model: ImportedModel, rows: Sequence[Row], answers: Mapping[str, Any]) -> float:
    """Check scores, labels and probabilities; return the largest relative difference of scores."""
    scores = score_rows(model, rows)
    largest = 0.0
    if "decision_function" in answers:
        theirs = as_columns(answers["decision_function"])
        # Of two vectors, which old versions made of one, the second is what they say.
        ours = scores[:, 1:] if theirs.shape[1] == 1 < scores.shape[1] else scores
        largest = check_close(ours, theirs)
    elif (
        model.link in ("identity", "exp")
        and len(model.categories) == as_columns(answers["predict"]).shape[1]
    ):
        ours = np.exp(scores) if model.link == "exp" else scores
        largest = check_close(ours, as_columns(answers["predict"]))
    if "predict" in answers and len(model.categories) > as_columns(answers["predict"]).shape[1]:
        check_labels(model, rows, answers["predict"])
    if "predict_proba" in answers and model.link != "identity":
        largest = max(
            largest, check_close(probabilities(scores, model), as_columns(answers["predict_proba"]))
        )
    return largest


def as_columns(answers: Sequence[Any]) -> Array:
    width = next((len(a) if isinstance(a, list) else 1 for a in answers if a is not None), 1)
    rows = [[math.nan] * width if a is None else a if isinstance(a, list) else [a] for a in answers]
    return np.array(rows, dtype=object if any(isinstance(row[0], str) for row in rows) else float)


def check_close(ours: Array, theirs: Array) -> float:
    assert ours.shape == theirs.shape
    refused = np.isnan(theirs).any(axis=1)
    assert (np.isnan(ours).any(axis=1) == refused).all(), "other rows are refused"
    if refused.all():
        return 0.0
    difference = np.abs(ours - theirs)[~refused].max()
    largest = float(difference / max(1.0, np.abs(theirs[~refused]).max()))
    assert largest <= CLOSE, f"they differ by {largest}"
    return largest


def check_labels(model: ImportedModel, rows: Sequence[Row], labels: Sequence[Any]) -> None:
    """Check the labels, of a tool with a threshold after its shift."""
    model = model.at_threshold()
    scores = score_rows(model, rows)
    for row, label in zip(scores, labels, strict=True):
        assert (label is None) == bool(np.isnan(row).any())
        if label is not None:
            assert same_label(model.categories[int(np.argmax(row))], label)


def same_label(category: str, label: Any) -> bool:
    """Whether a category is a label, numbers by their value."""
    return category == str(label) or (isinstance(label, float) and float(category) == label)


def probabilities(scores: Array, model: ImportedModel) -> Array:
    """Return them by the definition of the link."""
    if model.link == "one-vs-rest":
        with np.errstate(over="ignore"):
            parts: Array = 1 / (1 + np.exp(-scores))
    else:
        parts = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Array = parts / parts.sum(axis=1, keepdims=True)
    return shares


def as_rows(frame: Any) -> list[Row]:
    """Return the cells of a frame as a CSV file would have them."""
    lines = frame.to_csv(index=False, na_rep="").encode()
    import csv
    import io

    return [
        {key: value or None for key, value in row.items()}
        for row in csv.DictReader(io.StringIO(lines.decode()))
    ]


def save(model: Any, way: int) -> bytes:
    """Return a model as it is saved: by pickle, or by joblib with a compression."""
    if way < 4:
        return pickle.dumps(model, way + 2)
    stream = io.BytesIO()
    compress: Any = [0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 2), ("xz", 2)][way - 4]
    joblib.dump(model, stream, compress=compress)
    return inflate(stream.getvalue())


def load(model: Any, way: int = 3) -> ImportedModel:
    """Return a model that was saved and imported."""
    return read_saved(read_pickle(save(model, way)))


def fit(model: Any, features: pd.DataFrame, target: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(features, target)


def check(model: Any, features: pd.DataFrame, way: int = 3) -> ImportedModel:
    """Check an imported model, and the same from memory, against the fitted one."""
    found = load(model, way)
    answers = ask(model, features)
    compare(found, as_rows(features), answers)
    compare(read_object(model), as_rows(features), answers)
    return found
