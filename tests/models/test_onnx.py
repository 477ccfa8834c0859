"""ONNX: models of scikit-learn and of single layers, against onnxruntime's own answers."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from matscore.models.bounds import Refusal
from tests.models.answers import DATA, Compared, compare, load, name_columns, read_rows

FOLDER = DATA / "onnx"
TEXTS = ("region", "smoker")
ROWS = read_rows(FOLDER / "rows.csv", TEXTS)
ANSWERS: dict[str, Any] = json.loads((FOLDER / "answers.json").read_text())
REFUSED = {
    **dict.fromkeys(
        ("complement", "multinomial"),
        'step "ReduceLogSumExp": the probabilities of naive Bayes are not read',
    ),
    **dict.fromkeys(
        ("one_over", "sgd_log3"), "it applies a function to what is no longer a column"
    ),
    "bernoulli": 'step "ReduceSum": it works along the axis 0, not along the columns',
    "svr": 'step "SVM" (SVMRegressor): its support vectors are not read',
    "normalizer": 'step "Normalizer": it divides each row by its length, which is not linear',
    "power": "it divides by a column",
    "svc": 'step "SVMc" (SVMClassifier): its labels are made by votes',
    "torch_relu": 'step "Relu": it is no operator of a linear model',
    "too_many_coefficients": "it has 12 coefficients, where 3 × 2 are needed",
}
# A comparison with NaN is false in onnxruntime, so that a missing cell counts as a number below the
# border; here it is a bad row.
STRICTER = ("binarizer",)
FLOAT32 = 2.0**-20  # a few roundings of float32, relative to the size of a score
TOTAL = Compared()


def read_answer(name: str, i: int) -> tuple[list[float] | None, str | None]:
    """Return a row's numbers, of all outputs, and its label."""
    outputs = {key: values[i] for key, values in ANSWERS[name].items()}
    if any(value is None for value in outputs.values()):
        return None, None
    labels = [value[0] for key, value in outputs.items() if "label" in key]
    numbers = [n for key, value in outputs.items() if "label" not in key for n in value]
    if name == "torch_log_softmax":
        numbers = [math.exp(number) for number in numbers]
    label = None if not labels else labels[0] if isinstance(labels[0], str) else f"{labels[0]:.0f}"
    return numbers or None, label


@pytest.mark.parametrize("name", sorted(set(ANSWERS) - set(REFUSED)))
def test_it_agrees_with_onnxruntime(name: str) -> None:
    model = load(FOLDER / f"{name}.onnx")
    for i, row in enumerate(ROWS):
        numbers, label = read_answer(name, i)
        named = name_columns(model, ("age", "income"), row)
        if name in STRICTER and None in (row["age"], row["income"]):
            numbers = label = None
        compare(model, named, numbers, label, 1e-14 if name == "double" else FLOAT32, TOTAL)
    TOTAL.models += 1


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_not_linear_is_refused_by_its_step(name: str) -> None:
    with pytest.raises(Refusal) as error:
        load(FOLDER / f"{name}.onnx")
    assert REFUSED[name] in str(error.value)


def test_labels_by_probabilities_are_told() -> None:
    """Of large scores the logistic function is 1 in float32, and the first of them wins there."""
    facts = load(FOLDER / "one_vs_rest.onnx").facts
    assert any("by rounded probabilities" in fact for fact in facts)
    assert not any("rounded" in fact for fact in load(FOLDER / "logistic3.onnx").facts)
