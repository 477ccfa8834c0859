"""pandas in, pandas out: what `classify` and `check` give, and what they refuse."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import matscore
from matscore import InputError, PlanError, UsageError, check, classify, recommend
from matscore.commands import FrameKeywords
from matscore.options import MissingPolicy

FILMS = pd.DataFrame(
    {"action": [5, 1, 4], "comedy": [2, 5, 4]},
    index=pd.Index(["Thunder Pass", "The Wrong Umbrella", "Two Left Boots"], name="film"),
)
GENRES = pd.DataFrame(
    {"adventure": [1.1, 0.2], "family": [0.4, 0.5], "romance": [0.1, 1.2]},
    index=["action", "comedy"],
)
HOLED = FILMS.astype(float).replace(1.0, np.nan)
NAN = float("nan")
X, W = FILMS.to_numpy(), GENRES.to_numpy()
SCORES = [[5.9, 3.0, 2.9], [2.1, 2.9, 6.1], [5.2, 3.6, 5.2]]


def scores_of(result: pd.DataFrame) -> np.ndarray[Any, Any]:
    return result.iloc[:, :3].to_numpy(dtype=np.float64)


class TestResult:
    def test_scores_and_prediction(self) -> None:
        result = classify(FILMS, GENRES)
        assert list(result.columns) == ["adventure", "family", "romance", "prediction"]
        np.testing.assert_allclose(scores_of(result), SCORES, rtol=1e-15)
        assert list(result["prediction"]) == ["adventure", "romance", "adventure"]
        pd.testing.assert_index_equal(result.index, FILMS.index)

    def test_inputs_are_left_alone(self) -> None:
        films, genres = HOLED.copy(), GENRES.copy()
        classify(films, genres, missing="zero")
        pd.testing.assert_frame_equal(films, HOLED)
        pd.testing.assert_frame_equal(genres, GENRES)

    def test_every_column(self) -> None:
        note = pd.Series(["x", None, "z"], FILMS.index)
        films = FILMS.assign(year=[1999, 2004, 2010], note=note)
        result = classify(films, GENRES, probabilities=True, margin=True, keep_cols=["note"])
        chances = [f"probability_{name}" for name in GENRES.columns]
        expected = ["note", *GENRES.columns, "prediction", *chances, "margin"]
        assert list(result.columns) == expected
        assert result["note"].isna().tolist() == [False, True, False]
        np.testing.assert_allclose(result[chances].sum(axis=1), 1.0, rtol=1e-15)
        np.testing.assert_allclose(result["margin"], [2.9, 3.2, 0.0], rtol=1e-14)
        assert result["margin"].iloc[2] == 0.0

    def test_without_scores(self) -> None:
        assert list(classify(FILMS, GENRES, scores=False).columns) == ["prediction"]

    def test_names_may_be_in_any_order(self) -> None:
        shuffled = classify(FILMS[["comedy", "action"]], GENRES.iloc[::-1])
        pd.testing.assert_frame_equal(shuffled, classify(FILMS, GENRES), check_exact=True)

    @pytest.mark.parametrize(
        "index",
        [
            pd.Index(["a", "a", "b"]),
            pd.Index([1.5, np.nan, np.nan]),
            pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("a", 1)], names=["x", "y"]),
            pd.date_range("2026-01-01", periods=3, name="action"),
        ],
    )
    def test_any_index_is_kept(self, index: pd.Index[Any]) -> None:
        films = FILMS.set_axis(index).assign(note=["x", "y", "z"])
        result = classify(films, GENRES, keep_cols=["note", "action"])
        pd.testing.assert_index_equal(result.index, index)
        assert list(result["note"]) == ["x", "y", "z"]
        assert list(result["action"]) == [5, 1, 4]

    def test_no_rows(self) -> None:
        result = classify(FILMS.iloc[:0], GENRES, probabilities=True, margin=True)
        whole = classify(FILMS, GENRES, probabilities=True, margin=True)
        assert result.shape == (0, 8)
        pd.testing.assert_series_equal(result.dtypes, whole.dtypes)

    def test_one_row_has_the_bits_of_many(self) -> None:
        whole = classify(FILMS, GENRES, probabilities=True)
        one = classify(FILMS.iloc[[2]], GENRES, probabilities=True)
        pd.testing.assert_frame_equal(one, whole.iloc[[2]], check_exact=True)

    def test_intercept(self) -> None:
        row = pd.DataFrame([[10.0, 20.0, 30.0]], columns=GENRES.columns, index=["(Intercept)"])
        genres = pd.concat([row, GENRES])
        found = scores_of(classify(FILMS, genres))
        np.testing.assert_allclose(found, np.add(SCORES, [10, 20, 30]), rtol=1e-15)
        named = genres.rename({"(Intercept)": "start"})
        same = classify(FILMS, named, intercept="start")
        pd.testing.assert_frame_equal(same, classify(FILMS, genres), check_exact=True)
        with pytest.raises(PlanError) as raised:
            classify(FILMS, genres, no_intercept=True)
        assert [feature.name for feature in raised.value.plan.missing] == ["(Intercept)"]

    def test_columns_of_one_name(self) -> None:
        films = FILMS.assign(romance=1)
        assert list(classify(films, GENRES)["romance"]) == pytest.approx([2.9, 6.1, 5.2])
        assert (
            list(classify(films, GENRES, keep_cols=["romance"], scores=False)["romance"]) == [1] * 3
        )
        for keep, genres in (
            (["romance"], GENRES),
            ([], GENRES.rename(columns={"family": "prediction"})),
        ):
            with pytest.raises(PlanError, match="two columns of the output would be named"):
                classify(films, genres, keep_cols=keep)

    def test_a_category_may_be_named_as_the_index(self) -> None:
        result = classify(FILMS, GENRES.rename(columns={"family": "film"}))
        assert list(result.columns) == ["adventure", "film", "romance", "prediction"]


class TestPrediction:
    def test_threshold(self) -> None:
        result = classify(FILMS, GENRES, threshold=5.5)
        assert result["prediction"].isna().tolist() == [False, False, True]
        result = classify(FILMS, GENRES, threshold=0.93, probabilities=True)
        assert result["prediction"].isna().tolist() == [True, False, True]
        assert classify(FILMS, GENRES, threshold=99.0)["prediction"].isna().all()

    def test_one_category(self) -> None:
        family = GENRES[["family"]]
        assert list(classify(FILMS, family).columns) == ["family"]
        result = classify(FILMS, family, threshold=3.0, margin=True)
        assert list(result.columns) == ["family", "prediction", "margin"]
        assert result["prediction"].fillna("").tolist() == ["family", "", "family"]
        assert result["margin"].isna().all()
        chances = classify(FILMS, family, probabilities=True)["probability_family"]
        np.testing.assert_allclose(chances, 1 / (1 + np.exp([-3.0, -2.9, -3.6])), rtol=1e-15)


class TestMissing:
    def test_error_names_the_first_cell_by_row(self) -> None:
        for holed, line, name in (
            (HOLED.assign(comedy=[np.nan, 5.0, 4.0]), 1, "comedy"),
            (HOLED.assign(comedy=[2.0, np.nan, 4.0]), 2, "action"),
        ):
            with pytest.raises(InputError) as raised:
                classify(holed, GENRES)
            error = raised.value
            column = ["action", "comedy"].index(name) + 1
            found = (error.path, error.line, error.column, error.name)
            assert found == ("features", line, column, name)
        assert error.what == "a missing value" and "skip" in error.hint

    def test_skip(self) -> None:
        films = HOLED.assign(note=["x", "y", "z"])
        result = classify(films, GENRES, missing="skip", keep_cols=["note"])
        expected = classify(films.iloc[[0, 2]], GENRES, keep_cols=["note"])
        pd.testing.assert_frame_equal(result, expected, check_exact=True)

    def test_zero(self) -> None:
        result = classify(HOLED, GENRES, missing="zero")
        expected = classify(HOLED.fillna(0), GENRES)
        pd.testing.assert_frame_equal(result, expected, check_exact=True)

    def test_keep(self) -> None:
        result = classify(HOLED, GENRES, missing="keep", probabilities=True, margin=True)
        assert result.iloc[1].isna().all()
        expected = classify(FILMS, GENRES, probabilities=True, margin=True)
        pd.testing.assert_frame_equal(result.iloc[[0, 2]], expected.iloc[[0, 2]], check_exact=True)

    @pytest.mark.parametrize("missing", ["error", "skip", "zero", "keep"])
    def test_a_missing_number_with_a_weight_is_no_bad_row(self, missing: MissingPolicy) -> None:
        films = pd.DataFrame({"other": ["a", "b"], "x": [1.0, None]})
        weights = pd.DataFrame({"y": [3.0, 5.0]}, index=["x", "x=(missing)"])
        assert classify(films, weights, missing=missing)["y"].tolist() == [3.0, 5.0]

    @pytest.mark.parametrize("missing", ["error", "skip", "zero", "keep"])
    def test_only_features_count(self, missing: MissingPolicy) -> None:
        films = FILMS.assign(note=np.nan)
        result = classify(films, GENRES, missing=missing)
        pd.testing.assert_frame_equal(result, classify(FILMS, GENRES), check_exact=True)

    def test_no_such_policy(self) -> None:
        with pytest.raises(UsageError, match="'drop'"):
            classify(FILMS, GENRES, missing="drop")  # type: ignore[arg-type]

    def test_weights_are_never_missing(self) -> None:
        genres = GENRES.copy()
        genres.loc["comedy", "family"] = np.nan
        with pytest.raises(InputError) as raised:
            classify(FILMS, genres, missing="zero")
        error = raised.value
        assert (error.path, error.line, error.column, error.name) == ("weights", 2, 2, "family")


class TestTypes:
    @pytest.mark.parametrize(
        "dtype", ["Float64", "Int64", "float32", "uint8", "Float32", pd.SparseDtype("float64", 0.0)]
    )
    def test_numbers(self, dtype: Any) -> None:
        result = classify(FILMS.astype(dtype), GENRES)
        pd.testing.assert_frame_equal(result, classify(FILMS, GENRES), check_exact=True)
        assert result.dtypes.iloc[0] == np.float64

    def test_arrow(self) -> None:
        pytest.importorskip("pyarrow")
        films = FILMS.astype("int64[pyarrow]")
        films.iloc[1, 0] = None
        result = classify(films, GENRES, missing="keep")
        expected = classify(HOLED, GENRES, missing="keep")
        pd.testing.assert_frame_equal(result, expected, check_exact=True)

    @pytest.mark.parametrize("dtype", ["Float64", "Int64"])
    def test_missing_numbers(self, dtype: Any) -> None:
        films = FILMS.astype(dtype)
        films.iloc[1, 0] = pd.NA
        for missing in ("skip", "zero", "keep"):
            result = classify(films, GENRES, missing=missing)
            expected = classify(HOLED, GENRES, missing=missing)
            pd.testing.assert_frame_equal(result, expected, check_exact=True)
        with pytest.raises(InputError, match='features:2:1: "action": a missing value'):
            classify(films, GENRES)

    @pytest.mark.parametrize(
        "convert",
        [
            lambda column: column > 1,
            lambda column: (column > 1).astype("boolean"),
            lambda column: column.astype(object),
            lambda column: column.astype(complex),
            lambda column: column.astype(str),
            lambda column: column.astype("category"),
            lambda column: column.astype("timedelta64[ns]"),
        ],
    )
    def test_what_is_no_number(self, convert: Callable[[pd.Series[Any]], Any]) -> None:
        with pytest.raises(InputError, match="not a number") as raised:
            classify(FILMS.assign(comedy=convert(FILMS["comedy"])), GENRES)
        error = raised.value
        assert (error.path, error.line, error.column) == ("features", None, 2)
        assert error.name == "comedy"
        with pytest.raises(InputError, match="not a number") as raised:
            classify(FILMS, GENRES.assign(family=convert(GENRES["family"])))
        assert (raised.value.path, raised.value.name) == ("weights", "family")

    def test_infinity(self) -> None:
        with pytest.raises(InputError, match="inf is not a finite number") as raised:
            classify(FILMS.astype(float).replace(1.0, -np.inf), GENRES)
        assert (raised.value.line, raised.value.column) == (2, 1)
        with pytest.raises(InputError, match="weights:1:2"):
            classify(FILMS, GENRES.replace(0.4, np.inf))

    def test_overflow(self) -> None:
        films = HOLED.replace(4.0, 1.7e308)
        with pytest.raises(InputError, match="the scores overflow") as raised:
            classify(films, GENRES, missing="skip", probabilities=True)
        assert raised.value.line == 3


class TestNames:
    def test_columns_that_weights_do_not_know(self) -> None:
        films = FILMS.assign(year=1999, note="x")
        assert check(films, GENRES).left_out == ("year", "note")
        with pytest.raises(PlanError) as raised:
            classify(films, GENRES, strict=True)
        assert raised.value.plan.left_out == ("year", "note")
        assert raised.value.plan.drop_options == ("--strict",)
        kept = classify(films, GENRES, strict=True, keep_cols=["note", "year"])
        assert list(kept.columns[:2]) == ["note", "year"]

    def test_features_that_are_missing(self) -> None:
        with pytest.raises(PlanError) as raised:
            classify(FILMS.rename(columns={"comedy": "Comedy "}), GENRES)
        [missing] = raised.value.plan.missing
        assert (missing.name, missing.close) == ("comedy", ("Comedy ",))
        assert missing.reason == "differs only by case and blanks"

    def test_duplicates(self) -> None:
        for films, genres in (
            (pd.concat([FILMS, FILMS], axis=1), GENRES),
            (FILMS, pd.concat([GENRES, GENRES])),
            (FILMS, pd.concat([GENRES, GENRES], axis=1)),
            (FILMS.set_axis([1, "1"], axis=1), GENRES.iloc[:1].set_axis(["1"])),
        ):
            with pytest.raises(PlanError, match="more than once"):
                classify(films, genres)

    def test_a_column_to_keep_that_is_not_there(self) -> None:
        with pytest.raises(PlanError, match='did you mean "action"'):
            classify(FILMS, GENRES, keep_cols=["acton"])

    def test_check_says_the_same(self) -> None:
        twice = check(FILMS, GENRES.rename(columns={"romance": "prediction"}))
        assert twice.problem == 'two columns of the output would be named "prediction"'
        plan = check(FILMS, GENRES)
        assert plan.ok and plan.scores_shape == (3, 3)
        assert (plan.matched_by, plan.label_name) == ("name", "film")
        assert plan.feature_names == ("action", "comedy")
        refused = check(FILMS[["action"]], GENRES)
        with pytest.raises(PlanError) as raised:
            classify(FILMS[["action"]], GENRES)
        assert raised.value.plan == refused


class TestTranspose:
    def test_is_asked_for(self) -> None:
        with pytest.raises(PlanError) as raised:
            classify(FILMS, GENRES.T)
        assert raised.value.plan.add_options == ("--transpose",)
        expected = classify(FILMS, GENRES)
        for options in ({"transpose": True}, {"auto_transpose": True}):
            result = classify(FILMS, GENRES.T, **options)  # type: ignore[arg-type]
            pd.testing.assert_frame_equal(result, expected, check_exact=True)

    def test_is_refused_when_not_needed(self) -> None:
        with pytest.raises(PlanError) as raised:
            classify(FILMS, GENRES, transpose=True)
        assert raised.value.plan.drop_options == ("--transpose",)
        result = classify(FILMS, GENRES, auto_transpose=True)
        pd.testing.assert_frame_equal(result, classify(FILMS, GENRES), check_exact=True)

    def test_square_weights(self) -> None:
        square = GENRES[["adventure", "romance"]]
        with pytest.raises(PlanError):
            classify(FILMS, square.T)
        result = classify(FILMS, square.T, transpose=True)
        assert list(result.columns) == ["adventure", "romance", "prediction"]


class TestNumberedAxes:
    """The numbers that pandas gives by itself are no names; others are."""

    @pytest.mark.parametrize("films", [FILMS, pd.DataFrame(X)])
    @pytest.mark.parametrize("genres", [GENRES, pd.DataFrame(W), pd.DataFrame(W, GENRES.index)])
    def test_by_position(self, films: pd.DataFrame, genres: pd.DataFrame) -> None:
        plan = check(films, genres)
        named = films is FILMS and not isinstance(genres.index, pd.RangeIndex)
        assert plan.matched_by == ("name" if named else "position")
        np.testing.assert_allclose(scores_of(classify(films, genres)), SCORES, rtol=1e-15)

    def test_shapes_that_do_not_fit(self) -> None:
        with pytest.raises(PlanError) as raised:
            classify(pd.DataFrame(X), pd.DataFrame(W.T))
        assert raised.value.plan.add_options == ("--transpose",)
        result = classify(pd.DataFrame(X), pd.DataFrame(W.T), transpose=True)
        np.testing.assert_allclose(scores_of(result), SCORES, rtol=1e-15)
        with pytest.raises(PlanError) as raised:
            classify(pd.DataFrame(X), pd.DataFrame(np.ones((5, 3))))
        assert raised.value.plan.features_shape == (3, 2)
        assert raised.value.plan.weights_shape == (5, 3)

    def test_categories_keep_their_numbers(self) -> None:
        result = classify(FILMS, pd.DataFrame(W))
        assert list(result.columns) == ["0", "1", "2", "prediction"]
        assert list(result["prediction"]) == ["0", "2", "0"]

    @pytest.mark.parametrize("order", [[1, 0], [0, 1]])
    def test_columns_in_another_order_are_matched_by_number(self, order: list[int]) -> None:
        """As pandas does in `features @ weights`: by position the scores would be wrong."""
        wide = pd.DataFrame(np.column_stack([X, X[:, 0]]))
        for films in (pd.DataFrame(X)[order], wide[order], wide[[2, *order]]):
            result = classify(films, pd.DataFrame(W))
            np.testing.assert_allclose(scores_of(result), SCORES, rtol=1e-15)
            result = classify(films, pd.DataFrame(W.T), transpose=True)
            np.testing.assert_allclose(scores_of(result), SCORES, rtol=1e-15)
        for genres in (pd.DataFrame(W).loc[order], pd.DataFrame(W).loc[order].T):
            result = classify(pd.DataFrame(X), genres, transpose=genres.shape == (3, 2))
            np.testing.assert_allclose(scores_of(result), SCORES, rtol=1e-15)

    def test_other_numbers_are_refused(self) -> None:
        wide = pd.DataFrame(np.ones((3, 4)))
        with pytest.raises(PlanError) as raised:
            classify(wide.iloc[:, 2:], pd.DataFrame(W))
        assert [feature.name for feature in raised.value.plan.missing] == ["0", "1"]

    def test_columns_to_keep(self) -> None:
        films, genres = pd.DataFrame(X), pd.DataFrame(W, columns=GENRES.columns)
        result = classify(films, genres, keep_cols=["1"])
        assert list(result.columns[:2]) == [1, "adventure"]
        assert list(result[1]) == [2, 5, 4]
        assert check(films, genres, keep_cols=["1"]).kept_names == ("1",)
        for name in ("2", "action"):
            with pytest.raises(PlanError, match="keep-cols"):
                classify(films, genres, keep_cols=[name])


class TestRecommend:
    FEATURES = ("action", "comedy")
    USERS = pd.DataFrame([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], ["Ann", "Bob", "Ann"], FEATURES)
    ITEMS = pd.DataFrame([[5, 2], [1, 5], [4, 4]], [7, "B", None], FEATURES)

    def test_the_best_items_of_each_user(self) -> None:
        result = recommend(self.USERS, self.ITEMS, k=2)
        assert list(result.columns) == ["user", "rank", "item", "score"]
        assert result["user"].tolist() == ["Ann", "Ann", "Bob", "Bob", "Ann", "Ann"]
        assert result["rank"].tolist() == [1, 2] * 3
        assert result["item"].tolist() == [7, None, "B", None, None, 7]
        scores = classify(self.USERS, self.ITEMS, transpose=True).to_numpy()[:, :3]
        places = [[0, 2], [1, 2], [2, 0]]
        expected = np.take_along_axis(scores, np.array(places), axis=1).ravel()
        assert result["score"].tolist() == expected.tolist()

    def test_columns_in_any_order_and_more_of_them(self) -> None:
        users = self.USERS[["comedy", "action"]].assign(age=3)
        pd.testing.assert_frame_equal(
            recommend(users, self.ITEMS), recommend(self.USERS, self.ITEMS)
        )
        with pytest.raises(PlanError, match="leave --strict out"):
            recommend(users, self.ITEMS, strict=True)

    def test_excluded_pairs(self) -> None:
        pairs = pd.DataFrame({"u": ["Ann", "Bob", "Zoe", "Bob"], "i": [7, "B", 7, "Q"], "n": 1})
        result = recommend(self.USERS, self.ITEMS, k=1, exclude=pairs)
        assert result["item"].tolist() == [None, None, None]
        with pytest.raises(UsageError, match="two columns"):
            recommend(self.USERS, self.ITEMS, exclude=pairs[["u"]])

    def test_many_users_on_many_threads(self) -> None:
        rng = np.random.default_rng(0)
        users, items = (pd.DataFrame(rng.normal(size=(n, 5))).add_prefix("f") for n in (1300, 700))
        pairs = pd.DataFrame({"u": np.arange(1300) % 7, "i": np.arange(1300) % 700})
        whole = recommend(users, items, exclude=pairs)
        some = recommend(users.iloc[600:], items, exclude=pairs)
        pd.testing.assert_frame_equal(whole[whole["user"] >= 600].reset_index(drop=True), some)
        left_out = set(pairs.itertuples(index=False, name=None))
        everything = recommend(users, items)
        assert left_out & set(zip(everything["user"], everything["item"], strict=True))
        assert not left_out & set(zip(whole["user"], whole["item"], strict=True))

    @pytest.mark.parametrize(("missing", "users"), [("keep", [2]), ("skip", [2]), ("zero", [1, 2])])
    def test_missing(self, missing: MissingPolicy, users: list[int]) -> None:
        holed = pd.DataFrame({"action": [1.0, 2.0], "comedy": [np.nan, 1.0]}, index=[1, 2])
        result = recommend(holed, self.ITEMS, k=1, missing=missing)
        assert result["user"].tolist() == users
        with pytest.raises(InputError, match="users:1:2") as refused:
            recommend(holed, self.ITEMS)
        assert refused.value.name == "comedy"
        with pytest.raises(InputError, match="every feature of an item"):
            recommend(self.USERS, holed, missing=missing)

    def test_cosine_and_least_score(self) -> None:
        result = recommend(self.USERS, self.ITEMS, metric="cosine", min_score=0.99)
        assert result["item"].tolist() == ["B", None] and result["user"].tolist() == ["Bob", "Ann"]

    def test_overflow(self) -> None:
        users = pd.DataFrame([[1.0, 1.0], [1e300, 1e300]], columns=list(self.FEATURES))
        with pytest.raises(InputError, match="users:2: the scores overflow"):
            recommend(users, self.ITEMS * 1e10)

    def test_items_that_are_columns(self) -> None:
        items = self.ITEMS.set_axis(["a", "b", "c"])
        with pytest.raises(PlanError, match="add --transpose-items"):
            recommend(self.USERS, items.T)
        result = recommend(self.USERS, items.T, transpose=True)
        pd.testing.assert_frame_equal(result, recommend(self.USERS, items))

    @pytest.mark.parametrize(
        "options", [{"k": 0}, {"metric": "euclid"}, {"min_score": NAN}, {"missing": "drop"}]
    )
    def test_arguments_without_a_meaning(self, options: dict[str, Any]) -> None:
        with pytest.raises(UsageError):
            recommend(self.USERS, self.ITEMS, **options)

    def test_nobody(self) -> None:
        assert recommend(self.USERS.iloc[:0], self.ITEMS).shape == (0, 4)


TRUTHS: dict[str, Any] = {
    "words": ["True", "False", None],
    "yes": ["yes", "no", None],
    "truths": [True, False, None],
    "nullable": pd.array([True, False, None], dtype="boolean"),
    "categories": pd.Categorical(["T", "F", None]),
}


@pytest.mark.parametrize("kind", TRUTHS)
def test_booleans(kind: str) -> None:
    weights = pd.DataFrame({"p": [1.0, 0.5], "q": [10.0, 7]}, index=["age", "act"])
    frame = pd.DataFrame({"age": [3, 4, 1], "act": TRUTHS[kind]}, index=[*"xyz"])
    plain = frame.assign(act=[1.0, 0, np.nan])
    with pytest.raises(InputError, match="booleans=True reads it as 1 and 0"):
        classify(frame, weights)
    with pytest.raises(InputError, match="a missing value") as caught:
        classify(frame, weights, booleans=True)
    assert (caught.value.line, caught.value.column, caught.value.name) == (3, 2, "act")
    options: Any = {"missing": "skip"}
    for work in (classify, matscore.explain):
        found = work(frame, weights, booleans=True, **options)
        pd.testing.assert_frame_equal(found, work(plain, weights, **options), check_exact=True)
    truth = pd.Series([*"qpq"], index=frame.index)
    measured = matscore.evaluate(frame, weights, truth, booleans=True, **options)
    assert measured.accuracy == matscore.evaluate(plain, weights, truth, **options).accuracy
    (said,) = check(frame, weights, booleans=True).said
    assert said.startswith('column "act" is read as 1 and 0')
    items = frame[["age", "act"]].dropna()
    pd.testing.assert_frame_equal(
        recommend(frame, items, booleans=True, **options),
        recommend(plain, plain.dropna(), **options),
    )
    learned = matscore.fit(frame.assign(y=[1.0, 2, 3]), "y", booleans=True, **options).weights
    assert list(learned.index) == ["age", "act"]


def test_booleans_have_one_spelling_and_leave_terms_alone() -> None:
    weights = pd.DataFrame({"p": [1.0, 2.0, 5.0]}, index=["age", "act", "act=yes"])
    frame = pd.DataFrame({"age": [3, 4], "act": ["yes", "no"]})
    with pytest.raises(InputError, match='"True" is neither "yes" nor "no"'):
        classify(frame.assign(act=["yes", "True"]), weights.head(2), booleans=True)
    texts = weights.drop(index="act")
    expected = classify(frame, texts, unknown="zero")
    found = classify(frame, texts, unknown="zero", booleans=True)
    pd.testing.assert_frame_equal(found, expected)
    both = classify(frame, weights, unknown="zero", booleans=True)
    assert both["p"].tolist() == [10.0, 4.0]


@pytest.mark.parametrize(
    "function", [classify, check, matscore.explain, matscore.evaluate], ids=lambda f: f.__name__
)
def test_shared_keywords(function: Callable[..., Any]) -> None:
    """They are told as if they were written out for each function, and no other is taken."""
    parameters = inspect.signature(function).parameters
    assert parameters["missing"].default == "error"
    assert parameters["absent"].default == ()
    assert all(one.kind is not one.VAR_KEYWORD for one in parameters.values())
    for name in FrameKeywords.__annotations__:
        assert re.search(rf"^ *(\w+, )*{name}(, \w+)* : ", function.__doc__ or "", re.M), name
    tables = (FILMS, GENRES, "action")[: 3 if function is matscore.evaluate else 2]
    with pytest.raises(TypeError, match="no keyword argument 'transpose_features'"):
        function(*tables, transpose_features=True)
