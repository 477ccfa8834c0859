"""Items to recommend, and the best of them for each user; rows past what memory has room for."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from matscore import _kernel
from matscore.errors import OutputError, os_errors_about
from matscore.kernel import Floats, Marks, PackedWeights, Places, Texts

_BLOCK_ROWS = 1024  # of items that are held together
_BATCH_USERS = 512
_MOST_PAIRS = 2**21  # that are kept at a time for more than one user
MOST_BYTES = 96 * 2**20
"""Rows that take more go to a temporary file, where no budget of memory is given."""
_STRIPE_NUMBERS = 2**17


class Exclusions(NamedTuple):
    """Items to leave out, user by user."""

    starts: Places  # (n_users + 1,): where each user's items begin and end in `items`
    items: Places  # duplicates do no harm


class Recommended(NamedTuple):
    """The best items of some users, user after user, best first."""

    counts: Places  # (n_users,): items a user
    items: Places  # (counts.sum(),), as the next two
    scores: Floats
    tied: Marks  # another score was within rounding error when the order settled the rank
    overflow: Places  # users whose scores overflow; nothing is recommended to them

    @property
    def ranks(self) -> Places:
        """From 1 for each user."""
        ends = np.cumsum(self.counts)
        return np.arange(1, len(self.items) + 1) - np.repeat(ends - self.counts, self.counts)


@dataclass(frozen=True)
class _Block:
    """Some items, of which equal ones are held once."""

    rows: Floats  # (n_distinct, n_features); none where they are spilled
    place: slice  # of the rows among those that are spilled
    norms: Floats | None  # of the rows, for the cosine
    items: Places  # row i is the items[starts[i]:starts[i + 1]], in order
    starts: Places


class Items:
    """Items to recommend, held as they are multiplied: each once, however many copies it has.

    A score is the chain of `PackedWeights` over the features of a user and an item. For the cosine
    it is divided by the two norms, and there is none where one of them is 0. With `spill` they are
    held in a temporary file, which goes with the object. Threads may share it.
    """

    def __init__(
        self,
        n_features: int,
        *,
        cosine: bool = False,
        spill: bool = False,
        texts: tuple[Texts, ...] = (),
    ) -> None:
        self.n_features = n_features
        self.texts = texts  # further columns, an entry an item
        self.cosine = cosine
        self._spilled = SpilledRows(n_features) if spill else None
        self._blocks: list[_Block] = []
        self._n_items = self._n_distinct = 0
        self._largest = 0.0  # the size of the largest feature

    def __len__(self) -> int:
        return self._n_items

    def __getstate__(self) -> dict[str, Any]:
        given = {"cosine": self.cosine, "spill": self._spilled is not None, "texts": self.texts}
        return {"given": given, "n_features": self.n_features, "blocks": list(self.iter_rows())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Items.__init__(self, state["n_features"], **state["given"])
        for rows in state["blocks"]:
            self.add(rows)

    def iter_rows(self) -> Iterator[Floats]:
        """Yield the items, up to 1,024 at a time; for the cosine, scaled by powers of two."""
        for block, rows in self._iter_blocks():
            found = np.empty((len(block.items), self.n_features))
            found[block.items - block.items.min()] = rows.repeat(np.diff(block.starts), axis=0)
            yield found

    def _iter_blocks(self) -> Iterator[tuple[_Block, Floats]]:
        for block in self._blocks:
            yield block, block.rows if self._spilled is None else self._spilled[block.place]

    def add(self, rows: Floats) -> None:
        """Append finite items, of shape (n, n_features); best are multiples of 1,024 at a time."""
        if rows.shape[1] != self.n_features:
            raise ValueError("the rows differ in the number of features")
        for start in range(0, len(rows), _BLOCK_ROWS):
            self._add_block(np.array(rows[start : start + _BLOCK_ROWS]))

    def _add_block(self, rows: Floats) -> None:
        first, norms = len(self), None
        self._n_items += len(rows)
        if self.cosine:
            rows, norms = _normalize(rows)
        self._largest = max(self._largest, float(np.abs(rows).max(initial=0.0)))
        seen: dict[bytes, int] = {}
        numbers = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in rows])
        order = np.argsort(numbers, kind="stable")
        starts = np.searchsorted(numbers[order], np.arange(len(seen) + 1))
        if len(seen) < len(rows):
            rows = rows[order[starts[:-1]]]
            norms = None if norms is None else norms[order[starts[:-1]]]
        place = slice(self._n_distinct, self._n_distinct + len(rows))
        self._n_distinct += len(rows)
        if self._spilled is not None:
            self._spilled.append(rows)
            rows = rows[:0].copy()
        self._blocks.append(_Block(rows, place, norms, first + order, starts))

    def recommend(
        self,
        users: Floats,
        k: int,
        *,
        min_score: float | None = None,
        exclusions: Exclusions | None = None,
        most_pairs: int = _MOST_PAIRS,
    ) -> Recommended:
        """Find the best items, at most k, for each user of `users`, (n_features, n_users), float64.

        Of those that are not left out and whose scores reach the least one, the ones that the rule
        of `PackedWeights.rank` puts first; nothing for a user with a missing feature, which is NaN.
        """
        users, norms = self._take_users(users)
        if k < 1:
            raise ValueError("no item is wanted")
        least = -np.inf if min_score is None else min_score
        n_users, wanted = users.shape[1], max(min(k, len(self)), 1)
        excluded = self._number_pairs(exclusions, n_users)
        # Users from one on to another; twice as few where too many pairs tie.
        todo = [(i, min(i + _BATCH_USERS, n_users)) for i in range(0, n_users or 1, _BATCH_USERS)]
        found: list[tuple[Any, ...]] = []
        while todo:
            start, stop = todo.pop()
            some = slice(*np.searchsorted(excluded, [start * len(self), stop * len(self)]))
            search = _kernel.Search(
                np.ascontiguousarray(users[:, start:stop]),
                None if norms is None else norms[start:stop],
                wanted,
                least,
                most_pairs,
                len(self),
                self._largest,
                excluded[some] - start * len(self),
            )
            if all(
                search.add(rows, block.norms, block.items, block.starts)
                for block, rows in self._iter_blocks()
            ):
                *parts, overflow = search.take()
                found.append((*parts, overflow + start))
            else:
                middle = (start + stop) // 2
                todo += (start, middle), (middle, stop)
        return Recommended(*map(np.concatenate, zip(*found[::-1], strict=True)))

    def score(self, users: Floats) -> Floats:
        """Return the scores of all items for each user, of shape (n_users, n_items).

        NaN for a user with a missing feature, and where zeros have no cosine; an infinity or NaN
        where a product overflows.
        """
        users, norms = self._take_users(users)
        scores = np.empty((users.shape[1], len(self)))
        for block, rows in self._iter_blocks():
            found = PackedWeights(np.ascontiguousarray(rows.T)).multiply(users)
            if norms is not None and block.norms is not None:
                with np.errstate(invalid="ignore"):
                    found = np.clip(found / (norms * block.norms[:, None]), -1.0, 1.0)
            scores[:, block.items] = found.repeat(np.diff(block.starts), axis=0).T
        return scores

    def _take_users(self, users: Floats) -> tuple[Floats, Floats | None]:
        """Return users as they are multiplied, and their norms for the cosine."""
        if len(users) != self.n_features:
            raise ValueError("users and items differ in the number of features")
        if not self.cosine:
            return users, None
        rows, norms = _normalize(users.T)
        return np.ascontiguousarray(rows.T), norms

    def _number_pairs(self, exclusions: Exclusions | None, n_users: int) -> Places:
        """Return what is left out as numbers user * n_items + item, in order."""
        if exclusions is None:
            return np.zeros(0, np.int64)
        starts, items = exclusions
        counts = np.diff(starts)
        if len(counts) != n_users or counts.min(initial=0) < 0 or counts.sum() != len(items):
            raise ValueError("the starts of excluded items do not fit")
        return np.sort(np.repeat(np.arange(n_users) * len(self), counts) + items)


def _normalize(rows: Floats) -> tuple[Floats, Floats]:
    """Scale rows by powers of two, so that no norm over- or underflows; return them and the norms.

    The largest number of each is from a half to one then.
    """
    largest = np.fmax.reduce(np.abs(rows), axis=1, initial=0.0)  # passes over NaN
    scaled = np.ldexp(rows, -np.frexp(largest)[1][:, None])
    return scaled, _kernel.norms(np.ascontiguousarray(scaled))


class SpilledRows:
    """Rows of numbers in a temporary file; threads may share it.

    It is read and not mapped: pages of a mapped file count as this process's memory.
    """

    def __init__(self, width: int, whose: str = "the items") -> None:
        self.width = width
        self.whose = whose
        self.n_rows = 0
        self._fd = open_unnamed(self)

    def __getitem__(self, key: slice, /) -> Floats:
        """Return the rows of a slice, in order."""
        start, stop, _ = key.indices(self.n_rows)
        found = np.empty((max(stop - start, 0), self.width))
        room, offset = found.reshape(-1).view(np.uint8), start * self._row_bytes
        with named_lack(self.whose):
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
        with named_lack(self.whose):
            while len(data):
                n_written = os.pwrite(self._fd, data.data, offset)
                data, offset = data[n_written:], offset + n_written
        self.n_rows += len(rows)

    @property
    def _row_bytes(self) -> int:
        return self.width * np.dtype(np.float64).itemsize


class KeptRows:
    """Rows in the order in which they came: in memory, and past a limit in a temporary file.

    They are held in stripes of a fixed height, however they came; threads may read them when all
    are there.
    """

    def __init__(
        self, width: int, most_bytes: int = MOST_BYTES, height: int = 0, whose: str = "the rows"
    ) -> None:
        self.width = width
        self.height = height or max(_STRIPE_NUMBERS // width, 64)
        self.n_rows = 0
        self._whose = whose
        self._most_stripes = most_bytes // (8 * max(width, 1) * self.height)
        self._stripes: list[Floats] = []  # those that are not in the file
        self._spilled: SpilledRows | None = None
        self._n_spilled = 0

    def __len__(self) -> int:
        return self._n_spilled + len(self._stripes)

    def __getitem__(self, i: int, /) -> Floats:
        """Return the rows of a stripe, (n, width)."""
        start, stop = i * self.height, min((i + 1) * self.height, self.n_rows)
        if i < self._n_spilled and self._spilled is not None:
            return self._spilled[start:stop]
        return self._stripes[i - self._n_spilled][: stop - start]

    @property
    def is_spilled(self) -> bool:
        """Whether some are in a file."""
        return self._spilled is not None

    def append(self, rows: Floats) -> None:
        """Put rows, (n, width), behind those there are."""
        while len(rows):
            at = self.n_rows % self.height
            if not at:
                self._spill()
                self._stripes.append(np.empty((self.height, self.width)))
            n = min(self.height - at, len(rows))
            self._stripes[-1][at : at + n] = rows[:n]
            self.n_rows, rows = self.n_rows + n, rows[n:]

    def take(self) -> Iterator[Floats]:
        """Yield the stripes; where all are in memory they are gone then, or would be held twice."""
        for i in range(len(self)):
            stripe = self[i]
            if not self.is_spilled:
                self._stripes[i] = stripe[:0].copy()
            yield stripe
        if not self.is_spilled:
            self._stripes.clear()

    def _spill(self) -> None:
        """Write the stripes, which are full, to the file where memory has room for no more."""
        if self._spilled is None and len(self._stripes) < self._most_stripes:
            return
        self._spilled = self._spilled or SpilledRows(self.width, self._whose)
        for stripe in self._stripes:
            self._spilled.append(stripe)
        self._n_spilled += len(self._stripes)
        self._stripes = []


def open_unnamed(owner: object) -> int:
    """Open a temporary file that goes with its owner, and with a kill; return its descriptor."""
    with tempfile.TemporaryFile(buffering=0) as file:
        fd = os.dup(file.fileno())
    weakref.finalize(owner, os.close, fd)
    return fd


def named_lack(whose: str) -> AbstractContextManager[None]:
    """Turn what the operating system says into an `OutputError` about temporary files."""
    what = f"{{}}, and {whose} need room"
    return os_errors_about(tempfile.gettempdir(), OutputError, what=what)
