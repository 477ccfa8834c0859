"""Links: their functions against exact ones, statsmodels and scikit-learn; their words in files."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from decimal import Context, Decimal, localcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn import metrics as oracle
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, PoissonRegressor, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier

import matscore
from matscore.kernel import Floats
from matscore.links import find_losses, find_probabilities, find_response
from matscore.model import Model
from matscore.options import Link
from matscore.plan import Side, make_plan
from matscore.plan.headings import LINKS, SYNONYMS
from matscore.plan.labels import is_label_heading
from tests.cli.test_report import validate
from tests.helpers import ENVIRONMENT, OLD_PROCESSOR, Done, read_csv, run, write_csv
from tests.oracle.cases import make_case
from tests.oracle.worker import Worker

REFERENCE = json.loads((Path(__file__).parent / "links" / "links.json").read_text())
STUDENTS = pd.DataFrame(REFERENCE["features"])
ROW = [["id", "x", "y"], ["a", 1, 2], ["b", -1, 0.5]]


def draw_scores(kind: str) -> Floats:
    """Make scores of one of many kinds, (1, n)."""
    rng = np.random.default_rng(7)
    kinds = {
        "usual": rng.normal(size=150) * 2,
        "wide": rng.uniform(-38.5, 9, 150),
        "tiny": rng.normal(size=60) * 10.0 ** rng.integers(-320, -3, 60),
        "edges": np.array([0.0, -0.0, 7.0, -1.0, -0.36, 0.36, -8.2, 8.3, 6.6, -37.5, -38.4]),
    }
    return kinds[kind][None]


def digits_for(link: Link, score: Decimal) -> Context:
    """Return enough digits: Φ(-38) has 316 zeros, and is a sum of large terms that cancel."""
    more = int(score * score) if link == "probit" else 0
    return Context(prec=60 + more, Emin=-99_999, Emax=99_999)


def exact_inverse(link: Link, score: Decimal) -> tuple[Decimal, Decimal]:
    """Return the inverse link and what it leaves of 1."""
    with localcontext(digits_for(link, score)):
        if link == "logistic":
            return 1 / (1 + (-score).exp()), 1 / (1 + score.exp())
        if link == "cloglog":
            rest = (-score.exp()).exp()
            return 1 - rest, rest
        # Φ(x) = ½ + φ(x) (x + x³/3 + x⁵/(3·5) + …), Abramowitz and Stegun 26.2.11.
        term = total = score
        odd = 1
        while abs(term) > Decimal("1e-370"):
            odd += 2
            term = term * score * score / odd
            total += term
        below = total * (-score * score / 2).exp() / (2 * PI).sqrt()
        return Decimal("0.5") + below, Decimal("0.5") - below


def make_pi() -> Decimal:
    """Return π to 1,600 digits, by Machin's formula."""
    with localcontext(Context(prec=1620)):

        def arctan_of_inverse(n: int) -> Decimal:
            power = total = Decimal(1) / n
            for odd in range(3, 2400, 2):
                power = -power / (n * n)
                total += power / odd
            return total

        return 16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)


PI = make_pi()


def count_ulps(found: float, exact: Decimal) -> float:
    with localcontext(Context(prec=60, Emin=-99_999, Emax=99_999)):
        return float(abs(Decimal(found) - exact) / Decimal(math.ulp(found)))


@pytest.mark.parametrize("kind", ["usual", "wide", "tiny", "edges"])
@pytest.mark.parametrize("link", ["logistic", "probit", "cloglog"])
def test_inverse_links_are_within_three_ulps(link: Link, kind: str) -> None:
    scores = draw_scores(kind)
    pairs = find_response(link, np.vstack([scores * 0, scores]), reference=True)
    np.testing.assert_array_equal(find_response(link, scores, reference=False)[0], pairs[1])
    bound = 3 if link == "logistic" else 2
    for score, rest, found in zip(scores[0].tolist(), *pairs.tolist(), strict=True):
        exact, left = exact_inverse(link, Decimal(score))
        assert count_ulps(found, exact) < bound
        assert count_ulps(rest, left) < bound


@pytest.mark.parametrize("link", ["logistic", "probit", "cloglog"])
def test_inverse_links_end_where_they_should(link: Link) -> None:
    far = np.array([[-math.inf, -1e308, -1e4, 1e4, 1e308, math.inf, math.nan]])
    with np.errstate(all="raise", under="ignore"):
        found = find_response(link, far, reference=False)[0]
    assert found[:6].tolist() == [0, 0, 0, 1, 1, 1]
    assert math.isnan(found[6])
    ascending = np.sort(np.random.default_rng(1).uniform(-40, 9, 20_000))
    steps = np.diff(find_response(link, ascending[None], reference=False)[0])
    assert (steps >= 0).all()


def test_probit_is_scipys() -> None:
    scores = np.random.default_rng(2).normal(size=(1, 100_000)) * 6
    found = find_response("probit", scores, reference=False)
    np.testing.assert_allclose(found, special.ndtr(scores), rtol=2e-13)
    rows = np.zeros(scores.shape[1], dtype=np.int64)
    losses = find_losses("probit", scores, rows, reference=False)
    np.testing.assert_allclose(losses, -special.log_ndtr(scores[0]), rtol=1e-13, atol=1e-15)


def test_exp_and_identity() -> None:
    scores = np.array([[0.0, 1.0, -800.0, 800.0, math.nan], [-1.0, 2.0, 3.0, 4.0, math.nan]])
    np.testing.assert_array_equal(find_response("identity", scores, reference=False), scores)
    with np.errstate(over="ignore", under="ignore"):
        expected = np.exp(scores)
    np.testing.assert_allclose(find_response("exp", scores, reference=False), expected, rtol=4e-16)


def test_one_vs_rest_is_divided_by_the_sum() -> None:
    scores = np.random.default_rng(3).normal(size=(4, 1000)) * 9
    each = special.expit(scores)
    found = find_probabilities("one-vs-rest", scores, reference=False)
    np.testing.assert_allclose(found, each / each.sum(axis=0), rtol=1e-14)
    np.testing.assert_allclose(find_response("one-vs-rest", scores, reference=False), each, 1e-15)
    truth = np.random.default_rng(4).integers(0, 4, 1000)
    losses = find_losses("one-vs-rest", scores, truth, reference=False)
    np.testing.assert_allclose(
        losses, -np.log(found[truth, np.arange(1000)]), rtol=1e-10, atol=1e-15
    )
    # Where each function is 0 in float64, the limit: that of the softmax.
    low = np.array([[-800.0, -5000.0, -1e6], [-801.0, -5000.0, -3e6], [-900.0, -5000.0, -1e6]])
    found = find_probabilities("one-vs-rest", low, reference=False)
    np.testing.assert_allclose(found, special.softmax(low, axis=0), rtol=1e-13, atol=1e-300)
    losses = find_losses("one-vs-rest", low, np.array([1, 0, 1]), reference=False)
    np.testing.assert_allclose(losses, [1.31326168751822, math.log(3), 2e6 + math.log(2)], 1e-12)


@pytest.mark.parametrize("link", ["logistic", "probit", "cloglog"])
def test_losses_where_probabilities_vanish(link: Link) -> None:
    """The probability may be 0 in float64 or as good as 1; its logarithm is known all the same."""
    scores = np.array([[0.0] * 8, [-1e5, -800.0, -30.0, -1e-9, 1e-9, 3.0, 6.0, 500.0]])
    for truth in (0, 1):
        rows = np.full(8, truth)
        losses = find_losses(link, scores, rows, reference=True).tolist()
        for score, loss in zip(scores[1].tolist(), losses, strict=True):
            if link == "probit":
                exact = -float(special.log_ndtr(score if truth else -score))
            else:
                with localcontext(Context(prec=60, Emin=-999_999, Emax=999_999)) as digits:
                    power = Decimal(score).exp()
                    digits.prec = 900 if score == 500 else 60
                    exact = float(-log_exact(link, Decimal(score), power, truth))
            assert loss == pytest.approx(min(exact, sys.float_info.max), rel=1e-13, abs=1e-15)


def log_exact(link: Link, score: Decimal, power: Decimal, truth: int) -> Decimal:
    """Return the logarithm of a probability that Decimal holds, or of its limit."""
    if link == "logistic":
        return -(1 + (1 / power if truth else power)).ln()
    if not truth:
        return -power
    if power < Decimal("1e-40"):
        return score
    return Decimal(0) if power > 5000 else (1 - (-power).exp()).ln()


def test_losses_are_finite() -> None:
    scores = np.array([[0.0, 0.0, 0.0], [1e308, -1e308, 1e300]])
    for link in ("logistic", "probit", "cloglog", "one-vs-rest"):
        for truth in (0, 1):
            rows = np.full(3, truth)
            assert np.isfinite(find_losses(link, scores, rows, reference=True)).all()
            assert np.isfinite(find_losses(link, scores, rows, reference=False)).all()


PROGRAM = """
import hashlib
import numpy as np
from matscore.links import find_response, find_probabilities
rng = np.random.default_rng(11)
scores = rng.integers(-39 * 2**40, 9 * 2**40, (3, 20_011)) / 2**40
scores[0] /= 2.0 ** rng.integers(0, 60, 20_011)
found = [find_response(link, scores, reference=False) for link in {links}]
found.append(find_probabilities("one-vs-rest", scores, reference=False))
print(hashlib.sha256(b"".join(each.tobytes() for each in found)).hexdigest())
"""


def test_same_bits_on_an_old_processor() -> None:
    code = PROGRAM.format(links=LINKS)
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env
        ).stdout
        for env in (ENVIRONMENT, ENVIRONMENT | OLD_PROCESSOR, dict(os.environ))
    }
    assert len(digests) == 1
    assert len(hashlib.sha256().hexdigest()) == len(digests.pop().strip())


@pytest.mark.parametrize("link", LINKS)
def test_same_bits_however_rows_are_cut(link: Link) -> None:
    scores = np.random.default_rng(12).normal(size=(2, 9000)) * 3
    whole = find_response(link, scores, reference=False)
    parts = [find_response(link, scores[:, i : i + 7], reference=False) for i in range(0, 9000, 7)]
    assert np.hstack(parts).tobytes() == whole.tobytes()
    alone = find_response(link, np.asfortranarray(scores)[1:], reference=False)
    assert alone.tobytes() == whole[1:].tobytes()


class TestOthers:
    """The predictions of other tools from their coefficients."""

    @pytest.mark.parametrize("link", REFERENCE["models"])
    @pytest.mark.parametrize("with_reference", [False, True])
    def test_statsmodels(self, link: Link, with_reference: bool, tmp_path: Path) -> None:
        fitted = REFERENCE["models"][link]
        names = ["fail", "pass"] if with_reference else ["pass"]
        zeros = [0] if with_reference else []
        rows = [[name, *zeros, weight] for name, weight in fitted["weights"].items()]
        weights = write_csv(tmp_path / "w.csv", [[f"feature ({link})", *names], *rows])
        STUDENTS.to_csv(tmp_path / "f.csv", index=False)
        found = run("classify", tmp_path / "f.csv", weights, "--response", "--no-scores")
        header, *records = found.check(quiet=True).rows
        predicted = [float(record[header.index("response_pass")]) for record in records]
        np.testing.assert_allclose(predicted, fitted["predicted"], rtol=1e-11)
        if with_reference and link in ("logistic", "probit", "cloglog"):
            failed = [float(record[header.index("response_fail")]) for record in records]
            np.testing.assert_allclose(failed, 1 - np.array(fitted["predicted"]), rtol=1e-10)

    @pytest.mark.parametrize("link", ["logistic", "probit", "cloglog"])
    def test_log_likelihood(self, link: Link) -> None:
        """The mean log-loss of a binomial model is its log-likelihood, but for sign and rows."""
        fitted = REFERENCE["models"][link]
        weights = pd.DataFrame({"0": 0.0, "1": fitted["weights"]})
        weights.index.name = f"term ({link})"
        truth = pd.Series(REFERENCE["target"])
        found = matscore.evaluate(STUDENTS, weights, truth)
        assert found.log_loss == pytest.approx(-fitted["log_likelihood"] / len(truth), rel=1e-12)

    def test_scikit_learn(self) -> None:
        X, y = load_iris(return_X_y=True)
        frame = pd.DataFrame(X, columns=list("abcd"))
        one = OneVsRestClassifier(LogisticRegression(max_iter=1000)).fit(X, y)
        several = SGDClassifier(loss="log_loss", random_state=0).fit(X, y)
        W = np.vstack([each.coef_ for each in one.estimators_]).T
        b = np.hstack([each.intercept_ for each in one.estimators_])
        for coefficients, constants, search in (
            (W, b, one),
            (several.coef_.T, several.intercept_, several),
        ):
            index = pd.Index([*"abcd", "(Intercept)"], name="feature (one-vs-rest)")
            weights = pd.DataFrame(np.vstack([coefficients, constants]), index, list("stu"))
            found = matscore.classify(frame, weights, probabilities=True, scores=False)
            probabilities = found[[f"probability_{name}" for name in "stu"]].to_numpy()
            np.testing.assert_allclose(
                probabilities, search.predict_proba(X), rtol=1e-9, atol=1e-300
            )
            measured = matscore.evaluate(frame, weights, pd.Series(y).map(dict(enumerate("stu"))))
            assert measured.log_loss == pytest.approx(
                oracle.log_loss(y, search.predict_proba(X)), rel=1e-9
            )

    def test_scikit_learns_counts(self) -> None:
        rng = np.random.default_rng(5)
        X = rng.normal(size=(80, 2))
        search = PoissonRegressor(alpha=0).fit(X, rng.poisson(np.exp(X @ [0.4, -0.7] + 0.2)))
        index = pd.Index(["p", "q", "bias"], name="name (exp)")
        weights = pd.DataFrame({"visits": [*search.coef_, search.intercept_]}, index)
        found = matscore.classify(pd.DataFrame(X, columns=["p", "q"]), weights, response=True)
        np.testing.assert_allclose(found["response_visits"], search.predict(X), rtol=1e-13)


def write_weights(path: Path, corner: str, rows: list[list[Any]] | None = None) -> Path:
    rows = rows or [["no", "yes"], ["x", 0, 1], ["y", 0, -0.5], ["(Intercept)", 0, 0.25]]
    return write_csv(path, [[corner, *rows[0]], *rows[1:]])


def classify(tmp_path: Path, corner: str, *options: str, rows: Any = None) -> Done:
    features = write_csv(tmp_path / "f.csv", ROW)
    return run("classify", features, write_weights(tmp_path / "w.csv", corner, rows), *options)


def numbers_of(done: Done, column: str) -> list[float]:
    header, *rows = done.check().rows
    return [float(row[header.index(column)]) for row in rows]


@pytest.mark.parametrize("heading", ["feature", "Term", " name ", "variable", "id", "Unnamed: 0"])
@pytest.mark.parametrize("word", ["probit", "Probit", " PROBIT "])
def test_every_usual_heading_may_carry_a_link(heading: str, word: str, tmp_path: Path) -> None:
    done = classify(tmp_path, f"{heading} ({word})", "--probabilities")
    expected = special.ndtr([0.25, -1.0])
    assert numbers_of(done, "probability_yes") == pytest.approx(expected.tolist())
    assert numbers_of(done, "probability_no") == pytest.approx((1 - expected).tolist())


def test_a_link_alone(tmp_path: Path) -> None:
    done = classify(tmp_path, "(cloglog)", "--response")
    expected = -np.expm1(-np.exp([0.25, -1.0]))
    assert numbers_of(done, "response_yes") == pytest.approx(expected.tolist())


def test_a_transposed_file_has_it_too(tmp_path: Path) -> None:
    rows = [["x", "y", "(Intercept)"], ["no", 0, 0, 0], ["yes", 1, -0.5, 0.25]]
    as_given = classify(tmp_path, "feature (probit)", "--probabilities").check(quiet=True).out
    turned = classify(tmp_path, "class (probit)", "--probabilities", "--transpose", rows=rows)
    assert turned.check(quiet=True).out == as_given
    assert classify(tmp_path, "class (probit)", rows=rows).check(3).err.count("--transpose") > 0


def test_a_link_changes_nothing_else() -> None:
    """Cases of the oracle's end in the same way and bytes with a link in the corner."""
    compared = 0
    worker = Worker("classify")
    try:
        for seed in range(150):
            case = make_case("classify", seed)
            start = re.match(rb"([^,;\t|\"\r\n]+)(?=[,;\t|])", case.files["w.csv"])
            if start is None or not is_label_heading(start[1].decode()):
                continue
            text = case.files["w.csv"][start.end() :]
            linked = {**case.files, "w.csv": start[1] + b" (logistic)" + text}
            plain, other = (worker.run(replace(case, files=f))[0] for f in (case.files, linked))
            assert (plain.code, plain.out) == (other.code, other.out), case
            compared += 1
    finally:
        worker.close()
    assert compared > 40


def test_categories_that_are_numbers(tmp_path: Path) -> None:
    """The heading speaks for names, as it does without a link."""
    rows = [["0", "1"], ["x", 0, 1], ["y", 0, -0.5]]
    plain = classify(tmp_path, "feature", rows=rows).check(quiet=True)
    linked = classify(tmp_path, "feature (logistic)", rows=rows).check(quiet=True)
    assert linked.out == plain.out
    weights = [["x", "y"], ["1", 0, 0], ["2", 1, -0.5]]
    plain = classify(tmp_path, "class", "--transpose", rows=weights).check(quiet=True)
    linked = classify(tmp_path, "class (logistic)", "--transpose", rows=weights).check(quiet=True)
    assert linked.out == plain.out


def test_a_heading_that_both_files_have(tmp_path: Path) -> None:
    """The plan of two sides is the one without a link, but for the link."""
    features = Side("f.csv", 3, ("id", "1", "2"), 2, ("7", "8"))
    for heading in ("id", "feature", "index"):
        sides = [
            Side("w.csv", 3, (corner, "a", "b"), 2, ("1", "2"), guessed=True,
                 first_record=(corner, "a", "b"))
            for corner in (heading, f"{heading} (exp)")
        ]  # fmt: skip
        plain, linked = (make_plan(features, side) for side in sides)
        assert plain.ok and linked.ok
        assert (plain.link, linked.link) == (None, "exp")
        assert (linked.feature_columns, linked.weights_index, linked.label_column) == (
            plain.feature_columns, plain.weights_index, plain.label_column,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("corner", "message"),
    [
        (
            "feature (logit)",
            'names no link: "logit"; did you mean "logistic"; the links are one-vs-',
        ),
        ("feature (probits)", 'did you mean "probit"'),
        ("feature (one vs rest)", 'did you mean "one-vs-rest"'),
        ("feature (softmax)", "leave it out, as without a link it is the softmax"),
        ("feature (units)", '"feature (units)" in the corner of'),
        ("feature ()", "names no link"),
        ("gene (exp)", 'names a link; write "feature (exp)" if it is, and no parentheses'),
        # Links of other tools, which are none of these however alike the words are.
        ("feature (loglog)", 'names no link: "loglog"; the links are one-vs-'),
        ("feature (Log-Log)", 'names no link: "log-log"; the links are one-vs-'),
        ("feature (nloglog)", 'names no link: "nloglog"; the links are one-vs-'),
        ("feature (scobit)", 'names no link: "scobit"; the links are one-vs-'),
        ("feature (clog-log)", 'did you mean "cloglog"'),
    ],
)
def test_other_words_are_refused(corner: str, message: str, tmp_path: Path) -> None:
    done = classify(tmp_path, corner).check(3)
    assert message in done.err
    assert done.out == b""


@pytest.mark.parametrize("corner", ["gene (hg38)", "pixel (row, column)", "Merkmal (neu)"])
def test_words_behind_a_heading_of_ones_own_are_nobodys_business(
    corner: str, tmp_path: Path
) -> None:
    assert classify(tmp_path, corner).check(quiet=True).out == classify(tmp_path, "feature").out


def test_every_synonym_is_of_a_link() -> None:
    assert set(SYNONYMS.values()) == set(LINKS)
    assert not set(SYNONYMS) & set(LINKS)


@pytest.mark.parametrize("link", ["exp", "identity"])
def test_no_probabilities(link: str, tmp_path: Path) -> None:
    done = classify(tmp_path, f"feature ({link})", "--probabilities").check(3)
    assert f"w.csv: its link is {link}, which gives no probabilities; leave" in done.err
    assert done.out == b""
    frame = pd.DataFrame({"x": [1.0]})
    weights = pd.DataFrame({"a": [1.0], "b": [2.0]}, pd.Index(["x"], name=f"feature ({link})"))
    with pytest.raises(matscore.MisfitError, match="gives no probabilities"):
        matscore.classify(frame, weights, probabilities=True)


@pytest.mark.parametrize("link", ["probit", "cloglog"])
def test_no_probabilities_for_several_categories(link: str, tmp_path: Path) -> None:
    rows = [["a", "b", "c"], ["x", 0, 1, 2], ["y", 0, -0.5, 1]]
    done = classify(tmp_path, f"feature ({link})", "--probabilities", rows=rows).check(3)
    assert "no probabilities for 3 categories; leave --probabilities out; it takes one" in done.err
    rows = [["a", "b"], ["x", 0, 1], ["y", 0, -0.5], ["(Intercept)", 0.1, 0]]
    assert (
        "for 2 categories" in classify(tmp_path, f"id ({link})", "--probabilities", rows=rows).err
    )
    assert classify(tmp_path, f"id ({link})", "--response", rows=rows).check(quiet=True).out
    rows = [["b"], ["x", 1], ["y", -0.5]]
    assert classify(tmp_path, f"id ({link})", "--probabilities", rows=rows).check(quiet=True).out


def test_logistic_each(tmp_path: Path) -> None:
    rows = [["a", "b", "c"], ["x", 0, 1, 2], ["y", 0, -0.5, 1]]
    done = classify(tmp_path, "feature (logistic)", "--probabilities", "--response", rows=rows)
    for name, score in (("a", 0.0), ("b", 0.0), ("c", 4.0)):
        expected = pytest.approx(special.expit(score))
        assert numbers_of(done, f"probability_{name}")[0] == expected
        assert numbers_of(done, f"response_{name}")[0] == expected


@pytest.mark.parametrize("corner", ["feature (logistic)", "feature (one-vs-rest)"])
def test_a_reference_has_the_rest(corner: str, tmp_path: Path) -> None:
    """A first category of zeros would have the probability ½ in every row."""
    found = classify(tmp_path, corner, "--probabilities")
    plain = classify(tmp_path, "feature", "--probabilities")
    assert found.check(quiet=True).out == plain.check(quiet=True).out
    one = [["yes"], ["x", 1], ["y", -0.5]]
    found, plain = (
        classify(tmp_path, heading, "--probabilities", rows=one) for heading in (corner, "feature")
    )
    assert found.check(quiet=True).out == plain.check(quiet=True).out


def test_without_a_link_the_response_is_what_probabilities_are(tmp_path: Path) -> None:
    done = classify(tmp_path, "feature", "--probabilities", "--response", "--margin")
    assert done.check(quiet=True).rows[0] == [
        "id", "no", "yes", "prediction", "probability_no", "probability_yes", "response_no",
        "response_yes", "margin",
    ]  # fmt: skip
    for name in ("no", "yes"):
        assert numbers_of(done, f"response_{name}") == numbers_of(done, f"probability_{name}")


def test_the_prediction_is_the_best_score(tmp_path: Path) -> None:
    """Of cloglog the score 0 is a probability of 0.63: a better score may be less likely."""
    rows = [["no", "yes"], ["x", 0, -0.1], ["y", 0, 0]]
    done = classify(tmp_path, "feature (cloglog)", "--probabilities", "-v", rows=rows)
    assert done.check().rows[1][3] == "no"
    assert numbers_of(done, "probability_yes")[0] > 0.59
    assert "the prediction is the best score, which may be less likely than another" in done.err
    argv = ("--probabilities", "--threshold", "0.5")
    assert classify(tmp_path, "feature (cloglog)", *argv, rows=rows).check().rows[1][3] == ""


def test_a_threshold_for_one_category(tmp_path: Path) -> None:
    rows = [["yes"], ["x", 1], ["y", -0.5], ["(Intercept)", 0.25]]
    argv = ("--probabilities", "--threshold", "0.59")
    predictions = [row[2] for row in classify(tmp_path, "id (probit)", *argv, rows=rows).rows[1:]]
    assert predictions == ["yes", ""]
    predictions = [row[2] for row in classify(tmp_path, "id (logistic)", *argv, rows=rows).rows[1:]]
    assert predictions == ["", ""]


class TestResponse:
    """What --response writes."""

    def test_ranks(self, tmp_path: Path) -> None:
        argv = ("-k", "2", "--response", "--probabilities", "--precision", "3")
        rows = classify(tmp_path, "feature (probit)", *argv).check(quiet=True).rows
        assert rows[0] == ["id", "rank", "category", "score", "probability", "response"]
        assert rows[1] == ["a", "1", "yes", "0.25", "0.599", "0.599"]
        rows = classify(tmp_path, "feature (exp)", "-k", "1", "--response", "--no-scores").rows
        assert rows[0] == ["id", "rank", "category", "response"]
        assert float(rows[1][3]) == pytest.approx(math.exp(0.25))

    def test_two_columns_of_one_name(self, tmp_path: Path) -> None:
        features = write_csv(
            tmp_path / "g.csv", [["id", "x", "y", "response_no"], ["a", 1, 2, "z"]]
        )
        weights = write_weights(tmp_path / "w.csv", "feature (exp)")
        done = run("classify", features, weights, "--response", "--keep-cols", "all").check(3)
        assert 'two columns of the output would be named "response_no"' in done.err

    def test_an_overflow_makes_a_bad_row(self, tmp_path: Path) -> None:
        features = write_csv(tmp_path / "g.csv", [["id", "x", "y"], ["a", 1, 2], ["b", 800, 0]])
        weights = write_weights(tmp_path / "w.csv", "feature (exp)")
        assert run("classify", features, weights).check(quiet=True)
        done = run("classify", features, weights, "--response").check(4)
        assert "g.csv:3: the response, e^score, overflows; leave --response out" in done.err
        aside = ("--on-error", "reject", "--rejects", tmp_path / "bad.csv")
        done = run("classify", features, weights, "--response", *aside).check()
        assert [row[0] for row in done.rows] == ["id", "a"]
        assert read_csv(tmp_path / "bad.csv")[1][1] == "3"

    def test_missing_values(self, tmp_path: Path) -> None:
        features = write_csv(tmp_path / "g.csv", [["id", "x", "y"], ["a", "", 2], ["b", 1, 0]])
        for link in LINKS:
            weights = write_weights(tmp_path / "w.csv", f"feature ({link})")
            done = run("classify", features, weights, "--response", "--missing", "keep")
            assert done.check().rows[1] == ["a", "NaN", "NaN", "", "NaN", "NaN"]

    def test_environment(self, tmp_path: Path) -> None:
        asked = classify(tmp_path, "feature (exp)", "--response").check(quiet=True)
        argv = ("classify", tmp_path / "f.csv", tmp_path / "w.csv")
        assert run(*argv, env={"MATSCORE_RESPONSE": "1"}).out == asked.out

    @pytest.mark.parametrize("form", ["json", "jsonl", "tsv", "markdown", "parquet", "html"])
    def test_formats(self, form: str, tmp_path: Path) -> None:
        path = tmp_path / f"o.{form}"
        classify(tmp_path, "feature (exp)", "--response", "-f", form, "-o", str(path)).check()
        power = find_response("exp", np.array([[0.25]]), reference=False)[0, 0]
        if form == "parquet":
            assert pd.read_parquet(path)["response_yes"][0] == power
        else:
            text = path.read_text()
            assert "response_yes" in text
            assert (f"{power:.4g}" if form == "html" else repr(float(power))) in text

    @pytest.mark.parametrize("width", ["40", "60", "120"])
    def test_tables(self, width: str, tmp_path: Path) -> None:
        argv = ("--response", "--probabilities", "-f", "table")
        classify(tmp_path, "feature (probit)")
        files = tmp_path / "f.csv", tmp_path / "w.csv"
        text = run("classify", *files, *argv, env={"COLUMNS": width}).check().out.decode()
        wide = "0.4013           0.5987       0.4013        0.5987"
        assert {"40": "0.5987    0.5987", "60": "r(yes)", "120": wide}[width] in text
        assert max(map(len, text.splitlines())) <= int(width)
        alone = run("classify", *files, "--response", "--no-scores", "-f", "table").check().out
        assert "0.5987 ★" in alone.decode()


class TestFrames:
    """DataFrames: the name of the index carries the link."""

    FRAME = pd.DataFrame({"x": [1.0, -1.0], "y": [2.0, 0.5]})
    WEIGHTS = pd.DataFrame(
        {"no": [0.0, 0.0], "yes": [1.0, -0.5]}, pd.Index(["x", "y"], name="feature (probit)")
    )

    def test_index(self) -> None:
        found = matscore.classify(self.FRAME, self.WEIGHTS, probabilities=True, response=True)
        assert list(found) == [
            "no", "yes", "prediction", "probability_no", "probability_yes", "response_no",
            "response_yes",
        ]  # fmt: skip
        np.testing.assert_allclose(found["probability_yes"], special.ndtr([0.0, -1.25]))
        assert matscore.check(self.FRAME, self.WEIGHTS).link == "probit"

    def test_transposed(self) -> None:
        turned = self.WEIGHTS.T
        expected = matscore.classify(self.FRAME, self.WEIGHTS, response=True)
        found = matscore.classify(self.FRAME, turned, transpose=True, response=True)
        pd.testing.assert_frame_equal(found, expected)
        named = turned.rename_axis(index="class (probit)", columns=None)
        found = matscore.classify(self.FRAME, named, transpose=True, response=True)
        pd.testing.assert_frame_equal(found, expected)

    def test_by_position(self) -> None:
        weights = self.WEIGHTS.set_axis(range(2)).rename_axis("feature (probit)")
        assert matscore.check(self.FRAME, weights).link == "probit"

    def test_other_names(self) -> None:
        assert matscore.check(self.FRAME, self.WEIGHTS.rename_axis("gene (hg38)")).link is None
        with pytest.raises(matscore.PlanError, match="names no link"):
            matscore.classify(self.FRAME, self.WEIGHTS.rename_axis("feature (log-odds)"))

    def test_items_have_none(self) -> None:
        items = self.WEIGHTS.T.rename_axis("item (foo)")
        assert len(matscore.recommend(self.FRAME, items, k=1)) == 2


def test_items_have_none(tmp_path: Path) -> None:
    users = write_csv(tmp_path / "u.csv", ROW)
    found = []
    for corner in ("item", "item (exp)", "item (foo)"):
        items = write_csv(tmp_path / "i.csv", [[corner, "x", "y"], ["p", 1, 2], ["q", 2, 1]])
        found.append(run("recommend", users, items).check(quiet=True).rows[1:])
    assert found[0] == found[1] == found[2]


def test_files_that_are_swapped(tmp_path: Path) -> None:
    features = write_csv(tmp_path / "f.csv", ROW)
    weights = write_weights(tmp_path / "w.csv", "feature (exp)")
    assert "are swapped" in run("classify", weights, features).check(3).err


def test_check_explain_and_report_say_it(tmp_path: Path) -> None:
    classify(tmp_path, "feature (cloglog)")
    files = tmp_path / "f.csv", tmp_path / "w.csv"
    assert run("check", *files, "--format", "json").check().json["link"] == "cloglog"
    assert re.search("^link +cloglog$", run("check", *files).out.decode(), re.MULTILINE)
    assert "w.csv is cloglog" in run("explain", *files, "-v").check().err
    paths = tmp_path / "r.json", tmp_path / "r.html"
    run("classify", *files, "--report", paths[0], "--report", paths[1]).check()
    assert validate(paths[0])["plans"][0]["link"] == "cloglog"
    assert "is cloglog" in paths[1].read_text()


class TestEvaluate:
    """Figures that need probabilities, and files whose link gives none."""

    def evaluate(self, tmp_path: Path, corner: str, *options: str, rows: Any = None) -> Done:
        table = [
            ["id", "x", "y", "truth"],
            ["a", 1, 2, "no"],
            ["b", -1, 1, "no"],
            ["c", 2, 1, "yes"],
        ]
        features = write_csv(tmp_path / "t.csv", table)
        weights = write_weights(tmp_path / "w.csv", corner, rows)
        return run("evaluate", features, weights, "--truth", "truth", *options)

    @pytest.mark.parametrize(("link", "inverse"), [
        ("logistic", special.expit), ("probit", special.ndtr), ("one-vs-rest", special.expit),
        ("cloglog", lambda s: -np.expm1(-np.exp(s))),
    ])  # fmt: skip
    def test_log_loss_and_calibration(self, link: str, inverse: Any, tmp_path: Path) -> None:
        found = self.evaluate(tmp_path, f"feature ({link})", "-f", "json").check(quiet=True).json
        chances = inverse(np.array([0.25, -1.25, 1.75]))
        right = np.array([1 - chances[0], 1 - chances[1], chances[2]])
        assert found["log_loss"] == pytest.approx(-np.log(right).mean(), rel=1e-13)
        confidence = [chances[0], 1 - chances[1], chances[2]]
        total = sum(t["rows"] * (t["confidence"] or 0) for t in found["calibration"])
        assert total == pytest.approx(sum(confidence), rel=1e-13)

    @pytest.mark.parametrize("link", ["exp", "identity"])
    def test_none(self, link: str, tmp_path: Path) -> None:
        argv = ("--report", str(tmp_path / "r.json"), "--report", str(tmp_path / "r.html"))
        found = self.evaluate(tmp_path, f"feature ({link})", "-f", "json", *argv).check(quiet=True)
        plain = self.evaluate(tmp_path, "feature", "-f", "json").check().json
        assert found.json["log_loss"] is None
        assert {t["rows"] for t in found.json["calibration"]} == {0}
        for name in plain.keys() - {"log_loss", "calibration"}:
            assert found.json[name] == plain[name]
        validate(tmp_path / "r.json")
        text = self.evaluate(tmp_path, f"feature ({link})", "-f", "table").check().out.decode()
        assert f"no log-loss, no calibration: the link is {link}" in text
        assert "calibration: the probability" not in text
        assert self.evaluate(tmp_path, f"feature ({link})", "-f", "csv").check()

    def test_several_without_a_sum(self, tmp_path: Path) -> None:
        rows = [["no", "yes"], ["x", 1, 1], ["y", 0, -0.5]]
        found = self.evaluate(tmp_path, "feature (probit)", "-f", "json", rows=rows).check().json
        assert found["log_loss"] is None
        found = self.evaluate(tmp_path, "feature (logistic)", "-f", "json", rows=rows).check().json
        right = special.expit([1, -1, 1.5])
        assert found["log_loss"] == pytest.approx(-np.log(right).mean(), rel=1e-13)


@pytest.mark.parametrize(
    ("options", "corner"),
    [
        (("--target", "y"), "feature (identity)"),
        (("--target", "y", "--method", "ridge"), "feature (identity)"),
        (("--target", "kind", "--drop-cols", "y"), "feature"),
        (("--target", "kind", "--method", "ridge"), "feature (identity)"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_fit_writes_it(options: tuple[str, ...], corner: str, ending: str, tmp_path: Path) -> None:
    rows = [[f"r{i}", i, i * i % 7, 3 * i + 1, "abb"[i % 3]] for i in range(30)]
    features = write_csv(tmp_path / "f.csv", [["id", "u", "v", "y", "kind"], *rows])
    drop = () if "kind" in options else ("--drop-cols", "kind")
    path = tmp_path / f"w.{ending}"
    run("fit", features, *options, *drop, "-o", path).check()
    frame = pd.read_csv(path) if ending == "csv" else pd.read_parquet(path)
    assert frame.columns[0] == corner
    known = None if corner == "feature" else "identity"
    assert run("check", features, path, "--format", "json").check().json["link"] == known
    frame = pd.DataFrame(rows, columns=["id", "u", "v", "y", "kind"]).set_index("id")
    learned = matscore.fit(
        frame[["u", "v", options[1]]],
        options[1],
        method="ridge" if "ridge" in options else None,
    )
    assert learned.weights.index.name == (None if known is None else corner)
    assert matscore.check(frame[["u", "v"]], learned.weights).link == known


def test_weights_that_were_learned_give_back_what_was_learned(tmp_path: Path) -> None:
    """Two categories by the logistic function: the softmax of their scores, as scikit-learn has."""
    X, y = load_iris(return_X_y=True)
    X, y = X[50:], y[50:]
    frame = pd.DataFrame(X, columns=list("abcd"))
    learned = matscore.fit(frame, pd.Series(y).map({1: "one", 2: "two"}), alpha=1.0)
    search = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(X, y)
    found = matscore.classify(frame, learned.weights, probabilities=True)
    np.testing.assert_allclose(found["probability_two"], search.predict_proba(X)[:, 1], rtol=1e-4)


def test_the_model_knows_its_reference() -> None:
    zero, one = np.zeros((2, 1)), np.ones((2, 1))
    assert Model(np.hstack([zero, one]), None, ("a", "b")).has_reference
    assert Model(np.hstack([-zero, one]), np.array([0.0, 3.0]), ("a", "b")).has_reference
    assert not Model(np.hstack([zero, one]), np.array([1.0, 0.0]), ("a", "b")).has_reference
    assert not Model(np.hstack([one, zero]), None, ("a", "b")).has_reference
    assert not Model(zero, None, ("a",)).has_reference
