"""The face for Dask DataFrames: lazy, and the same as for pandas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import matscore
from matscore import InputError, PlanError

dd = pytest.importorskip("dask.dataframe")
from matscore.dask import classify  # noqa: E402
from tests.helpers import SAMPLES  # noqa: E402

WEIGHTS = pd.DataFrame({"p": [1, -1, 0.5], "q": [0.5, 2, 0.25]}, index=["x", "y", "(Intercept)"])


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    index = pd.Index([f"r{i:03}" for i in range(100)], name="id")
    columns = {"y": rng.normal(size=100), "note": "n", "x": rng.integers(0, 9, 100)}
    return pd.DataFrame(columns, index=index)


def check_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare all but the kinds of text that Dask gives to index and columns that it was given."""
    texts = {"note": found["note"].dtype} if "note" in expected else {}
    expected = expected.astype(texts)
    expected.index = expected.index.astype(found.index.dtype)
    pd.testing.assert_frame_equal(found, expected)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"probabilities": True, "margin": True},
    {"scores": False, "keep_cols": ["note"]},
    {"threshold": 3.0},
    {"probabilities": True, "response": True},
    {"no_intercept": False, "intercept": "(Intercept)"},
    {"weights_cols": ["q"]},
    {"drop_weights_cols": ["q"], "threshold": 1.0},
    {"rename": {"y": "x", "x": "y"}, "absent": "zero"},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("n_partitions", [1, 7])
def test_as_pandas(frame: pd.DataFrame, options: dict[str, Any], n_partitions: int) -> None:
    expected = matscore.classify(frame, WEIGHTS, **options)
    lazy = classify(dd.from_pandas(frame, npartitions=n_partitions), WEIGHTS, **options)
    assert list(lazy.columns) == list(expected.columns)
    computed = lazy.compute(scheduler="sync")
    check_same(computed, expected)
    assert (lazy.dtypes == computed.dtypes).all()
    assert lazy.index.name == "id"


def test_links(frame: pd.DataFrame) -> None:
    weights = WEIGHTS.rename_axis("feature (cloglog)")
    expected = matscore.classify(frame, weights, response=True)
    lazy = classify(dd.from_pandas(frame, npartitions=7), weights, response=True)
    check_same(lazy.compute(scheduler="sync"), expected)
    with pytest.raises(matscore.MisfitError, match="no probabilities for 2 categories"):
        classify(dd.from_pandas(frame, npartitions=7), weights, probabilities=True)


def test_nothing_is_computed_before_it_is_asked_for(frame: pd.DataFrame) -> None:
    def fail(part: pd.DataFrame) -> pd.DataFrame:
        raise RuntimeError("computed")

    broken = dd.from_pandas(frame, npartitions=2).map_partitions(fail, meta=frame.iloc[:0])
    lazy = classify(broken, WEIGHTS)
    with pytest.raises(RuntimeError, match="computed"):
        lazy.compute(scheduler="sync")


def test_empty_partitions(frame: pd.DataFrame) -> None:
    source = dd.from_pandas(frame, npartitions=10)
    some = source[source["x"] > 8]
    kept = frame[frame["x"] > 8]
    few = source[source["x"] > 1000]
    expected = matscore.classify(kept, WEIGHTS)
    check_same(classify(some, WEIGHTS).compute(scheduler="sync"), expected)
    none = classify(few, WEIGHTS).compute(scheduler="sync")
    check_same(none, expected.iloc[:0])
    for part in classify(few, WEIGHTS).partitions:
        check_same(part.compute(scheduler="sync"), expected.iloc[:0])


def test_divisions(frame: pd.DataFrame) -> None:
    known = dd.from_pandas(frame, npartitions=4)
    assert classify(known, WEIGHTS).divisions == known.divisions
    unknown = known.clear_divisions()
    lazy = classify(unknown, WEIGHTS)
    assert not lazy.known_divisions
    check_same(lazy.compute(scheduler="sync"), matscore.classify(frame, WEIGHTS))


def test_a_misfit_is_found_at_once(frame: pd.DataFrame) -> None:
    with pytest.raises(PlanError, match="lacks a feature"):
        classify(dd.from_pandas(frame[["x"]], npartitions=2), WEIGHTS)


def test_a_bad_value_is_found_when_it_is_computed(frame: pd.DataFrame) -> None:
    frame.iloc[60, 0] = np.nan
    lazy = classify(dd.from_pandas(frame, npartitions=2), WEIGHTS)
    with pytest.raises(InputError, match=r'"y"'):
        lazy.compute(scheduler="sync")
    skipped = classify(dd.from_pandas(frame, npartitions=2), WEIGHTS, missing="skip")
    assert len(skipped.compute(scheduler="sync")) == 99


@pytest.mark.parametrize("name", ["unique_labels", "booleans"])
def test_what_is_about_all_rows_is_refused(frame: pd.DataFrame, name: str) -> None:
    asked: dict[str, Any] = {name: True}
    with pytest.raises(matscore.UsageError, match=f"{name} is about all rows"):
        classify(dd.from_pandas(frame, npartitions=2), WEIGHTS, **asked)


def test_weights_are_in_the_graph_once(frame: pd.DataFrame) -> None:
    lazy = classify(dd.from_pandas(frame, npartitions=20), WEIGHTS)
    graph = lazy.optimize(fuse=False).__dask_graph__()
    held = [task for task in dict(graph).values() if "DataFrame" in repr(type(task))]
    n_texts = repr(dict(graph)).count("(Intercept)")
    assert len(held) <= 20 and n_texts <= 1


def test_it_needs_the_extra(tmp_path: Path) -> None:
    (tmp_path / "dask.py").write_text("raise ImportError\n")
    code = "import matscore.dask as m; m.classify(None, None)"
    path = f"{tmp_path}:{Path(matscore.__file__).parents[1]}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": path},
    )
    assert "matscore.dask needs an optional package; pip install 'matscore[dask]'" in done.stderr


@pytest.mark.parametrize("kind", ["object", "category", "string"])
def test_terms_of_texts_and_gaps(kind: str) -> None:
    frame = pd.read_csv(SAMPLES / "credit.csv", index_col=0).astype({"region": kind})
    weights = pd.read_csv(SAMPLES / "credit_weights.csv", index_col=0)
    expected = matscore.classify(frame, weights, probabilities=True)
    lazy = classify(dd.from_pandas(frame, npartitions=3), weights, probabilities=True)
    check_same(lazy.compute(), expected)
    frame.loc[frame.index[-1], "purpose"] = "a yacht"
    late = classify(dd.from_pandas(frame, npartitions=3), weights)
    with pytest.raises(InputError, match="a yacht"):
        late.compute()
    kept = classify(dd.from_pandas(frame, npartitions=3), weights, unknown="keep")
    assert kept.compute().good.isna().tolist() == [False] * 299 + [True]
