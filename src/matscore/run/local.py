"""What runs the work over all chunks: the threads of this process, or a cluster.

An engine gives the results in the order of the rows, whoever made them and whenever.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from matscore.options import RunOptions
from matscore.read.rows import FrameChunk
from matscore.read.source import SourceFacts
from matscore.read.split import Chunk
from matscore.run.job import ChunkResult, Job, run_pair
from matscore.run.parts import Part, iter_pairs

Item = TypeVar("Item")
Result = TypeVar("Result")
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
    """Return the engine that is asked for, to be entered."""
    if run.engine == "local":
        return nullcontext(LocalEngine(run))
    from matscore.run.cluster import open_cluster

    return open_cluster(run)


@dataclass(frozen=True)
class LocalEngine:
    """Threads of this process."""

    run: RunOptions

    def run_pairs(self, pairs: Iterable[tuple[Job, Chunk | FrameChunk]]) -> Results:
        """Do jobs on chunks that are read here."""
        return map_ordered(run_pair, pairs, self.run.n_jobs or count_jobs())

    def run_parts(
        self, parts: Sequence[Part], jobs: Sequence[Job], *, apart: bool = False
    ) -> Results:
        """Do a job on each part, chunk by chunk."""
        return self.run_pairs(iter_pairs(parts, jobs, self.run, apart=apart))

    def write_parts(
        self, parts: Sequence[Part], jobs: Sequence[Job], outputs: Sequence[str]
    ) -> Results | None:
        """Return None: nothing is written beside the one thread that writes."""
        del parts, jobs, outputs
        return None

    def count_read(self, parts: Sequence[Part]) -> int:
        """Return the bytes of the inputs that are read."""
        return sum(part.table.source.n_read for part in parts)

    def facts_of(self, part: Part) -> SourceFacts:
        """Return what a report says of an input that is read."""
        return part.table.source.facts()


def count_jobs() -> int:
    """Return the number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_ordered(
    function: Callable[[Item], Result], items: Iterable[Item], n_jobs: int
) -> Generator[Result, None, None]:
    """Apply a function to items in parallel and yield its results in the items' order.

    At most ``n_jobs + 1`` items are held, so memory does not depend on how many there are. As many
    threads work on them: one of them mostly waits for threads of a library. An exception, of the
    function or of the items, comes in its place in that order. With one job everything runs in the
    calling thread, which also reads the items.

    >>> list(map_ordered(abs, [-3, 2, -1], n_jobs=2))
    [3, 2, 1]
    """
    if n_jobs == 1:
        for item in items:  # not map(), which would end at a StopIteration out of the function
            yield function(item)
        return
    source = iter(items)
    pool = ThreadPoolExecutor(n_jobs + 1, thread_name_prefix="matscore")
    try:
        window: deque[Future[Result]] = deque()
        failure: Exception | None = None
        while failure is None:
            try:
                window.append(pool.submit(function, next(source)))
            except StopIteration:
                break
            except Exception as error:  # raised below, after the results that come before it
                failure = error
            if len(window) > n_jobs:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()
        if failure is not None:
            raise failure
    finally:
        # Whoever closes the generator early waits only for what is being worked on.
        pool.shutdown(wait=True, cancel_futures=True)
