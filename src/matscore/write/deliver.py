"""Scored chunks to where they go, in order."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import IO, Protocol, TypeAlias, TypeVar

from matscore.errors import OutputError, os_errors_about
from matscore.options import SHOWN
from matscore.read.faults import Reject
from matscore.write.encode import OutputSpec, encode_between, encode_end, encode_start
from matscore.write.rejects import encode_rejects, encode_rejects_header

BinaryFile: TypeAlias = IO[bytes] | io.RawIOBase | io.BufferedIOBase


class Result(Protocol):
    """What a scored chunk gives to be written."""

    @property
    def path(self) -> str:
        """The input it comes from."""

    @property
    def data(self) -> bytes:
        """Encoded rows."""

    @property
    def rejects(self) -> list[Reject]:
        """Rows set aside."""


AnyResult = TypeVar("AnyResult", bound=Result)


def deliver_results(
    results: Iterable[Result], spec: OutputSpec | None, out: BinaryFile | None
) -> None:
    """Write the results' rows.

    Parameters
    ----------
    results : iterable of Result
        In order.
    spec : OutputSpec or None
        The format; those of `SHOWN` write nothing, and so does None.
    out : binary file or None
        Where to write; with None the results are only drawn.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    if out is None or spec is None or spec.format in SHOWN:
        for _ in results:
            pass
    elif spec.format in ("parquet", "arrow"):
        from matscore.write.sink import decode_batch, write_batches

        batches = (decode_batch(result.data) for result in results if result.data)
        write_batches(batches, spec.kinds, out, spec.format)
    else:
        _write_text(results, spec, out)


def deliver_rejects(results: Iterable[AnyResult], out: BinaryFile | None) -> Iterator[AnyResult]:
    """Write the results' rejects and pass the results on.

    Parameters
    ----------
    results : iterable of Result
        In order.
    out : binary file or None
        Where to write.

    Yields
    ------
    Result
        Unchanged.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    if out is not None:
        _write(out, encode_rejects_header())
    for result in results:
        if out is not None and result.rejects:
            _write(out, encode_rejects(result.path, result.rejects))
        yield result


def _write_text(results: Iterable[Result], spec: OutputSpec, out: BinaryFile) -> None:
    lead, started = encode_start(spec), False
    for result in results:
        if result.data:
            _write(out, lead + result.data if lead else result.data)
            lead, started = encode_between(spec), True
    if not started:
        _write(out, lead)
    _write(out, encode_end(spec))


def _write(out: BinaryFile, data: bytes) -> None:
    with os_errors_about("-", OutputError):
        out.write(data)
