"""Models of R against R's own answers; `make_r_models.R` made both."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from matscore.commands.import_model import import_file
from matscore.models.bounds import ModelFile, Refusal
from matscore.models.options import ImportOptions
from matscore.models.r_models import SOURCE
from matscore.models.types import ImportedModel
from matscore.models.weights import make_table
from tests.models.exact import BadRowError, score

HERE = Path(__file__).parent / "r"
# Those whose columns are no columns of raw.csv are in tests of their own.
NAMELESS = {"glmnet_joined", "glmnet_unnamed"}
ANSWERS = sorted({path.stem for path in HERE.glob("*.csv")} - {"raw", *NAMELESS})
REFUSED = {
    "bspline": "step \"bs(age)\": bs(age, degree = 3",
    "cut": "whose borders the file does not have in full",
    "cut_ends": "no level for numbers outside of its breaks",
    "dollar": "frame$age is not known here",
    "frame": 'class "data.frame"',
    "gam": "smooth terms",
    "glmnet_cox": 'class "coxnet glmnet"',
    "glmnet_offset": "an offset, of which it keeps no name",
    "glmnet_path": "a path of 5 models",
    "glmnet_relaxed": "without relax = TRUE",
    "kmeans": 'class "kmeans"',
    "labels": "whose labels may change its levels",
    "list": "holds first, second; save one of them: saveRDS(x$first",
    "loess": 'class "loess"',
    "log_of_sum": "log(age + income)\": it applies a function to what is no longer a column",
    "nls": 'class "nls"',
    "number": "no model",
    "own_contrasts": 'its contrasts are "contr.own"',
    "own_function": "own(age) is not known here",
    "polr_offset": "an offset, which its predict() leaves out",
    "qda": "quadratic",
    "rounded": "round(age) is not known here",
    "spline": "ns(age, knots",
    "tree_like": 'class "rpart"',
    "two_variables": "a workspace of 2 variables (model, twice)",
}  # fmt: skip
PENALTIES = {
    "glmnet_gaussian": "3.5",
    "glmnet_gaussian_end": "1e-9",
    "cv_glmnet_gaussian": "lambda.1se",
    "cv_glmnet_binomial": "lambda.min",
    "glmnet_binomial": "0.01",
    "cv_glmnet_multinomial": "lambda.min",
    "glmnet_multinomial_grouped": "0.02",
    "glmnet_poisson": "0.05",
    "glmnet_many": "1",
}
LINKS = {
    "glm_logit": None,
    "glm_probit": "probit",
    "glm_cloglog": "cloglog",
    "glm_cauchit": "identity",
    "glm_binomial_log": "exp",
    "glm_poisson": "exp",
    "glm_gamma": "identity",
    "glm_nb": "exp",
    "lm_text": "identity",
    "multinom": None,
    "glmnet_poisson": "exp",
}
CATEGORIES = {
    "glm_logit": ("no", "yes"),
    "glm_logit_logical": ("FALSE", "TRUE"),
    "glm_logit_number": ("0", "1"),
    "glm_logit_counts": ("misses", "hits"),
    "glm_gamma": ("1/charges",),
    "glm_poisson_sqrt": ("sqrt(claims)",),
    "lm_log_response": ("log(charges)",),
    "lm_many": ("charges", "claims"),
    "multinom": ("b b", "a", "c"),
    "lda_two": ("no", "yes"),
    "cv_glmnet_binomial": ("no", "yes"),
}


def open_model(name: str, lambda_: str | None = None) -> ImportedModel:
    (path,) = (path for path in HERE.glob(f"{name}.*") if path.suffix != ".csv")
    file = ModelFile(path.name, path.read_bytes())
    assert SOURCE.recognise(file)
    return SOURCE.read(file, ImportOptions(lambda_=lambda_))


def read_rows(name: str) -> list[dict[str, str | None]]:
    with (HERE / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]


def softmax(scores: Sequence[float]) -> list[float]:
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("name", ANSWERS)
def test_scores_and_labels_are_those_of_r(name: str) -> None:
    model = open_model(name, PENALTIES.get(name))
    compared = 0
    for row, answer in zip(read_rows("raw"), read_rows(name), strict=True):
        columns = [c for c in answer if c.startswith("score")]
        columns = columns or [c for c in answer if c.startswith("probability")]
        try:
            scores = score(model, dict(row))
        except BadRowError:
            # Of several categories glmnet answers for those that do not look at the missing cell.
            assert None in [answer[c] for c in columns]
            continue
        assert answer.get("label") in (None, model.categories[scores.index(max(scores))])
        ours = scores[-len(columns) :] if columns[0].startswith("score") else softmax(scores)
        for one, column in zip(ours, columns, strict=True):
            theirs = answer[column]
            assert theirs is not None
            assert one == pytest.approx(float(theirs), rel=1e-12, abs=1e-13)
            compared += 1
    assert compared >= 26
    names = [c.split("_", 1)[1] for c in columns if "_" in c]
    assert names in ([], list(model.categories)) or name == "polr"


def test_links_and_categories_are_named() -> None:
    assert {name: open_model(name, PENALTIES.get(name)).link for name in LINKS} == LINKS
    found = {name: open_model(name, PENALTIES.get(name)).categories for name in CATEGORIES}
    assert found == CATEGORIES


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_linear_or_not_known_is_refused_by_name(name: str) -> None:
    with pytest.raises(Refusal) as error:
        open_model(f"refused_{name}")
    assert REFUSED[name] in str(error.value)


def test_every_fixture_is_used() -> None:
    stems = {path.stem for path in HERE.iterdir()}
    forms = {stem for stem in stems if stem.startswith("form_")}
    assert stems == {*ANSWERS, *forms, *(f"refused_{n}" for n in REFUSED)} | {
        *NAMELESS,
        "raw",
        "versions",
    }


def test_a_penalty_is_never_guessed() -> None:
    with pytest.raises(Refusal, match=r"lambda.min \(0.07271\) and lambda.1se .*--lambda"):
        open_model("cv_glmnet_binomial")
    with pytest.raises(Refusal, match=r'"lambda[.]min" is no number'):
        open_model("glmnet_binomial", "lambda.min")
    with pytest.raises(Refusal, match="below 0"):
        open_model("glmnet_binomial", "-1")
    assert "lambda is 0.1; 4 of 4 columns count there" in open_model("glmnet_family").facts


def test_names_that_a_user_joined_are_taken_apart_by_a_sample() -> None:
    take = ImportOptions(sample=str(HERE / "raw.csv"))
    imported = import_file(HERE / "glmnet_joined.rds", take=take)
    assert imported.table.names[:2] == ("region=East", "region=North")
    assert "smoker=TRUE" in imported.table.names
    model = open_model("glmnet_unnamed")
    assert model.positional == ("V1", "V2", "V3", "V4")


def test_reference_levels_have_rows_of_zeros() -> None:
    table = make_table(open_model("lm_text"))
    assert table.names[:2] == ("region=East", "region=North")
    assert table.values[0] == 0 != table.values[1]
    assert len(table.names) == 6  # four regions, the age, the intercept


def test_what_is_folded_and_what_r_left_out_is_said() -> None:
    assert "poly(age, 3, coefs = ...)" in open_model("lm_poly").steps
    assert any(
        "NA in R" in fact and "I(2 * age)" in fact for fact in open_model("lm_aliased").facts
    )
    assert any("low|mid at 1.14511" in fact for fact in open_model("polr").facts)
    assert open_model("lm_text").producer == "R 4.2.2"
