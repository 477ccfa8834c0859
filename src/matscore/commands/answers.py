"""What a column of a tool's predictions may be, and how far it is from what the weights give."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import numpy as np

from matscore.errors import InputError
from matscore.functions import FUNCTIONS
from matscore.kernel import Floats
from matscore.names import POINT, Grammar, quote_name, quote_names

_MOST_SHOWN = 3  # rows that differ
_MOST_CATEGORIES = 20  # of which an unnamed column of numbers may be the score or probability
_MOST_LABELS = 10_000  # different texts that are looked at
_MOST_DIGITS = 17
_MOST_DECIMALS = 400

_INTEGER = re.compile(r"-?[0-9]+")

Kind = Literal["label", "score", "probability", "response"]
_NUMBERS: tuple[Kind, ...] = ("score", "probability", "response")


class Quantity(NamedTuple):
    """What a column of predictions may be: the label, or a number of a category."""

    kind: Kind
    category: int = 0

    def say(self, categories: Sequence[str]) -> str:
        """Say it in words."""
        return self.kind if self.kind == "label" else f"{self.kind} of {categories[self.category]}"


@dataclass(frozen=True)
class Question:
    """A column of predictions, and all that it may be."""

    column: int
    name: str
    quantities: tuple[Quantity, ...]
    decimals: int = _MOST_DECIMALS  # behind the point, of the number that has most
    digits: int = _MOST_DIGITS  # significant ones, of the number that has most

    def find_precision(self, values: Floats) -> Floats:
        """Return by how much numbers may be off that were printed so."""
        with np.errstate(divide="ignore"):  # of 0
            last = np.floor(FUNCTIONS["log10"](np.abs(values))) + (1 - self.digits)
        printed: Floats = 0.5 * 10.0 ** np.maximum(last, -self.decimals)
        return printed


class Look:
    """A look at all cells of a column of predictions."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._texts: dict[str, None] | None = {}  # different ones, while they are few
        self._is_number = True
        self._decimals = self._digits = 0

    def add(self, texts: Sequence[str]) -> None:
        """Look at some cells, none of them missing."""
        for text in texts:
            if self._texts is not None:
                self._texts[text] = None
                if len(self._texts) > _MOST_LABELS:
                    self._texts = None
            self._is_number = self._is_number and self._grammar.is_number(text)
            if self._is_number:
                number = Decimal(text.strip().replace(self._grammar.decimal, "."))
                _, digits, exponent = number.as_tuple()
                assert isinstance(exponent, int)
                self._decimals = max(self._decimals, -exponent)
                self._digits = max(self._digits, len(digits))

    def ask(self, column: int, name: str, categories: Sequence[str], path: str) -> Question:
        """Return what the column may be."""
        texts = self._texts
        if len(categories) > 1 and texts and all(find_category(t, categories) >= 0 for t in texts):
            return Question(column, name, (Quantity("label"),))
        if not self._is_number:
            strange = [t for t in texts or () if find_category(t, categories) < 0]
            what = f"{quote_name(name)} holds {quote_names(strange) or 'many texts'}"
            hint = f"a prediction is a number, or one of {quote_names(categories)}"
            raise InputError(path, what, hint)
        decimals, digits = min(self._decimals, _MOST_DECIMALS), min(self._digits, _MOST_DIGITS)
        return Question(column, name, _find_quantities(name, categories), decimals, digits)


def name_columns(categories: Sequence[str]) -> Mapping[str, tuple[Quantity, ...]]:
    """Return what columns of answers are called, and what each may be."""
    found: dict[str, tuple[Quantity, ...]] = {"prediction": (Quantity("label"),)}
    for i, category in enumerate(categories):
        score, probability, response = (Quantity(kind, i) for kind in _NUMBERS)
        for name in _spell(category, categories):
            found[name] = (score, probability, response)
            found[f"probability_{name}"] = found[f"probability({name})"] = (probability,)
            found[f"response_{name}"] = (response,)
    return found


def _spell(category: str, categories: Sequence[str]) -> tuple[str, ...]:
    """Return how tools spell a category; of whole numbers many have floats."""
    if all(_INTEGER.fullmatch(one) for one in categories):
        return category, f"{category}.0"
    return (category,)


def _find_quantities(name: str, categories: Sequence[str]) -> tuple[Quantity, ...]:
    known = name_columns(categories).get(name, ())
    if known and known[0].kind != "label":
        return known
    # The second of two is what tools tell, so it is looked at first.
    last_first = range(len(categories))[::-1][:_MOST_CATEGORIES]
    return tuple(Quantity(kind, i) for kind in _NUMBERS for i in last_first)


def find_category(text: str, categories: Sequence[str]) -> int:
    """Return the category that a label is, -1 where it is none; where all are numbers by value."""
    if text in categories:
        return categories.index(text)
    folded = [category.casefold() for category in categories]
    if (word := text.strip().casefold()) in folded:
        return folded.index(word)
    numbers = [POINT.read(category) for category in categories]
    value = POINT.read(text)
    return numbers.index(value) if value in numbers and not any(map(np.isnan, numbers)) else -1


@dataclass(frozen=True)
class Difference:
    """How far a column is from what it may be; of chunks in their order they add up."""

    largest: float = 0.0
    allowed: float = 0.0  # the most that rounding explains in a row
    n_over: int = 0  # rows that differ by more than rounding explains
    n_ties: int = 0  # labels that differ where two categories are as good as equal
    excess: float = 0.0  # the largest ratio of a difference and what explains it
    shown: tuple[tuple[Any, str, str], ...] = ()  # the first rows: label, expected, found

    def __add__(self, other: Difference) -> Difference:
        return Difference(
            max(self.largest, other.largest),
            max(self.allowed, other.allowed),
            self.n_over + other.n_over,
            self.n_ties + other.n_ties,
            max(self.excess, other.excess),
            (*self.shown, *other.shown)[:_MOST_SHOWN],
        )


def compare_numbers(
    question: Question, expected: Floats, found: Floats, slack: Floats, labels: Any
) -> Difference:
    """Compare numbers, NaN where one has none; all of shape (n_rows,)."""
    both = np.isnan(expected) & np.isnan(found)
    gap = np.where(both, 0.0, np.abs(expected - found))
    gap = np.where(np.isnan(gap), np.inf, gap)
    allowed = slack + question.find_precision(expected) + _ULPS * np.abs(expected)
    allowed = np.where(np.isnan(allowed), 0.0, allowed)
    over = gap > allowed
    shown = tuple(
        (labels[i], repr(float(expected[i])), repr(float(found[i])))
        for i in np.flatnonzero(over)[:_MOST_SHOWN].tolist()
    )
    ratio = gap / np.maximum(allowed, _TINY)
    return Difference(
        float(gap.max(initial=0.0)),
        float(allowed.max(initial=0.0)),
        int(over.sum()),
        0,
        float(ratio.max(initial=0.0)),
        shown,
    )


# The last step of a tool, such as its exp, may be off by some units in the last place.
_ULPS = 8 * 2.0**-52
_TINY = np.finfo(np.float64).tiny


def compare_labels(
    expected: Sequence[str | None],
    best: Sequence[int],
    tied: Sequence[bool],
    categories: Sequence[str],
    labels: Any,
) -> Difference:
    """Compare labels; `tied` are rows whose scores say no more than that two are equal."""
    known = {text: find_category(text, categories) for text in set(expected) - {None} if text}
    n_over = n_ties = 0
    shown: list[tuple[Any, str, str]] = []
    for i, (text, place) in enumerate(zip(expected, best, strict=True)):
        if (known[text] if text else -1) == place:
            continue
        if tied[i] and text:
            n_ties += 1
            continue
        n_over += 1
        if len(shown) < _MOST_SHOWN:
            shown.append(
                (labels[i], text or "nothing", categories[place] if place >= 0 else "nothing")
            )
    return Difference(0.0, 0.0, n_over, n_ties, float(n_over), tuple(shown))
