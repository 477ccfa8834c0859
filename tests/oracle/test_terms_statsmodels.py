"""Formulas of statsmodels on its own data, as terms on the raw files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers import run
from tests.oracle.terms_cases import write_table
from tests.oracle.terms_statsmodels import MODELS, Model, fit


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.data}: {model.formula}")
def test_formulas_of_statsmodels_as_terms(model: Model, tmp_path: Path) -> None:
    fitted = fit(model)
    fitted.data.to_csv(tmp_path / "raw.csv", index=False, lineterminator="\n")
    categories = [f"c{k}" for k in range(len(fitted.weights[0]))]
    rows = zip(fitted.names, fitted.weights, strict=True)
    write_table(
        tmp_path / "w.csv", [["feature", *categories], *([name, *map(repr, w)] for name, w in rows)]
    )
    options = ["--probabilities"] * (fitted.odds is not None)
    done = run("classify", "raw.csv", "w.csv", "--no-id-col", *options, cwd=tmp_path).check()
    header, *found = done.rows
    columns = dict(zip(header, zip(*found, strict=True), strict=True))
    scores = np.array([columns[name] for name in categories], np.float64).T
    theirs = fitted.linear
    if fitted.odds is not None:
        scores = scores[:, 1:]
        names = [f"probability_{name}" for name in categories]
        odds = np.array([columns[name] for name in names], np.float64).T
        np.testing.assert_allclose(odds, fitted.odds, atol=1e-12)
    gap = float((np.abs(scores - theirs) / np.maximum(1, np.abs(theirs))).max())
    assert gap < 1e-11
    print(f"{model.data}: {scores.size} scores, {fitted.n_levels} levels, {gap:.1e}")
