"""A Dask cluster of processes of its own: a scheduler and some workers, all ended at the end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers import ENVIRONMENT

_PATIENCE = 60  # seconds
_LOOPBACK = ("--host", "127.0.0.1")


@dataclass
class Cluster:
    """A scheduler, its address, and its workers."""

    folder: Path
    address: str = ""
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """Start one of Dask's programs."""
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *argv],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=ENVIRONMENT | {"DASK_TEMPORARY_DIRECTORY": str(self.folder)},
                start_new_session=True,
            )

    def start_scheduler(self) -> None:
        """Start the scheduler and wait for its address."""
        file = self.folder / "scheduler.json"
        self.scheduler = self.start(
            "scheduler", *_LOOPBACK, "--port", "0", "--no-dashboard", "--scheduler-file", str(file)
        )
        deadline = time.monotonic() + _PATIENCE
        while not (file.exists() and file.stat().st_size):
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)
        self.address = json.loads(file.read_text())["address"]

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker of one thread, which nobody starts again when it dies."""
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", *_LOOPBACK)
        worker = self.start("worker", self.address, *options)
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """End all processes."""
        for process in (*self.workers, self.scheduler):
            if process is not None and process.poll() is None:  # else its number may be another's
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(_PATIENCE)


@contextlib.contextmanager
def open_cluster(folder: Path, n_workers: int = 2) -> Iterator[Cluster]:
    """Start a scheduler and workers, and end them."""
    cluster = Cluster(folder)
    try:
        cluster.start_scheduler()
        for _ in range(n_workers):
            cluster.start_worker()
        yield cluster
    finally:
        cluster.close()
