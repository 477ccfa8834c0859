"""What other tools answered, held against the scores of the models that were imported."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from matscore.models.bounds import ModelFile
from matscore.models.options import ImportOptions
from matscore.models.sources import read_model
from matscore.models.types import ImportedModel
from tests.models.exact import BadRowError, Cell, Row, score, value_of

DATA = Path(__file__).parent / "data"


def load(path: Path, **options: Any) -> ImportedModel:
    return read_model(ModelFile(path.name, path.read_bytes()), ImportOptions(**options))


def read_rows(path: Path, texts: Sequence[str] = ()) -> list[dict[str, Cell]]:
    """Return raw rows: numbers but for some columns, None for an empty cell."""

    def read(name: str, cell: str) -> Cell:
        return None if not cell else cell if name in texts else float(cell)

    with path.open(newline="") as stream:
        return [{n: read(n, c) for n, c in row.items()} for row in csv.DictReader(stream)]


def name_columns(model: ImportedModel, columns: Sequence[str], row: Row) -> Row:
    """Return a row under the names that a model has for columns that it knows by position."""
    if not model.positional:
        return row
    assert len(model.positional) == len(columns)
    return {name: row[column] for name, column in zip(model.positional, columns, strict=True)}


def respond(scores: Sequence[float], link: str | None) -> list[float]:
    """Return what a link makes of scores, by its definition."""
    if link == "identity":
        return list(scores)
    if link == "exp":
        return [math.exp(s) for s in scores]
    each = [1 / (1 + math.exp(-s)) if s > 0 else math.exp(s) / (1 + math.exp(s)) for s in scores]
    if link == "logistic" or (link is None and len(scores) == 1):
        return each
    if link == "one-vs-rest":
        return [p / sum(each) if any(each) else 1 / len(each) for p in each]
    powers = [math.exp(s - max(scores)) for s in scores]
    return [p / sum(powers) for p in powers]


def size_of(model: ImportedModel, row: Row) -> float:
    """Return the sum of the sizes of what is added up in a score: what rounding is relative to."""
    folded = model.folded
    sizes = [abs(Fraction(float(b))) for b in folded.intercept]
    for term, weights in zip(folded.terms, folded.weights, strict=True):
        value = Fraction(1)
        for factor in term:
            value *= value_of(factor, row, folded.levels)
        sizes = [s + abs(value * Fraction(float(w))) for s, w in zip(sizes, weights, strict=True)]
    return float(max(sizes))


@dataclass
class Compared:
    """Counts of a comparison, for the report."""

    models: int = 0
    rows: int = 0
    refused: int = 0
    largest: float = 0.0  # difference of answers, relative to the size of the score
    labels: int = 0
    ties: int = 0  # rows whose two best scores are closer than the rounding of the tool
    lines: list[str] = field(default_factory=list)


def compare(
    model: ImportedModel, row: Row, numbers: Sequence[float] | None, label: str | None,
    rounding: float, total: Compared,
) -> None:  # fmt: skip
    """Compare a row's answer; both None is a row that the tool refuses."""
    total.rows += 1
    if numbers is None and label is None:
        total.refused += 1
        try:
            score(model, row)
        except BadRowError:
            return
        raise AssertionError(f"a row that the tool refuses is scored: {row}")
    scores = score(model, row)
    allowed = rounding * max(1.0, size_of(model, row))
    if numbers is not None:
        answers = respond(scores, model.link)
        if len(numbers) < len(answers):
            answers = answers[-len(numbers) :]
        for answer, number in zip(answers, numbers, strict=True):
            difference = abs(answer - number) / (
                max(1.0, abs(number)) if model.link == "exp" else 1
            )
            assert difference <= allowed, (answer, number, allowed, row)
            total.largest = max(total.largest, difference / max(1.0, size_of(model, row)))
    if label is not None:
        best, second = sorted(scores)[-1:-3:-1]
        if best - second <= allowed and best != second:
            total.ties += 1
            return
        total.labels += 1
        assert model.categories[scores.index(best)] == label, (scores, label, row)
