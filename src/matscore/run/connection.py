"""A Dask cluster that is connected: functions to its workers, results and errors from there.

Nothing else of matscore knows Dask's own errors, and here nothing is known of files and rows.
"""

from __future__ import annotations

import contextlib
import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from matscore.errors import ClusterError, ClusterWarning, MissingExtraError
from matscore.options import RunOptions
from matscore.run import remote
from matscore.run.parts import count_jobs
from matscore.run.work import Job

if TYPE_CHECKING:
    from distributed import Client, Future

_CONNECT_SECONDS = 10
_WORKER_SECONDS = 60  # without any worker, before the run gives up
_POLL_SECONDS = 1.0


@contextlib.contextmanager
def open_connection(run: RunOptions) -> Iterator[Connection]:
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
        connection = Connection(client)
        connection.check_workers()
        yield connection


class Connection:
    """A cluster that is connected, and what it holds for a run."""

    def __init__(self, client: Client) -> None:
        self.address: str = client.scheduler.address
        self._client = client
        self._held: dict[object, Future[Any]] = {}
        self._kept: list[Any] = []
        self._compared: set[str] = set()  # workers
        self._environments: dict[str, dict[str, str]] = {}  # of those that are compared
        self._ignored = {remote.DECOMPOSITIONS}  # differences that change nothing, so far
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
        found = self._client.run(
            remote.describe_environment, workers=sorted(workers), on_error="return"
        )
        for worker, there in sorted(found.items()):
            if isinstance(there, OSError):  # it has gone already
                continue
            if isinstance(there, BaseException):
                hint = "install matscore[dask] where the worker runs, in the version used here"
                raise ClusterError(worker, f"the worker cannot run matscore: {there}", hint)
            self._environments[worker] = there
            self._tell(worker, there.keys() - self._ignored)

    def _tell(self, worker: str, names: Iterable[str]) -> None:
        """Say what of some things is other on a worker."""
        here, there = remote.describe_environment(), self._environments[worker]
        for name in here:
            if name in names and there.get(name) != here[name]:
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
        if job.work.decomposes and self._ignored:
            names, self._ignored = self._ignored, set()
            for worker in sorted(self._environments):
                self._tell(worker, names)
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
