"""One input for many to read: where its records are, and ranges of a text.

Whether a line end is outside quotes depends on all quotes before it. So a first pass counts, in
each block of the file by itself, quotes and line ends, both for a block that starts outside quotes
and for one that starts inside; adding the blocks up in order then tells how each of them starts,
and with it where its first record ends, at which line and which record of the file. The counts
hold as long as every quote stands where RFC 4180 lets it stand. Where the first does not, the
ranges end, and the rest is for `iter_chunks`, which knows what a misplaced quote means.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from matscore.kernel import Marks, Places
from matscore.read.inputs import full_path
from matscore.read.source import Opening, Stamp, iter_range, read_range, reopen_source
from matscore.read.split import NEWLINE, QUOTE, Chunk, iter_chunks
from matscore.read.table import Table

_EDGE = 2  # bytes beside a quote that tell whether it stands well
_RETURN = 13


@dataclass(frozen=True)
class Place:
    """Where a table's records are, for another process to read them; fields as in `Table`."""

    stamp: Stamp  # with a name that holds in every folder
    opening: Opening
    delimiter: str
    start: int
    line: int
    width: int

    def open(self) -> Table:
        """Open the table; a `FileError` where it has changed."""
        source = reopen_source(self.stamp, self.opening, self.start)
        if source.kind == "csv":
            where = self.delimiter, self.start, self.line
            return Table(source, None, self.width, None, False, *where)
        from matscore.read.typed import open_typed

        with contextlib.ExitStack() as stack:
            stack.callback(source.close)
            table = open_typed(source)
            stack.pop_all()
        return table


def find_place(table: Table) -> Place | None:
    """Return where another process finds a table's records; None for a pipe."""
    source = table.source
    if source.stamp is None:
        return None
    # A worker may have been started in another folder.
    stamp = replace(source.stamp, path=full_path(source.stamp.path))
    return Place(stamp, source.opening, table.delimiter, table.start, table.line, table.width)


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
    # With some bytes before and after it.
    lead, tail = min(_EDGE, start - first), min(_EDGE, stamp.size - stop)
    data = read_range(stamp, start - lead, stop + tail)
    codes = np.frombuffer(data, np.uint8)[lead : len(data) - tail]
    newlines = np.flatnonzero(codes == NEWLINE)
    quotes = np.flatnonzero(codes == QUOTE)
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
    text: Marks = (before != NEWLINE) & (before != _RETURN) & (newlines >= 1)
    text |= (before == _RETURN) & (second != NEWLINE) & (second != _RETURN) & (newlines >= 2)
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
    opens = (before == mark) | (before == NEWLINE) | (before == QUOTE) | (opening == 0)
    after, second = (codes[np.minimum(closing + i, last)] for i in (1, 2))
    closes = (after == mark) | (after == NEWLINE) | (after == QUOTE) | (closing == last)
    closes |= (after == _RETURN) & ((second == NEWLINE) | (closing == last - 1))
    return bool(opens.all() and closes.all())
