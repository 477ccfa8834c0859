"""Whether two score tables say the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tests.benchmarks.data import Files

_RELATIVE = 1e-9
_EPSILON = 2.0**-53


class DisagreementError(Exception):
    """Two outputs differ by more than rounding explains."""


def require_agreement(expected: Path, found: Path, files: Files) -> int:
    """Refuse two outputs that differ.

    Columns, labels and predictions must be equal and numbers within 1e-9 of one another. A row may
    differ by more only as far as the rounding error of its own scores goes: numbers near zero,
    and predictions between categories that tie.

    Parameters
    ----------
    expected, found : Path
        CSV: labels, numbers, and text in the column ``prediction``, or ``category`` with one line
        a rank.
    files : Files
        What was scored, for the rounding bound.

    Returns
    -------
    int
        Rows where the bound was needed.

    Raises
    ------
    DisagreementError
        Naming the first row and both values.
    """
    ours, theirs = _read(expected), _read(found)
    if ours.columns != theirs.columns or ours.height != theirs.height:
        shapes = f"{ours.shape} {ours.columns[:9]}, {theirs.shape} {theirs.columns[:9]}"
        raise DisagreementError(f"{found.name}: other columns or rows: {shapes}")
    label = ours.columns[0]
    if not ours[label].equals(theirs[label]):
        raise DisagreementError(f"{found.name}: other labels")
    chosen = _chosen_column(ours.columns)
    numbers = [name for name in ours.columns[1:] if name != chosen]
    other = (ours[chosen] != theirs[chosen]).to_numpy()
    doubtful = other.copy()
    for name in numbers:
        doubtful |= ~np.isclose(ours[name], theirs[name], rtol=_RELATIVE, atol=0.0)
    rows = np.flatnonzero(doubtful)
    if len(rows):
        n_ranks = int(ours["rank"].max() or 1) if "rank" in numbers else 1  # type: ignore[arg-type]
        records, places = np.unique(rows // n_ranks, return_inverse=True)
        scores, bounds = (part[places] for part in _score_again(files, records))
        _refuse_beyond(ours[rows], theirs[rows], numbers, bounds)
        _refuse_clear_winners(ours[rows], theirs[rows], files, scores, bounds)
    return len(rows)


def _read(file: Path) -> pl.DataFrame:
    names = pl.scan_csv(file, infer_schema=False).collect_schema().names()
    texts = {names[0], _chosen_column(names)}
    types = {name: pl.String if name in texts else pl.Float64 for name in names}
    return pl.read_csv(file, schema=types)


def _chosen_column(names: list[str]) -> str:
    return "category" if "rank" in names else "prediction"


def _score_again(
    files: Files, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return some rows' scores and a bound on the rounding error of each row's scores."""
    weights = pl.read_csv(files.weights)
    names = weights.to_series(0).to_list()
    places = pl.Series(rows, dtype=pl.UInt32)
    table = pl.scan_csv(files.features, row_index_name="", row_index_offset=0)
    picked = table.filter(pl.col("").is_in(places.implode())).sort("").select(names)
    features = picked.cast(pl.Float64).collect().to_numpy()
    matrix = weights.drop(weights.columns[0]).to_numpy().astype(np.float64)
    sizes = (np.abs(features) @ np.abs(matrix)).max(axis=1)
    return features @ matrix, 4 * (len(names) + 1) * _EPSILON * sizes


def _refuse_beyond(
    ours: pl.DataFrame, theirs: pl.DataFrame, numbers: list[str], bounds: NDArray[np.float64]
) -> None:
    for name in numbers:
        one, other = ours[name].to_numpy(), theirs[name].to_numpy()
        near = np.isclose(one, other, rtol=_RELATIVE, atol=0.0) | (np.abs(one - other) <= bounds)
        if not near.all():
            i = int(np.flatnonzero(~near)[0])
            what = f'row "{ours[i, 0]}", column "{name}": {one[i]!r} and {other[i]!r}'
            raise DisagreementError(what)


def _refuse_clear_winners(
    ours: pl.DataFrame,
    theirs: pl.DataFrame,
    files: Files,
    scores: NDArray[np.float64],
    bounds: NDArray[np.float64],
) -> None:
    categories = pl.read_csv(files.weights, n_rows=0).columns[1:]
    chosen = _chosen_column(ours.columns)
    for i in np.flatnonzero((ours[chosen] != theirs[chosen]).to_numpy()):
        one, other = ours[int(i), chosen], theirs[int(i), chosen]
        apart = abs(scores[i, categories.index(one)] - scores[i, categories.index(other)])
        if apart > 2 * bounds[i]:
            raise DisagreementError(f'row "{ours[int(i), 0]}": {one} and {other}, no tie')
