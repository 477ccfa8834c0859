"""Make the iris and digits files of this folder again from scikit-learn's copies of the data.

Run ``python sample_data/make.py [FOLDER]``; FOLDER is this one unless given. The data files come
out the same everywhere; the last digits of the weights follow the versions of scikit-learn,
SciPy and the linear algebra library.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

Floats = npt.NDArray[np.float64]

IRIS_FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
DIGITS_FEATURES = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
# Chosen among 1, 0.1, 0.01 and 0.001 by five-fold cross-validation on the fitting rows.
DIGITS_C = 0.01
HELD_OUT_DIGITS = 360
# Far under scikit-learn's 1e-4: weights converged so far hardly depend on the way there.
TOLERANCE = 1e-8


def main() -> None:
    """Write the four files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    make_iris(folder)
    make_digits(folder)


def make_iris(folder: Path) -> None:
    """Write all 150 flowers, and weights fitted on all of them."""
    iris = load_iris()
    species = [str(iris.target_names[k]) for k in iris.target]
    write_csv(
        folder / "iris.csv",
        ["flower", *IRIS_FEATURES, "species"],
        (
            [f"iris-{number:03}", *map(repr, row), name]
            for number, (row, name) in enumerate(zip(iris.data.tolist(), species, strict=True), 1)
        ),
    )
    model = LogisticRegression(tol=TOLERANCE, max_iter=10_000).fit(iris.data, species)
    write_weights(folder / "iris_weights.csv", IRIS_FEATURES, model)


def make_digits(folder: Path) -> None:
    """Write 360 held-out images, and weights fitted on the other 1,437."""
    digits = load_digits()
    fitted, held_out = train_test_split(
        np.arange(len(digits.data)),
        test_size=HELD_OUT_DIGITS,
        stratify=digits.target,
        random_state=0,
    )
    write_csv(
        folder / "digits.csv",
        ["image", *DIGITS_FEATURES, "digit"],
        (
            [f"image-{k + 1:04}", *map(int, digits.data[k]), int(digits.target[k])]
            for k in sorted(held_out)
        ),
    )
    model = LogisticRegression(C=DIGITS_C, tol=TOLERANCE, max_iter=10_000)
    model.fit(digits.data[fitted], digits.target[fitted])
    write_weights(folder / "digits_weights.csv", DIGITS_FEATURES, model)


def write_weights(path: Path, features: Sequence[str], model: LogisticRegression) -> None:
    """Write the coefficients, one row a feature, and the intercept as the last row."""
    # scikit-learn keeps one row a category: (n_categories, n_features).
    rows: Floats = np.vstack([model.coef_.T, model.intercept_])
    write_csv(
        path,
        ["feature", *map(str, model.classes_)],
        (
            [name, *map(repr, row)]
            for name, row in zip([*features, "(Intercept)"], rows.tolist(), strict=True)
        ),
    )


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write one CSV file with plain line ends."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
