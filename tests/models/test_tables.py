"""Tables of coefficients as tools write and print them, proved against the tools' predictions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import matscore
from matscore.commands.import_model import Imported, import_model
from matscore.models.bounds import ModelFile, Refusal
from matscore.models.options import ImportOptions
from matscore.models.tables import read, recognise
from matscore.models.types import ImportedModel
from matscore.terms import write_term
from tests.helpers import SAMPLES

FOLDER = Path(__file__).parent / "tables"
RAW = FOLDER / "raw.csv"

# File, column of the predictions, and what else is said.
TABLES: list[tuple[str, str, dict[str, object]]] = [
    ("sm_logit.txt", "sm_logit", {}),
    ("sm_logit_params.csv", "sm_logit", {}),
    ("sm_ols.txt", "sm_ols", {}),
    ("sm_ols_params.csv", "sm_ols", {"link": "identity"}),
    ("sm_poisson.txt", "sm_poisson", {}),
    ("sm_poisson_params.csv", "sm_poisson", {"link": "exp"}),
    ("sm_probit.txt", "sm_probit", {}),
    ("sm_probit_params.csv", "sm_probit", {"link": "probit"}),
    ("r_glm.txt", "r_glm", {}),
    ("r_glm.csv", "r_glm", {"link": "logistic"}),
    ("r_glm_tidy.tsv", "r_glm", {"categories": ["0", "1"]}),
    ("r_lm.txt", "r_lm", {}),
    ("r_lm.csv", "r_lm", {}),
    ("r_lm_tidy.tsv", "r_lm", {}),
    ("r_poisson.txt", "r_poisson", {}),
    ("r_poisson.csv", "r_poisson", {"link": "exp"}),
    ("r_poisson_tidy.tsv", "r_poisson", {"link": "exp"}),
    ("r_aliased.txt", "r_aliased", {}),
]
PREDICTIONS = {"sm": FOLDER / "sm_predictions.csv", "r_": FOLDER / "r_predictions.csv"}


def take_over(text: str, **options: object) -> ImportedModel:
    return read(ModelFile("t", text.encode()), ImportOptions(**options))  # type: ignore[arg-type]


def weights_of(model: ImportedModel) -> dict[str, list[float]]:
    names = [*map(write_term, model.folded.terms), "(Intercept)"]
    rows = [*model.folded.weights.tolist(), model.folded.intercept.tolist()]
    return dict(zip(names, rows, strict=True))


@pytest.mark.parametrize(("name", "column", "more"), TABLES, ids=[one[0] for one in TABLES])
def test_tables_of_tools_agree_with_their_predictions(
    name: str, column: str, more: dict[str, object]
) -> None:
    imported: Imported = import_model(
        FOLDER / name,
        sample=RAW,
        expect=PREDICTIONS[name[:2]],
        expect_column=column,
        **more,  # type: ignore[arg-type]
    )
    proof = imported.proof
    assert proof is not None
    assert proof.n_rows == 120
    assert proof.largest_difference is not None
    # Tables of files have 15 digits and more, printed ones what is left of them: of age^2 little.
    is_printed = name.endswith(".txt")
    most = (0.3 if "ols" in name else 0.05) if is_printed else 1e-9
    assert proof.largest_difference <= proof.allowed < 20 * most
    assert proof.largest_difference < most
    levels = {one.name: one.levels for one in imported.columns if one.levels}
    assert levels["region"] == ("East", "North", "South West") or levels["region"][0] == "East"
    assert bool(imported.warnings) == is_printed


@pytest.mark.parametrize("name", ["sm_logit_params.csv", "r_glm_tidy.tsv"])
def test_classify_gives_the_tools_own_probabilities(name: str) -> None:
    """Not by the proof, which is ours, but by what a user does."""
    weights = import_model(FOLDER / name, sample=RAW, categories=["no", "yes"]).weights
    raw = pd.read_csv(RAW, index_col=0, dtype={"smoker": str})
    found = matscore.classify(raw, weights, probabilities=True)["probability_yes"]
    column = "_".join(name.split("_")[:2])
    tool = pd.read_csv(PREDICTIONS[name[:2]], index_col=0)[column]
    assert np.abs(found - tool).max() < 1e-12


@pytest.mark.parametrize(
    ("name", "categories"),
    [
        ("r_multinom_tidy.csv", ["low", "middle", "high"]),
        ("sm_mnlogit.txt", ["low", "middle", "high"]),
    ],
)
def test_multinomial_tables_have_a_reference(name: str, categories: list[str]) -> None:
    expect = PREDICTIONS[name[:2]]
    imported = import_model(FOLDER / name, sample=RAW, expect=expect, categories=categories)
    assert imported.weights.columns.tolist() == categories
    assert not imported.weights["low"].any()
    proof = imported.proof
    assert proof is not None
    assert proof.n_labels_differ == (0 if name.startswith("r_") else None)
    with pytest.raises(matscore.InputError, match="not the one they are compared with"):
        import_model(FOLDER / name, sample=RAW)


def test_the_intercept_may_be_missing_and_have_many_names() -> None:
    for name in ("(Intercept)", "Intercept", "const", "_cons", "(Constant)", "__INTERCEPT__"):
        model = take_over(f"term,estimate\n{name},2.5\nage,0.5\n")
        assert weights_of(model) == {"age": [0.5], "(Intercept)": [2.5]}
    assert weights_of(take_over("name,coef\nage,0.5\n"))["(Intercept)"] == [0.0]
    with pytest.raises(Refusal, match='the intercepts "const", "bias"'):
        take_over("name,coef\nconst,1\nbias,2\nage,0.5\n")


TOOLS = {
    "SPSS": (
        ",B,S.E.,Wald,df,Sig.,Exp(B)\nage,.031,.004,60,1,.000,1.03\nConstant,-2.1,.5,17,1,.000,.12\n",
        {"age": [0.031], "(Intercept)": [-2.1]},
    ),
    "SPSS, linear": (
        "Variable;B;Std. Error;Beta;t;Sig.\nage;0,031;0,004;0,5;7,75;0,000\n"
        "(Constant);-2,1;0,5;;-4,2;0\n",
        {"age": [0.031], "(Intercept)": [-2.1]},
    ),
    "SAS": (
        "Variable,ClassVal0,DF,Estimate,StdErr,WaldChiSq,ProbChiSq\n"
        "Intercept,,1,-2.1,0.5,17,0.0001\nage,,1,0.031,0.004,60,0.0001\n"
        "region,North,1,0.8,0.2,16,0.0001\nregion,South,0,0,.,.,.\n",
        {"age": [0.031], "region=North": [0.8], "region=South": [0.0], "(Intercept)": [-2.1]},
    ),
    "Stata": (
        "------------------------------------------------------------------------------\n"
        "   defaulted | Coefficient  Std. err.      z    P>|z|     [95% conf. interval]\n"
        "-------------+----------------------------------------------------------------\n"
        "         age |       .031       .004     7.75   0.000     .0232      .0388\n"
        "       _cons |       -2.1         .5    -4.20   0.000     -3.08     -1.12\n"
        "------------------------------------------------------------------------------\n",
        {"age": [0.031], "(Intercept)": [-2.1]},
    ),
    "H2O": (
        "names,coefficients,standardized_coefficients\nIntercept,-2.1,-0.5\nage,0.031,0.4\n",
        {"age": [0.031], "(Intercept)": [-2.1]},
    ),
    "BigQuery": (
        '{"processed_input":"age","weight":0.031,"category_weights":[]}\n'
        '{"processed_input":"region","weight":null,"category_weights":'
        '[{"category":"North","weight":0.8},{"category":"South","weight":-0.2},'
        '{"category":null,"weight":0.1}]}\n'
        '{"processed_input":"__INTERCEPT__","weight":-2.1,"category_weights":[]}\n',
        {
            "age": [0.031],
            "region=North": [0.8],
            "region=South": [-0.2],
            "region=(missing)": [0.1],
            "(Intercept)": [-2.1],
        },
    ),
    "glmnet, tidy": (
        "class,term,step,estimate,lambda,dev.ratio\na,,1,0.5,0.1,0.2\na,age,1,0.031,0.1,0.2\n"
        "b,,1,-0.5,0.1,0.2\nb,income,1,0.002,0.1,0.2\n".replace(",,", ",(Intercept),"),
        {"age": [0.031, 0.0], "income": [0.0, 0.002], "(Intercept)": [0.5, -0.5]},
    ),
    "JSON": (
        '{"model": "ridge", "intercept": -2.1, "coefficients": {"age": 0.031, "age^2": 1e-3}}',
        {"age": [0.031], "age^2": [0.001], "(Intercept)": [-2.1]},
    ),
    "records": (
        '[{"feature": "age", "weight": 0.031}, {"feature": "bias", "weight": -2.1}]',
        {"age": [0.031], "(Intercept)": [-2.1]},
    ),
    "DictVectorizer": (
        "feature,coef\nregion=North,0.8\nregion=South,-0.2\nage,0.031\nintercept,-2.1\n",
        {"region=North": [0.8], "region=South": [-0.2], "age": [0.031], "(Intercept)": [-2.1]},
    ),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_forms_of_tables(tool: str) -> None:
    text, wanted = TOOLS[tool]
    assert recognise(ModelFile("t", text.encode()))
    model = take_over(text)
    assert weights_of(model) == wanted
    assert model.kind == "coefficients"


def test_levels_of_bigquery_that_are_unknown_count_nothing() -> None:
    folded = take_over(TOOLS["BigQuery"][0]).folded
    assert folded.levels["region"].texts == ("North", "South")
    assert {type(factor).__name__ for factor in folded.without_row} == {"Missing"}


def test_several_columns_that_may_be_it_are_refused() -> None:
    text = "term,s0,s1\nage,1,2\n(Intercept),3,4\n"
    with pytest.raises(Refusal, match='which column holds the coefficients\\? "s0", "s1"'):
        take_over(text)
    assert weights_of(take_over(text, coef=("s1",)))["age"] == [2.0]
    both = take_over(text, coef=("s1", "s0"))
    assert both.categories == ("s1", "s0")
    assert weights_of(both) == {"age": [2.0, 1.0], "(Intercept)": [4.0, 3.0]}
    with pytest.raises(Refusal, match='it has no column "s2"; --coef has the name of one of'):
        take_over(text, coef=("s2",))
    with pytest.raises(Refusal, match='which column holds the coefficients\\? "estimate", "s1"'):
        take_over("term,estimate,s1\nage,1,2\n")
    with pytest.raises(Refusal, match='which column holds the names\\? "one", "two"'):
        take_over("one,two,estimate\na,b,1\n")


DAMAGED = {
    "": "no table|no rows",
    "term,estimate\n": "no table of coefficients",
    "term,estimate\nage,1,2\n": "line 2 has 3 cells, where the first has 2",
    "term,estimate\nage,x\n": "no column of coefficients",
    "term,estimate\nage,1\nage,2\n": '"age" is there twice',
    "term,estimate\nage,1\nage,1\n": '"age" is there twice',
    "term,estimate\n,1\n": "a coefficient has no name",
    "term,estimate\nage,1e999\n": "is not finite|too large",
    '{"a": [1, 2]}': '"a" is a list',
    "[1, 2]": "its JSON is no table",
    '{"a": {': "no JSON",
    "[" * 100_000: "nested|no JSON",
    '{"a":' * 100_000: "nested|no JSON",
    "words without a table\n": "no table of coefficients",
    'term,estimate\n"age,1\n': "no table|cannot be read|1 cells",
}


@pytest.mark.parametrize("text", DAMAGED, ids=[repr(text[:30]) for text in DAMAGED])
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match=DAMAGED[text]):
        model = take_over(text)
        _ = model.folded


@pytest.mark.parametrize("name", sorted(p.name for p in FOLDER.iterdir() if p.suffix != ".py"))
def test_tables_cut_anywhere_give_a_model_or_a_refusal(name: str) -> None:
    data = (FOLDER / name).read_bytes()[:3000]
    for n in range(0, len(data), 7):
        file = ModelFile(name, data[:n])
        if recognise(file):
            try:
                _ = read(file, ImportOptions()).folded
            except Refusal:
                continue


def test_bytes_that_are_no_text_are_no_table() -> None:
    for data in (b"", b"\0\1", b"\xff\xfe", b"PK\3\4", b"   "):
        assert not recognise(ModelFile("t", data))
    assert recognise(ModelFile("t", ("é" * 40_000).encode()))
    with pytest.raises(Refusal, match="not UTF-8 at byte"):
        read(ModelFile("t", b"a" * 70_000 + b"\xff"), ImportOptions())


def test_printed_digits_say_how_far_a_coefficient_may_be_off() -> None:
    few = take_over("term,estimate\nage,0.03100\nincome,12.5\n")
    assert few.uncertainty.tolist() == [[5e-06, 0.005, 0.0]] or few.uncertainty[0, 0] == 5e-06
    exact = take_over(f"term,estimate\nage,{0.1 + 0.2!r}\nincome,12.5\n")
    assert not exact.uncertainty.any()
    by_hand = take_over("term,estimate\nage,0.3\nincome,2\n")
    assert not by_hand.uncertainty.any()


def test_numbers_with_an_exponent_do_not_make_the_others_exact() -> None:
    text = "           coef\nage       0.0321\ninc      -1.5210\nage2   1.898e-05\n"
    assert take_over(text).uncertainty.tolist() == [[5e-05, 5e-05, 5e-09, 0.0]]


SUMMARY = """                 {title} Regression Results
=======================================================================
Dep. Variable:                      y   No. Observations:           400
Model:          {title:>17}   Df Residuals:               394
{link}
=======================================================================
                                            coef   std err          z
-----------------------------------------------------------------------
Intercept                                -1.3490     0.242     -5.579
C(region, Treatment('West'))[T.North]     0.5913     0.181      3.272
age                                       0.0249     0.004      5.636
=======================================================================
"""


def test_a_summary_of_statsmodels_is_read_as_text_alone() -> None:
    model = take_over(SUMMARY.format(title="Logit", link=""))
    assert (model.intercept, model.coefficients.tolist()) == ([-1.349], [[0.5913, 0.0249]])
    with pytest.raises(Refusal, match=r"as CSV, whose names are not quoted; save .*as_text"):
        take_over((FOLDER / "sm_logit.csv").read_text())


PRINTS = {
    "lm": "\nCall:\nlm(formula = y ~ age)\n\nCoefficients:\n(Intercept)          age  \n"
    "     -1.250        0.500  \n\n",
    "multinom": "Call:\nmultinom(formula = kind ~ age)\n\nCoefficients:\n  (Intercept)    age\n"
    "b       1.500 -0.250\nc       0.500  0.125\n\nStd. Errors:\n  (Intercept)    age\n"
    "b         0.1    0.2\nc         0.1    0.2\n\nResidual Deviance: 90\nAIC: 98\n",
}


@pytest.mark.parametrize("name", PRINTS)
def test_what_r_prints_of_a_model_in_lines_is_refused_by_name(name: str) -> None:
    with pytest.raises(Refusal, match=r"R's print\(\) of a model.*saveRDS.*tidy\(fit\)"):
        take_over(PRINTS[name])


@pytest.mark.parametrize(
    ("title", "link", "known"),
    [
        ("Logit", "", None), ("Probit", "", "probit"), ("Poisson", "", "exp"),
        ("RLM", "", "identity"), ("GLM", "Link Function:     Log   Scale:    1", "exp"),
        ("GLM", "Link Function:   CLogLog", "cloglog"), ("GLM", "Link Function: logit", None),
    ],
)  # fmt: skip
def test_summaries_of_statsmodels_say_their_link(title: str, link: str, known: str | None) -> None:
    model = take_over(SUMMARY.format(title=title, link=link))
    assert (model.link, model.knows_link) == (known, True)
    for name in ("Cauchy", "InversePower"):
        with pytest.raises(Refusal, match=f"its link {name} is none"):
            take_over(SUMMARY.format(title="GLM", link=f"Link Function:   {name}"))


CALLS = {
    'glm(formula = y ~ age, family = binomial("probit"),\n    data = d)': "probit",
    "glm(formula = y ~ age, family = binomial(probit), data = d)": "probit",
    'glm(formula = y ~ age, family = binomial(link = "cloglog"), data = d)': "cloglog",
    'glm(formula = y ~ age, family = "binomial", data = d)': None,
    "glm(formula = y ~ age, family = stats::quasipoisson(), data = d)": "exp",
    "glm(formula = y ~ age, data = d)": "identity",
    'glm(formula = y ~ age, family = Gamma(link = "log"), data = d)': "exp",
    "glm(formula = y ~ age, family = quasi(link = log, variance = mu))": "exp",
    "MASS::glm.nb(formula = y ~ age, data = d, init.theta = 2.1, link = log)": "exp",
}
REFUSED_CALLS = {
    'glm(formula = y ~ age, family = binomial(link = "cauchit"), data = d)': "its link cauchit",
    "glm(formula = y ~ age, family = Gamma, data = d)": "its link inverse",
    "glm(formula = y ~ age + offset(log(n)), family = poisson,\n    data = d)": "offset",
    "glm(formula = y ~ age, family = poisson, data = d, offset = log(n))": "offset",
}
PRINTED = "\nCall:\n{}\n\nCoefficients:\n            Estimate\n(Intercept)  1.25000\nage 0.50000\n"


@pytest.mark.parametrize("call", CALLS)
def test_calls_of_r_say_their_link(call: str) -> None:
    model = take_over(PRINTED.format(call))
    assert (model.link, model.knows_link) == (CALLS[call], True)


@pytest.mark.parametrize("call", REFUSED_CALLS)
def test_calls_of_r_that_no_coefficients_tell_are_refused(call: str) -> None:
    with pytest.raises(Refusal, match=REFUSED_CALLS[call]):
        take_over(PRINTED.format(call))


SAS = """                                 Standard          Wald
Parameter          DF    Estimate       Error    Chi-Square    Pr > ChiSq

Intercept           1     -1.3373      0.2630       25.8559        <.0001
age                 1      0.0191      0.0036       28.1500        <.0001
region    North     1      0.6483      0.1890       11.7700        0.0006
region    West      0           0           .           .           .
"""
STATA = """           y | Coefficient  Std. err.      z    P>|z|
-------------+----------------------------------------
         age |    .019054   .0035912     5.31   0.000
             |
      region |
      North  |   .648298    .1889740     3.43   0.001
       West  |  -.243140    .2030000    -1.20   0.231
             |
       _cons |  -1.33729    .2630000    -5.08   0.000
------------------------------------------------------
"""


def test_the_coefficient_need_not_be_the_first_number_of_a_row() -> None:
    model = take_over(SAS)
    assert (model.intercept, model.coefficients.tolist()) == ([-1.3373], [[0.0191, 0.6483, 0.0]])
    assert model.joined == ("age", "region North", "region West")
    with pytest.raises(Refusal, match='no column of numbers stands under "Estimate"'):
        take_over("\n".join(" ".join(line.split()) for line in SAS.splitlines()))


def test_all_groups_of_rows_of_stata_are_read() -> None:
    model = take_over(STATA)
    assert model.joined == ("age", "region North", "region West")
    assert model.intercept == [-1.33729]
    assert model.coefficients.tolist() == [[0.019054, 0.648298, -0.24314]]


def test_tables_that_are_no_classes_are_not_taken_for_them() -> None:
    with pytest.raises(Refusal, match="prints 2 tables"):
        take_over(SAS + "\n" + SAS.replace("Parameter ", "Effect    "), categories=("a", "b"))


@pytest.mark.parametrize("heading", ["OR", "odds_ratio", "HR", "IRR", "exp(B)"])
def test_ratios_are_no_coefficients(heading: str) -> None:
    with pytest.raises(Refusal, match="no column of coefficients"):
        take_over(f"term,{heading}\n(Intercept),1.5\nage,1.25\n")


def test_a_series_of_pandas_without_a_name_is_a_table() -> None:
    model = take_over(",0\nIntercept,1.5\nage,0.25\n")
    assert (model.categories, model.coefficients.tolist()) == (("estimate",), [[0.25]])


def test_json_report_is_plain() -> None:
    imported = import_model(FOLDER / "r_glm_tidy.tsv", sample=RAW)
    facts = json.loads(json.dumps(imported.describe()))
    assert facts["columns"][2] == {
        "name": "region",
        "read_as": "text",
        "levels": ["East", "North", "South West"],
        "other": "refused",
        "missing": "refused",
    }


def test_a_weights_file_is_a_table_too() -> None:
    """What comes out is the same model, with and without a sample."""
    weights = SAMPLES / "credit_weights.csv"
    raw = pd.read_csv(SAMPLES / "credit.csv", index_col=0)
    wanted = matscore.classify(raw, pd.read_csv(weights, index_col=0))
    for sample in (None, SAMPLES / "credit.csv"):
        found = import_model(weights, coef=["good", "bad"], sample=sample).weights
        pd.testing.assert_frame_equal(matscore.classify(raw, found), wanted, check_exact=True)
