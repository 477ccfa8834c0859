"""The structure of records: how wide each is, where it stands, what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matscore.files.split import count_good_quotes

_NEWLINE, _RETURN, _QUOTE = 10, 13, 34
_BOM = "\ufeff".encode()
_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Records:
    """Where the records of a chunk are.

    Attributes
    ----------
    starts, ends : ndarray of shape (n_records,), int64
        Byte positions in the chunk; `ends` are before the line end.
    nexts : ndarray of shape (n_records,), int64
        Where the next record starts.
    widths : ndarray of shape (n_records,), int64
        Cells in each.
    lines : ndarray of shape (n_records,), int64
        Physical lines before each, in the chunk.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    nexts: NDArray[np.int64]
    widths: NDArray[np.int64]
    lines: NDArray[np.int64]


def is_plain(
    data: bytes, delimiter: str, width: int, *, long_refused: bool, short_refused: bool = False
) -> bool:
    """Say whether every record of a text is sound and `width` cells wide.

    Parameters
    ----------
    data : bytes
        Whole records.
    delimiter : str
        One character.
    width : int
        Cells that each record must have.
    long_refused : bool
        Whether the parser that follows refuses every record that is too long, so that it is enough
        that the delimiters and line ends add up. Polars does, but for one that ends in a delimiter
        and has no line end, which is counted here all the same.
    short_refused : bool
        Whether one that is too short is refused there, too, so that none needs to be counted.

    Returns
    -------
    bool
        False where anything is wrong or has to be looked at with care.
    """
    if b"\0" in data or not _is_clean_utf8(data):
        return False
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return False
    is_quoted = b'"' in data
    if is_quoted and has_misplaced_quote(data, delimiter):
        return False
    long_refused = long_refused and data.endswith(b"\n")
    if long_refused and short_refused:
        return True
    if long_refused and width > 1 and not is_quoted:
        codes = np.frombuffer(data, np.uint8)
        n_records = int(np.count_nonzero(codes == _NEWLINE))
        return int(np.count_nonzero(codes == ord(delimiter))) == n_records * (width - 1)
    return _is_even(data, delimiter, width)


def find_records(data: bytes, delimiter: str) -> Records:
    """Find every record of a text whose quotes are sound.

    Parameters
    ----------
    data : bytes
        Whole records.
    delimiter : str
        One character.

    Returns
    -------
    Records
        In order.
    """
    codes = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(codes == _NEWLINE)
    quotes = np.flatnonzero(codes == _QUOTE)
    outer = _outside(newlines, quotes)
    marks = _outside(np.flatnonzero(codes == ord(delimiter)), quotes)
    nexts = outer + 1
    if data and (len(outer) == 0 or nexts[-1] < len(data)):
        nexts = np.append(nexts, len(data))
    starts = np.concatenate([[0], nexts[:-1]]).astype(np.int64)
    ends = nexts - (codes[nexts - 1] == _NEWLINE)
    ends = ends - ((ends > starts) & (codes[ends - 1] == _RETURN))
    widths = np.searchsorted(marks, nexts) - np.searchsorted(marks, starts) + 1
    return Records(starts, ends, nexts, widths, np.searchsorted(newlines, starts))


def has_misplaced_quote(data: bytes, delimiter: str) -> bool:
    """Say whether a quote stands where RFC 4180 allows none, or is never closed."""
    quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == _QUOTE)
    return len(quotes) % 2 == 1 or count_good_quotes(data, quotes, delimiter) < len(quotes)


def find_lone_returns(data: bytes) -> NDArray[np.int64]:
    """Find the carriage returns outside quotes that belong to no line end.

    Parameters
    ----------
    data : bytes
        Whole records whose quotes are sound. A return at the very end is half a line end.

    Returns
    -------
    ndarray of int64
        Their positions.
    """
    codes = np.frombuffer(data, np.uint8)
    returns = np.flatnonzero(codes[:-1] == _RETURN)
    lone = returns[codes[returns + 1] != _NEWLINE]
    return _outside(lone, np.flatnonzero(codes == _QUOTE))


def leaves_quote_open(record: bytes, delimiter: str) -> bool:
    """Say whether a record is inside quotes at its end, when its misplaced quotes are text.

    Parameters
    ----------
    record : bytes
        One record with a misplaced quote, without its line end.
    delimiter : str
        One character.

    Returns
    -------
    bool
        True where nobody can tell whether the next line is another record.
    """
    is_open = False
    for piece in record.split(delimiter.encode()):
        if is_open or piece.startswith(b'"'):
            body = piece if is_open else piece[1:]
            is_open = b'"' not in body.replace(b'""', b"")
    return is_open


def explain_quote(data: bytes, delimiter: str) -> tuple[int, str, str]:
    """Say where and how the first misplaced quote of one record is wrong.

    Parameters
    ----------
    data : bytes
        One record.
    delimiter : str
        One character.

    Returns
    -------
    tuple of int, str, str
        The cell's index from 0, what is wrong, and what to do.
    """
    quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == _QUOTE)
    n_good = count_good_quotes(data, quotes, delimiter)
    marks = np.flatnonzero(np.frombuffer(data, np.uint8) == ord(delimiter))
    if n_good == len(quotes):
        at = int(quotes[-1])
        what, hint = "a quote is never closed", "close it, or double it if it is meant"
    else:
        at = int(quotes[n_good])
        what, hint = "a quote inside an unquoted cell", "quote the whole cell and double the quote"
        if n_good % 2:
            what, hint = "text after a closing quote", "double a quote that is part of the text"
        if data[at - 1 : at] == b"\\" or data[max(at - 2, 0) : at] == b'\\"':
            what, hint = "a quote escaped by a backslash", 'double it instead: ""'
    cell = int(np.searchsorted(_outside(marks, quotes[:n_good]), at))
    return cell, what, hint


def explain_width(
    data: bytes, n_cells: int, width: int, delimiter: str, *, cut_off: bool
) -> tuple[str, str]:
    """Say what is wrong with a record that is too short, too long, or empty.

    Parameters
    ----------
    data : bytes
        One record without its line end.
    n_cells : int
        Cells it has.
    width : int
        Cells it should have.
    delimiter : str
        One character.
    cut_off : bool
        Whether it is the last of the input and has no line end.

    Returns
    -------
    tuple of str, str
        What is wrong, and what to do.
    """
    if not data.strip(b"\r"):
        return "a blank line between records", "remove it"
    what = f"{_count(n_cells, 'cell')}, but the first record has {width}"
    if cut_off and n_cells < width:
        return what, "the file may be cut off"
    others = [mark for mark in _DELIMITERS if mark != delimiter]
    likely = [mark for mark in others if data.count(mark.encode()) == width - 1 > 0]
    if n_cells == 1 and likely:
        return what, f"this line is separated by {likely[0]!r}"
    if n_cells == width + 1 and data.endswith(delimiter.encode()):
        return what, "remove the delimiter at the line's end"
    if n_cells > width:
        return what, "quote a cell that holds the delimiter; see -d for another delimiter"
    return what, "a delimiter is missing, or the line is not data"


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
    """Split one sound record into its cells.

    Parameters
    ----------
    record : str
        Without its line end.
    delimiter : str
        One character.

    Returns
    -------
    list of str
        At least one cell.
    """
    cells: list[str] = []
    held: list[str] = []
    n_quotes = 0
    for piece in record.split(delimiter):
        held.append(piece)
        n_quotes += piece.count('"')
        if n_quotes % 2 == 0:
            cells.append(_unquote(delimiter.join(held)))
            held = []
    return cells


def header_again(record: str, names: Sequence[str] | None, delimiter: str) -> bool:
    """Say whether a record repeats the header."""
    return names is not None and tuple(split_cells(record, delimiter)) == tuple(names)


def _is_clean_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    if _BOM in data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_even(data: bytes, delimiter: str, width: int) -> bool:
    """Say whether each record of a text whose quotes are sound is `width` cells wide."""
    if width == 1 and _has_blank_line(data):
        return False
    others = bytes({*range(256)} - {ord(delimiter), _NEWLINE, _QUOTE})
    marks = np.frombuffer(data.translate(None, others), np.uint8)
    quotes = marks == _QUOTE
    if quotes.any():
        inside = np.cumsum(quotes, dtype=np.uint8) % 2 == 1  # parity outlives the overflow
        marks = marks[~(inside | quotes)]
    found = marks.tobytes() + b"\n" * (not data.endswith(b"\n"))
    return found == (delimiter.encode() * (width - 1) + b"\n") * (len(found) // width)


def _has_blank_line(data: bytes) -> bool:
    return data[:1] == b"\n" or data[:2] == b"\r\n" or b"\n\n" in data or b"\n\r\n" in data


def _outside(marks: NDArray[np.int64], quotes: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(quotes):
        return marks
    outside: NDArray[np.int64] = marks[np.searchsorted(quotes, marks) % 2 == 0]
    return outside


def _unquote(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
