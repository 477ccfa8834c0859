"""Models of statsmodels on its own data, rewritten into terms by their parameters' names."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf

from tests.oracle.terms_cases import quote

_LEVEL = re.compile(r"(?:C\()?(\w+)\)?\[(?:T\.)?(.*)\]", re.DOTALL)
_FUNCTION = re.compile(r"np\.(\w+)\((\w+)\)")
_POWER = re.compile(r"I\((\w+) \*\* (-?\d+)\)|np\.(?:power|square)\((\w+)\)")


@dataclass(frozen=True)
class Model:
    """A formula on a data set of statsmodels, and what fits it."""

    data: str
    formula: str
    fit: Callable[..., Any] = smf.ols
    options: tuple[tuple[str, Any], ...] = ()


MODELS = [
    Model("fair", "affairs ~ age + C(occupation) * religious + np.log(yrs_married) + I(educ ** 2)"),
    Model("fair", "affairs ~ C(occupation):C(religious) + age:educ + np.log1p(children) - 1"),
    Model("grunfeld", "invest ~ value + C(firm) + capital:firm + np.log(value)"),
    Model("grunfeld", "np.log(invest) ~ firm + np.log(value) * np.sqrt(capital) + C(year)"),
    Model("ccard", "AVGEXP ~ np.sqrt(INCOME) + C(OWNRENT):INCOME + AGE + I(AGE ** 2)"),
    Model("statecrime", "murder ~ np.log1p(poverty) + urban * single + I(white ** -1)"),
    Model("spector", "GRADE ~ GPA + C(PSI) + np.exp(GPA) + TUCE:C(PSI)", smf.logit),
    Model("spector", "GRADE ~ GPA * C(PSI)", smf.probit),
    Model("fertility", "y ~ C(region) * x", smf.ols),
    Model("anes96", "PID ~ C(educ) + age:C(TVnews) + np.log(popul_1)", smf.mnlogit),
    Model("anes96", "vote ~ C(income) + selfLR * age", smf.logit, (("method", "bfgs"),)),
    Model("randhie", "mdvis ~ lncoins + C(hlthg) + C(hlthf) + np.log1p(disea)", smf.poisson),
    Model(
        "star98",
        "y ~ LOWINC + np.log(PCTCHRT_1) + PERASIAN:PERBLACK:PERHISP",
        smf.glm,
        (("family", sm.families.Gamma(sm.families.links.Log())),),
    ),
    Model("modechoice", "choice ~ C(mode) * hinc + np.log10(gc) + ttme", smf.logit),
]


def load(name: str) -> pd.DataFrame:
    """Return a data set, with a few columns that its formulas need."""
    data: pd.DataFrame = getattr(sm.datasets, name).load_pandas().data
    if name == "anes96":
        data = data.assign(popul_1=data["popul"] + 1)
    elif name == "fertility":
        data = data[["Country Name", "1990", "2000"]].dropna()
        region = data["Country Name"].str[0]  # texts of many levels
        data = pd.DataFrame({"region": region, "x": data["1990"], "y": data["2000"]})
    elif name == "star98":
        data = data.assign(y=data["NABOVE"] / data["NBELOW"], PCTCHRT_1=data["PCTCHRT"] + 1)
    elif name == "randhie":
        data = data.iloc[:4000]
    return data.reset_index(drop=True)


@dataclass(frozen=True)
class Fitted:
    """A model's data and its answers, and the weights by their names."""

    data: pd.DataFrame
    linear: Any  # (n_rows,) or (n_rows, n_categories - 1)
    odds: Any  # (n_rows, n_categories), or None
    names: list[str]
    weights: list[list[float]]
    n_levels: int


def fit(model: Model) -> Fitted:
    """Fit a model and rewrite it."""
    data, extra = load(model.data), dict(model.options)
    family = {"family": extra.pop("family")} if "family" in extra else {}
    quiet = {} if model.fit in (smf.ols, smf.glm) else {"disp": 0, "maxiter": 200}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = model.fit(model.formula, data, **family).fit(**quiet, **extra)
        many = model.fit is smf.mnlogit
        parameters = np.asarray(results.params).reshape(len(results.model.exog_names), -1)
        linear = results.model.exog @ parameters
        odds = None
        if model.fit in (smf.logit, smf.mnlogit):
            odds = np.asarray(results.predict())
            odds = odds if many else np.column_stack([1 - odds, odds])
    written = dict(zip(map(rewrite, results.model.exog_names), parameters.tolist(), strict=True))
    columns = {level[1] for name in results.model.exog_names for level in find_levels(name)}
    known = {
        f"{quote(column)}={quote(str(value))}"
        for column in columns
        for value in data[column].unique()
    }
    zeros = [0.0] * parameters.shape[1]
    written |= dict.fromkeys(sorted(known - set(written)), zeros)
    weights = list(written.values())
    if odds is not None:
        weights = [[0.0, *row] for row in weights]
    return Fitted(data, linear, odds, list(written), weights, len(known))


def find_levels(name: str) -> list[re.Match[str]]:
    return [found for part in name.split(":") if (found := _LEVEL.fullmatch(part))]


def rewrite(name: str) -> str:
    """Write a parameter's name as a term; no level of these data has a colon."""
    return "(Intercept)" if name == "Intercept" else ":".join(map(rewrite_factor, name.split(":")))


def rewrite_factor(part: str) -> str:
    if level := _LEVEL.fullmatch(part):
        return f"{quote(level[1])}={quote(level[2])}"
    if function := _FUNCTION.fullmatch(part):
        return f"{function[1]}({quote(function[2])})"
    if power := _POWER.fullmatch(part):
        return f"{quote(power[1])}^{power[2]}"
    return quote(part)
