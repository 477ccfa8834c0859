"""The one door for weights: models that check themselves; items in memory or in files."""

from __future__ import annotations

import errno
import io
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matscore.commands.recommend
from matscore import OutputError, PlanOptions, RecommendOptions, RunOptions, items
from matscore.commands.recommend import recommend_file
from matscore.items import Items, SpilledRows
from matscore.kernel import Floats
from matscore.model import Model, load_items
from matscore.write.folder import fingerprint
from tests.helpers import read_csv, write_csv


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    rng = random.Random(1)

    def write(name: str, n: int) -> Path:
        rows = [[f"{name}{i}", *(rng.randint(-20, 20) / 10 for _ in range(5))] for i in range(n)]
        return write_csv(tmp_path / f"{name}.csv", [[name, *"cabed"], *rows])

    return write("user", 300), write("item", 2500)


def spill(monkeypatch: pytest.MonkeyPatch, most_bytes: int) -> None:
    monkeypatch.setattr(matscore.commands.recommend, "MOST_BYTES", most_bytes)


def recommend(users: Path, items: Path, **options: Any) -> bytes:
    out = io.BytesIO()
    recommend_file(users, items, out, recommend=RecommendOptions(4), **options)
    return out.getvalue()


@pytest.mark.parametrize("most_bytes", [0, 100_000])
@pytest.mark.parametrize("options", [{}, {"metric": "cosine"}, {"run": RunOptions(2, 4000)}])
def test_spilled_items_give_the_same_bytes(
    files: tuple[Path, Path],
    options: dict[str, Any],
    most_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = recommend(*files, **options)
    spill(monkeypatch, most_bytes)
    assert load_items(str(files[1]), matscore.ReadOptions(), most_bytes=most_bytes).is_spilled
    assert recommend(*files, **options) == held


def test_spilled_items_without_labels_and_items_that_are_columns(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_csv(files[1])
    bare = write_csv(tmp_path / "bare.csv", [row[1:] for row in rows])
    turned = write_csv(tmp_path / "turned.csv", zip(*rows, strict=True))
    held = recommend(files[0], bare), recommend(*files)
    spill(monkeypatch, 0)
    assert recommend(files[0], bare) == held[0]
    found = recommend(files[0], turned, align=PlanOptions(transpose=True))
    assert found.partition(b"\n")[2] == held[1].partition(b"\n")[2]


def test_spilled_rows_are_those_written() -> None:
    rows, values = SpilledRows(3), np.arange(30.0).reshape(10, 3)
    rows.append(values[:4])
    rows.append(values[4:])
    assert rows.n_rows == 10
    assert (rows[2:50] == values[2:]).all()
    assert rows[3:3].shape == (0, 3)


def test_no_room_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(OutputError, match="no space left on device, and the items need room"):
        SpilledRows(2).append(np.ones((1, 2)))


def test_no_room_for_them_as_they_are_multiplied(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(os.devnull).open() as file:  # which cannot be written
        monkeypatch.setattr(items, "open_unnamed", lambda owner: file.fileno())
        spill(monkeypatch, 0)
        with pytest.raises(OutputError, match="bad file descriptor, and the items need room"):
            recommend(*files)


def test_what_was_read_is_not_held_twice(files: tuple[Path, Path]) -> None:
    held = load_items(str(files[1]), matscore.ReadOptions())
    assert held.rows is not None and not held.is_gone
    assert held.n_bytes == 2500 * 6 * 8
    assert [len(rows) for rows in held.rows.take()] == [1024, 1024, 452] and held.is_gone
    assert held.n_bytes == 2500 * 6 * 8


def test_a_fingerprint_knows_types() -> None:
    assert fingerprint(1, "a") == fingerprint(1, "a") != fingerprint("1", "a")


def test_a_fingerprint_is_of_the_items_wherever_they_are_held() -> None:
    rows = np.random.default_rng(0).normal(size=(1500, 3))

    def take(values: Floats, *, cosine: bool = False, spill: bool = False) -> str:
        held = Items(3, cosine=cosine, spill=spill)
        held.add(values)
        return fingerprint(held)

    assert take(rows) == take(rows, spill=True)
    others = take(rows[::-1]), take(rows[:-1]), take(rows, cosine=True)
    assert len({take(rows), *others}) == 4


@pytest.mark.parametrize(
    ("weights", "intercept", "categories"),
    [
        (np.ones((2, 3)), None, ("a", "b")),
        (np.ones((2, 2)), None, ("a", "a")),
        (np.ones((2, 2)), np.ones(3), ("a", "b")),
        (np.ones(2), None, ("a", "b")),
        (np.array([[1.0, np.nan]]), None, ("a", "b")),
        (np.array([[1.0, 2.0]]), np.array([0.0, np.inf]), ("a", "b")),
    ],
)
def test_a_model_checks_itself(
    weights: Floats, intercept: Floats | None, categories: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r"categories|finite"):
        Model(weights, intercept, categories)
