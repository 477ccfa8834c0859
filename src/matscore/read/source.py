"""Inputs as streams of UTF-8 bytes: opened once, recognised, decompressed, decoded."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import gzip
import hashlib
import io
import itertools
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, BinaryIO, Literal, Protocol, cast

from matscore.errors import FileError, InputError, os_errors_about
from matscore.read.cloud import CloudFile, is_address
from matscore.read.recognise import encoding_of, recognise, refuse_foreign

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

READ_BYTES = 2**20
CHANGED = ("changed while it was read", "run again when it is complete")
_HEAD_BYTES = 2**16
_PARKED_BYTES = 2**12  # enough to know what a record costs
_UTF8_NAMES = {"utf-8", "utf-8-sig"}


@dataclass(frozen=True)
class SourceFacts:
    """One input, as it was read.

    Attributes
    ----------
    path : str
        As it was given.
    size : int or None
        Bytes; None for a pipe.
    mtime : float or None
        Seconds since the epoch; None for a pipe.
    sha256 : str or None
        Of the bytes that were read; None where it was not asked for.
    """

    path: str
    size: int | None
    mtime: float | None
    sha256: str | None


@dataclass(frozen=True)
class Opening:
    """How an input was opened."""

    encoding: str | None = None
    checksum: bool = False

    def open(self, path: str) -> Source:
        """Open an input in this way."""
        return open_source(path, encoding=self.encoding, checksum=self.checksum)


@dataclass(frozen=True)
class Stamp:
    """What tells that a file is the one that was opened.

    Attributes
    ----------
    path : str
        Its name.
    size : int
        Bytes.
    mtime_ns : int
        Nanoseconds since the epoch at its last change.
    """

    path: str
    size: int
    mtime_ns: int


@dataclass
class Source:
    """One open input.

    Attributes
    ----------
    path : str
        As it was given; ``-`` is standard input.
    kind : {"csv", "parquet", "arrow"}
        What its first bytes say it is.
    head : bytes
        Its first bytes: decompressed and decoded text for CSV, the bytes as they are otherwise.
    raw : BinaryIO
        The file as it was opened.
    size : int or None
        Bytes on disk; None for a pipe.
    n_mark : int
        Bytes of the byte-order mark before the head.
    is_parked : bool
        Whether it is closed, to be opened again.
    """

    path: str
    kind: Literal["csv", "parquet", "arrow"]
    head: bytes
    raw: BinaryIO
    size: int | None
    _rest: Iterator[bytes] = field(repr=False, default_factory=lambda: iter(()))
    _meter: _Meter | None = field(repr=False, default=None)
    _stamp: tuple[int, int] | None = None
    n_mark: int = 0
    _ended: bool = False
    opening: Opening = field(repr=False, default_factory=Opening)
    is_parked: bool = False
    _is_plain: bool = False
    _n_head: int = 0

    @property
    def n_read(self) -> int:
        """Bytes read so far from the file or pipe, before decompression."""
        return self._meter.n_read if self._meter else 0

    @property
    def is_whole(self) -> bool:
        """Whether the head is the whole input."""
        return self._ended

    def extend_head(self, n_more: int = 1) -> bool:
        """Read blocks into the head until it has `n_more` bytes more; False at the input's end."""
        blocks, n_wanted = [self.head], len(self.head) + n_more
        n_held = len(self.head)
        while n_held < n_wanted and (block := next(self._rest, b"")):
            blocks.append(block)
            n_held += len(block)
        self._ended = n_held < n_wanted
        self.head = b"".join(blocks)
        return len(blocks) > 1

    def iter_blocks(self, start: int) -> Iterator[bytes]:
        """Yield the text from byte `start` of the head on, in pieces of any size."""
        if start < len(self.head):
            yield self.head[start:]
        yield from self._rest
        self._check_unchanged()

    def open_stream(self) -> BinaryIO | None:
        """Return all of a pipe as a binary file; None for a file, which has its name."""
        has_name = self.size is not None and not is_address(self.path)
        if has_name or self._meter is None:
            return None
        blocks = self._meter.iter_blocks()
        return cast(BinaryIO, io.BufferedReader(_BlockReader(blocks), READ_BYTES))

    def facts(self) -> SourceFacts:
        """Return what a report says of the input, once it is read."""
        digest = self._meter.digest if self._meter else None
        has_name = self.size is not None and not is_address(self.path)
        if digest is not None and self.kind != "csv" and has_name:
            with Path(self.path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
        return replace(self.look(), sha256=None if digest is None else digest.hexdigest())

    @property
    def stamp(self) -> Stamp | None:
        """What tells the file from others; None for a pipe."""
        return None if self._stamp is None else Stamp(self.path, *self._stamp)

    @property
    def is_plain(self) -> bool:
        """Whether its bytes are the text itself, neither compressed nor in another encoding."""
        return self.kind == "csv" and self._is_plain and self._stamp is not None

    def look(self) -> SourceFacts:
        """Return what is known of the input before it is read."""
        mtime = None if self._stamp is None else self._stamp[1] / 1e9
        return SourceFacts(self.path, self.size, mtime, None)

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self.path != "-":
            self.raw.close()

    def park(self) -> None:
        """Close the file until `wake`; what cannot be opened again stays open."""
        if self.size is not None and not self.is_parked:
            self.is_parked = True
            self._n_head = len(self.head)
            self.head = self.head[:_PARKED_BYTES]
            self._rest = iter(())
            self.raw.close()

    def wake(self) -> None:
        """Open the file again where it is parked, as it was.

        Raises
        ------
        FileError
            It cannot be opened, or has changed.
        """
        if not self.is_parked:
            return
        fresh = self.opening.open(self.path)
        if fresh._stamp != self._stamp or fresh.kind != self.kind:
            fresh.close()
            raise FileError(self.path, *CHANGED)
        while len(fresh.head) < self._n_head and fresh.extend_head():
            pass
        self.raw, self.head, self._rest = fresh.raw, fresh.head, fresh._rest
        self._meter, self.is_parked = fresh._meter, False

    def _check_unchanged(self) -> None:
        if self._stamp is not None and _stamp_of(self.raw) != self._stamp:
            raise FileError(self.path, *CHANGED)


def open_source(path: str, *, encoding: str | None = None, checksum: bool = False) -> Source:
    """Open an input and look at its first bytes.

    Parameters
    ----------
    path : str
        A file, or ``-`` for standard input.
    encoding : str, optional
        Name of the text encoding; without it UTF-8, or what a byte-order mark says.
    checksum : bool
        Whether to compute the sha256 of what is read.

    Returns
    -------
    Source
        Ready to be read once, forward.

    Raises
    ------
    FileError
        The file cannot be opened or read, or is compressed and damaged.
    InputError
        The content is not a table, or is not in the encoding.
    """
    raw, size, stamp = _open_raw(path)
    meter = _Meter(raw, path, checksum=checksum)
    with contextlib.ExitStack() as stack:
        if path != "-":
            stack.enter_context(raw)
        first = meter.read_head(_HEAD_BYTES)
        kind = recognise(first)
        if kind in ("parquet", "arrow", "arrow-stream"):
            columnar: Literal["parquet", "arrow"] = "parquet" if kind == "parquet" else "arrow"
            source = Source(path, columnar, first, raw, size, _meter=meter, _stamp=stamp)
        else:
            blocks = _decompress(path, kind, meter.iter_blocks())
            text, n_mark, is_utf8 = _start_decoding(path, blocks, encoding)
            source = Source(path, "csv", b"", raw, size, text, meter, stamp, n_mark)
            source._is_plain = is_utf8 and kind == "csv"
            while len(source.head) < _HEAD_BYTES and source.extend_head():
                pass
            refuse_foreign(path, source.head)
        stack.pop_all()
    source.opening = Opening(encoding, checksum)
    return source


def read_range(stamp: Stamp, start: int, stop: int) -> bytes:
    """Read some bytes of a file; errors are those of `iter_range`."""
    return b"".join(iter_range(stamp, start, stop))


def iter_range(stamp: Stamp, start: int, stop: int) -> Iterator[bytes]:
    """Yield some bytes of a file in blocks.

    Parameters
    ----------
    stamp : Stamp
        The file.
    start, stop : int
        The bytes.

    Yields
    ------
    bytes
        Blocks of about a megabyte.

    Raises
    ------
    FileError
        The file cannot be read, or has changed.
    """
    if is_address(stamp.path):
        yield from _iter_remote(stamp, start, stop)
        return
    raw, size, found = _open_raw(stamp.path)
    with raw:
        if size is None or found != (stamp.size, stamp.mtime_ns):
            raise FileError(stamp.path, *CHANGED)
        raw.seek(start)
        n_left = stop - start
        while n_left:
            block = _read_raw(stamp.path, raw, min(n_left, READ_BYTES))
            if not block:
                raise FileError(stamp.path, *CHANGED)
            n_left -= len(block)
            yield block


def _iter_remote(stamp: Stamp, start: int, stop: int) -> Iterator[bytes]:
    if start == stop:
        return
    remote = CloudFile(stamp.path, start, stop)
    if (remote.size, remote.mtime_ns) != (stamp.size, stamp.mtime_ns):
        raise FileError(stamp.path, *CHANGED)
    while block := remote.read(READ_BYTES):
        yield block


def _read_raw(path: str, raw: BinaryIO, size: int) -> bytes:
    with os_errors_about(path):
        return raw.read(size)


def _open_raw(path: str) -> tuple[BinaryIO, int | None, tuple[int, int] | None]:
    if path == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise FileError("-", "standard input is closed")
        # What another program has set to non-blocking would seem to end where it is only empty.
        with contextlib.suppress(OSError):
            os.set_blocking(sys.stdin.buffer.fileno(), True)
        return sys.stdin.buffer, None, None
    if is_address(path):
        remote = CloudFile(path)
        return cast(BinaryIO, remote), remote.size, (remote.size, remote.mtime_ns)
    try:
        with os_errors_about(path):
            raw = Path(path).open("rb", buffering=0)  # noqa: SIM115 - the source closes it
            info = os.fstat(raw.fileno())
    except ValueError as error:
        raise FileError(path, str(error)) from error
    stream = cast(BinaryIO, raw)
    if stat.S_ISREG(info.st_mode):
        return stream, info.st_size, _stamp_of(stream)
    return stream, None, None


def _stamp_of(raw: BinaryIO) -> tuple[int, int]:
    if isinstance(raw, CloudFile):  # one answer of the server is of one version
        return raw.size, raw.mtime_ns
    info = os.fstat(raw.fileno())
    return info.st_size, info.st_mtime_ns


class _Meter:
    """Reads a file in blocks and counts its bytes."""

    def __init__(self, raw: BinaryIO, path: str, *, checksum: bool) -> None:
        self.n_read = 0
        self.digest = hashlib.sha256() if checksum else None
        self._raw, self._path = raw, path
        self._head = b""

    def read_head(self, size: int) -> bytes:
        while len(self._head) < size and (block := self._read(size - len(self._head))):
            self._head += block
        return self._head

    def iter_blocks(self) -> Iterator[bytes]:
        if self._head:
            yield self._head
        while block := self._read(READ_BYTES):
            yield block

    def _read(self, size: int) -> bytes:
        with os_errors_about(self._path):
            if isinstance(self._raw, io.BufferedReader):
                block = self._raw.read1(size)
            else:
                block = self._raw.read(size)
        self.n_read += len(block)
        if self.digest is not None:
            self.digest.update(block)
        return block


class _BlockReader(io.RawIOBase):
    """Blocks as a file, for the standard library's decompressors."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._held:
            self._held = memoryview(next(self._blocks, b""))
        n = min(len(buffer), len(self._held))
        buffer[:n] = self._held[:n]
        self._held = self._held[n:]
        return n


def _decompress(path: str, kind: str, blocks: Iterator[bytes]) -> Iterator[bytes]:
    if kind == "csv":
        yield from blocks
        return
    errors = (EOFError, OSError, zlib.error, lzma.LZMAError, zstd.ZstdError)
    try:
        yield from _iter_gzip(blocks) if kind == "gzip" else _iter_frames(kind, blocks)
    except FileError:  # of the source itself
        raise
    except errors as error:
        words = f"the {kind} data is truncated or damaged ({error})"
        raise FileError(path, words, "make or fetch the file again") from error


def _iter_gzip(blocks: Iterator[bytes]) -> Iterator[bytes]:
    stream = cast(IO[bytes], io.BufferedReader(_BlockReader(blocks), READ_BYTES))
    with gzip.GzipFile(fileobj=stream, mode="rb") as file:
        while block := file.read(READ_BYTES):
            yield block


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


def _iter_frames(kind: str, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the content of one frame after another.

    The standard library's files would end in silence where a further frame's first bytes are
    damaged.
    """
    decompressor: _Decompressor | None = None
    for block in blocks:
        rest = block
        while rest:
            if decompressor is None:
                rest = rest.lstrip(b"\0") if kind == "xz" else rest  # padding between streams
                if not rest:
                    break
                decompressor = _make_decompressor(kind)
            yield decompressor.decompress(rest, READ_BYTES)
            while not (decompressor.eof or decompressor.needs_input):
                yield decompressor.decompress(b"", READ_BYTES)
            rest = b""
            if decompressor.eof:
                rest, decompressor = decompressor.unused_data, None
    if decompressor is not None:
        raise EOFError("it ends too early")


def _make_decompressor(kind: str) -> _Decompressor:
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    if kind == "xz":
        return lzma.LZMADecompressor(lzma.FORMAT_XZ)
    return cast(_Decompressor, zstd.ZstdDecompressor())


def _start_decoding(
    path: str, blocks: Iterator[bytes], encoding: str | None
) -> tuple[Iterator[bytes], int, bool]:
    """Return the text as UTF-8 in pieces, none empty, and the length of its byte-order mark.

    And whether it was UTF-8 before.
    """
    first = next(blocks, b"")
    while len(first) < 4 and (more := next(blocks, b"")):
        first += more
    found, n_mark = encoding_of(first)
    name = found if encoding is None or n_mark else encoding
    rest = itertools.chain([first[n_mark:]], blocks)
    return filter(None, _decode(path, rest, name, n_mark)), n_mark, _is_utf8(name)


def _decode(path: str, blocks: Iterator[bytes], encoding: str, n_mark: int) -> Iterator[bytes]:
    if _is_utf8(encoding):
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    n_done = n_mark
    for block in blocks:
        yield _recode(path, decoder, block, n_done, encoding)
        n_done += len(block)
    yield _recode(path, decoder, b"", n_done, encoding, final=True)


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in _UTF8_NAMES


def _recode(
    path: str,
    decoder: codecs.IncrementalDecoder,
    block: bytes,
    n_done: int,
    name: str,
    *,
    final: bool = False,
) -> bytes:
    try:
        return decoder.decode(block, final).encode()
    except UnicodeError as error:
        at = n_done + getattr(error, "start", 0)
        what = f"the text is not {name}: near byte {at}"
        raise InputError(path, what, "name the right one with --encoding") from error
