"""Labels that are there twice: found in the order of the rows, whoever read them and whenever.

Chunks bring keys of their labels, in whatever order they are done; where they come in order, the
keys of all rows before are known. A key has 16 bytes. Of a label of at most 15 it is the label and
its length, so that no two of them share one; of a longer one it is 120 bits of its BLAKE2b: among
a billion labels two have the same by chance once in 10^18 runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.kernel import Texts

if TYPE_CHECKING:
    from matscore.read.rows import FrameChunk, Rows
    from matscore.read.split import Chunk

Keys: TypeAlias = NDArray[np.bytes_]
Places: TypeAlias = NDArray[np.int64]

_SHORT, _KEY_BYTES = 15, 16
_LONG = b"\xff"  # behind what is no label as it is
_PATH_BITS = 41  # of a place: the input, whether its columns are the rows, the line or column


@dataclass(frozen=True)
class LabelKeys:
    """The labels of the good rows of a chunk, in order."""

    keys: Keys  # (n,)
    records: Places  # (n,): records of the chunk before each
    numbers: Places  # (n,): the line of each; its column where the columns of a file are the rows
    turned: bool = False


def take_keys(chunk: Chunk | FrameChunk, rows: Rows) -> LabelKeys:
    """Return the labels of a chunk's good rows."""
    if not isinstance(rows.labels, Texts):
        raise TypeError("rows without labels have none that could be the same")
    records = np.arange(rows.n_rows) if rows.places is None else rows.places
    turned = getattr(chunk, "turned", None)
    numbers = chunk.lines[records] if turned is None else records + turned.first + 1
    return LabelKeys(make_keys(rows.labels), records, numbers, turned is not None)


def make_keys(labels: Texts) -> Keys:
    """Return the key of each label, none of which ends in NUL, that NumPy would leave out."""
    starts, lengths = labels.offsets[:-1].astype(np.int64), np.diff(labels.offsets).astype(np.int64)
    cells = np.zeros((len(labels), _KEY_BYTES), np.uint8)
    for at in range(_SHORT):
        rows = np.flatnonzero(lengths > at)
        cells[rows, at] = labels.data[starts[rows] + at]
    cells[:, _SHORT] = np.minimum(lengths, _SHORT)
    if len(rows := np.flatnonzero(lengths > _SHORT)):
        data = labels.data.tobytes()
        texts = (
            data[start : start + n] for start, n in zip(starts[rows], lengths[rows], strict=True)
        )
        digests = b"".join(blake2b(text, digest_size=_SHORT).digest() + _LONG for text in texts)
        cells[rows] = np.frombuffer(digests, np.uint8).reshape(-1, _KEY_BYTES)
    return cells.view(f"S{_KEY_BYTES}").ravel()


class KnownLabels:
    """The labels of all rows so far, in sorted runs, each at least twice the next."""

    def __init__(self) -> None:
        self._runs: list[tuple[Keys, Places]] = []
        self._paths: dict[str, int] = {}

    def add(self, path: str, labels: LabelKeys) -> dict[int, str]:
        """Add the labels of a chunk; return where those that are there again were before.

        They are told by their records. What is told is not added.
        """
        order = np.argsort(labels.keys, kind="stable")  # of equal ones in the order of the rows
        keys = labels.keys[order]
        is_new = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
        group = np.cumsum(is_new) - 1
        number = self._paths.setdefault(path, len(self._paths))
        places = labels.numbers[order] + (2 * number + labels.turned << _PATH_BITS - 1)
        before = self._find(keys[is_new])
        is_known = before >= 0
        fresh = is_new & ~is_known[group]
        self._append(keys[fresh], places[fresh])
        before = np.where(is_known, before, places[is_new])[group]
        again = np.flatnonzero(~fresh)
        names = list(self._paths)
        records = labels.records[order[again]].tolist()
        pairs = zip(records, before[again].tolist(), strict=True)
        return {record: _show(place, names) for record, place in pairs}

    def _find(self, keys: Keys) -> Places:
        """Return the place of each key that is known, -1 of others."""
        found = np.full(len(keys), -1)
        for known, places in self._runs:
            at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            hits = known[at] == keys
            found[hits] = places[at[hits]]
        return found

    def _append(self, keys: Keys, places: Places) -> None:
        """Add a sorted run; merge those of like size, so that few are to be searched."""
        if not len(keys):
            return
        while self._runs and len(self._runs[-1][0]) < 2 * len(keys):
            known, known_places = self._runs.pop()
            at = np.searchsorted(known, keys)
            keys, places = np.insert(known, at, keys), np.insert(known_places, at, places)
        self._runs.append((keys, places))


def _show(place: int, paths: Sequence[str]) -> str:
    path, number = place >> _PATH_BITS, place & (1 << _PATH_BITS - 1) - 1
    is_turned = place >> _PATH_BITS - 1 & 1
    return f"{paths[path]}:1:{number}" if is_turned else f"{paths[path]}:{number}"
