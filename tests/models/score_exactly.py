"""Score raw rows with an imported model by its terms, in exact fractions: an evaluator of the tests."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from matscore.models.types import ImportedModel
from matscore.terms import Factor, Function, Interval, Level, Missing, Other, Power, Term

Row = Mapping[str, str]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV file as texts."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def score_row(model: ImportedModel, row: Row) -> list[float] | None:
    """Return the score of each category; None where a cell is missing or unknown to the model."""
    folded = model.folded
    columns = {factor.column for term in folded.terms for factor in term}
    for name in columns:
        indicator = Missing(name) if row[name] == "" else Other(name)
        known = row[name] == "" or _is_known(model, name, row[name])
        if (row[name] == "" or not known) and indicator in folded.without_row:
            return None
    scores = [Fraction(b) for b in folded.intercept]
    for term, weights in zip(folded.terms, folded.weights, strict=True):
        if value := _evaluate(model, term, row):
            scores = [s + value * Fraction(float(w)) for s, w in zip(scores, weights, strict=True)]
    found = [float(score) for score in scores]
    return [0.0, *found] if model.is_binary_vector else found


def _is_known(model: ImportedModel, name: str, text: str) -> bool:
    levels = model.folded.levels.get(name)
    return levels is None or text in levels.texts


def _evaluate(model: ImportedModel, term: Term, row: Row) -> Fraction:
    value = Fraction(1)
    for factor in term:
        value *= _evaluate_factor(model, factor, row[factor.column])
    return value


def _evaluate_factor(model: ImportedModel, factor: Factor, text: str) -> Fraction:
    match factor:
        case Missing():
            return Fraction(text == "")
        case Level():
            return Fraction(text == factor.text)
        case Other(name):
            return Fraction(text != "" and not _is_known(model, name, text))
    if text == "":
        return Fraction(0)
    number = Fraction(float(text))
    match factor:
        case Power(_, exponent):
            return number**exponent
        case Function(name, _):
            function = {"abs": abs}.get(name) or getattr(math, name)
            return Fraction(function(float(number)))
        case Interval(_, low, high, low_closed, high_closed):
            above = number >= low if low_closed else number > low
            return Fraction(above and (number <= high if high_closed else number < high))
    raise AssertionError(factor)


def softmax(scores: Sequence[float]) -> list[float]:
    """Return the probabilities of scores."""
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    return [power / sum(powers) for power in powers]
