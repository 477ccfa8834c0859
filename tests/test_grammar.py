"""What a cell is, against Python's own reading of numbers."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore.names import POINT, Grammar

COMMA = Grammar(decimal=",")
PLAIN = re.compile(r"[ \t]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t]*")


@pytest.mark.parametrize(
    "cell", ["1", "+1", "-1.5e+3", ".5", "5.", " 7\t", "00012", "1E5", "1e-999"]
)
def test_numbers(cell: str) -> None:
    assert POINT.kind_of(cell) == "number"
    assert COMMA.kind_of(cell.replace(".", ",")) == "number"
    assert "." not in cell or COMMA.kind_of(cell) == "meant"


@pytest.mark.parametrize(
    "cell",
    [
        "", " ", "NA", "na", "N/A", "NaN", "null", "None", "inf", "-inf", "+Infinity", "true",
        "FALSE", "1,5", "1.234,5", "1,234.5", "1 000", "1_000", "0x1A", "5%", "$4", "(5)", "−3",
        "１２", "١٢", "1e400", "-1e309", "9" * 310,
    ],
)  # fmt: skip
def test_meant_as_numbers(cell: str) -> None:
    assert POINT.kind_of(cell) == "meant"
    assert not POINT.is_number(cell)


@pytest.mark.parametrize(
    "cell", ["age", "x1", "1st", "2020-01-01", "(Intercept)", "e5", "-", "NAN1"]
)
def test_words(cell: str) -> None:
    assert POINT.kind_of(cell) == COMMA.kind_of(cell) == "word"


def test_the_words_of_a_run() -> None:
    own = Grammar(missing_values=("?", " -999 "))
    assert own.kind_of("?") == own.kind_of("-999") == own.kind_of("NA") == "meant"
    assert own.is_missing(" ? ") and own.is_missing("") and not own.is_missing("NA")


@given(st.text("0123456789+-.eE_xn \t", max_size=12) | st.floats().map(str))
def test_a_number_is_what_python_reads_and_the_grammar_has(cell: str) -> None:
    expected = PLAIN.fullmatch(cell) is not None and math.isfinite(float(cell))
    assert POINT.is_number(cell) == expected
    assert COMMA.is_number(cell.replace(".", ",")) == expected


def test_which_cells_are_numbers() -> None:
    cells = ("+1", " .5 ", "5.", "1E5", "1e400", "1,5")
    assert [POINT.is_number(cell) for cell in cells] == [True] * 4 + [False] * 2
    assert COMMA.is_number("1,5")
    assert [POINT.is_too_large(cell) for cell in ("1e400", "1e300", "inf")] == [True, False, False]
