"""Rows of a DataFrame: its columns as chunks of numbers and texts, and works that are done on them.

Labels are no text here: rows carry their numbers, and what comes out finds its index by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from matscore.errors import InputError
from matscore.frame import Frame, join_frames, list_cells, read_numbers
from matscore.kernel import Booleans, Choices, Column, Floats, Texts
from matscore.names import Grammar
from matscore.options import RejectOptions, UnknownPolicy
from matscore.plan import Plan
from matscore.plan.terms import TextColumn
from matscore.read.rows import FrameChunk, Layout, Rows, parse_sound
from matscore.run.parts import count_jobs, map_ordered
from matscore.run.run import Totals
from matscore.run.work import Fault, Job, Outcome, Tally, Work, run_chunk

if TYPE_CHECKING:
    from matscore.plan.design import Design
    from matscore.plan.terms import Terms

_CELLS_A_CHUNK = 2**19  # 4 MiB of float64: enough for a thread, little beside the frame
TYPED = Grammar(missing_values=())  # what is missing is so by its type: the text "NA" is a text
_MISSING_HINT = 'missing="zero", "keep" or "skip" takes the row'


def find_booleans(frame: pd.DataFrame, columns: Iterable[int]) -> tuple[Booleans, ...]:
    """Return which columns hold words for true and false, or truths, and which words."""
    from matscore.read.columns import find_pair

    texts = (i for i in columns if not is_numeric(frame.iloc[:, i]))
    found = ((i, find_pair(take_texts(frame.iloc[:, i].dropna().head(1)), TYPED)) for i in texts)
    return tuple((i, pair) for i, pair in found if pair is not None)


def take_texts(column: pd.Series[Any]) -> Texts:
    """Return a column as text, empty where a value is missing."""
    cells = zip(column.isna(), column, strict=True)
    return Texts.from_strings("" if is_absent else str(cell) for is_absent, cell in cells)


def take_levels(column: pd.Series[Any], levels: TextColumn) -> Texts | Floats:
    """Return a column as text, empty where a value is missing; or the numbers that it holds."""
    if is_numeric(column):
        return np.ascontiguousarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    false, true, _ = levels.spell_truths()

    def write(cell: object) -> str:
        return (true if cell else false) if isinstance(cell, (bool, np.bool_)) else str(cell)

    if isinstance(column.dtype, pd.CategoricalDtype):
        texts = Texts.from_strings([*map(write, column.cat.categories), ""])
        codes = column.cat.codes.to_numpy()
        return texts.take(np.where(codes < 0, len(texts) - 1, codes))
    cells = zip(column.isna(), column, strict=True)
    return Texts.from_strings("" if is_absent else write(cell) for is_absent, cell in cells)


def is_numeric(column: pd.Series[Any]) -> bool:
    """Say whether a column holds numbers; a bool is one to pandas, here more likely a mistake."""
    types = pd.api.types
    return types.is_numeric_dtype(column) and not types.is_bool_dtype(column)


def take_numbers(frame: pd.DataFrame, i: int, path: str = "features") -> Floats:
    """Return a column as float64, NaN where a value is missing; refuse what is no finite number."""
    series, name = frame.iloc[:, i], str(frame.columns[i])
    if not is_numeric(series) or pd.api.types.is_complex_dtype(series):
        what = f"is of type {series.dtype}, not a number"
        hint = "convert it first"
        if find_booleans(frame, [i]):
            hint = "booleans=True reads it as 1 and 0"
        raise InputError(path, what, hint, column=i + 1, name=name)
    # Nullable types of pandas have an NA that float64 does not know.
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        at = int(infinite[0])
        what = f"{values[at]} is not a finite number"
        raise InputError(path, what, line=at + 1, column=i + 1, name=name)
    # A column of a frame is a view with strides, which the kernel does not take.
    return np.ascontiguousarray(values)


def take_matrix(frame: pd.DataFrame, path: str, what: str, *, booleans: bool = False) -> Floats:
    """Return a table's numbers, of its shape; refuse a missing one."""
    hint = f"every {what} must be a number"
    typed = Typed(frame, range(frame.shape[1]), path, missing_hint=hint, booleans=booleans)
    parts = [parse_sound(typed.make_layout("error"), one).features for one in typed.iter_chunks()]
    return np.concatenate(parts, axis=1).T


@dataclass(frozen=True)
class Typed:
    """The columns of a DataFrame that a work reads, and those set beside them."""

    features: pd.DataFrame
    columns: Sequence[int]  # of the features, in canonical order, or as their terms read them
    path: str = "features"
    numbers: Sequence[Floats] = ()  # further features, (n_rows,) each
    texts: Sequence[Texts] = ()  # columns that are text
    missing_hint: str = _MISSING_HINT
    chunk_rows: int | None = None
    terms: Terms | None = None  # how features are computed, where some are no columns
    levels: Sequence[int] = ()  # columns that are read as text for that
    unknown: UnknownPolicy = "error"
    booleans: bool = False  # whether words for true and false are read as 1 and 0

    @classmethod
    def of_design(cls, features: pd.DataFrame, design: Design) -> Typed:
        """Return what a design reads."""
        names = list(map(str, features.columns))
        columns = [names.index(name) for name in design.terms.numbers]
        levels = [names.index(column.name) for column in design.terms.texts]
        return cls(features, columns, terms=design.terms, levels=levels)

    @classmethod
    def of_plan(
        cls, features: pd.DataFrame, plan: Plan, unknown: UnknownPolicy, **more: Any
    ) -> Typed:
        """Return what a plan reads, of which the index is column 0."""
        levels = [i - 1 for i in plan.text_columns]
        columns = [i - 1 for i in plan.feature_columns]
        return cls(features, columns, terms=plan.terms, levels=levels, unknown=unknown, **more)

    @cached_property
    def pairs(self) -> tuple[Booleans, ...]:
        """The columns of numbers that have words for 1 and 0, and the words."""
        return find_booleans(self.features, self.columns) if self.booleans else ()

    def iter_chunks(self) -> Iterator[FrameChunk]:
        """Yield the rows as typed columns; at least one chunk, or no rows would have no columns."""
        n_rows, width = self.features.shape
        words = {i: take_texts(self.features.iloc[:, i]) for i, _ in self.pairs}
        cells: dict[int, Any] = {
            i: words[i] if i in words else take_numbers(self.features, i, self.path)
            for i in self.columns
        }
        cells |= enumerate((*self.numbers, *self.texts), start=width)
        texts = () if self.terms is None else self.terms.texts
        for i, column in zip(self.levels, texts, strict=True):
            # Of a column that is a number, too, levels compare as numbers.
            cells.setdefault(i, take_levels(self.features.iloc[:, i], column))
        size = self.chunk_rows or max(_CELLS_A_CHUNK // (len(cells) + 1), 1)
        for start in range(0, max(n_rows, 1), size):
            stop = min(start + size, n_rows)
            places = np.arange(start, stop)
            columns = {
                i: c.take(places) if isinstance(c, Texts) else c[start:stop]
                for i, c in cells.items()
            }
            yield FrameChunk(self.path, columns, start + 1, start, stop - start)

    def make_layout(self, missing: UnknownPolicy) -> Layout:
        """Return how the rows read."""
        width, n_added = self.features.shape[1], len(self.numbers) + len(self.texts)
        first_text = width + len(self.numbers)
        kept = () if self.terms is None else self.terms.kept
        return Layout(
            (*map(str, self.features.columns), *("",) * n_added),
            width + n_added,
            None,
            tuple(range(first_text, width + n_added)),
            (*self.columns, *range(width, first_text)),
            missing=missing,
            missing_values=(),
            missing_hint=self.missing_hint,
            kept_missing=tuple(self.columns[i] for i in kept),
            level_columns=tuple(self.levels),
            terms=self.terms,
            unknown=self.unknown,
            booleans=self.pairs,
        )


def check_rows(typed: Typed) -> None:
    """Refuse a row with a missing value."""
    for chunk in typed.iter_chunks():
        parse_sound(typed.make_layout("error"), chunk)


def run_typed(work: Work, typed: Typed, missing: UnknownPolicy, *, unique: bool = False) -> Any:
    """Do a work on the rows of a DataFrame, as on those of a file, and return its tally."""
    job, chunks = Job(typed.make_layout(missing), work, None), list(typed.iter_chunks())
    totals: Totals[Any] = Totals(work.zero(), RejectOptions())
    # Threads for one chunk cost more than they bring.
    n_jobs = count_jobs() if len(chunks) > 1 else 1
    gone = []  # rows that were left out
    for result in totals.count(map_ordered(partial(run_chunk, job), chunks, n_jobs)):
        gone += [reject.line - 1 for reject in result.rejects]
    if unique:
        _check_unique(typed, np.setdiff1d(np.arange(len(typed.features)), gone))
    return totals.tally


def _check_unique(typed: Typed, rows: NDArray[np.int64]) -> None:
    """Refuse a label of the index that another of some rows has before."""
    codes = pd.factorize(typed.features.index[rows])[0]
    firsts = np.unique(codes, return_index=True)[1]
    if len(again := np.setdiff1d(np.arange(len(rows)), firsts)):
        at = int(again[0])
        label, before = typed.features.index[rows[at]], rows[codes.tolist().index(codes[at])]
        what = f"{label!r} is a label that was there before, in row {before + 1}"
        raise InputError(typed.path, what, "give it another", line=int(rows[at]) + 1)


def collect_frame(
    work: Work, typed: Typed, missing: UnknownPolicy, *, unique: bool = False
) -> Frame:
    """Do a work on the rows of a DataFrame, and return what it writes: row numbers come first."""
    return join_frames(run_typed(_Collecting(work), typed, missing, unique=unique).frames, {})


def to_pandas(column: Column) -> Any:
    """Return what a DataFrame is made of for a column."""
    if isinstance(column, Choices):
        return pd.Series(column.texts.to_strings()).array.take(column.codes, allow_fill=True)
    return list_cells(column) if isinstance(column, Texts) else read_numbers(column)


@dataclass(frozen=True)
class _Frames(Tally):
    """The tally of a work whose rows are collected, not counted."""

    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True)
class _Collecting(Work):
    """Another work, of which the rows are wanted."""

    work: Work

    def zero(self) -> _Frames:
        """Return no rows."""
        return _Frames()

    def apply(self, rows: Rows) -> _Collected:
        """Do the other work."""
        outcome = self.work.apply(rows)
        return _Collected(outcome.faults, outcome)


@dataclass(frozen=True)
class _Collected(Outcome):
    """The outcome of a work whose rows are collected."""

    faults: Sequence[Fault]
    outcome: Outcome

    def tally(self) -> _Frames:
        """Return the rows."""
        return _Frames((self.outcome.frame(),))
