"""The local engine: a bounded window of chunks over threads, results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from matscore.options import RunOptions
from matscore.read.rows import FrameChunk
from matscore.read.source import SourceFacts
from matscore.read.split import Chunk
from matscore.run.engine import Results
from matscore.run.job import Job, run_pair
from matscore.run.prepare import Part, iter_pairs

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class LocalEngine:
    """Threads of this process.

    Attributes
    ----------
    run : RunOptions
        How many, and the chunks.
    """

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
    function or of the items, comes in its place in that order.

    Parameters
    ----------
    function : callable
        Thread-safe; releases the interpreter's lock for most of its time.
    items : iterable
        Read one at a time, by the calling thread.
    n_jobs : int
        Processors to keep busy; with 1 everything runs in the calling thread.

    Yields
    ------
    object
        Results in order.

    Examples
    --------
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
        pool.shutdown(wait=True, cancel_futures=True)
