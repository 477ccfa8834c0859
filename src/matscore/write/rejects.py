"""The file of rows set aside: where each stood, why, and its text, ready to be mended."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from matscore.read.faults import Reject

COLUMNS = ("file", "line", "column", "name", "error", "text")


def encode_rejects_header() -> bytes:
    r"""Return the first line of the file.

    Examples
    --------
    >>> encode_rejects_header()
    b'file,line,column,name,error,text\n'
    """
    return _encode([COLUMNS])


def encode_rejects(path: str, rejects: Iterable[Reject]) -> bytes:
    """Return the lines of some rejects.

    Parameters
    ----------
    path : str
        The input they come from.
    rejects : iterable of Reject
        In order.

    Returns
    -------
    bytes
        CSV in UTF-8; ``column`` and ``name`` are empty where the whole record is at fault.
    """
    return _encode(
        (path, r.line, r.column or "", r.name or "", r.error, r.text) for r in rejects
    )  # fmt: skip


def _encode(rows: Iterable[Iterable[object]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8", "surrogateescape")
