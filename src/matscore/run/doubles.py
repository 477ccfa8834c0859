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
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.kernel import Texts

if TYPE_CHECKING:
    from matscore.read.rows import FrameChunk, Rows
    from matscore.read.split import Chunk

Halves: TypeAlias = NDArray[np.uint64]
Places: TypeAlias = NDArray[np.int64]

_SHORT, _KEY_BYTES = 15, 16
_LONG = b"\xff"  # behind what is no label as it is
_PATH_BITS = 41  # of a place: the input, whether its columns are the rows, the line or column


@dataclass(frozen=True)
class LabelKeys:
    """The labels of the good rows of a chunk, in order."""

    heads: Halves  # (n,): the first half of each key, well mixed
    tails: Halves  # (n,)
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
    return LabelKeys(*_make_keys(rows.labels), records, numbers, turned is not None)


def _make_keys(labels: Texts) -> tuple[Halves, Halves]:
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
    heads, tails = cells.view("<u8").astype(np.uint64).T.copy()
    # Labels are much alike in their first bytes. This can be undone, so keys differ as before.
    mixed = tails * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    heads ^= mixed * np.uint64(0xBF58476D1CE4E5B9)
    return heads, tails


class KnownLabels:
    """The labels of all rows so far: runs sorted by the heads, each at least twice the next."""

    def __init__(self) -> None:
        self._runs: list[tuple[Halves, Halves, Places]] = []
        self._paths: dict[str, int] = {}

    def add(self, path: str, labels: LabelKeys) -> dict[int, str]:
        """Add the labels of a chunk; return where those that are there again were before.

        They are told by their records. What is told is not added.
        """
        order = np.argsort(labels.heads, kind="stable")  # of equal ones in the order of the rows
        heads, tails = labels.heads[order], labels.tails[order]
        if ((heads[1:] == heads[:-1]) & (tails[1:] != tails[:-1])).any():  # hardly ever
            order = np.lexsort((labels.tails, labels.heads))
            heads, tails = labels.heads[order], labels.tails[order]
        is_new = np.ones(len(order), bool)
        is_new[1:] = (heads[1:] != heads[:-1]) | (tails[1:] != tails[:-1])
        group = np.cumsum(is_new) - 1
        number = self._paths.setdefault(path, len(self._paths))
        places = labels.numbers[order] + (2 * number + labels.turned << _PATH_BITS - 1)
        before = self._find(heads[is_new], tails[is_new])
        is_known = before >= 0
        fresh = is_new & ~is_known[group]
        self._append(heads[fresh], tails[fresh], places[fresh])
        before = np.where(is_known, before, places[is_new])[group]
        again = np.flatnonzero(~fresh)
        names = list(self._paths)
        records = labels.records[order[again]].tolist()
        pairs = zip(records, before[again].tolist(), strict=True)
        return {record: _show(place, names) for record, place in pairs}

    def _find(self, heads: Halves, tails: Halves) -> Places:
        """Return the place of each key that is known, -1 of others."""
        found = np.full(len(heads), -1)
        for known, their_tails, places in self._runs:
            at, left = np.searchsorted(known, heads), np.arange(len(heads))
            while len(left):
                left = left[at[left] < len(known)]
                left = left[known[at[left]] == heads[left]]
                hits = their_tails[at[left]] == tails[left]
                found[left[hits]] = places[at[left[hits]]]
                left = left[~hits]
                at[left] += 1  # another key of the same head
        return found

    def _append(self, *run: NDArray[np.uint64] | Places) -> None:
        """Add a sorted run; merge those of like size, so that few are to be searched."""
        columns: list[NDArray[Any]] = list(run)
        while self._runs and len(self._runs[-1][0]) < 2 * len(columns[0]):
            last = list(self._runs.pop())
            n = len(columns[0])
            at = np.searchsorted(last[0], columns[0]) + np.arange(n)
            is_last = np.ones(len(last[0]) + n, bool)
            is_last[at] = False
            for i, column in enumerate(columns):  # one by one: what is merged is gone
                columns[i] = np.empty(len(is_last), column.dtype)
                columns[i][at], columns[i][is_last] = column, last[i]
                last[i] = column[:0]
        self._runs.append(tuple(columns))  # type: ignore[arg-type]


def _show(place: int, paths: Sequence[str]) -> str:
    path, number = place >> _PATH_BITS, place & (1 << _PATH_BITS - 1) - 1
    is_turned = place >> _PATH_BITS - 1 & 1
    return f"{paths[path]}:1:{number}" if is_turned else f"{paths[path]}:{number}"
