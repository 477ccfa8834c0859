"""Numbers both ways: read as Python's float does, written in the shortest form that reads back."""

from __future__ import annotations

import math
import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matscore.kernel import Fault, Records, read_number, write_number, write_rows
from matscore.write.formats import round_to
from tests.kernel.draw_numbers import POWERS, draw_texts
from tests.read.test_faults import CELLS, GOOD, REFUSED, oracle


def read_all(texts: list[str], decimal: str = ".") -> NDArray[np.float64]:
    """Read each text as a cell; infinity where it is refused."""
    data = "".join(f"{text}\n" for text in texts).encode()
    table = Records(width=1, features=[0], decimal=decimal, delimiter=";").parse(data)
    values = np.full(len(texts), np.inf)
    values[slice(None) if table.rows is None else table.rows] = table.features[0]
    assert {bad.fault for bad in table.bad} <= {Fault.NUMBER}
    return values


def write_all(values: NDArray[np.float64]) -> list[str]:
    return write_rows("csv", {"x": values}).decode().splitlines()


def as_repr(text: str) -> str:
    """Write one of our numbers as repr does: it has other ideas of when to use an exponent."""
    sign, text = text[: text.startswith("-")], text.removeprefix("-")
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0").rstrip("0")
    scale = (
        len(whole)
        + int(exponent or 0)
        - (len(whole + fraction) - len((whole + fraction).lstrip("0")))
    )
    return f"{sign}{digits} {scale}"


@pytest.mark.parametrize(("text", "value"), GOOD.items())
def test_numbers_are_read(text: str, value: float) -> None:
    found = read_number(text)
    assert found == value
    assert math.copysign(1, found) == math.copysign(1, value)


@pytest.mark.parametrize("text", REFUSED)
def test_other_texts_are_refused(text: str) -> None:
    assert read_number(text) is None


@settings(deadline=None)
@given(CELLS)
def test_the_grammar_agrees_with_python(text: str) -> None:
    value = oracle(text)
    assert read_number(text) == (value if math.isfinite(value) else None)


@settings(deadline=None)
@given(CELLS)
def test_decimal_commas(text: str) -> None:
    swapped = text.translate(str.maketrans(".,", ",."))
    assert read_number(swapped, ",") == read_number(text)


@pytest.mark.parametrize("decimal", [".", ","])
def test_values_are_pythons(decimal: str) -> None:
    texts = list(draw_texts(random.Random(20261128), 6_000))
    texts += [repr(value) for value in POWERS]
    found = read_all([text.replace(".", decimal) for text in texts], decimal)
    expected = np.array([float(text) for text in texts])
    expected[np.isinf(expected)] = np.inf
    assert found.tobytes() == expected.tobytes()


def test_million_digit_cells_are_exact() -> None:
    n = 1_000_000
    texts = [f"0.{'0' * n}1e{n + 1}", f"1{'0' * n}e-{n}", f"{'0' * n}1.5", f"1{'0' * n}", "0" * n]
    texts += ["1e99999999999999999999", "0e99999999999999999999", f"1e-{'9' * n}", f"{'1' * n}x"]
    texts += [f"0.{'0' * n}1e{n + 310}", f"0.{'0' * n}1e{n - 322}", f"0.{'0' * n}1e{n - 324}"]
    inf = math.inf
    expected = [1.0, 1.0, 1.5, inf, 0.0, inf, 0.0, 0.0, inf, inf, 1e-323, 0.0]
    assert read_all(texts).tolist() == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"), (-0.0, "-0.0"), (1.0, "1.0"), (-1.5, "-1.5"), (100.0, "100.0"),
        (9007199254740993.0, "9007199254740992.0"), (1e15, "1000000000000000.0"), (1e16, "1e+16"),
        (1.5e22, "1.5e+22"), (123456789012345680.0, "1.2345678901234568e+17"), (1e300, "1e+300"),
        (1e-4, "0.0001"), (1e-5, "0.00001"), (1.5e-5, "0.000015"), (9.9e-6, "9.9e-6"),
        (1e-7, "1e-7"), (5e-324, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e+308"),
        (math.nan, "NaN"), (math.inf, "inf"), (-math.inf, "-inf"),
    ],
)  # fmt: skip
def test_the_form_of_numbers(value: float, text: str) -> None:
    assert write_number(value) == text


def check_written(values: NDArray[np.float64]) -> None:
    texts = write_all(values)
    assert np.array([float(text) for text in texts]).tobytes() == values.tobytes()
    for value, text in zip(values.tolist(), texts, strict=True):
        assert as_repr(text) == as_repr(repr(value))


def test_numbers_are_written_in_reprs_digits() -> None:
    rng = random.Random(1)
    bits = np.frombuffer(rng.randbytes(8 * 40_000), np.float64)
    numbers = [rng.gauss(0, 1) * 10.0 ** rng.randint(-8, 18) for _ in range(10_000)]
    numbers += [rng.randint(-(10**17), 10**17) / 10 ** rng.randint(0, 12) for _ in range(10_000)]
    subnormal = np.frombuffer(struct.pack("5000Q", *(rng.getrandbits(52) for _ in range(5000))))
    values = np.concatenate([bits[np.isfinite(bits)], numbers, POWERS, subnormal])
    check_written(values)
    assert read_all(write_all(values)).tobytes() == values.tobytes()


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_reads_back(value: float) -> None:
    check_written(np.array([value]))
    assert read_number(write_number(value)) == value


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 22))
def test_precision_rounds_as_numpy_does(value: float, precision: int) -> None:
    rounded = value if abs(value) >= 2.0**52 else float(np.round(value, precision))
    assert write_number(round_to(np.array([value]), precision)[0]) == write_number(rounded)
