"""Levels of text columns, read and counted, against a slow reader."""

from __future__ import annotations

import math
import pickle
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matscore.frame import LevelCounts, Levels
from matscore.kernel import Fault, Policy, Records, Texts
from tests.read.oracle import read_number, read_text

WORDS = ("NA", " -1 ", "x y")
LEVELS = [
    "a",
    "North",
    " b",
    "",
    "NA",
    'c"d',
    "e,f",
    "g\nh",
    "é",
    "e\u0301",
    "1",
    "01",
    "1.0",
    "-1",
]
NUMBERS = ["1", "2.50", "-0", "1e3", "-1", ".125"]
CELLS = [
    *LEVELS, *NUMBERS, *WORDS, " a", "A", "b", "1 ", "1,0", "2,5", "0", "+2.5", "1000", "7", " ",
    "inf", "1e400", "North\n", "\t1.0 ",
]  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column of levels, and how it is read."""

    levels: tuple[str, ...]
    numeric: bool = False
    other: bool = False
    missing: bool = False

    def make(self) -> Levels:
        return Levels(self.levels, numeric=self.numeric, other=self.other, missing=self.missing)

    def judge(self, cell: str, decimal: str) -> float:
        """Return the code of a cell as its definition says."""
        n = len(self.levels)
        if is_missing(cell):
            return n + 1 if self.missing else Levels.MISSING
        value = read_number(cell, decimal)
        for code, level in enumerate(self.levels):
            if self.numeric and value is not None and float(level) == value:
                return code
            if not self.numeric and cell.encode() == level.encode():
                return code
        return n if self.other else Levels.UNKNOWN


def is_missing(cell: str) -> bool:
    return cell.strip(" \t") in ("", *(word.strip() for word in WORDS))


COLUMNS = st.builds(
    Column,
    st.sampled_from([tuple(LEVELS), (), ("North",)]),
    st.just(value=False),
    st.booleans(),
    st.booleans(),
) | st.builds(Column, st.just(tuple(NUMBERS)), st.just(value=True), st.booleans(), st.booleans())
POLICIES = st.sampled_from(["error", "skip", "zero", "keep"])


@given(COLUMNS, st.lists(st.sampled_from(CELLS)), st.sampled_from(".,"))
def test_texts_are_found(column: Column, cells: list[str], decimal: str) -> None:
    levels = pickle.loads(pickle.dumps(column.make()))
    assert (levels.levels, len(levels)) == (column.levels, len(column.levels))
    codes = levels.find(Texts.from_strings(cells), WORDS, decimal)
    assert codes.tolist() == [column.judge(cell, decimal) for cell in cells]


def quote(cell: str, *, always: bool) -> str:
    special = always or any(c in cell for c in ',"\n;')
    return '"' + cell.replace('"', '""') + '"' if special else cell


@settings(max_examples=600, deadline=None)
@given(st.data(), COLUMNS, COLUMNS, POLICIES, POLICIES, st.sampled_from(".,"))
def test_records_are_read(
    data: st.DataObject, one: Column, two: Column, missing: Policy, unknown: Policy, decimal: str
) -> None:
    """The second column has numbers and levels, the third levels, the fourth numbers."""
    kept = data.draw(st.sampled_from([[], [1], [3]]))
    cell = st.sampled_from(CELLS)
    rows = data.draw(st.lists(st.tuples(st.just("id"), cell, cell, st.just("7") | cell)))
    text = "".join(
        ",".join(quote(cell, always=data.draw(st.booleans())) for cell in row) + "\n"
        for row in rows
    ).encode()
    assert [record.cells for record in read_text(text, ",").records] == rows
    table = Records(
        width=4,
        features=[3, 1],
        kept=kept,
        texts=[1],
        levels=[(1, one.make().table), (2, two.make().table)],
        decimal=decimal,
        missing=missing,
        unknown=unknown,
        missing_values=WORDS,
    ).parse(text)
    values, marks, places, bad = [], [], [], []
    for i, row in enumerate(rows):
        found, faults, mark = dict[str, float](), list[tuple[int, Fault]](), False
        for place in (1, 3):
            number = read_number(row[place], decimal)
            if is_missing(row[place]):
                number = {"zero": 0.0, "keep": math.nan}.get(missing)
                mark |= missing == "keep" and place not in kept
                number = math.nan if place in kept else number
            if number is None:
                gap = is_missing(row[place])
                faults.append((place, Fault.MISSING if gap else Fault.NUMBER))
            found[f"n{place}"] = number or 0.0
        for place, column in ((1, one), (2, two)):
            code = column.judge(row[place], decimal)
            if code < 0:
                gap = code == Levels.MISSING
                policy = missing if gap else unknown
                if policy in ("error", "skip"):
                    faults.append((place, Fault.MISSING if gap else Fault.LEVEL))
                mark |= policy == "keep"
                code = math.nan if policy == "keep" else -1.0
            found[f"c{place}"] = code
        if faults:
            bad.append((i, *min(faults, key=lambda fault: fault[0])))
            continue
        values.append([found[key] for key in ("n3", "n1", "c1", "c2")])
        marks.append(mark)
        places.append(i)
    assert [(b.record, b.column, b.fault) for b in table.bad] == bad
    assert np.array_equal(table.features, np.reshape(values, (-1, 4)).T, equal_nan=True)
    assert list(table.texts[0]) == [rows[i][1] for i in places]
    assert (table.has_missing is not None) == any(marks)
    assert table.has_missing is None or table.has_missing.tolist() == marks


def test_the_header_again_where_it_is_no_fault() -> None:
    """An unknown text has a code here, but a record of the header's cells is no data."""
    levels, data = Levels(["North"], other=True), b"x,North,1\nid,region,7\ny,South,2\n"
    names = ["id", "region", "7"]
    table = Records(
        width=3, features=[2], levels=[(1, levels.table)], names=names, has_labels=True
    ).parse(data)
    assert table.features.tolist() == [[1, 2], [0, 1]]
    assert [bad.fault for bad in table.bad] == [Fault.HEADER_AGAIN]


@pytest.mark.parametrize(
    ("levels", "numeric"),
    [(["a", "b", "a"], False), (["1", "1.0"], True), (["0", "-0"], True), (["1,5"], True),
     (["inf"], True), ([""], True)],
)  # fmt: skip
def test_levels_without_sense_are_refused(levels: list[str], numeric: bool) -> None:
    with pytest.raises(ValueError, match="a level is"):
        Levels(levels, numeric=numeric)


def test_columns_without_sense_are_refused() -> None:
    levels = Levels(["a"])
    for options in (
        {"levels": [(1, levels)]},
        {"levels": [(-1, levels)]},
        {"levels": [(0, levels), (0, levels)]},
        {"kept": [0]},
    ):
        with pytest.raises(ValueError, match=r"range|no features"):
            Records(width=1, **options).parse(b"1\n")


def test_a_hundred_thousand_levels() -> None:
    rng = random.Random(5)
    names = [f"{rng.getrandbits(rng.randrange(1, 100)):x}-{i}" for i in range(100_000)]
    levels, absent = Levels(names), [name + "x" for name in names]
    order = rng.sample(range(len(names)), len(names))
    cells = Texts.from_strings([*(names[i] for i in order), *absent])
    start = time.process_time()
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda _: levels.find(cells, ["NA"]), range(3)))
    assert time.process_time() - start < 2
    for codes in found:
        assert codes[: len(order)].tolist() == order and (codes[len(order) :] == -2.0).all()


@given(st.lists(st.lists(st.sampled_from(CELLS))))
def test_counts(chunks: list[list[str]]) -> None:
    """In parts, merged and pickled, as all at once."""
    counts, rest = LevelCounts(), LevelCounts()
    for i, chunk in enumerate(chunks):
        (counts if 2 * i < len(chunks) else rest).add(Texts.from_strings(chunk), WORDS)
    counts = pickle.loads(pickle.dumps(counts))
    counts.merge(rest)
    cells = [cell for chunk in chunks for cell in chunk]
    assert counts.items() == list(Counter(c for c in cells if not is_missing(c)).items())
    assert counts.n_missing == sum(map(is_missing, cells))
    assert len(counts) == len(counts.items())


def test_counting_is_fast() -> None:
    texts = Texts.from_strings([f"level {i % 50}" for i in range(10**6)])
    counts, start = LevelCounts(), time.process_time()
    counts.add(texts, ["NA", "NaN", "null"])
    assert time.process_time() - start < 0.5
    assert counts.items() == [(f"level {i}", 20_000) for i in range(50)]
