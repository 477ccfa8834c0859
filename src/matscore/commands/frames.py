"""DataFrames as an input kind: their columns named, planned and run as those of any file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from matscore.command_options import FitOptions
from matscore.commands.typed import (
    TYPED,
    Typed,
    collect_frame,
    is_numeric,
    take_levels,
    take_matrix,
    take_texts,
    to_pandas,
)
from matscore.counts import LevelCounts
from matscore.errors import InputError, MisfitError
from matscore.frame import read_numbers
from matscore.kernel import Texts
from matscore.model import Model, make_model
from matscore.names import find_columns, quote_name, quote_names
from matscore.options import PlanOptions, ReadOptions
from matscore.plan import Plan, Side, make_plan, require_fit
from matscore.plan.terms import TextColumn
from matscore.run.work import Command
from matscore.spelling import suggest_name

if TYPE_CHECKING:
    from matscore.command_options import Method
    from matscore.plan.design import Design

_PEEKED_ROWS = 1000


def make_align(
    *,
    keep_cols: Sequence[str] = (),
    weights_cols: Sequence[str] = (),
    drop_weights_cols: Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    absent: str | Sequence[str] = (),
    **same: Any,
) -> PlanOptions:
    """Return the options of keywords; those that are not named here are fields of the same name."""
    named = () if absent == "zero" else (absent,) if isinstance(absent, str) else absent
    return PlanOptions(
        keep_cols=tuple(map(str, keep_cols)),
        weights_cols=tuple(map(str, weights_cols)),
        drop_weights_cols=tuple(map(str, drop_weights_cols)),
        renames=tuple((str(old), str(new)) for old, new in (rename or {}).items()),
        absent=tuple(map(str, named)),
        absent_zero=absent == "zero",
        **same,
    )


def plan_frames(
    features: pd.DataFrame,
    weights: pd.DataFrame,
    options: PlanOptions,
    read: ReadOptions = ReadOptions(),
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
    two = replace(_weights_side(weights, labels, header), path=paths[1], corner=_corner_of(weights))
    two = replace(two, wanted=options.weights_cols)
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
        facing is not None
        and pd.api.types.is_integer_dtype(facing)
        and not _is_numbered_by_pandas(facing)
    )
    if _is_numbered_by_pandas(axis) and not renumbered:
        return None
    return tuple(str(name) for name in axis)


def _is_numbered_by_pandas(axis: pd.Index[Any]) -> bool:
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


def are_categories(table: pd.DataFrame, options: FitOptions) -> bool:
    """Say whether targets are categories, which a column that is no numbers is."""
    is_number = [is_numeric(column) for _, column in table.items()]
    found = not all(is_number) if options.categories is None else options.categories
    found = found or options.method == "logistic"
    if found and table.shape[1] != 1:
        names = quote_names([str(name) for name in table.columns])
        raise MisfitError(
            "targets", f"several columns of categories: {names}", "learn them one by one"
        )
    return found


def sort_names(features: pd.DataFrame) -> tuple[tuple[str, ...], list[int]]:
    """Return the features in canonical order: their names and their places."""
    columns = features.columns
    n_features = len(columns)
    if not n_features:
        raise MisfitError("features", "there are no features", "give it one column a feature")
    if _is_numbered_by_pandas(columns):
        return tuple(f"x{i}" for i in range(1, n_features + 1)), list(range(n_features))
    names = [str(name) for name in columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        what = f"a feature is there more than once: {quote_names(twice)}"
        raise MisfitError("features", what, "rename one or take it out")
    order = sorted(range(n_features), key=names.__getitem__)
    return tuple(names[i] for i in order), order


def _is_boolean(column: pd.Series[Any]) -> bool:
    from matscore.read.columns import are_booleans

    return are_booleans(list(take_texts(column.head(_PEEKED_ROWS))), TYPED)


def design_frame(
    features: pd.DataFrame, options: FitOptions, method: Method, *, booleans: bool = False
) -> Design | None:
    """Return how features are computed; None where all are columns of numbers."""
    texts = [
        str(name)
        for name, column in features.items()
        if not (is_numeric(column) or (booleans and _is_boolean(column)))
    ]
    if not texts and not options.terms:
        return None
    from matscore.commands.examples import CountLevels, has_reference
    from matscore.plan.design import make_design

    sort_names(features)  # which refuses two of one name
    if _is_numbered_by_pandas(features.columns):
        raise MisfitError("features", "computed features need columns with names", "name them")
    work, levels = CountLevels("features", tuple(texts), (), options), {}
    for name, column in features.items():
        if str(name) in texts:
            counts = LevelCounts()
            counts.add(cast("Texts", take_levels(column, TextColumn(str(name), ()))), ())
            levels[str(name)] = work.choose(str(name), counts)
    columns = list(map(str, features.columns))
    return make_design(
        "features", columns, levels, options.terms, has_reference=has_reference(options, method)
    )


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


def run_frames(
    command: Command,
    features: pd.DataFrame,
    weights: object,
    align: PlanOptions,
    read: ReadOptions,
) -> pd.DataFrame:
    """Run a command on two tables; the second may be a fitted model.

    Returns kept columns as they are, then what the command writes, with the features' index.
    """
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
