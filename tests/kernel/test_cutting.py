"""Cutting and counting, against a reader that goes from one character to the next."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matscore.kernel import count_records, find_cut
from tests.kernel.slow import count_slowly, cut_slowly

TEXTS = st.text('aé,"\n\r', max_size=60).map(str.encode)
RECORDS = st.lists(
    st.lists(st.sampled_from(["a", '"a,\n"', '""', "", '"x""y"', '5" x']), min_size=1).map(",".join)
).map(lambda records: "\n".join(records).encode())


def check(data: bytes) -> None:
    for at_end in (False, True):
        assert find_cut(data, ",", at_end=at_end) == cut_slowly(data, at_end)
    assert count_records(data) == count_slowly(data)


def test_every_short_text() -> None:
    for n in range(6):
        for characters in product('a,"\n\r', repeat=n):
            check("".join(characters).encode())


@settings(max_examples=300, deadline=None)
@given(st.one_of(TEXTS, RECORDS))
def test_longer_texts(data: bytes) -> None:
    check(data)


@settings(deadline=None)
@given(RECORDS)
def test_another_delimiter(data: bytes) -> None:
    swapped = data.replace(b",", b"|")
    assert find_cut(swapped, "|") == find_cut(data, ",")


@pytest.mark.parametrize("data", [b"\n" * 1000, b'"' * 1000, b'"' * 1001, b'"\n' * 1000, b"\r"])
def test_long_runs(data: bytes) -> None:
    check(data)
