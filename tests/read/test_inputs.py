"""Directories and patterns into files, in a defined order; outputs named after their inputs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from matscore.errors import FileError, UsageError
from matscore.read.inputs import Input, list_inputs, name_parts


def make_files(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    names = ("d/b.csv", "d/a/z.csv", "d/a.csv", "d/B.csv", "d/10.csv", "d/2.csv", "d/é.csv")
    make_files(tmp_path, *names, "d/.hidden.csv", "d/_SUCCESS", "d/_tmp/x.csv", "d/.git/x.csv")
    return tmp_path


def paths_of(*arguments: str) -> list[str]:
    return [one.path for one in list_inputs(arguments)]


def test_a_directory_is_its_files_by_bytes(tree: Path) -> None:
    names = ["10.csv", "2.csv", "B.csv", "a/z.csv", "a.csv", "b.csv", "é.csv"]
    assert paths_of("d") == [f"d/{name}" for name in names]
    assert paths_of("d/") == [f"d/{name}" for name in names]


def test_order_does_not_depend_on_the_file_system(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, walk = paths_of("d"), os.walk

    def walk_backwards(*args: Any, **options: Any) -> Any:
        for place, folders, files in walk(*args, **options):
            folders.sort(reverse=True)
            yield place, folders, sorted(files, reverse=True)

    monkeypatch.setattr(os, "walk", walk_backwards)
    assert paths_of("d") == expected


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("d/[ab].csv", ["d/a.csv", "d/b.csv"]),
        ("d/?.csv", ["d/2.csv", "d/B.csv", "d/a.csv", "d/b.csv", "d/é.csv"]),
        ("d/**/z.csv", ["d/a/z.csv"]),
        ("*/a", ["d/a/z.csv"]),
        ("d/*.csv", ["d/10.csv", "d/2.csv", "d/B.csv", "d/a.csv", "d/b.csv", "d/é.csv"]),
    ],
)
def test_pattern(tree: Path, pattern: str, names: list[str]) -> None:
    assert paths_of(pattern) == names


def test_arguments_keep_their_order(tree: Path) -> None:
    assert paths_of("d/b.csv", "-", "d/a", "d/b.csv") == ["d/b.csv", "-", "d/a/z.csv", "d/b.csv"]


def test_a_name_that_is_there_is_no_pattern(tree: Path) -> None:
    make_files(tree, "[ab].csv", "a.csv")
    assert paths_of("[ab].csv") == ["[ab].csv"]
    (tree / "[ab].csv").unlink()
    assert paths_of("[ab].csv") == ["a.csv"]


@pytest.mark.parametrize(
    ("argument", "what"),
    [("empty", "is a directory without files"), ("d/*.tsv", "no file matches this pattern")],
)
def test_nothing_found(tree: Path, argument: str, what: str) -> None:
    (tree / "empty/.hidden").mkdir(parents=True)
    with pytest.raises(FileError, match=what) as caught:
        list_inputs([argument])
    assert caught.value.path == argument


@pytest.mark.parametrize("arguments", [["d/a.csv", "d"], ["d", "./d/*.csv"], ["d", "d"]])
def test_found_twice(tree: Path, arguments: list[str]) -> None:
    with pytest.raises(UsageError, match=r"d/.*\.csv is given twice"):
        list_inputs(arguments)


def test_a_file_may_be_named_twice(tree: Path) -> None:
    assert paths_of("d/a.csv", "d/a.csv") == ["d/a.csv", "d/a.csv"]


@pytest.mark.parametrize(
    ("argument", "keys"),
    [
        ("d", (("year", "2026"), ("a b", "x/y"), ("none", ""))),
        ("d/year=*", (("year", "2026"), ("a b", "x/y"), ("none", ""))),
        ("d/year=2026", (("a b", "x/y"), ("none", ""))),
        ("d/year=2026/a%20b=x%2Fy/none=__HIVE_DEFAULT_PARTITION__/k=v.csv", ()),
    ],
)
def test_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: str, keys: tuple[object, ...]
) -> None:
    """They are read below what was named."""
    monkeypatch.chdir(tmp_path)
    make_files(tmp_path, "d/year=2026/a%20b=x%2Fy/none=__HIVE_DEFAULT_PARTITION__/k=v.csv")
    (found,) = list_inputs([argument])
    assert found.keys == keys


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a.csv"], ["part-of-a.csv"]),
        (["a.csv.gz", "b.parquet", "c"], ["part-of-a.csv", "part-of-b.csv", "part-of-c.csv"]),
        (["x/a.csv", "y/a.csv"], ["x/part-of-a.csv", "y/part-of-a.csv"]),
        (["x/y/a.csv", "x/b.csv"], ["y/part-of-a.csv", "part-of-b.csv"]),
        (["../x/a.csv", "/y/a.csv"], None),
        (["a.csv", "a.csv.gz"], ["part-of-a.csv.csv", "part-of-a.csv.gz.csv"]),
        (["-", "x/a.csv", "/dev/fd/63"], ["part-of-stdin.csv", "part-of-a.csv", "part-of-63.csv"]),
        ([".csv", "b.tsv"], ["part-of-.csv.csv", "part-of-b.csv"]),
    ],
)
def test_outputs_are_named_after_inputs(files: list[str], names: list[str] | None) -> None:
    found = name_parts([Input(file, *os.path.split(file)) for file in files], ".csv")
    assert found == names or (names is None and len(set(found)) == len(files))
    assert all(".." not in Path(name).parts for name in found)


def test_names_do_not_depend_on_what_else_is_found(tree: Path) -> None:
    few = name_parts(list_inputs(["d/a/*.csv"]), ".csv")
    assert few == ["part-of-z.csv"]
    make_files(tree, "d/a/y.csv")
    assert name_parts(list_inputs(["d/a/*.csv"]), ".csv") == ["part-of-y.csv", *few]


def test_one_name_for_two_inputs_is_refused() -> None:
    inputs = [Input("a.csv", "", "a.csv"), Input("./a.csv", ".", "a.csv")]
    with pytest.raises(UsageError, match=r"a\.csv and \./a\.csv would both be written"):
        name_parts(inputs, ".csv")


def test_a_pattern_and_a_name() -> None:
    folder = Path(__file__).parents[2] / "sample_data"
    paths = [f"{folder}/{name}" for name in ("*ies.csv", "users.csv")]
    found = [Path(file.path).name for file in list_inputs(paths)]
    assert found == ["movies.csv", "users.csv"]
