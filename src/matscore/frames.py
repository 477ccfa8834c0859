"""pandas in, pandas out: the same plan, the same scores to the last bit, the same errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn, get_args

import numpy as np
import pandas as pd

from matscore.errors import InputError, UsageError
from matscore.files.encode import OutputSpec
from matscore.files.parse import MissingPolicy
from matscore.matrix import Model
from matscore.names import quote_name
from matscore.options import OutputOptions
from matscore.plan import Plan, PlanOptions, Side, make_plan, require_fit
from matscore.prepare import make_output_spec
from matscore.product import Floats
from matscore.score import Scored, ScoreOptions, make_model, score_rows


def classify(
    features: pd.DataFrame,
    weights: pd.DataFrame,
    *,
    missing: MissingPolicy = "error",
    probabilities: bool = False,
    margin: bool = False,
    scores: bool = True,
    threshold: float | None = None,
    transpose: bool = False,
    auto_transpose: bool = False,
    strict: bool = False,
    keep_cols: Sequence[str] = (),
    intercept: str | None = None,
    no_intercept: bool = False,
) -> pd.DataFrame:
    """Score rows and name the best category of each.

    Parameters
    ----------
    features : DataFrame of shape (n_rows, n_features)
        One row an item; the index holds the labels.
    weights : DataFrame of shape (n_features, n_categories)
        One row a feature, named in the index, and one column a category; a row named as an
        intercept is added to the product.
    missing : {"error", "skip", "zero", "keep"}
        What a missing value means: refuse; leave the row out; read it as 0; score it NaN.
    probabilities, margin, scores : bool
        Which columns the result has besides the prediction.
    threshold : float, optional
        A best score (or probability, with `probabilities`) under it gives no prediction.
    transpose, auto_transpose : bool
        Transpose the weights; do so when names or shapes leave no doubt.
    strict : bool
        Refuse feature columns that the weights do not know.
    keep_cols : sequence of str
        Columns carried into the result unchanged.
    intercept : str, optional
        Name of the intercept row.
    no_intercept : bool
        Take a row named as an intercept for a plain feature.

    Returns
    -------
    DataFrame
        With the features' index: kept columns, a score a category, ``prediction``,
        ``probability_<category>``, ``margin``. Without a prediction it is missing.

    Raises
    ------
    PlanError
        Shapes or names do not line up, or two columns of the result would have one name.
    InputError
        A value is missing or not a number, or a row's scores overflow.
    UsageError
        `missing` is none of the four.

    Notes
    -----
    The numbers that pandas gives an axis by itself are no names, so such features are matched by
    position; as soon as the columns or the weights' rows are numbered otherwise, by number.

    Examples
    --------
    >>> films = pd.DataFrame({"action": [5, 1], "comedy": [2, 5]}, index=["Thunder", "Umbrella"])
    >>> genres = pd.DataFrame({"adventure": [1.1, 0.2], "romance": [0.1, 1.2]},
    ...                       index=["action", "comedy"])
    >>> classify(films, genres)
              adventure  romance prediction
    Thunder         5.9      2.9  adventure
    Umbrella        2.1      6.1    romance
    """
    options = PlanOptions(
        transpose=transpose,
        auto_transpose=auto_transpose,
        strict=strict,
        keep_cols=tuple(map(str, keep_cols)),
        intercept=intercept,
        no_intercept=no_intercept,
    )
    if missing not in get_args(MissingPolicy):
        hint = f"say one of {', '.join(get_args(MissingPolicy))}"
        raise UsageError(f"missing cannot be {missing!r}", hint)
    settings = ScoreOptions(probabilities, threshold)
    plan = require_fit(_make_plan(features, weights, options))
    wanted = OutputOptions(scores=scores, margin=margin)
    spec = make_output_spec(replace(plan, label_name=""), "csv", settings, wanted)
    values = [_feature_values(features, i - 1) for i in plan.feature_columns]
    used, values, has_missing = _settle_missing(features, plan, values, missing)
    model = _read_model(plan, weights)
    scored, overflow = score_rows(model, values, len(used), settings, has_missing)
    if len(overflow):
        what, hint = "the scores overflow", "the features or the weights are too large for float64"
        raise InputError(plan.features.path, what, hint, line=int(used[overflow[0]]) + 1)
    rows = slice(None) if len(used) == len(features) else used  # an index keeps its kind in a slice
    kept = {features.columns[i - 1]: features.iloc[rows, i - 1] for i in plan.kept_columns}
    return pd.DataFrame(kept | _score_columns(spec, scored), index=features.index[rows])


def check(
    features: pd.DataFrame,
    weights: pd.DataFrame,
    *,
    transpose: bool = False,
    auto_transpose: bool = False,
    strict: bool = False,
    keep_cols: Sequence[str] = (),
    intercept: str | None = None,
    no_intercept: bool = False,
) -> Plan:
    """Say how two tables line up; no score is computed.

    Parameters
    ----------
    features, weights, transpose, auto_transpose, strict, keep_cols, intercept, no_intercept
        As in `classify`.

    Returns
    -------
    Plan
        Whose `problem` is None when they fit.

    Examples
    --------
    >>> users = pd.DataFrame({"action": [0.9], "comedy": [0.2]})
    >>> films = pd.DataFrame({"action": [0.8], "comedy": [0.1]}, index=["Orbit"])
    >>> check(users, films).add_options
    ('--transpose',)
    """
    options = PlanOptions(
        transpose=transpose,
        auto_transpose=auto_transpose,
        strict=strict,
        keep_cols=tuple(map(str, keep_cols)),
        intercept=intercept,
        no_intercept=no_intercept,
    )
    return _make_plan(features, weights, options)


def _make_plan(features: pd.DataFrame, weights: pd.DataFrame, options: PlanOptions) -> Plan:
    turned = options.transpose
    columns = _names_of(features.columns, weights.columns if turned else weights.index)
    labels = _names_of(weights.index, None if turned else features.columns)
    header = _names_of(weights.columns, features.columns if turned else None)
    if columns is None:
        options = replace(options, keep_cols=_find_places(features.columns, options.keep_cols))
    plan = make_plan(
        _features_side(features, columns), _weights_side(weights, labels, header), options
    )
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
        return Side("weights", frame.shape[1], columns, len(frame), first, True, labelled=False)
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


def _feature_values(frame: pd.DataFrame, i: int) -> Floats:
    return _numbers_of(frame.iloc[:, i], "features", i + 1, str(frame.columns[i]))


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


def _settle_missing(
    features: pd.DataFrame, plan: Plan, values: list[Floats], missing: MissingPolicy
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[Floats], Any]:
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
    raise InputError("features", "a missing value", hint, line=row + 1, column=column, name=name)


def _read_model(plan: Plan, weights: pd.DataFrame) -> Model:
    columns = [
        _numbers_of(weights.iloc[:, i], "weights", i + 1, str(weights.columns[i]))
        for i in range(weights.shape[1])
    ]
    for i, column in enumerate(columns):
        if len(gone := np.flatnonzero(np.isnan(column))):
            hint, name = "every weight must be a number", str(weights.columns[i])
            line = int(gone[0]) + 1
            raise InputError("weights", "a missing value", hint, line=line, column=i + 1, name=name)
    return make_model(plan, np.column_stack(columns))


def _score_columns(spec: OutputSpec, scored: Scored) -> dict[Any, Any]:
    columns: dict[Any, Any] = {}
    if spec.scores:
        columns |= dict(zip(spec.categories, scored.scores, strict=True))
    if spec.prediction:
        names = pd.Series(spec.categories).array
        columns["prediction"] = names.take(scored.decision.best, allow_fill=True)
    if scored.probabilities is not None:
        columns |= dict(zip(spec.probability_names, scored.probabilities, strict=True))
    if spec.margin:
        columns["margin"] = scored.decision.margin
    return columns
