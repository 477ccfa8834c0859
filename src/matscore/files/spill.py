"""Rows of numbers in a file of their own, for those that memory does not hold."""

from __future__ import annotations

import os
import tempfile
import weakref
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from matscore.errors import OutputError


class SpilledRows:
    """Rows of numbers in a temporary file, which goes with the object; threads may share it.

    It is read and not mapped: pages of a mapped file count as this process's memory.

    Parameters
    ----------
    width : int
        Numbers a row.
    dtype : dtype
        Their type.
    """

    def __init__(self, width: int, dtype: DTypeLike) -> None:
        self.width = width
        self.dtype = np.dtype(dtype)
        self.n_rows = 0
        with tempfile.TemporaryFile(buffering=0) as file:  # no name, so a kill leaves nothing
            self._fd = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._fd)

    def __getitem__(self, key: slice | NDArray[np.int64], /) -> NDArray[Any]:
        """Return the rows of a slice, in order, or those of an array of indices."""
        if isinstance(key, slice):
            start, stop, _ = key.indices(self.n_rows)
            return self._read(start, stop - start)
        found = np.empty((len(key), self.width), self.dtype)
        for place, row in enumerate(key.tolist()):
            found[place] = self._read(row, 1)
        return found

    def __setitem__(self, key: slice, value: NDArray[Any], /) -> None:
        """Write rows; a slice that begins where the rows end makes them more."""
        data = np.ascontiguousarray(value, self.dtype).reshape(-1).view(np.uint8)
        offset = key.start * self._row_bytes
        try:
            while len(data):
                n_written = os.pwrite(self._fd, data.data, offset)
                data, offset = data[n_written:], offset + n_written
        except OSError as error:
            what = (error.strerror or str(error)).lower()
            raise OutputError(tempfile.gettempdir(), f"{what}, and the items need room") from error
        self.n_rows = max(self.n_rows, key.start + len(value))

    @property
    def _row_bytes(self) -> int:
        return self.width * self.dtype.itemsize

    def _read(self, start: int, n_rows: int) -> NDArray[Any]:
        found = np.empty((n_rows, self.width), self.dtype)
        room, offset = found.reshape(-1).view(np.uint8), start * self._row_bytes
        while len(room):
            n_read = os.preadv(self._fd, [room.data], offset)
            if not n_read:
                raise RuntimeError("a temporary file is shorter than what was written to it")
            room, offset = room[n_read:], offset + n_read
        return found
