"""Results that statsmodels pickled, against its own predictions; make_statsmodels.py made them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from matscore.models.bounds import ModelFile, Refusal, inflate
from matscore.models.formulas import split_name
from matscore.models.pickles import read_pickle
from matscore.models.records import Array, Name, Record, array
from matscore.models.saved import read_saved
from matscore.models.sources import read_model
from matscore.models.types import ImportedModel
from tests.models.sklearn_answers import Row, as_columns, check_close, score_rows

FOLDER = Path(__file__).parent / "statsmodels"
ANSWERS: dict[str, Any] = json.loads((FOLDER / "answers.json").read_text())
with (FOLDER / "raw.csv").open(encoding="utf-8") as _stream:
    ROWS: list[Row] = [{k: v or None for k, v in row.items()} for row in csv.DictReader(_stream)]
LINKS = {
    "treatment": "identity",
    "poisson": "exp",
    "negative_binomial": "exp",
    "glm_gamma": "exp",
    "logit": None,
    "classes": None,
    "probit": "probit",
    "glm_probit": "probit",
    "glm_cloglog": "cloglog",
    "glm_tweedie": "exp",
    "median": "identity",
    "glm_gauss": "identity",
}


def read(name: str) -> ImportedModel:
    path = FOLDER / f"{name}.pkl.gz"
    return read_model(ModelFile(str(path), path.read_bytes()))


def respond(model: ImportedModel, rows: list[Row]) -> Array:
    """Return what statsmodels predicts, by the definition of the link."""
    scores = score_rows(model, rows)
    match model.link:
        case "identity":
            return scores
        case "exp":
            return np.exp(scores)
        case "probit":
            normal = NormalDist()
            found = [normal.cdf(s) if s == s else s for s in scores[:, 1].tolist()]  # noqa: PLR0124
            return np.array(found)[:, None]
        case "cloglog":
            return (1 - np.exp(-np.exp(scores)))[:, 1:]
    powers = np.exp(scores)
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares if shares.shape[1] > 2 else shares[:, 1:]


@pytest.mark.parametrize("name", ANSWERS)
def test_predictions(name: str) -> None:
    model = read(name)
    rows = ROWS
    if model.positional:
        places = dict(zip(model.positional[-2:], ("age", "religious"), strict=True))
        rows = [{place: row[column] for place, column in places.items()} for row in ROWS]
    check_close(respond(model, rows), as_columns(ANSWERS[name]))
    assert model.link == LINKS.get(name, model.link)
    assert len(ANSWERS) >= 39


def test_categories() -> None:
    assert read("treatment").categories == ("affairs",)
    assert read("logit").categories == ("0", "1")
    assert read("classes").categories == ("12", "14", "16")
    # A formula makes two columns of a text, and the probability is of the first.
    assert read("glm_text").categories == ("yes", "no")


def test_levels_are_those_of_the_data() -> None:
    folded = read("treatment").folded
    assert set(folded.levels["kids"].texts) == {"none", "some", "many: 3+"}
    assert set(folded.levels["job"].texts) == {"a=b", "C(x)[T.y]", "it's"}
    assert read("numbers_as_levels").folded.levels["school"].kind == "number"
    assert read("booleans").folded.levels["young"].kind == "boolean"


def test_names_are_split_outside_of_brackets_and_quotes() -> None:
    assert split_name("C(kids)[T.many: 3+]:np.log(age)") == ["C(kids)[T.many: 3+]", "np.log(age)"]
    assert split_name("Q('a:b'):x") == ["Q('a:b')", "x"]


# --------------------------------------------------------------------------------------- refusals


def load(name: str) -> tuple[Record, dict[str, Any], dict[str, Any]]:
    """Return results as records, and the attributes of their model and its data to change."""
    found = read_pickle(inflate((FOLDER / f"{name}.pkl.gz").read_bytes()))
    model = found.state["_results"].state["model"]
    return found, model.state, model.state["data"].state


def refuse(found: Record, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        read_saved(found)


def test_names_that_do_not_give_the_numbers_are_refused() -> None:
    found, _, data = load("treatment")
    exog = array(data["exog"]).copy()
    exog[3, 1] = 1 - exog[3, 1]
    data["exog"] = exog
    refuse(found, r'"C\(kids\)\[T\.none\]" is made of cannot be told')
    found, _, data = load("functions")
    exog = array(data["exog"]).copy()
    exog[0] *= 1.001
    data["exog"] = exog
    refuse(found, "cannot be told")


def test_data_that_went_is_asked_for() -> None:
    found, _, data = load("treatment")
    data.update(frame=None, exog=None, orig_exog=None)
    refuse(found, "remove_data")
    data["_cache"] = {"xnames": ["Intercept", "C(kids)[T.none]"]}
    refuse(found, "levels of its column")
    found, _, data = load("functions")
    names = ["Intercept", "np.log(years)", "np.sqrt(age)", "I(age ** 2)", "np.exp(religious)"]
    data.update(frame=None, exog=None, orig_exog=None, _cache={"xnames": names})
    model = read_saved(found)
    assert "remove_data" in " ".join(model.facts)
    check_close(respond(model, ROWS), as_columns(ANSWERS["functions"]))


def test_what_has_no_link_or_is_not_linear_is_refused() -> None:
    found, model, _ = load("glm_gamma")
    model["family"].state["_link"].of = Name("statsmodels.genmod.families.links", "InversePower")
    refuse(found, 'link "inversepower" is not known')
    # As of R's glm the scores are of 1/y, which statsmodels' own linear predictor is.
    model["family"].state["_link"].state = {"power": -1.0}
    inverse = read_saved(found)
    assert inverse.categories[0].startswith("1/")
    assert inverse.link == "identity"
    assert "scores are 1/" in " ".join(inverse.facts)
    found, model, _ = load("glm_poisson")
    model["family"].state["_link"].of = Name("statsmodels.genmod.families.links", "Probit")
    refuse(found, "family Poisson")
    found, model, _ = load("treatment")
    found.state["_results"].state["model"].of = Name(
        "statsmodels.miscmodels.ordinal_model", "OrderedModel"
    )
    refuse(found, r"OrderedModel\): it is not linear")
    found, model, data = load("treatment")
    for part in (model, data):
        part["formula"] = "affairs ~ bs(age)"
    read_saved(found)  # the formula is not asked: the names are, with the numbers
    found, model, _ = load("plain")
    found.state["_results"].state["params"] = [1.0, 2.0]
    refuse(found, "2 parameters for 3 columns")
    found.state["_results"].state["model"] = None
    refuse(found, "no fitted results")


def test_an_offset_is_said() -> None:
    found, model, _ = load("glm_poisson")
    assert not read_saved(found).facts
    model["offset"] = [0.0, 1.5]
    assert "offset" in " ".join(read_saved(found).facts)
