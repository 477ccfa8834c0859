"""DataFrames as an input kind: named and planned, made chunks of, and run as any file is.

Labels are no text here: rows carry their numbers, and what comes out finds its index by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from matscore.commands import FrameKeywords, options_of
from matscore.errors import InputError, MisfitError
from matscore.frame import Frame, join_frames, list_cells, read_numbers
from matscore.kernel import Booleans, Choices, Column, Floats, Texts
from matscore.model import Model, make_model
from matscore.names import Grammar, find_columns, quote_name
from matscore.options import PlanOptions, ReadOptions, RejectOptions, UnknownPolicy
from matscore.plan import Plan, Side, make_plan, require_fit
from matscore.plan.terms import TextColumn
from matscore.read.rows import FrameChunk, Layout, Rows, parse_sound
from matscore.run.parts import count_jobs, map_ordered
from matscore.run.run import Totals
from matscore.run.work import Command, Counted, Job, Work, run_chunk
from matscore.spelling import suggest_name

if TYPE_CHECKING:
    from matscore.plan.design import Design
    from matscore.plan.terms import Terms

_PEEKED_ROWS = 1000  # by which it is told what a column of text holds
TYPED = Grammar(missing_values=())  # what is missing is so by its type: the text "NA" is a text
_CELLS_A_CHUNK = 2**19  # 4 MiB of float64: enough for a thread, little beside the frame
_MISSING_HINT = 'missing="zero", "keep" or "skip" takes the row'


def plan_frames(
    features: pd.DataFrame,
    weights: pd.DataFrame,
    options: PlanOptions,
    read: ReadOptions,
    *,
    paths: tuple[str, str] = ("features", "weights"),
) -> Plan:
    """Line two tables up, which messages call by their paths; the index is column 0 of each."""
    read.check()
    options.check()
    turned = options.transpose
    columns = _names_of(features.columns, weights.columns if turned else weights.index)
    labels = _names_of(weights.index, None if turned else features.columns)
    header = _names_of(weights.columns, features.columns if turned else None)
    # Columns without names are called by their numbers, which the plan counts from the index on.
    if columns is None:
        options = replace(options, keep_cols=_find_places(features.columns, options.keep_cols))
    one = replace(_features_side(features, columns), path=paths[0])
    two = replace(
        _weights_side(weights, labels, header),
        path=paths[1], corner=_corner_of(weights), wanted=options.weights_cols,
    )  # fmt: skip
    plan = make_plan(one, two, options)
    if not plan.ok:
        return plan
    categories = weights.index if plan.transpose else weights.columns
    kept = [features.columns[i - 1] for i in plan.kept_columns]
    return replace(
        plan,
        categories=tuple(map(str, categories)),
        kept_names=tuple(map(str, kept)),
        least_present=read.least_present,
    )


def _features_side(frame: pd.DataFrame, columns: tuple[str, ...] | None) -> Side:
    index_name = "" if frame.index.name is None else str(frame.index.name)
    header = None if columns is None else (index_name, *columns)
    width, peek = frame.shape[1] + 1, partial(_peek, frame)
    return Side("features", width, header, len(frame), None, TYPED, labelled=True, peek=peek)


def _peek(frame: pd.DataFrame) -> list[list[str]]:
    """Return the first texts of each column, of which the index is one; no numbers."""
    first = frame.head(_PEEKED_ROWS)
    texts = (c.dropna() if not is_numeric(c) else c.head(0) for _, c in first.items())
    return [[], *(list(map(str, column)) for column in texts)]


def _weights_side(
    frame: pd.DataFrame, labels: tuple[str, ...] | None, columns: tuple[str, ...] | None
) -> Side:
    if labels is None:
        # Numbers by which messages call the rows; they are no labels to match by.
        first = tuple(str(i) for i in range(len(frame)))
        return Side("weights", frame.shape[1], columns, len(frame), first, labelled=False)
    header = None if columns is None else ("", *columns)
    return Side("weights", frame.shape[1] + 1, header, len(frame), labels, labelled=True)


def _corner_of(weights: pd.DataFrame) -> str:
    """Return what may name a link: the name of the index, or of the columns once it is turned."""
    names = (str(axis.name) for axis in (weights.index, weights.columns) if axis.name is not None)
    return next((name for name in names if "(" in name), "")


def _names_of(axis: pd.Index[Any], facing: pd.Index[Any] | None) -> tuple[str, ...] | None:
    """Return an axis's names.

    The numbers that pandas gives by itself are none, unless they face other numbers: those of
    columns that were chosen or put in another order, which would be matched wrongly by position.
    """
    renumbered = (
        facing is not None and pd.api.types.is_integer_dtype(facing) and not is_numbered(facing)
    )
    if is_numbered(axis) and not renumbered:
        return None
    return tuple(str(name) for name in axis)


def is_numbered(axis: pd.Index[Any]) -> bool:
    """Say whether an axis has no names but the numbers that pandas gives by itself."""
    return isinstance(axis, pd.RangeIndex) and axis.equals(pd.RangeIndex(len(axis)))


def _find_places(columns: pd.Index[Any], names: Sequence[str]) -> tuple[str, ...]:
    """Turn the numbers of columns without names into the plan's, which count from 1."""
    places = {str(column): str(place) for place, column in enumerate(columns, start=1)}
    return tuple(places.get(name, quote_name(name)) for name in names)


def check_index(features: pd.DataFrame, index: pd.Index[Any], what: str) -> None:
    """Refuse a second table whose rows are not those of the features, in their order."""
    if len(index) != len(features):
        raise InputError(what, f"{len(index):,} rows, and the features have {len(features):,}")
    if not index.equals(features.index):
        # Where the types alone differ no label does, and the first row is told.
        other = [one != two for one, two in zip(index, features.index, strict=True)]
        row = other.index(True) if True in other else 0
        wrong = f"the label {index[row]!r}, where the features have {features.index[row]!r}"
        hint = "both must have the same rows in the same order"
        raise InputError(what, wrong, hint, line=row + 1)


def pick_column(
    features: pd.DataFrame, column: str | pd.Series[Any], what: str
) -> tuple[pd.Series[Any], pd.DataFrame]:
    """Return a column that belongs to the features, and the features without it."""
    if isinstance(column, pd.Series):
        check_index(features, column.index, what)
        return column, features
    places = find_columns(column, list(features.columns), features.shape[1])
    if len(places) != 1:
        names = [str(name) for name in features.columns]
        how_many = "several columns are named" if places else "no column"
        hint = "" if places else suggest_name(str(column), names, what)
        raise MisfitError("features", f"{how_many} {quote_name(str(column))}", hint)
    others = [i for i in range(features.shape[1]) if i != places[0]]
    return features.iloc[:, places[0]], features.iloc[:, others]


def pick_targets(
    features: pd.DataFrame, targets: str | pd.Series[Any] | pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the targets, and the features without them."""
    if isinstance(targets, pd.DataFrame):
        check_index(features, targets.index, "targets")
        return targets, features
    column, features = pick_column(features, targets, "targets")
    return column.to_frame("target" if column.name is None else column.name), features


def take_weights(
    weights: object, features: pd.DataFrame, align: PlanOptions = PlanOptions()
) -> pd.DataFrame:
    """Return the columns that are asked for of weights; a fitted model is made a table first."""
    if not isinstance(weights, pd.DataFrame):
        from matscore.commands.import_model import import_object

        weights = import_object(weights, columns=map(str, features.columns)).weights
    align.check()
    only, dropped = align.weights_cols, align.drop_weights_cols
    left = drop_columns(weights, dropped, "weights", "drop_weights_cols")
    if not only:
        return left
    _find_all(left, only, "weights", "weights_cols")
    return left.loc[:, [str(name) in only for name in left.columns]]


def drop_columns(frame: pd.DataFrame, names: Sequence[str], path: str, option: str) -> pd.DataFrame:
    """Return a table without some columns; refuse a name that is none of them."""
    if not names:
        return frame
    _find_all(frame, names, path, option)
    return frame.loc[:, [str(name) not in names for name in frame.columns]]


def _find_all(frame: pd.DataFrame, names: Sequence[str], path: str, option: str) -> None:
    known = list(map(str, frame.columns))
    for name in names:
        if known.count(name) != 1:
            how_many = "a column is there more than once" if name in known else "there is no column"
            hint = "rename one" if name in known else suggest_name(name, known, option)
            raise MisfitError(path, f"{how_many}: {quote_name(name)}, which {option} names", hint)


def read_model(plan: Plan, weights: pd.DataFrame) -> Model:
    """Return the model that a plan takes out of a weights table."""
    return make_model(plan, take_matrix(weights, plan.weights.path, "weight"))


def find_booleans(frame: pd.DataFrame, columns: Iterable[int]) -> tuple[Booleans, ...]:
    """Return which columns hold words for true and false, or truths, and which words."""
    from matscore.read.switches import find_pair

    texts = (i for i in columns if not is_numeric(frame.iloc[:, i]))
    found = ((i, find_pair(take_texts(frame.iloc[:, i].dropna().head(1)), TYPED)) for i in texts)
    return tuple((i, pair) for i, pair in found if pair is not None)


def take_texts(column: pd.Series[Any], truths: Sequence[str] = ("False", "True")) -> Texts:
    """Return a column as text, empty where a value is missing; `truths` are its words for them."""

    def write(cell: object) -> str:
        return truths[bool(cell)] if isinstance(cell, (bool, np.bool_)) else str(cell)

    if isinstance(column.dtype, pd.CategoricalDtype):
        texts = Texts.from_strings([*map(write, column.cat.categories), ""])
        codes = column.cat.codes.to_numpy()
        return texts.take(np.where(codes < 0, len(texts) - 1, codes))
    cells = zip(column.isna(), column, strict=True)
    return Texts.from_strings("" if is_absent else write(cell) for is_absent, cell in cells)


def take_levels(column: pd.Series[Any], levels: TextColumn) -> Texts | Floats:
    """Return a column as text, empty where a value is missing; or the numbers that it holds."""
    if is_numeric(column):
        return np.ascontiguousarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    false, true, _ = levels.spell_truths()
    return take_texts(column, (false, true))


def is_numeric(column: pd.Series[Any]) -> bool:
    """Say whether a column holds numbers; a bool is one to pandas, here more likely a mistake."""
    types = pd.api.types
    return types.is_numeric_dtype(column) and not types.is_bool_dtype(column)


def is_boolean(column: pd.Series[Any]) -> bool:
    """Say whether the first cells of a column are truths, or words for them."""
    from matscore.read.switches import are_booleans

    return are_booleans(list(take_texts(column.head(_PEEKED_ROWS))), TYPED)


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
    return join_frames(run_typed(_Collect(work), typed, missing, unique=unique), {})


@dataclass(frozen=True)
class _Collect(Work):
    """Another work, of which the rows are wanted: they are the tally."""

    work: Work

    def zero(self) -> tuple[Frame, ...]:
        return ()

    def apply(self, rows: Rows) -> Counted:
        outcome = self.work.apply(rows)
        return Counted(None if outcome.faults else (outcome.frame(),), outcome.faults)


def run_frames(
    command: Command,
    features: pd.DataFrame,
    weights: object,
    how: FrameKeywords,
    keep_cols: Sequence[str] = (),
) -> pd.DataFrame:
    """Run a command on two tables; the second may be a fitted model.

    Returns kept columns as they are, then what the command writes, with the features' index.
    """
    read, align = options_of(how, keep_cols)
    read.check()
    weights = take_weights(weights, features, align)
    # Labels stay in the index, and their name is to clash with no column.
    plan = replace(require_fit(plan_frames(features, weights, align, read)), label_name="")
    command.make_output(plan, "csv")  # refuses columns of one name, kept ones included
    work = command.make_work(replace(plan, kept_names=()), read_model(plan, weights))
    typed = Typed.of_plan(features, plan, read.unknown, booleans=read.booleans)
    found = collect_frame(work, typed, read.of_cell, unique=align.unique_labels)
    label, *names = found.columns
    rows: Any = read_numbers(found[label]).astype(np.int64) - 1
    if np.array_equal(rows, np.arange(len(features))):
        rows = slice(None)  # an index keeps its kind in a slice
    made = {features.columns[i - 1]: features.iloc[rows, i - 1] for i in plan.kept_columns}
    made |= {name: to_pandas(found[name]) for name in names}
    return pd.DataFrame(made, index=features.index[rows])


def to_pandas(column: Column) -> Any:
    """Return what a DataFrame is made of for a column."""
    if isinstance(column, Choices):
        return pd.Series(column.texts.to_strings()).array.take(column.codes, allow_fill=True)
    return list_cells(column) if isinstance(column, Texts) else read_numbers(column)
