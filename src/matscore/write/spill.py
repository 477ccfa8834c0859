"""Rows of numbers in a file of their own, for those that memory does not hold."""

from __future__ import annotations

import os
import tempfile
from contextlib import AbstractContextManager

import numpy as np

from matscore.errors import OutputError, os_errors_about
from matscore.kernel import Floats, open_unnamed


class SpilledRows:
    """Rows of numbers in a temporary file, which goes with the object; threads may share it.

    It is read and not mapped: pages of a mapped file count as this process's memory.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.n_rows = 0
        self._fd = open_unnamed(self)

    def __getitem__(self, key: slice, /) -> Floats:
        """Return the rows of a slice, in order."""
        start, stop, _ = key.indices(self.n_rows)
        found = np.empty((max(stop - start, 0), self.width))
        room, offset = found.reshape(-1).view(np.uint8), start * self._row_bytes
        while len(room):
            n_read = os.preadv(self._fd, [room.data], offset)
            if not n_read:
                raise RuntimeError("a temporary file is shorter than what was written to it")
            room, offset = room[n_read:], offset + n_read
        return found

    def append(self, rows: Floats) -> None:
        """Write rows behind those there are."""
        data = np.ascontiguousarray(rows).reshape(-1).view(np.uint8)
        offset = self.n_rows * self._row_bytes
        with named_lack():
            while len(data):
                n_written = os.pwrite(self._fd, data.data, offset)
                data, offset = data[n_written:], offset + n_written
        self.n_rows += len(rows)

    @property
    def _row_bytes(self) -> int:
        return self.width * np.dtype(np.float64).itemsize


def named_lack() -> AbstractContextManager[None]:
    """Turn what the operating system says into an `OutputError` about temporary files."""
    what = "{}, and the items need room"
    return os_errors_about(tempfile.gettempdir(), OutputError, what=what)
