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
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from matscore.errors import FileError, InputError, os_errors_about, require_extra
from matscore.read.inputs import FileKind, encoding_of, is_address, recognise, refuse_foreign

if TYPE_CHECKING:
    from matscore.read.rewrite import Gaps, Rewrite

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
    """One input, as it was read: what is not known of a pipe, or not asked for, is None."""

    path: str
    size: int | None  # bytes on disk
    mtime: float | None  # seconds since the epoch
    sha256: str | None  # of the bytes that were read
    n_comments: int | None = None  # lines that were left out, since they start as comments do
    n_skipped: int | None = None  # lines that were left out at its start


@dataclass(frozen=True)
class Opening:
    """How an input is opened: with an encoding, and with its sha256 computed or not."""

    encoding: str | None = None
    checksum: bool = False
    rewrite: Rewrite | None = None  # what is done to its lines


@dataclass(frozen=True)
class Stamp:
    """What tells that a file is the one that was opened."""

    path: str
    size: int
    mtime_ns: int


@dataclass
class Source:
    """One open input."""

    path: str  # as it was given; "-" is standard input
    kind: FileKind  # never a compression
    head: bytes  # its first bytes: of a text decompressed and decoded
    opening: Opening
    stamp: Stamp | None  # what tells the file from others; None for a pipe
    _meter: _Meter = field(repr=False)
    _rest: Iterator[bytes] = field(repr=False, default_factory=lambda: iter(()))
    n_mark: int = 0  # bytes of the byte-order mark before the head
    is_parked: bool = False  # closed, to be opened again
    is_whole: bool = False  # whether the head is the whole input
    is_plain: bool = False  # whether a file's bytes are the text itself
    _n_head: int = 0
    gaps: Gaps | None = None  # the lines that were left out, where lines are rewritten

    @property
    def size(self) -> int | None:
        """Bytes on disk; None for a pipe."""
        return None if self.stamp is None else self.stamp.size

    @property
    def n_read(self) -> int:
        """Bytes read so far from the file or pipe, before decompression."""
        return self._meter.n_read

    def extend_head(self, n_more: int = 1) -> bool:
        """Read blocks into the head until it has `n_more` bytes more; False at the input's end."""
        blocks, n_wanted = [self.head], len(self.head) + n_more
        n_held = len(self.head)
        while n_held < n_wanted and (block := next(self._rest, b"")):
            blocks.append(block)
            n_held += len(block)
        self.is_whole = n_held < n_wanted
        self.head = b"".join(blocks)
        return len(blocks) > 1

    def iter_blocks(self, start: int) -> Iterator[bytes]:
        """Yield the text from byte `start` of the head on, in pieces of any size."""
        if start < len(self.head):
            yield self.head[start:]
        yield from self._rest
        # Rows of two versions of a file would be scored as if they were one table.
        if self.stamp is not None and stamp_of(self.path, self._meter.raw) != self.stamp:
            raise FileError(self.path, *CHANGED)

    def open_stream(self) -> io.RawIOBase | None:
        """Return all of a pipe as a raw file; None for a file, which has its name."""
        return None if self._has_name else _BlockReader(self._meter.iter_blocks())

    def facts(self) -> SourceFacts:
        """Return what a report says of the input, once it is read."""
        facts = self.look()
        if self._meter.digest is not None:
            # PyArrow reads such a file by its name, here and there: the meter saw only its head.
            by_name = self.kind != "csv" and self._has_name
            sha256 = hash_file(self.path) if by_name else self._meter.digest.hexdigest()
            facts = replace(facts, sha256=sha256)
        if self.gaps is None:
            return facts
        return replace(facts, n_comments=self.gaps.n_comments, n_skipped=self.gaps.n_skipped)

    def look(self) -> SourceFacts:
        """Return what is known of the input before it is read."""
        mtime = None if self.stamp is None else self.stamp.mtime_ns / 1e9
        return SourceFacts(self.path, self.size, mtime, None)

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self.path != "-":
            self._meter.raw.close()

    def park(self) -> None:
        """Close the file until `wake`; what cannot be opened again stays open."""
        if self.stamp is not None and not self.is_parked:
            self.is_parked = True
            self._n_head = len(self.head)
            self.head = self.head[:_PARKED_BYTES]
            self._rest = iter(())
            self._meter.raw.close()

    def wake(self) -> None:
        """Open the file again where it is parked, as it was; a `FileError` where it has changed."""
        if self.is_parked and self.stamp is not None:
            fresh = reopen_source(self.stamp, self.opening, self._n_head)
            self.head, self._rest, self._meter = fresh.head, fresh._rest, fresh._meter
            self.gaps = fresh.gaps
            self.is_parked = False

    def line_of(self, start: int) -> int:
        """Return the physical line that starts at a byte of the head."""
        n_before = self.head.count(b"\n", 0, start)
        return n_before + 1 if self.gaps is None else self.gaps.line_of(n_before)

    @property
    def _has_name(self) -> bool:
        return self.stamp is not None and not is_address(self.path)


def open_source(path: str, opening: Opening = Opening()) -> Source:
    """Open a file, or standard input for ``-``, to be read once, forward; look at its first bytes.

    Its encoding is what a byte-order mark says, else the one that is named, else UTF-8.
    """
    raw, stamp = open_raw(path)
    meter = _Meter(raw, path, checksum=opening.checksum)
    with contextlib.ExitStack() as stack:
        if path != "-":
            stack.enter_context(raw)
        first = meter.read_head(_HEAD_BYTES)
        kind = recognise(first)
        if kind in ("parquet", "arrow"):
            require_extra("Parquet and Arrow", "pyarrow", extra="parquet")
            source = Source(path, kind, first, opening, stamp, meter)
        else:
            blocks = _decompress(path, kind, meter.iter_blocks())
            text, n_mark, is_utf8 = _start_decoding(path, blocks, opening.encoding)
            gaps = None
            if opening.rewrite is not None:
                from matscore.read.rewrite import Gaps

                gaps = Gaps()
                text = filter(None, opening.rewrite.apply(text, gaps))
            source = Source(path, "csv", b"", opening, stamp, meter, text, n_mark, gaps=gaps)
            source.is_plain = is_utf8 and kind == "csv" and stamp is not None and gaps is None
            source.extend_head(_HEAD_BYTES)
            if gaps is not None and not source.head and meter.n_read:
                hint = "--comment or --skip-lines leaves out every one"
                raise InputError(path, "no line is left of the file", hint)
            refuse_foreign(path, source.head)
        stack.pop_all()
    return source


def reopen_source(stamp: Stamp, opening: Opening, n_head: int) -> Source:
    """Open a file again, with as much of its head; a `FileError` where it has changed."""
    source = open_source(stamp.path, opening)
    if source.stamp != stamp:
        source.close()
        raise FileError(stamp.path, *CHANGED)
    if n_head > len(source.head):
        source.extend_head(n_head - len(source.head))
    return source


def read_range(stamp: Stamp, start: int, stop: int) -> bytes:
    """Read some bytes of a file; errors are those of `iter_range`."""
    return b"".join(iter_range(stamp, start, stop))


def iter_range(stamp: Stamp, start: int, stop: int) -> Iterator[bytes]:
    """Yield some bytes of a file in blocks of about a megabyte, unless it has changed."""
    if start == stop and is_address(stamp.path):
        return
    raw, is_now = open_raw(stamp.path, start, stop)
    with raw:
        if is_now != stamp:
            raise FileError(stamp.path, *CHANGED)
        if not is_address(stamp.path):
            raw.seek(start)
        meter, n_left = _Meter(raw, stamp.path), stop - start
        while n_left:
            block = meter.read(min(n_left, READ_BYTES))
            if not block:
                raise FileError(stamp.path, *CHANGED)
            n_left -= len(block)
            yield block


def hash_file(path: str) -> str:
    """Return the sha256 of a file or an object."""
    digest = hashlib.sha256()
    with open_raw(path)[0] as raw:
        while block := raw.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def open_raw(path: str, start: int = 0, stop: int | None = None) -> tuple[BinaryIO, Stamp | None]:
    """Return a file and its stamp; of an object in a store only the bytes asked for."""
    if path == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise FileError("-", "standard input is closed")
        # What another program has set to non-blocking would seem to end where it is only empty.
        with contextlib.suppress(OSError):
            os.set_blocking(sys.stdin.buffer.fileno(), True)
        return sys.stdin.buffer, None
    if is_address(path):
        from matscore.read.cloud import CloudFile

        remote = cast(BinaryIO, CloudFile(path, start, stop))
        return remote, stamp_of(path, remote)
    try:
        with os_errors_about(path):
            # Blocks are a megabyte: a buffer would copy them once more.
            raw = cast(BinaryIO, Path(path).open("rb", buffering=0))  # noqa: SIM115 - closed later
            is_file = stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
    except ValueError as error:
        raise FileError(path, str(error)) from error
    return raw, stamp_of(path, raw) if is_file else None


def stamp_of(path: str, raw: Any) -> Stamp:
    """Return the stamp of an open file."""
    if is_address(path):  # one answer of the server is of one version
        return Stamp(path, raw.size, raw.mtime_ns)
    info = os.fstat(raw.fileno())
    return Stamp(path, info.st_size, info.st_mtime_ns)


class _Meter:
    """Reads a file in blocks, counts its bytes and, where asked, has them hashed."""

    def __init__(self, raw: BinaryIO, path: str, *, checksum: bool = False) -> None:
        self.raw = raw
        self.n_read = 0
        self.digest = hashlib.sha256() if checksum else None
        self._path = path
        self._head = b""

    def read_head(self, size: int) -> bytes:
        while len(self._head) < size and (block := self.read(size - len(self._head))):
            self._head += block
        return self._head

    def iter_blocks(self) -> Iterator[bytes]:
        if self._head:
            yield self._head
        while block := self.read(READ_BYTES):
            yield block

    def read(self, size: int) -> bytes:
        with os_errors_about(self._path):
            is_buffered = isinstance(self.raw, io.BufferedReader)  # read1 gives what a pipe has
            block: bytes = self.raw.read1(size) if is_buffered else self.raw.read(size)  # type: ignore[attr-defined]
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
    stream = io.BufferedReader(_BlockReader(blocks), READ_BYTES)
    # It checks length and CRC of every member, and reads one after another.
    with gzip.GzipFile(fileobj=stream, mode="rb") as file:
        while block := file.read(READ_BYTES):
            yield block


_DECOMPRESSORS: dict[str, Any] = {
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ),
    "zstd": zstd.ZstdDecompressor,
}


def _iter_frames(kind: str, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the content of one frame after another."""
    # bz2.open and its kin end in silence where the first bytes of a further frame are damaged, and
    # would give the rows before it as if they were all.
    decompressor = None
    for block in blocks:
        rest = block
        while rest:
            if decompressor is None:
                rest = rest.lstrip(b"\0") if kind == "xz" else rest  # padding between streams
                if not rest:
                    break
                decompressor = _DECOMPRESSORS[kind]()
            yield decompressor.decompress(rest, READ_BYTES)
            while not (decompressor.eof or decompressor.needs_input):
                yield decompressor.decompress(b"", READ_BYTES)
            rest = b""
            if decompressor.eof:
                rest, decompressor = decompressor.unused_data, None
    if decompressor is not None:
        raise EOFError("it ends too early")


def _start_decoding(
    path: str, blocks: Iterator[bytes], encoding: str | None
) -> tuple[Iterator[bytes], int, bool]:
    """Return the text as UTF-8 in pieces, its mark's length, and whether it was UTF-8 before."""
    first = next(blocks, b"")
    # The longest byte-order mark has four bytes, and a pipe may give one at a time.
    while len(first) < 4 and (more := next(blocks, b"")):
        first += more
    marked, n_mark = encoding_of(first)
    name = marked if encoding is None or n_mark else encoding
    is_utf8 = codecs.lookup(name).name in _UTF8_NAMES
    rest = itertools.chain([first[n_mark:]], blocks)
    text = rest if is_utf8 else _decode(path, rest, name, n_mark)
    return filter(None, text), n_mark, is_utf8


def _decode(path: str, blocks: Iterator[bytes], encoding: str, n_done: int) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    for block in itertools.chain(blocks, [None]):
        try:
            yield decoder.decode(block or b"", block is None).encode()
        except UnicodeError as error:
            at = n_done + getattr(error, "start", 0)
            what = f"the text is not {encoding}: near byte {at}"
            raise InputError(path, what, "name the right one with --encoding") from error
        n_done += len(block or b"")
