"""Files of R and PMML through the whole program: import, then classify the raw rows.

The tool's own answers are the oracle; a row that the tool has no answer for has none here.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from matscore import PlanOptions, ReadOptions, classify_file
from matscore.commands.import_model import import_file
from matscore.models.options import ImportOptions
from tests.models.test_pmml import answer, read_content
from tests.models.test_r_models import PENALTIES, softmax

HERE = Path(__file__).parent
KEEP = ReadOptions(missing="keep", unknown="keep")
# An intercept alone is no weights file; columns without names are no columns of raw.csv.
CASES = [
    (kind, path.stem)
    for kind in ("r", "pmml")
    for path in sorted((HERE / kind).glob("*.csv"))
    if path.stem not in ("raw", "lm_mean", "glmnet_unnamed")
]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_raw_rows_get_the_tools_own_answers(kind: str, name: str, tmp_path: Path) -> None:
    weights, out = tmp_path / "weights.csv", tmp_path / "out.csv"
    (model,) = (path for path in (HERE / kind).glob(f"{name}.*") if path.suffix != ".csv")
    if kind == "pmml":
        model = tmp_path / model.name
        model.write_bytes(read_content(name))
    take = ImportOptions(lambda_=PENALTIES.get(name) if kind == "r" else None)
    if name == "glmnet_joined":
        take = replace(take, sample=str(HERE / kind / "raw.csv"))
    imported = import_file(model, weights, take=take).model
    raw = HERE / kind / "raw.csv"
    classify_file(raw, weights, out, read=KEEP, align=PlanOptions(id_col="id"))
    compared = 0
    for ours, theirs in zip(read_csv(out), read_csv(HERE / kind / f"{name}.csv"), strict=True):
        scores = [ours[category] for category in imported.categories]
        if "" in scores or "NaN" in scores:
            answers = [v for k, v in theirs.items() if k not in ("id", "label", "response")]
            assert "" in answers, ours
            continue
        found = list(map(float, scores))
        if kind == "pmml":
            expected = {k: v for k, v in theirs.items() if k in answer(name, imported, found)}
            values = [answer(name, imported, found)[k] for k in expected]
        else:
            expected = {k: v for k, v in theirs.items() if k.startswith("score")}
            values = found[-len(expected) :] if expected else softmax(found)
            expected = expected or {k: v for k, v in theirs.items() if k.startswith("prob")}
        label = theirs.get("label") or theirs.get("c")
        if label and imported.threshold is None:
            assert ours["prediction"] == label
            compared += 1
        for one, told in zip(values, expected.values(), strict=True):
            if told:
                assert one == pytest.approx(float(told), rel=1e-11, abs=1e-12)
                compared += 1
    assert compared >= 8
