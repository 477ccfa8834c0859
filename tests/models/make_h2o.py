"""Write the H2O models of the tests and what H2O answers.

Made with h2o 3.44.0.3, of which the saving of a MOJO is a part under the Apache License; the open
edition of 3.46.0.12 has it no longer. The tests themselves need neither H2O nor Java:

    python tests/models/make_h2o.py
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import h2o
import numpy as np
import pandas as pd
from h2o.estimators import H2OGeneralizedLinearEstimator, H2OGradientBoostingEstimator

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.models.make_rows import AMOUNT, ROWS, THREE, TRAIN, TWO

HERE = Path(__file__).parent / "data" / "h2o"
COLUMNS = ["age", "income", "region", "smoker"]


def make_table() -> pd.DataFrame:
    table = TRAIN.assign(
        two=TWO,
        three=[f"c{n}" for n in THREE],
        amount=AMOUNT,
        weight=np.linspace(-1, 1, len(TRAIN)),
    )
    table.loc[::17, "age"] = np.nan
    table.loc[::23, "region"] = ""
    # Levels with what the file's text escapes.
    table.loc[5:9, "smoker"] = 'back\\slash "quoted"'
    return table


def load(table: pd.DataFrame) -> Any:
    # By CSV, in which an empty cell is a missing one.
    types = {name: "enum" for name in ("region", "smoker", "two", "three") if name in table}
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        table.to_csv(file.name, index=False)
        return h2o.import_file(file.name, col_types=types)


def main() -> None:
    HERE.mkdir(parents=True, exist_ok=True)
    for old in HERE.iterdir():
        old.unlink()
    rows = ROWS[["age", "income", "region", "smoker"]].assign(weight=np.linspace(-2, 2, len(ROWS)))
    rows.to_csv(HERE / "rows.csv", index=False)
    h2o.init(port=54399, nthreads=1, max_mem_size="1g", strict_version_check=False)
    h2o.no_progress()
    train, scored = load(make_table()), load(rows)
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("binomial", "two", {"family": "binomial"}),
        ("binomial_plain", "two", {"family": "binomial", "lambda_": 0}),
        ("binomial_skip", "two", {"family": "binomial", "missing_values_handling": "Skip"}),
        ("multinomial", "three", {"family": "multinomial"}),
        ("gaussian", "amount", {"family": "gaussian"}),
        ("gaussian_log", "amount", {"family": "gaussian", "link": "log", "lambda_": 0}),
        ("poisson", "rooms", {"family": "poisson"}),
        ("offset", "rooms", {"family": "poisson", "offset_column": "weight"}),
        ("gamma_log", "amount", {"family": "gamma", "link": "log", "lambda_": 0}),
        ("gamma_inverse", "amount", {"family": "gamma", "link": "inverse"}),
        ("tweedie", "amount", {"family": "tweedie", "tweedie_variance_power": 1.5,
                               "tweedie_link_power": 0}),
        ("negative", "rooms", {"family": "negativebinomial", "theta": 0.5, "link": "log"}),
        ("ordinal", "three", {"family": "ordinal"}),
        ("numbers", "amount", {"family": "gaussian", "x": ["age", "income"]}),
        ("texts", "two", {"family": "binomial", "x": ["region", "smoker"]}),
        ("trees", "two", {}),
    ]  # fmt: skip
    answers = {}
    for name, response, options in cases:
        x = options.pop("x", COLUMNS)
        kind = H2OGradientBoostingEstimator if name == "trees" else H2OGeneralizedLinearEstimator
        small = {"ntrees": 1, "max_depth": 1} if name == "trees" else {}
        model = kind(seed=1, **options, **small)
        model.train(x=x, y=response, training_frame=train)
        try:
            model.download_mojo(str(HERE / f"{name}.zip"))
        except Exception as error:
            print(name, "is not saved:", error)
            continue
        shrink(HERE / f"{name}.zip")
        predictions = model.predict(scored).as_data_frame()
        predictions = predictions.drop(columns="StdErr", errors="ignore")
        answers[name] = {
            "names": list(predictions)[1:], "first": predictions.iloc[:, 0].tolist(),
            "rest": predictions.iloc[:, 1:].to_numpy().tolist(),
        }  # fmt: skip
    lines = (f"{json.dumps(name)}: {json.dumps(found)}" for name, found in answers.items())
    (HERE / "answers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    h2o.cluster().shutdown()


def shrink(path: Path) -> None:
    """Leave out the description of the training, which is most of the file and of no use here."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        members = {n: archive.read(n) for n in archive.namelist() if not n.startswith("exper")}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


if __name__ == "__main__":
    main()
