"""Ranges of a text that are read apart give the records of the whole, each at its place."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from matscore.errors import FileError, InputError
from matscore.read.source import Stamp, iter_range, read_range
from matscore.read.split import Chunk, Range, find_end, iter_chunks, iter_ranges, scan_block

HEADER = b"id,x\n"
TEXTS = st.lists(
    st.sampled_from(['"', '""', ",", "\n", "\r\n", "a", "bc", '"\n"', '"a\nb"', "\n\n", "é", " "]),
    max_size=40,
).map(lambda parts: "".join(parts).encode())


def stamp_of(path: Path) -> Stamp:
    info = path.stat()
    return Stamp(str(path), info.st_size, info.st_mtime_ns)


def find_ranges(stamp: Stamp, block: int, start: int = len(HEADER)) -> list[Range]:
    end = find_end(stamp, start)
    scans = [
        scan_block(stamp, at, min(at + block, end), start, ",") for at in range(start, end, block)
    ]
    is_open = end > start and read_range(stamp, end - 1, end) != b"\n"
    return list(iter_ranges(stamp, scans, start=start, end=end, line=2, row=7, is_open=is_open))


def cut(stamp: Stamp, one: Range) -> Iterator[Chunk]:
    return iter_chunks(
        "f.csv",
        iter_range(stamp, one.start, one.stop),
        delimiter=",",
        chunk_bytes=1,
        line=one.line,
        row=one.row,
        offset=one.start,
    )


def run_to_its_end(chunks: Iterable[Chunk]) -> tuple[list[Chunk], str]:
    """Return the chunks and the error that ends them."""
    found: list[Chunk] = []
    try:
        found.extend(chunks)
    except InputError as error:
        return found, str(error)
    return found, ""


@given(text=TEXTS, block=st.integers(1, 12))
@example(text=b'a,1\n\n\nb,"\n"\n', block=3)
@example(text=b'a,1\nb"c,1\nd,"\n",1\n', block=2)
@example(text=b'"a""\nb",1\n"c', block=5)
@example(text=b'a,"\r\n"\r\nb,1\r\n\r\n\r\n', block=4)
@example(text=b'"x\n"""\n""\n"\n', block=1)
def test_ranges_are_the_whole(
    text: bytes, block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Records, lines, rows, offsets and the error are those of one reader."""
    path = tmp_path_factory.getbasetemp() / "ranges.csv"
    path.write_bytes(HEADER + text)
    stamp = stamp_of(path)
    whole = iter_chunks(
        "f.csv", [text], delimiter=",", chunk_bytes=1, line=2, row=7, offset=len(HEADER)
    )
    ranges = find_ranges(stamp, block)
    apart = (chunk for one in ranges for chunk in cut(stamp, one))
    (ours, our_error), (theirs, error) = run_to_its_end(apart), run_to_its_end(whole)
    assert our_error == error
    assert b"".join(chunk.data for chunk in ours) == b"".join(chunk.data for chunk in theirs)
    places = {chunk.offset: (chunk.line, chunk.row) for chunk in theirs}
    for chunk in ours:
        assert chunk.line == 2 + text[: chunk.offset - len(HEADER)].count(b"\n")
        assert places.get(chunk.offset, (chunk.line, chunk.row)) == (chunk.line, chunk.row)
    assert [c.row + c.n_records for c in ours[-1:]] == [c.row + c.n_records for c in theirs[-1:]]
    assert all(one.is_sound for one in ranges[:-1])
    for one, following in itertools.pairwise(ranges):
        assert one.stop == following.start
        assert one.row + one.n_records == following.row
    if ranges and ranges[-1].is_sound:
        n_records = sum(chunk.n_records for chunk in cut(stamp, ranges[-1]))
        assert ranges[-1].n_records == n_records


def test_a_sound_file_is_cut_into_as_many_ranges_as_blocks(tmp_path: Path) -> None:
    """Also with line ends in quotes everywhere: nothing is left for one reader."""
    path = tmp_path / "f.csv"
    path.write_bytes(HEADER + b'"a ""1""\n,\r\n",1\n' * 1000)
    ranges = find_ranges(stamp_of(path), 1000)
    assert len(ranges) == 16 and all(one.is_sound for one in ranges)


def test_a_misplaced_quote_ends_the_ranges_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    good = b'"a\n",1\n' * 500
    path.write_bytes(HEADER + good + b'b"c,1\n' + good)
    *sound, last = find_ranges(stamp_of(path), 700)
    assert len(sound) == 4 and not last.is_sound
    assert len(HEADER) + len(good) - 800 < last.start <= len(HEADER) + len(good)
    assert last.stop == path.stat().st_size


@pytest.mark.parametrize("change", ["longer", "shorter", "newer", "gone"])
def test_a_file_that_is_not_the_one(tmp_path: Path, change: str) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(HEADER + b"a,1\n")
    stamp = stamp_of(path)
    if change == "newer":
        os.utime(path, (1, 1))
    elif change == "gone":
        path.unlink()
    else:
        path.write_bytes(HEADER + b"a,1\n" * (2 * (change == "longer")))
    with pytest.raises(FileError, match="no such file" if change == "gone" else "changed while"):
        read_range(stamp, 0, 5)
