"""Text columns on their way to an encoder, and what encoders make of them.

>>> region = text("region").impute("North")  # SimpleImputer(strategy="most_frequent")
>>> east, north = region.one_hot([["East"], ["North"]], other="zero")
>>> print(east, "|", north)
region=East | region=North + region=(missing)
>>> print(region.to_number({"East": 2.5, "North": 4}, other=3))  # TargetEncoder
5/2 region=East + 4 region=North + 3 region=(other) + 4 region=(missing)
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np

from matscore.kernel import write_number
from matscore.models.algebra import Feature, Kind, Levels, Number, exact
from matscore.models.refusal import Refusal
from matscore.terms import Factor, Level, Missing, Other, Term

Policy: TypeAlias = Literal["error", "nan"] | Number
"""What an encoder makes of a text that it does not know: an error, NaN (a later imputer may mend
it), or a number."""
Group: TypeAlias = Collection[str | None]
"""Texts that share a column of a one-hot encoder; None is a missing cell."""


@dataclass(frozen=True, eq=False)
class TextFeature:
    """A column of texts, before an encoder has made numbers of it."""

    column: str
    kind: Kind = "text"  # what they were to the tool, such as booleans, which CSV spells freely
    imputed: str | None = None  # the text in place of a missing cell

    def impute(self, text: str) -> TextFeature:
        """Return it with a text in place of missing cells."""
        return self if self.imputed is not None else replace(self, imputed=text)

    def one_hot(
        self,
        groups: Sequence[Group],
        *,
        other: Literal["error", "zero", "nan"] | int,
        missing: Literal["error", "zero", "nan"] | int | None = None,
    ) -> list[Feature]:
        """Return an indicator for each group of texts.

        `other` says what an unknown text is: an error, zeros, NaN, or as the group of that index
        (infrequent levels). `missing` says the same of a missing cell that no group holds; without
        it a missing cell is an unknown text.
        """
        cells = self._find_cells([one for group in groups for one in group])
        policies = self._settle(other, missing)
        factors = [[f for one in group for f in cells.factors[one]] for group in groups]
        for factor in cells.unknown:
            if isinstance(policy := policies[factor], int):
                factors[policy].append(factor)
        return [self._make(dict.fromkeys(each, 1), cells, policies) for each in factors]

    def to_number(
        self, numbers: Mapping[str | None, Number], *, other: Policy, missing: Policy | None = None
    ) -> Feature:
        """Return the number that each text stands for; None is a missing cell.

        `other` and `missing` are as for `one_hot`, but that they may give a number.
        """
        cells = self._find_cells(list(numbers))
        policies = self._settle(other, missing)
        found = {f: number for one, number in numbers.items() for f in cells.factors[one]}
        given = {f: policies[f] for f in cells.unknown if not isinstance(policies[f], str)}
        return self._make(found | given, cells, policies)

    def _settle(self, other: Any, missing: Any) -> Mapping[Factor, Any]:
        # A text in place of missing cells that is no level is an unknown one.
        at_missing = other if missing is None or self.imputed is not None else missing
        return {Other(self.column): other, Missing(self.column): at_missing}

    def _find_cells(self, known: Sequence[str | None]) -> _Cells:
        """Find the cells that become each known text, and which of the rest become none."""
        raws: dict[str | None, list[Factor]] = {
            one: [] if one is None else [Level(self.column, one)] for one in known
        }
        if len(raws) < len(known):
            raise Refusal(f'it has a level of "{self.column}" twice')
        unknown: list[Factor] = [Other(self.column)]
        if self.imputed in raws:
            raws[self.imputed].append(Missing(self.column))
        else:
            unknown.append(Missing(self.column))
        texts = tuple(one for one in known if one is not None)
        return _Cells(raws, unknown, Levels(texts, self.kind))

    def _make(
        self, numbers: Mapping[Factor, Number], cells: _Cells, policies: Mapping[Factor, Any]
    ) -> Feature:
        terms: dict[Term, Fraction] = {(f,): exact(number) for f, number in numbers.items()}
        undefined = frozenset(f for f in cells.unknown if policies[f] == "nan")
        refused = frozenset(f for f in cells.unknown if policies[f] == "error")
        return Feature(terms, undefined, refused, {self.column: cells.levels})


@dataclass(frozen=True)
class _Cells:
    factors: Mapping[str | None, list[Factor]]  # by the text that they have become
    unknown: Collection[Factor]  # Other and Missing, where they become no known text
    levels: Levels


def text(column: str, kind: Kind = "text") -> TextFeature:
    """Return the texts of a column."""
    return TextFeature(column, kind)


def write_level(value: object) -> str | None:
    """Write a level that a tool holds as a text, number or boolean; None where it is missing.

    >>> [write_level(value) for value in ("a", 3, 2.0, 0.5, True, None, float("nan"))]
    ['a', '3', '2', '0.5', 'True', None, None]
    """
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str | bool | int):
        return str(value)
    if isinstance(value, float):
        return None if math.isnan(value) else write_number(value).removesuffix(".0")
    if value is None:
        return None
    raise Refusal(f"it has a level of type {type(value).__name__}")
