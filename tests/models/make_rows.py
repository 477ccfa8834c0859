"""Rows that the models of the tests are fitted to, and those that they score."""

from __future__ import annotations

import numpy as np
import pandas as pd

NUMBERS, TEXTS = ["age", "income"], ["region", "smoker"]


def make_rows(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "age": rng.integers(18, 80, n).astype(float),
        "income": np.round(rng.lognormal(3, 0.5, n), 1),
        "rooms": rng.integers(1, 6, n),
        "region": rng.choice(["North", "South", "West"], n, p=[0.5, 0.3, 0.2]),
        "smoker": rng.choice(["yes", "no"], n),
    })  # fmt: skip


TRAIN = make_rows(200, 0)
_RNG = np.random.default_rng(1)
_SCORE = TRAIN.age / 40 + (TRAIN.region == "North") + _RNG.normal(0, 0.5, 200)
TWO = np.where(_SCORE > 1.7, "yes", "no")
THREE = np.digitize(TRAIN.age + 10 * (TRAIN.region == "South") + _RNG.normal(0, 8, 200), [40, 58])
AMOUNT = np.asarray(TRAIN.age * 3 + (TRAIN.region == "West") * 5 + _RNG.normal(0, 1, 200))
# What is scored: rows like those of the training, then cells that are missing and levels not known.
ROWS = make_rows(36, 2)
ROWS.loc[30, "age"] = ROWS.loc[31, "income"] = np.nan
ROWS.loc[32, "region"], ROWS.loc[33, "smoker"] = "Mars", "No"
ROWS.loc[34, "region"] = ROWS.loc[34, "smoker"] = ""
ROWS.loc[35, "age"], ROWS.loc[35, "region"] = np.nan, "Mars"
