"""What names and cells look like, how sentences show them, which were meant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from matscore.names import (
    explain_difference,
    find_close,
    is_number,
    looks_like_number,
    quote_name,
    quote_names,
)


class TestNaming:
    def test_numbers(self) -> None:
        good = ["1", "+1", "-1.5e+3", ".5", "5.", " 7\t", "00012", "1E5"]
        bad = ["", ".", "1e", "1_0", "0x1", "inf", "nan", "１", "1,5", "--1", "\u00a01", "1 2"]
        assert all(map(is_number, good))
        assert not any(map(is_number, bad))

    def test_meant_as_numbers(self) -> None:
        cells = ["1,5", "1.234,5", "1 000", "$4", "(5)", "−3", "１２", "NA", "inf", "N/A"]
        assert all(map(looks_like_number, cells))
        assert not any(map(looks_like_number, ["age", "x1", "1st", "2020-01-01", "(Intercept)"]))

    def test_quotes(self) -> None:
        assert quote_name("x" * 100) == f'"{"x" * 60}…"'
        assert quote_names(()) == ""

    @given(st.text(), st.text())
    def test_differences_are_told_when_folding_hides_them(self, one: str, two: str) -> None:
        assert explain_difference(one, one) == ""
        assert explain_difference(one, f" {one}\u200b") or not one.strip()
        assert explain_difference(one, two) == explain_difference(two, one)

    def test_close_is_limited(self) -> None:
        found = find_close([f"x{i}" for i in range(9)], [f"x{i}{i}" for i in range(9)])
        assert [bool(close) for close, _ in found] == [True] * 5 + [False] * 4
        assert all(len(close) <= 3 for close, _ in found)
        assert find_close(["x" * 101], ["x" * 102]) == [((), "")]
