"""The sample: names of positions, spelling of booleans, and joined names taken apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from matscore.models.algebra import Feature, column
from matscore.models.bounds import Refusal
from matscore.models.columns import Raw
from matscore.models.options import ImportOptions
from matscore.models.sample import (
    JoinedNames,
    Sample,
    name_columns,
    read_sample,
    resolve_names,
    spell_booleans,
)
from matscore.models.types import ImportedModel
from matscore.models.weights import make_table
from matscore.options import ReadOptions
from matscore.terms import write_term


def make_model(features: list[Feature], **more: object) -> ImportedModel:
    ones = np.ones((1, len(features)))
    return ImportedModel("a tool", "a model", ("y",), features, ones, [0.0], **more)  # type: ignore[arg-type]


def make_sample(names: str = "", **texts: str) -> Sample:
    held = {name: tuple(values.split()) for name, values in texts.items()}
    return Sample("raw.csv", tuple(names.split() or held), held)


def rows_of(model: ImportedModel) -> tuple[str, ...]:
    return make_table(model).names[:-1]


def test_a_sample_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "raw.csv"
    path.write_text('id,x,t\n1,2,a\n2,NA,"b,c"\n3,2,NA\n')
    sample = read_sample(str(path), ReadOptions())
    assert sample.names == ("id", "x", "t")
    assert sample.texts == {"id": ("1", "2", "3"), "x": ("2",), "t": ("a", "b,c")}
    assert sample.n_rows == 3
    for content, reason in [
        ("1,2\n3,4\n", "no header"),
        ("a,a\n1,x\n", 'columns of one name: "a"'),
    ]:
        path.write_text(content)
        with pytest.raises(Refusal, match=reason):
            read_sample(str(path), ReadOptions())
    path.write_text("a,b\n1,x\n")
    with pytest.raises(Refusal, match='no column "c"'):
        read_sample(str(path), ReadOptions(), "c")


def test_positions_get_the_samples_names() -> None:
    places = ("x0", "x1", "x2")
    hot = Raw("x2").one_hot([["a"], ["b"]], other="zero")
    model = make_model([column("x0").impute(1) * hot[1], *hot], positional=places)
    named = name_columns(model, make_sample("age bmi region"))
    assert rows_of(named) == (
        "age=(missing)", "region=a", "region=b", "region=(other)", "region=(missing)",
        "age:region=b", "age=(missing):region=b",
    )  # fmt: skip
    # A column more is a first one of labels.
    assert rows_of(name_columns(model, make_sample("id age bmi region"))) == rows_of(named)
    labelled = Sample("raw.csv", ("age", "bmi", "key", "region"), {}, "key")
    assert rows_of(name_columns(model, labelled)) == rows_of(named)
    for names in ("age bmi", "a b c d e"):
        with pytest.raises(Refusal, match="columns, where the model has 3 by position"):
            name_columns(model, make_sample(names))


def test_positions_may_be_called_like_other_positions() -> None:
    model = make_model([column("x0"), column("x1") * 2], positional=("x0", "x1"))
    table = make_table(name_columns(model, make_sample("x1 x0")))
    assert dict(zip(table.names, table.values[:, 0].tolist(), strict=True))["x0"] == 2.0


@pytest.mark.parametrize(
    ("spelt", "wanted"),
    [
        ("TRUE FALSE", ("smoker=FALSE", "smoker=TRUE")),
        ("true false", ("smoker=false", "smoker=true")),
        ("True", ("smoker=False", "smoker=True")),
        ("TRUE", ("smoker=FALSE", "smoker=TRUE")),
        ("T", ("smoker=F", "smoker=T")),
        ("false", ("smoker=false", "smoker=true")),
        ("", ("smoker=False", "smoker=True")),
    ],
)
def test_booleans_are_spelt_as_in_the_sample(spelt: str, wanted: tuple[str, ...]) -> None:
    hot = Raw("smoker", "boolean").one_hot([["False"], ["True"]], other="error")
    model = make_model([hot[1] * column("age"), hot[0]])
    spelled = spell_booleans(model, make_sample(smoker=spelt, age="1"))
    assert rows_of(spelled)[:2] == wanted
    assert rows_of(spelled)[2] == f"age:{wanted[1]}"


def test_booleans_that_are_spelt_in_two_ways_are_refused() -> None:
    model = make_model(Raw("s", "boolean").one_hot([["False"], ["True"]], other="error"))
    for spelt in ("TRUE True", "yes no", "TRUE maybe"):
        with pytest.raises(Refusal, match='"s" is boolean to the model'):
            spell_booleans(model, make_sample(s=spelt))


def test_texts_are_not_spelt_anew() -> None:
    model = make_model(Raw("s").one_hot([["False"], ["True"]], other="error"))
    assert rows_of(spell_booleans(model, make_sample(s="TRUE FALSE"))) == ("s=False", "s=True")


COLUMNS = {
    "age": (), "income": (), "region": ("North", "South West"), "smoker": ("TRUE", "FALSE"),
    "gear": ("3", "4", "5.0"), "sex_at": ("birth_F", "birth_M"), "sex_at_birth": ("F", "M"),
    "g": ("y2",), "gy2": (), "a": ("b:c",), "b": (), "c": (), "a:b": (),
}  # fmt: skip

NAMES = {
    "age": "age",
    "regionNorth": "region=North",  # R
    "regionSouth West": "region=South West",
    "C(region)[T.South West]": "region=South West",  # patsy
    "region[T.North]": "region=North",
    "region[North]": "region=North",  # Julia
    "region_North": "region=North",  # pandas
    "cat__region_North": "region=North",  # scikit-learn
    "num__age": "age",
    "region.North": "region=North",  # H2O
    "region North": "region=North",  # SAS
    "region: North": "region=North",
    "[region=North]": "region=North",  # SPSS
    "region=North": "region=North",
    "4.gear": "gear=4",  # Stata
    "C(gear)[T.5]": "gear=5.0",
    "factor(gear)4": "gear=4",
    "smokerTRUE": "smoker=TRUE",
    "smoker[T.True]": "smoker=TRUE",
    "age:regionNorth": "age:region=North",
    "regionNorth:age": "age:region=North",
    "age:C(region)[T.North]": "age:region=North",
    "region_North age": "age:region=North",
    "age income": "age:income",  # scikit-learn's PolynomialFeatures
    "age^2 income": "age^2:income",
    "age:age": "age^2",
    "age_x_region_North": "age:region=North",
    "I(age^2)": "age^2",
    "I(age ** 2)": "age^2",
    "age ** 2": "age^2",
    "age^2": "age^2",
    "np.log(income)": "log(income)",
    "log(income)": "log(income)",
    "log(income):regionNorth": "log(income):region=North",
    "gy2": "gy2",  # a column of that name wins
    "a:b": "`a:b`",
    "a_b:c": "a=`b:c`",  # a level that holds what joins factors
    "age:a_b:c": "a=`b:c`:age",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_tools_are_taken_apart(name: str) -> None:
    assert write_term(JoinedNames(COLUMNS).read(name)) == NAMES[name]


def test_a_level_with_a_colon_and_a_product_are_two_readings() -> None:
    """Of which other tools took the second in silence."""
    names = JoinedNames({"a": ("b", "b:c"), "c": ()})
    with pytest.raises(Refusal, match='"ab:c" may be a=`b:c` or a=b:c'):
        names.read("ab:c")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sex_at_birth_F", '"sex_at_birth_F" may be sex_at=birth_F or sex_at_birth=F'),
        ("regionEast", '"regionEast" is no column of the sample, nor made of one'),
        ("region", ""),
        ("cut(age, 3)(20,35]", "nor made of one"),
        ("poly(age, 2)1", "nor made of one"),
        ("age:regionEast", "nor made of one"),
        ("log(regionNorth)", "nor made of one"),
    ],
)
def test_names_that_are_not_one_thing_are_refused(name: str, reason: str) -> None:
    names = JoinedNames(COLUMNS)
    if not reason:
        assert write_term(names.read(name)) == name
        return
    with pytest.raises(Refusal) as caught:
        names.read(name)
    assert reason in str(caught.value)


def joined_model(*names: str) -> ImportedModel:
    return make_model(
        [column(name) for name in names], joined=names, uncertainty=np.zeros((1, len(names) + 1))
    )


def test_the_one_value_without_a_coefficient_is_the_reference() -> None:
    sample = make_sample(age="1 2", region="North East South")
    model = resolve_names(joined_model("age", "regionNorth", "regionSouth"), sample)
    assert rows_of(model) == ("age", "region=East", "region=North", "region=South")
    assert 'the reference level of "region" is "East"' in model.facts
    assert model.joined == ()
    every = resolve_names(joined_model("regionNorth", "regionSouth", "regionEast"), sample)
    assert rows_of(every) == ("region=North", "region=South", "region=East")
    with pytest.raises(Refusal, match='"East", "South" of "region" have no coefficient'):
        resolve_names(joined_model("regionNorth"), sample)


def test_one_term_under_two_names_is_refused() -> None:
    sample = make_sample(age="1", region="North East")
    with pytest.raises(Refusal, match="several of its names are region=North"):
        resolve_names(joined_model("regionNorth", "region_North"), sample)


def test_what_has_no_coefficient_may_be_of_no_column() -> None:
    model = joined_model("age", "twice")
    zero = np.array([[1.0, 0.0]])
    model = ImportedModel(
        "a tool", "a model", ("y",), model.features, zero, [0.0],
        joined=model.joined, uncertainty=np.zeros((1, 3)),
    )  # fmt: skip
    assert rows_of(resolve_names(model, make_sample(age="1"))) == ("age",)


def test_ten_thousand_levels_are_taken_apart_in_time() -> None:
    values = tuple(f"v{i}" for i in range(3000))
    names = JoinedNames({"t": values, **{f"x{i}": () for i in range(20)}})
    assert write_term(names.read("tv2999")) == "t=v2999"
    assert ImportOptions().sample is None


def test_rows_that_say_what_others_and_missing_ones_count() -> None:
    names = (
        "region=North",
        "region=Far",
        "region=(other)",
        "region=(missing)",
        "age=(missing)",
        "age",
    )
    sample = make_sample(age="1", region="North East West")
    assert rows_of(resolve_names(joined_model(*names), sample)) == (
        "region=North", "region=Far", "region=(other)", "region=(missing)", "age", "age=(missing)",
    )  # fmt: skip
