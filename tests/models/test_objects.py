"""Fitted models of scikit-learn in the place of weights, on frames as people have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from statsmodels.regression.linear_model import OLS

import matscore
from tests.helpers import SAMPLES

NUMBERS = ["age", "income", "amount", "months", "late"]
TEXTS = ["employment", "housing", "region", "purpose"]


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    return pd.read_csv(SAMPLES / "credit.csv", index_col=0)


@pytest.fixture(scope="module")
def pipeline(raw: pd.DataFrame) -> Pipeline:
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore", min_frequency=20),
    )
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])
    return make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(raw, raw["outcome"])


def test_a_pipeline_scores_a_raw_frame(raw: pd.DataFrame, pipeline: Pipeline) -> None:
    assert raw[NUMBERS].isna().any(axis=None)
    changed = raw.copy()
    changed.loc[changed.index[:9], "region"] = "nowhere"
    for frame in (raw, changed):
        found = matscore.classify(frame, pipeline, probabilities=True)
        tool = pipeline.predict_proba(frame)
        for i, name in enumerate(pipeline.classes_):
            assert np.abs(found[f"probability_{name}"] - tool[:, i]).max() < 1e-14
        assert (found["prediction"] == pipeline.predict(frame)).all()


def test_the_other_commands_take_one_too(raw: pd.DataFrame, pipeline: Pipeline) -> None:
    measured = matscore.evaluate(raw, pipeline, "outcome")
    assert measured.accuracy == pytest.approx(pipeline.score(raw, raw["outcome"]))
    assert matscore.check(raw, pipeline).ok
    told = matscore.explain(raw.head(1), pipeline, category="good")
    score = matscore.classify(raw.head(1), pipeline)["good"].iloc[0]
    assert told["contribution"].sum() == pytest.approx(score, rel=1e-12)


def test_what_is_no_linear_model_is_refused_by_name(raw: pd.DataFrame) -> None:
    forest = RandomForestClassifier(2).fit(raw[["age", "late"]], raw["outcome"])
    with pytest.raises(matscore.InputError, match="RandomForestClassifier"):
        matscore.classify(raw, forest)
    with pytest.raises(matscore.InputError, match="is no model that is known"):
        matscore.classify(raw, object())
    results = OLS(raw["late"].to_numpy(), np.ones(len(raw))).fit()
    with pytest.raises(matscore.InputError, match="are read from a file; save them"):
        matscore.import_model(results)


def test_a_path_may_stand_in_the_place_of_weights(raw: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("term,estimate\nlate,2\n(Intercept),1\n")
    assert matscore.classify(raw, path)["estimate"].tolist() == (2.0 * raw["late"] + 1).tolist()


@pytest.mark.parametrize("seen", [True, False])
def test_a_column_beside_is_not_taken_for_a_term(raw: pd.DataFrame, seen: bool) -> None:
    """A pipeline drops it, or has never seen it; a row of that name would mean the column."""
    frame = raw[["amount", "late"]].assign(**{"log(amount)": 7.0})
    log = ColumnTransformer([("log", FunctionTransformer(np.log), ["amount"])])
    known = frame if seen else frame[["amount", "late"]]
    fitted = make_pipeline(log, LogisticRegression()).fit(known, raw["outcome"])
    with pytest.raises(matscore.InputError, match=r'computes "log\(amount\)", and there is a col'):
        matscore.classify(frame, fitted)
    if seen:
        with pytest.raises(matscore.InputError, match="a column of that name beside"):
            matscore.import_model(fitted)
        return
    found = matscore.classify(known, fitted)
    assert (found["prediction"] == fitted.predict(known)).all()
