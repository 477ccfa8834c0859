"""DataFrames as the two sides of a plan, and their columns as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn, get_args

import numpy as np
import pandas as pd

from matscore.errors import InputError, MisfitError, UsageError
from matscore.kernel import Floats
from matscore.model import Model
from matscore.names import quote_name, suggest_name
from matscore.numerics.scores import make_model
from matscore.options import MissingPolicy, PlanOptions
from matscore.plan import Plan, Side, make_plan


def plan_frames(
    features: pd.DataFrame,
    weights: pd.DataFrame,
    options: PlanOptions,
    paths: tuple[str, str] = ("features", "weights"),
) -> Plan:
    """Line two tables up, which messages call by their paths; see `matscore.check`."""
    options.check()
    turned = options.transpose
    columns = _names_of(features.columns, weights.columns if turned else weights.index)
    labels = _names_of(weights.index, None if turned else features.columns)
    header = _names_of(weights.columns, features.columns if turned else None)
    if columns is None:
        options = replace(options, keep_cols=_find_places(features.columns, options.keep_cols))
    one = replace(_features_side(features, columns), path=paths[0])
    plan = make_plan(one, replace(_weights_side(weights, labels, header), path=paths[1]), options)
    if not plan.ok:
        return plan
    categories = weights.index if plan.transpose else weights.columns
    kept = [features.columns[i - 1] for i in plan.kept_columns]
    return replace(plan, categories=tuple(map(str, categories)), kept_names=tuple(map(str, kept)))


def _features_side(frame: pd.DataFrame, columns: tuple[str, ...] | None) -> Side:
    index_name = "" if frame.index.name is None else str(frame.index.name)
    header = None if columns is None else (index_name, *columns)
    return Side("features", frame.shape[1] + 1, header, len(frame), None, labelled=True)


def _weights_side(
    frame: pd.DataFrame, labels: tuple[str, ...] | None, columns: tuple[str, ...] | None
) -> Side:
    if labels is None:
        first = tuple(str(i) for i in range(len(frame)))
        return Side("weights", frame.shape[1], columns, len(frame), first, labelled=False)
    header = None if columns is None else ("", *columns)
    return Side("weights", frame.shape[1] + 1, header, len(frame), labels, labelled=True)


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
    return isinstance(axis, pd.RangeIndex) and axis.equals(pd.RangeIndex(len(axis)))


def _find_places(columns: pd.Index[Any], names: Sequence[str]) -> tuple[str, ...]:
    """Turn the numbers of columns without names into the plan's, which count from 1."""
    places = {str(column): str(place) for place, column in enumerate(columns, start=1)}
    return tuple(places.get(name, quote_name(name)) for name in names)


def check_missing(missing: str) -> None:
    """Refuse a word for missing values that is none of the four.

    Raises
    ------
    UsageError
        It is none.
    """
    if missing not in get_args(MissingPolicy):
        hint = f"say one of {', '.join(get_args(MissingPolicy))}"
        raise UsageError(f"missing cannot be {missing!r}", hint)


def check_index(features: pd.DataFrame, index: pd.Index[Any], what: str) -> None:
    """Refuse a second table whose rows are not those of the features, in their order.

    Raises
    ------
    InputError
        They are not.
    """
    if len(index) != len(features):
        raise InputError(what, f"{len(index):,} rows, and the features have {len(features):,}")
    if not index.equals(features.index):
        other = [one != two for one, two in zip(index, features.index, strict=True)]
        row = other.index(True) if True in other else 0
        wrong = f"the label {index[row]!r}, where the features have {features.index[row]!r}"
        hint = "both must have the same rows in the same order"
        raise InputError(what, wrong, hint, line=row + 1)


def pick_column(
    features: pd.DataFrame, column: str | pd.Series[Any], what: str
) -> tuple[pd.Series[Any], pd.DataFrame]:
    """Return a column that belongs to the features, and the features without it.

    Raises
    ------
    MisfitError
        The features have no such column, or more than one.
    InputError
        The column has another index.
    """
    if isinstance(column, pd.Series):
        check_index(features, column.index, what)
        return column, features
    places = [i for i, name in enumerate(features.columns) if name == column]
    if len(places) != 1:
        names = [str(name) for name in features.columns]
        how_many = "several columns are named" if places else "no column"
        hint = "" if places else suggest_name(str(column), names)
        raise MisfitError("features", f"{how_many} {quote_name(str(column))}", hint)
    others = [i for i in range(features.shape[1]) if i != places[0]]
    return features.iloc[:, places[0]], features.iloc[:, others]


def feature_values(frame: pd.DataFrame, i: int, path: str = "features") -> Floats:
    """Return a column of the features as float64, NaN where a value is missing.

    Raises
    ------
    InputError
        It is no number, or not finite.
    """
    return _numbers_of(frame.iloc[:, i], path, i + 1, str(frame.columns[i]))


def _numbers_of(series: pd.Series[Any], path: str, column: int, name: str) -> Floats:
    numeric = pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series)
    if not numeric or pd.api.types.is_complex_dtype(series):
        what = f"is of type {series.dtype}, not a number"
        raise InputError(path, what, "convert it first", column=column, name=name)
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        at = int(infinite[0])
        what = f"{values[at]} is not a finite number"
        raise InputError(path, what, line=at + 1, column=column, name=name)
    return np.ascontiguousarray(values)


def settle_missing(
    features: pd.DataFrame, plan: Plan, values: list[Floats], missing: MissingPolicy
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[Floats], Any]:
    """Do with missing values what is asked for.

    Parameters
    ----------
    features : DataFrame of shape (n_rows, n_columns)
        The table, for messages.
    plan : Plan
        How it meets the weights.
    values : list of ndarray of shape (n_rows,), float64
        The features in canonical order; NaN where one is missing.
    missing : {"error", "skip", "zero", "keep"}
        What is asked for.

    Returns
    -------
    ndarray of shape (n_used,), int64
        The rows to use.
    list of ndarray of shape (n_used,), float64
        Their features.
    ndarray of shape (n_used,), bool, or None
        Those with a kept missing value.

    Raises
    ------
    InputError
        A value is missing and that is an error.
    """
    absent = np.zeros(len(features), dtype=bool)
    for column in values:
        absent |= np.isnan(column)
    used = np.arange(len(features))
    if not absent.any():
        return used, values, None
    if missing == "error":
        _refuse_missing(features, plan, values, int(absent.argmax()))
    if missing == "skip":
        used = np.flatnonzero(~absent)
        return used, [column[used] for column in values], None
    if missing == "zero":
        return used, [np.where(np.isnan(column), 0.0, column) for column in values], None
    return used, values, absent


def _refuse_missing(features: pd.DataFrame, plan: Plan, values: list[Floats], row: int) -> NoReturn:
    gaps = zip(plan.feature_columns, values, strict=True)
    column = min(i for i, column in gaps if np.isnan(column[row]))
    hint, name = 'missing="zero", "keep" or "skip" takes the row', str(features.columns[column - 1])
    raise InputError(
        plan.features.path, "a missing value", hint, line=row + 1, column=column, name=name
    )


def read_model(plan: Plan, weights: pd.DataFrame, what: str = "weight") -> Model:
    """Return the model that a plan takes out of a weights table.

    Raises
    ------
    InputError
        A weight is missing, no number or not finite.
    """
    columns = [
        _numbers_of(weights.iloc[:, i], plan.weights.path, i + 1, str(weights.columns[i]))
        for i in range(weights.shape[1])
    ]
    for i, column in enumerate(columns):
        if len(gone := np.flatnonzero(np.isnan(column))):
            hint, name = f"every {what} must be a number", str(weights.columns[i])
            line = int(gone[0]) + 1
            raise InputError(
                plan.weights.path, "a missing value", hint, line=line, column=i + 1, name=name
            )
    return make_model(plan, np.column_stack(columns))
