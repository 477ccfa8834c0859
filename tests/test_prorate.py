"""`--missing mean`: scales of a questionnaire, of which people leave items out.

The oracles are the definition in exact arithmetic, and pandas doing what the manuals of such scales
say: an item that is left out counts as the mean of those that were answered.
"""

from __future__ import annotations

import json
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import matscore
from matscore import InputError, PlanError, UsageError
from matscore.prorate import ProratedWeights
from tests.cli.test_report import validate
from tests.helpers import read_csv, run
from tests.kernel.exact import fma

MISFIT, DATA, USAGE = 3, 4, 2
PHQ9 = [f"phq9_{i}" for i in range(1, 10)]
# Ten items of the Big Five, answered from -2 to 2, some of them keyed the other way; a scale has 50
# where all answers are in the middle.
BIG5 = {
    "extraversion": {"e1": 1, "e2": -1, "e3": 1, "e4": -1},
    "calm": {"n1": -1, "n2": -1, "n3": 1},
    "orderly": {"c1": 1, "c2": -1, "c3": 1},
}
Floats = Any


def write_people(path: Path, answers: pd.DataFrame) -> Path:
    """Write answers as people have them: codes of persons, and nothing or NA where none is."""
    answers.to_csv(path, index_label="person", na_rep="NA")
    return path


def answer(columns: list[str], n_rows: int, low: int, high: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    cells = rng.integers(low, high + 1, (n_rows, len(columns))).astype(float)
    cells[rng.random(cells.shape) < 0.2] = np.nan
    cells[: n_rows // 4] = np.nan_to_num(cells[: n_rows // 4], nan=low)
    return pd.DataFrame(cells, [f"p{i:03}" for i in range(n_rows)], columns)


def weigh(scales: dict[str, dict[str, int]]) -> pd.DataFrame:
    weights = pd.DataFrame(scales).fillna(0.0)
    weights.loc["(Intercept)"] = 50.0
    return weights


def score_by_definition(answers: pd.DataFrame, weights: pd.DataFrame) -> Floats:
    """Return the scores as the page defines them, rounding as exact fractions say."""
    items = sorted(answers.columns)
    scores = np.empty((len(answers), weights.shape[1]))
    for (row, category), _ in np.ndenumerate(scores):
        column = weights.iloc[:, category]
        own = [item for item in items if column[item] != 0]
        there = [item for item in own if not np.isnan(answers[item].iloc[row])]
        s = 0.0
        for item in there:
            s = fma(float(answers[item].iloc[row]), float(column[item]), s)
        if len(there) < len(own):
            s = float(Fraction(s * len(own)) / len(there))
        scores[row, category] = s + float(column.get("(Intercept)", 0.0))
    return scores


def score_by_pandas(answers: pd.DataFrame, scales: dict[str, dict[str, int]]) -> pd.DataFrame:
    """Return the sums of scales after each gap is filled with the person's mean of the scale."""
    sums = {}
    for name, keys in scales.items():
        keyed = answers[list(keys)] * pd.Series(keys)
        filled = keyed.apply(lambda row: row.fillna(row.mean()), axis=1)
        sums[name] = filled.sum(axis=1) + 50.0
    return pd.DataFrame(sums)


def read_scores(data: bytes, names: list[str]) -> Floats:
    rows = read_csv(data)
    places = [rows[0].index(name) for name in names]
    return np.array([[float(row[i]) for i in places] for row in rows[1:]])


def scored_rows(answers: pd.DataFrame, scales: dict[str, dict[str, int]]) -> pd.DataFrame:
    there = [answers[list(keys)].notna().any(axis=1) for keys in scales.values()]
    return answers[np.logical_and.reduce(there)]


def test_phq9_is_made_up_from_the_items_that_were_answered(tmp_path: Path) -> None:
    answers = answer(PHQ9, 60, 0, 3)
    answers.iloc[-1] = np.nan
    answers.iloc[-2, :7] = np.nan
    features = write_people(tmp_path / "phq9.csv", answers)
    pd.DataFrame({"depression": 1}, PHQ9).to_csv(tmp_path / "w.csv", index_label="item")
    done = run(
        "classify", features, tmp_path / "w.csv", "--missing", "mean", "--min-present", "7",
        "--on-error", "reject", "--rejects", tmp_path / "r.csv", "--report", tmp_path / "r.json",
    )  # fmt: skip
    assert done.code == 0, done.err
    # Two items may be left out, as the manual has it.
    n_there = answers.notna().sum(axis=1)
    expected = (answers.mean(axis=1) * 9)[n_there >= 7]
    rows = read_csv(done.out)[1:]
    assert [row[0] for row in rows] == list(expected.index)
    assert np.allclose([float(row[1]) for row in rows], expected, rtol=1e-15)
    rejects = read_csv(tmp_path / "r.csv")[1:]
    assert [row[5].split(",")[0] for row in rejects] == list(answers.index[n_there < 7])
    assert rejects[-1][4] == '0 of the 9 features of "depression" are there'
    assert rejects[-2][4] == '2 of the 9 features of "depression" are there'
    assert {row[2] for row in rejects} == {""}
    report = validate(tmp_path / "r.json")
    assert report["rows_missing"] == int((n_there[n_there >= 7] < 9).sum()) > 0
    said = "missing cells are made up for where 7 features of each category are there"
    assert said in report["plans"][0]["facts"]


def test_each_scale_counts_its_own_items_and_keys(tmp_path: Path) -> None:
    items = [item for keys in BIG5.values() for item in keys]
    answers = scored_rows(answer(items, 80, -2, 2), BIG5)
    features, weights = write_people(tmp_path / "big5.csv", answers), weigh(BIG5)
    weights.to_csv(tmp_path / "w.csv", index_label="item")
    files, mean = (features, tmp_path / "w.csv"), ("--missing", "mean")
    done = run("classify", *files, *mean)
    assert done.code == 0, done.err
    assert done.err == (
        'matscore: warning: weights of both signs ("extraversion", "calm", "orderly") are made up '
        "for rightly only where 0 is the middle of the values; turn others round in the file\n"
    )
    assert "weights of both signs" in run("check", *files, *mean).out.decode()
    names, found = list(BIG5), read_scores(done.out, list(BIG5))
    assert (found == score_by_definition(answers, weights)).all()
    assert np.allclose(found, score_by_pandas(answers, BIG5), rtol=1e-14)
    # Of rows where nothing is missing nothing is another.
    whole = answers.dropna()
    write_people(tmp_path / "whole.csv", whole)
    plain = run("classify", tmp_path / "whole.csv", files[1])
    lines = dict(zip(answers.index, done.out.splitlines()[1:], strict=True))
    assert plain.out.splitlines()[1:] == [lines[label] for label in whole.index]
    assert len(whole) > 10
    # The same in Python, in ranks, as probabilities, and lazily by Dask.
    frame = matscore.classify(answers, weights, missing="mean", probabilities=True)
    assert (frame[names].to_numpy() == found).all()
    powers = np.exp(found - found.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    assert np.allclose(frame[[f"probability_{name}" for name in names]], shares, atol=1e-14)
    ranks = read_csv(run("classify", *files, *mean, "-k", "3").out)[1:]
    assert [float(row[3]) for row in ranks] == np.sort(found)[:, ::-1].ravel().tolist()
    firsts = [row[2] for row in ranks if row[1] == "1"]
    assert firsts == list(frame["prediction"]) == [row[4] for row in read_csv(done.out)[1:]]


def test_bits_are_those_of_the_definition_however_it_is_run(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    items = [f"i{i:02}" for i in range(12)]
    answers = answer(items, 150, 0, 0)
    answers += rng.normal(size=answers.shape) * 10.0 ** rng.integers(-3, 4, answers.shape)
    signs = rng.choice([-1.0, 0.0, 1.0], (12, 4)) * rng.lognormal(size=4)
    signs[0] = np.abs(signs).max(axis=0)
    weights = pd.DataFrame(signs, items, ["a", "b", "c", "d"])
    weights["zero"] = 0.0  # a reference, of which nothing can be missing
    weights.loc["(Intercept)"] = rng.normal(size=5)
    there = (weights.iloc[:12, :4] != 0).T.to_numpy() @ answers.notna().T.to_numpy()
    answers = answers[(there > 0).all(axis=0)]
    expected = score_by_definition(answers, weights)
    features = write_people(tmp_path / "f.csv", answers)
    weights.to_csv(tmp_path / "w.csv", index_label="item")
    answers.rename_axis("person").reset_index().to_parquet(tmp_path / "f.parquet", index=False)
    shuffled = answers[rng.permutation(items)]
    write_people(tmp_path / "s.csv", shuffled)
    whole = run("classify", features, tmp_path / "w.csv", "--missing", "mean", "--margin")
    assert (read_scores(whole.out, [*"abcd", "zero"]) == expected).all()
    for path, *options in (
        ("f.csv", "--chunk-size", "200", "-j", "1"),
        ("f.csv", "--chunk-size", "999", "-j", "3"),
        ("s.csv",),
        ("f.parquet", "--chunk-size", "1k"),
    ):
        argv = "classify", tmp_path / path, tmp_path / "w.csv", "--missing", "mean", "--margin"
        assert run(*argv, *options).out == whole.out
    frame = matscore.classify(answers, weights, missing="mean", scores=False)
    assert list(frame["prediction"]) == [row[6] for row in read_csv(whole.out)[1:]]


def test_scores_that_are_equal_tie_though_they_are_rounded() -> None:
    """The first of two scales of one mean wins; a hair more, far above rounding, does not."""
    n = 49
    items = [f"i{i:03}" for i in range(2 * n)]
    weights = pd.DataFrame(0.0, items, ["one", "two"])
    weights.iloc[:n, 0] = weights.iloc[n:, 1] = 0.1
    answers = pd.DataFrame(np.nan, range(6), items)
    for row, (here, there) in enumerate(((3, 7), (7, 3), (13, 48), (49, 11), (1, 49), (5, 5))):
        answers.iloc[row, :here] = answers.iloc[row, n : n + there] = 0.7
    found = matscore.classify(answers, weights, missing="mean", margin=True)
    assert (found["one"] != found["two"]).any()  # or rounding is not tried
    assert (found["prediction"] == "one").all()
    assert (found["margin"] == 0).all()
    answers.iloc[:, n] += 1e-9
    found = matscore.classify(answers, weights, missing="mean", margin=True)
    assert (found["prediction"] == "two").all()
    assert (found["margin"] > 0).all()


def test_explanations_add_up_to_the_score(tmp_path: Path) -> None:
    items = [item for keys in BIG5.values() for item in keys]
    answers = scored_rows(answer(items, 40, -2, 2, seed=3), BIG5)
    weights = weigh(BIG5)
    scores = score_by_definition(answers, weights)
    lines = matscore.explain(answers, weights, missing="mean", category="calm")
    assert not lines["value"].isna().any()
    assert np.allclose(lines["value"] * lines["weight"], lines["contribution"], rtol=1e-15)
    assert np.allclose(lines["contribution"].groupby(level=0).sum(), scores[:, 1], rtol=1e-14)
    pairs = set(zip(lines.index, lines["feature"], strict=True))
    gone = {(who, item) for item in items for who in answers.index[answers[item].isna()]}
    assert gone
    assert not pairs & gone
    against = matscore.explain(answers, weights, missing="mean", category="calm", versus="orderly")
    gaps = scores[:, 1] - scores[:, 2]
    assert np.allclose(against["contribution"].groupby(level=0).sum(), gaps, atol=1e-12)
    short = matscore.explain(answers, weights, missing="mean", category="calm", top_features=1)
    assert np.allclose(short["contribution"].groupby(level=0).sum(), scores[:, 1], rtol=1e-14)
    # On a terminal the sum of a row is written out.
    write_people(tmp_path / "f.csv", answers.loc[answers.isna().any(axis=1)].head(1))
    weights.to_csv(tmp_path / "w.csv", index_label="item")
    argv = tmp_path / "f.csv", tmp_path / "w.csv", "--missing", "mean", "-f", "table"
    shown = run("classify", *argv, "--show-work")
    assert shown.code == 0, shown.err
    assert b"nan" not in shown.out.lower()
    assert run("explain", *argv).code == 0


def test_evaluate_compares_prorated_predictions(tmp_path: Path) -> None:
    items = [item for keys in BIG5.values() for item in keys]
    answers = scored_rows(answer(items, 60, -2, 2, seed=4), BIG5)
    weights = weigh(BIG5)
    truth = matscore.classify(answers, weights, missing="mean")["prediction"].astype(str)
    truth.iloc[:6] = "calm"
    won = matscore.classify(answers, weights, missing="mean")["prediction"]
    expected = (won == truth).mean()
    assert matscore.evaluate(answers, weights, truth, missing="mean").accuracy == expected < 1
    write_people(tmp_path / "f.csv", answers.assign(truth=truth))
    weights.to_csv(tmp_path / "w.csv", index_label="item")
    argv = "evaluate", "f.csv", "w.csv", "--truth", "truth", "--missing", "mean", "-f", "json"
    done = run(*argv, cwd=tmp_path)
    assert json.loads(done.out)["accuracy"] == expected
    assert run(*argv, "--min-present", "3", cwd=tmp_path).code == DATA


def test_what_cannot_be_prorated_is_refused_before_the_first_row(tmp_path: Path) -> None:
    files = {
        "f.csv": "id,q1,q2,q3\nx,1,,3\n",
        "w.csv": "item,sum,half\nq1,1,0.5\nq2,-1,0.5\nq3,1,1.5\n",
        "terms.csv": "item,sum\nq1,1\nlog(q2),1\nq3,1\n",
        "good.csv": "item,sum,two\nq1,1,1\nq2,1,0\nq3,1,1\n",
        "more.csv": "item,sum\nq1,1\nq2,1\nq3,1\nq4,1\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    def refuse(weights: str, *options: str, code: int = MISFIT) -> str:
        argv = "f.csv", weights, "--missing", "mean", *options
        done, looked = (run(command, *argv, cwd=tmp_path) for command in ("classify", "check"))
        assert (done.code, done.out, looked.code) == (code, b"", code)
        assert done.err.split(";")[0] in looked.out.decode()
        return done.err

    assert '"half" "q1" has 0.5 and "q3" has 1.5' in refuse("w.csv")
    assert 'terms.csv has the term "log(q2)"' in refuse("terms.csv")
    absent = refuse("more.csv", "--absent", "q4")
    assert 'makes up for "q4", and --absent counts it 0' in absent
    few = refuse("good.csv", "--min-present", "3")
    assert '"two" has 2 features, fewer than --min-present 3; say --min-present 2 at most' in few
    looked = run("check", "f.csv", "good.csv", "--missing", "mean", cwd=tmp_path)
    assert looked.code == 0
    assert "missing cells are made up for" in " ".join(looked.out.decode().split())
    # Where the two agree, the command that is shown keeps the words.
    assert looked.out.decode().rstrip().endswith("classify f.csv good.csv --missing mean")
    bad = run(
        "classify", "f.csv", "good.csv", "--missing", "mean", "--min-present", "2", cwd=tmp_path
    )
    assert bad.code == 0
    (tmp_path / "f.csv").write_text("id,q1,q2,q3\ny,1,1,1\nx,1,,\n")
    bad = run(
        "classify", "f.csv", "good.csv", "--missing", "mean", "--min-present", "2", cwd=tmp_path
    )
    what = '1 of the 3 features of "sum" are there; --min-present 1 takes the row'
    assert (bad.code, bad.err) == (DATA, f"f.csv:3: {what}\n")


@pytest.mark.parametrize("command", ["recommend", "fit", "import"])
def test_commands_that_make_no_scores_of_weights_have_no_mean(command: str) -> None:
    assert run(command, "movies.csv", "--missing", "mean").code == USAGE


def test_python_refuses_what_the_command_line_does() -> None:
    answers = pd.DataFrame({"q1": [1.0], "q2": [np.nan]}, ["x"])
    good, bad = (pd.DataFrame({"sum": [1, w]}, ["q1", "q2"]) for w in (1, 2))
    with pytest.raises(UsageError, match="it goes with --missing mean"):
        matscore.classify(answers, good, min_present=1)
    with pytest.raises(UsageError, match="min_present cannot be 0"):
        matscore.classify(answers, good, missing="mean", min_present=0)
    with pytest.raises(PlanError, match="weights of one size"):
        matscore.classify(answers, bad, missing="mean")
    assert "weights of one size" in (matscore.check(answers, bad, missing="mean").problem or "")
    assert matscore.check(answers, good, missing="mean").ok
    with pytest.raises(InputError, match="1 of the 2 features"):
        matscore.evaluate(answers, good, pd.Series(["sum"], ["x"]), missing="mean", min_present=2)
    with pytest.raises(UsageError, match="users are no scores"):
        matscore.recommend(answers, answers, missing="mean")


def test_overflow_and_too_little_are_told_apart() -> None:
    answers = pd.DataFrame({"q1": [1e308], "q2": [1e308], "q3": [np.nan]}, ["x"])
    weights = pd.DataFrame({"sum": [1.0] * 3, "other": [0.0, 0.0, 1.0]}, ["q1", "q2", "q3"])
    with pytest.raises(InputError, match='0 of the 1 features of "other" are there'):
        matscore.classify(answers, weights, missing="mean")
    with pytest.raises(InputError, match="the scores overflow"):
        matscore.classify(answers, weights[["sum"]], missing="mean")


def test_errors_are_bounded_and_a_copy_scores_alike() -> None:
    """Another process gets its weights as a copy; ties are told by the bounds."""
    rng = np.random.default_rng(11)
    weights = rng.choice([-1.0, 0.0, 1.0], (9, 3)) * 0.1
    weights[0] = 0.1
    features = rng.normal(size=(9, 40)) * 10.0 ** rng.integers(-2, 3, (9, 40))
    features[1:][rng.random((8, 40)) < 0.6] = np.nan
    packed = ProratedWeights(weights, added := rng.normal(size=3))
    scores, decision = packed.score(features)
    bounds = packed.error_bound(features)
    for category, row in np.ndindex(scores.shape):
        pairs = zip(features[:, row].tolist(), weights[:, category].tolist(), strict=True)
        own = [(x, Fraction(w)) for x, w in pairs if w]
        there = [Fraction(x) * w for x, w in own if not np.isnan(x)]
        exact = sum(there, Fraction(0)) * len(own) / len(there) + Fraction(float(added[category]))
        error: Fraction = abs(Fraction(float(scores[category, row])) - exact)
        assert error <= Fraction(float(bounds[category, row])) < Fraction(1, 10**9)
    copied = pickle.loads(pickle.dumps(packed))
    assert (copied.multiply(features) == scores).all()
    none, same = packed.score(features, keep=False)
    assert none.shape == (0, 40)
    assert all((one == two).all() for one, two in zip(decision, same, strict=True))
