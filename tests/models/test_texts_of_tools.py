"""LIBLINEAR, LIBSVM, Vowpal Wabbit and XGBoost against their own answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from matscore.models.bounds import Refusal
from tests.models.answers import DATA, Compared, compare, load, name_columns, read_rows, respond
from tests.models.exact import Row, score

FOLDER = DATA / "texts"
ANSWERS: dict[str, Any] = json.loads((FOLDER / "answers.json").read_text())
RAW = read_rows(FOLDER / "rows.csv", ("region", "smoker"))
SCALED, SHARES = read_rows(FOLDER / "scaled.csv"), read_rows(FOLDER / "shares.csv")
REFUSED = {
    "libsvm3.txt": "it votes between 3 classes, two and two, which is not one linear model",
    "libsvm_rbf.txt": "its kernel is rbf, which is not linear; train it with -t 0",
    "vw_nn.txt": "it was trained with --nn, which is not known to be linear",
    "vw_readable.txt": 'its weights have no names, as in "',
    "xgb_trees.json": "it is an XGBoost model of trees (gbtree), which is not linear",
    "xgb_trees.ubj": "it is an XGBoost model of trees (gbtree), which is not linear",
}
# What the text of Vowpal Wabbit does not say.
LINKS = {
    "vw_logistic": "logistic", "vw_squared": "identity", "vw_predict_only": "identity",
    "vw_oaa": "one-vs-rest", "vw_interactions": "logistic", "vw_squares": "identity",
}  # fmt: skip
DOUBLE, DIGITS, FLOAT32 = 1e-14, 6e-6, 2.0**-20
FILES = sorted(path.name for path in FOLDER.iterdir() if path.stem in ANSWERS)
TOTAL = Compared()


def options_of(file: str) -> dict[str, Any]:
    stem = file.partition(".")[0]
    return {"link": LINKS[stem]} if stem in LINKS else {}


@pytest.mark.parametrize("file", [file for file in FILES if file not in REFUSED])
def test_it_agrees_with_the_tool(file: str) -> None:
    model = load(FOLDER / file, **options_of(file))
    answers = ANSWERS[file.partition(".")[0]]
    tool = file.partition("_")[0].removesuffix("3")
    rows, rounding = RAW, DIGITS
    if tool.startswith("lib"):
        # LIBSVM adds up what the file has vector by vector, large numbers that cancel.
        rows, rounding = SCALED, DOUBLE if tool == "liblinear" else 1e-10
    elif tool == "xgb":
        rows, rounding = SHARES, FLOAT32
    for i, row in enumerate(rows):
        named = name_columns(model, ("age", "income"), row)
        # vw leaves out what is missing; here it is a bad row unless --missing zero says the same.
        lacks = tool == "vw" and None in (row["age"], row["income"])
        label = None if lacks else answers.get("label", [None] * len(rows))[i]
        compare(model, named, None if lacks else wanted(file, answers, i), label, rounding, TOTAL)
        if not lacks:
            check_scores(score(model, named), answers["scores"][i], answers, file, rounding)
    TOTAL.models += 1


def wanted(file: str, answers: Any, i: int) -> list[float]:
    """Return the probabilities or responses, in our order of the categories; else the scores."""
    if "probabilities" in answers:
        # Of two labels the second stands first here.
        numbers: list[float] = answers["probabilities"][i]
        return numbers[::-1] if len(numbers) == 2 else numbers
    has_responses = "responses" in answers and not file.startswith(("xgb_softmax", "xgb_hinge"))
    if has_responses and "logitraw" not in file:
        return list(answers["responses"][i])
    scores = answers["scores"][i]
    two = len(scores) == 1 and file.startswith(("vw_logistic", "vw_inter", "xgb_logitraw"))
    link = LINKS.get(file.partition(".")[0])
    if file.startswith("xgb_softmax"):
        return respond(scores, None)
    return respond([0.0, *scores], None) if two else respond(scores, link or "identity")


def check_scores(
    scores: Sequence[float], answers: Sequence[float], all_answers: Any, file: str, rounding: float
) -> None:
    """Compare the linear predictors themselves."""
    if file.startswith("liblinear") and len(scores) == 2:
        assert all_answers["order"] in ([], *[[c, b] for b, c in [load_order(file)]])
    for ours, theirs in zip(scores[-len(answers) :], answers, strict=True):
        assert abs(ours - theirs) <= 20 * rounding * max(1.0, abs(theirs)), (ours, theirs)


def load_order(file: str) -> tuple[str, str]:
    first, second = load(FOLDER / file).categories
    return first, second


@pytest.mark.parametrize("file", sorted(REFUSED))
def test_what_is_not_linear_is_refused(file: str) -> None:
    with pytest.raises(Refusal) as error:
        load(FOLDER / file)
    assert REFUSED[file] in str(error.value)


def test_a_score_of_0_is_the_second_label_of_liblinear() -> None:
    model = load(FOLDER / "liblinear_no_bias.txt")
    row: Row = dict.fromkeys(model.positional, 0.0)
    assert score(model, row) == [0.0, 0.0]  # of which the first category wins
    assert model.categories == ("3", "7")
    assert ANSWERS["liblinear_no_bias"]["order"] == ["7", "3"]


@pytest.mark.parametrize("file", ["vw_logistic.txt", "vw_squared.txt", "vw_oaa.txt"])
def test_what_the_text_of_vw_does_not_say_is_asked_for(file: str) -> None:
    with pytest.raises(Refusal, match="say it by --link"):
        load(FOLDER / file)


def test_one_name_in_two_namespaces_is_refused() -> None:
    """One name in two namespaces are two weights of what would be one column."""
    text = (FOLDER / "vw_squared.txt").read_text().replace("text^smoker=no", "num^age=1")
    text = text.replace("text^smoker=yes", "text^age=1")
    from matscore.models.bounds import ModelFile
    from matscore.models.options import ImportOptions
    from matscore.models.sources import read_model

    with pytest.raises(Refusal, match="in two namespaces"):
        read_model(ModelFile("x", text.encode()), ImportOptions(link="identity"))
