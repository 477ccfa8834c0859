"""``classify`` for Dask DataFrames: nothing is computed until Dask is asked to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from matscore.commands import FrameKeywords, show
from matscore.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    import dask.dataframe as dd
    import pandas as pd

_OTHERS = ("features", "weights", "how")


@show(FrameKeywords)
def classify(
    features: dd.DataFrame,
    weights: pd.DataFrame,
    *,
    probabilities: bool = False,
    margin: bool = False,
    scores: bool = True,
    threshold: float | None = None,
    keep_cols: Sequence[str] = (),
    response: bool = False,
    **how: Unpack[FrameKeywords],
) -> dd.DataFrame:
    """Score rows and name the best category of each, lazily.

    Names and shapes are lined up at once, from the columns alone; a value that cannot be scored is
    refused when its partition is computed. Partitions know nothing of each other, so that
    `unique_labels` and `booleans` are refused.

    Parameters
    ----------
    features : dask DataFrame of shape (n_rows, n_features)
        One row an item; the index holds the labels. Partitions may be empty and divisions unknown.
    weights : pandas DataFrame of shape (n_features, n_categories)
        One row a feature and one column a category; sent once, not with each partition.
    probabilities, margin, scores, threshold, keep_cols, response
        As in `matscore.classify`.
    **how
        See `FrameKeywords`.

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
    # All keywords are handed on as they are.
    options: dict[str, Any] = {k: v for k, v in locals().items() if k not in _OTHERS} | how
    for name in ("unique_labels", "booleans"):
        if options.get(name):
            what = f"{name} is about all rows, and partitions know nothing of each other"
            raise UsageError(what, "leave it out")
    # A generator of names would last for one partition.
    for name in {"keep_cols", "weights_cols", "drop_weights_cols", "absent"} & options.keys():
        options[name] = options[name] if isinstance(options[name], str) else tuple(options[name])
    try:
        import dask.dataframe
    except ImportError as error:
        raise MissingExtraError("dask", "matscore.dask") from error
    from matscore.commands.classify import classify as classify_frame

    meta = classify_frame(features._meta, weights, **options)
    held = dask.delayed(weights, pure=True)
    return features.map_partitions(classify_frame, held, meta=meta, **options)
