"""Bytes into chunks: runs of whole records, cut where a record ends and nowhere else.

A line end inside quotes is not a record's end, so where a block has quotes they are followed from
the start of the file. RFC 4180 allows a quote only at a field's start and at its end; the place of
the first quote that stands elsewhere is where the damage is, and the line it stands in becomes a
chunk of its own, so that the records before and after it keep their meaning.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from matscore.errors import InputError
from matscore.kernel import count_records, find_cut

MAX_RECORD_BYTES = 64 * 2**20
_REACH_BYTES = 2**12
_QUOTE = 34


@dataclass(frozen=True)
class Chunk:
    """A run of whole records.

    Attributes
    ----------
    path : str
        The input it comes from.
    data : bytes
        The records, each with its line end (the last of a file may lack it).
    line : int
        Physical line, from 1, at which it starts.
    row : int
        Records before it, over all inputs.
    n_records : int
        Records in it, blank lines included.
    offset : int
        Bytes before it, after decompression.
    """

    path: str
    data: bytes
    line: int
    row: int
    n_records: int
    offset: int


def iter_chunks(
    path: str,
    blocks: Iterable[bytes],
    *,
    delimiter: str,
    chunk_bytes: int,
    line: int = 1,
    row: int = 0,
    offset: int = 0,
) -> Iterator[Chunk]:
    """Cut a stream of bytes at record boundaries.

    Blank lines at the very end are dropped; blank lines inside stay in their chunk.

    Parameters
    ----------
    path : str
        Name for messages.
    blocks : iterable of bytes
        The stream, starting at a record boundary, in pieces of any size.
    delimiter : str
        One character.
    chunk_bytes : int
        Size aimed at, in bytes. A chunk is larger only where one record is.
    line, row, offset : int
        What the first chunk starts with.

    Yields
    ------
    Chunk
        In order; none is empty.

    Raises
    ------
    InputError
        A record longer than `MAX_RECORD_BYTES`, or a quote that is never closed.
    """
    position = _Position(path, line, row, offset)
    most = MAX_RECORD_BYTES + chunk_bytes
    rest, held, n_held, n_wanted, is_quoted = b"", [b""], 0, chunk_bytes, False
    for block in itertools.chain(_split_large(blocks, chunk_bytes), [b""]):
        held.append(block)
        n_held += len(block)
        is_quoted = is_quoted or b'"' in block
        if block and n_held < n_wanted:
            continue
        if cut := 0 if is_quoted else _find_plain_cut(block):
            yield position.take(b"".join([*held[:-1], memoryview(block)[:cut]]))
            rest = block[cut:]
        else:
            data, start = b"".join(held), position.offset
            for piece in _iter_pieces(data, delimiter, at_end=not block):
                yield position.take(piece)
            rest = data[position.offset - start :]
        if len(rest) > most:
            raise _endless(rest, position, "the record is longer than 64 MiB")
        # A long record is looked at again when twice as much of it is there.
        n_wanted = min(max(len(rest), chunk_bytes), most + 1 - len(rest))
        held, n_held, is_quoted = [rest], 0, b'"' in rest
    if rest.strip(b"\r\n"):
        raise _endless(rest, position, "a quote is never closed")


def _find_plain_cut(block: bytes) -> int:
    """Find where a text without quotes can be cut, in its last block alone; 0 to look at it all."""
    newline = block.rfind(b"\n")
    is_blank = block[max(newline - 2, 0) : max(newline, 0)].rstrip(b"\r")[-1:] in (b"", b"\n")
    return 0 if is_blank else newline + 1


def _iter_pieces(data: bytes, delimiter: str, *, at_end: bool) -> Iterator[bytes]:
    """Cut all whole records off a buffer that starts at a record boundary.

    Each cut is sought in twice the bytes that the one before it took, so that a buffer with a
    misplaced quote in every line is not searched to its end for every line.
    """
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
    line: int
    row: int
    offset: int

    def take(self, data: bytes) -> Chunk:
        n_lines, n_records = count_records(data)
        chunk = Chunk(self.path, data, self.line, self.row, n_records, self.offset)
        self.line += n_lines
        self.row += n_records
        self.offset += len(data)
        return chunk


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
    return InputError(position.path, what, hint, line=position.line + rest.count(b"\n", 0, at))
