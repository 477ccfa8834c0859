"""Single rows worth a look, at most a few of each kind: the first, the closest, the tied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from matscore.kernel import Floats

LONGEST_LABEL = 200


class Labels(Protocol):
    """Labels of rows, by place."""

    def __getitem__(self, place: int, /) -> Any:
        """Return one of them."""


@dataclass(frozen=True)
class CloseRow:
    """A row whose two highest scores are near each other.

    Attributes
    ----------
    number : int
        Which record it is, counted from 1 over all inputs.
    label : str
        Its label, cut where it is very long.
    best, second : int
        The categories of its highest score and of the next.
    best_score, second_score, margin : float
        The two scores, and the difference; 0 where they tie.
    """

    number: int
    label: str
    best: int
    second: int
    best_score: float
    second_score: float
    margin: float


@dataclass(frozen=True)
class FirstRow:
    """One of the first rows.

    Attributes
    ----------
    number : int
        Which record it is, counted from 1 over all inputs.
    label : str
        Its label, cut where it is very long.
    best : int
        Its category; -1 where there is none.
    scores : ndarray of shape (n_categories,), float64
        Its scores.
    """

    number: int
    label: str
    best: int
    scores: Floats


def keep_closest(rows: Iterable[CloseRow], n_rows: int) -> tuple[CloseRow, ...]:
    """Return the rows with the smallest margins; of equal ones the first."""
    return tuple(sorted(rows, key=lambda row: (row.margin, row.number))[:n_rows])


def cut_label(label: object) -> str:
    """Return a label as text; the end of one that is very long is cut off.

    Examples
    --------
    >>> cut_label(12), len(cut_label("x" * 10_000))
    ('12', 201)
    """
    text = str(label)
    return text if len(text) <= LONGEST_LABEL else f"{text[:LONGEST_LABEL]}…"
