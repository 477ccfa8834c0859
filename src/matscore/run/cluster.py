"""The Dask engine: units of work to the workers of a cluster, results back in order.

A unit is a range of a file that the worker reads itself; only what no worker can read, or find its
place in, is read here and sent. A bounded number of units is under way, and results wait on the
workers until it is their turn, so that memory here does not grow with the file or the cluster.
Nothing of Dask's is needed to understand what is computed: that is `remote`, and `run_chunk`.
"""

from __future__ import annotations

import contextlib
import logging
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from matscore.errors import ClusterError, ClusterWarning, MissingExtraError
from matscore.options import RunOptions
from matscore.read.inputs import full_path, is_address
from matscore.read.ranges import BlockScan, Place, Range, find_end, find_place, iter_ranges
from matscore.read.rows import FrameChunk
from matscore.read.source import SourceFacts, Stamp, read_range
from matscore.read.split import Chunk
from matscore.run import remote
from matscore.run.parts import (
    Engine,
    Part,
    Results,
    chunk_bytes_of,
    count_jobs,
    iter_part,
    take_in_order,
)
from matscore.run.work import ChunkResult, Doubles, Job, run_chunk

if TYPE_CHECKING:
    from distributed import Client, Future

    from matscore.write.folder import Claim


_CONNECT_SECONDS = 10
_WORKER_SECONDS = 60  # without any worker, before the run gives up
_POLL_SECONDS = 1.0
_CHUNKS_A_RANGE = 4
_FRAMES_A_RANGE = 8
_SMALL_FILE_BYTES = 32 * 2**20
_SCANS_FIRST = 1  # of higher priority: the ranges wait for them


@dataclass(frozen=True)
class _Sent:
    """A unit under way, and the bytes of the input that are read when it is done."""

    future: Future[Any]
    n_bytes: int
    # Does one of its chunks anew, here, without some rows.
    again: Callable[[int, Doubles], ChunkResult] | None = None


class ClusterEngine(Engine):
    """The workers of a cluster."""

    def __init__(self, cluster: Connection, run: RunOptions) -> None:
        super().__init__(run)
        self._cluster = cluster
        self._window: deque[_Sent] = deque()
        self._digests: dict[str, Future[str]] = {}
        self._n_done = 0

    def run_pairs(self, pairs: Iterable[tuple[Job, Chunk | FrameChunk]]) -> Results:
        """Do jobs on chunks that are read here and sent."""
        sent = (self._send_chunk(job, chunk, 0) for job, chunk in pairs)
        return self._in_order(sent)

    def run_parts(self, parts: Sequence[Part], *, apart: bool = False) -> Results:
        """Do the job of each part; workers read it where they can."""
        return self._in_order(self._send_parts(parts, apart=apart))

    def write_parts(
        self, parts: Sequence[Part], outputs: Sequence[str], claim: Claim
    ) -> Results | None:
        """Do the job of each part, which its worker writes; None where none can read a part."""
        places = [find_place(part.table) for part in parts]
        # What was transposed is in memory here and nowhere else.
        if None in places or any(part.turned is not None for part in parts):
            return None
        claim = replace(claim, path=full_path(claim.path))
        sent = (
            self._send_file(part, place, (full_path(output), claim))
            for part, place, output in zip(parts, places, outputs, strict=True)
            if place is not None
        )
        return self._in_order(sent)

    def count_read(self, parts: Sequence[Part]) -> int:
        """Return the bytes of the inputs that are read, here and by the workers."""
        # What is done counts although its turn to be written has not come.
        under_way = sum(sent.n_bytes for sent in self._window if sent.future.done())
        return self._n_done + under_way + sum(part.table.source.n_read for part in parts)

    def facts_of(self, part: Part) -> SourceFacts:
        """Return what a report says of an input that is read."""
        source = part.table.source
        digest = self._digests.pop(source.path, None)
        if digest is None:
            return source.facts()
        return replace(source.look(), sha256=self._cluster.wait(digest))

    def _send_parts(self, parts: Sequence[Part], *, apart: bool) -> Iterator[_Sent]:
        """Send the units of all parts, in order."""
        row = 0
        for part in parts:
            row = yield from self._send_part(part, 0 if apart else row)

    def _send_part(self, part: Part, row: int) -> Generator[_Sent, None, int]:
        """Send the units of a part; return the number of records up to its end."""
        place = None if part.turned is not None else find_place(part.table)
        if place is not None and part.table.source.is_plain:
            return (yield from self._send_ranges(part, place, row))
        # An address is not opened for ranges of rows.
        has_name = place is not None and not is_address(place.stamp.path)
        if place is not None and has_name and part.table.source.kind == "parquet":
            return (yield from self._send_rows(part, place, row))
        # Where lines are left out, they are counted here.
        is_small = place is not None and place.stamp.size <= _SMALL_FILE_BYTES
        is_own = part.table.source.gaps is None and not _is_numbered(part.job)
        if place is not None and is_small and is_own:
            self._ask_digest(part, place.stamp)
            yield self._send_unit(part.job, self._whole(part, place), place.stamp.size)
            return row
        for chunk in iter_part(part, self.run, row):
            yield self._send_chunk(part.job, chunk, 0)
            row = chunk.row + chunk.n_records
        part.table.park()
        return row

    def _send_ranges(self, part: Part, place: Place, row: int) -> Generator[_Sent, None, int]:
        """Send the ranges of a text; what follows a misplaced quote is read here."""
        path, stamp, job = part.table.path, place.stamp, part.job
        self._ask_digest(part, stamp)
        start = part.table.source.n_mark + place.start
        end = find_end(replace(stamp, path=path), start)
        ranges = iter_ranges(
            stamp,
            self._scan(part, stamp, start, end),
            start=start,
            end=end,
            line=place.line,
            row=row,
            # A last record without a newline is a record all the same.
            is_open=end > start and read_range(stamp, end - 1, end) != b"\n",
        )
        size = chunk_bytes_of(part.table, self.run)
        for found in ranges:
            # After a stray quote nobody knows where records begin but who reads them in order.
            if not found.is_sound:
                return (yield from self._send_rest(part, found))
            unit = remote.TextUnit(path, job.part, size, stamp, found)
            yield self._send_unit(job, unit, found.stop - found.start)
            row = found.row + found.n_records
        return row

    def _send_rest(self, part: Part, rest: Range) -> Generator[_Sent, None, int]:
        """Cut the rest of a text here, record by record, and send it."""
        path, row = part.table.path, rest.row
        here = replace(rest, stamp=replace(rest.stamp, path=path))
        size = chunk_bytes_of(part.table, self.run)
        for chunk in here.iter_chunks(path, part.job.layout.delimiter, size):
            yield self._send_chunk(part.job, chunk, len(chunk.data))
            row = chunk.row + chunk.n_records
        return row

    def _send_rows(self, part: Part, place: Place, row: int) -> Generator[_Sent, None, int]:
        """Send the rows of a Parquet file."""
        n_rows, n_bytes, job = part.table.n_rows or 0, place.stamp.size, part.job
        self._ask_digest(part, place.stamp)
        from matscore.read.typed import rows_a_frame

        # A worker reads whole groups of frames, or each unit would open the file for a few rows.
        size = chunk_bytes_of(part.table, self.run)
        step = _FRAMES_A_RANGE * rows_a_frame(job.layout, size)
        for start in range(0, n_rows, step):
            stop = min(start + step, n_rows)
            unit = remote.RowsUnit(part.table.path, job.part, size, place.stamp, start, stop, row)
            yield self._send_unit(job, unit, n_bytes * (stop - start) // n_rows)
        return row + n_rows

    def _scan(self, part: Part, stamp: Stamp, start: int, end: int) -> Iterator[BlockScan]:
        """Have the blocks of a text counted, some ahead of what is asked for."""
        block = _CHUNKS_A_RANGE * chunk_bytes_of(part.table, self.run)
        path, mark = part.table.path, part.table.delimiter
        ahead: deque[Future[BlockScan]] = deque()
        for begin in range(start, end, block):
            args = (path, stamp, begin, min(begin + block, end), start, mark)
            ahead.append(self._cluster.submit(remote.scan_text, *args, priority=_SCANS_FIRST))
            if len(ahead) > 2 * self._cluster.count_ahead():
                yield self._cluster.wait(ahead.popleft())
        while ahead:
            yield self._cluster.wait(ahead.popleft())

    def _whole(self, part: Part, place: Place) -> remote.FileUnit:
        size = chunk_bytes_of(part.table, self.run)
        return remote.FileUnit(part.table.path, part.job.part, size, place.stamp, place)

    def _send_file(self, part: Part, place: Place, where: tuple[str, Claim]) -> _Sent:
        shared, unit = self._cluster.share(part.job), self._whole(part, place)
        future = self._cluster.submit(remote.write_unit, *shared, unit, *where)
        return _Sent(future, place.stamp.size)

    def _send_unit(self, job: Job, unit: remote.AnyUnit, n_bytes: int) -> _Sent:
        future = self._cluster.submit(remote.run_unit, *self._cluster.share(job), unit)
        return _Sent(future, n_bytes, partial(remote.run_again, job, unit) if job.unique else None)

    def _send_chunk(self, job: Job, chunk: Chunk | FrameChunk, n_bytes: int) -> _Sent:
        def run_again(_: int, doubles: Doubles) -> ChunkResult:
            return run_chunk(job, chunk, doubles)

        shared = self._cluster.share(job)
        future = self._cluster.submit(remote.run_sent, *shared, job.part, chunk, job.beside)
        return _Sent(future, n_bytes, run_again if job.unique else None)

    def _ask_digest(self, part: Part, stamp: Stamp) -> None:
        if self.run.checksum:
            path = part.table.path
            self._digests[path] = self._cluster.submit(remote.hash_text, path, stamp)

    def _in_order(self, sent: Iterator[_Sent]) -> Results:
        """Yield the results of units in the order in which they are sent."""
        try:
            for found in take_in_order(sent, self._window, self._cluster.count_ahead, self._take):
                yield from found
        finally:
            # Whoever stops early must not leave the cluster working for nobody.
            self._cluster.cancel([sent.future for sent in self._window])
            self._window.clear()

    def _take(self) -> list[ChunkResult]:
        """Return the results of the first unit under way."""
        first = self._window[0]
        found: list[ChunkResult] = self._cluster.wait(first.future)
        if first.again is not None:
            found = [replace(one, again=partial(first.again, at)) for at, one in enumerate(found)]
        self._window.popleft()
        self._n_done += first.n_bytes
        # Its worker may forget the result now: memory there does not grow.
        first.future.release()
        return found


def _is_numbered(job: Job) -> bool:
    """Say whether the number of a row over all inputs matters."""
    numbered = job.layout.label_column is None
    # Rows without labels are called by their number over all inputs, and a table shows the first:
    # both need the number of rows before, which a worker does not know of a whole file.
    return numbered or job.output is None or job.output.form.is_shown


@contextlib.contextmanager
def open_cluster(run: RunOptions, *, decomposes: bool) -> Iterator[ClusterEngine]:
    """Connect to a cluster, or start one of processes on this machine, and close it at the end."""
    try:
        import dask
        import distributed
        from distributed.versions import VersionMismatchWarning
    except ImportError as error:
        raise MissingExtraError("dask", "--engine dask") from error
    settings = {
        "distributed.admin.large-graph-warning-threshold": "1 PiB",  # the weights, once
        "distributed.comm.timeouts.connect": f"{_CONNECT_SECONDS} s",
        "distributed.worker.daemon": True,
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(_silence("distributed"))
        stack.enter_context(dask.config.set(settings))
        address: Any = run.scheduler
        if address is None:
            address = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=run.n_jobs or count_jobs(),
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
            )
        try:
            with warnings.catch_warnings():
                # What differs is said below, in our words.
                warnings.simplefilter("ignore", VersionMismatchWarning)
                # Not as the default client: a program that calls this may have its own.
                client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            what, hint = "no scheduler answers", "start one with: dask scheduler"
            raise ClusterError(str(run.scheduler), what, hint) from error
        stack.callback(_close, client)
        connection = Connection(client, decomposes=decomposes)
        connection.check_workers()
        yield ClusterEngine(connection, run)


class Connection:
    """A cluster that is connected, and what it holds for a run."""

    def __init__(self, client: Client, *, decomposes: bool) -> None:
        self.address: str = client.scheduler.address
        self._client = client
        self._ignored = set() if decomposes else {remote.DECOMPOSITIONS}  # what changes nothing
        self._held: dict[object, Future[Any]] = {}
        self._kept: list[Any] = []
        self._compared: set[str] = set()  # workers
        self._n_threads, self._looked = 1, -_POLL_SECONDS
        self._seen = time.monotonic()  # when there was a worker last

    def check_workers(self) -> None:
        """Wait for a worker, and compare what the workers are made of with what is here.

        Workers that come later are compared when they are seen.
        """
        with self._named_errors():
            try:
                self._client.wait_for_workers(1, timeout=_WORKER_SECONDS)
            except TimeoutError:
                raise self._no_worker() from None
            self.count_ahead()

    def _compare(self, workers: set[str]) -> None:
        """Say what differs between some workers and here."""
        here, call = remote.describe_environment(), self._client.run
        found = call(remote.describe_environment, workers=sorted(workers), on_error="return")
        for worker, there in sorted(found.items()):
            if isinstance(there, OSError):  # it has gone already
                continue
            if isinstance(there, BaseException):
                hint = "install matscore[dask] where the worker runs, in the version used here"
                raise ClusterError(worker, f"the worker cannot run matscore: {there}", hint)
            for name in here:
                if name not in self._ignored and there.get(name) != here[name]:
                    what = f"{name} is {there.get(name)} on the worker {worker}, {here[name]} here"
                    warnings.warn(f"{what}; results may differ", ClusterWarning, stacklevel=2)

    def submit(self, function: Callable[..., Any], *args: Any, priority: int = 0) -> Future[Any]:
        """Have a worker call a function."""
        with self._named_errors():
            # Not pure: Dask would hash all arguments to see whether it knows the result.
            return self._client.submit(function, *args, pure=False, priority=priority)

    def wait(self, future: Future[Any]) -> Any:
        """Return the result of a call, once it is there."""
        with self._named_errors():
            while True:
                try:
                    # Polled: without workers a result never comes, and Dask waits in silence.
                    return future.result(timeout=_POLL_SECONDS)
                except TimeoutError:
                    self.count_ahead()
                    if time.monotonic() - self._seen > _WORKER_SECONDS:
                        raise self._no_worker() from None

    def count_ahead(self) -> int:
        """Return how many units may be under way: two a thread of the cluster as it is now."""
        now = time.monotonic()
        if now - self._looked > _POLL_SECONDS:
            self._looked = now
            # Asked anew, as clusters grow and shrink while a run goes on.
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
            threads = sum(worker["nthreads"] for worker in workers.values())
            self._n_threads = threads or self._n_threads
            self._seen = now if workers else self._seen
            if news := set(workers) - self._compared:
                self._compared |= news
                self._compare(news)
        return 2 * self._n_threads + 1

    def _no_worker(self) -> ClusterError:
        hint = f"start one with: dask worker {self.address}"
        return ClusterError(self.address, "the scheduler has no worker", hint)

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Turn what Dask says of a cluster in trouble into a `ClusterError`."""
        from distributed import CancelledError, KilledWorker
        from distributed.comm import CommClosedError

        try:
            yield
        except KilledWorker as error:
            what = f"{error.allowed_failures + 1} workers died one after another over one piece"
            hint = "give them more memory, or make the pieces smaller with --chunk-size"
            raise ClusterError(self.address, what, hint) from error
        except (CancelledError, CommClosedError) as error:
            what, hint = "the scheduler is gone", "start it again, and run again"
            raise ClusterError(self.address, what, hint) from error

    def cancel(self, futures: list[Future[Any]]) -> None:
        """Have the cluster forget what is not wanted any more."""
        self._client.cancel(futures)

    def share(self, job: Job) -> tuple[Future[Any], Future[Any]]:
        """Send what chunks share, unless it is there: the work with its weights, and the layout.

        Both are results of tasks, and not scattered: Dask makes them again from what the
        scheduler has where the only worker that held them is gone.
        """
        key = id(job.work)
        if key not in self._held:
            self._held[key] = self.submit(remote.keep, replace(job, beside=None))
            self._kept.append(job.work)  # so that its id stays its own
        if job.layout not in self._held:
            self._held[job.layout] = self.submit(remote.keep, job.layout)
        return self._held[key], self._held[job.layout]


def _close(client: Client) -> None:
    with contextlib.suppress(Exception):  # it is of no use any more, whatever it says
        client.close(timeout=_POLL_SECONDS)


@contextlib.contextmanager
def _silence(name: str) -> Iterator[None]:
    """Keep a library from logging: what matters of it is raised."""
    loggers = [logging.getLogger(n) for n in logging.root.manager.loggerDict if n.startswith(name)]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
