"""Terms among the names of any two sides: planned or refused, and never in two ways."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from matscore.options import PlanOptions
from matscore.plan import Side, make_plan
from matscore.terms import parse_term

COLUMNS = ("id", "a", "b", "log", "a^2", "a=x", "c d", "1")
TERMS = (
    "a^2", "a^0", "a:b", "b:a", "a:a", "log(a)", "sin(a)", "a=x", "a=y", "a=", "a=NA", "a=1",
    "a=01",
    "a=1.0", "a=(other)", "a=(missing)", "a=`(other)`", "b=x:a", "a=x:a=y", "a<1", "1<a", "2<a<1",
    "`a`", "`a", "C(a)[T.x]", "I(a^2)", "a_x", "ax", "z=x", "z^2", "(Intercept)", "c d^2", "1^2",
)  # fmt: skip


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Side, Side]:
    header = tuple(draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=5)))
    rows = tuple(draw(st.lists(st.sampled_from(TERMS + COLUMNS), min_size=1, max_size=6)))
    cells = [draw(st.lists(st.sampled_from(["x", "y", "1", "NA"]), max_size=3)) for _ in header]
    first = tuple(draw(st.lists(st.sampled_from(["1", "x", "2"]), max_size=3)))
    F = Side("F", len(header), header, len(first), first, first_record=header, peek=lambda: cells)
    W = Side("W", 2, ("feature", "u"), len(rows), rows, first_record=("feature", "u"))
    if draw(st.booleans()):  # the same, transposed
        columns = ("feature", *rows)
        W = Side("W", len(columns), columns, 1, ("u",), first_record=columns)
    if draw(st.booleans()):
        F = replace(F, names=None)
    return F, W


@given(pairs(), st.booleans(), st.booleans())
def test_any_terms_are_planned_or_refused(
    sides: tuple[Side, Side], transpose: bool, flipped: bool
) -> None:
    options = PlanOptions(transpose=transpose, transpose_features=flipped)
    plan = make_plan(*sides, options)
    if not plan.ok:
        assert plan.problem and plan.hint
        return
    names = sides[1].names or ()
    wanted = [n for n in (names[1:] if plan.transpose else sides[1].first or ()) if n]
    assert sorted([*plan.feature_names, *filter(None, [plan.intercept_name])]) == sorted(wanted)
    columns = sides[0].names if not flipped else sides[0].first
    terms = plan.terms
    if terms is None:
        return
    assert columns is not None
    assert [columns[i - flipped] for i in plan.feature_columns] == list(terms.numbers)
    assert [columns[i - flipped] for i in plan.text_columns] == [c.name for c in terms.texts]
    for name, term in zip(plan.feature_names, terms.features, strict=True):
        if name in columns:
            assert len(term) == 1 and term[0].column == name
        else:
            assert parse_term(name) == term
    gathers = terms.gathers
    found = [*gathers.dense[:, 1].tolist(), *(t for g in gathers.groups for t in g.terms if t >= 0)]
    assert sorted(map(int, found)) == list(range(len(terms.features)))
