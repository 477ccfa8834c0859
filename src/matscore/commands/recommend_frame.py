"""``recommend`` for DataFrames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd

from matscore.commands.frames import feature_values, plan_frames, read_model, settle_missing
from matscore.commands.recommend_rows import OVERFLOWING_ITEMS
from matscore.errors import InputError, UsageError
from matscore.kernel import Exclusions, Floats, Items, Recommended
from matscore.numerics.scores import stack_features
from matscore.options import Metric, MissingPolicy, PlanOptions, RecommendOptions
from matscore.plan import require_fit
from matscore.run.local import count_jobs, map_ordered

_USERS = 512


def recommend(
    users: pd.DataFrame,
    items: pd.DataFrame,
    k: int = 10,
    *,
    metric: Metric = "dot",
    min_score: float | None = None,
    exclude: pd.DataFrame | None = None,
    missing: MissingPolicy = "error",
    strict: bool = False,
    transpose: bool = False,
) -> pd.DataFrame:
    """Find the best items for each user.

    Parameters
    ----------
    users : DataFrame of shape (n_users, n_features)
        One row a user; the index holds the labels.
    items : DataFrame of shape (n_items, n_features)
        One row an item, described by the same features; the index holds the labels.
    k : int
        Items a user, at most.
    metric : {"dot", "cosine"}
        What a score is; the cosine is the product divided by the two Euclidean norms, and missing
        where one is zero.
    min_score : float, optional
        Items with a lower score are left out.
    exclude : DataFrame, optional
        Its first two columns are pairs of user and item that are left out.
    missing : {"error", "skip", "zero", "keep"}
        What a user's missing value means: refuse; leave the user out; read it as 0; recommend
        nothing. An item's is always refused.
    strict : bool
        Refuse columns of the users that the items do not have.
    transpose : bool
        The items are columns.

    Returns
    -------
    DataFrame
        One row a user and rank, best first: ``user``, ``rank``, ``item``, ``score``. Scores that
        differ by no more than rounding error tie; the first item goes first. Users to whom nothing
        is recommended have no row.

    Raises
    ------
    PlanError
        Shapes or names do not line up.
    InputError
        A value is missing or not a number, or a user's scores overflow.
    UsageError
        An argument has no meaning.

    Examples
    --------
    >>> features = ["action", "drama"]
    >>> users = pd.DataFrame([[0.9, 0.1], [0.1, 0.7]], ["Amina", "Bruno"], features)
    >>> films = pd.DataFrame([[0.8, 0.1], [0.2, 0.8]], ["Orbit Nine", "Sunday Lunch"], features)
    >>> recommend(users, films, k=1)
        user  rank          item  score
    0  Amina     1    Orbit Nine   0.73
    1  Bruno     1  Sunday Lunch   0.58
    """
    _check_arguments(k, metric, min_score, missing)
    wanted = PlanOptions(strict=strict, transpose=transpose).for_items()
    plan = require_fit(plan_frames(users, items, wanted, ("users", "items")))
    values = [feature_values(users, i - 1, "users") for i in plan.feature_columns]
    used, values, _ = settle_missing(users, plan, values, missing)
    weights = read_model(plan, items, "feature of an item").weights
    held_items = Items(len(weights), cosine=metric == "cosine")
    held_items.add(weights.T)
    item_labels = items.index if plan.transpose else items.columns
    user_labels = users.index[used]
    seen = None if exclude is None else _find_excluded(exclude, user_labels, item_labels)
    options = RecommendOptions(k, min_score)
    found = _recommend(held_items, stack_features(values, len(used)), options, seen)
    for start, part in zip(range(0, len(used), _USERS), found, strict=True):
        if len(part.overflow):
            line = int(used[start + part.overflow[0]]) + 1
            raise InputError(plan.features.path, *OVERFLOWING_ITEMS, line=line)
    return _make_table(found, user_labels, item_labels)


def _check_arguments(
    k: int, metric: Metric, min_score: float | None, missing: MissingPolicy
) -> None:
    for name, value, known in (("metric", metric, Metric), ("missing", missing, MissingPolicy)):
        if value not in get_args(known):
            hint = f"say one of {', '.join(get_args(known))}"
            raise UsageError(f"{name} cannot be {value!r}", hint)
    RecommendOptions(k, min_score).check()


def _find_excluded(exclude: pd.DataFrame, users: pd.Index[Any], items: pd.Index[Any]) -> Exclusions:
    """Return the pairs whose items are known, by the users' places; users may share a label."""
    if exclude.shape[1] < 2:
        raise UsageError("exclude needs two columns", "give it users and items")
    places = pd.Series(np.arange(len(items)), index=items)
    item = exclude.iloc[:, 1].map(places)
    by_user = item.dropna().astype(np.int64).groupby(exclude.iloc[:, 0]).agg(list)
    lists = [by_user.get(user, []) for user in users]
    starts = np.cumsum([0, *map(len, lists)])
    return Exclusions(starts, np.array([i for items in lists for i in items], dtype=np.int64))


def _recommend(
    items: Items, users: Floats, options: RecommendOptions, seen: Exclusions | None
) -> list[Recommended]:
    """Serve blocks of users on all processors."""

    def serve(start: int) -> Recommended:
        some = users[:, start : start + _USERS]
        excluded = None
        if seen is not None:
            ends = seen.starts[start : start + _USERS + 1]
            excluded = Exclusions(ends - ends[0], seen.items[ends[0] : ends[-1]])
        return items.recommend(
            some, options.n_items, min_score=options.min_score, exclusions=excluded
        )

    return list(map_ordered(serve, range(0, users.shape[1], _USERS), count_jobs()))


def _make_table(
    found: Sequence[Recommended], users: pd.Index[Any], items: pd.Index[Any]
) -> pd.DataFrame:
    none = np.empty(0, dtype=np.int64)
    counts = np.concatenate([none, *(part.counts for part in found)])
    chosen = np.concatenate([none, *(part.items for part in found)])
    return pd.DataFrame(
        {
            "user": users.repeat(counts),
            "rank": np.concatenate([none, *(part.ranks for part in found)]),
            "item": items.take(chosen),
            "score": np.concatenate([none.astype(np.float64), *(part.scores for part in found)]),
        }
    )
