"""Where records start, what is wrong with one, and its cells; for the few that are looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_NEWLINE, _QUOTE = 10, 34
_DELIMITERS = ",;\t|"


def find_starts(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    r"""Find the records of a text whose quotes are sound.

    Parameters
    ----------
    data : bytes
        Whole records.

    Returns
    -------
    ndarray of shape (n_records,), int64
        Where each starts.
    ndarray of shape (n_records,), int64
        Physical lines before each.

    Examples
    --------
    >>> starts, lines = find_starts(b'a\n"b\nc"\nd')
    >>> starts.tolist(), lines.tolist()
    ([0, 2, 8], [0, 1, 3])
    """
    codes = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(codes == _NEWLINE)
    quotes = np.flatnonzero(codes == _QUOTE)
    outer = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    starts = np.concatenate([[0], outer + 1])
    starts = starts[starts < len(data)]
    return starts, np.searchsorted(newlines, starts)


def cut_record(data: bytes, starts: NDArray[np.int64], i: int) -> bytes:
    """Return a record's bytes without its line end."""
    end = int(starts[i + 1]) if i + 1 < len(starts) else len(data)
    return data[int(starts[i]) : end].removesuffix(b"\n").removesuffix(b"\r")


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
    if '"' not in record:
        return record.split(delimiter)
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


def _unquote(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
