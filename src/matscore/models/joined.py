"""Names that a tool has joined, such as ``regionNorth``: taken apart by what a raw file holds.

A name is never split on a guess. Every reading of it that the sample's columns and their values
allow is found; where there is not exactly one, it is refused with the candidates.

>>> names = JoinedNames({"age": (), "region": ("North", "South"), "smoker": ("true", "false")})
>>> for name in ("regionNorth", "age:C(region)[T.South]", "np.log(age)", "age^2", "smokerTRUE"):
...     print(write_term(names.read(name)))
region=North
age:region=South
log(age)
age^2
smoker=true
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product

from matscore.models.algebra import multiply_terms
from matscore.models.refusal import Refusal
from matscore.names import POINT, quote_name, quote_names
from matscore.plan.suggest import read_factors
from matscore.spelling import find_close, suggest
from matscore.terms import (
    Factor,
    Level,
    Power,
    Term,
    TermError,
    parse_term,
    write_term,
)

_JOINTS = (":", "*", " * ", " x ", "_x_", " ")
"""What tools write between the factors of a product."""
_MOST_PARTS = 6


class JoinedNames:
    """The names that tools make of a raw file's columns and their values."""

    def __init__(self, texts: Mapping[str, Sequence[str]]) -> None:
        self._texts = texts  # the values of each column; none of one that has too many

    @cached_property
    def _spelt(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """The values of each column that a spelling of one may be."""
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        for column, texts in self._texts.items():
            spelt = found.setdefault(column, {})
            for text in texts:
                for spelling in _spell(text):
                    spelt[spelling] = (*spelt.get(spelling, ()), text)
        return found

    def read(self, name: str) -> Term:
        """Return the one term that a name is; a `Refusal` with the candidates where it is none."""
        found = self._find(name.strip())
        if len(found) == 1:
            return found[0]
        if found:
            what = f"{quote_name(name)} may be {' or '.join(map(write_term, found[:5]))}"
            raise Refusal(what, "rename a column, or write the rows by hand")
        close = suggest(find_close([name], self._texts))
        hint = close or f"the sample's columns are {quote_names(self._texts)}"
        raise Refusal(f"{quote_name(name)} is no column of the sample, nor made of one", hint)

    def _find(self, name: str) -> list[Term]:
        """Return all readings; a column of that name wins."""
        if name in self._texts:
            return [(Power(name),)]
        # Only values that stand in the name can be meant: a column may have very many.
        columns = {
            column: [spelling for spelling in spelt if spelling in name]
            for column, spelt in self._spelt.items()
        }
        found: dict[Term, None] = dict.fromkeys(self._read_term(name))
        for joint in _JOINTS:
            for pieces in _iter_groups(name.split(joint), joint):
                found |= dict.fromkeys(self._multiply(pieces, columns))
        return list(found)

    def _read_term(self, name: str) -> Iterator[Term]:
        """Yield the term that a name is written as, of columns that are there."""
        with contextlib.suppress(TermError):
            term = parse_term(name)
            if {factor.column for factor in term} <= self._texts.keys():
                yield from _multiply_all([(factor,)] for factor in term)

    def _multiply(self, pieces: Sequence[str], columns: Mapping[str, Sequence[str]]) -> list[Term]:
        """Return the products of all that the pieces of a name may be."""
        readings = []
        for piece in pieces:
            # A power as scikit-learn writes it is told as Python's.
            forms = dict.fromkeys((piece.strip(), piece.strip().replace("^", " ** ")))
            factors = (factor for form in forms for factor in read_factors(form, columns))
            readings.append([(meant,) for factor in factors for meant in self._spell_back(factor)])
            if not readings[-1]:
                return []
        return _multiply_all(readings)

    def _spell_back(self, factor: Factor) -> list[Factor]:
        """Return the levels that the spelling of one may mean."""
        if not isinstance(factor, Level):
            return [factor]
        return [Level(factor.column, text) for text in self._spelt[factor.column][factor.text]]


def _multiply_all(readings: Iterable[Sequence[Term]]) -> list[Term]:
    terms: list[Term] = [()]
    for several in readings:
        products = (multiply_terms(term, one) for term in terms for one in several)
        terms = [product for product in products if product]
    return terms


def _iter_groups(parts: Sequence[str], joint: str) -> Iterator[list[str]]:
    """Yield all ways of putting parts together again, as a level may hold what joins factors."""
    if len(parts) > _MOST_PARTS:
        return
    for joined in product((True, False), repeat=len(parts) - 1):
        groups = [parts[0]]
        for part, is_joined in zip(parts[1:], joined, strict=True):
            if is_joined:
                groups[-1] += joint + part
            else:
                groups.append(part)
        yield groups


def _spell(text: str) -> tuple[str, ...]:
    """Return how tools spell a value in a name: numbers and booleans have several forms."""
    if text.casefold() in ("true", "false"):
        return tuple(dict.fromkeys((text, text.upper(), text.title(), text.lower())))
    if POINT.is_number(text):
        value = POINT.read(text)
        whole = str(int(value)) if value.is_integer() and abs(value) < 1e15 else text
        return tuple(dict.fromkeys((text, whole, repr(value))))
    return (text,)
