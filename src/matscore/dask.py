"""``classify`` for Dask DataFrames: nothing is computed until Dask is asked to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matscore.errors import MissingExtraError
from matscore.options import MissingPolicy, UnknownPolicy

if TYPE_CHECKING:
    import dask.dataframe as dd
    import pandas as pd

_TABLES = ("features", "weights")


def classify(
    features: dd.DataFrame,
    weights: pd.DataFrame,
    *,
    missing: MissingPolicy = "error",
    min_present: int | None = None,
    unknown: UnknownPolicy = "error",
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
    weights_cols: Sequence[str] = (),
    drop_weights_cols: Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    absent: str | Sequence[str] = (),
    max_absent: int | None = None,
    response: bool = False,
) -> dd.DataFrame:
    """Score rows and name the best category of each, lazily.

    Names and shapes are lined up at once, from the columns alone; a value that cannot be scored is
    refused when its partition is computed.

    Parameters
    ----------
    features : dask DataFrame of shape (n_rows, n_features)
        One row an item; the index holds the labels. Partitions may be empty and divisions unknown.
    weights : pandas DataFrame of shape (n_features, n_categories)
        One row a feature and one column a category; sent once, not with each partition.
    missing, unknown, probabilities, margin, scores, threshold, transpose, auto_transpose, strict
        As in `matscore.classify`.
    keep_cols, intercept, no_intercept, response
        As in `matscore.classify`.
    weights_cols, drop_weights_cols, rename, absent, max_absent, min_present
        As in `matscore.classify`.

    Returns
    -------
    dask DataFrame
        Of the same partitions, divisions and index; each is what `matscore.classify` gives.

    Raises
    ------
    PlanError, MisfitError, UsageError
        As in `matscore.classify`.
    InputError
        When it is computed: a bad value; its line counts from the start of the partition.
    MissingExtraError
        Dask is not installed.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> import pandas as pd
    >>> films = pd.DataFrame({"action": [5, 1], "comedy": [2, 5]}, index=["Thunder", "Umbrella"])
    >>> genres = pd.DataFrame({"adventure": [1.1, 0.2], "romance": [0.1, 1.2]},
    ...                       index=["action", "comedy"])
    >>> scored = classify(dd.from_pandas(films, npartitions=2), genres)
    >>> list(scored.columns), scored.npartitions
    (['adventure', 'romance', 'prediction'], 2)
    >>> scored.compute()
              adventure  romance prediction
    Thunder         5.9      2.9  adventure
    Umbrella        2.1      6.1    romance
    """
    # All keywords are handed on as they are; a generator of names would last for one partition.
    options: dict[str, Any] = {k: v for k, v in locals().items() if k not in _TABLES}
    for name in ("keep_cols", "weights_cols", "drop_weights_cols"):
        options[name] = tuple(options[name])
    options["absent"] = absent if isinstance(absent, str) else tuple(absent)
    try:
        import dask.dataframe
    except ImportError as error:
        raise MissingExtraError("dask", "matscore.dask") from error
    from matscore.commands.classify import classify as classify_frame

    meta = classify_frame(features._meta, weights, **options)
    held = dask.delayed(weights, pure=True)
    return features.map_partitions(classify_frame, held, meta=meta, **options)
