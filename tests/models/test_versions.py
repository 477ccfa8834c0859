"""Models that other versions of scikit-learn saved, against what they said themselves.

``make_sklearn_models.py`` made the files: a version that is no longer installed cannot be asked.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from matscore.models.bounds import ModelFile, Refusal
from matscore.models.options import ImportOptions
from matscore.models.saved import SOURCES
from matscore.models.sources import read_model
from tests.models.sklearn_answers import compare

FOLDER = Path(__file__).parent / "sklearn"
ANSWERS: dict[Path, Any] = {
    path.parent / name: answers
    for path in sorted(FOLDER.glob("*/answers.json"))
    for name, answers in json.loads(path.read_text()).items()
}
with (FOLDER / "raw.csv").open(encoding="utf-8") as _stream:
    ROWS = [{k: v or None for k, v in row.items()} for row in csv.DictReader(_stream)]


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_models_of_each_version(path: Path) -> None:
    found = read_model(ModelFile(str(path), path.read_bytes()))
    compare(found, ROWS, ANSWERS[path])
    assert found.producer == f"scikit-learn {path.parent.name}"


def test_every_version_is_there() -> None:
    assert {path.parent.name for path in ANSWERS} == {"1.1.3", "1.4.2", "1.6.1", "1.9.1"}
    assert len(ANSWERS) >= 50


def _read(data: bytes) -> bool:
    """Read bytes as whatever they are: true for a model, false where it was refused."""
    file = ModelFile("model", data)
    source = next((one for one in SOURCES if one.recognise(file)), None)
    if source is None:
        return False
    try:
        return bool(source.read(file, ImportOptions()).categories)
    except Refusal as refusal:
        assert "\n" not in str(refusal)
        return False


SLOW = pytest.mark.slow
CUT = [
    "logistic.pkl",
    "infrequent.pkl.gz",
    "products.joblib.z",
    "bins.joblib.xz",
    "search.joblib.bz2",
]


@pytest.mark.parametrize("name", [*CUT[:3], *(pytest.param(n, marks=SLOW) for n in CUT[3:])])
def test_cut_at_every_byte(name: str) -> None:
    data = (FOLDER / "1.9.1" / name).read_bytes()
    assert _read(data)
    for n in range(len(data)):
        assert not _read(data[:n])


def test_a_skops_file_cut_anywhere() -> None:
    data = (FOLDER / "1.9.1" / "logistic.skops").read_bytes()
    assert _read(data)
    for n in [*range(300), *range(300, len(data), 97), *range(len(data) - 300, len(data))]:
        assert not _read(data[:n])
    with pytest.raises(Refusal, match="its ZIP directory is damaged"):
        read_model(ModelFile("model.skops", data[: len(data) // 2]))


@pytest.mark.parametrize("name", [*CUT, "logistic.skops", "ordinal.joblib", "rest.pkl"])
def test_a_changed_byte_is_no_crash(name: str) -> None:
    data = bytearray((FOLDER / "1.9.1" / name).read_bytes())
    for i in range(0, len(data), max(1, len(data) // 100)):
        before = data[i]
        for changed in (before ^ 1, before ^ 0x80, 0, 255):
            data[i] = changed
            _read(bytes(data))
        data[i] = before
