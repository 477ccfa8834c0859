"""Bytes into chunks: runs of whole records, cut where a record ends and nowhere else.

A line end inside quotes is not a record's end, so where a block has quotes they are followed from
the start of the file. RFC 4180 allows a quote only at a field's start and at its end; the place of
the first quote that stands elsewhere is where the damage is, and the line it stands in becomes a
chunk of its own, so that the records before and after it keep their meaning.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from matscore.errors import InputError
from matscore.kernel import Places, count_records, find_cut

if TYPE_CHECKING:
    from matscore.read.rows import Layout

MAX_RECORD_BYTES = 64 * 2**20
_REACH_BYTES = 2**12
NEWLINE, QUOTE = 10, 34


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
    quotes = np.flatnonzero(np.frombuffer(rest, np.uint8) == QUOTE)
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
    newlines = np.flatnonzero(codes == NEWLINE)
    quotes = np.flatnonzero(codes == QUOTE)
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
