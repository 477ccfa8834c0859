"""Features that are computed: which columns the terms among the names of weights read, and how.

What is stored of a row are numbers (products of factors that are no test of a text) and codes
(which levels its texts are); a code finds the one term of its group that counts. So a row costs as
much with ten levels as with ten thousand.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.frame import Levels
from matscore.kernel import Gather, Gathers, Texts
from matscore.names import MAX_SHOWN, POINT, Grammar, quote_name, quote_names
from matscore.spelling import find_close, suggest
from matscore.terms import (
    Factor,
    Function,
    Interval,
    Level,
    Missing,
    Other,
    Power,
    Term,
    TermError,
    is_column,
    parse_term,
    sort_factors,
    try_term,
    write_factor,
    write_name,
    write_term,
)

# Numbers as every tool writes them: 01 may be a code.
_MOST_DIGITS = 15
_PLAIN_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?")

_Codes: TypeAlias = tuple[int, ...]
_Key: TypeAlias = tuple[Term, tuple[int, ...]]
"""By what the terms of a group are multiplied, none for 1, and the texts whose codes find them."""


@dataclass(frozen=True)
class TextColumn:
    """A column that is read as text: its levels, sorted where they were found in a file."""

    name: str
    levels: tuple[str, ...]
    other: bool = False  # texts that are no level, or rare, have a weight
    missing: bool = False  # missing cells have one

    @property
    def is_numeric(self) -> bool:
        """Whether levels compare as numbers."""
        return bool(self.levels) and all(map(_is_plain_number, self.levels))

    @cached_property
    def table(self) -> Levels:
        """The levels as the kernel finds them: a column that has none may hold any text."""
        return Levels(
            self.levels,
            numeric=self.is_numeric,
            other=self.other or not self.levels,
            missing=self.missing,
        )

    def write_tests(self) -> list[Term]:
        """Return the tests of which one is 1 in each row that has a text."""
        tests: list[Term] = [(Level(self.name, level),) for level in self.levels]
        return [*tests, (Other(self.name),)] if self.other else tests

    def spell_truths(self) -> Texts:
        """Return how the levels spell false, true and a missing cell."""
        known = {level.casefold(): level for level in self.levels}
        pairs = (("False", "false", "0"), ("True", "true", "1"))
        spelt = (next((known[word] for word in pair if word in known), pair[0]) for pair in pairs)
        return Texts.from_strings([*spelt, ""])

    @cached_property
    def _places(self) -> dict[str, int]:
        return {level: i for i, level in enumerate(self.levels)}

    def code_of(self, factor: Factor) -> int:
        """Return the code of the cells for which a test of this column is 1."""
        if isinstance(factor, Level):
            return self._places[factor.text]
        return len(self.levels) + isinstance(factor, Missing)


@dataclass(frozen=True)
class Terms:
    """How the features of a model come from columns of numbers and of texts."""

    features: tuple[Term, ...]  # in canonical order
    numbers: tuple[str, ...]  # columns read as numbers
    texts: tuple[TextColumn, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose odd cells are counted: those of which a missing one counts, texts."""
        return (*(self.numbers[i] for i in self.kept), *(column.name for column in self.texts))

    @cached_property
    def kept(self) -> tuple[int, ...]:
        """The numbers whose missing cells have a weight, by their places."""
        factors = {factor for term in self.features for factor in term}
        return tuple(i for i, name in enumerate(self.numbers) if Missing(name) in factors)

    @cached_property
    def products(self) -> tuple[Term, ...]:
        """The products of numbers that are stored, before the codes."""
        return tuple(self._program[0])

    @cached_property
    def codes(self) -> Mapping[tuple[int, ...], Sequence[_Codes]]:
        """The codes that are stored: of one text its own, of several the place in this list."""
        codes: dict[tuple[int, ...], dict[_Codes, None]] = {}
        for (_, texts), group in self._program[2].items():
            codes.setdefault(texts, {}).update(dict.fromkeys(group))
        return {texts: sorted(known) for texts, known in codes.items()}

    @cached_property
    def plain(self) -> dict[int, int]:
        """The products that are a column as it is, and the places of their columns."""
        weighed = {self.numbers[i] for i in self.kept}
        places = {name: i for i, name in enumerate(self.numbers)}
        return {
            row: places[term[0].column]
            for row, term in enumerate(self.products)
            if is_column(term) and term[0].column not in weighed
        }

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Levels of each text, of shape (n_texts,)."""
        return np.array([len(column.levels) for column in self.texts], np.int64)

    @property
    def n_stored(self) -> int:
        """Rows of features as they are stored."""
        return len(self.products) + len(self.codes)

    @property
    def n_counting(self) -> int:
        """Features that count in a row, at most."""
        _, dense, groups = self._program
        return len(dense) + len(groups)

    @cached_property
    def gathers(self) -> Gathers:
        """What the kernel makes of the stored rows."""
        products, dense, groups = self._program
        keys = {texts: len(products) + i for i, texts in enumerate(self.codes)}
        gathers = []
        for (numbers, texts), group in groups.items():
            known = self.codes[texts]
            places = {codes: codes[0] if len(codes) == 1 else i for i, codes in enumerate(known)}
            n_codes = len(known) if len(texts) > 1 else len(self.texts[texts[0]].levels) + 2
            terms = np.full(n_codes, -1, np.int64)
            for codes, term in group.items():
                terms[places[codes]] = term
            value = products[numbers] if numbers else -1
            gathers.append(Gather(keys[texts], value, terms))
        pairs = np.array(dense, np.int64).reshape(-1, 2)
        return Gathers(pairs, tuple(gathers), self.n_stored)

    @cached_property
    def tests(self) -> NDArray[np.bool_]:
        """Mark the features that are only ever 0 or 1, of shape (n_features,)."""
        numbers = (Power, Function)
        return np.array([not any(isinstance(f, numbers) for f in term) for term in self.features])

    @property
    def computed(self) -> tuple[str, ...]:
        """The features that are more than a column, as they are written."""
        return tuple(write_term(term) for term in self.features if not is_column(term))

    def describe(self) -> str:
        """Say in one line what is computed."""
        texts = [f"{quote_name(c.name)} ({len(c.levels)})" for c in self.texts if c.levels]
        more = f" and {len(texts) - MAX_SHOWN} more" if len(texts) > MAX_SHOWN else ""
        told = [f"levels of {', '.join(texts[:MAX_SHOWN])}{more}"] if texts else []
        others = [
            write_term(term)
            for term in self.features
            if not (len(term) == 1 and self._is_test(term[0])) and not is_column(term)
        ]
        told += [quote_names(others)] * bool(others)
        return f"features are computed: {'; '.join(told)}"

    @cached_property
    def _program(
        self,
    ) -> tuple[dict[Term, int], list[tuple[int, int]], dict[_Key, dict[_Codes, int]]]:
        """Products, by places; product and feature of what is one; of groups the features by codes.

        At most one term of a group counts in a row.
        """
        products: dict[Term, int] = {}
        dense: list[tuple[int, int]] = []
        groups: dict[_Key, dict[_Codes, int]] = {}
        for feature, term in enumerate(self.features):
            numbers = tuple(f for f in term if not self._is_test(f))
            tests = sorted((self._places[f.column], f) for f in term if self._is_test(f))
            if numbers:
                product = products.setdefault(numbers, len(products))
            if not tests:
                dense.append((product, feature))
                continue
            group = groups.setdefault((numbers, tuple(place for place, _ in tests)), {})
            group[tuple(self.texts[i].code_of(f) for i, f in tests)] = feature
        return products, dense, groups

    def _is_test(self, factor: Factor) -> bool:
        if isinstance(factor, Missing):
            return factor.column in self._places
        return isinstance(factor, (Level, Other))

    @cached_property
    def _places(self) -> dict[str, int]:
        return {column.name: i for i, column in enumerate(self.texts)}


def _is_plain_number(text: str) -> bool:
    # Of more digits two texts may be one float64.
    digits = re.sub(r"[eE].*|[^0-9]", "", text).lstrip("0")
    is_plain = _PLAIN_NUMBER.fullmatch(text) is not None and len(digits) <= _MOST_DIGITS
    return is_plain and POINT.is_number(text)


@dataclass(frozen=True)
class Unread:
    """A name that is neither a column nor a term of columns that are there."""

    name: str
    columns: tuple[str, ...] = ()  # that it names and that are not there
    error: TermError | None = None  # why it is no term

    def hint(self, columns: Collection[str]) -> str:
        """Say what may be meant; empty where nothing is known."""
        if self.error is not None:
            return f"as a term, {self.error.what}: {self.error.hint}"
        hint = suggest(find_close(self.columns, columns))
        if not hint and "=" in self.name and ":" in self.name.partition("=")[2]:
            column, _, level = self.name.partition("=")
            return f"if that is one level, write {column}={write_name(level)}"
        return hint


def read_name(name: str, columns: Collection[str]) -> Term | Unread:
    """Read a name as a column or, where there is none of that name, as a term of columns."""
    if name in columns:
        return (Power(name),)
    try:
        term = parse_term(name)
    except TermError as error:
        return Unread(name, error=error)
    gone = tuple(dict.fromkeys(f.column for f in term if f.column not in columns))
    return Unread(name, gone) if gone else term


def make_terms(features: Sequence[str], known: Collection[str], grammar: Grammar) -> Terms:
    """Return how features, columns or terms of columns that are known, are computed.

    A `TermError` where they contradict each other or the files.
    """
    encoded = [name for name in features if name in known]
    read = {name: read_name(name, known) for name in features}
    terms = {name: term for name, term in read.items() if not isinstance(term, Unread)}
    for name, term in terms.items():
        _check_factors(name, term)
    _check_twice(terms)
    columns = _find_texts(terms, grammar)
    _check_encoded(columns, encoded)
    used = dict.fromkeys(f.column for term in terms.values() for f in term)
    texts = {column.name: column for column in columns}
    # A column of which only the missing cells count may hold anything.
    numeric = {f.column for term in terms.values() for f in term if _is_number(f)}
    alone = tuple(TextColumn(c, (), missing=True) for c in used if c not in {*numeric, *texts})
    numbers = tuple(name for name in used if name in numeric)
    return Terms(tuple(terms.values()), numbers, (*columns, *alone))


def _is_number(factor: Factor) -> bool:
    return not isinstance(factor, (Level, Other, Missing))


def _check_factors(name: str, term: Term) -> None:
    """Refuse a product that another term says better, or that is always 0."""
    powers = [f for f in term if isinstance(f, Power)]
    for column in {f.column for f in powers}:
        exponent = sum(f.exponent for f in powers if f.column == column)
        if sum(f.column == column for f in powers) > 1:
            hint = f"write {write_factor(Power(column, exponent))}" if exponent else "take it out"
            raise TermError(f"{quote_name(name)} has {quote_name(column)} twice", hint)
    tests = [f for f in term if isinstance(f, (Level, Other, Missing, Interval))]
    for factor in tests:
        if tests.count(factor) > 1:
            what = f"{quote_name(name)} has {write_factor(factor)} twice"
            raise TermError(what, "once is the same")
        if isinstance(factor, Interval):
            continue
        is_missing = isinstance(factor, Missing)
        if any(
            f is not factor and f.column == factor.column and (is_missing or not _is_number(f))
            for f in term
        ):
            what = f"{quote_name(name)} is 0 in every row"
            raise TermError(what, f"a cell of {quote_name(factor.column)} is one thing at a time")


def _check_twice(terms: Mapping[str, Term]) -> None:
    seen: dict[Term, str] = {}
    for name, term in terms.items():
        first = seen.setdefault(sort_factors(term), name)
        if first != name:
            what = f"a feature is there twice: {quote_name(first)} and {quote_name(name)}"
            raise TermError(what, "take one out")


def _find_texts(terms: Mapping[str, Term], grammar: Grammar) -> list[TextColumn]:
    """Return the columns that terms read as text, with their levels in canonical order."""
    tests: dict[str, dict[Factor, str]] = {}
    for name, term in terms.items():
        for factor in term:
            if not _is_number(factor):
                tests.setdefault(factor.column, {}).setdefault(factor, name)
    columns = []
    for name, found in tests.items():
        levels = {f.text: of for f, of in found.items() if isinstance(f, Level)}
        if not levels and Other(name) not in found:
            continue
        for level, of in levels.items():
            _check_level(name, level, of, grammar)
        column = TextColumn(name, tuple(levels), Other(name) in found, Missing(name) in found)
        values: dict[float, str] = {}
        for level in levels if column.is_numeric else ():
            if (first := values.setdefault(POINT.read(level), level)) != level:
                what = f"the levels {quote_names([first, level])} of {quote_name(name)} are one"
                raise TermError(f"{what} number", "keep one of them")
        columns.append(column)
    return columns


def _check_level(column: str, level: str, name: str, grammar: Grammar) -> None:
    """Refuse a level that no cell can have, as a cell of that text is a missing one."""
    if not grammar.is_missing(level):
        return
    what = f"the level {quote_name(level)} of {quote_name(column)} stands for a missing cell"
    hint = f"write {write_factor(Missing(column))}"
    if level.strip():
        rest = ",".join(word for word in grammar.missing_values if word != level.strip())
        hint += f', or say --missing-values "{rest}" if {name} is meant as a level'
    raise TermError(what, hint)


def _check_encoded(texts: Sequence[TextColumn], encoded: Collection[str]) -> None:
    """Refuse levels of a text column of which some are columns themselves."""
    names = {column.name for column in texts}
    for name in encoded:
        tests = [f.column for f in try_term(name) if not _is_number(f)]
        if mixed := [column for column in tests if column in names]:
            what = f"{quote_name(name)} is a column, and other levels of {quote_name(mixed[0])} are"
            hint = "encode all levels as columns, or none"
            raise TermError(f"{what} read from its text", hint)


def find_term(names: Iterable[str]) -> str | None:
    """Return the first name that can be nothing but a term of others."""
    terms = ((name, try_term(name)) for name in names)
    return next((name for name, term in terms if term and not is_column(term)), None)
