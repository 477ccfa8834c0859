from __future__ import annotations

import numpy as np
import pytest

from matscore.pages.page import Cell, Shapes, cut, heat_cells, level_name, line_up_numbers


def test_what_does_not_print_is_shown_and_what_is_long_is_cut() -> None:
    assert Cell.of_text("a\x1b[1m").text == r"a\x1b[1m"
    cell = Cell.of_text("x" * 5000)
    assert (len(cell.text), cell.text[-1], len(cell.title), cell.title[-1]) == (81, "…", 1001, "…")
    assert cut("y" * 80) == ("y" * 80, "")
    assert cut("abc", 2) == ("ab…", "abc")


@pytest.mark.parametrize(
    ("values", "decimals", "texts"),
    [
        ([7.15, -10.6951, 3.0], None, ["7.15", "-10.70", "3.00"]),
        ([1e-12, 0.5], None, ["1.00e-12", "0.5"]),
        ([1234.5, -0.0], 1, ["1,234.5", "0.0"]),
        ([1e15, float("nan")], 2, ["1e+15", "NaN"]),
    ],
)
def test_points_line_up(values: list[float], decimals: int | None, texts: list[str]) -> None:
    assert line_up_numbers(values, decimals) == texts


def test_shades_by_one_measure() -> None:
    cells = heat_cells(np.array([[-2.0, 1.0], [np.nan, 0.0]]))
    assert [[cell.level for cell in column] for column in cells] == [[-10, None], [5, 0]]
    assert heat_cells(np.zeros((2, 0))) == []
    assert [level_name(level) for level in (-10, 0, 7)] == ["l10", "m0", "h7"]


def test_a_picture_in_words() -> None:
    shapes = Shapes(3, 2, 2, 4, "f.csv", "w.csv", fits=True)
    words = "features of 3 by 2 times weights of 2 by 4 give scores of 3 by 4"
    assert shapes.alt == words
    misfit = Shapes(None, 2, 3, 4, "f.csv", "w.csv", fits=False, is_recommend=True)
    words = "users of unknown by 2 and items, transposed of 3 by 4 do not line up"
    assert misfit.alt == words
