"""Chunks: whole records and nothing else, whatever the blocks."""

from __future__ import annotations

import csv
import io
import itertools
import os
import time
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matscore.errors import FileError, InputError
from matscore.kernel import find_cut
from matscore.read import split
from matscore.read.ranges import Range, find_end, iter_ranges, scan_block
from matscore.read.source import Stamp, iter_range, read_range
from matscore.read.split import Chunk, find_starts, first_record_end, iter_chunks, split_cells
from tests.read.oracle import read_text

CELLS = st.one_of(
    st.text('ab1 .é"\n\r,;', max_size=5).map(lambda text: '"' + text.replace('"', '""') + '"'),
    st.text("ab1 .é", max_size=6),
)
LINE_ENDS = st.sampled_from(["\n", "\r\n"])


@st.composite
def sound_texts(draw: st.DrawFn) -> bytes:
    """Draw sound records, blank lines among them, and perhaps blank lines at the end."""
    records = draw(st.lists(st.lists(CELLS, min_size=1, max_size=3).map(",".join), max_size=8))
    text = "".join(record + draw(LINE_ENDS) for record in records)
    if draw(st.booleans()):
        text = text.removesuffix("\n").removesuffix("\r")
    return (text + draw(st.sampled_from(["", "", "\n", "\r\n\n", "\n\n\r\n"]))).encode()


# Anything: most of it damaged.
MESSES = st.text('a,"\n\r', max_size=40).map(str.encode)


@st.composite
def blocked(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Cut bytes into blocks, some of which may be empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [
        data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)
    ]  # fmt: skip


def cut(data: bytes, blocks: list[bytes] | None = None, size: int = 8) -> list[Chunk]:
    return list(iter_chunks("x.csv", blocks or [data], delimiter=",", chunk_bytes=size))


def without_blank_end(data: bytes) -> bytes:
    """Drop the blank lines at the end, but not the last record's own line end."""
    body = data.rstrip(b"\r\n")
    end = data.find(b"\n", len(body)) + 1
    return data[: end or None] if body else b""


@settings(max_examples=250, deadline=None)
@given(st.data(), sound_texts(), st.integers(1, 60))
def test_chunks_are_the_input_in_whole_records(
    drawn: st.DataObject, data: bytes, size: int
) -> None:
    records = read_text(data, ",").records
    chunks = cut(data, drawn.draw(blocked(data)), size)

    joined = b"".join(chunk.data for chunk in chunks)
    assert joined == without_blank_end(data) or (not records and joined == b"")
    assert all(chunk.data for chunk in chunks)
    n_done = 0
    for chunk in chunks:
        assert chunk.path == "x.csv"
        assert chunk.row == n_done
        assert chunk.line == records[n_done].line
        assert chunk.offset == len(b"".join(c.data for c in chunks[: chunks.index(chunk)]))
        texts = [record.text for record in read_text(chunk.data, ",").records]
        expected = [record.text for record in records[n_done : n_done + chunk.n_records]]
        assert texts == without_blank_tail(expected)
        n_done += chunk.n_records
    assert n_done == len(records)


def without_blank_tail(texts: list[str]) -> list[str]:
    while texts and not texts[-1].strip("\r"):
        texts = texts[:-1]
    return texts


@settings(max_examples=500, deadline=None)
@given(st.data(), st.one_of(MESSES, sound_texts()), st.integers(1, 20))
@example(None, b'a,b\n5" x,1\nc,d\n', 4)
@example(None, b'a,b\n"x"y,1\n\n', 4)
def test_damage_keeps_to_itself(drawn: st.DataObject | None, data: bytes, size: int) -> None:
    """Cut any text: the same records come out, a misplaced quote's line in a chunk of its own."""
    blocks = [data] if drawn is None else drawn.draw(blocked(data))
    chunks: list[Chunk] = []
    stopped = None
    try:
        chunks.extend(iter_chunks("x.csv", blocks, delimiter=",", chunk_bytes=size))
    except InputError as error:
        stopped = error
    reading = read_text(data, ",")
    if stopped is None and not reading.stops:
        assert b"".join(chunk.data for chunk in chunks) == without_blank_end(data)
        assert sum(chunk.n_records for chunk in chunks) == len(reading.records)
    lines = {record.line: record for record in reading.records}
    for chunk in chunks:
        if chunk.line not in lines:
            assert reading.stops and chunk.line >= reading.stops[0][0]
            continue
        assert chunk.row == reading.records.index(lines[chunk.line])
        found = read_text(chunk.data, ",").records
        damages = [record.damage for record in found]
        assert "quote" not in damages or damages == ["quote"]
        expected = reading.records[chunk.row : chunk.row + chunk.n_records]
        assert [r.text for r in found] == without_blank_tail([r.text for r in expected])
    if stopped is not None:
        assert reading.stops


@settings(deadline=None)
@given(sound_texts(), st.integers(1, 30), st.text("a,1\n", max_size=20))
def test_an_unclosed_quote_is_named_by_its_line(data: bytes, size: int, rest: str) -> None:
    if data and not data.endswith(b"\n"):
        data += b"\n"
    text = data + b'b,"' + rest.encode()
    with pytest.raises(InputError, match="a quote is never closed") as caught:
        cut(text, size=size)
    assert caught.value.line == data.count(b"\n") + 1


def test_the_line_of_an_unclosed_quote_and_not_of_its_record() -> None:
    with pytest.raises(InputError, match="a quote is never closed") as caught:
        cut(b'a,b\n"x\ny","z ""\n"" \n1,2\n')
    assert caught.value.line == 3


def endless(piece: bytes, counted: list[int]) -> Iterator[bytes]:
    while True:
        counted[0] += len(piece)
        yield piece


@pytest.mark.parametrize(
    ("piece", "line"), [(b"a,", 3), (b"a,b\n", 3), (b'a,""\n', 3), (b"aaaa", 3), (b'"",', 3)]
)
def test_an_endless_record_is_refused_with_little_held(
    piece: bytes, line: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split, "MAX_RECORD_BYTES", 10_000)
    counted = [0]
    start = b'a,b\nc,d\n"x' if b"\n" in piece else b"a,b\nc,d\nx,"

    def blocks() -> Iterator[bytes]:
        yield start
        yield from endless(piece, counted)

    with pytest.raises(InputError, match="longer than 64 MiB") as caught:
        list(iter_chunks("x.csv", blocks(), delimiter=",", chunk_bytes=500))
    assert caught.value.line == line
    assert counted[0] < 12_000


def test_a_record_under_the_cap_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "MAX_RECORD_BYTES", 10_000)
    long = b'"' + b"x\n" * 4_900 + b'",1\n'
    chunks = cut(b"a,b\n" + long + b"c,d\n", size=100)
    assert [chunk.data for chunk in chunks] == [b"a,b\n", long + b"c,d\n"]
    assert [(chunk.line, chunk.n_records) for chunk in chunks] == [(1, 1), (2, 2)]


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\r\n", b"\r", b"\n" * 1000])
def test_nothing_but_line_ends_gives_no_chunk(data: bytes) -> None:
    assert cut(data) == []


def test_blank_lines_inside_are_records() -> None:
    chunks = cut(b"a\n\n\r\nb\n\n\n", size=1)
    assert [chunk.data for chunk in chunks] == [b"a\n", b"\n\r\nb\n"]
    assert [(chunk.line, chunk.row, chunk.n_records) for chunk in chunks] == [(1, 0, 1), (2, 1, 3)]


def test_it_starts_where_it_is_told() -> None:
    chunks = list(
        iter_chunks("x", [b"a\nb\n"], delimiter=",", chunk_bytes=2, line=7, row=5, offset=90)
    )
    assert [(c.line, c.row, c.offset) for c in chunks] == [(7, 5, 90), (8, 6, 92)]


def test_find_cut_is_after_the_last_whole_record() -> None:
    assert find_cut(b'a,b\n"c\nd', ",") == 4
    assert find_cut(b"a,b", ",") == 0
    assert find_cut(b"a,b", ",", at_end=True) == 3
    assert find_cut(b'a,b\n5" c,1\nd,e\n', ",") == 4
    assert find_cut(b'5" c,1\nd,e\n', ",") == 7
    assert find_cut(b"a;b\n'c\n", ";") == 7


def time_cutting(data: bytes) -> float:
    blocks = [data[i : i + 2**20] for i in range(0, len(data), 2**20)]
    start = time.process_time()
    chunks = list(iter_chunks("x", blocks, delimiter=",", chunk_bytes=2**22))
    seconds = time.process_time() - start
    assert b"".join(chunk.data for chunk in chunks) == data
    assert list(accumulate((c.n_records for c in chunks), initial=0))[:-1] == [
        chunk.row for chunk in chunks
    ]
    return seconds


def test_quoted_text_is_cut_fast() -> None:
    record = b'"a ""quoted"" label\nof two lines","1.5","2.5","and, some more text"\r\n'
    assert time_cutting(record * (20_000_000 // len(record))) < 5


def test_a_misplaced_quote_in_every_line_is_cut_in_linear_time() -> None:
    """Search each line for itself, not the rest of a buffer of megabytes for each."""
    assert time_cutting(b'5" pipe,1.5,2.5,3.5\n' * 20_000) < 10


def test_small_chunks_of_a_large_record_take_linear_time() -> None:
    record = b'"' + b"x\n" * 100_000 + b'",1\n'
    start = time.process_time()
    chunks = list(iter_chunks("x", [record], delimiter=",", chunk_bytes=1))
    assert time.process_time() - start < 10
    assert [chunk.data for chunk in chunks] == [record]


def test_blank_lines_are_cut_in_linear_time() -> None:
    assert time_cutting(b"1,2\n" + b"\n" * 5_000_000 + b"3,4\n") < 5


ROWS = st.lists(
    st.lists(st.text('a,"\n\r1é ', max_size=5), min_size=1, max_size=4), min_size=1, max_size=4
)


def write_csv(rows: list[list[str]], line_end: str = "\n") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator=line_end).writerows(rows)
    return out.getvalue().encode()


@settings(max_examples=500, deadline=None)
@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_records_are_found(rows: list[list[str]], line_end: str, ended: bool) -> None:
    data = write_csv(rows, line_end)
    if not ended:
        data = data.removesuffix(line_end.encode())
    expected = read_text(data, ",").records
    starts, lines = find_starts(data)
    texts = [Chunk("f", data, 1, 0, len(starts), 0).record(i).decode() for i in range(len(starts))]
    assert texts == [record.text for record in expected]
    assert [1 + n for n in lines.tolist()] == [record.line for record in expected]


@settings(max_examples=500, deadline=None)
@given(ROWS, st.sampled_from(["\n", "\r\n"]))
def test_cells_as_the_csv_module_reads_them(rows: list[list[str]], line_end: str) -> None:
    data = write_csv(rows, line_end)
    end = first_record_end(data)
    record = data[:end].decode().removesuffix(line_end)
    assert split_cells(record, ",") == rows[0]
    read = next(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
    assert split_cells(record, ",") == read


@settings(max_examples=500, deadline=None)
@given(st.lists(st.text('a"1 é', max_size=4), min_size=1, max_size=5), st.sampled_from(",;\t| "))
def test_cells_quoted_only_where_they_need_it(cells: list[str], delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="").writerow(cells)
    assert split_cells(out.getvalue(), delimiter) == cells


def test_a_cell_larger_than_the_csv_modules_limit() -> None:
    cell = "x" * (csv.field_size_limit() + 1)
    assert split_cells(f'"{cell}",1', ",") == [cell, "1"]


def test_a_cell_of_delimiters_takes_linear_time() -> None:
    assert split_cells('"' + "," * 500_000 + '",1', ",")[1] == "1"


@pytest.mark.parametrize(
    ("data", "end"),
    [(b"", 0), (b"a,b", 0), (b"a,b\nc", 4), (b'"a\nb"\nc', 6), (b'"a\n', 0), (b"\n\n", 1)],
)
def test_first_record_end(data: bytes, end: int) -> None:
    assert first_record_end(data) == end


def test_first_record_end_takes_linear_time() -> None:
    assert first_record_end(b'"' + b"1,2\n" * 2_000_000) == 0


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


def cut_range(stamp: Stamp, one: Range) -> Iterator[Chunk]:
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
    apart = (chunk for one in ranges for chunk in cut_range(stamp, one))
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
        n_records = sum(chunk.n_records for chunk in cut_range(stamp, ranges[-1]))
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


def test_records_with_a_line_end_inside_quotes() -> None:
    starts, lines = find_starts(b'a\n"b\nc"\nd')
    assert (starts.tolist(), lines.tolist()) == ([0, 2, 8], [0, 1, 3])
