"""The sample of a raw file: it names columns known by position, and spells booleans.

A sample is read whole, as texts: what a column may hold decides what its levels are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from matscore.counts import LevelCounts
from matscore.models.algebra import Feature, Levels
from matscore.models.factors import order_factor
from matscore.models.refusal import Refusal
from matscore.models.types import ImportedModel
from matscore.names import quote_name, quote_names, suggest_name
from matscore.options import ReadOptions
from matscore.read.rows import parse_sound
from matscore.read.table import Table, open_table
from matscore.terms import Factor, Level, Term

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

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that are not known to hold labels."""
        return tuple(name for name in self.names if name != self.id_col)


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


def name_columns(model: ImportedModel, sample: Sample) -> ImportedModel:
    """Return a model whose columns, known by position, have the sample's names."""
    if not model.positional:
        return model
    names = _find_positions(model.positional, sample)
    renamed = dict(zip(model.positional, names, strict=True))
    features = [rename_columns(feature, renamed) for feature in model.features]
    fact = f"its {len(names)} columns are named after those of {sample.path}, by position"
    return replace(model, features=features, positional=(), facts=(*model.facts, fact))


def _find_positions(wanted: Sequence[str], sample: Sample) -> tuple[str, ...]:
    names = sample.features
    # As for features that are matched by position: a column more is a first one of labels.
    if sample.id_col is None and len(names) == len(wanted) + 1:
        return names[1:]
    if len(names) == len(wanted):
        return names
    what = f"{sample.path} has {len(names)} columns, where the model has {len(wanted)} by position"
    hint = "give it those columns alone, in that order; one of labels may stand before them"
    raise Refusal(what, hint)


def rename_columns(feature: Feature, names: Mapping[str, str]) -> Feature:
    """Return a feature of other columns; what has no other name keeps its own."""
    levels = {names.get(name, name): known for name, known in feature.levels.items()}
    return _change_factors(
        feature, lambda f: replace(f, column=names.get(f.column, f.column)), levels
    )


def _change_factors(
    feature: Feature, change: Callable[[Factor], Factor], levels: Mapping[str, Levels]
) -> Feature:
    def change_term(term: Term) -> Term:
        return tuple(sorted(map(change, term), key=order_factor))

    return replace(
        feature,
        terms={change_term(term): c for term, c in feature.terms.items()},
        undefined=frozenset(map(change, feature.undefined)),
        refused=frozenset(map(change, feature.refused)),
        levels=levels,
    )


def spell_booleans(model: ImportedModel, sample: Sample) -> ImportedModel:
    """Return a model whose boolean levels are spelt as in the sample."""
    known: dict[str, Levels] = {}
    for feature in model.features:
        known.update(feature.levels)
    spelt = {
        Level(name, text): Level(name, _find_spelling(name, text, sample))
        for name, levels in known.items()
        if levels.kind == "boolean" and name in sample.texts
        for text in levels.texts
    }
    changed: dict[Factor, Level] = {old: new for old, new in spelt.items() if old != new}
    if not changed:
        return model

    def spell(levels: Levels, name: str) -> Levels:
        texts = (changed.get(Level(name, t), Level(name, t)).text for t in levels.texts)
        return Levels(tuple(texts), levels.kind)

    features = [
        _change_factors(
            feature,
            lambda f: changed.get(f, f),
            {name: spell(levels, name) for name, levels in feature.levels.items()},
        )
        for feature in model.features
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
    word = ("true" if truth else "false")[: None if len(other[0]) > 1 else 1]
    style = other[0]
    return word.upper() if style.isupper() else word.title() if style.istitle() else word
