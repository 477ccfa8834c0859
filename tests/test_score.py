"""From columns of features to scores and decisions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from matscore.matrix import Model
from matscore.plan import Plan, PlanOptions, Side, make_plan
from matscore.product import Floats
from matscore.score import Scored, ScoreOptions, make_model, score_rows

MODEL = Model(np.array([[1.1, 0.4, 0.1], [0.2, 0.5, 1.2]]), None, ("a", "b", "c"))
FILMS = np.array([[5.0, 1.0, 4.0], [2.0, 5.0, 4.0]])
BOTH = ScoreOptions(probabilities=True, threshold=0.5)


def score(
    model: Model,
    X: Floats,
    options: ScoreOptions = ScoreOptions(),
    has_missing: NDArray[np.bool_] | None = None,
) -> tuple[Scored, list[int]]:
    """Score rows; X is (n_features, n_rows)."""
    scored, overflow = score_rows(model, list(X), X.shape[1], options, has_missing)
    return scored, overflow.tolist()


def plan_for(labels: tuple[str, ...], header: tuple[str, ...], *, transpose: bool = False) -> Plan:
    """Plan features with the columns x, y against weights of some labels and header."""
    features = Side("F", 3, ("", "y", "x"), 2, None, labelled=True)
    weights = Side("W", len(header) + 1, ("", *header), len(labels), labels, labelled=True)
    plan = make_plan(features, weights, PlanOptions(transpose=transpose))
    assert plan.ok, plan.problem
    return plan


class TestMakeModel:
    VALUES = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])

    def test_canonical_order_and_intercept(self) -> None:
        model = make_model(plan_for(("y", "bias", "x"), ("u", "v")), self.VALUES)
        assert model.weights.tolist() == [[5.0, 6.0], [1.0, 2.0]]
        assert model.intercept is not None and model.intercept.tolist() == [3.0, 4.0]
        assert model.categories == ("u", "v")

    def test_transposed(self) -> None:
        plan = plan_for(("u", "v"), ("y", "bias", "x"), transpose=True)
        model = make_model(plan, self.VALUES.T.copy())
        expected = make_model(plan_for(("y", "bias", "x"), ("u", "v")), self.VALUES)
        assert model.weights.tobytes() == expected.weights.tobytes()
        assert model.intercept is not None and model.intercept.tolist() == [3.0, 4.0]
        assert model.categories == ("u", "v")

    def test_values_are_copied(self) -> None:
        values = self.VALUES.copy()
        model = make_model(plan_for(("y", "bias", "x"), ("u", "v")), values)
        values[:] = 0.0
        assert model.weights.all()
        assert model.intercept is not None and model.intercept.all()


class TestScoreRows:
    def test_options(self) -> None:
        scored, overflow = score(MODEL, FILMS)
        np.testing.assert_allclose(scored.scores[0], [5.9, 2.1, 5.2], rtol=1e-15)
        assert scored.probabilities is None and not overflow
        assert scored.decision.best.tolist() == [0, 2, 0]
        scored, _ = score(MODEL, FILMS, BOTH)
        assert scored.probabilities is not None
        assert scored.probabilities.shape == scored.scores.shape == (3, 3)
        assert scored.decision.best.tolist() == [0, 2, -1]  # the tied halves are under 0.5

    def test_one_category_predicts_with_a_threshold_only(self) -> None:
        model = Model(MODEL.weights[:, :1], None, ("a",))
        assert score(model, FILMS)[0].decision.best.tolist() == [-1, -1, -1]
        scored, _ = score(model, FILMS, ScoreOptions(threshold=5.0))
        assert scored.decision.best.tolist() == [0, -1, 0]
        scored, _ = score(model, FILMS, ScoreOptions(probabilities=True, threshold=0.9))
        assert scored.decision.best.tolist() == [0, -1, 0]

    def test_missing_rows_are_missing_in_every_category(self) -> None:
        X = FILMS.copy()
        X[0, 1] = np.nan
        missing = np.array([False, True, False])
        scored, overflow = score(MODEL, X, BOTH, missing)
        assert scored.probabilities is not None and not overflow
        for values in (scored.scores, scored.probabilities):
            assert np.isnan(values).tolist() == [[False, True, False]] * 3
        whole, _ = score(MODEL, FILMS)
        assert scored.scores[:, [0, 2]].tobytes() == whole.scores[:, [0, 2]].tobytes()

    @pytest.mark.parametrize("n_categories", [1, 3])
    def test_overflow_is_told_and_silent(self, n_categories: int) -> None:
        """Warnings are errors here, so this shows that no step of an overflowing row warns."""
        model = Model(np.array([[10.0, -10.0, 1.0]])[:, :n_categories], None, tuple("abc"))
        model = replace(model, categories=model.categories[:n_categories])
        scored, overflow = score(model, np.array([[1.0, 1e308, np.nan]]), BOTH, None)
        assert overflow == [1, 2]
        scored, overflow = score(model, np.array([[1.0, 1e308, np.nan]]), BOTH, np.arange(3) == 2)
        assert overflow == [1]
        assert scored.scores[0, 0] == 10.0

    def test_differences_may_overflow(self) -> None:
        model = Model(np.array([[1.0, -1.0]]), None, ("a", "b"))
        scored, overflow = score(model, np.array([[1.7e308]]), BOTH)
        assert not overflow
        assert scored.decision.best.tolist() == [0]
        assert scored.mark_ties(model, 1).T.tolist() == [[True, False]]

    @pytest.mark.parametrize(("n_features", "n_categories"), [(3, 1), (5, 2), (64, 10), (300, 3)])
    def test_a_part_is_a_part_of_the_whole(self, n_features: int, n_categories: int) -> None:
        rng = np.random.default_rng(n_features)
        X = rng.integers(-9, 9, (n_features, 700)) / 10
        W = rng.integers(-9, 9, (n_features, n_categories)) / 10
        model = Model(W, W[0], tuple(map(str, range(n_categories))))
        whole, _ = score(model, X, BOTH)
        assert whole.probabilities is not None
        for rows in (slice(0, 1), slice(255, 258), slice(3, 699), slice(None, None, -1)):
            part, _ = score(model, X[:, rows], BOTH)
            assert part.probabilities is not None
            assert part.scores.tobytes() == whole.scores[:, rows].tobytes()
            assert part.probabilities.tobytes() == whole.probabilities[:, rows].tobytes()
            for name in ("best", "margin", "tied"):
                one, other = getattr(part.decision, name), getattr(whole.decision, name)[rows]
                assert one.tobytes() == other.tobytes()


class TestMarkTies:
    def test_first_rows(self) -> None:
        scored, _ = score(MODEL, FILMS)
        marks = scored.mark_ties(MODEL, 20)
        assert marks.T.tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 1]]
        assert scored.mark_ties(MODEL, 2).tolist() == marks[:, :2].tolist()
        assert scored.mark_ties(MODEL, 0).shape == (3, 0)

    def test_no_mark_without_a_prediction(self) -> None:
        scored, _ = score(MODEL, FILMS, ScoreOptions(threshold=5.5))
        assert scored.mark_ties(MODEL, 3).any(axis=0).tolist() == [True, True, False]
