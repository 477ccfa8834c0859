"""Files of pairs: two columns of text, whatever else stands beside them."""

from __future__ import annotations

import contextlib
from collections.abc import Set
from typing import NoReturn

from matscore.errors import InputError
from matscore.frame import join
from matscore.kernel import Texts
from matscore.options import ReadOptions
from matscore.read.parse import Layout, Reject
from matscore.read.rows import parse_sound
from matscore.read.source import SourceFacts
from matscore.read.table import iter_table, open_table

_CHUNK_BYTES = 4 * 2**20


def read_pairs(
    path: str, read: ReadOptions, items: Set[str], *, checksum: bool = False
) -> tuple[Texts, Texts, SourceFacts]:
    """Read the first two columns of a file, whole.

    Parameters
    ----------
    path : str
        A file of any format that matrices are read from.
    read : ReadOptions
        How it is read.
    items : set of str
        What the second column may hold.
    checksum : bool
        Whether its sha256 is computed on the way.

    Returns
    -------
    Texts
        The first column, byte for byte.
    Texts
        The second.
    SourceFacts
        The file itself.

    Raises
    ------
    InputError, FileError
        It cannot be read, is damaged or has one column only.
    """
    table = open_table(path, read, checksum=checksum, values=items)
    with contextlib.closing(table):
        if table.width < 2:
            what, hint = "pairs need two columns", "give it a column of users and one of items"
            raise InputError(path, what, hint, line=1)
        layout = Layout(
            table.names,
            table.width,
            0,
            (1,),
            (),
            table.delimiter,
            read.decimal,
            read.missing,
            read.missing_values,
        )

        def refuse(reject: Reject) -> NoReturn:
            raise reject.as_error(path)

        parts = []
        for chunk in iter_table(table, layout, chunk_bytes=_CHUNK_BYTES):
            parsed = parse_sound(layout, chunk, refuse)
            parts.append((parsed.texts[0], parsed.texts[1]))
        facts = table.source.facts()
    none = Texts.from_strings([])
    whos, whats = zip((none, none), *parts, strict=True)
    return join(whos), join(whats), facts
