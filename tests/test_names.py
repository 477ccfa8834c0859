"""What names look like, how sentences show them, which were meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore.names import (
    find_columns,
    fold_name,
    is_intercept,
    may_be_intercept,
    quote_name,
    quote_names,
)
from matscore.spelling import (
    explain_difference,
    find_close,
    make_r_name,
    suggest,
    suggest_name,
    write_numbers,
)


class TestNaming:
    def test_quotes(self) -> None:
        assert quote_name("x" * 100) == f'"{"x" * 60}…"'
        assert quote_names(()) == ""
        assert quote_names("abcdefg") == '"a", "b", "c", "d", "e" and 2 more'

    @given(st.text(), st.text())
    def test_differences_are_told_when_folding_hides_them(self, one: str, two: str) -> None:
        assert explain_difference(one, one) == ""
        assert explain_difference(one, f" {one}\u200b") or not one.strip()
        assert explain_difference(one, two) == explain_difference(two, one)

    def test_close_is_limited(self) -> None:
        found = find_close([f"x{i}" for i in range(9)], [f"x{i}{i}" for i in range(9)])
        assert [bool(one.close) for one in found] == [True] * 5 + [False] * 4
        assert all(len(one.close) <= 3 for one in found)
        assert find_close(["x" * 101], ["x" * 102])[0].close == ()

    @pytest.mark.parametrize(
        ("name", "other", "reason"),
        [
            ("ENSG000001", "ENSG000001.5", "the version"),
            ("ENSG00000141510.5", "ENSG00000141510.17", "the version"),
            ("NM_000546.6", "NM_000546", "the version"),
            ("a b", "a.b", "what R's make.names changes"),
            ("sepal width (cm)", "sepal.width..cm.", "what R's make.names changes"),
            ("1st", "X1st", "what R's make.names changes"),
            ("`a b`", "a b", "backticks"),
            ("01", "1", "leading zeros"),
            ("pixel7", "pixel007", "leading zeros"),
            ("num__x", "x", "the prefix of a step"),
            ("num__x", "remainder__x", "the prefix of a step"),
            ("prep__num__my__x", "my__x", "the prefix of a step"),
            ("Num__X", "x", "the prefix of a step and case"),
            ("rs123", "rs123_A", "the allele that is counted"),
            ("rs123_G", "rs123_A", "the allele that is counted"),
            ("rs123_A(/G)", "rs123", "the allele that is counted"),
            ("rs123_A..G.", "rs123", "the allele that is counted"),
            ("Age ", "age", "case and blanks"),
            ("1.0", "1", "how a number is written"),
            ("class_1.0", "class_1", "how a number is written"),
            ("2.50", "2.5", "how a number is written"),
            ("X1.0", "1", "how a number is written and what R's make.names changes"),
        ],
    )
    def test_what_tools_make_of_names(self, name: str, other: str, reason: str) -> None:
        assert explain_difference(name, other) == f"differs only by {reason}"
        assert explain_difference(other, name) == f"differs only by {reason}"
        (found,) = find_close([name], ["zzz", other, f"{other}q"])
        assert (found.close, found.reason) == ((other,), f"differs only by {reason}")

    @pytest.mark.parametrize(
        ("name", "other"),
        [
            *[("a+b", "a-b"), ("A+", "A-"), ("0.05", "0.5"), ("x1", "x10"), ("-1", "1")],
            *[("x.1", "x"), ("rs1_Age", "rs1"), ("v1.2.0", "v1.2"), ("ab__", "ab"), ("100", "1")],
            ("123456789012345678901", "123456789012345678902"),
        ],
    )
    def test_other_names_are_not_explained(self, name: str, other: str) -> None:
        assert explain_difference(name, other) == explain_difference(other, name) == ""


def test_what_r_and_spreadsheets_write() -> None:
    names = ["sepal width (cm)", "1st", "_x", "a.b"]
    assert list(map(make_r_name, names)) == ["sepal.width..cm.", "X1st", "X_x", "a.b"]
    numbers = ["1.0", "2.50", "class_1.0", "v1.2.0"]
    assert list(map(write_numbers, numbers)) == ["1", "2.5", "class_1", "v1.2.0"]


class TestSuggesting:
    def test_a_close_name_and_why(self) -> None:
        assert suggest_name("Age", ["age", "sex"]) == 'did you mean "age" (differs only by case)'
        assert suggest_name("aged", ["agee", "age"]) == 'did you mean "age" or "agee"'

    @pytest.mark.parametrize(
        ("name", "close", "far"),
        [
            ("nope", "note", "open"), ("nope", "nop", "no"), ("age", "aeg", "gate"),
            ("incm", "income", "mice"),
        ],
    )  # fmt: skip
    def test_short_names_are_close_by_their_letters_in_order(
        self, name: str, close: str, far: str
    ) -> None:
        assert suggest_name(name, [far, close]) == f'did you mean "{close}"'

    def test_without_a_close_name_an_option_says_what_there_is(self) -> None:
        assert suggest_name("x", ["age", "sex"], "--by") == (
            '--by has the name of one of: "age", "sex"'
        )
        assert suggest_name("x", ["age", "sex"]) == ""

    def test_several_names_have_one_reason_at_the_end(self) -> None:
        missing = find_close(["Age", "SEX", "?"], ["age", "sex"])
        assert suggest(missing) == (
            'did you mean "age" for "Age", "sex" for "SEX" (differs only by case)'
        )


class TestColumns:
    def test_names(self) -> None:
        assert find_columns("b", ["a", "b", "c", "b"], 4) == [1, 3]
        assert find_columns("2", ["a", "b"], 2) == []

    def test_numbers_where_there_are_no_names(self) -> None:
        assert [find_columns(str(n), None, 3) for n in range(5)] == [[], [0], [1], [2], []]
        for odd in ("", "-1", "1.0", "²", "٣", " 1", "0000000019", "9" * 5000):
            assert find_columns(odd, None, 3) == []


def test_a_name_in_other_spellings() -> None:
    assert fold_name("Science\u00a0Fiction") == fold_name("science fiction")
    assert [is_intercept(name) for name in ("(Intercept)", "BIAS", "age")] == [True, True, False]
    names = ("_cons", "(Constant)", "X.Intercept.", "constants")
    assert [may_be_intercept(name) for name in names] == [True, True, True, False]


def test_columns_by_name_or_number() -> None:
    assert find_columns("age", ["age", "sex", "age"], 3) == [0, 2]
    assert find_columns("2", None, 3) == [1]
