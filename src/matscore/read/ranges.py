"""One large text into ranges that many can read at once, cut where records end.

Whether a line end is outside quotes depends on all quotes before it. So a first pass counts, in
each block of the file by itself, quotes and line ends, both for a block that starts outside quotes
and for one that starts inside; adding the blocks up in order then tells how each of them starts,
and with it where its first record ends, at which line and which record of the file.

The counts hold as long as every quote stands where RFC 4180 lets it stand. Where the first does
not, the ranges end, and the rest is for `iter_chunks`, which knows what a misplaced quote means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from matscore.read.source import Stamp, read_range

_LOOK_BYTES = 2**12
_EDGE = 2  # bytes beside a quote that tell whether it stands well
_NEWLINE, _RETURN, _QUOTE = 10, 13, 34


@dataclass(frozen=True)
class Edge:
    """Where a record of a block ends, for one way in which the block may start.

    It is the first one that is not blank: blank lines stay before the record after them, since
    only that tells whether they are the last of the file.

    Attributes
    ----------
    n_outer : int
        Line ends outside quotes in the block.
    cut : int
        Bytes up to the record's end; 0 where there is none.
    row, line : int
        Line ends up to there, outside quotes and all.
    is_good : bool
        Whether all quotes stand where they may.
    """

    n_outer: int
    cut: int
    row: int
    line: int
    is_good: bool


@dataclass(frozen=True)
class BlockScan:
    """What the first pass knows of a block.

    Attributes
    ----------
    start, stop : int
        Bytes of the file.
    n_quotes, n_lines : int
        Quotes and line ends.
    outside, inside : Edge
        For a block that starts outside quotes, and inside.
    """

    start: int
    stop: int
    n_quotes: int
    n_lines: int
    outside: Edge
    inside: Edge


@dataclass(frozen=True)
class Range:
    """A run of whole records of a file.

    Attributes
    ----------
    stamp : Stamp
        The file.
    start, stop : int
        Its bytes in the file.
    line : int
        Physical line, from 1, at which it starts.
    row : int
        Records before it, over all inputs.
    n_records : int
        Records in it; where it is not sound, only those that are known.
    is_sound : bool
        Whether its quotes are known to stand well; the last one of a file may be the rest of it,
        of which only the start is known.
    """

    stamp: Stamp
    start: int
    stop: int
    line: int
    row: int
    n_records: int
    is_sound: bool = True


def scan_block(stamp: Stamp, start: int, stop: int, first: int, delimiter: str) -> BlockScan:
    """Count the quotes and line ends of a block.

    Parameters
    ----------
    stamp : Stamp
        The file.
    start, stop : int
        The block's bytes.
    first : int
        Where the file's records start; nothing before it is looked at.
    delimiter : str
        One character.

    Returns
    -------
    BlockScan
        The counts.

    Raises
    ------
    FileError
        The file cannot be read here, or has changed.
    """
    lead = min(_EDGE, start - first)
    tail = min(_EDGE, stamp.size - stop)
    data = read_range(stamp, start - lead, stop + tail)
    return scan_bytes(data, start, lead, tail, delimiter)


def scan_bytes(data: bytes, start: int, lead: int, tail: int, delimiter: str) -> BlockScan:
    r"""Count the quotes and line ends of a block that is in memory.

    Parameters
    ----------
    data : bytes
        The block, and some bytes before and after it.
    start : int
        Byte of the file at which the block starts.
    lead, tail : int
        How many bytes before and after it there are.
    delimiter : str
        One character.

    Examples
    --------
    >>> scan = scan_bytes(b'a,"x\ny"\nb,z\n', 100, 0, 0, ",")
    >>> scan.n_quotes, scan.n_lines, scan.outside.n_outer, scan.outside.cut, scan.outside.line
    (2, 3, 2, 8, 2)
    """
    codes = np.frombuffer(data, np.uint8)[lead : len(data) - tail]
    if b'"' not in data:
        n_lines = int(np.count_nonzero(codes == _NEWLINE))
        outside = replace(_find_first(data, lead, tail), n_outer=n_lines)
        return BlockScan(start, start + len(codes), 0, n_lines, outside, Edge(0, 0, 0, 0, True))
    newlines = np.flatnonzero(codes == _NEWLINE)
    quotes = np.flatnonzero(codes == _QUOTE)
    parity = np.searchsorted(quotes, newlines) & 1
    full = _end_text(data, newlines + lead)
    edges = [
        _find_edge(newlines, parity == way, full, _stand_well(data, quotes + lead, way, delimiter))
        for way in (0, 1)
    ]
    return BlockScan(start, start + len(codes), len(quotes), len(newlines), *edges)


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

    Parameters
    ----------
    stamp : Stamp
        The file.
    scans : iterable of BlockScan
        Of the blocks from `start` on, in order.
    start, end : int
        Bytes of the file at which its records start, and end.
    line, row : int
        What the first range starts with.
    is_open : bool
        Whether the last record lacks its line end.

    Yields
    ------
    Range
        In order. The last one ends at `end`, and it alone may be unsound.
    """
    n_quotes, n_lines, n_records = 0, line, row
    begin, begin_line, begin_row = start, line, row
    is_sound = True
    for scan in scans:
        edge = scan.inside if n_quotes % 2 else scan.outside
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
    """Return where a file's last record ends: blank lines after it are none of the file's records.

    Parameters
    ----------
    stamp : Stamp
        The file.
    start : int
        Where its records start.
    """
    end, size = stamp.size, 2**16
    while end > start:
        begin = max(start, end - size)
        data = read_range(stamp, begin, end)
        kept = data.rstrip(b"\r\n")
        if kept:
            newline = data.find(b"\n", len(kept))
            if newline >= 0:
                return begin + newline + 1
            # The line end of the last record may be in the part that was cut off before.
            return _find_newline(stamp, begin + len(kept))
        end, size = begin, 2 * size
    return start


def _find_newline(stamp: Stamp, at: int) -> int:
    data = read_range(stamp, at, min(stamp.size, at + _EDGE))
    return at + data.find(b"\n") + 1 if b"\n" in data else stamp.size


def _find_first(data: bytes, lead: int, tail: int) -> Edge:
    """Find the edge of a block without quotes, of which little is looked at."""
    size = _LOOK_BYTES
    while True:
        codes = np.frombuffer(data, np.uint8)[lead : min(lead + size, len(data) - tail)]
        newlines = np.flatnonzero(codes == _NEWLINE)
        full = _end_text(data, newlines + lead)
        edge = _find_edge(newlines, np.ones(len(newlines), dtype=np.bool_), full, True)
        if edge.cut or lead + size >= len(data) - tail:
            return edge
        size *= 4


def _find_edge(
    newlines: NDArray[np.int64],
    outer: NDArray[np.bool_],
    full: NDArray[np.bool_],
    is_good: bool,
) -> Edge:
    n_outer, ends = int(np.count_nonzero(outer)), outer & full
    first = int(ends.argmax()) if len(ends) else 0
    if not len(ends) or not ends[first]:
        return Edge(n_outer, 0, 0, 0, is_good)
    row = int(np.count_nonzero(outer[: first + 1]))
    return Edge(n_outer, int(newlines[first]) + 1, row, first + 1, is_good)


def _end_text(data: bytes, newlines: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell line ends that surely end a line with text in it."""
    codes = np.frombuffer(data, np.uint8)
    before, second = codes[newlines - 1], codes[newlines - 2]
    text: NDArray[np.bool_] = (before != _NEWLINE) & (before != _RETURN) & (newlines >= 1)
    text |= (before == _RETURN) & (second != _NEWLINE) & (second != _RETURN) & (newlines >= 2)
    return text


def _stand_well(data: bytes, quotes: NDArray[np.int64], way: int, delimiter: str) -> bool:
    """Say whether all quotes stand where they may, the first one closing where `way` is 1.

    The quotes of a well-formed text alternate between opening and closing, a doubled quote being a
    close and an open side by side. So an opening quote stands after a delimiter, a line end or a
    quote, and a closing one before a delimiter, a line end, a quote or the end.
    """
    if not len(quotes):
        return True
    codes, mark, last = np.frombuffer(data, np.uint8), ord(delimiter), len(data) - 1
    opening, closing = quotes[way::2], quotes[1 - way :: 2]
    before = codes[opening - 1]  # for a quote at 0 this is the last byte; mended below
    opens = (before == mark) | (before == _NEWLINE) | (before == _QUOTE) | (opening == 0)
    after, second = (codes[np.minimum(closing + i, last)] for i in (1, 2))
    closes = (after == mark) | (after == _NEWLINE) | (after == _QUOTE) | (closing == last)
    closes |= (after == _RETURN) & ((second == _NEWLINE) | (closing == last - 1))
    return bool(opens.all() and closes.all())
