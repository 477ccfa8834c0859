"""Bytes into chunks: runs of whole records, cut where a record ends and nowhere else.

A line end inside quotes is not a record's end, so where a block has quotes they are followed from
the start of the file. RFC 4180 allows a quote only at a field's start and at its end; the place of
the first quote that stands elsewhere is where the damage is, and the line it stands in becomes a
chunk of its own, so that the records before and after it keep their meaning.

One large text is also cut into ranges that many can read at once: `iter_ranges`.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.errors import InputError
from matscore.kernel import count_records, find_cut
from matscore.read.source import Stamp, iter_range, read_range

if TYPE_CHECKING:
    from matscore.read.rows import Layout

MAX_RECORD_BYTES = 64 * 2**20
_REACH_BYTES = 2**12
_EDGE = 2  # bytes beside a quote that tell whether it stands well
_NEWLINE, _RETURN, _QUOTE = 10, 13, 34

Places: TypeAlias = NDArray[np.int64]
Marks: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Chunk:
    """A run of whole records, each with its line end (the last of a file may lack it)."""

    path: str
    data: bytes
    line: int  # physical line, from 1, at which it starts
    row: int  # records before it, over all inputs
    n_records: int  # blank lines included
    offset: int  # bytes before it, after decompression
    # Of a text whose lines are rewritten: the lines of the chunk before each that was left out.
    gaps: Places | None = None

    @cached_property
    def _bounds(self) -> tuple[Places, Places]:
        return find_starts(self.data)

    @property
    def starts(self) -> Places:
        """Where each record starts, of shape (n_records,), if the chunk's quotes are sound."""
        return self._bounds[0]

    @property
    def lines(self) -> Places:
        """The physical line of each record, of the same shape."""
        is_plain = self.n_records <= 1 or b'"' not in self.data
        lines = np.arange(self.n_records) if is_plain else self._bounds[1]
        n_gone = 0 if self.gaps is None else np.searchsorted(self.gaps, lines, "right")
        return self.line + lines + n_gone

    def line_of(self, n_before: int) -> int:
        """Return the physical line of one that has so many lines of the chunk before it."""
        n_gone = 0 if self.gaps is None else int(np.searchsorted(self.gaps, n_before, "right"))
        return self.line + n_before + n_gone

    def record(self, i: int) -> bytes:
        """Return a record without its line end."""
        starts = self.starts
        end = int(starts[i + 1]) if i + 1 < len(starts) else len(self.data)
        return self.data[int(starts[i]) : end].removesuffix(b"\n").removesuffix(b"\r")

    def locate(
        self, layout: Layout, record: int, column: int | None
    ) -> tuple[int, int | None, str | None]:
        """Return line, column and name of a cell, or of a whole record."""
        line = self.line_of(int(self._bounds[1][record]))
        return (line, None, None) if column is None else (line, column + 1, layout.name_of(column))

    def halve(self) -> tuple[Chunk, Chunk] | None:
        """Cut it in two; None where it has one record, or a misplaced quote blurs the records."""
        half = self.n_records // 2
        return self.cut(half) if half and len(self.starts) == self.n_records else None

    def cut(self, half: int) -> tuple[Chunk, Chunk]:
        """Cut it after some of its records, but not all, that quotes do not blur."""
        at, n_rest = int(self.starts[half]), self.n_records - half
        line, row = int(self.lines[half]), self.row + half
        gaps = self.gaps
        if gaps is not None:
            n_lines = int(self._bounds[1][half])
            gaps = gaps[gaps > n_lines] - n_lines
        rest = Chunk(self.path, self.data[at:], line, row, n_rest, self.offset + at, gaps)
        return replace(self, data=self.data[:at], n_records=half), rest


def iter_chunks(
    path: str,
    blocks: Iterable[bytes],
    *,
    delimiter: str,
    chunk_bytes: int,
    line: int = 1,
    row: int = 0,
    offset: int = 0,
    gaps: deque[int] | None = None,
) -> Iterator[Chunk]:
    """Cut a stream of bytes, which starts at a record's start, where records end.

    A chunk is larger than is aimed at only where one record is. Blank lines at the very end are
    dropped; blank lines inside stay in their chunk. `line`, `row` and `offset` are the first one's.
    Of lines that were left out, `gaps` has the lines of the input that stay before each; they are
    taken out of it.
    """
    position = _Position(path, line, row, offset, gaps)
    most = MAX_RECORD_BYTES + chunk_bytes
    # Lines that are rewritten come in blocks of whole ones: nearly full is full.
    slack = 0 if gaps is None else chunk_bytes // 8
    rest, blocks_read, n_read, n_wanted, is_quoted = b"", [b""], 0, chunk_bytes, False
    for block in itertools.chain(_split_large(blocks, chunk_bytes), [b""]):
        blocks_read.append(block)
        n_read += len(block)
        is_quoted = is_quoted or b'"' in block
        if block and n_read + slack < n_wanted:
            continue
        # Without quotes every line end is a record's end, and the last block alone tells the cut.
        if cut := 0 if is_quoted else _find_plain_cut(block):
            yield position.take(b"".join([*blocks_read[:-1], memoryview(block)[:cut]]))
            rest = block[cut:]
        else:
            data, start = b"".join(blocks_read), position.offset
            for piece in _iter_pieces(data, delimiter, at_end=not block):
                yield position.take(piece)
            rest = data[position.offset - start :]
        if len(rest) > most:
            raise _endless(rest, position, "the record is longer than 64 MiB")
        # A long record is looked at again when twice as much of it is there.
        n_wanted = min(max(len(rest), chunk_bytes), most + 1 - len(rest))
        blocks_read, n_read, is_quoted = [rest], 0, b'"' in rest
    if rest.strip(b"\r\n"):
        raise _endless(rest, position, "a quote is never closed")


def _find_plain_cut(block: bytes) -> int:
    """Find where a text without quotes can be cut, in its last block alone; 0 to look at it all."""
    # Blank lines may be the last of the file, which are dropped: that is looked at with care.
    newline = block.rfind(b"\n")
    is_blank = block[max(newline - 2, 0) : max(newline, 0)].rstrip(b"\r")[-1:] in (b"", b"\n")
    return 0 if is_blank else newline + 1


def _iter_pieces(data: bytes, delimiter: str, *, at_end: bool) -> Iterator[bytes]:
    """Cut all whole records off a buffer that starts at a record boundary."""
    # Each cut is sought in twice the bytes that the one before it took, so that a buffer with a
    # misplaced quote in every line is not searched to its end for every line.
    start, reach = 0, len(data)
    while start < len(data):
        window = data[start : start + reach]
        ends = start + len(window) == len(data)
        cut = find_cut(window, delimiter, at_end=at_end and ends)
        if cut:
            yield window[:cut]
            start += cut
            reach = max(2 * cut, _REACH_BYTES)
        elif ends:
            return
        else:
            reach *= 2


@dataclass
class _Position:
    path: str
    line: int  # of those that stay
    row: int
    offset: int
    gaps: deque[int] | None
    n_gone: int = 0  # lines that were left out before

    def take(self, data: bytes) -> Chunk:
        n_lines, n_records = count_records(data)
        gaps = None
        if self.gaps is not None:
            begin = self.line - 1
            self.n_gone += len(self._pass(begin))
            # A last line without its end is a line all the same.
            last = begin + n_lines - data.endswith(b"\n")
            gaps = np.array(self._pass(last), np.int64) - begin
        line = self.line + self.n_gone
        chunk = Chunk(self.path, data, line, self.row, n_records, self.offset, gaps)
        self.n_gone += 0 if gaps is None else len(gaps)
        self.line += n_lines
        self.row += n_records
        self.offset += len(data)
        return chunk

    def _pass(self, last: int) -> list[int]:
        """Take the gaps that have at most so many lines before them."""
        found = []
        while self.gaps and self.gaps[0] <= last:
            found.append(self.gaps.popleft())
        return found


def _split_large(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Split blocks larger than `size` and leave empty ones out."""
    for block in blocks:
        for start in range(0, len(block), size):
            yield block if len(block) <= size else block[start : start + size]


def _endless(rest: bytes, position: _Position, what: str) -> InputError:
    """Name the line where the open quote stands, or where the record starts that has none."""
    quotes = np.flatnonzero(np.frombuffer(rest, np.uint8) == _QUOTE)
    at = len(rest) - len(rest.lstrip(b"\r\n"))
    if len(quotes) % 2:
        doubled = np.concatenate([[False], np.diff(quotes) == 1])
        at = int(quotes[0::2][~doubled[0::2]][-1])
    hint = "look for a stray quote or a missing line end"
    line = position.line + rest.count(b"\n", 0, at)
    n_gone = position.n_gone + sum(place < line for place in position.gaps or ())
    return InputError(position.path, what, hint, line=line + n_gone)


def find_starts(data: bytes) -> tuple[Places, Places]:
    """Find where each record of a text with sound quotes starts, and the lines before each."""
    codes = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(codes == _NEWLINE)
    quotes = np.flatnonzero(codes == _QUOTE)
    outer = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    starts = np.concatenate([[0], outer + 1])
    starts = starts[starts < len(data)]
    return starts, np.searchsorted(newlines, starts)


def first_record_end(data: bytes) -> int:
    """Return where the second record of a text starts, or 0 if the first one does not end."""
    start, n_quotes = 0, 0
    while newline := data.find(b"\n", start) + 1:
        n_quotes += data.count(b'"', start, newline)
        if n_quotes % 2 == 0:
            return newline
        start = newline
    return 0


def split_cells(record: str, delimiter: str) -> list[str]:
    """Split one sound record, without its line end, into its cells, at least one."""
    # The csv module has a limit for a cell, which holds for all of the process.
    if '"' not in record:
        return record.split(delimiter)
    cells: list[str] = []
    pieces: list[str] = []
    n_quotes = 0
    for piece in record.split(delimiter):
        pieces.append(piece)
        n_quotes += piece.count('"')
        if n_quotes % 2 == 0:
            cell = delimiter.join(pieces)
            cells.append(cell[1:-1].replace('""', '"') if cell.startswith('"') else cell)
            pieces = []
    return cells


# Whether a line end is outside quotes depends on all quotes before it. So a first pass counts, in
# each block of the file by itself, quotes and line ends, both for a block that starts outside
# quotes and for one that starts inside; adding the blocks up in order then tells how each of them
# starts, and with it where its first record ends, at which line and which record of the file. The
# counts hold as long as every quote stands where RFC 4180 lets it stand. Where the first does not,
# the ranges end, and the rest is for `iter_chunks`, which knows what a misplaced quote means.


@dataclass(frozen=True)
class Edge:
    """Where the first record of a block ends that is not blank, for one way to start it."""

    # Blank lines stay before the record after them: only that tells that they are not the last.

    n_outer: int  # line ends outside quotes in the block
    cut: int  # bytes up to the record's end; 0 where there is none
    row: int  # line ends up to there that are outside quotes
    line: int  # and all of them
    is_good: bool  # whether all quotes stand where they may


@dataclass(frozen=True)
class BlockScan:
    """What the first pass knows of a block."""

    start: int  # byte of the file
    n_quotes: int
    n_lines: int
    outside: Edge  # for a block that starts outside quotes
    inside: Edge


@dataclass(frozen=True)
class Range:
    """A run of whole records of a file, or the rest of it, of which only the start is sound."""

    stamp: Stamp
    start: int
    stop: int
    line: int  # physical line, from 1, at which it starts
    row: int  # records before it, over all inputs
    n_records: int  # those that are known, where it is not sound
    is_sound: bool = True

    def iter_chunks(self, path: str, delimiter: str, chunk_bytes: int) -> Iterator[Chunk]:
        """Read it, chunk by chunk; `path` is the file's name in messages."""
        return iter_chunks(
            path,
            iter_range(self.stamp, self.start, self.stop),
            delimiter=delimiter,
            chunk_bytes=chunk_bytes,
            line=self.line,
            row=self.row,
            offset=self.start,
        )


def scan_block(stamp: Stamp, start: int, stop: int, first: int, delimiter: str) -> BlockScan:
    """Count the quotes and line ends of a block; nothing before byte `first` is looked at."""
    lead = min(_EDGE, start - first)
    tail = min(_EDGE, stamp.size - stop)
    data = read_range(stamp, start - lead, stop + tail)
    return scan_bytes(data, start, lead, tail, delimiter)


def scan_bytes(data: bytes, start: int, lead: int, tail: int, delimiter: str) -> BlockScan:
    """Count the quotes and line ends of a block with some bytes before and after it."""
    codes = np.frombuffer(data, np.uint8)[lead : len(data) - tail]
    newlines = np.flatnonzero(codes == _NEWLINE)
    quotes = np.flatnonzero(codes == _QUOTE)
    # A line end is inside quotes where the number of quotes before it is odd.
    parity = np.searchsorted(quotes, newlines) & 1
    full = _end_text(data, newlines + lead)
    edges = [
        _find_edge(
            newlines, parity == way, full, is_good=_stand_well(data, quotes + lead, way, delimiter)
        )
        for way in (0, 1)
    ]
    return BlockScan(start, len(quotes), len(newlines), *edges)


def iter_ranges(
    stamp: Stamp,
    scans: Iterable[BlockScan],
    *,
    start: int,
    end: int,
    line: int,
    row: int,
    is_open: bool = False,
) -> Iterator[Range]:
    """Add scans up and yield ranges of whole records, each about as long as a block.

    The blocks are all from `start` to `end`, in order; `line` and `row` are the first range's.
    Where `is_open`, the last record lacks its line end. Only the last range may be unsound.
    """
    n_quotes, n_lines, n_records = 0, line, row
    begin, begin_line, begin_row = start, line, row
    is_sound = True
    for scan in scans:
        edge = scan.inside if n_quotes % 2 else scan.outside
        # From a misplaced quote on, nobody can tell which line ends are outside quotes.
        if not edge.is_good:
            is_sound = False
            break
        cut = scan.start + edge.cut
        if edge.cut and start < scan.start and cut < end:
            cut_line, cut_row = n_lines + edge.line, n_records + edge.row
            yield Range(stamp, begin, cut, begin_line, begin_row, cut_row - begin_row)
            begin, begin_line, begin_row = cut, cut_line, cut_row
        n_quotes += scan.n_quotes
        n_lines += scan.n_lines
        n_records += edge.n_outer
    if begin < end:
        n_left = n_records - begin_row + is_open
        is_sound = is_sound and n_quotes % 2 == 0
        yield Range(stamp, begin, end, begin_line, begin_row, n_left, is_sound)


def find_end(stamp: Stamp, start: int) -> int:
    """Return where a file's last record ends: blank lines after it are none of its records."""
    end, size = stamp.size, 2**16
    while end > start:
        begin = max(start, end - size)
        data = read_range(stamp, begin, end)
        if kept := data.rstrip(b"\r\n"):
            # The line end of the last record may be in the part that was cut off before.
            tail = data[len(kept) :] + read_range(stamp, end, min(stamp.size, end + _EDGE))
            return begin + len(kept) + tail.find(b"\n") + 1 if b"\n" in tail else stamp.size
        end, size = begin, 2 * size
    return start


def _find_edge(newlines: Places, outer: Marks, full: Marks, *, is_good: bool) -> Edge:
    n_outer, ends = int(np.count_nonzero(outer)), outer & full
    first = int(ends.argmax()) if len(ends) else 0
    if not len(ends) or not ends[first]:
        return Edge(n_outer, 0, 0, 0, is_good)
    row = int(np.count_nonzero(outer[: first + 1]))
    return Edge(n_outer, int(newlines[first]) + 1, row, first + 1, is_good)


def _end_text(data: bytes, newlines: Places) -> Marks:
    """Tell line ends that surely end a line with text in it."""
    codes = np.frombuffer(data, np.uint8)
    before, second = codes[newlines - 1], codes[newlines - 2]
    text: Marks = (before != _NEWLINE) & (before != _RETURN) & (newlines >= 1)
    text |= (before == _RETURN) & (second != _NEWLINE) & (second != _RETURN) & (newlines >= 2)
    return text


def _stand_well(data: bytes, quotes: Places, way: int, delimiter: str) -> bool:
    """Say whether all quotes stand where they may, the first one closing where `way` is 1."""
    if not len(quotes):
        return True
    # The quotes of a well-formed text alternate between opening and closing, a doubled quote being
    # a close and an open side by side. So an opening quote stands after a delimiter, a line end or
    # a quote, and a closing one before a delimiter, a line end, a quote or the end.
    codes, mark, last = np.frombuffer(data, np.uint8), ord(delimiter), len(data) - 1
    opening, closing = quotes[way::2], quotes[1 - way :: 2]
    before = codes[opening - 1]  # for a quote at 0 this is the last byte; mended below
    opens = (before == mark) | (before == _NEWLINE) | (before == _QUOTE) | (opening == 0)
    after, second = (codes[np.minimum(closing + i, last)] for i in (1, 2))
    closes = (after == mark) | (after == _NEWLINE) | (after == _QUOTE) | (closing == last)
    closes |= (after == _RETURN) & ((second == _NEWLINE) | (closing == last - 1))
    return bool(opens.all() and closes.all())
