"""Headings of coefficients and of statistics beside them, as tools write them."""

from __future__ import annotations

import pytest

from matscore.names import Grammar
from matscore.options import PlanOptions
from matscore.plan import Side, make_plan
from matscore.plan.headings import find_statistics
from matscore.plan.match import may_be_statistics

# The headings after the names, as each tool writes them, and the column to keep.
TOOLS = {
    "summary(lm)": ("Estimate,Std. Error,t value,Pr(>|t|)", "Estimate"),
    "summary(glm)": ("Estimate,Std. Error,z value,Pr(>|z|)", "Estimate"),
    "make.names": ("Estimate,Std..Error,z.value,Pr...z..", "Estimate"),
    "broom": ("estimate,std.error,statistic,p.value,conf.low,conf.high", "estimate"),
    "broom, glmnet": ("step,estimate,lambda,dev.ratio", "estimate"),
    "statsmodels": ("coef,std err,t,P>|t|,[0.025,0.975]", "coef"),
    "statsmodels, summary2": ("Coef.,Std.Err.,z,P>|z|,[0.025,0.975]", "Coef."),
    "SAS REG": ("DF,Parameter Estimate,Standard Error,t Value,Pr > |t|", "Parameter Estimate"),
    "SAS LOGISTIC": ("DF,Estimate,StdErr,WaldChiSq,ProbChiSq", "Estimate"),
    "SAS STB": ("Estimate,StandardizedEst", "Estimate"),
    "SPSS": ("B,Std. Error,Beta,t,Sig.", "B"),
    "SPSS logistic": ("B,S.E.,Wald,df,Sig.,Exp(B)", "B"),
    "Stata": ("Coef.,Std. Err.,z,P>|z|,[95% Conf.,Interval]", "Coef."),
    "Stata, odds": ("Odds Ratio,coef", "coef"),
    "parmest": ("estimate,stderr,z,p,min95,max95", "estimate"),
    "H2O": ("coefficients,standardized_coefficients", "coefficients"),
    "H2O, full": ("coefficients,std_error,z_value,p_value", "coefficients"),
    "BigQuery": ("weight,standard_error,p_value", "weight"),
    "JMP": ("Estimate,Std Error,t Ratio,Prob>|t|", "Estimate"),
    "R confint": ("estimate,2.5 %,97.5 %", "estimate"),
    "coefficient and its test": ("coef,t", "coef"),
    "beside one of no known name": ("yes,std_error", "yes"),
    "beta alone": ("beta,se,p", "beta"),
}
CATEGORIES = (
    "low,medium,high", "lower,upper", "a,b", "b,n", "yes,no", "0,1,2", "estimate,weight",
    "North,OR", "p,q", "t,z", "s1,s2", "s0,s1", "beta,gamma", "count,other",
    "sign,signal", "probable,proven",
    "standard,deluxe", "errors,hits", "value,price", "none,5%", "5%,a,b", "0,5%,10%",
)  # fmt: skip


def sides(headings: list[str], rows: tuple[str, ...] = ("a", "b")) -> tuple[Side, Side]:
    features = Side("f.csv", 3, ("id", "a", "b"), 1, ("x",))
    names = ("term", *headings)
    return features, Side("w.csv", len(names), names, len(rows), rows, Grammar())


@pytest.mark.parametrize("tool", TOOLS)
def test_statistics_are_no_categories(tool: str) -> None:
    header, keep = TOOLS[tool]
    headings = header.split(",")
    found = find_statistics(headings)
    assert found is not None
    assert found.keep == (keep,)
    assert sorted([*found.keep, *found.beside]) == sorted(headings)
    assert may_be_statistics(headings)
    plan = make_plan(*sides(headings))
    assert plan.problem is not None and "statistics" in plan.problem
    assert "--weights-cols" in plan.hint and keep in plan.hint
    # Whoever names the columns means them.
    features, weights = sides(headings)
    picked = Side("w.csv", 2, ("term", keep), 2, ("a", "b"), wanted=(keep,), left_out=found.beside)
    assert make_plan(features, picked).categories == (keep,)
    both = Side(
        "w.csv", len(headings) + 1, ("term", *headings), 2, ("a", "b"), wanted=tuple(headings)
    )
    assert make_plan(features, both).ok
    assert weights.names is not None


@pytest.mark.parametrize("header", CATEGORIES)
def test_categories_are_no_statistics(header: str) -> None:
    headings = header.split(",")
    assert find_statistics(headings) is None
    assert make_plan(*sides(headings)).ok


def test_a_path_of_penalties_competes() -> None:
    found = find_statistics([f"s{i}" for i in range(60)])
    assert found is not None and found.keep == ("s59",)


def test_statistics_in_rows() -> None:
    features, _ = sides([])
    rows = ("Estimate", "Std. Error")
    weights = Side("w.csv", 3, ("what", "a", "b"), 2, rows)
    plan = make_plan(features, weights, PlanOptions(transpose=True))
    assert plan.problem is not None and "statistics" in plan.problem
    assert "rows" in plan.hint


def test_features_named_like_statistics_are_features() -> None:
    features = Side("f.csv", 3, ("id", "estimate", "std.error"), 1, ("x",))
    weights = Side("w.csv", 3, ("category", "estimate", "std.error"), 1, ("p",))
    plan = make_plan(features, weights, PlanOptions(transpose=True))
    assert plan.ok


def test_without_names_of_columns_statistics_compete_too() -> None:
    features = Side("f.csv", 2, None, 2, ("0.5", "0.25"))
    _, weights = sides(["estimate", "std.error"])
    plan = make_plan(features, weights)
    assert plan.problem is not None and "statistics" in plan.problem
