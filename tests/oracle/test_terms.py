"""Raw tables against what terms are by definition, and against the tools of their models."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import numpy as np
import numpy.typing as npt
import pytest

from tests.helpers import read_csv, run
from tests.oracle import terms_cases, terms_sklearn
from tests.oracle.terms_cases import write_table

SEEDS = int(os.environ.get("TERMS_SEEDS", "600"))  # of the slow tests


@pytest.mark.parametrize("seed", range(30))
def test_raw_and_encoded_tables_give_the_same_bytes(seed: int, tmp_path: Path) -> None:
    compare_encoded(seed, tmp_path)


@pytest.mark.slow
def test_many_raw_and_encoded_tables_give_the_same_bytes(tmp_path: Path) -> None:
    n_rows = sum(compare_encoded(seed, tmp_path) for seed in range(1000, 1000 + SEEDS))
    print(f"{SEEDS} tables, {n_rows} rows")


def compare_encoded(seed: int, folder: Path) -> int:
    """Compare one case; return the number of rows that have scores."""
    case = terms_cases.Maker(seed).make()
    raw, encoded, n_bad, n_rejected = terms_cases.compare(case, folder)
    raw.check()
    encoded.check()
    assert raw.out == encoded.out, seed
    assert n_bad == n_rejected, seed
    return len(case.rows) - n_bad


@pytest.mark.parametrize("seed", range(15))
def test_typed_tables_give_the_same_values(seed: int, tmp_path: Path) -> None:
    text, parquet, frame = terms_cases.compare_typed(terms_cases.Maker(seed).make(), seed, tmp_path)
    assert parquet == text
    assert terms_cases.same_cells(frame) == terms_cases.same_cells(text)


@dataclass
class Agreement:
    """What has been compared with a tool, and how well it agrees."""

    counts: Counter[str] = field(default_factory=Counter)
    largest: float = 0.0  # difference, of numbers above 1 a relative one

    def compare(self, ours: npt.ArrayLike, theirs: npt.ArrayLike) -> None:
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        assert ours.shape == theirs.shape
        if ours.size:
            gap = float((np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))).max())
            assert gap < 1e-9
            self.largest = max(self.largest, gap)
            self.counts["numbers"] += ours.size


@pytest.mark.parametrize("seed", range(12))
def test_pipelines_of_scikit_learn_as_terms(seed: int, tmp_path: Path) -> None:
    compare_pipeline(seed, tmp_path, Agreement())


@pytest.mark.slow
def test_many_pipelines_of_scikit_learn_as_terms(tmp_path: Path) -> None:
    agreement = Agreement()
    for seed in range(1000, 1000 + SEEDS):
        compare_pipeline(seed, tmp_path, agreement)
    print(dict(agreement.counts), agreement.largest)


@pytest.mark.parametrize("seed", range(10))
def test_pipelines_of_scikit_learn_by_import(seed: int, tmp_path: Path) -> None:
    compare_pipeline(seed, tmp_path, Agreement(), imported=True)


def compare_pipeline(
    seed: int, folder: Path, agreement: Agreement, *, imported: bool = False
) -> None:
    """Compare a random pipeline's own answers with those of its weights on the raw file.

    The weights are those of the oracle, or what `import` makes of the pipeline's own file.
    """
    fitted = terms_sklearn.Maker(seed).make()
    raw = fitted.frame.copy()
    raw.insert(0, "id", [f"r{i}" for i in range(len(raw))])
    raw.to_csv(folder / "raw.csv", index=False, lineterminator="\n")
    if imported:
        joblib.dump(fitted.model, folder / "model.joblib")
        # A sample without what the model has never seen, which it does not take for a level.
        known = ~raw.isin(["Nowhere", *terms_sklearn.UNKNOWN.values()]).any(axis=1)
        raw[known].to_csv(folder / "sample.csv", index=False, lineterminator="\n")
        run("import", "model.joblib", "--sample=sample.csv", "-o", "w.csv", cwd=folder).check()
    else:
        rows = zip(fitted.names, fitted.weights, strict=True)
        weights = [["feature", *fitted.categories], *([name, *map(repr, w)] for name, w in rows)]
        write_table(folder / "w.csv", weights)
    with_odds = hasattr(fitted.model, "predict_proba")
    done = run(
        "classify", "raw.csv", "w.csv", "--id-col=id", "--on-error=reject", "--rejects=rejects.csv",
        *["--probabilities"] * with_odds, cwd=folder,
    ).check()  # fmt: skip
    header, *found = done.rows
    accepted = [i for i, refused in enumerate(fitted.refused) if not refused]
    assert [row[0] for row in found] == [f"r{i}" for i in accepted], seed
    if any(fitted.refused):
        assert len(read_csv(folder / "rejects.csv")) - 1 == sum(fitted.refused)
    if found:
        compare_answers(fitted, header, found, agreement)
    agreement.counts["pipelines"] += 1
    agreement.counts["rows"] += len(found)
    agreement.counts["refused"] += sum(fitted.refused)
    agreement.counts["levels"] += sum("=" in name and ":" not in name for name in fitted.names)


def compare_answers(
    fitted: terms_sklearn.Fitted, header: list[str], found: list[list[str]], agreement: Agreement
) -> None:
    """Compare scores, probabilities and predictions."""
    accepted = fitted.frame[[not refused for refused in fitted.refused]]
    columns = dict(zip(header, zip(*found, strict=True), strict=True))
    names = header[1 : 1 + len(fitted.categories)]  # `import` has its own for numbers
    scores = np.array([columns[name] for name in names], dtype=np.float64).T
    model, is_regression = fitted.model, not hasattr(fitted.model, "decision_function")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = model.predict(accepted) if is_regression else model.decision_function(accepted)
        predicted = model.predict(accepted)
        odds = model.predict_proba(accepted) if hasattr(model, "predict_proba") else None
    if is_regression:
        agreement.compare(scores, np.reshape(theirs, scores.shape))
        return
    agreement.compare(scores[:, 1] if theirs.ndim == 1 else scores, theirs)
    first, second = np.sort(scores, axis=1)[:, -1], np.sort(scores, axis=1)[:, -2]
    for i in np.flatnonzero(first - second > 1e-9):
        assert columns["prediction"][i] == str(predicted[i])
        agreement.counts["predictions"] += 1
    if odds is not None:
        names = [f"probability_{name}" for name in fitted.categories]
        agreement.compare(np.array([columns[name] for name in names], np.float64).T, odds)
