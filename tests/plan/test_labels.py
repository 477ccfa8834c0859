"""What first records and first columns are: every kind of evidence, for and against."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from matscore.names import INTERCEPTS, POINT, Grammar
from matscore.plan import Side
from matscore.plan.headings import find_long_form
from matscore.plan.labels import (
    FirstColumn,
    FirstRecord,
    OtherSide,
    counts_up,
    judge_first_column,
    judge_first_record,
    numbers_things,
)

COMMA = Grammar(decimal=",")
FEATURES = OtherSide({"a", "b"})


def column(
    cells: Sequence[str], heading: str | None = None, others: Sequence[str] = ("z",)
) -> Side:
    names = None if heading is None else (heading, *others)
    return Side("f.csv", 1 + len(others), names, None, tuple(cells))


MEANT = ("NA", "inf", "5%", "1e400", "1_000", "0x1A", "", "9" * 310)


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        (["a"], "header"),
        (["1"], "data"),
        (["NA"], "doubtful"),
        (["1e400"], "doubtful"),
        (["1", "2.5"], "data"),
        (["film", "action"], "header"),
        (["Thunder Pass", "5"], "doubtful"),
        (["film", "NA", "action"], "doubtful"),
        (["r", "4", "y", "1"], "doubtful"),
        (["", "a", "b"], "header"),
        (["feature", "True", "False"], "header"),
        (["feature", "NA", "NA"], "doubtful"),
        (["", "weight"], "header"),
        (["x", "1", "0"], "doubtful"),
        (["1", "x", "2"], "doubtful"),
        (["1", "NA"], "doubtful"),
        (["feature", "1", "0"], "header"),
        (["feature", "1", "1"], "doubtful"),
        (["feature", "0.5", "1"], "doubtful"),
        (["pixel", "0", "1", "2", "3"], "doubtful"),
    ],
)
def test_a_record_by_itself(record: list[str], verdict: FirstRecord) -> None:
    assert judge_first_record(record, POINT) == verdict


@pytest.mark.parametrize("cell", MEANT)
def test_a_cell_that_is_meant_as_a_number_speaks_for_data(cell: str) -> None:
    assert judge_first_record(["a", cell, "2"], POINT, FEATURES) == "doubtful"
    assert judge_first_record(["a", "b", cell], POINT, FEATURES) == "doubtful"
    assert judge_first_record(["a", "b", cell], POINT, FEATURES, used=True) == "header"


@pytest.mark.parametrize("corner", [*INTERCEPTS, "BIAS", "a", "A ", "off"])
def test_a_name_before_numbers_speaks_for_data(corner: str) -> None:
    other = OtherSide({"a", "b"}, intercept="off")
    assert judge_first_record([corner, "1", "2"], POINT, other) == "doubtful"
    assert judge_first_record(["id", "1", "2"], POINT, other) == "header"


def test_the_decimal_mark_tells_numbers() -> None:
    assert judge_first_record(["1,5", "2"], COMMA) == "data"
    assert judge_first_record(["1.5", "2"], COMMA) == "doubtful"
    assert judge_first_record(["1,5", "2"], POINT) == "doubtful"


def test_options_and_names_in_use_confirm_a_header() -> None:
    record = ["film", "1", "2"]
    assert judge_first_record(record, POINT, named=["film"]) == "header"
    assert judge_first_record(record, POINT, named=["1"]) == "doubtful"
    assert judge_first_record(record, POINT, used=True) == "header"


def test_pairs_are_known_by_their_items() -> None:
    items = {"p", "q"}
    assert judge_first_record(["x", "q"], POINT, values=items) == "data"
    assert judge_first_record(["user", "item"], POINT, values=items) == "header"
    assert judge_first_record(["5", "7"], POINT, values=items) == "data"


@pytest.mark.parametrize(
    ("cells", "heading", "others", "verdict"),
    [
        (["a", "b"], "feature", ["x"], "labels"),
        (["u", "v"], None, [], "labels"),
        (["0.5", "2"], "x", ["y"], "numbers"),
        (["0.5", "NA"], "x", ["y"], "numbers"),
        (["1e400", "4"], "x", ["y"], "numbers"),
        (["0.5", "NA"], "id", ["y"], "doubtful"),
        (["7", "9"], "id", ["y"], "doubtful"),
        (["1", "2", "3", "4"], "x", ["y"], "doubtful"),
        (["5", "6", "7", "8"], "x", ["y"], "numbers"),
        (["0.5", "x"], "x", ["y"], "doubtful"),
        (["a", "NA"], None, [], "doubtful"),
        (["a", "b", "7"], None, [], "labels"),
        # The columns after it carry the features.
        (["NA", "1e400", ""], "film", ["a", "b"], "labels"),
        (["1.0", "2.0"], "digit", ["a", "b"], "labels"),
        (["1.5", "2.5"], "item", ["a", "b"], "labels"),
        (["0.3", "0.7"], "speed", ["a", "b"], "numbers"),
        (["7", "9"], "A", ["b"], "numbers"),
        (["7", "9"], "a", ["b"], "numbers"),
    ],
)
def test_a_column_beside_another_side(
    cells: list[str], heading: str | None, others: list[str], verdict: FirstColumn
) -> None:
    side = column(cells, heading, others or ["z"])
    assert judge_first_column(side, FEATURES) == verdict


@pytest.mark.parametrize(("n", "verdict"), [(1, "doubtful"), (2, "labels"), (64, "labels")])
def test_numbers_that_name_features(n: int, verdict: FirstColumn) -> None:
    names = [str(i) for i in range(n)]
    assert judge_first_column(column(names, "pixel"), OtherSide(set(names))) == verdict
    repeated = column([*names, "0"], "pixel")
    assert judge_first_column(repeated, OtherSide(set(names))) != "labels"


@pytest.mark.parametrize(
    ("cells", "heading", "verdict"),
    [
        (["x", "y"], None, "labels"),
        (["x", "NA"], None, "labels"),
        (["x", "1"], None, "doubtful"),
        (["5%", "7%"], None, "numbers"),
        (["7", "3"], "id", "labels"),
        (["7", "3"], None, "numbers"),
        (["7", "8", "9", "10"], None, "doubtful"),
        (["7", "8", "9", "10"], "year", "numbers"),
        (["1", "2", "3", "4"], "n", "doubtful"),
    ],
)
def test_a_column_with_nothing_to_compare(
    cells: list[str], heading: str | None, verdict: FirstColumn
) -> None:
    assert judge_first_column(column(cells, heading), None) == verdict
    assert judge_first_column(column(cells, heading, ()), None) == "numbers"


def test_no_verdict_depends_on_the_order_of_cells() -> None:
    for cells in itertools.permutations(["a", "NA", "2"]):
        assert judge_first_column(column(cells), FEATURES) == "doubtful"


def test_numbers_that_are_no_accident() -> None:
    assert counts_up(["7", "8", "9", "10"]) and not counts_up(["7", "8"])
    assert numbers_things(["12", "7"])
    assert not numbers_things(["7", "7"]) and not numbers_things(["0.5", "7"])


def test_a_table_in_long_form() -> None:
    columns = ("category", "weight")
    assert find_long_form(columns) == columns and find_long_form(["estimate"]) == ()
    assert find_long_form(["estimate", "p.value"], "y.level")
    assert not find_long_form(["estimate", "p.value"], "term")
