"""H2O: MOJOs of generalized linear models against H2O's own answers, with what it does at a gap."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from matscore.models.bounds import Refusal
from tests.models.answers import DATA, Compared, compare, load, read_rows
from tests.models.exact import score

FOLDER = DATA / "h2o"
ROWS = read_rows(FOLDER / "rows.csv", ("region", "smoker"))
ANSWERS: dict[str, Any] = json.loads((FOLDER / "answers.json").read_text())
REFUSED = {
    "gamma_inverse": "its link is inverse, for which a weights file has no word",
    "ordinal": "a GLM of the family ordinal is not one linear predictor",
    "trees": "it is a model of H2O's gbm, which is not linear",
}
TOTAL = Compared()


@pytest.mark.parametrize("name", sorted(set(ANSWERS) - set(REFUSED)))
def test_it_agrees_with_h2o(name: str) -> None:
    model, answers = load(FOLDER / f"{name}.zip"), ANSWERS[name]
    for i, row in enumerate(ROWS):
        numbers = answers["rest"][i] or [answers["first"][i]]
        label = answers["first"][i] if answers["rest"][i] and model.threshold is None else None
        if name == "binomial_skip" and i >= 30:
            numbers = label = None  # H2O reads on past a gap, for which its MOJO raises an error
        compare(model, row, numbers, label, 1e-14, TOTAL)
    TOTAL.models += 1


@pytest.mark.parametrize("name", ["binomial", "binomial_plain", "texts"])
def test_the_labels_of_a_binomial_model_are_by_its_threshold(name: str) -> None:
    """They are those of the higher probability only once the threshold is folded in."""
    model = load(FOLDER / f"{name}.zip")
    assert model.threshold is not None
    shifted, labels = model.at_threshold(), ANSWERS[name]["first"]
    # At the threshold itself H2O takes the second class, which therefore stands first.
    assert shifted.categories == model.categories[::-1]
    assert [shifted.categories[score(shifted, row)[1] > 0] for row in ROWS] == labels
    if name == "texts":  # the others have no row between the threshold and a half
        assert [model.categories[score(model, row)[1] > 0] for row in ROWS] != labels
    shift = float(model.intercept[0]) + float(shifted.intercept[0])
    assert 1 / (1 + math.exp(-shift)) == pytest.approx(model.threshold.value, rel=1e-12)


def test_a_threshold_of_a_half_puts_first_what_wins_there(tmp_path: Path) -> None:
    path = tmp_path / "half.zip"
    with ZipFile(FOLDER / "binomial.zip") as whole, ZipFile(path, "w") as made:
        for name in whole.namelist():
            data = whole.read(name)
            if name == "model.ini":
                data = re.sub(rb"(default_threshold = )\S+", rb"\g<1>0.5", data)
            made.writestr(name, data)
    half, model = load(path), load(FOLDER / "binomial.zip")
    assert half.threshold is None
    assert half.categories == model.categories[::-1]
    for row in ROWS:
        assert score(half, row)[1] == -score(model, row)[1]


def test_levels_are_read_as_they_were_escaped() -> None:
    model = load(FOLDER / "binomial.zip")
    assert model.folded.levels["smoker"].texts == ('back\\slash "quoted"', "no", "yes")


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_not_linear_is_refused(name: str) -> None:
    with pytest.raises(Refusal) as error:
        load(FOLDER / f"{name}.zip")
    assert REFUSED[name] in str(error.value)
