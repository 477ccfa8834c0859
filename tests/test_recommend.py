"""The best items for each user, held anywhere, and as other libraries find them."""

from __future__ import annotations

import pickle
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from matscore.kernel import Floats, Items, Recommended, error_bound, multiply
from matscore.score import Metric
from tests.kernel.test_top import draw_matrix, search_all

METRICS: tuple[Metric, ...] = get_args(Metric)
Kept = list[list[tuple[int, float, bool]]]
rng_of = np.random.default_rng


def hold(V: Floats, metric: Metric = "dot") -> Items:
    items = Items(V.shape[1], cosine=metric == "cosine")
    items.add(V)
    return items


def recommend(U: Floats, V: Floats, k: int = 10, metric: Metric = "dot") -> Recommended:
    """Recommend; users and items in rows."""
    return hold(V, metric).recommend(np.ascontiguousarray(U.T), k)


def by_user(found: Recommended) -> Kept:
    columns = (found.items.tolist(), found.scores.tolist(), found.tied.tolist())
    pairs = list(zip(*columns, strict=True))
    ends = np.cumsum(found.counts)
    return [pairs[end - n : end] for n, end in zip(found.counts, ends, strict=True)]


class TestAgainstAllScores:
    @pytest.mark.parametrize("metric", METRICS)
    def test_users_who_cancel_and_items_that_differ(

    @pytest.mark.parametrize("k", [1, 33, 300])
    def test_any_k(


class TestTies:
    def test_duplicates_of_one_item(

    def test_rounding_does_not_choose(

    @pytest.mark.parametrize("kind", ["tenths", "plain", "popular"])
    def test_shuffled_items_change_nothing_but_ties(


class TestBits:
    @pytest.mark.parametrize("d", [1, 8, 64, 65, 200, 5000])
    def test_scores_are_those_of_classify(

    @pytest.mark.parametrize("spill", [False, True])
    @pytest.mark.parametrize("metric", METRICS)
    def test_wherever_the_items_are_held(


@pytest.mark.parametrize("n_items", [3, 4000])
def test_missing_features(


class TestOtherLibraries:
    def test_is_that_of_the_definition(

    def test_faiss(

    @pytest.mark.parametrize("metric", METRICS)
    def test_scikit_learn(
