"""What runs the pipeline over all chunks: the threads of this process, or a cluster.

An engine gives the results in the order of the rows, whoever made them and whenever.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeAlias

from matscore.options import RunOptions
from matscore.read.rows import FrameChunk
from matscore.read.source import SourceFacts
from matscore.read.split import Chunk
from matscore.run.job import ChunkResult, Job
from matscore.run.prepare import Part

Results: TypeAlias = Generator[ChunkResult, None, None]


class Engine(Protocol):
    """What an engine can do; all results come in order, and errors in their place among them."""

    def run_pairs(self, pairs: Iterable[tuple[Job, Chunk | FrameChunk]]) -> Results:
        """Do jobs on chunks that are read by the caller's thread."""

    def run_parts(
        self, parts: Sequence[Part], jobs: Sequence[Job], *, apart: bool = False
    ) -> Results:
        """Do a job on each part; rows are counted over all, or in each where they stay apart."""

    def write_parts(
        self, parts: Sequence[Part], jobs: Sequence[Job], outputs: Sequence[str]
    ) -> Results | None:
        """Do a job on each part and write each to a file, one result a part.

        None where the caller is to write what `run_parts` gives.
        """

    def count_read(self, parts: Sequence[Part]) -> int:
        """Return the bytes of the inputs that are read."""

    def facts_of(self, part: Part) -> SourceFacts:
        """Return what a report says of an input that is read."""


def open_engine(run: RunOptions) -> AbstractContextManager[Engine]:
    """Return the engine that is asked for, to be entered.

    Raises
    ------
    MissingExtraError
        Its packages are not installed.
    """
    from matscore.run.local import LocalEngine

    if run.engine == "local":
        return nullcontext(LocalEngine(run))
    from matscore.run.cluster import open_cluster

    return open_cluster(run)
