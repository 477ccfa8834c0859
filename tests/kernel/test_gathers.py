"""Gathered terms give the bits of the columns that they stand for."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore import _kernel as kernel
from matscore.kernel import Floats, Gather, Gathers, PackedWeights
from tests.kernel.test_product import KINDS, draw_values

SETS = kernel.instruction_sets()


@pytest.fixture(params=SETS)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Compute with each of the processor's instruction sets."""
    kernel.use(request.param)
    yield request.param
    kernel.use(SETS[0])


def draw_gathers(rng: np.random.Generator, n_terms: int) -> Gathers:
    """Deal some terms out: to dense rows, to groups (side by side or mixed), or to nothing."""
    owner = rng.integers(-1, 1 + rng.integers(0, 5), n_terms)
    if rng.integers(2):
        owner.sort()
    n_stored = int((owner == 0).sum() + rng.integers(1, 6))
    dense = np.flatnonzero(owner == 0)
    pairs = np.column_stack([rng.integers(0, n_stored, len(dense)), dense])
    groups = []
    for g in range(1, owner.max() + 1):
        terms = np.concatenate([np.flatnonzero(owner == g), [-1, -1]])
        terms = rng.permutation(np.concatenate([terms, terms[:1]]))
        values = int(rng.integers(-1, n_stored))
        groups.append(Gather(int(rng.integers(0, n_stored)), values, terms))
    return Gathers(rng.permutation(pairs), tuple(groups), n_stored)


def draw_features(rng: np.random.Generator, gathers: Gathers, kind: str, n_rows: int) -> Floats:
    """Make stored rows: numbers, and codes where there are groups that ask for them."""
    features = draw_values(rng, kind, gathers.n_stored, n_rows)
    for codes in {group.codes for group in gathers.groups}:
        n = min(len(group.terms) for group in gathers.groups if group.codes == codes)
        features[codes] = rng.integers(-1, n, n_rows)
    for share in (0.0, 0.02)[: rng.integers(1, 3)]:
        features[rng.random(features.shape) < share] = np.nan
    return features


def same(one: Any, other: Any) -> bool:
    """Say whether arrays have the same bits; all NaN are one."""
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype == np.float64:
        one, other = (np.where(np.isnan(part), np.nan, part) for part in (one, other))
    return bool(one.tobytes() == other.tobytes())


def check(model: PackedWeights, plain: PackedWeights, features: Floats) -> Floats:
    """Hold all that a model says of stored rows against what one of columns says."""
    columns = model.expand(features)
    scores, decision = model.score(features)
    expected, rule = plain.score(columns)
    assert same(scores, expected)
    for found, wanted in zip(decision, rule, strict=True):
        assert same(found, wanted)
    alone = model.score(features, keep=False)[1]
    assert all(same(*pair) for pair in zip(alone, rule, strict=True))
    assert same(model.error_bound(features), plain.error_bound(columns))
    assert same(model.mark_ties(features, scores), plain.mark_ties(columns, expected))
    for found, wanted in zip(
        model.rank(features, scores, 3), plain.rank(columns, expected, 3), strict=True
    ):
        assert same(found, wanted)
    return scores


@pytest.mark.parametrize("features", KINDS)
@pytest.mark.parametrize("weights", KINDS)
def test_the_columns_are_the_definition(instruction_set: str, weights: str, features: str) -> None:
    n_tied = 0
    for seed in range(12):
        rng = np.random.default_rng([seed, KINDS.index(features), KINDS.index(weights)])
        n_terms, n_categories = int(rng.integers(1, 40)), int(rng.integers(1, 9))
        if seed == 0:
            n_terms, n_categories = 300, 70  # more than a tile takes at once
        gathers = draw_gathers(rng, n_terms)
        W = draw_values(rng, weights, n_terms, n_categories)
        W[:, -1] = W[:, 0]
        b = draw_values(rng, weights, n_categories) if seed % 2 else None
        if b is not None:
            b[-1] = b[0] * (1.0 + 2.0**-51)
        X = draw_features(rng, gathers, features, int(rng.integers(0, 120)))
        model = PackedWeights(W, b, gathers)
        check(model, PackedWeights(W, b), X)
        n_tied += int(model.score(X)[1].tied.sum())
    assert n_tied > 0


@given(st.integers(0, 2**32))
def test_random_programs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_terms, n_categories = int(rng.integers(0, 30)), int(rng.integers(1, 6))
    gathers = draw_gathers(rng, n_terms) if n_terms else Gathers(np.empty((0, 2), int), (), 2)
    W = rng.integers(-9, 10, (n_terms, n_categories)) / 10
    X = draw_features(rng, gathers, "tenths", int(rng.integers(0, 60)))
    model = pickle.loads(pickle.dumps(PackedWeights(W, None, gathers)))
    check(model, PackedWeights(W), X)


def test_overflow(instruction_set: str) -> None:
    n_overflow = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        gathers = draw_gathers(rng, 20)
        W = rng.normal(size=(20, 3)) * (1e308 / 4)
        X = draw_features(rng, gathers, "plain", 50)
        scores = check(PackedWeights(W, None, gathers), PackedWeights(W), X)
        n_overflow += int(np.isinf(scores).any(axis=0).sum())
    assert n_overflow > 100


def test_worked_example() -> None:
    """Rows (age, region, kind): age, age by kind "b", region 0 or 1."""
    groups = (Gather(1, -1, np.array([2, 3])), Gather(2, 0, np.array([-1, 1])))
    gathers = Gathers(np.array([[0, 0]]), groups, 3)
    X = np.array([[30.0, 40.0, np.nan, 50.0], [0, 1, 0, -1], [0, 1, 1, 1]])
    model = PackedWeights(np.array([[1.0], [10.0], [0.25], [0.5]]), None, gathers)
    expanded = [[30, 40, np.nan, 50], [0, 40, np.nan, 50], [1, 0, np.nan, 0], [0, 1, np.nan, 0]]
    np.testing.assert_array_equal(model.expand(X), expanded)
    np.testing.assert_array_equal(model.multiply(X), [[30.25, 440.5, np.nan, 550.0]])


@pytest.mark.parametrize(
    ("dense", "groups", "n_stored"),
    [
        ([[0, 4]], [], 2),
        ([[0, -1]], [], 2),
        ([[2, 0]], [], 2),
        ([[-1, 0]], [], 2),
        ([[0, 0], [1, 0]], [], 2),
        ([[0, 0]], [(1, -1, [0])], 2),
        ([], [(1, -1, [0]), (0, -1, [0])], 2),
        ([], [(1, -1, [4])], 2),
        ([], [(1, -1, [-2])], 2),
        ([], [(2, -1, [0])], 2),
        ([], [(-1, -1, [0])], 2),
        ([], [(0, 2, [0])], 2),
        ([], [(0, -2, [0])], 2),
        ([], [], -1),
    ],
)
def test_out_of_range(
    dense: list[list[int]], groups: list[tuple[int, int, list[int]]], n_stored: int
) -> None:
    pairs = np.array(dense, np.int64).reshape(-1, 2)
    parts = tuple(Gather(codes, values, np.array(terms)) for codes, values, terms in groups)
    with pytest.raises(ValueError):
        PackedWeights(np.ones((4, 2)), None, Gathers(pairs, parts, n_stored))


@pytest.mark.parametrize("code", [2.0, 1e300, np.inf])
def test_codes_out_of_range(code: float) -> None:
    gathers = Gathers(np.empty((0, 2), int), (Gather(0, -1, np.array([0, 1])),), 1)
    model = PackedWeights(np.ones((2, 2)), None, gathers)
    for use in (model.expand, model.score, model.error_bound):
        with pytest.raises(ValueError, match="code"):
            use(np.array([[0.0, code, -1.0]]))
    with pytest.raises(ValueError, match="number of"):
        model.score(np.zeros((2, 1)))


def test_thousands_of_levels_that_tie_are_fast() -> None:
    """Bounds of ties are made of the terms that are there, not of all."""
    n_levels, n_rows = 10_000, 100_000
    gathers = Gathers(np.array([[0, 0]]), (Gather(1, -1, np.arange(1, n_levels + 1)),), 2)
    model = PackedWeights(np.full((n_levels + 1, 2), 0.3), None, gathers)
    X = np.full((2, n_rows), 0.7)
    X[1] = np.arange(n_rows) % n_levels
    start = time.process_time()
    _, decision = model.score(X)
    assert time.process_time() - start < 2
    assert decision.tied.all() and not decision.best.any()
