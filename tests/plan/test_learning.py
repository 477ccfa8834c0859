"""What the columns of a file are for, without weights to compare with."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from matscore.command_options import ColumnOptions
from matscore.errors import MisfitError
from matscore.options import ReadOptions
from matscore.plan import Side
from matscore.plan.learning import find_label, name_intercept, sort_columns
from matscore.plan.types import ColumnKind
from matscore.read.table import open_table

NUMBERS: ColumnKind = "number"


def sample_of(
    names: tuple[str, ...] | None, kinds: tuple[ColumnKind, ...], first: tuple[str, ...] = ()
) -> Side:
    coded = (False,) * len(kinds)
    return Side("f.csv", len(kinds), names, None, first, kinds=kinds, coded=coded)


@pytest.mark.parametrize(
    ("header", "kind", "first", "label"),
    [
        ("flower", "text", ("a", "b"), 0),
        ("id", "number", ("7", "3"), 0),
        ("Index", "number", (), 0),
        ("", "number", ("5", "5"), 0),
        ("age", "number", ("5", "5"), None),
        ("age", "number", ("1", "2", "3"), None),
        ("age", "number", ("2", "3", "4", "5"), None),
        ("age", "empty", ("", ""), None),
    ],
)
def test_labels_in_the_first_column(
    header: str, kind: ColumnKind, first: tuple[str, ...], label: int | None
) -> None:
    sample = sample_of((header, "b"), (kind, NUMBERS), first)
    assert find_label(sample, ColumnOptions(), ()) == label
    assert find_label(sample, ColumnOptions(no_id_col=True), ()) is None
    assert find_label(sample, ColumnOptions(id_col="b"), ()) == 1
    assert find_label(sample, ColumnOptions(), {0}) is None
    alone = sample_of((header,), (kind,), first)
    assert find_label(alone, ColumnOptions(), ()) is None


@pytest.mark.parametrize(
    ("kind", "first"),
    [("number", ("1", "2", "3", "4")), ("mixed", ("a", "1")), ("mostly number", ("1", "1", "a"))],
)
def test_what_is_not_guessed(kind: ColumnKind, first: tuple[str, ...]) -> None:
    for names in (("n", "b"), None):
        with pytest.raises(MisfitError, match=r"say --id-col (n|1), or --no-id-col"):
            find_label(sample_of(names, (kind, NUMBERS), first), ColumnOptions(), ())


def test_columns_in_canonical_order() -> None:
    names = ("id", "c", "y", "a", "b")
    found = sort_columns(
        sample_of(names, ("text", *(NUMBERS,) * 4)),
        ColumnOptions(target=("y",), drop_cols=("b",)),
    )
    assert found.feature_names == ("a", "c") and found.feature_columns == (3, 1)
    assert [found.feature_names[i] for i in found.file_order] == ["c", "a"]
    assert found.label_column == 0 and found.target_columns == (2,)
    unnamed = sort_columns(sample_of(None, (NUMBERS,) * 3), ColumnOptions(target=("3",)))
    assert unnamed.feature_names == ("x1", "x2") and unnamed.facts == ()


@pytest.mark.parametrize(
    ("names", "kinds", "options", "words"),
    [
        (("a", "b"), (NUMBERS,) * 2, ColumnOptions(target=("c",)), 'no column "c"'),
        (("a", "b"), (NUMBERS,) * 2, ColumnOptions(target=("a", "b")), "there are no features"),
        (("a", "b"), (NUMBERS,) * 2, ColumnOptions(target=("a", "a")), "named twice"),
        (("a", "a", "b"), (NUMBERS,) * 3, ColumnOptions(target=("a",)), "several columns"),
        (("a", "b", "b"), (NUMBERS,) * 3, ColumnOptions(), "more than once"),
        (("a", " ", "b"), (NUMBERS,) * 3, ColumnOptions(), "without a name in column 2"),
        (("a", "b, c"), (NUMBERS, "mixed"), ColumnOptions(), "--drop-cols '\"b, c\"' leaves it"),
        (None, (NUMBERS, "text"), ColumnOptions(), "--drop-cols 2 leaves it out"),
        (None, (NUMBERS,) * 2, ColumnOptions(target=("3",)), "they are 1 to 2"),
        (("a", "b"), (NUMBERS,) * 2, ColumnOptions(id_col="a", target=("a",)), "asked for twice"),
    ],
)
def test_refused(
    names: tuple[str, ...] | None, kinds: tuple[ColumnKind, ...], options: ColumnOptions, words: str
) -> None:
    with pytest.raises(MisfitError) as caught:
        sort_columns(sample_of(names, kinds), options)
    assert words in str(caught.value)


def test_every_name_of_the_intercept_may_be_taken() -> None:
    names = ["(Intercept)", "Intercept", " BIAS", "const", "constant"]
    assert name_intercept(names[:4]) == "constant"
    with pytest.raises(MisfitError, match="every name for the intercept is a feature"):
        name_intercept(names)


TEXT = """id,number,some,most,words,none,code
a,1,x,1,u,,1
b,2.5,1,2,v,NA,1
c,-3,y,z,w,,2
d,1e3,z,4,u,,1
e,NA,z,5,u,,1
f,5,z,6,u,,2
"""
KINDS = ("text", "number", "mixed", "mostly number", "text", "empty", "number")


def test_a_look_at_a_text(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(TEXT)
    table = open_table(str(path), ReadOptions())
    found = table.sample(ReadOptions())
    table.close()
    assert found.kinds == KINDS and found.first == tuple("abcdef")
    assert found.coded == (False,) * 6 + (True,)


def test_a_look_at_a_long_text_ends_with_a_whole_record(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("id,a\n" + "".join(f"r{i},{i}\n" for i in range(50_000)))
    table = open_table(str(path), ReadOptions())
    found = table.sample(ReadOptions())
    table.close()
    assert found.kinds == ("text", "number") and len(found.first or ()) == 1000


def test_a_look_at_types(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    pd.DataFrame({"id": ["a"], "n": [1], "x": [0.5]}).to_parquet(path)
    table = open_table(str(path), ReadOptions())
    found = table.sample(ReadOptions())
    table.close()
    assert found.kinds == ("text", "number", "number") and found.names == ("id", "n", "x")
