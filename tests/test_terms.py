"""The grammar of terms: what a name means, and what is no term."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore.names import may_be_term
from matscore.terms import (
    FUNCTIONS,
    Function,
    Interval,
    Level,
    Missing,
    Other,
    Power,
    Term,
    TermError,
    parse_term,
    sort_factors,
    write_term,
)

texts = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Z"))
    | st.sampled_from(":=^()<>`"),
    max_size=8,
)
names = texts.filter(bool)
borders = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    low, high = sorted([draw(borders), draw(borders)])
    kind = draw(st.sampled_from(["low", "high", "both"]))
    closed = draw(st.tuples(st.booleans(), st.booleans()))
    if low == high:
        closed = True, True
    if kind == "low":
        return Interval(draw(names), low, math.inf, closed[0], False)
    if kind == "high":
        return Interval(draw(names), -math.inf, high, False, closed[1])
    return Interval(draw(names), low, high, *closed)


factors = st.one_of(
    st.builds(Power, names, st.integers(-64, 64).filter(bool)),
    st.builds(Function, st.sampled_from(FUNCTIONS), names),
    intervals(),
    st.builds(Level, names, texts),
    st.builds(Other, names),
    st.builds(Missing, names),
)
terms = st.lists(factors, min_size=1, max_size=4).map(tuple)


@given(terms)
def test_a_term_reads_back_as_it_was_written(term: Term) -> None:
    assert parse_term(write_term(term)) == term


@given(terms)
def test_the_order_of_factors_is_one(term: Term) -> None:
    assert sort_factors(term) == sort_factors(term[::-1])


@given(st.text(st.sampled_from("ab1.:=^()<>`"), max_size=9))
def test_any_name_is_a_term_or_refused_with_a_hint(name: str) -> None:
    try:
        term = parse_term(name)
    except TermError as error:
        assert error.what
        assert error.hint
    else:
        assert parse_term(write_term(term)) == term


@pytest.mark.parametrize(
    ("name", "term"),
    [
        ("age", (Power("age"),)),
        ("age^2", (Power("age", 2),)),
        ("age^-1", (Power("age", -1),)),
        ("log", (Power("log"),)),
        ("log(income)", (Function("log", "income"),)),
        ("log(`a (b)`)", (Function("log", "a (b)"),)),
        ("region=North", (Level("region", "North"),)),
        ("region= North ", (Level("region", " North "),)),
        ("region=", None),
        ("region=``", (Level("region", ""),)),
        ("region=(other)", (Other("region"),)),
        ("region=(missing)", (Missing("region"),)),
        ("region=`(other)`", (Level("region", "(other)"),)),
        ("region=`a:b=c`", (Level("region", "a:b=c"),)),
        ("region=`a``b`", (Level("region", "a`b"),)),
        ('region=a,"b"\nc', (Level("region", 'a,"b"\nc'),)),
        ("`a:b`:c", (Power("a:b"), Power("c"))),
        ("x=(missing):y", (Missing("x"), Power("y"))),
        ("x<3", (Interval("x", high=3.0),)),
        ("x<=3", (Interval("x", high=3.0, high_closed=True),)),
        ("3<x", (Interval("x", low=3.0),)),
        ("x>=3", (Interval("x", low=3.0, low_closed=True),)),
        ("3<=x<3.5", (Interval("x", 3.0, 3.5, low_closed=True),)),
        ("3<`4`", (Interval("4", low=3.0),)),
        ("-1e-3<x<=1E5", (Interval("x", -0.001, 1e5, high_closed=True),)),
    ],
)
def test_what_a_name_means(name: str, term: object) -> None:
    assert may_be_term(name) == (name not in ("age", "log"))
    if term is None:
        with pytest.raises(TermError):
            parse_term(name)
    else:
        assert parse_term(name) == term


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("age^0", "is 1 in every row", "intercept"),
        ("age^x", "exponent", "whole number"),
        ("age^65", "exponent", "whole number"),
        ("age^2.5", "exponent", "whole number"),
        ("sin(x)", "is no term", '"sin" is no function; known are log'),
        ("I(age^2)", "is no term", "backticks"),
        ("5<x<3", "no number lies in", "borders"),
        ("3<x<3", "no number lies in", "borders"),
        ("3<4", "compares two numbers", "backticks"),
        ("x<y", "does not compare", "30<=x<35"),
        ("x<inf", "does not compare", "30<=x<35"),
        ("region=(others)", "is no term", "backticks"),
        ("region=North (old)", "is no term", "backticks"),
        ("region=a=b", "is no term", "region=`a=b`"),
        ("`a", "a backtick that is not closed", "backticks"),
        ("a`b`", "backticks around a part", "whole column"),
        ("a:", "is no term", "backticks"),
        (":", "is no term", "backticks"),
        ("", "is no term", "backticks"),
    ],
)
def test_what_is_no_term(name: str, what: str, hint: str) -> None:
    with pytest.raises(TermError) as caught:
        parse_term(name)
    assert what in caught.value.what
    assert hint in f"{caught.value.what} {caught.value.hint}"
