"""Weights that are learned from raw tables are the best of their model, and score the table."""

from __future__ import annotations

import csv
import io
import os
import random
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.helpers import read_csv, run
from tests.oracle.terms import Rules, encode_rows
from tests.oracle.terms_cases import POOLS, quote, write_table

Floats = npt.NDArray[np.float64]

SEEDS = int(os.environ.get("TERMS_SEEDS", "300"))  # of the slow test
TARGET = "y"


@pytest.mark.parametrize("seed", range(20))
def test_fits_of_raw_tables_are_the_best(seed: int, tmp_path: Path) -> None:
    compare_fit(seed, tmp_path)


@pytest.mark.slow
def test_many_fits_of_raw_tables_are_the_best(tmp_path: Path) -> None:
    gaps = [compare_fit(seed, tmp_path) for seed in range(1000, 1000 + SEEDS)]
    print(f"{SEEDS} fits, residuals within {max(gaps):.1e} of the least")


def compare_fit(seed: int, folder: Path) -> float:
    """Fit a random table; return how far the squared residuals are from the least."""
    draw = random.Random(seed)
    numbers = draw.sample(["age", "x y", "a:b", "n^2", "log"], draw.randint(0, 2))
    texts = draw.sample(["region", "t=1", "of (what)", "size"], draw.randint(1, 3))
    header, rows = ["id", *numbers, *texts, TARGET], make_rows(draw, numbers, texts)
    write_table(folder / "raw.csv", [header, *rows])
    method = draw.choice(["least-squares", "ridge"])
    options = ["--id-col=id", "--missing=skip", "--rejects=rejects.csv"]
    learning = [f"--target={TARGET}", f"--method={method}", *make_options(draw, numbers, texts)]
    run("fit", "raw.csv", *learning, *options, "-o", "w.csv", cwd=folder).check()

    weights = {name: float(number) for name, number in read_csv(folder / "w.csv")[1:]}
    intercept = weights.pop("(Intercept)", 0.0)
    encoded = encode_rows(header, rows, list(weights), Rules("skip"))
    good = [i for i, values in enumerate(encoded) if values is not None]
    X = np.array([encoded[i] for i in good], np.float64)
    y = np.array([rows[i][-1] for i in good], np.float64)
    fitted: Floats = X @ np.array(list(weights.values())) + intercept
    done = run("classify", "raw.csv", "w.csv", *options, cwd=folder).check()
    assert [row[0] for row in done.rows[1:]] == [rows[i][0] for i in good]
    scores = [float(row[1]) for row in done.rows[1:]]
    np.testing.assert_allclose(scores, fitted, rtol=1e-9, atol=1e-9)
    if method == "ridge":
        return 0.0
    if "--no-intercept" not in learning:  # which is fitted, or all levels have rows
        X = np.column_stack([X, np.ones(len(X))]) if intercept else X
    least = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    gap = abs(float((y - fitted) @ (y - fitted) - least @ least)) / max(1.0, float(least @ least))
    assert gap < 1e-9, seed
    return gap


def make_rows(draw: random.Random, numbers: list[str], texts: list[str]) -> list[list[str]]:
    """Make rows with a target, and a few gaps."""
    pools = [draw.choice(POOLS[:5]) for _ in texts]
    rows = []
    for i in range(draw.randint(30, 80)):
        cells = [repr(abs(draw.gauss(2, 1)) + 0.1) for _ in numbers]
        cells += [draw.choice(pool) for pool in pools]
        if draw.random() < 0.1:
            cells[draw.randrange(len(cells))] = draw.choice(["", "NA"])
        rows.append([f"r{i}", *cells, repr(draw.gauss(0, 1))])
    return rows


def make_options(draw: random.Random, numbers: list[str], texts: list[str]) -> list[str]:
    """Make terms to add, and what happens to rare levels and the intercept."""
    terms = [f"{quote(name)}=(missing)" for name in [*numbers, *texts] if draw.random() < 0.4]
    for name in map(quote, numbers):
        if draw.random() < 0.4:
            terms.append(f"{name}:{quote(draw.choice(texts))}")
        kinds = [f"log({name})", f"{name}^2", f"{name}^-1", f"1<={name}<2", f"{name}>2"]
        terms += [draw.choice(kinds)] if draw.random() < 0.4 else []
    if len(texts) > 1 and draw.random() < 0.3:
        terms.append(":".join(map(quote, texts[:2])))
    rare = draw.choice([[], [], ["--rare=3"], ["--rare=6"]])
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(terms)
    added = [f"--terms={line.getvalue()}"] if terms else []
    return [*added, *rare, *["--no-intercept"] * (draw.random() < 0.3)]
