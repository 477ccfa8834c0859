"""Rejected rows by reason, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

MAX_REASONS, N_EXAMPLES, LONGEST_TEXT = 200, 200, 200

_CELL = re.compile(r'".*"(?= )', re.DOTALL)
_PLACE = re.compile(r"(?<=byte )0x[0-9a-f]+|(?<=offset )\d+")


class Rejected(Protocol):
    """A row that was set aside."""

    @property
    def line(self) -> int:
        """Where its record starts."""

    @property
    def column(self) -> int | None:
        """The cell at fault, from 1."""

    @property
    def name(self) -> str | None:
        """The name of that column."""

    @property
    def error(self) -> str:
        """What is wrong."""

    @property
    def hint(self) -> str:
        """What to do about it."""

    @property
    def text(self) -> str:
        """The record."""


class Reason(NamedTuple):
    """Why rows were rejected: what is wrong, in which column, and what to do."""

    what: str
    name: str | None
    hint: str


@dataclass(frozen=True)
class Example:
    """One of the first rejected rows; texts are cut where they are very long."""

    path: str
    line: int
    column: int | None
    name: str | None
    error: str
    text: str


class Reasons:
    """Counts rejected rows by reason and keeps the first of them.

    Attributes
    ----------
    counts : dict of Reason to int
        In the order of their first rows, at most `MAX_REASONS`.
    n_other : int
        Rows with other reasons than these.
    examples : list of Example
        The first `N_EXAMPLES` rows.

    Examples
    --------
    >>> reasons = Reasons()
    >>> reasons.n_rows
    0
    """

    def __init__(self) -> None:
        self.counts: dict[Reason, int] = {}
        self.n_other = 0
        self.examples: list[Example] = []

    @property
    def n_rows(self) -> int:
        """Rows counted."""
        return sum(self.counts.values()) + self.n_other

    def add(self, path: str, rejects: Iterable[Rejected]) -> None:
        """Count the rejects of a chunk; chunks come in order.

        Parameters
        ----------
        path : str
            The input they come from.
        rejects : iterable of Reject
            In order.
        """
        for reject in rejects:
            reason = reason_of(reject)
            if reason in self.counts or len(self.counts) < MAX_REASONS:
                self.counts[reason] = self.counts.get(reason, 0) + 1
            else:
                self.n_other += 1
            if len(self.examples) < N_EXAMPLES:
                self.examples.append(_take(path, reject))


def reason_of(reject: Rejected) -> Reason:
    """Return why a row was rejected, without what is of that row alone."""
    what = _CELL.sub('"…"', reject.error, count=1) if reject.error[:1] == '"' else reject.error
    name = None if reject.name is None else _cut(reject.name)
    return Reason(_cut(_PLACE.sub("…", what)), name, _cut(reject.hint))


def _take(path: str, reject: Rejected) -> Example:
    name = None if reject.name is None else _cut(reject.name)
    error, text = _cut(reject.error), _cut(reject.text)
    return Example(path, reject.line, reject.column, name, error, text)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
