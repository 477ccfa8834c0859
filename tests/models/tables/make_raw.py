"""Make the raw file that the tables are of: seeded, invented rows, for anybody to use (CC0)."""

from __future__ import annotations

import csv
import random
from pathlib import Path

FOLDER = Path(__file__).parent
REGIONS = ("East", "North", "South West")


def make_rows(n_rows: int = 120) -> list[dict[str, object]]:
    """Return rows with numbers, texts, booleans, and three things to be predicted."""
    draw = random.Random(17)
    rows = []
    for i in range(n_rows):
        age, income = draw.randint(18, 80), round(draw.lognormvariate(10, 0.5))
        region, smoker = draw.choice(REGIONS), draw.random() < 0.3
        risk = -4 + 0.05 * age + 0.9 * smoker + 0.7 * (region == "North") + draw.gauss(0, 1)
        grade = "low" if risk < -1.5 else "middle" if risk < 0 else "high"
        rows.append(
            {
                "id": f"p{i:03}", "age": age, "income": income, "region": region,
                "smoker": str(smoker).upper(), "defaulted": int(risk + draw.gauss(0, 1) > -1),
                "visits": max(0, round(risk + 4)), "grade": grade,
            }
        )  # fmt: skip
    return rows


def main() -> None:
    """Write the raw file."""
    rows = make_rows()
    with (FOLDER / "raw.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        out.writeheader()
        out.writerows(rows)


if __name__ == "__main__":
    main()
