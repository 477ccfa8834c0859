"""Make tables of statsmodels, as it prints and writes them, with its own predictions.

Made with statsmodels 0.15.0; ``raw.csv`` comes of `make_raw.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf

FOLDER = Path(__file__).parent


def main() -> None:
    """Fit each model, and write its tables and its predictions."""
    raw = pd.read_csv(FOLDER / "raw.csv")
    formula = "age + np.log(income) + C(region) + smoker + age:C(region)"
    fits = {
        "sm_logit": smf.logit(f"defaulted ~ {formula}", raw).fit(disp=0),
        "sm_ols": smf.ols(f"visits ~ {formula} + I(age ** 2)", raw).fit(),
        "sm_poisson": smf.glm(f"visits ~ {formula}", raw, family=sm.families.Poisson()).fit(),
        "sm_probit": smf.glm(
            f"defaulted ~ {formula}",
            raw,
            family=sm.families.Binomial(link=sm.families.links.Probit()),
        ).fit(),
    }
    predictions = {"id": raw["id"]}
    for name, fit in fits.items():
        (FOLDER / f"{name}.txt").write_text(fit.summary().as_text() + "\n", encoding="utf-8")
        table = pd.DataFrame({"coef": fit.params, "std err": fit.bse, "P>|z|": fit.pvalues})
        table.to_csv(FOLDER / f"{name}_params.csv")
        predictions[name] = fit.predict(raw)
    (FOLDER / "sm_logit.csv").write_text(fits["sm_logit"].summary().as_csv(), encoding="utf-8")
    codes = pd.Categorical(raw["grade"], ["low", "middle", "high"]).codes
    grades = raw.assign(grade_code=np.asarray(codes, dtype=int))
    fit = smf.mnlogit("grade_code ~ age + C(region)", grades).fit(disp=0)
    (FOLDER / "sm_mnlogit.txt").write_text(fit.summary().as_text() + "\n", encoding="utf-8")
    for i, name in enumerate(("low", "middle", "high")):
        predictions[f"probability_{name}"] = fit.predict(grades)[i]
    pd.DataFrame(predictions).to_csv(FOLDER / "sm_predictions.csv", index=False)


if __name__ == "__main__":
    main()
