"""The sample files hold what their README says; NumPy and scikit-learn are the oracles."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression

from tests.oracle.terms import Rules, encode_rows

Floats = npt.NDArray[np.float64]

SAMPLES = Path(__file__).parent.parent / "sample_data"


class Labelled(NamedTuple):
    """A sample file: its header, its first column and the numbers of the rest."""

    header: list[str]
    labels: list[str]
    values: Floats
    truth: list[str]


def read_sample(name: str, *, folder: Path = SAMPLES, has_truth: bool = False) -> Labelled:
    with (folder / name).open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert {len(row) for row in rows} == {len(header)}
    end = len(header) - has_truth
    return Labelled(
        header,
        [row[0] for row in rows],
        np.array([row[1:end] for row in rows], dtype=np.float64),
        [row[-1] for row in rows] if has_truth else [],
    )


def predict(features: Labelled, weights: Labelled) -> list[str]:
    """Score with plain NumPy: the last row of the weights is the intercept."""
    scores = features.values @ weights.values[:-1] + weights.values[-1]
    return [weights.header[1:][k] for k in scores.argmax(axis=1)]


def count_right(features: Labelled, weights: Labelled) -> int:
    pairs = zip(predict(features, weights), features.truth, strict=True)
    return sum(predicted == true for predicted, true in pairs)


def test_movies_lesson() -> None:
    movies, genres = read_sample("movies.csv"), read_sample("genres.csv")
    assert movies.header == ["film", "action", "comedy"]
    assert genres.header == ["feature", "adventure", "family", "romance"]
    assert genres.labels == movies.header[1:]
    np.testing.assert_allclose(
        movies.values @ genres.values,
        [[5.9, 3.0, 2.9], [2.1, 2.9, 6.1], [5.2, 3.6, 5.2]],
        rtol=1e-15,
    )


def test_users_lesson() -> None:
    users, films = read_sample("users.csv"), read_sample("films.csv")
    assert users.header == ["user", "action", "comedy", "drama", "science fiction"]
    assert films.header == ["film", *users.header[1:]]
    np.testing.assert_allclose(
        users.values @ films.values.T,
        [[1.47, 0.52], [0.41, 1.32], [0.81, 0.88]],
        rtol=1e-15,
    )


def test_iris_is_scikit_learns() -> None:
    iris, source = read_sample("iris.csv", has_truth=True), load_iris()
    assert iris.header[0] == "flower"
    assert iris.header[-1] == "species"
    assert iris.labels == [f"iris-{number:03}" for number in range(1, 151)]
    np.testing.assert_array_equal(iris.values, source.data)
    assert iris.truth == [str(source.target_names[k]) for k in source.target]


def test_digits_are_scikit_learns() -> None:
    digits, source = read_sample("digits.csv", has_truth=True), load_digits()
    assert digits.header[0] == "image"
    assert digits.header[-1] == "digit"
    assert digits.values.shape == (360, 64)
    assert digits.labels == sorted(set(digits.labels))
    rows = [int(label.removeprefix("image-")) - 1 for label in digits.labels]
    np.testing.assert_array_equal(digits.values, source.data[rows])
    assert digits.truth == [str(k) for k in source.target[rows]]


@pytest.mark.parametrize(
    ("name", "categories", "right"),
    [
        ("iris", ["setosa", "versicolor", "virginica"], 146),
        ("digits", list("0123456789"), 350),
    ],
)
def test_weights_are_as_good_as_the_readme_says(
    name: str, categories: list[str], right: int
) -> None:
    features = read_sample(f"{name}.csv", has_truth=True)
    weights = read_sample(f"{name}_weights.csv")
    assert weights.header == ["feature", *categories]
    assert weights.labels == [*features.header[1:-1], "(Intercept)"]
    assert count_right(features, weights) == right
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert f"**{right} of" in readme


@pytest.mark.parametrize(("name", "strength"), [("iris", 1.0), ("digits", 0.01)])
def test_weights_predict_as_scikit_learn(name: str, strength: float) -> None:
    features = read_sample(f"{name}.csv", has_truth=True)
    weights = read_sample(f"{name}_weights.csv")
    X, y = fitting_rows(name, features)
    model = LogisticRegression(C=strength, tol=1e-8, max_iter=10_000).fit(X, y)
    assert predict(features, weights) == list(model.predict(features.values))


def fitting_rows(name: str, features: Labelled) -> tuple[Floats, list[str]]:
    """Return all of iris, and the digits that are not held out."""
    if name == "iris":
        return features.values, features.truth
    source = load_digits()
    held_out = [int(label.removeprefix("image-")) - 1 for label in features.labels]
    return (
        np.delete(source.data, held_out, axis=0),
        [str(k) for k in np.delete(source.target, held_out)],
    )


def test_make_writes_the_same_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SAMPLES / "make.py", tmp_path], check=True)
    for name in ("iris.csv", "digits.csv"):
        assert (tmp_path / name).read_bytes() == (SAMPLES / name).read_bytes()
    for name in ("iris_weights.csv", "digits_weights.csv"):
        made, kept = read_sample(name, folder=tmp_path), read_sample(name)
        assert (made.header, made.labels) == (kept.header, kept.labels)
        # The last digits follow the versions of scikit-learn and its linear algebra.
        np.testing.assert_allclose(made.values, kept.values, rtol=1e-3, atol=1e-3)


def read_credit(folder: Path = SAMPLES) -> tuple[list[list[str]], list[str], Floats]:
    """Return the applicants as text with the header, and the weights' names and numbers."""
    with (folder / "credit.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    weights = read_sample("credit_weights.csv", folder=folder)
    assert weights.header == ["feature", "good", "bad"]
    return rows, weights.labels, weights.values


def test_credit_is_as_good_as_the_readme_says() -> None:
    (header, *rows), names, weights = read_credit()
    assert len(rows) == 300
    assert [row[0] for row in rows] == [f"C-{number:04}" for number in range(1, 301)]
    assert names[-1] == "(Intercept)"
    encoded = encode_rows(header, rows, names[:-1], Rules())
    scores = np.array(encoded, dtype=np.float64) @ weights[:-1] + weights[-1]
    predicted = np.where(scores[:, 1] > scores[:, 0], "bad", "good")
    outcomes = [row[-1] for row in rows]
    right = int((predicted == outcomes).sum())
    readme = " ".join((SAMPLES / "README.md").read_text(encoding="utf-8").split())
    assert f"**{right} of the 300**" in readme
    assert f"{outcomes.count('good')} of them are good" in readme


def test_credit_has_what_a_raw_file_has() -> None:
    """Gaps, levels with a blank and a colon, a rare one without a weight, an interval, products."""
    (header, *rows), names, _ = read_credit()
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    assert "" in columns["income"]
    assert "" in columns["employment"]
    assert columns["region"].count("Islands") == 3
    assert {"region=(other)", "purpose=`business: new`", "age^2", "30<=months<60"} <= set(names)
    assert {"log(income)", "income=(missing)", "amount:housing=rent"} <= set(names)


def test_make_writes_the_same_credit_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SAMPLES / "make_credit.py", tmp_path], check=True)
    assert (tmp_path / "credit.csv").read_bytes() == (SAMPLES / "credit.csv").read_bytes()
    (_, made_names, made), (_, kept_names, kept) = read_credit(tmp_path), read_credit()
    assert made_names == kept_names
    # The last digit follows the versions of scikit-learn and its linear algebra.
    np.testing.assert_allclose(made, kept, rtol=2e-3, atol=2e-3)
