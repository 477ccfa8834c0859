"""What the workers of a cluster run: the same function on chunks that they read themselves.

Everything here is called by name on another machine, takes and gives what can be pickled, and
knows nothing of the cluster.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import itertools
import platform
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

import matscore
from matscore.errors import FileError, MatscoreError, OutputError
from matscore.kernel import PackedWeights
from matscore.options import RejectOptions
from matscore.read.ranges import BlockScan, Place, Range, scan_block
from matscore.read.rows import FrameChunk, Layout, Reject
from matscore.read.source import Stamp, iter_range
from matscore.read.split import Chunk
from matscore.run.run import Totals
from matscore.run.work import ChunkResult, Doubles, Job, Written, add_odd, run_chunk
from matscore.write.folder import Claim
from matscore.write.formats import deliver_results
from matscore.write.whole import Digest, open_output

Item = TypeVar("Item")
DECOMPOSITIONS = "the rounding of decompositions"


@dataclass(frozen=True)
class Unit:
    """What a worker does at a time: a part of an input, or all of it."""

    path: str  # the input as it was given, for messages
    part: int  # its number
    chunk_bytes: int  # size of the chunks it is done in
    stamp: Stamp  # the file, with a name that holds in every folder


@dataclass(frozen=True)
class TextUnit(Unit):
    """A range of a text."""

    range: Range  # its bytes

    def iter_chunks(self, layout: Layout) -> Iterator[Chunk]:
        """Read it, chunk by chunk."""
        return self.range.iter_chunks(self.path, layout.delimiter, self.chunk_bytes)


@dataclass(frozen=True)
class RowsUnit(Unit):
    """Some rows of a Parquet file."""

    start: int  # its rows
    stop: int  # its rows
    row: int  # records of earlier inputs

    def iter_chunks(self, layout: Layout) -> Iterator[FrameChunk]:
        """Read it, chunk by chunk."""
        # PyArrow would not notice that the file is another one than that which was planned.
        for _ in iter_range(self.stamp, 0, min(1, self.stamp.size)):
            pass
        from matscore.read.typed import iter_parquet_rows

        for chunk in iter_parquet_rows(
            self.stamp.path,
            layout,
            self.start,
            self.stop,
            chunk_bytes=self.chunk_bytes,
            row=self.row,
        ):
            yield replace(chunk, path=self.path)


@dataclass(frozen=True)
class FileUnit(Unit):
    """A whole file."""

    place: Place  # where its records are

    def iter_chunks(self, layout: Layout) -> Iterator[Chunk | FrameChunk]:
        """Read it, chunk by chunk."""
        with contextlib.closing(self.place.open()) as table:
            for chunk in table.iter_chunks(layout, chunk_bytes=self.chunk_bytes):
                yield replace(chunk, path=self.path)


AnyUnit = TextUnit | RowsUnit | FileUnit


# What is sent once for all chunks is a job, which gets each chunk's own layout and part.


def run_unit(shared: Job, layout: Layout, unit: AnyUnit) -> list[ChunkResult]:
    """Do the work on a unit, chunk by chunk."""
    job, results = replace(shared, layout=layout, part=unit.part), list[ChunkResult]()
    try:
        with _named_as_given(unit.stamp.path, unit.path):
            for chunk in unit.iter_chunks(layout):
                results.append(run_chunk(job, chunk))
                if results[-1].failure is not None:
                    break
    except MatscoreError as error:
        # The labels before it are looked at first.
        if not (job.unique and results):
            raise
        results.append(ChunkResult(unit.path, b"", 0, job.work.zero(), failure=error))
    # Counts are as large for many rows as for few; labels are looked at chunk by chunk.
    return results if job.output is not None or job.unique else _join_counts(results)


def _join_counts(results: Sequence[ChunkResult]) -> list[ChunkResult]:
    """Make one of results that come one after the other, where nothing is to be written."""
    if not results:
        return []
    joined = results[0]
    for one in results[1:]:
        joined = replace(
            joined,
            n_rows=joined.n_rows + one.n_rows,
            tally=joined.tally + one.tally,
            rejects=[*joined.rejects, *one.rejects],
            odd=add_odd(joined.odd, one.odd),
        )
    return [joined]


def run_again(job: Job, unit: AnyUnit, at: int, doubles: Doubles) -> ChunkResult:
    """Do the work on one of a unit's chunks anew, without the rows whose labels were there."""
    with _named_as_given(unit.stamp.path, unit.path):
        chunk = next(itertools.islice(unit.iter_chunks(job.layout), at, None))
    return run_chunk(job, chunk, doubles)


def run_sent(
    shared: Job, layout: Layout, part: int, chunk: Chunk | FrameChunk, beside: Any
) -> list[ChunkResult]:
    """Do the work on a chunk that was sent, and on the records of a second table beside it."""
    return [run_chunk(replace(shared, layout=layout, part=part, beside=beside), chunk)]


def write_unit(
    shared: Job, layout: Layout, unit: FileUnit, output: str, claim: Claim
) -> list[ChunkResult]:
    """Do the work on a whole file and write its rows, whole or not at all."""
    job, rejects = replace(shared, layout=layout, part=unit.part), list[Reject]()
    # Limits on bad rows hold over all parts; whoever has all of them counts.
    limits = RejectOptions(on_rejects=lambda _, rejected: rejects.extend(rejected))
    totals, digest = Totals(job.work.zero(), limits), Digest()
    with (
        _named_as_given(unit.stamp.path, unit.path),
        contextlib.closing(unit.place.open()) as table,
    ):
        with open_output(output, digest=digest) as out:
            chunks = table.iter_chunks(layout, chunk_bytes=unit.chunk_bytes)
            results = (run_chunk(job, replace(chunk, path=unit.path)) for chunk in chunks)
            deliver_results(totals.count(results), shared.output, out)
            # The run that asked for it may be dead, and another one under way in its place.
            claim.check()
        facts = replace(table.source.facts(), path=unit.path)
    written = Written(facts, digest.size, digest.hexdigest())
    counts, part = (totals.n_rows, totals.tally), unit.part
    result = ChunkResult(unit.path, b"", *counts, rejects, None, part, written, totals.odd)
    return [result]


def scan_text(path: str, stamp: Stamp, start: int, stop: int, first: int, mark: str) -> BlockScan:
    """Scan a block of a text, as `scan_block` does."""
    with _named_as_given(stamp.path, path):
        return scan_block(stamp, start, stop, first, mark)


def hash_text(path: str, stamp: Stamp) -> str:
    """Return the sha256 of a file."""
    digest = hashlib.sha256()
    with _named_as_given(stamp.path, path):
        for block in iter_range(stamp, 0, stamp.size):
            digest.update(block)
    return digest.hexdigest()


def keep(item: Item) -> Item:
    """Return what was sent, to be kept by the workers that need it."""
    return item


def describe_environment() -> dict[str, str]:
    """Return what the bytes of an output come from, besides its inputs.

    Two entries are bytes of a result. Products are rounded alike by definition, unless a processor
    or a build does not keep to it; decompositions, which `fit` is made of, as NumPy's LAPACK does
    on the processor.
    """
    # Any numbers whose products need rounding; every machine draws the same.
    rng = np.random.default_rng(0)
    weights, features = rng.normal(size=(37, 5)), rng.normal(size=(37, 300))
    product = PackedWeights(weights).multiply(features)
    triangle = np.asarray(np.linalg.qr(rng.normal(size=(300, 70)), mode="r"))
    return {
        "Python": platform.python_version(),
        "matscore": matscore.__version__,
        "numpy": np.__version__,
        "pyarrow": _find_pyarrow(),
        "the rounding of products": hashlib.sha256(product.tobytes()).hexdigest()[:8],
        DECOMPOSITIONS: hashlib.sha256(triangle.tobytes()).hexdigest()[:8],
    }


def _find_pyarrow() -> str:
    """Return the version of PyArrow, which Parquet and Arrow come from; nothing without it."""
    try:
        return importlib.metadata.version("pyarrow")
    except importlib.metadata.PackageNotFoundError:
        return ""


@contextlib.contextmanager
def _named_as_given(where: str, path: str) -> Iterator[None]:
    """Have errors name a file as it was given, and say where it cannot be read."""
    try:
        yield
    # It names the output, which is called the same everywhere.
    except OutputError:
        raise
    except FileError as error:
        cause = error.__cause__
        if error.path != where or not (isinstance(cause, OSError) and cause.errno):
            _rename(error, where, path)
            raise
        what = f"cannot be read by the worker on {socket.gethostname()} ({where}): {error.what}"
        hint = error.hint or "put it where every worker reads it under the same name"
        raise FileError(path, what, hint) from error
    except MatscoreError as error:
        _rename(error, where, path)
        raise


def _rename(error: MatscoreError, where: str, path: str) -> None:
    if getattr(error, "path", None) == where:
        error.path = path  # type: ignore[attr-defined]
        error.args = (path, *error.args[1:])
