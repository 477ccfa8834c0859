"""Models of other tools, imported and scored by matscore, proved by what the tools answered."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from matscore.commands.import_model import import_model
from matscore.errors import InputError
from tests.models import test_h2o, test_onnx, test_texts_of_tools
from tests.models.answers import load
from tests.models.exact import BadRowError, Row, score

ONNX = [
    (test_onnx.FOLDER / f"{n}.onnx", n)
    for n in sorted(test_onnx.ANSWERS)
    if n not in test_onnx.REFUSED
]
H2O = [
    (test_h2o.FOLDER / f"{n}.zip", n) for n in sorted(test_h2o.ANSWERS) if n not in test_h2o.REFUSED
]
TEXTS = [
    (test_texts_of_tools.FOLDER / file, file)
    for file in test_texts_of_tools.FILES
    if file not in test_texts_of_tools.REFUSED
]  # fmt: skip


def find_answer(path: Path, name: str, i: int) -> tuple[list[float] | None, str | None]:
    if path.suffix == ".onnx":
        return test_onnx.read_answer(name, i)
    if path.suffix == ".zip":
        answers = test_h2o.ANSWERS[name]
        return (answers["rest"][i] or [answers["first"][i]]), None
    answers = test_texts_of_tools.ANSWERS[name.partition(".")[0]]
    label = answers["label"][i] if "label" in answers else None
    return test_texts_of_tools.wanted(name, answers, i), label


def rows_of(path: Path, name: str) -> tuple[Sequence[Row], Sequence[str]]:
    if path.suffix == ".onnx":
        return test_onnx.ROWS, ("age", "income")
    if path.suffix == ".zip":
        return test_h2o.ROWS, ()
    texts = test_texts_of_tools
    rows = (
        texts.SCALED
        if name.startswith("lib")
        else texts.SHARES
        if name.startswith("xgb")
        else texts.RAW
    )
    return rows, ("age", "income")


def write(path: Path, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [names, *(["" if c is None else c for c in row] for row in rows)]
        )
    return path


@pytest.mark.parametrize(
    ("path", "name"), [*ONNX, *H2O, *TEXTS], ids=lambda value: getattr(value, "name", "")
)
def test_the_tool_itself_proves_the_import(path: Path, name: str, tmp_path: Path) -> None:
    options = test_texts_of_tools.options_of(name) if path.suffix not in (".onnx", ".zip") else {}
    model = load(path, **options)
    rows, columns = rows_of(path, name)
    kept: list[Any] = []
    numbers: list[Any] = []
    labels: list[Any] = []
    for i, row in enumerate(rows):
        named = (
            dict(zip(model.positional, (row[c] for c in columns), strict=True))
            if model.positional
            else row
        )
        values, label = find_answer(path, name, i)
        try:
            score(model, named)
        except BadRowError:
            continue
        if values is None and label is None:
            continue
        kept.append([row[c] for c in columns] if model.positional else list(row.values()))
        numbers.append(values and list(values))
        labels.append(label)
    header = columns if model.positional else list(rows[0])
    sample = write(tmp_path / "sample.csv", header, kept)
    assert len(kept) >= 30
    if labels[0] is not None:
        expect = write(tmp_path / "labels.csv", ["label"], [[label] for label in labels])
        proof = import_model(path, sample=sample, expect=expect, **options).proof
        assert proof is not None and proof.n_rows == len(kept) and proof.n_labels_differ == 0
    if numbers[0] is not None:
        prefix = {"identity": "", "exp": "response_"}.get(model.link or "", "probability_")
        if model.link == "logistic" or (name.startswith(("torch_sig", "xgb_share"))):
            prefix = "response_"
        chosen = model.categories[-len(numbers[0]) :]
        names = [f"{prefix}{category}" for category in chosen]
        if not prefix and chosen[0].lstrip("-").isdigit():  # numbers are no header
            names, numbers = ["answer"], [answer[-1:] for answer in numbers]
        expect = write(tmp_path / "numbers.csv", names, numbers)
        proof = import_model(path, sample=sample, expect=expect, **options).proof
        assert proof is not None and proof.n_rows == len(kept)
        # And it fails where one answer is another.
        numbers[5][-1] += 0.01 + abs(numbers[5][-1]) / 100
        write(expect, names, numbers)
        with pytest.raises(InputError):
            import_model(path, sample=sample, expect=expect, **options)
