"""Features: exact arithmetic on terms, held against evaluating row by row."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore.models.algebra import (
    Feature,
    Levels,
    align,
    column,
    combine,
    constant,
    exact,
    round_once,
    sum_products,
)
from matscore.models.bounds import Refusal
from matscore.models.columns import Raw, find_border, write_level
from matscore.models.types import fold
from matscore.terms import Interval, Level, Missing, Other, Power
from tests.models.exact import BadRowError, Row, evaluate

LEVELS = ["a", "b", "c"]
ROWS: list[Row] = [
    {"x": x, "y": y, "t": t}
    for x in (-2.0, 0.0, 0.5, 3.0, None)
    for y in (1.0, 7.25, None)
    for t in ("a", "b", "c", "new", None)
]
NUMBERS = st.fractions(-5, 5, max_denominator=8)

LEAVES: list[Callable[[], Feature]] = [
    lambda: column("x"),
    lambda: column("x").impute(Fraction(3, 4)),
    lambda: column("x").missing(),
    lambda: column("y"),
    lambda: Raw("t").one_hot([["a"], ["b"], ["c"]], other="zero")[1],
    lambda: Raw("t").one_hot([["a", None], ["b"], ["c"]], other=0)[0],
    lambda: Raw("t").impute("b").to_number({"a": 1, "b": 2, "c": 4}, other=Fraction(5, 2)),
    lambda: Raw("t").to_number({"a": 1, "b": 0, "c": -1}, other="nan"),
    lambda: column("x").impute(1).bucket([0, 1])[1],
]


@st.composite
def features(draw: st.DrawFn, depth: int = 3) -> tuple[Feature, Callable[[Row], Fraction | None]]:
    """A feature, and the same computed on a row step by step."""
    if depth == 0 or draw(st.booleans()):
        leaf = draw(st.sampled_from(LEAVES))()
        return leaf, lambda row: evaluate(leaf, row)
    one, of_one = draw(features(depth - 1))
    kind = draw(st.sampled_from(["add", "multiply", "scale", "impute", "missing", "subtract"]))
    number = draw(NUMBERS)
    if kind == "scale":
        return one * number + 1, lambda row: both(
            of_one(row), Fraction(1), lambda a, _: a * number + 1
        )
    if kind == "impute":
        return one.impute(number), lambda row: number if (v := of_one(row)) is None else v
    if kind == "missing":
        return one.missing(), lambda row: Fraction(int(of_one(row) is None))
    other, of_other = draw(features(depth - 1))
    how: Callable[[Fraction, Fraction], Fraction] = {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
    }[kind]
    made = how(one, other)  # type: ignore[arg-type]
    return made, lambda row: both(of_one(row), of_other(row), how)  # type: ignore[return-value]


def both(
    a: Fraction | None, b: Fraction | None, how: Callable[[Fraction, Fraction], Fraction]
) -> Fraction | None:
    return None if a is None or b is None else how(a, b)


@given(features(), st.sampled_from(ROWS))
def test_arithmetic_of_features_is_that_of_their_values(
    made: tuple[Feature, Callable[[Row], Fraction | None]], row: Row
) -> None:
    feature, compute = made
    assert evaluate(feature, row) == compute(row)


def test_factors_of_one_column_are_resolved() -> None:
    x, gap = column("x"), column("x").missing()
    a, b, c = Raw("t").one_hot([["a"], ["b"], ["c"]], other="zero")
    assert str(x * x * x) == "x^3"
    assert str(x * gap) == str(a * b) == "0"
    assert (str(gap * gap), str(c * c)) == ("x=(missing)", "t=c")
    assert str((a + 1) * (a - 1)) == "t=a - 1"
    one, two = (x.bucket([low, low + 2])[1] for low in (0, 1))
    assert str(one * two) == "1<=x<2"
    assert str(one * x.bucket([2])[1]) == "0"
    assert str(x.apply("log") * x) == "x:log(x)"


def test_the_order_of_factors_does_not_count() -> None:
    x, y = column("x"), column("y")
    assert str(x * y - y * x) == "0"
    assert str(x * y * 0) == "0 x:y"  # a weight of 0 keeps its row


def test_reciprocals_and_high_powers_are_refused() -> None:
    inverse = Feature({(Power("x", -1),): Fraction(1)})
    with pytest.raises(Refusal, match=r"\"x\" has the power 0 in a product"):
        column("x") * inverse
    high = Feature({(Power("x", 40),): Fraction(1)})
    with pytest.raises(Refusal, match="the power 80 in a product"):
        high * high


def test_an_imputer_mends_what_is_undefined_and_nothing_else() -> None:
    scaled = (column("x") - 40) / 8
    assert scaled.undefined == {Missing("x")}
    assert str(scaled.impute(0.25)) == "1/8 x + 21/4 x=(missing) - 5"
    assert scaled.refuse_missing().impute(0.25).refused == {Missing("x")}
    both = (column("x") + column("y")).impute(1)
    for row in ROWS:
        gone = row["x"] is None or row["y"] is None
        assert evaluate(both, row) == (1 if gone else exact(row["x"]) + exact(row["y"]))  # type: ignore[arg-type]


def test_an_unknown_level_that_is_nan_can_be_imputed() -> None:
    ordinal = Raw("t").to_number({"a": 0, "b": 1}, other="nan")
    assert ordinal.undefined == {Other("t"), Missing("t")}
    mended = ordinal.impute(-1)
    assert [evaluate(mended, {"t": t}) for t in ("a", "b", "new", None)] == [0, 1, -1, -1]


def test_texts_that_are_refused() -> None:
    first = Raw("t").one_hot([["a"], ["b"]], other="error")[0]
    assert first.refused == {Other("t"), Missing("t")}
    with pytest.raises(BadRowError):
        evaluate(first, {"t": None})
    imputed = Raw("t").impute("zzz").one_hot([["a"], ["b"]], other="error", missing="zero")[0]
    assert Missing("t") in imputed.refused  # the text in place of it is no level
    with pytest.raises(Refusal, match='a level of "t" twice'):
        Raw("t").one_hot([["a"], ["a"]], other="error")


def test_infrequent_levels_share_a_group() -> None:
    common, rare = Raw("t").one_hot([["a"], ["b", "c"]], other=1)
    assert [evaluate(rare, {"t": t}) for t in ("a", "b", "c", "new", None)] == [0, 1, 1, 1, 1]
    assert [evaluate(common, {"t": t}) for t in ("a", "b", "c", "new", None)] == [1, 0, 0, 0, 0]


def test_parts_that_know_other_levels() -> None:
    few = Raw("t").to_number({"a": 1, "b": 2}, other=9)
    many = Raw("t").to_number({"a": 1, "b": 2, "c": 3}, other="error")
    assert [evaluate(few + many, {"t": t}) for t in ("a", "b", "c")] == [2, 4, 12]
    with pytest.raises(BadRowError):
        evaluate(few + many, {"t": "new"})
    strict = Raw("t").to_number({"a": 1, "b": 2}, other="error")
    loose = Raw("t").to_number({"b": 1, "c": 2}, other=5)
    together = strict + loose
    assert together.levels["t"] == Levels(("a", "b"))
    assert [evaluate(together, {"t": t}) for t in ("a", "b")] == [6, 3]
    with pytest.raises(Refusal, match='do not agree on the levels of "t"'):
        align([strict, Raw("t").to_number({"z": 1}, other="error")])
    with pytest.raises(Refusal, match="do not agree"):
        align([strict, Raw("t", "number").to_number({"a": 1}, other=0)])


def test_functions_of_a_column_and_of_few_values() -> None:
    assert str(column("x").apply("log")) == "log(x)"
    assert str(column("x").impute(1).apply("log")) == "log(x) + 0 x=(missing)"
    target = Raw("t").to_number({"a": 1, "b": 4}, other=9)
    root = target.apply("sqrt")
    assert [evaluate(root, {"t": t}) for t in ("a", "b", "new", None)] == [1, 2, 3, 3]
    with pytest.raises(Refusal, match=r"log of 0\.0 is no number"):
        column("x").impute(0).apply("log")
    with pytest.raises(Refusal, match="what is no longer a column"):
        (column("x") * 2).apply("log")
    with pytest.raises(Refusal, match="overlapping"):
        (column("x").above(1) + column("x").above(2)).map_values(abs)


@given(
    st.floats(0.01, 1e6) | st.floats(-1e6, -0.01),
    st.floats(-1e6, 1e6),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=4, unique=True).map(sorted),
    st.booleans(),
    st.floats(-1e6, 1e6) | st.none(),
    st.booleans(),
)
def test_borders_are_where_the_tool_has_them(
    scale: float, mean: float, borders: list[float], left: bool, fill: float | None, known: bool
) -> None:
    """Bisection with the tool's arithmetic, around every border, by brute force."""

    def compute(x: float) -> float:
        return (x - mean) / scale

    raw = column("x")
    exactly = (raw - mean) / scale
    feature = raw.then(exactly, compute) if known else exactly
    if fill is not None:
        feature = feature.impute(fill)
    found = feature.bucket(borders, left_closed=left)
    near = [b * scale + mean for b in borders]
    for start in (*near, 0.0, 1e300, -1e300):
        for x in (start, math.nextafter(start, -math.inf), math.nextafter(start, math.inf)):
            value = (
                Fraction(compute(x)) if known else (Fraction(x) - Fraction(mean)) / Fraction(scale)
            )
            n_over = sum(value >= b if left else value > b for b in borders)
            assert [evaluate(one, {"x": x}) for one in found] == [
                int(i == n_over) for i in range(len(found))
            ]
    if fill is None:
        assert all(one.undefined == {Missing("x")} for one in found)
    else:
        n_over = sum(fill >= b if left else fill > b for b in borders)
        at_missing = [evaluate(one, {"x": None}) for one in found]
        assert at_missing == [int(i == n_over) for i in range(len(found))]


def test_borders_of_a_plain_column_are_written_as_they_are() -> None:
    assert list(map(str, column("x").bucket([30, 35]))) == ["x<30", "30<=x<35", "x>=35"]
    assert list(map(str, column("x").bucket([30], left_closed=False))) == ["x<=30", "x>30"]
    assert str(column("x").bucket([Fraction(1, 3)])[1]) == "x>=0.33333333333333337"


def test_borders_that_no_number_reaches() -> None:
    under, over = (column("x") / 1e10).bucket([Fraction(10) ** 400])
    assert str(over) == "0"
    assert evaluate(under, {"x": 5.0}) == 1
    gapless = (column("x") / 1e10).impute(Fraction(10) ** 401).bucket([Fraction(10) ** 400])
    assert [evaluate(one, {"x": None}) for one in gapless] == [0, 1]
    assert [evaluate(one, {"x": 5.0}) for one in gapless] == [1, 0]
    always = column("x") * 0
    with pytest.raises(Refusal, match="no longer a column's number"):
        always.bucket([1])
    with pytest.raises(Refusal, match="do not grow"):
        column("x").bucket([1, 1])


def test_buckets_of_few_values() -> None:
    ordinal = Raw("t").to_number({"a": 0, "b": 1, "c": 2}, other=-1)
    low, high = ordinal.bucket([1])
    assert [evaluate(high, {"t": t}) for t in ("a", "b", "c", "new", None)] == [0, 1, 1, 0, 0]
    assert [evaluate(low, {"t": t}) for t in ("a", "b", "c", "new", None)] == [1, 0, 0, 1, 1]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_find_border_finds_every_float(x: float) -> None:
    found = find_border(lambda value: value >= x)
    assert found == x or (x == -1.7976931348623157e308 and found == -math.inf)


def test_find_border_at_the_ends() -> None:
    assert find_border(lambda _: True) == -math.inf
    assert find_border(lambda _: False) == math.inf


@given(st.lists(NUMBERS, max_size=9))
def test_add_up(numbers: list[Fraction]) -> None:
    assert sum_products([(x, Fraction(1)) for x in numbers]) == sum(numbers, Fraction(0))


def test_fold_keeps_plain_coefficients_to_the_bit() -> None:
    coefficients = np.array([[0.1, -0.0, 1e-310], [2.5, 3.0, 4.0]])
    folded = fold([column("x"), column("y"), column("z")], coefficients, [0.1, -1.0])
    assert folded.terms == ((Power("x"),), (Power("y"),), (Power("z"),))
    assert folded.weights.tobytes() == coefficients.T.copy().tobytes()
    assert folded.intercept.tolist() == [0.1, -1.0]
    assert folded.n_folded == 0
    assert folded.without_row == {Missing("x"), Missing("y"), Missing("z")}


def test_fold_rounds_once() -> None:
    """0.1 three times is 0.30000000000000004 in floats, and 0.3 rounded once."""
    shares = [column("x"), column("x"), column("x"), constant(1)]
    folded = fold(shares, [[0.1, 0.1, 0.1, 0.1]], [0.2])
    third = float(Fraction(0.1) * 3)
    assert folded.weights.tolist() == [[third]]
    assert folded.intercept.tolist() == [float(Fraction(0.1) + Fraction(0.2))]
    assert folded.n_folded == 1


def test_fold_refuses_what_is_no_matrix_of_numbers() -> None:
    x = column("x")
    with pytest.raises(Refusal, match="its coefficients are 1 × 2, where it has 1 features"):
        fold([x], np.ones((1, 2)), [0.0])
    with pytest.raises(Refusal, match="a coefficient is not finite"):
        fold([x], np.array([[math.inf]]), [0.0])
    with pytest.raises(Refusal, match="it has nan for a number"):
        fold([x], [[math.nan]], [0.0])
    with pytest.raises(Refusal, match="too large for float64"):
        fold([x * 1e300], np.array([[1e300]]), [0.0])


def test_ten_thousand_levels_fold_at_once() -> None:
    names = [f"level {i}" for i in range(10_000)]
    hot = Raw("t").one_hot([[name] for name in names], other="zero")
    folded = fold(hot, np.arange(20_000.0).reshape(2, -1), [0.0, 0.0])
    assert folded.terms[7] == (Level("t", "level 7"),)
    assert folded.weights[7].tolist() == [7.0, 10_007.0]
    assert folded.levels["t"].texts == tuple(names)
    assert Other("t") not in folded.without_row


def test_a_scaler_of_many_columns_folds_into_one_intercept() -> None:
    rng = np.random.default_rng(0)
    mean, scale, w = rng.normal(size=(3, 300))
    scaled = [(column(f"x{i}") - m) / s for i, (m, s) in enumerate(zip(mean, scale, strict=True))]
    folded = fold(scaled, w[None], [0.5])
    wanted = Fraction(1, 2) - sum(
        Fraction(a) * Fraction(m) / Fraction(s) for a, m, s in zip(w, mean, scale, strict=True)
    )
    assert folded.intercept[0] == round_once(wanted)


def test_numbers_of_numpy() -> None:
    assert exact(np.float32(0.1)) == Fraction(float(np.float32(0.1)))  # type: ignore[arg-type]
    assert exact(np.int64(2**62)) * 4 == 2**64  # type: ignore[arg-type]
    assert combine([column("x")], [np.float64(0.5)], np.float64(2)).constant == 2
    assert write_level(np.float64(2.0)) == "2"
    assert write_level(np.bool_(True)) == "True"
    assert write_level(np.str_("a")) == "a"
    with pytest.raises(Refusal, match="a level of type bytes"):
        write_level(b"a")


def test_intervals_are_terms() -> None:
    assert column("x").bucket([30, 35])[1].terms == {
        (Interval("x", 30.0, 35.0, True, False),): Fraction(1)
    }


def test_the_side_of_an_imputed_number_is_the_tools() -> None:
    """Exactly the imputed number is under the border; the tool's rounding puts it on it."""
    age = column("age").impute(0.3)
    scaled = age.then((age - 0.1) / 0.2, lambda x: (x - 0.1) / 0.2)
    border = (0.3 - 0.1) / 0.2
    exactly = (Fraction(0.3) - Fraction(0.1)) / Fraction(0.2)
    assert exactly != border
    assert scaled.terms[(Missing("age"),)] + scaled.constant == exactly  # what is folded is exact
    for gapped in (
        scaled,
        column("age").then((column("age") - 0.1) / 0.2, lambda x: 1.0).impute(1),
    ):
        over = gapped.above(border if gapped is scaled else 1, closed=True)
        assert evaluate(over, {"age": None}) == 1
    assert evaluate(scaled.above(border, closed=True), {"age": 0.3}) == 1
    plain = (age - 0.1) / 0.2
    assert evaluate(plain.above(border, closed=True), {"age": None}) == int(exactly >= border)


def test_a_step_after_a_fill_with_zero_or_a_refusal() -> None:
    """Neither has a term for a missing cell; the first still has a number there."""

    def halve(x: float) -> float:
        return (x - 1) / 2

    filled, refused = column("x").impute(0), column("x").refuse_missing()
    assert filled.then((filled - 1) / 2, halve).gap == -0.5
    assert refused.then((refused - 1) / 2, halve).gap is None
