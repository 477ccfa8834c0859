from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from matscore.colors import (
    LEVELS,
    Heat,
    color_at,
    contrast,
    hex_of,
    ink_on,
    level_of,
    luminance,
    scale_values,
)

# Machado, Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color
# Vision Deficiency", IEEE TVCG 15(6), table 1: severity 1.0, on linear RGB.
DEFICIENCIES = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
STEPS = [level / LEVELS for level in range(-LEVELS, LEVELS + 1)]


def simulate(color: tuple[int, int, int], matrix: list[list[float]]) -> np.ndarray:
    parts = np.array(color) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    seen: np.ndarray = np.clip(np.array(matrix) @ linear, 0, 1)
    return seen


def lab(linear: np.ndarray) -> np.ndarray:
    """CIE L*a*b* under D65, whose distances are about those that people see."""
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    xyz = np.array(to_xyz) @ linear / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("deficiency", ["none", *DEFICIENCIES])
def test_opposite_ends_are_told_apart_with_any_eyes(deficiency: str, dark: bool) -> None:
    matrix = DEFICIENCIES.get(deficiency, np.eye(3).tolist())
    for place in (0.3, 0.5, 0.7, 1.0):
        low, high = (lab(simulate(color_at(sign * place, dark=dark), matrix)) for sign in (-1, 1))
        assert np.linalg.norm(low - high) > 15, place


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("side", [-1, 1])
def test_each_side_goes_one_way_in_grey(side: int, dark: bool) -> None:
    grey = [luminance(color_at(side * level / LEVELS, dark=dark)) for level in range(LEVELS + 1)]
    steps = [b - a for a, b in itertools.pairwise(grey)]
    assert all(step > 0 if dark else step < 0 for step in steps)


@pytest.mark.parametrize("dark", [False, True])
def test_numbers_on_every_shade_have_the_contrast_of_aa(dark: bool) -> None:
    for place in STEPS:
        ground = color_at(place, dark=dark)
        assert contrast(ink_on(ground), ground) >= 4.5


@given(arrays(np.float64, st.integers(0, 20), elements=st.floats(allow_nan=True)))
def test_places_keep_order_and_sign(values: np.ndarray) -> None:
    places = scale_values(values)
    finite = np.isfinite(values)
    assert np.isnan(places[~finite]).all() and np.isfinite(places[finite]).all()
    assert (np.abs(places[finite]) <= 1).all()
    order = np.argsort(values[finite], kind="stable")
    assert (np.diff(places[finite][order]) >= 0).all()
    if (values[finite] < 0).any() and (values[finite] > 0).any():
        assert (places[finite] * np.sign(values[finite]) >= 0).all()
        assert np.abs(places[finite]).max() == 1


def test_one_value_is_no_scale() -> None:
    assert scale_values(np.array([3.0, 3.0])).tolist() == [0.0, 0.0]
    assert level_of(-0.96) == -LEVELS


def test_examples_of_the_scale() -> None:
    mixed = scale_values(np.array([-2.0, 0.0, 1.0, np.nan, np.inf]))
    np.testing.assert_array_equal(mixed, [-1.0, 0.0, 0.5, np.nan, np.nan])
    assert scale_values(np.array([4.0, 5.0, 6.0])).tolist() == [0.0, 0.5, 1.0]
    assert [level_of(place) for place in (-1.0, 0.04, 0.5)] == [-10, 0, 5]
    ends = [(33, 102, 172), (247, 247, 247), (179, 88, 6)]
    assert [color_at(place) for place in (-1.0, 0.0, 1.0)] == ends
    assert hex_of((33, 102, 172)) == "#2166ac"
    assert contrast((0, 0, 0), (255, 255, 255)) == 21.0


def test_heat_shades_a_cell() -> None:
    signs, colors = Heat(" ░▒▓█", in_color=False), Heat(" ░▒▓█", in_color=True)
    assert signs.shade(1.0, "5.9", "dim") == ("█ 5.9", "dim")
    assert signs.shade(float("nan"), "5.9", "dim") == ("  5.9", "dim")
    assert colors.shade(1.0, "5.9", "", bold=True) == ("5.9", "bold #ffffff on #b35806")
    assert colors.shade(float("nan"), "–", "dim") == ("–", "dim")
