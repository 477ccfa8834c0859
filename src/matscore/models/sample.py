"""What the command line and the sample of a raw file bring into a model that was read.

A sample is read whole, as texts: what a column may hold decides what its levels are. It names
columns known by position, spells booleans, and takes joined names apart.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np

from matscore.counts import LevelCounts
from matscore.models.algebra import (
    Feature,
    Levels,
    as_features,
    list_levels,
    multiply_terms,
    order_factor,
)
from matscore.models.bounds import Refusal
from matscore.models.options import ImportOptions, LinkWord
from matscore.models.types import ImportedModel
from matscore.names import POINT, quote_name, quote_names
from matscore.options import Link, ReadOptions
from matscore.plan.suggest import read_factors
from matscore.read.rows import parse_sound
from matscore.read.table import Table, open_table
from matscore.spelling import find_close, suggest, suggest_name
from matscore.terms import (
    Factor,
    Level,
    Other,
    Power,
    Term,
    TermError,
    parse_term,
    write_term,
)

MOST_LEVELS = 100_000
"""Different texts of a column of which they are kept; no column of levels has more."""
_CHUNK_BYTES = 2**22


@dataclass(frozen=True)
class Sample:
    """What is known of a raw file: its columns and what they hold."""

    path: str
    names: tuple[str, ...]
    texts: Mapping[str, tuple[str, ...]]  # of columns with few enough; missing cells are none
    id_col: str | None = None  # what is known to hold labels
    n_rows: int = 0


def read_sample(path: str, read: ReadOptions, id_col: str | None = None) -> Sample:
    """Read the names of a raw file's columns, and the different texts in them."""
    with contextlib.closing(open_table(path, read.of_features)) as table:
        names = table.names
        if names is None:
            raise Refusal(f"{path} has no header, and it is to name columns", "give it one")
        if len(set(names)) < len(names):
            twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
            raise Refusal(f"{path} has columns of one name: {quote_names(twice)}")
        if id_col is not None and id_col not in names:
            what = f"{path} has no column {quote_name(id_col)}"
            raise Refusal(what, suggest_name(id_col, names, "--id-col"))
        n_rows, counts = _count_texts(table, read)
    pairs = zip(names, counts, strict=True)
    texts = {name: tuple(text for text, _ in one.items()) for name, one in pairs if one is not None}
    return Sample(path, tuple(names), texts, id_col, n_rows)


def _count_texts(table: Table, read: ReadOptions) -> tuple[int, list[LevelCounts | None]]:
    layout = table.lay_out(read, label=None, kept=range(table.width), missing="keep")
    counts: list[LevelCounts | None] = [LevelCounts() for _ in range(table.width)]
    n_rows = 0
    for chunk in table.iter_chunks(layout, chunk_bytes=_CHUNK_BYTES):
        rows = parse_sound(layout, chunk)
        n_rows += rows.n_rows
        for i, texts in enumerate(rows.texts):
            if (count := counts[i]) is not None:
                count.add(texts, read.missing_values, read.decimal)
                counts[i] = count if len(count) <= MOST_LEVELS else None
    return n_rows, counts


def settle_model(
    model: ImportedModel, options: ImportOptions, sample: Sample | None = None
) -> ImportedModel:
    """Return the model as it is written: named, resolved, linked and shifted as was asked for."""
    if options.categories:
        model = _name_categories(model, options.categories)
    if options.link is not None:
        model = _link(model, options.link)
    if sample is not None:
        model = name_columns(model, sample)
        if model.joined:
            model = resolve_names(model, sample)
        model = spell_booleans(model, sample)
    return model.at_threshold() if options.at_threshold else model


def _name_categories(model: ImportedModel, names: tuple[str, ...]) -> ImportedModel:
    known = model.categories
    # One vector makes two categories: the first of them is 0 everywhere.
    if len(names) != len(known) and (len(names), len(model.coefficients)) != (2, 1):
        what = f"--categories has {len(names)} names, and the model the categories"
        raise Refusal(f"{what} {quote_names(known)}", "name each, in that order")
    if names == known:
        return model
    fact = f"the categories {quote_names(known)} are named {quote_names(names)}"
    if len(known) == 1:
        fact = f"{quote_name(known[0])} is the score of {quote_name(names[-1])}"
        fact += f"; that of {quote_name(names[0])} is 0" if len(names) == 2 else ""
    return replace(model, categories=names, facts=(*model.facts, fact))


def _link(model: ImportedModel, word: LinkWord) -> ImportedModel:
    link: Link | None = None if word == "none" else word
    if link == "logistic" and model.is_binary_vector:
        link = None  # the softmax of 0 and a score is its logistic function
    if model.knows_link and link != model.link:
        known = model.link or "none"
        raise Refusal(f"its link is {known}, and --link says {word}", "leave --link out")
    return replace(model, link=link)


# ---------------------------------------------------------------------------- names and spellings


def name_columns(model: ImportedModel, sample: Sample) -> ImportedModel:
    """Return a model whose columns, known by position, have the sample's names."""
    wanted = model.positional
    if not wanted:
        return model
    names = tuple(name for name in sample.names if name != sample.id_col)
    # As for features that are matched by position: a column more is a first one of labels.
    if sample.id_col is None and len(names) == len(wanted) + 1:
        names = names[1:]
    if len(names) != len(wanted):
        what = f"{sample.path} has {len(names)} columns, where the model has {len(wanted)}"
        hint = "give it those columns alone, in that order; one of labels may stand before them"
        raise Refusal(f"{what} by position", hint)
    renamed = dict(zip(wanted, names, strict=True))

    def rename(factor: Factor) -> Factor:
        return replace(factor, column=renamed.get(factor.column, factor.column))

    features = [
        _change(one, rename, {renamed.get(name, name): own for name, own in one.levels.items()})
        for one in model.features
    ]
    fact = f"its {len(names)} columns are named after those of {sample.path}, by position"
    return replace(model, features=features, positional=(), facts=(*model.facts, fact))


def _change(
    feature: Feature, change: Callable[[Factor], Factor], levels: Mapping[str, Levels]
) -> Feature:
    return replace(
        feature,
        terms={
            tuple(sorted(map(change, term), key=order_factor)): c
            for term, c in feature.terms.items()
        },
        undefined=frozenset(map(change, feature.undefined)),
        refused=frozenset(map(change, feature.refused)),
        levels=levels,
    )


def spell_booleans(model: ImportedModel, sample: Sample) -> ImportedModel:
    """Return a model whose boolean levels are spelt as in the sample."""
    spelt: dict[Level, Level] = {}
    for name, levels in (pair for one in model.features for pair in one.levels.items()):
        if levels.kind == "boolean" and name in sample.texts:
            for text in levels.texts:
                spelt[Level(name, text)] = Level(name, _find_spelling(name, text, sample))
    if all(old == new for old, new in spelt.items()):
        return model

    def respell(name: str, levels: Levels) -> Levels:
        found = (spelt.get(known := Level(name, text), known).text for text in levels.texts)
        return Levels(tuple(found), levels.kind)

    features = [
        _change(
            one,
            lambda f: spelt.get(f, f) if isinstance(f, Level) else f,
            {name: respell(name, known) for name, known in one.levels.items()},
        )
        for one in model.features
    ]
    told = sorted({f"{old.text} is {new.text}" for old, new in spelt.items()})
    fact = f"booleans are spelt as in {sample.path}: {', '.join(told)}"
    return replace(model, features=features, facts=(*model.facts, fact))


_WORDS = {"false": False, "f": False, "true": True, "t": True}


def _find_spelling(name: str, level: str, sample: Sample) -> str:
    """Return how a column of the sample spells a boolean; of one that it lacks as the other."""
    texts = sample.texts[name]
    truth = _WORDS[level.casefold()]
    own = [text for text in texts if _WORDS.get(text.casefold()) is truth]
    other = [text for text in texts if _WORDS.get(text.casefold()) is (not truth)]
    if len(own) > 1 or len(own) + len(other) < len(texts):
        what = f"{quote_name(name)} is boolean to the model, and {sample.path} has"
        raise Refusal(f"{what} {quote_names(texts)} there", "let it spell them in one way")
    if own or not other:
        return own[0] if own else level
    style = other[0]
    word = ("true" if truth else "false")[: None if len(style) > 1 else 1]
    return word.upper() if style.isupper() else word.title() if style.istitle() else word


# ---------------------------------------------------------------------------------- joined names


def resolve_names(model: ImportedModel, sample: Sample) -> ImportedModel:
    """Return a model of columns whose joined names are taken apart.

    The one value of a column that no name is made of is the reference level; of several it is not
    known which.
    """
    from matscore.models.sample import JoinedNames

    names = JoinedNames({name: sample.texts.get(name, ()) for name in sample.names})
    coefficients = np.asarray(model.coefficients)
    terms: dict[Term, int] = {}  # where the coefficients of each stand
    dropped = []
    for i, name in enumerate(model.joined):
        try:
            term = names.read(name)
        except Refusal:
            # What a tool could not estimate may be of a column that is in no file.
            if coefficients[:, i].any():
                raise
            dropped.append(name)
            continue
        if term in terms:
            raise Refusal(f"several of its names are {write_term(term)}")
        terms[term] = i
    levels = _find_levels(terms, sample)
    facts = [f"the names are read by the columns and values of {sample.path}"]
    facts += [f"left out, as their coefficient is 0: {quote_names(dropped)}"] if dropped else []
    facts += _tell_references(terms, levels)
    kept, off = list(terms.values()), model.uncertainty
    return replace(
        model,
        features=as_features(list(terms), levels),
        coefficients=coefficients[:, kept],
        uncertainty=None if off is None else np.asarray(off)[:, [*kept, -1]],
        joined=(),
        facts=(*model.facts, *facts),
    )


def _find_levels(terms: Iterable[Term], sample: Sample) -> dict[str, Levels]:
    """Return the levels of each text column: those with a coefficient, and a reference."""
    levels = list_levels(terms)
    others = {factor.column for term in terms for factor in term if isinstance(factor, Other)}
    for column, known in levels.items():
        rest = [text for text in sample.texts[column] if text not in set(known.texts)]
        if column in others:
            rest = []  # which are no levels
        if len(rest) > 1:
            what = f"{quote_names(rest)} of {quote_name(column)} have no coefficient"
            raise Refusal(what, "one may be the reference: leave the others out of the sample")
        levels[column] = Levels((*rest, *known.texts))
    return levels


def _tell_references(terms: Iterable[Term], levels: Mapping[str, Levels]) -> Iterator[str]:
    named = {factor for term in terms for factor in term}
    for column, known in levels.items():
        for text in known.texts:
            if Level(column, text) not in named:
                yield f"the reference level of {quote_name(column)} is {quote_name(text)}"


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
