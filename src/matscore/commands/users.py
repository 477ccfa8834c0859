"""``recommend`` on the users of a chunk: the best items of each, or the scores of all items."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matscore.command_options import RecommendOptions
from matscore.commands.output import (
    OVERFLOW,
    RankColumns,
    RankedPreview,
    RankedRows,
    ScoreColumns,
    make_long_frame,
)
from matscore.errors import InputError
from matscore.frame import Frame, Labels, join
from matscore.items import Exclusions, Items, Recommended
from matscore.kernel import Column, Floats, Texts
from matscore.options import ReadOptions
from matscore.read.rows import Rows, parse_sound
from matscore.read.source import SourceFacts
from matscore.read.table import open_table
from matscore.run.work import Fault, Outcome, Preview, Tally, Work

if TYPE_CHECKING:
    from matscore.numerics.statistics import RankStatistics
    from matscore.options import Gather

# What is wrong with a user whose scores no float64 can hold, and what to do.
OVERFLOWING_ITEMS = (OVERFLOW[0], "the features of users or items are too large for float64")

# Items whose scores are all shown on a terminal.
_FEW_ITEMS = 12

_HELD_AT_LEAST, _NUMBERS_HELD = 64, 3  # of a user's shortlist: score, bound and place

_PAIRS_CHUNK_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Seen:
    """Pairs of user and item that are not to be recommended."""

    facts: SourceFacts  # of the file that they come from
    places: dict[str, int]  # the number of each user, by label
    starts: NDArray[np.int64]  # (n_users + 1,): where the items of each begin and end
    items: NDArray[np.int64]  # their indices
    n_pairs: int = 0  # pairs there are
    n_unknown_items: int = 0  # labels among them that no item has

    def find(self, labels: Labels) -> tuple[Exclusions, NDArray[np.int64]]:
        """Return what users of these labels are not to get, and the users' numbers."""
        texts = labels if isinstance(labels, Texts) else map(str, labels.tolist())
        places = np.array([self.places.get(text, -1) for text in texts], dtype=np.int64)
        known = places >= 0
        first = np.where(known, self.starts[places], 0)
        counts = np.where(known, self.starts[places + 1], 0) - first
        starts = np.concatenate([[0], np.cumsum(counts)])
        # The items of all users at once: their places in the long list, user after user.
        offsets = np.arange(starts[-1]) - np.repeat(starts[:-1] - first, counts)
        return Exclusions(starts, self.items[offsets]), places[known]


def read_seen(
    path: str, read: ReadOptions, items: tuple[str, ...], *, checksum: bool = False
) -> Seen:
    """Read pairs, the first two columns of a file as text; keep those whose items are known."""
    known = {label: place for place, label in enumerate(items)}
    none, read = Texts.from_strings([]), read.of_others
    parts: list[tuple[Any, Texts]] = [(none, none)]
    # The items tell a header from data.
    table = open_table(path, read, checksum=checksum, values=known.keys())
    with contextlib.closing(table):
        if table.width < 2:
            what, hint = "pairs need two columns", "give it a column of users and one of items"
            raise InputError(path, what, hint, line=1)
        layout = table.lay_out(read, label=0, kept=(1,), missing=read.of_cell)
        for chunk in table.iter_chunks(layout, chunk_bytes=_PAIRS_CHUNK_BYTES):
            rows = parse_sound(layout, chunk)
            parts.append((rows.labels, rows.texts[0]))
        facts = table.source.facts()
    who, what = map(join, zip(*parts, strict=True))
    places: dict[str, int] = {}
    user = np.array([places.setdefault(label, len(places)) for label in who], dtype=np.int64)
    item = np.array([known.get(label, -1) for label in what], dtype=np.int64)
    n_unknown = len(set(what.take(np.flatnonzero(item < 0))))
    user, item = user[item >= 0], item[item >= 0]
    # By user, so that two offsets tell what a user is not to get.
    order = np.argsort(user, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(places)))])
    return Seen(facts, places, starts, item[order], len(who), n_unknown)


@dataclass(frozen=True)
class RecommendTally(Tally):
    """Counts of users.

    Attributes
    ----------
    n_ties, n_missing, n_empty : int
        Users of whose ranks a tie settled one, who have a missing value, who get nothing.
    n_pairs : int
        Items recommended, over all users.
    met : ndarray of shape (n_users of `Seen`,), bool, or None
        The users of `seen` who were there.
    seen : Seen or None
        What was left out.
    statistics : RankStatistics or None
        Where they are asked for.
    """

    NAMES = (
        "rows_tied", "rows_missing", "rows_without_items", "recommendations", "excluded_pairs",
        "unknown_users", "unknown_items",
    )  # fmt: skip
    KEPT = ("seen",)

    n_ties: int = 0
    n_missing: int = 0
    n_empty: int = 0
    n_pairs: int = 0
    met: NDArray[np.bool_] | None = None
    seen: Seen | None = None
    statistics: RankStatistics | None = None

    @property
    def n_unknown_users(self) -> int:
        """Users of `seen` who were not there."""
        return 0 if self.met is None else int((~self.met).sum())

    def list_facts(self) -> tuple[Any, ...]:
        """Return the values that `NAMES` name."""
        seen = self.seen
        return (
            self.n_ties, self.n_missing, self.n_empty, self.n_pairs,
            seen and seen.n_pairs, seen and self.n_unknown_users, seen and seen.n_unknown_items,
        )  # fmt: skip


class _UserWork(Work):
    """What is done with users."""

    def read_tally(self, facts: Mapping[str, Any]) -> RecommendTally | None:
        """Return the counts that gave these facts; None where pairs were left out."""
        counts = [facts[name] for name in RecommendTally.NAMES]
        # Which users of the pairs were there is not among the facts.
        return RecommendTally(*counts[:4]) if counts[4] is None else None


@dataclass(frozen=True)
class Recommend(_UserWork):
    """The work of ``recommend``."""

    items: Items
    labels: Texts  # of the items
    options: RecommendOptions
    columns: RankColumns
    seen: Seen | None = None
    gather: tuple[Gather, ...] = ()
    beside: tuple[Texts, ...] = ()  # columns of the items that are carried into the output

    def zero(self) -> RecommendTally:
        """Return the counts of no users."""
        met = None if self.seen is None else np.zeros(len(self.seen.places), dtype=bool)
        found = None
        if self.gather:
            from matscore.numerics.statistics import gather_no_ranks

            found = gather_no_ranks(self.items.n_features, len(self.items), self.options.n_items)
        return RecommendTally(met=met, seen=self.seen, statistics=found)

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        n_held = min(len(self.items), 4 * self.options.n_items + _HELD_AT_LEAST) * _NUMBERS_HELD
        return n_held + self.items.n_features, self.options.n_items * len(self.columns.pairs)

    def apply(self, rows: Rows) -> RecommendedRows:
        """Find the best items for each user."""
        exclusions, met = None, None
        if self.seen is not None:
            exclusions, places = self.seen.find(rows.labels)
            met = np.zeros(len(self.seen.places), dtype=bool)
            met[places] = True
        users, options = np.ascontiguousarray(rows.features), self.options
        found = self.items.recommend(
            users, options.n_items, min_score=options.min_score, exclusions=exclusions
        )
        faults = [Fault(row, *OVERFLOWING_ITEMS) for row in found.overflow.tolist()]
        return RecommendedRows(self, rows, found, faults, met)


@dataclass(frozen=True)
class RecommendedRows(Outcome):
    """The outcome of ``recommend``."""

    work: Recommend
    rows: Rows
    found: Recommended
    faults: list[Fault]  # users whose scores overflow
    met: NDArray[np.bool_] | None  # as in `RecommendTally`

    def tally(self) -> RecommendTally:
        """Count the users."""
        found, missing, statistics = self.found, self.rows.has_missing, None
        if self.work.gather:
            from matscore.numerics.statistics import gather_ranks

            n_items, k = len(self.work.items), self.work.options.n_items
            statistics = gather_ranks(
                list(self.rows.features), found.ranks, found.items, found.scores, n_items, k
            )
        row = np.repeat(np.arange(self.rows.n_rows), found.counts)
        return RecommendTally(
            int(np.count_nonzero(np.bincount(row[found.tied]))),
            0 if missing is None else int(missing.sum()),
            int((found.counts == 0).sum()),
            len(found.items),
            self.met,
            self.work.seen,
            statistics,
        )

    def frame(self) -> Frame:
        """Return the long table."""
        work = self.work
        return make_long_frame(work.columns, self.rows, work.labels, self._ranked, work.beside)

    def preview(self, n_rows: int) -> Preview:
        """Return the lines of the first users; all their scores where the items are few."""
        preview = self._ranked.preview(self.frame(), n_rows)
        if len(self.work.items) > _FEW_ITEMS:
            return preview
        users = np.ascontiguousarray(self.rows.features[:, :n_rows])
        scores = self.work.items.score(users)
        return replace(preview, scores=scores)

    @cached_property
    def _ranked(self) -> RankedRows:
        found, rows = self.found, self.rows
        undefined = np.zeros(rows.n_rows, dtype=bool)
        if rows.has_missing is not None:
            undefined |= rows.has_missing
        if self.work.items.cosine:
            # A vector of zeros points nowhere.
            undefined |= ~np.any(rows.features, axis=0)
        return RankedRows(found.counts, found.items, (found.scores,), undefined, found.tied)


@dataclass(frozen=True)
class ScoreItems(_UserWork):
    """The work of ``recommend --matrix``."""

    items: Items
    columns: ScoreColumns

    def zero(self) -> RecommendTally:
        """Return the counts of no users."""
        return RecommendTally()

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        return 2 * len(self.items), len(self.items)

    def apply(self, rows: Rows) -> ScoredUsers:
        """Score all items for each user."""
        scores = self.items.score(np.ascontiguousarray(rows.features))
        faults = []
        if not self.items.cosine:
            overflow = ~np.isfinite(scores).all(axis=1)
            if rows.has_missing is not None:
                # Their NaN is no overflow.
                overflow &= ~rows.has_missing
            faults = [Fault(row, *OVERFLOWING_ITEMS) for row in np.flatnonzero(overflow).tolist()]
        return ScoredUsers(self, rows, scores, faults)


@dataclass(frozen=True)
class ScoredUsers(Outcome):
    """The outcome of ``recommend --matrix``."""

    work: ScoreItems
    rows: Rows
    scores: Floats  # (n_rows, n_items)
    faults: list[Fault]  # users whose scores overflow

    def tally(self) -> RecommendTally:
        """Count the users."""
        missing = self.rows.has_missing
        return RecommendTally(
            n_missing=0 if missing is None else int(missing.sum()),
            n_empty=int(np.isnan(self.scores).all(axis=1).sum()),
            n_pairs=int((~np.isnan(self.scores)).sum()),
        )

    def frame(self) -> Frame:
        """Return the matrix."""
        columns = self.work.columns
        made: dict[str, Column] = {columns.label_name: self.rows.labels}
        made |= dict(zip(columns.kept_names, self.rows.texts, strict=True))
        made |= zip(columns.score_names, self.scores.T, strict=True)
        return Frame(made)

    def preview(self, n_rows: int) -> Preview:
        """Return the first users."""
        scores = self.scores[:n_rows]
        lines, tied = np.ones(len(scores), np.int64), np.zeros(0, dtype=bool)
        frame = self.frame().head(n_rows)
        return RankedPreview(frame=frame, lines=lines, tied=tied, scores=scores)
