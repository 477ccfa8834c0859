"""Arrow IPC, file and stream, one record batch at a time.

`scan_ipc` reads no streams, and decodes a whole record batch for every slice of it. So the messages
are told apart here, and Polars decodes each batch as a stream of its own.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import BinaryIO, NamedTuple, cast

import polars as pl

from matscore.errors import InputError

COPY_BYTES = 1 << 20

# Arrow Columnar Format, "Serialization and Interprocess Communication".
FILE_MAGIC = b"ARROW1"
CONTINUATION = b"\xff\xff\xff\xff"
_END_MARK = CONTINUATION + bytes(4)
_SCHEMA, _DICTIONARY, _RECORDS = 1, 2, 3
# Polars panics at these, whichever columns are asked for.
_UNREADABLE = {11: "interval", 14: "union", 22: "run-end", 25: "list view", 26: "list view"}


class DamageError(Exception):
    """Damage that is found here."""


class Content(NamedTuple):
    """What a file holds; ``iter_frames`` takes names of columns and about how many rows."""

    schema: pl.Schema
    n_rows: int | None
    iter_frames: Callable[[Sequence[str], int], Iterator[pl.DataFrame]]


class Reader:
    """Reads a file or pipe exactly as far as it is asked to."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._peeked = b""

    def peek(self, size: int) -> bytes:
        """Return the next bytes, fewer where it ends; they will be read again."""
        while len(self._peeked) < size and (piece := self._stream.read(size - len(self._peeked))):
            self._peeked += piece
        return self._peeked[:size]

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        return b"".join(self.iter_pieces(size))

    def iter_pieces(self, size: int) -> Iterator[bytes]:
        """Yield the next `size` bytes in pieces."""
        while size > 0:
            piece = self._peeked[:size] or self._stream.read(min(size, COPY_BYTES))
            self._peeked = self._peeked[size:]
            if not piece:
                raise DamageError("it ends too early")
            yield piece
            size -= len(piece)

    def iter_rest(self) -> Iterator[bytes]:
        """Yield all that is left."""
        while piece := self._peeked or self._stream.read(COPY_BYTES):
            self._peeked = b""
            yield piece

    def seek(self, at: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place of a file; to `at` from here, nothing must be peeked."""
        self._peeked = b""
        return self._stream.seek(at, whence)


class _Table(NamedTuple):
    """A table in a flatbuffer."""

    data: bytes
    at: int

    def unpack(self, code: str, at: int) -> int:
        return cast(int, struct.unpack_from(code, self.data, at)[0])

    def find(self, i: int) -> int:
        """Return where the i-th field is; 0 where it is left out."""
        slots = self.at - self.unpack("<i", self.at)
        has_slot = 4 + 2 * i < self.unpack("<H", slots)
        offset = self.unpack("<H", slots + 4 + 2 * i) if has_slot else 0
        return self.at + offset if offset else 0

    def number(self, i: int, code: str) -> int:
        at = self.find(i)
        return self.unpack(code, at) if at else 0

    def follow(self, at: int) -> _Table:
        return _Table(self.data, at + self.unpack("<I", at))

    def text(self, i: int) -> str:
        if not (at := self.find(i)):
            return ""
        start = self.follow(at).at + 4
        return self.data[start : start + self.unpack("<I", start - 4)].decode()

    def items(self, i: int, size: int) -> Iterator[int]:
        """Yield where the items of a vector are, each of `size` bytes."""
        if at := self.find(i):
            start = self.follow(at).at + 4
            for k in range(self.unpack("<I", start - 4)):
                yield start + size * k


class _Message(NamedTuple):
    kind: int
    table: _Table
    head: bytes  # as it is in the file
    body_size: int


def open_arrow_file(path: str, reader: Reader) -> Content:
    """Open an Arrow file, whose footer says where its record batches are.

    Parameters
    ----------
    path : str
        The input's name, for errors.
    reader : Reader
        Seekable.

    Returns
    -------
    Content
        Its schema, number of rows and frames.

    Raises
    ------
    DamageError, InputError
        It is damaged, or holds what Polars cannot read.
    """
    end = reader.seek(-10, os.SEEK_END)
    size, magic = struct.unpack("<I6s", reader.read(10))
    if magic != FILE_MAGIC:
        raise DamageError("its end is missing")
    end = reader.seek(end - size)
    footer = _Table(reader.read(size), 0).follow(0)
    places = [footer.unpack("<q", at) for i in (2, 3) for at in footer.items(i, 24)]
    first = min([*places, end])
    schema = reader.read(first - reader.seek(8))
    if schema.startswith(CONTINUATION):
        first = 16 + int.from_bytes(schema[4:8], "little")
    else:  # Polars 2.1 writes this message without its prefix
        schema = CONTINUATION + struct.pack("<I", len(schema)) + schema

    def iter_messages() -> Iterator[_Message]:
        n_left = end - first
        for place in places:
            reader.seek(place)
            if (message := _read_message(reader)) is None:
                break
            n_left -= len(message.head) + message.body_size
            yield message
        if not 0 <= n_left <= len(_END_MARK):
            raise DamageError("its parts do not fill it")

    return _open_messages(path, reader, schema, iter_messages, is_pipe=False)


def open_arrow_stream(path: str, reader: Reader, *, is_pipe: bool) -> Content:
    """Open an Arrow stream, which is read forwards.

    Parameters
    ----------
    path : str
        The input's name, for errors.
    reader : Reader
        At the stream's start.
    is_pipe : bool
        Whether it can be read only once; its rows are not counted beforehand then.

    Returns
    -------
    Content
        Its schema, number of rows and frames.

    Raises
    ------
    DamageError, InputError
        It is damaged, or holds what Polars cannot read.
    """
    schema = _read_message(reader)
    start = None if is_pipe else reader.seek(0, os.SEEK_CUR)

    def iter_messages() -> Iterator[_Message]:
        if start is not None:
            reader.seek(start)
        while (message := _read_message(reader)) is not None:
            yield message
        if reader.peek(1):
            raise DamageError("something follows its end")

    first = b"" if schema is None else schema.head
    return _open_messages(path, reader, first, iter_messages, is_pipe=is_pipe)


def _open_messages(
    path: str,
    reader: Reader,
    schema: bytes,
    iter_messages: Callable[[], Iterator[_Message]],
    *,
    is_pipe: bool,
) -> Content:
    _check_schema(path, _parse_message(schema))
    n_rows = None if is_pipe else 0
    if n_rows is not None:
        for message in iter_messages():
            n_rows += message.table.number(0, "<q") if message.kind == _RECORDS else 0
            reader.seek(message.body_size, os.SEEK_CUR)

    def iter_frames(columns: Sequence[str], _: int) -> Iterator[pl.DataFrame]:
        for data in _iter_batches(reader, schema, iter_messages()):
            yield pl.read_ipc_stream(data, columns=list(columns)).select(columns)

    return Content(pl.read_ipc_stream(schema + _END_MARK).schema, n_rows, iter_frames)


def _iter_batches(reader: Reader, schema: bytes, messages: Iterator[_Message]) -> Iterator[BytesIO]:
    """Yield each record batch as a stream of its own, with the dictionaries that it needs."""
    dictionaries: dict[int, bytes] = {}
    for message in messages:
        if message.kind == _DICTIONARY:
            body = reader.read(message.body_size)
            dictionaries[message.table.number(0, "<q")] = message.head + body
            continue
        data = BytesIO()
        data.writelines([schema, *dictionaries.values(), message.head])
        data.writelines(reader.iter_pieces(message.body_size))
        data.write(_END_MARK)
        data.seek(0)
        yield data


def _read_message(reader: Reader) -> _Message | None:
    """Read a message up to its body; None at the mark of the end."""
    prefix = reader.read(8)
    if prefix == _END_MARK:
        return None
    return _parse_message(prefix + reader.read(int.from_bytes(prefix[4:], "little")))


def _parse_message(head: bytes) -> _Message:
    if not head.startswith(CONTINUATION):
        raise DamageError("a message is missing")
    message = _Table(head, 8).follow(8)
    kind, size = message.number(1, "<B"), message.number(3, "<q")
    if kind not in (_SCHEMA, _DICTIONARY, _RECORDS) or size < 0:
        raise DamageError("a message is of no known kind")
    return _Message(kind, message.follow(message.find(2)), head, size)


def _check_schema(path: str, schema: _Message) -> None:
    if schema.kind != _SCHEMA:
        raise DamageError("it does not start with a schema")
    seen: set[str] = set()
    for column, at in enumerate(schema.table.items(1, 4), 1):
        described = schema.table.follow(at)
        name, kind = described.text(0), _UNREADABLE.get(described.number(2, "<B"))
        if kind is not None:
            what, hint = f"is of type {kind}, which cannot be read", "leave it out of the file"
            raise InputError(path, what, hint, column=column, name=name)
        if name in seen:
            what, hint = "an earlier column has the same name", "rename one of them"
            raise InputError(path, what, hint, column=column, name=name)
        seen.add(name)
