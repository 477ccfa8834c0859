"""Make the credit files of this folder again: invented applicants, and weights in terms.

Run ``python sample_data/make_credit.py [FOLDER]``; FOLDER is this one unless given. Nobody in it
exists, and the files are in the public domain (CC0 1.0). The weights are a logistic regression of
scikit-learn on 6,000 further applicants, rounded to four digits.
"""

from __future__ import annotations

import csv
import math
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
from sklearn.linear_model import LogisticRegression

N_SHOWN, N_FITTED = 300, 6_000
COLUMNS = ["applicant", "age", "income", "employment", "housing", "region", "purpose"]
COLUMNS += ["amount", "months", "late", "outcome"]

# How often each level is; the first is the reference, whose row in the weights is zeros.
EMPLOYMENT = {"employed": 62, "self-employed": 14, "retired": 10, "student": 8, "unemployed": 6}
HOUSING = {"own": 46, "rent": 41, "with parents": 13}
REGION = {"East": 27, "North": 22, "South": 30, "West": 20, "Islands": 1}
PURPOSE = {"car": 36, "furniture": 24, "renovation": 20, "education": 12, "business: new": 8}
MONTHS = {12: 14, 24: 27, 36: 26, 48: 17, 60: 12, 72: 4}

# What makes a credit bad, beside the numbers: this is what the weights should find.
EFFECTS = {
    "self-employed": 0.45, "retired": -0.3, "student": 0.35, "unemployed": 1.2, "": 0.7,
    "rent": 0.35, "with parents": 0.2, "North": 0.25, "South": -0.15, "Islands": 0.3,
    "furniture": 0.15, "renovation": -0.25, "education": 0.1, "business: new": 0.8,
}  # fmt: skip

Applicant = dict[str, object]


def main() -> None:
    """Write both files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    draw = random.Random(1957)
    shown, fitted = make_applicants(draw, N_SHOWN), make_applicants(draw, N_FITTED)
    write_csv(folder / "credit.csv", COLUMNS, ([row[name] for name in COLUMNS] for row in shown))
    write_weights(folder / "credit_weights.csv", fitted)


def make_applicants(draw: random.Random, n: int) -> list[Applicant]:
    """Invent applicants, by the order of their numbers."""
    return [make_applicant(draw, number) for number in range(1, n + 1)]


def make_applicant(draw: random.Random, number: int) -> Applicant:
    """Invent one."""
    employment = choose(draw, EMPLOYMENT)
    lowest, highest = {"student": (18, 30), "retired": (58, 79)}.get(employment, (19, 66))
    age = round(lowest + (highest - lowest) * draw.random() ** 1.3)
    share = {"student": 0.35, "unemployed": 0.4, "retired": 0.7}.get(employment, 1.0)
    income = round(share * math.exp(7.6 + 0.004 * min(age, 55) + 0.42 * normal(draw)), -1)
    amount = max(500, round(math.exp(8.3 + 0.7 * normal(draw)), -2))
    late = max(0, int(1.3 * normal(draw)))
    applicant: Applicant = {
        "applicant": f"C-{number:04}",
        "age": age,
        "income": int(income) if draw.random() > 0.07 else "",
        "employment": employment if draw.random() > 0.04 else "",
        "housing": choose(draw, HOUSING),
        "region": choose(draw, REGION),
        "purpose": choose(draw, PURPOSE),
        "amount": int(amount),
        "months": choose(draw, MONTHS),
        "late": late,
    }
    risk = -2.7 + 0.0011 * (age - 47) ** 2 - 0.9 * math.log(income / 2000) + 0.6 * late
    risk += 0.00006 * amount * (1.6 if applicant["housing"] == "rent" else 1.0)
    risk += {36: 0.3, 48: 0.3, 60: 0.7, 72: 0.7}.get(int(str(applicant["months"])), 0.0)
    risk += sum(EFFECTS.get(str(value), 0.0) for value in list(applicant.values())[3:7])
    applicant["outcome"] = "bad" if draw.random() < 1 / (1 + math.exp(-risk)) else "good"
    return applicant


def choose(draw: random.Random, levels: dict[str, int] | dict[int, int]) -> str:
    """Draw a level as often as it is."""
    return str(draw.choices(list(levels), list(levels.values()))[0])


def normal(draw: random.Random) -> float:
    """Draw from the normal distribution, by `random`, which alone is the same in all versions."""
    return NormalDist().inv_cdf(draw.random() or 0.5)


def list_terms() -> dict[str, Callable[[Applicant], float]]:
    """Return the rows of the weights, each with its value for an applicant."""

    def number(column: str, function: Callable[[float], float]) -> Callable[[Applicant], float]:
        # A missing number counts 0 in all terms but (missing).
        return lambda row: function(float(str(row[column]))) if row[column] != "" else 0.0

    def level(column: str, text: str) -> Callable[[Applicant], float]:
        return lambda row: float(row[column] == text)

    terms = {
        "age": number("age", float),
        "age^2": number("age", lambda x: x**2),
        "log(income)": number("income", math.log),
        "income=(missing)": level("income", ""),
        "late": number("late", float),
        "amount": number("amount", float),
        "amount:housing=rent": lambda row: (row["housing"] == "rent") * float(str(row["amount"])),
        "30<=months<60": number("months", lambda x: float(30 <= x < 60)),
        "months>=60": number("months", lambda x: float(x >= 60)),
    }
    for column, levels in [("employment", EMPLOYMENT), ("housing", HOUSING)]:
        terms |= {f"{column}={text}": level(column, text) for text in levels}
    terms["employment=(missing)"] = level("employment", "")
    terms |= {f"region={text}": level("region", text) for text in REGION if text != "Islands"}
    terms["region=(other)"] = level("region", "Islands")
    for text in PURPOSE:
        quoted = f"`{text}`" if ":" in text else text
        terms[f"purpose={quoted}"] = level("purpose", text)
    return terms


def write_weights(path: Path, applicants: Sequence[Applicant]) -> None:
    """Fit the terms, and write a row each; the references' rows are zeros."""
    terms = list_terms()
    references = {"employment=employed", "housing=own", "region=East", "purpose=car"}
    free = [name for name in terms if name not in references]
    values = np.array([[terms[name](row) for name in free] for row in applicants])
    scale = values.std(axis=0)
    model = LogisticRegression(C=1e6, tol=1e-10, max_iter=10_000)
    model.fit(values / scale, [row["outcome"] == "bad" for row in applicants])
    fitted = dict(zip(free, model.coef_[0] / scale, strict=True))
    fitted["(Intercept)"] = model.intercept_[0]
    rows = [*terms, "(Intercept)"]
    write_csv(
        path,
        ["feature", "good", "bad"],
        ([name, 0, f"{fitted[name]:.4g}" if name in fitted else 0] for name in rows),
    )


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write one CSV file with plain line ends."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
