"""Outputs compressed as their name says, in bytes that depend on the content alone."""

from __future__ import annotations

import bz2
import io
import lzma
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from matscore.write.whole import BUFFER_BYTES, open_whole

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz"}


@contextmanager
def open_output(
    path: str, *, inputs: Sequence[str] = (), digest: Digest | None = None
) -> Iterator[io.BufferedIOBase]:
    r"""Open an output as `open_whole` does, compressing as the ending of its name says.

    The same bytes written give the same compressed bytes, however they are cut into writes.

    Parameters
    ----------
    path : str
        The output's name as it was given.
    inputs : sequence of str
        Names of the inputs; the output must be none of them.
    digest : hash object, optional
        Is given the bytes of the file.

    Yields
    ------
    io.BufferedIOBase
        Where the block writes; the block must not close it.

    Raises
    ------
    OutputError, UsageError
        As `open_whole`.

    Examples
    --------
    >>> import gzip
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with open_output(f"{folder}/scores.csv.gz") as out:
    ...         _ = out.write(b"film,drama\n")
    ...     print(gzip.decompress(Path(folder, "scores.csv.gz").read_bytes()))
    b'film,drama\n'
    """
    compression = compression_of(path)
    with open_whole(path, inputs=inputs) as file:
        out = file if digest is None else _HashedWriter(file, digest)
        if compression is None:
            yield out
        else:
            compressed = _CompressedWriter(out, _make_encoder(compression))
            yield compressed
            compressed.finish()


def compression_of(path: str) -> str | None:
    """Name the compression that the ending of an output's name asks for.

    Parameters
    ----------
    path : str
        The output's name.

    Returns
    -------
    str or None
        ``"gzip"``, ``"zstd"``, ``"bzip2"``, ``"xz"`` or None.

    Examples
    --------
    >>> compression_of("scores.csv.gz"), compression_of("scores.csv")
    ('gzip', None)
    """
    return _COMPRESSIONS.get(Path(path).suffix.lower())


class _Encoder(Protocol):
    """What the compressors of `zlib`, `bz2`, `lzma` and `zstd` share."""

    def compress(self, data: ReadableBuffer, /) -> bytes: ...

    def flush(self) -> bytes: ...


class Digest(Protocol):
    """A hash object of `hashlib`."""

    def update(self, data: ReadableBuffer, /) -> None:
        """Take in more bytes."""


class _HashedWriter(io.BufferedIOBase):
    """Passes bytes on and has them hashed."""

    def __init__(self, out: io.BufferedIOBase, digest: Digest) -> None:
        self._out = out
        self._digest = digest

    def write(self, data: ReadableBuffer, /) -> int:
        self._digest.update(data)
        return self._out.write(data)


class _CompressedWriter(io.BufferedIOBase):
    """Compresses blocks of one size, so that how the writes were cut leaves no trace."""

    def __init__(self, out: io.BufferedIOBase, encoder: _Encoder) -> None:
        self._out = out
        self._encoder = encoder
        self._pending = bytearray()

    def write(self, data: ReadableBuffer, /) -> int:
        self._pending += data
        while len(self._pending) >= BUFFER_BYTES:
            self._out.write(self._encoder.compress(self._pending[:BUFFER_BYTES]))
            del self._pending[:BUFFER_BYTES]
        return memoryview(data).nbytes

    def finish(self) -> None:
        self._out.write(self._encoder.compress(self._pending))
        self._out.write(self._encoder.flush())


def _make_encoder(compression: str) -> _Encoder:
    if compression == "gzip":
        # 31: a gzip header, which zlib leaves without name and time.
        return zlib.compressobj(6, zlib.DEFLATED, 31)
    if compression == "bzip2":
        return bz2.BZ2Compressor()
    if compression == "xz":
        return lzma.LZMACompressor()
    return zstd.ZstdCompressor(options={zstd.CompressionParameter.checksum_flag: 1})
