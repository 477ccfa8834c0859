"""Options of a run that belong to no single step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from matscore.files.encode import Format
from matscore.files.parse import Reject

if TYPE_CHECKING:
    from matscore.statistics.scores import Gather

PathLike: TypeAlias = str | Path
Engine: TypeAlias = Literal["local", "dask"]


@dataclass(frozen=True)
class OutputOptions:
    """What is written, and how.

    Attributes
    ----------
    format : str or None
        One of the formats; None takes it from the output's ending, or CSV.
    scores, margin : bool
        Whether there are score columns, and a margin.
    precision : int or None
        Decimals to round to.
    excel_safe : bool
        Whether text that a spreadsheet would take for a formula gets an apostrophe before it.
    max_rows : int
        Rows of a table.
    top_k : int or None
        The best categories of each row that are written, a line each, instead of all scores.
    """

    format: Format | None = None
    scores: bool = True
    margin: bool = False
    precision: int | None = None
    excel_safe: bool = False
    max_rows: int = 20
    top_k: int | None = None


@dataclass(frozen=True)
class RejectOptions:
    """What happens to bad rows.

    Attributes
    ----------
    on_error : {"fail", "reject"}
        Whether a bad row stops the run or is set aside.
    path : str, Path or None
        File of the rows set aside, written whole or not at all.
    max_rows : int or None
        More rejects than that end the run.
    max_share : float or None
        A larger share of rejects, from 0 to 1, ends the run.
    on_rejects : callable or None
        Takes an input's name and the rows set aside of each chunk that has any, in order.
    """

    on_error: Literal["fail", "reject"] = "fail"
    path: str | Path | None = None
    max_rows: int | None = None
    max_share: float | None = None
    on_rejects: Callable[[str, list[Reject]], None] | None = None


@dataclass(frozen=True)
class RunOptions:
    """How the work is done; none of it changes a byte of the output.

    Attributes
    ----------
    n_jobs : int or None
        Processors to keep busy; None is all of them.
    chunk_bytes : int or None
        Size of a chunk; None suits the file and the memory.
    checksum : bool
        Whether the inputs' sha256 is computed on the way.
    gather : tuple of {"page", "plot"}
        What statistics are gathered on the way: what a page shows, what a plot shows.
    memory_bytes : int or None
        Memory that the run aims to stay in, for chunks of fitting size in as many threads as it
        allows; None is 224 MiB.
    engine : {"local", "dask"}
        What does it: threads, or the workers of a Dask cluster.
    scheduler : str or None
        Address of the cluster's scheduler; None starts workers of our own, `n_jobs` of them.
    resume : bool
        Whether parts of an output directory that are there and current are kept.
    """

    n_jobs: int | None = None
    chunk_bytes: int | None = None
    checksum: bool = False
    gather: tuple[Gather, ...] = ()
    memory_bytes: int | None = None
    engine: Engine = "local"
    scheduler: str | None = None
    resume: bool = False
