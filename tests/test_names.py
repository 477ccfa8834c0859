"""What names look like, how sentences show them, which were meant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from matscore.names import (
    explain_difference,
    find_close,
    quote_name,
    quote_names,
)


class TestNaming:
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
        assert [bool(one.close) for one in found] == [True] * 5 + [False] * 4
        assert all(len(one.close) <= 3 for one in found)
        assert find_close(["x" * 101], ["x" * 102])[0].close == ()
