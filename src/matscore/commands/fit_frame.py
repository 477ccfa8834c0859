"""``fit`` for DataFrames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from matscore.commands.fit_rows import Learn, learn
from matscore.commands.frames import check_index, feature_values, pick_column
from matscore.errors import InputError, MisfitError, UsageError
from matscore.kernel import Floats
from matscore.names import quote_names
from matscore.numerics.learn import Learned, settle_method
from matscore.options import FitOptions, Method
from matscore.plan.learning import name_intercept
from matscore.run.work import Rows


@dataclass(frozen=True)
class FitResult:
    """Weights that were learned, and what can be said of their worth.

    Attributes
    ----------
    weights : DataFrame of shape (n_features, n_targets)
        As `classify` takes them: features in the index, the intercept last.
    learned : Learned
        The rest: rank, condition, collinear features, R², accuracy, warnings.
    """

    weights: pd.DataFrame
    learned: Learned

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before the weights are used."""
        return self.learned.warnings


def fit(
    features: pd.DataFrame,
    targets: str | pd.Series[Any] | pd.DataFrame,
    *,
    method: Method | None = None,
    alpha: float | None = None,
    intercept: bool | None = None,
    standardize: bool = False,
    categories: bool | None = None,
    missing: Literal["error", "skip", "zero"] = "error",
) -> FitResult:
    """Learn weights from rows whose targets are known.

    Parameters
    ----------
    features : DataFrame of shape (n_rows, n_features)
        One row an item; the index holds the labels.
    targets : str, Series or DataFrame
        What is learned: a column of the features; or numbers to reproduce, or one column of
        categories, with the features' index.
    method : {"least-squares", "ridge", "logistic"}, optional
        Without it least squares for numbers, logistic regression for categories.
    alpha : float, optional
        Penalty of ridge and logistic regression (``1 / C``); 1 without it.
    intercept : bool, optional
        Whether to fit one; without it, one is fitted unless least squares or ridge have no more
        rows than features.
    standardize : bool
        Whether to learn on standardised features; the weights are for the features as they are.
    categories : bool, optional
        Whether the target holds categories; without it, a column that is no numbers does.
    missing : {"error", "skip", "zero"}
        What a missing feature means; a missing target is refused, or left out with ``"skip"``.

    Returns
    -------
    FitResult
        The same weights that the command finds.

    Raises
    ------
    MisfitError, UsageError
        Columns do not serve what they are for; arguments contradict each other.
    InputError
        A value is missing or not a number; the targets have another index.
    MissingExtraError
        Logistic regression needs scikit-learn.

    Examples
    --------
    >>> films = pd.DataFrame({"action": [5, 1], "comedy": [2, 5]})
    >>> fit(films, pd.Series([5.9, 2.1], name="adventure")).weights.round(9)
            adventure
    action        1.1
    comedy        0.2
    """
    options = FitOptions(method, alpha, intercept, standardize, categories)
    options.check()
    if missing not in ("error", "skip", "zero"):
        raise UsageError(f"missing cannot be {missing!r}", "say one of error, skip, zero")
    table, features = _pick_targets(features, targets)
    is_categories = _are_categories(table, options)
    chosen, penalty = settle_method(options, categories=is_categories)
    names, order = _sort_names(features)
    values = [feature_values(features, i) for i in order]
    wanted = [] if is_categories else [feature_values(table, i) for i in range(table.shape[1])]
    texts = [_texts_of(table.iloc[:, 0])] if is_categories else []
    used = _find_used(values, wanted, texts, missing)
    work = Learn(
        "features",
        len(values),
        () if is_categories else tuple(map(str, table.columns)),
        (),
        chosen != "logistic",
        (),
        fills=missing == "zero",
    )
    rows = Rows.of_columns(
        [column[used] for column in (*values, *wanted)],
        len(used),
        texts=[[text[i] for i in used] for text in texts],
        places=used,
        n_records=len(features),
    )
    outcome = work.apply(rows)
    if outcome.faults:
        fault = outcome.faults[0]
        hint = 'missing="skip" leaves such rows out'
        raise InputError("targets", fault.what, hint, line=int(used[fault.row]) + 1)
    in_file_order = sorted(range(len(order)), key=order.__getitem__)
    tally = work.zero() + outcome.tally()
    learned = learn(
        tally, names, in_file_order, chosen, penalty, options, "features", categories=is_categories
    )
    return FitResult(_make_weights(learned), learned)


def _pick_targets(
    features: pd.DataFrame, targets: str | pd.Series[Any] | pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the targets, and the features without them."""
    if isinstance(targets, pd.DataFrame):
        check_index(features, targets.index, "targets")
        return targets, features
    column, features = pick_column(features, targets, "targets")
    return column.to_frame("target" if column.name is None else column.name), features


def _are_categories(table: pd.DataFrame, options: FitOptions) -> bool:
    is_number = [
        pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
        for dtype in table.dtypes
    ]
    found = not all(is_number) if options.categories is None else options.categories
    found = found or options.method == "logistic"
    if found and table.shape[1] != 1:
        names = quote_names([str(name) for name in table.columns])
        raise MisfitError(
            "targets", f"several columns of categories: {names}", "learn them one by one"
        )
    return found


def _sort_names(features: pd.DataFrame) -> tuple[tuple[str, ...], list[int]]:
    """Return the features in canonical order: their names and their places."""
    columns = features.columns
    n_features = len(columns)
    if not n_features:
        raise MisfitError("features", "there are no features", "give it one column a feature")
    if isinstance(columns, pd.RangeIndex) and columns.equals(pd.RangeIndex(n_features)):
        return tuple(f"x{i}" for i in range(1, n_features + 1)), list(range(n_features))
    names = [str(name) for name in columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        what = f"a feature is there more than once: {quote_names(twice)}"
        raise MisfitError("features", what, "rename one or take it out")
    order = sorted(range(n_features), key=names.__getitem__)
    return tuple(names[i] for i in order), order


def _texts_of(column: pd.Series[Any]) -> list[str]:
    return ["" if gone else str(name) for gone, name in zip(column.isna(), column, strict=True)]


def _find_used(
    values: list[Floats], wanted: list[Floats], texts: list[list[str]], missing: str
) -> NDArray[np.int64]:
    """Return the rows to learn from.

    Raises
    ------
    InputError
        A feature is missing and that is an error.
    """
    n_rows = len(values[0])
    absent = np.zeros(n_rows, dtype=bool)
    for column in values if missing != "zero" else []:
        absent |= np.isnan(column)
    if missing == "error" and absent.any():
        hint = 'missing="zero" or "skip" takes the row'
        raise InputError("features", "a missing value", hint, line=int(absent.argmax()) + 1)
    if missing == "skip":
        for column in wanted:
            absent |= np.isnan(column)
        for text in texts:
            absent |= np.array([not cell for cell in text], dtype=bool)
    return np.flatnonzero(~absent)


def _make_weights(learned: Learned) -> pd.DataFrame:
    names, rows = learned.stack(name_intercept(learned.features))
    return pd.DataFrame(rows, index=list(names), columns=list(learned.targets))
