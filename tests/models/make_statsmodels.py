"""Make results of statsmodels, pickled, and their predictions, for test_statsmodels.py.

    python tests/models/make_statsmodels.py

The data is `fair` of statsmodels' own data sets, with columns of texts made of its numbers. Kept is
what statsmodels 0.15.0 with pandas 3.1.1 made.
"""

from __future__ import annotations

import gzip
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula
import statsmodels.formula.api as smf

FOLDER = Path(__file__).parent / "statsmodels"
FAMILIES = sm.families
LINKS = FAMILIES.links


def make_frame() -> pd.DataFrame:
    data = sm.datasets.fair.load_pandas().data
    data = data.iloc[:: len(data) // 70][:70].reset_index(drop=True)
    found = pd.DataFrame(
        {
            "affairs": np.round(data["affairs"], 3),
            "age": data["age"],
            "years": data["yrs_married"],
            "religious": data["religious"],
            "kids": np.array(["none", "some", "many: 3+"])[np.digitize(data["children"], [1, 3])],
            "job": np.array(["a=b", "C(x)[T.y]", "it's"])[data["occupation"].astype(int) % 3],
            "school": data["educ"],
            "young": data["age"] < 30,
            "rate me": data["rate_marriage"],
        }
    )
    found["any"] = (found["affairs"] > 0.6).astype(int)
    found["said"] = np.where(found["affairs"] > 0.6, "yes", "no")
    found["count"] = np.round(found["affairs"]).astype(int)
    found.loc[[4, 50], "age"] = np.nan
    found.loc[[7], "job"] = None
    return found


def formulas() -> dict[str, Any]:
    ols, glm = smf.ols, smf.glm
    return {
        "plain": ols("affairs ~ age + religious", D),
        "treatment": ols("affairs ~ age + C(kids) + job", D),
        "reference": ols("affairs ~ C(kids, Treatment('some')) + age", D),
        "sum": ols("affairs ~ C(kids, Sum) * age", D),
        "helmert": ols("affairs ~ C(job, Helmert) + religious", D),
        "poly": ols("affairs ~ C(kids, Poly) + age", D),
        "product": ols("affairs ~ kids * religious + job:age", D),
        "two_texts": ols("affairs ~ kids:job + religious", D),
        "no_intercept": ols("affairs ~ kids + age - 1", D),
        "numbers_as_levels": ols("affairs ~ C(school) + age", D),
        "booleans": ols("affairs ~ young + age:young", D),
        "functions": ols(
            "affairs ~ np.log(years) + np.sqrt(age) + I(age**2) + np.exp(religious)", D
        ),
        "arithmetic": ols("affairs ~ I((age - 40) / 10) + I(age * years) + I(-religious + 1)", D),
        "comparison": ols("affairs ~ I(age > 32) + religious", D),
        "quoted": ols('affairs ~ Q("rate me") + C(Q("rate me")):age', D),
        "weighted": smf.wls("affairs ~ age + kids", D, weights=D["years"]),
        "robust": smf.rlm("affairs ~ age + kids", D),
        "median": smf.quantreg("affairs ~ age + kids", D),
        "logit": smf.logit("any ~ religious + kids", D),
        "probit": smf.probit("any ~ religious + kids", D),
        "classes": smf.mnlogit("school ~ religious", D[D["school"].isin([12, 14, 16])]),
        "poisson": smf.poisson("count ~ age + kids", D),
        "negative_binomial": smf.negativebinomial("count ~ religious", D),
        "glm_poisson": glm("count ~ age + kids", D, family=FAMILIES.Poisson()),
        "glm_gamma": glm("years ~ age + kids", D, family=FAMILIES.Gamma(LINKS.Log())),
        "glm_gauss": glm("years ~ age + kids", D, family=FAMILIES.Gaussian()),
        "glm_tweedie": glm("years ~ age", D, family=FAMILIES.Tweedie(var_power=1.5)),
        "glm_logit": glm("any ~ religious * kids", D, family=FAMILIES.Binomial()),
        "glm_probit": glm("any ~ religious", D, family=FAMILIES.Binomial(LINKS.Probit())),
        "glm_cloglog": glm("any ~ religious", D, family=FAMILIES.Binomial(LINKS.CLogLog())),
        "glm_text": glm("said ~ religious", D, family=FAMILIES.Binomial()),
    }


def arrays() -> dict[str, Any]:
    known = D.dropna()
    numbers = known[["age", "religious"]]
    return {
        "frame": sm.OLS(known["affairs"], sm.add_constant(numbers)),
        "frame_logit": sm.Logit(known["any"], sm.add_constant(numbers)),
        "array": sm.OLS(known["affairs"].to_numpy(), numbers.to_numpy()),
        "array_constant": sm.OLS(known["affairs"].to_numpy(), sm.add_constant(numbers.to_numpy())),
    }


def fit(model: Any) -> Any:
    quiet = {"disp": 0} if type(model).__module__.startswith("statsmodels.discrete") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(**quiet)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    raw = D.iloc[[*range(1, 60, 4), 4, 7]].drop(columns=["affairs", "any", "said", "count"])
    raw.to_csv(FOLDER / "raw.csv", index=False)
    answers: dict[str, Any] = {}
    models = formulas()
    statsmodels.formula.options.formula_engine = "formulaic"
    again = formulas()
    models |= {
        f"formulaic_{name}": again[name] for name in ("product", "booleans", "poly", "glm_logit")
    }
    statsmodels.formula.options.formula_engine = "patsy"
    for name, model in models.items():
        engine = "formulaic" if name.startswith("formulaic") else "patsy"
        statsmodels.formula.options.formula_engine = engine
        results = fit(model)
        said = np.asarray(results.predict(raw)).tolist()
        answers[name] = [None if np.isnan(one).any() else one for one in said]
        save(results, name)
    for name, model in arrays().items():
        results = fit(model)
        numbers = raw[["age", "religious"]]
        has_constant = len(results.params) == 3
        exog = sm.add_constant(numbers, has_constant="add") if has_constant else numbers
        said = np.asarray(results.predict(exog)).tolist()
        answers[name] = [None if np.isnan(one) else one for one in said]
        save(results, name)
    (FOLDER / "answers.json").write_text(json.dumps(answers).replace("], ", "],\n") + "\n")


def save(results: Any, name: str) -> None:
    (FOLDER / f"{name}.pkl.gz").write_bytes(gzip.compress(pickle.dumps(results), mtime=0))


if __name__ == "__main__":
    D = make_frame()
    main()
