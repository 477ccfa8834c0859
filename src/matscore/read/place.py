"""Where the records of a table are, for a worker to open them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from matscore.errors import FileError
from matscore.read.source import CHANGED, Opening, Stamp
from matscore.read.table import Table


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
        source = self.opening.open(self.stamp.path)
        with contextlib.ExitStack() as stack:
            stack.callback(source.close)
            if source.stamp != self.stamp:
                raise FileError(self.stamp.path, *CHANGED)
            while len(source.head) < self.start and source.extend_head():
                pass
            if source.kind == "csv":
                where = (self.delimiter, self.start, self.line)
                table = Table(source, None, self.width, None, False, *where)
            else:
                from matscore.read.typed import open_typed

                table = open_typed(source)
            stack.pop_all()
        return table
