"""The rows of a weights file: their order, zeros of reference levels, what is known of a model."""

from __future__ import annotations

import numpy as np
import pytest

from matscore.models.algebra import Feature, column, constant
from matscore.models.bounds import Refusal
from matscore.models.columns import Raw
from matscore.models.options import ImportOptions
from matscore.models.sample import settle_model
from matscore.models.types import ImportedModel, Threshold, find_shift
from matscore.models.weights import make_magnitudes, make_table
from tests.models.exact import score


def make_model(
    features: list[Feature],
    *vectors: list[float],
    categories: tuple[str, ...] = ("y",),
    **more: object,
) -> ImportedModel:
    coefficients = np.array(vectors or [[1.0] * len(features)])
    intercept = [0.5] * len(coefficients)
    return ImportedModel(
        "a tool",
        "a model",
        categories,
        features,
        coefficients,
        intercept,
        **more,  # type: ignore[arg-type]
    )


def test_rows_stand_by_column_and_products_behind_them() -> None:
    east, north = Raw("region").one_hot([["East"], ["North"]], other="zero")
    age = column("age").impute(40)
    features = [
        age * north, column("bmi").bucket([30, 35])[1], column("bmi").bucket([30, 35])[2],
        north, age * age, age, column("income").apply("log"), age * column("bmi"),
    ]  # fmt: skip
    table = make_table(make_model(features))
    assert table.names == (
        "age", "age^2", "age=(missing)",
        "region=East", "region=North", "region=(other)", "region=(missing)",
        "30<=bmi<35", "bmi>=35",
        "log(income)",
        "age:region=North", "age=(missing):region=North", "age:bmi", "age=(missing):bmi",
        "(Intercept)",
    )  # fmt: skip
    zeros = [n for n, row in zip(table.names, table.values, strict=True) if not row.any()]
    assert zeros == ["region=East", "region=(other)", "region=(missing)"]
    assert str(east) == "region=East"


def test_what_a_tool_refuses_has_no_row() -> None:
    north = Raw("region").one_hot([["East"], ["North"]], other="error")[1]
    table = make_table(make_model([north, column("age")]))
    assert table.names == ("region=East", "region=North", "age", "(Intercept)")


def test_an_imputed_zero_has_its_row() -> None:
    """Without it a missing cell would be refused."""
    table = make_table(make_model([column("age").impute(0)]))
    assert dict(zip(table.names, table.values[:, 0].tolist(), strict=True)) == {
        "age": 1.0, "age=(missing)": 0.0, "(Intercept)": 0.5,
    }  # fmt: skip


def test_a_column_of_products_alone_keeps_its_policies() -> None:
    north = Raw("region").one_hot([["East"], ["North"]], other="zero")[1]
    table = make_table(make_model([column("age").impute(3) * north]))
    assert table.names == (
        "age=(missing)", "region=East", "region=North", "region=(other)", "region=(missing)",
        "age:region=North", "age=(missing):region=North", "(Intercept)",
    )  # fmt: skip


def test_a_binary_vector_is_two_columns() -> None:
    model = make_model([column("age")], [2.0], categories=("no", "yes"))
    assert make_table(model).values.tolist() == [[0.0, 2.0], [0.0, 0.5]]
    assert score(model, {"age": 3.0}) == [0.0, 6.5]
    assert model.is_binary_vector


def test_negative_zeros_are_zeros() -> None:
    table = make_table(make_model([column("age")], [-0.0]))
    assert not np.signbit(table.values).any()


def test_the_intercept_avoids_the_names_of_columns() -> None:
    names = make_table(make_model([column("(Intercept)"), column("bias")])).names
    assert names == ("`(Intercept)`", "bias", "intercept")


def test_columns_are_called_as_they_are_unless_that_is_a_term() -> None:
    names = ["length (cm)", "age^2", "a:b", "x=1", "`x`", "odd`", "1<x", "x,y", " x"]
    found = make_table(make_model([column(name) for name in names])).names[:-1]
    assert found == (
        "length (cm)", "`age^2`", "`a:b`", "`x=1`", "```x```", "odd`", "`1<x`", "x,y", " x",
    )  # fmt: skip
    square = make_table(make_model([column("length (cm)") * column("length (cm)")])).names[0]
    assert square == "`length (cm)`^2"


def test_models_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(Refusal, match="2 vectors of coefficients for 3 categories"):
        make_model([column("x")], [1.0], [2.0], categories=("a", "b", "c"))
    with pytest.raises(Refusal, match="its categories are a, a"):
        make_model([column("x")], [1.0], [2.0], categories=("a", "a"))
    with pytest.raises(Refusal, match="its categories are none"):
        make_model([column("x")], categories=())


@pytest.mark.parametrize(
    ("link", "threshold", "wanted"),
    [
        (None, Threshold(0.268, "probability"), np.log(0.268 / 0.732)),
        ("probit", Threshold(0.5, "probability"), 0.0),
        ("cloglog", Threshold(0.5, "probability"), np.log(np.log(2))),
        ("identity", Threshold(0.7, "score"), 0.7),
    ],
)
def test_a_threshold_is_a_shift_of_the_score(
    link: str, threshold: Threshold, wanted: float
) -> None:
    assert find_shift(threshold, link) == pytest.approx(wanted, rel=1e-14)  # type: ignore[arg-type]


def test_a_threshold_is_shifted_only_when_asked_for() -> None:
    model = make_model(
        [column("x")], [2.0], categories=("no", "yes"), threshold=Threshold(0.3, "probability")
    )
    assert settle_model(model, ImportOptions()).threshold is model.threshold
    shifted = settle_model(model, ImportOptions(at_threshold=True))
    assert shifted.threshold is None
    border = (np.log(0.3 / 0.7) - 0.5) / 2  # where the probability is 0.3
    assert score(shifted, {"x": border})[1] == pytest.approx(0, abs=1e-15)
    assert score(model, {"x": border})[1] == pytest.approx(np.log(0.3 / 0.7))
    with pytest.raises(Refusal, match="its link is exp"):
        find_shift(Threshold(0.3, "probability"), "exp")
    for value in (0.0, 1.0, float("nan")):
        with pytest.raises(Refusal, match="not between 0 and 1"):
            find_shift(Threshold(value, "probability"), None)


def test_categories_are_renamed_in_their_order() -> None:
    model = make_model([column("x")], [1.0], [2.0], categories=("a", "b"))
    assert settle_model(model, ImportOptions(categories=("c", "d"))).categories == ("c", "d")
    with pytest.raises(Refusal, match='--categories has 3 names, and the model the categories "a"'):
        settle_model(model, ImportOptions(categories=("c", "d", "e")))
    one = settle_model(make_model([column("x")]), ImportOptions(categories=("no", "yes")))
    assert make_table(one).values.tolist() == [[0.0, 1.0], [0.0, 0.5]]


def test_a_link_is_asked_for_only_where_the_file_is_silent() -> None:
    model = make_model([column("x")], link="exp")
    with pytest.raises(Refusal, match="its link is exp, and --link says probit"):
        settle_model(model, ImportOptions(link="probit"))
    silent = make_model([column("x")], knows_link=False)
    assert settle_model(silent, ImportOptions(link="probit")).link == "probit"
    assert settle_model(silent, ImportOptions(link="none")).link is None


def test_magnitudes_see_what_cancels() -> None:
    """A centred feature is the difference of two numbers, of which each may be off."""
    centred = column("x") - 1000
    model = make_model([centred, constant(1)], [2.0, 3.0])
    sizes, doubts = make_magnitudes(model, make_table(model))
    assert sizes.tolist() == [[2.0], [2003.5]]
    assert not doubts.any()
    printed = make_model([column("x")], [2.0], uncertainty=[[0.05, 0.5]])
    assert make_magnitudes(printed, make_table(printed))[1].tolist() == [[0.05], [0.5]]


def test_no_column_is_taken_for_a_row_that_is_computed() -> None:
    squared = make_model([column("age") * column("age")])
    assert make_table(squared, {"age", "late"}).names == ("age^2", "(Intercept)")
    assert make_table(squared, {"age^2"}).names[0] == "age^2"  # a file that is encoded
    with pytest.raises(Refusal, match=r'"age\^2", and there is a column of that name'):
        make_table(squared, {"age", "age^2"})
    with pytest.raises(Refusal, match="of that name"):
        make_table(make_model([column("age") * column("age"), column("age^2")]))
    plain = make_model([column("age^2")])
    assert make_table(plain, {"age", "age^2"}).names[0] == "`age^2`"


def test_the_intercept_is_named_as_no_column_of_the_file() -> None:
    table = make_table(make_model([column("age")]), {"age", "(intercept)"})
    assert table.names == ("age", "intercept")


def test_magnitudes_stay_numbers() -> None:
    large = make_model([column("x") * 10**320], [1e-20], uncertainty=[[np.inf, 0.0]])
    sizes, doubts = make_magnitudes(large, make_table(large))
    assert np.isfinite([sizes, doubts]).all()
