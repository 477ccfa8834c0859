"""The file of ``--rename``: the names of columns in the features file and in the weights file."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from matscore.errors import InputError
from matscore.options import PlanOptions, ReadOptions
from matscore.read.rows import parse_sound
from matscore.read.table import open_table

_CHUNK_BYTES = 2**20


def read_renames(align: PlanOptions, read: ReadOptions) -> PlanOptions:
    """Return options with the pairs of their file, the first of which may be its header."""
    if align.rename is None:
        return align
    # Both names are text, whatever they look like, and the plan tells a header from a pair.
    read = replace(read.of_others, headers=False)
    pairs: list[tuple[str, str]] = []
    with contextlib.closing(open_table(str(align.rename), read)) as table:
        if table.width != 2:
            what = f"{table.width} columns, where there are to be two names a line"
            hint = "give the name in the features file, then the one in the weights file; see -d"
            raise InputError(table.path, what, hint, line=1)
        layout = table.lay_out(read, label=0, kept=(1,), missing="keep")
        for chunk in table.iter_chunks(layout, chunk_bytes=_CHUNK_BYTES):
            rows = parse_sound(layout, chunk)
            pairs += zip(map(str, rows.labels), rows.texts[0], strict=True)
    return replace(align, renames=tuple(pairs))
