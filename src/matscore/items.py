"""Items to recommend, as the kernel holds them, and the best of them for each user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from matscore import _kernel
from matscore.kernel import Floats, Marks, Places, Texts, open_unnamed


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
        self.spill = spill
        fd = open_unnamed(self) if spill else -1
        self._items = _kernel.Items(n_features, cosine=cosine, spill=fd)

    def __len__(self) -> int:
        return len(self._items)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "n_features": self.n_features,
            "cosine": self.cosine,
            "spill": self.spill,
            "blocks": list(self.iter_rows()),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        blocks = state.pop("blocks")
        Items.__init__(self, **state)
        for rows in blocks:
            self.add(rows)

    def iter_rows(self) -> Iterator[Floats]:
        """Yield the items, up to 1,024 at a time; for the cosine, scaled by powers of two."""
        for block in range(self._items.n_blocks()):
            yield self._items.unpack(block)

    def add(self, rows: Floats) -> None:
        """Append finite items, of shape (n, n_features); best are multiples of 1,024 at a time."""
        self._items.add(rows)

    def recommend(
        self,
        users: Floats,
        k: int,
        *,
        min_score: float | None = None,
        exclusions: Exclusions | None = None,
    ) -> Recommended:
        """Find the best items, at most k, for each user of `users`, (n_features, n_users), float64.

        Of those that are not left out and whose scores reach the least one, the ones that the rule
        of `PackedWeights.rank` puts first; nothing for a user with a missing feature, which is NaN.
        """
        starts, left_out = exclusions or (None, None)
        least = -np.inf if min_score is None else min_score
        found = self._items.recommend(users, k, min_score=least, starts=starts, excluded=left_out)
        return Recommended(*found)

    def score(self, users: Floats) -> Floats:
        """Return the scores of all items for each user, of shape (n_users, n_items).

        NaN for a user with a missing feature, and where zeros have no cosine; an infinity or NaN
        where a product overflows.
        """
        return self._items.score(users)
