"""The benchmarks' data: seeded, the same bytes on every run, made in chunks of bounded memory."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

_SEED = 20_240_501
_CHUNK_CELLS = 2**22
_DECIMALS = 6


@dataclass(frozen=True)
class Shape:
    """The size of a case and what its cells look like.

    Attributes
    ----------
    n_rows, n_features, n_categories : int
        Size.
    integers : bool
        Whether the features are whole numbers from 0 to 16, most of them 0, as pixels are;
        otherwise they have six decimals.
    quoted : bool
        Whether every label stands in quotes.
    gaps : {"", "cells", "rows"}
        What is no number: every tenth cell, which is empty; or a word in every twentieth row.
    """

    n_rows: int
    n_features: int
    n_categories: int
    integers: bool = False
    quoted: bool = False
    gaps: Literal["", "cells", "rows"] = ""

    @property
    def name(self) -> str:
        """A file name for it."""
        kind = ("-integers" if self.integers else "") + ("-quoted" if self.quoted else "")
        kind += f"-{self.gaps}" if self.gaps else ""
        return f"{self.n_rows}x{self.n_features}x{self.n_categories}{kind}"

    @property
    def feature_names(self) -> list[str]:
        """Names that sort in their order."""
        digits = len(str(self.n_features))
        return [f"f{i:0{digits}}" for i in range(1, self.n_features + 1)]

    @property
    def category_names(self) -> list[str]:
        """Names of the categories."""
        return [f"c{i}" for i in range(1, self.n_categories + 1)]


@dataclass(frozen=True)
class Files:
    """The two inputs of a case.

    Attributes
    ----------
    features, weights : Path
        Both with a label column named ``id`` and ``feature``.
    """

    features: Path
    weights: Path


def make_files(shape: Shape, folder: Path) -> Files:
    """Write the features and weights of a shape, unless they are there already.

    Parameters
    ----------
    shape : Shape
        What to make.
    folder : Path
        Where.

    Returns
    -------
    Files
        Their paths.
    """
    files = Files(folder / f"{shape.name}-features.csv", folder / f"{shape.name}-weights.csv")
    if not files.weights.exists():
        part = files.features.with_suffix(".part")
        with part.open("wb") as out:
            for i, frame in enumerate(iter_features(shape)):
                frame.write_csv(
                    out,
                    include_header=i == 0,
                    float_precision=_DECIMALS,
                    quote_style="non_numeric" if shape.quoted else "necessary",
                    null_value="n/a" if shape.gaps == "rows" else "",
                )
        part.replace(files.features)
        make_weights(shape).write_csv(files.weights)
    return files


def compress(file: Path) -> Path:
    """Write a gzip copy of a file beside it, unless it is there already."""
    compressed = file.with_name(file.name + ".gz")
    if not compressed.exists():
        part = file.with_suffix(".gz.part")
        with file.open("rb") as source, gzip.GzipFile(part, "wb", 6, mtime=0) as out:
            shutil.copyfileobj(source, out, 2**20)
        part.replace(compressed)
    return compressed


def iter_features(shape: Shape) -> Iterator[pl.DataFrame]:
    """Yield the features file in chunks: labels, then features."""
    rng = np.random.default_rng(_SEED)
    height = max(_CHUNK_CELLS // shape.n_features, 1)
    for start in range(0, shape.n_rows, height):
        n_rows = min(height, shape.n_rows - start)
        ids = pl.int_range(start + 1, start + n_rows + 1, eager=True)
        columns = {"id": pl.select("item-" + ids.cast(pl.String)).to_series()}
        for i, name in enumerate(shape.feature_names):
            cells = pl.Series(_draw_cells(rng, n_rows, integers=shape.integers))
            columns[name] = cells.scatter(_find_gaps(shape, i, start, n_rows), None)
        yield pl.DataFrame(columns)


def make_weights(shape: Shape) -> pl.DataFrame:
    """Return the weights file: feature names, then a column a category."""
    values = np.random.default_rng(_SEED + 1).normal(size=(shape.n_categories, shape.n_features))
    columns = {"feature": pl.Series(shape.feature_names)}
    for name, column in zip(shape.category_names, values.round(_DECIMALS), strict=True):
        columns[name] = pl.Series(column)
    return pl.DataFrame(columns)


def _find_gaps(shape: Shape, column: int, start: int, n_rows: int) -> np.ndarray:
    """Return the places of a column's gaps in some rows, of which `start` come before."""
    if not shape.gaps:
        return np.arange(0)
    first, step = (column, 10) if shape.gaps == "cells" else (20 * column, 20 * shape.n_features)
    return np.arange((first - start) % step, n_rows, step)


def _draw_cells(rng: np.random.Generator, n_rows: int, *, integers: bool) -> np.ndarray:
    if integers:
        return np.maximum(rng.integers(-16, 17, n_rows), 0)
    return rng.normal(size=n_rows)
