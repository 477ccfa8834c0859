"""Numbers: the grammar, exact values, a hint for each refused form; records of a wrong form."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore.kernel import Fault, Records
from matscore.names import POINT, Grammar
from matscore.read.faults import explain_number, explain_width, leaves_quote_open, show_text

MISSING = ["NA", "N/A", "NaN", "nan", "null", "NULL", "None"]

GOOD = {
    "+1": 1.0,
    ".5": 0.5,
    "5.": 5.0,
    "1E5": 1e5,
    "-0": -0.0,
    "00012": 12.0,
    " 7 ": 7.0,
    "\t7\t ": 7.0,
    "-.5e-3": -0.0005,
    "1e+2": 100.0,
    "1e-999": 0.0,
    "0e99999999999999999999": 0.0,
    "1.7976931348623158e308": 1.7976931348623157e308,
    "5e-324": 5e-324,
    "1e23": 1e23,
}

# Cell → what the hint has to say.
REFUSED = {
    "1e400": "largest number",
    "-1e400": "largest number",
    "1.7976931348623159e308": "largest number",
    "inf": "finite number",
    "-Infinity": "finite number",
    "∞": "finite number",
    "1_000": "underscores",
    "0x1A": "decimal number",
    "-0xff": "decimal number",
    "0b101": "decimal number",
    "1,5": "give --decimal , for decimal commas",
    "-,5e3": "give --decimal ,",
    "1,234": "or take out the thousands separator",
    "1.234,5": "thousands separators and give --decimal ,",
    "1 000,5": "thousands separators and give --decimal ,",
    "1,234.5": "thousands separators",
    "12,34,567.8": "thousands separators",
    "1.234.567": "thousands separators",
    "1 000": "thousands separators",
    "1'000": "thousands separators",
    "1\u00a0000": "thousands separators",
    "1\u202f000": "thousands separators",
    "5%": "0.05 for 5%",
    "5 %": "0.05 for 5%",
    "$4": "currency",
    "1.234,50 €": "currency",
    "USD 4": "currency",
    "4 eur": "currency",
    "(5)": "minus sign: -5",
    "($1,234.00)": "minus sign",
    "−3": "U+2212 (MINUS SIGN)",
    "–3": "U+2013 (EN DASH)",
    "1e−3": "U+2212",
    "3-": "in front",
    "- 3": "blank after the sign",
    "١٢": "0 to 9",
    "１２": "0 to 9",
    "5²": "0 to 9",
    "TRUE": "1 for true",
    "false": "1 for true",
    "2024-01-31": "date",
    "31.01.2024": "date",
    "31.01.24": "date",
    "1/2/2024": "date",
    "31-Jan-2024": "date",
    "31 January 2024": "date",
    "2024-01-31T10:00:00Z": "date",
    "10:30": "date or a time",
    "n/a": "--missing-values",
    "-": "--missing-values",
    "—": "--missing-values",
    "...": "--missing-values",
    "(blank)": "--missing-values",
    "?": "--missing-values",
    "#N/A": "--missing-values",
    "NAN": "--missing-values",
    "-nan": "--missing-values",
    "\\N": "--missing-values",
    "#DIV/0!": "spreadsheet",
    "=A1+B1": "spreadsheet formula",
    '"5"': "quotation",
    "'5": "quotation",
    "1O": "is it 10?",
    "l2": "is it 12?",
    "5\u00a0": "U+00A0 (NO-BREAK SPACE)",
    "\u00a0": "U+00A0 (NO-BREAK SPACE)",
    "\u200b5": "U+200B (ZERO WIDTH SPACE)",
    "\ufeff5": "two files joined",
    "5\r": "U+000D (a control character)",
    "5\n": "U+000A",
    "5\x00": "U+0000",
    "1/2": "fraction",
    "1d5": "exponent with e",
    "1.5 x 10^3": "exponent with e",
    "<5": "without a sign",
    "1 2": "several numbers",
    "1|2": "several numbers",
    "5 kg": "what follows",
    "21°": "what follows",
    "abc": "--id-col",
    "1e": "what follows",
    "+": "--id-col",
    "1..2": "--id-col",
    "--1": "--id-col",
    "[red]5[/red]": "--id-col",
}

ALPHABET = "0123456789+-.,eE \t_xnaif\u0663\uff11\u00a0\n\x00"
NUMBER_LIKE = st.from_regex(
    r"[ \t]{0,2}[+-]?[0-9]{0,25}[.,]?[0-9]{0,25}([eE][+-]?[0-9]{1,4})?[ \t]{0,2}", fullmatch=True
)
CELLS = st.one_of(
    NUMBER_LIKE,
    st.text(ALPHABET, max_size=12),
    st.text(max_size=8),
    st.sampled_from([*MISSING, "", " ", " NA ", *GOOD, *REFUSED]),
    st.floats().map(repr),
)


@dataclass
class Parsed:
    values: np.ndarray
    missing: np.ndarray
    bad: np.ndarray


def parse_numbers(
    cells: Sequence[str | None], missing_values: Sequence[str], decimal: str = "."
) -> Parsed:
    """Read cells as a column of a text, and each by the grammar, which has to agree."""
    grammar = Grammar(decimal, tuple(missing_values))
    texts = [cell or "" for cell in cells]
    missing = np.array([grammar.is_missing(text) for text in texts], dtype=np.bool_)
    read = np.array([grammar.read(text) for text in texts], dtype=np.float64)
    values = np.where(missing, np.nan, read)
    bad = ~missing & np.isnan(read)
    there = [i for i, text in enumerate(texts) if "\0" not in text]
    doubled = [texts[i].replace('"', '""') for i in there]
    data = "".join(f'x;"{text}"\n' for text in doubled).encode()
    table = Records(width=2, features=[1], delimiter=";", decimal=decimal,
        missing="keep", missing_values=missing_values).parse(data)  # fmt: skip
    assert table.stop is None
    assert {record.fault for record in table.bad} <= {Fault.NUMBER}
    assert [record.record for record in table.bad] == np.flatnonzero(bad[there]).tolist()
    expected = values[there][~bad[there]]
    assert as_bits(abs(table.features[0])) == as_bits(abs(expected))
    return Parsed(values, missing, bad)


def oracle(text: str) -> float:
    """Read with Python's float what has no sign of its other forms; NaN where it is none."""
    core = text.strip(" \t")
    if not core or any(c not in "0123456789+-.eE" for c in core):
        return math.nan
    try:
        return float(core)
    except ValueError:
        return math.nan


def as_bits(values: object) -> list[int]:
    bits: list[int] = np.asarray(values, dtype=np.float64).view(np.uint64).tolist()
    return bits


@pytest.mark.parametrize(("text", "value"), GOOD.items())
def test_numbers_are_read(text: str, value: float) -> None:
    assert POINT.is_number(text)
    parsed = parse_numbers([text], [])
    assert as_bits(parsed.values) == as_bits([value])
    assert not parsed.bad[0] and not parsed.missing[0]


@pytest.mark.parametrize(("text", "expected"), REFUSED.items())
def test_refused_with_a_hint(text: str, expected: str) -> None:
    assert not POINT.is_number(text)
    parsed = parse_numbers([text], [])
    assert parsed.bad[0] and not parsed.missing[0] and math.isnan(parsed.values[0])
    what, hint = explain_number(text)
    assert expected in hint
    assert what.startswith('"')


def test_what_is_said() -> None:
    assert explain_number("1,5")[0] == '"1,5" is not a number'
    assert explain_number("1e400")[0] == '"1e400" is too large for float64'
    assert explain_number("inf")[0] == '"inf" is not a finite number'
    assert explain_number(" ")[0] == "the cell is empty"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5", "leave it out"),
        ("1.234", "or take out the thousands separator"),
        ("1,234.5", "thousands separators and --decimal , reads"),
        ("1.234,5", "take out the thousands separators"),
        ("1 000,5", "take out the thousands separators"),
        ("−1,5", "U+2212"),
        ("(1,5)", "-1,5"),
    ],
)
def test_hints_with_decimal_commas(text: str, expected: str) -> None:
    assert not Grammar(",").is_number(text)
    assert expected in explain_number(text, ",")[1]


def test_decimal_comma() -> None:
    cells = ["1,5", " -,5e1", "5,", "7", "1.5", "1,2,3", "1.234,5", "x", "0x5"]
    parsed = parse_numbers(cells, [], decimal=",")
    assert parsed.values[:4].tolist() == [1.5, -5.0, 5.0, 7.0]
    assert parsed.bad.tolist() == [False] * 4 + [True] * 5
    assert [Grammar(",").is_number(cell) for cell in cells] == (~parsed.bad).tolist()


def test_missing_cells() -> None:
    cells = [None, "", " \t", "NA", " NA ", "na", "1", "NaN", "\u00a0"]
    parsed = parse_numbers(cells, MISSING)
    assert parsed.missing.tolist() == [True, True, True, True, True, False, False, True, False]
    assert parsed.bad.tolist() == [False] * 5 + [True, False, False, True]
    assert np.isnan(parsed.values).tolist() == [True] * 6 + [False, True, True]


def test_missing_word_that_is_a_number() -> None:
    parsed = parse_numbers(["-999", " -999", "-999.0", "1", "NA", None], ["-999"])
    assert parsed.missing.tolist() == [True, True, True, False, False, True]
    assert parsed.bad.tolist() == [False, False, False, False, True, False]
    assert parsed.values[3] == 1.0


def random_double(rng: random.Random) -> float:
    bits = rng.getrandbits(63)
    if rng.random() < 0.3:
        bits &= (1 << 54) - 1  # subnormal, or nearly
    value = float(struct.unpack("d", struct.pack("Q", bits))[0])
    return value if math.isfinite(value) and math.nextafter(value, math.inf) < math.inf else 1.0


def random_halfway(rng: random.Random) -> str:
    """Write the exact middle of two neighbours, or a hair beside it."""
    exact = Context(prec=1200)
    value = random_double(rng)
    middle = exact.divide(
        exact.add(Decimal(value), Decimal(math.nextafter(value, math.inf))), Decimal(2)
    )
    beside = Decimal(rng.choice([-1, 0, 1])).scaleb(middle.adjusted() - rng.choice([30, 780, 1000]))
    return str(exact.add(middle, beside))


def random_digits(rng: random.Random, n_digits: int) -> str:
    return "".join(rng.choices("0123456789", k=n_digits))


def random_numbers(rng: random.Random, n_each: int) -> list[str]:
    texts = ["1e23", "8.5e22", "9007199254740993", "2.2250738585072011e-308", "2e-324", "3e-324"]
    for _ in range(n_each):
        texts += [
            repr(-random_double(rng)),
            random_halfway(rng),
            f"{random_digits(rng, rng.randint(1, 40))}.{random_digits(rng, rng.randint(0, 40))}",
            f"0.{random_digits(rng, 400)}e{rng.randint(-330, 300)}",
            f"{random_digits(rng, rng.randint(1, 25))}e{rng.randint(-345, 283)}",
            f"{rng.random() * 100:.{rng.randint(0, 20)}f}",
        ]
    return texts


def test_values_are_exactly_pythons() -> None:
    texts = random_numbers(random.Random(20240131), 8_000)
    parsed = parse_numbers(texts, MISSING)
    assert not parsed.bad.any() and not parsed.missing.any()
    assert as_bits(parsed.values) == as_bits([float(text) for text in texts])


def test_million_digit_cells_are_exact() -> None:
    # Polars alone reads the first as 0.0 and the second as infinity.
    n = 1_000_000
    texts = [f"0.{'0' * n}1e{n + 1}", f"1{'0' * n}e-{n}", f"{'0' * n}1.5", f"{'1' * n}x"]
    parsed = parse_numbers(texts, [])
    assert parsed.values[:3].tolist() == [1.0, 1.0, 1.5]
    assert parsed.bad.tolist() == [False, False, False, True]
    commas = parse_numbers([text.replace(".", ",") for text in texts], [], decimal=",")
    assert as_bits(commas.values) == as_bits(parsed.values)


@pytest.mark.parametrize("text", ["1" * 300_000 + "x", "1," * 150_000, "1 " * 150_000 + "x"])
def test_long_cells_are_explained_in_linear_time(text: str) -> None:
    what, hint = explain_number(text)
    assert len(what) < 70
    assert hint


@given(CELLS)
def test_grammar_agrees_with_python(text: str) -> None:
    assert POINT.is_number(text) == math.isfinite(oracle(text))


@given(st.lists(CELLS, max_size=20), st.sampled_from([".", ","]))
def test_columns_agree_with_cells(cells: list[str], decimal: str) -> None:
    parsed = parse_numbers(cells, MISSING, decimal)
    missing = [cell.strip(" \t") in {"", *MISSING} for cell in cells]
    numbers = [Grammar(decimal).is_number(cell) for cell in cells]
    assert parsed.missing.tolist() == missing
    assert parsed.bad.tolist() == [not (m or n) for m, n in zip(missing, numbers, strict=True)]
    expected = [
        oracle(cell.replace(decimal, ".")) if number else math.nan
        for cell, number in zip(cells, numbers, strict=True)
    ]
    assert as_bits(parsed.values) == as_bits(expected)


@given(st.text(max_size=100), st.sampled_from([".", ","]))
def test_every_cell_is_explained_in_one_safe_line(text: str, decimal: str) -> None:
    what, hint = explain_number(text, decimal)
    assert what.isprintable() and hint.isprintable()
    assert len(what) <= 40 + len('"" is too large for float64')
    assert len(show_text(text)) <= 40


def test_shown_text() -> None:
    assert show_text("a" * 40) == "a" * 40
    assert show_text("a" * 41) == "a" * 39 + "…"
    assert show_text("\x1b[31m\u202e\u00a0") == "\\x1b[31m\\u202e\\xa0"
    assert show_text("a" * 38 + "\x1b") == "a" * 38 + "…"


@pytest.mark.parametrize(
    ("record", "is_open"),
    [
        (b'5" pipe,1', False),
        (b'"5" pipe",1', False),
        (b'"a"b,1', False),
        (b'"a"b", c"d,1', False),
        (b'a"b,"c', True),
        (b'"a"b,"c', True),
        (b'"a"b,"c"', False),
        (b'"a"b,"c""', True),
        (b'"a"b,"c"""', False),
        (b'"a"b,"""c', True),
        (b'a"b,"c,d"', False),
    ],
)
def test_a_line_that_ends_inside_quotes(record: bytes, is_open: bool) -> None:
    assert leaves_quote_open(record, ",") is is_open


@pytest.mark.parametrize(
    ("record", "n_cells", "width", "cut_off", "what", "hint"),
    [
        (b"", 1, 3, False, "a blank line between records", "remove it"),
        (b"\r", 1, 3, False, "a blank line between records", "remove it"),
        (b"1,2", 2, 3, True, "2 cells, but the first record has 3", "the file may be cut off"),
        (b"1", 1, 3, True, "1 cell, but the first record has 3", "the file may be cut off"),
        (b"1;2;3", 1, 3, False, "1 cell, but the first record has 3", "separated by ';'"),
        (b"1,2,3,", 4, 3, False, "4 cells, but the first record has 3", "delimiter at the line's"),
        (b"1,2,3,4", 4, 3, False, "4 cells, but the first record has 3", "quote a cell"),
        (b"1,2,3,4", 4, 3, True, "4 cells, but the first record has 3", "quote a cell"),
        (b"1,2", 2, 3, False, "2 cells, but the first record has 3", "a delimiter is missing"),
    ],
)
def test_a_wrong_width_is_explained(
    record: bytes, n_cells: int, width: int, cut_off: bool, what: str, hint: str
) -> None:
    found = explain_width(record, n_cells, width, ",", cut_off=cut_off)
    assert found[0] == what
    assert hint in found[1]


def test_a_decimal_comma_and_a_large_number() -> None:
    what, hint = '"1,5" is not a number', "give --decimal , for decimal commas"
    assert explain_number("1,5") == (what, hint)
    what, hint = '"1e400" is too large for float64', "the largest number is about 1.8e308"
    assert explain_number("1e400") == (what, hint)
