"""Write `links.json`: what statsmodels predicts with each link, for `test_links.py` to compare.

``python tests/links/make_links.py`` asks for statsmodels, whose bundled data it uses: the grades of
32 students (Spector and Mazzeo 1980, in the public domain).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import statsmodels
import statsmodels.api as sm

OUTPUT = Path(__file__).parent / "links.json"


def main() -> None:
    """Fit a generalized linear model for each link and write its coefficients and predictions."""
    data = sm.datasets.spector.load_pandas()
    features = sm.add_constant(data.exog).rename(columns={"const": "(Intercept)"})
    families = {
        "logistic": sm.families.Binomial(),
        "probit": sm.families.Binomial(sm.families.links.Probit()),
        "cloglog": sm.families.Binomial(sm.families.links.CLogLog()),
        "exp": sm.families.Poisson(),
        "identity": sm.families.Gaussian(),
    }
    models: dict[str, Any] = {}
    for link, family in families.items():
        fit = sm.GLM(data.endog, features, family=family).fit()
        models[link] = {
            "weights": fit.params.to_dict(),
            "predicted": fit.predict(features).tolist(),
            # Of a binomial model: all rows, so without its sign the mean log-loss.
            "log_likelihood": float(fit.llf),
        }
    made = {
        "made_by": f"statsmodels {statsmodels.__version__}",
        "features": data.exog.to_dict("list"),
        "target": data.endog.astype(int).tolist(),
        "models": models,
    }
    OUTPUT.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
