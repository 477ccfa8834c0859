"""The features that weights are learned for, where some are computed: levels of texts, terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np

from matscore.command_options import FitOptions
from matscore.errors import MisfitError
from matscore.kernel import Floats, PackedWeights
from matscore.names import Grammar, quote_name, quote_names
from matscore.plan.terms import Terms, TextColumn, Unread, make_terms, read_name
from matscore.spelling import suggest_name
from matscore.terms import (
    POINT_HINT,
    Factor,
    Level,
    Missing,
    Other,
    Power,
    TermError,
    parse_term,
    write_term,
)

_MOST_FEATURES = 10_000  # whose products take 800 MB


@dataclass(frozen=True)
class Design:
    """Which features are learned, and what is written of them."""

    terms: Terms
    names: tuple[str, ...]  # of all features, in canonical order
    written: tuple[str, ...]  # the same in the order in which they are written
    references: frozenset[str]  # of these, the levels that the others are compared with: all 0

    @cached_property
    def fitted(self) -> list[int]:
        """The features that are learned, by their places."""
        return [i for i, name in enumerate(self.names) if name not in self.references]

    @property
    def learned(self) -> tuple[str, ...]:
        """Names of the features that are learned, in canonical order."""
        return tuple(self.names[i] for i in self.fitted)

    @property
    def order(self) -> list[int]:
        """Places among these in the order in which they are written."""
        places = {name: i for i, name in enumerate(self.learned)}
        return [places[name] for name in self.written if name in places]

    @cached_property
    def _packed(self) -> PackedWeights:
        return PackedWeights(np.zeros((len(self.names), 1)), None, self.terms.gathers)

    def settle(self, options: FitOptions) -> FitOptions:
        """Return the options with an intercept where levels are compared with a reference."""
        return replace(options, intercept=True) if self.references else options

    @property
    def n_redundant(self) -> int:
        """Columns of text of which all levels are learned: beside an intercept one too many."""
        tests = {c.name for c in self.terms.texts if c.levels}
        return 0 if self.references else len(tests)

    def expand(self, stored: Floats) -> Floats:
        """Return the features that are learned, (n_learned, n_rows), of what is stored of rows."""
        return self._packed.expand(np.ascontiguousarray(stored))[self.fitted]

    def add_references(
        self, rows: Sequence[str], weights: Floats
    ) -> tuple[tuple[str, ...], Floats]:
        """Put rows of zeros among those of weights, whose intercept is last where there is one."""
        known = dict(zip(rows, weights, strict=True))
        nothing = np.zeros(weights.shape[1])
        names = (*self.written, *(name for name in rows if name not in self.names))
        return names, np.array([known.get(name, nothing) for name in names])


def find_weighed(terms: Sequence[str], columns: Collection[str]) -> set[str]:
    """Return the columns whose missing cells have a weight in some terms."""
    read = (read_name(term, columns) for term in terms)
    factors = (f for term in read if not isinstance(term, Unread) for f in term)
    return {factor.column for factor in factors if isinstance(factor, Missing)}


def make_design(
    path: str,
    columns: Sequence[str],
    texts: Mapping[str, TextColumn],
    more: Sequence[str],
    *,
    has_reference: bool,
) -> Design:
    """Return the features of some columns, of which those in `texts` are levels, and more terms.

    `columns` are in the file's order. Where there is a reference, the first level of a column has
    the weight 0, so that the others are told apart from the intercept.
    """
    written, references = list[str](), set[str]()
    for column in columns:
        tests = texts[column].write_tests() if column in texts else []
        written += map(write_term, tests) if column in texts else [column]
        references |= {*map(write_term, tests[:1])} if has_reference else set()
    for text in more:
        written += _expand(path, text, columns, texts, references)
    if more and (twice := sorted(name for name, n in Counter(written).items() if n > 1)):
        what = f"a feature is asked for twice: {quote_names(twice)}"
        raise MisfitError(path, what, "leave it out of --terms")
    if len(written) > _MOST_FEATURES:
        what = f"{len(written):,} features are too many: their products take the square of that"
        raise MisfitError(path, what, "--rare N puts rare levels together, --drop-cols leaves out")
    names = tuple(sorted(written))
    # What is missing is so by its cell; a level that was found is none.
    try:
        terms = make_terms(names, columns, Grammar(missing_values=()))
    except TermError as error:
        raise MisfitError(path, error.what, error.hint) from None
    if not set(written) - references:
        raise MisfitError(path, "there are no features: each column of text has one level")
    return Design(terms, names, tuple(written), frozenset(references))


def _expand(
    path: str,
    text: str,
    columns: Sequence[str],
    texts: Mapping[str, TextColumn],
    references: set[str],
) -> list[str]:
    """Return the features that a term stands for: a column of text is each of its levels."""
    try:
        term = parse_term(text)
    except TermError as error:
        raise MisfitError(path, f"--terms: {error.what}", error.hint) from None
    for factor in term:
        what, hint = _refuse_factor(factor, columns, texts)
        if what:
            raise MisfitError(path, f"--terms {text}: {what}", hint)
    choices = (_choose(factor, texts, references) for factor in term)
    return [write_term(tuple(chosen)) for chosen in product(*choices)]


def _refuse_factor(
    factor: Factor, columns: Sequence[str], texts: Mapping[str, TextColumn]
) -> tuple[str, str]:
    """Say why a factor is none of these columns', and what to do; empty where it is one."""
    name, column = quote_name(factor.column), texts.get(factor.column)
    if factor.column not in columns:
        # A comma has cut a border into two terms.
        is_cut = factor.column.isdigit()
        hint = POINT_HINT if is_cut else suggest_name(factor.column, columns, "a term")
        return f"no column {name}", hint
    if column is None and isinstance(factor, (Level, Other)):
        return f"{name} is a column of numbers", "an interval is written 30<=x<35"
    if column is None or isinstance(factor, (Other, Missing)) or factor == Power(factor.column):
        return "", ""
    if not isinstance(factor, Level):
        return f"{name} is text", f"name it alone, or one of its levels: {factor.column}=A"
    if column.levels and factor.text not in column.levels:
        hint = suggest_name(factor.text, column.levels)
        return f"{name} has no level {quote_name(factor.text)}", hint
    return "", ""


def _choose(factor: Factor, texts: Mapping[str, TextColumn], references: set[str]) -> list[Factor]:
    if factor != Power(factor.column) or factor.column not in texts:
        return [factor]
    tests = texts[factor.column].write_tests()
    return [test[0] for test in tests if write_term(test) not in references]
