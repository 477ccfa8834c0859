"""What the peers have in common: read two CSV files, write the best of each user."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Search = Callable[[Matrix, Matrix, int], tuple[Any, Any]]


def main(search: Search) -> None:
    """Run ``PEER.py USERS ITEMS K OUTPUT``."""
    users_file, items_file, k, output = sys.argv[1:]
    users, items = pl.read_csv(users_file), pl.read_csv(items_file)
    names = items.columns[1:]
    best, scores = search(take_matrix(users, names), take_matrix(items, names), int(k))
    labels = [table.to_series(0).cast(pl.String) for table in (users, items)]
    pl.DataFrame(
        {
            "user": labels[0].gather(np.repeat(np.arange(len(best)), best.shape[1])),
            "rank": np.tile(np.arange(1, best.shape[1] + 1), len(best)),
            "item": labels[1].gather(np.asarray(best, dtype=np.int64).ravel()),
            "score": np.asarray(scores, dtype=np.float64).ravel(),
        }
    ).write_csv(output)


def take_matrix(table: pl.DataFrame, names: list[str]) -> Matrix:
    """Return some columns as a matrix."""
    return np.ascontiguousarray(table.select(names).to_numpy(), dtype=np.float32)
