"""Hostile files: bytes are read, inflated and taken apart within limits, or refused.

Nothing here knows a format of models. A reader takes a `ModelFile`, whose bytes are bounded
already; what it inflates goes through `inflate` or `Zip`, what it counts through `check_count`
and how deep it goes through `check_depth`.
"""

from __future__ import annotations

import bz2
import io
import lzma
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matscore.errors import MatscoreError, join_sentence

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_BYTES = 2**30
"""Bytes of a model file, and of what a compressed one comes to."""
MAX_RATIO = 100
"""Bytes that a compressed byte may come to: models reach 20, and deflate 1,032 on zeros."""
MAX_MEMBERS = 10_000
MAX_DEPTH = 100
_BLOCK = 2**20
_FEED = 2**16  # small, as what follows a stream is copied for each of them
_MAX_STREAMS = 50_000
_PEEK = 256
_FREE_BYTES = 2**25  # what a small file may come to whatever its ratio: well compressed text does

_MAGIC: Mapping[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x5d\x00\x00": "lzma",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_BY_ZLIB = ("gzip", "zlib")
_BROKEN = (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError, zstd.ZstdError)
# zipfile raises RuntimeError for what is encrypted and NotImplementedError, one of its kinds, for
# an unknown compression.
_ZIP_ERRORS = (*_BROKEN, zipfile.BadZipFile, RuntimeError)
_ZLIB_HEADS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


@dataclass(frozen=True)
class ModelFile:
    """A file or folder that may hold a model."""

    name: str  # as it was given
    data: bytes = field(default=b"", repr=False)  # all of it; none of a folder
    folder: Path | None = None

    @property
    def head(self) -> bytes:
        """The first bytes, to recognise it by."""
        return self.data[:4096]

    def open_member(self, *parts: str) -> ModelFile:
        """Read a file in the folder; its name may not lead out of it."""
        assert self.folder is not None
        path = self.folder.joinpath(*parts)
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise Refusal(f'"{"/".join(parts)}" is not in the folder')
        if not path.is_file():
            raise Refusal(f'"{"/".join(parts)}" is missing from the folder')
        return ModelFile(self.name, read_limited(path))


def read_limited(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Read a file whole, refusing one of more bytes; errors of the system pass."""
    with path.open("rb") as stream:
        data = stream.read(limit + 1)
    check_size(len(data), limit)
    return data


def check_size(n_bytes: int, limit: int = MAX_BYTES) -> None:
    """Refuse more bytes than a model has."""
    if n_bytes > limit:
        raise Refusal(f"it comes to more than {limit:,} bytes, too many for a model")


def check_count(count: int, available: int, what: str) -> int:
    """Refuse a number of things, each of a byte or more, that cannot be in the bytes there are."""
    if not 0 <= count <= available:
        raise Refusal(f"it promises {count:,} {what}, where {available:,} bytes are left")
    return count


def check_depth(depth: int, limit: int = MAX_DEPTH) -> None:
    """Refuse what is nested deeper than any model is."""
    if depth > limit:
        raise Refusal(f"it is nested more than {limit} levels deep")


def find_compression(head: bytes) -> str:
    """Name the compression of bytes that begin so; empty where there is none."""
    if head[:2] in _ZLIB_HEADS:
        return "zlib"
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


def inflate(data: bytes, limit: int = MAX_BYTES) -> bytes:
    """Decompress gzip, zlib, bzip2, xz, lzma or zstd; what is none of them comes back as it is."""
    return b"".join(iter_inflated(data, limit))


def iter_inflated(
    data: bytes, limit: int = MAX_BYTES, *, ratio: int = MAX_RATIO
) -> Iterator[bytes]:
    """Yield what `inflate` gives in pieces.

    What ends too early, or comes to more than `limit` or than `ratio` times its bytes, is refused,
    before more memory is taken than that.
    """
    kind = find_compression(data)
    if not kind:
        yield data
        return
    allowed = min(limit, max(ratio * len(data), _FREE_BYTES))
    n_bytes = at = 0
    try:
        for _ in range(_MAX_STREAMS):  # one may stand after the other
            decoder = _make_decoder(kind)
            feed = b""
            while not decoder.eof:
                if not feed and (kind in _BY_ZLIB or decoder.needs_input):
                    feed = data[at : at + _FEED]
                    at += len(feed)
                    if not feed:
                        raise EOFError
                part = decoder.decompress(feed, _BLOCK)
                feed = decoder.unconsumed_tail if kind in _BY_ZLIB else b""
                n_bytes += len(part)
                check_size(n_bytes, allowed)
                yield part
            at -= len(decoder.unused_data)
            # What else follows is padding, which some tools leave there.
            if kind == "zlib" or find_compression(data[at : at + 6]) != kind:
                return
    except _BROKEN as error:
        raise Refusal(f"its {kind} is damaged or ends too early", "copy the file again") from error
    raise Refusal(f"it is made of more than {_MAX_STREAMS:,} compressed streams")


def peek(data: bytes) -> bytes:
    """Return the first bytes of what is compressed, or as it is; none where that is damaged."""
    kind = find_compression(data)
    if not kind:
        return data[:_PEEK]
    try:
        found: bytes = _make_decoder(kind).decompress(data[:_FEED], _PEEK)
    except _BROKEN:
        return b""
    return found


def _make_decoder(kind: str) -> Any:
    match kind:
        case "gzip":
            return zlib.decompressobj(31)
        case "zlib":
            return zlib.decompressobj()
        case "bzip2":
            return bz2.BZ2Decompressor()
        case "zstd":
            return zstd.ZstdDecompressor()
    return lzma.LZMADecompressor(memlimit=2**28)


class Zip:
    """The members of a ZIP file, each inflated within limits; names are only compared."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except _ZIP_ERRORS as error:
            raise Refusal("its ZIP directory is damaged", "copy the file again") from error
        members = self._zip.infolist()
        if len(members) > MAX_MEMBERS:
            raise Refusal(f"its ZIP has {len(members):,} members, more than {MAX_MEMBERS:,}")
        self._members = {one.filename: one for one in members}
        # Overlapping members make a small file come to any size: the sum is what counts.
        self._allowed = min(MAX_BYTES, max(MAX_RATIO * len(data), _FREE_BYTES))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the members, in the order of the directory."""
        return tuple(self._members)

    def read(self, name: str, limit: int = MAX_BYTES) -> bytes:
        """Return a member's bytes; a refusal where it is not there, damaged or too large."""
        if name not in self._members:
            raise Refusal(f'its ZIP has no member "{name}"')
        # No more than that is read of it, whether it is true or not.
        if self._members[name].file_size > min(limit, self._allowed):
            raise Refusal("its ZIP comes to more bytes than a model has")
        try:
            with self._zip.open(self._members[name]) as stream:
                data = stream.read(self._allowed + 1)
        except _ZIP_ERRORS as error:
            raise Refusal(
                f'member "{name}" of its ZIP is damaged', "copy the file again"
            ) from error
        if len(data) > self._allowed:
            raise Refusal("its ZIP comes to more bytes than a model has")
        self._allowed -= len(data)
        return data


def spread(
    data: NDArray[Any], indices: NDArray[Any], ends: NDArray[Any], n_runs: int, width: int
) -> NDArray[np.float64]:
    """Return the matrix of `n_runs` rows that are told by what is not 0 in them, and where."""
    check_fit(all(one.ndim == 1 for one in (data, indices, ends)) and data.dtype.kind in "fiub")
    check_fit(indices.dtype.kind in "iu" and ends.dtype.kind in "iu")
    check_fit(len(ends) == n_runs + 1 and len(indices) == len(data))
    check_fit(not len(data) or 0 <= int(indices.min()) <= int(indices.max()) < width)
    counts: NDArray[Any] = np.diff(ends.astype(np.int64))
    check_fit(int(ends[0]) == 0 and int(ends[-1]) == len(data) and (counts >= 0).all())
    found = np.zeros((n_runs, width))
    np.add.at(found, (np.repeat(np.arange(n_runs), counts), indices), data)
    return found


def has_member(file: ModelFile, *members: str) -> bool:
    """Say whether a file is a ZIP with one of some members, at its top or in its folders."""
    if not file.head.startswith(b"PK\x03\x04"):
        return False
    try:
        names = Zip(file.data).names
    except Refusal:
        return False
    return any(f"/{name}".endswith(f"/{member}") for name in names for member in members)


class Refusal(MatscoreError):
    """A model that cannot be taken over as it is; `import_model` adds the file's name.

    Parameters
    ----------
    what : str
        What is wrong, as a part of a sentence.
    hint : str
        What to do about it; may be empty.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return join_sentence(self.what, self.hint)


@contextmanager
def in_step(name: str, kind: str = "") -> Iterator[None]:
    """Begin a refusal with the step that it is about, as in ``step "scale" (Normalizer): …``.

    Of steps within steps the innermost is named last: ``step "prep", step "scale" (Normalizer)``.
    """
    try:
        yield
    except Refusal as error:
        place = f'step "{name}"' + (f" ({kind})" if kind else "")
        joint = ", " if error.what.startswith('step "') else ": "
        raise Refusal(f"{place}{joint}{error.what}", error.hint) from error


_MOST_DIGITS = 9  # of a count


def damaged() -> Refusal:
    """Return the refusal of a file that breaks its own format."""
    what = "damaged: it is cut off, or its parts do not fit each other"
    return Refusal(what, "copy the file again, or save the model again")


def check_fit(holds: object) -> None:
    """Refuse a file whose parts do not fit each other, as a condition says."""
    if not holds:
        raise damaged()


def read_text(data: bytes) -> str:
    """Return bytes as text in UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise damaged() from None


def read_count(word: object) -> int:
    """Return a word as a number that is whole and not negative."""
    text = str(word)
    check_fit(text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS)
    return int(text)


def read_numbers(words: Sequence[Any]) -> NDArray[np.float64]:
    """Return words, or numbers, as finite float64; `float` would take underscores too."""
    try:
        numbers = np.array([float(word) for word in words], dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise damaged() from None
    if not np.isfinite(numbers).all() or any("_" in w for w in words if isinstance(w, str)):
        raise Refusal("it has a weight that is no finite number")
    return numbers
