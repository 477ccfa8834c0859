"""The cases: what is scored, with which options, against whom."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, replace

from tests.benchmarks.data import Shape

PEERS = {
    "pandas": "pandas_whole",
    "pandas, chunks": "pandas_chunks",
    "Polars + NumPy": "polars_numpy",
    "Polars lazy": "polars_lazy",
    "DuckDB": "duckdb_sql",
    "scikit-learn": "sklearn_pandas",
}
"""Names of the peers and their scripts in ``tests/benchmarks/peers``."""

SLOW = {"pandas", "pandas, chunks", "scikit-learn"}
"""Peers whose rounds take so long that one is enough to see by how much."""

_PACKAGES = {
    "pandas": ("pandas",),
    "pandas, chunks": ("pandas",),
    "Polars + NumPy": ("polars", "numpy"),
    "Polars lazy": ("polars",),
    "DuckDB": ("duckdb", "numpy"),
    "scikit-learn": ("sklearn", "pandas"),
}
_SMALL = Shape(2_000, 100, 20)


@dataclass(frozen=True)
class Case:
    """One piece of work that matscore and its peers do.

    Attributes
    ----------
    name : str
        In capitals.
    shape : Shape or None
        Made data; None is the sample data.
    options : tuple of str
        Given to matscore and to the peers alike.
    piped : bool
        Whether the features are compressed and come through a pipe.
    peers : tuple of str
        Who else does it.
    floor : bool
        Whether the C++ floor can do it too.
    product : bool
        Whether NumPy's product alone is measured beside it.
    commands : bool
        Whether the time to show the version and the help is measured too.
    most_runs : int or None
        Rounds at most, where each takes minutes.
    """

    name: str
    shape: Shape | None
    options: tuple[str, ...] = ()
    piped: bool = False
    peers: tuple[str, ...] = tuple(PEERS)
    floor: bool = False
    product: bool = False
    commands: bool = False
    most_runs: int | None = None

    def small(self) -> Case:
        """Return the same case with few rows, features and categories."""
        if self.shape is None:
            return self
        shape = replace(
            self.shape,
            n_rows=min(self.shape.n_rows, _SMALL.n_rows),
            n_features=min(self.shape.n_features, _SMALL.n_features),
            n_categories=min(self.shape.n_categories, _SMALL.n_categories),
        )
        return replace(self, shape=shape)


# DuckDB reads no compressed text from a pipe.
_PIPED = tuple(peer for peer in PEERS if peer != "DuckDB")
_TALL = Shape(3_000_000, 8, 3)
_REJECT = ("--on-error", "reject", "--rejects", os.devnull)

CASES = {
    case.name: case
    for case in (
        Case("START", None, peers=("pandas",), commands=True),
        Case("TALL", _TALL, floor=True),
        Case("QUOTED", replace(_TALL, quoted=True)),
        Case("GZ", _TALL, piped=True, peers=_PIPED),
        Case("PROBS", _TALL, ("--probabilities", "--margin")),
        Case("PERCENT", replace(_TALL, gaps="cells"), ("--missing", "zero"), peers=()),
        Case("MIXED", replace(_TALL, gaps="rows"), _REJECT, peers=()),
        Case("TOPK", _TALL, ("--top-k", "2"), peers=("pandas", "Polars + NumPy")),
        Case("WIDE", Shape(40_000, 784, 10), floor=True),
        Case("INT", Shape(500_000, 64, 10, integers=True), floor=True),
        Case(
            "EXPENSIVE",
            Shape(200_000, 200, 2_000),
            ("--no-scores",),
            peers=("Polars + NumPy",),
            product=True,
        ),
        Case(
            "BIG",
            replace(_TALL, n_rows=24_000_000),
            peers=("Polars lazy", "DuckDB"),
            floor=True,
            most_runs=2,
        ),
    )
}
"""Every case by its name, in the order they run."""


def installed_peers(case: Case) -> list[str]:
    """Return those of a case's peers whose packages are installed."""
    found = importlib.util.find_spec
    return [peer for peer in case.peers if all(found(name) for name in _PACKAGES[peer])]
