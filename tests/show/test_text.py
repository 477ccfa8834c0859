from __future__ import annotations

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from matscore.names import show
from matscore.show.table import (
    ASCII,
    UNICODE,
    Signs,
    format_numbers,
    pad,
    plural,
    show_bytes,
    show_number,
    show_percent,
    show_product,
    show_shape,
)

any_text = st.text(st.characters())  # lone surrogates too
finite = st.floats(-1e308, 1e308, allow_subnormal=False)


class Stream(io.StringIO):
    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


@given(any_text)
def test_nothing_shown_can_steer_a_terminal(text: str) -> None:
    shown = show(text)
    assert shown.isprintable()
    shown.encode()


@given(any_text, st.sampled_from(["ascii", "latin-1", "cp1252", "shift_jis"]))
def test_every_character_shown_is_in_the_encoding(text: str, encoding: str) -> None:
    shown = show(text, encoding)
    assert shown.isprintable()
    assert shown.encode(encoding).decode(encoding) == shown or encoding == "shift_jis"


@given(any_text.filter(str.isprintable))
def test_printable_text_is_unchanged(text: str) -> None:
    assert show(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x00", r"\x00"),
        ("\udc80", r"\udc80"),
        ("\u2028", r"\u2028"),
        ("\U000e0041", r"\U000e0041"),
        ("\x9b31m", r"\x9b31m"),
        ("[/foo] :smile:", "[/foo] :smile:"),
        ("C:\\x1b", "C:\\x1b"),
        ("e\u0301日本👩", "e\u0301日本👩"),
    ],
)
def test_examples_shown(text: str, shown: str) -> None:
    assert show(text) == shown


@given(any_text.map(show), st.integers(0, 30))
def test_shortened_text_fits(text: str, width: int) -> None:
    short = UNICODE.shorten(text, width)
    assert cell_len(short) <= width
    if cell_len(text) <= width and len(text) <= 8 * width:
        assert short == text
    elif width > 0:
        assert short.endswith("…")


def test_examples_shortened() -> None:
    assert UNICODE.shorten("The Wrong Umbrella", 10) == "The Wrong…"
    assert [UNICODE.shorten("日本語", 5), UNICODE.shorten("drama", 5)] == ["日本…", "drama"]
    assert [ASCII.shorten("The Wrong Umbrella", 8), ASCII.shorten("drama", 2)] == ["The W...", "dr"]
    assert [UNICODE.clip("abc", 2), UNICODE.clip("a\n", 2)] == ["ab…", r"a\n"]


def test_a_combining_character_stays_with_its_letter() -> None:
    assert UNICODE.shorten("e\u0301" * 9, 4) == "e\u0301" * 3 + "…"


def test_padding_counts_cells() -> None:
    assert [pad("日本", 5), pad("日本", 5, right=True), pad("e\u0301", 2)] == [
        "日本 ",
        " 日本",
        "e\u0301 ",
    ]


@pytest.mark.parametrize(
    ("n", "noun", "text"),
    [(1, "tie", "1 tie"), (2, "tie", "2 ties"), (1000, "category", "1,000 categories")],
)
def test_plural(n: int, noun: str, text: str) -> None:
    assert plural(n, noun) == text


@given(st.lists(finite, min_size=1, max_size=8))
def test_numbers_keep_four_significant_digits_and_one_width(values: list[float]) -> None:
    texts = format_numbers(values)
    assert len({len(text) for text in texts}) == 1
    for value, text in zip(values, texts, strict=True):
        assert math.isclose(float(text), value, rel_tol=5.001e-4, abs_tol=0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), st.integers(0, 8))
def test_numbers_are_rounded_to_the_precision(values: list[float], precision: int) -> None:
    texts = format_numbers(values, precision)
    assert len({len(text) for text in texts}) == 1
    for value, text in zip(values, texts, strict=True):
        assert float(text) == float(f"{value:.{precision}f}")
        assert len(text.partition(".")[2]) == precision


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([5.9, 3.0, 12.25], [" 5.90", " 3.00", "12.25"]),
        ([1 / 3], ["0.3333"]),
        ([12350.0, 1.0], ["12350", "    1"]),
        ([12345.678], ["12346"]),
        ([123456789.0], ["1.235e+08"]),
        ([5.9, 1.2e-9], ["5.9      ", "1.200e-09"]),
        ([-0.0, 0.0], ["0", "0"]),
        ([float("nan"), 1.5], ["NaN", "1.5"]),
        ([], []),
    ],
)
def test_numbers(values: list[float], texts: list[str]) -> None:
    assert format_numbers(values) == texts


@given(st.lists(st.floats(1e-4, 9e6), min_size=2, max_size=8))
def test_points_line_up(values: list[float]) -> None:
    places = {text.find(".") for text in format_numbers(values) if "." in text}
    assert len(places) <= 1


@pytest.mark.parametrize(("encoding", "signs"), [("utf-8", UNICODE), ("ascii", ASCII)])
def test_signs_follow_the_encoding(encoding: str, signs: object) -> None:
    assert Signs.of(Console(file=Stream(encoding))) == signs


def test_signs_escape_what_the_encoding_lacks() -> None:
    signs = Signs.of(Console(file=Stream("latin-1")))
    assert signs.show("é 日 × …") == r"é \u65e5 x \u2026"


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (80, "(? × 1,000) · (1,000 × 30) → (? × 30)"),
        (30, "(? × 1,000) · (1,000 × 30)\n→ (? × 30)"),
        (10, "(? × 1,000)\n· (1,000 × 30)\n→ (? × 30)"),
    ],
)
def test_the_equation_breaks_between_shapes(width: int, text: str) -> None:
    assert show_product(None, 1000, 30, width) == text


def test_shapes_of_users_and_items() -> None:
    assert show_product(3, 4, 2, 80, transposed=True) == "(3 × 4) · (2 × 4)ᵀ → (3 × 2)"
    assert show_shape(None, 1200) == "(? × 1,200)"


def test_numbers_in_sentences() -> None:
    numbers = (0.5, 12345.678, -1e-9, float("nan"), 3.0, 0.0, 1e15)
    shown = ["0.5", "12,346", "-1e-09", "NaN", "3", "0", "1e+15"]
    assert [show_number(number) for number in numbers] == shown
    shares = (0.0, 1e-6, 0.5, 0.99999, 1.0)
    assert [show_percent(s) for s in shares] == ["0%", "<0.1%", "50.0%", ">99.9%", "100%"]
    assert [show_bytes(812), show_bytes(4_500_000)] == ["812 bytes", "4.5 MB"]
