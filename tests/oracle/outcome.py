"""What a run may end in: a result with every number, or a refusal with its exit codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

Place = tuple[str, int, int | None]  # file, line and column; None is any column, or none
Number = Fraction | None  # None is a missing number


@dataclass(frozen=True)
class Refusal:
    """A run that ends in one of `codes`; with 4, at one of `places` where there are any."""

    codes: frozenset[int]
    places: frozenset[Place] = frozenset()
    why: str = ""


@dataclass(frozen=True)
class Row:
    """A row: its label (None is unlabelled), its kept cells and its scores with their errors."""

    file: str
    line: int
    text: str
    label: str | None
    values: tuple[Number, ...] = ()
    kept: tuple[str, ...] = ()
    scores: tuple[Number, ...] = ()
    errors: tuple[Fraction, ...] = ()
    bad: frozenset[int | None] = frozenset()  # the columns of a bad row; None for the row itself
    also: frozenset[Place] = frozenset()  # where it may be told as well
    unsure: bool = False  # a freedom: the row may be refused as well


@dataclass(frozen=True)
class Result:
    """A run that ends in 0: the categories, and the rows with what they are worth."""

    categories: tuple[str, ...]
    rows: tuple[Row, ...]
    label: str | None = None  # the label column's heading; None is none or one of no name
    labelled: bool = False
    header: bool = True  # whether the features file has one
    transposed: bool = False
    features: tuple[str, ...] = ()
    weights: tuple[tuple[Fraction, ...], ...] = ()  # (features, categories)
    intercept: tuple[Fraction, ...] | None = None
    intercept_name: str | None = None
    kept: tuple[str, ...] = ()
    reject: bool = False
    more: dict[str, object] = field(default_factory=dict)

    @property
    def stops(self) -> bool:
        """Whether a bad row stops the run, or nothing is known of it."""
        bad = any(row.bad for row in self.rows)
        return bool(self.more.get("free")) or (bad and not self.reject)


Outcome = Result | Refusal


def refuse(*codes: int, places: Iterable[Place] = (), why: str = "") -> Refusal:
    """Make a refusal."""
    return Refusal(frozenset(codes), frozenset(places), why)


def resolve(
    verdicts: Iterable[str], readings: dict[str, Callable[[], Sequence[Outcome]]], why: str
) -> list[Outcome]:
    """Join what each verdict allows; doubt is exit 3, or what every reading is refused with."""
    allowed: list[Outcome] = []
    for verdict in sorted(verdicts):
        if verdict != "doubtful":
            allowed += readings[verdict]()
            continue
        allowed.append(refuse(3, why=why))
        ends = [end for reading in readings.values() for end in reading()]
        if not any(isinstance(end, Result) and not end.stops for end in ends):
            allowed += ends
    return allowed
