"""From columns of features to scores and decisions."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore.kernel import Floats, PackedWeights, Ranking
from matscore.model import Model, Scored, make_model, score_rows, softmax
from matscore.options import PlanOptions, ScoreOptions
from matscore.plan import Plan, Side, make_plan

MODEL = Model(np.array([[1.1, 0.4, 0.1], [0.2, 0.5, 1.2]]), None, ("a", "b", "c"))
FILMS = np.array([[5.0, 1.0, 4.0], [2.0, 5.0, 4.0]])
BOTH = ScoreOptions(probabilities=True, threshold=0.5)


def score(
    model: Model, X: Floats, options: ScoreOptions = ScoreOptions()
) -> tuple[Scored, list[int]]:
    """Score rows; X is (n_features, n_rows)."""
    scored = score_rows(model, X, options)
    turned = score_rows(model, np.asfortranarray(X), options)
    assert turned.scores.tobytes() == scored.scores.tobytes()
    return scored, np.flatnonzero(scored.decision.overflow).tolist()


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
        scored, overflow = score(MODEL, X, BOTH)
        assert scored.probabilities is not None and not overflow
        for values in (scored.scores, scored.probabilities):
            assert np.isnan(values).tolist() == [[False, True, False]] * 3
        whole, _ = score(MODEL, FILMS)
        assert scored.scores[:, [0, 2]].tobytes() == whole.scores[:, [0, 2]].tobytes()

    @pytest.mark.parametrize("n_categories", [1, 3])
    def test_overflow_is_told_and_silent(self, n_categories: int) -> None:
        """Warnings are errors here, so this shows that no step of an overflowing row warns."""
        names = ("a", "b", "c")[:n_categories]
        model = Model(np.array([[10.0, -10.0, 1.0]])[:, :n_categories], None, names)
        scored, overflow = score(model, np.array([[1.0, 1e308, np.nan]]), BOTH)
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


class TestThreshold:
    MODEL = Model(np.eye(2), None, ("a", "b"))

    def decide(self, rows: list[list[float]], options: ScoreOptions) -> Scored:
        return score(self.MODEL, np.array(rows).T, options)[0]

    def test_on_scores(self) -> None:
        rows = [[3.0, 1.0], [2.999, 1.0], [-5.0, 3.5], [np.nan, 3.5]]
        decision = self.decide(rows, ScoreOptions(threshold=3.0)).decision
        assert decision.best.tolist() == [0, -1, 1, -1]
        assert decision.margin[:3].tolist() == [2.0, 2.999 - 1.0, 8.5]

    def test_on_probabilities(self) -> None:
        rows = [[9.0, 1.0], [9.0, 8.9]]
        assert self.decide(rows, ScoreOptions(True, 0.6)).decision.best.tolist() == [0, -1]
        assert self.decide(rows, ScoreOptions(True)).decision.best.tolist() == [0, 0]

    def test_a_category_under_it_has_no_rank(self) -> None:
        rows = [[9.0, 1.0], [9.0, 8.9], [np.nan, 1.0]]
        scored = self.decide(rows, ScoreOptions(threshold=2.0))
        assert scored.rank(self.MODEL, 5, 2.0).places.tolist() == [[0, -1], [0, 1], [-1, -1]]
        scored = self.decide(rows, ScoreOptions(True))
        assert scored.rank(self.MODEL, 2, 0.5).places.tolist() == [[0, -1], [0, -1], [-1, -1]]
        assert scored.rank(self.MODEL, 1, None).places.tolist() == [[0], [0], [-1]]


class TestRank:
    @staticmethod
    def rank(model: Model, X: Floats, k: int) -> Ranking:
        return score(model, X)[0].rank(model, k, None)

    def test_what_ties_with_one_need_not_tie_with_the_next(self) -> None:
        """3 ties with 2, 2 with 1, but not 3 with 1: of those that tie with 3, the first."""
        X, unit = np.ones((2, 1)), 2.0**-52
        W = np.array([[-1.0] * 3, [1.0, 1 + 4 * unit, 1 + 8 * unit]])
        assert 4 * unit <= 2 * PackedWeights(W).error_bound(X).min() < 8 * unit
        ranking = self.rank(Model(W, None, ("a", "b", "c")), X, 3)
        assert ranking.places.tolist() == [[1, 2, 0]]
        assert ranking.tied.tolist() == [[True, True, False]]

    def test_a_tie_that_a_rank_below_has_is_marked_on_both(self) -> None:
        model, X = Model(np.array([[7.0, 5.0, 9.0, 5.0]]), None, tuple("abcd")), np.ones((1, 1))
        ranking = self.rank(model, X, 4)
        assert ranking.places.tolist() == [[2, 0, 1, 3]]
        assert ranking.tied.tolist() == [[False, False, True, True]]
        assert self.rank(model, X, 3).tied[0, 2]

    def test_the_highest_float_ties(self) -> None:
        model = Model(np.array([[-1.7e308, 1.7e308, 1.7e308]]), None, ("a", "b", "c"))
        assert self.rank(model, np.ones((1, 1)), 3).places.tolist() == [[1, 2, 0]]

    def test_the_first_rank_is_the_prediction(self) -> None:
        rng = np.random.default_rng(4)
        X, W = rng.integers(-9, 10, (4, 900)) / 10, rng.integers(-9, 10, (4, 5)) / 10
        model = Model(W, rng.integers(-9, 10, 5) / 10, tuple("abcde"))
        scored, _ = score(model, X)
        ranking = scored.rank(model, 3, None)
        assert (ranking.places[:, 0] == scored.decision.best).all()
        assert (ranking.tied[:, 0] == scored.decision.tied).all()
        assert ranking.tied[:, 0].any() and ranking.places.shape == (900, 3)


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


class TestSoftmax:
    @given(
        st.lists(st.floats(-800, 800) | st.floats(-2, 2), min_size=1, max_size=6),
    )
    def test_decimal_arithmetic_agrees(self, scores: list[float]) -> None:
        with localcontext(prec=60):
            powers = [Decimal(score).exp() for score in scores]
            total = sum(powers) + (len(scores) == 1)
            expected = [float(power / total) for power in powers]
        found = softmax(np.array(scores)[:, None])[:, 0]
        # Rounding the difference d of two scores changes its power by up to d units.
        np.testing.assert_allclose(found, expected, rtol=4e-13, atol=1e-307)
        assert len(scores) == 1 or abs(found.sum() - 1) < 1e-15

    def test_extreme_scores(self) -> None:
        scores = np.array([[1.7e308, -1.7e308, 1e308, 5e-324], [-1.7e308, 1.7e308, 1e308, 0.0]])
        assert softmax(scores).tolist() == [[1.0, 0.0, 0.5, 0.5], [0.0, 1.0, 0.5, 0.5]]
        assert softmax(scores[:1]).tolist() == [[1.0, 0.0, 1.0, 0.5]]

    def test_nan_stays_in_its_row(self) -> None:
        chances = softmax(np.array([[0.0, np.nan, 1.0], [0.0, np.nan, 1.0]]))
        assert np.isnan(chances[:, 1]).all()
        assert chances[:, [0, 2]].tolist() == [[0.5, 0.5]] * 2

    @pytest.mark.parametrize("n_categories", [1, 2, 3, 10, 33])
    def test_bits_do_not_depend_on_the_place(self, n_categories: int) -> None:
        scores = np.random.default_rng(0).normal(scale=20, size=(n_categories, 1000))
        whole = softmax(scores)
        places = [slice(0, 1), slice(1, 8), slice(3, 998), slice(999, 1000), slice(None, None, -1)]
        for place in places:
            for part in (scores[:, place], scores[:, place].copy()):
                assert softmax(part).tobytes() == whole[:, place].tobytes()
